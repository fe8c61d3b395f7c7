// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration region as the uAPI had it until Linux 5.17: registers that are always trapped, then
 * a data section. Reading a register has effects, so the order of reads is part of the protocol,
 * and v1_step is where in it the user is.
 */

#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "migsim.h"

#define V1_RUNNING	BIT(0)
#define V1_SAVING	BIT(1)
#define V1_RESUMING	BIT(2)

#define V1_DEVICE_STATE		0
#define V1_PENDING_BYTES	8
#define V1_DATA_OFFSET		16
#define V1_DATA_SIZE		24
#define V1_REGISTERS		32

/* What a chunk is overwritten with once it was taken: who reads late must not get away with it. */
#define V1_POISON	0xa5

enum v1_step {
	V1_START,	/* pending_bytes is next; resuming: data_offset */
	V1_NOTHING,	/* pending_bytes said 0 */
	V1_PENDING,	/* pending_bytes said more: data_offset is next */
	V1_CHUNK,	/* a chunk is in the data section */
	V1_PLACE,	/* resuming: data_offset was read */
};

/* With v1_borders, what each chunk begins with: the loading device wants back what was saved. */
struct v1_border {
	__le64 number;
	__le32 magic;
	__le32 size;	/* of what follows */
};

#define V1_BORDER_MAGIC	0x6b6e6863	/* "chnk" */

/* By value of device_state; those that are not here cannot be written. */
static const enum vfio_device_mig_state v1_states[] = {
	[0]			= VFIO_DEVICE_STATE_STOP,
	[V1_RUNNING]		= VFIO_DEVICE_STATE_RUNNING,
	[V1_SAVING]		= VFIO_DEVICE_STATE_STOP_COPY,
	[V1_SAVING | V1_RUNNING] = VFIO_DEVICE_STATE_PRE_COPY,
	[V1_RESUMING]		= VFIO_DEVICE_STATE_RESUMING,
};

static u32 v1_bits(const struct migsim *m)
{
	for (u32 bits = 0; bits < ARRAY_SIZE(v1_states); bits++)
		if (v1_states[bits] == m->mig_state)
			return bits;
	return V1_SAVING | V1_RESUMING;
}

static bool v1_saves(enum vfio_device_mig_state state)
{
	return state == VFIO_DEVICE_STATE_STOP_COPY || state == VFIO_DEVICE_STATE_PRE_COPY;
}

/* --- sessions ---------------------------------------------------------------------------- */

static u64 v1_border_size(const struct migsim *m)
{
	return m->habits.v1_borders ? sizeof(struct v1_border) : 0;
}

static void v1_drop_chunk(struct migsim *m)
{
	if (m->v1_step == V1_CHUNK)
		memset(m->v1_page, V1_POISON, m->v1_chunk);
	m->v1_chunk = 0;
	m->v1_taken = 0;
	m->v1_step = V1_START;
	m->v1_epoch++;
}

static void v1_end(struct migsim *m)
{
	v1_drop_chunk(m);
	m->v1_chunks = 0;
}

/* @fresh: there is no session that goes on. */
static void v1_begin(struct migsim *m, enum vfio_device_mig_state state, bool fresh)
{
	if (fresh)
		v1_end(m);
	if (fresh && v1_saves(state))
		migsim_saver_start(m, &m->saver);
	if (state == VFIO_DEVICE_STATE_STOP_COPY)
		migsim_saver_final(m, &m->saver);
	if (state == VFIO_DEVICE_STATE_RESUMING)
		migsim_loader_start(m, &m->loader);
}

static void v1_enter(struct migsim *m, enum vfio_device_mig_state state)
{
	m->v1_epoch++;
	migsim_set(m, state);
}

/* For after @lock was dropped: who else used the device meanwhile? */
static int v1_unchanged(const struct migsim *m, unsigned int epoch,
			enum vfio_device_mig_state state)
{
	return m->v1_epoch == epoch && m->mig_state == state ? 0 : -ENODEV;
}

static int v1_stall(struct migsim *m, enum migsim_fault_kind kind, u64 done)
{
	enum vfio_device_mig_state state = m->mig_state;
	unsigned int epoch = m->v1_epoch;
	struct migsim_fault fault;
	int err;

	if (!migsim_fault_take(m, kind, done, &fault))
		return 0;
	err = migsim_stall_io(m);
	return err ?: v1_unchanged(m, epoch, state);
}

/* --- device_state ------------------------------------------------------------------------ */

