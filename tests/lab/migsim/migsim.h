/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MIGSIM_H
#define MIGSIM_H

/*
 * migsim: see README.md for what it does; here is how it hangs together.
 *
 *	core.c		module, mdev types, open and close, dispatch of VFIO calls
 *	attrs.c		sysfs: what README.md lists
 *	profile.c	sets of habits, one row a driver
 *	fault.c		the list of armed faults
 *	contents.c	bytes as a function of a seed; the digest; the counter
 *	record.c	the stream, made and checked: the same for v2 and v1
 *	v2.c		feature ioctls: states, arcs, data fds
 *	v1.c		the migration region
 *	pci.c		configuration space, BAR0
 *	irq.c		interrupts
 *	dma-log.c	device DMA logging
 *	lock.c		@lock, and resets that cannot wait for it
 *	compat.h	where kernels differ
 *
 * ../migsim-pci, a driver of real PCI functions, has the same v2.c, record.c, contents.c, fault.c,
 * attrs.c, profile.c and lock.c; core.c, and what a device consists of, are its own.
 *
 * Locks: @transition, then @lock. @lock is the device's state, taken by everything but the sysfs
 * attributes' parsing. It is never held while a call sleeps on behalf of a stall or a delay, but
 * it is over copies from and to the user: so nothing that runs under mmap_lock (mmap, faults) may
 * take it. @transition makes one SET wait for another that stalls.
 */

#include <linux/list.h>
#include <linux/mdev.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <linux/vfio_pci_core.h>
#include <linux/wait.h>

#include "compat.h"

struct eventfd_ctx;
struct migsim_file;
struct migsim_log;
struct migsim;

#define MIGSIM_SIZE_MAX		(8ULL << 30)
#define MIGSIM_CONFIG_SIZE	256
#define MIGSIM_BAR0_SIZE	4096
#define MIGSIM_MSIX_VECTORS	8
#define MIGSIM_STATES		(VFIO_DEVICE_STATE_PRE_COPY_P2P + 1)

/* Region of index I starts at I << 40 of the device fd. The v1 region comes after the PCI ones. */
#define MIGSIM_OFFSET_SHIFT	40
#define MIGSIM_V1_INDEX		VFIO_PCI_NUM_REGIONS
#define MIGSIM_V1_DATA		4096
#define MIGSIM_V1_WINDOW_MAX	(64ULL << 20)

enum migsim_data_size { MIGSIM_SIZE_EXACT, MIGSIM_SIZE_OVER, MIGSIM_SIZE_NONE };

#define MIGSIM_RECORD		64	/* bytes of a record's header */
#define MIGSIM_TIME_MAX		3600000	/* ms that any attribute may ask for */

/* Bytes of registers that a device may have. */
#define MIGSIM_REGISTERS_MAX	256

enum migsim_kind { MIGSIM_INITIAL = 1, MIGSIM_DIRTY, MIGSIM_FINAL, MIGSIM_REGISTERS };

/* What a profile sets; each field is an attribute of the same name. */
struct migsim_habits {
	u64 size;			/* of the contents after a reset */
	u16 vendor, device, subvendor, subdevice;
	u32 class;
	u8 revision;
	unsigned int caps;
	enum migsim_data_size data_size;
	bool can_reset, reset_on_open, dma_logging, req_irq;
	unsigned int dma_pattern;
	u64 initial_bytes, dirty_bytes, dirty_rate;
	bool dirty_by_query;
	unsigned int query_interval;	/* ms */
	unsigned int reinit_after;
	bool precopy_end_zero;
	u64 read_max, write_max;
	unsigned int prepare;		/* ms */
	bool poll, nonblock;
	bool check_at_stop, detect_short;
	int bad_errno;			/* positive */
	u64 v1_window;
	bool v1_mmap, v1_borders;
	s64 page_requests;
	unsigned int delay[MIGSIM_STATES][MIGSIM_STATES];	/* ms */
};

/* What the device holds. */
struct migsim_state {
	u64 seed, size, counter;
};

/*
 * record.c: one session's stream, without fd or lock. The caller holds migsim.lock.
 */

