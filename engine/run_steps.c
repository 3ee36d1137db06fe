/* The effects of a rollout, one function per kind of step, and the way back. */
#include "engine/planner.h"
#include "engine/run_private.h"
#include "engine/smoke.h"

#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_US (REMOTE_TIMEOUT_MS * US_PER_MS)
#define POLL_MAX_US (1 * US_PER_S)
#define VERIFY_MIN_US (2 * US_PER_S)
enum { GREEN_NEEDED = 2 };

static const char *place(const struct run *x, char dst[NAME_LEN * 2 + 2])
{
	snprintf(dst, NAME_LEN * 2 + 2, "%s/%s", x->r->service, x->r->env);
	return dst;
}

const struct step *step_now(const struct run *x) { return &x->r->steps[x->r->at_step]; }

/* --- preflight -------------------------------------------------------------------------------- */

struct recheck {
	bool done, glass;
	struct outcome o;
};

static void on_recheck(void *ctx, struct plan *plan, const struct outcome *why)
{
	struct recheck *c = ctx;
	const struct gate *g = NULL;

	c->o = *why;
	if (plan != NULL && !plan_may_run(plan, &g)) {
		/* A gate that cannot be judged is asked again; one that says no is an answer. */
		c->o =
		    outcome_make(g == NULL || g->verdict == GATE_UNKNOWN ? OUTCOME_ERRORED : OUTCOME_FAILED,
		                 "gate", "gate %s: %.300s", g != NULL ? gate_kind_name(g->kind) : "?",
		                 g != NULL ? g->evidence : "");
	} else if (plan != NULL) {
		c->glass = plan->glass[0] != '\0';
		c->o = outcome_make(OUTCOME_OK, "gate", "%d gates are open, the plan is the same%s%.250s",
		                    plan->n_gates, c->glass ? "; " : "", plan->glass);
	}
	plan_free(plan);
	c->done = true;
}

static struct outcome do_preflight(struct run *x)
{
	struct recheck c = {.done = false};

	if (x->set != NULL)
		planner_recheck_member(x->app, x->plan, x->set, on_recheck, &c);
	else
		planner_recheck(x->app, x->plan, on_recheck, &c);
	while (!c.done)
		loop_until(x->loop, &c.done, loop_mono_us() + US_PER_S);
	x->r->glass = c.glass;
	return c.o.kind == OUTCOME_OK && x->r->kind == PLAN_SET ? run_set_free(x) : c.o;
}

/* --- the release's bytes ---------------------------------------------------------------------- */

/* Puts the verified files of an image into a folder of this host; dst is "" where there is no registry. */
struct outcome run_fetch(struct run *x, const struct release *release, char dst[PATH_LEN])
{
	const struct opened *registry = app_registry(x->app, x->service);
	const char *hex = strchr(release->digest, ':');
	struct wait w;

	dst[0] = '\0';
	if (registry == NULL || release->digest[0] == '\0')
		return outcome_ok();
	if ((size_t)snprintf(dst, PATH_LEN, "%s/%.64s", x->images, hex != NULL ? hex + 1 : release->digest) >=
	    PATH_LEN)
		return outcome_make(OUTCOME_FAILED, "state", "the path of the images' folder is too long");
	REGISTRY_OF(registry)->fetch(registry->priv, release->digest, dst,
	                             wait_op(x, &w, step_now(x)->timeout_us));
	wait_for(x, &w);
	free(w.result);
	return w.o;
}

static struct outcome put(struct run *x, const struct opened *deploy, const struct deploy_req *req)
{
	struct wait w;

	DEPLOY_OF(deploy)->stage(deploy->priv, req, wait_op(x, &w, step_now(x)->timeout_us));
	wait_for(x, &w);
	free(w.result);
	return w.o;
}

