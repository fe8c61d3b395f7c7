// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire.h"

#define ARGS_MAX 32

/*
 * The process
 */

static void wait_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

static void wait_ready(struct emu *e, unsigned int lines)
{
	unsigned int seen = 0;
	char c;

	while (seen < lines) {
		wait_readable(e->out);
		if (read(e->out, &c, 1) != 1)
			fail_msg("vfiomig-emu did not get ready");
		seen += c == '\n';
	}
}

static pid_t spawn(char *const argv[], int *ret_out)
{
	int out[2];
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
		dup2(out[1], STDOUT_FILENO);
		execv(argv[0], argv);
		_exit(126);
	}
	close(out[1]);
	*ret_out = out[0];
	return pid;
}

/* What the environment names; else the one of the build that this test is of. */
static char *program(void)
{
	static char path[PATH_MAX + 32];
	char *named = getenv("VFIOMIG_EMU");
	ssize_t len;

	if (named)
		return named;
	len = readlink("/proc/self/exe", path, PATH_MAX);
	assert_true(len > 0);
	path[len] = '\0';
	strcpy(strrchr(path, '/'), "/../../vfiomig-emu");
	if (access(path, X_OK) != 0)
		fail_msg("%s: %s (VFIOMIG_EMU names another)", path, strerror(errno));
	return path;
}

static void start(struct emu *e, unsigned int n, va_list ap)
{
	char *argv[ARGS_MAX] = { program(), (char *)"--socket", e->path };
	int argc = 3;

	while (argc < ARGS_MAX - 1 && (argv[argc] = va_arg(ap, char *)))
		argc++;
	e->pid = spawn(argv, &e->out);
	wait_ready(e, n);
}

void emu_start(struct emu *e, unsigned int n, ...)
{
	const char *tmp = getenv("TMPDIR");
	va_list ap;

	program(); /* or nothing is left behind */
	snprintf(e->dir, sizeof(e->dir), "%s/emu.XXXXXX", tmp && strlen(tmp) < 48 ? tmp : "/tmp");
	assert_non_null(mkdtemp(e->dir));
	snprintf(e->path, sizeof(e->path), "%s/s", e->dir);
	va_start(ap, n);
	start(e, n, ap);
	va_end(ap);
}

void emu_restart(struct emu *e, unsigned int n, ...)
{
	va_list ap;

	va_start(ap, n);
	start(e, n, ap);
	va_end(ap);
}

int emu_wait(struct emu *e)
{
	int status;

	assert_int_equal(waitpid(e->pid, &status, 0), e->pid);
	close(e->out);
	return status;
}

void emu_stop(struct emu *e)
{
	kill(e->pid, SIGTERM);
	assert_int_equal(emu_wait(e), 0);
	assert_int_equal(rmdir(e->dir), 0); /* nothing left in it */
}

int emu_status(const char *option, ...)
{
	char *argv[ARGS_MAX] = { program(), (char *)option };
	int argc = 2, out, status;
	va_list ap;
	pid_t pid;

	va_start(ap, option);
	while (argc < ARGS_MAX - 1 && (argv[argc] = va_arg(ap, char *)))
		argc++;
	va_end(ap);
	pid = spawn(argv, &out);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(out);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/*
 * Messages
 */

int wire_connect(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && strlen(path) < sizeof(a.sun_path));
	strcpy(a.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

void wire_send_raw(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

void wire_send(int fd, uint16_t id, uint16_t command, uint32_t flags, const void *payload,
	       size_t len)
{
	uint8_t wire[16] = { 0 };
	uint32_t size = 16 + (uint32_t)len;

	memcpy(wire, &id, 2);
	memcpy(wire + 2, &command, 2);
	memcpy(wire + 4, &size, 4);
	memcpy(wire + 8, &flags, 4);
	wire_send_raw(fd, wire, sizeof(wire));
	if (len)
		wire_send_raw(fd, payload, len);
}

static void receive_bytes(int fd, void *to, size_t len)
{
	ssize_t n;

	for (size_t done = 0; done < len; done += (size_t)n) {
		wait_readable(fd);
		n = recv(fd, (uint8_t *)to + done, len - done, 0);
		if (n <= 0)
			fail_msg("the server is gone");
	}
}

void wire_receive(int fd, struct message *m)
{
	uint8_t wire[16];

	receive_bytes(fd, wire, sizeof(wire));
	memcpy(&m->id, wire, 2);
	memcpy(&m->command, wire + 2, 2);
	memcpy(&m->size, wire + 4, 4);
	memcpy(&m->flags, wire + 8, 4);
	memcpy(&m->error, wire + 12, 4);
	assert_in_range(m->size, 16, 16 + sizeof(m->payload));
	m->len = m->size - 16;
	receive_bytes(fd, m->payload, m->len);
}

void wire_expect_closed(int fd)
{
	uint8_t sink[4096];

	do
		wait_readable(fd);
	while (recv(fd, sink, sizeof(sink), 0) > 0);
	close(fd);
}

/* As good as can be: a command that came after is not answered within a moment. */
void wire_expect_silence(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 100), 0);
}

int wire_call(int fd, uint16_t command, const void *payload, size_t len, struct message *reply)
{
	static uint16_t id;

	wire_send(fd, ++id, command, 0, payload, len);
	wire_receive(fd, reply);
	assert_int_equal(reply->id, id);
	assert_int_equal(reply->command, command);
	assert_int_equal(reply->flags & 0xf, FLAG_REPLY);
	if (!(reply->flags & FLAG_ERROR)) {
		assert_int_equal(reply->error, 0);
		return 0;
	}
	assert_int_equal(reply->len, 0);
	assert_in_range(reply->error, 1, 4095);
	return -(int)reply->error;
}

int wire_open(const struct emu *e, unsigned int n)
{
	static const char proposal[] = "\0\0\1\0{\"capabilities\":{\"max_msg_fds\":1,"
				       "\"max_data_xfer_size\":1048576}}";
	static struct message reply;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), n ? "%s.%u" : "%s", e->path, n);
	fd = wire_connect(path);
	assert_int_equal(wire_call(fd, VERSION, proposal, sizeof(proposal), &reply), 0);
	return fd;
}

