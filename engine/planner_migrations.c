/* The migrations of a plan: what would run, what the database is busy with, what the way back would meet. */
#include "engine/planner_private.h"

#include "core/ladder.h"
#include "core/verdict.h"

#include <stdio.h>
#include <string.h>

void planner_ask_migrations(struct gather *g)
{
	const struct opened *migrate = app_migrate(g->app, g->want.service, g->want.env);
	struct op *op;

	if (migrate == NULL)
		return;
	if (g->plan->to.revision[0] == '\0') {
		g->answers[Q_MIGRATIONS].o =
		    outcome_make(OUTCOME_ERRORED, "migrate", "the release's revision is not known");
		return;
	}
	op = planner_ask(g, Q_MIGRATIONS, ASK_US, migration_set_free);
	if (op != NULL)
		MIGRATE_OF(migrate)->inspect(migrate->priv, g->plan->to.revision, op);
	op = planner_ask(g, Q_HEALTH, ASK_US, database_health_free);
	if (op != NULL)
		MIGRATE_OF(migrate)->health(migrate->priv, false, op);
	/* What runs now: for the verdict on the schema, and to see files that changed after they were applied. */
	if (g->plan->from.revision[0] == '\0')
		return;
	op = planner_ask(g, Q_OLD_MIGRATIONS, ASK_US, migration_set_free);
	if (op != NULL)
		MIGRATE_OF(migrate)->inspect(migrate->priv, g->plan->from.revision, op);
}

/* Applied ones that stand in the way of trust, whatever would run. */
static void add_odd(struct plan *p, const struct migration_set *set)
{
	const struct migration *missing = NULL, *late = NULL, *skipped = NULL, *conditional = NULL;

	for (int i = set->n_items - 1; i >= 0; i--) {
		const struct migration *m = &set->items[i];

		if (m->external)
			continue;
		if (m->state == MIGRATION_MISSING)
			missing = m;
		else if (m->state == MIGRATION_PENDING && m->late)
			late = m;
		else if (m->state == MIGRATION_SKIPPED)
			skipped = m;
		else if (m->state == MIGRATION_CONDITIONAL)
			conditional = m;
	}
	if (set->n_modified > 0)
		plan_add_risk(
		    p, true,
		    "%d applied migration%s other bytes in this release: never change one, add a new one",
		    set->n_modified, set->n_modified == 1 ? " has" : "s have");
	if (missing != NULL)
		plan_add_risk(p, true,
		              "the database has %d migration%s that this release does not know (%.150s)",
		              set->n_missing, set->n_missing == 1 ? "" : "s", missing->name);
	if (late != NULL)
		plan_add_risk(p, false, "%.150s is older than one that is applied: it runs out of order",
		              late->name);
	if (skipped != NULL)
		plan_add_risk(p, true, "%.150s will never run here: %.200s", skipped->name, skipped->text);
	if (conditional != NULL)
		plan_add_risk(p, false, "%.150s may run or not: %.200s", conditional->name,
		              conditional->text);
}

static void add_pending(struct plan *p, const struct migration_set *set)
{
	p->migrations = arena_alloc(&p->arena, (size_t)MAX(set->n_pending, 1) * sizeof(*p->migrations));
	for (int i = 0; i < set->n_items && p->migrations != NULL; i++) {
		const struct migration *m = &set->items[i];

		if (m->state != MIGRATION_PENDING || m->external || p->n_migrations >= set->n_pending)
			continue;
		p->migrations[p->n_migrations++] = *m;
		if (m->loses_data)
			plan_add_risk(p, true, "%.150s loses data: %.150s", m->name, m->text);
		else if (m->destructive)
			plan_add_risk(p, true, "%.150s breaks the release that runs now: %.150s", m->name,
			              m->text);
	}
}

