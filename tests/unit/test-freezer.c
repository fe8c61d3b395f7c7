// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/macros.h"
#include "fake-host.h"
#include "host/cgroup.h"
#include "host/guardian.h"

/*
 * Real processes: owners that do nothing, and tools that are killed. What the kernel says of them
 * is read here by hand. How many tools are killed, FREEZER_KILLS says.
 */

#define KILLS 40
#define OWNER_THREADS 3
#define LOOKS 20000

static struct cancel cancel;

static void must(bool done, const char *what)
{
	if (!done)
		fail_msg("%s: %s", what, strerror(errno));
}

static void *idle(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

/* A process with threads, which ends with the test. */
static pid_t owner_new(unsigned int threads)
{
	int ready[2];
	pid_t pid;
	char byte;

	must(pipe(ready) == 0, "pipe");
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		pthread_t thread;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned int i = 1; i < threads; i++)
			if (pthread_create(&thread, NULL, idle, NULL))
				_exit(1);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		idle(NULL);
	}
	must(read(ready[0], &byte, 1) == 1, "an owner");
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void owner_end(pid_t pid)
{
	kill(pid, SIGKILL);
	must(waitpid(pid, NULL, 0) == pid, "waitpid");
}

/* Of one thread, by /proc. */
static char state_of(pid_t pid, const char *task)
{
	char path[PATH_MAX], text[512] = "";
	const char *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", (int)pid, task);
	f = fopen(path, "re");
	must(f && fgets(text, sizeof(text), f), path);
	fclose(f);
	end = strrchr(text, ')');
	return end ? end[2] : 0;
}

static bool is_stopped(pid_t pid)
{
	char self[16];

	snprintf(self, sizeof(self), "%d", (int)pid);
	return strchr("Tt", state_of(pid, self));
}

/* It goes on by itself, or not at all. */
static bool goes_on(pid_t pid)
{
	for (unsigned int i = 0; i < LOOKS && is_stopped(pid); i++)
		usleep(500);
	return !is_stopped(pid);
}

static void all_threads_stop_and_go_on(void **state)
{
	pid_t pid = owner_new(OWNER_THREADS);
	struct err err = { 0 };
	struct freezer f;

	(void)state;
	assert_int_equal(freezer_open(&f, &host_live, pid, -1, &err), 0);
	assert_true(freezer_runs(&f));
	assert_int_equal(freezer_freeze(&f, &cancel, &err), 0);
	if (f.cgroup < 0)
		assert_true(is_stopped(pid));
	freezer_thaw(&f);
	assert_true(goes_on(pid));
	freezer_close(&f);
	owner_end(pid);
}

static void what_is_stopped_already_is_told(void **state)
{
	pid_t pid = owner_new(1);
	struct err err = { 0 };
	struct freezer f;

	(void)state;
	kill(pid, SIGSTOP);
	must(waitpid(pid, NULL, WUNTRACED) == pid, "SIGSTOP");
	assert_int_equal(freezer_open(&f, &host_live, pid, -1, &err), 0);
	assert_int_equal(f.cgroup, -1);
	assert_false(freezer_runs(&f));
	freezer_close(&f);
	owner_end(pid);
}

static void who_cannot_be_stopped_is_named(void **state)
{
	pid_t pid = owner_new(1);
	struct err err = { 0 };
	struct freezer f;

	(void)state;
	assert_int_equal(freezer_open(&f, &host_live, getpid(), -1, &err), -EINVAL);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_int_equal(freezer_open(&f, &host_live, pid, -1, &err), 0);
	assert_true(freezer_runs(&f));
	owner_end(pid);
	assert_int_equal(freezer_freeze(&f, &cancel, &err), -ESRCH);
	assert_int_equal(err.kind, ERR_ABORTED);
	freezer_close(&f);
	assert_int_equal(freezer_open(&f, &host_live, pid, -1, &err), -ESRCH);
	assert_int_equal(err.kind, ERR_MISSING);
}

