/*
 * The rollout's process, killed and stopped at every point of its journal.
 *
 * The world is small and real: a SQLite store, a deploy driver that runs scripts, a migration tool that is a
 * script. Each script notes in one file that it acted, so that an effect done twice cannot hide. This program is
 * also the rollout's process: with "-c CONFIG __rollout ID" it does what towpath does.
 */
#include "engine/run.h"
#include "backends/drivers.h"
#include "engine/planner.h"
#include "engine/request.h"
#include "io/proc.h"
#include "tests/lib/cm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS = 8 };

static char self[PATH_LEN];

/* --- drivers of the small world --------------------------------------------------------------- */

struct fake {
	char dir[PATH_LEN];
};

static int fake_open(void *priv, const struct driver_ctx *ctx, struct error *e)
{
	struct fake *f = priv;

	UNUSED(e);
	str_copy(f->dir, sizeof(f->dir), jv_get_text(ctx->options, "dir", ""));
	return 0;
}

static void fake_check(void *priv, struct op *op)
{
	UNUSED(priv);
	op_done(op, outcome_ok(), NULL, NULL);
}

static const struct option_desc fake_options[] = {
    {.name = "dir", .type = OPTION_PATH, .required = true, .text = "where the world is", .example = "world"},
    {.name = NULL},
};

static void fake_release(struct release *r, int n)
{
	memset(r, 0, sizeof(*r));
	snprintf(r->digest, sizeof(r->digest), "sha256:%064d", n);
	snprintf(r->revision, sizeof(r->revision), "%040d", n);
	snprintf(r->tag, sizeof(r->tag), "1.%d.0", n);
}

static void fake_list(void *priv, struct op *op)
{
	struct release_list *l = release_list_new(3);

	UNUSED(priv);
	assert_non_null(l);
	for (int i = 0; i < 3; i++)
		fake_release(&l->items[i], 3 - i);
	op_done(op, outcome_ok(), l, release_list_free);
}

static void fake_verify(void *priv, const char *digest, struct op *op)
{
	struct image *image = calloc(1, sizeof(*image));

	UNUSED(priv);
	assert_non_null(image);
	str_copy(image->release.digest, sizeof(image->release.digest), digest);
	op_done(op, outcome_ok(), image, free);
}

static void fake_fetch(void *priv, const char *digest, const char *dest, struct op *op)
{
	UNUSED(priv);
	UNUSED(digest);
	mkdir(dest, 0700);
	op_done(op, outcome_ok(), NULL, NULL);
}

static const struct registry_driver fake_registry = {
    .base = {.port = PORT_REGISTRY,
             .name = "fake",
             .summary = "of the test",
             .options = fake_options,
             .priv_size = sizeof(struct fake),
             .open = fake_open,
             .check = fake_check},
    .list = fake_list,
    .verify = fake_verify,
    .fetch = fake_fetch,
};

/* Release 2 has one migration; it is applied once DIR/applied exists. */
static void fake_inspect(void *priv, const char *revision, struct op *op)
{
	const struct fake *f = priv;
	char path[PATH_LEN + 16];
	bool wants = strtol(revision, NULL, 10) >= 2;
	struct migration_set *set = migration_set_new(wants ? 1 : 0);

	assert_non_null(set);
	snprintf(path, sizeof(path), "%s/applied", f->dir);
	str_copy(set->tool, sizeof(set->tool), "fake");
	if (wants) {
		str_copy(set->items[0].name, sizeof(set->items[0].name), "0001_first");
		set->items[0].state = access(path, F_OK) == 0 ? MIGRATION_APPLIED : MIGRATION_PENDING;
		migration_set_count(set);
	}
	op_done(op, outcome_ok(), set, migration_set_free);
}

static void fake_command(void *priv, const struct migrate_request *req, struct op *op)
{
	const struct fake *f = priv;
	struct migrate_command *c = calloc(1, sizeof(*c));

	UNUSED(req);
	assert_non_null(c);
	arena_init(&c->arena, ARENA_DEFAULT_MAX);
	c->argv[0] = arena_strdup(&c->arena, "sh");
	c->argv[1] = arena_printf(&c->arena, "%s/migrate.sh", f->dir);
	c->cwd = arena_strdup(&c->arena, f->dir);
	op_done(op, outcome_ok(), c, migrate_command_free);
}

