/* The store's commands by the program itself: made, shown, moved from one into the other, whole or not at all. */
#include "backends/drivers.h"
#include "tests/lib/cm.h"
#include "tests/lib/storepg.h"
#include "tests/lib/storetest.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct pgserver *server;

struct world {
	struct store_world *lite; /* a SQLite store with something of everything */
	const char *database;
	char config[PATH_LEN];
	pid_t pid;
	char text[32 * 1024]; /* what the last command said */
};

enum { EXIT_DONE = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_NOT_FOUND_OUT = 4 };

/* Starts "towpath -c CONFIG WORD..." with its output into a file. */
static void start(struct world *w, const char *command)
{
	char words[PATH_LEN + 256], out[PATH_LEN];
	char program[PATH_LEN], dash_c[] = "-c";
	char *argv[16] = {program, dash_c, w->config}, *word;
	int n = 3;

	str_copy(program, sizeof(program),
	         getenv("TOWPATH_BIN") != NULL ? getenv("TOWPATH_BIN") : "./towpath");
	str_copy(words, sizeof(words), command);
	for (word = words; *word != '\0' && n < 15;) {
		argv[n++] = word;
		word += strcspn(word, " ");
		if (*word != '\0')
			*word++ = '\0';
	}
	argv[n] = NULL;
	snprintf(out, sizeof(out), "%.900s/out", w->lite->dir);
	w->pid = fork();
	if (w->pid != 0)
		return;
	n = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(n, 1);
	dup2(n, 2);
	execv(program, argv);
	_exit(127);
}

