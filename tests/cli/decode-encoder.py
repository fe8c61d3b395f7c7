#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Streams as two drivers write them, and what must be read out of them: decode-encoder.py DUMP SEED N

Made from what is public of the formats, and nothing of the decoders:

 - virtio: the VFIO driver's records (a size, flags, a tag), the data of each of which is a list of
   device parts as the virtio specification has them (Device parts): type, flags, a selector of
   eight bytes, the length of the value that follows.
 - mlx5: records of the same header; a firmware image for tag 0, a number for tag 1.

DUMP is tests/lab/tools/decode-dump. N random streams of each, whole, and each cut off once: all that is
whole is read as before, and the cut is found.
"""

import random
import struct
import subprocess
import sys

OPTIONAL = 1


class Stream:
    """Bytes, and the lines that say what they are."""

    def __init__(self):
        self.data = b""
        self.lines = []

    def say(self, depth, kind, size, name, value=None):
        words = [depth, kind, len(self.data), size, name] + ([] if value is None else [value])
        self.lines.append(" ".join(map(str, words)))

    def number(self, depth, name, value, size):
        self.say(depth, "number", size, name, value)
        self.data += value.to_bytes(size, "little")

    def header(self, depth, name, fields):
        """A header, of (name, value, size); a field without a name is reserved."""
        self.say(depth, "record", sum(size for _, _, size in fields), name)
        for field, value, size in fields:
            if field:
                self.number(depth + 1, field, value, size)
            else:
                self.data += bytes(size)

    def payload(self, depth, name, body):
        self.say(depth, "payload", len(body), name)
        self.data += body


def record(stream, size, flags, tag):
    stream.header(0, "record", [("record_size", size, 8), ("flags", flags, 4), ("tag", tag, 4)])


def some_bytes(rng, most):
    return rng.randbytes(rng.randrange(1, most))


def other(stream, rng):
    """A record of a later driver, which says that it may be passed over."""
    body = some_bytes(rng, 40)
    record(stream, len(body), OPTIONAL, rng.randrange(2, 1000))
    stream.payload(1, "data", body)


def virtio(rng):
    stream = Stream()
    for _ in range(rng.randrange(1, 5)):
        if not rng.randrange(4):
            other(stream, rng)
            continue
        parts = [(rng.randrange(0x10000), rng.randrange(2), rng.getrandbits(64), some_bytes(rng, 300))
                 for _ in range(rng.randrange(1, 5))]
        record(stream, sum(16 + len(value) for _, _, _, value in parts), 0, 0)
        for kind, flags, selector, value in parts:
            stream.header(1, "part", [("part_type", kind, 2), ("flags", flags, 1), (None, 0, 1),
                                      ("selector", selector, 8), ("length", len(value), 4)])
            stream.payload(2, "value", value)
    return stream


def mlx5(rng):
    stream = Stream()
    record(stream, 8, OPTIONAL, 1)
    stream.number(1, "stop_copy_size", rng.randrange(1 << 32), 8)
    for _ in range(rng.randrange(1, 6)):
        if not rng.randrange(4):
            other(stream, rng)
            continue
        image = some_bytes(rng, 5000)
        record(stream, len(image), 0, 0)
        stream.payload(1, "image", image)
    return stream


def dump(program, driver, rng, data):
    piece = rng.choice([1, 3, 16, 17, 4096])
    done = subprocess.run([program, driver, str(piece)], input=data, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().splitlines()


def compare(what, got, want):
    for i, (a, b) in enumerate(zip(got + [None] * len(want), want)):
        if a != b:
            sys.exit(f"{what}: line {i}: {a!r}, and must be {b!r}")


def main():
    program, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for driver, make in (("virtio_vfio_pci", virtio), ("mlx5_vfio_pci", mlx5)):
        for n in range(count):
            rng = random.Random(f"{seed} {driver} {n}")
            stream = make(rng)
            what = f"{driver}, stream {n} of seed {seed}"
            whole = dump(program, driver, rng, stream.data)
            compare(what, whole, stream.lines + [f"bytes {len(stream.data)}"])
            if len(whole) != len(stream.lines) + 1:
                sys.exit(f"{what}: {len(whole)} lines, not {len(stream.lines) + 1}")
            cut = len(stream.data) - 1 - rng.randrange(min(8, len(stream.data) - 1))
            lines = dump(program, driver, rng, stream.data[:cut])
            if lines[-1] != f"bytes {cut}" or not lines[-2].startswith("odd "):
                sys.exit(f"{what}, cut at {cut}: {lines[-2:]}")
    print(f"{2 * count} streams")


main()
