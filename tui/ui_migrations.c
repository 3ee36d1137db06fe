/* The screens of migrations: what they ask for and when, and searching in a long text. */
#include "tui/ui_private.h"

#include "core/rung_row.h"
#include "tui/widget/ladder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the ladder --------------------------------------------------------------------------------- */

static bool shows_ladder(const struct ui *u)
{
	return u->screen == SCREEN_MIGRATIONS || u->screen == SCREEN_MIGRATION || u->screen == SCREEN_COMMIT;
}

void ui_ladder_ask(struct ui *u, const struct model *m)
{
	struct ui_effect *e = ui_effect_add(u, m, DO_LADDER);
	e->choice = m->setup && u->ladder_env[0] ? setup_env(m->setup, u->ladder_env) : -1;
	str_copy(u->ladder_service, sizeof u->ladder_service, u->service);
	u->ladder_asked_us = u->mono_us;
}

void ui_ladder_again(struct ui *u, const struct model *m)
{
	if (!shows_ladder(u) || !m->setup)
		return;
	bool here = strcmp(u->ladder_service, u->service) == 0;
	int64_t wait = model_ladder_busy(m) ? LADDER_BUSY_US : LADDER_AGAIN_US;
	if (!here || u->mono_us - u->ladder_asked_us >= wait)
		ui_ladder_ask(u, m);
}

/* The newest release, then each that runs somewhere, then the newest again. */
static void next_release(struct ui *u, const struct model *m)
{
	int at = u->ladder_env[0] ? setup_env(m->setup, u->ladder_env) : -1;
	for (at++; at < m->setup->n_envs; at++) {
		const struct deployed *d =
		    m->ladder_service >= 0 ? model_deployment(m, m->ladder_service, at)->deployed : NULL;
		if (d && d->release.revision[0])
			break;
	}
	str_copy(u->ladder_env, sizeof u->ladder_env, at < m->setup->n_envs ? m->setup->envs[at].name : "");
	ui_ladder_ask(u, m);
	if (u->ladder_env[0])
		ui_notice(u, MESSAGE_INFO, "files of the release that runs in %s", u->ladder_env);
	else
		ui_notice(u, MESSAGE_INFO, "files of the newest release");
}

static int weight_of(const struct model *m, const struct rung *r, int env)
{
	int worst = 0;
	for (int e = 0; e < m->setup->n_envs; e++) {
		const struct migration *it = env < 0 || e == env ? rung_in(r, m->ladder, e) : NULL;
		worst = MAX(worst, it ? rung_weight(rung_of(it)) : 0);
	}
	return worst;
}

static bool has_ladder(const struct ui *u, const struct model *m)
{
	return m->rungs && m->ladder_service >= 0 && m->setup &&
	       strcmp(m->setup->services[m->ladder_service].name, u->service) == 0;
}

/* Who comes to a service's ladder stands on what wants to be looked at in the selected environment, else at the end. */
void ui_ladder_settle(struct ui *u, const struct model *m)
{
	struct list *l = &u->lists[SCREEN_MIGRATIONS];
	int service = -1, env = -1, best = -1, weight = 0;
	if (u->screen != SCREEN_MIGRATIONS || !has_ladder(u, m) || !ui_selected(u, m, &service, &env) ||
	    strcmp(u->ladder_at, u->service) == 0)
		return;
	str_copy(u->ladder_at, sizeof u->ladder_at, u->service);
	for (int i = 0; i < m->rungs->n_items - m->rungs->n_external; i++) {
		int w = weight_of(m, &m->rungs->items[i], env);
		if (w > weight || (weight == 0 && w == 0)) {
			best = i;
			weight = w;
		}
	}
	if (best >= 0)
		str_copy(l->cursor, sizeof l->cursor, m->rungs->items[best].any->name);
}

/* The next row with something wrong anywhere; where nothing is, the next that waits. */
void ui_ladder_problem(struct ui *u, const struct model *m, int step)
{
	struct list *l = &u->lists[SCREEN_MIGRATIONS];
	for (int least = 4; least > 0; least -= 3)
		for (int i = 1; has_ladder(u, m) && i <= u->n_rows; i++) {
			int at = ((l->at + step * i) % u->n_rows + u->n_rows) % u->n_rows;
			if (u->rows_now[at].a < 0 ||
			    weight_of(m, &m->rungs->items[u->rows_now[at].a], -1) < least)
				continue;
			if (at == l->at)
				ui_notice(u, MESSAGE_INFO, "no other than this one");
			l->at = at;
			str_copy(l->cursor, sizeof l->cursor, u->rows_now[at].id);
			return;
		}
	ui_notice(u, MESSAGE_OK, "every migration is applied everywhere");
}

