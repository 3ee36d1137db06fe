/* What the cells of a rollout's table do, and on which conditions. The table is in rollout_table.c. */
#include "core/rollout_cells.h"

#include <stdio.h>
#include <string.h>

enum { REPEATS_MAX = 8 }; /* of a step that a probe showed not done: crashes, not failures */

/* True once anything but reading and locking has begun. */
static bool changed_anything(const struct rollout *r)
{
	for (int i = 0; i < r->n_steps; i++)
		if (r->steps[i].kind == STEP_MIGRATE && r->runs[i].state != STEP_WAITS)
			return true;
	return rollout_touched(r);
}

/* --- building blocks of the reactions --------------------------------------------------------- */

static struct reaction does(enum effect_kind effect) { return (struct reaction){CELL_DOES, effect, NULL}; }

static const char *said(const struct turn *t) { return t->o != NULL ? t->o->text : ""; }

/* Of a step whose effect is unknown it stays written down that its child had begun, but not that it may live. */
static void forget_child(struct rollout *r, bool was_begun)
{
	char rest[sizeof(r->child)];

	str_copy(rest, sizeof(rest), r->child + strcspn(r->child, " "));
	if (was_begun && r->child[0] != '\0')
		snprintf(r->child, sizeof(r->child), "0%.180s", rest);
	else
		r->child[0] = '\0';
}

static void step_close(struct turn *t, enum step_state state)
{
	struct step_run *run = &t->r->runs[t->r->at_step];

	run->state = state;
	run->ended_us = t->now_us;
	t->r->skip_wanted = false;
	forget_child(t->r, state == STEP_STATE_UNKNOWN);
	if (t->o != NULL && t->o->text[0] != '\0')
		str_copy(run->text, sizeof(run->text), t->o->text);
}

static struct reaction end(struct turn *t, enum outcome_kind outcome)
{
	t->r->state = ROLLOUT_ENDED;
	t->r->outcome = outcome;
	t->r->ended_us = t->now_us;
	t->r->hold_wanted = t->r->abort_wanted = t->r->skip_wanted = false;
	return does(EFFECT_END);
}

static struct reaction pause(struct turn *t)
{
	t->r->state = ROLLOUT_PAUSED;
	t->r->hold_wanted = false;
	t->r->want_why[0] = '\0';
	return does(EFFECT_NONE);
}

static const char *colon(const struct rollout *r) { return r->want_why[0] != '\0' ? ": " : ""; }

/* "step deploy", or of a set the member: "orders". */
static const char *place_of(const struct rollout *r, char dst[NAME_LEN])
{
	const struct step *s = &r->steps[r->at_step];

	if (s->kind == STEP_MEMBER)
		str_copy(dst, NAME_LEN, s->target);
	else
		snprintf(dst, NAME_LEN, "step %s", step_kind_name(s->kind));
	return dst;
}

static struct reaction pause_held(struct turn *t)
{
	struct rollout *r = t->r;
	char place[NAME_LEN];

	snprintf(r->text, sizeof(r->text), "held before %s%s%s", place_of(r, place), colon(r), r->want_why);
	return pause(t);
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
	/* All or nothing; what each member had before, its own plan says. */
	if (r->kind == PLAN_SET)
		return r->on_failure == ON_FAILURE_ROLLBACK && rollout_touched(r);
	return r->kind == PLAN_PROMOTE && r->from.digest[0] != '\0' && rollout_touched(r);
}

static struct reaction revert(struct turn *t)
{
	t->r->state = ROLLOUT_REVERTING;
	t->r->going_back = false;
	return does(EFFECT_REVERT);
}

/* A set that is aborted goes back whole, and knows why while it does. */
static struct reaction abort_set(struct turn *t)
{
	struct rollout *r = t->r;
	char place[NAME_LEN];

	r->abort_wanted = true;
	snprintf(r->text, sizeof(r->text), "aborted at %s%s%s", place_of(r, place), colon(r), r->want_why);
	return revert(t);
}

/* The person wants it to end: what was begun stays as it is, a rollback is a plan of its own. */
static struct reaction stop_by_abort(struct turn *t)
{
	struct rollout *r = t->r;
	char place[NAME_LEN];

	if (r->kind == PLAN_SET && can_revert(r))
		return abort_set(t);
	snprintf(r->text, sizeof(r->text), "aborted %s %s%s%s%s",
	         r->runs[r->at_step].state == STEP_WAITS ? "before" : "at", place_of(r, place),
	         rollout_touched(r) ? ": what was begun stays as it is" : ": nothing was changed that runs",
	         r->want_why[0] != '\0' ? "; " : "", r->want_why);
	return end(t, OUTCOME_CANCELLED);
}

