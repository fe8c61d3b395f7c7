// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "emu/device.h"
#include "emu/regs.h"
#include "fsm/fsm.h"

#define LATENESS_NS (20 * NSEC_PER_MSEC)

static bool emu_device_deviates(const struct emu_device *d, enum emu_deviation which)
{
	return emu_deviates(&d->config->deviations, which);
}

/* Whether it runs, by the protocol or in spite of it. */
static bool emu_device_runs(const struct emu_device *d)
{
	if (d->state == MIG_STOP || d->state == MIG_STOP_COPY)
		return emu_device_deviates(d, DEVIATE_RUNS_IN_STOP);
	if (d->state == MIG_PRE_COPY || d->state == MIG_PRE_COPY_P2P)
		return !emu_device_deviates(d, DEVIATE_STOPS_IN_PRE_COPY);
	return fsm_runs(d->state);
}

int emu_device_init(struct emu_device *d, const struct emu_config *config, uint32_t number,
		    uint64_t now_ns, struct err *err)
{
	int r;

	*d = (struct emu_device){
		.config = config,
		.number = number,
		.state = MIG_RUNNING,
		.now_ns = now_ns,
		.dirtied_ns = now_ns,
	};
	d->state_before = d->state;
	emu_faults_of(&config->faults, number, &d->faults);
	emu_config_reset(d);
	r = emu_content_init(&d->content, emu_content_size(config->state_size),
			     config->seed + number, err);
	return r;
}

void emu_device_done(struct emu_device *d)
{
	emu_content_done(&d->content);
}

void emu_device_dirty(struct emu_device *d, uint32_t n)
{
	uint32_t block;

	if (!fsm_runs(d->state) || !d->content.n_blocks)
		return;
	for (n = MIN(n, 2 * d->content.n_blocks); n; n--) {
		block = emu_content_dirty(&d->content);
		if (fsm_saving(d->state))
			emu_save_dirtied(&d->save, block);
	}
}

/* What has changed by now, of blocks that are there. */
static void emu_device_spend_credit(struct emu_device *d)
{
	unsigned __int128 unit = (unsigned __int128)emu_content_len(&d->content, 0) * NSEC_PER_SEC;
	unsigned __int128 n = d->credit / unit;

	d->credit %= unit;
	d->dirtied_ns = d->now_ns;
	emu_device_dirty(d, (uint32_t)MIN(n, UINT32_MAX));
}

void emu_device_advance(struct emu_device *d, uint64_t now_ns)
{
	uint64_t passed = now_ns - d->now_ns;

	d->now_ns = now_ns;
	if (!emu_device_runs(d) || !passed)
		return;
	d->running_ns += passed;
	if (!d->config->dirty_rate || !d->content.n_blocks)
		return;
	d->credit += (unsigned __int128)d->config->dirty_rate * passed;
	if (now_ns - d->dirtied_ns >= d->config->dirty_interval_ns)
		emu_device_spend_credit(d);
}

static void emu_device_tell(struct emu_device *d, const struct emu_event *e, uint64_t after_ns)
{
	struct emu_event event = *e;

	event.ns = d->now_ns + after_ns;
	emu_events_add(&d->events, &event);
}

static void emu_device_fall_into_error(struct emu_device *d)
{
	d->state = MIG_ERROR;
	d->moved = 0;
}

/* What a stream that is wrong in its lengths does to a device that trusts them. */
static int emu_device_trust(struct emu_device *d, struct err *err)
{
	if (emu_device_deviates(d, DEVIATE_EXTENT_HANGS))
		return EMU_STALLED;
	if (emu_device_deviates(d, DEVIATE_EXTENT_RUNS)) {
		d->state = MIG_RUNNING;
		return EMU_DONE;
	}
	d->killed = true;
	emu_device_fall_into_error(d);
	return err_set(err, -EIO, "--deviate extent-kills");
}

static bool emu_device_trusts(const struct emu_device *d)
{
	return emu_device_deviates(d, DEVIATE_EXTENT_HANGS) ||
	       emu_device_deviates(d, DEVIATE_EXTENT_RUNS) ||
	       emu_device_deviates(d, DEVIATE_EXTENT_KILLS);
}

