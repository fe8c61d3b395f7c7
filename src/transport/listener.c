// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* After <sys/socket.h>, which it needs and does not include. */
#include <linux/vm_sockets.h>

#include "base/io.h"
#include "base/macros.h"
#include "base/unix-socket.h"
#include "transport/address.h"
#include "transport/listener.h"
#include "transport/trust.h"

#define SOCKET_MODE 0600

struct listener {
	int fd;
	char *name;
	struct peer_options peers;
	struct trust trust; /* which peers may connect */
	const char *path; /* of a UNIX socket that is ours, else NULL; points into @name */
	struct stat file; /* what is at @path */
};

static int listener_local_address(int fd, struct address *ret)
{
	ret->len = sizeof(ret->sa);
	return getsockname(fd, (struct sockaddr *)&ret->sa, &ret->len) < 0 ? -errno : 0;
}

static struct address listener_reachable_vsock(const struct listener *l, const struct address *here)
{
	struct sockaddr_vm vm;

	memcpy(&vm, &here->sa, sizeof(vm));
	return vm.svm_cid == VMADDR_CID_ANY ? address_of_vsock_listener(l->trust.cid, vm.svm_port)
					    : *here;
}

static int listener_name_it(struct listener *l, const struct uri *uri, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	struct address here;
	int r;

	r = listener_local_address(l->fd, &here);
	if (r < 0)
		return err_set(err, r, "%s", uri->text);
	if (here.sa.ss_family == AF_VSOCK)
		here = listener_reachable_vsock(l, &here);
	l->name = strdup(here.sa.ss_family == AF_UNIX ? uri->text : address_text(&here, text));
	return l->name ? 0 : err_set(err, -ENOMEM, "%s", uri->text);
}

static int listener_bind_to(const struct address *a, int *ret_fd)
{
	_cleanup_fd_ int fd = -1;
	int one = 1, zero = 0;

	fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* The connections of the last run, still in TIME_WAIT, are no obstacle. */
	if (a->sa.ss_family != AF_VSOCK &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return -errno;
	/* The wildcard is IPv4's too, whatever the system's default (bindv6only). */
	if (a->sa.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) < 0)
		return -errno;
	/* A full backlog makes a good sender wait a second, until its system asks again. */
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The first address that is one of ours. */
static int listener_open_address(struct listener *l, const struct uri *uri,
				 const struct peer_options *opts, struct err *err)
{
	struct address list[ADDRESSES_MAX];
	int n, r = 0;

	if (uri->kind == URI_VSOCK)
		l->trust.cid = uri->cid;
	n = address_resolve(uri, true, NULL, list, err);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		r = address_allow(&list[i], peer_is_protected(opts), uri->text, err);
		if (r < 0)
			return r;
		r = listener_bind_to(&list[i], &l->fd);
		if (r >= 0)
			return listener_name_it(l, uri, err);
	}
	return err_set(err, r, "%s: cannot listen", uri->text);
}

static int listener_open_path(struct listener *l, const struct uri *uri, struct err *err)
{
	int r;

	r = unix_listen(uri->path, SOCKET_MODE, &l->fd, err);
	if (r == -EEXIST)
		return err_set(err, -EEXIST, "%s: not a socket", uri->text);
	if (r < 0)
		return err_set(err, r, "%s: cannot listen", uri->text);
	r = listener_name_it(l, uri, err);
	if (r < 0)
		return r;
	if (lstat(uri->path, &l->file) < 0)
		return err_set(err, -errno, "%s", uri->text);
	l->path = l->name + (uri->path - uri->text);
	return 0;
}

static int listener_get_option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value = 0;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -errno : value;
}

static int listener_check_inherited(const struct uri *uri, const struct peer_options *opts,
				    struct err *err)
{
	struct address here;
	int r;

	if (fcntl(uri->fd, F_GETFD) < 0)
		return err_fail(err, ERR_MISSING, -errno, "%s: not open here", uri->text);
	r = listener_get_option(uri->fd, SO_ACCEPTCONN);
	if (r < 0)
		return err_fail(err, ERR_USAGE, r, "%s: not a socket", uri->text);
	if (!r || listener_get_option(uri->fd, SO_TYPE) != SOCK_STREAM)
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: not a listening stream socket",
				uri->text);
	r = listener_local_address(uri->fd, &here);
	if (r < 0)
		return err_set(err, r, "%s", uri->text);
	return address_allow(&here, peer_is_protected(opts), uri->text, err);
}

