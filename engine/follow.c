/* Following logs: a ring per followed deployment, the newest few at once. */
#include "engine/app_private.h"

#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL_BYTES (256 * 1024)

struct followed {
	struct app *app;
	const struct opened *driver;
	int service, env;
	uint32_t generation;
	struct logbuf *logs;
	char names[INSTANCES_MAX][NAME_LEN];
};

/* The ring fills at once; the model only hears that there is more. */
static void tell(struct followed *f) { app_post(f->app, app_event(f->app, EV_LOG, f->service, f->env)); }

static void name_source(struct followed *f, uint16_t source, const char *name)
{
	if (source >= INSTANCES_MAX || f->names[source][0] != '\0')
		return;
	str_copy(f->names[source], sizeof(f->names[source]), name);
	model_set_log_source(f->app->model, f->service, f->env, source, f->names[source]);
}

static void on_bytes(void *ctx, uint16_t source, const char *name, const char *bytes, size_t n)
{
	struct followed *f = ctx;

	name_source(f, source, name);
	logbuf_append(f->logs, source, bytes, n, loop_wall_us());
	tell(f);
}

static void on_gap(void *ctx, uint16_t source, const char *name, const char *text)
{
	struct followed *f = ctx;

	name_source(f, source, name);
	logbuf_gap(f->logs, source, text, loop_wall_us());
	tell(f);
}

static void on_state(void *ctx, const struct outcome *o)
{
	struct followed *f = ctx;

	app_post_source(f->app, f->service, f->env, PORT_LOGS, 0, o);
}

static void follow_stop(struct followed *f)
{
	LOGS_OF(f->driver)->unfollow(f->driver->priv);
	if (f->generation == f->app->now->setup->generation)
		model_set_logs(f->app->model, f->service, f->env, NULL);
	for (int i = 0; i < INSTANCES_MAX && f->generation == f->app->now->setup->generation; i++)
		model_set_log_source(f->app->model, f->service, f->env, i, NULL);
	logbuf_free(f->logs);
	free(f);
}

void follow_stop_all(struct app *a)
{
	for (int i = 0; i < a->n_followed; i++)
		follow_stop(a->followed[i]);
	a->n_followed = 0;
}

int follow_places(const struct app *a, struct followed_place ret[FOLLOWED_MAX])
{
	const struct setup *s = a->now->setup;

	for (int i = 0; i < a->n_followed; i++) {
		str_copy(ret[i].service, sizeof(ret[i].service), s->services[a->followed[i]->service].name);
		str_copy(ret[i].env, sizeof(ret[i].env), s->envs[a->followed[i]->env].name);
	}
	return a->n_followed;
}

void follow_again(struct app *a, const struct followed_place *places, int n)
{
	for (int i = n - 1; i >= 0; i--) {
		int service = setup_service(a->now->setup, places[i].service);
		int env = setup_env(a->now->setup, places[i].env);

		if (service >= 0 && env >= 0 && setup_deployment(a->now->setup, service, env)->present)
			app_follow_logs(a, service, env);
	}
}

/* Moves an entry to the front: the newest stay, the oldest leaves first. */
static void to_front(struct app *a, int i)
{
	struct followed *f = a->followed[i];

	memmove(&a->followed[1], &a->followed[0], (size_t)i * sizeof(struct followed *));
	a->followed[0] = f;
}

void app_follow_logs(struct app *a, int service, int env)
{
	const struct opened *d = app_logs(a, service, env);
	struct logs_sink sink = {.bytes = on_bytes, .gap = on_gap, .state = on_state};
	struct followed *f;
	struct error e = {0};

	for (int i = 0; i < a->n_followed; i++)
		if (a->followed[i]->service == service && a->followed[i]->env == env) {
			to_front(a, i);
			return;
		}
	if (d == NULL)
		return;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return;
	*f = (struct followed){
	    .app = a, .driver = d, .service = service, .env = env, .generation = a->now->setup->generation};
	f->logs = logbuf_new(LOG_RING_MAX);
	if (f->logs == NULL) {
		free(f);
		return;
	}
	if (a->n_followed == FOLLOWED_MAX)
		follow_stop(a->followed[--a->n_followed]);
	a->followed[a->n_followed++] = f;
	to_front(a, a->n_followed - 1);
	model_set_logs(a->model, service, env, f->logs);
	sink.ctx = f;
	if (LOGS_OF(d)->follow(d->priv, &sink, TAIL_BYTES, &e) != 0) {
		struct outcome o = outcome_make(OUTCOME_ERRORED, d->driver->name, "%s", e.text);

		str_copy(o.hint, sizeof(o.hint), e.hint);
		app_post_source(a, service, env, PORT_LOGS, 0, &o);
	}
	tell(f);
}
