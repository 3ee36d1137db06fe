/*
 * The plan of a release set: each member is planned by itself, all at the same time; what an earlier one migrates is
 * taken out of the later ones; then the whole is sealed, and judged with approvals of its own digest.
 */
#include "engine/planner_private.h"
#include "engine/signatures.h"

#include "core/gate.h"
#include "core/roles.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct setting;

struct planned {
	struct setting *s;
	int service;
	char release[DIGEST_LEN]; /* "" what the environment before runs */
	char put[DIGEST_LEN];     /* of what goes back: what the set had put there, "" not asked */
	struct plan *plan;
	struct outcome why;
};

struct setting {
	struct app *app;
	int env;
	enum plan_kind kind; /* of the members */
	char title[NAME_LEN], requester[NAME_LEN], reason[TEXT_LEN];
	int64_t at_us, made_us;
	const struct plan *old; /* of a re-check */
	struct planned members[SET_MAX];
	int n, waiting;
	struct plan *plan;
	struct store_snapshot *store;
	struct signature_verdict *signatures;
	struct outcome no;
	plan_done_fn *done;
	void *ctx;
};

static void finish(struct setting *s, const struct outcome *why)
{
	struct plan *p = why->kind == OUTCOME_OK ? s->plan : NULL;

	for (int i = 0; i < s->n; i++)
		plan_free(s->members[i].plan);
	if (p == NULL)
		plan_free(s->plan);
	s->done(s->ctx, p, why);
	store_snapshot_free(s->store);
	free(s->signatures);
	free(s);
}

static void refuse_later(void *ctx)
{
	struct setting *s = ctx;
	struct outcome o = s->no;

	finish(s, &o);
}

static void refuse(struct setting *s, const char *text, const char *hint)
{
	s->no = outcome_make(OUTCOME_FAILED, "planner", "%s", text);
	str_copy(s->no.hint, sizeof(s->no.hint), hint);
	loop_defer(app_loop(s->app), refuse_later, s);
}

/* --- judged as a whole --------------------------------------------------------------------------- */

static void conclude(void *ctx, struct signature_verdict *list, int n)
{
	struct setting *s = ctx;
	struct gate_facts f = {.now_us = s->at_us > 0 ? s->at_us : s->store->now_us,
	                       .setup = app_setup(s->app),
	                       .service = -1,
	                       .env = s->env,
	                       .decisions = s->store->decisions,
	                       .n_decisions = s->store->n_decisions,
	                       .signatures = list,
	                       .n_signatures = n,
	                       .spent_us = plan_spent_us(s->store, s->plan->digest)};
	struct outcome o = outcome_ok();

	s->signatures = list;
	gates_eval_set(s->plan, &f);
	if (s->old != NULL && strcmp(s->old->digest, s->plan->digest) != 0)
		o = outcome_make(
		    OUTCOME_FAILED, "planner",
		    "the plan is not the same any more: the set's services or policy changed since");
	for (int i = 0; o.kind == OUTCOME_FAILED && i < s->plan->n_members; i++) {
		const struct plan *now = s->plan->members[i], *was = plan_member(s->old, now->service);

		if (was != NULL && strcmp(was->digest, now->digest) != 0) {
			struct outcome why = planner_what_changed(was, now);

			o = outcome_make(OUTCOME_FAILED, "planner", "%s: %.300s", now->service, why.text);
			break;
		}
	}
	finish(s, &o);
}

static void on_snapshot(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct setting *s = ctx;

	if (o->kind != OUTCOME_OK || result == NULL) {
		finish(s, o);
		return;
	}
	s->store = op_take(op);
	s->store->n_decisions = roles_filter(app_setup(s->app), s->store->decisions, s->store->n_decisions);
	if (approvals_are_signed(s->plan, s->store->decisions, s->store->n_decisions))
		approvals_check(s->app, s->plan, s->store->decisions, s->store->n_decisions, conclude, s);
	else
		conclude(s, NULL, 0);
}

/* --- the members ---------------------------------------------------------------------------------- */

/* What goes into the plan, in order; false with why: one of them cannot be planned, or there is nothing to do. */
static bool collect(struct setting *s, struct plan *members[SET_MAX], int *ret_n, char left[TEXT_LEN],
                    struct outcome *why)
{
	size_t used = 0;

