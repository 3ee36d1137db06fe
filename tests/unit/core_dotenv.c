#include "core/dotenv.h"
#include "tests/lib/cm.h"

#include <stdio.h>

/* All entries as "key=value;" with errors as "!line;". */
static const char *read_all(const char *text, size_t n)
{
	static char out[4096];
	struct dotenv d;
	struct dotenv_entry entry;
	struct error e;
	size_t len = 0;
	int rc;

	out[0] = '\0';
	str_init(&entry.value, 1024);
	dotenv_init(&d, text, n);
	while ((rc = dotenv_next(&d, &entry, &e)) != 0) {
		if (rc < 0)
			len += (size_t)snprintf(out + len, sizeof(out) - len, "!%d;", e.line);
		else
			len += (size_t)snprintf(out + len, sizeof(out) - len, "%s=%s;", entry.key,
			                        str_text(&entry.value));
		assert_true(len < sizeof(out));
	}
	str_release(&entry.value);
	return out;
}

static void reads_the_grammar(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"", ""},
	    {"A=1", "A=1;"},
	    {"A=1\nB=2\n", "A=1;B=2;"},
	    {"A=1\r\nB=2\r\n", "A=1;B=2;"},
	    {"\xef\xbb\xbf"
	     "A=1\n",
	     "A=1;"},
	    {"  export A=1\n", "A=1;"},
	    {"export=1\n", "export=1;"},
	    {"A = spaced out  # note\n", "A=spaced out;"},
	    {"A=a#b\n", "A=a#b;"},
	    {"A=#only\n", "A=;"},
	    {"A=\nB=\"\"\nC=''\n", "A=;B=;C=;"},
	    {"# c\n\n   # d\nA=1\n", "A=1;"},
	    {"A='it is $x \\n #1'\n", "A=it is $x \\n #1;"},
	    {"A=\"a\\nb\\\"c\\\\d\\$e\\q\"\n", "A=a\nb\"c\\d$e\\q;"},
	    {"A=\"one\ntwo\" # note\nB=2", "A=one\ntwo;B=2;"},
	    {"A='one\r\ntwo'\nB=2", "A=one\ntwo;B=2;"},
	    {"A=\"one\\\ntwo\"\n", "A=onetwo;"},
	    {"A=x\ry\n", "A=x\ry;"},
	    {"A=b=c\n", "A=b=c;"},
	    {"a.b-c_D9=1\n", "a.b-c_D9=1;"},
	    {"nonsense\nA=1\n", "!1;A=1;"},
	    {"9A=1\nB=2\n", "!1;B=2;"},
	    {"A=1\n\nB='open\nC=3\n", "A=1;!3;"},
	    {"A='x' y\nB=2\n", "!1;B=2;"},
	    {"A\n", "!1;"},
	    {"export\n", "!1;"},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(read_all(rows[i].text, strlen(rows[i].text)), rows[i].want);
}

static void long_keys_and_values_are_refused(void **state)
{
	char text[4096];

	UNUSED(state);
	memset(text, 'A', sizeof(text));
	text[KEY_LEN] = '=';
	text[KEY_LEN + 1] = '\n';
	assert_string_equal(read_all(text, KEY_LEN + 2), "!1;");
	memset(text, 'A', sizeof(text));
	text[1] = '=';
	assert_string_equal(read_all(text, 2000), "!0;");
}

/* Any bytes end, and stay inside. */
static void random_bytes_end(void **state)
{
	static const char alphabet[] = "AB=\"'\\\n\r# \texport$\0\xff";
	struct prng p = prng_seeded();
	char text[120];

	UNUSED(state);
	for (int round = 0; round < 20000; round++) {
		struct dotenv d;
		struct dotenv_entry entry;
		size_t n = prng_next(&p) % sizeof(text);
		int rc, turns = 0;

		for (size_t i = 0; i < n; i++)
			text[i] = alphabet[prng_next(&p) % (sizeof(alphabet) - 1)];
		str_init(&entry.value, 1024);
		dotenv_init(&d, text, n);
		while ((rc = dotenv_next(&d, &entry, NULL)) != 0)
			assert_true(++turns <= 200);
		assert_true(d.at <= n);
		str_release(&entry.value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_the_grammar),
	    cmocka_unit_test(long_keys_and_values_are_refused),
	    cmocka_unit_test(random_bytes_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
