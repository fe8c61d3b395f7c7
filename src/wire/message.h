/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Messages of a move between hosts, version 1
 *
 * Over one channel that goes both ways. All numbers are little-endian. This drawing is the truth;
 * vfiomig-protocol(7) says the same in words, and who may decide what.
 *
 * Every message begins with 32 bytes:
 *
 *	 0  u8[4]  magic      89 56 4d 50  ("\x89VMP")
 *	 4  u16    type       enum wire_type
 *	 6  u16    flags      WIRE_MANDATORY: who does not know @type ends the transaction, else it
 *	                      skips the message. All types have it but HEARTBEAT, TAKING and
 *	                      FORCED.
 *	 8  u32    size       payload bytes that follow, at most WIRE_PAYLOAD_MAX, of FRAMES
 *	                      WIRE_FRAMES_MAX
 *	12  u32    reserved   0
 *	16  u64    sequence   number of the message among its sender's on this channel, from 0
 *	24  u64    checksum   XXH3-64 over bytes 0 to 23; its seed is the XXH3-64, seed 0, of the
 *	                      payload, or 0 where there is none and of FRAMES, whose bytes an
 *	                      image's own checksums protect
 *
 * HELLO, 96 bytes; the first message each way, sent by both without waiting for the other:
 *
 *	 0  u16    version    the highest that the sender speaks; 1
 *	 2  u16    oldest     the lowest; both go on with the smaller of both @version, if it is at
 *	                      least the larger of both @oldest
 *	 4  u32    role       enum wire_role
 *	 8  u64    features   enum wire_feature: what the sender can do beyond the version
 *	16  u8[16] txid       of the transaction, random, the source's; of a destination zeros
 *	32  u64    generation the source's number of it, larger than any before; of a destination 0
 *	40  u8[16] journal    the id of the sender's journal
 *	56  u32    timeout    ms of the other's silence that the sender bears
 *	60  u32    retries    the source's: how often it comes again after a broken channel
 *	64  u8[32] reserved   0
 *
 * OFFER, the source's: the MANIFEST that the image will have (JSON, see image/manifest.h).
 *
 * VERDICT, the destination's: JSON, see wire/verdict.h.
 *
 * FRAMES, the source's: the next bytes of the image (image/format.h), any number.
 *
 * END, the source's, 40 bytes: all of the image has been sent.
 *
 *	 0  u8[16] image      its id
 *	16  u8[16] digest     of its IMAGE END
 *	32  u64    bytes      of the image, from its HEADER to its end
 *
 * READY, the destination's, 40 bytes, as END: all drivers have accepted what END says; the
 * destination decides nothing any more, and awaits COMMIT or ABORT however long that takes.
 *
 * COMMIT, the source's, and DONE, the destination's, 24 bytes:
 *
 *	 0  u8[16] txid
 *	16  u64    generation
 *
 * ABORT, either's, 464 bytes: the transaction is not to be. The source's is its decision. The
 * destination's is a refusal, and is not sent after READY, but as the answer to a COMMIT that it
 * cannot carry out (kind 80): that ends nothing.
 *
 *	 0  u32    kind       the sender's exit status, enum err_kind
 *	 4  u32    reserved   0
 *	 8  u8[456] reason    text, at least its last byte 0
 *
 * HEARTBEAT, either's, empty: the sender is alive while it has nothing to say.
 *
 * TAKING, the destination's, empty, where both have WIRE_FEATURE_TAKING: all of its devices are in
 * RESUMING. It decides nothing: the source lets its devices run until then, so that what opening
 * and resetting the destination's takes is no downtime.
 *
 * ASK and TELL, either's, 64 bytes, of `recover`; see engine/recover-plan.h:
 *
 *	 0  u8[16] txid
 *	16  u64    generation
 *	24  u32    role       of the sender in that transaction
 *	28  u32    phase      what its journal says of it, enum wire_phase
 *	32  u8[16] journal    the id of that journal
 *	48  u8[16] reserved   0
 *
 * FORCED, of `recover`, 128 bytes: the TELL that follows is what a user has decided without the
 * other end. It is no word of its own: who does not know it takes the TELL as any other, and has
 * nothing of it in its record.
 *
 *	 0  u8[128] by        what, who and when, text, at least its last byte 0
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define WIRE_MAGIC "\x89VMP"
#define WIRE_VERSION 1
#define WIRE_OLDEST 1

#define WIRE_HEADER_SIZE 32u
#define WIRE_HELLO_SIZE 96u
#define WIRE_END_SIZE 40u
#define WIRE_DECISION_SIZE 24u
#define WIRE_ABORT_SIZE 464u
#define WIRE_REASON_SIZE 456u
#define WIRE_PHASE_SIZE 64u
#define WIRE_FORCED_SIZE 128u

/* The largest OFFER: as IMAGE_MANIFEST_MAX. Checked before anything is allocated. */
#define WIRE_PAYLOAD_MAX (4u << 20)
#define WIRE_FRAMES_MAX (8u << 20)

#define WIRE_ID_SIZE 16u

enum wire_type {
	WIRE_HELLO = 1,
	WIRE_OFFER = 2,
	WIRE_VERDICT = 3,
	WIRE_FRAMES = 4,
	WIRE_END = 5,
	WIRE_READY = 6,
	WIRE_COMMIT = 7,
	WIRE_DONE = 8,
	WIRE_ABORT = 9,
	WIRE_HEARTBEAT = 10,
	WIRE_ASK = 11,
	WIRE_TELL = 12,
	WIRE_TAKING = 13,
	WIRE_FORCED = 14,
	WIRE_NR_TYPES
};

