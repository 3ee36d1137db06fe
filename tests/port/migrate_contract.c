/*
 * The migrate port: laws for every driver, then prisma and django against a real PostgreSQL. Each fixture was made by
 * the real tool: its files are committed to a repository, its tables restored, and what the driver says is compared
 * with the recorded state. Then the database is changed behind the driver's back.
 */
#include "backends/drivers.h"
#include "core/port/migrate.h"
#include "core/text.h"
#include "io/file.h"
#include "tests/lib/gitbuild.h"
#include "tests/lib/pgserver.h"
#include "tests/lib/porttest.h"

#include <dirent.h>
#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SQL_MAX = 4 * 1024 * 1024 };

/* One fixture in place: repository, database, opened driver. */
struct place {
	struct loop *loop;
	char dir[PATH_LEN], repo[PATH_LEN], revision[REVISION_LEN];
	char database[NAME_LEN];
	struct gitbuild *git;
	struct opened o;
	const struct migrate_driver *driver;
};

static char fixture_dir[PATH_LEN];

static int find_fixtures(void **state)
{
	const char *top = getenv("TOWPATH_TOP");

	UNUSED(state);
	snprintf(fixture_dir, sizeof(fixture_dir), "%.900s/tests/fixtures/migrations",
	         top != NULL ? top : ".");
	return 0;
}

/* Commits every file below from, one after the other. */
static void commit_folder(struct gitbuild *g, const char *from, const char *path, char revision[REVISION_LEN])
{
	char full[PATH_LEN * 2];
	struct dirent **names = NULL;
	int n;

	snprintf(full, sizeof(full), "%s/%s", from, path);
	n = scandir(full, &names, NULL, alphasort);
	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		char below[PATH_LEN];
		struct stat st;

		snprintf(below, sizeof(below), "%.500s%s%.500s", path, path[0] != '\0' ? "/" : "",
		         names[i]->d_name);
		snprintf(full, sizeof(full), "%s/%s", from, below);
		if (names[i]->d_name[0] != '.' && stat(full, &st) == 0 && S_ISDIR(st.st_mode)) {
			commit_folder(g, from, below, revision);
		} else if (names[i]->d_name[0] != '.') {
			struct str text;

			str_init(&text, SQL_MAX);
			assert_int_equal(file_read(full, SQL_MAX, &text, NULL), 0);
			gitbuild_commit(g, below, str_text(&text), below, 1700000000, revision);
			str_release(&text);
		}
		free(names[i]);
	}
	free(names);
}

