/* A plan: everything that it would do and what speaks for and against it. And the picker of releases to go back to. */
#include "core/gate.h"
#include "core/text.h"
#include "core/time.h"
#include "tui/widget/widget.h"

#include <stdio.h>
#include <string.h>

static enum state gate_glyph(enum gate_verdict v)
{
	switch (v) {
	case GATE_OPEN: return STATE_OK;
	case GATE_WAITS: return STATE_PROGRESS;
	case GATE_CLOSED: return STATE_FAILED;
	case GATE_EXEMPT: return STATE_SKIPPED;
	case GATE_UNKNOWN: break;
	}
	return STATE_UNKNOWN;
}

/* The members of a set in order: what each would do, what stands most in its way, and whether it can go back. */
static int members(const struct ui *u, struct area a, int row, const struct plan *p)
{
	char from[TAG_LEN], to[TAG_LEN];
	area_printf(a, row++, 1, ROLE_TITLE, "MEMBERS %d  %s", p->n_members,
	            plan_goes_back(p) ? "the last one first" : "in this order; all go back when one fails");
	for (int i = 0; i < p->n_members; i++) {
		const struct plan *x = p->members[i];
		const struct gate *g = NULL;
		bool may = plan_may_run(x, &g);
		enum state s = may ? STATE_OK : g ? gate_glyph(g->verdict) : STATE_UNKNOWN;
		bool back = x->back == SCHEMA_SAME || x->back == SCHEMA_ADDITIVE || x->back_text[0] == '\0';
		int col = area_printf(a, row, 3, ROLE_TEXT, "%d ", i + 1);
		col = area_text(a, row, col, state_role(s), u->glyphs->state[s]);
		area_textn(a, row, col + 1, 14, ROLE_TEXT, 0, x->service);
		col = area_printf(a, row, col + 16, ROLE_TEXT, "%s %s %s",
		                  release_text(&x->from, from, sizeof from), u->glyphs->arrow,
		                  release_text(&x->to, to, sizeof to));
		col = area_printf(a, row, col + 2, ROLE_DIM, "%d migration%s", x->n_migrations,
		                  x->n_migrations == 1 ? "" : "s");
		if (!may && g)
			area_printf(a, row, col + 2, state_role(s), "blocked by %s", gate_kind_name(g->kind));
		row++;
		if (x->back_text[0] || (!may && g)) {
			char text[TEXT_LEN * 2 + 64];
			(void)snprintf(text, sizeof text, "%s%s%s%s", !may && g ? g->evidence : "",
			               !may && g && x->back_text[0] ? "; " : "",
			               !x->back_text[0]           ? ""
			               : x->kind == PLAN_ROLLBACK ? "schema: "
			               : back                     ? "can go back: "
			               : x->back == SCHEMA_BREAKS ? "CANNOT GO BACK: "
			                                          : "may not be able to go back: ",
			               x->back_text);
			row = paragraph(a, row, 7, back ? ROLE_DIM : ROLE_ERR, text);
		}
	}
	if (p->left_out[0])
		row = paragraph(a, row, 3, ROLE_DIM, p->left_out);
	return row;
}

