/* A recorded state of a migration tool in place: its files in a repository, its tables restored, a driver opened. */
#ifndef TESTS_LIB_PLACE_H
#define TESTS_LIB_PLACE_H

#include "core/port/migrate.h"
#include "tests/lib/gitbuild.h"
#include "tests/lib/porttest.h"

#include <libpq-fe.h>

struct place {
	struct loop *loop;
	char dir[PATH_LEN], repo[PATH_LEN], revision[REVISION_LEN];
	char database[NAME_LEN];
	struct gitbuild *git;
	struct opened o;
	const struct migrate_driver *driver;
};

/* The folder of all states. */
const char *place_fixtures(void);

/* Restores a dump into a database of the shared server by psql -f, as a person would. */
void place_restore(const char *database, const char *path);

/* A fixture such as "prisma/failed" in place; fails the test where it cannot be. End it with place_end(). */
void place_make(struct place *p, const struct migrate_driver *driver, const char *fixture);
/* Opens the driver again, at another database. */
void place_open(struct place *p, const struct migrate_driver *driver, const char *url);
void place_end(struct place *p);

/* What the driver says; the set is the caller's. place_inspect() takes nothing but OK, at the newest commit. */
struct outcome place_inspect_at(struct place *p, const char *revision, struct migration_set **ret);
struct migration_set *place_inspect(struct place *p);

/* The migration of that name; fails the test where there is none. */
const struct migration *place_item(const struct migration_set *set, const char *name);

void place_sql(const struct place *p, const char *text);

/* A second session that ran text and stays; PQfinish() it. */
PGconn *place_hold(struct place *p, const char *text);

#endif