static int emu_device_finish_load(struct emu_device *d, struct err *err)
{
	int r;

	if (emu_load_is_beyond(&d->load) && emu_device_trusts(d))
		return emu_device_trust(d, err);
	r = emu_load_finish(&d->load, &d->config->deviations, &d->running_ns, err);

	if (r >= 0 && emu_device_deviates(d, DEVIATE_LOAD_FORGOTTEN)) {
		emu_content_reset(&d->content);
		d->running_ns = 0;
	}
	return r;
}

/* A session begins: those that do not deviate have any number of them. */
static int emu_device_begin_session(struct emu_device *d, enum mig_state to, struct err *err)
{
	if (to == MIG_RESUMING) {
		if (d->n_loads++ && emu_device_deviates(d, DEVIATE_SECOND_LOAD_REFUSED))
			return err_set(err, -EINVAL, "--deviate second-load-refused");
		emu_load_begin(&d->load, &d->content, d->config->state_size);
		return 0;
	}
	if (d->n_saves++ && emu_device_deviates(d, DEVIATE_SECOND_SAVE_REFUSED))
		return err_set(err, -EINVAL, "--deviate second-save-refused");
	emu_save_begin(&d->save, &d->content, d->config->state_size, d->config->initial_bytes);
	d->save_longer = false;
	return 0;
}

/* What an arc does beside being taken. */
static int emu_device_take_arc(struct emu_device *d, enum mig_state to, struct err *err)
{
	bool saving = fsm_saving(d->state);
	int r;

	if (d->state == MIG_RESUMING) {
		r = emu_device_finish_load(d, err);
		/* Or a deviation has led elsewhere. */
		if (r != EMU_DONE || d->state != MIG_RESUMING)
			return r;
	}
	if (!fsm_runs(to) && fsm_runs(d->state) && d->content.n_blocks)
		emu_device_spend_credit(d);
	if ((fsm_saving(to) && !saving) || to == MIG_RESUMING) {
		r = emu_device_begin_session(d, to, err);
		if (r < 0)
			return r;
	}
	if (to == MIG_STOP_COPY)
		emu_save_finish(&d->save, d->running_ns);
	if (!saving || !fsm_saving(to))
		d->moved = 0;
	d->state = to;
	if (fsm_runs(to))
		emu_dma_log_written(&d->log);
	return 0;
}

static int emu_device_fault_at_arc(struct emu_device *d, enum mig_state to, struct err *err)
{
	struct emu_fault *f;

	f = emu_faults_arc(&d->faults, FAULT_STALL_ARC, d->state, to);
	if (f) {
		emu_fault_used(f);
		return EMU_STALLED;
	}
	if (fsm_runs(to) && !fsm_runs(d->state) && emu_device_deviates(d, DEVIATE_BUSY_TO_RUN)) {
		d->busy = !d->busy;
		if (d->busy)
			return err_set(err, -EBUSY, "--deviate busy-to-run");
	}
	f = emu_faults_arc(&d->faults, FAULT_ERROR, d->state, to);
	if (f) {
		emu_fault_used(f);
		emu_device_fall_into_error(d);
		return err_set(err, -EIO, "--fault error");
	}
	f = emu_faults_arc(&d->faults, FAULT_FAIL_ARC, d->state, to);
	if (f) {
		emu_fault_used(f);
		return err_set(err, f->code, "--fault fail");
	}
	f = emu_faults_arc(&d->faults, FAULT_DRAIN, d->state, to);
	if (!f)
		return 0;
	if (!f->since_ns)
		f->since_ns = d->now_ns;
	if (d->now_ns - f->since_ns < f->ns)
		return err_set(err, -EBUSY, "--fault drain");
	f->since_ns = 0;
	emu_fault_used(f);
	return 0;
}

/* One that was taken ends in ERROR all the same: the client learns it by asking. */
static void emu_device_fault_after_arc(struct emu_device *d)
{
	struct emu_fault *f = emu_faults_in(&d->faults, FAULT_ERROR_IN, d->state);

	if (!f)
		return;
	emu_fault_used(f);
	emu_device_fall_into_error(d);
}

