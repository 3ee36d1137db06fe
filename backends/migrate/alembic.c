/*
 * Alembic: revision files against alembic_version.
 *
 * The table has one row for each head that was reached, and nothing else: no time, no history, no checksum, no lock.
 * Applied is all that the rows stand on. A row that the code does not know leaves alembic itself without a word: so
 * everything is unknown then.
 */
#include "backends/drivers.h"
#include "backends/migrate/alembic_code.h"
#include "backends/migrate/common.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEX_MIN = 4 };

struct alembic_code {
	struct alembic_config config;
	struct alembic_file *files;
	struct ladder_file *ladder; /* same places */
	int n;
	const char *target;
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[alembic, upgrade, head]"),
    {.name = "config",
     .type = OPTION_STRING,
     .text = "Alembic's configuration below `path`, where it is not alembic.ini or pyproject.toml.",
     .example = "db/alembic.ini"},
    {.name = "section",
     .type = OPTION_STRING,
     .text = "Section of that file, where it is not [alembic].",
     .example = "billing"},
    {.name = NULL},
};

/* --- the tree ------------------------------------------------------------------------------------------------ */

static bool has_revision_folder(const char *path)
{
	static const char *const names[] = {"migrations", "alembic", "revisions"};

	for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(path, '/')) {
		const size_t n = (size_t)(slash - path);

		if (strncmp(path, "versions", 8) == 0)
			return true;
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (strlen(names[i]) == n && memcmp(names[i], path, n) == 0)
				return true;
		path = slash + 1;
	}
	return false;
}

/* The configuration is not known yet: whatever has the form or the place of a revision. */
static enum tree_want alembic_want(const char *path, bool is_dir)
{
	const char *base = migrate_base(path);

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	if (migrate_ends_with(base, ".ini") || migrate_ends_with(base, ".cfg") ||
	    strcmp(base, "pyproject.toml") == 0)
		return TREE_READ;
	if (!migrate_ends_with(base, ".py"))
		return TREE_SKIP;
	if (has_revision_folder(path) || strspn(base, "0123456789abcdef") >= HEX_MIN ||
	    strcmp(base, "env.py") == 0)
		return TREE_READ;
	return TREE_LIST;
}

static bool alembic_detect(const struct tree *t, char where[PATH_LEN])
{
	for (int i = 0; i < t->n_files; i++) {
		const struct tree_file *f = &t->files[i];
		const char *base = migrate_base(f->path);

		if (f->bytes == NULL)
			continue;
		if (strcmp(base, "alembic.ini") != 0 &&
		    (strcmp(base, "pyproject.toml") != 0 || strstr(f->bytes, "[tool.alembic]") == NULL))
			continue;
		snprintf(where, PATH_LEN, "%.*s", (int)MAX(base - f->path - 1, 0), f->path);
		if (where[0] == '\0')
			str_copy(where, PATH_LEN, ".");
		return true;
	}
	return false;
}

/* The value behind a flag in the configured command: "-c", "db/alembic.ini". */
static const char *flag_of(const struct jv *argv, const char *brief, const char *longer)
{
	for (size_t i = 0; i < jv_len(argv); i++) {
		const char *word = jv_text(jv_at(argv, i), "");
		const size_t n = strlen(longer);

		if (strcmp(word, brief) == 0 || strcmp(word, longer) == 0)
			return jv_text(jv_at(argv, i + 1), NULL);
		if (strncmp(word, longer, n) == 0 && word[n] == '=')
			return word + n + 1;
	}
	return NULL;
}

/* What the command upgrades to. A command that is not alembic's own is taken to mean head. */
static const char *target_of(const struct jv *argv)
{
	for (size_t i = 0; i + 1 < jv_len(argv); i++) {
		if (strcmp(jv_text(jv_at(argv, i), ""), "upgrade") != 0)
			continue;
		for (i++; i < jv_len(argv); i++) {
			const char *word = jv_text(jv_at(argv, i), "");

			if (word[0] != '-')
				return word;
		}
	}
	return "head";
}