static int head(const struct model *m, const struct ui *u, struct area a, int row, const struct plan *p)
{
	char from[TAG_LEN], to[TAG_LEN], id[16], age[16], d1[32], d2[32];
	int col = area_printf(a, row, 1, ROLE_TITLE, "%s %s %s %s",
	                      p->kind == PLAN_SET && plan_goes_back(p) ? "set back" : plan_kind_name(p->kind),
	                      plan_set_name(p->service), u->glyphs->arrow, p->env);
	/* A plan of the database moves no release: it reads the files of one. */
	if (plan_of_database(p->kind))
		col =
		    area_printf(a, row, col + 2, ROLE_TEXT, "reads %s", release_text(&p->to, to, sizeof to));
	else
		col = area_printf(a, row, col + 2, ROLE_TEXT, "%s %s %s",
		                  release_text(&p->from, from, sizeof from), u->glyphs->arrow,
		                  release_text(&p->to, to, sizeof to));
	if (p->source_env[0])
		col = area_printf(a, row, col + 2, ROLE_DIM, "from %s", p->source_env);
	/* The releases of a set fill the line. */
	if (p->kind != PLAN_SET)
		area_printf(a, row, col + 2, ROLE_DIM, "plan %s", plan_short(p, id));
	row++;
	age_text(age, sizeof age, m->now_us, p->made_us);
	if (p->kind == PLAN_SET)
		col = area_printf(a, row, 1, ROLE_DIM, "plan %s, one approval, all or nothing",
		                  plan_short(p, id));
	else if (plan_of_database(p->kind))
		col = area_printf(a, row, 1, ROLE_DIM, "%s goes on running",
		                  release_text(&p->from, from, sizeof from));
	else
		col = area_printf(a, row, 1, ROLE_DIM, "%s %s %s",
		                  p->from.digest[0] ? digest_short(p->from.digest, d1, sizeof d1) : "-",
		                  u->glyphs->arrow, digest_short(p->to.digest, d2, sizeof d2));
	area_printf(a, row++, col + 2, ROLE_DIM, "computed %s ago%s%s", age, p->reason[0] ? "  reason: " : "",
	            p->reason);
	return row + 1;
}

static int gates(const struct ui *u, struct area a, int row, const struct plan *p)
{
	area_text(a, row++, 1, ROLE_TITLE, "GATES");
	if (p->n_gates == 0)
		area_text(a, row++, 3, ROLE_DIM, "none guards this environment");
	for (int i = 0; i < p->n_gates; i++) {
		const struct gate *g = &p->gates[i];
		enum state s = gate_glyph(g->verdict);
		int col = area_printf(a, row, 3, state_role(s), "%s %-14s", u->glyphs->state[s],
		                      gate_kind_name(g->kind));
		row = paragraph(a, row, col + 1, ROLE_TEXT,
		                g->evidence[0] ? g->evidence : gate_verdict_name(g->verdict));
		if (g->next[0] && g->verdict != GATE_OPEN && g->verdict != GATE_EXEMPT)
			row = paragraph(a, row, col + 1, ROLE_DIM, g->next);
	}
	return row;
}

/* What is known of the i-th migration's statements, each with the way that harms less. */
static int details(const struct ui *u, struct area a, int row, const struct plan *p, int migration)
{
	for (int i = 0; i < p->n_details; i++) {
		const struct plan_detail *d = &p->details[i];
		if (d->migration != migration)
			continue;
		area_text(a, row, 5, state_role(d->state), u->glyphs->state[d->state]);
		if (d->line > 0) {
			char text[TEXT_LEN + 32];
			(void)snprintf(text, sizeof text, "line %d: %s", d->line, d->text);
			row = paragraph(a, row, 7, ROLE_TEXT, text);
		} else {
			row = paragraph(a, row, 7, ROLE_TEXT, d->text);
		}
		if (d->safer[0])
			row = paragraph(a, row, 9, ROLE_DIM, d->safer);
	}
	return row;
}

static int migrations(const struct ui *u, struct area a, int row, const struct plan *p)
{
	area_printf(a, row, 1, ROLE_TITLE, "MIGRATIONS %d", p->n_migrations);
	if (p->migrate_tool[0])
		area_printf(a, row, 16, ROLE_DIM, "by %s", p->migrate_tool);
	row++;
	if (p->migrations_text[0])
		row = paragraph(a, row, 3, ROLE_DIM, p->migrations_text);
	for (int i = 0; i < p->n_migrations; i++) {
		const struct migration *it = &p->migrations[i];
		bool bad = it->destructive || it->loses_data;
		area_printf(a, row, 3, bad ? ROLE_WARN : ROLE_TEXT, "%s %s  %s%s%s",
		            u->glyphs->state[bad ? STATE_DEGRADED : STATE_NOT_STARTED], it->name,
		            migration_kind_name(it->kind), it->loses_data ? ", loses data" : "",
		            it->destructive ? ", old code may break" : "");
		row++;
		if (it->text[0])
			row = paragraph(a, row, 5, ROLE_DIM, it->text);
		row = details(u, a, row, p, i);
	}
	if (p->n_more_details > 0)
		area_printf(a, row++, 5, ROLE_DIM, "and %d more findings", p->n_more_details);
	for (int i = 0; i < p->n_database; i++) {
		if (i == 0)
			area_text(a, row++, 1, ROLE_TITLE, "DATABASE NOW");
		area_text(a, row, 3, state_role(p->database[i].state),
		          u->glyphs->state[p->database[i].state]);
		row = paragraph(a, row, 5, ROLE_TEXT, p->database[i].text);
	}
	return row;
}

