#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""on, off or absent: usage: port-caps.py DEVICE INDEX

The function attribute "migratable" of the devlink port pci/DEVICE/INDEX, read with nothing but
Python and the numbers of linux/genetlink.h and linux/devlink.h.
"""

import socket
import struct
import sys

NETLINK_GENERIC, GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 16, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
DEVLINK_CMD_PORT_GET, BUS_NAME, DEV_NAME, PORT_INDEX, PORT_FUNCTION = 5, 1, 2, 3, 145
FN_CAPS, CAP_MIGRATABLE = 4, 2
NLM_F_REQUEST = 1


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


def ask(sock, family, command, payload):
    body = struct.pack("=BBH", command, 1, 0) + payload
    sock.send(struct.pack("=IHHII", 16 + len(body), family, NLM_F_REQUEST, 1, 0) + body)
    reply = sock.recv(65536)
    if struct.unpack_from("=H", reply, 4)[0] == 2:
        sys.exit(f"port-caps: error {struct.unpack_from('=i', reply, 16)[0]}")
    return attributes(reply[20:])


def main():
    device, index = sys.argv[1], int(sys.argv[2])
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    sock.bind((0, 0))
    family = ask(sock, GENL_ID_CTRL, CTRL_CMD_GETFAMILY,
                 attribute(CTRL_ATTR_FAMILY_NAME, b"devlink\0"))[CTRL_ATTR_FAMILY_ID]
    port = ask(sock, struct.unpack("=H", family)[0], DEVLINK_CMD_PORT_GET,
               attribute(BUS_NAME, b"pci\0") + attribute(DEV_NAME, device.encode() + b"\0") +
               attribute(PORT_INDEX, struct.pack("=I", index)))
    caps = attributes(port.get(PORT_FUNCTION, b"")).get(FN_CAPS, b"\0" * 8)
    value, selector = struct.unpack("=II", caps)
    print("absent" if not selector & CAP_MIGRATABLE else "on" if value & CAP_MIGRATABLE else "off")


main()
