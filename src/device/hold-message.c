// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/printable.h"
#include "device/hold-message.h"

/* An object, an array of objects in it, and no more. */
#define DEPTH_MAX 5

/* What there was no room for the kernel would close, here and now. */
#define FDS_ROOM HOLD_SURPLUS_MAX

#define ERRNO_MAX 4095

DEFINE_CLEANUP(struct json_tokener *, json_tokener_free)

static const char *const hold_message_fd_names[HOLD_NR_FDS] = {
	[HOLD_FD_DEVICE] = "device",
	[HOLD_FD_IOMMUFD] = "iommufd",
	[HOLD_FD_GROUP] = "group",
	[HOLD_FD_CONTAINER] = "container",
};

static const char *const hold_message_verbs[HOLD_NR_VERBS] = {
	[HOLD_LIST] = "list",
	[HOLD_GET] = "get",
	[HOLD_RELEASE] = "release",
	[HOLD_GIVE] = "give",
};

static const char *const hold_message_uses[] = {
	[HOLD_USE_READ] = "read",
	[HOLD_USE_CHANGE] = "change",
};

static const char *const hold_message_if_lost[] = {
	[HOLD_IF_LOST_STAY] = "stay",
	[HOLD_IF_LOST_RETURN] = "return",
};

const char *hold_fd_name(enum hold_fd kind)
{
	return hold_message_fd_names[kind];
}

const char *hold_verb_name(enum hold_verb verb)
{
	return hold_message_verbs[verb];
}

void hold_fds_done(struct hold_fds *fds)
{
	for (unsigned int i = 0; i < HOLD_NR_FDS; i++)
		if (fds->v[i] >= 0)
			close(fds->v[i]);
	*fds = HOLD_FDS_NONE;
}

void hold_packet_done(struct hold_packet *p)
{
	json_object_put(p->o);
	hold_fds_done(&p->fds);
	for (unsigned int i = 0; i < p->n_surplus; i++)
		close(p->surplus[i]);
	*p = HOLD_PACKET_NONE;
}

/* json-c returns NULL where memory is out: then nothing can be said any more. */
static struct json_object *hold_message_checked(struct json_object *o)
{
	if (!o)
		abort();
	return o;
}

static void hold_message_add(struct json_object *o, const char *key, struct json_object *value)
{
	if (json_object_object_add(o, key, value) < 0)
		abort();
}

static void hold_message_add_text(struct json_object *o, const char *key, const char *text)
{
	hold_message_add(o, key, text ? hold_message_checked(json_object_new_string(text)) : NULL);
}

static struct json_object *hold_message_new(const char *kind, const char *word)
{
	struct json_object *o = hold_message_checked(json_object_new_object());

	hold_message_add(o, "schema", hold_message_checked(json_object_new_int(HOLD_SCHEMA)));
	hold_message_add_text(o, kind, word);
	return o;
}

/* Return: how many there are, in @ret, and named in @o. */
static unsigned int hold_message_name_fds(struct json_object *o, const struct hold_fds *fds,
					  int ret[HOLD_NR_FDS])
{
	struct json_object *names = hold_message_checked(json_object_new_array());
	unsigned int n = 0;

	for (unsigned int i = 0; i < HOLD_NR_FDS; i++) {
		if (fds->v[i] < 0)
			continue;
		ret[n++] = fds->v[i];
		if (json_object_array_add(
			    names, json_object_new_string(hold_fd_name((enum hold_fd)i))) < 0)
			abort();
	}
	hold_message_add(o, "fds", names);
	return n;
}

