#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# inspect --decode on streams that are written here, from the drivers' sources alone. The device is a
# server whose state they are; it has no driver, so that each is known by its magic number.

# shellcheck disable=SC2034,SC2154 # variables are emu.bash's and run's, or theirs
load ../emu

D=vfio-user:it

setup()
{
	require python3
	emu_setup
}

teardown()
{
	unserve
	emu_teardown
}

unserve()
{
	[[ -n ${server-} ]] || return 0
	kill -TERM "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
	server=''
}

# hold PYTHON: a device whose state is the bytes of that expression
hold()
{
	unserve
	python3 -c "import struct, sys
pack = struct.pack
def qat(sections): return pack('<IIHHI', 0xadf5caea, 1, 16, 1, len(sections)) + sections
def section(name, members, body): return pack('<8sII', name, len(body), members) + body
sys.stdout.buffer.write($1)" >content
	rm -f said
	python3 "$BATS_TEST_DIRNAME/misfit-server.py" it holds content >said 3>&- &
	server=$!
	eventually grep -q ready said
}

# decoded PYTHON: such a device's image, decoded; its report is for expect_json
decoded()
{
	hold "$1"
	migctl 0 save --force "$D" image
	migctl 0 --json inspect --decode image
}

@test "decode: hisi_acc, known by its first bytes" {
	decoded "pack('<QIIIIIHH8x', 0xaaccfeeddecadede, 16, 0xa251, 3, 32, 1, 1, 0)"
	expect_json '.devices[0].decoded | .layout == "hisi_acc" and .by == "magic" and .bytes == 40' \
		'.devices[0].decoded | has("odd") == false and .complete' \
		'.devices[0].decoded.members[0].members | map({(.name): .value}) | add |
			.qp_num == 16 and .dev_id == "0x0000a251" and .que_iso_cfg == "0x00000003"'
	migctl 0 inspect --decode image
	[[ $output == *'STREAM OF hisi_acc, BY ITS FIRST BYTES'* ]]
	[[ $output == *'        12    dev_id              0x0000a251'* ]]
	[[ $output == *"(no guest's driver: nothing more is saved)"* ]]
}

# Whose streams are of no magic number, and are made by what is public of them alone.
@test "decode: virtio and mlx5, by encoders that know nothing of the decoders" {
	record -0 python3 "$BATS_TEST_DIRNAME/decode-encoder.py" \
		"${top_builddir:-.}/tests/lab/tools/decode-dump" 1 30
	[[ $output == '60 streams' ]]
}

@test "decode: qat, sections in sections" {
	decoded "(qat(section(b'CONFIG', 1, section(b'gencap', 0, pack('<I', 0xff)))) +
		qat(section(b'ETRBAR', 1, section(b'bnk0', 0, bytes(9))))).ljust(4096, b'\\0')"
	expect_json '.devices[0].decoded | .layout == "qat" and has("odd") == false' \
		'[.devices[0].decoded | .. | objects | select(.name == "gencap") | .value] == ["0x000000ff"]' \
		'.devices[0].decoded.members[-1] | .kind == "payload" and .name == "unused"'
}

@test "decode: a stream that is cut off, or longer, or none of a known driver's" {
	decoded "pack('<QIIII', 0x7e9d09898c3e2c4e, 1, 0, 2, 0) + bytes(71)"
	expect_json '.devices[0].decoded.odd | .at == 60 and .why == "cut off in a record: 35 of its 36 bytes"'
	migctl 0 inspect --decode image
	[[ $output == *'        60  odd: cut off in a record: 35 of its 36 bytes'* ]]
	decoded "pack('<QIIII', 0x7e9d09898c3e2c4e, 1, 0, 1, 0) + bytes(37)"
	expect_json '.devices[0].decoded.odd | .at == 60 and .why == "1 bytes follow what should be the end"'
	decoded "bytes(range(64))"
	expect_json '.devices[0].decoded | .layout == null and .by == null and .members == []' \
		'.devices[0].decoded.odd.at == 0'
}

@test "decode: of an image that is cut off, a stream's beginning only" {
	decoded "pack('<QIIII', 0x7e9d09898c3e2c4e, 1, 0, 2, 0) + bytes(72)"
	migctl 0 --json inspect --sections image
	head -c "$(jq '.sections[] | select(.type == "device end") | .at' <<<"$output")" image >'cut'
	migctl 65 --json inspect --decode cut
	expect_json '.devices[0].decoded.complete == false' '.devices[0].decoded | has("odd") == false'
}

@test "info --decode: a device with pre-copy, one without, one in a session" {
	hold "pack('<QIIII', 0x7e9d09898c3e2c4e, 1, 0, 1, 0) + bytes(36)"
	migctl 0 --json info --decode "$D"
	expect_json '.decoded | .layout == "mtty" and .bytes == 30 and .complete == false' \
		'.decoded | has("odd") == false'
	expect_state "$D" running
	migctl 0 state "$D" stop-copy
	migctl 71 --json info --decode "$D"
	expect_json 'has("decoded") == false'
	[[ $stderr == *'it is in stop-copy: a session is under way, or was'* ]]
	migctl 0 state "$D" stop
	migctl 0 --json info --decode "$D"
	expect_json '.decoded | .bytes == 60 and .complete and has("odd") == false'
	expect_state "$D" stop
	emu_start --profile pds
	migctl 0 --json info --decode "$A"
	expect_json '.decoded | .layout == null and .bytes > 0 and .complete'
	expect_state "$A" running
}

@test "info --diff: what a device will object to" {
	hold "pack('<QIIIIIHH8x', 0xaaccfeeddecadede, 16, 0xa251, 3, 32, 1, 1, 0) * 2"
	migctl 0 save "$D" image
	hold "pack('<QIIIIIHH8x', 0xaaccfeeddecadede, 32, 0xa251, 3, 32, 1, 1, 0) * 2"
	migctl 0 --json info --diff image "$D"
	expect_json '.objections | map(.field) == ["version", "device id", "queue count", "queue isolation"]' \
		'[.objections[] | select(.field != "device id") | .verdict] | unique == ["unknown"]'
	migctl 0 --json info --decode --diff image "$D"
	expect_json '[.objections[] | select(.verdict == "refused") | .field] == ["queue count"]' \
		'.objections[] | select(.field == "queue count") | .saved == 16 and .here == 32'
	migctl 0 info --decode --diff image "$D"
	[[ $output == *'queue count          16      32      refused'* ]]
	# The server's configuration space has another device id.
	migctl 0 --json inspect --diff "$D" image
	expect_json '[.objections[] | select(.field != "device id") | .verdict] | unique == ["unknown"]' \
		'.objections[] | select(.field == "device id") | .verdict == "refused" and .here != null'
	migctl 0 --json resume --dry-run "$D" image
	expect_json '[.objections[].verdict] | unique == ["unknown"]' \
		'.objections[] | select(.field == "device id") | .saved == "0xa251" and .here == null'
	# What is no file is not read twice.
	migctl 0 --json info --diff 'exec:cat image' "$D"
	expect_json 'has("objections") == false'
}

@test "resume --dry-run: each device of a set has its own" {
	emu_start
	migctl 0 save "$A" "$B" image
	migctl 0 --json resume --dry-run "$A" "$B" image
	expect_json '.devices | map(.objections) == [[], []]'
	migctl 0 resume --dry-run "$A" "$B" image
	[[ $output != *'ITS DRIVER COMPARES'* ]]
}
