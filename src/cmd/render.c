// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/macros.h"
#include "cmd/render.h"
#include "fsm/fsm.h"
#include "host/pci-config.h"

void render_ids(struct json_object *o, const struct pci_ids *ids)
{
	char name[256];

	report_hex(o, "vendor", 4, ids->vendor);
	report_hex(o, "device", 4, ids->device);
	report_hex(o, "subsystem_vendor", 4, ids->subsystem_vendor);
	report_hex(o, "subsystem_device", 4, ids->subsystem_device);
	report_hex(o, "class", 6, ids->class_code);
	report_hex(o, "revision", 2, ids->revision);
	pci_ids_name(ids, name, sizeof(name));
	report_string(o, "name", *name ? name : NULL);
}

void render_node_facts(struct json_object *o, const struct device *dev)
{
	const struct device_owner *owner = device_owner(dev);
	const struct vfio_node *node = dev->node;

	report_name(o, "address", device_name(dev));
	report_string(o, "bus", node ? node->bus : NULL);
	report_string(o, "driver", device_driver(dev));
	report_string(o, "driver_version", node ? node->driver_version : NULL);
	if (node && node->group >= 0)
		report_int(o, "iommu_group", node->group);
	else
		report_null(o, "iommu_group");
	report_string(o, "cdev", node ? node->cdev : NULL);
	if (dev->mig)
		report_string(o, "via", acquire_via_name(dev->via));
	if (owner) {
		struct json_object *item = report_object(o, "owner");

		report_int(item, "pid", owner->pid);
		report_string(item, "comm", owner->comm);
	}
	if (dev->has_ids)
		render_ids(report_object(o, "ids"), &dev->ids);
}

void render_device(struct json_object *report, const struct device *dev)
{
	render_node_facts(report_object(report, "device"), dev);
}

void render_devices(struct json_object *report, struct device *const *devs, unsigned int n)
{
	struct json_object *list;

	if (n == 1) {
		render_device(report, devs[0]);
		return;
	}
	list = report_array(report, "devices");
	for (unsigned int i = 0; i < n; i++)
		render_device(report_append(list), devs[i]);
}

struct json_object *render_object(struct json_object *report, unsigned int n, unsigned int i)
{
	return n == 1 ? report
		      : json_object_array_get_idx(json_object_object_get(report, "devices"), i);
}

void render_decision(struct json_object *report, const struct switchover_decision *d)
{
	struct json_object *o = report_object(report, "precopy");

	report_string(o, "verdict", switchover_verdict_name(d->verdict));
	report_uint(o, "rounds", d->number);
	report_uint(o, "initial_bytes", d->round.initial);
	report_uint(o, "dirty_bytes", d->round.dirty);
	report_uint(o, "stop_copy_bytes", d->round.stop_copy);
	report_uint(o, "bytes_per_second", d->rate);
	report_uint(o, "dirty_bytes_per_second", d->dirty_rate);
	if (d->estimated)
		report_uint(report, "downtime_estimate_ns", d->estimate_ns);
}

void render_words(struct json_object *o, const char *key, const char *const *words, size_t n,
		  uint64_t bits)
{
	struct json_object *list = report_array(o, key);

	for (size_t i = 0; i < n; i++)
		if (bits & UINT64_C(1) << i)
			report_append_string(list, words[i]);
}

void render_caps(struct json_object *o, uint64_t caps)
{
	struct json_object *list = report_array(o, "migration_flags");

	for (unsigned int i = 0; fsm_cap_name(i); i++)
		if (caps & UINT64_C(1) << i)
			report_append_string(list, fsm_cap_name(i));
}

void render_interrupts(struct json_object *o, unsigned int bits)
{
	struct json_object *list = report_array(o, "interrupts");

	for (unsigned int i = 0; pci_interrupt_name(i); i++)
		if (bits & 1u << i)
			report_append_string(list, pci_interrupt_name(i));
}

void render_intx(struct json_object *o, const uint8_t *config, size_t size)
{
	static const char *const words[] = {
		[PCI_INTX_NONE] = "none",
		[PCI_INTX_DISABLED] = "disabled",
		[PCI_INTX_POSSIBLE] = "possible",
	};

	report_string(o, "intx", words[pci_config_intx(config, size)]);
}

void render_state(struct json_object *o, const char *key, enum mig_state state, bool known)
{
	report_string(o, key, known ? fsm_name(state) : NULL);
}

void render_state_found(struct json_object *report, enum mig_state state, bool known)
{
	render_state(report, "state_found", state, known);
}

void render_state_now(struct json_object *o, enum mig_state state, bool known)
{
	render_state(o, "state", state, known);
}

void render_device_state(struct json_object *o, const struct mig_dev *mig)
{
	static const char *const bits[UAPI_V1_MASK + 1] = {
		"000",		 "001 _RUNNING", "010 _SAVING",		  "011 _SAVING _RUNNING",
		"100 _RESUMING", "101",		 "110 _RESUMING _SAVING", "111",
	};

	render_state_now(o, mig->state, mig->state_known);
	if (!strcmp(mig->ops->name, "v1") && mig->state_known)
		report_string(o, "v1_bits", bits[fsm_v1_bits(mig->state)]);
}

void render_labels(struct json_object *image, const struct image_labels *labels)
{
	struct json_object *o;

	if (!labels->n)
		return;
	o = report_object(image, "labels");
	for (size_t i = 0; i < labels->n; i++)
		report_string(o, labels->v[i].key, labels->v[i].value);
}

