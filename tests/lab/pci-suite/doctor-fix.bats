#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# doctor's findings about devlink, on the lab's own (../devlink-sim), and doctor --fix: from a fresh
# VF of a host that has loaded nothing of VFIO to one that is saved. What is so is read from sysfs
# and from devlink's messages.

# shellcheck disable=SC2030,SC2031,SC2154 # pci_setup and record set them
load pci.bash

parameters=/sys/module/devlink_sim/parameters

setup()
{
	pci_setup
	[[ -d $parameters ]] || skip "needs --module devlink-sim"
	[[ -e /sys/bus/pci/drivers/igbvf ]] || modprobe igbvf
	rm -rf /run/vfiomigctl
	make_root
	# Fresh ones: of their host's driver, and not switched on.
	echo -1 >"$parameters/deny"
	echo 0 >"$sysfs/$PF/sriov_numvfs"
	devlink dev eswitch set "pci/$PF" mode switchdev
	echo 3 >"$sysfs/$PF/sriov_numvfs"
}

# make_root: $root, where the modules of the machine are, with lists of them as depmod makes them.
make_root()
{
	local path folder

	root=$BATS_TEST_TMPDIR/root
	folder=$root/lib/modules/$(uname -r)
	mkdir -p "$folder"
	read -r path </run/lab/stock
	cp "$path/lib/modules/$(uname -r)"/{*vfio*,iommufd,irqbypass,igbvf}.ko "$folder"
	while read -r path; do
		[[ $path == *devlink* ]] || cp "$path" "$folder"
	done </run/lab/modules
	depmod -b "$root" "$(uname -r)"
	sed -i '/^alias pci:/d' "$folder/modules.alias"
}

# finding RULE FILTER...: each is true of that rule's finding in $output.
finding()
{
	local rule=$1 filter

	shift
	for filter; do
		expect_json "any(.findings[]; .rule == \"$rule\" and ($filter))"
	done
}

# expect_switch PORT on|off: as another program reads it.
expect_switch()
{
	local found

	found=$(python3 "$BATS_TEST_DIRNAME/port-caps.py" "$PF" "$1")
	[[ $found == "$2" ]] || {
		echo "port $1 is $found, not $2"
		return 1
	}
}

expect_driver()
{
	driver_of "$1"
	[[ $driver == "$2" ]] || {
		echo "$1 has '$driver', not '$2'"
		return 1
	}
}

@test "doctor: the switch is off, on, and asked in vain" {
	migctl 1 --json doctor --module-root="$root" "$A"
	finding devlink '.verdict == "problem"' '.evidence == "off"' .fix \
		".command == \"vfiomigctl migratable --rebind $A on\""
	# The command is one that works.
	migctl 0 migratable --rebind "$A" on
	migctl 1 --json doctor --module-root="$root" "$A"
	finding devlink '.verdict == "ok"' '.evidence == "on"' '.fix == false'
	# An error is no answer, and keeps nothing else from being told.
	record strace -f -qq -o /dev/null -e trace=recvmsg -e inject=recvmsg:error=ENOMEM:when=3+ \
		"$VFIOMIGCTL" --json doctor --module-root="$root" "$A"
	((status == 1))
	finding devlink '.verdict == "unknown"' '.evidence | contains("ENOMEM")' \
		".command == \"vfiomigctl migratable $A\""
	finding driver '.verdict == "problem"'
	# Hidden ports are a problem only of drivers that are known to need them.
	devlink dev eswitch set "pci/$PF" mode legacy
	migctl 1 --json doctor --module-root="$root" "$A"
	expect_json 'all(.findings[]; .rule != "devlink")'
}

