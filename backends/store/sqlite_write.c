/* What is written into the store: plans, rollouts, leases, the journal, decisions, results. */
#include "backends/answer.h"
#include "backends/store/common.h"
#include "backends/store/sqlite_job.h"
#include "core/smoke.h"
#include "core/text.h"
#include "io/proc.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char source[] = "store";
static const char executor[] = "executor";

static struct outcome epoch_check(struct db *d, const char *key, int64_t epoch, struct lease *ret);

struct outcome done_or(struct db *d, int rc)
{
	return rc == SQLITE_DONE || rc == SQLITE_OK || rc == SQLITE_ROW ? outcome_ok() : db_failed(d, rc);
}

int audit_write(struct db *d, const char *actor, const char *verb, const char *target, const char *result,
                const char *text)
{
	struct audit_row row = audit_make(d, actor, verb, target, result, text);

	return db_audit(d, &row);
}

/* --- plans and rollouts ----------------------------------------------------------------------- */

static struct outcome plan_put_work(struct db *d, struct job *j)
{
	const struct plan_row *p = &j->plan;
	char target[NAME_LEN * 2 + 2], text[TEXT_LEN];
	struct arena a;
	struct str s;
	struct jv *o;
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, "SELECT 1 FROM plans WHERE digest = ?", "s", p->digest);

	db_done(st);
	/* Asked for again: it is listed again, what was stored stays as it is. */
	if (st != NULL)
		return done_or(d, db_run(d, "UPDATE plans SET at_us = ? WHERE digest = ?", "is", db_wall_us(),
		                         p->digest));
	if (rc != SQLITE_DONE)
		return db_failed(d, rc);
	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&s, JSON_BYTES_MAX);
	o = jv_obj(&a);
	jv_set(&a, o, "from", release_to_jv(&a, &p->from));
	jv_set(&a, o, "to", release_to_jv(&a, &p->to));
	jv_print(o, JV_COMPACT, &s);
	if (arena_failed(&a) || s.failed)
		rc = SQLITE_NOMEM;
	else
		rc = db_run(d, "INSERT INTO plans VALUES(?,?,?,?,?,?,?,?,?,?)", "ssssssiiss", p->digest,
		            p->service, p->env, plan_kind_name(p->kind), p->requester, p->reason,
		            (int64_t)p->approvals_needed, db_wall_us(), str_text(&s), j->json);
	str_release(&s);
	arena_release(&a);
	if (rc != SQLITE_DONE)
		return db_failed(d, rc);
	snprintf(target, sizeof(target), "%s/%s", p->service, p->env);
	snprintf(text, sizeof(text), "%s %s to %s, plan %.19s%s%.200s", plan_kind_name(p->kind),
	         p->from.tag[0] != '\0' ? p->from.tag : "nothing",
	         p->to.tag[0] != '\0' ? p->to.tag : p->to.digest, p->digest, p->reason[0] != '\0' ? ": " : "",
	         p->reason);
	return done_or(d, audit_write(d, j->actor, "plan", target, "", text));
}

void sqlite_plan_put(void *priv, const struct plan *p, const char *actor, struct op *op)
{
	struct job *j = job_new(priv, op, true, plan_put_work);
	struct arena a;
	struct str s;

	if (j == NULL)
		return;
	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&s, JSON_BYTES_MAX);
	jv_print(plan_to_jv(&a, p), JV_COMPACT, &s);
	j->json = arena_failed(&a) ? NULL : str_take(&s);
	str_release(&s);
	arena_release(&a);
	if (j->json == NULL) {
		answer_nomem(op, source);
		job_free(j);
		return;
	}
	str_copy(j->actor, sizeof(j->actor), actor);
	str_copy(j->plan.digest, sizeof(j->plan.digest), p->digest);
	str_copy(j->plan.service, sizeof(j->plan.service), p->service);
	str_copy(j->plan.env, sizeof(j->plan.env), p->env);
	str_copy(j->plan.requester, sizeof(j->plan.requester), actor);
	str_copy(j->plan.reason, sizeof(j->plan.reason), p->reason);
	j->plan.kind = p->kind;
	j->plan.from = p->from;
	j->plan.to = p->to;
	j->plan.approvals_needed = plan_approvals(p);
	job_start(j);
}

