/* The board: services by environments, the selected deployment below, its logs and metrics beside or under it. */
#include "core/past.h"
#include "core/standing.h"
#include "core/text.h"
#include "core/time.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

enum { CELL_MIN = 15, WIDE_COLS = 132, DETAIL_MAX = 10 };

static const int state_rank[STATE_COUNT] = {
    [STATE_FAILED] = 9, [STATE_DEGRADED] = 8, [STATE_PROGRESS] = 7,
    [STATE_DRIFT] = 6,  [STATE_UNKNOWN] = 5,  [STATE_HELD] = 4,
    [STATE_FROZEN] = 3, [STATE_OK] = 2,       [STATE_NOT_STARTED] = 1};

/* The state of a service is the worst of its deployments. */
static enum state service_state(const struct model *m, int service)
{
	enum state worst = STATE_NOT_STARTED;
	for (int e = 0; e < m->setup->n_envs; e++) {
		if (!setup_deployment(m->setup, service, e)->present)
			continue;
		enum state s = board_state(m, service, e);
		if (state_rank[s] > state_rank[worst])
			worst = s;
	}
	return worst;
}

static bool comes_before(const struct model *m, int sort, const struct row *x, const struct row *y)
{
	if (sort == 1)
		return x->b > y->b;
	const char *a = m->setup->services[x->a].owner, *b = m->setup->services[y->a].owner;
	return strcmp(a ? a : "", b ? b : "") < 0;
}

/* Orders: as in the file, worst first, by owner. Stable: equal rows stay as they are in the file. */
static int board_rows(const struct model *m, const struct ui *u, struct row *ret, int cap)
{
	int n = 0, sort = u->lists[SCREEN_BOARD].sort;
	for (int i = 0; m->setup && i < m->setup->n_services && n < cap; i++) {
		struct row row = {.a = i, .b = state_rank[service_state(m, i)]};
		str_copy(row.id, sizeof row.id, m->setup->services[i].name);
		int at = n++;
		for (; sort && at > 0 && comes_before(m, sort, &row, &ret[at - 1]); at--)
			ret[at] = ret[at - 1];
		ret[at] = row;
	}
	return n;
}

static const char *board_text(const struct model *m, const struct row *r, char *dst, size_t cap)
{
	(void)snprintf(dst, cap, "%s %s", m->setup->services[r->a].name,
	               m->setup->services[r->a].owner ? m->setup->services[r->a].owner : "");
	return dst;
}

static const char *board_field(const struct model *m, const struct row *r, const char *key, char *dst,
                               size_t cap)
{
	const struct service_conf *s = &m->setup->services[r->a];
	if (strcmp(key, "service") == 0 || strcmp(key, "name") == 0)
		return s->name;
	if (strcmp(key, "owner") == 0 || strcmp(key, "team") == 0)
		return s->owner ? s->owner : "";
	if (strcmp(key, "state") == 0)
		return state_name(service_state(m, r->a));
	UNUSED(dst);
	UNUSED(cap);
	return NULL;
}

/* How the rows of a board of this size are used. */
struct plan_of_rows {
	int list, detail, logs;
	bool wide;
};

/* Rows that the detail has to say just now, at most DETAIL_MAX. */
static int detail_rows(const struct model *m, const struct ui *u, int cols)
{
	struct area none = {.cols = cols};
	int service = -1, env = -1;
	if (!ui_selected(u, m, &service, &env))
		return DETAIL_MAX;
	return MIN(DETAIL_MAX, deployment_detail(m, u, none, 0, service, env));
}

static struct plan_of_rows split(const struct model *m, const struct ui *u, int rows, int cols)
{
	struct plan_of_rows p = {.wide = cols >= WIDE_COLS && rows >= 24};
	int services = MAX(1, u->n_rows ? u->n_rows : m->setup ? m->setup->n_services : 1);
	int left = rows - 1; /* column heads */
	if (rows < 10) {
		p.list = MAX(1, left);
		return p;
	}
	if (p.wide) {
		p.list = MIN(services, MAX(4, left / 2));
		p.detail = left - p.list - 1;
		return p;
	}
	p.list = MIN(services, MAX(3, (left - 7) / 2));
	left -= p.list;
	p.detail = MIN(detail_rows(m, u, cols), left - 1);
	left -= p.detail + 1;
	p.logs = left >= 3 ? left - 1 : 0;
	if (!p.logs)
		p.list += MAX(0, left);
	return p;
}

