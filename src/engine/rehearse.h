/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A rehearsal: load an image into spare devices, and see what they make of it
 *
 * The drivers judge the state, which nothing else can. Then it is saved again, and each stream
 * compared with that of the image, and the devices are reset. None of them ever runs.
 */

#include "engine/load.h"

/**
 * enum rehearse_same - the stream that a device gives back is that of the image
 * @REHEARSE_OTHER_LENGTH: it cannot be compared: one that was saved with pre-copy has more in it
 * @REHEARSE_VARIES: nor can that: the driver does not write the same state twice alike
 */
enum rehearse_same {
	REHEARSE_NOT_COMPARED,
	REHEARSE_SAME,
	REHEARSE_DIFFERS,
	REHEARSE_OTHER_LENGTH,
	REHEARSE_VARIES
};

/**
 * struct rehearse_device - what came of one
 * @accepted: its driver has accepted the state
 * @reset: it was reset at the end; else it may still have the state, stopped
 * @left: the state it is in now, if @left_known
 */
struct rehearse_device {
	bool accepted;
	enum rehearse_same same;
	bool reset;
	enum mig_state left;
	bool left_known;
};

/**
 * struct rehearse_result
 * @load: what the load came to; of load_run()
 * @devices: in the order of the options; NULL where no load was begun
 * @mismatch: the image has other devices than the options name
 */
struct rehearse_result {
	struct load_result load;
	struct rehearse_device *devices;
	bool mismatch;
};

void rehearse_result_done(struct rehearse_result *result);

/**
 * rehearse_run() - @options: as for load_run(), of a file that can be read twice
 *
 * Called in a thread with every signal blocked. @ret is set in any case.
 *
 * Return: 0, also where a stream could not be compared; -EBADMSG (ERR_NONCONFORMING) where one
 * differs; or what failed.
 */
_must_check_ int rehearse_run(const struct load_options *options, struct cancel *cancel,
			      struct rehearse_result *ret, struct err *err);
