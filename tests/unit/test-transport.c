// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/macros.h"
#include "transport/input.h"
#include "transport/output.h"
#include "transport/uri.h"

/* uri */

#define NO_FD "not a file descriptor's number, and no name that was passed to this process"

#define ALL (URI_PLAIN | URI_SOCKET)

static void a_file_is_named_as_qemu_names_it(void **state)
{
	static const struct {
		const char *text;
		enum uri_kind kind;
		const char *path;
		int fd;
	} rows[] = {
		/* clang-format off */
		{ "a.img",           URI_FILE,  "a.img",         -1 },
		{ "/tmp/a:b",        URI_FILE,  "/tmp/a:b",      -1 },
		{ "./tcp:host:1",    URI_FILE,  "./tcp:host:1",  -1 },
		{ "a/b:c",           URI_FILE,  "a/b:c",         -1 },
		{ "1:2",             URI_FILE,  "1:2",           -1 },
		{ ":x",              URI_FILE,  ":x",            -1 },
		{ "file:a.img",      URI_FILE,  "a.img",         -1 },
		{ "file:tcp:host:1", URI_FILE,  "tcp:host:1",    -1 },
		{ "file:-",          URI_FILE,  "-",             -1 },
		{ "./-",             URI_FILE,  "./-",           -1 },
		{ "-",               URI_STDIO, NULL,            -1 },
		{ "fd:0",            URI_FD,    NULL,            0 },
		{ "fd:2147483647",   URI_FD,    NULL,            2147483647 },
		{ "fd",              URI_FILE,  "fd",            -1 },
		{ "--",              URI_FILE,  "--",            -1 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct uri u;

		assert_int_equal(uri_parse(rows[i].text, ALL, &u, NULL), 0);
		assert_int_equal(u.kind, rows[i].kind);
		assert_ptr_equal(u.text, rows[i].text);
		if (rows[i].kind == URI_FILE)
			assert_string_equal(u.path, rows[i].path);
		if (rows[i].kind == URI_FD)
			assert_int_equal(u.fd, rows[i].fd);
	}
}

static void what_is_no_file_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		/* clang-format off */
		{ "",              "'': an empty path" },
		{ "file:",         "file:: an empty path" },
		{ "fd:",           "fd:: " NO_FD },
		{ "fd:-1",         "fd:-1: " NO_FD },
		{ "fd:x",          "fd:x: " NO_FD },
		{ "fd:1 ",         "fd:1 : " NO_FD },
		{ "fd:2147483648", "fd:2147483648: " NO_FD },
		{ "tls:host:1",    "tls:host:1: no such kind of FILE" },
		{ "exec:",         "exec:: an empty command" },
		{ "unix:",         "unix:: an empty path" },
		{ "tcp:",          "tcp:: not tcp:HOST:PORT" },
		{ "tcp:host",      "tcp:host: not tcp:HOST:PORT" },
		{ "tcp:host:",     "tcp:host:: not tcp:HOST:PORT" },
		{ "tcp:host:http", "tcp:host:http: not tcp:HOST:PORT" },
		{ "tcp:host:65536", "tcp:host:65536: not tcp:HOST:PORT" },
		{ "tcp::1",        "tcp::1: not tcp:HOST:PORT" },
		{ "tcp:[]:1",      "tcp:[]:1: not tcp:HOST:PORT" },
		{ "tcp:::1:1",     "tcp:::1:1: an IPv6 address stands in brackets" },
		{ "tcp:fe80::1",   "tcp:fe80::1: an IPv6 address stands in brackets" },
		{ "vsock:",        "vsock:: not vsock:CID:PORT" },
		{ "vsock:1",       "vsock:1: not vsock:CID:PORT" },
		{ "vsock:x:1",     "vsock:x:1: not vsock:CID:PORT" },
		{ "vsock::1",      "vsock::1: not vsock:CID:PORT" },
		{ "vsock:1:2:3",   "vsock:1:2:3: not vsock:CID:PORT" },
		{ "vsock:4294967296:1", "vsock:4294967296:1: not vsock:CID:PORT" },
		{ "vsock:00000000000000001:1", "vsock:00000000000000001:1: not vsock:CID:PORT" },
		{ "FILE:a",        "FILE:a: no such kind of FILE" },
		{ "a+b-c.d:",      "a+b-c.d:: no such kind of FILE" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct uri u = { .fd = 4711 };
		struct err err = { 0 };

		assert_int_equal(uri_parse(rows[i].text, ALL, &u, &err), -EINVAL);
		assert_int_equal(err_status(&err), 64);
		assert_string_equal(err.text, rows[i].why);
		assert_int_equal(u.fd, 4711);
	}
}

static void a_command_or_an_address_is_taken_apart(void **state)
{
	char longest[URI_HOST_MAX + 8] = "tcp:", longer[URI_HOST_MAX + 9];
	struct uri u;

	(void)state;
	assert_int_equal(uri_parse("exec:a b:c", ALL, &u, NULL), 0);
	assert_int_equal(u.kind, URI_EXEC);
	assert_string_equal(u.command, "a b:c");
	assert_int_equal(uri_parse("unix:a:b", ALL, &u, NULL), 0);
	assert_int_equal(u.kind, URI_UNIX);
	assert_string_equal(u.path, "a:b");
	assert_int_equal(uri_parse("tcp:host.example:0", ALL, &u, NULL), 0);
	assert_int_equal(u.kind, URI_TCP);
	assert_string_equal(u.host, "host.example");
	assert_int_equal(u.port, 0);
	assert_int_equal(uri_parse("tcp:[fe80::1%eth0]:65535", ALL, &u, NULL), 0);
	assert_string_equal(u.host, "fe80::1%eth0");
	assert_int_equal(u.port, 65535);
	assert_int_equal(uri_parse("vsock:*:1024", ALL, &u, NULL), 0);
	assert_int_equal(u.cid, UINT32_MAX);
	assert_int_equal(uri_parse("vsock:4294967295:1024", ALL, &u, NULL), 0);
	assert_int_equal(u.kind, URI_VSOCK);
	assert_true(u.cid == UINT32_MAX && u.port == 1024);

	memset(longest + 4, 'x', URI_HOST_MAX);
	snprintf(longer, sizeof(longer), "%sx:1", longest);
	strcat(longest, ":1");
	assert_int_equal(uri_parse(longest, ALL, &u, NULL), 0);
	assert_int_equal(strlen(u.host), URI_HOST_MAX);
	assert_int_equal(uri_parse(longer, ALL, &u, NULL), -EINVAL);
}