	*ret_n = 0;
	left[0] = '\0';
	for (int i = 0; i < s->n; i++) {
		struct planned *m = &s->members[i];
		const char *name = app_setup(s->app)->services[m->service].name;

		if (m->plan == NULL && m->why.kind != OUTCOME_OK) {
			*why = outcome_make(m->why.kind, "planner", "%s: %.330s", name, m->why.text);
			str_copy(why->hint, sizeof(why->hint), m->why.hint);
			return false;
		}
		if (m->plan != NULL && m->put[0] != '\0' && strcmp(m->plan->from.digest, m->put) != 0) {
			*why = outcome_make(
			    OUTCOME_FAILED, "planner",
			    "%s runs %s now, which the set did not put there: it has moved on alone", name,
			    m->plan->from.tag[0] != '\0' ? m->plan->from.tag : m->plan->from.digest);
			str_copy(why->hint, sizeof(why->hint),
			         "roll services back one by one: towpath rollback SERVICE ENV");
			return false;
		}
		if (m->plan == NULL) {
			int w = snprintf(left + used, TEXT_LEN - used, "%s%s: %s", used > 0 ? "; " : "", name,
			                 m->why.text);

			used = MIN(used + (size_t)MAX(w, 0), (size_t)TEXT_LEN - 1);
			continue;
		}
		members[(*ret_n)++] = m->plan;
		m->plan = NULL;
	}
	if (*ret_n == 0)
		*why = outcome_make(OUTCOME_FAILED, "planner", "there is nothing to do: %.300s", left);
	return *ret_n > 0;
}

static void assemble(struct setting *s)
{
	const struct opened *store = app_store(s->app);
	struct plan *members[SET_MAX];
	char left[TEXT_LEN];
	struct outcome why;
	struct error e = {.text = "out of memory"};
	int n, rc = 0;

	if (!collect(s, members, &n, left, &why)) {
		for (int i = 0; i < n; i++)
			plan_free(members[i]);
		finish(s, &why);
		return;
	}
	for (int i = 1; i < n && rc == 0; i++)
		for (int k = 0; k < i && rc == 0; k++)
			rc = plan_after(members[i], members[k], &e);
	s->plan = plan_new();
	if (s->plan == NULL) {
		for (int i = 0; i < n; i++)
			plan_free(members[i]);
		why = outcome_make(OUTCOME_ERRORED, "planner", "out of memory");
		finish(s, &why);
		return;
	}
	str_copy(s->plan->requester, sizeof(s->plan->requester), s->requester);
	str_copy(s->plan->reason, sizeof(s->plan->reason), s->reason);
	str_copy(s->plan->left_out, sizeof(s->plan->left_out), left);
	s->plan->made_us = s->made_us;
	if (plan_set_make(s->plan, s->title, app_setup(s->app)->envs[s->env].name, members, n, &e) != 0 ||
	    rc != 0) {
		why = outcome_make(OUTCOME_ERRORED, "planner", "%s", e.text);
		finish(s, &why);
		return;
	}
	STORE_OF(store)->snapshot(store->priv, op_new(app_loop(s->app), ASK_US, on_snapshot, s));
}

static void on_member(void *ctx, struct plan *plan, const struct outcome *why)
{
	struct planned *m = ctx;

	m->plan = plan;
	m->why = *why;
	if (--m->s->waiting == 0)
		assemble(m->s);
}

static void plan_members(struct setting *s)
{
	/* Held by one until all are asked: an answer may come at once. */
	s->waiting = s->n + 1;
	for (int i = 0; i < s->n; i++) {
		struct planned *m = &s->members[i];
		struct plan_want want = {.kind = s->kind,
		                         .service = m->service,
		                         .env = s->env,
		                         .release = m->release[0] != '\0' ? m->release : NULL,
		                         .reason = s->reason,
		                         .requester = s->requester,
		                         .member = true,
		                         .again = s->old != NULL,
		                         .at_us = s->at_us};

		m->s = s;
		planner_start(s->app, &want, on_member, m);
	}
	if (--s->waiting == 0)
		assemble(s);
}

/* --- back as a whole ------------------------------------------------------------------------------ */

static void on_stored(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct setting *s = ctx;
	const struct setup *setup = app_setup(s->app);
	struct arena a;
	struct jv *v;
	struct plan *was = NULL;
	struct error e = {.text = "out of memory"};
	int rc;

	UNUSED(op);
	if (o->kind != OUTCOME_OK) {
		finish(s, o);
		return;
	}
	arena_init(&a, ARENA_DEFAULT_MAX);
	rc = jv_parse(&a, result, strlen(result), &v, &e);
	if (rc == 0)
		rc = plan_from_jv(v, &was, &e);
	arena_release(&a);
	if (rc != 0) {
		refuse(s, e.text, "");
		return;
	}
	/* The last one first. */
	for (int i = was->n_members - 1; i >= 0 && s->n < SET_MAX; i--) {
		const struct plan *m = was->members[i];
		char text[TEXT_LEN];

		s->members[s->n].service = setup_service(setup, m->service);
		str_copy(s->members[s->n].release, DIGEST_LEN, m->from.digest);
		str_copy(s->members[s->n].put, DIGEST_LEN, m->to.digest);
		if (s->members[s->n].service >= 0 && m->from.digest[0] != '\0') {
			s->n++;
			continue;
		}
		snprintf(text, sizeof(text),
		         m->from.digest[0] == '\0'
		             ? "%s ran nowhere before the set: there is nothing to go back to"
		             : "%s is not in the configuration any more",
		         m->service);
		plan_free(was);
		refuse(s, text, "roll the others back one by one: towpath rollback SERVICE ENV");
		return;
	}
	plan_free(was);
	plan_members(s);
}

