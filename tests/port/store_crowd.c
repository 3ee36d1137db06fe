/*
 * Many clients of one PostgreSQL store at once, while connections are cut at random: one winner each time, no word
 * lost, none doubled. The same numbers come again with TEST_SEED.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "backends/drivers.h"
#include "tests/lib/cm.h"
#include "tests/lib/storepg.h"
#include "tests/lib/storetest.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 8, EACH = 8, CLIENTS = PROCESSES * EACH, PLACES = 4, EPOCHS = 65536, NOTES = 8192 };

static struct pgserver *server;

/* What all processes write down of what they were told. */
struct ledger {
	atomic_int owner[PLACES][EPOCHS]; /* client that got this epoch of a place, 0 none */
	atomic_int said[NOTES];           /* outcome of a note + 1, 0 not asked */
	atomic_int n_notes, n_grants, n_refused, n_writes, n_stale, n_unknown, n_errored, n_wrong;
	atomic_bool over;
};
static struct ledger *ledger;

struct client {
	struct store_world *w;
	struct opened o;
	struct prng prng;
	int number, left;
	int place;
	int64_t epoch; /* of the lease that it holds, 0 none */
	int note;
	struct rollout *r;
	int *n_busy;
};

static void next(struct client *c);

static struct op *op_of(struct client *c, op_done_fn *fn) { return op_new(c->w->loop, 20 * US_PER_S, fn, c); }

static void count(enum outcome_kind k)
{
	if (k == OUTCOME_UNKNOWN)
		atomic_fetch_add(&ledger->n_unknown, 1);
	if (k == OUTCOME_ERRORED)
		atomic_fetch_add(&ledger->n_errored, 1);
}

static void on_note(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct client *c = ctx;

	UNUSED(op);
	UNUSED(result);
	count(o->kind);
	atomic_store(&ledger->said[c->note], (int)o->kind + 1);
	next(c);
}

static void on_claimed(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct client *c = ctx;
	const struct lease *l = result;

	UNUSED(op);
	count(o->kind);
	if (o->kind == OUTCOME_OK && l != NULL) {
		int nobody = 0;

		/* A grant is one client's alone. */
		if (l->epoch <= 0 || l->epoch >= EPOCHS ||
		    !atomic_compare_exchange_strong(&ledger->owner[c->place][l->epoch], &nobody,
		                                    c->number + 1))
			atomic_fetch_add(&ledger->n_wrong, 1);
		atomic_fetch_add(&ledger->n_grants, 1);
		c->epoch = l->epoch;
	} else if (o->kind == OUTCOME_FAILED) {
		atomic_fetch_add(&ledger->n_refused, 1);
	}
	next(c);
}

static void on_written(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct client *c = ctx;

	UNUSED(op);
	UNUSED(result);
	count(o->kind);
	if (o->kind == OUTCOME_OK)
		atomic_fetch_add(&ledger->n_writes, 1);
	if (o->kind == OUTCOME_FAILED) {
		atomic_fetch_add(&ledger->n_stale, 1);
		c->epoch = 0;
	}
	next(c);
}

static void on_released(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct client *c = ctx;

	UNUSED(op);
	UNUSED(result);
	count(o->kind);
	c->epoch = 0;
	next(c);
}

static void say(struct client *c)
{
	struct decision d = {.kind = DECISION_NOTE, .service = "web", .env = "prod"};

	c->note = atomic_fetch_add(&ledger->n_notes, 1);
	snprintf(d.reason, sizeof(d.reason), "note %d", c->note);
	S(c->w)->decide(c->o.priv, &d, op_of(c, on_note));
}

static void claim_one(struct client *c)
{
	struct lease want = {.pid = c->number + 1, .pid_start = 1};

	c->place = (int)prng_below(&c->prng, PLACES);
	snprintf(want.key, sizeof(want.key), "web/p%d", c->place);
	snprintf(want.holder, sizeof(want.holder), "%d@x", c->number);
	snprintf(want.rollout, sizeof(want.rollout), "r%d", c->place);
	S(c->w)->lease_claim(c->o.priv, &want, false, op_of(c, on_claimed));
}

