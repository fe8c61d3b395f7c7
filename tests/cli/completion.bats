#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the shells offer for values, devices and files; that they have every option, help.bats sees to.
# Each test asks all of the shells that there are.

setup()
{
	load ../helpers
	load ../complete
	completions=${top_srcdir:-$BATS_TEST_DIRNAME/../..}
	completions=$(cd "$completions" && pwd)/completions
	mkdir "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work"
	mkdir folder
	touch "folder/a file" folder/image
}

# The shells to ask; a test without any of these but bash is one of bash.
shells()
{
	local shell

	echo bash
	for shell in zsh fish; do
		! command -v "$shell" >/dev/null || echo "$shell"
	done
}

# offers LINE WORD...: each shell offers these words for the last one of the line, and no others.
offers()
{
	local line=$1 shell

	shift
	for shell in $(shells); do
		echo "$shell: $line"
		diff -u <(printf '%s\n' "$@" | sort -u) <("complete_$shell" "$line")
	done
}

# takes LINE...: what the shells offer for it, the program takes: it then complains of the device.
takes()
{
	local word

	for word in $(complete_bash "vfiomigctl $*"); do
		migctl 64 "${@:1:$#-1}" "$word" no-device file
		[[ $stderr == *"no-device: not a device name"* ]]
	done
}

@test "completion: values of options, in their own word and behind '='" {
	offers "vfiomigctl save --via " cdev group
	offers "vfiomigctl save --via=" --via=cdev --via=group
	offers "vfiomigctl save --leave=f" --leave=found
	offers "vfiomigctl save --on-divergence=" --on-divergence=abort --on-divergence=stop
	offers "vfiomigctl save --bandwidth-stop-copy 1G vfio0 --leave=f" --leave=found
	offers "vfiomigctl resume --map 1=vfio-user:folder/i" 1=vfio-user:folder/image
	offers "vfiomigctl resume --map=1=vfio-user:folder/i" --map=1=vfio-user:folder/image
	offers "vfiomigctl info --protocol=" --protocol=v1 --protocol=v2
	offers "vfiomigctl --progress=" --progress=always --progress=auto --progress=json --progress=never
	offers "vfiomigctl save --bandwidth=10" --bandwidth=10M --bandwidth=100M
	offers "vfiomigctl save --compress=zstd:1" --compress=zstd:1 --compress=zstd:19
}

@test "completion: the values that are offered are taken" {
	local option

	for option in via protocol progress leave compress bandwidth bandwidth-stop-copy on-divergence; do
		takes save --pre-copy "--$option="
	done
}

@test "completion: forms of DEV, and sockets behind vfio-user:" {
	offers "vfiomigctl save vfio-" vfio-user:
	offers "vfiomigctl save hol" hold:
	offers "vfiomigctl save pi" pid:
	offers "vfiomigctl info uni" unix:
	offers "vfiomigctl list unix:folder/i" unix:folder/image
	offers "vfiomigctl list hold:folder/i" hold:folder/image
	offers "vfiomigctl hold --on-request=ref" --on-request=refuse
	offers "vfiomigctl info fd" fd:
	offers "vfiomigctl list vfio-user:fol" vfio-user:folder
	offers "vfiomigctl list vfio-user:folder/" "vfio-user:folder/a file" vfio-user:folder/image
	offers "vfiomigctl state vfio-user:folder/i" vfio-user:folder/image
	offers "vfiomigctl inspect --diff=vfio-user:folder/i" --diff=vfio-user:folder/image
	offers "vfiomigctl verify --on vfio-user:folder/i" vfio-user:folder/image
	offers "vfiomigctl state vfio-user:folder/image run" running running-p2p
}

@test "completion: forms of FILE, and files behind file: and unix:" {
	offers "vfiomigctl save vfio0 " exec: fd: file: folder hold: pid: tcp: unix: vfio-user: vsock:
	offers "vfiomigctl save vfio-user:emu " exec: fd: file: folder hold: pid: tcp: unix: vfio-user: vsock:
	offers "vfiomigctl save vfio0 vfio1 vfio2 " exec: fd: file: folder hold: pid: tcp: unix: vfio-user: vsock:
	offers "vfiomigctl resume vfio0 " exec: fd: file: folder hold: pid: unix: vfio-user:
	offers "vfiomigctl resume vfio0 vfio1 vfio2 " exec: fd: file: folder hold: pid: unix: vfio-user:
	offers "vfiomigctl resume --listen 3b:00.1 " fd: folder hold: pid: tcp: unix: vfio-user: vsock:
	offers "vfiomigctl save vfio0 vfio-user:folder/i" vfio-user:folder/image
	offers "vfiomigctl resume vfio0 vfio-user:folder/i" vfio-user:folder/image
	offers "vfiomigctl save --report folder/i" folder/image
	offers "vfiomigctl verify " exec: fd: file: folder
	offers "vfiomigctl extract folder/image " exec: fd: file: folder
	offers "vfiomigctl save vfio0 unix:fol" unix:folder
	offers "vfiomigctl save vfio0 unix:folder/" "unix:folder/a file" unix:folder/image
	offers "vfiomigctl inspect file:folder/i" file:folder/image
	offers "vfiomigctl inspect folder/" "folder/a file" folder/image
	offers "vfiomigctl info --diff=folder/" "--diff=folder/a file" --diff=folder/image
}

@test "completion: vfiomig-emu's profiles and faults are those that it has" {
	local profiles faults deviations

	mapfile -t profiles < <("$VFIOMIG_EMU" --list-profiles | awk 'NR > 1 { print "--profile=" $1 }')
	((${#profiles[@]} > 1))
	offers "vfiomig-emu --profile=" "${profiles[@]}"
	faults=$("$VFIOMIG_EMU" --socket x --fault nosuch 2>&1 | sed -n 's/.* is no kind of fault: \(.*\) (see .*/\1/p')
	[[ -n $faults ]]
	diff -u <(sed 's/ or /, /; s/, /\n/g' <<<"$faults" | sort -u) \
		<(complete_bash "vfiomig-emu --fault " | tr -d = | sort -u)
	# shellcheck disable=SC2046 # words
	offers "vfiomig-emu --fault " $(complete_bash "vfiomig-emu --fault ")
	mapfile -t deviations < <("$VFIOMIG_EMU" --list-deviations | awk '{ print $1 }')
	((${#deviations[@]} > 40))
	PATH=${VFIOMIG_EMU%/*}:$PATH offers "vfiomig-emu --deviate " "${deviations[@]}"
	offers "vfiomig-emu --socket folder/" "folder/a file" folder/image
	offers "vfiomig-emu --caps=stop-copy,pre" --caps=stop-copy,pre-copy
}
