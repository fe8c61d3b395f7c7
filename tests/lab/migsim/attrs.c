// SPDX-License-Identifier: GPL-2.0-only
/*
 * migsim: the attributes in sysfs. README.md says what each is for.
 */

#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "migsim.h"

/* --- words ------------------------------------------------------------------------------- */

static const char *const states[] = {
	[VFIO_DEVICE_STATE_ERROR] = "error",
	[VFIO_DEVICE_STATE_STOP] = "stop",
	[VFIO_DEVICE_STATE_RUNNING] = "running",
	[VFIO_DEVICE_STATE_STOP_COPY] = "stop-copy",
	[VFIO_DEVICE_STATE_RESUMING] = "resuming",
	[VFIO_DEVICE_STATE_RUNNING_P2P] = "running-p2p",
	[VFIO_DEVICE_STATE_PRE_COPY] = "pre-copy",
	[VFIO_DEVICE_STATE_PRE_COPY_P2P] = "pre-copy-p2p",
};
static_assert(ARRAY_SIZE(states) == MIGSIM_STATES);

const char *migsim_state_name(enum vfio_device_mig_state state)
{
	return state < ARRAY_SIZE(states) ? states[state] : "unknown";
}

int migsim_state_parse(const char *name, enum vfio_device_mig_state *ret)
{
	int state = match_string(states, ARRAY_SIZE(states), name);

	if (state < 0)
		return state;
	*ret = state;
	return 0;
}

#define ERRNO(name) { #name, name }
static const struct {
	const char *name;
	int code;
} errnos[] = {
	ERRNO(EPERM), ERRNO(ENOENT), ERRNO(EINTR), ERRNO(EIO), ERRNO(ENXIO), ERRNO(E2BIG),
	ERRNO(EBADF), ERRNO(EAGAIN), ERRNO(ENOMEM), ERRNO(EACCES), ERRNO(EFAULT), ERRNO(EBUSY),
	ERRNO(EEXIST), ERRNO(ENODEV), ERRNO(EINVAL), ERRNO(EMFILE), ERRNO(ENOTTY), ERRNO(EFBIG),
	ERRNO(ENOSPC), ERRNO(ESPIPE), ERRNO(EPIPE), ERRNO(ERANGE), ERRNO(ENOSYS), ERRNO(ENOMSG),
	ERRNO(ENODATA), ERRNO(ETIME), ERRNO(EPROTO), ERRNO(EBADMSG), ERRNO(EOVERFLOW),
	ERRNO(EILSEQ), ERRNO(EMSGSIZE), ERRNO(EOPNOTSUPP), ERRNO(ECONNRESET), ERRNO(ENOTCONN),
	ERRNO(ETIMEDOUT), ERRNO(EHOSTDOWN), ERRNO(EALREADY), ERRNO(EINPROGRESS), ERRNO(ESTALE),
	ERRNO(EREMOTEIO), ERRNO(ECANCELED), ERRNO(ENOTRECOVERABLE),
};

int migsim_errno_parse(const char *text)
{
	unsigned int i;
	int code;

	for (i = 0; i < ARRAY_SIZE(errnos); i++)
		if (sysfs_streq(text, errnos[i].name))
			return errnos[i].code;
	/* Beyond these are the kernel's own, which no call may return to a user. */
	if (kstrtoint(text, 0, &code) || code < 1 || code > EHWPOISON)
		return -EINVAL;
	return code;
}

int migsim_errno_emit(char *buf, int at, int code)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errnos); i++)
		if (errnos[i].code == code)
			return sysfs_emit_at(buf, at, "%s", errnos[i].name);
	return sysfs_emit_at(buf, at, "%d", code);
}

/* --- habits that are a number or one of some words --------------------------------------- */

struct habit {
	struct device_attribute attr;
	size_t offset, size;		/* of the field in struct migsim_habits */
	u64 min, max;
	const char *const *words;	/* what 0, 1, ... are called, up to @max; or NULL */
	unsigned int base;
};

