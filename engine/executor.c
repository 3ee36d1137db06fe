/*
 * The executor as a service. It decides nothing about a rollout: it sees in the store which ones nobody drives, and
 * starts the same process for them that a console starts in solo mode. That process has the lease; several executors
 * that see the same rollout start one each, and all but one of them end at once. Schedules likewise: every executor
 * starts the process that begins one, the store lets one of them.
 *
 * What it started outlives it: killed, it leaves processes behind that go on to their end, with their leases.
 */
#define _GNU_SOURCE /* environ */
#include "engine/executor.h"
#include "engine/run.h"
#include "engine/schedule.h"

#include "core/roles.h"
#include "core/text.h"
#include "io/proc.h"
#include "io/service.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORE_US (REMOTE_TIMEOUT_MS * US_PER_MS)
#define LOOK_US (2 * US_PER_S) /* at least this often, whatever is heard */
#define CONFLICT_US (1 * US_PER_S)
#define BACK_OFF_MAX_US (60 * US_PER_S)
enum { DRIVEN_MAX = 64 };

/* A rollout or schedule that has a process of ours, or had one and is not tried again before a while. */
struct driven {
	struct executor *x;
	char id[ID_LEN]; /* of the rollout, "": free */
	char place[NAME_LEN * 2 +
	           2];     /* "SERVICE@ENV" of a schedule that will be that rollout, "": a rollout */
	int pid;           /* 0: no process */
	int64_t started;   /* of the process, as proc_start_time() tells */
	struct proc *proc; /* NULL: started before the config was read again */
	int tries;
	int64_t not_before_us;
};