static int vars(const struct ui *u, struct area a, int row, const struct plan *p)
{
	int same = 0, listed = 0;
	for (int i = 0; p->vars && i < p->vars->n_items; i++)
		same += p->vars->items[i].state == VAR_SAME;
	if (!p->vars)
		return row;
	area_printf(a, row++, 1, ROLE_TITLE, "CONFIG %d keys, %d the same", p->vars->n_items, same);
	for (int i = 0; i < p->vars->n_items && listed < 40; i++) {
		const struct var *v = &p->vars->items[i];
		if (v->state == VAR_SAME)
			continue;
		listed++;
		bool bad = v->required && (v->state == VAR_MISSING || v->state == VAR_EMPTY);
		int col = area_printf(a, row, 3,
		                      bad                     ? ROLE_ERR
		                      : v->state == VAR_EXTRA ? ROLE_ADDED
		                                              : ROLE_TEXT,
		                      "%s %s", u->glyphs->state[bad ? STATE_FAILED : STATE_DRIFT], v->key);
		col = area_printf(a, row, col + 1, ROLE_DIM, "%s%s", var_state_name(v->state),
		                  v->required ? ", required" : "");
		if (v->from[0] || v->to[0])
			area_printf(a, row, col + 2, ROLE_TEXT, "%s %s %s", v->from, u->glyphs->arrow, v->to);
		row++;
	}
	return row;
}

static int commits(const struct ui *u, struct area a, int row, const struct plan *p)
{
	const struct commit_log *log = p->commits;
	if (!log) {
		area_printf(a, row++, 1, ROLE_TITLE, "COMMITS");
		return paragraph(a, row, 3, ROLE_DIM, p->commits_text[0] ? p->commits_text : "not known");
	}
	area_printf(a, row++, 1, ROLE_TITLE, "COMMITS %d%s%s", log->n_items + log->n_more,
	            log->backwards ? " that leave: this goes back" : "",
	            u->commits_open ? "" : "   c shows all");
	if (log->unrelated)
		area_text(a, row++, 3, ROLE_WARN, "! no common history");
	for (int k = 0; k < COMMIT_KIND_COUNT; k++) {
		int n = 0;
		for (int i = 0; i < log->n_items; i++)
			n += (int)log->items[i].kind == k;
		if (n == 0)
			continue;
		area_printf(a, row++, 3, ROLE_TEXT, "%s %d", commit_kind_name((enum commit_kind)k), n);
		int shown = 0;
		for (int i = 0; i < log->n_items; i++) {
			const struct commit *c = &log->items[i];
			if ((int)c->kind != k || (!u->commits_open && shown >= 3))
				continue;
			shown++;
			int col = area_printf(a, row, 5, ROLE_DIM, "%.7s ", c->revision);
			if (c->breaking)
				col = area_text(a, row, col, ROLE_WARN, "! breaking ");
			if (c->scope[0])
				col = area_printf(a, row, col, ROLE_DIM, "%s: ", c->scope);
			col = area_text(a, row, col, ROLE_TEXT, c->subject);
			area_printf(a, row, col + 2, ROLE_DIM, "%s", c->author);
			row++;
		}
		if (n > shown)
			area_printf(a, row++, 5, ROLE_DIM, "and %d more", n - shown);
	}
	return row;
}

