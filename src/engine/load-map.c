// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "engine/load-map.h"

/* "0 (0000:3b:00.1), 1 (...)", as far as there is room. */
static void load_map_list(const struct image_manifest *m, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < m->n_devices && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%u (%s)", i ? ", " : "", i,
				      m->devices[i].address);
}

static int load_map_refuse(const struct image_manifest *m, struct err *err)
{
	char list[200];

	load_map_list(m, list, sizeof(list));
	return err_hint(err, err->code, "it holds %s", list);
}

/* By index, else by address, which two devices of an image may share. */
static int load_map_saved(const struct image_manifest *m, const char *text, size_t len,
			  uint32_t *ret, struct err *err)
{
	char word[IMAGE_TEXT_MAX + 1];
	unsigned int found = 0;
	uint64_t index;

	snprintf(word, sizeof(word), "%.*s", (int)len, text);
	if (parse_uint(word, 10, UINT32_MAX, &index) >= 0 && index < m->n_devices) {
		*ret = (uint32_t)index;
		return 0;
	}
	for (uint32_t i = 0; i < m->n_devices; i++)
		if (!strcmp(m->devices[i].address, word)) {
			*ret = i;
			found++;
		}
	if (found == 1)
		return 0;
	err_fail(err, ERR_IMAGE, -EINVAL, "%s: %s in the image", word,
		 found ? "stands for several devices" : "no such device");
	return load_map_refuse(m, err);
}

static int load_map_here(const struct load_map_options *o, const char *spec, uint32_t *ret,
			 struct err *err)
{
	for (uint32_t i = 0; i < o->n; i++)
		if (!strcmp(o->specs[i], spec)) {
			*ret = i;
			return 0;
		}
	return err_fail(err, ERR_USAGE, -EINVAL, "--map: %s is none of the devices named", spec);
}

/* Marks what is wanted: @ret is 0 for that, LOAD_MAP_NONE for the rest. */
static int load_map_want(const struct load_map_options *o, const struct image_manifest *m,
			 uint32_t *ret, struct err *err)
{
	for (uint32_t i = 0; i < m->n_devices; i++)
		ret[i] = o->n_only ? LOAD_MAP_NONE : o->n;
	for (unsigned int i = 0; i < o->n_only; i++) {
		uint32_t saved = 0;
		int r = load_map_saved(m, o->only[i], strlen(o->only[i]), &saved, err);

		if (r < 0)
			return r;
		ret[saved] = o->n;
	}
	return 0;
}

static bool load_map_taken(const struct image_manifest *m, const uint32_t *map, uint32_t here)
{
	for (uint32_t i = 0; i < m->n_devices; i++)
		if (map[i] == here)
			return true;
	return false;
}

static int load_map_pair(const struct load_map_options *o, const struct image_manifest *m,
			 const char *pair, uint32_t *ret, struct err *err)
{
	const char *equals = strchr(pair, '=');
	uint32_t saved = 0, here = 0;
	int r;

	if (!equals)
		return err_fail(err, ERR_USAGE, -EINVAL, "--map: '%s' is not SAVED=DEV", pair);
	r = load_map_saved(m, pair, (size_t)(equals - pair), &saved, err);
	if (r < 0)
		return r;
	r = load_map_here(o, equals + 1, &here, err);
	if (r < 0)
		return r;
	if (ret[saved] != o->n || load_map_taken(m, ret, here))
		return err_fail(err, ERR_USAGE, -EINVAL, "--map: '%s' is at odds with the rest",
				pair);
	ret[saved] = here;
	return 0;
}

/* The rest, in the order of both. */
static void load_map_rest(const struct load_map_options *o, const struct image_manifest *m,
			  uint32_t *ret)
{
	uint32_t here = 0;

	for (uint32_t i = 0; i < m->n_devices; i++) {
		if (ret[i] != o->n)
			continue;
		while (load_map_taken(m, ret, here))
			here++;
		ret[i] = here;
	}
}

static uint32_t load_map_count(const struct image_manifest *m, const uint32_t *map)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n_devices; i++)
		n += map[i] != LOAD_MAP_NONE;
	return n;
}

int load_map(const struct load_map_options *o, const struct image_manifest *m, uint32_t *ret,
	     struct err *err)
{
	uint32_t wanted;
	int r;

	r = load_map_want(o, m, ret, err);
	if (r < 0)
		return r;
	wanted = load_map_count(m, ret);
	if (wanted != o->n) {
		err_fail(err, ERR_IMAGE, -EINVAL, "holds %u device%s%s, not %u", wanted,
			 wanted == 1 ? "" : "s", o->n_only ? " of those wanted" : "", o->n);
		return load_map_refuse(m, err);
	}
	for (unsigned int i = 0; i < o->n_pairs; i++) {
		r = load_map_pair(o, m, o->pairs[i], ret, err);
		if (r < 0)
			return r;
	}
	load_map_rest(o, m, ret);
	return 0;
}