/* The number of one process, and the pidfd of another: the second one is meant. */
static void a_number_that_another_process_has_got_is_not_heeded(void **state)
{
	pid_t owner = owner_new(1), stranger = owner_new(1);
	int pidfd = pidfd_open(owner, 0);
	struct err err = { 0 };
	struct freezer f;

	(void)state;
	assert_true(pidfd >= 0);
	owner_end(owner);
	assert_int_equal(freezer_open(&f, &host_live, stranger, pidfd, &err), -ESRCH);
	assert_int_equal(err.kind, ERR_MISSING);
	freezer_close(&f);
	assert_false(is_stopped(stranger));

	/* Ended after it was opened. */
	owner = owner_new(1);
	close(pidfd);
	pidfd = pidfd_open(owner, 0);
	assert_int_equal(freezer_open(&f, &host_live, stranger, pidfd, &err), 0);
	close(pidfd);
	owner_end(owner);
	assert_int_equal(freezer_freeze(&f, &cancel, &err), -ESRCH);
	assert_false(is_stopped(stranger));
	freezer_close(&f);
	owner_end(stranger);
}

/* In a process that may signal none but its user's. */
static void another_users_process_is_refused(void **state)
{
	pid_t owner, pid;
	int status;

	(void)state;
	if (getuid() != 0)
		skip();
	owner = owner_new(1);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid) {
		struct err err = { 0 };
		struct freezer f;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(1);
		_exit(freezer_open(&f, &host_live, owner, -1, &err) == -EPERM &&
				      err.kind == ERR_PERMISSION && *err.hint
			      ? 0
			      : 2);
	}
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	assert_int_equal(status, 0);
	owner_end(owner);
}

static void a_cancel_ends_the_wait_and_the_process_goes_on(void **state)
{
	pid_t pid = owner_new(1);
	struct cancel own;
	struct err err = { 0 };
	struct freezer f;
	int r;

	(void)state;
	must(cancel_init(&own, &err) == 0, "cancel");
	cancel_request(&own);
	assert_int_equal(freezer_open(&f, &host_live, pid, -1, &err), 0);
	/* It may have stopped before the first look. */
	r = freezer_freeze(&f, &own, &err);
	if (r >= 0)
		freezer_thaw(&f);
	else
		assert_int_equal(r, -ECANCELED);
	assert_true(goes_on(pid));
	freezer_close(&f);
	cancel_done(&own);
	owner_end(pid);
}

/*
 * Cgroups
 */

#define GROUP "vfiomig-test-freezer"

/* Where version 2 is mounted, and groups may be made. */
static bool group_make(char path[static PATH_MAX])
{
	static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		snprintf(path, PATH_MAX, "%s/cgroup.procs", mounts[i]);
		if (access(path, W_OK) < 0)
			continue;
		snprintf(path, PATH_MAX, "%s/" GROUP "-%d", mounts[i], (int)getpid());
		return mkdir(path, 0755) == 0;
	}
	return false;
}

static void put(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "we");
	must(f && fputs(text, f) >= 0 && fclose(f) == 0, path);
}

static bool group_is_frozen(const char *group)
{
	char path[PATH_MAX], line[64];
	bool frozen = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.events", group);
	f = fopen(path, "re");
	must(f, path);
	while (fgets(line, sizeof(line), f))
		frozen |= !strcmp(line, "frozen 1\n");
	fclose(f);
	return frozen;
}

static void join(const char *group, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	put(group, "cgroup.procs", text);
}

static void a_cgroup_of_its_own_is_frozen(void **state)
{
	char group[PATH_MAX];
	struct err err = { 0 };
	struct freezer f;
	pid_t pid;

	(void)state;
	if (!group_make(group))
		skip();
	pid = owner_new(OWNER_THREADS);
	join(group, pid);
	assert_int_equal(freezer_open(&f, &host_live, pid, -1, &err), 0);
	assert_int_not_equal(f.cgroup, -1);
	assert_true(freezer_runs(&f));
	assert_int_equal(freezer_freeze(&f, &cancel, &err), 0);
	assert_true(group_is_frozen(group));
	assert_false(is_stopped(pid));
	assert_false(freezer_runs(&f));
	freezer_thaw(&f);
	for (unsigned int i = 0; i < LOOKS && group_is_frozen(group); i++)
		usleep(500);
	assert_false(group_is_frozen(group));
	freezer_close(&f);
	owner_end(pid);
	must(rmdir(group) == 0, group);
}

