// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "engine/bind.h"
#include "host/module.h"
#include "host/pci-driver.h"
#include "host/sysfs.h"

#define BIND_RECORD_KIND "driver"

/*
 * The facts
 */

static int bind_lock(struct bind *b, struct err *err)
{
	const char *name = b->node->name;

	b->lock = open(b->node->sysfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->lock < 0)
		return err_set(err, -errno, "%s", b->node->sysfs);
	if (flock(b->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return err_set(err, -errno, "%s: lock", b->node->sysfs);
	err_fail(err, ERR_UNSUPPORTED, -EBUSY, "%s: another process is binding it", name);
	return err_hint(err, -EBUSY, "try again when that is over");
}

static int bind_look_at_driver(struct bind *b, struct err *err)
{
	_cleanup_free_ char *driver = NULL;
	int r = sysfs_link_name(b->node->sysfs, "driver", &driver);

	if (r < 0 && r != -ENOENT)
		return err_set(err, r, "%s: driver", b->node->name);
	snprintf(b->found, sizeof(b->found), "%s", driver ? driver : "");
	return 0;
}

static int bind_look_at_record(struct bind *b, struct err *err)
{
	int r = run_record_read(b->options->records, BIND_RECORD_KIND, b->node, &b->record, err);

	if (r < 0)
		return r;
	b->facts.past = r == RUN_RECORD_NONE ? BIND_PAST_NONE
			: b->record.moving   ? BIND_PAST_CUT
					     : BIND_PAST_DONE;
	return 0;
}

/* Of a rule that has outlived its record, driver_override is left over at every boot. */
static int bind_look_at_rule(struct bind *b, struct err *err)
{
	int r = udev_rule_read(b->options->rules, b->node, &b->rule, &b->rule_text, err);

	if (r < 0)
		return r;
	if (r == UDEV_RULE_NONE || b->facts.past != BIND_PAST_NONE)
		return 0;
	b->facts.past = BIND_PAST_CUT;
	b->record = (struct run_record){ .moving = true };
	snprintf(b->record.found, sizeof(b->record.found), "%s", b->rule.found);
	return 0;
}

static int bind_choose_module(struct bind *b, struct err *err)
{
	int r = module_choose(b->options->host, b->node, &b->choice, err);

	if (r < 0)
		return r;
	if (r == MODULE_NONE) {
		err_fail(err, ERR_UNSUPPORTED, -ENODEV, "%s: no module of VFIO's is for it",
			 b->node->name);
		return err_hint(err, -ENODEV, "--driver=vfio-pci has any, and migrates none");
	}
	snprintf(b->module, sizeof(b->module), "%s", b->choice.module);
	return 0;
}

/* A module loaded already, or as a name alone: its driver's name is not known before. */
static int bind_resolve_module(struct bind *b, struct err *err)
{
	_cleanup_free_ char *driver = NULL;
	struct err why = { 0 };
	int r = module_driver(b->options->host, b->module, &driver, &why);

	if (r == -ENODEV) {
		snprintf(b->target, sizeof(b->target), "%s", b->module);
		return 0;
	}
	if (r < 0) {
		*err = why;
		return err_prefix(err, r, "%s", b->node->name);
	}
	snprintf(b->target, sizeof(b->target), "%s", driver);
	b->module[0] = '\0';
	return 0;
}

static int bind_look_at_target(struct bind *b, struct err *err)
{
	const char *name = b->options->want == BIND_WANT_BACK ? b->record.found
							      : b->options->driver;
	_cleanup_free_ char *path = NULL;
	int r;

	if (b->options->want == BIND_WANT_NONE || (name && !*name))
		return 0;
	if (!name) {
		r = bind_choose_module(b, err);
		return r < 0 ? r : bind_resolve_module(b, err);
	}
	path = path_fmt("%s/bus/pci/drivers", b->options->host->sys);
	if (!path)
		return err_set(err, -ENOMEM, "%s", b->node->name);
	if (path_exists(path, name)) {
		snprintf(b->target, sizeof(b->target), "%s", name);
		return 0;
	}
	snprintf(b->module, sizeof(b->module), "%s", name);
	return bind_resolve_module(b, err);
}

static int bind_refuse(const struct bind *b, enum bind_verdict verdict, struct err *err)
{
	if (verdict == BIND_NO_RECORD) {
		err_fail(err, ERR_MISSING, -ENOENT, "%s: there is no record of another driver",
			 b->node->name);
		return err_hint(err, -ENOENT, "vfiomigctl bind --driver says which");
	}
	err_fail(err, ERR_UNSUPPORTED, -EBUSY, "%s: in use: %s%s", b->node->name, b->uses.v[0],
		 b->uses.n > 1 ? ", ..." : "");
	return err_hint(err, -EBUSY, "end that, or --force takes it from its driver nevertheless");
}

static int bind_look_at_all(struct bind *b, struct err *err)
{
	const struct bind_options *o = b->options;
	int r;

	r = bind_lock(b, err);
	if (r < 0)
		return r;
	r = bind_look_at_driver(b, err);
	if (r < 0)
		return r;
	r = bind_look_at_record(b, err);
	if (r < 0)
		return r;
	r = bind_look_at_rule(b, err);
	if (r < 0)
		return r;
	r = pci_uses_find(o->host, b->node, &b->uses, err);
	if (r < 0)
		return r;
	if (b->node->group >= 0)
		r = vfio_nodes_in_group(o->host, b->node->group, &b->group, err);
	return r < 0 ? r : bind_look_at_target(b, err);
}

int bind_look(const struct bind_options *options, struct vfio_node *node, struct bind *ret,
	      struct err *err)
{
	enum bind_verdict verdict;
	int r;

	*ret = (struct bind){
		.options = options,
		.node = node,
		.facts = { .want = options->want, .term = options->term, .force = options->force },
		.lock = -1,
	};
	r = bind_look_at_all(ret, err);
	if (r < 0)
		return r;
	ret->facts.used = ret->uses.n > 0;
	ret->facts.to_none = !ret->target[0];
	ret->facts.now = !ret->found[0]				? BIND_NOW_NONE
			 : strcmp(ret->found, ret->target) == 0 ? BIND_NOW_TARGET
								: BIND_NOW_OTHER;
	ret->facts.rule = !ret->rule_text			       ? BIND_RULE_NONE
			  : strcmp(ret->rule.driver, ret->target) == 0 ? BIND_RULE_SAME
								       : BIND_RULE_OTHER;
	verdict = bind_plan(&ret->facts, &ret->steps);
	return verdict == BIND_READY ? 0 : bind_refuse(ret, verdict, err);
}

void bind_done(struct bind *b)
{
	pci_uses_done(&b->uses);
	vfio_nodes_done(&b->group);
	b->rule_text = mfree(b->rule_text);
	b->node = vfio_node_free(b->node);
	fd_closep(&b->lock);
	b->lock = -1;
}

/*
 * The steps
 */

static int bind_load(struct bind *b, struct err *err)
{
	const struct bind_options *o = b->options;
	_cleanup_free_ char *driver = NULL;
	int r;

	if (!b->module[0] || !(b->steps & BIND_BIND))
		return 0;
	r = module_load(o->host, b->module, err);
	if (r < 0)
		return err_prefix(err, r, "%s", b->node->name);
	r = module_driver(o->host, b->module, &driver, err);
	if (r < 0)
		return err_prefix(err, r, "%s", b->node->name);
	snprintf(b->target, sizeof(b->target), "%s", driver);
	b->module[0] = '\0';
	return 0;
}

static int bind_write_record(struct bind *b, bool moving, struct err *err)
{
	b->record.moving = moving;
	return run_record_write(b->options->records, BIND_RECORD_KIND, b->node, &b->record, err);
}

static int bind_record(struct bind *b, struct err *err)
{
	_cleanup_free_ char *override = NULL;
	int r = pci_driver_get_override(b->node, &override, err);

	if (r < 0)
		return r;
	if (b->facts.past == BIND_PAST_NONE)
		memcpy(b->record.found, b->found, sizeof(b->found));
	snprintf(b->record.override, sizeof(b->record.override), "%s", override);
	return bind_write_record(b, true, err);
}

static int bind_forget(struct bind *b, struct err *err)
{
	return run_record_remove(b->options->records, BIND_RECORD_KIND, b->node, err);
}

/* Of a driver that is built in there is no such link. */
static int bind_find_module(const struct bind *b, char ret[UDEV_RULE_TEXT], struct err *err)
{
	_cleanup_free_ char *driver =
		path_fmt("%s/bus/pci/drivers/%s", b->options->host->sys, b->target);
	_cleanup_free_ char *module = NULL;
	int r = driver ? sysfs_link_name(driver, "module", &module) : -ENOMEM;

	if (r < 0 && r != -ENOENT)
		return err_set(err, r, "%s: module", b->target);
	snprintf(ret, UDEV_RULE_TEXT, "%s", module ? module : "");
	return 0;
}

int bind_rule_text(const struct bind *b, char **ret, struct err *err)
{
	const char *found = b->facts.past == BIND_PAST_NONE ? b->found : b->record.found;
	struct udev_rule rule;
	int r;

	*ret = NULL;
	if (b->module[0])
		return 0;
	snprintf(rule.driver, sizeof(rule.driver), "%s", b->target);
	snprintf(rule.found, sizeof(rule.found), "%s", found);
	r = bind_find_module(b, rule.module, err);
	return r < 0 ? r : udev_rule_text(b->options->host, b->node, &rule, ret, err);
}

static int bind_keep(const struct bind *b, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	int r = bind_rule_text(b, &text, err);

	return r < 0 ? r : udev_rule_write(b->options->rules, b->node, text, b->rule_text, err);
}

static int bind_take(struct bind *b, enum bind_step step, struct err *err)
{
	switch (step) {
	case BIND_MEND:
		return pci_driver_set_override(b->node, b->record.override, err);
	case BIND_RECORD:
		return bind_record(b, err);
	case BIND_UNBIND:
		return pci_driver_unbind(b->options->host, b->node, err);
	case BIND_BIND:
		return pci_driver_bind(b->options->host, b->node, b->target, err);
	case BIND_KEEP:
		return bind_keep(b, err);
	case BIND_DROP:
		return udev_rule_remove(b->options->rules, b->node, err);
	case BIND_SETTLE:
		return bind_write_record(b, false, err);
	case BIND_FORGET:
		return bind_forget(b, err);
	}
	return 0;
}

static int bind_take_all(struct bind *b, struct err *err)
{
	for (unsigned int i = 0; i < BIND_STEPS; i++) {
		enum bind_step step = 1u << i;
		int r;

		if (!(b->steps & step))
			continue;
		r = bind_take(b, step, err);
		if (r < 0)
			return r;
		b->taken |= step;
	}
	return 0;
}

/*
 * The way back
 */

static int bind_undo_rule(const struct bind *b, struct err *err)
{
	_cleanup_free_ char *text = NULL;

	if (!b->rule_text)
		return udev_rule_remove(b->options->rules, b->node, err);
	/* read_text() takes the newline of the last line. */
	text = path_fmt("%s\n", b->rule_text);
	if (!text)
		return err_set(err, -ENOMEM, "%s", b->node->name);
	return udev_rule_write(b->options->rules, b->node, text, true, err);
}

static int bind_undo_step(struct bind *b, enum bind_step step, struct err *err)
{
	switch (bind_step_undo(step)) {
	case BIND_UNDO_BIND:
		return pci_driver_bind(b->options->host, b->node, b->found, err);
	case BIND_UNDO_UNBIND:
		return pci_driver_unbind(b->options->host, b->node, err);
	case BIND_UNDO_RULE:
		return bind_undo_rule(b, err);
	case BIND_UNDO_RECORD:
		return b->facts.past == BIND_PAST_NONE ? bind_forget(b, err)
						       : bind_write_record(b, false, err);
	case BIND_UNDO_NOTHING:
		break;
	}
	return 0;
}

/* A record that was removed is what the way back from here is known by. */
static int bind_undo(struct bind *b, struct err *err)
{
	int r;

	if (b->taken & BIND_FORGET) {
		r = bind_write_record(b, true, err);
		if (r < 0)
			return r;
	}
	for (unsigned int i = BIND_STEPS; i-- > 0;) {
		if (!(b->taken & 1u << i))
			continue;
		r = bind_undo_step(b, 1u << i, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void bind_go_back(struct bind *b, size_t n, int code, struct err *err)
{
	bool changed = false;

	while (n-- > 0) {
		char reason[ERR_REASON_MAX];
		struct err why = { 0 };

		if (bind_undo(&b[n], &why) < 0) {
			err->kind = ERR_DEVICE;
			err_note(err, code, "not all could be undone: %s%s", why.text,
				 err_reason(&why, reason));
			return;
		}
		changed |= bind_changes(b[n].taken);
	}
	if (changed)
		err_note(err, code, "every device has the driver again that it had");
}

int bind_run(struct bind *b, size_t n, struct err *err)
{
	int r;

	for (size_t i = 0; i < n; i++) {
		r = bind_load(&b[i], err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n; i++) {
		r = bind_take_all(&b[i], err);
		if (r >= 0)
			continue;
		bind_go_back(b, i + 1, r, err);
		return r;
	}
	return 0;
}
