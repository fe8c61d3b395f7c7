// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The vfio-user protocol's own: messages, and the version they are spoken in
 *
 * Each rule has a connection of its own, on which it says what no client of ours would. A server
 * may refuse by a reply or by closing the connection, as the specification leaves it to it; whether
 * it is still there for the next client is seen by asking it something. Where nothing is to come
 * back, a question with another id is sent behind, and what comes first is looked at: no clock
 * decides.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "check/rules-vfu-talk.h"

#define SOURCE_HEADER "vfio-user: Header"
#define SOURCE_VERSION "vfio-user: VFIO_USER_VERSION"
#define SOURCE_FEATURE "vfio-user: VFIO_USER_DEVICE_FEATURE"
#define SOURCE_TRANSFER "vfio-user: VFIO_USER_VERSION, max_data_xfer_size"
#define SOURCE_DISCONNECT "vfio-user: Socket Disconnection Behavior"

#define UNKNOWN_COMMAND 0x7ffeu

/*
 * The version
 */

static void rules_vfu_version_agreed(struct check *c)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	const struct vfu_version proposed = rules_vfu_version(VFU_MINOR);
	struct subject_message m;
	struct vfu_version v;
	struct err why = { 0 };

	if (!rules_vfu_connect(c, &x))
		return;
	rules_vfu_propose(x, &proposed, &m);
	if (!rules_vfu_worked(c, "VERSION", &m))
		return;
	if (m.h.id != 1 || m.h.command != VFU_VERSION || !vfu_is_reply(&m.h))
		check_violated(c, "the answer is no reply to VERSION");
	if (vfu_version_decode(m.payload, m.len, &v, &why) < 0)
		check_violated(c, "the reply: %s", why.text);
	else if (v.major != proposed.major || v.minor > proposed.minor)
		check_violated(c, "version %u.%u was proposed, %u.%u is the reply", proposed.major,
			       proposed.minor, v.major, v.minor);
}

static void rules_vfu_version_minor(struct check *c)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	const struct vfu_version proposed = rules_vfu_version(0);
	struct subject_message m;
	struct vfu_version_head head;

	if (!rules_vfu_connect(c, &x))
		return;
	rules_vfu_propose(x, &proposed, &m);
	if (!rules_vfu_worked(c, "VERSION 0.0", &m))
		return;
	if (m.len < sizeof(head)) {
		check_violated(c, "a reply of %zu bytes has no version", m.len);
		return;
	}
	memcpy(&head, m.payload, sizeof(head));
	if (head.minor > 0)
		check_violated(c, "version 0.0 was proposed, 0.%u is the reply", head.minor);
}

static void rules_vfu_version_major(struct check *c)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	struct vfu_version proposed = rules_vfu_version(0);
	struct subject_message m;

	proposed.major = 0x7fff;
	if (!rules_vfu_connect(c, &x))
		return;
	rules_vfu_propose(x, &proposed, &m);
	if (rules_vfu_refused(c, "VERSION 32767.0", &m))
		rules_vfu_serves_on(c, &x);
}

static void rules_vfu_version_first(struct check *c)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	struct subject_message m;

	if (!rules_vfu_connect(c, &x))
		return;
	rules_vfu_get_state(x, 2, &m);
	if (rules_vfu_refused(c, "DEVICE_FEATURE before VERSION", &m))
		rules_vfu_serves_on(c, &x);
}

static void rules_vfu_version_once(struct check *c)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	const struct vfu_version v = rules_vfu_version(VFU_MINOR);
	struct subject_message m;

	if (!rules_vfu_begin(c, &x))
		return;
	rules_vfu_propose(x, &v, &m);
	if (rules_vfu_refused(c, "a second VERSION", &m))
		rules_vfu_serves_on(c, &x);
}