static const char *option_or(const struct migrate_job *j, const char *name, const char *otherwise)
{
	const char *text = jv_get_text(j->options, name, "");

	return text[0] != '\0' ? text : otherwise;
}

static const char *clean(struct arena *a, const char *raw)
{
	char text[MIGRATION_LEN];

	text_cleanz(text, sizeof(text), raw);
	return arena_strdup(a, text);
}

static void read_one(struct migrate_job *j, struct alembic_code *code, const struct tree_file *t)
{
	struct alembic_file *f = &code->files[code->n];
	struct ladder_file *l = &code->ladder[code->n++];
	struct lint_report report;

	f->path = t->path;
	l->path = t->path;
	l->row_matches = true;
	if (t->bytes == NULL) {
		f->message = "";
		f->trouble = "this file was not read: give it a name that starts with its revision";
	} else {
		const struct lint_context how = {
		    .tool = LINT_TOOL_ALEMBIC,
		    .transaction = TX_BY_TOOL,
		};

		alembic_read_file(&j->arena, t->bytes, t->n, f);
		migrate_checksum(l, t->bytes, t->n);
		lint_file(&j->arena, t->path, t->bytes, t->n, &how, &report);
		l->lint = report.summary;
	}
	l->name = clean(&j->arena, f->id != NULL ? f->id : migrate_base(t->path));
	l->trouble = f->trouble;
}

