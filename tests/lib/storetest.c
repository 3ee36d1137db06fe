#include "tests/lib/storetest.h"

#include "backends/drivers.h"
#include "tests/lib/cm.h"
#include "tests/lib/storepg.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct store_kind *store_kind;

/* --- kinds -------------------------------------------------------------------------------------- */

static void sqlite_make(struct store_world *w)
{
	folder_make(w->dir);
	snprintf(w->path, sizeof(w->path), "%.900s/state/store.db", w->dir);
}

static void sqlite_open(struct store_world *w, struct opened *o, const char *actor, const char *more)
{
	char options[PATH_LEN + 600];

	UNUSED(actor);
	snprintf(options, sizeof(options), "{\"path\": \"%.900s\"%s}", w->path, more);
	driver_open(o, w->loop, &store_sqlite.base, options, NULL);
}

static void sqlite_crowd(struct store_world *w, int n)
{
	static const char text[] =
	    "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO "
	    "decisions"
	    " SELECT i, 'note', 'eve', '', 1, '', '', 'web', 'prod', 'x', '', 0, '' FROM n";
	char sql[512], *err = NULL;
	sqlite3 *db;

	snprintf(sql, sizeof(sql), text, 1000 + n);
	assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 2000);
	if (sqlite3_exec(db, sql, NULL, NULL, &err) != SQLITE_OK)
		fail_msg("%s", err);
	sqlite3_close(db);
}

static void postgres_crowd(struct store_world *w, int n)
{
	char sql[512];

	snprintf(
	    sql, sizeof(sql),
	    "INSERT INTO towpath.decisions SELECT i, 'note', 'eve', '', 1, '', '', 'web', 'prod', '', 0, "
	    "'{\"reason\": \"x\"}' FROM generate_series(1000, %d) i",
	    1000 + n);
	assert_true(pgserver_sql(pgserver_shared(), w->database, sql));
}

static void postgres_make(struct store_world *w)
{
	w->database = storepg_make(pgserver_shared());
	/* Before a fork: two at once must not make one user. */
	storepg_user(pgserver_shared(), "ben", "operator approver admin executor");
}

static void postgres_open(struct store_world *w, struct opened *o, const char *actor, const char *more)
{
	storepg_user(pgserver_shared(), actor, "operator approver admin executor");
	storepg_open(o, w->loop, pgserver_shared(), 0, actor, w->database, more);
}

const struct store_kind store_kind_sqlite = {.name = "sqlite",
                                             .driver = &store_sqlite,
                                             .make = sqlite_make,
                                             .open = sqlite_open,
                                             .crowd = sqlite_crowd};
const struct store_kind store_kind_postgres = {.name = "postgres",
                                               .driver = &store_postgres,
                                               .make = postgres_make,
                                               .open = postgres_open,
                                               .crowd = postgres_crowd,
                                               .has_users = true};

/* --- the world ---------------------------------------------------------------------------------- */

const struct store_driver *S(const struct store_world *w) { return w->kind->driver; }

void store_close(struct store_world *w)
{
	if (w->o.driver != NULL)
		driver_close(&w->o);
	for (int i = 0; i < w->n_others; i++)
		driver_close(&w->others[i].o);
	w->n_others = 0;
}

void store_open(struct store_world *w, const char *more)
{
	store_close(w);
	snprintf(w->more, sizeof(w->more), "%s%s", more[0] != '\0' ? ", " : "", more);
	w->kind->open(w, &w->o, "anna", w->more);
}

struct opened *store_as(struct store_world *w, const char *actor)
{
	int i = 0;

	if (!w->kind->has_users || strcmp(actor, "anna") == 0)
		return &w->o;
	while (i < w->n_others && strcmp(w->others[i].name, actor) != 0)
		i++;
	if (i < w->n_others)
		return &w->others[i].o;
	if (i == STORE_ACTORS_MAX)
		driver_close(&w->others[--i].o);
	else
		w->n_others++;
	str_copy(w->others[i].name, sizeof(w->others[i].name), actor);
	w->kind->open(w, &w->others[i].o, actor, w->more);
	return &w->others[i].o;
}

struct plan *store_plan(const char *env, const char *to)
{
	static struct instance_conf instances[] = {{"web-1", ""}};
	struct deployment_conf dep = {.present = true, .instances = instances, .n_instances = 1};
	struct plan *p = plan_new();

	assert_non_null(p);
	str_copy(p->service, sizeof(p->service), "web");
	str_copy(p->env, sizeof(p->env), env);
	str_copy(p->from.digest, sizeof(p->from.digest), "sha256:old");
	str_copy(p->to.digest, sizeof(p->to.digest), to);
	str_copy(p->to.tag, sizeof(p->to.tag), "2.0.0");
	p->policy.approvals = 1;
	plan_make_steps(p, &dep, false, NULL);
	assert_int_equal(plan_seal(p, NULL), 0);
	return p;
}

