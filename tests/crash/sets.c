/* Release sets: the set's process and its members' killed at every point, with a second member that fails. */
#include "engine/planner.h"
#include "tests/lib/cm.h"
#include "tests/lib/small.h"
#include "tests/lib/storepg.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- a world with a service before web --------------------------------------------------------- */

/* As of web, with files of its own. */
static const char api_observe[] =
    "w=$(cat api-wanted)\n"
    "d=$(cat api-1); s=ok; [ -e api-bad ] && [ \"$d\" = \"$(cat api-bad)\" ] && s=failed\n"
    "printf '{\"digest\":\"%s\",\"revision\":\"%s\",\"version\":\"x\",\"instances\":[' \"$w\" "
    "\"${w#sha256:000000000000000000000000}\"\n"
    "printf '{\"name\":\"api-1\",\"digest\":\"%s\",\"state\":\"%s\"}]}' \"$d\" $s\n";
static const char api_deploy[] =
    "echo \"apply api-1 $TOWPATH_DIGEST\" >> effects\n"
    "while [ -e api-wait ]; do sleep 0.05; done\n"
    "printf %s \"$TOWPATH_DIGEST\" > api-1.new && mv api-1.new api-1\n"
    "printf %s \"$TOWPATH_DIGEST\" > api-wanted.new && mv api-wanted.new api-wanted\n";

static struct release one, two;

#define SETS "sets: {shop: {services: [api, web]}}\n"

/* policy: what dev does on failure. */
static void make_with(struct small *w, const char *policy, const char *lease, const char *top,
                      const char *gates)
{
	const struct small_lines lines = {
	    .env = "",
	    .top = top,
	    .service = "",
	    .gates = gates,
	    .services =
	        "  - name: api\n"
	        "    owner: shop\n"
	        "    registry: {driver: fake, dir: .}\n"
	        "    deploy: {driver: command, observe: [sh, api-observe.sh], deploy: [sh, api-deploy.sh]}\n"
	        "    environments:\n"
	        "      dev: {instances: [{name: api-1, url: \"http://127.0.0.1:1\"}]}\n"};

	small_release(&one, 1);
	small_release(&two, 2);
	small_make_with(w, policy, lease, &lines);
	small_put(w, "api-observe.sh", api_observe);
	small_put(w, "api-deploy.sh", api_deploy);
	small_put(w, "api-wanted", one.digest);
	small_put(w, "api-1", one.digest);
}

static void make(struct small *w, const char *policy, const char *lease)
{
	make_with(w, policy, lease, SETS, "");
}

static struct plan *plan_set(struct small *w)
{
	const struct set_want want = {.set = "shop", .env = 0, .reason = "both"};
	struct small_planned p = {.done = false};

	planner_set(w->app, &want, small_on_plan, &p);
	assert_true(loop_until(app_loop(w->app), &p.done, loop_mono_us() + 20 * US_PER_S));
	if (p.plan == NULL)
		fail_msg("no plan: %s", p.o.text);
	return p.plan;
}

/* Release 3 is the newest of the registry: the set is planned for what the test has, by hand. */
static void store_set(struct small *w, const char *id)
{
	const struct opened *s = app_store(w->app);
	struct rollout *r = calloc(1, sizeof(*r));
	struct plan *p = plan_set(w);
	const struct gate *gate;
	struct small_asked a;

	assert_non_null(r);
	if (!plan_may_run(p, &gate))
		fail_msg("gate %s: %s", gate_kind_name(gate->kind), gate->evidence);
	str_copy(w->id, sizeof(w->id), id);
	rollout_init(r, id, p, app_model(w->app)->actor, loop_wall_us());
	if (app_setup(w->app)->executor == EXECUTOR_SERVICE)
		r->state = ROLLOUT_QUEUED;
	STORE_OF(s)->plan_put(s->priv, p, app_model(w->app)->actor, small_ask(w, &a));
	small_get(w, &a);
	STORE_OF(s)->rollout_create(s->priv, r, app_model(w->app)->actor, small_ask(w, &a));
	small_get(w, &a);
	assert_int_equal(a.o.kind, OUTCOME_OK);
	plan_free(p);
	free(r);
}

