/* What a console says of itself, and what it tells its person of others. */
#include "tests/lib/cm.h"
#include "tests/lib/world.h"

#include <string.h>

static struct world *fresh(void)
{
	struct world *w = world_new(24, 80, GLYPHS_ASCII, 0);
	free(world_draw(w));
	return w;
}

static struct presence_row said(struct world *w)
{
	struct presence_row p;
	assert_true(ui_presence(w->ui, w->model, &p));
	return p;
}

static void test_says_what_is_on_screen(void **state)
{
	struct world *w = fresh();
	UNUSED(state);
	assert_int_equal(said(w).view, PRESENCE_BOARD);
	assert_string_equal(said(w).service, "");
	world_keys(w, "P");
	/* The plan is still being made: the place is known. */
	struct presence_row p = said(w);
	assert_int_equal(p.view, PRESENCE_PLAN);
	assert_string_equal(p.service, w->ui->service);
	assert_string_equal(p.env, "prod");
	assert_string_equal(p.plan, "");
	world_plan(w, PLAN_PROMOTE, true);
	p = said(w);
	assert_string_equal(p.plan, w->model->plan->digest);
	assert_int_equal(p.doing, PRESENCE_LOOKS);
	assert_string_equal(p.act, "");
	world_wait(w, US_PER_S);
	world_keys(w, "x");
	p = said(w);
	assert_int_equal(p.doing, PRESENCE_TYPES);
	assert_string_equal(p.act, "promote");
	assert_string_equal(p.plan, w->model->plan->digest);
	world_wait(w, US_PER_S);
	world_key(w, "Esc");
	assert_int_equal(said(w).doing, PRESENCE_LOOKS);
	world_key(w, "Esc");
	assert_int_equal(said(w).view, PRESENCE_BOARD);
	world_free(w);
}

static void test_rollouts_and_rollbacks(void **state)
{
	struct world *w = fresh();
	UNUSED(state);
	/* A live rollout is watched; its hold is a question, wherever it is asked. */
	world_keys(w, "4H");
	world_wait(w, US_PER_S);
	struct presence_row p = said(w);
	assert_int_equal(p.view, PRESENCE_ROLLOUT);
	assert_int_equal(p.doing, PRESENCE_ASKED);
	assert_string_equal(p.rollout, "91ac");
	assert_string_equal(p.act, "hold");
	assert_string_equal(p.env, "staging");
	world_key(w, "Esc");
	free(world_draw(w));
	world_key(w, "Enter");
	p = said(w);
	assert_int_equal(p.view, PRESENCE_ROLLOUT);
	assert_int_equal(p.doing, PRESENCE_LOOKS);
	assert_string_equal(p.rollout, "91ac");
	/* The one that has ended is nothing to meet at. */
	str_copy(w->ui->rollout, sizeof w->ui->rollout, "8f31");
	w->model->store->rollouts[1].state = ROLLOUT_ENDED;
	assert_int_equal(said(w).view, PRESENCE_BOARD);
	world_keys(w, "1R");
	world_plan(w, PLAN_PROMOTE, true);
	p = said(w);
	assert_int_equal(p.view, PRESENCE_ROLLBACK);
	assert_string_equal(p.plan, ""); /* the plan that is there is another one */
	world_plan(w, PLAN_ROLLBACK, true);
	assert_string_equal(said(w).plan, w->model->plan->digest);
	world_free(w);
}

/* Who is about to promote a set is shown at each of its services. */
static void test_sets(void **state)
{
	static const char *const services[] = {"ledger", "checkout", NULL};
	static struct set_conf shop = {.name = "shop", .services = services};
	struct world *w = fresh();
	UNUSED(state);
	w->setup->sets = &shop;
	w->setup->n_sets = 1;
	world_keys(w, "P");
	world_set(w);
	world_wait(w, US_PER_S);
	world_keys(w, "x");
	struct presence_row p = said(w);
	assert_string_equal(p.service, "set:shop");
	assert_string_equal(p.env, "prod");
	assert_string_equal(p.plan, w->model->plan->digest);
	assert_int_equal(p.doing, PRESENCE_TYPES);
	assert_string_equal(p.act, "promote");
	world_wait(w, US_PER_S);
	world_key(w, "Esc");
	world_key(w, "Esc");
	/* The same said by another. */
	w->model->store->presence = calloc(1, sizeof p);
	assert_non_null(w->model->store->presence);
	w->model->store->n_presence = 1;
	p.until_us = WORLD_NOW + US_PER_H;
	str_copy(p.actor, sizeof p.actor, "bo");
	str_copy(p.session, sizeof p.session, "1@bast2");
	w->model->store->presence[0] = p;
	str_copy(w->ui->service, sizeof w->ui->service, "ledger");
	str_copy(w->ui->lists[SCREEN_BOARD].cursor, NAME_LEN, "ledger");
	char *text = world_draw(w);
	assert_non_null(strstr(text, "! bo is about to promote the set shop > prod (typing the token)"));
	int marks = 0;
	for (const char *at = text; (at = strstr(at, "@!")); at++)
		marks++;
	assert_int_equal(marks, 2);
	free(text);
	world_free(w);
}