static struct outcome plan_get_work(struct db *d, struct job *j) { return read_plan(d, j->key, &j->result); }

void sqlite_plan_get(void *priv, const char *digest, struct op *op)
{
	struct job *j = job_new(priv, op, false, plan_get_work);

	if (j == NULL)
		return;
	str_copy(j->key, sizeof(j->key), digest);
	job_start(j);
}

char *rollout_text(const struct rollout *r)
{
	struct arena a;
	struct str s;
	char *json;

	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&s, JSON_BYTES_MAX);
	jv_print(rollout_to_jv(&a, r), JV_COMPACT, &s);
	json = arena_failed(&a) ? NULL : str_take(&s);
	str_release(&s);
	arena_release(&a);
	return json;
}

/* A member begins only for a set that lives, by whoever drives that one now. */
static struct outcome parent_check(struct db *d, const struct rollout *r)
{
	static const char sql[] = "SELECT p.service || '/' || p.env FROM rollouts p"
	                          " WHERE p.id = ? AND p.live = 1 AND json_extract(p.json, '$.kind') = 'set'";
	char key[NAME_LEN * 2 + 2];
	struct lease l;
	struct outcome o;
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, sql, "s", r->parent);

	if (st == NULL)
		return rc == SQLITE_DONE ? answer_make(OUTCOME_FAILED, source,
		                                       "the set's rollout %s does not live", r->parent)
		                         : db_failed(d, rc);
	db_text(st, 0, key, sizeof(key));
	db_done(st);
	o = epoch_check(d, key, r->epoch, &l);
	if (o.kind == OUTCOME_OK && strcmp(l.rollout, r->parent) != 0)
		o = answer_make(OUTCOME_FAILED, source, "stale epoch: %s is held for rollout %s", key,
		                l.rollout);
	return o;
}

static struct outcome create_work(struct db *d, struct job *j)
{
	const struct rollout *r = j->rollout;
	char target[NAME_LEN * 2 + 2], text[TEXT_LEN], id[ID_LEN];
	bool queued = r->state == ROLLOUT_QUEUED;
	int rc;
	sqlite3_stmt *st = db_query(d, &rc,
	                            "SELECT id FROM rollouts WHERE service = ? AND env = ? AND live = 1"
	                            " AND (? = 0 OR plan = ?) ORDER BY created_us LIMIT 1",
	                            "ssis", r->service, r->env, (int64_t)queued, r->plan);

	if (st != NULL) {
		struct outcome o;

		db_text(st, 0, id, sizeof(id));
		db_done(st);
		o = answer_make(OUTCOME_FAILED, source, "rollout %s of %s in %s is %s", id, r->service,
		                r->env, queued ? "of this same plan" : "running");
		answer_hint(&o, "watch it: towpath rollout %s --follow", id);
		return o;
	}
	if (rc != SQLITE_DONE)
		return db_failed(d, rc);
	if (r->parent[0] != '\0') {
		struct outcome o = parent_check(d, r);

		if (o.kind != OUTCOME_OK)
			return o;
	}
	rc = db_run(d, "INSERT INTO rollouts VALUES(?,?,?,?,1,?,0,?,?,?)", "ssssisis", r->id, r->service,
	            r->env, r->plan, r->created_us, j->json, (int64_t)queued, r->parent);
	if (rc != SQLITE_DONE)
		return db_failed(d, rc);
	snprintf(target, sizeof(target), "%s/%s", r->service, r->env);
	snprintf(text, sizeof(text), "rollout %s of plan %.19s: %s to %s%s%.150s", r->id, r->plan,
	         r->from.tag[0] != '\0' ? r->from.tag : "nothing",
	         r->to.tag[0] != '\0' ? r->to.tag : r->to.digest, r->reason[0] != '\0' ? ": " : "",
	         r->reason);
	rc = audit_write(d, j->actor, plan_kind_name(r->kind), target, "", text);
	return rc == SQLITE_OK && queued ? queue_supersede(d, r, j->actor) : done_or(d, rc);
}

