#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bind --persist, as Debian's udevd takes it: functions are removed and made anew, as at a boot, and
# what they then have is read from sysfs. Nothing of the tool runs in between.

# shellcheck disable=SC2030,SC2031,SC2154 # pci_setup and record set them
load pci.bash

# Where a reboot would leave nothing, which is what the machine's is, too.
rules=/run/udev/rules.d

setup()
{
	pci_setup
	udev=$(</run/lab/udev) || true
	[[ -n $udev ]] || skip "needs Debian's udev (tests/lab/pci/udev)"
	[[ -e /sys/bus/pci/drivers/igbvf ]] || modprobe igbvf
	for address in "$A" "$B" "$C"; do
		bind "$address" igbvf
		echo >"$sysfs/$address/driver_override"
	done
	rm -rf /run/vfiomigctl "$rules"
	start_udevd
}

teardown()
{
	[[ -z ${udevd-} ]] || kill "$udevd"
	if [[ -d ${root-} ]]; then
		eventually umount -R "$root"
	fi
}

# start_udevd: as $udevd, in a root where the modules of this kernel and udev's own rules are, those
# that ask for a host's drivers among them: this one's has no folder for them.
start_udevd()
{
	local from to path

	root=/run/root
	mkdir -p "$root" /run/udev
	mount -t tmpfs root "$root"
	read -r path </run/lab/stock
	while read -r from to; do
		mkdir -p "$root$to"
		mount --rbind "$from" "$root$to"
	done <<-END
		/dev /dev
		/etc /etc
		/proc /proc
		/run/udev /run/udev
		/sys /sys
		$path/lib/modules /lib/modules
		$(dirname "$(find "$udev" -name 80-drivers.rules)") /lib/udev/rules.d
		$(dirname "$(find "$udev" -name udevadm -perm -1)") /bin
		$(echo /lib/*-linux-gnu) $(echo /lib/*-linux-gnu)
		$([[ ! -d /lib64 ]] || echo /lib64 /lib64)
	END
	ln -s ../bin/udevadm "$root/lib/systemd-udevd"
	chroot "$root" /lib/systemd-udevd --resolve-names=never >"$BATS_TEST_TMPDIR/udevd" 2>&1 3>&- &
	udevd=$!
	# It answers when it hears.
	SYSTEMD_IGNORE_CHROOT=1 eventually chroot "$root" /bin/udevadm control --ping
}

has_driver()
{
	driver_of "$1"
	[[ $driver == "$2" ]]
}

# comes_to DEVICE DRIVER
comes_to()
{
	eventually has_driver "$1" "$2" && return
	echo "it has '$driver', override $(<"$sysfs/$1/driver_override")"
	cat "$BATS_TEST_TMPDIR/udevd" "$rules"/*
	dmesg | tail -n 20
	return 1
}

# make_anew COUNT: none, and then COUNT.
make_anew()
{
	echo 0 >"$sysfs/$PF/sriov_numvfs"
	echo "$1" >"$sysfs/$PF/sriov_numvfs"
}

# heeds_rules: udevd has read the rules as they are now. By itself it looks at them with an event, and
# not again within the next three seconds.
heeds_rules()
{
	SYSTEMD_IGNORE_CHROOT=1 chroot "$root" /bin/udevadm control --reload --ping
}

# settled: udevd has dealt with all that it has heard.
settled()
{
	SYSTEMD_IGNORE_CHROOT=1 chroot "$root" /bin/udevadm settle --timeout=0
}

@test "persist: the host's driver comes first, and the function ends with the rule's" {
	local file=$rules/70-vfiomigctl-$A.rules

	mkdir -p "$rules"
	migctl 0 --json bind --dry-run --persist --rules="$rules" --driver=migsim-pci "$A"
	expect_json ".devices[0].steps[-1] == \"write $file\"" '.devices[0].rule == null'
	jq -r '.devices[0].rule_lines[]' <<<"$output" >expected
	[[ ! -e $file ]]
	migctl 0 --json bind --persist --rules="$rules" --driver=migsim-pci "$A"
	expect_json ".devices[0].rule == \"$file\""
	cmp "$file" expected
	rm -rf /run/vfiomigctl # as a boot does
	eventually heeds_rules
	make_anew 3
	comes_to "$A" migsim-pci
	eventually settled
	has_driver "$B" igbvf
	has_driver "$C" igbvf
	migctl 0 info "$A"
	# Nor does it depend on the kernel's own probing of new VFs.
	echo 0 >"$sysfs/$PF/sriov_drivers_autoprobe"
	make_anew 3
	comes_to "$A" migsim-pci
	eventually settled
	has_driver "$B" ''
	echo 1 >"$sysfs/$PF/sriov_drivers_autoprobe"
	# The rule alone says what it had.
	migctl 0 unbind --rules="$rules" "$A"
	has_driver "$A" igbvf
	[[ $(<"$sysfs/$A/driver_override") == '(null)' && ! -e $file ]]
	eventually heeds_rules
	make_anew 3
	eventually settled
	has_driver "$A" igbvf
	migctl 66 unbind --rules="$rules" "$A"
}

@test "persist: the module is loaded when the function appears" {
	for address in "$A" "$B" "$C"; do
		echo "$address" >"$sysfs/$address/driver/unbind"
	done
	migctl 0 bind --persist --rules="$rules" --driver=igbvf "$B"
	echo "$B" >"$sysfs/$B/driver/unbind"
	# Without the rules that ask for it, too.
	umount "$root/lib/udev/rules.d"
	modprobe -r igbvf
	eventually heeds_rules
	make_anew 3
	eventually has_driver "$B" igbvf
	[[ -d /sys/module/igbvf ]]
	migctl 0 unbind --rules="$rules" "$B"
	has_driver "$B" ''
}

@test "persist: a function that is bound is left alone by another add; one of another kind, too" {
	local file=$rules/70-vfiomigctl-$A.rules

	migctl 0 bind --persist --rules="$rules" --driver=migsim-pci "$A"
	shown "$A" opens
	eventually heeds_rules
	echo add >"$sysfs/$A/uevent"
	eventually settled
	has_driver "$A" migsim-pci
	# For now, another one; the rule is left, and takes effect when it appears anew.
	migctl 0 bind --rules="$rules" --driver=vfio-pci "$A"
	[[ $stderr == *"$A: migsim-pci has it again after the next boot, by a rule of bind --persist" ]]
	has_driver "$A" vfio-pci
	# Nor is one that the user binds, without an override; with that of the rule it was too quick for it.
	echo "$A" >"$sysfs/$A/driver/unbind"
	echo >"$sysfs/$A/driver_override"
	echo "$A" >/sys/bus/pci/drivers/igbvf/bind
	eventually settled
	has_driver "$A" igbvf
	echo migsim-pci >"$sysfs/$A/driver_override"
	echo bind >"$sysfs/$A/uevent"
	comes_to "$A" migsim-pci
	sed -i 's/ATTR{device}!="0x10ca"/ATTR{device}!="0xffff"/' "$file"
	eventually heeds_rules
	make_anew 3
	eventually settled
	has_driver "$A" igbvf
	# What bind writes is for what is there.
	migctl 0 bind --persist --rules="$rules" --driver=migsim-pci "$A"
	migctl 0 bind --persist --rules="$rules" --driver=vfio-pci "$A"
	eventually heeds_rules
	make_anew 3
	eventually has_driver "$A" vfio-pci
	migctl 0 unbind --rules="$rules" "$A"
	has_driver "$A" igbvf
}

@test "persist: a rule of another origin, no folder, a full disk: nothing is changed" {
	local file=$rules/70-vfiomigctl-$A.rules text='KERNEL=="x"'

	mkdir -p "$rules"
	echo "$text" >"$file"
	for command in 'bind --persist --driver=migsim-pci' 'bind --driver=migsim-pci' unbind; do
		# shellcheck disable=SC2086 # words
		migctl 78 $command --rules="$rules" "$A"
		[[ $stderr == *"$file: not written by bind --persist; move it elsewhere" ]]
	done
	[[ $(<"$file") == "$text" ]]
	rm "$file"
	migctl 73 bind --persist --rules=/no/such --driver=migsim-pci "$A"
	[[ $stderr == *'/no/such: '*'every device has the driver again that it had'*'without udev '* ]]
	has_driver "$A" igbvf
	record strace -f -qq -o /dev/null -P "$rules/.${file##*/}.new" -P ".${file##*/}.new" \
		-e trace=write,fsync -e inject=fsync:error=ENOSPC:when=1 \
		"$VFIOMIGCTL" bind --persist --rules="$rules" --driver=migsim-pci "$A"
	((status != 0))
	has_driver "$A" igbvf
	[[ -z $(ls -A "$rules") && -z $(ls -A /run/vfiomigctl) ]]
}

@test "persist: killed at each step of the rule, the next call mends it" {
	local path call file=$rules/70-vfiomigctl-$A.rules

	mkdir -p "$rules"
	while read -r path call; do
		record strace -f -qq -o /dev/null -P "$path" -e "trace=$call" \
			-e "inject=$call:signal=KILL:when=1" \
			"$VFIOMIGCTL" bind --persist --rules="$rules" --driver=migsim-pci "$A"
		((status == 137))
		driver_of "$A"
		echo "killed at $call of $path with '$driver' and $(ls -A "$rules")"
		migctl 0 unbind --rules="$rules" "$A"
		has_driver "$A" igbvf
		[[ ! -e $file ]]
		rm -f "$rules"/.*.new
	done <<-END
		$rules openat
		$rules fsync
	END
	# And a removal.
	migctl 0 bind --persist --rules="$rules" --driver=migsim-pci "$A"
	record strace -f -qq -o /dev/null -P "$file" -e trace=unlink,unlinkat \
		-e inject=unlink,unlinkat:signal=KILL:when=1 "$VFIOMIGCTL" unbind --rules="$rules" "$A"
	((status == 137))
	migctl 0 unbind --rules="$rules" "$A"
	has_driver "$A" igbvf
	[[ ! -e $file && -z $(ls -A /run/vfiomigctl) ]]
}