enum { PAST_ROWS = 6 }; /* banner, and what is known of the selected place */

static int board_page(const struct model *m, const struct ui *u, int rows, int cols)
{
	if (u->past_us)
		return MAX(1, rows - 1 - PAST_ROWS);
	return split(m, u, rows, cols).list;
}

static enum role cell_role(enum state s)
{
	return s == STATE_OK || s == STATE_NOT_STARTED ? ROLE_TEXT : state_role(s);
}

/* Requests and latency in a cell with room: the numbers first, the graph in what is left. */
static void cell_metrics(const struct model *m, const struct ui *u, struct area a, int row, int col, int end,
                         const struct deployment *d)
{
	static const struct {
		const char *name, *label;
	} shown[] = {{"rps", "rps"}, {"p99_ms", "p99"}};
	for (size_t i = 0; i < ARRAY_LEN(shown) && end - col >= 24; i++) {
		const struct series *s = deployment_series(d, shown[i].name);
		const struct point *p = s ? series_last(s) : NULL;
		char value[32];
		if (!p)
			continue;
		number_text(value, sizeof value, p->v, strcmp(shown[i].name, "rps") == 0 ? "" : s->unit);
		area_printf(a, row, col + 1, ROLE_DIM, "%s", shown[i].label);
		area_printf(a, row, col + 5, ROLE_TEXT, "%s", value);
		col += 11;
	}
	if (end - col >= 6)
		spark(a, row, col + 1, MIN(end - col - 1, 24), deployment_series(d, "rps"),
		      m->now_us - u->window_us, m->now_us, 0, u->glyphs, ROLE_GRAPH);
}

/* The moment is there, not another one that was asked for before. */
static bool past_is_read(const struct model *m, const struct ui *u)
{
	return m->past && m->past_us == u->past_us;
}

static void draw_past_cell(const struct model *m, const struct ui *u, struct area a, int row, int col,
                           int cells, int service, int env, bool selected)
{
	const char *sn = m->setup->services[service].name, *en = m->setup->envs[env].name;
	if (selected)
		area_text(a, row, col, ROLE_FOCUS, u->glyphs->cursor);
	if (!past_is_read(m, u)) {
		area_text(a, row, col + 1, ROLE_DIM,
		          setup_deployment(m->setup, service, env)->present ? ".." : "-");
		return;
	}
	const struct deploy_row *d = past_deploy(m->past, sn, en, u->past_us);
	const struct past_rollout *live = past_live(m->past, sn, en, u->past_us);
	enum state s = live ? STATE_PROGRESS : !d ? STATE_UNKNOWN : d->good ? STATE_OK : STATE_NOT_STARTED;
	char tag[TAG_LEN] = "", to[TAG_LEN] = "", text[TAG_LEN * 2 + 8], clipped[TAG_LEN * 2 + 8];
	area_text(a, row, col + 1, state_role(s), u->glyphs->state[s]);
	if (d)
		release_text(&d->release, tag, sizeof tag);
	if (live)
		(void)snprintf(text, sizeof text, "%s%s%s", tag, u->glyphs->arrow,
		               release_text(&live->to, to, sizeof to));
	else
		str_copy(text, sizeof text, tag);
	text_clip(clipped, sizeof clipped, text, MAX(0, cells - 4));
	area_text(a, row, col + 3, live ? ROLE_RUN : ROLE_TEXT, clipped);
	if (selected)
		area_paint(a, row, col, cells - 1, ROLE_TEXT, ATTR_REVERSE);
}

