/*
 * The rollout of a release set. It changes nothing itself: it begins the rollout of each member, one after the other,
 * and follows it to its end. A member's id is made of the set's, so beginning it twice is beginning it once, whoever
 * was killed where. When one ends otherwise than well those before it are put back by rollbacks, the last one first.
 */
#include "engine/planner.h"
#include "engine/run_private.h"

#include "io/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_US (REMOTE_TIMEOUT_MS * US_PER_MS)
#define LOOK_US (1 * US_PER_S) /* at least this often, whatever is heard */
#define WAKE_US (1 * US_PER_S)
enum { BACK_TRIES_MAX = 9, WAKES_MAX = 5 };

static const char *label(const struct release *r)
{
	return r->tag[0] != '\0' ? r->tag : r->digest[0] != '\0' ? r->digest : "nothing";
}

static struct outcome not_found_out(const char *what)
{
	return outcome_make(OUTCOME_ERRORED, "set", "%s", what);
}

/* --- other rollouts ------------------------------------------------------------------------------ */

/* One by its id: NULL with FAILED where there is none. */
static struct rollout *get(struct run *x, const char *id, struct outcome *ret)
{
	struct wait w;

	STORE_OF(x->store)->rollout_get(x->store->priv, id, wait_op(x, &w, ASK_US));
	*ret = wait_for(x, &w);
	return ret->kind == OUTCOME_OK ? w.result : NULL;
}

/* Gives it a process where it has none. With executors as services they do. */
static void wake(struct run *x, const struct rollout *r)
{
	bool first = strcmp(x->woken, r->id) != 0;
	struct error e;

	if (app_setup(x->app)->executor == EXECUTOR_SERVICE || !rollout_is_live(r) || !lease_allows(x))
		return;
	/* One that holds its lease is alive; one that nobody can be sure of is a person's to take over. */
	if (!(r->holder[0] == '\0' && (first || r->orphaned)) && !r->holder_dead)
		return;
	if (!first && loop_mono_us() - x->woken_us < WAKE_US)
		return;
	if (first)
		x->n_woken = 0;
	x->n_woken++;
	str_copy(x->woken, sizeof(x->woken), r->id);
	x->woken_us = loop_mono_us();
	if (x->n_woken <= WAKES_MAX && run_spawn(x->app, r->id, &e) != 0)
		run_say(x, "rollout %s has no process: %s", r->id, e.text);
}

/* Did it hear all that was said about the set, and waits all the same? Or dies whenever it is given a process? */
static bool waits_for_people(struct run *x, const struct rollout *r, struct outcome *ret)
{
	if (r->state == ROLLOUT_PAUSED && r->seen_seq >= x->said_seq) {
		*ret = outcome_make(OUTCOME_CANCELLED, "set", "%s is paused: %.250s (rollout %s)", r->service,
		                    r->text, r->id);
		return true;
	}
	if (x->n_woken <= WAKES_MAX || strcmp(x->woken, r->id) != 0)
		return false;
	x->n_woken = 0;
	*ret = outcome_make(
	    OUTCOME_CANCELLED, "set",
	    "%s: its process ended %d times before its rollout %s had; look at that one's log, then "
	    "continue",
	    r->service, (int)WAKES_MAX, r->id);
	return true;
}

static void show(struct run *x, const struct rollout *r)
{
	struct step_run *run = &x->r->runs[x->r->at_step];
	int done, all;

	rollout_progress(r, &done, &all);
	if (x->r->steps[x->r->at_step].kind == STEP_MEMBER && x->r->state == ROLLOUT_RUNNING) {
		run->progress = done;
		run->progress_of = all;
	}
}

/*
 * Follows a rollout until it has ended: its copy, the caller's to free. NULL with CANCELLED when this process is to
 * leave or has lost its lease, and where it waits for a person (member_paused).
 */
static struct rollout *follow(struct run *x, const char *id, struct outcome *ret)
{
	str_copy(x->follows, sizeof(x->follows), id);
	for (;;) {
		struct rollout *r = get(x, id, ret);

		if (r != NULL && !rollout_is_live(r))
			return r;
		if (r != NULL) {
			show(x, r);
			wake(x, r);
			if (waits_for_people(x, r, ret)) {
				x->member_paused = true;
				free(r);
				return NULL;
			}
			free(r);
		}
		if (x->lost || x->stop) {
			*ret = outcome_make(OUTCOME_CANCELLED, "set", "left while rollout %s goes on", id);
			return NULL;
		}
		loop_until(x->loop, &x->changed, loop_mono_us() + LOOK_US);
		if (!x->changed)
			continue;
		x->changed = false;
		/* Its own wishes show at once; the member hears them itself. */
		if (x->r->state == ROLLOUT_RUNNING)
			run_decisions(x);
	}
}

