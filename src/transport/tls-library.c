// SPDX-License-Identifier: GPL-2.0-or-later
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "transport/tls-library.h"

/* Of every GnuTLS from 3.6 on. */
#define TLS_LIBRARY_FILE "libgnutls.so.30"

#define TLS_LIBRARY_ENTRY(name) { "gnutls_" #name, offsetof(struct tls_library, name) },
static const struct {
	const char *name;
	size_t place;
} tls_library_entries[] = { TLS_LIBRARY(TLS_LIBRARY_ENTRY) };

static pthread_once_t tls_library_once = PTHREAD_ONCE_INIT;
static struct tls_library tls_library_loaded;
static struct err tls_library_why;

/* It stays, since it has state of its own. */
static void tls_library_load_once(void)
{
	void *library = dlopen(TLS_LIBRARY_FILE, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		err_fail(&tls_library_why, ERR_SYSTEM, -ENOSYS, "TLS: %s", dlerror());
		err_hint(&tls_library_why, -ENOSYS, "install GnuTLS (Debian package libgnutls30)");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(tls_library_entries); i++) {
		void *function = dlsym(library, tls_library_entries[i].name);

		if (!function) {
			err_fail(&tls_library_why, ERR_SYSTEM, -ENOSYS, "TLS: %s has no %s",
				 TLS_LIBRARY_FILE, tls_library_entries[i].name);
			return;
		}
		memcpy((char *)&tls_library_loaded + tls_library_entries[i].place, &function,
		       sizeof(function));
	}
}

int tls_library_load(const struct tls_library **ret, struct err *err)
{
	pthread_once(&tls_library_once, tls_library_load_once);
	if (tls_library_why.code) {
		if (err)
			*err = tls_library_why;
		return tls_library_why.code;
	}
	*ret = &tls_library_loaded;
	return 0;
}

const struct tls_library *tls_library(void)
{
	return &tls_library_loaded;
}

char *tls_library_reason(int code, char buf[TLS_REASON_MAX])
{
	size_t len;

	snprintf(buf, TLS_REASON_MAX, "%s", tls_library_loaded.strerror(code));
	len = strlen(buf);
	if (len && buf[len - 1] == '.')
		buf[len - 1] = '\0';
	return buf;
}