static void draw_cell(const struct model *m, const struct ui *u, struct area a, int row, int col, int cells,
                      int service, int env, bool selected)
{
	if (u->past_us && setup_deployment(m->setup, service, env)->present) {
		draw_past_cell(m, u, a, row, col, cells, service, env, selected);
		return;
	}
	const struct deployment *d = model_deployment(m, service, env);
	if (!setup_deployment(m->setup, service, env)->present) {
		area_text(a, row, col + 1, ROLE_DIM, "-");
		return;
	}
	enum state s = board_state(m, service, env);
	const struct rollout *r = model_live_rollout(m, service, env);
	const struct source *source = &d->sources[PORT_DEPLOY];
	char tag[TAG_LEN] = "", note[64] = "", badge[24] = "";
	int end = col + cells - 1;
	bool note_is_age = false;
	if (selected)
		area_text(a, row, col, ROLE_FOCUS, u->glyphs->cursor);
	area_text(a, row, col + 1, state_role(s), u->glyphs->state[s]);
	if (d->deployed)
		release_text(&d->deployed->release, tag, sizeof tag);
	struct migration_badge mb = board_migrations(m, service, env);
	if (d->sources[PORT_MIGRATE].configured) {
		if (mb.n_pending > 0 && mb.state != STATE_FAILED)
			(void)snprintf(badge, sizeof badge, "%u>", (unsigned)mb.n_pending % 10000u);
		else
			str_copy(badge, sizeof badge,
			         mb.state == STATE_OK ? "=" : u->glyphs->state[mb.state]);
	}
	if (r && r->state == ROLLOUT_QUEUED) {
		str_copy(note, sizeof note, "queued");
	} else if (r) {
		int done = 0, all = 0;
		rollout_progress(r, &done, &all);
		(void)snprintf(note, sizeof note, "%u/%u", (unsigned)done % 10000u, (unsigned)all % 10000u);
	} else if (s == STATE_UNKNOWN || source_is_stale(m, source)) {
		age_text(note, sizeof note, m->now_us, source->ok_us);
	} else if (s == STATE_HELD) {
		str_copy(note, sizeof note, "held");
	} else if (d->deployed && d->deployed->since_us > 0) {
		age_text(note, sizeof note, m->now_us, d->deployed->since_us);
		note_is_age = true;
	}
	if (badge[0])
		end = area_right(a, row, end, mb.state == STATE_OK ? ROLE_DIM : state_role(mb.state), badge) -
		      1;
	enum role who_role = ROLE_WHO;
	const char *who =
	    presence_mark(m, m->setup->services[service].name, m->setup->envs[env].name, &who_role);
	if (who[0])
		end = area_right(a, row, end, who_role, who) - 1;
	struct place_mark marks[PLACE_MARKS];
	int n_marks = place_marks(m, u, service, env, marks);
	int room = end - (col + 3);
	int note_cells = note[0] ? text_width(note) + 1 : 0;
	/* How old a release is matters less than what is about to happen to it. */
	int left_cells = room - text_width(tag);
	bool crowds = n_marks > 0 && note_is_age &&
	              left_cells > text_width(marks[0].texts[PLACE_MARK_TEXTS - 1]) &&
	              left_cells - note_cells <= text_width(marks[0].texts[1]);
	if (note_cells > room - 4 || crowds)
		note_cells = 0;
	char clipped[TAG_LEN];
	text_clip(clipped, sizeof clipped, tag, MAX(0, room - note_cells));
	int at = area_text(a, row, col + 3, cell_role(s), clipped);
	if (note_cells)
		at = area_text(a, row, at + 1, r ? ROLE_RUN : ROLE_DIM, note);
	at = place_marks_draw(a, row, at, end, marks, n_marks);
	if (note_cells || n_marks > 0) {
		int left = end - at - 2;
		if (r && r->state != ROLLOUT_QUEUED && left >= 8) {
			int done = 0, all = 0;
			rollout_progress(r, &done, &all);
			bar(a, row, at + 1, MIN(left, 12), all ? (double)done / all : 0, u->glyphs, ROLE_RUN);
		} else if (left >= 8 && !u->plain_columns) {
			cell_metrics(m, u, a, row, at + 1, end - 1, d);
		}
	}
	if (selected)
		area_paint(a, row, col, cells - 1, ROLE_TEXT, ATTR_REVERSE);
}

