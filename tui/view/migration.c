/* One migration as text, with where it stands, who brought it and what was applied. */
#include "core/rung_row.h"
#include "core/text.h"
#include "core/time.h"
#include "tui/widget/ladder.h"
#include "tui/widget/source.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

enum {
	HEAD_ROWS = 5,
	SMALL_ROWS = 12, /* of the body: below, one row of head is enough */
	WIDE_COLS = 140, /* the head stands beside the text */
	SIDE_CELLS = 64,
};

static const struct rung *rung_here(const struct model *m, const struct ui *u)
{
	for (int i = 0; m->rungs && i < m->rungs->n_items; i++)
		if (strcmp(m->rungs->items[i].any->name, u->migration) == 0)
			return &m->rungs->items[i];
	return NULL;
}

static int text_cells(const struct ui *u, int cols)
{
	return cols >= WIDE_COLS && u->rows > SMALL_ROWS ? cols - SIDE_CELLS - 1 : cols;
}

static void migration_fill(const struct model *m, const struct ui *u, int cols, struct text_rows *t)
{
	source_fill(m, u, text_cells(u, cols), t);
}

static uint64_t migration_serial(const struct model *m, const struct ui *u, int cols)
{
	return ((uint64_t)m->migration_source_serial << 20 ^ (uint64_t)text_cells(u, cols) << 4) +
	       (u->migration_diff ? 1 : 0) + (u->no_wrap ? 2 : 0) + (source_here(m, u) ? 4 : 0);
}

/* --- the head ----------------------------------------------------------------------------------- */

/* "+ dev  . staging  X prod" */
static int places(const struct model *m, const struct ui *u, struct area a, int row, const struct rung *r)
{
	int col = 1;
	for (int e = 0; r && e < m->setup->n_envs; e++) {
		const struct migration *it = rung_in(r, m->ladder, e);
		bool here = strcmp(m->setup->envs[e].name, u->env) == 0;
		char word[80] = "-";
		enum rung_word w = it ? rung_of(it) : RUNG_UNKNOWN;
		if (it)
			(void)snprintf(word, sizeof word, "%s %s", rung_glyph(u, w), rung_desc(w)->word);
		int need = text_width(m->setup->envs[e].name) + 1 + text_width(word);
		if (col > 1 && col + need > a.cols) {
			row++;
			col = 1;
		}
		col = area_text(a, row, col, here ? ROLE_FOCUS : ROLE_DIM, m->setup->envs[e].name) + 1;
		col = area_text(a, row, col, it ? rung_role(w) : ROLE_DIM, word) + 3;
	}
	return row + 1;
}

static int commit_line(const struct model *m, struct area a, int row, const char *what,
                       const struct commit_detail *d)
{
	char age[16];
	if (!d)
		return row;
	age_text(age, sizeof age, m->now_us, d->commit.time_us);
	int col = area_printf(a, row, 1, ROLE_DIM, "%s %.9s", what, d->commit.revision);
	col = area_printf(a, row, col + 1, ROLE_TEXT, "%s", d->commit.author);
	col = area_printf(a, row, col + 1, ROLE_DIM, "%s ago", age);
	area_text(a, row, col + 2, ROLE_TEXT, d->commit.subject);
	return row + 1;
}

static int file_line(const struct model *m, struct area a, int row, const struct migration_source *s)
{
	char tag[TAG_LEN];
	int col = area_text(a, row, 1, ROLE_LINK, s->path);
	bool at_release = strcmp(s->revision, m->ladder_release.revision) == 0;
	col =
	    area_printf(a, row, col + 2, ROLE_DIM, "%s, %d line%s%s, at %.*s%s", language_name(s->language),
	                s->n_lines, s->n_lines == 1 ? "" : "s", s->crlf ? " that end with CR LF" : "",
	                TAG_LEN, at_release ? release_text(&m->ladder_release, tag, sizeof tag) : s->revision,
	                s->n_ignored > 0 ? ", findings ignored by marks" : "");
	UNUSED(col);
	return row + 1;
}

/* Findings that grow with the table were judged without its size. */
static int sizes_line(struct area a, int row, const struct migration_source *s)
{
	char text[TEXT_LEN * 2];
	if (s->n_findings == 0 || s->sizes_text[0] == '\0')
		return row;
	(void)snprintf(text, sizeof text, "table sizes not known, judged as of large ones: %s",
	               s->sizes_text);
	return paragraph(a, row, 1, ROLE_WARN, text);
}