static int hold_message_put(int sock, const char *text, size_t len, const int *fds, unsigned int n)
{
	union {
		char room[CMSG_SPACE(HOLD_NR_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)text, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	while (sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int hold_send(int sock, struct json_object *o, const struct hold_fds *fds)
{
	int v[HOLD_NR_FDS];
	unsigned int n = fds ? hold_message_name_fds(o, fds, v) : 0;
	size_t len;
	const char *text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &len);
	int r;

	if (!text)
		abort();
	r = len > HOLD_MESSAGE_MAX ? -EMSGSIZE : hold_message_put(sock, text, len, v, n);
	json_object_put(o);
	return r;
}

/* The kernel has put them into this process. Return: how many. */
static unsigned int hold_message_take_fds(struct msghdr *msg, int fds[FDS_ROOM])
{
	unsigned int n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		unsigned int here;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		here = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned int i = 0; i < here && n < FDS_ROOM; i++)
			memcpy(&fds[n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
	return n;
}

static int hold_message_parse(const char *text, size_t len, struct json_object **ret,
			      struct err *err)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener = NULL;
	struct json_object *o;

	tokener = json_tokener_new_ex(DEPTH_MAX);
	if (!tokener)
		return err_set(err, -ENOMEM, "a message");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(tokener, text, (int)len);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    json_tokener_get_parse_end(tokener) != len ||
	    !json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		return err_fail(err, ERR_PEER, -EBADMSG, "a message that is no JSON object");
	}
	*ret = o;
	return 0;
}

static int hold_message_fd_kind(struct json_object *name)
{
	const char *text =
		json_object_is_type(name, json_type_string) ? json_object_get_string(name) : "";

	for (int i = 0; i < HOLD_NR_FDS; i++)
		if (!strcmp(text, hold_message_fd_names[i]))
			return i;
	return -1;
}

/* Moves what came to where "fds" says, or none of it. */
static int hold_message_match_fds(struct json_object *o, struct hold_packet *ret, struct err *err)
{
	struct hold_fds fds = HOLD_FDS_NONE;
	unsigned int n = ret->n_surplus;
	struct json_object *names = NULL;
	size_t named = 0;

	json_object_object_get_ex(o, "fds", &names);
	if (json_object_is_type(names, json_type_array))
		named = json_object_array_length(names);
	if (named != n)
		return err_fail(err, ERR_PEER, -EBADMSG,
				"a message names %zu descriptors and brings %u", named, n);
	for (unsigned int i = 0; i < n; i++) {
		int kind = hold_message_fd_kind(json_object_array_get_idx(names, i));

		if (kind < 0 || fds.v[kind] >= 0)
			return err_fail(
				err, ERR_PEER, -EBADMSG,
				"a message: fds: %u is no descriptor's name, or there twice", i);
		fds.v[kind] = ret->surplus[i];
	}
	ret->fds = fds;
	ret->n_surplus = 0;
	return 0;
}

static int hold_message_read(const char *text, size_t len, struct hold_packet *ret, struct err *err)
{
	int r = hold_message_parse(text, len, &ret->o, err);

	if (r < 0)
		return r;
	r = hold_message_match_fds(ret->o, ret, err);
	if (r < 0)
		json_object_put(TAKE_PTR(ret->o));
	return r;
}

/*
 * Where the other end has closed, and has not read all, the kernel tells of that first, once, and
 * gives out what the other end has said only then: why a client is turned away, most of all.
 */
static ssize_t hold_message_receive(int sock, struct msghdr *msg)
{
	const size_t room = msg->msg_controllen;
	bool reset = false;
	ssize_t n;

	for (;;) {
		msg->msg_controllen = room;
		n = recvmsg(sock, msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n >= 0 || (errno != EINTR && (errno != ECONNRESET || reset)))
			return n;
		reset = reset || errno == ECONNRESET;
	}
}

int hold_receive(int sock, struct hold_packet *ret, struct err *err)
{
	union {
		char room[CMSG_SPACE(FDS_ROOM * sizeof(int))];
		struct cmsghdr align;
	} control;
	_cleanup_free_ char *text = malloc(HOLD_MESSAGE_MAX);
	struct iovec iov = { .iov_base = text, .iov_len = HOLD_MESSAGE_MAX };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t n;

	*ret = HOLD_PACKET_NONE;
	if (!text)
		return err_set(err, -ENOMEM, "a message");
	n = hold_message_receive(sock, &msg);
	if (n < 0)
		return err_set(err, -errno, "reading a message");
	ret->n_surplus = hold_message_take_fds(&msg, ret->surplus);
	if (!n && !ret->n_surplus)
		return err_fail(err, ERR_PEER, -ECONNRESET, "the other end is gone");
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return err_fail(err, ERR_PEER, -EMSGSIZE,
				"a message of more than %u bytes, or more descriptors than can be "
				"taken",
				HOLD_MESSAGE_MAX);
	return hold_message_read(text, (size_t)n, ret, err);
}

struct json_object *hold_request_write(const struct hold_request *req)
{
	struct json_object *o = hold_message_new("request", hold_verb_name(req->verb));

	if (req->verb != HOLD_LIST)
		hold_message_add_text(o, "name", *req->name ? req->name : NULL);
	if (req->verb == HOLD_GET) {
		hold_message_add_text(o, "use", hold_message_uses[req->use]);
		hold_message_add_text(o, "if_lost", hold_message_if_lost[req->if_lost]);
		hold_message_add_text(o, "by", req->by);
	}
	if (req->verb == HOLD_GIVE) {
		hold_message_add_text(o, "driver", *req->driver ? req->driver : NULL);
		hold_message_add(o, "shared",
				 hold_message_checked(json_object_new_boolean(req->shared)));
	}
	return o;
}

const char *hold_text(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_string))
		return NULL;
	return json_object_get_string(v);
}

