// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "host/dev-name.h"

#define UUID_LEN 36
#define VFIO_DIGITS_MAX 9

static uint32_t dev_name_hex_value(char c)
{
	if (isdigit((unsigned char)c))
		return (uint32_t)(c - '0');
	return (uint32_t)(tolower((unsigned char)c) - 'a' + 10);
}

/* One hexadecimal field and what must follow it. Return: behind both, or NULL; takes NULL. */
static const char *dev_name_hex_field(const char *p, int max_digits, uint32_t max, char after,
				      uint32_t *ret)
{
	uint32_t value = 0;
	int digits = 0;

	if (!p)
		return NULL;
	for (; isxdigit((unsigned char)*p); p++) {
		if (++digits > max_digits)
			return NULL;
		value = value << 4 | dev_name_hex_value(*p);
	}
	if (!digits || value > max || *p != after)
		return NULL;
	*ret = value;
	return p + 1;
}

/*
 * Domains have more than four digits where a bridge in software makes them up (VMD), and some
 * tools print eight always.
 */
static bool dev_name_parse_pci(const char *spec, char name[DEV_NAME_SIZE])
{
	uint32_t domain = 0, bus = 0, slot = 0, function = 0;
	const char *p = spec;

	if (strchr(spec, ':') != strrchr(spec, ':'))
		p = dev_name_hex_field(p, 8, UINT32_MAX, ':', &domain);
	p = dev_name_hex_field(p, 2, 0xff, ':', &bus);
	p = dev_name_hex_field(p, 2, 0x1f, '.', &slot);
	p = dev_name_hex_field(p, 1, 7, '\0', &function);
	if (!p)
		return false;
	snprintf(name, DEV_NAME_SIZE, "%04x:%02x:%02x.%x", domain, bus, slot, function);
	return true;
}

static bool dev_name_parse_uuid(const char *spec, char name[DEV_NAME_SIZE])
{
	size_t i;

	if (strlen(spec) != UUID_LEN)
		return false;
	for (i = 0; i < UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? spec[i] != '-' : !isxdigit((unsigned char)spec[i]))
			return false;
		name[i] = (char)tolower((unsigned char)spec[i]);
	}
	name[UUID_LEN] = '\0';
	return true;
}

static bool dev_name_parse_vfio(const char *spec, char name[DEV_NAME_SIZE])
{
	const char *digits;
	size_t n;

	if (strncmp(spec, "vfio", 4) != 0)
		return false;
	digits = spec + 4;
	for (n = 0; isdigit((unsigned char)digits[n]);)
		n++;
	if (n == 0 || n > VFIO_DIGITS_MAX || digits[n] || (n > 1 && digits[0] == '0'))
		return false;
	memcpy(name, spec, n + 5);
	return true;
}

enum dev_form dev_name_parse(const char *spec, struct dev_name *ret)
{
	struct dev_name name = { .form = DEV_FORM_NONE };

	if (strchr(spec, '/'))
		name.form = DEV_FORM_PATH;
	else if (dev_name_parse_pci(spec, name.kernel))
		name.form = DEV_FORM_PCI;
	else if (dev_name_parse_vfio(spec, name.kernel))
		name.form = DEV_FORM_VFIO;
	else if (dev_name_parse_uuid(spec, name.kernel))
		name.form = DEV_FORM_MDEV;
	else
		name.kernel[0] = '\0'; /* a UUID that went wrong half-way leaves its start */
	*ret = name;
	return name.form;
}
