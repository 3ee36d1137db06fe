#include "io/op.h"

#include "core/time.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Three parties hold an op: the starter until delivery, the driver until op_done(), the loop while a call is
 * deferred. The last one to let go frees it.
 */
struct op {
	struct loop *l;
	struct ops *all;
	struct op *next, **link;
	op_done_fn *on_done;
	void *ctx;
	struct timer *timer;
	int64_t timeout_us, deadline_us;
	struct outcome outcome;
	void *result;
	void (*free_result)(void *);
	void (*on_cancel)(void *driver_data);
	void *driver_data;
	atomic_bool cancelled;
	bool decided; /* outcome is the one to deliver */
	bool delivered;
	bool done; /* the driver has let go */
	bool told; /* the driver heard of the cancel */
	int deferred;
};

/* All ops of a loop. */
struct ops {
	struct op *first;
	int n_running;
	bool settled; /* the last op has gone since op_settle() began */
};

static void ops_stop(void *part)
{
	struct ops *all = part;

	for (struct op *op = all->first; op != NULL; op = op->next)
		op_cancel(op);
}

static bool ops_quiet(const void *part) { return ((const struct ops *)part)->first == NULL; }

static const struct loop_part_ops part_ops = {.stop = ops_stop, .quiet = ops_quiet, .free = free};

static struct ops *ops_of(struct loop *l)
{
	struct ops *all = loop_part(l, LOOP_OPS);

	if (all == NULL) {
		all = calloc(1, sizeof(*all));
		if (all != NULL)
			loop_set_part(l, LOOP_OPS, all, &part_ops);
	}
	return all;
}

static void result_drop(struct op *op)
{
	if (op->result != NULL && op->free_result != NULL)
		op->free_result(op->result);
	op->result = NULL;
}

static void op_release(struct op *op)
{
	if (!op->delivered || !op->done || op->deferred > 0)
		return;
	result_drop(op);
	*op->link = op->next;
	if (op->next != NULL)
		op->next->link = op->link;
	op->all->settled = op->all->first == NULL;
	free(op);
}

static void deliver(struct op *op)
{
	op_done_fn *fn = op->on_done;

	if (op->delivered)
		return;
	op->delivered = true;
	timer_stop(op->timer);
	op->timer = NULL;
	if (fn != NULL) {
		op->deferred++; /* the callback must not free what it is given */
		fn(op->ctx, op, &op->outcome, op->result);
		op->deferred--;
	}
	result_drop(op);
}

/* The driver hears of it on a turn of its own: its hook may call op_done() at once. */
static void tell_driver(struct op *op)
{
	if (op->done || op->told || op->on_cancel == NULL || !atomic_load(&op->cancelled))
		return;
	op->told = true;
	op->deferred++;
	op->on_cancel(op->driver_data);
	op->deferred--;
}

static void on_turn(void *ctx)
{
	struct op *op = ctx;

	deliver(op);
	tell_driver(op);
	op->deferred--;
	op_release(op);
}

static void turn_later(struct op *op)
{
	op->deferred++;
	loop_defer(op->l, on_turn, op);
}

static void on_timeout(void *ctx)
{
	struct op *op = ctx;
	char span[32];

	op->timer = NULL; /* a timer that fired frees itself */
	if (op->decided)
		return;
	time_span(span, sizeof(span), op->timeout_us);
	op->decided = true;
	op->outcome = outcome_make(OUTCOME_ERRORED, "", "timed out after %s", span);
	snprintf(op->outcome.hint, sizeof(op->outcome.hint),
	         "see whether the other side can be reached: towpath check");
	atomic_store(&op->cancelled, true);
	turn_later(op);
}

struct op *op_new(struct loop *l, int64_t timeout_us, op_done_fn *on_done, void *ctx)
{
	struct ops *all = ops_of(l);
	struct op *op = calloc(1, sizeof(*op));

	if (op == NULL || all == NULL) {
		free(op);
		return NULL;
	}
	op->l = l;
	op->all = all;
	op->on_done = on_done;
	op->ctx = ctx;
	op->timeout_us = timeout_us > 0 ? timeout_us : REMOTE_TIMEOUT_MS * US_PER_MS;
	op->deadline_us = loop_mono_us() + op->timeout_us;
	atomic_init(&op->cancelled, false);
	op->next = all->first;
	op->link = &all->first;
	if (op->next != NULL)
		op->next->link = &op->next;
	all->first = op;
	all->n_running++;
	op->timer = loop_timer(l, op->timeout_us, 0, on_timeout, op);
	return op;
}

void op_done(struct op *op, struct outcome outcome, void *result, void (*free_result)(void *))
{
	if (op->done) {
		fputs("towpath: a driver completed an operation twice\n", stderr);
		abort();
	}
	op->done = true;
	op->all->n_running--;
	op->result = result;
	op->free_result = free_result;
	if (op->decided) {
		result_drop(op);
		op_release(op);
		return;
	}
	op->decided = true;
	op->outcome = outcome;
	turn_later(op);
}

void op_cancel(struct op *op)
{
	if (op == NULL || op->delivered || atomic_load(&op->cancelled))
		return;
	atomic_store(&op->cancelled, true);
	op->decided = true;
	op->outcome = outcome_make(OUTCOME_CANCELLED, "", "cancelled");
	result_drop(op);
	turn_later(op);
}

void op_abandon(struct op *op)
{
	if (op == NULL || op->delivered)
		return;
	op->on_done = NULL;
	op->decided = true;
	atomic_store(&op->cancelled, true);
	result_drop(op);
	timer_stop(op->timer);
	op->timer = NULL;
	turn_later(op);
}

void op_on_cancel(struct op *op, void (*fn)(void *driver_data), void *driver_data)
{
	op->on_cancel = fn;
	op->driver_data = driver_data;
	if (fn != NULL && atomic_load(&op->cancelled) && !op->told && op->delivered)
		turn_later(op);
}

bool op_cancelled(const struct op *op) { return atomic_load(&op->cancelled); }

int64_t op_remaining_us(const struct op *op) { return MAX(op->deadline_us - loop_mono_us(), 0); }

void *op_take(struct op *op)
{
	void *result = op->result;

	op->result = NULL;
	return result;
}

int op_count(const struct loop *l)
{
	const struct ops *all = loop_part(l, LOOP_OPS);

	return all == NULL ? 0 : all->n_running;
}

void op_settle(struct loop *l, int64_t max_us)
{
	struct ops *all = ops_of(l);

	if (all == NULL || all->first == NULL)
		return;
	all->settled = false;
	ops_stop(all);
	loop_until(l, &all->settled, loop_mono_us() + max_us);
}
