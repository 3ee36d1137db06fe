/* The ladder: migrations of the selected service by environments. */
#include "core/text.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

static const struct migration *find(const struct migration_set *set, const char *name)
{
	for (int i = 0; set && i < set->n_items; i++)
		if (strcmp(set->items[i].name, name) == 0)
			return &set->items[i];
	return NULL;
}

static bool is_here(const struct model *m, const struct ui *u)
{
	return m->ladder && m->ladder_service >= 0 && m->setup &&
	       strcmp(m->setup->services[m->ladder_service].name, u->service) == 0;
}

/* The union over the environments, in the order of the one that knows most, then those only others know. */
static int migrations_rows(const struct model *m, const struct ui *u, struct row *ret, int cap)
{
	int n = 0, longest = -1;
	if (!is_here(m, u))
		return 0;
	for (int e = 0; e < m->setup->n_envs; e++)
		if (m->ladder[e] && (longest < 0 || m->ladder[e]->n_items > m->ladder[longest]->n_items))
			longest = e;
	for (int k = -1; k < m->setup->n_envs; k++) {
		const struct migration_set *set =
		    k < 0 ? (longest >= 0 ? m->ladder[longest] : NULL) : m->ladder[k];
		for (int i = 0; set && i < set->n_items && n < cap; i++) {
			bool known = false;
			for (int j = 0; j < n && k >= 0 && !known; j++)
				known = strcmp(ret[j].id, set->items[i].name) == 0;
			if (known || (k >= 0 && k == longest))
				continue;
			str_copy(ret[n].id, sizeof ret[n].id, set->items[i].name);
			ret[n].a = k < 0 ? longest : k;
			ret[n++].b = i;
		}
	}
	return n;
}

static const char *migrations_text(const struct model *m, const struct row *row, char *dst, size_t cap)
{
	UNUSED(m);
	str_copy(dst, cap, row->id);
	return dst;
}

static enum state migration_glyph(enum migration_state s)
{
	switch (s) {
	case MIGRATION_APPLIED: return STATE_OK;
	case MIGRATION_PENDING: return STATE_NOT_STARTED;
	case MIGRATION_FAILED: return STATE_FAILED;
	case MIGRATION_RUNNING: return STATE_PROGRESS;
	case MIGRATION_MODIFIED: return STATE_DRIFT;
	case MIGRATION_MISSING: return STATE_DEGRADED;
	case MIGRATION_SKIPPED: return STATE_SKIPPED;
	case MIGRATION_CONDITIONAL: return STATE_HELD;
	case MIGRATION_UNKNOWN:
	case MIGRATION_STATE_COUNT: break;
	}
	return STATE_UNKNOWN;
}

static void draw_row(const struct model *m, const struct ui *u, struct area a, int y, const struct row *row,
                     bool here, int name_cells, int env_cells, int selected_env)
{
	const struct migration *any = NULL;
	row_start(a, y, u, here, false, -1);
	char name[MIGRATION_LEN];
	text_clip(name, sizeof name, row->id, name_cells);
	area_text(a, y, 3, here ? ROLE_FOCUS : ROLE_TEXT, name);
	for (int e = 0; e < m->setup->n_envs; e++) {
		int col = 4 + name_cells + e * env_cells;
		const struct migration *it = find(m->ladder[e], row->id);
		char text[32] = "";
		if (!setup_deployment(m->setup, m->ladder_service, e)->present) {
			area_text(a, y, col, ROLE_DIM, "-");
			continue;
		}
		if (!m->ladder[e]) {
			area_text(a, y, col, ROLE_UNKNOWN, "?");
			continue;
		}
		if (!it)
			continue;
		any = it->kind != MIGRATION_OPAQUE || !any ? it : any;
		enum state s = migration_glyph(it->state);
		area_text(a, y, col, state_role(s), u->glyphs->state[s]);
		if (it->state == MIGRATION_APPLIED && it->applied_us > 0) {
			char age[16];
			age_text(age, sizeof age, m->now_us, it->applied_us);
			(void)snprintf(text, sizeof text, "%s", age);
		} else if (it->state != MIGRATION_APPLIED) {
			str_copy(text, sizeof text, migration_state_name(it->state));
		}
		area_textn(a, y, col + 2, env_cells - 3,
		           it->state == MIGRATION_APPLIED ? ROLE_DIM : state_role(s), 0, text);
		if (here && e == selected_env)
			area_paint(a, y, col, env_cells - 1, -1, ATTR_REVERSE);
	}
	if (any) {
		bool contract = any->destructive || any->loses_data;
		area_printf(a, y, 4 + name_cells + m->setup->n_envs * env_cells,
		            contract ? ROLE_WARN : ROLE_DIM, "%s%s", contract ? "! " : "",
		            migration_kind_name(any->kind));
	}
}

