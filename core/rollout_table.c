/*
 * The machine of a rollout: a cell for every state and event. CELL_DOES acts, where a condition stands beside it only
 * if that holds; CELL_LATER notes what is wanted and acts after the present step; CELL_REFUSED says why not;
 * CELL_IGNORED is an answer or a word that came too late to matter.
 */
#include "core/rollout_cells.h"

#include <stdio.h>
#include <string.h>

/* --- the table -------------------------------------------------------------------------------- */

struct entry {
	enum cell cell;
	struct reaction (*fn)(struct turn *t);
	const char *why;
	const char *(*unless)(const struct rollout *r, int step);
};

#define IF_HELD rollout_not_held, "if a hold was asked for"
#define IF_FAILED rollout_not_failed, "if its step failed or its effect is unknown"
#define IF_OPTIONAL rollout_not_skippable, "if that step is not required and not over"
#define IF_MEMBER rollout_no_member, "if it waited with a member"
#define IF_ANY_LEFT rollout_nothing_left, "if a step that is not required is left"

/* clang-format off */
#define DOES(f) {CELL_DOES, f, NULL, NULL}
#define DOES_IF(f, ...) DOES_IF_(f, __VA_ARGS__)
#define DOES_IF_(f, unless, text) {CELL_DOES, f, text, unless}
#define LATER(f, text) {CELL_LATER, f, text, NULL}
#define REFUSED(text) {CELL_REFUSED, NULL, text, NULL}
#define IGNORED {CELL_IGNORED, NULL, NULL, NULL}
/* clang-format on */

#define LATE_ANSWERS                                                                                         \
	[ROLLOUT_EV_OP_OK] = IGNORED, [ROLLOUT_EV_OP_FAILED] = IGNORED, [ROLLOUT_EV_OP_ERRORED] = IGNORED,   \
	[ROLLOUT_EV_OP_UNKNOWN] = IGNORED, [ROLLOUT_EV_DEADLINE] = IGNORED

