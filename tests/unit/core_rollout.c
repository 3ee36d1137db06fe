/* The machine of a rollout: every cell, every exit, and the journal's promise that a prefix is enough. */
#include "core/rollout.h"
#include "tests/lib/cm.h"

#include <stdio.h>

static void plan_fill(struct plan *p, enum plan_kind kind, enum on_failure policy)
{
	static struct instance_conf instances[] = {{"web-1", ""}, {"web-2", ""}};
	struct deployment_conf dep = {.present = true, .instances = instances, .n_instances = 2};

	p->kind = kind;
	str_copy(p->service, sizeof(p->service), "web");
	str_copy(p->env, sizeof(p->env), "prod");
	str_copy(p->from.digest, sizeof(p->from.digest), "sha256:old");
	str_copy(p->to.digest, sizeof(p->to.digest), "sha256:new");
	str_copy(p->migrate_tool, sizeof(p->migrate_tool), "django");
	p->policy.on_failure = policy;
	p->n_migrations = 1;
	p->migrations = arena_alloc(&p->arena, sizeof(*p->migrations));
	plan_make_steps(p, &dep, true, "basics");
}

static void make(struct rollout *r, enum plan_kind kind, enum on_failure policy)
{
	struct plan *p = plan_new();

	assert_non_null(p);
	plan_fill(p, kind, policy);
	rollout_init(r, "r1", p, "anna", 1000);
	plan_free(p);
}

static struct rollout *fresh(enum plan_kind kind, enum on_failure policy)
{
	struct rollout *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	make(r, kind, policy);
	return r;
}

static struct reaction feed(struct rollout *r, enum rollout_event e)
{
	struct outcome o = outcome_make(OUTCOME_OK, "test", "said %s", rollout_event_name(e));

	return rollout_next(r, e, &o, 2000);
}

static void no_cell_is_empty(void **state)
{
	UNUSED(state);
	for (int s = 0; s < ROLLOUT_STATE_COUNT; s++)
		for (int e = 0; e < ROLLOUT_EVENT_COUNT; e++) {
			struct reaction cell = rollout_cell((enum rollout_state)s, (enum rollout_event)e);
			struct rollout *r = fresh(PLAN_PROMOTE, ON_FAILURE_ROLLBACK),
			               *before = malloc(sizeof(*before));
			struct reaction rx;

			assert_non_null(before);
			r->state = (enum rollout_state)s;
			r->at_step = s == ROLLOUT_ENDED ? r->n_steps : 2;
			*before = *r;
			rx = feed(r, (enum rollout_event)e);
			/* A condition beside it may refuse. */
			if (cell.cell == CELL_DOES && cell.why != NULL && rx.cell == CELL_REFUSED)
				cell = rx;
			assert_int_equal(rx.cell, cell.cell);
			if (cell.cell == CELL_REFUSED || cell.cell == CELL_LATER)
				assert_non_null(cell.why);
			/* What is refused or ignored changes nothing. */
			if (cell.cell == CELL_REFUSED || cell.cell == CELL_IGNORED) {
				assert_memory_equal(before, r, sizeof(*r));
				assert_int_equal(rx.effect, EFFECT_NONE);
			}
			free(before);
			free(r);
		}
}

/* People's three verbs are answered in every state; abort is never refused while it is live, but for a way back. */
static void stopping_is_possible(void **state)
{
	UNUSED(state);
	for (int s = 0; s < ROLLOUT_ENDED; s++) {
		enum cell c = rollout_cell((enum rollout_state)s, ROLLOUT_EV_ABORT).cell;

		if (s != ROLLOUT_REVERTING)
			assert_true(c == CELL_DOES || c == CELL_LATER);
		assert_int_equal(rollout_cell((enum rollout_state)s, ROLLOUT_EV_LEASE_LOST).cell, CELL_DOES);
	}
}

