/*
 * The embedded store: one SQLite file per person or host, WAL and synchronous=FULL, so that what was called saved
 * survives a crash. Every slot makes a job that owns copies of its input; jobs run in order on the store's own
 * thread, each in one transaction with its audit row.
 */
#include "backends/answer.h"
#include "backends/drivers.h"
#include "backends/store/common.h"
#include "backends/store/sqlite_job.h"
#include "core/text.h"
#include "io/file.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char source[] = "store";
enum { WATCH_FALLBACK_S = 5, WATCH_SETTLE_MS = 20, WATCH_LOOKS = 4 };

void job_free(struct job *j)
{
	free(j->json);
	free(j->rollout);
	free(j->follower);
	free(j->decision.signature);
	smoke_result_free(j->smoke);
	free(j);
}

static void job_run(void *arg)
{
	struct job *j = arg;
	struct db *d = &j->s->db;
	int rc;

	j->outcome = db_open(d);
	if (j->outcome.kind != OUTCOME_OK)
		return;
	if (!j->writes) {
		j->outcome = j->work(d, j);
		return;
	}
	rc = db_begin(d);
	if (rc != SQLITE_OK) {
		j->outcome = db_failed(d, rc);
		return;
	}
	j->outcome = sqlite_not_retired(d);
	if (j->outcome.kind == OUTCOME_OK)
		j->outcome = j->work(d, j);
	if (j->outcome.kind != OUTCOME_OK) {
		db_rollback(d);
	} else if ((rc = db_commit(d)) != SQLITE_OK) {
		j->outcome = db_failed(d, rc);
	}
	if (j->outcome.kind != OUTCOME_OK && j->result != NULL) {
		j->free_result(j->result);
		j->result = NULL;
	}
}

static void changed_soon(struct store *s);

static void job_done(void *arg)
{
	struct job *j = arg;

	if (j->writes && j->outcome.kind == OUTCOME_OK)
		changed_soon(j->s);
	op_done(j->op, j->outcome, j->result, j->free_result);
	job_free(j);
}

struct job *job_new(void *priv, struct op *op, bool writes, struct outcome (*work)(struct db *, struct job *))
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL) {
		answer_nomem(op, source);
		return NULL;
	}
	j->s = priv;
	j->op = op;
	j->writes = writes;
	j->work = work;
	j->free_result = free;
	return j;
}

void job_start(struct job *j) { worker_run(j->s->worker, job_run, job_done, j); }

/* --- reading ---------------------------------------------------------------------------------- */

static struct outcome snapshot_work(struct db *d, struct job *j)
{
	struct outcome o = read_snapshot(d, &j->result);

	if (o.kind == OUTCOME_OK)
		seen_presence_get(&d->seen, db_wall_us(), j->result);
	return o;
}

static struct outcome history_work(struct db *d, struct job *j)
{
	return read_history(d, j->n, j->step, &j->result);
}
static struct outcome after_work(struct db *d, struct job *j)
{
	return read_audit_after(d, j->n, j->step, &j->result);
}
static struct outcome past_work(struct db *d, struct job *j) { return read_past(d, &j->past, &j->result); }
static struct outcome verify_work(struct db *d, struct job *j)
{
	struct outcome o = read_verify(d, j->follower);

	if (o.kind == OUTCOME_OK) {
		j->result = j->follower;
		j->follower = NULL;
	}
	return o;
}
static struct outcome seen_get_work(struct db *d, struct job *j) { return seen_get(&d->seen, &j->result); }

static struct outcome check_work(struct db *d, struct job *j)
{
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, "PRAGMA quick_check(1)", "");
	char text[NAME_LEN] = "";

	UNUSED(j);
	if (st == NULL)
		return db_failed(d, rc);
	db_text(st, 0, text, sizeof(text));
	db_done(st);
	return strcmp(text, "ok") == 0 ? outcome_ok() : db_failed(d, SQLITE_CORRUPT);
}