static struct outcome stage(struct run *x, const struct release *release)
{
	const struct opened *deploy = app_deploy(x->app, x->service, x->env);
	struct deploy_req req = {.release = *release,
	                         .log_path = x->log_path,
	                         .rollback = x->r->kind == PLAN_ROLLBACK || x->r->state == ROLLOUT_REVERTING};
	char dir[PATH_LEN];
	struct outcome o;

	if (deploy == NULL)
		return outcome_make(OUTCOME_FAILED, "deploy", "no deploy driver is configured");
	if (DEPLOY_OF(deploy)->stage == NULL)
		return outcome_make(OUTCOME_OK, "deploy", "nothing to put there beforehand");
	if (req.rollback) {
		/* What ran there before lies there still as a rule: going back must not depend on the registry. */
		o = put(x, deploy, &req);
		if (o.kind != OUTCOME_FAILED)
			return o;
	}
	o = run_fetch(x, release, dir);
	if (o.kind != OUTCOME_OK)
		return o;
	req.image_dir = dir[0] != '\0' ? dir : NULL;
	return put(x, deploy, &req);
}

/* --- health ----------------------------------------------------------------------------------- */

static int64_t poll_us(const struct run *x)
{
	return CLAMP(x->plan->policy.verify_us / 10, 50 * US_PER_MS, POLL_MAX_US);
}

/* Is this instance (NULL: are all) of that release and healthy? FAILED says what is not. */
static struct outcome look(struct run *x, const char *instance, const struct release *release)
{
	const struct opened *deploy = app_deploy(x->app, x->service, x->env);
	const struct deployed *d;
	struct outcome o = outcome_make(OUTCOME_FAILED, "deploy", "instance %s is not there",
	                                instance != NULL ? instance : "");
	struct wait w;
	int n_good = 0;

	DEPLOY_OF(deploy)->observe(deploy->priv, wait_op(x, &w, ASK_US));
	if (wait_for(x, &w).kind != OUTCOME_OK || w.result == NULL)
		return w.o;
	d = w.result;
	for (int i = 0; i < d->n_instances; i++) {
		const struct instance *in = &d->instances[i];

		if (instance != NULL && strcmp(in->name, instance) != 0)
			continue;
		if (release->digest[0] != '\0' && in->digest[0] != '\0' &&
		    strcmp(in->digest, release->digest) != 0) {
			o = outcome_make(OUTCOME_FAILED, "deploy", "%s runs another release", in->name);
		} else if (in->state != STATE_OK && (in->state != STATE_DRIFT || in->digest[0] == '\0')) {
			/* Drift is against what the place is set to: while it rolls, the release counts. */
			o = outcome_make(OUTCOME_FAILED, "deploy", "%s is %s%s%.250s", in->name,
			                 state_name(in->state), in->text[0] != '\0' ? ": " : "", in->text);
		} else if (release->digest[0] != '\0' && in->digest[0] == '\0') {
			o = outcome_make(OUTCOME_FAILED, "deploy", "%s does not say which release it runs",
			                 in->name);
		} else {
			n_good++;
			continue;
		}
		deployed_free(w.result);
		return o;
	}
	if (n_good > 0 && (instance != NULL || n_good == d->n_instances))
		o = outcome_make(OUTCOME_OK, "deploy", "%d of %d healthy", n_good,
		                 instance != NULL ? 1 : d->n_instances);
	deployed_free(w.result);
	return o;
}

/* The bit of an instance in sample_set.down; all of them for NULL. */
static uint64_t bits_of(const struct run *x, const char *instance)
{
	const struct deployment_conf *dep = setup_deployment(app_setup(x->app), x->service, x->env);

	for (int i = 0; instance != NULL && i < dep->n_instances; i++)
		if (strcmp(dep->instances[i].name, instance) == 0)
			return UINT64_C(1) << i;
	return instance == NULL ? UINT64_MAX : 0;
}

/*
 * What probes and metrics say: FAILED where this instance does not answer as it should, or (of all) a source is past
 * its limit. A source that is silent says nothing.
 */