/* The step at hand, or the end: what people asked for comes before it begins. */
static struct reaction go_on(struct turn *t)
{
	struct rollout *r = t->r;

	while (r->at_step < r->n_steps && r->runs[r->at_step].state == STEP_SKIPPED)
		r->at_step++;
	if (r->at_step >= r->n_steps) {
		/* A plan of the database deploys nothing: what its step said is what there is to say. */
		if (plan_of_database(r->kind))
			str_copy(r->text, sizeof(r->text), r->runs[r->n_steps - 1].text);
		else
			snprintf(r->text, sizeof(r->text), "%s runs in %s",
			         r->to.tag[0] != '\0' ? r->to.tag : "the release", r->env);
		return end(t, OUTCOME_OK);
	}
	if (r->abort_wanted)
		return stop_by_abort(t);
	if (r->hold_wanted)
		return pause_held(t);
	return run_step(t);
}

static struct reaction advance(struct turn *t)
{
	t->r->at_step++;
	return go_on(t);
}

/* The step that runs was skipped meanwhile: its no, or nobody's answer, does not matter any more. */
static bool skipped(struct turn *t, struct reaction *ret)
{
	if (!t->r->skip_wanted)
		return false;
	step_close(t, STEP_SKIPPED);
	*ret = advance(t);
	return true;
}

static struct reaction step_failed(struct turn *t)
{
	struct rollout *r = t->r;
	const char *step = step_kind_name(r->steps[r->at_step].kind);
	const char *target = r->steps[r->at_step].target;

	step_close(t, STEP_STATE_FAILED);
	if (r->steps[r->at_step].kind == STEP_MEMBER)
		snprintf(r->text, sizeof(r->text), "%s failed: %.300s", target, said(t));
	else
		snprintf(r->text, sizeof(r->text), "%s%s%s failed: %.300s", step,
		         target[0] != '\0' ? " " : "", target, said(t));
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
	if (run->attempt - run->tries_from < r->steps[r->at_step].attempts_max)
		return run_step(t);
	step_close(t, STEP_STATE_FAILED);
	snprintf(r->text, sizeof(r->text), "%s could not be done: %.250s; continue tries again",
	         r->steps[r->at_step].kind == STEP_MEMBER ? r->steps[r->at_step].target
	                                                  : step_kind_name(r->steps[r->at_step].kind),
	         said(t));
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
	if (r->runs[r->at_step].state != STEP_RUNS)
		return go_on(t);
	switch (r->steps[r->at_step].class) {
	case STEP_READ:
	case STEP_KEYED:
		if (!r->abort_wanted)
			return run_step(t);
		/* Doing it again would be an effect after the abort. */
		step_close(t, r->steps[r->at_step].class == STEP_READ ? STEP_WAITS : STEP_STATE_UNKNOWN);
		return stop_by_abort(t);
	case STEP_PROBED: return probe_step(t);
	case STEP_OPAQUE: break;
	}
	return pause_unknown(t);
}

/* --- the cells -------------------------------------------------------------------------------- */

struct reaction cell_begin(struct turn *t) { return go_on(t); }
struct reaction cell_resume(struct turn *t) { return resume(t); }
struct reaction cell_stay(struct turn *t)
{
	UNUSED(t);
	return does(EFFECT_NONE);
}

struct reaction cell_queue(struct turn *t)
{
	t->r->state = ROLLOUT_QUEUED;
	return does(EFFECT_NONE);
}

struct reaction cell_wait(struct turn *t)
{
	t->r->state = ROLLOUT_WAITING;
	return does(EFFECT_NONE);
}

struct reaction cell_ok(struct turn *t)
{
	step_close(t, STEP_DONE);
	return advance(t);
}

struct reaction cell_failed(struct turn *t)
{
	struct reaction rx;

	return skipped(t, &rx) ? rx : step_failed(t);
}

struct reaction cell_errored(struct turn *t)
{
	struct reaction rx;

	return skipped(t, &rx) ? rx : step_errored(t);
}

struct reaction cell_unknown(struct turn *t)
{
	struct reaction rx;

	return skipped(t, &rx) ? rx : step_unknown(t);
}

struct reaction cell_deadline(struct turn *t)
{
	struct reaction rx;

	if (skipped(t, &rx))
		return rx;
	return t->r->steps[t->r->at_step].class == STEP_READ ? step_errored(t) : step_unknown(t);
}

/* A probe's no: the step did not happen, so it is done now. */
struct reaction cell_probe_no(struct turn *t)
{
	struct rollout *r = t->r;
	struct reaction rx;