static struct outcome put(struct run *x, const struct plan *p)
{
	struct wait w;
	struct outcome o;

	STORE_OF(x->store)->plan_put(x->store->priv, p, x->r->requester, wait_op(x, &w, ASK_US));
	o = wait_for(x, &w);
	free(w.result);
	return o;
}

/* Creates and starts one of a plan. Whoever did so before: it is there already, which is as good. */
static struct outcome begin(struct run *x, const char *id, const struct plan *p, bool way_back)
{
	struct rollout *r;
	struct outcome o = put(x, p);
	struct wait w;
	struct error e;

	if (o.kind != OUTCOME_OK)
		return o;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return not_found_out("out of memory");
	rollout_init(r, id, p, x->r->requester, loop_wall_us());
	str_copy(r->reason, sizeof(r->reason), way_back ? p->reason : x->r->reason);
	str_copy(r->parent, sizeof(r->parent), x->r->id);
	r->way_back = way_back;
	/* What was said before it began was heard by the set; the store checks that this is whoever drives that now. */
	r->seen_seq = x->r->seen_seq;
	r->epoch = x->epoch;
	if (app_setup(x->app)->executor == EXECUTOR_SERVICE)
		r->state = ROLLOUT_QUEUED;
	fault_point(way_back ? "set.before_back" : "set.before_create");
	if (!lease_allows(x)) {
		free(r);
		return outcome_make(OUTCOME_CANCELLED, "set", "the lease is gone");
	}
	STORE_OF(x->store)->rollout_create(x->store->priv, r, x->r->requester, wait_op(x, &w, ASK_US));
	o = wait_for(x, &w);
	free(w.result);
	fault_point(way_back ? "set.after_back" : "set.after_create");
	if (o.kind == OUTCOME_OK) {
		run_say(x, "rollout %s of %s is begun", id, p->service);
		if (app_setup(x->app)->executor != EXECUTOR_SERVICE) {
			str_copy(x->woken, sizeof(x->woken), id);
			x->woken_us = loop_mono_us();
			if (run_spawn(x->app, id, &e) != 0)
				o = outcome_make(OUTCOME_ERRORED, "set", "rollout %s has no process: %.300s",
				                 id, e.text);
		}
	}
	free(r);
	/* Somebody else's rollout runs there: it is tried again, then a person decides. */
	return o.kind == OUTCOME_FAILED ? not_found_out(o.text) : o;
}

/* What happened to one that has ended, as a step's answer. */
static struct outcome said_of(const struct rollout *r)
{
	if (r->outcome == OUTCOME_OK && !r->rolled_back)
		return outcome_make(OUTCOME_OK, "set", "%.300s (rollout %s)", r->text, r->id);
	return outcome_make(OUTCOME_FAILED, "set", "%.300s (rollout %s)",
	                    r->text[0] != '\0' ? r->text : outcome_name(r->outcome), r->id);
}

/* --- forward -------------------------------------------------------------------------------------- */

struct outcome run_member(struct run *x)
{
	const int member = rollout_member_at(x->r, x->r->at_step);
	const struct plan *p = member >= 0 ? plan_member(x->plan, step_now(x)->target) : NULL;
	struct rollout *r;
	struct outcome o;
	char id[ID_LEN];

	if (p == NULL)
		return outcome_make(OUTCOME_FAILED, "set", "its plan has no such member");
	rollout_member_id(x->r->id, member, id);
	r = get(x, id, &o);
	if (r == NULL && o.kind == OUTCOME_FAILED)
		o = begin(x, id, p, false);
	free(r);
	if (o.kind != OUTCOME_OK)
		return o;
	r = follow(x, id, &o);
	if (r == NULL)
		return o;
	show(x, r);
	o = said_of(r);
	free(r);
	return o;
}

/* Before the first one begins: nobody else is at work in any of the places. */
struct outcome run_set_free(struct run *x)
{
	const struct store_snapshot *s;
	struct outcome o;
	struct wait w;

