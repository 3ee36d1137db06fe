#include "tui/effects.h"

#include "core/jv.h"
#include "core/text.h"
#include "engine/planner.h"
#include "engine/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct effects {
	struct app *app;
	command_list list;
	void (*report)(void *ctx, const struct ui_event *e);
	void *ctx;
	int users; /* the owner, and each answer under way */
	bool gone;
	uint32_t plan_serial; /* answers to older questions are dropped */
	struct command_run *run;
};

/* One question under way. */
struct asked {
	struct effects *f;
	uint32_t serial;
	int service, env;
	struct arena arena;
	struct plan *plan; /* that is judged anew: the planner looks at it until then */
	char text[TEXT_LEN];
};

static struct asked *ask(struct effects *f, const struct ui_effect *e)
{
	struct asked *a = calloc(1, sizeof *a);
	if (!a)
		return NULL;
	a->f = f;
	a->service = e->service;
	a->env = e->env;
	f->users++;
	return a;
}

static void release(struct effects *f)
{
	if (--f->users == 0)
		free(f);
}

static void asked_free(struct asked *a)
{
	arena_release(&a->arena);
	plan_free(a->plan);
	release(a->f);
	free(a);
}

struct effects *effects_new(struct app *a, command_list list,
                            void (*report)(void *ctx, const struct ui_event *e), void *ctx)
{
	struct effects *f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->app = a;
	f->list = list;
	f->report = report;
	f->ctx = ctx;
	f->users = 1;
	return f;
}

void effects_free(struct effects *f)
{
	if (!f)
		return;
	f->gone = true;
	if (f->run)
		command_cancel(f->run);
	release(f);
}

static void tell(struct effects *f, enum ui_event_kind kind, enum message_kind mk, const char *text,
                 const char *rollout)
{
	struct ui_event e = {.kind = kind, .message_kind = mk, .text = text, .rollout = rollout};
	if (!f->gone)
		f->report(f->ctx, &e);
}

static enum message_kind kind_of(const struct outcome *o)
{
	return o->kind == OUTCOME_OK ? MESSAGE_OK : o->kind == OUTCOME_FAILED ? MESSAGE_WARN : MESSAGE_ERROR;
}

static void say_outcome(const struct outcome *o, const char *done, char *dst, size_t cap)
{
	if (o->kind == OUTCOME_OK)
		(void)snprintf(dst, cap, "%s", done);
	else
		(void)snprintf(dst, cap, "%s%s%s%s", o->text, o->hint[0] ? " (" : "", o->hint,
		               o->hint[0] ? ")" : "");
}

/* --- plans ------------------------------------------------------------------------------------ */

static void plan_done(void *ctx, struct plan *plan, const struct outcome *why)
{
	struct asked *a = ctx;
	struct effects *f = a->f;
	if (f->gone || a->serial != f->plan_serial) {
		plan_free(plan);
	} else if (!plan) {
		char text[TEXT_LEN * 2 + 8];
		say_outcome(why, "", text, sizeof text);
		tell(f, UI_PLAN_FAILED, MESSAGE_ERROR, text, NULL);
	} else {
		struct event *e = event_new(EV_PLAN);
		if (e) {
			const struct setup *s = app_setup(f->app);
			e->plan = plan;
			e->service = a->service;
			e->env = a->env;
			e->generation = s ? s->generation : 0;
			app_post(f->app, e);
		} else {
			plan_free(plan);
		}
	}
	asked_free(a);
}

static void plan_start(struct effects *f, const struct ui_effect *e)
{
	struct asked *a = ask(f, e);
	if (!a)
		return;
	a->serial = ++f->plan_serial;
	if (e->plan_kind == PLAN_SET) {
		str_copy(a->text, sizeof a->text, e->text);
		const struct set_want set = {.set = a->text, .env = e->env, .back = e->release[0] != '\0'};
		planner_set(f->app, &set, plan_done, a);
		return;
	}
	const bool of_database = plan_of_database(e->plan_kind);
	str_copy(a->text, sizeof a->text, e->release);
	struct plan_want want = {.kind = e->plan_kind,
	                         .service = e->service,
	                         .env = e->env,
	                         .release = of_database  ? e->reads[0] ? e->reads : NULL
	                                    : a->text[0] ? a->text
	                                                 : NULL,
	                         .argument = of_database ? a->text : NULL};
	planner_start(f->app, &want, plan_done, a);
}