static int finish(struct world *w)
{
	int status = 0;

	waitpid(w->pid, &status, 0);
	str_copy(w->text, sizeof(w->text), file_text(w->lite->dir, "out"));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int run(struct world *w, const char *command)
{
	start(w, command);
	return finish(w);
}

static int move(struct world *w)
{
	char command[PATH_LEN + 64];

	snprintf(command, sizeof(command), "store move --json --from %s", w->lite->path);
	return run(w, command);
}

static bool said(const struct world *w, const char *what)
{
	if (strstr(w->text, what) != NULL)
		return true;
	print_message("# said: %s\n", w->text);
	return false;
}

static void config_make(struct world *w, const char *user)
{
	static const char text[] =
	    "name: test\nenvironments: [{name: prod}]\nservices:\n  - name: web\n    deploy: {driver: "
	    "command, deploy: "
	    "[/bin/true], observe: [/bin/true]}\n    environments: {prod: {instances: [{name: web-1, url: "
	    "\"http://127.0.0.1:1\"}]}}\nstore:\n  driver: postgres\n  url: {env: %s}\n  admin_url: {env: "
	    "%s}\n";
	char config[1024], me[96], admin[96];

	str_copy(me, sizeof(me), storepg_secret(server, 0, user, w->database));
	str_copy(admin, sizeof(admin), storepg_secret(server, 0, PGSERVER_USER, w->database));
	snprintf(config, sizeof(config), text, me, admin);
	file_put_n(w->lite->dir, "towpath.yaml", config, strlen(config), 0600);
	snprintf(w->config, sizeof(w->config), "%.900s/towpath.yaml", w->lite->dir);
	setenv("TOWPATH_STATE", w->lite->dir, 1);
}

/* Something of everything, with texts that are not nice. */
static void fill(struct store_world *w)
{
	struct deploy_row row = {
	    .service = "web", .env = "prod", .by = "anna", .good = true, .since_us = 1000};
	struct smoke_result *smoke = smoke_result_new(1);
	struct lease *l;
	struct answer a;

	plan_stored(w, w->plan);
	assert_int_equal(speak(w, DECISION_APPROVE, "ben").kind, OUTCOME_OK);
	assert_int_equal(create(w, w->r, NULL), OUTCOME_OK);
	l = claim(w, "1@x", 1, 1, false);
	S(w)->step_intent(w->o.priv, w->r, 0, "", l->epoch, begin(w, &a));
	answer_wait(&a);
	S(w)->step_result(w->o.priv, w->r, 0,
	                  &(struct outcome){.kind = OUTCOME_OK, .text = "caf\xc3\xa9 \"\\\x7f"}, l->epoch,
	                  begin(w, &a));
	answer_wait(&a);
	w->r->state = ROLLOUT_ENDED;
	w->r->at_step = w->r->n_steps;
	assert_int_equal(write_at(w, l->epoch), OUTCOME_OK);
	assert_int_equal(lease_do(w, l->epoch, true), OUTCOME_OK);
	free(l);
	for (int i = 0; i < 700; i++) /* more than a page */
		assert_int_equal(
		    decide(w, DECISION_NOTE, "olga", i % 2 == 0 ? "tab\there \xf0\x9f\x92\xa9" : "'; DROP")
		        .kind,
		    OUTCOME_OK);
	assert_int_equal(decide(w, DECISION_FREEZE, "olga", "audit").kind, OUTCOME_OK);
	str_copy(row.release.digest, sizeof(row.release.digest), "sha256:a");
	S(w)->deploy_note(w->o.priv, &row, begin(w, &a));
	answer_wait(&a);
	assert_non_null(smoke);
	str_copy(smoke->suite, sizeof(smoke->suite), "basics");
	str_copy(smoke->service, sizeof(smoke->service), "web");
	S(w)->smoke_put(w->o.priv, smoke, begin(w, &a));
	answer_wait(&a);
	smoke_result_free(smoke);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	store_kind = &store_kind_sqlite;
	store_setup((void **)&w->lite);
	w->database = pgserver_database(server);
	config_make(w, "sam");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	store_teardown((void **)&w->lite);
	free(w);
	return 0;
}

static const char *ask(struct world *w, const char *sql) { return pgserver_ask(server, w->database, sql); }

static void nothing_there(struct world *w)
{
	assert_string_equal(
	    ask(w, "SELECT (SELECT count(*) FROM towpath.audit) + (SELECT count(*) FROM towpath.plans)"
	           " + (SELECT count(*) FROM towpath.decisions) + (SELECT seq FROM towpath.head)"
	           " + (SELECT count(*) FROM towpath.head WHERE moving IS NOT NULL)"),
	    "0");
}

static void made_and_shown(void **state)
{
	struct world *w = *state;

	assert_int_equal(run(w, "store status"), EXIT_NOT_FOUND_OUT);
	assert_true(said(w, "towpath store init"));
	assert_int_equal(run(w, "store migrate"), EXIT_NO);
	assert_int_equal(run(w, "store init"), EXIT_DONE);
	assert_true(said(w, "made, schema 7"));
	assert_true(said(w, "GRANT towpath_approver TO"));
	assert_int_equal(run(w, "store init"), EXIT_DONE);
	assert_true(said(w, "nothing to do"));
	assert_null(strstr(w->text, "GRANT"));
	assert_int_equal(run(w, "store status"), EXIT_NO);
	assert_true(said(w, "GRANT towpath_viewer"));
	assert_true(pgserver_sql(server, NULL, "GRANT towpath_approver TO sam"));
	assert_int_equal(run(w, "store status"), EXIT_DONE);
	assert_true(said(w, "sam: viewer, approver"));
	assert_int_equal(run(w, "store status --json"), EXIT_DONE);
	assert_true(said(w, "\"schema\": 7,"));
	assert_true(said(w, "\"warnings\": []"));
	/* A kind that the store has never heard of. */
	assert_true(
	    pgserver_sql(server, w->database, "DELETE FROM towpath.rules WHERE kind IN ('pin', 'note')"));
	assert_int_equal(run(w, "store status"), EXIT_DONE);
	assert_true(said(w, "pin"));
	assert_int_equal(run(w, "store migrate"), EXIT_DONE);
	assert_int_equal(run(w, "store status"), EXIT_DONE);
	assert_null(strstr(w->text, "pin"));
	assert_true(pgserver_sql(server, NULL, "REVOKE towpath_approver FROM sam"));
}

static void moved_whole(void **state)
{
	struct world *w = *state;
	struct store_snapshot *before, *after;
	struct audit_verdict v;
	struct answer a;
	struct opened o;
	char want[128];

	fill(w->lite);
	before = snapshot(w->lite);
	v = verify(w->lite);
	assert_int_equal(run(w, "store init"), EXIT_DONE);
	if (move(w) != EXIT_DONE)
		fail_msg("%s", w->text);
	snprintf(want, sizeof(want), "\"audit\": %lld,", (long long)v.n_rows);
	assert_true(said(w, want));
	assert_true(said(w, "\"steps\": 2,") && said(w, "\"decisions\": 702,"));
	storepg_user(server, "ina", "viewer");
	storepg_open(&o, w->lite->loop, server, 0, "ina", w->database, "");
	store_postgres.audit_verify(o.priv, NULL, 0, begin(w->lite, &a));
	answer_wait(&a);
	/* The move is the next row; all before it is what it was. */
	assert_int_equal(((struct audit_verdict *)a.result)->bad_seq, 0);
	assert_int_equal(((struct audit_verdict *)a.result)->n_rows, v.n_rows + 1);
	free(a.result);
	snprintf(want, sizeof(want), "SELECT hash FROM towpath.audit WHERE seq = %lld", (long long)v.n_rows);
	assert_string_equal(ask(w, want), v.head);
	store_postgres.snapshot(o.priv, begin(w->lite, &a));
	answer_wait(&a);
	after = a.result;
	assert_int_equal(after->n_decisions, before->n_decisions);
	for (int i = 0; i < before->n_decisions; i++) {
		assert_int_equal(after->decisions[i].seq, before->decisions[i].seq);
		assert_int_equal(after->decisions[i].kind, before->decisions[i].kind);
		assert_string_equal(after->decisions[i].actor, before->decisions[i].actor);
		assert_string_equal(after->decisions[i].reason, before->decisions[i].reason);
	}
	assert_int_equal(after->n_rollouts, 1);
	assert_string_equal(after->rollouts[0].requester, "anna");
	assert_int_equal(after->n_smokes, 1);
	assert_int_equal(after->n_deploys, 1);
	assert_true(after->deploys[0].good);
	assert_int_equal(after->n_plans, 1);
	assert_string_equal(after->plans[0].requester, "anna");
	store_snapshot_free(before);
	store_snapshot_free(after);
	driver_close(&o);
	/* Nobody goes on in the old one, and nothing is moved twice. */
	assert_int_equal(decide(w->lite, DECISION_NOTE, "anna", "late").kind, OUTCOME_FAILED);
	store_snapshot_free(snapshot(w->lite));
	assert_int_equal(move(w), EXIT_NO);
	assert_true(said(w, "rows already"));
	/* What comes next in the new one follows. */
	storepg_user(server, "nora", "operator");
	storepg_open(&o, w->lite->loop, server, 0, "nora", w->database, "");
	store_postgres.decide(o.priv, &(struct decision){.kind = DECISION_NOTE, .service = "web"},
	                      begin(w->lite, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	free(a.result);
	store_postgres.smoke_put(o.priv, &(struct smoke_result){.suite = "basics"}, begin(w->lite, &a));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_OK);
	driver_close(&o);
}

static void not_moved_at_all(void **state)
{
	static const char end[] =
	    "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN "
	    "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$; GRANT EXECUTE ON "
	    "FUNCTION public.no() TO PUBLIC; CREATE TRIGGER no BEFORE INSERT ON towpath.smokes FOR EACH "
	    "ROW EXECUTE FUNCTION public.no()";
	struct world *w = *state;
	sqlite3 *db;

	assert_int_equal(run(w, "store init"), EXIT_DONE);
	/* Live: somebody is still at it. */
	assert_int_equal(create(w->lite, w->lite->r, NULL), OUTCOME_OK);
	assert_int_equal(move(w), EXIT_NO);
	assert_true(said(w, "is live"));
	nothing_there(w);
	store_teardown((void **)&w->lite);
	store_setup((void **)&w->lite);
	config_make(w, "sam");
	fill(w->lite);
	/* The connection breaks in the middle. */
	assert_true(pgserver_sql(server, w->database, end));
	assert_int_not_equal(move(w), EXIT_DONE);
	nothing_there(w);
	assert_true(pgserver_sql(server, w->database, "DROP TRIGGER no ON towpath.smokes"));
	/* A chain that somebody changed. */
	assert_int_equal(sqlite3_open(w->lite->path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db,
	                 "DROP TRIGGER audit_is_append_only_1; UPDATE audit SET text = 'x' WHERE seq = 600",
	                 NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(move(w), EXIT_NO);
	assert_true(said(w, "row 600"));
	nothing_there(w);
	/* The old one was not closed for it. */
	assert_int_equal(decide(w->lite, DECISION_NOTE, "anna", "goes on").kind, OUTCOME_OK);
	assert_int_equal(run(w, "store move --from /nowhere/store.db"), EXIT_USAGE);
}

static void written_meanwhile(void **state)
{
	struct world *w = *state;
	char command[PATH_LEN + 64];
	bool never = false;

	assert_int_equal(run(w, "store init"), EXIT_DONE);
	fill(w->lite);
	snprintf(command, sizeof(command), "store move --from %s", w->lite->path);
	/* It waits for the target, having looked at the source. */
	pgserver_freeze(server, true);
	start(w, command);
	loop_until(w->lite->loop, &never, loop_mono_us() + 1500 * US_PER_MS);
	assert_int_equal(waitpid(w->pid, NULL, WNOHANG), 0);
	assert_int_equal(decide(w->lite, DECISION_NOTE, "anna", "meanwhile").kind, OUTCOME_OK);
	pgserver_freeze(server, false);
	assert_int_equal(finish(w), EXIT_NO);
	assert_true(said(w, "was written while it was read"));
	nothing_there(w);
	assert_int_equal(move(w), EXIT_DONE);
}

static int group_setup(void **state)
{
	UNUSED(state);
	server = pgserver_shared();
	storepg_user(server, "sam", "");
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(made_and_shown), TEST(moved_whole), TEST(not_moved_at_all),
	                                   TEST(written_meanwhile)};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
