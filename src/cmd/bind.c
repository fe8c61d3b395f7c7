// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "engine/bind.h"
#include "engine/migratable.h"
#include "host/sysfs.h"
#include "ui/session.h"
#include "cmd/cmd.h"

/**
 * struct cmd_bind_args - of bind and of unbind
 * @host: this one, with the modules of --module-root
 * @v, @n: the devices that were looked at
 */
struct cmd_bind_args {
	struct invocation *inv;
	struct opt_list specs;
	const char *driver, *module_root, *rules;
	bool force, persist, dry_run;

	struct host host;
	struct bind_options options;
	struct bind *v;
	size_t n;
	struct cancel cancel;
};

/*
 * The report
 */

static void cmd_bind_view_steps(FILE *f, struct json_object *device)
{
	struct json_object *address = json_object_object_get(device, "address");
	struct json_object *steps = json_object_object_get(device, "steps"), *rule;
	const size_t n = json_object_array_length(steps);

	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s: would %s\n", json_object_get_string(address),
			json_object_get_string(json_object_array_get_idx(steps, i)));
	if (!n)
		fprintf(f, "%s: nothing to do\n", json_object_get_string(address));
	if (!json_object_object_get_ex(device, "rule_lines", &rule))
		return;
	for (size_t i = 0; i < json_object_array_length(rule); i++)
		fprintf(f, "\t%s\n", json_object_get_string(json_object_array_get_idx(rule, i)));
}

static void cmd_bind_view(FILE *f, struct json_object *report)
{
	static const struct report_row columns[] = {
		{ "address", "DEVICE", REPORT_TEXT }, { "driver_found", "HAD", REPORT_TEXT },
		{ "driver", "DRIVER", REPORT_TEXT },  { "iommu_group", "GROUP", REPORT_TEXT },
		{ "cdev", "CDEV", REPORT_TEXT },
	};
	struct json_object *devices;

	if (!json_object_object_get_ex(report, "devices", &devices))
		return;
	if (!json_object_object_get_ex(report, "dry_run", NULL)) {
		report_table(f, devices, columns, ARRAY_SIZE(columns));
		return;
	}
	for (size_t i = 0; i < json_object_array_length(devices); i++)
		cmd_bind_view_steps(f, json_object_array_get_idx(devices, i));
}

static void cmd_bind_add_step(struct json_object *list, const char *what, const char *name)
{
	char text[PATH_MAX + 64];

	snprintf(text, sizeof(text), "%s%s", what, name);
	report_append_string(list, text);
}

static void cmd_bind_render_steps(struct json_object *o, const struct bind *b, const char *rule)
{
	struct json_object *list = report_array(o, "steps");

	if (b->module[0] && b->steps & BIND_BIND)
		cmd_bind_add_step(list, "load module ", b->module);
	if (b->steps & BIND_MEND)
		cmd_bind_add_step(list, "set driver_override back",
				  b->record.override[0] ? "" : " to none");
	if (b->steps & BIND_UNBIND)
		cmd_bind_add_step(list, "unbind from ", b->found);
	if (b->steps & BIND_BIND)
		cmd_bind_add_step(list, b->module[0] ? "bind to the driver of " : "bind to ",
				  b->target);
	if (b->steps & BIND_KEEP)
		cmd_bind_add_step(list, "write ", rule);
	if (b->steps & BIND_DROP)
		cmd_bind_add_step(list, "remove ", rule);
}

static void cmd_bind_render_lines(struct json_object *o, const struct bind *b)
{
	_cleanup_free_ char *text = NULL;
	struct json_object *list;
	char *rest, *line;

	if (bind_rule_text(b, &text, NULL) < 0 || !text)
		return;
	list = report_array(o, "rule_lines");
	rest = text;
	while ((line = strsep(&rest, "\n")) && rest)
		report_append_string(list, line);
}

/* The rule for every boot, if there is one afterwards; with --dry-run what would be in it. */
static void cmd_bind_render_rule(struct json_object *o, const struct bind *b, bool dry_run)
{
	_cleanup_free_ char *path = udev_rule_path(b->options->rules, b->node);
	const bool kept = b->taken & BIND_KEEP || (b->rule_text && !(b->taken & BIND_DROP));

	if (kept && path)
		report_name(o, "rule", path);
	else
		report_null(o, "rule");
	if (!dry_run)
		return;
	cmd_bind_render_steps(o, b, path ? path : "");
	if (b->steps & BIND_KEEP)
		cmd_bind_render_lines(o, b);
}

static void cmd_bind_render_now(struct json_object *o, const char *name)
{
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;

	if (vfio_node_resolve(&host_live, name, &node, NULL) < 0)
		node = NULL;
	report_string(o, "driver", node ? node->driver : NULL);
	if (node && node->group >= 0)
		report_int(o, "iommu_group", node->group);
	else
		report_null(o, "iommu_group");
	report_string(o, "cdev", node ? node->cdev : NULL);
}