/* A stored plan came: judged anew before anybody decides on it. */
static void stored_plan(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct asked *a = ctx;
	struct error e = {0};
	struct plan *plan = NULL;
	struct jv *v = NULL;
	UNUSED(op);
	if (a->f->gone) {
		asked_free(a);
		return;
	}
	struct outcome why = *o;
	if (o->kind == OUTCOME_OK && result) {
		arena_init(&a->arena, ARENA_DEFAULT_MAX);
		if (jv_parse(&a->arena, result, strlen(result), &v, &e) == 0 &&
		    plan_from_jv(v, &plan, &e) == 0) {
			a->plan = plan;
			planner_recheck(a->f->app, plan, plan_done, a);
			return;
		}
		why = outcome_make(OUTCOME_FAILED, "store", "the stored plan cannot be read: %s", e.text);
	}
	plan_done(a, NULL, &why);
}

static void recheck(struct effects *f, const struct ui_effect *e)
{
	const struct opened *store = app_store(f->app);
	struct asked *a = ask(f, e);
	if (!a)
		return;
	a->serial = ++f->plan_serial;
	struct op *op = store ? op_new(app_loop(f->app), 0, stored_plan, a) : NULL;
	if (!op) {
		struct outcome why = outcome_make(OUTCOME_ERRORED, "store", "no store");
		plan_done(a, NULL, &why);
		return;
	}
	STORE_OF(store)->plan_get(store->priv, e->digest, op);
}

/* --- decisions -------------------------------------------------------------------------------- */

static void executed(void *ctx, const struct outcome *o, const char *id)
{
	struct asked *a = ctx;
	char text[TEXT_LEN * 2 + 8], done[TEXT_LEN];
	if (app_setup(a->f->app)->executor == EXECUTOR_SERVICE)
		(void)snprintf(done, sizeof done, "rollout %s is queued; %.200s", id ? id : "", o->text);
	else
		(void)snprintf(done, sizeof done, "rollout %s has started; it goes on without this terminal",
		               id ? id : "");
	say_outcome(o, done, text, sizeof text);
	tell(a->f, UI_DONE, kind_of(o), text, o->kind == OUTCOME_OK ? id : NULL);
	asked_free(a);
}

static void decided(void *ctx, const struct outcome *o, const char *id)
{
	struct asked *a = ctx;
	char text[TEXT_LEN * 2 + 8];
	UNUSED(id);
	say_outcome(o, a->text, text, sizeof text);
	tell(a->f, UI_DONE, kind_of(o), text, NULL);
	if (!a->f->gone)
		app_refresh_store(a->f->app, NULL, NULL);
	asked_free(a);
}

static void raised(void *ctx, const struct outcome *o, const char *id)
{
	struct asked *a = ctx;
	char text[TEXT_LEN * 2 + 8];
	UNUSED(id);
	say_outcome(o, "", text, sizeof text);
	tell(a->f, UI_RAISED, kind_of(o), text, NULL);
	if (!a->f->gone)
		app_refresh_store(a->f->app, NULL, NULL);
	asked_free(a);
}

static const struct plan *confirmed_plan(struct effects *f, const struct ui_effect *e)
{
	const struct plan *p = app_model(f->app)->plan;
	if (p && strcmp(p->digest, e->digest) == 0)
		return p;
	tell(f, UI_DONE, MESSAGE_WARN, "the plan changed meanwhile; nothing was sent", NULL);
	return NULL;
}

static void execute(struct effects *f, const struct ui_effect *e)
{
	const struct plan *p = confirmed_plan(f, e);
	struct asked *a = p ? ask(f, e) : NULL;
	if (a)
		request_execute(f->app, p, e->reason[0] ? e->reason : p->reason, executed, a);
}

static void request(struct effects *f, const struct ui_effect *e)
{
	const struct plan *p = confirmed_plan(f, e);
	struct asked *a = p ? ask(f, e) : NULL;
	if (!a)
		return;
	str_copy(a->text, sizeof a->text, "the plan is stored and waits for approvals (screen 5)");
	request_approval(f->app, p, e->reason, decided, a);
}

static void decide(struct effects *f, const struct ui_effect *e)
{
	struct asked *a = ask(f, e);
	if (!a)
		return;
	(void)snprintf(a->text, sizeof a->text, "%s: recorded", decision_kind_name(e->decision.kind));
	request_decide(f->app, &e->decision, decided, a);
}

static void raise_env(struct effects *f, const struct ui_effect *e)
{
	struct asked *a = ask(f, e);
	if (a)
		request_decide(f->app, &e->decision, raised, a);
}