	if (r->abort_wanted) {
		step_close(t, STEP_WAITS);
		return stop_by_abort(t);
	}
	if (skipped(t, &rx))
		return rx;
	if (r->runs[r->at_step].attempt - r->runs[r->at_step].tries_from >=
	    MAX(r->steps[r->at_step].attempts_max, (int)REPEATS_MAX))
		return step_failed(t);
	return run_step(t);
}

struct reaction cell_probe_unknown(struct turn *t)
{
	struct reaction rx;

	return skipped(t, &rx) ? rx : pause_unknown(t);
}

struct reaction cell_hold(struct turn *t)
{
	t->r->hold_wanted = true;
	return (struct reaction){CELL_LATER, EFFECT_NONE, "holds after the present step"};
}

struct reaction cell_hold_now(struct turn *t)
{
	snprintf(t->r->text, sizeof(t->r->text), "held before it began%s%s", colon(t->r), t->r->want_why);
	return pause(t);
}

struct reaction cell_unhold(struct turn *t)
{
	t->r->hold_wanted = false;
	t->r->want_why[0] = '\0';
	return does(EFFECT_NONE);
}

struct reaction cell_continue(struct turn *t)
{
	struct rollout *r = t->r;

	if (r->going_back)
		return revert(t);
	if (r->runs[r->at_step].state == STEP_STATE_UNKNOWN && r->steps[r->at_step].class == STEP_PROBED)
		return probe_step(t);
	return go_on(t);
}

struct reaction cell_retry(struct turn *t)
{
	struct step_run *run = &t->r->runs[t->r->at_step];

	run->tries_from = run->attempt;
	return cell_continue(t);
}

static void leave_out(struct turn *t, int step)
{
	struct step_run *run = &t->r->runs[step];

	run->state = STEP_SKIPPED;
	run->ended_us = t->now_us;
}

struct reaction cell_skip(struct turn *t)
{
	struct rollout *r = t->r;

	if (t->step == r->at_step && r->runs[t->step].state == STEP_RUNS) {
		r->skip_wanted = true;
		return (struct reaction){CELL_LATER, EFFECT_NONE,
		                         "whatever the step that runs answers, it is left out"};
	}
	leave_out(t, t->step);
	/* Who leaves out the step that it paused at wants it to go on behind it. */
	return t->step == r->at_step && r->state == ROLLOUT_PAUSED ? go_on(t) : does(EFFECT_NONE);
}

struct reaction cell_full(struct turn *t)
{
	struct rollout *r = t->r;

	for (int i = r->at_step; i < r->n_steps; i++) {
		if (step_required(r->steps[i].kind))
			continue;
		if (r->runs[i].state == STEP_RUNS)
			r->skip_wanted = true;
		else if (r->runs[i].state != STEP_DONE)
			leave_out(t, i);
	}
	if (r->state != ROLLOUT_PAUSED) {
		r->hold_wanted = false;
		return does(EFFECT_NONE);
	}
	return cell_continue(t);
}

struct reaction cell_abort_later(struct turn *t)
{
	t->r->abort_wanted = true;
	return (struct reaction){CELL_LATER, EFFECT_NONE, "aborts after the present step"};
}

/* A set that cannot go back any further: it ends, and says what stands where. */
static struct reaction leave_back(struct turn *t)
{
	struct rollout *r = t->r;
	char why[TEXT_LEN];

	str_copy(why, sizeof(why), r->text);
	/* Nobody is asked any more. */
	if (strstr(why, SET_ADVICE) != NULL)
		*strstr(why, SET_ADVICE) = '\0';
	snprintf(r->text, sizeof(r->text), "left as it stands%s%.60s: %.300s", colon(r), r->want_why, why);
	r->rolled_back = false;
	return end(t, OUTCOME_CANCELLED);
}

struct reaction cell_abort(struct turn *t) { return t->r->going_back ? leave_back(t) : stop_by_abort(t); }

struct reaction cell_lost(struct turn *t)
{
	UNUSED(t);
	return does(EFFECT_STOP);
}

/* Before anything was changed there is nothing to hold: it ends. */
struct reaction cell_withdrawn(struct turn *t)
{
	if (changed_anything(t->r)) {
		t->r->hold_wanted = true;
		return (struct reaction){CELL_LATER, EFFECT_NONE, "holds after the present step"};
	}
	t->r->abort_wanted = true;
	return (struct reaction){CELL_LATER, EFFECT_NONE,
	                         "ends after the present step: nothing was changed yet"};
}