/* psql -f, as a person would restore a dump. */
static void restore(const char *database, const char *path)
{
	const char *url = pgserver_url(pgserver_shared(), database);
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		execlp("psql", "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", path, url,
		       (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void place_open(struct place *p, const struct migrate_driver *driver, const char *url)
{
	char options[PATH_LEN * 3], secret[PATH_LEN];

	snprintf(secret, sizeof(secret), "%.900s/db.url", p->dir);
	file_put_n(p->dir, "db.url", url, strlen(url), 0600);
	snprintf(options, sizeof(options), "{\"repo\": \"%s\", \"database\": {\"file\": \"%s\"}}", p->repo,
	         secret);
	p->driver = driver;
	driver_open(&p->o, p->loop, &driver->base, options, NULL);
}

/* A fixture "prisma/failed" in place. */
static void place_make(struct place *p, const struct migrate_driver *driver, const char *fixture)
{
	char from[PATH_LEN * 2];

	memset(p, 0, sizeof(*p));
	p->loop = loop_new(NULL);
	folder_make(p->dir);
	snprintf(p->repo, sizeof(p->repo), "%.900s/repo", p->dir);
	p->git = gitbuild_new(p->repo);
	snprintf(from, sizeof(from), "%s/%s/project", fixture_dir, fixture);
	commit_folder(p->git, from, "", p->revision);
	snprintf(p->database, sizeof(p->database), "%s", pgserver_database(pgserver_shared()));
	snprintf(from, sizeof(from), "%s/%s/db.sql", fixture_dir, fixture);
	restore(p->database, from);
	place_open(p, driver, pgserver_url(pgserver_shared(), p->database));
}

static void place_end(struct place *p)
{
	driver_close(&p->o);
	gitbuild_free(p->git);
	folder_remove(p->dir);
	loop_free(p->loop);
}

static struct outcome inspect_at(struct place *p, const char *revision, struct migration_set **ret)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, p->loop, 20 * US_PER_S);

	p->driver->inspect(p->o.priv, revision, op);
	answer_wait(&a);
	assert_int_equal(a.result != NULL, a.outcome.kind == OUTCOME_OK);
	*ret = a.result;
	return a.outcome;
}

static struct migration_set *inspect(struct place *p)
{
	struct migration_set *set;
	struct outcome o = inspect_at(p, p->revision, &set);

	if (o.kind != OUTCOME_OK)
		fail_msg("%s: %s (%s)", outcome_name(o.kind), o.text, o.hint);
	return set;
}

static const struct migration *find(const struct migration_set *set, const char *name)
{
	for (int i = 0; i < set->n_items; i++)
		if (strcmp(set->items[i].name, name) == 0)
			return &set->items[i];
	fail_msg("no migration %s", name);
	abort();
}

/* --- fixtures ------------------------------------------------------------------------------------------------ */

/* Names of one state, in the set's order, one a line. */
static void names_of(const struct migration_set *set, enum migration_state state, bool external, char *dst,
                     size_t cap)
{
	size_t k = 0;

	dst[0] = '\0';
	for (int i = 0; i < set->n_items; i++) {
		const struct migration *m = &set->items[i];

		if (m->state != state || (state != MIGRATION_MISSING && m->external != external))
			continue;
		k += (size_t)snprintf(dst + k, cap - k, "%s\n", m->name);
		assert_true(k < cap);
	}
}

static void list_of(const struct jv *state, const char *key, char *dst, size_t cap)
{
	const struct jv *list = jv_get(state, key);
	size_t k = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < jv_len(list); i++) {
		k += (size_t)snprintf(dst + k, cap - k, "%s\n", jv_text(jv_at(list, i), "?"));
		assert_true(k < cap);
	}
}

static void compare(const struct jv *state, const char *key, const struct migration_set *set,
                    enum migration_state which, bool external)
{
	char want[16384], got[16384];

	list_of(state, key, want, sizeof(want));
	names_of(set, which, external, got, sizeof(got));
	if (strcmp(want, got) != 0)
		fail_msg("%s of %s: want\n%sgot\n%s", key, jv_get_text(state, "state", "?"), want, got);
}

