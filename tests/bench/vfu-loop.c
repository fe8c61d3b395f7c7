// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * vfu-loop SOCKET >FILE
 *
 * Copies the stream of a stopped vfio-user device in a plain loop: MIG_DATA_READ of 1 MiB, its
 * reply, write(), again. The tool's own way is compared with it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "device/vfu-client.h"
#include "uapi/vfio.h"
#include "vfu/message.h"

#define CHUNK (1u << 20)
#define TIMEOUT_MS 30000

static int set_state(struct vfu_client *c, enum mig_state state, struct err *err)
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

/* Return: bytes, 0 at the end. */
static ssize_t read_chunk(struct vfu_client *c, uint8_t *reply, struct err *err)
{
	const struct vfu_mig_data ask = { .argsz = sizeof(ask) + CHUNK, .size = CHUNK };
	const struct vfu_parts parts = { .head = &ask, .head_len = sizeof(ask) };
	struct vfu_mig_data got;
	size_t len;
	int r;

	r = vfu_client_call(c, VFU_MIG_DATA_READ, &parts, NULL, reply, sizeof(got) + CHUNK, &len,
			    err);
	if (r < 0)
		return r;
	memcpy(&got, reply, sizeof(got));
	return got.size <= len - sizeof(got) ? (ssize_t)got.size : -1;
}

int main(int argc, char **argv)
{
	struct vfu_client c = { .channel.fd = -1 };
	uint8_t *reply = malloc(sizeof(struct vfu_mig_data) + CHUNK);
	struct err err = { 0 };
	ssize_t n = 1;
	int r;

	if (argc != 2 || !reply)
		return EXIT_FAILURE;
	r = vfu_client_open(&c, argv[1], TIMEOUT_MS, NULL, &err);
	if (r >= 0)
		r = set_state(&c, MIG_STOP_COPY, &err);
	while (r >= 0 && n > 0) {
		n = read_chunk(&c, reply, &err);
		r = n > 0 ? write_full(STDOUT_FILENO, reply + sizeof(struct vfu_mig_data),
				       (size_t)n)
			  : (int)n;
	}
	if (r >= 0)
		r = set_state(&c, MIG_RUNNING, &err);
	if (r < 0)
		fprintf(stderr, "vfu-loop: %s\n", err.text);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
