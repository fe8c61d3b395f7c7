# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # those that source this set $program and $apt, and use $debs
#
# What build-kernel and pci/prepare share: the cache outside the checkout, Debian packages that are
# downloaded into it and not installed, and building a folder of it once. Sourced; the caller sets
# $program, the name that its messages begin with, and $apt, a folder for apt's lists.

# What apt, gcc and sort say is read here.
export LC_ALL=C

lab_cache=$(realpath -m "${VFIOMIG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vfiomigctl}")
# Of linux-source, which several kernels are made from; see source_deb().
debs=$lab_cache/kernel/packages
quiet=''

say()
{
	[[ -n $quiet ]] || echo "$program: $*" >&2
}

fail()
{
	echo "$program: $*" >&2
	exit 1
}

unavailable()
{
	echo "$program: $*" >&2
	exit 77
}

# check_tools TOOL...: whose Debian package has its name, but for some.
check_tools()
{
	local tool package

	for tool; do
		command -v "$tool" >/dev/null && continue
		package=$tool
		case $tool in
		xz) package=xz-utils ;;
		depmod) package=kmod ;;
		esac
		fail "no $tool here (Debian package $package)"
	done
}

# --- packages ------------------------------------------------------------------------

# What this machine's apt is configured for, of Debian's own: "SUITE URI KEYRING" a line, the
# release itself first.
suites()
{
	local codename component release uri entry keyring

	[[ -e /etc/os-release ]] && command -v apt-get >/dev/null || return 1
	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && [[ $ID == debian ]] && echo "${VERSION_CODENAME-}") ||
		return 1
	# shellcheck disable=SC2016 # for apt to expand
	while IFS='|' read -r component release uri entry; do
		[[ $component == main ]] || continue
		case $release in
		"$codename" | "$codename"-*) ;;
		stable | testing | unstable | sid) ;;
		*) continue ;;
		esac
		entry=${entry%:*}
		keyring=$(sed -n -E 's/^Signed-By:[[:space:]]*(\/[^[:space:]]+).*/\1/Ip
			s/^deb .*\[[^]]*signed-by=(\/[^],[:space:]]+).*/\1/Ip' "$entry" 2>/dev/null |
			head -n 1) || true
		echo "$release $uri $keyring"
	done < <(apt-get indextargets --format \
		'$(COMPONENT)|$(RELEASE)|$(REPO_URI)|$(SOURCESENTRY)' 'Created-By: Packages') |
		sort
}

# source_line SUITE URI [KEYRING]: for sources.list. [target=] leaves out whatever else this
# machine's apt likes to fetch beside the list of packages.
source_line()
{
	echo "deb [target=Packages${3:+ signed-by=$3}] $2 $1 main"
}

# private COMMAND [ARG...]: one of apt's, with the sources of $apt and nothing of it outside the
# cache: the machine's own sources stay as they are, and no root is needed.
private()
{
	APT_CONFIG='' "$1" -c "$apt/apt.conf" "${@:2}"
}

# private_update [LINE...]: fetches the lists of the sources on standard input. LINEs are
# more of apt's configuration.
private_update()
{
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	# #clear: the hooks for this machine's desktop.
	cat >"$apt/apt.conf" <<-END
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		Acquire::Languages "none";
		Acquire::Retries "1";
		APT::Sandbox::User "root";
		APT::Update::Error-Mode "any";
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::State::Lists "$apt/lists";
		Dir::Cache "$apt/cache";
		$(printf '%s\n' "$@")
	END
	cat >"$apt/sources.list"
	private apt-get update -qq >"$apt/log" 2>&1
}

# A resolution is asked for again after a week; one that cannot be renewed is kept.
recent()
{
	[[ -n $(find "$1" -mtime -7 2>/dev/null) ]]
}

candidate()
{
	sed -n 's/^  Candidate: \([^(].*\)/\1/p'
}

# download INTO COMMAND...: packages, all or none, by a command such as "apt-get -qq download
# NAME=VERSION".
download()
{
	local into=$1 new status=0
	shift

	mkdir -p "$into"
	new=$(mktemp -d "$into/new.XXXXXX")
	(cd "$new" && "$@") >"$new/log" 2>&1 || status=$?
	if ((status != 0)); then
		sed 's/^/  | /' "$new/log" >&2
		rm -rf "$new"
		unavailable "cannot download ${!#}"
	fi
	mv "$new"/*.deb "$into/"
	rm -rf "$new"
}

# source_tarball DEB: the tarball of a linux-source package, on standard output.
source_tarball()
{
	local member

	member=$(dpkg-deb --fsys-tarfile "$1" | tar -t |
		grep -E '^\./usr/src/linux-source-[0-9.]+\.tar\.xz$')
	dpkg-deb --fsys-tarfile "$1" | tar -x -O "$member" | xz -dc
}

# --- building once ---------------------------------------------------------------------

# make_once MARK: has the caller's fetch_inputs() and build() fill the folder of the file MARK, unless
# that is there. One at a time: another caller waits. Of a build that failed only its log stays.
make_once()
{
	# Names that neither of them has, which see these.
	local once_mark=$1 once_dir=${1%/*} once_key status started=$SECONDS

	once_key=${once_dir##*/}
	[[ ! -e $once_mark ]] || return 0
	mkdir -p "${once_dir%/*}"
	exec 9>"$once_dir.lock"
	flock -n 9 || {
		say "waiting for another build of $once_key"
		flock 9
	}
	[[ ! -e $once_mark ]] || return 0
	fetch_inputs
	say "building $once_key (some minutes; its log is $once_dir/build.log)"
	rm -rf "$once_dir"
	# shellcheck disable=SC2064 # these, whatever comes later
	trap "[[ -e '$once_mark' ]] || find '$once_dir' -mindepth 1 ! -name build.log -delete" EXIT
	trap 'trap "" INT TERM HUP; exit 130' INT
	trap 'trap "" INT TERM HUP; exit 143' TERM HUP
	mkdir -p "$once_dir"
	# Not as a condition: inside one, set -e is off, even where it is set again.
	set +e
	(
		set -e
		build
	) >"$once_dir/build.log" 2>&1 </dev/null 9>&-
	status=$?
	set -e
	[[ -e $once_mark ]] || {
		tail -n 30 "$once_dir/build.log" | sed 's/^/  | /' >&2
		fail "building $once_key failed (status $status; the log is $once_dir/build.log)"
	}
	say "built $once_key in $((SECONDS - started)) seconds"
	exec 9>&-
}