static int by_line(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void sort_lines(char *text)
{
	char *lines[512], *copy = strdup(text), *at = copy;
	const size_t room = strlen(text) + 1;
	size_t n = 0, k = 0;

	while (*at != '\0' && n < ARRAY_LEN(lines)) {
		lines[n++] = at;
		at += strcspn(at, "\n");
		*at++ = '\0';
	}
	qsort(lines, n, sizeof(*lines), by_line);
	for (size_t i = 0; i < n; i++)
		k += (size_t)snprintf(text + k, room - k, "%s\n", lines[i]);
	free(copy);
}

/* External rows are listed by name in the record. */
static void compare_external(const struct jv *state, const struct migration_set *set)
{
	char want[16384], got[16384];

	list_of(state, "external", want, sizeof(want));
	names_of(set, MIGRATION_APPLIED, true, got, sizeof(got));
	sort_lines(want);
	sort_lines(got);
	assert_string_equal(want, got);
}

static void check_fixture(const struct migrate_driver *driver, const char *fixture)
{
	struct place p;
	struct arena a;
	struct str text;
	struct jv *state = NULL;
	struct migration_set *set;
	char path[PATH_LEN * 2], expected[64];

	place_make(&p, driver, fixture);
	set = inspect(&p);
	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&text, SQL_MAX);
	snprintf(path, sizeof(path), "%s/%s/state.json", fixture_dir, fixture);
	assert_int_equal(file_read(path, SQL_MAX, &text, NULL), 0);
	assert_int_equal(jv_parse(&a, text.data, text.len, &state, NULL), 0);
	compare(state, "applied", set, MIGRATION_APPLIED, false);
	compare(state, "pending", set, MIGRATION_PENDING, false);
	compare(state, "failed", set, MIGRATION_FAILED, false);
	compare(state, "modified", set, MIGRATION_MODIFIED, false);
	compare(state, "missing", set, MIGRATION_MISSING, false);
	compare_external(state, set);
	assert_int_equal(set->n_running, 0);
	assert_int_equal(set->n_unknown, 0);
	assert_string_equal(set->revision, p.revision);

	/* What the tool would refuse is on record too: the words of its own refusal. */
	str_clear(&text);
	snprintf(path, sizeof(path), "%s/%s/expected.txt", fixture_dir, fixture);
	assert_int_equal(file_read(path, SQL_MAX, &text, NULL), 0);
	expected[0] = '\0';
	if (strstr(str_text(&text), "P3009") != NULL)
		snprintf(expected, sizeof(expected), "P3009");
	else if (strstr(str_text(&text), "Conflicting migrations") != NULL)
		snprintf(expected, sizeof(expected), "Conflicting");
	if (strncmp(set->block_text, expected, strlen(expected)) != 0 ||
	    set->blocked != (expected[0] != '\0'))
		fail_msg("%s: blocked %d \"%s\", want \"%s\"", fixture, set->blocked, set->block_text,
		         expected);
	str_release(&text);
	arena_release(&a);
	migration_set_free(set);
	place_end(&p);
}