static struct outcome look_metrics(struct run *x, const char *instance)
{
	const struct opened *m;

	for (int i = 0; (m = app_metrics(x->app, x->service, x->env, i)) != NULL; i++) {
		const struct sample_set *set;
		struct outcome o;
		struct wait w;
		bool bad;

		METRICS_OF(m)->sample(m->priv, wait_op(x, &w, ASK_US));
		wait_for(x, &w);
		set = w.result;
		if (w.o.kind != OUTCOME_OK || set == NULL)
			continue;
		o = outcome_make(OUTCOME_FAILED, m->driver->name, "%.350s",
		                 set->text[0] != '\0' ? set->text : "past its limit");
		bad = (set->down & bits_of(x, instance)) != 0 ||
		      (instance == NULL && set->state == STATE_FAILED);
		sample_set_free(w.result);
		if (bad)
			return o;
	}
	return outcome_ok();
}

/*
 * Gives health the policy's time to become green, and wants it green twice in a row. FAILED with what was wrong
 * last; ERRORED when nobody could be asked to the end.
 */
static struct outcome become_healthy(struct run *x, const char *instance, const struct release *release,
                                     int64_t within_us)
{
	int64_t until = loop_mono_us() + MAX(within_us, VERIFY_MIN_US);
	struct outcome o;
	int green = 0;

	for (;;) {
		o = look(x, instance, release);
		if (o.kind == OUTCOME_OK) {
			struct outcome m = look_metrics(x, instance);

			if (m.kind != OUTCOME_OK)
				o = m;
		}
		green = o.kind == OUTCOME_OK ? green + 1 : 0;
		if (green >= GREEN_NEEDED || x->lost)
			return o;
		if (x->changed)
			run_decisions(x);
		if (x->r->abort_wanted)
			return outcome_make(OUTCOME_ERRORED, "health", "not waited for: %.300s", o.text);
		if (loop_mono_us() >= until && o.kind != OUTCOME_OK)
			return o;
		wait_a_while(x, poll_us(x));
	}
}

/* --- deploy ----------------------------------------------------------------------------------- */

static struct outcome apply(struct run *x, const char *instance, const struct release *release)
{
	const struct opened *deploy = app_deploy(x->app, x->service, x->env);
	struct deploy_req req = {.release = *release,
	                         .instance = instance,
	                         .log_path = x->log_path,
	                         .on_child = run_child_hold,
	                         .ctx = x};
	struct wait w;
	bool begun;

	req.rollback = x->r->kind == PLAN_ROLLBACK || strcmp(release->digest, x->r->to.digest) != 0;
	if (deploy == NULL || DEPLOY_OF(deploy)->apply == NULL)
		return outcome_make(OUTCOME_FAILED, "deploy", "the deploy driver cannot change anything");
	DEPLOY_OF(deploy)->apply(deploy->priv, &req, wait_op(x, &w, 2 * US_PER_MIN));
	begun = x->gate_pid == 0 || run_child_begin(x);
	wait_for(x, &w);
	x->r->child[0] = '\0';
	free(w.result);
	return begun ? w.o
	             : outcome_make(OUTCOME_ERRORED, "deploy",
	                            "not begun: it could not be written down first");
}

/* Did apply happen for this instance? OK it did, FAILED it did not. */
static struct outcome applied(struct run *x, const char *instance, const struct release *release)
{
	const struct opened *deploy = app_deploy(x->app, x->service, x->env);
	struct deploy_req req = {.release = *release, .instance = instance, .log_path = x->log_path};
	struct wait w;

	if (deploy == NULL || DEPLOY_OF(deploy)->probe == NULL)
		return outcome_make(OUTCOME_ERRORED, "deploy", "the deploy driver cannot be asked");
	DEPLOY_OF(deploy)->probe(deploy->priv, &req, wait_op(x, &w, ASK_US));
	wait_for(x, &w);
	free(w.result);
	return w.o;
}

