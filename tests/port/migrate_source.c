/*
 * Slots history and source of the migrate port: who brought a migration and with which release, what it says, what
 * was applied, where a missing one went. Repositories are made here; no database is asked.
 */
#include "backends/drivers.h"
#include "core/port/migrate.h"
#include "core/text.h"
#include "tests/lib/cm.h"
#include "tests/lib/gitbuild.h"
#include "tests/lib/porttest.h"

#include <stdio.h>

#define T0 INT64_C(1700000000)

struct place {
	struct loop *loop;
	char dir[PATH_LEN], repo[PATH_LEN];
	struct gitbuild *git;
	struct opened o;
	const struct migrate_driver *driver;
	int64_t time_s;
};

static void place_make(struct place *p, const struct driver *driver, const char *path)
{
	char options[PATH_LEN * 3];

	memset(p, 0, sizeof(*p));
	p->loop = loop_new(NULL);
	folder_make(p->dir);
	snprintf(p->repo, sizeof(p->repo), "%.900s/repo", p->dir);
	p->git = gitbuild_new(p->repo);
	p->time_s = T0;
	snprintf(options, sizeof(options),
	         "{\"repo\": \"%s\", \"path\": \"%s\", \"database\": {\"value\": \"x\"}}", p->repo, path);
	p->driver = (const struct migrate_driver *)(const void *)driver;
	driver_open(&p->o, p->loop, driver, options, NULL);
}

static void place_end(struct place *p)
{
	driver_close(&p->o);
	gitbuild_free(p->git);
	folder_remove(p->dir);
	loop_free(p->loop);
}

/* An hour later than the one before. */
static void commit(struct place *p, const char *path, const char *text, const char *message,
                   char ret[REVISION_LEN])
{
	p->time_s += 3600;
	gitbuild_commit(p->git, path, text, message, p->time_s, ret);
}

static struct migration_history *history(struct place *p, const char *revision, const char *tags,
                                         const char *const *paths, int n)
{
	const struct history_ask ask = {.revision = revision, .paths = paths, .n_paths = n, .tags = tags};
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, p->loop, 20 * US_PER_S);

	p->driver->history(p->o.priv, &ask, op);
	answer_wait(&a);
	if (a.outcome.kind != OUTCOME_OK)
		fail_msg("%s: %s (%s)", outcome_name(a.outcome.kind), a.outcome.text, a.outcome.hint);
	return a.result;
}

static const struct source_ask nothing = {
    .revision = "HEAD", .name = "", .path = "", .deployed = "", .applied_as = "", .tags = ""};

static struct outcome source_at(struct place *p, const struct source_ask *ask, struct migration_source **ret)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, p->loop, 20 * US_PER_S);

	p->driver->source(p->o.priv, ask, op);
	answer_wait(&a);
	assert_int_equal(a.result != NULL, a.outcome.kind == OUTCOME_OK);
	*ret = a.result;
	return a.outcome;
}

static struct migration_source *source(struct place *p, const struct source_ask *ask)
{
	struct migration_source *s;
	struct outcome o = source_at(p, ask, &s);

	if (o.kind != OUTCOME_OK)
		fail_msg("%s: %s (%s)", outcome_name(o.kind), o.text, o.hint);
	return s;
}

static const char *revision_of(const struct migration_history *h, int commit)
{
	const struct commit *c = migration_history_commit(h, commit);

	return c != NULL ? c->revision : "";
}

static const char *release_of(const struct migration_history *h, const struct migration_origin *o)
{
	const struct migration_release *r = migration_history_release(h, o->release);

	return r != NULL ? r->name : "";
}

static const char *const prisma_paths[] = {"1_init/migration.sql", "2_add/migration.sql",
                                           "3_drop/migration.sql"};

/* Three migrations: the first edited later, the second released, the third not; a fourth came and went. */
struct told {
	char init[REVISION_LEN], add[REVISION_LEN], gone[REVISION_LEN], edit[REVISION_LEN],
	    removed[REVISION_LEN], drop[REVISION_LEN], other[REVISION_LEN];
};

