// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "engine/migratable.h"

#define FACTS(need_, port_, mode_, now_, use_, want_, may_)                                    \
	{                                                                                      \
		.need = NEED_##need_, .port = PORT_##port_, .mode = DEVLINK_MODE_##mode_,      \
		.now = DEVLINK_##now_, .use = USE_##use_, .want = WANT_##want_, .may = (may_), \
	}

#define BOTH (MAY_SWITCHDEV | MAY_REBIND)

static const struct {
	struct migratable_facts facts;
	enum migratable_plan plan;
} rows[] = {
	/* clang-format off */
	/* no switch is needed: nothing else counts */
	{ FACTS(NOTHING, NO_VF,      UNKNOWN,   ABSENT, FREE,  SHOW, 0),    PLAN_NOT_NEEDED },
	{ FACTS(NOTHING, NONE,       LEGACY,    ABSENT, HELD,  ON,   BOTH), PLAN_NOT_NEEDED },
	{ FACTS(NOTHING, THERE,      SWITCHDEV, OFF,    FREE,  ON,   0),    PLAN_NOT_NEEDED },
	{ FACTS(NOTHING, NO_DEVLINK, UNKNOWN,   ABSENT, BOUND, OFF,  0),    PLAN_CANNOT_OFF },
	/* no port */
	{ FACTS(UNKNOWN, NO_VF,      UNKNOWN,   ABSENT, FREE,  SHOW, 0),    PLAN_NO_VF },
	{ FACTS(SWITCH,  NO_VF,      UNKNOWN,   ABSENT, FREE,  ON,   BOTH), PLAN_NO_VF },
	{ FACTS(SWITCH,  NO_DEVLINK, UNKNOWN,   ABSENT, FREE,  ON,   BOTH), PLAN_NO_DEVLINK },
	{ FACTS(SWITCH,  NONE,       LEGACY,    ABSENT, FREE,  ON,   0),    PLAN_HIDDEN },
	{ FACTS(SWITCH,  NONE,       LEGACY,    ABSENT, BOUND, ON,   MAY_REBIND), PLAN_HIDDEN },
	{ FACTS(SWITCH,  NONE,       LEGACY,    ABSENT, FREE,  SHOW, BOTH), PLAN_HIDDEN },
	{ FACTS(SWITCH,  NONE,       LEGACY,    ABSENT, FREE,  OFF,  BOTH), PLAN_HIDDEN },
	{ FACTS(SWITCH,  NONE,       LEGACY,    ABSENT, FREE,  ON,   BOTH), PLAN_SWITCHDEV },
	{ FACTS(UNKNOWN, NONE, LEGACY, ABSENT, BOUND, ON, MAY_SWITCHDEV), PLAN_SWITCHDEV },
	{ FACTS(SWITCH,  NONE,       SWITCHDEV, ABSENT, FREE,  ON,   BOTH), PLAN_NO_PORT },
	{ FACTS(SWITCH,  NONE,       NONE,      ABSENT, FREE,  ON,   BOTH), PLAN_NO_PORT },
	{ FACTS(SWITCH,  NONE,       UNKNOWN,   ABSENT, FREE,  ON,   BOTH), PLAN_NO_PORT },
	/* a port */
	{ FACTS(SWITCH,  THERE,      SWITCHDEV, ABSENT, HELD,  SHOW, 0),    PLAN_SHOW },
	{ FACTS(UNKNOWN, THERE,      LEGACY,    ON,     FREE,  SHOW, BOTH), PLAN_SHOW },
	{ FACTS(UNKNOWN, THERE,      SWITCHDEV, ABSENT, FREE,  ON,   BOTH), PLAN_NO_ATTRIBUTE },
	{ FACTS(UNKNOWN, THERE,      SWITCHDEV, ABSENT, FREE,  OFF,  BOTH), PLAN_NO_ATTRIBUTE },
	/* as it is wanted, in use or not */
	{ FACTS(SWITCH,  THERE,      SWITCHDEV, ON,     HELD,  ON,   0),    PLAN_DONE },
	{ FACTS(SWITCH,  THERE,      SWITCHDEV, OFF,    BOUND, OFF,  BOTH), PLAN_DONE },
	/* to be changed */
	{ FACTS(SWITCH,  THERE,      SWITCHDEV, OFF,    FREE,  ON,   0),    PLAN_SET },
	{ FACTS(SWITCH,  THERE,      UNKNOWN,   ON,     FREE,  OFF,  BOTH), PLAN_SET },
	{ FACTS(SWITCH,  THERE,      SWITCHDEV, OFF,    BOUND, ON,   0),    PLAN_BOUND },
	{ FACTS(SWITCH,  THERE,      SWITCHDEV, OFF,    BOUND, ON,   MAY_SWITCHDEV), PLAN_BOUND },
	{ FACTS(SWITCH,  THERE,      SWITCHDEV, OFF,    BOUND, ON,   MAY_REBIND), PLAN_REBIND },
	{ FACTS(SWITCH,  THERE,      SWITCHDEV, ON,     BOUND, OFF,  BOTH), PLAN_REBIND },
	{ FACTS(SWITCH,  THERE,      SWITCHDEV, OFF,    HELD,  ON,   BOTH), PLAN_HELD },
	/* clang-format on */
};