static u64 get_field(struct migsim *m, const struct habit *h)
{
	const void *field = (void *)&m->habits + h->offset;

	switch (h->size) {
	case 1:
		return *(u8 *)field;
	case 4:
		return *(u32 *)field;
	default:
		return *(u64 *)field;
	}
}

static void set_field(struct migsim *m, const struct habit *h, u64 value)
{
	void *field = (void *)&m->habits + h->offset;

	switch (h->size) {
	case 1:
		*(u8 *)field = value;
		break;
	case 4:
		*(u32 *)field = value;
		break;
	default:
		*(u64 *)field = value;
	}
}

static ssize_t habit_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct habit *h = container_of(attr, struct habit, attr);
	struct migsim *m = dev_get_drvdata(dev);
	u64 value;

	migsim_lock(m);
	value = get_field(m, h);
	migsim_unlock(m);
	if (h->words)
		return sysfs_emit(buf, "%s\n", h->words[value]);
	return sysfs_emit(buf, h->base == 16 ? "%llx\n" : "%llu\n", value);
}

static int parse_habit(const struct habit *h, const char *buf, u64 *value)
{
	int ret;

	if (!h->words) {
		ret = kstrtou64(buf, h->base == 16 ? 16 : 0, value);
		return ret ?: *value < h->min || *value > h->max ? -EINVAL : 0;
	}
	ret = __sysfs_match_string(h->words, h->max + 1, buf);
	*value = ret;
	return ret < 0 ? ret : 0;
}

/* Takes @lock, if the device may be changed. */
static int begin_change(struct migsim *m)
{
	migsim_lock(m);
	if (!m->opened)
		return 0;
	migsim_unlock(m);
	return -EBUSY;
}

static void end_change(struct migsim *m)
{
	m->profile_changed = true;
	migsim_shape(m);
	migsim_unlock(m);
}

static ssize_t habit_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t count)
{
	const struct habit *h = container_of(attr, struct habit, attr);
	struct migsim *m = dev_get_drvdata(dev);
	u64 value;
	int ret = parse_habit(h, buf, &value) ?: begin_change(m);

	if (ret)
		return ret;
	set_field(m, h, value);
	end_change(m);
	return count;
}

#define HABIT(_name, _field, _min, _max, _words, _base)				\
	static struct habit habit_##_name = {					\
		.attr = __ATTR(_name, 0644, habit_show, habit_store),		\
		.offset = offsetof(struct migsim_habits, _field),		\
		.size = sizeof_field(struct migsim_habits, _field),		\
		.min = _min,							\
		.max = _max,							\
		.words = _words,						\
		.base = _base,							\
	}
#define NUMBER(name, max)	HABIT(name, name, 0, max, NULL, 10)
#define WORDS(name, field, ...)							\
	static const char *const words_##name[] = { __VA_ARGS__ };		\
	HABIT(name, field, 0, ARRAY_SIZE(words_##name) - 1, words_##name, 0)

/* A terabyte a second is nowhere near; more could overflow. */
#define RATE_MAX	(1ULL << 40)

HABIT(caps, caps, 0, 0xff, NULL, 16);
WORDS(data_size, data_size, "exact", "over", "none");
NUMBER(can_reset, 1);
NUMBER(reset_on_open, 1);
NUMBER(dma_logging, 1);
NUMBER(req_irq, 1);
NUMBER(dma_pattern, U32_MAX);
NUMBER(initial_bytes, MIGSIM_SIZE_MAX);
NUMBER(dirty_bytes, MIGSIM_SIZE_MAX);
NUMBER(dirty_rate, RATE_MAX);
WORDS(dirty_by, dirty_by_query, "read", "query");
NUMBER(query_interval, MIGSIM_TIME_MAX);
NUMBER(reinit_after, U32_MAX);
WORDS(precopy_end, precopy_end_zero, "enomsg", "zero");
NUMBER(read_max, U64_MAX);
NUMBER(write_max, U64_MAX);
NUMBER(prepare, MIGSIM_TIME_MAX);
NUMBER(poll, 1);
NUMBER(nonblock, 1);
WORDS(check, check_at_stop, "write", "stop");
NUMBER(detect_short, 1);
HABIT(v1_window, v1_window, 1, MIGSIM_V1_WINDOW_MAX, NULL, 10);
NUMBER(v1_mmap, 1);
NUMBER(v1_borders, 1);

/* --- habits of another form -------------------------------------------------------------- */

static ssize_t profile_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct migsim *m = dev_get_drvdata(dev);
	ssize_t ret;

	migsim_lock(m);
	ret = sysfs_emit(buf, "%s%s\n", m->profile, m->profile_changed ? "*" : "");
	migsim_unlock(m);
	return ret;
}

static ssize_t profile_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t count)
{
	struct migsim *m = dev_get_drvdata(dev);
	const char *name = migsim_profile_name(buf);
	int ret = name ? begin_change(m) : -EINVAL;

	if (ret)
		return ret;
	m->habits = *migsim_profile(name);
	m->state.size = m->habits.size;
	migsim_shape(m);
	m->profile = name;
	m->profile_changed = false;
	migsim_unlock(m);
	return count;
}
static DEVICE_ATTR_RW(profile);

