#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""cut-relay.py PORT TO-HOST TO-PORT END N: a link that carries N messages of END and then none.

Stands between the source and the destination of a move, and knows of their messages what
vfiomig-protocol(7) says of the first 32 bytes. When so many of END (source, destination) have
passed, nothing passes any more, either way, on any connection, and neither end is told. SIGUSR1
heals it: then what was held passes, late. Says "ready", then what passes.
"""

import signal
import socket
import struct
import sys
import threading

NAMES = (
    "nothing HELLO OFFER VERDICT FRAMES END READY COMMIT DONE ABORT HEARTBEAT ASK TELL TAKING"
    " FORCED"
).split()
HEADER = 32


class Link:
    def __init__(self, end, n):
        self.end, self.left = end, n
        self.lock = threading.Lock()
        self.carries = threading.Event()
        self.carries.set()

    def passed(self, end, kind):
        # A heartbeat comes when time has passed, and would make of N something else each time.
        if end == self.end and NAMES[kind] != "HEARTBEAT":
            self.left -= 1
            if self.left == 0:
                self.carries.clear()
        print(end, NAMES[kind], flush=True)

    def send(self, end, kind, message, out):
        while True:
            self.carries.wait()
            with self.lock:
                if self.carries.is_set():
                    out.sendall(message)
                    self.passed(end, kind)
                    return


def read_full(sock, n):
    data = b""
    while len(data) < n:
        part = sock.recv(n - len(data))
        if not part:
            return None
        data += part
    return data


def pump(link, end, inward, out):
    try:
        while (head := read_full(inward, HEADER)) is not None:
            kind, _, size = struct.unpack_from("<HHI", head, 4)
            payload = read_full(inward, size)
            if payload is None:
                break
            link.send(end, kind, head + payload, out)
        link.carries.wait()
        print(end, "is gone", flush=True)
        out.shutdown(socket.SHUT_WR)
    except OSError:
        # One side is gone without a farewell: so it is for the other.
        link.carries.wait()
        print(end, "is gone", flush=True)
        for sock in (inward, out):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def heal(link):
    signal.sigwait({signal.SIGUSR1})
    link.carries.set()


def main():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    port, host, to_port, end, n = sys.argv[1:]
    link = Link(end, int(n))
    threading.Thread(target=heal, args=(link,), daemon=True).start()
    listener = socket.create_server(("0.0.0.0", int(port)))
    print("ready", flush=True)
    while True:
        near, _ = listener.accept()
        link.carries.wait()
        try:
            far = socket.create_connection((host, int(to_port)))
        except OSError:
            near.close()
            continue
        for one in (("source", near, far), ("destination", far, near)):
            threading.Thread(target=pump, args=(link, *one), daemon=True).start()


main()
