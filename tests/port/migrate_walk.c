/*
 * Random walks over the real states of every tool: files are edited, deleted and brought back, rows of the tool's
 * table deleted, and after each step what the driver says must still make sense. TEST_SEED repeats a walk.
 */
#include "backends/drivers.h"
#include "backends/migrate/common.h"
#include "io/file.h"
#include "tests/lib/cm.h"
#include "tests/lib/pgserver.h"
#include "tests/lib/place.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 8, FILE_MAX = 256 * 1024, PATHS_MAX = 64 };

/* What a comment begins with in a file of that name; NULL: there is none that changes nothing. */
static const char *comment_of(const char *path)
{
	static const struct {
		const char *end, *comment;
	} kinds[] = {{".sql", "-- "}, {".py", "# "},  {".rb", "# "},
	             {".js", "// "},  {".ts", "// "}, {".cjs", "// "}};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const size_t n = strlen(path), k = strlen(kinds[i].end);

		if (n > k && strcmp(path + n - k, kinds[i].end) == 0)
			return kinds[i].comment;
	}
	return NULL;
}

struct walk {
	struct place p;
	const char *tool;
	struct prng random;
	char fixture[NAME_LEN * 2];
	char paths[PATHS_MAX][MIGRATION_PATH_LEN]; /* of the files of migrations */
	enum { AS_IT_WAS, EDITED, DELETED } files[PATHS_MAX];
	int n_paths, step;
	char did[TEXT_LEN];
};

static void wrong(const struct walk *w, const char *what, const char *name)
{
	fail_msg("%s, step %d (%s): %s: %s", w->tool, w->step, w->did, what, name);
}

static int path_index(const struct walk *w, const char *path)
{
	for (int i = 0; i < w->n_paths; i++)
		if (strcmp(w->paths[i], path) == 0)
			return i;
	return -1;
}

/* Atlas sums up each file with all before it: what is changed early shows in the next one that is looked at. */
static bool is_cumulative(const struct walk *w) { return strcmp(w->tool, "atlas") == 0; }

static bool is_touched(const struct walk *w, int at)
{
	bool any = false;

	for (int i = 0; i < w->n_paths; i++)
		any |= w->files[i] != AS_IT_WAS;
	return is_cumulative(w) ? any : at >= 0 && w->files[at] != AS_IT_WAS;
}

/* --- what always holds ----------------------------------------------------------------------------------------- */

static void check_set(const struct walk *w, const struct migration_set *set)
{
	int counts[MIGRATION_STATE_COUNT] = {0}, external = 0;

	for (int i = 0; i < set->n_items; i++) {
		const struct migration *m = &set->items[i];
		const int at = m->path[0] != '\0' ? path_index(w, m->path) : -1;

		external += m->external;
		if (!m->external)
			counts[m->state]++;
		/* One place for each: never applied and pending at once. */
		for (int k = 0; k < i; k++)
			if (strcmp(set->items[k].name, m->name) == 0)
				wrong(w, "stands twice", m->name);
		if (at >= 0 && w->files[at] == DELETED)
			wrong(w, "has a file that is gone", m->name);
		/* Prisma runs folders, and refuses one without its script. */
		if (m->state == MIGRATION_PENDING && m->path[0] == '\0' && !set->blocked)
			wrong(w, "is pending without a file", m->name);
		if ((m->state == MIGRATION_UNKNOWN || m->state == MIGRATION_SKIPPED ||
		     m->state == MIGRATION_CONDITIONAL) &&
		    m->text[0] == '\0')
			wrong(w, "has a state without its reason", m->name);
		if (m->state == MIGRATION_MODIFIED && (set->no_checksums || !is_touched(w, at)))
			wrong(w, "is modified, and nobody touched it", m->name);
		if (m->state == MIGRATION_RUNNING || m->state == MIGRATION_FAILED)
			wrong(w, "runs or failed, and nothing did", m->name);
	}
	assert_int_equal(external, set->n_external);
	assert_int_equal(counts[MIGRATION_APPLIED], set->n_applied);
	assert_int_equal(counts[MIGRATION_PENDING], set->n_pending);
	assert_int_equal(counts[MIGRATION_MODIFIED], set->n_modified);
	assert_int_equal(counts[MIGRATION_MISSING], set->n_missing);
	assert_int_equal(counts[MIGRATION_UNKNOWN], set->n_unknown);
	assert_int_equal(set->blocked, set->n_blocks > 0);
}

static void check_same(const struct walk *w, const struct migration_set *a, const struct migration_set *b)
{
	assert_int_equal(a->n_items, b->n_items);
	for (int i = 0; i < a->n_items; i++)
		if (strcmp(a->items[i].name, b->items[i].name) != 0 || a->items[i].state != b->items[i].state)
			wrong(w, "is another thing the second time", a->items[i].name);
}

/* An edit says something of its own file only. */
static void check_edit(const struct walk *w, const struct migration_set *before,
                       const struct migration_set *after, const char *path)
{
	for (int i = 0; i < before->n_items; i++) {
		const struct migration *m = &before->items[i], *now = NULL;

		for (int k = 0; k < after->n_items && now == NULL; k++)
			if (strcmp(after->items[k].name, m->name) == 0)
				now = &after->items[k];
		if (now == NULL)
			wrong(w, "left the list by an edit", m->name);
		else if (strcmp(m->path, path) != 0 && now->state != m->state && !is_cumulative(w))
			wrong(w, "changed by an edit of another file", m->name);
		else if (strcmp(m->path, path) == 0 && m->state == MIGRATION_PENDING &&
		         now->state != m->state)
			wrong(w, "was pending and is not by an edit", m->name);
		else if (strcmp(m->path, path) == 0 && m->state == MIGRATION_APPLIED && !m->rerun &&
		         now->state != MIGRATION_APPLIED && now->state != MIGRATION_MODIFIED &&
		         !(now->state == MIGRATION_PENDING && now->rerun))
			wrong(w, "had been applied and is not by an edit", m->name);
	}
}