static void what_is_not_possible_here_is_told_with_what_is(void **state)
{
	static const struct {
		const char *text;
		unsigned int kinds;
		const char *why, *hint;
	} rows[] = {
		/* clang-format off */
		{ "tcp:a:1", URI_PLAIN, "tcp:a:1: not possible here",
		  "a path, file:PATH, -, fd:N or exec:CMD; a file of this name is file:tcp:a:1" },
		{ "tls:a", URI_FILE | URI_FD, "tls:a: no such kind of FILE",
		  "a path, file:PATH or fd:N; a file of this name is file:tls:a" },
		{ "a.img", URI_SOCKET, "a.img: not possible here",
		  "unix:PATH, tcp:HOST:PORT or vsock:CID:PORT" },
		{ "-", URI_UNIX, "-: not possible here", "unix:PATH" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		struct uri u;

		assert_int_equal(uri_parse(rows[i].text, rows[i].kinds, &u, &err), -EINVAL);
		assert_int_equal(err_status(&err), 64);
		assert_string_equal(err.text, rows[i].why);
		assert_string_equal(err.hint, rows[i].hint);
	}
}

/*
 * Places
 */

struct place {
	char dir[64];
	char path[96];
	struct cancel cancel;
	int n_fds; /* open before the test */
	struct err err;
};

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->n_fds = count_fds();
	strcpy(p->dir, "transport.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/image", p->dir);
	assert_int_equal(cancel_init(&p->cancel, NULL), 0);
	*state = p;
	return 0;
}

/* Everything in the folder, sorted, with spaces between; hidden files too. */
static const char *listing(const struct place *p)
{
	static char text[512];
	struct dirent **names;
	int n = scandir(p->dir, &names, NULL, alphasort);

	text[0] = '\0';
	for (int i = 0; i < n; i++) {
		size_t at = strlen(text);

		if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0)
			snprintf(text + at, sizeof(text) - at, "%s%s", at ? " " : "",
				 names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return text;
}

static int teardown(void **state)
{
	struct place *p = *state;
	char path[512], *name, *next;
	int leaked;

	cancel_done(&p->cancel);
	for (name = strtok_r((char *)listing(p), " ", &next); name;
	     name = strtok_r(NULL, " ", &next)) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, name);
		if (unlink(path) < 0)
			rmdir(path);
	}
	rmdir(p->dir);
	leaked = count_fds() - p->n_fds;
	free(p);
	return leaked ? -1 : 0;
}

static void put_file(const char *path, const char *text)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, text, strlen(text)), 0);
}

static void assert_contents(const char *path, const char *want)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(read_text(AT_FDCWD, path, &text), 0);
	assert_string_equal(text, want);
}

static struct uri file_uri(const char *path)
{
	return (struct uri){ .kind = URI_FILE, .text = path, .path = path, .fd = -1 };
}

static struct uri fd_uri(int fd)
{
	return (struct uri){ .kind = URI_FD, .text = "fd:N", .fd = fd };
}

/*
 * System calls that fail
 *
 * A file system without O_TMPFILE, a full disk that only fsync() tells of: the kernel itself says
 * so, by a filter of the one thread that does the work.
 */

struct deny {
	long call;
	int arg; /* which argument to look at */
	uint32_t bits; /* all of these must be set in it; 0 for any call */
	int error;
};

static int apply(const struct deny *deny)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)deny->call, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (uint32_t)(offsetof(struct seccomp_data, args) +
				    (size_t)deny->arg * sizeof(uint64_t)) +
				 (BYTE_ORDER == BIG_ENDIAN ? 4 : 0)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, deny->bits),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, deny->bits, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)deny->error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = { ARRAY_SIZE(code), (struct sock_filter *)code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0 ? -errno : 0;
}

/* By their length the job's own writes are told from those of a debugger beneath it. */
#define DATA "data"
#define DATA_LEN 4

enum step {
	STEP_OPEN,
	STEP_WRITE,
	STEP_PUBLISH,
	STEP_DONE
};

/* A whole output in one thread: how far it came, and what it said there. */
struct job {
	struct uri uri;
	bool force;
	struct cancel *cancel;
	const struct deny *deny; /* NULL for none */
	const struct deny *deny2;
	bool keep; /* hand out the open output, neither written nor published */

	int result;
	enum step at;
	struct output *out;
	struct err err;
};

static bool can_deny;

static void *try_to_deny(void *arg)
{
	const struct deny harmless = { SYS_linkat, 0, UINT32_MAX, EPERM };
	int r = apply(&harmless);

	(void)arg;
	can_deny = r >= 0;
	if (r < 0)
		print_message("# no seccomp filters here (%s): calls that fail, and file systems "
			      "without O_TMPFILE, are not tested\n",
			      err_name(r));
	return NULL;
}

