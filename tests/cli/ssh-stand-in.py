#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ssh-stand-in.py [OPTION...] LOG COMMAND: runs COMMAND as ssh(1) runs it on another host.

It stays in the process group of its caller, as ssh does; COMMAND gets a session of its own, and
pipes that end with this process. Of what passes it knows what vfiomig-protocol(7) says of the first
32 bytes of a message; LOG gets a line for each one, with the end that has said it. The exit status
is COMMAND's, or 255 where a signal has ended it.

  --hold END:NAME  from this message on nothing passes, either way, which LOG tells as "held"; what
                   comes is taken all the same, as into a buffer. SIGUSR1 ends it: with status 255,
                   as ssh that has lost its host
  --once FILE      holds only if there is no FILE, and makes it
  --hears-end      ends with COMMAND even so; else it does not hear of that any more either
  --banner TEXT    says a line of TEXT before COMMAND does
  --password       asks for one at /dev/tty
"""

import argparse
import os
import signal
import struct
import subprocess
import sys
import threading

NAMES = ("nothing HELLO OFFER VERDICT FRAMES END READY COMMIT DONE ABORT HEARTBEAT ASK TELL "
         "TAKING").split()
HEADER = 32


class Relay:
    def __init__(self, args):
        self.log = open(args.log, "a")
        self.hold = args.hold
        self.held = False
        self.lock = threading.Lock()
        if args.once and os.path.exists(args.once):
            self.hold = None
        elif args.once:
            open(args.once, "w").close()

    def tell(self, what):
        print(what, file=self.log, flush=True)

    def pass_on(self, end, name, message, out):
        with self.lock:
            if not self.held and self.hold == f"{end}:{name}":
                self.held = True
                self.tell("held")
            if self.held:
                return
            self.tell(f"{end} {name}")
            try:
                out.write(message)
                out.flush()
            except BrokenPipeError:
                self.tell(f"{end} is not heard")

    def end_of(self, end, out):
        with self.lock:
            if self.held:
                return
            self.tell(f"{end} is gone")
            try:
                out.close()
            except BrokenPipeError:
                pass

    def pump(self, end, inward, out):
        while len(head := inward.read(HEADER)) == HEADER and head[:4] == b"\x89VMP":
            kind, _, size = struct.unpack_from("<HHI", head, 4)
            self.pass_on(end, NAMES[kind], head + inward.read(size), out)
        while head:
            self.pass_on(end, "other", head, out)
            head = inward.read1(4096)
        self.end_of(end, out)


def pass_stderr(far):
    while text := far.stderr.read1(4096):
        os.write(2, text)


def ask():
    with open("/dev/tty", "r+b", buffering=0) as tty:
        tty.write(b"password: ")
        if tty.readline() != b"secret\n":
            sys.exit("permission denied")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hold")
    parser.add_argument("--once")
    parser.add_argument("--hears-end", action="store_true")
    parser.add_argument("--banner")
    parser.add_argument("--password", action="store_true")
    parser.add_argument("log")
    parser.add_argument("command")
    args = parser.parse_args()
    if args.password:
        ask()
    if args.banner:
        print(args.banner, flush=True)
    # A Ctrl-C ends it as it ends ssh: by the signal, not by an exception in one of its threads.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(255))
    relay = Relay(args)
    far = subprocess.Popen(["sh", "-c", args.command], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           start_new_session=True)
    relay.tell(f"relay {os.getpid()} peer {far.pid}")
    there = threading.Thread(target=relay.pump, daemon=True,
                             args=("destination", far.stdout, sys.stdout.buffer))
    here = threading.Thread(target=relay.pump, daemon=True,
                            args=("source", sys.stdin.buffer, far.stdin))
    words = threading.Thread(target=pass_stderr, args=(far,), daemon=True)
    for thread in (words, there, here):
        thread.start()
    status = far.wait()
    there.join()
    words.join()
    with relay.lock:
        relay.tell(f"peer ended {status}")
        held = relay.held
    while held and not args.hears_end:
        signal.pause()
    # Threads that still read would keep an orderly exit waiting for their buffers.
    os._exit(status if status >= 0 else 255)


main()