/* A job with a copy of a rollout and its text; NULL when the op was answered already. */
static struct job *rollout_job(void *priv, const struct rollout *r, struct op *op,
                               struct outcome (*work)(struct db *, struct job *))
{
	struct job *j = job_new(priv, op, true, work);

	if (j == NULL)
		return NULL;
	j->rollout = malloc(sizeof(*j->rollout));
	j->json = rollout_text(r);
	if (j->rollout == NULL || j->json == NULL) {
		answer_nomem(op, source);
		job_free(j);
		return NULL;
	}
	*j->rollout = *r;
	snprintf(j->key, sizeof(j->key), "%s/%s", r->service, r->env);
	return j;
}

void sqlite_rollout_create(void *priv, const struct rollout *r, const char *actor, struct op *op)
{
	struct job *j = rollout_job(priv, r, op, create_work);

	if (j == NULL)
		return;
	str_copy(j->actor, sizeof(j->actor), actor);
	job_start(j);
}

/* The schedule whose number the rollout has for its name: it stands, and it is its time. */
static struct outcome schedule_work(struct db *d, struct job *j)
{
	static const char sql[] =
	    "SELECT s.actor, s.until_us, (SELECT max(u.seq) FROM decisions u WHERE u.kind = 'unschedule'"
	    " AND u.service = s.service AND u.env = s.env AND u.seq > s.seq) FROM decisions s"
	    " WHERE s.seq = ? AND s.kind = 'schedule' AND s.plan = ? AND s.service = ? AND s.env = ?";
	struct rollout *r = j->rollout;
	int64_t until_us, now = db_wall_us();
	bool taken_back;
	int rc;
	sqlite3_stmt *st =
	    db_query(d, &rc, sql, "isss", r->id[0] == 's' ? (int64_t)strtoll(r->id + 1, NULL, 10) : -1,
	             r->plan, r->service, r->env);

	if (st == NULL && rc != SQLITE_DONE)
		return db_failed(d, rc);
	if (st == NULL)
		return answer_make(OUTCOME_FAILED, source, "rollout %s was not scheduled by anybody", r->id);
	db_text(st, 0, r->requester, sizeof(r->requester));
	until_us = sqlite3_column_int64(st, 1);
	taken_back = sqlite3_column_type(st, 2) != SQLITE_NULL;
	db_done(st);
	if (taken_back)
		return answer_make(OUTCOME_FAILED, source, "the schedule of %s in %s was taken back",
		                   r->service, r->env);
	if (now < until_us || now > until_us + SCHEDULE_LATE_US)
		return answer_make(OUTCOME_FAILED, source, "rollout %s %s", r->id,
		                   now < until_us ? "begins later" : "should have begun long ago");
	st = db_query(d, &rc, "SELECT 1 FROM rollouts WHERE id = ?", "s", r->id);
	db_done(st);
	if (st != NULL)
		return answer_make(OUTCOME_FAILED, source, "rollout %s has begun already", r->id);
	if (rc != SQLITE_DONE)
		return db_failed(d, rc);
	free(j->json);
	j->json = rollout_text(r);
	if (j->json == NULL)
		return answer_make(OUTCOME_ERRORED, source, "out of memory");
	return create_work(d, j);
}

void sqlite_rollout_scheduled(void *priv, const struct rollout *r, const char *actor, struct op *op)
{
	struct job *j = rollout_job(priv, r, op, schedule_work);

	if (j == NULL)
		return;
	str_copy(j->actor, sizeof(j->actor), actor);
	job_start(j);
}

static struct outcome rollout_get_work(struct db *d, struct job *j)
{
	return read_rollout(d, j->key, &j->result);
}

