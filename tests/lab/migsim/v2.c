// SPDX-License-Identifier: GPL-2.0-only
/*
 * migsim: the v2 protocol, that is, states, the arcs between them, and the data fds of a session.
 *
 * A data fd may outlive its session, the open device and the mdev. It keeps the struct migsim, and
 * is dead from the session's end on: the user is told ENODEV.
 */

#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timer.h>

#include "migsim.h"

#define BOUNCE	(64U << 10)

struct migsim_file {
	struct migsim *m;
	bool dead;
	bool user_knows;	/* it died by something that the user of the device did */
	struct timer_list timer;	/* wakes who polls for what time brings */
	void *bounce;
};

/* --- data fds ---------------------------------------------------------------------------- */

/* Whether it is still alive, for a call that just begins. @lock is held. */
static int check_alive(struct migsim_file *f)
{
	if (!f->dead)
		return 0;
	if (f->user_knows)
		migsim_misuse(f->m, "data fd kept past its session: used");
	return migsim_deviates(f->m, MIGSIM_DEVIATE_DEAD_EIO) ? -EIO : -ENODEV;
}

/* Sleeps until contents made for STOP_COPY can be read; drops and retakes @lock. */
static int await_prepared(struct file *file, struct migsim_file *f)
{
	struct migsim *m = f->m;
	long ret;
	u64 ns;

	while (m->saver.stopped && !f->dead) {
		ns = migsim_saver_wait(m, &m->saver);
		if (!ns)
			break;
		if (m->habits.nonblock && (file->f_flags & O_NONBLOCK))
			return -EAGAIN;
		migsim_unlock(m);
		ret = wait_event_interruptible_timeout(m->readable, READ_ONCE(f->dead),
						       nsecs_to_jiffies(ns) + 1);
		migsim_lock(m);
		if (ret < 0)
			return ret;
	}
	return f->dead ? -ENODEV : 0;
}

/* What a direction of data can be struck by. */
struct strikes {
	enum migsim_fault_kind stall, error, fail;
};

static const struct strikes read_strikes = {
	MIGSIM_FAULT_STALL_READ, MIGSIM_FAULT_READ_ERROR, MIGSIM_FAULT_READ,
};

static const struct strikes write_strikes = {
	MIGSIM_FAULT_STALL_WRITE, MIGSIM_FAULT_WRITE_ERROR, MIGSIM_FAULT_WRITE,
};

/* Lets the faults fire that are due after @done bytes. Drops and retakes @lock if it stalls. */
static int strike(struct migsim_file *f, const struct strikes *k, u64 done)
{
	struct migsim *m = f->m;
	struct migsim_fault fault;
	int ret;

	if (migsim_fault_take(m, k->stall, done, &fault)) {
		ret = migsim_stall_io(m);
		if (ret)
			return ret;
		if (f->dead)
			return -ENODEV;
	}
	if (migsim_fault_take(m, k->error, done, &fault)) {
		migsim_error(m);
		return -EIO;
	}
	return migsim_fault_take(m, k->fail, done, &fault) ? -fault.code : 0;
}

/* How much of @len may be moved until the next fault is due. */
static size_t until_strike(struct migsim *m, const struct strikes *k, u64 done, size_t len)
{
	u64 next = min3(migsim_fault_next(m, k->stall, done), migsim_fault_next(m, k->error, done),
			migsim_fault_next(m, k->fail, done));

	return min_t(u64, len, next - done);
}

/* After one piece: lets others have the device, and tells whether to go on with the next one. */
static bool go_on(struct migsim_file *f)
{
	struct migsim *m = f->m;

	migsim_unlock(m);
	cond_resched();
	migsim_lock(m);
	return !f->dead && !signal_pending(current);
}

/* Reads that a deviation refuses. */
static int deviate_read(struct migsim *m, size_t len)
{
	if (len == 1 && migsim_deviates(m, MIGSIM_DEVIATE_BYTE_REFUSED))
		return -EINVAL;
	if (len > SZ_1M && migsim_deviates(m, MIGSIM_DEVIATE_LARGE_REFUSED))
		return -EINVAL;
	if (m->mig_state == VFIO_DEVICE_STATE_PRE_COPY_P2P &&
	    migsim_deviates(m, MIGSIM_DEVIATE_NO_READ_IN_P2P))
		return -EIO;
	if (m->saver.stopped && m->saver.done &&
	    m->saver.done == m->saver.done_running &&
	    migsim_deviates(m, MIGSIM_DEVIATE_NO_READ_AFTER_PRECOPY))
		return -EIO;
	return 0;
}