/* The saving side: what is still to be read, in order. */
struct migsim_saver {
	u64 done;		/* bytes of the session that were read */
	u64 done_running;	/* of them in PRE_COPY */
	u64 offset;		/* place in the contents of the record under way */
	u64 length, length_done;
	u8 header[MIGSIM_RECORD];
	unsigned int header_done;
	enum migsim_kind kind;	/* of the record under way */
	u64 seed;		/* and its contents: the device's may change meanwhile */
	bool in_record;
	bool stopped;		/* STOP_COPY: no more initial and dirty records */
	u8 registers[MIGSIM_REGISTERS_MAX];	/* as they were then */
	size_t registers_len;
	bool registers_made;	/* their record has been begun, or there are none */
	bool final_made;	/* the final record has been begun */
	u64 place;		/* in the contents, of the next dirty record */
	u64 initial_left, dirty_left;	/* contents not yet in a record; PRE_COPY */
	u64 dirty_pending;	/* dirtied, to become dirty_left by a query */
	u64 dirty_since;	/* the counter, up to which dirty_rate is accounted for */
	u64 query_next;		/* ns: before it a query says nothing new */
	u64 ready_at;		/* ns: STOP_COPY's contents can be read from then on */
	unsigned int queries;
	bool reinit_done;
	bool cut;		/* a fault ended the stream */
};

/* The loading side. */
struct migsim_loader {
	u64 done;
	u8 header[MIGSIM_RECORD];
	unsigned int header_done;
	u64 seed;		/* of the record under way */
	u64 left;		/* contents of the record under way that are still to come */
	u64 offset;		/* and where they belong */
	struct migsim_state incoming;	/* of the final record */
	enum migsim_kind kind;	/* of the record under way */
	u8 registers[MIGSIM_REGISTERS_MAX];
	size_t registers_len;
	bool final_begun, complete;
	bool beyond;		/* a header spoke of contents that are not there */
	int bad;		/* positive errno since the first wrong byte, or 0 */
};

struct migsim {
	/* First, as the drivers' data of both kinds of device is a pointer to it. */
	union {
		struct vfio_device vdev;
		struct vfio_pci_core_device core;	/* migsim-pci */
	};
	char name[40];			/* UUID or PCI address; data fds may outlive the device */
	bool v1;

	struct mutex transition;
	struct mutex lock;
	spinlock_t reset_lock;
	bool reset_due;			/* by who has @lock, before it lets go */
	struct migsim_habits habits;
	const char *profile;
	bool profile_changed;
	struct migsim_state state;	/* counter: without the time since @running_since */
	u64 running_since;		/* ns, 0 while it does not run */
	enum vfio_device_mig_state mig_state;	/* v1: what device_state stands for */
	unsigned int opens, resets;	/* resets: those somebody asked for */
	bool opened;
	u64 dirtied;			/* by BAR0, for the session; who adds wakes @readable */

	/* faults */
	struct list_head faults;
	unsigned int fault_count;
	u64 hits;
	u64 deviations;			/* 1 << enum migsim_deviation */
	bool killed;			/* by such a header, for one of them, too */
	bool bad_once;			/* a load was refused: for one of them */
	wait_queue_head_t released;
	unsigned int releases;

	/* the session, v2 or v1: one at a time */
	struct migsim_saver saver;
	struct migsim_loader loader;
	wait_queue_head_t readable;	/* woken when there may be more, or never again */

	/* v2 */
	bool session;			/* a data fd was made for the state it is in */
	struct migsim_file *file;	/* NULL: none, or the user closed it */
	unsigned int dead_files;	/* of earlier sessions, still open */

	/* v1 */
	void *v1_page;			/* the data section, vmalloc_user() */
	u64 v1_window;			/* its size while opened */
	u64 v1_chunk;			/* bytes in the data section now, 0: none */
	u64 v1_taken;			/* of them: were read from a trapped section */
	unsigned int v1_step;		/* v1.c's: what may be read next */
	unsigned int v1_epoch;		/* tells who slept whether anything went on meanwhile */
	u64 v1_chunks;			/* of the session */

	/* pci */
	u8 config[MIGSIM_CONFIG_SIZE];
	struct eventfd_ctx *triggers[MIGSIM_MSIX_VECTORS];
	struct eventfd_ctx *notices[2];	/* ERR, REQ */
	unsigned int irq_index;		/* INTX, MSI or MSIX: one at a time */
	unsigned int irq_vectors;	/* of it that are enabled, 0: none is */

	/* dma log */
	struct migsim_log *log;		/* NULL: not logging */

	/* migsim-pci */
	void __iomem *bar0;
	u32 controls[4];		/* of the queues, as they are while it runs */
	bool user_resets;		/* VFIO_DEVICE_RESET is under way */
	bool told_stopped;		/* of a misuse, since the device stopped */
};
static_assert(offsetof(struct vfio_pci_core_device, vdev) == 0);
static_assert(offsetof(struct migsim, vdev) == 0);

#define vdev_to_migsim(v) container_of(v, struct migsim, vdev)

