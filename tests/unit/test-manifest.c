// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "base/macros.h"
#include "image/format.h"
#include "image/manifest.h"
#include "base/printable.h"
#include "image-forge.h"

static struct image_device full_device(void)
{
	static uint8_t config[IMAGE_CONFIG_MAX];

	for (size_t i = 0; i < sizeof(config); i++)
		config[i] = (uint8_t)(i * 7);
	return (struct image_device){
		.address = (char *)"0000:3b:00.1",
		.bus = (char *)"pci",
		.driver = (char *)"mlx5_vfio_pci",
		.driver_version = (char *)"1.0",
		.has_ids = true,
		.vendor = 0x15b3,
		.device = 0x101e,
		.subsystem_vendor = 0x1,
		.subsystem_device = 0xffff,
		.class_code = 0x020000,
		.revision = 0xa,
		.caps = UINT64_C(0x8000000000000015),
		.protocol = (char *)"v2",
		.via = (char *)"pid",
		.owner = (char *)"qemu-system-x86",
		.owner_pid = 4194304,
		.interrupts = 3, /* MSI, MSI-X */
		.config = config,
		.config_size = sizeof(config),
	};
}

static struct image_device bare_device(void)
{
	return (struct image_device){
		.address = (char *)"fd:7",
		.protocol = (char *)"vfio-user",
	};
}

static int decode(const char *text, struct image_manifest *m, struct err *err)
{
	return image_manifest_decode(text, strlen(text), m, err);
}

/* Decoding must fail with exactly this. */
static void assert_refused(const char *text, const char *why)
{
	struct image_manifest m = { 0 };
	struct err err = { 0 };
	int r;

	r = decode(text, &m, &err);
	if (r != -EBADMSG || err.kind != ERR_IMAGE || strcmp(err.text, why))
		fail_msg("%s\ngot %d \"%s\", wanted \"%s\"", text, r, err.text, why);
	assert_null(m.devices);
}

static void assert_same_text(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_ptr_equal(a, b);
}

static void assert_same_device(const struct image_device *a, const struct image_device *b)
{
	assert_same_text(a->address, b->address);
	assert_same_text(a->bus, b->bus);
	assert_same_text(a->driver, b->driver);
	assert_same_text(a->driver_version, b->driver_version);
	assert_same_text(a->protocol, b->protocol);
	assert_same_text(a->via, b->via);
	assert_same_text(a->owner, b->owner);
	assert_int_equal(a->owner_pid, b->owner_pid);
	assert_int_equal(a->has_ids, b->has_ids);
	assert_int_equal(a->vendor, b->vendor);
	assert_int_equal(a->device, b->device);
	assert_int_equal(a->subsystem_vendor, b->subsystem_vendor);
	assert_int_equal(a->subsystem_device, b->subsystem_device);
	assert_int_equal(a->class_code, b->class_code);
	assert_int_equal(a->revision, b->revision);
	assert_int_equal(a->caps, b->caps);
	assert_int_equal(a->interrupts, b->interrupts);
	assert_int_equal(a->config_size, b->config_size);
	if (a->config_size)
		assert_memory_equal(a->config, b->config, a->config_size);
}

static void what_is_encoded_decodes_to_the_same(void **state)
{
	struct image_device devices[] = { full_device(), bare_device() };
	struct image_manifest m = {
		.kernel = (char *)"6.12.38+deb13-amd64",
		.tool = (char *)"vfiomigctl 0.1 \"quoted\" \\ \xc3\xbc",
		.expected = UINT64_C(5) << 40,
		.devices = devices,
		.n_devices = 2,
	};
	_cleanup_(image_manifest_done) struct image_manifest back = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(image_manifest_encode(&m, &text, &len, NULL), 0);
	assert_int_equal(len, strlen(text));
	assert_int_equal(image_manifest_decode(text, len, &back, NULL), 0);
	assert_string_equal(back.kernel, m.kernel);
	assert_string_equal(back.tool, m.tool);
	assert_true(back.expected == m.expected);
	assert_int_equal(back.n_devices, 2);
	assert_same_device(&back.devices[0], &devices[0]);
	assert_same_device(&back.devices[1], &devices[1]);
}

