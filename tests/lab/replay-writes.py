#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""replay-writes.py LOG DISK FROM: what dm-log-writes has logged, up to the next power cut.

Writes to the file DISK what is in LOG from the byte FROM on, to the end of the next entry that was
a flush or forced unit access: all that a disk with a cache is sure to have then, and no more, since
a write is logged only once a flush has made it durable. Says where the next one begins; status 1
when there is none. The layout of LOG is that of the kernel's drivers/md/dm-log-writes.c.
"""

import struct
import sys

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


def main():
    log_path, disk_path, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(log_path, "rb") as log, open(disk_path, "r+b") as disk:
        magic, _, _, sector_size = struct.unpack("<QQQI", log.read(28))
        assert magic == MAGIC, hex(magic)
        at = at or sector_size
        while True:
            log.seek(at)
            sector, count, flags, _ = struct.unpack("<QQQQ", log.read(32))
            if flags & MARK:
                # The last one says that the log was closed.
                return 1
            at += sector_size
            if count and not flags & DISCARD:
                log.seek(at)
                disk.seek(sector * 512)
                disk.write(log.read(count * sector_size))
                at += count * sector_size
            if flags & (FLUSH | FUA):
                print(at)
                return 0


sys.exit(main())
