/* The readers of a project's configuration: .properties, TOML, YAML. */
#include "backends/migrate/settings.h"
#include "backends/migrate/yaml_tree.h"
#include "tests/lib/cm.h"

#include <stdio.h>
#include <string.h>

static struct arena a;

static void fresh(struct settings *s)
{
	arena_release(&a);
	arena_init(&a, ARENA_DEFAULT_MAX);
	settings_init(s, &a);
}

static void properties(void **state)
{
	static const char text[] = "\xef\xbb\xbf# comment\n"
	                           "! another = one\r\n"
	                           "flyway.locations = classpath:db/migration, \\\r\n"
	                           "    filesystem:extra\n"
	                           "  spring.flyway.default-schema=app\n"
	                           "colon: yes\n"
	                           "space value with words\n"
	                           "escaped\\ key = tab\\there\n"
	                           "letter = \\u00e9\n"
	                           "path = C:\\\\sql\n"
	                           "empty =\n"
	                           "\n"
	                           "twice = 1\ntwice = 2";
	struct settings s;

	UNUSED(state);
	fresh(&s);
	settings_properties(&s, "application.properties", text, sizeof(text) - 1);
	assert_string_equal(settings_get(&s, "flyway.locations"), "classpath:db/migration, filesystem:extra");
	assert_string_equal(settings_get(&s, "spring.flyway.defaultSchema"), "app");
	assert_string_equal(settings_get(&s, "SPRING.flyway.default_schema"), "app");
	assert_string_equal(settings_get(&s, "colon"), "yes");
	assert_string_equal(settings_get(&s, "space"), "value with words");
	assert_string_equal(settings_get(&s, "escaped key"), "tab\there");
	assert_string_equal(settings_get(&s, "letter"), "\xc3\xa9");
	assert_string_equal(settings_get(&s, "path"), "C:\\sql");
	assert_string_equal(settings_get(&s, "empty"), "");
	assert_string_equal(settings_get(&s, "twice"), "2");
	assert_null(settings_get(&s, "another"));
	assert_string_equal(settings_find(&s, "colon")->from, "application.properties");
	fresh(&s);
	settings_plain(&s, "flyway.conf", "a=C:\\sql\\\nb=2\n", 14);
	assert_string_equal(settings_get(&s, "a"), "C:\\sql\\");
	assert_string_equal(settings_get(&s, "b"), "2");
}

static void references(void **state)
{
	static const char text[] = "table=${HISTORY_TABLE:history}\n"
	                           "schema=${SCHEMA}\n"
	                           "both=${A:-x}${B:y}\n"
	                           "nested=${A:${B:deep}}\n"
	                           "own=${table}_2\n"
	                           "loop=${loop}\n"
	                           "open=${A:x\n";
	struct settings s;

	UNUSED(state);
	fresh(&s);
	settings_properties(&s, "p", text, sizeof(text) - 1);
	assert_string_equal(settings_value(&s, settings_get(&s, "table")), "history");
	assert_null(settings_value(&s, settings_get(&s, "schema")));
	assert_string_equal(settings_value(&s, settings_get(&s, "both")), "xy");
	assert_string_equal(settings_value(&s, settings_get(&s, "nested")), "deep");
	assert_string_equal(settings_value(&s, settings_get(&s, "own")), "history_2");
	assert_null(settings_value(&s, settings_get(&s, "loop")));
	assert_null(settings_value(&s, settings_get(&s, "open")));
	assert_string_equal(settings_value(&s, "plain $ {x}"), "plain $ {x}");
	assert_null(settings_value(&s, NULL));
}

