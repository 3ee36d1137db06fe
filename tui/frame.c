/* The whole screen from model and state: pure, the same both give the same cells. */
#include "core/text.h"
#include "core/time.h"
#include "tui/layout.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

static void count_states(const struct model *m, int *failed, int *degraded, int *unknown)
{
	for (int s = 0; m->setup && s < m->setup->n_services; s++) {
		for (int e = 0; e < m->setup->n_envs; e++) {
			if (!setup_deployment(m->setup, s, e)->present)
				continue;
			enum state st = board_state(m, s, e);
			*failed += st == STATE_FAILED;
			*degraded += st == STATE_DEGRADED || st == STATE_DRIFT;
			*unknown += st == STATE_UNKNOWN;
		}
	}
}

static void header(const struct model *m, const struct ui *u, struct area a)
{
	int failed = 0, degraded = 0, unknown = 0, live = 0, inbox = 0;
	char clock[32], text[TEXT_LEN], trail[TEXT_LEN];
	/* Lists over all deployments do not name one. */
	static const bool names_place[SCREEN_COUNT] = {
	    [SCREEN_LOGS] = true, [SCREEN_METRICS] = true,  [SCREEN_MIGRATIONS] = true,
	    [SCREEN_PLAN] = true, [SCREEN_ROLLBACK] = true, [SCREEN_ROLLOUT] = true,
	    [SCREEN_INFO] = true, [SCREEN_MIGRATION] = true, [SCREEN_COMMIT] = true};
	bool on_board = !names_place[u->screen];
	count_states(m, &failed, &degraded, &unknown);
	for (int i = 0; m->store && i < m->store->n_rollouts; i++)
		live += rollout_is_live(&m->store->rollouts[i]);
	for (int i = 0; m->store && i < m->store->n_plans; i++)
		inbox += plan_row_asks(&m->store->plans[i]);
	(void)snprintf(trail, sizeof trail, "%s > %s%s%s%s%s", m->setup ? m->setup->name : "towpath",
	               on_board ? "" : u->service, on_board || !u->service[0] ? "" : " > ",
	               on_board ? "" : u->env, on_board || !u->env[0] ? "" : " > ", views[u->screen]->title);
	/* From the right: counts never leave. */
	int end = a.cols;
	(void)snprintf(text, sizeof text, "X%d !%d ?%d", failed, degraded, unknown);
	end = area_right(a, 0, end, failed ? ROLE_ERR : degraded ? ROLE_WARN : ROLE_TEXT, text) - 1;
	if (live > 0) {
		(void)snprintf(text, sizeof text, a.cols >= 100 ? "runs %d" : "%%%d", live);
		end = area_right(a, 0, end, ROLE_RUN, text) - 1;
	}
	if (inbox > 0) {
		(void)snprintf(text, sizeof text, a.cols >= 100 ? "approvals %d" : "A%d", inbox);
		end = area_right(a, 0, end, ROLE_TEXT, text) - 1;
	}
	clock_text(u, clock, sizeof clock, m->now_us, false);
	(void)snprintf(text, sizeof text, "%.5s%s", clock, u->local_time && u->zone ? "" : "Z");
	if (a.cols >= 60)
		end = area_right(a, 0, end - 1, ROLE_DIM, text) - 2;
	/* Who one is and how the store does stand before the trail, in that order of need. */
	const struct source *store = &m->store_source;
	int trail_cells = text_width(trail) + 2;
	char may[NAME_LEN + 16];
	ui_raise_text(u, m, may, sizeof may);
	(void)snprintf(text, sizeof text, "%s@%s %s", m->actor, m->host, may);
	int who = text_width(text) + 2;
	bool has_who = trail_cells + who <= end;
	const char *store_text = store->failing_since_us ? "X store" : m->store ? "store ok" : "? store";
	bool has_store =
	    trail_cells + (has_who ? who : 0) + text_width(store_text) + 2 <= end || store->failing_since_us;
	if (has_store)
		end = area_right(a, 0, end,
		                 store->failing_since_us ? ROLE_ERR
		                 : m->store              ? ROLE_DIM
		                                         : ROLE_UNKNOWN,
		                 store_text) -
		      2;
	if (has_who)
		end = area_right(a, 0, end, strcmp(may, "rw") != 0 ? ROLE_WARN : ROLE_DIM, text) - 2;
	char clipped[TEXT_LEN];
	text_clip(clipped, sizeof clipped, trail, MAX(0, end - 1));
	area_text(a, 0, 1, ROLE_TITLE, clipped);
}

