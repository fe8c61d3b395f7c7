#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# How far a set of devices is, on a terminal and elsewhere.

# shellcheck disable=SC2154 # variables are emu.bash's and its functions'
load ../emu

setup()
{
	emu_setup
	C=vfio-user:emu.2
}

teardown()
{
	emu_teardown
}

# on_terminal COLUMNS ROWS ARG...: the tool with a terminal of that size for standard error, until it
# has drawn its progress twice; then it is asked by SIGUSR1, and stopped. Prints all that came, with
# words for what moves the cursor.
on_terminal()
{
	python3 - "$tool" "$@" <<-'END'
		import fcntl, os, pty, re, signal, struct, subprocess, sys, termios

		columns, rows = int(sys.argv[2]), int(sys.argv[3])
		master, slave = pty.openpty()
		fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
		tool = subprocess.Popen([sys.argv[1], *sys.argv[4:]], stdout=subprocess.DEVNULL, stderr=slave)

		def read_until(pattern):
		    text = b""
		    while not re.search(pattern, text, re.S):
		        text += os.read(master, 4096)
		    return text.decode()

		text = read_until(rb"\x1b\[[KJ].+\x1b\[[KJ].+")
		tool.send_signal(signal.SIGUSR1)
		text += read_until(rb"3 devices: .*\n.*emu.2.*\n")
		tool.send_signal(signal.SIGINT)
		assert tool.wait() == 75
		text = text.replace("\r\n", "\n").replace("\r", "<start>").replace("\x1b[K", "<clear>\n")
		print(text.replace("\x1b[J", "<below>\n").replace("\x1b[3A", "<up 3>"))
	END
}

# Three devices that take minutes.
slow_devices()
{
	emu_start --devices 3 --state-size 64M --data-rate 256K
}

@test "progress: a line a device, drawn in place where they fit" {
	local figures='  +[0-9.]+ K?i?B  +[0-9.]+ [KM]?i?B/s' line

	require python3
	slow_devices
	on_terminal 80 24 save "$A" "$B" "$C" image 3>&- >text
	cat text
	mapfile -t line <text
	[[ ${line[0]} == '<start><clear>' ]]
	[[ ${line[1]} =~ ^"3 devices: stop-copy"$figures ]]
	[[ ${line[2]} =~ ^"vfio-user:emu    stop-copy   "$figures$ ]]
	[[ ${line[3]} =~ ^"vfio-user:emu.1  stop-copy   "$figures$ ]]
	[[ ${line[4]} =~ ^"vfio-user:emu.2  stop-copy   "$figures'<start><up 3><below>'$ ]]
	[[ ${line[5]} =~ ^"3 devices: stop-copy"$figures && ${line[6]} == "vfio-user:emu  "* ]]
}

@test "progress: one line for all where the terminal has no room for more" {
	require python3
	slow_devices
	on_terminal 80 4 save "$A" "$B" "$C" image 3>&- >text
	cat text
	# What is drawn, by the marks in front of it; the answer to SIGUSR1 has all.
	[[ $(<text) != *'<up 3>'* ]]
	[[ $(sed '/^3 devices: /,$d' text) != *emu.1* ]]
	[[ $(<text) == *$'\nvfio-user:emu.1  stop-copy '* ]]
}

@test "progress: one line for all where there is no terminal, and JSON has each device" {
	slow_devices
	start save --progress=always save "$A" "$B" "$C" image
	eventually said $'\n3 devices: stop-copy  ' save.err
	kill -INT "$save"
	finish save 75
	[[ $stderr != *'emu.1  stop-copy'* ]]

	start save --progress=json save "$A" "$B" "$C" image
	eventually said '"event":"progress"' save.err
	kill -INT "$save"
	finish save 75
	grep '"event":"progress"' save.err >lines
	cat lines >>"$BATS_FILE_TMPDIR/reports.$BATS_TEST_NUMBER"
	jq -se '.[0].devices | map(.address) == ["vfio-user:emu", "vfio-user:emu.1", "vfio-user:emu.2"]' lines
	jq -se 'all(.bytes == ([.devices[].bytes] | add))' lines
	# Later ones may be of the way back.
	jq -se '.[0] | .phase == "stop-copy" and .state == "stop-copy"' lines
	jq -se 'all(has("device") | not)' lines
}
