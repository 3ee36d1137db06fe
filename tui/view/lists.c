/* Smaller lists: history, doctor, errors, help. */
#include "core/text.h"
#include "core/time.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

/* --- history ---------------------------------------------------------------------------------- */

static int history_rows(const struct model *m, const struct ui *u, struct row *ret, int cap)
{
	int n = 0;
	UNUSED(u);
	for (int i = 0; m->history && i < m->history->n_rows && n < cap; i++, n++) {
		(void)snprintf(ret[n].id, sizeof ret[n].id, "#%lld", (long long)m->history->rows[i].seq);
		ret[n].a = i;
		ret[n].b = 0;
	}
	return n;
}

static const char *history_text(const struct model *m, const struct row *row, char *dst, size_t cap)
{
	const struct audit_row *r = &m->history->rows[row->a];
	(void)snprintf(dst, cap, "%s@%s %s %s %s %s", r->actor, r->host, r->verb, r->target, r->result,
	               r->text);
	return dst;
}

static const char *history_field(const struct model *m, const struct row *row, const char *key, char *dst,
                                 size_t cap)
{
	const struct audit_row *r = &m->history->rows[row->a];
	UNUSED(dst);
	UNUSED(cap);
	return strcmp(key, "by") == 0 || strcmp(key, "actor") == 0 ? r->actor
	       : strcmp(key, "verb") == 0                          ? r->verb
	       : strcmp(key, "target") == 0                        ? r->target
	       : strcmp(key, "result") == 0                        ? r->result
	                                                           : NULL;
}

enum { HISTORY_DETAIL = 4 };

static int history_page(const struct model *m, const struct ui *u, int rows, int cols)
{
	UNUSED(m);
	UNUSED(u);
	UNUSED(cols);
	return rows - 1 - (rows >= 14 ? HISTORY_DETAIL : 0);
}

static enum state history_glyph(const struct audit_row *r)
{
	if (strcmp(r->result, "ok") == 0)
		return STATE_OK;
	if (strcmp(r->result, "failed") == 0)
		return STATE_FAILED;
	return r->result[0] ? STATE_UNKNOWN : STATE_NOT_STARTED;
}

/* What the row under the cursor says in full, and whether the chain of hashes holds. */
static void history_detail(const struct model *m, const struct ui *u, struct area a, int row)
{
	const struct list *l = &u->lists[SCREEN_HISTORY];
	char right[64] = "", prev[32], hash[32];
	if (u->chain_rows > 0 && u->chain_bad_seq == 0)
		(void)snprintf(right, sizeof right, "+ chain holds over these %d rows", u->chain_rows);
	else if (u->chain_bad_seq > 0)
		(void)snprintf(right, sizeof right, "X chain broken at #%lld", (long long)u->chain_bad_seq);
	if (l->at >= u->n_rows) {
		pane_title(a, row, u, false, "history", right);
		return;
	}
	const struct audit_row *r = &m->history->rows[u->rows_now[l->at].a];
	char title[NAME_LEN * 2];
	(void)snprintf(title, sizeof title, "#%lld %s", (long long)r->seq, r->verb);
	pane_title(a, row, u, false, title, right);
	area_printf(a, row + 1, 1, ROLE_TEXT, "%s  %s", r->target, audit_said(r));
	area_printf(a, row + 2, 1, ROLE_DIM, "hash %s after %s", digest_short(r->hash, hash, sizeof hash),
	            r->prev[0] ? digest_short(r->prev, prev, sizeof prev) : "nothing");
}

static void history_draw(const struct model *m, const struct ui *u, struct area a)
{
	static const struct column cols[] = {{"SEQ", 6, 0, true, 2},      {"TIME (UTC)", 16, 0, false, 0},
	                                     {"WHO", 10, 1, false, 0},    {"VERB", 9, 0, false, 0},
	                                     {"TARGET", 14, 2, false, 0}, {"TEXT", 10, 8, false, 3}};
	struct placed p = columns_place(cols, (int)ARRAY_LEN(cols), a.cols);
	const struct list *l = &u->lists[SCREEN_HISTORY];
	int page = history_page(m, u, a.rows, a.cols);
	columns_head(a, 0, cols, &p);
	if (u->n_rows == 0)
		area_text(a, 2, 3, ROLE_DIM,
		          l->filter    ? "the filter hides all; Esc clears it"
		          : m->history ? "nothing has been decided here yet"
		                       : "reading the history");
	for (int i = 0; i < page && l->top + i < u->n_rows; i++) {
		const struct row *row = &u->rows_now[l->top + i];
		const struct audit_row *r = &m->history->rows[row->a];
		char text[TEXT_LEN];
		bool here = l->top + i == l->at;
		int y = i + 1;
		enum state s = history_glyph(r);
		row_start(a, y, u, here, ui_marked(u, row->id), s == STATE_NOT_STARTED ? -1 : (int)s);
		column_text(a, y, cols, &p, 0, ROLE_DIM, row->id);
		time_iso(text, sizeof text, r->at_us, false);
		text[10] = ' ';
		text[19] = '\0';
		column_text(a, y, cols, &p, 1, ROLE_DIM, p.cells[1] < 19 ? text + 5 : text);
		(void)snprintf(text, sizeof text, "%s@%s", r->actor, r->host);
		column_text(a, y, cols, &p, 2, ROLE_TEXT, text);
		column_text(a, y, cols, &p, 3, ROLE_TEXT, r->verb);
		column_text(a, y, cols, &p, 4, ROLE_TEXT, r->target);
		column_text(a, y, cols, &p, 5, s == STATE_FAILED ? ROLE_ERR : ROLE_DIM, audit_said(r));
		if (here)
			area_paint(a, y, 1, a.cols - 1, -1, ATTR_REVERSE);
	}
	if (page < a.rows - 1)
		history_detail(m, u, a, a.rows - HISTORY_DETAIL);
}

