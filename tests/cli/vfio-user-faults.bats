#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A device that misbehaves, at every arc and at bytes where something begins or ends. Whatever it
# does: one line says what, the report says where the device is, and that is where the next client
# finds it. A source runs, and has no file unless the save was complete; a target never runs what it
# did not accept.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu

# A stream of so many bytes; an image's frame and a read take so many of them.
size=$((5 << 19))
frame=$(((1 << 20) - 64))
chunk=$((256 << 10))

# First and last byte, in the middle, at borders.
offsets=(0 1 $((chunk - 1)) "$chunk" 700000 $((frame - 1)) "$frame" $((2 * frame)) $((size - 1)))

out=(running:running-p2p running-p2p:stop stop:stop-copy)
back=(stop-copy:stop stop:running-p2p running-p2p:running)
pre=(running:pre-copy pre-copy:pre-copy-p2p pre-copy-p2p:stop-copy)
load=(running:running-p2p running-p2p:stop stop:resuming)
launch=(stop:running-p2p running-p2p:running)

setup()
{
	emu_setup
}

teardown()
{
	emu_teardown
}

# faulty PREFIX FAULT...: device number N has the Nth fault; the last one has none.
faulty()
{
	local args=(--state-size "$size" --devices $#) n=0 fault prefix=$1

	shift
	for fault; do
		args+=(--fault "$n@$prefix$fault")
		n=$((n + 1))
	done
	emu_start "${args[@]}"
	good=$(device $n)
}

# device N
device()
{
	if (($1 == 0)); then echo "$A"; else echo "vfio-user:emu.$1"; fi
}

# fails ARC, stays ARC: as messages say it.
fails()
{
	echo "${1%:*} to ${1#*:} failed"
}

stays()
{
	echo "$(fails "$1"), the device is in ${1%:*}: "
}

# judge DEV STATUS OUTCOME/OWNER STATE: that is reported, in these words, and so.
judge()
{
	told status "$2"
	told outcome "${3%/*}"
	told owner "${3#*/}"
	field state
	[[ $value == null && ($3 == *unknown || $4 == gone) ]] || told state "$4"
	if (($2 != 0)); then
		[[ $output == *'"message": "'[!\"]* && $output != *'"errno": "'[!E]* ]]
	fi
	expect_state "$1" "$4"
}

# complete FILE: it is there, whole, and the last device accepts it.
complete()
{
	bounded -q verify "$1" && bounded -q resume --no-hold "$good" "$1"
}

#
# Arcs of a save
#

# swept ARG...: save each device but the last with ARG..., in the background; "save" N is its turn.
swept()
{
	local k

	for ((k = 0; ; k++)); do
		[[ $(device $k) != "$good" ]] || break
		start "save_$k" --json save --timeout 1 "$@" "$(device $k)" "file.$k"
	done
}

@test "save: each arc to STOP_COPY fails: the device runs again, and there is no file" {
	local k

	faulty fail= "${out[@]/%/:EIO}" "${pre[@]/%/:EACCES}"
	swept
	for k in 0 1 2; do
		finish save_$k 75
		judge "$(device $k)" 75 aborted/source running
		expect_message "$(device $k): $(stays "${out[k]}")" \
			'Input/output error (EIO); the device is in running again'
		expect_json '.down == false' '.file_bytes == 0' '.recovery.ok and (.recovery.reset | not)' \
			'.arcs | map(select(.error == "EIO")) | length == 1'
		[[ ! -e file.$k ]]
	done
	for k in 3 4 5; do
		finish save_$k 0
		rm file.$k
		migctl 75 --json save --pre-copy "$(device $k)" file.$k
		judge "$(device $k)" 75 aborted/source running
		expect_message "$(stays "${pre[k - 3]}")" \
			'(EACCES); the device is in running again'
		[[ ! -e file.$k ]]
	done
}

@test "save: each arc to STOP_COPY ends in ERROR: only a reset helps, and that is said" {
	local k arcs

	faulty error= "${out[@]}" "${pre[@]}"
	arcs=("${out[@]}" "${pre[@]}")
	for k in {0..5}; do
		((k < 3)) && set -- || set -- --pre-copy
		migctl 81 --json save "$@" "$(device $k)" file
		judge "$(device $k)" 81 device-error/none running
		expect_message "$(fails "${arcs[k]}"), the device is in error: " \
			'(EIO); it had to be reset: it is in running, its state is lost'
		expect_json '.recovery == {"found": "error", "end": "running", "reset": true, "ok": true}'
		expect_files
	done
}

@test "save: each arc to STOP_COPY is never answered: the device runs again" {
	local k

	faulty stall= "${out[@]}"
	swept
	for k in 0 1 2; do
		finish save_$k 76
		judge "$(device $k)" 76 aborted/source running
		expect_message "$(stays "${out[k]}")" \
			'DEVICE_FEATURE: ' 'silent for 1 s; ' \
			'the device is in running again'
		[[ ! -e file.$k ]]
	done
}

@test "save: each arc of pre-copy is never answered: the device runs again" {
	local k

	faulty stall= "${pre[@]}"
	swept --pre-copy
	for k in 0 1 2; do
		finish save_$k 76
		judge "$(device $k)" 76 aborted/source running
		expect_message "$(fails "${pre[k]}")" 'silent for 1 s'
		[[ ! -e file.$k ]]
	done
}

@test "save: each arc back fails once: it is tried again, and nothing is wrong" {
	local k

	faulty fail= "${back[@]/%/:EIO*1}"
	for k in 0 1 2; do
		migctl 0 --json save "$(device $k)" file.$k
		judge "$(device $k)" 0 completed/source running
		expect_message "warning: $(device $k): $(fails "${back[k]}")" '(EIO), recovered'
		complete file.$k
	done
}

@test "save: each arc back fails for good: the device keeps its state, the file is there" {
	local k

	faulty fail= "${back[@]/%/:EIO}"
	for k in 0 1 2; do
		migctl 81 --json save "$(device $k)" file.$k
		judge "$(device $k)" 81 device-error/source "${back[k]%:*}"
		expect_message "$(stays "${back[k]}")" \
			"(EIO); it has its state, and is left in ${back[k]%:*}" \
			"; file.$k is complete and has the state; vfiomigctl state $(device $k) running"
		complete file.$k
	done
}

@test "save: each arc back ends in ERROR: the device had to be reset, the file is there" {
	local k

	faulty error= "${back[@]}"
	for k in 0 1 2; do
		migctl 81 --json save "$(device $k)" file.$k
		judge "$(device $k)" 81 device-error/none running
		expect_message 'failed, the device is in error: ' 'it had to be reset'
		complete file.$k
	done
}

@test "save: each arc back is once not answered: the device is brought back" {
	local k

	faulty stall= "${back[@]/%/*1}"
	swept
	for k in 0 1 2; do
		finish save_$k 0
		judge "$(device $k)" 0 completed/source running
		expect_message "warning: $(device $k): $(fails "${back[k]}")" \
			'silent for 1 s, recovered'
		complete file.$k
	done
}

@test "save: each arc back is never answered: nobody knows, and that is said" {
	local k

	faulty stall= "${back[@]}"
	swept
	for k in 0 1 2; do
		finish save_$k 81
		judge "$(device $k)" 81 device-error/unknown "${back[k]%:*}"
		expect_message "$(fails "${back[k]}")" 'silent for 1 s' \
			'it could not be brought back to running: '
		expect_json '.state == null' '.recovery.ok == false'
		complete file.$k
	done
}

@test "save: to be left stopped, and the last arc fails" {
	emu_start --fault '0@fail=stop-copy:stop:EIO*1' --fault 1@fail=stop-copy:stop:EIO
	good=$A
	migctl 0 --json save --leave=stop "$A" file.0
	expect_state "$A" stop
	expect_message 'warning: ' 'recovered'
	migctl 81 --json save --leave=stop "$B" file.1
	judge "$B" 81 device-error/source stop-copy
	expect_message 'it has its state, and is left in stop-copy'
	complete file.1
}

@test "save: a device that is not drained yet is asked again, or runs on" {
	emu_start --fault drain=running:stop:300ms
	migctl 75 --json save --drain-timeout=0 "$A" file
	judge "$A" 75 aborted/source running
	expect_message 'running-p2p to stop failed' '(EBUSY); the device is in running again'
	expect_files
	emu_stop
	emu_start --fault drain=running:stop:300ms
	migctl 0 save --drain-timeout=60 "$A" file
	[[ $output == *TRIES* && $output =~ 'running-p2p  stop '[^$'\n']*' EBUSY' ]]
	bounded -q verify file
	emu_stop
	emu_start --fault drain=running:stop:300ms
	migctl 0 --json save --force --drain-timeout=60 "$A" file
	expect_json '[.arcs[] | select(.error == "EBUSY")] | (length == 1) and (.[0].tries > 1)' \
		'.drain_retries > 1'
	expect_state "$A" running
}

@test "save: in ERROR, and a reset fails, too: that, and where the device is, is said" {
	local k

	emu_start --devices 3 --fault 0@error=stop-copy:stop --fault 1@error=stop:running-p2p \
		--fault 2@error=running-p2p:running --fault refuse-reset=EIO
	for k in 0 1 2; do
		migctl 81 --json save "$(device $k)" file.$k
		judge "$(device $k)" 81 device-error/none error
		expect_message 'its state is lost: ' 'DEVICE_RESET: Input/output error (EIO)' "vfiomigctl reset $(device $k)"
		bounded -q verify file.$k
	done
}

#
# Bytes of a save
#

@test "save: reading fails at every byte of interest: the device runs again, no file" {
	local k

	faulty fail= "${offsets[@]/%/:EIO}" $size:EIO
	for ((k = 0; k <= ${#offsets[@]}; k++)); do
		migctl 74 --json save "$(device $k)" file
		judge "$(device $k)" 74 aborted/source running
		expect_message "$(device $k): reading the device's stream" 'MIG_DATA_READ: ' \
			'(EIO); the device is in running again'
		expect_json ".bytes <= ${offsets[k]:-$size}" '.file_bytes == 0' '.down == false'
		expect_files
	done
}

# The errno of a wish to stop, and of a signal: from a driver they are failures like any other.
@test "save, resume: the driver says ECANCELED or EINTR" {
	local k errno

	image
	for errno in ECANCELED EINTR; do
		faulty fail= 0:$errno 100000:$errno $((size - 1)):$errno
		for k in 0 1 2; do
			migctl 74 --json save "$(device $k)" file
			judge "$(device $k)" 74 aborted/source running
			expect_message "($errno); the device is in running again"
			expect_files image
			migctl 74 --json resume --no-hold "$(device $k)" image
			judge "$(device $k)" 74 aborted/none stop
			expect_message "($errno); the device was reset and is in stop"
		done
		emu_stop
	done
}

@test "save: reading fails with pre-copy, and of the bare stream" {
	local k option

	faulty fail= "${offsets[@]/%/:EIO}" $size:EIO
	for k in 1 4 $((${#offsets[@]} - 1)); do
		for option in --raw --pre-copy; do
			migctl 74 --json save $option "$(device $k)" file
			judge "$(device $k)" 74 aborted/source running
			expect_files
		done
	done
}

@test "save: what fails behind the end does not fail" {
	faulty fail= $((size + chunk)):EIO
	migctl 0 save "$A" file
	complete file
}

@test "save: what was refused with several reads under way is asked for again" {
	local k

	faulty fail= "${offsets[@]/%/:EBUSY*1}"
	for k in "${!offsets[@]}"; do
		migctl 0 --json save --leave=stop "$(device $k)" file.$k
		expect_json ".bytes == $size"
		complete file.$k
		stream "$(device $k)" reference
		migctl 0 extract file.$k raw.$k
		cmp raw.$k reference
	done
}

@test "save: reading is never answered at every byte of interest: the device runs again" {
	local k

	faulty stall= "${offsets[@]}" $size
	swept
	for ((k = 0; k <= ${#offsets[@]}; k++)); do
		finish save_$k 76
		judge "$(device $k)" 76 aborted/source running
		expect_message "$(device $k): reading the device's stream" 'silent for 1 s: ' \
			'; the device is in running again'
		[[ ! -e file.$k ]]
	done
}

@test "save, resume: interrupted while the server is silent: heard, and unwound" {
	image
	emu_start --state-size $size --fault stall=700000
	start save --json --progress=json save --timeout 8 "$A" file
	start resume --json --progress=json resume --no-hold --timeout 8 "$B" image
	eventually said stop-copy save.err
	eventually said resuming resume.err
	kill -INT "$save" "$resume"
	finish save 75
	judge "$A" 75 aborted/source running
	[[ $stderr == *'interrupted'*'the device is in running again' && ! -e file ]]
	finish resume 75
	judge "$B" 75 aborted/none stop
	[[ $stderr == *'interrupted'*'the device was reset and is in stop' ]]
}

@test "save: interrupted while an arc is not answered: heard, and that is said" {
	emu_start --fault stall=running:stop
	start save -vv save --timeout 6 "$A" file
	eventually said 'running -> running-p2p: done' save.err
	kill -INT "$save"
	eventually said 'which only the driver ends' save.err
	finish save 76
	[[ ! -e file ]]
	expect_state "$A" running
}

@test "save: noise instead of a reply, once, at every byte of interest: the device runs again" {
	local k

	faulty garbage= "${offsets[@]/%/*1}"
	for k in "${!offsets[@]}"; do
		# Byte 0 is there before there is a stream.
		if ((k == 0)); then
			migctl 76 --json save --timeout 1 "$A" file
			expect_message "$A: DEVICE_GET_INFO: "
			expect_json '.outcome == "aborted"' '.owner == "source"' 'has("state") | not'
			expect_state "$A" running
		else
			migctl 76 --json save --timeout 1 "$(device $k)" file
			judge "$(device $k)" 76 aborted/source running
			expect_message "$(device $k): reading the device's stream" '; ' \
				'the device is in running again'
		fi
		expect_files
	done
}

@test "save: nothing but noise: one line, and nobody knows where the device is" {
	emu_start --fault 0@garbage=1000 --fault 1@garbage
	migctl 81 --json save --timeout 1 "$A" file
	expect_message "$A: reading the device's stream" \
		'it could not be brought back to running: '
	expect_json '.outcome == "device-error"' '.owner == "unknown"' '.state == null'
	migctl 76 save --timeout 1 "$B" file
	expect_message "$B: DEVICE_GET_INFO: "
	expect_files
}

@test "save: the server dies at every byte of interest: one line, no file" {
	local at

	for at in "${offsets[@]}" $size; do
		emu_start --state-size $size --fault die-at=$at
		migctl 81 --json save "$A" file
		emu_died
		judge "$A" 81 device-error/unknown gone
		expect_message "$A: reading the device's stream" 'it could not be brought back to running'
		expect_json '.state == null' '.error.errno | . == "ECONNRESET" or . == "EPIPE"'
		expect_files
		migctl 66 state "$A"
		expect_message 'Connection refused (ECONNREFUSED); its server is gone: start it'
		rm emu emu.1
	done
}

@test "save: the server dies in pre-copy" {
	emu_start --fault die-at=500000
	migctl 81 --json save --pre-copy "$A" file
	emu_died
	judge "$A" 81 device-error/unknown gone
	expect_files
}

@test "save: short reads are no fault" {
	emu_start --state-size $size --fault short-read
	reference "$A"
	migctl 0 --json save "$A" file
	expect_json ".bytes == $size"
	migctl 0 --json save --pre-copy --compress=zstd "$A" packed
	migctl 0 resume --no-hold --stop "$B" file
	holds "$B"
	migctl 0 resume --no-hold --stop "$B" packed
	holds "$B"
}

@test "save, resume: a stream that the device cut short is found out by the target" {
	local k

	faulty truncate= "${offsets[@]}" $size
	for k in "${!offsets[@]}"; do
		migctl 0 --json save "$(device $k)" file.$k
		judge "$(device $k)" 0 completed/source running
		expect_json ".bytes == ${offsets[k]}"
		migctl 0 verify file.$k
		migctl 65 --json resume --no-hold "$good" file.$k
		judge "$good" 65 aborted/none stop
		expect_message 'the driver did not accept the state: ' \
			'resuming to stop failed, the device is in resuming: DEVICE_FEATURE: ' \
			'(EINVAL); the device was reset and is in stop'
	done
	migctl 0 save "$(device ${#offsets[@]})" file
	migctl 0 resume --no-hold "$good" file
}

@test "save, resume: a byte that the device changed is found out by the target" {
	local k

	faulty corrupt= "${offsets[@]}"
	for k in "${!offsets[@]}"; do
		migctl 0 save "$(device $k)" file.$k
		migctl 0 verify file.$k
		migctl 65 --json resume --no-hold "$good" file.$k
		judge "$good" 65 aborted/none stop
		expect_message 'the driver did not accept the state: ' '(EINVAL); the device was reset'
	done
}

#
# Arcs of a resume
#

# image: the file of a save, of a device that is not among those with faults.
image()
{
	emu_start --socket source --state-size $size --seed 99 --devices 1
	bounded -q save vfio-user:source image
	emu_stop "$emu"
}

# swept_load: as swept.
swept_load()
{
	local k

	for ((k = 0; ; k++)); do
		[[ $(device $k) != "$good" ]] || break
		start "load_$k" --json resume --no-hold --timeout 1 "$(device $k)" image
	done
}

@test "resume: each arc to RESUMING fails: the device is what and where it was" {
	local k

	image
	faulty fail= "${load[@]/%/:EIO}"
	for k in 0 1 2; do
		migctl 75 --json resume --no-hold "$(device $k)" image
		judge "$(device $k)" 75 aborted/none running
		expect_message "$(stays "${load[k]}")" '(EIO); the device is in running again'
		expect_json '.recovery.ok and (.recovery.reset | not)' '.accepted == false' '.bytes == 0'
	done
}

@test "resume: each arc to RESUMING ends in ERROR: reset, and as blank as it was" {
	local k

	image
	faulty error= "${load[@]}"
	for k in 0 1 2; do
		migctl 81 --json resume --no-hold "$(device $k)" image
		judge "$(device $k)" 81 device-error/none running
		expect_message 'failed, the device is in error: ' 'the device was reset and is in running'
	done
}

@test "resume: each arc to RESUMING is never answered: the device is where it was" {
	local k

	image
	faulty stall= "${load[@]}"
	swept_load
	for k in 0 1 2; do
		finish load_$k 76
		judge "$(device $k)" 76 aborted/none running
		expect_message "$(stays "${load[k]}")" \
			'silent for 1 s'
	done
}

@test "resume: the driver does not accept the state, whatever it says: reset and stopped" {
	local k status=(65 74 75) # a busy one is for another try

	image
	emu_start --state-size $size --devices 3 --fault 0@fail=resuming:stop:EINVAL \
		--fault 1@error=resuming:stop --fault 2@drain=resuming:stop:300ms
	for k in 0 1 2; do
		migctl "${status[k]}" --json resume --no-hold --drain-timeout=0 "$(device $k)" image
		judge "$(device $k)" "${status[k]}" aborted/none stop
		expect_message 'the driver did not accept the state: ' 'resuming to stop failed' \
			'; the device was reset and is in stop'
		expect_json '.accepted == false' ".bytes == $size" '.recovery.reset and .recovery.ok'
	done
}

@test "resume: a driver that is busy when the load ends is asked again" {
	image
	emu_start --state-size $size --fault drain=resuming:stop:300ms
	migctl 0 --json resume --no-hold --drain-timeout=60 "$A" image
	judge "$A" 0 completed/destination running
	expect_json 'any(.arcs[]; .from == "resuming" and .error == "EBUSY")'
}

@test "resume: the driver never says whether it accepts the state: reset and stopped" {
	image
	emu_start --state-size $size --fault stall=resuming:stop
	migctl 76 --json resume --no-hold --timeout 1 "$A" image
	judge "$A" 76 aborted/none stop
	[[ $stderr != *'did not accept'* ]]
	expect_message 'resuming to stop failed, the device is in resuming: ' 'silent for 1 s' \
		'the device was reset and is in stop'
}

@test "resume: an accepted state that does not start: kept, and stopped" {
	local k owner=(destination destination none none) state=(stop stop error error)
	local note=('the device has the state, and is stopped' 'the device has the state, and is stopped'
		'the state is lost: the device is in error' 'the state is lost: the device is in error')

	image
	emu_start --state-size $size --devices 4 --fault 0@fail=stop:running-p2p:EIO \
		--fault 1@fail=running-p2p:running:EIO --fault 2@error=stop:running-p2p \
		--fault 3@error=running-p2p:running
	for k in 0 1 2 3; do
		migctl 81 --json resume --no-hold "$(device $k)" image
		judge "$(device $k)" 81 device-error/${owner[k]} ${state[k]}
		expect_message "$(fails "${launch[k % 2]}")" '(EIO)' "${note[k]}"
		expect_json '.accepted' '.recovery.reset | not'
	done
}

@test "resume: an accepted state whose start is never answered: kept, and stopped" {
	local k

	image
	faulty stall= "${launch[@]}"
	swept_load
	for k in 0 1; do
		finish load_$k 81
		judge "$(device $k)" 81 device-error/destination stop
		expect_message "$(fails "${launch[k]}")" 'silent for 1 s' \
			'the device has the state, and is stopped'
	done
}

@test "resume: a reset that is busy is tried again, one that fails is told" {
	image
	emu_start --state-size $size --fault fail=resuming:stop:EINVAL \
		--fault '0@refuse-reset=EAGAIN*3' --fault '1@refuse-reset=EIO'
	migctl 65 --json resume --no-hold "$A" image
	judge "$A" 65 aborted/none stop
	expect_json '.recovery.reset'
	migctl 81 --json resume --no-hold "$B" image
	judge "$B" 81 device-error/none resuming
	expect_message 'it could not be brought to stop: ' 'DEVICE_RESET: Input/output error (EIO)'
}

#
# Bytes of a resume
#

@test "resume: writing fails at every byte of interest: reset and stopped" {
	local k

	image
	faulty fail= "${offsets[@]/%/:ENOSPC}"
	for k in "${!offsets[@]}"; do
		migctl 74 --json resume --no-hold "$(device $k)" image
		judge "$(device $k)" 74 aborted/none stop
		expect_message 'MIG_DATA_WRITE: ' '(ENOSPC); the device was reset and is in stop'
		expect_json ".bytes <= ${offsets[k]}" '.accepted == false'
	done
	# From a pipe.
	record -74 bounded --json resume --no-hold "$A" - < <(cat image)
	judge "$A" 74 aborted/source stop
}

@test "resume: what fails behind the end does not fail" {
	image
	faulty fail= $size:EIO
	migctl 0 resume --no-hold "$A" image
	expect_state "$A" running
}

@test "resume: writing is never answered at every byte of interest: reset and stopped" {
	local k

	image
	faulty stall= "${offsets[@]}"
	swept_load
	for k in "${!offsets[@]}"; do
		finish load_$k 76
		judge "$(device $k)" 76 aborted/none stop
		expect_message 'MIG_DATA_WRITE: ' 'silent for 1 s: ' \
			'; the device was reset and is in stop'
	done
}

@test "resume: noise instead of a reply, once: reset and stopped" {
	local k

	image
	faulty garbage= "${offsets[@]/%/*1}"
	for k in "${!offsets[@]}"; do
		((k > 0)) || continue
		migctl 76 --json resume --no-hold --timeout 1 "$(device $k)" image
		judge "$(device $k)" 76 aborted/none stop
		expect_message 'the device was reset and is in stop'
	done
}

@test "resume: the server dies at every byte of interest: one line" {
	local at

	image
	for at in "${offsets[@]}"; do
		emu_start --state-size $size --fault die-at=$at
		migctl 81 --json resume --no-hold "$A" image
		emu_died
		judge "$A" 81 device-error/none gone
		expect_message "$A: " 'it could not be brought to stop'
		expect_json '.state == null' '.accepted == false'
		rm emu emu.1
	done
}

#
# Other commands
#

@test "state: an arc that fails or stalls: where it got to is told" {
	local k

	emu_start --devices 3 --fault 0@fail=stop:stop-copy:EIO --fault 1@error=stop:stop-copy \
		--fault '2@stall=stop:stop-copy'
	for k in 0 1; do
		migctl 81 --json state "$(device $k)" stop-copy
		expect_message "$(device $k): stop to stop-copy failed, the device is in " '(EIO)'
	done
	expect_state "$A" stop
	expect_state "$B" error
	record bounded --json state --timeout 1 vfio-user:emu.2 stop-copy
	((status == 76))
	expect_message 'stop to stop-copy failed, the device is in stop: ' 'silent for 1 s'
	expect_json '.state == "stop"'
	expect_state vfio-user:emu.2 stop
}

@test "info, state, reset: a server that talks noise: one line" {
	local command

	emu_start --fault garbage
	for command in info state reset; do
		migctl 76 $command --timeout 1 "$A"
		expect_message "$A: "
		[[ -z $output ]]
	done
}
