#include "tui/widget/source.h"
#include "core/text.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

enum {
	MARK_CELLS = 2,      /* where the search stands, what the lint says */
	COLOURED_MAX = 4096, /* bytes of a line that are read for colours */
	PARTS_MAX = 512,
	LINE_BYTES = 4096
};

enum row_kind { ROW_CODE, ROW_DIFF, ROW_RULE, ROW_CLAIM, ROW_MESSAGE, ROW_SAFER, ROW_CUT };

const struct migration_source *source_here(const struct model *m, const struct ui *u)
{
	const struct migration_source *s = m->migration_source;
	int service = m->migration_source_service, env = m->migration_source_env;
	if (!s || !m->setup || service < 0 || env < 0 ||
	    strcmp(m->migration_source_name, u->migration) != 0 ||
	    strcmp(m->setup->services[service].name, u->service) != 0 ||
	    strcmp(m->setup->envs[env].name, u->env) != 0)
		return NULL;
	return s;
}

int source_waiting(const struct model *m, const struct ui *u, struct area a, int row)
{
	const struct outcome *o = &m->migration_source_outcome;
	bool failed = !u->migration_waits && strcmp(m->migration_source_name, u->migration) == 0 &&
	              o->kind != OUTCOME_OK;
	if (!failed) {
		area_printf(a, row, 1, ROLE_DIM, "reading %s", u->migration);
		return row + 1;
	}
	return paragraph(a, paragraph(a, row, 1, ROLE_ERR, o->text), 1, ROLE_DIM, o->hint);
}

/* --- rows --------------------------------------------------------------------------------------- */

static const char *tri_text(enum tri t, const char *yes, const char *maybe)
{
	return t == YES ? yes : t == MAYBE ? maybe : "";
}

static void claim_text(const struct lint_finding *f, char *dst, size_t cap)
{
	const char *blocks = lock_mode_blocks(f->lock);
	dst[0] = '\0';
	if (f->lock == LOCK_NONE && f->rewrite == NO && f->scan == NO && !f->breaks_old_code)
		return;
	(void)snprintf(
	    dst, cap, "%s%s%s%s%s%s%s%s", f->lock != LOCK_NONE ? lock_mode_name(f->lock) : "no table lock",
	    f->lock != LOCK_NONE && f->table[0] ? " on " : "", f->lock != LOCK_NONE ? f->table : "",
	    *blocks ? ", blocks " : "", blocks, tri_text(f->rewrite, ", rewrites it", ", may rewrite it"),
	    tri_text(f->scan, ", reads all rows", ", may read all rows"),
	    f->breaks_old_code ? ", old code breaks" : "");
}

/* Rows of a text for a width, broken at blanks where words is true. */
static void wrap(struct text_rows *t, struct text_row row, const char *text, size_t n, int width, bool words)
{
	size_t at = 0;
	if (n == 0 || width < 1) {
		text_rows_add(t, row);
		return;
	}
	while (at < n) {
		size_t end = at, blank = 0;
		int cells = 0;
		while (end < n) {
			size_t k = 0;
			int w = 0;
			if (!text_next(text + end, &k, &w) || cells + w > width)
				break;
			cells += w;
			end += k;
			if (end < n && text[end] == ' ')
				blank = end;
		}
		if (end < n && words && blank > at)
			end = blank;
		if (end == at)
			end = n; /* a grapheme wider than the screen */
		row.at = (uint32_t)at;
		row.n = (uint32_t)(end - at);
		text_rows_add(t, row);
		at = end;
		while (words && at < n && text[at] == ' ')
			at++;
	}
}

static int number_cells(int n) { return n < 1000 ? 3 : n < 10000 ? 4 : 5; }

static int code_at(const struct migration_source *s, bool diff)
{
	return MARK_CELLS + (diff ? 2 * (number_cells(s->n_lines) + 1) + 2 : number_cells(s->n_lines) + 1);
}

static void fill_findings(const struct migration_source *s, int line, int width, int *at, struct text_rows *t)
{
	for (; *at < s->n_findings && s->findings[*at].line <= line; (*at)++) {
		const struct lint_finding *f = &s->findings[*at];
		char claim[TEXT_LEN];
		claim_text(f, claim, sizeof claim);
		text_rows_add(t, (struct text_row){.kind = ROW_RULE, .index = *at});
		if (claim[0])
			wrap(t, (struct text_row){.kind = ROW_CLAIM, .index = *at}, claim, strlen(claim),
			     width, true);
		wrap(t, (struct text_row){.kind = ROW_MESSAGE, .index = *at}, f->message, strlen(f->message),
		     width, true);
		if (f->safer[0])
			wrap(t, (struct text_row){.kind = ROW_SAFER, .index = *at}, f->safer,
			     strlen(f->safer), width - 7, true);
	}
}

