/*
 * Production commands: what each tool is called with when all that is configured is one database URL. The URL has a
 * password that needs escaping everywhere; it must arrive whole, in the environment alone.
 */
#include "backends/drivers.h"
#include "core/port/migrate.h"
#include "tests/lib/porttest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PASSWORD "p@ss w/rd%&=?'é"
#define ESCAPED "p%40ss%20w%2Frd%25%26%3D%3F%27%C3%A9"
#define URL "postgres://deploy:" ESCAPED "@db.example:5433/shop?sslmode=verify-full&sslrootcert=/etc/ca.pem"
#define OPTS "options=-c%20lock_timeout%3D2000"
#define SSL "sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem"
#define JDBC "jdbc:postgresql://db.example:5433/shop?" SSL "&ApplicationName=towpath-migrate&" OPTS
#define WITHOUT(scheme) scheme "://deploy@db.example:5433/shop?" SSL
#define SESSION "&application_name=towpath-migrate&" OPTS
#define WHOLE(scheme) scheme "://deploy:" ESCAPED "@db.example:5433/shop?" SSL

enum { WORDS = 12 };

struct expected {
	const struct migrate_driver *driver;
	const char *name; /* of a migration, for down and repair */
	const char *up[WORDS], *down[WORDS], *repair[WORDS], *env[WORDS];
};

#define NPX "npx", "--no-install"
#define MIGRATE "migrate", "-path", "migrations", "-database", WITHOUT("postgres") SESSION
#define PLAIN "DATABASE_URL=" URL, "PGAPPNAME=towpath-migrate", "PGOPTIONS=-c lock_timeout=2000"
#define NODE PLAIN, "NODE_ENV=production"

static const struct expected all[] = {
    {&migrate_prisma,
     "20260203140000_drop_name",
     {NPX, "prisma", "migrate", "deploy"},
     {NULL},
     {NPX, "prisma", "migrate", "resolve", "--rolled-back", "20260203140000_drop_name"},
     {"DATABASE_URL=" WHOLE("postgres") SESSION}},
    {&migrate_django,
     "shop.0004_backfill",
     {"python3", "manage.py", "migrate", "--noinput"},
     {"python3", "manage.py", "migrate", "--noinput", "shop", "0004_backfill"},
     {NULL},
     {PLAIN}},
    {&migrate_flyway,
     "V3__drop_name.sql",
     {"flyway", "migrate"},
     {NULL},
     {"flyway", "repair"},
     {"FLYWAY_URL=" JDBC, "FLYWAY_USER=deploy", "FLYWAY_PASSWORD=" PASSWORD}},
    {&migrate_liquibase,
     "db/a.sql::x::ana",
     {"liquibase", "update"},
     {NULL},
     {"liquibase", "release-locks"},
     {"LIQUIBASE_COMMAND_URL=" JDBC, "LIQUIBASE_COMMAND_USERNAME=deploy",
      "LIQUIBASE_COMMAND_PASSWORD=" PASSWORD}},
    {&migrate_alembic,
     "4be2087a6d14",
     {"alembic", "upgrade", "head"},
     {"alembic", "downgrade", "4be2087a6d14"},
     {NULL},
     {"DATABASE_URL=" WHOLE("postgresql"), "PGAPPNAME=towpath-migrate"}},
    {&migrate_knex,
     "20260203140000_drop_name.js",
     {NPX, "knex", "migrate:latest"},
     {NULL},
     {NPX, "knex", "migrate:unlock"},
     {NODE}},
    {&migrate_rails,
     "20260203140000",
     {"bin/rails", "db:migrate"},
     {"bin/rails", "db:migrate", "VERSION=20260203140000"},
     {NULL},
     {PLAIN, "RAILS_ENV=production"}},
    {&migrate_golang_migrate, "5", {MIGRATE, "up"}, {MIGRATE, "goto", "5"}, {NULL}, {"PGPASSWORD=" PASSWORD}},
    {&migrate_atlas,
     "20260203140000",
     {"atlas", "migrate", "apply", "--dir", "file://migrations", "--url", WITHOUT("postgres")},
     {NULL},
     {NULL},
     {"PGPASSWORD=" PASSWORD}},
    {&migrate_goose,
     "20260203140000",
     {"goose", "-dir", "migrations", "up"},
     {"goose", "-dir", "migrations", "down-to", "20260203140000"},
     {NULL},
     {"GOOSE_DRIVER=postgres", "GOOSE_DBSTRING=" WHOLE("postgres") SESSION}},
    {&migrate_dbmate,
     "20260203140000",
     {"dbmate", "--no-dump-schema", "migrate"},
     {NULL},
     {NULL},
     {PLAIN, "DBMATE_MIGRATIONS_DIR=db/migrations"}},
    {&migrate_sqitch,
     "drop_name",
     {"sqitch", "deploy", "--verify"},
     {"sqitch", "revert", "-y", "--to", "drop_name"},
     {NULL},
     {"SQITCH_TARGET=db:" WITHOUT("postgresql"), "SQITCH_PASSWORD=" PASSWORD, "PGPASSWORD=" PASSWORD}},
    {&migrate_sequelize, "a.js", {NPX, "sequelize-cli", "db:migrate"}, {NULL}, {NULL}, {NODE}},
    {&migrate_typeorm,
     "DropName1770127200000",
     {NPX, "typeorm", "migration:run", "-d", "dist/data-source.js"},
     {NULL},
     {NULL},
     {NODE}},
    {&migrate_drizzle,
     "0004_drop_name",
     {NPX, "drizzle-kit", "migrate"},
     {NULL},
     {NULL},
     {"DATABASE_URL=" WHOLE("postgres") SESSION, "NODE_ENV=production"}},
    {&migrate_node_pg_migrate, "1_drop-name", {NPX, "node-pg-migrate", "up"}, {NULL}, {NULL}, {NODE}},
};

