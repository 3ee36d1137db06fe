/*
 * The table below has a function for every state and event: CELL_DOES acts,
 * CELL_LATER notes what is wanted and acts after the present step, CELL_REFUSED
 * says why not, CELL_IGNORED is an answer that came too late to matter.
 */
#include "core/rollout.h"

#include "core/text.h"

#include <stdio.h>
#include <string.h>

enum { REPEATS_MAX = 8 }; /* of a step that a probe showed not done: crashes, not failures */

static const char *const state_names[ROLLOUT_STATE_COUNT] = {
    [ROLLOUT_PLANNED] = "planned",     [ROLLOUT_WAITING] = "waiting",     [ROLLOUT_QUEUED] = "queued",
    [ROLLOUT_RUNNING] = "running",     [ROLLOUT_PROBING] = "probing",     [ROLLOUT_PAUSED] = "paused",
    [ROLLOUT_VERIFYING] = "verifying", [ROLLOUT_REVERTING] = "reverting", [ROLLOUT_ENDED] = "ended",
};
static const char *const event_names[ROLLOUT_EVENT_COUNT] = {
    [ROLLOUT_EV_START] = "start",
    [ROLLOUT_EV_GATE_OPEN] = "gate-open",
    [ROLLOUT_EV_GATE_LOST] = "gate-lost",
    [ROLLOUT_EV_OP_OK] = "op-ok",
    [ROLLOUT_EV_OP_FAILED] = "op-failed",
    [ROLLOUT_EV_OP_ERRORED] = "op-errored",
    [ROLLOUT_EV_OP_UNKNOWN] = "op-unknown",
    [ROLLOUT_EV_DEADLINE] = "deadline",
    [ROLLOUT_EV_HOLD] = "hold",
    [ROLLOUT_EV_CONTINUE] = "continue",
    [ROLLOUT_EV_ABORT] = "abort",
    [ROLLOUT_EV_TAKE_OVER] = "take-over",
    [ROLLOUT_EV_LEASE_LOST] = "lease-lost",
};
static const char *const run_names[] = {
    [STEP_WAITS] = "waits",
    [STEP_RUNS] = "runs",
    [STEP_DONE] = "done",
    [STEP_STATE_FAILED] = "failed",
    [STEP_STATE_UNKNOWN] = "unknown",
    [STEP_SKIPPED] = "skipped",
    [STEP_UNDONE] = "undone",
};

const char *rollout_state_name(enum rollout_state s)
{
	return (unsigned)s < ROLLOUT_STATE_COUNT ? state_names[s] : "?";
}

const char *rollout_event_name(enum rollout_event e)
{
	return (unsigned)e < ROLLOUT_EVENT_COUNT ? event_names[e] : "?";
}

const char *step_state_name(enum step_state s)
{
	return (size_t)s < ARRAY_LEN(run_names) ? run_names[s] : "?";
}

bool rollout_is_live(const struct rollout *r) { return r->state != ROLLOUT_ENDED; }

bool rollout_touched(const struct rollout *r)
{
	for (int i = 0; i < r->n_steps; i++)
		if ((r->steps[i].kind == STEP_STAGE || r->steps[i].kind == STEP_DEPLOY) &&
		    r->runs[i].state != STEP_WAITS)
			return true;
	return false;
}

/* True once anything but reading and locking has begun. */
static bool changed_anything(const struct rollout *r)
{
	for (int i = 0; i < r->n_steps; i++)
		if (r->steps[i].kind == STEP_MIGRATE && r->runs[i].state != STEP_WAITS)
			return true;
	return rollout_touched(r);
}

/* --- building blocks of the reactions --------------------------------------------------------- */

struct turn {
	struct rollout *r;
	const struct outcome *o; /* of op events, else NULL */
	int64_t now_us;
};

static struct reaction does(enum effect_kind effect) { return (struct reaction){CELL_DOES, effect, NULL}; }

static const char *said(const struct turn *t) { return t->o != NULL ? t->o->text : ""; }

static void step_close(struct turn *t, enum step_state state)
{
	struct step_run *run = &t->r->runs[t->r->at_step];

	run->state = state;
	run->ended_us = t->now_us;
	t->r->child[0] = '\0';
	if (t->o != NULL && t->o->text[0] != '\0')
		str_copy(run->text, sizeof(run->text), t->o->text);
}

