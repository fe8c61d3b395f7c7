// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * bar RESOURCE STEP...
 *
 * Reads and writes 32-bit registers of a PCI function as the host sees them, by its resourceN file
 * in sysfs: without VFIO, and whatever holds the device. STEP is PLACE, to read, or PLACE=VALUE.
 * Prints a line for each read.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void die(const char *what)
{
	fprintf(stderr, "bar: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void take_step(volatile uint32_t *bar, size_t size, const char *step)
{
	unsigned long place, value;
	char *end;

	place = strtoul(step, &end, 0);
	if (end == step || place % 4 || place >= size || (*end && *end != '=')) {
		errno = EINVAL;
		die(step);
	}
	if (!*end) {
		printf("0x%x\n", bar[place / 4]);
		return;
	}
	value = strtoul(end + 1, &end, 0);
	if (*end || value > UINT32_MAX) {
		errno = EINVAL;
		die(step);
	}
	bar[place / 4] = (uint32_t)value;
}

int main(int argc, char **argv)
{
	struct stat st;
	void *bar;
	int fd;

	if (argc < 3) {
		fprintf(stderr, "usage: bar RESOURCE STEP...\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		die(argv[1]);
	bar = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED)
		die(argv[1]);
	for (int i = 2; i < argc; i++)
		take_step(bar, (size_t)st.st_size, argv[i]);
	return 0;
}