static void a_cgroup_that_others_are_in_is_left_alone(void **state)
{
	pid_t pid, other;
	char group[PATH_MAX];
	struct err err = { 0 };
	struct freezer f;

	(void)state;
	if (!group_make(group))
		skip();
	pid = owner_new(1);
	other = owner_new(1);
	join(group, pid);
	join(group, other);
	assert_int_equal(freezer_open(&f, &host_live, pid, -1, &err), 0);
	assert_int_equal(f.cgroup, -1);
	freezer_close(&f);
	owner_end(other);
	owner_end(pid);
	must(rmdir(group) == 0, group);
}

/* What is not clear from /proc is not frozen by its cgroup. */
static void a_cgroup_that_cannot_be_told_is_not_used(void **state)
{
	static const struct {
		const char *cgroup, *root, *procs, *below;
		bool own;
	} rows[] = {
		/* clang-format off */
		{ "9:x:/\n0::/own\n",      "/",     "42\n",     "0", true },
		{ "0::/own\n",             "/",     "42\n43\n", "0", false },
		{ "0::/own\n",             "/",     "43\n",     "0", false },
		{ "0::/own\n",             "/",     "",         "0", false },
		{ "0::/own\n",             "/",     "42\n",     "1", false },
		{ "0::/own\n",             "/part", "42\n",     "0", false },
		{ "0::/\n",                "/",     "42\n",     "0", false },
		{ "0::/../own\n",          "/",     "42\n",     "0", false },
		{ "0::/own (deleted)\n",   "/",     "42\n",     "0", false },
		{ "1:freezer:/own\n",      "/",     "42\n",     "0", false },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_host *h = fake_host_new();
		char text[PATH_MAX];
		int fd;

		snprintf(
			text, sizeof(text),
			"1 0 0:1 / / rw - ext4 disk rw\n2 1 0:2 %s %s/group rw - cgroup2 none rw\n",
			rows[i].root, h->root);
		fake_file(AT(h, "proc/self/mountinfo"), text);
		snprintf(text, sizeof(text), "nr_descendants %s\n", rows[i].below);
		fake_file(AT(h, "group/own/cgroup.stat"), text);
		fake_file(AT(h, "proc/42/cgroup"), rows[i].cgroup);
		fake_file(AT(h, "group/own/cgroup.procs"), rows[i].procs);
		fake_file(AT(h, "group/own/cgroup.freeze"), "0\n");
		fd = cgroup_open_own(&h->host, 42);
		if ((fd >= 0) != rows[i].own)
			fail_msg("row %zu: %d", i, fd);
		if (fd >= 0)
			close(fd);
		fake_host_free(h);
	}
}

/*
 * The guardian: processes that have one are killed
 */

/* What its work leaves behind. */
struct traces {
	_Atomic unsigned int recovered, after;
	_Atomic int note, status;
	_Atomic bool stopped; /* the owner was, while the devices were brought back */
	_Atomic unsigned int steps;
	pid_t owner;
};

enum mishap {
	MISHAP_NONE,
	MISHAP_CRASH,
	MISHAP_HANG
};

struct guarded {
	struct traces *traces;
	enum mishap mishap;
	int patience_ms;
};

static int recover(void *ctx, uint8_t note, const uint8_t *marks)
{
	const struct guarded *g = ctx;

	g->traces->note = note + 10 * marks[0] + 100 * marks[1];
	g->traces->stopped = is_stopped(g->traces->owner);
	g->traces->recovered++;
	if (g->mishap == MISHAP_CRASH)
		raise(SIGKILL);
	while (g->mishap == MISHAP_HANG)
		pause();
	return 7;
}

static void after(void *ctx, uint8_t note, int recovered)
{
	const struct guarded *g = ctx;

	(void)note;
	g->traces->status = recovered;
	g->traces->after++;
}

static struct traces *traces_new(pid_t owner)
{
	struct traces *t =
		mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(t != MAP_FAILED, "mmap");
	t->owner = owner;
	return t;
}

enum stay {
	STAY_NOT, /* go on to the end */
	STAY, /* with the owner stopped */
	STAY_IN_THREAD, /* the same, but the first thread ends */
};

/* As of a process that was killed while one of its threads waits for a driver. */
_Noreturn static void leave_a_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, idle, NULL))
		_exit(5);
	syscall(SYS_exit, 0);
	abort();
}

