# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # run, which sources this, has the rest
#
# The user-mode kernel, as a machine of the lab: what run needs of it.

kernel=${kernel:-${LAB_KERNEL:-6.12}}
mem=${mem:-512M}
[[ -z $variant ]] || fail "--variant $variant: uml has none"

# The kernel's memory is a mapped file. Where the caller has no wish, it is best on the
# shared memory file system, unless that is the small or noexec one of a container:
# running out of it kills the kernel in mid-flight.
memory_folder()
{
	local shm=/dev/shm type options free

	if [[ -z ${TMPDIR-} ]] &&
		read -r type options < <(findmnt -n -o FSTYPE,OPTIONS -M "$shm" 2>/dev/null) &&
		[[ $type == tmpfs && ,$options, != *,noexec,* && -w $shm ]]; then
		free=$(df --output=avail -B1 "$shm" | tail -n 1)
		if ((free >= 2 * $(bytes "$mem"))); then
			echo "$shm"
			return
		fi
	fi
	echo "$dir"
}

# machine_get: the kernel and modules, built if need be. Status 77: there is none to be had.
machine_get()
{
	make_by "$here/build-kernel" "$kernel" >"$dir/executable" || return
	get_modules --kernel "$kernel"
}

# machine_boot: starts it, as $machine_pid.
machine_boot()
{
	local executable args console=con1=null
	local -a extra

	executable=$(<"$dir/executable")
	mkdir "$dir/uml"
	read -r -a extra <"${executable%/*}/cmdline" || true
	[[ -z $interactive ]] || console=con1=fd:3,fd:4
	args=(
		"mem=$mem" rootfstype=hostfs rootflags=/ rw "init=\"$dir/init\"" "lab=\"$dir\""
		"uml_dir=$dir/uml/" umid=lab
		# The log is what stderr gets; no console, so that output cannot mix with it.
		earlyprintk con=null "con0=null,fd:2" "$console" ssl=null
		"${extra[@]}"
	)
	# Two where the kernel has more than one at all.
	[[ -z $cpus || ${extra[*]} != *ncpus=* ]] || args+=("ncpus=$cpus")
	# A session of its own: signals of this terminal are not the kernel's, and its
	# group can be killed as one. It must not outlive this script, however that ends.
	(
		ulimit -c 0
		cd /
		exec env -i TMPDIR="$(memory_folder)" setsid setpriv --pdeathsig KILL \
			"$executable" "${args[@]}" >"$dir/log" 2>&1
	) &
	machine_pid=$!
}
