// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "emu/deviation.h"

static const struct deviation {
	const char *name, *text;
} deviations[EMU_NR_DEVIATIONS] = {
	[DEVIATE_FLAGS_GARBAGE] = { "flags-garbage",
				    "the migration flags have bits that mean nothing" },
	[DEVIATE_NO_STOP_COPY] = { "no-stop-copy", "the migration flags lack STOP_COPY" },
	[DEVIATE_P2P_UNANNOUNCED] = { "p2p-unannounced",
				      "the P2P states are there, the flag is not" },
	[DEVIATE_PRE_COPY_UNANNOUNCED] = { "pre-copy-unannounced",
					   "PRE_COPY is there, its flag is not" },
	[DEVIATE_ARGSZ_IGNORED] = { "argsz-ignored", "a GET without room for it is answered" },
	[DEVIATE_GET_AND_SET] = { "get-and-set", "GET and SET of a feature at once are taken" },
	[DEVIATE_UNKNOWN_FEATURE] = { "unknown-feature", "a PROBE of any feature succeeds" },
	[DEVIATE_STALE_STATE] = { "stale-state", "GET tells the state before the last SET" },
	[DEVIATE_INVALID_STATE] = { "invalid-state",
				    "a SET to a state that does not exist succeeds" },
	[DEVIATE_ERROR_ACCEPTED] = { "error-accepted", "a SET to ERROR succeeds" },
	[DEVIATE_REFUSAL_MOVES] = { "refusal-moves",
				    "a SET that is refused stops the device, or runs it" },
	[DEVIATE_STOP_COPY_TO_PRE_COPY] = { "stop-copy-to-pre-copy",
					    "STOP_COPY to PRE_COPY succeeds" },
	[DEVIATE_NO_COMBINATION] = { "no-combination", "a SET takes one arc, or is refused" },
	[DEVIATE_SECOND_SAVE_REFUSED] = { "second-save-refused", "it can be saved once" },
	[DEVIATE_RUNS_IN_STOP] = { "runs-in-stop", "it runs in STOP and STOP_COPY" },
	[DEVIATE_STOPS_IN_PRE_COPY] = { "stops-in-pre-copy", "it does not run in PRE_COPY" },
	[DEVIATE_BUSY_TO_RUN] = { "busy-to-run", "a SET to run again is EBUSY the first time" },
	[DEVIATE_AGAIN_STOPS] = { "again-stops",
				  "a SET of the state that it is in, after a read, stops it" },
	[DEVIATE_LOST_LAST_BYTE] = { "lost-last-byte", "a stream lacks its last byte" },
	[DEVIATE_ENDS_TOO_EARLY] = { "ends-too-early", "a stream ends half-way" },
	[DEVIATE_END_NOT_STICKY] = { "end-not-sticky", "after its end a stream begins again" },
	[DEVIATE_ENOMSG_IN_STOP_COPY] = { "enomsg-in-stop-copy", "the end of a stream is ENOMSG" },
	[DEVIATE_EIO_IN_PRE_COPY] = { "eio-in-pre-copy", "nothing to read in PRE_COPY is EIO" },
	[DEVIATE_ODD_READS_LOSE] = { "odd-reads-lose", "a read of an odd size loses a byte" },
	[DEVIATE_BYTE_READ_REFUSED] = { "byte-read-refused", "a read of one byte is refused" },
	[DEVIATE_LENGTH_DIFFERS] = { "length-differs", "every second save is a byte longer" },
	[DEVIATE_BYTES_DIFFER] = { "bytes-differ", "every second save has another byte in it" },
	[DEVIATE_READ_OUTSIDE] = { "read-outside", "a read outside of a session finds its end" },
	[DEVIATE_WRITE_OUTSIDE] = { "write-outside", "a write outside of a session succeeds" },
	[DEVIATE_ACCEPTS_EMPTY] = { "accepts-empty", "a load of nothing succeeds" },
	[DEVIATE_ACCEPTS_SHORT] = { "accepts-short", "a load that was cut off succeeds" },
	[DEVIATE_ACCEPTS_LONG] = { "accepts-long", "a load with bytes after its end succeeds" },
	[DEVIATE_ACCEPTS_DAMAGED] = { "accepts-damaged", "a load with wrong bytes succeeds" },
	[DEVIATE_ACCEPTS_FOREIGN] = { "accepts-foreign",
				      "a load of another device's state succeeds" },
	[DEVIATE_LOAD_FORGOTTEN] = { "load-forgotten",
				     "a load that succeeds leaves a blank device" },
	[DEVIATE_SECOND_LOAD_REFUSED] = { "second-load-refused", "it can be loaded once" },
	[DEVIATE_EXTENT_RUNS] = { "extent-runs",
				  "a run of blocks that are not there is taken, and it runs" },
	[DEVIATE_EXTENT_KILLS] = { "extent-kills",
				   "after such a load it is in ERROR, resets or not" },
	[DEVIATE_EXTENT_HANGS] = { "extent-hangs", "the end of such a load is never answered" },
	[DEVIATE_RESET_STOPS] = { "reset-stops", "a reset leaves the device in STOP" },
	[DEVIATE_RESET_KEEPS_RESUMING] = { "reset-keeps-resuming",
					   "a reset does not leave RESUMING" },
	[DEVIATE_LOG_RESTARTS] = { "log-restarts", "DMA logging can be started twice" },
	[DEVIATE_LOG_OVERLAP] = { "log-overlap", "ranges of DMA logging may overlap" },
	[DEVIATE_LOG_ANY_PAGE] = { "log-any-page", "DMA logging takes any page size" },
	[DEVIATE_LOG_REPEATS] = { "log-repeats", "a report of DMA logging clears nothing" },
	[DEVIATE_WRONG_ID] = { "wrong-id", "an unknown command is refused under another id" },
	[DEVIATE_WRONG_COMMAND] = { "wrong-command",
				    "an unknown command is refused as another one" },
	[DEVIATE_REPLY_AS_COMMAND] = { "reply-as-command",
				       "an unknown command is refused by a command" },
	[DEVIATE_ERROR_WITHOUT_ERRNO] = { "error-without-errno",
					  "what is refused has error number 0" },
	[DEVIATE_NO_REPLY_ANSWERED] = { "no-reply-answered", "what wants no reply is answered" },
	[DEVIATE_UNKNOWN_COMMAND] = { "unknown-command", "an unknown command succeeds" },
	[DEVIATE_SECOND_VERSION] = { "second-version", "the version can be negotiated again" },
	[DEVIATE_ANY_MAJOR] = { "any-major", "any major version is agreed to" },
	[DEVIATE_MINOR_RAISED] = { "minor-raised",
				   "a lower minor version is answered by the own one" },
	[DEVIATE_TRANSFER_IGNORED] = { "transfer-ignored",
				       "more data than was agreed on is taken" },
	[DEVIATE_SIZE_LIES] = { "size-lies", "a read of data says one byte more than it gives" },
};

int emu_deviation_add(struct emu_deviations *d, const char *name, struct err *err)
{
	for (unsigned int i = 0; i < EMU_NR_DEVIATIONS; i++)
		if (strcmp(deviations[i].name, name) == 0) {
			d->set |= UINT64_C(1) << i;
			return 0;
		}
	return err_set(err, -EINVAL, "'%s' is none of --list-deviations", name);
}

void emu_deviation_list(FILE *f)
{
	for (unsigned int i = 0; i < EMU_NR_DEVIATIONS; i++)
		fprintf(f, "%-22s %s\n", deviations[i].name, deviations[i].text);
}
