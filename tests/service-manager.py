#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stand-in for a service manager with a descriptor store: service-manager.py COMMAND...

After sd_notify(3) and sd_listen_fds(3) alone. Runs COMMAND, and again with what it has stored
whenever it does not end with status 0. Says in lines what it hears and does. As systemd does, it
takes no second descriptor of an open file that it has.
"""

import ctypes
import fcntl
import os
import selectors
import socket
import sys

KCMP, KCMP_FILE = 312, 0
libc = ctypes.CDLL(None, use_errno=True)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(os.path.abspath("notify"))
store = []  # (name, fd)


def same(a, b):
    return libc.syscall(KCMP, os.getpid(), os.getpid(), KCMP_FILE, a, b) == 0


def hear():
    global store
    data, fds, _, _ = socket.recv_fds(notify, 65536, 253)
    words = dict(line.split("=", 1) for line in data.decode().splitlines())
    name = words.get("FDNAME")
    if "FDSTORE" in words:
        for fd in fds:
            if any(same(fd, kept) for _, kept in store):
                os.close(fd)
            else:
                store.append((name, fd))
                print("stored", name, flush=True)
    elif "FDSTOREREMOVE" in words:
        for kept_name, fd in store:
            if kept_name == name:
                os.close(fd)
                print("removed", name, flush=True)
        store = [kept for kept in store if kept[0] != name]
    else:
        print(" ".join(sorted(data.decode().splitlines())), flush=True)


def start():
    pid = os.fork()
    if pid:
        print("started", pid, flush=True)
        return pid
    # Out of the way of the numbers that they are to have.
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, 3 + len(store)) for _, fd in store]
    for i, fd in enumerate(moved):
        os.dup2(fd, 3 + i, inheritable=True)
    os.closerange(3 + len(moved), 1024)
    os.environ["NOTIFY_SOCKET"] = os.path.abspath("notify")
    if moved:
        os.environ["LISTEN_PID"] = str(os.getpid())
        os.environ["LISTEN_FDS"] = str(len(moved))
        os.environ["LISTEN_FDNAMES"] = ":".join(name for name, _ in store)
    os.execvp(sys.argv[1], sys.argv[1:])


status = 1
for _ in range(10):
    if not status:
        break
    pid = start()
    wait = selectors.DefaultSelector()
    wait.register(notify, selectors.EVENT_READ)
    wait.register(os.pidfd_open(pid), selectors.EVENT_READ)
    ended = False
    while not ended:
        ready = [key.fileobj for key, _ in wait.select()]
        # What it has said before it ended counts.
        if notify in ready:
            hear()
        else:
            ended = True
    status = os.waitpid(pid, 0)[1]
    print("ended", status, flush=True)
