#include "engine/schedule.h"

#include "core/standing.h"
#include "core/text.h"
#include "engine/planner.h"
#include "engine/request.h"
#include "engine/run.h"
#include "io/fault.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define STORE_US (REMOTE_TIMEOUT_MS * US_PER_MS)
#define LOOK_US (30 * US_PER_S) /* looks at least this often */

bool schedule_time(const char *text, int64_t *ret_us)
{
	int64_t span, at;

	if (time_parse_iso(text, strlen(text), &at) != 0) {
		if (time_parse_duration(text, &span) != 0 || span > 3650 * US_PER_DAY)
			return false;
		at = loop_wall_us() + span;
	}
	*ret_us = at;
	return at >= loop_wall_us();
}

int schedule_spawn(struct app *a, const char *service, const char *env, struct error *e)
{
	char place[NAME_LEN * 2 + 2];

	snprintf(place, sizeof(place), "%s@%s", service, env);
	if (strlen(place) >= ID_LEN)
		return error_set(e, ERR_INVALID, "%s is too long a name for a process", place);
	return run_spawn_as(a, "__schedule", place, e);
}

/* --- one process a place ----------------------------------------------------------------------------- */

/* One process of a host waits for a place. The lock goes with it, however it ends. -1: taken, or not to be made. */
static int lock_take(const struct setup *s, const char *place)
{
	char dir[PATH_LEN], path[PATH_LEN + NAME_LEN * 2];
	struct error e;
	int fd;

	if (run_dir(s, "schedules", dir, sizeof(dir), &e) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", dir, place);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

bool schedule_is_waited_for(const struct setup *s, const char *place)
{
	int fd = lock_take(s, place);

	if (fd < 0)
		return true;
	close(fd);
	return false;
}

void schedule_adopt(struct app *a, const struct store_snapshot *s)
{
	const struct model *m = app_model(a);

	if (app_setup(a)->executor == EXECUTOR_SERVICE)
		return;
	for (int i = 0; i < s->n_decisions; i++) {
		const struct decision *d = &s->decisions[i];
		char place[NAME_LEN * 2 + 2];
		struct error e;

		if (strcmp(d->host, m->host) != 0 || strcmp(d->actor, m->actor) != 0 ||
		    !schedule_is_open(s, d))
			continue;
		snprintf(place, sizeof(place), "%s@%s", d->service, d->env);
		if (schedule_is_waited_for(app_setup(a), place))
			continue;
		if (schedule_spawn(a, d->service, d->env, &e) != 0)
			app_message(a, MESSAGE_ERROR, "nobody waits for the promotion of %s in %s: %s",
			            d->service, d->env, e.text);
	}
}

/* --- waiting ------------------------------------------------------------------------------------------ */

struct waiter {
	struct app *app;
	const struct opened *store;
	char service[NAME_LEN], env[NAME_LEN];
	struct decision d; /* the schedule that is waited for */
	bool changed, done;
	struct outcome o;
	void *result;
	struct plan *plan;
	char not_yet[TEXT_LEN / 2]; /* why it has not begun so far, "": nobody has tried */
};

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void say(const char *fmt, ...)
{
	char when[40];
	va_list ap;

	time_iso(when, sizeof(when), loop_wall_us(), true);
	fprintf(stderr, "%s ", when);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void on_changed(void *ctx) { ((struct waiter *)ctx)->changed = true; }

static void wait_done(struct waiter *w)
{
	while (!w->done)
		loop_until(app_loop(w->app), &w->done, loop_mono_us() + US_PER_S);
	w->done = false;
}

static void on_answer(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct waiter *w = ctx;

	w->o = *o;
	w->result = result != NULL ? op_take(op) : NULL;
	w->done = true;
}

static struct op *asked(struct waiter *w) { return op_new(app_loop(w->app), STORE_US, on_answer, w); }

static void on_plan(void *ctx, struct plan *plan, const struct outcome *why)
{
	struct waiter *w = ctx;

	w->plan = plan;
	if (plan == NULL)
		w->o = *why;
	else
		w->o = outcome_ok();
	w->done = true;
}

static void on_requested(void *ctx, const struct outcome *o, const char *id)
{
	struct waiter *w = ctx;

	UNUSED(id);
	w->o = *o;
	w->done = true;
}

static void on_fresh(void *ctx) { ((struct waiter *)ctx)->done = true; }

/* The stored plan, and what it is when it is made anew now: w->plan, or w->o says what changed. */
static bool plan_anew(struct waiter *w)
{
	struct arena a;
	struct jv *v;
	struct plan *stored = NULL;
	struct error e = {.text = "out of memory"};
	int rc;

	STORE_OF(w->store)->plan_get(w->store->priv, w->d.plan, asked(w));
	wait_done(w);
	if (w->o.kind != OUTCOME_OK)
		return false;
	arena_init(&a, ARENA_DEFAULT_MAX);
	rc = jv_parse(&a, w->result, strlen(w->result), &v, &e);
	if (rc == 0)
		rc = plan_from_jv(v, &stored, &e);
	arena_release(&a);
	free(w->result);
	if (rc != 0) {
		w->o = outcome_make(OUTCOME_FAILED, "store", "%s", e.text);
		return false;
	}
	/* Whoever begins it does so for who scheduled it. */
	str_copy(stored->requester, sizeof(stored->requester), w->d.actor);
	/* The model is what gates are judged by. */
	app_refresh_all(w->app, on_fresh, w);
	wait_done(w);
	planner_recheck(w->app, stored, on_plan, w);
	wait_done(w);
	plan_free(stored);
	return w->plan != NULL;
}

/* The schedule that is waited for, as the store has it now; false when it has begun, was taken back or replaced. */
static bool stands_still(struct waiter *w)
{
	const struct store_snapshot *s;

	app_refresh_store(w->app, on_fresh, w);
	wait_done(w);
	s = app_model(w->app)->store;
	for (int i = 0; s != NULL && i < s->n_decisions; i++)
		if (s->decisions[i].seq == w->d.seq)
			return schedule_is_open(s, &s->decisions[i]);
	return false;
}

/* True when it is over: it was cancelled, or somebody else has begun or ended it meanwhile. */
static bool cancel(struct waiter *w, const char *why)
{
	struct decision d = {.kind = DECISION_UNSCHEDULE};

	if (!stands_still(w)) {
		say("nothing to do: it has begun elsewhere, or was taken back");
		return true;
	}
	say("does not begin: %s", why);
	str_copy(d.service, sizeof(d.service), w->service);
	str_copy(d.env, sizeof(d.env), w->env);
	snprintf(d.reason, sizeof(d.reason), SCHEDULE_COULD_NOT "%.300s", why);
	request_decide(w->app, &d, on_requested, w);
	wait_done(w);
	if (w->o.kind != OUTCOME_OK)
		say("not written: %s", w->o.text);
	return w->o.kind == OUTCOME_OK;
}

/* It is tried again until it would be late. */
static bool not_yet(struct waiter *w, const char *why)
{
	say("not yet: %s", why);
	str_copy(w->not_yet, sizeof(w->not_yet), why);
	return false;
}

static bool fire(struct waiter *w, int64_t late_us)
{
	const struct gate *gate = NULL;
	char why[TEXT_LEN], id[ID_LEN];

	if (late_us > SCHEDULE_LATE_US)
		return cancel(w, w->not_yet[0] != '\0' ? w->not_yet : "nobody was there to begin it");
	if (!plan_anew(w)) {
		str_copy(why, sizeof(why), w->o.text);
		/* Errored is no answer: nobody could find out. */
		if (w->o.kind == OUTCOME_FAILED)
			return cancel(w, why);
		return not_yet(w, why);
	}
	if (!plan_may_run(w->plan, &gate)) {
		snprintf(why, sizeof(why), "%s: %.300s", gate_kind_name(gate->kind), gate->evidence);
		plan_free(w->plan);
		return cancel(w, why);
	}
	fault_point("schedule.before_begin");
	schedule_rollout(&w->d, id);
	request_scheduled(w->app, w->plan, &w->d, on_requested, w);
	wait_done(w);
	plan_free(w->plan);
	if (w->o.kind == OUTCOME_OK) {
		say("rollout %s begins%s%s", id, w->o.text[0] != '\0' ? ": " : "", w->o.text);
		return true;
	}
	str_copy(why, sizeof(why), w->o.text);
	if (w->o.kind == OUTCOME_FAILED)
		return cancel(w, why);
	return not_yet(w, why);
}

/* 0 when there is nothing to wait for any more, else how long to wait. */
static int64_t look(struct waiter *w)
{
	const struct store_snapshot *s;
	const struct decision *d;
	int64_t left;

	w->changed = false;
	app_refresh_store(w->app, on_fresh, w);
	wait_done(w);
	s = app_model(w->app)->store;
	if (s == NULL)
		return LOOK_US;
	d = schedule_last((struct decisions){s->decisions, s->n_decisions}, w->service, w->env);
	if (d == NULL || !schedule_is_open(s, d))
		return 0;
	w->d = *d;
	w->d.signature = NULL;
	left = d->until_us - s->now_us;
	/* An executor starts another one when it is time for what has replaced it. */
	if (left > 4 * SCHEDULE_LEAD_US && app_setup(w->app)->executor == EXECUTOR_SERVICE)
		return 0;
	if (left > 0)
		return MIN(left, LOOK_US);
	return fire(w, -left) ? 0 : LOOK_US;
}

int schedule_wait(struct app *a, const char *place)
{
	struct waiter w = {.app = a, .store = app_store(a)};
	const char *at = strrchr(place, '@');
	int lock = lock_take(app_setup(a), place);
	int64_t pause;

	setvbuf(stderr, NULL, _IOLBF, 0);
	if (lock < 0 || at == NULL) {
		say("%s: somebody waits already", place);
		return EXIT_CONFLICT;
	}
	snprintf(w.service, sizeof(w.service), "%.*s", (int)(at - place), place);
	str_copy(w.env, sizeof(w.env), at + 1);
	STORE_OF(w.store)->watch(w.store->priv, on_changed, &w);
	while ((pause = look(&w)) > 0)
		loop_until(app_loop(a), &w.changed, loop_mono_us() + pause);
	STORE_OF(w.store)->watch(w.store->priv, NULL, NULL);
	close(lock);
	return EXIT_DONE;
}