static const struct entry table[ROLLOUT_STATE_COUNT][ROLLOUT_EVENT_COUNT] =
    {
        [ROLLOUT_PLANNED] =
            {
                [ROLLOUT_EV_START] = DOES(cell_begin),
                [ROLLOUT_EV_GATE_OPEN] = DOES(cell_queue),
                [ROLLOUT_EV_GATE_LOST] = DOES(cell_wait),
                LATE_ANSWERS,
                [ROLLOUT_EV_HOLD] = DOES(cell_hold_now),
                [ROLLOUT_EV_CONTINUE] = REFUSED("it has not begun"),
                [ROLLOUT_EV_ABORT] = DOES(cell_abort),
                [ROLLOUT_EV_RETRY] = REFUSED("it has not begun"),
                [ROLLOUT_EV_SKIP] = DOES_IF(cell_skip, IF_OPTIONAL),
                [ROLLOUT_EV_FULL] = DOES_IF(cell_full, IF_ANY_LEFT),
                [ROLLOUT_EV_WITHDRAWN] = DOES(cell_abort),
                [ROLLOUT_EV_STOPPED] = DOES(cell_hold_now),
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_begin),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
                [ROLLOUT_EV_MEMBER_PAUSED] = IGNORED,
                [ROLLOUT_EV_MEMBER_GOES_ON] = IGNORED,
            },
        [ROLLOUT_WAITING] =
            {
                [ROLLOUT_EV_START] = REFUSED("its gates are not open"),
                [ROLLOUT_EV_GATE_OPEN] = DOES(cell_queue),
                [ROLLOUT_EV_GATE_LOST] = IGNORED,
                LATE_ANSWERS,
                [ROLLOUT_EV_HOLD] = DOES(cell_hold_now),
                [ROLLOUT_EV_CONTINUE] = REFUSED("it waits for its gates"),
                [ROLLOUT_EV_ABORT] = DOES(cell_abort),
                [ROLLOUT_EV_RETRY] = REFUSED("it has not begun"),
                [ROLLOUT_EV_SKIP] = DOES_IF(cell_skip, IF_OPTIONAL),
                [ROLLOUT_EV_FULL] = DOES_IF(cell_full, IF_ANY_LEFT),
                [ROLLOUT_EV_WITHDRAWN] = DOES(cell_abort),
                [ROLLOUT_EV_STOPPED] = DOES(cell_hold_now),
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_stay),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
                [ROLLOUT_EV_MEMBER_PAUSED] = IGNORED,
                [ROLLOUT_EV_MEMBER_GOES_ON] = IGNORED,
            },
        [ROLLOUT_QUEUED] =
            {
                [ROLLOUT_EV_START] = DOES(cell_begin),
                [ROLLOUT_EV_GATE_OPEN] = IGNORED,
                [ROLLOUT_EV_GATE_LOST] = DOES(cell_wait),
                LATE_ANSWERS,
                [ROLLOUT_EV_HOLD] = DOES(cell_hold_now),
                [ROLLOUT_EV_CONTINUE] = REFUSED("it waits for its turn"),
                [ROLLOUT_EV_ABORT] = DOES(cell_abort),
                [ROLLOUT_EV_RETRY] = REFUSED("it has not begun"),
                [ROLLOUT_EV_SKIP] = DOES_IF(cell_skip, IF_OPTIONAL),
                [ROLLOUT_EV_FULL] = DOES_IF(cell_full, IF_ANY_LEFT),
                [ROLLOUT_EV_WITHDRAWN] = DOES(cell_abort),
                [ROLLOUT_EV_STOPPED] = DOES(cell_hold_now),
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_begin),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
                [ROLLOUT_EV_MEMBER_PAUSED] = IGNORED,
                [ROLLOUT_EV_MEMBER_GOES_ON] = IGNORED,
            },
        [ROLLOUT_RUNNING] =
            {
                [ROLLOUT_EV_START] = DOES(cell_resume),
                [ROLLOUT_EV_GATE_OPEN] = IGNORED,
                [ROLLOUT_EV_GATE_LOST] = LATER(cell_gate_lost, "holds after the present step"),
                [ROLLOUT_EV_OP_OK] = DOES(cell_ok),
                [ROLLOUT_EV_OP_FAILED] = DOES(cell_failed),
                [ROLLOUT_EV_OP_ERRORED] = DOES(cell_errored),
                [ROLLOUT_EV_OP_UNKNOWN] = DOES(cell_unknown),
                [ROLLOUT_EV_DEADLINE] = DOES(cell_deadline),
                [ROLLOUT_EV_HOLD] = LATER(cell_hold, "holds after the present step"),
                [ROLLOUT_EV_CONTINUE] = DOES_IF(cell_unhold, IF_HELD),
                [ROLLOUT_EV_ABORT] = LATER(cell_abort_later, "aborts after the present step"),
                [ROLLOUT_EV_RETRY] = REFUSED("its step still runs: hold or abort it first"),
                [ROLLOUT_EV_SKIP] = DOES_IF(cell_skip, IF_OPTIONAL),
                [ROLLOUT_EV_FULL] = DOES_IF(cell_full, IF_ANY_LEFT),
                [ROLLOUT_EV_WITHDRAWN] =
                    LATER(cell_withdrawn,
                          "ends after the present step if nothing was changed yet, else holds"),
                [ROLLOUT_EV_STOPPED] = LATER(cell_hold, "holds after the present step"),
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_resume),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
                [ROLLOUT_EV_MEMBER_PAUSED] = DOES(cell_member_paused),
                [ROLLOUT_EV_MEMBER_GOES_ON] = IGNORED,
            },
        [ROLLOUT_PROBING] =
            {
                [ROLLOUT_EV_START] = DOES(cell_resume),
                [ROLLOUT_EV_GATE_OPEN] = IGNORED,
                [ROLLOUT_EV_GATE_LOST] = LATER(cell_gate_lost, "holds after the present step"),
                [ROLLOUT_EV_OP_OK] = DOES(cell_ok),
                [ROLLOUT_EV_OP_FAILED] = DOES(cell_probe_no),
                [ROLLOUT_EV_OP_ERRORED] = DOES(cell_probe_unknown),
                [ROLLOUT_EV_OP_UNKNOWN] = DOES(cell_probe_unknown),
                [ROLLOUT_EV_DEADLINE] = DOES(cell_probe_unknown),
                [ROLLOUT_EV_HOLD] = LATER(cell_hold, "holds after the present step"),
                [ROLLOUT_EV_CONTINUE] = DOES_IF(cell_unhold, IF_HELD),
                [ROLLOUT_EV_ABORT] = LATER(cell_abort_later, "aborts once it is known what happened"),
                [ROLLOUT_EV_RETRY] = REFUSED("its step still runs: hold or abort it first"),
                [ROLLOUT_EV_SKIP] = DOES_IF(cell_skip, IF_OPTIONAL),
                [ROLLOUT_EV_FULL] = DOES_IF(cell_full, IF_ANY_LEFT),
                [ROLLOUT_EV_WITHDRAWN] =
                    LATER(cell_withdrawn,
                          "ends after the present step if nothing was changed yet, else holds"),
                [ROLLOUT_EV_STOPPED] = LATER(cell_hold, "holds after the present step"),
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_resume),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
                [ROLLOUT_EV_MEMBER_PAUSED] = IGNORED,
                [ROLLOUT_EV_MEMBER_GOES_ON] = IGNORED,
            },
        [ROLLOUT_PAUSED] =
            {
                [ROLLOUT_EV_START] = DOES(cell_stay),
                [ROLLOUT_EV_GATE_OPEN] = IGNORED,
                [ROLLOUT_EV_GATE_LOST] = IGNORED,
                LATE_ANSWERS,
                [ROLLOUT_EV_HOLD] = REFUSED("it is paused already"),
                [ROLLOUT_EV_CONTINUE] = DOES(cell_continue),
                [ROLLOUT_EV_ABORT] = DOES(cell_abort),
                [ROLLOUT_EV_RETRY] = DOES_IF(cell_retry, IF_FAILED),
                [ROLLOUT_EV_SKIP] = DOES_IF(cell_skip, IF_OPTIONAL),
                [ROLLOUT_EV_FULL] = DOES(cell_full),
                [ROLLOUT_EV_WITHDRAWN] = DOES(cell_withdrawn_paused),
                [ROLLOUT_EV_STOPPED] = IGNORED,
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_stay),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
                [ROLLOUT_EV_MEMBER_PAUSED] = IGNORED,
                [ROLLOUT_EV_MEMBER_GOES_ON] = DOES_IF(cell_member_on, IF_MEMBER),
            },
        [ROLLOUT_VERIFYING] =
            {
                [ROLLOUT_EV_START] = DOES(cell_resume),
                [ROLLOUT_EV_GATE_OPEN] = IGNORED,
                [ROLLOUT_EV_GATE_LOST] = LATER(cell_gate_lost, "holds after the present step"),
                [ROLLOUT_EV_OP_OK] = DOES(cell_ok),
                [ROLLOUT_EV_OP_FAILED] = DOES(cell_failed),
                [ROLLOUT_EV_OP_ERRORED] = DOES(cell_errored),
                [ROLLOUT_EV_OP_UNKNOWN] = DOES(cell_unknown),
                [ROLLOUT_EV_DEADLINE] = DOES(cell_failed),
                [ROLLOUT_EV_HOLD] = LATER(cell_hold, "holds after the present step"),
                [ROLLOUT_EV_CONTINUE] = DOES_IF(cell_unhold, IF_HELD),
                [ROLLOUT_EV_ABORT] = LATER(cell_abort_later, "aborts after the present step"),
                [ROLLOUT_EV_RETRY] = REFUSED("its step still runs: hold or abort it first"),
                [ROLLOUT_EV_SKIP] = DOES_IF(cell_skip, IF_OPTIONAL),
                [ROLLOUT_EV_FULL] = DOES_IF(cell_full, IF_ANY_LEFT),
                [ROLLOUT_EV_WITHDRAWN] =
                    LATER(cell_withdrawn,
                          "ends after the present step if nothing was changed yet, else holds"),
                [ROLLOUT_EV_STOPPED] = LATER(cell_hold, "holds after the present step"),
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_resume),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
                [ROLLOUT_EV_MEMBER_PAUSED] = IGNORED,
                [ROLLOUT_EV_MEMBER_GOES_ON] = IGNORED,
            },
        [ROLLOUT_REVERTING] =
            {
                [ROLLOUT_EV_START] = DOES(cell_resume),
                [ROLLOUT_EV_GATE_OPEN] = IGNORED,
                [ROLLOUT_EV_GATE_LOST] = IGNORED,
                [ROLLOUT_EV_OP_OK] = DOES(cell_reverted),
                [ROLLOUT_EV_OP_FAILED] = DOES(cell_revert_failed),
                [ROLLOUT_EV_OP_ERRORED] = DOES(cell_revert_unknown),
                [ROLLOUT_EV_OP_UNKNOWN] = DOES(cell_revert_unknown),
                [ROLLOUT_EV_DEADLINE] = DOES(cell_revert_unknown),
                [ROLLOUT_EV_HOLD] = REFUSED("the earlier release is being put back"),
                [ROLLOUT_EV_CONTINUE] = REFUSED("the earlier release is being put back"),
                [ROLLOUT_EV_ABORT] = REFUSED("the earlier release is being put back already"),
                [ROLLOUT_EV_RETRY] = REFUSED("the earlier release is being put back"),
                [ROLLOUT_EV_SKIP] = REFUSED("the earlier release is being put back"),
                [ROLLOUT_EV_FULL] = REFUSED("the earlier release is being put back"),
                [ROLLOUT_EV_WITHDRAWN] = IGNORED,
                [ROLLOUT_EV_STOPPED] = IGNORED,
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_resume),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
                [ROLLOUT_EV_MEMBER_PAUSED] = DOES(cell_member_paused),
                [ROLLOUT_EV_MEMBER_GOES_ON] = IGNORED,
            },
        [ROLLOUT_ENDED] =
            {
                [ROLLOUT_EV_START] = REFUSED("it has ended"),
                [ROLLOUT_EV_GATE_OPEN] = IGNORED,
                [ROLLOUT_EV_GATE_LOST] = IGNORED,
                LATE_ANSWERS,
                [ROLLOUT_EV_HOLD] = REFUSED("it has ended"),
                [ROLLOUT_EV_CONTINUE] = REFUSED("it has ended"),
                [ROLLOUT_EV_ABORT] = REFUSED("it has ended"),
                [ROLLOUT_EV_RETRY] = REFUSED("it has ended: make a new plan"),
                [ROLLOUT_EV_SKIP] = REFUSED("it has ended: make a new plan"),
                [ROLLOUT_EV_FULL] = REFUSED("it has ended: make a new plan"),
                [ROLLOUT_EV_WITHDRAWN] = IGNORED,
                [ROLLOUT_EV_STOPPED] = IGNORED,
                [ROLLOUT_EV_TAKE_OVER] = REFUSED("it has ended"),
                [ROLLOUT_EV_LEASE_LOST] = IGNORED,
                [ROLLOUT_EV_MEMBER_PAUSED] = IGNORED,
                [ROLLOUT_EV_MEMBER_GOES_ON] = IGNORED,
            },
};

