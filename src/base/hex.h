/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Bytes as hexadecimal digits: two lower-case ones a byte, no prefix
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * hex_encode() - @n bytes
 * @ret: room for 2 * @n + 1; NUL-terminated
 *
 * Return: @ret.
 */
char *hex_encode(const uint8_t *bytes, size_t n, char *ret);

/** hex_decode() - exactly 2 * @n digits, of any case. Return: false for anything else. */
bool hex_decode(const char *text, size_t n, uint8_t *ret);