static struct reaction end(struct turn *t, enum outcome_kind outcome)
{
	t->r->state = ROLLOUT_ENDED;
	t->r->outcome = outcome;
	t->r->ended_us = t->now_us;
	t->r->hold_wanted = t->r->abort_wanted = false;
	return does(EFFECT_END);
}

static struct reaction pause(struct turn *t)
{
	t->r->state = ROLLOUT_PAUSED;
	t->r->hold_wanted = false;
	return does(EFFECT_NONE);
}

static struct reaction run_step(struct turn *t)
{
	struct rollout *r = t->r;
	struct step_run *run = &r->runs[r->at_step];
	enum step_kind kind = r->steps[r->at_step].kind;

	r->state = kind == STEP_VERIFY || kind == STEP_SMOKE ? ROLLOUT_VERIFYING : ROLLOUT_RUNNING;
	if (r->started_us == 0)
		r->started_us = t->now_us;
	if (run->started_us == 0)
		run->started_us = t->now_us;
	run->ended_us = 0;
	run->state = STEP_RUNS;
	run->attempt++;
	r->text[0] = '\0';
	return does(EFFECT_RUN_STEP);
}

static struct reaction probe_step(struct turn *t)
{
	t->r->state = ROLLOUT_PROBING;
	t->r->runs[t->r->at_step].state = STEP_RUNS;
	t->r->text[0] = '\0';
	return does(EFFECT_PROBE_STEP);
}

/* Puts the earlier release back, where there is one and the service was touched. */
static bool can_revert(const struct rollout *r)
{
	return r->kind == PLAN_PROMOTE && r->from.digest[0] != '\0' && rollout_touched(r);
}

static struct reaction revert(struct turn *t)
{
	t->r->state = ROLLOUT_REVERTING;
	return does(EFFECT_REVERT);
}

/* The person wants it to end: what was begun stays as it is, a rollback is a plan of its own. */
static struct reaction stop_by_abort(struct turn *t)
{
	struct rollout *r = t->r;

	snprintf(r->text, sizeof(r->text), "aborted %s step %s%s",
	         r->runs[r->at_step].state == STEP_WAITS ? "before" : "at",
	         step_kind_name(r->steps[r->at_step].kind),
	         rollout_touched(r) ? ": what was begun stays as it is" : ": nothing was changed that runs");
	return end(t, OUTCOME_CANCELLED);
}

static struct reaction advance(struct turn *t)
{
	struct rollout *r = t->r;

	r->at_step++;
	if (r->at_step >= r->n_steps) {
		snprintf(r->text, sizeof(r->text), "%s runs in %s",
		         r->to.tag[0] != '\0' ? r->to.tag : "the release", r->env);
		return end(t, OUTCOME_OK);
	}
	if (r->abort_wanted)
		return stop_by_abort(t);
	if (r->hold_wanted) {
		snprintf(r->text, sizeof(r->text), "held before step %s",
		         step_kind_name(r->steps[r->at_step].kind));
		return pause(t);
	}
	return run_step(t);
}

static struct reaction step_failed(struct turn *t)
{
	struct rollout *r = t->r;
	const char *step = step_kind_name(r->steps[r->at_step].kind);
	const char *target = r->steps[r->at_step].target;

	step_close(t, STEP_STATE_FAILED);
	snprintf(r->text, sizeof(r->text), "%s%s%s failed: %.300s", step, target[0] != '\0' ? " " : "",
	         target, said(t));
	if (!changed_anything(r))
		return end(t, OUTCOME_FAILED);
	if (r->abort_wanted)
		return stop_by_abort(t);
	if (r->kind == PLAN_ROLLBACK || r->on_failure == ON_FAILURE_PAUSE)
		return pause(t);
	if (r->on_failure == ON_FAILURE_ROLLBACK && can_revert(r))
		return revert(t);
	return end(t, OUTCOME_FAILED);
}

static struct reaction pause_unknown(struct turn *t)
{
	struct rollout *r = t->r;
	const struct step *s = &r->steps[r->at_step];

	step_close(t, STEP_STATE_UNKNOWN);
	if (r->abort_wanted)
		return stop_by_abort(t);
	snprintf(r->text, sizeof(r->text),
	         "nobody can tell whether %s %s happened: %.180s; look, then continue %s",
	         step_kind_name(s->kind), s->target, said(t)[0] != '\0' ? said(t) : "its process ended",
	         s->class == STEP_OPAQUE ? "does it again" : "asks again");
	return pause(t);
}

static struct reaction step_errored(struct turn *t)
{
	struct rollout *r = t->r;
	struct step_run *run = &r->runs[r->at_step];

