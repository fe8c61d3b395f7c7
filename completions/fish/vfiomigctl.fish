# SPDX-License-Identifier: GPL-2.0-or-later
#
# fish completion for vfiomigctl(8)
#
# Nothing here opens a device, since opening one may reset it; names come from sysfs.

# __vfiomigctl_names FOLDER: what the PF in that folder of sysfs is called; no representors of VFs.
function __vfiomigctl_names
    string replace -r '.*/' '' -- $argv[1]
    for class in $argv[1]/net/* $argv[1]/virtio*/net/* $argv[1]/infiniband/*
        set -l port (cat $class/phys_port_name 2>/dev/null)
        string match -q '*pf*' -- $port; or string replace -r '.*/' '' -- $class
    end
end

# VFs by their PF, once that is there; before, PFs that have any.
function __vfiomigctl_vfs
    set -l token (commandline -ct)
    set -l pf (string split -m1 / -- $token)[1]
    if not string match -q '*/*' -- $token
        for vf in /sys/bus/pci/devices/*/virtfn0
            printf '%s/\n' (__vfiomigctl_names (string replace -r '/[^/]*$' '' -- $vf))
        end
        return
    end
    test -n "$pf"; or return
    for vf in /sys/bus/pci/devices/$pf/virtfn* /sys/bus/pci/devices/0000:$pf/virtfn* \
        /sys/class/net/$pf/device/virtfn* /sys/class/net/$pf/device/../virtfn* \
        /sys/class/infiniband/$pf/device/virtfn*
        echo $pf/vf(string replace -r '.*virtfn' '' -- $vf)
    end
    test $pf = pci; and devlink port 2>/dev/null |
        string replace -rf '^(pci/\S+): .*flavour pcivf.*' '$1'
end

# PFs, for vfs.
function __vfiomigctl_pfs
    for pf in /sys/bus/pci/devices/*/sriov_totalvfs
        __vfiomigctl_names (string replace -r '/[^/]*$' '' -- $pf)
    end
end

# Names of what is bound to VFIO: vfioN, addresses, UUIDs.
function __vfiomigctl_devices
    for dev in /sys/class/vfio-dev/*
        set -l real (path resolve $dev/device 2>/dev/null; or readlink -f $dev/device)
        printf '%s\t%s\n' (string replace -r '.*/' '' -- $dev $real) \
            (string replace -r '.*/' '' -- $real $dev)
    end
    test -d /sys/class/vfio-dev; and return
    # Before Linux 6.1 there is no such class.
    for dev in /sys/bus/mdev/devices/* /sys/bus/pci/drivers/*vfio*/*:*:*.*
        string replace -r '.*/' '' -- $dev
    end
end

# __vfiomigctl_forms SCHEME...: these, and files behind those that lead to a file.
function __vfiomigctl_forms
    set -l token (commandline -ct)
    string match -q '*:*' -- $token; or printf '%s\n' $argv
    for scheme in file: unix: hold: vfio-user:
        contains $scheme $argv; or continue
        string match -q -- "$scheme*" $token; or continue
        set -l rest (string sub -s (math (string length $scheme) + 1) -- $token)
        for path in (__fish_complete_path $rest)
            echo $scheme$path
        end
    end
end

# What may follow SAVED= of --map.
function __vfiomigctl_map
    set -l parts (string match -r '^(?:--map=)?([^=]*=)(.*)' -- (commandline -ct))
    test (count $parts) -eq 3; or return
    for dev in (__vfiomigctl_devices | string replace -r '\t.*' '')
        echo $parts[2]$dev
    end
    string match -q 'vfio-user:*' -- $parts[3]; or printf '%s\n' $parts[2]{fd:,hold:,pid:,unix:,vfio-user:}
    for path in (__fish_complete_path (string replace -r '^vfio-user:' '' -- $parts[3]))
        string match -q 'vfio-user:*' -- $parts[3]; and echo $parts[2]vfio-user:$path
    end
end

# Transactions that a journal in its usual place has.
function __vfiomigctl_txids
    set -q XDG_STATE_HOME; and set -l state $XDG_STATE_HOME; or set -l state ~/.local/state
    for record in {/var/lib,$state}/vfiomigctl/*.{source,destination}
        string replace -r '.*/([0-9a-f]*)\..*' '$1' -- $record
    end
end

function __vfiomigctl_listen
    contains -- --listen (commandline -opc)
end