static void fake_health(void *priv, bool with_catalog, struct op *op)
{
	UNUSED(priv);
	UNUSED(with_catalog);
	op_done(op, outcome_make(OUTCOME_UNSUPPORTED, "fake", "no database"), NULL, NULL);
}

static const struct migrate_driver fake_migrate = {
    .base = {.port = PORT_MIGRATE,
             .name = "fake",
             .summary = "of the test",
             .options = fake_options,
             .priv_size = sizeof(struct fake),
             .open = fake_open,
             .check = fake_check},
    .inspect = fake_inspect,
    .command = fake_command,
    .health = fake_health,
};

static const struct driver *const test_drivers[] = {&store_sqlite.base, &deploy_command.base,
                                                    &fake_registry.base, &fake_migrate.base, NULL};

/* --- the world -------------------------------------------------------------------------------- */

struct world {
	char dir[PATH_LEN], config[PATH_LEN], id[ID_LEN];
	struct app *app;
};

static struct app *open_app(const char *config)
{
	const char *command[] = {self, NULL};
	struct app_options o = {.config_path = config, .drivers = test_drivers, .command_line = command};
	struct app *a = NULL;
	struct error e = {0};

	if (app_open(&o, &a, &e) != 0) {
		char text[PATH_LEN + 3 * TEXT_LEN];

		error_format(&e, text, sizeof(text));
		fprintf(stderr, "%s\n", text);
		return NULL;
	}
	return a;
}

static const char observe_sh[] =
    "w=$(cat wanted)\n"
    "printf '{\"digest\":\"%s\",\"revision\":\"%s\",\"version\":\"x\",\"instances\":[' \"$w\" "
    "\"${w#sha256:000000000000000000000000}\"\n"
    "sep=\n"
    "for i in web-1 web-2; do d=$(cat $i); s=ok; [ -e bad ] && [ \"$d\" = \"$(cat bad)\" ] && s=failed\n"
    "printf '%s{\"name\":\"%s\",\"digest\":\"%s\",\"state\":\"%s\"}' \"$sep\" $i \"$d\" $s; sep=,; done\n"
    "printf ']}'\n";
static const char deploy_sh[] =
    "echo \"apply $TOWPATH_INSTANCE $TOWPATH_DIGEST\" >> effects\n"
    "printf %s \"$TOWPATH_DIGEST\" > $TOWPATH_INSTANCE.new && mv $TOWPATH_INSTANCE.new $TOWPATH_INSTANCE\n"
    "printf %s \"$TOWPATH_DIGEST\" > wanted.new && mv wanted.new wanted\n";
static const char migrate_sh[] = "echo migrate >> effects\n"
                                 "while [ -e wait ]; do sleep 0.05; done\n"
                                 "[ -e refuse ] && { echo 'no such column'; exit 3; }\n"
                                 "touch applied\n";