static void straight_to_the_end(void **state)
{
	struct rollout *r = fresh(PLAN_PROMOTE, ON_FAILURE_PAUSE);
	struct reaction rx = feed(r, ROLLOUT_EV_START);
	static const enum step_kind kinds[] = {STEP_LOCK,   STEP_PREFLIGHT, STEP_MIGRATE,
	                                       STEP_STAGE,  STEP_DEPLOY,    STEP_DEPLOY,
	                                       STEP_VERIFY, STEP_SMOKE,     STEP_RECORD};
	int done, all;

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		bool verifies = kinds[i] == STEP_VERIFY || kinds[i] == STEP_SMOKE;

		assert_int_equal(rx.effect, EFFECT_RUN_STEP);
		assert_int_equal(r->steps[r->at_step].kind, kinds[i]);
		assert_int_equal(r->state, verifies ? ROLLOUT_VERIFYING : ROLLOUT_RUNNING);
		rx = feed(r, ROLLOUT_EV_OP_OK);
	}
	assert_int_equal(rx.effect, EFFECT_END);
	assert_int_equal(r->outcome, OUTCOME_OK);
	rollout_progress(r, &done, &all);
	assert_int_equal(done, all);
	free(r);
}

static void at(struct rollout *r, enum step_kind kind)
{
	feed(r, ROLLOUT_EV_START);
	while (r->steps[r->at_step].kind != kind)
		feed(r, ROLLOUT_EV_OP_OK);
}

static void failure_policies(void **state)
{
	struct rollout *r = fresh(PLAN_PROMOTE, ON_FAILURE_ROLLBACK);
	struct reaction rx;

	UNUSED(state);
	/* Nothing was changed: it just ends. */
	at(r, STEP_PREFLIGHT);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_FAILED).effect, EFFECT_END);
	assert_int_equal(r->outcome, OUTCOME_FAILED);
	/* A failed migration: there is no release to put back. */
	make(r, PLAN_PROMOTE, ON_FAILURE_ROLLBACK);
	at(r, STEP_MIGRATE);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_FAILED).effect, EFFECT_END);
	/* A bad build. */
	make(r, PLAN_PROMOTE, ON_FAILURE_ROLLBACK);
	at(r, STEP_DEPLOY);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_FAILED).effect, EFFECT_REVERT);
	assert_int_equal(r->state, ROLLOUT_REVERTING);
	rx = feed(r, ROLLOUT_EV_OP_OK);
	assert_int_equal(rx.effect, EFFECT_END);
	assert_true(r->rolled_back);
	assert_int_equal(r->outcome, OUTCOME_FAILED);
	/* The way back is not gone twice. */
	make(r, PLAN_PROMOTE, ON_FAILURE_ROLLBACK);
	at(r, STEP_VERIFY);
	feed(r, ROLLOUT_EV_OP_FAILED);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_FAILED).effect, EFFECT_END);
	assert_false(r->rolled_back);
	make(r, PLAN_PROMOTE, ON_FAILURE_PAUSE);
	at(r, STEP_DEPLOY);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_FAILED).effect, EFFECT_NONE);
	assert_int_equal(r->state, ROLLOUT_PAUSED);
	make(r, PLAN_PROMOTE, ON_FAILURE_ABORT);
	at(r, STEP_DEPLOY);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_FAILED).effect, EFFECT_END);
	assert_false(r->rolled_back);
	/* A rollback is never rolled back by itself. */
	make(r, PLAN_ROLLBACK, ON_FAILURE_ROLLBACK);
	at(r, STEP_VERIFY);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_FAILED).effect, EFFECT_NONE);
	assert_int_equal(r->state, ROLLOUT_PAUSED);
	free(r);
}

static void errored_is_tried_again_then_paused(void **state)
{
	struct rollout *r = fresh(PLAN_PROMOTE, ON_FAILURE_ROLLBACK);

	UNUSED(state);
	at(r, STEP_STAGE);
	for (int i = 1; i < r->steps[r->at_step].attempts_max; i++)
		assert_int_equal(feed(r, ROLLOUT_EV_OP_ERRORED).effect, EFFECT_RUN_STEP);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_ERRORED).effect, EFFECT_NONE);
	assert_int_equal(r->state, ROLLOUT_PAUSED);
	assert_int_equal(feed(r, ROLLOUT_EV_CONTINUE).effect, EFFECT_RUN_STEP);
	free(r);
}

