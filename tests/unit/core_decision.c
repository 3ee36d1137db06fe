/* Decisions by name, and the hash of an audit row: every field counts, and what stands before it. */
#include "core/decision.h"
#include "tests/lib/cm.h"

static struct audit_row row_make(void)
{
	struct audit_row r = {.seq = 2,
	                      .at_us = 1000,
	                      .actor = "anna",
	                      .host = "box",
	                      .verb = "promote",
	                      .target = "web/prod",
	                      .result = "ok",
	                      .text = "why",
	                      .prev = "sha256:before"};

	return r;
}

static void names_come_back(void **state)
{
	enum decision_kind k;

	UNUSED(state);
	for (int i = 0; i < DECISION_KIND_COUNT; i++) {
		assert_true(decision_kind_parse(decision_kind_name((enum decision_kind)i), &k));
		assert_int_equal(k, i);
	}
	assert_false(decision_kind_parse("dance", &k));
	assert_string_equal(decision_kind_name(DECISION_KIND_COUNT), "?");
}

static void every_field_is_hashed(void **state)
{
	char base[DIGEST_LEN], other[DIGEST_LEN];
	struct audit_row r = row_make();

	UNUSED(state);
	audit_hash(&r, base);
	/* The canonical text of this row, hashed by sha256sum: the format must not drift between versions. */
	assert_string_equal(base, "sha256:2a2e643771008dc9ef9e6b81595c0a0dea52562fd800e9f4deadf4cd5a2fa4da");
	assert_int_equal(strlen(base), strlen("sha256:") + 64);
	audit_hash(&r, other);
	assert_string_equal(base, other);
	for (int i = 0; i < 9; i++) {
		r = row_make();
		switch (i) {
		case 0: r.seq++; break;
		case 1: r.at_us++; break;
		case 2: r.actor[0] = 'b'; break;
		case 3: r.host[0] = 'x'; break;
		case 4: r.verb[0] = 'x'; break;
		case 5: r.target[0] = 'x'; break;
		case 6: r.result[0] = 'x'; break;
		case 7: r.text[0] = 'x'; break;
		default: r.prev[8] = 'x'; break;
		}
		audit_hash(&r, other);
		assert_string_not_equal(base, other);
	}
	/* The hash itself is not covered by itself, and no text can slide from one field into the next. */
	r = row_make();
	str_copy(r.hash, sizeof(r.hash), "anything");
	audit_hash(&r, other);
	assert_string_equal(base, other);
	str_copy(r.actor, sizeof(r.actor), "ann");
	str_copy(r.host, sizeof(r.host), "abox");
	audit_hash(&r, other);
	assert_string_not_equal(base, other);
}

/* What a store keeps as JSON comes back whole, and clean; a kind of a later version is said to be one. */
static void json_comes_back(void **state)
{
	struct decision d = {.seq = 7,
	                     .kind = DECISION_FREEZE,
	                     .actor = "anna",
	                     .host = "box",
	                     .at_us = 5,
	                     .plan = "sha256:p",
	                     .rollout = "r1",
	                     .service = "web",
	                     .env = "prod",
	                     .reason = "a \"quoted\" reason",
	                     .release = "sha256:r",
	                     .until_us = 9};
	struct decision back;
	struct arena a;
	struct error e;
	struct jv *v;

	UNUSED(state);
	arena_init(&a, ARENA_DEFAULT_MAX);
	v = decision_to_jv(&a, &d);
	assert_int_equal(decision_from_jv(v, &back, &e), 0);
	assert_memory_equal(&back, &d, sizeof(d));
	jv_set_str(&a, v, "reason", "red \033[31m");
	assert_int_equal(decision_from_jv(v, &back, &e), 0);
	assert_null(strchr(back.reason, '\033'));
	jv_set_str(&a, v, "kind", "dance");
	assert_int_equal(decision_from_jv(v, &back, &e), ERR_UNSUPPORTED);
	arena_release(&a);
}

