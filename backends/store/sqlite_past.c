/* What happened between two instants: what ran, rollouts, decisions. */
#include "backends/answer.h"
#include "backends/store/common.h"
#include "backends/store/sqlite_db.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static int past_deploys(struct db *d, const struct past_ask *ask, struct store_past *p)
{
	int cap = 0, rc;
	sqlite3_stmt *st = db_query(d, &rc,
	                            "SELECT " DEPLOY_COLUMNS " FROM deploys WHERE since_us <= ? AND"
	                            " (until_us = 0 OR until_us > ?) ORDER BY seq DESC LIMIT ?",
	                            "iii", ask->until_us, ask->since_us, (int64_t)PAST_MAX);

	while (st != NULL && rc == SQLITE_ROW) {
		if (!list_grow((void **)&p->deploys, p->n_deploys, &cap, sizeof(*p->deploys))) {
			db_done(st);
			return SQLITE_NOMEM;
		}
		deploy_from_row(st, &p->deploys[p->n_deploys++]);
		rc = sqlite3_step(st);
	}
	db_done(st);
	return rc;
}

static int past_decisions(struct db *d, const struct past_ask *ask, struct store_past *p)
{
	int cap = 0, rc;
	sqlite3_stmt *st = db_query(d, &rc,
	                            "SELECT " DECISION_COLUMNS " FROM decisions WHERE at_us BETWEEN ? AND ?"
	                            " ORDER BY seq DESC LIMIT ?",
	                            "iii", ask->since_us, ask->until_us, (int64_t)PAST_MAX);

	while (st != NULL && rc == SQLITE_ROW) {
		if (!list_grow((void **)&p->decisions, p->n_decisions, &cap, sizeof(*p->decisions))) {
			db_done(st);
			return SQLITE_NOMEM;
		}
		decision_from_row(st, &p->decisions[p->n_decisions++]);
		rc = sqlite3_step(st);
	}
	db_done(st);
	return rc;
}

/* Those that lived in the time; and of each place the newest five before it that had migrations. */
static int past_rollouts(struct db *d, const struct past_ask *ask, struct store_past *p)
{
	static const char sql[] =
	    "WITH all_of AS (SELECT r.json, r.created_us, r.service, r.env, p.json AS plan,"
	    "  coalesce(json_array_length(p.json, '$.intent.migrations'), 0) AS n,"
	    "  r.live = 1 OR coalesce(json_extract(r.json, '$.ended_us'), 0) >= ?1 AS lived"
	    "  FROM rollouts r LEFT JOIN plans p ON p.digest = r.plan WHERE r.created_us <= ?2)"
	    " SELECT json, n, json_extract(plan, '$.intent.migrations[#-1].name'),"
	    "  CASE WHEN ?3 AND lived THEN (SELECT json_group_array(json_extract(value, '$.time_us'))"
	    "   FROM json_each(plan, '$.evidence.commits')) END"
	    " FROM (SELECT *, row_number() OVER (PARTITION BY service, env, lived ORDER BY created_us DESC) "
	    "AS nth"
	    "  FROM all_of WHERE lived OR n > 0) WHERE lived OR nth <= 5 ORDER BY lived DESC, created_us "
	    "DESC LIMIT ?4";
	int cap = 0, rc;
	sqlite3_stmt *st = db_query(d, &rc, sql, "iiii", ask->since_us, ask->until_us, (int64_t)ask->commits,
	                            (int64_t)PAST_MAX);

	while (st != NULL && rc == SQLITE_ROW) {
		if (!list_grow((void **)&p->rollouts, p->n_rollouts, &cap, sizeof(*p->rollouts))) {
			db_done(st);
			return SQLITE_NOMEM;
		}
		/* One that this version cannot read is left out. */
		if (past_rollout_make((const char *)sqlite3_column_text(st, 0), sqlite3_column_int(st, 1),
		                      (const char *)sqlite3_column_text(st, 2),
		                      (const char *)sqlite3_column_text(st, 3), &p->rollouts[p->n_rollouts]))
			p->n_rollouts++;
		rc = sqlite3_step(st);
	}
	db_done(st);
	return rc;
}

struct outcome read_past(struct db *d, const struct past_ask *ask, void **ret)
{
	static int (*const parts[])(struct db *, const struct past_ask *,
	                            struct store_past *) = {past_deploys, past_rollouts, past_decisions};
	struct store_past *p = calloc(1, sizeof(*p));
	struct outcome o;
	int rc;

	if (p == NULL)
		return answer_make(OUTCOME_ERRORED, "store", "out of memory");
	rc = db_run(d, "BEGIN", "");
	for (size_t i = 0; i < ARRAY_LEN(parts) && rc == SQLITE_DONE; i++)
		rc = parts[i](d, ask, p);
	p->now_us = db_wall_us();
	p->cut = p->n_deploys == PAST_MAX || p->n_rollouts == PAST_MAX || p->n_decisions == PAST_MAX;
	if (rc != SQLITE_DONE) {
		o = db_failed(d, rc);
		db_rollback(d);
		store_past_free(p);
		return o;
	}
	db_rollback(d);
	*ret = p;
	return outcome_ok();
}