void sqlite_rollout_get(void *priv, const char *id, struct op *op)
{
	struct job *j = job_new(priv, op, false, rollout_get_work);

	if (j == NULL)
		return;
	str_copy(j->key, sizeof(j->key), id);
	job_start(j);
}

/* --- leases ----------------------------------------------------------------------------------- */

static struct outcome lease_answer(struct job *j, const struct lease *l)
{
	struct lease *copy = malloc(sizeof(*copy));
	int64_t shift = db_wall_us() - db_lease_clock_us();

	if (copy == NULL)
		return answer_make(OUTCOME_ERRORED, source, "out of memory");
	*copy = *l;
	/* People and other hosts read wall time. */
	copy->until_us += shift;
	copy->now_us += shift;
	j->result = copy;
	return outcome_ok();
}

static struct outcome claim_work(struct db *d, struct job *j)
{
	const struct lease *want = &j->lease;
	struct lease l;
	char boot[64], text[TEXT_LEN], behind[ID_LEN] = "";
	bool found, mine;
	int rc = lease_read(d, want->key, &l, &found);

	if (rc == SQLITE_OK)
		rc = queue_behind(d, want->rollout, behind);
	if (rc != SQLITE_OK)
		return db_failed(d, rc);
	if (behind[0] != '\0')
		return answer_make(OUTCOME_FAILED, source, "rollout %s is queued behind %s", want->rollout,
		                   behind);
	proc_boot_id(boot);
	mine = found && l.pid == want->pid && l.pid_start == want->pid_start &&
	       strcmp(l.holder, want->holder) == 0 && strcmp(l.boot_id, boot) == 0;
	if (found && !mine && lease_is_held(d, &l) && !(j->force && lease_holder_gone(&l, d->host))) {
		struct outcome o = answer_make(OUTCOME_FAILED, source, "%s is held by %s for rollout %s",
		                               l.key, l.holder, l.rollout);

		answer_hint(&o, "it expires in %lld s unless it is renewed",
		            (long long)((l.until_us - l.now_us + US_PER_S - 1) / US_PER_S));
		return o;
	}
	snprintf(text, sizeof(text), "epoch %lld to %s%s%s", (long long)l.epoch + 1, want->holder,
	         l.holder[0] != '\0' && !mine ? ", taken over from " : "",
	         l.holder[0] != '\0' && !mine ? l.holder : "");
	l.epoch++;
	str_copy(l.holder, sizeof(l.holder), want->holder);
	str_copy(l.boot_id, sizeof(l.boot_id), boot);
	str_copy(l.rollout, sizeof(l.rollout), want->rollout);
	l.pid = want->pid;
	l.pid_start = want->pid_start;
	l.now_us = db_lease_clock_us();
	l.until_us = l.now_us + d->times.ttl_us;
	rc = db_run(d, "INSERT OR REPLACE INTO leases VALUES(?,?,?,?,?,?,?,?)", "sssiiiis", l.key, l.holder,
	            l.boot_id, l.pid, l.pid_start, l.epoch, l.until_us, l.rollout);
	if (rc == SQLITE_DONE)
		rc = audit_write(d, executor, "lease", l.key, "", text);
	if (rc != SQLITE_OK)
		return db_failed(d, rc);
	return lease_answer(j, &l);
}

void sqlite_lease_claim(void *priv, const struct lease *want, bool force, struct op *op)
{
	struct job *j = job_new(priv, op, true, claim_work);

	if (j == NULL)
		return;
	j->lease = *want;
	j->force = force;
	job_start(j);
}

/* Refuses a writer whose lease somebody else got, or that let it go. */
static struct outcome epoch_check(struct db *d, const char *key, int64_t epoch, struct lease *ret)
{
	bool found;
	int rc = lease_read(d, key, ret, &found);