/* The device's user broke a rule; the lab's runner looks for this line. */
#define migsim_misuse(m, fmt, ...) \
	(atomic_inc(&migsim_misuses), \
	 pr_err("migsim %s: misuse: " fmt "\n", (m)->name, ##__VA_ARGS__))
/* How often, since the module was loaded: its parameter misuses. */
extern atomic_t migsim_misuses;

/* --- lock.c ------------------------------------------------------------------------------ */

void migsim_lock_init(struct migsim *m);
void migsim_lock(struct migsim *m);
/* migsim_unlock() - first resets the device if migsim_reset_due() was called meanwhile. */
void migsim_unlock(struct migsim *m);
/*
 * migsim_reset_due() - the device is to be reset, now or by the holder of @lock as soon as it lets
 * go. Never waits: PCI resets come with locks held that the holder of @lock may be waiting for
 * (memory_lock, by way of a page fault).
 */
void migsim_reset_due(struct migsim *m);

/* --- core.c ------------------------------------------------------------------------------ */

/* migsim_reset() - to a blank, running device; ends the session. @lock is held. */
void migsim_reset(struct migsim *m);
/* migsim_set() - the device is in @state now (v1 too), the counter follows. @lock is held. */
void migsim_set(struct migsim *m, enum vfio_device_mig_state state);
/* migsim_error() - the device is in ERROR now, by itself; ends the session. @lock is held. */
void migsim_error(struct migsim *m);
/*
 * migsim_registers_save() - the registers of a device that is stopped, at most
 * MIGSIM_REGISTERS_MAX bytes; returns how many: 0 for a device without any. @lock is held.
 * migsim_registers_load() - puts them into a stopped device; as many as the other returns.
 */
size_t migsim_registers_save(struct migsim *m, u8 *buf);
void migsim_registers_load(struct migsim *m, const u8 *buf);
/* Whether devices are made up, and have the attributes that take a made-up device to obey. */
extern const bool migsim_made_up;
/* migsim_shape() - habits have changed: tells VFIO's core what it knows of them. @lock is held. */
void migsim_shape(struct migsim *m);

/* --- attrs.c ----------------------------------------------------------------------------- */

extern const struct attribute_group *migsim_dev_groups[];
const char *migsim_state_name(enum vfio_device_mig_state state);	/* "stop-copy" */
int migsim_state_parse(const char *name, enum vfio_device_mig_state *ret);
int migsim_errno_parse(const char *text);	/* "EIO" or "5": 5; negative errno when neither */
int migsim_errno_emit(char *buf, int at, int code);	/* as sysfs_emit_at(): name or number */

/* --- profile.c --------------------------------------------------------------------------- */

/* NULL when there is no such profile. "none" is the default of every attribute. */
const struct migsim_habits *migsim_profile(const char *name);
/* The name itself, for good, of what somebody wrote to sysfs; NULL as before. */
const char *migsim_profile_name(const char *written);

/* --- fault.c ----------------------------------------------------------------------------- */

enum migsim_fault_kind {
	MIGSIM_FAULT_ARC, MIGSIM_FAULT_READ, MIGSIM_FAULT_WRITE, MIGSIM_FAULT_READ_ERROR,
	MIGSIM_FAULT_WRITE_ERROR, MIGSIM_FAULT_END, MIGSIM_FAULT_EMPTY, MIGSIM_FAULT_STALL_READ,
	MIGSIM_FAULT_STALL_WRITE, MIGSIM_FAULT_STALL_ARC, MIGSIM_FAULT_RESET, MIGSIM_FAULT_GET,
	MIGSIM_FAULT_STALL_GET, MIGSIM_FAULT_STALL_IRQS, MIGSIM_FAULT_STALL_CLOSE,
};
enum migsim_arc_end { MIGSIM_ARC_STAY, MIGSIM_ARC_DONE, MIGSIM_ARC_ERROR };

struct migsim_fault {
	struct list_head list;
	enum migsim_fault_kind kind;
	enum vfio_device_mig_state from, to;
	enum migsim_arc_end end;
	int code;		/* positive errno */
	u64 after;
	s64 left;		/* times; negative: always */
};

/* These three take @lock. */
int migsim_fault_arm(struct migsim *m, const char *line);
ssize_t migsim_fault_show(struct migsim *m, char *buf);
void migsim_fault_clear(struct migsim *m);

/*
 * migsim_fault_take() - does a fault of this kind fire now, with @done bytes of the session moved
 * (0 for kinds without AFTER)? Counts it down. @lock is held.
 * The copy in @ret is the caller's. migsim_fault_arc() is the same for the kinds with an arc.
 */
bool migsim_fault_take(struct migsim *m, enum migsim_fault_kind kind, u64 done,
		       struct migsim_fault *ret);
bool migsim_fault_arc(struct migsim *m, enum migsim_fault_kind kind,
		      enum vfio_device_mig_state from, enum vfio_device_mig_state to,
		      struct migsim_fault *ret);
/* The nearest place after @done where a fault of @kind fires, or U64_MAX: reads end there. */
u64 migsim_fault_next(struct migsim *m, enum migsim_fault_kind kind, u64 done);
/* Sleeps until somebody writes "release"; drops and retakes @lock. 0 or -ERESTARTSYS (killed). */
int migsim_stall(struct migsim *m);
/* The same where a fault of @kind is armed. */
int migsim_stall_call(struct migsim *m, enum migsim_fault_kind kind);
/* The same for reads and writes, where any signal ends it, as in a driver that waits for data. */
int migsim_stall_io(struct migsim *m);
/* Sleeps the arc's delay, if it has one; drops and retakes @lock. */
void migsim_delay(struct migsim *m, enum vfio_device_mig_state from, enum vfio_device_mig_state to);

/* --- deviation.c ------------------------------------------------------------------------- */

enum migsim_deviation {
	MIGSIM_DEVIATE_SAVING_FD_WRITES,
	MIGSIM_DEVIATE_RESUMING_FD_READS,
	MIGSIM_DEVIATE_PREAD,
	MIGSIM_DEVIATE_PWRITE,
	MIGSIM_DEVIATE_FD_SURVIVES,
	MIGSIM_DEVIATE_DEAD_EIO,
	MIGSIM_DEVIATE_SECOND_FD,
	MIGSIM_DEVIATE_CLOSE_STOPS,
	MIGSIM_DEVIATE_ENOMSG_AT_END,
	MIGSIM_DEVIATE_END_NOT_STICKY,
	MIGSIM_DEVIATE_END_NOT_READABLE,
	MIGSIM_DEVIATE_NEVER_READABLE,
	MIGSIM_DEVIATE_FAULT_LOSES,
	MIGSIM_DEVIATE_BYTE_REFUSED,
	MIGSIM_DEVIATE_LARGE_REFUSED,
	MIGSIM_DEVIATE_RUNS_IN_STOP,
	MIGSIM_DEVIATE_SIZE_UNDER,
	MIGSIM_DEVIATE_NO_SIZE_IN_STOP,
	MIGSIM_DEVIATE_NO_SIZE_IN_RESUMING,
	MIGSIM_DEVIATE_NO_INFO,
	MIGSIM_DEVIATE_INFO_ANYWHERE,
	MIGSIM_DEVIATE_INFO_FLAGS,
	MIGSIM_DEVIATE_INFO_REINIT,
	MIGSIM_DEVIATE_INFO_ARGSZ,
	MIGSIM_DEVIATE_INITIAL_STAYS,
	MIGSIM_DEVIATE_NO_READ_IN_P2P,
	MIGSIM_DEVIATE_NO_READ_AFTER_PRECOPY,
	MIGSIM_DEVIATE_CANCEL_STOPS,
	MIGSIM_DEVIATE_BAD_FORGOTTEN,
	MIGSIM_DEVIATE_BAD_STICKS,
	MIGSIM_DEVIATE_BAD_RUNS,
	MIGSIM_DEVIATE_RESET_STAYS,
	MIGSIM_DEVIATE_LENGTH_RUNS,
	MIGSIM_DEVIATE_LENGTH_KILLS,
	MIGSIM_DEVIATE_LENGTH_STALLS,
	MIGSIM_DEVIATE_LENGTH_LOGS,
	MIGSIM_DEVIATE_AGAIN_STOPS,
	MIGSIM_DEVIATIONS,
};

bool migsim_deviates(const struct migsim *m, enum migsim_deviation which);
ssize_t migsim_deviation_show(const struct migsim *m, char *buf);
/* Adds one by its name; "none" takes all away. */
int migsim_deviation_store(struct migsim *m, const char *buf);

/* --- contents.c -------------------------------------------------------------------------- */

void migsim_contents(u64 seed, u64 offset, void *buf, size_t len);
/* Whether @buf is just what migsim_contents() would make. */
bool migsim_contents_match(u64 seed, u64 offset, const void *buf, size_t len);
u64 migsim_hash(const void *buf, size_t len);
u64 migsim_digest(struct migsim *m);
u64 migsim_counter(struct migsim *m);
/* Starts or stops the counter, as @mig_state asks for (migsim_set() does). @lock is held. */
void migsim_count(struct migsim *m);
static inline bool migsim_runs(enum vfio_device_mig_state state)
{
	return state == VFIO_DEVICE_STATE_RUNNING || state == VFIO_DEVICE_STATE_PRE_COPY;
}

/* --- record.c ---------------------------------------------------------------------------- */

void migsim_saver_start(struct migsim *m, struct migsim_saver *s);
/* The session goes into STOP_COPY: the final record is next. */
void migsim_saver_final(struct migsim *m, struct migsim_saver *s);
/* What STOP_COPY would yield from now on; @s may be NULL: a session of its own. */
u64 migsim_saver_size(struct migsim *m, struct migsim_saver *s);
/* ns until there may be something to read: 0 now, U64_MAX for "nobody knows". */
u64 migsim_saver_wait(struct migsim *m, struct migsim_saver *s);
/* Contents and headers still to be read as things stand: PRE_COPY's, or all that is left. */
u64 migsim_saver_pending(struct migsim *m, struct migsim_saver *s);
/* What VFIO_MIG_GET_PRECOPY_INFO asks; may make dirty contents readable. */
void migsim_saver_query(struct migsim *m, struct migsim_saver *s, u64 *initial, u64 *dirty,
			bool may_reinit, bool *reinit);
/* The next bytes of the stream: as many as there are, up to @len; 0: none for now. */
size_t migsim_saver_read(struct migsim *m, struct migsim_saver *s, void *buf, size_t len);

void migsim_loader_start(struct migsim *m, struct migsim_loader *l);
/* 0, or a negative errno when a byte is wrong and habits say that a write tells. */
int migsim_loader_write(struct migsim *m, struct migsim_loader *l, const void *buf, size_t len);
/* The verdict at RESUMING -> STOP; on 0 the device holds what came. */
int migsim_loader_finish(struct migsim *m, struct migsim_loader *l);

/* --- v2.c -------------------------------------------------------------------------------- */

extern const struct vfio_migration_ops migsim_mig_ops;
/* The session's data fds are dead from now on; @by_user: who should know it. @lock is held. */
void migsim_v2_end(struct migsim *m, bool by_user);

/* --- v1.c -------------------------------------------------------------------------------- */

/* Called with @lock held. */
int migsim_v1_open(struct migsim *m);
void migsim_v1_close(struct migsim *m);
void migsim_v1_reset(struct migsim *m);
/*
 * The region's registers and data; @at is relative to the region. These take @lock themselves;
 * the mmap and the info need none, and mmap must not have it: it is called with the mm locked.
 */
ssize_t migsim_v1_read(struct migsim *m, char __user *buf, size_t count, u64 at);
ssize_t migsim_v1_write(struct migsim *m, const char __user *buf, size_t count, u64 at);
int migsim_v1_mmap(struct migsim *m, struct vm_area_struct *vma);
int migsim_v1_region_info(struct migsim *m, struct vfio_region_info *info,
			  struct vfio_info_cap *caps);

/* --- pci.c ------------------------------------------------------------------------------- */

/* At the first open and at a reset, with @lock held: the configuration space, from habits. */
void migsim_pci_init(struct migsim *m);
void migsim_pci_identify(struct migsim *m);	/* its numbers, which habits may change */
/* These take @lock themselves; @at is relative to the region. */
ssize_t migsim_pci_read(struct migsim *m, unsigned int index, char __user *buf, size_t count,
			u64 at);
ssize_t migsim_pci_write(struct migsim *m, unsigned int index, const char __user *buf,
			 size_t count, u64 at);
int migsim_pci_region_info(struct migsim *m, struct vfio_region_info *info);
/* irq.c's: shows in the configuration space whether MSI or MSI-X is on. */
void migsim_pci_show_irqs(struct migsim *m);

/* --- irq.c ------------------------------------------------------------------------------- */

int migsim_irq_info(struct migsim *m, struct vfio_irq_info *info);
int migsim_set_irqs(struct migsim *m, unsigned long arg);	/* takes @lock itself */
/* At the last close and at a reset (before migsim_pci_init()), with @lock held. */
void migsim_irqs_off(struct migsim *m);
/* ERR and REQ, which a reset leaves alone: at the last close, with @lock held. */
void migsim_notices_off(struct migsim *m);
/* Interrupts by VFIO_PCI_ERR_IRQ_INDEX or _REQ_; false: the user did not ask for it. @lock is held. */
bool migsim_notice(struct migsim *m, u32 index);

/* --- dma-log.c --------------------------------------------------------------------------- */

extern const struct vfio_log_ops migsim_log_ops;
/* At the last close and at a reset, with @lock held. */
void migsim_log_end(struct migsim *m);
/* The device wrote again to all that is logged. @lock is held. */
void migsim_log_dirty(struct migsim *m);

#endif
