/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What is the same for all commands that are run
 */

#include <spawn.h>

/**
 * spawn_undo_signals() - have a command start as a shell would start it
 * @flags: more POSIX_SPAWN_* to be set
 *
 * Nothing is blocked, and of what main() ignores nothing is ignored. Return: 0 or a positive errno,
 * as posix_spawn().
 */
int spawn_undo_signals(posix_spawnattr_t *attr, int flags);