/* As the tool does it, over and over. */
_Noreturn static void stop_and_go_on(struct guarded *g, unsigned int times, enum stay stay)
{
	const struct guardian_options o = {
		.n_freezers = 1,
		.patience_ms = g->patience_ms,
		.recover = recover,
		.after = after,
		.ctx = g,
	};
	struct guardian_options own = o;
	struct guardian *guardian = NULL;
	struct err err = { 0 };
	struct freezer f;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (freezer_open(&f, &host_live, g->traces->owner, -1, &err) < 0)
		_exit(2);
	own.freezers = &f;
	while (times--) {
		if (guardian_start(&own, &guardian, &err) < 0)
			_exit(3);
		if (guardian_note(guardian, 3, &err) < 0 ||
		    guardian_mark(guardian, 0, 1, &err) < 0 ||
		    guardian_mark(guardian, 1, 1, &err) < 0 ||
		    guardian_mark(guardian, 0, 0, &err) < 0 ||
		    guardian_freezing(guardian, 0, &err) < 0 ||
		    freezer_freeze(&f, &cancel, &err) < 0)
			_exit(4);
		g->traces->steps++;
		if (stay == STAY_IN_THREAD)
			leave_a_thread();
		while (stay == STAY)
			pause();
		freezer_thaw(&f);
		guardian_thawed(guardian, 0);
		guardian = guardian_free(guardian);
		g->traces->steps++;
	}
	_exit(0);
}

/* Children that are left, by /proc. Orphans become children of the test, see set_up(). */
static unsigned int count_children(void)
{
	unsigned int n = 0;
	char path[64];
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "re");
	if (!f)
		skip();
	while (fscanf(f, "%d", &pid) == 1)
		n++;
	fclose(f);
	return n;
}

/* Until the owner is the only one. */
static void await_guardians(void)
{
	for (unsigned int i = 0; i < LOOKS && count_children() > 1; i++) {
		siginfo_t info = { 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && !info.si_pid)
			usleep(500);
	}
	assert_int_equal(count_children(), 1);
}

static void kill_it(pid_t pid)
{
	kill(pid, SIGKILL);
	must(waitpid(pid, NULL, 0) == pid, "waitpid");
}

static pid_t guarded_start(struct guarded *g, unsigned int times, enum stay stay)
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (!pid)
		stop_and_go_on(g, times, stay);
	return pid;
}

static void await_steps(const struct traces *t, unsigned int steps)
{
	for (unsigned int i = 0; i < LOOKS && t->steps < steps; i++)
		usleep(500);
	assert_true(t->steps >= steps);
}

