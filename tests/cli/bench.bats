#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `bench`: what is measured, what is left behind, and when a change counts. No test looks at how
# long anything took: the emulator's delays alone tell times apart, and these by hundreds of percent.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # jq's variables; emu.bash's, and each test's own
load ../emu

setup()
{
	emu_setup
}

teardown()
{
	emu_teardown
}

@test "bench: a device is saved so often, and is where it was, with what it held" {
	emu_start --state-size 300K --event-log events
	reference "$A"
	: >events
	migctl 0 --json bench --rounds 3 "$A"
	expect_json '.rounds == 3 and .destructive == false and .state == "stop"' \
		'[.arcs[] | [.of, .from, .to, .n]] == [["save", "stop", "stop-copy", 3],
			["save", "stop-copy", "stop", 3]]' \
		'[.sizes[].name] == ["stream"] and .sizes[0].min_bytes == .sizes[0].max_bytes' \
		'[.times[].name] == ["save_stream"] and [.rates[].name] == ["save"]' \
		'.counts == []'
	# The one that warms up, too.
	[[ $(grep -c ' end stop stop-copy$' events) == 4 ]]
	stream "$A" now
	cmp reference now
}

@test "bench: a device that runs has downtimes, and pre-copy where it has that" {
	emu_start --state-size 3M --dirty-rate 64K
	migctl 0 --json bench --rounds 2 "$A"
	expect_json '.state == "running" and .state_found == "running"' \
		'[.times[].name] == ["save_downtime", "save_stream", "precopy_downtime", "precopy"]' \
		'.counts[0].name == "precopy" and .counts[0].min >= 1 and .counts[0].max <= 10' \
		'any(.arcs[]; .of == "pre-copy" and .from == "running" and .to == "pre-copy")' \
		'all(.arcs[]; .n == 2 and .min_ns <= .median_ns and .median_ns <= .max_ns)' \
		'(.sizes[] | select(.name == "stream").median_bytes) as $all |
			any(.sizes[]; .name == "precopy" and .median_bytes > $all / 2)'
	expect_state "$A" running
	migctl 0 bench --rounds 1 "$A"
	[[ $output == *$'\nOF '* && $output == *' running '*' running-p2p '* ]]
	[[ $output == *"downtime of a save"* && $output == *"rounds of pre-copy"* ]]
}

@test "bench: a load into the device itself gives it back what it held" {
	emu_start --state-size 300K --caps stop-copy --event-log events
	reference "$A"
	: >events
	migctl 0 --json bench --destructive --rounds 2 "$A"
	expect_json 'any(.arcs[]; .of == "load" and .from == "resuming" and .to == "stop")' \
		'[.times[].name] == ["save_stream", "load_stream"]' \
		'[.rates[].name] == ["save", "load"]'
	[[ $(grep -c ' end stop resuming$' events) == 3 ]]
	grep -q ' reset$' events && return 1
	stream "$A" now
	cmp reference now
}

# both_ran: the events have a moment at which both devices ran, the second one after a load.
both_ran()
{
	awk '
		$3 == "begin" && $4 == "running" { first = $2 == "emu" ? 0 : first }
		$3 == "end" && $5 == "running" && $2 !~ /\.1$/ { first = 1 }
		$3 == "begin" && $4 == "running-p2p" && $5 == "stop" && $2 !~ /\.1$/ { first = 0 }
		$3 == "end" && $4 == "stop" && $5 == "resuming" && $2 ~ /\.1$/ { loaded = 1; second = 0 }
		$3 == "reset" && $2 ~ /\.1$/ { loaded = 0 }
		loaded && $3 == "end" && $5 == "running" && $2 ~ /\.1$/ { second = 1; if (first) bad = 1 }
		loaded && second && $3 == "end" && $5 == "running" && $2 !~ /\.1$/ { bad = 1 }
		END { exit !bad }
	' events
}

