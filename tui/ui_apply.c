/* The one door through which the screen's state changes. */
#include "tui/ui_private.h"

#include "core/past.h"
#include "core/text.h"
#include "tui/layout.h"
#include "tui/widget/widget.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ui *ui_new(const struct keymap *km, command_list commands, const struct glyphs *g)
{
	struct ui *u = calloc(1, sizeof *u);
	if (!u)
		return NULL;
	u->rows_now = calloc(UI_ROWS_MAX, sizeof *u->rows_now);
	if (!u->rows_now) {
		free(u);
		return NULL;
	}
	u->keymap = km;
	u->commands = commands;
	u->glyphs = g;
	u->rows = 24;
	u->cols = 80;
	u->window_us = 5 * US_PER_MIN;
	ui_log_reset(u);
	u->seen[0] = SCREEN_BOARD;
	u->n_seen = 1;
	return u;
}

static void output_clear(struct ui *u)
{
	for (int i = 0; i < u->n_output; i++)
		free(u->output[i]);
	free(u->output);
	u->output = NULL;
	u->n_output = 0;
}

void ui_free(struct ui *u)
{
	if (!u)
		return;
	for (int i = 0; i < SCREEN_COUNT; i++)
		filter_free(u->lists[i].filter);
	output_clear(u);
	free(u->log.older);
	free(u->log.newer);
	free(u->rows_now);
	free(u->text.items);
	free(u);
}

void ui_notice(struct ui *u, enum message_kind kind, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(u->notice, sizeof u->notice, fmt, ap);
	va_end(ap);
	u->notice_kind = kind;
	u->notice_us = u->mono_us;
}

struct ui_effect *ui_effect_add(struct ui *u, const struct model *m, enum effect_want want)
{
	if (u->n_effects == UI_EFFECTS_MAX)
		u->n_effects--;
	struct ui_effect *e = &u->effects[u->n_effects++];
	memset(e, 0, sizeof *e);
	e->want = want;
	if (!ui_selected(u, m, &e->service, &e->env))
		e->service = e->env = -1;
	return e;
}

/* --- screens ---------------------------------------------------------------------------------- */

static void enter_screen(struct ui *u, const struct model *m, enum screen s)
{
	if (u->screen != s)
		u->last_screen = u->screen;
	u->screen = s;
	u->scroll = 0;
	u->n_rows = 0;
	u->text.n = 0;
	u->text.serial = 0;
	if (s == SCREEN_MIGRATIONS)
		ui_ladder_ask(u, m);
	else if (s == SCREEN_HISTORY)
		ui_effect_add(u, m, DO_HISTORY);
	else if (s == SCREEN_DOCTOR)
		ui_effect_add(u, m, DO_DOCTOR);
}

void ui_show(struct ui *u, const struct model *m, enum screen s)
{
	if (u->screen == s)
		return;
	enter_screen(u, m, s);
	u->n_seen = u->at_seen + 1;
	if (u->n_seen == UI_SEEN_MAX) {
		memmove(u->seen, u->seen + 1, (UI_SEEN_MAX - 1) * sizeof u->seen[0]);
		u->n_seen--;
	}
	u->seen[u->n_seen++] = s;
	u->at_seen = u->n_seen - 1;
}

void ui_back(struct ui *u, const struct model *m)
{
	if (u->at_seen > 0)
		enter_screen(u, m, u->seen[--u->at_seen]);
	else if (u->screen != SCREEN_BOARD)
		enter_screen(u, m, SCREEN_BOARD);
}

static void forward(struct ui *u, const struct model *m)
{
	if (u->at_seen + 1 < u->n_seen)
		enter_screen(u, m, u->seen[++u->at_seen]);
}

/* What a set's plan is asked for by: it is no service. */
static void set_of_plan(const struct ui *u, const struct model *m, struct ui_effect *e)
{
	if (e->plan_kind != PLAN_SET)
		return;
	str_copy(e->text, sizeof e->text, plan_set_name(u->service));
	e->env = m->setup ? setup_env(m->setup, u->env) : -1;
}

