#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A QMP server of no guest: usage: qmp-server.py SOCKET STATUS [HABIT...]

Written from QEMU's docs/interop/qmp-spec.rst alone: a greeting, capabilities negotiated before any
other command, one reply a command with its id, events at any time. STATUS is what query-status says
first, as in the RunState of QEMU's schema. Each command is a line of SOCKET.log; what breaks the
protocol is a line that begins with "!". Prints "ready", serves one client after the other, and ends
with its parent.

HABITS: refuse-COMMAND answers it with an error; hang-COMMAND never; ignore-COMMAND says yes and does
nothing; no-greeting; close-COMMAND closes the connection instead.
"""

import ctypes
import json
import os
import signal
import socket
import sys
import time

path, status, *habits = sys.argv[1:]
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
log = open(path + ".log", "a", buffering=1)


def send(client, message):
    client.sendall(json.dumps(message).encode() + b"\r\n")


def event(client, name):
    now = time.time()
    stamp = {"seconds": int(now), "microseconds": int(now % 1 * 1000000)}
    send(client, {"event": name, "timestamp": stamp})


def error(client, request, kind, text):
    reply = {"error": {"class": kind, "desc": text}}
    if "id" in request:
        reply["id"] = request["id"]
    send(client, reply)


def obey(client, command):
    """What the command returns; None for a command that there is not."""
    global status
    if command == "query-status":
        return {"status": status, "running": status == "running"}
    if command == "stop":
        if f"ignore-{command}" not in habits and status == "running":
            status = "paused"
            event(client, "STOP")
        return {}
    if command == "cont":
        if f"ignore-{command}" not in habits and status == "paused":
            status = "running"
            event(client, "RESUME")
        return {}
    return None


def answer(client, request, negotiated):
    """Return: capabilities have been negotiated by now."""
    command = request.get("execute")
    if not isinstance(command, str) or set(request) - {"execute", "arguments", "id"}:
        log.write(f"! no command: {request}\n")
        error(client, request, "GenericError", "Expecting 'execute'")
        return negotiated
    log.write(command + "\n")
    if f"close-{command}" in habits:
        client.close()
        return negotiated
    while f"hang-{command}" in habits:
        signal.pause()
    if f"refuse-{command}" in habits:
        error(client, request, "GenericError", f"{command} is refused")
        return negotiated
    if not negotiated and command != "qmp_capabilities":
        log.write(f"! {command} before qmp_capabilities\n")
        error(client, request, "CommandNotFound", "Expecting capabilities negotiation")
        return negotiated
    value = {} if command == "qmp_capabilities" else obey(client, command)
    if value is None:
        log.write(f"! unknown: {command}\n")
        error(client, request, "CommandNotFound", f"The command {command} has not been found")
        return negotiated
    reply = {"return": value}
    if "id" in request:
        reply["id"] = request["id"]
    send(client, reply)
    return True


def serve(client):
    negotiated = False
    version = {"qemu": {"micro": 0, "minor": 0, "major": 10}, "package": ""}
    if "no-greeting" not in habits:
        send(client, {"QMP": {"version": version, "capabilities": ["oob"]}})
    # Events come whether or not they are expected.
    event(client, "NIC_RX_FILTER_CHANGED")
    for line in client.makefile("rb"):
        try:
            request = json.loads(line)
        except ValueError:
            log.write(f"! no JSON: {line!r}\n")
            return
        negotiated = answer(client, request, negotiated)


listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
print("ready", flush=True)
sys.stdout = open(os.devnull, "w")
while True:
    connection, _ = listener.accept()
    try:
        serve(connection)
    except OSError:
        pass
    connection.close()
    log.write("status " + status + "\n")
