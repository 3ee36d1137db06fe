/* Where a project keeps its Prisma migrations, and what its schema says of the database. */
#ifndef BACKENDS_MIGRATE_PRISMA_PLACE_H
#define BACKENDS_MIGRATE_PRISMA_PLACE_H

#include "backends/migrate/jsconf.h"

struct prisma_place {
	const char *root;     /* of the migrations, with a slash behind it; "" the tree's own root */
	bool none;            /* the project is there, but has no migrations (yet) */
	const char *provider; /* of the schema's datasource; NULL unknown */
	const char *locked;   /* of migration_lock.toml; NULL: no such file, or it says none */
};

/* ERR_NOT_FOUND and ERR_CONFLICT come with a hint. */
int prisma_find(struct migrate_job *j, struct jsconf *c, struct prisma_place *ret,
                struct error *e) MUST_CHECK;

enum tree_want prisma_want(const char *path, bool is_dir);
bool prisma_detect(const struct tree *t, char where[PATH_LEN]);

#endif
