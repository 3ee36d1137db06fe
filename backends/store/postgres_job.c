/* Jobs of the PostgreSQL store: one operation, one statement or a few, one answer; and what refusals mean. */
#include "backends/answer.h"
#include "backends/store/postgres_db.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char source[] = "store";

/* --- refusals ----------------------------------------------------------------------------------- */

struct outcome pg_refusal(const struct pgstore *s, const char *place, const struct pg_rows *rows)
{
	const char *state = rows->sqlstate;
	struct outcome o;

	if (strcmp(state, "TP008") == 0 || strcmp(state, "TP005") == 0) {
		o = answer_make(OUTCOME_ERRORED, source, "%s", rows->text);
		answer_hint(&o, "%s", rows->hint);
		return o;
	}
	if (strncmp(state, "TP", 2) == 0) {
		o = answer_make(OUTCOME_FAILED, source, "%s", rows->text);
		answer_hint(&o, "%s", rows->hint);
		return o;
	}
	if (strcmp(state, "42501") == 0) {
		bool outside = strstr(rows->text, "for schema") != NULL;

		o = answer_make(OUTCOME_FAILED, source, "%s %s",
		                outside ? "you have no role in the store at" : place,
		                outside ? place : "does not let you do that");
		answer_hint(&o, "an admin of the database can give one: GRANT %s%s TO your user", s->prefix,
		            outside ? "viewer" : "operator (approver, executor, ..)");
		return o;
	}
	if (strcmp(state, "3F000") == 0 || strcmp(state, "42P01") == 0 || strcmp(state, "42883") == 0) {
		o = answer_make(OUTCOME_ERRORED, source,
		                "there is no store of this kind in the schema %s of %s", s->schema, place);
		answer_hint(&o, "make it: towpath store init; or bring it up to date: towpath store migrate");
		return o;
	}
	o = answer_make(OUTCOME_ERRORED, source, "%s: %s (%s): nothing was saved", place, rows->text, state);
	if (strcmp(state, "55P03") == 0)
		answer_hint(&o, "another session keeps the store locked: see pg_locks, then try again");
	else if (strcmp(state, "57014") == 0)
		answer_hint(&o,
		            "the server ended the statement: see its statement_timeout and pg_stat_activity");
	else if (strncmp(state, "53", 2) == 0)
		answer_hint(&o, "the server has run out of disk, memory or connections: make room there");
	else if (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0)
		answer_hint(&o, "a name or text is too long or not of its kind");
	else
		answer_hint(&o, "run: towpath store status");
	return o;
}

bool pg_schema_fits(struct pg_job *j, int64_t version)
{
	if (version <= PG_SCHEMA && version >= PG_SCHEMA - PG_SCHEMA_BACK)
		return true;
	j->outcome =
	    answer_make(OUTCOME_ERRORED, source, "the store is of schema %lld, this program knows %d",
	                (long long)version, PG_SCHEMA);
	answer_hint(&j->outcome, version > PG_SCHEMA ? "use the newer towpath that made it"
	                                             : "bring the store up to date: towpath store migrate");
	return false;
}

/* --- life --------------------------------------------------------------------------------------- */

static void job_free(struct pg_job *j)
{
	if (j->next_ticket != NULL)
		pg_session_forget(j->next_ticket);
	pg_rows_free(&j->rows);
	pg_rows_free(&j->next);
	str_release(&j->json);
	free(j);
}

static void job_end(struct pg_job *j)
{
	bool wrote = j->session == j->s->writer && j->outcome.kind == OUTCOME_OK;

	op_on_cancel(j->op, NULL, NULL);
	if (j->outcome.kind != OUTCOME_OK && j->result != NULL) {
		j->free_result(j->result);
		j->result = NULL;
	}
	if (wrote && j->statement != PG_LEASE_RENEW && j->statement != PG_EXECUTOR_BEAT &&
	    j->statement != PG_PRESENCE_PUT)
		pg_watch_soon(j->s);
	op_done(j->op, j->outcome, j->result, j->free_result);
	job_free(j);
}

void pg_job_fail(struct pg_job *j, struct outcome o)
{
	j->outcome = o;
	job_end(j);
}

/* What was sent goes on; nobody waits for it any more. */
static void on_cancel(void *data)
{
	struct pg_job *j = data;

	if (j->ticket != NULL) {
		pg_session_forget(j->ticket);
		j->ticket = NULL;
	}
	if (j->working) {
		j->cancelled = true;
		return;
	}
	pg_job_fail(j, outcome_make(OUTCOME_CANCELLED, source, "cancelled"));
}

struct pg_job *pg_job_new(void *priv, struct op *op, enum pg_statement statement,
                          void (*finish)(struct pg_job *j))
{
	struct pgstore *s = priv;
	struct pg_job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		answer_nomem(op, source);
		return NULL;
	}
	j->s = s;
	j->op = op;
	j->statement = statement;
	j->session = statement >= PG_PLAN_PUT ? s->writer : s->reader;
	j->finish = finish;
	j->free_result = free;
	str_init(&j->json, JSON_BYTES_MAX);
	op_on_cancel(op, on_cancel, j);
	return j;
}

static void finish_run(void *arg)
{
	struct pg_job *j = arg;

	j->finish(j);
}