/* --- a driver that knows a URL ----------------------------------------------------------------------------------- */

struct known {
	struct loop *loop;
	char dir[PATH_LEN];
	struct opened o;
	const struct migrate_driver *driver;
};

static void know(struct known *k, const struct migrate_driver *driver, const char *url, const char *more)
{
	char options[PATH_LEN * 3];

	k->loop = loop_new(NULL);
	k->driver = driver;
	folder_make(k->dir);
	file_put_n(k->dir, "db.url", url, strlen(url), 0600);
	snprintf(options, sizeof(options), "{\"repo\": \"%s\", \"database\": {\"file\": \"%s/db.url\"}%s}",
	         k->dir, k->dir, more);
	driver_open(&k->o, k->loop, &driver->base, options, NULL);
}

static void forget(struct known *k)
{
	driver_close(&k->o);
	folder_remove(k->dir);
	loop_free(k->loop);
}

/* NULL with the outcome where it is not OK. */
static struct migrate_command *ask(struct known *k, enum migrate_action action, const char *name,
                                   const char *dir, struct outcome *o)
{
	struct answer a = {.keep = true};

	k->driver->command(k->o.priv,
	                   &(struct migrate_request){
	                       .action = action, .argument = name, .revision = "HEAD", .release_dir = dir},
	                   answer_op(&a, k->loop, 5 * US_PER_S));
	answer_wait(&a);
	*o = a.outcome;
	return a.result;
}

static const char *env_of(const struct migrate_command *c, const char *name)
{
	const size_t n = strlen(name);

	for (int i = 0; c->env[i] != NULL; i++)
		if (strncmp(c->env[i], name, n) == 0 && c->env[i][n] == '=')
			return c->env[i] + n + 1;
	return NULL;
}

static void check_words(const struct expected *t, char *const *argv, const char *const *want)
{
	int i = 0;

	for (; argv[i] != NULL || (i < WORDS && want[i] != NULL); i++)
		if (argv[i] == NULL || want[i] == NULL || strcmp(argv[i], want[i]) != 0)
			fail_msg("%s: word %d is \"%s\", not \"%s\"", t->driver->base.name, i,
			         argv[i] != NULL ? argv[i] : "none", want[i] != NULL ? want[i] : "none");
	for (i = 0; argv[i] != NULL; i++)
		if (strstr(argv[i], PASSWORD) != NULL || strstr(argv[i], ESCAPED) != NULL)
			fail_msg("%s: the password is in argv: %s", t->driver->base.name, argv[i]);
}

static void check_env(const struct expected *t, const struct migrate_command *c)
{
	for (int i = 0; i < WORDS && t->env[i] != NULL; i++) {
		bool there = false;

		for (int k = 0; c->env[k] != NULL; k++)
			there |= strcmp(c->env[k], t->env[i]) == 0;
		if (!there)
			fail_msg("%s: no %s", t->driver->base.name, t->env[i]);
	}
}

static void check_action(const struct expected *t, struct known *k, enum migrate_action action,
                         const char *const *want)
{
	struct outcome o;
	struct migrate_command *c = ask(k, action, t->name, NULL, &o);

	if (want[0] == NULL) {
		assert_null(c);
		/* golang-migrate's remedy needs the release's files. */
		if (o.kind != OUTCOME_UNSUPPORTED && t->driver != &migrate_golang_migrate)
			fail_msg("%s: %s is %s", t->driver->base.name, migrate_action_name(action),
			         outcome_name(o.kind));
		assert_true(o.text[0] != '\0' && o.hint[0] != '\0');
		return;
	}
	if (c == NULL)
		fail_msg("%s: %s (%s)", t->driver->base.name, o.text, o.hint);
	check_words(t, c->argv, want);
	check_env(t, c);
	migrate_command_free(c);
}

