/*
 * What all drivers of port migrate share: options, one inspection (git tree by a worker, then one read-only session
 * in the database, then the tool's own judgement by the worker), the production command, the check.
 *
 * A further tool is one file: a struct migrate_tool and a struct migrate_driver whose slots call these functions.
 */
#ifndef BACKENDS_MIGRATE_COMMON_H
#define BACKENDS_MIGRATE_COMMON_H

#include "backends/migrate/pgquery.h"
#include "backends/migrate/tree.h"
#include "core/ladder.h"
#include "core/port/migrate.h"

struct migrate_tool;

enum { MIGRATE_TABLES_MAX = 6, MIGRATE_KEYS_MAX = 4 };

/* First member of each driver's priv. */
struct migrate_priv {
	const struct migrate_tool *tool;
	struct driver_ctx ctx;
	/* What the last look found: where the table is, and the database's name; "" unknown. */
	char schema[NAME_LEN], table[NAME_LEN], database[NAME_LEN];
	/* The last history that was read and what it was read for (source.c). */
	struct migration_history *history;
	uint64_t history_mark;
};

/* A copy of the rows of one query, for the worker. */
struct migrate_rows {
	bool exists;              /* the table is there (and could be read) */
	const char *const *cells; /* [row * n_cols + col]; NULL for SQL NULL; raw bytes */
	int n_rows, n_cols;
};
const char *migrate_cell(const struct migrate_rows *r, int row, int col); /* "" for NULL */
bool migrate_cell_null(const struct migrate_rows *r, int row, int col);
int64_t migrate_cell_num(const struct migrate_rows *r, int row, int col);
bool migrate_cell_true(const struct migrate_rows *r, int row, int col); /* of a boolean */

/* One inspection; the tool's functions below see it on the worker. */
struct migrate_job {
	struct arena arena; /* lives until the op has ended */
	const struct migrate_tool *tool;
	const struct jv *options;
	struct tree tree;
	const void *code; /* what read() made */
	/* Where the project's own configuration puts the table, as read() found; NULL: the default. In arena. */
	const char *schema_said, *table_said;
	const char *tables_said[MIGRATE_TABLES_MAX]; /* the same of the further ones; [0] is not used */
	/* what the database says */
	const char *database, *schema, *table;          /* where the first table is; "" where it is not */
	bool has_table;                                 /* tables[0].exists */
	struct migrate_rows rows;                       /* of the tool's first table */
	struct migrate_rows tables[MIGRATE_TABLES_MAX]; /* of all of them, as in the tool's list */
	bool schema_in_use;                             /* there are other tables or views */
	int64_t schema_objects;                         /* how many, the tool's own too */
	bool schema_has_tables;                         /* there are plain ones, as Prisma counts */
	bool works;              /* the tool's lock is held or somebody changes the schema */
	struct migrate_run *run; /* of common.c */
};

/* A table that a tool keeps. The first of a tool decides where the others are. */
struct migrate_table {
	const char *name;   /* default name; "+_lock" is the first table's name with _lock behind it */
	const char *shape;  /* columns that it has: "a,b" */
	int shape_columns;  /* how many columns it then has, 0: any number */
	bool only_by_name;  /* its shape is too common: never looked for under another name */
	bool common_name;   /* one of this name without its columns is somebody else's */
	const char *select; /* its columns and, after "FROM %s", its order; bounded by a LIMIT */
	bool is_lock;       /* a session that writes it holds the tool's lock */
};

/*
 * A variable of the tool's own that says what it connects to. In value stand {url} (as configured), {jdbc} (without
 * user and password), {address} (a URL without the password), {user}, {password}, {migrations} (the folder of the
 * migrations). One whose placeholder has no value is left out.
 */
struct migrate_var {
	const char *name, *value;
};

