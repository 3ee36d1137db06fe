/* The forge port: laws for every driver, then what git answers on a real repository that changes behind its back. */
#include "backends/drivers.h"
#include "core/port/forge.h"
#include "core/text.h"
#include "tests/lib/gitbuild.h"
#include "tests/lib/porttest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define T0 1700000000

struct world {
	struct loop *loop;
	char base[PATH_LEN], dir[PATH_LEN];
	struct gitbuild *g;
	struct opened o;
	char c[8][REVISION_LEN];
};

static void open_with(struct world *w, const char *more)
{
	char options[PATH_LEN * 2];

	snprintf(options, sizeof(options), "{\"path\": \"%s\"%s}", w->dir, more);
	driver_open(&w->o, w->loop, &forge_git.base, options, NULL);
}

static int world_make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->loop = loop_new(NULL);
	folder_make(w->base);
	snprintf(w->dir, sizeof(w->dir), "%.900s/repo.git", w->base);
	w->g = gitbuild_new(w->dir);
	gitbuild_commit(w->g, "services/web/app.c", "1", "feat(cart): first\n\nbody\n", T0, w->c[0]);
	gitbuild_commit(w->g, "services/api/api.c", "1", "fix: api only", T0 + 10, w->c[1]);
	gitbuild_commit(w->g, "services/web/app.c", "2", "fix(auth)!: second", T0 + 20, w->c[2]);
	gitbuild_commit(w->g, "docs/readme", "x", "docs: outside", T0 + 30, w->c[3]);
	gitbuild_commit(w->g, "services/web/.env.example", "A=\nB=1\n",
	                "chore: third\n\nBREAKING CHANGE: B is due\n", T0 + 40, w->c[4]);
	gitbuild_commit(w->g, "services/web/app.c", "3", "evil \033[31msubject\r\xe2\x80\xae and more",
	                T0 + 50, w->c[5]);
	gitbuild_tag(w->g, "web-v1.0.0", w->c[0], T0 + 1);
	gitbuild_tag(w->g, "web-v1.1.0", w->c[2], T0 + 25);
	gitbuild_tag(w->g, "web-v1.2.0", w->c[4], 0);
	gitbuild_tag(w->g, "api-v7.0.0", w->c[1], T0 + 11);
	gitbuild_branch(w->g, "stable", w->c[2]);
	open_with(w, ", \"tags\": \"web-v*\", \"paths\": [\"services/web\"]");
	*state = w;
	return 0;
}

static int world_end(void **state)
{
	struct world *w = *state;

	driver_close(&w->o);
	gitbuild_free(w->g);
	folder_remove(w->base);
	loop_free(w->loop);
	free(w);
	return 0;
}

static struct commit_log *log_of(struct world *w, const char *from, const char *to, struct outcome *o)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, w->loop, 20 * US_PER_S);

	forge_git.log(w->o.priv, from, to, op);
	answer_wait(&a);
	*o = a.outcome;
	return a.result;
}

static struct outcome resolve(struct world *w, const char *name, struct release *ret)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, w->loop, 20 * US_PER_S);

	forge_git.resolve(w->o.priv, name, op);
	answer_wait(&a);
	assert_int_equal(a.result != NULL, a.outcome.kind == OUTCOME_OK);
	if (a.result != NULL)
		*ret = *(struct release *)a.result;
	free(a.result);
	return a.outcome;
}

static struct outcome read_file(struct world *w, const char *revision, const char *path, char *dst,
                                size_t cap)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, w->loop, 20 * US_PER_S);

	forge_git.read(w->o.priv, revision, path, op);
	answer_wait(&a);
	if (a.result != NULL) {
		struct forge_file *f = a.result;

		assert_int_equal(f->bytes[f->n], '\0');
		snprintf(dst, cap, "%s", f->bytes);
	}
	free(a.result);
	return a.outcome;
}

static void git_check(void *p, struct op *op) { forge_git.base.check(p, op); }
static void git_log(void *p, struct op *op) { forge_git.log(p, "", "stable", op); }
static void git_log_none(void *p, struct op *op) { forge_git.log(p, "nope\033[m", "gone", op); }
static void git_tags(void *p, struct op *op) { forge_git.tags(p, op); }
static void git_resolve(void *p, struct op *op) { forge_git.resolve(p, "1.1.0", op); }
static void git_read(void *p, struct op *op) { forge_git.read(p, "stable", "services/web/app.c", op); }
static void git_read_none(void *p, struct op *op) { forge_git.read(p, "stable", "../\033[31m", op); }
static void null_log(void *p, struct op *op) { forge_null.log(p, "", "x", op); }
static void null_tags(void *p, struct op *op) { forge_null.tags(p, op); }
static void null_resolve(void *p, struct op *op) { forge_null.resolve(p, "x", op); }
static void null_read(void *p, struct op *op) { forge_null.read(p, "x", "y", op); }