static int steps_and_risks(const struct ui *u, struct area a, int row, const struct plan *p)
{
	char span[24];
	area_text(a, row++, 1, ROLE_TITLE, "RISKS");
	if (p->n_risks == 0)
		area_printf(a, row++, 3, ROLE_DIM, "%s none seen", u->glyphs->state[STATE_OK]);
	for (int i = 0; i < p->n_risks; i++) {
		enum state s = p->risks[i].grave ? STATE_FAILED : STATE_DEGRADED;
		area_text(a, row, 3, state_role(s), u->glyphs->state[s]);
		row = paragraph(a, row, 5, p->risks[i].grave ? ROLE_ERR : ROLE_WARN, p->risks[i].text);
	}
	row++;
	time_span(span, sizeof span, p->expect_us);
	int col = area_printf(a, row, 1, ROLE_TITLE, "STEPS %d", p->n_steps);
	if (p->expect_us > 0)
		col = area_printf(a, row, col + 2, ROLE_DIM, "about %s (median of earlier ones)", span);
	static const char *const on_failure[] = {"stops", "pauses", "rolls back by itself"};
	area_printf(a, row++, col + 2, ROLE_DIM, "on failure it %s", on_failure[p->policy.on_failure]);
	for (int i = 0; i < p->n_steps; i++) {
		col = area_printf(a, row, 3, ROLE_TEXT, "%2d %s %s", i + 1, step_kind_name(p->steps[i].kind),
		                  p->steps[i].target);
		if (p->steps[i].expect_us > 0) {
			time_span(span, sizeof span, p->steps[i].expect_us);
			col = area_printf(a, row, MAX(col + 1, 32), ROLE_DIM, "~%s", span);
		}
		area_printf(a, row++, MAX(col + 1, 41), ROLE_DIM, "%s",
		            p->steps[i].safe_to_abort ? "abort is safe" : "");
	}
	return row;
}

static int verdict(const struct model *m, struct area a, int row, const struct plan *p)
{
	const struct gate *gate = NULL;
	int env = m->setup ? setup_env(m->setup, p->env) : -1;
	const char *place = env >= 0 ? m->setup->envs[env].short_name : p->env;
	if (!plan_may_run(p, &gate)) {
		int col = area_text(a, row, 1, ROLE_ERR, "BLOCKED BY");
		for (int i = 0; i < p->n_gates; i++)
			if (p->gates[i].verdict != GATE_OPEN && p->gates[i].verdict != GATE_EXEMPT)
				col = area_printf(a, row, col + 1, ROLE_ERR, "%s",
				                  gate_kind_name(p->gates[i].kind));
		row++;
	} else {
		static const char *const friction[TIER_COUNT] = {"x executes", "x executes", "x, then y",
		                                                 "x, then type its name",
		                                                 "x, a reason, then type its name"};
		area_printf(a, row++, 1, ROLE_OK, "READY: %s", friction[plan_tier(p)]);
	}
	char line[URL_LEN];
	plan_command_line(p, place, line, sizeof line);
	area_text(a, row, 1, ROLE_DIM, "$");
	area_text(a, row, 3, ROLE_LINK, line);
	return row + 2;
}

