/*
 * Django: migrations read from the tree's sources against django_migrations.
 *
 * The table holds successes only: no checksum, no failure, no lock. Rows of apps outside the tree (auth, admin,
 * third parties) are external; a squash counts as applied when all that it replaces is.
 */
#include "backends/drivers.h"
#include "backends/migrate/common.h"
#include "backends/migrate/django_code.h"
#include "core/lookup.h"
#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COL_APP, COL_NAME, COL_APPLIED };
enum { LEFTOVER_NUMBER_LEN = 16 };

struct django_tree {
	struct django_file *files;
	struct ladder_file *ladder;
	int n;
};

static const struct option_desc options[] = {
    MIGRATE_OPTIONS(".", "[python3, manage.py, migrate, --noinput]"),
    {.name = "apps",
     .type = OPTION_LIST,
     .text = "Labels of the installed apps of the tree; without it all count.",
     .example = "[shop, billing]"},
    {.name = NULL},
};

/* Is path right below a folder of this name (and that one not at the very top, for migrations)? */
static bool is_below(const char *path, const char *folder, bool *ret_at_top)
{
	const char *base = migrate_base(path);
	const size_t n = strlen(folder), dir = (size_t)(base - path);

	if (dir < n + 1 || memcmp(base - n - 1, folder, n) != 0 || (dir > n + 1 && base[-(int)n - 2] != '/'))
		return false;
	*ret_at_top = dir == n + 1;
	return true;
}

static enum tree_want django_want(const char *path, bool is_dir)
{
	const char *base = migrate_base(path);
	bool at_top;

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	if (!migrate_ends_with(base, ".py"))
		return TREE_SKIP;
	if (is_below(path, "migrations", &at_top) && !at_top)
		return base[0] == '_' || base[0] == '~' ? TREE_LIST : TREE_READ;
	if (strcmp(base, "apps.py") == 0 || django_is_settings(path))
		return TREE_READ;
	/* MIGRATION_MODULES may have it elsewhere. */
	return strcmp(base, "__init__.py") == 0 || (base[0] >= '0' && base[0] <= '9') ? TREE_LIST : TREE_SKIP;
}

/* Whether the folder asked about last is a package: its files come one after the other. */
struct package_memo {
	char init[PATH_LEN];
	bool there;
};

/* "shop/migrations/0001_initial.py" of a package with __init__.py? Fills the app's folder. */
static bool is_migration(const struct tree *t, const struct tree_file *f, char dir[PATH_LEN],
                         struct package_memo *memo)
{
	const char *base = migrate_base(f->path);
	char init[PATH_LEN];
	bool at_top;
	size_t n;

	if (f->bytes == NULL || !is_below(f->path, "migrations", &at_top) || at_top)
		return false;
	/* Python's module finder skips names with a further dot. */
	if (strchr(base, '.') != base + strlen(base) - 3)
		return false;
	n = (size_t)(base - f->path);
	snprintf(init, sizeof(init), "%.*s__init__.py", (int)n, f->path);
	n -= strlen("/migrations/");
	snprintf(dir, PATH_LEN, "%.*s", (int)n, f->path);
	if (strcmp(memo->init, init) != 0) {
		str_copy(memo->init, sizeof(memo->init), init);
		memo->there = tree_file_at(t, init) != NULL;
	}
	return memo->there;
}

static const char *app_label(struct migrate_job *j, const char *dir)
{
	const struct tree_file *apps;
	char path[PATH_LEN + 16];

	snprintf(path, sizeof(path), "%s/apps.py", dir);
	apps = tree_file_at(&j->tree, path);
	if (apps != NULL && apps->bytes != NULL)
		return django_read_label(&j->arena, apps->bytes, apps->n, migrate_base(dir));
	return migrate_base(dir);
}

static bool is_installed(const struct jv *apps, const char *label)
{
	for (size_t i = 0; i < jv_len(apps); i++)
		if (strcmp(jv_text(jv_at(apps, i), ""), label) == 0)
			return true;
	return jv_len(apps) == 0;
}

static void read_one(struct migrate_job *j, struct django_tree *code, const struct tree_file *f,
                     const char *label, const char *user)
{
	struct django_file *d = &code->files[code->n];
	const char *base = migrate_base(f->path);

	d->key.app = arena_strdup(&j->arena, label);
	d->key.name = arena_strndup(&j->arena, base, strlen(base) - 3);
	django_read_migration(&j->arena, f->bytes, f->n, user, d);
	if (d->not_atomic)
		lint_add(&d->lint, 0, false, false, "not atomic: a failure leaves it half done");
	migrate_checksum(&code->ladder[code->n], f->bytes, f->n);
	code->ladder[code->n].path = f->path;
	code->n++;
}

