// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/units.h"
#include "emu/profile.h"
#include "emu/quantity.h"
#include "emu/settings.h"

#define STATE_SIZE_DEFAULT (UINT64_C(1) << 20)

/* The device that is asked for. */
struct emu_wanted {
	uint32_t number, n_devices;
	struct emu_config *c;
};

/* What a value says, and of which device. */
static int emu_settings_split(const char *value, const struct emu_wanted *s, uint32_t *ret_device,
			      const char **ret_text, struct err *err)
{
	int r = emu_parse_device(value, ret_device, ret_text, err);

	return r < 0 ? r : emu_check_device(*ret_device, s->n_devices, err);
}

/* The value of an option, or NULL. */
static int emu_settings_pick(const struct opt_list *list, const struct emu_wanted *s,
			     const char **ret, struct err *err)
{
	const char *own = NULL, *common = NULL, *text;
	uint32_t n;
	int r;

	for (size_t i = 0; i < list->n; i++) {
		r = emu_settings_split(list->v[i], s, &n, &text, err);
		if (r < 0)
			return r;
		if (n == s->number)
			own = text;
		if (n == EMU_EVERY_DEVICE)
			common = text;
	}
	*ret = own ? own : common;
	return 0;
}

/* FROM:TO=TIME, of a device whose capabilities are known: they say which arc it means. */
static int emu_settings_delay(struct emu_config *c, const char *arg, struct err *err)
{
	const char *equals = strchr(arg, '=');
	enum mig_state from, to;
	char arc[64];
	uint64_t ns;
	int r;

	if (!equals || equals - arg >= (ptrdiff_t)sizeof(arc))
		return err_set(err, -EINVAL, "'%s' is not FROM:TO=TIME", arg);
	memcpy(arc, arg, (size_t)(equals - arg));
	arc[equals - arg] = '\0';
	r = emu_parse_arc(arc, &from, &to, err);
	if (r < 0)
		return r;
	r = emu_parse_duration(equals + 1, &ns, err);
	if (r < 0)
		return r;
	r = emu_last_arc(&from, to, c->caps, err);
	if (r < 0)
		return r;
	c->delay_ns[from][to] = ns;
	return 0;
}