	if (t->o != NULL)
		str_copy(run->text, sizeof(run->text), t->o->text);
	if (r->abort_wanted) {
		step_close(t, STEP_STATE_FAILED);
		return stop_by_abort(t);
	}
	if (run->attempt < r->steps[r->at_step].attempts_max)
		return run_step(t);
	step_close(t, STEP_STATE_FAILED);
	snprintf(r->text, sizeof(r->text), "%s could not be done: %.250s; continue tries again",
	         step_kind_name(r->steps[r->at_step].kind), said(t));
	return pause(t);
}

static struct reaction step_unknown(struct turn *t)
{
	struct rollout *r = t->r;

	switch (r->steps[r->at_step].class) {
	case STEP_READ:
	case STEP_KEYED: return step_errored(t); /* doing it again is doing it once */
	case STEP_PROBED: return probe_step(t);
	case STEP_OPAQUE: break;
	}
	return pause_unknown(t);
}

/* Goes on from where the journal ends: what was begun and not ended is probed, repeated or asked about. */
static struct reaction resume(struct turn *t)
{
	struct rollout *r = t->r;

	if (r->state == ROLLOUT_REVERTING)
		return does(EFFECT_REVERT);
	if (r->runs[r->at_step].state != STEP_RUNS) {
		if (r->abort_wanted)
			return stop_by_abort(t);
		if (r->hold_wanted) {
			snprintf(r->text, sizeof(r->text), "held before step %s",
			         step_kind_name(r->steps[r->at_step].kind));
			return pause(t);
		}
		return run_step(t);
	}
	switch (r->steps[r->at_step].class) {
	case STEP_READ:
	case STEP_KEYED: return run_step(t);
	case STEP_PROBED: return probe_step(t);
	case STEP_OPAQUE: break;
	}
	return pause_unknown(t);
}

/* --- the cells -------------------------------------------------------------------------------- */

static struct reaction cell_begin(struct turn *t) { return run_step(t); }
static struct reaction cell_resume(struct turn *t) { return resume(t); }
static struct reaction cell_stay(struct turn *t)
{
	UNUSED(t);
	return does(EFFECT_NONE);
}

static struct reaction cell_queue(struct turn *t)
{
	t->r->state = ROLLOUT_QUEUED;
	return does(EFFECT_NONE);
}

static struct reaction cell_wait(struct turn *t)
{
	t->r->state = ROLLOUT_WAITING;
	return does(EFFECT_NONE);
}

static struct reaction cell_ok(struct turn *t)
{
	step_close(t, STEP_DONE);
	return advance(t);
}

static struct reaction cell_failed(struct turn *t) { return step_failed(t); }
static struct reaction cell_errored(struct turn *t) { return step_errored(t); }
static struct reaction cell_unknown(struct turn *t) { return step_unknown(t); }

static struct reaction cell_deadline(struct turn *t)
{
	return t->r->steps[t->r->at_step].class == STEP_READ ? step_errored(t) : step_unknown(t);
}

/* A probe's no: the step did not happen, so it is done now. */
static struct reaction cell_probe_no(struct turn *t)
{
	struct rollout *r = t->r;

	if (r->abort_wanted) {
		step_close(t, STEP_WAITS);
		return stop_by_abort(t);
	}
	if (r->runs[r->at_step].attempt >= MAX(r->steps[r->at_step].attempts_max, (int)REPEATS_MAX))
		return step_failed(t);
	return run_step(t);
}

static struct reaction cell_probe_unknown(struct turn *t) { return pause_unknown(t); }

static struct reaction cell_hold(struct turn *t)
{
	t->r->hold_wanted = true;
	return (struct reaction){CELL_LATER, EFFECT_NONE, "holds after the present step"};
}

static struct reaction cell_hold_now(struct turn *t)
{
	snprintf(t->r->text, sizeof(t->r->text), "held before it began");
	return pause(t);
}

static struct reaction cell_unhold(struct turn *t)
{
	t->r->hold_wanted = false;
	return does(EFFECT_NONE);
}

static struct reaction cell_continue(struct turn *t)
{
	struct rollout *r = t->r;

	if (r->runs[r->at_step].state == STEP_STATE_UNKNOWN && r->steps[r->at_step].class == STEP_PROBED)
		return probe_step(t);
	return run_step(t);
}

static struct reaction cell_abort_later(struct turn *t)
{
	t->r->abort_wanted = true;
	return (struct reaction){CELL_LATER, EFFECT_NONE, "aborts after the present step"};
}

