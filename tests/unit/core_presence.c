/* Who is here: what is shown to whom, in which order, in which words. */
#include "core/presence.h"
#include "tests/lib/cm.h"

#include <string.h>

#define NOW_US (1000 * US_PER_S)

static struct presence_row rows[32];
static int n_rows;
static struct presence_place at;

static struct presence_row *here(const char *actor, const char *session, enum presence_view view)
{
	struct presence_row *p = &rows[n_rows++];

	*p = (struct presence_row){.view = view,
	                           .since_us = NOW_US - 2 * US_PER_MIN,
	                           .seen_us = NOW_US - 12 * US_PER_S,
	                           .until_us = NOW_US + US_PER_S};
	str_copy(p->actor, sizeof(p->actor), actor);
	str_copy(p->session, sizeof(p->session), session);
	str_copy(p->host, sizeof(p->host), "bast1");
	if (view != PRESENCE_BOARD) {
		str_copy(p->service, sizeof(p->service), "web");
		str_copy(p->env, sizeof(p->env), "prod");
	}
	if (view == PRESENCE_PLAN)
		str_copy(p->plan, sizeof(p->plan), "sha256:a");
	if (view == PRESENCE_ROLLOUT)
		str_copy(p->rollout, sizeof(p->rollout), "91ac");
	return p;
}

static void acts(struct presence_row *p, enum presence_doing doing, const char *act)
{
	p->doing = doing;
	str_copy(p->act, sizeof(p->act), act);
}

static int fresh(void **state)
{
	UNUSED(state);
	n_rows = 0;
	at = (struct presence_place){.session = "me",
	                             .actor = "ann",
	                             .service = "web",
	                             .env = "prod",
	                             .plan = "sha256:a",
	                             .rollout = "",
	                             .now_us = NOW_US};
	return 0;
}

static const char *text_of(const struct presence_row *p, bool same)
{
	static char text[TEXT_LEN];

	presence_text(&(struct presence_seen){p, same}, &at, text, sizeof(text));
	return text;
}

static void only_others_at_the_place(void **state)
{
	struct presence_seen seen[4];
	struct presence_row *p;

	UNUSED(state);
	here("ann", "me", PRESENCE_PLAN);
	here("bo", "1", PRESENCE_BOARD);
	p = here("bo", "2", PRESENCE_PLAN);
	str_copy(p->env, sizeof(p->env), "staging");
	p = here("bo", "3", PRESENCE_PLAN);
	str_copy(p->service, sizeof(p->service), "api");
	here("bo", "4", PRESENCE_PLAN)->until_us = NOW_US - 2 * US_PER_S;
	assert_int_equal(presence_around(rows, n_rows, &at, seen, 4), 0);
	here("bo", "5", PRESENCE_PLAN);
	here("ann", "6", PRESENCE_PLAN);
	assert_int_equal(presence_around(rows, n_rows, &at, seen, 4), 2);
	/* Whoever reads again in time sees no flicker. */
	rows[n_rows - 1].until_us = NOW_US - US_PER_S;
	assert_int_equal(presence_around(rows, n_rows, &at, seen, 4), 2);
}

static void nearest_to_acting_first(void **state)
{
	static const char *const order[] = {"types", "asked", "same", "first", "other", "ann"};
	struct presence_seen seen[8];

	UNUSED(state);
	for (int turned = 0; turned < 2; turned++) {
		n_rows = 0;
		for (int i = 0; i < 6; i++) {
			const char *who = order[turned ? 5 - i : i];
			struct presence_row *p = here(who, who, PRESENCE_PLAN);

			if (strcmp(who, "types") == 0)
				acts(p, PRESENCE_TYPES, "promote");
			else if (strcmp(who, "asked") == 0)
				acts(p, PRESENCE_ASKED, "promote");
			if (strcmp(who, "same") != 0 && strcmp(who, "ann") != 0)
				str_copy(p->plan, sizeof(p->plan), "sha256:b");
			if (strcmp(who, "first") == 0)
				p->since_us -= 1;
		}
		for (int cap = 0; cap <= 8; cap++) {
			assert_int_equal(presence_around(rows, n_rows, &at, seen, cap), 6);
			for (int i = 0; i < cap && i < 6; i++) {
				assert_string_equal(seen[i].row->actor, order[i]);
				assert_int_equal(seen[i].same, i == 2 || i == 5);
			}
		}
	}
}

