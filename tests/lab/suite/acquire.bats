#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a device may be called, and the ways to open it.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are lab.bash's and run's, or theirs
load lab.bash

# opened_by WAY SPEC [OPTION...]: the tool opens $A for that name.
opened_by()
{
	local way=$1 spec=$2
	shift 2

	migctl 0 --json info "$@" "$spec"
	told via "$way"
	told address "$A"
	told state running
}

@test "DEV: an mdev's UUID, in any case" {
	opened_by cdev "$A"
	opened_by cdev "${A^^}"
}

@test "DEV: vfioN, its node, by any path" {
	nodes "$A"
	opened_by cdev "${cdev##*/}"
	opened_by cdev "$cdev"
	opened_by cdev "/dev/../$cdev"
	ln -s "$cdev" link
	opened_by cdev ./link
	# A container's own.
	mknod node c $((0x$(stat -c %t "$cdev"))) $((0x$(stat -c %T "$cdev")))
	opened_by cdev "$PWD/node"
}

@test "DEV: a sysfs path, long or short" {
	local path

	nodes "$A"
	for path in "/sys/bus/mdev/devices/$A" "/sys/bus/mdev/devices/$A/" \
		"/sys/class/vfio-dev/${cdev##*/}" "/sys/bus/mdev/drivers/mtty/$A" \
		"$(readlink -f "/sys/bus/mdev/devices/$A")" \
		"/sys/bus/mdev/devices/$A/vfio-dev/${cdev##*/}"; do
		opened_by cdev "$path"
	done
	cd "/sys/bus/mdev/devices/$A"
	opened_by cdev ./
}

@test "DEV: a PCI address, long or short, is looked for as such" {
	local spec

	for spec in 0000:3b:00.1 3b:00.1 00000000:3b:00.1 3B:00.1; do
		migctl 66 info $spec
		expect_message '0000:3b:00.1: no such PCI device'
	done
}

@test "DEV: a group's node or folder is refused, and its devices are named" {
	nodes "$A"
	migctl 64 info "$group"
	expect_message "$group: a group, not a device; it holds $A" 'name one of its devices'
	migctl 64 info "/sys/kernel/iommu_groups/${group##*/}"
	expect_message "it holds $A"
}

@test "--via: cdev and group" {
	opened_by cdev "$A" --via cdev
	opened_by group "$A" --via group
	nodes "$A"
	opened_by group "$cdev" --via group
	migctl 64 info --via magic "$A"
	expect_message "--via is cdev or group, not 'magic'"
}

# without NODE COMMAND...: run, as on a kernel that does not have it.
without()
{
	local node=$1
	shift

	mv "$node" "$node.away"
	record "$@"
	mv "$node.away" "$node"
	echo "$output$stderr"
}

@test "a kernel without iommufd: the group is taken by itself, --via=cdev says what is missing" {
	without /dev/iommu "$VFIOMIGCTL" --json info "$A"
	((status == 0))
	expect_json '.device.via == "group"' '.state == "running"'
	without /dev/iommu "$VFIOMIGCTL" info --via cdev "$A"
	((status == 69))
	expect_message "$A: no iommufd: /dev/iommu: No such file or directory (ENOENT)"
}

@test "a /dev without nodes of devices: the group is taken by itself, --via=cdev says what is missing" {
	without /dev/vfio/devices "$VFIOMIGCTL" --json info "$A"
	((status == 0))
	expect_json '.device.via == "group"' '.state == "running"'
	without /dev/vfio/devices "$VFIOMIGCTL" info --via cdev "$A"
	((status == 66))
	expect_message 'No such file or directory (ENOENT)' '/dev lacks its node' '(--via group)'
}

@test "a kernel without containers: cdev by itself, --via=group says what is missing" {
	without /dev/vfio/vfio "$VFIOMIGCTL" --json info "$A"
	((status == 0))
	expect_json '.device.via == "cdev"' '.state == "running"'
	without /dev/vfio/vfio "$VFIOMIGCTL" info --via group "$A"
	((status == 66))
	expect_message '/dev/vfio/vfio: No such file or directory (ENOENT)'
}