static void toml(void **state)
{
	static const char text[] = "title = \"a # b\" # comment\n"
	                           "[flyway]\n"
	                           "locations = [\"filesystem:sql\", # one\n  'filesystem:more',\n]\n"
	                           "outOfOrder = true\n"
	                           "cherryPick = []\n"
	                           "target='2.1'\n"
	                           "\"quoted.key\" = 7\n"
	                           "dotted.key = 'x'\n"
	                           "text = \"\"\"\nline\\n\\\n   joined \"quoted\" \"\"\"\n"
	                           "raw = '''a\\b'''\n"
	                           "letter = \"\\u00e9\\U0001F600\"\n"
	                           "[flyway.placeholders]\n"
	                           "app_user = \"shop\"\n"
	                           "inline = {a = 1, b = [1, 2]}\n"
	                           "[[things]]\nname='one'\n[[things]]\nname='two'\n";
	struct settings s;
	struct error e = {0};

	UNUSED(state);
	fresh(&s);
	assert_int_equal(settings_toml(&s, "flyway.toml", text, sizeof(text) - 1, &e), 0);
	assert_string_equal(settings_get(&s, "title"), "a # b");
	assert_string_equal(settings_get(&s, "flyway.locations"), "filesystem:sql,filesystem:more");
	assert_string_equal(settings_get(&s, "flyway.locations[1]"), "filesystem:more");
	assert_string_equal(settings_get(&s, "flyway.outOfOrder"), "true");
	assert_string_equal(settings_get(&s, "flyway.cherryPick"), "");
	assert_string_equal(settings_get(&s, "flyway.target"), "2.1");
	assert_string_equal(settings_get(&s, "flyway.quoted.key"), "7");
	assert_string_equal(settings_get(&s, "flyway.dotted.key"), "x");
	assert_string_equal(settings_get(&s, "flyway.text"), "line\njoined \"quoted\" ");
	assert_string_equal(settings_get(&s, "flyway.raw"), "a\\b");
	assert_string_equal(settings_get(&s, "flyway.letter"), "\xc3\xa9\xf0\x9f\x98\x80");
	assert_string_equal(settings_get(&s, "flyway.placeholders.app_user"), "shop");
	assert_string_equal(settings_get(&s, "flyway.placeholders.inline.b"), "1,2");
	assert_string_equal(settings_get(&s, "things[1].name"), "two");
}

static void bad_toml_names_its_line(void **state)
{
	static const char *const bad[] = {"a = 1\nb\n",  "a = 1\nb = \"x\n", "a = 1\n[b\n",
	                                  "\nb = [1, 2", "a = 1\n= 2\n",     "a = 1\nb = \"\\q\"\n",
	                                  "\nb = 1 2\n", "\nb = {c = 1\n"};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct settings s;
		struct error e = {0};

		fresh(&s);
		assert_int_equal(settings_toml(&s, "x.toml", bad[i], strlen(bad[i]), &e), ERR_INVALID);
		assert_true(e.line >= 2 && e.line <= 3);
		assert_string_equal(e.where, "x.toml");
		assert_true(e.text[0] != '\0');
	}
}

static void yaml(void **state)
{
	static const char text[] = "spring:\n"
	                           "  flyway: &base\n"
	                           "    locations:\n"
	                           "      - classpath:a\n"
	                           "      - classpath:b\n"
	                           "    table: history\n"
	                           "    baseline: ~\n"
	                           "  other:\n"
	                           "    <<: *base\n"
	                           "    table: mine\n"
	                           "---\n"
	                           "second: {quoted: '007', plain: 007}\n";
	const struct jv *docs = NULL;
	struct settings s;
	struct error e = {0};

	UNUSED(state);
	fresh(&s);
	assert_int_equal(yaml_tree(&a, "application.yml", text, sizeof(text) - 1, false, &docs, &e), 0);
	assert_int_equal(jv_len(docs), 2);
	settings_tree(&s, "application.yml", "", jv_at(docs, 0));
	assert_string_equal(settings_get(&s, "spring.flyway.locations"), "classpath:a,classpath:b");
	assert_string_equal(settings_get(&s, "spring.flyway.locations[0]"), "classpath:a");
	assert_string_equal(settings_get(&s, "spring.flyway.baseline"), "");
	assert_string_equal(settings_get(&s, "spring.other.table"), "mine");
	assert_string_equal(settings_get(&s, "spring.other.locations"), "classpath:a,classpath:b");
	assert_string_equal(jv_get_text(jv_get(jv_at(docs, 1), "second"), "plain", ""), "007");
}

