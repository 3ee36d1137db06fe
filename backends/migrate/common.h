/*
 * What all drivers of port migrate share: options, one inspection (git tree by a worker, then one read-only session
 * in the database, then the tool's own judgement by the worker), the production command, the check.
 *
 * A further tool is one file: a struct migrate_tool and a struct migrate_driver whose slots call these functions.
 */
#ifndef BACKENDS_MIGRATE_COMMON_H
#define BACKENDS_MIGRATE_COMMON_H

#include "backends/migrate/tree.h"
#include "core/ladder.h"
#include "core/port/migrate.h"

struct migrate_tool;

/* First member of each driver's priv. */
struct migrate_priv {
	const struct migrate_tool *tool;
	struct driver_ctx ctx;
	char schema[NAME_LEN], table[NAME_LEN]; /* where the table was found last; "" unknown */
};

/* A copy of the rows of one query, for the worker. */
struct migrate_rows {
	const char *const *cells; /* [row * n_cols + col]; NULL for SQL NULL; raw bytes */
	int n_rows, n_cols;
};
const char *migrate_cell(const struct migrate_rows *r, int row, int col); /* "" for NULL */
int64_t migrate_cell_num(const struct migrate_rows *r, int row, int col);

/* One inspection; the tool's functions below see it on the worker. */
struct migrate_job {
	struct arena arena; /* lives until the op has ended */
	const struct migrate_tool *tool;
	const struct jv *options;
	struct tree tree;
	void *code; /* what read() made, in arena */
	/* what the database says */
	bool has_table;
	struct migrate_rows rows; /* of the tool's table */
	bool schema_in_use;       /* there are other tables */
	bool works;               /* the tool's lock is held or somebody changes the schema */
	char lock_text[TEXT_LEN];
	struct migrate_run *run; /* of common.c */
};

struct migrate_tool {
	const char *name;           /* of the driver: "prisma" */
	const char *title;          /* for sentences: "Prisma" */
	const char *path;           /* default of option path */
	const char *const *command; /* default of option command, NULL-terminated */
	const char *table;          /* default name of its table */
	const char *shape;          /* columns that betray a renamed one: "a,b" */
	int shape_columns;          /* how many columns it then has, 0: any number */
	const char *select;         /* its columns and, after "FROM %s", its order */
	int64_t lock_key;           /* its advisory lock, 0: it takes none */
	enum tree_want (*want)(const char *path, bool is_dir);
	/* Reads the tree's files; ERR_* with a hint ends the inspection as ERRORED. */
	int (*read)(struct migrate_job *j, struct error *e);
	/* The set, or NULL without memory. */
	struct migration_set *(*judge)(struct migrate_job *j);
};

/* Option rows that each tool's table has, beside its own `path` and `command`. */
#define MIGRATE_OPTIONS(tool_path, tool_command)                                                             \
	{.name = "repo",                                                                                     \
	 .type = OPTION_PATH,                                                                                \
	 .required = true,                                                                                   \
	 .text = "Git repository with the migrations.",                                                      \
	 .example = "repo"},                                                                                 \
	    {.name = "path",                                                                                 \
	     .type = OPTION_STRING,                                                                          \
	     .otherwise = tool_path,                                                                         \
	     .text = "Folder of the tool's files inside the repository.",                                    \
	     .example = "services/web"},                                                                     \
	    {.name = "database",                                                                             \
	     .type = OPTION_SECRET,                                                                          \
	     .required = true,                                                                               \
	     .text = "URL of the PostgreSQL database.",                                                      \
	     .example = "{file: secrets/web.url}"},                                                          \
	    {.name = "schema",                                                                               \
	     .type = OPTION_STRING,                                                                          \
	     .text = "Schema of the tool's table; else it is looked for in all.",                            \
	     .example = "public"},                                                                           \
	    {.name = "command",                                                                              \
	     .type = OPTION_ARGV,                                                                            \
	     .otherwise = tool_command,                                                                      \
	     .text = "Program that applies pending migrations, run in the release's folder.",                \
	     .example = tool_command},                                                                       \
	{                                                                                                    \
		.name = "env", .type = OPTION_STRING, .otherwise = "DATABASE_URL",                           \
		.text = "Variable that hands the database URL to the program.", .example = "DATABASE_URL"    \
	}

int migrate_open(struct migrate_priv *p, const struct migrate_tool *tool, const struct driver_ctx *ctx);
void migrate_inspect(struct migrate_priv *p, const char *revision, struct op *op);
void migrate_command(struct migrate_priv *p, const char *release_dir, struct op *op);
void migrate_check(struct migrate_priv *p, struct op *op);

/* Fills a file's checksum. */
void migrate_checksum(struct ladder_file *f, const char *bytes, size_t n);

#endif