static void the_owner_of_a_killed_process_goes_on(void **state)
{
	static const struct {
		enum mishap mishap;
		int patience_ms, status;
	} rows[] = {
		{ MISHAP_NONE, 60000, 7 },
		{ MISHAP_CRASH, 60000, GUARDIAN_NOT_RECOVERED },
		{ MISHAP_HANG, 50, GUARDIAN_NOT_RECOVERED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		pid_t owner = owner_new(OWNER_THREADS), tool;
		struct guarded g = { traces_new(owner), rows[i].mishap, rows[i].patience_ms };

		tool = guarded_start(&g, 1, STAY);
		await_steps(g.traces, 1);
		assert_true(is_stopped(owner));
		kill_it(tool);
		if (!goes_on(owner))
			fail_msg("row %zu: the owner is left stopped; recovered %u", i,
				 g.traces->recovered);
		for (unsigned int look = 0; look < LOOKS && !g.traces->after; look++)
			usleep(500);
		await_guardians();
		assert_int_equal(g.traces->recovered, 1);
		assert_int_equal(g.traces->note, 103);
		assert_true(g.traces->stopped);
		assert_int_equal(g.traces->after, 1);
		assert_int_equal(g.traces->status, rows[i].status);
		munmap(g.traces, sizeof(*g.traces));
		owner_end(owner);
	}
}

/* Its threads keep their end of the pipe open. */
static void a_first_thread_that_ends_is_the_end(void **state)
{
	pid_t owner = owner_new(OWNER_THREADS), tool;
	struct guarded g = { traces_new(owner), MISHAP_NONE, 60000 };

	(void)state;
	tool = guarded_start(&g, 1, STAY_IN_THREAD);
	await_steps(g.traces, 1);
	assert_true(goes_on(owner));
	for (unsigned int look = 0; look < LOOKS && !g.traces->after; look++)
		usleep(500);
	assert_int_equal(g.traces->recovered, 1);
	assert_int_equal(g.traces->after, 1);
	assert_int_equal(waitpid(tool, NULL, WNOHANG), 0);
	kill_it(tool);
	await_guardians();
	munmap(g.traces, sizeof(*g.traces));
	owner_end(owner);
}

static void a_cgroup_that_a_killed_process_froze_goes_on(void **state)
{
	char group[PATH_MAX];
	struct guarded g = { .patience_ms = 60000 };
	pid_t owner, tool;

	(void)state;
	if (!group_make(group))
		skip();
	owner = owner_new(OWNER_THREADS);
	join(group, owner);
	g.traces = traces_new(owner);
	tool = guarded_start(&g, 1, STAY);
	await_steps(g.traces, 1);
	assert_true(group_is_frozen(group));
	kill_it(tool);
	await_guardians();
	for (unsigned int i = 0; i < LOOKS && group_is_frozen(group); i++)
		usleep(500);
	assert_false(group_is_frozen(group));
	assert_int_equal(g.traces->recovered, 1);
	munmap(g.traces, sizeof(*g.traces));
	owner_end(owner);
	must(rmdir(group) == 0, group);
}

static void one_that_ends_well_leaves_nothing_to_do(void **state)
{
	pid_t owner = owner_new(1), tool;
	struct guarded g = { traces_new(owner), MISHAP_NONE, 60000 };
	int status;

	(void)state;
	tool = guarded_start(&g, 3, STAY_NOT);
	must(waitpid(tool, &status, 0) == tool, "waitpid");
	assert_int_equal(status, 0);
	await_guardians();
	assert_false(is_stopped(owner));
	assert_int_equal(g.traces->recovered, 0);
	assert_int_equal(g.traces->after, 0);
	munmap(g.traces, sizeof(*g.traces));
	owner_end(owner);
}

/* Whatever moment it is: the owner runs when all is over. */
static void a_kill_at_any_moment_leaves_no_owner_stopped(void **state)
{
	const char *text = getenv("FREEZER_KILLS");
	long kills = text ? strtol(text, NULL, 10) : KILLS;
	pid_t owner = owner_new(OWNER_THREADS);
	unsigned int caught = 0;

	(void)state;
	for (long i = 0; i < kills; i++) {
		struct guarded g = { traces_new(owner), MISHAP_NONE, 60000 };
		pid_t tool = guarded_start(&g, 1u << 30, STAY_NOT);

		usleep((useconds_t)(rand() % 3000));
		kill_it(tool);
		await_guardians();
		caught += g.traces->stopped;
		if (is_stopped(owner))
			fail_msg("kill %ld: the owner is left stopped after %u steps", i,
				 g.traces->steps);
		munmap(g.traces, sizeof(*g.traces));
	}
	print_message("# %ld killed, %u of them while the owner was stopped\n", kills, caught);
	owner_end(owner);
}

static int set_up(void **state)
{
	(void)state;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cancel_init(&cancel, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	cancel_done(&cancel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_threads_stop_and_go_on),
		cmocka_unit_test(what_is_stopped_already_is_told),
		cmocka_unit_test(who_cannot_be_stopped_is_named),
		cmocka_unit_test(a_number_that_another_process_has_got_is_not_heeded),
		cmocka_unit_test(another_users_process_is_refused),
		cmocka_unit_test(a_cancel_ends_the_wait_and_the_process_goes_on),
		cmocka_unit_test(a_cgroup_of_its_own_is_frozen),
		cmocka_unit_test(a_cgroup_that_others_are_in_is_left_alone),
		cmocka_unit_test(a_cgroup_that_cannot_be_told_is_not_used),
		cmocka_unit_test(the_owner_of_a_killed_process_goes_on),
		cmocka_unit_test(a_first_thread_that_ends_is_the_end),
		cmocka_unit_test(a_cgroup_that_a_killed_process_froze_goes_on),
		cmocka_unit_test(one_that_ends_well_leaves_nothing_to_do),
		cmocka_unit_test(a_kill_at_any_moment_leaves_no_owner_stopped),
	};

	srand((unsigned int)getpid());
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