	if (rc != SQLITE_OK)
		return db_failed(d, rc);
	if (!found || ret->epoch != epoch || ret->holder[0] == '\0')
		return answer_make(OUTCOME_FAILED, source, "stale epoch %lld of %s: %s holds epoch %lld",
		                   (long long)epoch, key, ret->holder[0] != '\0' ? ret->holder : "nobody",
		                   (long long)ret->epoch);
	return outcome_ok();
}

static struct outcome renew_work(struct db *d, struct job *j)
{
	struct lease l;
	struct outcome o = epoch_check(d, j->key, j->epoch, &l);
	int rc;

	if (o.kind != OUTCOME_OK)
		return o;
	l.now_us = db_lease_clock_us();
	l.until_us = l.now_us + d->times.ttl_us;
	rc = db_run(d, "UPDATE leases SET until_us = ? WHERE key = ? AND epoch = ?", "isi", l.until_us, l.key,
	            l.epoch);
	return rc == SQLITE_DONE ? lease_answer(j, &l) : db_failed(d, rc);
}

static struct outcome release_work(struct db *d, struct job *j)
{
	struct lease l;
	struct outcome o = epoch_check(d, j->key, j->epoch, &l);
	int rc;

	if (o.kind != OUTCOME_OK)
		return o;
	/* The row stays, so that the epoch only ever grows. */
	rc = db_run(d, "UPDATE leases SET holder = '', until_us = 0, pid = 0 WHERE key = ?", "s", l.key);
	if (rc == SQLITE_DONE)
		rc = audit_write(d, executor, "release", l.key, "", l.holder);
	return done_or(d, rc);
}

static void lease_start(void *priv, const char *key, int64_t epoch, struct op *op,
                        struct outcome (*work)(struct db *, struct job *))
{
	struct job *j = job_new(priv, op, true, work);

	if (j == NULL)
		return;
	str_copy(j->key, sizeof(j->key), key);
	j->epoch = epoch;
	job_start(j);
}

void sqlite_lease_renew(void *priv, const char *key, int64_t epoch, struct op *op)
{
	lease_start(priv, key, epoch, op, renew_work);
}

void sqlite_lease_release(void *priv, const char *key, int64_t epoch, struct op *op)
{
	lease_start(priv, key, epoch, op, release_work);
}

/* --- the journal ------------------------------------------------------------------------------ */

static int rollout_row_write(struct db *d, struct job *j)
{
	return db_run(d, "UPDATE rollouts SET live = ?, queued = ?, epoch = ?, json = ? WHERE id = ?",
	              "iiiss", (int64_t)rollout_is_live(j->rollout),
	              (int64_t)(j->rollout->state == ROLLOUT_QUEUED), j->epoch, j->json, j->rollout->id);
}

static struct outcome journal_work(struct db *d, struct job *j, const char *entry, const char *outcome,
                                   const char *said)
{
	const struct rollout *r = j->rollout;
	const struct step *s = &r->steps[j->step];
	char key[NAME_LEN * 3], text[TEXT_LEN];
	struct lease l;
	struct outcome o = epoch_check(d, j->key, j->epoch, &l);
	int rc;

	if (o.kind != OUTCOME_OK)
		return o;
	snprintf(key, sizeof(key), "%s/%s/%s", r->id, step_kind_name(s->kind), s->target);
	snprintf(text, sizeof(text), "%s%s%s, attempt %d%s%.250s", step_kind_name(s->kind),
	         s->target[0] != '\0' ? " " : "", s->target, r->runs[j->step].attempt,
	         said[0] != '\0' ? ": " : "", said);
	rc =
	    db_run(d,
	           "INSERT INTO steps(rollout, step, attempt, entry, at_us, epoch, key, child, outcome, text)"
	           " VALUES(?,?,?,?,?,?,?,?,?,?)",
	           "siisiissss", r->id, (int64_t)j->step, (int64_t)r->runs[j->step].attempt, entry,
	           db_wall_us(), j->epoch, key, j->child, outcome, said);
	if (rc == SQLITE_DONE)
		rc = rollout_row_write(d, j);
	if (rc == SQLITE_DONE)
		rc = audit_write(d, executor, entry, r->id, outcome, text);
	return done_or(d, rc);
}