struct reaction cell_withdrawn_paused(struct turn *t)
{
	struct rollout *r = t->r;
	char place[NAME_LEN];

	if (!changed_anything(r))
		return stop_by_abort(t);
	snprintf(r->text, sizeof(r->text), "held before %s%s%s", place_of(r, place), colon(r), r->want_why);
	r->want_why[0] = '\0';
	return does(EFFECT_NONE);
}

struct reaction cell_gate_lost(struct turn *t)
{
	t->r->hold_wanted = true;
	return (struct reaction){CELL_LATER, EFFECT_NONE, "a gate closed: holds after the present step"};
}

static struct reaction set_reverted(struct turn *t)
{
	struct rollout *r = t->r;
	char why[TEXT_LEN];

	r->rolled_back = r->n_back > 0;
	str_copy(why, sizeof(why), r->text);
	snprintf(r->text, sizeof(r->text), "%.220s%s%.170s", why, said(t)[0] != '\0' ? "; " : "", said(t));
	return end(t, r->abort_wanted ? OUTCOME_CANCELLED : OUTCOME_FAILED);
}

/* The rest of the way is a person's to decide: nothing of a set is left standing in silence. */
static struct reaction set_stuck(struct turn *t)
{
	struct rollout *r = t->r;

	str_copy(r->text, sizeof(r->text), said(t));
	r->going_back = true;
	return pause(t);
}

struct reaction cell_reverted(struct turn *t)
{
	struct rollout *r = t->r;
	char why[TEXT_LEN];

	for (int i = 0; i < r->n_steps; i++)
		if ((r->steps[i].kind == STEP_STAGE || r->steps[i].kind == STEP_DEPLOY ||
		     r->steps[i].kind == STEP_MEMBER) &&
		    r->runs[i].state != STEP_WAITS)
			r->runs[i].state = STEP_UNDONE;
	if (r->kind == PLAN_SET)
		return set_reverted(t);
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

struct reaction cell_revert_failed(struct turn *t)
{
	if (t->r->kind == PLAN_SET)
		return set_stuck(t);
	revert_broke(t);
	return end(t, OUTCOME_FAILED);
}

struct reaction cell_revert_unknown(struct turn *t)
{
	if (t->r->kind == PLAN_SET)
		return set_stuck(t);
	revert_broke(t);
	return end(t, OUTCOME_UNKNOWN);
}

/* The set waits with its member; its step has not ended. */
struct reaction cell_member_paused(struct turn *t)
{
	struct rollout *r = t->r;

	r->going_back = r->state == ROLLOUT_REVERTING;
	str_copy(r->text, sizeof(r->text), said(t));
	return pause(t);
}

struct reaction cell_member_on(struct turn *t)
{
	struct rollout *r = t->r;

	return r->going_back ? revert(t) : run_step(t);
}

/* --- conditions: why not, or NULL -------------------------------------------------------------- */

const char *rollout_not_held(const struct rollout *r, int step)
{
	UNUSED(step);
	return r->hold_wanted ? NULL : "it is not held";
}

const char *rollout_not_failed(const struct rollout *r, int step)
{
	enum step_state s = r->runs[r->at_step].state;

	UNUSED(step);
	/* A set is paused with its member: whether that one's step failed, it knows itself. */
	if (r->going_back || (r->steps[r->at_step].kind == STEP_MEMBER && s == STEP_RUNS))
		return NULL;
	return s == STEP_STATE_FAILED || s == STEP_STATE_UNKNOWN
	           ? NULL
	           : "the step that it is at did not fail: continue goes on";
}

const char *rollout_not_skippable(const struct rollout *r, int step)
{
	if (step < 0 || step >= r->n_steps)
		return "it has no such step";
	if (step_required(r->steps[step].kind))
		return "that step is required";
	if (step < r->at_step || r->runs[step].state == STEP_DONE || r->runs[step].state == STEP_SKIPPED)
		return "that step is over";
	return NULL;
}

const char *rollout_no_member(const struct rollout *r, int step)
{
	UNUSED(step);
	return r->going_back ||
	               (r->steps[r->at_step].kind == STEP_MEMBER && r->runs[r->at_step].state == STEP_RUNS)
	           ? NULL
	           : "it does not wait with a member";
}

const char *rollout_nothing_left(const struct rollout *r, int step)
{
	UNUSED(step);
	for (int i = r->at_step; i < r->n_steps; i++)
		if (!step_required(r->steps[i].kind) && r->runs[i].state != STEP_DONE &&
		    r->runs[i].state != STEP_SKIPPED)
			return NULL;
	return "no step is left that could be left out";
}