static void in_words(void **state)
{
	struct presence_row *p;
	char text[TEXT_LEN];

	UNUSED(state);
	p = here("bo", "1", PRESENCE_PLAN);
	assert_string_equal(text_of(p, true), "bo looks at this plan, 2m");
	assert_string_equal(text_of(p, false), "bo looks at another plan for web > prod, 2m");
	p->since_us = NOW_US - 59 * US_PER_S;
	assert_string_equal(text_of(p, true), "bo looks at this plan");
	acts(p, PRESENCE_TYPES, "promote");
	assert_string_equal(text_of(p, true), "bo is about to promote this (typing the token)");
	acts(p, PRESENCE_ASKED, "roll back");
	assert_string_equal(text_of(p, false), "bo is about to roll back web > prod (the question is open)");
	presence_what(p, text, sizeof(text));
	assert_string_equal(text, "is about to roll back web > prod (the question is open)");
	p = here("bo", "2", PRESENCE_ROLLBACK);
	assert_string_equal(text_of(p, false), "bo looks for a release to go back to, 2m");
	presence_what(p, text, sizeof(text));
	assert_string_equal(text, "looks for a release to go back to in web > prod");
	p = here("bo", "3", PRESENCE_ROLLOUT);
	assert_string_equal(text_of(p, true), "bo watches this rollout, 2m");
	assert_string_equal(text_of(p, false), "bo watches rollout 91ac, 2m");
	p = here("bo", "4", PRESENCE_BOARD);
	presence_what(p, text, sizeof(text));
	assert_string_equal(text, "has the console open");
	/* One's own other console. */
	p = here("ann", "5", PRESENCE_PLAN);
	assert_string_equal(text_of(p, true), "you on bast1 look at this plan, 2m");
	acts(p, PRESENCE_TYPES, "promote");
	assert_string_equal(text_of(p, true), "you on bast1 are about to promote this (typing the token)");
}

static void last_seen(void **state)
{
	struct presence_row *p;
	char text[TEXT_LEN];

	UNUSED(state);
	here("ann", "1", PRESENCE_BOARD)->seen_us -= 60 * US_PER_S;
	p = here("ann", "2", PRESENCE_PLAN);
	str_copy(p->host, sizeof(p->host), "bastion1");
	here("ann", "3", PRESENCE_PLAN)->seen_us -= 30 * US_PER_S;
	presence_last_text(rows, n_rows, "ann", NOW_US, text, sizeof(text));
	assert_string_equal(text, "ann seen 12s ago on bastion1");
	presence_last_text(rows, n_rows, "bo", NOW_US, text, sizeof(text));
	assert_string_equal(text, "no console of bo is known to be open");
	presence_last_text(rows, n_rows, "ann", NOW_US + US_PER_MIN, text, sizeof(text));
	assert_string_equal(text, "no console of ann is known to be open");
}

/* A set is at every place of its services in that environment, and they are at its. */
static void sets_are_where_their_services_are(void **state)
{
	static struct service_conf services[] = {{.name = "web"}, {.name = "api"}, {.name = "mail"}};
	static const char *const of_shop[] = {"web", "api", NULL}, *const of_post[] = {"mail", NULL};
	static struct set_conf sets[] = {{.name = "shop", .services = of_shop},
	                                 {.name = "post", .services = of_post}};
	static const struct {
		const char *row, *env, *at;
		bool there;
	} cases[] = {{"set:shop", "prod", "web", true},       {"set:shop", "prod", "mail", false},
	             {"set:shop", "staging", "web", false},   {"web", "prod", "set:shop", true},
	             {"mail", "prod", "set:shop", false},     {"set:shop", "prod", "set:shop", true},
	             {"set:post", "prod", "set:shop", false}, {"set:api,mail", "prod", "set:shop", true},
	             {"set:gone", "prod", "web", false},      {"gone", "prod", "set:shop", false}};
	struct setup setup = {.services = services, .n_services = 3, .sets = sets, .n_sets = 2};
	struct presence_seen seen[1];
	struct presence_row *p;

	UNUSED(state);
	at.setup = &setup;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		n_rows = 0;
		p = here("bo", "1", PRESENCE_PLAN);
		str_copy(p->service, sizeof(p->service), cases[i].row);
		str_copy(p->env, sizeof(p->env), cases[i].env);
		at.service = cases[i].at;
		assert_int_equal(presence_around(rows, n_rows, &at, seen, 1), cases[i].there);
	}
	n_rows = 0;
	p = here("bo", "1", PRESENCE_PLAN);
	str_copy(p->service, sizeof(p->service), "set:shop");
	acts(p, PRESENCE_TYPES, "promote");
	assert_string_equal(text_of(p, false),
	                    "bo is about to promote the set shop > prod (typing the token)");
}

/* What comes back is what was said; foreign bytes are made clean, unknown words mean the least. */
static void as_json(void **state)
{
	struct presence_row *p, back;
	struct arena a;
	struct jv *v;

	UNUSED(state);
	arena_init(&a, ARENA_DEFAULT_MAX);
	for (int view = 0; view < PRESENCE_VIEW_COUNT; view++) {
		n_rows = 0;
		p = here("bo", "1", (enum presence_view)view);
		acts(p, (enum presence_doing)(view % PRESENCE_DOING_COUNT), "promote");
		presence_from_jv(presence_to_jv(&a, p), &back);
		assert_memory_equal(p, &back, sizeof(back));
		assert_true(presence_same(p, &back));
	}
	back.doing = PRESENCE_ASKED;
	assert_false(presence_same(p, &back));
	v = jv_obj(&a);
	jv_set_str(&a, v, "actor", "b\033[1mo");
	jv_set_str(&a, v, "view", "dream");
	jv_set_str(&a, v, "doing", "sleeps");
	presence_from_jv(v, &back);
	assert_null(strchr(back.actor, '\033'));
	assert_int_equal(back.view, PRESENCE_BOARD);
	assert_int_equal(back.doing, PRESENCE_LOOKS);
	arena_release(&a);
}

#define TEST(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(only_others_at_the_place),
	    TEST(nearest_to_acting_first),
	    TEST(in_words),
	    TEST(last_seen),
	    TEST(sets_are_where_their_services_are),
	    TEST(as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