static struct reaction cell_abort(struct turn *t) { return stop_by_abort(t); }

static struct reaction cell_lost(struct turn *t)
{
	UNUSED(t);
	return does(EFFECT_STOP);
}

static struct reaction cell_gate_lost(struct turn *t)
{
	t->r->hold_wanted = true;
	return (struct reaction){CELL_LATER, EFFECT_NONE, "a gate closed: holds after the present step"};
}

static struct reaction cell_reverted(struct turn *t)
{
	struct rollout *r = t->r;
	char why[TEXT_LEN];

	for (int i = 0; i < r->n_steps; i++)
		if ((r->steps[i].kind == STEP_STAGE || r->steps[i].kind == STEP_DEPLOY) &&
		    r->runs[i].state != STEP_WAITS)
			r->runs[i].state = STEP_UNDONE;
	r->rolled_back = true;
	str_copy(why, sizeof(why), r->text);
	snprintf(r->text, sizeof(r->text), "%.300s; %s is back", why,
	         r->from.tag[0] != '\0' ? r->from.tag : "the earlier release");
	return end(t, OUTCOME_FAILED);
}

static void revert_broke(struct turn *t)
{
	char why[TEXT_LEN];

	str_copy(why, sizeof(why), t->r->text);
	snprintf(t->r->text, sizeof(t->r->text), "%.180s; the earlier release could not be put back: %.150s",
	         why, said(t));
}

static struct reaction cell_revert_failed(struct turn *t)
{
	revert_broke(t);
	return end(t, OUTCOME_FAILED);
}

static struct reaction cell_revert_unknown(struct turn *t)
{
	revert_broke(t);
	return end(t, OUTCOME_UNKNOWN);
}

/* --- the table -------------------------------------------------------------------------------- */

struct entry {
	enum cell cell;
	struct reaction (*fn)(struct turn *t);
	const char *why;
};

/* clang-format off */
#define DOES(f) {CELL_DOES, f, NULL}
#define LATER(f, text) {CELL_LATER, f, text}
#define REFUSED(text) {CELL_REFUSED, NULL, text}
#define IGNORED {CELL_IGNORED, NULL, NULL}
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
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_begin),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
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
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_stay),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
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
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_begin),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
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
                [ROLLOUT_EV_CONTINUE] = DOES(cell_unhold),
                [ROLLOUT_EV_ABORT] = LATER(cell_abort_later, "aborts after the present step"),
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_resume),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
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
                [ROLLOUT_EV_CONTINUE] = DOES(cell_unhold),
                [ROLLOUT_EV_ABORT] = LATER(cell_abort_later, "aborts once it is known what happened"),
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_resume),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
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
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_stay),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
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
                [ROLLOUT_EV_CONTINUE] = DOES(cell_unhold),
                [ROLLOUT_EV_ABORT] = LATER(cell_abort_later, "aborts after the present step"),
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_resume),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
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
                [ROLLOUT_EV_TAKE_OVER] = DOES(cell_resume),
                [ROLLOUT_EV_LEASE_LOST] = DOES(cell_lost),
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
                [ROLLOUT_EV_TAKE_OVER] = REFUSED("it has ended"),
                [ROLLOUT_EV_LEASE_LOST] = IGNORED,
            },
};

struct reaction rollout_cell(enum rollout_state s, enum rollout_event e)
{
	const struct entry *c = &table[s][e];

	return (struct reaction){c->cell, EFFECT_NONE, c->why};
}

struct reaction rollout_next(struct rollout *r, enum rollout_event e, const struct outcome *o, int64_t now_us)
{
	const struct entry *c = &table[r->state][e];
	struct turn t = {r, o, now_us};

	if (c->fn == NULL)
		return (struct reaction){c->cell, EFFECT_NONE, c->why};
	return c->fn(&t);
}

void rollout_init(struct rollout *r, const char *id, const struct plan *p, const char *requester,
                  int64_t now_us)
{
	memset(r, 0, sizeof(*r));
	str_copy(r->id, sizeof(r->id), id);
	r->kind = p->kind;
	str_copy(r->plan, sizeof(r->plan), p->digest);
	str_copy(r->service, sizeof(r->service), p->service);
	str_copy(r->env, sizeof(r->env), p->env);
	r->from = p->from;
	r->to = p->to;
	str_copy(r->requester, sizeof(r->requester), requester);
	str_copy(r->reason, sizeof(r->reason), p->reason);
	r->state = ROLLOUT_PLANNED;
	r->on_failure = p->policy.on_failure;
	r->created_us = now_us;
	r->n_steps = MIN(p->n_steps, STEPS_MAX);
	for (int i = 0; i < r->n_steps; i++)
		r->steps[i] = p->steps[i];
}

