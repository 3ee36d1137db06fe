/* All rollouts, live ones first; and one of them while it runs. */
#include "core/text.h"
#include "core/time.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

static enum state rollout_glyph(const struct rollout *r)
{
	if (rollout_is_live(r))
		return r->orphaned ? STATE_UNKNOWN : r->state == ROLLOUT_PAUSED ? STATE_HELD : STATE_PROGRESS;
	if (r->rolled_back)
		return STATE_FAILED;
	switch (r->outcome) {
	case OUTCOME_OK: return STATE_OK;
	case OUTCOME_FAILED: return STATE_FAILED;
	case OUTCOME_CANCELLED: return STATE_SKIPPED;
	case OUTCOME_ERRORED:
	case OUTCOME_UNKNOWN:
	case OUTCOME_UNSUPPORTED:
	case OUTCOME_COUNT: break;
	}
	return STATE_UNKNOWN;
}

static const char *rollout_word(const struct rollout *r)
{
	if (rollout_is_live(r))
		return r->orphaned ? "orphaned" : rollout_state_name(r->state);
	return r->rolled_back ? "rolled back" : outcome_name(r->outcome);
}

static void row_make(const struct model *m, struct row *row, int i, bool member)
{
	str_copy(row->id, sizeof row->id, m->store->rollouts[i].id);
	row->a = i;
	row->b = member;
}

/* A set's members stand below it in the order in which they began, wherever their age would have them. */
static int rollouts_rows(const struct model *m, const struct ui *u, struct row *ret, int cap)
{
	int n = 0;
	UNUSED(u);
	for (int i = 0; m->store && i < m->store->n_rollouts && n < cap; i++) {
		const struct rollout *r = &m->store->rollouts[i];
		if (r->parent[0] && model_rollout(m, r->parent))
			continue;
		row_make(m, &ret[n++], i, false);
		for (int k = m->store->n_rollouts - 1; r->kind == PLAN_SET && k >= 0 && n < cap; k--)
			if (strcmp(m->store->rollouts[k].parent, r->id) == 0)
				row_make(m, &ret[n++], k, true);
	}
	return n;
}

static const char *rollouts_text(const struct model *m, const struct row *row, char *dst, size_t cap)
{
	const struct rollout *r = &m->store->rollouts[row->a];
	(void)snprintf(dst, cap, "%s %s %s %s %s %s %s", r->id, r->service, r->env, plan_kind_name(r->kind),
	               r->to.tag, r->requester, rollout_word(r));
	return dst;
}

static const char *rollouts_field(const struct model *m, const struct row *row, const char *key, char *dst,
                                  size_t cap)
{
	const struct rollout *r = &m->store->rollouts[row->a];
	UNUSED(dst);
	UNUSED(cap);
	if (strcmp(key, "service") == 0)
		return r->service;
	if (strcmp(key, "env") == 0)
		return r->env;
	if (strcmp(key, "by") == 0)
		return r->requester;
	if (strcmp(key, "state") == 0)
		return rollout_word(r);
	return NULL;
}

static const struct column cols[] = {
    {"ROLLOUT", 12, 1, false, 5}, {"SERVICE", 10, 2, false, 0}, {"ENV", 7, 1, false, 0},
    {"KIND", 8, 0, false, 4},     {"TO", 10, 2, false, 0},      {"STATE", 11, 0, false, 0},
    {"STEP", 5, 0, true, 3},      {"STARTED", 8, 0, false, 2},  {"TOOK", 7, 0, true, 6},
    {"BY", 8, 1, false, 1},       {"TEXT", 10, 6, false, 7}};
enum { COL_TEXT = 10, SAID_ROWS = 8 };

static int rollouts_page(const struct model *m, const struct ui *u, int rows, int width)
{
	UNUSED(m);
	UNUSED(u);
	UNUSED(width);
	return rows - 1 - (rows > SAID_ROWS ? 3 : 0);
}

