/*
 * Rails (ActiveRecord): N_name.rb anywhere below the migrations' folders against schema_migrations(version).
 *
 * Versions are compared as numbers. What is pending runs, older or not; a row without a file is shown as NO FILE and
 * harms nothing. No checksums. The lock's number comes from the database's name.
 */
#include "backends/drivers.h"
#include "backends/migrate/numbered.h"
#include "backends/migrate/rails_config.h"
#include "core/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#define LOCK_SALT INT64_C(2053462845)

enum { COL_VERSION };
enum { META_KEY, META_VALUE };

struct rails_file {
	const struct tree_file *file;
	uint64_t version;
	const char *class_name;
};

/* The files of one database of the project. */
struct rails_set {
	struct rails_file *sources;
	struct ladder_file *files;
	int n;
	const char *illegal, *twice_name; /* NULL: none */
	uint64_t twice_version;           /* 0: none */
};

struct rails_code {
	struct rails_config config;
	struct rails_set sets[RAILS_DBS_MAX]; /* as config.dbs; at least one */
	int n_sets;
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[bin/rails, \"db:migrate\"]"),
    NUMBERED_MIGRATIONS_OPTION,
    {.name = "rails_env",
     .type = OPTION_STRING,
     .otherwise = "production",
     .text = "Section of config/database.yml that says where the migrations are.",
     .example = "production"},
    {.name = "rails_db",
     .type = OPTION_STRING,
     .text = "Name of the database in that section where there are several; else the one whose `database` "
             "is connected to.",
     .example = "animals"},
    {.name = NULL},
};

/* --- files ----------------------------------------------------------------------------------------------------- */

/* What Rails' glob finds; whether it then takes the name is another question. */
static bool is_globbed(const char *base)
{
	return isdigit((unsigned char)base[0]) && strchr(base, '_') != NULL && migrate_ends_with(base, ".rb");
}

