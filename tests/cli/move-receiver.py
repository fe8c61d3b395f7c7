#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
The receiving end of a move, written from vfiomig-protocol(7) and vfiomig-image(5) alone.

    move-receiver.py URI CONDUCT [CONDUCT...]

Listens at URI (unix:PATH, tcp:127.0.0.1:PORT or -, for standard input and output), and serves one
connection after another, each by the next CONDUCT, the last of them as often as it is asked for.
Says "ready" once it listens, then a line for each message that it hears or says, and what it makes
of the image. A CONDUCT is what it does otherwise than one that accepts, runs and answers:

    accept              nothing else
    refuse              its verdict is no
    abort-at-offer      ABORT in the place of VERDICT
    abort-in-stream     ABORT once some of the image is there, and closes the connection
    abort-late          ABORT in the place of READY
    abort-after-ready   READY, then ABORT
    close-at-hello      closes the connection behind its HELLO; -at-offer, in-stream, before-ready,
                        after-ready, after-commit: at these points
    other-digest        READY for an image that was never sent
    early-ready         READY before END
    commit              says COMMIT itself in the place of READY
    other-done          DONE of another transaction
    junk                bytes that are no message, in the place of HELLO; junk-later: of VERDICT
    image               begins as an image does
    oversize            announces a payload of 4 GiB
    bad-sum             a checksum that is wrong
    replay              a sequence number that was used
    optional            a message of a type that nobody knows, not mandatory, before each of its own
    unknown             the same, mandatory
    newer, older        speaks only versions above, below ours
    newest              speaks versions up to one above ours
    recovery            has the role of `recover`
    other-journal       has another journal than the other conducts
    mute                says nothing at all; mute-at-offer, mute-at-end, mute-at-commit: no more
                        from there on, heartbeats included
    taking              knows TAKING, and says it once there is something to read on standard input
    slow                says READY once there is something to read on standard input
