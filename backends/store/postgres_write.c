/*
 * What is written into the PostgreSQL store. Actors are never sent: the server knows who is connected. What is sent
 * as "me" is whom this side believes to be, so that a pool that makes everybody one user is refused.
 */
#include "backends/answer.h"
#include "backends/store/postgres_db.h"
#include "core/smoke.h"
#include "core/text.h"
#include "io/fault.h"
#include "io/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char source[] = "store";

/* The parameters that every write begins with: key, me, schema, host. */
#define BEGIN_WRITE(j) (j)->id, pg_session_me, (j)->s->known, (j)->s->host

static void nothing(struct pg_job *j) { UNUSED(j); }

static struct pg_job *write_new(void *priv, struct op *op, enum pg_statement statement,
                                void (*finish)(struct pg_job *j))
{
	struct pg_job *j = pg_job_new(priv, op, statement, finish);

	if (j != NULL)
		pg_job_key(j);
	return j;
}

static const char *number(int64_t n, char dst[24])
{
	snprintf(dst, 24, "%lld", (long long)n);
	return dst;
}

/* The answer as JSON in an arena of the caller; false with j->outcome set. */
static bool answer_parse(struct pg_job *j, struct arena *a, struct jv **ret)
{
	const char *body = j->rows.cell(&j->rows, 0, 0);

	arena_init(a, ARENA_DEFAULT_MAX);
	if (body != NULL && jv_parse(a, body, strlen(body), ret, NULL) == 0)
		return true;
	/* It was saved, but what it says is lost. */
	j->outcome = answer_make(OUTCOME_UNKNOWN, source, "the store's answer cannot be read");
	return false;
}

/* --- plans and rollouts --------------------------------------------------------------------------- */

void postgres_plan_put(void *priv, const struct plan *p, const char *actor, struct op *op)
{
	struct pg_job *j = write_new(priv, op, PG_PLAN_PUT, nothing);
	struct arena a;
	char approvals[24];

	UNUSED(actor);
	if (j == NULL)
		return;
	arena_init(&a, ARENA_DEFAULT_MAX);
	if (!pg_job_json(j, plan_to_jv(&a, p), &a))
		return;
	number(plan_approvals(p), approvals);
	pg_job_ask(j, (const char *[]){BEGIN_WRITE(j), str_text(&j->json), approvals}, 6);
}

/* A job with a rollout's JSON. */
static struct pg_job *rollout_job(void *priv, const struct rollout *r, struct op *op,
                                  enum pg_statement statement, void (*finish)(struct pg_job *j))
{
	struct pg_job *j = write_new(priv, op, statement, finish);
	struct arena a;

	if (j == NULL)
		return NULL;
	arena_init(&a, ARENA_DEFAULT_MAX);
	if (!pg_job_json(j, rollout_to_jv(&a, r), &a))
		return NULL;
	snprintf(j->key, sizeof(j->key), "%s/%s", r->service, r->env);
	return j;
}

void postgres_rollout_create(void *priv, const struct rollout *r, const char *actor, struct op *op)
{
	struct pg_job *j = rollout_job(priv, r, op, PG_ROLLOUT_CREATE, nothing);

	UNUSED(actor);
	if (j != NULL)
		pg_job_ask(j, (const char *[]){BEGIN_WRITE(j), str_text(&j->json)}, 5);
}

void postgres_rollout_scheduled(void *priv, const struct rollout *r, const char *actor, struct op *op)
{
	struct pg_job *j = rollout_job(priv, r, op, PG_ROLLOUT_SCHEDULED, nothing);

	UNUSED(actor);
	if (j != NULL)
		pg_job_ask(j, (const char *[]){BEGIN_WRITE(j), str_text(&j->json)}, 5);
}

/* --- leases ----------------------------------------------------------------------------------------- */

/* The token of a lease that this process holds; "" where it got none: then the epoch alone is checked. */
static const char *token_of(const struct pgstore *s, const char *key, int64_t epoch)
{
	for (int i = 0; i < PG_GRANTS_MAX; i++)
		if (s->grants[i].epoch == epoch && strcmp(s->grants[i].key, key) == 0)
			return s->grants[i].token;
	return "";
}