static int filter_field(const struct ui *u, struct area a, int row, const struct list *l, bool typing)
{
	const char *text = typing ? u->typing.text : l->filter_text;
	area_text(a, row, 1, ROLE_KEY, "/");
	int col = area_text(a, row, 3, typing ? ROLE_INPUT : ROLE_TEXT, text);
	if (typing)
		area_cursor(a, row, col);
	if (l->filter_error.code != ERR_OK) {
		int at = 3 + MAX(0, l->filter_error.col - 1);
		area_paint(a, row, at, 1, ROLE_ERR, ATTR_UNDERLINE);
		col = area_printf(a, row, col + 2, ROLE_ERR, "X %s", l->filter_error.text);
	}
	return col;
}

static void filter_bar(const struct model *m, const struct ui *u, struct area a, int row)
{
	bool log = u->screen == SCREEN_LOGS || (u->screen == SCREEN_BOARD && u->pane == 1);
	const struct list *l = &u->lists[log ? SCREEN_LOGS : u->screen];
	bool typing = u->typing.kind == TYPE_FILTER || u->typing.kind == TYPE_HELP;
	char text[128] = "";
	int service = -1, env = -1;
	if (log && ui_selected(u, m, &service, &env)) {
		const struct logbuf *b = model_deployment(m, service, env)->logs;
		if (b && l->filter)
			(void)snprintf(text, sizeof text, "%zu of %llu%s", ui_log_count(u, b),
			               (unsigned long long)(logbuf_end(b) - logbuf_first(b)),
			               u->log.scan_left ? " .." : "");
	} else if (views[u->screen]->fill && l->filter) {
		(void)snprintf(text, sizeof text, "%d row%s", u->text.n_found, u->text.n_found == 1 ? "" : "s");
	} else if (views[u->screen]->rows && l->n_all != u->n_rows) {
		(void)snprintf(text, sizeof text, "%d of %d shown", u->n_rows, l->n_all);
	} else if (u->screen == SCREEN_BOARD) {
		(void)snprintf(text, sizeof text, "%d services", u->n_rows);
	}
	area_right(a, row, a.cols - 1, ROLE_DIM, text);
	if (typing || l->filter_text[0]) {
		filter_field(u, a, row, l, typing);
		return;
	}
	if (service < 0 && !ui_selected(u, m, &service, &env))
		return;
	if (u->screen == SCREEN_BOARD || u->screen == SCREEN_LOGS)
		area_text(a, row, 1, ROLE_DIM, "/ filters");
	else if (u->screen == SCREEN_METRICS)
		area_text(a, row, 1, ROLE_DIM, "t changes the time shown");
}

enum { NOTICE_ROWS = 3 };

/* A notice with its mark; where it is too long for its row it grows over those above: its end is what to do next. */
static void notice(const struct ui *u, struct area a, int row, enum role role, const char *mark)
{
	char text[TEXT_LEN + 4];
	struct area none = {.cols = a.cols};
	(void)snprintf(text, sizeof text, "%s%s", mark, u->notice);
	int rows = CLAMP(paragraph(none, 0, 1, role, text), 1, MIN(NOTICE_ROWS, row));
	area_clear(area_part(a, row - rows + 1, 0, rows, -1));
	(void)paragraph(area_part(a, row - rows + 1, 0, rows, -1), 0, 1, role, text);
}

