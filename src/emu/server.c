// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/unix-socket.h"
#include "emu/conn.h"
#include "emu/server.h"

/* A device and its door: one client at a time, the next ones wait. */
struct port {
	struct emu_device device;
	struct emu_event_log log;
	char *path;
	int listen_fd;
	struct emu_conn *conn;
};

/**
 * struct server
 * @polls: one of each port, and the signals'
 * @ahead_ns: of the system's clock, by what SIGUSR1 has left out
 */
struct server {
	struct port *ports;
	uint32_t n;
	int signal_fd, log_fd;
	struct pollfd *polls;
	uint64_t ahead_ns;
};

static void emu_server_port_done(struct port *p)
{
	emu_conn_free(p->conn);
	if (p->listen_fd >= 0) {
		unlink(p->path);
		close(p->listen_fd);
	}
	free(p->path);
	emu_device_done(&p->device);
}

static void emu_server_done(struct server *s)
{
	for (uint32_t i = 0; s->ports && i < s->n; i++)
		emu_server_port_done(&s->ports[i]);
	free(s->ports);
	free(s->polls);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	if (s->log_fd >= 0)
		close(s->log_fd);
}

static int emu_server_open_port(struct port *p, const struct emu_options *o, uint32_t number,
				int log_fd, struct err *err)
{
	int n, r;

	n = number ? asprintf(&p->path, "%s.%u", o->path, number)
		   : asprintf(&p->path, "%s", o->path);
	if (n < 0) {
		p->path = NULL;
		return err_set(err, -ENOMEM, "%s", o->path);
	}
	p->log = (struct emu_event_log){ .fd = log_fd, .device = p->path };
	r = emu_device_init(&p->device, &o->configs[number], number, clock_ns(), err);
	return r < 0 ? r : unix_listen(p->path, 0777, &p->listen_fd, err);
}

static int emu_server_open_signals(struct server *s, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? err_set(err, -errno, "signalfd") : 0;
}

/* All are ready or none: a reader of the first line may use the last device. */
static int emu_server_open_server(struct server *s, const struct emu_options *o, struct err *err)
{
	int r;

	s->ports = calloc(o->n_devices, sizeof(*s->ports));
	s->polls = calloc(o->n_devices + 1, sizeof(*s->polls));
	if (!s->ports || !s->polls)
		return err_set(err, -ENOMEM, "%u devices", o->n_devices);
	for (; s->n < o->n_devices; s->n++)
		s->ports[s->n].listen_fd = -1;
	r = emu_server_open_signals(s, err);
	if (r < 0)
		return r;
	r = o->event_log ? emu_event_log_open(o->event_log, &s->log_fd, err) : 0;
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < s->n; i++) {
		r = emu_server_open_port(&s->ports[i], o, i, s->log_fd, err);
		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < s->n; i++)
		printf("ready: %s\n", s->ports[i].path);
	if (fflush(stdout) == EOF)
		log_warn("standard output: cannot say that the devices are ready");
	return 0;
}

static void emu_server_accept_client(struct port *p)
{
	int fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return; /* gone again */
	unix_send_buffer(fd);
	p->conn = emu_conn_new(fd);
	if (p->conn)
		log_info("%s: a client", p->path);
	else
		log_warn("%s: no memory for a client", p->path);
}

static void emu_server_drop_client(struct port *p)
{
	p->conn = emu_conn_free(p->conn);
	emu_event_log_write(&p->log, &p->device.events, UINT64_MAX);
	emu_device_gone(&p->device);
	emu_event_log_write(&p->log, &p->device.events, UINT64_MAX);
}

/* As dead as a process can be: no word, no clean-up, the sockets left behind. */
static void emu_server_die(const struct port *p)
{
	log_info("%s: --fault die-at", p->path);
	raise(SIGKILL);
}

