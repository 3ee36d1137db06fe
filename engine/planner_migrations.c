/* The migrations of a plan: what would run, what the database is busy with, what the way back would meet. */
#include "engine/planner_private.h"

#include "core/ladder.h"
#include "core/time.h"
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
	op = planner_ask(g, Q_BACKUPS, ASK_US, backup_list_free);
	if (op != NULL)
		MIGRATE_OF(migrate)->backups(migrate->priv, op);
	migrate = g->previous >= 0 ? app_migrate(g->app, g->want.service, g->previous) : NULL;
	if (migrate != NULL && (op = planner_ask(g, Q_SET_BEFORE, ASK_US, migration_set_free)) != NULL)
		MIGRATE_OF(migrate)->inspect(migrate->priv, g->plan->to.revision, op);
	migrate = app_migrate(g->app, g->want.service, g->want.env);
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

static void add_backups(struct gather *g)
{
	const struct backup_list *l = planner_got(g, Q_BACKUPS);
	const struct outcome *o = &g->answers[Q_BACKUPS].o;
	struct db_note note = {.state = STATE_UNKNOWN};

	/* Where they are is not said: then they are nobody's business here, unless the gate asks. */
	if (l == NULL && o->kind == OUTCOME_UNSUPPORTED)
		return;
	if (l != NULL)
		backup_note(l, loop_wall_us(), &note);
	else
		snprintf(note.text, sizeof(note.text), "backups could not be listed: %.300s", o->text);
	plan_add_database(g->plan, note.state, note.text);
}

/* What a restore loses: what was written since. */
static void add_restore(struct gather *g)
{
	const struct backup_list *l = planner_got(g, Q_BACKUPS);
	const struct backup *b = l != NULL ? backup_named(l, g->plan->argument) : NULL;
	char age[24], size[24];

	if (l != NULL && b == NULL)
		plan_add_risk(g->plan, true,
		              "no backup is called %.200s, see: towpath migrations backups %s %s",
		              g->plan->argument, g->plan->service, g->plan->env);
	if (b == NULL) {
		plan_add_risk(g->plan, true, "everything that was written since the backup %s is lost",
		              g->plan->argument);
		return;
	}
	time_span(age, sizeof(age), MAX(loop_wall_us() - b->at_us, 0));
	str_size(size, sizeof(size), b->bytes);
	plan_add_risk(g->plan, true,
	              "everything that was written since the backup %.200s is lost: it is %s old%s%s",
	              b->name, age, b->bytes >= 0 ? " and has " : "", b->bytes >= 0 ? size : "");
}

/* Can the release that a rollback puts back run on the schema as it is? */
static void add_verdict(struct gather *g)
{
	char text[TEXT_LEN];
	enum schema_verdict v =
	    verdict_for(planner_got(g, Q_MIGRATIONS), planner_got(g, Q_OLD_MIGRATIONS), text, sizeof(text));

	g->plan->back = v;
	str_copy(g->plan->back_text, sizeof(g->plan->back_text), text);
	if (v != SCHEMA_SAME)
		plan_add_risk(g->plan, v != SCHEMA_ADDITIVE, "schema: %s", text);
	else
		str_copy(g->plan->migrations_text, sizeof(g->plan->migrations_text), text);
}

const struct rollout *planner_failed_rollout(const struct gather *g)
{
	const struct store_snapshot *s = planner_got(g, Q_STORE);
	const struct setup *setup = app_setup(g->app);
	const struct rollout *newest = NULL;

	for (int i = 0; s != NULL && i < s->n_rollouts; i++) {
		const struct rollout *r = &s->rollouts[i];

		if (r->kind == PLAN_PROMOTE &&
		    strcmp(r->service, setup->services[g->want.service].name) == 0 &&
		    strcmp(r->env, setup->envs[g->want.env].name) == 0 &&
		    (newest == NULL || r->created_us > newest->created_us))
			newest = r;
	}
	if (newest == NULL || newest->to.revision[0] == '\0' ||
	    (newest->state == ROLLOUT_ENDED ? newest->outcome == OUTCOME_OK
	                                    : newest->state != ROLLOUT_PAUSED))
		return NULL;
	return newest;
}

