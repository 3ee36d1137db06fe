/* Completion scripts and the manual's tables, from a small command table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/complete.h"
#include "config/docs.h"
#include "tests/lib/config_drivers.h"

static const char *const shells[] = {"bash", "zsh", "fish", NULL};
static const struct arg_desc promote_args[] = {
    {.name = "service", .type = ARG_SERVICE, .required = true, .text = "what to promote"},
    {.name = "to", .type = ARG_ENV, .option = true, .required = true, .text = "where to"},
    {.name = "reason", .type = ARG_WORD, .option = true, .letter = 'r', .text = "why; it's kept"},
    {.name = "follow", .type = ARG_FLAG, .option = true, .text = "stay. And look"},
    {.name = NULL},
};
static const struct arg_desc completion_args[] = {
    {.name = "shell", .type = ARG_WORD, .required = true, .choices = shells, .text = "which"},
    {.name = NULL},
};
static const struct command promote = {.name = "promote",
                                       .summary = "promote a release",
                                       .args = promote_args,
                                       .details = "First. 'Second'. .Third",
                                       .json = "plan",
                                       .example = "towpath promote web --to prod"};
static const struct command verify = {.name = "audit verify", .summary = "check the chain"};
static const struct command completion = {
    .name = "completion", .summary = "a script", .args = completion_args};
static const struct command hidden = {.name = "__rollout", .summary = "internal", .flags = COMMAND_HIDDEN};
static const struct command *const list[] = {&promote, &verify, &completion, &hidden, NULL};

static void scripts_name_what_there_is(void **state)
{
	(void)state;
	for (int i = 0; shells[i] != NULL; i++) {
		struct str s;

		str_init(&s, 1024 * 1024);
		assert_int_equal(completion_script(shells[i], list, &s), 0);
		assert_non_null(strstr(str_text(&s), "promote"));
		assert_non_null(strstr(str_text(&s), "verify"));
		assert_non_null(strstr(str_text(&s), "follow"));
		assert_non_null(strstr(str_text(&s), "bash zsh fish"));
		assert_null(strstr(str_text(&s), "__rollout"));
		str_release(&s);
	}
}

static void other_shells_are_refused(void **state)
{
	struct str s;

	(void)state;
	str_init(&s, 1000);
	assert_int_equal(completion_script("tcsh", list, &s), ERR_INVALID);
	str_release(&s);
	str_init(&s, 1000);
	assert_int_equal(completion_script("bash", list, &s), ERR_NOMEM);
	str_release(&s);
}

static void manual_has_commands(void **state)
{
	struct str s;

	(void)state;
	str_init(&s, 1024 * 1024);
	docs_commands(list, &s);
	assert_non_null(strstr(str_text(&s), ".It Ic \"\\&promote\""));
	assert_non_null(strstr(str_text(&s), "\n\\&'Second'.\n"));
	assert_non_null(strstr(str_text(&s), "\n\\&.Third\n"));
	assert_null(strstr(str_text(&s), "__rollout"));
	str_release(&s);
}

static void manual_has_keys_and_options(void **state)
{
	struct str s;

	(void)state;
	str_init(&s, 1024 * 1024);
	docs_yaml(config_test_drivers, &s);
	assert_non_null(strstr(str_text(&s), "rollback_exempt"));
	assert_non_null(strstr(str_text(&s), "version_url"));
	assert_non_null(strstr(str_text(&s), "blue\\-green"));
	str_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(scripts_name_what_there_is), cmocka_unit_test(other_shells_are_refused),
	    cmocka_unit_test(manual_has_commands), cmocka_unit_test(manual_has_keys_and_options)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