void ui_plan_ask(struct ui *u, const struct model *m, enum plan_kind kind, const char *release)
{
	ui_plan_ask_reading(u, m, kind, release, "");
}

void ui_plan_ask_reading(struct ui *u, const struct model *m, enum plan_kind kind, const char *release,
                         const char *reads)
{
	struct ui_effect *e = ui_effect_add(u, m, DO_PLAN);
	e->plan_kind = kind;
	str_copy(e->release, sizeof e->release, release);
	str_copy(e->reads, sizeof e->reads, reads);
	set_of_plan(u, m, e);
	u->plan_member = 0;
	str_copy(u->plan_for_service, sizeof u->plan_for_service, u->service);
	str_copy(u->plan_for_env, sizeof u->plan_for_env, u->env);
	str_copy(u->plan_release, sizeof u->plan_release, release);
	/* reads may be this very copy: a plan asked for again. */
	str_copy(u->plan_reads, sizeof u->plan_reads, e->reads);
	u->plan_for_kind = kind;
	u->plan_waits = u->plan_own = true;
	u->plan_again_us = u->mono_us;
	u->plan_why[0] = '\0';
}

/* What only time or other people open (a soak, an approval) is seen without a key. */
void ui_plan_again(struct ui *u, const struct model *m)
{
	bool on_screen = u->screen == SCREEN_PLAN || u->screen == SCREEN_ROLLBACK;
	if (!on_screen || u->plan_waits || !m->plan || u->ask.kind != ASK_NONE ||
	    u->mono_us - u->plan_again_us < PLAN_AGAIN_US || plan_may_run(m->plan, NULL) ||
	    strcmp(m->plan->service, u->service) != 0 || strcmp(m->plan->env, u->env) != 0)
		return;
	if (u->plan_own) {
		struct ui_effect *e = ui_effect_add(u, m, DO_PLAN);
		e->plan_kind = u->plan_for_kind;
		str_copy(e->release, sizeof e->release, u->plan_release);
		str_copy(e->reads, sizeof e->reads, u->plan_reads);
		set_of_plan(u, m, e);
	} else {
		/* Somebody's stored plan: the very same one, judged anew. */
		struct ui_effect *e = ui_effect_add(u, m, DO_RECHECK);
		str_copy(e->digest, sizeof e->digest, m->plan->digest);
	}
	u->plan_again_us = u->mono_us;
}

/* --- moving ----------------------------------------------------------------------------------- */

bool ui_keys_go_to_log(const struct ui *u)
{
	return u->screen == SCREEN_LOGS || (u->screen == SCREEN_BOARD && u->pane == 1);
}

static void list_to(struct ui *u, int at)
{
	struct list *l = &u->lists[u->screen];
	if (u->n_rows == 0)
		return;
	l->at = CLAMP(at, 0, u->n_rows - 1);
	str_copy(l->cursor, sizeof l->cursor, u->rows_now[l->at].id);
	if (u->screen == SCREEN_BOARD)
		str_copy(u->service, sizeof u->service, l->cursor);
}

static void env_move(struct ui *u, const struct model *m, int delta)
{
	int env = m->setup ? setup_env(m->setup, u->env) : -1;
	if (!m->setup || m->setup->n_envs == 0)
		return;
	env = CLAMP(env + delta, 0, m->setup->n_envs - 1);
	str_copy(u->env, sizeof u->env, m->setup->envs[env].name);
	ui_migration_env(u, m);
}

