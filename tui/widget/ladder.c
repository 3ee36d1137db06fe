#include "tui/widget/ladder.h"
#include "core/migration_lock.h"
#include "core/rung_row.h"
#include "core/text.h"
#include "core/time.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

enum { AGE_ROOM = 3 };

const char *rung_glyph(const struct ui *u, enum rung_word w)
{
	const struct rung_desc *d = rung_desc(w);
	return d->glyph[0] ? d->glyph : u->glyphs->state[d->state];
}

enum role rung_role(enum rung_word w)
{
	/* What waits to be run is not dim: one came here to see it. */
	return w == RUNG_PENDING ? ROLE_TEXT : state_role(rung_desc(w)->state);
}

/* --- one cell ----------------------------------------------------------------------------------- */

/* Since when it is what it is: applied, failed, or at work. */
static int64_t since(const struct migration_set *set, const struct migration *it)
{
	if (it->state != MIGRATION_RUNNING)
		return it->applied_us;
	for (int i = 0; i < set->n_locks; i++)
		if (set->locks[i].granted && set->locks[i].since_us > 0)
			return set->locks[i].since_us;
	return it->applied_us;
}

void ladder_cell(const struct model *m, const struct ui *u, struct area a, const struct rung *r, int env)
{
	const struct migration *it = rung_in(r, m->ladder, env);
	const struct source *s = &model_deployment(m, m->ladder_service, env)->sources[PORT_MIGRATE];
	if (!it) {
		if (!s->configured)
			area_text(a, 0, 0, ROLE_DIM, "-");
		else if (!m->ladder[env])
			area_text(a, 0, 0, ROLE_UNKNOWN, "?");
		return;
	}
	enum rung_word w = rung_of(it);
	const struct rung_desc *d = rung_desc(w);
	int64_t at = since(m->ladder[env], it);
	int room = a.cols - 2 - (at > 0 ? 1 + AGE_ROOM : 0);
	const char *word = text_width(d->word) <= room                             ? d->word
	                   : w == RUNG_RUNNING || text_width(d->word) > a.cols - 2 ? d->brief
	                                                                           : d->word;
	char age[16];
	area_text(a, 0, 0, rung_role(w), rung_glyph(u, w));
	int col = area_textn(a, 0, 2, a.cols - 2, w == RUNG_APPLIED ? ROLE_DIM : rung_role(w), 0, word);
	if (at <= 0 || col + 1 + AGE_ROOM > a.cols)
		return;
	age_text(age, sizeof age, m->now_us, at);
	area_text(a, 0, col + 1, ROLE_DIM, age);
}

void ladder_counts(const struct model *m, const struct ui *u, struct area a, int env)
{
	const struct migration_set *set = m->ladder[env];
	const struct source *s = &model_deployment(m, m->ladder_service, env)->sources[PORT_MIGRATE];
	int counts[RUNG_WORD_COUNT], col = 0;
	char text[32];
	if (set && s->failing_since_us) {
		age_text(text, sizeof text, m->now_us, m->ladder_us[env]);
		col = area_printf(a, 0, 0, ROLE_UNKNOWN, "? %s", text) + 1;
	}
	rung_counts(m, env, counts);
	/* What is wrong first, where there is no room for all. */
	for (int weight = 9; set && weight >= 0; weight--)
		for (int i = 0; i < RUNG_WORD_COUNT; i++) {
			enum rung_word w = (enum rung_word)i;
			(void)snprintf(text, sizeof text, "%s%d", rung_glyph(u, w), counts[w]);
			if (rung_weight(w) != weight || counts[w] == 0 || col + text_width(text) > a.cols)
				continue;
			col = area_text(a, 0, col, w == RUNG_APPLIED ? ROLE_DIM : rung_role(w), text) + 1;
		}
}

/* --- above the table ---------------------------------------------------------------------------- */

