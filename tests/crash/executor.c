/* Executors as services: rollouts wait in the store, one takes each, another goes on where one died or left. */
#include "engine/planner.h"
#include "tests/lib/cm.h"
#include "tests/lib/small.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct small_lines service = {
    .env = "", .gates = "", .top = "executor: service\n", .service = ""};

static void make(struct small *w)
{
	small_make_with(w, "pause", ", lease_ttl: 2s, lease_safe: 1s, lease_renew: 100ms", &service);
}

/* As a person asks for it; what was said is in text. */
static void ask_for(struct small *w, int n, char *text)
{
	struct plan_want want = {.kind = PLAN_PROMOTE};
	struct small_planned p = {.done = false};
	struct small_said s = {.done = false};
	struct release to;

	small_release(&to, n);
	want.release = to.digest;
	planner_start(w->app, &want, small_on_plan, &p);
	assert_true(loop_until(app_loop(w->app), &p.done, loop_mono_us() + 20 * US_PER_S));
	assert_non_null(p.plan);
	request_execute(w->app, p.plan, "because", small_on_said, &s);
	small_hear(w, &s);
	plan_free(p.plan);
	if (s.o.kind != OUTCOME_OK)
		fail_msg("%s", s.o.text);
	str_copy(w->id, sizeof(w->id), s.id);
	if (text != NULL)
		str_copy(text, TEXT_LEN, s.o.text);
}