static struct rollout *other(struct small *w, const char *id)
{
	const struct opened *s = app_store(w->app);
	struct small_asked a;

	STORE_OF(s)->rollout_get(s->priv, id, small_ask(w, &a));
	small_get(w, &a);
	return a.result;
}

/* What of every service runs, and how often it was put there; the audit's chain whole. */
static void stands(struct small *w, const char *why, int release_api, int release_web)
{
	const struct opened *s = app_store(w->app);
	struct audit_verdict *v;
	struct release api, web;
	struct small_asked a;

	small_release(&api, release_api);
	small_release(&web, release_web);
	if (small_count(w, "api-1", api.digest) != 1 || small_count(w, "api-wanted", api.digest) != 1 ||
	    small_count(w, "web-1", web.digest) != 1 || small_count(w, "web-2", web.digest) != 1)
		fail_msg("%s: api or web does not run what it shall", why);
	STORE_OF(s)->audit_verify(s->priv, NULL, 0, small_ask(w, &a));
	v = small_get(w, &a);
	assert_non_null(v);
	assert_int_equal(v->bad_seq, 0);
	free(v);
}

static int applied(struct small *w, const char *instance, int release)
{
	struct release r;
	char line[NAME_LEN + DIGEST_LEN];

	small_release(&r, release);
	snprintf(line, sizeof(line), "apply %s %s", instance, r.digest);
	return small_count(w, "effects", line);
}

/* --- it ends well -------------------------------------------------------------------------------- */

static void forward_once(struct small *w, const char *why)
{
	struct rollout *r = small_rollout(w);

	if (r->state != ROLLOUT_ENDED || r->outcome != OUTCOME_OK)
		fail_msg("%s: %s %s: %s", why, rollout_state_name(r->state), outcome_name(r->outcome),
		         r->text);
	free(r);
	stands(w, why, 3, 3);
	if (applied(w, "api-1", 3) != 1 || applied(w, "web-1", 3) != 1 || applied(w, "web-2", 3) != 1 ||
	    small_count(w, "effects", "migrate") != 1)
		fail_msg("%s: api-1 %d, web-1 %d, web-2 %d, migrate %d times", why, applied(w, "api-1", 3),
		         applied(w, "web-1", 3), applied(w, "web-2", 3),
		         small_count(w, "effects", "migrate"));
}

static void both_run(void **state)
{
	struct store_snapshot *s;
	struct rollout *r;
	struct small w;
	int members = 0;

	UNUSED(state);
	make(&w, "rollback", "");
	store_set(&w, "set1");
	assert_int_equal(small_run(&w), EXIT_DONE);
	forward_once(&w, "both");
	s = small_snapshot(&w);
	for (int i = 0; i < s->n_rollouts; i++)
		members += strcmp(s->rollouts[i].parent, "set1") == 0;
	assert_int_equal(members, 2);
	store_snapshot_free(s);
	r = other(&w, "set1-1");
	assert_string_equal(r->service, "api");
	assert_string_equal(r->requester, app_model(w.app)->actor);
	free(r);
	/* Ended is ended. */
	assert_int_equal(small_run(&w), EXIT_DONE);
	forward_once(&w, "again");
	small_end(&w);
}

/* Every point of the set's own process, and of the members' as they inherit the fault. */
static void killed_forward(const char *point, int from, int to)
{
	for (int nth = from; nth <= to; nth++) {
		struct small w;
		char fault[64];
		int status;

		snprintf(fault, sizeof(fault), "%s@%d=kill", point, nth);
		make(&w, "rollback", ", lease_ttl: 2s, lease_safe: 1s, lease_renew: 100ms");
		store_set(&w, "set1");
		status = small_wait_end(small_start(&w, fault), 0);
		if (!WIFSIGNALED(status))
			fail_msg("%s: the point was not reached", fault);
		if (small_run(&w) != EXIT_DONE)
			fail_msg("%s: the resumed set did not end well", fault);
		forward_once(&w, fault);
		small_end(&w);
	}
}

static void killed_before_and_after_create(void **state)
{
	UNUSED(state);
	killed_forward("set.before_create", 1, 2);
	killed_forward("set.after_create", 1, 2);
}
static void killed_around_steps(void **state)
{
	UNUSED(state);
	killed_forward("run.after_intent", 3, 3);
	killed_forward("run.before_result", 4, 4);
}