/* Whose files are read, where that is not what runs: only they may know the migration that failed. */
static void add_reading(struct gather *g)
{
	const struct rollout *failed = planner_failed_rollout(g);
	struct plan *p = g->plan;
	const char *to = p->to.tag[0] != '\0' ? p->to.tag : p->to.revision;

	if (strcmp(p->to.revision, p->from.revision) == 0)
		return;
	if (failed != NULL && strcmp(failed->to.revision, p->to.revision) == 0)
		plan_add_risk(p, false,
		              "reads the migrations of %.60s, which rollout %s %s to bring, not of what runs",
		              to, failed->id,
		              failed->state == ROLLOUT_PAUSED ? "is paused in trying" : "did not manage");
	else
		plan_add_risk(p, false, "reads the migrations of %.60s, not of what runs", to);
}

/* Without a name the one that is recorded as failed is meant. */
static void name_failed(struct plan *p, const struct migration_set *set)
{
	for (int i = 0; set != NULL && i < set->n_items && p->argument[0] == '\0'; i++)
		if (set->items[i].state == MIGRATION_FAILED && !set->items[i].external)
			str_copy(p->argument, sizeof(p->argument), set->items[i].name);
}

/* Could what runs now be put back once these have run? */
static void add_back(struct plan *p)
{
	const struct migration *breaks = NULL, *unknown = NULL;

	for (int i = 0; i < p->n_migrations; i++) {
		const struct migration *m = &p->migrations[i];

		if (m->destructive || m->loses_data || m->kind == MIGRATION_CONTRACT ||
		    m->kind == MIGRATION_MIXED)
			breaks = breaks != NULL ? breaks : m;
		else if (m->kind == MIGRATION_OPAQUE)
			unknown = unknown != NULL ? unknown : m;
	}
	p->back = breaks != NULL         ? SCHEMA_BREAKS
	          : unknown != NULL      ? SCHEMA_UNKNOWN
	          : p->n_migrations == 0 ? SCHEMA_SAME
	                                 : SCHEMA_ADDITIVE;
	if (breaks != NULL)
		snprintf(p->back_text, sizeof(p->back_text), "migration %.100s %.200s", breaks->name,
		         breaks->text[0] != '\0' ? breaks->text
		                                 : "takes away what the release before may use");
	else if (unknown != NULL)
		snprintf(p->back_text, sizeof(p->back_text),
		         "what migration %.100s does to the schema is not known", unknown->name);
	else
		snprintf(p->back_text, sizeof(p->back_text),
		         p->n_migrations == 0 ? "no migration runs" : "its migrations only add");
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
	if (!found && p->argument[0] != '\0')
		plan_add_risk(p, true, "neither this release nor the database knows a migration %s",
		              p->argument);
	if (p->kind == PLAN_REPAIR) {
		plan_add_risk(
		    p, false,
		    "the tool's record is put right; the schema itself is not touched: mend what is "
		    "half done first");
		if (set != NULL && set->n_failed == 0 && set->n_running == 0 && set->n_locks == 0 &&
		    !set->blocked)
			plan_add_risk(
			    p, false,
			    "nothing is recorded as failed, running or locked: there may be nothing "
			    "to repair");
		return;
	}
	if (!found)
		plan_add_risk(p, true, "what is taken back, with its data, cannot be told");
	else if (newer == 0)
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
		if (p->kind == PLAN_REPAIR) {
			name_failed(p, set);
			add_reading(g);
		}
		if (p->kind == PLAN_RESTORE)
			add_restore(g);
		else
			add_work(p, set);
		add_database(g);
		add_backups(g);
		return;
	}
	if (set == NULL)
		return;
	add_odd(p, set);
	add_pending(p, set);
	add_back(p);
	if (p->n_migrations > 0) {
		add_database(g);
		add_backups(g);
	}
}

/* --- the look at the statements ------------------------------------------------------------------- */

