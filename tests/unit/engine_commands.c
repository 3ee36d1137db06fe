/* Words against descriptors: what is refused, with which text, and what reaches the command. */
#include "engine/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char said[2048], value[2048];
static enum exit_code code;
static int n_done;

static void on_done(void *ctx, const struct command *c, enum exit_code e, const char *text,
                    const struct jv *v)
{
	struct str s;

	UNUSED(ctx);
	UNUSED(c);
	n_done++;
	code = e;
	snprintf(said, sizeof(said), "%s", text);
	str_init(&s, sizeof(value) - 1);
	jv_print(v, JV_CANONICAL, &s);
	snprintf(value, sizeof(value), "%s", str_text(&s));
	str_release(&s);
}

static void exec(struct app *a, struct command_run *run)
{
	struct arena *arena = command_arena(run);
	const char *names[] = {"what", "rest", "for", "count", "mode"};

	assert_null(a);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (args_text(run, names[i]) != NULL)
			jv_set_str(arena, command_value(run), names[i], args_text(run, names[i]));
	jv_set_bool(arena, command_value(run), "flag", args_flag(run, "flag"));
	jv_set_int(arena, command_value(run), "us", args_num(run, "for", -1));
	command_done(run, EXIT_DONE, "done");
}

static const char *const modes[] = {"fast", "slow", NULL};
static const struct arg_desc args[] = {
    {.name = "what", .type = ARG_WORD, .required = true},
    {.name = "rest", .type = ARG_REST},
    {.name = "for", .type = ARG_DURATION, .option = true},
    {.name = "count", .type = ARG_INT, .option = true, .letter = 'n'},
    {.name = "mode", .type = ARG_WORD, .option = true, .choices = modes},
    {.name = "flag", .type = ARG_FLAG, .option = true, .letter = 'f'},
    {.name = NULL},
};
static const struct command test = {.name = "try", .args = args, .flags = COMMAND_NO_SETUP, .exec = exec};
static const struct command pair = {.name = "try two", .flags = COMMAND_NO_SETUP, .exec = exec};
static const struct command needs = {.name = "needs", .exec = exec};
static const struct command lone_one = {.name = "lone one", .flags = COMMAND_NO_SETUP, .exec = exec};
static const struct command lone_two = {.name = "lone two", .flags = COMMAND_NO_SETUP, .exec = exec};
static const struct command lone_own = {.name = "lone own", .flags = COMMAND_HIDDEN, .exec = exec};
static const struct command *const list[] = {&test, &pair, &needs, &lone_one, &lone_two, &lone_own, NULL};

static enum exit_code run(const char *text)
{
	struct command_sink sink = {.done = on_done};

	n_done = 0;
	assert_null(command_start_text(NULL, list, text, &sink));
	assert_int_equal(n_done, 1);
	return code;
}

static void words_and_options(void **state)
{
	UNUSED(state);
	assert_int_equal(run("try a --for 1h30m -n 7 --mode=slow -f"), EXIT_DONE);
	assert_non_null(strstr(value, "\"what\":\"a\""));
	assert_non_null(strstr(value, "\"count\":\"7\""));
	assert_non_null(strstr(value, "\"mode\":\"slow\""));
	assert_non_null(strstr(value, "\"flag\":true"));
	assert_non_null(strstr(value, "\"us\":5400000000"));
	assert_int_equal(run("towpath try a b c 'd  e'"), EXIT_DONE);
	assert_non_null(strstr(value, "\"rest\":\"b c d  e\""));
	assert_int_equal(run("try \"two words\""), EXIT_DONE);
	assert_non_null(strstr(value, "\"what\":\"two words\""));
	assert_int_equal(run("try two"), EXIT_DONE);
}

static void refusals_say_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
	    {"nothing", "no command is called nothing"},
	    {"lone", "lone is no command, these are: lone one, lone two"},
	    {"lone three", "lone is no command, these are: lone one, lone two"},
	    {"try ''", "try needs what, not an empty word"},
	    {"try a --for 0s", "more than nothing"},
	    {"", "no command is called"},
	    {"try", "try needs what"},
	    {"try a --nope 1", "has no option --nope"},
	    {"try a --for", "--for needs a value"},
	    {"try a --for soon", "takes a duration"},
	    {"try a --count x", "takes a whole number"},
	    {"try a --count -5", "takes a whole number"},
	    {"try a --count 99999999999999", "takes a whole number"},
	    {"try a --mode other", "other is no mode"},
	    {"try a --flag=1", "takes no value"},
	    {"try two three", "takes no further word: three"},
	    {"needs", "needs a config"},
	    {"try 'a", "is not closed"},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(run(cases[i].text), EXIT_USAGE);
		if (strstr(said, cases[i].says) == NULL)
			fail_msg("%s said: %s", cases[i].text, said);
	}
}

static void too_many_words(void **state)
{
	struct str s;

	UNUSED(state);
	str_init(&s, 10000);
	str_add(&s, "try");
	for (int i = 0; i < 200; i++)
		str_add(&s, " x");
	assert_int_equal(run(str_text(&s)), EXIT_USAGE);
	str_release(&s);
}

static void every_command_is_documented(void **state)
{
	UNUSED(state);
	for (command_list c = commands; *c != NULL; c++) {
		assert_non_null((*c)->exec);
		assert_true((*c)->summary != NULL && (*c)->summary[0] != '\0');
		assert_true((*c)->details != NULL && (*c)->json != NULL && (*c)->example != NULL);
		assert_int_equal(strncmp((*c)->example, "towpath ", 8), 0);
		for (const struct arg_desc *d = (*c)->args; d != NULL && d->name != NULL; d++)
			assert_true(d->text != NULL && d->text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_and_options),
	    cmocka_unit_test(refusals_say_what_is_wrong),
	    cmocka_unit_test(too_many_words),
	    cmocka_unit_test(every_command_is_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
