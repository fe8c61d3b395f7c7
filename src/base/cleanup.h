/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Scope-exit cleanup
 *
 * In a function that uses these, every owning local has the attribute and there is no goto:
 * a resource is either released here, or handed on with TAKE_PTR() or TAKE_FD().
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _unused_ __attribute__((unused))

/* Give a pointer type its scope-exit function: DEFINE_CLEANUP(struct image *, image_close) */
#define DEFINE_CLEANUP(type, fn)                   \
	static inline _unused_ void fn##p(type *p) \
	{                                          \
		if (*p)                            \
			fn(*p);                    \
	}

static inline void freep(void *p)
{
	free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(freep)

/* p = mfree(p): nothing dangles. */
static inline void *mfree(void *p)
{
	free(p);
	return NULL;
}

static inline void fd_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define _cleanup_fd_ _cleanup_(fd_closep)

static inline void file_closep(FILE **f)
{
	if (*f)
		fclose(*f);
}
#define _cleanup_file_ _cleanup_(file_closep)

/* Hand a resource on: read it out and leave the variable empty. */
#define TAKE_PTR(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})
#define TAKE_FD(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})
