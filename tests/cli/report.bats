#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `report`: where a run's time went, of files with events: of files made here, and of --report.

# shellcheck disable=SC2154 # variables are emu.bash's
load ../emu

setup()
{
	emu_setup
}

teardown()
{
	emu_teardown
}

# run_of N: the events of a save of N devices: pre-copy in two rounds, then stopped one after the
# other, the last one latest. Times are milliseconds here.
run_of()
{
	jq -cn --argjson n "$1" '
		def e($kind; $at): {event: $kind, at_ns: ($at * 1000000)};
		def arc($d; $from; $to; $start; $took):
			e("arc"; $start + $took) + {device: $d, from: $from, to: $to,
				start_ns: ($start * 1000000), arc_ns: ($took * 1000000)};
		def phase($name; $at): e("phase"; $at) + {phase: $name};
		def barrier($name; $at): e("barrier"; $at) + {phase: $name};
		def decision($verdict; $round; $at; $dirty):
			e("decision"; $at) + {verdict: $verdict, round: $round, told: true,
				reinit: false, quiescent: false, initial_bytes: 0, dirty_bytes: $dirty,
				stop_copy_bytes: 1048576, moved_bytes: 1000, moved_ns: 1000,
				moved_told_bytes: 1000, left_bytes: ($dirty + 1048576),
				suspected_bytes: 0,
				arcs_ns: 20000000, finish_ns: 5000000, bytes_per_second: 104857600,
				dirty_bytes_per_second: 1048576, downtime_estimate_ns: 45000000,
				pause_ns: 0};
		[range($n)] as $all |
		[
			($all[] | e("opened"; 0) + {device: ., state: "running"}),
			phase("pre-copy"; 1),
			($all[] | arc(.; "running"; "pre-copy"; 1; 2)),
			barrier("pre-copy"; 4),
			($all[] | e("progress"; 300) + {device: ., bytes: 33554432}),
			($all[] | e("round"; 300) + {device: ., round: 1, bytes: 33554432,
				round_ns: 296000000, initial_bytes: 0, dirty_bytes: 1048576,
				reinit: false}),
			decision("not-yet"; 1; 300; 1048576 * $n),
			($all[] | e("progress"; 310) + {device: ., bytes: 34603008}),
			decision("converged"; 2; 310; 65536 * $n),
			phase("quiesce"; 311),
			($all[] | arc(.; "pre-copy"; "pre-copy-p2p"; 311; 5)),
			barrier("quiesce"; 316),
			phase("stop"; 316),
			($all[] | arc(.; "pre-copy-p2p"; "stop-copy"; 316; 4 + .)),
			barrier("stop"; 320 + $n),
			phase("stop-copy"; 320 + $n),
			($all[] | e("progress"; 350) + {device: ., bytes: 35651584,
				expected_bytes: 35651584, total_exact: false}),
			($all[] | e("stream"; 360) + {device: ., bytes: 35651584,
				stream_ns: 50000000}),
			($all[] | e("arrived"; 360) + {device: ., phase: "stop-copy"}),
			barrier("stop-copy"; 362),
			e("finish"; 362), e("finished"; 370),
			phase("start-p2p"; 370),
			($all[] | arc(.; "stop-copy"; "running-p2p"; 370; 10)),
			phase("start"; 380),
			($all[] | arc(.; "running-p2p"; "running"; 380; 1)),
			barrier("start"; 381)
		] as $events |
		{schema: 1, command: "save", version: "1.0",
			devices: [$all[] | {address: "0000:3b:00.\(.)"}],
			events: ($events | sort_by(.at_ns)), lost_events: 0,
			result: {schema: 1, command: "save", status: 0, outcome: "completed",
				owner: "source"}}'
}

# changed FILTER: a run of two devices with a change.
changed()
{
	run_of 2 | jq -c "$1" >changed.json
}

