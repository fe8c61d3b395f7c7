#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Connections by TLS: who is let in, and who is not, whoever made the other end.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are emu.bash's and run's, or theirs
load ../emu
load ../certs

setup_file()
{
	command -v openssl >/dev/null || return 0
	certs_make "$BATS_FILE_TMPDIR/certs"
}

setup()
{
	require openssl
	emu_setup
	certs=$BATS_FILE_TMPDIR/certs
	printf 'ann:%032d\n' 1 >key
	mkdir psk psk-other psk-two
	(umask 077 && cat key >psk/keys.psk && printf 'ann:%032d\n' 2 >psk-other/keys.psk &&
		{ printf 'bob:%032d\n' 3 && cat key; } >psk-two/keys.psk)
}

teardown()
{
	emu_teardown
}

# receive PLACE ARG...: the second device is loaded by the first good sender that connects to PLACE.
receive()
{
	local place=$1

	shift
	: >resume.err
	start resume -v resume --listen --no-hold --stop "$@" "$B" "$place"
	eventually said 'listening on ' resume.err
	at=$(sed -n 's/.*: listening on //p' resume.err)
}

# turned_away TEXT: the receiver says so of the last one that has connected.
turned_away()
{
	eventually warned "$1"
}

warned()
{
	[[ $(grep 'turned away' resume.err | tail -n 1) == *"turned away: "*"$1"* ]]
}

@test "tls: a state goes from device to device, over every kind of socket" {
	local digest

	emu_start --state-size 3M
	register emu digest
	digest=$register
	for place in tcp:127.0.0.1:0 unix:it; do
		receive "$place" --tls-creds "$certs/good" --tls-authz '*,CN=client'
		[[ $place != unix:* ]] || set -- --tls-hostname server.example
		migctl 0 -v save --tls-creds "$certs/good" --leave=stop "$@" "$A" "$at"
		[[ $stderr == *'speaks TLS 1.3 and is O=Test,CN=server'* ]]
		finish resume 0
		[[ $stderr == *'speaks TLS 1.3 and is O=Test,CN=client'* ]]
		register emu.1 digest
		[[ $register == "$digest" ]]
		set_state "$A" running
	done
	reference "$A"
	migctl 0 state "$B" stop
}

@test "tls: a move: who is refused learns it before its device is touched" {
	local events

	emu_start --state-size 3M --event-log events
	start receive receive --no-hold --run --state-dir there --tls-creds "$certs/good" "$B" \
		tcp:127.0.0.1:0
	eventually said 'listening on ' receive.err
	at=tcp:localhost:$(sed -n 's/.*: listening on .*:\([0-9]*\)$/\1/p' receive.err)
	events=$(wc -l <events)
	migctl 78 migrate --state-dir here --tls-creds "$certs/stranger" "$A" "$at"
	expect_message 'refuses this end by TLS: CA is unknown'
	migctl 78 migrate --state-dir here --insecure "$A" "$at"
	expect_message 'speaks something else: TLS' '--tls-creds'
	[[ $(wc -l <events) == "$events" ]]
	migctl 0 migrate --state-dir here --tls-creds "$certs/good" "$A" "$at"
	finish receive 0
	expect_state "$A" stop
	expect_state "$B" running
}

# A row: client's folder and options | server's folder and options | what the client says | what the
# server says; "-": all is well.
table()
{
	local client server says hears

	emu_start
	reference "$A"
	while IFS='|' read -r client server says hears; do
		echo "row: $client|$server"
		# shellcheck disable=SC2086 # several words
		receive tcp:127.0.0.1:0 --tls-creds $server
		if [[ $says == - ]]; then
			# shellcheck disable=SC2086
			migctl 0 save --leave=stop --tls-creds $client "$A" "tcp:localhost:${at##*:}"
			finish resume 0
			holds "$B"
			continue
		fi
		# shellcheck disable=SC2086
		migctl 78 save --tls-creds $client "$A" "tcp:localhost:${at##*:}"
		expect_message "$says"
		expect_state "$A" stop
		[[ -z $hears ]] || turned_away "$hears"
		kill -TERM "$resume"
		finish resume 75
	done
}

