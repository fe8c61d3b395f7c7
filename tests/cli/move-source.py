#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A source of a move, written from vfiomig-protocol(7) alone: usage: move-source.py URI IMAGE STEP...

URI is unix:PATH, or exec:COMMAND for one over two pipes; IMAGE a file of `save --leave=stop`. The
steps are taken one after another; "hear" steps print what comes, and fail if it is something else:

  hello[:KEY=VALUE,...]   says HELLO; version, oldest, role, txid, generation, timeout,
                          retries, journal
  hear:NAME               the next message but HEARTBEAT; VERDICT-yes and VERDICT-no, too
  gone                    the other end closes, whatever it says before
  offer[:N]               OFFER, of the image; N is its expected_bytes
  frames[:FROM-TO]        FRAMES, of the image from a byte to another (negative: from its end)
  flip:AT                 from now on the image has a byte flipped
  end, end:wrong          END
  commit[:other|:old]     COMMIT; of another transaction, of another generation
  abort                   ABORT
  ask:PHASE, tell:PHASE   ASK and TELL, of a source with that record
  forced:BY               FORCED, for the TELL that follows
  unknown[:mandatory]     a message of a type that no version has
  oversize                the header of an OFFER of 4 GiB less one
  bad-sum                 COMMIT with a wrong checksum
  junk:N                  N bytes of no protocol
  slow:N                  the first N bytes of HELLO, and then nothing
  beat                    HEARTBEAT
  beats                   HEARTBEAT every 50 ms from now on
  file:NAME               goes on once a file of this name is there
  close                   closes the connection; a new one is made by
  connect[:URI]
  leave                   says no more by this connection, and keeps it open; then "connect"
