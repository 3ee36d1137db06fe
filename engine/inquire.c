/* Questions that are asked on demand: the doctor's rows, the newest history. */
#include "engine/app_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* --- a moment gone by ------------------------------------------------------------------------------ */

struct moment {
	struct app *app;
	int64_t at_us;
};

static void on_past(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct moment *q = ctx;
	struct event *e = o->kind == OUTCOME_OK ? app_event(q->app, EV_PAST, -1, -1) : NULL;

	UNUSED(result);
	if (e != NULL) {
		e->past = op_take(op);
		e->past_us = q->at_us;
		app_post(q->app, e);
	} else {
		app_message(q->app, MESSAGE_ERROR, "the past cannot be read: %s", o->text);
	}
	free(q);
}

void app_past(struct app *a, int64_t at_us)
{
	struct moment *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return;
	*q = (struct moment){a, at_us};
	STORE_OF(&a->store)->past(a->store.priv, &(struct past_ask){.since_us = at_us, .until_us = at_us},
	                          op_new(a->loop, REMOTE_TIMEOUT_MS * US_PER_MS, on_past, q));
}