static void *do_job(void *arg)
{
	struct job *j = arg;

	/* Where there are no filters nothing fails, and main() has said so. */
	if (can_deny && ((j->deny && apply(j->deny) < 0) || (j->deny2 && apply(j->deny2) < 0)))
		abort();
	j->at = STEP_OPEN;
	j->result = output_open(&j->uri, j->force, j->cancel, &j->out, &j->err);
	if (j->result < 0 || j->keep)
		return NULL;
	j->at = STEP_WRITE;
	j->result = output_write(j->out, DATA, DATA_LEN, &j->err);
	if (j->result >= 0) {
		j->at = STEP_PUBLISH;
		j->result = output_publish(j->out, &j->err);
	}
	if (j->result >= 0)
		j->at = STEP_DONE;
	j->out = output_free(j->out);
	return NULL;
}

static void run_job(struct job *j)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, do_job, j), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static const struct deny no_tmpfile = { SYS_openat, 2, O_TMPFILE, EOPNOTSUPP };

/* output: files */

static void a_file_appears_only_when_it_is_published(void **state)
{
	struct place *p = *state;
	struct uri u = file_uri(p->path);
	struct output *out = NULL;

	assert_int_equal(output_open(&u, false, &p->cancel, &out, &p->err), 0);
	assert_string_equal(output_name(out), p->path);
	assert_int_equal(output_write(out, "some", 4, &p->err), 0);
	assert_int_equal(output_write(out, "", 0, &p->err), 0);
	assert_int_equal(output_write(out, " data", 5, &p->err), 0);
	assert_int_equal(access(p->path, F_OK), -1);
	assert_int_equal(output_publish(out, &p->err), 0);
	assert_contents(p->path, "some data");
	assert_null(output_free(out));
	assert_string_equal(listing(p), "image");
}

/* The same on every file system that is at hand, and as if there were no O_TMPFILE. */
static void a_file_system_without_nameless_files_will_do(void **state)
{
	static const int errors[] = { EOPNOTSUPP, EISDIR, EINVAL };
	struct place *p = *state;

	for (size_t i = 0; can_deny && i < ARRAY_SIZE(errors); i++) {
		struct deny deny = no_tmpfile;
		struct job j = {
			.uri = file_uri(p->path),
			.cancel = &p->cancel,
			.deny = &deny,
			.keep = true,
		};
		const char *name;

		deny.error = errors[i];
		run_job(&j);
		assert_int_equal(j.result, 0);
		/* A name of its own beside it, that tells whose it is. */
		name = listing(p);
		assert_memory_equal(name, ".image.", 7);
		assert_string_equal(name + strlen(name) - 5, ".part");
		assert_int_equal(output_write(j.out, "data", 4, NULL), 0);
		assert_int_equal(access(p->path, F_OK), -1);
		assert_int_equal(output_publish(j.out, NULL), 0);
		output_free(j.out);
		assert_string_equal(listing(p), "image");
		assert_contents(p->path, "data");
		assert_int_equal(unlink(p->path), 0);
	}
}

static void what_is_not_published_leaves_nothing_behind(void **state)
{
	static const struct deny *const rows[] = { NULL, &no_tmpfile };
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct job j = {
			.uri = file_uri(p->path),
			.cancel = &p->cancel,
			.deny = rows[i],
			.keep = true,
		};

		run_job(&j);
		assert_int_equal(j.result, 0);
		assert_int_equal(output_write(j.out, "data", 4, NULL), 0);
		output_free(j.out);
		assert_string_equal(listing(p), "");
	}
	assert_null(output_free(NULL));
}

static void an_existing_file_is_refused_and_stays(void **state)
{
	struct place *p = *state;
	struct uri u = file_uri(p->path);
	struct output *out = NULL;

	assert_int_equal(output_check(&u, false, &p->err), 0);
	put_file(p->path, "precious");
	assert_int_equal(output_check(&u, true, &p->err), 0);
	assert_int_equal(output_check(&u, false, &p->err), -EEXIST);
	assert_int_equal(err_status(&p->err), 73);
	assert_int_equal(output_open(&u, false, &p->cancel, &out, &p->err), -EEXIST);
	assert_null(out);
	assert_int_equal(err_status(&p->err), 73);
	assert_string_equal(p->err.hint, "--force replaces it");
	assert_contents(p->path, "precious");
	assert_string_equal(listing(p), "image");
}

static void by_force_a_file_is_replaced_at_once(void **state)
{
	static const struct deny *const rows[] = { NULL, &no_tmpfile };
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct job j = {
			.uri = file_uri(p->path),
			.force = true,
			.cancel = &p->cancel,
			.deny = rows[i],
			.keep = true,
		};
		_cleanup_fd_ int reader = -1;
		char old[16] = "";

		put_file(p->path, "old");
		reader = open(p->path, O_RDONLY | O_CLOEXEC);
		run_job(&j);
		assert_int_equal(j.result, 0);
		assert_int_equal(output_write(j.out, "new", 3, NULL), 0);
		assert_contents(p->path, "old");
		assert_int_equal(output_publish(j.out, NULL), 0);
		output_free(j.out);
		assert_contents(p->path, "new");
		assert_string_equal(listing(p), "image");
		/* A reader of the old file still reads the old one. */
		assert_int_equal(read(reader, old, sizeof(old)), 3);
		assert_string_equal(old, "old");
	}
}

static void force_needs_no_file_to_replace(void **state)
{
	static const struct deny *const rows[] = { NULL, &no_tmpfile };
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct job j = {
			.uri = file_uri(p->path),
			.force = true,
			.cancel = &p->cancel,
			.deny = rows[i],
		};

		run_job(&j);
		assert_int_equal(j.at, STEP_DONE);
		assert_string_equal(listing(p), "image");
		unlink(p->path);
	}
}

