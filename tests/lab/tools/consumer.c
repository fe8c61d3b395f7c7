// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * consumer [--via cdev|group] DEV...
 *
 * A user-space driver, as small as can be: opens devices (mtty, migsim, igb VFs) and uses them, a
 * line of its standard input for each thing to do, and prints a line for each. The owner of devices
 * that the tool under test takes part in.
 *
 *   show        the counter of each device: the scratch register of an mtty's first UART, the
 *               counter of a migsim, a word of an igb VF's mailbox memory
 *   step        count: one more in each register; a migsim counts by itself
 *   spin        count until the next line comes
 *   set STATE   bring the first device to the state of that number, as a VMM does that pauses or
 *               moves; keeps the stream that comes with it
 *   read        the rest of that stream: its length
 *   close       that stream
 *   dup         one more descriptor of each device
 *   reset       the first device
 */

#include <fcntl.h>
#include <linux/serial_reg.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/macros.h"
#include "uapi/vfio.h"
#include "tool.h"

#define DEVICES_MAX 4
#define MSIM_COUNTER 8
#define IGBVF_COUNTER 0x820
#define IGBVF_IDS 0x10ca8086

/* Where a device has it, in its fd, and how many bytes. */
struct counter {
	int fd;
	uint64_t at;
	size_t size;
	bool by_itself;
};

struct consumer {
	struct counter v[DEVICES_MAX];
	int n;
	int stream;
};

/* Where a region begins in the fd. */
static uint64_t consumer_region(int fd, uint32_t index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		die_errno("VFIO_DEVICE_GET_REGION_INFO");
	return info.offset;
}

static void consumer_open(struct counter *c, const char *dev, enum acquire_via via)
{
	struct acquired acq;
	char magic[4] = "";
	uint32_t ids = 0;
	uint64_t bar0, config;

	open_device(dev, via, &acq);
	bar0 = consumer_region(acq.fd, VFIO_PCI_BAR0_REGION_INDEX);
	config = consumer_region(acq.fd, VFIO_PCI_CONFIG_REGION_INDEX);
	*c = (struct counter){ .fd = acq.fd, .at = bar0 + UART_SCR, .size = 1 };
	if (pread(acq.fd, &ids, sizeof(ids), (off_t)config) == sizeof(ids) && ids == IGBVF_IDS)
		*c = (struct counter){ .fd = acq.fd, .at = bar0 + IGBVF_COUNTER, .size = 4 };
	else if (pread(acq.fd, magic, sizeof(magic), (off_t)bar0) == sizeof(magic) &&
		 !memcmp(magic, "MSIM", sizeof(magic)))
		*c = (struct counter){
			.fd = acq.fd, .at = bar0 + MSIM_COUNTER, .size = 8, .by_itself = true
		};
}

static uint64_t consumer_count(const struct counter *c)
{
	uint64_t value = 0;

	if (pread(c->fd, &value, c->size, (off_t)c->at) != (ssize_t)c->size)
		die_errno("reading the counter");
	return value;
}

static void consumer_step(const struct consumer *c)
{
	for (int i = 0; i < c->n; i++) {
		const struct counter *v = &c->v[i];
		uint64_t next = consumer_count(v) + 1;

		if (!v->by_itself &&
		    pwrite(v->fd, &next, v->size, (off_t)v->at) != (ssize_t)v->size)
			die_errno("writing the counter");
	}
}

static void consumer_show(const struct consumer *c)
{
	for (int i = 0; i < c->n; i++)
		printf("%s%llu", i ? " " : "", (unsigned long long)consumer_count(&c->v[i]));
	puts("");
}

static void consumer_spin(const struct consumer *c)
{
	struct pollfd line = { .fd = STDIN_FILENO, .events = POLLIN };

	puts("spinning");
	while (poll(&line, 1, 1) == 0)
		consumer_step(c);
}

static void consumer_set(struct consumer *c, unsigned int state)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER + sizeof(f.mig),
		.flags = UAPI_FEATURE_SET | UAPI_FEATURE_MIG_DEVICE_STATE,
		.mig = { .state = state, .data_fd = -1 },
	};

	if (ioctl(c->v[0].fd, UAPI_DEVICE_FEATURE, &f) < 0) {
		printf("%s\n", err_name(-errno));
		return;
	}
	if (f.mig.data_fd >= 0)
		c->stream = f.mig.data_fd;
	puts("set");
}

static void consumer_read(struct consumer *c)
{
	char buf[4096];
	size_t total = 0;
	ssize_t n;

	while ((n = read(c->stream, buf, sizeof(buf))) > 0)
		total += (size_t)n;
	if (n < 0)
		printf("%s\n", err_name(-errno));
	else
		printf("%zu\n", total);
}

static void consumer_obey(struct consumer *c, const char *line)
{
	unsigned int state;

	if (!strcmp(line, "step"))
		consumer_step(c);
	if (!strcmp(line, "show") || !strcmp(line, "step")) {
		consumer_show(c);
	} else if (!strcmp(line, "spin")) {
		consumer_spin(c);
	} else if (sscanf(line, "set %u", &state) == 1) {
		consumer_set(c, state);
	} else if (!strcmp(line, "read")) {
		consumer_read(c);
	} else if (!strcmp(line, "close")) {
		puts(close(c->stream) == 0 ? "closed" : "not open");
	} else if (!strcmp(line, "reset")) {
		puts(ioctl(c->v[0].fd, UAPI_DEVICE_RESET) == 0 ? "reset" : err_name(-errno));
	} else if (!strcmp(line, "let-go")) {
		puts(close(c->v[0].fd) == 0 ? "let go" : err_name(-errno));
	} else if (!strcmp(line, "dup")) {
		for (int i = 0; i < c->n; i++)
			printf("%s%d", i ? " " : "", fcntl(c->v[i].fd, F_DUPFD_CLOEXEC, 50));
		puts("");
	} else {
		puts("what?");
	}
}

int main(int argc, char **argv)
{
	struct consumer c = { .stream = -1 };
	enum acquire_via via = ACQUIRE_AUTO;
	char line[64];
	int i = 1;

	if (argc > 2 && !strcmp(argv[1], "--via")) {
		via = strcmp(argv[2], "group") ? ACQUIRE_CDEV : ACQUIRE_GROUP;
		i = 3;
	}
	if (i == argc || argc - i > DEVICES_MAX) {
		fprintf(stderr, "usage: consumer [--via cdev|group] DEV...\n");
		return USAGE_STATUS;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	for (; i < argc; i++)
		consumer_open(&c.v[c.n++], argv[i], via);
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		consumer_obey(&c, line);
	}
	return 0;
}
