// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * The first process of the PCI machine
 *
 * All that its initramfs holds, beside the modules that Debian's kernel needs for a root that is a
 * folder of the host: it loads them, makes that the root and becomes the lab's init, whose path is
 * in the environment ("lab_init", from the kernel's command line).
 */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In this order; pci/prepare puts them here. */
static const char *const modules[] = { "/netfs.ko", "/9pnet.ko", "/9pnet_virtio.ko", "/9p.ko" };

/* The whole machine ends with its first process: the kernel panics, and QEMU exits. */
static void die(const char *what)
{
	fprintf(stderr, "lab initramfs: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
		die(path);
	close(fd);
}

static void enter_root(void)
{
	/* loose: what the host changes while the machine runs may be seen old, as on hostfs. */
	if (mount("host", "/new", "9p", 0,
		  "trans=virtio,version=9p2000.L,msize=512000,cache=loose") < 0)
		die("the host's files");
	if (mount("devtmpfs", "/new/dev", "devtmpfs", MS_NOSUID, "mode=0755") < 0)
		die("/dev");
	if (chdir("/new") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
		die("the new root");
}

int main(void)
{
	const char *init = getenv("lab_init");

	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		load(modules[i]);
	enter_root();
	if (!init)
		init = "/sbin/init";
	execl(init, init, (char *)NULL);
	die(init);
}