static int hold_message_check_schema(struct json_object *o, struct err *err)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, "schema", &v);
	if (json_object_is_type(v, json_type_int) && json_object_get_int(v) == HOLD_SCHEMA)
		return 0;
	return err_fail(err, ERR_PEER, -EBADMSG, "a message whose schema is not %d", HOLD_SCHEMA);
}

/* One of @words, or @other where it is missing; @ret is its index. */
static int hold_message_choose(struct json_object *o, const char *key, const char *const *words,
			       size_t n, const char *other, unsigned int *ret, struct err *err)
{
	struct json_object *v = NULL;
	const char *text;

	json_object_object_get_ex(o, key, &v);
	text = v ? hold_text(o, key) : other;
	for (unsigned int i = 0; text && i < n; i++) {
		*ret = i;
		if (!strcmp(text, words[i]))
			return 0;
	}
	return err_fail(err, ERR_PEER, -EBADMSG, "a message: %s: not a word that is known", key);
}

/* A string that may be missing or null. What cannot be shown on a terminal is replaced. */
static int hold_message_copy(struct json_object *o, const char *key, char *buf, size_t size,
			     struct err *err)
{
	struct json_object *v = NULL;
	const char *text = hold_text(o, key);

	json_object_object_get_ex(o, key, &v);
	if (v && (!text || strlen(text) != (size_t)json_object_get_string_len(v) ||
		  strlen(text) >= size))
		return err_fail(err, ERR_PEER, -EBADMSG,
				"a message: %s: not a string of less than %zu bytes", key, size);
	snprintf(buf, size, "%s", text ? text : "");
	make_printable(buf);
	return 0;
}

static int hold_message_read_get(struct json_object *o, struct hold_request *ret, struct err *err)
{
	unsigned int use = 0, if_lost = 0;
	int r;

	r = hold_message_choose(o, "use", hold_message_uses, ARRAY_SIZE(hold_message_uses), "read",
				&use, err);
	if (r < 0)
		return r;
	r = hold_message_choose(o, "if_lost", hold_message_if_lost,
				ARRAY_SIZE(hold_message_if_lost), "stay", &if_lost, err);
	if (r < 0)
		return r;
	ret->use = (enum hold_use)use;
	ret->if_lost = (enum hold_if_lost)if_lost;
	return hold_message_copy(o, "by", ret->by, sizeof(ret->by), err);
}

static int hold_message_read_give(struct json_object *o, struct hold_request *ret, struct err *err)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, "shared", &v);
	if (v && !json_object_is_type(v, json_type_boolean))
		return err_fail(err, ERR_PEER, -EBADMSG, "a message: shared: not true or false");
	ret->shared = json_object_get_boolean(v);
	return hold_message_copy(o, "driver", ret->driver, sizeof(ret->driver), err);
}