	STORE_OF(x->store)->snapshot(x->store->priv, wait_op(x, &w, ASK_US));
	o = wait_for(x, &w);
	if (o.kind != OUTCOME_OK)
		return o;
	s = w.result;
	o = outcome_make(OUTCOME_OK, "set", "the gates of all %d are open, the plan is the same",
	                 x->plan->n_members);
	for (int i = 0; i < s->n_rollouts && o.kind == OUTCOME_OK; i++) {
		const struct rollout *r = &s->rollouts[i];

		if (!rollout_is_live(r) || strcmp(r->env, x->r->env) != 0 ||
		    strcmp(r->parent, x->r->id) == 0 || plan_member(x->plan, r->service) == NULL)
			continue;
		o = outcome_make(OUTCOME_FAILED, "set", "rollout %s of %s lives in %s: nothing was begun",
		                 r->id, r->requester, r->service);
	}
	store_snapshot_free(w.result);
	return o;
}

/* What a place is set to run now. */
static struct outcome runs(struct run *x, const char *service, struct release *ret)
{
	const struct opened *deploy = app_deploy(x->app, setup_service(app_setup(x->app), service), x->env);
	const struct deployed *d;
	struct outcome o;
	struct wait w;

	if (deploy == NULL)
		return not_found_out("no deploy driver is configured");
	DEPLOY_OF(deploy)->observe(deploy->priv, wait_op(x, &w, ASK_US));
	o = wait_for(x, &w);
	d = w.result;
	if (o.kind == OUTCOME_OK && d != NULL)
		*ret = d->release;
	else if (o.kind == OUTCOME_OK)
		o = not_found_out("it cannot be observed");
	deployed_free(w.result);
	return o;
}

struct outcome run_set_verify(struct run *x)
{
	for (int i = 0; i < x->plan->n_members; i++) {
		const struct plan *m = x->plan->members[i];
		struct release now;
		struct outcome o = runs(x, m->service, &now);

		if (o.kind != OUTCOME_OK)
			return outcome_make(o.kind == OUTCOME_FAILED ? OUTCOME_ERRORED : o.kind, "set",
			                    "%s: %.300s", m->service, o.text);
		if (strcmp(now.digest, m->to.digest) != 0)
			return outcome_make(OUTCOME_FAILED, "set",
			                    "%s runs %s, not %s: somebody changed it meanwhile", m->service,
			                    label(&now), label(&m->to));
	}
	return outcome_make(OUTCOME_OK, "set", "%d of %d run what they shall", x->plan->n_members,
	                    x->plan->n_members);
}

/* --- back ----------------------------------------------------------------------------------------- */

struct planned {
	bool done;
	struct plan *plan;
	struct outcome o;
};

static void on_plan(void *ctx, struct plan *plan, const struct outcome *why)
{
	struct planned *p = ctx;

	p->plan = plan;
	p->o = *why;
	p->done = true;
}

/* A plan to put a member back: NULL where it must not be done without a person, with why in ret. */
static struct plan *plan_back(struct run *x, const struct plan *m, struct outcome *ret)
{
	const struct setup *s = app_setup(x->app);
	struct planned p = {.done = false};
	const struct gate *g = NULL;
	char reason[TEXT_LEN];
	struct plan_want want = {.kind = PLAN_ROLLBACK,
	                         .service = setup_service(s, m->service),
	                         .env = x->env,
	                         .release = m->from.digest,
	                         .reason = reason,
	                         .requester = x->r->requester};

	snprintf(reason, sizeof(reason), "with its set, rollout %s: %.300s", x->r->id, x->r->text);
	planner_start(x->app, &want, on_plan, &p);
	while (!p.done)
		loop_until(x->loop, &p.done, loop_mono_us() + US_PER_S);
	*ret = p.o;
	if (p.plan == NULL)
		return NULL;
	if (p.plan->back_text[0] != '\0' && (p.plan->back == SCHEMA_BREAKS || p.plan->back == SCHEMA_UNKNOWN))
		*ret = outcome_make(OUTCOME_FAILED, "set", "%.300s", p.plan->back_text);
	else if (!plan_may_run(p.plan, &g))
		*ret = outcome_make(OUTCOME_FAILED, "set", "gate %s: %.300s",
		                    g != NULL ? gate_kind_name(g->kind) : "?", g != NULL ? g->evidence : "");
	if (ret->kind == OUTCOME_OK)
		return p.plan;
	plan_free(p.plan);
	return NULL;
}