/* In this order whatever the bits are: quiesce, deserialize, serialize, unfreeze. */
static int v1_change(struct migsim *m, enum vfio_device_mig_state to)
{
	enum vfio_device_mig_state from = m->mig_state;
	int err;

	if (migsim_runs(from) && !migsim_runs(to))
		v1_enter(m, VFIO_DEVICE_STATE_STOP);
	if (from == VFIO_DEVICE_STATE_RESUMING) {
		err = migsim_loader_finish(m, &m->loader);
		if (err) {
			migsim_error(m);
			return err;
		}
	}
	v1_begin(m, to, !(v1_saves(from) && v1_saves(to)));
	v1_enter(m, to);
	return 0;
}

/* What comes before an arc is taken. */
static int v1_approach(struct migsim *m, enum vfio_device_mig_state from,
		       enum vfio_device_mig_state to)
{
	unsigned int epoch = m->v1_epoch;
	struct migsim_fault fault;
	int err;

	if (migsim_runs(from) && !migsim_runs(to) && m->habits.page_requests) {
		if (m->habits.page_requests > 0)
			m->habits.page_requests--;
		return -EBUSY;
	}
	if (migsim_fault_arc(m, MIGSIM_FAULT_STALL_ARC, from, to, &fault)) {
		err = migsim_stall(m);
		if (err)
			return err;
	}
	migsim_delay(m, from, to);
	return v1_unchanged(m, epoch, from);
}

static int v1_arc(struct migsim *m, enum vfio_device_mig_state from,
		  enum vfio_device_mig_state to)
{
	struct migsim_fault fault;
	bool faulty;
	int err;

	err = v1_approach(m, from, to);
	if (err)
		return err;
	faulty = migsim_fault_arc(m, MIGSIM_FAULT_ARC, from, to, &fault);
	if (faulty && fault.end == MIGSIM_ARC_STAY)
		return -fault.code;
	if (faulty && fault.end == MIGSIM_ARC_ERROR) {
		migsim_error(m);
		return -fault.code;
	}
	err = v1_change(m, to);
	return !err && faulty ? -fault.code : err;
}

static int v1_write_state(struct migsim *m, u32 bits)
{
	enum vfio_device_mig_state from = m->mig_state, to;

	if (from == VFIO_DEVICE_STATE_ERROR) {
		migsim_misuse(m, "device_state written in ERROR, not reset");
		return -EIO;
	}
	if (bits >= ARRAY_SIZE(v1_states))
		return -EINVAL;
	to = v1_states[bits];
	if (from == to)
		return 0;
	/* The final contents cannot be taken back; as in v2. */
	if (from == VFIO_DEVICE_STATE_STOP_COPY && to == VFIO_DEVICE_STATE_PRE_COPY)
		return -EINVAL;
	return v1_arc(m, from, to);
}

static int v1_read_state(struct migsim *m, u64 *ret)
{
	struct migsim_fault fault;

	if (migsim_fault_take(m, MIGSIM_FAULT_GET, 0, &fault))
		return -fault.code;
	*ret = v1_bits(m);
	return 0;
}

/* --- saving ------------------------------------------------------------------------------ */

static u64 v1_read_pending(struct migsim *m)
{
	struct migsim_saver *s = &m->saver;
	struct migsim_fault fault;
	u64 pending, unused;
	bool reinit;

	if (m->v1_step == V1_CHUNK) {
		if (!m->habits.v1_mmap && m->v1_taken < m->v1_chunk)
			migsim_misuse(m, "pending_bytes read when %llu bytes of a chunk were not",
				      m->v1_chunk - m->v1_taken);
		v1_drop_chunk(m);
	}
	if (migsim_fault_take(m, MIGSIM_FAULT_END, s->done, &fault))
		s->cut = true;
	/* This protocol has no other query; but a repeated read must have no effect. */
	if (m->mig_state == VFIO_DEVICE_STATE_PRE_COPY && m->v1_step != V1_PENDING)
		migsim_saver_query(m, s, &unused, &unused, false, &reinit);
	pending = migsim_saver_pending(m, s);
	m->v1_step = pending ? V1_PENDING : V1_NOTHING;
	return pending;
}

static int v1_wait_ready(struct migsim *m)
{
	enum vfio_device_mig_state state = m->mig_state;
	unsigned int epoch = m->v1_epoch;
	u64 ready = m->saver.ready_at;
	u64 now = ktime_get_ns();

	if (now >= ready)
		return 0;
	migsim_unlock(m);
	for (; now < ready && !fatal_signal_pending(current); now = ktime_get_ns())
		schedule_timeout_killable(nsecs_to_jiffies(ready - now) + 1);
	migsim_lock(m);
	return now < ready ? -ERESTARTSYS : v1_unchanged(m, epoch, state);
}