int hold_request_read(struct json_object *o, struct hold_request *ret, struct err *err)
{
	unsigned int verb = 0;
	int r;

	*ret = (struct hold_request){ 0 };
	r = hold_message_check_schema(o, err);
	if (r < 0)
		return r;
	r = hold_message_choose(o, "request", hold_message_verbs, HOLD_NR_VERBS, NULL, &verb, err);
	if (r < 0)
		return r;
	ret->verb = (enum hold_verb)verb;
	r = hold_message_copy(o, "name", ret->name, sizeof(ret->name), err);
	if (r < 0)
		return r;
	if (ret->verb == HOLD_GET)
		return hold_message_read_get(o, ret, err);
	return ret->verb == HOLD_GIVE ? hold_message_read_give(o, ret, err) : 0;
}

struct json_object *hold_state_write(const struct hold_state *s)
{
	struct json_object *o = hold_message_checked(json_object_new_object());

	hold_message_add_text(o, "name", s->name);
	hold_message_add_text(o, "driver", s->driver);
	hold_message_add_text(o, "state", s->state);
	hold_message_add_text(o, "use", s->use);
	hold_message_add_text(o, "by", s->by);
	hold_message_add(o, "pid",
			 s->pid ? hold_message_checked(json_object_new_int(s->pid)) : NULL);
	hold_message_add_text(o, "note", s->note);
	hold_message_add(o, "restored",
			 s->restored == HOLD_RESTORED_NOT_KNOWN
				 ? NULL
				 : hold_message_checked(json_object_new_boolean(
					   s->restored == HOLD_RESTORED_YES)));
	return o;
}

struct json_object *hold_reply_new(const char *word)
{
	return hold_message_new("reply", word);
}

struct json_object *hold_reply_error(const struct err *err)
{
	struct json_object *o = hold_reply_new("error");

	hold_message_add_text(o, "errno", err_name(err->code));
	hold_message_add_text(o, "message", err->text);
	hold_message_add_text(o, "note", *err->note ? err->note : NULL);
	hold_message_add_text(o, "hint", *err->hint ? err->hint : NULL);
	return o;
}

struct json_object *hold_event_new(const char *event, const char *name)
{
	struct json_object *o = hold_message_new("event", event);

	hold_message_add_text(o, "name", name);
	return o;
}

bool hold_is_event(struct json_object *o)
{
	return hold_text(o, "event");
}

/* Return: the negative errno of that name; -EPROTO for a name that is none here. */
static int hold_message_errno(const char *name)
{
	for (int code = 1; name && code <= ERRNO_MAX; code++) {
		const char *known = strerrorname_np(code);

		if (known && !strcmp(known, name))
			return -code;
	}
	return -EPROTO;
}

/* What failed for the holder fails its client: the kinds follow from the errno as ever. */
static int hold_message_refusal(struct json_object *o, struct err *err)
{
	char text[HOLD_TEXT_MAX], note[HOLD_TEXT_MAX], hint[HOLD_TEXT_MAX];
	int code = hold_message_errno(hold_text(o, "errno")), r;

	r = hold_message_copy(o, "message", text, sizeof(text), err);
	if (r < 0)
		return r;
	r = hold_message_copy(o, "note", note, sizeof(note), err);
	if (r < 0)
		return r;
	r = hold_message_copy(o, "hint", hint, sizeof(hint), err);
	if (r < 0)
		return r;
	err_record(err, code == -EBADMSG || code == -EPROTO ? ERR_PEER : ERR_UNSPEC, code, true,
		   "%s", text);
	if (*note)
		err_note(err, code, "%s", note);
	return *hint ? err_hint(err, code, "%s", hint) : code;
}

int hold_reply_read(struct json_object *o, enum hold_verb verb, struct err *err)
{
	const char *word = hold_text(o, "reply");
	int r = hold_message_check_schema(o, err);

	if (r < 0)
		return r;
	if (word && !strcmp(word, hold_verb_name(verb)))
		return 0;
	if (word && !strcmp(word, "error"))
		return hold_message_refusal(o, err);
	return err_fail(err, ERR_PEER, -EBADMSG, "no answer to '%s'", hold_verb_name(verb));
}
