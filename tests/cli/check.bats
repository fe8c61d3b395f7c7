#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# check, on devices of vfiomig-emu and on a server that was written from the specification alone:
# what is right holds, what is wrong is found by its rule, and each form of report is one to others.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu

here=$BATS_TEST_DIRNAME

setup()
{
	emu_setup
	server=''
}

teardown()
{
	[[ -z $server ]] || kill -TERM "$server" 2>/dev/null || true
	emu_teardown
}

# verdict_of ID VERDICT: so it is in the JSON of $output.
verdict_of()
{
	expect_json ".results[] | select(.id == \"$1\") | .verdict == \"$2\""
}

# The rules that have not held, in a line.
failed()
{
	jq -r '[.results[] | select(.verdict == "fail" or .verdict == "broken") | .id] | sort | join(" ")' \
		<<<"$output"
}

@test "check: a device as it should be fails no rule, and runs on" {
	emu_start
	migctl 0 --json check --destructive --pair "$B" "$A"
	[[ -z $(failed) && -z $stderr ]]
	expect_json '.summary.fail == 0 and .summary.broken == 0 and .summary.warn == 0' \
		'(.results | length) == .summary.selected' '.device.address == "vfio-user:emu"'
	expect_state "$A" running
	migctl 0 check --rules fsm "$A"
	grep -qx 'pass    fsm.running-to-stop' <<<"$output"
	grep -q '^skip    fsm.stop-to-resuming: .*--destructive$' <<<"$output"
	[[ ${output##*$'\n'} =~ ^[0-9]+\ rules,\ .*\ pass ]]
}

@test "check: devices without the optional states are checked for that" {
	emu_start --caps stop-copy
	migctl 0 --json check --destructive "$A"
	[[ -z $(failed) ]]
	verdict_of fsm.p2p-not-announced pass
	verdict_of fsm.pre-copy-not-announced pass
	verdict_of fsm.running-to-pre-copy skip
	verdict_of fsm.running-to-stop pass
}

@test "check: a server from the specification alone holds" {
	require python3
	python3 "$here/misfit-server.py" it fair >said 3>&- &
	server=$!
	eventually grep -q ready said
	migctl 0 --json check --destructive --rules feature,fsm vfio-user:it
	[[ -z $(failed) ]]
	verdict_of fsm.resuming-to-running pass
}

@test "check: what is wrong is found by its rule, with its evidence" {
	emu_start --fault fail=stop:stop-copy:EPERM
	migctl 1 --json check --rules 'fsm.*-to-stop*,fsm.rounds' "$A"
	verdict_of fsm.running-to-stop-copy fail
	verdict_of fsm.stop-to-stop-copy fail
	verdict_of fsm.running-to-stop pass
	verdict_of fsm.rounds pass
	expect_json '.results[] | select(.id == "fsm.stop-to-stop-copy") |
		.reason == "stop -> stop-copy failed: EPERM" and
		(.evidence | index("SET stop-copy: EPERM") != null)'
	[[ $stderr == *"vfio-user:emu: "*" rules do not hold" ]]
	expect_state "$A" running
}

@test "check: evidence stands below what failed" {
	emu_start --fault fail=stop:running-p2p:EPERM*1
	migctl 1 check --rules fsm.stop-to-running-p2p "$A"
	[[ $output == "fail    fsm.stop-to-running-p2p: stop -> running-p2p failed: EPERM"$'\n'* ]]
	grep -q '^        | SET running-p2p: EPERM$' <<<"$output"
	grep -q '^1 rule, 1 fail$' <<<"$output"
}

@test "check: a device that cannot be brought home ends the run" {
	emu_start --fault error=stop
	migctl 81 --json check --rules fsm.running-to-stop,fsm.rounds "$A"
	expect_json '(.results | length) == 1' '.summary.selected == 2' '.outcome == "device-error"' \
		'.error.hint == "vfiomigctl reset vfio-user:emu"'
	migctl 81 check --tap --rules fsm.rounds "$A"
	grep -q '^Bail out! vfio-user:emu: it is in error' <<<"$output"
	migctl 1 check --destructive --rules fsm.running-to-stop,fsm.rounds "$A"
}

@test "check: a rule over its time is broken, and the device comes home" {
	emu_start --fault 'stall=stop:stop-copy*1'
	migctl 1 --json check --rule-timeout 200ms --rules fsm.running-to-stop-copy,fsm.rounds "$A"
	verdict_of fsm.running-to-stop-copy broken
	verdict_of fsm.rounds pass
	expect_json '.results[0].reason | startswith("it did not come on for 0.2 s")'
}

@test "check: of a server, a read that gives less than was asked for is the last one" {
	emu_start
	migctl 0 --json check --rules stream.short-read-ends "$A"
	verdict_of stream.short-read-ends pass
	emu_stop
	emu_start --fault short-read
	migctl 1 --json check --rules stream "$A"
	[[ $(failed) == stream.short-read-ends ]]
	expect_json '.results[] | select(.verdict == "fail") | .reason | test(" after a read gave [0-9]+ of 1048576$")'
}

@test "check: what --watch names is there, and moves where it is to" {
	emu_start
	migctl 64 check --rules stop --watch 99:0:8 "$A"
	expect_message '--watch=99:0:8: vfio-user:emu has no such bytes to read'
	migctl 0 --json check --rules stop.pre-copy-runs-on --watch 0:0:8 "$A"
	verdict_of stop.pre-copy-runs-on skip
	migctl 0 --json check --rules stop.pre-copy-runs-on --watch 0:8:8 "$A"
	verdict_of stop.pre-copy-runs-on pass
}

@test "check: a server that is silent is named with its command, once" {
	emu_start --fault 'stall=stop:stop-copy*1'
	migctl 1 --json check --timeout 200ms --rules fsm.running-to-stop-copy "$A"
	expect_json '.results[0].reason == "DEVICE_FEATURE: the server was silent for 0.2 s"'
}

@test "check: a server that dies under a rule could not be brought back" {
	emu_start --fault die-at=1
	migctl 81 --json check --rules stream.ends "$A"
	verdict_of stream.ends broken
	expect_json '.outcome == "device-error"' '.error.note == "after stream.ends"' \
		'.error.hint == "its server is gone: start it"'
	emu_died
}

@test "check: a signal ends the run, and the device runs" {
	emu_start --event-log log --fault "stall=stop:stop-copy*1"
	start it check --rule-timeout 1h --rules fsm.running-to-stop-copy "$A"
	eventually grep -q "begin stop stop-copy" log
	kill -INT "$it"
	finish it 75
	expect_state "$A" running
}

# A run of two rules, of which the second does not end, in the background: $it.
start_endless()
{
	rm -f log # of the emulator before
	emu_start --event-log log --fault "stall=stop:stop-copy*1"
	start it check "$@" --rule-timeout 1h --rules fsm.running-to-stop,fsm.running-to-stop-copy "$A"
	eventually grep -q "begin stop stop-copy" log
}

@test "check: each rule is shown when it has ended, and TAP that is cut off is whole" {
	start_endless
	[[ $(<it.out) == 'pass    fsm.running-to-stop' ]]
	kill -INT "$it"
	finish it 75
	[[ $(<it.out) == *$'\n2 rules, 1 pass, 1 not tried' ]]
	emu_stop
	start_endless --tap
	[[ $(<it.out) == $'TAP version 14\n1..2\nok 1 - fsm.running-to-stop: '* ]]
	kill -INT "$it"
	finish it 75
	[[ $(wc -l <it.out) == 4 && $(tail -n 1 it.out) == 'Bail out! interrupted' ]]
	emu_stop
	start_endless --junit
	[[ ! -s it.out ]]
	kill -INT "$it"
	finish it 75
	grep -q '<error message="interrupted" type="ended">' it.out
}

@test "check: a reader that does not read holds up no rule, and gets all in the end" {
	cat >slow.py <<-'END'
		import fcntl, os, subprocess, sys, time

		def events():
		    with open("log") as log:
		        return sum(" begin " in line for line in log)

		command = sys.argv[1:]
		whole = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
		each = events()
		read, write = os.pipe()
		fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
		it = subprocess.Popen(command, stdout=write)
		os.close(write)
		while events() < 2 * each:
		    time.sleep(0.01)
		with open(read, "rb") as reader:
		    assert reader.read() == whole
		assert len(whole) > 4096 and it.wait() == 0
	END
	emu_start --event-log log
	record -0 python3 slow.py "$tool" check --tap --rules fsm --skip fsm.arc-times "$A"
}

@test "check: a trace tells which rule begins" {
	emu_start
	migctl 0 --trace t check --rules fsm.running-to-stop,fsm.rounds "$A"
	[[ $(grep -o ' rule fsm.*' t | head -n 1) == ' rule fsm.running-to-stop = 0 '* ]]
	migctl 0 --trace t.json check --rules fsm.rounds "$A"
	jq -es '[.[] | select(.call == "rule").name] == ["fsm.rounds"]' t.json
}

@test "check: TAP is what a harness and a YAML parser read" {
	require prove yaml
	emu_start --fault 'fail=stop:stop-copy:EPERM*3'
	migctl 1 check --tap --rules feature,fsm "$A"
	printf '%s\n' "$output" >report.tap
	[[ $(head -n 1 report.tap) == 'TAP version 14' ]]
	# Debian 12's harness knows 13; nothing here is newer.
	sed -i '1s/14/13/' report.tap
	record -1 prove --exec cat report.tap
	[[ $output == *'Failed: '[1-9]*')'* && $output$stderr != *'Parse errors'* ]]
	python3 "$here/tap-yaml.py" <report.tap
	migctl 0 check --tap --rules feature "$A"
	sed '1s/14/13/' <<<"$output" >report.tap
	prove -e cat /dev/stdin <report.tap
}

@test "check: JUnit is valid, its figures are those of its cases" {
	require xmllint
	emu_start --fault 'fail=stop:stop-copy:EPERM*3'
	migctl 1 check --junit --rules feature,fsm "$A"
	printf '%s\n' "$output" >report.xml
	xmllint --noout --relaxng "$here/junit.rng" report.xml
	[[ $(xmllint --xpath 'count(//failure) = //testsuite/@failures' report.xml) == true ]]
	[[ $(xmllint --xpath 'count(//skipped) = //testsuite/@skipped' report.xml) == true ]]
	[[ $(xmllint --xpath 'count(//testcase) = //testsuite/@tests' report.xml) == true ]]
	[[ $(xmllint --xpath 'count(//failure) > 0' report.xml) == true ]]
	emu_stop
	rm -f emu emu.1
	emu_start --fault error=stop
	migctl 81 check --junit --rules fsm.running-to-stop,fsm.rounds "$A"
	printf '%s\n' "$output" >report.xml
	xmllint --noout --relaxng "$here/junit.rng" report.xml
	[[ $(xmllint --xpath 'count(//error) = 1 and //testsuite/@errors = 1' report.xml) == true ]]
}

@test "check: --list has every rule, and no device is looked for" {
	migctl 0 check --list
	grep -q '^fsm.stop-copy-to-pre-copy  *MUST  *harmless$' <<<"$output"
	migctl 0 --json check --list
	expect_json '(.rules | length) > 70' '[.rules[].id] | length == (unique | length)'
	migctl 0 --json check --list --rules 'stop,fsm.stop-again' --skip stop.is-frozen
	expect_json '[.rules[].id] | sort == ["fsm.stop-again", "stop.pre-copy-runs-on",
		"stop.session-changes-nothing", "stop.stop-copy-is-frozen"]'
}

@test "check: the manual page has the rules that there are" {
	require python3
	local top=${top_srcdir:-$here/../..}

	[[ $top == /* ]] || top=$here/../..
	"$top/man/check-rules" "$tool" >page
	diff -u "$top/man/vfiomigctl-check.8.scd" page
}

@test "check: a mistake is told in one line" {
	migctl 64 check
	[[ $stderr == *": no DEV (see vfiomigctl check --help)" ]]
	migctl 64 check --rules nosuch "$A"
	[[ $stderr == "vfiomigctl: --rules: 'nosuch' is no rule, group or pattern of rules; "* ]]
	migctl 64 check --tap --junit "$A"
	migctl 64 --json check --tap "$A"
	migctl 64 check --list --tap
	migctl 64 check --watch 1:2 "$A"
	[[ $stderr == *"--watch: '1:2' is not REGION:OFFSET:LEN, with LEN from 1 to 4096"* ]]
	migctl 64 check --watch 1:2:5000 "$A"
	migctl 64 check --rule-timeout 1ms "$A"
	migctl 66 check vfio-user:nosuch
	emu_start
	ln -s emu alias
	migctl 64 check --pair vfio-user:alias "$A"
	[[ $stderr == 'vfiomigctl: --pair: vfio-user:emu and vfio-user:alias are one device' ]]
}

@test "check: --dry-run asks nothing of the device" {
	emu_start --event-log log
	migctl 0 --json check --dry-run "$A"
	expect_json '.dry_run and .opening_resets == false' '.results == null'
	[[ ! -s log || $(<log) != *connect* ]]
}