static struct outcome healthy_after(struct run *x, const char *instance, const struct release *release)
{
	struct outcome o = become_healthy(x, instance, release, x->plan->policy.verify_us);

	/* It was changed and cannot be seen: nobody can tell. */
	if (o.kind == OUTCOME_ERRORED)
		o.kind = OUTCOME_UNKNOWN;
	if (o.kind == OUTCOME_OK)
		o = outcome_make(OUTCOME_OK, "deploy", "%s runs %s", instance,
		                 release->tag[0] != '\0' ? release->tag : release->digest);
	return o;
}

static struct outcome do_deploy(struct run *x)
{
	const char *instance = step_now(x)->target;
	struct outcome o = apply(x, instance, &x->r->to);

	return o.kind == OUTCOME_OK ? healthy_after(x, instance, &x->r->to) : o;
}

static struct outcome probe_deploy(struct run *x)
{
	const char *instance = step_now(x)->target;
	struct outcome o = applied(x, instance, &x->r->to);

	if (o.kind != OUTCOME_OK)
		return o;
	o = healthy_after(x, instance, &x->r->to);
	/* It is there and ill: that is no reason to do it again. */
	if (o.kind == OUTCOME_FAILED)
		rollout_happened(x->r);
	return o;
}

/* --- the rest --------------------------------------------------------------------------------- */

struct smoke_wait {
	bool done;
	struct smoke_result *result;
	struct outcome o;
};

static void on_smoke(void *ctx, struct smoke_result *result, const struct outcome *why)
{
	struct smoke_wait *s = ctx;

	s->result = result;
	s->o = *why;
	s->done = true;
}

static void on_smoke_step(void *ctx, const struct smoke_step_result *s, int done, int all)
{
	struct run *x = ctx;
	struct step_run *run = &x->r->runs[x->r->at_step];

	run->progress = done;
	run->progress_of = all;
	run_say(x, "smoke %s: %s%s%s", s->name, smoke_state_name(s->state), s->text[0] != '\0' ? ", " : "",
	        s->text);
}

/* The two callbacks of smoke_start() share one context. */
struct smoke_both {
	struct run *x;
	struct smoke_wait w;
};
static void both_step(void *ctx, const struct smoke_step_result *s, int done, int all)
{
	on_smoke_step(((struct smoke_both *)ctx)->x, s, done, all);
}
static void both_done(void *ctx, struct smoke_result *result, const struct outcome *why)
{
	on_smoke(&((struct smoke_both *)ctx)->w, result, why);
}

static struct outcome do_smoke(struct run *x)
{
	const struct smoke_suite_conf *suite = setup_suite(app_setup(x->app), step_now(x)->target);
	struct smoke_both both = {.x = x};
	struct smoke_result *r;
	struct outcome o;
	struct wait w;
	int passed = 0;

	if (suite == NULL)
		return outcome_make(OUTCOME_FAILED, "smoke", "there is no suite %s", step_now(x)->target);
	smoke_start(x->app, x->service, x->env, suite, both_step, both_done, &both);
	while (!both.w.done)
		loop_until(x->loop, &both.w.done, loop_mono_us() + US_PER_S);
	r = both.w.result;
	if (r == NULL)
		return both.w.o;
	str_copy(r->actor, sizeof(r->actor), x->r->requester);
	for (int i = 0; i < r->n_steps; i++)
		passed += r->steps[i].state == SMOKE_PASSED;
	o = outcome_make(r->state == SMOKE_PASSED   ? OUTCOME_OK
	                 : r->state == SMOKE_FAILED ? OUTCOME_FAILED
	                                            : OUTCOME_ERRORED,
	                 "smoke", "%s %d/%d passed", r->suite, passed, r->n_steps);
	for (int i = 0; i < r->n_steps; i++)
		if (r->steps[i].state != SMOKE_PASSED && r->steps[i].state != SMOKE_SKIPPED) {
			o = outcome_make(o.kind, "smoke", "%s %d/%d passed, %s: %.250s", r->suite, passed,
			                 r->n_steps, r->steps[i].name, r->steps[i].text);
			break;
		}
	STORE_OF(x->store)->smoke_put(x->store->priv, r, wait_op(x, &w, ASK_US));
	if (wait_for(x, &w).kind != OUTCOME_OK && o.kind == OUTCOME_OK)
		o = outcome_make(OUTCOME_ERRORED, "smoke", "passed, but not stored: %.300s", w.o.text);
	free(w.result);
	smoke_result_free(r);
	return o;
}