static int before_read(struct file *file, struct migsim_file *f, size_t *len)
{
	struct migsim *m = f->m;
	struct migsim_fault fault;
	u64 done;
	int ret;

	ret = check_alive(f) ?: await_prepared(file, f) ?: strike(f, &read_strikes, m->saver.done);
	if (!ret)
		ret = deviate_read(m, *len);
	if (ret)
		return ret;
	done = m->saver.done;
	if (migsim_fault_take(m, MIGSIM_FAULT_END, done, &fault))
		m->saver.cut = true;
	if (m->habits.read_max)
		*len = min_t(u64, *len, m->habits.read_max);
	*len = until_strike(m, &read_strikes, done, *len);
	*len = min_t(u64, *len, migsim_fault_next(m, MIGSIM_FAULT_END, done) - done);
	return 0;
}

static int nothing_now(struct migsim *m)
{
	if (m->saver.stopped && migsim_deviates(m, MIGSIM_DEVIATE_ENOMSG_AT_END))
		return -ENOMSG;
	if (m->saver.stopped && migsim_deviates(m, MIGSIM_DEVIATE_END_NOT_STICKY))
		m->saver.final_made = false;
	return m->saver.stopped || m->habits.precopy_end_zero ? 0 : -ENOMSG;
}

/* One piece of at most BOUNCE bytes. What the user could not be given stays to be read. */
static ssize_t read_piece(struct migsim_file *f, char __user *buf, size_t len)
{
	struct migsim_saver *s = &f->m->saver, before = *s;
	size_t n = migsim_saver_read(f->m, s, f->bounce, min_t(size_t, len, BOUNCE));

	if (!copy_to_user(buf, f->bounce, n))
		return n;
	if (!migsim_deviates(f->m, MIGSIM_DEVIATE_FAULT_LOSES))
		*s = before;
	return -EFAULT;
}

static ssize_t save_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct migsim_file *f = file->private_data;
	struct migsim *m = f->m;
	size_t done = 0;
	ssize_t ret;

	if (pos && !migsim_deviates(m, MIGSIM_DEVIATE_PREAD))
		return -ESPIPE;
	if (READ_ONCE(f->dead) && migsim_deviates(m, MIGSIM_DEVIATE_FD_SURVIVES))
		return clear_user(buf, len) ? -EFAULT : len;
	migsim_lock(m);
	ret = before_read(file, f, &len);
	while (!ret && done < len) {
		ret = read_piece(f, buf + done, len - done);
		if (ret <= 0)
			break;
		done += ret;
		ret = 0;
		if (done < len && !go_on(f))
			break;
	}
	if (!ret && !done && len)
		ret = nothing_now(m);
	migsim_unlock(m);
	return done ?: ret;
}

static int before_write(struct migsim_file *f, size_t *len)
{
	struct migsim *m = f->m;
	int ret = check_alive(f) ?: strike(f, &write_strikes, m->loader.done);

	if (ret)
		return ret;
	if (m->habits.write_max)
		*len = min_t(u64, *len, m->habits.write_max);
	*len = until_strike(m, &write_strikes, m->loader.done, *len);
	return 0;
}

static ssize_t write_piece(struct migsim_file *f, const char __user *buf, size_t len)
{
	int ret;

	len = min_t(size_t, len, BOUNCE);
	if (copy_from_user(f->bounce, buf, len))
		return -EFAULT;
	ret = migsim_loader_write(f->m, &f->m->loader, f->bounce, len);
	return ret ?: len;
}

static ssize_t resume_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct migsim_file *f = file->private_data;
	struct migsim *m = f->m;
	size_t done = 0;
	ssize_t ret;

	if (pos && !migsim_deviates(m, MIGSIM_DEVIATE_PWRITE))
		return -ESPIPE;
	if (READ_ONCE(f->dead) && migsim_deviates(m, MIGSIM_DEVIATE_FD_SURVIVES))
		return len;
	migsim_lock(m);
	ret = before_write(f, &len);
	while (!ret && done < len) {
		ret = write_piece(f, buf + done, len - done);
		if (ret < 0)
			break;
		done += ret;
		ret = 0;
		if (done < len && !go_on(f))
			break;
	}
	migsim_unlock(m);
	return done ?: ret;
}

