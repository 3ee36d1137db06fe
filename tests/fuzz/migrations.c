/*
 * Readers of foreign migrations' files: XML changelogs, formatted SQL, ini, Python's top level, sqitch's plan and
 * configuration, Atlas's sums, and the colours of a text. Any bytes end in an answer or an error, within bounds. The
 * first byte chooses.
 */
#include "backends/migrate/atlas_code.h"
#include "backends/migrate/ini.h"
#include "backends/migrate/liquibase_code.h"
#include "backends/migrate/pyread.h"
#include "backends/migrate/sqitch_code.h"
#include "core/highlight.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void told(int rc, const struct error *e)
{
	HOLDS(rc == 0 || ((int)e->code == rc && e->text[0] != '\0'));
}

static void formatted(struct arena *a, const char *bytes, size_t n)
{
	static const struct tree none;
	const struct lq_file f = {.physical = "a.sql", .path = "a.sql"};
	struct lq_log log = {0};
	struct error e = {0};
	struct lq_load l = {.a = a, .t = &none, .log = &log, .e = &e};

	if (lq_is_formatted(bytes, n))
		lq_read_formatted(&l, &f, bytes, n);
	for (int i = 0; i < log.n; i++)
		HOLDS(log.items[i].id != NULL && log.items[i].author != NULL);
}

static void python(struct arena *a, const char *bytes, size_t n)
{
	static const char *const names[] = {"revision", "down_revision", "depends_on", "branch_labels"};
	struct pyread r;

	if (pyread_open(&r, a, bytes, n)) {
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			struct jv *value = NULL;

			(void)pyread_get(&r, names[i], &value);
		}
		(void)pyread_docstring(&r);
	}
	pyread_release(&r);
}

static void atlas(const char *bytes, size_t n)
{
	struct tree_file sql = {.path = "1_a.sql", .bytes = bytes, .n = n},
	                 sum = {.path = "atlas.sum", .bytes = bytes, .n = n};
	struct atlas_file file = {.file = &sql, .name = "1_a.sql", .version = "1"};
	struct atlas_code code = {.sources = &file, .n = 1, .sum_file = &sum};
	const char *word = NULL;
	char why[TEXT_LEN];

	HOLDS(atlas_sums(&code) && strlen(file.sum) == 44);
	HOLDS(atlas_sum_fits(&code, &word, why) || (word != NULL && why[0] != '\0'));
	(void)atlas_same_start(&file, bytes, 3);
}

static void colours(uint8_t which, const char *bytes, size_t n)
{
	static const char *const paths[] = {"a.sql", "a.py",   "a.js",   "a.ts", "a.rb",
	                                    "a.xml", "a.yaml", "a.json", "a"};
	const struct language *l = language_of(paths[which % ARRAY_LEN(paths)]);
	struct highlight_part parts[32];
	uint32_t state = 0;

	for (size_t at = 0; at < n;) {
		const char *end = memchr(bytes + at, '\n', n - at);
		const size_t len = end != NULL ? (size_t)(end - bytes) - at : n - at;
		uint32_t behind = 0;
		int count = 0;

		state = highlight_line(l, state, bytes + at, len, parts, 32, &count);
		HOLDS(count >= 0 && count <= 32);
		for (int i = 0; i < count; i++) {
			HOLDS(parts[i].at >= behind && parts[i].at + parts[i].n <= len);
			behind = parts[i].at + parts[i].n;
		}
		at += len + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sqitch_conf conf = {0};
	struct sqitch_plan plan = {0};
	struct lq_node *node = NULL;
	struct error e = {0};
	struct ini ini;
	struct arena a;
	const char *bytes;

	if (size < 2)
		return 0;
	arena_init(&a, 32 * 1024 * 1024);
	bytes = memcpy(arena_alloc(&a, size), data + 2, size - 2);
	switch (data[0] % 8) {
	case 0: told(lq_read_xml(&a, "x", bytes, size - 2, &node, &e), &e); break;
	case 1: formatted(&a, bytes, size - 2); break;
	case 2:
		ini_read(&ini, &a, bytes, size - 2);
		(void)ini_get(&ini, "alembic", "script_location", "/here");
		break;
	case 3: python(&a, bytes, size - 2); break;
	case 4: told(sqitch_plan_read(&plan, &a, bytes, size - 2, &e), &e); break;
	case 5: told(sqitch_conf_read(&conf, &a, bytes, size - 2, &e), &e); break;
	case 6: atlas(bytes, size - 2); break;
	default: colours(data[1], bytes, size - 2); break;
	}
	arena_release(&a);
	return 0;
}
