/*
 * The preview slot: pending migrations of a real repository judged by their statements, and the code of a revision
 * that runs searched for what they take away.
 */
#include "backends/drivers.h"
#include "core/port/migrate.h"
#include "tests/lib/cm.h"
#include "tests/lib/gitbuild.h"
#include "tests/lib/porttest.h"

#include <stdio.h>

#define DROP "prisma/migrations/20260101000000_drop/migration.sql"
#define INDEX "prisma/migrations/20260102000000_index/migration.sql"

struct place {
	struct loop *loop;
	char dir[PATH_LEN], repo[PATH_LEN], old[REVISION_LEN], now[REVISION_LEN];
	struct gitbuild *git;
	struct opened o;
};

static void place_make(struct place *p)
{
	char options[PATH_LEN * 2];

	memset(p, 0, sizeof(*p));
	p->loop = loop_new(NULL);
	folder_make(p->dir);
	snprintf(p->repo, sizeof(p->repo), "%.900s/repo", p->dir);
	p->git = gitbuild_new(p->repo);
	gitbuild_commit(p->git, "prisma/migrations/migration_lock.toml", "provider = \"postgresql\"\n",
	                "lock", 1700000000, p->old);
	gitbuild_commit(p->git, "src/app.ts", "const a = 1;\nprint(customer.fullName);\n", "code", 1700000001,
	                p->old);
	/* None of these is code that runs: a document, and a word that only begins the same. */
	gitbuild_commit(p->git, "README.md", "full_name is a column\n", "doc", 1700000002, p->old);
	gitbuild_commit(p->git, "src/other.ts", "full_name_index; xfull_name\n", "code", 1700000003, p->old);
	gitbuild_commit(p->git, DROP, "SELECT 1;\nALTER TABLE customers DROP COLUMN full_name;\n", "drop",
	                1700000004, p->now);
	gitbuild_commit(p->git, INDEX, "CREATE INDEX orders_note ON orders (note);\n", "index", 1700000005,
	                p->now);
	snprintf(options, sizeof(options), "{\"repo\": \"%.900s\", \"database\": {\"env\": \"NOT_USED\"}}",
	         p->repo);
	driver_open(&p->o, p->loop, &migrate_prisma.base, options, NULL);
}

static void place_end(struct place *p)
{
	driver_close(&p->o);
	gitbuild_free(p->git);
	folder_remove(p->dir);
	loop_free(p->loop);
}

static struct migration_preview *look(struct place *p, const char *running, struct outcome *ret)
{
	static const struct preview_item items[] = {{.path = DROP}, {.path = INDEX}, {.path = "gone.sql"}};
	static const struct lint_size sizes[] = {{"orders", 1000000, 512 * 1024 * 1024}};
	const struct preview_ask ask = {.revision = p->now,
	                                .items = items,
	                                .n_items = 3,
	                                .running = &running,
	                                .n_running = 1,
	                                .sizes = sizes,
	                                .n_sizes = 1};
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, p->loop, 20 * US_PER_S);

	migrate_prisma.preview(p->o.priv, &ask, op);
	answer_wait(&a);
	*ret = a.outcome;
	return a.result;
}

static const struct lint_finding *find(const struct preview_item *item, const char *slug)
{
	for (int i = 0; i < item->n_findings; i++)
		if (strcmp(lint_rule_desc(item->findings[i].rule)->slug, slug) == 0)
			return &item->findings[i];
	fail_msg("no finding %s for %s", slug, item->path);
	abort();
}

static void judges_and_searches(void **state)
{
	struct place p;
	struct outcome o;
	struct migration_preview *v;
	const struct lint_finding *f;

	UNUSED(state);
	place_make(&p);
	v = look(&p, p.old, &o);
	assert_int_equal(o.kind, OUTCOME_OK);
	assert_int_equal(v->n_items, 3);
	f = find(&v->items[0], "drop-column");
	assert_int_equal(f->line, 2);
	assert_int_equal(f->lock, LOCK_ACCESS_EXCLUSIVE);
	assert_true(f->breaks_old_code);
	f = find(&v->items[1], "create-index-not-concurrent");
	assert_string_equal(f->table, "orders");
	assert_int_equal(f->scan, YES);
	assert_true(v->items[1].read);
	assert_false(v->items[2].read);
	assert_int_equal(v->n_names, 1);
	assert_true(v->searched);
	assert_int_equal(v->n_uses, 1);
	assert_string_equal(v->uses[0].name, "customers.full_name");
	assert_string_equal(v->uses[0].file, "src/app.ts");
	assert_int_equal(v->uses[0].line, 2);
	assert_int_equal(v->uses[0].item, 0);
	assert_string_equal(v->uses[0].revision, p.old);
	migration_preview_free(v);
	place_end(&p);
}

/* Not known is not clean. */
static void unknown_code_is_said(void **state)
{
	struct place p;
	struct outcome o;
	struct migration_preview *v;

	UNUSED(state);
	place_make(&p);
	v = look(&p, "", &o);
	assert_int_equal(o.kind, OUTCOME_OK);
	assert_false(v->searched);
	assert_string_equal(v->search_text, "which code runs now is not known");
	migration_preview_free(v);
	v = look(&p, "0123456789012345678901234567890123456789", &o);
	assert_int_equal(o.kind, OUTCOME_OK);
	assert_false(v->searched);
	assert_int_not_equal(v->search_text[0], '\0');
	assert_int_equal(v->n_uses, 0);
	migration_preview_free(v);
	snprintf(p.now, sizeof(p.now), "no-such-tag");
	assert_null(look(&p, p.old, &o));
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	place_end(&p);
}

static void start_preview(void *priv, struct op *op)
{
	static const struct preview_item items[] = {{.path = DROP}};
	const struct preview_ask ask = {.revision = "HEAD", .items = items, .n_items = 1};

	migrate_prisma.preview(priv, &ask, op);
}

static void laws(void **state)
{
	static const struct slot_call call = {"preview", start_preview};
	struct place p;

	UNUSED(state);
	place_make(&p);
	slot_laws(p.loop, p.o.priv, &call, false);
	place_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(judges_and_searches),
	    cmocka_unit_test(unknown_code_is_said),
	    cmocka_unit_test(laws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
