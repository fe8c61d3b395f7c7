// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/units.h"
#include "engine/vfs.h"
#include "host/run-record.h"
#include "host/sysfs.h"
#include "ui/session.h"
#include "cmd/cmd.h"

/**
 * struct cmd_vfs_args
 * @looked: @vfs has the facts
 * @wanted: valid where @word is given
 */
struct cmd_vfs_args {
	struct invocation *inv;
	const char *spec, *word;
	bool force, dry_run;

	uint64_t wanted;
	struct vfio_node *node;
	struct vfs vfs;
	bool looked, changed;
	struct cancel cancel;
};

static void cmd_vfs_view(FILE *f, struct json_object *report)
{
	/* No number was given. */
	const bool shown = !json_object_object_get_ex(report, "changed", NULL);
	const struct report_row rows[] = {
		{ "address", "device", REPORT_TEXT },
		{ "vfs_found", shown ? "VFs" : "VFs before", REPORT_TEXT },
		{ "vfs_total", "VFs at most", REPORT_TEXT },
		{ "steps.0", "would", REPORT_TEXT },
		{ "steps.1", "then", REPORT_TEXT },
		{ "steps.2", "then", REPORT_TEXT },
	};
	static const struct report_row columns[] = {
		{ "number", "VF", REPORT_TEXT },
		{ "address", "DEVICE", REPORT_TEXT },
		{ "driver", "DRIVER", REPORT_TEXT },
		{ "iommu_group", "GROUP", REPORT_TEXT },
	};
	struct json_object *list;

	report_lines(f, report, rows, ARRAY_SIZE(rows));
	if (json_object_object_get_ex(report, "vfs", &list))
		report_table(f, list, columns, ARRAY_SIZE(columns));
}

static void cmd_vfs_render_list(struct json_object *o, const struct vfs *v)
{
	struct json_object *list = report_array(o, "vfs");
	char address[PCI_ADDRESS_MAX];

	for (unsigned int i = 0; i < v->facts.total; i++) {
		_cleanup_(vfio_node_freep) struct vfio_node *vf = NULL;
		struct json_object *item;

		if (pci_vf_address(v->host, v->node->name, i, address) < 0)
			continue;
		item = report_append(list);
		report_uint(item, "number", i);
		report_string(item, "address", address);
		if (vfio_node_resolve(v->host, address, &vf, NULL) < 0)
			vf = NULL;
		report_string(item, "driver", vf ? vf->driver : NULL);
		if (vf && vf->group >= 0)
			report_int(item, "iommu_group", vf->group);
		else
			report_null(item, "iommu_group");
	}
}

static void cmd_vfs_render_steps(struct json_object *o, const struct vfs *v)
{
	struct json_object *list = report_array(o, "steps");
	char text[64];

	report_bool(o, "dry_run", true);
	if (v->steps & VFS_MEND)
		report_append_string(list, "set sriov_drivers_autoprobe back");
	if (v->steps & VFS_REMOVE) {
		snprintf(text, sizeof(text), "remove %u VFs", v->facts.now);
		report_append_string(list, text);
	}
	if (v->steps & VFS_MAKE) {
		snprintf(text, sizeof(text), "make %u VFs without a driver", v->facts.want);
		report_append_string(list, text);
	}
}

static void cmd_vfs_render(const struct cmd_vfs_args *a)
{
	struct json_object *o = a->inv->report;

	if (!a->looked)
		return;
	report_string(o, "address", a->node->name);
	report_uint(o, "vfs_found", a->vfs.facts.now);
	report_uint(o, "vfs_total", a->vfs.facts.total);
	if (a->word)
		report_bool(o, "changed", a->changed);
	if (a->dry_run)
		cmd_vfs_render_steps(o, &a->vfs);
	cmd_vfs_render_list(o, &a->vfs);
}

static int cmd_vfs_work(void *ctx, struct err *err)
{
	struct cmd_vfs_args *a = ctx;
	int r;

	r = vfs_look(&a->vfs, err);
	if (r < 0)
		return r;
	a->looked = true;
	if (!a->word)
		return 0;
	r = vfs_prepare(&a->vfs, (unsigned int)a->wanted, a->force, err);
	if (r < 0 || a->dry_run)
		return r;
	r = cancel_check(&a->cancel, err);
	if (r < 0)
		return r;
	cancel_call_begin(&a->cancel, "VFs of %s", a->node->name);
	r = vfs_run(&a->vfs, &a->cancel, err);
	cancel_call_end(&a->cancel);
	a->changed = a->vfs.facts.now != a->wanted;
	if (r == -EACCES || r == -EPERM)
		return err_hint(err, r, "run it as root");
	return r;
}

static void cmd_vfs_parse(struct cmd_vfs_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "force", .flag = &a->force, .doc = "remove VFs although something uses them" },
		{ "dry-run", .flag = &a->dry_run, .doc = "say what would be done, change nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = {
		{ "DEV", .text = &a->spec },
		{ "N", .text = &a->word, .optional = true },
		{ 0 },
	};

	cmd_parse(a->inv, &(struct cmd_line){ .opts = opts, .args = args }, argc, argv);
	if (a->word && parse_uint(a->word, 10, UINT16_MAX, &a->wanted) < 0)
		opts_misuse(a->inv->program, "N is a number of VFs, 0 to %u, not '%s'", UINT16_MAX,
			    a->word);
}

static int cmd_vfs_run_session(struct cmd_vfs_args *a, struct err *err)
{
	struct progress progress = cmd_progress(a->inv, NULL, a->node->name);
	int r;

	r = cancel_init(&a->cancel, err);
	if (r < 0)
		return r;
	r = session_run(cmd_vfs_work, a, &a->cancel, &progress, err);
	cancel_done(&a->cancel);
	return r;
}

static int cmd_vfs_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_vfs_args a = { .inv = inv };
	int r;

	cmd_vfs_parse(&a, argc, argv);
	inv->view = cmd_vfs_view;
	inv->acts = a.word && !a.dry_run;
	r = vfio_node_resolve(&host_live, a.spec, &a.node, err);
	if (r < 0)
		return r;
	a.vfs = (struct vfs){
		.host = &host_live, .records = RUN_RECORD_DIR, .node = a.node, .lock = -1
	};
	r = cmd_vfs_run_session(&a, err);
	cmd_vfs_render(&a);
	vfs_done(&a.vfs);
	vfio_node_free(a.node);
	return r;
}

const struct command cmd_vfs = {
	.name = "vfs",
	.args_doc = "DEV [N]",
	.summary = "show the VFs of a device, or make them",
	.doc = "Show the VFs of a physical function, or make N of them, without a driver.\v"
	       "The kernel changes their number by way of none: all VFs that there are go first. "
	       "0 removes them.",
	.run = cmd_vfs_run,
};
