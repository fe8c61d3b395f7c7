#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bind, unbind and vfs on the functions of a NIC, with its host's driver (igbvf) and two of VFIO's.
# Which driver a function has is read from sysfs, never from the tool.

# shellcheck disable=SC2030,SC2031,SC2154 # pci_setup and record set them
load pci.bash

setup()
{
	pci_setup
	release=$(uname -r)
	root=$PWD/root
	mkdir -p "$root/lib/modules/$release"
	[[ -e /sys/bus/pci/drivers/igbvf ]] || modprobe igbvf
	# Functions as a host has them: by its own driver, and nothing said about another one.
	for address in "$A" "$B" "$C"; do
		bind "$address" igbvf
		echo >"$sysfs/$address/driver_override"
	done
	echo 1 >"$sysfs/$PF/sriov_drivers_autoprobe"
	rm -rf /run/vfiomigctl
	list_aliases
}

# As depmod writes it: the function's own module among others.
list_aliases()
{
	cat >"$root/lib/modules/$release/modules.alias" <<-'END'
		# Aliases extracted from modules themselves.
		alias pci:v00008086d000010CAsv*sd*bc*sc*i* igbvf
		alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci
		alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci
		alias vfio_pci:v000019E5d0000A259sv*sd*bc*sc*i* hisi_acc_vfio_pci
		alias vfio_pci:v00008086d000010CAsv*sd*bc*sc*i* migsim_pci
		alias vfio_pci:v00008086d00004941sv*sd*bc*sc*i* qat_vfio_pci
		alias vfio_pci:v00008086d*sv*sd*bc*sc*i* some_vfio_pci
		alias vfio_pci:v00001DD8d00001003sv*sd*bc*sc*i* pds_vfio_pci
		alias vfio_pci:v00001AF4d00001041sv*sd*bc*sc*i* virtio_vfio_pci
		alias vfio_pci:v000010DEd00002342sv*sd*bc*sc*i* nvgrace_gpu_vfio_pci
	END
}

# expect_drivers DRIVER ADDRESS...: "" for none; and no driver_override is left.
expect_drivers()
{
	local address override

	for address in "${@:2}"; do
		driver_of "$address"
		[[ $driver == "$1" ]] || {
			echo "$address has '$driver', not '$1'"
			return 1
		}
		override=$(<"$sysfs/$address/driver_override")
		[[ $override == '(null)' ]] || {
			echo "$address: driver_override is $override"
			return 1
		}
	done
}

interface_of()
{
	local found=("$sysfs/$1"/net/*)

	interface=${found[0]##*/}
}

@test "bind: the driver is found by its alias, and unbind gives the old one back" {
	migctl 0 --json bind --module-root="$root" --dry-run "$A"
	expect_json '.devices[0].steps == ["unbind from igbvf", "bind to migsim-pci"]' .dry_run
	expect_drivers igbvf "$A"
	migctl 0 --json bind --module-root="$root" "$A" "$B"
	expect_json '.devices | length == 2' '.devices[0].driver_found == "igbvf"' \
		'.devices[0].driver == "migsim-pci"' '.devices[1].changed' \
		'.devices[0].module == "migsim_pci"' '.devices[0].cdev | startswith("vfio")' \
		'.devices[0].alias == "vfio_pci:v00008086d000010CAsv*sd*bc*sc*i*"'
	expect_drivers migsim-pci "$A" "$B"
	migctl 0 info "$A"
	migctl 0 --json bind --module-root="$root" "$A"
	expect_json '.devices[0].changed == false'
	# By way of another one: back is to what it had first.
	migctl 0 bind --driver=vfio-pci "$A"
	expect_drivers vfio-pci "$A"
	migctl 0 unbind "$A" "$B"
	expect_drivers igbvf "$A" "$B"
	migctl 66 unbind "$A"
	[[ $stderr == *"$A: there is no record of another driver; "* ]]
	[[ -z $(ls -A /run/vfiomigctl) ]]
}

@test "bind: to no driver, and back; a device that had none" {
	migctl 0 bind --driver=none "$A"
	expect_drivers '' "$A"
	migctl 0 unbind "$A"
	expect_drivers igbvf "$A"
	echo "$A" >"$sysfs/$A/driver/unbind"
	migctl 0 bind --driver=migsim-pci "$A"
	expect_drivers migsim-pci "$A"
	migctl 0 unbind "$A"
	expect_drivers '' "$A"
}