/* The rollback of a member, begun or found: its id. OK also when an earlier attempt has done it: *ret_done. */
static struct outcome attempt(struct run *x, int member, const struct plan *m, int64_t since_us,
                              char id[ID_LEN], bool *ret_done)
{
	struct outcome o = outcome_ok();

	*ret_done = false;
	for (int nth = 1; nth <= BACK_TRIES_MAX; nth++) {
		struct rollout *r;
		struct plan *p;
		bool over;

		rollout_back_id(x->r->id, member, nth, id);
		r = get(x, id, &o);
		if (r == NULL && o.kind != OUTCOME_FAILED)
			return o;
		if (r != NULL) {
			/* One that ended before a person said continue does not speak for now. */
			*ret_done = !rollout_is_live(r) && r->outcome == OUTCOME_OK;
			over = !rollout_is_live(r) && !*ret_done && r->ended_us < since_us;
			free(r);
			if (over)
				continue;
			return outcome_ok();
		}
		p = plan_back(x, m, &o);
		if (p == NULL)
			return o;
		o = begin(x, id, p, true);
		plan_free(p);
		return o;
	}
	return outcome_make(OUTCOME_FAILED, "set", "it was tried %d times", (int)BACK_TRIES_MAX);
}

/* The member's own rollout, once it has ended by itself or because it heard the abort; NULL: it never began. */
static struct outcome settled(struct run *x, int member, struct rollout **ret)
{
	char id[ID_LEN];
	struct outcome o;

	rollout_member_id(x->r->id, member, id);
	*ret = get(x, id, &o);
	if (*ret == NULL)
		return o.kind == OUTCOME_FAILED ? outcome_ok() : o;
	if (!rollout_is_live(*ret))
		return outcome_ok();
	free(*ret);
	*ret = follow(x, id, &o);
	return *ret != NULL ? outcome_ok() : o;
}

/* "api" is back on "2.0": where it stands, for the text of the end. */
static void tell(char text[TEXT_LEN], const char *fmt, ...) PRINTF_LIKE(2, 3);
static void tell(char text[TEXT_LEN], const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	if (n > 0 && n + 3 < TEXT_LEN) {
		memcpy(text + n, ", ", 3);
		n += 2;
	}
	va_start(ap, fmt);
	if (n < TEXT_LEN)
		vsnprintf(text + n, TEXT_LEN - n, fmt, ap);
	va_end(ap);
}

static struct outcome member_back(struct run *x, int member, const struct plan *m, int64_t since_us,
                                  char text[TEXT_LEN])
{
	struct rollout *r = NULL, *back;
	struct release now = {.digest = ""};
	struct outcome o = settled(x, member, &r);
	bool failed, untouched, itself, done;
	char id[ID_LEN], why[TEXT_LEN] = "";

	if (o.kind != OUTCOME_OK || r == NULL)
		return o;
	failed = r->outcome == OUTCOME_FAILED;
	itself = r->rolled_back;
	untouched = !rollout_touched(r);
	str_copy(why, sizeof(why), r->text);
	free(r);
	if (untouched || itself) {
		tell(text, itself ? "%s put itself back on %s" : "%s stays on %s", m->service,
		     label(&m->from));
		x->r->n_back += itself;
		return outcome_ok();
	}
	if (m->from.digest[0] == '\0')
		return outcome_make(OUTCOME_FAILED, "set", "nothing ran there before %s", label(&m->to));
	o = attempt(x, member, m, since_us, id, &done);
	if (o.kind != OUTCOME_OK) {
		struct outcome seen = runs(x, m->service, &now);

		/* Somebody was faster, by hand. */
		if (seen.kind != OUTCOME_OK || strcmp(now.digest, m->from.digest) != 0)
			return o;
		tell(text, "%s is back on %s", m->service, label(&m->from));
		x->r->n_back++;
		return outcome_ok();
	}
	back = done ? NULL : follow(x, id, &o);
	if (!done && back == NULL)
		return o;
	if (!done && back->outcome != OUTCOME_OK)
		o = outcome_make(OUTCOME_FAILED, "set", "%.250s (rollout %s)", back->text, id);
	free(back);
	if (o.kind != OUTCOME_OK)
		return o;
	if (failed)
		run_mark_bad(x, m->service, &m->to, why);
	tell(text, "%s is back on %s", m->service, label(&m->from));
	x->r->n_back++;
	return outcome_ok();
}