static void migrations_draw(const struct model *m, const struct ui *u, struct area a)
{
	const struct list *l = &u->lists[SCREEN_MIGRATIONS];
	int service = -1, env = 0, detail = a.rows >= 14 ? 5 : 0;
	if (!ui_selected(u, m, &service, &env)) {
		area_text(a, 1, 1, ROLE_DIM, "no deployment selected: 1 goes to the board");
		return;
	}
	if (u->n_rows == 0) {
		const struct deployment *d = model_deployment(m, service, env);
		if (!d->sources[PORT_MIGRATE].configured)
			paragraph(a, 1, 1, ROLE_DIM,
			          "this service has no migrations configured; l and h choose another "
			          "environment, 1 goes back to the board");
		else if (d->sources[PORT_MIGRATE].failing_since_us)
			paragraph(a, paragraph(a, 1, 1, ROLE_ERR, d->sources[PORT_MIGRATE].last->text), 1,
			          ROLE_DIM, d->sources[PORT_MIGRATE].last->hint);
		else
			area_text(a, 1, 1, ROLE_DIM,
			          l->filter ? "the filter hides all; Esc clears it" : "reading migrations");
		return;
	}
	int env_cells = CLAMP((a.cols - 40) / MAX(1, m->setup->n_envs), 10, 16);
	int name_cells = CLAMP(a.cols - 4 - m->setup->n_envs * env_cells - 12, 14, 60);
	area_printf(a, 0, 3, ROLE_TITLE, "%s", u->service);
	for (int e = 0; e < m->setup->n_envs; e++)
		area_textn(a, 0, 4 + name_cells + e * env_cells, env_cells - 1,
		           m->setup->envs[e].production ? ROLE_PROD : ROLE_TITLE, 0, m->setup->envs[e].name);
	area_text(a, 0, 4 + name_cells + m->setup->n_envs * env_cells, ROLE_TITLE, "KIND");
	int rows = a.rows - 1 - detail;
	int top = CLAMP(l->top, MAX(0, l->at - rows + 1), l->at);
	for (int i = 0; i < rows && top + i < u->n_rows; i++)
		draw_row(m, u, a, i + 1, &u->rows_now[top + i], top + i == l->at, name_cells, env_cells, env);
	if (!detail || l->at >= u->n_rows)
		return;
	const struct row *row = &u->rows_now[l->at];
	const struct migration *it = find(m->ladder[env], row->id);
	char title[MIGRATION_LEN + NAME_LEN];
	(void)snprintf(title, sizeof title, "%.100s / %s", row->id, m->setup->envs[env].name);
	pane_title(a, a.rows - detail, u, false, title, m->ladder[env] ? m->ladder[env]->tool : NULL);
	int y = a.rows - detail + 1;
	if (!it) {
		area_text(a, y, 1, ROLE_DIM, "not known in this environment");
		return;
	}
	enum state s = migration_glyph(it->state);
	area_printf(a, y++, 1, state_role(s), "%s %s, %s%s%s", u->glyphs->state[s],
	            migration_state_name(it->state), migration_kind_name(it->kind),
	            it->loses_data ? ", loses data" : "",
	            it->destructive ? ", the release before may not run on it" : "");
	y = paragraph(a, y, 1, ROLE_TEXT, it->text);
	if (m->ladder[env]->blocked)
		y = paragraph(a, y, 1, ROLE_ERR, m->ladder[env]->block_text);
	if (m->ladder[env]->lock_text[0])
		area_printf(a, y, 1, ROLE_WARN, "lock: %s", m->ladder[env]->lock_text);
}

static int migrations_page(const struct model *m, const struct ui *u, int rows, int cols)
{
	UNUSED(m);
	UNUSED(u);
	UNUSED(cols);
	return rows - 1 - (rows >= 14 ? 5 : 0);
}

extern const struct view view_migrations;
const struct view view_migrations = {
    .name = "migrations",
    .title = "migrations",
    .topics = TOPIC_MIGRATIONS | TOPIC_SETUP,
    .rows = migrations_rows,
    .text = migrations_text,
    .page = migrations_page,
    .draw = migrations_draw,
};