/* What somebody decided since the executor looked: then this effect must not begin. */
static struct outcome stopped_first(struct db *d, struct job *j)
{
	static const char sql[] =
	    "SELECT kind, actor FROM decisions WHERE seq > ?1 AND ((rollout IN (?2, ?4) AND kind IN ('hold', "
	    "'abort'))"
	    " OR (plan IN (?3, (SELECT plan FROM rollouts WHERE id = ?4)) AND kind IN ('reject', 'withdraw'))"
	    " OR kind = 'stop') ORDER BY seq LIMIT 1";
	/* What goes back with its set goes back whatever is said of the set. */
	const char *parent = j->rollout->way_back || j->rollout->parent[0] == '\0' ? "-" : j->rollout->parent;
	char kind[NAME_LEN], actor[NAME_LEN];
	int rc;
	sqlite3_stmt *st =
	    db_query(d, &rc, sql, "isss", j->rollout->seen_seq, j->rollout->id, j->rollout->plan, parent);

	if (st == NULL)
		return done_or(d, rc);
	db_text(st, 0, kind, sizeof(kind));
	db_text(st, 1, actor, sizeof(actor));
	db_done(st);
	return answer_make(OUTCOME_CANCELLED, source, "%s said %s before it began", actor, kind);
}

static struct outcome intent_work(struct db *d, struct job *j)
{
	struct outcome o = outcome_ok();

	/* With a child it has begun already: only who it is comes to be known. */
	if (j->child[0] == '\0')
		o = stopped_first(d, j);
	return o.kind == OUTCOME_OK ? journal_work(d, j, "intent", "", j->child) : o;
}

static struct outcome result_work(struct db *d, struct job *j)
{
	return journal_work(d, j, "result", outcome_name(j->result_of.kind), j->result_of.text);
}

void sqlite_step_intent(void *priv, const struct rollout *r, int step, const char *child, int64_t epoch,
                        struct op *op)
{
	struct job *j = rollout_job(priv, r, op, intent_work);

	if (j == NULL)
		return;
	j->step = CLAMP(step, 0, STEPS_MAX - 1);
	j->epoch = epoch;
	str_copy(j->child, sizeof(j->child), child != NULL ? child : "");
	job_start(j);
}

void sqlite_step_result(void *priv, const struct rollout *r, int step, const struct outcome *o, int64_t epoch,
                        struct op *op)
{
	struct job *j = rollout_job(priv, r, op, result_work);

	if (j == NULL)
		return;
	j->step = CLAMP(step, 0, STEPS_MAX - 1);
	j->epoch = epoch;
	j->result_of = *o;
	job_start(j);
}

static struct outcome write_work(struct db *d, struct job *j)
{
	const struct rollout *r = j->rollout;
	const char *result = rollout_is_live(r) ? "" : outcome_name(r->outcome);
	struct lease l;
	struct outcome o = epoch_check(d, j->key, j->epoch, &l);
	int rc;

	if (o.kind != OUTCOME_OK)
		return o;
	rc = rollout_row_write(d, j);
	if (rc == SQLITE_DONE)
		rc = audit_write(d, executor, rollout_state_name(r->state), r->id, result, r->text);
	return done_or(d, rc);
}

void sqlite_rollout_write(void *priv, const struct rollout *r, int64_t epoch, struct op *op)
{
	struct job *j = rollout_job(priv, r, op, write_work);

	if (j == NULL)
		return;
	j->epoch = epoch;
	job_start(j);
}

static struct outcome deploy_work(struct db *d, struct job *j)
{
	const struct deploy_row *x = &j->deploy;
	int64_t now = db_wall_us(), since = x->since_us > 0 ? x->since_us : now, seq = 0;
	char digest[DIGEST_LEN] = "", target[NAME_LEN * 2 + 2], text[TEXT_LEN];
	bool good = false, open = false;
	int rc;
	sqlite3_stmt *st =
	    db_query(d, &rc,
	             "SELECT seq, digest, good, until_us FROM deploys WHERE service = ? AND env = ?"
	             " ORDER BY seq DESC LIMIT 1",
	             "ss", x->service, x->env);