/* Assumed of a server under load; said so where an estimate is shown. */
#define SCAN_BYTES_PER_S (200LL * 1024 * 1024)
#define REWRITE_BYTES_PER_S (40LL * 1024 * 1024)
enum { RUNNING_MAX = 8 };

static bool is_pending(const struct migration *m) { return m->state == MIGRATION_PENDING && !m->external; }

/* Revisions that run while the migrations do, each once. */
static int running_revisions(const struct gather *g, const char *list[RUNNING_MAX])
{
	const struct deployed *here = planner_got(g, Q_HERE);
	int n = 0;

	if (g->plan->from.revision[0] != '\0')
		list[n++] = g->plan->from.revision;
	for (int i = 0; here != NULL && i < here->n_instances && n < RUNNING_MAX; i++) {
		bool known = here->instances[i].revision[0] == '\0';

		for (int k = 0; k < n && !known; k++)
			known = strcmp(list[k], here->instances[i].revision) == 0;
		if (!known)
			list[n++] = here->instances[i].revision;
	}
	return n;
}

const struct lint_size *planner_sizes(struct arena *a, const struct database_health *h, int *ret_n)
{
	const int n = h != NULL ? h->n_tables : 0;
	struct lint_size *sizes = arena_alloc(a, (size_t)MAX(n * 2, 1) * sizeof(*sizes));

	*ret_n = 0;
	/* Under both names that a statement may use. */
	for (int i = 0; sizes != NULL && i < n; i++) {
		const struct db_table *t = &h->tables[i];
		const char *full = arena_printf(a, "%s.%s", t->schema, t->name);

		sizes[(*ret_n)++] = (struct lint_size){full != NULL ? full : "", t->rows, t->bytes};
		sizes[(*ret_n)++] = (struct lint_size){t->name, t->rows, t->bytes};
	}
	return sizes;
}

void planner_preview(struct gather *g, void (*then)(struct gather *g))
{
	const struct opened *migrate = app_migrate(g->app, g->want.service, g->want.env);
	const struct migration_set *set = planner_got(g, Q_MIGRATIONS);
	const struct database_health *h = planner_got(g, Q_HEALTH);
	struct arena *a = &g->plan->arena;
	const char *running[RUNNING_MAX];
	struct preview_item *items;
	struct lint_policy lint;
	struct preview_ask ask = {.revision = g->plan->to.revision, .running = running, .lint = &lint};
	struct op *op;

	if (migrate == NULL || set == NULL || set->n_pending == 0 || g->plan->kind != PLAN_PROMOTE) {
		then(g);
		return;
	}
	items = arena_alloc(a, (size_t)set->n_pending * sizeof(*items));
	for (int i = 0; items != NULL && i < set->n_items && ask.n_items < set->n_pending; i++)
		if (is_pending(&set->items[i]))
			items[ask.n_items++] =
			    (struct preview_item){.path = set->items[i].path, .line = set->items[i].line};
	ask.items = items;
	ask.sizes = planner_sizes(a, h, &ask.n_sizes);
	setup_lint(app_setup(g->app), g->want.service, g->want.env, &lint);
	ask.n_running = running_revisions(g, running);
	g->next = then;
	g->waiting = 1;
	if (!arena_failed(a) && (op = planner_ask(g, Q_PREVIEW, ASK_US, migration_preview_free)) != NULL)
		MIGRATE_OF(migrate)->preview(migrate->priv, &ask, op);
	loop_defer(app_loop(g->app), planner_wave_done, g);
}

