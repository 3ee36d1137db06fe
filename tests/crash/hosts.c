/*
 * Executors on several hosts and one PostgreSQL store. A process of another host cannot be known to be dead: what it
 * held is taken over once its lease has run out, by one of the others, and it may write nothing when it comes back.
 */
#include "engine/planner.h"
#include "io/proc.h"
#include "tests/lib/cm.h"
#include "tests/lib/small.h"
#include "tests/lib/storepg.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SERVICES = 2, TREE_MAX = 32 };
static const char *const names[SERVICES] = {"web", "api"};

static const struct small_lines lines = {
    .env = "",
    .gates = "",
    .top = "executor: service\n",
    .service = "",
    .services = "  - name: api\n"
                "    owner: shop\n"
                "    registry: {driver: fake, dir: api}\n"
                "    deploy: {driver: command, observe: [sh, -c, 'cd api && exec sh ../observe.sh'],\n"
                "             deploy: [sh, -c, 'cd api && exec sh ../deploy.sh']}\n"
                "    migrate: {driver: fake, dir: api}\n"
                "    environments:\n"
                "      dev: {instances: [{name: web-1, url: \"http://127.0.0.1:1\"}, {name: web-2, url: "
                "\"http://127.0.0.1:1\"}]}\n"};

/* Two services, each with a rollout and files of its own; the console is on this host, alpha drives both. */
struct land {
	struct small w[SERVICES];
	pid_t alpha;
	struct rollout *held[SERVICES]; /* as alpha held them, when it was stopped */
	enum host_way way;
	char olga[512], runner[512]; /* the store, as either of them */
};

static const char *way_name(enum host_way way) { return way == HOST_NAMESPACES ? "namespaces" : "preload"; }

/* --- processes ------------------------------------------------------------------------------------ */

static bool stat_of(int pid, char *ret_state, int *ret_parent)
{
	char path[64], line[512] = "";
	const char *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	p = fgets(line, sizeof(line), f) != NULL ? strrchr(line, ')') : NULL;
	fclose(f);
	if (p == NULL)
		return false;
	*ret_state = p[2];
	*ret_parent = (int)strtol(p + 4, NULL, 10);
	return true;
}

/* A service and all that it started, as long as they are its children. */
static int tree_of(pid_t root, pid_t pids[TREE_MAX])
{
	int n = 1;

	pids[0] = root;
	for (int i = 0; i < n; i++) {
		DIR *d = opendir("/proc");
		struct dirent *e;

		assert_non_null(d);
		while ((e = readdir(d)) != NULL && n < TREE_MAX) {
			int pid = (int)strtol(e->d_name, NULL, 10), parent;
			char state;

			if (pid > 0 && stat_of(pid, &state, &parent) && parent == pids[i])
				pids[n++] = pid;
		}
		closedir(d);
	}
	return n;
}

static void signal_tree(pid_t root, int signum)
{
	pid_t pids[TREE_MAX];
	int n = tree_of(root, pids);

	for (int i = 0; i < n; i++)
		kill(pids[i], signum);
}

static void wait_stopped(int pid)
{
	int64_t until = loop_mono_us() + 20 * US_PER_S;
	int parent;
	char state = '?';

	while (!stat_of(pid, &state, &parent) || state != 'T') {
		assert_true(loop_mono_us() < until);
		poll(NULL, 0, 10);
	}
}

static pid_t start_on(struct land *l, const char *host, const char *fault)
{
	pid_t pid;

	if (fault != NULL)
		setenv("TOWPATH_FAULT", fault, 1);
	/* A service logs in as a user who drives and may ask for nothing; people log in as themselves. */
	setenv("HOSTS_STORE", l->runner, 1);
	small_use_host(l->way, host);
	pid = small_start_executor(&l->w[0]);
	small_use_host(l->way, NULL);
	setenv("HOSTS_STORE", l->olga, 1);
	unsetenv("TOWPATH_FAULT");
	return pid;
}

static void end_of(pid_t pid)
{
	int status;

	kill(pid, SIGTERM);
	status = small_wait_end(pid, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_DONE);
}

/* --- the land -------------------------------------------------------------------------------------- */

