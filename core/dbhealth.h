/*
 * What a database is busy with right now, as far as it decides whether and how a migration gets through: old
 * transactions, blockers, sizes, replicas, vacuum, backups, leftovers of failed migrations.
 */
#ifndef CORE_DBHEALTH_H
#define CORE_DBHEALTH_H

#include "core/arena.h"
#include "core/types.h"

/* A session (or prepared transaction) that makes schema changes wait, or is waited for. */
struct db_session {
	int pid; /* 0: a prepared transaction, gid in doing */
	const char *user, *app, *client, *state, *doing;
	int64_t xact_us; /* age of its transaction */
	int64_t idle_us; /* in transaction and idle for so long; 0: at work */
	bool here;       /* in this database: else it only keeps snapshots old */
};

/* One line of the blocking tree. */
struct db_wait {
	int pid, blocker;         /* who waits, and the first of those it waits for */
	int n_blockers, n_behind; /* how many wait for this one in turn */
	int64_t waiting_us;
	const char *app, *wants, *relation, *doing;
	const char *blocker_app, *blocker_state, *blocker_doing;
};

struct db_table {
	const char *schema, *name;
	int64_t rows, bytes;    /* estimate of the planner (-1 never analyzed); with indexes and TOAST */
	bool vacuum_wraparound; /* a vacuum that does not yield works on it */
};

struct db_replica {
	const char *name, *state;
	int64_t lag_bytes, lag_us; /* -1 unknown */
	bool slot_inactive;        /* a slot without a reader: lag_bytes is what it keeps */
};

struct db_progress {
	int pid;
	const char *app;
	const char *what, *phase,
	    *relation;       /* "CREATE INDEX CONCURRENTLY", "building index: scanning table" */
	int64_t done, total; /* blocks, or lockers while it waits; total 0 unknown */
};

/* What a migration that failed outside a transaction leaves behind. */
struct db_leftover {
	bool is_index; /* invalid index; else a constraint that is not validated */
	const char *table, *name;
	int64_t bytes;
};

/* A column, index or constraint, for seeing what a run has changed. */
struct db_object {
	const char *kind, *name, *form; /* "column", "public.orders.note", "text not null" */
};

struct database_health {
	struct arena arena; /* all texts are clean and live here */
	int64_t at_us;      /* the server's clock */
	int version;        /* 150020 */
	bool standby;
	int64_t bytes, xid_age;
	int connections, connections_max;
	int64_t lock_timeout_ms, statement_timeout_ms; /* of this role's sessions; 0: none */
	bool archives;                                 /* archive_mode is on */
	int64_t archived_us;                           /* newest archived WAL, 0 never */
	bool archive_fails;                            /* the newest attempt failed */
	bool sees_all;                                 /* this role may see other users' statements */
	struct db_session *sessions;
	struct db_wait *waits;
	struct db_table *tables; /* the largest first */
	struct db_replica *replicas;
	struct db_progress *progress;
	struct db_leftover *leftovers;
	struct db_object *objects; /* sorted by kind and name; only where it was asked for */
	bool has_catalog;          /* objects are all there are */
	int n_objects;
	int n_sessions, n_waits, n_tables, n_replicas, n_progress, n_leftovers;
};
void database_health_free(void *health);

/* By name, "orders" or "public.orders"; without a schema the largest of that name. NULL: not among them. */
const struct db_table *database_table(const struct database_health *h, const char *name);

/* One thing that a person should know before a migration starts. */
struct db_note {
	enum state state; /* ok, degraded (think first), failed (do not start) */
	char text[TEXT_LEN];
};

/*
 * Judges h for a run of migrations that takes table locks. Fills at most cap notes, worst first; returns how many.
 * Always at least one: what was looked at, when all is well.
 */
int database_notes(const struct database_health *h, struct db_note *ret, int cap);

/*
 * What is otherwise in after's catalog than in before's: "column public.orders.note was added". Fills at most cap
 * notes (degraded), returns how many differences there are. 0 as well when a catalog is not known: ask has_catalog.
 */
int database_changes(const struct database_health *before, const struct database_health *after,
                     struct db_note *ret, int cap);

/* The first of the sessions that wait and are called app, NULL: none does. */
const struct db_wait *database_waiting(const struct database_health *h, const char *app);

#endif