#define FIXTURE(tool, name)                                                                                  \
	static void fixture_##tool##_##name(void **state)                                                    \
	{                                                                                                    \
		UNUSED(state);                                                                               \
		check_fixture(&migrate_##tool, #tool "/" #name);                                             \
	}
FIXTURE(prisma, baseline)
FIXTURE(prisma, clean)
FIXTURE(prisma, failed)
FIXTURE(prisma, failed_resolved)
FIXTURE(prisma, locked)
FIXTURE(prisma, not_baselined)
FIXTURE(prisma, out_of_order)
FIXTURE(prisma, pending)
FIXTURE(django, clean)
FIXTURE(django, conflict)
FIXTURE(django, drift)
FIXTURE(django, failed)
FIXTURE(django, failed_nonatomic)
FIXTURE(django, missing)
FIXTURE(django, pending)
FIXTURE(django, squash_cleaned)
FIXTURE(django, squash_unrecorded)
FIXTURE(django, third_party)

/* --- prisma ---------------------------------------------------------------------------------------------------- */

static void sql(const struct place *p, const char *text)
{
	assert_true(pgserver_sql(pgserver_shared(), p->database, text));
}

static void prisma_sees_changed_rows(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/clean");
	sql(&p, "UPDATE _prisma_migrations SET checksum = repeat('a', 64) WHERE migration_name = "
	        "'20260203140000_drop_name'");
	set = inspect(&p);
	assert_int_equal(set->n_modified, 1);
	assert_int_equal(find(set, "20260203140000_drop_name")->state, MIGRATION_MODIFIED);
	assert_false(set->blocked);
	migration_set_free(set);
	sql(&p, "DELETE FROM _prisma_migrations WHERE migration_name = '20260210140000_order_status'");
	set = inspect(&p);
	assert_int_equal(set->n_pending, 1);
	migration_set_free(set);
	sql(&p, "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, "
	        "applied_steps_count)"
	        " VALUES ('x', 'y', '20260101000000_gone', now(), now(), 1)");
	set = inspect(&p);
	assert_int_equal(set->n_missing, 1);
	assert_string_equal(set->items[0].name, "20260101000000_gone");
	assert_int_equal(set->items[0].state, MIGRATION_MISSING);
	migration_set_free(set);
	place_end(&p);
}

static void prisma_reads_rolled_back_rows(void **state)
{
	struct place p;
	struct migration_set *set;
	char text[1024];

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/failed_resolved");
	set = inspect(&p);
	/* Failed, rolled back, applied: the last word counts. */
	snprintf(text, sizeof(text),
	         "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at,"
	         " applied_steps_count) VALUES ('again', '%s', '20260203140000_drop_name', now(), now(), 1)",
	         find(set, "20260203140000_drop_name")->checksum);
	migration_set_free(set);
	sql(&p, text);
	set = inspect(&p);
	assert_int_equal(find(set, "20260203140000_drop_name")->state, MIGRATION_APPLIED);
	migration_set_free(set);
	place_end(&p);
}

/* The same bytes with other line ends, and Prisma's oldest form of sums, still match. */
static void prisma_accepts_line_ends(void **state)
{
	struct place p;
	struct migration_set *set;
	char crlf[512], path[] = "prisma/migrations/20260210140000_order_status/migration.sql";
	struct str text;
	size_t k = 0;
	char from[PATH_LEN * 2];

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/clean");
	str_init(&text, SQL_MAX);
	snprintf(from, sizeof(from), "%s/prisma/clean/project/%s", fixture_dir, path);
	assert_int_equal(file_read(from, SQL_MAX, &text, NULL), 0);
	for (size_t i = 0; i < text.len && k + 3 < sizeof(crlf); i++) {
		if (text.data[i] == '\n')
			crlf[k++] = '\r';
		crlf[k++] = text.data[i];
	}
	crlf[k] = '\0';
	gitbuild_commit(p.git, path, crlf, "crlf", 1700000001, p.revision);
	set = inspect(&p);
	assert_int_equal(set->n_modified, 0);
	migration_set_free(set);
	str_add(&text, "-- more\n");
	gitbuild_commit(p.git, path, str_text(&text), "more", 1700000002, p.revision);
	set = inspect(&p);
	assert_int_equal(set->n_modified, 1);
	migration_set_free(set);
	str_release(&text);
	/* "0a" was once written "a". */
	sql(&p, "UPDATE _prisma_migrations SET checksum = (SELECT string_agg(ltrim(left(b, 1), '0') || "
	        "right(b, 1), '' ORDER BY n)"
	        " FROM (SELECT n, substr(checksum, n * 2 - 1, 2) AS b FROM generate_series(1, 32) n) x)"
	        " WHERE migration_name = '20260105091000_init'");
	set = inspect(&p);
	assert_int_equal(find(set, "20260105091000_init")->state, MIGRATION_APPLIED);
	migration_set_free(set);
	place_end(&p);
}

static PGconn *hold(struct place *p, const char *text)
{
	char url[PATH_LEN];
	PGconn *c;
	PGresult *r;

	snprintf(url, sizeof(url), "%s?application_name=other-deploy",
	         pgserver_url(pgserver_shared(), p->database));
	c = PQconnectdb(url);
	assert_int_equal(PQstatus(c), CONNECTION_OK);
	r = PQexec(c, text);
	assert_true(PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK);
	PQclear(r);
	return c;
}

static void prisma_sees_the_lock(void **state)
{
	struct place p;
	struct migration_set *set;
	PGconn *c;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/pending");
	sql(&p, "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at)"
	        " VALUES ('run', 'x', '20260203140000_drop_name', now())");
	set = inspect(&p);
	assert_int_equal(set->n_failed, 1);
	assert_true(set->blocked);
	assert_string_equal(set->lock_text, "");
	migration_set_free(set);
	c = hold(&p, "SELECT pg_advisory_lock(72707369)");
	set = inspect(&p);
	assert_int_equal(set->n_failed, 0);
	assert_int_equal(set->n_running, 1);
	assert_int_equal(find(set, "20260203140000_drop_name")->state, MIGRATION_RUNNING);
	assert_false(set->blocked);
	assert_non_null(strstr(set->lock_text, "other-deploy"));
	assert_non_null(strstr(set->lock_text, "holds Prisma's lock"));
	migration_set_free(set);
	/* With an error in its log it has failed, whoever holds the lock. */
	sql(&p, "UPDATE _prisma_migrations SET logs = E'syntax \\x1b[31merror' WHERE id = 'run'");
	set = inspect(&p);
	assert_int_equal(set->n_failed, 1);
	assert_true(text_is_clean(find(set, "20260203140000_drop_name")->text,
	                          strlen(find(set, "20260203140000_drop_name")->text)));
	assert_non_null(strstr(find(set, "20260203140000_drop_name")->text, "<ESC>"));
	migration_set_free(set);
	PQfinish(c);
	place_end(&p);
}

static void prisma_blocks(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/not_baselined");
	set = inspect(&p);
	assert_false(set->blocked);
	migration_set_free(set);
	sql(&p, "CREATE TABLE customer (id int)");
	set = inspect(&p);
	assert_true(set->blocked);
	assert_non_null(strstr(set->block_text, "P3005"));
	migration_set_free(set);
	gitbuild_commit(p.git, "prisma/migrations/20260301000000_empty/README", "no script\n", "broken",
	                1700000003, p.revision);
	sql(&p, "DROP TABLE customer");
	set = inspect(&p);
	assert_true(set->blocked);
	assert_non_null(strstr(set->block_text, "P3015"));
	assert_non_null(strstr(set->block_text, "20260301000000_empty"));
	assert_int_equal(find(set, "20260301000000_empty")->state, MIGRATION_PENDING);
	migration_set_free(set);
	place_end(&p);
}

static void prisma_lints(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/not_baselined");
	set = inspect(&p);
	assert_int_equal(find(set, "20260203140000_drop_name")->kind, MIGRATION_CONTRACT);
	assert_true(find(set, "20260203140000_drop_name")->loses_data);
	assert_true(find(set, "20260203140000_drop_name")->destructive);
	assert_int_equal(find(set, "20260120083000_add_full_name")->kind, MIGRATION_EXPAND);
	assert_int_equal(find(set, "20260121083000_backfill_full_name")->kind, MIGRATION_DATA);
	migration_set_free(set);
	place_end(&p);
}

static void prisma_finds_the_table(void **state)
{
	struct place p;
	struct migration_set *set;
	struct outcome o;

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/pending");
	sql(&p, "CREATE SCHEMA shop; ALTER TABLE _prisma_migrations SET SCHEMA shop");
	set = inspect(&p);
	assert_int_equal(set->n_applied, 4);
	migration_set_free(set);
	sql(&p, "ALTER TABLE shop._prisma_migrations RENAME TO \"Odd \"\"name\"");
	set = inspect(&p);
	assert_int_equal(set->n_applied, 4);
	migration_set_free(set);
	sql(&p, "CREATE SCHEMA other; CREATE TABLE other.\"Odd \"\"name\" AS TABLE shop.\"Odd \"\"name\"");
	o = inspect_at(&p, p.revision, &set);
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(o.hint, "schema"));
	sql(&p, "DROP SCHEMA shop CASCADE; DROP SCHEMA other CASCADE");
	set = inspect(&p);
	assert_int_equal(set->n_applied, 0);
	assert_int_equal(set->n_pending, 6);
	migration_set_free(set);
	place_end(&p);
}