static void tell(struct place *p, struct told *t)
{
	commit(p, "m/migration_lock.toml", "provider = \"postgresql\"\n", "chore: lock", NULL);
	commit(p, "m/1_init/migration.sql", "CREATE TABLE t (id int);\n", "feat(db): tables\n\nThe first.\n",
	       t->init);
	gitbuild_tag(p->git, "api-v9", t->init, p->time_s);
	gitbuild_tag(p->git, "web-v1.0.0", t->init, p->time_s + 60);
	commit(p, "m/2_add/migration.sql", "ALTER TABLE t ADD a int;\n", "feat: column a", t->add);
	commit(p, "m/2b_gone/migration.sql", "SELECT 1;\n", "feat: mistake", t->gone);
	commit(p, "README", "hello\n", "docs: readme", t->other);
	gitbuild_tag(p->git, "web-v1.1.0", t->other, 0);
	gitbuild_tag(p->git, "web-v1.2.0", t->other, p->time_s + 7200);
	commit(p, "m/1_init/migration.sql", "CREATE TABLE t (id bigint);\n", "fix: wide ids", t->edit);
	commit(p, "m/2b_gone/migration.sql", NULL, "revert: mistake", t->removed);
	commit(p, "m/3_drop/migration.sql", "ALTER TABLE t DROP a;\n", "feat!: no more a", t->drop);
}

static void history_tells_commits_and_releases(void **state)
{
	const struct migration_origin *o;
	struct migration_history *h;
	struct place p;
	struct told t;

	UNUSED(state);
	place_make(&p, (const struct driver *)&migrate_prisma, "m");
	tell(&p, &t);
	h = history(&p, "HEAD", "web-v*", prisma_paths, 3);
	assert_string_equal(h->revision, t.drop);
	assert_false(h->shallow || h->cut);
	o = migration_history_find(h, "1_init/migration.sql");
	assert_non_null(o);
	assert_string_equal(revision_of(h, o->added), t.init);
	assert_string_equal(revision_of(h, o->changed), t.edit);
	assert_string_equal(release_of(h, o), "web-v1.0.0");
	assert_int_equal(o->n_touches, 2);
	assert_int_equal(o->removed, -1);
	o = migration_history_find(h, "2_add/migration.sql");
	assert_string_equal(revision_of(h, o->added), t.add);
	assert_string_equal(revision_of(h, o->changed), t.add);
	/* The lightweight tag is as old as its commit. */
	assert_string_equal(release_of(h, o), "web-v1.1.0");
	assert_string_equal(migration_history_release(h, o->release)->tag, "1.1.0");
	assert_string_equal(migration_history_commit(h, o->added)->subject, "column a");
	assert_string_equal(migration_history_commit(h, o->added)->author, "Ada Example");
	assert_int_equal(migration_history_commit(h, o->added)->time_us, (T0 + 3 * 3600) * US_PER_S);
	o = migration_history_find(h, "3_drop/migration.sql");
	assert_string_equal(revision_of(h, o->added), t.drop);
	assert_int_equal(o->release, -1);
	o = migration_history_find(h, "2b_gone/migration.sql");
	assert_non_null(o);
	assert_string_equal(revision_of(h, o->removed), t.removed);
	assert_string_equal(revision_of(h, o->added), t.gone);
	assert_null(migration_history_find(h, "README"));
	migration_history_free(h);
	place_end(&p);
}

static void history_is_read_once(void **state)
{
	struct migration_history *h, *again;
	struct place p;
	struct told t;

	UNUSED(state);
	place_make(&p, (const struct driver *)&migrate_prisma, "m");
	tell(&p, &t);
	h = history(&p, "HEAD", "web-v*", prisma_paths, 3);
	again = history(&p, t.drop, "web-v*", prisma_paths, 3);
	assert_ptr_equal(h, again);
	migration_history_free(again);
	/* A tag that comes changes what brought the third. */
	gitbuild_tag(p.git, "web-v2.0.0", t.drop, p.time_s + 60);
	again = history(&p, t.drop, "web-v*", prisma_paths, 3);
	assert_ptr_not_equal(h, again);
	assert_string_equal(release_of(again, migration_history_find(again, prisma_paths[2])), "web-v2.0.0");
	migration_history_free(again);
	/* An older revision has other files. */
	again = history(&p, t.add, "web-v*", prisma_paths, 2);
	assert_string_equal(again->revision, t.add);
	assert_string_equal(revision_of(again, migration_history_find(again, prisma_paths[0])->changed),
	                    t.init);
	migration_history_free(again);
	migration_history_free(h);
	place_end(&p);
}

