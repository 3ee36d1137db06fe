#include "engine/report.h"

#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char state_glyph(enum state s)
{
	static const char glyphs[STATE_COUNT + 1] = ".+!X%?=-#~";

	return (unsigned)s < STATE_COUNT ? glyphs[s] : '?';
}

enum exit_code exit_of(enum outcome_kind k)
{
	switch (k) {
	case OUTCOME_OK: return EXIT_DONE;
	case OUTCOME_FAILED: return EXIT_NO;
	case OUTCOME_ERRORED:
	case OUTCOME_UNSUPPORTED: return EXIT_NOT_FOUND_OUT;
	case OUTCOME_UNKNOWN: return EXIT_UNKNOWN;
	case OUTCOME_CANCELLED: return EXIT_CANCELLED;
	case OUTCOME_COUNT: break;
	}
	return EXIT_UNKNOWN;
}

enum exit_code exit_of_rollout(const struct rollout *r)
{
	if (r->rolled_back)
		return EXIT_NO;
	return exit_of(r->outcome);
}

void report_outcome(struct command_run *run, const struct outcome *o)
{
	command_done(run, exit_of(o->kind), "%s%s%s%s%s", o->text, o->hint[0] != '\0' ? " (" : "", o->hint,
	             o->hint[0] != '\0' ? ")" : "", "");
}

/* --- text --------------------------------------------------------------------------------------- */

enum { WIDTH = 80 };

void report_text(struct command_run *run, const char *first, const char *indent, const char *text)
{
	char line[WIDTH * 4];
	int used = snprintf(line, sizeof(line), "%s", first), width = text_width(first);
	bool fresh = true;

	while (*text != '\0') {
		const size_t n = strcspn(text, " \n");
		const bool ends = text[n] == '\n';
		char word[WIDTH * 2];
		int cells;

		snprintf(word, sizeof(word), "%.*s", (int)MIN(n, sizeof(word) - 1), text);
		cells = text_width(word);
		if (!fresh && width + 1 + cells > WIDTH) {
			command_line(run, "%s", line);
			used = snprintf(line, sizeof(line), "%s", indent);
			width = text_width(indent);
			fresh = true;
		}
		used = MIN((int)sizeof(line) - 1, used + snprintf(line + used, sizeof(line) - (size_t)used,
		                                                  "%s%s", fresh ? "" : " ", word));
		width += cells + !fresh;
		fresh = ends;
		if (ends) {
			command_line(run, "%s", line);
			used = snprintf(line, sizeof(line), "%s", indent);
			width = text_width(indent);
		}
		text += n + strspn(text + n, ends ? " \n" : " ");
	}
	command_line(run, "%s", line);
}

/* --- tables ------------------------------------------------------------------------------------- */

void table_init(struct table *t, struct command_run *run, const char *const *heads)
{
	*t = (struct table){.run = run};
	while (heads[t->n_columns] != NULL && t->n_columns < TABLE_COLUMNS_MAX)
		t->n_columns++;
	table_row(t, heads);
}

void table_row(struct table *t, const char *const *cells)
{
	struct arena *a = command_arena(t->run);

	if (t->n_rows == t->cap_rows) {
		int cap = MAX(t->cap_rows * 2, 32);
		void *rows = arena_grow(a, t->rows, (size_t)t->n_rows, (size_t)cap, sizeof(*t->rows));

		if (rows == NULL)
			return;
		t->rows = rows;
		t->cap_rows = cap;
	}
	for (int i = 0; i < t->n_columns; i++)
		t->rows[t->n_rows][i] = cells[i] != NULL ? arena_strdup(a, cells[i]) : "";
	t->n_rows++;
}

void table_print(const struct table *t)
{
	int width[TABLE_COLUMNS_MAX] = {0};

	if (arena_failed(command_arena(t->run)))
		return;
	for (int r = 0; r < t->n_rows; r++)
		for (int c = 0; c < t->n_columns; c++)
			width[c] = MAX(width[c], text_width(t->rows[r][c]));
	for (int r = 0; r < t->n_rows; r++) {
		struct str line;

		str_init(&line, 4096);
		for (int c = 0; c < t->n_columns; c++) {
			str_add(&line, t->rows[r][c]);
			if (c + 1 < t->n_columns)
				str_addf(&line, "%*s", width[c] - text_width(t->rows[r][c]) + 2, "");
		}
		command_line(t->run, "%s", str_text(&line));
		str_release(&line);
	}
}

/* --- plans -------------------------------------------------------------------------------------- */

