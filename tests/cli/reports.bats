#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Reports as programs read them: each fits its schema, and says who has the state. (What all other tests
# get from --json is checked as well, see helpers.bash.)

load ../emu

schema=${top_srcdir:?}/schema
commands=(save resume migrate receive recover hold list info state reset inspect verify extract
	report migratable bind unbind vfs monitor doctor bench check dirty)

setup()
{
	require jsonschema
	emu_setup
}

teardown()
{
	emu_teardown
}

@test "schemas: one for each command, and each is one" {
	local command

	for command in "${commands[@]}"; do
		jq -e --arg command "$command" '.properties.command.const == $command and
			.unevaluatedProperties == false' "$schema/$command.json"
	done
	[[ $(cd "$schema" && ls) == "$(printf '%s.json\n' "${commands[@]}" common dirty-round monitor-event progress \
		report-file trace | sort)" ]]
	validate_reports </dev/null
}

# unfit CHANGE TEXT...: the schemas do not take ./report when it was changed so, and say that. One
# process looks at all of them, and names ten.
unfit()
{
	local changes=() texts=()

	while (($#)); do
		changes+=("($1)")
		texts+=("$2")
		shift 2
	done
	(IFS=,; jq "${changes[*]}" report) >changed
	run -1 validate_reports <changed
	echo "$output"
	[[ $output == *"${#texts[@]} reports, ${#texts[@]} of which do not fit"* ]]
	for text in "${texts[@]}"; do
		[[ $output == *"$text"* ]] || {
			echo "not said: $text"
			return 1
		}
	done
}

@test "schemas: refuse what nobody has described" {
	emu_start
	bounded --json save "$A" image >report
	validate_reports <report
	unfit '.undescribed1 = 1' "'undescribed1' was unexpected" \
		'.device.undescribed2 = 1' "'undescribed2' was unexpected" \
		'.arcs[0].undescribed3 = 1' "'undescribed3' was unexpected" \
		'.image.undescribed4 = 1' "'undescribed4' was unexpected" \
		'.bytes = "1"' '$.bytes: ' \
		'.status = 2' '$.status: '
	unfit '.state = {"found": "stop"}' '$.state: ' \
		'.status = 75' "'error' is a required property" \
		'.outcome = "aborted"' '$.outcome: ' \
		'del(.owner)' "'owner' is a required property" \
		'del(.down)' "'down' is a dependency of 'arcs'" \
		'.command = "walk"' 'no schema walk.json' \
		'.event = "progress"' 'progress.json'
}

@test "schemas: all that is in them is in the manual, too" {
	local file key pages text

	for file in "$schema"/*.json; do
		# What is only read by programs is described in the schema itself.
		[[ $file != */report-file.json ]] || continue
		pages=("$top_srcdir"/man/vfiomigctl{-"$(basename "$file" .json)",}.8.scd)
		[[ -e ${pages[0]} ]] || pages=("$top_srcdir"/man/vfiomigctl*.8.scd)
		text=$(sed 's/\\_/_/g' "${pages[@]}")
		while read -r key; do
			[[ $text == *"*$key*"* ]] || {
				echo "$(basename "$file"): $key is not in the manual"
				return 1
			}
		done < <(jq -r '.. | objects | .properties // empty | keys[]' "$file" |
			grep -v '_base64$' | sort -u)
	done
}

# reports STATUS OUTCOME OWNER COMMAND ARG...: a report of that. Whether it fits its schema is looked
# at when the file ends: see helpers.bash.
reports()
{
	local status=$1 outcome=$2 owner=$3

	shift 3
	migctl "$status" --json "$@"
	printf '%s\n' "$output" >report
	told status "$status"
	told outcome "$outcome"
	told owner "$owner"
}

@test "reports: every command that succeeds" {
	emu_start
	reports 0 completed source save --dry-run "$A" image
	reports 0 completed source save --sha256 "$A" image
	reports 0 completed source save --pre-copy --raw "$A" raw
	reports 0 completed source save --pre-copy --leave=stop "$A" other
	reports 0 completed source save --leave=stop --force "$A" image
	reports 0 completed none resume --dry-run "$B" image
	reports 0 completed destination resume --no-hold "$B" image
	reports 0 completed destination resume --no-hold --raw "$B" raw
	reports 0 completed unknown list "$A" "$B"
	reports 0 completed unknown list
	reports 0 completed unknown info "$A"
	reports 0 completed unknown info --diff image "$A"
	reports 0 completed unknown state "$A"
	reports 0 completed unknown state "$A" running
	reports 0 completed unknown state --dry-run "$A" stop
	reports 0 completed unknown reset --dry-run "$A"
	reports 0 completed none reset "$A"
	reports 0 completed unknown inspect image
	reports 0 completed unknown inspect --sections --diff "$A" image
	reports 0 completed unknown verify image
	reports 0 completed unknown extract image stream
}