@test "tls: certificates: who is let in" {
	table <<-END
		$certs/good|$certs/good|-|
		$certs/good --tls-hostname server.example|$certs/good|-|
		$certs/good --tls-hostname=127.0.0.1|$certs/good|-|
		$certs/good --tls-authz=*CN=server|$certs/good --tls-authz=O=Test,CN=cl?ent|-|
		$certs/good|$certs/crl --tls-authz=*|refuses this end by TLS: |is revoked
		$certs/good --tls-hostname other.example|$certs/good|is for another host than other.example|refuses this end by TLS:
		$certs/good|$certs/good --tls-authz=*CN=other|refuses this end by TLS: |'O=Test,CN=client' does not fit --tls-authz
		$certs/good --tls-authz=*CN=other|$certs/good|'O=Test,CN=server' does not fit --tls-authz|refuses this end by TLS:
	END
}

@test "tls: certificates: who is not what a certificate is for" {
	table <<-END
		$certs/expired --tls-hostname=server.example|$certs/good|refuses this end by TLS: |has expired
		$certs/good --tls-hostname=server.example|$certs/expired|has expired|refuses this end by TLS:
		$certs/stranger --tls-hostname=server.example|$certs/good|refuses this end by TLS: |is not signed by the authority
		$certs/good --tls-hostname=server.example|$certs/stranger|is not signed by the authority|refuses this end by TLS:
		$certs/good --tls-hostname=client.example|$certs/swapped|is for another purpose|refuses this end by TLS:
		$certs/swapped|$certs/good|refuses this end by TLS: |is for another purpose
	END
}

@test "tls: an end that is turned away after it has sent all has moved nothing" {
	emu_start --state-size 4K
	reference "$A"
	receive tcp:127.0.0.1:0 --tls-creds "$certs/good"
	python3 "$BATS_TEST_DIRNAME/late-relay.py" "${at##*:}" >relay.out 3>&- &
	relay=$!
	eventually test -s relay.out
	read -r port <relay.out
	migctl 78 --json save --tls-creds "$certs/stranger" --tls-hostname=server.example "$A" "tcp:localhost:$port"
	expect_json '.outcome == "aborted"' '.owner == "source"'
	[[ $stderr == *'refuses this end by TLS: '* ]]
	expect_state "$A" stop
	turned_away 'is not signed by the authority'
	wait "$relay"
	kill -TERM "$resume"
	finish resume 75
}

@test "tls: keys: to know the key of a user is to be let in" {
	table <<-END
		psk|psk|-|
		psk --tls-psk-user ann|psk-two|-|
		psk-two --tls-psk-user ann|psk --tls-psk-user ann|-|
		psk-other|psk|refuses this end by TLS: |TLS:
		psk-two --tls-psk-user bob|psk|refuses this end by TLS: |user 'bob' is none of keys.psk
		psk-two --tls-psk-user bob|psk-two --tls-psk-user ann|refuses this end by TLS: |user 'bob' is none of keys.psk
		psk|$certs/good|has certificates, and this end keys.psk|refuses this end by TLS:
		$certs/good|psk|refuses this end by TLS: |TLS:
	END
}