static int alembic_read(struct migrate_job *j, struct error *e)
{
	struct alembic_code *code = arena_alloc(&j->arena, sizeof(*code));
	const struct jv *argv = jv_get(j->options, "command");
	const struct alembic_wish wish = {
	    .config = option_or(j, "config", flag_of(argv, "-c", "--config")),
	    .section = option_or(j, "section", flag_of(argv, "-n", "--name")),
	};
	int n = 0, rc;

	if (code == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	rc = alembic_configure(&j->arena, &j->tree, &wish, &code->config, e);
	if (rc != 0)
		return rc;
	for (int i = 0; i < j->tree.n_files; i++)
		n += !j->tree.files[i].is_dir && alembic_is_revision(&code->config, j->tree.files[i].path);
	if (n > MIGRATIONS_MAX)
		return error_set(e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
	code->files = arena_alloc(&j->arena, (size_t)MAX(n, 1) * sizeof(*code->files));
	code->ladder = arena_alloc(&j->arena, (size_t)MAX(n, 1) * sizeof(*code->ladder));
	code->target = target_of(argv);
	if (arena_failed(&j->arena))
		return error_set(e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < j->tree.n_files; i++)
		if (!j->tree.files[i].is_dir && alembic_is_revision(&code->config, j->tree.files[i].path))
			read_one(j, code, &j->tree.files[i]);
	j->table_said = code->config.version_table;
	j->schema_said = code->config.version_schema;
	j->code = code;
	return 0;
}

/* --- the database -------------------------------------------------------------------------------------------- */

static struct jv *ids_as_jv(struct arena *a, const struct alembic_ids *ids)
{
	struct jv *list = jv_arr(a);

	for (int i = 0; i < ids->n; i++)
		jv_push(a, list, jv_str(a, clean(a, ids->items[i])));
	return list;
}

static void tell(struct migrate_job *j, const struct alembic_code *code, const struct alembic_plan *plan,
                 const struct alembic_ids *rows, struct migration_set *set)
{
	struct arena *a = &j->arena;
	struct jv *facts = jv_obj(a), *messages = jv_obj(a);

	for (int i = 0; i < plan->n_blocks; i++)
		migration_set_block(set, plan->blocks[i].code, "%s", plan->blocks[i].text);
	/* Where the map cannot be built alembic says nothing of heads. */
	if (plan->heads.n > 1 && !plan->broken) {
		const char *names = plan->heads.items[0];

		for (int i = 1; i < plan->heads.n && names != NULL; i++)
			names = arena_printf(a, "%.300s, %.60s", names, plan->heads.items[i]);
		if (names != NULL)
			migration_set_conflict(set, "heads: %s", names);
	}
	jv_set(a, facts, "heads", ids_as_jv(a, &plan->heads));
	jv_set(a, facts, "current", ids_as_jv(a, rows));
	jv_set_str(a, facts, "target", clean(a, code->target));
	if (code->config.env_read)
		jv_set_bool(a, facts, "transaction_per_migration", code->config.transaction_per_migration);
	if (code->config.assumed != NULL)
		jv_set_str(a, facts, "assumed", clean(a, code->config.assumed));
	for (int i = 0; i < code->n; i++)
		if (code->files[i].id != NULL && code->files[i].message[0] != '\0')
			jv_set_str(a, messages, code->ladder[i].name, clean(a, code->files[i].message));
	jv_set(a, facts, "messages", messages);
	migrate_facts(j, set, facts);
}

static int by_string(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static struct migration_set *alembic_judge(struct migrate_job *j)
{
	const struct alembic_code *code = j->code;
	struct ladder_file *files = arena_alloc(&j->arena, (size_t)MAX(code->n, 1) * sizeof(*files));
	struct ladder_row *rows =
	    arena_alloc(&j->arena, (size_t)(code->n + j->rows.n_rows + 1) * sizeof(*rows));
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = files,
	                    .rows = rows,
	                    .works = j->works};
	struct alembic_ids current = {0};
	struct alembic_plan plan;
	struct migration_set *set;

	for (int i = 0; i < j->rows.n_rows; i++)
		alembic_ids_add(&j->arena, &current, migrate_cell(&j->rows, i, 0));
	if (arena_failed(&j->arena))
		return NULL;
	if (current.n > 1)
		qsort(current.items, (size_t)current.n, sizeof(*current.items), by_string);
	if (!alembic_plan(&j->arena, code->files, code->n, current.items, current.n, code->target, &plan))
		return NULL;
	for (int i = 0; i < plan.n; i++) {
		struct ladder_file *f = &files[in.n_files++];

		*f = code->ladder[plan.steps[i].file];
		if (plan.steps[i].state == ALEMBIC_UNSURE && f->trouble == NULL)
			f->trouble = plan.why;
		if (plan.steps[i].state == ALEMBIC_BEYOND)
			f->skipped = arena_printf(
			    &j->arena, "the command upgrades to %.80s, which does not need it", code->target);
		if (plan.steps[i].state == ALEMBIC_APPLIED)
			rows[in.n_rows++] = (struct ladder_row){.name = f->name, .state = LADDER_DONE};
	}
	for (int i = 0; i < plan.strays.n; i++)
		rows[in.n_rows++] =
		    (struct ladder_row){.name = clean(&j->arena, plan.strays.items[i]), .state = LADDER_DONE};
	if (arena_failed(&j->arena))
		return NULL;
	set = ladder_compare(&in);
	if (set != NULL)
		tell(j, code, &plan, &current, set);
	return set;
}

static const char *const command[] = {"alembic", "upgrade", "head", NULL};
static const char *const down[] = {"alembic", "downgrade", "{name}", NULL};

static const struct migrate_table tables[] = {
    {.name = "alembic_version",
     .shape = "version_num",
     .shape_columns = 1,
     .select = "SELECT version_num::text FROM %s ORDER BY 1 LIMIT 20000"},
};

static const struct migrate_tool alembic = {
    .name = "alembic",
    .title = "Alembic",
    .path = ".",
    .command = command,
    .down = down,
    .scheme = "postgresql",
    .unit_is_transaction = true,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .no_checksums = true,
    .want = alembic_want,
    .detect = alembic_detect,
    .read = alembic_read,
    .judge = alembic_judge,
};

MIGRATE_DRIVER(alembic, "alembic", options, "Alembic (SQLAlchemy) on PostgreSQL");
