// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * walk-pairs DEV
 *
 * From every state to every state, and to what is no state: once by a single SET, where the kernel
 * walks the path by itself, and by mig_goto(), one arc a call and all in one, asking the device
 * after each. Whether there is a way, where the device is afterwards and whether there is a data fd
 * has to be what fsm_next() says. Prints TAP.
 */

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/macros.h"
#include "device/kernel-v2.h"
#include "fsm/fsm.h"

#include "tool.h"

#define STREAM_MAX 4096

struct walk {
	int fd; /* the device, beside the one in @mig, to ask what it says itself */
	struct mig_dev *mig;
	uint8_t stream[STREAM_MAX];
	size_t len;
	unsigned int test;

	/* of one walk by mig_goto() */
	unsigned int arcs;
	enum mig_state expected;
	const char *complaint;
};

/* A stream that is complete, or none of one: what RESUMING -> STOP judges. */
enum fed {
	FED,
	UNFED
};

static int feature(const struct walk *w, uint32_t flags, uint32_t *state, int32_t *data_fd)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER + sizeof(f.mig),
		.flags = flags | UAPI_FEATURE_MIG_DEVICE_STATE,
		.mig = { .state = *state, .data_fd = -1 },
	};
	int r = ioctl(w->fd, UAPI_DEVICE_FEATURE, &f) < 0 ? -errno : 0;

	*state = f.mig.state;
	*data_fd = f.mig.data_fd;
	return r;
}

static uint32_t real_state(const struct walk *w)
{
	uint32_t state = 0;
	int32_t none;

	if (feature(w, UAPI_FEATURE_GET, &state, &none) < 0)
		die_errno("GET of the state");
	return state;
}

static void walk_or_die(struct walk *w, enum mig_state to)
{
	struct err err = { 0 };

	if (mig_goto(w->mig, to, &err) < 0)
		die(&err);
}

static void bring_to(struct walk *w, enum mig_state to, enum fed fed)
{
	struct err err = { 0 };

	w->mig->on_arc = NULL;
	if (mig_reset(w->mig, &err) < 0)
		die(&err);
	walk_or_die(w, to);
	if (to == MIG_RESUMING && fed == FED && mig_write(w->mig, w->stream, w->len, &err) < 0)
		die(&err);
	if (real_state(w) != to)
		die_errno("bringing the device to where a walk starts");
}

static void save_stream(struct walk *w)
{
	struct err err = { 0 };
	ssize_t n;

	bring_to(w, MIG_STOP_COPY, UNFED);
	while ((n = mig_read(w->mig, w->stream + w->len, STREAM_MAX - w->len, &err)) > 0)
		w->len += (size_t)n;
	if (n < 0)
		die(&err);
}

static bool can_walk(const struct walk *w, enum mig_state from, uint32_t to, enum fed fed)
{
	if (from == MIG_RESUMING && fed == UNFED && to != from)
		return false; /* the driver's verdict is the first arc out of it */
	return fsm_next(from, (enum mig_state)to, w->mig->caps) != MIG_ERROR;
}

static bool in_session(uint32_t state)
{
	return fsm_saving((enum mig_state)state) || state == MIG_RESUMING;
}

static const char *name(uint32_t state, char buf[16])
{
	if (state < MIG_NR_STATES)
		return fsm_name((enum mig_state)state);
	snprintf(buf, 16, "%u", state);
	return buf;
}

static void say(struct walk *w, const char *ok, const char *how, enum mig_state from, uint32_t to)
{
	char buf[16];

	printf("%s %u - %s: %s to %s\n", ok, ++w->test, how, fsm_name(from), name(to, buf));
}

__attribute__((format(printf, 5, 6))) static void wrong(struct walk *w, const char *how,
							enum mig_state from, uint32_t to,
							const char *fmt, ...)
{
	va_list ap;

	say(w, "not ok", how, from, to);
	va_start(ap, fmt);
	printf("# ");
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
}

static void by_one_set(struct walk *w, enum mig_state from, uint32_t to, enum fed fed)
{
	static const char *const how[] = { [FED] = "one SET", [UNFED] = "one SET, nothing loaded" };
	bool opens = in_session(to) && to != from &&
		     !(fsm_saving(from) && fsm_saving((enum mig_state)to));
	uint32_t state = to;
	int32_t fd;
	int r;

	bring_to(w, from, fed);
	r = feature(w, UAPI_FEATURE_SET, &state, &fd);
	state = real_state(w);
	if (fd >= 0)
		close(fd);

	if (!can_walk(w, from, to, fed) && (r != -EINVAL || state != from))
		wrong(w, how[fed], from, to, "no way there, but: %d, state %u", r, state);
	else if (can_walk(w, from, to, fed) && (r < 0 || state != to))
		wrong(w, how[fed], from, to, "a way there, but: %d, state %u", r, state);
	else if (r == 0 && opens != (fd >= 0))
		wrong(w, how[fed], from, to, "data fd %d", fd);
	else
		say(w, "ok", how[fed], from, to);
}

