// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "transport/lookup.h"

/**
 * struct lookup - a question, and its answer once @done is readable
 * @holders: the thread that asks and the one that waits; the last one frees it
 */
struct lookup {
	atomic_int holders;
	char *host, *port;
	int done;
	struct addrinfo *list;
	int eai, error;
};

static struct lookup *lookup_let_go(struct lookup *l)
{
	if (!l || atomic_fetch_sub(&l->holders, 1) > 1)
		return NULL;
	if (l->list)
		freeaddrinfo(l->list);
	if (l->done >= 0)
		close(l->done);
	free(l->host);
	free(l->port);
	free(l);
	return NULL;
}
DEFINE_CLEANUP(struct lookup *, lookup_let_go)

static void lookup_ask(struct lookup *l)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };

	l->eai = getaddrinfo(l->host, l->port, &hints, &l->list);
	l->error = errno;
	if (l->eai)
		l->list = NULL;
}

static void *lookup_thread(void *arg)
{
	struct lookup *l = arg;
	const uint64_t one = 1;

	lookup_ask(l);
	/* It is the only write to this eventfd, whose counter has room for it. */
	if (write(l->done, &one, sizeof(one)) < 0)
		l->eai = EAI_SYSTEM;
	lookup_let_go(l);
	return NULL;
}

static int lookup_start(struct lookup *l)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	r = pthread_attr_init(&attr);
	if (r)
		return -r;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	atomic_fetch_add(&l->holders, 1);
	r = pthread_create(&thread, &attr, lookup_thread, l);
	if (r)
		atomic_fetch_sub(&l->holders, 1);
	pthread_attr_destroy(&attr);
	return -r;
}

static struct lookup *lookup_new(const char *host, const char *port)
{
	_cleanup_(lookup_let_gop) struct lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	atomic_init(&l->holders, 1);
	l->host = strdup(host);
	l->port = strdup(port);
	l->done = eventfd(0, EFD_CLOEXEC);
	return l->host && l->port && l->done >= 0 ? TAKE_PTR(l) : NULL;
}

static int lookup_in_thread(struct lookup *l, struct cancel *cancel, struct err *err)
{
	int r;

	r = lookup_start(l);
	if (r < 0)
		return err_set(err, r, "looking up %s: pthread_create", l->host);
	return cancel_poll(cancel, l->done, POLLIN, err);
}

int lookup_run(const char *host, const char *port, struct cancel *cancel, struct addrinfo **ret,
	       int *ret_eai, struct err *err)
{
	_cleanup_(lookup_let_gop) struct lookup *l = lookup_new(host, port);
	int r;

	if (!l)
		return err_set(err, -errno, "looking up %s", host);
	if (cancel) {
		r = lookup_in_thread(l, cancel, err);
		if (r < 0)
			return r;
	} else {
		lookup_ask(l);
	}
	*ret = TAKE_PTR(l->list);
	*ret_eai = l->eai;
	errno = l->error;
	return 0;
}
