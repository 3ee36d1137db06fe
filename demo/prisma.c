/*
 * A stand-in for `prisma migrate deploy`: the same lock, table, order, checksums and refusals, for a machine without
 * Node. It says that it is one. Blocking: a process of its own.
 */
#include "core/sha256.h"
#include "demo/demo.h"
#include "demo/world.h"
#include "io/file.h"

#include <libpq-fe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOCK_SQL "SELECT pg_advisory_lock(72707369)"

static const char table_sql[] = "CREATE TABLE _prisma_migrations (\n"
                                "    id                      VARCHAR(36) PRIMARY KEY NOT NULL,\n"
                                "    checksum                VARCHAR(64) NOT NULL,\n"
                                "    finished_at             TIMESTAMPTZ,\n"
                                "    migration_name          VARCHAR(255) NOT NULL,\n"
                                "    logs                    TEXT,\n"
                                "    rolled_back_at          TIMESTAMPTZ,\n"
                                "    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),\n"
                                "    applied_steps_count     INTEGER NOT NULL DEFAULT 0\n"
                                ")";

/* Runs sql with text parameters (NULL-terminated, may be NULL). NULL after it said what went wrong. */
static PGresult *ask(PGconn *db, const char *sql, const char *const *params)
{
	int n = 0;
	PGresult *r;

	while (params && params[n])
		n++;
	r = PQexecParams(db, sql, n, NULL, params, NULL, NULL, 0);
	if (PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK)
		return r;
	fprintf(stderr, "Error: %s", PQerrorMessage(db));
	PQclear(r);
	return NULL;
}

static bool tell(PGconn *db, const char *sql, const char *const *params)
{
	PGresult *r = ask(db, sql, params);

	PQclear(r);
	return r != NULL;
}

