// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * vfiomig-emu: emulated devices that migrate
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "emu/server.h"

/* Before the parent could have ended unseen, and after. */
static bool emu_main_follow_parent(pid_t parent)
{
	return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent;
}

int main(int argc, char **argv)
{
	pid_t parent = getppid();
	_cleanup_(emu_options_done) struct emu_options o = { 0 };
	struct err err = { 0 };
	char reason[ERR_REASON_MAX];
	sigset_t set;

	if (fd_take_standard(&err) < 0)
		return err_status(&err);
	emu_options_parse(&o, argc, argv);
	log_setup(o.verbosity, program_invocation_short_name);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (o.exit_with_parent && !emu_main_follow_parent(parent))
		return 0;
	if (emu_serve(&o, &err) < 0) {
		fprintf(stderr, "%s: %s%s\n", program_invocation_short_name, err.text,
			err_reason(&err, reason));
		return err_status(&err);
	}
	return 0;
}