enum wire_flags {
	WIRE_MANDATORY = 1u << 0,
};

enum wire_role {
	WIRE_SOURCE = 1,
	WIRE_DESTINATION = 2,
	WIRE_RECOVERY = 3, /* `recover`, for a transaction of which it has a record */
};

/* Bits of wire_hello.features. One that is not known is ignored. */
enum wire_feature {
	WIRE_FEATURE_TAKING = 1u << 0, /* a destination says TAKING, a source waits for it */
};

/** enum wire_phase - of a transaction, at one end; as its journal has it (engine/journal.h) */
enum wire_phase {
	WIRE_PHASE_NONE, /* no record */
	WIRE_PHASE_BEGUN, /* undecided, as far as this end goes */
	WIRE_PHASE_PREPARED, /* a destination's: READY may have been sent */
	WIRE_PHASE_COMMITTED,
	WIRE_PHASE_DONE,
	WIRE_PHASE_ABORTED,
	WIRE_PHASE_BUSY, /* the transaction is under way in another process there */
	WIRE_NR_PHASES
};

struct wire_hello {
	uint16_t version, oldest;
	uint32_t role;
	uint64_t features;
	uint8_t txid[WIRE_ID_SIZE];
	uint64_t generation;
	uint8_t journal[WIRE_ID_SIZE];
	uint32_t timeout_ms;
	uint32_t retries;
};

/** struct wire_end - of END and READY */
struct wire_end {
	uint8_t image[WIRE_ID_SIZE];
	uint8_t digest[WIRE_ID_SIZE];
	uint64_t bytes;
};

/** struct wire_decision - of COMMIT and DONE */
struct wire_decision {
	uint8_t txid[WIRE_ID_SIZE];
	uint64_t generation;
};

struct wire_abort {
	uint32_t kind;
	char reason[WIRE_REASON_SIZE]; /* printable */
};

/** struct wire_state - of ASK and TELL */
struct wire_state {
	uint8_t txid[WIRE_ID_SIZE];
	uint64_t generation;
	uint32_t role;
	uint32_t phase;
	uint8_t journal[WIRE_ID_SIZE];
};

struct wire_forced {
	char by[WIRE_FORCED_SIZE]; /* printable */
};

/**
 * struct wire_message - one message, decoded
 * @size: of the payload; of OFFER, VERDICT and FRAMES the payload itself is with the caller
 */
struct wire_message {
	enum wire_type type;
	uint32_t size;
	union {
		struct wire_hello hello;
		struct wire_end end;
		struct wire_decision decision;
		struct wire_abort abort;
		struct wire_state state;
		struct wire_forced forced;
	};
};

/* The largest payload that wire_encode() writes. */
#define WIRE_FIXED_MAX WIRE_ABORT_SIZE

/**
 * struct wire_header - as on the wire, decoded
 */
struct wire_header {
	uint16_t type, flags;
	uint32_t size;
	uint64_t sequence, checksum;
};

/**
 * wire_encode() - header and payload of a message that has no payload but its fields
 * @m: not OFFER, VERDICT or FRAMES
 * @buf: room for WIRE_HEADER_SIZE + WIRE_FIXED_MAX
 *
 * Return: bytes.
 */
size_t wire_encode(const struct wire_message *m, uint64_t sequence, uint8_t *buf);

/** wire_encode_header() - of OFFER, VERDICT or FRAMES, whose payload follows */
void wire_encode_header(enum wire_type type, const void *payload, uint32_t size, uint64_t sequence,
			uint8_t buf[WIRE_HEADER_SIZE]);

/**
 * wire_decode_header() - from untrusted bytes
 * @sequence: the one that is due
 *
 * Everything but the checksum is judged: afterwards @ret->size may be believed. A message of an
 * unknown type that is not mandatory is accepted, to be skipped.
 *
 * Return: 0, -EPROTO (ERR_PEER).
 */
_must_check_ int wire_decode_header(const uint8_t buf[WIRE_HEADER_SIZE], uint64_t sequence,
				    struct wire_header *ret, struct err *err);

/** wire_check() - the checksum. Return: 0, -EPROTO (ERR_PEER). */
_must_check_ int wire_check(const uint8_t header[WIRE_HEADER_SIZE], const struct wire_header *h,
			    const void *payload, struct err *err);

/**
 * wire_decode() - the payload of a message whose checksum is right; untrusted all the same
 *
 * Return: 0, -EPROTO (ERR_PEER) for values that are not possible. @ret's strings can be printed.
 */
_must_check_ int wire_decode(const struct wire_header *h, const void *payload,
			     struct wire_message *ret, struct err *err);

/** wire_known() - this version knows the type */
bool wire_known(unsigned int type);

/**
 * wire_agree() - the version that both speak
 *
 * Return: it; -EPROTONOSUPPORT (ERR_PEER) where there is none, which names both ranges.
 */
_must_check_ int wire_agree(const struct wire_hello *ours, const struct wire_hello *theirs,
			    struct err *err);

/** wire_name() - "HELLO"; never NULL */
const char *wire_name(unsigned int type);

/** wire_phase_name() - "prepared"; never NULL */
const char *wire_phase_name(unsigned int phase);
