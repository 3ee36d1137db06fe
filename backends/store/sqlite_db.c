#define _GNU_SOURCE /* CLOCK_BOOTTIME */
#include "backends/store/sqlite_db.h"

#include "backends/answer.h"
#include "core/baked.h"
#include "core/text.h"
#include "io/fault.h"
#include "io/file.h"
#include "io/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

static const char source[] = "store";

/* --- clocks ----------------------------------------------------------------------------------- */

static int64_t clock_us(clockid_t id)
{
	struct timespec t = {0};

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * US_PER_S + t.tv_nsec / 1000;
}

int64_t db_lease_clock_us(void) { return clock_us(CLOCK_BOOTTIME); }
int64_t db_wall_us(void) { return clock_us(CLOCK_REALTIME); }

/* --- what went wrong, and what to do ---------------------------------------------------------- */

struct outcome db_failed(struct db *d, int rc)
{
	struct outcome o;

	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		o = answer_make(OUTCOME_ERRORED, source,
		                "another process keeps the store locked: nothing was saved");
		answer_hint(&o, "find it with: fuser %s; then try again", d->path);
		return o;
	case SQLITE_FULL:
		o = answer_make(OUTCOME_ERRORED, source, "the disk is full: nothing was saved");
		answer_hint(&o, "make room below %s, then try again", d->path);
		return o;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		o = answer_make(OUTCOME_ERRORED, source, "the store may not be written: nothing was saved");
		answer_hint(&o, "check the owner and the mode of %s and its folder", d->path);
		return o;
	case SQLITE_CANTOPEN:
		o = answer_make(OUTCOME_ERRORED, source, "the store cannot be opened");
		answer_hint(&o, "check that the folder of %s exists and is yours", d->path);
		return o;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		o = answer_make(OUTCOME_ERRORED, source, "the store is damaged");
		answer_hint(&o, "keep a copy of %s, then restore it or move it away", d->path);
		return o;
	case SQLITE_IOERR:
		if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC) {
			o = answer_make(OUTCOME_UNKNOWN, source,
			                "the disk did not confirm a write: it may or may not be saved");
		} else {
			o = answer_make(OUTCOME_ERRORED, source,
			                "the store's disk refused a write: nothing was saved");
		}
		answer_hint(&o, "check the disk and its free space below %s", d->path);
		return o;
	default: break;
	}
	o = answer_make(OUTCOME_ERRORED, source, "%s: nothing was saved",
	                d->main != NULL ? sqlite3_errmsg(d->main) : sqlite3_errstr(rc));
	answer_hint(&o, "run: towpath check");
	return o;
}

/* --- statements ------------------------------------------------------------------------------- */

static sqlite3_stmt *prepare(struct db *d, const char *sql, int *ret_rc)
{
	struct statement *s;

	*ret_rc = SQLITE_OK;
	for (int i = 0; i < d->n_cache; i++)
		if (d->cache[i].sql == sql)
			return d->cache[i].st;
	if (d->n_cache >= STATEMENTS_MAX) {
		*ret_rc = SQLITE_NOMEM;
		return NULL;
	}
	s = &d->cache[d->n_cache];
	*ret_rc = sqlite3_prepare_v3(d->main, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->st, NULL);
	if (*ret_rc != SQLITE_OK)
		return NULL;
	s->sql = sql;
	d->n_cache++;
	return s->st;
}

static int bind_all(sqlite3_stmt *st, const char *types, va_list ap)
{
	int rc = SQLITE_OK;

	for (int i = 0; types[i] != '\0' && rc == SQLITE_OK; i++)
		rc = types[i] == 's'
		         ? sqlite3_bind_text(st, i + 1, va_arg(ap, const char *), -1, SQLITE_TRANSIENT)
		         : sqlite3_bind_int64(st, i + 1, va_arg(ap, int64_t));
	return rc;
}

void db_done(sqlite3_stmt *st)
{
	if (st == NULL)
		return;
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
}

