# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What scripts/demo and scripts/test share: packages, a copy of the sources to build from, builds.
# Sourced. Everything goes below build/ (BUILD) and the cache; the checkout itself stays clean,
# which is why even ./bootstrap runs in a copy.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=${BUILD:-$top/build}
jobs=$(nproc)
mkdir -p "$BUILD"

say()
{
	printf '%s\n' "$*"
}

# run_quietly WHAT COMMAND...: its output only if it fails.
run_quietly()
{
	local what=$1 log
	shift
	log=$BUILD/logs/${what//[^a-zA-Z0-9.]/-}.log
	mkdir -p "$BUILD/logs"
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 60 "$log" >&2
		say "FAILED: $what (all of it: $log)" >&2
		return 1
	fi
}

# need PACKAGE...: Debian packages, installed if they are not there.
need()
{
	local missing=() package
	for package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok' ||
			missing+=("$package")
	done
	((${#missing[@]})) || return 0
	if (($(id -u))); then
		say "not root, and missing: ${missing[*]}" >&2
		return 1
	fi
	say "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	run_quietly 'apt-get update' apt-get update -q
	run_quietly 'apt-get install' apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# What building the program takes, and what building and running the lab takes beyond that; for
# the scripts that source this.
# shellcheck disable=SC2034
build_packages=(autoconf automake gcc libc6-dev libjson-c-dev libxxhash-dev libzstd-dev
	libgnutls28-dev libnl-3-dev libnl-genl-3-dev linux-libc-dev make nettle-dev pkg-config scdoc git)
# shellcheck disable=SC2034
lab_packages=(bc bison flex xz-utils cpio kmod)

sources()
{
	if git -C "$top" rev-parse --git-dir >/dev/null 2>&1; then
		git -C "$top" ls-files -z --cached --others --exclude-standard
	else
		(cd "$top" && find . -path ./build -prune -o -type f -printf '%P\0')
	fi
}

# A copy in build/src, made anew when a file has gone; else only what is newer is written.
copy_sources()
{
	local list=$BUILD/src.list
	mkdir -p "$BUILD/src"
	sources | sort -z >"$list.new"
	if [[ -e $list ]] && [[ $(comm -z -23 "$list" "$list.new" | tr -d '\0') ]]; then
		rm -rf "$BUILD/src"
		mkdir -p "$BUILD/src"
	fi
	mv "$list.new" "$list"
	(cd "$top" && xargs -0 -r stat --printf '%n\0' <"$list" 2>/dev/null) |
		tar -C "$top" --null -T - -cf - | tar -C "$BUILD/src" -xf - --keep-newer-files \
			--warning=none
	if [[ ! -e $BUILD/src/configure || $BUILD/src/configure.ac -nt $BUILD/src/configure ]]; then
		run_quietly bootstrap "$BUILD/src/bootstrap"
	fi
}

# build NAME [--ARGUMENT | VARIABLE=VALUE]... [TARGET...]: build/NAME, configured with these and made.
build()
{
	local dir=$BUILD/$1 name=$1 arguments=()
	shift
	while [[ ${1-} == -* || ${1-} == *=* ]]; do
		arguments+=("$1")
		shift
	done
	mkdir -p "$dir"
	if [[ ! -e $dir/config.status || $BUILD/src/configure -nt $dir/config.status ]]; then
		run_quietly "configure $name" env -C "$dir" ../src/configure --quiet "${arguments[@]}"
	fi
	run_quietly "make $name" make -C "$dir" -j "$jobs" "$@"
}