struct executor {
	struct app *app;
	struct loop *loop;
	const struct app_options *options;
	struct service_manager manager;
	struct driven driven[DRIVEN_MAX];
	char id[NAME_LEN * 2], boot[64];
	bool wake, look, term, now, reload, beating, ready;
	struct timer *beat, *watchdog;
	struct watch *signals[3];
	char trouble[TEXT_LEN]; /* what was said last about the store */
};

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void say(const char *fmt, ...)
{
	char when[32];
	va_list ap;

	time_iso(when, sizeof(when), loop_wall_us(), true);
	fprintf(stderr, "%s ", when);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static int running(const struct executor *x)
{
	int n = 0;

	for (int i = 0; i < DRIVEN_MAX; i++)
		n += x->driven[i].pid > 0 && x->driven[i].place[0] == '\0';
	return n;
}

static void tell_status(const struct executor *x)
{
	if (x->trouble[0] != '\0')
		service_tell(&x->manager, "STATUS=the store: %.300s", x->trouble);
	else
		service_tell(&x->manager, "STATUS=%s, drives %d", x->term ? "leaves" : "takes rollouts",
		             running(x));
}

/* The store's answer, said when it changes. */
static void heard(struct executor *x, const struct outcome *o)
{
	const char *text = o->kind == OUTCOME_OK ? "" : o->text;

	if (o->kind == OUTCOME_CANCELLED || strcmp(text, x->trouble) == 0)
		return;
	if (text[0] != '\0')
		say("the store: %s%s%s", text, o->hint[0] != '\0' ? "; " : "", o->hint);
	else
		say("the store answers again");
	str_copy(x->trouble, sizeof(x->trouble), text);
	tell_status(x);
}

/* --- that it lives ------------------------------------------------------------------------------ */

static void on_beaten(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct executor *x = ctx;

	UNUSED(op);
	UNUSED(result);
	x->beating = false;
	heard(x, o);
}

static void beat(void *ctx)
{
	struct executor *x = ctx;
	const struct opened *s = app_store(x->app);
	struct executor_row row = {.pid = getpid(), .running = running(x), .leaving = x->term};

	if (x->beating)
		return;
	str_copy(row.id, sizeof(row.id), x->id);
	str_copy(row.host, sizeof(row.host), app_model(x->app)->host);
	str_copy(row.version, sizeof(row.version), TOWPATH_VERSION);
	x->beating = true;
	STORE_OF(s)->executor_beat(s->priv, &row, op_new(x->loop, STORE_US, on_beaten, x));
}

static void on_watchdog(void *ctx) { service_tell(&((struct executor *)ctx)->manager, "WATCHDOG=1"); }

/* --- processes ---------------------------------------------------------------------------------- */

static struct driven *driven_of(struct executor *x, const char *id, const char *place)
{
	struct driven *room = NULL;

	for (int i = 0; i < DRIVEN_MAX; i++) {
		struct driven *d = &x->driven[i];

		if (strcmp(d->id, id) == 0 && strcmp(d->place, place) == 0)
			return d;
		/* What has no process is forgotten first come, first gone. */
		if (d->pid == 0 &&
		    (room == NULL || d->id[0] == '\0' || d->not_before_us < room->not_before_us))
			room = d;
	}
	if (room != NULL) {
		*room = (struct driven){.x = x};
		str_copy(room->id, sizeof(room->id), id);
		str_copy(room->place, sizeof(room->place), place);
	}
	return room;
}

static const char *what_of(const struct driven *d) { return d->place[0] != '\0' ? "schedule" : "rollout"; }

/* Its process has ended with that code, -1 not known: when may another be started? */
static void process_over(struct driven *d, int code)
{
	struct executor *x = d->x;

	d->pid = 0;
	d->proc = NULL;
	x->wake = x->look = true;
	if (code == EXIT_CONFLICT || (code == EXIT_DONE && d->place[0] != '\0')) {
		/* Somebody else has it, or its turn has not come; a schedule that is over is seen to be. */
		d->not_before_us = loop_mono_us() + CONFLICT_US + loop_mono_us() % CONFLICT_US;
	} else {
		d->not_before_us = loop_mono_us() + MIN(CONFLICT_US << MIN(d->tries, 6), BACK_OFF_MAX_US);
		d->tries++;
		say("%s %s: its process has ended with %d", what_of(d), d->id, code);
	}
	tell_status(x);
	beat(x);
}

static void on_ended(void *ctx, const struct proc_result *r)
{
	struct driven *d = ctx;

	if (r->outcome.kind == OUTCOME_ERRORED)
		say("%s %s: %s", what_of(d), d->id, r->outcome.text);
	process_over(d, r->exit_code);
}

static void process_start(struct driven *d)
{
	struct executor *x = d->x;
	bool later = d->place[0] != '\0';
	const char *argv[] = {app_program(x->app),      "-c",
	                      app_setup(x->app)->path,  later ? "__schedule" : "__rollout",
	                      later ? d->place : d->id, NULL};
	char log[PATH_LEN];
	struct proc_spec spec = {.argv = argv,
	                         .env = (const char *const *)(uintptr_t)environ,
	                         .output_path = log,
	                         .own_session = true};
	struct error e;

	if (run_log_path(app_setup(x->app), d->id, log, sizeof(log), &e) != 0) {
		say("%s %s: %s", what_of(d), d->id, e.text);
		d->not_before_us = loop_mono_us() + BACK_OFF_MAX_US;
		return;
	}
	d->proc = proc_start(x->loop, &spec, on_ended, d);
	d->pid = proc_pid(d->proc);
	d->started = proc_start_time(d->pid);
	if (d->pid > 0)
		say("%s %s%s%s: started as process %d", what_of(d), d->id, later ? " of " : "", d->place,
		    d->pid);
	tell_status(x);
}

/* Those of before the config was read again: nobody calls when they end. */
static void look_after_old(struct executor *x)
{
	for (int i = 0; i < DRIVEN_MAX; i++) {
		struct driven *d = &x->driven[i];

		if (d->pid <= 0 || d->proc != NULL || proc_is(d->pid, d->started, x->boot))
			continue;
		waitpid(d->pid, NULL, WNOHANG);
		process_over(d, -1);
	}
}

/* --- what is there to do ------------------------------------------------------------------------- */

struct asked {
	bool done;
	struct outcome o;
	void *result;
};

static void on_asked(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct asked *a = ctx;

	a->o = *o;
	a->result = result != NULL ? op_take(op) : NULL;
	a->done = true;
}

/* Nobody drives it, and it is its turn. */
static bool is_free(const struct store_snapshot *s, const struct rollout *r)
{
	if (!rollout_is_live(r))
		return false;
	if (r->state == ROLLOUT_QUEUED && (r->holder[0] == '\0' || r->orphaned))
		return rollout_queued_behind(s, r) == NULL;
	return r->orphaned;
}

static void take(struct executor *x, const struct rollout *r)
{
	const struct setup *s = app_setup(x->app);
	int service = setup_service(s, r->service), env = setup_env(s, r->env);
	struct driven *d = driven_of(x, r->id, "");

	if (d == NULL || d->pid > 0 || loop_mono_us() < d->not_before_us)
		return;
	/* Of a set its own process says which member is not there. */
	if (env < 0 ||
	    (r->kind != PLAN_SET && (service < 0 || !setup_deployment(s, service, env)->present))) {
		say("rollout %s: %s in %s is not in this configuration", r->id, r->service, r->env);
		d->not_before_us = loop_mono_us() + BACK_OFF_MAX_US;
		return;
	}
	process_start(d);
}

/* A schedule that is due soon, or should have begun: it gets a process that begins it or says why not. */
static void take_schedule(struct executor *x, const struct store_snapshot *s, const struct decision *schedule)
{
	const struct setup *c = app_setup(x->app);
	int service = setup_service(c, schedule->service), env = setup_env(c, schedule->env);
	char id[ID_LEN], place[NAME_LEN * 2 + 2];
	struct driven *d;

	if (schedule->kind != DECISION_SCHEDULE || schedule->until_us - s->now_us > SCHEDULE_LEAD_US ||
	    !schedule_is_open(s, schedule) || service < 0 || env < 0 ||
	    !setup_deployment(c, service, env)->present)
		return;
	schedule_rollout(schedule, id);
	snprintf(place, sizeof(place), "%s@%s", schedule->service, schedule->env);
	d = driven_of(x, id, place);
	if (d == NULL || d->pid > 0 || loop_mono_us() < d->not_before_us || schedule_is_waited_for(c, place))
		return;
	process_start(d);
}

static void look(struct executor *x)
{
	const struct opened *store = app_store(x->app);
	struct asked a = {.done = false};
	struct store_snapshot *s;

	x->look = false;
	look_after_old(x);
	STORE_OF(store)->snapshot(store->priv, op_new(x->loop, STORE_US, on_asked, &a));
	while (!a.done)
		loop_until(x->loop, &a.done, loop_mono_us() + US_PER_S);
	heard(x, &a.o);
	s = a.result;
	if (s != NULL)
		s->n_decisions = roles_filter(app_setup(x->app), s->decisions, s->n_decisions);
	for (int i = 0; s != NULL && i < s->n_rollouts && !x->term; i++)
		if (is_free(s, &s->rollouts[i]))
			take(x, &s->rollouts[i]);
	for (int i = 0; s != NULL && i < s->n_decisions && !x->term; i++)
		take_schedule(x, s, &s->decisions[i]);
	store_snapshot_free(s);
}

/* --- its life ------------------------------------------------------------------------------------ */

static void on_changed(void *ctx)
{
	struct executor *x = ctx;

	x->wake = x->look = true;
}

static void on_signal(void *ctx, int signum)
{
	struct executor *x = ctx;

	x->wake = true;
	if (signum == SIGHUP) {
		x->reload = true;
		return;
	}
	/* The second one: it does not wait for anybody. */
	x->now = x->term;
	x->term = true;
}

static void attach(struct executor *x)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	const struct opened *store = app_store(x->app);

	x->loop = app_loop(x->app);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		x->signals[i] = loop_watch_signal(x->loop, signals[i], on_signal, x);
	x->beat = loop_timer(x->loop, EXECUTOR_BEAT_MS * US_PER_MS, EXECUTOR_BEAT_MS * US_PER_MS, beat, x);
	if (x->manager.watchdog_us > 0)
		x->watchdog = loop_timer(x->loop, x->manager.watchdog_us / 3, x->manager.watchdog_us / 3,
		                         on_watchdog, x);
	STORE_OF(store)->watch(store->priv, on_changed, x);
	beat(x);
}

