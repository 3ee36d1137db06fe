/* Releases to go back to: what ran here before, whether its image is still there, whether the schema allows it. */
#include "engine/planner.h"

#include "core/roles.h"
#include "core/standing.h"
#include "core/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_US (REMOTE_TIMEOUT_MS * US_PER_MS)
#define VERIFY_US (60 * US_PER_S)
enum { SHOWN_MAX = 10 };

struct search {
	struct app *app;
	int service, env;
	struct store_snapshot *store;
	struct deployed *here;
	struct outcome failed; /* why nothing can be offered; ok as long as it can */
	struct candidate *found;
	int n_found;
	struct migration_set *now, *then[SHOWN_MAX];
	char then_text[SHOWN_MAX][TEXT_LEN];
	int waiting;
	void (*next)(struct search *s);
	void (*done)(void *ctx, const struct candidate *c, int n, const struct outcome *why);
	void *ctx;
};

struct ask {
	struct search *s;
	int i;
	void (*take)(struct search *s, int i, struct op *op, const struct outcome *o, void *result);
};

static void wave_done(void *ctx)
{
	struct search *s = ctx;

	if (--s->waiting == 0)
		s->next(s);
}

static void on_answer(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct ask *a = ctx;
	struct search *s = a->s;

	a->take(s, a->i, op, o, result);
	free(a);
	wave_done(s);
}

static struct op *ask(struct search *s, int i, int64_t timeout_us,
                      void (*take)(struct search *s, int i, struct op *op, const struct outcome *o,
                                   void *result))
{
	struct ask *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	*a = (struct ask){s, i, take};
	s->waiting++;
	return op_new(app_loop(s->app), timeout_us, on_answer, a);
}

static void finish(struct search *s)
{
	struct event *e = event_new(EV_CANDIDATES);

	if (s->done != NULL)
		s->done(s->ctx, s->found, s->n_found, &s->failed);
	if (e != NULL) {
		e->generation = app_setup(s->app)->generation;
		e->service = s->service;
		e->env = s->env;
		e->at_us = loop_wall_us();
		e->candidates = s->found;
		e->n_candidates = s->n_found;
		s->found = NULL;
		app_post(s->app, e);
	}
	free(s->found);
	store_snapshot_free(s->store);
	deployed_free(s->here);
	migration_set_free(s->now);
	for (int i = 0; i < SHOWN_MAX; i++)
		migration_set_free(s->then[i]);
	free(s);
}

/* Usable ones first, the newest of them on top; bad ones last. */
static int rank(const struct candidate *c)
{
	return (c->bad ? 16 : 0) + (c->good ? 0 : 4) + (c->image.kind == OUTCOME_FAILED ? 8 : 0) +
	       (c->schema == SCHEMA_BREAKS || c->schema == SCHEMA_BEHIND ? 2 : 0);
}

static int compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (rank(x) != rank(y))
		return rank(x) - rank(y);
	return (x->ended_us < y->ended_us) - (x->ended_us > y->ended_us);
}

static void judge(struct search *s)
{
	bool migrates = app_migrate(s->app, s->service, s->env) != NULL;

	for (int i = 0; i < s->n_found; i++) {
		struct candidate *c = &s->found[i];

		if (!migrates) {
			c->schema = SCHEMA_SAME;
			str_copy(c->schema_text, sizeof(c->schema_text), "it has no migrations");
		} else if (s->then[i] == NULL) {
			c->schema = SCHEMA_UNKNOWN;
			str_copy(c->schema_text, sizeof(c->schema_text), s->then_text[i]);
		} else {
			c->schema = verdict_for(s->then[i], s->now, c->schema_text, sizeof(c->schema_text));
		}
	}
	if (s->n_found > 0)
		qsort(s->found, (size_t)s->n_found, sizeof(*s->found), compare);
	finish(s);
}

static void take_image(struct search *s, int i, struct op *op, const struct outcome *o, void *result)
{
	UNUSED(op);
	UNUSED(result);
	s->found[i].image = *o;
}

static void take_then(struct search *s, int i, struct op *op, const struct outcome *o, void *result)
{
	if (o->kind == OUTCOME_OK && result != NULL)
		s->then[i] = op_take(op);
	else
		str_copy(s->then_text[i], sizeof(s->then_text[i]), o->text);
}

static void take_now(struct search *s, int i, struct op *op, const struct outcome *o, void *result)
{
	UNUSED(i);
	if (o->kind == OUTCOME_OK && result != NULL)
		s->now = op_take(op);
}

static void ask_about(struct search *s, int i)
{
	const struct opened *registry = app_registry(s->app, s->service),
	                    *migrate = app_migrate(s->app, s->service, s->env);
	struct candidate *c = &s->found[i];
	struct op *op;

	c->image = outcome_make(OUTCOME_UNSUPPORTED, "registry", "no registry is configured");
	if (registry != NULL && (op = ask(s, i, VERIFY_US, take_image)) != NULL)
		REGISTRY_OF(registry)->verify(registry->priv, c->release.digest, op);
	if (migrate == NULL)
		return;
	str_copy(s->then_text[i], sizeof(s->then_text[i]), "its revision is not known");
	if (c->release.revision[0] != '\0' && (op = ask(s, i, ASK_US, take_then)) != NULL)
		MIGRATE_OF(migrate)->inspect(migrate->priv, c->release.revision, op);
}

