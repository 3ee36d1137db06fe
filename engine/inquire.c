/* Questions that are asked on demand: the ladder of migrations, the doctor's rows, the newest history. */
#include "engine/app_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- ladder -------------------------------------------------------------------------------------- */

struct ladder {
	struct app *app;
	int service, n_envs, n_left;
	uint32_t generation;
	char revision[REVISION_LEN];
	struct migration_set **sets;
	void (*done)(void *ctx);
	void *ctx;
};

struct rung {
	struct ladder *ladder;
	int env;
};

static void ladder_end(struct ladder *l)
{
	struct event *e;

	if (--l->n_left > 0)
		return;
	e = app_event(l->app, EV_LADDER, l->service, -1);
	if (e != NULL) {
		e->ladder = l->sets;
		e->generation = l->generation;
		app_post(l->app, e);
	}
	if (l->done != NULL)
		loop_defer(l->app->loop, l->done, l->ctx);
	free(l);
}

static void on_rung(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct rung *r = ctx;

	UNUSED(result);
	app_post_source(r->ladder->app, r->ladder->service, r->env, PORT_MIGRATE, 0, o);
	if (o->kind == OUTCOME_OK)
		r->ladder->sets[r->env] = op_take(op);
	ladder_end(r->ladder);
	free(r);
}

/* The newest revision that anything of the service runs, or the registry has. */
static bool newest_revision(const struct app *a, int service, char dst[REVISION_LEN])
{
	const struct release_list *list = a->model->releases[service];
	const struct setup *s = app_setup(a);

	if (list != NULL && list->n_items > 0 && list->items[0].revision[0] != '\0') {
		str_copy(dst, REVISION_LEN, list->items[0].revision);
		return true;
	}
	for (int k = 0; k < s->n_envs; k++) {
		const struct deployed *d = model_deployment(a->model, service, k)->deployed;

		if (d != NULL && d->release.revision[0] != '\0') {
			str_copy(dst, REVISION_LEN, d->release.revision);
			return true;
		}
	}
	return false;
}

static void ladder_read(void *ctx)
{
	struct ladder *l = ctx;
	struct app *a = l->app;

	if (!newest_revision(a, l->service, l->revision)) {
		l->n_left = 1;
		ladder_end(l);
		return;
	}
	l->n_left = 1;
	for (int k = 0; k < l->n_envs; k++) {
		const struct opened *d = app_migrate(a, l->service, k);
		struct rung *r = d != NULL ? calloc(1, sizeof(*r)) : NULL;

		if (r == NULL)
			continue;
		*r = (struct rung){l, k};
		l->n_left++;
		MIGRATE_OF(d)->inspect(d->priv, l->revision,
		                       op_new(a->loop, REMOTE_TIMEOUT_MS * US_PER_MS, on_rung, r));
	}
	ladder_end(l);
}

void app_ladder(struct app *a, int service, void (*done)(void *ctx), void *ctx)
{
	struct ladder *l = calloc(1, sizeof(*l));

	if (l != NULL) {
		*l = (struct ladder){
		    .app = a, .service = service, .n_envs = app_setup(a)->n_envs, .done = done, .ctx = ctx};
		l->generation = app_setup(a)->generation;
		l->sets = calloc((size_t)l->n_envs, sizeof(struct migration_set *));
	}
	if (l == NULL || l->sets == NULL) {
		free(l);
		if (done != NULL)
			loop_defer(a->loop, done, ctx);
		return;
	}
	app_refresh(a, service, -1, PORT_REGISTRY, ladder_read, l);
}

/* --- doctor -------------------------------------------------------------------------------------- */

struct doctor {
	struct app *app;
	int n_left;
	void (*done)(void *ctx);
	void *ctx;
};

struct question {
	struct doctor *doctor;
	const struct setup *setup; /* of when it was asked: indices belong to it */
	const struct driver *driver;
	int service, env;
	int64_t started_us;
};

static void doctor_end(struct doctor *d)
{
	if (--d->n_left > 0)
		return;
	if (d->done != NULL)
		loop_defer(d->app->loop, d->done, d->ctx);
	free(d);
}