static ssize_t pci_id_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct migsim *m = dev_get_drvdata(dev);
	const struct migsim_habits *h = &m->habits;
	ssize_t ret;

	migsim_lock(m);
	ret = sysfs_emit(buf, "%04x:%04x %04x:%04x %06x %02x\n", h->vendor, h->device,
			 h->subvendor, h->subdevice, h->class, h->revision);
	migsim_unlock(m);
	return ret;
}

static ssize_t pci_id_store(struct device *dev, struct device_attribute *attr, const char *buf,
			    size_t count)
{
	unsigned int vendor, device, subvendor, subdevice, class, revision;
	struct migsim *m = dev_get_drvdata(dev);
	struct migsim_habits *h = &m->habits;
	int end = 0, ret;

	if (sscanf(buf, "%8x:%8x %8x:%8x %8x %8x%n", &vendor, &device, &subvendor, &subdevice,
		   &class, &revision, &end) != 6 || !sysfs_streq(buf + end, ""))
		return -EINVAL;
	if (max(max(vendor, device), max(subvendor, subdevice)) > 0xffff || class > 0xffffff ||
	    revision > 0xff)
		return -EINVAL;
	ret = begin_change(m);
	if (ret)
		return ret;
	h->vendor = vendor;
	h->device = device;
	h->subvendor = subvendor;
	h->subdevice = subdevice;
	h->class = class;
	h->revision = revision;
	end_change(m);
	return count;
}
static DEVICE_ATTR_RW(pci_id);

static ssize_t bad_errno_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct migsim *m = dev_get_drvdata(dev);
	int at;

	migsim_lock(m);
	at = migsim_errno_emit(buf, 0, m->habits.bad_errno);
	migsim_unlock(m);
	return at + sysfs_emit_at(buf, at, "\n");
}

static ssize_t bad_errno_store(struct device *dev, struct device_attribute *attr, const char *buf,
			       size_t count)
{
	struct migsim *m = dev_get_drvdata(dev);
	int code = migsim_errno_parse(buf), ret;

	if (code < 0)
		return code;
	ret = begin_change(m);
	if (ret)
		return ret;
	m->habits.bad_errno = code;
	end_change(m);
	return count;
}
static DEVICE_ATTR_RW(bad_errno);

static ssize_t page_requests_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct migsim *m = dev_get_drvdata(dev);
	ssize_t ret;

	migsim_lock(m);
	ret = sysfs_emit(buf, "%lld\n", m->habits.page_requests);
	migsim_unlock(m);
	return ret;
}