struct reaction rollout_cell(enum rollout_state s, enum rollout_event e)
{
	const struct entry *c = &table[s][e];

	return (struct reaction){c->cell, EFFECT_NONE, c->why};
}

static struct reaction answer(struct turn *t, enum rollout_event e)
{
	const struct entry *c = &table[t->r->state][e];
	const char *no = c->unless != NULL ? c->unless(t->r, t->step) : NULL;

	if (no != NULL)
		return (struct reaction){CELL_REFUSED, EFFECT_NONE, no};
	if (c->fn == NULL)
		return (struct reaction){c->cell, EFFECT_NONE, c->why};
	return c->fn(t);
}

struct reaction rollout_next(struct rollout *r, enum rollout_event e, const struct outcome *o, int64_t now_us)
{
	struct turn t = {.r = r, .o = o, .now_us = now_us, .step = r->at_step};

	return answer(&t, e);
}

/* --- what people decide ------------------------------------------------------------------------ */

bool rollout_event_of(enum decision_kind k, enum rollout_event *ret)
{
	static const enum rollout_event events[DECISION_KIND_COUNT] = {
	    [DECISION_HOLD] = ROLLOUT_EV_HOLD,           [DECISION_CONTINUE] = ROLLOUT_EV_CONTINUE,
	    [DECISION_ABORT] = ROLLOUT_EV_ABORT,         [DECISION_RETRY] = ROLLOUT_EV_RETRY,
	    [DECISION_SKIP] = ROLLOUT_EV_SKIP,           [DECISION_FULL] = ROLLOUT_EV_FULL,
	    [DECISION_TAKE_OVER] = ROLLOUT_EV_TAKE_OVER, [DECISION_WITHDRAW] = ROLLOUT_EV_WITHDRAWN,
	    [DECISION_REJECT] = ROLLOUT_EV_WITHDRAWN,    [DECISION_STOP] = ROLLOUT_EV_STOPPED,
	};

	/* None of them is event 0: that is the start. */
	if ((unsigned)k >= DECISION_KIND_COUNT || events[k] == ROLLOUT_EV_START)
		return false;
	*ret = events[k];
	return true;
}

