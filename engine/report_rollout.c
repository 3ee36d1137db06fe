/* Rollouts as text: one printed whole, one followed live. */
#include "engine/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char step_glyph(enum step_state s)
{
	switch (s) {
	case STEP_WAITS: return '.';
	case STEP_RUNS: return '%';
	case STEP_DONE: return '+';
	case STEP_STATE_FAILED: return 'X';
	case STEP_STATE_UNKNOWN: return '?';
	case STEP_SKIPPED: return '-';
	case STEP_UNDONE: return '~';
	}
	return '?';
}

static void print_step(struct command_run *run, const struct rollout *r, int i, int64_t now_us)
{
	const struct step_run *s = &r->runs[i];
	char span[16] = "";

	if (s->started_us != 0)
		time_span(span, sizeof(span), (s->ended_us != 0 ? s->ended_us : now_us) - s->started_us);
	command_line(run, "  %2d %c %-10s %-14s %7s  %s", i + 1, step_glyph(s->state),
	             step_kind_name(r->steps[i].kind), r->steps[i].target, span, s->text);
}

static void print_head(struct command_run *run, const struct rollout *r)
{
	command_line(run, "rollout %s  %s %s > %s  %s > %s  by %s", r->id, plan_kind_name(r->kind),
	             plan_set_name(r->service), r->env, r->from.tag[0] != '\0' ? r->from.tag : "nothing", r->to.tag,
	             r->requester);
}

static void print_end(struct command_run *run, const struct rollout *r)
{
	if (r->state == ROLLOUT_ENDED)
		command_line(run, "ended %s%s%s%s", outcome_name(r->outcome),
		             r->rolled_back ? ", rolled back" : "", r->text[0] != '\0' ? ": " : "", r->text);
	else
		command_line(run, "%s%s%s%s", rollout_state_name(r->state),
		             r->orphaned ? ", nobody drives it" : "", r->text[0] != '\0' ? ": " : "",
		             r->text);
	if (r->state == ROLLOUT_PAUSED)
		command_line(run, "  towpath continue %s, or towpath abort %s", r->id, r->id);
}

void report_rollout(struct command_run *run, const struct rollout *r, int64_t now_us)
{
	struct arena *a = command_arena(run);

	jv_set(a, command_value(run), "rollout", rollout_to_jv(a, r));
	print_head(run, r);
	for (int i = 0; i < r->n_steps; i++)
		print_step(run, r, i, now_us);
	print_end(run, r);
}

/* --- following ----------------------------------------------------------------------------------- */

struct follow {
	struct command_run *run;
	struct app *app;
	char id[ID_LEN];
	struct timer *timer;
	bool reading, again, told_head, own_watch;
	enum step_state seen[STEPS_MAX];
	char seen_text[STEPS_MAX][TEXT_LEN];
	enum rollout_state state;
	int64_t missing_since_us;
};

static void look(void *ctx);

static void follow_end(struct follow *f)
{
	if (f->own_watch)
		STORE_OF(app_store(f->app))->watch(app_store(f->app)->priv, NULL, NULL);
	timer_stop(f->timer);
}

/* One line of --json per change: the rollout as it is now. */
static void stream_rollout(struct command_run *run, const struct rollout *r)
{
	struct arena a;

	arena_init(&a, ARENA_DEFAULT_MAX);
	command_stream(run, rollout_to_jv(&a, r));
	arena_release(&a);
}

static bool print_changes(struct follow *f, const struct rollout *r, int64_t now_us)
{
	bool changed = f->state != r->state;

	if (!f->told_head) {
		f->told_head = true;
		print_head(f->run, r);
		changed = true;
	}
	for (int i = 0; i < r->n_steps; i++) {
		const struct step_run *s = &r->runs[i];

		if (s->state == f->seen[i] && strcmp(s->text, f->seen_text[i]) == 0)
			continue;
		f->seen[i] = s->state;
		str_copy(f->seen_text[i], sizeof(f->seen_text[i]), s->text);
		print_step(f->run, r, i, now_us);
		changed = true;
	}
	if (f->state != r->state && r->state == ROLLOUT_PAUSED)
		command_line(f->run, "paused: %s  (towpath continue %s, or towpath abort %s)", r->text, r->id,
		             r->id);
	f->state = r->state;
	return changed;
}

static void on_read(void *ctx)
{
	struct follow *f = ctx;
	const struct model *m = app_model(f->app);
	const struct rollout *r = model_rollout(m, f->id);
	int64_t now = loop_wall_us();

	f->reading = false;
	if (command_cancelled(f->run)) {
		follow_end(f);
		command_done(f->run, EXIT_CANCELLED,
		             "no longer following; the rollout goes on: towpath rollout %s --follow", f->id);
		return;
	}
	if (r == NULL) {
		if (f->missing_since_us == 0)
			f->missing_since_us = now;
		if (now - f->missing_since_us > 10 * US_PER_S) {
			follow_end(f);
			command_done(f->run, EXIT_NOT_FOUND_OUT, "rollout %s cannot be read from the store",
			             f->id);
		}
		return;
	}
	f->missing_since_us = 0;
	if (print_changes(f, r, now))
		stream_rollout(f->run, r);
	if (r->state == ROLLOUT_ENDED) {
		struct arena *a = command_arena(f->run);

		follow_end(f);
		jv_set(a, command_value(f->run), "rollout", rollout_to_jv(a, r));
		command_done(f->run, exit_of_rollout(r), "%s > %s %s%s%s%s", r->service, r->env,
		             outcome_name(r->outcome), r->rolled_back ? ", rolled back" : "",
		             r->text[0] != '\0' ? ": " : "", r->text);
		return;
	}
	if (f->again) {
		f->again = false;
		look(f);
	}
}

static void look(void *ctx)
{
	struct follow *f = ctx;

	if (f->reading) {
		f->again = true;
		return;
	}
	f->reading = true;
	app_refresh_store(f->app, on_read, f);
}

void report_follow(struct command_run *run, const char *rollout_id)
{
	struct follow *f = command_state(run, sizeof(*f));

	if (f == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	f->run = run;
	f->app = command_app(run);
	f->state = ROLLOUT_STATE_COUNT;
	str_copy(f->id, sizeof(f->id), rollout_id);
	/* The watch says when; the timer only catches what a watch can miss. */
	f->timer = loop_timer(app_loop(f->app), US_PER_S, US_PER_S, look, f);
	/* A console watches already. */
	f->own_watch = !app_observes(f->app);
	if (f->own_watch)
		STORE_OF(app_store(f->app))->watch(app_store(f->app)->priv, look, f);
	look(f);
}