static void put(const struct world *w, const char *name, const char *text)
{
	char path[PATH_LEN + 64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void drop(const struct world *w, const char *name)
{
	char path[PATH_LEN + 64];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	unlink(path);
}

static int count(const struct world *w, const char *name, const char *line)
{
	char path[PATH_LEN + 64], buf[512];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	f = fopen(path, "re");
	while (f != NULL && fgets(buf, sizeof(buf), f) != NULL)
		n += strncmp(buf, line, strlen(line)) == 0;
	if (f != NULL)
		fclose(f);
	return n;
}

static void world_make(struct world *w, const char *policy, const char *lease)
{
	struct release one;
	char text[4096];

	memset(w, 0, sizeof(*w));
	str_copy(w->dir, sizeof(w->dir), "/tmp/towpath-crash-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	fake_release(&one, 1);
	put(w, "wanted", one.digest);
	put(w, "web-1", one.digest);
	put(w, "web-2", one.digest);
	put(w, "observe.sh", observe_sh);
	put(w, "deploy.sh", deploy_sh);
	put(w, "migrate.sh", migrate_sh);
	snprintf(text, sizeof(text),
	         "name: test\n"
	         "store: {driver: sqlite, path: %s/state/store.db%s}\n"
	         "environments:\n"
	         "  - name: dev\n"
	         "    short: dev\n"
	         "    tier: 1\n"
	         "    gates: {smoke: off, soak: off, config: off}\n"
	         "    on_failure: %s\n"
	         "    verify: 1s\n"
	         "services:\n"
	         "  - name: web\n"
	         "    owner: shop\n"
	         "    registry: {driver: fake, dir: %s}\n"
	         "    deploy: {driver: command, observe: [sh, observe.sh], deploy: [sh, deploy.sh]}\n"
	         "    migrate: {driver: fake, dir: %s}\n"
	         "    environments:\n"
	         "      dev: {instances: [{name: web-1, url: \"http://127.0.0.1:1\"}, {name: web-2, url: "
	         "\"http://127.0.0.1:1\"}]}\n",
	         w->dir, lease, policy, w->dir, w->dir);
	put(w, "towpath.yaml", text);
	snprintf(w->config, sizeof(w->config), "%.900s/towpath.yaml", w->dir);
	chmod(w->config, 0600);
	w->app = open_app(w->config);
	assert_non_null(w->app);
}

static void world_end(struct world *w)
{
	char cmd[PATH_LEN + 16];
	const char *argv[] = {"rm", "-rf", w->dir, NULL};
	pid_t pid;
	int status;

	app_free(w->app);
	if (getenv("TEST_KEEP") != NULL)
		return;
	snprintf(cmd, sizeof(cmd), "%s", w->dir);
	pid = fork();
	if (pid == 0) {
		execvp("rm", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
}

struct asked {
	bool done;
	struct outcome o;
	void *result;
};

static void on_asked(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct asked *a = ctx;

	a->o = *o;
	a->result = result != NULL ? op_take(op) : NULL;
	a->done = true;
}

static struct op *ask(struct world *w, struct asked *a)
{
	memset(a, 0, sizeof(*a));
	return op_new(app_loop(w->app), 10 * US_PER_S, on_asked, a);
}

static void *get(struct world *w, struct asked *a)
{
	assert_true(loop_until(app_loop(w->app), &a->done, loop_mono_us() + 20 * US_PER_S));
	if (a->o.kind != OUTCOME_OK)
		fprintf(stderr, "# %s: %s\n", outcome_name(a->o.kind), a->o.text);
	return a->result;
}

struct planned {
	bool done;
	struct plan *plan;
	struct outcome o;
};

static void on_plan(void *ctx, struct plan *plan, const struct outcome *why)
{
	struct planned *p = ctx;

	p->plan = plan;
	p->o = *why;
	p->done = true;
}

/* Plans release n into dev and stores a rollout of it, with no process yet. */
static void plan_rollout(struct world *w, int n, const char *id)
{
	const struct opened *s = app_store(w->app);
	struct release to;
	struct plan_want want = {.kind = PLAN_PROMOTE};
	struct planned p = {.done = false};
	const struct gate *gate;
	struct rollout *r = calloc(1, sizeof(*r));
	struct asked a;

	assert_non_null(r);
	fake_release(&to, n);
	want.release = to.digest;
	planner_start(w->app, &want, on_plan, &p);
	assert_true(loop_until(app_loop(w->app), &p.done, loop_mono_us() + 20 * US_PER_S));
	if (p.plan == NULL)
		fail_msg("no plan: %s", p.o.text);
	if (!plan_may_run(p.plan, &gate))
		fail_msg("gate %s: %s", gate_kind_name(gate->kind), gate->evidence);
	str_copy(w->id, sizeof(w->id), id);
	rollout_init(r, id, p.plan, app_model(w->app)->actor, loop_wall_us());
	STORE_OF(s)->plan_put(s->priv, p.plan, app_model(w->app)->actor, ask(w, &a));
	get(w, &a);
	assert_int_equal(a.o.kind, OUTCOME_OK);
	STORE_OF(s)->rollout_create(s->priv, r, app_model(w->app)->actor, ask(w, &a));
	get(w, &a);
	assert_int_equal(a.o.kind, OUTCOME_OK);
	plan_free(p.plan);
	free(r);
}

static struct rollout *rollout_now(struct world *w)
{
	const struct opened *s = app_store(w->app);
	struct asked a;

	STORE_OF(s)->rollout_get(s->priv, w->id, ask(w, &a));
	get(w, &a);
	assert_int_equal(a.o.kind, OUTCOME_OK);
	return a.result;
}

static pid_t start(struct world *w, const char *fault)
{
	char log[PATH_LEN + 16];
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd;

		snprintf(log, sizeof(log), "%s/run.log", w->dir);
		fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		if (fd < 0 || dup2(fd, 2) < 0 || dup2(fd, 1) < 0)
			_exit(126);
		if (fault != NULL)
			setenv("TOWPATH_FAULT", fault, 1);
		execl(self, self, "-c", w->config, "__rollout", w->id, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Waits for the end (or the stop); the status as waitpid gives it. */
static int wait_end(pid_t pid, int flags)
{
	int64_t until = loop_mono_us() + 60 * US_PER_S;
	int status = 0;

	while (waitpid(pid, &status, flags | WNOHANG) == 0) {
		if (loop_mono_us() > until) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			fail_msg("the rollout's process did not end");
		}
		poll(NULL, 0, 5);
	}
	return status;
}

static int run_to_end(struct world *w)
{
	int status = wait_end(start(w, NULL), 0);

	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Ended ok, every step done, every effect exactly once, the chain whole. */
static void assert_done_once(struct world *w, const char *why)
{
	const struct opened *s = app_store(w->app);
	struct rollout *r = rollout_now(w);
	struct audit_verdict *v;
	struct release two;
	struct asked a;
	int done, all;

	fake_release(&two, 2);
	rollout_progress(r, &done, &all);
	if (r->state != ROLLOUT_ENDED || r->outcome != OUTCOME_OK || done != all || all != STEPS)
		fail_msg("%s: %s %s, %d of %d steps: %s", why, rollout_state_name(r->state),
		         outcome_name(r->outcome), done, all, r->text);
	free(r);
	if (count(w, "effects", "migrate") != 1 || count(w, "effects", "apply web-1") != 1 ||
	    count(w, "effects", "apply web-2") != 1)
		fail_msg("%s: migrate %d, web-1 %d, web-2 %d times", why, count(w, "effects", "migrate"),
		         count(w, "effects", "apply web-1"), count(w, "effects", "apply web-2"));
	assert_int_equal(count(w, "web-1", two.digest), 1);
	assert_int_equal(count(w, "web-2", two.digest), 1);
	STORE_OF(s)->audit_verify(s->priv, ask(w, &a));
	v = get(w, &a);
	assert_non_null(v);
	assert_int_equal(v->bad_seq, 0);
	free(v);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void plain(void **state)
{
	struct world w;

	UNUSED(state);
	world_make(&w, "pause", "");
	plan_rollout(&w, 2, "r0001");
	assert_int_equal(run_to_end(&w), EXIT_DONE);
	assert_done_once(&w, "plain");
	/* Ended is ended: the same call again does nothing. */
	assert_int_equal(run_to_end(&w), EXIT_DONE);
	assert_done_once(&w, "again");
	world_end(&w);
}

static void killed_at(const char *point)
{
	for (int nth = 1; nth <= STEPS; nth++) {
		struct world w;
		char fault[64];
		int status, tries = 0, rc;

		snprintf(fault, sizeof(fault), "%s@%d=kill", point, nth);
		world_make(&w, "pause", ", lease_ttl: 2s, lease_safe: 1s, lease_renew: 100ms");
		plan_rollout(&w, 2, "r0001");
		status = wait_end(start(&w, fault), 0);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			fail_msg("%s: the point was not reached", fault);
		/* The holder is provably dead: the next one goes on at once. */
		while ((rc = run_to_end(&w)) == EXIT_CONFLICT && tries++ < 3)
			;
		if (rc != EXIT_DONE)
			fail_msg("%s: resumed run ended with %d", fault, rc);
		assert_int_equal(tries, 0);
		assert_done_once(&w, fault);
		world_end(&w);
	}
}

static void killed_before_intent(void **state)
{
	UNUSED(state);
	killed_at("run.before_intent");
}
static void killed_after_intent(void **state)
{
	UNUSED(state);
	killed_at("run.after_intent");
}
static void killed_after_effect(void **state)
{
	UNUSED(state);
	killed_at("run.after_effect");
}
static void killed_before_result(void **state)
{
	UNUSED(state);
	killed_at("run.before_result");
}
static void killed_after_result(void **state)
{
	UNUSED(state);
	killed_at("run.after_result");
}

static void wait_for_line(const struct world *w, const char *name, const char *line)
{
	int64_t until = loop_mono_us() + 20 * US_PER_S;

	while (count(w, name, line) == 0) {
		if (loop_mono_us() > until)
			fail_msg("%s never said %s", name, line);
		poll(NULL, 0, 5);
	}
}

/* Killed while the migration runs: its child goes on, the next process waits for it and does not run it again. */
static void child_outlives(void **state)
{
	struct world w;
	struct rollout *r;
	pid_t pid;

	UNUSED(state);
	world_make(&w, "pause", "");
	plan_rollout(&w, 2, "r0001");
	put(&w, "wait", "");
	pid = start(&w, NULL);
	wait_for_line(&w, "effects", "migrate");
	/* Its number is in the journal soon after it began. */
	for (;;) {
		bool known;

		r = rollout_now(&w);
		known = r->child[0] != '\0';
		free(r);
		if (known)
			break;
		poll(NULL, 0, 5);
	}
	kill(pid, SIGKILL);
	wait_end(pid, 0);
	pid = start(&w, NULL);
	wait_for_line(&w, "run.log", "20");
	drop(&w, "wait");
	assert_int_equal(wait_end(pid, 0), 0);
	assert_done_once(&w, "child");
	world_end(&w);
}

/* Two processes of one rollout: the second leaves at once. */
static void two_processes(void **state)
{
	struct world w;
	pid_t pid;

	UNUSED(state);
	world_make(&w, "pause", "");
	plan_rollout(&w, 2, "r0001");
	put(&w, "wait", "");
	pid = start(&w, NULL);
	wait_for_line(&w, "effects", "migrate");
	assert_int_equal(run_to_end(&w), EXIT_CONFLICT);
	drop(&w, "wait");
	assert_int_equal(wait_end(pid, 0), 0);
	assert_done_once(&w, "two");
	world_end(&w);
}

/* A holder that sleeps past its lease: another goes on, the sleeper wakes and may not write or act. */
static void stopped_at(const char *fault)
{
	struct world w;
	int64_t until = loop_mono_us() + 20 * US_PER_S;
	pid_t pid;
	int status, rc;

	world_make(&w, "pause", ", lease_ttl: 2s, lease_safe: 1s, lease_renew: 100ms");
	plan_rollout(&w, 2, "r0001");
	pid = start(&w, fault);
	status = wait_end(pid, WUNTRACED);
	assert_true(WIFSTOPPED(status));
	/* Alive and in its lease: nobody else may. Once it has run out, anybody. */
	assert_int_equal(run_to_end(&w), EXIT_CONFLICT);
	while ((rc = run_to_end(&w)) == EXIT_CONFLICT && loop_mono_us() < until)
		poll(NULL, 0, 20);
	assert_int_equal(rc, EXIT_DONE);
	kill(pid, SIGCONT);
	status = wait_end(pid, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_CONFLICT);
	assert_done_once(&w, fault);
	world_end(&w);
}

static void stopped_holders(void **state)
{
	UNUSED(state);
	stopped_at("run.before_intent@4=stop");
	stopped_at("run.after_intent@5=stop");
	stopped_at("run.after_effect@5=stop");
	stopped_at("run.before_result@6=stop");
}

static void bad_build_rolls_back(void **state)
{
	struct world w;
	struct rollout *r;
	struct release one, two;

	UNUSED(state);
	fake_release(&one, 1);
	fake_release(&two, 2);
	world_make(&w, "rollback", "");
	put(&w, "bad", two.digest);
	plan_rollout(&w, 2, "r0001");
	assert_int_equal(run_to_end(&w), EXIT_NO);
	r = rollout_now(&w);
	assert_int_equal(r->state, ROLLOUT_ENDED);
	assert_int_equal(r->outcome, OUTCOME_FAILED);
	assert_true(r->rolled_back);
	free(r);
	assert_int_equal(count(&w, "web-1", one.digest), 1);
	assert_int_equal(count(&w, "web-2", one.digest), 1);
	world_end(&w);
}

/* Killed in the middle of putting back: the next process finishes it. */
static void killed_in_revert(void **state)
{
	static const char *const faults[] = {"run.before_revert=kill", "run.after_revert=kill"};
	struct release one, two;

	UNUSED(state);
	fake_release(&one, 1);
	fake_release(&two, 2);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct rollout *r;
		struct world w;
		int status;

		world_make(&w, "rollback", "");
		put(&w, "bad", two.digest);
		plan_rollout(&w, 2, "r0001");
		status = wait_end(start(&w, faults[i]), 0);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(run_to_end(&w), EXIT_NO);
		r = rollout_now(&w);
		assert_true(r->rolled_back);
		free(r);
		assert_int_equal(count(&w, "web-1", one.digest), 1);
		assert_int_equal(count(&w, "effects", "apply web-1"), 2);
		world_end(&w);
	}
}

static void migration_that_fails(void **state)
{
	struct world w;
	struct rollout *r;

	UNUSED(state);
	world_make(&w, "rollback", "");
	put(&w, "refuse", "");
	plan_rollout(&w, 2, "r0001");
	assert_int_equal(run_to_end(&w), EXIT_NO);
	r = rollout_now(&w);
	assert_int_equal(r->outcome, OUTCOME_FAILED);
	assert_non_null(strstr(r->text, "no such column"));
	assert_int_equal(count(&w, "effects", "apply"), 0);
	free(r);
	world_end(&w);
}

static void decide(struct world *w, enum decision_kind kind)
{
	const struct opened *s = app_store(w->app);
	struct decision d = {.kind = kind};
	struct asked a;

	str_copy(d.rollout, sizeof(d.rollout), w->id);
	str_copy(d.actor, sizeof(d.actor), "olga");
	STORE_OF(s)->decide(s->priv, &d, ask(w, &a));
	free(get(w, &a));
	assert_int_equal(a.o.kind, OUTCOME_OK);
}

static void wait_for_state(struct world *w, enum rollout_state state)
{
	int64_t until = loop_mono_us() + 20 * US_PER_S;

	for (;;) {
		struct rollout *r = rollout_now(w);
		bool there = r->state == state;

		free(r);
		if (there)
			return;
		if (loop_mono_us() > until)
			fail_msg("never became %s", rollout_state_name(state));
		poll(NULL, 0, 10);
	}
}

static void held_and_continued(void **state)
{
	struct world w;
	pid_t pid;

	UNUSED(state);
	world_make(&w, "pause", "");
	plan_rollout(&w, 2, "r0001");
	put(&w, "wait", "");
	pid = start(&w, NULL);
	wait_for_line(&w, "effects", "migrate");
	decide(&w, DECISION_HOLD);
	drop(&w, "wait");
	wait_for_state(&w, ROLLOUT_PAUSED);
	assert_int_equal(count(&w, "effects", "apply"), 0);
	/* Killed while it is held: held it stays. */
	kill(pid, SIGKILL);
	wait_end(pid, 0);
	pid = start(&w, NULL);
	wait_for_line(&w, "run.log", "20");
	wait_for_state(&w, ROLLOUT_PAUSED);
	decide(&w, DECISION_CONTINUE);
	assert_int_equal(wait_end(pid, 0), 0);
	assert_done_once(&w, "held");
	world_end(&w);
}

static void aborted(void **state)
{
	struct world w;
	struct rollout *r;
	int status;
	pid_t pid;

	UNUSED(state);
	world_make(&w, "pause", "");
	plan_rollout(&w, 2, "r0001");
	put(&w, "wait", "");
	pid = start(&w, NULL);
	wait_for_line(&w, "effects", "migrate");
	decide(&w, DECISION_ABORT);
	drop(&w, "wait");
	status = wait_end(pid, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_CANCELLED);
	r = rollout_now(&w);
	assert_int_equal(r->outcome, OUTCOME_CANCELLED);
	assert_int_equal(count(&w, "effects", "apply"), 0);
	free(r);
	world_end(&w);
}

/* The intent changes between plan and run: preflight refuses, nothing is touched. */
static void plan_changed(void **state)
{
	struct world w;
	struct rollout *r;
	struct release three;

	UNUSED(state);
	world_make(&w, "pause", "");
	plan_rollout(&w, 2, "r0001");
	fake_release(&three, 3);
	put(&w, "wanted", three.digest);
	put(&w, "web-1", three.digest);
	put(&w, "web-2", three.digest);
	assert_int_equal(run_to_end(&w), EXIT_NO);
	r = rollout_now(&w);
	assert_int_equal(r->outcome, OUTCOME_FAILED);
	assert_non_null(strstr(r->text, "what runs there now"));
	assert_int_equal(count(&w, "effects", ""), 0);
	free(r);
	world_end(&w);
}

/* SIGTERM: leaves after the present effect, lets the lease go, another goes on. */
static void terminated(void **state)
{
	struct world w;
	pid_t pid;
	int status;

	UNUSED(state);
	world_make(&w, "pause", "");
	plan_rollout(&w, 2, "r0001");
	put(&w, "wait", "");
	pid = start(&w, NULL);
	wait_for_line(&w, "effects", "migrate");
	kill(pid, SIGTERM);
	drop(&w, "wait");
	status = wait_end(pid, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_CANCELLED);
	assert_int_equal(count(&w, "effects", "apply"), 0);
	assert_int_equal(run_to_end(&w), EXIT_DONE);
	assert_done_once(&w, "terminated");
	world_end(&w);
}

/* --- what people ask for --------------------------------------------------------------------------- */

struct said {
	bool done;
	struct outcome o;
	char id[DIGEST_LEN];
};

static void on_said(void *ctx, const struct outcome *o, const char *id)
{
	struct said *s = ctx;

	s->o = *o;
	str_copy(s->id, sizeof(s->id), id);
	s->done = true;
}

static void hear(struct world *w, struct said *s)
{
	assert_true(loop_until(app_loop(w->app), &s->done, loop_mono_us() + 20 * US_PER_S));
}

static enum outcome_kind request(struct world *w, enum decision_kind kind, char *text)
{
	struct decision d = {.kind = kind};
	struct said s = {.done = false};

	str_copy(d.rollout, sizeof(d.rollout), w->id);
	request_decide(w->app, &d, on_said, &s);
	hear(w, &s);
	str_copy(text, TEXT_LEN, s.o.text);
	return s.o.kind;
}

/* The whole way: plan, store, a process of its own that nobody waits for, and the second wish refused meanwhile. */
static void asked_for(void **state)
{
	struct plan_want want = {.kind = PLAN_PROMOTE, .release = "1.2.0"};
	struct planned p = {.done = false};
	struct said s = {.done = false}, again = {.done = false};
	char text[TEXT_LEN];
	struct world w;

	UNUSED(state);
	world_make(&w, "pause", "");
	put(&w, "wait", "");
	planner_start(w.app, &want, on_plan, &p);
	assert_true(loop_until(app_loop(w.app), &p.done, loop_mono_us() + 20 * US_PER_S));
	assert_non_null(p.plan);
	request_execute(w.app, p.plan, "because", on_said, &s);
	hear(&w, &s);
	assert_int_equal(s.o.kind, OUTCOME_OK);
	str_copy(w.id, sizeof(w.id), s.id);
	request_execute(w.app, p.plan, "me too", on_said, &again);
	hear(&w, &again);
	assert_int_equal(again.o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(again.o.text, "is running"));
	wait_for_line(&w, "effects", "migrate");
	/* What does not fit the state is refused with its reason. */
	assert_int_equal(request(&w, DECISION_CONTINUE, text), OUTCOME_FAILED);
	assert_non_null(strstr(text, "not held"));
	assert_int_equal(request(&w, DECISION_TAKE_OVER, text), OUTCOME_FAILED);
	assert_non_null(strstr(text, "alive"));
	assert_int_equal(request(&w, DECISION_HOLD, text), OUTCOME_OK);
	assert_non_null(strstr(text, "after the present step"));
	assert_int_equal(request(&w, DECISION_CONTINUE, text), OUTCOME_OK);
	drop(&w, "wait");
	wait_for_state(&w, ROLLOUT_ENDED);
	assert_done_once(&w, "asked for");
	assert_int_equal(request(&w, DECISION_ABORT, text), OUTCOME_FAILED);
	assert_non_null(strstr(text, "ended"));
	plan_free(p.plan);
	world_end(&w);
}

static struct store_snapshot *snapshot_now(struct world *w)
{
	const struct opened *s = app_store(w->app);
	struct asked a;

	STORE_OF(s)->snapshot(s->priv, ask(w, &a));
	return get(w, &a);
}

/* A console that sees a rollout whose process is provably dead starts another; a wish of a person does so too. */
static void orphans_go_on(void **state)
{
	struct store_snapshot *s;
	char text[TEXT_LEN];
	struct rollout *r;
	struct world w;

	UNUSED(state);
	world_make(&w, "pause", "");
	plan_rollout(&w, 2, "r0001");
	wait_end(start(&w, "run.after_effect@5=kill"), 0);
	s = snapshot_now(&w);
	assert_true(s->rollouts[0].orphaned && s->rollouts[0].holder_dead);
	request_adopt(w.app, s);
	store_snapshot_free(s);
	wait_for_state(&w, ROLLOUT_ENDED);
	assert_done_once(&w, "adopted");
	world_end(&w);

	world_make(&w, "pause", "");
	plan_rollout(&w, 2, "r0001");
	wait_end(start(&w, "run.after_intent@4=kill"), 0);
	assert_int_equal(request(&w, DECISION_ABORT, text), OUTCOME_OK);
	wait_for_state(&w, ROLLOUT_ENDED);
	r = rollout_now(&w);
	assert_int_equal(r->outcome, OUTCOME_CANCELLED);
	free(r);
	assert_int_equal(count(&w, "effects", "apply"), 0);
	world_end(&w);
}

/* One that dies again and again is not started for ever. */
static void adoption_is_bounded(void **state)
{
	struct store_snapshot *s;
	struct world w;
	int starts = 0;

	UNUSED(state);
	world_make(&w, "pause", "");
	plan_rollout(&w, 2, "r0001");
	wait_end(start(&w, "run.before_intent@1=kill"), 0);
	setenv("TOWPATH_FAULT", "run.before_intent@1=kill", 1);
	for (int i = 0; i < 6; i++) {
		int64_t until = loop_mono_us() + 10 * US_PER_S, epoch;

		s = snapshot_now(&w);
		epoch = s->rollouts[0].epoch;
		assert_true(s->rollouts[0].holder_dead);
		request_adopt(w.app, s);
		store_snapshot_free(s);
		if (i >= 3)
			continue;
		for (bool grown = false; !grown; starts += grown) {
			assert_true(loop_mono_us() < until);
			s = snapshot_now(&w);
			grown = s->rollouts[0].epoch > epoch && s->rollouts[0].holder_dead;
			store_snapshot_free(s);
		}
	}
	unsetenv("TOWPATH_FAULT");
	assert_int_equal(starts, 3);
	s = snapshot_now(&w);
	assert_int_equal(s->rollouts[0].epoch, 4);
	store_snapshot_free(s);
	world_end(&w);
}

static int rollout_main(int argc, char **argv)
{
	struct app *a = open_app(argv[2]);
	int rc;

	if (a == NULL || argc < 5)
		return EXIT_USAGE;
	rc = run_rollout(a, argv[4]);
	app_free(a);
	return rc;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain),
	    cmocka_unit_test(killed_before_intent),
	    cmocka_unit_test(killed_after_intent),
	    cmocka_unit_test(killed_after_effect),
	    cmocka_unit_test(killed_before_result),
	    cmocka_unit_test(killed_after_result),
	    cmocka_unit_test(child_outlives),
	    cmocka_unit_test(two_processes),
	    cmocka_unit_test(stopped_holders),
	    cmocka_unit_test(bad_build_rolls_back),
	    cmocka_unit_test(killed_in_revert),
	    cmocka_unit_test(migration_that_fails),
	    cmocka_unit_test(held_and_continued),
	    cmocka_unit_test(aborted),
	    cmocka_unit_test(plan_changed),
	    cmocka_unit_test(terminated),
	    cmocka_unit_test(asked_for),
	    cmocka_unit_test(orphans_go_on),
	    cmocka_unit_test(adoption_is_bounded),
	};
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return 1;
	if (argc > 3 && strcmp(argv[3], "__rollout") == 0)
		return rollout_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