void ladder_release_line(const struct model *m, const struct ui *u, struct area a)
{
	const struct release *r = &m->ladder_release;
	char tag[TAG_LEN], age[16];
	int64_t newest = 0;
	UNUSED(u);
	for (int e = 0; e < m->setup->n_envs; e++)
		newest = MAX(newest, m->ladder_us[e]);
	int col = area_text(a, 0, 3, ROLE_DIM, "files of");
	col = area_printf(a, 0, col + 1, ROLE_TEXT, "%s", release_text(r, tag, sizeof tag));
	if (r->tag[0])
		col = area_printf(a, 0, col + 1, ROLE_DIM, "%.9s", r->revision);
	col = m->ladder_choice < 0 ? area_text(a, 0, col, ROLE_DIM, ", the newest release")
	                           : area_printf(a, 0, col, ROLE_DIM, ", which runs in %s",
	                                         m->setup->envs[m->ladder_choice].name);
	age_text(age, sizeof age, m->now_us, newest);
	if (newest > 0 && col + 12 < a.cols)
		col = area_printf(a, 0, col, ROLE_DIM, ", read %s ago", age);
	if (m->ladder_history_text[0] && !m->ladder_history)
		area_printf(a, 0, col + 2, ROLE_WARN, "! no history: %s", m->ladder_history_text);
	else if (!m->ladder_history)
		area_text(a, 0, col + 2, ROLE_DIM, "reading who brought them");
	else if (m->ladder_history->shallow || m->ladder_history->cut)
		area_text(a, 0, col + 2, ROLE_WARN, "! the clone has only the newer history");
}

struct notes {
	const struct model *m;
	const struct ui *u;
	struct area a;
	int row, n_left, n_more;
	bool wraps;
};

static void note(struct notes *n, enum state s, int env, const char *text)
{
	if (n->n_left == 0) {
		n->n_more++;
		return;
	}
	n->n_left--;
	area_text(n->a, n->row, 1, state_role(s), n->u->glyphs->state[s]);
	int col = area_printf(n->a, n->row, 3, ROLE_TITLE, "%s", n->m->setup->envs[env].name);
	if (n->wraps)
		n->row = paragraph(n->a, n->row + 1, 3, state_role(s), text);
	else
		area_text(n->a, n->row++, col + 1, state_role(s), text);
}

/* "who at client, pid 12, 34s: ALTER TABLE ..." */
static void lock_line(const struct model *m, const struct migration_lock *l, char *dst, size_t cap)
{
	char age[24] = "", pid[24] = "";
	if (l->since_us > 0) {
		str_copy(age, sizeof age, " for ");
		time_age(age + 5, sizeof age - 5, MAX(0, m->now_us - l->since_us));
	}
	if (l->pid > 0)
		(void)snprintf(pid, sizeof pid, ", pid %d", l->pid);
	(void)snprintf(dst, cap, "%s%s %s%s: %.60s%s%.60s at %.60s%s%s%.200s", l->stuck ? "stuck: " : "",
	               l->what, l->granted ? "held" : "waited for", age, l->user, l->app[0] ? " " : "",
	               l->app, l->client[0] ? l->client : "?", pid, l->doing[0] ? ": " : "", l->doing);
}

static void env_locks(struct notes *n, const struct migration_set *set, int env)
{
	char text[TEXT_LEN * 2], remedy[TEXT_LEN];
	for (int i = 0; i < set->n_locks; i++) {
		lock_line(n->m, &set->locks[i], text, sizeof text);
		note(n, set->locks[i].stuck ? STATE_FAILED : STATE_PROGRESS, env, text);
	}
	if (set->n_locks == 0 && set->lock_text[0])
		note(n, STATE_PROGRESS, env, set->lock_text);
	if (migration_remedy(set, n->m->setup->services[n->m->ladder_service].name,
	                     n->m->setup->envs[env].name, remedy, sizeof remedy)) {
		(void)snprintf(text, sizeof text, "remedy%s: %s",
		               migration_lock_live(set, NULL) ? ", if no run is under way" : "", remedy);
		note(n, STATE_DEGRADED, env, text);
	}
}