static void test_nobody_sits_there(void **state)
{
	struct world *w = fresh();
	struct presence_row p;
	UNUSED(state);
	world_keys(w, "P");
	w->ui->idle = true;
	assert_false(ui_presence(w->ui, w->model, &p));
	world_free(w);
}

static void test_tells_of_who_comes(void **state)
{
	struct world *w = fresh();
	UNUSED(state);
	world_keys(w, "P");
	world_plan(w, PLAN_PROMOTE, true);
	world_presence(w, false);
	assert_non_null(strstr(w->ui->notice, "came to look at this plan"));
	assert_int_equal(w->ui->notice_kind, MESSAGE_INFO);
	/* Told once. */
	w->ui->notice[0] = '\0';
	world_tell(w, TOPIC_ROLLOUTS);
	assert_string_equal(w->ui->notice, "");
	/* About to act is told of anybody at the place, and is stronger. */
	world_presence(w, true);
	assert_string_equal(w->ui->notice, "bo is about to promote this (typing the token)");
	assert_int_equal(w->ui->notice_kind, MESSAGE_WARN);
	w->ui->notice[0] = '\0';
	world_tell(w, TOPIC_ROLLOUTS);
	assert_string_equal(w->ui->notice, "");
	/* cy, who has another plan for the same place. */
	w->model->store->presence[1].doing = PRESENCE_TYPES;
	str_copy(w->model->store->presence[1].act, NAME_LEN, "roll back");
	world_tell(w, TOPIC_ROLLOUTS);
	assert_string_equal(w->ui->notice, "cy is about to roll back checkout > prod (typing the token)");
	/* What a warning says is not covered by somebody who only looks. */
	w->model->store->n_presence = 0;
	world_tell(w, TOPIC_ROLLOUTS);
	world_presence(w, false);
	assert_int_equal(w->ui->notice_kind, MESSAGE_WARN);
	/* Who was there before one came is on the screen and no news. */
	world_key(w, "Esc");
	world_keys(w, "P");
	world_plan(w, PLAN_PROMOTE, true);
	w->ui->notice[0] = '\0';
	world_tell(w, TOPIC_ROLLOUTS);
	assert_string_equal(w->ui->notice, "");
	world_free(w);
}

static void test_elsewhere_is_quiet(void **state)
{
	struct world *w = fresh();
	UNUSED(state);
	world_presence(w, true);
	assert_string_equal(w->ui->notice, "");
	char *text = world_draw(w);
	assert_non_null(strstr(text, "@!"));
	free(text);
	world_free(w);
}

static void test_take_over_asks_for_the_person(void **state)
{
	struct world *w = fresh();
	UNUSED(state);
	struct rollout *r = &w->model->store->rollouts[0];
	str_copy(r->requester, sizeof r->requester, "bo");
	world_presence(w, false);
	world_keys(w, "4K");
	assert_non_null(strstr(w->ui->notice, "alive"));
	assert_non_null(strstr(w->ui->notice, "bo seen 12s ago on bast2"));
	r->orphaned = true;
	world_keys(w, "K");
	char *text = world_draw(w);
	assert_non_null(strstr(text, "TAKE OVER"));
	assert_non_null(strstr(text, "bo seen 12s ago on bast2"));
	free(text);
	world_key(w, "Esc");
	w->model->store->n_presence = 0;
	world_keys(w, "K");
	text = world_draw(w);
	assert_non_null(strstr(text, "no console of bo is known to be open"));
	free(text);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_says_what_is_on_screen),
	    cmocka_unit_test(test_rollouts_and_rollbacks),
	    cmocka_unit_test(test_nobody_sits_there),
	    cmocka_unit_test(test_sets),
	    cmocka_unit_test(test_tells_of_who_comes),
	    cmocka_unit_test(test_elsewhere_is_quiet),
	    cmocka_unit_test(test_take_over_asks_for_the_person),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
