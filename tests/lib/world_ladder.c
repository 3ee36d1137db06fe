/* The ladder of the fixed world. Its texts and colours come through the same functions that drivers use. */
#include "tests/lib/cm.h"
#include "tests/lib/world.h"

#include <stdio.h>

enum { N_OWN = 9, N_EXTERNAL = 3, N_ALL = N_OWN + N_EXTERNAL };

struct fact {
	const char *name;
	enum migration_kind kind;
	enum migration_state in[3]; /* dev, staging, prod */
	const char *text;
	bool breaks, late;
	int added_days, release; /* ago; -1 none */
};

#define A MIGRATION_APPLIED
#define P MIGRATION_PENDING

static const struct fact facts[N_OWN] = {
    {"20260901_gone",
     MIGRATION_OPAQUE,
     {MIGRATION_MISSING, MIGRATION_MISSING, MIGRATION_MISSING},
     "applied, but this revision has no such file",
     false,
     false,
     60,
     0},
    {"20261001_cart_ttl",
     MIGRATION_EXPAND,
     {A, A, MIGRATION_MODIFIED},
     "its file has other bytes now than when it was applied",
     false,
     false,
     26,
     0},
    {"20261008_region",
     MIGRATION_EXPAND,
     {A, A, MIGRATION_FAILED},
     "lock timeout at ALTER TABLE cart",
     false,
     false,
     19,
     1},
    {"20261015_backfill_region", MIGRATION_DATA, {A, MIGRATION_RUNNING, P}, "", false, false, 12, 1},
    {"20261016_hotfix", MIGRATION_EXPAND, {P, P, P}, "", false, true, 11, 2},
    {"20261020_drop_zone",
     MIGRATION_CONTRACT,
     {A, P, P},
     "drops column zone of cart with its data",
     true,
     false,
     7,
     2},
    {"20261021_seed",
     MIGRATION_DATA,
     {MIGRATION_SKIPPED, MIGRATION_CONDITIONAL, MIGRATION_CONDITIONAL},
     "runs where context demo is given",
     false,
     false,
     6,
     -1},
    {"20261022_program",
     MIGRATION_OPAQUE,
     {MIGRATION_UNKNOWN, MIGRATION_UNKNOWN, MIGRATION_UNKNOWN},
     "its operations are computed",
     false,
     false,
     5,
     -1},
    {"20261023_index_region", MIGRATION_EXPAND, {P, P, P}, "", false, false, 1, -1},
};

static const char *const names[] = {"ann", "bo", "Zoë Q. Longname-Surname"};

static struct migration_set *set_of(int env)
{
	struct migration_set *set = migration_set_new(N_ALL);
	str_copy(set->tool, sizeof set->tool, "prisma");
	memset(set->revision, 'c', 40);
	for (int i = 0; i < N_ALL; i++) {
		struct migration *m = &set->items[i];
		const struct fact *f = i < N_OWN ? &facts[i] : NULL;
		m->state = f ? f->in[env] : A;
		m->external = !f;
		m->kind = f ? f->kind : MIGRATION_OPAQUE;
		if (f)
			str_copy(m->name, sizeof m->name, f->name);
		else
			(void)snprintf(m->name, sizeof m->name, "auth.%04d", i);
		if (f && i > 0)
			(void)snprintf(m->path, sizeof m->path, "%s/migration.sql", f->name);
		m->late = f && f->late;
		m->destructive = m->loses_data = f && f->breaks;
		if (f && (f->breaks || (m->state != A && m->state != P)))
			str_copy(m->text, sizeof m->text, f->text);
		if (migration_state_ran(m->state) || m->state == MIGRATION_FAILED)
			m->applied_us =
			    WORLD_NOW - (f ? f->added_days * US_PER_DAY / (env + 2) : 90 * US_PER_DAY);
		if (m->state == A)
			m->took_us = 1200 * US_PER_MS;
	}
	migration_set_count(set);
	return set;
}