void source_fill(const struct model *m, const struct ui *u, int cells, struct text_rows *t)
{
	const struct migration_source *s = source_here(m, u);
	int finding = 0;
	if (!s)
		return;
	int width = cells - code_at(s, u->migration_diff);
	for (int i = 0; u->migration_diff && i < s->n_diff; i++)
		wrap(t, (struct text_row){.kind = ROW_DIFF, .index = i}, s->diff[i].text,
		     strlen(s->diff[i].text), u->no_wrap ? INT32_MAX : width, false);
	for (int i = 0; !u->migration_diff && i < s->n_lines; i++) {
		wrap(t, (struct text_row){.kind = ROW_CODE, .index = i}, s->text + s->lines[i].at,
		     s->lines[i].n, u->no_wrap ? INT32_MAX : width, false);
		fill_findings(s, i + 1, width - 4, &finding, t);
	}
	if (!u->migration_diff && s->cut)
		text_rows_add(t, (struct text_row){.kind = ROW_CUT});
}

const char *source_words(const struct model *m, const struct ui *u, const struct text_row *r, size_t *ret_n)
{
	const struct migration_source *s = source_here(m, u);
	if (!s || r->at > 0 || (r->kind != ROW_CODE && r->kind != ROW_DIFF))
		return NULL;
	if (r->kind == ROW_DIFF) {
		*ret_n = strlen(s->diff[r->index].text);
		return s->diff[r->index].text;
	}
	*ret_n = s->lines[r->index].n;
	return s->text + s->lines[r->index].at;
}

/* --- one row ------------------------------------------------------------------------------------ */

/* n bytes of a text from col on. Returns the column behind. */
static int text_part(struct area a, int row, int col, enum role role, const char *text, size_t n)
{
	char out[LINE_BYTES];
	while (n > 0 && col < a.cols) {
		size_t k = MIN(n, sizeof out - 1);
		while (k < n && k > 0 && ((uint8_t)text[k] & 0xc0) == 0x80)
			k--;
		if (k == 0)
			break;
		memcpy(out, text, k);
		out[k] = '\0';
		col = area_text(a, row, col, role, out);
		text += k;
		n -= k;
	}
	return col;
}

static enum role part_role(enum highlight is)
{
	static const enum role roles[HIGHLIGHT_COUNT] = {[HIGHLIGHT_PLAIN] = ROLE_TEXT,
	                                                 [HIGHLIGHT_KEYWORD] = ROLE_KEYWORD,
	                                                 [HIGHLIGHT_STRING] = ROLE_STRING,
	                                                 [HIGHLIGHT_COMMENT] = ROLE_COMMENT,
	                                                 [HIGHLIGHT_NUMBER] = ROLE_NUMBER};
	return is < HIGHLIGHT_COUNT ? roles[is] : ROLE_TEXT;
}

/* The bytes [at, at + n) of a line in its colours. */
static void code_part(struct area a, int row, int col, const struct language *l, uint32_t state,
                      const char *line, size_t n_line, size_t at, size_t n)
{
	struct highlight_part parts[PARTS_MAX];
	size_t end = at + n, from = at;
	int n_parts = 0;
	(void)highlight_line(l, state, line, MIN(n_line, (size_t)COLOURED_MAX), parts, PARTS_MAX, &n_parts);
	for (int i = 0; i < n_parts && from < end; i++) {
		size_t p = parts[i].at, q = p + parts[i].n;
		if (q <= from)
			continue;
		if (p > from)
			col = text_part(a, row, col, ROLE_TEXT, line + from, MIN(p, end) - from);
		from = MAX(from, MIN(p, end));
		col = text_part(a, row, col, part_role(parts[i].is), line + from, MIN(q, end) - from);
		from = MIN(q, end);
	}
	if (from < end)
		(void)text_part(a, row, col, ROLE_TEXT, line + from, end - from);
}

static enum state severity_state(enum lint_severity s)
{
	return s == SEVERITY_ERROR     ? STATE_FAILED
	       : s == SEVERITY_WARNING ? STATE_DEGRADED
	                               : STATE_NOT_STARTED;
}

/* The worst that the lint says of a line; -1 nothing. */
static int line_state(const struct migration_source *s, int line)
{
	int worst = -1;
	for (int i = 0; i < s->n_findings && s->findings[i].line <= line; i++)
		if (s->findings[i].line == line &&
		    (worst < 0 || s->findings[i].severity > s->findings[worst].severity))
			worst = i;
	return worst < 0 ? -1 : (int)severity_state(s->findings[worst].severity);
}