static void unknown_is_never_repeated_blindly(void **state)
{
	struct rollout *r = fresh(PLAN_PROMOTE, ON_FAILURE_ROLLBACK);

	UNUSED(state);
	at(r, STEP_DEPLOY);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_UNKNOWN).effect, EFFECT_PROBE_STEP);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_ERRORED).effect, EFFECT_NONE);
	assert_int_equal(r->state, ROLLOUT_PAUSED);
	assert_int_equal(r->runs[r->at_step].state, STEP_STATE_UNKNOWN);
	assert_int_equal(feed(r, ROLLOUT_EV_CONTINUE).effect, EFFECT_PROBE_STEP);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_OK).effect, EFFECT_RUN_STEP);
	/* Nobody can ask: a person decides. */
	make(r, PLAN_PROMOTE, ON_FAILURE_ROLLBACK);
	for (int i = 0; i < r->n_steps; i++)
		if (r->steps[i].kind == STEP_DEPLOY)
			r->steps[i].class = STEP_OPAQUE;
	at(r, STEP_DEPLOY);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_UNKNOWN).effect, EFFECT_NONE);
	assert_int_equal(r->state, ROLLOUT_PAUSED);
	make(r, PLAN_PROMOTE, ON_FAILURE_ROLLBACK);
	for (int i = 0; i < r->n_steps; i++)
		r->steps[i].class = STEP_OPAQUE;
	at(r, STEP_DEPLOY);
	/* The process died in the middle of it. */
	assert_int_equal(feed(r, ROLLOUT_EV_START).effect, EFFECT_NONE);
	assert_int_equal(r->state, ROLLOUT_PAUSED);
	free(r);
}

static void hold_and_abort_wait_for_the_step(void **state)
{
	struct rollout *r = fresh(PLAN_PROMOTE, ON_FAILURE_ROLLBACK);

	UNUSED(state);
	at(r, STEP_STAGE);
	assert_int_equal(feed(r, ROLLOUT_EV_HOLD).cell, CELL_LATER);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_OK).effect, EFFECT_NONE);
	assert_int_equal(r->state, ROLLOUT_PAUSED);
	assert_int_equal(feed(r, ROLLOUT_EV_CONTINUE).effect, EFFECT_RUN_STEP);
	feed(r, ROLLOUT_EV_HOLD);
	feed(r, ROLLOUT_EV_CONTINUE);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_OK).effect, EFFECT_RUN_STEP);
	feed(r, ROLLOUT_EV_ABORT);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_OK).effect, EFFECT_END);
	assert_int_equal(r->outcome, OUTCOME_CANCELLED);
	free(r);
}

static struct rollout *copy_through_text(const struct rollout *r)
{
	struct rollout *back = calloc(1, sizeof(*back));
	struct arena a;
	struct str s;
	struct jv *v;
	struct error e;

	assert_non_null(back);
	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&s, JSON_BYTES_MAX);
	jv_print(rollout_to_jv(&a, r), JV_COMPACT, &s);
	assert_int_equal(jv_parse(&a, str_text(&s), s.len, &v, &e), 0);
	assert_int_equal(rollout_from_jv(v, back, &e), 0);
	str_release(&s);
	arena_release(&a);
	return back;
}

static void same(const struct rollout *a, const struct rollout *b)
{
	struct arena arena;
	struct str x, y;

	arena_init(&arena, ARENA_DEFAULT_MAX);
	str_init(&x, JSON_BYTES_MAX);
	str_init(&y, JSON_BYTES_MAX);
	jv_print(rollout_to_jv(&arena, a), JV_CANONICAL, &x);
	jv_print(rollout_to_jv(&arena, b), JV_CANONICAL, &y);
	assert_string_equal(str_text(&x), str_text(&y));
	str_release(&x);
	str_release(&y);
	arena_release(&arena);
}