/* The newest live rollout, or what was last said. */
static void status(const struct model *m, const struct ui *u, struct area a, int row)
{
	static const enum role roles[] = {[MESSAGE_INFO] = ROLE_TEXT,
	                                  [MESSAGE_OK] = ROLE_OK,
	                                  [MESSAGE_WARN] = ROLE_WARN,
	                                  [MESSAGE_ERROR] = ROLE_ERR};
	static const char *const marks[] = {
	    [MESSAGE_INFO] = "", [MESSAGE_OK] = "+ ", [MESSAGE_WARN] = "! ", [MESSAGE_ERROR] = "X "};
	if (u->typing.kind == TYPE_REASON || u->typing.kind == TYPE_TIME) {
		static const char *const why[] = {
		    [REASON_EXECUTE] = "why it must run (10 characters):",
		    [REASON_REJECT] = "why you reject this plan:",
		    [REASON_FREEZE] = "why you freeze it:",
		    [REASON_NOTE] = "note:",
		    [REASON_RAISE] = "for how long (15m) and why:",
		};
		int col = area_text(a, row, 1, ROLE_KEY,
		                    u->typing.kind == TYPE_TIME ? "go to time:" : why[u->typing.why]);
		col = area_text(a, row, col + 1, ROLE_INPUT, u->typing.text);
		area_cursor(a, row, col);
		return;
	}
	if (u->prefix[0]) {
		area_printf(a, row, 1, ROLE_KEY, "%s-", u->prefix);
		int col = 4;
		for (int i = 0; u->keymap && i < u->keymap->n; i++) {
			const struct binding *b = &u->keymap->items[i];
			if (b->keys[0] == u->prefix[0] && b->keys[1] && b->keys[1] != ' ' &&
			    strcmp(b->context, "global") == 0) {
				char second[2] = {b->keys[1], '\0'};
				col = key_hint(a, row, col, second, b->note);
			}
		}
		return;
	}
	if (u->notice[0]) {
		notice(u, a, row, roles[u->notice_kind], marks[u->notice_kind]);
		return;
	}
	char missing[TEXT_LEN];
	if (executor_missing(m, missing, sizeof missing)) {
		area_printf(a, row, 1, ROLE_WARN, "! %s", missing);
		return;
	}
	for (int i = 0; m->store && i < m->store->n_rollouts; i++) {
		const struct rollout *r = &m->store->rollouts[i];
		char tag[TAG_LEN];
		int done = 0, all = 0;
		if (!rollout_is_live(r) || u->screen == SCREEN_ROLLOUT || r->state == ROLLOUT_QUEUED)
			continue;
		rollout_progress(r, &done, &all);
		int col = area_printf(a, row, 1, ROLE_RUN, "%% rollout %s", r->id);
		col = area_printf(a, row, col + 1, ROLE_TEXT, "%s %s > %s  step %d/%d %s", r->service,
		                  release_text(&r->to, tag, sizeof tag), r->env, done, all,
		                  r->at_step < r->n_steps ? step_kind_name(r->steps[r->at_step].kind) : "");
		area_printf(a, row, col + 2, ROLE_DIM, "%s", r->requester);
		return;
	}
	if (m->message[0] && m->now_us - m->message_us < 20 * US_PER_S)
		area_printf(a, row, 1, roles[m->message_kind], "%s%s", marks[m->message_kind], m->message);
	else if (m->store && m->store->is_demo)
		area_text(a, row, 1, ROLE_DIM, "demo world: nothing here can be broken for good");
}

/* A hint where it fits with room for those that must follow. */
static void hint(struct area a, int row, int *col, const char *key, const char *note)
{
	if (*col + text_width(key) + text_width(note) + 1 <= a.cols)
		*col = key_hint(a, row, *col, key, note);
}

static void typing_footer(const struct ui *u, struct area a, int row)
{
	int col = 1;
	bool chooses = u->typing.kind == TYPE_PALETTE || u->typing.kind == TYPE_HELP;
	hint(a, row, &col, "Enter", chooses ? "do it" : u->typing.kind == TYPE_FILTER ? "keep" : "go on");
	if (chooses)
		hint(a, row, &col, "Down Up", "choose");
	if (u->typing.kind == TYPE_PALETTE)
		hint(a, row, &col, "Tab", "fill in");
	hint(a, row, &col, "Esc", chooses ? "close" : "undo");
	if (u->typing.kind == TYPE_FILTER)
		area_text(a, row, col, ROLE_DIM,
		          u->screen == SCREEN_MIGRATIONS
		              ? "word !not /re/ env:prod state:pending kind:contract by:ann age<3d"
		              : "word !not /re/ level>=warn key:value (a | b)");
}

/* Keys that act on this screen, by the rows of the keymap that are marked for the footer. */
static void bound_hints(const struct ui *u, struct area a, int row, int *col)
{
	const char *context = ui_context(u);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; u->keymap && i < u->keymap->n; i++) {
			const struct binding *b = &u->keymap->items[i];
			bool global = strcmp(b->context, "global") == 0, act = strcmp(b->group, "act") == 0;
			char first[KEYS_LEN], note[32];
			if (!b->footer || global != (pass == 1) ||
			    (!global && strcmp(b->context, context) != 0))
				continue;
			if (act && u->past_us)
				continue; /* refused: what is shown is over */
			if (strcmp(b->action, "help") == 0 || (act && u->screen != SCREEN_BOARD) ||
			    (strcmp(b->action, "filter") == 0 && !views[u->screen]->text &&
			     strcmp(context, "logs") != 0))
				continue;
			/* "approve or reject": the first word is enough here. */
			str_copy(note, sizeof note, b->note);
			char *end = strstr(note, " or ");
			if (end)
				*end = '\0';
			if (act && a.cols < 100 && strcmp(note, "smoke tests") == 0)
				str_copy(note, sizeof note, "smoke");
			if (keys_next(b->keys, first, sizeof first))
				hint(a, row, col, first, note);
		}
	}
}