# The arguments so far that are no options, the command among them.
function __vfiomigctl_arguments
    set -l skip no
    for word in (commandline -opc)[2..-1]
        if test $skip = yes
            set skip no
        else if string match -qr '^--(via|vf-token|protocol|timeout|progress|status-fd|trace|trace-format|compress|leave|device|drain-timeout|diff|rounds|pair|baseline|threshold|svg|bandwidth|bandwidth-stop-copy|threads|label|downtime-limit|downtime-max|max-rounds|max-time|on-divergence|max-skew|action-script|action-timeout|report|map|only|on|peer|serve|state-dir|tls-creds|range|page-size|bitmap|interval)$' -- $word
            set skip yes
        else if not string match -q -- '-*' $word; or test "$word" = -
            echo $word
        end
    end
end

function __vfiomigctl_first
    test (count (__vfiomigctl_arguments)) -eq 0
end

# __vfiomigctl_at N COMMAND...: the Nth argument of one of these is to come.
function __vfiomigctl_at
    set -l words (__vfiomigctl_arguments)
    test (count $words) -eq $argv[1]; and contains -- "$words[1]" $argv[2..-1]
end

# __vfiomigctl_beyond N COMMAND...: the same of any behind the Nth.
function __vfiomigctl_beyond
    set -l words (__vfiomigctl_arguments)
    test (count $words) -gt $argv[1]; and contains -- "$words[1]" $argv[2..-1]
end

function __vfiomigctl_command
    set -l words (__vfiomigctl_arguments)
    contains -- "$words[1]" $argv
end

complete -c vfiomigctl -f

complete -c vfiomigctl -n __vfiomigctl_first -a save -d "stream the state of devices to a file"
complete -c vfiomigctl -n __vfiomigctl_first -a resume -d "load a state into devices, start them, hold them"
complete -c vfiomigctl -n __vfiomigctl_first -a migrate -d "move devices' state to another host"
complete -c vfiomigctl -n __vfiomigctl_first -a receive -d "take the state that another host migrates"
complete -c vfiomigctl -n __vfiomigctl_first -a hold -d "keep devices open, and lend them to other programs"
complete -c vfiomigctl -n __vfiomigctl_first -a list -d "show the devices bound to VFIO, without opening them"
complete -c vfiomigctl -n __vfiomigctl_first -a info -d "show what a device is and what its migration can do"
complete -c vfiomigctl -n __vfiomigctl_first -a state -d "read or set a device's migration state"
complete -c vfiomigctl -n __vfiomigctl_first -a reset -d "reset a device, losing what it holds"
complete -c vfiomigctl -n __vfiomigctl_first -a inspect -d "show what an image holds"
complete -c vfiomigctl -n __vfiomigctl_first -a verify -d "check an image, or rehearse its load"
complete -c vfiomigctl -n __vfiomigctl_first -a extract -d "take the raw stream out of an image"
complete -c vfiomigctl -n __vfiomigctl_first -a report -d "show where a run's time went"
complete -c vfiomigctl -n __vfiomigctl_first -a migratable -d "show or set the devlink switch that a VF needs"
complete -c vfiomigctl -n __vfiomigctl_first -a bind -d "give devices to the driver that can migrate them"
complete -c vfiomigctl -n __vfiomigctl_first -a unbind -d "give devices back to the driver they had"
complete -c vfiomigctl -n __vfiomigctl_first -a vfs -d "show the VFs of a device, or make them"
complete -c vfiomigctl -n __vfiomigctl_first -a monitor -d "show what happens to devices, as it happens"
complete -c vfiomigctl -n __vfiomigctl_first -a doctor -d "say why a device is not migratable, and what to do"
complete -c vfiomigctl -n __vfiomigctl_first -a bench -d "measure a device's arcs, streams and downtimes"
complete -c vfiomigctl -n __vfiomigctl_first -a check -d "check a driver or server against the protocol"
complete -c vfiomigctl -n __vfiomigctl_first -a dirty -d "log which memory a device writes to"
complete -c vfiomigctl -n __vfiomigctl_first -a recover -d "bring a move between hosts to its end after a crash"

complete -c vfiomigctl -n __vfiomigctl_first -a help -d "give a help list"
complete -c vfiomigctl -n '__vfiomigctl_at 1 help' -a 'save resume migrate receive recover hold list info state reset inspect verify extract report migratable bind unbind vfs monitor doctor bench dirty check'