/* Written down and read back after any number of events, it goes on the same. */
static void every_prefix_is_enough(void **state)
{
	struct prng p = prng_seeded();

	UNUSED(state);
	for (int round = 0; round < 60; round++) {
		struct rollout *live =
		    fresh(round % 3 == 0 ? PLAN_ROLLBACK : PLAN_PROMOTE, (enum on_failure)(round % 3));
		enum rollout_event events[24];
		int n = (int)ARRAY_LEN(events), cut = (int)prng_below(&p, ARRAY_LEN(events));
		struct rollout *back;

		events[0] = ROLLOUT_EV_START;
		for (int i = 1; i < n; i++)
			events[i] = prng_below(&p, 2) == 0
			                ? ROLLOUT_EV_OP_OK
			                : (enum rollout_event)prng_below(&p, ROLLOUT_EVENT_COUNT);
		for (int i = 0; i <= cut; i++)
			feed(live, events[i]);
		back = copy_through_text(live);
		same(live, back);
		for (int i = cut + 1; i < n; i++) {
			struct reaction a = feed(live, events[i]), b = feed(back, events[i]);

			assert_int_equal(a.effect, b.effect);
			assert_int_equal(a.cell, b.cell);
		}
		same(live, back);
		free(live);
		free(back);
	}
}

/* From wherever random events lead, the world's honest answers or a person's abort end it. */
static void no_live_state_without_exit(void **state)
{
	struct prng p = prng_seeded();

	UNUSED(state);
	for (int round = 0; round < 2000; round++) {
		struct rollout *r =
		    fresh(round % 2 == 0 ? PLAN_PROMOTE : PLAN_ROLLBACK, (enum on_failure)(round % 3));
		struct reaction rx = {CELL_IGNORED, EFFECT_NONE, NULL};
		int turns = 0;

		for (int i = 0; i < 30; i++)
			rx = feed(r, (enum rollout_event)prng_below(&p, ROLLOUT_EVENT_COUNT));
		assert_true(r->at_step <= r->n_steps);
		while (rollout_is_live(r)) {
			assert_true(++turns < 50);
			if (r->state == ROLLOUT_RUNNING || r->state == ROLLOUT_VERIFYING ||
			    r->state == ROLLOUT_PROBING || r->state == ROLLOUT_REVERTING)
				rx = feed(r, ROLLOUT_EV_OP_OK);
			else
				rx = feed(r, ROLLOUT_EV_ABORT);
		}
		if (turns > 0)
			assert_int_equal(rx.effect, EFFECT_END);
		free(r);
	}
}

static struct decision said(enum decision_kind kind, int step)
{
	struct decision d = {.kind = kind, .step = step};

	str_copy(d.actor, sizeof(d.actor), "olga");
	str_copy(d.reason, sizeof(d.reason), "canary noisy");
	return d;
}

static struct reaction decide(struct rollout *r, enum decision_kind kind, int step)
{
	struct decision d = said(kind, step);

	return rollout_decide(r, &d, 3000);
}

static void retry_only_what_failed(void **state)
{
	struct rollout *r = fresh(PLAN_PROMOTE, ON_FAILURE_PAUSE);
	int budget;

	UNUSED(state);
	at(r, STEP_DEPLOY);
	assert_int_equal(decide(r, DECISION_RETRY, 0).cell, CELL_REFUSED);
	feed(r, ROLLOUT_EV_HOLD);
	feed(r, ROLLOUT_EV_OP_OK);
	assert_int_equal(r->state, ROLLOUT_PAUSED);
	/* Paused before a step that has not begun: there is nothing to try again. */
	assert_int_equal(decide(r, DECISION_RETRY, 0).cell, CELL_REFUSED);
	assert_int_equal(decide(r, DECISION_CONTINUE, 0).effect, EFFECT_RUN_STEP);
	feed(r, ROLLOUT_EV_OP_FAILED);
	assert_int_equal(r->state, ROLLOUT_PAUSED);
	assert_int_equal(decide(r, DECISION_RETRY, 0).effect, EFFECT_RUN_STEP);
	/* The whole budget again, and the attempts go on counting. */
	budget = r->steps[r->at_step].attempts_max;
	for (int i = 1; i < budget; i++)
		assert_int_equal(feed(r, ROLLOUT_EV_OP_ERRORED).effect, EFFECT_RUN_STEP);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_ERRORED).effect, EFFECT_NONE);
	assert_int_equal(r->runs[r->at_step].attempt, budget + 1);
	/* What nobody can tell is asked first, also on retry. */
	r->runs[r->at_step].state = STEP_STATE_UNKNOWN;
	assert_int_equal(decide(r, DECISION_RETRY, 0).effect, EFFECT_PROBE_STEP);
	free(r);
}