static void mark(const struct search *s, const char *service, const char *env, struct candidate *c)
{
	struct decisions all = {s->store->decisions, s->store->n_decisions};
	const struct decision *bad = bad_standing(all, service, env, c->release.digest),
	                      *pin = pin_standing(all, service, env, s->store->now_us);

	c->bad = bad != NULL;
	c->pinned = pin != NULL && strcmp(pin->release, c->release.digest) == 0;
	if (bad != NULL)
		snprintf(c->mark, sizeof(c->mark), "marked bad by %s: %.100s", bad->actor, bad->reason);
	else if (c->pinned)
		snprintf(c->mark, sizeof(c->mark), "pinned by %s: %.100s", pin->actor, pin->reason);
}

/* What ran here, newest first, each release once, without the one that runs now. */
static void collect(struct search *s)
{
	const struct setup *setup = app_setup(s->app);
	const char *service = setup->services[s->service].name, *env = setup->envs[s->env].name;
	const char *now = s->here->release.digest;

	for (int i = 0; i < s->store->n_deploys && s->n_found < SHOWN_MAX; i++) {
		const struct deploy_row *x = &s->store->deploys[i];
		struct candidate *c = NULL;

		if (strcmp(x->service, service) != 0 || strcmp(x->env, env) != 0 ||
		    strcmp(x->release.digest, now) == 0)
			continue;
		for (int k = 0; k < s->n_found && c == NULL; k++)
			if (strcmp(s->found[k].release.digest, x->release.digest) == 0)
				c = &s->found[k];
		if (c == NULL) {
			c = &s->found[s->n_found++];
			c->release = x->release;
			c->ended_us = x->until_us > 0 ? x->until_us : s->store->now_us;
			str_copy(c->by, sizeof(c->by), x->by);
			str_copy(c->rollout, sizeof(c->rollout), x->rollout);
		}
		c->ran_us += MAX((x->until_us > 0 ? x->until_us : s->store->now_us) - x->since_us, 0);
		c->good = c->good || x->good;
	}
	for (int i = 0; i < s->n_found; i++)
		mark(s, service, env, &s->found[i]);
}

static void second(struct search *s)
{
	const struct opened *migrate = app_migrate(s->app, s->service, s->env);
	struct op *op;

	if (s->failed.kind != OUTCOME_OK || s->store == NULL || s->here == NULL) {
		if (s->failed.kind == OUTCOME_OK)
			s->failed = outcome_make(OUTCOME_ERRORED, "planner", "out of memory");
		finish(s);
		return;
	}
	s->found = calloc(SHOWN_MAX, sizeof(*s->found));
	if (s->found == NULL) {
		s->failed = outcome_make(OUTCOME_ERRORED, "planner", "out of memory");
		finish(s);
		return;
	}
	collect(s);
	s->next = judge;
	s->waiting = 1;
	for (int i = 0; i < s->n_found; i++)
		ask_about(s, i);
	if (migrate != NULL && s->here->release.revision[0] != '\0' &&
	    (op = ask(s, 0, ASK_US, take_now)) != NULL)
		MIGRATE_OF(migrate)->inspect(migrate->priv, s->here->release.revision, op);
	loop_defer(app_loop(s->app), wave_done, s);
}

static void take_store(struct search *s, int i, struct op *op, const struct outcome *o, void *result)
{
	UNUSED(i);
	UNUSED(result);
	if (o->kind != OUTCOME_OK) {
		s->failed = *o;
		return;
	}
	s->store = op_take(op);
	/* Only the words of those who may say them. */
	s->store->n_decisions = roles_filter(app_setup(s->app), s->store->decisions, s->store->n_decisions);
}

static void take_here(struct search *s, int i, struct op *op, const struct outcome *o, void *result)
{
	UNUSED(i);
	UNUSED(result);
	if (o->kind == OUTCOME_OK)
		s->here = op_take(op);
	else
		s->failed = *o;
}

void planner_candidates(struct app *a, int service, int env,
                        void (*done)(void *ctx, const struct candidate *c, int n, const struct outcome *why),
                        void *ctx)
{
	const struct opened *deploy = app_deploy(a, service, env), *store = app_store(a);
	struct outcome o = outcome_make(OUTCOME_ERRORED, "planner", "out of memory");
	struct search *s = calloc(1, sizeof(*s));
	struct op *op;

	if (s == NULL) {
		if (done != NULL)
			done(ctx, NULL, 0, &o);
		return;
	}
	s->app = a;
	s->service = service;
	s->env = env;
	s->done = done;
	s->ctx = ctx;
	s->next = second;
	s->waiting = 1;
	if ((op = ask(s, 0, ASK_US, take_store)) != NULL)
		STORE_OF(store)->snapshot(store->priv, op);
	if (deploy == NULL)
		s->failed =
		    outcome_make(OUTCOME_UNSUPPORTED, "planner", "no deploy driver is configured there");
	else if ((op = ask(s, 0, ASK_US, take_here)) != NULL)
		DEPLOY_OF(deploy)->observe(deploy->priv, op);
	loop_defer(app_loop(a), wave_done, s);
}