static void read_start(void *priv, struct op *op, struct outcome (*work)(struct db *, struct job *),
                       void (*free_result)(void *), int64_t n, int limit)
{
	struct job *j = job_new(priv, op, false, work);

	if (j == NULL)
		return;
	j->free_result = free_result;
	j->n = n;
	j->step = limit;
	job_start(j);
}

static void store_snapshot(void *priv, struct op *op)
{
	read_start(priv, op, snapshot_work, store_snapshot_free, 0, 0);
}
static void store_history(void *priv, int64_t before, int limit, struct op *op)
{
	read_start(priv, op, history_work, audit_page_free, before, limit);
}
static void store_audit_after(void *priv, int64_t after, int limit, struct op *op)
{
	read_start(priv, op, after_work, audit_page_free, after, limit);
}

static void store_past(void *priv, const struct past_ask *ask, struct op *op)
{
	struct job *j = job_new(priv, op, false, past_work);

	if (j == NULL)
		return;
	j->free_result = store_past_free;
	j->past = *ask;
	job_start(j);
}

static void store_audit_verify(void *priv, const struct audit_mark *marks, int n_marks, struct op *op)
{
	struct job *j = job_new(priv, op, false, verify_work);

	if (j == NULL)
		return;
	j->follower = audit_follower_new(marks, n_marks);
	if (j->follower == NULL) {
		answer_nomem(op, source);
		job_free(j);
		return;
	}
	job_start(j);
}

static void store_observe_get(void *priv, struct op *op)
{
	read_start(priv, op, seen_get_work, observation_list_free, 0, 0);
}
static void store_check(void *priv, struct op *op) { read_start(priv, op, check_work, free, 0, 0); }

static struct outcome seen_put_work(struct db *d, struct job *j)
{
	return seen_put(&d->seen, j->key, j->n, j->json);
}

static void store_observe_put(void *priv, const char *key, int64_t at_us, const char *json, struct op *op)
{
	struct job *j = job_new(priv, op, false, seen_put_work);

	if (j == NULL)
		return;
	str_copy(j->key, sizeof(j->key), key);
	j->n = at_us;
	j->json = strdup(json);
	if (j->json == NULL) {
		answer_nomem(op, source);
		job_free(j);
		return;
	}
	job_start(j);
}

static struct outcome presence_work(struct db *d, struct job *j)
{
	int64_t turn;
	struct outcome o = seen_presence_put(&d->seen, &j->presence, db_wall_us(), j->n, &turn);

	/* Nobody need tell us what we said ourselves, unless others said something as well. */
	if (turn != 0 && turn == d->last_turn + 1)
		d->last_turn = turn;
	return o;
}

static void store_presence_put(void *priv, const struct presence_row *row, int64_t ttl_us, struct op *op)
{
	struct job *j = job_new(priv, op, false, presence_work);

	if (j == NULL)
		return;
	j->presence = *row;
	j->n = ttl_us;
	job_start(j);
}

/* --- how it stands ----------------------------------------------------------------------------- */

/* The file is made and migrated at every opening: this says what came of it. */
static struct outcome prepare_work(struct db *d, struct job *j)
{
	struct store_prepared *done = calloc(1, sizeof(*done));

	if (done == NULL)
		return answer_make(OUTCOME_ERRORED, source, "out of memory");
	text_cleanz(done->place, sizeof(done->place), d->path);
	done->from = d->schema_before;
	done->to = SCHEMA_VERSION;
	d->schema_before = SCHEMA_VERSION;
	j->result = done;
	return outcome_ok();
}

static void store_prepare(void *priv, bool create, struct op *op)
{
	struct store *s = priv;
	struct outcome o;

	if (!create && !file_exists(s->db.path)) {
		o = answer_make(OUTCOME_FAILED, source, "there is no store at %s", s->db.path);
		answer_hint(&o, "make it: towpath store init");
		op_done(op, o, NULL, NULL);
		return;
	}
	read_start(priv, op, prepare_work, free, 0, 0);
}

