// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * region DEV INDEX STEP...
 *
 * Reads and writes registers of a device's region by hand, in one open, and prints a line for each
 * STEP with what came of it: rSIZE@PLACE reads, wSIZE@PLACE=VALUE writes; SIZE is 1 to 4096
 * bytes, values of more than 8 are shown and written as so many bytes of 0. mPLACE+SIZE maps that
 * part of the region and touches its first byte. iINDEX+COUNT enables so many interrupts of that
 * kind, for eventfds that nothing reads. reset resets the device. Numbers may be hexadecimal.
 */

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macros.h"
#include "tool.h"

#define LENGTH_MAX 4096
#define VECTORS_MAX 16

struct region {
	int fd;
	uint64_t at;
};

static void show(const char *step, int r, const uint8_t *bytes, size_t size)
{
	uint64_t value = 0;

	if (r < 0) {
		printf("%s %s\n", step, err_name(r));
		return;
	}
	memcpy(&value, bytes, MIN(size, sizeof(value)));
	printf("%s 0x%llx\n", step, (unsigned long long)value);
}

static int access_register(const struct region *region, bool writes, uint64_t place, uint8_t *bytes,
			   size_t size)
{
	off_t at = (off_t)(region->at + place);
	ssize_t n = writes ? pwrite(region->fd, bytes, size, at)
			   : pread(region->fd, bytes, size, at);

	return n < 0 ? -errno : (size_t)n == size ? 0 : -EIO;
}

static int map_part(const struct region *region, uint64_t place, size_t size, uint8_t *first)
{
	volatile uint8_t *map;

	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd,
		   (off_t)(region->at + place));
	if (map == MAP_FAILED)
		return -errno;
	*first = *map;
	*map = *first;
	munmap((void *)map, size);
	return 0;
}

/* The eventfds live on in the kernel, until the interrupts are disabled or the device is closed. */
static int enable_interrupts(int fd, uint32_t index, uint32_t count)
{
	struct {
		struct vfio_irq_set set;
		int32_t eventfds[VECTORS_MAX];
	} irqs = {
		.set = {
			.argsz = (uint32_t)(sizeof(irqs.set) + count * sizeof(int32_t)),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = index,
			.count = count,
		},
	};
	int r;

	if (count > VECTORS_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		irqs.eventfds[i] = eventfd(0, EFD_CLOEXEC);
		if (irqs.eventfds[i] < 0)
			die_errno("eventfd");
	}
	r = ioctl(fd, VFIO_DEVICE_SET_IRQS, &irqs) < 0 ? -errno : 0;
	for (uint32_t i = 0; i < count; i++)
		close(irqs.eventfds[i]);
	return r;
}

static bool take_step(const struct region *region, const char *step)
{
	long long place, value = 0;
	uint8_t bytes[LENGTH_MAX] = { 0 };
	size_t size;
	char end;

	if (!strcmp(step, "reset")) {
		show(step, ioctl(region->fd, VFIO_DEVICE_RESET) < 0 ? -errno : 0, bytes, 0);
	} else if (sscanf(step, "r%zu@%lli%c", &size, &place, &end) == 2 && size &&
		   size <= sizeof(bytes)) {
		show(step, access_register(region, false, (uint64_t)place, bytes, size), bytes,
		     size);
	} else if (sscanf(step, "w%zu@%lli=%lli%c", &size, &place, &value, &end) == 3 && size &&
		   size <= sizeof(bytes)) {
		memcpy(bytes, &value, MIN(size, sizeof(value)));
		show(step, access_register(region, true, (uint64_t)place, bytes, size), bytes,
		     size);
	} else if (sscanf(step, "m%lli+%lli%c", &place, &value, &end) == 2) {
		show(step, map_part(region, (uint64_t)place, (size_t)value, bytes), bytes, 1);
	} else if (sscanf(step, "i%lli+%lli%c", &place, &value, &end) == 2) {
		show(step, enable_interrupts(region->fd, (uint32_t)place, (uint32_t)value), bytes,
		     0);
	} else {
		return false;
	}
	fflush(stdout);
	return true;
}

int main(int argc, char **argv)
{
	struct vfio_region_info info = { .argsz = sizeof(info) };
	struct region region;
	struct acquired acq;

	if (argc < 3) {
		fprintf(stderr, "usage: region DEV INDEX STEP...\n");
		return USAGE_STATUS;
	}
	open_device(argv[1], ACQUIRE_AUTO, &acq);
	info.index = (uint32_t)atoi(argv[2]);
	if (ioctl(acq.fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		die_errno("VFIO_DEVICE_GET_REGION_INFO");
	region = (struct region){ .fd = acq.fd, .at = info.offset };
	for (int i = 3; i < argc; i++)
		if (!take_step(&region, argv[i])) {
			fprintf(stderr, "region: %s: no such step\n", argv[i]);
			return USAGE_STATUS;
		}
	return 0;
}
