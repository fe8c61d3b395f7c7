// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "vfu/version.h"

/* {"capabilities": {"twin_socket": {"supported": ...}}} is three deep. */
#define JSON_DEPTH_MAX 8

DEFINE_CLEANUP(struct json_object *, json_object_put)
DEFINE_CLEANUP(struct json_tokener *, json_tokener_free)

size_t vfu_version_encode(const struct vfu_version *v, uint8_t buf[VFU_VERSION_MAX])
{
	struct vfu_version_head head = { .major = v->major, .minor = v->minor };
	char migration[64] = "";
	int n;

	memcpy(buf, &head, sizeof(head));
	if (v->pgsize)
		snprintf(migration, sizeof(migration), ",\"migration\":{\"pgsize\":%" PRIu64 "}",
			 v->pgsize);
	n = snprintf((char *)buf + sizeof(head), VFU_JSON_MAX,
		     "{\"capabilities\":{\"max_msg_fds\":%" PRIu32
		     ",\"max_data_xfer_size\":%" PRIu32 "%s}}",
		     v->max_msg_fds, v->max_data_xfer_size, migration);
	return sizeof(head) + (size_t)n + 1;
}

/* Outcomes of the functions below. A JSON null is of a wrong type. */
enum {
	ABSENT = 0,
	PRESENT = 1
};

static int version_get(struct json_object *o, const char *key, enum json_type type,
		       struct json_object **ret, struct err *err)
{
	if (!json_object_object_get_ex(o, key, ret))
		return ABSENT;
	if (!json_object_is_type(*ret, type))
		return err_set(err, -EPROTO, "\"%s\" is not of type %s", key,
			       json_type_to_name(type));
	return PRESENT;
}

static int version_get_number(struct json_object *o, const char *key, uint64_t min, uint64_t max,
			      uint64_t *ret, struct err *err)
{
	struct json_object *value;
	int64_t n;
	int r;

	r = version_get(o, key, json_type_int, &value, err);
	if (r != PRESENT)
		return r;
	n = json_object_get_int64(value); /* of larger ones, the largest */
	if (n < 0 || (uint64_t)n < min || (uint64_t)n > max)
		return err_set(err, -EPROTO, "\"%s\" is %s, not %" PRIu64 " to %" PRIu64, key,
			       json_object_get_string(value), min, max);
	*ret = (uint64_t)n;
	return PRESENT;
}

static int version_get_migration(struct json_object *caps, struct vfu_version *v, struct err *err)
{
	struct json_object *o;
	int r;

	r = version_get(caps, "migration", json_type_object, &o, err);
	if (r != PRESENT)
		return r;
	r = version_get_number(o, "pgsize", 1, INT64_MAX, &v->pgsize, err);
	if (r == PRESENT && (v->pgsize & (v->pgsize - 1)))
		return err_set(err, -EPROTO, "\"pgsize\" is %" PRIu64 ", no power of two",
			       v->pgsize);
	return r;
}

static int version_get_twin_socket(struct json_object *caps, struct vfu_version *v, struct err *err)
{
	struct json_object *o, *supported;
	int r;

	r = version_get(caps, "twin_socket", json_type_object, &o, err);
	if (r == PRESENT)
		r = version_get(o, "supported", json_type_boolean, &supported, err);
	if (r == PRESENT)
		v->twin_socket = json_object_get_boolean(supported);
	return r;
}

static int version_get_capabilities(struct json_object *root, struct vfu_version *v,
				    struct err *err)
{
	struct json_object *caps;
	uint64_t n;
	int r;