static void cmd_bind_render_one(struct json_object *o, const struct bind *b, bool dry_run)
{
	struct json_object *list;

	report_string(o, "address", b->node->name);
	report_string(o, "driver_found", b->found[0] ? b->found : NULL);
	cmd_bind_render_now(o, b->node->name);
	report_bool(o, "changed", bind_changes(b->taken));
	if (b->choice.module[0]) {
		report_string(o, "module", b->choice.module);
		report_string(o, "alias", b->choice.pattern);
	}
	list = report_array(o, "used_by");
	for (size_t i = 0; i < b->uses.n; i++)
		report_append_string(list, b->uses.v[i]);
	list = report_array(o, "group_others");
	for (size_t i = 0; i < b->group.n; i++)
		if (strcmp(b->group.v[i]->name, b->node->name) != 0)
			report_append_string(list, b->group.v[i]->name);
	cmd_bind_render_rule(o, b, dry_run);
}

static void cmd_bind_render(const struct cmd_bind_args *a)
{
	struct json_object *list = report_array(a->inv->report, "devices");

	if (a->dry_run)
		report_bool(a->inv->report, "dry_run", true);
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].node)
			cmd_bind_render_one(report_append(list), &a->v[i], a->dry_run);
}

/*
 * The work
 */

/* A member that a host's driver has: VFIO gives out no device of the group. */
static void cmd_bind_warn_of_group(const struct cmd_bind_args *a, const struct bind *b)
{
	for (size_t i = 0; i < b->group.n; i++) {
		const struct vfio_node *other = b->group.v[i];
		bool ours = false;

		for (size_t j = 0; j < a->n; j++)
			ours |= strcmp(a->v[j].node->name, other->name) == 0;
		if (!ours && vfio_node_uses_dma(other))
			log_warn("%s: IOMMU group %d has %s (%s), too: until VFIO or no driver has "
				 "it, none of the group can be opened",
				 b->node->name, b->node->group, other->name, other->driver);
	}
}

/* Of a driver that needs devlink's switch, a rule is not all that a boot takes. */
static void cmd_bind_warn_of_boot(const struct bind *b)
{
	const char *switched;

	if (b->options->term == BIND_TERM_EVERY) {
		if (migratable_need(b->target, NULL, &switched) == NEED_SWITCH)
			log_warn("%s: devlink's switch is off again after a boot, and %s asks it "
				 "when it gets the device: vfiomigctl migratable --rebind %s on",
				 b->node->name, b->target, b->node->name);
	} else if (b->facts.rule == BIND_RULE_OTHER && b->options->want != BIND_WANT_BACK) {
		log_warn("%s: %s has it again after the next boot, by a rule of bind --persist",
			 b->node->name, b->rule.driver);
	}
}

static void cmd_bind_warn(const struct cmd_bind_args *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct bind *b = &a->v[i];

		if (!b->facts.to_none && a->options.want == BIND_WANT_DRIVER)
			cmd_bind_warn_of_group(a, b);
		if (strcmp(b->choice.module, "vfio_pci") == 0)
			log_warn("%s: no driver that can migrate it was found, only vfio-pci",
				 b->node->name);
		cmd_bind_warn_of_boot(b);
	}
}

static int cmd_bind_find(struct cmd_bind_args *a, const char *spec, struct err *err)
{
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	int r;

	r = vfio_node_resolve(&host_live, spec, &node, err);
	if (r < 0)
		return r;
	if (strcmp(node->bus, "pci") != 0)
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: not a PCI function",
				node->name);
	/* Its lock would refuse it with other words. */
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].node->name, node->name) == 0)
			return err_fail(err, ERR_USAGE, -EINVAL, "%s: named twice", node->name);
	return bind_look(&a->options, TAKE_PTR(node), &a->v[a->n++], err);
}

static int cmd_bind_work(void *ctx, struct err *err)
{
	struct cmd_bind_args *a = ctx;
	int r;

	for (size_t i = 0; i < a->specs.n; i++) {
		r = cmd_bind_find(a, a->specs.v[i], err);
		if (r < 0)
			return r;
	}
	cmd_bind_warn(a);
	if (a->dry_run)
		return 0;
	r = cancel_check(&a->cancel, err);
	if (r < 0)
		return r;
	/* Half of it would leave a device without its driver: from here on to the end. */
	cancel_close(&a->cancel);
	cancel_call_begin(&a->cancel, "drivers of %s", a->v[0].node->name);
	r = bind_run(a->v, a->n, err);
	cancel_call_end(&a->cancel);
	if (r == -EACCES || r == -EPERM)
		return err_hint(err, r, "run it as root");
	return r;
}