void rollout_progress(const struct rollout *r, int *ret_done, int *ret_all)
{
	*ret_done = 0;
	for (int i = 0; i < r->n_steps; i++)
		*ret_done += r->runs[i].state == STEP_DONE || r->runs[i].state == STEP_SKIPPED;
	*ret_all = r->n_steps;
}

/* --- as a value ------------------------------------------------------------------------------- */

struct jv *rollout_to_jv(struct arena *a, const struct rollout *r)
{
	struct jv *o = jv_obj(a), *steps = jv_arr(a);

	jv_set_str(a, o, "id", r->id);
	jv_set_str(a, o, "kind", plan_kind_name(r->kind));
	jv_set_str(a, o, "plan", r->plan);
	jv_set_str(a, o, "service", r->service);
	jv_set_str(a, o, "env", r->env);
	jv_set(a, o, "from", release_to_jv(a, &r->from));
	jv_set(a, o, "to", release_to_jv(a, &r->to));
	jv_set_str(a, o, "requester", r->requester);
	jv_set_str(a, o, "reason", r->reason);
	jv_set_str(a, o, "state", rollout_state_name(r->state));
	jv_set(a, o, "outcome", r->state == ROLLOUT_ENDED ? jv_str(a, outcome_name(r->outcome)) : jv_null(a));
	jv_set_bool(a, o, "rolled_back", r->rolled_back);
	jv_set_bool(a, o, "hold_wanted", r->hold_wanted);
	jv_set_bool(a, o, "abort_wanted", r->abort_wanted);
	jv_set_int(a, o, "seen_seq", r->seen_seq);
	jv_set_str(a, o, "child", r->child);
	jv_set_str(a, o, "on_failure", on_failure_name(r->on_failure));
	jv_set_str(a, o, "text", r->text);
	jv_set_int(a, o, "created_us", r->created_us);
	jv_set_int(a, o, "started_us", r->started_us);
	jv_set_int(a, o, "ended_us", r->ended_us);
	jv_set_int(a, o, "at_step", r->at_step);
	jv_set_str(a, o, "holder", r->holder);
	jv_set_int(a, o, "epoch", r->epoch);
	jv_set_int(a, o, "lease_until_us", r->lease_until_us);
	jv_set_bool(a, o, "orphaned", r->orphaned);
	for (int i = 0; i < r->n_steps; i++) {
		const struct step *s = &r->steps[i];
		const struct step_run *run = &r->runs[i];
		struct jv *v = jv_obj(a);

		jv_set_str(a, v, "kind", step_kind_name(s->kind));
		jv_set_str(a, v, "class", step_class_name(s->class));
		jv_set_str(a, v, "target", s->target);
		jv_set_int(a, v, "timeout_us", s->timeout_us);
		jv_set_int(a, v, "attempts_max", s->attempts_max);
		jv_set_bool(a, v, "safe_to_abort", s->safe_to_abort);
		jv_set_int(a, v, "expect_us", s->expect_us);
		jv_set_str(a, v, "state", step_state_name(run->state));
		jv_set_int(a, v, "attempt", run->attempt);
		jv_set_int(a, v, "started_us", run->started_us);
		jv_set_int(a, v, "ended_us", run->ended_us);
		jv_set_int(a, v, "progress", run->progress);
		jv_set_int(a, v, "progress_of", run->progress_of);
		jv_set_str(a, v, "text", run->text);
		jv_push(a, steps, v);
	}
	jv_set(a, o, "steps", steps);
	return o;
}

/* Index of the word that name(i) gives; -1 where none is. */
static int word_index(const char *word, int n, const char *(*name)(int i))
{
	for (int i = 0; i < n; i++)
		if (strcmp(word, name(i)) == 0)
			return i;
	return -1;
}
static const char *kind_word(int i) { return plan_kind_name((enum plan_kind)i); }
static const char *state_word(int i) { return rollout_state_name((enum rollout_state)i); }
static const char *step_word(int i) { return step_kind_name((enum step_kind)i); }
static const char *class_word(int i) { return step_class_name((enum step_class)i); }
static const char *run_word(int i) { return step_state_name((enum step_state)i); }
static const char *failure_word(int i) { return on_failure_name((enum on_failure)i); }

