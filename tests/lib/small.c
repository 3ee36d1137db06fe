#include "tests/lib/small.h"
#include "core/limits.h"
#include "io/file.h"

#include "backends/drivers.h"
#include "engine/executor.h"
#include "engine/planner.h"
#include "engine/run.h"
#include "engine/schedule.h"
#include "io/proc.h"
#include "tests/lib/cm.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

void small_release(struct release *r, int n)
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
		small_release(&l->items[i], 3 - i);
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

static bool has(const struct fake *f, const char *name)
{
	char path[PATH_LEN + 16];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	return access(path, F_OK) == 0;
}

static void add_dead_lock(struct migration_set *set)
{
	struct migration_lock *l = migration_set_lock(set);

	assert_non_null(l);
	str_copy(l->what, sizeof(l->what), "fake_lock");
	str_copy(l->client, sizeof(l->client), "build-7 (10.0.0.5)");
	l->since_us = INT64_C(1700000000) * US_PER_S;
	l->granted = l->of_tool = l->stuck = l->repairable = true;
	set->repairs = true;
	migration_set_block(set, "locked", "the lock is held by nobody");
}

/*
 * Release 2 has one migration; it is applied once DIR/applied exists. DIR/locked is the tool's lock, left by a dead
 * run; with DIR/opaque the tool's runs are no transactions.
 */