static int cmd_bind_run_session(struct cmd_bind_args *a, struct err *err)
{
	struct progress progress = cmd_progress(a->inv, NULL, a->specs.v[0]);
	int r;

	r = cancel_init(&a->cancel, err);
	if (r < 0)
		return r;
	r = session_run(cmd_bind_work, a, &a->cancel, &progress, err);
	cancel_done(&a->cancel);
	return r;
}

static int cmd_bind_act(struct cmd_bind_args *a, struct err *err)
{
	int r;

	a->inv->view = cmd_bind_view;
	a->inv->acts = !a->dry_run;
	a->host = host_live;
	if (a->module_root)
		a->host.module_root = a->module_root;
	a->options.host = &a->host;
	a->options.records = RUN_RECORD_DIR;
	a->options.rules = a->rules ? a->rules : UDEV_RULE_DIR;
	a->options.force = a->force;
	a->v = calloc(MAX(a->specs.n, (size_t)1), sizeof(*a->v));
	if (!a->v)
		return err_set(err, -ENOMEM, "devices");
	r = cmd_bind_run_session(a, err);
	cmd_bind_render(a);
	for (size_t i = 0; i < a->n; i++)
		bind_done(&a->v[i]);
	free(a->v);
	return r;
}

static void cmd_bind_parse(struct cmd_bind_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "driver", .text = &a->driver, .value = "NAME",
		  .doc = "the driver, or its module; auto (the default), none" },
		{ "module-root", .text = &a->module_root, .value = "DIR",
		  .doc = "look for modules in DIR/lib/modules" },
		{ "force", .flag = &a->force, .doc = "take it although something uses it" },
		{ "persist", .flag = &a->persist, .doc = "at every boot, too: by a rule for udev" },
		{ "rules", .text = &a->rules, .value = "DIR",
		  .doc = "where rules are (" UDEV_RULE_DIR ")" },
		{ "dry-run", .flag = &a->dry_run, .doc = "say what would be done, change nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .list = &a->specs }, { 0 } };

	cmd_parse(a->inv, &(struct cmd_line){ .opts = opts, .args = args }, argc, argv);
}

static int cmd_bind_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_bind_args a = { .inv = inv };

	cmd_bind_parse(&a, argc, argv);
	if (a.driver && (!*a.driver || strchr(a.driver, '/') || *a.driver == '.' ||
			 strlen(a.driver) >= sizeof(a.v->target)))
		opts_misuse(inv->program, "--driver is auto, none or a driver's name, not '%s'",
			    a.driver);
	a.options.want = BIND_WANT_DRIVER;
	if (a.driver && strcmp(a.driver, "none") == 0)
		a.options.want = BIND_WANT_NONE;
	else if (a.driver && strcmp(a.driver, "auto") != 0)
		a.options.driver = a.driver;
	if (a.persist && a.options.want == BIND_WANT_NONE)
		opts_misuse(inv->program, "--persist needs a driver, not --driver=none");
	a.options.term = a.persist ? BIND_TERM_EVERY : BIND_TERM_BOOT;
	return cmd_bind_act(&a, err);
}

static void cmd_bind_parse_unbind(struct cmd_bind_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "force", .flag = &a->force, .doc = "take it although something uses it" },
		{ "rules", .text = &a->rules, .value = "DIR",
		  .doc = "where rules of bind --persist are (" UDEV_RULE_DIR ")" },
		{ "dry-run", .flag = &a->dry_run, .doc = "say what would be done, change nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .list = &a->specs }, { 0 } };

	cmd_parse(a->inv, &(struct cmd_line){ .opts = opts, .args = args }, argc, argv);
}

static int cmd_bind_run_unbind(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_bind_args a = {
		.inv = inv,
		.options = { .want = BIND_WANT_BACK, .term = BIND_TERM_BOOT },
	};

	cmd_bind_parse_unbind(&a, argc, argv);
	return cmd_bind_act(&a, err);
}

const struct command cmd_bind = {
	.name = "bind",
	.args_doc = "DEV...",
	.summary = "give devices to the driver that can migrate them",
	.doc = "Bind PCI functions to their vfio driver, or to another one.\v"
	       "The driver is the one whose module says that it is for the device. What the "
	       "device had before is kept until the next boot, for unbind. Opens nothing.",
	.run = cmd_bind_run,
};

const struct command cmd_unbind = {
	.name = "unbind",
	.args_doc = "DEV...",
	.summary = "give devices back to the driver they had",
	.doc = "Undo bind: each device gets the driver that it had before, or none if it had "
	       "none.\v"
	       "Also after a bind that was killed half-way.",
	.run = cmd_bind_run_unbind,
};
