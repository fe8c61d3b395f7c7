// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "base/macros.h"
#include "base/printable.h"
#include "wire/message.h"

/* As drawn in message.h. */
struct wire_header_raw {
	uint8_t magic[4];
	uint16_t type;
	uint16_t flags;
	uint32_t size;
	uint32_t reserved;
	uint64_t sequence;
	uint64_t checksum;
};
struct wire_hello_raw {
	uint16_t version;
	uint16_t oldest;
	uint32_t role;
	uint64_t features;
	uint8_t txid[WIRE_ID_SIZE];
	uint64_t generation;
	uint8_t journal[WIRE_ID_SIZE];
	uint32_t timeout_ms;
	uint32_t retries;
	uint8_t reserved[32];
};
struct wire_end_raw {
	uint8_t image[WIRE_ID_SIZE];
	uint8_t digest[WIRE_ID_SIZE];
	uint64_t bytes;
};
struct wire_decision_raw {
	uint8_t txid[WIRE_ID_SIZE];
	uint64_t generation;
};
struct wire_abort_raw {
	uint32_t kind;
	uint32_t reserved;
	char reason[WIRE_REASON_SIZE];
};
struct wire_state_raw {
	uint8_t txid[WIRE_ID_SIZE];
	uint64_t generation;
	uint32_t role;
	uint32_t phase;
	uint8_t journal[WIRE_ID_SIZE];
	uint8_t reserved[16];
};

_Static_assert(sizeof(struct wire_header_raw) == WIRE_HEADER_SIZE, "drawn in message.h");
_Static_assert(offsetof(struct wire_header_raw, checksum) == 24, "drawn in message.h");
_Static_assert(sizeof(struct wire_hello_raw) == WIRE_HELLO_SIZE, "drawn in message.h");
_Static_assert(offsetof(struct wire_hello_raw, journal) == 40, "drawn in message.h");
_Static_assert(sizeof(struct wire_end_raw) == WIRE_END_SIZE, "drawn in message.h");
_Static_assert(sizeof(struct wire_decision_raw) == WIRE_DECISION_SIZE, "drawn in message.h");
_Static_assert(sizeof(struct wire_abort_raw) == WIRE_ABORT_SIZE, "drawn in message.h");
_Static_assert(sizeof(struct wire_state_raw) == WIRE_PHASE_SIZE, "drawn in message.h");

/**
 * struct wire_kind - a type of message
 * @max: the size of its payload, or at most
 * @exact: the payload has just that
 * @mandatory: see WIRE_MANDATORY
 */
struct wire_kind {
	const char *name;
	uint32_t max;
	bool exact;
	bool mandatory;
};

static const struct wire_kind wire_kinds[WIRE_NR_TYPES] = {
	[WIRE_HELLO] = { "HELLO", WIRE_HELLO_SIZE, true, true },
	[WIRE_OFFER] = { "OFFER", WIRE_PAYLOAD_MAX, false, true },
	[WIRE_VERDICT] = { "VERDICT", WIRE_PAYLOAD_MAX, false, true },
	[WIRE_FRAMES] = { "FRAMES", WIRE_FRAMES_MAX, false, true },
	[WIRE_END] = { "END", WIRE_END_SIZE, true, true },
	[WIRE_READY] = { "READY", WIRE_END_SIZE, true, true },
	[WIRE_COMMIT] = { "COMMIT", WIRE_DECISION_SIZE, true, true },
	[WIRE_DONE] = { "DONE", WIRE_DECISION_SIZE, true, true },
	[WIRE_ABORT] = { "ABORT", WIRE_ABORT_SIZE, true, true },
	[WIRE_HEARTBEAT] = { "HEARTBEAT", 0, true, false },
	[WIRE_ASK] = { "ASK", WIRE_PHASE_SIZE, true, true },
	[WIRE_TELL] = { "TELL", WIRE_PHASE_SIZE, true, true },
	[WIRE_TAKING] = { "TAKING", 0, true, false },
	[WIRE_FORCED] = { "FORCED", WIRE_FORCED_SIZE, true, false },
};