/* @of: those of this device number, which may be EMU_EVERY_DEVICE */
static int emu_settings_delays_of(const struct opt_list *list, const struct emu_wanted *s,
				  uint32_t of, struct err *err)
{
	const char *text;
	uint32_t n;
	int r;

	for (size_t i = 0; i < list->n; i++) {
		r = emu_settings_split(list->v[i], s, &n, &text, err);
		if (r < 0)
			return r;
		if (n != of)
			continue;
		r = emu_settings_delay(s->c, text, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int emu_settings_delays(const struct opt_list *list, const struct emu_wanted *s,
			       struct err *err)
{
	int r = emu_settings_delays_of(list, s, EMU_EVERY_DEVICE, err);

	return r < 0 ? r : emu_settings_delays_of(list, s, s->number, err);
}

static int emu_settings_faults(const struct opt_list *list, const struct emu_wanted *s,
			       struct err *err)
{
	struct emu_faults all = { .n = 0 };
	int r;

	for (size_t i = 0; i < list->n; i++) {
		r = emu_faults_parse(&all, list->v[i], err);
		if (r < 0)
			return r;
	}
	r = emu_faults_check(&all, s->n_devices, err);
	if (r < 0)
		return r;
	emu_faults_of(&all, s->number, &s->c->faults);
	return emu_faults_resolve(&s->c->faults, s->c->caps, err);
}

static int emu_settings_deviations(const struct opt_list *list, const struct emu_wanted *s,
				   struct err *err)
{
	const char *text;
	uint32_t n;
	int r;

	for (size_t i = 0; i < list->n; i++) {
		r = emu_settings_split(list->v[i], s, &n, &text, err);
		if (r < 0)
			return r;
		if (n != EMU_EVERY_DEVICE && n != s->number)
			continue;
		r = emu_deviation_add(&s->c->deviations, text, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What the options below begin with. */
static int emu_settings_profile(const struct opt_list *list, const struct emu_wanted *s,
				struct err *err)
{
	const struct emu_profile *p;
	const char *name;
	int r;

	*s->c = (struct emu_config){
		.ids = { 0x1234, 0x5646, 0xff0000, 0x01 },
		.caps = MIG_CAP_STOP_COPY | MIG_CAP_P2P | MIG_CAP_PRE_COPY,
		.state_size = STATE_SIZE_DEFAULT,
		.initial_bytes = EMU_STATE_SIZE_MAX,
		.seed = 1,
	};
	r = emu_settings_pick(list, s, &name, err);
	if (r < 0 || !name)
		return r;
	p = emu_profile_find(name);
	if (!p)
		return err_set(err, -EINVAL, "'%s' is none of --list-profiles", name);
	s->c->ids = p->ids;
	s->c->caps = p->caps;
	s->c->state_size = p->state_size;
	s->c->initial_bytes = p->initial_bytes;
	return 0;
}

static int emu_settings_caps(const struct opt_list *list, const struct emu_wanted *s,
			     struct err *err)
{
	const char *text;
	int r = emu_settings_pick(list, s, &text, err);

	return r < 0 || !text ? r : emu_parse_caps(text, &s->c->caps, err);
}

static int emu_settings_size(const struct opt_list *list, const struct emu_wanted *s,
			     uint64_t *value, struct err *err)
{
	const char *text;
	int r = emu_settings_pick(list, s, &text, err);

	return r < 0 || !text ? r : emu_parse_size(text, EMU_STATE_SIZE_MAX, value, err);
}

static int emu_settings_interval(const struct opt_list *list, const struct emu_wanted *s,
				 struct err *err)
{
	const char *text;
	int r = emu_settings_pick(list, s, &text, err);

	return r < 0 || !text ? r : emu_parse_duration(text, &s->c->dirty_interval_ns, err);
}

static int emu_settings_seed(const struct opt_list *list, const struct emu_wanted *s,
			     struct err *err)
{
	const char *text;
	int r = emu_settings_pick(list, s, &text, err);

	if (r < 0 || !text)
		return r;
	if (parse_uint(text, 10, UINT64_MAX, &s->c->seed) < 0)
		return err_set(err, -EINVAL, "'%s' is not a number", text);
	return 0;
}

static int emu_settings_sizes(const struct emu_settings *all, const struct emu_wanted *s,
			      struct err *err)
{
	const struct {
		const char *name;
		const struct opt_list *list;
		uint64_t *value;
	} rows[] = {
		{ "state-size", &all->state_size, &s->c->state_size },
		{ "initial-bytes", &all->initial_bytes, &s->c->initial_bytes },
		{ "dirty-rate", &all->dirty_rate, &s->c->dirty_rate },
		{ "data-rate", &all->data_rate, &s->c->data_rate },
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		r = emu_settings_size(rows[i].list, s, rows[i].value, err);
		if (r < 0)
			return err_prefix(err, r, "--%s", rows[i].name);
	}
	s->c->initial_bytes = MIN(s->c->initial_bytes, s->c->state_size);
	return 0;
}

/* In this order: capabilities say which arc a delay or a fault means. */
int emu_settings_config(const struct emu_settings *all, uint32_t device, uint32_t n_devices,
			struct emu_config *ret, struct err *err)
{
	const struct emu_wanted s = { .number = device, .n_devices = n_devices, .c = ret };
	const struct {
		const char *name;
		const struct opt_list *list;
		int (*read)(const struct opt_list *list, const struct emu_wanted *s,
			    struct err *err);
	} rows[] = {
		{ "profile", &all->profile, emu_settings_profile },
		{ "caps", &all->caps, emu_settings_caps },
		{ "dirty-interval", &all->dirty_interval, emu_settings_interval },
		{ "seed", &all->seed, emu_settings_seed },
		{ "delay", &all->delays, emu_settings_delays },
		{ "fault", &all->faults, emu_settings_faults },
		{ "deviate", &all->deviations, emu_settings_deviations },
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		r = rows[i].read(rows[i].list, &s, err);
		if (r < 0)
			return err_prefix(err, r, "--%s", rows[i].name);
	}
	ret->strict = all->strict;
	ret->reset_on_disconnect = all->reset_on_disconnect;
	return emu_settings_sizes(all, &s, err);
}
