# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests and for what runs them.

# read_file NAME FILE: as NAME=$(<FILE), without another process.
read_file()
{
	local read_text=''

	IFS='' read -r -d '' read_text <"$2" || true
	while [[ $read_text == *$'\n' ]]; do
		read_text=${read_text%$'\n'}
	done
	printf -v "$1" %s "$read_text"
}
