/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Rules about streams that are to be refused; rows of rules-load.c
 *
 * Each variant of a bad stream is tried on a device that was brought home before, by a reset where
 * it must be. What was not noticed is a warning, since a driver that hands its bytes to firmware
 * cannot know; what the device made of it is judged by check/load-outcome.h.
 */

struct check;

void rules_load_bad_empty(struct check *c);
void rules_load_bad_short(struct check *c);
void rules_load_bad_long(struct check *c);
void rules_load_bad_flipped(struct check *c);
void rules_load_bad_foreign(struct check *c);

/** rules_load_bad_forgotten() - a write was refused: SET stop must not load what came before it. */
void rules_load_bad_forgotten(struct check *c);

/** rules_load_bad_then_good() - what a refusal leaves behind spoils no load after a reset. */
void rules_load_bad_then_good(struct check *c);