/* What was applied here, and how that is known. */
static int applied_line(const struct ui *u, struct area a, int row, const struct migration_source *s)
{
	char text[TEXT_LEN];
	if (s->applied_by == APPLIED_NOT || s->applied_by == APPLIED_SAME)
		return row;
	(void)snprintf(text, sizeof text,
	               "%s applied in %s with another text, that of %.9s: %s. +%d -%d lines since",
	               u->glyphs->state[STATE_DRIFT], u->env, s->applied_revision,
	               applied_by_text(s->applied_by), s->n_diff_added, s->n_diff_removed);
	return paragraph(a, row, 1, ROLE_WARN, text);
}

static int origin_rows(const struct model *m, const struct ui *u, struct area a, int row,
                       const struct migration_source *s)
{
	row = commit_line(m, a, row, "added", s->added);
	if (s->release[0])
		area_printf(a, row++, 1, ROLE_DIM, "brought by %s", s->release);
	else if (s->added && !s->removed)
		area_text(a, row++, 1, ROLE_DIM, "in no release yet");
	if (s->changed != s->added)
		row = commit_line(m, a, row, "edited", s->changed);
	row = commit_line(m, a, row, "removed", s->removed);
	if (!s->added && s->shallow)
		area_text(a, row++, 1, ROLE_DIM, "who brought it is older than what the clone has");
	row = applied_line(u, a, row, s);
	row = sizes_line(a, row, s);
	if (s->trouble[0])
		area_printf(a, row++, 1, ROLE_WARN, "%s %s", u->glyphs->state[STATE_DEGRADED], s->trouble);
	return row;
}

static const char *command_text(const struct ui *u, char *dst, size_t cap)
{
	(void)snprintf(dst, cap, "towpath migrations show %s %s --env %s%s", u->service, u->migration, u->env,
	               u->migration_diff ? " --diff" : "");
	return dst;
}

/* Beside the text, with all that is known. */
static void draw_side(const struct model *m, const struct ui *u, struct area a,
                      const struct migration_source *s)
{
	const struct rung *r = rung_here(m, u);
	int env = setup_env(m->setup, u->env);
	char text[TEXT_LEN * 2];
	int row = paragraph(a, 0, 1, ROLE_TITLE, u->migration) + 1;
	if (r && env >= 0) {
		row = places(m, u, a, row, r) + 1;
		row = ladder_state(m, u, a, row, r, env) + 1;
	}
	row = paragraph(a, row, 1, ROLE_LINK, s->path);
	row = origin_rows(m, u, a, row + 1, s) + 1;
	row = ladder_notes(m, u, a, row, 6, true) + 1;
	(void)paragraph(a, MIN(row, a.rows - 2), 1, ROLE_LINK, command_text(u, text, sizeof text));
}

static void draw_head(const struct model *m, const struct ui *u, struct area a,
                      const struct migration_source *s)
{
	const struct rung *r = rung_here(m, u);
	const struct migration *it = r ? rung_in(r, m->ladder, MAX(0, setup_env(m->setup, u->env))) : NULL;
	char text[TEXT_LEN * 2];
	int row = 0;
	if (a.rows == 1) {
		int col = area_printf(a, 0, 1, ROLE_FOCUS, "%s", u->env) + 1;
		if (it)
			col = area_printf(a, 0, col, rung_role(rung_of(it)), "%s %s ",
			                  rung_glyph(u, rung_of(it)), rung_desc(rung_of(it))->word);
		area_text(a, 0, col + 1, ROLE_TITLE, u->migration);
		return;
	}
	area_text(a, row++, 1, ROLE_TITLE, u->migration);
	(void)places(m, u, area_part(a, row++, 0, 1, -1), 0, r);
	row = file_line(m, a, row, s);
	row = commit_line(m, a, row, "added", s->added);
	if (row < a.rows && s->applied_by != APPLIED_NOT && s->applied_by != APPLIED_SAME)
		(void)applied_line(u, a, row, s);
	else if (row < a.rows && s->trouble[0])
		area_printf(a, row, 1, ROLE_WARN, "%s %s", u->glyphs->state[STATE_DEGRADED], s->trouble);
	else if (row < a.rows && s->changed != s->added)
		(void)commit_line(m, a, row, "edited", s->changed);
	else if (row < a.rows) {
		area_text(a, row, 1, ROLE_DIM, "$");
		area_text(a, row, 3, ROLE_LINK, command_text(u, text, sizeof text));
	}
}

