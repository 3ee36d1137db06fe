/* The log of the selected deployment, full screen, or beside its metrics on one time axis. */
#include "tui/widget/widget.h"

#include <stdio.h>

enum { SPLIT_COLS = 76, METRICS_ROWS = 12 };

static void logs_status(const struct model *m, const struct ui *u, struct area a, int row,
                        const struct deployment *d)
{
	UNUSED(m);
	if (!d->logs)
		return;
	const struct list *l = &u->lists[SCREEN_LOGS];
	uint64_t kept = logbuf_end(d->logs) - logbuf_first(d->logs);
	int col = area_text(a, row, 1, u->log.following ? ROLE_RUN : ROLE_WARN,
	                    u->log.following ? "following" : "paused");
	if (l->filter)
		col = area_printf(a, row, col + 2, ROLE_TEXT, "%zu of %llu lines%s", ui_log_count(u, d->logs),
		                  (unsigned long long)kept, u->log.scan_left ? ", searching" : "");
	else
		col = area_printf(a, row, col + 2, ROLE_TEXT, "%llu lines", (unsigned long long)kept);
	col = area_printf(a, row, col + 2, ROLE_DIM, "ring %d%% of %d MB",
	                  (int)(logbuf_bytes(d->logs) * 100 / LOG_RING_MAX), LOG_RING_MAX >> 20);
	if (logbuf_dropped(d->logs) > 0)
		col = area_printf(a, row, col + 2, ROLE_WARN, "%llu oldest left the ring",
		                  (unsigned long long)logbuf_dropped(d->logs));
	if (u->log.n_marks > 0)
		col = area_printf(a, row, col + 2, ROLE_FOCUS, "%d marked", u->log.n_marks);
	if (u->log.wrap)
		area_text(a, row, col + 2, ROLE_DIM, "wrap");
}

static void logs_draw(const struct model *m, const struct ui *u, struct area a)
{
	int service = -1, env = -1;
	if (!ui_selected(u, m, &service, &env)) {
		area_text(a, 1, 1, ROLE_DIM, "no deployment selected: 1 goes to the board");
		return;
	}
	const struct deployment *d = model_deployment(m, service, env);
	struct area logs = area_part(a, 0, 0, a.rows - 1, -1);
	if (u->split && a.cols >= SPLIT_COLS) {
		int right = MAX(30, a.cols * 2 / 5);
		struct area metrics = area_part(a, 0, a.cols - right, a.rows - 1, -1);
		logs = area_part(a, 0, 0, a.rows - 1, a.cols - right - 1);
		for (int i = 0; i < a.rows - 1; i++)
			area_text(a, i, a.cols - right - 1, ROLE_BORDER, u->glyphs->vline);
		metric_rows(m, u, metrics, service, env, false);
	} else if (u->split && a.rows >= 12) {
		int rows = MIN(METRICS_ROWS, a.rows / 2);
		logs = area_part(a, 0, 0, a.rows - 1 - rows, -1);
		pane_title(a, logs.rows, u, false, "metrics", NULL);
		metric_rows(m, u, area_part(a, logs.rows + 1, 0, rows - 1, -1), service, env, false);
	}
	log_lines(m, u, logs, service, env, true, true);
	logs_status(m, u, a, a.rows - 1, d);
}

static int logs_page(const struct model *m, const struct ui *u, int rows, int cols)
{
	UNUSED(m);
	return u->split && cols < SPLIT_COLS && rows >= 12 ? rows - 1 - MIN(METRICS_ROWS, rows / 2)
	                                                   : rows - 1;
}

extern const struct view view_logs;
const struct view view_logs = {
    .name = "logs",
    .title = "logs",
    .topics = TOPIC_SETUP | TOPIC_LOGS | TOPIC_METRICS,
    .page = logs_page,
    .draw = logs_draw,
};
