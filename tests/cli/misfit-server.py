#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A vfio-user device with a habit that servers have, or a fault.

usage: misfit-server.py SOCKET [HABIT [ARG]]

The device has STOP_COPY and PRE_COPY, and a state of SIZE bytes, which it compares with what is loaded.
Serves one client after the other, prints "ready", and from then on what the test may want to know.

fair              none: as the protocol says
onerecv           takes the body of a message by one recv(), as libvfio-user does
keepstate         DEVICE_RESET drops what was loaded and leaves the migration state, as libvfio-user does
deaf-reset        DEVICE_RESET says that it was done, and does nothing
errend            one read of size 0 is the end; a read after it is an error
moreend           a read after the one of size 0 brings bytes again
short             a read brings less than was asked for, but for every third
busy ERRNO        refuses the requests for data that come while one is under way; takes nothing of them
hole ERRNO        fails one read, whose data is lost, and goes on behind it
enomsg            says ENOMSG at the temporary end of PRE_COPY
enomsg-stop-copy  says ENOMSG instead of the end
features ERRNO    refuses every DEVICE_FEATURE so; 0 is an error without a number
dribble COMMAND   sends the second reply to that command a byte a second
dribble-all       sends all replies after the first so
asks              once running, sends commands of its own until one is answered
lacks-region N    refuses DEVICE_GET_REGION_INFO of that index
holds FILE        none, and its state is that file's contents
lacks-irq N       refuses DEVICE_GET_IRQ_INFO of that index
"""

import errno
import os
import select
import socket
import struct
import sys
import time

SIZE = 1000000
CONTENT = bytes(i * 7 & 255 for i in range(251)) * (SIZE // 251 + 1)

VERSION, GET_INFO, REGION_INFO, IRQ_INFO, REGION_READ, DMA_READ = 1, 4, 5, 7, 9, 11
RESET, FEATURE, DATA_READ, DATA_WRITE = 13, 16, 17, 18
STOP, RUNNING, STOP_COPY, RESUMING, PRE_COPY = 1, 2, 3, 4, 6
GET, SET, PROBE = 1 << 16, 1 << 17, 1 << 18
MIGRATION, STATE = 1, 2
SAVING = (STOP_COPY, PRE_COPY)
STATES = (STOP, RUNNING, RESUMING) + SAVING
REGIONS, IRQS, CONFIG = 9, 5, 7


class Gone(Exception):
    """The client has closed the connection, or is to be dropped."""


class Refused(Exception):
    """The command fails with this errno."""


def number(name):
    return int(name) if name.isdigit() else getattr(errno, name)


def say(*words):
    print(*words, flush=True)


class Device:
    """What outlives a connection."""

    def __init__(self, habit, arg):
        self.habit, self.arg = habit, arg
        self.state = RUNNING
        self.at, self.reads, self.ended, self.failed = 0, 0, False, False
        self.loaded = bytearray()
        self.seen_busy = False
        self.replies = 0

    def reset(self):
        if self.habit == "deaf-reset":
            return
        self.loaded.clear()
        if self.habit != "keepstate":
            self.state = RUNNING

    def go(self, to):
        if to not in STATES or (self.state, to) == (STOP_COPY, PRE_COPY):
            raise Refused(errno.EINVAL)
        if self.state == to:
            return
        if self.state == RESUMING and bytes(self.loaded) != CONTENT[:SIZE]:
            say("refused", len(self.loaded))
            raise Refused(errno.EINVAL)
        if to in SAVING and self.state not in SAVING:
            self.at = 0
        if to == RESUMING:
            self.loaded.clear()
        self.reads, self.ended = 0, False
        self.state = to
        say("state", to)

    def read(self, size):
        if self.state not in SAVING:
            raise Refused(errno.EINVAL)
        self.reads += 1
        if self.habit == "errend" and self.ended:
            raise Refused(errno.EIO)
        if self.habit == "short" and self.reads % 3:
            size = size // 2 + 1
        end = SIZE if self.state == STOP_COPY else SIZE // 2
        data = CONTENT[self.at:min(self.at + size, end)]
        if not data and self.habit == "enomsg" + ("-stop-copy" if self.state == STOP_COPY else ""):
            raise Refused(errno.ENOMSG)
        if not data and self.ended and self.habit == "moreend":
            data = b"behind the end"
        else:
            self.at += len(data)
        self.ended |= not data and self.state == STOP_COPY
        if self.habit == "hole" and self.reads == 2:
            raise Refused(number(self.arg))
        return data

    def write(self, data):
        if self.state != RESUMING:
            raise Refused(errno.EINVAL)
        self.loaded += data


class Client:
    """A connection to the device."""

    def __init__(self, sock, device):
        self.sock, self.device = sock, device
        self.asked = 0

    def receive(self):
        head = self.sock.recv(16, socket.MSG_WAITALL)
        if len(head) < 16:
            raise Gone
        ident, command, size, flags, error = struct.unpack("<HHIII", head)
        body = b""
        if size > 16:
            body = self.sock.recv(size - 16, 0 if self.device.habit == "onerecv" else socket.MSG_WAITALL)
        if len(body) < size - 16:
            say("cut", command, len(body), size - 16)
            raise Gone
        return ident, command, flags, error, body

    def send(self, ident, command, body=b"", error=None):
        d = self.device
        flags = 1 if error is None else 0x21
        message = struct.pack("<HHIII", ident, command, 16 + len(body), flags, error or 0) + body
        d.replies += command != VERSION and (d.habit == "dribble-all" or d.arg == str(command))
        slow = d.habit == "dribble-all" and d.replies > 1 or d.habit == "dribble" and d.replies == 2
        if not slow or command == VERSION:
            self.sock.sendall(message)
            return
        d.replies += d.habit == "dribble"
        say("dribbles")
        for i in range(len(message)):
            self.sock.sendall(message[i:i + 1])
            time.sleep(1)

    def refuse_concurrent(self):
        """Once: waits for the requests behind the one that is under way, and refuses all of them."""
        d, others, patience = self.device, 0, 20
        if d.habit != "busy" or d.seen_busy:
            return
        while select.select([self.sock], [], [], patience)[0]:
            ident, command, _, _, _ = self.receive()
            self.send(ident, command, error=number(d.arg))
            others, patience = others + 1, 1
        d.seen_busy = True
        say("busy", others)

    def feature(self, body):
        argsz, flags = struct.unpack_from("<II", body)
        index = flags & 0xffff
        if self.device.habit == "features":
            raise Refused(number(self.device.arg))
        if index not in (MIGRATION, STATE):
            raise Refused(errno.ENOTTY)
        if argsz < 8 or index == MIGRATION and flags & SET:
            raise Refused(errno.EINVAL)
        if flags & PROBE:
            return body
        if flags & (GET | SET) not in (GET, SET) or flags & GET and argsz < 16:
            raise Refused(errno.EINVAL)
        if flags & SET:
            self.device.go(struct.unpack_from("<I", body, 8)[0])
            return body
        value = struct.pack("<Q", 5) if index == MIGRATION else struct.pack("<Ii", self.device.state, -1)
        return body[:8] + value

    def answer(self, command, body):
        d = self.device
        if command == VERSION:
            return struct.pack("<HH", 0, 1) + b'{"capabilities":{}}\0'
        if command == GET_INFO:
            return struct.pack("<4I", 16, 3, REGIONS, IRQS)
        if command in (REGION_INFO, IRQ_INFO):
            index = struct.unpack_from("<I", body, 8)[0]
            if d.habit == ("lacks-region" if command == REGION_INFO else "lacks-irq") and int(d.arg) == index:
                raise Refused(errno.EINVAL)
            if command == IRQ_INFO:
                return struct.pack("<4I", 16, 1, index, 1)
            size = 256 if index == CONFIG else 4096
            return struct.pack("<IIIIQQ", 32, 3, index, 0, size, 0)
        if command == REGION_READ:
            return body + bytes(struct.unpack_from("<I", body, 12)[0])
        if command == RESET:
            d.reset()
            return b""
        if command == FEATURE:
            return self.feature(body)
        if command == DATA_READ:
            self.refuse_concurrent()
            data = d.read(struct.unpack_from("<I", body, 4)[0])
            return struct.pack("<II", 8 + len(data), len(data)) + data
        if command == DATA_WRITE:
            self.refuse_concurrent()
            d.write(body[8:])
            say("write", len(body) - 8)
            return b""
        raise Refused(errno.EINVAL)

    def ask(self):
        """Commands as a device has them that wants its guest's memory."""
        for _ in range(3):
            self.asked += 1
            self.sock.sendall(struct.pack("<HHIII", 40000 + self.asked, DMA_READ, 32, 0, 0) + bytes(16))

    def serve(self):
        while True:
            if self.device.habit == "asks" and self.device.state == RUNNING and not self.asked:
                # Not before what follows the arc has been asked, if anything.
                if not select.select([self.sock], [], [], 0.5)[0]:
                    self.ask()
            ident, command, flags, error, body = self.receive()
            if flags & 15:
                say("answered", ident, command, error)
                continue
            try:
                self.send(ident, command, self.answer(command, body))
            except Refused as e:
                self.send(ident, command, error=e.args[0])


def main():
    global SIZE, CONTENT

    path, habit, arg = (sys.argv[1:] + ["fair", "", ""])[:3]
    if habit == "holds":
        with open(arg, "rb") as f:
            CONTENT = f.read()
        SIZE = len(CONTENT)
    device = Device(habit, arg)
    if os.path.exists(path):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        say("ready")
        while True:
            sock, _ = listener.accept()
            with sock:
                try:
                    Client(sock, device).serve()
                except (Gone, ConnectionError):
                    say("gone")


main()