static struct outcome status_work(struct db *d, struct job *j)
{
	struct store_status *t = calloc(1, sizeof(*t));
	struct outcome o = outcome_ok();
	int64_t started = loop_mono_us();
	int rc;
	sqlite3_stmt *st;

	if (t == NULL)
		return answer_make(OUTCOME_ERRORED, source, "out of memory");
	st = db_query(d, &rc, "SELECT seq, at_us, hash FROM audit ORDER BY seq DESC LIMIT 1", "");
	if (st != NULL) {
		t->head_seq = sqlite3_column_int64(st, 0);
		t->head_us = sqlite3_column_int64(st, 1);
		db_text(st, 2, t->head, sizeof(t->head));
		db_done(st);
	} else if (rc != SQLITE_DONE) {
		o = db_failed(d, rc);
		free(t);
		return o;
	}
	t->latency_us = loop_mono_us() - started;
	text_cleanz(t->place, sizeof(t->place), d->path);
	snprintf(t->server, sizeof(t->server), "SQLite %s", sqlite3_libversion());
	t->roles = (1u << STORE_ROLE_COUNT) - 1;
	t->schema = t->schema_known = SCHEMA_VERSION;
	t->now_us = db_wall_us();
	str_copy(t->follows, sizeof(t->follows), "events of its folder");
	j->result = t;
	return o;
}

static void store_status(void *priv, struct op *op) { read_start(priv, op, status_work, free, 0, 0); }

/* --- the demo's marker ------------------------------------------------------------------------ */

static struct outcome mark_work(struct db *d, struct job *j)
{
	int rc;
	sqlite3_stmt *st = db_query(d, &rc, "SELECT 1 FROM audit LIMIT 1", "");

	db_done(st);
	if (st != NULL)
		return answer_make(OUTCOME_FAILED, source, "a store that is in use cannot become a demo's");
	if (rc != SQLITE_DONE)
		return db_failed(d, rc);
	for (int i = 0; i < j->n_operators; i++) {
		char key[24];

		snprintf(key, sizeof(key), "operator%d", i);
		rc = db_run(d, "INSERT INTO meta VALUES(?, ?)", "ss", key, j->operators[i]);
		if (rc != SQLITE_DONE)
			return db_failed(d, rc);
	}
	return done_or(d, audit_write(d, j->operators[0], "demo", "", "",
	                              "a demo's store, its operators may act for each other"));
}

static void store_mark_demo(void *priv, const char *const *operators, int n, struct op *op)
{
	struct job *j = job_new(priv, op, true, mark_work);

	if (j == NULL)
		return;
	j->n_operators = CLAMP(n, 0, (int)ARRAY_LEN(j->operators));
	for (int i = 0; i < j->n_operators; i++)
		str_copy(j->operators[i], sizeof(j->operators[i]), operators[i]);
	job_start(j);
}

/* --- watching: the folder's events are a hint, the file tells the truth ----------------------- */

struct look {
	struct store *s;
	bool changed;
};

static void look_start(struct store *s);
static void look_again(struct store *s);

static void look_run(void *arg)
{
	struct look *look = arg;

	look->changed = db_changed(&look->s->db);
}

static void look_done(void *arg)
{
	struct look *look = arg;
	struct store *s = look->s;
	bool changed = look->changed;

	free(look);
	s->checking = false;
	if (changed)
		s->looks = 0;
	if (s->again && s->on_change != NULL)
		look_start(s);
	else if (!changed)
		look_again(s);
	if (changed && s->on_change != NULL)
		s->on_change(s->ctx);
}

static void look_start(struct store *s)
{
	struct look *look;

	s->again = s->checking;
	if (s->checking)
		return;
	look = calloc(1, sizeof(*look));
	if (look == NULL)
		return;
	look->s = s;
	s->checking = true;
	worker_run(s->worker, look_run, look_done, look);
}

static void on_settled(void *arg)
{
	struct store *s = arg;

	s->settle = NULL;
	if (s->on_change != NULL)
		look_start(s);
}

