/*
 * Alembic's project read from its files without running it: the configuration that says where revisions are, the
 * revisions themselves, and the graph that Alembic's own RevisionMap would make of them (1.4 to 1.20).
 */
#ifndef BACKENDS_MIGRATE_ALEMBIC_CODE_H
#define BACKENDS_MIGRATE_ALEMBIC_CODE_H

#include "backends/migrate/tree.h"
#include "core/arena.h"
#include "core/jv.h"

struct alembic_ids {
	const char **items;
	int n, cap;
};
void alembic_ids_add(struct arena *a, struct alembic_ids *list, const char *id);

/* One revision file. */
struct alembic_file {
	const char *path;
	const char *id; /* NULL: it declares none, or none that can be read */
	struct alembic_ids down, depends, labels;
	const char *message; /* first line of its docstring, "" none; raw */
	const char *trouble; /* what could not be read without running it, NULL: all was read */
	bool no_revision;    /* Alembic itself refuses the file: it has no revision */
};

/* Reads a file's module-level declarations; path is set by the caller. */
void alembic_read_file(struct arena *a, const char *src, size_t n, struct alembic_file *f);

/* Where a project keeps its revisions, and what env.py says. Paths are of the tree, "" for its root. */
struct alembic_config {
	const char *file;    /* alembic.ini or pyproject.toml; NULL: none found */
	const char *section; /* "alembic" */
	const char *scripts; /* folder of env.py */
	struct alembic_ids versions;
	bool recursive;
	const char *assumed; /* what is computed and was taken by its default, NULL: nothing */
	const char *version_table, *version_schema; /* NULL: Alembic's own */
	bool transaction_per_migration, env_read;
};

/* What the driver's options and its command say; NULL where they do not. */
struct alembic_wish {
	const char *config, *section;
};

/*
 * Finds and reads the configuration; loads env.py. ERR_NOT_FOUND without revisions, ERR_CONFLICT where several
 * configurations could be meant, each with a hint.
 */
int alembic_configure(struct arena *a, struct tree *t, const struct alembic_wish *wish,
                      struct alembic_config *ret, struct error *e) MUST_CHECK;

/* Is path a file that Alembic would load as a revision? */
bool alembic_is_revision(const struct alembic_config *c, const char *path);

struct alembic_block {
	const char *code, *text;
};

/* A revision's place in the plan. */
enum alembic_state {
	ALEMBIC_APPLIED,
	ALEMBIC_PENDING,
	ALEMBIC_UNSURE, /* why says it */
	ALEMBIC_BEYOND, /* not applied, and not what the command goes to */
};

struct alembic_step {
	int file; /* index in files */
	enum alembic_state state;
};

/* All in the arena of the call. */
struct alembic_plan {
	struct alembic_step *steps; /* parents first */
	int n;
	const char *why;           /* of ALEMBIC_UNSURE */
	struct alembic_ids heads;  /* sorted */
	struct alembic_ids strays; /* rows that no revision has */
	struct alembic_block *blocks;
	int n_blocks, cap_blocks;
	bool broken; /* alembic cannot build its map of the revisions */
};

/*
 * rows are the version table's; target is what the command upgrades to: "head", "heads", "label@head", a revision
 * ("" stands for "head"). False without memory.
 */
bool alembic_plan(struct arena *a, const struct alembic_file *files, int n, const char *const *rows,
                  int n_rows, const char *target, struct alembic_plan *ret);

#endif