@test "reports: every command that fails" {
	emu_start
	bounded -q save "$A" image
	head -c 8192 image >part
	reports 73 aborted source save "$A" image
	reports 66 aborted source save vfio-user:none image.2
	reports 73 aborted unknown save --dry-run "$A" image
	reports 65 aborted none resume "$B" part
	reports 66 aborted none resume "$B" none
	reports 65 aborted none resume --dry-run "$B" part
	reports 66 aborted unknown list 83b8f4f2-509f-382f-3c1e-e6bfe0fa1001
	reports 66 aborted unknown info vfio-user:none
	reports 65 aborted unknown info --diff part "$A"
	reports 66 aborted unknown state vfio-user:none
	reports 66 aborted unknown reset vfio-user:none
	reports 65 aborted unknown inspect part
	reports 66 aborted unknown inspect none
	reports 1 aborted unknown verify part
	reports 66 aborted unknown verify none
	reports 65 aborted unknown extract part stream
	reports 73 aborted unknown extract image image.none/stream
	reports 66 aborted unknown extract --device=7 image stream
	reports 64 aborted unknown extract image image
}

@test "reports: devices that fail" {
	emu_start --fault 0@error=stop:stop-copy --fault 1@fail=stop:resuming:EIO
	reports 81 device-error none save "$A" image
	expect_json '.recovery.reset' '.arcs | any(.error == "EIO")'
	bounded -q save "$B" image
	reports 75 aborted none resume --no-hold "$B" image
	expect_json '.recovery.ok'
	emu_stop
	emu_start --fault 0@fail=stop:stop-copy:EIO --fault 1@refuse-reset=EIO --fault 1@error=stop:stop-copy
	reports 75 aborted source save "$A" file
	migctl 81 --json save "$B" file
	reports 81 device-error unknown reset "$B"
	reports 81 device-error unknown state "$B" running
}

@test "reports: lines of progress, and the result behind them" {
	emu_start --data-rate 4M --state-size 10M
	bounded --status-fd=4 save "$A" image 4>lines 3>&-
	[[ $(jq -r .event lines | sort -u | paste -sd ' ') == 'progress result' ]]
	[[ $(tail -n 1 lines | jq -r .event) == result ]]
	bounded --progress=json -q verify image 2>>lines
	start receiver --status-fd=4 -q resume --listen --no-hold "$B" unix:it 4>received
	eventually said listening received
	bounded --status-fd=4 -q save "$A" unix:it 4>>lines
	finish receiver 0
	validate_reports lines received
}

@test "reports: save, resume, inspect, verify and extract tell one image by the same id and digest" {
	local id command

	emu_start
	migctl 0 --json save "$A" image
	id=$(jq -cS '.image' <<<"$output")
	jq -e '(.id | length == 32) and (.digest | length == 32) and .version == "1.0" and
		(.created | startswith("20")) and .created_ns > 1e18' <<<"$id"
	for command in "resume --no-hold $B" "resume --dry-run $B" inspect verify; do
		# shellcheck disable=SC2086 # into words
		migctl 0 --json $command image
		[[ $(jq -cS '.image | del(.kernel, .tool, .source)' <<<"$output") == "$id" ]]
	done
	migctl 0 --json extract image stream
	[[ $(jq -cS .image <<<"$output") == "$id" ]]
	# Of what was cut off, the end was not seen.
	head -c -4096 image >part
	migctl 1 --json verify part
	[[ $(jq -cS .image <<<"$output") == "$(jq -cS 'del(.digest)' <<<"$id")" ]]
	migctl 0 --json save "$A" other
	[[ $(jq -r .image.id <<<"$output") != "$(jq -r .id <<<"$id")" ]]
	migctl 0 --json save --raw "$A" raw
	expect_json 'has("image") | not'
}

@test "reports: a name that is no UTF-8 can be had back" {
	local name=$'im\xe4ge'

	emu_start --socket $'so\xffcket'
	reports 0 completed source save $'vfio-user:so\xffcket' "$name"
	expect_json '.file == "im?ge"' '.device.address == "vfio-user:so?cket"'
	[[ $(jq -r .file_base64 report | base64 -d) == "$name" ]]
	[[ $(jq -r .device.address_base64 report | base64 -d) == $'vfio-user:so\xffcket' ]]
	reports 0 completed unknown extract "$name" $'\xff'
	[[ $(jq -r .out_base64 report | base64 -d) == $'\xff' ]]
	# A name that can be shown needs no second form.
	reports 0 completed unknown verify "./$name"
	cp "$name" gerät
	reports 0 completed unknown verify gerät
	expect_json '.file == "gerät"' 'has("file_base64") | not'
}

@test "labels: save puts them into the image, and they are shown" {
	local labels='{"ticket":"4711","host":"ä \"b\"","empty":""}' command

	emu_start
	reports 0 completed source save --label ticket=4711 --label 'host=ä "b"' --label=empty= "$A" image
	expect_json ".image.labels == $labels"
	for command in inspect verify; do
		reports 0 completed unknown "$command" image
		expect_json ".image.labels == $labels"
	done
	reports 0 completed unknown extract image stream
	expect_json ".image.labels == $labels"
	migctl 0 inspect image
	[[ $output == *$'LABEL   VALUE\nticket  4711\nhost    ä "b"\nempty   \n'* ]]
	bounded -q save "$A" other
	reports 0 completed unknown inspect other
	expect_json '.image | has("labels") | not'
	migctl 0 inspect other
	[[ $output != *LABEL* ]]
}

@test "labels: what is none is misuse, and nothing is opened" {
	local label

	for label in none =value '-a=b' 'a b=c' $'a=\e[m' $'a=\xff'; do
		migctl 64 save "--label=$label" vfio-user:none image
	done
	migctl 64 save --label a=1 --label a=2 vfio-user:none image
	[[ $stderr == *"a label's key is there twice"* ]]
	migctl 64 save --raw --label a=1 vfio-user:none image
	expect_files
}