/*
 * The event comes with the first byte that another process writes, its commit is seen only after the disk has said
 * yes: a hint is worth several looks, each later than the one before.
 */
static void look_again(struct store *s)
{
	if (s->on_change == NULL || s->settle != NULL || s->looks <= 0)
		return;
	s->settle = loop_timer(s->loop, (WATCH_SETTLE_MS * US_PER_MS) << (2 * (WATCH_LOOKS - s->looks)), 0,
	                       on_settled, s);
	s->looks--;
}

/* A burst of writes is one look. */
static void changed_soon(struct store *s)
{
	/* A first look that is due soon stands; a late one of an earlier hint gives way to it. */
	if (s->settle != NULL && s->looks == WATCH_LOOKS - 1)
		return;
	timer_stop(s->settle);
	s->settle = NULL;
	s->looks = WATCH_LOOKS;
	look_again(s);
}

static void on_folder(void *arg, const char *name)
{
	struct store *s = arg;
	const char *base = strrchr(s->db.path, '/');
	size_t n = base != NULL ? strlen(base + 1) : 0;

	/*
	 * Observations change all the time, in the log beside their file, and are no change of the store; the file
	 * itself is touched when somebody comes or goes.
	 */
	if (name != NULL && base != NULL &&
	    (strncmp(name, base + 1, n) != 0 || strncmp(name + n, "-seen-", 6) == 0))
		return;
	changed_soon(s);
}

static void on_fallback(void *arg)
{
	struct store *s = arg;
	char dir[PATH_LEN];
	char *slash;

	/* The folder may have come into being only now. */
	if (s->folder == NULL) {
		str_copy(dir, sizeof(dir), s->db.path);
		slash = strrchr(dir, '/');
		if (slash != NULL)
			*slash = '\0';
		if (file_exists(dir))
			s->folder = loop_watch_path(s->loop, dir, on_folder, s);
	}
	look_start(s);
}

static void store_watch(void *priv, void (*fn)(void *ctx), void *ctx)
{
	struct store *s = priv;

	s->on_change = fn;
	s->ctx = ctx;
	if (fn == NULL) {
		watch_stop(s->folder);
		timer_stop(s->fallback);
		timer_stop(s->settle);
		s->folder = NULL;
		s->fallback = s->settle = NULL;
		return;
	}
	if (s->fallback == NULL)
		s->fallback = loop_timer(s->loop, 0, WATCH_FALLBACK_S * US_PER_S, on_fallback, s);
}

/* --- the driver ------------------------------------------------------------------------------- */

static const struct lease_times *store_times(void *priv) { return &((struct store *)priv)->db.times; }

static int store_open(void *priv, const struct driver_ctx *ctx, struct error *e)
{
	struct store *s = priv;
	const char *path = jv_get_text(ctx->options, "path", NULL);
	struct lease_times *t = &s->db.times;
	char dir[PATH_LEN];

	s->loop = ctx->loop;
	if (path == NULL) {
		int rc = file_state_dir(dir, sizeof(dir), e);

		if (rc != 0)
			return rc;
		if ((size_t)snprintf(s->db.path, sizeof(s->db.path), "%s/store.db", dir) >=
		    sizeof(s->db.path))
			return error_set(e, ERR_INVALID, "the path of the store is too long");
	} else if (path[0] != '/' || !str_copy(s->db.path, sizeof(s->db.path) - 16, path)) {
		return error_set(e, ERR_INVALID, "the path of the store must be absolute and short");
	}
	snprintf(s->db.seen.path, sizeof(s->db.seen.path), "%s-seen", s->db.path);
	t->ttl_us = jv_get_num(ctx->options, "lease_ttl", 30 * US_PER_S);
	t->renew_us = jv_get_num(ctx->options, "lease_renew", 5 * US_PER_S);
	t->safe_us = jv_get_num(ctx->options, "lease_safe", 14 * US_PER_S);
	if (t->renew_us <= 0 || t->renew_us >= t->safe_us || t->safe_us >= t->ttl_us) {
		error_set(e, ERR_INVALID, "lease_renew < lease_safe < lease_ttl does not hold");
		error_hint(e, "leave them out: 5s, 14s and 30s are good");
		return ERR_INVALID;
	}
	s->db.busy_ms = (int)(jv_get_num(ctx->options, "busy", 5 * US_PER_S) / US_PER_MS);
	s->db.last_version = s->db.last_seq = s->db.last_turn = -1;
	if (gethostname(s->db.host, sizeof(s->db.host) - 1) != 0)
		str_copy(s->db.host, sizeof(s->db.host), "localhost");
	/* A file size limit must be an error to tell, not the end of the process. */
	signal(SIGXFSZ, SIG_IGN);
	s->worker = worker_new(ctx->loop, e);
	return s->worker != NULL ? 0 : e != NULL ? (int)e->code : ERR_IO;
}

