/*
 * Who is here, in the disposable file of the observations: it is written all the time and lost without harm, and
 * never holds up a lease. The file's user_version counts what others want to hear of, and the file is touched.
 */
#include "backends/answer.h"
#include "backends/store/common.h"
#include "backends/store/seen.h"
#include "core/text.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char source[] = "store";

/* Runs one statement; types is a letter each, s text, i int64_t. The number of its first row, 0 without one. */
static int run(sqlite3 *db, int64_t *ret, const char *sql, const char *types, ...)
{
	sqlite3_stmt *st = NULL;
	va_list ap;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	va_start(ap, types);
	for (int i = 0; types[i] != '\0' && rc == SQLITE_OK; i++)
		rc = types[i] == 's'
		         ? sqlite3_bind_text(st, i + 1, va_arg(ap, const char *), -1, SQLITE_STATIC)
		         : sqlite3_bind_int64(st, i + 1, va_arg(ap, int64_t));
	va_end(ap);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (ret != NULL)
		*ret = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int64_t seen_turn(struct seen *s)
{
	sqlite3 *db = seen_open(s);
	int64_t turn = 0;

	if (db != NULL)
		(void)run(db, &turn, "PRAGMA user_version", "");
	return turn;
}

/* One more, inside the transaction. */
static int turn_on(sqlite3 *db, int64_t *ret)
{
	char sql[64];
	int rc = run(db, ret, "PRAGMA user_version", "");

	*ret = *ret % INT32_MAX + 1;
	snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", (int)*ret);
	return rc == SQLITE_OK ? run(db, NULL, sql, "") : rc;
}

/* What it says, in the table's order behind actor and session. */
#define SAYS(p)                                                                                              \
	(p)->host, presence_view_name((p)->view), presence_doing_name((p)->doing), (p)->service, (p)->env,   \
	    (p)->plan, (p)->rollout, (p)->act

static int row_put(sqlite3 *db, const struct presence_row *p, int64_t now_us, int64_t ttl_us,
                   bool *ret_changed)
{
	int64_t same = 0;
	int rc = run(db, &same,
	             "SELECT 1 FROM presence WHERE actor=? AND session=? AND host=? AND view=? AND doing=?"
	             " AND service=? AND env=? AND plan=? AND rollout=? AND act=?",
	             "ssssssssss", p->actor, p->session, SAYS(p));

	*ret_changed = same == 0;
	if (rc == SQLITE_OK && same != 0)
		return run(db, NULL, "UPDATE presence SET seen_us=?, until_us=? WHERE actor=? AND session=?",
		           "iiss", now_us, now_us + ttl_us, p->actor, p->session);
	if (rc == SQLITE_OK)
		rc = run(db, NULL, "INSERT OR REPLACE INTO presence VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
		         "ssssssssssiii", p->actor, p->session, SAYS(p), now_us, now_us, now_us + ttl_us);
	if (rc == SQLITE_OK)
		rc = run(db, NULL,
		         "DELETE FROM presence WHERE actor=? AND session NOT IN (SELECT session FROM presence"
		         " WHERE actor=? ORDER BY seen_us DESC LIMIT ?)",
		         "ssi", p->actor, p->actor, (int64_t)PRESENCE_EACH_MAX);
	return rc;
}

static int row_gone(sqlite3 *db, const struct presence_row *p, bool *ret_changed)
{
	int rc =
	    run(db, NULL, "DELETE FROM presence WHERE actor=? AND session=?", "ss", p->actor, p->session);

	*ret_changed = sqlite3_changes(db) > 0;
	return rc;
}

struct outcome seen_presence_put(struct seen *s, const struct presence_row *p, int64_t now_us, int64_t ttl_us,
                                 int64_t *ret_turn)
{
	sqlite3 *db = seen_open(s);
	int64_t n = 0;
	bool changed = false;
	int rc = db != NULL ? run(db, NULL, "BEGIN IMMEDIATE", "") : SQLITE_CANTOPEN;

	*ret_turn = 0;
	if (rc == SQLITE_OK)
		rc = run(db, NULL, "DELETE FROM presence WHERE until_us <= ?", "i", now_us);
	if (rc == SQLITE_OK)
		rc = ttl_us > 0 ? row_put(db, p, now_us, ttl_us, &changed) : row_gone(db, p, &changed);
	if (rc == SQLITE_OK)
		rc = run(db, &n, "SELECT count(*) FROM presence", "");
	if (rc == SQLITE_OK && n > PRESENCE_MAX)
		rc = SQLITE_FULL;
	if (rc == SQLITE_OK && changed)
		rc = turn_on(db, ret_turn);
	if (rc == SQLITE_OK)
		rc = run(db, NULL, "COMMIT", "");
	if (rc != SQLITE_OK) {
		if (db != NULL && sqlite3_get_autocommit(db) == 0)
			(void)run(db, NULL, "ROLLBACK", "");
		*ret_turn = 0;
		if (n > PRESENCE_MAX)
			return answer_make(OUTCOME_FAILED, source, "more than %d consoles are open",
			                   PRESENCE_MAX);
		return answer_make(OUTCOME_ERRORED, source, "others do not see you: %s", sqlite3_errstr(rc));
	}
	/* Rings for those who watch the folder: the log beside the file, where all is written, is nothing to them. */
	if (changed)
		(void)utimensat(AT_FDCWD, s->path, NULL, AT_SYMLINK_NOFOLLOW);
	return outcome_ok();
}

void seen_presence_get(struct seen *s, int64_t now_us, struct store_snapshot *snap)
{
	static const char sql[] =
	    "SELECT actor, session, host, view, doing, service, env, plan, rollout, act, since_us, seen_us,"
	    " until_us FROM presence WHERE until_us > ? ORDER BY seen_us DESC, session LIMIT ?";
	sqlite3 *db = seen_open(s);
	sqlite3_stmt *st = NULL;
	int cap = 0;

	if (db == NULL || sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return;
	sqlite3_bind_int64(st, 1, now_us);
	sqlite3_bind_int64(st, 2, PRESENCE_MAX);
	while (sqlite3_step(st) == SQLITE_ROW &&
	       list_grow((void **)&snap->presence, snap->n_presence, &cap, sizeof(*snap->presence))) {
		static const char *const keys[] = {"actor",   "session", "host", "view",    "doing",
		                                   "service", "env",     "plan", "rollout", "act"};
		struct arena a;
		struct jv *v;

		/* By way of the one reader that makes foreign texts clean. */
		arena_init(&a, ARENA_DEFAULT_MAX);
		v = jv_obj(&a);
		for (int i = 0; i < (int)ARRAY_LEN(keys); i++)
			jv_set_str(&a, v, keys[i], (const char *)sqlite3_column_text(st, i));
		jv_set_int(&a, v, "since_us", sqlite3_column_int64(st, 10));
		jv_set_int(&a, v, "seen_us", sqlite3_column_int64(st, 11));
		jv_set_int(&a, v, "until_us", sqlite3_column_int64(st, 12));
		presence_from_jv(v, &snap->presence[snap->n_presence++]);
		arena_release(&a);
	}
	sqlite3_finalize(st);
}
