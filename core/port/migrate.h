/* Port migrate: code of a revision against the live database. */
#ifndef CORE_PORT_MIGRATE_H
#define CORE_PORT_MIGRATE_H

#include "core/backup.h"
#include "core/dbhealth.h"
#include "core/migration_history.h"
#include "core/migration_preview.h"
#include "core/migration_source.h"
#include "core/port/driver.h"
#include "core/sqlread.h"

/* What the tool is asked to do. */
enum migrate_action {
	MIGRATE_UP,      /* apply what is pending */
	MIGRATE_DOWN,    /* take back all that is newer than a named migration, which stays */
	MIGRATE_REPAIR,  /* put the tool's own record right after a failure: resolve, force, repair, unlock */
	MIGRATE_RESTORE, /* put a backup back */
	MIGRATE_ACTION_COUNT
};
const char *migrate_action_name(enum migrate_action a);

struct migrate_request {
	enum migrate_action action;
	const char *argument; /* a migration's name, or a backup's; "" none */
	const char *revision, *release_dir;
};

/* The command that does it; lives in the op's result. */
struct migrate_command {
	char *argv[64]; /* NULL-terminated */
	char *env[64];  /* "NAME=value" added to a clean environment, NULL-terminated; may hold secrets */
	char *cwd;      /* NULL: the service's release folder */
	bool unit_is_transaction; /* a run that failed on a lock has changed nothing: it may be tried again */
	struct arena arena;
};
void migrate_command_free(void *command);

/* Where a project looks like a tool's own; lives in the op's result, free(). */
struct migration_place {
	bool found;
	char path[PATH_LEN]; /* the folder for option path, "." for the root */
};

/* Whose files history is asked for. The driver copies what it keeps. */
struct history_ask {
	const char *revision;
	const char *const *paths; /* of struct migration; "" is left out */
	int n_paths;
	const char *tags; /* glob of release tags, "" all */
};

/* What source is asked for. The driver copies what it keeps. */
struct source_ask {
	const char *revision;
	const char *name, *path;       /* of struct migration; path "" where no file is known */
	int line;                      /* of struct migration */
	const struct lint_size *sizes; /* of live tables */
	int n_sizes;
	const struct lint_policy *lint; /* severities; NULL: the rules' own */
	bool applied, modified;         /* as the environment's database says */
	bool unsummed;                  /* no checksum of it was compared */
	int64_t applied_us;             /* when, 0 unknown */
	const char *deployed;           /* revision that runs in the environment, "" unknown */
	const char *applied_as;         /* a revision whose text was proven to be what was applied; "" none */
	const char *tags;               /* glob of release tags, "" all */
};

/* What preview is asked for. The driver copies what it keeps. */
struct preview_ask {
	const char *revision;
	const struct preview_item
	    *items; /* path and line of struct migration, in the order in which they would run */
	int n_items;
	const char *const *running; /* revisions whose code runs while they do; "" is left out */
	int n_running;
	const struct lint_size *sizes; /* of live tables */
	int n_sizes;
	const struct lint_policy *lint; /* severities; NULL: the rules' own */
};

/* How a session that the command opens is called in the database. */
#define MIGRATE_APPLICATION "towpath-migrate"

/*
 *   inspect  -> struct migration_set: files at the revision (git tree, never a checkout) against the tool's
 *               table, read in one REPEATABLE READ READ ONLY transaction with short time-outs. ERRORED when the
 *               database or the tree cannot be read: never an empty set instead. Kinds and data loss come from a
 *               first lint of the pending ones' text.
 *   command  -> struct migrate_command of a request. UNSUPPORTED where the tool has none for that action and none is
 *               configured.
 *   detect   -> struct migration_place: does the project look like this tool's? Only a proposal; needs no database.
 *   health   -> struct database_health: what the database is busy with, in one read-only look with short time-outs;
 *               with_catalog also its columns.
 *   backups  -> struct backup_list, by what the configuration says of where they lie or who lists them; UNSUPPORTED
 *               where it says nothing.
 *   cancel   -> nothing: cancels the statement of a session (terminate: ends the session) of this database. FAILED
 *               when there is no such session, or this role may not.
 *   history  -> struct migration_history of the files at the revision. UNSUPPORTED without a repository. Asked again
 *               for the same revision and tags it answers from memory.
 *   source   -> struct migration_source: FAILED when no revision has the migration as far as can be seen. A file that
 *               is gone is looked for in the revision that runs, then where it was removed. Needs no database.
 *   preview  -> struct migration_preview of pending migrations; needs no database.
 *   parser   -> reads SQL by PostgreSQL's own grammar for the lint; NULL: tokens must do. Any driver's will do for all.
 *
 * Option folder (instead of repo; not for towpath.yaml) is a plain folder with the project: the revision is then "".
 */
struct migrate_driver {
	struct driver base;
	void (*inspect)(void *priv, const char *revision, struct op *op);
	void (*command)(void *priv, const struct migrate_request *req, struct op *op);
	void (*detect)(void *priv, const char *revision, struct op *op);
	void (*health)(void *priv, bool with_catalog, struct op *op);
	void (*backups)(void *priv, struct op *op);
	void (*cancel)(void *priv, int pid, bool terminate, struct op *op);
	void (*history)(void *priv, const struct history_ask *ask, struct op *op);
	void (*source)(void *priv, const struct source_ask *ask, struct op *op);
	void (*preview)(void *priv, const struct preview_ask *ask, struct op *op);
	const struct sql_parser *parser;
};

#endif
