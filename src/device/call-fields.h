/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What calls and messages say, for a trace
 *
 * Pure: tables of where things stand in the structures of linux/vfio.h and of vfio-user. Only what
 * a table names gets into a record: never the bytes of a stream, of a region or of memory, nor a VF
 * token.
 */

#include <stddef.h>

#include "base/trace.h"
#include "vfu/message.h"

/** enum call_fields_when - a structure is read twice where it is question and answer */
enum call_fields_when {
	CALL_ASKED,
	CALL_ANSWERED,
};

/** call_fields_name() - "VFIO_DEVICE_RESET"; NULL for one that is not known. */
const char *call_fields_name(unsigned long request);

/**
 * call_fields_request() - the argument of an ioctl
 * @arg: its structure, of the size that the request has, or the number itself
 */
void call_fields_request(struct trace_record *r, unsigned long request, const void *arg,
			 enum call_fields_when when);

/**
 * call_fields_message() - a vfio-user message
 * @payload: what is known of it: its first @len bytes; the structure of a reply is the answer
 */
void call_fields_message(struct trace_record *r, const struct vfu_header *h, const void *payload,
			 size_t len, enum call_fields_when when);