/* Keeps what runs here, and since when. good: every instance was seen to run it and to be healthy. */
static struct outcome note(struct run *x, const struct release *release, int64_t since_us, bool good)
{
	struct deploy_row row = {.release = *release, .since_us = since_us, .good = good};
	struct wait w;

	str_copy(row.service, sizeof(row.service), x->r->service);
	str_copy(row.env, sizeof(row.env), x->r->env);
	str_copy(row.by, sizeof(row.by), x->r->requester);
	str_copy(row.rollout, sizeof(row.rollout), x->r->id);
	STORE_OF(x->store)->deploy_note(x->store->priv, &row, wait_op(x, &w, ASK_US));
	wait_for(x, &w);
	free(w.result);
	return w.o;
}

/*
 * Before anything changes: what runs here now, so that a first rollout has something to go back to. Best effort:
 * a store that does not take it refuses the step's own result next.
 */
static void note_before(struct run *x)
{
	const struct opened *deploy = app_deploy(x->app, x->service, x->env);
	const struct release *from = &x->r->from;
	const struct deployed *d;
	struct wait w;

	if (deploy == NULL || from->digest[0] == '\0')
		return;
	DEPLOY_OF(deploy)->observe(deploy->priv, wait_op(x, &w, ASK_US));
	wait_for(x, &w);
	d = w.result;
	if (w.o.kind == OUTCOME_OK && d != NULL && strcmp(d->release.digest, from->digest) == 0) {
		bool good = d->n_instances > 0;

		for (int i = 0; i < d->n_instances; i++)
			good = good && d->instances[i].state == STATE_OK &&
			       strcmp(d->instances[i].digest, from->digest) == 0;
		note(x, from, d->since_us > 0 ? d->since_us : x->r->created_us, good);
	}
	deployed_free(w.result);
}

/* A release that was left behind for cause is not offered here again: the rollback sticks. */
struct outcome run_mark_bad(struct run *x, const char *service, const struct release *release, const char *why)
{
	struct decision d = {.kind = DECISION_MARK_BAD};
	struct wait w;

	if (release->digest[0] == '\0')
		return outcome_ok();
	str_copy(d.actor, sizeof(d.actor), "executor");
	str_copy(d.host, sizeof(d.host), app_model(x->app)->host);
	str_copy(d.service, sizeof(d.service), service);
	str_copy(d.env, sizeof(d.env), x->r->env);
	str_copy(d.release, sizeof(d.release), release->digest);
	snprintf(d.reason, sizeof(d.reason), "rollout %s: %.300s", x->r->id, why);
	STORE_OF(x->store)->decide(x->store->priv, &d, wait_op(x, &w, ASK_US));
	wait_for(x, &w);
	free(w.result);
	return w.o;
}

static struct outcome do_record(struct run *x)
{
	struct outcome o = note(x, &x->r->to, loop_wall_us(), true);

	/* Its set went back for another one's sake: what it leaves may be good. */
	if (o.kind == OUTCOME_OK && x->r->kind == PLAN_ROLLBACK && !x->r->way_back &&
	    strcmp(x->r->from.digest, x->r->to.digest) != 0)
		o = run_mark_bad(x, x->r->service, &x->r->from,
		                 x->r->reason[0] != '\0' ? x->r->reason : "rolled back by hand");
	return o.kind == OUTCOME_OK ? outcome_make(OUTCOME_OK, "store", "recorded as good") : o;
}

