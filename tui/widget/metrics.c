/* Metric rows: name, limit, graph, newest value with its verdict. All rows share one time axis. */
#include "core/text.h"
#include "core/time.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

/* The order in which the well-known ones come; others follow by name. */
static const struct {
	const char *name, *label;
} known[] = {{"rps", "rps"},     {"errors_pct", "err"},  {"p50_ms", "p50"},
             {"p99_ms", "p99"},  {"health_ms", "probe"}, {"health_p99_ms", "probe99"},
             {"cpu_pct", "cpu"}, {"rss_mib", "mem"},     {"up", "up"}};

static enum state verdict(const struct thresholds *t, const char *name, double v)
{
	if (strcmp(name, "errors_pct") == 0 && (t->error_pct_warn > 0 || t->error_pct_fail > 0))
		return t->error_pct_fail > 0 && v >= t->error_pct_fail   ? STATE_FAILED
		       : t->error_pct_warn > 0 && v >= t->error_pct_warn ? STATE_DEGRADED
		                                                         : STATE_OK;
	if (strcmp(name, "p99_ms") == 0 && (t->p99_ms_warn > 0 || t->p99_ms_fail > 0))
		return t->p99_ms_fail > 0 && v >= t->p99_ms_fail   ? STATE_FAILED
		       : t->p99_ms_warn > 0 && v >= t->p99_ms_warn ? STATE_DEGRADED
		                                                   : STATE_OK;
	if (strcmp(name, "up") == 0)
		return v >= 0.999 ? STATE_OK : v > 0 ? STATE_DEGRADED : STATE_FAILED;
	return STATE_SKIPPED; /* has no limit */
}

static const char *label_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].label;
	return name;
}

static double limit_of(const struct thresholds *t, const char *name)
{
	if (strcmp(name, "errors_pct") == 0)
		return t->error_pct_fail;
	if (strcmp(name, "p99_ms") == 0)
		return t->p99_ms_fail;
	return strcmp(name, "up") == 0 ? 1.0 : 0.0;
}

/* "warn 500ms, fail 2.0s" in the wide label of a metric that has limits. */
static void limits_text(const struct thresholds *t, const char *name, char *dst, size_t cap)
{
	char warn[32], fail[32];
	bool errors = strcmp(name, "errors_pct") == 0;
	dst[0] = '\0';
	if (!errors && strcmp(name, "p99_ms") != 0)
		return;
	double w = errors ? t->error_pct_warn : t->p99_ms_warn,
	       f = errors ? t->error_pct_fail : t->p99_ms_fail;
	const char *unit = errors ? "%" : "ms";
	number_text(warn, sizeof warn, w, unit);
	number_text(fail, sizeof fail, f, unit);
	if (w > 0 || f > 0)
		(void)snprintf(dst, cap, "! %s  X %s", w > 0 ? warn : "-", f > 0 ? fail : "-");
}

static void metric_row(const struct model *m, const struct ui *u, struct area a, int row,
                       const struct series *s, const struct thresholds *t, int label_cells, int64_t from_us)
{
	char value[32], label[KEY_LEN];
	const struct point *last = series_last(s);
	if (!last)
		return;
	bool stale = m->now_us - last->t_us > (t->stale_us > 0 ? t->stale_us : 60 * US_PER_S);
	enum state state = stale ? STATE_UNKNOWN : verdict(t, s->name, last->v);
	text_clip(label, sizeof label, label_of(s->name), label_cells);
	int label_end = area_text(a, row, 1, ROLE_DIM, label);
	if (label_cells >= 28) {
		char limits[80];
		limits_text(t, s->name, limits, sizeof limits);
		area_textn(a, row, MAX(label_end + 1, 11), label_cells - 10, ROLE_DIM, 0, limits);
	}
	double v = last->v;
	const char *unit = s->unit;
	if (strcmp(s->name, "up") == 0) {
		v *= 100;
		unit = "%";
	}
	number_text(value, sizeof value, v, unit);
	int end = a.cols - 2;
	area_right(a, row, end, state == STATE_SKIPPED ? ROLE_TEXT : state_role(state), value);
	if (state != STATE_SKIPPED)
		area_text(a, row, end + 1, state_role(state), u->glyphs->state[state]);
	int col = 2 + label_cells;
	int cells = end - 9 - col;
	spark(a, row, col, cells, s, from_us, m->now_us, limit_of(t, s->name), u->glyphs,
	      state == STATE_FAILED || state == STATE_DEGRADED ? state_role(state) : ROLE_GRAPH);
}