@test "--vf-token: by group, and refused where it is no UUID" {
	migctl 64 info --vf-token nonsense "$A"
	[[ $stderr == *"--vf-token: 'nonsense' is not a UUID"* ]]
	expect_state "$A" running
}

@test "fd:N: a device that another process opened, by cdev and by group" {
	record -0 "$tools/with-fd" --via cdev "$A" 9 "$VFIOMIGCTL" --json info fd:9
	expect_json '.device.via == "fd"' ".device.address == \"$A\"" '.migratable' \
		'.state == "running"'
	record -0 "$tools/with-fd" --via group "$A" 123 "$VFIOMIGCTL" --json info fd:123
	expect_json '.device.via == "fd"' '.migratable' '.device.ids.device == "0x3253"'
	# The link of an anonymous fd does not name its device; fdinfo does, from 6.18 on.
	if [[ $(printf '%s\n' 6.18 "$LAB" | sort -V | head -n 1) == 6.18 ]]; then
		expect_json ".device.address == \"$A\"" '.device.driver == "mtty"'
	else
		expect_json '.device.address == "fd:123"' '.device.driver == null'
	fi
}

@test "fd:N: it stays open and bound in who lent it" {
	# shellcheck disable=SC2016 # for that shell
	record -0 "$tools/with-fd" --via group "$A" 9 bash -c '
		"$0" -q state fd:9 stop && "$0" -q state fd:9 running && "$0" -q info fd:9' "$VFIOMIGCTL"
	expect_state "$A" running
}

@test "fd:N: a cdev that is not bound" {
	nodes "$A"
	migctl 66 --json info fd:9 9<>"$cdev"
	expect_message 'fd:9: a VFIO device that is not bound yet' \
		'the process that hands it over must VFIO_DEVICE_BIND_IOMMUFD first'
	expect_json '.status == 66' '.error.errno == "EINVAL"'
	migctl 66 save fd:9 new 9<>"$cdev"
	[[ ! -e new ]]
	expect_state "$A" running
}

@test "fd:N: of something else, and of nothing" {
	migctl 66 info fd:9 9</dev/null
	expect_message 'fd:9: not a VFIO device: Inappropriate ioctl for device (ENOTTY)'
	migctl 66 info fd:9 9<"$BATS_TEST_FILENAME"
	migctl 66 info fd:9 9<>/dev/vfio/vfio
	migctl 66 info fd:99
	expect_message 'fd:99: not open here: Bad file descriptor (EBADF)'
}

# hold [OPTION...] UUID: a process called tail has it.
hold()
{
	start holder "$tools/with-fd" "${@:1:$#-1}" "${!#}" 9 tail -f /dev/null
	eventually runs "$holder" tail
}

runs()
{
	[[ $(<"/proc/$1/comm") == "$2" ]]
}

# held MESSAGE: whatever would open $A says so.
held()
{
	local command

	for command in info state reset; do
		migctl 71 --json $command "$A"
		expect_message "$1" 'Device or resource busy (EBUSY)' 'have it hand over its device fd' 'take part in it as pid:'
		expect_json '.status == 71' '.error.errno == "EBUSY"'
	done
	for command in cdev group; do
		migctl 71 --json save --via $command "$A" new
		expect_message "$1"
		expect_json '.outcome == "aborted"' '.owner == "source"'
	done
	[[ ! -e new ]]
}

@test "a device that another process has by its cdev: the message names it" {
	hold --via cdev "$A"
	# state without a STATE would read debugfs
	mount -t tmpfs none /sys/kernel/debug
	held "$A: held by another process: tail (pid $holder, fd 9)"
	umount /sys/kernel/debug
	kill "$holder"
	finish holder 143
	migctl 0 state "$A" stop
	expect_state "$A" stop
}

@test "a device that another process has by its group: the message names it" {
	hold --keep --via group "$A"
	mount -t tmpfs none /sys/kernel/debug
	held "$A: held by another process: tail (pid $holder, fd "
	umount /sys/kernel/debug
	kill "$holder"
	finish holder 143
}

@test "a device whose fd was handed to another process" {
	hold --via group "$A"
	if [[ $(printf '%s\n' 6.18 "$LAB" | sort -V | head -n 1) == 6.18 ]]; then
		message="tail (pid $holder, fd 9)"
	else
		message='which one cannot be seen from here'
	fi
	migctl 71 reset --via cdev "$A"
	expect_message "$A: held by another process:" "$message"
	kill "$holder"
	finish holder 143
}