/* --- backups --------------------------------------------------------------------------------------------- */

static struct backup_list *list(struct known *k, const char *more, struct outcome *o)
{
	struct answer a = {.keep = true};

	know(k, &migrate_prisma, URL, more);
	k->driver->backups(k->o.priv, answer_op(&a, k->loop, 10 * US_PER_S));
	answer_wait(&a);
	*o = a.outcome;
	return a.result;
}

static void backups(void **state)
{
	static const struct {
		const char *more, *said;
		enum outcome_kind kind;
	} wrong[] = {
	    {"", "no backups are configured", OUTCOME_UNSUPPORTED},
	    {", \"backups_command\": [\"printf\", \"nonsense\"]", "line 1 is no backup: nonsense",
	     OUTCOME_ERRORED},
	    /* What it printed before it failed is no list. */
	    {", \"backups_command\": [\"sh\", \"-c\", \"echo 2025-10-24T02:00:00Z 1 a; exit 3\"]", "",
	     OUTCOME_ERRORED},
	    {", \"backups_command\": [\"/nowhere/lists\"]", "", OUTCOME_ERRORED},
	};
	struct known k;
	struct outcome o;
	struct backup_list *l;
	char dir[PATH_LEN], more[PATH_LEN * 2];

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_null(list(&k, wrong[i].more, &o));
		if (o.kind != wrong[i].kind || strstr(o.text, wrong[i].said) == NULL)
			fail_msg("%zu: %s, %s", i, outcome_name(o.kind), o.text);
		forget(&k);
	}
	l = list(&k,
	         ", \"backups_command\": [\"printf\", \"2025-10-24T02:00:00Z 1 a\\\\n2025-10-25T02:00:00Z - "
	         "b\\\\n\"]",
	         &o);
	assert_non_null(l);
	assert_int_equal(l->n_items, 2);
	assert_string_equal(l->items[0].name, "b");
	backup_list_free(l);
	forget(&k);

	folder_make(dir);
	file_put(dir, "orders-1.dump", "one");
	file_put(dir, "orders-2.dump", "");
	file_put(dir, "orders-3/toc.dat", "x");
	file_put(dir, "web-1.dump", "other");
	snprintf(more, sizeof(more), ", \"backups\": \"%s/orders-*\"", dir);
	l = list(&k, more, &o);
	assert_non_null(l);
	assert_int_equal(l->n_items, 3);
	assert_true(backup_named(l, "orders-1.dump")->bytes == 3);
	assert_true(backup_named(l, "orders-2.dump")->bytes == 0);
	assert_true(backup_named(l, "orders-3")->bytes == -1);
	assert_true(l->items[0].at_us >= l->items[2].at_us && l->items[2].at_us > 0);
	backup_list_free(l);
	forget(&k);
	snprintf(more, sizeof(more), ", \"backups\": \"%s/none-*\"", dir);
	l = list(&k, more, &o);
	assert_non_null(l);
	assert_int_equal(l->n_items, 0);
	backup_list_free(l);
	forget(&k);
	folder_remove(dir);
}

static void every_tool_from_one_url(void **state)
{
	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct known k;

		know(&k, all[i].driver, URL "\n", "");
		check_action(&all[i], &k, MIGRATE_UP, all[i].up);
		check_action(&all[i], &k, MIGRATE_DOWN, all[i].down);
		check_action(&all[i], &k, MIGRATE_REPAIR, all[i].repair);
		forget(&k);
	}
}

/* --- URLs -------------------------------------------------------------------------------------------------------- */

struct url_case {
	const char *given, *jdbc, *user, *password;
};

