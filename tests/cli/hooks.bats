#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --action-script: when a script is run, what it is told, and what its failures do; by the order of
# its lines among those of the emulator's event log. And the scripts that are installed, against
# stand-ins that are made from the descriptions of what they speak to.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu

setup()
{
	emu_setup
	hooks=$(cd "$top_srcdir/hooks" && pwd -P)
	export HOOK_STATE=$PWD VFIOMIG_RUN=test
	servers=()
}

teardown()
{
	((${#servers[@]} == 0)) || kill "${servers[@]}" 2>/dev/null || true
	emu_teardown
}

emulate()
{
	: >events
	emu_start --state-size 300000 --event-log events "$@"
}

# hook [ACTION COMMAND]...: a script that adds a line to the event log, then does COMMAND at ACTION.
hook()
{
	{
		echo '#!/bin/bash'
		echo 'echo "hook $1 $VFIOMIG_PHASE" >>events'
		while (($#)); do
			echo "[[ \$1 != $1 ]] || { $2; }"
			shift 2
		done
		echo 'exit 0'
	} >hook
	chmod +x hook
}

# story: of the event log, hooks and the ends of arcs of the first device.
story()
{
	sed -nE 's/^[0-9]+ emu end (.*) (.*)/\2/p; s/^hook ([a-z-]*) .*/<\1>/p' events | tr '\n' ' '
}

expect_story()
{
	local told

	told=$(story)
	[[ $told == "$1 " ]] || {
		echo "told: $told"
		return 1
	}
}

@test "hooks: around the stop of a set, before the first device and after the last" {
	emulate
	hook
	migctl 0 save --action-script ./hook --report report.json $A $B image
	expect_story '<pre-stop> running-p2p stop <post-stop> stop-copy <pre-start> stop running-p2p running <post-start>'
	[[ $(grep -c . <<<"$(sed -n '/hook pre-stop/,/hook post-stop/p' events)") == 10 ]]
	[[ $(sed -n '/hook post-start/,$p' events) == 'hook post-start start' ]]
	[[ $(jq -c '[.events[] | select(.event == "action") | [.action, .actor, has("error")]]' report.json) == \
		'[["pre-stop","action-script",false],["post-stop","action-script",false],["pre-start","action-script",false],["post-start","action-script",false]]' ]]
	validate_reports report.json
	migctl 0 report report.json
}

@test "hooks: pre-copy goes on until the switchover" {
	emulate
	hook
	migctl 0 save --pre-copy --action-script ./hook $A image
	expect_story 'pre-copy <pre-stop> pre-copy-p2p stop-copy <post-stop> <pre-start> stop running-p2p running <post-start>'
}

@test "hooks: of a load, and of devices that stay stopped" {
	emulate
	hook
	migctl 0 save --leave=stop --action-script ./hook $A image
	expect_story '<pre-stop> running-p2p stop <post-stop> stop-copy stop'
	: >events
	migctl 0 resume --no-hold --action-script ./hook $A image
	# It was found stopped.
	expect_story 'resuming stop <pre-start> running-p2p running <post-start>'
	: >events
	migctl 0 resume --no-hold --action-script ./hook $A image
	expect_story '<pre-stop> running-p2p stop <post-stop> resuming stop <pre-start> running-p2p running <post-start>'
	: >events
	migctl 0 resume --stop --no-hold --action-script ./hook $A image
	expect_story '<pre-stop> running-p2p stop <post-stop> resuming stop'
	: >events
	migctl 0 save --action-script ./hook --force $A image
	expect_story 'stop-copy stop'
}

@test "hooks: what a script is told" {
	emulate
	cat >hook <<-'END'
		#!/bin/bash
		[[ $1 == "$VFIOMIG_ACTION" ]] || exit 1
		env | grep ^VFIOMIG_ | sort >"env.$1"
		printf '%s\n' "$VFIOMIG_DEVICES" >devices
		ls /proc/self/fd >fds
	END
	chmod +x hook
	VFIOMIG_OWNER_PID=1 VFIOMIG_OTHER=x migctl 0 save --action-script ./hook $A $B image
	printf '%s\n' $A $B | cmp - devices
	id=$(jq -r .image.id <<<"$("$VFIOMIGCTL" -j inspect image)")
	grep -qx "VFIOMIG_IMAGE_ID=$id" env.pre-stop
	grep -qx VFIOMIG_COMMAND=save env.pre-stop
	grep -qx VFIOMIG_FILE=image env.pre-stop
	grep -qx VFIOMIG_PHASE=quiesce env.pre-stop
	# Not of ours, nor of what started us.
	run ! grep -q 'OWNER_PID\|OTHER\|REASON\|RECOVERED' env.pre-stop
	run=$(grep ^VFIOMIG_RUN env.pre-stop)
	[[ $run != VFIOMIG_RUN=test && $run == $(grep ^VFIOMIG_RUN env.post-start) ]]
	# Three streams, and the folder that ls reads.
	[[ $(wc -l <fds) == 4 ]]
}

@test "hooks: one that fails before something keeps it from happening, and is told of the end" {
	local action

	emulate
	for action in pre-stop pre-start; do
		: >events
		hook "$action" 'echo no way >&2; exit 3' abort 'env >env'
		migctl 75 save --action-script ./hook $A image
		[[ $stderr == *": ./hook: no way"* && $stderr != *warning* ]]
		[[ $stderr == *"./hook: $action: ended with status 3"* ]]
		[[ ! -e image ]]
		[[ $(grep -c '^hook abort' events) == 1 && $(tail -n 1 events) == 'hook abort '* ]]
		run ! grep -q 'hook post-start' events
		grep -qx VFIOMIG_RECOVERED=yes env
		grep -qx "VFIOMIG_REASON=./hook: $action: ended with status 3" env
		migctl 0 state $A
		[[ $output == *running* ]]
	done
	migctl 0 save $A image
	: >events
	hook pre-start 'exit 3'
	migctl 75 -j resume --no-hold --action-script ./hook $A image
	expect_json '.outcome == "aborted"' '.state == "stop"'
	[[ $(tail -n 1 events) == 'hook abort '* ]]
}

@test "hooks: one that fails after something warns of it" {
	local action

	emulate
	for action in post-stop post-start; do
		hook "$action" 'kill -9 $$'
		migctl 0 save --force --action-script ./hook $A image
		[[ $stderr == *"warning: ./hook: $action: ended by signal 9 (Killed)"* ]]
	done
}

@test "hooks: a failure of the save is told once the devices are back" {
	emulate --fault fail=stop:stop-copy:EIO
	hook abort 'env >env'
	migctl 75 save --action-script ./hook $A image
	[[ $(story) == '<pre-stop> running-p2p stop <post-stop> '*' running <abort> ' ]]
	grep -qx VFIOMIG_RECOVERED=yes env
}

@test "hooks: one that hangs is ended with all that it has started" {
	local pid

	emulate
	hook pre-stop 'trap "" TERM; sleep 1000 & echo $! >pid; wait; wait'
	migctl 75 save --action-timeout=100ms --action-script ./hook $A image
	[[ $stderr == *"./hook: pre-stop: did not end within 100 ms (--action-timeout)"* ]]
	read -r pid <pid
	eventually has_ended "$pid"
	grep -q '^hook abort' events
}

@test "hooks: one that writes without end is ended in time, too" {
	emulate
	hook post-stop 'exec yes >&2'
	migctl 0 save --action-timeout=100ms --action-script ./hook $A image
	[[ $stderr == *"./hook: post-stop: did not end within 100 ms (--action-timeout)"* ]]
	migctl 0 state $A
	[[ $output == *running* ]]
}

@test "hooks: one that runs when the tool is killed is ended before it is told of that" {
	local pid

	emulate
	mkfifo started
	hook pre-stop 'trap "" TERM; echo $$ >started; while :; do echo at-work >>events; sleep 0.1; done'
	"$tool" save --action-script ./hook $A image 2>err &
	saving=$!
	read -r pid <started
	kill -KILL $saving
	eventually grep -q '^hook abort' events
	eventually has_ended "$pid"
	[[ $(tail -n 1 events) == 'hook abort '* ]]
}

@test "hooks: what one leaves in the background holds nothing up" {
	emulate
	hook pre-stop 'sleep 1000 & echo $! >pid'
	migctl 0 save --action-script ./hook $A image
	kill "$(<pid)"
}

@test "hooks: a signal ends one that may refuse" {
	emulate
	mkfifo started
	hook pre-stop 'echo >started; sleep 1000 & echo $! >pid; wait'
	"$tool" save --action-script ./hook $A image 2>err &
	saving=$!
	read -r <started
	kill -TERM $saving
	status=0
	wait $saving || status=$?
	expect_status 75
	grep -q '^hook abort' events
	[[ ! -e image ]]
}

@test "hooks: a script that cannot be run is told of before a device is touched" {
	emulate
	migctl 66 save --action-script ./none $A image
	[[ $stderr == *'--action-script=./none: No such file'* ]]
	: >none
	migctl 77 save --action-script /tmp $A image
	[[ $stderr == *'--action-script=/tmp: a folder, not a program'* ]]
	migctl 77 save --action-script ./none $A image
	[[ $stderr == *'chmod +x ./none'* || $EUID -eq 0 ]]
	migctl 64 save --action-timeout=1s $A image
	migctl 64 save --freeze-owner $A image
	# What only the attempt to run it shows is said once, though it is run for "abort", too.
	printf '#!/nosuch/interpreter\n' >none
	chmod +x none
	migctl 75 save --action-script ./none $A image
	[[ $(grep -c 'none: cannot be run' <<<"$stderr") == 1 ]]
	: >events
	[[ $(story) == ' ' || -z $(story) ]]
}

#
# The scripts that are installed
#

# qmp STATUS [HABIT...]: a server at the socket qmp.
qmp()
{
	local fd line

	rm -f qmp qmp.log
	exec {fd}< <(exec python3 "$top_srcdir/tests/cli/qmp-server.py" qmp "$@" 3>&-)
	servers+=($!)
	read -r line <&"$fd"
	[[ $line == ready ]]
	export HOOK_QMP=qmp
}

# A client's last words may come after it has ended.
logged()
{
	[[ $(tr '\n' ' ' <qmp.log) == "$1 " ]]
}

@test "qemu-qmp: pauses a running guest, and continues what it has paused" {
	require python3
	qmp running
	for action in pre-stop post-stop pre-start post-start; do
		record -0 "$hooks/qemu-qmp" "$action"
		[[ -z $output$stderr ]]
	done
	eventually logged "qmp_capabilities query-status stop query-status status paused qmp_capabilities query-status cont status running"
	run ! grep '^!' qmp.log
	[[ -z $(ls vfiomig-hooks) ]]
}

@test "qemu-qmp: a paused guest stays paused, whatever the end" {
	local end

	require python3
	for end in post-start abort; do
		qmp paused
		record -0 "$hooks/qemu-qmp" pre-stop
		VFIOMIG_RECOVERED=yes record -0 "$hooks/qemu-qmp" "$end"
		eventually logged "qmp_capabilities query-status status paused"
	done
}

@test "qemu-qmp: continues after an abort only with the devices as they were" {
	require python3
	qmp running
	record -0 "$hooks/qemu-qmp" pre-stop
	VFIOMIG_RECOVERED=yes record -0 "$hooks/qemu-qmp" abort
	eventually grep -qx cont qmp.log
	qmp running
	record -0 "$hooks/qemu-qmp" pre-stop
	VFIOMIG_RECOVERED=no record -0 "$hooks/qemu-qmp" abort
	[[ $stderr == *'left paused'* ]]
	run ! grep -qx cont qmp.log
	[[ -z $(ls vfiomig-hooks) ]]
}

@test "qemu-qmp: what goes wrong is one line, and what was begun can be undone" {
	local habit

	require python3
	for habit in refuse-stop ignore-stop close-stop hang-stop no-greeting refuse-qmp_capabilities; do
		qmp running "$habit"
		HOOK_TIMEOUT=0.2 record -1 "$hooks/qemu-qmp" pre-stop
		[[ $stderr == 'qmp: '* && $stderr != *$'\n'* ]]
		run ! grep '^!' qmp.log
		rm -f vfiomig-hooks/*
	done
	HOOK_QMP=nothing record -1 "$hooks/qemu-qmp" pre-stop
	[[ $stderr == 'nothing: '*'No such file'* ]]
	record -64 "$hooks/qemu-qmp" start
	record -64 "$hooks/qemu-qmp"
}

@test "qemu-qmp: in a save, the guest is paused exactly while the device may be stopped" {
	require python3
	qmp running
	emulate
	migctl 0 save --action-script "$hooks/qemu-qmp" $A image
	eventually logged "qmp_capabilities query-status stop query-status status paused qmp_capabilities query-status cont status running"
	qmp running refuse-cont
	migctl 0 save --force --action-script "$hooks/qemu-qmp" $A image
	[[ $stderr == *'qemu-qmp: qmp: cont: cont is refused'*'warning: '*'post-start: ended with status 1'* ]]
}

@test "hooks: which guest is not said: that is told once" {
	local hook

	emulate
	for hook in qemu-qmp libvirt cloud-hypervisor systemd-freeze; do
		[[ $hook != qemu-qmp ]] || require python3
		migctl 75 save --action-script "$hooks/$hook" $A image
		[[ $(grep -c 'is run by vfiomigctl --action-script' <<<"$stderr") == 1 ]]
		[[ $stderr != *warning* && $stderr != *abort* ]]
		record -1 env -u VFIOMIG_RUN "$hooks/$hook" post-start
		[[ $stderr == *'is run by vfiomigctl --action-script'* ]]
		: >"vfiomig-hooks/$hook.$VFIOMIG_RUN"
		VFIOMIG_RECOVERED=yes record -1 "$hooks/$hook" abort
		[[ $stderr == *'is run by vfiomigctl --action-script'* ]]
	done
}

@test "hooks: words of a script that does well are no warning" {
	emulate
	hook pre-stop 'echo drained >&2'
	migctl 0 save --action-script ./hook $A image
	[[ $stderr == *'vfiomigctl: ./hook: drained'* && $stderr != *warning* ]]
	migctl 0 -q save --force --action-script ./hook $A image
	[[ -z $stderr ]]
}

# stand_in NAME: a program in front of the others, which keeps its state in a file and writes down its
# command lines.
stand_in()
{
	mkdir -p bin
	{
		echo '#!/bin/bash'
		echo 'printf "%s\n" "$*" >>calls'
		cat
	} >"bin/$1"
	chmod +x "bin/$1"
	PATH=$PWD/bin:$PATH
	echo "$2" >state
	: >calls
}

calls()
{
	[[ $(<calls) == "$1" ]] || {
		cat calls
		return 1
	}
}

# Each end of a hook, from a guest that runs and from one that does not.
check_hook()
{
	local hook=$1 runs=$2 paused=$3

	record -0 "$hooks/$hook" pre-stop
	[[ $(<state) == "$paused" ]]
	record -0 "$hooks/$hook" post-stop
	record -0 "$hooks/$hook" pre-start
	[[ $(<state) == "$paused" ]]
	record -0 "$hooks/$hook" post-start
	[[ $(<state) == "$runs" ]]

	record -0 "$hooks/$hook" pre-stop
	VFIOMIG_RECOVERED=yes record -0 "$hooks/$hook" abort
	[[ $(<state) == "$runs" ]]

	record -0 "$hooks/$hook" pre-stop
	VFIOMIG_RECOVERED=no record -0 "$hooks/$hook" abort
	[[ $(<state) == "$paused" && $stderr == *'left paused'* ]]

	# What others have paused.
	record -0 "$hooks/$hook" pre-stop
	record -0 "$hooks/$hook" post-start
	VFIOMIG_RECOVERED=yes record -0 "$hooks/$hook" abort
	[[ $(<state) == "$paused" ]]
	[[ -z $(ls vfiomig-hooks) ]]

	record -64 "$hooks/$hook" start
	echo "$runs" >state
	touch deaf
	record -1 "$hooks/$hook" pre-stop
	[[ $stderr == *"$hook: cannot be paused"* ]]
	rm deaf
}

@test "libvirt: suspends and resumes a domain" {
	stand_in virsh running <<-'END'
		[[ $1 != -c ]] || shift 2
		[[ $1 == --quiet ]] && shift
		[[ $2 == guest ]] || { echo "error: failed to get domain '$2'" >&2; exit 1; }
		case $1:$(<state) in
		domstate:*) cat state; echo ;;
		suspend:running) [[ -e deaf ]] || echo paused >state ;;
		resume:paused) echo running >state ;;
		*) echo 'error: Requested operation is not valid' >&2; exit 1 ;;
		esac
	END
	export HOOK_DOMAIN=guest
	check_hook libvirt running paused
	HOOK_LIBVIRT_URI=qemu:///system record -0 "$hooks/libvirt" post-start
	: >calls
	echo running >state
	HOOK_LIBVIRT_URI=qemu:///system record -0 "$hooks/libvirt" pre-stop
	calls $'-c qemu:///system --quiet domstate guest\n-c qemu:///system --quiet suspend guest\n-c qemu:///system --quiet domstate guest'
	HOOK_DOMAIN=other record -1 "$hooks/libvirt" pre-stop
	HOOK_DOMAIN='' record -1 "$hooks/libvirt" pre-stop
	[[ $stderr == *'with HOOK_DOMAIN set'* ]]
}

@test "cloud-hypervisor: pauses and resumes a guest" {
	stand_in ch-remote Running <<-'END'
		[[ $1 == --api-socket && $2 == /run/ch.sock ]] || exit 1
		case $3:$(<state) in
		info:*) printf '{\n  "config": {"cpus": {"boot_vcpus": 1}},\n  "state": "%s",\n  "memory_actual_size": 536870912\n}\n' "$(<state)" ;;
		pause:Running) [[ -e deaf ]] || echo Paused >state ;;
		resume:Paused) echo Running >state ;;
		*) echo 'Error running command: Server responded with an error' >&2; exit 1 ;;
		esac
	END
	export HOOK_CH_SOCKET=/run/ch.sock
	check_hook cloud-hypervisor Running Paused
}

@test "systemd-freeze: what comes after the hook was ended is taken back" {
	local hook

	# Frozen from the third look on after it was asked for; thawed before that, it is not heeded.
	stand_in systemctl running <<-'END'
		case $1:$(<state) in
		show:asked*) read -r _ n <state; ((n < 2)) && { echo "asked $((n + 1))" >state; echo running; } ||
			{ echo frozen >state; echo frozen; } ;;
		show:*) cat state ;;
		freeze:*) echo asked 0 >state; echo >started; exec sleep 1000 ;;
		thaw:frozen) echo running >state ;;
		esac
	END
	export HOOK_UNIT=guest.service
	mkfifo started
	setsid "$hooks/systemd-freeze" pre-stop &
	hook=$!
	read -r <started
	kill -KILL -- -$hook
	wait $hook || true
	VFIOMIG_RECOVERED=yes record -0 "$hooks/systemd-freeze" abort
	[[ $(<state) == running && -z $(ls vfiomig-hooks) ]]
	run ! grep -q asked state
	[[ $(tail -n 1 calls) == thaw* ]]
}

@test "systemd-freeze: freezes and thaws a unit" {
	stand_in systemctl running <<-'END'
		case $1:$(<state) in
		show:*)
			[[ $* == 'show --property=FreezerState --value -- guest.service' ]] || exit 1
			cat state
			;;
		freeze:running) [[ -e deaf ]] || echo frozen >state ;;
		thaw:frozen) echo running >state ;;
		*) exit 1 ;;
		esac
	END
	export HOOK_UNIT=guest.service
	check_hook systemd-freeze running frozen
}
