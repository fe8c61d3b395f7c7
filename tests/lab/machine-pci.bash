# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # run, which sources this, has the rest
# shellcheck disable=SC2054 # QEMU's commas
#
# A PC in QEMU, without KVM, as a machine of the lab: what run needs of it.

mem=${mem:-1G}
cpus=${cpus:-1}
[[ -z $kernel ]] || fail "--kernel $kernel: pci has one of its own"
case $variant in
'' | no-iommu | no-intremap) ;;
*) fail "--variant $variant: neither no-iommu nor no-intremap" ;;
esac

# machine_get: what it boots and modules, made if need be. Status 77: QEMU or Debian's kernel cannot
# be had.
machine_get()
{
	make_by "$here/pci/prepare" >"$dir/prepared" || return
	prepared=$(<"$dir/prepared")
	# What needs it is skipped without.
	make_by "$here/pci/udev" >"$dir/udev" || true
	get_modules --machine pci || return
	# Where modprobe finds those of the kernel itself.
	echo "$prepared/modules" >"$dir/stock"
}

# pci_devices: $args for the bus. Each of the slots is a root port, as hot-unplugging takes one.
pci_devices()
{
	local slot

	[[ $variant == no-iommu ]] || args+=(-device "intel-iommu,intremap=$(
		[[ $variant == no-intremap ]] && echo off || echo on
	)")
	for slot in 1 2 3; do
		args+=(-device "pcie-root-port,id=slot$slot,slot=$slot,chassis=$slot")
	done
	# The network function with VFs. No other end of its cable: nothing is sent.
	args+=(-device igb,id=nic0,bus=slot1,romfile=)
	# slot2 is empty, for device_add. Behind a bridge to PCI: two functions in one group, without
	# a function reset. On the root complex: a device that cannot be reset at all.
	args+=(
		-device pcie-pci-bridge,id=bridge,bus=slot3
		-device edu,id=edu1,bus=bridge,addr=1.0,multifunction=on
		-device edu,id=edu2,bus=bridge,addr=1.1
		-device edu,id=edu0
	)
}

# pci_channels: $args for the host's files, output and the monitor. A port of virtio-serial takes
# bytes as they are. The monitor's is the machine's own: connected to another of its ports, so that
# the command can have a device unplugged.
pci_channels()
{
	local name

	args+=(
		-fsdev local,id=host,path=/,security_model=none,multidevs=remap
		-device virtio-9p-pci,fsdev=host,mount_tag=host
		-fsdev local,id=lab,path=.,security_model=none
		-device virtio-9p-pci,fsdev=lab,mount_tag=lab
		-chardev file,id=log,path=log,append=on -serial chardev:log
		-chardev socket,id=monitor,path=monitor,server=on,wait=off
		-mon chardev=monitor,mode=control
		-chardev socket,id=lab.monitor,path=monitor
		-device virtio-serial-pci
	)
	for name in stdout stderr; do
		args+=(-chardev "file,id=lab.$name,path=$name,append=on")
	done
	for name in stdout stderr monitor; do
		args+=(-device "virtserialport,chardev=lab.$name,name=lab.$name")
	done
	[[ -z $interactive ]] || args+=(-device virtconsole,chardev=tty)
}

# pci_terminal: the terminal takes bytes as they are. QEMU has it make two of a line's end, which the
# terminal inside has done by then. That is over when QEMU comes to its next channel.
pci_terminal()
{
	while kill -0 "$machine_pid" 2>/dev/null && [[ ! -S $dir/monitor ]]; do
		sleep 0.1
	done
	stty -opost <&3
}

# machine_boot: starts it, as $machine_pid.
machine_boot()
{
	local args append

	# A panic ends it; an oops is one. relaxed: what VFIO holds may be looked at (resource0), so
	# that a test need not ask the driver that it tests. Time goes by leaps where the host has
	# other work: whether clocks agree, or a timer came, is not to be looked at.
	append="console=ttyS0 loglevel=6 panic=-1 oops=panic intel_iommu=on iomem=relaxed"
	append+=" nowatchdog no_timer_check tsc=unstable clocksource=acpi_pm random.trust_cpu=on"
	# Nor what costs time in translated code: another level of page tables, records of system calls.
	append+=" mitigations=off no5lvl audit=0 lab_machine=pci lab_init=\"$dir/init\""
	args=(
		-accel tcg,thread=multi -cpu max -smp "$cpus" -m "$mem"
		-M q35,smbus=off,usb=off,vmport=off,graphics=off,hpet=off
		-nodefaults -no-user-config -display none -no-reboot
		-kernel "$prepared/vmlinuz" -initrd "$prepared/initramfs" -append "$append"
	)
	[[ -z $interactive ]] || args+=(-chardev stdio,id=tty,signal=off)
	pci_devices
	pci_channels
	# A session of its own: signals of this terminal are not the machine's, and its group can be
	# killed as one. It must not outlive this script, however that ends.
	(
		ulimit -c 0
		cd "$dir" || exit
		[[ -z $interactive ]] || exec <&3 >&4
		[[ -n $interactive ]] || exec </dev/null >log
		exec env -i PATH="$PATH" setsid setpriv --pdeathsig KILL \
			"$prepared/qemu-system-x86_64" "${args[@]}" 2>>log
	) &
	machine_pid=$!
	[[ -z $interactive ]] || pci_terminal
}