static void urls_for_jdbc(void **state)
{
	static const struct url_case cases[] = {
	    {"postgresql://h/d", "//h/d?", NULL, NULL},
	    {"postgresql://h", "//h/?", NULL, NULL},
	    {"postgresql:///d", "//localhost/d?", NULL, NULL},
	    {"postgres://u@[::1]:5/d%20b", "//[::1]:5/d%20b?", "u", NULL},
	    {"postgresql://u:a:b@h1:1,h2:2/d?target_session_attrs=read-write",
	     "//h1:1,h2:2/d?targetServerType=primary&", "u", "a:b"},
	    {"postgresql+psycopg2://u:@h/d", "//h/d?", "u", ""},
	    {"jdbc:postgresql://h/d?user=ann+b&password=x%26y&currentSchema=shop&loggerLevel=OFF",
	     "//h/d?currentSchema=shop&loggerLevel=OFF&", "ann b", "x&y"},
	    {"postgresql://h/d?schema=shop&connect_timeout=9&application_name=web",
	     "//h/d?currentSchema=shop&connectTimeout=9&", NULL, NULL},
	    {"postgresql://db/?dbname=d&host=h&port=7&user=u", "//h:7/d?", "u", NULL},
	    {"postgresql:///d?port=7&host=h", "//h:7/d?", NULL, NULL},
	    {"postgresql://a,[fd00::2],c:9/d?port=7,8,6", "//a:7,[fd00::2]:8,c:9/d?", NULL, NULL},
	    {"postgresql://a,b/d?port=7", "//a:7,b:7/d?", NULL, NULL},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct known k;
		struct outcome o;
		struct migrate_command *c;
		char want[512];

		know(&k, &migrate_flyway, cases[i].given, "");
		c = ask(&k, MIGRATE_UP, "", NULL, &o);
		if (c == NULL)
			fail_msg("%s: %s", cases[i].given, o.text);
		snprintf(want, sizeof(want), "jdbc:postgresql:%sApplicationName=towpath-migrate&%s",
		         cases[i].jdbc, OPTS);
		assert_string_equal(env_of(c, "FLYWAY_URL"), want);
		if (cases[i].user == NULL)
			assert_null(env_of(c, "FLYWAY_USER"));
		else
			assert_string_equal(env_of(c, "FLYWAY_USER"), cases[i].user);
		if (cases[i].password == NULL)
			assert_null(env_of(c, "FLYWAY_PASSWORD"));
		else
			assert_string_equal(env_of(c, "FLYWAY_PASSWORD"), cases[i].password);
		migrate_command_free(c);
		forget(&k);
	}
}

static void refuses_what_is_none(void **state)
{
	static const char *const bad[] = {
	    "host=h dbname=d password=secret-1",        "mysql://u:secret-1@h/d",
	    "postgresql://u:secret-1@%2Fvar%2Frun/d",   "postgres",
	    "postgresql://u:secret-1@/d?host=/var/run", "postgresql://u:secret-1@/d?host=h/x@y"};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct known k;
		struct outcome o;

		know(&k, &migrate_flyway, bad[i], "");
		assert_null(ask(&k, MIGRATE_UP, "", NULL, &o));
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_true(o.text[0] != '\0' && o.hint[0] != '\0');
		assert_null(strstr(o.text, "secret-1"));
		forget(&k);
	}
}

/* The server takes the last of several options, so ours stands behind what the URL says. */
static void keeps_the_urls_own_options(void **state)
{
	struct known k;
	struct outcome o;
	struct migrate_command *c;

	UNUSED(state);
	know(&k, &migrate_goose, "postgres://u@h/d?options=-c%20work_mem%3D8MB&application_name=mine",
	     ", \"lock_timeout\": 5000000");
	c = ask(&k, MIGRATE_UP, "", NULL, &o);
	assert_non_null(c);
	assert_string_equal(
	    env_of(c, "GOOSE_DBSTRING"),
	    "postgres://u@h/d?application_name=towpath-migrate&options=-c%20work_mem%3D8MB%20-c%20"
	    "lock_timeout%3D5000");
	migrate_command_free(c);
	forget(&k);
	know(&k, &migrate_goose, "postgres://u@h/d", ", \"lock_timeout\": 0");
	c = ask(&k, MIGRATE_UP, "", NULL, &o);
	assert_non_null(c);
	assert_string_equal(env_of(c, "GOOSE_DBSTRING"), "postgres://u@h/d?application_name=towpath-migrate");
	assert_null(env_of(c, "PGOPTIONS"));
	migrate_command_free(c);
	forget(&k);
}

/* A socket's folder has its port beside it; what a host cannot be stays a parameter and moves nothing else. */
static void keeps_what_is_no_host(void **state)
{
	static const char *const cases[][2] = {
	    {"postgres://u@/d?host=/run/pg&port=7", "postgres://u@/d?host=%2Frun%2Fpg&port=7&"},
	    {"postgres://u@/d?port=7&host=/run/pg", "postgres://u@/d?host=%2Frun%2Fpg&port=7&"},
	    {"postgres://u@/d?host=h/x%40y", "postgres://u@/d?host=h%2Fx%40y&"},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct known k;
		struct outcome o;
		struct migrate_command *c;
		char want[256];

		know(&k, &migrate_goose, cases[i][0], ", \"lock_timeout\": 0");
		c = ask(&k, MIGRATE_UP, "", NULL, &o);
		assert_non_null(c);
		snprintf(want, sizeof(want), "%sapplication_name=towpath-migrate", cases[i][1]);
		assert_string_equal(env_of(c, "GOOSE_DBSTRING"), want);
		migrate_command_free(c);
		forget(&k);
	}
}

