/* The ladder: migrations of the selected service by environments, in the tool's order. */
#include "core/rung_row.h"
#include "core/text.h"
#include "tui/widget/ladder.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

enum {
	NAME_MIN = 14,
	NAME_GOOD = 24, /* most names can be told apart */
	NAME_MAX = 60,
	CELL_MIN = 11, /* "~ modified" and a blank */
	CELL_MAX = 22,
	KIND_CELLS = 11,
	RELEASE_MIN = 9,
	RELEASE_MAX = 17,
	AGE_CELLS = 5,
	AUTHOR_MIN = 11,
	AUTHOR_MAX = 21,
	DETAIL_ROWS = 6,
	NOTES_MAX = 6
};

static bool is_here(const struct model *m, const struct ui *u)
{
	return m->rungs && m->ladder_service >= 0 && m->setup &&
	       strcmp(m->setup->services[m->ladder_service].name, u->service) == 0;
}

/* --- rows --------------------------------------------------------------------------------------- */

static int migrations_rows(const struct model *m, const struct ui *u, struct row *ret, int cap)
{
	const struct filter *f = u->lists[SCREEN_MIGRATIONS].filter;
	int n = 0, env;
	if (!is_here(m, u))
		return 0;
	env = rung_filter_env(m, f);
	int own = m->rungs->n_items - m->rungs->n_external;
	for (int i = 0; i < m->rungs->n_items && n < cap; i++) {
		/* A filter looks at all of them, so none hides in the folded row. */
		if (i == own && !f)
			ret[n++] = (struct row){.id = LADDER_EXTERNALS, .a = -1, .b = env};
		if (i >= own && !f && !u->externals_open)
			break;
		if (n == cap)
			break;
		str_copy(ret[n].id, sizeof ret[n].id, m->rungs->items[i].any->name);
		ret[n].a = i;
		ret[n++].b = env;
	}
	return n;
}

static const char *migrations_text(const struct model *m, const struct row *row, char *dst, size_t cap)
{
	return rung_text(m, &m->rungs->items[row->a], dst, cap);
}

static const char *migrations_field(const struct model *m, const struct row *row, const char *key, char *dst,
                                    size_t cap)
{
	return rung_field(m, &m->rungs->items[row->a], row->b, key, dst, cap);
}

static int64_t migrations_time(const struct model *m, const struct row *row)
{
	const struct commit *c = rung_added(m, &m->rungs->items[row->a]);
	return c ? c->time_us : 0;
}

/* --- how the screen is used --------------------------------------------------------------------- */

/* Columns from the left; cells 0: there is no room for it. */
struct columns {
	int name, kind, env, n_envs, first_env, pages, page, release, age, author;
};

/* Of all rows, so that columns stay where they are while one moves. In bytes: nearly always the same, and cheap. */
static int longest_name(const struct ui *u)
{
	size_t n = NAME_MIN;
	for (int i = 0; i < u->n_rows; i++)
		n = MAX(n, strlen(u->rows_now[i].id));
	return (int)MIN(n, (size_t)NAME_MAX);
}

static int take(int *room, int want)
{
	int n = MAX(0, MIN(*room, want));
	*room -= n;
	return n;
}

static struct columns columns_of(const struct model *m, const struct ui *u, int width, int env)
{
	struct columns c = {.name = NAME_MIN, .n_envs = m->setup->n_envs, .pages = 1};
	int room = width - 3 - NAME_MIN - 1, longest = longest_name(u);
	int fit = MAX(1, room / CELL_MIN);
	if (c.n_envs > fit) {
		c.pages = (c.n_envs + fit - 1) / fit;
		c.page = env / fit;
		c.first_env = c.page * fit;
		c.n_envs = MIN(fit, c.n_envs - c.first_env);
	}
	c.env = CELL_MIN;
	room -= c.n_envs * CELL_MIN;
	if (room >= KIND_CELLS)
		c.kind = take(&room, KIND_CELLS);
	c.name += take(&room, MIN(longest, NAME_GOOD) - c.name);
	if (room >= RELEASE_MIN)
		c.release = take(&room, RELEASE_MIN);
	if (room >= AGE_CELLS)
		c.age = take(&room, AGE_CELLS);
	if (room >= AUTHOR_MIN)
		c.author = take(&room, AUTHOR_MIN);
	c.name += take(&room, longest - c.name);
	c.env += take(&room, (CELL_MAX - c.env) * c.n_envs) / MAX(1, c.n_envs);
	if (c.release)
		c.release += take(&room, RELEASE_MAX - c.release);
	if (c.author)
		c.author += take(&room, AUTHOR_MAX - c.author);
	return c;
}

