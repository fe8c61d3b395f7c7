// SPDX-License-Identifier: GPL-2.0-or-later
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "host/lender.h"
#include "host/processes.h"
#include "host/sysfs.h"

#define LENDER_COMM "vfiomigctl"

/* /proc/net/unix: net/unix/af_unix.c; __SO_ACCEPTCON, and SOCK_SEQPACKET */
#define LENDER_LISTENS 0x10000u
#define LENDER_SEQPACKET 5u

const char *lender_parse(const char *line, unsigned long *ret_inode)
{
	uint64_t references, protocol, flags, type, state, inode;
	const char *at = strchr(line, ':');

	/* Num: RefCount Protocol Flags Type St Inode Path */
	at = scan_uint(at ? at + 1 : NULL, 16, UINT64_MAX, &references);
	at = scan_uint(at, 16, UINT64_MAX, &protocol);
	at = scan_uint(at, 16, UINT64_MAX, &flags);
	at = scan_uint(at, 16, UINT64_MAX, &type);
	at = scan_uint(at, 16, UINT64_MAX, &state);
	at = scan_uint(at, 10, ULONG_MAX, &inode);
	if (!at)
		return NULL;
	*ret_inode = inode;
	if (!(flags & LENDER_LISTENS) || type != LENDER_SEQPACKET)
		return NULL;
	at += strspn(at, " ");
	/* "@" is one of the abstract name space. */
	return *at && *at != '@' ? at : NULL;
}

static bool lender_has(const struct host *host, pid_t pid, unsigned long inode)
{
	_cleanup_free_ char *path = path_fmt("%s/%d/fd", host->proc, (int)pid);
	_cleanup_(closedirp) DIR *dir = path ? opendir(path) : NULL;
	char wanted[48], link[48];
	const char *name;

	snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	while (dir && (name = dir_next(dir))) {
		ssize_t n = readlinkat(dirfd(dir), name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		if (!strcmp(link, wanted))
			return true;
	}
	return false;
}

static char *lender_complete(const struct host *host, pid_t pid, const char *path)
{
	_cleanup_free_ char *link = path_fmt("%s/%d/cwd", host->proc, (int)pid);
	char folder[PATH_MAX];
	ssize_t n;

	if (path[0] == '/' || !link)
		return strdup(path);
	n = readlink(link, folder, sizeof(folder) - 1);
	if (n <= 0)
		return strdup(path);
	folder[n] = '\0';
	return path_fmt("%s/%s", folder, path);
}

static char *lender_find(const struct host *host, pid_t pid, FILE *sockets)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, sockets) > 0) {
		unsigned long inode;
		const char *path;

		line[strcspn(line, "\n")] = '\0';
		path = lender_parse(line, &inode);
		if (path && lender_has(host, pid, inode))
			return lender_complete(host, pid, path);
	}
	return NULL;
}

char *lender_socket(const struct host *host, pid_t pid)
{
	/* The sockets of its own network namespace. */
	_cleanup_free_ char *file = path_fmt("%s/%d/net/unix", host->proc, (int)pid);
	char comm[PROCESS_COMM];
	FILE *sockets;
	char *found;

	process_comm(host, pid, comm);
	if (strcmp(comm, LENDER_COMM) != 0 || !file)
		return NULL;
	sockets = fopen(file, "re");
	if (!sockets)
		return NULL;
	found = lender_find(host, pid, sockets);
	fclose(sockets);
	return found;
}
