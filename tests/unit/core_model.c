/* The model: events in, topics out; health, board cells and badges follow from what was seen. */
#include "config/config.h"
#include "core/model_apply.h"
#include "tests/lib/config_drivers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW (1700000000 * US_PER_S)

static const char yaml[] =
    "name: acme\n"
    "store: {driver: sqlite, path: s}\n"
    "environments:\n"
    "  - {name: dev, short: dev, tier: 1}\n"
    "  - {name: prod, short: prod, tier: 3, production: true}\n"
    "services:\n"
    "  - name: web\n"
    "    thresholds: {errors_warn: 1, errors_fail: 5, p99_warn: 500ms, p99_fail: 2s, stale: 30s}\n"
    "    deploy: {driver: host, root: r}\n"
    "    environments:\n"
    "      dev: {instances: [{name: a, url: \"http://127.0.0.1:1\"}]}\n"
    "      prod: {instances: [{name: a, url: \"http://127.0.0.1:1\"}, {name: b, url: "
    "\"http://127.0.0.1:2\"}]}\n";

struct world {
	struct setup *setup;
	struct model *model;
};

static unsigned apply(struct world *w, struct event *e)
{
	unsigned topics;

	assert_non_null(e);
	e->generation = w->setup->generation;
	topics = model_apply(w->model, e);
	event_free(e);
	return topics;
}

static struct event *make(enum event_kind kind, int service, int env, int64_t at_us)
{
	struct event *e = event_new(kind);

	e->service = service;
	e->env = env;
	e->at_us = at_us;
	return e;
}

static int setup_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct error e = {0};
	struct event *ev;

	if (config_parse("t.yaml", "/tmp", yaml, strlen(yaml), config_test_drivers, &w->setup, &e) != 0) {
		print_message("%s:%d:%d %s\n", e.where, e.line, e.col, e.text);
		return -1;
	}
	w->setup->generation = 7;
	w->model = model_new("ann", "here");
	ev = make(EV_SETUP, -1, -1, NOW);
	ev->setup = w->setup;
	apply(w, ev);
	apply(w, make(EV_TICK, -1, -1, NOW));
	*state = w;
	return 0;
}

static int teardown_world(void **state)
{
	struct world *w = *state;

	model_free(w->model);
	setup_free(w->setup);
	free(w);
	return 0;
}

/* prod with two instances in the states given, seen now. */
static unsigned see(struct world *w, enum state a, enum state b)
{
	struct event *e = make(EV_DEPLOYED, 0, 1, NOW);
	struct event *source = make(EV_SOURCE, 0, 1, NOW);

	source->port = PORT_DEPLOY;
	source->outcome = outcome_ok();
	apply(w, source);
	e->deployed = deployed_new(2);
	str_copy(e->deployed->release.digest, DIGEST_LEN, "sha256:aa");
	str_copy(e->deployed->release.tag, TAG_LEN, "1.0.0");
	str_copy(e->deployed->instances[0].name, NAME_LEN, "a");
	str_copy(e->deployed->instances[1].name, NAME_LEN, "b");
	str_copy(e->deployed->instances[1].text, TEXT_LEN, "connection refused");
	e->deployed->instances[0].state = a;
	e->deployed->instances[1].state = b;
	return apply(w, e);
}

static void sample(struct world *w, const char *name, double v, int64_t at_us)
{
	struct event *e = make(EV_SAMPLES, 0, 1, at_us);

	e->samples = sample_set_new(1);
	str_copy(e->samples->items[0].name, KEY_LEN, name);
	e->samples->items[0].v = v;
	e->samples->items[0].t_us = at_us;
	apply(w, e);
}

static void health_follows_instances(void **state)
{
	struct world *w = *state;
	const struct deployment *d = model_deployment(w->model, 0, 1);

	assert_int_equal(board_state(w->model, 0, 1), STATE_UNKNOWN);
	assert_true(see(w, STATE_OK, STATE_OK) & TOPIC_BOARD);
	assert_int_equal(d->health, STATE_OK);
	assert_false(see(w, STATE_OK, STATE_OK) & TOPIC_BOARD);
	see(w, STATE_OK, STATE_FAILED);
	assert_int_equal(d->health, STATE_DEGRADED);
	assert_non_null(strstr(d->health_text, "1 of 2 instances down: b connection refused"));
	see(w, STATE_FAILED, STATE_FAILED);
	assert_int_equal(d->health, STATE_FAILED);
	see(w, STATE_OK, STATE_DRIFT);
	assert_int_equal(d->health, STATE_DRIFT);
	assert_int_equal(board_state(w->model, 0, 1), STATE_DRIFT);
}

static void nothing_deployed_is_not_well(void **state)
{
	struct world *w = *state;
	const struct deployment *d = model_deployment(w->model, 0, 1);
	struct event *e;

	see(w, STATE_OK, STATE_NOT_STARTED);
	assert_int_equal(d->health, STATE_DEGRADED);
	e = make(EV_DEPLOYED, 0, 1, NOW);
	e->deployed = deployed_new(1);
	e->deployed->instances[0].state = STATE_NOT_STARTED;
	apply(w, e);
	assert_int_equal(d->health, STATE_NOT_STARTED);
	assert_string_equal(d->health_text, "nothing is deployed here");
}