static ssize_t page_requests_store(struct device *dev, struct device_attribute *attr,
				   const char *buf, size_t count)
{
	struct migsim *m = dev_get_drvdata(dev);
	s64 requests;
	int ret = kstrtos64(buf, 0, &requests);

	if (ret || requests < -1)
		return -EINVAL;
	ret = begin_change(m);
	if (ret)
		return ret;
	m->habits.page_requests = requests;
	end_change(m);
	return count;
}
static DEVICE_ATTR_RW(page_requests);

static ssize_t delay_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct migsim *m = dev_get_drvdata(dev);
	unsigned int from, to;
	int at = 0;

	migsim_lock(m);
	for (from = 0; from < MIGSIM_STATES; from++)
		for (to = 0; to < MIGSIM_STATES; to++)
			if (m->habits.delay[from][to])
				at += sysfs_emit_at(buf, at, "%s %s %u\n", states[from],
						    states[to], m->habits.delay[from][to]);
	migsim_unlock(m);
	return at;
}

static ssize_t delay_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t count)
{
	struct migsim *m = dev_get_drvdata(dev);
	enum vfio_device_mig_state from, to;
	char from_name[16], to_name[16];
	unsigned int ms;
	int end = 0, ret;

	if (sscanf(buf, "%15s %15s %9u%n", from_name, to_name, &ms, &end) != 3 ||
	    !sysfs_streq(buf + end, "") || ms > MIGSIM_TIME_MAX ||
	    migsim_state_parse(from_name, &from) || migsim_state_parse(to_name, &to))
		return -EINVAL;
	ret = begin_change(m);
	if (ret)
		return ret;
	m->habits.delay[from][to] = ms;
	end_change(m);
	return count;
}
static DEVICE_ATTR_RW(delay);

/* --- what the device holds: also while it is open ---------------------------------------- */

#define HELD(_name, _format, _value)						\
	static ssize_t _name##_show(struct device *dev, struct device_attribute *attr, char *buf) \
	{									\
		struct migsim *m = dev_get_drvdata(dev);			\
		ssize_t ret;							\
										\
		migsim_lock(m);						\
		ret = sysfs_emit(buf, _format "\n", _value);			\
		migsim_unlock(m);						\
		return ret;							\
	}

HELD(counter, "%llu", migsim_counter(m))
static DEVICE_ATTR_RO(counter);
HELD(digest, "%016llx", migsim_digest(m))
static DEVICE_ATTR_RO(digest);
HELD(state, "%s", migsim_state_name(m->mig_state))
static DEVICE_ATTR_RO(state);
HELD(opens, "%u", m->opens)
static DEVICE_ATTR_RO(opens);
HELD(resets, "%u", m->resets)
static DEVICE_ATTR_RO(resets);
HELD(precopy_v2, "%d", migsim_precopy_v2(&m->vdev))
static DEVICE_ATTR_RO(precopy_v2);
HELD(hits, "%llu", m->hits)
static DEVICE_ATTR_RO(hits);

HELD(seed, "%llu", m->state.seed)
static ssize_t seed_store(struct device *dev, struct device_attribute *attr, const char *buf,
			  size_t count)
{
	struct migsim *m = dev_get_drvdata(dev);
	u64 seed;
	int ret = kstrtou64(buf, 0, &seed);

	if (ret)
		return ret;
	migsim_lock(m);
	m->state.seed = seed;
	migsim_unlock(m);
	return count;
}
static DEVICE_ATTR_RW(seed);

HELD(size, "%llu", m->state.size)
static ssize_t size_store(struct device *dev, struct device_attribute *attr, const char *buf,
			  size_t count)
{
	struct migsim *m = dev_get_drvdata(dev);
	u64 size;
	int ret = kstrtou64(buf, 0, &size);

	if (ret || size > MIGSIM_SIZE_MAX)
		return -EINVAL;
	migsim_lock(m);
	m->state.size = size;
	m->habits.size = size;
	m->profile_changed = true;
	migsim_unlock(m);
	return count;
}
static DEVICE_ATTR_RW(size);

/* --- faults ------------------------------------------------------------------------------ */

static ssize_t fault_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return migsim_fault_show(dev_get_drvdata(dev), buf);
}

