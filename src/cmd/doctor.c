// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/doctor-fix.h"
#include "host/module.h"
#include "host/sysfs.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/render.h"

/* More than there are rules. */
#define DOCTOR_FINDINGS_MAX 64u

/**
 * struct cmd_doctor_args
 * @here: this host, with the modules of --module-root
 * @host, @device: what there is to know, by the last look
 * @dev: @device's; NULL without DEV
 * @devlink: NULL where there is none
 * @found, @findings: of the host and of DEV, @n of them
 * @problems: how many were found
 * @taken: fixes, as of doctor_fix_next()
 */
struct cmd_doctor_args {
	struct invocation *inv;
	const char *spec, *module_root;
	bool rules, fix, dry_run;

	struct host here;
	struct host_facts host;
	struct device_facts device;
	struct device *dev;
	struct netlink *devlink;
	struct doctor_fix_fact found[DOCTOR_FINDINGS_MAX];
	struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
	size_t n;
	unsigned int problems, taken;
	struct cancel cancel;
};

static const char *cmd_doctor_text(struct json_object *o, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, key, &value) || !value)
		return NULL;
	return json_object_get_string(value);
}

static void cmd_doctor_view_finding(FILE *f, struct json_object *finding)
{
	const char *verdict = cmd_doctor_text(finding, "verdict");
	const char *cause = cmd_doctor_text(finding, "cause");
	const char *command = cmd_doctor_text(finding, "command");

	fprintf(f, "%-8s %-12s %s\n", verdict, cmd_doctor_text(finding, "rule"),
		cmd_doctor_text(finding, "evidence"));
	if (strcmp(verdict, doctor_verdict_name(DOCTOR_OK)) == 0)
		return;
	if (cause)
		fprintf(f, "%21s %s\n", "", cause);
	if (command)
		fprintf(f, "%21s # %s%s\n", "", command,
			json_object_get_boolean(json_object_object_get(finding, "fix"))
				? "  (--fix)"
				: "");
}

static void cmd_doctor_view_steps(FILE *f, struct json_object *report)
{
	struct json_object *list;

	if (!json_object_object_get_ex(report, "steps", &list))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *step = json_object_array_get_idx(list, i);

		fprintf(f, "%-8s %-12s %s\n", cmd_doctor_text(step, "result"),
			cmd_doctor_text(step, "rule"), cmd_doctor_text(step, "command"));
	}
}

static void cmd_doctor_view(FILE *f, struct json_object *report)
{
	static const struct report_row rules[] = {
		{ "subject", "SUBJECT", REPORT_TEXT },
		{ "rule", "RULE", REPORT_TEXT },
		{ "question", "QUESTION", REPORT_TEXT },
	};
	static const struct report_row devices[] = {
		{ "address", "DEVICE", REPORT_TEXT },  { "driver", "DRIVER", REPORT_TEXT },
		{ "verdict", "VERDICT", REPORT_TEXT }, { "rule", "RULE", REPORT_TEXT },
		{ "evidence", "FOUND", REPORT_TEXT },
	};
	struct json_object *list;

	if (json_object_object_get_ex(report, "rules", &list))
		report_table(f, list, rules, sizeof(rules) / sizeof(rules[0]));
	if (json_object_object_get_ex(report, "findings", &list))
		for (size_t i = 0; i < json_object_array_length(list); i++)
			cmd_doctor_view_finding(f, json_object_array_get_idx(list, i));
	cmd_doctor_view_steps(f, report);
	if (!json_object_object_get_ex(report, "devices", &list))
		return;
	if (json_object_array_length(list))
		report_table(f, list, devices, sizeof(devices) / sizeof(devices[0]));
	else
		fputs("no device is bound to VFIO, and there is no VF\n", f);
}

static void cmd_doctor_render_finding(struct json_object *o, const struct doctor_rule *rule,
				      const struct doctor_finding *finding)
{
	report_string(o, "rule", rule->name);
	report_string(o, "question", rule->question);
	report_string(o, "verdict", doctor_verdict_name(finding->verdict));
	report_string(o, "evidence", finding->evidence);
	report_string(o, "cause", finding->cause);
	report_string(o, "command", *finding->command ? finding->command : NULL);
	report_bool(o, "fix", finding->fix != DOCTOR_FIX_NONE);
}