static int emu_device_try_arc(struct emu_device *d, enum mig_state next, struct err *err)
{
	int r = emu_device_fault_at_arc(d, next, err);

	return r == EMU_DONE ? emu_device_take_arc(d, next, err) : r;
}

/* One arc, or what --fault makes of it. @after_ns: begins so long after the command came. */
static int emu_device_step(struct emu_device *d, enum mig_state next, uint64_t *after_ns,
			   struct err *err)
{
	struct emu_event event = { .kind = EMU_EVENT_BEGIN, .from = d->state, .to = next };
	int r;

	emu_device_tell(d, &event, *after_ns);
	*after_ns += d->config->delay_ns[d->state][next];
	r = emu_device_try_arc(d, next, err);
	if (r > 0)
		return r;
	event.kind = r < 0 ? EMU_EVENT_FAILED : EMU_EVENT_END;
	event.code = r;
	emu_device_tell(d, &event, *after_ns);
	if (r == EMU_DONE)
		emu_device_fault_after_arc(d);
	event.kind = EMU_EVENT_ERROR;
	if (d->state == MIG_ERROR)
		emu_device_tell(d, &event, *after_ns);
	return r;
}

/* A SET is refused, and the device stays where it is; or not even that. */
static int emu_device_refuse(struct emu_device *d)
{
	if (emu_device_deviates(d, DEVIATE_REFUSAL_MOVES)) {
		d->state = fsm_runs(d->state) ? MIG_STOP : MIG_RUNNING;
		d->moved = 0;
	}
	return -EINVAL;
}

/* Return: EMU_DONE where a deviation answers instead of the protocol; -EINVAL. */
static int emu_device_set_impossible(struct emu_device *d, uint32_t to, struct err *err)
{
	if (to >= MIG_NR_STATES && emu_device_deviates(d, DEVIATE_INVALID_STATE))
		return EMU_DONE;
	if (to == MIG_ERROR && emu_device_deviates(d, DEVIATE_ERROR_ACCEPTED)) {
		emu_device_fall_into_error(d);
		return EMU_DONE;
	}
	err_set(err, -EINVAL, "%" PRIu32 " is no state to go to", to);
	return emu_device_refuse(d);
}

/* The next state on the way; MIG_ERROR for no way. */
static enum mig_state emu_device_next(const struct emu_device *d, enum mig_state to)
{
	enum mig_state next = fsm_next(d->state, to, d->config->caps);

	if (d->state == MIG_STOP_COPY && to == MIG_PRE_COPY &&
	    emu_device_deviates(d, DEVIATE_STOP_COPY_TO_PRE_COPY))
		return to;
	return next != to && emu_device_deviates(d, DEVIATE_NO_COMBINATION) ? MIG_ERROR : next;
}

int emu_device_set_state(struct emu_device *d, uint32_t to, uint64_t *ret_delay_ns, struct err *err)
{
	enum mig_state from = d->state, next;
	int r;

	*ret_delay_ns = 0;
	d->state_before = from;
	if (to == MIG_ERROR || to >= MIG_NR_STATES)
		return emu_device_set_impossible(d, to, err);
	if (d->state == to && fsm_saving(d->state) && d->moved &&
	    emu_device_deviates(d, DEVIATE_AGAIN_STOPS)) {
		d->state = MIG_STOP;
		d->moved = 0;
		return EMU_DONE;
	}
	while (d->state != to) {
		next = emu_device_next(d, (enum mig_state)to);
		if (next == MIG_ERROR) {
			err_set(err, -EINVAL, "no way from %s to %s", fsm_name(d->state),
				fsm_name((enum mig_state)to));
			return emu_device_refuse(d);
		}
		r = emu_device_step(d, next, ret_delay_ns, err);
		if (r < 0)
			return err_prefix(err, r, "%s to %s, at %s", fsm_name(from),
					  fsm_name((enum mig_state)to), fsm_name(next));
		if (r != EMU_DONE || next == to)
			return r;
		if (d->state == MIG_ERROR)
			return err_set(err, -EIO, "%s to %s: --fault error in %s", fsm_name(from),
				       fsm_name((enum mig_state)to), fsm_name(next));
	}
	return EMU_DONE;
}

