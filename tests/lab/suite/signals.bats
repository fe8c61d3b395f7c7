#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Interrupted, killed, asked how far it is.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
# shellcheck disable=SC2016 # "$0" is for the shell that is run
load lab.bash

setup()
{
	lab_setup
	reference 5
	fill "$A" 5
	kept_image 5
	cp "$image" state.img
}

# Room in the pipe for header and manifest: the device is stopped and drained, its data is stuck.
save_stuck()
{
	clog fifo 8192
	start save "$VFIOMIGCTL" "$@" save "$A" fifo
	eventually is_in "$A" stop-copy
}

# A writer that has sent what makes the device load, and then no more. Descriptor 9 is it.
resume_stuck()
{
	mkfifo fifo
	exec 9<>fifo
	head -c "${bytes:-8192}" state.img >&9
	start resume "$VFIOMIGCTL" "$@" resume --no-hold "$B" fifo
	eventually is_in "$B" resuming
}

# said TEXT FILE; "^" before TEXT: at the beginning of a line.
said()
{
	local text

	read_file text "$2"
	if [[ $1 == ^* ]]; then
		[[ $'\n'$text == *$'\n'"${1#^}"* ]]
	else
		[[ $text == *"$1"* ]]
	fi
}

@test "save: SIGINT, SIGTERM, SIGHUP while the reader is stuck: the device runs again, no file" {
	local signal

	for signal in INT TERM HUP; do
		save_stuck --json
		kill -$signal "$save"
		finish save 75
		expect_message 'interrupted'
		expect_json '.status == 75' '.outcome == "aborted"' '.owner == "source"' \
			'.state_found == "running" and .state == "running"' '.down == false' \
			'.error.errno == null' '.file_bytes == 0'
		expect_state "$A" running
		rm fifo save.out save.err
	done
	expect_files state.img
	expect_contents "$A"
}

@test "save: a stopped device that is interrupted is stopped again" {
	"$VFIOMIGCTL" -q state "$A" stop
	save_stuck --json
	kill -INT "$save"
	finish save 75
	expect_json '.state_found == "stop" and .state == "stop"'
	expect_state "$A" stop
}

@test "save: interrupted while a FIFO has no reader: the device was not even opened" {
	mkfifo fifo
	start save "$VFIOMIGCTL" --json save "$A" fifo
	eventually holds_open "$save" 'anon_inode:\[signalfd\]'
	kill -TERM "$save"
	finish save 75
	expect_message 'interrupted'
	expect_json '.status == 75' '.outcome == "aborted"' '.owner == "source"'
	expect_state "$A" running
	expect_contents "$A"
}

# holds_open PID PATTERN
holds_open()
{
	find "/proc/$1/fd" -lname "$2" 2>/dev/null | grep -q .
}

@test "save: interrupted while a pipe of somebody else is stuck" {
	# Not one that it can open again for itself.
	clog fifo 0
	start save bash -c 'exec "$0" -q save --raw "$1" fd:8 7<&8' "$VFIOMIGCTL" "$A"
	eventually is_in "$A" stop-copy
	kill -INT "$save"
	finish save 75
	expect_state "$A" running
	expect_contents "$A"
}

@test "save: a signal again and again is like one" {
	save_stuck
	kill -INT "$save"
	kill -INT "$save" 2>/dev/null || true
	kill -TERM "$save" 2>/dev/null || true
	finish save 75
	expect_state "$A" running
}

@test "resume: SIGINT, SIGTERM, SIGHUP while the writer is stuck: reset and stopped" {
	local signal

	# As for save, where all are tried.
	table TERM + INT HUP
	for signal in "${rows[@]}"; do
		resume_stuck --json
		kill -$signal "$resume"
		finish resume 75
		exec 9>&-
		expect_message 'interrupted'
		expect_json '.status == 75' '.outcome == "aborted"' '.owner == "source"' \
			'.accepted == false' '.state == "stop"' '.recovery.reset' \
			'.recovery.found == "resuming"'
		expect_state "$B" stop
		rm fifo
	done
}

@test "resume: interrupted with all of the data, but not the end: reset and stopped" {
	bytes=12288 resume_stuck
	kill -TERM "$resume"
	finish resume 75
	expect_state "$B" stop
	exec 9>&-
}

@test "resume: interrupted before there is a manifest: the device was not opened" {
	mkfifo fifo
	exec 9<>fifo
	head -c 5000 state.img >&9
	start resume "$VFIOMIGCTL" --json resume --no-hold "$B" fifo
	# Not yet the shell that it is made of, which has the FIFO, too.
	eventually is_program "$resume" vfiomigctl
	eventually holds_open "$resume" "$PWD/fifo"
	kill -INT "$resume"
	finish resume 75
	exec 9>&-
	expect_json '.outcome == "aborted"' '.owner == "unknown"' 'has("state") | not'
	expect_state "$B" running
}

@test "resume: a writer that dies half-way: reset and stopped" {
	resume_stuck --json
	exec 9>&-
	finish resume 65
	expect_json '.status == 65' '.outcome == "aborted"' '.state == "stop"'
	expect_state "$B" stop
}

# asked_says TEXT: asks `save` by SIGUSR1; whether the answer, one line more, has TEXT.
asked_says()
{
	kill -USR1 "$save"
	eventually has_lines $((++asked)) save.err
	[[ $(tail -n 1 save.err) == "$A: "*"$1"* ]]
}

# has_lines COUNT FILE
has_lines()
{
	(($(wc -l <"$2") == $1))
}

@test "save: SIGUSR1 prints how far it is, on one line, whatever the mode" {
	local mode asked

	for mode in --progress=auto --progress=never -q; do
		save_stuck $mode
		asked=0
		# The device is in stop-copy before the 96 bytes have been read.
		eventually asked_says '96 B'
		kill -INT "$save"
		finish save 75
		rm fifo
	done
	expect_state "$A" running
}

