/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Descriptors that a service manager, or another program that execs this one, has opened for it
 *
 * They are 3, 4 and so on. LISTEN_PID is the process that they are for, LISTEN_FDS their number,
 * LISTEN_FDNAMES their names with ':' between them: sd_listen_fds(3). A name is printable ASCII
 * without ':' (base/fd-name.h).
 */

#include <sys/types.h>

#include "base/err.h"

#define LISTEN_FDS_START 3

/* More than any manager passes. */
#define LISTEN_FDS_MAX 1024u

/**
 * struct listen_fds - what there is
 * @n: how many, from LISTEN_FDS_START on
 * @names: of each, "unknown" where none has a name; listen_fds_done() frees them
 */
struct listen_fds {
	unsigned int n;
	char **names;
};

/** struct listen_fds_env - the three variables, NULL for one that is not set */
struct listen_fds_env {
	const char *pid, *fds, *names;
};

/**
 * listen_fds_parse() - pure
 * @self: this process
 * @ret: set to nothing but on success
 *
 * Return: 0, with none in @ret where the variables are not set or for another process; -EINVAL for
 * what sd_listen_fds(3) does not allow; -ENOMEM.
 */
_must_check_ int listen_fds_parse(const struct listen_fds_env *env, pid_t self,
				  struct listen_fds *ret, struct err *err);

void listen_fds_done(struct listen_fds *l);

/**
 * listen_fds_take() - for the start of main()
 *
 * They get O_CLOEXEC and the variables are removed, so that no command that this process runs has
 * them by accident. A mistake in the variables is kept for listen_fds().
 */
void listen_fds_take(void);

/** listen_fds() - what listen_fds_take() has taken. Return: 0; why that failed. */
_must_check_ int listen_fds(const struct listen_fds **ret, struct err *err);

/** listen_fds_why_none() - why a name is none, where no descriptor was taken; static */
const char *listen_fds_why_none(void);

/**
 * listen_fds_find() - the one descriptor of a name
 * @name: as in LISTEN_FDNAMES
 * @ret: the descriptor, which stays this module's
 *
 * Return: 0; -ENOENT (ERR_MISSING), the text listing the names that there are, or (ERR_USAGE) with
 * none at all; -EINVAL (ERR_USAGE) when several have it, the text listing their numbers; why
 * listen_fds_take() failed.
 */
_must_check_ int listen_fds_find(const char *name, int *ret, struct err *err);

/**
 * struct listen_fds_given - what listen_fds_give() has put in the place of what
 * @saved: copies of what was open under each number, -1 for nothing; @flags: FD_CLOEXEC or not
 */
struct listen_fds_given {
	unsigned int n;
	int saved[LISTEN_FDS_MAX];
	int flags[LISTEN_FDS_MAX];
};

/**
 * listen_fds_give() - pass descriptors to what this process executes next
 * @fds: @n of them; they stay the caller's, but for those whose number another one gets
 * @names: of each, by fd_name_valid()
 * @ret: listen_fds_take_back(), if nothing was executed after all
 *
 * They are inherited as LISTEN_FDS_START and so on, whatever was open there, and announced in the
 * environment. With none of them the environment announces nothing.
 *
 * Return: 0; -E2BIG for too many; -ENOMEM; -EMFILE and the like, with nothing changed.
 */
_must_check_ int listen_fds_give(const int *fds, const char *const *names, unsigned int n,
				 struct listen_fds_given *ret, struct err *err);

/** listen_fds_take_back() - everything is as it was before. */
void listen_fds_take_back(struct listen_fds_given *given);
