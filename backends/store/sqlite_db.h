/*
 * The SQLite file behind the embedded store: opening, transactions, statements, the audit chain. Used by the
 * store's worker thread only, which owns the connection.
 */
#ifndef BACKENDS_STORE_SQLITE_DB_H
#define BACKENDS_STORE_SQLITE_DB_H

#include "backends/store/seen.h"
#include "core/port/store.h"

struct sqlite3;
struct sqlite3_stmt;

enum { STATEMENTS_MAX = 64, SCHEMA_VERSION = 4, APPLICATION_ID = 0x546f7770 };

struct statement {
	const char *sql; /* a literal: found by its address */
	struct sqlite3_stmt *st;
};

struct db {
	char path[PATH_LEN];
	char host[NAME_LEN];
	struct lease_times times;
	int busy_ms;
	struct sqlite3 *main;
	struct seen seen;
	struct statement cache[STATEMENTS_MAX];
	int n_cache;
	/* what db_changed() saw last */
	int64_t last_version, last_seq, last_turn;
	int schema_before; /* of the file before it was opened; 0: it was made */
};

/* Opens and checks what is not open yet; the next call tries again. OK or ERRORED with what to do. */
struct outcome db_open(struct db *d);
void db_close(struct db *d);

/* Runs a statement with parameters: types is a letter each, s text, i int64_t. SQLITE_DONE, SQLITE_ROW or an error. */
int db_run(struct db *d, const char *sql, const char *types, ...);
/* The same, and hands out the statement at its first row, or NULL with *ret_rc; db_done() ends it. */
struct sqlite3_stmt *db_query(struct db *d, int *ret_rc, const char *sql, const char *types, ...);
void db_done(struct sqlite3_stmt *st);

/* A column as clean text; NULL is "". */
void db_text(struct sqlite3_stmt *st, int col, char *dst, size_t cap);

/* Transactions that write: SQLITE_OK or the reason. After a failed commit nothing was saved, but see db_failed(). */
int db_begin(struct db *d);
int db_commit(struct db *d);
void db_rollback(struct db *d);

/* What a result code means for a person. UNKNOWN only where a commit may yet survive (a failed sync). */
struct outcome db_failed(struct db *d, int rc);

/* Appends to the chain, inside the transaction; the row's seq, time, prev and hash are filled. */
int db_audit(struct db *d, struct audit_row *row);
struct audit_row audit_make(const struct db *d, const char *actor, const char *verb, const char *target,
                            const char *result, const char *text);

/* True when anybody changed the store since the last call. */
bool db_changed(struct db *d);

/* Clocks of the store: of leases (with the boot it belongs to) and of everything that people read. */
int64_t db_lease_clock_us(void);
int64_t db_wall_us(void);

/* True while a lease that was read is held and has not run out. */
bool lease_is_held(const struct db *d, const struct lease *l);
/* Reads a lease; *ret_found false when there is no row. SQLITE_OK or an error. */
int lease_read(struct db *d, const char *key, struct lease *ret, bool *ret_found);

/* Reading jobs (sqlite_read.c). Each returns its outcome and a result. */
struct outcome read_snapshot(struct db *d, void **ret);
struct outcome read_plan(struct db *d, const char *digest, void **ret);
struct outcome read_rollout(struct db *d, const char *id, void **ret);
struct outcome read_history(struct db *d, int64_t before_seq, int limit, void **ret);
struct outcome read_past(struct db *d, const struct past_ask *ask, void **ret);
/* A row of deploys as the columns of DEPLOY_COLUMNS. */
#define DEPLOY_COLUMNS                                                                                       \
	"service, env, digest, revision, tag, built_us, since_us, until_us, good, actor, rollout"
void deploy_from_row(struct sqlite3_stmt *st, struct deploy_row *x);
#define DECISION_COLUMNS                                                                                     \
	"seq, kind, actor, host, at_us, plan, rollout, service, env, reason, release, until_us, json"
void decision_from_row(struct sqlite3_stmt *st, struct decision *x);
struct outcome read_audit_after(struct db *d, int64_t after_seq, int limit, void **ret);
struct outcome read_verify(struct db *d, struct audit_follower *f);

#endif
