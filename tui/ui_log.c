/* The log in view: which lines pass the filter, found a few thousand a turn, the newest first. */
#include "tui/ui_private.h"

#include <stdlib.h>
#include <string.h>

const struct logbuf *ui_logbuf(const struct ui *u, const struct model *m)
{
	int service = -1, env = -1;
	if (!ui_selected(u, m, &service, &env))
		return NULL;
	return model_deployment(m, service, env)->logs;
}

size_t ui_log_count(const struct ui *u, const struct logbuf *b)
{
	if (!u->lists[SCREEN_LOGS].filter)
		return (size_t)(logbuf_end(b) - logbuf_first(b));
	return u->log.n_older + u->log.n_newer - u->log.skip_newer;
}

uint64_t ui_log_at(const struct ui *u, const struct logbuf *b, size_t i)
{
	const struct log_view *v = &u->log;
	if (!u->lists[SCREEN_LOGS].filter)
		return logbuf_first(b) + i;
	if (i < v->n_older)
		return v->older[v->n_older - 1 - i];
	i = i - v->n_older + v->skip_newer;
	return i < v->n_newer ? v->newer[i] : v->hi;
}

size_t ui_log_index(const struct ui *u, const struct logbuf *b, uint64_t seq)
{
	size_t lo = 0, hi = ui_log_count(u, b);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (ui_log_at(u, b, mid) < seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool ui_log_marked(const struct ui *u, uint64_t seq)
{
	for (int i = 0; i < u->log.n_marks; i++)
		if (u->log.marks[i] == seq)
			return true;
	return false;
}

void ui_log_reset(struct ui *u)
{
	u->log.n_older = u->log.n_newer = u->log.skip_newer = 0;
	u->log.lo = u->log.hi = UINT64_MAX;
	u->log.following = true;
}

struct line_row {
	const struct log_line *line;
	const struct deployment *deployment;
};

static const char *line_text(const void *row, size_t *ret_n)
{
	const struct line_row *r = row;
	*ret_n = r->line->n;
	return r->line->bytes;
}

static const char *line_field(const void *row, const char *key, char *buf, size_t cap)
{
	const struct line_row *r = row;
	if (strcmp(key, "level") == 0)
		return r->line->level == LOG_NONE ? NULL : log_level_name(r->line->level);
	if (strcmp(key, "source") == 0 || strcmp(key, "instance") == 0 || strcmp(key, "pod") == 0)
		return r->line->source < INSTANCES_MAX ? r->deployment->log_sources[r->line->source] : NULL;
	return log_line_field(r->line, key, buf, cap) ? buf : NULL;
}

static bool passes(const struct ui *u, const struct model *m, const struct deployment *d, uint64_t seq)
{
	struct log_line line;
	if (!logbuf_get(d->logs, seq, &line))
		return false;
	if (line.is_gap)
		return true; /* a hole is never hidden */
	struct line_row row = {&line, d};
	struct filter_row f = {.row = &row,
	                       .now_us = m->now_us,
	                       .time_us = line.time_us,
	                       .text = line_text,
	                       .field = line_field};
	return filter_passes(u->lists[SCREEN_LOGS].filter, &f);
}

static bool push(uint64_t **items, size_t *n, size_t *cap, uint64_t seq)
{
	if (*n >= UI_HITS_MAX)
		return false;
	if (*n == *cap) {
		size_t grown = *cap ? *cap * 2 : 256;
		uint64_t *p = realloc(*items, grown * sizeof *p);
		if (!p)
			return false;
		*items = p;
		*cap = grown;
	}
	(*items)[(*n)++] = seq;
	return true;
}

static void forget_dropped(struct log_view *v, uint64_t first)
{
	while (v->n_older > 0 && v->older[v->n_older - 1] < first)
		v->n_older--;
	while (v->skip_newer < v->n_newer && v->newer[v->skip_newer] < first)
		v->skip_newer++;
	if (v->skip_newer > v->n_newer / 2 && v->skip_newer > 4096) {
		memmove(v->newer, v->newer + v->skip_newer, (v->n_newer - v->skip_newer) * sizeof *v->newer);
		v->n_newer -= v->skip_newer;
		v->skip_newer = 0;
	}
}

static void scan(struct ui *u, const struct model *m, const struct deployment *d)
{
	struct log_view *v = &u->log;
	uint64_t first = logbuf_first(d->logs), end = logbuf_end(d->logs);
	if (v->lo == UINT64_MAX || v->hi > end)
		v->lo = v->hi = end;
	v->hi = MAX(v->hi, first);
	v->lo = MAX(v->lo, first);
	forget_dropped(v, first);
	int budget = UI_SCAN_LINES;
	for (; v->hi < end && budget > 0; v->hi++, budget--)
		if (passes(u, m, d, v->hi) && !push(&v->newer, &v->n_newer, &v->cap_newer, v->hi))
			break;
	for (; v->lo > first && budget > 0; v->lo--, budget--)
		if (passes(u, m, d, v->lo - 1) && !push(&v->older, &v->n_older, &v->cap_older, v->lo - 1))
			break;
	v->scan_left = budget == 0 && (v->hi < end || v->lo > first);
}

void ui_log_settle(struct ui *u, const struct model *m)
{
	int service = -1, env = -1;
	u->log.scan_left = false;
	if (!ui_selected(u, m, &service, &env))
		return;
	if (strcmp(u->log.service, u->service) != 0 || strcmp(u->log.env, u->env) != 0) {
		str_copy(u->log.service, sizeof u->log.service, u->service);
		str_copy(u->log.env, sizeof u->log.env, u->env);
		u->log.n_marks = 0;
		ui_log_reset(u);
		ui_effect_add(u, m, DO_FOLLOW);
	}
	const struct deployment *d = model_deployment(m, service, env);
	if (!d->logs)
		return;
	if (u->lists[SCREEN_LOGS].filter)
		scan(u, m, d);
	size_t n = ui_log_count(u, d->logs);
	if (u->log.following && n > 0)
		u->log.cursor = ui_log_at(u, d->logs, n - 1);
	if (u->log.cursor < logbuf_first(d->logs))
		u->log.cursor = logbuf_first(d->logs);
}

void ui_log_move(struct ui *u, const struct model *m, int64_t delta)
{
	const struct logbuf *b = ui_logbuf(u, m);
	size_t n = b ? ui_log_count(u, b) : 0;
	if (n == 0)
		return;
	int64_t at =
	    u->log.following ? (int64_t)n - 1 : (int64_t)MIN(ui_log_index(u, b, u->log.cursor), n - 1);
	int64_t to = delta < 0 ? MAX(0, at + MAX(delta, -(int64_t)n))
	                       : MIN((int64_t)n - 1, at + MIN(delta, (int64_t)n));
	u->log.cursor = ui_log_at(u, b, (size_t)to);
	u->log.following = to == (int64_t)n - 1 && delta > 0;
}

void ui_log_mark(struct ui *u)
{
	struct log_view *v = &u->log;
	for (int i = 0; i < v->n_marks; i++) {
		if (v->marks[i] == v->cursor) {
			v->marks[i] = v->marks[--v->n_marks];
			return;
		}
	}
	if (v->n_marks < UI_MARKS_MAX)
		v->marks[v->n_marks++] = v->cursor;
	else
		ui_notice(u, MESSAGE_WARN, "no more than %d marks; u clears them", UI_MARKS_MAX);
}

/* With a filter every line in view is a match: the next one. Without: the next warning or worse. */
void ui_log_match(struct ui *u, const struct model *m, int direction)
{
	const struct logbuf *b = ui_logbuf(u, m);
	size_t n = b ? ui_log_count(u, b) : 0;
	if (n == 0)
		return;
	if (u->lists[SCREEN_LOGS].filter) {
		ui_log_move(u, m, direction);
		return;
	}
	int64_t at =
	    u->log.following ? (int64_t)n - 1 : (int64_t)MIN(ui_log_index(u, b, u->log.cursor), n - 1);
	for (int steps = 0; steps < 200000; steps++) {
		struct log_line line;
		at += direction;
		if (at < 0 || at >= (int64_t)n)
			break;
		if (logbuf_get(b, ui_log_at(u, b, (size_t)at), &line) && line.level >= LOG_WARN) {
			u->log.cursor = ui_log_at(u, b, (size_t)at);
			u->log.following = false;
			return;
		}
	}
	ui_notice(u, MESSAGE_INFO, "no further line with level warn or above");
}
