/* Operations: made here, completed by drivers through core/port/op.h. */
#ifndef IO_OP_H
#define IO_OP_H

#include "core/port/op.h"
#include "io/loop.h"

/*
 * A new op that will call on_done exactly once, from the loop; NULL only without memory. After timeout_us (0:
 * REMOTE_TIMEOUT_MS) it is delivered as
 * OUTCOME_ERRORED "timed out after …" (the driver is told to stop). The op frees itself once it was delivered
 * and the driver has called op_done().
 */
struct op *op_new(struct loop *l, int64_t timeout_us, op_done_fn *on_done, void *ctx);

/* Delivers OUTCOME_CANCELLED on the next turn, whatever the driver does. */
void op_cancel(struct op *op);

/* Forgets the callback: nothing is delivered, results are freed quietly. For owners that go away. */
void op_abandon(struct op *op);

/* Cancels every op of the loop and turns it until all drivers have completed theirs, at most max_us. */
void op_settle(struct loop *l, int64_t max_us);

/* Ops that a driver has not completed yet; 0 at a clean end. */
int op_count(const struct loop *l);

#endif