@test "tls: what cannot be is refused before anything is touched" {
	emu_start
	cp -r "$certs/good" bad
	chmod 644 bad/client-key.pem
	migctl 78 save --tls-creds bad "$A" tcp:127.0.0.1:1
	expect_message 'bad/client-key.pem: other users may use it' 'chmod 600 bad/client-key.pem'
	chmod 640 psk/keys.psk
	migctl 78 resume --listen --tls-creds psk "$B" tcp:127.0.0.1:0
	expect_message 'psk/keys.psk: other users may use it' 'chmod 600 psk/keys.psk'
	migctl 78 save --tls-creds nowhere "$A" tcp:127.0.0.1:1
	expect_message 'nowhere/ca-cert.pem: No such file or directory'
	rm bad/client-cert.pem
	migctl 78 save --tls-creds bad "$A" tcp:127.0.0.1:1
	expect_message 'bad/client-cert.pem: No such file or directory'
	echo junk >bad/ca-cert.pem
	migctl 78 save --tls-creds bad "$A" tcp:127.0.0.1:1
	expect_message 'bad/ca-cert.pem: '
	cp "$certs/server-key.pem" bad/server-key.pem
	cp "$certs/client-cert.pem" bad/server-cert.pem
	cp "$certs/good/ca-cert.pem" bad/ca-cert.pem
	migctl 78 resume --listen --tls-creds bad "$B" tcp:127.0.0.1:0
	expect_message 'bad/server-key.pem: '
	migctl 64 save --tls-creds psk-two "$A" tcp:127.0.0.1:1
	expect_message 'psk-two/keys.psk: has several users' '--tls-psk-user'
	migctl 64 save --dry-run --tls-creds "$certs/good" "$A" unix:it
	expect_message 'unix:it: has no host name' '--tls-hostname'
	migctl 64 save --tls-creds "$certs/good" "$A" unix:it
	migctl 64 save --tls-creds "$certs/good" "$A" image
	expect_message 'image: is no socket'
	migctl 64 save --tls-hostname x "$A" tcp:127.0.0.1:1
	[[ $stderr == *'--tls-hostname is for --tls-creds'* ]]
	migctl 64 resume --tls-creds "$certs/good" "$B" image
	[[ $stderr == *'--tls-creds is for --listen'* ]]
	migctl 64 resume --listen --tls-hostname x --tls-creds "$certs/good" "$B" unix:it
	expect_message '--tls-hostname is for the end that connects'
	# A host of another machine needs no more than that.
	migctl 0 save --dry-run --tls-creds "$certs/good" "$A" tcp:192.0.2.1:1
	migctl 78 save --dry-run "$A" tcp:192.0.2.1:1
	expect_message '--tls-creds'
	expect_state "$A" running
	expect_state "$B" running
}

@test "tls: an end without it is told apart from one with it" {
	emu_start
	receive tcp:127.0.0.1:0 --tls-creds "$certs/good"
	migctl 78 save --insecure "$A" "$at"
	expect_message 'speaks something else: TLS' '--tls-creds'
	turned_away 'speaks without TLS: an image'
	expect_state "$A" running
	run end GET
	turned_away 'speaks without TLS: HTTP'
	migctl 0 save --tls-creds "$certs/good" "$A" "$at"
	finish resume 0

	receive tcp:127.0.0.1:0 --insecure
	migctl 78 save --tls-creds "$certs/good" "$A" "$at"
	expect_message 'speaks without TLS: the answer to an image'
	turned_away 'speaks something else: TLS'
	migctl 0 save --insecure "$A" "$at"
	finish resume 0
}