int ladder_notes(const struct model *m, const struct ui *u, struct area a, int row, int n, bool wraps)
{
	struct notes notes = {.m = m, .u = u, .a = a, .row = row, .n_left = n, .wraps = wraps};
	char text[TEXT_LEN * 2 + 32], age[16];
	for (int e = 0; m->ladder && e < m->setup->n_envs; e++)
		for (int i = 0; m->ladder[e] && i < m->ladder[e]->n_blocks; i++)
			note(&notes, STATE_FAILED, e, m->ladder[e]->blocks[i].reason);
	for (int e = 0; m->ladder && e < m->setup->n_envs; e++)
		if (m->ladder[e])
			env_locks(&notes, m->ladder[e], e);
	for (int e = 0; m->ladder && e < m->setup->n_envs; e++)
		for (int i = 0; m->ladder[e] && i < m->ladder[e]->n_conflicts; i++)
			note(&notes, STATE_DEGRADED, e, m->ladder[e]->conflicts[i].text);
	for (int e = 0; m->ladder && e < m->setup->n_envs; e++) {
		const struct source *s = &model_deployment(m, m->ladder_service, e)->sources[PORT_MIGRATE];
		if (!s->configured || !s->failing_since_us)
			continue;
		age_text(age, sizeof age, m->now_us, s->failing_since_us);
		(void)snprintf(text, sizeof text, "not read for %s: %s%s%s%s", age, s->last->text,
		               s->last->hint[0] ? " (" : "", s->last->hint, s->last->hint[0] ? ")" : "");
		note(&notes, STATE_UNKNOWN, e, text);
	}
	if (notes.n_more > 0 && notes.row > row) {
		(void)snprintf(text, sizeof text, " and %d more", notes.n_more);
		area_right(a, notes.row - 1, a.cols, ROLE_DIM, text);
	}
	return notes.row;
}

/* --- below the table ---------------------------------------------------------------------------- */

void ladder_legend(const struct model *m, const struct ui *u, struct area a)
{
	int counts[RUNG_WORD_COUNT], all[RUNG_WORD_COUNT] = {0}, width = 0, col = 1;
	for (int e = 0; e < m->setup->n_envs; e++) {
		rung_counts(m, e, counts);
		for (int w = 0; w < RUNG_WORD_COUNT; w++)
			all[w] += counts[w];
	}
	for (int w = 0; w < RUNG_WORD_COUNT; w++)
		width += text_width(rung_desc((enum rung_word)w)->word) + 4;
	bool short_of_room = width >= a.cols;
	for (int w = 0; w < RUNG_WORD_COUNT; w++) {
		const struct rung_desc *d = rung_desc((enum rung_word)w);
		/* The two that nobody has to look up go first. */
		if (short_of_room && (all[w] == 0 || w == RUNG_APPLIED || w == RUNG_PENDING))
			continue;
		if (col + 2 + text_width(d->word) > a.cols)
			break;
		area_text(a, 0, col, rung_role((enum rung_word)w), rung_glyph(u, (enum rung_word)w));
		col = area_text(a, 0, col + 2, ROLE_DIM, d->word) + 2;
	}
}

