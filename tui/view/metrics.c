/* All metrics of the selected deployment on one time axis. */
#include "tui/widget/widget.h"

static void metrics_draw(const struct model *m, const struct ui *u, struct area a)
{
	int service = -1, env = -1;
	if (!ui_selected(u, m, &service, &env)) {
		area_text(a, 1, 1, ROLE_DIM, "no deployment selected: 1 goes to the board");
		return;
	}
	int rows = u->split && a.rows >= 16 ? a.rows * 2 / 3 : a.rows;
	metric_rows(m, u, area_part(a, 0, 0, rows, -1), service, env, true);
	if (rows < a.rows) {
		pane_title(a, rows, u, false, "logs", NULL);
		log_lines(m, u, area_part(a, rows + 1, 0, -1, -1), service, env, false, false);
	}
}

extern const struct view view_metrics;
const struct view view_metrics = {
    .name = "metrics",
    .title = "metrics",
    .topics = TOPIC_SETUP | TOPIC_METRICS | TOPIC_ROLLOUTS,
    .draw = metrics_draw,
};