/* VERSION with these bytes behind the numbers. */
static void rules_vfu_version_with(struct check *c, const char *what, const char *text, size_t len,
				   bool good)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	const struct vfu_version_head head = { VFU_MAJOR, VFU_MINOR };
	uint8_t payload[128];
	const struct saying s = {
		.id = 1,
		.command = VFU_VERSION,
		.payload = payload,
		.len = sizeof(head) + len,
	};
	struct subject_message m;

	memcpy(payload, &head, sizeof(head));
	memcpy(payload + sizeof(head), text, len);
	if (!rules_vfu_connect(c, &x))
		return;
	rules_vfu_ask(x, &s, &m);
	if (good)
		rules_vfu_worked(c, what, &m);
	else if (rules_vfu_refused(c, what, &m))
		rules_vfu_serves_on(c, &x);
}

static void rules_vfu_version_bare(struct check *c)
{
	rules_vfu_version_with(c, "VERSION without capabilities", "", 0, true);
}

static void rules_vfu_version_unknown(struct check *c)
{
	static const char text[] = "{\"capabilities\":{\"x-nothing-known\":{\"a\":[1]}}}";

	rules_vfu_version_with(c, "VERSION with a capability that is not known", text, sizeof(text),
			       true);
}

static void rules_vfu_version_no_json(struct check *c)
{
	static const char text[] = "{\"capabilities\":";

	rules_vfu_version_with(c, "VERSION with half of a JSON text", text, sizeof(text), false);
}

/*
 * Replies
 */

/* A command that there is not, and what came: the reply that four rules look at. */
static bool rules_vfu_unknown(struct check *c, struct subject_message *m)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	const struct saying s = { .id = 0x1234, .command = UNKNOWN_COMMAND };

	if (!rules_vfu_begin(c, &x))
		return false;
	rules_vfu_ask(x, &s, m);
	if (m->heard == SUBJECT_HEARD_NOTHING || m->heard == SUBJECT_HEARD_NONSENSE)
		check_violated(c, "an unknown command: no reply");
	else if (m->heard == SUBJECT_HEARD_CLOSED)
		check_skip(c, "an unknown command ends the connection");
	return m->heard == SUBJECT_HEARD_MESSAGE;
}

static void rules_vfu_unknown_command(struct check *c)
{
	struct subject_message m;

	if (rules_vfu_unknown(c, &m))
		rules_vfu_refused(c, "a command that there is not", &m);
}

static void rules_vfu_reply_id(struct check *c)
{
	struct subject_message m;

	if (rules_vfu_unknown(c, &m) && m.h.id != 0x1234)
		check_violated(c, "the command's id is %#x, the reply's %#x", 0x1234, m.h.id);
}

static void rules_vfu_reply_command(struct check *c)
{
	struct subject_message m;

	if (rules_vfu_unknown(c, &m) && m.h.command != UNKNOWN_COMMAND)
		check_violated(c, "the command is %u, the reply's %u", UNKNOWN_COMMAND,
			       m.h.command);
}

static void rules_vfu_reply_type(struct check *c)
{
	struct subject_message m;

	if (rules_vfu_unknown(c, &m) && !vfu_is_reply(&m.h))
		check_violated(c, "the type of the reply is %u", m.h.flags & VFU_TYPE_MASK);
}

static void rules_vfu_error_number(struct check *c)
{
	struct subject_message m;

	if (rules_vfu_unknown(c, &m) && rules_vfu_is_error(&m) &&
	    (!m.h.error || m.h.error > VFU_ERRNO_MAX))
		check_violated(c, "the error number of a refusal is %u", m.h.error);
}

static void rules_vfu_success(struct check *c)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	struct subject_message m;

	if (!rules_vfu_begin(c, &x))
		return;
	rules_vfu_get_state(x, 2, &m);
	if (!rules_vfu_worked(c, "GET of the state", &m))
		return;
	if (m.h.id != 2 || m.h.command != VFU_FEATURE || !vfu_is_reply(&m.h))
		check_violated(c, "the answer is no reply to DEVICE_FEATURE");
	if (m.h.error)
		check_violated(c, "the error number of what has worked is %u", m.h.error);
}

/* Something that is not answered, and a question; what comes is the question's answer. */
static void rules_vfu_unanswered(struct check *c, const char *what, const struct saying *s)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	struct subject_message m;

	if (!rules_vfu_begin(c, &x))
		return;
	rules_vfu_say(x, s);
	rules_vfu_get_state(x, 77, &m);
	if (m.heard == SUBJECT_HEARD_MESSAGE && m.h.id != 77)
		check_violated(c, "%s is answered, with id %u", what, m.h.id);
	else
		rules_vfu_worked(c, "the question behind it", &m);
}