static void on_newest(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct setting *s = ctx;
	const struct opened *store = app_store(s->app);
	const char *env = app_setup(s->app)->envs[s->env].name;
	const struct store_snapshot *all = result;
	const struct rollout *newest = NULL;
	char text[TEXT_LEN];

	UNUSED(op);
	if (o->kind != OUTCOME_OK || all == NULL) {
		finish(s, o);
		return;
	}
	for (int i = 0; i < all->n_rollouts; i++) {
		const struct rollout *r = &all->rollouts[i];

		if (r->kind == PLAN_SET && r->on_failure == ON_FAILURE_ROLLBACK &&
		    r->state == ROLLOUT_ENDED && r->outcome == OUTCOME_OK &&
		    strcmp(r->service, s->title) == 0 && strcmp(r->env, env) == 0 &&
		    (newest == NULL || r->ended_us > newest->ended_us))
			newest = r;
	}
	if (newest == NULL) {
		snprintf(text, sizeof(text), "no promotion of %s into %s that ended ok is known", s->title,
		         env);
		refuse(s, text, "roll services back one by one: towpath rollback SERVICE ENV");
		return;
	}
	STORE_OF(store)->plan_get(store->priv, newest->plan, op_new(app_loop(s->app), ASK_US, on_stored, s));
}

/* --- asked for ------------------------------------------------------------------------------------ */

static struct setting *setting_new(struct app *a, int env, plan_done_fn *done, void *ctx)
{
	struct setting *s = calloc(1, sizeof(*s));
	struct outcome o = outcome_make(OUTCOME_ERRORED, "planner", "out of memory");

	if (s == NULL) {
		done(ctx, NULL, &o);
		return NULL;
	}
	s->app = a;
	s->env = env;
	s->done = done;
	s->ctx = ctx;
	s->made_us = loop_wall_us();
	return s;
}

void planner_set(struct app *a, const struct set_want *want, plan_done_fn *done, void *ctx)
{
	const struct setup *setup = app_setup(a);
	const struct opened *store = app_store(a);
	struct setting *s = setting_new(a, want->env, done, ctx);
	int services[SET_MAX], n;
	char text[TEXT_LEN];
	struct error e = {.text = ""};

	if (s == NULL)
		return;
	s->kind = want->back ? PLAN_ROLLBACK : PLAN_PROMOTE;
	s->at_us = want->at_us;
	str_copy(s->requester, sizeof(s->requester), app_model(a)->actor);
	text_cleanz(s->reason, sizeof(s->reason), want->reason != NULL ? want->reason : "");
	n = setup_set(setup, want->set, services, s->title, &e);
	if (n == 0 || want->env < 0) {
		refuse(s, n == 0 ? e.text : "there is no such environment", n == 0 ? e.hint : "");
		return;
	}
	for (int i = 0; i < n; i++)
		if (!setup_deployment(setup, services[i], want->env)->present) {
			snprintf(text, sizeof(text),
			         "%s is not deployed in %s: a set goes where all of it is",
			         setup->services[services[i]].name, setup->envs[want->env].name);
			refuse(s, text, "name the others with commas between them");
			return;
		}
	if (want->back) {
		STORE_OF(store)->snapshot(store->priv, op_new(app_loop(a), ASK_US, on_newest, s));
		return;
	}
	for (; s->n < n; s->n++)
		s->members[s->n].service = services[s->n];
	plan_members(s);
}

void planner_recheck_set(struct app *a, const struct plan *old, plan_done_fn *done, void *ctx)
{
	const struct setup *setup = app_setup(a);
	struct setting *s = setting_new(a, setup_env(setup, old->env), done, ctx);
	char text[TEXT_LEN];

	if (s == NULL)
		return;
	s->old = old;
	s->kind = old->members[0]->kind;
	s->made_us = old->made_us;
	str_copy(s->title, sizeof(s->title), old->service);
	str_copy(s->requester, sizeof(s->requester), old->requester);
	str_copy(s->reason, sizeof(s->reason), old->reason);
	for (int i = 0; i < old->n_members && s->env >= 0; i++) {
		const struct plan *m = old->members[i];

		s->members[s->n].service = setup_service(setup, m->service);
		str_copy(s->members[s->n].release, DIGEST_LEN,
		         m->to.digest[0] != '\0' ? m->to.digest : m->to.tag);
		if (s->members[s->n].service < 0) {
			snprintf(text, sizeof(text), "%s is not in the configuration any more", m->service);
			refuse(s, text, "");
			return;
		}
		s->n++;
	}
	if (s->env < 0) {
		refuse(s, "its environment is not in the configuration any more", "");
		return;
	}
	plan_members(s);
}
