/* A release set in the world of the screens: its plan, and its rollout. */
#include "tests/lib/cm.h"
#include "tests/lib/world.h"

#include <stdio.h>

static struct plan *member(struct world *w, const char *service, const char *from, const char *to,
                           bool can_go_back)
{
	int s = setup_service(w->setup, service), e = setup_env(w->setup, "prod");
	struct plan *p = plan_new();

	assert_non_null(p);
	str_copy(p->service, sizeof p->service, service);
	str_copy(p->env, sizeof p->env, "prod");
	str_copy(p->source_env, sizeof p->source_env, "staging");
	(void)snprintf(p->from.digest, DIGEST_LEN, "sha256:%s-%s", service, from);
	(void)snprintf(p->to.digest, DIGEST_LEN, "sha256:%s-%s", service, to);
	str_copy(p->from.tag, sizeof p->from.tag, from);
	str_copy(p->to.tag, sizeof p->to.tag, to);
	str_copy(p->requester, sizeof p->requester, "ann");
	p->policy = w->setup->envs[e].policy;
	p->tier = w->setup->envs[e].tier;
	p->made_us = WORLD_NOW;
	p->migrations = arena_alloc(&p->arena, sizeof *p->migrations);
	p->n_migrations = 1;
	str_copy(p->migrations[0].name, MIGRATION_LEN, "0415_drop_zone");
	p->migrations[0].kind = can_go_back ? MIGRATION_EXPAND : MIGRATION_CONTRACT;
	p->back = can_go_back ? SCHEMA_ADDITIVE : SCHEMA_BREAKS;
	str_copy(p->back_text, TEXT_LEN,
	         can_go_back ? "its migrations only add"
	                     : "migration 0415_drop_zone drops the column zone of cart");
	plan_make_steps(p, setup_deployment(w->setup, s, e), true, "basics");
	p->n_gates = GATE_KIND_COUNT;
	for (int i = 0; i < GATE_KIND_COUNT; i++) {
		p->gates[i] = (struct gate){.kind = (enum gate_kind)i, .verdict = GATE_OPEN};
		(void)snprintf(p->gates[i].evidence, TEXT_LEN, "all is well with %s", service);
	}
	assert_int_equal(plan_seal(p, NULL), 0);
	return p;
}

void world_set(struct world *w)
{
	struct plan *members[] = {member(w, "ledger", "3.1.0", "3.2.0", true),
	                          member(w, "checkout", "2.9.2", "2.9.4", false)};
	struct plan *p = plan_new();
	struct event *e = world_event(w, EV_PLAN, -1, -1);

	assert_non_null(p);
	str_copy(p->requester, sizeof p->requester, "ann");
	str_copy(p->left_out, TEXT_LEN, "payments: 1.47.3 runs in prod already");
	p->made_us = WORLD_NOW;
	assert_int_equal(plan_set_make(p, "set:shop", "prod", members, 2, NULL), 0);
	p->n_gates = GATE_KIND_COUNT;
	for (int i = 0; i < GATE_KIND_COUNT; i++)
		p->gates[i] = p->members[1]->gates[i];
	/* As the palette does it. */
	str_copy(w->ui->service, sizeof w->ui->service, p->service);
	str_copy(w->ui->env, sizeof w->ui->env, "prod");
	e->plan = p;
	world_apply(w, e);
}

void world_set_runs(struct world *w)
{
	struct event *e = world_event(w, EV_STORE, -1, -1);
	struct store_snapshot *s = calloc(1, sizeof *s);
	const struct plan *set;

	assert_non_null(s);
	world_set(w);
	set = w->model->plan;
	s->seq = 43;
	s->now_us = WORLD_NOW;
	s->rollouts = calloc(3, sizeof *s->rollouts);
	s->n_rollouts = 3;
	for (int i = 0; i < 3; i++) {
		struct rollout *r = &s->rollouts[i];
		const struct plan *p = i == 0 ? set : set->members[2 - i];
		char id[ID_LEN] = "5e7a";

		if (i > 0)
			rollout_member_id("5e7a", 2 - i, id);
		rollout_init(r, id, p, "ann", WORLD_NOW - (60 - 10 * (i == 0 ? 0 : 3 - i)) * US_PER_S);
		r->started_us = r->created_us;
		str_copy(r->holder, sizeof r->holder, "4711@bast2");
		r->epoch = 3;
		r->state = ROLLOUT_RUNNING;
		r->at_step = i == 0 ? 3 : i == 1 ? 4 : r->n_steps;
		if (i > 0)
			str_copy(r->parent, sizeof r->parent, "5e7a");
		for (int k = 0; k < r->n_steps && k <= r->at_step; k++) {
			r->runs[k].state = k < r->at_step ? STEP_DONE : STEP_RUNS;
			r->runs[k].attempt = 1;
			r->runs[k].started_us = r->started_us + k * US_PER_S;
			r->runs[k].ended_us = k < r->at_step ? r->runs[k].started_us + US_PER_S : 0;
		}
	}
	s->rollouts[2].state = ROLLOUT_ENDED;
	s->rollouts[2].outcome = OUTCOME_OK;
	s->rollouts[2].ended_us = WORLD_NOW - 20 * US_PER_S;
	s->rollouts[1].state = ROLLOUT_PAUSED;
	str_copy(s->rollouts[1].text, TEXT_LEN, "deploy one failed: HTTP 503");
	s->rollouts[0].state = ROLLOUT_PAUSED;
	str_copy(s->rollouts[0].waits_for, ID_LEN, s->rollouts[1].id);
	str_copy(s->rollouts[0].text, TEXT_LEN,
	         "checkout is paused: deploy one failed: HTTP 503 (rollout 5e7a-2)");
	e->store = s;
	world_apply(w, e);
}