/* --- steps ------------------------------------------------------------------------------------------------------- */

static void commit_file(struct walk *w, int at, const char *add)
{
	char path[PATH_LEN * 2];
	struct str text;

	snprintf(path, sizeof(path), "%s/%s/project/%s", place_fixtures(), w->fixture, w->paths[at]);
	str_init(&text, FILE_MAX);
	assert_int_equal(file_read(path, FILE_MAX, &text, NULL), 0);
	if (add != NULL)
		str_addf(&text, "\n%sedited in step %d\n", add, w->step);
	gitbuild_commit(w->p.git, w->paths[at], str_text(&text), w->did, 1700001000 + w->step, w->p.revision);
	str_release(&text);
}

static void delete_row(struct walk *w)
{
	const struct migrate_priv *priv = w->p.o.priv;
	char sql[TEXT_LEN];

	if (priv->table[0] == '\0')
		return;
	snprintf(sql, sizeof(sql),
	         "SET session_replication_role = replica; DELETE FROM \"%s\".\"%s\" WHERE ctid = (SELECT "
	         "ctid FROM \"%s\".\"%s\" ORDER BY ctid "
	         "OFFSET %d LIMIT 1)",
	         priv->schema, priv->table, priv->schema, priv->table, (int)prng_below(&w->random, 4));
	place_sql(&w->p, sql);
}

static void step(struct walk *w, struct migration_set **set)
{
	const int at = (int)prng_below(&w->random, (size_t)w->n_paths);
	const char *comment = comment_of(w->paths[at]);
	struct migration_set *now = NULL, *again = NULL;
	struct outcome o;
	bool edits = false;

	switch (prng_below(&w->random, 8)) {
	case 0:
		snprintf(w->did, sizeof(w->did), "a row deleted");
		delete_row(w);
		break;
	case 1:
	case 2:
		snprintf(w->did, sizeof(w->did), "%s deleted", w->paths[at]);
		if (w->files[at] == DELETED)
			return;
		gitbuild_commit(w->p.git, w->paths[at], NULL, w->did, 1700001000 + w->step, w->p.revision);
		w->files[at] = DELETED;
		break;
	case 3:
	case 4:
	case 5:
		snprintf(w->did, sizeof(w->did), "%s brought back", w->paths[at]);
		commit_file(w, at, NULL);
		w->files[at] = AS_IT_WAS;
		break;
	default:
		snprintf(w->did, sizeof(w->did), "%s edited", w->paths[at]);
		if (comment == NULL || w->files[at] == DELETED)
			return;
		commit_file(w, at, comment);
		w->files[at] = EDITED;
		edits = true;
		break;
	}
	o = place_inspect_at(&w->p, w->p.revision, &now);
	if (o.kind != OUTCOME_OK) {
		/* Without some of its files a project may be none: then that is said, and what to do. */
		if (o.kind != OUTCOME_ERRORED || o.text[0] == '\0' || o.hint[0] == '\0')
			wrong(w, outcome_name(o.kind), o.text);
		migration_set_free(*set);
		*set = NULL;
		return;
	}
	check_set(w, now);
	assert_int_equal(place_inspect_at(&w->p, w->p.revision, &again).kind, OUTCOME_OK);
	check_same(w, now, again);
	migration_set_free(again);
	if (edits && *set != NULL)
		check_edit(w, *set, now, w->paths[at]);
	migration_set_free(*set);
	*set = now;
}

/* --- walks ------------------------------------------------------------------------------------------------------- */

static void walk_tool(const struct migrate_driver *driver)
{
	struct walk w = {.tool = driver->base.name, .random = prng_seeded()};
	struct migration_set *set;
	bool was_modified, was_missing;

	snprintf(w.fixture, sizeof(w.fixture), "%s/clean", w.tool);
	place_make(&w.p, driver, w.fixture);
	set = place_inspect(&w.p);
	was_modified = set->n_modified > 0;
	was_missing = set->n_missing > 0;
	for (int i = 0; i < set->n_items && w.n_paths < PATHS_MAX; i++)
		if (set->items[i].path[0] != '\0' && path_index(&w, set->items[i].path) < 0)
			snprintf(w.paths[w.n_paths++], MIGRATION_PATH_LEN, "%s", set->items[i].path);
	assert_true(w.n_paths > 0);
	check_set(&w, set);
	for (w.step = 1; w.step <= STEPS; w.step++)
		step(&w, &set);
	migration_set_free(set);
	/* All files as they were: nothing is missing or modified that was not. */
	snprintf(w.did, sizeof(w.did), "all brought back");
	for (int i = 0; i < w.n_paths; i++) {
		commit_file(&w, i, NULL);
		w.files[i] = AS_IT_WAS;
	}
	set = place_inspect(&w.p);
	check_set(&w, set);
	assert_int_equal(set->n_modified > 0, was_modified);
	assert_int_equal(set->n_missing > 0, was_missing);
	migration_set_free(set);
	place_end(&w.p);
}

static void walks(void **state)
{
	int n = 0;

	UNUSED(state);
	for (int i = 0; drivers[i] != NULL; i++) {
		if (drivers[i]->port != PORT_MIGRATE || strcmp(drivers[i]->name, "null") == 0)
			continue;
		walk_tool((const struct migrate_driver *)(const void *)drivers[i]);
		n++;
	}
	assert_true(n >= 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(walks)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