@test "bind: no driver, no list, no module, a driver that does not take it" {
	local list=$root/lib/modules/$release/modules.alias

	sed -i '/8086d/d; /v\*d\*/d' "$list"
	migctl 69 bind --module-root="$root" "$A"
	[[ $stderr == *"$A: no module of VFIO's is for it; --driver=vfio-pci "* ]]
	rm "$list"
	migctl 69 bind --module-root="$root" "$A"
	[[ $stderr == *"$A: which driver: $root/lib/modules/$release: has no modules.alias; --driver "* ]]
	migctl 69 bind --driver=no-such "$A"
	[[ $stderr == *"$A: no-such: modprobe does not load it"* ]]
	# Of two, the first goes back when the second fails.
	migctl 0 bind --driver=vfio-pci --module-root="$root" "$A"
	migctl 81 bind --driver=pcieport "$A" "$B"
	[[ $stderr == *"$A: pcieport does not take it; every device has the driver again that it had; see "* ]]
	expect_drivers vfio-pci "$A"
	expect_drivers igbvf "$B"
	migctl 0 unbind "$A"
	record strace -f -qq -o /dev/null -P "$(readlink -f "$sysfs/$B")/driver_override" \
		-e trace=write -e inject=write:error=EIO:when=1 \
		"$VFIOMIGCTL" bind --driver=vfio-pci "$A" "$B"
	((status != 0))
	[[ $stderr == *"$B: driver_override: "*"(EIO)"*'every device has the driver again that it had'* ]]
	expect_drivers igbvf "$A" "$B"
	[[ -z $(ls -A /run/vfiomigctl) ]]
}

@test "bind: only vfio-pci is for it: a warning" {
	sed -i '/8086d/d' "$root/lib/modules/$release/modules.alias"
	migctl 0 bind --module-root="$root" "$A"
	[[ $stderr == *"$A: no driver that can migrate it was found, only vfio-pci" ]]
	expect_drivers vfio-pci "$A"
	migctl 0 unbind "$A"
}

@test "bind: a module is loaded for it, alone" {
	local address

	for address in "$A" "$B" "$C"; do
		echo "$address" >"$sysfs/$address/driver/unbind"
	done
	modprobe -r igbvf
	migctl 0 --json bind --dry-run --driver=igbvf "$A"
	expect_json '.devices[0].steps == ["load module igbvf", "bind to the driver of igbvf"]'
	[[ ! -e /sys/module/igbvf ]]
	migctl 0 bind --driver=igbvf "$A"
	expect_drivers igbvf "$A"
}

@test "bind: what is in use is refused, and named" {
	interface_of "$A"
	ip link set "$interface" up
	migctl 69 bind --module-root="$root" "$B" "$A"
	[[ $stderr == *"$A: in use: network interface $interface is up; end that, or --force "* ]]
	expect_drivers igbvf "$A" "$B"
	migctl 0 --json bind --force --module-root="$root" "$A"
	expect_json ".devices[0].used_by == [\"network interface $interface is up\"]"
	expect_drivers migsim-pci "$A"
	# And a process that has it by VFIO.
	own "$A" "\$ctl unbind $A || exit"
	[[ $status == 69 && $stderr == *"$A: in use: "*'] has it open ('* ]]
	# Or the tool itself, which would wait for itself for ever.
	own "$A" "exec \$ctl unbind $A"
	[[ $status == 69 && $stderr == *"$A: in use: fd 9, which this process has inherited, has it; "* ]]
	expect_drivers migsim-pci "$A"
	migctl 69 bind --driver=none "$PF"
	[[ $stderr == *"$PF: in use: it has VFs (3); "* ]]
	migctl 0 unbind "$A"
	expect_drivers igbvf "$A"
}

# killed_at PATTERN CALL COMMAND...: is killed when CALL is about to be made on the file PATTERN.
killed_at()
{
	local path=$1 call=$2

	shift 2
	record strace -f -qq -o /dev/null -P "$path" -e "trace=$call" -e "inject=$call:signal=KILL" \
		"$VFIOMIGCTL" "$@"
	((status == 137))
}

