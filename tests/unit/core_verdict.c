/* Schema verdicts: can an older release run on the database as it is? */
#include "core/verdict.h"
#include "tests/lib/cm.h"

#include <stdio.h>

/* "name:state:kind" words make a set; state is one letter of applied, pending, failed, running, Modified, missing x,
 * unknown; a capital X is an external row. */
static struct migration_set *set_of(const char *words)
{
	struct migration_set *set = migration_set_new(16);
	int n = 0;

	for (const char *p = words; *p != '\0'; n++) {
		struct migration *m = &set->items[n];
		char name[32], state, kind;
		int used = 0;

		assert_int_equal(sscanf(p, "%31[^:]:%c:%c%n", name, &state, &kind, &used), 3);
		snprintf(m->name, sizeof(m->name), "%s", name);
		m->state = state == 'a' || state == 'X'   ? MIGRATION_APPLIED
		           : state == 'p'                 ? MIGRATION_PENDING
		           : state == 'f'                 ? MIGRATION_FAILED
		           : state == 'r'                 ? MIGRATION_RUNNING
		           : state == 'M'                 ? MIGRATION_MODIFIED
		           : state == 'x' || state == 'l' ? MIGRATION_MISSING
		                                          : MIGRATION_UNKNOWN;
		m->external = state == 'X' || state == 'l';
		m->kind = kind == 'e'   ? MIGRATION_EXPAND
		          : kind == 'd' ? MIGRATION_DATA
		          : kind == 'c' ? MIGRATION_CONTRACT
		          : kind == 'm' ? MIGRATION_MIXED
		                        : MIGRATION_OPAQUE;
		p += used;
		while (*p == ' ')
			p++;
	}
	set->n_items = n;
	migration_set_count(set);
	return set;
}

static void expect(const char *older, const char *now, enum schema_verdict want, const char *names)
{
	struct migration_set *a = older != NULL ? set_of(older) : NULL, *b = now != NULL ? set_of(now) : NULL;
	char text[TEXT_LEN];
	enum schema_verdict got = verdict_for(a, b, text, sizeof(text));

	if (got != want || strstr(text, names) == NULL)
		fail_msg("%s | %s: %s \"%s\"", older, now, schema_verdict_name(got), text);
	migration_set_free(a);
	migration_set_free(b);
}

static void verdicts(void **state)
{
	UNUSED(state);
	expect("1:a:e 2:a:e", "1:a:e 2:a:e", SCHEMA_SAME, "");
	expect("1:a:e 2:x:o", "1:a:e 2:a:e", SCHEMA_ADDITIVE, "1 newer migration only adds");
	expect("1:a:e 2:x:o 3:x:o", "1:a:e 2:a:e 3:a:d", SCHEMA_ADDITIVE, "2 newer");
	expect("1:a:e 2:x:o 3:x:o", "1:a:e 2:a:e 3:a:c", SCHEMA_BREAKS, "3 ");
	expect("1:a:e 2:x:o", "1:a:e 2:a:m", SCHEMA_BREAKS, "2 ");
	expect("1:a:e 2:x:o", "1:a:e 2:a:o", SCHEMA_UNKNOWN, "2 ");
	expect("1:a:e 2:x:o", "1:a:e", SCHEMA_UNKNOWN, "2 ");
	expect("1:a:e 2:x:o", NULL, SCHEMA_UNKNOWN, "2 ");
	expect(NULL, "1:a:e", SCHEMA_UNKNOWN, "");
	expect("1:a:e 2:p:e", "1:a:e", SCHEMA_BEHIND, "2,");
	expect("1:a:e 2:p:e 3:p:e", "1:a:e", SCHEMA_BEHIND, "1 more");
	expect("1:a:e 2:f:e", "1:a:e 2:f:e", SCHEMA_UNKNOWN, "half changed");
	expect("1:a:e 2:r:e", "1:a:e 2:r:e", SCHEMA_UNKNOWN, "half changed");
	expect("1:a:e 2:u:e", "1:a:e", SCHEMA_UNKNOWN, "2 ");
}

/* Rows of packages outside the tree, and what a squash left, are lived with by both releases. */
static void strangers(void **state)
{
	UNUSED(state);
	expect("1:a:e auth.1:X:o", "1:a:e auth.1:X:o", SCHEMA_SAME, "");
	expect("1:a:e s.1:l:o", "1:a:e s.1:l:o", SCHEMA_SAME, "");
	/* An app that only the newer release has looks external to the older one. */
	expect("1:a:e new.1:X:o", "1:a:e new.1:a:e", SCHEMA_ADDITIVE, "1 newer");
	expect("1:a:e new.1:X:o", "1:a:e new.1:a:c", SCHEMA_BREAKS, "new.1");
	/* Modified ones are applied. */
	expect("1:M:e", "1:M:e", SCHEMA_SAME, "");
}

/* destructive counts whatever the kind says. */
static void destructive_counts(void **state)
{
	struct migration_set *older = set_of("1:a:e 2:x:o"), *now = set_of("1:a:e 2:a:e");
	char text[TEXT_LEN];

	UNUSED(state);
	now->items[1].destructive = true;
	assert_int_equal(verdict_for(older, now, text, sizeof(text)), SCHEMA_BREAKS);
	migration_set_free(older);
	migration_set_free(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(verdicts),
	    cmocka_unit_test(strangers),
	    cmocka_unit_test(destructive_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