/* "locks orders against reads and writes, rewrites 1.4 GiB (3.1M rows), about 36s" behind a finding's message. */
static int64_t add_finding(struct plan *p, int i, const struct lint_finding *f,
                           const struct database_health *h)
{
	const struct db_table *t = h != NULL && f->table[0] != '\0' ? database_table(h, f->table) : NULL;
	const char *blocks = lock_mode_blocks(f->lock);
	char text[TEXT_LEN], size[24] = "", span[24] = "";
	int64_t us = 0;

	if (t != NULL && f->rewrite == YES)
		us = t->bytes * US_PER_S / REWRITE_BYTES_PER_S;
	else if (t != NULL && f->scan == YES)
		us = t->bytes * US_PER_S / SCAN_BYTES_PER_S;
	if (f->severity < SEVERITY_WARNING)
		return us;
	if (t != NULL)
		str_size(size, sizeof(size), t->bytes);
	if (us >= US_PER_S)
		time_span(span, sizeof(span), us);
	snprintf(text, sizeof(text), "%s %.220s%s%s%s%s%s%s%s%s%s", lint_rule_desc(f->rule)->id, f->message,
	         blocks[0] != '\0' ? "; blocks " : "", blocks,
	         f->rewrite == YES ? "; rewrites"
	         : f->scan == YES  ? "; scans"
	                           : "",
	         f->rewrite == YES || f->scan == YES ? " the table" : "", size[0] != '\0' ? ", " : "", size,
	         span[0] != '\0' ? ", about " : "", span, span[0] != '\0' ? " (assumed from its size)" : "");
	plan_add_detail(p, i, f->line, f->severity == SEVERITY_ERROR ? STATE_FAILED : STATE_DEGRADED, text,
	                f->safer);
	return us;
}

/* How long the environment before took for it; 0 unknown. */
static int64_t took_before(const struct gather *g, const char *name)
{
	const struct migration_set *set = planner_got(g, Q_SET_BEFORE);

	for (int i = 0; set != NULL && i < set->n_items; i++)
		if (strcmp(set->items[i].name, name) == 0)
			return set->items[i].took_us;
	return 0;
}

static void add_uses(struct plan *p, const struct migration_preview *v)
{
	for (int i = 0; i < v->n_uses; i++) {
		const struct preview_use *u = &v->uses[i];
		char text[TEXT_LEN];

		snprintf(text, sizeof(text), "%.100s is still named in %.150s:%d of %.12s, which runs now",
		         u->name, u->file, u->line, u->revision);
		plan_add_detail(p, u->item, 0, STATE_FAILED, text,
		                "deploy a release that does not use it first");
	}
	if (v->n_uses > 0)
		plan_add_risk(p, true, "code that runs now still names what would be taken away (%s%s)",
		              v->uses[0].name, v->n_uses + v->n_more_uses > 1 ? ", and more" : "");
	else if (v->n_names > 0 && !v->searched)
		plan_add_risk(p, true, "whether running code still uses what is taken away is not known: %s",
		              v->search_text);
}

static bool has_findings(const struct migration_preview *v)
{
	for (int i = 0; i < v->n_items; i++)
		if (v->items[i].n_findings > 0)
			return true;
	return false;
}

void planner_take_preview(struct gather *g)
{
	const struct migration_preview *v = planner_got(g, Q_PREVIEW);
	const struct database_health *h = planner_got(g, Q_HEALTH);
	struct plan *p = g->plan;

	if (!g->answers[Q_PREVIEW].asked || p->kind != PLAN_PROMOTE)
		return;
	if (v == NULL) {
		plan_add_risk(p, false, "the migrations' statements could not be looked at: %.250s",
		              g->answers[Q_PREVIEW].o.text);
		return;
	}
	if (h == NULL && has_findings(v))
		plan_add_risk(p, false,
		              "table sizes not known, the findings are judged as of large ones: %.250s",
		              g->answers[Q_HEALTH].o.text);
	for (int i = 0; i < MIN(v->n_items, p->n_migrations); i++) {
		const struct preview_item *item = &v->items[i];
		const int64_t took = took_before(g, p->migrations[i].name);
		char text[TEXT_LEN], span[24];
		int64_t us = 0;

		for (int k = 0; k < item->n_findings; k++)
			us += add_finding(p, i, &item->findings[k], h);
		if (took > 0) {
			time_span(span, sizeof(span), took);
			snprintf(text, sizeof(text), "%s took %s for it", p->source_env, span);
			plan_add_detail(p, i, 0, STATE_OK, text, "");
		}
		/* The measured one is of another database: the larger of both. */
		g->migrate_us += MAX(us, took);
	}
	add_uses(p, v);
}