/* How many environments fit, and the first of the page with the selected one. */
struct envs_shown {
	int first, n, cells, pages, page;
};

static struct envs_shown envs_shown(const struct model *m, int width, int selected)
{
	struct envs_shown v = {.n = m->setup->n_envs};
	int fit = MAX(1, width / CELL_MIN);
	if (v.n > fit) {
		v.pages = (v.n + fit - 1) / fit;
		v.page = selected / fit;
		v.first = v.page * fit;
		v.n = MIN(fit, m->setup->n_envs - v.first);
		v.cells = width / fit;
	} else {
		v.pages = 1;
		v.cells = v.n ? MIN(width / v.n, 60) : width;
	}
	return v;
}

static const char *mark_of_bad(const struct model *m, int service, int env, const char *digest)
{
	return m->store && bad_standing((struct decisions){m->store->decisions, m->store->n_decisions},
	                                m->setup->services[service].name, m->setup->envs[env].name, digest)
	           ? "BAD "
	           : "";
}

static void draw_list(const struct model *m, const struct ui *u, struct area a)
{
	int name_cells = 7, service = -1, env = 0, owner_cells = 0, next_cells = 0;
	(void)ui_selected(u, m, &service, &env);
	for (int i = 0; i < m->setup->n_services; i++) {
		name_cells = MAX(name_cells, text_width(m->setup->services[i].name));
		if (m->setup->services[i].owner)
			owner_cells = MAX(owner_cells, text_width(m->setup->services[i].owner));
	}
	name_cells = MIN(name_cells, a.cols < 80 ? 12 : 20);
	owner_cells = a.cols >= 110 && owner_cells && !u->plain_columns ? CLAMP(owner_cells, 5, 12) + 1 : 0;
	next_cells = a.cols >= WIDE_COLS && !u->plain_columns && !u->past_us ? 18 : 0;
	int left = 4 + name_cells + owner_cells;
	struct envs_shown v = envs_shown(m, a.cols - left - next_cells, env);
	area_text(a, 0, 3, ROLE_TITLE, "SERVICE");
	if (owner_cells)
		area_text(a, 0, 4 + name_cells, ROLE_TITLE, "OWNER");
	for (int i = 0; i < v.n; i++) {
		const struct env_conf *e = &m->setup->envs[v.first + i];
		int col = left + i * v.cells;
		area_textn(a, 0, col + 1, v.cells - 2, e->production ? ROLE_PROD : ROLE_TITLE, 0, e->name);
	}
	if (v.pages > 1) {
		char text[32];
		(void)snprintf(text, sizeof text, "<%d/%d>", v.page + 1, v.pages);
		area_right(a, 0, a.cols, ROLE_DIM, text);
	}
	if (next_cells)
		area_text(a, 0, a.cols - next_cells + 1, ROLE_TITLE, "NEXT");
	const struct list *l = &u->lists[SCREEN_BOARD];
	for (int i = 0; i + 1 < a.rows && l->top + i < u->n_rows; i++) {
		const struct row *r = &u->rows_now[l->top + i];
		bool at_cursor = l->top + i == l->at;
		int row = i + 1;
		row_start(a, row, u, at_cursor, ui_marked(u, r->id),
		          u->past_us ? -1 : (int)service_state(m, r->a));
		area_textn(a, row, 3, name_cells, at_cursor ? ROLE_FOCUS : ROLE_TEXT, 0, r->id);
		if (owner_cells && m->setup->services[r->a].owner)
			area_textn(a, row, 4 + name_cells, owner_cells - 1, ROLE_DIM, 0,
			           m->setup->services[r->a].owner);
		for (int k = 0; k < v.n; k++)
			draw_cell(m, u, a, row, left + k * v.cells, v.cells, r->a, v.first + k,
			          at_cursor && v.first + k == env && u->pane == 0);
		/* What could be promoted next into the selected environment. */
		int from = next_cells ? setup_previous_env(m->setup, r->a, env) : -1;
		if (from >= 0) {
			const struct deployed *src = model_deployment(m, r->a, from)->deployed;
			const struct deployed *dst = model_deployment(m, r->a, env)->deployed;
			char tag[TAG_LEN];
			const char *bad = src ? mark_of_bad(m, r->a, env, src->release.digest) : "";
			if (src && (!dst || strcmp(src->release.digest, dst->release.digest) != 0))
				area_printf(a, row, a.cols - next_cells + 1, bad[0] ? ROLE_ERR : ROLE_TEXT,
				            "%s%s %s %s", bad, release_text(&src->release, tag, sizeof tag),
				            u->glyphs->arrow, m->setup->envs[env].short_name);
			else
				area_text(a, row, a.cols - next_cells + 1, ROLE_DIM,
				          src && dst ? "same" : "?");
		}
	}
}