static int add(struct image_labels *labels, const char *text)
{
	return image_labels_parse(labels, text, NULL);
}

static void labels_come_back_in_their_order(void **state)
{
	struct image_device devices[] = { bare_device() };
	_cleanup_(image_manifest_done) struct image_manifest m = { 0 }, back = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;

	(void)state;
	assert_int_equal(add(&m.labels, "ticket=4711"), 0);
	assert_int_equal(add(&m.labels, "a/b.c_d-e="), 0);
	assert_int_equal(add(&m.labels, "0=a=\"b\" \xc3\xbc"), 0);
	m.devices = devices;
	m.n_devices = 1;
	assert_int_equal(image_manifest_encode(&m, &text, &len, NULL), 0);
	m.devices = NULL;
	assert_int_equal(image_manifest_decode(text, len, &back, NULL), 0);
	assert_int_equal(back.labels.n, 3);
	assert_string_equal(back.labels.v[0].key, "ticket");
	assert_string_equal(back.labels.v[0].value, "4711");
	assert_string_equal(back.labels.v[1].key, "a/b.c_d-e");
	assert_string_equal(back.labels.v[1].value, "");
	assert_string_equal(back.labels.v[2].key, "0");
	assert_string_equal(back.labels.v[2].value, "a=\"b\" \xc3\xbc");
}