@test "bind: killed at each step, the next call mends it" {
	local path call back

	for back in unbind bind; do
		while read -r path call; do
			killed_at "$path" "$call" bind --driver=migsim-pci "$A" || {
				echo "not killed at $call of $path: $status, $output"
				return 1
			}
			driver_of "$A"
			echo "killed at $call of $path with '$driver'"
			if [[ $back == bind ]]; then
				migctl 0 bind --driver=migsim-pci "$A"
				expect_drivers migsim-pci "$A"
			fi
			# A kill before the first change leaves no record, or one.
			if [[ $back == bind || -e /run/vfiomigctl/$A.driver ]]; then
				migctl 0 unbind "$A"
			fi
			expect_drivers igbvf "$A"
			[[ ! -e /run/vfiomigctl/$A.driver ]]
		done <<-END
			/sys/bus/pci/drivers/igbvf/unbind openat
			/sys/bus/pci/drivers/igbvf/unbind write
			$(readlink -f "$sysfs/$A")/driver_override write
			/sys/bus/pci/drivers_probe openat
			/sys/bus/pci/drivers_probe write
			/run/vfiomigctl fsync
		END
	done
}

@test "unbind: killed at a step, the next call mends it" {
	migctl 0 bind --driver=migsim-pci "$A"
	killed_at /sys/bus/pci/drivers_probe write unbind "$A"
	driver_of "$A"
	[[ -z $driver && $(<"$sysfs/$A/driver_override") == igbvf ]]
	migctl 0 unbind "$A"
	expect_drivers igbvf "$A"
}

@test "vfs: makes VFs without a driver, shows and removes them" {
	migctl 0 --json vfs "$PF"
	expect_json '.vfs_found == 3 and .vfs_total == 7' '.vfs | length == 3' \
		".vfs[0].address == \"$A\"" '.vfs[0].driver == "igbvf"'
	migctl 0 --json vfs --dry-run "$PF" 2
	expect_json '.steps == ["remove 3 VFs", "make 2 VFs without a driver"]' '.vfs | length == 3'
	migctl 0 --json vfs "$PF" 2
	expect_json .changed '.vfs | length == 2' '[.vfs[].driver] == [null, null]'
	[[ $(<"$sysfs/$PF/sriov_numvfs") == 2 && $(<"$sysfs/$PF/sriov_drivers_autoprobe") == 1 ]]
	migctl 0 --json vfs "$PF" 2
	expect_json '.changed == false'
	migctl 0 vfs --dry-run "$PF" 3
	[[ $output == *$'\nVFs before   2\n'* && $output == *$'\nwould        remove 2 VFs\n'* ]]
	[[ $output == *$'\nthen         make 3 VFs without a driver\n'* ]]
	migctl 0 vfs "$PF"
	[[ $output == *$'\nVFs          2\n'* ]]
	migctl 69 vfs "$PF" 8
	[[ $stderr == *"$PF: can have 7 VFs, not 8" ]]
	[[ $(<"$sysfs/$PF/sriov_numvfs") == 2 ]]
	migctl 0 vfs "$PF" 0
	[[ $(<"$sysfs/$PF/sriov_numvfs") == 0 ]]
	[[ -z $(ls -A /run/vfiomigctl) ]]
	echo 1 >"$sysfs/$PF/sriov_numvfs"
	migctl 69 vfs "$A" 1
	[[ $stderr == *"$A: a VF itself, of $PF; vfiomigctl vfs $PF" ]]
	migctl 69 vfs 0000:00:00.0
	[[ $stderr == *'0000:00:00.0: has no SR-IOV; '* ]]
}

@test "vfs: not over VFs in use; a record is of a VF, not of its address" {
	interface_of "$B"
	ip link set "$interface" up
	migctl 69 vfs "$PF" 2
	[[ $stderr == *"$PF: its VF $B is in use: network interface $interface is up; end that, or --force "* ]]
	[[ $(<"$sysfs/$PF/sriov_numvfs") == 3 ]]
	migctl 0 vfs "$PF" 3
	migctl 0 bind --driver=migsim-pci "$A"
	migctl 0 vfs --force "$PF" 1
	[[ $(<"$sysfs/$PF/sriov_numvfs") == 1 ]]
	migctl 66 unbind "$A"
}

@test "vfs: killed half-way, the next call sets the host's probing back" {
	local path

	path=$(readlink -f "$sysfs/$PF")
	migctl 0 vfs "$PF" 0
	killed_at "$path/sriov_numvfs" write vfs "$PF" 2
	[[ $(<"$sysfs/$PF/sriov_drivers_autoprobe") == 0 ]]
	migctl 0 vfs "$PF" 2
	[[ $(<"$sysfs/$PF/sriov_drivers_autoprobe") == 1 && $(<"$sysfs/$PF/sriov_numvfs") == 2 ]]
}