static ssize_t fault_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t count)
{
	return migsim_fault_arm(dev_get_drvdata(dev), buf) ?: count;
}
static DEVICE_ATTR_RW(fault);

static ssize_t deviation_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return migsim_deviation_show(dev_get_drvdata(dev), buf);
}

static ssize_t deviation_store(struct device *dev, struct device_attribute *attr, const char *buf,
			       size_t count)
{
	return migsim_deviation_store(dev_get_drvdata(dev), buf) ?: count;
}
static DEVICE_ATTR_RW(deviation);

static ssize_t release_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t count)
{
	struct migsim *m = dev_get_drvdata(dev);

	migsim_lock(m);
	WRITE_ONCE(m->releases, m->releases + 1);
	migsim_unlock(m);
	wake_up_all(&m->released);
	return count;
}
static DEVICE_ATTR_WO(release);

static ssize_t bus_error_store(struct device *dev, struct device_attribute *attr, const char *buf,
			       size_t count)
{
	struct migsim *m = dev_get_drvdata(dev);
	bool heard;

	migsim_lock(m);
	heard = migsim_notice(m, VFIO_PCI_ERR_IRQ_INDEX);
	migsim_unlock(m);
	return heard ? count : -ENXIO;
}
static DEVICE_ATTR_WO(bus_error);

/* --- all of them ------------------------------------------------------------------------- */

static struct attribute *attrs[] = {
	&dev_attr_seed.attr,
	&dev_attr_size.attr,
	&dev_attr_counter.attr,
	&dev_attr_digest.attr,
	&dev_attr_state.attr,
	&dev_attr_opens.attr,
	&dev_attr_resets.attr,
	&dev_attr_precopy_v2.attr,
	&dev_attr_profile.attr,
	&habit_caps.attr.attr,
	&dev_attr_pci_id.attr,
	&habit_data_size.attr.attr,
	&habit_can_reset.attr.attr,
	&habit_reset_on_open.attr.attr,
	&habit_dma_logging.attr.attr,
	&habit_dma_pattern.attr.attr,
	&habit_req_irq.attr.attr,
	&habit_initial_bytes.attr.attr,
	&habit_dirty_bytes.attr.attr,
	&habit_dirty_rate.attr.attr,
	&habit_dirty_by.attr.attr,
	&habit_query_interval.attr.attr,
	&habit_reinit_after.attr.attr,
	&habit_precopy_end.attr.attr,
	&habit_read_max.attr.attr,
	&habit_write_max.attr.attr,
	&habit_prepare.attr.attr,
	&habit_poll.attr.attr,
	&habit_nonblock.attr.attr,
	&habit_check.attr.attr,
	&habit_detect_short.attr.attr,
	&dev_attr_bad_errno.attr,
	&dev_attr_delay.attr,
	&habit_v1_window.attr.attr,
	&habit_v1_mmap.attr.attr,
	&habit_v1_borders.attr.attr,
	&dev_attr_page_requests.attr,
	&dev_attr_fault.attr,
	&dev_attr_hits.attr,
	&dev_attr_deviation.attr,
	&dev_attr_release.attr,
	&dev_attr_bus_error.attr,
	NULL
};

/* A real device has its own identity, resets and DMA. */
static const struct attribute *const made_up_attrs[] = {
	&habit_can_reset.attr.attr,
	&habit_reset_on_open.attr.attr,
	&dev_attr_pci_id.attr,
	&habit_dma_pattern.attr.attr,
	&habit_req_irq.attr.attr,
	&habit_v1_window.attr.attr,
	&habit_v1_mmap.attr.attr,
	&habit_v1_borders.attr.attr,
};

static umode_t is_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(made_up_attrs); i++)
		if (attr == made_up_attrs[i])
			return migsim_made_up ? attr->mode : 0;
	return attr->mode;
}

static const struct attribute_group group = {
	.name = "migsim",
	.attrs = attrs,
	.is_visible = is_visible,
};

const struct attribute_group *migsim_dev_groups[] = { &group, NULL };
