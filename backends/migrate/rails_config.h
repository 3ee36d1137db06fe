/* Where a Rails project keeps its migrations and their table, read from its configuration and never run. */
#ifndef BACKENDS_MIGRATE_RAILS_CONFIG_H
#define BACKENDS_MIGRATE_RAILS_CONFIG_H

#include "backends/migrate/tree.h"
#include "core/arena.h"

enum { RAILS_DBS_MAX = 16, RAILS_PATHS_MAX = 8 };

/* One database of the environment (database.yml). */
struct rails_db {
	const char *name;        /* "primary", "animals" */
	const char *database;    /* its name in the server, NULL: computed or not said */
	const char *search_path; /* schema_search_path, NULL: the server's */
	const char *paths[RAILS_PATHS_MAX];
	int n_paths; /* 0: the project's default */
};

struct rails_config {
	struct rails_db dbs[RAILS_DBS_MAX];
	int n_dbs;
	const char *paths[RAILS_PATHS_MAX]; /* of the project: "db/migrate" */
	int n_paths;
	const char *table, *metadata;         /* with prefix and suffix; NULL: the defaults */
	bool checks_timestamps;               /* a version more than a day ahead is refused (7.2) */
	const char *assumed[RAILS_PATHS_MAX]; /* settings that are computed: their defaults are taken */
	int n_assumed;
	const char *trouble; /* database.yml cannot be read, and why; NULL: it can */
};

/* Is the file one that rails_config_read() wants? */
bool rails_config_wants(const char *path);

/* env is the environment's name ("production"). Fails as arenas do. */
void rails_config_read(struct rails_config *c, struct arena *a, const struct tree *t, const char *env);

#endif