/* --- what the release's folder says ------------------------------------------------------------------------------ */

static const char *word_after(const struct migrate_command *c, const char *flag)
{
	for (int i = 0; c->argv[i] != NULL; i++)
		if (strcmp(c->argv[i], flag) == 0)
			return c->argv[i + 1];
	return "";
}

static void finds_the_migrations(void **state)
{
	char dir[PATH_LEN];
	struct known k;
	struct outcome o;
	struct migrate_command *c;

	UNUSED(state);
	folder_make(dir);
	file_put(dir, "db/migrations/000003_a.up.sql", "");
	file_put(dir, "db/migrations/000003_a.down.sql", "");
	file_put(dir, "db/migrations/12_b.up.sql", "");
	file_put(dir, "db/migrations/README.md", "");
	know(&k, &migrate_golang_migrate, URL, "");
	c = ask(&k, MIGRATE_REPAIR, "12", dir, &o);
	assert_non_null(c);
	assert_string_equal(word_after(c, "-path"), "db/migrations");
	assert_string_equal(word_after(c, "force"), "3");
	migrate_command_free(c);
	/* Nothing stands before the first. */
	assert_null(ask(&k, MIGRATE_REPAIR, "3", dir, &o));
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(o.text, "before 3"));
	forget(&k);
	know(&k, &migrate_goose, URL, "");
	c = ask(&k, MIGRATE_UP, "", dir, &o);
	assert_non_null(c);
	assert_string_equal(word_after(c, "-dir"), "db/migrations");
	migrate_command_free(c);
	file_put(dir, ".env", "GOOSE_MIGRATION_DIR='moves'\n");
	c = ask(&k, MIGRATE_UP, "", dir, &o);
	assert_non_null(c);
	assert_string_equal(word_after(c, "-dir"), "moves");
	migrate_command_free(c);
	forget(&k);
	know(&k, &migrate_goose, URL, ", \"migrations\": \"steps\"");
	c = ask(&k, MIGRATE_UP, "", dir, &o);
	assert_non_null(c);
	assert_string_equal(word_after(c, "-dir"), "steps");
	migrate_command_free(c);
	forget(&k);
	know(&k, &migrate_flyway, URL, "");
	c = ask(&k, MIGRATE_UP, "", dir, &o);
	assert_non_null(c);
	assert_null(env_of(c, "FLYWAY_LOCATIONS"));
	migrate_command_free(c);
	file_put(dir, "db/migration/V1__a.sql", "");
	c = ask(&k, MIGRATE_UP, "", dir, &o);
	assert_string_equal(env_of(c, "FLYWAY_LOCATIONS"), "filesystem:db/migration");
	migrate_command_free(c);
	/* The project says it itself. */
	file_put(dir, "flyway.toml", "[flyway]\n");
	c = ask(&k, MIGRATE_UP, "", dir, &o);
	assert_null(env_of(c, "FLYWAY_LOCATIONS"));
	migrate_command_free(c);
	forget(&k);
	folder_remove(dir);
}

/* Words of the configuration get what everybody may see, and nothing of the URL's secrets. */
static void configured_words(void **state)
{
	struct known k;
	struct outcome o;
	struct migrate_command *c;

	UNUSED(state);
	know(&k, &migrate_golang_migrate, URL,
	     ", \"command\": [\"wrap\", \"{address}\", \"{password}\", \"{url}\", \"{name}\"]");
	c = ask(&k, MIGRATE_UP, "", NULL, &o);
	assert_non_null(c);
	assert_string_equal(c->argv[1], WITHOUT("postgres") SESSION);
	assert_string_equal(c->argv[2], "{password}");
	assert_string_equal(c->argv[3], "{url}");
	assert_string_equal(c->argv[4], "");
	migrate_command_free(c);
	forget(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(backups),
	    cmocka_unit_test(every_tool_from_one_url),
	    cmocka_unit_test(urls_for_jdbc),
	    cmocka_unit_test(refuses_what_is_none),
	    cmocka_unit_test(keeps_the_urls_own_options),
	    cmocka_unit_test(keeps_what_is_no_host),
	    cmocka_unit_test(finds_the_migrations),
	    cmocka_unit_test(configured_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
