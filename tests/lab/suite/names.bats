#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A host with PFs, VFs, mdevs and servers of vfio-user: mdevs and server are real, what is beside them in
# /sys is made here. One table for all, and what the shells offer.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash
load ../../complete.bash

net=enp59s0f0np0

# make_function ADDRESS DRIVER NUMBER [vfioN]: one of /sys/devices, in the group NUMBER.
make_function()
{
	local folder=/sys/devices/pci0000:3a/$1

	mkdir -p "$folder" /sys/bus/pci/devices /sys/kernel/iommu_groups/"$3"/devices
	ln -s ../../../bus/pci "$folder/subsystem"
	ln -s "../../../bus/pci/drivers/$2" "$folder/driver"
	ln -s "../../../kernel/iommu_groups/$3" "$folder/iommu_group"
	ln -s "../../../devices/pci0000:3a/$1" "/sys/bus/pci/devices/$1"
	printf '0x%x\n' 0x15b3 >"$folder/vendor"
	printf '0x%x\n' 0x101e | tee "$folder/device" "$folder/class" "$folder/revision" \
		"$folder/subsystem_vendor" >"$folder/subsystem_device"
	[[ -n ${4-} ]] || return 0
	mkdir -p "$folder/vfio-dev/$4"
	ln -s ../../../../../class/vfio-dev "$folder/vfio-dev/$4/subsystem"
	ln -s "../../../$1" "$folder/vfio-dev/$4/device"
	echo 510:9 >"$folder/vfio-dev/$4/dev"
	ln -s "../../devices/pci0000:3a/$1/vfio-dev/$4" "/sys/class/vfio-dev/$4"
}

# make_vf PF NUMBER ADDRESS
make_vf()
{
	ln -s "../$1" "/sys/devices/pci0000:3a/$3/physfn"
	ln -s "../$3" "/sys/devices/pci0000:3a/$1/virtfn$2"
}

# make_net PF NAME PORT: a network device of the PF.
make_net()
{
	mkdir -p "/sys/devices/pci0000:3a/$1/net/$2" /sys/class/net
	ln -s "../../../$1" "/sys/devices/pci0000:3a/$1/net/$2/device"
	echo "$3" >"/sys/devices/pci0000:3a/$1/net/$2/phys_port_name"
	ln -s "../../devices/pci0000:3a/$1/net/$2" "/sys/class/net/$2"
}

# What is real stays: /sys/devices/virtual, where the mdevs are, and debugfs.
make_sys()
{
	local dev uuid

	mkdir "$BATS_TEST_TMPDIR"/{virtual,debug}
	mount --bind /sys/devices/virtual "$BATS_TEST_TMPDIR/virtual"
	mount --bind /sys/kernel/debug "$BATS_TEST_TMPDIR/debug"
	mount -t tmpfs none /sys
	mkdir -p /sys/devices/virtual /sys/class/vfio-dev /sys/dev/char /sys/kernel/debug
	mount --bind "$BATS_TEST_TMPDIR/virtual" /sys/devices/virtual
	mount --bind "$BATS_TEST_TMPDIR/debug" /sys/kernel/debug
	for dev in /sys/devices/virtual/mtty/mtty/*/vfio-dev/vfio*; do
		ln -s "$dev" "/sys/class/vfio-dev/${dev##*/}"
		ln -s "$dev" "/sys/dev/char/$(<"$dev/dev")"
	done
	mkdir -p /sys/bus/mdev/devices
	for uuid in "$A" "$B"; do
		ln -s "/sys/devices/virtual/mtty/mtty/$uuid" "/sys/bus/mdev/devices/$uuid"
	done
	make_function 0000:3b:00.0 mlx5_core 20
	echo 127 | tee /sys/devices/pci0000:3a/0000:3b:00.0/sriov_{total,num}vfs >/dev/null
	make_net 0000:3b:00.0 "$net" p0
	make_net 0000:3b:00.0 enp59s0f0npf0vf0 pf0vf0
	make_function 0000:3b:00.2 mlx5_vfio_pci 21 vfio10
	make_function 0000:3b:10.1 hisi_acc_vfio_pci 122 vfio11
	make_vf 0000:3b:00.0 0 0000:3b:00.2
	make_vf 0000:3b:00.0 127 0000:3b:10.1
}

unmake_sys()
{
	umount /sys/devices/virtual /sys/kernel/debug
	umount /sys "$BATS_TEST_TMPDIR"/{virtual,debug}
}

@test "names: PF, VFs, mdevs and vfio-user are one table that fits" {
	local line owner server width

	mkdir -p a/rather/long/way/to
	"$VFIOMIG_EMU" --exit-with-parent --socket a/rather/long/way/to/eth.sock >ready 3>&- &
	server=$!
	eventually grep -q ready ready
	cp "$(type -P sleep)" qemu-system-x86
	"$tools/with-fd" "$A" 9 ./qemu-system-x86 1000 3>&- &
	owner=$!
	eventually grep -qx qemu-system-x86 "/proc/$owner/comm"
	make_sys
	for width in 100 80; do
		COLUMNS=$width "$VFIOMIGCTL" list 0000:3b:00.0 "$net/vf0" "$net/vf127" "$A" "$B" \
			vfio-user:a/rather/long/way/to/eth.sock >"table.$width" 2>>errors || true
	done
	record "$VFIOMIGCTL" --json list
	unmake_sys
	kill "$server" "$owner"
	head table.* errors
	# All that VFIO has: the PF is not of them.
	expect_json '[.devices[].vf_of.name] == ["'"$net"'/vf0", "'"$net"'/vf127", null, null]'
	for width in 100 80; do
		mapfile -t lines <"table.$width"
		((${#lines[@]} == 7))
		for line in "${lines[@]}"; do
			((${#line} <= width))
		done
		[[ ${lines[0]} == DEVICE*'VF OF'*DRIVER*CDEV*MIGRATABLE*STATE*'HELD BY' ]]
		[[ ${lines[1]} == '0000:3b:00.0 '*' mlx5_core '* ]]
		[[ ${lines[2]} == '0000:3b:00.2 '*/'vf0 '* ]]
		[[ ${lines[3]} == '0000:3b:10.1 '*/'vf127 '*' hisi_ac.. '*' vfio11 '* ]]
		[[ ${lines[4]} == "${A::14}"*' mtty '*' yes '*' running '*"..[$owner]" ]]
		[[ ${lines[6]} == vfio-*../eth.sock\ *' running '* ]]
	done
}

@test "names: each shell offers VFs by their PF, and PFs to vfs" {
	local shell found

	completions=$(cd "$BATS_TEST_DIRNAME/../../../completions" && pwd)
	make_sys
	for shell in bash zsh fish; do
		command -v "$shell" >/dev/null || continue
		"complete_$shell" "vfiomigctl bind $net/" >"$shell.vfs"
		"complete_$shell" "vfiomigctl doctor 3b:00.0/v" >"$shell.address"
		"complete_$shell" "vfiomigctl info enp5" >"$shell.pf"
		"complete_$shell" "vfiomigctl vfs " >"$shell.pfs"
	done
	unmake_sys
	for found in *.vfs; do
		echo "${found%.vfs}"
		diff "$found" <(printf '%s\n' "$net/vf0" "$net/vf127")
		diff "${found%.vfs}.address" <(printf '%s\n' 3b:00.0/vf0 3b:00.0/vf127)
		diff "${found%.vfs}.pf" <(echo "$net")
		diff "${found%.vfs}.pfs" <(printf '%s\n' 0000:3b:00.0 "$net")
	done
}