struct outcome step_do(struct run *x)
{
	char name[NAME_LEN * 2 + 2];

	switch (step_now(x)->kind) {
	case STEP_LOCK:
		return outcome_make(OUTCOME_OK, "store", "holds %s, epoch %lld", place(x, name),
		                    (long long)x->epoch);
	case STEP_PREFLIGHT:
		if (x->r->kind != PLAN_SET)
			note_before(x);
		return do_preflight(x);
	case STEP_MIGRATE: return run_migrate(x);
	case STEP_STAGE: return stage(x, &x->r->to);
	case STEP_DEPLOY: return do_deploy(x);
	case STEP_MEMBER: return run_member(x);
	case STEP_VERIFY:
		if (x->r->kind == PLAN_SET)
			return run_set_verify(x);
		return become_healthy(x, NULL, &x->r->to, x->plan->policy.verify_us);
	case STEP_SMOKE: return do_smoke(x);
	case STEP_RECORD: return do_record(x);
	case STEP_KIND_COUNT: break;
	}
	return outcome_make(OUTCOME_FAILED, "run", "this version does not know that step");
}

static struct outcome probe(struct run *x)
{
	switch (step_now(x)->kind) {
	case STEP_MIGRATE: return run_migrated(x);
	case STEP_DEPLOY: return probe_deploy(x);
	case STEP_LOCK:
	case STEP_PREFLIGHT:
	case STEP_STAGE:
	case STEP_VERIFY:
	case STEP_SMOKE:
	case STEP_RECORD:
	case STEP_MEMBER:
	case STEP_KIND_COUNT: break;
	}
	return outcome_make(OUTCOME_FAILED, "run", "it is done again");
}

/* Not done yet is no answer while what does it may still run. */
struct outcome step_probe(struct run *x)
{
	struct outcome left = run_child_ended(x, step_now(x)->kind == STEP_MIGRATE ? run_migrate_watch : NULL);
	struct outcome o = probe(x);

	return o.kind == OUTCOME_FAILED && left.kind != OUTCOME_OK ? left : o;
}

/* --- the way back ----------------------------------------------------------------------------- */

/*
 * Puts from back on every instance that does not run it. Staging is keyed, each instance is asked first: after a
 * crash the same call goes on where it was.
 */
struct outcome run_revert(struct run *x)
{
	const struct rollout *r = x->r;
	struct outcome o = run_child_ended(x, NULL);

	if (o.kind == OUTCOME_OK)
		o = stage(x, &r->from);
	if (o.kind != OUTCOME_OK)
		return o;
	for (int i = 0; i < r->n_steps; i++) {
		if (r->steps[i].kind != STEP_DEPLOY)
			continue;
		if (!lease_allows(x))
			return outcome_make(OUTCOME_UNKNOWN, "run", "the lease is gone");
		if (applied(x, r->steps[i].target, &r->from).kind == OUTCOME_OK &&
		    look(x, r->steps[i].target, &r->from).kind == OUTCOME_OK)
			continue;
		run_say(x, "puts %s back on %s", r->from.tag, r->steps[i].target);
		o = apply(x, r->steps[i].target, &r->from);
		if (o.kind == OUTCOME_OK)
			o = healthy_after(x, r->steps[i].target, &r->from);
		if (o.kind != OUTCOME_OK)
			return o;
	}
	o = become_healthy(x, NULL, &r->from, x->plan->policy.verify_us);
	if (o.kind != OUTCOME_OK)
		return o;
	o = note(x, &r->from, loop_wall_us(), true);
	if (o.kind == OUTCOME_OK)
		o = run_mark_bad(x, r->service, &r->to, r->text);
	return o;
}