/* The tools' URLs carry parameters that libpq refuses; ?schema= chooses the table's place. */
static void prisma_takes_its_own_url(void **state)
{
	struct place p;
	struct migration_set *set;
	char url[PATH_LEN];

	UNUSED(state);
	place_make(&p, &migrate_prisma, "prisma/pending");
	driver_close(&p.o);
	snprintf(url, sizeof(url), "%s?schema=public&connection_limit=5&pgbouncer=true\n",
	         pgserver_url(pgserver_shared(), p.database));
	place_open(&p, &migrate_prisma, url);
	set = inspect(&p);
	assert_int_equal(set->n_applied, 4);
	migration_set_free(set);
	place_end(&p);
}

/* --- django ---------------------------------------------------------------------------------------------------- */

static void django_sees_changed_rows(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_django, "django/clean");
	sql(&p, "DELETE FROM django_migrations WHERE app = 'shop' AND name = '0003_customer_full_name'");
	set = inspect(&p);
	assert_int_equal(find(set, "shop.0003_customer_full_name")->state, MIGRATION_PENDING);
	assert_true(set->blocked);
	assert_non_null(strstr(set->block_text, "InconsistentMigrationHistory"));
	migration_set_free(set);
	sql(&p, "DELETE FROM django_migrations WHERE app = 'shop' AND name > '0003'");
	set = inspect(&p);
	assert_int_equal(set->n_pending, 4);
	assert_false(set->blocked);
	assert_int_equal(find(set, "shop.0005_remove_customer_name")->kind, MIGRATION_CONTRACT);
	assert_true(find(set, "shop.0005_remove_customer_name")->loses_data);
	assert_int_equal(find(set, "shop.0004_backfill_full_name")->kind, MIGRATION_DATA);
	assert_int_equal(find(set, "shop.0003_customer_full_name")->kind, MIGRATION_EXPAND);
	migration_set_free(set);
	place_end(&p);
}

