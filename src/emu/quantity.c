// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/units.h"
#include "fsm/fsm.h"
#include "emu/quantity.h"

#define DAY_NS (86400 * NSEC_PER_SEC)

int emu_parse_device(const char *text, uint32_t *ret, const char **ret_own, struct err *err)
{
	const char *at = strchr(text, '@');
	char number[32];
	uint64_t n;

	*ret = EMU_EVERY_DEVICE;
	*ret_own = at ? at + 1 : text;
	if (!at)
		return 0;
	snprintf(number, sizeof(number), "%.*s", (int)(at - text), text);
	if (parse_uint(number, 10, EMU_EVERY_DEVICE - 1, &n) < 0)
		return err_set(err, -EINVAL, "'%s' is no device's number", number);
	*ret = (uint32_t)n;
	return 0;
}

int emu_check_device(uint32_t device, uint32_t n_devices, struct err *err)
{
	if (device == EMU_EVERY_DEVICE || device < n_devices)
		return 0;
	return err_set(err, -EINVAL, "no device has number %u: the last one's is %u", device,
		       n_devices - 1);
}

int emu_parse_size(const char *text, uint64_t max, uint64_t *ret, struct err *err)
{
	int r = parse_bytes(text, max, ret);

	if (r == -EINVAL)
		return err_set(err, r, "'%s' is not a size such as 4096, 64K, 10MB or 1GiB", text);
	return r < 0 ? err_set(err, r, "'%s' is too large", text) : 0;
}

int emu_parse_duration(const char *text, uint64_t *ret_ns, struct err *err)
{
	int r = parse_duration(text, DAY_NS, ret_ns);

	if (r == -EINVAL)
		return err_set(err, r, "'%s' is not a duration such as 0.5, 10s, 500ms or 2m",
			       text);
	return r < 0 ? err_set(err, r, "'%s' is longer than a day", text) : 0;
}

int emu_parse_errno(const char *text, int *ret, struct err *err)
{
	const char *name;

	for (int i = 1; i < 134; i++) {
		name = strerrorname_np(i);
		if (name && !strcmp(name, text)) {
			*ret = -i;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "'%s' is not an error number such as EIO", text);
}

int emu_parse_arc(const char *text, enum mig_state *from, enum mig_state *to, struct err *err)
{
	const char *colon = strchr(text, ':');
	char first[32];

	if (!colon)
		return err_set(err, -EINVAL, "'%s' is not FROM:TO", text);
	snprintf(first, sizeof(first), "%.*s", (int)(colon - text), text);
	if (!fsm_parse(first, from))
		return err_set(err, -EINVAL, "'%s' is not a state", first);
	if (!fsm_parse(colon + 1, to))
		return err_set(err, -EINVAL, "'%s' is not a state", colon + 1);
	return 0;
}

int emu_parse_caps(const char *text, unsigned int *ret, struct err *err)
{
	unsigned int caps = MIG_CAP_STOP_COPY, bit;
	const char *name;
	size_t len;

	for (const char *at = text;; at += len + 1) {
		len = strcspn(at, ",");
		for (bit = 0; (name = fsm_cap_name(bit)); bit++)
			if (len == strlen(name) && !strncmp(at, name, len))
				break;
		if (!name)
			return err_set(err, -EINVAL,
				       "'%s' is not a list of stop-copy, p2p, pre-copy", text);
		caps |= 1u << bit;
		if (!at[len])
			break;
	}
	*ret = caps;
	return 0;
}

int emu_last_arc(enum mig_state *from, enum mig_state to, unsigned int caps, struct err *err)
{
	enum mig_state at = *from, next;

	for (next = MIG_ERROR; at != to; at = next) {
		next = fsm_next(at, to, caps);
		if (next == to || next == MIG_ERROR)
			break;
	}
	if (next == MIG_ERROR)
		return err_set(err, -EINVAL, "no device with these capabilities goes from %s to %s",
			       fsm_name(*from), fsm_name(to));
	*from = at;
	return 0;
}
