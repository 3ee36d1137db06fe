/* The JSON Schema: shape, and that it knows every key that the loader knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "config/field.h"
#include "tests/lib/config_drivers.h"

static void has_every_key(void **state)
{
	struct arena a;
	const struct jv *s, *props;

	(void)state;
	arena_init(&a, 16 * 1024 * 1024);
	s = config_schema(&a, config_test_drivers);
	props = jv_get(s, "properties");
	assert_string_equal(jv_get_text(s, "$schema", ""), "https://json-schema.org/draft/2020-12/schema");
	for (const struct field *f = table_top.fields; f->name != NULL; f++) {
		assert_non_null(jv_get(props, f->name));
		assert_string_equal(jv_get_text(jv_get(props, f->name), "description", ""), f->text);
	}
	assert_false(jv_get_true(s, "additionalProperties", true));
	props = jv_get(jv_get(jv_get(props, "services"), "items"), "properties");
	for (const struct field *f = table_service.fields; f->name != NULL; f++)
		assert_non_null(jv_get(props, f->name));
	assert_false(arena_failed(&a));
	arena_release(&a);
}

static const struct jv *driver_of(const struct jv *port, const char *name)
{
	const struct jv *any = jv_get(port, "anyOf");

	for (size_t i = 0; i < jv_len(any); i++) {
		const struct jv *props = jv_get(jv_at(any, i), "properties");

		if (strcmp(jv_get_text(jv_get(props, "driver"), "const", ""), name) == 0)
			return props;
	}
	return NULL;
}

static void has_every_driver_option(void **state)
{
	struct arena a;
	const struct jv *props, *deploy;

	(void)state;
	arena_init(&a, 16 * 1024 * 1024);
	props = jv_get(config_schema(&a, config_test_drivers), "properties");
	deploy = jv_get(jv_get(jv_get(jv_get(props, "services"), "items"), "properties"), "deploy");
	assert_non_null(driver_of(deploy, "null"));
	for (const struct option_desc *o = config_test_drivers[1]->options; o->name != NULL; o++)
		assert_non_null(jv_get(driver_of(deploy, "host"), o->name));
	assert_non_null(driver_of(jv_get(props, "store"), "sqlite"));
	arena_release(&a);
}

/* A row without a text or an example where one is needed would leave a hole in the manual. */
static void rows_are_documented(void **state)
{
	(void)state;
	for (int i = 0; tables[i] != NULL; i++) {
		assert_true(strlen(tables[i]->text) > 5);
		for (const struct field *f = tables[i]->fields; f->name != NULL; f++) {
			assert_non_null(f->text);
			assert_true(f->text[strlen(f->text) - 1] == '.');
			if (f->required)
				assert_non_null(f->example);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(has_every_key),
	                                   cmocka_unit_test(has_every_driver_option),
	                                   cmocka_unit_test(rows_are_documented)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