static void thresholds_judge_metrics(void **state)
{
	struct world *w = *state;
	const struct deployment *d = model_deployment(w->model, 0, 1);

	see(w, STATE_OK, STATE_OK);
	sample(w, "errors_pct", 0.5, NOW);
	assert_int_equal(d->health, STATE_OK);
	sample(w, "errors_pct", 2.0, NOW + 1);
	assert_int_equal(d->health, STATE_DEGRADED);
	sample(w, "errors_pct", 9.0, NOW + 2);
	assert_int_equal(d->health, STATE_FAILED);
	assert_non_null(strstr(d->health_text, "errors 9.0%"));
	sample(w, "errors_pct", 0, NOW + 3);
	sample(w, "p99_ms", 700, NOW + 3);
	assert_int_equal(d->health, STATE_DEGRADED);
	/* A measurement that is too old judges nothing. */
	apply(w, make(EV_TICK, -1, -1, NOW + 60 * US_PER_S));
	see(w, STATE_OK, STATE_OK);
	assert_int_equal(d->health, STATE_OK);
}

static void old_values_are_stale(void **state)
{
	struct world *w = *state;

	see(w, STATE_OK, STATE_OK);
	assert_int_equal(board_state(w->model, 0, 1), STATE_OK);
	apply(w, make(EV_TICK, -1, -1, NOW + 31 * US_PER_S));
	assert_int_equal(board_state(w->model, 0, 1), STATE_UNKNOWN);
}

static void restored_values_are_stale(void **state)
{
	struct world *w = *state;
	struct event *e = make(EV_DEPLOYED, 0, 1, NOW - US_PER_H);

	e->restored = true;
	e->deployed = deployed_new(0);
	str_copy(e->deployed->release.digest, DIGEST_LEN, "sha256:aa");
	apply(w, e);
	assert_int_equal(board_state(w->model, 0, 1), STATE_UNKNOWN);
	assert_string_equal(model_deployment(w->model, 0, 1)->deployed->release.digest, "sha256:aa");
}

static void failing_source_keeps_value_and_tells_once(void **state)
{
	struct world *w = *state;
	const struct deployment *d = model_deployment(w->model, 0, 1);

	see(w, STATE_OK, STATE_OK);
	for (int i = 0; i < 3; i++) {
		struct event *e = make(EV_SOURCE, 0, 1, NOW + i);

		e->port = PORT_DEPLOY;
		e->outcome = outcome_make(OUTCOME_ERRORED, "host", "permission denied");
		apply(w, e);
	}
	assert_int_equal(d->sources[PORT_DEPLOY].n_failures, 3);
	assert_true(d->sources[PORT_DEPLOY].failing_since_us == NOW);
	assert_string_equal(d->deployed->release.tag, "1.0.0");
	assert_int_equal(w->model->n_problems, 1);
	assert_string_equal(model_problem(w->model, 0)->text, "permission denied");
}

static void other_generations_are_dropped(void **state)
{
	struct world *w = *state;
	struct event *e = make(EV_DEPLOYED, 0, 1, NOW);

	e->generation = 6;
	e->deployed = deployed_new(0);
	assert_int_equal(model_apply(w->model, e), 0);
	event_free(e);
	assert_null(model_deployment(w->model, 0, 1)->deployed);
	e = make(EV_DEPLOYED, 5, 1, NOW);
	e->generation = 7;
	e->deployed = deployed_new(0);
	assert_int_equal(model_apply(w->model, e), 0);
	event_free(e);
}

static void problems_are_a_ring(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < PROBLEMS_MAX + 5; i++) {
		struct event *e = make(EV_SOURCE, 0, 1, NOW + i);

		e->port = PORT_DEPLOY;
		e->outcome = outcome_make(OUTCOME_ERRORED, "host", "error %d", i);
		apply(w, e);
	}
	assert_int_equal(w->model->n_problems, PROBLEMS_MAX);
	assert_string_equal(model_problem(w->model, 0)->text, "error 504");
	assert_string_equal(model_problem(w->model, PROBLEMS_MAX - 1)->text, "error 5");
	assert_null(model_problem(w->model, PROBLEMS_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(health_follows_instances, setup_world, teardown_world),
	    cmocka_unit_test_setup_teardown(nothing_deployed_is_not_well, setup_world, teardown_world),
	    cmocka_unit_test_setup_teardown(thresholds_judge_metrics, setup_world, teardown_world),
	    cmocka_unit_test_setup_teardown(old_values_are_stale, setup_world, teardown_world),
	    cmocka_unit_test_setup_teardown(restored_values_are_stale, setup_world, teardown_world),
	    cmocka_unit_test_setup_teardown(failing_source_keeps_value_and_tells_once, setup_world,
	                                    teardown_world),
	    cmocka_unit_test_setup_teardown(other_generations_are_dropped, setup_world, teardown_world),
	    cmocka_unit_test_setup_teardown(problems_are_a_ring, setup_world, teardown_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