# no_report WORDS: changed.json is refused so.
no_report()
{
	migctl 65 report changed.json
	[[ $stderr == "vfiomigctl: changed.json: no report: $1" && -z $output ]]
}

@test "report: where the time went" {
	run_of 3 >run.json
	migctl 0 report run.json
	[[ $output == "file        run.json
of          save
outcome     completed
time        381 ms
rounds      2
downtime    70.0 ms
expected    45.0 ms
skew        2.00 ms
switchover  the downtime fits: after round 2, 1.19 MiB are left (1.00 MiB of stop-copy), at "* ]]
	[[ $output == *"
DEVICE        BYTES     DOWNTIME  ARCS     WAITING  STREAM   SYNC
0000:3b:00.0  34.0 MiB  70.0 ms   20.0 ms  2.00 ms  40.0 ms  8.00 ms
0000:3b:00.1  34.0 MiB  70.0 ms   21.0 ms  2.00 ms  39.0 ms  8.00 ms
0000:3b:00.2  34.0 MiB  70.0 ms   22.0 ms  2.00 ms  38.0 ms  8.00 ms
"* ]]
	[[ $output == *"
pre-copy-p2p  stop-copy     3      4.00 ms   6.00 ms  0000:3b:00.2
"* ]]
}

@test "report: the same as JSON, from standard input" {
	run_of 1 >run.json
	migctl 0 --json report - <run.json
	expect_json '.recorded == {"command": "save", "version": "1.0", "outcome": "completed"}' \
		'.downtime_ns == 70000000' '.downtime_estimate_ns == 45000000' '.rounds == 2' \
		'.switchover.verdict == "converged"' '.switchover.dirty_bytes == 65536' \
		'has("skew_ns") | not' '(.devices[0].downtime | add) == 70000000' \
		'.devices[0].state == "running"' '.devices[0].down == false' \
		'[.devices[0].arcs[].to] == ["pre-copy", "pre-copy-p2p", "stop-copy", "running-p2p", "running"]'
}

# acted: changed.json, with a script and the freezer around the stop of run_of 1.
acted()
{
	changed 'def act($action; $actor; $start; $took):
			{event: "action", at_ns: (($start + $took) * 1000000), action: $action, actor: $actor,
				start_ns: ($start * 1000000), action_ns: ($took * 1000000)};
		.events |= (. + [
			act("pre-stop"; "action-script"; 304; 3), act("pre-stop"; "freeze-owner"; 307; 2),
			act("post-stop"; "freeze-owner"; 321; 0), act("post-stop"; "action-script"; 321; 4),
			act("pre-start"; "action-script"; 360; 5), act("pre-start"; "freeze-owner"; 365; 0),
			act("post-start"; "freeze-owner"; 381; 1),
			(act("post-start"; "action-script"; 382; 2) | .error = "EIO")] | sort_by(.at_ns))'
}

@test "report: what was done to the devices' users, and when" {
	acted
	migctl 0 report --svg acted.svg changed.json
	[[ $output == *"
ACTION      BY             AT      TOOK     ERROR
pre-stop    action-script  304 ms  3.00 ms  -
pre-stop    freeze-owner   307 ms  2.00 ms  -
post-stop   action-script  321 ms  4.00 ms  -
pre-start   action-script  360 ms  5.00 ms  -
post-start  freeze-owner   381 ms  1.00 ms  -
post-start  action-script  382 ms  2.00 ms  EIO"* ]]
	well_formed acted.svg
	grep -q '<title>owners are stopped: 73.0 ms</title>' acted.svg
	grep -q '<title>pre-start, action-script: 5.00 ms</title>' acted.svg
	grep -q '<title>post-start, action-script: 2.00 ms, EIO</title>' acted.svg
	migctl 0 --json report changed.json
	expect_json '.actions | length == 6' \
		'.actions[0] == {"action": "pre-stop", "actor": "action-script", "at_ns": 304000000,
			"ns": 3000000}' '.actions[-1].error == "EIO"'
	run_of 1 >run.json
	migctl 0 --json report run.json
	expect_json 'has("actions") | not'
}

@test "report: failures and recoveries" {
	changed '.events |= (map(select(.at_ns < 320e6)) + [
		{event: "failure", at_ns: 330e6, device: 1, message: "0000:3b:00.1: reading", errno: "EIO"},
		{event: "failure", at_ns: 331e6, message: "interrupted", errno: null},
		{event: "recovery", at_ns: 340e6, device: 0, found: "stop-copy", end: "running", reset: false, ok: true},
		{event: "recovery", at_ns: 350e6, device: 1, found: "error", end: null, reset: true, ok: false}]
		| map(.at_ns |= floor)) |
		.result = {outcome: "device-error", error: {message: "it broke"}} | .lost_events = 7'
	migctl 0 report changed.json
	[[ $output == *$'\noutcome      device-error\nfailure      it broke\n'* ]]
	[[ $output == *$'\nevents lost  7\n'* ]]
	[[ $output == *"
DEVICE        FAILURE
0000:3b:00.1  0000:3b:00.1: reading
-             interrupted

DEVICE        FOUND      BROUGHT TO  RESET  AS WANTED
0000:3b:00.0  stop-copy  running     no     yes
0000:3b:00.1  error      -           yes    no" ]]
	migctl 0 --json report changed.json
	expect_json '.devices[0].down == false' '.devices[1].down' '.devices[1].downtime_ns == 39000000' \
		'.failures[0].address == "0000:3b:00.1"' '.failures[1] == {"message": "interrupted"}'
}

# keep_reports FILE...: they are checked against their schemas when this file ends, as others are.
keep_reports()
{
	cat "$@" >>"$BATS_FILE_TMPDIR/reports.$BATS_TEST_NUMBER"
}

@test "report: of a save and a resume, what they said themselves" {
	require python3
	emu_start --devices 6 --state-size 4M --dirty-rate 1M
	migctl 0 --json save --pre-copy --report save.json "$A" "$B" vfio-user:emu.2 image
	keep_reports save.json
	jq '.devices | map({address: .device.address, downtime_ns, bytes})' <<<"$output" >said
	jq -S '.result | del(.event)' save.json >recorded
	jq -S . <<<"$output" | diff - recorded
	migctl 0 --json report save.json
	expect_json '.recorded.command == "save"' '.recorded.outcome == "completed"' '.rounds >= 2' \
		'.switchover.verdict == "converged"' 'has("skew_ns")' 'has("failures") | not' \
		'all(.devices[]; (.downtime | add) == .downtime_ns and .down == false)' \
		'[.devices[0].arcs[].to] == ["pre-copy", "pre-copy-p2p", "stop-copy", "stop", "running-p2p", "running"]'
	jq '.devices | map({address, downtime_ns, bytes})' <<<"$output" | diff said -
	migctl 0 report --svg save.svg save.json
	well_formed save.svg

	migctl 0 --json resume --no-hold --report resume.json vfio-user:emu.3 vfio-user:emu.4 vfio-user:emu.5 image
	keep_reports resume.json
	jq '.devices | map({address: .device.address, downtime_ns})' <<<"$output" >said
	migctl 0 --json report resume.json
	expect_json '.recorded.command == "resume"' 'has("rounds") | not' \
		'all(.devices[]; .bytes >= 4194304 and .downtime.stream_ns > 0)'
	jq '.devices | map({address, downtime_ns})' <<<"$output" | diff said -
	migctl 0 report --svg resume.svg resume.json
	well_formed resume.svg
}

@test "report: of a save that fails, each failure and each way back" {
	require python3
	emu_start --devices 3 --state-size 4M --fault 1@error=2M --fault 2@drain=running-p2p:stop:20ms
	migctl 81 save --report r.json "$A" "$B" vfio-user:emu.2 image
	[[ ! -e image ]]
	keep_reports r.json
	migctl 0 --json report r.json
	expect_json '.recorded.outcome == "device-error"' '(.recorded.message | length) > 0' \
		'.failures[0].address == "vfio-user:emu.1"' '.devices[1].recovery.found == "error"' \
		'.devices[1].recovery.reset' '.devices[0].recovery.ok' \
		'[.devices[].state] == ["running", "running", "running"]' \
		'.devices[2].downtime.retrying_ns > 0' '[.devices[2].arcs[].error] | index("EBUSY")'
	migctl 0 report --svg r.svg r.json
	well_formed r.svg
	grep -q 'class="failure"><title>' r.svg
}

@test "report: a file that is there keeps a save from touching a device" {
	emu_start --devices 1 --event-log events
	echo mine >r.json
	migctl 73 save --report r.json "$A" image
	[[ $stderr == *"r.json: cannot create: File exists"* && $(<r.json) == mine && ! -e image ]]
	migctl 73 save --report no/such/folder "$A" image
	[[ ! -e image && ! -s events ]]
}

@test "report: the files of this test are what the schema says" {
	require jsonschema
	run_of 2 >run.json
	validate_reports run.json
	run -1 validate_reports <(jq -c '.events[0].more = 1' run.json)
}

# well_formed FILE: it is XML, and nothing in it comes from elsewhere.
well_formed()
{
	python3 - "$1" <<-'END'
		import sys
		import xml.etree.ElementTree as tree
		root = tree.parse(sys.argv[1]).getroot()
		assert root.tag == "{http://www.w3.org/2000/svg}svg", root.tag
		width, height = float(root.get("width")), float(root.get("height"))
		for e in root.iter():
		    assert not any("href" in key for key in e.attrib), e.attrib
		    assert not e.tag.endswith(("script", "image", "foreignObject")), e.tag
		    for key, least, most in ("x", 0, width), ("y", 0, height), ("x1", 0, width), ("x2", 0, width):
		        if key in e.attrib:
		            assert least <= float(e.get(key)) <= most, (e.tag, e.attrib)
		    for key in "width", "height":
		        assert float(e.get(key, 0)) >= 0, (e.tag, e.attrib)
		text = open(sys.argv[1]).read()
		assert "@import" not in text and "url(" not in text and "prefers-color-scheme" in text
	END
}

@test "report: a picture is XML that needs nothing else" {
	local n

	require python3
	for n in 1 3 16 256; do
		run_of "$n" >run.json
		migctl 0 report --svg "run$n.svg" run.json
		[[ $output == *$'\npicture     run'"$n"$'.svg\n'* ]]
		well_formed "run$n.svg"
	done
	[[ $(grep -c '>switchover<' run3.svg) -eq 1 ]]
	[[ $(grep -c '>stop-copy</text>' run16.svg) -ge 16 ]]
	grep -q '>and 192 more devices<' run256.svg
	# Of a run without any event, one that lasts a day, and one that lasts no time.
	changed '.events = []'
	migctl 0 report --svg none.svg changed.json
	well_formed none.svg
	changed '.events[-1].at_ns = 86400000000000'
	migctl 0 report --svg day.svg changed.json
	well_formed day.svg
	changed '.events |= map(if .start_ns then .start_ns = 5 | .arc_ns = 0 else . end | .at_ns = 5)'
	migctl 0 report --svg tiny.svg changed.json
	well_formed tiny.svg
}

@test "report: names in a picture are text" {
	require python3
	changed '.devices[0].address = "<script>&\"]]>\u0001" | .devices[1].address = ("x" * 5000) |
		.command = "<save/>"'
	migctl 0 report --svg names.svg changed.json
	well_formed names.svg
	run -1 grep '<script>\|<save/>' names.svg
	migctl 0 report changed.json
	[[ $output == *'<script>&"]]>?'* ]]
}

@test "report: a picture replaces nothing unless told to, and goes to standard output" {
	run_of 1 >run.json
	echo mine >run.svg
	migctl 73 report --svg run.svg run.json
	[[ $stderr == "vfiomigctl: run.svg: cannot create: File exists (EEXIST); --force replaces it" ]]
	[[ $(<run.svg) == mine ]]
	migctl 0 report --svg run.svg --force run.json
	[[ $(<run.svg) == '<svg '* ]]
	migctl 0 report --svg - run.json
	[[ $output == "$(<run.svg)" && $stderr == *"downtime    70.0 ms"* ]]
	migctl 64 --json report --svg - run.json
	migctl 64 report --svg run.json run.json
	[[ $(jq -r .command run.json) == save ]]
	# A picture that was not drawn leaves no file.
	echo '{' >broken.json
	migctl 65 report --svg broken.svg broken.json
	[[ ! -e broken.svg ]]
}

@test "report: what is cut off is refused, wherever" {
	local size at

	run_of 1 >run.json
	size=$(stat -c %s run.json)
	for at in 0 1 100 $((size / 2)) $((size - 2)); do
		head -c "$at" run.json >changed.json
		no_report "no JSON, or cut off"
	done
	cat run.json run.json >changed.json
	no_report "no JSON"
}

@test "report: what is no report is refused in one line" {
	while IFS=@ read -r filter words; do
		changed "$filter"
		no_report "$words"
	done <<-'END'
		7@"schema" is missing or not an integer that makes sense
		.schema = 99@"schema" is missing or not one that is known here
		del(.events)@"events" is missing or not a list of a sensible length
		.events = {}@"events" is missing or not a list of a sensible length
		.devices = 3@"devices" is missing or not a list of a sensible length
		.devices[1] = "x"@device 1: "address" is missing or not a string
		.devices = [range(1000) as $d | {address: "\($d)"}]@"devices" is missing or not a list of a sensible length
		.devices = []@event 0: "device" is missing or not the number of a device
		.events[0].device = 2@event 0: "device" is missing or not the number of a device
		.events[0].device = "0"@event 0: "device" is missing or not an integer that makes sense
		.events[0].event = "boom"@event 0: "event" is missing or not a kind of event
		.events[1].at_ns = -1@event 1: "at_ns" is missing or not an integer that makes sense
		.events[1].at_ns = 1e30@event 1: "at_ns" is missing or not an integer that makes sense
		.events[1].at_ns = 1e400@event 1: "at_ns" is missing or not an integer that makes sense
		.events[0].at_ns = 5@event 1: earlier than the one before it
		.events[3] = null@event 3: "event" is missing or not a string
		.result = "fine"@"result" is missing or not an object
		.lost_events = -3@"lost_events" is missing or not an integer that makes sense
		.events = [range(70000) | {event: "finish", at_ns: .}]@"events" is missing or not a list of a sensible length
	END
	sed -E 's/"bytes":[0-9]+/"bytes":18446744073709551616/' <(run_of 2) >changed.json
	no_report 'event 6: "bytes" is missing or not an integer that makes sense'
	printf '{"schema":1,"command":"\xff"}' >changed.json
	no_report "no JSON"
}

@test "report: values without end are refused before they are parsed" {
	(printf '{"schema":1,"events":['; yes 0, | head -n 2100000 | tr -d '\n'; printf '0]}\n') >changed.json
	no_report "more than a report can hold"
	migctl 65 report - < <(yes '                               ' | head -c 70000000)
	[[ $stderr == "vfiomigctl: -: no report: more than a report can hold" ]]
	(yes '[' | head -n 100000 | tr -d '\n') >changed.json
	no_report "no JSON"
}

@test "report: other kinds of files" {
	migctl 66 report nosuch.json
	[[ $stderr == *"nosuch.json: cannot open: No such file"* ]]
	migctl 66 report .
	head -c 100000 /dev/urandom >changed.json
	migctl 65 report changed.json
	[[ $stderr == "vfiomigctl: changed.json: no report: no JSON"* ]]
}