static int precopy_info(struct migsim_file *f, struct vfio_precopy_info *info)
{
	struct migsim *m = f->m;
	u64 initial, dirty;
	bool reinit;
	int ret = check_alive(f);

	if (ret)
		return ret;
	if (migsim_deviates(m, MIGSIM_DEVIATE_NO_INFO))
		return -ENOTTY;
	if (m->mig_state != VFIO_DEVICE_STATE_PRE_COPY &&
	    m->mig_state != VFIO_DEVICE_STATE_PRE_COPY_P2P)
		return migsim_deviates(m, MIGSIM_DEVIATE_INFO_ANYWHERE) ? 0 : -EINVAL;
	migsim_saver_query(m, &m->saver, &initial, &dirty, migsim_precopy_v2(&m->vdev), &reinit);
	info->initial_bytes = initial;
	info->dirty_bytes = dirty;
	if (reinit)
		info->flags |= MIGSIM_PRECOPY_REINIT;
	if (migsim_deviates(m, MIGSIM_DEVIATE_INFO_FLAGS))
		info->flags |= BIT(5);
	if (migsim_deviates(m, MIGSIM_DEVIATE_INFO_REINIT))
		info->flags |= BIT(0);
	if (migsim_deviates(m, MIGSIM_DEVIATE_INITIAL_STAYS))
		info->initial_bytes = m->habits.initial_bytes;
	return 0;
}

static long save_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct migsim_file *f = file->private_data;
	struct vfio_precopy_info info = {};
	int ret = migsim_check_precopy(&f->m->vdev, cmd, arg, &info);

	if (ret == -EINVAL && migsim_deviates(f->m, MIGSIM_DEVIATE_INFO_ARGSZ))
		ret = 0;
	if (ret)
		return ret;
	migsim_lock(f->m);
	ret = precopy_info(f, &info);
	migsim_unlock(f->m);
	if (!ret && copy_to_user((void __user *)arg, &info, sizeof(info)))
		ret = -EFAULT;
	return ret;
}

static void poll_again(struct timer_list *timer)
{
	struct migsim_file *f = container_of(timer, struct migsim_file, timer);

	wake_up_all(&f->m->readable);
}

static __poll_t save_poll(struct file *file, poll_table *wait)
{
	struct migsim_file *f = file->private_data;
	struct migsim *m = f->m;
	__poll_t events = 0;
	u64 ns;

	poll_wait(file, &m->readable, wait);
	migsim_lock(m);
	if (f->dead) {
		events = EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	} else {
		ns = migsim_saver_wait(m, &m->saver);
		if (!ns)
			events = EPOLLIN | EPOLLRDNORM;
		else if (ns != U64_MAX)
			mod_timer(&f->timer, jiffies + nsecs_to_jiffies(ns) + 1);
		if (!m->saver.stopped && migsim_deviates(m, MIGSIM_DEVIATE_NEVER_READABLE))
			events = 0;
		if (m->saver.stopped && migsim_deviates(m, MIGSIM_DEVIATE_END_NOT_READABLE))
			events = 0;
	}
	migsim_unlock(m);
	return events;
}

static void free_file(struct migsim_file *f)
{
	kvfree(f->bounce);
	vfio_put_device(&f->m->vdev);
	kfree(f);
}

static int data_release(struct inode *inode, struct file *file)
{
	struct migsim_file *f = file->private_data;
	struct migsim *m = f->m;

	timer_delete_sync(&f->timer);
	migsim_lock(m);
	if (f->dead)
		m->dead_files--;
	else
		m->file = NULL;
	if (!f->dead && m->mig_state == VFIO_DEVICE_STATE_STOP_COPY &&
	    migsim_deviates(m, MIGSIM_DEVIATE_CLOSE_STOPS))
		migsim_set(m, VFIO_DEVICE_STATE_STOP);
	migsim_unlock(m);
	free_file(f);
	return 0;
}

