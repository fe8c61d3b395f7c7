// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * kill-nth N COUNT COMMAND...
 *
 * Runs COMMAND, and kills it with SIGKILL at the Nth begin or end of a system call of any of its
 * threads; 0 kills it nowhere. COUNT is a file for how many there were. Processes that it forks,
 * a guardian say, are neither counted nor killed, unlike with strace -f. The exit status is that
 * of COMMAND, or 128 and the signal that has ended it.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* What PTRACE_O_TRACESYSGOOD adds to SIGTRAP where a system call begins or ends. */
#define SYSCALL_TRAP (SIGTRAP | 0x80)

_Noreturn static void die(const char *what)
{
	perror(what);
	exit(125);
}

_Noreturn static void be(char **command)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		die("ptrace");
	raise(SIGSTOP);
	execvp(command[0], command);
	die(command[0]);
}

/* The signal that a stopped thread is to have. A new thread begins with a SIGSTOP of ptrace's. */
static int passed_on(int status)
{
	int sig = WSTOPSIG(status);

	return status >> 16 || sig == SYSCALL_TRAP || sig == SIGSTOP || sig == SIGTRAP ? 0 : sig;
}

/* Return: how many times a system call has begun or ended; @ret_status: as of waitpid() */
static unsigned long watch(pid_t child, unsigned long nth, int *ret_status)
{
	unsigned long count = 0;
	int status;

	for (;;) {
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno != EINTR)
			die("waitpid");
		if (pid < 0)
			continue;
		if (pid == child && !WIFSTOPPED(status)) {
			*ret_status = status;
			return count;
		}
		if (!WIFSTOPPED(status))
			continue;
		if (WSTOPSIG(status) == SYSCALL_TRAP && ++count == nth)
			kill(child, SIGKILL);
		/* One that was killed is not there to go on. */
		ptrace(PTRACE_SYSCALL, pid, NULL, (long)passed_on(status));
	}
}

static void write_count(const char *path, unsigned long count)
{
	FILE *f = fopen(path, "we");

	if (!f || fprintf(f, "%lu\n", count) < 0 || fclose(f) != 0)
		die(path);
}

int main(int argc, char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	unsigned long nth;
	char *end;
	pid_t child;
	int status;

	if (argc < 4)
		return 64;
	nth = strtoul(argv[1], &end, 10);
	if (*end)
		return 64;
	child = fork();
	if (child < 0)
		die("fork");
	if (!child)
		be(argv + 3);
	if (waitpid(child, &status, 0) != child ||
	    ptrace(PTRACE_SETOPTIONS, child, NULL, options) < 0 ||
	    ptrace(PTRACE_SYSCALL, child, NULL, NULL) < 0)
		die("ptrace");
	write_count(argv[2], watch(child, nth, &status));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
