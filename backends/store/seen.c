#include "backends/store/seen.h"

#include "backends/answer.h"
#include "backends/store/common.h"
#include "core/text.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char source[] = "store";
enum { SEEN_MAX = 20000 };

/* NULL where it cannot be had: it is only a convenience. */
sqlite3 *seen_open(struct seen *s)
{
	static const char sql[] =
	    "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
	    "CREATE TABLE IF NOT EXISTS seen(key TEXT PRIMARY KEY, at_us INTEGER NOT NULL,"
	    " json TEXT NOT NULL) WITHOUT ROWID;"
	    "CREATE TABLE IF NOT EXISTS presence(actor TEXT, session TEXT, host TEXT, view TEXT, doing TEXT,"
	    " service TEXT, env TEXT, plan TEXT, rollout TEXT, act TEXT, since_us INTEGER, seen_us INTEGER,"
	    " until_us INTEGER, PRIMARY KEY(actor, session)) WITHOUT ROWID";

	if (s->db != NULL)
		return s->db;
	/* Twice: a damaged file is thrown away, it holds nothing that the sources do not say again. */
	for (int i = 0; i < 2; i++) {
		int fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		int rc;

		if (fd < 0)
			return NULL;
		close(fd);
		rc = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
		if (rc == SQLITE_OK) {
			sqlite3_busy_timeout(s->db, 200);
			rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
		}
		if (rc == SQLITE_OK)
			return s->db;
		seen_close(s);
		if ((rc & 0xff) != SQLITE_NOTADB && (rc & 0xff) != SQLITE_CORRUPT)
			return NULL;
		unlink(s->path);
	}
	return NULL;
}

void seen_close(struct seen *s)
{
	sqlite3_close(s->db);
	s->db = NULL;
}

struct outcome seen_put(struct seen *s, const char *key, int64_t at_us, const char *json)
{
	sqlite3 *db = seen_open(s);
	sqlite3_stmt *st = NULL;
	int rc = SQLITE_CANTOPEN;

	if (db != NULL)
		rc = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO seen VALUES(?,?,?)", -1, &st, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_text(st, 1, key, -1, SQLITE_TRANSIENT);
		sqlite3_bind_int64(st, 2, at_us);
		sqlite3_bind_text(st, 3, json, -1, SQLITE_TRANSIENT);
		rc = sqlite3_step(st);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE
	           ? outcome_ok()
	           : answer_make(OUTCOME_ERRORED, source, "not remembered: %s", sqlite3_errstr(rc));
}

struct outcome seen_get(struct seen *s, void **ret)
{
	struct observation_list *list = calloc(1, sizeof(*list));
	sqlite3 *db = seen_open(s);
	sqlite3_stmt *st = NULL;
	int cap = 0;

	if (list == NULL)
		return answer_make(OUTCOME_ERRORED, source, "out of memory");
	if (db != NULL && sqlite3_prepare_v2(db, "SELECT key, at_us, json FROM seen ORDER BY key", -1, &st,
	                                     NULL) == SQLITE_OK)
		while (sqlite3_step(st) == SQLITE_ROW && list->n_items < SEEN_MAX &&
		       list_grow((void **)&list->items, list->n_items, &cap, sizeof(*list->items))) {
			struct observation *o = &list->items[list->n_items];
			const char *key = (const char *)sqlite3_column_text(st, 0);
			const char *json = (const char *)sqlite3_column_text(st, 2);

			memset(o, 0, sizeof(*o));
			text_cleanz(o->key, sizeof(o->key), key != NULL ? key : "");
			o->at_us = sqlite3_column_int64(st, 1);
			o->json = strdup(json != NULL ? json : "");
			if (o->json != NULL)
				list->n_items++;
		}
	sqlite3_finalize(st);
	*ret = list;
	return outcome_ok();
}