static int v1_saving_faults(struct migsim *m)
{
	struct migsim_saver *s = &m->saver;
	struct migsim_fault fault;
	int err;

	err = v1_stall(m, MIGSIM_FAULT_STALL_READ, s->done);
	if (err)
		return err;
	if (migsim_fault_take(m, MIGSIM_FAULT_READ_ERROR, s->done, &fault)) {
		migsim_error(m);
		return -EIO;
	}
	if (migsim_fault_take(m, MIGSIM_FAULT_READ, s->done, &fault))
		return -fault.code;
	if (migsim_fault_take(m, MIGSIM_FAULT_END, s->done, &fault))
		s->cut = true;
	return 0;
}

/* How much the next chunk holds at most: it ends where a fault is to fire. */
static u64 v1_chunk_limit(struct migsim *m)
{
	static const enum migsim_fault_kind kinds[] = {
		MIGSIM_FAULT_READ, MIGSIM_FAULT_READ_ERROR, MIGSIM_FAULT_END, MIGSIM_FAULT_EMPTY,
		MIGSIM_FAULT_STALL_READ,
	};
	u64 limit = m->v1_window - v1_border_size(m), done = m->saver.done;

	if (m->habits.read_max)
		limit = min(limit, m->habits.read_max);
	/* Chunks of all sizes, so that none is as it was saved by accident. */
	if (m->habits.v1_borders)
		limit = 1 + hash_64(m->v1_chunks, 32) % (u32)limit;
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
		limit = min(limit, migsim_fault_next(m, kinds[i], done) - done);
	return limit;
}

static void v1_fill(struct migsim *m)
{
	struct v1_border border = {};
	u64 begin = v1_border_size(m);
	size_t size;

	size = migsim_saver_read(m, &m->saver, m->v1_page + begin, v1_chunk_limit(m));
	if (!size)
		return;
	m->v1_chunk = begin + size;
	if (begin) {
		border.number = cpu_to_le64(m->v1_chunks);
		border.magic = cpu_to_le32(V1_BORDER_MAGIC);
		border.size = cpu_to_le32(size);
		memcpy(m->v1_page, &border, sizeof(border));
	}
	m->v1_chunks++;
}

static int v1_make_chunk(struct migsim *m)
{
	struct migsim_fault fault;
	int err;

	err = v1_saving_faults(m);
	if (!err)
		err = v1_wait_ready(m);
	if (err)
		return err;
	v1_drop_chunk(m);
	if (!m->saver.cut &&
	    !migsim_fault_take(m, MIGSIM_FAULT_EMPTY, m->saver.done, &fault))
		v1_fill(m);
	m->v1_step = V1_CHUNK;
	return 0;
}

static int v1_read_offset(struct migsim *m, u64 *ret)
{
	int err = 0;

	*ret = 0;
	if (m->mig_state == VFIO_DEVICE_STATE_RESUMING) {
		m->v1_step = V1_PLACE;
	} else if (!v1_saves(m->mig_state)) {
		migsim_misuse(m, "data_offset read while neither saving nor resuming");
		return 0;
	} else if (m->v1_step != V1_CHUNK) {
		if (m->v1_step == V1_START)
			migsim_misuse(m, "data_offset read before pending_bytes");
		else if (m->v1_step == V1_NOTHING)
			migsim_misuse(m, "data_offset read though pending_bytes was 0");
		err = v1_make_chunk(m);
	}
	if (!err)
		*ret = MIGSIM_V1_DATA;
	return err;
}

static u64 v1_read_size(struct migsim *m)
{
	if (!v1_saves(m->mig_state))
		migsim_misuse(m, "data_size read while not saving");
	else if (m->v1_step == V1_PENDING)
		migsim_misuse(m, "data_size read before data_offset");
	else if (m->v1_step != V1_CHUNK)
		migsim_misuse(m, "data_size read before pending_bytes");
	return m->v1_step == V1_CHUNK ? m->v1_chunk : 0;
}

/* --- resuming ---------------------------------------------------------------------------- */

static int v1_resuming_faults(struct migsim *m, u64 size)
{
	/* A chunk is taken whole or not at all. */
	u64 last = m->loader.done + size - 1;
	struct migsim_fault fault;
	int err;

	err = v1_stall(m, MIGSIM_FAULT_STALL_WRITE, last);
	if (err)
		return err;
	if (migsim_fault_take(m, MIGSIM_FAULT_WRITE_ERROR, last, &fault)) {
		migsim_error(m);
		return -EIO;
	}
	return migsim_fault_take(m, MIGSIM_FAULT_WRITE, last, &fault) ? -fault.code : 0;
}