@test "an unprivileged user: permission denied, by name" {
	nodes "$A"
	public_tool
	for way in cdev group; do
		record setpriv --reuid 65534 --regid 65534 --clear-groups \
			"$tool" --json info --via $way "$A"
		echo "$output$stderr"
		((status == 77))
		expect_json '.status == 77' '.error.errno == "EACCES"'
	done
	record setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$tool" info "$A"
	((status == 77))
	expect_message "$cdev: Permission denied (EACCES)"
	# Reading the state goes by debugfs, which is root's, and then by the device.
	record setpriv --reuid 65534 --regid 65534 --clear-groups "$tool" state "$A"
	((status == 77))
	expect_state "$A" running
}

@test "an unprivileged user who was given the node: nothing else is needed" {
	local folder

	nodes "$A"
	public_tool
	chown 65534 "$cdev" /dev/iommu
	folder=$(mktemp -d "$TMPDIR/mine.XXXXXX")
	chown 65534 "$folder"
	record setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$tool" --json save "$A" "$folder/state.img"
	chown 0 /dev/iommu
	echo "$output$stderr"
	((status == 0))
	[[ $(stat -c '%u %a' "$folder/state.img") == '65534 600' ]]
	expect_json '.state == "running"'
	migctl 0 verify "$folder/state.img"
	rm -r "$folder"
	expect_state "$A" running
}

@test "a device that cannot migrate is opened all the same, and asked" {
	make_device M mdpy-vga
	migctl 0 --json info "$M"
	expect_json '.migratable == false' '.reason | contains("the driver offers no migration")' \
		'.device.driver == "mdpy"' '.regions | length > 0'
	for way in cdev group; do
		migctl 69 save --via $way "$M" new
		expect_message "$M: the driver offers no migration"
	done
	[[ ! -e new ]]
}

# pass HOW: a process that passes $A at ./pass, as the manual page says, or not quite so.
pass()
{
	start passer "$tools/with-fd" "$A" 9 python3 -c '
import os, socket, sys
how = sys.argv[1]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind("pass")
listener.listen()
while True:
    end, _ = listener.accept()
    fds = {"one": [9], "none": [], "two": [9, 9], "many": [9] * 20, "pipe": [os.pipe()[0]]}.get(how)
    if fds:
        socket.send_fds(end, [b"a device"], fds)
    elif fds is not None:
        end.send(b"no device")
    if how != "silent" and end.recv(1) == b"":
        print("closed", flush=True)
    end.close()
' "$1"
	eventually test -S pass
}

dismiss_passer()
{
	kill "$passer"
	finish passer 143
	rm pass
}

@test "DEV: unix:PATH, a device that is passed to what connects" {
	"$tools/uart" "$A" fill 5
	pass one
	migctl 0 --json info unix:pass
	expect_json ".device.address == \"$A\"" '.device.via == "unix"' '.state == "running"'
	eventually grep -q closed passer.out
	migctl 0 --json save unix:pass state.img
	expect_json '.outcome == "completed"'
	migctl 0 --json list unix:pass
	expect_json '.devices[0].state == "running"' '.devices[0].driver == "mtty"' \
		'.devices[0].holders | length >= 1'
	migctl 0 --json resume --no-hold unix:pass state.img
	expect_json '.state == "running"'
	migctl 64 save unix:pass unix:pass
	dismiss_passer
}

@test "DEV: unix:PATH refuses what is odd" {
	local how text

	migctl 66 info unix:pass
	expect_message 'unix:pass: '
	touch file
	migctl 66 info unix:file
	while read -r how text; do
		pass "$how"
		migctl "${text%% *}" info unix:pass
		expect_message "unix:pass: ${text#* }"
		dismiss_passer
	done <<-END
		none 76 the first message has no descriptor, not one descriptor
		two 76 the first message has several descriptors, not one descriptor
		many 76 the first message has several descriptors, not one descriptor
		pipe 66 not a VFIO device
	END
	pass silent
	migctl 76 info unix:pass
	expect_message 'unix:pass: the connection was closed before a device came'
	dismiss_passer
}
