/* What the store answers: snapshot, one plan, one rollout, history, the chain's verdict. */
#include "backends/answer.h"
#include "backends/store/common.h"
#include "backends/store/sqlite_job.h"
#include "core/smoke.h"
#include "core/text.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- rollouts --------------------------------------------------------------------------------- */

/* What the row cannot know: who holds the lease now, and what people decided since the executor last looked. */
static int rollout_overlay(struct db *d, struct rollout *r)
{
	char key[NAME_LEN * 2 + 2], kind[NAME_LEN];
	enum decision_kind k;
	struct lease l;
	bool found, held;
	int rc;
	sqlite3_stmt *st;

	snprintf(key, sizeof(key), "%s/%s", r->service, r->env);
	rc = lease_read(d, key, &l, &found);
	if (rc != SQLITE_OK)
		return rc;
	held = found && lease_is_held(d, &l);
	/* From the clock of leases to the one that people read. */
	l.until_us += db_wall_us() - l.now_us;
	rollout_overlay_lease(r, found ? &l : NULL, held, d->host, db_wall_us());
	if (!rollout_is_live(r))
		return SQLITE_OK;
	st = db_query(d, &rc, "SELECT kind FROM decisions WHERE rollout = ? AND seq > ? ORDER BY seq", "si",
	              r->id, r->seen_seq);
	while (st != NULL && rc == SQLITE_ROW) {
		db_text(st, 0, kind, sizeof(kind));
		if (decision_kind_parse(kind, &k))
			rollout_want(r, k);
		rc = sqlite3_step(st);
	}
	db_done(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int rollout_parse(const char *json, struct rollout *r, struct error *e)
{
	struct arena a;
	struct jv *v;
	int rc;

	arena_init(&a, ARENA_DEFAULT_MAX);
	rc = jv_parse(&a, json, strlen(json), &v, e);
	if (rc == 0)
		rc = rollout_from_jv(v, r, e);
	arena_release(&a);
	return rc;
}

struct outcome read_rollout(struct db *d, const char *id, void **ret)
{
	struct rollout *r;
	struct error e;
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, "SELECT json FROM rollouts WHERE id = ?", "s", id);

	if (st == NULL)
		return rc == SQLITE_DONE ? answer_make(OUTCOME_FAILED, "store", "there is no rollout %s", id)
		                         : db_failed(d, rc);
	r = calloc(1, sizeof(*r));
	rc = r == NULL ? error_set(&e, ERR_NOMEM, "out of memory")
	               : rollout_parse((const char *)sqlite3_column_text(st, 0), r, &e);
	db_done(st);
	if (rc != 0) {
		free(r);
		return answer_error(OUTCOME_ERRORED, "store", &e);
	}
	rc = rollout_overlay(d, r);
	if (rc != SQLITE_OK) {
		free(r);
		return db_failed(d, rc);
	}
	*ret = r;
	return outcome_ok();
}

static int read_rollouts(struct db *d, struct store_snapshot *s)
{
	int cap = 0, rc;
	struct error e;
	sqlite3_stmt *st =
	    db_query(d, &rc, "SELECT json FROM rollouts ORDER BY live DESC, created_us DESC LIMIT ?", "i",
	             (int64_t)ROLLOUTS_MAX);

	while (st != NULL && rc == SQLITE_ROW) {
		if (!list_grow((void **)&s->rollouts, s->n_rollouts, &cap, sizeof(*s->rollouts))) {
			db_done(st);
			return SQLITE_NOMEM;
		}
		if (rollout_parse((const char *)sqlite3_column_text(st, 0), &s->rollouts[s->n_rollouts],
		                  &e) == 0)
			s->n_rollouts++;
		rc = sqlite3_step(st);
	}
	db_done(st);
	for (int i = 0; i < s->n_rollouts && rc == SQLITE_DONE; i++) {
		int rc2 = rollout_overlay(d, &s->rollouts[i]);

		if (rc2 != SQLITE_OK)
			return rc2;
	}
	return rc;
}

/* --- the rest of the snapshot ----------------------------------------------------------------- */

/* The columns say who, when and what about; the JSON whatever else its kind has. A kind of later is a remark. */
void decision_from_row(sqlite3_stmt *st, struct decision *x)
{
	const char *json = (const char *)sqlite3_column_text(st, 12);
	struct arena a;
	struct jv *v;
	char kind[NAME_LEN];

	memset(x, 0, sizeof(*x));
	arena_init(&a, ARENA_DEFAULT_MAX);
	if (json == NULL || jv_parse(&a, json, strlen(json), &v, NULL) != 0 ||
	    decision_from_jv(v, x, NULL) != 0)
		memset(x, 0, sizeof(*x));
	arena_release(&a);
	x->seq = sqlite3_column_int64(st, 0);
	db_text(st, 1, kind, sizeof(kind));
	if (!decision_kind_parse(kind, &x->kind))
		x->kind = DECISION_NOTE;
	db_text(st, 2, x->actor, sizeof(x->actor));
	db_text(st, 3, x->host, sizeof(x->host));
	x->at_us = sqlite3_column_int64(st, 4);
	db_text(st, 5, x->plan, sizeof(x->plan));
	db_text(st, 6, x->rollout, sizeof(x->rollout));
	db_text(st, 7, x->service, sizeof(x->service));
	db_text(st, 8, x->env, sizeof(x->env));
	db_text(st, 9, x->reason, sizeof(x->reason));
	db_text(st, 10, x->release, sizeof(x->release));
	x->until_us = sqlite3_column_int64(st, 11);
}

/* The table of kinds as SQL can join it. False: no memory. */
static bool rules_text(struct str *s)
{
	struct arena a;
	bool ok;

	arena_init(&a, ARENA_DEFAULT_MAX);
	jv_print(decision_rules_to_jv(&a), JV_COMPACT, s);
	ok = !arena_failed(&a) && !s->failed;
	arena_release(&a);
	return ok;
}

static int read_decisions(struct db *d, struct store_snapshot *s)
{
	static const char sql[] =
	    "WITH rule AS (SELECT json_extract(value, '$.kind') AS kind, json_extract(value, '$.family') AS "
	    "family,"
	    "  json_extract(value, '$.topic') AS topic FROM json_each(?))"
	    " SELECT seq, kind, actor, host, at_us, plan, rollout, service, env, reason, release, until_us, "
	    "json"
	    " FROM decisions WHERE"
	    " seq IN (SELECT max(seq) FROM decisions JOIN rule USING (kind) WHERE family = 'place'"
	    "         GROUP BY topic, service, env, release, actor)"
	    " OR (seq IN (SELECT max(seq) FROM decisions JOIN rule USING (kind) WHERE family = 'verdict'"
	    "             GROUP BY plan, actor)"
	    "     AND plan IN (SELECT digest FROM plans WHERE at_us > ?"
	    "                  UNION SELECT plan FROM rollouts WHERE live = 1))"
	    " OR (rollout <> '' AND rollout IN (SELECT id FROM rollouts WHERE live = 1))"
	    " OR seq IN (SELECT seq FROM decisions WHERE kind NOT IN (SELECT kind FROM rule WHERE family <> "
	    "'remark')"
	    "            ORDER BY seq DESC LIMIT ?)"
	    " ORDER BY seq";
	int cap = 0, rc = SQLITE_NOMEM;
	struct str rules;
	sqlite3_stmt *st = NULL;

	str_init(&rules, JSON_BYTES_MAX);
	if (rules_text(&rules))
		st = db_query(d, &rc, sql, "sii", str_text(&rules), db_wall_us() - PLAN_LISTED_US,
		              (int64_t)DECISIONS_MAX);
	str_release(&rules);
	while (st != NULL && rc == SQLITE_ROW) {
		if (!list_grow((void **)&s->decisions, s->n_decisions, &cap, sizeof(*s->decisions))) {
			db_done(st);
			return SQLITE_NOMEM;
		}
		decision_from_row(st, &s->decisions[s->n_decisions++]);
		rc = sqlite3_step(st);
	}
	db_done(st);
	return rc;
}

static int read_plans(struct db *d, struct store_snapshot *s)
{
	static const char sql[] =
	    "SELECT digest, service, env, kind, requester, reason, approvals, at_us, releases,"
	    " EXISTS (SELECT 1 FROM rollouts r WHERE r.plan = p.digest) AS used FROM plans p"
	    " WHERE at_us > ? OR digest IN (SELECT plan FROM rollouts WHERE live = 1) ORDER BY at_us DESC "
	    "LIMIT ?";
	int cap = 0, rc;
	sqlite3_stmt *st = db_query(d, &rc, sql, "ii", db_wall_us() - PLAN_LISTED_US, (int64_t)PLANS_MAX);

	while (st != NULL && rc == SQLITE_ROW) {
		struct plan_row *p;
		const char *json = (const char *)sqlite3_column_text(st, 8);
		char kind[NAME_LEN];
		struct arena a;
		struct jv *v;

		if (!list_grow((void **)&s->plans, s->n_plans, &cap, sizeof(*s->plans))) {
			db_done(st);
			return SQLITE_NOMEM;
		}
		p = &s->plans[s->n_plans++];
		memset(p, 0, sizeof(*p));
		db_text(st, 0, p->digest, sizeof(p->digest));
		db_text(st, 1, p->service, sizeof(p->service));
		db_text(st, 2, p->env, sizeof(p->env));
		db_text(st, 3, kind, sizeof(kind));
		if (!plan_kind_parse(kind, &p->kind))
			p->kind = PLAN_PROMOTE;
		db_text(st, 4, p->requester, sizeof(p->requester));
		db_text(st, 5, p->reason, sizeof(p->reason));
		p->approvals_needed = sqlite3_column_int(st, 6);
		p->at_us = sqlite3_column_int64(st, 7);
		p->used = sqlite3_column_int(st, 9) != 0;
		arena_init(&a, ARENA_DEFAULT_MAX);
		if (json != NULL && jv_parse(&a, json, strlen(json), &v, NULL) == 0) {
			release_from_jv(jv_get(v, "from"), &p->from);
			release_from_jv(jv_get(v, "to"), &p->to);
		}
		arena_release(&a);
		rc = sqlite3_step(st);
	}
	db_done(st);
	return rc;
}

static int read_smokes(struct db *d, struct store_snapshot *s)
{
	static const char sql[] = "SELECT json FROM smokes WHERE seq IN (SELECT max(seq) FROM smokes"
	                          " GROUP BY suite, service, env, digest) ORDER BY seq DESC LIMIT ?";
	int cap = 0, rc;
	sqlite3_stmt *st = db_query(d, &rc, sql, "i", (int64_t)SMOKES_MAX);

	while (st != NULL && rc == SQLITE_ROW) {
		const char *json = (const char *)sqlite3_column_text(st, 0);
		struct arena a;
		struct jv *v;

		if (!list_grow((void **)&s->smokes, s->n_smokes, &cap, sizeof(*s->smokes))) {
			db_done(st);
			return SQLITE_NOMEM;
		}
		arena_init(&a, ARENA_DEFAULT_MAX);
		if (json != NULL && jv_parse(&a, json, strlen(json), &v, NULL) == 0 &&
		    (s->smokes[s->n_smokes] = smoke_from_jv(v)) != NULL)
			s->n_smokes++;
		arena_release(&a);
		rc = sqlite3_step(st);
	}
	db_done(st);
	return rc;
}

void deploy_from_row(sqlite3_stmt *st, struct deploy_row *x)
{
	memset(x, 0, sizeof(*x));
	db_text(st, 0, x->service, sizeof(x->service));
	db_text(st, 1, x->env, sizeof(x->env));
	db_text(st, 2, x->release.digest, sizeof(x->release.digest));
	db_text(st, 3, x->release.revision, sizeof(x->release.revision));
	db_text(st, 4, x->release.tag, sizeof(x->release.tag));
	x->release.built_us = sqlite3_column_int64(st, 5);
	x->since_us = sqlite3_column_int64(st, 6);
	x->until_us = sqlite3_column_int64(st, 7);
	x->good = sqlite3_column_int(st, 8) != 0;
	db_text(st, 9, x->by, sizeof(x->by));
	db_text(st, 10, x->rollout, sizeof(x->rollout));
}

static int read_deploys(struct db *d, struct store_snapshot *s)
{
	static const char sql[] =
	    "SELECT service, env, digest, revision, tag, built_us, since_us, until_us, good, actor, rollout"
	    " FROM (SELECT *, row_number() OVER (PARTITION BY service, env ORDER BY seq DESC) AS nth FROM "
	    "deploys) x"
	    " WHERE nth <= ? ORDER BY seq DESC LIMIT ?";
	int cap = 0, rc;
	sqlite3_stmt *st = db_query(d, &rc, sql, "ii", (int64_t)DEPLOYS_PER_PLACE, (int64_t)DEPLOYS_MAX);

	while (st != NULL && rc == SQLITE_ROW) {
		struct deploy_row *x;

		if (!list_grow((void **)&s->deploys, s->n_deploys, &cap, sizeof(*s->deploys))) {
			db_done(st);
			return SQLITE_NOMEM;
		}
		x = &s->deploys[s->n_deploys++];
		deploy_from_row(st, x);
		rc = sqlite3_step(st);
	}
	db_done(st);
	return rc;
}

static int read_meta(struct db *d, struct store_snapshot *s)
{
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, "SELECT coalesce(max(seq), 0) FROM audit", "");

	if (st != NULL)
		s->seq = sqlite3_column_int64(st, 0);
	db_done(st);
	if (rc != SQLITE_ROW)
		return rc;
	st = db_query(d, &rc, "SELECT value FROM meta WHERE key LIKE 'operator_' ORDER BY key", "");
	while (st != NULL && rc == SQLITE_ROW && s->n_operators < (int)ARRAY_LEN(s->operators)) {
		db_text(st, 0, s->operators[s->n_operators++], NAME_LEN);
		rc = sqlite3_step(st);
	}
	db_done(st);
	s->is_demo = s->n_operators > 0;
	/* Whoever may write the file may do all. */
	s->roles = (1u << STORE_ROLE_COUNT) - 1;
	return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

struct outcome read_snapshot(struct db *d, void **ret)
{
	static int (*const parts[])(struct db *, struct store_snapshot *) = {
	    read_meta, read_rollouts, read_decisions, read_plans, read_smokes, read_deploys, read_executors};
	struct store_snapshot *s = calloc(1, sizeof(*s));
	struct outcome o;
	int rc;

	if (s == NULL)
		return answer_make(OUTCOME_ERRORED, "store", "out of memory");
	rc = db_run(d, "BEGIN", "");
	for (size_t i = 0; i < ARRAY_LEN(parts) && rc == SQLITE_DONE; i++)
		rc = parts[i](d, s);
	s->now_us = db_wall_us();
	if (rc == SQLITE_DONE && !store_snapshot_mark(s))
		rc = SQLITE_NOMEM;
	if (rc != SQLITE_DONE) {
		o = db_failed(d, rc);
		db_rollback(d);
		store_snapshot_free(s);
		return o;
	}
	db_rollback(d);
	*ret = s;
	return outcome_ok();
}

struct outcome read_plan(struct db *d, const char *digest, void **ret)
{
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, "SELECT json FROM plans WHERE digest = ?", "s", digest);

	if (st == NULL)
		return rc == SQLITE_DONE
		           ? answer_make(OUTCOME_FAILED, "store", "there is no plan %.20s", digest)
		           : db_failed(d, rc);
	*ret = strdup((const char *)sqlite3_column_text(st, 0));
	db_done(st);
	return *ret != NULL ? outcome_ok() : answer_make(OUTCOME_ERRORED, "store", "out of memory");
}