/* Rows from the top. */
struct lines {
	int release, notes, head, counts, list, legend, detail;
};

static struct lines lines_of(const struct model *m, const struct ui *u, int rows)
{
	struct lines l = {.head = 1};
	l.release = rows >= 12;
	l.counts = rows >= 14;
	l.legend = rows >= 18;
	l.detail = rows >= 14 ? DETAIL_ROWS : 0;
	l.notes =
	    MIN(ladder_notes(m, u, (struct area){.cols = 80}, 0, NOTES_MAX, false), rows >= 30   ? NOTES_MAX
	                                                                            : rows >= 14 ? 3
	                                                                                         : 1);
	l.list = MAX(1, rows - l.release - l.notes - l.head - l.counts - l.legend - l.detail);
	return l;
}

static int migrations_page(const struct model *m, const struct ui *u, int rows, int cols)
{
	UNUSED(cols);
	return is_here(m, u) ? lines_of(m, u, rows).list : rows;
}

/* --- drawing ------------------------------------------------------------------------------------ */

static int place(int *at, int cells)
{
	int col = *at;
	*at += cells;
	return col;
}

static void draw_head(const struct model *m, const struct ui *u, struct area a, int row,
                      const struct columns *c, bool counts)
{
	int at = 3;
	UNUSED(u);
	area_textn(a, row, place(&at, c->name + 1), c->name, ROLE_TITLE, 0, "MIGRATION");
	if (c->kind)
		area_text(a, row, place(&at, c->kind) + 2, ROLE_TITLE, "KIND");
	for (int i = 0; i < c->n_envs; i++) {
		int e = c->first_env + i, col = place(&at, c->env);
		area_textn(a, row, col, c->env - 1, m->setup->envs[e].production ? ROLE_PROD : ROLE_TITLE, 0,
		           m->setup->envs[e].name);
		if (counts)
			ladder_counts(m, u, area_part(a, row + 1, col, 1, c->env - 1), e);
	}
	if (c->release)
		area_text(a, row, place(&at, c->release), ROLE_TITLE, "RELEASE");
	if (c->age)
		area_text(a, row, place(&at, c->age), ROLE_TITLE, "AGE");
	if (c->author)
		area_text(a, row, place(&at, c->author), ROLE_TITLE, "AUTHOR");
	if (c->pages > 1) {
		char text[32];
		(void)snprintf(text, sizeof text, "<%d/%d>", c->page + 1, c->pages);
		area_right(a, row, a.cols, ROLE_DIM, text);
	}
}

static void clipped(struct area a, int row, int col, int cells, enum role role, const char *text)
{
	char out[MIGRATION_LEN * 4];
	if (cells < 1)
		return;
	text_clip(out, sizeof out, text, cells);
	area_text(a, row, col, role, out);
}

static void draw_kind(struct area a, int row, int col, const struct migration *it)
{
	bool breaks = it->destructive || it->loses_data;
	area_printf(a, row, col, breaks ? ROLE_WARN : ROLE_DIM, "%s%s", breaks ? "! " : "  ",
	            migration_kind_name(it->kind));
}

static void draw_rung(const struct model *m, const struct ui *u, struct area a, int row, const struct rung *r,
                      const struct columns *c, bool here, int env)
{
	const struct commit *added = rung_added(m, r);
	char age[16];
	int at = 3;
	clipped(a, row, place(&at, c->name + 1), c->name, here ? ROLE_FOCUS : ROLE_TEXT, r->any->name);
	if (c->kind)
		draw_kind(a, row, place(&at, c->kind), r->any);
	else if (r->any->destructive || r->any->loses_data)
		area_text(a, row, 1, ROLE_WARN, "!");
	for (int i = 0; i < c->n_envs; i++) {
		int e = c->first_env + i, col = place(&at, c->env);
		ladder_cell(m, u, area_part(a, row, col, 1, c->env - 1), r, e);
		if (here && e == env)
			area_paint(a, row, col, c->env - 1, -1, ATTR_REVERSE);
	}
	if (c->release)
		clipped(a, row, place(&at, c->release), c->release - 1, ROLE_DIM, rung_release(m, r));
	if (c->age) {
		age_text(age, sizeof age, m->now_us, added ? added->time_us : 0);
		area_text(a, row, place(&at, c->age), ROLE_DIM, added ? age : "");
	}
	if (c->author)
		clipped(a, row, place(&at, c->author), c->author - 1, ROLE_DIM, added ? added->author : "");
}

