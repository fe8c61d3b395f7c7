/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The word that was probably meant
 */

#include <stddef.h>

/**
 * suggest_word() - the one of @words that is most like what was typed
 *
 * Counts letters that are missing, surplus, wrong, or in each other's place. The beginning of one
 * word alone stands for it.
 *
 * Return: the word; NULL where none is like it.
 */
const char *suggest_word(const char *typed, const char *const *words, size_t n);