/* Another process made the file first: it stays, unless --force is to replace it. */
static void a_file_that_came_meanwhile_is_not_overwritten(void **state)
{
	static const struct deny *const rows[] = { NULL, &no_tmpfile };
	struct place *p = *state;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		struct job j = {
			.uri = file_uri(p->path),
			.force = i % 2,
			.cancel = &p->cancel,
			.deny = rows[i / 2],
			.keep = true,
		};
		struct err err = { 0 };

		run_job(&j);
		assert_int_equal(j.result, 0);
		assert_int_equal(output_write(j.out, "mine", 4, NULL), 0);
		put_file(p->path, "theirs");
		assert_int_equal(output_publish(j.out, &err), j.force ? 0 : -EEXIST);
		assert_int_equal(err_status(&err), j.force ? 71 : 73);
		output_free(j.out);
		assert_contents(p->path, j.force ? "mine" : "theirs");
		assert_string_equal(listing(p), "image");
		unlink(p->path);
	}
}

static void nobody_else_may_read_an_image(void **state)
{
	static const mode_t masks[] = { 0, 022, 077 };
	static const struct deny *const rows[] = { NULL, &no_tmpfile };
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++)
		for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
			mode_t before = umask(masks[i]);
			struct job j = {
				.uri = file_uri(p->path),
				.cancel = &p->cancel,
				.deny = rows[k],
			};
			struct stat st;

			run_job(&j);
			umask(before);
			assert_int_equal(j.at, STEP_DONE);
			assert_int_equal(stat(p->path, &st), 0);
			assert_int_equal(st.st_mode & 07777, 0600);
			unlink(p->path);
		}
}

/* By force it is replaced where it lies, and the link still leads there. */
static void a_link_to_a_file_is_a_file(void **state)
{
	static const struct deny *const rows[] = { NULL, &no_tmpfile };
	struct place *p = *state;
	char link[128], target[16];

	snprintf(link, sizeof(link), "%s/link", p->dir);
	assert_int_equal(symlink("image", link), 0);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		struct job j = {
			.uri = file_uri(link),
			.force = i % 2,
			.cancel = &p->cancel,
			.deny = rows[i / 2],
		};

		put_file(p->path, "old");
		run_job(&j);
		assert_int_equal(j.result, j.force ? 0 : -EEXIST);
		assert_int_equal(readlink(link, target, sizeof(target)), 5);
		assert_contents(p->path, j.force ? DATA : "old");
		assert_string_equal(listing(p), "image link");
	}
}

static void what_cannot_become_a_file_is_refused(void **state)
{
	static const struct {
		const char *name;
		int code;
	} rows[] = {
		{ "", -EISDIR },       { "folder", -EISDIR },	  { "folder/", -EISDIR },
		{ "none/", -EISDIR },  { "none/image", -ENOENT }, { "file/image", -ENOTDIR },
		{ "nowhere", -ELOOP },
	};
	struct place *p = *state;
	char path[256];

	snprintf(path, sizeof(path), "%s/folder", p->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/nowhere", p->dir);
	assert_int_equal(symlink("nothing", path), 0);
	snprintf(path, sizeof(path), "%s/file", p->dir);
	put_file(path, "precious");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int force = 0; force < 2; force++) {
			struct output *out = NULL;
			struct err err = { 0 };
			struct uri u;
			int r;

			snprintf(path, sizeof(path), "%s/%s", p->dir, rows[i].name);
			u = file_uri(path);
			/* What can be refused by name alone is refused the same without opening. */
			if (rows[i].code == -EISDIR || rows[i].code == -ELOOP)
				assert_int_equal(output_check(&u, force, NULL), rows[i].code);
			r = output_open(&u, force, &p->cancel, &out, &err);
			if (r != rows[i].code || err_status(&err) != 73)
				fail_msg("\"%s\": %d, status %d", rows[i].name, r,
					 err_status(&err));
			assert_null(out);
		}
	assert_string_equal(listing(p), "file folder nowhere");
}

static void a_file_in_the_current_folder_needs_no_slash(void **state)
{
	struct place *p = *state;
	_cleanup_fd_ int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct job j = { .uri = file_uri("image"), .cancel = &p->cancel };

	assert_int_equal(chdir(p->dir), 0);
	run_job(&j);
	assert_int_equal(fchdir(here), 0);
	assert_int_equal(j.at, STEP_DONE);
	assert_string_equal(listing(p), "image");
}

static void a_long_name_is_no_obstacle(void **state)
{
	static const struct deny *const rows[] = { NULL, &no_tmpfile };
	struct place *p = *state;
	char path[512];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int force = 0; force < 2; force++) {
			struct job j = { .force = force, .cancel = &p->cancel, .deny = rows[i] };
			int at = snprintf(path, sizeof(path), "%s/", p->dir);

			memset(path + at, 'x', 255);
			path[at + 255] = '\0';
			j.uri = file_uri(path);
			if (force)
				put_file(path, "old");
			run_job(&j);
			assert_int_equal(j.at, STEP_DONE);
			assert_contents(path, "data");
			unlink(path);
		}
}