/* "14 of other apps", with how many of them each environment has. */
static void draw_fold(const struct model *m, const struct ui *u, struct area a, int row,
                      const struct columns *c, bool here)
{
	int at = 3;
	const char *glyph = rung_desc(RUNG_EXTERNAL)->glyph;
	area_printf(a, row, place(&at, c->name + 1 + c->kind), here ? ROLE_FOCUS : ROLE_DIM,
	            "%s %d of other apps", u->externals_open ? "v" : u->glyphs->arrow, m->rungs->n_external);
	for (int i = 0; i < c->n_envs; i++) {
		int n = 0, col = place(&at, c->env);
		for (int k = m->rungs->n_items - m->rungs->n_external; k < m->rungs->n_items; k++)
			n += rung_in(&m->rungs->items[k], m->ladder, c->first_env + i) != NULL;
		if (n > 0)
			area_printf(a, row, col, ROLE_DIM, "%s %d", glyph, n);
	}
}

static void draw_empty(const struct model *m, const struct ui *u, struct area a, int service, int env)
{
	const struct source *s = &model_deployment(m, service, env)->sources[PORT_MIGRATE];
	bool anywhere = false;
	for (int e = 0; e < m->setup->n_envs; e++)
		anywhere = anywhere || model_deployment(m, service, e)->sources[PORT_MIGRATE].configured;
	if (!anywhere)
		paragraph(
		    a, 1, 1, ROLE_DIM,
		    "this service has no migrations configured (migrate: in the configuration file); 1 goes "
		    "back to the board");
	else if (!is_here(m, u) && s->failing_since_us)
		paragraph(a, paragraph(a, 1, 1, ROLE_ERR, s->last->text), 1, ROLE_DIM, s->last->hint);
	else if (!is_here(m, u))
		area_text(a, 1, 1, ROLE_DIM, "reading migrations");
	else if (u->lists[SCREEN_MIGRATIONS].filter && m->rungs->n_items > 0)
		area_printf(a, 1, 1, ROLE_WARN, "the filter hides all %d migrations; Esc clears it",
		            u->lists[SCREEN_MIGRATIONS].n_all);
	else if (ladder_notes(m, u, a, 1, NOTES_MAX, true) == 1)
		area_text(a, 1, 1, ROLE_DIM, "this release has no migrations");
}

static void migrations_draw(const struct model *m, const struct ui *u, struct area a)
{
	const struct list *l = &u->lists[SCREEN_MIGRATIONS];
	int service = -1, env = 0, row = 0;
	if (!ui_selected(u, m, &service, &env)) {
		area_text(a, 1, 1, ROLE_DIM, "no deployment selected: 1 goes to the board");
		return;
	}
	if (u->n_rows == 0) {
		draw_empty(m, u, a, service, env);
		return;
	}
	struct lines r = lines_of(m, u, a.rows);
	struct columns c = columns_of(m, u, a.cols, env);
	if (r.release)
		ladder_release_line(m, u, area_part(a, row++, 0, 1, -1));
	if (r.notes)
		(void)ladder_notes(m, u, area_part(a, row, 0, r.notes, -1), 0, r.notes, false);
	row += r.notes;
	draw_head(m, u, a, row, &c, r.counts > 0);
	row += r.head + r.counts;
	for (int i = 0; i < r.list && l->top + i < u->n_rows; i++) {
		const struct row *x = &u->rows_now[l->top + i];
		bool here = l->top + i == l->at;
		row_start(a, row + i, u, here, ui_marked(u, x->id), -1);
		if (x->a < 0)
			draw_fold(m, u, a, row + i, &c, here);
		else
			draw_rung(m, u, a, row + i, &m->rungs->items[x->a], &c, here, env);
	}
	row += r.list;
	if (r.legend)
		ladder_legend(m, u, area_part(a, row++, 0, 1, -1));
	if (!r.detail || l->at >= u->n_rows)
		return;
	const struct row *x = &u->rows_now[l->at];
	if (x->a >= 0)
		ladder_detail(m, u, area_part(a, row, 0, r.detail, -1), &m->rungs->items[x->a], env);
	else
		ladder_externals(m, u, area_part(a, row, 0, r.detail, -1));
}

extern const struct view view_migrations;
const struct view view_migrations = {
    .name = "migrations",
    .title = "migrations",
    .topics = TOPIC_MIGRATIONS | TOPIC_SETUP,
    .rows = migrations_rows,
    .text = migrations_text,
    .field = migrations_field,
    .time = migrations_time,
    .page = migrations_page,
    .draw = migrations_draw,
};