static void on_arc(void *ctx, const struct mig_arc *arc)
{
	struct walk *w = ctx;

	w->arcs++;
	if (arc->to != w->expected)
		w->complaint = "an arc that is not the next";
	if (arc->result >= 0 && real_state(w) != arc->to)
		w->complaint = "the device is not where the arc leads";
}

static void by_arcs(struct walk *w, enum mig_state from, uint32_t to, enum fed fed)
{
	static const char *const how[] = { [FED] = "arcs", [UNFED] = "arcs, nothing loaded" };
	bool way = can_walk(w, from, to, fed);
	uint32_t state;
	int r;

	bring_to(w, from, fed);
	w->complaint = NULL;
	w->arcs = 0;
	w->mig->on_arc = on_arc;
	w->mig->on_arc_ctx = w;
	w->expected = fsm_next(from, (enum mig_state)to, w->mig->caps);
	/* One arc a call, so that the next is known before it is taken. */
	for (r = 0; r >= 0 && w->mig->state != to && w->expected != MIG_ERROR;) {
		enum mig_state next = w->expected;

		r = mig_goto(w->mig, next, NULL);
		w->expected = fsm_next(w->mig->state, (enum mig_state)to, w->mig->caps);
	}
	state = real_state(w);
	if (w->complaint)
		wrong(w, how[fed], from, to, "%s", w->complaint);
	else if (w->mig->state != state)
		wrong(w, how[fed], from, to, "believed in %u, is in %u", w->mig->state, state);
	else if (way ? r < 0 || state != to : state != from)
		wrong(w, how[fed], from, to, "%s way, but: %d, state %u", way ? "a" : "no", r,
		      state);
	else
		say(w, "ok", how[fed], from, to);
}

/* The same walk in one call, as the tool does it. */
static void by_goto(struct walk *w, enum mig_state from, uint32_t to, enum fed fed)
{
	static const char *const how[] = {
		[FED] = "mig_goto", [UNFED] = "mig_goto, nothing loaded"
	};
	bool way = can_walk(w, from, to, fed);
	uint32_t state;
	int r;

	bring_to(w, from, fed);
	r = mig_goto(w->mig, (enum mig_state)to, NULL);
	state = real_state(w);
	if (w->mig->state != state)
		wrong(w, how[fed], from, to, "believed in %u, is in %u", w->mig->state, state);
	else if (way ? r < 0 || state != to : r != -EINVAL || state != from)
		wrong(w, how[fed], from, to, "%s way, but: %d, state %u", way ? "a" : "no", r,
		      state);
	else if (in_session(state) != !!w->mig->stream)
		wrong(w, how[fed], from, to, "%s stream", w->mig->stream ? "a" : "no");
	else
		say(w, "ok", how[fed], from, to);
}

static void walk_from(struct walk *w, enum mig_state from, enum fed fed)
{
	static const uint32_t none[] = { MIG_NR_STATES, 9, 255, INT32_MAX, UINT32_MAX };

	for (uint32_t to = 0; to < MIG_NR_STATES; to++) {
		by_one_set(w, from, to, fed);
		by_arcs(w, from, to, fed);
		by_goto(w, from, to, fed);
	}
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		by_one_set(w, from, none[i], fed);
		by_goto(w, from, none[i], fed);
	}
}

int main(int argc, char **argv)
{
	static struct walk w;
	struct acquired acq;
	struct err err = { 0 };

	if (argc != 2) {
		fprintf(stderr, "usage: walk-pairs DEV\n");
		return USAGE_STATUS;
	}
	open_device(argv[1], ACQUIRE_AUTO, &acq);
	w.fd = fcntl(acq.fd, F_DUPFD_CLOEXEC, 3);
	if (kernel_v2_open(&acq, argv[1], &w.mig, &err) < 0 || mig_query(w.mig, &err) < 0)
		die(&err);
	save_stream(&w);
	for (enum mig_state from = MIG_STOP; from < MIG_NR_STATES; from++)
		if (fsm_supported(from, w.mig->caps))
			walk_from(&w, from, FED);
	walk_from(&w, MIG_RESUMING, UNFED);
	printf("1..%u\n", w.test);

	bring_to(&w, MIG_RUNNING, UNFED);
	mig_close(w.mig);
	close(w.fd);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
