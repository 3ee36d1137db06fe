/* What happened between two instants, in the PostgreSQL store. */
#include "backends/answer.h"
#include "backends/store/postgres_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char source[] = "store";

struct caps {
	int deploys, rollouts, decisions;
};

static char *text_of(const struct jv *v)
{
	struct str s;
	char *text;

	str_init(&s, JSON_BYTES_MAX);
	jv_print(v, JV_COMPACT, &s);
	text = str_take(&s);
	str_release(&s);
	return text;
}

static bool take_rollout(struct store_past *p, struct caps *c, const struct jv *v)
{
	const struct jv *commits = jv_get(v, "commits");
	char *json = text_of(jv_get(v, "json")), *times = jv_len(commits) > 0 ? text_of(commits) : NULL;
	bool room = json != NULL &&
	            list_grow((void **)&p->rollouts, p->n_rollouts, &c->rollouts, sizeof(*p->rollouts));

	/* One that this version cannot read is left out. */
	if (room && past_rollout_make(json, (int)jv_get_num(v, "n", 0), jv_get_text(v, "head", NULL), times,
	                              &p->rollouts[p->n_rollouts]))
		p->n_rollouts++;
	free(json);
	free(times);
	return room;
}

/* False: no memory. */
static bool take(struct store_past *p, struct caps *c, const char *part, const struct jv *v)
{
	if (strcmp(part, "rollout") == 0)
		return take_rollout(p, c, v);
	if (strcmp(part, "deploy") == 0) {
		if (!list_grow((void **)&p->deploys, p->n_deploys, &c->deploys, sizeof(*p->deploys)))
			return false;
		pg_deploy_from(v, &p->deploys[p->n_deploys++]);
	} else if (strcmp(part, "decision") == 0) {
		if (!list_grow((void **)&p->decisions, p->n_decisions, &c->decisions, sizeof(*p->decisions)))
			return false;
		pg_decision_from(v, &p->decisions[p->n_decisions++]);
	}
	return true;
}

static void past_finish(struct pg_job *j)
{
	const struct pg_rows *rows = &j->rows;
	struct store_past *p = calloc(1, sizeof(*p));
	struct caps caps = {0};
	bool good = true, memory = p != NULL;

	for (int i = 0; i < rows->n_rows && good && memory; i++) {
		const char *part = rows->cell(rows, i, 0), *body = rows->cell(rows, i, 1);
		struct arena a;
		struct jv *v = NULL;

		arena_init(&a, ARENA_DEFAULT_MAX);
		if (part != NULL && body != NULL && jv_parse(&a, body, strlen(body), &v, NULL) == 0) {
			if (strcmp(part, "meta") == 0) {
				good = pg_schema_fits(j, jv_get_num(v, "version", -1));
				p->now_us = jv_get_num(v, "now_us", 0);
			} else {
				memory = take(p, &caps, part, v);
			}
		}
		arena_release(&a);
	}
	if (!memory)
		j->outcome = answer_make(OUTCOME_ERRORED, source, "out of memory");
	else if (rows->n_rows == 0)
		j->outcome = answer_make(OUTCOME_ERRORED, source, "the store answered nothing");
	if (!memory || !good || rows->n_rows == 0) {
		store_past_free(p);
		return;
	}
	p->cut = p->n_deploys == PAST_MAX || p->n_rollouts == PAST_MAX || p->n_decisions == PAST_MAX;
	j->result = p;
}

void postgres_past(void *priv, const struct past_ask *ask, struct op *op)
{
	struct pg_job *j = pg_job_new(priv, op, PG_PAST, past_finish);
	char since[24], until[24], n[24];
	const char *params[] = {since, until, ask->commits ? "true" : "false", n};

	if (j == NULL)
		return;
	j->parse = true;
	j->free_result = store_past_free;
	snprintf(since, sizeof(since), "%lld", (long long)ask->since_us);
	snprintf(until, sizeof(until), "%lld", (long long)ask->until_us);
	snprintf(n, sizeof(n), "%d", PAST_MAX);
	pg_job_ask(j, params, 4);
}
