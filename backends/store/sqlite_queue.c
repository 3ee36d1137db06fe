/* Rollouts that wait for their turn, and the executors that they wait for. */
#include "backends/answer.h"
#include "backends/store/common.h"
#include "backends/store/sqlite_job.h"
#include "core/text.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUED_MAX = 32 }; /* of one place */

int queue_behind(struct db *d, const char *rollout, char ret[ID_LEN])
{
	static const char sql[] = "SELECT o.id FROM rollouts r JOIN rollouts o ON o.service = r.service AND "
	                          "o.env = r.env AND o.id <> r.id"
	                          " WHERE r.id = ? AND r.live = 1 AND r.queued = 1 AND o.live = 1"
	                          " AND (o.queued = 0 OR (o.created_us, o.id) < (r.created_us, r.id))"
	                          " ORDER BY o.queued, o.created_us, o.id LIMIT 1";
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, sql, "s", rollout);

	ret[0] = '\0';
	if (st == NULL)
		return rc == SQLITE_DONE ? SQLITE_OK : rc;
	db_text(st, 0, ret, ID_LEN);
	db_done(st);
	return SQLITE_OK;
}

/* Takes the lease away from a process of it that has claimed and is silent. False: it is not silent. */
static int lease_away(struct db *d, const struct rollout *r, bool *ret_free)
{
	char key[NAME_LEN * 2 + 2];
	struct lease l;
	bool found;
	int rc;

	snprintf(key, sizeof(key), "%s/%s", r->service, r->env);
	rc = lease_read(d, key, &l, &found);
	*ret_free = rc == SQLITE_OK && (!found || l.holder[0] == '\0' || strcmp(l.rollout, r->id) != 0);
	if (rc != SQLITE_OK || *ret_free || lease_is_held(d, &l))
		return rc;
	rc = db_run(d, "UPDATE leases SET holder = '', until_us = 0, pid = 0 WHERE key = ?", "s", key);
	*ret_free = rc == SQLITE_DONE;
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int rollout_end(struct db *d, struct rollout *r, const char *actor, const char *verb, const char *text)
{
	char *json;
	int rc;

	r->state = ROLLOUT_ENDED;
	r->outcome = OUTCOME_CANCELLED;
	r->ended_us = db_wall_us();
	text_cleanz(r->text, sizeof(r->text), text);
	json = rollout_text(r);
	if (json == NULL)
		return SQLITE_NOMEM;
	rc = db_run(d, "UPDATE rollouts SET live = 0, queued = 0, json = ? WHERE id = ?", "ss", json, r->id);
	free(json);
	return rc == SQLITE_DONE ? audit_write(d, actor, verb, r->id, outcome_name(r->outcome), r->text) : rc;
}

struct outcome queue_leave(struct db *d, const char *rollout, const char *actor, const char *verb,
                           const char *text)
{
	struct rollout *r;
	void *read = NULL;
	struct outcome o = read_rollout(d, rollout, &read);
	bool is_free = false;
	int rc = SQLITE_OK;

	if (o.kind != OUTCOME_OK)
		return o;
	r = read;
	if (r->state == ROLLOUT_QUEUED)
		rc = lease_away(d, r, &is_free);
	if (rc == SQLITE_OK && is_free)
		rc = rollout_end(d, r, actor, verb, text);
	free(r);
	return done_or(d, rc);
}

struct outcome queue_supersede(struct db *d, const struct rollout *by, const char *actor)
{
	char ids[QUEUED_MAX][ID_LEN], text[TEXT_LEN];
	struct outcome o = outcome_ok();
	int n = 0, rc;
	sqlite3_stmt *st = db_query(
	    d, &rc,
	    "SELECT id FROM rollouts WHERE service = ? AND env = ? AND live = 1 AND id <> ?"
	    " AND queued = 1 AND (json_extract(json, '$.kind') = ?"
	    " OR (? = 'rollback' AND json_extract(json, '$.kind') = 'promote'))",
	    "sssss", by->service, by->env, by->id, plan_kind_name(by->kind), plan_kind_name(by->kind));

	while (st != NULL && rc == SQLITE_ROW && n < QUEUED_MAX) {
		db_text(st, 0, ids[n++], ID_LEN);
		rc = sqlite3_step(st);
	}
	db_done(st);
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		return db_failed(d, rc);
	snprintf(text, sizeof(text), "superseded by %s of %s: %s to %s", by->id, actor,
	         by->from.tag[0] != '\0' ? by->from.tag : "nothing",
	         by->to.tag[0] != '\0' ? by->to.tag : by->to.digest);
	for (int i = 0; i < n && o.kind == OUTCOME_OK; i++)
		o = queue_leave(d, ids[i], actor, "superseded", text);
	return o;
}

/* --- executors ---------------------------------------------------------------------------------- */

int read_executors(struct db *d, struct store_snapshot *s)
{
	static const char sql[] =
	    "SELECT id, host, pid, version, since_us, seen_us, running, leaving FROM executors"
	    " WHERE seen_us > ? ORDER BY seen_us DESC LIMIT 64";
	int cap = 0, rc;
	sqlite3_stmt *st = db_query(d, &rc, sql, "i", db_wall_us() - US_PER_DAY);

	while (st != NULL && rc == SQLITE_ROW) {
		struct executor_row *x;

		if (!list_grow((void **)&s->executors, s->n_executors, &cap, sizeof(*s->executors))) {
			db_done(st);
			return SQLITE_NOMEM;
		}
		x = &s->executors[s->n_executors++];
		*x = (struct executor_row){.pid = sqlite3_column_int64(st, 2),
		                           .since_us = sqlite3_column_int64(st, 4),
		                           .seen_us = sqlite3_column_int64(st, 5),
		                           .running = sqlite3_column_int(st, 6),
		                           .leaving = sqlite3_column_int(st, 7) != 0};
		db_text(st, 0, x->id, sizeof(x->id));
		db_text(st, 1, x->host, sizeof(x->host));
		db_text(st, 3, x->version, sizeof(x->version));
		rc = sqlite3_step(st);
	}
	db_done(st);
	return rc;
}

static struct outcome beat_work(struct db *d, struct job *j)
{
	const struct executor_row *x = &j->executor;
	int64_t now = db_wall_us();
	int rc = db_run(d,
	                "INSERT INTO executors VALUES(?,?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET"
	                " seen_us = excluded.seen_us, running = excluded.running, leaving = excluded.leaving",
	                "ssisiiii", x->id, x->host, x->pid, x->version, now, now, (int64_t)x->running,
	                (int64_t)x->leaving);

	if (rc == SQLITE_DONE)
		rc = db_run(d, "DELETE FROM executors WHERE seen_us < ?", "i", now - US_PER_DAY);
	return done_or(d, rc);
}

void sqlite_executor_beat(void *priv, const struct executor_row *row, struct op *op)
{
	struct job *j = job_new(priv, op, true, beat_work);

	if (j == NULL)
		return;
	j->executor = *row;
	job_start(j);
}