static int step_of(const struct rollout *r, const struct decision *d)
{
	return d->step > 0 ? d->step - 1 : r->at_step;
}

/* Said beside the pause or the end that it leads to. */
static void why_of(const struct decision *d, char *dst, size_t cap)
{
	const char *does = d->kind == DECISION_WITHDRAW ? "withdrew the approval"
	                   : d->kind == DECISION_REJECT ? "rejected the plan"
	                   : d->kind == DECISION_STOP   ? "stopped all rollouts"
	                                                : "";

	if (d->actor[0] == '\0' || (does[0] == '\0' && d->reason[0] == '\0'))
		dst[0] = '\0';
	else
		snprintf(dst, cap, "%s%s%s%s%.80s", d->actor, does[0] != '\0' ? " " : "", does,
		         d->reason[0] != '\0' ? ": " : "", d->reason);
}

struct reaction rollout_judge(const struct rollout *r, const struct decision *d)
{
	const struct entry *c;
	enum rollout_event e;
	const char *no;

	if (!rollout_event_of(d->kind, &e))
		return (struct reaction){CELL_IGNORED, EFFECT_NONE, "it is not about a rollout"};
	c = &table[r->state][e];
	no = c->unless != NULL ? c->unless(r, step_of(r, d)) : NULL;
	return (struct reaction){no != NULL ? CELL_REFUSED : c->cell, EFFECT_NONE,
	                         no != NULL             ? no
	                         : c->cell == CELL_DOES ? NULL
	                                                : c->why};
}

