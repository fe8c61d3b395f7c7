// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * peak FILE COMMAND...
 *
 * Runs COMMAND and adds a line to FILE: the most memory, in KiB, that it or any one process that it
 * waited for had; not their sum. A program of its own, since a process inherits that figure from
 * its parent, and an interpreter is larger than what is measured.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rusage usage;
	int status;
	FILE *f;
	pid_t pid;

	if (argc < 3)
		return EXIT_FAILURE;
	pid = fork();
	if (!pid) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid)
		return EXIT_FAILURE;
	f = fopen(argv[1], "a");
	if (!f || fprintf(f, "%ld\n", usage.ru_maxrss) < 0 || fclose(f))
		return EXIT_FAILURE;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
