#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Files that a command must not touch: what it reads, and the device itself.

load ../emu

setup()
{
	emu_setup
	emu_start
	migctl 0 -q save "$A" a.img
	cp a.img whole
}

teardown()
{
	emu_teardown
}

# refused WHAT ARG...: misuse, said in one line, and the image is what it was.
refused()
{
	local what=$1

	shift
	migctl 64 "$@"
	expect_message "$what"
	[[ -z $output ]]
	cmp a.img whole
}

both='is both what is read and what is written'

@test "extract: an output that is the input by any name is refused" {
	ln -s a.img symbolic
	ln a.img hard
	mkdir sub
	refused "$both" extract --force a.img a.img
	refused "$both" extract --force a.img ./sub/../a.img
	refused "$both" extract --force a.img file:a.img
	refused "$both" extract --force symbolic a.img
	refused "$both" extract --force a.img symbolic
	refused "$both" extract --force a.img hard
	expect_files a.img hard sub symbolic whole
}

@test "extract: an output that is the input by a descriptor is refused" {
	refused "$both" extract fd:5 fd:6 5<a.img 6<>a.img
	refused "$both" extract --force fd:5 a.img 5<a.img
	refused "$both" extract --force - a.img <a.img
	refused "$both" extract --force /dev/stdin a.img <a.img
	refused "$both" extract a.img fd:6 6>>a.img
	run -64 bash -c '"$1" extract a.img - 1<>a.img' - "$tool"
	cmp a.img whole
}

@test "extract: one FIFO is not both ends" {
	mkfifo pipe
	refused "$both" extract pipe pipe
}

@test "extract: a socket has a direction for each" {
	python3 - "$tool" <<-'END'
		import socket, subprocess, sys

		ours, theirs = socket.socketpair()
		tool = subprocess.Popen([sys.argv[1], "extract", "-", "-"], stdin=theirs, stdout=theirs)
		theirs.close()
		ours.sendall(open("a.img", "rb").read())
		ours.shutdown(socket.SHUT_WR)
		stream = b"".join(iter(lambda: ours.recv(65536), b""))
		assert tool.wait() == 0
		open("stream", "wb").write(stream)
	END
	migctl 0 -q extract a.img wanted
	cmp stream wanted
}

@test "a report does not go to the file that is read" {
	local command

	for command in 'inspect' 'verify' 'inspect --json' 'verify --json' 'info vfio-user:emu --diff'; do
		# shellcheck disable=SC2086 # into words
		run -64 bash -c '"$@" >>a.img' - "$tool" $command a.img
		[[ $output == *'standard output is what is read'* ]]
		cmp a.img whole
	done
	refused '--status-fd: 7 is what is read' --status-fd=7 verify a.img 7>>a.img
}

@test "/dev/null may be both ends" {
	migctl 65 extract /dev/null /dev/null
	migctl 65 extract - - </dev/null
}

@test "save, resume: FILE is not the device" {
	reference "$A"
	set_state "$A" running
	refused 'is a device' save "$A" emu
	refused 'is a device' save "$A" unix:emu
	refused 'is a device' save --dry-run "$A" ./emu
	refused 'is a device' resume "$A" emu
	refused 'is a device' resume --listen "$A" unix:emu
	[[ -S emu ]]
	expect_state "$A" running
	has_run "$A"
}

@test "save: a socket that is there is no file, and not waited for" {
	migctl 73 save "$A" emu.1
	expect_message 'emu.1: cannot create' 'to connect to this socket: unix:emu.1'
	migctl 73 save --dry-run "$A" emu.1
}

# denied ARG...: the tool refuses with 77 what file modes forbid, which root is above, too.
denied()
{
	local above=()

	((EUID != 0)) || above=(setpriv --bounding-set "-dac_override,-dac_read_search" --)
	run --separate-stderr "${above[@]}" "$tool" "$@"
	printf '$ vfiomigctl'
	printf ' %q' "$@"
	printf '\n%s\n%s\n' "$output" "$stderr"
	((status == 77))
	[[ $stderr == "vfiomigctl: "*": Permission denied (EACCES)" ]]
}

@test "what the file system does not permit is 77, whatever it was to be" {
	mkdir -p closed folder
	mkfifo folder/fifo
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("folder/socket")'
	cp a.img folder/image
	chmod 0 folder/* closed
	chmod 555 folder
	denied save "$A" folder/new
	denied save --dry-run "$A" folder/new
	denied save --force "$A" folder/image
	denied save "$A" closed/new
	denied save "$A" folder/fifo
	denied save "$A" unix:folder/socket
	denied extract a.img folder/new
	denied extract a.img closed/new
	denied verify folder/image
	denied inspect closed/image
	denied resume "$A" folder/image
	denied resume --listen "$A" unix:folder/new
	denied info vfio-user:closed/emu
	[[ $(cd folder && echo *) == 'fifo image socket' ]]
	expect_state "$A" running
	chmod 755 folder closed
}

@test "save --dry-run: how much room there is" {
	migctl 0 --json save --dry-run "$A" big
	expect_json '.free_bytes > 0 and .expected_bytes == null'
	migctl 0 --json save --dry-run "$A" exec:cat
	expect_json 'has("free_bytes") | not'
}
