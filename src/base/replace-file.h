/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A small file that is there whole or not at all
 *
 * Written aside, synced, given its name, and its folder synced: when it returns, the file is on
 * disk, and a reader never saw a part of it.
 */

#include "base/err.h"

/* What may stand under the name. */
enum replace_over {
	REPLACE_OWN, /* nothing, or a file that is the caller's to replace */
	REPLACE_NOTHING, /* nothing: what is there stays, with -EEXIST */
};

/**
 * replace_file() - @text under @name in the folder that @dir has open
 * @name: without a slash; ".NAME.new" beside it is used meanwhile
 *
 * Return: 0, or what the system said.
 */
_must_check_ int replace_file(int dir, const char *name, const char *text, enum replace_over over);