static void keeps_the_laws(void **state)
{
	static const struct slot_call calls[] = {{"git check", git_check},
	                                         {"git log", git_log},
	                                         {"git log of nothing", git_log_none},
	                                         {"git tags", git_tags},
	                                         {"git resolve", git_resolve},
	                                         {"git read", git_read},
	                                         {"git read of nothing", git_read_none}};
	static const struct slot_call nulls[] = {{"null log", null_log},
	                                         {"null tags", null_tags},
	                                         {"null resolve", null_resolve},
	                                         {"null read", null_read}};
	struct world *w = *state;
	struct opened o;

	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		slot_laws(w->loop, w->o.priv, &calls[i], false);
	driver_open(&o, w->loop, &forge_null.base, "{}", NULL);
	for (size_t i = 0; i < ARRAY_LEN(nulls); i++)
		slot_laws(w->loop, o.priv, &nulls[i], true);
	driver_close(&o);
}

static void logs_the_commits_of_the_service(void **state)
{
	struct world *w = *state;
	struct outcome o;
	struct commit_log *log = log_of(w, w->c[0], w->c[5], &o);

	assert_int_equal(o.kind, OUTCOME_OK);
	assert_int_equal(log->n_items, 3);
	assert_string_equal(log->items[0].revision, w->c[5]);
	assert_int_equal(log->items[0].kind, COMMIT_OTHER);
	assert_true(text_is_clean(log->items[0].subject, strlen(log->items[0].subject)));
	assert_non_null(strstr(log->items[0].subject, "<ESC>"));
	assert_int_equal(log->items[1].kind, COMMIT_CHORE);
	assert_true(log->items[1].breaking);
	assert_string_equal(log->items[1].subject, "third");
	assert_int_equal(log->items[2].kind, COMMIT_FIX);
	assert_string_equal(log->items[2].scope, "auth");
	assert_true(log->items[2].breaking);
	assert_string_equal(log->items[2].author, "Ada Example");
	assert_int_equal(log->items[2].time_us, (T0 + 20) * US_PER_S);
	assert_false(log->backwards || log->unrelated || log->n_more > 0);
	/* One person wrote and committed them all. */
	assert_int_equal(log->n_people, 1);
	assert_string_equal(log->people[0].name, "Ada Example");
	assert_string_equal(log->people[0].mail, "ada@example.org");
	assert_false(log->people_cut);
	commit_log_free(log);
	/* From the beginning, by tag as shown. */
	log = log_of(w, "", "1.1.0", &o);
	assert_int_equal(log->n_items, 2);
	assert_string_equal(log->items[1].subject, "first");
	commit_log_free(log);
	log = log_of(w, "1.1.0", "stable", &o);
	assert_int_equal(log->n_items, 0);
	assert_false(log->backwards);
	commit_log_free(log);
}

static void backwards_and_unrelated_are_told(void **state)
{
	struct world *w = *state;
	char lone[REVISION_LEN];
	struct outcome o;
	struct commit_log *log = log_of(w, "web-v1.2.0", "web-v1.0.0", &o);

	assert_true(log->backwards);
	assert_int_equal(log->n_items, 2);
	commit_log_free(log);
	gitbuild_orphan(w->g, "lone", "feat: alone", T0 + 99, lone);
	log = log_of(w, "1.0.0", "lone", &o);
	assert_int_equal(o.kind, OUTCOME_OK);
	assert_true(log->unrelated);
	assert_false(log->backwards);
	commit_log_free(log);
}

static void without_paths_the_whole_repository_counts(void **state)
{
	struct world *w = *state;
	struct outcome o;
	struct commit_log *log;

	driver_close(&w->o);
	open_with(w, "");
	log = log_of(w, "", w->c[5], &o);
	assert_int_equal(log->n_items, 6);
	commit_log_free(log);
}

static void a_long_history_is_bounded(void **state)
{
	struct world *w = *state;
	struct outcome o;
	struct commit_log *log;
	char last[REVISION_LEN], text[32];

	for (int i = 0; i < COMMITS_MAX + 20; i++) {
		snprintf(text, sizeof(text), "%d", i);
		gitbuild_commit(w->g, "services/web/app.c", text, "feat: more", T0 + 100 + i, last);
	}
	log = log_of(w, w->c[5], last, &o);
	assert_int_equal(log->n_items, COMMITS_MAX);
	assert_int_equal(log->n_more, 20);
	assert_string_equal(log->items[0].revision, last);
	commit_log_free(log);
}

static void lists_its_own_tags(void **state)
{
	struct world *w = *state;
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, w->loop, 20 * US_PER_S);
	struct release_list *l;

	gitbuild_tag(w->g, "web-v2\xe2\x80\xae", w->c[5], T0 + 60);
	forge_git.tags(w->o.priv, op);
	answer_wait(&a);
	l = a.result;
	assert_int_equal(l->n_items, 4);
	assert_true(text_is_clean(l->items[0].tag, strlen(l->items[0].tag)));
	assert_string_equal(l->items[1].tag, "1.2.0");
	assert_string_equal(l->items[1].revision, w->c[4]);
	assert_int_equal(l->items[1].built_us, (T0 + 40) * US_PER_S);
	assert_string_equal(l->items[2].tag, "1.1.0");
	assert_string_equal(l->items[2].digest, "");
	assert_int_equal(l->items[3].built_us, (T0 + 1) * US_PER_S);
	release_list_free(l);
}

