/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Descriptors that were open when the program began
 *
 * They are the caller's: locks and ends of pipes that it forgot about, or means to close itself. A
 * process that goes on in the background would keep them for ever.
 */

/**
 * inherited_fds_note() - for the start of main(), before anything is opened
 *
 * From /proc: where that is not to be had, nothing is noted, and nothing closed later.
 */
void inherited_fds_note(void);

/**
 * inherited_fds_close() - close those that are still the caller's, but the standard streams
 *
 * What this program has taken over, or has opened under a number that became free meanwhile, has
 * O_CLOEXEC by the rule of this project, and stays. exec() leaves no such descriptor to begin with.
 */
void inherited_fds_close(void);