static void move_by(struct ui *u, const struct model *m, int64_t delta)
{
	if (ui_keys_go_to_log(u)) {
		ui_log_move(u, m, delta);
	} else if (views[u->screen]->rows) {
		int64_t to = (int64_t)u->lists[u->screen].at + delta;
		list_to(u, (int)CLAMP(to, 0, UI_ROWS_MAX));
		if (u->screen == SCREEN_ROLLBACK && u->n_rows > 0 && m->n_candidates > 0) {
			const char *digest = u->lists[SCREEN_ROLLBACK].cursor;
			if (strcmp(digest, u->plan_release) != 0)
				ui_plan_ask(u, m, PLAN_ROLLBACK, digest);
		}
	} else {
		int64_t to = (int64_t)u->scroll + delta;
		u->scroll = (int)CLAMP(to, 0, MAX(0, u->n_lines - u->page));
	}
}

static void act_move(struct ui *u, const struct model *m, const char *how)
{
	int half = MAX(1, u->page / 2), page = MAX(1, u->page - 1);
	if (strcmp(how, "down") == 0)
		move_by(u, m, 1);
	else if (strcmp(how, "up") == 0)
		move_by(u, m, -1);
	else if (strcmp(how, "half-down") == 0)
		move_by(u, m, half);
	else if (strcmp(how, "half-up") == 0)
		move_by(u, m, -half);
	else if (strcmp(how, "page-down") == 0)
		move_by(u, m, page);
	else if (strcmp(how, "page-up") == 0)
		move_by(u, m, -page);
	else if (strcmp(how, "top") == 0)
		move_by(u, m, -INT32_MAX);
	else if (strcmp(how, "bottom") == 0)
		move_by(u, m, INT32_MAX);
	else if (strcmp(how, "left") == 0)
		env_move(u, m, -1);
	else if (strcmp(how, "right") == 0)
		env_move(u, m, 1);
}

static bool is_problem(const struct model *m, int service, int env)
{
	if (!setup_deployment(m->setup, service, env)->present)
		return false;
	enum state s = board_state(m, service, env);
	return s == STATE_FAILED || s == STATE_DEGRADED || s == STATE_DRIFT;
}

static void act_problem(struct ui *u, const struct model *m, const char *how)
{
	int step = strcmp(how, "next") == 0 ? 1 : -1;
	int service = 0, env = 0;
	if (!m->setup || m->setup->n_services == 0 || m->setup->n_envs == 0)
		return;
	if (u->screen == SCREEN_MIGRATIONS) {
		ui_ladder_problem(u, m, step);
		return;
	}
	int n = m->setup->n_services * m->setup->n_envs;
	int at = ui_selected(u, m, &service, &env) ? service * m->setup->n_envs + env : 0;
	for (int i = 1; i <= n; i++) {
		int k = (at + step * i % n + n) % n;
		if (!is_problem(m, k / m->setup->n_envs, k % m->setup->n_envs))
			continue;
		str_copy(u->service, sizeof u->service, m->setup->services[k / m->setup->n_envs].name);
		str_copy(u->env, sizeof u->env, m->setup->envs[k % m->setup->n_envs].name);
		str_copy(u->lists[SCREEN_BOARD].cursor, sizeof u->lists[SCREEN_BOARD].cursor, u->service);
		if (i == n)
			ui_notice(u, MESSAGE_INFO, "no other problem than this one");
		return;
	}
	ui_notice(u, MESSAGE_OK, "nothing is failed, degraded or drifting");
}

static void act_screen(struct ui *u, const struct model *m, const char *which)
{
	static const char *const names[] = {"board",     "logs",       "metrics", "rollouts",
	                                    "approvals", "migrations", "history", "doctor"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(which, names[i]) == 0) {
			ui_show(u, m, (enum screen)i);
			return;
		}
	if (strcmp(which, "last") == 0)
		ui_show(u, m, u->last_screen);
	else if (strcmp(which, "back") == 0)
		ui_back(u, m);
	else
		forward(u, m);
}

static void act_pane(struct ui *u, const struct model *m, const char *how)
{
	UNUSED(m);
	if (u->screen == SCREEN_BOARD)
		u->pane = (u->pane + (strcmp(how, "next") == 0 ? 1 : 2)) % 3;
	else
		ui_notice(u, MESSAGE_INFO, "one pane here; 1 goes to the board");
}