bool wire_known(unsigned int type)
{
	return type >= WIRE_HELLO && type < WIRE_NR_TYPES;
}

const char *wire_name(unsigned int type)
{
	return wire_known(type) ? wire_kinds[type].name : "unknown";
}

const char *wire_phase_name(unsigned int phase)
{
	static const char *const names[WIRE_NR_PHASES] = {
		[WIRE_PHASE_NONE] = "none",	    [WIRE_PHASE_BEGUN] = "begun",
		[WIRE_PHASE_PREPARED] = "prepared", [WIRE_PHASE_COMMITTED] = "committed",
		[WIRE_PHASE_DONE] = "done",	    [WIRE_PHASE_ABORTED] = "aborted",
		[WIRE_PHASE_BUSY] = "busy",
	};

	return phase < WIRE_NR_PHASES ? names[phase] : "unknown";
}

/*
 * The header
 */

/* The bytes of FRAMES are not summed: the image sums them, and a second time would cost as much. */
static uint64_t message_checksum(const void *header, unsigned int type, const void *payload,
				 size_t size)
{
	uint64_t seed = type != WIRE_FRAMES && size ? XXH3_64bits(payload, size) : 0;

	return XXH3_64bits_withSeed(header, offsetof(struct wire_header_raw, checksum), seed);
}

void wire_encode_header(enum wire_type type, const void *payload, uint32_t size, uint64_t sequence,
			uint8_t buf[WIRE_HEADER_SIZE])
{
	struct wire_header_raw w = {
		.type = htole16((uint16_t)type),
		.flags = htole16(wire_kinds[type].mandatory ? WIRE_MANDATORY : 0),
		.size = htole32(size),
		.sequence = htole64(sequence),
	};

	memcpy(w.magic, WIRE_MAGIC, sizeof(w.magic));
	w.checksum = htole64(message_checksum(&w, type, payload, size));
	memcpy(buf, &w, sizeof(w));
}

/* What each type may have; of an unknown one only that it can be skipped. */
static int message_judge(const struct wire_header *h, struct err *err)
{
	const struct wire_kind *kind = &wire_kinds[wire_known(h->type) ? h->type : 0];

	if (!wire_known(h->type)) {
		if (h->flags & WIRE_MANDATORY)
			return err_fail(err, ERR_PEER, -EPROTO,
					"a message of type %u, which this version does not know",
					h->type);
		if (h->size > WIRE_PAYLOAD_MAX)
			return err_fail(err, ERR_PEER, -EPROTO,
					"a message of %" PRIu32 " bytes, more than %u", h->size,
					WIRE_PAYLOAD_MAX);
		return 0;
	}
	if (kind->exact ? h->size != kind->max : h->size > kind->max)
		return err_fail(err, ERR_PEER, -EPROTO, "%s of %" PRIu32 " bytes, not %s%" PRIu32,
				kind->name, h->size, kind->exact ? "" : "at most ", kind->max);
	return 0;
}

int wire_decode_header(const uint8_t buf[WIRE_HEADER_SIZE], uint64_t sequence,
		       struct wire_header *ret, struct err *err)
{
	struct wire_header_raw w;
	struct wire_header h;
	int r;

	memcpy(&w, buf, sizeof(w));
	if (memcmp(w.magic, WIRE_MAGIC, sizeof(w.magic)) != 0)
		return err_fail(err, ERR_PEER, -EPROTO, "not a message");
	h = (struct wire_header){
		.type = le16toh(w.type),
		.flags = le16toh(w.flags),
		.size = le32toh(w.size),
		.sequence = le64toh(w.sequence),
		.checksum = le64toh(w.checksum),
	};
	r = message_judge(&h, err);
	if (r < 0)
		return r;
	if (h.sequence != sequence)
		return err_fail(err, ERR_PEER, -EPROTO, "%s is message %" PRIu64 ", not %" PRIu64,
				wire_name(h.type), h.sequence, sequence);
	*ret = h;
	return 0;
}

int wire_check(const uint8_t header[WIRE_HEADER_SIZE], const struct wire_header *h,
	       const void *payload, struct err *err)
{
	if (message_checksum(header, h->type, payload, h->size) != h->checksum)
		return err_fail(err, ERR_PEER, -EPROTO, "%s: its checksum is wrong",
				wire_name(h->type));
	return 0;
}