@test "bench: from one device into another, of which never both run" {
	emu_start --state-size 300K --event-log events
	migctl 0 --json bench --destructive --pair "$B" --rounds 2 "$A"
	expect_json '[.times[].name | select(startswith("move"))] ==
			["move_accepted", "move_downtime", "move_stream"]' \
		'any(.times[]; .name == "load_stream") | not' \
		'any(.arcs[]; .of == "move" and .second and .device == "vfio-user:emu.1" and
			.from == "resuming" and .to == "stop")' \
		'.pair.address == "vfio-user:emu.1"'
	[[ $(grep -c 'emu\.1 end resuming stop$' events) == 3 ]]
	[[ $(grep -c 'emu\.1 reset$' events) == 3 ]]
	both_ran && return 1
	expect_state "$A" running
	expect_state "$B" running
	# The judge does judge: without the resets there were such moments.
	sed -i '/ reset$/d' events
	both_ran
}

@test "bench: a load that the second device refuses leaves the first one running" {
	emu_start --state-size 300K --fault 1@fail=resuming:stop:EIO
	migctl 75 --json bench --destructive --pair "$B" --rounds 2 "$A"
	expect_json '.status == 75 and .rounds == 0 and (has("arcs") | not)'
	expect_state "$A" running
	expect_state "$B" running
}

@test "bench: a stream that fails brings the device back" {
	emu_start --state-size 300K --fault fail=stop:stop-copy:EIO
	migctl 75 --json bench "$A"
	expect_json '.outcome == "aborted" and .owner == "source" and .state == "running"'
	expect_state "$A" running
}

@test "bench: a signal brings the devices back" {
	emu_start --state-size 1M --data-rate 1M --event-log events
	"$tool" --json bench --rounds 1000 "$A" >run.out 2>run.err 3>&- &
	run=$!
	started+=("$run")
	eventually grep -q ' end stop stop-copy$' events
	kill -TERM "$run"
	finish run 75
	told outcome aborted
	expect_state "$A" running
}

# report_of MEDIAN SPREAD: the last report with other times.
report_of()
{
	jq --argjson m "$1" --argjson s "$2" '
		(.arcs, .times) |= map(.median_ns = $m | .low_ns = $m - $s | .high_ns = $m + $s)' <<<"$output"
}

@test "bench: what got worse is told by the exit status, unless it may be noise" {
	emu_start --state-size 64K --delay running:running-p2p=2ms
	migctl 0 --json bench --rounds 8 "$A"
	# Nothing is as fast as that, and nothing as slow.
	report_of 0 0 >fast.json
	report_of 3600000000000 1000 >slow.json
	report_of 3600000000000 3600000000000 >noisy.json
	printf '%s\n' "$output" >same.json
	migctl 1 --json bench --rounds 8 --baseline fast.json "$A"
	expect_json '.status == 1 and .comparison.worse == (.comparison.times | length)' \
		'all(.comparison.times[]; .verdict == "worse")' \
		'all(.comparison.sizes[]; .verdict == "same" and .change_percent == 0)' \
		'.error.message | endswith("got worse by more than 10 %")'
	migctl 0 --json bench --rounds 8 --baseline slow.json "$A"
	expect_json 'all(.comparison.times[]; .verdict == "better" and .change_percent < 0)'
	migctl 0 --json bench --rounds 8 --baseline noisy.json "$A"
	expect_json 'all(.comparison.times[]; .verdict == "same")'
	# Compared with itself, where a machine may have become slower by any factor but this.
	migctl 0 --json bench --rounds 8 --threshold 10000 --baseline same.json "$A"
	expect_json '.comparison.worse == 0 and .comparison.threshold_percent == 10000'
	migctl 1 bench --markdown --rounds 8 --baseline fast.json "$A"
	[[ $output == *'Against the baseline:'*'| worse |'* ]]
	# The size of the stream is compared, too.
	jq '.sizes[0] |= (.median_bytes = 1 | .low_bytes = 1 | .high_bytes = 1)' slow.json >small.json
	migctl 1 --json bench --rounds 8 --baseline small.json "$A"
	expect_json '.comparison.sizes == [.comparison.sizes[0]] and .comparison.worse == 1'
}

