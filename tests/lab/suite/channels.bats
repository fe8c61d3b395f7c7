#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What sockets need a kernel of our own for: vsock, another host, a link that goes down, and a device
# that sysfs tells of. The rest is in tests/cli/channels.bats.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash

setup()
{
	lab_setup
	reference 20
	fill "$A" 20
}

# receive COMMAND...: runs until it listens; $at is where.
receive()
{
	start resume "$@"
	eventually listens
	read -r _ _ _ at <resume.err
}

listens()
{
	[[ $(<resume.err) == *': listening on '* ]]
}

# An emulated device, as big and slow as it takes; $emu is its process.
emulate()
{
	start emu "$VFIOMIG_EMU" --socket emu --exit-with-parent "$@"
	eventually test -s emu.out
}

# Two hosts with a link: 10.0.0.1 is this one, 10.0.0.2 is "far".
two_hosts()
{
	ip netns add far
	ip link add near type veth peer name eth0 netns far
	ip address add 10.0.0.1/24 dev near
	ip -n far address add 10.0.0.2/24 dev eth0
	ip link set near up
	ip -n far link set eth0 up
}

one_host()
{
	ip netns delete far
	eventually no_link
}

no_link()
{
	[[ ! -e /sys/class/net/near ]]
}

@test "sockets: vsock" {
	receive "$VFIOMIGCTL" resume --listen --insecure --clone --no-hold "$B" vsock:1:0
	[[ $at =~ ^vsock:1:[1-9][0-9]*$ ]]
	migctl 0 save --insecure --leave=stop "$A" "$at"
	finish resume 0
	expect_state "$A" stop
	expect_state "$B" running
	expect_contents "$B"
	migctl 73 save --insecure "$A" "$at"
	expect_message "$at: cannot connect"
	expect_state "$A" stop
}

@test "sockets: vsock, by TLS" {
	local keys=$BATS_TEST_TMPDIR/keys

	mkdir "$keys"
	(umask 077 && printf 'ann:%032d\n' 1 >"$keys/keys.psk")
	receive "$VFIOMIGCTL" resume --listen --tls-creds "$keys" --clone --no-hold "$B" vsock:1:0
	migctl 78 save --insecure "$A" "$at"
	expect_message 'speaks something else: TLS'
	migctl 0 save --tls-creds "$keys" --leave=stop "$A" "$at"
	finish resume 0
	expect_state "$A" stop
	expect_state "$B" running
	expect_contents "$B"
}

@test "sockets: vsock from another machine than the one that was named" {
	receive "$VFIOMIGCTL" resume --listen --insecure --no-hold "$B" vsock:3:0
	migctl 75 save --insecure "$A" "vsock:1:${at##*:}"
	expect_message 'refused by the receiver: machine 1 is at the other end, not 3'
	kill -TERM "$resume"
	finish resume 75
	[[ $stderr == *'turned away: machine 1 is at the other end, not 3'* ]]
	receive "$VFIOMIGCTL" resume --listen --insecure --clone --no-hold "$B" "vsock:*:0"
	migctl 0 save --insecure "$A" "vsock:1:${at##*:}"
	finish resume 0
}

@test "sockets: an image of another kind of device is turned away before anything is opened" {
	make_device C mdpy-vga
	receive "$VFIOMIGCTL" resume --listen "$C" unix:it
	migctl 75 save "$A" unix:it
	expect_message 'unix:it: refused by the receiver: ' 'the image is of another device'
	expect_state "$A" running
	migctl 75 save "$A" unix:it
	[[ $(grep -c 'unix:it (process .* of user 0): turned away: .*of another device' resume.err) == 2 ]]
	run ! grep -E 'vfio|iommu' <(readlink "/proc/$resume/fd/"*)
	kill -TERM "$resume"
	finish resume 75
}

@test "sockets: from another host, which has to be wanted" {
	two_hosts
	migctl 78 resume --listen --no-hold "$B" tcp:10.0.0.1:0
	expect_message 'TCP is neither encrypted nor authenticated'
	migctl 78 save "$A" tcp:10.0.0.1:1
	receive "$VFIOMIGCTL" resume --listen --insecure --no-hold "$B" tcp:0.0.0.0:0
	record ip netns exec far "$VFIOMIGCTL" save --insecure "$A" \
		"tcp:10.0.0.1:${at##*:}"
	((status == 0))
	finish resume 0
	expect_contents "$B"
	one_host
}

@test "sockets: a name that no server looks up can be interrupted" {
	cat >dns.py <<-'END'
		import socket, time

		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("127.0.0.1", 53))
		print("ready", flush=True)
		s.recv(4096)
		print("asked", flush=True)
		time.sleep(1000)
	END
	ip link set lo up
	echo 'nameserver 127.0.0.1' >resolv.conf
	echo 'hosts: dns' >nsswitch.conf
	start dns python3 dns.py
	eventually grep -q ready dns.out
	start save unshare -m sh -c 'mount --bind resolv.conf /etc/resolv.conf &&
		mount --bind nsswitch.conf /etc/nsswitch.conf && exec "$@"' - \
		"$VFIOMIGCTL" save --insecure "$A" tcp:far.example:1
	eventually grep -q asked dns.out
	kill -TERM "$save"
	finish save 75
	expect_message 'interrupted'
	expect_state "$A" running
	kill "$dns"
	finish dns 143
}

@test "sockets: a link that goes down is found out at both ends" {
	two_hosts
	emulate --devices 2 --state-size 1G --data-rate 4M
	receive "$VFIOMIGCTL" resume --listen --insecure --timeout=3 --no-hold vfio-user:emu.1 \
		tcp:10.0.0.1:0
	start save ip netns exec far "$VFIOMIGCTL" --progress=json save --insecure --timeout=3 \
		--leave=stop vfio-user:emu "$at"
	eventually grep -qE '"bytes":[0-9]{7}' save.err
	ip link set near down
	# Of the two clocks that find it out, the system's and ours, either may be first at each end.
	finish save 75
	expect_message 'the device is in running again'
	[[ $stderr == *'silent for 3 s'* || $stderr == *'Connection timed out'* ]]
	finish resume 75
	expect_message 'the device was reset and is in stop'
	[[ $stderr == *'silent for 3 s'* || $stderr == *'Connection timed out'* ]]
	kill "$emu"
	finish emu 0
	one_host
}