/*
 * The payloads
 */

static size_t message_put_hello(const struct wire_hello *h, uint8_t *buf)
{
	struct wire_hello_raw w = {
		.version = htole16(h->version),
		.oldest = htole16(h->oldest),
		.role = htole32(h->role),
		.features = htole64(h->features),
		.generation = htole64(h->generation),
		.timeout_ms = htole32(h->timeout_ms),
		.retries = htole32(h->retries),
	};

	memcpy(w.txid, h->txid, sizeof(w.txid));
	memcpy(w.journal, h->journal, sizeof(w.journal));
	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

static size_t message_put_end(const struct wire_end *e, uint8_t *buf)
{
	struct wire_end_raw w = { .bytes = htole64(e->bytes) };

	memcpy(w.image, e->image, sizeof(w.image));
	memcpy(w.digest, e->digest, sizeof(w.digest));
	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

static size_t message_put_decision(const struct wire_decision *d, uint8_t *buf)
{
	struct wire_decision_raw w = { .generation = htole64(d->generation) };

	memcpy(w.txid, d->txid, sizeof(w.txid));
	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

static size_t message_put_abort(const struct wire_abort *a, uint8_t *buf)
{
	struct wire_abort_raw w = { .kind = htole32(a->kind) };

	memcpy(w.reason, a->reason, strnlen(a->reason, sizeof(w.reason) - 1));
	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

static size_t message_put_state(const struct wire_state *s, uint8_t *buf)
{
	struct wire_state_raw w = {
		.generation = htole64(s->generation),
		.role = htole32(s->role),
		.phase = htole32(s->phase),
	};

	memcpy(w.txid, s->txid, sizeof(w.txid));
	memcpy(w.journal, s->journal, sizeof(w.journal));
	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

static size_t message_put_forced(const struct wire_forced *f, uint8_t *buf)
{
	memset(buf, 0, WIRE_FORCED_SIZE);
	memcpy(buf, f->by, strnlen(f->by, sizeof(f->by) - 1));
	return WIRE_FORCED_SIZE;
}

static size_t message_put_payload(const struct wire_message *m, uint8_t *buf)
{
	switch (m->type) {
	case WIRE_HELLO:
		return message_put_hello(&m->hello, buf);
	case WIRE_END:
	case WIRE_READY:
		return message_put_end(&m->end, buf);
	case WIRE_COMMIT:
	case WIRE_DONE:
		return message_put_decision(&m->decision, buf);
	case WIRE_ABORT:
		return message_put_abort(&m->abort, buf);
	case WIRE_ASK:
	case WIRE_TELL:
		return message_put_state(&m->state, buf);
	case WIRE_FORCED:
		return message_put_forced(&m->forced, buf);
	default:
		assert(m->type == WIRE_HEARTBEAT || m->type == WIRE_TAKING);
		return 0;
	}
}

size_t wire_encode(const struct wire_message *m, uint64_t sequence, uint8_t *buf)
{
	uint8_t *payload = buf + WIRE_HEADER_SIZE;
	size_t size = message_put_payload(m, payload);

	wire_encode_header(m->type, payload, (uint32_t)size, sequence, buf);
	return WIRE_HEADER_SIZE + size;
}

static int message_get_hello(const void *payload, struct wire_hello *ret, struct err *err)
{
	struct wire_hello_raw w;

	memcpy(&w, payload, sizeof(w));
	*ret = (struct wire_hello){
		.version = le16toh(w.version),
		.oldest = le16toh(w.oldest),
		.role = le32toh(w.role),
		.features = le64toh(w.features),
		.generation = le64toh(w.generation),
		.timeout_ms = le32toh(w.timeout_ms),
		.retries = le32toh(w.retries),
	};
	memcpy(ret->txid, w.txid, sizeof(ret->txid));
	memcpy(ret->journal, w.journal, sizeof(ret->journal));
	if (!ret->oldest || ret->oldest > ret->version)
		return err_fail(err, ERR_PEER, -EPROTO, "HELLO of versions %u to %u", ret->oldest,
				ret->version);
	if (ret->role < WIRE_SOURCE || ret->role > WIRE_RECOVERY)
		return err_fail(err, ERR_PEER, -EPROTO, "HELLO of role %" PRIu32, ret->role);
	return 0;
}

static void message_get_end(const void *payload, struct wire_end *ret)
{
	struct wire_end_raw w;

	memcpy(&w, payload, sizeof(w));
	memcpy(ret->image, w.image, sizeof(ret->image));
	memcpy(ret->digest, w.digest, sizeof(ret->digest));
	ret->bytes = le64toh(w.bytes);
}

static void message_get_decision(const void *payload, struct wire_decision *ret)
{
	struct wire_decision_raw w;

	memcpy(&w, payload, sizeof(w));
	memcpy(ret->txid, w.txid, sizeof(ret->txid));
	ret->generation = le64toh(w.generation);
}

static int message_get_abort(const void *payload, struct wire_abort *ret, struct err *err)
{
	struct wire_abort_raw w;

	memcpy(&w, payload, sizeof(w));
	if (w.reason[sizeof(w.reason) - 1])
		return err_fail(err, ERR_PEER, -EPROTO, "ABORT with a reason that does not end");
	ret->kind = le32toh(w.kind);
	memcpy(ret->reason, w.reason, sizeof(ret->reason));
	make_printable(ret->reason);
	return 0;
}

static int message_get_state(const struct wire_header *h, const void *payload,
			     struct wire_state *ret, struct err *err)
{
	struct wire_state_raw w;

	memcpy(&w, payload, sizeof(w));
	*ret = (struct wire_state){
		.generation = le64toh(w.generation),
		.role = le32toh(w.role),
		.phase = le32toh(w.phase),
	};
	memcpy(ret->txid, w.txid, sizeof(ret->txid));
	memcpy(ret->journal, w.journal, sizeof(ret->journal));
	if ((ret->role != WIRE_SOURCE && ret->role != WIRE_DESTINATION) ||
	    ret->phase >= WIRE_NR_PHASES)
		return err_fail(err, ERR_PEER, -EPROTO, "%s of role %" PRIu32 ", phase %" PRIu32,
				wire_name(h->type), ret->role, ret->phase);
	return 0;
}

static int message_get_forced(const void *payload, struct wire_forced *ret, struct err *err)
{
	const char *by = payload;
	size_t len = strnlen(by, WIRE_FORCED_SIZE);

	if (len == WIRE_FORCED_SIZE)
		return err_fail(err, ERR_PEER, -EPROTO, "FORCED by a name that does not end");
	memcpy(ret->by, by, len);
	make_printable(ret->by);
	return 0;
}

int wire_decode(const struct wire_header *h, const void *payload, struct wire_message *ret,
		struct err *err)
{
	*ret = (struct wire_message){ .type = h->type, .size = h->size };
	switch (h->type) {
	case WIRE_HELLO:
		return message_get_hello(payload, &ret->hello, err);
	case WIRE_END:
	case WIRE_READY:
		message_get_end(payload, &ret->end);
		return 0;
	case WIRE_COMMIT:
	case WIRE_DONE:
		message_get_decision(payload, &ret->decision);
		return 0;
	case WIRE_ABORT:
		return message_get_abort(payload, &ret->abort, err);
	case WIRE_ASK:
	case WIRE_TELL:
		return message_get_state(h, payload, &ret->state, err);
	case WIRE_FORCED:
		return message_get_forced(payload, &ret->forced, err);
	default:
		return 0;
	}
}

int wire_agree(const struct wire_hello *ours, const struct wire_hello *theirs, struct err *err)
{
	unsigned int version = MIN(ours->version, theirs->version);

	if (version < MAX(ours->oldest, theirs->oldest))
		return err_fail(err, ERR_PEER, -EPROTONOSUPPORT,
				"the other end speaks versions %u to %u of the protocol, this one "
				"%u to %u",
				theirs->oldest, theirs->version, ours->oldest, ours->version);
	return (int)version;
}