/* All rules about @subject, in order. */
static void cmd_doctor_judge(struct cmd_doctor_args *a, enum doctor_subject subject,
			     const struct device_facts *facts, struct json_object *list)
{
	const struct doctor_rule *rule;

	for (unsigned int i = 0; (rule = doctor_rule_at(i)); i++) {
		struct doctor_finding *finding = &a->findings[a->n];

		if (rule->subject != subject || a->n == DOCTOR_FINDINGS_MAX)
			continue;
		doctor_judge(rule, &a->host, facts, finding);
		if (finding->verdict == DOCTOR_NOT_ASKED)
			continue;
		if (finding->verdict == DOCTOR_PROBLEM)
			a->problems++;
		cmd_doctor_render_finding(report_append(list), rule, finding);
		a->found[a->n++] = (struct doctor_fix_fact){ rule, finding->verdict, finding->fix };
	}
}

static void cmd_doctor_examine(struct cmd_doctor_args *a, const struct vfio_node *node,
			       struct device_facts *ret)
{
	examine_device(&a->here, node, a->devlink, clock_ns() / 1000, ret);
}

/* One line: the first problem, else the first thing that is not known. */
static void cmd_doctor_render_line(struct cmd_doctor_args *a, const struct vfio_node *node,
				   struct json_object *list)
{
	const struct doctor_rule *rule, *worst = NULL;
	struct doctor_finding finding, found = { .verdict = DOCTOR_OK };
	struct json_object *o = report_append(list);
	struct device_facts facts;

	cmd_doctor_examine(a, node, &facts);
	for (unsigned int i = 0; (rule = doctor_rule_at(i)); i++) {
		if (rule->subject != DOCTOR_DEVICE)
			continue;
		doctor_judge(rule, &a->host, &facts, &finding);
		if (finding.verdict == DOCTOR_PROBLEM)
			a->problems++;
		if (finding.verdict <= found.verdict)
			continue;
		found = finding;
		worst = rule;
	}
	report_string(o, "address", node->name);
	report_string(o, "driver", node->driver);
	report_string(o, "verdict", doctor_verdict_name(found.verdict));
	report_string(o, "rule", worst ? worst->name : NULL);
	report_string(o, "evidence", worst ? found.evidence : NULL);
}

static bool cmd_doctor_lists(const struct vfio_node *node)
{
	return node->vfio || path_exists(node->sysfs, "physfn");
}

/* Each device of a folder of sysfs, in its order; one that goes meanwhile is left out. */
static int cmd_doctor_each(struct cmd_doctor_args *a, const char *bus, struct json_object *list,
			   struct err *err)
{
	_cleanup_free_ char *folder = path_fmt("%s/bus/%s/devices", host_live.sys, bus);
	struct dirent **names = NULL;
	int n = folder ? scandir(folder, &names, NULL, alphasort) : -1, r = 0;

	for (int i = 0; i < n; i++) {
		_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
		_cleanup_free_ char *path = path_fmt("%s/%s", folder, names[i]->d_name);

		if (r == 0 && names[i]->d_name[0] != '.' && path &&
		    vfio_node_from_sysfs(&host_live, path, &node, NULL) == VFIO_NODE_FOUND &&
		    cmd_doctor_lists(node))
			cmd_doctor_render_line(a, node, list);
		free(names[i]);
		r = r < 0 ? r : cancel_check(&a->cancel, err);
	}
	free(names);
	return r;
}

static int cmd_doctor_host(struct cmd_doctor_args *a, struct err *err)
{
	struct json_object *findings = report_array(a->inv->report, "findings");
	struct json_object *devices = report_array(a->inv->report, "devices");
	int r;

	cmd_doctor_judge(a, DOCTOR_HOST, NULL, findings);
	r = cmd_doctor_each(a, "pci", devices, err);
	return r < 0 ? r : cmd_doctor_each(a, "mdev", devices, err);
}

static int cmd_doctor_device(struct cmd_doctor_args *a, struct err *err)
{
	_cleanup_free_ char *name = a->dev ? strdup(a->dev->node->name) : NULL;
	struct json_object *findings;
	int r;

	/* A second look is at the same device, whatever its cdev is called now. */
	a->dev = device_free(a->dev);
	r = device_find(&host_live, name ? name : a->spec, &a->dev, err);
	if (r < 0)
		return r;
	if (!a->dev->node)
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
				"%s: not a device that sysfs shows", device_name(a->dev));
	render_device(a->inv->report, a->dev);
	findings = report_array(a->inv->report, "findings");
	cmd_doctor_examine(a, a->dev->node, &a->device);
	cmd_doctor_judge(a, DOCTOR_HOST, NULL, findings);
	cmd_doctor_judge(a, DOCTOR_DEVICE, &a->device, findings);
	return 0;
}

