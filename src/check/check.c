// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/macros.h"
#include "check/check.h"
#include "check/record.h"
#include "check/verdict.h"

void check_note(struct check *c, const char *fmt, ...)
{
	char text[CHECK_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check_record_add(c->record, "%s", text);
}

void check_violated(struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	check_record_say(c->record, check_violation(c->rule->level), fmt, ap);
	va_end(ap);
}

void check_warn(struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	check_record_say(c->record, CHECK_WARN, fmt, ap);
	va_end(ap);
}

void check_skip(struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	check_record_say(c->record, CHECK_SKIP, fmt, ap);
	va_end(ap);
}

void check_tell(struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	check_record_say(c->record, CHECK_INFO, fmt, ap);
	va_end(ap);
}

void check_broken(struct check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	check_record_say(c->record, CHECK_BROKEN, fmt, ap);
	va_end(ap);
}

/* "EINVAL or EBUSY" of a list that ends with 0. */
static const char *check_errnos_text(const int *errnos, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; errnos[i] && at < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%s", i ? " or " : "",
				       err_name(-errnos[i]));
	return buf;
}

bool check_refused(struct check *c, const char *what, int result, const int *errnos)
{
	char text[96];

	if (result >= 0) {
		check_violated(c, "%s worked, and must be refused", what);
		return false;
	}
	if (!errnos[0])
		return true;
	for (size_t i = 0; errnos[i]; i++)
		if (result == -errnos[i])
			return true;
	check_violated(c, "%s was refused with %s, not %s", what, err_name(result),
		       check_errnos_text(errnos, text, sizeof(text)));
	return false;
}

bool check_worked(struct check *c, const char *what, int result)
{
	if (result >= 0)
		return true;
	check_violated(c, "%s failed: %s", what, err_name(result));
	return false;
}

bool check_stays(struct check *c, enum mig_state want)
{
	uint32_t state;
	int r = subject_get(c->device, &state);

	if (r >= 0 && state == want)
		return true;
	if (r < 0)
		check_violated(c, "GET failed: %s; it must be in %s", err_name(r),
			       subject_state_name(want));
	else
		check_violated(c, "it is in %s, and must be in %s", subject_state_name(state),
			       subject_state_name(want));
	return false;
}

/* splitmix64 */
uint64_t check_random(struct check *c)
{
	uint64_t z;

	pthread_mutex_lock(&c->record->lock);
	z = c->record->random += UINT64_C(0x9e3779b97f4a7c15);
	pthread_mutex_unlock(&c->record->lock);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

bool check_stopped(const struct check *c)
{
	return atomic_load(&c->record->cancel->requested);
}