int store_setup(void **state)
{
	struct store_world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->kind = store_kind;
	w->loop = loop_new(NULL);
	w->kind->make(w);
	store_open(w, "");
	w->plan = store_plan("prod", "sha256:new");
	w->r = calloc(1, sizeof(*w->r));
	assert_non_null(w->r);
	rollout_init(w->r, "r1", w->plan, "anna", loop_wall_us());
	*state = w;
	return 0;
}

int store_teardown(void **state)
{
	struct store_world *w = *state;

	store_close(w);
	loop_free(w->loop);
	if (w->dir[0] != '\0')
		folder_remove(w->dir);
	plan_free(w->plan);
	free(w->r);
	free(w);
	return 0;
}

/* --- calls that are awaited ------------------------------------------------------------------- */

struct op *begin(struct store_world *w, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	a->keep = true;
	return answer_op(a, w->loop, 10 * US_PER_S);
}

void plan_stored(struct store_world *w, const struct plan *p)
{
	struct answer a;

	S(w)->plan_put(w->o.priv, p, "anna", begin(w, &a));
	answer_wait(&a);
	if (a.outcome.kind != OUTCOME_OK)
		fail_msg("plan_put: %s", a.outcome.text);
	free(a.result);
}

enum outcome_kind create_only(struct store_world *w, const struct rollout *r, char *text)
{
	struct answer a;

	S(w)->rollout_create(w->o.priv, r, "anna", begin(w, &a));
	answer_wait(&a);
	if (text != NULL)
		str_copy(text, TEXT_LEN, a.outcome.text);
	else if (a.outcome.kind != OUTCOME_OK)
		print_message("# %s: %s\n", r->id, a.outcome.text);
	free(a.result);
	return a.outcome.kind;
}

enum outcome_kind create(struct store_world *w, struct rollout *r, char *text)
{
	struct plan *p = store_plan(r->env, r->to.digest);

	plan_stored(w, p);
	str_copy(r->plan, sizeof(r->plan), p->digest);
	for (int i = 0; i < r->n_steps; i++)
		r->steps[i] = p->steps[i];
	plan_free(p);
	return create_only(w, r, text);
}

struct lease *claim(struct store_world *w, const char *holder, int64_t pid, int64_t started, bool force)
{
	struct lease want = {.pid = pid, .pid_start = started};
	struct answer a;

	str_copy(want.key, sizeof(want.key), "web/prod");
	str_copy(want.holder, sizeof(want.holder), holder);
	str_copy(want.rollout, sizeof(want.rollout), "r1");
	S(w)->lease_claim(w->o.priv, &want, force, begin(w, &a));
	answer_wait(&a);
	assert_true(a.outcome.kind == OUTCOME_OK || a.outcome.kind == OUTCOME_FAILED);
	return a.result;
}

enum outcome_kind lease_do(struct store_world *w, int64_t epoch, bool release)
{
	struct answer a;

	(release ? S(w)->lease_release : S(w)->lease_renew)(w->o.priv, "web/prod", epoch, begin(w, &a));
	answer_wait(&a);
	free(a.result);
	return a.outcome.kind;
}

enum outcome_kind write_at(struct store_world *w, int64_t epoch)
{
	struct answer a;

	S(w)->rollout_write(w->o.priv, w->r, epoch, begin(w, &a));
	answer_wait(&a);
	free(a.result);
	return a.outcome.kind;
}

struct store_snapshot *snapshot(struct store_world *w)
{
	struct answer a;

	S(w)->snapshot(w->o.priv, begin(w, &a));
	answer_wait(&a);
	if (a.outcome.kind != OUTCOME_OK)
		fail_msg("snapshot: %s", a.outcome.text);
	return a.result;
}

struct outcome decide_it(struct store_world *w, const struct decision *d)
{
	struct opened *o = store_as(w, d->actor);
	struct answer a;

	S(w)->decide(o->priv, d, begin(w, &a));
	answer_wait(&a);
	if (a.result != NULL)
		assert_null(((struct decision *)a.result)->signature);
	free(a.result);
	return a.outcome;
}

struct outcome decide(struct store_world *w, enum decision_kind kind, const char *actor, const char *reason)
{
	struct decision d = {.kind = kind};

	str_copy(d.actor, sizeof(d.actor), actor);
	str_copy(d.reason, sizeof(d.reason), reason);
	str_copy(d.rollout, sizeof(d.rollout), "r1");
	str_copy(d.service, sizeof(d.service), "web");
	str_copy(d.env, sizeof(d.env), "prod");
	return decide_it(w, &d);
}

struct outcome speak(struct store_world *w, enum decision_kind kind, const char *actor)
{
	struct decision d = {.kind = kind};

	str_copy(d.actor, sizeof(d.actor), actor);
	str_copy(d.plan, sizeof(d.plan), w->plan->digest);
	return decide_it(w, &d);
}

struct audit_verdict verify(struct store_world *w)
{
	struct audit_verdict v = {.bad_seq = -1};
	struct answer a;

	S(w)->audit_verify(w->o.priv, NULL, 0, begin(w, &a));
	answer_wait(&a);
	if (a.outcome.kind != OUTCOME_OK)
		fail_msg("audit_verify: %s", a.outcome.text);
	v = *(struct audit_verdict *)a.result;
	free(a.result);
	return v;
}