/* x only when the plan may run, A only when an approval is what it waits for. */
static void plan_hints(const struct model *m, const struct ui *u, struct area a, int row, int *col)
{
	const struct plan *p = m->plan;
	bool here = p && !u->plan_waits && strcmp(p->service, u->service) == 0 && strcmp(p->env, u->env) == 0;
	if (here && !u->past_us && u->plan_member == 0 && plan_may_run(p, NULL))
		hint(a, row, col, "x", "execute");
	for (int i = 0; here && !u->past_us && i < p->n_gates; i++) {
		if (p->gates[i].kind != GATE_APPROVAL || p->gates[i].verdict == GATE_OPEN ||
		    p->gates[i].verdict == GATE_EXEMPT)
			continue;
		bool stored = false;
		for (int k = 0; m->store && k < m->store->n_plans; k++)
			stored = stored || strcmp(m->store->plans[k].digest, p->digest) == 0;
		hint(a, row, col, "A", stored ? "approve or reject" : "ask for approval");
	}
	if (here && p->kind == PLAN_SET)
		hint(a, row, col, "Enter", u->plan_member == 0 ? "each member" : "next member");
	hint(a, row, col, "r", "again");
	hint(a, row, col, "c", "commits");
}

static void footer(const struct model *m, const struct ui *u, struct area a, int row)
{
	static const char *const open_notes[SCREEN_COUNT] = {
	    [SCREEN_BOARD] = "open", [SCREEN_ROLLOUTS] = "open", [SCREEN_APPROVALS] = "open plan",
	    [SCREEN_MIGRATIONS] = "open"};
	int col = 1;
	bool plan = u->screen == SCREEN_PLAN || u->screen == SCREEN_ROLLBACK;
	if (u->typing.kind != TYPE_NONE) {
		typing_footer(u, a, row);
		return;
	}
	struct area left = a;
	left.cols -= 14; /* ": all  ? help" is always there */
	if (open_notes[u->screen])
		hint(left, row, &col, "Enter", open_notes[u->screen]);
	if (u->screen == SCREEN_BOARD && u->past_us) {
		hint(left, row, &col, "{ }", "earlier, later");
		hint(left, row, &col, "Esc", "now");
	}
	if (plan) {
		plan_hints(m, u, left, row, &col);
	} else {
		const struct rollout *r = u->screen == SCREEN_ROLLOUT ? model_rollout(m, u->rollout) : NULL;
		if (r && rollout_is_live(r) && !u->past_us) {
			hint(left, row, &col, "H", "hold");
			hint(left, row, &col, "X", "abort");
		}
		if (u->screen == SCREEN_ROLLOUT)
			hint(left, row, &col, "L", "logs");
		bound_hints(u, left, row, &col);
	}
	if (u->screen != SCREEN_BOARD)
		hint(left, row, &col, "Esc", "back");
	hint(a, row, &col, ":", "all");
	hint(a, row, &col, "?", "help");
}

/* The last rows of a question: what to press or type now. They are there however small the screen is. */
static void ask_prompt(const struct ui *u, struct area in, int row)
{
	const struct ask *q = &u->ask;
	int col = 0;
	if (q->friction == FRICTION_TOKEN) {
		col = area_text(in, row, 0, ROLE_TEXT, "type");
		col = area_text(in, row, col + 2, ROLE_KEY, q->token);
		bool narrow = in.cols < 60;
		col = area_text(in, row, narrow ? col : col + 2, ROLE_TEXT, narrow ? ":" : "then Enter:");
		col = area_text(in, row, narrow ? col + 1 : col + 2, ROLE_INPUT, q->typed);
		area_cursor(in, row, col);
		col = q->can_reject ? key_hint(in, row + 1, 0, "Tab", "reject with a reason") : 0;
		row++;
	} else if (u->mono_us < q->armed_us && !q->first_key) {
		col = area_text(in, row, 0, ROLE_DIM, "...") + 2;
	} else if (q->friction == FRICTION_KEY) {
		col = key_hint(in, row, 0, "x", "do it");
	} else {
		col = q->first_key ? key_hint(in, row, 0, "y", "do it")
		                   : key_hint(in, row, 0, "x", "then y does it");
	}
	(void)key_hint(in, row, col, "Esc", "leave, nothing is sent");
}