static int step_at(const struct rollout *r, enum step_kind kind)
{
	int i = 0;

	while (r->steps[i].kind != kind)
		i++;
	return i;
}

static void skip_only_what_is_not_required(void **state)
{
	struct rollout *r = fresh(PLAN_PROMOTE, ON_FAILURE_PAUSE);
	int smoke = step_at(r, STEP_SMOKE);

	UNUSED(state);
	/* Ahead of time, while another step runs. */
	at(r, STEP_STAGE);
	assert_int_equal(decide(r, DECISION_SKIP, 0).cell, CELL_REFUSED);
	assert_int_equal(decide(r, DECISION_SKIP, STEPS_MAX).cell, CELL_REFUSED);
	assert_int_equal(decide(r, DECISION_SKIP, 1).cell, CELL_REFUSED);
	assert_int_equal(decide(r, DECISION_SKIP, smoke + 1).cell, CELL_DOES);
	assert_int_equal(decide(r, DECISION_SKIP, smoke + 1).cell, CELL_REFUSED);
	while (r->steps[r->at_step].kind != STEP_VERIFY)
		feed(r, ROLLOUT_EV_OP_OK);
	assert_int_equal(feed(r, ROLLOUT_EV_OP_OK).effect, EFFECT_RUN_STEP);
	assert_int_equal(r->steps[r->at_step].kind, STEP_RECORD);
	assert_int_equal(r->runs[smoke].state, STEP_SKIPPED);
	/* While it runs: its no does not matter any more, its yes does. */
	for (int ok = 0; ok < 2; ok++) {
		make(r, PLAN_PROMOTE, ON_FAILURE_PAUSE);
		at(r, STEP_SMOKE);
		assert_int_equal(decide(r, DECISION_SKIP, smoke + 1).cell, CELL_LATER);
		assert_int_equal(feed(r, ok ? ROLLOUT_EV_OP_OK : ROLLOUT_EV_OP_FAILED).effect,
		                 EFFECT_RUN_STEP);
		assert_int_equal(r->runs[smoke].state, ok ? STEP_DONE : STEP_SKIPPED);
		assert_int_equal(r->steps[r->at_step].kind, STEP_RECORD);
	}
	/* At the pause that it led to: it goes on behind it. */
	make(r, PLAN_PROMOTE, ON_FAILURE_PAUSE);
	at(r, STEP_SMOKE);
	feed(r, ROLLOUT_EV_OP_FAILED);
	assert_int_equal(r->state, ROLLOUT_PAUSED);
	assert_int_equal(decide(r, DECISION_SKIP, 0).effect, EFFECT_RUN_STEP);
	assert_int_equal(r->steps[r->at_step].kind, STEP_RECORD);
	/* A word about a step that is over comes too late: it never hits the next one. */
	assert_int_equal(decide(r, DECISION_SKIP, smoke + 1).cell, CELL_REFUSED);
	free(r);
}