/* Whatever the kernel refuses, nothing is left behind, and what was there stays. */
static void a_refused_call_leaves_nothing_behind(void **state)
{
	static const struct {
		struct deny deny;
		bool tmpfile, force;
		enum step at;
		int status;
	} rows[] = {
		/* clang-format off */
		{ { SYS_openat,    2, O_TMPFILE, EACCES }, true,  false, STEP_OPEN,    77 },
		{ { SYS_openat,    2, O_TMPFILE, ENOSPC }, true,  true,  STEP_OPEN,    73 },
		{ { SYS_openat,    2, O_EXCL,    EROFS },  false, false, STEP_OPEN,    73 },
		{ { SYS_getrandom, 0, 0,         ENOSYS }, false, false, STEP_OPEN,    71 },
		{ { SYS_write,     2, DATA_LEN,  EDQUOT }, true,  false, STEP_WRITE,   74 },
		{ { SYS_write,     2, DATA_LEN,  EIO },    false, true,  STEP_WRITE,   74 },
		{ { SYS_fsync,     0, 0,         EIO },    true,  false, STEP_PUBLISH, 74 },
		{ { SYS_fsync,     0, 0,         ENOSPC }, false, true,  STEP_PUBLISH, 74 },
		{ { SYS_linkat,    0, 0,         EMLINK }, true,  false, STEP_PUBLISH, 73 },
		{ { SYS_linkat,    0, 0,         EPERM },  true,  true,  STEP_PUBLISH, 77 },
		{ { SYS_linkat,    0, 0,         EIO },    false, false, STEP_PUBLISH, 73 },
#ifdef SYS_renameat
		{ { SYS_renameat,  0, 0,         EACCES }, true,  true,  STEP_PUBLISH, 77 },
		{ { SYS_renameat,  0, 0,         EACCES }, false, true,  STEP_PUBLISH, 77 },
#endif
		/* clang-format on */
	};
	struct place *p = *state;

	for (size_t i = 0; can_deny && i < ARRAY_SIZE(rows); i++) {
		struct job j = {
			.uri = file_uri(p->path),
			.force = rows[i].force,
			.cancel = &p->cancel,
			.deny = &rows[i].deny,
			.deny2 = rows[i].tmpfile ? NULL : &no_tmpfile,
		};

		if (rows[i].force)
			put_file(p->path, "precious");
		run_job(&j);
		if (j.result != -rows[i].deny.error || j.at != rows[i].at ||
		    err_status(&j.err) != rows[i].status)
			fail_msg("row %zu: %s at step %u, status %d: %s", i, err_name(j.result),
				 j.at, err_status(&j.err), j.err.text);
		assert_string_equal(listing(p), rows[i].force ? "image" : "");
		if (rows[i].force)
			assert_contents(p->path, "precious");
		unlink(p->path);
	}
}

/* Some file systems say so of a folder, where it means nothing; of a file it is a failure. */
static void a_file_that_cannot_be_synced_is_not_published(void **state)
{
	static const struct deny deny = { SYS_fsync, 0, 0, EINVAL };
	struct place *p = *state;
	struct job j = { .uri = file_uri(p->path), .cancel = &p->cancel, .deny = &deny };

	if (!can_deny)
		return;
	run_job(&j);
	assert_int_equal(j.result, -EINVAL);
	assert_string_equal(listing(p), "");
}

/* output: descriptors */

/* Return: what a descriptor is refused with, or 0. */
static int open_fd(struct place *p, int fd, struct output **ret)
{
	struct uri u = fd_uri(fd);

	return output_open(&u, false, &p->cancel, ret, &p->err);
}

static void an_image_is_never_written_to_a_terminal(void **state)
{
	struct place *p = *state;
	struct output *out = NULL;
	struct input *in = NULL;
	char name[128];
	struct uri u;
	int tty, pty;

	assert_int_equal(openpty(&pty, &tty, name, NULL, NULL), 0);
	assert_int_equal(open_fd(p, tty, &out), -EINVAL);
	assert_int_equal(err_status(&p->err), 64);
	assert_string_equal(p->err.text, "fd:N: is a terminal");
	assert_string_equal(p->err.hint, "an image is binary: redirect it");
	u = file_uri(name);
	assert_int_equal(output_open(&u, true, &p->cancel, &out, &p->err), -EINVAL);
	assert_int_equal(err_status(&p->err), 64);
	u = fd_uri(tty);
	assert_int_equal(input_open(&u, &p->cancel, &in, &p->err), -EINVAL);
	assert_int_equal(err_status(&p->err), 64);
	close(tty);
	close(pty);
}

static void a_descriptor_that_cannot_be_written_is_refused(void **state)
{
	struct place *p = *state;
	_cleanup_fd_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct output *out = NULL;

	assert_int_equal(open_fd(p, fd, &out), -EBADF);
	assert_int_equal(err_status(&p->err), 73);
	assert_string_equal(p->err.text, "fd:N: not open for writing");
	assert_int_equal(open_fd(p, 9999, &out), -EBADF);
	assert_int_equal(err_status(&p->err), 73);
	assert_null(out);
}

static void a_descriptor_gets_every_byte_and_stays_open(void **state)
{
	struct place *p = *state;
	_cleanup_fd_ int fd = memfd_create("out", MFD_CLOEXEC);
	struct output *out = NULL;
	char got[16] = "";

	assert_int_equal(open_fd(p, fd, &out), 0);
	assert_int_equal(output_write(out, "data", 4, NULL), 0);
	assert_int_equal(output_publish(out, NULL), 0);
	output_free(out);
	assert_int_equal(pread(fd, got, sizeof(got), 0), 4);
	assert_string_equal(got, "data");
}

static void standard_output_has_a_name(void **state)
{
	const struct uri u = { .kind = URI_STDIO, .text = "-", .fd = -1 };
	struct place *p = *state;
	_cleanup_fd_ int fd = memfd_create("out", MFD_CLOEXEC);
	struct output *out = NULL;
	int before, r;

	fflush(stdout);
	before = dup(STDOUT_FILENO);
	dup2(fd, STDOUT_FILENO);
	r = output_open(&u, false, &p->cancel, &out, &p->err);
	dup2(before, STDOUT_FILENO);
	close(before);
	assert_int_equal(r, 0);
	assert_string_equal(output_name(out), "standard output");
	assert_int_equal(output_write(out, "data", 4, NULL), 0);
	output_free(out);
	assert_int_equal(lseek(fd, 0, SEEK_END), 4);
}