static void resolves_names(void **state)
{
	static const char *const bad[] = {"",       "HEAD~1",  "stable^",   "-v",        "a..b",
	                                  "@{1}",   "no-such", "000000",    "web v",     "\033[31m",
	                                  ":/feat", "*",       "refs/../x", "stable@{0}"};
	struct world *w = *state;
	struct release r;
	char shorter[16];

	assert_int_equal(resolve(w, "web-v1.1.0", &r).kind, OUTCOME_OK);
	assert_string_equal(r.revision, w->c[2]);
	assert_string_equal(r.tag, "1.1.0");
	assert_int_equal(resolve(w, "1.0.0", &r).kind, OUTCOME_OK);
	assert_string_equal(r.revision, w->c[0]);
	assert_int_equal(resolve(w, "stable", &r).kind, OUTCOME_OK);
	assert_string_equal(r.revision, w->c[2]);
	snprintf(shorter, sizeof(shorter), "%.8s", w->c[3]);
	assert_int_equal(resolve(w, shorter, &r).kind, OUTCOME_OK);
	assert_string_equal(r.revision, w->c[3]);
	assert_string_equal(r.tag, "");
	assert_int_equal(r.built_us, (T0 + 30) * US_PER_S);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct outcome o = resolve(w, bad[i], &r);

		assert_int_equal(o.kind, OUTCOME_FAILED);
		assert_true(o.text[0] != '\0');
	}
	/* A tag and a branch of one name at different commits. */
	gitbuild_branch(w->g, "web-v1.0.0", w->c[5]);
	assert_int_equal(resolve(w, "web-v1.0.0", &r).kind, OUTCOME_FAILED);
	/* A new tag is seen at once. */
	gitbuild_tag(w->g, "web-v9.0.0", w->c[5], T0 + 90);
	assert_int_equal(resolve(w, "9.0.0", &r).kind, OUTCOME_OK);
	assert_string_equal(r.revision, w->c[5]);
}

static void reads_files_of_a_revision(void **state)
{
	static const char *const bad[] = {"",
	                                  "/etc/passwd",
	                                  "../x",
	                                  "services/../services/web/app.c",
	                                  "services//web/app.c",
	                                  "services/web",
	                                  "services/web/",
	                                  "./services/web/app.c",
	                                  "no/such",
	                                  "."};
	struct world *w = *state;
	char text[64] = "";

	assert_int_equal(read_file(w, "1.1.0", "services/web/app.c", text, sizeof(text)).kind, OUTCOME_OK);
	assert_string_equal(text, "2");
	assert_int_equal(read_file(w, w->c[5], "services/web/.env.example", text, sizeof(text)).kind,
	                 OUTCOME_OK);
	assert_string_equal(text, "A=\nB=1\n");
	assert_int_equal(read_file(w, "1.0.0", "services/web/.env.example", text, sizeof(text)).kind,
	                 OUTCOME_FAILED);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(read_file(w, "1.1.0", bad[i], text, sizeof(text)).kind, OUTCOME_FAILED);
}

static void a_repository_that_goes_away_is_an_error(void **state)
{
	struct world *w = *state;
	char moved[PATH_LEN];
	struct release r;
	struct outcome o;

	snprintf(moved, sizeof(moved), "%.900s/moved", w->base);
	assert_int_equal(rename(w->dir, moved), 0);
	o = resolve(w, "stable", &r);
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_true(o.hint[0] != '\0');
	assert_null(log_of(w, "", "stable", &o));
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_int_equal(rename(moved, w->dir), 0);
	assert_int_equal(resolve(w, "stable", &r).kind, OUTCOME_OK);
}

static void a_repository_of_another_user_is_refused(void **state)
{
	struct world *w = *state;
	struct release r;
	struct outcome o;

	/* Only root can make one here. */
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(w->dir, 12345, 12345), 0);
	o = resolve(w, "stable", &r);
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(o.text, "another user"));
	assert_int_equal(chown(w->dir, 0, 0), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)
	const struct CMUnitTest tests[] = {
	    T(keeps_the_laws),
	    T(logs_the_commits_of_the_service),
	    T(backwards_and_unrelated_are_told),
	    T(without_paths_the_whole_repository_counts),
	    T(a_long_history_is_bounded),
	    T(lists_its_own_tags),
	    T(resolves_names),
	    T(reads_files_of_a_revision),
	    T(a_repository_that_goes_away_is_an_error),
	    T(a_repository_of_another_user_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