"""

import ctypes
import ctypes.util
import json
import os
import select
import socket
import struct
import sys

MAGIC = b"\x89VMP"
MANDATORY = 1
(HELLO, OFFER, VERDICT, FRAMES, END, READY, COMMIT, DONE, ABORT, HEARTBEAT) = range(1, 11)
TAKING, FEATURE_TAKING = 13, 1
NAMES = "? HELLO OFFER VERDICT FRAMES END READY COMMIT DONE ABORT HEARTBEAT ASK TELL".split()
PAYLOAD_MAX, FRAMES_MAX = 4 << 20, 8 << 20
PAGE = 4096
IMAGE_END = b"\x89VMIG\r\n\x1a"

xxhash = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]


def xxh3(data, seed=0):
    return xxhash.XXH3_64bits_withSeed(bytes(data), len(data), seed)


def say(text):
    print(text, file=log, flush=True)


class Gone(Exception):
    """The other end has closed the connection."""


class Pipes:
    """Standard input and output as a socket."""

    def __init__(self, i, o):
        self.i, self.o = i, o

    def recv(self, n):
        return os.read(self.i, n)

    def sendall(self, data):
        while data:
            data = data[os.write(self.o, data):]

    def fileno(self):
        return self.i

    def close(self):
        os.close(self.i)
        os.close(self.o)


class Link:
    def __init__(self, stream, conduct):
        self.stream, self.conduct = stream, conduct
        self.sent = self.heard = 0

    def raw(self, data):
        self.stream.sendall(data)

    def message(self, kind, payload=b"", flags=MANDATORY, sequence=None, size=None):
        head = struct.pack("<4sHHIIQ", MAGIC, kind, flags,
                           len(payload) if size is None else size, 0,
                           self.sent if sequence is None else sequence)
        seed = xxh3(payload) if payload and kind != FRAMES else 0
        total = xxh3(head, seed)
        if self.conduct == "bad-sum" and kind == VERDICT:
            total ^= 1
        self.raw(head + struct.pack("<Q", total) + payload)
        self.sent += 1

    def tell(self, kind, payload=b""):
        say("says " + NAMES[kind])
        if self.conduct == "optional":
            self.message(4242, b"what nobody knows", 0)
        if self.conduct == "unknown" and kind == VERDICT:
            self.message(4242, b"what nobody knows")
        if self.conduct == "replay" and kind == VERDICT:
            self.message(kind, payload, sequence=0)
        elif self.conduct == "oversize" and kind == VERDICT:
            self.message(kind, payload, size=0xffffffff)
        else:
            self.message(kind, payload)

    def read(self, n):
        data = b""
        while len(data) < n:
            more = self.stream.recv(n - len(data))
            if not more:
                raise Gone()
            data += more
        return data

    def beat(self):
        self.message(HEARTBEAT, flags=0)

    def hear(self, beats=True):
        """The next message but HEARTBEAT: (type, payload)."""
        while True:
            while beats and not select.select([self.stream], [], [], 0.05)[0]:
                self.beat()
            head = self.read(32)
            magic, kind, flags, size, reserved, sequence, total = struct.unpack("<4sHHIIQQ", head)
            assert magic == MAGIC and reserved == 0, head
            assert sequence == self.heard, (sequence, self.heard)
            assert size <= (FRAMES_MAX if kind == FRAMES else PAYLOAD_MAX), size
            assert flags == (0 if kind == HEARTBEAT else MANDATORY), flags
            self.heard += 1
            payload = self.read(size)
            seed = xxh3(payload) if payload and kind != FRAMES else 0
            assert total == xxh3(head[:24], seed), "checksum"
            if kind == HEARTBEAT:
                continue
            if kind != FRAMES:
                say("hears " + NAMES[kind])
            return kind, payload


def abort(reason, kind=75):
    return struct.pack("<II456s", kind, 0, reason.encode())


class Receiver:
    def __init__(self, stream, conduct):
        self.link, self.conduct = Link(stream, conduct), conduct
        self.image = bytearray()
        self.tail = b""

    def point(self, name):
        """Where this one ends the connection, if it does so at @name."""
        if self.conduct == "close-" + name:
            raise Gone()
        if self.conduct == "mute-" + name:
            say("mute")
            while self.link.stream.recv(65536):
                pass
            raise Gone()

    def hello(self):
        c, link = self.conduct, self.link
        if c == "mute":
            self.point_mute()
        if c == "junk":
            link.raw(b"junk" * 64)
        if c == "image":
            link.raw(b"\x89VMIG\r\n\x1a" + bytes(4088))
        version, oldest = {"newer": (9, 9), "older": (0, 0), "newest": (2, 1)}.get(c, (1, 1))
        role = 3 if c == "recovery" else 2
        journal = (b"K" if c == "other-journal" else b"J") * 16
        features = FEATURE_TAKING if c == "taking" else 0
        link.tell(HELLO, struct.pack("<HHIQ16sQ16sII32s", version, oldest, role, features,
                                     bytes(16), 0, journal, 30000, 0, bytes(32)))
        kind, payload = link.hear()
        assert kind == HELLO and len(payload) == 96, kind
        (version, oldest, role, features, self.txid, self.generation, journal, timeout, retries,
         reserved) = struct.unpack("<HHIQ16sQ16sII32s", payload)
        assert (version, oldest, role, features) == (1, 1, 1, FEATURE_TAKING), payload
        assert any(self.txid) and self.generation and any(journal) and not any(reserved)
        say(f"txid {self.txid.hex()} generation {self.generation} retries {retries}")
        self.point("at-hello")

    def point_mute(self):
        say("mute")
        while self.link.stream.recv(65536):
            pass
        raise Gone()

    def offer(self, payload):
        manifest = json.loads(payload)
        say(f"offered {len(manifest['devices'])} devices, source {manifest.get('source')}, "
            f"expects {manifest.get('expected_bytes')}")
        self.point("at-offer")
        if self.conduct == "abort-at-offer":
            self.link.tell(ABORT, abort("it is busy"))
            raise Gone()
        if self.conduct == "junk-later":
            self.link.raw(b"junk" * 64)
        if self.conduct == "refuse":
            verdict = {"schema": 1, "accepted": False, "reason": "driver: emu, here mtty",
                       "devices": []}
        else:
            verdict = {"schema": 1, "accepted": True, "devices": []}
        self.link.tell(VERDICT, json.dumps(verdict).encode())
        if self.conduct == "refuse":
            self.link.hear()

    def frames(self, payload):
        self.image += payload
        say(f"has {len(self.image)} bytes")
        if self.conduct == "abort-in-stream" and len(self.image) > PAGE:
            self.link.tell(ABORT, abort("no room for it"))
            raise Gone()
        if len(self.image) > 2 * PAGE:
            self.point("in-stream")
        if self.conduct == "taking" and len(self.image) >= PAGE:
            self.take()
        if self.conduct == "early-ready":
            self.link.tell(READY, bytes(40))
            self.conduct = "accept"

    def take(self):
        say("could take it")
        while not select.select([sys.stdin], [], [], 0.05)[0]:
            self.link.beat()
        self.link.message(TAKING, flags=0)
        self.conduct = "accept"

    def check_image(self, payload):
        """END is of the image that came: its id, and the digest of its own end."""
        ident, digest, size = struct.unpack("<16s16sQ", payload)
        assert self.image[:8] == b"\x89VMIG\r\n\x1a"
        assert size == len(self.image), (size, len(self.image))
        assert ident == self.image[16:32]
        assert digest in bytes(self.image[-PAGE:]), "the digest is of IMAGE END"
        with open("received.img", "wb") as f:
            f.write(self.image)

    def end(self, payload):
        self.check_image(payload)
        self.point("before-ready")
        self.point("at-end")
        if self.conduct == "slow":
            ready = []
            while not ready:
                self.link.beat()
                ready = select.select([sys.stdin, self.link.stream], [], [], 0.05)[0]
            if self.link.stream in ready:
                return
        if self.conduct == "abort-late":
            self.link.tell(ABORT, abort("the driver refuses it"))
            raise Gone()
        if self.conduct == "commit":
            self.link.tell(COMMIT, struct.pack("<16sQ", self.txid, self.generation))
            return
        if self.conduct == "other-digest":
            payload = payload[:20] + bytes(12) + payload[32:]
        self.link.tell(READY, payload)
        self.point("after-ready")
        if self.conduct == "abort-after-ready":
            self.link.tell(ABORT, abort("it has changed its mind"))

    def commit(self, payload):
        txid, generation = struct.unpack("<16sQ", payload)
        assert (txid, generation) == (self.txid, self.generation)
        say("committed")
        self.point("after-commit")
        self.point("at-commit")
        if self.conduct == "other-done":
            payload = bytes(16) + payload[16:]
        say("runs")
        self.link.tell(DONE, payload)

    def serve(self):
        self.hello()
        while True:
            kind, payload = self.link.hear()
            if kind == OFFER:
                self.offer(payload)
            elif kind == FRAMES:
                self.frames(payload)
            elif kind == END:
                self.end(payload)
            elif kind == COMMIT:
                self.commit(payload)
            elif kind == ABORT:
                kind, _, reason = struct.unpack("<II456s", payload)
                say(f"aborted {kind}: {reason.rstrip(bytes(1)).decode()}")
            else:
                raise AssertionError(NAMES[kind])


def serve(stream, conduct):
    say("connected: " + conduct)
    try:
        Receiver(stream, conduct).serve()
    except (Gone, OSError):
        say("closed")
    stream.close()


def listener(uri):
    kind, _, rest = uri.partition(":")
    if kind == "unix":
        s = socket.socket(socket.AF_UNIX)
        s.bind(rest)
    else:
        host, _, port = rest.rpartition(":")
        s = socket.create_server((host, int(port)))
        say(f"port {s.getsockname()[1]}")
    s.listen()
    return s


uri, conducts = sys.argv[1], sys.argv[2:]
log = sys.stdout
if uri == "-":
    log = sys.stderr
    serve(Pipes(0, os.dup(1)), conducts[0])
    sys.exit()
waiting = listener(uri)
say("ready")
while True:
    serve(waiting.accept()[0], conducts[0])
    conducts = conducts[1:] or conducts