struct migrate_tool {
	const char *name;           /* of the driver: "prisma" */
	const char *title;          /* for sentences: "Prisma" */
	const char *path;           /* default of option path */
	const char *const *command; /* default of option command, NULL-terminated */
	/*
	 * Defaults of down_command and repair_command, NULL: the tool has none. {name} is the migration that the
	 * request names, {app} and {rest} what stands before and behind its first dot, {version} its leading digits,
	 * {previous} the version before it in the release. {address} and {migrations} as in struct migrate_var.
	 */
	const char *const *down, *const *repair;
	/* What it does where somebody else holds its lock: "waits 10 s, then stops". NULL: it takes none. */
	const char *when_locked;
	/* A failed run that records no failure has done nothing: it may be tried again after a lock time-out. */
	bool unit_is_transaction;
	const struct migrate_var *vars; /* beside option env, up to one without a name; may be NULL */
	const char *scheme; /* how its URLs begin where "postgres://" is configured; NULL: as they are */
	/* Its driver does not read PGAPPNAME and PGOPTIONS: the URL carries them. */
	bool session_in_url;
	const char *const
	    *folders;           /* for {migrations}: where it usually is, NULL-terminated; "" is the root */
	const char *folder_key; /* the same in the project's .env; NULL: nowhere */
	const char *const
	    *settings; /* files that tell the tool itself where it is, NULL-terminated: no {migrations} */
	const char *own_schema; /* where the tool itself puts its tables; NULL: in the connection's schema */
	const struct migrate_table *tables;
	int n_tables;
	bool no_checksums; /* see struct migration_set */
	bool missing_applied;
	/* Its advisory locks in the job's database; how many. NULL: it takes none. */
	int (*lock_keys)(const struct migrate_job *j, int64_t keys[MIGRATE_KEYS_MAX]);
	/* Which files of the project are wanted (migrations, and the configuration that says where they are). */
	enum tree_want (*want)(const char *path, bool is_dir);
	/*
	 * Does a project look like this tool's? tree has every path of the project and the bytes of small
	 * configuration files (migrate_detect_want()). Fills where (the folder for option path, "." for the root).
	 */
	bool (*detect)(const struct tree *t, char where[PATH_LEN]);
	/* Reads the tree's files; ERR_* with a hint ends the inspection as ERRORED. */
	int (*read)(struct migrate_job *j, struct error *e);
	/*
	 * A parameter of the database URL, decoded, on the worker after read(): what it says of schema and table
	 * outweighs the project's settings. NULL: the tool's URLs say nothing more than ?schema=.
	 */
	void (*url_param)(struct migrate_job *j, const char *name, const char *value);
	/* The set, or NULL without memory. Locks of sessions are added by the caller; those in tables here. */
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
	    {.name = "table",                                                                                \
	     .type = OPTION_STRING,                                                                          \
	     .text = "Name of the tool's table where it is not the tool's own default.",                     \
	     .example = "schema_history"},                                                                   \
	    {.name = "down_command",                                                                         \
	     .type = OPTION_ARGV,                                                                            \
	     .text = "Program that takes migrations back down to {name}, which stays; the tool's own by "    \
	             "default.",                                                                             \
	     .example = "[python3, manage.py, migrate, '{app}', '{rest}']"},                                 \
	    {.name = "repair_command",                                                                       \
	     .type = OPTION_ARGV,                                                                            \
	     .text = "Program that puts the tool's record right after {name} failed; the tool's own by "     \
	             "default.",                                                                             \
	     .example = "[npx, --no-install, prisma, migrate, resolve, --rolled-back, '{name}']"},         \
	    {.name = "restore_command",                                                                      \
	     .type = OPTION_ARGV,                                                                            \
	     .text = "Program that puts the backup {name} back.",                                            \
	     .example = "[/usr/local/bin/restore-orders, '{name}']"},                                        \
	    {.name = "backups",                                                                              \
	     .type = OPTION_PATH,                                                                            \
	     .text = "Files or folders of this host that are backups of the database, as a pattern: each "   \
	             "counts from its last change.",                                                         \
	     .example = "/var/backups/orders-*.dump"},                                                       \
	    {.name = "backups_command",                                                                      \
	     .type = OPTION_ARGV,                                                                            \
	     .text = "Program that lists the backups, a line each: an instant, the size in bytes or -, the " \
	             "name. It is asked instead of looking for backups.",                                    \
	     .example = "[/usr/local/bin/list-backups, orders]"},                                            \
	    {.name = "lock_timeout",                                                                         \
	     .type = OPTION_DURATION,                                                                        \
	     .otherwise = "2s",                                                                              \
	     .text = "How long a statement of the program waits for a lock before it gives up, so that it "  \
	             "does not "                                                                             \
	             "stop everybody behind it; 0 waits for ever.",                                          \
	     .example = "5s"},                                                                               \
	{                                                                                                    \
		.name = "env", .type = OPTION_STRING, .otherwise = "DATABASE_URL",                           \
		.text = "Variable that hands the database URL to the program.", .example = "DATABASE_URL"    \
	}

/*
 * The slots of a tool's driver. A tool's file ends with its options, its struct migrate_tool and
 * MIGRATE_DRIVER(symbol of the tool, name, options, summary).
 */
int migrate_open(struct migrate_priv *p, const struct migrate_tool *tool, const struct driver_ctx *ctx);
void migrate_inspect(struct migrate_priv *p, const char *revision, struct op *op);
void migrate_command(struct migrate_priv *p, const struct migrate_request *req,
                     struct op *op);                                                        /* command.c */
void migrate_cancel(struct migrate_priv *p, int pid, bool terminate, struct op *op);        /* cancel.c */
void migrate_preview(struct migrate_priv *p, const struct preview_ask *ask, struct op *op); /* preview.c */
void migrate_check(struct migrate_priv *p, struct op *op);
void migrate_detect(struct migrate_priv *p, const char *revision, struct op *op);
void migrate_health(struct migrate_priv *p, bool with_catalog, struct op *op); /* health.c */
void migrate_backups(struct migrate_priv *p, struct op *op);                   /* backups.c */

/*
 * The database's URL as libpq takes it (parameters of other programs' left out), read now from option database.
 * Blocks: for workers. The caller wipes it with migrate_wipe(). ret_schema (may be NULL) gets the URL's ?schema=.
 */
int migrate_url(const struct migrate_priv *p, struct str *ret, char ret_schema[NAME_LEN],
                struct error *e) MUST_CHECK;
/* The same as it is configured, for the tool's own program. */
int migrate_given_url(const struct migrate_priv *p, struct str *ret, struct error *e) MUST_CHECK;
/* Calls each with the URL's parameters, decoded. */
int migrate_url_each(const struct migrate_priv *p,
                     void (*each)(struct migrate_job *j, const char *name, const char *value),
                     struct migrate_job *j, struct error *e) MUST_CHECK;
void migrate_wipe(struct str *s);

/*
 * What a release's folder on disk says (release.c), for workers; in the arena. The folder of the migrations as option
 * `migrations`, the project's .env or the usual places have it; dir "" is no release.
 */
const char *migrate_release_folder(const struct migrate_priv *p, const char *dir, struct arena *a);
/* The version before version among the numbered files of folder in dir; NULL: not both are there. */
const char *migrate_release_previous(const char *dir, const char *folder, const char *version,
                                     struct arena *a);

/* source.c */
void migrate_history(struct migrate_priv *p, const struct history_ask *ask, struct op *op);
void migrate_source(struct migrate_priv *p, const struct source_ask *ask, struct op *op);
void migrate_close(struct migrate_priv *p);

#define MIGRATE_DRIVER(tool_, name_, options_, summary_)                                                     \
	static int slot_open_##tool_(void *priv, const struct driver_ctx *ctx, struct error *e)              \
	{                                                                                                    \
		UNUSED(e);                                                                                   \
		return migrate_open(priv, &tool_, ctx);                                                      \
	}                                                                                                    \
	static void slot_check_##tool_(void *priv, struct op *op) { migrate_check(priv, op); }               \
	static void slot_inspect_##tool_(void *priv, const char *revision, struct op *op)                    \
	{                                                                                                    \
		migrate_inspect(priv, revision, op);                                                         \
	}                                                                                                    \
	static void slot_command_##tool_(void *priv, const struct migrate_request *req, struct op *op)       \
	{                                                                                                    \
		migrate_command(priv, req, op);                                                              \
	}                                                                                                    \
	static void slot_preview_##tool_(void *priv, const struct preview_ask *ask, struct op *op)           \
	{                                                                                                    \
		migrate_preview(priv, ask, op);                                                              \
	}                                                                                                    \
	static void slot_cancel_##tool_(void *priv, int pid, bool terminate, struct op *op)                  \
	{                                                                                                    \
		migrate_cancel(priv, pid, terminate, op);                                                    \
	}                                                                                                    \
	static void slot_detect_##tool_(void *priv, const char *revision, struct op *op)                     \
	{                                                                                                    \
		migrate_detect(priv, revision, op);                                                          \
	}                                                                                                    \
	static void slot_health_##tool_(void *priv, bool with_catalog, struct op *op)                        \
	{                                                                                                    \
		migrate_health(priv, with_catalog, op);                                                      \
	}                                                                                                    \
	static void slot_backups_##tool_(void *priv, struct op *op) { migrate_backups(priv, op); }           \
	static void slot_history_##tool_(void *priv, const struct history_ask *ask, struct op *op)           \
	{                                                                                                    \
		migrate_history(priv, ask, op);                                                              \
	}                                                                                                    \
	static void slot_source_##tool_(void *priv, const struct source_ask *ask, struct op *op)             \
	{                                                                                                    \
		migrate_source(priv, ask, op);                                                               \
	}                                                                                                    \
	static void slot_close_##tool_(void *priv) { migrate_close(priv); }                                  \
	const struct migrate_driver migrate_##tool_ = {                                                      \
	    .base = {.port = PORT_MIGRATE,                                                                   \
	             .name = name_,                                                                          \
	             .summary = summary_,                                                                    \
	             .options = options_,                                                                    \
	             .priv_size = sizeof(struct migrate_priv),                                               \
	             .open = slot_open_##tool_,                                                              \
	             .close = slot_close_##tool_,                                                            \
	             .check = slot_check_##tool_},                                                           \
	    .parser = PGQUERY_PARSER,                                                                        \
	    .inspect = slot_inspect_##tool_,                                                                 \
	    .command = slot_command_##tool_,                                                                 \
	    .preview = slot_preview_##tool_,                                                                 \
	    .cancel = slot_cancel_##tool_,                                                                   \
	    .health = slot_health_##tool_,                                                                   \
	    .backups = slot_backups_##tool_,                                                                 \
	    .detect = slot_detect_##tool_,                                                                   \
	    .history = slot_history_##tool_,                                                                 \
	    .source = slot_source_##tool_,                                                                   \
	}

/* What every want() skips: version control, installed packages, caches, build output. path is of a folder. */
bool migrate_is_noise(const char *path);
/* The last part of a path. */
const char *migrate_base(const char *path);
bool migrate_ends_with(const char *s, const char *end);

/* The files that want() asks for, of a repository's revision or of a plain folder, as the options say. For workers. */
int migrate_tree(const struct jv *options, const char *revision, const char *path,
                 enum tree_want (*want)(const char *path, bool is_dir), struct tree *t, struct arena *a,
                 struct error *e) MUST_CHECK;

/* A copy of the reading's files for the judge to complete, in j->arena. NULL without memory. */
struct ladder_file *migrate_files(struct migrate_job *j, const struct ladder_file *files, int n);

/* Makes facts (an object in the job's arena) the set's own; without memory the set has none. */
void migrate_facts(struct migrate_job *j, struct migration_set *set, const struct jv *facts);

/* Fills a file's checksum. */
void migrate_checksum(struct ladder_file *f, const char *bytes, size_t n);

#endif
