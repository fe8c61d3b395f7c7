// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/units.h"
#include "host/processes.h"
#include "host/sysfs.h"

void process_comm(const struct host *host, pid_t pid, char ret[PROCESS_COMM])
{
	_cleanup_free_ char *path = path_fmt("%s/%d/comm", host->proc, (int)pid);
	_cleanup_free_ char *text = NULL;
	size_t i;

	ret[0] = '\0';
	if (!path || read_text(AT_FDCWD, path, &text) < 0)
		return;
	for (i = 0; i < PROCESS_COMM - 1 && text[i]; i++) {
		ret[i] = text[i];
		if (ret[i] < ' ' || ret[i] > '~')
			ret[i] = '?';
	}
	ret[i] = '\0';
}

/* "TID (NAME) STATE ...": the name may have anything in it. */
char process_state(int dir, const char *path)
{
	_cleanup_free_ char *text = NULL;
	const char *end;

	if (read_text(dir, path, &text) < 0)
		return 0;
	end = strrchr(text, ')');
	if (!end || end[1] != ' ')
		return 0;
	return end[2];
}

pid_t process_leader(const struct host *host, pid_t tid)
{
	_cleanup_free_ char *path = path_fmt("%s/%d/status", host->proc, (int)tid);
	_cleanup_free_ char *text = NULL;
	static const char key[] = "\nTgid:";
	uint64_t leader = 0;
	const char *line;

	if (!path || read_text(AT_FDCWD, path, &text) < 0)
		return 0;
	line = strstr(text, key);
	(void)scan_uint(line ? line + strlen(key) : NULL, 10, INT_MAX, &leader);
	return (pid_t)leader;
}

struct process {
	pid_t pid, parent;
};

/* Every process of the system. */
struct table {
	struct process *v;
	size_t n, room;
};

static bool processes_add(struct table *t, pid_t pid, pid_t parent)
{
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 512;
		struct process *v = reallocarray(t->v, room, sizeof(*v));

		if (!v)
			return false;
		t->v = v;
		t->room = room;
	}
	t->v[t->n++] = (struct process){ pid, parent };
	return true;
}

/* "PID (COMM) STATE PARENT ...", and COMM may have anything in it. Return: 0 when it is gone. */
static pid_t processes_parent_of(int proc, const char *pid)
{
	_cleanup_free_ char *text = NULL;
	const char *end;
	char path[32];
	long parent;

	snprintf(path, sizeof(path), "%.16s/stat", pid);
	if (read_text(proc, path, &text) < 0)
		return 0;
	/* PID (NAME) STATE PARENT ...; the name may have anything in it, brackets too. */
	end = strrchr(text, ')');
	if (!end || strlen(end) < sizeof(") S ") - 1)
		return 0;
	parent = strtol(end + sizeof(") S ") - 1, NULL, 10);
	return parent > 0 && parent <= INT_MAX ? (pid_t)parent : 0;
}

static void processes_read_table(const struct host *host, struct table *t)
{
	DIR *dir = opendir(host->proc);
	const struct dirent *entry;
	uint64_t pid;
	pid_t parent;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (parse_uint(entry->d_name, 10, INT_MAX, &pid) < 0)
			continue;
		parent = processes_parent_of(dirfd(dir), entry->d_name);
		if (parent && !processes_add(t, (pid_t)pid, parent))
			break;
	}
	closedir(dir);
}

static bool processes_has(const struct processes *set, pid_t pid)
{
	for (size_t i = 0; set && i < set->n; i++)
		if (set->pids[i] == pid)
			return true;
	return false;
}

static void processes_take_children(const struct table *t, pid_t parent,
				    const struct processes *except, struct processes *ret)
{
	for (size_t i = 0; i < t->n && ret->n < PROCESSES_MAX; i++)
		if (t->v[i].parent == parent && !processes_has(except, t->v[i].pid) &&
		    !processes_has(ret, t->v[i].pid))
			ret->pids[ret->n++] = t->v[i].pid;
}

void processes_below(const struct host *host, pid_t root, const struct processes *except,
		     struct processes *ret)
{
	struct table t = { 0 };

	ret->n = 0;
	processes_read_table(host, &t);
	processes_take_children(&t, root, except, ret);
	for (size_t i = 0; i < ret->n; i++)
		processes_take_children(&t, ret->pids[i], except, ret);
	free(t.v);
}