static void token_keep(struct pgstore *s, const struct lease *l, const char *token)
{
	struct pg_grant *g = NULL;

	for (int i = 0; i < PG_GRANTS_MAX && g == NULL; i++)
		if (strcmp(s->grants[i].key, l->key) == 0)
			g = &s->grants[i];
	if (g == NULL) {
		g = &s->grants[s->next_grant];
		s->next_grant = (s->next_grant + 1) % PG_GRANTS_MAX;
	}
	str_copy(g->key, sizeof(g->key), l->key);
	str_copy(g->token, sizeof(g->token), token);
	g->epoch = l->epoch;
}

static bool lease_answer(struct pg_job *j, struct lease *ret, bool *ret_refused)
{
	struct arena a;
	struct jv *v = NULL;
	bool ok = answer_parse(j, &a, &v);

	if (ok) {
		*ret = (struct lease){.pid = jv_get_num(v, "pid", 0),
		                      .pid_start = jv_get_num(v, "pid_start", 0),
		                      .epoch = jv_get_num(v, "epoch", 0),
		                      .until_us = jv_get_num(v, "until_us", 0),
		                      .now_us = jv_get_num(v, "now_us", 0)};
		text_cleanz(ret->key, sizeof(ret->key), jv_get_text(v, "key", ""));
		text_cleanz(ret->holder, sizeof(ret->holder), jv_get_text(v, "holder", ""));
		text_cleanz(ret->boot_id, sizeof(ret->boot_id), jv_get_text(v, "boot_id", ""));
		text_cleanz(ret->rollout, sizeof(ret->rollout), jv_get_text(v, "rollout", ""));
		*ret_refused = jv_get_true(v, "refused", false);
	}
	arena_release(&a);
	return ok;
}

static void lease_keep(struct pg_job *j, const struct lease *l)
{
	struct lease *copy = malloc(sizeof(*copy));

	if (copy == NULL) {
		j->outcome = answer_make(OUTCOME_UNKNOWN, source, "out of memory");
		return;
	}
	*copy = *l;
	j->result = copy;
}

/* dead: the epoch of a holder that is known to be gone, 0: nobody's. */
static void claim_ask(struct pg_job *j, int64_t dead)
{
	char ttl[24], epoch[24];

	pg_job_key(j);
	pg_job_ask(j,
	           (const char *[]){BEGIN_WRITE(j), str_text(&j->json), number(j->s->times.ttl_us, ttl),
	                            number(dead, epoch)},
	           7);
}

static void claim_finish(struct pg_job *j)
{
	struct lease l;
	bool refused;

	if (!lease_answer(j, &l, &refused))
		return;
	if (!refused) {
		token_keep(j->s, &l, j->id);
		lease_keep(j, &l);
		return;
	}
	j->outcome = answer_make(OUTCOME_FAILED, source, "%s is held by %s for rollout %s", l.key, l.holder,
	                         l.rollout);
	answer_hint(&j->outcome, "it expires in %lld s unless it is renewed",
	            (long long)((l.until_us - l.now_us + US_PER_S - 1) / US_PER_S));
	/* Only this host can know that its process is gone; the server checks that it is still the same grant. */
	if (!j->force || !lease_holder_gone(&l, j->s->host))
		return;
	j->force = false;
	claim_ask(j, l.epoch);
}

void postgres_lease_claim(void *priv, const struct lease *want, bool force, struct op *op)
{
	struct pg_job *j = write_new(priv, op, PG_LEASE_CLAIM, claim_finish);
	struct arena a;
	struct jv *v;
	char boot[64];

	if (j == NULL)
		return;
	proc_boot_id(boot);
	j->force = force;
	arena_init(&a, ARENA_DEFAULT_MAX);
	v = jv_obj(&a);
	jv_set_str(&a, v, "key", want->key);
	jv_set_str(&a, v, "holder", want->holder);
	jv_set_str(&a, v, "boot_id", boot);
	jv_set_int(&a, v, "pid", want->pid);
	jv_set_int(&a, v, "pid_start", want->pid_start);
	jv_set_str(&a, v, "rollout", want->rollout);
	if (pg_job_json(j, v, &a))
		claim_ask(j, 0);
}