static void detail_title(const struct model *m, const struct ui *u, struct area a, int row, int service,
                         int env, const char *what, bool focused)
{
	char title[NAME_LEN * 3 + 8];
	(void)snprintf(title, sizeof title, "%s%s / %s%s", what, m->setup->services[service].name,
	               m->setup->envs[env].name,
	               m->setup->envs[env].production && !what[0] ? "  PRODUCTION" : "");
	pane_title(a, row, u, focused, title, NULL);
}

static void log_title(const struct model *m, const struct ui *u, struct area a, int row, int service, int env)
{
	char title[NAME_LEN * 3], right[64] = "";
	const struct deployment *d = model_deployment(m, service, env);
	if (d->logs)
		(void)snprintf(
		    right, sizeof right, "%s%llu lines%s", u->lists[SCREEN_LOGS].filter ? "filtered, " : "",
		    (unsigned long long)logbuf_lines_total(d->logs), u->log.following ? "" : ", paused");
	(void)snprintf(title, sizeof title, "logs %s / %s", m->setup->services[service].name,
	               m->setup->envs[env].name);
	pane_title(a, row, u, u->pane == 1, title, right);
}

static void draw_wide(const struct model *m, const struct ui *u, struct area a, int service, int env)
{
	const struct rollout *r = model_live_rollout(m, service, env);
	int third = a.cols / 3;
	struct area left = area_part(a, 0, 0, -1, third), mid = area_part(a, 0, third + 1, -1, third - 1),
	            right = area_part(a, 0, 2 * third + 1, -1, -1);
	if (r) {
		char title[ID_LEN + NAME_LEN * 3];
		(void)snprintf(title, sizeof title, "rollout %s  %s > %s", r->id, r->service, r->env);
		pane_title(left, 0, u, u->pane == 0, title, NULL);
		rollout_steps(m, u, area_part(left, 1, 0, r->n_steps, -1), r);
		deployment_detail(m, u, left, r->n_steps + 2, service, env);
	} else {
		detail_title(m, u, left, 0, service, env, "", u->pane == 0);
		(void)deployment_full(m, u, left, 1, service, env);
	}
	log_title(m, u, mid, 0, service, env);
	log_lines(m, u, area_part(mid, 1, 0, -1, -1), service, env, u->pane == 1, false);
	detail_title(m, u, right, 0, service, env, "metrics ", u->pane == 2);
	metric_rows(m, u, area_part(right, 1, 0, -1, -1), service, env, false);
	for (int i = 0; i < a.rows; i++) {
		area_text(a, i, third, ROLE_BORDER, i ? u->glyphs->vline : u->glyphs->cross);
		area_text(a, i, 2 * third, ROLE_BORDER, i ? u->glyphs->vline : u->glyphs->cross);
	}
}