static void rules_vfu_no_reply(struct check *c)
{
	uint8_t payload[sizeof(struct vfu_feature)];
	struct saying s = rules_vfu_question(5, payload);

	s.flags = VFU_NO_REPLY;
	rules_vfu_unanswered(c, "a command with No_reply", &s);
}

static void rules_vfu_unknown_no_reply(struct check *c)
{
	const struct saying s = { .id = 5, .command = UNKNOWN_COMMAND, .flags = VFU_NO_REPLY };

	rules_vfu_unanswered(c, "a command with No_reply that there is not", &s);
}

/* Three commands at once, with these ids: how many replies, and in which order. */
static void rules_vfu_three(struct check *c, const uint16_t ids[3])
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	uint8_t payload[sizeof(struct vfu_feature)];
	struct subject_message m;
	struct saying s;

	if (!rules_vfu_begin(c, &x))
		return;
	for (size_t i = 0; i < 3; i++) {
		s = rules_vfu_question(ids[i], payload);
		rules_vfu_say(x, &s);
	}
	for (size_t i = 0; i < 3; i++) {
		subject_raw_hear(x, &m);
		if (!rules_vfu_worked(c, "three commands at once", &m))
			return;
		if (m.h.id != ids[i])
			check_violated(c, "reply %zu has id %u, its command had %u", i + 1, m.h.id,
				       ids[i]);
	}
}

static void rules_vfu_order(struct check *c)
{
	rules_vfu_three(c, (const uint16_t[]){ 300, 7, 65535 });
}

static void rules_vfu_same_ids(struct check *c)
{
	rules_vfu_three(c, (const uint16_t[]){ 4, 4, 4 });
}

/*
 * Sizes
 */

static void rules_vfu_bytewise(struct check *c)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	uint8_t payload[sizeof(struct vfu_feature)], bytes[VFU_HEADER_SIZE + sizeof(payload)];
	const struct saying s = rules_vfu_question(6, payload);
	const struct vfu_header h = { .id = 6, .command = VFU_FEATURE, .size = sizeof(bytes) };
	struct subject_message m;

	vfu_header_encode(&h, bytes);
	memcpy(bytes + VFU_HEADER_SIZE, s.payload, s.len);
	if (!rules_vfu_begin(c, &x))
		return;
	for (size_t i = 0; i < sizeof(bytes) && !check_stopped(c); i++)
		subject_raw_say(x, bytes + i, 1);
	subject_raw_hear(x, &m);
	rules_vfu_worked(c, "a command that comes byte by byte", &m);
}

static void rules_vfu_bad_size(struct check *c, const char *what, uint32_t size)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	const struct saying s = { .id = 8, .command = VFU_FEATURE, .size = size };
	struct subject_message m;

	if (!rules_vfu_begin(c, &x))
		return;
	rules_vfu_ask(x, &s, &m);
	if (rules_vfu_refused(c, what, &m))
		rules_vfu_serves_on(c, &x);
}

static void rules_vfu_size_small(struct check *c)
{
	rules_vfu_bad_size(c, "a message of 15 bytes, the header being 16", 15);
}

static void rules_vfu_size_huge(struct check *c)
{
	rules_vfu_bad_size(c, "a message of 4 GiB", UINT32_MAX);
}

static void rules_vfu_short(struct check *c)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	uint8_t payload[sizeof(struct vfu_feature)];
	struct saying s = rules_vfu_question(8, payload);
	struct subject_message m;

	s.len = 4;
	if (!rules_vfu_begin(c, &x))
		return;
	rules_vfu_ask(x, &s, &m);
	if (rules_vfu_refused(c, "DEVICE_FEATURE with 4 of its 8 bytes", &m))
		rules_vfu_serves_on(c, &x);
}

