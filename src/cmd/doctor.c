// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/doctor.h"
#include "host/sysfs.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/render.h"

/**
 * struct cmd_doctor_args
 * @host: what there is to know of it, once it was examined
 * @devlink: NULL where there is none
 * @problems: how many were found
 */
struct cmd_doctor_args {
	struct invocation *inv;
	const char *spec;
	bool rules;

	struct host_facts host;
	struct netlink *devlink;
	unsigned int problems;
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
		fprintf(f, "%21s # %s\n", "", command);
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
}

/* All rules about @subject, in order. */
static void cmd_doctor_judge(struct cmd_doctor_args *a, enum doctor_subject subject,
			     const struct device_facts *facts, struct json_object *list)
{
	const struct doctor_rule *rule;
	struct doctor_finding finding;

	for (unsigned int i = 0; (rule = doctor_rule_at(i)); i++) {
		if (rule->subject != subject)
			continue;
		doctor_judge(rule, &a->host, facts, &finding);
		if (finding.verdict == DOCTOR_PROBLEM)
			a->problems++;
		if (finding.verdict != DOCTOR_NOT_ASKED)
			cmd_doctor_render_finding(report_append(list), rule, &finding);
	}
}

static void cmd_doctor_examine(struct cmd_doctor_args *a, const struct vfio_node *node,
			       struct device_facts *ret)
{
	examine_device(&host_live, node, a->devlink, clock_ns() / 1000, ret);
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
	_cleanup_(device_freep) struct device *dev = NULL;
	struct json_object *findings;
	struct device_facts facts;
	int r;

	r = device_find(&host_live, a->spec, &dev, err);
	if (r < 0)
		return r;
	if (!dev->node)
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
				"%s: not a device that sysfs shows", device_name(dev));
	render_device(a->inv->report, dev);
	findings = report_array(a->inv->report, "findings");
	cmd_doctor_examine(a, dev->node, &facts);
	cmd_doctor_judge(a, DOCTOR_HOST, NULL, findings);
	cmd_doctor_judge(a, DOCTOR_DEVICE, &facts, findings);
	return 0;
}

static int cmd_doctor_work(void *ctx, struct err *err)
{
	struct cmd_doctor_args *a = ctx;
	struct err why = { 0 };
	int r;

	examine_host(&host_live, &a->host);
	if (devlink_open(&a->devlink, &why) < 0)
		log_info("%s", why.text);
	r = a->spec ? cmd_doctor_device(a, err) : cmd_doctor_host(a, err);
	if (r < 0)
		return r;
	report_uint(a->inv->report, "problems", a->problems);
	if (!a->problems)
		return 0;
	return err_fail(err, ERR_NONCONFORMING, -EINVAL, "%s: %u problem%s",
			a->spec ? a->spec : "this host", a->problems, a->problems == 1 ? "" : "s");
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
	struct cmd_doctor_args a = { .inv = inv };
	const struct opt opts[] = {
		{ "rules", .flag = &a.rules, .doc = "list what is looked at, and look at nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .text = &a.spec, .optional = true }, { 0 } };
	struct progress progress;
	int r;

	cmd_parse(inv, &(struct cmd_line){ .opts = opts, .args = args }, argc, argv);
	inv->view = cmd_doctor_view;
	inv->judges = true;
	if (a.rules) {
		cmd_doctor_render_rules(report_array(inv->report, "rules"));
		return 0;
	}
	r = cancel_init(&a.cancel, err);
	if (r < 0)
		return r;
	progress = cmd_progress(inv, NULL, a.spec ? a.spec : "doctor");
	r = session_run(cmd_doctor_work, &a, &a.cancel, &progress, err);
	cancel_done(&a.cancel);
	netlink_close(a.devlink);
	return r;
}

const struct command cmd_doctor = {
	.name = "doctor",
	.args_doc = "[DEV]",
	.summary = "say why a device is not migratable, and what to do",
	.doc = "Look for what keeps a device, or this host, from migration.\v"
	       "Opens, loads and changes nothing. Exits with 1 when there is a problem.",
	.run = cmd_doctor_run,
};