/* What came by a merge is its branch's commit's; the release is that of the merge. */
static void history_sees_through_merges(void **state)
{
	char base[REVISION_LEN], side[REVISION_LEN], ours[REVISION_LEN], merge[REVISION_LEN];
	static const char *const paths[] = {"shop/migrations/0001_a.py", "shop/migrations/0002_b.py",
	                                    "shop/migrations/0002_c.py"};
	const struct migration_origin *o;
	struct migration_history *h;
	struct place p;

	UNUSED(state);
	place_make(&p, (const struct driver *)&migrate_django, ".");
	commit(&p, "shop/migrations/0001_a.py", "a\n", "one", base);
	gitbuild_side(p.git, base, "shop/migrations/0002_b.py", "b\n", "on a branch", p.time_s + 60, side);
	commit(&p, "shop/migrations/0002_c.py", "c\n", "on main", ours);
	gitbuild_tag(p.git, "v1", ours, p.time_s + 10);
	p.time_s += 3600;
	gitbuild_merge(p.git, side, "merge", p.time_s, merge);
	gitbuild_tag(p.git, "v2", merge, p.time_s + 10);
	h = history(&p, "HEAD", "", paths, 3);
	o = migration_history_find(h, paths[1]);
	assert_string_equal(revision_of(h, o->added), side);
	assert_int_equal(o->n_touches, 1);
	assert_string_equal(release_of(h, o), "v2");
	o = migration_history_find(h, paths[2]);
	assert_string_equal(revision_of(h, o->added), ours);
	assert_int_equal(o->n_touches, 1);
	assert_string_equal(release_of(h, o), "v1");
	assert_string_equal(release_of(h, migration_history_find(h, paths[0])), "v1");
	migration_history_free(h);
	place_end(&p);
}

/* Neither a move of the folder nor a new name of a file makes a migration young. */
static void history_follows_moves(void **state)
{
	static const char *const paths[] = {"1_init/migration.sql", "2_new/migration.sql"};
	char init[REVISION_LEN], two[REVISION_LEN], edit[REVISION_LEN];
	const struct migration_origin *o;
	struct migration_history *h;
	struct place p;

	UNUSED(state);
	place_make(&p, (const struct driver *)&migrate_prisma, "apps/api/migrations");
	commit(&p, "README", "x\n", "docs", NULL);
	commit(&p, "prisma/migrations/1_init/migration.sql", "CREATE TABLE t (id int);\n", "feat: tables",
	       init);
	commit(&p, "prisma/migrations/2_old/migration.sql", "SELECT 2;\n", "feat: two", two);
	commit(&p, "prisma/migrations/1_init/migration.sql", "CREATE TABLE t (id bigint);\n", "fix: wide",
	       edit);
	p.time_s += 3600;
	gitbuild_move(p.git, "prisma/migrations/2_old", "prisma/migrations/2_new", "chore: name", p.time_s,
	              NULL);
	p.time_s += 3600;
	gitbuild_move(p.git, "prisma/migrations", "apps/api/migrations", "chore: monorepo", p.time_s, NULL);
	h = history(&p, "HEAD", "", paths, 2);
	o = migration_history_find(h, paths[0]);
	assert_string_equal(revision_of(h, o->added), init);
	assert_string_equal(revision_of(h, o->changed), edit);
	assert_int_equal(o->n_touches, 2);
	assert_string_equal(h->touches[o->first_touch + 1].path, "prisma/migrations/1_init/migration.sql");
	o = migration_history_find(h, paths[1]);
	assert_string_equal(revision_of(h, o->added), two);
	migration_history_free(h);
	place_end(&p);
}

/* --- source -------------------------------------------------------------------------------------------------- */

static void source_tells_the_text(void **state)
{
	struct source_ask ask = nothing;
	struct migration_source *s;
	struct place p;
	struct told t;

	UNUSED(state);
	place_make(&p, (const struct driver *)&migrate_prisma, "m");
	tell(&p, &t);
	ask.name = "2_add";
	ask.path = "2_add/migration.sql";
	ask.tags = "web-v*";
	s = source(&p, &ask);
	assert_string_equal(s->text, "ALTER TABLE t ADD a int;\n");
	assert_string_equal(s->path, "m/2_add/migration.sql");
	assert_string_equal(language_name(s->language), "sql");
	assert_int_equal(s->n_lines, 1);
	assert_string_equal(s->release, "web-v1.1.0");
	assert_string_equal(s->added->commit.revision, t.add);
	assert_string_equal(s->added->email, "ada@example.org");
	assert_string_equal(s->added->release, "web-v1.1.0");
	assert_int_equal(s->added->n_files, 1);
	assert_string_equal(s->added->files[0].path, "m/2_add/migration.sql");
	assert_int_equal(s->added->files[0].status, 'A');
	assert_int_equal(s->added->files[0].added, 1);
	assert_ptr_equal(s->changed, s->added);
	assert_int_equal(s->n_edits, 0);
	assert_int_equal(s->applied_by, APPLIED_NOT);
	assert_int_equal(s->n_diff, 0);
	migration_source_free(s);
	/* What it does to running code stands at its line. */
	ask.name = "3_drop";
	ask.path = "3_drop/migration.sql";
	s = source(&p, &ask);
	assert_true(s->n_findings > 0);
	assert_int_equal(s->findings[0].line, 1);
	assert_true(s->findings[0].breaks_old_code);
	assert_int_equal(s->findings[0].lock, LOCK_ACCESS_EXCLUSIVE);
	assert_true(s->findings[0].safer[0] != '\0');
	migration_source_free(s);
	/* By its name alone. */
	ask.name = "2_add";
	ask.path = "";
	s = source(&p, &ask);
	assert_string_equal(s->path, "m/2_add/migration.sql");
	assert_string_equal(s->added->commit.revision, t.add);
	migration_source_free(s);
	place_end(&p);
}