extern const struct view view_history;
const struct view view_history = {
    .name = "history",
    .title = "history",
    .topics = TOPIC_HISTORY | TOPIC_SETUP,
    .rows = history_rows,
    .text = history_text,
    .field = history_field,
    .page = history_page,
    .draw = history_draw,
};

/* --- doctor ----------------------------------------------------------------------------------- */

static int doctor_rows(const struct model *m, const struct ui *u, struct row *ret, int cap)
{
	int n = 0;
	UNUSED(u);
	for (int i = 0; i < m->n_doctor && n < cap; i++, n++) {
		str_copy(ret[n].id, sizeof ret[n].id, m->doctor[i].name);
		ret[n].a = i;
		ret[n].b = 0;
	}
	return n;
}

static const char *doctor_text(const struct model *m, const struct row *row, char *dst, size_t cap)
{
	const struct doctor_row *r = &m->doctor[row->a];
	(void)snprintf(dst, cap, "%s %s %s", r->name, state_name(r->state), r->text);
	return dst;
}

static void doctor_draw(const struct model *m, const struct ui *u, struct area a)
{
	static const struct column cols[] = {
	    {"SOURCE", 24, 2, false, 0}, {"TOOK", 7, 0, true, 1}, {"SAYS", 20, 6, false, 0}};
	struct placed p = columns_place(cols, (int)ARRAY_LEN(cols), a.cols);
	const struct list *l = &u->lists[SCREEN_DOCTOR];
	columns_head(a, 0, cols, &p);
	if (u->n_rows == 0)
		area_text(a, 2, 3, ROLE_DIM,
		          l->filter ? "the filter hides all; Esc clears it" : "asking every source");
	for (int i = 0; i + 1 < a.rows - 3 && l->top + i < u->n_rows; i++) {
		const struct row *row = &u->rows_now[l->top + i];
		const struct doctor_row *r = &m->doctor[row->a];
		char text[TEXT_LEN] = "";
		bool here = l->top + i == l->at;
		int y = i + 1;
		row_start(a, y, u, here, false, (int)r->state);
		column_text(a, y, cols, &p, 0, ROLE_TEXT, r->name);
		if (r->took_us > 0)
			number_text(text, sizeof text, (double)r->took_us / (double)US_PER_MS, "ms");
		column_text(a, y, cols, &p, 1, ROLE_DIM, text);
		column_text(a, y, cols, &p, 2, r->state == STATE_OK ? ROLE_DIM : state_role(r->state),
		            r->text);
		if (here)
			area_paint(a, y, 1, a.cols - 1, -1, ATTR_REVERSE);
	}
	if (a.rows > 6 && l->at < u->n_rows) {
		const struct doctor_row *r = &m->doctor[u->rows_now[l->at].a];
		pane_title(a, a.rows - 3, u, false, r->name, NULL);
		area_text(a, a.rows - 2, 1, ROLE_TEXT, r->text[0] ? r->text : state_word(r->state));
		area_text(a, a.rows - 1, 1, ROLE_DIM, r->hint);
	}
}

static int doctor_page(const struct model *m, const struct ui *u, int rows, int cols)
{
	UNUSED(m);
	UNUSED(u);
	UNUSED(cols);
	return rows - 4;
}

extern const struct view view_doctor;
const struct view view_doctor = {
    .name = "doctor",
    .title = "doctor",
    .topics = TOPIC_DOCTOR | TOPIC_SETUP,
    .rows = doctor_rows,
    .text = doctor_text,
    .page = doctor_page,
    .draw = doctor_draw,
};

/* --- errors ----------------------------------------------------------------------------------- */

static int errors_rows(const struct model *m, const struct ui *u, struct row *ret, int cap)
{
	int n = 0;
	UNUSED(u);
	for (int i = 0; i < m->n_problems && n < cap; i++, n++) {
		const struct problem *p = model_problem(m, i);
		(void)snprintf(ret[n].id, sizeof ret[n].id, "%lld %d %d %d", (long long)p->at_us, p->service,
		               p->env, (int)p->port);
		ret[n].a = i;
		ret[n].b = 0;
	}
	return n;
}

