#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An end of a move that `recover` asks, written from the drawing in src/wire/message.h alone.

usage: recover-end.py SOCKET PHASE ROLE JOURNAL TXID GENERATION [silent|junk|flip|other]

Listens at SOCKET for one connection, says HELLO, and answers each ASK and TELL by TELL with PHASE,
a number, as an end of ROLE. Prints what it hears.
"""

import os
import socket
import struct
import subprocess
import sys

HELLO, HEARTBEAT, ASK, TELL = 1, 10, 11, 12
MANDATORY = 1
NAMES = {1: "HELLO", 9: "ABORT", 10: "HEARTBEAT", 11: "ASK", 12: "TELL"}

path, phase, role, journal, txid, generation = sys.argv[1:7]
what = sys.argv[7] if len(sys.argv) > 7 else ""
journal, txid, generation = bytes.fromhex(journal), bytes.fromhex(txid), int(generation)


def xxh3(data, seed=0):
    out = subprocess.run([os.environ["xxh3"], f"{seed:x}"], input=data, stdout=subprocess.PIPE,
                         check=True).stdout
    return int(out, 16)


def message(kind, payload, sequence):
    head = b"\x89VMP" + struct.pack("<HHIIQ", kind, 1, len(payload), 0, sequence)
    return head + struct.pack("<Q", xxh3(head, xxh3(payload) if payload else 0)) + payload


def read(peer, n):
    data = b""
    while len(data) < n:
        more = peer.recv(n - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data


def hear(peer):
    while True:
        head = read(peer, 32)
        magic, kind, flags, size, _, _, checksum = struct.unpack("<4sHHIIQQ", head)
        payload = read(peer, size)
        assert magic == b"\x89VMP"
        assert checksum == xxh3(head[:24], xxh3(payload) if payload else 0)
        if kind not in NAMES and not flags & MANDATORY:
            print("skipped", kind, flush=True)
        elif kind != HEARTBEAT:
            return kind, payload


def state(said):
    return struct.pack("<16sQII16s16x", txid, generation, int(role), said, journal)


listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
peer = listener.accept()[0]
if what == "junk":
    peer.sendall(b"GET / HTTP/1.0\r\n\r\n" * 10)
hello = struct.pack("<HHIQ16sQ16sII32x", 1, 1, 3, 0, bytes(16), 0, journal, 30000, 0)
peer.sendall(message(HELLO, hello, 0))
for sequence in range(1, 100):
    kind, payload = hear(peer)
    if kind == HELLO:
        assert payload[16:32] == txid
        kind, payload = hear(peer)
    print(NAMES.get(kind, kind), *struct.unpack("<II", payload[24:32]), flush=True)
    if what == "silent":
        while True:
            hear(peer)
    answer = message(TELL, state(int(phase)), sequence)
    if what == "flip":
        answer = answer[:50] + bytes([answer[50] ^ 1]) + answer[51:]
    peer.sendall(answer)