/* --- history ---------------------------------------------------------------------------------- */

/* The bytes as they are, for the hash; cut where they do not fit, which then shows as a bad hash. */
static void raw_text(sqlite3_stmt *st, int col, char *dst, size_t cap)
{
	const char *s = (const char *)sqlite3_column_text(st, col);

	str_copy(dst, cap, s != NULL ? s : "");
}

static void audit_from_row(sqlite3_stmt *st, struct audit_row *row,
                           void (*text)(sqlite3_stmt *st, int col, char *dst, size_t cap))
{
	memset(row, 0, sizeof(*row));
	row->seq = sqlite3_column_int64(st, 0);
	row->at_us = sqlite3_column_int64(st, 1);
	text(st, 2, row->actor, sizeof(row->actor));
	text(st, 3, row->host, sizeof(row->host));
	text(st, 4, row->verb, sizeof(row->verb));
	text(st, 5, row->target, sizeof(row->target));
	text(st, 6, row->result, sizeof(row->result));
	text(st, 7, row->text, sizeof(row->text));
	text(st, 8, row->prev, sizeof(row->prev));
	text(st, 9, row->hash, sizeof(row->hash));
}

static struct outcome page_read(struct db *d, sqlite3_stmt *st, int rc,
                                void (*text)(sqlite3_stmt *st, int col, char *dst, size_t cap), void **ret)
{
	struct audit_page *page = calloc(1, sizeof(*page));
	int cap = 0;

	if (page == NULL) {
		db_done(st);
		return answer_make(OUTCOME_ERRORED, "store", "out of memory");
	}
	while (st != NULL && rc == SQLITE_ROW &&
	       list_grow((void **)&page->rows, page->n_rows, &cap, sizeof(*page->rows))) {
		audit_from_row(st, &page->rows[page->n_rows++], text);
		rc = sqlite3_step(st);
	}
	db_done(st);
	if (rc != SQLITE_DONE) {
		audit_page_free(page);
		return db_failed(d, rc == SQLITE_ROW ? SQLITE_NOMEM : rc);
	}
	*ret = page;
	return outcome_ok();
}

