/* Lines of a log: time, level letter, source, text. Gaps are lines of their own. */
#include "core/text.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

enum { LOG_TEXT = 4096 };

/* Underlines what the filter's plain literal found. */
static void mark_match(struct area a, int row, int col, const char *text, const struct filter *f)
{
	bool ignore_case = false;
	const char *needle = f ? filter_literal(f, &ignore_case) : "";
	size_t n = strlen(needle);
	if (n == 0 || !text_is_clean(needle, n))
		return;
	for (const char *at = text; *at; at++) {
		size_t i = 0;
		while (i < n && (at[i] == needle[i] ||
		                 (ignore_case && (at[i] | 32) == (needle[i] | 32) && at[i] > 64)))
			i++;
		if (i < n)
			continue;
		char before[LOG_TEXT];
		size_t upto = MIN((size_t)(at - text), sizeof before - 1);
		memcpy(before, text, upto);
		before[upto] = '\0';
		area_paint(a, row, col + text_width(before), text_width(needle), ROLE_MATCH, ATTR_UNDERLINE);
		return;
	}
}

static const char *source_name(const struct deployment *d, const struct log_line *l)
{
	const char *name = l->source < INSTANCES_MAX ? d->log_sources[l->source] : NULL;
	return name ? name : "";
}

/* One line at row; returns the rows it took. */
static int log_row(const struct ui *u, struct area a, int row, const struct deployment *d, uint64_t seq,
                   bool at_cursor, int name_cells, const struct filter *filter)
{
	struct log_line l;
	char text[LOG_TEXT], clock[32];
	if (!logbuf_get(d->logs, seq, &l))
		return 0;
	if (at_cursor)
		area_text(a, row, 0, ROLE_FOCUS, u->glyphs->cursor);
	if (l.is_gap) {
		log_line_text(&l, text, sizeof text);
		int end = area_printf(a, row, 1, ROLE_WARN, "-- gap: %s ", text);
		area_repeat(a, row, end, a.cols - end, ROLE_WARN, "-");
		return 1;
	}
	if (ui_log_marked(u, seq))
		area_text(a, row, 0, ROLE_FOCUS, at_cursor ? u->glyphs->cursor : "*");
	clock_text(u, clock, sizeof clock, l.time_us, a.cols >= 60);
	enum role role = level_role(l.level);
	int col = area_text(a, row, 1, ROLE_DIM, clock) + 1;
	char letter[2] = {l.level == LOG_NONE ? '?' : log_level_letter(l.level), '\0'};
	col = area_text(a, row, col, role, letter) + 1;
	if (name_cells > 0) {
		char name[NAME_LEN];
		text_clip(name, sizeof name, source_name(d, &l), name_cells);
		area_text(a, row, col, ROLE_DIM, name);
		col += name_cells + 1;
	}
	log_line_text(&l, text, sizeof text);
	if (l.lost_bytes) {
		size_t n = strlen(text);
		(void)snprintf(text + MIN(n, sizeof text - 32), 32, " ...+%zu B", l.lost_bytes);
	}
	if (!u->log.wrap || u->screen != SCREEN_LOGS) {
		int end = area_text(a, row, col, role, text);
		if (end >= a.cols && text_width(text) > a.cols - col)
			area_text(a, row, a.cols - 1, ROLE_DIM, "~");
		mark_match(a, row, col, text, filter);
		if (at_cursor && a.cols > 0)
			area_paint(a, row, 1, a.cols - 1, -1, ATTR_BOLD);
		return 1;
	}
	return MAX(1, paragraph(a, row, col, role, text) - row);
}

/* Rows that a line takes, for wrapping from the bottom up. */
static int log_height(const struct ui *u, const struct deployment *d, uint64_t seq, struct area a,
                      int name_cells)
{
	struct area none = a;
	none.rows = 0;
	return log_row(u, none, 0, d, seq, false, name_cells, NULL);
}

static int names_width(const struct deployment *d)
{
	int width = 0;
	for (int i = 0; i < INSTANCES_MAX; i++)
		if (d->log_sources[i])
			width = MAX(width, text_width(d->log_sources[i]));
	return MIN(width, 12);
}

static void log_empty(const struct model *m, const struct ui *u, struct area a, const struct deployment *d,
                      bool full)
{
	char text[TEXT_LEN * 2];
	const struct source *s = &d->sources[PORT_LOGS];
	if (!s->configured)
		paragraph(a, 0, 1, ROLE_DIM,
		          "no logs configured here: add logs: to this service in the file");
	else if (s->failing_since_us) {
		(void)snprintf(text, sizeof text, "logs cannot be read: %s", s->last->text);
		paragraph(a, paragraph(a, 0, 1, ROLE_ERR, text), 1, ROLE_DIM, s->last->hint);
	} else if (!d->logs)
		area_text(a, 0, 1, ROLE_DIM, "opening the logs");
	else if (u->lists[SCREEN_LOGS].filter)
		(void)area_printf(a, 0, 1, ROLE_DIM, "the filter \"%s\" hides all %llu lines; %s clears it",
		                  u->lists[SCREEN_LOGS].filter_text,
		                  (unsigned long long)(logbuf_end(d->logs) - logbuf_first(d->logs)),
		                  full ? "Esc" : "L Esc");
	else
		area_text(a, 0, 1, ROLE_DIM, "no line yet");
	UNUSED(m);
}

void log_lines(const struct model *m, const struct ui *u, struct area a, int service, int env, bool focused,
               bool full)
{
	const struct deployment *d = model_deployment(m, service, env);
	const struct logbuf *b = d->logs;
	size_t n = b ? ui_log_count(u, b) : 0;
	if (a.rows < 1 || a.cols < 4)
		return;
	if (n == 0) {
		log_empty(m, u, a, d, full);
		return;
	}
	int name_cells = a.cols >= 50 ? names_width(d) : 0;
	const struct filter *filter = u->lists[SCREEN_LOGS].filter;
	/* The last line shown: the newest, or what keeps the cursor in view. */
	size_t last = n - 1;
	size_t cursor = n - 1;
	if (!u->log.following) {
		cursor = MIN(ui_log_index(u, b, u->log.cursor), n - 1);
		size_t half = (size_t)(a.rows / 2);
		last = MIN(cursor + half, n - 1);
	}
	int left = a.rows;
	size_t first = last;
	for (size_t i = last;; i--) {
		int height = log_height(u, d, ui_log_at(u, b, i), a, name_cells);
		if (height > left)
			break;
		left -= height;
		first = i;
		if (i == 0 || left == 0)
			break;
	}
	int row = 0;
	for (size_t i = first; i < n && row < a.rows; i++)
		row += log_row(u, a, row, d, ui_log_at(u, b, i), focused && i == cursor, name_cells, filter);
}
