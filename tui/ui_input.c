/* Keys and other events, in order: paste, questions, typing, then the keymap. */
#include "tui/ui_private.h"

#include "core/text.h"
#include "tui/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Eight characters within 30 ms are no fingers: a paste in a terminal that does not mark them. */
static bool is_burst(struct ui *u, const struct input *in)
{
	if (in->kind != INPUT_CHAR && in->kind != INPUT_ENTER)
		return false;
	u->key_us[u->at_key] = u->mono_us;
	u->at_key = (u->at_key + 1) % BURST_KEYS;
	int64_t oldest = u->key_us[u->at_key];
	return oldest > 0 && u->mono_us - oldest < BURST_US;
}

static void key(struct ui *u, const struct model *m, const struct input *in)
{
	char name[16], word[24];
	input_name(in, name, sizeof name);
	if (!name[0])
		return;
	bool prefix = false;
	(void)snprintf(word, sizeof word, "%s%s", u->prefix, name);
	bool second = u->prefix[0] != '\0';
	u->prefix[0] = '\0';
	const struct binding *b = keymap_find(u->keymap, ui_context(u), word, &prefix);
	if (!b && !prefix && second) {
		ui_notice(u, MESSAGE_INFO, "%s is not bound; ? shows the keys", word);
		return;
	}
	if (!b && prefix && !second) {
		str_copy(u->prefix, sizeof u->prefix, name);
		return;
	}
	if (!b) {
		ui_notice(u, MESSAGE_INFO, "%s is not bound here; ? shows the keys", name);
		return;
	}
	/* Right after the screen changed under the fingers nothing that matters is taken from them. */
	bool matters = strcmp(b->group, "act") == 0 || strcmp(b->group, "plan") == 0;
	if (matters && u->mono_us < u->quiet_until_us) {
		ui_notice(u, MESSAGE_INFO, "the screen has just changed: %s again", name);
		return;
	}
	ui_action(u, m, b->action);
}

static void input(struct ui *u, const struct model *m, const struct input *in)
{
	if (in->kind == INPUT_REPLY)
		return;
	if (in->kind == INPUT_FOCUS_IN || in->kind == INPUT_FOCUS_OUT) {
		u->quiet_until_us = u->mono_us + QUIET_US;
		if (in->kind == INPUT_FOCUS_OUT && u->ask.kind != ASK_NONE)
			ui_ask_close(u, "the terminal lost focus");
		return;
	}
	u->touched = true;
	if (in->kind == INPUT_PASTE_BEGIN) {
		u->in_paste = true;
		if (u->ask.kind != ASK_NONE)
			ui_ask_input(u, m, in);
		else if (u->typing.kind == TYPE_NONE)
			ui_notice(u, MESSAGE_WARN, "paste dropped: nothing is being typed here");
		return;
	}
	if (in->kind == INPUT_PASTE_END) {
		u->in_paste = false;
		return;
	}
	if (in->kind == INPUT_PASTED) {
		if (u->ask.kind == ASK_NONE && u->typing.kind != TYPE_NONE)
			ui_type_input(u, m, in);
		return;
	}
	if (u->ask.kind != ASK_NONE) {
		ui_ask_input(u, m, in);
		return;
	}
	if (u->typing.kind != TYPE_NONE) {
		ui_type_input(u, m, in);
		return;
	}
	bool was_burst = u->in_burst;
	u->in_burst = is_burst(u, in);
	if (u->in_burst) {
		u->prefix[0] = '\0';
		if (!was_burst)
			ui_notice(u, MESSAGE_WARN,
			          "keys came faster than fingers: taken for a paste, the rest dropped");
		return;
	}
	if (in->kind == INPUT_WHEEL_UP || in->kind == INPUT_WHEEL_DOWN) {
		ui_action(u, m, in->kind == INPUT_WHEEL_UP ? "move up" : "move down");
		return;
	}
	if (in->kind == INPUT_CTRL && in->cp == 'z') {
		ui_effect_add(u, m, DO_SUSPEND);
		return;
	}
	if (in->kind == INPUT_F && in->cp == 2) {
		u->mouse = !u->mouse;
		ui_effect_add(u, m, DO_MOUSE);
		return;
	}
	u->notice[0] = '\0';
	key(u, m, in);
}

static void output_line(struct ui *u, const char *text)
{
	if (u->n_output >= UI_OUTPUT_MAX)
		return;
	if (!u->output) {
		u->output = calloc(UI_OUTPUT_MAX, sizeof *u->output);
		if (!u->output)
			return;
	}
	char *copy = strdup(text);
	if (copy)
		u->output[u->n_output++] = copy;
}

static void resized(struct ui *u, const struct ui_event *e)
{
	u->rows = MAX(1, e->rows);
	u->cols = MAX(1, e->cols);
	if (u->touched)
		u->quiet_until_us = u->mono_us + QUIET_US;
	if (u->ask.kind != ASK_NONE && u->ask.typed[0]) {
		u->ask.typed[0] = '\0';
		ui_notice(u, MESSAGE_WARN, "the screen was resized: type it again");
	}
}

