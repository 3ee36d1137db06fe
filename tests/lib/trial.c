#include "tests/lib/trial.h"

#include "tests/lib/cm.h"
#include "tests/lib/small.h"
#include "tests/lib/storepg.h"
#include "tests/lib/tcpcut.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRY_US (60 * US_PER_S)

/* The store's times, fifty times shorter than those that it ships with. */
static const char lease[] = ", lease_ttl: 600ms, lease_safe: 280ms, lease_renew: 100ms";

static struct pgserver *server;
static const char *template;

/* --- chance ----------------------------------------------------------------------------------- */

static uint64_t chance;

/* splitmix64: the next of a row that its seed decides; below n. */
static int rnd(int n)
{
	uint64_t z = chance += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (int)((z ^ (z >> 31)) % (uint64_t)n);
}

/* --- the store of a try ------------------------------------------------------------------------- */

static char database[64];
static int port; /* through which the processes of the try reach the server, 0: its own */

void trial_server(void)
{
	server = pgserver_shared();
	template = storepg_make(server);
	storepg_user(server, "olga", "operator approver admin executor");
}

static void address(void)
{
	const char *name = storepg_secret(server, port, "olga", database);

	assert_int_equal(setenv("TRIAL_STORE", getenv(name), 1), 0);
}

static void store_make(enum trial_store store, uint64_t seed)
{
	char sql[192];

	if (store == TRIAL_SQLITE) {
		small_use_store(NULL);
		return;
	}
	snprintf(database, sizeof(database), "try%llu", (unsigned long long)seed);
	snprintf(sql, sizeof(sql), "CREATE DATABASE %s TEMPLATE %s", database, template);
	assert_true(pgserver_sql(server, NULL, sql));
	address();
	small_use_store("driver: postgres, url: {env: TRIAL_STORE}, poll: 100ms");
}

static void store_drop(enum trial_store store)
{
	char sql[192];

	if (store == TRIAL_SQLITE)
		return;
	snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", database);
	assert_true(pgserver_sql(server, NULL, sql));
}

/* --- the truth ---------------------------------------------------------------------------------- */

static void verdict(int code, const char *what, int n, const char *why)
{
	fprintf(stderr, "# %s: %s, %d times in the world\n", why, what, n);
	_exit(code);
}

/* Each effect is a line that its script wrote when it acted. */
static void once(const struct small *w, const char *line, const char *why)
{
	int n = small_count(w, "effects", line);

	if (n != 1)
		verdict(n == 0 ? TRIAL_LOST : TRIAL_DOUBLED, line, n, why);
}

static void chain_whole(struct small *w)
{
	const struct opened *s = app_store(w->app);
	struct audit_verdict *v;
	struct small_asked a;

	STORE_OF(s)->audit_verify(s->priv, NULL, 0, small_ask(w, &a));
	v = small_get(w, &a);
	assert_non_null(v);
	if (v->bad_seq != 0)
		fail_msg("the audit: %s", v->text);
	free(v);
}

static void ended_once(struct small *w, const char *why)
{
	struct rollout *r = small_rollout(w);
	struct release two;
	int done, all;

	small_release(&two, 2);
	once(w, "migrate", why);
	once(w, "apply web-1", why);
	once(w, "apply web-2", why);
	rollout_progress(r, &done, &all);
	if (r->state != ROLLOUT_ENDED || r->outcome != OUTCOME_OK || done != all) {
		fprintf(stderr, "# %s: %s %s, %d of %d steps: %s\n", why, rollout_state_name(r->state),
		        outcome_name(r->outcome), done, all, r->text);
		_exit(TRIAL_LOST);
	}
	free(r);
	assert_int_equal(small_count(w, "web-1", two.digest), 1);
	assert_int_equal(small_count(w, "web-2", two.digest), 1);
	chain_whole(w);
}

/* Runs it to its end: whoever finds the lease taken, or cannot find out, comes again. */
static void finish(struct small *w, int wanted, const char *why)
{
	int64_t until = loop_mono_us() + TRY_US;
	int rc;

	while ((rc = small_run(w)) != wanted) {
		if ((rc != EXIT_CONFLICT && rc != EXIT_NOT_FOUND_OUT) || loop_mono_us() > until)
			fail_msg("%s: the last process ended with %d", why, rc);
		poll(NULL, 0, 20);
	}
}

/* --- the kinds ---------------------------------------------------------------------------------- */

static void begin(struct small *w, const char *policy, uint64_t seed, enum trial_store store)
{
	store_make(store, seed);
	small_make(w, policy, lease);
	if (strcmp(policy, "rollback") == 0) {
		struct release two;

		small_release(&two, 2);
		small_put(w, "bad", two.digest);
	}
	small_plan(w, 2, "r0001");
}