/* The folder of a file of the package of this dotted name, where it has the name of a migration. */
static bool is_moved(const struct tree *t, const struct tree_file *f, const char *module)
{
	const char *base = migrate_base(f->path);
	char dir[PATH_LEN], init[PATH_LEN + 16];

	if (f->is_dir || base == f->path || !migrate_ends_with(base, ".py") || base[0] == '_' ||
	    base[0] == '~' || strchr(base, '.') != base + strlen(base) - 3)
		return false;
	snprintf(dir, sizeof(dir), "%.*s", (int)(base - f->path) - 1, f->path);
	snprintf(init, sizeof(init), "%s/__init__.py", dir);
	return django_is_module(dir, module) && tree_file_at(t, init) != NULL;
}

static bool is_wanted(void *ctx, const char *path)
{
	const struct django_settings *s = ctx;
	const struct tree_file f = {.path = path};

	for (size_t i = 0; s->modules != NULL && i < jv_len(s->modules); i++) {
		const char *module = jv_text(jv_at(s->modules, i), NULL);

		if (module != NULL && is_moved(s->tree, &f, module))
			return true;
	}
	return false;
}

/* Migrations at the usual place, of apps that are installed and have them there. */
static void read_apps(struct migrate_job *j, struct django_tree *code, const struct django_settings *s)
{
	const struct jv *apps = jv_get(j->options, "apps");
	char dir[PATH_LEN], last[PATH_LEN] = "";
	struct package_memo memo = {.there = false};
	const char *label = "", *module;
	bool counts = false;

	for (int i = 0; i < j->tree.n_files; i++) {
		if (!is_migration(&j->tree, &j->tree.files[i], dir, &memo))
			continue;
		if (strcmp(dir, last) != 0) {
			label = app_label(j, dir);
			counts = jv_len(apps) > 0 ? is_installed(apps, label) : django_is_installed(s, dir);
			counts = counts && !django_module_of(s, label, &module);
		}
		memcpy(last, dir, sizeof(last));
		if (counts)
			read_one(j, code, &j->tree.files[i], label, s->user_app);
	}
}

/* Those that MIGRATION_MODULES has elsewhere. */
static void read_moved(struct migrate_job *j, struct django_tree *code, const struct django_settings *s)
{
	const struct jv *apps = jv_get(j->options, "apps");

	for (size_t k = 0; s->modules != NULL && k < jv_len(s->modules); k++) {
		const char *label = jv_key(s->modules, k), *module = jv_text(jv_at(s->modules, k), NULL);

		for (int i = 0; module != NULL && is_installed(apps, label) && i < j->tree.n_files; i++)
			if (j->tree.files[i].bytes != NULL && is_moved(&j->tree, &j->tree.files[i], module))
				read_one(j, code, &j->tree.files[i], label, s->user_app);
	}
}