static void fake_inspect(void *priv, const char *revision, struct op *op)
{
	const struct fake *f = priv;
	bool wants = strtol(revision, NULL, 10) >= 2;
	struct migration_set *set = migration_set_new(wants ? 1 : 0);

	assert_non_null(set);
	str_copy(set->tool, sizeof(set->tool), "fake");
	str_copy(set->when_locked, sizeof(set->when_locked), "waits for it");
	set->unit_is_transaction = !has(f, "opaque");
	if (wants) {
		str_copy(set->items[0].name, sizeof(set->items[0].name), "0001_first");
		set->items[0].state = has(f, "applied") ? MIGRATION_APPLIED : MIGRATION_PENDING;
		migration_set_count(set);
	}
	if (has(f, "locked"))
		add_dead_lock(set);
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

/* There is no database to look at, but a catalog: one column once the migration is applied, or half done (DIR/half). */
static void fake_health(void *priv, bool with_catalog, struct op *op)
{
	static struct db_object column = {"column", "public.first.id", "bigint"};
	const struct fake *f = priv;
	struct database_health *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	if (!with_catalog) {
		free(h);
		op_done(op, outcome_make(OUTCOME_UNSUPPORTED, "fake", "no database"), NULL, NULL);
		return;
	}
	arena_init(&h->arena, ARENA_DEFAULT_MAX);
	h->has_catalog = true;
	h->objects = &column;
	h->n_objects = has(f, "applied") || has(f, "half");
	op_done(op, outcome_ok(), h, database_health_free);
}

static void fake_backups(void *priv, struct op *op)
{
	UNUSED(priv);
	op_done(op, outcome_make(OUTCOME_UNSUPPORTED, "fake", "no backups are configured"), NULL, NULL);
}

/* The migration's text is DIR/migration.sql; without one there is nothing to find. */
static void fake_preview(void *priv, const struct preview_ask *ask, struct op *op)
{
	const struct fake *f = priv;
	const struct lint_context how = {.tool = LINT_TOOL_SQL, .policy = ask->lint};
	struct migration_preview *v = calloc(1, sizeof(*v));
	struct lint_report report;
	char path[PATH_LEN + 16];
	struct str text;

	assert_non_null(v);
	arena_init(&v->arena, ARENA_DEFAULT_MAX);
	snprintf(path, sizeof(path), "%s/migration.sql", f->dir);
	str_init(&text, TREE_FILE_MAX);
	if (access(path, F_OK) == 0)
		assert_int_equal(file_read(path, TREE_FILE_MAX, &text, NULL), 0);
	lint_file(&v->arena, "", arena_strdup(&v->arena, str_text(&text)), text.len, &how, &report);
	v->items = arena_alloc(&v->arena, (size_t)ask->n_items * sizeof(*v->items));
	v->n_items = ask->n_items;
	for (int i = 0; i < v->n_items; i++)
		v->items[i] = (struct preview_item){
		    .path = "", .read = true, .findings = report.findings, .n_findings = report.n_findings};
	str_release(&text);
	op_done(op, outcome_ok(), v, migration_preview_free);
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
    .backups = fake_backups,
    .preview = fake_preview,
};

static const struct driver *const test_drivers[] = {&store_sqlite.base,   &store_postgres.base,
                                                    &deploy_command.base, &fake_registry.base,
                                                    &fake_migrate.base,   NULL};

/* --- the world -------------------------------------------------------------------------------- */

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
    "[ -e stuck ] && [ \"$TOWPATH_DIGEST\" = \"$(cat stuck)\" ] && exit 7\n"
    "printf %s \"$TOWPATH_DIGEST\" > $TOWPATH_INSTANCE.new && mv $TOWPATH_INSTANCE.new $TOWPATH_INSTANCE\n"
    "printf %s \"$TOWPATH_DIGEST\" > wanted.new && mv wanted.new wanted\n";
static const char migrate_sh[] = "echo migrate >> effects\n"
                                 "while [ -e wait ]; do sleep 0.05; done\n"
                                 "[ -e refuse ] && { echo 'no such column'; exit 3; }\n"
                                 "touch applied\n";

void small_put(const struct small *w, const char *name, const char *text)
{
	char path[PATH_LEN + 64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

void small_drop(const struct small *w, const char *name)
{
	char path[PATH_LEN + 64];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	unlink(path);
}

int small_count(const struct small *w, const char *name, const char *line)
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

bool small_says(const struct small *w, const char *name, const char *words)
{
	char path[PATH_LEN + 64], buf[1024];
	bool there = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	f = fopen(path, "re");
	while (f != NULL && !there && fgets(buf, sizeof(buf), f) != NULL)
		there = strstr(buf, words) != NULL;
	if (f != NULL)
		fclose(f);
	return there;
}

static char other_store[256];

void small_use_store(const char *store)
{
	str_copy(other_store, sizeof(other_store), store != NULL ? store : "");
}

void small_make_with(struct small *w, const char *policy, const char *lease, const struct small_lines *more)
{
	struct release one;
	char text[8192], store[PATH_LEN + 64];

	memset(w, 0, sizeof(*w));
	str_copy(w->dir, sizeof(w->dir), "/tmp/towpath-crash-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	small_release(&one, 1);
	small_put(w, "wanted", one.digest);
	small_put(w, "web-1", one.digest);
	small_put(w, "web-2", one.digest);
	small_put(w, "observe.sh", observe_sh);
	small_put(w, "deploy.sh", deploy_sh);
	small_put(w, "migrate.sh", migrate_sh);
	snprintf(store, sizeof(store), "driver: sqlite, path: %s/state/store.db", w->dir);
	if (other_store[0] != '\0') {
		str_copy(store, sizeof(store), other_store);
		setenv("TOWPATH_STATE", w->dir, 1);
	}
	snprintf(text, sizeof(text),
	         "name: test\n"
	         "store: {%s%s}\n"
	         "environments:\n"
	         "  - name: dev\n"
	         "    short: dev\n"
	         "    tier: 1\n"
	         "    gates: {smoke: %s, soak: off, config: off%s}\n"
	         "    on_failure: %s\n"
	         "    verify: 1s\n%s"
	         "%s"
	         "services:\n"
	         "  - name: web\n"
	         "    owner: shop\n"
	         "    registry: {driver: fake, dir: %s}\n"
	         "    deploy: {driver: command, observe: [sh, observe.sh], deploy: [sh, deploy.sh]}\n"
	         "    migrate: {driver: fake, dir: %s}\n%s"
	         "    environments:\n"
	         "      dev: {instances: [{name: web-1, url: \"http://127.0.0.1:1\"}, {name: web-2, url: "
	         "\"http://127.0.0.1:1\"}]}\n%s",
	         store, lease, more->service[0] != '\0' ? "on" : "off", more->gates, policy, more->env,
	         more->top, w->dir, w->dir, more->service, more->services != NULL ? more->services : "");
	small_put(w, "towpath.yaml", text);
	snprintf(w->config, sizeof(w->config), "%.900s/towpath.yaml", w->dir);
	chmod(w->config, 0600);
	w->app = open_app(w->config);
	assert_non_null(w->app);
}

void small_make(struct small *w, const char *policy, const char *lease)
{
	static const struct small_lines none = {.env = "", .top = "", .service = "", .gates = ""};

	small_make_with(w, policy, lease, &none);
}

void small_end(struct small *w)
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

static void on_asked(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct small_asked *a = ctx;

	a->o = *o;
	a->result = result != NULL ? op_take(op) : NULL;
	a->done = true;
}

struct op *small_ask(struct small *w, struct small_asked *a)
{
	memset(a, 0, sizeof(*a));
	return op_new(app_loop(w->app), 10 * US_PER_S, on_asked, a);
}

void *small_get(struct small *w, struct small_asked *a)
{
	assert_true(loop_until(app_loop(w->app), &a->done, loop_mono_us() + 20 * US_PER_S));
	if (a->o.kind != OUTCOME_OK)
		fprintf(stderr, "# %s: %s\n", outcome_name(a->o.kind), a->o.text);
	return a->result;
}

void small_on_plan(void *ctx, struct plan *plan, const struct outcome *why)
{
	struct small_planned *p = ctx;

	p->plan = plan;
	p->o = *why;
	p->done = true;
}

/* Plans release n into dev and stores a rollout of it, with no process yet. */
void small_plan(struct small *w, int n, const char *id)
{
	const struct opened *s = app_store(w->app);
	struct release to;
	struct plan_want want = {.kind = PLAN_PROMOTE};
	struct small_planned p = {.done = false};
	const struct gate *gate;
	struct rollout *r = calloc(1, sizeof(*r));
	struct small_asked a;

	assert_non_null(r);
	small_release(&to, n);
	want.release = to.digest;
	planner_start(w->app, &want, small_on_plan, &p);
	assert_true(loop_until(app_loop(w->app), &p.done, loop_mono_us() + 20 * US_PER_S));
	if (p.plan == NULL)
		fail_msg("no plan: %s", p.o.text);
	if (!plan_may_run(p.plan, &gate))
		fail_msg("gate %s: %s", gate_kind_name(gate->kind), gate->evidence);
	str_copy(w->id, sizeof(w->id), id);
	rollout_init(r, id, p.plan, app_model(w->app)->actor, loop_wall_us());
	STORE_OF(s)->plan_put(s->priv, p.plan, app_model(w->app)->actor, small_ask(w, &a));
	small_get(w, &a);
	assert_int_equal(a.o.kind, OUTCOME_OK);
	STORE_OF(s)->rollout_create(s->priv, r, app_model(w->app)->actor, small_ask(w, &a));
	small_get(w, &a);
	assert_int_equal(a.o.kind, OUTCOME_OK);
	plan_free(p.plan);
	free(r);
}

struct rollout *small_rollout(struct small *w)
{
	const struct opened *s = app_store(w->app);
	struct small_asked a;

	STORE_OF(s)->rollout_get(s->priv, w->id, small_ask(w, &a));
	small_get(w, &a);
	assert_int_equal(a.o.kind, OUTCOME_OK);
	return a.result;
}

static enum host_way host_way;
static char host[NAME_LEN];

void small_use_host(enum host_way way, const char *name)
{
	host_way = way;
	str_copy(host, sizeof(host), name != NULL ? name : "");
}

static pid_t start_self(struct small *w, const char *fault, const char *command, const char *word)
{
	char log[PATH_LEN + NAME_LEN + 16];
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
		snprintf(log, sizeof(log), "%s/%s", w->dir, host);
		if (host[0] != '\0' && !host_become(host_way, host, log))
			_exit(125);
		execl(self, self, "-c", w->config, command, w->id, word, (char *)NULL);
		_exit(127);
	}
	return pid;
}

pid_t small_start_schedule(struct small *w, const char *fault)
{
	return start_self(w, fault, "__schedule", NULL);
}
pid_t small_start(struct small *w, const char *fault) { return start_self(w, fault, "__rollout", NULL); }

pid_t small_start_decide(struct small *w, enum decision_kind kind, const char *fault)
{
	return start_self(w, fault, "__decide", decision_kind_name(kind));
}

/* Waits for the end (or the stop); the status as waitpid gives it. */
int small_wait_end(pid_t pid, int flags)
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

int small_run(struct small *w)
{
	int status = small_wait_end(small_start(w, NULL), 0);

	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Ended ok, every step done, every effect exactly once, the chain whole. */
void small_done_once(struct small *w, const char *why)
{
	const struct opened *s = app_store(w->app);
	struct rollout *r = small_rollout(w);
	struct audit_verdict *v;
	struct release two;
	struct small_asked a;
	int done, all;

	small_release(&two, 2);
	rollout_progress(r, &done, &all);
	if (r->state != ROLLOUT_ENDED || r->outcome != OUTCOME_OK || done != all || all != SMALL_STEPS)
		fail_msg("%s: %s %s, %d of %d steps: %s", why, rollout_state_name(r->state),
		         outcome_name(r->outcome), done, all, r->text);
	free(r);
	if (small_count(w, "effects", "migrate") != 1 || small_count(w, "effects", "apply web-1") != 1 ||
	    small_count(w, "effects", "apply web-2") != 1)
		fail_msg("%s: migrate %d, web-1 %d, web-2 %d times", why,
		         small_count(w, "effects", "migrate"), small_count(w, "effects", "apply web-1"),
		         small_count(w, "effects", "apply web-2"));
	assert_int_equal(small_count(w, "web-1", two.digest), 1);
	assert_int_equal(small_count(w, "web-2", two.digest), 1);
	STORE_OF(s)->audit_verify(s->priv, NULL, 0, small_ask(w, &a));
	v = small_get(w, &a);
	assert_non_null(v);
	assert_int_equal(v->bad_seq, 0);
	free(v);
}

void small_wait_line(const struct small *w, const char *name, const char *line)
{
	int64_t until = loop_mono_us() + 20 * US_PER_S;

	while (small_count(w, name, line) == 0) {
		if (loop_mono_us() > until)
			fail_msg("%s never said %s", name, line);
		poll(NULL, 0, 5);
	}
}

void small_decide(struct small *w, enum decision_kind kind)
{
	const struct opened *s = app_store(w->app);
	struct decision d = {.kind = kind};
	struct small_asked a;

	str_copy(d.rollout, sizeof(d.rollout), w->id);
	str_copy(d.actor, sizeof(d.actor), "olga");
	STORE_OF(s)->decide(s->priv, &d, small_ask(w, &a));
	free(small_get(w, &a));
	assert_int_equal(a.o.kind, OUTCOME_OK);
}

void small_wait_rollout(struct small *w)
{
	int64_t until = loop_mono_us() + 20 * US_PER_S;

	for (bool there = false; !there; poll(NULL, 0, 20)) {
		struct store_snapshot *s = small_snapshot(w);

		for (int i = 0; i < s->n_rollouts; i++)
			there = there || strcmp(s->rollouts[i].id, w->id) == 0;
		store_snapshot_free(s);
		if (loop_mono_us() > until)
			fail_msg("rollout %s never came", w->id);
	}
}

void small_wait_state(struct small *w, enum rollout_state state)
{
	int64_t until = loop_mono_us() + 20 * US_PER_S;

	for (;;) {
		struct rollout *r = small_rollout(w);
		bool there = r->state == state;

		free(r);
		if (there)
			return;
		if (loop_mono_us() > until)
			fail_msg("never became %s", rollout_state_name(state));
		poll(NULL, 0, 10);
	}
}

void small_on_said(void *ctx, const struct outcome *o, const char *id)
{
	struct small_said *s = ctx;

	s->o = *o;
	str_copy(s->id, sizeof(s->id), id);
	s->done = true;
}

void small_hear(struct small *w, struct small_said *s)
{
	assert_true(loop_until(app_loop(w->app), &s->done, loop_mono_us() + 20 * US_PER_S));
}

enum outcome_kind small_request(struct small *w, enum decision_kind kind, char *text)
{
	struct decision d = {.kind = kind};
	struct small_said s = {.done = false};

	str_copy(d.rollout, sizeof(d.rollout), w->id);
	request_decide(w->app, &d, small_on_said, &s);
	small_hear(w, &s);
	str_copy(text, TEXT_LEN, s.o.text);
	return s.o.kind;
}

void small_schedule(struct small *w, int64_t in_us, char ret[ID_LEN])
{
	struct release to;
	struct plan_want want = {.kind = PLAN_PROMOTE};
	struct small_planned p = {.done = false};
	struct small_said said = {.done = false};
	struct decision d = {.kind = DECISION_SCHEDULE, .service = "web", .env = "dev", .reason = "at night"};
	struct store_snapshot *s;

	small_release(&to, 2);
	want.release = to.digest;
	planner_start(w->app, &want, small_on_plan, &p);
	assert_true(loop_until(app_loop(w->app), &p.done, loop_mono_us() + 20 * US_PER_S));
	assert_non_null(p.plan);
	request_approval(w->app, p.plan, "at night", small_on_said, &said);
	small_hear(w, &said);
	assert_int_equal(said.o.kind, OUTCOME_OK);
	str_copy(d.plan, sizeof(d.plan), p.plan->digest);
	plan_free(p.plan);
	d.until_us = loop_wall_us() + in_us;
	said = (struct small_said){.done = false};
	request_decide(w->app, &d, small_on_said, &said);
	small_hear(w, &said);
	assert_int_equal(said.o.kind, OUTCOME_OK);
	s = small_snapshot(w);
	ret[0] = '\0';
	for (int i = 0; i < s->n_decisions; i++)
		if (schedule_is_open(s, &s->decisions[i]))
			schedule_rollout(&s->decisions[i], ret);
	assert_true(ret[0] != '\0');
	store_snapshot_free(s);
	str_copy(w->id, sizeof(w->id), "web@dev");
}

struct store_snapshot *small_snapshot(struct small *w)
{
	const struct opened *s = app_store(w->app);
	struct small_asked a;

	STORE_OF(s)->snapshot(s->priv, small_ask(w, &a));
	return small_get(w, &a);
}

static int rollout_main(int argc, char **argv)
{
	struct app *a = open_app(argv[2]);
	int rc;

	if (a == NULL || argc < 5)
		return EXIT_USAGE;
	rc = strcmp(argv[3], "__schedule") == 0 ? schedule_wait(a, argv[4]) : run_rollout(a, argv[4]);
	app_free(a);
	return rc;
}

static int decide_main(int argc, char **argv)
{
	struct decision d = {.kind = DECISION_NOTE};
	struct small_said said = {.done = false};
	struct app *a = open_app(argv[2]);

	if (a == NULL || argc < 6 || !decision_kind_parse(argv[5], &d.kind))
		return EXIT_USAGE;
	str_copy(d.rollout, sizeof(d.rollout), argv[4]);
	request_decide(a, &d, small_on_said, &said);
	while (!said.done)
		loop_until(app_loop(a), &said.done, loop_mono_us() + US_PER_S);
	app_free(a);
	return said.o.kind == OUTCOME_OK ? EXIT_DONE : EXIT_NOT_FOUND_OUT;
}

pid_t small_start_executor(struct small *w) { return start_self(w, NULL, "executor", NULL); }

static int executor_main(char **argv)
{
	static const char *command[] = {self, NULL};
	struct app_options o = {.config_path = argv[2], .drivers = test_drivers, .command_line = command};

	return executor_run(&o, 20 * US_PER_S);
}

int small_begin(int argc, char **argv)
{
	ssize_t n;

	proc_gate_main(argc, argv);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return 1;
	if (argc > 3 && strcmp(argv[3], "executor") == 0)
		return executor_main(argv);
	if (argc > 3 && strcmp(argv[3], "__decide") == 0)
		return decide_main(argc, argv);
	if (argc > 3 && (strcmp(argv[3], "__rollout") == 0 || strcmp(argv[3], "__schedule") == 0))
		return rollout_main(argc, argv);
	return -1;
}