static void on_answer(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct question *q = ctx;
	struct app *a = q->doctor->app;
	const struct setup *s = q->setup;
	struct event *e = app_event(a, EV_DOCTOR, -1, -1);
	struct doctor_row *row = calloc(1, sizeof(*row));

	UNUSED(op);
	UNUSED(result);
	if (e != NULL && row != NULL) {
		snprintf(row->name, sizeof(row->name), "%s %s%s%s%s%s", port_name(q->driver->port),
		         q->driver->name, q->service >= 0 ? " " : "",
		         q->service >= 0 ? s->services[q->service].name : "", q->env >= 0 ? "/" : "",
		         q->env >= 0 ? s->envs[q->env].name : "");
		row->state = o->kind == OUTCOME_OK            ? STATE_OK
		             : o->kind == OUTCOME_UNSUPPORTED ? STATE_SKIPPED
		                                              : STATE_FAILED;
		str_copy(row->text, sizeof(row->text),
		         o->kind == OUTCOME_OK && o->text[0] == '\0' ? "reached" : o->text);
		str_copy(row->hint, sizeof(row->hint), o->hint);
		row->took_us = loop_mono_us() - q->started_us;
		e->doctor = row;
		app_post(a, e);
	} else {
		event_free(e);
		free(row);
	}
	doctor_end(q->doctor);
	free(q);
}

static void ask(struct doctor *d, const struct opened *o, int service, int env)
{
	struct question *q = o != NULL && o->driver->check != NULL ? calloc(1, sizeof(*q)) : NULL;

	if (q == NULL)
		return;
	*q = (struct question){d, app_setup(d->app), o->driver, service, env, loop_mono_us()};
	d->n_left++;
	o->driver->check(o->priv, op_new(d->app->loop, REMOTE_TIMEOUT_MS * US_PER_MS, on_answer, q));
}

void app_doctor(struct app *a, void (*done)(void *ctx), void *ctx)
{
	const struct setup *s = app_setup(a);
	struct doctor *d = calloc(1, sizeof(*d));

	if (d == NULL) {
		if (done != NULL)
			loop_defer(a->loop, done, ctx);
		return;
	}
	*d = (struct doctor){.app = a, .n_left = 1, .done = done, .ctx = ctx};
	ask(d, &a->store, -1, -1);
	for (int i = 0; i < s->n_services; i++) {
		ask(d, app_forge(a, i), i, -1);
		ask(d, app_registry(a, i), i, -1);
		for (int k = 0; k < s->n_envs; k++) {
			ask(d, app_deploy(a, i, k), i, k);
			ask(d, app_migrate(a, i, k), i, k);
			for (int f = 0; app_metrics(a, i, k, f) != NULL; f++)
				ask(d, app_metrics(a, i, k, f), i, k);
			ask(d, app_logs(a, i, k), i, k);
			ask(d, app_vars(a, i, k), i, k);
		}
	}
	doctor_end(d);
}

/* --- history ------------------------------------------------------------------------------------- */

struct history {
	struct app *app;
	void (*done)(void *ctx);
	void *ctx;
};

static void on_history(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct history *h = ctx;

	UNUSED(result);
	if (o->kind == OUTCOME_OK) {
		struct event *e = app_event(h->app, EV_HISTORY, -1, -1);

		if (e != NULL) {
			e->history = op_take(op);
			app_post(h->app, e);
		}
	} else {
		app_post_source(h->app, -1, -1, PORT_STORE, 0, o);
	}
	if (h->done != NULL)
		loop_defer(h->app->loop, h->done, h->ctx);
	free(h);
}

void app_history(struct app *a, int limit, void (*done)(void *ctx), void *ctx)
{
	struct history *h = calloc(1, sizeof(*h));

	if (h == NULL) {
		if (done != NULL)
			loop_defer(a->loop, done, ctx);
		return;
	}
	*h = (struct history){a, done, ctx};
	STORE_OF(&a->store)->history(a->store.priv, 0, MIN(limit, HISTORY_MAX),
	                             op_new(a->loop, REMOTE_TIMEOUT_MS * US_PER_MS, on_history, h));
}
