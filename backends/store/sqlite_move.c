/* Moving the SQLite store into a shared one: its rows in pages, as the other store's tables want them, and its end. */
#include "backends/answer.h"
#include "backends/store/sqlite_job.h"
#include "core/text.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char source[] = "store";

enum { PAGE_ROWS = 500, PAGE_BYTES = 2 * 1024 * 1024 };

/*
 * One part: its rows after a key (?1), at most ?2. types is a letter a column: s text, i number, b truth, j JSON; the
 * first column is the key.
 */
struct part {
	const char *name, *types, *sql;
};

static const struct part parts[STORE_PARTS] = {
    {"audit", "iissssssss",
     "SELECT seq, at_us, actor, host, verb, target, result, text, prev, hash FROM audit WHERE seq > CAST(?1 "
     "AS INTEGER)"
     " ORDER BY seq LIMIT ?2"},
    {"plans", "ssssssiij",
     "SELECT digest, service, env, kind, requester, reason, approvals, at_us, json FROM plans WHERE digest > "
     "?1"
     " ORDER BY digest LIMIT ?2"},
    {"rollouts", "sssssbiij",
     "SELECT id, service, env, plan, coalesce(json_extract(json, '$.requester'), '') AS requester, live, "
     "created_us,"
     " epoch, json FROM rollouts WHERE id > ?1 ORDER BY id LIMIT ?2"},
    {"steps", "isiisiissss",
     "SELECT seq, rollout, step, attempt, entry, at_us, epoch, key, child, outcome, text FROM steps"
     " WHERE seq > CAST(?1 AS INTEGER) ORDER BY seq LIMIT ?2"},
    /* A decision of schema 1 is its columns. */
    {"decisions", "isssisssssij",
     "SELECT seq, kind, actor, host, at_us, plan, rollout, service, env, release, until_us, CASE WHEN json "
     "<> '' THEN "
     "json ELSE json_object('kind', kind, 'plan', plan, 'rollout', rollout, 'service', service, 'env', env, "
     "'reason', "
     "reason, 'release', release, 'until_us', until_us) END AS json FROM decisions WHERE seq > CAST(?1 AS "
     "INTEGER)"
     " ORDER BY seq LIMIT ?2"},
    /* Nobody holds them where they go; only their epochs go on. */
    {"leases", "sssiiiiss",
     "SELECT key, '' AS holder, '' AS boot_id, 0 AS pid, 0 AS pid_start, epoch, 0 AS until_us, rollout, '' "
     "AS token"
     " FROM leases WHERE key > ?1 ORDER BY key LIMIT ?2"},
    {"smokes", "issssij",
     "SELECT seq, suite, service, env, digest, ended_us, json FROM smokes WHERE seq > CAST(?1 AS INTEGER)"
     " ORDER BY seq LIMIT ?2"},
    {"deploys", "isssssiiibss",
     "SELECT seq, service, env, digest, revision, tag, built_us, since_us, until_us, good, actor, rollout "
     "FROM deploys"
     " WHERE seq > CAST(?1 AS INTEGER) ORDER BY seq LIMIT ?2"},
};

/* --- reading ------------------------------------------------------------------------------------ */

static struct jv *value(struct arena *a, sqlite3_stmt *st, int col, char type)
{
	const char *text = (const char *)sqlite3_column_text(st, col);
	struct jv *v = NULL;

	if (type == 'i')
		return jv_int(a, sqlite3_column_int64(st, col));
	if (type == 'b')
		return jv_bool(a, sqlite3_column_int64(st, col) != 0);
	if (text == NULL)
		text = "";
	/* What cannot be read travels as null, which the other side refuses. */
	if (type == 'j')
		return jv_parse(a, text, strlen(text), &v, NULL) == 0 ? v : jv_null(a);
	return jv_str(a, text);
}