static void a_full_device_is_an_io_error(void **state)
{
	struct place *p = *state;
	struct uri u = file_uri("/dev/full");
	struct output *out = NULL;

	assert_int_equal(output_open(&u, false, &p->cancel, &out, &p->err), 0);
	assert_int_equal(output_write(out, "data", 4, &p->err), -ENOSPC);
	assert_int_equal(err_status(&p->err), 74);
	assert_string_equal(p->err.text, "/dev/full: writing");
	output_free(out);
}

static void a_device_node_is_written_to_as_it_is(void **state)
{
	struct place *p = *state;
	struct uri u = file_uri("/dev/null");
	struct output *out = NULL;
	struct stat st;

	assert_int_equal(output_check(&u, false, &p->err), 0);
	assert_int_equal(output_open(&u, false, &p->cancel, &out, &p->err), 0);
	assert_int_equal(output_write(out, "data", 4, NULL), 0);
	assert_int_equal(output_publish(out, NULL), 0);
	output_free(out);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
}

/* Who makes the pipe, and how it is then written to. */
enum channel {
	PIPE,
	FOREIGN_PIPE,
	SOCKET,
	NR_CHANNELS
};

/* Pipes cannot be reopened through /proc, as with another user's. */
static const struct deny no_reopen = { SYS_openat, 2, O_WRONLY | O_NONBLOCK, EACCES };

struct link {
	int ours, theirs; /* end to write, end to read */
	struct cancel *cancel;
	struct output *out;
};

static void link_up(struct place *p, enum channel kind, struct link *l)
{
	struct job j = {
		.cancel = &p->cancel,
		.deny = kind == FOREIGN_PIPE ? &no_reopen : NULL,
		.keep = true,
	};
	int fds[2];

	if (kind == SOCKET)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	else
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	l->theirs = fds[0];
	l->ours = fds[1];
	j.uri = fd_uri(l->ours);
	run_job(&j);
	assert_int_equal(j.result, 0);
	l->out = j.out;
	l->cancel = &p->cancel;
}

static void link_down(struct link *l)
{
	l->out = output_free(l->out);
	fd_closep(&l->ours);
	fd_closep(&l->theirs);
}

#define MUCH ((size_t)4 << 20) /* more than a pipe or a socket holds */