static const char *errors_text(const struct model *m, const struct row *row, char *dst, size_t cap)
{
	str_copy(dst, cap, model_problem(m, row->a)->text);
	return dst;
}

static void errors_draw(const struct model *m, const struct ui *u, struct area a)
{
	const struct list *l = &u->lists[SCREEN_ERRORS];
	area_text(a, 0, 3, ROLE_TITLE, "TIME      WHERE                 WHAT");
	if (u->n_rows == 0)
		area_text(a, 2, 3, ROLE_DIM, "no error since the console started");
	for (int i = 0; i + 1 < a.rows && l->top + i < u->n_rows; i++) {
		const struct problem *p = model_problem(m, u->rows_now[l->top + i].a);
		char clock[32], where[NAME_LEN * 3];
		bool here = l->top + i == l->at;
		if (!p)
			continue;
		row_start(a, i + 1, u, here, false, -1);
		clock_text(u, clock, sizeof clock, p->at_us, false);
		area_text(a, i + 1, 3, ROLE_DIM, clock);
		(void)snprintf(where, sizeof where, "%s%s%s %s",
		               m->setup && p->service >= 0 ? m->setup->services[p->service].name : "",
		               m->setup && p->env >= 0 ? "/" : "",
		               m->setup && p->env >= 0 ? m->setup->envs[p->env].name : "",
		               port_name(p->port));
		area_textn(a, i + 1, 13, 21, ROLE_TEXT, 0, where);
		area_text(a, i + 1, 35, ROLE_ERR, p->text);
		if (here)
			area_paint(a, i + 1, 1, a.cols - 1, -1, ATTR_REVERSE);
	}
}

extern const struct view view_errors;
const struct view view_errors = {
    .name = "errors",
    .title = "errors",
    .topics = TOPIC_BOARD | TOPIC_MESSAGE | TOPIC_SETUP,
    .rows = errors_rows,
    .text = errors_text,
    .draw = errors_draw,
};

/* --- help: the binding table itself ----------------------------------------------------------- */

static int help_rows(const struct model *m, const struct ui *u, struct row *ret, int cap)
{
	static const char *const order[] = {"plan", "act", "open", "find", "read", "move"};
	const char *context = u->last_screen == SCREEN_ROLLBACK ? "plan" : views[u->last_screen]->name;
	int n = 0;
	UNUSED(m);
	for (size_t g = 0; g < ARRAY_LEN(order); g++) {
		for (int i = 0; u->keymap && i < u->keymap->n && n < cap; i++) {
			const struct binding *b = &u->keymap->items[i];
			bool here = strcmp(b->context, "global") == 0 || strcmp(b->context, context) == 0;
			if (!here || strcmp(b->group, order[g]) != 0)
				continue;
			(void)snprintf(ret[n].id, sizeof ret[n].id, "%s %s %s %s", b->keys, b->note,
			               b->action, b->group);
			ret[n].a = i;
			ret[n++].b = (int)g;
		}
	}
	return n;
}

static const char *help_text(const struct model *m, const struct row *row, char *dst, size_t cap)
{
	UNUSED(m);
	str_copy(dst, cap, row->id);
	return dst;
}

static void help_draw(const struct model *m, const struct ui *u, struct area a)
{
	const struct list *l = &u->lists[SCREEN_HELP];
	UNUSED(m);
	area_printf(a, 0, 1, ROLE_DIM,
	            "keys of %s and everywhere. Type to filter, Enter does it, Esc closes.",
	            views[u->last_screen]->title);
	const char *group = "";
	for (int i = 0; i + 3 < a.rows && l->top + i < u->n_rows; i++) {
		const struct binding *b = &u->keymap->items[u->rows_now[l->top + i].a];
		bool here = l->top + i == l->at;
		int y = i + 1;
		if (here)
			area_text(a, y, 0, ROLE_FOCUS, u->glyphs->cursor);
		if (strcmp(group, b->group) != 0)
			area_text(a, y, 1, ROLE_TITLE, strcmp(b->group, "act") == 0 ? "ACT" : b->group);
		group = b->group;
		area_textn(a, y, 7, 12, ROLE_KEY, 0, b->keys);
		int col = area_text(a, y, 20, ROLE_TEXT, b->note);
		area_printf(a, y, MAX(col + 2, 48), ROLE_DIM, "%s", b->action);
		if (here)
			area_paint(a, y, 1, a.cols - 1, -1, ATTR_REVERSE);
	}
	area_text(a, a.rows - 1, 1, ROLE_DIM,
	          "ACT keys open a plan. Only x inside a plan executes, then asks again.");
}

static int help_page(const struct model *m, const struct ui *u, int rows, int cols)
{
	UNUSED(m);
	UNUSED(u);
	UNUSED(cols);
	return rows - 3;
}

extern const struct view view_help;
const struct view view_help = {
    .name = "help",
    .title = "help",
    .topics = TOPIC_SETUP,
    .rows = help_rows,
    .text = help_text,
    .page = help_page,
    .draw = help_draw,
};