struct reaction rollout_decide(struct rollout *r, const struct decision *d, int64_t now_us)
{
	struct turn t = {.r = r, .now_us = now_us, .step = step_of(r, d)};
	struct reaction may = rollout_judge(r, d);
	enum rollout_event e;

	if (may.cell == CELL_REFUSED || may.cell == CELL_IGNORED || !rollout_event_of(d->kind, &e))
		return may;
	if (e == ROLLOUT_EV_HOLD || e == ROLLOUT_EV_ABORT || e == ROLLOUT_EV_WITHDRAWN ||
	    e == ROLLOUT_EV_STOPPED)
		why_of(d, r->want_why, sizeof(r->want_why));
	return answer(&t, e);
}

void rollout_unbegin(struct rollout *r)
{
	struct step_run *run = &r->runs[r->at_step];

	if (run->state != STEP_RUNS)
		return;
	run->state = STEP_WAITS;
	run->attempt--;
	if (run->attempt == 0)
		run->started_us = 0;
}

void rollout_happened(struct rollout *r)
{
	if (r->state == ROLLOUT_PROBING)
		r->state = ROLLOUT_RUNNING;
}

void rollout_want(struct rollout *r, enum decision_kind k)
{
	if (k == DECISION_HOLD)
		r->hold_wanted = true;
	else if (k == DECISION_CONTINUE || k == DECISION_RETRY || k == DECISION_FULL)
		r->hold_wanted = false;
	else if (k == DECISION_ABORT)
		r->abort_wanted = true;
}