static void *read_all(void *arg)
{
	struct link *l = arg;
	char buf[8191];
	size_t at = 0;
	ssize_t n;

	while (at < MUCH && (n = read(l->theirs, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			if (buf[i] != (char)(at * 7 + (at >> 9)))
				return NULL;
	return at == MUCH ? l : NULL;
}

static void a_slow_reader_gets_every_byte(void **state)
{
	_cleanup_free_ char *buf = malloc(MUCH);
	struct place *p = *state;

	for (size_t i = 0; i < MUCH; i++)
		buf[i] = (char)(i * 7 + (i >> 9));
	for (int kind = 0; kind < NR_CHANNELS; kind++) {
		pthread_t thread;
		struct link l;
		void *good;

		link_up(p, (enum channel)kind, &l);
		assert_int_equal(pthread_create(&thread, NULL, read_all, &l), 0);
		assert_int_equal(output_write(l.out, buf, MUCH, NULL), 0);
		assert_int_equal(pthread_join(thread, &good), 0);
		assert_non_null(good);
		assert_int_equal(output_publish(l.out, NULL), 0);
		link_down(&l);
	}
}

static void a_reader_that_goes_is_an_io_error(void **state)
{
	struct place *p = *state;

	for (int kind = 0; kind < NR_CHANNELS; kind++) {
		struct err err = { 0 };
		struct link l;

		link_up(p, (enum channel)kind, &l);
		close(TAKE_FD(l.theirs));
		assert_int_equal(output_write(l.out, "data", 4, &err), -EPIPE);
		assert_int_equal(err_status(&err), 74);
		link_down(&l);
	}
}

/* Waits until something is there, so that the writer is at it, and reads nothing. */
static void *cancel_when_written(void *arg)
{
	struct link *l = arg;
	struct pollfd reader = { .fd = l->theirs, .events = POLLIN };

	while (poll(&reader, 1, -1) < 0)
		continue;
	cancel_request(l->cancel);
	return NULL;
}

static void a_full_channel_can_be_cancelled(void **state)
{
	_cleanup_free_ char *buf = calloc(1, MUCH);
	struct place *p = *state;

	for (int kind = 0; kind < NR_CHANNELS; kind++) {
		struct err err = { 0 };
		pthread_t thread;
		struct link l;

		cancel_done(&p->cancel);
		assert_int_equal(cancel_init(&p->cancel, NULL), 0);
		link_up(p, (enum channel)kind, &l);
		assert_int_equal(pthread_create(&thread, NULL, cancel_when_written, &l), 0);
		assert_int_equal(output_write(l.out, buf, MUCH, &err), -ECANCELED);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(err_status(&err), 75);
		link_down(&l);
	}
}

static void the_pipe_of_somebody_else_stays_as_it_was(void **state)
{
	struct place *p = *state;

	for (int kind = 0; kind < NR_CHANNELS; kind++) {
		struct link l;

		link_up(p, (enum channel)kind, &l);
		assert_int_equal(fcntl(l.ours, F_GETFL) & O_NONBLOCK, 0);
		link_down(&l);
	}
}

/* FIFOs */

static void *open_reader(void *arg)
{
	struct place *p = arg;
	int fd = open(p->path, O_RDONLY | O_CLOEXEC);
	char got[16] = "";
	ssize_t n = read_full(fd, got, sizeof(got));

	close(fd);
	return n == 4 && !strcmp(got, "data") ? p : NULL;
}

static void *open_writer(void *arg)
{
	struct place *p = arg;
	int fd = open(p->path, O_WRONLY | O_CLOEXEC);
	int r = write_full(fd, "data", 4);

	close(fd);
	return r < 0 ? NULL : p;
}

static void *request(void *arg)
{
	struct place *p = arg;

	cancel_request(&p->cancel);
	return NULL;
}

static void a_fifo_is_waited_for(void **state)
{
	struct place *p = *state;
	struct job j = { .uri = file_uri(p->path), .cancel = &p->cancel };
	pthread_t thread;
	void *good;

	assert_int_equal(mkfifo(p->path, 0600), 0);
	assert_int_equal(pthread_create(&thread, NULL, open_reader, p), 0);
	run_job(&j);
	assert_int_equal(pthread_join(thread, &good), 0);
	assert_int_equal(j.at, STEP_DONE);
	assert_non_null(good);
}

static void a_fifo_that_nobody_reads_can_be_cancelled(void **state)
{
	struct place *p = *state;
	struct uri u = file_uri(p->path);
	struct output *out = NULL;
	pthread_t thread;

	assert_int_equal(mkfifo(p->path, 0600), 0);
	assert_int_equal(pthread_create(&thread, NULL, request, p), 0);
	assert_int_equal(output_open(&u, false, &p->cancel, &out, &p->err), -ECANCELED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(err_status(&p->err), 75);
	assert_string_equal(listing(p), "image");
}

/* input */

static struct input *open_input(struct place *p, const struct uri *u)
{
	struct input *in = NULL;

	assert_int_equal(input_open(u, &p->cancel, &in, &p->err), 0);
	return in;
}

static void assert_reads(struct input *in, const char *want)
{
	char got[64] = "";
	size_t at = 0;
	ssize_t n;

	while ((n = input_read(in, got + at, sizeof(got) - 1 - at, NULL)) > 0)
		at += (size_t)n;
	assert_int_equal(n, 0);
	assert_string_equal(got, want);
}

static void a_file_can_be_read_twice(void **state)
{
	struct place *p = *state;
	struct uri u = file_uri(p->path);
	struct input *in;

	put_file(p->path, "data");
	in = open_input(p, &u);
	assert_true(input_rewindable(in));
	assert_string_equal(input_name(in), p->path);
	for (int i = 0; i < 2; i++) {
		assert_reads(in, "data");
		assert_int_equal(input_rewind(in, NULL), 0);
	}
	assert_null(input_free(in));
}

static void a_descriptor_is_read_from_where_it_is(void **state)
{
	struct place *p = *state;
	_cleanup_fd_ int fd = memfd_create("in", MFD_CLOEXEC);
	struct uri u = fd_uri(fd);
	struct input *in;

	assert_int_equal(write_full(fd, "beforedata", 10), 0);
	assert_int_equal(lseek(fd, 6, SEEK_SET), 6);
	in = open_input(p, &u);
	assert_true(input_rewindable(in));
	for (int i = 0; i < 2; i++) {
		assert_reads(in, "data");
		assert_int_equal(input_rewind(in, NULL), 0);
	}
	input_free(in);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

static void a_pipe_can_be_read_once(void **state)
{
	struct place *p = *state;
	_cleanup_fd_ int fd = -1;
	struct input *in;
	struct uri u;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	fd = fds[0];
	u = fd_uri(fd);
	assert_int_equal(write_full(fds[1], "data", 4), 0);
	close(fds[1]);
	in = open_input(p, &u);
	assert_false(input_rewindable(in));
	assert_reads(in, "data");
	assert_int_equal(input_rewind(in, &p->err), -ESPIPE);
	assert_int_equal(err_status(&p->err), 74);
	input_free(in);
}

static void standard_input_has_a_name(void **state)
{
	const struct uri u = { .kind = URI_STDIO, .text = "-", .fd = -1 };
	struct place *p = *state;
	_cleanup_fd_ int fd = memfd_create("in", MFD_CLOEXEC);
	int before = dup(STDIN_FILENO);
	struct input *in;

	assert_int_equal(write_full(fd, "data", 4), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	dup2(fd, STDIN_FILENO);
	in = open_input(p, &u);
	dup2(before, STDIN_FILENO);
	close(before);
	assert_string_equal(input_name(in), "standard input");
	assert_reads(in, "data");
	input_free(in);
}

static void what_cannot_be_read_is_refused(void **state)
{
	struct place *p = *state;
	_cleanup_fd_ int write_only = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const struct {
		struct uri u;
		int code, status;
	} rows[] = {
		{ file_uri(p->path), -ENOENT, 66 }, { file_uri("/dev/null/x"), -ENOTDIR, 66 },
		{ file_uri(p->dir), -EISDIR, 66 },  { fd_uri(9999), -EBADF, 66 },
		{ fd_uri(write_only), -EBADF, 66 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct input *in = NULL;
		struct err err = { 0 };

		assert_int_equal(input_open(&rows[i].u, &p->cancel, &in, &err), rows[i].code);
		assert_int_equal(err_status(&err), rows[i].status);
		assert_null(in);
	}
}

struct stranger {
	struct place *p;
	int read, write;
	struct err read_err, write_err;
};

/* root may read everything; a thread with another fsuid may not. */
static void *be_a_stranger(void *arg)
{
	struct stranger *s = arg;
	struct uri u = file_uri(s->p->path), beside;
	struct output *out = NULL;
	struct input *in = NULL;
	char path[128];

	setfsuid(65534);
	s->read = input_open(&u, &s->p->cancel, &in, &s->read_err);
	input_free(in);
	snprintf(path, sizeof(path), "%s/beside", s->p->dir);
	beside = file_uri(path);
	s->write = output_open(&beside, false, &s->p->cancel, &out, &s->write_err);
	output_free(out);
	return NULL;
}

static void without_permission_nothing_is_opened(void **state)
{
	struct place *p = *state;
	struct stranger s = { .p = p };
	pthread_t thread;

	put_file(p->path, "data");
	assert_int_equal(chmod(p->path, 0), 0);
	assert_int_equal(chmod(p->dir, 0555), 0);
	assert_int_equal(pthread_create(&thread, NULL, be_a_stranger, &s), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(chmod(p->dir, 0700), 0);
	assert_int_equal(s.read, -EACCES);
	assert_int_equal(err_status(&s.read_err), 77);
	assert_int_equal(s.write, -EACCES);
	assert_int_equal(err_status(&s.write_err), 77);
}

static void a_failed_read_is_an_io_error(void **state)
{
	struct place *p = *state;
	struct uri u = file_uri("/proc/self/mem"); /* nothing is mapped at 0 */
	struct input *in = open_input(p, &u);
	char buf[16];

	assert_int_equal(input_read(in, buf, sizeof(buf), &p->err), -EIO);
	assert_int_equal(err_status(&p->err), 74);
	assert_string_equal(p->err.text, "/proc/self/mem: reading");
	input_free(in);
}

static void a_writer_is_waited_for_in_a_fifo(void **state)
{
	struct place *p = *state;
	struct uri u = file_uri(p->path);
	struct input *in;
	pthread_t thread;
	void *good;

	assert_int_equal(mkfifo(p->path, 0600), 0);
	in = open_input(p, &u);
	assert_false(input_rewindable(in));
	assert_int_equal(pthread_create(&thread, NULL, open_writer, p), 0);
	assert_reads(in, "data");
	assert_int_equal(pthread_join(thread, &good), 0);
	assert_non_null(good);
	input_free(in);
}

static void a_fifo_that_nobody_writes_can_be_cancelled(void **state)
{
	struct place *p = *state;
	struct uri u = file_uri(p->path);
	struct input *in;
	pthread_t thread;
	char buf[16];

	assert_int_equal(mkfifo(p->path, 0600), 0);
	in = open_input(p, &u);
	assert_int_equal(pthread_create(&thread, NULL, request, p), 0);
	assert_int_equal(input_read(in, buf, sizeof(buf), &p->err), -ECANCELED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(err_status(&p->err), 75);
	input_free(in);
}

#define PLACE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_named_as_qemu_names_it),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(a_command_or_an_address_is_taken_apart),
		cmocka_unit_test(what_is_not_possible_here_is_told_with_what_is),
		PLACE_TEST(a_file_appears_only_when_it_is_published),
		PLACE_TEST(a_file_system_without_nameless_files_will_do),
		PLACE_TEST(what_is_not_published_leaves_nothing_behind),
		PLACE_TEST(an_existing_file_is_refused_and_stays),
		PLACE_TEST(by_force_a_file_is_replaced_at_once),
		PLACE_TEST(force_needs_no_file_to_replace),
		PLACE_TEST(a_file_that_came_meanwhile_is_not_overwritten),
		PLACE_TEST(nobody_else_may_read_an_image),
		PLACE_TEST(a_link_to_a_file_is_a_file),
		PLACE_TEST(what_cannot_become_a_file_is_refused),
		PLACE_TEST(a_file_in_the_current_folder_needs_no_slash),
		PLACE_TEST(a_long_name_is_no_obstacle),
		PLACE_TEST(a_refused_call_leaves_nothing_behind),
		PLACE_TEST(a_file_that_cannot_be_synced_is_not_published),
		PLACE_TEST(an_image_is_never_written_to_a_terminal),
		PLACE_TEST(a_descriptor_that_cannot_be_written_is_refused),
		PLACE_TEST(a_descriptor_gets_every_byte_and_stays_open),
		PLACE_TEST(standard_output_has_a_name),
		PLACE_TEST(a_full_device_is_an_io_error),
		PLACE_TEST(a_device_node_is_written_to_as_it_is),
		PLACE_TEST(a_slow_reader_gets_every_byte),
		PLACE_TEST(a_reader_that_goes_is_an_io_error),
		PLACE_TEST(a_full_channel_can_be_cancelled),
		PLACE_TEST(the_pipe_of_somebody_else_stays_as_it_was),
		PLACE_TEST(a_fifo_is_waited_for),
		PLACE_TEST(a_fifo_that_nobody_reads_can_be_cancelled),
		PLACE_TEST(a_file_can_be_read_twice),
		PLACE_TEST(a_descriptor_is_read_from_where_it_is),
		PLACE_TEST(a_pipe_can_be_read_once),
		PLACE_TEST(standard_input_has_a_name),
		PLACE_TEST(what_cannot_be_read_is_refused),
		PLACE_TEST(without_permission_nothing_is_opened),
		PLACE_TEST(a_failed_read_is_an_io_error),
		PLACE_TEST(a_writer_is_waited_for_in_a_fifo),
		PLACE_TEST(a_fifo_that_nobody_writes_can_be_cancelled),
	};

	pthread_t thread;

	signal(SIGPIPE, SIG_IGN); /* as main() does */
	/* In a thread of its own: a filter stays. */
	if (pthread_create(&thread, NULL, try_to_deny, NULL) || pthread_join(thread, NULL))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