static void underline_found(const struct ui *u, struct area a, int row, int col, const char *text, size_t n)
{
	bool ignore_case = false;
	const char *literal = filter_literal(ui_list(u)->filter, &ignore_case);
	size_t k = strlen(literal);
	char before[LINE_BYTES];
	for (size_t i = 0; k > 0 && i + k <= n; i++) {
		size_t j = 0;
		while (j < k &&
		       (text[i + j] == literal[j] ||
		        (ignore_case && (text[i + j] | 0x20) == (literal[j] | 0x20) && literal[j] >= 'A')))
			j++;
		if (j < k || i >= sizeof before)
			continue;
		memcpy(before, text, i);
		before[i] = '\0';
		area_paint(a, row, col + text_width(before), text_width(literal), ROLE_MATCH, ATTR_UNDERLINE);
		i += k - 1;
	}
}

static void draw_code(const struct ui *u, struct area a, int row, const struct migration_source *s,
                      const struct text_row *r)
{
	const struct source_line *l = &s->lines[r->index];
	const char *line = s->text + l->at;
	int col = code_at(s, false);
	char number[16];
	if (r->at == 0) {
		int state = line_state(s, r->index + 1);
		bool begins = r->index + 1 == s->line && s->line > 1;
		if (state >= 0)
			area_text(a, row, 1, state_role((enum state)state), u->glyphs->state[state]);
		(void)snprintf(number, sizeof number, "%d", r->index + 1);
		area_right(a, row, col - 1, begins ? ROLE_FOCUS : ROLE_DIM, number);
	}
	code_part(a, row, col, s->language, l->state, line, l->n, r->at, r->n);
	underline_found(u, a, row, col, line + r->at, r->n);
}

static void draw_diff(const struct ui *u, struct area a, int row, const struct migration_source *s,
                      const struct text_row *r)
{
	const struct diff_line *d = &s->diff[r->index];
	int cells = number_cells(s->n_lines), col = code_at(s, true);
	enum role role = d->origin == '+'   ? ROLE_ADDED
	                 : d->origin == '-' ? ROLE_REMOVED
	                 : d->origin == ' ' ? ROLE_TEXT
	                                    : ROLE_DIM;
	char number[16];
	if (r->at == 0 && d->origin != '@') {
		(void)snprintf(number, sizeof number, "%d", d->old_line);
		if (d->old_line > 0)
			area_right(a, row, MARK_CELLS + cells, ROLE_DIM, number);
		(void)snprintf(number, sizeof number, "%d", d->new_line);
		if (d->new_line > 0)
			area_right(a, row, MARK_CELLS + 2 * cells + 1, ROLE_DIM, number);
	}
	/* On rows that go on too: a glance at any row tells its side. */
	if (d->origin == '+' || d->origin == '-')
		area_text(a, row, col - 2, role, d->origin == '+' ? "+" : "-");
	(void)text_part(a, row, d->origin == '@' ? MARK_CELLS : col, role, d->text + r->at, r->n);
	underline_found(u, a, row, col, d->text + r->at, r->n);
}

static void draw_finding(const struct ui *u, struct area a, int row, const struct migration_source *s,
                         const struct text_row *r)
{
	const struct lint_finding *f = &s->findings[r->index];
	const struct lint_rule_desc *d = lint_rule_desc(f->rule);
	enum state state = severity_state(f->severity);
	int col = code_at(s, false) + 2;
	char claim[TEXT_LEN];
	switch (r->kind) {
	case ROW_RULE:
		area_printf(a, row, col - 2, state_role(state), "%s %s %s, %s", u->glyphs->state[state],
		            lint_severity_name(f->severity), d->id, d->slug);
		break;
	case ROW_CLAIM:
		claim_text(f, claim, sizeof claim);
		(void)text_part(a, row, col, state_role(state), claim + r->at, r->n);
		break;
	case ROW_MESSAGE: (void)text_part(a, row, col, ROLE_TEXT, f->message + r->at, r->n); break;
	default:
		if (r->at == 0)
			area_text(a, row, col, ROLE_KEY, "safer:");
		(void)text_part(a, row, col + 7, ROLE_TEXT, f->safer + r->at, r->n);
		break;
	}
}

void source_row(const struct ui *u, struct area a, int row, const struct migration_source *s, int at)
{
	const struct text_row *r = &u->text.items[at];
	if (at == u->text.found)
		area_text(a, row, 0, ROLE_FOCUS, u->glyphs->cursor);
	if (r->kind == ROW_CODE)
		draw_code(u, a, row, s, r);
	else if (r->kind == ROW_DIFF)
		draw_diff(u, a, row, s, r);
	else if (r->kind == ROW_CUT)
		area_text(a, row, code_at(s, false), ROLE_WARN,
		          "! the rest of this file is too long to be shown");
	else
		draw_finding(u, a, row, s, r);
}
