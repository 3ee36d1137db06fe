/* What people ask for: each is written with its audit row before anything happens. */
#include "engine/request.h"
#include "engine/run.h"
#include "engine/signatures.h"

#include "core/roles.h"
#include "core/standing.h"
#include "core/text.h"
#include "io/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define STORE_US (REMOTE_TIMEOUT_MS * US_PER_MS)

struct request {
	struct app *app;
	struct plan *plan; /* a copy: the caller's may go away */
	struct rollout *rollout;
	struct decision d;
	bool store_only;
	bool wakes; /* the decision needs an executor: start one where none lives */
	char id[DIGEST_LEN];
	char key[PATH_LEN]; /* to sign with, "" to find one */
	struct outcome o;
	request_done_fn *done;
	void *ctx;
};

static void finish(struct request *q, const struct outcome *o)
{
	if (o != NULL)
		q->o = *o;
	if (app_observes(q->app))
		app_refresh_store(q->app, NULL, NULL);
	q->done(q->ctx, &q->o, q->id);
	plan_free(q->plan);
	free(q->rollout);
	free(q->d.signature);
	free(q);
}

static void finish_later(void *ctx) { finish(ctx, NULL); }

static struct request *request_new(struct app *a, request_done_fn *done, void *ctx)
{
	struct request *q = calloc(1, sizeof(*q));
	struct outcome o = outcome_make(OUTCOME_ERRORED, "request", "out of memory");

	if (q == NULL) {
		done(ctx, &o, "");
		return NULL;
	}
	q->app = a;
	q->done = done;
	q->ctx = ctx;
	return q;
}

static struct op *store_op(struct request *q, op_done_fn *fn)
{
	return op_new(app_loop(q->app), STORE_US, fn, q);
}

/* A wait that ends for an answer of the store: UNKNOWN where a write may have happened. */
static struct outcome write_answer(const struct outcome *o)
{
	struct outcome w = *o;

	if (w.kind == OUTCOME_CANCELLED)
		w.kind = OUTCOME_UNKNOWN;
	return w;
}

static bool copy_plan(struct request *q, const struct plan *p, const char *reason)
{
	struct arena a;
	struct error e = {.text = "out of memory"};
	int rc;

	arena_init(&a, ARENA_DEFAULT_MAX);
	rc = plan_from_jv(plan_to_jv(&a, p), &q->plan, &e);
	if (arena_failed(&a) && rc == 0)
		rc = ERR_NOMEM;
	arena_release(&a);
	if (rc != 0) {
		q->o = outcome_make(OUTCOME_ERRORED, "request", "%s", e.text);
		return false;
	}
	if (reason != NULL)
		text_cleanz(q->plan->reason, sizeof(q->plan->reason), reason);
	return true;
}

/* --- executing -------------------------------------------------------------------------------- */

static void spawn(struct request *q, const char *id)
{
	struct error e;
	char text[PATH_LEN + 3 * TEXT_LEN];

	q->o = outcome_ok();
	if (app_setup(q->app)->executor == EXECUTOR_SERVICE) {
		if (!executor_missing(app_model(q->app), q->o.text, sizeof(q->o.text)))
			str_copy(q->o.text, sizeof(q->o.text), "an executor takes it");
		return;
	}
	if (run_spawn(q->app, id, &e) != 0) {
		error_format(&e, text, sizeof(text));
		q->o = outcome_make(OUTCOME_ERRORED, "request", "%.390s", text);
		snprintf(q->o.hint, sizeof(q->o.hint),
		         "rollout %s is planned and nothing has happened: towpath take-over %s", id, id);
	}
}

static void on_created(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct request *q = ctx;
	struct outcome said = write_answer(o);

	UNUSED(op);
	UNUSED(result);
	if (said.kind != OUTCOME_OK) {
		finish(q, &said);
		return;
	}
	spawn(q, q->rollout->id);
	finish(q, NULL);
}