void view_labels(FILE *f, struct json_object *report)
{
	static const struct report_row columns[] = {
		{ "key", "LABEL", REPORT_TEXT },
		{ "value", "VALUE", REPORT_TEXT },
	};
	struct json_object *image, *labels, *table, *list, *o;

	if (!json_object_object_get_ex(report, "image", &image) ||
	    !json_object_object_get_ex(image, "labels", &labels))
		return;
	table = report_new(NULL);
	list = report_array(table, "labels");
	json_object_object_foreach(labels, key, value)
	{
		o = report_append(list);
		report_string(o, "key", key);
		report_string(o, "value", json_object_get_string(value));
	}
	fputc('\n', f);
	report_table(f, list, columns, ARRAY_SIZE(columns));
	report_done(table);
}

static void render_created(struct json_object *o, uint64_t ns)
{
	time_t seconds = (time_t)(ns / NSEC_PER_SEC);
	struct tm tm;
	char text[64];

	report_uint(o, "created_ns", ns);
	if (gmtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		report_string(o, "created", text);
}

struct json_object *render_image_info(struct json_object *report, const struct image_info *info,
				      const struct image_receipt *receipt)
{
	struct json_object *o = report_object(report, "image");
	char version[32];

	snprintf(version, sizeof(version), "%u.%u", info->major, info->minor);
	report_string(o, "version", version);
	report_octets(o, "id", info->id, sizeof(info->id));
	render_created(o, info->created_ns);
	if (receipt)
		report_octets(o, "digest", receipt->digest, sizeof(receipt->digest));
	return o;
}

void render_fit(struct json_object *report, enum compat_fit fit)
{
	static const char *const words[] = {
		[COMPAT_UNKNOWN] = "unknown",
		[COMPAT_NO] = "no",
		[COMPAT_YES] = "yes",
	};

	report_string(report, "fits", words[fit]);
}

void render_arcs(struct json_object *report, const struct timeline *t, enum mig_state left)
{
	struct json_object *list = report_array(report, "arcs");
	uint64_t downtime;
	bool down;

	for (unsigned int i = 0; i < t->n; i++) {
		const struct mig_arc *a = &t->arcs[i];
		struct json_object *o = report_append(list);

		report_string(o, "from", fsm_name(a->from));
		report_string(o, "to", fsm_name(a->to));
		report_uint(o, "ns", a->ns);
		if (a->result < 0)
			report_string(o, "error", err_name(a->result));
		if (t->tries[i] > 1)
			report_uint(o, "tries", t->tries[i]);
	}
	downtime = timeline_downtime(t, &down);
	report_uint(report, "downtime_ns", downtime);
	/* The timeline has arcs only, and a reset leads to RUNNING without one. */
	report_bool(report, "down", down && left != MIG_RUNNING);
}

void render_rate(struct json_object *o, uint64_t bytes, uint64_t ns)
{
	double rate = (double)bytes * (double)NSEC_PER_SEC;

	if (ns)
		report_uint(o, "bytes_per_second", (uint64_t)(rate / (double)ns));
}

void render_reason(struct json_object *o, const struct device *dev, const struct err *why)
{
	size_t n = strlen(device_name(dev));
	bool named = !strncmp(why->text, device_name(dev), n) && !strncmp(why->text + n, ": ", 2);

	if (!strcmp(why->text, device_name(dev)))
		report_string(o, "reason", strerror(-why->code));
	else
		report_string(o, "reason", named ? why->text + n + 2 : why->text);
	if (*why->hint)
		report_string(o, "hint", why->hint);
}

void render_recovery(struct json_object *report, const struct mig_recovery *r)
{
	struct json_object *o = report_object(report, "recovery");

	render_state(o, "found", r->found, r->found_known);
	render_state(o, "end", r->end, r->end_known);
	report_bool(o, "reset", r->reset);
	report_bool(o, "ok", r->ok);
}

static bool render_any_failed(struct json_object *arcs)
{
	for (size_t i = 0; i < json_object_array_length(arcs); i++)
		if (json_object_object_get_ex(json_object_array_get_idx(arcs, i), "error", NULL))
			return true;
	return false;
}

void view_arcs(FILE *f, struct json_object *report)
{
	static const struct report_row columns[] = {
		{ "from", "FROM", REPORT_TEXT },   { "to", "TO", REPORT_TEXT },
		{ "ns", "TIME", REPORT_NS },	   { "error", "ERROR", REPORT_TEXT },
		{ "tries", "TRIES", REPORT_TEXT },
	};
	struct json_object *arcs;

	/* Leave out ERROR and TRIES where no arc has failed. */
	if (json_object_object_get_ex(report, "arcs", &arcs) && json_object_array_length(arcs))
		report_table(f, arcs, columns,
			     render_any_failed(arcs) ? ARRAY_SIZE(columns)
						     : ARRAY_SIZE(columns) - 2);
}

void view_devices(FILE *f, struct json_object *report)
{
	static const struct report_row columns[] = {
		{ "device.address", "DEVICE", REPORT_TEXT },
		{ "bytes", "STREAM", REPORT_BYTES },
		{ "stream_ns", "TIME", REPORT_NS },
		{ "bytes_per_second", "RATE", REPORT_RATE },
		{ "downtime_ns", "DOWNTIME", REPORT_NS_IF_ANY },
		{ "state", "STATE NOW", REPORT_TEXT },
	};
	struct json_object *devices;

	if (!json_object_object_get_ex(report, "devices", &devices))
		return;
	fputc('\n', f);
	report_table(f, devices, columns, ARRAY_SIZE(columns));
}