static void finish_done(void *arg)
{
	struct pg_job *j = arg;

	j->working = false;
	if (j->cancelled)
		j->outcome = outcome_make(OUTCOME_CANCELLED, source, "cancelled");
	else if (j->then != NULL && j->outcome.kind == OUTCOME_OK)
		j->then(j);
	if (!j->again)
		job_end(j);
}

static void no_room(void *arg)
{
	struct pg_job *j = arg;

	j->working = j->again = false;
	job_end(j);
}

/* What an answer means for this job. */
static struct outcome outcome_of(const struct pg_job *j, const struct pg_answer *a)
{
	if (a->outcome.kind != OUTCOME_FAILED)
		return a->outcome;
	if (j->statement == PG_PRESENCE_PUT && strcmp(a->rows->sqlstate, "42883") == 0)
		return answer_make(OUTCOME_UNSUPPORTED, source,
		                   "the store is of an older schema and does not know who is here");
	return pg_refusal(j->s, pg_session_place(j->session), a->rows);
}

/* Works on j->rows, or ends where the outcome is not OK. */
static void rows_came(struct pg_job *j)
{
	j->again = false;
	if (j->outcome.kind != OUTCOME_OK) {
		job_end(j);
		return;
	}
	if (j->ahead != NULL)
		j->ahead(j);
	if (j->parse) {
		j->working = true;
		work_run(j->s->loop, finish_run, finish_done, j);
		return;
	}
	j->finish(j);
	finish_done(j);
}

static void on_answer(void *ctx, const struct pg_answer *a)
{
	struct pg_job *j = ctx;

	j->ticket = NULL;
	j->outcome = outcome_of(j, a);
	if (a->outcome.kind == OUTCOME_OK) {
		pg_rows_free(&j->rows);
		pg_rows_move(&j->rows, a->rows);
	}
	rows_came(j);
}

static void next_take(struct pg_job *j)
{
	j->next_came = j->next_awaited = false;
	j->outcome = j->next_outcome;
	pg_rows_free(&j->rows);
	j->rows = j->next;
	j->next = (struct pg_rows){.n_rows = 0};
	rows_came(j);
}

static void on_next(void *ctx, const struct pg_answer *a)
{
	struct pg_job *j = ctx;

	j->next_ticket = NULL;
	j->next_came = true;
	j->next_outcome = outcome_of(j, a);
	if (a->outcome.kind == OUTCOME_OK)
		pg_rows_move(&j->next, a->rows);
	if (j->next_awaited)
		next_take(j);
}

static void go_on_later(void *arg)
{
	struct pg_job *j = arg;

	j->working = j->again = false;
	if (j->cancelled)
		pg_job_fail(j, outcome_make(OUTCOME_CANCELLED, source, "cancelled"));
	else
		next_take(j);
}

void pg_job_go_on(struct pg_job *j)
{
	j->again = true;
	j->next_awaited = !j->next_came;
	if (j->next_came) {
		/* The caller still uses the job. */
		j->working = true;
		loop_defer(j->s->loop, go_on_later, j);
	}
}

void pg_job_ask_ahead(struct pg_job *j, const char *const *params, int n)
{
	struct pg_ask ask = {.sql = j->s->sql[j->statement],
	                     .params = params,
	                     .n_params = n,
	                     .timeout_us =
	                         MAX(op_remaining_us(j->op) - op_remaining_us(j->op) / 10, (int64_t)1)};

	j->next_ticket = pg_session_ask(j->session, &ask, on_next, j);
	if (j->next_ticket == NULL) {
		j->next_came = true;
		j->next_outcome =
		    answer_make(OUTCOME_ERRORED, source, "too many operations wait for the store");
	}
}

void pg_job_ask(struct pg_job *j, const char *const *params, int n)
{
	struct pg_ask ask = {
	    .sql = j->s->sql[j->statement],
	    .params = params,
	    .n_params = n,
	    .writes = j->session == j->s->writer,
	    /* Ahead of the op's own deadline, which cannot tell "unknown" from "no answer". */
	    .timeout_us = MAX(op_remaining_us(j->op) - op_remaining_us(j->op) / 10, (int64_t)1)};

	j->again = true;
	j->ticket = pg_session_ask(j->session, &ask, on_answer, j);
	if (j->ticket == NULL) {
		struct outcome o =
		    answer_make(OUTCOME_ERRORED, source, "too many operations wait for the store");

		answer_hint(&o, "the server is slow: see towpath store status");
		/* The caller still uses the job. */
		j->outcome = o;
		j->working = true;
		loop_defer(j->s->loop, no_room, j);
	}
}

bool pg_job_json(struct pg_job *j, const struct jv *v, struct arena *a)
{
	bool ok;

	jv_print(v, JV_COMPACT, &j->json);
	ok = !arena_failed(a) && !j->json.failed;
	arena_release(a);
	if (!ok)
		pg_job_fail(j, answer_make(OUTCOME_ERRORED, source, "out of memory"));
	return ok;
}

void pg_job_key(struct pg_job *j)
{
	unsigned char bytes[(PG_KEY_LEN - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		abort();
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(j->id + 2 * i, 3, "%02x", bytes[i]);
}