/*
 * A socket that another process has bound: its file, if it has one, stays. The descriptor is taken,
 * so that listener_free() closes the socket as far as this process has it: a sender that connects
 * while a device is held must not wait for an accept() that never comes. O_NONBLOCK is set on the
 * description, which is shared: systemd has it so, and a peer may be gone again before accept().
 */
static int listener_open_inherited(struct listener *l, const struct uri *uri,
				   const struct peer_options *opts, struct err *err)
{
	int r;

	r = listener_check_inherited(uri, opts, err);
	if (r < 0)
		return r;
	r = fd_take(uri->fd, &l->fd);
	if (r < 0)
		return err_set(err, r, "%s", uri->text);
	if (fcntl(l->fd, F_SETFL, O_NONBLOCK) < 0)
		return err_set(err, -errno, "%s", uri->text);
	return listener_name_it(l, uri, err);
}

int listener_open(const struct uri *uri, const struct peer_options *opts, struct listener **ret,
		  struct err *err)
{
	_cleanup_(listener_freep) struct listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(err, -ENOMEM, "%s", uri->text);
	l->fd = -1;
	l->peers = *opts;
	l->trust = (struct trust){ .insecure = peer_is_protected(opts), .cid = TRUST_ANY_CID };
	if (uri->kind == URI_UNIX)
		r = listener_open_path(l, uri, err);
	else if (uri->kind == URI_FD)
		r = listener_open_inherited(l, uri, opts, err);
	else
		r = listener_open_address(l, uri, opts, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(l);
	return 0;
}

int listener_open_soon(const struct uri *uri, const struct peer_options *opts,
		       struct listener **ret, struct err *err)
{
	/* Few: at a UNIX socket each of them connects to what listens there. */
	static const int pauses_ms[] = { 100, 300, 600 };

	for (size_t i = 0;; i++) {
		int r = listener_open(uri, opts, ret, err);

		if (r != -EADDRINUSE || i == ARRAY_SIZE(pauses_ms))
			return r;
		*err = (struct err){ 0 };
		poll(NULL, 0, pauses_ms[i]);
	}
}

const char *listener_name(const struct listener *l)
{
	return l->name;
}

int listener_fd(const struct listener *l)
{
	return l->fd;
}

/* No peer, none any more, or one whose network has trouble: see accept(2). */
static bool listener_is_no_peer(int error)
{
	static const int errors[] = { EAGAIN,	    EINTR,	 ECONNABORTED, ENETDOWN,
				      EPROTO,	    ENOPROTOOPT, EHOSTDOWN,    ENONET,
				      EHOSTUNREACH, EOPNOTSUPP,	 ENETUNREACH,  EPERM };

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i] == error)
			return true;
	return false;
}

/* A UNIX socket's client has no address, but a process and a user. */
static void listener_name_peer(const struct listener *l, int fd, const struct address *from,
			       char *buf, size_t size)
{
	socklen_t len = sizeof(struct ucred);
	char text[ADDRESS_TEXT_MAX];
	struct ucred cred;

	if (from->sa.ss_family == AF_UNIX &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
		snprintf(buf, size, "%s (process %d of user %u)", l->name, (int)cred.pid, cred.uid);
	else
		snprintf(buf, size, "%s", address_text(from, text));
}

int listener_accept(struct listener *l, struct cancel *cancel, struct peer **ret, struct err *err)
{
	struct address from = { .len = sizeof(from.sa) };
	char name[256];
	int fd;

	fd = accept4(l->fd, (struct sockaddr *)&from.sa, &from.len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return listener_is_no_peer(errno) ? -EAGAIN
						  : err_set(err, -errno, "%s: accepting", l->name);
	listener_name_peer(l, fd, &from, name, sizeof(name));
	return peer_new(fd, name, &l->peers, cancel, ret, err);
}

int listener_check_peer(const struct listener *l, const struct peer *p, struct err *err)
{
	return trust_check(&l->trust, peer_fd(p), err);
}

/* A file that has come to @l->path since is not ours to remove. */
static void listener_remove_file(const struct listener *l)
{
	struct stat now;

	if (l->path && lstat(l->path, &now) == 0 && now.st_ino == l->file.st_ino &&
	    now.st_dev == l->file.st_dev)
		unlink(l->path);
}

struct listener *listener_free(struct listener *l)
{
	if (l) {
		listener_remove_file(l);
		if (l->fd >= 0)
			close(l->fd);
		free(l->name);
		free(l);
	}
	return NULL;
}