"""

import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

XXH = ctypes.CDLL("libxxhash.so.0").XXH3_64bits_withSeed
XXH.restype = ctypes.c_uint64
XXH.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]

TYPES = ["", "HELLO", "OFFER", "VERDICT", "FRAMES", "END", "READY", "COMMIT", "DONE", "ABORT",
         "HEARTBEAT", "ASK", "TELL"]
PHASES = ["none", "begun", "prepared", "committed", "done", "aborted", "busy"]
PAGE = 4096


class Gone(Exception):
    """The other end has closed the connection."""


class Source:
    def __init__(self, uri, image):
        self.uri = uri
        self.image = bytearray(open(image, "rb").read())
        self.txid = bytes.fromhex("00112233445566778899aabbccddeeff")
        self.generation = 7
        self.role = 1
        self.child = None
        self.left = []
        self.journal = bytes(range(16))
        self.connect(uri)

    def connect(self, uri=""):
        uri = uri or self.uri
        kind, where = uri.split(":", 1)
        self.sequence = 0
        if kind == "exec":
            self.child = subprocess.Popen(where, shell=True, stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE)
            self.write = lambda b: (self.child.stdin.write(b), self.child.stdin.flush())
            self.fd = self.child.stdout.fileno()
            self.finish = self.child.stdin.close
        else:
            s = socket.socket(socket.AF_UNIX)
            s.connect(where)
            self.write, self.fd, self.finish = s.sendall, s.fileno(), s.close
            self.socket = s

    def close(self, _=""):
        self.finish()

    def leave(self, _=""):
        self.left.append(self.socket)

    # Out

    def message(self, kind, payload=b"", flags=1, summed=True, spoil=0):
        head = struct.pack("<4sHHIIQ", b"\x89VMP", kind, flags, len(payload), 0, self.sequence)
        seed = XXH(payload, len(payload), 0) if payload and summed else 0
        self.sequence += 1
        try:
            self.write(head + struct.pack("<Q", XXH(head, len(head), seed) ^ spoil) + payload)
        except BrokenPipeError:
            pass  # it may have said why: that is still there to be heard

    def hello_bytes(self, args):
        given = dict(a.split("=") for a in args.split(",")) if args else {}
        if "txid" in given:
            self.txid = bytes.fromhex(given["txid"])
        self.generation = int(given.get("generation", self.generation))
        self.role = int(given.get("role", 1))
        self.journal = bytes.fromhex(given.get("journal", self.journal.hex()))
        return struct.pack("<HHIQ16sQ16sII32x", int(given.get("version", 1)),
                           int(given.get("oldest", 1)), self.role, 0, self.txid, self.generation,
                           self.journal, int(given.get("timeout", 30000)),
                           int(given.get("retries", 0)))

    def hello(self, args=""):
        self.message(1, self.hello_bytes(args))

    def offer(self, expected=""):
        size = struct.unpack_from("<I", self.image, PAGE + 8)[0]
        manifest = bytes(self.image[PAGE + 64:PAGE + 64 + size])
        if expected:
            manifest = json.dumps(json.loads(manifest) | {"expected_bytes": int(expected)}).encode()
        self.message(2, manifest)

    def frames(self, args=""):
        start, end = (int(x or 0) for x in args.split("..")) if args else (0, 0)
        part = self.image[start:end or None]
        for at in range(0, len(part), 1 << 20):
            self.message(4, bytes(part[at:at + (1 << 20)]), summed=False)

    def flip(self, at):
        self.image[int(at)] ^= 1

    def end_bytes(self):
        return bytes(self.image[16:32]) + bytes(self.image[-PAGE + 64 + 16:-PAGE + 64 + 32]) + \
            struct.pack("<Q", len(self.image))

    def end(self, how=""):
        b = bytearray(self.end_bytes())
        b[20] ^= how == "wrong"
        self.message(5, bytes(b))

    def commit(self, how=""):
        txid = bytes(16) if how == "other" else self.txid
        generation = self.generation - (how == "old")
        self.message(7, txid + struct.pack("<Q", generation))

    def abort(self, _=""):
        self.message(9, struct.pack("<II456s", 75, 0, b"the test wants it"))

    def state(self, kind, phase):
        self.message(kind, self.txid + struct.pack("<QII", self.generation, 1,
                                                   PHASES.index(phase)) + self.journal + bytes(16))

    def ask(self, phase):
        self.state(11, phase)

    def tell(self, phase):
        self.state(12, phase)

    def forced(self, by):
        self.message(14, by.encode()[:127].ljust(128, b"\0"), flags=0)

    def unknown(self, how=""):
        self.message(99, b"what is this", flags=1 if how else 0)

    def oversize(self, _=""):
        head = struct.pack("<4sHHIIQ", b"\x89VMP", 2, 1, 0xffffffff, 0, self.sequence)
        self.write(head + struct.pack("<Q", XXH(head, len(head), 0)))

    def bad_sum(self, _=""):
        self.message(7, self.txid + struct.pack("<Q", self.generation), spoil=1)

    def junk(self, n):
        self.write(b"\xa5" * int(n))

    def slow(self, n):
        self.write((b"\x89VMP\x01\x00\x01\x00" + bytes(200))[:int(n)])

    def beat(self, _=""):
        self.message(10, flags=0)

    def beats(self, _=""):
        def go_on():
            while True:
                self.beat()
                time.sleep(0.05)

        threading.Thread(target=go_on, daemon=True).start()

    def file(self, name):
        while not os.path.exists(name):
            time.sleep(0.02)

    # In

    def read(self, n):
        got = b""
        while len(got) < n:
            b = os.read(self.fd, n - len(got))
            if not b:
                raise Gone
            got += b
        return got

    def hear_any(self):
        while True:
            head = self.read(32)
            magic, kind, _, size, _, _, checksum = struct.unpack("<4sHHIIQQ", head)
            assert magic == b"\x89VMP" and 1 <= kind < len(TYPES), head
            payload = self.read(size)
            seed = XXH(payload, size, 0) if size and kind != 4 else 0
            assert XXH(head[:24], 24, seed) == checksum, "checksum"
            if kind != 10:
                return TYPES[kind], payload

    def tell_what(self, name, payload):
        more = ""
        if name == "VERDICT":
            verdict = json.loads(payload)
            name += "-yes" if verdict["accepted"] else "-no"
            more = verdict.get("reason", "") + " " + json.dumps(verdict["devices"])
        elif name == "ABORT":
            more = str(struct.unpack_from("<I", payload)[0]) + " " + \
                payload[8:].rstrip(b"\0").decode()
        elif name == "TELL":
            more = PHASES[struct.unpack_from("<I", payload, 28)[0]]
        elif name == "READY":
            assert payload == self.end_bytes(), "READY of another image"
        elif name == "DONE":
            assert payload == self.txid + struct.pack("<Q", self.generation), "DONE of another"
        print(name, more, flush=True)
        return name

    def hear(self, want):
        name = self.tell_what(*self.hear_any())
        if name != want:
            sys.exit(f"{want} was to come, not {name}")

    def gone(self, _=""):
        try:
            while True:
                self.tell_what(*self.hear_any())
        except (Gone, ConnectionError):
            # A command has then said all that it says.
            if self.child:
                self.child.wait()
            print("gone", flush=True)


def main():
    source = Source(sys.argv[1], sys.argv[2])
    for step in sys.argv[3:]:
        name, _, args = step.partition(":")
        print("#", step, file=sys.stderr, flush=True)
        try:
            getattr(source, name.replace("-", "_"))(args)
        except Gone:
            sys.exit(f"{step}: the other end is gone")
        except OSError as e:
            sys.exit(f"{step}: {e}")


main()