static void emu_device_do_reset(struct emu_device *d)
{
	const struct emu_event event = { .kind = EMU_EVENT_RESET };

	emu_content_reset(&d->content);
	d->running_ns = 0;
	emu_dma_log_stop(&d->log);
	emu_config_reset(d);
	d->credit = 0;
	d->moved = 0;
	d->ready_ns = 0;
	d->dirtied_ns = d->now_ns;
	d->n_resets++;
	if (d->state != MIG_RESUMING || !emu_device_deviates(d, DEVIATE_RESET_KEEPS_RESUMING))
		d->state = emu_device_deviates(d, DEVIATE_RESET_STOPS) ? MIG_STOP : MIG_RUNNING;
	else
		emu_load_begin(&d->load, &d->content, d->config->state_size);
	if (d->killed)
		d->state = MIG_ERROR;
	d->state_before = d->state;
	emu_device_tell(d, &event, 0);
}

int emu_device_reset(struct emu_device *d, struct err *err)
{
	struct emu_fault *f = emu_faults_any(&d->faults, FAULT_REFUSE_RESET);

	if (f) {
		emu_fault_used(f);
		return err_set(err, f->code, "--fault refuse-reset");
	}
	emu_device_do_reset(d);
	return 0;
}

void emu_device_gone(struct emu_device *d)
{
	if (d->config->reset_on_disconnect)
		emu_device_do_reset(d);
}

/* Moving @size bytes now: may they, and when will they have arrived? */
static int emu_device_fault_at_data(struct emu_device *d, uint32_t size, struct err *err)
{
	uint64_t end = d->moved + MAX(size, 1u);
	struct emu_fault *f;

	f = emu_faults_at(&d->faults, FAULT_DIE, 0, end);
	if (f)
		return EMU_DIED;
	f = emu_faults_at(&d->faults, FAULT_STALL_AT, 0, end);
	if (f) {
		emu_fault_used(f);
		return EMU_STALLED;
	}
	f = emu_faults_at(&d->faults, FAULT_ERROR_AT, 0, end);
	if (f) {
		emu_fault_used(f);
		emu_device_fall_into_error(d);
		emu_device_tell(d, &(struct emu_event){ .kind = EMU_EVENT_ERROR }, 0);
		return err_set(err, -EIO, "--fault error");
	}
	f = emu_faults_at(&d->faults, FAULT_FAIL_AT, 0, end);
	if (f) {
		emu_fault_used(f);
		return err_set(err, f->code, "--fault fail");
	}
	return EMU_DONE;
}

/* A timer is late by some milliseconds: make up for that, or the rate would never be reached. */
static uint64_t emu_device_data_delay(struct emu_device *d, uint32_t size)
{
	bool first = !d->ready_ns;
	uint64_t earliest = first ? d->now_ns : d->now_ns - MIN(d->now_ns, LATENESS_NS);
	unsigned __int128 ns;

	if (!d->config->data_rate)
		return 0;
	ns = (unsigned __int128)size * NSEC_PER_SEC / d->config->data_rate;
	d->ready_ns = MAX(d->ready_ns, earliest) + (uint64_t)ns;
	return d->ready_ns > d->now_ns ? d->ready_ns - d->now_ns : 0;
}

static void emu_device_corrupt(struct emu_device *d, uint8_t *buf, uint32_t size)
{
	for (size_t i = 0; i < d->faults.n; i++) {
		struct emu_fault *f = &d->faults.list[i];

		if (f->kind != FAULT_CORRUPT || !f->times || f->at < d->moved ||
		    f->at >= d->moved + size)
			continue;
		buf[f->at - d->moved] ^= 1;
		emu_fault_used(f);
	}
}

/* Where a stream that lacks its end has it. */
static uint64_t emu_device_stream_end(const struct emu_device *d)
{
	if (emu_device_deviates(d, DEVIATE_ENDS_TOO_EARLY))
		return d->config->state_size / 2;
	return emu_device_deviates(d, DEVIATE_LOST_LAST_BYTE) ? d->config->state_size - 1
							      : UINT64_MAX;
}