static int end_of(pid_t pid, int signum)
{
	int status;

	kill(pid, signum);
	status = small_wait_end(pid, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int parent_of(int pid)
{
	char path[64], line[512] = "";
	const char *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f == NULL || fgets(line, sizeof(line), f) == NULL)
		fail_msg("no process %d", pid);
	fclose(f);
	p = strrchr(line, ')');
	assert_non_null(p);
	return (int)strtol(p + 4, NULL, 10);
}

static int holder_of(struct small *w)
{
	struct rollout *r = small_rollout(w);
	int pid = (int)strtol(r->holder, NULL, 10);

	free(r);
	assert_true(pid > 0);
	return pid;
}

static void the_other_goes_on(void **state)
{
	struct small w;
	pid_t pids[2];
	int holder, service_of_it;

	UNUSED(state);
	make(&w);
	small_put(&w, "wait", "");
	for (int i = 0; i < 2; i++)
		pids[i] = small_start_executor(&w);
	ask_for(&w, 2, NULL);
	small_wait_line(&w, "effects", "migrate");
	holder = holder_of(&w);
	service_of_it = parent_of(holder);
	assert_true(service_of_it == pids[0] || service_of_it == pids[1]);
	/* The service alone: what it started has the lease and goes on. */
	assert_int_equal(end_of(service_of_it, SIGKILL), -1);
	assert_int_equal(holder_of(&w), holder);
	/* And that too: the other service's process is the next. */
	kill(holder, SIGKILL);
	small_drop(&w, "wait");
	small_wait_state(&w, ROLLOUT_ENDED);
	small_done_once(&w, "taken over");
	assert_int_equal(end_of(service_of_it == pids[0] ? pids[1] : pids[0], SIGTERM), EXIT_DONE);
	small_end(&w);
}

/* One runs, one waits behind it and says so; it begins when the first is over, and looks again what runs there. */
static void one_after_the_other(void **state)
{
	struct store_snapshot *s;
	struct rollout *first, *second;
	char one[ID_LEN], two[ID_LEN], text[TEXT_LEN];
	struct small w;
	bool seen = false;
	pid_t pid;

	UNUSED(state);
	make(&w);
	small_put(&w, "wait", "");
	pid = small_start_executor(&w);
	ask_for(&w, 2, NULL);
	str_copy(one, sizeof(one), w.id);
	small_wait_line(&w, "effects", "migrate");
	ask_for(&w, 3, NULL);
	str_copy(two, sizeof(two), w.id);
	s = small_snapshot(&w);
	for (int i = 0; i < s->n_rollouts; i++)
		if (strcmp(s->rollouts[i].id, two) == 0) {
			seen = true;
			assert_string_equal(s->rollouts[i].behind, one);
			snprintf(text, sizeof(text), "queued behind %s", one);
			assert_non_null(strstr(s->rollouts[i].text, text));
		}
	assert_true(seen);
	store_snapshot_free(s);
	small_drop(&w, "wait");
	small_wait_state(&w, ROLLOUT_ENDED);
	second = small_rollout(&w);
	str_copy(w.id, sizeof(w.id), one);
	first = small_rollout(&w);
	assert_int_equal(first->state, ROLLOUT_ENDED);
	assert_int_equal(first->outcome, OUTCOME_OK);
	assert_true(second->started_us >= first->ended_us);
	assert_int_equal(second->outcome, OUTCOME_FAILED);
	assert_non_null(strstr(second->text, "what runs there now"));
	free(first);
	free(second);
	small_done_once(&w, "the first");
	assert_int_equal(end_of(pid, SIGTERM), EXIT_DONE);
	small_end(&w);
}

/* Nobody drives: it is said at once, with what to do; abort needs nobody either. */
static void nobody_is_there(void **state)
{
	char text[TEXT_LEN];
	struct rollout *r;
	struct small w;
	pid_t pid;

	UNUSED(state);
	make(&w);
	app_refresh_store(w.app, NULL, NULL);
	for (int64_t until = loop_mono_us() + 10 * US_PER_S; app_model(w.app)->store == NULL;) {
		bool never = false;

		assert_true(loop_mono_us() < until);
		loop_until(app_loop(w.app), &never, loop_mono_us() + 10 * US_PER_MS);
	}
	ask_for(&w, 2, text);
	assert_non_null(strstr(text, "no executor has been seen"));
	assert_non_null(strstr(text, "systemctl start towpath-executor"));
	assert_true(executor_missing(app_model(w.app), text, sizeof(text)));
	assert_int_equal(small_request(&w, DECISION_ABORT, text), OUTCOME_OK);
	r = small_rollout(&w);
	assert_int_equal(r->state, ROLLOUT_ENDED);
	assert_int_equal(r->outcome, OUTCOME_CANCELLED);
	free(r);
	/* One comes: what is asked for then is done. */
	pid = small_start_executor(&w);
	ask_for(&w, 2, NULL);
	small_wait_state(&w, ROLLOUT_ENDED);
	small_done_once(&w, "one came");
	assert_int_equal(end_of(pid, SIGTERM), EXIT_DONE);
	small_end(&w);
}

/* SIGTERM: it leaves after the step, lets the lease go and says that it has left; another goes on. */
static void hands_over(void **state)
{
	struct store_snapshot *s;
	struct rollout *r;
	struct small w;
	int status;
	pid_t pid;

	UNUSED(state);
	make(&w);
	small_put(&w, "wait", "");
	pid = small_start_executor(&w);
	ask_for(&w, 2, NULL);
	small_wait_line(&w, "effects", "migrate");
	kill(pid, SIGTERM);
	for (int64_t until = loop_mono_us() + 20 * US_PER_S; !small_says(&w, "run.log", "handed over");
	     poll(NULL, 0, 10))
		assert_true(loop_mono_us() < until);
	small_drop(&w, "wait");
	status = small_wait_end(pid, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE);
	r = small_rollout(&w);
	assert_true(rollout_is_live(r));
	assert_true(r->orphaned);
	free(r);
	assert_int_equal(small_count(&w, "effects", "apply"), 0);
	s = small_snapshot(&w);
	assert_int_equal(s->n_executors, 1);
	assert_true(s->executors[0].leaving);
	assert_int_equal(s->executors[0].running, 0);
	store_snapshot_free(s);
	pid = small_start_executor(&w);
	small_wait_state(&w, ROLLOUT_ENDED);
	small_done_once(&w, "handed over");
	assert_int_equal(end_of(pid, SIGTERM), EXIT_DONE);
	small_end(&w);
}

/* --- schedules ------------------------------------------------------------------------------------ */

static pid_t start_with(struct small *w, const char *fault)
{
	pid_t pid;

	if (fault != NULL)
		setenv("TOWPATH_FAULT", fault, 1);
	pid = small_start_executor(w);
	unsetenv("TOWPATH_FAULT");
	return pid;
}

/* How often it was decided about the schedule of web in dev that it does not begin; the last reason into why. */
static int taken_back(struct small *w, char why[TEXT_LEN])
{
	const struct opened *o = app_store(w->app);
	struct store_snapshot *s = small_snapshot(w);
	struct small_asked a;
	struct audit_page *page;
	int n = 0;

	for (int i = 0; i < s->n_decisions; i++)
		if (s->decisions[i].kind == DECISION_UNSCHEDULE)
			str_copy(why, TEXT_LEN, s->decisions[i].reason);
	store_snapshot_free(s);
	STORE_OF(o)->history(o->priv, 0, 100, small_ask(w, &a));
	page = small_get(w, &a);
	assert_non_null(page);
	for (int i = 0; i < page->n_rows; i++)
		n += strcmp(page->rows[i].verb, "unschedule") == 0;
	audit_page_free(page);
	return n;
}

static void wait_taken_back(struct small *w, const char *words)
{
	int64_t until = loop_mono_us() + 20 * US_PER_S;
	char why[TEXT_LEN] = "";

	while (taken_back(w, why) == 0) {
		assert_true(loop_mono_us() < until);
		poll(NULL, 0, 20);
	}
	if (strstr(why, words) == NULL)
		fail_msg("not because of %s: %s", words, why);
	assert_int_equal(small_count(w, "effects", ""), 0);
}

/* Two services on one host, each of which starts what begins it: it begins once, asked for by who scheduled it. */
static void a_schedule_begins_once(void **state)
{
	char id[ID_LEN], why[TEXT_LEN];
	struct rollout *r;
	struct small w;
	pid_t pids[2];

	UNUSED(state);
	make(&w);
	small_schedule(&w, 1500 * US_PER_MS, id);
	for (int i = 0; i < 2; i++)
		pids[i] = start_with(&w, NULL);
	str_copy(w.id, sizeof(w.id), id);
	small_wait_rollout(&w);
	small_wait_state(&w, ROLLOUT_ENDED);
	small_done_once(&w, "scheduled");
	r = small_rollout(&w);
	assert_string_equal(r->requester, app_model(w.app)->actor);
	assert_non_null(strstr(r->reason, "at night"));
	free(r);
	assert_int_equal(taken_back(&w, why), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(end_of(pids[i], SIGTERM), EXIT_DONE);
	small_end(&w);
}

/* The one that would begin it is killed just before, and its service with it: the other one begins it. */
static void another_begins_it(void **state)
{
	char id[ID_LEN], why[TEXT_LEN];
	struct small w;
	pid_t first, second;

	UNUSED(state);
	make(&w);
	first = start_with(&w, "schedule.before_begin=kill");
	small_schedule(&w, 0, id);
	for (int64_t until = loop_mono_us() + 20 * US_PER_S; !small_says(&w, "run.log", "schedule s");
	     poll(NULL, 0, 10))
		assert_true(loop_mono_us() < until);
	for (int64_t until = loop_mono_us() + 20 * US_PER_S; !small_says(&w, "run.log", "has ended with");
	     poll(NULL, 0, 10))
		assert_true(loop_mono_us() < until);
	assert_int_equal(end_of(first, SIGKILL), -1);
	assert_int_equal(small_count(&w, "effects", ""), 0);
	second = start_with(&w, NULL);
	str_copy(w.id, sizeof(w.id), id);
	small_wait_rollout(&w);
	small_wait_state(&w, ROLLOUT_ENDED);
	small_done_once(&w, "another one");
	assert_int_equal(taken_back(&w, why), 0);
	assert_int_equal(end_of(second, SIGTERM), EXIT_DONE);
	small_end(&w);
}

static void a_changed_plan_does_not_begin(void **state)
{
	struct release three;
	char id[ID_LEN];
	struct small w;
	pid_t pid;

	UNUSED(state);
	make(&w);
	small_schedule(&w, 0, id);
	small_release(&three, 3);
	small_put(&w, "wanted", three.digest);
	small_put(&w, "web-1", three.digest);
	small_put(&w, "web-2", three.digest);
	pid = start_with(&w, NULL);
	wait_taken_back(&w, "what runs there now");
	assert_int_equal(end_of(pid, SIGTERM), EXIT_DONE);
	small_end(&w);
}

/* Straight into the store, by somebody: a schedule of release 2 that is due; the rollout that it would be. */
static void schedule_as(struct small *w, const char *who, char ret[ID_LEN])
{
	const struct opened *s = app_store(w->app);
	struct decision d = {.kind = DECISION_SCHEDULE, .service = "web", .env = "dev"};
	struct plan_want want = {.kind = PLAN_PROMOTE};
	struct small_planned p = {.done = false};
	struct small_asked a;
	struct release to;
	struct decision *made;

	small_release(&to, 2);
	want.release = to.digest;
	planner_start(w->app, &want, small_on_plan, &p);
	assert_true(loop_until(app_loop(w->app), &p.done, loop_mono_us() + 20 * US_PER_S));
	assert_non_null(p.plan);
	STORE_OF(s)->plan_put(s->priv, p.plan, who, small_ask(w, &a));
	small_get(w, &a);
	str_copy(d.plan, sizeof(d.plan), p.plan->digest);
	plan_free(p.plan);
	str_copy(d.actor, sizeof(d.actor), who);
	d.until_us = loop_wall_us();
	STORE_OF(s)->decide(s->priv, &d, small_ask(w, &a));
	made = small_get(w, &a);
	assert_non_null(made);
	schedule_rollout(made, ret);
	free(made);
}

/* The config's roles count for who scheduled, not for who drives: nobody else's word begins anything. */
static void only_operators_schedule(void **state)
{
	static const struct small_lines lines = {.env = "    roles: {operator: [olga]}\n",
	                                         .gates = "",
	                                         .top = "executor: service\n",
	                                         .service = ""};
	char hers[ID_LEN], his[ID_LEN];
	struct store_snapshot *s;
	struct rollout *r;
	struct small w;
	pid_t pid;

	UNUSED(state);
	small_make_with(&w, "pause", ", lease_ttl: 2s, lease_safe: 1s, lease_renew: 100ms", &lines);
	schedule_as(&w, "olga", hers);
	schedule_as(&w, "mallory", his);
	pid = start_with(&w, NULL);
	str_copy(w.id, sizeof(w.id), hers);
	small_wait_rollout(&w);
	small_wait_state(&w, ROLLOUT_ENDED);
	small_done_once(&w, "of an operator");
	r = small_rollout(&w);
	assert_string_equal(r->requester, "olga");
	free(r);
	s = small_snapshot(&w);
	assert_int_equal(s->n_rollouts, 1);
	store_snapshot_free(s);
	assert_int_equal(end_of(pid, SIGTERM), EXIT_DONE);
	small_end(&w);
}

/* No executor lived when it was due, nor 15 minutes later: the first one that comes says so. */
static void too_late_is_said(void **state)
{
	char id[ID_LEN];
	struct small w;
	pid_t pid;

	UNUSED(state);
	make(&w);
	small_schedule(&w, -SCHEDULE_LATE_US - US_PER_S, id);
	pid = start_with(&w, NULL);
	wait_taken_back(&w, "nobody was there");
	assert_int_equal(end_of(pid, SIGTERM), EXIT_DONE);
	small_end(&w);
}

static void wait_words(const struct small *w, const char *words)
{
	int64_t until = loop_mono_us() + 20 * US_PER_S;

	while (!small_says(w, "run.log", words)) {
		if (loop_mono_us() > until)
			fail_msg("never said: %s", words);
		poll(NULL, 0, 10);
	}
}

static void wait_told(int fd, const char *word)
{
	int64_t until = loop_mono_us() + 20 * US_PER_S;

	for (;;) {
		char buf[512];
		ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

		if (n > 0) {
			buf[n] = '\0';
			if (strstr(buf, word) != NULL)
				return;
			continue;
		}
		if (loop_mono_us() > until)
			fail_msg("never told: %s", word);
		poll(NULL, 0, 10);
	}
}

/* What systemd hears; and the config read again while a rollout runs, a broken one not. */
static void told_and_reloaded(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char good[16384], path[PATH_LEN];
	struct small w;
	size_t n;
	pid_t pid;
	FILE *f;
	int fd;

	UNUSED(state);
	make(&w);
	snprintf(a.sun_path, sizeof(a.sun_path), "%.80s/notify", w.dir);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	setenv("WATCHDOG_USEC", "300000", 1);
	small_put(&w, "wait", "");
	pid = small_start_executor(&w);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	wait_told(fd, "READY=1");
	wait_told(fd, "WATCHDOG=1");
	ask_for(&w, 2, NULL);
	wait_told(fd, "drives 1");
	small_wait_line(&w, "effects", "migrate");
	str_copy(path, sizeof(path), w.config);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(good, 1, sizeof(good) - 1, f);
	good[n] = '\0';
	fclose(f);
	small_put(&w, "towpath.yaml", "name: [broken\n");
	kill(pid, SIGHUP);
	wait_told(fd, "RELOADING=1");
	wait_told(fd, "READY=1");
	wait_words(&w, "the last good one stays");
	small_put(&w, "towpath.yaml", good);
	kill(pid, SIGHUP);
	wait_words(&w, "was read again");
	/* The one that it had started before is still its own: it is not started twice, and handed over with it. */
	small_drop(&w, "wait");
	small_wait_state(&w, ROLLOUT_ENDED);
	small_done_once(&w, "read again");
	wait_told(fd, "drives 0");
	assert_int_equal(end_of(pid, SIGTERM), EXIT_DONE);
	wait_told(fd, "STOPPING=1");
	close(fd);
	small_end(&w);
}

/* Where consoles drive their rollouts themselves a service says so and ends. */
static void not_in_solo_mode(void **state)
{
	struct small w;
	int status;

	UNUSED(state);
	small_make(&w, "pause", "");
	status = small_wait_end(small_start_executor(&w), 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE);
	assert_true(small_says(&w, "run.log", "executor: service"));
	small_end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_other_goes_on),
	    cmocka_unit_test(one_after_the_other),
	    cmocka_unit_test(nobody_is_there),
	    cmocka_unit_test(hands_over),
	    cmocka_unit_test(told_and_reloaded),
	    cmocka_unit_test(not_in_solo_mode),
	    cmocka_unit_test(a_schedule_begins_once),
	    cmocka_unit_test(another_begins_it),
	    cmocka_unit_test(a_changed_plan_does_not_begin),
	    cmocka_unit_test(only_operators_schedule),
	    cmocka_unit_test(too_late_is_said),
	};
	int rc = small_begin(argc, argv);

	if (rc >= 0)
		return rc;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