/* --- one migration ------------------------------------------------------------------------------ */

static void source_ask(struct ui *u, const struct model *m)
{
	struct ui_effect *e = ui_effect_add(u, m, DO_SOURCE);
	str_copy(e->text, sizeof e->text, u->migration);
	str_copy(u->migration_env, sizeof u->migration_env, u->env);
	u->migration_waits = true;
}

static void migration_take(struct ui *u, const struct model *m, const char *name)
{
	str_copy(u->migration, sizeof u->migration, name);
	u->migration_diff = false;
	u->migration_commit = 0;
	source_ask(u, m);
}

/* The row under the cursor; NULL: none, or that of all migrations of other code. */
static const char *row_name(const struct ui *u)
{
	const struct list *l = &u->lists[SCREEN_MIGRATIONS];
	if (l->at >= u->n_rows || u->rows_now[l->at].a < 0)
		return NULL;
	return u->rows_now[l->at].id;
}

void ui_migration_open(struct ui *u, const struct model *m)
{
	const struct list *l = &u->lists[SCREEN_MIGRATIONS];
	const char *name = row_name(u);
	if (name) {
		migration_take(u, m, name);
		ui_filter_clear(u, SCREEN_MIGRATION);
		ui_show(u, m, SCREEN_MIGRATION);
	} else if (l->at < u->n_rows) {
		u->externals_open = !u->externals_open;
	}
}

void ui_migration_env(struct ui *u, const struct model *m)
{
	if ((u->screen == SCREEN_MIGRATION || u->screen == SCREEN_COMMIT) &&
	    strcmp(u->migration_env, u->env) != 0)
		source_ask(u, m);
}

static const struct commit_detail *commit_of(const struct migration_source *s, int which)
{
	return which == 2 ? s->removed : which == 1 ? (s->changed != s->added ? s->changed : NULL) : s->added;
}

const char *ui_migration_commit(const struct ui *u, const struct model *m)
{
	const struct migration_source *s = m->migration_source;
	bool source = s && strcmp(m->migration_source_name, u->migration) == 0;
	const struct commit_detail *d = source ? commit_of(s, u->migration_commit) : NULL;
	return d ? d->commit.revision : "";
}

static void commit_copy(struct ui *u, const struct model *m, const char *revision)
{
	struct ui_effect *e = ui_effect_add(u, m, DO_COPY);
	str_copy(e->text, sizeof e->text, revision);
	ui_notice(u, MESSAGE_OK, "copied the id of commit %.12s", revision);
}

static const struct commit *added_of(const struct model *m, const char *name)
{
	for (int i = 0; m->rungs && i < m->rungs->n_items; i++)
		if (strcmp(m->rungs->items[i].any->name, name) == 0)
			return rung_added(m, &m->rungs->items[i]);
	return NULL;
}

/* The commit that brought it; again: the next of those that edited or removed it. Its id goes to the clipboard. */
static void show_commit(struct ui *u, const struct model *m)
{
	const struct migration_source *s = m->migration_source;
	bool source = s && strcmp(m->migration_source_name, u->migration) == 0;
	if (u->screen == SCREEN_MIGRATIONS) {
		const char *name = row_name(u);
		if (!name) {
			ui_notice(u, MESSAGE_INFO, "no migration under the cursor");
			return;
		}
		migration_take(u, m, name);
		const struct commit *c = added_of(m, name);
		if (c)
			commit_copy(u, m, c->revision);
		ui_show(u, m, SCREEN_COMMIT);
		return;
	}
	if (u->screen == SCREEN_COMMIT && source)
		for (int i = 1; i <= 3; i++) {
			int next = (u->migration_commit + i) % 3;
			if (i < 3 && !commit_of(s, next))
				continue;
			if (next == u->migration_commit)
				ui_notice(u, MESSAGE_INFO, "no other commit changed this file");
			u->migration_commit = next;
			break;
		}
	const struct commit_detail *d = source ? commit_of(s, u->migration_commit) : NULL;
	u->scroll = u->screen == SCREEN_COMMIT ? 0 : u->scroll;
	if (d && !u->notice[0])
		commit_copy(u, m, d->commit.revision);
	ui_show(u, m, SCREEN_COMMIT);
}

static void show_diff(struct ui *u, const struct model *m)
{
	if (u->screen == SCREEN_MIGRATIONS) {
		const char *name = row_name(u);
		if (!name) {
			ui_notice(u, MESSAGE_INFO, "no migration under the cursor");
			return;
		}
		migration_take(u, m, name);
		ui_filter_clear(u, SCREEN_MIGRATION);
		u->migration_diff = true;
		ui_show(u, m, SCREEN_MIGRATION);
		return;
	}
	u->migration_diff = !u->migration_diff;
	u->scroll = 0;
}

