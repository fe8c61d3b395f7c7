// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * vfu-load SOCKET KIB DEPTH <FILE
 *
 * A stream into a vfio-user device: MIG_DATA_WRITE of so many KiB, so many of them in flight.
 * device/vfu-stream.c has its sizes from this. The device verifies the stream and is left stopped.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "device/vfu-client.h"
#include "uapi/vfio.h"

#define TIMEOUT_MS 30000

static int vfu_load_goto(struct vfu_client *c, enum mig_state state, struct err *err)
{
	const struct vfu_feature head = {
		.argsz = sizeof(head) + sizeof(struct vfu_mig_state),
		.flags = UAPI_FEATURE_SET | UAPI_FEATURE_MIG_DEVICE_STATE,
	};
	const struct vfu_mig_state m = { .state = state, .data_fd = -1 };
	const struct vfu_parts parts = { &head, sizeof(head), &m, sizeof(m), NULL, 0 };
	uint8_t reply[64];
	size_t len;

	return vfu_client_call(c, VFU_FEATURE, &parts, NULL, reply, sizeof(reply), &len, err);
}

static int vfu_load_write(struct vfu_client *c, const uint8_t *from, size_t len, struct err *err)
{
	const struct vfu_mig_data head = {
		.argsz = (uint32_t)(sizeof(head) + len),
		.size = (uint32_t)len,
	};
	const struct vfu_parts parts = { &head, sizeof(head), from, len, NULL, 0 };
	uint16_t id;

	return vfu_client_send(c, VFU_MIG_DATA_WRITE, &parts, NULL, &id, err);
}

static int vfu_load_all(struct vfu_client *c, const uint8_t *from, size_t len, size_t chunk,
			unsigned long depth, struct err *err)
{
	size_t in_flight = 0;
	struct vfu_header h;
	int r;

	for (size_t at = 0; at < len || in_flight;) {
		if (at < len && in_flight < depth) {
			size_t n = MIN(chunk, len - at);

			r = vfu_load_write(c, from + at, n, err);
			if (r < 0)
				return r;
			at += n;
			in_flight++;
			continue;
		}
		r = vfu_client_next(c, NULL, &h, err);
		if (r < 0)
			return r;
		r = vfu_reply_code(&h);
		if (r < 0)
			return err_set(err, r, "MIG_DATA_WRITE");
		in_flight--;
	}
	return 0;
}

static int vfu_load(const char *socket, const uint8_t *from, size_t len, size_t chunk,
		    unsigned long depth, struct err *err)
{
	struct vfu_client c = { .channel.fd = -1 };
	int r;

	r = vfu_client_open(&c, socket, TIMEOUT_MS, NULL, err);
	if (r < 0)
		return r;
	r = vfu_load_goto(&c, MIG_RESUMING, err);
	if (r < 0)
		return r;
	r = vfu_load_all(&c, from, len, chunk, depth, err);
	if (r < 0)
		return r;
	return vfu_load_goto(&c, MIG_STOP, err);
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	struct stat st;
	void *from;

	if (argc != 4 || fstat(STDIN_FILENO, &st) < 0)
		return EXIT_FAILURE;
	from = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, STDIN_FILENO,
		    0);
	if (from == MAP_FAILED)
		return EXIT_FAILURE;
	if (vfu_load(argv[1], from, (size_t)st.st_size, strtoul(argv[2], NULL, 10) << 10,
		     strtoul(argv[3], NULL, 10), &err) < 0) {
		fprintf(stderr, "vfu-load: %s\n", err.text);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
