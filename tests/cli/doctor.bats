#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# doctor on whatever host this is: its table is the manual's, its status goes by its findings. What it
# finds is tested with made hosts (tests/unit/test-doctor.c) and on the PCI machine.

# shellcheck disable=SC2154 # migctl sets output and stderr
setup()
{
	load ../helpers
}

# manual_rules: "RULE QUESTION" of the table in the manual.
manual_rules()
{
	awk '/^\[\[ \*rule\*/ { table = 1; next }
		table && /^$/ { exit }
		table && /^\|  / { rule = $2; asked = 0 }
		table && rule && /^:  / && !asked { sub(/^:  /, ""); print rule, $0; asked = 1 }' \
		"${top_srcdir:?}/man/vfiomigctl-doctor.8.scd"
}

@test "doctor: the table of rules is the manual's" {
	local told

	require jq
	migctl 0 --json doctor --rules
	told=$(jq -r '.rules[] | "\(.rule) \(.question)"' <<<"$output")
	((${#told} > 500))
	diff <(manual_rules) - <<<"$told"
	[[ $(jq -r '.rules | map(.subject) | unique | join(" ")' <<<"$output") == 'device host' ]]
	migctl 0 doctor --rules
	[[ $output == 'SUBJECT  RULE '* && $output == *'Is its switch in devlink on?'* ]]
}

@test "doctor: each variant driver is in the manual" {
	local module found=0

	while read -r module; do
		grep -qx "|  $module" "${top_srcdir:?}/man/vfiomigctl-doctor.8.scd" || {
			echo "$module is not in the manual"
			return 1
		}
		found=$((found + 1))
	done < <(grep -o '"[a-z0-9_]*_vfio_pci"' "$top_srcdir/src/engine/variant.c" | tr -d '"' | sort -u)
	((found >= 6))
}

@test "doctor: the status says whether there is a problem, and the report is shown with it" {
	local problems code

	require jq
	record "$VFIOMIGCTL" --json doctor
	validate_reports <<<"$output" || (($? == 77))
	problems=$(jq '.problems' <<<"$output")
	code=$((problems ? 1 : 0))
	[[ $status == "$code" ]]
	jq -e --argjson status "$code" '.status == $status and (.findings | length >= 7) and
		(.findings | all(.evidence != "")) and
		(.findings | all(.verdict != "problem" or .cause != null))' <<<"$output"
	((problems == 0)) || [[ $stderr == "vfiomigctl: this host: $problems problem"* ]]
	migctl "$code" doctor
	[[ $output == *' kernel       Linux '* ]]
	migctl "$code" -q doctor
	[[ -z $output ]]
}

@test "doctor: misuse, and what is no device of this host" {
	migctl 64 doctor 0000:00:00.0 0000:00:00.1
	[[ $stderr == *"one argument too many: '0000:00:00.1'"* ]]
	migctl 64 doctor no-device
	[[ $stderr == *'no-device: not a device name; '* ]]
	migctl 66 doctor 0000:ff:1f.7
	[[ -z $output ]]
	[[ $stderr == *'0000:ff:1f.7: no such PCI device'* || $stderr == *'no sysfs'* ]]
	migctl 69 doctor vfio-user:/no/such
	[[ $stderr == 'vfiomigctl: vfio-user:/no/such: not a device that sysfs shows' ]]
}