static void source_shows_what_was_applied(void **state)
{
	struct source_ask ask = nothing;
	struct migration_source *s;
	struct place p;
	struct told t;

	UNUSED(state);
	place_make(&p, (const struct driver *)&migrate_prisma, "m");
	tell(&p, &t);
	ask.name = "1_init";
	ask.path = "1_init/migration.sql";
	ask.applied = true;
	s = source(&p, &ask);
	assert_int_equal(s->applied_by, APPLIED_SAME);
	assert_int_equal(s->n_diff, 0);
	assert_int_equal(s->n_edits, 1);
	assert_string_equal(s->changed->commit.revision, t.edit);
	assert_int_equal(s->n_versions, 2);
	assert_string_equal(s->versions[1], t.init);
	migration_source_free(s);
	/* The database says that it was another text: the newest before it was applied. */
	ask.modified = true;
	ask.applied_us = (T0 + 3 * 3600) * US_PER_S;
	s = source(&p, &ask);
	assert_int_equal(s->applied_by, APPLIED_IN_TIME);
	assert_string_equal(s->applied_revision, t.init);
	assert_int_equal(s->n_diff, 3);
	assert_int_equal(s->diff[0].origin, '@');
	assert_int_equal(s->diff[1].origin, '-');
	assert_string_equal(s->diff[1].text, "CREATE TABLE t (id int);");
	assert_int_equal(s->diff[1].old_line, 1);
	assert_int_equal(s->diff[2].origin, '+');
	assert_string_equal(s->diff[2].text, "CREATE TABLE t (id bigint);");
	assert_int_equal(s->n_diff_added, 1);
	assert_int_equal(s->n_diff_removed, 1);
	migration_source_free(s);
	/* Without a time: what runs there, then what came first, then nothing is said. */
	ask.applied_us = 0;
	ask.deployed = t.other;
	s = source(&p, &ask);
	assert_int_equal(s->applied_by, APPLIED_DEPLOYED);
	assert_string_equal(s->applied_revision, t.other);
	migration_source_free(s);
	ask.deployed = "";
	s = source(&p, &ask);
	assert_int_equal(s->applied_by, APPLIED_ADDED);
	migration_source_free(s);
	/* A proof outweighs all. */
	ask.applied_as = t.gone;
	s = source(&p, &ask);
	assert_int_equal(s->applied_by, APPLIED_CHECKED);
	assert_string_equal(s->applied_revision, t.gone);
	migration_source_free(s);
	/* Where no checksum was compared, an edit after the fact shows. */
	ask = (struct source_ask){.revision = "HEAD",
	                          .name = "1_init",
	                          .path = "1_init/migration.sql",
	                          .deployed = t.drop,
	                          .applied_as = "",
	                          .tags = "",
	                          .applied = true,
	                          .unsummed = true,
	                          .applied_us = (T0 + 3 * 3600) * US_PER_S};
	s = source(&p, &ask);
	assert_int_equal(s->applied_by, APPLIED_IN_TIME);
	assert_int_equal(s->n_diff, 3);
	migration_source_free(s);
	ask.applied_us = (T0 + 30 * 3600) * US_PER_S;
	s = source(&p, &ask);
	assert_int_equal(s->applied_by, APPLIED_SAME);
	migration_source_free(s);
	place_end(&p);
}

