// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "device/call.h"
#include "device/kernel-dev.h"
#include "device/v1-window.h"

/* Bounds the search; drivers have a few regions of their own after those of the bus. */
#define REGIONS_MAX 256u

static bool v1_window_is_migration(const struct vfio_region_info *info)
{
	const struct vfio_region_info_cap_type *type;

	type = (const void *)kernel_dev_region_cap(info, VFIO_REGION_INFO_CAP_TYPE, sizeof(*type));
	return type && type->type == UAPI_REGION_TYPE_MIGRATION &&
	       type->subtype == UAPI_REGION_SUBTYPE_MIGRATION &&
	       info->size > sizeof(struct uapi_v1_registers);
}

/* Return: 0, with @ret NULL where no region is the migration region; negative errno. */
static int v1_window_find(int fd, struct vfio_region_info **ret)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	if (call_ioctl(fd, VFIO_DEVICE_GET_INFO, &info) < 0)
		return -errno;
	for (uint32_t i = 0; i < MIN(info.num_regions, REGIONS_MAX); i++) {
		_cleanup_free_ struct vfio_region_info *region = NULL;

		if (kernel_dev_region_info(fd, i, &region) < 0 || !v1_window_is_migration(region))
			continue;
		*ret = TAKE_PTR(region);
		return 0;
	}
	*ret = NULL;
	return 0;
}

bool v1_window_present(int fd)
{
	_cleanup_free_ struct vfio_region_info *info = NULL;

	return v1_window_find(fd, &info) >= 0 && info;
}

/* What cannot be mapped is trapped: no failure. */
static void v1_window_map(struct v1_window *w, uint64_t offset, uint64_t size)
{
	void *p;

	if (w->n_areas == V1_AREAS_MAX || !size || offset > w->size || size > w->size - offset)
		return;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd, (off_t)(w->at + offset));
	if (p == MAP_FAILED) {
		log_debug("the migration region cannot be mapped: %s", err_name(-errno));
		return;
	}
	w->areas[w->n_areas++] = (struct v1_area){ .offset = offset, .size = size, .map = p };
}

static void v1_window_map_areas(struct v1_window *w, const struct vfio_region_info *info)
{
	const struct vfio_region_info_cap_sparse_mmap *sparse;
	size_t room;

	if (!(info->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return;
	sparse = (const void *)kernel_dev_region_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP,
						     sizeof(*sparse));
	if (!sparse) {
		v1_window_map(w, 0, w->size);
		return;
	}
	room = info->argsz - (size_t)((const char *)sparse->areas - (const char *)info);
	for (uint32_t i = 0; i < sparse->nr_areas && (i + 1) * sizeof(sparse->areas[0]) <= room;
	     i++)
		v1_window_map(w, sparse->areas[i].offset, sparse->areas[i].size);
}

int v1_window_open(struct v1_window *w, int fd)
{
	_cleanup_free_ struct vfio_region_info *info = NULL;
	int r;

	r = v1_window_find(fd, &info);
	if (r < 0)
		return r;
	if (!info)
		return V1_WINDOW_NONE;
	*w = (struct v1_window){ .fd = fd, .at = info->offset, .size = info->size };
	v1_window_map_areas(w, info);
	return V1_WINDOW_OPEN;
}

void v1_window_close(struct v1_window *w)
{
	for (unsigned int i = 0; i < w->n_areas; i++)
		munmap(w->areas[i].map, w->areas[i].size);
	w->n_areas = 0;
}

static const char *v1_window_register(size_t at)
{
	switch (at) {
	case offsetof(struct uapi_v1_registers, device_state):
		return "device_state";
	case offsetof(struct uapi_v1_registers, pending_bytes):
		return "pending_bytes";
	case offsetof(struct uapi_v1_registers, data_offset):
		return "data_offset";
	case offsetof(struct uapi_v1_registers, data_size):
		return "data_size";
	default:
		return NULL;
	}
}

int v1_read(const struct v1_window *w, size_t at, void *buf, size_t len)
{
	ssize_t n = call_pread(w->fd, v1_window_register(at), buf, len, w->at + at);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
}

int v1_write(const struct v1_window *w, size_t at, const void *buf, size_t len)
{
	ssize_t n = call_pwrite(w->fd, v1_window_register(at), buf, len, w->at + at);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
}

uint64_t v1_window_room(const struct v1_window *w, uint64_t offset)
{
	if (offset < sizeof(struct uapi_v1_registers) || offset >= w->size)
		return 0;
	return w->size - offset;
}

/* The mapping that has all of it, or NULL. */
static uint8_t *v1_window_mapped(const struct v1_window *w, uint64_t offset, size_t len)
{
	for (unsigned int i = 0; i < w->n_areas; i++) {
		const struct v1_area *a = &w->areas[i];

		if (offset >= a->offset && offset - a->offset < a->size &&
		    len <= a->size - (offset - a->offset))
			return a->map + (offset - a->offset);
	}
	return NULL;
}

int v1_copy_out(const struct v1_window *w, uint64_t offset, void *buf, size_t len)
{
	const uint8_t *from = v1_window_mapped(w, offset, len);

	if (from) {
		call_load(w->fd, buf, from, len, w->at + offset);
		return 0;
	}
	for (size_t done = 0; done < len;) {
		ssize_t n = call_pread(w->fd, NULL, (char *)buf + done, len - done,
				       w->at + offset + done);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int v1_copy_in(const struct v1_window *w, uint64_t offset, const void *buf, size_t len)
{
	uint8_t *to = v1_window_mapped(w, offset, len);

	if (to) {
		call_store(w->fd, to, buf, len, w->at + offset);
		return 0;
	}
	for (size_t done = 0; done < len;) {
		ssize_t n = call_pwrite(w->fd, NULL, (const char *)buf + done, len - done,
					w->at + offset + done);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}