# end WHAT [PORT]: another end than ours, by Python's ssl, which is OpenSSL's.
#	GET		says something in the clear
#	sink CERTS	a receiver that says nothing; what it hears goes into the file "received"
#	sink12 CERTS	the same by TLS 1.2 alone
#	send CERTS	sends the file "image", with a client certificate of that folder
#	anonymous	as send, without one
#	tls12		as send, by TLS 1.2 alone
#	cut CERTS	as send, and breaks the connection without an end
#	drip		a ClientHello, a byte at a time, for ever
#	many		a thousand connections: silent ones, junk, too large records, halves of a
#			handshake
end()
{
	cat >end.py <<-'END'
		import os, socket, ssl, struct, sys, time

		what, certs = sys.argv[1], sys.argv[3] if len(sys.argv) > 3 else ""

		def connect():
		    return socket.create_connection(("127.0.0.1", int(sys.argv[2])))

		def context():
		    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
		    c.load_verify_locations(os.environ["CERTS"] + "/good/ca-cert.pem")
		    if certs:
		        c.load_cert_chain(certs + "/client-cert.pem", certs + "/client-key.pem")
		    if what == "tls12":
		        c.maximum_version = ssl.TLSVersion.TLSv1_2
		    return c

		def hello():
		    to, out = ssl.MemoryBIO(), ssl.MemoryBIO()
		    o = context().wrap_bio(to, out, server_hostname="localhost")
		    try:
		        o.do_handshake()
		    except ssl.SSLWantReadError:
		        return out.read()

		def verdict(s):
		    answer = b""
		    while len(answer) < 512:
		        more = s.recv(512 - len(answer))
		        if not more:
		            break
		        answer += more
		    print("no answer" if len(answer) < 512 else
		          ["accepted", "refused"][answer[12]] + " " + answer[48:504].rstrip(b"\0").decode())

		if what in ("sink", "sink12"):
		    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		    c.load_cert_chain(certs + "/server-cert.pem", certs + "/server-key.pem")
		    c.load_verify_locations(certs + "/ca-cert.pem")
		    c.verify_mode = ssl.CERT_REQUIRED
		    if what == "sink12":
		        c.maximum_version = ssl.TLSVersion.TLSv1_2
		    l = socket.create_server(("127.0.0.1", 0))
		    print("listens at", l.getsockname()[1], flush=True)
		    try:
		        s = c.wrap_socket(l.accept()[0], server_side=True)
		        with open("received", "wb") as f:
		            while data := s.recv(1 << 20):
		                f.write(data)
		    except (ssl.SSLError, ConnectionError) as e:
		        print("ended:", getattr(e, "reason", None) or e)
		    names = [n for n in s.getpeercert()["subject"]]
		    print("got all from CN=" + names[-1][0][1], flush=True)
		if what == "GET":
		    s = connect()
		    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
		    print(s.recv(100).hex())
		elif what in ("send", "anonymous", "tls12", "cut"):
		    try:
		        s = context().wrap_socket(connect(), server_hostname="localhost")
		        data = open("image", "rb").read()
		        if what == "cut":
		            s.sendall(data[:len(data) // 2])
		            s.detach()
		            sys.exit()
		        s.sendall(data)
		        verdict(s)
		    except (ssl.SSLError, ConnectionError) as e:
		        print("error:", getattr(e, "reason", None) or e)
		elif what == "drip":
		    s = connect()
		    print("waits", flush=True)
		    try:
		        for byte in hello():
		            s.sendall(bytes([byte]))
		            time.sleep(0.1)
		        s.recv(1)
		    except OSError:
		        pass
		    print("ended", flush=True)
		elif what == "many":
		    first = hello()
		    kinds = [b"", os.urandom(4096), b"\x16\x03\x01\xff\xff" + bytes(65535), first[:100],
		             first, b"\x17\x03\x03\x40\x00" + bytes(16384), b"\x15\x03\x03\x00\x02\x02\x28"]
		    kept = []
		    for i in range(1000):
		        s = connect()
		        try:
		            s.sendall(kinds[i % len(kinds)])
		        except OSError:
		            pass
		        kept = kept[-50:] + [s]
		    print("all have come", flush=True)
		    time.sleep(1000)
	END
	CERTS=$certs python3 end.py "$1" "${at##*:}" "${@:2}" 3>&-
}

@test "tls: a sender that is not of our making" {
	require python3
	emu_start --state-size 3M
	migctl 0 save --leave=stop "$A" image
	receive tcp:127.0.0.1:0 --tls-creds "$certs/good" --timeout=5
	run end anonymous
	[[ $output == 'error: '* ]]
	turned_away 'has no certificate'
	run end tls12 "$certs/good"
	[[ $output == 'error: '* ]]
	turned_away 'TLS: '
	run end send "$certs/stranger"
	[[ $output == 'error: '* ]]
	turned_away 'is not signed by the authority'
	run end send "$certs/good"
	[[ $output == 'accepted ' ]]
	finish resume 0
	reference "$A"
	holds "$B"

	receive tcp:127.0.0.1:0 --tls-creds "$certs/good" --timeout=5
	run end cut "$certs/good"
	finish resume 75
	[[ $stderr == *'the connection was cut'* ]]
	expect_state "$B" stop
}

@test "tls: a receiver that is not of our making" {
	require python3
	emu_start --state-size 3M
	receiver()
	{
		: >other.out
		at=''
		end "$@" >other.out 2>&1 &
		started+=("$!")
		eventually said 'listens at ' other.out
		at=tcp:localhost:$(sed -n 's/^listens at //p' other.out)
	}
	receiver sink "$certs/good"
	migctl 75 save --timeout=1 --tls-creds "$certs/good" "$A" "$at"
	expect_message 'silent for 1 s'
	eventually said 'got all from CN=client' other.out
	migctl 0 verify received
	receiver sink12 "$certs/good"
	migctl 78 save --tls-creds "$certs/good" "$A" "$at"
	expect_message 'TLS: '
	receiver sink "$certs/good"
	migctl 78 save --tls-creds "$certs/stranger" "$A" "$at"
	expect_message 'refuses this end by TLS: CA is unknown'
	receiver sink "$certs/good"
	migctl 78 save --tls-creds "$certs/swapped" "$A" "$at"
	expect_message 'refuses this end by TLS: '
	expect_state "$A" running
}

# Both ends' keys are changed while the connection is there; what then comes back is under new ones.
@test "tls: keys that change under way" {
	emu_start
	receive tcp:127.0.0.1:0 --tls-creds "$certs/good"
	mkfifo in
	openssl s_client -connect "${at#tcp:}" -CAfile "$certs/good/ca-cert.pem" \
		-cert "$certs/good/client-cert.pem" -key "$certs/good/client-key.pem" \
		<in >other.out 2>&1 3>&- &
	started+=("$!")
	exec 4>in
	printf 'K\n' >&4
	eventually said KEYUPDATE other.out
	# One line, which bash writes by one call: the client ends once the first bytes are refused, and
	# a second call would end this test by SIGPIPE.
	printf 'GET / HTTP/1.0\r\n' >&4
	eventually grep -qa 'speaks something else: HTTP' other.out
	exec 4>&-
	turned_away 'speaks something else: HTTP'
	kill -TERM "$resume"
	finish resume 75
}

@test "tls: a thousand who are not let in keep no sender out" {
	local peak

	require python3
	emu_start
	# What ASan keeps of freed memory is not the tool's.
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1 \
		receive tcp:127.0.0.1:0 --tls-creds "$certs/good" --timeout=30
	end drip >drip.out 2>&1 &
	started+=("$!")
	eventually said waits drip.out
	end many >many.out 2>&1 &
	started+=("$!")
	eventually said 'all have come' many.out
	peak=$(sed -n 's/^VmHWM:[ \t]*\([0-9]*\) kB/\1/p' "/proc/$resume/status")
	migctl 0 save --leave=stop --tls-creds "$certs/good" "$A" "$at"
	finish resume 0
	echo "$peak kB"
	((peak < 65536))
	reference "$A"
	holds "$B"
}

@test "tls: one that says a byte now and then has to go" {
	require python3
	emu_start
	receive tcp:127.0.0.1:0 --tls-creds "$certs/good" --timeout=1
	run end drip
	[[ $output == *ended ]]
	turned_away 'did not say in 1 s what it brings'
	kill -TERM "$resume"
	finish resume 75
}
