#include "core/port/vars.h"
#include "core/str.h"
#include "tests/lib/cm.h"

#include <stdio.h>

/* "A=x B= C=y": hash stands for the value. */
static struct var_facts *facts(const char *text)
{
	struct var_facts *f = var_facts_new(16);
	char copy[256], *rest = copy;

	f->n_items = 0;
	str_copy(copy, sizeof(copy), text);
	while (*rest != '\0') {
		char *word = rest, *eq;

		rest += strcspn(rest, " ");
		if (*rest != '\0')
			*rest++ = '\0';
		eq = strchr(word, '=');
		*eq = '\0';
		str_copy(f->items[f->n_items].key, KEY_LEN, word);
		str_copy(f->items[f->n_items].hash, 65, eq + 1);
		f->items[f->n_items++].empty = eq[1] == '\0';
	}
	return f;
}

static void check(const char *from, const char *to, const char *template_text, const char *want)
{
	struct var_facts *a = from != NULL ? facts(from) : NULL, *b = facts(to);
	struct var_set *set =
	    vars_compare(a, b, template_text, template_text != NULL ? strlen(template_text) : 0);
	char have[512];
	size_t n = 0;

	have[0] = '\0';
	for (int i = 0; i < set->n_items; i++)
		n += (size_t)snprintf(have + n, sizeof(have) - n, "%s%s:%s%s", i > 0 ? " " : "",
		                      set->items[i].key, var_state_name(set->items[i].state),
		                      set->items[i].required ? "*" : "");
	assert_string_equal(have, want);
	var_set_free(set);
	var_facts_free(a);
	var_facts_free(b);
}

static void compares_by_key(void **state)
{
	UNUSED(state);
	check("A=1 B=2", "B=2 A=1", NULL, "A:same B:same");
	check("A=1", "A=2", NULL, "A:differs");
	check("A=1 B=2", "A=1", NULL, "A:same B:missing");
	check("A=1", "A=", NULL, "A:empty");
	check("A=", "A=", NULL, "A:same");
	check("A=1", "A=1 B=2", NULL, "A:same B:extra");
	check("", "", NULL, "");
}

static void the_template_names_what_is_due(void **state)
{
	UNUSED(state);
	check(NULL, "A=1", "A=\nB=\n# C=\n", "A:same* B:missing*");
	check(NULL, "A= X=1", "A=default\n", "A:empty* X:same");
	check("A=1", "A=1 B=2", "A=\nB=\n", "A:same* B:differs*");
	check("A=1", "", "A=\nnot a line\nA=\n", "A:missing*");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(compares_by_key),
	    cmocka_unit_test(the_template_names_what_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