static const char *or_none(const char *s, const char *otherwise) { return s[0] != '\0' ? s : otherwise; }

static void plan_commits(struct command_run *run, const struct plan *p)
{
	if (p->commits == NULL) {
		command_line(run, "commits     not known: %s",
		             or_none(p->commits_text, "no forge is configured"));
		return;
	}
	command_line(run, "commits     %d%s", p->commits->n_items + p->commits->n_more,
	             p->commits->backwards ? " that leave" : "");
	for (int k = 0; k < COMMIT_KIND_COUNT; k++)
		for (int i = 0; i < p->commits->n_items; i++) {
			const struct commit *c = &p->commits->items[i];

			if (c->kind == (enum commit_kind)k)
				command_line(run, "  %-8s  %.8s  %s%s%s%s%s", commit_kind_name(c->kind),
				             c->revision, c->breaking ? "BREAKING " : "", c->scope,
				             c->scope[0] != '\0' ? ": " : "", c->subject, "");
		}
}

static void plan_details(struct command_run *run, const struct plan *p, int migration)
{
	for (int i = 0; i < p->n_details; i++) {
		const struct plan_detail *d = &p->details[i];
		char line[24] = "";

		if (d->migration != migration)
			continue;
		if (d->line > 0)
			snprintf(line, sizeof(line), "line %d: ", d->line);
		command_line(run, "            %c %s%s", state_glyph(d->state), line, d->text);
		if (d->safer[0] != '\0')
			command_line(run, "              %s", d->safer);
	}
}

static void plan_migrations(struct command_run *run, const struct plan *p)
{
	if (p->migrations_text[0] != '\0')
		command_line(run, "migrations  %s", p->migrations_text);
	else
		command_line(run, "migrations  %d", p->n_migrations);
	for (int i = 0; i < p->n_migrations; i++) {
		const struct migration *m = &p->migrations[i];

		command_line(run, "  %-8s  %s%s%s%s", migration_kind_name(m->kind), m->name,
		             m->loses_data ? "  LOSES DATA" : "", m->text[0] != '\0' ? "  " : "", m->text);
		plan_details(run, p, i);
	}
	if (p->n_more_details > 0)
		command_line(run, "            and %d more findings", p->n_more_details);
	for (int i = 0; i < p->n_database; i++)
		command_line(run, "%s%c %s", i == 0 ? "database    " : "            ",
		             state_glyph(p->database[i].state), p->database[i].text);
}

static void plan_vars(struct command_run *run, const struct plan *p)
{
	int same = 0;

	for (int i = 0; p->vars != NULL && i < p->vars->n_items; i++)
		if (p->vars->items[i].state == VAR_SAME)
			same++;
	if (p->vars == NULL)
		return;
	command_line(run, "config      %d keys, %d same", p->vars->n_items, same);
	for (int i = 0; i < p->vars->n_items; i++) {
		const struct var *v = &p->vars->items[i];

		if (v->state != VAR_SAME)
			command_line(run, "  %-8s  %s%s%s%s%s%s", var_state_name(v->state), v->key,
			             v->required ? " (required)" : "", v->from[0] != '\0' ? "  " : "",
			             v->from, v->to[0] != '\0' ? " > " : "", v->to);
	}
}

static char gate_glyph(enum gate_verdict v)
{
	switch (v) {
	case GATE_OPEN: return '+';
	case GATE_WAITS: return '%';
	case GATE_CLOSED: return '!';
	case GATE_UNKNOWN: return '?';
	case GATE_EXEMPT: return '-';
	}
	return '?';
}

/* What each member of a set would do, in order. */
static void plan_members(struct command_run *run, const struct plan *p)
{
	command_line(run, "members     %d, %s", p->n_members,
	             plan_goes_back(p) ? "the last one first" : "in this order; all go back when one fails");
	for (int i = 0; i < p->n_members; i++) {
		const struct plan *m = p->members[i];
		const struct gate *g = NULL;
		char id[16];

		plan_may_run(m, &g);
		command_line(run, "  %d %-12s  %s > %s  %d migration%s, plan %s%s%s%s%s", i + 1, m->service,
		             or_none(m->from.tag, "nothing"), or_none(m->to.tag, "?"), m->n_migrations,
		             m->n_migrations == 1 ? "" : "s", plan_short(m, id),
		             g != NULL ? ", blocked by " : "", g != NULL ? gate_kind_name(g->kind) : "",
		             m->back_text[0] != '\0' ? (m->kind == PLAN_ROLLBACK ? "; schema: " : "; back: ")
		                                     : "",
		             m->back_text);
		for (int k = 0; k < m->n_migrations; k++)
			command_line(run, "      %-8s  %s%s", migration_kind_name(m->migrations[k].kind),
			             m->migrations[k].name,
			             m->migrations[k].loses_data ? "  LOSES DATA" : "");
	}
	if (p->left_out[0] != '\0')
		command_line(run, "left out    %s", p->left_out);
}

