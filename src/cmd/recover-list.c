// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/macros.h"
#include "engine/journal-text.h"
#include "fsm/fsm.h"
#include "cmd/recover-parts.h"

#define P(name) (1u << WIRE_PHASE_##name)
#define ANY (~0u)

/**
 * struct cmd_recover_next - what is left to do, by the record alone; the first row that fits
 * @phases, @told: sets of struct journal_record's
 */
static const struct cmd_recover_next {
	enum wire_role role;
	unsigned int phases, told;
	const char *text;
} cmd_recover_nexts[] = {
	{ WIRE_SOURCE, P(BEGUN) | P(COMMITTED), P(DONE), "stop the devices: it has moved" },
	{ WIRE_SOURCE, P(BEGUN), ANY, "give the devices back" },
	{ WIRE_SOURCE, P(COMMITTED), P(ABORTED), "look there: it was given up" },
	{ WIRE_SOURCE, P(COMMITTED), ANY, "hear that the destination has it" },
	{ WIRE_DESTINATION, P(PREPARED), P(DONE), "start the devices" },
	{ WIRE_DESTINATION, P(PREPARED), P(ABORTED), "discard what was loaded" },
	{ WIRE_DESTINATION, P(PREPARED), ANY, "ask the source" },
	{ WIRE_DESTINATION, P(BEGUN), P(DONE), "look here: it was given up there" },
	{ WIRE_DESTINATION, P(BEGUN), ANY, "discard what was loaded" },
	{ WIRE_DESTINATION, P(COMMITTED), P(ABORTED), "stop the devices: it has not moved" },
	{ WIRE_DESTINATION, P(COMMITTED), ANY, "start the devices" },
};

/* Return: NULL for nothing. */
static const char *cmd_recover_list_next(const struct journal_record *record)
{
	for (size_t i = 0; i < ARRAY_SIZE(cmd_recover_nexts); i++) {
		const struct cmd_recover_next *next = &cmd_recover_nexts[i];

		if (next->role == record->role && next->phases & 1u << record->phase &&
		    next->told & 1u << record->told)
			return next->text;
	}
	return NULL;
}

static void cmd_recover_list_time(struct json_object *o, const char *key, uint64_t ns)
{
	const time_t seconds = (time_t)(ns / NSEC_PER_SEC);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	report_string(o, key, *text ? text : NULL);
}

static void cmd_recover_list_devices(struct json_object *o, const struct journal_record *record)
{
	struct json_object *list = report_array(o, "devices"), *names;

	for (unsigned int i = 0; i < record->n_devices; i++) {
		const struct journal_device *d = &record->devices[i];
		struct json_object *device = report_append(list);

		report_name(device, "address", d->name);
		report_name(device, "device", d->spec);
		report_string(device, "state_found", fsm_name(d->found));
	}
	names = report_array(o, "addresses");
	for (unsigned int i = 0; i < record->n_devices; i++)
		report_append_string(names, record->devices[i].name);
}

void cmd_recover_render_record(struct json_object *o, const struct journal_record *record)
{
	char hex[2 * WIRE_ID_SIZE + 1];

	report_string(o, "txid", hex_encode(record->txid, WIRE_ID_SIZE, hex));
	report_string(o, "role", journal_role_name(record->role));
	report_uint(o, "generation", record->generation);
	if (record->peer)
		report_name(o, "peer", record->peer);
	if (record->spool)
		report_name(o, "spool", record->spool);
	if (record->told)
		report_string(o, "told", wire_phase_name(record->told));
	if (record->forced)
		report_name(o, "forced", record->forced);
	cmd_recover_list_time(o, "begun", record->begun_ns);
	cmd_recover_list_time(o, "changed", record->changed_ns);
}

static void cmd_recover_list_item(struct json_object *o, const struct journal_item *item)
{
	const struct journal_record *record = &item->record;
	const char *next;

	if (item->damaged) {
		report_name(o, "file", item->file);
		report_name(o, "damaged", item->damaged);
		return;
	}
	cmd_recover_render_record(o, record);
	report_string(o, "phase", wire_phase_name(record->phase));
	report_bool(o, "busy", item->busy);
	cmd_recover_list_devices(o, record);
	next = cmd_recover_list_next(record);
	if (next && item->busy)
		next = "a process works on it";
	if (next)
		report_string(o, "next", next);
}

int cmd_recover_list(struct invocation *inv, struct journal *j, struct err *err)
{
	struct json_object *list;
	struct journal_item *v;
	size_t n;
	int r;

	r = journal_list(j, &v, &n, err);
	if (r < 0)
		return r;
	report_name(inv->report, "state_dir", journal_dir(j));
	list = report_array(inv->report, "transactions");
	for (size_t i = 0; i < n; i++)
		cmd_recover_list_item(report_append(list), &v[i]);
	journal_list_done(v, n);
	return 0;
}

static const char *cmd_recover_list_text(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;
}

/* A line for each that has one, below the table: what does not fit in it, or says more. */
static void cmd_recover_list_remarks(FILE *f, struct json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *damaged = cmd_recover_list_text(o, "damaged");
		const char *forced = cmd_recover_list_text(o, "forced");

		if (damaged)
			fprintf(f, "damaged: %s\n", damaged);
		if (forced)
			fprintf(f, "%.8s: forced: %s\n", cmd_recover_list_text(o, "txid"), forced);
	}
}

void cmd_recover_view_list(FILE *f, struct json_object *report)
{
	static const struct report_row columns[] = {
		{ "txid", "TXID", REPORT_TEXT },	 { "role", "ROLE", REPORT_TEXT },
		{ "phase", "PHASE", REPORT_TEXT },	 { "changed", "CHANGED", REPORT_TEXT },
		{ "addresses", "DEVICES", REPORT_TEXT }, { "peer", "PEER", REPORT_TEXT },
		{ "next", "WHAT IS LEFT", REPORT_TEXT },
	};
	static const struct report_give gives[] = { { 5, 12 }, { 3, 0 }, { 4, 8 } };
	const struct report_fit fit = {
		.width = report_width(f),
		.if_any = 1u << 5 | 1u << 6,
		.gives = gives,
		.n = ARRAY_SIZE(gives),
	};
	struct json_object *list;

	if (!json_object_object_get_ex(report, "transactions", &list))
		return;
	if (!json_object_array_length(list))
		fprintf(f, "no transactions in %s\n", cmd_recover_list_text(report, "state_dir"));
	report_table_fit(f, list, columns, ARRAY_SIZE(columns), &fit);
	cmd_recover_list_remarks(f, list);
}
