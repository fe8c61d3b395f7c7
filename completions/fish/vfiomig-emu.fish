# SPDX-License-Identifier: GPL-2.0-or-later
#
# fish completion for vfiomig-emu(8)

complete -c vfiomig-emu -f
complete -c vfiomig-emu -s s -l socket -r -F -d "listen there"
complete -c vfiomig-emu -s n -l devices -x -d "serve so many devices"
complete -c vfiomig-emu -l profile -x -a 'mlx5 hisi pds qat virtio xe mtty' -d "a device such as this one"
complete -c vfiomig-emu -l list-profiles -d "list them and exit"

complete -c vfiomig-emu -l caps -x -a 'stop-copy stop-copy,p2p stop-copy,pre-copy stop-copy,p2p,pre-copy' -d "migration capabilities"
complete -c vfiomig-emu -l state-size -x -d "bytes of a stream"
complete -c vfiomig-emu -l initial-bytes -x -d "of them in PRE_COPY"
complete -c vfiomig-emu -l dirty-rate -x -d "bytes that change in a second of running"
complete -c vfiomig-emu -l dirty-interval -x -d "that they change in, all at once"
complete -c vfiomig-emu -l data-rate -x -d "bytes of stream in a second"
complete -c vfiomig-emu -l seed -x -d "another seed, another state"

complete -c vfiomig-emu -l delay -x -d "how long an arc takes"
complete -c vfiomig-emu -l fault -x -a 'fail= error= stall= drain= short-read truncate= corrupt= die-at= refuse-reset= garbage' -d "misbehave"
complete -c vfiomig-emu -l deviate -x -a "(vfiomig-emu --list-deviations 2>/dev/null | string replace -r ' +' \\t)" -d "break a rule"
complete -c vfiomig-emu -l list-deviations -d "list them and exit"
complete -c vfiomig-emu -l strict -d "refuse while stopped what libvfio-user refuses"
complete -c vfiomig-emu -l reset-on-disconnect -d "reset when a client goes, as the kernel does"

complete -c vfiomig-emu -l event-log -r -F -d "append what happens to devices"
complete -c vfiomig-emu -l exit-with-parent -d "end when the parent process does"
complete -c vfiomig-emu -s v -l verbose -d "say what happens; twice: every command"
complete -c vfiomig-emu -s q -l quiet -d "no warnings"
complete -c vfiomig-emu -s h -l help -d "give a help list"
complete -c vfiomig-emu -l usage -d "give a short usage message"
complete -c vfiomig-emu -s V -l version -d "print program version"