struct outcome read_history(struct db *d, int64_t before_seq, int limit, void **ret)
{
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, "SELECT * FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?",
	                            "ii", before_seq > 0 ? before_seq : INT64_MAX,
	                            (int64_t)CLAMP(limit, 1, HISTORY_MAX));

	return page_read(d, st, rc, db_text, ret);
}

struct outcome read_audit_after(struct db *d, int64_t after_seq, int limit, void **ret)
{
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, "SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", "ii",
	                            after_seq, (int64_t)CLAMP(limit, 1, AUDIT_PAGE_MAX));

	return page_read(d, st, rc, raw_text, ret);
}

/* The head that was written beside the chain: "seq hash", or nothing. */
static void head_read(struct db *d, int64_t *ret_seq, char ret_hash[DIGEST_LEN])
{
	char head[DIGEST_LEN + 32] = "", *hash = head;
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, "SELECT value FROM meta WHERE key = 'audit_head'", "");

	if (st != NULL)
		raw_text(st, 0, head, sizeof(head));
	db_done(st);
	*ret_seq = strtoll(head, &hash, 10);
	str_copy(ret_hash, DIGEST_LEN, hash[0] == ' ' ? hash + 1 : hash);
}

struct outcome read_verify(struct db *d, struct audit_follower *f)
{
	char head[DIGEST_LEN];
	int64_t head_seq;
	int rc;
	sqlite3_stmt *st;

	rc = db_run(d, "BEGIN", "");
	if (rc != SQLITE_DONE)
		return db_failed(d, rc);
	st = db_query(d, &rc, "SELECT * FROM audit ORDER BY seq", "");
	while (st != NULL && rc == SQLITE_ROW) {
		struct audit_row row;

		audit_from_row(st, &row, raw_text);
		if (!audit_follow(f, &row))
			break;
		rc = sqlite3_step(st);
	}
	db_done(st);
	head_read(d, &head_seq, head);
	audit_follow_end(f, head_seq, head);
	db_rollback(d);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? outcome_ok() : db_failed(d, rc);
}