/* --- open, close, find ------------------------------------------------------------------------ */

bool ui_set_plan(const struct ui *u, const struct model *m)
{
	return m->plan && m->plan->kind == PLAN_SET && strcmp(m->plan->service, u->service) == 0 &&
	       strcmp(m->plan->env, u->env) == 0 && !u->plan_waits && !u->plan_why[0];
}

void ui_select(struct ui *u, const char *service, const char *env)
{
	str_copy(u->service, sizeof u->service, service);
	str_copy(u->env, sizeof u->env, env);
	u->plan_member = 0;
	/* A set has no row on the board. */
	if (strcmp(plan_set_name(service), service) == 0)
		str_copy(u->lists[SCREEN_BOARD].cursor, sizeof u->lists[SCREEN_BOARD].cursor, service);
}

static void act_open(struct ui *u, const struct model *m, const char *arg)
{
	const struct list *l = &u->lists[u->screen];
	const struct row *r = l->at < u->n_rows ? &u->rows_now[l->at] : NULL;
	int service = -1, env = -1;
	UNUSED(arg);
	if (u->screen == SCREEN_BOARD && u->pane > 0) {
		ui_show(u, m, u->pane == 1 ? SCREEN_LOGS : SCREEN_METRICS);
	} else if (u->screen == SCREEN_BOARD && ui_selected(u, m, &service, &env)) {
		const struct rollout *live = model_live_rollout(m, service, env);
		if (live)
			str_copy(u->rollout, sizeof u->rollout, live->id);
		ui_show(u, m, live ? SCREEN_ROLLOUT : SCREEN_INFO);
	} else if (u->screen == SCREEN_ROLLOUTS && r) {
		const struct rollout *ro = model_rollout(m, r->id);
		if (ro)
			ui_select(u, ro->service, ro->env);
		str_copy(u->rollout, sizeof u->rollout, r->id);
		ui_show(u, m, SCREEN_ROLLOUT);
	} else if (u->screen == SCREEN_APPROVALS && r && m->store && r->a < m->store->n_plans) {
		const struct plan_row *p = &m->store->plans[r->a];
		ui_select(u, p->service, p->env);
		struct ui_effect *e = ui_effect_add(u, m, DO_RECHECK);
		str_copy(e->digest, sizeof e->digest, p->digest);
		u->plan_waits = true;
		u->plan_own = false;
		u->plan_why[0] = '\0';
		ui_show(u, m, SCREEN_PLAN);
	} else if (u->screen == SCREEN_PLAN && ui_set_plan(u, m)) {
		/* Each member's own plan, one after the other, then the whole again. */
		u->plan_member = (u->plan_member + 1) % (m->plan->n_members + 1);
		u->scroll = 0;
	} else if (u->screen == SCREEN_ROLLBACK && r) {
		ui_show(u, m, SCREEN_PLAN);
	} else if (u->screen == SCREEN_MIGRATIONS && r) {
		ui_migration_open(u, m);
	} else if (u->screen == SCREEN_LOGS) {
		u->log.wrap = !u->log.wrap;
	}
}

static void clear_filter(struct ui *u, const struct model *m) { ui_filter_set(u, m, ""); }

static struct list *filtered_list(struct ui *u)
{
	return &u->lists[ui_keys_go_to_log(u) ? SCREEN_LOGS : u->screen];
}

/* From event to event; behind the newest one is now. */
static void act_past(struct ui *u, const struct model *m, const char *how)
{
	bool forward = strcmp(how, "forward") == 0;
	int64_t from = u->past_us ? u->past_us : m->now_us;
	int64_t at = m->store ? past_next_event(m->store, from, forward) : 0;
	if (at == 0 && !forward) {
		ui_notice(u, MESSAGE_INFO,
		          "nothing earlier is at hand: towpath board --at TIME looks further back");
		return;
	}
	if (at == 0)
		ui_notice(u, MESSAGE_INFO, "this is now");
	u->past_us = at;
	if (at)
		ui_effect_add(u, m, DO_PAST)->at_us = at;
}