/* Hashes of the rows that came, and that each names the one before it. Newest first. */
static void check_chain(struct ui *u, const struct model *m)
{
	u->chain_rows = 0;
	u->chain_bad_seq = 0;
	for (int i = 0; m->history && i < m->history->n_rows; i++) {
		const struct audit_row *r = &m->history->rows[i];
		char hash[DIGEST_LEN];
		audit_hash(r, hash);
		bool follows = i == 0 || (m->history->rows[i - 1].seq == r->seq + 1 &&
		                          strcmp(m->history->rows[i - 1].prev, r->hash) == 0);
		if (strcmp(hash, r->hash) != 0 || !follows)
			u->chain_bad_seq = r->seq;
		u->chain_rows++;
	}
}

/* A plan that is new, or no longer the one that was read, has to be looked at before x is taken. */
static void plan_came(struct ui *u, const struct model *m)
{
	if (!m->plan)
		return;
	bool other = strcmp(m->plan->digest, u->plan_digest) != 0;
	if (u->plan_waits || other)
		u->plan_open_us = u->mono_us;
	if (!u->plan_waits && other)
		ui_notice(u, MESSAGE_WARN, "the plan changed: it is shown anew");
	u->plan_waits = false;
	u->plan_why[0] = '\0';
	str_copy(u->plan_digest, sizeof u->plan_digest, m->plan->digest);
}

/* Who comes back after the line broke finds the rollout at once. */
static void open_live(struct ui *u, const struct model *m)
{
	const struct rollout *mine = NULL;
	if (!u->opens_live || !m->store)
		return;
	u->opens_live = false;
	for (int i = 0; i < m->store->n_rollouts; i++) {
		const struct rollout *r = &m->store->rollouts[i];
		if (!rollout_is_live(r) || strcmp(r->requester, m->actor) != 0)
			continue;
		if (mine)
			return; /* several: the board shows them all */
		mine = r;
	}
	if (!mine || u->touched || u->screen != SCREEN_BOARD)
		return;
	str_copy(u->rollout, sizeof u->rollout, mine->id);
	str_copy(u->service, sizeof u->service, mine->service);
	str_copy(u->env, sizeof u->env, mine->env);
	u->touched = true;
	ui_show(u, m, SCREEN_ROLLOUT);
	ui_notice(u, MESSAGE_INFO, "your rollout is still under way; Esc goes to the board");
}

void ui_apply(struct ui *u, const struct model *m, const struct ui_event *e)
{
	u->mono_us = e->mono_us;
	switch (e->kind) {
	case UI_INPUT:
		ui_idle_tick(u, m, true);
		input(u, m, e->input);
		break;
	case UI_RESIZE: resized(u, e); break;
	case UI_TICK:
		ui_idle_tick(u, m, false);
		if (u->notice[0] && u->mono_us - u->notice_us > 8 * US_PER_S)
			u->notice[0] = '\0';
		ui_plan_again(u, m);
		ui_ladder_again(u, m);
		break;
	case UI_MODEL:
		if (e->topics & TOPIC_PLAN)
			plan_came(u, m);
		if (e->topics & TOPIC_MIGRATIONS)
			ui_migration_came(u, m);
		open_live(u, m);
		if (e->topics & TOPIC_HISTORY)
			check_chain(u, m);
		ui_presence_news(u, m);
		ui_ask_check(u, m);
		break;
	case UI_PLAN_FAILED:
		u->plan_waits = false;
		str_copy(u->plan_why, sizeof u->plan_why, e->text);
		break;
	case UI_OUTPUT:
		if (!u->output_runs) {
			for (int i = 0; i < u->n_output; i++)
				free(u->output[i]);
			u->n_output = 0;
			u->output_runs = true;
			str_copy(u->output_title, sizeof u->output_title, e->text);
			ui_show(u, m, SCREEN_OUTPUT);
			u->scroll = 0;
		} else {
			output_line(u, e->text);
		}
		break;
	case UI_OUTPUT_END:
		u->output_runs = false;
		if (e->text && e->text[0])
			output_line(u, e->text);
		break;
	case UI_RAISED: ui_raised(u, e); break;
	case UI_DONE:
		if (e->text && e->text[0])
			ui_notice(u, e->message_kind, "%s", e->text);
		if (e->rollout && e->rollout[0]) {
			str_copy(u->rollout, sizeof u->rollout, e->rollout);
			ui_show(u, m, SCREEN_ROLLOUT);
		}
		break;
	}
}

/* --- settling --------------------------------------------------------------------------------- */

struct row_of {
	const struct model *m;
	const struct view *view;
	const struct row *row;
	char text[TEXT_LEN * 2];
};

static const char *row_text(const void *row, size_t *ret_n)
{
	struct row_of *r = (struct row_of *)row;
	const char *s = r->view->text(r->m, r->row, r->text, sizeof r->text);
	*ret_n = strlen(s);
	return s;
}

