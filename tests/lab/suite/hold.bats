#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Devices that are held and lent, by a real kernel: migsim resets at the last close, as a PCI
# function does, so that a state that outlives its user has been held.

# shellcheck disable=SC2034,SC2154,SC2030,SC2031 # variables are migsim.bash's and run's, or theirs
load migsim.bash

setup()
{
	migsim_setup migsim-v2
	sim "$A" reset_on_open 1
	sim "$A" req_irq 1
}

# hold_start ARG...: a holder at ./h that has shown its report; its pid in $holder.
hold_start()
{
	start holder "$VFIOMIGCTL" hold --json --socket h "$@"
	eventually is_ready holder.out
}

# is_ready FILE: a whole JSON document is in it.
is_ready()
{
	[[ $(<"$1") == *$'\n}' ]]
}

hold_end()
{
	kill -TERM "$holder"
	wait "$holder"
	[[ ! -e h ]]
}

says()
{
	[[ $(<"$1") == *"$2"* ]]
}

@test "hold: a state lives while it is held, and is lost without" {
	sim "$A" seed 7
	migctl 0 state "$A" stop
	expect_shown "$A" seed 0
	hold_start "$A"
	sim "$A" seed 7
	migctl 0 state hold:h stop
	migctl 0 --json state "hold:h/$A"
	expect_json '.state == "stop"'
	expect_shown "$A" seed 7
	migctl 0 --json info hold:h
	expect_json ".device.address == \"$A\"" '.state == "stop"'
	hold_end
	expect_message ''
	says holder.err "$A: not held any longer: "
	expect_shown "$A" seed 0
}

@test "hold: a device is saved and loaded through its holder" {
	local digest

	hold_start "$A" "$B"
	plain "$B" 2>/dev/null || true
	migctl 0 save "hold:h/$A" a.img
	migctl 0 state "hold:h/$A" stop
	shown "$A" digest
	digest=$shown
	migctl 0 save "hold:h/$A" a.img
	migctl 0 resume --stop --no-hold "hold:h/$B" a.img
	expect_shown "$B" digest "$digest"
	expect_shown "$B" state stop
	migctl 64 state hold:h
	expect_message 'several devices are held here, name one: ' "$A" "$B"
	hold_end
}
