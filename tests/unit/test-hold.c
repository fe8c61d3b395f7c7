// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/macros.h"
#include "device/acquirer.h"
#include "device/hold-client.h"
#include "device/kernel-dev.h"
#include "engine/hold-parts.h"

enum driver_call {
	DRIVER_GET,
	DRIVER_INFO, /* the first that setting an interrupt asks */
	DRIVER_CLOSE,
};

/**
 * struct driver - one that takes as long as the test says
 * @gets: how often it was asked where its device is
 * @slow: bits of the calls that say by a byte of @begun that they wait for one of @gate
 */
struct driver {
	unsigned int slow;
	int begun[2], gate[2];
	atomic_uint gets;
};

struct driven {
	struct kernel_dev k;
	struct driver *driver;
};

static void driver_open(struct driver *d, unsigned int slow)
{
	d->slow = slow;
	atomic_init(&d->gets, 0);
	assert_int_equal(pipe(d->begun), 0);
	assert_int_equal(pipe(d->gate), 0);
}

static void driver_done(struct driver *d)
{
	for (int i = 0; i < 2; i++) {
		close(d->begun[i]);
		close(d->gate[i]);
	}
}

/* In the thread of a call. */
static void driver_take(const struct mig_dev *dev, enum driver_call call)
{
	const struct driver *d = container_of(dev, struct driven, k.dev)->driver;
	char byte = 0;

	if (!(d->slow & 1u << call))
		return;
	while (write(d->begun[1], &byte, 1) != 1)
		continue;
	while (read(d->gate[0], &byte, 1) != 1)
		continue;
}

static int driver_query(struct mig_dev *dev, struct err *err)
{
	return err_set(err, -ENOTTY, "%s: cannot migrate", dev->name);
}

static int driver_get_state(struct mig_dev *dev, enum mig_state *ret, struct err *err)
{
	(void)err;
	atomic_fetch_add(&container_of(dev, struct driven, k.dev)->driver->gets, 1);
	driver_take(dev, DRIVER_GET);
	*ret = MIG_RUNNING;
	return 0;
}

static void driver_close(struct mig_dev *dev)
{
	struct driven *own = container_of(dev, struct driven, k.dev);

	driver_take(dev, DRIVER_CLOSE);
	kernel_dev_done(&own->k);
	free(own);
}

/* Of no bus that has these interrupts. */
static int driver_info(struct mig_dev *dev, struct dev_info *ret, struct err *err)
{
	(void)err;
	driver_take(dev, DRIVER_INFO);
	*ret = (struct dev_info){ 0 };
	return 0;
}

static const struct mig_ops driver_ops = {
	.name = "driven",
	.query = driver_query,
	.get_state = driver_get_state,
	.close = driver_close,
};

static const struct dev_ops driver_dev_ops = { .info = driver_info };

static const struct acquirer acquirer_driven = { .ownership = DEVICE_SOLE };

/* An open device in RUNNING; one that cannot migrate has no @caps. */
static struct device *driven_new(const char *name, unsigned int caps, struct driver *d)
{
	struct acquired acq = ACQUIRED_NONE;
	struct device *dev = calloc(1, sizeof(*dev));
	struct driven *own = calloc(1, sizeof(*own));

	assert_non_null(dev);
	assert_non_null(own);
	acq.fd = open(_PATH_DEVNULL, O_RDWR | O_CLOEXEC);
	assert_int_equal(kernel_dev_init(&own->k, &driver_ops, &acq, name, NULL), 0);
	own->driver = d;
	own->k.dev.dev_ops = &driver_dev_ops;
	own->k.dev.caps = caps;
	own->k.dev.state = MIG_RUNNING;
	own->k.dev.state_known = true;
	dev->spec = strdup(name);
	dev->how = &acquirer_driven;
	dev->lock = -1;
	dev->mig = &own->k.dev;
	return dev;
}

static struct hold *hold_of(struct device *dev)
{
	const struct hold_options opts = { .on_request = ON_REQUEST_RELEASE };
	struct hold *h = NULL;

	assert_int_equal(hold_new(&opts, &h, NULL), 0);
	assert_int_equal(hold_add(h, dev, NULL), 0);
	return h;
}

/* @dev: the caller's again */
static void hold_over(struct hold *h, struct device *dev)
{
	assert_int_equal(hold_end(h, NULL), 0);
	hold_free(h);
	device_free(dev);
}

