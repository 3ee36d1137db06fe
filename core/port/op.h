/*
 * One asynchronous operation of a driver.
 *
 * The laws, tested on every driver: exactly one completion, also after cancel or
 * deadline; never from inside the call that started it; foreign text is bounded
 * and clean; a driver sees neither model, store, clock of the screen nor another
 * driver; the outcome travels by value; blocking work runs in io/work jobs that
 * own their input.
 *
 * An op is made and freed by its starter's loop (io/op.h); a driver only calls
 * the functions below.
 */
#ifndef CORE_PORT_OP_H
#define CORE_PORT_OP_H

#include "core/outcome.h"

struct op;

/* Called once, on the loop. result is owned by the op and freed after this returns, unless op_take() was called. */
typedef void op_done_fn(void *ctx, struct op *op, const struct outcome *outcome, void *result);

/*
 * Completes an op. result (may be NULL) is freed by free_result after delivery.
 * After a cancel or deadline the completion was delivered already: the result is freed quietly.
 * Every started op must reach op_done() exactly once.
 */
void op_done(struct op *op, struct outcome outcome, void *result, void (*free_result)(void *));

/*
 * What a driver wants to be told when its op is cancelled or out of time (may be NULL). It must still call
 * op_done().
 */
void op_on_cancel(struct op *op, void (*fn)(void *driver_data), void *driver_data);

/* True once the starter no longer waits: a worker may stop early. Any thread. */
bool op_cancelled(const struct op *op);

/* Time left for this op. */
int64_t op_remaining_us(const struct op *op);

/* In the done callback: keeps the result; the callee frees it later. */
void *op_take(struct op *op);

#endif