static bool is_wide(const struct area *a) { return a->cols >= WIDE_COLS && a->rows >= SMALL_ROWS; }

static int head_rows(int rows, int cols)
{
	return cols >= WIDE_COLS && rows >= SMALL_ROWS ? 0 : rows >= SMALL_ROWS ? HEAD_ROWS : 1;
}

static int migration_page(const struct model *m, const struct ui *u, int rows, int cols)
{
	UNUSED(m);
	UNUSED(u);
	return rows - head_rows(rows, cols) - 1;
}

static void text_title(const struct model *m, const struct ui *u, struct area a, int row,
                       const struct migration_source *s)
{
	char title[MIGRATION_PATH_LEN + 160], right[96] = "", tag[TAG_LEN];
	if (u->migration_diff && s->n_diff == 0)
		(void)snprintf(title, sizeof title, "applied in %s %s %s", u->env, u->glyphs->arrow,
		               release_text(&m->ladder_release, tag, sizeof tag));
	else if (u->migration_diff)
		(void)snprintf(title, sizeof title, "applied in %s%s%.9s%s %s %s  +%d -%d", u->env,
		               s->applied_revision[0] ? " (" : "", s->applied_revision,
		               s->applied_revision[0] ? ")" : "", u->glyphs->arrow,
		               release_text(&m->ladder_release, tag, sizeof tag), s->n_diff_added,
		               s->n_diff_removed);
	else
		(void)snprintf(title, sizeof title, "%s", is_wide(&a) ? s->path : language_name(s->language));
	if (u->text.n > u->page)
		(void)snprintf(right, sizeof right, "%d-%d of %d", u->scroll + 1,
		               MIN(u->text.n, u->scroll + u->page), u->text.n);
	pane_title(a, row, u, false, title, right);
}

/* Why there is nothing to see, and where there would be. */
static void no_difference(const struct model *m, const struct ui *u, struct area a,
                          const struct migration_source *s)
{
	const struct rung *r = rung_here(m, u);
	int row = paragraph(
	    a, 0, 1, ROLE_DIM,
	    s->applied_by == APPLIED_NOT
	        ? "nothing to compare with: it was not applied here, or its history has no other text"
	        : "no difference: nothing says that another text was applied here");
	for (int e = 0; r && e < m->setup->n_envs; e++) {
		const struct migration *it = rung_in(r, m->ladder, e);
		if (it && it->state == MIGRATION_MODIFIED && strcmp(m->setup->envs[e].name, u->env) != 0)
			area_printf(a, row++, 1, ROLE_WARN, "%s it is modified in %s: h and l go there",
			            u->glyphs->state[STATE_DRIFT], m->setup->envs[e].name);
	}
}

static void migration_draw(const struct model *m, const struct ui *u, struct area a)
{
	const struct migration_source *s = source_here(m, u);
	if (!s) {
		(void)source_waiting(m, u, a, 1);
		return;
	}
	int head = head_rows(a.rows, a.cols);
	struct area text = a;
	if (is_wide(&a)) {
		int cells = text_cells(u, a.cols);
		draw_side(m, u, area_part(a, 0, cells + 1, -1, -1), s);
		for (int i = 0; i < a.rows; i++)
			area_text(a, i, cells, ROLE_BORDER, u->glyphs->vline);
		text = area_part(a, 0, 0, -1, cells);
	} else {
		draw_head(m, u, area_part(a, 0, 0, head, -1), s);
	}
	text_title(m, u, text, head, s);
	text = area_part(text, head + 1, 0, -1, -1);
	if (u->migration_diff && s->n_diff == 0) {
		no_difference(m, u, text, s);
		return;
	}
	for (int i = 0; i < text.rows && u->scroll + i < u->text.n; i++)
		source_row(u, text, i, s, u->scroll + i);
}

extern const struct view view_migration;
const struct view view_migration = {
    .name = "migration",
    .title = "migration",
    .topics = TOPIC_MIGRATIONS | TOPIC_SETUP,
    .fill = migration_fill,
    .serial = migration_serial,
    .words = source_words,
    .page = migration_page,
    .draw = migration_draw,
};