static void end(struct small *w, enum trial_store store)
{
	small_end(w);
	store_drop(store);
}

/* Killed at the n-th passing of the point, up to three processes one after the other. */
static void kill_at(const struct trial_kind *k, uint64_t seed, enum trial_store store)
{
	struct small w;

	begin(&w, "pause", seed, store);
	for (int deaths = 1 + rnd(3); deaths > 0; deaths--) {
		char fault[96];
		int status;

		snprintf(fault, sizeof(fault), "%s@%d=kill", k->point, 1 + rnd(k->passes));
		status = small_wait_end(small_start(&w, fault), 0);
		if (!WIFSIGNALED(status))
			break;
	}
	finish(&w, EXIT_DONE, k->fault);
	ended_once(&w, k->fault);
	end(&w, store);
}

/* The point pretends an error. */
static void fail_at(const struct trial_kind *k, uint64_t seed, enum trial_store store)
{
	char fault[96];
	struct small w;

	begin(&w, "pause", seed, store);
	snprintf(fault, sizeof(fault), "%s@%d=error", k->point, 1 + rnd(k->passes));
	small_wait_end(small_start(&w, fault), 0);
	finish(&w, EXIT_DONE, k->fault);
	ended_once(&w, k->fault);
	end(&w, store);
}

/*
 * Stopped at the point until its lease has run out and another has gone on to the end; then it wakes, and neither acts
 * nor writes. One that was stopped in the middle of a write keeps SQLite's lock: then nobody can go on before it.
 */
static void stop_at(const struct trial_kind *k, uint64_t seed, enum trial_store store)
{
	struct rollout *before, *after;
	char fault[96];
	struct small w;
	int status, rc, effects;
	bool locked;
	pid_t pid;

	begin(&w, "pause", seed, store);
	snprintf(fault, sizeof(fault), "%s@%d=stop", k->point, 1 + rnd(k->passes));
	pid = small_start(&w, fault);
	status = small_wait_end(pid, WUNTRACED);
	if (!WIFSTOPPED(status)) {
		finish(&w, EXIT_DONE, k->fault);
		ended_once(&w, k->fault);
		end(&w, store);
		return;
	}
	while ((rc = small_run(&w)) == EXIT_CONFLICT)
		poll(NULL, 0, 50);
	locked = rc == EXIT_NOT_FOUND_OUT && store == TRIAL_SQLITE &&
	         small_says(&w, "run.log", "keeps the store locked");
	if (rc != EXIT_DONE && !locked)
		fail_msg("%s: the one who took over ended with %d", fault, rc);
	before = small_rollout(&w);
	effects = small_count(&w, "effects", "");
	kill(pid, SIGCONT);
	status = small_wait_end(pid, 0);
	assert_true(WIFEXITED(status));
	if (locked)
		finish(&w, EXIT_DONE, fault);
	ended_once(&w, fault);
	if (!locked) {
		after = small_rollout(&w);
		/* Nothing of the sleeper came into the store: what it had was stale. */
		assert_int_equal(after->n_steps, before->n_steps);
		assert_memory_equal(after->runs, before->runs, sizeof(after->runs));
		assert_int_equal(after->ended_us, before->ended_us);
		assert_int_equal(small_count(&w, "effects", ""), effects);
		free(after);
	}
	free(before);
	end(&w, store);
}

/* Killed at any moment, up to four times. */
static void kill_anytime(const struct trial_kind *k, uint64_t seed, enum trial_store store)
{
	struct small w;

	begin(&w, "pause", seed, store);
	for (int deaths = 1 + rnd(4); deaths > 0; deaths--) {
		pid_t pid = small_start(&w, NULL);

		poll(NULL, 0, rnd(900));
		kill(pid, SIGKILL);
		small_wait_end(pid, 0);
	}
	finish(&w, EXIT_DONE, k->fault);
	ended_once(&w, k->fault);
	end(&w, store);
}

/* Several at once for the same rollout, and one of them is killed. */
static void many_at_once(const struct trial_kind *k, uint64_t seed, enum trial_store store)
{
	pid_t pids[3];
	struct small w;
	int who = rnd(3);

	begin(&w, "pause", seed, store);
	for (int i = 0; i < 3; i++)
		pids[i] = small_start(&w, NULL);
	poll(NULL, 0, rnd(900));
	kill(pids[who], SIGKILL);
	for (int i = 0; i < 3; i++)
		small_wait_end(pids[i], 0);
	finish(&w, EXIT_DONE, k->fault);
	ended_once(&w, k->fault);
	end(&w, store);
}

