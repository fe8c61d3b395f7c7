#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads TAP: the plan is kept, numbers count, each YAML block is YAML with a verdict and evidence."""

import re
import sys

import yaml

lines = sys.stdin.read().splitlines()
assert lines[0] in ("TAP version 13", "TAP version 14"), lines[0]
plan = int(re.fullmatch(r"1\.\.(\d+)", lines[1])[1])
count = 0
block = None
for line in lines[2:]:
    if line == "  ---":
        block = []
    elif line == "  ...":
        told = yaml.safe_load("\n".join(block))
        assert told["verdict"] in ("info", "warn", "known", "fail", "broken"), told
        assert told["message"] and told["message"] in told["evidence"].splitlines(), told
        block = None
    elif block is not None:
        assert line.startswith("  "), line
        block.append(line[2:])
    else:
        count += 1
        assert re.match(rf"(not )?ok {count} - [a-z0-9-]+\.[a-z0-9-]+: ", line), line
assert count == plan, (count, plan)
