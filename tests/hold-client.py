#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of `vfiomigctl hold`, after vfiomigctl-hold(8) alone: hold-client.py PATH WORD...

Each WORD is done in turn, with one line of output for each answer:

  {...}           a request, sent as it is; descriptors that come with the answer are kept
  give:NAME:FD    hands descriptor FD over as the device NAME
  info            asks the device itself what it is, by the descriptor that was lent
  state:STATE     sets its migration state, by the kernel's own number
  irq             takes its REQ interrupt for itself
  events          prints what comes until the holder ends
  wait            says "waiting", and stays
"""

import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys

GET_INFO, SET_IRQS, FEATURE = 0x3B6B, 0x3B6E, 0x3B75
FEATURE_SET, MIG_DEVICE_STATE = 1 << 17, 2

path, words = sys.argv[1], sys.argv[2:]
sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
sock.connect(path)
have = {}


def receive():
    data, fds, _, _ = socket.recv_fds(sock, 65536, 4)
    if not data:
        return None
    message = json.loads(data)
    for name, fd in zip(message.get("fds", []), fds):
        have[name] = fd
    return message


def ask(request, fds=()):
    socket.send_fds(sock, [json.dumps(request).encode()], fds)
    while (answer := receive()) and "event" in answer:
        pass
    print(json.dumps(answer), flush=True)


for word in words:
    if word[0] == "{":
        ask(json.loads(word))
    elif word.startswith("give:"):
        _, name, fd = word.split(":")
        ask({"schema": 1, "request": "give", "name": name, "fds": ["device"]}, [int(fd)])
    elif word == "info":
        info = fcntl.ioctl(have["device"], GET_INFO, struct.pack("=4I", 16, 0, 0, 0))
        print("flags %#x" % struct.unpack("=4I", info)[1], flush=True)
    elif word.startswith("state:"):
        state = int(word.split(":")[1])
        arg = struct.pack("=2IIi", 16, FEATURE_SET | MIG_DEVICE_STATE, state, -1)
        data_fd = struct.unpack("=2IIi", fcntl.ioctl(have["device"], FEATURE, arg))[3]
        print("state %d, data_fd %s" % (state, "yes" if data_fd >= 0 else "no"), flush=True)
    elif word == "irq":
        mine = os.eventfd(0) if hasattr(os, "eventfd") else select.epoll().fileno()
        fcntl.ioctl(have["device"], SET_IRQS, struct.pack("=5Ii", 24, 4 | 1 << 5, 4, 0, 1, mine))
        print("irq", flush=True)
    elif word == "events":
        while message := receive():
            print(json.dumps(message), flush=True)
    elif word == "wait":
        print("waiting", flush=True)
        signal.pause()