/* Half of what a squash replaces is applied: the originals are used. */
static void django_half_squashed(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_django, "django/clean");
	sql(&p, "DELETE FROM django_migrations WHERE app = 'products' AND name <> '0001_initial'");
	set = inspect(&p);
	assert_int_equal(find(set, "products.0001_initial")->state, MIGRATION_APPLIED);
	assert_int_equal(find(set, "products.0002_product_price")->state, MIGRATION_PENDING);
	for (int i = 0; i < set->n_items; i++)
		assert_null(strstr(set->items[i].name, "squashed"));
	migration_set_free(set);
	place_end(&p);
}

static void django_says_what_it_cannot_read(void **state)
{
	struct place p;
	struct migration_set *set;

	UNUSED(state);
	place_make(&p, &migrate_django, "django/clean");
	gitbuild_commit(p.git, "shop/migrations/0007_odd.py",
	                "from django.db import migrations\n"
	                "class Migration(migrations.Migration):\n"
	                "    dependencies = [('shop', n) for n in ['0006_order_status']]\n"
	                "    operations = []\n",
	                "odd", 1700000004, p.revision);
	set = inspect(&p);
	assert_int_equal(find(set, "shop.0007_odd")->state, MIGRATION_UNKNOWN);
	assert_non_null(strstr(find(set, "shop.0007_odd")->text, "dependencies"));
	assert_int_equal(set->n_applied, 9);
	migration_set_free(set);
	gitbuild_commit(p.git, "shop/migrations/0007_odd.py",
	                "from django.db import migrations\n"
	                "class Migration(migrations.Migration):\n"
	                "    dependencies = [('shop', '0099_nowhere')]\n"
	                "    operations = []\n",
	                "nowhere", 1700000005, p.revision);
	set = inspect(&p);
	assert_true(set->blocked);
	assert_non_null(strstr(set->block_text, "NodeNotFoundError"));
	migration_set_free(set);
	place_end(&p);
}

