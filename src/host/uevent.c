// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "base/units.h"
#include "host/sysfs.h"
#include "host/uevent.h"

#define UEVENT_GROUP_KERNEL 1u

/* The default holds some 200 events: fewer than what making a few hundred VFs sends. */
#define UEVENT_SOCKET_BUFFER (1 << 20)

struct uevents {
	struct nl_sock *sk;
	unsigned char *message; /* the last one that was read */
};

/* Return: the value if @text is KEY=VALUE with that key, else NULL. */
static const char *uevent_value(const char *text, const char *key)
{
	size_t n = strlen(key);

	return strncmp(text, key, n) == 0 && text[n] == '=' ? text + n + 1 : NULL;
}

static void uevent_take(struct uevent *event, const char *text)
{
	const struct {
		const char *key, **to;
	} wanted[] = {
		{ "SUBSYSTEM", &event->subsystem },
		{ "DRIVER", &event->driver },
		{ "DEVNAME", &event->devname },
	};
	const char *value;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if ((value = uevent_value(text, wanted[i].key)))
			*wanted[i].to = value;
	if ((value = uevent_value(text, "SEQNUM")) &&
	    parse_uint(value, 10, UINT64_MAX, &event->seqnum) < 0)
		event->seqnum = 0;
	event->synthetic |= uevent_value(text, "SYNTH_UUID") != NULL;
}

/* Every action that the kernel has. Return: what stands behind "ACTION@", or NULL. */
static const char *uevent_take_action(struct uevent *event, const char *text)
{
	static const char *const actions[] = { "add",  "remove", "change",  "move",
					       "bind", "unbind", "offline", "online" };

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		size_t n = strlen(actions[i]);

		if (strncmp(text, actions[i], n) != 0 || text[n] != '@')
			continue;
		event->action = actions[i];
		return text + n + 1;
	}
	return NULL;
}

int uevent_parse(const char *message, size_t len, struct uevent *ret)
{
	const char *text = message;

	*ret = (struct uevent){ 0 };
	if (!len || message[len - 1] != '\0')
		return -EBADMSG;
	ret->devpath = uevent_take_action(ret, text);
	if (!ret->devpath || *ret->devpath != '/')
		return -EBADMSG;
	while ((text += strlen(text) + 1) < message + len)
		uevent_take(ret, text);
	return 0;
}

/* "/devices/pci0000:00/0000:00:03.0/0000:01:10.0/vfio-dev/vfio0" */
void uevent_device(const struct uevent *event, char ret[UEVENT_DEVICE_MAX])
{
	const char *end = event->devpath + strlen(event->devpath), *class, *start;

	if (event->subsystem && strcmp(event->subsystem, "vfio-dev") == 0) {
		class = strstr(event->devpath, "/vfio-dev/");
		end = class ? class : end;
	}
	for (start = end; start > event->devpath && start[-1] != '/';)
		start--;
	ret[0] = '\0';
	if ((size_t)(end - start) >= UEVENT_DEVICE_MAX)
		return;
	memcpy(ret, start, (size_t)(end - start));
	ret[end - start] = '\0';
}

bool uevent_trusted(uint32_t pid, uint32_t groups, int64_t uid)
{
	return pid == 0 && groups == UEVENT_GROUP_KERNEL && uid == 0;
}

static int uevent_fail(int r, int code, const char *what, struct err *err)
{
	/* libnl's code says less than errno, which it leaves as the system call has set it. */
	return err_set(err, code ? -code : r == -NLE_NOMEM ? -ENOMEM : -EIO, "uevents: %s", what);
}

static int uevent_connect(struct uevents *u, struct err *err)
{
	int r;

	nl_socket_disable_seq_check(u->sk);
	nl_join_groups(u->sk, UEVENT_GROUP_KERNEL);
	nl_socket_set_msg_buf_size(u->sk, UEVENT_MAX);
	errno = 0;
	r = nl_connect(u->sk, NETLINK_KOBJECT_UEVENT);
	if (r < 0)
		return uevent_fail(r, errno, "socket", err);
	r = nl_socket_set_passcred(u->sk, 1);
	if (r < 0)
		return uevent_fail(r, errno, "SO_PASSCRED", err);
	r = nl_socket_set_nonblocking(u->sk);
	if (r < 0)
		return uevent_fail(r, errno, "O_NONBLOCK", err);
	if (fcntl(nl_socket_get_fd(u->sk), F_SETFD, FD_CLOEXEC) < 0)
		return err_set(err, -errno, "uevents: socket");
	/* As much as the system allows: what does not fit is an overrun, and said so. */
	r = nl_socket_set_buffer_size(u->sk, UEVENT_SOCKET_BUFFER, 0);
	return r < 0 ? uevent_fail(r, errno, "SO_RCVBUF", err) : 0;
}

int uevents_open(struct uevents **ret, struct err *err)
{
	_cleanup_(uevents_closep) struct uevents *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return err_set(err, -ENOMEM, "uevents");
	u->sk = nl_socket_alloc();
	if (!u->sk)
		return err_set(err, -ENOMEM, "uevents");
	r = uevent_connect(u, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(u);
	return 0;
}

struct uevents *uevents_close(struct uevents *u)
{
	if (!u)
		return NULL;
	if (u->sk)
		nl_socket_free(u->sk);
	free(u->message);
	free(u);
	return NULL;
}

int uevents_fd(const struct uevents *u)
{
	return nl_socket_get_fd(u->sk);
}

int uevents_read(struct uevents *u, struct uevent *ret, struct err *err)
{
	struct ucred *credentials = NULL;
	struct sockaddr_nl from = { 0 };
	bool trusted;
	int n;

	u->message = mfree(u->message);
	errno = 0;
	/* What comes has no struct nlmsghdr in front. */
	n = nl_recv(u->sk, &from, &u->message, &credentials);
	if (n < 0) {
		if (errno == ENOBUFS)
			return UEVENTS_OVERRUN;
		if (errno == EAGAIN || n == -NLE_AGAIN)
			return UEVENTS_NOTHING;
		/* Longer than any of the kernel's. */
		if (n == -NLE_MSG_TRUNC || n == -NLE_MSG_TOOSHORT)
			return UEVENTS_REFUSED;
		return uevent_fail(n, errno, "receive", err);
	}
	if (!n)
		return UEVENTS_NOTHING;
	trusted = uevent_trusted(from.nl_pid, from.nl_groups,
				 credentials ? (int64_t)credentials->uid : -1);
	free(credentials);
	if (!trusted || uevent_parse((const char *)u->message, (size_t)n, ret) < 0)
		return UEVENTS_REFUSED;
	return UEVENTS_ONE;
}