static void ask_for(struct small *w, int service)
{
	struct plan_want want = {.kind = PLAN_PROMOTE, .service = service};
	struct small_planned p = {.done = false};
	struct small_said s = {.done = false};
	struct release two;

	small_release(&two, 2);
	want.release = two.digest;
	planner_start(w->app, &want, small_on_plan, &p);
	assert_true(loop_until(app_loop(w->app), &p.done, loop_mono_us() + 20 * US_PER_S));
	if (p.plan == NULL)
		fail_msg("no plan: %s", p.o.text);
	request_execute(w->app, p.plan, "", small_on_said, &s);
	small_hear(w, &s);
	plan_free(p.plan);
	if (s.o.kind != OUTCOME_OK)
		fail_msg("%s", s.o.text);
	str_copy(w->id, sizeof(w->id), s.id);
}

static void api_files(struct small *w)
{
	char path[PATH_LEN + 16];
	struct release one;

	snprintf(path, sizeof(path), "%s/api", w->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	small_release(&one, 1);
	small_put(w, "api/wanted", one.digest);
	small_put(w, "api/web-1", one.digest);
	small_put(w, "api/web-2", one.digest);
	small_put(w, "api/migrate.sh", "echo migrate >> effects; touch applied\n");
}

static void land_make(struct land *l, enum host_way way)
{
	struct pgserver *server = pgserver_shared();
	const char *database = storepg_make(server);
	struct small *w = l->w;

	memset(l, 0, sizeof(*l));
	l->way = way;
	storepg_user(server, "olga", "operator");
	storepg_user(server, "runner", "executor");
	str_copy(l->olga, sizeof(l->olga), getenv(storepg_secret(server, 0, "olga", database)));
	str_copy(l->runner, sizeof(l->runner), getenv(storepg_secret(server, 0, "runner", database)));
	assert_int_equal(setenv("HOSTS_STORE", l->olga, 1), 0);
	small_use_store("driver: postgres, url: {env: HOSTS_STORE}, poll: 100ms");
	small_make_with(&w[0], "pause", ", lease_ttl: 1500ms, lease_safe: 700ms, lease_renew: 100ms", &lines);
	api_files(&w[0]);
	w[1] = w[0];
	snprintf(w[1].dir, sizeof(w[1].dir), "%.900s/api", w[0].dir);
}

static bool on_alpha(const struct rollout *r) { return strstr(r->holder, "@alpha") != NULL; }

/* Both services are promoted by alpha, whose processes stop themselves at that point. */
static void alpha_stops_at(struct land *l, const char *fault)
{
	l->alpha = start_on(l, "alpha", fault);
	for (int i = 0; i < SERVICES; i++)
		ask_for(&l->w[i], i);
	for (int i = 0; i < SERVICES; i++) {
		int64_t until = loop_mono_us() + 20 * US_PER_S;
		struct rollout *r = small_rollout(&l->w[i]);

		while (r->holder[0] == '\0' && loop_mono_us() < until) {
			free(r);
			poll(NULL, 0, 10);
			r = small_rollout(&l->w[i]);
		}
		assert_true(on_alpha(r));
		wait_stopped((int)strtol(r->holder, NULL, 10));
		free(r);
		l->held[i] = small_rollout(&l->w[i]);
	}
}

/* As long as the lease runs, nobody calls it dead, orphaned or theirs. */
static void nobody_takes_it_early(struct land *l, int i)
{
	const struct rollout *held = l->held[i];
	struct store_snapshot *s;
	bool early;

	do {
		s = small_snapshot(&l->w[0]);
		early = s->now_us < held->lease_until_us;
		for (int k = 0; k < s->n_rollouts && early; k++) {
			const struct rollout *r = &s->rollouts[k];

			if (strcmp(r->id, held->id) != 0)
				continue;
			assert_string_equal(r->holder, held->holder);
			assert_int_equal(r->epoch, held->epoch);
			assert_false(r->holder_dead);
			assert_false(r->orphaned);
		}
		store_snapshot_free(s);
		poll(NULL, 0, 20);
	} while (early);
}

/* One took it from alpha, after its lease; all was done once. */
static void taken_over_once(struct land *l, int i, const char *why)
{
	const struct opened *o = app_store(l->w[0].app);
	struct rollout *r = NULL;
	char taken[128], key[NAME_LEN];
	struct small_asked a;
	struct audit_page *page;
	int n = 0;

	small_wait_state(&l->w[i], ROLLOUT_ENDED);
	small_done_once(&l->w[i], why);
	snprintf(taken, sizeof(taken), "taken over from %.80s", l->held[i]->holder);
	snprintf(key, sizeof(key), "%s/dev", names[i]);
	STORE_OF(o)->history(o->priv, 0, 500, small_ask(&l->w[0], &a));
	page = small_get(&l->w[0], &a);
	assert_non_null(page);
	for (int k = 0; k < page->n_rows; k++) {
		const struct audit_row *row = &page->rows[k];

		if (strcmp(row->verb, "lease") != 0 || strcmp(row->target, key) != 0 ||
		    strstr(row->text, taken) == NULL)
			continue;
		n++;
		assert_true(row->at_us >= l->held[i]->lease_until_us);
	}
	audit_page_free(page);
	assert_int_equal(n, 1);
	r = small_rollout(&l->w[i]);
	assert_true(r->epoch > l->held[i]->epoch);
	free(r);
}

static void land_end(struct land *l)
{
	for (int i = 0; i < SERVICES; i++)
		free(l->held[i]);
	small_end(&l->w[0]);
	small_use_store(NULL);
}

/* --- tests ------------------------------------------------------------------------------------------- */

static void dies(enum host_way way, const char *fault)
{
	struct store_snapshot *s;
	bool seen[3] = {false};
	struct land l;
	pid_t others[2];

	land_make(&l, way);
	alpha_stops_at(&l, fault);
	others[0] = start_on(&l, "beta", NULL);
	others[1] = start_on(&l, "gamma", NULL);
	signal_tree(l.alpha, SIGKILL);
	small_wait_end(l.alpha, 0);
	for (int i = 0; i < SERVICES; i++)
		nobody_takes_it_early(&l, i);
	for (int i = 0; i < SERVICES; i++)
		taken_over_once(&l, i, fault);
	s = small_snapshot(&l.w[0]);
	for (int i = 0; i < s->n_executors; i++) {
		seen[0] = seen[0] || strcmp(s->executors[i].host, "alpha") == 0;
		seen[1] = seen[1] || strcmp(s->executors[i].host, "beta") == 0;
		seen[2] = seen[2] || strcmp(s->executors[i].host, "gamma") == 0;
	}
	store_snapshot_free(s);
	assert_true(seen[0] && seen[1] && seen[2]);
	for (int i = 0; i < 2; i++)
		end_of(others[i]);
	land_end(&l);
}

/* Its processes go on where they were stopped, long after somebody else has finished what they held. */
static void comes_back(enum host_way way, const char *fault)
{
	struct land l;
	pid_t beta;

	land_make(&l, way);
	alpha_stops_at(&l, fault);
	signal_tree(l.alpha, SIGSTOP);
	beta = start_on(&l, "beta", NULL);
	for (int i = 0; i < SERVICES; i++)
		nobody_takes_it_early(&l, i);
	for (int i = 0; i < SERVICES; i++)
		taken_over_once(&l, i, fault);
	signal_tree(l.alpha, SIGCONT);
	for (int i = 0; i < SERVICES; i++) {
		int64_t until = loop_mono_us() + 20 * US_PER_S;
		char log[PATH_LEN], state;
		int parent, pid = (int)strtol(l.held[i]->holder, NULL, 10);

		while (stat_of(pid, &state, &parent) && parent == l.alpha) {
			assert_true(loop_mono_us() < until);
			poll(NULL, 0, 10);
		}
		snprintf(log, sizeof(log), "alpha/rollouts/%s.log", l.held[i]->id);
		assert_true(small_says(&l.w[0], log, "stale epoch"));
		small_done_once(&l.w[i], "after it came back");
	}
	end_of(l.alpha);
	end_of(beta);
	land_end(&l);
}

/* A schedule of the other service that is due while something else runs there than its plan began at. */
static void cancelled_by_one(struct land *l)
{
	const struct opened *o = app_store(l->w[0].app);
	struct decision d = {.kind = DECISION_SCHEDULE, .service = "api", .env = "dev"};
	struct plan_want want = {.kind = PLAN_PROMOTE, .service = 1};
	int64_t until = loop_mono_us() + 20 * US_PER_S;
	struct small_planned p = {.done = false};
	struct small_said said = {.done = false};
	struct release to;
	int n = 0;

	small_release(&to, 2);
	want.release = to.digest;
	planner_start(l->w[0].app, &want, small_on_plan, &p);
	assert_true(loop_until(app_loop(l->w[0].app), &p.done, loop_mono_us() + 20 * US_PER_S));
	assert_non_null(p.plan);
	request_approval(l->w[0].app, p.plan, "", small_on_said, &said);
	small_hear(&l->w[0], &said);
	str_copy(d.plan, sizeof(d.plan), p.plan->digest);
	plan_free(p.plan);
	small_release(&to, 3);
	small_put(&l->w[0], "api/wanted", to.digest);
	small_put(&l->w[0], "api/web-1", to.digest);
	small_put(&l->w[0], "api/web-2", to.digest);
	d.until_us = loop_wall_us();
	said = (struct small_said){.done = false};
	request_decide(l->w[0].app, &d, small_on_said, &said);
	small_hear(&l->w[0], &said);
	assert_int_equal(said.o.kind, OUTCOME_OK);
	while (n == 0) {
		struct small_asked a;
		struct audit_page *page;

		assert_true(loop_mono_us() < until);
		STORE_OF(o)->history(o->priv, 0, 50, small_ask(&l->w[0], &a));
		page = small_get(&l->w[0], &a);
		assert_non_null(page);
		for (int i = 0; i < page->n_rows; i++) {
			if (strcmp(page->rows[i].verb, "unschedule") != 0)
				continue;
			n++;
			assert_string_equal(page->rows[i].actor, "runner");
			assert_non_null(strstr(page->rows[i].text, "what runs there now"));
		}
		audit_page_free(page);
		poll(NULL, 0, 20);
	}
	assert_int_equal(small_count(&l->w[1], "effects", ""), 0);
}

/* Each of them starts what begins it, at the same moment; the store lets one. */
static void one_schedule(enum host_way way)
{
	static const char *const hosts[3] = {"alpha", "beta", "gamma"};
	const struct opened *o;
	struct small_asked a;
	struct audit_page *page;
	struct land l;
	char id[ID_LEN];
	struct rollout *r;
	int begun = 0, taken_back = 0;
	pid_t pids[3];

	land_make(&l, way);
	for (int i = 0; i < 3; i++)
		pids[i] = start_on(&l, hosts[i], NULL);
	small_schedule(&l.w[0], 1500 * US_PER_MS, id);
	str_copy(l.w[0].id, sizeof(l.w[0].id), id);
	small_wait_rollout(&l.w[0]);
	small_wait_state(&l.w[0], ROLLOUT_ENDED);
	small_done_once(&l.w[0], "scheduled");
	o = app_store(l.w[0].app);
	STORE_OF(o)->history(o->priv, 0, 500, small_ask(&l.w[0], &a));
	page = small_get(&l.w[0], &a);
	assert_non_null(page);
	for (int i = 0; i < page->n_rows; i++) {
		if (strcmp(page->rows[i].verb, "promote") == 0) {
			begun++;
			assert_string_equal(page->rows[i].actor, "runner");
		}
		taken_back += strcmp(page->rows[i].verb, "unschedule") == 0;
	}
	audit_page_free(page);
	assert_int_equal(begun, 1);
	assert_int_equal(taken_back, 0);
	r = small_rollout(&l.w[0]);
	assert_string_equal(r->requester, "olga");
	free(r);
	cancelled_by_one(&l);
	for (int i = 0; i < 3; i++)
		end_of(pids[i]);
	land_end(&l);
}

/* The way that this machine allows; the other one is proven once. */
static enum host_way usual(void)
{
	static int way = -1;

	if (way < 0) {
		way = host_namespaces_work() ? HOST_NAMESPACES : HOST_PRELOAD;
		print_message("# hosts by %s\n", way_name((enum host_way)way));
	}
	return (enum host_way)way;
}

static void a_host_dies(void **state)
{
	UNUSED(state);
	dies(usual(), "run.after_result@3=stop");
	dies(usual(), "run.after_effect@5=stop");
}

static void a_host_dies_without_namespaces(void **state)
{
	UNUSED(state);
	dies(HOST_PRELOAD, "run.before_intent@4=stop");
}

static void a_host_comes_back(void **state)
{
	UNUSED(state);
	comes_back(usual(), "run.before_intent@4=stop");
	comes_back(usual(), "run.before_result@6=stop");
}

static void three_hosts_and_one_schedule(void **state)
{
	UNUSED(state);
	one_schedule(usual());
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_host_dies),
	    cmocka_unit_test(a_host_dies_without_namespaces),
	    cmocka_unit_test(a_host_comes_back),
	    cmocka_unit_test(three_hosts_and_one_schedule),
	};
	int rc = small_begin(argc, argv);

	if (rc >= 0)
		return rc;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
