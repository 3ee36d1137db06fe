/*
 * The lint on any bytes under any tool: SQL, Python, JavaScript, Ruby, changelogs. The first byte chooses tool and
 * language, and whether PostgreSQL's grammar reads the SQL. Texts stay clean, lines are of the file, nothing crashes
 * or hangs.
 */
#include "backends/migrate/django_code.h"
#include "backends/migrate/pgquery.h"
#include "core/text.h"
#include "tests/fuzz/fuzz.h"

static const struct {
	const char *path;
	enum lint_tool tool;
} kinds[] = {{"a.sql", LINT_TOOL_SQL},
             {"m/20260112101500_x/migration.sql", LINT_TOOL_AUTO},
             {"a.sql", LINT_TOOL_GOOSE},
             {"a.sql", LINT_TOOL_LIQUIBASE},
             {"V1__a.sql", LINT_TOOL_FLYWAY},
             {"s/migrations/0001_a.py", LINT_TOOL_DJANGO},
             {"a.py", LINT_TOOL_ALEMBIC},
             {"a.js", LINT_TOOL_KNEX},
             {"a.js", LINT_TOOL_SEQUELIZE},
             {"a.ts", LINT_TOOL_TYPEORM},
             {"a.ts", LINT_TOOL_NODE_PG_MIGRATE},
             {"a.rb", LINT_TOOL_RAILS},
             {"a.xml", LINT_TOOL_LIQUIBASE},
             {"a.yaml", LINT_TOOL_LIQUIBASE},
             {"", LINT_TOOL_AUTO}};

static bool is_clean(const char *s) { return text_is_clean(s, strlen(s)); }

static void judge(struct arena *a, size_t kind, bool grammar, const char *text, size_t n)
{
	const struct lint_context ctx = {.tool = kinds[kind].tool, .parser = grammar ? PGQUERY_PARSER : NULL};
	struct lint_name names[8];
	struct lint_report r;
	int lines = 1;

	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	lint_file(a, kinds[kind].path, text, n, &ctx, &r);
	HOLDS(is_clean(r.summary.text));
	for (int i = 0; i < r.n_findings; i++) {
		const struct lint_finding *f = &r.findings[i];

		HOLDS(is_clean(f->message) && is_clean(f->safer) && is_clean(f->table) &&
		      is_clean(f->column));
		HOLDS(f->line >= 1 && f->line <= lines + 1);
		HOLDS(i == 0 || f->line >= r.findings[i - 1].line);
	}
	HOLDS(lint_dropped_names(&r.acts, names, 8) >= 0);
}

static void django(struct arena *a, const char *text, size_t n)
{
	struct django_file f = {.key = {"app", "0001"}};

	django_read_migration(a, text, n, "", &f);
	HOLDS(is_clean(f.lint.text));
	HOLDS(django_read_label(a, text, n, "x") != NULL || arena_failed(a));
	django_read_user_app(a, text, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;

	if (size == 0)
		return 0;
	arena_init(&a, ARENA_DEFAULT_MAX);
	judge(&a, (data[0] & 0x7f) % (sizeof(kinds) / sizeof(kinds[0])), data[0] < 0x80,
	      (const char *)data + 1, size - 1);
	django(&a, (const char *)data + 1, size - 1);
	arena_release(&a);
	return 0;
}