int db_run(struct db *d, const char *sql, const char *types, ...)
{
	va_list ap;
	int rc;
	sqlite3_stmt *st = prepare(d, sql, &rc);

	if (st == NULL)
		return rc;
	va_start(ap, types);
	rc = bind_all(st, types, ap);
	va_end(ap);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	db_done(st);
	return rc;
}

sqlite3_stmt *db_query(struct db *d, int *ret_rc, const char *sql, const char *types, ...)
{
	va_list ap;
	sqlite3_stmt *st = prepare(d, sql, ret_rc);

	if (st == NULL)
		return NULL;
	va_start(ap, types);
	*ret_rc = bind_all(st, types, ap);
	va_end(ap);
	if (*ret_rc == SQLITE_OK)
		*ret_rc = sqlite3_step(st);
	if (*ret_rc == SQLITE_ROW)
		return st;
	db_done(st);
	return NULL;
}

void db_text(sqlite3_stmt *st, int col, char *dst, size_t cap)
{
	const char *s = (const char *)sqlite3_column_text(st, col);

	text_cleanz(dst, cap, s != NULL ? s : "");
}

/* --- transactions ----------------------------------------------------------------------------- */

int db_begin(struct db *d)
{
	int rc = db_run(d, "BEGIN IMMEDIATE", "");

	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void db_rollback(struct db *d)
{
	if (d->main != NULL && !sqlite3_get_autocommit(d->main))
		sqlite3_exec(d->main, "ROLLBACK", NULL, NULL, NULL);
}

int db_commit(struct db *d)
{
	int rc;

	if (fault_point("store.before_commit")) {
		db_rollback(d);
		return SQLITE_IOERR;
	}
	rc = db_run(d, "COMMIT", "");
	if (rc != SQLITE_DONE) {
		db_rollback(d);
		return rc;
	}
	fault_point("store.after_commit");
	return SQLITE_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* File systems whose locks are not to be trusted with a write-ahead log. */
static bool is_remote(const char *dir)
{
	struct statfs fs;

	if (statfs(dir, &fs) != 0)
		return false;
	switch ((unsigned long)fs.f_type & 0xffffffffUL) {
	case 0x6969UL:     /* NFS */
	case 0x517bUL:     /* SMB */
	case 0xff534d42UL: /* CIFS */
	case 0xfe534d42UL: return true;
	default: return false;
	}
}

static struct outcome file_prepare(struct db *d)
{
	char dir[PATH_LEN];
	struct error e;
	struct stat st;
	struct outcome o;
	char *slash;
	int fd;

	str_copy(dir, sizeof(dir), d->path);
	slash = strrchr(dir, '/');
	if (slash == NULL || slash == dir)
		return answer_make(OUTCOME_ERRORED, source, "%s is no place for a store", d->path);
	*slash = '\0';
	if (file_mkdirs(dir, 0700, &e) != 0)
		return answer_error(OUTCOME_ERRORED, source, &e);
	if (is_remote(dir)) {
		o = answer_make(OUTCOME_ERRORED, source, "%s is on a network file system", dir);
		answer_hint(&o, "keep the store on a local disk: store: {path: ..}");
		return o;
	}
	fd = open(d->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		close(fd);
	} else if (errno != EEXIST) {
		o = answer_make(OUTCOME_ERRORED, source, "cannot make %s: %s", d->path, strerror(errno));
		answer_hint(&o,
		            errno == ENOSPC || errno == EFBIG ? "make room on the disk"
		                                              : "check the owner and the mode of %s",
		            dir);
		return o;
	}
	if (lstat(d->path, &st) != 0 || !S_ISREG(st.st_mode)) {
		o = answer_make(OUTCOME_ERRORED, source, "%s is no regular file", d->path);
		answer_hint(&o, "move it away");
		return o;
	}
	if (st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
		o = answer_make(OUTCOME_ERRORED, source, "%s: others may read or own the store", d->path);
		answer_hint(&o, "chmod 600 %s, and own it", d->path);
		return o;
	}
	return outcome_ok();
}

static int64_t pragma(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t v = -1;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

/* Each version's file, from the one after version on; inside the transaction. */
static int schema_steps(struct db *d, int64_t version)
{
	static const char *const files[SCHEMA_VERSION] = {
	    "backends/store/schema/001_init.sql", "backends/store/schema/002_decisions.sql",
	    "backends/store/schema/003_executors.sql", "backends/store/schema/004_sets.sql"};
	int rc = SQLITE_OK;

	for (int64_t i = version; i < SCHEMA_VERSION && rc == SQLITE_OK; i++) {
		const struct baked *sql = baked_find(files[i]);

		rc = sql == NULL ? SQLITE_INTERNAL
		                 : sqlite3_exec(d->main, (const char *)sql->bytes, NULL, NULL, NULL);
	}
	return rc;
}

static struct outcome schema_prepare(struct db *d)
{
	int64_t version;
	struct outcome o;
	char stamp[96];
	int rc;

	/* The usual case takes no lock: a store that somebody else writes can still be read. */
	d->schema_before = SCHEMA_VERSION;
	if (pragma(d->main, "PRAGMA user_version") == SCHEMA_VERSION)
		return outcome_ok();
	rc = db_begin(d);
	if (rc != SQLITE_OK)
		return db_failed(d, rc);
	version = pragma(d->main, "PRAGMA user_version");
	if (version > SCHEMA_VERSION) {
		db_rollback(d);
		o = answer_make(OUTCOME_ERRORED, source, "the store is of schema %lld, this program knows %d",
		                (long long)version, SCHEMA_VERSION);
		answer_hint(&o, "use the newer towpath that made it");
		return o;
	}
	if (version == SCHEMA_VERSION) {
		db_rollback(d);
		return outcome_ok();
	}
	if (version < 0 || (version == 0 && pragma(d->main, "SELECT count(*) FROM sqlite_schema") != 0)) {
		db_rollback(d);
		o = answer_make(OUTCOME_ERRORED, source, "%s is a database of something else", d->path);
		answer_hint(&o, "choose another path: store: {path: ..}");
		return o;
	}
	snprintf(stamp, sizeof(stamp), "PRAGMA application_id=%d; PRAGMA user_version=%d", APPLICATION_ID,
	         SCHEMA_VERSION);
	d->schema_before = (int)version;
	rc = schema_steps(d, version);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(d->main, stamp, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = db_commit(d);
	if (rc != SQLITE_OK) {
		o = db_failed(d, rc);
		db_rollback(d);
		return o;
	}
	return outcome_ok();
}

/*
 * Two processes that open a new store together: the switch to WAL answers BUSY at once, whatever the busy timeout
 * says. It is tried again within the same time.
 */
static int wal_switch(struct db *d)
{
	enum { PAUSE_MS = 10 };
	int rc, waited = 0;

	for (;;) {
		rc = sqlite3_exec(d->main, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
		if ((rc & 0xff) != SQLITE_BUSY || waited >= d->busy_ms)
			return rc;
		waited += sqlite3_sleep(PAUSE_MS);
	}
}

struct outcome db_open(struct db *d)
{
	struct outcome o;
	int rc;

	if (d->main != NULL)
		return outcome_ok();
	o = file_prepare(d);
	if (o.kind != OUTCOME_OK)
		return o;
	rc = sqlite3_open_v2(d->path, &d->main, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_extended_result_codes(d->main, 1);
		sqlite3_busy_timeout(d->main, d->busy_ms);
		rc = wal_switch(d);
	}
	if (rc == SQLITE_OK) {
		rc = sqlite3_exec(d->main,
		                  "PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;"
		                  "PRAGMA cell_size_check=ON; PRAGMA journal_size_limit=4194304",
		                  NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK)
		o = schema_prepare(d);
	else
		o = db_failed(d, rc);
	if (o.kind != OUTCOME_OK)
		db_close(d);
	return o;
}

void db_close(struct db *d)
{
	for (int i = 0; i < d->n_cache; i++)
		sqlite3_finalize(d->cache[i].st);
	d->n_cache = 0;
	sqlite3_close(d->main);
	seen_close(&d->seen);
	d->main = NULL;
}

bool db_changed(struct db *d)
{
	int64_t version, seq, turn;

	if (db_open(d).kind != OUTCOME_OK)
		return false;
	turn = seen_turn(&d->seen);
	version = pragma(d->main, "PRAGMA data_version");
	seq = pragma(d->main, "SELECT coalesce(max(seq), 0) FROM audit");
	if (version == d->last_version && seq == d->last_seq && turn == d->last_turn)
		return false;
	d->last_version = version;
	d->last_seq = seq;
	d->last_turn = turn;
	return true;
}

/* --- audit ------------------------------------------------------------------------------------ */

struct audit_row audit_make(const struct db *d, const char *actor, const char *verb, const char *target,
                            const char *result, const char *text)
{
	struct audit_row row = {0};

	text_cleanz(row.actor, sizeof(row.actor), actor);
	text_cleanz(row.host, sizeof(row.host), d->host);
	text_cleanz(row.verb, sizeof(row.verb), verb);
	text_cleanz(row.target, sizeof(row.target), target);
	text_cleanz(row.result, sizeof(row.result), result);
	text_cleanz(row.text, sizeof(row.text), text);
	return row;
}

int db_audit(struct db *d, struct audit_row *row)
{
	char head[DIGEST_LEN + 32];
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", "");

	if (st != NULL) {
		row->seq = sqlite3_column_int64(st, 0) + 1;
		db_text(st, 1, row->prev, sizeof(row->prev));
		db_done(st);
	} else if (rc == SQLITE_DONE) {
		row->seq = 1;
		row->prev[0] = '\0';
	} else {
		return rc;
	}
	row->at_us = db_wall_us();
	audit_hash(row, row->hash);
	if (row->hash[0] == '\0')
		return SQLITE_NOMEM;
	rc = db_run(d, "INSERT INTO audit VALUES(?,?,?,?,?,?,?,?,?,?)", "iissssssss", row->seq, row->at_us,
	            row->actor, row->host, row->verb, row->target, row->result, row->text, row->prev,
	            row->hash);
	if (rc != SQLITE_DONE)
		return rc;
	snprintf(head, sizeof(head), "%lld %s", (long long)row->seq, row->hash);
	rc = db_run(d, "INSERT OR REPLACE INTO meta VALUES('audit_head', ?)", "s", head);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* --- leases ----------------------------------------------------------------------------------- */

int lease_read(struct db *d, const char *key, struct lease *ret, bool *ret_found)
{
	int rc;
	sqlite3_stmt *st = db_query(
	    d, &rc,
	    "SELECT holder, boot_id, pid, pid_start, epoch, until_us, rollout FROM leases WHERE key = ?", "s",
	    key);

	memset(ret, 0, sizeof(*ret));
	str_copy(ret->key, sizeof(ret->key), key);
	ret->now_us = db_lease_clock_us();
	*ret_found = st != NULL;
	if (st == NULL)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	db_text(st, 0, ret->holder, sizeof(ret->holder));
	db_text(st, 1, ret->boot_id, sizeof(ret->boot_id));
	ret->pid = sqlite3_column_int64(st, 2);
	ret->pid_start = sqlite3_column_int64(st, 3);
	ret->epoch = sqlite3_column_int64(st, 4);
	ret->until_us = sqlite3_column_int64(st, 5);
	db_text(st, 6, ret->rollout, sizeof(ret->rollout));
	db_done(st);
	return SQLITE_OK;
}

bool lease_is_held(const struct db *d, const struct lease *l)
{
	char boot[64];

	UNUSED(d);
	proc_boot_id(boot);
	/* Another boot's clock says nothing now, and nobody of that boot lives. */
	return l->holder[0] != '\0' && strcmp(l->boot_id, boot) == 0 && l->until_us > l->now_us;
}