static void resume(struct effects *f, const struct ui_effect *e)
{
	struct asked *a = ask(f, e);
	if (!a)
		return;
	str_copy(a->text, sizeof a->text, "a new process goes on with the rollout");
	request_resume(f->app, e->rollout, decided, a);
}

/* --- commands --------------------------------------------------------------------------------- */

static void command_text(void *ctx, const char *text) { tell(ctx, UI_OUTPUT, MESSAGE_INFO, text, NULL); }

static void command_ended(void *ctx, const struct command *c, enum exit_code code, const char *text,
                          const struct jv *value)
{
	struct effects *f = ctx;
	char line[TEXT_LEN * 2];
	UNUSED(c);
	UNUSED(value);
	f->run = NULL;
	(void)snprintf(line, sizeof line, "%s%s%s", code == EXIT_DONE ? "+ " : "X ", text ? text : "",
	               text && *text       ? ""
	               : code == EXIT_DONE ? "done"
	                                   : "ended");
	tell(f, UI_OUTPUT_END, MESSAGE_INFO, line, NULL);
	release(f);
}

static void command(struct effects *f, const struct ui_effect *e)
{
	struct command_sink sink = {.ctx = f, .line = command_text, .done = command_ended};
	char title[URL_LEN];
	if (f->run) {
		tell(f, UI_DONE, MESSAGE_WARN, "a command still runs; Esc on its output cancels it", NULL);
		return;
	}
	(void)snprintf(title, sizeof title, "towpath %.900s", e->text);
	tell(f, UI_OUTPUT, MESSAGE_INFO, title, NULL);
	f->users++;
	f->run = command_start_text(f->app, f->list, e->text, &sink);
}

void effects_perform(struct effects *f, const struct ui_effect *e)
{
	bool placed = e->service >= 0 && e->env >= 0;
	switch ((int)e->want) {
	case DO_PLAN:
		if (placed || (e->plan_kind == PLAN_SET && e->env >= 0))
			plan_start(f, e);
		break;
	case DO_RECHECK: recheck(f, e); break;
	case DO_CANDIDATES:
		if (placed)
			planner_candidates(f->app, e->service, e->env, NULL, NULL);
		break;
	case DO_LADDER:
		if (placed)
			app_ladder(f->app, e->service, e->choice, NULL, NULL);
		break;
	case DO_SOURCE:
		if (placed)
			app_migration_source(f->app, e->service, e->env, e->text, NULL, NULL);
		break;
	case DO_DOCTOR: app_doctor(f->app, NULL, NULL); break;
	case DO_HISTORY: app_history(f->app, HISTORY_MAX, NULL, NULL); break;
	case DO_PAST: app_past(f->app, e->at_us); break;
	case DO_REFRESH: app_refresh_all(f->app, NULL, NULL); break;
	case DO_FOLLOW:
		if (placed)
			app_follow_logs(f->app, e->service, e->env);
		break;
	case DO_EXECUTE: execute(f, e); break;
	case DO_REQUEST: request(f, e); break;
	case DO_DECIDE: decide(f, e); break;
	case DO_RAISE: raise_env(f, e); break;
	case DO_RESUME: resume(f, e); break;
	case DO_COMMAND: command(f, e); break;
	case DO_CANCEL_COMMAND:
		if (f->run)
			command_cancel(f->run);
		break;
	default: break;
	}
}

/* --- clipboard -------------------------------------------------------------------------------- */

void effects_copy(struct terminal *t, const char *text, bool in_tmux)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = strlen(text);
	n = MIN(n, (size_t)COPY_MAX / 4 * 3);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	term_push(t, in_tmux ? "\033Ptmux;\033\033]52;c;" : "\033]52;c;", in_tmux ? 15 : 7);
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)(uint8_t)text[i] << 16;
		char out[4];
		if (i + 1 < n)
			v |= (uint32_t)(uint8_t)text[i + 1] << 8;
		if (i + 2 < n)
			v |= (uint8_t)text[i + 2];
		for (int k = 0; k < 4; k++)
			out[k] = digits[v >> (18 - 6 * k) & 63];
		if (i + 2 >= n)
			out[3] = '=';
		if (i + 1 >= n)
			out[2] = '=';
		term_push(t, out, 4);
	}
	term_push(t, in_tmux ? "\033\033\\\033\\" : "\033\\", in_tmux ? 5 : 2);
}