complete -c vfiomigctl -n '__vfiomigctl_at 1 vfs' -a '(__vfiomigctl_pfs)' -x
complete -c vfiomigctl -n '__vfiomigctl_at 1 save resume migrate receive info state reset migratable doctor bench check' -a '(__vfiomigctl_devices; __vfiomigctl_vfs; __vfiomigctl_forms fd: hold: pid: unix: vfio-user:)' -F
complete -c vfiomigctl -n '__vfiomigctl_beyond 1 save resume migrate receive' -a '(__vfiomigctl_devices; __vfiomigctl_vfs; __vfiomigctl_forms fd: hold: pid: unix: vfio-user:)' -F
complete -c vfiomigctl -n '__vfiomigctl_command hold list monitor bind unbind' -a '(__vfiomigctl_devices; __vfiomigctl_vfs; __vfiomigctl_forms fd: hold: pid: unix: vfio-user:)' -F
complete -c vfiomigctl -n '__vfiomigctl_beyond 1 migrate' -a '(__vfiomigctl_forms fd: exec: unix: tcp: vsock:)' -F
complete -c vfiomigctl -n '__vfiomigctl_beyond 1 save' -a '(__vfiomigctl_forms file: fd: exec: unix: tcp: vsock:)' -F
complete -c vfiomigctl -n '__vfiomigctl_beyond 1 receive' -a '(__vfiomigctl_forms fd: unix: tcp: vsock:)' -F
complete -c vfiomigctl -n '__vfiomigctl_beyond 1 resume; and __vfiomigctl_listen' -a '(__vfiomigctl_forms fd: unix: tcp: vsock:)' -F
complete -c vfiomigctl -n '__vfiomigctl_beyond 1 resume; and not __vfiomigctl_listen' -a '(__vfiomigctl_forms file: fd: exec:)' -F
complete -c vfiomigctl -n '__vfiomigctl_at 2 extract' -a '(__vfiomigctl_forms file: fd: exec:)' -F
complete -c vfiomigctl -n '__vfiomigctl_at 1 inspect verify extract' -a '(__vfiomigctl_forms file: fd: exec:)' -F
complete -c vfiomigctl -n '__vfiomigctl_at 1 report' -a '(__vfiomigctl_forms file: fd:)' -F
complete -c vfiomigctl -n '__vfiomigctl_at 2 migratable' -a 'on off'
complete -c vfiomigctl -n '__vfiomigctl_at 1 dirty' -a 'start report stop watch probe'
complete -c vfiomigctl -n '__vfiomigctl_at 2 dirty' -a '(__vfiomigctl_devices; __vfiomigctl_vfs; __vfiomigctl_forms fd: hold: pid: unix: vfio-user:)' -F
complete -c vfiomigctl -n '__vfiomigctl_at 2 state' -a 'stop running stop-copy resuming running-p2p pre-copy pre-copy-p2p'

complete -c vfiomigctl -s j -l json -d "print one JSON document"
complete -c vfiomigctl -s v -l verbose -d "say what is done; twice: each arc and each retry"
complete -c vfiomigctl -s q -l quiet -d "no warnings, no progress, no report"
complete -c vfiomigctl -l progress -x -a 'auto always never json' -d "when to show progress"
complete -c vfiomigctl -l status-fd -x -a '1 2' -d "write progress as JSON lines to a descriptor"
complete -c vfiomigctl -l trace -r -F -d "write each call of a device to a file"
complete -c vfiomigctl -l trace-format -x -a 'text json' -d "how to write it"
complete -c vfiomigctl -s h -l help -d "give a help list"
complete -c vfiomigctl -l usage -d "give a short usage message"
complete -c vfiomigctl -s V -l version -d "print program version"

complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive recover hold list info state reset inspect verify bench dirty check' -l via -x -a 'cdev group' -d "open by cdev or group"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive recover hold list info state reset inspect verify bench dirty check' -l vf-token -x -d "token that the driver of the VF's PF asks for"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive recover hold list info state reset inspect verify bench dirty check' -l protocol -x -a 'v1 v2' -d "speak v1 or v2"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive recover hold list info state reset inspect verify bench dirty check' -l timeout -x -d 'give up on who is silent for so long'
complete -c vfiomigctl -n '__vfiomigctl_command state' -l force -d "set it although a save or load seems under way"
complete -c vfiomigctl -n '__vfiomigctl_command reset' -l force -d "reset it although a process uses it"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive recover state reset migratable bind unbind vfs doctor bench check' -l dry-run -d "change nothing, open nothing"

complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive recover hold info state verify bench' -l drain-timeout -x -d 'try an arc again that a busy device refuses, for so long'

complete -c vfiomigctl -n '__vfiomigctl_command save resume receive' -l freeze-owner -d "stop the devices' owner while they are stopped"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive' -l action-script -r -F -d "run this before and after the devices stop and start"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive' -l action-timeout -x -d "end it when it takes longer"

complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive recover' -l tls-creds -x -a '(__fish_complete_directories)' -d "use TLS, with the certificates or keys in a folder"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive recover' -l tls-hostname -x -d "whose certificate the listener must have"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive recover' -l tls-authz -x -d "pattern for the subject of the other end's certificate"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive recover' -l tls-psk-user -x -d "use keys.psk, as this user"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive recover' -l insecure -d "use TCP or vsock without TLS, or the socket of any user"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive recover' -l syslog -x -a 'yes no auto' -d "write what became of the state to syslog"

complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l sha256 -d "sum the stream"
complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l bandwidth -x -a '1M 10M 100M 1G' -d "write at most so many bytes a second"
complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l threads -x -d "compress in so many threads"
complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l compress -x -a 'none zstd zstd:1 zstd:3 zstd:19' -d "none or zstd[:LEVEL]"
complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l label -x -d "KEY=VALUE for the image"
complete -c vfiomigctl -n '__vfiomigctl_command save' -l leave -x -a 'found stop' -d "the state to leave the device in"
complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l bandwidth-stop-copy -x -a '1M 10M 100M 1G' -d "the same once the devices are stopped"
complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l pre-copy -d "read what can be read while the devices run"
complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l downtime-limit -x -d "stop them once that is expected to take no longer"
complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l downtime-max -x -d "undo it where they were stopped for longer"
complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l max-rounds -x -d "of pre-copy, at most"
complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l max-time -x -d "in pre-copy, at most"
complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l on-divergence -x -a 'stop abort' -d "when pre-copy does not converge"
complete -c vfiomigctl -n '__vfiomigctl_command save migrate' -l max-skew -x -d "between the first device's stop and the last's, at most"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive verify' -l no-p2p -d "several devices need no P2P"
complete -c vfiomigctl -n '__vfiomigctl_command save resume migrate receive' -l report -r -F -d "keep all that happens in a file"
complete -c vfiomigctl -n '__vfiomigctl_command save' -l raw -d "write the bare stream and nothing else"
complete -c vfiomigctl -n '__vfiomigctl_command save monitor' -l force -d "replace FILE if it exists"

complete -c vfiomigctl -n '__vfiomigctl_command migrate' -l check-only -d "ask the other end whether it would take them"
complete -c vfiomigctl -n '__vfiomigctl_command migrate' -l retries -x -a '1 3 10' -d "connect again when the channel breaks"
complete -c vfiomigctl -n '__vfiomigctl_command migrate receive recover' -l state-dir -r -a '(__fish_complete_directories)' -d "keep the record of the transaction there"

complete -c vfiomigctl -n '__vfiomigctl_command resume' -l raw -d "FILE is a bare stream, not an image"
complete -c vfiomigctl -n '__vfiomigctl_command resume receive' -l run -d "start the device even if no DMA is mapped for it"
complete -c vfiomigctl -n '__vfiomigctl_command resume receive recover' -l stop -d "leave the device stopped"
complete -c vfiomigctl -n '__vfiomigctl_command resume' -l clone -d "start it even if the sender's device runs on, or may"
complete -c vfiomigctl -n '__vfiomigctl_command resume receive recover' -l no-hold -d "exit at once; for devices that keep their state"
complete -c vfiomigctl -n '__vfiomigctl_command resume receive recover' -l handover -r -F -d "hand the device over to the holder at a socket"
complete -c vfiomigctl -n '__vfiomigctl_command resume receive recover' -l background -d "hold the device in the background"
complete -c vfiomigctl -n '__vfiomigctl_command resume receive recover hold' -l pid-file -r -F -d "the number of the process in the background"
complete -c vfiomigctl -n '__vfiomigctl_command resume receive' -l force-mismatch -d "load the state of another kind of device"
complete -c vfiomigctl -n '__vfiomigctl_command resume receive' -l map -x -a '(__vfiomigctl_map)' -d "SAVED=DEV: load a device of the image into this one"
complete -c vfiomigctl -n '__vfiomigctl_command resume' -l only -x -d "take this device of the image"
complete -c vfiomigctl -n '__vfiomigctl_command resume receive' -l restore-config -d "restore PCI command and interrupt line, too"