bool ui_in_past(struct ui *u)
{
	if (u->past_us)
		ui_notice(u, MESSAGE_WARN, "the board shows the past: Esc goes back to now");
	return u->past_us != 0;
}

/* From a member's plan to its set's, else to the screen before. */
static void screen_back(struct ui *u, const struct model *m)
{
	if (u->screen != SCREEN_PLAN || u->plan_member == 0 || !ui_set_plan(u, m)) {
		ui_back(u, m);
		return;
	}
	u->plan_member = 0;
	u->scroll = 0;
}

static void act_cancel(struct ui *u, const struct model *m, const char *arg)
{
	UNUSED(arg);
	if (u->output_runs && u->screen == SCREEN_OUTPUT)
		ui_effect_add(u, m, DO_CANCEL_COMMAND);
	else if (filtered_list(u)->filter_text[0])
		clear_filter(u, m);
	else if (u->screen == SCREEN_BOARD && u->pane > 0)
		u->pane = 0;
	else if (u->n_marks > 0 && u->screen == SCREEN_BOARD)
		u->n_marks = 0;
	else if (u->screen != SCREEN_BOARD)
		screen_back(u, m);
	else
		u->past_us = 0;
}

static void act_back(struct ui *u, const struct model *m, const char *arg)
{
	UNUSED(arg);
	if (u->screen != SCREEN_BOARD)
		screen_back(u, m);
	else
		ui_notice(u, MESSAGE_INFO, "this is the first screen; Q quits");
}

static void act_quit(struct ui *u, const struct model *m, const char *arg)
{
	UNUSED(arg);
	ui_effect_add(u, m, DO_QUIT);
}

static void act_interrupt(struct ui *u, const struct model *m, const char *arg)
{
	if (u->interrupt_us && u->mono_us - u->interrupt_us < US_PER_S) {
		ui_effect_add(u, m, DO_QUIT);
		return;
	}
	u->interrupt_us = u->mono_us;
	act_cancel(u, m, arg);
	ui_notice(u, MESSAGE_INFO, "Ctrl-C again quits; rollouts go on");
}

static void act_filter(struct ui *u, const struct model *m, const char *arg)
{
	UNUSED(m);
	UNUSED(arg);
	const struct list *l = filtered_list(u);
	if (!ui_keys_go_to_log(u) && !views[u->screen]->text && !views[u->screen]->fill) {
		ui_notice(u, MESSAGE_INFO, "nothing to filter on this screen");
		return;
	}
	ui_type(u, TYPE_FILTER, l->filter_text);
}

static void act_palette(struct ui *u, const struct model *m, const char *arg)
{
	UNUSED(arg);
	ui_type(u, TYPE_PALETTE, "");
	ui_palette_fill(u, m);
}

static void act_help(struct ui *u, const struct model *m, const char *arg)
{
	UNUSED(arg);
	ui_show(u, m, SCREEN_HELP);
	ui_filter_set(u, m, "");
	ui_type(u, TYPE_HELP, "");
}

static void act_match(struct ui *u, const struct model *m, const char *how)
{
	int step = strcmp(how, "next") == 0 ? 1 : -1;
	if (ui_keys_go_to_log(u))
		ui_log_match(u, m, step);
	else if (views[u->screen]->fill)
		ui_text_search(u, m, step);
	else
		move_by(u, m, step);
}