/* Every kind has its row: a family, somebody who may decide it, a topic exactly where places need one. */
static void every_kind_has_a_rule(void **state)
{
	struct arena a;
	struct jv *list;

	UNUSED(state);
	arena_init(&a, ARENA_DEFAULT_MAX);
	list = decision_rules_to_jv(&a);
	assert_int_equal(jv_len(list), DECISION_KIND_COUNT);
	for (int i = 0; i < DECISION_KIND_COUNT; i++) {
		const struct decision_rule *r = decision_rule((enum decision_kind)i);
		const struct jv *v = jv_at(list, (size_t)i);

		assert_true(r->name != NULL && r->name[0] != '\0' && strlen(r->name) < NAME_LEN);
		assert_true(r->roles != 0 && r->roles < 1u << STORE_ROLE_COUNT);
		assert_int_equal(r->roles & STORE_VIEWER, 0);
		assert_int_equal(r->topic[0] != '\0', r->family == FAMILY_PLACE);
		/* A word on a plan or a rollout is kept with it. */
		assert_int_equal(r->family == FAMILY_VERDICT, r->target == TARGET_PLAN);
		assert_int_equal(r->family == FAMILY_STEER, r->target == TARGET_ROLLOUT);
		assert_true(r->text != NULL && r->text[strlen(r->text) - 1] == '.');
		assert_true(r->tier >= TIER_T1 && r->tier <= TIER_T4);
		assert_string_equal(jv_get_text(v, "kind", ""), r->name);
		assert_string_equal(jv_get_text(v, "family", ""), decision_family_name(r->family));
		assert_true(jv_len(jv_get(v, "roles")) > 0);
	}
	/* Who approves is no operator's business: that would be two eyes. */
	assert_int_equal(decision_rule(DECISION_APPROVE)->roles, STORE_APPROVER);
	assert_null(decision_rule(DECISION_KIND_COUNT));
	arena_release(&a);
}

/* Stopping harm is cheap: one key, for whoever may decide anything; what lifts a stop asks for more. */
static void stopping_is_cheap(void **state)
{
	static const enum decision_kind stops[] = {DECISION_HOLD,   DECISION_ABORT,    DECISION_REJECT,
	                                           DECISION_FREEZE, DECISION_STOP,     DECISION_SEAL,
	                                           DECISION_LOCK,   DECISION_WITHDRAW, DECISION_PIN};
	static const enum decision_kind goes[] = {DECISION_CONTINUE, DECISION_RETRY,    DECISION_SKIP,
	                                          DECISION_FULL,     DECISION_UNFREEZE, DECISION_UNLOCK,
	                                          DECISION_UNPIN,    DECISION_RESUME,   DECISION_BREAK_GLASS,
	                                          DECISION_SECOND,   DECISION_APPROVE,  DECISION_UNMARK};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(stops); i++)
		assert_int_equal(decision_rule(stops[i])->tier, TIER_T1);
	for (size_t i = 0; i < ARRAY_LEN(goes); i++)
		assert_true(decision_rule(goes[i])->tier >= TIER_T2);
	assert_int_equal(decision_rule(DECISION_STOP)->roles & STORE_OPERATOR, STORE_OPERATOR);
	assert_int_equal(decision_rule(DECISION_RESUME)->roles, STORE_ADMIN);
}

static void what_a_row_lacks(void **state)
{
	static char armor[] = "x";
	struct decision d = {.kind = DECISION_MARK_BAD, .service = "web", .reason = "slow"};

	UNUSED(state);
	assert_non_null(decision_lacks(&d));
	str_copy(d.release, sizeof(d.release), "sha256:a");
	assert_null(decision_lacks(&d));
	d.reason[0] = '\0';
	assert_string_equal(decision_lacks(&d), "it needs a reason");
	for (int i = 0; i < DECISION_KIND_COUNT; i++) {
		struct decision bare = {.kind = (enum decision_kind)i};
		bool none = decision_rule(bare.kind)->target == TARGET_EVERYWHERE;

		str_copy(bare.reason, sizeof(bare.reason), "because");
		assert_int_equal(decision_lacks(&bare) == NULL, none);
	}
	d = (struct decision){.kind = DECISION_APPROVE, .plan = "sha256:p", .signature = armor};
	assert_non_null(decision_lacks(&d));
	str_copy(d.nonce, sizeof(d.nonce), "1");
	assert_null(decision_lacks(&d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_come_back),       cmocka_unit_test(json_comes_back),
	    cmocka_unit_test(every_kind_has_a_rule), cmocka_unit_test(stopping_is_cheap),
	    cmocka_unit_test(what_a_row_lacks),      cmocka_unit_test(every_field_is_hashed)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