/* The set's process dies while a member runs: that one goes on, and there is never a second one of it. */
static void member_outlives(void **state)
{
	struct small w;
	pid_t pid;

	UNUSED(state);
	make(&w, "rollback", "");
	store_set(&w, "set1");
	small_put(&w, "api-wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "apply api-1");
	kill(pid, SIGKILL);
	small_wait_end(pid, 0);
	pid = small_start(&w, NULL);
	small_drop(&w, "api-wait");
	assert_int_equal(small_wait_end(pid, 0), 0);
	forward_once(&w, "outlived");
	small_end(&w);
}

/* --- the second one fails ------------------------------------------------------------------------- */

static void back_once(struct small *w, const char *why)
{
	struct rollout *r = small_rollout(w);

	if (r->state != ROLLOUT_ENDED || r->outcome != OUTCOME_FAILED || !r->rolled_back)
		fail_msg("%s: %s %s: %s", why, rollout_state_name(r->state), outcome_name(r->outcome),
		         r->text);
	if (strstr(r->text, "api is back on x") == NULL ||
	    strstr(r->text, "web put itself back on x") == NULL)
		fail_msg("%s: says %s", why, r->text);
	free(r);
	stands(w, why, 1, 1);
	if (applied(w, "api-1", 3) != 1 || applied(w, "api-1", 1) != 1)
		fail_msg("%s: api-1 forward %d, back %d times", why, applied(w, "api-1", 3),
		         applied(w, "api-1", 1));
}

static void make_bad(struct small *w)
{
	struct release three;

	small_release(&three, 3);
	make(w, "rollback", ", lease_ttl: 2s, lease_safe: 1s, lease_renew: 100ms");
	small_put(w, "bad", three.digest);
	store_set(w, "set1");
}

static void second_fails(void **state)
{
	struct store_snapshot *s;
	struct small w;
	int bad_api = 0, bad_web = 0;

	UNUSED(state);
	make_bad(&w);
	assert_int_equal(small_run(&w), EXIT_NO);
	back_once(&w, "second fails");
	/* What failed is not offered again; what went back for its sake may be. */
	s = small_snapshot(&w);
	for (int i = 0; i < s->n_decisions; i++)
		if (s->decisions[i].kind == DECISION_MARK_BAD) {
			bad_api += strcmp(s->decisions[i].service, "api") == 0;
			bad_web += strcmp(s->decisions[i].service, "web") == 0;
		}
	store_snapshot_free(s);
	assert_int_equal(bad_api, 0);
	assert_int_equal(bad_web, 1);
	small_end(&w);
}

static void killed_back(const char *fault)
{
	struct small w;
	int status;

	make_bad(&w);
	status = small_wait_end(small_start(&w, fault), 0);
	if (!WIFSIGNALED(status))
		fail_msg("%s: the point was not reached", fault);
	if (small_run(&w) != EXIT_NO)
		fail_msg("%s: the resumed set did not end as it should", fault);
	back_once(&w, fault);
	small_end(&w);
}

static void killed_while_it_goes_back(void **state)
{
	static const char *const faults[] = {"set.before_back=kill", "set.after_back=kill",
	                                     "set.after_revert=kill"};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		killed_back(faults[i]);
}

/* The first fails before it touches anything: nothing goes back because nothing went forward. */
static void first_fails(void **state)
{
	struct release three;
	struct rollout *r;
	struct small w;

	UNUSED(state);
	small_release(&three, 3);
	make(&w, "rollback", "");
	store_set(&w, "set1");
	small_put(&w, "api-bad", three.digest);
	assert_int_equal(small_run(&w), EXIT_NO);
	r = small_rollout(&w);
	assert_true(r->rolled_back);
	assert_non_null(strstr(r->text, "api put itself back"));
	free(r);
	stands(&w, "first fails", 1, 1);
	assert_int_equal(small_count(&w, "effects", "apply web"), 0);
	assert_int_equal(small_count(&w, "effects", "migrate"), 0);
	small_end(&w);
}

/* --- what people say ------------------------------------------------------------------------------- */

static void aborted_in_the_middle(void **state)
{
	struct rollout *r;
	struct small w;
	int status;
	pid_t pid;

	UNUSED(state);
	make(&w, "rollback", "");
	store_set(&w, "set1");
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	small_decide(&w, DECISION_ABORT);
	small_drop(&w, "wait");
	status = small_wait_end(pid, 0);
	assert_int_equal(WEXITSTATUS(status), EXIT_CANCELLED);
	r = small_rollout(&w);
	assert_int_equal(r->outcome, OUTCOME_CANCELLED);
	assert_true(r->rolled_back);
	assert_non_null(strstr(r->text, "api is back on x"));
	free(r);
	r = other(&w, "set1-2");
	assert_int_equal(r->outcome, OUTCOME_CANCELLED);
	free(r);
	stands(&w, "aborted", 1, 1);
	small_end(&w);
}

/* Waits until a process has it: a word to one that nobody drives starts another. */
static void driven(struct small *w)
{
	int64_t until = loop_mono_us() + 20 * US_PER_S;

	for (;;) {
		struct rollout *r = small_rollout(w);
		bool is = !r->orphaned && r->holder[0] != '\0';

		free(r);
		if (is)
			return;
		assert_true(loop_mono_us() < until);
		poll(NULL, 0, 5);
	}
}

/* A member pauses: so does the set, and what is said of the set is heard by the member. */
static void paused_with_its_member(void **state)
{
	struct release three;
	struct rollout *r;
	char text[TEXT_LEN];
	struct small w;
	pid_t pid;

	UNUSED(state);
	small_release(&three, 3);
	make(&w, "pause", "");
	store_set(&w, "set1");
	small_put(&w, "bad", three.digest);
	pid = small_start(&w, NULL);
	small_wait_state(&w, ROLLOUT_PAUSED);
	r = small_rollout(&w);
	assert_string_equal(r->waits_for, "set1-2");
	assert_non_null(strstr(r->text, "web is paused"));
	free(r);
	/* The set's process dies and comes back: paused it stays. */
	kill(pid, SIGKILL);
	small_wait_end(pid, 0);
	pid = small_start(&w, NULL);
	driven(&w);
	small_drop(&w, "bad");
	assert_int_equal(small_request(&w, DECISION_RETRY, text), OUTCOME_OK);
	assert_int_equal(small_wait_end(pid, 0), 0);
	stands(&w, "retried", 3, 3);
	assert_int_equal(applied(&w, "api-1", 3), 1);
	small_end(&w);
}

/* The decision is taken on the member; the set follows. */
static void decided_on_the_member(void **state)
{
	struct release three;
	struct rollout *r;
	char text[TEXT_LEN];
	struct small w;
	int status;
	pid_t pid;

	UNUSED(state);
	small_release(&three, 3);
	make(&w, "pause", "");
	store_set(&w, "set1");
	small_put(&w, "bad", three.digest);
	pid = small_start(&w, NULL);
	small_wait_state(&w, ROLLOUT_PAUSED);
	str_copy(w.id, sizeof(w.id), "set1-2");
	assert_int_equal(small_request(&w, DECISION_ABORT, text), OUTCOME_OK);
	small_drop(&w, "bad");
	status = small_wait_end(pid, 0);
	assert_int_equal(WEXITSTATUS(status), EXIT_NO);
	str_copy(w.id, sizeof(w.id), "set1");
	r = small_rollout(&w);
	assert_int_equal(r->state, ROLLOUT_ENDED);
	assert_true(r->rolled_back);
	/* Aborted alone it stays as it is; in a set it does not. */
	assert_non_null(strstr(r->text, "web is back on x"));
	free(r);
	stands(&w, "member aborted", 1, 1);
	small_end(&w);
}

/* Something stands in the way back: the set says what stands where, a person puts it right, and it goes on. */
static void stuck(void **state)
{
	struct release three;
	struct rollout *r;
	char text[TEXT_LEN];
	struct small w;
	int status;
	pid_t pid;

	UNUSED(state);
	small_release(&three, 3);
	make(&w, "rollback", "");
	store_set(&w, "set1");
	small_put(&w, "bad", three.digest);
	/* Somebody puts another release of api there while web is at work. */
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	small_put(&w, "api-wanted", two.digest);
	small_put(&w, "api-1", two.digest);
	small_drop(&w, "wait");
	small_wait_state(&w, ROLLOUT_PAUSED);
	r = small_rollout(&w);
	assert_true(r->going_back);
	assert_non_null(strstr(r->text, "api does not go back"));
	assert_non_null(strstr(r->text, "api runs x (neither)"));
	assert_non_null(strstr(r->text, "web runs x (as before)"));
	free(r);
	assert_int_equal(applied(&w, "api-1", 1), 0);
	/* By hand. */
	small_put(&w, "api-wanted", one.digest);
	small_put(&w, "api-1", one.digest);
	assert_int_equal(small_request(&w, DECISION_CONTINUE, text), OUTCOME_OK);
	status = small_wait_end(pid, 0);
	assert_int_equal(WEXITSTATUS(status), EXIT_NO);
	r = small_rollout(&w);
	assert_int_equal(r->state, ROLLOUT_ENDED);
	assert_non_null(strstr(r->text, "api is back on x"));
	free(r);
	stands(&w, "stuck", 1, 1);
	small_end(&w);
}

/* Executors take the set from the store, and its members from there too. */
static void by_executors(void **state)
{
	struct small w;
	pid_t executor;
	int status;

	UNUSED(state);
	make_with(&w, "rollback", "", "executor: service\n" SETS, "");
	store_set(&w, "set1");
	executor = small_start_executor(&w);
	small_wait_state(&w, ROLLOUT_ENDED);
	kill(executor, SIGTERM);
	status = small_wait_end(executor, 0);
	assert_true(WIFEXITED(status));
	forward_once(&w, "by executors");
	small_end(&w);
}

/* Whoever drives it in PostgreSQL is an executor and no more: the members are for whoever asked for the set. */
static void by_an_executors_role(void **state)
{
	struct pgserver *s = pgserver_shared();
	const char *database = storepg_make(s);
	struct rollout *r;
	struct small w;

	UNUSED(state);
	storepg_user(s, "olga", "operator approver admin executor");
	storepg_user(s, "drives", "executor");
	assert_int_equal(setenv("SETS_STORE", getenv(storepg_secret(s, 0, "olga", database)), 1), 0);
	small_use_store("driver: postgres, url: {env: SETS_STORE}, poll: 100ms");
	make_bad(&w);
	assert_int_equal(setenv("SETS_STORE", getenv(storepg_secret(s, 0, "drives", database)), 1), 0);
	assert_int_equal(small_run(&w), EXIT_NO);
	back_once(&w, "postgres");
	r = other(&w, "set1-1-back");
	assert_string_equal(r->requester, "olga");
	assert_string_equal(r->parent, "set1");
	free(r);
	small_end(&w);
	small_use_store(NULL);
}

/* Approved once, as one: the members run on approvals of the set's plan, and on none of their own. */
static void approved_as_one(void **state)
{
	struct decision d = {.kind = DECISION_APPROVE, .actor = "olga"};
	const struct opened *s;
	struct small_asked a;
	struct rollout *r;
	struct small w;
	struct plan *p;

	UNUSED(state);
	make_with(&w, "rollback", "", SETS, ", approvals: 1");
	s = app_store(w.app);
	p = plan_set(&w);
	assert_false(plan_may_run(p, NULL));
	assert_false(plan_may_run(p->members[0], NULL));
	STORE_OF(s)->plan_put(s->priv, p, app_model(w.app)->actor, small_ask(&w, &a));
	small_get(&w, &a);
	str_copy(d.plan, sizeof(d.plan), p->digest);
	STORE_OF(s)->decide(s->priv, &d, small_ask(&w, &a));
	free(small_get(&w, &a));
	plan_free(p);
	store_set(&w, "set1");
	assert_int_equal(small_run(&w), EXIT_DONE);
	forward_once(&w, "approved");
	r = other(&w, "set1-2");
	assert_non_null(strstr(r->runs[1].text, "gates are open"));
	free(r);
	small_end(&w);
}

/* The approval is taken back while the first member runs: what was not begun does not begin. */
static void withdrawn_meanwhile(void **state)
{
	struct decision d = {.kind = DECISION_APPROVE, .actor = "olga"};
	const struct opened *s;
	struct small_asked a;
	struct rollout *r;
	struct small w;
	struct plan *p;
	pid_t pid;

	UNUSED(state);
	make_with(&w, "rollback", "", SETS, ", approvals: 1");
	s = app_store(w.app);
	p = plan_set(&w);
	STORE_OF(s)->plan_put(s->priv, p, app_model(w.app)->actor, small_ask(&w, &a));
	small_get(&w, &a);
	str_copy(d.plan, sizeof(d.plan), p->digest);
	plan_free(p);
	STORE_OF(s)->decide(s->priv, &d, small_ask(&w, &a));
	free(small_get(&w, &a));
	store_set(&w, "set1");
	small_put(&w, "api-wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "apply api-1");
	d.kind = DECISION_WITHDRAW;
	STORE_OF(s)->decide(s->priv, &d, small_ask(&w, &a));
	free(small_get(&w, &a));
	small_drop(&w, "api-wait");
	small_wait_state(&w, ROLLOUT_PAUSED);
	assert_int_equal(small_count(&w, "effects", "apply web"), 0);
	small_decide(&w, DECISION_ABORT);
	small_wait_end(pid, 0);
	r = small_rollout(&w);
	assert_int_equal(r->state, ROLLOUT_ENDED);
	free(r);
	stands(&w, "withdrawn", 1, 1);
	small_end(&w);
}

/* Two sets, or a set and a promotion: what lives in a member's place keeps the set from beginning. */
static void place_is_taken(void **state)
{
	struct rollout *r;
	struct small w;

	UNUSED(state);
	make(&w, "rollback", "");
	store_set(&w, "set1");
	small_plan(&w, 2, "r0001");
	str_copy(w.id, sizeof(w.id), "set1");
	assert_int_equal(small_run(&w), EXIT_NO);
	r = small_rollout(&w);
	assert_non_null(strstr(r->text, "rollout r0001"));
	free(r);
	assert_int_equal(small_count(&w, "effects", ""), 0);
	small_end(&w);
}

/* A member by itself is nobody's: the store wants the living set and its lease. */
static void member_needs_its_set(void **state)
{
	const struct opened *s;
	struct rollout *r = calloc(1, sizeof(*r));
	struct small_asked a;
	struct plan *p;
	struct small w;

	UNUSED(state);
	assert_non_null(r);
	make(&w, "rollback", "");
	store_set(&w, "set1");
	p = plan_set(&w);
	s = app_store(w.app);
	rollout_init(r, "set1-1", p->members[0], "olga", loop_wall_us());
	str_copy(r->parent, sizeof(r->parent), "set1");
	STORE_OF(s)->plan_put(s->priv, p->members[0], "olga", small_ask(&w, &a));
	small_get(&w, &a);
	/* Nobody drives the set: no lease, no epoch. */
	STORE_OF(s)->rollout_create(s->priv, r, "olga", small_ask(&w, &a));
	small_get(&w, &a);
	assert_int_equal(a.o.kind, OUTCOME_FAILED);
	str_copy(r->parent, sizeof(r->parent), "set9");
	STORE_OF(s)->rollout_create(s->priv, r, "olga", small_ask(&w, &a));
	small_get(&w, &a);
	assert_int_equal(a.o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(a.o.text, "does not live"));
	plan_free(p);
	free(r);
	small_end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_run),
	    cmocka_unit_test(killed_before_and_after_create),
	    cmocka_unit_test(killed_around_steps),
	    cmocka_unit_test(member_outlives),
	    cmocka_unit_test(second_fails),
	    cmocka_unit_test(killed_while_it_goes_back),
	    cmocka_unit_test(first_fails),
	    cmocka_unit_test(aborted_in_the_middle),
	    cmocka_unit_test(paused_with_its_member),
	    cmocka_unit_test(decided_on_the_member),
	    cmocka_unit_test(stuck),
	    cmocka_unit_test(approved_as_one),
	    cmocka_unit_test(withdrawn_meanwhile),
	    cmocka_unit_test(by_executors),
	    cmocka_unit_test(by_an_executors_role),
	    cmocka_unit_test(place_is_taken),
	    cmocka_unit_test(member_needs_its_set),
	};
	int rc = small_begin(argc, argv);

	if (rc >= 0)
		return rc;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