static void django_sees_writers(void **state)
{
	struct place p;
	struct migration_set *set;
	PGconn *c;

	UNUSED(state);
	place_make(&p, &migrate_django, "django/pending");
	c = hold(&p, "BEGIN; INSERT INTO django_migrations (app, name, applied) VALUES ('shop', "
	             "'0005_remove_customer_name',"
	             " now())");
	set = inspect(&p);
	assert_int_equal(set->n_pending, 2);
	assert_non_null(strstr(set->lock_text, "other-deploy"));
	migration_set_free(set);
	PQfinish(c);
	place_end(&p);
}

/* --- both ------------------------------------------------------------------------------------------------------ */

static const struct migrate_driver *const both[] = {&migrate_prisma, &migrate_django};
static const char *const both_fixtures[] = {"prisma/pending", "django/pending"};

static void gone_database_is_errored(void **state)
{
	char why[TEXT_LEN];
	struct pgserver *own = pgserver_start(why, sizeof(why));

	UNUSED(state);
	if (own == NULL)
		fail_msg("no server: %s", why);
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct migration_set *set;
		struct outcome o;
		struct place p;

		place_make(&p, both[i], both_fixtures[i]);
		driver_close(&p.o);
		place_open(&p, both[i], pgserver_url(own, NULL));
		set = inspect(&p);
		assert_int_equal(set->n_applied, 0);
		migration_set_free(set);
		pgserver_stop(own, false);
		o = inspect_at(&p, p.revision, &set);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_null(set);
		assert_true(o.text[0] != '\0' && o.hint[0] != '\0');
		assert_null(strstr(o.text, PGSERVER_PASSWORD));
		assert_true(pgserver_again(own));
		set = inspect(&p);
		migration_set_free(set);
		place_end(&p);
	}
	pgserver_free(own);
}

static void gone_tree_is_errored(void **state)
{
	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct migration_set *set;
		struct outcome o;
		struct place p;
		char moved[PATH_LEN + 8];

		place_make(&p, both[i], both_fixtures[i]);
		o = inspect_at(&p, "0123456789012345678901234567890123456789", &set);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_non_null(strstr(o.hint, "fetch"));
		o = inspect_at(&p, "HEAD~1", &set);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		o = inspect_at(&p, "", &set);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		snprintf(moved, sizeof(moved), "%s.away", p.repo);
		assert_int_equal(rename(p.repo, moved), 0);
		o = inspect_at(&p, p.revision, &set);
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_non_null(strstr(o.hint, "repo"));
		assert_int_equal(rename(moved, p.repo), 0);
		place_end(&p);
	}
}

static void secrets_stay_out_of_argv(void **state)
{
	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct migrate_command *c;
		struct place p;
		struct answer a = {.keep = true};

		place_make(&p, both[i], both_fixtures[i]);
		p.driver->command(p.o.priv, p.revision, "/srv/release", answer_op(&a, p.loop, 5 * US_PER_S));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
		c = a.result;
		assert_string_equal(c->argv[0], i == 0 ? "npx" : "python3");
		for (int k = 0; c->argv[k] != NULL; k++)
			assert_null(strstr(c->argv[k], "postgresql"));
		assert_non_null(strstr(c->env[0], "DATABASE_URL=postgresql://"));
		assert_string_equal(c->env[1], "PYTHONDONTWRITEBYTECODE=1");
		assert_null(c->env[2]);
		assert_string_equal(c->cwd, "/srv/release");
		migrate_command_free(c);
		place_end(&p);
	}
}

#define CALLS(tool)                                                                                          \
	static void start_inspect_##tool(void *priv, struct op *op)                                          \
	{                                                                                                    \
		migrate_##tool.inspect(priv, "HEAD", op);                                                    \
	}                                                                                                    \
	static void start_command_##tool(void *priv, struct op *op)                                          \
	{                                                                                                    \
		migrate_##tool.command(priv, "HEAD", "/srv", op);                                            \
	}