@test "bench: what is no baseline is refused before the device is touched" {
	local filter

	emu_start --state-size 64K --event-log events
	migctl 0 --json bench --rounds 8 "$A"
	printf '%s\n' "$output" >good.json
	: >events
	for filter in '.command = "save"' '.schema = 2' 'del(.arcs)' '.arcs[0].n = 7' \
		'.arcs[0].of = "walk"' '.arcs[0].from = "x"' '.times[0].median_ns = -1' \
		'.arcs[0].low_ns = .arcs[0].high_ns + 1' '.times = {}' '.arcs = [range(100)]' '.arcs[0] = 1'; do
		jq "$filter" good.json >bad.json
		migctl 65 bench --rounds 8 --baseline bad.json "$A"
		[[ $stderr == *"bad.json: no report of bench: "* && $stderr == *"vfiomigctl --json bench"* ]]
	done
	head -c 100 good.json >bad.json
	migctl 65 bench --rounds 8 --baseline bad.json "$A"
	head -c 2M /dev/zero >bad.json
	migctl 65 bench --rounds 8 --baseline bad.json "$A"
	[[ $stderr == *'more than a report can hold'* ]]
	migctl 66 bench --rounds 8 --baseline none.json "$A"
	[[ ! -s events ]]
	# One of a later version may have more.
	jq '.times += [.times[0] | .name = "later"]' good.json >more.json
	migctl 0 -q bench --rounds 8 --threshold 10000 --baseline more.json "$A"
	jq '.arcs = [] | .times = [] | .sizes = []' good.json >nothing.json
	migctl 65 bench --rounds 8 --baseline nothing.json "$A"
	[[ $stderr == *'has nothing of what was measured here'* ]]
}

@test "bench: the picture is XML without scripts, and is there only once all is measured" {
	emu_start --state-size 64K --fault 1@fail=stop:stop-copy:EIO
	migctl 0 --json bench --rounds 1 --svg bench.svg "$A"
	told svg bench.svg || [[ $output == *'"svg": "bench.svg"'* ]]
	python3 - bench.svg <<-'END'
		import sys, xml.etree.ElementTree as tree
		texts = [e.text for e in tree.parse(sys.argv[1]).iter("{http://www.w3.org/2000/svg}text")]
		for text in ("a save", "a save with pre-copy", "running -> running-p2p", "stream in stop-copy"):
		    assert text in texts, text
		names = {e.tag.split("}")[1] for e in tree.parse(sys.argv[1]).iter()}
		assert names <= {"svg", "style", "rect", "text", "line", "path", "title"}, names
	END
	grep -q prefers-color-scheme:dark bench.svg
	# The name of SVG's own name space is the only address in it.
	[[ $(grep -oE 'https?:|url\(|@import' bench.svg) == http: ]]
	migctl 73 bench --rounds 1 --svg bench.svg "$A"
	migctl 0 -q bench --rounds 1 --force --svg bench.svg "$A"
	migctl 75 bench --rounds 1 --svg other.svg "$B"
	[[ ! -e other.svg ]]
	migctl 0 bench --rounds 1 --svg - "$A"
	[[ $output == '<svg '*'</svg>' && $stderr == *MEDIAN* ]]
}

@test "bench: Markdown has tables of as many cells as their heads" {
	emu_start --state-size 64K
	migctl 0 bench --rounds 2 --markdown "$A"
	[[ $output == *' bench, 2 rounds, Linux '*'- device: vfio-user:emu'* ]]
	awk -F'|' '
		/^\|/ { if (!cells) cells = NF; if (NF != cells) bad = 1; rows++ }
		!/^\|/ { cells = 0 }
		END { exit bad || rows < 10 }' <<<"$output"
}

@test "bench: misuse is said in one line, and dry runs touch nothing" {
	local args words

	emu_start --state-size 64K --event-log events
	while IFS='|' read -r args words; do
		# shellcheck disable=SC2086 # words
		migctl 64 $args "$A"
		[[ $stderr == "vfiomigctl bench: $words"* && ${#lines[@]} == 0 ]]
	done <<-END
		bench --pair $B|--pair loses what $B holds: say so by --destructive
		bench --run|--run is for the device of --pair
		bench --threshold 3|--threshold is for --baseline
		bench --force|--force is for the file of --svg
		--json bench --markdown|--markdown and --json exclude each other
		bench --rounds 7 --baseline x|--rounds is at least 8 with --baseline
		bench --rounds 0|--rounds is
	END
	migctl 64 bench --destructive --pair "$A" "$A"
	[[ $stderr == *'are one device'* ]]
	migctl 0 --json bench --dry-run --destructive --pair "$B" "$A"
	expect_json '.dry_run and .pair.address == "vfio-user:emu.1"'
	[[ ! -s events ]]
}