static void next(struct client *c)
{
	char key[32];

	if (c->left-- == 0) {
		--*c->n_busy;
		return;
	}
	snprintf(key, sizeof(key), "web/p%d", c->place);
	if (c->epoch == 0 && prng_below(&c->prng, 3) == 0) {
		say(c);
	} else if (c->epoch == 0) {
		claim_one(c);
	} else if (prng_below(&c->prng, 3) != 0) {
		snprintf(c->r->id, sizeof(c->r->id), "r%d", c->place);
		snprintf(c->r->env, sizeof(c->r->env), "p%d", c->place);
		/* Who wrote it, and with what right: the last one to hold it must be the last one that is there. */
		c->r->seen_seq = c->epoch;
		S(c->w)->rollout_write(c->o.priv, c->r, c->epoch, op_of(c, on_written));
	} else {
		S(c->w)->lease_release(c->o.priv, key, c->epoch, op_of(c, on_released));
	}
}

static void process(struct store_world *parent, int number, int operations)
{
	struct store_world w = *parent;
	struct client *clients = calloc(EACH, sizeof(*clients));
	int n_busy = EACH;
	bool done = false;
	char user[16];

	memset(&w.o, 0, sizeof(w.o));
	w.n_others = 0;
	w.loop = loop_new(NULL);
	for (int i = 0; i < EACH; i++) {
		struct client *c = &clients[i];

		*c = (struct client){
		    .w = &w, .number = number * EACH + i, .left = operations, .n_busy = &n_busy};
		c->prng = prng_seeded();
		c->prng.state += (uint64_t)(c->number + 1) * UINT64_C(0x9e3779b97f4a7c15);
		c->r = malloc(sizeof(*c->r));
		*c->r = *w.r;
		snprintf(user, sizeof(user), "c%d", c->number % 4);
		storepg_open(&c->o, w.loop, server, 0, user, w.database,
		             ", \"lease_ttl\": 250000, \"lease_safe\": 120000, "
		             "\"lease_renew\": 40000");
		next(c);
	}
	while (n_busy > 0)
		loop_until(w.loop, &done, loop_mono_us() + 20 * US_PER_MS);
	for (int i = 0; i < EACH; i++) {
		driver_close(&clients[i].o);
		free(clients[i].r);
	}
	free(clients);
	loop_free(w.loop);
	_exit(0);
}

static void crowd(struct store_world *w, int operations, bool cuts)
{
	pid_t pids[PROCESSES];
	int left = PROCESSES, status, n_cut = 0;

	memset(ledger, 0, sizeof(*ledger));
	for (int i = 0; i < 4; i++) {
		char user[16];

		snprintf(user, sizeof(user), "c%d", i);
		storepg_user(server, user, "operator executor");
	}
	for (int i = 0; i < PLACES; i++) {
		char env[16];
		struct plan *p;

		snprintf(env, sizeof(env), "p%d", i);
		p = store_plan(env, "sha256:new");
		rollout_init(w->r, "", p, "anna", loop_wall_us());
		snprintf(w->r->id, sizeof(w->r->id), "r%d", i);
		plan_stored(w, p);
		assert_int_equal(create_only(w, w->r, NULL), OUTCOME_OK);
		plan_free(p);
	}
	store_close(w);
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			process(w, i, operations);
	}
	while (left > 0) {
		pid_t pid = waitpid(-1, &status, cuts ? WNOHANG : 0);

		for (int i = 0; i < PROCESSES && pid > 0; i++)
			if (pids[i] == pid) {
				left--;
				assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
			}
		if (pid == 0 && left > 0) {
			n_cut +=
			    strcmp(pgserver_ask(
			               server, w->database,
			               "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename "
			               "LIKE "
			               "'c_' AND datname = current_database() ORDER BY random() LIMIT 1"),
			           "t") == 0;
		}
	}
	print_message("# %d notes, %d grants, %d refused, %d writes, %d stale, %d unknown, %d errored, %d "
	              "connections cut\n",
	              atomic_load(&ledger->n_notes), atomic_load(&ledger->n_grants),
	              atomic_load(&ledger->n_refused), atomic_load(&ledger->n_writes),
	              atomic_load(&ledger->n_stale), atomic_load(&ledger->n_unknown),
	              atomic_load(&ledger->n_errored), n_cut);
}