static void add_lock(struct migration_set *set)
{
	struct migration_lock *l = migration_set_lock(set);
	str_copy(l->what, sizeof l->what, "advisory lock 72707369");
	str_copy(l->user, sizeof l->user, "deploy");
	str_copy(l->app, sizeof l->app, "prisma");
	str_copy(l->client, sizeof l->client, "10.0.0.4");
	str_copy(l->doing, sizeof l->doing, "UPDATE cart SET region = zone");
	l->granted = l->session = l->of_tool = true;
	l->pid = 4711;
	l->since_us = WORLD_NOW - 34 * US_PER_S;
	str_copy(set->lock_text, sizeof set->lock_text, "prisma holds Prisma's lock");
}

static struct migration_history *history_of(void)
{
	static const char *const subjects[] = {"carts expire", "carts know their region", "no more zones"};
	static const char *const tags[] = {"2.8.0", "2.9.2", "2.9.4"};
	struct migration_history *h = migration_history_new();
	h->revision = arena_strdup(&h->arena, "cccccccccccccccccccccccccccccccccccccccc");
	h->commits = arena_alloc(&h->arena, N_OWN * sizeof *h->commits);
	h->items = arena_alloc(&h->arena, N_OWN * sizeof *h->items);
	h->releases = arena_alloc(&h->arena, 3 * sizeof *h->releases);
	h->touches = arena_alloc(&h->arena, sizeof *h->touches);
	for (int i = 0; i < 3; i++)
		h->releases[h->n_releases++] =
		    (struct migration_release){.tag = tags[i],
		                               .name = arena_printf(&h->arena, "checkout-v%s", tags[i]),
		                               .revision = "",
		                               .at_us = WORLD_NOW - (30 - 10 * i) * US_PER_DAY};
	for (int i = 1; i < N_OWN; i++) {
		struct commit *c = &h->commits[h->n_commits++];
		memset(c->revision, "0123456789"[i], 40);
		str_copy(c->author, sizeof c->author, names[i % 3]);
		str_copy(c->subject, sizeof c->subject, subjects[i % 3]);
		str_copy(c->scope, sizeof c->scope, "cart");
		c->kind = COMMIT_FEAT;
		c->time_us = WORLD_NOW - facts[i].added_days * US_PER_DAY;
		h->items[h->n_items++] = (struct migration_origin){
		    .path = arena_printf(&h->arena, "%s/migration.sql", facts[i].name),
		    .raw = "",
		    .added = i - 1,
		    .changed = i == 1 ? 4 : i - 1,
		    .removed = -1,
		    .release = facts[i].release};
	}
	return h;
}

void world_ladder(struct world *w)
{
	int checkout = setup_service(w->setup, "checkout");
	struct event *e = world_event(w, EV_LADDER, checkout, -1);
	e->ladder = calloc((size_t)w->setup->n_envs, sizeof(struct migration_set *));
	e->n_ladder = w->setup->n_envs;
	e->ladder_choice = -1;
	str_copy(e->ladder_release.tag, sizeof e->ladder_release.tag, "2.9.4");
	memset(e->ladder_release.revision, 'c', 40);
	for (int i = 0; i < 3; i++)
		e->ladder[i] = set_of(i);
	add_lock(e->ladder[1]);
	migration_set_block(e->ladder[2], "P3009",
	                    "P3009: 20261008_region failed; nothing runs until `prisma migrate resolve`");
	world_apply(w, e);
	e = world_event(w, EV_MIGRATION_HISTORY, checkout, -1);
	e->migration_history = history_of();
	world_apply(w, e);
}

/* --- one text ----------------------------------------------------------------------------------- */

static const char drop_sql[] =
    "-- Zones became regions with 2.9.2.\n"
    "SET lock_timeout = '2s';\n"
    "\n"
    "ALTER TABLE cart DROP COLUMN zone;\n"
    "/* 14 days are enough\n"
    "   for a cart */\n"
    "DELETE FROM cart WHERE touched < now() - interval '14 days' AND state IN ('left', 'void');\n";
static const char ttl_sql[] = "ALTER TABLE cart ADD COLUMN ttl int DEFAULT 45;\n"
                              "CREATE INDEX cart_ttl ON cart (ttl);\n";

