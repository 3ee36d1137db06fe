/*
 * Moving another store in, as an admin: one transaction on a connection of its own, which the server's functions tie
 * their rows to, so that a connection that broke in the middle leaves nothing behind.
 */
#include "backends/answer.h"
#include "backends/store/postgres_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char source[] = "store";

struct load_step {
	struct pgstore *s;
	struct op *op;
	struct store_load l; /* what points out of it is copied into texts */
	struct str json, counts;
	char part[NAME_LEN], head[DIGEST_LEN], from[TEXT_LEN / 2];
	int at; /* statement of the step */
	bool cancelled;
};

static void step_free(struct load_step *t)
{
	str_release(&t->json);
	str_release(&t->counts);
	free(t);
}

static int mover_address(void *ctx, struct str *ret, struct error *e)
{
	const struct pgstore *s = ctx;

	return pg_address(s, jv_get(s->ctx.options, "admin_url") != NULL ? "admin_url" : "url", ret, e);
}

static void mover_end(struct pgstore *s)
{
	pg_session_free(s->mover);
	s->mover = NULL;
}

static void end_later(void *ctx) { mover_end(ctx); }

static char *place_of(const struct pgstore *s)
{
	char text[TEXT_LEN];

	snprintf(text, sizeof(text), "%.80s, schema %s", pg_session_place(s->mover), s->schema);
	return strdup(text);
}

static void step_done(struct load_step *t, struct outcome o)
{
	char *place = NULL;

	/* Closing ends the transaction: rolled back, unless it was committed. */
	if (t->l.step == LOAD_UNDO || t->l.step == LOAD_END || o.kind != OUTCOME_OK)
		loop_defer(t->s->loop, end_later, t->s);
	if (!t->cancelled)
		op_on_cancel(t->op, NULL, NULL);
	if (t->l.step == LOAD_BEGIN && o.kind == OUTCOME_OK)
		place = place_of(t->s);
	op_done(t->op, o, place, free);
	step_free(t);
}

static void step_next(struct load_step *t);

static void on_answer(void *ctx, const struct pg_answer *a)
{
	struct load_step *t = ctx;

	if (t->cancelled) {
		step_done(t, outcome_make(OUTCOME_CANCELLED, source, "cancelled"));
		return;
	}
	if (a->outcome.kind == OUTCOME_FAILED) {
		step_done(t, pg_refusal(t->s, pg_session_place(t->s->mover), a->rows));
		return;
	}
	if (a->outcome.kind != OUTCOME_OK) {
		step_done(t, a->outcome);
		return;
	}
	t->at++;
	step_next(t);
}

static void ask(struct load_step *t, const char *sql, const char *const *params, int n)
{
	struct pg_ask q = {.sql = sql,
	                   .params = params,
	                   .n_params = n,
	                   .writes = t->l.step == LOAD_END,
	                   .once = true,
	                   .timeout_us = MAX(op_remaining_us(t->op) * 9 / 10, (int64_t)1)};

	pg_session_ask(t->s->mover, &q, on_answer, t);
}

/* The statements of each step, one after the other. */
static void step_next(struct load_step *t)
{
	struct pgstore *s = t->s;

	switch (t->l.step) {
	case LOAD_BEGIN:
		if (t->at == 0)
			ask(t, "BEGIN", NULL, 0);
		else if (t->at == 1)
			ask(t, s->sql[PG_MOVE_BEGIN], (const char *[]){pg_session_me, s->known}, 2);
		else
			step_done(t, outcome_ok());
		return;
	case LOAD_ROWS:
		if (t->at == 0)
			ask(t, s->sql[PG_MOVE_ROWS], (const char *[]){t->part, str_text(&t->json)}, 2);
		else
			step_done(t, outcome_ok());
		return;
	case LOAD_END:
		if (t->at == 0)
			ask(t, s->sql[PG_MOVE_END],
			    (const char *[]){pg_session_me, s->host, str_text(&t->counts), t->head, t->from},
			    5);
		else if (t->at == 1)
			ask(t, "COMMIT", NULL, 0);
		else
			step_done(t, outcome_ok());
		return;
	case LOAD_UNDO: step_done(t, outcome_ok()); return;
	}
}

static void on_cancel(void *data) { ((struct load_step *)data)->cancelled = true; }

static void counts_make(struct load_step *t)
{
	for (int i = 0; i < STORE_PARTS; i++)
		str_addf(&t->counts, "%s\"%s\": %lld", i == 0 ? "{" : ", ", store_parts[i],
		         (long long)t->l.counts[i]);
	str_addc(&t->counts, '}');
}

void postgres_load(void *priv, const struct store_load *l, struct op *op)
{
	struct pgstore *s = priv;
	struct load_step *t = calloc(1, sizeof(*t));
	struct pg_session_conf conf = {.address = mover_address, .ctx = s};

	if (t == NULL) {
		answer_nomem(op, source);
		return;
	}
	t->s = s;
	t->op = op;
	t->l = *l;
	str_init(&t->json, JSON_BYTES_MAX);
	str_init(&t->counts, 4096);
	str_copy(t->part, sizeof(t->part), l->part != NULL ? l->part : "");
	str_copy(t->head, sizeof(t->head), l->head != NULL ? l->head : "");
	str_copy(t->from, sizeof(t->from), l->from != NULL ? l->from : "");
	if (l->json != NULL)
		str_add(&t->json, l->json);
	counts_make(t);
	if (t->json.failed || t->counts.failed) {
		answer_nomem(op, source);
		step_free(t);
		return;
	}
	if (l->step == LOAD_BEGIN && s->mover == NULL)
		s->mover = pg_session_new(s->loop, &conf);
	if (s->mover == NULL) {
		op_done(op, answer_make(OUTCOME_FAILED, source, "no move was begun"), NULL, NULL);
		step_free(t);
		return;
	}
	op_on_cancel(op, on_cancel, t);
	step_next(t);
}

void postgres_dump(void *priv, const char *part, const char *after, struct op *op)
{
	UNUSED(priv);
	UNUSED(part);
	UNUSED(after);
	op_done(op,
	        answer_make(OUTCOME_UNSUPPORTED, source, "a shared store is moved by pg_dump, roles and all"),
	        NULL, NULL);
}

void postgres_retire(void *priv, const char *where, struct op *op)
{
	UNUSED(priv);
	UNUSED(where);
	op_done(op,
	        answer_make(OUTCOME_UNSUPPORTED, source, "a shared store is ended by taking its roles away"),
	        NULL, NULL);
}