/* SnakeYAML reads YAML 1.1: what it makes of an id is what stands in a table. */
static void yaml_numbers_as_java_prints_them(void **state)
{
	static const char *const forms[][2] = {{"001", "1"},       {"010", "8"},
	                                       {"1.10", "1.1"},    {"1.0", "1.0"},
	                                       {"1_000", "1000"},  {"yes", "true"},
	                                       {"Off", "false"},   {"yEs", "yEs"},
	                                       {"0x1F", "31"},     {"20260105", "20260105"},
	                                       {"1.2.3", "1.2.3"}, {"v1", "v1"},
	                                       {"'001'", "001"},   {"\"1.10\"", "1.10"},
	                                       {"-5", "-5"},       {"+7", "7"},
	                                       {"089", "089"},     {"12ab", "12ab"},
	                                       {"0", "0"},         {"1.", "1.0"},
	                                       {".5", "0.5"},      {"-0.25", "-0.25"}};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const struct jv *docs = NULL;
		struct settings s;
		struct error e = {0};
		char text[64];
		int n = snprintf(text, sizeof(text), "id: %s\n", forms[i][0]);

		fresh(&s);
		assert_int_equal(yaml_tree(&a, "x.yaml", text, (size_t)n, true, &docs, &e), 0);
		assert_string_equal(jv_get_text(jv_at(docs, 0), "id", "none"), forms[i][1]);
	}
}

static void bad_yaml_is_an_error(void **state)
{
	static const char *const bad[] = {"a: [1, 2\nb: 3\n", "a: *nowhere\n", "a: &x [*x]\n",
	                                  "\t- x\n  y: {\n", "%\203", "a: \xff\n"};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct jv *docs = NULL;
		struct settings s;
		struct error e = {0};

		fresh(&s);
		assert_int_equal(yaml_tree(&a, "x.yaml", bad[i], strlen(bad[i]), false, &docs, &e),
		                 ERR_INVALID);
		assert_string_equal(e.where, "x.yaml");
		assert_true(e.text[0] != '\0');
		assert_null(docs);
	}
}

/* A billion laughs: the tree shares, the flat form is bounded. */
static void aliases_do_not_explode(void **state)
{
	const struct jv *docs = NULL;
	struct settings s;
	struct error e = {0};
	struct str text;

	UNUSED(state);
	fresh(&s);
	str_init(&text, 65536);
	str_add(&text, "a0: &a0 {x: {}, y: lol}\n");
	for (int i = 1; i < 40; i++)
		str_addf(&text, "a%d: &a%d {x: *a%d, y: *a%d, <<: *a%d}\n", i, i, i - 1, i - 1, i - 1);
	assert_int_equal(yaml_tree(&a, "x.yaml", str_text(&text), text.len, false, &docs, &e), 0);
	settings_tree(&s, "x.yaml", "", jv_at(docs, 0));
	assert_true(s.n <= SETTINGS_MAX);
	assert_true(s.truncated || s.n == SETTINGS_MAX);
	str_release(&text);
}

static int done(void **state)
{
	UNUSED(state);
	arena_release(&a);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(properties),
	    cmocka_unit_test(references),
	    cmocka_unit_test(toml),
	    cmocka_unit_test(bad_toml_names_its_line),
	    cmocka_unit_test(yaml),
	    cmocka_unit_test(yaml_numbers_as_java_prints_them),
	    cmocka_unit_test(bad_yaml_is_an_error),
	    cmocka_unit_test(aliases_do_not_explode),
	};

	return cmocka_run_group_tests(tests, NULL, done);
}