/* The text does not say what becomes of bytes that no field is for. */
static void rules_vfu_trailing(struct check *c)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	uint8_t payload[sizeof(struct vfu_feature)], longer[64] = { 0 };
	struct saying s = rules_vfu_question(8, payload);
	struct subject_message m;

	memcpy(longer, payload, sizeof(payload));
	s.payload = longer;
	s.len = sizeof(longer);
	if (!rules_vfu_begin(c, &x))
		return;
	rules_vfu_ask(x, &s, &m);
	if (m.heard == SUBJECT_HEARD_NOTHING || m.heard == SUBJECT_HEARD_NONSENSE)
		check_warn(c, "no answer to a command with 56 bytes more than it has fields");
	else
		check_tell(c, "a command with 56 bytes more than it has fields is %s",
			   m.heard == SUBJECT_HEARD_CLOSED ? "the end of the connection"
			   : rules_vfu_is_error(&m)	   ? "refused"
							   : "taken");
}

static void rules_vfu_half(struct check *c)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	const struct saying s = { .id = 8, .command = VFU_FEATURE, .size = 4096 };

	if (!rules_vfu_begin(c, &x))
		return;
	rules_vfu_say(x, &s);
	rules_vfu_serves_on(c, &x);
}

/*
 * The limit that was agreed on: TRANSFER_SMALL
 */

static bool rules_vfu_set(struct check *c, struct subject_raw *x, enum mig_state to)
{
	const struct vfu_feature set = {
		.argsz = sizeof(set) + sizeof(struct vfu_mig_state),
		.flags = UAPI_FEATURE_SET | UAPI_FEATURE_MIG_DEVICE_STATE,
	};
	const struct vfu_mig_state state = { .state = to, .data_fd = -1 };
	uint8_t payload[sizeof(set) + sizeof(state)];
	const struct saying s = {
		.id = 20, .command = VFU_FEATURE, .payload = payload, .len = sizeof(payload)
	};
	struct subject_message m;
	unsigned int tries = 0;

	memcpy(payload, &set, sizeof(set));
	memcpy(payload + sizeof(set), &state, sizeof(state));
	do
		rules_vfu_ask(x, &s, &m);
	while (rules_vfu_is_error(&m) && subject_again(c->device, -(int)m.h.error, &tries));
	if (m.heard == SUBJECT_HEARD_MESSAGE && !rules_vfu_is_error(&m))
		return true;
	check_broken(c, "SET %s is refused", subject_state_name(to));
	return false;
}

/* One transfer of @size bytes in @state; one of more than was agreed on is refused. */
static void rules_vfu_transfer(struct check *c, enum mig_state state, enum vfu_command command,
			       uint32_t size)
{
	_cleanup_raw_ struct subject_raw *x = NULL;
	const struct vfu_mig_data data = { .argsz = sizeof(data) + size, .size = size };
	uint8_t payload[sizeof(data) + 2 * (size_t)TRANSFER_SMALL] = { 0 };
	const struct saying s = {
		.id = 21,
		.command = (uint16_t)command,
		.payload = payload,
		.len = sizeof(data) + (command == VFU_MIG_DATA_WRITE ? size : 0),
	};
	struct subject_message m;

	memcpy(payload, &data, sizeof(data));
	if (!rules_vfu_begin(c, &x) || !rules_vfu_set(c, x, state))
		return;
	rules_vfu_ask(x, &s, &m);
	if (size > TRANSFER_SMALL)
		rules_vfu_refused(c, "a transfer of twice what was agreed on", &m);
	else
		rules_vfu_worked(c, "a transfer of just what was agreed on", &m);
}

static void rules_vfu_transfer_reads(struct check *c)
{
	rules_vfu_transfer(c, MIG_STOP_COPY, VFU_MIG_DATA_READ, TRANSFER_SMALL);
}

static void rules_vfu_transfer_read_limit(struct check *c)
{
	rules_vfu_transfer(c, MIG_STOP_COPY, VFU_MIG_DATA_READ, 2 * TRANSFER_SMALL);
}

static void rules_vfu_transfer_write_limit(struct check *c)
{
	rules_vfu_transfer(c, MIG_RESUMING, VFU_MIG_DATA_WRITE, 2 * TRANSFER_SMALL);
}