static void source_finds_what_is_gone(void **state)
{
	struct source_ask ask = nothing;
	struct migration_source *s;
	struct outcome o;
	struct place p;
	struct told t;

	UNUSED(state);
	place_make(&p, (const struct driver *)&migrate_prisma, "m");
	tell(&p, &t);
	ask.name = "2b_gone";
	ask.applied = true;
	/* Nothing that runs has it: where it was removed. */
	ask.deployed = t.add;
	s = source(&p, &ask);
	assert_string_equal(s->text, "SELECT 1;\n");
	assert_string_equal(s->revision, t.edit);
	assert_non_null(s->removed);
	assert_string_equal(s->removed->commit.revision, t.removed);
	assert_string_equal(s->added->commit.revision, t.gone);
	assert_non_null(strstr(s->trouble, "has no such file"));
	migration_source_free(s);
	ask.deployed = t.other;
	s = source(&p, &ask);
	assert_string_equal(s->revision, t.other);
	assert_string_equal(s->added->commit.revision, t.gone);
	migration_source_free(s);
	/* One that an older revision does not have yet. */
	ask.name = "3_drop";
	ask.revision = t.add;
	ask.deployed = t.drop;
	s = source(&p, &ask);
	assert_string_equal(s->revision, t.drop);
	assert_string_equal(s->added->commit.revision, t.drop);
	assert_null(s->removed);
	migration_source_free(s);
	ask.revision = "HEAD";
	ask.name = "never_was";
	o = source_at(&p, &ask, &s);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, "never_was"));
	assert_non_null(strstr(o.hint, "fetch"));
	ask.revision = "no-such-revision";
	o = source_at(&p, &ask, &s);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	place_end(&p);
}

static void source_is_clean(void **state)
{
	static const char evil[] = "SELECT '\033]0;x\007'; -- \342\200\256 abc \377\r\nSELECT 2;\r\n";
	struct source_ask ask = nothing;
	struct migration_source *s;
	struct place p;

	UNUSED(state);
	place_make(&p, (const struct driver *)&migrate_prisma, "m");
	commit(&p, "m/1_x/migration.sql", evil, "feat: \033[2J evil\n\nbody \033[31m\nline\n", NULL);
	ask.name = "1_x";
	ask.path = "1_x/migration.sql";
	s = source(&p, &ask);
	assert_true(s->crlf);
	assert_int_equal(s->n_lines, 2);
	for (int i = 0; i < s->n_lines; i++)
		assert_true(text_is_clean(s->text + s->lines[i].at, s->lines[i].n));
	assert_non_null(strstr(s->text, "<ESC>]0;x<BEL>"));
	assert_true(text_is_clean(s->added->commit.subject, strlen(s->added->commit.subject)));
	assert_string_equal(s->added->body, "body <ESC>[31m\nline");
	migration_source_free(s);
	place_end(&p);
}

/* --- laws ---------------------------------------------------------------------------------------------------- */

static void start_history(void *priv, struct op *op)
{
	const struct history_ask ask = {.revision = "HEAD", .paths = prisma_paths, .n_paths = 3, .tags = ""};

	migrate_prisma.history(priv, &ask, op);
}

static void start_source(void *priv, struct op *op)
{
	struct source_ask ask = nothing;

	ask.name = "1_init";
	ask.path = "1_init/migration.sql";
	migrate_prisma.source(priv, &ask, op);
}

static void start_null_history(void *priv, struct op *op)
{
	const struct history_ask ask = {.revision = "HEAD", .tags = ""};

	migrate_null.history(priv, &ask, op);
}

static void start_null_source(void *priv, struct op *op) { migrate_null.source(priv, &nothing, op); }

static void laws_hold(void **state)
{
	static const struct slot_call calls[] = {{"history", start_history}, {"source", start_source}};
	static const struct slot_call refused[] = {{"history", start_null_history},
	                                           {"source", start_null_source}};
	struct opened o;
	struct place p;
	struct told t;

	UNUSED(state);
	place_make(&p, (const struct driver *)&migrate_prisma, "m");
	tell(&p, &t);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		slot_laws(p.loop, p.o.priv, &calls[i], false);
	driver_open(&o, p.loop, &migrate_null.base, "{}", NULL);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		slot_laws(p.loop, o.priv, &refused[i], true);
	driver_close(&o);
	place_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(history_tells_commits_and_releases),
	    cmocka_unit_test(history_is_read_once),
	    cmocka_unit_test(history_sees_through_merges),
	    cmocka_unit_test(history_follows_moves),
	    cmocka_unit_test(source_tells_the_text),
	    cmocka_unit_test(source_shows_what_was_applied),
	    cmocka_unit_test(source_finds_what_is_gone),
	    cmocka_unit_test(source_is_clean),
	    cmocka_unit_test(laws_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