static void add_database(struct gather *g)
{
	const struct database_health *h = planner_got(g, Q_HEALTH);
	struct db_note notes[DB_ROWS_MAX];
	struct plan *p = g->plan;
	int n;

	if (h == NULL) {
		plan_add_database(p, STATE_UNKNOWN, g->answers[Q_HEALTH].o.text);
		return;
	}
	n = database_notes(h, notes, DB_ROWS_MAX);
	for (int i = 0; i < n; i++) {
		plan_add_database(p, notes[i].state, notes[i].text);
		if (notes[i].state == STATE_FAILED)
			plan_add_risk(p, true, "database: %s", notes[i].text);
	}
}

/* Can the release that a rollback puts back run on the schema as it is? */
static void add_verdict(struct gather *g)
{
	char text[TEXT_LEN];
	enum schema_verdict v =
	    verdict_for(planner_got(g, Q_MIGRATIONS), planner_got(g, Q_OLD_MIGRATIONS), text, sizeof(text));

	if (v != SCHEMA_SAME)
		plan_add_risk(g->plan, v != SCHEMA_ADDITIVE, "schema: %s", text);
	else
		str_copy(g->plan->migrations_text, sizeof(g->plan->migrations_text), text);
}

/* What a plan of the database would do, in words: nothing of it is a promotion. */
static void add_work(struct plan *p, const struct migration_set *set)
{
	bool found = false, behind = false;
	int newer = 0, loses = 0;

	for (int i = 0; set != NULL && i < set->n_items; i++) {
		const struct migration *m = &set->items[i];

		if (behind && migration_state_ran(m->state) && !m->external) {
			newer++;
			loses += m->kind != MIGRATION_DATA;
		}
		if (strcmp(m->name, p->argument) == 0)
			found = behind = true;
	}
	if (p->kind == PLAN_RESTORE) {
		plan_add_risk(p, true, "everything that was written since the backup %s is lost",
		              p->argument);
		return;
	}
	if (!found && p->argument[0] != '\0')
		plan_add_risk(p, true, "neither this release nor the database knows a migration %s",
		              p->argument);
	if (p->kind == PLAN_REPAIR) {
		plan_add_risk(
		    p, false,
		    "the tool's record is put right; the schema itself is not touched: mend what is "
		    "half done first");
		return;
	}
	if (newer == 0)
		plan_add_risk(p, true, "nothing newer than %s is applied", p->argument);
	else
		plan_add_risk(p, true, "%d migration%s taken back, with the data that %s added", newer,
		              newer == 1 ? " is" : "s are", loses == 1 ? "it" : "they");
	plan_add_risk(p, true, "%s goes on running on the older schema",
	              p->to.tag[0] != '\0' ? p->to.tag : "the release");
}

void planner_take_migrations(struct gather *g)
{
	const struct migration_set *set = planner_got(g, Q_MIGRATIONS);
	struct plan *p = g->plan;

	if (app_migrate(g->app, g->want.service, g->want.env) == NULL)
		return;
	if (set == NULL) {
		str_copy(p->migrations_text, sizeof(p->migrations_text), g->answers[Q_MIGRATIONS].o.text);
	} else {
		if (p->kind == PLAN_PROMOTE)
			ladder_mark_modified(g->answers[Q_MIGRATIONS].result,
			                     planner_got(g, Q_OLD_MIGRATIONS));
		str_copy(p->migrate_tool, sizeof(p->migrate_tool), set->tool);
		if (set->blocked)
			str_copy(p->migrations_text, sizeof(p->migrations_text), set->block_text);
		else if (set->lock_text[0] != '\0')
			str_copy(p->migrations_text, sizeof(p->migrations_text), set->lock_text);
	}
	if (p->kind == PLAN_ROLLBACK) {
		add_verdict(g);
		return;
	}
	if (plan_of_database(p->kind)) {
		add_work(p, set);
		add_database(g);
		return;
	}
	if (set == NULL)
		return;
	add_odd(p, set);
	add_pending(p, set);
	if (p->n_migrations > 0)
		add_database(g);
}