#define CLEAN(dst, obj, key) text_cleanz(dst, sizeof(dst), jv_get_text(obj, key, ""))

static bool step_from_jv(const struct jv *v, struct step *s, struct step_run *run)
{
	int kind = word_index(jv_get_text(v, "kind", ""), STEP_KIND_COUNT, step_word);
	int class = word_index(jv_get_text(v, "class", ""), STEP_OPAQUE + 1, class_word);
	int state = word_index(jv_get_text(v, "state", ""), (int)ARRAY_LEN(run_names), run_word);

	if (kind < 0 || class < 0 || state < 0)
		return false;
	s->kind = (enum step_kind)kind;
	s->class = (enum step_class) class;
	CLEAN(s->target, v, "target");
	s->timeout_us = jv_get_num(v, "timeout_us", 0);
	s->attempts_max = (int)CLAMP(jv_get_num(v, "attempts_max", 1), 0, 1000);
	s->safe_to_abort = jv_get_true(v, "safe_to_abort", false);
	s->expect_us = jv_get_num(v, "expect_us", 0);
	run->state = (enum step_state)state;
	run->attempt = (int)CLAMP(jv_get_num(v, "attempt", 0), 0, 1000000);
	run->started_us = jv_get_num(v, "started_us", 0);
	run->ended_us = jv_get_num(v, "ended_us", 0);
	run->progress = (int)jv_get_num(v, "progress", 0);
	run->progress_of = (int)jv_get_num(v, "progress_of", 0);
	CLEAN(run->text, v, "text");
	return true;
}

int rollout_from_jv(const struct jv *v, struct rollout *r, struct error *e)
{
	const struct jv *steps = jv_get(v, "steps");
	const char *outcome = jv_get_text(v, "outcome", "ok");
	int kind = word_index(jv_get_text(v, "kind", ""), PLAN_ROLLBACK + 1, kind_word);
	int state = word_index(jv_get_text(v, "state", ""), ROLLOUT_STATE_COUNT, state_word);
	int failure = word_index(jv_get_text(v, "on_failure", ""), ON_FAILURE_ROLLBACK + 1, failure_word);
	enum outcome_kind ended;
	size_t n = jv_len(steps);
	int64_t at = jv_get_num(v, "at_step", -1);

	if (kind < 0 || state < 0 || failure < 0 || !outcome_parse(outcome, &ended) || n == 0 ||
	    n > STEPS_MAX || at < 0 || at > (int64_t)n || (at == (int64_t)n && state != ROLLOUT_ENDED))
		return error_set(e, ERR_INVALID, "the stored rollout cannot be read by this version");
	memset(r, 0, sizeof(*r));
	CLEAN(r->id, v, "id");
	r->kind = (enum plan_kind)kind;
	CLEAN(r->plan, v, "plan");
	CLEAN(r->service, v, "service");
	CLEAN(r->env, v, "env");
	release_from_jv(jv_get(v, "from"), &r->from);
	release_from_jv(jv_get(v, "to"), &r->to);
	CLEAN(r->requester, v, "requester");
	CLEAN(r->reason, v, "reason");
	r->state = (enum rollout_state)state;
	r->outcome = ended;
	r->rolled_back = jv_get_true(v, "rolled_back", false);
	r->hold_wanted = jv_get_true(v, "hold_wanted", false);
	r->abort_wanted = jv_get_true(v, "abort_wanted", false);
	r->seen_seq = jv_get_num(v, "seen_seq", 0);
	CLEAN(r->child, v, "child");
	r->on_failure = (enum on_failure)failure;
	CLEAN(r->text, v, "text");
	r->created_us = jv_get_num(v, "created_us", 0);
	r->started_us = jv_get_num(v, "started_us", 0);
	r->ended_us = jv_get_num(v, "ended_us", 0);
	r->at_step = (int)at;
	CLEAN(r->holder, v, "holder");
	r->epoch = jv_get_num(v, "epoch", 0);
	r->lease_until_us = jv_get_num(v, "lease_until_us", 0);
	r->orphaned = jv_get_true(v, "orphaned", false);
	for (size_t i = 0; i < n; i++)
		if (!step_from_jv(jv_at(steps, i), &r->steps[i], &r->runs[i]))
			return error_set(e, ERR_INVALID,
			                 "the stored rollout has a step that this version does not know");
	r->n_steps = (int)n;
	return 0;
}