/* A copy of the border: the section may be mapped, and change at any time. */
static bool v1_border_kept(const struct migsim *m, u64 size)
{
	struct v1_border border;

	if (size <= sizeof(border))
		return false;
	memcpy(&border, m->v1_page, sizeof(border));
	return le32_to_cpu(border.magic) == V1_BORDER_MAGIC &&
	       le64_to_cpu(border.number) == m->v1_chunks &&
	       le32_to_cpu(border.size) == size - sizeof(border);
}

static int v1_load(struct migsim *m, u64 size)
{
	struct migsim_loader *l = &m->loader;
	u64 begin = v1_border_size(m);

	if (begin && !v1_border_kept(m, size)) {
		l->bad = m->habits.bad_errno;
		return m->habits.check_at_stop ? 0 : -l->bad;
	}
	return migsim_loader_write(m, l, m->v1_page + begin, size - begin);
}

static int v1_write_size(struct migsim *m, u64 size)
{
	int err;

	if (m->mig_state != VFIO_DEVICE_STATE_RESUMING) {
		migsim_misuse(m, "data_size written while not resuming");
		return -EINVAL;
	}
	if (!size || size > m->v1_window)
		return -EINVAL;
	if (m->v1_step != V1_PLACE)
		migsim_misuse(m, "data_size written before data_offset was read");
	err = v1_resuming_faults(m, max(size, v1_border_size(m) + 1) - v1_border_size(m));
	if (err)
		return err;
	err = v1_load(m, size);
	v1_drop_chunk(m);
	m->v1_chunks++;
	return err;
}

/* --- accesses ---------------------------------------------------------------------------- */

static int v1_read_register(struct migsim *m, u64 at, u64 *ret)
{
	bool failed = m->mig_state == VFIO_DEVICE_STATE_ERROR;

	*ret = 0;
	if (at == V1_DEVICE_STATE)
		return v1_read_state(m, ret);
	/* The uAPI's way to end a user's loop. */
	if (failed)
		return -EIO;
	switch (at) {
	case V1_PENDING_BYTES:
		if (v1_saves(m->mig_state))
			*ret = v1_read_pending(m);
		return 0;
	case V1_DATA_OFFSET:
		return v1_read_offset(m, ret);
	default:
		*ret = v1_read_size(m);
		return 0;
	}
}

/* Of 8 bytes or of one half: reading both halves has the effect of reading once. */
static ssize_t v1_read_registers(struct migsim *m, char __user *buf, size_t count, u64 at)
{
	__le64 raw;
	u64 value;
	int err;

	if ((count != 4 && count != 8) || at % count || at >= V1_REGISTERS)
		return -EINVAL;
	migsim_lock(m);
	err = v1_read_register(m, round_down(at, 8), &value);
	migsim_unlock(m);
	if (err)
		return err;
	raw = cpu_to_le64(value >> (8 * (at % 8)));
	return copy_to_user(buf, &raw, count) ? -EFAULT : count;
}

static int v1_write_register(struct migsim *m, u64 at, u64 value)
{
	int err;

	if (mutex_lock_interruptible(&m->transition))
		return -EINTR;
	migsim_lock(m);
	if (at == V1_DEVICE_STATE)
		err = v1_write_state(m, value);
	else
		err = v1_write_size(m, value);
	migsim_unlock(m);
	mutex_unlock(&m->transition);
	return err;
}

static ssize_t v1_write_registers(struct migsim *m, const char __user *buf, size_t count, u64 at)
{
	__le64 raw = 0;
	int err;

	if (!(at == V1_DEVICE_STATE && count == 4) && !(at == V1_DATA_SIZE && count == 8))
		return -EINVAL;
	if (copy_from_user(&raw, buf, count))
		return -EFAULT;
	err = v1_write_register(m, at, le64_to_cpu(raw));
	return err ?: count;
}

static bool v1_in_section(const struct migsim *m, u64 offset, size_t count)
{
	return offset <= m->v1_window && count <= m->v1_window - offset;
}

/* Counted, not noted byte by byte: who reads a part twice may not be noticed. */
static void v1_count_taken(struct migsim *m, u64 offset, size_t count)
{
	if (m->v1_step != V1_CHUNK) {
		migsim_misuse(m, "data read before data_offset");
		return;
	}
	if (offset < m->v1_chunk)
		m->v1_taken = min(m->v1_chunk, m->v1_taken + min(m->v1_chunk - offset, (u64)count));
}