static struct commit_detail *detail(struct arena *a, int i)
{
	struct commit_detail *d = arena_alloc(a, sizeof *d);
	memset(d->commit.revision, "0123456789"[i], 40);
	str_copy(d->commit.author, sizeof d->commit.author, names[i % 3]);
	str_copy(d->commit.subject, sizeof d->commit.subject, i % 3 == 2 ? "no more zones" : "carts expire");
	str_copy(d->commit.scope, sizeof d->commit.scope, "cart");
	d->commit.kind = COMMIT_FEAT;
	d->commit.breaking = i == 5;
	d->commit.time_us = WORLD_NOW - facts[i].added_days * US_PER_DAY;
	d->email = "someone@acme.example";
	d->body = "Regions have replaced zones everywhere since 2.9.2.\n\nRefs: 4711";
	d->release = "checkout-v2.9.4";
	d->files = arena_alloc(a, 3 * sizeof *d->files);
	d->files[d->n_files++] =
	    (struct commit_file){'A', "prisma/migrations/20261020_drop_zone/migration.sql", 7, 0};
	d->files[d->n_files++] = (struct commit_file){'M', "src/cart/zone.ts", 2, 41};
	d->files[d->n_files++] = (struct commit_file){'D', "src/cart/legacy.bin", -1, -1};
	return d;
}

static void findings(struct migration_source *s)
{
	static const struct lint_finding found[] = {
	    {.rule = RULE_DROP_COLUMN,
	     .severity = SEVERITY_ERROR,
	     .line = 4,
	     .lock = LOCK_ACCESS_EXCLUSIVE,
	     .rewrite = NO,
	     .scan = NO,
	     .breaks_old_code = true,
	     .table = "cart",
	     .column = "zone",
	     .message = "drops column zone of cart: code that still names it fails",
	     .safer = "ship a release that no longer uses the column, then drop it with the next one"},
	    {.rule = RULE_DELETE_SOME,
	     .severity = SEVERITY_INFO,
	     .line = 7,
	     .lock = LOCK_ROW_EXCLUSIVE,
	     .rewrite = NO,
	     .scan = MAYBE,
	     .table = "cart",
	     .column = "",
	     .message = "deletes rows of cart: the rows are gone",
	     .safer = "take a backup first"}};
	s->findings = arena_alloc(&s->arena, sizeof found);
	memcpy(s->findings, found, sizeof found);
	s->n_findings = (int)ARRAY_LEN(found);
}

static void diff(struct migration_source *s)
{
	static const struct diff_line lines[] = {
	    {'@', 1, 1, "@@ -1,2 +1,2 @@"},
	    {'-', 1, 0, "ALTER TABLE cart ADD COLUMN ttl int DEFAULT 30;"},
	    {'+', 0, 1, "ALTER TABLE cart ADD COLUMN ttl int DEFAULT 45;"},
	    {' ', 2, 2, "CREATE INDEX cart_ttl ON cart (ttl);"},
	};
	s->diff = arena_alloc(&s->arena, sizeof lines);
	memcpy(s->diff, lines, sizeof lines);
	s->n_diff = (int)ARRAY_LEN(lines);
	s->n_diff_added = s->n_diff_removed = 1;
	s->applied_by = APPLIED_CHECKED;
	s->applied_revision = "1111111111111111111111111111111111111111";
}

void world_source(struct world *w)
{
	int service = -1, env = -1;
	assert_true(ui_selected(w->ui, w->model, &service, &env));
	struct event *e = world_event(w, EV_MIGRATION_SOURCE, service, env);
	struct migration_source *s = e->migration_source = migration_source_new();
	bool drop = strcmp(w->ui->migration, "20261020_drop_zone") == 0;
	const char *sql = drop ? drop_sql : ttl_sql;
	e->outcome = outcome_ok();
	str_copy(e->migration, sizeof e->migration, w->ui->migration);
	s->name = arena_strdup(&s->arena, w->ui->migration);
	s->path = arena_printf(&s->arena, "prisma/migrations/%s/migration.sql", w->ui->migration);
	s->revision = "cccccccccccccccccccccccccccccccccccccccc";
	s->language = language_of(s->path);
	s->line = 1;
	s->release = drop ? "checkout-v2.9.4" : "checkout-v2.8.0";
	s->added = detail(&s->arena, drop ? 5 : 1);
	s->changed = drop ? s->added : detail(&s->arena, 4);
	s->n_edits = drop ? 0 : 1;
	migration_source_text(s, sql, strlen(sql));
	if (drop)
		findings(s);
	else
		diff(s);
	world_apply(w, e);
}
