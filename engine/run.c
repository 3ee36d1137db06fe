/*
 * The rollout's process. It turns reactions of core/rollout.c into effects:
 *
 *   INTENT durable -> effect -> RESULT durable, each write with the lease's epoch.
 *
 * Everything waits by turning the loop, so that the lease is renewed meanwhile. Once the lease is lost nothing is
 * written and nothing new is begun: whoever holds it now reads the journal and goes on from there.
 */
#define _GNU_SOURCE /* CLOCK_BOOTTIME */
#include "engine/run_private.h"
#include "engine/signatures.h"

#include "core/gate.h"
#include "core/roles.h"
#include "core/standing.h"
#include "engine/planner.h"
#include "io/fault.h"
#include "io/proc.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STORE_US (REMOTE_TIMEOUT_MS * US_PER_MS)
#define KEEP_TRYING_US (60 * US_PER_S) /* to write down what has happened */
#define RETRY_US (500 * US_PER_MS)
#define IDLE_US (5 * US_PER_S) /* a paused rollout looks at least this often */

static int64_t boot_us(void)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

void run_say(struct run *x, const char *fmt, ...)
{
	char when[32];
	va_list ap;

	UNUSED(x);
	time_iso(when, sizeof(when), loop_wall_us(), true);
	fprintf(stderr, "%s ", when);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void on_wait(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct wait *w = ctx;

	w->o = *o;
	w->result = result != NULL ? op_take(op) : NULL;
	w->done = true;
}

struct op *wait_op(struct run *x, struct wait *w, int64_t timeout_us)
{
	*w = (struct wait){.done = false};
	return op_new(x->loop, timeout_us, on_wait, w);
}

struct outcome wait_for(struct run *x, struct wait *w)
{
	while (!w->done)
		loop_until(x->loop, &w->done, loop_mono_us() + US_PER_S);
	return w->o;
}

void wait_a_while(struct run *x, int64_t us) { loop_until(x->loop, &x->lost, loop_mono_us() + us); }

/* --- the lease -------------------------------------------------------------------------------- */

struct renewal {
	struct run *x;
	int64_t asked_us;
};

static void lease_answer(struct run *x, const struct outcome *o, int64_t asked_us)
{
	if (o->kind == OUTCOME_OK) {
		x->renewed_us = asked_us;
	} else if (o->kind == OUTCOME_FAILED) {
		if (!x->lost)
			run_say(x, "the lease is gone: %s", o->text);
		x->lost = true;
	} else {
		run_say(x, "the lease was not renewed: %s", o->text);
	}
}

static void on_renewed(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct renewal *n = ctx;

	UNUSED(op);
	UNUSED(result);
	n->x->renewing = false;
	fault_point("run.after_renewal");
	lease_answer(n->x, o, n->asked_us);
	free(n);
}

static void on_renew(void *ctx)
{
	struct run *x = ctx;
	struct renewal *n;

	if (x->renewing || x->lost || (n = calloc(1, sizeof(*n))) == NULL)
		return;
	*n = (struct renewal){x, boot_us()};
	x->renewing = true;
	fault_point("run.before_renewal");
	STORE_OF(x->store)->lease_renew(x->store->priv, x->key, x->epoch,
	                                op_new(x->loop, STORE_US, on_renewed, n));
}

bool lease_allows(struct run *x)
{
	while (!x->lost && boot_us() - x->renewed_us > x->times->safe_us) {
		struct wait w;
		int64_t asked = boot_us();

		STORE_OF(x->store)->lease_renew(x->store->priv, x->key, x->epoch, wait_op(x, &w, STORE_US));
		wait_for(x, &w);
		free(w.result);
		lease_answer(x, &w.o, asked);
		if (w.o.kind == OUTCOME_OK)
			break;
		/* Nobody answers for longer than the lease lives: others may hold it now. */
		if (boot_us() - x->renewed_us > 2 * x->times->ttl_us)
			x->lost = true;
		wait_a_while(x, MIN(RETRY_US, x->times->renew_us));
	}
	return !x->lost;
}

static struct outcome lease_take(struct run *x)
{
	struct lease want = {.pid = getpid(), .pid_start = proc_start_time(getpid())};
	struct wait w;
	int64_t asked = boot_us();
	struct outcome o;

	str_copy(want.key, sizeof(want.key), x->key);
	str_copy(want.rollout, sizeof(want.rollout), x->r->id);
	snprintf(want.holder, sizeof(want.holder), "%d@%.48s", (int)getpid(), app_model(x->app)->host);
	proc_boot_id(want.boot_id);
	fault_point("run.before_claim");
	STORE_OF(x->store)->lease_claim(x->store->priv, &want, true, wait_op(x, &w, STORE_US));
	o = wait_for(x, &w);
	fault_point("run.after_claim");
	if (o.kind == OUTCOME_OK) {
		const struct lease *l = w.result;

		x->epoch = l->epoch;
		x->renewed_us = asked;
		str_copy(x->r->holder, sizeof(x->r->holder), l->holder);
		x->r->epoch = l->epoch;
		x->renew = loop_timer(x->loop, x->times->renew_us, x->times->renew_us, on_renew, x);
		run_say(x, "rollout %s: holds %s, epoch %lld", x->r->id, x->key, (long long)x->epoch);
	}
	free(w.result);
	return o;
}

static void lease_drop(struct run *x)
{
	struct wait w;

	timer_stop(x->renew);
	x->renew = NULL;
	if (x->lost || x->epoch == 0)
		return;
	STORE_OF(x->store)->lease_release(x->store->priv, x->key, x->epoch, wait_op(x, &w, STORE_US));
	wait_for(x, &w);
	free(w.result);
}

/* --- the journal ------------------------------------------------------------------------------ */

enum entry { ENTRY_INTENT, ENTRY_RESULT, ENTRY_STATE };

/*
 * One durable write, tried again while nobody can find out. A refusal means that the lease is gone. For an intent
 * there is no hurry: nothing has happened yet.
 */
static struct outcome journal(struct run *x, enum entry entry, const struct rollout *r, int step,
                              const struct outcome *said)
{
	int64_t until = loop_mono_us() + KEEP_TRYING_US;
	const struct store_driver *s = STORE_OF(x->store);
	struct wait w = {.o = {.kind = OUTCOME_ERRORED}};

	while (!x->lost) {
		struct op *op = wait_op(x, &w, STORE_US);

		if (entry == ENTRY_INTENT)
			s->step_intent(x->store->priv, r, step, r->child, x->epoch, op);
		else if (entry == ENTRY_RESULT)
			s->step_result(x->store->priv, r, step, said, x->epoch, op);
		else
			s->rollout_write(x->store->priv, r, x->epoch, op);
		wait_for(x, &w);
		free(w.result);
		if (w.o.kind == OUTCOME_OK)
			run_witness_row(x);
		if (w.o.kind == OUTCOME_OK || w.o.kind == OUTCOME_CANCELLED)
			return w.o;
		if (w.o.kind == OUTCOME_FAILED) {
			run_say(x, "not written: %s", w.o.text);
			x->lost = true;
			break;
		}
		run_say(x, "not written yet: %s", w.o.text);
		if (loop_mono_us() > until)
			break;
		wait_a_while(x, RETRY_US);
	}
	return w.o;
}

struct outcome run_write(struct run *x) { return journal(x, ENTRY_STATE, x->r, x->r->at_step, NULL); }
struct outcome run_intent(struct run *x) { return journal(x, ENTRY_INTENT, x->r, x->r->at_step, NULL); }

/*
 * The state after a result, as the store shall keep it: a step that is to run next has not begun before its own
 * intent is written.
 */
static struct outcome write_result(struct run *x, int step, const struct reaction *rx,
                                   const struct outcome *said)
{
	struct rollout *copy;
	struct outcome o;

	if (rx->effect != EFFECT_RUN_STEP)
		return journal(x, ENTRY_RESULT, x->r, step, said);
	copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return journal(x, ENTRY_RESULT, x->r, step, said);
	*copy = *x->r;
	rollout_unbegin(copy);
	o = journal(x, ENTRY_RESULT, copy, step, said);
	free(copy);
	return o;
}

/* --- decisions -------------------------------------------------------------------------------- */

/* The plan that people approved: a member's is its set's. */
static const struct plan *approved(const struct run *x) { return x->set != NULL ? x->set : x->plan; }

/* What counts of the approvals now, by the plan's policy and this process's own config. */
static void tally(const struct run *x, const struct store_snapshot *s, struct approval_tally *ret)
{
	struct gate_facts f = {.now_us = s->now_us,
	                       .setup = app_setup(x->app),
	                       .service = x->service,
	                       .env = x->env,
	                       .decisions = s->decisions,
	                       .n_decisions = s->n_decisions,
	                       .signatures = x->signatures,
	                       .n_signatures = x->n_signatures,
	                       .spent_us = plan_spent_us(s, approved(x)->digest)};
	struct approval_facts a = gate_approvals(approved(x), &f);

	/* Loaded by start(): whoever started it is who must not have approved it. */
	a.requester = x->r->requester;
	approvals_tally(&a, ret);
}

struct check_wait {
	struct run *x;
	bool done;
};

static void on_signatures(void *ctx, struct signature_verdict *list, int n)
{
	struct check_wait *w = ctx;

	free(w->x->signatures);
	w->x->signatures = list;
	w->x->n_signatures = n;
	w->done = true;
}

/* Each time anew: a key may be revoked while the rollout runs. */
static void check_signatures(struct run *x, const struct store_snapshot *s)
{
	struct check_wait w = {x, false};

	if (!approvals_are_signed(approved(x), s->decisions, s->n_decisions))
		return;
	approvals_check(x->app, approved(x), s->decisions, s->n_decisions, on_signatures, &w);
	while (!w.done)
		loop_until(x->loop, &w.done, loop_mono_us() + US_PER_S);
}

static bool approvals_asked(const struct run *x) { return plan_approvals(x->plan) > 0 && !x->r->glass; }

/* Do enough approvals stand without what was withdrawn? Where none are asked for, a withdrawal changes nothing. */
static bool approvals_stand(const struct run *x, const struct store_snapshot *s)
{
	struct approval_tally t;

	tally(x, s, &t);
	return approvals_asked(x) ? approvals_suffice(&t, &x->plan->policy) : !t.rejected;
}

/* Gates were open once and the approvals have run out since: what was not begun waits for new ones. */
static void hold_lapsed(struct run *x, const struct store_snapshot *s)
{
	struct rollout *r = x->r;
	struct approval_tally t;
	bool judged = false;

	for (int i = 0; i < r->at_step; i++)
		judged = judged || r->steps[i].kind == STEP_PREFLIGHT;
	if (!judged || r->hold_wanted || r->abort_wanted || r->state == ROLLOUT_PAUSED ||
	    r->state == ROLLOUT_REVERTING || !approvals_asked(x) || approvals_stand(x, s))
		return;
	tally(x, s, &t);
	run_say(x, "approvals do not hold any more: %s", t.refused[0] != '\0' ? t.refused : "too few");
	snprintf(r->want_why, sizeof(r->want_why), "approvals do not hold any more: %.130s",
	         t.refused[0] != '\0' ? t.refused : "too few");
	rollout_next(r, ROLLOUT_EV_GATE_LOST, NULL, loop_wall_us());
}

/* What is said of a set is said of its member that lives; steps have other numbers there. */
static bool of_parent(const struct rollout *r, const struct decision *d)
{
	if (r->parent[0] == '\0' || strcmp(d->rollout, r->parent) != 0)
		return false;
	if (d->kind == DECISION_CONTINUE || d->kind == DECISION_RETRY)
		return true;
	/* What goes back goes back. */
	return !r->way_back &&
	       (d->kind == DECISION_HOLD || d->kind == DECISION_ABORT || d->kind == DECISION_FULL);
}

/* Is this one about our rollout, and does it change anything now? */
static bool concerns(const struct run *x, const struct store_snapshot *s, const struct decision *d)
{
	if (d->kind == DECISION_WITHDRAW || d->kind == DECISION_REJECT)
		return (strcmp(d->plan, x->r->plan) == 0 || strcmp(d->plan, approved(x)->digest) == 0) &&
		       !approvals_stand(x, s);
	if (d->kind == DECISION_STOP)
		return stop_standing((struct decisions){s->decisions, s->n_decisions}, s->now_us) == d;
	return d->kind != DECISION_TAKE_OVER && (strcmp(d->rollout, x->r->id) == 0 || of_parent(x->r, d));
}

/* Why nobody may let it go on now, whoever asks; NULL when somebody may. */
static const char *barred(struct run *x, const struct store_snapshot *s, const struct decision *d)
{
	struct approval_tally t;

	if (!roles_allow(app_setup(x->app), x->env, d))
		return roles_refusal(app_setup(x->app), x->env, d->actor, decision_rule(d->kind)->roles,
		                     decision_kind_name(d->kind), x->no, sizeof(x->no));
	if (!decision_goes_on(d->kind))
		return NULL;
	if (stop_standing((struct decisions){s->decisions, s->n_decisions}, s->now_us) != NULL)
		return "all rollouts are stopped";
	if (approvals_stand(x, s))
		return NULL;
	tally(x, s, &t);
	snprintf(x->no, sizeof(x->no), "its approval does not stand any more%s%.200s",
	         t.refused[0] != '\0' ? ": " : "", t.refused);
	return x->no;
}

static struct reaction decided(struct run *x, const struct store_snapshot *s, const struct decision *d)
{
	const char *no = barred(x, s, d);
	struct reaction rx = {CELL_REFUSED, EFFECT_NONE, no};

	x->heard = true;
	run_say(x, "%s says %s%s%s", d->actor, decision_kind_name(d->kind), d->reason[0] != '\0' ? ": " : "",
	        d->reason);
	if (no == NULL)
		rx = rollout_decide(x->r, d, loop_wall_us());
	if (rx.cell == CELL_REFUSED) {
		run_say(x, "refused: %s", rx.why);
		snprintf(x->r->text, sizeof(x->r->text), "%s said %s: refused, %.250s", d->actor,
		         decision_kind_name(d->kind), rx.why);
	}
	return rx;
}

struct reaction run_decisions(struct run *x)
{
	struct reaction last = {CELL_IGNORED, EFFECT_NONE, NULL};
	struct store_snapshot *s;
	struct wait w;

	x->changed = x->heard = false;
	STORE_OF(x->store)->snapshot(x->store->priv, wait_op(x, &w, STORE_US));
	wait_for(x, &w);
	s = w.result;
	if (w.o.kind != OUTCOME_OK || s == NULL)
		return last;
	s->n_decisions = roles_filter(app_setup(x->app), s->decisions, s->n_decisions);
	check_signatures(x, s);
	for (int i = 0; i < s->n_decisions && last.effect == EFFECT_NONE; i++) {
		const struct decision *d = &s->decisions[i];

		if (d->seq <= x->r->seen_seq || !concerns(x, s, d))
			continue;
		x->r->seen_seq = x->said_seq = d->seq;
		last = decided(x, s, d);
	}
	/* All of them were looked at: none of these stands before the next intent. */
	if (last.effect == EFFECT_NONE)
		x->r->seen_seq = MAX(x->r->seen_seq, s->seq);
	if (last.effect == EFFECT_NONE)
		hold_lapsed(x, s);
	store_snapshot_free(s);
	return last;
}

static void on_changed(void *ctx) { ((struct run *)ctx)->changed = true; }

static void on_term(void *ctx, int signum)
{
	struct run *x = ctx;

	run_say(x, "signal %d: stops after the present effect", signum);
	x->stop = true;
}

/* Paused: waits for somebody to decide. */
static struct reaction wait_for_people(struct run *x)
{
	struct reaction rx = {CELL_IGNORED, EFFECT_NONE, NULL};

	while (rx.effect == EFFECT_NONE && !x->lost && !x->stop) {
		loop_until(x->loop, &x->changed, loop_mono_us() + MIN(IDLE_US, x->times->renew_us));
		if (!lease_allows(x))
			break;
		rx = run_decisions(x);
		if (rx.effect == EFFECT_NONE && x->r->kind == PLAN_SET && x->r->state == ROLLOUT_PAUSED &&
		    run_set_goes_on(x))
			rx = rollout_next(x->r, ROLLOUT_EV_MEMBER_GOES_ON, NULL, loop_wall_us());
		/* What changed while it stays paused (a step left out, a refusal) is for everybody to see. */
		if (rx.effect == EFFECT_NONE && x->heard)
			run_write(x);
	}
	return rx;
}

/* --- the turn --------------------------------------------------------------------------------- */

static enum rollout_event event_of_outcome(enum outcome_kind k)
{
	switch (k) {
	case OUTCOME_OK: return ROLLOUT_EV_OP_OK;
	case OUTCOME_FAILED:
	case OUTCOME_UNSUPPORTED: return ROLLOUT_EV_OP_FAILED;
	case OUTCOME_UNKNOWN: return ROLLOUT_EV_OP_UNKNOWN;
	case OUTCOME_ERRORED:
	case OUTCOME_CANCELLED:
	case OUTCOME_COUNT: break;
	}
	return ROLLOUT_EV_OP_ERRORED;
}

static struct reaction stopped(void) { return (struct reaction){CELL_DOES, EFFECT_STOP, NULL}; }

/* What an effect said, into the machine and then durably into the journal. */
static struct reaction conclude(struct run *x, int step, const struct outcome *o)
{
	struct reaction rx;

	run_say(x, "%s %s: %s%s%s", step_kind_name(x->r->steps[step].kind), x->r->steps[step].target,
	        outcome_name(o->kind), o->text[0] != '\0' ? ", " : "", o->text);
	run_decisions(x);
	rx = rollout_next(x->r, event_of_outcome(o->kind), o, loop_wall_us());
	if (fault_point("run.before_result"))
		return stopped();
	if (x->lost || write_result(x, step, &rx, o).kind != OUTCOME_OK)
		return stopped();
	fault_point("run.after_result");
	return rx;
}

/* A pause between attempts, longer each time. */
static void back_off(struct run *x)
{
	int attempt = x->r->runs[x->r->at_step].attempt;

	if (attempt > 1)
		wait_a_while(x, MIN(30 * US_PER_S, RETRY_US << MIN(attempt - 2, 6)));
}

/* Somebody decided before the step had begun: it has not, and what they said is heard first. */
static struct reaction heard_first(struct run *x, const struct outcome *o)
{
	int64_t seen = x->r->seen_seq;
	struct reaction rx;

	run_say(x, "not begun: %s", o->text);
	rollout_unbegin(x->r);
	rx = run_decisions(x);
	if (rx.effect != EFFECT_NONE)
		return rx;
	/* The store said so and cannot be read: it is asked again, in no hurry. */
	if (x->r->seen_seq == seen)
		wait_a_while(x, RETRY_US);
	return rollout_next(x->r, ROLLOUT_EV_START, NULL, loop_wall_us());
}

/* A member of the set waits for a person: so does the set, with the same reason. */
static struct reaction member_paused(struct run *x, const struct outcome *o)
{
	x->member_paused = false;
	str_copy(x->r->waits_for, sizeof(x->r->waits_for), x->follows);
	run_say(x, "paused: %s", o->text);
	return x->lost ? stopped() : rollout_next(x->r, ROLLOUT_EV_MEMBER_PAUSED, o, loop_wall_us());
}

static struct reaction run_step(struct run *x)
{
	int step = x->r->at_step;
	struct outcome o;

	back_off(x);
	x->r->waits_for[0] = '\0';
	if (fault_point("run.before_intent") || !lease_allows(x))
		return stopped();
	o = run_intent(x);
	if (o.kind == OUTCOME_CANCELLED)
		return heard_first(x, &o);
	if (o.kind != OUTCOME_OK)
		return stopped();
	fault_point("run.after_intent");
	if (!lease_allows(x))
		return stopped();
	o = step_do(x);
	fault_point("run.after_effect");
	if (x->member_paused)
		return member_paused(x, &o);
	/* Left in the middle of following: nothing has ended. */
	if (x->stop && x->r->steps[step].kind == STEP_MEMBER && o.kind == OUTCOME_CANCELLED)
		return (struct reaction){CELL_DOES, EFFECT_RUN_STEP, NULL};
	return conclude(x, step, &o);
}

static struct reaction probe_step(struct run *x)
{
	int step = x->r->at_step;
	struct outcome o;

	if (!lease_allows(x) || run_write(x).kind != OUTCOME_OK)
		return stopped();
	run_say(x, "asks whether %s %s happened", step_kind_name(x->r->steps[step].kind),
	        x->r->steps[step].target);
	o = step_probe(x);
	return conclude(x, step, &o);
}

static struct reaction revert(struct run *x)
{
	struct outcome o;
	struct reaction rx;

	x->r->waits_for[0] = '\0';
	if (!lease_allows(x) || run_write(x).kind != OUTCOME_OK)
		return stopped();
	run_say(x, "puts %s back", x->r->from.tag[0] != '\0' ? x->r->from.tag : x->r->from.digest);
	fault_point("run.before_revert");
	o = x->r->kind == PLAN_SET ? run_set_back(x) : run_revert(x);
	fault_point("run.after_revert");
	if (x->member_paused)
		return member_paused(x, &o);
	if (x->stop && x->r->kind == PLAN_SET && o.kind == OUTCOME_CANCELLED)
		return (struct reaction){CELL_DOES, EFFECT_REVERT, NULL};
	run_say(x, "put back: %s%s%s", outcome_name(o.kind), o.text[0] != '\0' ? ", " : "", o.text);
	if (x->lost)
		return stopped();
	rx = rollout_next(x->r, event_of_outcome(o.kind), &o, loop_wall_us());
	return rx;
}

static int exit_of(const struct rollout *r)
{
	switch (r->outcome) {
	case OUTCOME_OK: return EXIT_DONE;
	case OUTCOME_FAILED:
	case OUTCOME_UNSUPPORTED: return EXIT_NO;
	case OUTCOME_UNKNOWN: return EXIT_UNKNOWN;
	case OUTCOME_CANCELLED: return EXIT_CANCELLED;
	case OUTCOME_ERRORED:
	case OUTCOME_COUNT: break;
	}
	return EXIT_NOT_FOUND_OUT;
}

/* From effect to effect until it has ended or must leave. */
static int drive(struct run *x, struct reaction rx)
{
	for (;;) {
		if (x->stop && rx.effect != EFFECT_END && rx.effect != EFFECT_STOP)
			break;
		switch (rx.effect) {
		case EFFECT_RUN_STEP: rx = run_step(x); break;
		case EFFECT_PROBE_STEP: rx = probe_step(x); break;
		case EFFECT_REVERT: rx = revert(x); break;
		case EFFECT_NONE:
			if (x->r->state != ROLLOUT_PAUSED || run_write(x).kind != OUTCOME_OK)
				rx = stopped();
			else
				rx = wait_for_people(x);
			if (x->lost)
				rx = stopped();
			break;
		case EFFECT_END:
			if (run_write(x).kind != OUTCOME_OK)
				return x->lost ? EXIT_CONFLICT : EXIT_NOT_FOUND_OUT;
			run_say(x, "ended: %s%s%s", outcome_name(x->r->outcome),
			        x->r->text[0] != '\0' ? ", " : "", x->r->text);
			return exit_of(x->r);
		case EFFECT_STOP: return x->lost ? EXIT_CONFLICT : EXIT_NOT_FOUND_OUT;
		}
	}
	run_say(x, "left at step %d, somebody else can go on", x->r->at_step);
	return EXIT_CANCELLED;
}

/* --- start and resume ------------------------------------------------------------------------- */

struct plan *run_plan(struct run *x, const char *digest, struct outcome *ret)
{
	struct arena arena;
	struct plan *p = NULL;
	struct wait w;
	struct jv *v;
	struct error e;
	int rc;

	STORE_OF(x->store)->plan_get(x->store->priv, digest, wait_op(x, &w, STORE_US));
	*ret = wait_for(x, &w);
	if (ret->kind != OUTCOME_OK)
		return NULL;
	arena_init(&arena, ARENA_DEFAULT_MAX);
	rc = jv_parse(&arena, w.result, strlen(w.result), &v, &e);
	if (rc == 0)
		rc = plan_from_jv(v, &p, &e);
	arena_release(&arena);
	free(w.result);
	if (rc != 0)
		*ret = outcome_make(OUTCOME_FAILED, "store", "%s", e.text);
	return rc == 0 ? p : NULL;
}

static struct outcome load_plan(struct run *x)
{
	struct outcome o;

	x->plan = run_plan(x, x->r->plan, &o);
	if (x->plan == NULL)
		return o;
	/* Whoever started it is who must not have approved it. */
	str_copy(x->plan->requester, sizeof(x->plan->requester), x->r->requester);
	return x->r->parent[0] != '\0' ? run_set_of_member(x) : outcome_ok();
}

/* Is all of it in this configuration? */
static bool has_place(const struct run *x)
{
	const struct setup *s = app_setup(x->app);

	if (x->env < 0)
		return false;
	if (x->r->kind != PLAN_SET)
		return x->service >= 0 && setup_deployment(s, x->service, x->env)->present;
	for (int i = 0; i < x->r->n_steps; i++) {
		int service = setup_service(s, x->r->steps[i].target);

		if (x->r->steps[i].kind == STEP_MEMBER &&
		    (service < 0 || !setup_deployment(s, service, x->env)->present))
			return false;
	}
	return true;
}

static struct outcome load(struct run *x, const char *id)
{
	const struct setup *s = app_setup(x->app);
	struct wait w;
	struct outcome o;
	struct error e;

	x->store = app_store(x->app);
	x->times = STORE_OF(x->store)->times(x->store->priv);
	STORE_OF(x->store)->rollout_get(x->store->priv, id, wait_op(x, &w, STORE_US));
	if (wait_for(x, &w).kind != OUTCOME_OK)
		return w.o;
	x->r = w.result;
	/* What the store says is wanted comes as decisions. */
	x->service = setup_service(s, x->r->service);
	x->env = setup_env(s, x->r->env);
	if (!has_place(x))
		return outcome_make(OUTCOME_FAILED, "config", "%s in %s is not in the configuration",
		                    x->r->service, x->r->env);
	snprintf(x->key, sizeof(x->key), "%s/%s", x->r->service, x->r->env);
	if (run_log_path(s, id, x->log_path, sizeof(x->log_path), &e) != 0 ||
	    run_dir(s, "images", x->images, sizeof(x->images), &e) != 0)
		return outcome_make(OUTCOME_ERRORED, "state", "%s", e.text);
	o = load_plan(x);
	return o;
}

static int refuse(struct run *x, const struct outcome *o)
{
	run_say(x, "rollout not driven: %s%s%s", o->text, o->hint[0] != '\0' ? "; " : "", o->hint);
	return o->kind == OUTCOME_FAILED ? EXIT_CONFLICT : EXIT_NOT_FOUND_OUT;
}

static int start(struct run *x, const char *id)
{
	struct outcome o = load(x, id);
	struct reaction rx;
	struct wait w;

	if (x->r != NULL && !rollout_is_live(x->r))
		return exit_of(x->r);
	if (o.kind != OUTCOME_OK)
		return refuse(x, &o);
	o = lease_take(x);
	if (o.kind != OUTCOME_OK)
		return refuse(x, &o);
	/* Another process may have driven it on between the reading and the claim. */
	STORE_OF(x->store)->rollout_get(x->store->priv, id, wait_op(x, &w, STORE_US));
	o = wait_for(x, &w);
	if (o.kind != OUTCOME_OK)
		return refuse(x, &o);
	free(x->r);
	x->r = w.result;
	if (!rollout_is_live(x->r))
		return exit_of(x->r);
	run_witness_begin(x);
	rx = run_decisions(x);
	if (rx.effect == EFFECT_NONE)
		rx = rollout_next(x->r, ROLLOUT_EV_START, NULL, loop_wall_us());
	return drive(x, rx);
}

int run_rollout(struct app *a, const char *id)
{
	struct run x = {.app = a, .loop = app_loop(a), .gate = -1};
	struct watch *term, *hup;
	int rc;

	setvbuf(stderr, NULL, _IOLBF, 0);
	term = loop_watch_signal(x.loop, SIGTERM, on_term, &x);
	hup = loop_watch_signal(x.loop, SIGINT, on_term, &x);
	STORE_OF(app_store(a))->watch(app_store(a)->priv, on_changed, &x);
	rc = start(&x, id);
	if (x.store != NULL) {
		lease_drop(&x);
		run_witness_end(&x);
	}
	STORE_OF(app_store(a))->watch(app_store(a)->priv, NULL, NULL);
	watch_stop(term);
	watch_stop(hup);
	/* A renewal on its way still points here. Not wait_a_while(): that returns at once when the lease is lost. */
	for (bool never = false; x.renewing;)
		loop_until(x.loop, &never, loop_mono_us() + 10 * US_PER_MS);
	proc_gate_end(x.gate, false);
	plan_free(x.plan);
	plan_free(x.set);
	free(x.signatures);
	database_health_free(x.before);
	free(x.r);
	return rc;
}