ssize_t migsim_v1_read(struct migsim *m, char __user *buf, size_t count, u64 at)
{
	if (at < MIGSIM_V1_DATA)
		return v1_read_registers(m, buf, count, at);
	at -= MIGSIM_V1_DATA;
	if (!v1_in_section(m, at, count))
		return -EINVAL;
	migsim_lock(m);
	v1_count_taken(m, at, count);
	migsim_unlock(m);
	return copy_to_user(buf, m->v1_page + at, count) ? -EFAULT : count;
}

ssize_t migsim_v1_write(struct migsim *m, const char __user *buf, size_t count, u64 at)
{
	bool resuming;

	if (at < MIGSIM_V1_DATA)
		return v1_write_registers(m, buf, count, at);
	at -= MIGSIM_V1_DATA;
	if (!v1_in_section(m, at, count))
		return -EINVAL;
	migsim_lock(m);
	resuming = m->mig_state == VFIO_DEVICE_STATE_RESUMING;
	if (!resuming)
		migsim_misuse(m, "data written while not resuming");
	else if (m->v1_step != V1_PLACE)
		migsim_misuse(m, "data written before data_offset was read");
	migsim_unlock(m);
	if (!resuming)
		return -EINVAL;
	return copy_from_user(m->v1_page + at, buf, count) ? -EFAULT : count;
}

int migsim_v1_mmap(struct migsim *m, struct vm_area_struct *vma)
{
	u64 begin = ((u64)vma->vm_pgoff << PAGE_SHIFT) & (BIT_ULL(MIGSIM_OFFSET_SHIFT) - 1);

	if (!m->habits.v1_mmap || !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (begin < MIGSIM_V1_DATA ||
	    !v1_in_section(m, begin - MIGSIM_V1_DATA, vma->vm_end - vma->vm_start))
		return -EINVAL;
	return remap_vmalloc_range(vma, m->v1_page, (begin - MIGSIM_V1_DATA) >> PAGE_SHIFT);
}

/* --- the region -------------------------------------------------------------------------- */

static int v1_add_sparse(struct migsim *m, struct vfio_info_cap *caps)
{
	DEFINE_RAW_FLEX(struct vfio_region_info_cap_sparse_mmap, sparse, areas, 1);

	sparse->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	sparse->header.version = 1;
	sparse->nr_areas = 1;
	sparse->areas[0].offset = MIGSIM_V1_DATA;
	sparse->areas[0].size = m->v1_window;
	return vfio_info_add_capability(caps, &sparse->header, struct_size(sparse, areas, 1));
}

int migsim_v1_region_info(struct migsim *m, struct vfio_region_info *info,
			  struct vfio_info_cap *caps)
{
	struct vfio_region_info_cap_type type = {
		.header = { .id = VFIO_REGION_INFO_CAP_TYPE, .version = 1 },
		.type = VFIO_REGION_TYPE_MIGRATION_DEPRECATED,
		.subtype = VFIO_REGION_SUBTYPE_MIGRATION_DEPRECATED,
	};
	int err;

	info->offset = (u64)MIGSIM_V1_INDEX << MIGSIM_OFFSET_SHIFT;
	info->size = MIGSIM_V1_DATA + m->v1_window;
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	err = vfio_info_add_capability(caps, &type.header, sizeof(type));
	if (err || !m->habits.v1_mmap)
		return err;
	info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return v1_add_sparse(m, caps);
}

int migsim_v1_open(struct migsim *m)
{
	u64 window = m->habits.v1_window;

	/* Only whole pages can be mapped. */
	if (m->habits.v1_mmap)
		window = PAGE_ALIGN(window);
	if (window <= v1_border_size(m) || window > MIGSIM_V1_WINDOW_MAX)
		return -EINVAL;
	m->v1_page = vmalloc_user(PAGE_ALIGN(window));
	if (!m->v1_page)
		return -ENOMEM;
	m->v1_window = window;
	/* A state that outlived a close (reset_on_open 0) did so without its session. */
	v1_begin(m, m->mig_state, true);
	return 0;
}

void migsim_v1_close(struct migsim *m)
{
	v1_end(m);
	vfree(m->v1_page);
	m->v1_page = NULL;
	m->v1_window = 0;
}

void migsim_v1_reset(struct migsim *m)
{
	v1_end(m);
}
