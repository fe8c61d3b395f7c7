// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "check/rules-vfu-talk.h"

void rules_vfu_say(struct subject_raw *x, const struct saying *s)
{
	const struct vfu_header h = {
		.id = s->id,
		.command = s->command,
		.size = s->size ? s->size : (uint32_t)(VFU_HEADER_SIZE + s->len),
		.flags = s->flags,
	};
	uint8_t bytes[VFU_HEADER_SIZE + 2 * (size_t)TRANSFER_SMALL + 64];

	vfu_header_encode(&h, bytes);
	if (s->len)
		memcpy(bytes + VFU_HEADER_SIZE, s->payload, s->len);
	subject_raw_say(x, bytes, VFU_HEADER_SIZE + s->len);
}

void rules_vfu_ask(struct subject_raw *x, const struct saying *s, struct subject_message *m)
{
	rules_vfu_say(x, s);
	subject_raw_hear(x, m);
}

bool rules_vfu_is_error(const struct subject_message *m)
{
	return m->heard == SUBJECT_HEARD_MESSAGE && m->h.flags & VFU_ERROR;
}

/* Whether it was refused: by a reply, or by the end of the connection. Else that is said. */
bool rules_vfu_refused(struct check *c, const char *what, const struct subject_message *m)
{
	if (m->heard == SUBJECT_HEARD_CLOSED || rules_vfu_is_error(m))
		return true;
	check_violated(c, "%s: %s", what,
		       m->heard == SUBJECT_HEARD_MESSAGE   ? "it succeeds"
		       : m->heard == SUBJECT_HEARD_NOTHING ? "no answer"
							   : "the answer is no message");
	return false;
}

/* Whether it has worked. Else that is said. */
bool rules_vfu_worked(struct check *c, const char *what, const struct subject_message *m)
{
	if (m->heard == SUBJECT_HEARD_MESSAGE && !rules_vfu_is_error(m))
		return true;
	check_violated(c, "%s: %s", what,
		       rules_vfu_is_error(m)		   ? "it is refused"
		       : m->heard == SUBJECT_HEARD_CLOSED  ? "the connection is closed"
		       : m->heard == SUBJECT_HEARD_NOTHING ? "no answer"
							   : "the answer is no message");
	return false;
}

bool rules_vfu_connect(struct check *c, struct subject_raw **ret)
{
	struct err why = { 0 };

	if (subject_raw_open(c->device, ret, &why) >= 0)
		return true;
	check_broken(c, "no connection: %s (%s)", why.text, err_name(why.code));
	return false;
}

struct vfu_version rules_vfu_version(uint16_t minor)
{
	return (struct vfu_version){
		.major = VFU_MAJOR,
		.minor = minor,
		.max_msg_fds = VFU_MSG_FDS_DEFAULT,
		.max_data_xfer_size = TRANSFER_SMALL,
		.pgsize = 4096,
	};
}

void rules_vfu_propose(struct subject_raw *x, const struct vfu_version *v,
		       struct subject_message *m)
{
	uint8_t payload[VFU_VERSION_MAX];
	const struct saying s = {
		.id = 1,
		.command = VFU_VERSION,
		.payload = payload,
		.len = vfu_version_encode(v, payload),
	};

	rules_vfu_ask(x, &s, m);
}

static bool rules_vfu_talk_agree(struct subject_raw *x)
{
	const struct vfu_version v = rules_vfu_version(VFU_MINOR);
	struct subject_message m;

	rules_vfu_propose(x, &v, &m);
	return m.heard == SUBJECT_HEARD_MESSAGE && !rules_vfu_is_error(&m);
}

/* Connect, and agree on a version: where most rules begin. Else that is said. */
bool rules_vfu_begin(struct check *c, struct subject_raw **ret)
{
	if (!rules_vfu_connect(c, ret))
		return false;
	if (rules_vfu_talk_agree(*ret))
		return true;
	check_broken(c, "no version is agreed on");
	return false;
}

struct saying rules_vfu_question(uint16_t id, uint8_t payload[sizeof(struct vfu_feature)])
{
	const struct vfu_feature get = {
		.argsz = sizeof(get) + sizeof(struct vfu_mig_state),
		.flags = UAPI_FEATURE_GET | UAPI_FEATURE_MIG_DEVICE_STATE,
	};

	memcpy(payload, &get, sizeof(get));
	return (struct saying){
		.id = id, .command = VFU_FEATURE, .payload = payload, .len = sizeof(get)
	};
}

/* Ask for the state, which a server answers whatever state that is. */
void rules_vfu_get_state(struct subject_raw *x, uint16_t id, struct subject_message *m)
{
	uint8_t payload[sizeof(struct vfu_feature)];
	const struct saying s = rules_vfu_question(id, payload);

	rules_vfu_ask(x, &s, m);
}

/* After what the server did not like: it must have a connection for the next client. */
void rules_vfu_serves_on(struct check *c, struct subject_raw **x)
{
	struct subject_message m;
	struct err why = { 0 };

	*x = subject_raw_close(*x);
	if (subject_raw_open(c->device, x, &why) < 0) {
		check_violated(c, "the server is gone by it: %s (%s)", why.text,
			       err_name(why.code));
		return;
	}
	if (!rules_vfu_talk_agree(*x)) {
		check_violated(c, "the next client finds no agreement on a version");
		return;
	}
	rules_vfu_get_state(*x, 9, &m);
	rules_vfu_worked(c, "the state, asked for on the next connection", &m);
}
