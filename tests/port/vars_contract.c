/* The vars port: laws for every driver, then what envfile sees when its file is rewritten behind its back. */
#define _GNU_SOURCE /* memmem() */
#include "backends/drivers.h"
#include "core/port/vars.h"
#include "core/text.h"
#include "tests/lib/porttest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	struct loop *loop;
	char dir[PATH_LEN];
	struct opened o;
};

static int world_make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char options[PATH_LEN * 2];

	assert_non_null(w);
	w->loop = loop_new(NULL);
	folder_make(w->dir);
	file_put(w->dir, ".env", "LOG_LEVEL=info\nexport SECRET='canary-1'\r\nEMPTY=\n# note\n");
	snprintf(options, sizeof(options), "{\"path\": \"%s/.env\", \"show\": [\"LOG_LEVEL\"]}", w->dir);
	driver_open(&w->o, w->loop, &vars_envfile.base, options, NULL);
	*state = w;
	return 0;
}

static int world_end(void **state)
{
	struct world *w = *state;

	driver_close(&w->o);
	folder_remove(w->dir);
	loop_free(w->loop);
	free(w);
	return 0;
}

static struct var_facts *read_facts(struct world *w, struct outcome *o)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, w->loop, 20 * US_PER_S);

	vars_envfile.read(w->o.priv, op);
	answer_wait(&a);
	*o = a.outcome;
	return a.result;
}

static void envfile_check(void *p, struct op *op) { vars_envfile.base.check(p, op); }
static void envfile_read(void *p, struct op *op) { vars_envfile.read(p, op); }
static void null_read(void *p, struct op *op) { vars_null.read(p, op); }

static void keeps_the_laws(void **state)
{
	static const struct slot_call calls[] = {{"envfile check", envfile_check},
	                                         {"envfile read", envfile_read}};
	static const struct slot_call null = {"null read", null_read};
	struct world *w = *state;
	struct opened o;

	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		slot_laws(w->loop, w->o.priv, &calls[i], false);
	driver_open(&o, w->loop, &vars_null.base, "{}", NULL);
	slot_laws(w->loop, o.priv, &null, true);
	driver_close(&o);
}

static void reads_keys_never_values(void **state)
{
	struct world *w = *state;
	struct outcome o;
	struct var_facts *f = read_facts(w, &o);

	assert_int_equal(o.kind, OUTCOME_OK);
	assert_int_equal(f->n_items, 3);
	assert_string_equal(f->items[0].key, "EMPTY");
	assert_true(f->items[0].empty);
	assert_string_equal(f->items[1].key, "LOG_LEVEL");
	assert_string_equal(f->items[1].shown, "info");
	assert_string_equal(f->items[2].key, "SECRET");
	assert_string_equal(f->items[2].shown, "");
	assert_int_equal(strlen(f->items[2].hash), 64);
	/* Nothing of the secret is anywhere in what left the driver. */
	assert_null(memmem(f->items, (size_t)f->n_items * sizeof(*f->items), "canary", 6));
	var_facts_free(f);
}

static void sees_a_rewritten_file(void **state)
{
	struct world *w = *state;
	struct outcome o;
	struct var_facts *before = read_facts(w, &o), *after;
	struct var_set *set;

	file_put(w->dir, ".env", "SECRET=canary-2\nLOG_LEVEL=debug\nNEW=x\n");
	after = read_facts(w, &o);
	assert_int_equal(o.kind, OUTCOME_OK);
	set = vars_compare(before, after, NULL, 0);
	assert_int_equal(set->n_items, 4);
	assert_string_equal(set->items[0].key, "EMPTY");
	assert_int_equal(set->items[0].state, VAR_MISSING);
	assert_int_equal(set->items[1].state, VAR_DIFFERS);
	assert_string_equal(set->items[1].from, "info");
	assert_string_equal(set->items[1].to, "debug");
	assert_int_equal(set->items[2].state, VAR_EXTRA);
	assert_int_equal(set->items[3].state, VAR_DIFFERS);
	assert_string_equal(set->items[3].to, "");
	var_set_free(set);
	var_facts_free(before);
	var_facts_free(after);
}

static void duplicates_are_told_and_the_last_counts(void **state)
{
	struct world *w = *state;
	struct outcome o;
	struct var_facts *f;

	file_put(w->dir, ".env", "LOG_LEVEL=one\nA=1\nLOG_LEVEL=two\n");
	f = read_facts(w, &o);
	assert_int_equal(o.kind, OUTCOME_OK);
	assert_non_null(strstr(o.text, "LOG_LEVEL"));
	assert_int_equal(f->n_items, 2);
	assert_string_equal(f->items[1].shown, "two");
	var_facts_free(f);
}

static void a_broken_file_is_an_error_without_its_bytes(void **state)
{
	static const char *const bad[] = {"A=1\ncanary line\n", "A='canary\n", "A=\"canary\" canary\n",
	                                  "1canary=2\n", "=canary\n"};
	struct world *w = *state;
	struct outcome o;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		file_put(w->dir, ".env", bad[i]);
		assert_null(read_facts(w, &o));
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_non_null(strstr(o.text, "line "));
		assert_null(strstr(o.text, "canary"));
		assert_null(strstr(o.hint, "canary"));
	}
}

static void a_missing_file_fails_an_unreadable_one_errs(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN];
	struct outcome o;

	snprintf(path, sizeof(path), "%.900s/.env", w->dir);
	assert_int_equal(unlink(path), 0);
	assert_null(read_facts(w, &o));
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_true(o.hint[0] != '\0');
	assert_int_equal(mkdir(path, 0755), 0);
	assert_null(read_facts(w, &o));
	assert_int_equal(o.kind, OUTCOME_ERRORED);
}

static void a_huge_file_is_refused(void **state)
{
	struct world *w = *state;
	char *huge = malloc(ENV_FILE_MAX + 100);
	struct outcome o;

	memset(huge, 'A', ENV_FILE_MAX + 100);
	file_put_n(w->dir, ".env", huge, ENV_FILE_MAX + 100, 0600);
	assert_null(read_facts(w, &o));
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	free(huge);
}

static void shown_values_come_out_clean(void **state)
{
	struct world *w = *state;
	struct outcome o;
	struct var_facts *f;

	file_put(w->dir, ".env", "LOG_LEVEL=\"\033[31mred\\n\"\n");
	f = read_facts(w, &o);
	assert_non_null(f);
	assert_true(text_is_clean(f->items[0].shown, strlen(f->items[0].shown)));
	assert_non_null(strstr(f->items[0].shown, "<ESC>"));
	var_facts_free(f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)
	const struct CMUnitTest tests[] = {
	    T(keeps_the_laws),
	    T(reads_keys_never_values),
	    T(sees_a_rewritten_file),
	    T(duplicates_are_told_and_the_last_counts),
	    T(a_broken_file_is_an_error_without_its_bytes),
	    T(a_missing_file_fails_an_unreadable_one_errs),
	    T(a_huge_file_is_refused),
	    T(shown_values_come_out_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