static int django_read(struct migrate_job *j, struct error *e)
{
	struct django_tree *code = arena_alloc(&j->arena, sizeof(*code));
	struct package_memo memo = {.there = false};
	struct django_settings s;
	char dir[PATH_LEN];
	int n = 0, rc;

	django_settings_read(&j->arena, &j->tree, &s);
	rc = tree_load(&j->tree, &j->arena, is_wanted, &s, e);
	if (rc != 0)
		return rc;
	for (int i = 0; i < j->tree.n_files; i++)
		n += is_migration(&j->tree, &j->tree.files[i], dir, &memo) ||
		     is_wanted(&s, j->tree.files[i].path);
	if (n > MIGRATIONS_MAX)
		return error_set(e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
	if (n == 0) {
		error_set(e, ERR_NOT_FOUND, "no Django migrations below the folder of `path`");
		error_hint(e, "set `path` to the folder that holds manage.py");
		return ERR_NOT_FOUND;
	}
	/* One folder may be two apps' (both named in MIGRATION_MODULES). */
	n *= 1 + (int)(s.modules != NULL ? jv_len(s.modules) : 0);
	if (code != NULL) {
		code->files = arena_alloc(&j->arena, (size_t)n * sizeof(*code->files));
		code->ladder = arena_alloc(&j->arena, (size_t)n * sizeof(*code->ladder));
	}
	if (arena_failed(&j->arena))
		return error_set(e, ERR_NOMEM, "out of memory");
	read_apps(j, code, &s);
	read_moved(j, code, &s);
	j->code = code;
	return 0;
}

/* --- rows ----------------------------------------------------------------------------------------------------- */

/* Rows that a file of the tree stands for: by its own name, or since a squash replaces it. And the tree's apps. */
static void find_known(const struct django_tree *code, struct arena *a, struct lookup *known,
                       struct lookup *apps)
{
	lookup_init(known, a, code->n);
	lookup_init(apps, a, 0);
	for (int i = 0; i < code->n; i++) {
		const struct django_file *f = &code->files[i];

		lookup_add(known, f->key.app, f->key.name, i);
		lookup_add(apps, f->key.app, "", i);
		for (int k = 0; k < f->replaces.n; k++)
			lookup_add(known, f->replaces.items[k].app, f->replaces.items[k].name, i);
	}
}

/* Two names by the number that they start with, as far as both have one. */
static int number_cmp(const char *a, const char *b)
{
	char x[LEFTOVER_NUMBER_LEN], y[LEFTOVER_NUMBER_LEN];

	snprintf(x, sizeof(x), "%.*s", (int)strspn(a, "0123456789"), a);
	snprintf(y, sizeof(y), "%.*s", (int)strspn(b, "0123456789"), b);
	return strcmp(x, y);
}

/* After a clean-up of a squash "0001_squashed_0004_x" the rows 0001 to 0004 stay in the table. */
static bool is_leftover(const struct django_tree *code, const struct django_key *key)
{
	for (int i = 0; i < code->n; i++) {
		const struct django_key *f = &code->files[i].key;
		const char *last = strstr(f->name, "_squashed_");

		if (last == NULL || strcmp(f->app, key->app) != 0)
			continue;
		last += strlen("_squashed_");
		if (number_cmp(key->name, f->name) >= 0 && number_cmp(key->name, last) <= 0)
			return true;
	}
	return false;
}

static const char *full_name(struct arena *a, const struct django_key *key)
{
	char raw[MIGRATION_LEN * 2], clean[MIGRATION_LEN];

	snprintf(raw, sizeof(raw), "%.200s.%.190s", key->app, key->name);
	text_cleanz(clean, sizeof(clean), raw);
	return arena_strdup(a, clean);
}

/* When a migration was applied: its own row, or the newest of those that it replaces. */
static int64_t applied_at(const struct migrate_rows *rows, const struct lookup *row_of,
                          const struct django_file *f)
{
	const int own = lookup_find(row_of, f->key.app, f->key.name);
	int64_t newest = 0;

	if (own >= 0)
		return migrate_cell_num(rows, own, COL_APPLIED);
	for (int k = 0; k < f->replaces.n; k++) {
		const int row = lookup_find(row_of, f->replaces.items[k].app, f->replaces.items[k].name);

		if (row >= 0)
			newest = MAX(newest, migrate_cell_num(rows, row, COL_APPLIED));
	}
	return newest;
}

static int by_row_name(const void *a, const void *b)
{
	const struct ladder_row *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Rows that no file stands for, by name: Django itself has no order for them. */
static int add_orphans(struct migrate_job *j, const struct django_tree *code, struct ladder_row *rows)
{
	struct lookup known, apps;
	int n = 0;

	find_known(code, &j->arena, &known, &apps);
	for (int i = 0; i < j->rows.n_rows; i++) {
		const struct django_key key = {migrate_cell(&j->rows, i, COL_APP),
		                               migrate_cell(&j->rows, i, COL_NAME)};
		struct ladder_row *row = &rows[n];

		if (lookup_find(&known, key.app, key.name) >= 0)
			continue;
		*row = (struct ladder_row){.name = full_name(&j->arena, &key),
		                           .state = LADDER_DONE,
		                           .at_us = migrate_cell_num(&j->rows, i, COL_APPLIED)};
		if (lookup_find(&apps, key.app, "") < 0) {
			row->external = true;
		} else if (is_leftover(code, &key)) {
			row->external = true;
			row->text = "left in the table by a squash: harmless";
		}
		if (row->name != NULL)
			n++;
	}
	qsort(rows, (size_t)n, sizeof(*rows), by_row_name);
	return n;
}

static struct jv *texts_of(struct arena *a, const struct django_texts *list)
{
	struct jv *to = jv_arr(a);

	for (int i = 0; i < list->n; i++) {
		char clean[TEXT_LEN];

		text_cleanz(clean, sizeof(clean), list->items[i]);
		jv_push(a, to, jv_str(a, clean));
	}
	return to;
}

/* What Django would refuse, and its own words for it. */
static void tell(struct migrate_job *j, const struct django_plan *plan, struct migration_set *set)
{
	struct jv *facts = jv_obj(&j->arena);

	if (arena_failed(&j->arena))
		return;
	for (int i = 0; i < plan->n_blocks; i++)
		migration_set_block(set, plan->blocks[i].code, "%s", plan->blocks[i].text);
	for (int i = 0; i < plan->conflicts.n; i++)
		migration_set_conflict(set, "%s", plan->conflicts.items[i]);
	jv_set(&j->arena, facts, "inconsistent", texts_of(&j->arena, &plan->inconsistent));
	migrate_facts(j, set, facts);
}

static struct migration_set *django_judge(struct migrate_job *j)
{
	const int n_rows = j->rows.n_rows;
	const struct django_tree *code = j->code;
	struct django_key *keys = arena_alloc(&j->arena, (size_t)MAX(n_rows, 1) * sizeof(*keys));
	struct ladder_file *files = arena_alloc(&j->arena, (size_t)MAX(code->n, 1) * sizeof(*files));
	struct ladder_row *rows = arena_alloc(&j->arena, (size_t)(n_rows + code->n + 1) * sizeof(*rows));
	struct ladder in = {.tool = j->tool->name,
	                    .revision = j->tree.revision,
	                    .files = files,
	                    .rows = rows,
	                    .works = j->works};
	struct django_plan plan;
	struct migration_set *set;
	struct lookup row_of;

	lookup_init(&row_of, &j->arena, n_rows);
	if (arena_failed(&j->arena))
		return NULL;
	for (int i = 0; i < n_rows; i++) {
		keys[i] = (struct django_key){migrate_cell(&j->rows, i, COL_APP),
		                              migrate_cell(&j->rows, i, COL_NAME)};
		lookup_add(&row_of, keys[i].app, keys[i].name, i);
	}
	if (!django_plan(&j->arena, code->files, code->n, keys, n_rows, &plan))
		return NULL;
	for (int i = 0; i < plan.n; i++) {
		const struct django_file *f = &code->files[plan.order[i]];
		struct ladder_file *l = &files[in.n_files++];

		*l = code->ladder[plan.order[i]];
		l->name = full_name(&j->arena, &f->key);
		l->row_matches = true;
		l->trouble = f->trouble;
		l->lint = f->lint;
		if (l->name == NULL)
			return NULL;
		if (plan.applied[i])
			rows[in.n_rows++] = (struct ladder_row){
			    .name = l->name, .state = LADDER_DONE, .at_us = applied_at(&j->rows, &row_of, f)};
	}
	in.n_rows += add_orphans(j, code, rows + in.n_rows);
	set = ladder_compare(&in);
	if (set != NULL)
		tell(j, &plan, set);
	return set;
}

static const char *const command[] = {"python3", "manage.py", "migrate", "--noinput", NULL};
static const char *const down[] = {"python3", "manage.py", "migrate", "--noinput", "{app}", "{rest}", NULL};

static const struct migrate_table tables[] = {
    {.name = "django_migrations",
     .shape = "id,app,name,applied",
     .shape_columns = 4,
     .select = "SELECT app, name, (extract(epoch FROM applied) * 1000000)::bigint FROM %s"
               " ORDER BY id LIMIT 20000"},
};

static bool django_detect(const struct tree *t, char where[PATH_LEN])
{
	for (int i = 0; i < t->n_files; i++) {
		const char *path = t->files[i].path, *base = migrate_base(path);

		if (strcmp(base, "manage.py") != 0)
			continue;
		snprintf(where, PATH_LEN, "%.*s", (int)MAX(base - path - 1, 0), path);
		if (where[0] == '\0')
			str_copy(where, PATH_LEN, ".");
		return true;
	}
	return false;
}

static const struct migrate_tool django = {
    .name = "django",
    .title = "Django",
    .path = ".",
    .command = command,
    .down = down,
    .unit_is_transaction = true,
    .tables = tables,
    .n_tables = ARRAY_LEN(tables),
    .no_checksums = true,
    .want = django_want,
    .detect = django_detect,
    .read = django_read,
    .judge = django_judge,
};

MIGRATE_DRIVER(django, "django", options, "Django migrations on PostgreSQL");