/* Leaves nothing that points here; the processes go on. */
static void detach(struct executor *x)
{
	const struct opened *store = app_store(x->app);

	STORE_OF(store)->watch(store->priv, NULL, NULL);
	timer_stop(x->beat);
	timer_stop(x->watchdog);
	x->beat = x->watchdog = NULL;
	for (size_t i = 0; i < ARRAY_LEN(x->signals); i++)
		watch_stop(x->signals[i]);
	for (int i = 0; i < DRIVEN_MAX; i++) {
		proc_forget(x->driven[i].proc);
		x->driven[i].proc = NULL;
	}
	for (bool never = false; x->beating;)
		loop_until(x->loop, &never, loop_mono_us() + 10 * US_PER_MS);
}

static bool is_service(struct app *a)
{
	if (app_setup(a)->executor == EXECUTOR_SERVICE)
		return true;
	say("%s says executor: solo, so consoles drive their rollouts themselves; set executor: service",
	    app_setup(a)->path);
	return false;
}

static void read_again(struct executor *x)
{
	struct app *fresh = NULL;
	struct error e = {0};
	char text[PATH_LEN + 3 * TEXT_LEN];

	x->reload = false;
	service_tell(&x->manager, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)loop_mono_us());
	if (app_open(x->options, &fresh, &e) != 0) {
		error_format(&e, text, sizeof(text));
		say("the config was not read again, the last good one stays: %s", text);
	} else if (!is_service(fresh)) {
		app_free(fresh);
	} else {
		detach(x);
		app_free(x->app);
		x->app = fresh;
		attach(x);
		say("the config was read again: %d services, %d environments", app_setup(fresh)->n_services,
		    app_setup(fresh)->n_envs);
	}
	service_tell(&x->manager, "READY=1");
}

