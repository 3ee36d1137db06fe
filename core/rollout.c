/* A rollout as data: names, a fresh one of a plan, progress, and as a value. Its machine is rollout_table.c. */
#include "core/rollout.h"

#include "core/text.h"

#include <stdio.h>
#include <string.h>

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
    [ROLLOUT_EV_RETRY] = "retry",
    [ROLLOUT_EV_SKIP] = "skip",
    [ROLLOUT_EV_FULL] = "full",
    [ROLLOUT_EV_WITHDRAWN] = "withdrawn",
    [ROLLOUT_EV_STOPPED] = "stopped",
    [ROLLOUT_EV_TAKE_OVER] = "take-over",
    [ROLLOUT_EV_LEASE_LOST] = "lease-lost",
    [ROLLOUT_EV_MEMBER_PAUSED] = "member-paused",
    [ROLLOUT_EV_MEMBER_GOES_ON] = "member-goes-on",
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
		if ((r->steps[i].kind == STEP_STAGE || r->steps[i].kind == STEP_DEPLOY ||
		     r->steps[i].kind == STEP_MEMBER) &&
		    r->runs[i].state != STEP_WAITS)
			return true;
	return false;
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

void rollout_member_id(const char *set, int member, char ret[ID_LEN])
{
	snprintf(ret, ID_LEN, "%.20s-%u", set, (unsigned)CLAMP(member, 0, SET_MAX - 1) + 1);
}

void rollout_back_id(const char *set, int member, int nth, char ret[ID_LEN])
{
	const unsigned place = (unsigned)CLAMP(member, 0, SET_MAX - 1) + 1;

	if (nth <= 1)
		snprintf(ret, ID_LEN, "%.20s-%u-back", set, place);
	else
		snprintf(ret, ID_LEN, "%.20s-%u-back%u", set, place, (unsigned)CLAMP(nth, 2, 99));
}

int rollout_member_at(const struct rollout *r, int step)
{
	int n = 0;

	if (step < 0 || step >= r->n_steps || r->steps[step].kind != STEP_MEMBER)
		return -1;
	for (int i = 0; i < step; i++)
		n += r->steps[i].kind == STEP_MEMBER;
	return n;
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
	jv_set_bool(a, o, "skip_wanted", r->skip_wanted);
	jv_set_bool(a, o, "glass", r->glass);
	jv_set_str(a, o, "want_why", r->want_why);
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
	if (r->parent[0] != '\0') {
		jv_set_str(a, o, "parent", r->parent);
		jv_set_bool(a, o, "way_back", r->way_back);
	}
	if (r->kind == PLAN_SET) {
		jv_set_bool(a, o, "going_back", r->going_back);
		jv_set_int(a, o, "n_back", r->n_back);
		jv_set_str(a, o, "waits_for", r->waits_for);
	}
	if (r->behind[0] != '\0')
		jv_set_str(a, o, "queued_behind", r->behind);
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
		jv_set_int(a, v, "tries_from", run->tries_from);
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
	run->tries_from = (int)CLAMP(jv_get_num(v, "tries_from", 0), 0, run->attempt);
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
	int kind = word_index(jv_get_text(v, "kind", ""), PLAN_KIND_COUNT, kind_word);
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
	r->skip_wanted = jv_get_true(v, "skip_wanted", false);
	r->glass = jv_get_true(v, "glass", false);
	CLEAN(r->want_why, v, "want_why");
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
	CLEAN(r->parent, v, "parent");
	r->way_back = jv_get_true(v, "way_back", false);
	r->going_back = jv_get_true(v, "going_back", false);
	CLEAN(r->waits_for, v, "waits_for");
	r->n_back = (int)CLAMP(jv_get_num(v, "n_back", 0), 0, SET_MAX);
	for (size_t i = 0; i < n; i++)
		if (!step_from_jv(jv_at(steps, i), &r->steps[i], &r->runs[i]))
			return error_set(e, ERR_INVALID,
			                 "the stored rollout has a step that this version does not know");
	r->n_steps = (int)n;
	return 0;
}