/* Where rollouts began, under the graphs. */
static void marks_row(const struct model *m, const struct ui *u, struct area a, int row, int col, int cells,
                      int service, int env, int64_t from_us)
{
	const struct setup *s = m->setup;
	bool any = false;
	for (int i = 0; m->store && i < m->store->n_rollouts; i++) {
		const struct rollout *r = &m->store->rollouts[i];
		if (strcmp(r->service, s->services[service].name) != 0 ||
		    strcmp(r->env, s->envs[env].name) != 0)
			continue;
		if (r->started_us < from_us || r->started_us >= m->now_us)
			continue;
		int at = (int)((r->started_us - from_us) * cells / MAX(1, m->now_us - from_us));
		area_text(a, row, col + at, ROLE_RUN, "^");
		if (!any) {
			char tag[TAG_LEN];
			area_printf(a, row, col + at + 1, ROLE_DIM, "%s",
			            release_text(&r->to, tag, sizeof tag));
		}
		any = true;
	}
	/* Beside a log: where in time its cursor stands. */
	struct log_line line;
	const struct logbuf *b = model_deployment(m, service, env)->logs;
	if (u->screen == SCREEN_LOGS && !u->log.following && b && logbuf_get(b, u->log.cursor, &line) &&
	    line.time_us >= from_us && line.time_us < m->now_us) {
		int at = (int)((line.time_us - from_us) * cells / MAX(1, m->now_us - from_us));
		area_text(a, row, col + at, ROLE_FOCUS, "|");
		area_text(a, row, col + at + (at + 5 < cells ? 1 : -3), ROLE_FOCUS, "cur");
		any = true;
	}
	if (any)
		area_text(a, row, 1, ROLE_DIM, "marks");
	UNUSED(u);
}

static void axis_row(const struct model *m, const struct ui *u, struct area a, int row, int col, int cells,
                     int64_t from_us)
{
	char clock[32];
	if (cells < 20)
		return;
	clock_text(u, clock, sizeof clock, from_us, false);
	area_text(a, row, col, ROLE_DIM, clock);
	clock_text(u, clock, sizeof clock, m->now_us, false);
	area_right(a, row, col + cells, ROLE_DIM, clock);
	char span[32];
	time_age(span, sizeof span, m->now_us - from_us);
	area_printf(a, row, col + cells / 2 - 2, ROLE_DIM, "%s", span);
}

void metric_rows(const struct model *m, const struct ui *u, struct area a, int service, int env, bool full)
{
	const struct deployment *d = model_deployment(m, service, env);
	const struct thresholds *t = &m->setup->services[service].thresholds;
	const struct source *source = &d->sources[PORT_METRICS];
	int64_t from_us = m->now_us - u->window_us;
	int row = full ? -u->scroll : 0, shown = 0;
	if (a.rows < 1 || a.cols < 16)
		return;
	if (d->n_series == 0) {
		if (!source->configured)
			paragraph(a, 0, 1, ROLE_DIM,
			          "no metrics configured here: add metrics: to this service");
		else if (source->failing_since_us)
			paragraph(a, paragraph(a, 0, 1, ROLE_ERR, source->last->text), 1, ROLE_DIM,
			          source->last->hint);
		else
			area_text(a, 0, 1, ROLE_DIM, "no sample yet");
		return;
	}
	int label_cells = full && a.cols >= 100 ? 28 : full && a.cols >= 70 ? 16 : 7;
	int limit = full ? a.rows + u->scroll + SERIES_MAX : a.rows;
	for (size_t k = 0; k < ARRAY_LEN(known) && row < limit; k++) {
		const struct series *s = deployment_series(d, known[k].name);
		if (s && s->n > 0) {
			metric_row(m, u, a, row++, s, t, label_cells, from_us);
			shown++;
		}
	}
	for (int i = 0; i < d->n_series && row < limit; i++) {
		bool is_known = false;
		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			is_known = is_known || strcmp(known[k].name, d->series[i].name) == 0;
		if (!is_known && d->series[i].n > 0)
			metric_row(m, u, a, row++, &d->series[i], t, label_cells, from_us);
	}
	int col = 2 + label_cells, cells = a.cols - 2 - 9 - col;
	marks_row(m, u, a, row++, col, cells, service, env, from_us);
	axis_row(m, u, a, row++, col, cells, from_us);
	if (row < a.rows) {
		char age[16];
		age_text(age, sizeof age, m->now_us, source->ok_us);
		area_printf(a, row, 1, source->failing_since_us ? ROLE_ERR : ROLE_DIM,
		            "source %s, newest %s ago%s%s", source->failing_since_us ? "failing" : "ok", age,
		            source->failing_since_us ? ": " : "",
		            source->failing_since_us ? source->last->text : "");
	}
	UNUSED(shown);
}