static void emu_server_run_client(struct port *p, short revents, uint64_t now_ns)
{
	struct err err = { 0 };
	char reason[ERR_REASON_MAX];
	int r = CONN_CLOSED;

	/* Nothing to read or to send, and an event: the client has gone while it was to wait. */
	if (!(revents & (POLLHUP | POLLERR)) || emu_conn_events(p->conn, now_ns))
		r = emu_conn_run(p->conn, &p->device, &p->log, now_ns, &err);
	if (r == CONN_WAITS)
		return;
	if (r == CONN_DIED)
		emu_server_die(p);
	if (r < 0)
		log_warn("%s: client dropped: %s%s", p->path, err.text, err_reason(&err, reason));
	else
		log_info("%s: the client is gone", p->path);
	emu_server_drop_client(p);
}

static int emu_server_timeout_ms(const struct server *s, uint64_t now_ns)
{
	uint64_t until = UINT64_MAX, event = UINT64_MAX;

	for (uint32_t i = 0; i < s->n; i++) {
		event = MIN(event, emu_events_due_ns(&s->ports[i].device.events));
		if (s->ports[i].conn)
			until = MIN(until, emu_conn_waits_until(s->ports[i].conn));
	}
	if (event <= now_ns)
		return 0;
	until = MIN(until, event);
	if (until == UINT64_MAX)
		return -1;
	/* Not due yet, then at least a millisecond: it is not asked for in vain. */
	return until <= now_ns ? -1 : (int)MIN((until - now_ns) / NSEC_PER_MSEC + 1, 60000u);
}

static void emu_server_set_polls(struct server *s, uint64_t now_ns)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const struct port *p = &s->ports[i];

		s->polls[i].fd = p->conn ? p->conn->fd : p->listen_fd;
		s->polls[i].events = POLLIN;
		if (p->conn)
			s->polls[i].events = emu_conn_events(p->conn, now_ns);
	}
	s->polls[s->n].fd = s->signal_fd;
	s->polls[s->n].events = POLLIN;
}

static void emu_server_run_port(struct port *p, short revents, uint64_t now_ns)
{
	bool due = p->conn && emu_conn_waits_until(p->conn) <= now_ns;

	emu_event_log_write(&p->log, &p->device.events, now_ns);
	if (!revents && !due)
		return;
	if (p->conn)
		emu_server_run_client(p, revents, now_ns);
	else
		emu_server_accept_client(p);
}

static uint64_t emu_server_now_ns(const struct server *s)
{
	return clock_ns() + s->ahead_ns;
}

/* The clock goes to when the next reply is due, and with it all that happens by then. */
static void emu_server_leave_out_delay(struct server *s)
{
	uint64_t until = UINT64_MAX, now_ns = emu_server_now_ns(s);

	for (uint32_t i = 0; i < s->n; i++)
		if (s->ports[i].conn)
			until = MIN(until, emu_conn_waits_until(s->ports[i].conn));
	if (until != UINT64_MAX && until > now_ns)
		s->ahead_ns += until - now_ns;
}

/* Return: whether to go on. */
static bool emu_server_hear_signal(struct server *s)
{
	struct signalfd_siginfo info;

	if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
		return true;
	if (info.ssi_signo != SIGUSR1)
		return false;
	emu_server_leave_out_delay(s);
	return true;
}

int emu_serve(const struct emu_options *o, struct err *err)
{
	_cleanup_(emu_server_done) struct server s = { .signal_fd = -1, .log_fd = -1 };
	uint64_t now_ns;
	int r;

	r = emu_server_open_server(&s, o, err);
	if (r < 0)
		return r;
	for (;;) {
		now_ns = emu_server_now_ns(&s);
		emu_server_set_polls(&s, now_ns);
		r = poll(s.polls, s.n + 1, emu_server_timeout_ms(&s, now_ns));
		if (r < 0 && errno != EINTR)
			return err_set(err, -errno, "poll");
		if (r < 0)
			continue;
		if (s.polls[s.n].revents && !emu_server_hear_signal(&s))
			return 0;
		now_ns = emu_server_now_ns(&s);
		for (uint32_t i = 0; i < s.n; i++)
			emu_server_run_port(&s.ports[i], s.polls[i].revents, now_ns);
	}
}