static void full_leaves_out_the_rest(void **state)
{
	struct rollout *r = fresh(PLAN_PROMOTE, ON_FAILURE_PAUSE);
	struct reaction rx;

	UNUSED(state);
	at(r, STEP_DEPLOY);
	feed(r, ROLLOUT_EV_HOLD);
	feed(r, ROLLOUT_EV_OP_OK);
	assert_int_equal(r->state, ROLLOUT_PAUSED);
	rx = decide(r, DECISION_FULL, 0);
	while (rx.effect == EFFECT_RUN_STEP) {
		assert_true(step_required(r->steps[r->at_step].kind));
		rx = feed(r, ROLLOUT_EV_OP_OK);
	}
	assert_int_equal(rx.effect, EFFECT_END);
	assert_int_equal(r->outcome, OUTCOME_OK);
	free(r);
}

/* Fault table: before anything is changed it ends, afterwards nothing new begins. */
static void withdrawn_at_each_step(void **state)
{
	struct rollout *r = fresh(PLAN_PROMOTE, ON_FAILURE_ROLLBACK);
	int n = r->n_steps;

	UNUSED(state);
	for (int i = 0; i <= n; i++) {
		struct reaction rx;
		bool changed;

		make(r, PLAN_PROMOTE, ON_FAILURE_ROLLBACK);
		/* i == n: before it began */
		if (i < n) {
			feed(r, ROLLOUT_EV_START);
			while (r->at_step < i)
				feed(r, ROLLOUT_EV_OP_OK);
		}
		changed = i < n && i >= step_at(r, STEP_MIGRATE);
		rx = decide(r, i % 2 ? DECISION_WITHDRAW : DECISION_REJECT, 0);
		if (i == n) {
			assert_int_equal(rx.effect, EFFECT_END);
		} else {
			assert_int_equal(rx.cell, CELL_LATER);
			rx = feed(r, ROLLOUT_EV_OP_OK);
			if (i == n - 1) {
				/* The last effect was under way. */
				assert_int_equal(r->outcome, OUTCOME_OK);
				continue;
			}
			assert_int_equal(rx.effect, changed ? EFFECT_NONE : EFFECT_END);
			assert_int_equal(r->state, changed ? ROLLOUT_PAUSED : ROLLOUT_ENDED);
		}
		assert_non_null(strstr(r->text, "olga"));
		if (!changed)
			assert_int_equal(r->outcome, OUTCOME_CANCELLED);
	}
	free(r);
}