static const struct check_rule vfu_rules[] = {
	/* clang-format off */
	{ "vfu.version-agreed", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "the reply to VERSION has the major version and at most the minor one that was proposed, "
	  "and capabilities in range", SOURCE_VERSION, rules_vfu_version_agreed },
	{ "vfu.version-minor", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a lower minor version than the server's is agreed to as it is",
	  SOURCE_VERSION, rules_vfu_version_minor },
	{ "vfu.version-major", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a major version that is not the server's is refused",
	  SOURCE_VERSION, rules_vfu_version_major },
	{ "vfu.version-first", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "VERSION is the first command: what comes before it is refused",
	  SOURCE_VERSION, rules_vfu_version_first },
	{ "vfu.version-once", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a second VERSION on a connection is refused", SOURCE_VERSION, rules_vfu_version_once },
	{ "vfu.version-bare", CHECK_SHOULD, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "VERSION without capabilities means the default ones",
	  SOURCE_VERSION, rules_vfu_version_bare },
	{ "vfu.version-unknown-capability", CHECK_SHOULD, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a capability that is not known is passed over",
	  SOURCE_VERSION, rules_vfu_version_unknown },
	{ "vfu.version-no-json", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "capabilities that are no JSON are refused", SOURCE_VERSION, rules_vfu_version_no_json },
	{ "vfu.unknown-command", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a command that there is not fails", SOURCE_HEADER, rules_vfu_unknown_command },
	{ "vfu.reply-id", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a reply has the message id of its command", SOURCE_HEADER, rules_vfu_reply_id },
	{ "vfu.reply-command", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a reply has the command that it answers", SOURCE_HEADER, rules_vfu_reply_command },
	{ "vfu.reply-type", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a reply is of type reply", SOURCE_HEADER, rules_vfu_reply_type },
	{ "vfu.error-number", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a reply with the Error flag has an errno", SOURCE_HEADER, rules_vfu_error_number },
	{ "vfu.success", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "the reply to what has worked is a reply to it without an error",
	  SOURCE_HEADER, rules_vfu_success },
	{ "vfu.no-reply", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a command with the No_reply flag is not answered", SOURCE_HEADER, rules_vfu_no_reply },
	{ "vfu.no-reply-to-unknown", CHECK_SHOULD, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "nor is one that there is not", SOURCE_HEADER, rules_vfu_unknown_no_reply },
	{ "vfu.order", CHECK_SHOULD, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "commands that come together are all answered, in their order",
	  SOURCE_HEADER, rules_vfu_order },
	{ "vfu.same-ids", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "message ids are the sender's: several commands may have the same",
	  SOURCE_HEADER, rules_vfu_same_ids },
	{ "vfu.bytewise", CHECK_SHOULD, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a message may come in pieces of any size", SOURCE_HEADER, rules_vfu_bytewise },
	{ "vfu.size-below-header", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a message size that is less than the header's is refused",
	  SOURCE_HEADER, rules_vfu_size_small },
	{ "vfu.size-beyond-all", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a message size that is larger than any message is refused",
	  SOURCE_HEADER, rules_vfu_size_huge },
	{ "vfu.short-payload", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a command without room for its fields is refused", SOURCE_FEATURE, rules_vfu_short },
	{ "vfu.trailing-bytes", CHECK_TELLS, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "what becomes of bytes behind a command's fields", SOURCE_FEATURE, rules_vfu_trailing },
	{ "vfu.half-message", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a client that ends within a message leaves the server to the next one",
	  SOURCE_DISCONNECT, rules_vfu_half },
	{ "vfu.transfer", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a read of as many bytes as the client has agreed to works",
	  SOURCE_TRANSFER, rules_vfu_transfer_reads },
	{ "vfu.transfer-limit", CHECK_MUST, CHECK_HARMLESS, CHECK_NEEDS_VFU,
	  "a read of more bytes than the client has agreed to fails",
	  SOURCE_TRANSFER, rules_vfu_transfer_read_limit },
	{ "vfu.transfer-limit-write", CHECK_MUST, CHECK_DESTRUCTIVE, CHECK_NEEDS_VFU,
	  "a write of more bytes than the client has agreed to fails",
	  SOURCE_TRANSFER, rules_vfu_transfer_write_limit },
	/* clang-format on */
};

const struct check_group check_vfu_rules = CHECK_GROUP(vfu_rules);