/* What of the set runs what now: for a person who has to decide. */
static void standing(struct run *x, char text[TEXT_LEN])
{
	text[0] = '\0';
	for (int i = 0; i < x->plan->n_members; i++) {
		const struct plan *m = x->plan->members[i];
		struct release now;

		if (runs(x, m->service, &now).kind != OUTCOME_OK)
			tell(text, "%s cannot be observed", m->service);
		else if (strcmp(now.digest, m->to.digest) == 0)
			tell(text, "%s runs %s (new)", m->service, label(&m->to));
		else if (strcmp(now.digest, m->from.digest) == 0)
			tell(text, "%s runs %s (as before)", m->service, label(&m->from));
		else
			tell(text, "%s runs %s (neither)", m->service, label(&now));
	}
}

/* Nobody else may have put something there since: that is theirs. */
static struct outcome is_ours(struct run *x, int member, const struct plan *m)
{
	struct release now;
	struct rollout *r;
	struct outcome o;
	bool well;
	char id[ID_LEN];

	rollout_member_id(x->r->id, member, id);
	r = get(x, id, &o);
	well = r != NULL && !rollout_is_live(r) && r->outcome == OUTCOME_OK;
	free(r);
	/* What broke in the middle may be set to anything of its own two. */
	if (!well)
		return outcome_ok();
	o = runs(x, m->service, &now);
	if (o.kind != OUTCOME_OK)
		return outcome_make(OUTCOME_ERRORED, "set", "%.300s", o.text);
	if (strcmp(now.digest, m->to.digest) != 0 && strcmp(now.digest, m->from.digest) != 0)
		return outcome_make(OUTCOME_FAILED, "set",
		                    "it runs %s now, which is not the set's to take away", label(&now));
	return outcome_ok();
}

struct outcome run_set_back(struct run *x)
{
	const int64_t since_us = loop_wall_us();
	char text[TEXT_LEN] = "", now[TEXT_LEN];

	fault_point("set.before_revert");
	x->r->n_back = 0;
	for (int i = x->r->n_steps - 1; i >= 0; i--) {
		const int member = rollout_member_at(x->r, i);
		const struct plan *m = member >= 0 ? plan_member(x->plan, x->r->steps[i].target) : NULL;
		struct outcome o;

		if (m == NULL || x->r->runs[i].state == STEP_WAITS)
			continue;
		if (!lease_allows(x))
			return outcome_make(OUTCOME_CANCELLED, "set", "the lease is gone");
		o = is_ours(x, member, m);
		if (o.kind == OUTCOME_OK)
			o = member_back(x, member, m, since_us, text);
		if (o.kind == OUTCOME_OK)
			continue;
		if (x->member_paused || x->lost || (x->stop && o.kind == OUTCOME_CANCELLED))
			return o;
		standing(x, now);
		return outcome_make(OUTCOME_FAILED, "set",
		                    "%s does not go back: %.150s. Now %.120s" SET_ADVICE, m->service, o.text,
		                    now);
	}
	fault_point("set.after_revert");
	return outcome_make(OUTCOME_OK, "set", "%s", text);
}

/* --- of members ------------------------------------------------------------------------------------ */

bool run_set_goes_on(struct run *x)
{
	struct rollout *r;
	struct outcome o;
	bool on;

	if (x->r->waits_for[0] == '\0')
		return false;
	r = get(x, x->r->waits_for, &o);
	on = r != NULL && r->state != ROLLOUT_PAUSED && !r->orphaned;
	free(r);
	return on;
}

struct outcome run_set_of_member(struct run *x)
{
	struct outcome o;
	struct rollout *parent = get(x, x->r->parent, &o);
	const struct plan *m;
	struct plan *set;

	if (parent == NULL)
		return o;
	/* Only what lives, and has this very plan, speaks for it. */
	if (parent->kind != PLAN_SET || !rollout_is_live(parent) || x->r->way_back) {
		free(parent);
		return outcome_ok();
	}
	set = run_plan(x, parent->plan, &o);
	m = set != NULL ? plan_member(set, x->r->service) : NULL;
	if (m != NULL && strcmp(m->digest, x->r->plan) == 0 && strcmp(set->env, x->r->env) == 0) {
		str_copy(set->requester, sizeof(set->requester), parent->requester);
		x->set = set;
		set = NULL;
	}
	plan_free(set);
	free(parent);
	return o;
}
