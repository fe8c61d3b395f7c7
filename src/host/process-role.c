// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/printable.h"
#include "host/process-role.h"
#include "host/sysfs.h"

static bool process_role_ends(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n > m && strcmp(text + n - m, end) == 0;
}

static void process_role_keep(char ret[PROCESS_ROLE_NAME], const char *text, size_t n)
{
	snprintf(ret, PROCESS_ROLE_NAME, "%.*s", (int)n, text);
	make_printable(ret);
}

/*
 * "kubepods-burstable-pod0f1e_....slice" where systemd makes the cgroups, which has no dash in its
 * names; "pod0f1e-..." below "kubepods" where kubelet does.
 */
static void process_role_take_pod(const char *part, bool in_pods, struct process_role *ret)
{
	const char *pod = strstr(part, "-pod");

	if (in_pods && strncmp(part, "pod", 3) == 0)
		process_role_keep(ret->pod, part + 3, strlen(part + 3));
	else if (strncmp(part, "kubepods", 8) == 0 && pod && process_role_ends(pod, ".slice"))
		process_role_keep(ret->pod, pod + 4, strlen(pod + 4) - strlen(".slice"));
	else
		return;
	for (char *c = ret->pod; *c; c++)
		if (*c == '_')
			*c = '-';
}

/* "/machine.slice/machine-qemu\x2d1\x2dweb.scope/libvirt/emulator": its last unit. */
static void process_role_read_cgroup(char *path, struct process_role *ret)
{
	bool in_pods = false;
	char *part;

	while ((part = strsep(&path, "/"))) {
		if (process_role_ends(part, ".service") || process_role_ends(part, ".scope"))
			process_role_keep(ret->unit, part, strlen(part));
		process_role_take_pod(part, in_pods, ret);
		in_pods = in_pods || strncmp(part, "kubepods", 8) == 0;
	}
	ret->libvirt = strncmp(ret->unit, "machine-qemu", strlen("machine-qemu")) == 0;
}

/* Of version 2, which has the line "0::", or of systemd's own hierarchy of version 1. */
static void process_role_find_cgroup(char *text, struct process_role *ret)
{
	static const char systemd[] = ":name=systemd:";
	char *line, *at;

	while ((line = strsep(&text, "\n"))) {
		if (strncmp(line, "0::/", 4) == 0)
			process_role_read_cgroup(line + 3, ret);
		else if ((at = strstr(line, systemd)))
			process_role_read_cgroup(at + strlen(systemd), ret);
		if (*ret->unit || *ret->pod)
			return;
	}
}

/* "-name web", "-name guest=web,debug-threads=on" */
static void process_role_take_vm(const char *name, struct process_role *ret)
{
	if (strncmp(name, "guest=", 6) == 0)
		name += 6;
	process_role_keep(ret->vm, name, strcspn(name, ","));
}

static void process_role_find_vm(FILE *f, struct process_role *ret)
{
	_cleanup_free_ char *word = NULL;
	bool is_qemu = false, name_follows = false;
	size_t room = 0;

	for (int i = 0; i < 4096 && getdelim(&word, &room, '\0', f) > 0; i++) {
		if (i == 0) {
			const char *base = path_base(word);

			is_qemu = strncmp(base, "qemu", 4) == 0 || strcmp(base, "kvm") == 0;
		}
		if (!is_qemu)
			return;
		if (name_follows)
			process_role_take_vm(word, ret);
		name_follows = strcmp(word, "-name") == 0 || strcmp(word, "--name") == 0;
	}
}

void process_role_find(const struct host *host, pid_t pid, struct process_role *ret)
{
	_cleanup_free_ char *cgroup = path_fmt("%s/%d/cgroup", host->proc, (int)pid);
	_cleanup_free_ char *cmdline = path_fmt("%s/%d/cmdline", host->proc, (int)pid);
	_cleanup_free_ char *text = NULL;
	FILE *f;

	*ret = (struct process_role){ 0 };
	if (cgroup && read_text(AT_FDCWD, cgroup, &text) == 0)
		process_role_find_cgroup(text, ret);
	f = cmdline ? fopen(cmdline, "re") : NULL;
	if (!f)
		return;
	process_role_find_vm(f, ret);
	fclose(f);
}