/* What a judge says is what the machine does, and it changes nothing; random lives keep the invariants. */
static void random_lives(void **state)
{
	struct prng p = prng_seeded();
	struct rollout *before = calloc(1, sizeof(*before));

	UNUSED(state);
	assert_non_null(before);
	for (int round = 0; round < 4000; round++) {
		struct rollout *r =
		    fresh(round % 3 == 0 ? PLAN_ROLLBACK : PLAN_PROMOTE, (enum on_failure)(round % 3));
		bool aborted = false, ended = false;

		feed(r, ROLLOUT_EV_START);
		for (int i = 0; i < 40; i++) {
			struct reaction rx;
			int n_live = 0;

			*before = *r;
			if (prng_below(&p, 2) == 0) {
				enum decision_kind k =
				    (enum decision_kind)prng_below(&p, DECISION_KIND_COUNT);
				int step = (int)prng_below(&p, (size_t)r->n_steps + 2);
				struct decision d = said(k, step);
				struct reaction judged = rollout_judge(r, &d);
				int target = step > 0 ? step - 1 : r->at_step;

				assert_memory_equal(before, r, sizeof(*r));
				rx = rollout_decide(r, &d, 3000 + i);
				assert_true(rx.cell == judged.cell ||
				            (judged.cell == CELL_DOES && rx.cell == CELL_LATER));
				if (rx.cell == CELL_REFUSED || rx.cell == CELL_IGNORED) {
					assert_memory_equal(before, r, sizeof(*r));
					assert_int_equal(rx.effect, EFFECT_NONE);
					if (rx.cell == CELL_REFUSED)
						assert_non_null(rx.why);
				} else if (k == DECISION_RETRY) {
					enum step_state s = before->runs[before->at_step].state;

					assert_int_equal(before->state, ROLLOUT_PAUSED);
					assert_true(s == STEP_STATE_FAILED || s == STEP_STATE_UNKNOWN);
				} else if (k == DECISION_SKIP) {
					assert_false(step_required(before->steps[target].kind));
					assert_true(before->runs[target].state != STEP_DONE);
				} else if (k == DECISION_ABORT && before->state != ROLLOUT_ENDED) {
					aborted = true;
				}
			} else {
				static const enum rollout_event events[] = {
				    ROLLOUT_EV_OP_OK,      ROLLOUT_EV_OP_OK,      ROLLOUT_EV_OP_FAILED,
				    ROLLOUT_EV_OP_ERRORED, ROLLOUT_EV_OP_UNKNOWN, ROLLOUT_EV_DEADLINE,
				    ROLLOUT_EV_START,      ROLLOUT_EV_GATE_LOST};

				rx = feed(r, events[prng_below(&p, ARRAY_LEN(events))]);
			}
			for (int k = 0; k < r->n_steps; k++) {
				n_live += r->runs[k].state == STEP_RUNS;
				/* What is required is never left out, what is done stays done. */
				assert_true(r->runs[k].state != STEP_SKIPPED ||
				            !step_required(r->steps[k].kind));
				assert_true(before->runs[k].state != STEP_DONE ||
				            r->runs[k].state == STEP_DONE || r->runs[k].state == STEP_UNDONE);
			}
			assert_true(n_live <= 1);
			/* After an abort nothing begins: what runs may end or be asked about. */
			if (aborted && before->abort_wanted)
				assert_true(rx.effect != EFFECT_REVERT && rx.effect != EFFECT_RUN_STEP);
			if (ended)
				assert_memory_equal(before, r, sizeof(*r));
			ended = r->state == ROLLOUT_ENDED;
		}
		free(r);
	}
	free(before);
}

static void broken_texts_are_refused(void **state)
{
	static const char *const texts[] = {
	    "{}",
	    "[]",
	    "{\"kind\":\"promote\",\"state\":\"running\",\"on_failure\":\"pause\",\"at_step\":0,\"steps\":[]"
	    "}",
	    "{\"kind\":\"promote\",\"state\":\"running\",\"on_failure\":\"pause\",\"at_step\":9,\"steps\":[{"
	    "\"kind\":\"lock\","
	    "\"class\":\"keyed\",\"state\":\"waits\"}]}",
	    "{\"kind\":\"promote\",\"state\":\"running\",\"on_failure\":\"pause\",\"at_step\":0,\"steps\":[{"
	    "\"kind\":\"dance\"}]}",
	};
	struct rollout *r = calloc(1, sizeof(*r));

	UNUSED(state);
	assert_non_null(r);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct arena a;
		struct jv *v;
		struct error e;

		arena_init(&a, ARENA_DEFAULT_MAX);
		assert_int_equal(jv_parse(&a, texts[i], strlen(texts[i]), &v, &e), 0);
		assert_int_not_equal(rollout_from_jv(v, r, &e), 0);
		arena_release(&a);
	}
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_cell_is_empty),
	    cmocka_unit_test(stopping_is_possible),
	    cmocka_unit_test(straight_to_the_end),
	    cmocka_unit_test(failure_policies),
	    cmocka_unit_test(errored_is_tried_again_then_paused),
	    cmocka_unit_test(unknown_is_never_repeated_blindly),
	    cmocka_unit_test(hold_and_abort_wait_for_the_step),
	    cmocka_unit_test(every_prefix_is_enough),
	    cmocka_unit_test(no_live_state_without_exit),
	    cmocka_unit_test(retry_only_what_failed),
	    cmocka_unit_test(skip_only_what_is_not_required),
	    cmocka_unit_test(full_leaves_out_the_rest),
	    cmocka_unit_test(withdrawn_at_each_step),
	    cmocka_unit_test(random_lives),
	    cmocka_unit_test(broken_texts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