static void close_run(void *arg) { db_close(&((struct store *)arg)->db); }

static void store_close(void *priv)
{
	struct store *s = priv;

	store_watch(s, NULL, NULL);
	worker_run(s->worker, close_run, NULL, s);
	worker_free(s->worker);
}

static const struct option_desc options[] = {
    {.name = "path",
     .type = OPTION_PATH,
     .text = "The database file; its folder is made with mode 0700.",
     .example = "state/store.db"},
    {.name = "lease_ttl",
     .type = OPTION_DURATION,
     .otherwise = "30s",
     .min = 50 * US_PER_MS,
     .max = US_PER_H,
     .text = "How long the process of a rollout may be silent before another may take over.",
     .example = "30s"},
    {.name = "lease_renew",
     .type = OPTION_DURATION,
     .otherwise = "5s",
     .min = 10 * US_PER_MS,
     .max = US_PER_H,
     .text = "How often it says that it lives.",
     .example = "5s"},
    {.name = "lease_safe",
     .type = OPTION_DURATION,
     .otherwise = "14s",
     .min = 20 * US_PER_MS,
     .max = US_PER_H,
     .text = "It begins nothing new later than this after it last said so.",
     .example = "14s"},
    {.name = "busy",
     .type = OPTION_DURATION,
     .otherwise = "5s",
     .min = US_PER_MS,
     .max = US_PER_MIN,
     .text = "How long to wait for another process that writes.",
     .example = "5s"},
    {.name = NULL},
};

const struct store_driver store_sqlite = {
    .base = {.port = PORT_STORE,
             .name = "sqlite",
             .summary = "a file on this host, for one person or one demo",
             .options = options,
             .priv_size = sizeof(struct store),
             .open = store_open,
             .close = store_close,
             .check = store_check},
    .snapshot = store_snapshot,
    .plan_put = sqlite_plan_put,
    .plan_get = sqlite_plan_get,
    .rollout_create = sqlite_rollout_create,
    .rollout_scheduled = sqlite_rollout_scheduled,
    .rollout_get = sqlite_rollout_get,
    .lease_claim = sqlite_lease_claim,
    .lease_renew = sqlite_lease_renew,
    .lease_release = sqlite_lease_release,
    .step_intent = sqlite_step_intent,
    .step_result = sqlite_step_result,
    .rollout_write = sqlite_rollout_write,
    .deploy_note = sqlite_deploy_note,
    .decide = sqlite_decide,
    .smoke_put = sqlite_smoke_put,
    .history = store_history,
    .past = store_past,
    .audit_after = store_audit_after,
    .audit_verify = store_audit_verify,
    .observe_put = store_observe_put,
    .observe_get = store_observe_get,
    .watch = store_watch,
    .mark_demo = store_mark_demo,
    .times = store_times,
    .prepare = store_prepare,
    .status = store_status,
    .dump = sqlite_dump,
    .load = sqlite_load,
    .retire = sqlite_retire,
    .executor_beat = sqlite_executor_beat,
    .presence_put = store_presence_put,
};