static void labels_that_are_none_are_refused(void **state)
{
	static const char *const rows[] = {
		"",    "key",	   "=value", " a=b",   "a b=c", "-a=b",	   "a\xc3\xbc=b",
		".=b", "a=\x1b[m", "a=\xff", "a=b\nc", "a*=b",	"twice=2",
	};
	char key[IMAGE_LABEL_KEY_MAX + 8], value[IMAGE_LABEL_VALUE_MAX + 8];
	_cleanup_(image_labels_done) struct image_labels labels = { 0 };

	(void)state;
	assert_int_equal(add(&labels, "twice=1"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (add(&labels, rows[i]) != -EINVAL)
			fail_msg("'%s' was taken", rows[i]);
	memset(key, 'k', sizeof(key));
	strcpy(key + IMAGE_LABEL_KEY_MAX, "=");
	assert_int_equal(add(&labels, key), 0);
	strcpy(key + IMAGE_LABEL_KEY_MAX, "k=");
	assert_int_equal(add(&labels, key), -EINVAL);
	memset(value, 'v', sizeof(value));
	memcpy(value, "a=", 2);
	value[2 + IMAGE_LABEL_VALUE_MAX] = '\0';
	assert_int_equal(add(&labels, value), 0);
	value[0] = 'b';
	value[2 + IMAGE_LABEL_VALUE_MAX] = 'v';
	value[3 + IMAGE_LABEL_VALUE_MAX] = '\0';
	assert_int_equal(add(&labels, value), -EINVAL);
	for (size_t i = labels.n; i < IMAGE_LABELS_MAX; i++) {
		snprintf(key, sizeof(key), "n%zu=", i);
		assert_int_equal(add(&labels, key), 0);
	}
	assert_int_equal(add(&labels, "one.too.many="), -EINVAL);
	assert_int_equal(labels.n, IMAGE_LABELS_MAX);
}

#define WITH_LABELS(labels) \
	"{\"schema\":1,\"labels\":" labels ",\"devices\":[{\"address\":\"a\",\"protocol\":\"v2\"}]}"

static void labels_of_other_writers_are_judged_alike(void **state)
{
	_cleanup_(image_manifest_done) struct image_manifest m = { 0 };

	(void)state;
	assert_refused(WITH_LABELS("[]"), "\"labels\": not an object of labels");
	assert_refused(WITH_LABELS("null"), "\"labels\": not an object of labels");
	assert_refused(WITH_LABELS("{\"a\":1}"), "\"labels\": a label's value is no string");
	assert_refused(WITH_LABELS("{\"a\":\"\\u001b\"}"),
		       "\"labels\": a label's value has characters that cannot be printed");
	assert_refused(WITH_LABELS("{\"a\":\"\\u0000\"}"),
		       "\"labels\": a label's value has characters that cannot be printed");
	assert_refused(
		WITH_LABELS("{\"\":\"\"}"),
		"\"labels\": a label's key is 1 to 63 letters, digits, '.', '_', '-' or '/', a "
		"letter or digit first");
	assert_int_equal(decode(WITH_LABELS("{}"), &m, NULL), 0);
	assert_int_equal(m.labels.n, 0);
}

static void the_largest_manifest_fits_its_cap(void **state)
{
	static struct image_device devices[IMAGE_DEVICES_MAX + 1];
	struct image_manifest m = { .devices = devices, .n_devices = IMAGE_DEVICES_MAX };
	_cleanup_(image_manifest_done) struct image_manifest back = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		devices[i] = full_device();
	assert_int_equal(image_manifest_encode(&m, &text, &len, NULL), 0);
	assert_int_equal(image_manifest_decode(text, len, &back, NULL), 0);
	assert_int_equal(back.n_devices, IMAGE_DEVICES_MAX);
	m.n_devices++;
	assert_int_equal(image_manifest_encode(&m, &text, &len, NULL), -EINVAL);
	m.n_devices = 0;
	assert_int_equal(image_manifest_encode(&m, &text, &len, NULL), -EINVAL);
}

static void what_no_reader_would_take_is_not_encoded(void **state)
{
	struct image_device dev = bare_device();
	struct image_manifest m = { .devices = &dev, .n_devices = 1 };
	_cleanup_free_ char *text = NULL;
	char longish[IMAGE_TEXT_MAX + 2];
	size_t len;

	(void)state;
	memset(longish, 'x', sizeof(longish) - 1);
	longish[sizeof(longish) - 1] = '\0';
	dev.address = longish;
	assert_int_equal(image_manifest_encode(&m, &text, &len, NULL), -EINVAL);
	dev.address = NULL;
	assert_int_equal(image_manifest_encode(&m, &text, &len, NULL), -EINVAL);
	dev = full_device();
	dev.config_size++;
	assert_int_equal(image_manifest_encode(&m, &text, &len, NULL), -EINVAL);
}

static void what_cannot_be_printed_does_not_keep_a_device_from_being_saved(void **state)
{
	struct image_device dev = bare_device();
	struct image_manifest m = { .devices = &dev, .n_devices = 1 };
	_cleanup_(image_manifest_done) struct image_manifest back = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;

	(void)state;
	dev.address = (char *)"vfio-user:/\x1b[31m\xff";
	assert_int_equal(image_manifest_encode(&m, &text, &len, NULL), 0);
	assert_int_equal(image_manifest_decode(text, len, &back, NULL), 0);
	assert_string_equal(back.devices[0].address, "vfio-user:/?[31m?");
}

static void keys_that_are_not_known_are_ignored(void **state)
{
	_cleanup_(image_manifest_done) struct image_manifest m = { 0 };

	(void)state;
	assert_int_equal(decode("{\"later\": {\"deep\": [1, null, true, 1.5]}, \"schema\": 1,"
				" \"devices\": [{\"address\": \"a\", \"protocol\": \"v3\","
				" \"migration\": [\"later\", \"p2p\"],"
				" \"interrupts\": [\"carrier pigeon\", \"msi\"],"
				" \"color\": \"\\u001b\"}]}",
				&m, NULL),
			 0);
	assert_int_equal(m.devices[0].caps, 2);
	assert_int_equal(m.devices[0].interrupts, 1);
	assert_null(m.tool);
}

static void of_two_keys_of_one_name_one_counts_and_nothing_breaks(void **state)
{
	_cleanup_(image_manifest_done) struct image_manifest m = { 0 };

	(void)state;
	assert_int_equal(
		decode("{\"schema\": 1, \"schema\": 1, \"devices\": [], \"devices\":"
		       " [{\"address\": \"a\", \"address\": \"b\", \"protocol\": \"v2\"}]}",
		       &m, NULL),
		0);
	assert_int_equal(m.n_devices, 1);
}

static void what_is_not_json_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		/* clang-format off */
		{ "",                "not JSON: it ends too early" },
		{ "{\"schema\": 1",  "not JSON: it ends too early" },
		{ "[1]",             "not a JSON object" },
		{ "[]x",             "not JSON: unexpected character" },
		{ "{}{}",            "not JSON: unexpected character" },
		{ "{} x",            "not JSON: unexpected character" },
		{ "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", "not JSON: nesting too deep" },
		{ "{}",              "\"schema\" is not a number" },
		{ "{\"schema\":\"1\"}", "\"schema\" is not a number" },
		{ "{\"schema\":2}",  "schema 2; this tool reads schema 1" },
		{ "{\"schema\":1}",  "0 devices, not 1 to 256" },
		{ "{\"schema\":1,\"tool\":7}",       "\"tool\" is not a string" },
		{ "{\"schema\":1,\"kernel\":null}",  "\"kernel\" is not a string" },
		{ "{\"schema\":1,\"expected_bytes\":-1}",
		  "\"expected_bytes\" is not a number of bytes" },
		{ "{\"schema\":1,\"expected_bytes\":\"9\"}",
		  "\"expected_bytes\" is not a number of bytes" },
		{ "{\"schema\":1,\"devices\":{}}",   "\"devices\" is not a list" },
		{ "{\"schema\":1,\"devices\":[]}",   "0 devices, not 1 to 256" },
		{ "{\"schema\":1,\"devices\":[7]}",  "device 0: not an object" },
		{ "{\"schema\":1,\"devices\":[null]}", "device 0: not an object" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_refused(rows[i].text, rows[i].why);
}

#define UNPRINTABLE " has characters that cannot be printed"
#define NOT_HEX " is not a hexadecimal number of the right length"

/* Each row adds its fields to a device that has all that is required. */
static void fields_that_make_no_sense_are_refused_by_name(void **state)
{
#define IDS                                                                 \
	"\"vendor\":\"0x15b3\",\"device\":\"0x101e\",\"subsystem_vendor\":" \
	"\"0x15b3\",\"subsystem_device\":\"0x0062\",\"class\":\"0x020000\","
	static const struct {
		const char *fields, *why;
	} rows[] = {
		/* clang-format off */
		{ "\"address\":1",               "\"address\" is not a string" },
		{ "\"address\":null",            "\"address\" is not a string" },
		{ "\"bus\":[]",                  "\"bus\" is not a string" },
		{ "\"driver\":\"\\u0000\"",      "\"driver\"" UNPRINTABLE },
		{ "\"driver\":\"a\\u0000b\"",    "\"driver\"" UNPRINTABLE },
		{ "\"driver\":\"\\u001b[2J\"",   "\"driver\"" UNPRINTABLE },
		{ "\"driver\":\"a\\nb\"",        "\"driver\"" UNPRINTABLE },
		{ "\"driver\":\"\\u009b2J\"",    "\"driver\"" UNPRINTABLE },
		{ "\"driver\":\"\x7f\"",         "\"driver\"" UNPRINTABLE },
		{ "\"driver\":\"\xff\"",         "\"driver\"" UNPRINTABLE },
		{ "\"driver\":\"\xc0\xaf\"",     "\"driver\"" UNPRINTABLE },
		{ "\"driver\":\"\xe0\x80\xaf\"", "\"driver\"" UNPRINTABLE },
		{ "\"driver\":\"\xed\xa0\x80\"", "\"driver\"" UNPRINTABLE },
		{ "\"driver\":\"\xf4\x90\x80\x80\"", "\"driver\"" UNPRINTABLE },
		{ "\"driver\":\"\xe2\x82\"",     "\"driver\"" UNPRINTABLE },
		{ "\"vendor\":5555",             "\"vendor\" is not a string" },
		{ "\"vendor\":\"15b3\"",         "\"vendor\" is not a hexadecimal number" },
		{ "\"vendor\":\"\"",             "\"vendor\" is not a hexadecimal number" },
		{ "\"vendor\":\"0x\"",           "\"vendor\"" NOT_HEX },
		{ "\"vendor\":\"0x15B3\"",       "\"vendor\"" NOT_HEX },
		{ "\"vendor\":\"0x115b3\"",      "\"vendor\"" NOT_HEX },
		{ "\"vendor\":\"0x0x15\"",       "\"vendor\"" NOT_HEX },
		{ "\"vendor\":\"0x15b3\\u0000\"", "\"vendor\"" NOT_HEX },
		{ "\"vendor\":\"0x15b3\"",       "\"device\" is missing" },
		{ "\"device\":\"0x15b3\"",       "\"vendor\" is missing" },
		{ IDS "\"revision\":\"0x1\"",    "\"revision\"" NOT_HEX },
		{ IDS "\"bus\":\"pci\"",         "\"revision\" is missing" },
		{ "\"flags\":4",                 "\"flags\" is not a string" },
		{ "\"flags\":\"0x\"",            "\"flags\"" NOT_HEX },
		{ "\"flags\":\"0x12345678123456789\"", "\"flags\"" NOT_HEX },
		{ "\"migration\":\"p2p\"",       "\"migration\" is not a list" },
		{ "\"migration\":[1]",           "\"migration\" is not a list of words" },
		{ "\"migration\":[null]",        "\"migration\" is not a list of words" },
		{ "\"owner\":7",                 "\"owner\" is not a string" },
		{ "\"owner_pid\":\"7\"",         "\"owner_pid\" is not a number" },
		{ "\"owner_pid\":0",             "\"owner_pid\" is no process id" },
		{ "\"owner_pid\":2147483648",    "\"owner_pid\" is no process id" },
		{ "\"interrupts\":\"msi\"",      "\"interrupts\" is not a list" },
		{ "\"interrupts\":[1]",          "\"interrupts\" is not a list of words" },
		{ "\"config\":[]",               "\"config\" is not a string" },
		{ "\"config\":\"\"",             "\"config\" has a wrong length" },
		{ "\"config\":\"abc\"",          "\"config\" has a wrong length" },
		{ "\"config\":\"AB\"",           "\"config\" is not in lower-case hexadecimal" },
		{ "\"config\":\"0g\"",           "\"config\" is not in lower-case hexadecimal" },
		/* clang-format on */
	};
	char text[1024], why[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof(text),
			 "{\"schema\":1,\"devices\":[{\"address\":\"a\",\"protocol\":\"v2\",%s}]}",
			 rows[i].fields);
		snprintf(why, sizeof(why), "device 0: %s", rows[i].why);
		assert_refused(text, why);
	}
	assert_refused("{\"schema\":1,\"devices\":[{\"protocol\":\"v2\"}]}",
		       "device 0: \"address\" is missing");
	assert_refused("{\"schema\":1,\"devices\":[{\"address\":\"a\"}]}",
		       "device 0: \"protocol\" is missing");
}

static struct bytes repeat(const char *before, const char *what, size_t times, const char *after)
{
	struct bytes b = { 0 };

	bytes_add(&b, before, strlen(before));
	for (size_t i = 0; i < times; i++)
		bytes_add(&b, what, strlen(what));
	bytes_add(&b, after, strlen(after) + 1);
	return b;
}

static void lengths_and_counts_are_capped(void **state)
{
#define START "{\"schema\":1,\"devices\":[{\"address\":\"a\",\"protocol\":\"v2\","
	static const struct {
		const char *before, *what, *after, *why;
		size_t times;
	} rows[] = {
		/* clang-format off */
		{ "{\"schema\":1,\"tool\":\"", "x", "\"}", "\"tool\" is too long",
		  IMAGE_TEXT_MAX + 1 },
		{ "{\"schema\":1,\"devices\":[1", ",1", "]}", "257 devices, not 1 to 256", 256 },
		{ START "\"config\":\"", "00", "\"}]}", "device 0: \"config\" has a wrong length",
		  IMAGE_CONFIG_MAX + 1 },
		{ "", " ", "", "4194305 bytes, more than 4194304", IMAGE_MANIFEST_MAX + 1 },
		{ "[1", ",1", "]", "more values than any manifest has", 70000 },
		{ "[[]", ",[]", "]", "more values than any manifest has", 4096 },
		{ "[{}", ",{}", "]", "more values than any manifest has", 4096 },
		/* clang-format on */
	};
	struct bytes b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		b = repeat(rows[i].before, rows[i].what, rows[i].times, rows[i].after);
		assert_refused((char *)b.p, rows[i].why);
		bytes_done(&b);
	}
}