/* There is nothing to read, for now or for good. */
static int emu_device_at_end(struct emu_device *d, uint8_t *buf, uint32_t *size, struct err *err)
{
	bool final = d->state == MIG_STOP_COPY;

	if (!final && emu_device_deviates(d, DEVIATE_EIO_IN_PRE_COPY))
		return err_set(err, -EIO, "--deviate eio-in-pre-copy");
	if (final && emu_device_deviates(d, DEVIATE_ENOMSG_IN_STOP_COPY))
		return err_set(err, -ENOMSG, "--deviate enomsg-in-stop-copy");
	if (final && emu_device_deviates(d, DEVIATE_END_NOT_STICKY)) {
		emu_save_begin(&d->save, &d->content, d->config->state_size, 0);
		emu_save_finish(&d->save, d->running_ns);
	}
	if (final && emu_device_deviates(d, DEVIATE_LENGTH_DIFFERS) && d->n_saves % 2 == 0 &&
	    !d->save_longer) {
		d->save_longer = true;
		*buf = 0;
		*size = 1;
	}
	return EMU_DONE;
}

/* The next @wanted bytes as they should be, and what a deviation makes of them. */
static int emu_device_read_some(struct emu_device *d, uint8_t *buf, uint32_t wanted, uint32_t *size,
				struct err *err)
{
	uint8_t lost;

	if (wanted % 2 && emu_device_deviates(d, DEVIATE_ODD_READS_LOSE))
		(void)emu_save_read(&d->save, &lost, 1);
	*size = (uint32_t)emu_save_read(&d->save, buf, wanted);
	if (d->n_saves % 2 == 0 && d->moved == 0 && *size &&
	    emu_device_deviates(d, DEVIATE_BYTES_DIFFER))
		buf[*size - 1] ^= 1;
	return *size ? EMU_DONE : emu_device_at_end(d, buf, size, err);
}

int emu_device_read(struct emu_device *d, void *buf, uint32_t *size, uint64_t *ret_delay_ns,
		    struct err *err)
{
	uint32_t wanted = *size;
	struct emu_fault *f;
	uint64_t end = emu_device_stream_end(d);
	int r;

	if (!fsm_saving(d->state)) {
		*size = 0;
		if (emu_device_deviates(d, DEVIATE_READ_OUTSIDE))
			return EMU_DONE;
		return err_set(err, -EINVAL, "no data to read in %s", fsm_name(d->state));
	}
	if (wanted == 1 && emu_device_deviates(d, DEVIATE_BYTE_READ_REFUSED))
		return err_set(err, -EINVAL, "--deviate byte-read-refused");
	r = emu_device_fault_at_data(d, wanted, err);
	if (r)
		return r;
	f = emu_faults_at(&d->faults, FAULT_TRUNCATE, 0, d->moved + wanted);
	if (f)
		wanted = f->at > d->moved ? (uint32_t)(f->at - d->moved) : 0;
	if (wanted > 1 && emu_faults_any(&d->faults, FAULT_SHORT_READ))
		wanted = 1 + (uint32_t)(emu_mix(d->n_reads++) % (wanted - 1));
	wanted = (uint32_t)MIN(wanted, end - MIN(end, d->moved));
	*size = 0;
	r = wanted ? emu_device_read_some(d, buf, wanted, size, err) : EMU_DONE;
	if (r != EMU_DONE)
		return r;
	emu_device_corrupt(d, buf, *size);
	d->moved += *size;
	*ret_delay_ns = emu_device_data_delay(d, *size);
	return EMU_DONE;
}

int emu_device_write(struct emu_device *d, const void *buf, uint32_t size, uint64_t *ret_delay_ns,
		     struct err *err)
{
	int r;

	if (d->state != MIG_RESUMING && emu_device_deviates(d, DEVIATE_WRITE_OUTSIDE))
		return EMU_DONE;
	if (d->state != MIG_RESUMING)
		return err_set(err, -EINVAL, "no data to write in %s", fsm_name(d->state));
	r = emu_device_fault_at_data(d, size, err);
	if (r)
		return r;
	emu_load_write(&d->load, buf, size);
	d->moved += size;
	*ret_delay_ns = emu_device_data_delay(d, size);
	return EMU_DONE;
}
