# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Records of a move that a crash left, written by hand as src/engine/journal-text.h draws them, and
# an end that speaks to `recover` as src/wire/message.h does. Nothing of the tool is used for it.

# shellcheck disable=SC2034,SC2154 # for the tests; helpers.bash's
TXID=00112233445566778899aabbccddeeff
GENERATION=7

xxh3()
{
	"${top_builddir:-.}/tests/lab/tools/xxh3" "$@"
}

# journal DIR: a folder with an id of its own.
journal()
{
	mkdir -m 700 "$1"
	seal "$1/id" '{ "journal": "'"$(printf %s "$1" | xxh3)$(printf %s "$1" | xxh3 1)"'" }'
}

# journal_id DIR
journal_id()
{
	sed -n 's/.*"journal": "\([0-9a-f]*\)".*/\1/p' "$1/id"
}

# seal FILE JSON: with the first line and the last one.
seal()
{
	printf 'vfiomigctl journal 1\n%s\n' "$2" >"$1"
	printf 'checksum %s\n' "$(xxh3 <"$1")" >>"$1"
	chmod 600 "$1"
}

# forge DIR ROLE PHASE OTHER DEV [KEY=JSON...]: the record of $TXID; OTHER is the folder of the other
# end's journal. It is of long ago, or KEY is changed_ns.
forge()
{
	local dir=$1 role=$2 phase=$3 other=$4 dev=$5 more='' changed=1700000001000000000

	shift 5
	while (($#)); do
		case $1 in
		changed_ns=*) changed=${1#*=} ;;
		*) more+=", \"${1%%=*}\": ${1#*=}" ;;
		esac
		shift
	done
	seal "$dir/$TXID.$role" "{ \"txid\": \"$TXID\", \"role\": \"$role\", \"phase\": \"$phase\",
	  \"generation\": $GENERATION, \"peer_journal\": \"$(journal_id "$other")\", \"run\": true,
	  \"image\": \"$TXID\", \"digest\": \"$TXID\", \"bytes\": 1, \"begun_ns\": 1700000000000000000,
	  \"changed_ns\": $changed, \"devices\": [ { \"device\": \"$dev\", \"address\": \"$dev\",
	  \"found\": \"running\" } ]$more }"
}

# phase DIR ROLE WANT: what the record says now.
phase()
{
	grep -q "\"phase\": *\"$3\"" "$1/$TXID.$2" || {
		cat "$1/$TXID.$2"
		return 1
	}
}

# serve DIR SOCKET [OPTION...]: answers for the journal, in the background; $server is the process.
serve()
{
	local dir=$1 socket=$2

	shift 2
	"$tool" recover --state-dir "$dir" --serve "unix:$socket" "$@" >serve.out 2>serve.err 3>&- &
	server=$!
	eventually test -S "$socket"
}

# other_end SOCKET SAYS ROLE JOURNAL [WHAT]: one connection, by the specification alone: ASK is
# answered by TELL with phase SAYS; every message goes to other.log. WHAT: silent, junk, flip.
other_end()
{
	xxh3=${top_builddir:-.}/tests/lab/tools/xxh3 python3 "${BASH_SOURCE[0]%/*}/recover-end.py" \
		"$1" "$2" "$3" "$4" "$TXID" "$GENERATION" "${5-}" >other.log 2>&1 3>&- &
	other=$!
	eventually test -S "$1"
}