/* A moment gone by: nobody may take it for now. */
static void draw_past(const struct model *m, const struct ui *u, struct area a)
{
	char when[40], age[16], since[40];
	int service = -1, env = -1, row = MAX(2, a.rows - PAST_ROWS + 2);
	time_iso(when, sizeof when, u->past_us, false);
	time_age(age, sizeof age, m->now_us - u->past_us);
	area_paint(a, 0, 0, a.cols, ROLE_WARN, ATTR_REVERSE);
	(void)area_printf(a, 0, 1, ROLE_WARN, "AS OF %s, %s ago, NOT NOW   { } step   Esc now", when, age);
	area_paint(a, 0, 0, a.cols, ROLE_WARN, ATTR_REVERSE);
	draw_list(m, u, area_part(a, 1, 0, MAX(1, row - 2), -1));
	if (!past_is_read(m, u)) {
		area_text(a, row, 1, ROLE_DIM, "reading");
		return;
	}
	if (!ui_selected(u, m, &service, &env))
		return;
	const char *sn = m->setup->services[service].name, *en = m->setup->envs[env].name;
	const struct deploy_row *d = past_deploy(m->past, sn, en, u->past_us);
	const struct past_rollout *live = past_live(m->past, sn, en, u->past_us),
	                          *head = past_migrated(m->past, sn, en, u->past_us);
	detail_title(m, u, a, row - 1, service, env, "then: ", u->pane == 0);
	if (d) {
		time_iso(since, sizeof since, d->since_us, false);
		(void)area_printf(a, row, 1, ROLE_TEXT, "%s since %s, by %s%s%s", d->release.tag, since,
		                  d->by[0] ? d->by : "nobody known", d->rollout[0] ? ", rollout " : "",
		                  d->rollout);
	} else {
		area_text(a, row, 1, ROLE_UNKNOWN, "what ran here then is not known");
	}
	if (head)
		(void)area_printf(a, row + 1, 1, ROLE_TEXT, "migrated to %s by rollout %s of %s", head->head,
		                  head->id, head->requester);
	if (live)
		(void)area_printf(a, row + 2, 1, ROLE_RUN, "rollout %s to %s was under way, by %s", live->id,
		                  live->to.tag, live->requester);
}

static void board_draw(const struct model *m, const struct ui *u, struct area a)
{
	int service = -1, env = -1;
	if (!m->setup || m->setup->n_services == 0) {
		paragraph(a, 1, 1, ROLE_DIM,
		          "no services: add some below services: in the configuration file, Q quits");
		return;
	}
	if (u->past_us) {
		draw_past(m, u, a);
		return;
	}
	struct plan_of_rows p = split(m, u, a.rows, a.cols);
	draw_list(m, u, area_part(a, 0, 0, p.list + 1, -1));
	if (u->n_rows == 0)
		(void)area_printf(a, 1, 3, ROLE_WARN, "the filter hides all %d services; Esc clears it",
		                  u->lists[SCREEN_BOARD].n_all);
	if (!ui_selected(u, m, &service, &env))
		return;
	int row = p.list + 1;
	if (p.wide) {
		draw_wide(m, u, area_part(a, row, 0, -1, -1), service, env);
		return;
	}
	if (p.detail > 0) {
		detail_title(m, u, a, row, service, env, "", u->pane == 0);
		deployment_detail(m, u, area_part(a, row + 1, 0, p.detail, -1), 0, service, env);
		row += p.detail + 1;
	}
	if (p.logs > 0 && u->pane == 2) {
		detail_title(m, u, a, row, service, env, "metrics ", true);
		metric_rows(m, u, area_part(a, row + 1, 0, p.logs, -1), service, env, false);
	} else if (p.logs > 0) {
		log_title(m, u, a, row, service, env);
		log_lines(m, u, area_part(a, row + 1, 0, p.logs, -1), service, env, u->pane == 1, false);
	}
}

extern const struct view view_board;
const struct view view_board = {
    .name = "board",
    .title = "board",
    .topics = TOPIC_SETUP | TOPIC_BOARD | TOPIC_MIGRATIONS | TOPIC_METRICS | TOPIC_LOGS | TOPIC_ROLLOUTS,
    .rows = board_rows,
    .text = board_text,
    .field = board_field,
    .page = board_page,
    .draw = board_draw,
};