static int plan_flow(const struct model *m, const struct ui *u, struct area a, int row)
{
	const struct plan *p = m->plan;
	struct presence_place at;
	if (ui_presence_place(u, m, &at))
		row = presence_lines(m, a, row, 1, &at, 3);
	if (u->plan_waits) {
		area_printf(a, row + 1, 1, ROLE_DIM,
		            "asking forge, registry, database, config and store for %s %s %s",
		            plan_set_name(u->service), u->glyphs->arrow, u->env);
		return row + 3;
	}
	if (u->plan_why[0]) {
		area_text(a, row + 1, 1, ROLE_WARN, "no plan can be made:");
		return paragraph(a, row + 2, 1, ROLE_TEXT, u->plan_why) + 1;
	}
	if (!p || strcmp(p->service, u->service) != 0 || strcmp(p->env, u->env) != 0) {
		area_text(a, row + 1, 1, ROLE_DIM, "no plan here yet: P plans a promotion, R a rollback");
		return row + 3;
	}
	if (p->kind == PLAN_SET && u->plan_member > 0 && u->plan_member <= p->n_members) {
		area_printf(a, row, 1, ROLE_LINK,
		            "member %d of %d of set %s %s %s; Enter: the next, Esc: the set", u->plan_member,
		            p->n_members, plan_set_name(p->service), u->glyphs->arrow, p->env);
		row += 2;
		p = p->members[u->plan_member - 1];
		row = head(m, u, a, row, p);
	} else {
		row = head(m, u, a, row, p);
		row = verdict(m, a, row, p);
		if (p->kind == PLAN_SET)
			row = members(u, a, row, p) + 1;
	}
	if (a.cols >= 120) {
		/* Two columns: what guards and changes on the left, what would happen on the right. */
		int half = a.cols / 2;
		struct area left = a, right = a;
		left.cols = half - 1;
		right.col += half;
		right.cols -= half;
		int l = gates(u, left, row, p) + 1;
		if (p->kind != PLAN_SET)
			l = migrations(u, left, l, p) + 1;
		l = vars(u, left, l, p);
		int r = steps_and_risks(u, right, row, p) + 1;
		r = commits(u, right, r, p);
		return MAX(l, r);
	}
	row = gates(u, a, row, p) + 1;
	if (p->kind != PLAN_SET)
		row = migrations(u, a, row, p) + 1;
	row = vars(u, a, row, p) + 1;
	row = steps_and_risks(u, a, row, p) + 1;
	return commits(u, a, row, p);
}

static void plan_draw(const struct model *m, const struct ui *u, struct area a)
{
	(void)plan_flow(m, u, a, -u->scroll);
	if (u->n_lines > a.rows && u->scroll + a.rows < u->n_lines)
		area_right(a, a.rows - 1, a.cols, ROLE_DIM, " more below ");
}

extern const struct view view_plan;
const struct view view_plan = {
    .name = "plan",
    .title = "plan",
    .topics = TOPIC_PLAN | TOPIC_ROLLOUTS | TOPIC_SETUP,
    .flow = plan_flow,
    .draw = plan_draw,
};

/* --- rollback picker -------------------------------------------------------------------------- */

static bool candidates_here(const struct model *m, const struct ui *u)
{
	int service = -1, env = -1;
	return ui_selected(u, m, &service, &env) && m->candidates_service == service &&
	       m->candidates_env == env;
}

static int rollback_rows(const struct model *m, const struct ui *u, struct row *ret, int cap)
{
	int n = 0;
	if (!candidates_here(m, u))
		return 0;
	for (int i = 0; i < m->n_candidates && n < cap; i++, n++) {
		str_copy(ret[n].id, sizeof ret[n].id, m->candidates[i].release.digest);
		ret[n].a = i;
		ret[n].b = 0;
	}
	return n;
}

static const char *rollback_text(const struct model *m, const struct row *row, char *dst, size_t cap)
{
	const struct candidate *c = &m->candidates[row->a];
	(void)snprintf(dst, cap, "%s %s %s", c->release.tag, c->release.revision, c->by);
	return dst;
}

static enum state schema_glyph(enum schema_verdict v)
{
	switch (v) {
	case SCHEMA_SAME:
	case SCHEMA_ADDITIVE: return STATE_OK;
	case SCHEMA_BREAKS: return STATE_FAILED;
	case SCHEMA_BEHIND: return STATE_DEGRADED;
	case SCHEMA_UNKNOWN: break;
	}
	return STATE_UNKNOWN;
}

static int rollback_list_rows(const struct ui *u, int rows)
{
	return CLAMP(u->n_rows, 1, MAX(1, rows / 2 - 2));
}

static int rollback_page(const struct model *m, const struct ui *u, int rows, int cols)
{
	UNUSED(m);
	UNUSED(cols);
	return rollback_list_rows(u, rows);
}

