/* What only the SQLite store has: a file that is full, locked, damaged, of another version or of somebody else. */
#include "core/baked.h"
#include "core/gate.h"
#include "tests/lib/cm.h"
#include "tests/lib/storetest.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void sql(struct store_world *w, const char *text)
{
	sqlite3 *db;
	char *err = NULL;

	assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 2000);
	if (sqlite3_exec(db, text, NULL, NULL, &err) != SQLITE_OK)
		fail_msg("%s: %s", text, err);
	sqlite3_close(db);
}

#define NO_TRIGGERS                                                                                          \
	"DROP TRIGGER IF EXISTS audit_is_append_only_1; DROP TRIGGER IF EXISTS audit_is_append_only_2;"

static void tampering_shows(void **state)
{
	static const struct {
		const char *sql;
		int64_t bad;
	} cases[] = {
	    {NO_TRIGGERS "UPDATE audit SET text = 'b1 changed' WHERE seq = 2", 2},
	    {NO_TRIGGERS "UPDATE audit SET actor = 'eve' WHERE seq = 3", 3},
	    {NO_TRIGGERS "DELETE FROM audit WHERE seq = 2", 2},
	    {NO_TRIGGERS "DELETE FROM audit WHERE seq = 5", 5},
	    {NO_TRIGGERS "UPDATE audit SET seq = 100 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3;"
	                 "UPDATE audit SET seq = 3 WHERE seq = 100",
	     2},
	    {"INSERT INTO audit SELECT 6, at_us, actor, host, verb, target, result, text, hash, hash FROM "
	     "audit WHERE seq = 5",
	     6},
	    {NO_TRIGGERS "DELETE FROM audit", 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store_world *w;

		store_setup(state);
		w = *state;
		for (int n = 0; n < 5; n++)
			assert_int_equal(decide(w, DECISION_NOTE, "anna", "as it was").kind, OUTCOME_OK);
		assert_int_equal(verify(w).bad_seq, 0);
		sql(w, cases[i].sql);
		if (verify(w).bad_seq != cases[i].bad)
			fail_msg("%s: row %lld is called bad: %s", cases[i].sql, (long long)verify(w).bad_seq,
			         verify(w).text);
		store_teardown(state);
	}
}

static void audit_is_append_only(void **state)
{
	struct store_world *w = *state;
	sqlite3 *db;

	decide(w, DECISION_NOTE, "anna", "kept");
	assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
	assert_int_not_equal(sqlite3_exec(db, "DELETE FROM audit", NULL, NULL, NULL), SQLITE_OK);
	assert_int_not_equal(sqlite3_exec(db, "UPDATE audit SET text = 'x'", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(verify(w).n_rows, 1);
}

static void locked_by_another(void **state)
{
	struct store_world *w = *state;
	struct outcome o;
	sqlite3 *db;

	store_open(w, "\"busy\": 300000");
	assert_int_equal(decide(w, DECISION_NOTE, "anna", "before").kind, OUTCOME_OK);
	assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	o = decide(w, DECISION_NOTE, "anna", "meanwhile");
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	assert_non_null(strstr(o.text, "locked"));
	assert_true(o.hint[0] != '\0');
	/* Reading goes on. */
	store_snapshot_free(snapshot(w));
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(decide(w, DECISION_NOTE, "anna", "after").kind, OUTCOME_OK);
	assert_int_equal(verify(w).n_rows, 2);
}

/* In a child with a limit on file sizes: what is called saved is there afterwards, what is not is not. */
static bool fill_there(struct store_world *w, int n)
{
	struct rlimit limit = {(rlim_t)n, (rlim_t)n};
	int saved = 0;
	struct outcome o = decide(w, DECISION_NOTE, "ben", "first");
	char reason[TEXT_LEN], path[PATH_LEN + 16];
	FILE *f;

	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	saved += o.kind == OUTCOME_OK;
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return false;
	for (int i = 0; i < 400 && o.kind == OUTCOME_OK; i++) {
		o = decide(w, DECISION_NOTE, "ben", reason);
		saved += o.kind == OUTCOME_OK;
	}
	if (o.kind != OUTCOME_ERRORED || strstr(o.text, "nothing was saved") == NULL || o.hint[0] == '\0')
		return false;
	snprintf(path, sizeof(path), "%s/saved", w->dir);
	f = fopen(path, "we");
	if (f == NULL)
		return false;
	fprintf(f, "%d\n", saved);
	return fclose(f) == 0;
}

static void disk_full(void **state)
{
	struct store_world *w = *state;
	int status;
	pid_t pid;

	store_close(w);
	pid = fork();
	if (pid == 0) {
		struct store_world mine = *w;
		bool ok;

		alarm(60);
		/* What the parent has open stays the parent's. */
		memset(&mine.o, 0, sizeof(mine.o));
		mine.n_others = 0;
		mine.loop = loop_new(NULL);
		store_open(&mine, "");
		ok = fill_there(&mine, 600 * 1024);
		store_close(&mine);
		_exit(ok ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	store_open(w, "");
	assert_int_equal(verify(w).bad_seq, 0);
	assert_int_equal(verify(w).n_rows, strtol(file_text(w->dir, "saved"), NULL, 10));
}

static void refused_stores(void **state)
{
	static const struct {
		const char *sql;
		const char *says;
	} cases[] = {{"PRAGMA user_version = 99", "schema 99"},
	             {"PRAGMA user_version = 0", "something else"}};
	struct store_world *w = *state;

	decide(w, DECISION_NOTE, "anna", "x");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct outcome o;

		store_close(w);
		sql(w, cases[i].sql);
		store_open(w, "");
		o = decide(w, DECISION_NOTE, "anna", "y");
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_non_null(strstr(o.text, cases[i].says));
		assert_true(o.hint[0] != '\0');
	}
	store_close(w);
	sql(w, "PRAGMA user_version = 4");
	assert_int_equal(chmod(w->path, 0644), 0);
	store_open(w, "");
	assert_int_equal(decide(w, DECISION_NOTE, "anna", "y").kind, OUTCOME_ERRORED);
	/* It tries again with each call. */
	assert_int_equal(chmod(w->path, 0600), 0);
	assert_int_equal(decide(w, DECISION_NOTE, "anna", "y").kind, OUTCOME_OK);
	store_close(w);
	file_put(w->dir, "state/store.db",
	         "no database, but long enough to look like one to anybody who looks at the size "
	         "of it only and not at the first bytes of the file");
	assert_int_equal(chmod(w->path, 0600), 0);
	store_open(w, "");
	assert_int_equal(decide(w, DECISION_NOTE, "anna", "y").kind, OUTCOME_ERRORED);
}

/* A store that the first version made is brought up to now at the next opening, with all that is in it. */
static void older_schemas_are_migrated(void **state)
{
	const struct baked *first = baked_find("backends/store/schema/001_init.sql");
	struct store_world *w = *state;
	struct store_snapshot *s;
	char dir[PATH_LEN];
	sqlite3 *db;

	assert_non_null(first);
	store_close(w);
	snprintf(dir, sizeof(dir), "%.900s/state", w->dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, (const char *)first->bytes, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db,
	                 "PRAGMA user_version = 1;"
	                 "INSERT INTO decisions VALUES(101, 'freeze', 'anna', 'box', 5, '', '', 'web',"
	                 " 'prod', 'audit', '', 0);"
	                 "INSERT INTO decisions VALUES(102, 'dance', 'anna', 'box', 6, '', '', 'web',"
	                 " 'prod', 'of a later version', '', 0)",
	                 NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(chmod(w->path, 0600), 0);
	store_open(w, "");
	decide(w, DECISION_NOTE, "anna", "new");
	s = snapshot(w);
	assert_int_equal(s->n_decisions, 3);
	for (int i = 0; i < 3; i++)
		if (s->decisions[i].kind == DECISION_FREEZE)
			assert_string_equal(s->decisions[i].reason, "audit");
		else
			assert_int_equal(s->decisions[i].kind, DECISION_NOTE);
	assert_non_null(freeze_active(s->decisions, s->n_decisions, "web", "prod", s->now_us));
	store_snapshot_free(s);
}

static void modes_are_private(void **state)
{
	struct store_world *w = *state;
	char path[PATH_LEN + 16];
	struct stat st;

	decide(w, DECISION_NOTE, "anna", "x");
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(path, sizeof(path), "%s-wal", w->path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(path, sizeof(path), "%s/state", w->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void observations_are_disposable(void **state)
{
	struct store_world *w = *state;
	struct observation_list *list;
	struct answer a;

	for (int i = 0; i < 2; i++) {
		char name[32];

		S(w)->observe_put(w->o.priv, "deploy/web/prod", 42, "{\"a\":1}", begin(w, &a));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
		S(w)->observe_get(w->o.priv, begin(w, &a));
		answer_wait(&a);
		list = a.result;
		assert_int_equal(list->n_items, 1);
		assert_int_equal(list->items[0].at_us, 42);
		assert_string_equal(list->items[0].json, "{\"a\":1}");
		observation_list_free(list);
		store_close(w);
		/* Damaged: it is thrown away, the store is not touched by it. */
		snprintf(name, sizeof(name), "state/store.db-seen");
		file_put(
		    w->dir, name,
		    "garbage garbage garbage garbage garbage garbage garbage garbage garbage garbage garbage "
		    "garbage garbage garbage garbage");
		store_open(w, "");
	}
	assert_int_equal(decide(w, DECISION_NOTE, "anna", "x").kind, OUTCOME_OK);
}

static void demo_marker(void **state)
{
	static const char *const operators[] = {"anna", "ben"};
	struct store_world *w = *state;
	struct store_snapshot *s;
	struct answer a;

	S(w)->mark_demo(w->o.priv, operators, 2, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	s = snapshot(w);
	assert_true(s->is_demo);
	assert_int_equal(s->n_operators, 2);
	assert_string_equal(s->operators[1], "ben");
	store_snapshot_free(s);
	/* A store that is in use never becomes one. */
	S(w)->mark_demo(w->o.priv, operators, 2, begin(w, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_FAILED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tampering_shows),
	    TEST(audit_is_append_only),
	    TEST(locked_by_another),
	    TEST(disk_full),
	    TEST(refused_stores),
	    TEST(older_schemas_are_migrated),
	    TEST(modes_are_private),
	    TEST(observations_are_disposable),
	    TEST(demo_marker),
	};

	store_kind = &store_kind_sqlite;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