static void plan_follows_from_the_facts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(migratable_plan(&rows[i].facts), rows[i].plan);
}

/* Whatever the facts are: nothing changes without being asked for, or allowed. */
static void nothing_is_done_unasked(void **state)
{
	static const enum migratable_port ports[] = { PORT_NO_VF, PORT_NO_DEVLINK, PORT_NONE,
						      PORT_THERE };
	static const enum migratable_use uses[] = { USE_FREE, USE_BOUND, USE_HELD };
	static const enum migratable_want wants[] = { WANT_SHOW, WANT_OFF, WANT_ON };
	unsigned int seen = 0;

	(void)state;
	for (unsigned int i = 0; i < 3u * 4 * 4 * 3 * 3 * 3 * 4; i++) {
		const struct migratable_facts f = {
			.need = (enum migratable_need)(i % 3),
			.port = ports[i / 3 % 4],
			.mode = (enum devlink_mode)(i / 12 % 4),
			.now = (enum devlink_value)(i / 48 % 3),
			.use = uses[i / 144 % 3],
			.want = wants[i / 432 % 3],
			.may = i / 1296 % 4,
		};
		enum migratable_plan plan = migratable_plan(&f);

		seen |= 1u << plan;
		if (f.want == WANT_SHOW)
			assert_false(migratable_plan_changes(plan));
		if (plan == PLAN_SWITCHDEV)
			assert_true(f.may & MAY_SWITCHDEV && f.want == WANT_ON);
		if (plan == PLAN_REBIND)
			assert_true(f.may & MAY_REBIND && f.use == USE_BOUND);
		if (plan == PLAN_SET)
			assert_int_equal(f.use, USE_FREE);
	}
	assert_int_equal(seen, (1u << (PLAN_BOUND + 1)) - 1);
}

static void need_is_known_of_drivers(void **state)
{
	static const struct {
		const char *driver, *pf_driver;
		enum migratable_need need;
		const char *by;
	} drivers[] = {
		{ "mlx5_vfio_pci", "mlx5_core", NEED_SWITCH, "mlx5_vfio_pci" },
		{ NULL, "mlx5_core", NEED_SWITCH, "mlx5_core" },
		{ "mlx5_core", "mlx5_core", NEED_SWITCH, "mlx5_core" },
		{ "qat_vfio_pci", NULL, NEED_NOTHING, "qat_vfio_pci" },
		{ NULL, "virtio-pci", NEED_NOTHING, "virtio-pci" },
		{ "mtty", NULL, NEED_NOTHING, "mtty" },
		{ "vfio-pci", "igb", NEED_UNKNOWN, NULL },
		{ NULL, NULL, NEED_UNKNOWN, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		const char *by = "unset";

		assert_int_equal(migratable_need(drivers[i].driver, drivers[i].pf_driver, &by),
				 drivers[i].need);
		assert_string_equal(by ? by : "-", drivers[i].by ? drivers[i].by : "-");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_follows_from_the_facts),
		cmocka_unit_test(nothing_is_done_unasked),
		cmocka_unit_test(need_is_known_of_drivers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
