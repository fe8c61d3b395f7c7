// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Version negotiation against whatever libFuzzer thinks of
 *
 * An input is the payload of a VERSION message.
 */

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "vfu/version.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct vfu_version ours = {
		VFU_MAJOR, VFU_MINOR, 8, VFU_XFER_MAX, 4096, false
	};
	struct vfu_version v, agreed, back;
	uint8_t payload[VFU_VERSION_MAX];
	struct err err = { 0 };
	size_t len;
	int r;

	r = vfu_version_decode(data, size, &v, &err);
	assert(!r || (r == -EPROTO && err.code == r && *err.text));
	if (r < 0)
		return 0;
	assert(v.max_msg_fds <= VFU_MSG_FDS_LIMIT);
	assert(v.max_data_xfer_size && v.max_data_xfer_size <= VFU_XFER_MAX);
	assert(!(v.pgsize & (v.pgsize - 1)));
	len = vfu_version_encode(&v, payload);
	assert(len <= sizeof(payload));
	assert(!vfu_version_decode(payload, len, &back, NULL));
	assert(back.major == v.major && back.minor == v.minor);
	assert(back.max_msg_fds == v.max_msg_fds && back.pgsize == v.pgsize);
	assert(back.max_data_xfer_size == v.max_data_xfer_size);
	r = vfu_version_accept(&ours, &v, &agreed, &err);
	assert(r == (v.major == VFU_MAJOR ? 0 : -EPROTONOSUPPORT));
	if (!r)
		assert(!vfu_version_confirm(&v, &agreed, NULL));
	return 0;
}

/* Words that the decoder knows, so that they need not be guessed. */
static const char *const words[] = {
	"{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576}}",
	"{\"capabilities\":{\"migration\":{\"pgsize\":4096}}}",
	"{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}",
	"\"max_msg_fds\":",
	"\"max_data_xfer_size\":",
	"\"migration\":{\"pgsize\":",
	"\"twin_socket\":{\"supported\":",
	"-1",
	"1024",
	"9223372036854775808",
	"1e9",
	"null",
	"[[",
	"{},",
};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	const char *word = words[seed / 8 % ARRAY_SIZE(words)];
	size_t len = strlen(word), at;

	if (size < 5 && 5 + len <= max) {
		memset(data, 0, 4);
		memcpy(data + 4, word, len + 1);
		return 5 + len;
	}
	if (seed % 4 == 0 && size >= 5 && size + len <= max) {
		at = 4 + (seed >> 8) % (size - 4);
		memmove(data + at + len, data + at, size - at);
		memcpy(data + at, word, len);
		size += len;
	} else {
		size = LLVMFuzzerMutate(data, size, max);
	}
	if (size > 4 && seed >> 29)
		data[size - 1] = '\0';
	return size;
}