complete -c vfiomigctl -n '__vfiomigctl_command receive' -l keep -d "serve one transaction after another"
complete -c vfiomigctl -n '__vfiomigctl_command receive' -l spool -x -a '(__fish_complete_directories)' -d "keep a copy of the state here until it is safe"
complete -c vfiomigctl -n '__vfiomigctl_command receive' -l no-spool -d "keep no copy"
complete -c vfiomigctl -n '__vfiomigctl_command resume' -l listen -d "FILE is a socket: receive from who connects to it"

complete -c vfiomigctl -n '__vfiomigctl_command list' -l probe -d "open devices that no process holds and ask them"
complete -c vfiomigctl -n '__vfiomigctl_command info' -l decode -d "read its stream, by pre-copy, or stopping it for a moment, and show its records"
complete -c vfiomigctl -n '__vfiomigctl_command info' -l diff -r -F -a '(__vfiomigctl_forms file: fd: exec:)' -d "show how the device differs from the one in an image"
complete -c vfiomigctl -n '__vfiomigctl_command inspect' -l decode -d "show the records that drivers put into their streams"
complete -c vfiomigctl -n '__vfiomigctl_command inspect' -l diff -r -F -a '(__vfiomigctl_devices; __vfiomigctl_vfs; __vfiomigctl_forms fd: hold: pid: unix: vfio-user:)' -d "show how a device differs from the image"
complete -c vfiomigctl -n '__vfiomigctl_command inspect' -l sections -d "list each section of the image"

complete -c vfiomigctl -n '__vfiomigctl_command verify' -l on -r -F -a '(__vfiomigctl_devices; __vfiomigctl_vfs; __vfiomigctl_forms fd: hold: pid: unix: vfio-user:)' -d "try the image on this device, losing what it holds"

complete -c vfiomigctl -n '__vfiomigctl_command extract' -l device -x -d "address or number of the device in the image"
complete -c vfiomigctl -n '__vfiomigctl_command extract report' -l force -d "replace OUT if it exists"

complete -c vfiomigctl -n '__vfiomigctl_command report' -l svg -r -F -a '(__vfiomigctl_forms file: fd:)' -d "draw it as a picture"

complete -c vfiomigctl -n '__vfiomigctl_command hold' -l socket -r -F -d "lend them at a UNIX socket"
complete -c vfiomigctl -n '__vfiomigctl_command hold' -l allow-uid -x -d "serve this user, too"
complete -c vfiomigctl -n '__vfiomigctl_command hold' -l on-request -x -a 'release refuse' -d "when the host asks for a device"
complete -c vfiomigctl -n '__vfiomigctl_command hold' -l background -d "hold the devices in the background"

complete -c vfiomigctl -n '__vfiomigctl_command migratable' -l switchdev -d "set the PF's eswitch to switchdev mode if ports are hidden"
complete -c vfiomigctl -n '__vfiomigctl_command migratable' -l rebind -d "take a bound VF from its driver for it, and give it back"