/* Asked to leave at any moment: it leaves after its effect, another goes on. */
static void term_anytime(const struct trial_kind *k, uint64_t seed, enum trial_store store)
{
	struct small w;

	begin(&w, "pause", seed, store);
	for (int times = 1 + rnd(3); times > 0; times--) {
		pid_t pid = small_start(&w, NULL);

		poll(NULL, 0, rnd(900));
		kill(pid, SIGTERM);
		small_wait_end(pid, 0);
	}
	finish(&w, EXIT_DONE, k->fault);
	ended_once(&w, k->fault);
	end(&w, store);
}

/* A bad build is put back; killed on the way there and back. */
static void revert_killed(const struct trial_kind *k, uint64_t seed, enum trial_store store)
{
	struct release one, two;
	struct rollout *r;
	char fault[96], line[160];
	struct small w;

	small_release(&one, 1);
	small_release(&two, 2);
	begin(&w, "rollback", seed, store);
	if (k->point != NULL) {
		snprintf(fault, sizeof(fault), "%s@%d=kill", k->point, 1 + rnd(k->passes));
		small_wait_end(small_start(&w, fault), 0);
	} else {
		pid_t pid = small_start(&w, NULL);

		small_wait_line(&w, "effects", "apply web-1");
		poll(NULL, 0, rnd(2500));
		kill(pid, SIGKILL);
		small_wait_end(pid, 0);
	}
	finish(&w, EXIT_NO, k->fault);
	r = small_rollout(&w);
	if (r->state != ROLLOUT_ENDED || !r->rolled_back)
		verdict(TRIAL_LOST, "the way back", 0, r->text);
	free(r);
	once(&w, "migrate", k->fault);
	snprintf(line, sizeof(line), "apply web-1 %s", two.digest);
	once(&w, line, k->fault);
	snprintf(line, sizeof(line), "apply web-1 %s", one.digest);
	once(&w, line, k->fault);
	assert_int_equal(small_count(&w, "web-1", one.digest), 1);
	assert_int_equal(small_count(&w, "effects", "apply web-2"), 0);
	chain_whole(&w);
	end(&w, store);
}

/* How many decisions of a kind stand in the store, each with its row of the audit. */
static int decided(struct small *w, enum decision_kind kind)
{
	const struct opened *s = app_store(w->app);
	struct store_snapshot *snap = small_snapshot(w);
	struct audit_page *page;
	struct small_asked a;
	int n = 0, rows = 0;

	for (int i = 0; i < snap->n_decisions; i++)
		n += snap->decisions[i].kind == kind;
	store_snapshot_free(snap);
	STORE_OF(s)->history(s->priv, 0, 500, small_ask(w, &a));
	page = small_get(w, &a);
	for (int i = 0; i < page->n_rows; i++)
		rows += strcmp(page->rows[i].verb, decision_kind_name(kind)) == 0;
	audit_page_free(page);
	assert_int_equal(rows, n);
	return n;
}

/* Who decides is killed: what they were told stands, once; what they were not told stands once or not at all. */
static void decider_killed(const struct trial_kind *k, uint64_t seed, enum trial_store store)
{
	char fault[96], text[TEXT_LEN];
	struct small w;
	int status, n;
	pid_t pid;

	begin(&w, "pause", seed, store);
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	snprintf(fault, sizeof(fault), "%s=kill", k->point);
	status = small_wait_end(small_start_decide(&w, DECISION_HOLD, rnd(4) > 0 ? fault : NULL), 0);
	n = decided(&w, DECISION_HOLD);
	if (n > 1)
		verdict(TRIAL_DOUBLED, "hold", n, k->fault);
	if (n == 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE)
		verdict(TRIAL_LOST, "hold", n, k->fault);
	small_drop(&w, "wait");
	if (n == 1) {
		small_wait_state(&w, ROLLOUT_PAUSED);
		assert_int_equal(small_count(&w, "effects", "apply"), 0);
		assert_int_equal(small_request(&w, DECISION_CONTINUE, text), OUTCOME_OK);
	}
	status = small_wait_end(pid, 0);
	assert_true(WIFEXITED(status));
	finish(&w, EXIT_DONE, k->fault);
	ended_once(&w, k->fault);
	end(&w, store);
}

/* The way to the server loses answers and is cut, again and again; then it is whole. */
static void network_cut(const struct trial_kind *k, uint64_t seed, enum trial_store store)
{
	struct tcpcut *cut = tcpcut_start(pgserver_port(server));
	struct small w;
	pid_t pid;

	assert_non_null(cut);
	begin(&w, "pause", seed, store);
	port = tcpcut_port(cut);
	address();
	pid = small_start(&w, NULL);
	for (int times = 2 + rnd(5); times > 0; times--) {
		poll(NULL, 0, rnd(250));
		tcpcut_set(cut, rnd(3) > 0 ? CUT_REPLY : CUT_ALL);
		poll(NULL, 0, rnd(100));
		tcpcut_set(cut, CUT_NOTHING);
	}
	small_wait_end(pid, 0);
	finish(&w, EXIT_DONE, k->fault);
	ended_once(&w, k->fault);
	tcpcut_free(cut);
	end(&w, store);
}