int ladder_state(const struct model *m, const struct ui *u, struct area a, int row, const struct rung *r,
                 int env)
{
	const struct migration *it = rung_in(r, m->ladder, env);
	char at[40] = "", took[24], lock[TEXT_LEN * 2];
	if (!it) {
		area_printf(a, row, 1, ROLE_DIM, "%s",
		            m->ladder[env] ? "not known in this environment"
		                           : "this environment could not be read");
		return row + 1;
	}
	enum rung_word w = rung_of(it);
	int col = area_printf(a, row, 1, rung_role(w), "%s %s", rung_glyph(u, w), rung_desc(w)->word);
	if (it->applied_us > 0) {
		time_iso(at, sizeof at, it->applied_us, false);
		at[10] = ' ';
		col = area_printf(a, row, col, ROLE_DIM, "%s%s", w == RUNG_APPLIED ? " " : ", ", at);
	}
	if (it->took_us > 0) {
		time_span(took, sizeof took, it->took_us);
		col = area_printf(a, row, col, ROLE_DIM, ", took %s", took);
	}
	char kind[TEXT_LEN];
	bool breaks = it->loses_data || it->destructive;
	(void)snprintf(kind, sizeof kind, "%s%s%s%s", migration_kind_name(it->kind),
	               it->loses_data ? ", loses data" : "",
	               it->destructive ? ", the release before may not run on it" : "",
	               it->rerun ? ", runs again with the next run" : "");
	if (col + 2 + text_width(kind) <= a.cols || a.rows < 10)
		area_printf(a, row++, col, breaks ? ROLE_WARN : ROLE_DIM, ", %s", kind);
	else
		row = paragraph(a, row + 1, 1, breaks ? ROLE_WARN : ROLE_DIM, kind);
	if (it->state == MIGRATION_RUNNING)
		for (int i = 0; i < m->ladder[env]->n_locks; i++) {
			lock_line(m, &m->ladder[env]->locks[i], lock, sizeof lock);
			area_text(a, row++, 3, ROLE_RUN, lock);
		}
	return paragraph(a, row, 1, w == RUNG_APPLIED ? ROLE_DIM : ROLE_TEXT, it->text);
}

static int origin_line(const struct model *m, struct area a, int row, const struct rung *r)
{
	const struct migration_origin *o = rung_origin(m, r);
	const struct commit *c = rung_added(m, r);
	const struct migration_release *release =
	    o ? migration_history_release(m->ladder_history, o->release) : NULL;
	char age[16];
	if (!c) {
		if (m->ladder_history && r->any->path[0])
			area_text(a, row++, 1, ROLE_DIM, "who brought it is older than what the clone has");
		else if (!r->any->path[0] && !r->external)
			area_text(a, row++, 1, ROLE_DIM, "Enter looks for its file in older revisions");
		return row;
	}
	age_text(age, sizeof age, m->now_us, c->time_us);
	int col = area_printf(a, row, 1, ROLE_DIM, "%.9s", c->revision);
	col = area_printf(a, row, col + 1, ROLE_TEXT, "%s", c->author);
	col = area_printf(a, row, col + 1, ROLE_DIM, "%s ago, %s%s", age, release ? "brought by " : "",
	                  release ? release->name : "in no release yet");
	area_printf(a, row++, col + 2, ROLE_TEXT, "%s", c->subject);
	if (o->changed != o->added) {
		c = migration_history_commit(m->ladder_history, o->changed);
		age_text(age, sizeof age, m->now_us, c ? c->time_us : 0);
		if (c)
			area_printf(a, row++, 1, ROLE_DIM, "edited %s ago by %s in %.9s  %s", age, c->author,
			            c->revision, c->subject);
	}
	return row;
}

void ladder_detail(const struct model *m, const struct ui *u, struct area a, const struct rung *r, int env)
{
	char title[MIGRATION_LEN + NAME_LEN];
	(void)snprintf(title, sizeof title, "%.120s / %s", r->any->name, m->setup->envs[env].name);
	pane_title(a, 0, u, false, title, m->ladder[env] ? m->ladder[env]->tool : NULL);
	int row = ladder_state(m, u, a, 1, r, env);
	row = origin_line(m, a, row, r);
	if (row < a.rows)
		area_text(a, row, 1, ROLE_DIM, r->any->path);
}

void ladder_externals(const struct model *m, const struct ui *u, struct area a)
{
	pane_title(a, 0, u, false, "migrations of other code", NULL);
	(void)paragraph(
	    a, 1, 1, ROLE_DIM,
	    "Their files are not in this service's tree: other packages brought them, or they are what a "
	    "squash left in the table. Nothing of this service waits for them.");
	UNUSED(m);
}