CALLS(prisma)
CALLS(django)
CALLS(golang_migrate)
CALLS(goose)
CALLS(dbmate)
static void start_inspect_null(void *priv, struct op *op) { migrate_null.inspect(priv, "HEAD", op); }
static void start_command_null(void *priv, struct op *op) { migrate_null.command(priv, "HEAD", "/srv", op); }

#define TOOL(tool, fixture)                                                                                  \
	{                                                                                                    \
		&migrate_##tool, fixture, {#tool " inspect", start_inspect_##tool},                          \
		    {#tool " command", start_command_##tool},                                                \
	}

static void laws(void **state)
{
	static const struct {
		const struct migrate_driver *driver;
		const char *fixture;
		struct slot_call inspect, command;
	} all[] = {
	    TOOL(prisma, "prisma/pending"),
	    TOOL(django, "django/pending"),
	    TOOL(golang_migrate, "golang-migrate/pending"),
	    TOOL(goose, "goose/pending"),
	    TOOL(dbmate, "dbmate/pending"),
	};
	struct loop *l = loop_new(NULL);
	const struct slot_call null_calls[] = {{"null inspect", start_inspect_null},
	                                       {"null command", start_command_null}};
	struct opened o;

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct slot_call check = {"check", all[i].driver->base.check};
		struct place p;

		place_make(&p, all[i].driver, all[i].fixture);
		slot_laws(p.loop, p.o.priv, &all[i].inspect, false);
		slot_laws(p.loop, p.o.priv, &all[i].command, false);
		slot_laws(p.loop, p.o.priv, &check, false);
		place_end(&p);
	}
	driver_open(&o, l, &migrate_null.base, "{}", NULL);
	for (size_t i = 0; i < ARRAY_LEN(null_calls); i++)
		slot_laws(l, o.priv, &null_calls[i], true);
	driver_close(&o);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(laws),
	    cmocka_unit_test(fixture_prisma_baseline),
	    cmocka_unit_test(fixture_prisma_clean),
	    cmocka_unit_test(fixture_prisma_failed),
	    cmocka_unit_test(fixture_prisma_failed_resolved),
	    cmocka_unit_test(fixture_prisma_locked),
	    cmocka_unit_test(fixture_prisma_not_baselined),
	    cmocka_unit_test(fixture_prisma_out_of_order),
	    cmocka_unit_test(fixture_prisma_pending),
	    cmocka_unit_test(fixture_django_clean),
	    cmocka_unit_test(fixture_django_conflict),
	    cmocka_unit_test(fixture_django_drift),
	    cmocka_unit_test(fixture_django_failed),
	    cmocka_unit_test(fixture_django_failed_nonatomic),
	    cmocka_unit_test(fixture_django_missing),
	    cmocka_unit_test(fixture_django_pending),
	    cmocka_unit_test(fixture_django_squash_cleaned),
	    cmocka_unit_test(fixture_django_squash_unrecorded),
	    cmocka_unit_test(fixture_django_third_party),
	    cmocka_unit_test(prisma_sees_changed_rows),
	    cmocka_unit_test(prisma_reads_rolled_back_rows),
	    cmocka_unit_test(prisma_accepts_line_ends),
	    cmocka_unit_test(prisma_sees_the_lock),
	    cmocka_unit_test(prisma_blocks),
	    cmocka_unit_test(prisma_lints),
	    cmocka_unit_test(prisma_finds_the_table),
	    cmocka_unit_test(prisma_takes_its_own_url),
	    cmocka_unit_test(django_sees_changed_rows),
	    cmocka_unit_test(django_half_squashed),
	    cmocka_unit_test(django_says_what_it_cannot_read),
	    cmocka_unit_test(django_sees_writers),
	    cmocka_unit_test(gone_database_is_errored),
	    cmocka_unit_test(gone_tree_is_errored),
	    cmocka_unit_test(secrets_stay_out_of_argv),
	};

	return cmocka_run_group_tests(tests, find_fixtures, NULL);
}