/* One cell of one row; "" when there is none. */
static bool cell(PGconn *db, const char *sql, const char *const *params, char *dst, size_t cap)
{
	PGresult *r = ask(db, sql, params);

	str_copy(dst, cap, r && PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	return r != NULL;
}

static bool take_lock(PGconn *db)
{
	PGresult *r;
	bool ok;

	if (!tell(db, "SET lock_timeout = '10s'", NULL))
		return false;
	r = PQexec(db, LOCK_SQL);
	ok = PQresultStatus(r) == PGRES_TUPLES_OK;
	if (!ok)
		fprintf(stderr,
		        "Error: P1002\nTimed out trying to acquire a postgres advisory lock (" LOCK_SQL
		        "). Elapsed: 10000ms.\n");
	PQclear(r);
	return ok && tell(db, "SET lock_timeout = 0", NULL);
}

/* Makes the table in an empty schema; refuses one that has tables of its own (P3005). */
static bool make_table(PGconn *db)
{
	char text[NAME_LEN];

	if (!cell(db,
	          "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = "
	          "'_prisma_migrations'",
	          NULL, text, sizeof(text)))
		return false;
	if (strcmp(text, "0") != 0)
		return true;
	if (!cell(db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", NULL, text, sizeof(text)))
		return false;
	if (strcmp(text, "0") != 0) {
		fprintf(stderr,
		        "Error: P3005\nThe database schema is not empty and has no table of migrations.\n");
		return false;
	}
	return tell(db, table_sql, NULL);
}

static bool refuse_failed(PGconn *db)
{
	char name[MIGRATION_LEN + 64];

	if (!cell(db,
	          "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NULL AND "
	          "rolled_back_at IS NULL "
	          "ORDER BY started_at LIMIT 1",
	          NULL, name, sizeof(name)))
		return false;
	if (!name[0])
		return true;
	fprintf(stderr,
	        "Error: P3009\nmigrate found failed migrations in the target database, new migrations will "
	        "not be "
	        "applied.\nThe `%s` migration failed\n",
	        name);
	return false;
}

static bool run_migration(PGconn *db, const char *name, const struct str *script)
{
	char checksum[65], id[NAME_LEN];
	const char *insert[] = {checksum, name, NULL};
	const char *by_id[] = {id, NULL};
	PGresult *r;
	bool ok;

	sha256_of(str_text(script), script->len, checksum);
	if (!cell(db,
	          "INSERT INTO _prisma_migrations (id, checksum, migration_name) "
	          "VALUES (gen_random_uuid()::text, $1, $2) RETURNING id",
	          insert, id, sizeof(id)))
		return false;
	/* One simple query: one implicit transaction, as the real engine sends it. */
	r = PQexec(db, str_text(script));
	ok = PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK ||
	     PQresultStatus(r) == PGRES_EMPTY_QUERY;
	if (!ok) {
		const char *failed[] = {id, PQresultErrorMessage(r), NULL};

		fprintf(stderr,
		        "Error: P3018\nA migration failed to apply. New migrations cannot be applied before "
		        "the error is "
		        "recovered from.\nMigration name: %s\nDatabase error:\n%s",
		        name, PQresultErrorMessage(r));
		tell(db, "UPDATE _prisma_migrations SET logs = $2 WHERE id = $1", failed);
	} else {
		ok = tell(db,
		          "UPDATE _prisma_migrations SET finished_at = now(), applied_steps_count = 1 WHERE "
		          "id = $1",
		          by_id);
		printf("Applying migration `%s`\n", name);
	}
	PQclear(r);
	return ok;
}

static int deploy_one(PGconn *db, const char *dir, const char *name, int *applied)
{
	char path[PATH_LEN], found[NAME_LEN];
	const char *by_name[] = {name, NULL};
	struct str script;
	struct error e;
	int rc = 1;

	if (!cell(db,
	          "SELECT count(*) FROM _prisma_migrations WHERE migration_name = $1 AND finished_at IS NOT "
	          "NULL AND "
	          "rolled_back_at IS NULL",
	          by_name, found, sizeof(found)))
		return 1;
	if (strcmp(found, "0") != 0)
		return 0;
	snprintf(path, sizeof(path), "%s/%s/migration.sql", dir, name);
	str_init(&script, JSON_BYTES_MAX);
	if (file_read(path, JSON_BYTES_MAX, &script, &e) < 0) {
		fprintf(stderr, "Error: P3015\nCould not find the migration file at %s.\n", path);
	} else if (run_migration(db, name, &script)) {
		*applied += 1;
		rc = 0;
	}
	str_release(&script);
	return rc;
}

static int deploy(PGconn *db, const char *dir)
{
	int n, rc = 0, found = 0, applied = 0;
	char **names = tool_names(dir, &n);

	for (int i = 0; i < n && rc == 0; i++) {
		if (!strcmp(names[i], "migration_lock.toml"))
			continue;
		found++;
		rc = deploy_one(db, dir, names[i], &applied);
	}
	tool_names_free(names, n);
	if (rc == 0)
		printf("%d migrations found in %s, %d applied now\n", found, dir, applied);
	return rc;
}

static int resolve(PGconn *db, const char *how, const char *name)
{
	const char *by_name[] = {name, NULL};
	bool back = !strcmp(how, "--rolled-back");

	if (!back && strcmp(how, "--applied") != 0)
		return 2;
	if (!tell(db,
	          back ? "UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = $1 AND "
	                 "finished_at IS NULL AND rolled_back_at IS NULL"
	               : "UPDATE _prisma_migrations SET finished_at = now() WHERE migration_name = $1 AND "
	                 "finished_at IS NULL AND "
	                 "rolled_back_at IS NULL",
	          by_name))
		return 1;
	printf("Migration %s marked as %s.\n", name, back ? "rolled back" : "applied");
	return 0;
}

int demo_prisma_main(int argc, char **argv, const char *self)
{
	const char *url = getenv("DATABASE_URL");
	bool deploys = argc == 4 && !strcmp(argv[1], "deploy") && !strcmp(argv[2], "--migrations");
	bool resolves = argc == 4 && !strcmp(argv[1], "resolve");
	PGconn *db;
	int rc;

	UNUSED(self);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!deploys && !resolves) {
		fprintf(stderr, "usage: __prisma deploy --migrations DIR | __prisma resolve "
		                "--rolled-back|--applied NAME\n");
		return 2;
	}
	printf("towpath's stand-in for `prisma migrate %s` (this is not Prisma)\n", argv[1]);
	if (!url || !url[0]) {
		fprintf(stderr, "Error: P1012\nEnvironment variable not found: DATABASE_URL.\n");
		return 1;
	}
	db = PQconnectdb(url);
	if (PQstatus(db) != CONNECTION_OK) {
		fprintf(stderr, "Error: P1001\nCan't reach the database server: %s", PQerrorMessage(db));
		PQfinish(db);
		return 1;
	}
	rc = !take_lock(db) || !make_table(db) ? 1
	     : resolves                        ? resolve(db, argv[2], argv[3])
	     : refuse_failed(db)               ? deploy(db, argv[3])
	                                       : 1;
	PQfinish(db);
	return rc;
}
