/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define UUID_SIZE 16

/**
 * uuid_parse() - "8-4-4-4-12" hexadecimal digits, any case
 * @ret: the bytes in the order of the text; may be NULL to only ask
 */
bool uuid_parse(const char *text, uint8_t ret[UUID_SIZE]);