static void act_mark(struct ui *u, const struct model *m, const char *how)
{
	UNUSED(m);
	if (strcmp(how, "clear") == 0) {
		u->n_marks = u->log.n_marks = 0;
		return;
	}
	if (ui_keys_go_to_log(u)) {
		ui_log_mark(u);
		return;
	}
	const char *id = u->lists[u->screen].cursor;
	for (int i = 0; i < u->n_marks; i++) {
		if (strcmp(u->marks[i], id) == 0) {
			memmove(u->marks[i], u->marks[--u->n_marks], sizeof u->marks[i]);
			return;
		}
	}
	if (u->n_marks < UI_MARKS_MAX && *id)
		str_copy(u->marks[u->n_marks++], sizeof u->marks[0], id);
}

static void act_bookmark(struct ui *u, const struct model *m, const char *how)
{
	UNUSED(m);
	if (strcmp(how, "set") == 0) {
		str_copy(u->bookmark_service, sizeof u->bookmark_service, u->service);
		str_copy(u->bookmark_env, sizeof u->bookmark_env, u->env);
		ui_notice(u, MESSAGE_OK, "bookmark: %s / %s; ' goes there", u->service, u->env);
	} else if (u->bookmark_service[0]) {
		ui_select(u, u->bookmark_service, u->bookmark_env);
	} else {
		ui_notice(u, MESSAGE_INFO, "no bookmark yet; b sets one");
	}
}

/* --- reading ---------------------------------------------------------------------------------- */

static void act_read(struct ui *u, const struct model *m, const char *what)
{
	if (strcmp(what, "logs") == 0)
		ui_show(u, m, SCREEN_LOGS);
	else if (strcmp(what, "metrics") == 0)
		ui_show(u, m, SCREEN_METRICS);
	else if (strcmp(what, "info") == 0)
		ui_show(u, m, SCREEN_INFO);
	else if (strcmp(what, "errors") == 0)
		ui_show(u, m, SCREEN_ERRORS);
	else if (strcmp(what, "commits") == 0 && u->screen == SCREEN_PLAN)
		u->commits_open = !u->commits_open;
	else {
		/* What a promotion into here would change. */
		u->commits_open = strcmp(what, "commits") == 0;
		ui_plan_ask(u, m, PLAN_PROMOTE, "");
		ui_show(u, m, SCREEN_PLAN);
	}
}

static void act_refresh(struct ui *u, const struct model *m, const char *arg)
{
	UNUSED(arg);
	bool on_plan = u->screen == SCREEN_PLAN || u->screen == SCREEN_ROLLBACK;
	if (on_plan && !u->plan_own && m->plan) {
		struct ui_effect *e = ui_effect_add(u, m, DO_RECHECK);
		str_copy(e->digest, sizeof e->digest, m->plan->digest);
	} else if (on_plan)
		ui_plan_ask_reading(u, m, u->plan_for_kind, u->plan_release, u->plan_reads);
	else if (u->screen == SCREEN_MIGRATIONS || u->screen == SCREEN_MIGRATION ||
	         u->screen == SCREEN_COMMIT)
		ui_ladder_ask(u, m);
	else if (u->screen == SCREEN_HISTORY)
		ui_effect_add(u, m, DO_HISTORY);
	else if (u->screen == SCREEN_DOCTOR)
		ui_effect_add(u, m, DO_DOCTOR);
	else
		ui_effect_add(u, m, DO_REFRESH);
	ui_notice(u, MESSAGE_INFO, "reading again");
}

static void act_sort(struct ui *u, const struct model *m, const char *arg)
{
	static const char *const orders[] = {"as in the file", "worst first", "by owner"};
	UNUSED(m);
	UNUSED(arg);
	if (u->screen != SCREEN_BOARD) {
		ui_notice(u, MESSAGE_INFO, "this list has one order: newest first");
		return;
	}
	struct list *l = &u->lists[SCREEN_BOARD];
	l->sort = (l->sort + 1) % 3;
	ui_notice(u, MESSAGE_INFO, "order: %s", orders[l->sort]);
}