static size_t span_name(const char *s) { return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_"); }

/* "20260105_add_name.scope.rb"; *ret_name is how long the name is that stands behind the number. */
static bool parse_name(const char *base, uint64_t *ret_version, size_t *ret_name)
{
	const size_t n = numbered_version(base, UINT64_MAX, ret_version);
	const char *at = base + n;

	if (n == 0 || *at != '_')
		return false;
	at++;
	*ret_name = span_name(at);
	at += *ret_name;
	if (strcmp(at, ".rb") == 0)
		return true;
	if (*at != '.')
		return false;
	at++;
	return strcmp(at + span_name(at), ".rb") == 0;
}

static enum tree_want rails_want(const char *path, bool is_dir)
{
	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	return is_globbed(migrate_base(path)) || rails_config_wants(path) ? TREE_READ : TREE_SKIP;
}

static bool is_file(const struct tree_file *f)
{
	return is_globbed(migrate_base(f->path)) &&
	       (f->bytes == NULL || strstr(f->bytes, "ActiveRecord::Migration") != NULL);
}

static const char *const usual[] = {"db/migrate", NULL};
static const struct numbered_form form = {.title = "Rails", .is_file = is_file, .usual = usual};

static bool rails_detect(const struct tree *t, char where[PATH_LEN])
{
	static const char tail[] = "db/migrate";

	for (int i = 0; i < t->n_files; i++) {
		const char *path = t->files[i].path;
		const size_t n = strlen(path);

		if (!t->files[i].is_dir || !migrate_ends_with(path, tail) ||
		    (n > strlen(tail) && path[n - strlen(tail) - 1] != '/'))
			continue;
		for (int k = i + 1; k < t->n_files; k++)
			if (!t->files[k].is_dir && numbered_is_in(t->files[k].path, path, true) &&
			    is_globbed(migrate_base(t->files[k].path))) {
				snprintf(where, PATH_LEN, "%.*s", (int)MAX((int)n - (int)sizeof(tail), 0),
				         path);
				if (where[0] == '\0')
					str_copy(where, PATH_LEN, ".");
				return true;
			}
	}
	return false;
}

/* "add_full_name" as its class: "AddFullName". */
static const char *camelize(struct migrate_job *j, const char *s, size_t n)
{
	char *copy = arena_strndup(&j->arena, s, n), *to = copy;
	bool upper = true;

	for (size_t i = 0; copy != NULL && i < n; i++) {
		if (s[i] != '_')
			*to++ = upper ? (char)toupper((unsigned char)s[i]) : s[i];
		upper = s[i] == '_';
	}
	if (copy != NULL)
		*to = '\0';
	return copy;
}

static int add_files(struct migrate_job *j, struct rails_set *set, const char *folder, struct error *e)
{
	for (int i = 0; i < j->tree.n_files; i++) {
		const struct tree_file *t = &j->tree.files[i];
		const char *base = migrate_base(t->path);
		uint64_t version = 0;
		size_t n_name = 0;

		if (t->is_dir || !is_globbed(base) || !numbered_is_in(t->path, folder, true))
			continue;
		if (!parse_name(base, &version, &n_name)) {
			char clean[MIGRATION_LEN];

			text_cleanz(clean, sizeof(clean), base);
			if (set->illegal == NULL)
				set->illegal = arena_strdup(&j->arena, clean);
			continue;
		}
		if (set->n == MIGRATIONS_MAX)
			return error_set(e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
		set->sources[set->n++] = (struct rails_file){
		    .file = t,
		    .version = version,
		    .class_name = camelize(j, base + strspn(base, "0123456789") + 1, n_name)};
	}
	return 0;
}

static int by_version(const void *a, const void *b)
{
	const struct rails_file *x = a, *y = b;

	if (x->version != y->version)
		return x->version < y->version ? -1 : 1;
	return strcmp(x->file->path, y->file->path);
}

static int by_class(const void *a, const void *b)
{
	const struct rails_file *const *x = a, *const *y = b;

	return strcmp((*x)->class_name, (*y)->class_name);
}

/* Notes what Rails refuses; of two files of one version the first stays. */
static void find_twice(struct migrate_job *j, struct rails_set *set)
{
	const struct rails_file **by = arena_alloc(&j->arena, (size_t)MAX(set->n, 1) * sizeof(*by));
	int n = 0;

	if (by == NULL || arena_failed(&j->arena))
		return;
	for (int i = 0; i < set->n; i++)
		by[i] = &set->sources[i];
	qsort(by, (size_t)set->n, sizeof(*by), by_class);
	for (int i = 1; i < set->n && set->twice_name == NULL; i++)
		if (strcmp(by[i - 1]->class_name, by[i]->class_name) == 0)
			set->twice_name = by[i]->class_name;
	for (int i = 0; i < set->n; i++) {
		if (n > 0 && set->sources[n - 1].version == set->sources[i].version)
			set->twice_version = set->sources[i].version;
		else
			set->sources[n++] = set->sources[i];
	}
	set->n = n;
}

/* As db:migrate:status prints it. */
static const char *version_name(struct migrate_job *j, uint64_t version)
{
	return arena_printf(&j->arena, "%.3" PRIu64, version);
}

static int read_set(struct migrate_job *j, struct rails_set *set, const char *const *paths, int n_paths,
                    struct error *e)
{
	const size_t room = (size_t)MIN(j->tree.n_files, MIGRATIONS_MAX) + 1;

	set->sources = arena_alloc(&j->arena, sizeof(*set->sources) * room);
	set->files = arena_alloc(&j->arena, sizeof(*set->files) * room);
	if (arena_failed(&j->arena))
		return error_set(e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < n_paths; i++) {
		char folder[PATH_LEN];
		int rc = numbered_clean_path(paths[i], folder) ? add_files(j, set, folder, e) : 0;

		if (rc != 0)
			return rc;
	}
	if (arena_failed(&j->arena))
		return error_set(e, ERR_NOMEM, "out of memory");
	qsort(set->sources, (size_t)set->n, sizeof(*set->sources), by_version);
	find_twice(j, set);
	for (int i = 0; i < set->n; i++) {
		const struct tree_file *t = set->sources[i].file;
		struct ladder_file *f = &set->files[i];

		*f = (struct ladder_file){
		    .name = version_name(j, set->sources[i].version), .path = t->path, .row_matches = true};
		if (t->bytes == NULL)
			continue;
		migrate_checksum(f, t->bytes, t->n);
		numbered_lint(j, f, t, LINT_TOOL_RAILS);
	}
	return 0;
}

static bool any_path_exists(const struct migrate_job *j, const struct rails_config *c)
{
	bool found = false;

	for (int i = -1; i < c->n_dbs; i++) {
		const char *const *paths = i < 0 ? c->paths : c->dbs[i].paths;
		const int n = i < 0 ? c->n_paths : c->dbs[i].n_paths;

		for (int k = 0; k < n; k++) {
			char folder[PATH_LEN];

			found |= numbered_clean_path(paths[k], folder) && folder[0] != '\0' &&
			         numbered_has_folder(&j->tree, folder);
		}
	}
	return found;
}

/* Option `migrations`, or a project without the usual places. */
static int choose_by_hand(struct migrate_job *j, struct rails_config *c, struct error *e)
{
	char folder[PATH_LEN];
	int rc;

	if (jv_get_text(j->options, "migrations", "")[0] == '\0' && any_path_exists(j, c))
		return 0;
	rc = numbered_folder(j, &form, NULL, folder, e);
	if (rc != 0)
		return rc;
	c->paths[0] = arena_strdup(&j->arena, folder);
	c->n_paths = 1;
	for (int i = 0; i < c->n_dbs; i++)
		c->dbs[i].n_paths = 0;
	return 0;
}

static int rails_read(struct migrate_job *j, struct error *e)
{
	struct rails_code *code = arena_alloc(&j->arena, sizeof(*code));
	struct rails_config *c;
	int rc;

	if (code == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	j->code = code;
	c = &code->config;
	c->paths[0] = "db/migrate";
	c->n_paths = 1;
	rails_config_read(c, &j->arena, &j->tree, jv_get_text(j->options, "rails_env", "production"));
	rc = choose_by_hand(j, c, e);
	code->n_sets = MAX(c->n_dbs, 1);
	for (int i = 0; i < code->n_sets && rc == 0; i++) {
		const bool own = i < c->n_dbs && c->dbs[i].n_paths > 0;

		rc = read_set(j, &code->sets[i], own ? c->dbs[i].paths : c->paths,
		              own ? c->dbs[i].n_paths : c->n_paths, e);
	}
	j->table_said = c->table;
	/* One schema alone says where the table is; of a list the first that exists does. */
	if (c->n_dbs == 1 && c->dbs[0].search_path != NULL &&
	    strpbrk(c->dbs[0].search_path, ",$\"' ") == NULL && c->dbs[0].search_path[0] != '\0')
		j->schema_said = c->dbs[0].search_path;
	return rc;
}

/* --- judgement ------------------------------------------------------------------------------------------------- */

/* Which of the project's databases this is: by option, by the database's name, else the first. */
static int which_set(const struct migrate_job *j, const struct rails_code *code)
{
	const char *wanted = jv_get_text(j->options, "rails_db", "");

	for (int i = 0; i < code->config.n_dbs; i++)
		if (wanted[0] != '\0' && strcmp(code->config.dbs[i].name, wanted) == 0)
			return i;
	for (int i = 0; i < code->config.n_dbs && wanted[0] == '\0'; i++)
		if (code->config.dbs[i].database != NULL &&
		    strcmp(code->config.dbs[i].database, j->database) == 0)
			return i;
	return 0;
}

/* Rails refuses versions more than a day ahead of the clock. */
static const char *version_ahead(const struct rails_set *set)
{
	time_t limit = time(NULL) + 24 * 3600;
	struct tm tm;
	char text[16];

	if (gmtime_r(&limit, &tm) == NULL || strftime(text, sizeof(text), "%Y%m%d%H%M%S", &tm) == 0)
		return NULL;
	for (int i = 0; i < set->n; i++)
		if (numbered_cmp(set->files[i].name, text) >= 0)
			return set->files[i].name;
	return NULL;
}

static void judge_blocks(const struct migrate_job *j, const struct rails_code *code,
                         const struct rails_set *files, struct migration_set *set)
{
	const char *wanted = jv_get_text(j->options, "rails_db", "");
	const char *ahead = code->config.checks_timestamps ? version_ahead(files) : NULL;

	if (files->illegal != NULL)
		migration_set_block(
		    set, "IllegalMigrationNameError",
		    "Illegal name for migration file: %.120s (only lower case letters, numbers, "
		    "and '_' allowed); rename it",
		    files->illegal);
	if (files->twice_name != NULL)
		migration_set_block(set, "DuplicateMigrationNameError",
		                    "Multiple migrations have the name %.120s; rename one and its class",
		                    files->twice_name);
	if (files->twice_version != 0)
		migration_set_block(set, "DuplicateMigrationVersionError",
		                    "Multiple migrations have the version number %" PRIu64
		                    "; give one of them another",
		                    files->twice_version);
	if (ahead != NULL)
		migration_set_block(
		    set, "InvalidMigrationTimestampError",
		    "Invalid timestamp %.60s for migration file name: it is more than a day ahead; "
		    "give it one of today",
		    ahead);
	if (code->config.trouble != NULL)
		migration_set_block(set, "database.yml", "config/database.yml cannot be read: %.150s",
		                    code->config.trouble);
	if (wanted[0] != '\0' && which_set(j, code) == 0 &&
	    (code->config.n_dbs == 0 || strcmp(code->config.dbs[0].name, wanted) != 0))
		migration_set_block(
		    set, "rails_db",
		    "database.yml has no database %.60s in this environment: mend option `rails_db`", wanted);
}

static void tell_facts(struct migrate_job *j, const struct rails_code *code, int which,
                       struct migration_set *set)
{
	const struct migrate_rows *meta = &j->tables[1];
	struct arena *a = &j->arena;
	struct jv *facts = jv_obj(a), *assumed = jv_arr(a);
	const char *current = "0";

	for (int i = 0; meta->exists && i < meta->n_rows; i++)
		if (strcmp(migrate_cell(meta, i, META_KEY), "environment") == 0) {
			char clean[NAME_LEN];

			text_cleanz(clean, sizeof(clean), migrate_cell(meta, i, META_VALUE));
			jv_set_str(a, facts, "environment", clean);
		}
	for (int i = 0; i < set->n_items; i++)
		if (migration_state_ran(set->items[i].state) && numbered_cmp(set->items[i].name, current) > 0)
			current = set->items[i].name;
	jv_set_str(a, facts, "current_version", current + MIN(strspn(current, "0"), strlen(current) - 1));
	if (code->config.n_dbs > 1)
		jv_set_str(a, facts, "rails_db", code->config.dbs[which].name);
	for (int i = 0; i < code->config.n_assumed; i++)
		jv_push(a, assumed, jv_str(a, code->config.assumed[i]));
	jv_set(a, facts, "assumed", assumed);
	migrate_facts(j, set, facts);
}

static int by_row(const void *a, const void *b)
{
	const struct ladder_row *x = a, *y = b;

	return numbered_cmp(x->name, y->name);
}

/* Rows as numbers, each once: Rails compares them so. */
static int make_rows(struct migrate_job *j, struct ladder_row *rows)
{
	int n = 0, k = 0;

	for (int i = 0; i < j->rows.n_rows; i++) {
		const char *cell = migrate_cell(&j->rows, i, COL_VERSION);
		uint64_t version = 0;

		/* "x".to_i is 0 */
		(void)numbered_version(cell + strspn(cell, " "), UINT64_MAX, &version);
		rows[n++] = (struct ladder_row){.name = version_name(j, version), .state = LADDER_DONE};
	}
	if (arena_failed(&j->arena))
		return 0;
	qsort(rows, (size_t)n, sizeof(*rows), by_row);
	for (int i = 0; i < n; i++)
		if (k == 0 || strcmp(rows[k - 1].name, rows[i].name) != 0)
			rows[k++] = rows[i];
	return k;
}

static struct migration_set *rails_judge(struct migrate_job *j)
{
	const struct rails_code *code = j->code;
	const int which = which_set(j, code);
	const struct rails_set *files = &code->sets[which];
	struct ladder_row *rows = arena_alloc(&j->arena, (size_t)(j->rows.n_rows + 1) * sizeof(*rows));
	struct migration_set *set;
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = files->files,
	                    .n_files = files->n,
	                    .by_name = true,
	                    .order = numbered_cmp,
	                    .works = j->works};

	if (rows == NULL)
		return NULL;
	in.rows = rows;
	in.n_rows = make_rows(j, rows);
	set = ladder_compare(&in);
	if (set != NULL) {
		judge_blocks(j, code, files, set);
		tell_facts(j, code, which, set);
	}
	return set;
}

static int rails_keys(const struct migrate_job *j, int64_t keys[MIGRATE_KEYS_MAX])
{
	const uLong crc = crc32(0, (const Bytef *)j->database, (uInt)strlen(j->database));

	keys[0] = LOCK_SALT * (int64_t)(uint32_t)crc;
	return 1;
}

static const char *const command[] = {"bin/rails", "db:migrate", NULL};
static const char *const down[] = {"bin/rails", "db:migrate", "VERSION={version}", NULL};
static const struct migrate_var vars[] = {{"RAILS_ENV", "production"}, {NULL, NULL}};

static const struct migrate_table tables[] = {
    {.name = "schema_migrations",
     .shape = "version",
     .shape_columns = 1,
     .select = "SELECT version::text FROM %s LIMIT 20000"},
    {.name = "ar_internal_metadata",
     .shape = "key,value",
     .select = "SELECT key, left(value, 60) FROM %s WHERE key = 'environment' LIMIT 2"},
};

static const struct migrate_tool rails = {
    .name = "rails",
    .title = "Rails",
    .path = ".",
    .command = command,
    .down = down,
    .vars = vars,
    .when_locked = "stops at once (ConcurrentMigrationError)",
    .unit_is_transaction = true,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .no_checksums = true,
    .missing_applied = true,
    .lock_keys = rails_keys,
    .want = rails_want,
    .detect = rails_detect,
    .read = rails_read,
    .judge = rails_judge,
};

MIGRATE_DRIVER(rails, "rails", options, "Rails and ActiveRecord migrations on PostgreSQL");
