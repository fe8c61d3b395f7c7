#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A VF by its PF: by address, network device and port of devlink, for every command that takes it. Which
# VF has which number is read from sysfs, and which port leads to it is asked of devlink(8).

# shellcheck disable=SC2016,SC2034,SC2154 # scripts of owners; variables of pci.bash, and of record
load pci.bash
load ../../complete.bash

setup()
{
	local found

	[[ -d /sys/module/devlink_sim ]] || skip "needs --module devlink-sim"
	pci_setup
	found=("$sysfs/$PF"/net/*)
	net=${found[0]##*/}
	completions=$(cd "$BATS_TEST_DIRNAME/../../../completions" && pwd)
	[[ $(readlink "$sysfs/$PF/virtfn1") == */$B ]]
}

teardown()
{
	devlink dev eswitch set "pci/$PF" mode legacy
}

@test "names: each command takes a VF by its PF" {
	local name

	for name in "$net/vf1" "$PF/vf1" "${PF#0000:}/vf1" "/sys/class/net/$net/vf1"; do
		migctl 0 --json list "$name"
		expect_json ".devices[0].address == \"$B\"" \
			".devices[0].vf_of == {name: \"$net/vf1\", pf: \"$PF\", number: 1}"
	done
	name=$net/vf1
	migctl 0 --json info "$name"
	expect_json ".device.address == \"$B\""
	migctl 0 --json doctor "$name"
	expect_json ".device.address == \"$B\""
	migctl 0 --json state "$name"
	migctl 0 --json save "$name" vf.img
	expect_json ".device.address == \"$B\""
	migctl 0 --json resume --dry-run --map "$B=$net/vf2" "$net/vf2" vf.img
	expect_json ".device.address == \"$C\""
	migctl 0 monitor --timeout=1ms "$name"
	[[ $output == *" $B "* ]]
	migctl 0 --json bind --driver=vfio-pci "$name"
	expect_json ".devices[0].address == \"$B\"" '.devices[0].driver == "vfio-pci"'
	migctl 0 --json unbind "$name"
	expect_json '.devices[0].driver == "migsim-pci"'
	migctl 0 monitor --until=bound "$name"
	migctl 0 --json vfs "$net"
	expect_json ".address == \"$PF\"" ".vfs[1].address == \"$B\""
}

@test "names: a device of a process is picked by its PF, too" {
	own "$B" '"$ctl" --json info "pid:$$/'"$net"'/vf1"'
	((status == 0))
	expect_json ".device.address == \"$B\""
	own "$B" '"$ctl" info "pid:$$/'"$net"'/vf0" || echo "status $?"'
	[[ $output == 'status 66' && $stderr == *"has no device $A"* ]]
}

@test "names: what is missing is said in one line" {
	migctl 66 info "$net/vf3"
	[[ $stderr == "vfiomigctl: $net/vf3: $PF has 3 VFs, vf0 to vf2; vfiomigctl vfs $PF shows them" ]]
	migctl 66 bind --dry-run nosuch0/vf0
	[[ $stderr == 'vfiomigctl: nosuch0/vf0: there is no network or InfiniBand device nosuch0' ]]
	migctl 66 migratable "$A/vf0"
	[[ $stderr == "vfiomigctl: $A/vf0: $A is a VF itself, of $PF" ]]
	migctl 66 doctor 0000:00:00.0/vf0
	[[ $stderr == 'vfiomigctl: 0000:00:00.0/vf0: 0000:00:00.0 is no PF: it has no SR-IOV' ]]
	migctl 66 monitor --timeout=1ms lo/vf0
	[[ $stderr == 'vfiomigctl: lo/vf0: there is no PCI function behind lo' ]]
	migctl 66 vfs "$net/vf9" 1
	[[ $stderr == "vfiomigctl: $net/vf9: $PF has 3 VFs"* ]]
	migctl 69 vfs "$net/vf1" 1
	[[ $stderr == "vfiomigctl: $B: a VF itself, of $PF; vfiomigctl vfs $PF" ]]
	echo 0 >"$sysfs/$PF/sriov_numvfs"
	migctl 66 save "$net/vf0" vf.img
	[[ $stderr == "vfiomigctl: $net/vf0: $PF has no VFs; vfiomigctl vfs $PF N makes them" ]]
}

@test "names: a port of devlink leads to its VF" {
	local port

	migctl 66 info "pci/$PF/2"
	[[ $stderr == "vfiomigctl: pci/$PF/2: pci/$PF has no such port; devlink port shows them, "* ]]
	devlink dev eswitch set "pci/$PF" mode switchdev
	port=$(devlink port show | sed -n "s|^\\(pci/$PF/[0-9]*\\): .*pcivf.* vfnum 1 .*|\\1|p")
	[[ -n $port ]]
	migctl 0 --json list "$port"
	expect_json ".devices[0].address == \"$B\""
	migctl 0 --json migratable "$port"
	expect_json ".device.address == \"$B\"" ".port == \"$port\""
	migctl 66 bind "pci/$A/1"
	[[ $stderr == "vfiomigctl: pci/$A/1: pci/$A is not in devlink" ]]
}

# The other shells are asked by ../suite/names.bats: they take long to start here.
@test "names: bash offers them" {
	devlink dev eswitch set "pci/$PF" mode switchdev
	[[ $'\n'$(complete_bash "vfiomigctl bind $net")$'\n' == *$'\n'"$net"$'\n'* ]]
	diff <(complete_bash "vfiomigctl bind $net/") <(printf "$net/vf%d\\n" 0 1 2)
	diff <(complete_bash "vfiomigctl doctor $PF/vf") <(printf "$PF/vf%d\\n" 0 1 2)
	diff <(complete_bash "vfiomigctl vfs $net") <(echo "$net")
	diff <(complete_bash "vfiomigctl migratable pci/$PF/") <(printf "pci/$PF/%d\\n" 1 2 3)
}

# With mdevs and long names, in ../suite/names.bats.
@test "names: PF, VFs and vfio-user in one table of 100 columns" {
	local line server

	mkdir -p a/rather/long/way/to
	"$VFIOMIG_EMU" --exit-with-parent --socket a/rather/long/way/to/eth.sock >ready 3>&- &
	server=$!
	eventually grep -q ready ready
	ip link set "$net" down
	ip link set "$net" name enp59s0f0np0x1y
	own "$B" '"$ctl" list enp59s0f0np0x1y enp59s0f0np0x1y/vf0 enp59s0f0np0x1y/vf1 \
		vfio-user:a/rather/long/way/to/eth.sock; :'
	ip link set enp59s0f0np0x1y name "$net"
	kill "$server"
	((status == 0))
	mapfile -t lines <<<"$output"
	((${#lines[@]} == 5))
	for line in "${lines[@]}"; do
		((${#line} <= 100))
	done
	[[ ${lines[0]} == DEVICE*'VF OF'*DRIVER*CDEV*MIGRATABLE*STATE*'HELD BY' ]]
	[[ ${lines[1]} == "$PF"*' igb '* ]]
	[[ ${lines[2]} == "$A"*'/vf0 '* ]]
	[[ ${lines[3]} == "$B"*'/vf1 '*'running '*\[*\] ]]
	[[ ${lines[4]} == vfio-*/eth.sock\ * ]]
}