static void renew_finish(struct pg_job *j)
{
	struct lease l;
	bool refused;

	if (lease_answer(j, &l, &refused))
		lease_keep(j, &l);
}

void postgres_lease_renew(void *priv, const char *key, int64_t epoch, struct op *op)
{
	struct pg_job *j = write_new(priv, op, PG_LEASE_RENEW, renew_finish);
	char n[24], ttl[24];

	if (j == NULL)
		return;
	pg_job_ask(j,
	           (const char *[]){pg_session_me, j->s->known, key, number(epoch, n),
	                            token_of(j->s, key, epoch), number(j->s->times.ttl_us, ttl)},
	           6);
}

void postgres_lease_release(void *priv, const char *key, int64_t epoch, struct op *op)
{
	struct pg_job *j = write_new(priv, op, PG_LEASE_RELEASE, nothing);
	char n[24];

	if (j == NULL)
		return;
	pg_job_ask(j, (const char *[]){BEGIN_WRITE(j), key, number(epoch, n), token_of(j->s, key, epoch)}, 7);
}

/* --- the journal ------------------------------------------------------------------------------------ */

static void journal_finish(struct pg_job *j)
{
	struct arena a;
	struct jv *v = NULL;
	const char *stopped;

	fault_point("store.after_commit");
	if (answer_parse(j, &a, &v) && (stopped = jv_get_text(v, "stopped", NULL)) != NULL)
		j->outcome = answer_make(OUTCOME_CANCELLED, source, "%s said %s before it began",
		                         jv_get_text(v, "by", "somebody"), stopped);
	arena_release(&a);
}

static void journal(void *priv, const struct rollout *r, const char *entry, int step, const char *child,
                    const char *outcome, const char *said, int64_t epoch, struct op *op)
{
	struct pg_job *j = rollout_job(priv, r, op, PG_JOURNAL, journal_finish);
	const struct step *s;
	char n[24], number_of[24], key[NAME_LEN * 3];

	if (j == NULL)
		return;
	if (fault_point("store.before_commit")) {
		pg_job_fail(j, answer_make(OUTCOME_ERRORED, source,
		                           "a failpoint refused the write: nothing was saved"));
		return;
	}
	step = CLAMP(step, 0, STEPS_MAX - 1);
	s = &r->steps[step];
	snprintf(key, sizeof(key), "%s/%s/%s", r->id, step_kind_name(s->kind), s->target);
	pg_job_ask(j,
	           (const char *[]){BEGIN_WRITE(j), number(epoch, n), token_of(j->s, j->key, epoch),
	                            str_text(&j->json), rollout_is_live(r) ? "true" : "false", entry,
	                            number(step, number_of), key, child, outcome, said},
	           14);
}

void postgres_step_intent(void *priv, const struct rollout *r, int step, const char *child, int64_t epoch,
                          struct op *op)
{
	const char *c = child != NULL ? child : "";

	journal(priv, r, "intent", step, c, "", c, epoch, op);
}

void postgres_step_result(void *priv, const struct rollout *r, int step, const struct outcome *o,
                          int64_t epoch, struct op *op)
{
	journal(priv, r, "result", step, "", outcome_name(o->kind), o->text, epoch, op);
}

void postgres_rollout_write(void *priv, const struct rollout *r, int64_t epoch, struct op *op)
{
	journal(priv, r, "state", r->at_step, "", rollout_is_live(r) ? "" : outcome_name(r->outcome), r->text,
	        epoch, op);
}