	if (st != NULL) {
		seq = sqlite3_column_int64(st, 0);
		db_text(st, 1, digest, sizeof(digest));
		good = sqlite3_column_int(st, 2) != 0;
		open = sqlite3_column_int64(st, 3) == 0;
		db_done(st);
	} else if (rc != SQLITE_DONE) {
		return db_failed(d, rc);
	}
	snprintf(target, sizeof(target), "%s/%s", x->service, x->env);
	snprintf(text, sizeof(text), "%s %.19s%s", x->release.tag, x->release.digest,
	         x->good ? ", verified" : "");
	if (open && strcmp(digest, x->release.digest) == 0) {
		if (good || !x->good)
			return outcome_ok();
		rc = db_run(d, "UPDATE deploys SET good = 1, actor = ?, rollout = ? WHERE seq = ?", "ssi",
		            x->by, x->rollout, seq);
		return rc != SQLITE_DONE ? db_failed(d, rc)
		                         : done_or(d, audit_write(d, x->by, "runs", target, "ok", text));
	}
	rc = db_run(d, "UPDATE deploys SET until_us = ? WHERE seq = ? AND until_us = 0", "ii",
	            MAX(since, (int64_t)1), seq);
	if (rc == SQLITE_DONE)
		rc = db_run(d,
		            "INSERT INTO deploys(service, env, digest, revision, tag, built_us, since_us, "
		            "until_us, good, actor,"
		            " rollout) VALUES(?,?,?,?,?,?,?,0,?,?,?)",
		            "sssssiiiss", x->service, x->env, x->release.digest, x->release.revision,
		            x->release.tag, x->release.built_us, since, (int64_t)x->good, x->by, x->rollout);
	return rc != SQLITE_DONE
	           ? db_failed(d, rc)
	           : done_or(d, audit_write(d, x->by, "runs", target, x->good ? "ok" : "", text));
}

void sqlite_deploy_note(void *priv, const struct deploy_row *row, struct op *op)
{
	struct job *j = job_new(priv, op, true, deploy_work);

	if (j == NULL)
		return;
	j->deploy = *row;
	job_start(j);
}

/* --- decisions and smoke results -------------------------------------------------------------- */

static char *decision_text(const struct decision *d)
{
	struct arena a;
	struct str s;
	char *json;

	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&s, JSON_BYTES_MAX);
	jv_print(decision_to_jv(&a, d), JV_COMPACT, &s);
	json = arena_failed(&a) ? NULL : str_take(&s);
	str_release(&s);
	arena_release(&a);
	return json;
}

static struct outcome decide_work(struct db *d, struct job *j)
{
	struct decision *x = &j->decision;
	char place[NAME_LEN * 2 + 2], text[TEXT_LEN];
	const char *target;
	struct audit_row row;
	struct decision *copy;
	int rc;