static void rollback_draw(const struct model *m, const struct ui *u, struct area a)
{
	static const struct column cols[] = {
	    {"VERSION", 12, 1, false, 0}, {"RAN", 5, 0, true, 3},
	    {"ENDED", 5, 0, true, 4},     {"THEN", 6, 0, false, 2},
	    {"IMAGE", 8, 0, false, 0},    {"RUNS ON THE SCHEMA NOW?", 24, 4, false, 0},
	    {"BY", 8, 1, false, 1}};
	struct placed p = columns_place(cols, (int)ARRAY_LEN(cols), a.cols);
	const struct list *l = &u->lists[SCREEN_ROLLBACK];
	int list = rollback_list_rows(u, a.rows);
	columns_head(a, 0, cols, &p);
	if (u->n_rows == 0)
		area_text(a, 1, 3, ROLE_DIM,
		          candidates_here(m, u) ? "nothing ran here before: there is nothing to go back to"
		                                : "asking which releases could run here");
	for (int i = 0; i < list && l->top + i < u->n_rows; i++) {
		const struct candidate *c = &m->candidates[u->rows_now[l->top + i].a];
		char text[TEXT_LEN * 2];
		bool here = l->top + i == l->at;
		int y = i + 1;
		enum state schema = schema_glyph(c->schema);
		row_start(a, y, u, here, false, c->bad ? STATE_FAILED : c->good ? STATE_OK : STATE_UNKNOWN);
		column_text(a, y, cols, &p, 0, here ? ROLE_FOCUS : ROLE_TEXT,
		            release_text(&c->release, text, sizeof text));
		time_age(text, sizeof text, c->ran_us);
		column_text(a, y, cols, &p, 1, ROLE_DIM, text);
		age_text(text, sizeof text, m->now_us, c->ended_us);
		column_text(a, y, cols, &p, 2, ROLE_DIM, text);
		column_text(a, y, cols, &p, 3, c->bad ? ROLE_ERR : ROLE_TEXT,
		            c->bad      ? "X bad"
		            : c->pinned ? "pinned"
		            : c->good   ? "+ good"
		                        : "?");
		column_text(a, y, cols, &p, 4, c->image.kind == OUTCOME_OK ? ROLE_TEXT : ROLE_ERR,
		            c->image.kind == OUTCOME_OK       ? "yes"
		            : c->image.kind == OUTCOME_FAILED ? "X GONE"
		                                              : "? unread");
		(void)snprintf(text, sizeof text, "%s %s%s%s", u->glyphs->state[schema],
		               schema_verdict_name(c->schema), c->schema_text[0] ? ": " : "", c->schema_text);
		column_text(a, y, cols, &p, 5, schema == STATE_OK ? ROLE_TEXT : state_role(schema), text);
		column_text(a, y, cols, &p, 6, ROLE_DIM, c->by);
		if (here)
			area_paint(a, y, 1, a.cols - 1, -1, ATTR_REVERSE);
	}
	if (u->n_rows > list)
		area_printf(a, list + 1, 3, ROLE_DIM, "(%d in all)", u->n_rows);
	char title[NAME_LEN * 3];
	(void)snprintf(title, sizeof title, "roll back %s / %s", u->service, u->env);
	pane_title(a, list + 2, u, false, title, NULL);
	const struct candidate *chosen = l->at < u->n_rows ? &m->candidates[u->rows_now[l->at].a] : NULL;
	int said = chosen && chosen->mark[0] ? 1 : 0;
	if (said)
		area_printf(a, list + 3, 1, chosen->bad ? ROLE_ERR : ROLE_WARN, "%s %s",
		            u->glyphs->state[chosen->bad ? STATE_FAILED : STATE_HELD], chosen->mark);
	struct area below = area_part(a, list + 3 + said, 0, -1, -1);
	if (m->plan && m->plan->kind != PLAN_ROLLBACK && !u->plan_waits && !u->plan_why[0])
		area_text(below, 0, 1, ROLE_DIM, "choose a release: the plan for it is shown here");
	else
		(void)plan_flow(m, u, below, 0);
}

extern const struct view view_rollback;
const struct view view_rollback = {
    .name = "rollback",
    .title = "roll back",
    .topics = TOPIC_PLAN | TOPIC_ROLLOUTS | TOPIC_SETUP,
    .rows = rollback_rows,
    .text = rollback_text,
    .page = rollback_page,
    .draw = rollback_draw,
};