void report_others(struct command_run *run, const struct presence_place *at)
{
	const struct model *m = app_model(command_app(run));
	struct presence_seen seen[OTHERS_MAX];
	char text[TEXT_LEN];
	int n;

	if (m->store == NULL)
		return;
	n = presence_around(m->store->presence, m->store->n_presence, at, seen, OTHERS_MAX);
	for (int i = 0; i < MIN(n, OTHERS_MAX); i++) {
		presence_text(&seen[i], at, text, sizeof(text));
		command_line(run, "%c %s", seen[i].row->doing != PRESENCE_LOOKS ? '!' : '@', text);
	}
}

void report_plan(struct command_run *run, const struct plan *p)
{
	struct arena *a = command_arena(run);
	struct presence_place at;
	char when[32], id[16];

	jv_set(a, command_value(run), "plan", plan_to_jv(a, p));
	jv_set_bool(a, command_value(run), "may_run", plan_may_run(p, NULL));
	if (command_wants_json(run))
		return;
	command_line(run, "plan %s  %s %s  %s > %s", plan_short(p, id),
	             p->kind == PLAN_SET && plan_goes_back(p) ? "set back" : plan_kind_name(p->kind),
	             plan_set_name(p->service), or_none(p->source_env, or_none(p->to.tag, "release")),
	             p->env);
	if (plan_of_database(p->kind))
		command_line(run, "release     reads %s, %s goes on running", or_none(p->to.tag, "?"),
		             or_none(p->from.tag, "what runs"));
	else
		command_line(run, "release     %s > %s", or_none(p->from.tag, "nothing"),
		             or_none(p->to.tag, "?"));
	if (p->kind == PLAN_SET) {
		plan_members(run, p);
		plan_commits(run, p);
	} else {
		command_line(run, "image       %s", p->to.digest);
		plan_commits(run, p);
		plan_migrations(run, p);
		plan_vars(run, p);
	}
	command_line(run, "gates");
	for (int i = 0; i < p->n_gates; i++) {
		const struct gate *g = &p->gates[i];

		time_clock(when, sizeof(when), g->open_at_us);
		command_line(run, "  %c %-14s  %s%s%s%s%s", gate_glyph(g->verdict), gate_kind_name(g->kind),
		             g->evidence, g->next[0] != '\0' ? "; " : "", g->next,
		             g->open_at_us != 0 ? ", opens " : "", g->open_at_us != 0 ? when : "");
	}
	command_line(run, "steps");
	for (int i = 0; i < p->n_steps; i++) {
		char span[16] = "";

		if (p->steps[i].expect_us > 0)
			time_span(span, sizeof(span), p->steps[i].expect_us);
		command_line(run, "  %d %-10s  %s%s%s", i + 1, step_kind_name(p->steps[i].kind),
		             p->steps[i].target, span[0] != '\0' ? "  about " : "", span);
	}
	for (int i = 0; i < p->n_risks; i++)
		command_line(run, "%s  %s", p->risks[i].grave ? "RISK      " : "risk      ",
		             p->risks[i].text);
	at = model_place(app_model(command_app(run)), p->service, p->env, p->digest, "");
	report_others(run, &at);
}

bool args_past(struct command_run *run, const char *name, int64_t *ret_us)
{
	const char *text = args_text(run, name);
	char day[40];
	int64_t at, span;

	if (text == NULL)
		return true;
	snprintf(day, sizeof(day), "%.20sT00:00:00Z", text);
	if (time_parse_iso(text, strlen(text), &at) != 0 && time_parse_iso(day, strlen(day), &at) != 0)
		at = time_parse_duration(text, &span) == 0 && span <= 36500 * US_PER_DAY
		         ? loop_wall_us() - span
		         : INT64_MAX;
	if (at <= loop_wall_us()) {
		*ret_us = at;
		return true;
	}
	command_done(run, EXIT_USAGE,
	             "--%s takes a time gone by: 2026-10-27T16:00:00Z, 2026-10-27, or 90m for 90 minutes ago",
	             name);
	return false;
}