static void a_nul_byte_is_refused(void **state)
{
	static const char text[] = "{\"schema\":1}\0";
	struct image_manifest m = { 0 };

	(void)state;
	assert_int_equal(image_manifest_decode(text, sizeof(text), &m, NULL), -EBADMSG);
}

static long peak_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* As many values of each kind as get past the count, which json-c then has to hold. */
static void a_hostile_manifest_takes_little_memory(void **state)
{
	static const struct {
		const char *before, *what, *after;
		size_t times;
	} rows[] = {
		/* clang-format off */
		{ "{\"schema\":1,\"x\":[1",  ",1",  "]}", 65000 },
		{ "{\"schema\":1,\"x\":[[]", ",[]", "]}", 4000 },
		{ "{\"schema\":1,\"x\":[{}", ",{}", "]}", 4000 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bytes b = repeat(rows[i].before, rows[i].what, rows[i].times, rows[i].after);
		long before = peak_kib();

		assert_refused((char *)b.p, "0 devices, not 1 to 256");
		assert_in_range(peak_kib() - before, 0, 32 << 10);
		bytes_done(&b);
	}
}

static void what_is_printable(void **state)
{
	(void)state;
	assert_true(is_printable("", 0));
	assert_true(is_printable("a \xc2\xa0\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd~", 15));
	assert_false(is_printable("a", 2));
	assert_false(is_printable("\xe2\x82\xac", 2));
	assert_false(is_printable("\xf8\x88\x80\x80\x80", 5));
	assert_false(is_printable("\x80", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_encoded_decodes_to_the_same),
		cmocka_unit_test(labels_come_back_in_their_order),
		cmocka_unit_test(labels_that_are_none_are_refused),
		cmocka_unit_test(labels_of_other_writers_are_judged_alike),
		cmocka_unit_test(the_largest_manifest_fits_its_cap),
		cmocka_unit_test(what_no_reader_would_take_is_not_encoded),
		cmocka_unit_test(what_cannot_be_printed_does_not_keep_a_device_from_being_saved),
		cmocka_unit_test(keys_that_are_not_known_are_ignored),
		cmocka_unit_test(of_two_keys_of_one_name_one_counts_and_nothing_breaks),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(fields_that_make_no_sense_are_refused_by_name),
		cmocka_unit_test(lengths_and_counts_are_capped),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(a_hostile_manifest_takes_little_memory),
		cmocka_unit_test(what_is_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