/* One turn of the loop. A driver goes on with what it has begun by then. */
static void turn(struct hold *h, const struct driver *d)
{
	struct pollfd p[HOLD_POLL_MAX + 1];
	unsigned int n = hold_fill(h, p);
	char byte;

	p[n] = (struct pollfd){ .fd = d->begun[0], .events = POLLIN };
	assert_true(poll(p, n + 1, -1) > 0);
	if (p[n].revents) {
		assert_int_equal(read(d->begun[0], &byte, 1), 1);
		assert_int_equal(write(d->gate[1], &byte, 1), 1);
	}
	hold_ready(h, p, n);
}

static void no_call_is_under_way_before_it_begins(void **state)
{
	struct pollfd p[HOLD_POLL_MAX];
	struct device *dev;
	struct driver d;
	struct hold *h;

	(void)state;
	driver_open(&d, 1u << DRIVER_INFO);
	dev = driven_new("a", MIG_CAP_STOP_COPY, &d);
	h = hold_of(dev);
	assert_int_equal(hold_fill(h, p), 0);
	hold_begin(h);
	/* Both interrupts, and the call that sets them. */
	assert_int_equal(hold_fill(h, p), DEVICE_NR_IRQS + 2);
	while (hold_fill(h, p))
		turn(h, &d);
	hold_over(h, dev);
	driver_done(&d);
}

/* A socket in a folder of its own. Return: a connection to it. */
static int lend(struct hold *h, char path[static 64])
{
	const struct hold_wait wait = { .timeout_ms = -1 };
	int sock = -1;

	snprintf(path, 64, "/tmp/test-hold-XXXXXX");
	assert_non_null(mkdtemp(path));
	strcat(path, "/h");
	assert_int_equal(hold_listen(h, path, NULL), 0);
	assert_int_equal(hold_connect(path, path, &wait, &sock, NULL), 0);
	return sock;
}

static void lend_no_more(int sock, char *path)
{
	close(sock);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* More turns than it takes: a driver that is asked again and again is found out by that. */
#define TURNS 20

static void expect_lent(struct hold *h, struct driver *d, int sock)
{
	_cleanup_(hold_packet_done) struct hold_packet packet = HOLD_PACKET_NONE;
	const struct hold_request req = { .verb = HOLD_GET, .use = HOLD_USE_CHANGE };

	assert_int_equal(hold_send(sock, hold_request_write(&req), NULL), 0);
	for (int i = 0; i < TURNS && !readable(sock); i++)
		turn(h, d);
	assert_int_equal(hold_receive(sock, &packet, NULL), 0);
	assert_int_equal(hold_reply_read(packet.o, HOLD_GET, NULL), 0);
	assert_true(packet.fds.v[HOLD_FD_DEVICE] >= 0);
}

static void a_driver_that_takes_long_is_asked_once_for_who_waits(void **state)
{
	static const unsigned int slow[] = {
		1u << DRIVER_GET,
		1u << DRIVER_GET | 1u << DRIVER_INFO,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
		struct device *dev;
		struct driver d;
		struct hold *h;
		char path[64];
		int sock;

		driver_open(&d, slow[i]);
		dev = driven_new("a", MIG_CAP_STOP_COPY, &d);
		h = hold_of(dev);
		sock = lend(h, path);
		expect_lent(h, &d, sock);
		assert_int_equal(atomic_load(&d.gets), 1);
		hold_over(h, dev);
		lend_no_more(sock, path);
		driver_done(&d);
	}
}

static void what_is_being_closed_is_not_handed_out(void **state)
{
	struct device *closing, *other;
	struct driver d;
	struct hold *h;

	(void)state;
	driver_open(&d, 1u << DRIVER_CLOSE);
	closing = driven_new("a", 0, &d);
	h = hold_of(closing);
	other = driven_new("b", 0, &d);
	assert_int_equal(hold_add(h, other, NULL), 0);
	assert_ptr_equal(hold_device(h, 0), closing);
	assert_ptr_equal(hold_device(h, 1), other);
	hold_place_give_up(h, hold_find_device(h, closing));
	assert_int_equal(hold_count(h), 2);
	assert_ptr_equal(hold_device(h, 0), other);
	assert_null(hold_device(h, 1));
	while (hold_count(h) > 1)
		turn(h, &d);
	assert_ptr_equal(hold_device(h, 0), other);
	device_free(closing);
	d.slow = 0;
	hold_over(h, other);
	driver_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_call_is_under_way_before_it_begins),
		cmocka_unit_test(a_driver_that_takes_long_is_asked_once_for_who_waits),
		cmocka_unit_test(what_is_being_closed_is_not_handed_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