/* What the row under the cursor says, in two rows at the bottom where its column has no room for it. */
static void says_below(const struct model *m, const struct ui *u, struct area a, const struct placed *p)
{
	const struct list *l = &u->lists[SCREEN_ROLLOUTS];
	if (a.rows <= SAID_ROWS || l->at >= u->n_rows)
		return;
	const struct rollout *r = &m->store->rollouts[u->rows_now[l->at].a];
	if (text_width(r->text) > p->cells[COL_TEXT])
		(void)paragraph(a, a.rows - 2, 3, ROLE_DIM, r->text);
}

static void rollouts_draw(const struct model *m, const struct ui *u, struct area a)
{
	struct placed p = columns_place(cols, (int)ARRAY_LEN(cols), a.cols);
	const struct list *l = &u->lists[SCREEN_ROLLOUTS];
	columns_head(a, 0, cols, &p);
	if (u->n_rows == 0)
		area_text(a, 2, 3, ROLE_DIM,
		          l->filter  ? "the filter hides all; Esc clears it"
		          : m->store ? "no rollout yet: P on the board plans one"
		                     : "reading the store");
	says_below(m, u, a, &p);
	for (int i = 0; i < rollouts_page(m, u, a.rows, a.cols) && l->top + i < u->n_rows; i++) {
		const struct row *row = &u->rows_now[l->top + i];
		const struct rollout *r = &m->store->rollouts[row->a];
		enum state s = rollout_glyph(r);
		char text[TEXT_LEN];
		int done = 0, all = 0, y = i + 1;
		bool here = l->top + i == l->at;
		row_start(a, y, u, here, ui_marked(u, row->id), (int)s);
		column_text(a, y, cols, &p, 0, ROLE_DIM, r->id);
		(void)snprintf(text, sizeof text, "%s%s", row->b ? "  " : "", r->service);
		column_text(a, y, cols, &p, 1, ROLE_TEXT, text);
		column_text(a, y, cols, &p, 2, ROLE_TEXT, r->env);
		column_text(a, y, cols, &p, 3, ROLE_DIM, plan_kind_name(r->kind));
		column_text(a, y, cols, &p, 4, ROLE_TEXT, release_text(&r->to, text, sizeof text));
		column_text(a, y, cols, &p, 5, state_role(s), rollout_word(r));
		rollout_progress(r, &done, &all);
		(void)snprintf(text, sizeof text, "%d/%d", done, all);
		column_text(a, y, cols, &p, 6, ROLE_TEXT, text);
		int64_t began = r->started_us ? r->started_us : r->created_us;
		clock_text(u, text, sizeof text, began, false);
		column_text(a, y, cols, &p, 7, ROLE_DIM, text);
		time_span(text, sizeof text, MAX(0, (r->ended_us ? r->ended_us : m->now_us) - began));
		column_text(a, y, cols, &p, 8, ROLE_DIM, text);
		column_text(a, y, cols, &p, 9, ROLE_DIM, r->requester);
		column_text(a, y, cols, &p, 10, ROLE_DIM, r->text);
		if (here)
			area_paint(a, y, 1, a.cols - 1, -1, ATTR_REVERSE);
	}
}

extern const struct view view_rollouts;
const struct view view_rollouts = {
    .name = "rollouts",
    .title = "rollouts",
    .topics = TOPIC_ROLLOUTS | TOPIC_SETUP,
    .rows = rollouts_rows,
    .text = rollouts_text,
    .field = rollouts_field,
    .page = rollouts_page,
    .draw = rollouts_draw,
};

/* What the step that runs says, where its line has no room for it: who it waits for, and how that can be ended. */
static const char *long_word(const struct rollout *r, int width)
{
	const char *text = r->at_step < r->n_steps ? r->runs[r->at_step].text : "";
	return rollout_is_live(r) && r->state != ROLLOUT_PAUSED && r->text[0] == '\0' &&
	               text_width(text) > width - 60
	           ? text
	           : "";
}