void postgres_deploy_note(void *priv, const struct deploy_row *row, struct op *op)
{
	struct pg_job *j = write_new(priv, op, PG_DEPLOY_NOTE, nothing);
	struct arena a;
	struct jv *v;

	if (j == NULL)
		return;
	arena_init(&a, ARENA_DEFAULT_MAX);
	v = jv_obj(&a);
	jv_set_str(&a, v, "service", row->service);
	jv_set_str(&a, v, "env", row->env);
	jv_set(&a, v, "release", release_to_jv(&a, &row->release));
	jv_set_int(&a, v, "since_us", row->since_us);
	jv_set_bool(&a, v, "good", row->good);
	jv_set_str(&a, v, "rollout", row->rollout);
	if (pg_job_json(j, v, &a))
		pg_job_ask(j, (const char *[]){BEGIN_WRITE(j), str_text(&j->json)}, 5);
}

/* --- decisions and smoke results ---------------------------------------------------------------------- */

static void decide_finish(struct pg_job *j)
{
	struct decision d = {.seq = 0};
	struct decision *copy;
	struct arena a;
	struct jv *v = NULL;
	struct error e;

	if (answer_parse(j, &a, &v)) {
		if (decision_from_jv(v, &d, &e) != 0)
			j->outcome = answer_error(OUTCOME_UNKNOWN, source, &e);
		else if ((copy = malloc(sizeof(*copy))) == NULL)
			j->outcome = answer_make(OUTCOME_UNKNOWN, source, "out of memory");
		else {
			*copy = d;
			copy->signature = NULL;
			j->result = copy;
		}
		free(d.signature);
	}
	arena_release(&a);
}

void postgres_decide(void *priv, const struct decision *x, struct op *op)
{
	struct pg_job *j = write_new(priv, op, PG_DECIDE, decide_finish);
	struct arena a;

	if (j == NULL)
		return;
	arena_init(&a, ARENA_DEFAULT_MAX);
	if (pg_job_json(j, decision_to_jv(&a, x), &a))
		pg_job_ask(j,
		           (const char *[]){j->id, pg_session_me, j->s->known,
		                            x->host[0] != '\0' ? x->host : j->s->host, str_text(&j->json)},
		           5);
}

void postgres_smoke_put(void *priv, const struct smoke_result *r, struct op *op)
{
	struct pg_job *j = write_new(priv, op, PG_SMOKE_PUT, nothing);
	struct arena a;

	if (j == NULL)
		return;
	arena_init(&a, ARENA_DEFAULT_MAX);
	if (pg_job_json(j, smoke_to_jv(&a, r), &a))
		pg_job_ask(j, (const char *[]){BEGIN_WRITE(j), str_text(&j->json)}, 5);
}

/* --- executors ---------------------------------------------------------------------------------------- */

void postgres_executor_beat(void *priv, const struct executor_row *row, struct op *op)
{
	struct pg_job *j = write_new(priv, op, PG_EXECUTOR_BEAT, nothing);
	struct arena a;
	struct jv *v;

	if (j == NULL)
		return;
	arena_init(&a, ARENA_DEFAULT_MAX);
	v = jv_obj(&a);
	jv_set_str(&a, v, "id", row->id);
	jv_set_str(&a, v, "host", row->host);
	jv_set_str(&a, v, "version", row->version);
	jv_set_int(&a, v, "pid", row->pid);
	jv_set_int(&a, v, "running", row->running);
	jv_set_bool(&a, v, "leaving", row->leaving);
	if (pg_job_json(j, v, &a))
		pg_job_ask(j, (const char *[]){pg_session_me, j->s->known, str_text(&j->json)}, 3);
}

/* --- who is here -------------------------------------------------------------------------------------- */

/* Its key is the console: said again after a connection broke, it says the same. */
void postgres_presence_put(void *priv, const struct presence_row *row, int64_t ttl_us, struct op *op)
{
	struct pg_job *j = pg_job_new(priv, op, PG_PRESENCE_PUT, nothing);
	char ttl[24], each[24], max[24];
	struct arena a;

	if (j == NULL)
		return;
	arena_init(&a, ARENA_DEFAULT_MAX);
	if (pg_job_json(j, presence_to_jv(&a, row), &a))
		pg_job_ask(j,
		           (const char *[]){pg_session_me, j->s->known, str_text(&j->json),
		                            number(ttl_us, ttl), number(PRESENCE_EACH_MAX, each),
		                            number(PRESENCE_MAX, max)},
		           6);
}