	if (x->nonce[0] != '\0') {
		sqlite3_stmt *st = db_query(d, &rc,
		                            "SELECT 1 FROM decisions WHERE plan = ? AND json <> '' AND"
		                            " json_extract(json, '$.nonce') = ?",
		                            "ss", x->plan, x->nonce);

		db_done(st);
		if (st != NULL)
			return answer_make(OUTCOME_FAILED, source,
			                   "this signature was given before: sign anew");
		if (rc != SQLITE_DONE)
			return db_failed(d, rc);
	}
	snprintf(place, sizeof(place), "%s%s%s", x->service, x->service[0] != '\0' ? "/" : "", x->env);
	target = x->rollout[0] != '\0' ? x->rollout : x->plan[0] != '\0' ? x->plan : place;
	snprintf(text, sizeof(text), "%.200s%s%.80s", x->reason, x->release[0] != '\0' ? " " : "",
	         x->release);
	decision_remark(x, text + strlen(text), sizeof(text) - strlen(text));
	row = audit_make(d, x->actor, decision_kind_name(x->kind), target, "", text);
	if (x->host[0] != '\0')
		text_cleanz(row.host, sizeof(row.host), x->host);
	rc = db_audit(d, &row);
	if (rc != SQLITE_OK)
		return db_failed(d, rc);
	x->seq = row.seq;
	x->at_us = row.at_us;
	str_copy(x->actor, sizeof(x->actor), row.actor);
	str_copy(x->host, sizeof(x->host), row.host);
	j->json = decision_text(x);
	if (j->json == NULL)
		return answer_make(OUTCOME_ERRORED, source, "out of memory");
	rc = db_run(d, "INSERT INTO decisions VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)", "isssissssssis", x->seq,
	            decision_kind_name(x->kind), row.actor, row.host, x->at_us, x->plan, x->rollout,
	            x->service, x->env, x->reason, x->release, x->until_us, j->json);
	if (rc != SQLITE_DONE)
		return db_failed(d, rc);
	if (x->kind == DECISION_ABORT && x->rollout[0] != '\0') {
		struct outcome o;

		/* Nobody need drive what has not begun. */
		snprintf(text, sizeof(text), "aborted before it began: %s%s%.250s", x->actor,
		         x->reason[0] != '\0' ? ": " : "", x->reason);
		o = queue_leave(d, x->rollout, x->actor, "ended", text);
		if (o.kind == OUTCOME_ERRORED)
			return o;
	}
	copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return answer_make(OUTCOME_ERRORED, source, "out of memory");
	*copy = *x;
	copy->signature = NULL;
	j->result = copy;
	return outcome_ok();
}

void sqlite_decide(void *priv, const struct decision *x, struct op *op)
{
	struct job *j = job_new(priv, op, true, decide_work);

	if (j == NULL)
		return;
	j->decision = *x;
	j->decision.signature = x->signature != NULL ? strdup(x->signature) : NULL;
	if (x->signature != NULL && j->decision.signature == NULL) {
		answer_nomem(op, source);
		job_free(j);
		return;
	}
	job_start(j);
}

static struct outcome smoke_work(struct db *d, struct job *j)
{
	const struct smoke_result *r = j->smoke;
	char target[NAME_LEN * 2 + 2], text[TEXT_LEN];
	struct arena a;
	struct str s;
	int passed = 0, rc;

	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&s, JSON_BYTES_MAX);
	jv_print(smoke_to_jv(&a, r), JV_COMPACT, &s);
	rc = arena_failed(&a) || s.failed
	         ? SQLITE_NOMEM
	         : db_run(
	               d,
	               "INSERT INTO smokes(suite, service, env, digest, ended_us, json) VALUES(?,?,?,?,?,?)",
	               "ssssis", r->suite, r->service, r->env, r->release.digest, r->ended_us, str_text(&s));
	str_release(&s);
	arena_release(&a);
	if (rc != SQLITE_DONE)
		return db_failed(d, rc);
	for (int i = 0; i < r->n_steps; i++)
		passed += r->steps[i].state == SMOKE_PASSED;
	snprintf(target, sizeof(target), "%s/%s", r->service, r->env);
	snprintf(text, sizeof(text), "%s %d/%d on %s", r->suite, passed, r->n_steps,
	         r->release.tag[0] != '\0' ? r->release.tag : r->release.digest);
	return done_or(d, audit_write(d, r->actor, "smoke", target, smoke_state_name(r->state), text));
}

void sqlite_smoke_put(void *priv, const struct smoke_result *r, struct op *op)
{
	struct job *j = job_new(priv, op, true, smoke_work);

	if (j == NULL)
		return;
	j->smoke = smoke_result_copy(r);
	if (j->smoke == NULL) {
		answer_nomem(op, source);
		job_free(j);
		return;
	}
	job_start(j);
}
