#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The switch in devlink that makes a VF migratable, on functions of a NIC and a devlink of the lab's
# own (../devlink-sim), which is as strict as mlx5's. What is so afterwards is asked of devlink(8).

# shellcheck disable=SC2154 # record sets output, stderr and lines
load ../../helpers.bash

setup()
{
	set +T
	require lab root jq
	[[ -d /sys/module/devlink_sim ]] || skip "needs --module devlink-sim"
	vfs=$BATS_TEST_DIRNAME/../pci/vfs
	parameters=/sys/module/devlink_sim/parameters
	sysfs=/sys/bus/pci/devices
	record -0 "$vfs" pf
	pf=$output
	record -0 "$vfs" create 3
	read -r A _ <<<"${lines[0]}"
	read -r B _ <<<"${lines[1]}"
	"$vfs" unbind "$A"
	echo -1 >"$parameters/deny"
}

teardown()
{
	"$vfs" remove
	[[ -d /sys/module/devlink_sim ]] || return 0
	devlink dev eswitch set "pci/$pf" mode legacy
	echo N >"$parameters/no_attribute"
}

ports()
{
	devlink dev eswitch set "pci/$pf" mode switchdev
}

# expect_switch PORT on|off: as another program reads it. Debian 12's devlink(8) is older than the
# switch, so that the bits of the message are looked at.
expect_switch()
{
	local found

	found=$(python3 "$BATS_TEST_DIRNAME/port-caps.py" "$pf" "$1")
	[[ $found == "$2" ]] || {
		echo "port $1 is $found, not $2"
		return 1
	}
}

@test "migratable: a VF is switched on before a driver has it, and off again" {
	ports
	migctl 0 migratable "$A"
	[[ $output == *"pci/$pf/1"* && $output == *"switchdev"* && $output == *"migratable    no"* ]]
	expect_switch 1 off
	migctl 0 --json migratable "$A" on
	expect_json '.switch == "devlink"' ".port == \"pci/$pf/1\"" '.migratable_found == false' \
		.migratable .changed '.eswitch_mode == "switchdev"'
	expect_switch 1 on
	expect_switch 2 off
	migctl 0 --json migratable "$A" on
	expect_json .migratable_found .migratable '.changed == false'
	migctl 0 --json migratable "$A" off
	expect_json .migratable_found '.migratable == false' .changed
	expect_switch 1 off
}

@test "migratable: what is to be done is said, and not done" {
	ports
	migctl 0 --json migratable --dry-run "$A" on
	expect_json '.steps == ["set migratable on"]' .dry_run '.migratable == false'
	migctl 0 --json migratable --dry-run --rebind "$B" on
	expect_json '.steps == ["unbind from vfio-pci", "set migratable on", "bind to vfio-pci"]'
	migctl 0 migratable --dry-run --rebind "$B" on
	[[ $output == *'would do      unbind from vfio-pci'*'then          bind to vfio-pci'* ]]
	expect_switch 1 off
	expect_switch 2 off
	devlink dev eswitch set "pci/$pf" mode legacy
	migctl 0 --json migratable --dry-run --switchdev "$A" on
	expect_json ".steps[0] == \"set the eswitch of pci/$pf to switchdev\""
	[[ $(devlink dev eswitch show "pci/$pf") == *'mode legacy'* ]]
}

@test "migratable: ports are hidden in legacy mode, and --switchdev shows them" {
	migctl 69 migratable "$A"
	[[ $stderr == *"$A: its PF $pf shows no ports of VFs in legacy mode; --switchdev "* ]]
	migctl 69 migratable "$A" on
	migctl 0 migratable --switchdev "$A" on
	[[ $stderr == *"pci/$pf: to switchdev mode: "*'no traffic of its VFs'* ]]
	[[ $(devlink dev eswitch show "pci/$pf") == *'mode switchdev'* ]]
	expect_switch 1 on
	migctl 0 migratable --switchdev "$A" on
	[[ -z $stderr ]]
}

@test "migratable: a VF that a driver has is refused, and --rebind does it in order" {
	ports
	migctl 69 migratable "$B" on
	[[ $stderr == *"$B: vfio-pci has it, and the switch is set before; --rebind "* ]]
	expect_switch 2 off
	migctl 0 migratable --rebind "$B" on
	expect_switch 2 on
	[[ $(readlink "$sysfs/$B/driver") == */vfio-pci ]]
	[[ $(<"$sysfs/$B/driver_override") == vfio-pci ]]
	# As it is wanted already: its driver is left alone.
	migctl 0 migratable "$B" on
}

@test "migratable: a VF that a process has open is left to it" {
	local group

	ports
	group=$(readlink "$sysfs/$B/iommu_group")
	exec 8<>"/dev/vfio/${group##*/}"
	migctl 69 migratable --rebind "$B" on 8>&-
	[[ $stderr == *"$B: a process has it open; vfiomigctl list $B shows which" ]]
	# Nor is it taken from a process that is the tool itself, which would wait for itself.
	migctl 69 migratable --rebind "$B" on
	[[ $stderr == *"$B: fd 8, which this process has inherited, has it"* ]]
	exec 8>&-
	expect_switch 2 off
	migctl 0 migratable --rebind "$B" on
}