static const struct file_operations save_fops = {
	.owner = THIS_MODULE,
	.read = save_read,
	.unlocked_ioctl = save_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = data_release,
};

static const struct file_operations save_poll_fops = {
	.owner = THIS_MODULE,
	.read = save_read,
	.poll = save_poll,
	.unlocked_ioctl = save_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = data_release,
};

static const struct file_operations resume_fops = {
	.owner = THIS_MODULE,
	.write = resume_write,
	.release = data_release,
};

static struct migsim_file *alloc_file(struct migsim *m)
{
	struct migsim_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return NULL;
	f->bounce = kvmalloc(BOUNCE, GFP_KERNEL_ACCOUNT);
	if (!f->bounce) {
		kfree(f);
		return NULL;
	}
	get_device(&m->vdev.device);
	f->m = m;
	timer_setup(&f->timer, poll_again, 0);
	return f;
}

static struct file *open_file(struct migsim *m, const struct file_operations *fops, int flags)
{
	struct migsim_file *f = alloc_file(m);
	struct file *file;

	if (!f)
		return ERR_PTR(-ENOMEM);
	file = anon_inode_getfile("migsim", fops, f, flags);
	if (IS_ERR(file)) {
		free_file(f);
		return file;
	}
	stream_open(file->f_inode, file);
	if (migsim_deviates(m, MIGSIM_DEVIATE_PREAD))
		file->f_mode |= FMODE_PREAD;
	if (migsim_deviates(m, MIGSIM_DEVIATE_PWRITE))
		file->f_mode |= FMODE_PWRITE;
	m->file = f;
	m->session = true;
	if (m->dead_files)
		migsim_misuse(m, "data fd kept past its session: still open in the next");
	return file;
}

void migsim_v2_end(struct migsim *m, bool by_user)
{
	if (m->file) {
		WRITE_ONCE(m->file->dead, true);
		m->file->user_knows = by_user;
		m->file = NULL;
		m->dead_files++;
	}
	m->session = false;
	wake_up_all(&m->readable);
}

/* --- arcs -------------------------------------------------------------------------------- */

static struct file *start_saving(struct migsim *m)
{
	struct file *file;

	bool polls = m->habits.poll || migsim_deviates(m, MIGSIM_DEVIATE_NEVER_READABLE) ||
		     migsim_deviates(m, MIGSIM_DEVIATE_END_NOT_READABLE);

	file = open_file(m, polls ? &save_poll_fops : &save_fops,
			 migsim_deviates(m, MIGSIM_DEVIATE_SAVING_FD_WRITES) ? O_RDWR : O_RDONLY);
	if (!IS_ERR(file))
		migsim_saver_start(m, &m->saver);
	return file;
}

/* A session that came through PRE_COPY goes on with its data fd. */
static struct file *stop_and_copy(struct migsim *m)
{
	struct file *file;

	if (m->session && migsim_deviates(m, MIGSIM_DEVIATE_SECOND_FD))
		migsim_v2_end(m, false);
	m->saver.done_running = m->session ? m->saver.done : 0;
	file = m->session ? NULL : start_saving(m);
	if (!IS_ERR(file)) {
		migsim_saver_final(m, &m->saver);
		wake_up_all(&m->readable);
	}
	return file;
}

static struct file *start_resuming(struct migsim *m)
{
	struct file *file;

	file = open_file(m, &resume_fops,
			 migsim_deviates(m, MIGSIM_DEVIATE_RESUMING_FD_READS) ? O_RDWR : O_WRONLY);

	if (!IS_ERR(file))
		migsim_loader_start(m, &m->loader);
	return file;
}