@test "resume: SIGUSR1 prints how far it is" {
	resume_stuck
	kill -USR1 "$resume"
	eventually said "$B" resume.err
	[[ $(wc -l <resume.err) == 1 ]]
	kill -INT "$resume"
	finish resume 75
	exec 9>&-
	expect_state "$B" stop
}

@test "save: --progress=json and --progress=always say it every second" {
	save_stuck --progress=json
	eventually said '"bytes":96' save.err
	tail -n 1 save.err >last
	jq -e '.schema == 1 and .event == "progress" and .command == "save" and .bytes == 96 and
		.expected_bytes == 96 and .state == "stop-copy" and .elapsed_ns > 0' last
	[[ $(jq -r .device.address save.err | head -n 1) == "$A" ]]
	kill -INT "$save"
	finish save 75
	rm fifo
	save_stuck --progress=always
	eventually said 96 save.err
	kill -INT "$save"
	finish save 75
	expect_state "$A" running
}

@test "save, resume: --status-fd gets progress and, last, the result" {
	clog fifo 8192
	start save bash -c 'exec "$0" --status-fd=5 save "$1" fifo 5>status' "$VFIOMIGCTL" "$A"
	eventually is_in "$A" stop-copy
	eventually said progress status
	kill -INT "$save"
	finish save 75
	[[ $output != *'"event"'* ]]
	jq -se '.[-1].event == "result" and .[-1].status == 75 and .[-1].outcome == "aborted" and
		.[-1].state == "running" and (.[:-1] | all(.event != "result")) and
		any(.event == "progress") and any(.event == "interrupted")' status
	# One document a line.
	[[ $(wc -l <status) == $(jq -s length status) ]]

	"$VFIOMIGCTL" --status-fd=5 resume --no-hold "$B" state.img 5>status >out
	jq -se '.[-1].event == "result" and .[-1].status == 0 and .[-1].outcome == "completed"' status
	expect_state "$A" running
	expect_state "$B" running
	expect_contents "$B"
}

@test "resume: holds the device until SIGINT, SIGTERM or SIGHUP" {
	local signal text

	for signal in INT TERM HUP; do
		start resume "$VFIOMIGCTL" resume "$B" state.img
		eventually said 'held open until SIGINT, SIGTERM or SIGHUP' resume.err
		said "^$B: running;" resume.err
		expect_state "$B" running
		# Who needs the result has it by now.
		read_file text resume.out
		[[ $text =~ 'state now '\ *running ]]
		migctl 71 state "$B" stop
		expect_message "$B: held by another process: vfiomigctl (pid $resume, fd "
		kill -USR1 "$resume"
		kill -$signal "$resume"
		finish resume 0
		expect_state "$B" running
		expect_contents "$B"
	done
}

@test "resume: holds a device that it was told to leave stopped" {
	start resume "$VFIOMIGCTL" --json resume --stop "$B" state.img
	eventually said "^$B: stopped; held open until SIGINT, SIGTERM or SIGHUP" resume.err
	expect_state "$B" stop
	jq -e '.state == "stop" and .status == 0' resume.out
	kill -TERM "$resume"
	finish resume 0
	expect_state "$B" stop
	expect_contents "$B"
}

@test "save: killed half-way: no file, and the next save says what it found and works" {
	save_stuck
	kill -KILL "$save"
	finish save 137
	expect_state "$A" stop-copy
	rm fifo
	migctl 0 --json save "$A" next.img
	expect_message "warning: $A: was left in stop-copy by another process; now in stop"
	expect_json '.state_found == "stop" and .state == "stop"' '.bytes == 96'
	expect_state "$A" stop
	migctl 0 resume --no-hold "$B" next.img
	expect_contents "$B"
}

@test "save: killed at its last step, the file's name: no file, nothing beside it" {
	mkdir disk
	cd disk
	run -137 strace -f -qq -o /dev/null -e inject=linkat:signal=KILL:when=1 \
		"$VFIOMIGCTL" save "$A" new.img
	expect_files
	# That was behind the last arc.
	expect_state "$A" running
	migctl 0 save "$A" new.img
}

@test "resume: killed half-way: it never runs, and the next resume works" {
	resume_stuck
	kill -KILL "$resume"
	finish resume 137
	exec 9>&-
	expect_state "$B" resuming
	rm fifo
	migctl 0 --json resume --no-hold "$B" state.img
	expect_message "warning: $B: was left in resuming by another process; now in stop"
	expect_state "$B" running
	expect_contents "$B"
}

@test "state, reset: a device that a killed process left half-way" {
	save_stuck
	kill -KILL "$save"
	finish save 137
	migctl 0 --json state "$A"
	expect_json '.state == "stop-copy"' '.source == "debugfs"'
	migctl 0 state "$A" running
	expect_state "$A" running
	rm fifo
	resume_stuck
	kill -KILL "$resume"
	finish resume 137
	exec 9>&-
	migctl 0 --json reset "$B"
	expect_json '.state_found == "resuming"' '.state == "running"'
	expect_state "$B" running
}

@test "verify, inspect, extract: interrupted while the writer is stuck" {
	local command

	mkfifo fifo
	exec 9<>fifo
	for command in verify inspect extract; do
		head -c 9000 state.img >&9
		start reader "$VFIOMIGCTL" $command fifo
		eventually holds_open "$reader" "$PWD/fifo"
		eventually empty_fifo
		kill -INT "$reader"
		finish reader 75
		expect_message 'interrupted'
	done
	exec 9>&-
}

# What was written into the FIFO has been read.
empty_fifo()
{
	if read -r -t 0 -u 9; then
		return 1
	fi
}