static void serve(struct executor *x)
{
	while (!x->term) {
		x->wake = false;
		if (x->reload)
			read_again(x);
		look(x);
		if (!x->ready)
			service_tell(&x->manager, "READY=1");
		x->ready = true;
		tell_status(x);
		if (!x->look && !x->term && !x->reload)
			loop_until(x->loop, &x->wake, loop_mono_us() + LOOK_US);
	}
}

/* Everything that it drives leaves after its present step, so that another executor goes on. */
static void hand_over(struct executor *x, int64_t leave_us)
{
	int64_t until = loop_mono_us() + leave_us;

	service_tell(&x->manager, "STOPPING=1");
	say("leaves: %d rollouts are handed over", running(x));
	tell_status(x);
	beat(x);
	for (int i = 0; i < DRIVEN_MAX; i++)
		if (x->driven[i].pid > 0)
			kill(x->driven[i].pid, SIGTERM);
	while (running(x) > 0 && !x->now && loop_mono_us() < until) {
		x->wake = false;
		look_after_old(x);
		loop_until(x->loop, &x->wake, MIN(until, loop_mono_us() + 200 * US_PER_MS));
	}
	for (int i = 0; i < DRIVEN_MAX; i++)
		if (x->driven[i].pid > 0)
			say("%s %s: process %d still finishes its step, and hands over then",
			    what_of(&x->driven[i]), x->driven[i].id, x->driven[i].pid);
	for (bool never = false; x->beating;)
		loop_until(x->loop, &never, loop_mono_us() + 10 * US_PER_MS);
	beat(x);
}

int executor_run(const struct app_options *o, int64_t leave_us)
{
	struct executor x = {.options = o};
	struct error e = {0};
	char text[PATH_LEN + 3 * TEXT_LEN];

	setvbuf(stderr, NULL, _IOLBF, 0);
	service_manager_open(&x.manager);
	if (app_open(o, &x.app, &e) != 0) {
		error_format(&e, text, sizeof(text));
		fprintf(stderr, "towpath: %s\n", text);
		return EXIT_USAGE;
	}
	if (!is_service(x.app)) {
		app_free(x.app);
		return EXIT_USAGE;
	}
	proc_boot_id(x.boot);
	snprintf(x.id, sizeof(x.id), "%d@%.60s %lld", (int)getpid(), app_model(x.app)->host,
	         (long long)proc_start_time(getpid()));
	attach(&x);
	say("executor %s of %s: takes rollouts whose lease is free", TOWPATH_VERSION, app_setup(x.app)->path);
	serve(&x);
	hand_over(&x, leave_us);
	detach(&x);
	app_free(x.app);
	service_manager_close(&x.manager);
	say("left");
	return EXIT_DONE;
}
