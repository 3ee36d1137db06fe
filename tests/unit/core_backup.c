/* Lists of backups: what a program prints, the newest first, bounded; what is said of them. */
#include "core/backup.h"
#include "tests/lib/cm.h"

#include <stdio.h>

static const int64_t now = 1761532200 * US_PER_S; /* 2025-10-27T02:30:00Z */

static int parse(struct backup_list *l, const char *text, struct error *e)
{
	return backup_parse(l, text, strlen(text), e);
}

static void lines(void **state)
{
	struct backup_list *l = backup_list_new();
	struct error e;

	UNUSED(state);
	assert_int_equal(parse(l,
	                       "2025-10-25T02:00:00Z 1000 night 25.dump\r\n\n"
	                       "2025-10-27T04:00:00+02:00 - base/20251027\n2025-10-26T02:00:00Z 0 empty.dump",
	                       &e),
	                 0);
	assert_int_equal(l->n_items, 3);
	assert_string_equal(l->items[0].name, "base/20251027");
	assert_true(l->items[0].at_us == now - 30 * US_PER_MIN);
	assert_true(l->items[0].bytes == -1);
	assert_string_equal(l->items[1].name, "empty.dump");
	assert_string_equal(l->items[2].name, "night 25.dump");
	assert_true(l->items[2].bytes == 1000);
	assert_ptr_equal(backup_named(l, "empty.dump"), &l->items[1]);
	assert_null(backup_named(l, "other"));
	assert_ptr_equal(backup_newest(l), &l->items[0]);
	backup_list_free(l);
}

static void mistakes(void **state)
{
	static const char *const bad[] = {
	    "yesterday 5 a",
	    "2025-10-25T02:00:00Z",
	    "2025-10-25T02:00:00Z 5",
	    "2025-10-25T02:00:00Z 5 ",
	    "2025-10-25T02:00:00Z x a",
	    "2025-10-25T02:00:00Z -5 a",
	    "2025-10-25T02:00:00Z +5 a",
	    "2025-10-25T02:00:00Z  a",
	    "2025-10-25T02:00:00Z 123456789012345678901234567890 a",
	};
	struct error e;

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct backup_list *l = backup_list_new();
		char text[160];

		snprintf(text, sizeof(text), "2025-10-24T02:00:00Z 1 first\n%s\n", bad[i]);
		e = (struct error){.code = ERR_OK};
		assert_int_equal(parse(l, text, &e), ERR_INVALID);
		assert_non_null(strstr(e.text, "line 2"));
		assert_true(e.hint[0] != '\0');
		assert_int_equal(l->n_items, 1);
		backup_list_free(l);
	}
}

static void bounded_and_clean(void **state)
{
	struct backup_list *l = backup_list_new();
	char name[32];

	UNUSED(state);
	for (int i = 0; i < BACKUPS_MAX * 3; i++) {
		/* Neither rising nor falling. */
		const int k = i * 7919 % (BACKUPS_MAX * 3);

		snprintf(name, sizeof(name), "b%d", k);
		backup_add(l, name, strlen(name), k * US_PER_S, 1);
	}
	assert_int_equal(l->n_items, BACKUPS_MAX);
	for (int i = 0; i < l->n_items; i++)
		assert_true(l->items[i].at_us == (BACKUPS_MAX * 3 - 1 - i) * US_PER_S);
	backup_add(l, "a\033[31mb", 8, INT64_MAX, 1);
	assert_null(strchr(l->items[0].name, '\033'));
	backup_list_free(l);
}

static void said(void **state)
{
	struct backup_list *l = backup_list_new();
	struct db_note n;

	UNUSED(state);
	backup_note(l, now, &n);
	assert_int_equal(n.state, STATE_DEGRADED);
	assert_string_equal(n.text, "there is no backup");
	backup_add(l, "b1", 2, now - 2 * US_PER_DAY, 4096);
	backup_note(l, now, &n);
	assert_int_equal(n.state, STATE_DEGRADED);
	backup_add(l, "b2", 2, now - US_PER_DAY, 4096);
	backup_note(l, now, &n);
	assert_int_equal(n.state, STATE_OK);
	assert_string_equal(n.text, "newest backup b2, 1d old, 4.0 KiB");
	backup_add(l, "b3", 2, now - US_PER_H, 100);
	backup_note(l, now, &n);
	assert_int_equal(n.state, STATE_DEGRADED);
	assert_non_null(strstr(n.text, "whether it is whole"));
	backup_add(l, "b4", 2, now - US_PER_MIN, 0);
	backup_note(l, now, &n);
	assert_int_equal(n.state, STATE_DEGRADED);
	assert_non_null(strstr(n.text, "b4, is empty; the one before, b3,"));
	backup_list_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines),
	    cmocka_unit_test(mistakes),
	    cmocka_unit_test(bounded_and_clean),
	    cmocka_unit_test(said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