static bool row_add(struct str *s, sqlite3_stmt *st, const struct part *p)
{
	struct arena a;
	struct jv *o;
	bool ok;

	arena_init(&a, ARENA_DEFAULT_MAX);
	o = jv_obj(&a);
	for (int col = 0; p->types[col] != '\0'; col++)
		jv_set(&a, o, sqlite3_column_name(st, col), value(&a, st, col, p->types[col]));
	str_addc(s, s->len > 1 ? ',' : '[');
	jv_print(o, JV_COMPACT, s);
	ok = !arena_failed(&a) && !s->failed;
	arena_release(&a);
	return ok;
}

static struct outcome dump_work(struct db *d, struct job *j)
{
	const struct part *p = NULL;
	struct store_page *page = calloc(1, sizeof(*page));
	sqlite3_stmt *st;
	struct str s;
	int rc;
	bool ok = page != NULL;

	for (int i = 0; i < STORE_PARTS; i++)
		if (strcmp(parts[i].name, j->key) == 0)
			p = &parts[i];
	if (p == NULL || page == NULL) {
		free(page);
		return answer_make(OUTCOME_ERRORED, source,
		                   p == NULL ? "there is no part %s" : "out of memory", j->key);
	}
	str_init(&s, JSON_BYTES_MAX);
	st = db_query(d, &rc, p->sql, "si", j->child, (int64_t)PAGE_ROWS);
	while (st != NULL && rc == SQLITE_ROW && ok && s.len < PAGE_BYTES) {
		ok = row_add(&s, st, p);
		str_copy(page->last, sizeof(page->last), (const char *)sqlite3_column_text(st, 0));
		page->n_rows++;
		rc = sqlite3_step(st);
	}
	db_done(st);
	page->more = rc == SQLITE_ROW || page->n_rows == PAGE_ROWS;
	str_add(&s, s.len == 0 ? "[]" : "]");
	page->json = ok ? str_take(&s) : NULL;
	str_release(&s);
	if (page->json == NULL || (rc != SQLITE_DONE && rc != SQLITE_ROW)) {
		store_page_free(page);
		return rc != SQLITE_DONE && rc != SQLITE_ROW
		           ? db_failed(d, rc)
		           : answer_make(OUTCOME_ERRORED, source, "out of memory");
	}
	j->result = page;
	return outcome_ok();
}

void sqlite_dump(void *priv, const char *part, const char *after, struct op *op)
{
	struct job *j = job_new(priv, op, false, dump_work);

	if (j == NULL)
		return;
	j->free_result = store_page_free;
	str_copy(j->key, sizeof(j->key), part);
	str_copy(j->child, sizeof(j->child), after);
	job_start(j);
}

void sqlite_load(void *priv, const struct store_load *l, struct op *op)
{
	struct outcome o =
	    answer_make(OUTCOME_UNSUPPORTED, source, "nothing can be moved into a SQLite store");

	UNUSED(priv);
	UNUSED(l);
	answer_hint(&o, "the config's store must be the target: store: {driver: postgres, ..}");
	op_done(op, o, NULL, NULL);
}

/* --- its end ------------------------------------------------------------------------------------ */

struct outcome sqlite_not_retired(struct db *d)
{
	char where[TEXT_LEN / 2] = "";
	struct outcome o;
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, "SELECT value FROM meta WHERE key = 'moved'", "");

	if (st == NULL)
		return rc == SQLITE_DONE ? outcome_ok() : db_failed(d, rc);
	db_text(st, 0, where, sizeof(where));
	db_done(st);
	o = answer_make(OUTCOME_FAILED, source, "this store was moved to %s and takes nothing any more",
	                where);
	answer_hint(&o, "use the config that names the new one");
	return o;
}

static struct outcome retire_work(struct db *d, struct job *j)
{
	return done_or(d, db_run(d, "INSERT OR REPLACE INTO meta VALUES('moved', ?)", "s", j->child));
}

void sqlite_retire(void *priv, const char *where, struct op *op)
{
	struct job *j = job_new(priv, op, true, retire_work);

	if (j == NULL)
		return;
	text_cleanz(j->child, sizeof(j->child), where);
	job_start(j);
}