/*
 * Commands
 */

int wire_feature(int fd, uint32_t flags, const void *data, size_t len, uint32_t argsz,
		 struct message *reply)
{
	uint8_t payload[8192];

	assert_true(len <= sizeof(payload) - 8);
	memcpy(payload, &argsz, 4);
	memcpy(payload + 4, &flags, 4);
	if (len)
		memcpy(payload + 8, data, len);
	return wire_call(fd, FEATURE, payload, 8 + len, reply);
}

int wire_set_state(int fd, uint32_t state)
{
	static struct message reply;
	uint32_t data[2] = { state, UINT32_MAX };
	int r = wire_feature(fd, SET | 2, data, sizeof(data), 16, &reply);

	if (!r)
		assert_int_equal(reply.len, 16);
	return r;
}

uint32_t wire_state(int fd)
{
	static struct message reply;
	uint32_t state;

	assert_int_equal(wire_feature(fd, GET | 2, NULL, 0, 16, &reply), 0);
	assert_int_equal(reply.len, 16);
	memcpy(&state, reply.payload + 8, 4);
	return state;
}

int wire_reset(int fd)
{
	static struct message reply;

	return wire_call(fd, RESET, NULL, 0, &reply);
}

static int region(int fd, uint16_t command, uint32_t index, uint64_t at, const void *data,
		  uint32_t count, struct message *reply)
{
	uint8_t payload[16 + 4096];
	size_t len = command == REGION_WRITE ? count : 0;

	assert_true(len <= 4096);
	memcpy(payload, &at, 8);
	memcpy(payload + 8, &index, 4);
	memcpy(payload + 12, &count, 4);
	if (len)
		memcpy(payload + 16, data, len);
	return wire_call(fd, command, payload, 16 + len, reply);
}

int wire_read_region(int fd, uint32_t index, uint64_t at, void *to, uint32_t len)
{
	static struct message reply;
	int r = region(fd, REGION_READ, index, at, NULL, len, &reply);

	if (r)
		return r;
	assert_int_equal(reply.len, 16 + len);
	assert_memory_equal(reply.payload, &at, 8);
	assert_memory_equal(reply.payload + 12, &len, 4);
	memcpy(to, reply.payload + 16, len);
	return 0;
}

int wire_write_region(int fd, uint32_t index, uint64_t at, const void *from, uint32_t len)
{
	static struct message reply;
	int r = region(fd, REGION_WRITE, index, at, from, len, &reply);

	if (!r)
		assert_int_equal(reply.len, 16);
	return r;
}

uint64_t wire_reg64(int fd, uint64_t at)
{
	uint64_t value;

	assert_int_equal(wire_read_region(fd, BAR0, at, &value, sizeof(value)), 0);
	return value;
}

int wire_data_read(int fd, void *to, uint32_t *size)
{
	static struct message reply;
	uint32_t payload[2] = { 8 + *size, *size };
	int r = wire_call(fd, DATA_READ, payload, sizeof(payload), &reply);

	if (r)
		return r;
	assert_true(reply.len >= 8);
	memcpy(payload, reply.payload, 8);
	assert_true(payload[1] <= *size && reply.len >= 8 + payload[1]);
	*size = payload[1];
	memcpy(to, reply.payload + 8, *size);
	return 0;
}

int wire_data_write(int fd, const void *from, uint32_t size)
{
	static struct message m;
	uint32_t head[2] = { 8 + size, size };

	memcpy(m.payload, head, 8);
	memcpy(m.payload + 8, from, size);
	return wire_call(fd, DATA_WRITE, m.payload, 8 + size, &m);
}

/*
 * Streams
 */

void stream_read(int fd, struct stream *s, uint32_t chunk)
{
	uint32_t n;

	do {
		n = chunk;
		s->p = realloc(s->p, s->len + n);
		assert_non_null(s->p);
		assert_int_equal(wire_data_read(fd, s->p + s->len, &n), 0);
		s->len += n;
	} while (n);
}

void stream_save(int fd, struct stream *s)
{
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	stream_read(fd, s, MIB);
	assert_int_equal(wire_set_state(fd, STOP), 0);
}

int stream_load(int fd, const struct stream *s, uint32_t chunk)
{
	uint32_t n;

	assert_int_equal(wire_set_state(fd, RESUMING), 0);
	for (size_t at = 0; at < s->len; at += n) {
		n = s->len - at < chunk ? (uint32_t)(s->len - at) : chunk;
		assert_int_equal(wire_data_write(fd, s->p + at, n), 0);
	}
	return wire_set_state(fd, STOP);
}

void stream_done(struct stream *s)
{
	free(s->p);
	s->p = NULL;
	s->len = 0;
}
