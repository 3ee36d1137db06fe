#include "core/commit.h"
#include "core/text.h"
#include "tests/lib/cm.h"

#include <stdio.h>

static struct commit parse(const char *message)
{
	struct commit c = {.breaking = true};

	commit_parse(message, strlen(message), &c);
	return c;
}

static void reads_the_convention(void **state)
{
	static const struct {
		const char *message;
		enum commit_kind kind;
		const char *scope, *subject;
		bool breaking;
	} rows[] = {
	    {"feat: add cart", COMMIT_FEAT, "", "add cart", false},
	    {"feat(cart): add", COMMIT_FEAT, "cart", "add", false},
	    {"feat(cart)!: add", COMMIT_FEAT, "cart", "add", true},
	    {"fix!: it", COMMIT_FIX, "", "it", true},
	    {"FIX: it", COMMIT_FIX, "", "it", false},
	    {"perf(db/pool): faster\r\n\r\nbody", COMMIT_PERF, "db/pool", "faster", false},
	    {"refactor: a\n\nBREAKING CHANGE: b goes", COMMIT_REFACTOR, "", "a", true},
	    {"refactor: a\n\nBREAKING-CHANGE: b goes\n", COMMIT_REFACTOR, "", "a", true},
	    {"refactor: a\n\nnot BREAKING CHANGE: b", COMMIT_REFACTOR, "", "a", false},
	    {"ci: run", COMMIT_BUILD, "", "run", false},
	    {"Revert \"feat: add cart\"\n\nThis reverts", COMMIT_REVERT, "", "Revert \"feat: add cart\"",
	     false},
	    {"revert: feat: x", COMMIT_REVERT, "", "feat: x", false},
	    {"Merge branch 'x'", COMMIT_OTHER, "", "Merge branch 'x'", false},
	    {"Note: the kind is no kind", COMMIT_OTHER, "", "Note: the kind is no kind", false},
	    {"feat:no blank", COMMIT_OTHER, "", "feat:no blank", false},
	    {"feat(open: x", COMMIT_OTHER, "", "feat(open: x", false},
	    {"feat", COMMIT_OTHER, "", "feat", false},
	    {"", COMMIT_OTHER, "", "", false},
	    {"\n\n  fix: after blanks", COMMIT_FIX, "", "after blanks", false},
	    {"fix:   wide", COMMIT_FIX, "", "wide", false},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct commit c = parse(rows[i].message);

		assert_int_equal(c.kind, rows[i].kind);
		assert_string_equal(c.scope, rows[i].scope);
		assert_string_equal(c.subject, rows[i].subject);
		assert_int_equal(c.breaking, rows[i].breaking);
	}
}

static void hostile_messages_come_out_clean(void **state)
{
	struct prng p = prng_seeded();
	char message[400];

	UNUSED(state);
	for (int round = 0; round < 2000; round++) {
		struct commit c;
		size_t n = prng_next(&p) % sizeof(message);

		for (size_t i = 0; i < n; i++)
			message[i] = (char)prng_next(&p);
		if (n > 8 && round % 2 == 0)
			memcpy(message, "feat(a):", 8);
		commit_parse(message, n, &c);
		assert_true(text_is_clean(c.subject, strlen(c.subject)));
		assert_true(text_is_clean(c.scope, strlen(c.scope)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_the_convention),
	    cmocka_unit_test(hostile_messages_come_out_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