void ui_act_migration(struct ui *u, const struct model *m, const char *what)
{
	if (!m->setup)
		return;
	if (strcmp(what, "diff") == 0)
		show_diff(u, m);
	else if (strcmp(what, "commit") == 0)
		show_commit(u, m);
	else
		next_release(u, m);
}

void ui_migration_came(struct ui *u, const struct model *m)
{
	if (u->migration_waits && strcmp(m->migration_source_name, u->migration) == 0 &&
	    m->migration_source_env >= 0 &&
	    strcmp(m->setup->envs[m->migration_source_env].name, u->migration_env) == 0)
		u->migration_waits = false;
}

/* --- long texts --------------------------------------------------------------------------------- */

void text_rows_add(struct text_rows *t, struct text_row row)
{
	if (t->n == t->cap) {
		int cap = MAX(t->cap * 2, 256);
		struct text_row *grown = realloc(t->items, (size_t)cap * sizeof *grown);
		if (!grown)
			return;
		t->items = grown;
		t->cap = cap;
	}
	t->items[t->n++] = row;
}

struct words_of {
	const char *s;
	size_t n;
};

static const char *words_text(const void *row, size_t *ret_n)
{
	const struct words_of *w = row;
	*ret_n = w->n;
	return w->s;
}

static bool row_found(const struct ui *u, const struct model *m, const struct view *v, int at)
{
	struct words_of words = {0};
	words.s = v->words(m, u, &u->text.items[at], &words.n);
	struct filter_row row = {.row = &words, .text = words_text};
	return words.s && filter_passes(u->lists[u->screen].filter, &row);
}

static void count_found(struct ui *u, const struct model *m, const struct view *v)
{
	u->text.n_found = 0;
	for (int i = 0; u->lists[u->screen].filter && i < u->text.n; i++)
		u->text.n_found += row_found(u, m, v, i);
	if (!u->lists[u->screen].filter)
		u->text.found = -1;
}

static void scroll_to(struct ui *u, int row)
{
	u->text.found = row;
	if (row < u->scroll || row >= u->scroll + u->page)
		u->scroll = MAX(0, row - u->page / 3);
}

void ui_text_search(struct ui *u, const struct model *m, int direction)
{
	const struct view *v = views[u->screen];
	int n = u->text.n, from = u->text.found >= 0 ? u->text.found : u->scroll - (direction > 0);
	if (!u->lists[u->screen].filter) {
		ui_notice(u, MESSAGE_INFO, "nothing to look for; / asks");
		return;
	}
	for (int i = 1; i <= n; i++) {
		int at = ((from + direction * i) % n + n) % n;
		if (!row_found(u, m, v, at))
			continue;
		if ((direction > 0) != (at > from))
			ui_notice(u, MESSAGE_INFO,
			          direction > 0 ? "on from the beginning" : "on from the end");
		scroll_to(u, at);
		return;
	}
	ui_notice(u, MESSAGE_INFO, "not found in this text");
}

void ui_text_filter(struct ui *u, const struct model *m)
{
	const struct view *v = views[u->screen];
	count_found(u, m, v);
	for (int i = MAX(0, u->scroll); u->text.n_found > 0 && i < u->text.n; i++)
		if (row_found(u, m, v, i)) {
			scroll_to(u, i);
			return;
		}
	if (u->text.n_found > 0)
		ui_text_search(u, m, 1);
}

/* The first row of the line at which the migration begins, where several share a file. */
static int first_row(const struct ui *u, const struct model *m)
{
	int line = m->migration_source && !u->migration_diff ? m->migration_source->line : 1;
	for (int i = 0; line > 1 && i < u->text.n; i++)
		if (u->text.items[i].kind == 0 && u->text.items[i].index + 1 == line)
			return i;
	return 0;
}

void ui_text_settle(struct ui *u, const struct model *m, const struct view *v)
{
	uint64_t serial = v->serial(m, u, u->cols);
	bool was_empty = u->text.n == 0;
	if (serial != u->text.serial || u->text.serial == 0) {
		u->text.n = 0;
		u->text.serial = serial;
		u->text.found = -1;
		v->fill(m, u, u->cols, &u->text);
		count_found(u, m, v);
		if (was_empty && u->text.n > 0)
			u->scroll = first_row(u, m);
	}
	u->n_lines = u->text.n;
	u->scroll = CLAMP(u->scroll, 0, MAX(0, u->n_lines - u->page));
}