@test "doctor --fix: nothing of VFIO is loaded; each step, and then an image" {
	local path

	modprobe -r vfio_iommu_type1 2>/dev/null || true
	rmmod migsim_pci vfio_pci vfio_pci_core vfio_iommu_type1 vfio iommufd 2>/dev/null || true
	[[ ! -e /sys/class/vfio && ! -e /dev/iommu && ! -e /sys/module/migsim_pci ]]
	migctl 1 --json doctor --fix --dry-run --module-root="$root" "$A"
	expect_json .dry_run '[.steps[].result] == ["would", "would", "would", "would"]' \
		'[.steps[].rule] == ["vfio", "nodes", "devlink", "driver"]' '.stopped_by == null' \
		".steps[0].command == \"modprobe -d $root vfio-pci\"" \
		".steps[2].command == \"vfiomigctl migratable --rebind $A on\"" \
		".steps[3].command == \"vfiomigctl bind --module-root $root $A\""
	[[ ! -e /sys/class/vfio ]]
	expect_driver "$A" igbvf
	expect_switch 1 off
	migctl 0 doctor --fix --module-root="$root" "$A"
	# In that order, each before it runs.
	[[ $stderr == *"modprobe -d $root vfio-pci"*$'\n'*"migratable --rebind $A on"*$'\n'*"bind --module-root $root $A"* ]]
	[[ $output == *'done     driver '* && $output != *problem* ]]
	expect_driver "$A" migsim-pci
	expect_driver "$B" igbvf
	expect_switch 1 on
	expect_switch 2 off
	migctl 0 save "$A" image
	migctl 0 verify image
	# Nothing is left to do.
	migctl 0 --json doctor --fix --module-root="$root" "$A"
	expect_json '.steps == []' '.stopped_by == null'
	# And it can be undone.
	migctl 0 unbind "$A"
	expect_driver "$A" igbvf
}

@test "doctor --fix: what is in use, held or has no driver for it is left as it is" {
	local found=("$sysfs/$A"/net/*)

	ip link set "${found[0]##*/}" up
	migctl 1 --json doctor --fix --module-root="$root" "$A"
	expect_json '.steps == []' '.stopped_by == "use"'
	finding use '.verdict == "problem"' ".evidence == \"network interface ${found[0]##*/} is up\""
	[[ $stderr == *"'use' comes first, and has no fix"* ]]
	expect_driver "$A" igbvf
	expect_switch 1 off
	# Held, by plain vfio-pci.
	bind "$B" vfio-pci
	own "$B" "\$ctl --json doctor --fix --module-root=$root $B || exit"
	[[ $status == 1 ]]
	expect_json '.steps == []' '.stopped_by == "held"'
	# Or by the tool itself, which would wait for itself for ever.
	own "$B" "exec \$ctl --json doctor --fix --module-root=$root $B"
	[[ $status == 1 ]]
	expect_json '.steps == []' '.stopped_by == "held"'
	finding held '.evidence == "fd 9, which this process has inherited, has it"'
	own "$B" "exec \$ctl migratable --rebind $B on"
	[[ $status == 69 && $stderr == *"$B: fd 9, which this process has inherited, has it" ]]
	expect_driver "$B" vfio-pci
	# A PF.
	migctl 1 --json doctor --fix --module-root="$root" "$PF"
	expect_json '.steps == []'
	expect_driver "$PF" igb
	# None is for it.
	sed -i '/migsim/d' "$root/lib/modules/$(uname -r)/modules.alias"
	migctl 1 --json doctor --fix --module-root="$root" "$C"
	expect_json '[.steps[].rule] == ["devlink"]' '.stopped_by == null'
	finding driver '.verdict == "problem"' '.fix == false'
	expect_driver "$C" igbvf
}

@test "doctor --fix: the first step that fails ends it, with its words and status" {
	echo 0 >"$parameters/deny"
	migctl 71 --json doctor --fix --module-root="$root" "$A"
	expect_json '[.steps[] | "\(.rule) \(.result)"] == ["devlink failed"]'
	[[ $stderr == *'devlink: '*'Failed setting the?migratable cap'*'(EINVAL)'*"igbvf has it again"* ]]
	expect_driver "$A" igbvf
	# The switch is set, and the module does not load.
	rm "$root/lib/modules/$(uname -r)"/migsim*.ko
	rmmod migsim_pci
	migctl 69 --json doctor --fix --module-root="$root" "$B"
	expect_json '[.steps[] | "\(.rule) \(.result)"] == ["devlink done", "driver failed"]'
	[[ $stderr == *"driver: $B: migsim_pci: modprobe does not load it"* ]]
	expect_driver "$B" igbvf
	expect_switch 2 on
	while read -r module; do
		[[ $module != *migsim* ]] || insmod "$module"
	done </run/lab/modules
}