/* Somebody else who is about to act on the place that the question is about. */
static bool rival(const struct model *m, const struct ui *u, char *dst, size_t cap)
{
	const struct ask *q = &u->ask;
	const struct rollout *r = q->rollout[0] ? model_rollout(m, q->rollout) : NULL;
	struct presence_place at;
	if (q->kind == ASK_UNLOCK || q->kind == ASK_QUIT)
		return false;
	if (r)
		return presence_warning(m, r->service, r->env, "", r->id, dst, cap);
	bool placed = ui_presence_place(u, m, &at);
	return presence_warning(m, u->service, u->env, placed ? at.plan : "", "", dst, cap);
}

static void draw_ask(const struct model *m, const struct ui *u, struct area a)
{
	const struct ask *q = &u->ask;
	char warning[TEXT_LEN];
	bool warns = rival(m, u, warning, sizeof warning);
	int prompt = q->friction == FRICTION_TOKEN ? 2 : 1;
	int cols = MIN(a.cols, 84), rows = q->n_lines + (q->command[0] ? 1 : 0) + warns + 1 + prompt + 2;
	rows = MIN(rows, a.rows);
	struct area in =
	    box(a, MAX(0, (a.rows - rows) / 2), (a.cols - cols) / 2, rows, cols, u->glyphs, q->title);
	int row = 0, room = MAX(0, in.rows - prompt);
	if (warns && row < room)
		area_printf(in, row++, 0, ROLE_WARN, "! %s", warning);
	for (int i = 0; i < q->n_lines && row < room; i++)
		area_text(in, row++, 0, ROLE_TEXT, q->lines[i]);
	if (q->command[0] && row < room) {
		area_text(in, row, 0, ROLE_DIM, "$");
		area_text(in, row++, 2, ROLE_LINK, q->command);
	}
	ask_prompt(u, in, room);
}

static void draw_palette(const struct model *m, const struct ui *u, struct area a)
{
	int rows = MIN(a.rows, 16), cols = MIN(a.cols, 100);
	struct area in = box(a, MAX(0, a.rows - rows), 0, rows, cols, u->glyphs, "commands and keys");
	char text[32];
	area_text(in, 0, 0, ROLE_KEY, ":");
	int col = area_text(in, 0, 2, ROLE_INPUT, u->typing.text);
	area_cursor(in, 0, col);
	(void)snprintf(text, sizeof text, "%d", u->n_palette);
	area_right(in, 0, in.cols, ROLE_DIM, text);
	int page = in.rows - 1, top = MAX(0, u->typing.at - page + 1);
	for (int i = 0; i < page && top + i < u->n_palette; i++) {
		const struct palette_row *r = &u->palette[top + i];
		bool here = top + i == u->typing.at;
		int y = i + 1;
		enum role role = r->off[0] ? ROLE_DIM : ROLE_TEXT;
		if (here)
			area_text(in, y, 0, ROLE_FOCUS, u->glyphs->cursor);
		if (r->command) {
			area_textn(in, y, 2, 14, role, 0, r->command->name);
			area_textn(in, y, 17, in.cols - 17, ROLE_DIM, 0,
			           r->off[0] ? r->off : r->command->summary);
		} else {
			area_textn(in, y, 2, 30, role, 0, r->binding->note);
			area_textn(in, y, 33, 9, ROLE_KEY, 0, r->binding->keys);
			area_textn(in, y, 43, in.cols - 43, ROLE_DIM, 0,
			           r->off[0] ? r->off : r->binding->action);
		}
		if (here)
			area_paint(in, y, 0, in.cols, -1, ATTR_REVERSE);
	}
	UNUSED(m);
}

void frame_draw(const struct model *m, const struct ui *u, struct canvas *c)
{
	canvas_clear(c);
	struct area a = canvas_area(c);
	struct layout l = layout_of(c->rows, c->cols);
	if (l.too_small) {
		area_text(a, 0, 0, ROLE_TEXT, "40x10 needed");
		return;
	}
	header(m, u, area_part(a, 0, 0, 1, -1));
	if (l.bar >= 0)
		filter_bar(m, u, a, l.bar);
	struct area body = area_part(a, l.body, 0, l.body_rows, -1);
	views[u->screen]->draw(m, u, body);
	status(m, u, a, l.status);
	if (l.bar < 0 && (u->typing.kind == TYPE_FILTER || u->typing.kind == TYPE_HELP)) {
		area_clear(area_part(a, l.status, 0, 1, -1));
		filter_field(u, a, l.status, &u->lists[u->screen], true);
	}
	footer(m, u, a, l.footer);
	if (u->typing.kind == TYPE_PALETTE)
		draw_palette(m, u, body);
	if (u->ask.kind != ASK_NONE)
		draw_ask(m, u, body);
}