/*
 * Half open: the holder's way to the server is silent, nothing is closed. Another one, with a way of its own, goes on
 * when the lease has run out; the first begins nothing meanwhile and is refused when it is heard again.
 */
static void holder_cut_off(const struct trial_kind *k, uint64_t seed, enum trial_store store)
{
	struct tcpcut *cut = tcpcut_start(pgserver_port(server));
	struct small w;
	int effects, rc;
	pid_t pid;

	assert_non_null(cut);
	begin(&w, "pause", seed, store);
	port = tcpcut_port(cut);
	address();
	pid = small_start(&w, NULL);
	poll(NULL, 0, 200 + rnd(700));
	tcpcut_set(cut, CUT_SILENT);
	port = 0;
	address();
	while ((rc = small_run(&w)) == EXIT_CONFLICT)
		poll(NULL, 0, 50);
	assert_int_equal(rc, EXIT_DONE);
	effects = small_count(&w, "effects", "");
	tcpcut_set(cut, CUT_NOTHING);
	small_wait_end(pid, 0);
	assert_int_equal(small_count(&w, "effects", ""), effects);
	ended_once(&w, k->fault);
	tcpcut_free(cut);
	end(&w, store);
}

/* --- the table ---------------------------------------------------------------------------------- */

const struct trial_kind trial_kinds[] = {
    {"kill run.before_claim", "run.before_claim", 1, kill_at, false},
    {"kill run.after_claim", "run.after_claim", 1, kill_at, false},
    {"kill run.before_intent", "run.before_intent", SMALL_STEPS, kill_at, false},
    {"kill run.after_intent", "run.after_intent", SMALL_STEPS, kill_at, false},
    {"kill run.before_child", "run.before_child", 3, kill_at, false},
    {"kill run.after_child", "run.after_child", 3, kill_at, false},
    {"kill run.after_effect", "run.after_effect", SMALL_STEPS, kill_at, false},
    {"kill run.before_result", "run.before_result", SMALL_STEPS, kill_at, false},
    {"kill run.after_result", "run.after_result", SMALL_STEPS, kill_at, false},
    {"kill run.before_renewal", "run.before_renewal", 5, kill_at, false},
    {"kill run.after_renewal", "run.after_renewal", 5, kill_at, false},
    {"kill store.before_commit", "store.before_commit", 16, kill_at, false},
    {"kill store.after_commit", "store.after_commit", 16, kill_at, false},
    {"kill run.before_revert", "run.before_revert", 1, revert_killed, false},
    {"kill run.after_revert", "run.after_revert", 1, revert_killed, false},
    {"kill on the way back", NULL, 0, revert_killed, false},
    {"kill request.before_decision", "request.before_decision", 1, decider_killed, false},
    {"kill request.after_decision", "request.after_decision", 1, decider_killed, false},
    {"stop run.before_intent", "run.before_intent", SMALL_STEPS, stop_at, false},
    {"stop run.after_intent", "run.after_intent", SMALL_STEPS, stop_at, false},
    {"stop run.before_child", "run.before_child", 3, stop_at, false},
    {"stop run.after_child", "run.after_child", 3, stop_at, false},
    {"stop run.after_effect", "run.after_effect", SMALL_STEPS, stop_at, false},
    {"stop run.before_result", "run.before_result", SMALL_STEPS, stop_at, false},
    {"error run.before_intent", "run.before_intent", SMALL_STEPS, fail_at, false},
    {"error run.before_result", "run.before_result", SMALL_STEPS, fail_at, false},
    {"error store.before_commit", "store.before_commit", 16, fail_at, false},
    {"kill at any moment", NULL, 0, kill_anytime, false},
    {"kill one of three", NULL, 0, many_at_once, false},
    {"term at any moment", NULL, 0, term_anytime, false},
    {"network loses answers", NULL, 0, network_cut, true},
    {"network half open", NULL, 0, holder_cut_off, true},
};
const int trial_n_kinds = (int)ARRAY_LEN(trial_kinds);

const struct trial_kind *trial_kind_of(uint64_t seed, enum trial_store *ret_store)
{
	const struct trial_kind *k = &trial_kinds[seed % (uint64_t)trial_n_kinds];

	*ret_store =
	    k->postgres_only || (seed / (uint64_t)trial_n_kinds) % 2 == 1 ? TRIAL_POSTGRES : TRIAL_SQLITE;
	return k;
}

void trial_run(uint64_t seed)
{
	enum trial_store store;
	const struct trial_kind *k = trial_kind_of(seed, &store);

	chance = seed;
	k->run(k, seed, store);
	_exit(TRIAL_SURVIVED);
}
