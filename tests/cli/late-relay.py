#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection on which a client's words come late: usage: late-relay.py PORT

Listens on the loopback, prints its port, and passes one connection on to PORT. What the client
says after its first words is kept until it has fallen silent: by then it has sent all that it can
send without an answer.
"""

import select
import socket
import sys

SILENCE = 0.5
BOUND = 30

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
client = listener.accept()[0]
server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
server.sendall(client.recv(65536))
client.sendall(server.recv(65536))
kept = b""
while True:
    ready = select.select([client, server], [], [], SILENCE if kept else BOUND)[0]
    if server in ready:
        client.sendall(server.recv(65536))
    if client in ready:
        data = client.recv(65536)
        kept += data
        if not data:
            break
    if not ready:
        break
server.sendall(kept)
while data := server.recv(65536):
    client.sendall(data)
client.close()
