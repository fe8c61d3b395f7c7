// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
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

/* A number as the kernel writes it: digits alone, the first of several not 0. */
static bool dev_name_number(const char *text, uint32_t max, uint32_t *ret)
{
	uint64_t number;

	if (!isdigit((unsigned char)text[0]) || (text[0] == '0' && text[1]) ||
	    parse_uint(text, 10, max, &number) < 0)
		return false;
	*ret = (uint32_t)number;
	return true;
}

bool dev_name_split_vf(const char *spec, size_t *ret_len, uint32_t *ret_number)
{
	const char *slash = strrchr(spec, '/');

	if (!slash || slash == spec || strncmp(slash, "/vf", 3) != 0 ||
	    !dev_name_number(slash + 3, UINT16_MAX, ret_number))
		return false;
	*ret_len = (size_t)(slash - spec);
	return true;
}

/* What has a colon is an address; neither network nor InfiniBand devices have one. */
static bool dev_name_parse_pf(const char *pf, char name[DEV_NAME_SIZE])
{
	if (strchr(pf, ':'))
		return dev_name_parse_pci(pf, name);
	if (!*pf || strchr(pf, '/') || strcmp(pf, ".") == 0 || strcmp(pf, "..") == 0)
		return false;
	snprintf(name, DEV_NAME_SIZE, "%s", pf);
	return true;
}

static bool dev_name_parse_vf(const char *spec, struct dev_name *ret)
{
	char pf[DEV_NAME_SIZE];
	size_t n;

	if (!dev_name_split_vf(spec, &n, &ret->number) || n >= sizeof(pf))
		return false;
	memcpy(pf, spec, n);
	pf[n] = '\0';
	return dev_name_parse_pf(pf, ret->kernel);
}

static bool dev_name_parse_port(const char *spec, struct dev_name *ret)
{
	const char *dev = spec + strlen("pci/"), *slash = strrchr(spec, '/');
	char address[DEV_NAME_SIZE];
	size_t n;

	if (strncmp(spec, "pci/", strlen("pci/")) != 0 || slash < dev)
		return false;
	n = (size_t)(slash - dev);
	if (n >= sizeof(address))
		return false;
	memcpy(address, dev, n);
	address[n] = '\0';
	return dev_name_parse_pci(address, ret->kernel) &&
	       dev_name_number(slash + 1, UINT32_MAX, &ret->number);
}

static enum dev_form dev_name_parse_slashed(const char *spec, struct dev_name *ret)
{
	struct dev_name name = { .form = DEV_FORM_VF };

	if (!dev_name_parse_vf(spec, &name)) {
		name = (struct dev_name){ .form = DEV_FORM_PORT };
		if (!dev_name_parse_port(spec, &name))
			name = (struct dev_name){ .form = DEV_FORM_PATH };
	}
	*ret = name;
	return name.form;
}

enum dev_form dev_name_parse(const char *spec, struct dev_name *ret)
{
	struct dev_name name = { .form = DEV_FORM_NONE };

	if (strchr(spec, '/'))
		return dev_name_parse_slashed(spec, ret);
	if (dev_name_parse_pci(spec, name.kernel))
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