static void act_columns(struct ui *u, const struct model *m, const char *arg)
{
	UNUSED(m);
	UNUSED(arg);
	if (u->screen != SCREEN_BOARD) {
		ui_notice(u, MESSAGE_INFO, "the columns of this list follow the width of the screen");
		return;
	}
	u->plain_columns = !u->plain_columns;
	ui_notice(u, MESSAGE_INFO,
	          u->plain_columns ? "columns: environments only"
	                           : "columns: owner, graphs and next as well");
}

static void act_time(struct ui *u, const struct model *m, const char *arg)
{
	static const int64_t windows[] = {5 * US_PER_MIN, 15 * US_PER_MIN, US_PER_H, 6 * US_PER_H};
	char span[16];
	UNUSED(m);
	UNUSED(arg);
	if (ui_keys_go_to_log(u)) {
		ui_type(u, TYPE_TIME, "");
		return;
	}
	size_t i = 0;
	while (i < ARRAY_LEN(windows) && windows[i] != u->window_us)
		i++;
	u->window_us = windows[(i + 1) % ARRAY_LEN(windows)];
	time_age(span, sizeof span, u->window_us);
	ui_notice(u, MESSAGE_INFO, "graphs show the last %s", span);
}

static void act_utc(struct ui *u, const struct model *m, const char *arg)
{
	UNUSED(m);
	UNUSED(arg);
	u->local_time = !u->local_time;
	ui_notice(u, MESSAGE_INFO, "times in %s", u->local_time ? zone_name(u->zone) : "UTC");
}

static void act_simple(struct ui *u, const struct model *m, const char *what)
{
	if (strcmp(what, "dump") == 0)
		ui_effect_add(u, m, DO_DUMP);
	else if (strcmp(what, "redraw") == 0)
		ui_effect_add(u, m, DO_REDRAW);
	else if (strcmp(what, "split") == 0) {
		u->split = !u->split;
		if (u->screen != SCREEN_LOGS && u->screen != SCREEN_METRICS) {
			u->split = true;
			ui_show(u, m, SCREEN_LOGS);
		}
	} else if (strcmp(what, "zoom") == 0) {
		if (u->screen == SCREEN_BOARD)
			act_open(u, m, "");
		else
			ui_back(u, m);
	} else if (strcmp(what, "follow") == 0) {
		u->log.following = true;
	} else if (strcmp(what, "pause") == 0) {
		u->log.following = !u->log.following;
	} else if (strcmp(what, "wrap") == 0 && u->screen == SCREEN_MIGRATION) {
		u->no_wrap = !u->no_wrap;
	} else if (strcmp(what, "wrap") == 0) {
		u->log.wrap = !u->log.wrap;
	}
}

/* --- ACT: plans and questions ----------------------------------------------------------------- */

/* The set of the config that has these very services in this order; -1: none. */
static int set_of_marks(const struct ui *u, const struct setup *s)
{
	for (int i = 0; i < s->n_sets; i++) {
		int n = 0;
		while (n < u->n_marks && s->sets[i].services[n] &&
		       strcmp(s->sets[i].services[n], u->marks[n]) == 0)
			n++;
		if (n == u->n_marks && !s->sets[i].services[n])
			return i;
	}
	return -1;
}

/* Several services are marked on the board: they are promoted as one, in the order in which they were marked. */
static bool plan_marked(struct ui *u, const struct model *m)
{
	struct error e = {.text = ""};
	char title[NAME_LEN], env[NAME_LEN];
	int members[SET_MAX];
	struct str words;
	if (u->screen != SCREEN_BOARD || u->n_marks < 2)
		return false;
	str_init(&words, TEXT_LEN);
	int known = set_of_marks(u, m->setup);
	for (int i = 0; known < 0 && i < u->n_marks; i++)
		str_addf(&words, "%s%s", i ? "," : "", u->marks[i]);
	if (known >= 0)
		str_add(&words, m->setup->sets[known].name);
	/* The title is what the plan is asked for by: a list that does not fit has no such. */
	if (setup_set(m->setup, str_text(&words), members, title, &e) == 0) {
		ui_notice(u, MESSAGE_WARN, "%s; u clears the marks", e.text);
	} else if (strcmp(plan_set_name(title), str_text(&words)) != 0) {
		ui_notice(u, MESSAGE_WARN, "these names are too long for a list: name a set in the config");
	} else {
		str_copy(env, sizeof env, u->env);
		ui_select(u, title, env);
		u->commits_open = false;
		ui_plan_ask(u, m, PLAN_SET, "");
		ui_show(u, m, SCREEN_PLAN);
	}
	str_release(&words);
	return true;
}