static void new_id(char id[ID_LEN])
{
	unsigned char bytes[6] = {0};

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		abort();
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

/* The rollout of q->plan under that id, asked for by requester; NULL: no memory, said in q->o. */
static struct rollout *rollout_of(struct request *q, const char *id, const char *requester)
{
	q->rollout = calloc(1, sizeof(*q->rollout));
	if (q->rollout == NULL) {
		q->o = outcome_make(OUTCOME_ERRORED, "request", "out of memory");
		return NULL;
	}
	str_copy(q->id, sizeof(q->id), id);
	rollout_init(q->rollout, id, q->plan, requester, loop_wall_us());
	if (app_setup(q->app)->executor == EXECUTOR_SERVICE)
		q->rollout->state = ROLLOUT_QUEUED;
	return q->rollout;
}

static void on_plan_stored(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct request *q = ctx;
	const struct opened *store = app_store(q->app);
	struct outcome said = write_answer(o);
	char id[ID_LEN] = "";

	UNUSED(op);
	UNUSED(result);
	if (said.kind != OUTCOME_OK || q->store_only) {
		finish(q, &said);
		return;
	}
	new_id(id);
	if (rollout_of(q, id, app_model(q->app)->actor) == NULL) {
		finish(q, NULL);
		return;
	}
	STORE_OF(store)->rollout_create(store->priv, q->rollout, app_model(q->app)->actor,
	                                store_op(q, on_created));
}

/* False with q->o set: a gate is shut. */
static bool gates_are_open(struct request *q, const struct plan *p)
{
	const struct gate *g = NULL;

	if (plan_may_run(p, &g))
		return true;
	q->o = outcome_make(OUTCOME_FAILED, "request", "gate %s is not open: %.300s",
	                    g != NULL ? gate_kind_name(g->kind) : "?", g != NULL ? g->evidence : "");
	return false;
}

static void store_plan(struct app *a, const struct plan *p, const char *reason, bool store_only,
                       request_done_fn *done, void *ctx)
{
	const struct opened *store = app_store(a);
	struct request *q = request_new(a, done, ctx);
	char why[TEXT_LEN];
	int env;

	if (q == NULL)
		return;
	q->store_only = store_only;
	if (!copy_plan(q, p, reason)) {
		loop_defer(app_loop(a), finish_later, q);
		return;
	}
	str_copy(q->id, sizeof(q->id), p->digest);
	env = setup_env(app_setup(a), p->env);
	if (env >= 0 &&
	    (roles_of(app_setup(a), env, app_model(a)->actor) & (STORE_OPERATOR | STORE_ADMIN)) == 0) {
		q->o = outcome_make(OUTCOME_FAILED, "request", "%s",
		                    roles_refusal(app_setup(a), env, app_model(a)->actor,
		                                  STORE_OPERATOR | STORE_ADMIN, "start rollouts", why,
		                                  sizeof(why)));
		loop_defer(app_loop(a), finish_later, q);
		return;
	}
	if (!store_only && !gates_are_open(q, p)) {
		loop_defer(app_loop(a), finish_later, q);
		return;
	}
	STORE_OF(store)->plan_put(store->priv, q->plan, app_model(a)->actor, store_op(q, on_plan_stored));
}

void request_execute(struct app *a, const struct plan *p, const char *reason, request_done_fn *done,
                     void *ctx)
{
	store_plan(a, p, reason, false, done, ctx);
}

void request_scheduled(struct app *a, const struct plan *p, const struct decision *schedule,
                       request_done_fn *done, void *ctx)
{
	const struct opened *store = app_store(a);
	struct request *q = request_new(a, done, ctx);
	char id[ID_LEN], reason[TEXT_LEN];

	if (q == NULL)
		return;
	snprintf(id, sizeof(id), "s%lld", (long long)schedule->seq);
	snprintf(reason, sizeof(reason), "scheduled by %s%s%.250s", schedule->actor,
	         schedule->reason[0] != '\0' ? ": " : "", schedule->reason);
	if (!copy_plan(q, p, reason) || !gates_are_open(q, p) || rollout_of(q, id, schedule->actor) == NULL) {
		loop_defer(app_loop(a), finish_later, q);
		return;
	}
	STORE_OF(store)->rollout_scheduled(store->priv, q->rollout, app_model(a)->actor,
	                                   store_op(q, on_created));
}

void request_approval(struct app *a, const struct plan *p, const char *reason, request_done_fn *done,
                      void *ctx)
{
	store_plan(a, p, reason, true, done, ctx);
}

/* --- decisions -------------------------------------------------------------------------------- */

static void on_decided(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct request *q = ctx;
	struct outcome said = write_answer(o);

	UNUSED(op);
	UNUSED(result);
	fault_point("request.after_decision");
	if (said.kind != OUTCOME_OK) {
		finish(q, &said);
		return;
	}
	if (q->wakes) {
		spawn(q, q->d.rollout);
		finish(q, NULL);
		return;
	}
	said.text[0] = '\0';
	str_copy(said.text, sizeof(said.text), q->o.text);
	finish(q, &said);
}

static bool refuse(struct request *q, const char *why)
{
	q->o = outcome_make(OUTCOME_FAILED, "request", "rollout %s: %s", q->d.rollout, why);
	return false;
}

/* What the config of the environment says against this person deciding it; NULL nothing. dst holds the text. */
static const char *role_lacks(const struct app *a, const struct decision *d, char dst[TEXT_LEN])
{
	const struct setup *s = app_setup(a);
	const char *person = app_model(a)->actor;
	int env = d->env[0] != '\0' ? setup_env(s, d->env) : -1;
	struct decision mine = *d;

	str_copy(mine.actor, sizeof(mine.actor), person);
	if (roles_allow(s, env, &mine))
		return NULL;
	if (env >= 0)
		return roles_refusal(s, env, person, decision_rule(d->kind)->roles,
		                     decision_kind_name(d->kind), dst, TEXT_LEN);
	snprintf(dst, TEXT_LEN, "%s may not %s: roles in the config do not give it in every environment",
	         person, decision_kind_name(d->kind));
	return dst;
}

/* Checks a decision against the state that the rollout is in now. */
static bool fits(struct request *q, const struct rollout *r)
{
	const struct store_snapshot *s = app_model(q->app)->store;
	struct reaction cell = rollout_judge(r, &q->d);
	char why[TEXT_LEN];

	str_copy(q->d.service, sizeof(q->d.service), r->service);
	str_copy(q->d.env, sizeof(q->d.env), r->env);
	if (role_lacks(q->app, &q->d, why) != NULL)
		return refuse(q, why);
	if (cell.cell == CELL_REFUSED || cell.cell == CELL_IGNORED)
		return refuse(q, cell.why != NULL ? cell.why : "that changes nothing now");
	if (q->d.kind == DECISION_TAKE_OVER && !r->orphaned) {
		snprintf(why, sizeof(why), "its executor %s is alive",
		         r->holder[0] != '\0' ? r->holder : "is starting or");
		return refuse(q, why);
	}
	if (decision_goes_on(q->d.kind) && s != NULL &&
	    stop_standing((struct decisions){s->decisions, s->n_decisions}, loop_wall_us()) != NULL)
		return refuse(q, "all rollouts are stopped: towpath resume");
	/* A take-over is followed by request_resume(); the others wake an executor where none lives. */
	q->wakes = r->orphaned && q->d.kind != DECISION_TAKE_OVER && q->d.kind != DECISION_HOLD;
	if (cell.why != NULL)
		str_copy(q->o.text, sizeof(q->o.text), cell.why);
	return true;
}

static void decide(struct request *q)
{
	const struct opened *store = app_store(q->app);

	fault_point("request.before_decision");
	STORE_OF(store)->decide(store->priv, &q->d, store_op(q, on_decided));
}

static void on_rollout(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct request *q = ctx;

	UNUSED(op);
	if (o->kind != OUTCOME_OK) {
		finish(q, o);
		return;
	}
	if (!fits(q, result)) {
		finish(q, NULL);
		return;
	}
	decide(q);
}

/* An approval that would not count is refused when it is given, with the rule; the rest the gate says. */
static const char *would_not_count(const struct app *a, const struct decision *d, char dst[TEXT_LEN])
{
	const struct setup *s = app_setup(a);
	const struct policy *p = NULL;
	int env = setup_env(s, d->env);

	if (d->kind != DECISION_APPROVE || env < 0)
		return NULL;
	p = &s->envs[env].policy;
	for (int i = 0; i < p->n_approve_groups; i++)
		if (setup_in_group(s, p->approve_groups[i], app_model(a)->actor))
			return NULL;
	if (p->n_approve_groups == 0)
		return NULL;
	snprintf(dst, TEXT_LEN, "%s is not in %s%s: only they approve for %s (approval_groups)",
	         app_model(a)->actor, p->approve_groups[0],
	         p->n_approve_groups > 1 ? " or another of its groups" : "", s->envs[env].name);
	return dst;
}

/* Whoever asked for a plan never approves it; NULL where that is not the case. */
static const char *own_plan(const struct app *a, const struct decision *d)
{
	const struct store_snapshot *s = app_model(a)->store;

	for (int i = 0; d->kind == DECISION_APPROVE && s != NULL && i < s->n_plans; i++)
		if (strcmp(s->plans[i].digest, d->plan) == 0 &&
		    strcmp(s->plans[i].requester, app_model(a)->actor) == 0)
			return "you asked for this plan: somebody else must approve it";
	return NULL;
}

/* Whose place a plan is of, where the decision does not say so. */
static void place_of_plan(const struct app *a, struct decision *d)
{
	const struct store_snapshot *s = app_model(a)->store;

	for (int i = 0; d->plan[0] != '\0' && s != NULL && i < s->n_plans; i++)
		if (strcmp(s->plans[i].digest, d->plan) == 0) {
			str_copy(d->service, sizeof(d->service), s->plans[i].service);
			str_copy(d->env, sizeof(d->env), s->plans[i].env);
		}
}

/* --- signing an approval --- */

static enum signing signing_of(const struct app *a, const char *env)
{
	int i = setup_env(app_setup(a), env);

	return i < 0 ? SIGNING_OFF : app_setup(a)->envs[i].policy.signing;
}

static void on_signature(void *ctx, const struct outcome *o, const struct decision *d, char *armor)
{
	struct request *q = ctx;

	if (o->kind == OUTCOME_UNSUPPORTED && signing_of(q->app, q->d.env) == SIGNING_OPTIONAL &&
	    q->key[0] == '\0') {
		snprintf(q->o.text, sizeof(q->o.text), "not signed: %.300s", o->text);
	} else if (o->kind != OUTCOME_OK) {
		struct outcome no = *o;

		if (no.kind == OUTCOME_UNSUPPORTED)
			no.kind = OUTCOME_FAILED;
		snprintf(no.text, sizeof(no.text), "not approved, %s wants a signature: %.300s", q->d.env,
		         o->text);
		free(armor);
		finish(q, &no);
		return;
	} else {
		q->d = *d;
		q->d.signature = armor;
	}
	decide(q);
}

static void on_plan_read(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct request *q = ctx;
	struct outcome no;
	struct arena arena;
	struct jv *v;
	struct error e = {.text = ""};
	int rc;

	UNUSED(op);
	if (o->kind != OUTCOME_OK) {
		finish(q, o);
		return;
	}
	arena_init(&arena, ARENA_DEFAULT_MAX);
	rc = jv_parse(&arena, result, strlen(result), &v, &e);
	/* The digest is computed from what is signed: a plan that was changed in the store is not. */
	if (rc == 0)
		rc = plan_from_jv(v, &q->plan, &e);
	arena_release(&arena);
	if (rc != 0) {
		no = outcome_make(OUTCOME_FAILED, "store", "%s", e.text);
		finish(q, &no);
		return;
	}
	str_copy(q->d.service, sizeof(q->d.service), q->plan->service);
	str_copy(q->d.env, sizeof(q->d.env), q->plan->env);
	approval_sign(q->app, q->plan, &q->d, q->key[0] != '\0' ? q->key : NULL, on_signature, q);
}

void request_decide(struct app *a, const struct decision *d, request_done_fn *done, void *ctx)
{
	request_approve(a, d, NULL, done, ctx);
}

void request_approve(struct app *a, const struct decision *d, const char *key, request_done_fn *done,
                     void *ctx)
{
	const struct opened *store = app_store(a);
	struct request *q = request_new(a, done, ctx);
	const char *own = own_plan(a, d);
	char why[TEXT_LEN];

	if (q == NULL)
		return;
	q->d = *d;
	q->d.signature = NULL;
	place_of_plan(a, &q->d);
	str_copy(q->key, sizeof(q->key), key != NULL ? key : "");
	str_copy(q->id, sizeof(q->id), d->rollout[0] != '\0' ? d->rollout : d->plan);
	str_copy(q->d.actor, sizeof(q->d.actor), app_model(a)->actor);
	str_copy(q->d.host, sizeof(q->d.host), app_model(a)->host);
	text_cleanz(q->d.reason, sizeof(q->d.reason), d->reason);
	if (own == NULL)
		own = decision_lacks(&q->d);
	/* Whoever names a key believes that the approval is signed with it. */
	if (own == NULL && q->key[0] != '\0' && signing_of(a, q->d.env) == SIGNING_OFF) {
		snprintf(why, sizeof(why), "approvals of %s are not signed (approval_signed): leave out --key",
		         q->d.env);
		own = why;
	}
	if (own == NULL)
		own = role_lacks(a, &q->d, why);
	if (own == NULL)
		own = would_not_count(a, &q->d, why);
	if (own != NULL) {
		q->o = outcome_make(OUTCOME_FAILED, "request", "%s", own);
		loop_defer(app_loop(a), finish_later, q);
		return;
	}
	if (decision_rule(d->kind)->target == TARGET_ROLLOUT) {
		STORE_OF(store)->rollout_get(store->priv, d->rollout, store_op(q, on_rollout));
		return;
	}
	if (d->kind == DECISION_APPROVE && signing_of(a, q->d.env) != SIGNING_OFF) {
		STORE_OF(store)->plan_get(store->priv, d->plan, store_op(q, on_plan_read));
		return;
	}
	decide(q);
}

static void on_resumable(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct request *q = ctx;
	const struct rollout *r = result;
	struct outcome no;

	UNUSED(op);
	if (o->kind != OUTCOME_OK) {
		finish(q, o);
		return;
	}
	if (!rollout_is_live(r) || (!r->orphaned && r->holder[0] != '\0')) {
		no = outcome_make(OUTCOME_FAILED, "request", "rollout %s %s%s", r->id,
		                  rollout_is_live(r) ? "is driven by " : "has ended",
		                  rollout_is_live(r) ? r->holder : "");
		finish(q, &no);
		return;
	}
	spawn(q, r->id);
	finish(q, NULL);
}

void request_resume(struct app *a, const char *rollout_id, request_done_fn *done, void *ctx)
{
	const struct opened *store = app_store(a);
	struct request *q = request_new(a, done, ctx);

	if (q == NULL)
		return;
	str_copy(q->id, sizeof(q->id), rollout_id);
	STORE_OF(store)->rollout_get(store->priv, rollout_id, store_op(q, on_resumable));
}

/* --- orphans ---------------------------------------------------------------------------------- */

enum { ADOPTED_MAX = 16, ADOPTIONS_MAX = 3 };

struct adoptions {
	struct adopted {
		char id[ID_LEN];
		int64_t epoch;
		int times;
	} items[ADOPTED_MAX];
	int next;
};

static void on_adopted(void *ctx, const struct outcome *o, const char *id)
{
	struct app *a = ctx;

	if (o->kind == OUTCOME_OK)
		app_message(a, MESSAGE_WARN, "the process of rollout %s had died: a new one goes on", id);
	else
		app_message(a, MESSAGE_ERROR, "rollout %s has no process: %s", id, o->text);
}

/* True once for each death of a process, and not for ever. */
static bool may_adopt(struct adoptions *all, const struct rollout *r)
{
	struct adopted *x = NULL;

	for (int i = 0; i < ADOPTED_MAX && x == NULL; i++)
		if (strcmp(all->items[i].id, r->id) == 0)
			x = &all->items[i];
	if (x == NULL) {
		x = &all->items[all->next];
		all->next = (all->next + 1) % ADOPTED_MAX;
		*x = (struct adopted){.epoch = -1};
		str_copy(x->id, sizeof(x->id), r->id);
	}
	if (x->epoch == r->epoch || x->times >= ADOPTIONS_MAX)
		return false;
	x->epoch = r->epoch;
	x->times++;
	return true;
}

void request_adopt(struct app *a, const struct store_snapshot *s)
{
	struct adoptions *all;

	/* That is what the service is for. */
	if (app_setup(a)->executor == EXECUTOR_SERVICE)
		return;
	all = app_adoptions(a, sizeof(*all));
	for (int i = 0; all != NULL && i < s->n_rollouts; i++) {
		const struct rollout *r = &s->rollouts[i];

		/* A set that is paused with its member goes on when that one does. */
		if (rollout_is_live(r) && r->holder_dead &&
		    (r->state != ROLLOUT_PAUSED || r->kind == PLAN_SET) && may_adopt(all, r))
			request_resume(a, r->id, on_adopted, a);
	}
}