static bool is_precopy(enum vfio_device_mig_state state)
{
	return state == VFIO_DEVICE_STATE_PRE_COPY || state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

static bool has_session(enum vfio_device_mig_state state)
{
	return is_precopy(state) || state == VFIO_DEVICE_STATE_STOP_COPY ||
	       state == VFIO_DEVICE_STATE_RESUMING;
}

/* What becomes of a driver that goes by the lengths of a stream; @ret: of one that does not. */
static int trust_lengths(struct migsim *m, int ret)
{
	if (migsim_deviates(m, MIGSIM_DEVIATE_LENGTH_LOGS))
		pr_err("refcount_t: underflow in %s, on purpose\n", m->name);
	if (migsim_deviates(m, MIGSIM_DEVIATE_LENGTH_STALLS))
		migsim_stall(m);
	if (migsim_deviates(m, MIGSIM_DEVIATE_LENGTH_KILLS)) {
		m->killed = true;
		migsim_error(m);
	}
	if (!migsim_deviates(m, MIGSIM_DEVIATE_LENGTH_RUNS))
		return ret;
	migsim_v2_end(m, true);
	migsim_set(m, VFIO_DEVICE_STATE_RUNNING);
	return 0;
}

/* The end of a load, and what deviations make of a bad one. */
static int finish_load(struct migsim *m)
{
	int ret = migsim_loader_finish(m, &m->loader);

	if (m->loader.beyond)
		ret = trust_lengths(m, ret);
	if (ret && m->loader.bad && migsim_deviates(m, MIGSIM_DEVIATE_BAD_FORGOTTEN))
		return 0;
	if (!ret && m->bad_once && migsim_deviates(m, MIGSIM_DEVIATE_BAD_STICKS))
		return -EINVAL;
	m->bad_once |= ret != 0;
	if (ret && migsim_deviates(m, MIGSIM_DEVIATE_BAD_RUNS)) {
		migsim_v2_end(m, true);
		migsim_set(m, VFIO_DEVICE_STATE_RUNNING);
	}
	return ret;
}

static struct file *take_arc(struct migsim *m, enum vfio_device_mig_state to)
{
	enum vfio_device_mig_state from = m->mig_state;
	struct file *file = NULL;
	int ret;

	if (from == VFIO_DEVICE_STATE_RESUMING) {
		/* After a close there is nothing: as when the user wrote nothing. */
		if (!m->session)
			migsim_loader_start(m, &m->loader);
		ret = finish_load(m);
		if (ret)
			return ERR_PTR(ret);
		if (m->mig_state != from)
			return NULL;
	}
	if (has_session(from) && !has_session(to))
		migsim_v2_end(m, true);
	else if (to == VFIO_DEVICE_STATE_STOP_COPY)
		file = stop_and_copy(m);
	else if (to == VFIO_DEVICE_STATE_RESUMING)
		file = start_resuming(m);
	else if (is_precopy(to) && !is_precopy(from))
		file = start_saving(m);
	if (is_precopy(from) && to == VFIO_DEVICE_STATE_RUNNING &&
	    migsim_deviates(m, MIGSIM_DEVIATE_CANCEL_STOPS))
		to = VFIO_DEVICE_STATE_STOP;
	if (!IS_ERR(file))
		migsim_set(m, to);
	return file;
}

/* Somebody else's requests that the device must answer before it can stop. */
static int drain_pages(struct migsim *m, enum vfio_device_mig_state to)
{
	bool ran = m->mig_state == VFIO_DEVICE_STATE_RUNNING ||
		   m->mig_state == VFIO_DEVICE_STATE_RUNNING_P2P || is_precopy(m->mig_state);
	bool stops = to == VFIO_DEVICE_STATE_STOP || to == VFIO_DEVICE_STATE_STOP_COPY;

	if (!ran || !stops || !m->habits.page_requests)
		return 0;
	if (m->habits.page_requests > 0)
		m->habits.page_requests--;
	return -EBUSY;
}

/* What comes before an arc is taken. Drops and retakes @lock. */
static int approach_arc(struct migsim *m, enum vfio_device_mig_state to)
{
	enum vfio_device_mig_state from = m->mig_state;
	struct migsim_fault fault;
	int ret = drain_pages(m, to);

	if (!ret && migsim_fault_arc(m, MIGSIM_FAULT_STALL_ARC, from, to, &fault))
		ret = migsim_stall(m);
	if (ret)
		return ret;
	migsim_delay(m, from, to);
	/* A reset or an error came in between. */
	return m->mig_state == from ? 0 : -ENODEV;
}

static struct file *walk_arc(struct migsim *m, enum vfio_device_mig_state to)
{
	int ret = approach_arc(m, to);
	struct migsim_fault fault;
	struct file *file;

	if (ret)
		return ERR_PTR(ret);
	if (!migsim_fault_arc(m, MIGSIM_FAULT_ARC, m->mig_state, to, &fault))
		return take_arc(m, to);
	if (fault.end == MIGSIM_ARC_ERROR)
		migsim_error(m);
	if (fault.end == MIGSIM_ARC_DONE) {
		file = take_arc(m, to);
		if (!IS_ERR_OR_NULL(file))
			fput(file);
	}
	return ERR_PTR(-fault.code);
}

static struct file *walk(struct migsim *m, enum vfio_device_mig_state to)
{
	enum vfio_device_mig_state next;
	struct file *file = NULL;
	int ret;

	/* vfio_mig_get_next_state() warns about states that a device cannot be in. */
	if (m->mig_state == VFIO_DEVICE_STATE_ERROR) {
		migsim_misuse(m, "a SET (to %s) while in error", migsim_state_name(to));
		return ERR_PTR(-EIO);
	}
	if (!(m->habits.caps & VFIO_MIGRATION_STOP_COPY))
		return ERR_PTR(-EINVAL);
	if (m->mig_state == to && to != VFIO_DEVICE_STATE_RESUMING && m->session && m->saver.done &&
	    migsim_deviates(m, MIGSIM_DEVIATE_AGAIN_STOPS)) {
		migsim_v2_end(m, true);
		migsim_set(m, VFIO_DEVICE_STATE_STOP);
		return NULL;
	}
	while (m->mig_state != to && !IS_ERR(file)) {
		ret = vfio_mig_get_next_state(&m->vdev, m->mig_state, to, &next);
		file = ret ? ERR_PTR(ret) : walk_arc(m, next);
		/* A deviation has led elsewhere. */
		if (!IS_ERR(file) && m->mig_state != next)
			break;
	}
	return file;
}

/* --- VFIO's operations ------------------------------------------------------------------- */

static struct file *set_state(struct vfio_device *vdev, enum vfio_device_mig_state to)
{
	struct migsim *m = vdev_to_migsim(vdev);
	struct file *file;

	if (mutex_lock_interruptible(&m->transition))
		return ERR_PTR(-EINTR);
	migsim_lock(m);
	file = walk(m, to);
	migsim_unlock(m);
	mutex_unlock(&m->transition);
	return file;
}

static int get_state(struct vfio_device *vdev, enum vfio_device_mig_state *state)
{
	struct migsim *m = vdev_to_migsim(vdev);
	struct migsim_fault fault;
	int ret = 0;

	migsim_lock(m);
	ret = migsim_stall_call(m, MIGSIM_FAULT_STALL_GET);
	*state = m->mig_state;
	if (!ret && migsim_fault_take(m, MIGSIM_FAULT_GET, 0, &fault))
		ret = -fault.code;
	migsim_unlock(m);
	return ret;
}

static int get_data_size(struct vfio_device *vdev, unsigned long *length)
{
	struct migsim *m = vdev_to_migsim(vdev);
	bool saving;
	int ret = 0;

	migsim_lock(m);
	saving = m->session && m->mig_state != VFIO_DEVICE_STATE_RESUMING;
	if ((m->mig_state == VFIO_DEVICE_STATE_STOP &&
	     migsim_deviates(m, MIGSIM_DEVIATE_NO_SIZE_IN_STOP)) ||
	    (m->mig_state == VFIO_DEVICE_STATE_RESUMING &&
	     migsim_deviates(m, MIGSIM_DEVIATE_NO_SIZE_IN_RESUMING)))
		ret = -EINVAL;
	switch (m->habits.data_size) {
	case MIGSIM_SIZE_EXACT:
		*length = migsim_saver_size(m, saving ? &m->saver : NULL);
		break;
	case MIGSIM_SIZE_OVER:
		*length = roundup_pow_of_two(MIGSIM_RECORD + m->habits.size + 1);
		break;
	case MIGSIM_SIZE_NONE:
		ret = -EOPNOTSUPP;
		break;
	}
	if (migsim_deviates(m, MIGSIM_DEVIATE_SIZE_UNDER))
		*length /= 2;
	migsim_unlock(m);
	return ret;
}

const struct vfio_migration_ops migsim_mig_ops = {
	.migration_set_state = set_state,
	.migration_get_state = get_state,
	.migration_get_data_size = get_data_size,
};