static int cmd_doctor_work(void *ctx, struct err *err)
{
	static const char *const parts[] = { "device", "findings", "devices" };
	struct cmd_doctor_args *a = ctx;
	struct err why = { 0 };

	/* Instead of what an earlier look has found. */
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		json_object_object_del(a->inv->report, parts[i]);
	a->n = 0;
	a->problems = 0;
	a->devlink = netlink_close(a->devlink);
	examine_host(&a->here, &a->host);
	if (devlink_open(&a->devlink, &why) < 0)
		log_info("%s", why.text);
	return a->spec ? cmd_doctor_device(a, err) : cmd_doctor_host(a, err);
}

static int cmd_doctor_session(struct cmd_doctor_args *a, session_fn *fn, struct err *err)
{
	struct progress progress = cmd_progress(a->inv, NULL, a->spec ? a->spec : "doctor");

	return session_run(fn, a, &a->cancel, &progress, err);
}

/*
 * The fixes
 */

static int cmd_doctor_load(struct cmd_doctor_args *a, const char *module, struct err *err)
{
	int r;

	cancel_call_begin(&a->cancel, "module %s", module);
	r = module_load(&a->here, module, err);
	cancel_call_end(&a->cancel);
	return r;
}

static int cmd_doctor_load_vfio(void *ctx, struct err *err)
{
	return cmd_doctor_load(ctx, "vfio-pci", err);
}

static int cmd_doctor_load_iommufd(void *ctx, struct err *err)
{
	return cmd_doctor_load(ctx, "iommufd", err);
}

/* The command that is shown is the one that runs, in this process; its report is dropped. */
static int cmd_doctor_run_command(struct cmd_doctor_args *a, const struct command *command,
				  const char *const *words, struct err *err)
{
	char program[64], *argv[DOCTOR_FIX_WORDS + 1] = { program };
	struct invocation sub = {
		.command = command,
		.program = program,
		.verbosity = a->inv->verbosity,
		.progress = a->inv->progress,
		.status_fd = -1,
		.report = report_new(command->name),
	};
	int argc = 1, r;

	snprintf(program, sizeof(program), "vfiomigctl %s", command->name);
	for (size_t i = 2; words[i]; i++)
		argv[argc++] = (char *)words[i];
	r = command->run(&sub, argc, argv, err);
	report_done(sub.report);
	return r;
}

static int cmd_doctor_take(struct cmd_doctor_args *a, enum doctor_fix fix, struct err *err)
{
	const char *words[DOCTOR_FIX_WORDS + 1];

	doctor_fix_words(fix, &a->host, &a->device, words);
	switch (fix) {
	case DOCTOR_FIX_VFIO:
		return cmd_doctor_session(a, cmd_doctor_load_vfio, err);
	case DOCTOR_FIX_IOMMUFD:
		return cmd_doctor_session(a, cmd_doctor_load_iommufd, err);
	case DOCTOR_FIX_SWITCH:
		return cmd_doctor_run_command(a, &cmd_migratable, words, err);
	case DOCTOR_FIX_DRIVER:
		return cmd_doctor_run_command(a, &cmd_bind, words, err);
	case DOCTOR_FIX_NONE:
	case DOCTOR_NR_FIXES:
		break;
	}
	return 0;
}

static void cmd_doctor_render_step(struct json_object *steps, const struct doctor_rule *rule,
				   const char *command, const char *result)
{
	struct json_object *o = report_append(steps);

	report_string(o, "rule", rule->name);
	report_string(o, "command", command);
	report_string(o, "result", result);
}

/* Then all is looked at again, or with --dry-run taken to be as it ought to be then. */
static int cmd_doctor_step(struct cmd_doctor_args *a, size_t which, struct json_object *steps,
			   struct err *err)
{
	const struct doctor_rule *rule = a->found[which].rule;
	const enum doctor_fix fix = a->found[which].fix;
	char command[sizeof(a->findings[which].command)];
	int r;

	memcpy(command, a->findings[which].command, sizeof(command));
	a->taken |= 1u << fix;
	if (a->dry_run) {
		cmd_doctor_render_step(steps, rule, command, "would");
		for (size_t i = 0; i < a->n; i++)
			if (a->found[i].fix == fix)
				a->found[i].verdict = DOCTOR_OK;
		return 0;
	}
	log_note("%s", command);
	r = cmd_doctor_take(a, fix, err);
	cmd_doctor_render_step(steps, rule, command, r < 0 ? "failed" : "done");
	if (r < 0)
		return err_prefix(err, r, "%s", rule->name);
	return cmd_doctor_session(a, cmd_doctor_work, err);
}

