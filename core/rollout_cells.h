/* Between rollout_table.c and rollout_cells.c: what a cell is called with, and all of them. */
#ifndef CORE_ROLLOUT_CELLS_H
#define CORE_ROLLOUT_CELLS_H

#include "core/rollout.h"

struct turn {
	struct rollout *r;
	const struct outcome *o; /* of op events, else NULL */
	int64_t now_us;
	int step; /* that a decision is about */
};

/* Reactions. */
struct reaction cell_abort(struct turn *t);
struct reaction cell_abort_later(struct turn *t);
struct reaction cell_begin(struct turn *t);
struct reaction cell_continue(struct turn *t);
struct reaction cell_deadline(struct turn *t);
struct reaction cell_errored(struct turn *t);
struct reaction cell_failed(struct turn *t);
struct reaction cell_full(struct turn *t);
struct reaction cell_gate_lost(struct turn *t);
struct reaction cell_hold(struct turn *t);
struct reaction cell_hold_now(struct turn *t);
struct reaction cell_lost(struct turn *t);
struct reaction cell_member_on(struct turn *t);
struct reaction cell_member_paused(struct turn *t);
struct reaction cell_ok(struct turn *t);
struct reaction cell_probe_no(struct turn *t);
struct reaction cell_probe_unknown(struct turn *t);
struct reaction cell_queue(struct turn *t);
struct reaction cell_resume(struct turn *t);
struct reaction cell_retry(struct turn *t);
struct reaction cell_revert_failed(struct turn *t);
struct reaction cell_revert_unknown(struct turn *t);
struct reaction cell_reverted(struct turn *t);
struct reaction cell_skip(struct turn *t);
struct reaction cell_stay(struct turn *t);
struct reaction cell_unhold(struct turn *t);
struct reaction cell_unknown(struct turn *t);
struct reaction cell_wait(struct turn *t);
struct reaction cell_withdrawn(struct turn *t);
struct reaction cell_withdrawn_paused(struct turn *t);

/* Conditions: why a decision about a step (from 0) does not fit, or NULL. */
const char *rollout_not_failed(const struct rollout *r, int step);
const char *rollout_not_held(const struct rollout *r, int step);
const char *rollout_not_skippable(const struct rollout *r, int step);
const char *rollout_no_member(const struct rollout *r, int step);
const char *rollout_nothing_left(const struct rollout *r, int step);

#endif
