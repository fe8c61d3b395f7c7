#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --help, the man pages and the completions say the same. Needs no device.

setup()
{
	load ../helpers
	load ../complete
	cd "${top_srcdir:-$BATS_TEST_DIRNAME/../..}"
	export completions=$PWD/completions
	unset ARGP_HELP_FMT
	# Without it there would be no commands to look at, and nothing would fail.
	"$VFIOMIGCTL" --help >/dev/null
}

commands()
{
	"$VFIOMIGCTL" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# summary COMMAND, as --help has it.
summary()
{
	"$VFIOMIGCTL" --help | sed -nE "/^Commands:/,/^\$/s/^  $1 +(([][A-Z.]+|\[--[a-z]+) +)*//p"
}

# same WHAT ONE OTHER: two lists, a word a line, that must not differ.
same()
{
	local what=$1

	shift
	if ! diff -u <(sort -u <<<"$1") <(sort -u <<<"$2"); then
		echo "$what"
		return 1
	fi
	# An empty list means that something here no longer finds what it looks for.
	[[ -n $1 ]]
}

# Options, short and long, of a command; without one, of the program.
help_options()
{
	"$VFIOMIGCTL" ${1:+"$1"} --help | grep -oE '^ +(-., +)?--[a-z0-9-]+' | grep -oE -- '-[^ ,]+'
}

# The states that the program says it takes.
states()
{
	"$VFIOMIGCTL" state 0000:00:00.0 nosuch 2>&1 | sed -n "s/.*: STATE is \(.*\), not .*/\1/p" |
		sed 's/ or /, /; s/, /\n/g'
}

man_page()
{
	echo "man/vfiomigctl${1:+-$1}.8.scd"
}

man_options()
{
	grep -E '^\*-' "$(man_page "$1")" | grep -oE '\*-[^*]+\*' | tr -d '*'
}

# section NAME FILE: its text.
section()
{
	awk -v name="# $1" '/^# / { inside = $0 == name; next } inside' "$2"
}

@test "help: each command has help" {
	local command

	[[ $(commands | wc -l) -ge 9 ]]
	for command in $(commands); do
		migctl 0 "$command" --help
		[[ $output == "Usage: vfiomigctl $command "* && -z $stderr ]]
	done
}

@test "help: --version says what it is" {
	local version

	version=$(sed -n 's/^AC_INIT(\[vfiomigctl\], \[\([^]]*\)\].*/\1/p' configure.ac)
	[[ -n $version ]]
	migctl 0 --version
	[[ ${output%%$'\n'*} == "vfiomigctl $version" ]]
	[[ $output == *"migration protocol v2"* ]]
	run -0 "$VFIOMIG_EMU" --version
	[[ ${output%%$'\n'*} == "vfiomig-emu $version" ]]
}

# emu_refuses WORDS ARG...: it says so, in one line that points to --help.
emu_refuses()
{
	local words=$1

	shift
	record -64 "$VFIOMIG_EMU" --socket "$BATS_TEST_TMPDIR/emu" "$@"
	echo "$* $stderr"
	[[ -z $output && $stderr == "vfiomig-emu: $words (see vfiomig-emu --help)" ]]
}

@test "help: vfiomig-emu's misuse exits with 64 and says what is allowed" {
	emu_refuses "--devices is 1 to 256, not '0'" --devices 0
	emu_refuses "--devices is 1 to 256, not '257'" --devices 257
	emu_refuses "--fault: no device has number 5: the last one's is 0" --fault 5@short-read
	emu_refuses "--fault: no device has number 3: the last one's is 2" --fault 3@garbage -n 3
	emu_refuses "--caps: '' is not a list of stop-copy, p2p, pre-copy" --caps ''
	record -64 "$VFIOMIG_EMU"
	[[ $stderr == "vfiomig-emu: no --socket (see vfiomig-emu --help)" ]]
}

# refuses WORDS ARG...: vfiomigctl says so, in one line that points to the --help of what was misused.
refuses()
{
	local words=$1 program=vfiomigctl

	shift
	[[ -z ${1-} || $1 == -* ]] || program+=" $1"
	migctl 64 "$@"
	[[ -z $output && $stderr == "${PROGRAM:-$program}: $words (see ${PROGRAM:-$program} --help)" ]]
}

@test "help: misuse exits with 64 and says in one line what is wrong and where help is" {
	refuses "no command"
	refuses "unrecognized option '--nosuch'" --nosuch list
	refuses "no DEV" save
	refuses "no FILE" save vfio0
	refuses "no URI" migrate vfio0
	refuses "no URI" receive vfio0
	refuses "one argument too many: 'b'" inspect a b
	refuses "unrecognized option '--nosuch'" save --nosuch
	refuses "invalid option -- 'Z'" save -Z
	refuses "option '--timeout' requires an argument" save --timeout
	refuses "option '--raw' doesn't allow an argument" save --raw=1
	refuses "--progress is auto, always, never or json, not 'sometimes'" --progress=sometimes list
	refuses "--status-fd: 999 is not open for writing" --status-fd=999 list
	refuses "--trace-format is for --trace" list --trace-format=json
	refuses "--trace-format is text or json, not 'xml'" list --trace=x --trace-format=xml
	refuses "--run and --stop exclude each other" resume --run --stop a b
	refuses "--raw and --compress exclude each other" save --raw --compress=zstd a b
	refuses "--vf-token: 'x' is not a UUID" info --vf-token=x a
	PROGRAM=vfiomigctl refuses "unknown command 'nosuch'" nosuch
}

@test "help: sizes and times have units, and bounds" {
	local time

	for time in 0.5 10s 500ms 2m 1h; do
		migctl 64 save --timeout="$time" --drain-timeout="$time" --pre-copy --max-time="$time" no-device file
		[[ $stderr == *"no-device: not a device name"* ]]
	done
	refuses "--timeout is 1.00 ms to 86400 s, not '0'" save --timeout=0 a b
	refuses "--timeout: '5min' is not a duration such as 0.5, 10s, 500ms or 2m" \
		save --timeout=5min a b
	refuses "--bandwidth is 1 B to 8.00 EiB, not '0'" save --bandwidth=0 a b
	refuses "--bandwidth: 'fast' is not a size such as 4096, 64K, 10MB or 1GiB" \
		save --bandwidth=fast a b
	refuses "--threads is 1 to 64, not '65'" save --threads=65 a b
}

@test "help: a mistyped command is recognized" {
	PROGRAM=vfiomigctl refuses "unknown command 'resme': did you mean 'resume'?" resme vfio0 a
	PROGRAM=vfiomigctl refuses "unknown command 'Verify': did you mean 'verify'?" Verify
	PROGRAM=vfiomigctl refuses "unknown command 'hlep': did you mean 'help'?" hlep
	PROGRAM=vfiomigctl refuses "unknown command 'nosuch'" help nosuch
}

@test "help: help is --help, help COMMAND is COMMAND --help" {
	local command

	for command in "" $(commands); do
		# shellcheck disable=SC2086 # none or one
		diff <("$VFIOMIGCTL" help $command) <("$VFIOMIGCTL" $command --help)
	done
	diff <("$VFIOMIGCTL" help help) <("$VFIOMIGCTL" --help)
	refuses "one argument too many: 'x'" help save x
}

@test "help: arguments in each other's place are recognized" {
	local dev

	for dev in vfio0 3b:00.1 0000:3b:00.1 83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 \
		/dev/vfio/devices/vfio0 vfio-user:/no/such; do
		migctl 64 save state.img "$dev"
		[[ $stderr == *"; swapped? DEV comes first: vfiomigctl save $dev state.img" ]]
		migctl 64 resume state.img "$dev"
		[[ $stderr == *"; swapped? DEV comes first: vfiomigctl resume $dev state.img" ]]
	done
	migctl 64 save nosuch state.img
	[[ $stderr != *swapped* ]]
	migctl 66 save vfio777 vfio0
	[[ $stderr != *swapped* ]]
	migctl 64 state stop vfio0
	[[ $stderr == *": swapped? DEV comes first (see vfiomigctl state --help)" ]]
}

@test "help: -h and -? are --help" {
	local letter

	for letter in -h '-?'; do
		migctl 0 save "$letter"
		[[ $output == "Usage: vfiomigctl save "* ]]
		migctl 0 "$letter"
		[[ $output == "Usage: vfiomigctl "* ]]
		run -0 "$VFIOMIG_EMU" "$letter"
		[[ $output == "Usage: vfiomig-emu "* ]]
	done
}

@test "man: each command has a page, each page a command" {
	same "commands and pages" "$(commands)" \
		"$(printf '%s\n' man/*.scd | sed -n 's|^man/vfiomigctl-\(.*\)\.8\.scd$|\1|p')"
}

@test "man: names and summaries are those of --help" {
	local command name

	for command in $(commands); do
		echo "$command"
		name=$(section NAME "$(man_page "$command")" | tr -d '\n')
		diff <(echo "$name") <(echo "vfiomigctl-$command - $(summary "$command")")
	done
	name=$(section NAME man/vfiomigctl.8.scd | tr -d '\n')
	migctl 0 --help
	name=${name#vfiomigctl - }.
	[[ ${output,,} == *"${name,,}"* ]]
}

@test "man: synopses are the usages of --help" {
	local command

	for command in $(commands); do
		diff <(section SYNOPSIS "$(man_page "$command")" | grep . | tr -d '*_') \
			<("$VFIOMIGCTL" "$command" --help | sed -nE '1s/^Usage: (.*[^ ]) *$/\1/p')
	done
}

@test "man: vfiomigctl(8) has every command with its arguments" {
	diff <("$VFIOMIGCTL" --help | sed -nE '/^Commands:/,/^$/s/^  ([a-z]+) +((([][A-Z.]+|\[--[a-z]+) )*) *.*/\1 \2/p' |
		sed 's/ $//' | sort) \
		<(section COMMANDS man/vfiomigctl.8.scd | grep '^\*' | tr -d '*_' | sort)
}

@test "help: the forms of FILE are those that are taken" {
	local command forms

	cd "$BATS_TEST_TMPDIR"
	for command in inspect verify extract "resume vfio0" "resume --listen vfio0" "save vfio0"; do
		# shellcheck disable=SC2086 # words
		migctl 64 $command nosuch:file
		forms=${stderr#*; }
		forms=${forms%%;*}
		[[ $forms == *fd:N* ]]
		migctl 0 "${command%% *}" --help
		[[ $(tr -s '\n ' ' ' <<<"$output") == *"$forms"* ]] || {
			echo "$command: $forms"
			return 1
		}
	done
}

@test "man: options are those of --help" {
	local command

	for command in "" $(commands); do
		same "$(man_page "$command")" "$(help_options "$command")" "$(man_options "$command")"
	done
}

@test "man: vfiomig-emu(8) has the options of its --help" {
	same vfiomig-emu "$("$VFIOMIG_EMU" --help | grep -oE '^ +(-., +)?--[a-z0-9-]+' | grep -oE -- '-[^ ,]+')" \
		"$(grep -E '^\*-' man/vfiomig-emu.8.scd | grep -oE '\*-[^*]+\*' | tr -d '*')"
}

@test "man: vfiomigctl(8) has every exit status" {
	same "src/base/err.h and the table" \
		"$(echo 0; grep -oE '^\s+ERR_[A-Z_]+ = [1-9][0-9]*' src/base/err.h | grep -oE '[0-9]+$')" \
		"$(section "EXIT STATUS" man/vfiomigctl.8.scd | sed -nE 's/^\|  \*([0-9]+)\*$/\1/p')"
}

@test "man: vfiomigctl(8) refers to every other page" {
	same "SEE ALSO" \
		"$(printf '%s\n' man/*.scd | sed -nE '/vfiomigctl\.8/d; s|^man/(.*)\.([0-9])\.scd$|\1(\2)|p')" \
		"$(section "SEE ALSO" man/vfiomigctl.8.scd | grep -oE '\*vfiomig[a-z-]*\*\([0-9]\)' | tr -d '*')"
}

@test "help: state --help has every state" {
	same states "$(states)" "$("$VFIOMIGCTL" state --help | tr -s '\n ' ' ' |
		sed 's/.* STATE is \([^.]*\)\..*/\1/; s/ or /, /; s/, /\n/g')"
}

@test "man: vfiomigctl-state(8) has every state" {
	same states "$(states)" \
		"$(sed -nE 's/^[[|][[ ]+\*([a-z0-9-]+)\*$/\1/p' man/vfiomigctl-state.8.scd)"
}

# Options of vfiomig-emu, short and long.
emu_options()
{
	"$VFIOMIG_EMU" --help | grep -oE '^ +(-., +)?--[a-z0-9-]+' | grep -oE -- '-[^ ,]+'
}

# agrees SHELL: its completion has the commands, options and states of --help.
agrees()
{
	local offer=complete_$1 command

	same commands "$(commands; echo help)" "$($offer "vfiomigctl ")"
	same commands "$(commands; echo help)" "$($offer "vfiomigctl --json --progress never ")"
	same "commands to help with" "$(commands)" "$($offer "vfiomigctl help ")"
	same "no command" "$(help_options)" "$($offer "vfiomigctl -")"
	for command in $(commands); do
		same "$command" "$(help_options "$command")" "$($offer "vfiomigctl $command -")"
	done
	same states "$(states)" "$($offer "vfiomigctl state vfio0 ")"
	same states "$(states)" "$($offer "vfiomigctl state --timeout 5 0000:3b:00.1 ")"
	same vfiomig-emu "$(emu_options)" "$($offer "vfiomig-emu -")"
}

@test "bash: offers what --help has" {
	agrees bash
}

@test "zsh: offers what --help has" {
	local command

	require zsh
	agrees zsh
	for command in $(commands); do
		grep -qF "$command:$(summary "$command")" completions/zsh/_vfiomigctl
	done
}

@test "fish: offers what --help has" {
	local command

	require fish
	agrees fish
	for command in $(commands); do
		grep -qF -- "-a $command -d \"$(summary "$command")\"" completions/fish/vfiomigctl.fish
	done
}