static void rollout_draw(const struct model *m, const struct ui *u, struct area a)
{
	const struct rollout *r = model_rollout(m, u->rollout);
	char tag[TAG_LEN], span[24], clock[32];
	int done = 0, all = 0;
	if (!r) {
		area_printf(a, 1, 1, ROLE_DIM, "rollout %s is not in the store yet", u->rollout);
		return;
	}
	rollout_progress(r, &done, &all);
	enum state s = rollout_glyph(r);
	int col = area_printf(a, 0, 1, ROLE_TEXT, "%s %s > %s   ", r->service,
	                      release_text(&r->to, tag, sizeof tag), r->env);
	col = area_printf(a, 0, col, ROLE_DIM, "%s by %s  epoch %lld", plan_kind_name(r->kind), r->requester,
	                  (long long)r->epoch);
	if (rollout_is_live(r) && r->holder[0])
		area_printf(a, 0, col + 2, ROLE_DIM, "held by %s", r->holder);
	int64_t began = r->started_us ? r->started_us : r->created_us;
	time_span(span, sizeof span, MAX(0, (r->ended_us ? r->ended_us : m->now_us) - began));
	int cells = CLAMP(a.cols / 3, 10, 40);
	area_text(a, 1, 1, ROLE_BORDER, "[");
	bar(a, 1, 2, cells, all ? (double)done / all : 0, u->glyphs, ROLE_RUN);
	area_text(a, 1, 2 + cells, ROLE_BORDER, "]");
	col = area_printf(a, 1, cells + 4, ROLE_TEXT, "step %d of %d  %s", MIN(done + 1, all), all, span);
	col = area_printf(a, 1, col + 2, state_role(s), "%s %s", u->glyphs->state[s], rollout_word(r));
	if (r->hold_wanted && r->state != ROLLOUT_PAUSED)
		col = area_text(a, 1, col + 2, ROLE_WARN, "holds after this step");
	if (r->abort_wanted)
		col = area_text(a, 1, col + 2, ROLE_WARN, "aborts after this step");
	UNUSED(col);
	int row = 2;
	if (r->text[0])
		row = paragraph(a, row, 1, s == STATE_OK ? ROLE_DIM : state_role(s), r->text);
	if (a.rows >= 12 && long_word(r, a.cols)[0])
		row = paragraph(a, row, 1, ROLE_RUN, long_word(r, a.cols));
	struct presence_place at = model_place(m, r->service, r->env, "", r->id);
	row = presence_lines(m, a, row, 1, &at, 3);
	int steps = MIN(r->n_steps, MAX(3, a.rows - row - 6));
	rollout_steps(m, u, area_part(a, row, 0, steps, -1), r);
	row += steps;
	area_text(a, row++, 1, ROLE_DIM,
	          r->state == ROLLOUT_QUEUED
	              ? "nothing has happened yet; you may close this terminal, X takes it back"
	          : rollout_is_live(r) ? "you may close this terminal: the rollout goes on by itself"
	                               : "it has ended; Esc goes back");
	(void)clock_text;
	UNUSED(clock);
	int service = setup_service(m->setup, r->service), env = setup_env(m->setup, r->env);
	if (service < 0 || env < 0 || row + 2 >= a.rows)
		return;
	if (a.cols >= 120) {
		int half = a.cols / 2;
		pane_title(area_part(a, row, 0, 1, half), 0, u, false, "logs", NULL);
		log_lines(m, u, area_part(a, row + 1, 0, -1, half - 1), service, env, false, false);
		pane_title(area_part(a, row, half, 1, -1), 0, u, false, "metrics", NULL);
		metric_rows(m, u, area_part(a, row + 1, half, -1, -1), service, env, false);
	} else {
		pane_title(a, row, u, false, "logs", NULL);
		log_lines(m, u, area_part(a, row + 1, 0, -1, -1), service, env, false, false);
	}
}

extern const struct view view_rollout;
const struct view view_rollout = {
    .name = "rollout",
    .title = "rollout",
    .topics = TOPIC_ROLLOUTS | TOPIC_LOGS | TOPIC_METRICS | TOPIC_SETUP,
    .draw = rollout_draw,
};