complete -c vfiomigctl -n '__vfiomigctl_command monitor' -l states -d "look at the migration states"
complete -c vfiomigctl -n '__vfiomigctl_command monitor' -l svg -r -F -d "draw the states as a picture at the end"
complete -c vfiomigctl -n '__vfiomigctl_command monitor' -l until -x -a 'bound gone' -d "end as soon as that is so"
complete -c vfiomigctl -n '__vfiomigctl_command monitor' -l timeout -x -d "end after so long"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l rules -x -d "try these alone"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l skip -x -d "leave these out"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l list -d "print the rules, and try none"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l tap -d "print TAP 14"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l junit -d "print JUnit XML"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l destructive -d "also what loses its state"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l pair -x -a '(__vfiomigctl_devices)' -d "also what loads its state into a second one"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l hostile -d "also what may hang or crash a driver"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l rounds -x -a '10 100 1000' -d "how often what takes many times is done"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l seed -x -d "of what is random"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l watch -x -d "REGION:OFFSET:LEN that stands still while stopped"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l strict -d "what a driver is known for is a failure, too"
complete -c vfiomigctl -n '__vfiomigctl_command check' -l rule-timeout -x -d "how long a rule may be without an answer"
complete -c vfiomigctl -n '__vfiomigctl_command dirty' -l range -x -d "log this memory of the device"
complete -c vfiomigctl -n '__vfiomigctl_command dirty' -l page-size -x -a '4K 64K 2M' -d "by pages of this size"
complete -c vfiomigctl -n '__vfiomigctl_command dirty' -l bitmap -r -F -d "write the bitmaps of all ranges"
complete -c vfiomigctl -n '__vfiomigctl_command dirty' -l interval -x -a '100ms 1s 10s' -d "ask after each such time"
complete -c vfiomigctl -n '__vfiomigctl_command dirty' -l rounds -x -d "end after so many"
complete -c vfiomigctl -n '__vfiomigctl_command dirty' -l force -d "take from a log that may be another process's"
complete -c vfiomigctl -n '__vfiomigctl_command doctor' -l fix -d "do what is safe to do about problems, one after the other"
complete -c vfiomigctl -n '__vfiomigctl_command doctor' -l rules -d "list what is looked at, and look at nothing"

complete -c vfiomigctl -n '__vfiomigctl_command bind' -l driver -x -a 'auto none vfio-pci' -d "the driver, or its module"
complete -c vfiomigctl -n '__vfiomigctl_command bind doctor' -l module-root -r -F -d "look for modules in DIR/lib/modules"
complete -c vfiomigctl -n '__vfiomigctl_command bind' -l persist -d "at every boot, too: by a rule for udev"
complete -c vfiomigctl -n '__vfiomigctl_command bind unbind' -l rules -r -F -d "where rules of bind --persist are"
complete -c vfiomigctl -n '__vfiomigctl_command bind unbind' -l force -d "take it although something uses it"
complete -c vfiomigctl -n '__vfiomigctl_command vfs' -l force -d "remove VFs although something uses them"

complete -c vfiomigctl -n '__vfiomigctl_command recover' -l list -d "show all transactions that the journal has"
complete -c vfiomigctl -n '__vfiomigctl_command recover' -l peer -r -a '(__vfiomigctl_forms exec: fd: unix: tcp: vsock:)' -d "ask the other end there"
complete -c vfiomigctl -n '__vfiomigctl_command recover' -l force -x -a 'run drop' -d "the other end is gone for ever"
complete -c vfiomigctl -n '__vfiomigctl_command recover' -l serve -r -a '(__vfiomigctl_forms - fd: unix: tcp: vsock:)' -d "answer what another end asks there"
complete -c vfiomigctl -n '__vfiomigctl_command recover' -l run -d "start the devices, even if receive was not to"
complete -c vfiomigctl -n '__vfiomigctl_command recover' -l keep -d "of --serve: answer until a signal ends it"
complete -c vfiomigctl -n '__vfiomigctl_at 1 recover' -a '(__vfiomigctl_txids)' -x

complete -c vfiomigctl -n '__vfiomigctl_command bench' -l rounds -x -a '20 100 1000' -d "measure everything so often"
complete -c vfiomigctl -n '__vfiomigctl_command bench' -l destructive -d "measure loads, by which a device can lose its state"
complete -c vfiomigctl -n '__vfiomigctl_command bench' -l pair -r -F -a '(__vfiomigctl_devices; __vfiomigctl_vfs; __vfiomigctl_forms fd: hold: pid: unix: vfio-user:)' -d "load into this device"
complete -c vfiomigctl -n '__vfiomigctl_command bench' -l run -d "start the other device even if no DMA is mapped for it"
complete -c vfiomigctl -n '__vfiomigctl_command bench' -l svg -r -F -a '(__vfiomigctl_forms file: fd:)' -d "draw it as a picture"
complete -c vfiomigctl -n '__vfiomigctl_command bench' -l force -d "replace the picture if it exists"
complete -c vfiomigctl -n '__vfiomigctl_command bench' -l markdown -d "print it as Markdown"
complete -c vfiomigctl -n '__vfiomigctl_command bench' -l baseline -r -F -a '(__vfiomigctl_forms file: fd:)' -d "compare with an earlier report"
complete -c vfiomigctl -n '__vfiomigctl_command bench' -l threshold -x -a '5 10 20' -d "percent that do not count"