static void act_act(struct ui *u, const struct model *m, const char *what)
{
	int service = -1, env = -1;
	if (ui_in_past(u) || ui_is_idle(u, m))
		return;
	bool about_rollout =
	    strcmp(what, "hold") == 0 || strcmp(what, "abort") == 0 || strcmp(what, "takeover") == 0;
	bool of_set = plan_set_name(u->service) != u->service;
	if (of_set && !about_rollout && strcmp(what, "gate") != 0 && strcmp(what, "raise") != 0) {
		ui_notice(u, MESSAGE_INFO, "that is done to one service: 1 goes to the board");
		return;
	}
	if (!of_set && !ui_selected(u, m, &service, &env)) {
		ui_notice(u, MESSAGE_INFO, "no deployment selected: 1 goes to the board");
		return;
	}
	if (!about_rollout && !of_set && !setup_deployment(m->setup, service, env)->present) {
		ui_notice(u, MESSAGE_INFO, "%s is not deployed in %s", u->service, u->env);
		return;
	}
	if (strcmp(what, "plan") == 0 && plan_marked(u, m))
		return;
	if (strcmp(what, "plan") == 0) {
		u->commits_open = false;
		ui_plan_ask(u, m, PLAN_PROMOTE, "");
		ui_show(u, m, SCREEN_PLAN);
	} else if (strcmp(what, "rollback") == 0) {
		ui_effect_add(u, m, DO_CANDIDATES);
		u->lists[SCREEN_ROLLBACK].cursor[0] = '\0';
		u->lists[SCREEN_ROLLBACK].at = 0;
		ui_plan_ask(u, m, PLAN_ROLLBACK, "");
		ui_show(u, m, SCREEN_ROLLBACK);
	} else if (strcmp(what, "gate") == 0) {
		ui_ask_gate(u, m);
	} else if (strcmp(what, "smoke") == 0) {
		ui_ask_smoke(u, m);
	} else if (strcmp(what, "hold") == 0) {
		ui_ask_hold(u, m);
	} else if (strcmp(what, "abort") == 0) {
		ui_ask_abort(u, m);
	} else if (strcmp(what, "freeze") == 0) {
		ui_ask_freeze(u, m);
	} else if (strcmp(what, "takeover") == 0) {
		ui_ask_takeover(u, m);
	} else if (strcmp(what, "raise") == 0) {
		ui_ask_raise(u, m);
	} else {
		ui_ask_note(u, m);
	}
}

static void act_execute(struct ui *u, const struct model *m, const char *arg)
{
	UNUSED(arg);
	if (ui_in_past(u) || ui_is_idle(u, m))
		return;
	if (u->screen == SCREEN_PLAN || u->screen == SCREEN_ROLLBACK)
		ui_ask_execute(u, m);
}

/* --- the table of actions --------------------------------------------------------------------- */

struct action {
	const char *name;
	void (*run)(struct ui *u, const struct model *m, const char *arg);
	const char *arg;
};

static const struct action actions[] = {
#define ACTION(name, run, arg) {name, run, arg},
#include "tui/actions.def"
#undef ACTION
};

const char *const ui_actions[] = {
#define ACTION(name, run, arg) name,
#include "tui/actions.def"
#undef ACTION
    NULL};

void ui_action(struct ui *u, const struct model *m, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(actions[i].name, name) == 0) {
			actions[i].run(u, m, actions[i].arg);
			return;
		}
	}
}