@test "migratable: the driver's own words say why it refuses; the VF has its driver again" {
	ports
	echo 0 >"$parameters/deny"
	migctl 71 migratable "$A" on
	[[ $stderr == "vfiomigctl: $A: pci/$pf/1: devlink: devlink_sim: Failed setting the?migratable cap: "*"(EINVAL)" ]]
	expect_switch 1 off
	echo 1 >"$parameters/deny"
	migctl 71 migratable --rebind "$B" on
	[[ $stderr == *'migratable cap'*'; vfio-pci has it again' ]]
	[[ $(readlink "$sysfs/$B/driver") == */vfio-pci ]]
}

@test "migratable: without CAP_NET_ADMIN it is read, and setting says what is missing" {
	local tool=$BATS_TEST_TMPDIR/vfiomigctl

	ports
	install -m 755 "$VFIOMIGCTL" "$tool"
	record -0 setpriv --bounding-set -net_admin "$tool" migratable "$A"
	[[ $output == *"pci/$pf/1"* ]]
	record -77 setpriv --bounding-set -net_admin "$tool" migratable "$A" on
	[[ $stderr == *"$A: pci/$pf/1: devlink: "*'(EPERM); it takes CAP_NET_ADMIN: run it as root' ]]
	expect_switch 1 off
}

@test "migratable: a port without the switch, a function that is no VF" {
	echo Y >"$parameters/no_attribute"
	ports
	migctl 0 migratable "$A"
	[[ $output != *migratable* ]]
	migctl 69 migratable "$A" on
	[[ $stderr == *"$A: its port pci/$pf/1 has no such switch; Linux 6.2 "* ]]
	migctl 69 migratable "$pf" on
	[[ $stderr == *"$pf: not a VF: devlink has a switch for VFs only" ]]
	migctl 66 migratable 0000:ff:1f.7 on
	[[ $stderr == *'0000:ff:1f.7: no such PCI device' ]]
}

# Until one is beyond the last. The kernel may have done what it was told, and its answer be lost.
@test "migratable: each call by which the kernel is asked fails once" {
	local call error nth tried=0

	ports
	while read -r call error; do
		for nth in 1 2 3 4 5 6 7 8 9; do
			record strace -f -qq -o "$BATS_TEST_TMPDIR/calls" -e "trace=$call" \
				-e "inject=$call:error=$error:when=$nth" "$VFIOMIGCTL" migratable "$A" on
			if grep -q INJECTED "$BATS_TEST_TMPDIR/calls"; then
				((tried += 1))
				if ((status)); then
					[[ $stderr == *"($error)"* && ${#stderr_lines[@]} -le 1 ]]
				fi
			fi
			if ((status == 0)); then
				expect_switch 1 on
			fi
			((status == 69 || status == 71 || status == 77 || status == 0)) || {
				echo "$call $nth with $error: $status, $stderr"
				return 1
			}
			migctl 0 -q migratable "$A" off
			grep -q INJECTED "$BATS_TEST_TMPDIR/calls" || break
		done
	done <<-END
		socket EMFILE
		bind EADDRINUSE
		setsockopt EPERM
		sendmsg ENOBUFS
		recvmsg ENOBUFS
		recvmsg ENOMEM
	END
	((tried >= 12))
	echo "$tried calls failed"
}

# shows FILTER: one of the lines of the monitor is so.
shows()
{
	jq -e -s "any(.[]; $1)" "$BATS_TEST_TMPDIR/M.out" >/dev/null
}

@test "monitor: a VF is switched, taken from its driver and given back, and goes" {
	local filter M

	ports
	cd "$BATS_TEST_TMPDIR"
	"$VFIOMIGCTL" --json monitor "$A" "$B" >M.out 2>M.err 3>&- &
	M=$!
	eventually shows ".event == \"device\" and .device == \"$A\" and .presence == \"free\""
	eventually shows ".event == \"device\" and .device == \"$B\" and .presence == \"vfio\""
	migctl 0 migratable --rebind "$B" on
	"$vfs" remove
	for filter in unbind bind remove; do
		eventually shows ".device == \"$B\" and .subsystem == \"pci\" and .action == \"$filter\""
	done
	shows ".event == \"port\" and .device == \"$B\" and .port == \"pci/$pf/2\" and .migratable"
	eventually shows ".event == \"device\" and .device == \"$B\" and .presence == \"gone\""
	kill -INT "$M"
	finish M 0
	[[ -z $stderr ]]
	validate_reports M.out || (($? == 77))
}

# The last one: the module does not come back.
@test "migratable: a PF that is not in devlink" {
	rmmod devlink_sim
	migctl 69 migratable "$A" on
	[[ $stderr == "vfiomigctl: $A: its PF $pf (igb) is not in devlink" ]]
	migctl 0 monitor --timeout=1ms "$A"
}