/* What they were told is what is there. */
static void compare(struct store_world *w)
{
	char sql[160];

	assert_int_equal(atomic_load(&ledger->n_wrong), 0);
	assert_true(atomic_load(&ledger->n_grants) > PLACES);
	assert_true(atomic_load(&ledger->n_refused) > 0);
	assert_true(atomic_load(&ledger->n_writes) > 0);
	for (int i = 0; i < atomic_load(&ledger->n_notes); i++) {
		int said = atomic_load(&ledger->said[i]) - 1;
		long n;

		snprintf(sql, sizeof(sql),
		         "SELECT count(*) FROM towpath.decisions WHERE json->>'reason' = 'note %d'", i);
		n = i % 16 == 0 || said != OUTCOME_OK
		        ? strtol(pgserver_ask(server, w->database, sql), NULL, 10)
		        : 1;
		if (n > 1 || (said == OUTCOME_OK && n != 1) || (said == OUTCOME_ERRORED && n != 0))
			fail_msg("note %d: said %s, there are %ld", i, outcome_name((enum outcome_kind)said),
			         n);
	}
	/* No note is there twice. */
	assert_string_equal(
	    pgserver_ask(server, w->database,
	                 "SELECT count(*) - count(DISTINCT json->>'reason') FROM towpath.decisions"),
	    "0");
	/* Each grant has one row of the audit, in the order of the epochs. */
	assert_string_equal(
	    pgserver_ask(
	        server, w->database,
	        "SELECT count(*) FROM (SELECT target, substring(text from 'epoch ([0-9]+)')::bigint AS e, "
	        "row_number() OVER (PARTITION BY target ORDER BY seq) AS n FROM towpath.audit WHERE verb = "
	        "'lease') x"
	        " WHERE e <> n"),
	    "0");
	/* Nobody wrote with an epoch that was over: what is there was written by the newest that wrote at all. */
	assert_string_equal(
	    pgserver_ask(server, w->database,
	                 "SELECT count(*) FROM towpath.rollouts WHERE (json->>'seen_seq')::bigint <> epoch"),
	    "0");
	store_open(w, "");
	assert_int_equal(verify(w).bad_seq, 0);
}

static void one_winner_each_time(void **state)
{
	struct store_world *w = *state;

	crowd(w, 40, false);
	assert_int_equal(atomic_load(&ledger->n_unknown) + atomic_load(&ledger->n_errored), 0);
	compare(w);
}

static void also_when_connections_are_cut(void **state)
{
	struct store_world *w = *state;

	crowd(w, 40, true);
	compare(w);
}

/* Two that write the same plan at once, and two that start it. */
static void two_writers(void **state)
{
	struct store_world *w = *state;
	struct opened *ben = store_as(w, "ben");
	struct answer a[2];

	for (int i = 0; i < 50; i++) {
		char to[32];
		struct plan *p;

		snprintf(to, sizeof(to), "sha256:%d", i);
		p = store_plan("prod", to);
		S(w)->plan_put(w->o.priv, p, "", begin(w, &a[0]));
		a[0].inside = false;
		S(w)->plan_put(ben->priv, p, "", begin(w, &a[1]));
		answer_wait(&a[1]);
		answer_wait(&a[0]);
		assert_int_equal(a[0].outcome.kind, OUTCOME_OK);
		assert_int_equal(a[1].outcome.kind, OUTCOME_OK);
		rollout_init(w->r, to + 7, p, "", 1);
		S(w)->rollout_create(w->o.priv, w->r, "", begin(w, &a[0]));
		a[0].inside = false;
		str_copy(w->r->id, sizeof(w->r->id), "other");
		S(w)->rollout_create(ben->priv, w->r, "", begin(w, &a[1]));
		answer_wait(&a[1]);
		answer_wait(&a[0]);
		assert_int_equal((a[0].outcome.kind == OUTCOME_OK) + (a[1].outcome.kind == OUTCOME_OK), 1);
		assert_true(a[0].outcome.kind == OUTCOME_FAILED || a[1].outcome.kind == OUTCOME_FAILED);
		assert_true(pgserver_sql(server, w->database,
		                         "UPDATE towpath.rollouts SET live = false, id = right(plan, 30)"));
		plan_free(p);
	}
	assert_string_equal(pgserver_ask(server, w->database, "SELECT count(*) FROM towpath.plans"), "50");
	assert_int_equal(verify(w).bad_seq, 0);
	assert_int_equal(verify(w).n_rows, 100);
}

static int group_setup(void **state)
{
	UNUSED(state);
	store_kind = &store_kind_postgres;
	server = pgserver_shared();
	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(ledger != MAP_FAILED);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, store_setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(two_writers), TEST(one_winner_each_time),
	                                   TEST(also_when_connections_are_cut)};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