static int cmd_doctor_mend(struct cmd_doctor_args *a, struct err *err)
{
	struct json_object *steps = report_array(a->inv->report, "steps");
	enum doctor_fix_next next;
	size_t which;
	int r;

	if (a->dry_run)
		report_bool(a->inv->report, "dry_run", true);
	while ((next = doctor_fix_next(a->found, a->n, a->taken, &which)) == DOCTOR_NEXT_FIX) {
		r = cmd_doctor_step(a, which, steps, err);
		if (r < 0)
			return r;
	}
	report_string(a->inv->report, "stopped_by",
		      next == DOCTOR_NEXT_NOTHING ? NULL : a->found[which].rule->name);
	if (next == DOCTOR_NEXT_GATED)
		log_warn("the device is left as it is: '%s' comes first, and has no fix",
			 a->found[which].rule->name);
	if (next == DOCTOR_NEXT_NO_HELP)
		log_warn("'%s' is still a problem", a->found[which].rule->name);
	return 0;
}

static int cmd_doctor_judgement(struct cmd_doctor_args *a, struct err *err)
{
	size_t which;

	report_uint(a->inv->report, "problems", a->problems);
	if (!a->problems)
		return 0;
	err_fail(err, ERR_NONCONFORMING, -EINVAL, "%s: %u problem%s",
		 a->spec ? a->spec : "this host", a->problems, a->problems == 1 ? "" : "s");
	if (!a->fix && doctor_fix_next(a->found, a->n, 0, &which) == DOCTOR_NEXT_FIX)
		return err_hint(err, -EINVAL, "--fix does what is safe to do about it");
	return -EINVAL;
}

static int cmd_doctor_look(struct cmd_doctor_args *a, struct err *err)
{
	int r = cmd_doctor_session(a, cmd_doctor_work, err);

	return r < 0 || !a->fix ? r : cmd_doctor_mend(a, err);
}

static int cmd_doctor_act(struct cmd_doctor_args *a, struct err *err)
{
	int r;

	r = cancel_init(&a->cancel, err);
	if (r < 0)
		return r;
	r = cmd_doctor_look(a, err);
	cancel_done(&a->cancel);
	a->devlink = netlink_close(a->devlink);
	a->dev = device_free(a->dev);
	return r < 0 ? r : cmd_doctor_judgement(a, err);
}

static void cmd_doctor_render_rules(struct json_object *list)
{
	const struct doctor_rule *rule;

	for (unsigned int i = 0; (rule = doctor_rule_at(i)); i++) {
		struct json_object *o = report_append(list);

		report_string(o, "subject", rule->subject == DOCTOR_HOST ? "host" : "device");
		report_string(o, "rule", rule->name);
		report_string(o, "question", rule->question);
	}
}

static int cmd_doctor_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_doctor_args a = { .inv = inv, .here = host_live };
	const struct opt opts[] = {
		{ "fix", .flag = &a.fix,
		  .doc = "do what is safe to do about problems, one after the other" },
		{ "dry-run", .flag = &a.dry_run,
		  .doc = "with --fix: say what would be done, change nothing" },
		{ "module-root", .text = &a.module_root, .value = "DIR",
		  .doc = "look for modules in DIR/lib/modules" },
		{ "rules", .flag = &a.rules, .doc = "list what is looked at, and look at nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .text = &a.spec, .optional = true }, { 0 } };

	cmd_parse(inv, &(struct cmd_line){ .opts = opts, .args = args }, argc, argv);
	if (a.dry_run && !a.fix)
		opts_misuse(inv->program, "--dry-run is of --fix: without, nothing is changed");
	if (a.module_root)
		a.here.module_root = a.module_root;
	inv->view = cmd_doctor_view;
	inv->judges = true;
	inv->acts = a.fix && !a.dry_run;
	if (a.rules) {
		cmd_doctor_render_rules(report_array(inv->report, "rules"));
		return 0;
	}
	return cmd_doctor_act(&a, err);
}

const struct command cmd_doctor = {
	.name = "doctor",
	.args_doc = "[DEV]",
	.summary = "say why a device is not migratable, and what to do",
	.doc = "Look for what keeps a device, or this host, from migration.\v"
	       "Without --fix opens, loads and changes nothing. Exits with 1 when there is a "
	       "problem left.",
	.run = cmd_doctor_run,
};
