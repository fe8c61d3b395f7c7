#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A real VMM: QEMU with an mtty by iommufd, whose device is saved and loaded under it. What QEMU
# itself says by QMP, and what debugfs says of the device, is what counts. Its guest is a processor
# that halts: what it would run takes time here, and matters to none of this.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash

setup()
{
	lab_setup mtty-2
	require python3 qemu
	hooks=$(cd "$top_srcdir/hooks" && pwd -P)
	export HOOK_QMP=$PWD/hook.qmp HOOK_STATE=$PWD HOOK_TIMEOUT=60
	vmm_start "$A"
}

teardown()
{
	[[ -z ${vmm-} ]] || kill -KILL "$vmm" 2>/dev/null || true
	wait
	eventually guardian_is_gone
	lab_teardown
}

# vmm_start UUID: $vmm is QEMU, with the device; one monitor is the hook's, one the test's.
vmm_start()
{
	# In the last 16 bytes is the first instruction: cli, hlt, and back to it.
	{
		head -c 65520 /dev/zero
		printf '\xfa\xf4\xeb\xfd'
		head -c 12 /dev/zero
	} >bios
	"$qemu" -accel tcg -M q35 -m 64M -nodefaults -no-user-config -display none -bios bios \
		-object iommufd,id=i0 -device \
		"vfio-pci,sysfsdev=/sys/bus/mdev/devices/$1,iommufd=i0,enable-migration=on" \
		-qmp unix:hook.qmp,server=on,wait=off -qmp unix:test.qmp,server=on,wait=off \
		>vmm.log 2>&1 3>&- &
	vmm=$!
	eventually is_in "$1" running
	eventually monitor query-status
}

# monitor COMMAND [ARGUMENTS]: what QEMU returns, in $output.
monitor()
{
	record python3 - "$@" <<-'END'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect("test.qmp")
		lines = s.makefile("rw")
		def read():
		    while "event" in (m := json.loads(lines.readline())):
		        pass
		    return m
		read()
		for command in ({"execute": "qmp_capabilities"},
		                {"execute": sys.argv[1], "arguments": json.loads((sys.argv + ["{}"])[2])}):
		    lines.write(json.dumps(command) + "\n")
		    lines.flush()
		    reply = read()
		print(json.dumps(reply.get("return")))
		sys.exit("error" in reply and reply["error"]["desc"])
	END
	((status == 0)) || {
		echo "$* $output $stderr"
		return 1
	}
}

guest_is()
{
	monitor query-status
	[[ $output == *"\"status\": \"$1\""* ]]
}

# stream_of DEV FILE: what the device holds.
stream_of()
{
	migctl 0 -q save --force --raw "$1" "$2"
}

has_migrated()
{
	monitor query-migrate
	[[ $output != *'"status": "failed"'* ]] || return 1
	[[ $output == *'"status": "completed"'* ]]
}

# The VMM goes on as if nothing had been.
all_well()
{
	eventually guest_is running
	eventually is_in "$A" running
}

@test "vmm: QEMU is paused by its monitor, its device saved, and it goes on" {
	migctl 0 -v save --action-script "$hooks/qemu-qmp" "pid:$vmm" image
	[[ $stderr == *"its owner has stopped it"* ]]
	all_well
	migctl 0 verify image

	# And it still can do by itself what it could before.
	monitor migrate '{"uri": "exec:cat >vm.migration"}'
	eventually has_migrated
	[[ -s vm.migration ]]
	guest_is postmigrate
}

@test "vmm: QEMU is frozen, without being asked" {
	migctl 0 save --freeze-owner "pid:$vmm" image
	all_well
}

@test "vmm: a guest that is paused already stays paused, and its device stopped" {
	monitor stop
	eventually is_in "$A" stop
	migctl 0 save --action-script "$hooks/qemu-qmp" "pid:$vmm" image
	guest_is paused
	is_in "$A" stop
	monitor cont
	all_well
}

@test "vmm: a state is loaded into QEMU's device, and the guest goes on with it" {
	"$tools/uart" "$B" fill 7
	migctl 0 save "$B" image
	stream_of "$B" wanted
	migctl 0 resume --action-script "$hooks/qemu-qmp" "pid:$vmm" image
	all_well
	stream_of "pid:$vmm" loaded
	cmp wanted loaded
}

@test "vmm: the tool is killed while the guest is paused" {
	local action

	for action in pre-stop post-stop pre-start post-start; do
		cat >hook <<-END
			#!/bin/bash
			[[ \$1 != $action ]] || trap 'kill -KILL \$PPID' EXIT
			"$hooks/qemu-qmp" "\$1"
		END
		chmod +x hook
		record -137 "$VFIOMIGCTL" save --action-script ./hook "pid:$vmm" image
		eventually guardian_is_gone
		all_well
		[[ ! -e image && -z $(ls vfiomig-hooks) ]] || {
			ls -l image vfiomig-hooks
			return 1
		}
	done
}

@test "vmm: a guest that does not let itself be paused keeps its device" {
	HOOK_QMP=$PWD/none migctl 75 save --action-script "$hooks/qemu-qmp" "pid:$vmm" image
	all_well
	[[ ! -e image ]]
	# Its session is its own affair, and pausing the guest ends it.
	migctl 75 save --pre-copy --action-script "$hooks/qemu-qmp" "pid:$vmm" image
	[[ $stderr == *'leave out --pre-copy'* ]]
	all_well
}