static const char *row_field(const void *row, const char *key_name, char *buf, size_t cap)
{
	const struct row_of *r = row;
	return r->view->field ? r->view->field(r->m, r->row, key_name, buf, cap) : NULL;
}

static void rows_settle(struct ui *u, const struct model *m, const struct view *v, struct list *l)
{
	int n = v->rows(m, u, u->rows_now, UI_ROWS_MAX);
	l->n_all = n;
	u->n_rows = 0;
	for (int i = 0; i < n; i++) {
		struct row_of of = {.m = m, .view = v, .row = &u->rows_now[i]};
		struct filter_row f = {.row = &of,
		                       .now_us = m->now_us,
		                       .time_us = l->filter && v->time ? v->time(m, &u->rows_now[i]) : 0,
		                       .text = row_text,
		                       .field = row_field};
		if (l->filter && v->text && !filter_passes(l->filter, &f))
			continue;
		if (u->n_rows != i)
			u->rows_now[u->n_rows] = u->rows_now[i];
		u->n_rows++;
	}
	/* The cursor stays with its thing; when that is gone, with its place. */
	int at = -1;
	for (int i = 0; i < u->n_rows && at < 0; i++)
		if (strcmp(u->rows_now[i].id, l->cursor) == 0)
			at = i;
	if (at < 0)
		at = CLAMP(l->at, 0, MAX(0, u->n_rows - 1));
	l->at = at;
	if (u->n_rows > 0)
		str_copy(l->cursor, sizeof l->cursor, u->rows_now[at].id);
}

/* Before the first key the cursor stands on the worst problem. */
static void choose_deployment(struct ui *u, const struct model *m)
{
	int service = -1, env = -1;
	const struct setup *s = m->setup;
	if (!s || s->n_services == 0 || s->n_envs == 0)
		return;
	bool selected = ui_selected(u, m, &service, &env);
	if (!u->touched) {
		enum state best = selected ? board_state(m, service, env) : STATE_OK;
		for (int i = 0; i < s->n_services * s->n_envs; i++) {
			if (!setup_deployment(s, i / s->n_envs, i % s->n_envs)->present)
				continue;
			enum state st = board_state(m, i / s->n_envs, i % s->n_envs);
			bool worse = (st == STATE_FAILED && best != STATE_FAILED) ||
			             (st == STATE_DEGRADED && best != STATE_FAILED && best != STATE_DEGRADED);
			if (!worse)
				continue;
			best = st;
			service = i / s->n_envs;
			env = i % s->n_envs;
			selected = true;
		}
	}
	if (!selected) {
		service = service < 0 ? setup_service(s, u->service) : service;
		service = service < 0 ? 0 : service;
		env = setup_env(s, u->env);
		for (int i = 0; env < 0 && i < s->n_envs; i++)
			if (setup_deployment(s, service, i)->present)
				env = i;
		env = MAX(env, 0);
	}
	str_copy(u->service, sizeof u->service, s->services[service].name);
	str_copy(u->env, sizeof u->env, s->envs[env].name);
	if (u->screen == SCREEN_BOARD)
		str_copy(u->lists[SCREEN_BOARD].cursor, sizeof u->lists[SCREEN_BOARD].cursor, u->service);
}

/* A set stays selected where its plan and its rollout are shown; elsewhere the board's own row is. */
static bool set_selected(struct ui *u)
{
	if (plan_set_name(u->service) == u->service)
		return false;
	if (u->screen == SCREEN_PLAN || u->screen == SCREEN_ROLLOUT)
		return true;
	str_copy(u->service, sizeof u->service, u->lists[SCREEN_BOARD].cursor);
	return false;
}

void ui_settle(struct ui *u, const struct model *m)
{
	const struct view *v = views[u->screen];
	struct layout lay = layout_of(u->rows, u->cols);
	struct list *l = &u->lists[u->screen];
	int rows = MAX(1, lay.body_rows);
	if (!set_selected(u))
		choose_deployment(u, m);
	u->page = rows;
	ui_ladder_settle(u, m);
	if (v->rows) {
		rows_settle(u, m, v, l);
		u->page = MAX(1, v->page ? v->page(m, u, rows, u->cols) : rows - 1);
		if (l->at < l->top)
			l->top = l->at;
		if (l->at >= l->top + u->page)
			l->top = l->at - u->page + 1;
		l->top = CLAMP(l->top, 0, MAX(0, u->n_rows - u->page));
		if (u->screen == SCREEN_BOARD && u->n_rows > 0)
			str_copy(u->service, sizeof u->service, l->cursor);
	} else if (v->page) {
		u->page = MAX(1, v->page(m, u, rows, u->cols));
	}
	if (v->fill)
		ui_text_settle(u, m, v);
	if (v->flow) {
		struct area none = {.cols = u->cols};
		u->n_lines = v->flow(m, u, none, 0);
		u->scroll = CLAMP(u->scroll, 0, MAX(0, u->n_lines - u->page));
	}
	ui_log_settle(u, m);
	if (u->typing.kind == TYPE_PALETTE)
		ui_palette_fill(u, m);
	ui_ask_check(u, m);
}
