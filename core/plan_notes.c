/* What a plan shows beside its migrations: findings of their statements, and the state of the database. */
#include "core/plan.h"

#include "core/text.h"

#include <string.h>

void plan_add_detail(struct plan *p, int migration, int line, enum state state, const char *text,
                     const char *safer)
{
	struct plan_detail *more, *d;

	if (p->n_details >= PLAN_DETAILS_MAX) {
		p->n_more_details++;
		return;
	}
	more =
	    arena_grow(&p->arena, p->details, (size_t)p->n_details, (size_t)p->n_details + 1, sizeof(*more));
	if (more == NULL)
		return;
	p->details = more;
	d = &more[p->n_details++];
	*d = (struct plan_detail){.migration = migration, .line = line, .state = state};
	text_cleanz(d->text, sizeof(d->text), text);
	text_cleanz(d->safer, sizeof(d->safer), safer);
}

void plan_add_database(struct plan *p, enum state state, const char *text)
{
	struct db_note *more;

	if (p->n_database >= DB_ROWS_MAX)
		return;
	more = arena_grow(&p->arena, p->database, (size_t)p->n_database, (size_t)p->n_database + 1,
	                  sizeof(*more));
	if (more == NULL)
		return;
	p->database = more;
	more[p->n_database].state = state;
	text_cleanz(more[p->n_database].text, sizeof(more->text), text);
	p->n_database++;
}

static enum state state_of(const char *name)
{
	for (int k = 0; k < STATE_COUNT; k++)
		if (strcmp(name, state_name((enum state)k)) == 0)
			return (enum state)k;
	return STATE_UNKNOWN;
}

void plan_notes_to_jv(struct arena *a, const struct plan *p, struct jv *e)
{
	struct jv *details = jv_arr(a), *database = jv_arr(a);

	for (int i = 0; i < p->n_details; i++) {
		const struct plan_detail *d = &p->details[i];
		struct jv *x = jv_obj(a);

		jv_set_int(a, x, "migration", d->migration);
		jv_set_int(a, x, "line", d->line);
		jv_set_str(a, x, "state", state_name(d->state));
		jv_set_str(a, x, "text", d->text);
		jv_set_str(a, x, "safer", d->safer);
		jv_push(a, details, x);
	}
	for (int i = 0; i < p->n_database; i++) {
		struct jv *x = jv_obj(a);

		jv_set_str(a, x, "state", state_name(p->database[i].state));
		jv_set_str(a, x, "text", p->database[i].text);
		jv_push(a, database, x);
	}
	jv_set(a, e, "details", details);
	jv_set_int(a, e, "details_more", p->n_more_details);
	jv_set(a, e, "database", database);
}

void plan_notes_from_jv(const struct jv *e, struct plan *p)
{
	const struct jv *details = jv_get(e, "details"), *database = jv_get(e, "database");

	for (size_t i = 0; i < jv_len(details); i++) {
		const struct jv *x = jv_at(details, i);
		const int64_t migration = jv_get_num(x, "migration", -1);

		if (migration >= 0 && migration < p->n_migrations)
			plan_add_detail(p, (int)migration, (int)CLAMP(jv_get_num(x, "line", 0), 0, INT32_MAX),
			                state_of(jv_get_text(x, "state", "")), jv_get_text(x, "text", ""),
			                jv_get_text(x, "safer", ""));
	}
	p->n_more_details += (int)CLAMP(jv_get_num(e, "details_more", 0), 0, INT32_MAX / 2);
	for (size_t i = 0; i < jv_len(database); i++)
		plan_add_database(p, state_of(jv_get_text(jv_at(database, i), "state", "")),
		                  jv_get_text(jv_at(database, i), "text", ""));
}