	r = version_get(root, "capabilities", json_type_object, &caps, err);
	if (r != PRESENT)
		return r;
	r = version_get_number(caps, "max_msg_fds", 0, VFU_MSG_FDS_LIMIT, &n, err);
	if (r < 0)
		return r;
	if (r == PRESENT)
		v->max_msg_fds = (uint32_t)n;
	r = version_get_number(caps, "max_data_xfer_size", 1, INT64_MAX, &n, err);
	if (r < 0)
		return r;
	if (r == PRESENT)
		v->max_data_xfer_size = (uint32_t)MIN(n, VFU_XFER_MAX);
	r = version_get_migration(caps, v, err);
	if (r < 0)
		return r;
	return version_get_twin_socket(caps, v, err);
}

static int version_parse(const char *text, size_t len, struct json_object **ret, struct err *err)
{
	_cleanup_(json_tokener_freep) struct json_tokener *tokener = NULL;
	_cleanup_(json_object_putp) struct json_object *root = NULL;
	enum json_tokener_error fault;

	tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	if (!tokener)
		return err_set(err, -ENOMEM, "capabilities");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	root = json_tokener_parse_ex(tokener, text, (int)len);
	fault = json_tokener_get_error(tokener);
	if (fault == json_tokener_continue)
		return err_set(err, -EPROTO, "not JSON: it ends too early");
	if (fault != json_tokener_success)
		return err_set(err, -EPROTO, "not JSON: %s", json_tokener_error_desc(fault));
	if (json_tokener_get_parse_end(tokener) != len)
		return err_set(err, -EPROTO, "bytes after the JSON");
	if (!json_object_is_type(root, json_type_object))
		return err_set(err, -EPROTO, "not a JSON object");
	*ret = TAKE_PTR(root);
	return 0;
}

static int version_decode_json(const char *text, size_t len, struct vfu_version *v, struct err *err)
{
	_cleanup_(json_object_putp) struct json_object *root = NULL;
	int r;

	if (len > VFU_JSON_MAX)
		return err_set(err, -EPROTO, "%zu bytes, more than %u", len, VFU_JSON_MAX);
	if (text[len - 1])
		return err_set(err, -EPROTO, "no NUL at the end");
	while (len && !text[len - 1])
		len--;
	if (!len)
		return 0;
	if (memchr(text, '\0', len))
		return err_set(err, -EPROTO, "a NUL byte within");
	r = version_parse(text, len, &root, err);
	if (r < 0)
		return r;
	r = version_get_capabilities(root, v, err);
	return r < 0 ? r : 0;
}

int vfu_version_decode(const void *payload, size_t len, struct vfu_version *ret, struct err *err)
{
	struct vfu_version v = {
		.max_msg_fds = VFU_MSG_FDS_DEFAULT,
		.max_data_xfer_size = VFU_XFER_MAX,
	};
	struct vfu_version_head head;
	int r;

	r = vfu_copy_in(&head, sizeof(head), payload, len, err);
	if (r < 0)
		return r;
	v.major = head.major;
	v.minor = head.minor;
	if (len > sizeof(head)) {
		r = version_decode_json((const char *)payload + sizeof(head), len - sizeof(head),
					&v, err);
		if (r < 0)
			return err_prefix(err, r, "capabilities");
	}
	*ret = v;
	return 0;
}

int vfu_version_accept(const struct vfu_version *ours, const struct vfu_version *proposed,
		       struct vfu_version *ret, struct err *err)
{
	if (proposed->major != ours->major)
		return err_set(err, -EPROTONOSUPPORT, "version %u.%u, not %u.x", proposed->major,
			       proposed->minor, ours->major);
	*ret = *ours;
	ret->minor = MIN(ours->minor, proposed->minor);
	return 0;
}

int vfu_version_confirm(const struct vfu_version *proposed, const struct vfu_version *reply,
			struct err *err)
{
	if (reply->major != proposed->major || reply->minor > proposed->minor)
		return err_set(err, -EPROTONOSUPPORT, "version %u.%u, %u.%u was proposed",
			       reply->major, reply->minor, proposed->major, proposed->minor);
	if (reply->twin_socket)
		return err_set(err, -EPROTO, "a second socket, which was not proposed");
	return 0;
}
