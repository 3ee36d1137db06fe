/*
 * The store of a team: one PostgreSQL schema for many consoles and executors on many hosts. Who somebody is and what
 * they may do, the server knows (session_user and the schema's roles); the client only asks.
 */
#include "backends/answer.h"
#include "backends/drivers.h"
#include "backends/store/postgres_db.h"
#include "config/secret_option.h"
#include "core/sha256.h"
#include "core/text.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char source[] = "store";

/* The one place where a name becomes part of a statement; names_check() lets only plain ones through. */
static const char *const statements[PG_STATEMENTS] = {
    [PG_ABOUT] = "SELECT %s.about(), session_user = $1::text",
    [PG_CHANGES] = "SELECT changes, 0 FROM %s.head",
    [PG_CHANGES_PRESENCE] = "SELECT changes, (SELECT last_value FROM %s.presence_turn) FROM %s.head",
    [PG_SNAPSHOT] =
        ("SELECT part, body FROM %s.snapshot((SELECT (extract(epoch FROM clock_timestamp()) * 1000000)"
         "::bigint) - $1::bigint, $2, $3, $4, $5, $6, $7)"),
    [PG_PLAN_GET] = "SELECT part, body FROM %s.plan_get($1)",
    [PG_ROLLOUT_GET] = "SELECT part, body FROM %s.rollout_get($1)",
    [PG_HISTORY] = "SELECT * FROM %s.history($1, $2)",
    /* The table itself: through the function the server would lay each page aside before it sends it. */
    [PG_AUDIT_AFTER] = "SELECT seq, at_us, actor, host, verb, target, result, text, prev, hash FROM %s.audit"
                       " WHERE seq > $1::bigint ORDER BY seq LIMIT $2::int",
    /* Tables of the first schema, read by themselves: no function of a later one is needed for it. */
    [PG_PAST] =
        "SELECT part, body FROM ("
        "SELECT 0 AS n, 0::bigint AS o, 'meta' AS part, %s.about()::text AS body"
        " UNION ALL (SELECT 1, -seq, 'deploy', to_jsonb(d)::text FROM %s.deploys d WHERE since_us <= "
        "$2::bigint"
        "  AND (until_us = 0 OR until_us > $1::bigint) ORDER BY seq DESC LIMIT $4::int)"
        " UNION ALL (SELECT CASE WHEN lived THEN 2 ELSE 3 END, -created_us, 'rollout', jsonb_build_object("
        "  'json', json || jsonb_build_object('steps', (SELECT jsonb_agg(s - 'text' - 'timeout_us' - "
        "'attempts_max' -"
        "   'expect_us' - 'progress' - 'progress_of') FROM jsonb_array_elements(json->'steps') s)), 'n', n, "
        "'head', plan#>>'{intent,migrations,-1,name}', 'commits', CASE WHEN"
        "  $3::boolean AND lived THEN jsonb_path_query_array(plan, 'lax $.evidence.commits[*].time_us') "
        "END)::text"
        "  FROM (SELECT *, row_number() OVER (PARTITION BY service, env, lived ORDER BY created_us DESC) AS "
        "nth"
        "   FROM (SELECT r.json, r.created_us, r.service, r.env, p.json AS plan,"
        "    coalesce(jsonb_array_length(p.json#>'{intent,migrations}'), 0) AS n,"
        "    r.live OR coalesce((r.json->>'ended_us')::bigint, 0) >= $1::bigint AS lived FROM %s.rollouts r"
        "    LEFT JOIN %s.plans p ON p.digest = r.plan WHERE r.created_us <= $2::bigint) x WHERE lived OR n "
        "> 0) y"
        "  WHERE lived OR nth <= 5 ORDER BY lived DESC, created_us DESC LIMIT $4::int)"
        " UNION ALL (SELECT 4, -seq, 'decision', (json || jsonb_build_object('seq', seq, 'kind', kind, "
        "'actor',"
        "  actor, 'host', host, 'at_us', at_us, 'plan', plan, 'rollout', rollout, 'service', service, 'env', "
        "env,"
        "  'release', release, 'until_us', until_us))::text FROM %s.decisions WHERE at_us BETWEEN $1::bigint "
        "AND"
        "  $2::bigint ORDER BY seq DESC LIMIT $4::int)) z ORDER BY n, o",
    [PG_PLAN_PUT] = "SELECT %s.plan_put($1, $2, $3, $4, $5, $6)",
    [PG_ROLLOUT_CREATE] = "SELECT %s.rollout_create($1, $2, $3, $4, $5)",
    [PG_ROLLOUT_SCHEDULED] = "SELECT %s.rollout_scheduled($1, $2, $3, $4, $5)",
    [PG_DECIDE] = "SELECT %s.decide($1, $2, $3, $4, $5)",
    [PG_SMOKE_PUT] = "SELECT %s.smoke_put($1, $2, $3, $4, $5)",
    [PG_LEASE_CLAIM] = "SELECT %s.lease_claim($1, $2, $3, $4, $5, $6, $7)",
    [PG_LEASE_RENEW] = "SELECT %s.lease_renew($1, $2, $3, $4, $5, $6)",
    [PG_LEASE_RELEASE] = "SELECT %s.lease_release($1, $2, $3, $4, $5, $6, $7)",
    [PG_JOURNAL] = "SELECT %s.journal($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    [PG_DEPLOY_NOTE] = "SELECT %s.deploy_note($1, $2, $3, $4, $5)",
    [PG_EXECUTOR_BEAT] = "SELECT %s.executor_beat($1, $2, $3)",
    [PG_PRESENCE_PUT] = "SELECT %s.presence_put($1, $2, $3, $4, $5, $6)",
    [PG_LISTEN] = "LISTEN %s",
    [PG_MOVE_BEGIN] = "SELECT %s.move_begin($1, $2)",
    [PG_MOVE_ROWS] = "SELECT %s.move_rows($1, $2)",
    [PG_MOVE_END] = "SELECT %s.move_end($1, $2, $3, $4, $5)",
};

/* --- observations: of this host, so that there is a board to show while the server is away ------------ */

struct look {
	struct pgstore *s;
	struct op *op;
	char key[NAME_LEN * 3];
	int64_t at_us;
	char *json; /* NULL: reads */
	struct outcome outcome;
	void *result;
};

static void look_run(void *arg)
{
	struct look *k = arg;

	k->outcome = k->json != NULL ? seen_put(&k->s->seen, k->key, k->at_us, k->json)
	                             : seen_get(&k->s->seen, &k->result);
}

static void look_done(void *arg)
{
	struct look *k = arg;

	op_done(k->op, k->outcome, k->result, observation_list_free);
	free(k->json);
	free(k);
}

static struct look *look_new(void *priv, struct op *op)
{
	struct look *k = calloc(1, sizeof(*k));

	if (k == NULL) {
		answer_nomem(op, source);
		return NULL;
	}
	k->s = priv;
	k->op = op;
	return k;
}

static void observe_put(void *priv, const char *key, int64_t at_us, const char *json, struct op *op)
{
	struct look *k = look_new(priv, op);

	if (k == NULL)
		return;
	str_copy(k->key, sizeof(k->key), key);
	k->at_us = at_us;
	k->json = strdup(json);
	if (k->json == NULL) {
		answer_nomem(op, source);
		free(k);
		return;
	}
	worker_run(k->s->worker, look_run, look_done, k);
}

static void observe_get(void *priv, struct op *op)
{
	struct look *k = look_new(priv, op);

	if (k != NULL)
		worker_run(k->s->worker, look_run, look_done, k);
}

static void seen_end(void *arg) { seen_close(&((struct pgstore *)arg)->seen); }

/* --- connections --------------------------------------------------------------------------------- */

/* On a worker. Everything it reads outlives the store's connections. */
int pg_address(const struct pgstore *s, const char *option, struct str *ret, struct error *e)
{
	int rc = secret_option(s->ctx.options, option, s->ctx.setup->dir, ret, e);

	while (rc == 0 && ret->len > 0 && strchr(" \r\n\t", ret->data[ret->len - 1]) != NULL)
		ret->data[--ret->len] = '\0';
	return rc;
}

static int main_address(void *ctx, struct str *ret, struct error *e)
{
	return pg_address(ctx, "url", ret, e);
}
static int listen_address(void *ctx, struct str *ret, struct error *e)
{
	return pg_address(ctx, "listen_url", ret, e);
}

static void ear_state(void *ctx, bool connected, const struct outcome *why)
{
	UNUSED(why);
	pg_watch_state(ctx, connected);
}

static void reader_state(void *ctx, bool connected, const struct outcome *why)
{
	struct pgstore *s = ctx;

	UNUSED(why);
	if (s->ear == NULL)
		pg_watch_state(s, connected);
	else
		pg_watch_reader(s);
}

static void on_note(void *ctx, const char *channel, const char *payload)
{
	struct pgstore *s = ctx;

	if (strcmp(channel, s->schema) == 0)
		pg_watch_note(s, payload);
}

static void sessions_open(struct pgstore *s)
{
	struct pg_session_conf conf = {
	    .address = main_address, .ctx = s, .on_state = reader_state, .on_notify = on_note, .on_ctx = s};

	s->reader = pg_session_new(s->loop, &conf);
	conf.on_state = NULL;
	conf.on_notify = NULL;
	s->writer = pg_session_new(s->loop, &conf);
	if (jv_get(s->ctx.options, "listen_url") == NULL)
		return;
	conf.address = listen_address;
	conf.on_state = ear_state;
	conf.on_notify = on_note;
	s->ear = pg_session_new(s->loop, &conf);
}

/* --- opening -------------------------------------------------------------------------------------- */

static bool name_is_plain(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > PG_NAME_MAX || (name[0] >= '0' && name[0] <= '9') || strncmp(name, "pg_", 3) == 0)
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

static int names_read(struct pgstore *s, struct error *e)
{
	const char *schema = jv_get_text(s->ctx.options, "schema", "towpath");
	const char *prefix = jv_get_text(s->ctx.options, "role_prefix", "towpath_");

	if (!name_is_plain(schema) || !name_is_plain(prefix)) {
		error_set(e, ERR_INVALID, "%.60s is no plain name for a %s",
		          name_is_plain(schema) ? prefix : schema,
		          name_is_plain(schema) ? "role's prefix" : "schema");
		error_hint(e, "at most %d of a-z, 0-9 and _, not beginning with a digit or pg_", PG_NAME_MAX);
		return ERR_INVALID;
	}
	str_copy(s->schema, sizeof(s->schema), schema);
	str_copy(s->prefix, sizeof(s->prefix), prefix);
	return 0;
}

static int times_read(struct pgstore *s, struct error *e)
{
	struct lease_times *t = &s->times;

	t->ttl_us = jv_get_num(s->ctx.options, "lease_ttl", 30 * US_PER_S);
	t->renew_us = jv_get_num(s->ctx.options, "lease_renew", 5 * US_PER_S);
	t->safe_us = jv_get_num(s->ctx.options, "lease_safe", 14 * US_PER_S);
	s->poll_us = jv_get_num(s->ctx.options, "poll", 2 * US_PER_S);
	if (t->renew_us > 0 && t->renew_us < t->safe_us && t->safe_us < t->ttl_us)
		return 0;
	error_set(e, ERR_INVALID, "lease_renew < lease_safe < lease_ttl does not hold");
	error_hint(e, "leave them out: 5s, 14s and 30s are good");
	return ERR_INVALID;
}

static int seen_path(struct pgstore *s, struct error *e)
{
	char dir[PATH_LEN], hex[65];
	struct str name;
	int rc = file_state_dir(dir, sizeof(dir), e);

	if (rc != 0)
		return rc;
	/* A store each: which one it is, the config and the schema say; the address is a secret. */
	str_init(&name, 2 * PATH_LEN);
	str_addf(&name, "%s\n%s", s->ctx.setup->path, s->schema);
	sha256_of(str_text(&name), name.len, hex);
	str_release(&name);
	if ((size_t)snprintf(s->seen.path, sizeof(s->seen.path), "%s/seen-%.16s.db", dir, hex) >=
	    sizeof(s->seen.path))
		return error_set(e, ERR_INVALID, "the path of the state folder is too long");
	return 0;
}

static void statements_free(struct pgstore *s)
{
	for (int i = 0; i < PG_STATEMENTS; i++)
		free(s->sql[i]);
}

static bool statements_make(struct pgstore *s)
{
	for (int i = 0; i < PG_STATEMENTS; i++) {
		const char *at = statements[i], *hole;
		struct str sql;

		str_init(&sql, 8192);
		for (; (hole = strstr(at, "%s")) != NULL; at = hole + 2) {
			str_addn(&sql, at, (size_t)(hole - at));
			str_add(&sql, s->schema);
		}
		str_add(&sql, at);
		s->sql[i] = str_take(&sql);
		str_release(&sql);
		if (s->sql[i] == NULL)
			return false;
	}
	return true;
}

static int store_open(void *priv, const struct driver_ctx *ctx, struct error *e)
{
	struct pgstore *s = priv;
	char host[NAME_LEN] = "";
	int rc;

	s->loop = ctx->loop;
	s->ctx = *ctx;
	s->changes = -1;
	snprintf(s->known, sizeof(s->known), "%d", PG_SCHEMA);
	if (gethostname(host, sizeof(host) - 1) != 0)
		str_copy(host, sizeof(host), "localhost");
	text_cleanz(s->host, sizeof(s->host), host);
	rc = names_read(s, e);
	if (rc == 0)
		rc = times_read(s, e);
	if (rc == 0)
		rc = seen_path(s, e);
	if (rc != 0)
		return rc;
	if (!statements_make(s)) {
		statements_free(s);
		return error_set(e, ERR_NOMEM, "out of memory");
	}
	s->worker = worker_new(ctx->loop, e);
	if (s->worker == NULL) {
		statements_free(s);
		return e != NULL ? (int)e->code : ERR_IO;
	}
	sessions_open(s);
	return 0;
}

static void store_close(void *priv)
{
	struct pgstore *s = priv;

	pg_watch(s, NULL, NULL);
	pg_session_free(s->reader);
	pg_session_free(s->writer);
	pg_session_free(s->ear);
	pg_session_free(s->mover);
	worker_run(s->worker, seen_end, NULL, s);
	worker_free(s->worker);
	statements_free(s);
}

static const struct lease_times *store_times(void *priv) { return &((struct pgstore *)priv)->times; }

static void mark_demo(void *priv, const char *const *operators, int n, struct op *op)
{
	UNUSED(priv);
	UNUSED(operators);
	UNUSED(n);
	op_done(op, answer_make(OUTCOME_FAILED, source, "a store that people share cannot become a demo's"),
	        NULL, NULL);
}

static const struct option_desc options[] = {
    {.name = "url",
     .type = OPTION_SECRET,
     .required = true,
     .text = "The connection string, postgresql://user@host/database; its user is who you are in the store. "
             "Through PgBouncer in transaction mode it works too, as long as the pool passes users through.",
     .example = "{file: /run/secrets/towpath-store}"},
    {.name = "listen_url",
     .type = OPTION_SECRET,
     .text = "A connection to the server itself, where url goes through a pool: changes are heard at once "
             "instead of at the next poll.",
     .example = "{env: TOWPATH_LISTEN_URL}"},
    {.name = "admin_url",
     .type = OPTION_SECRET,
     .text = "For towpath store init, migrate and move alone: a user who may make roles and schemas, or owns "
             "them. Without it url is used.",
     .example = "{env: TOWPATH_ADMIN_URL}"},
    {.name = "schema",
     .type = OPTION_STRING,
     .otherwise = "towpath",
     .text = "Where the store's tables and functions are; several stores may share a database.",
     .example = "towpath"},
    {.name = "role_prefix",
     .type = OPTION_STRING,
     .otherwise = "towpath_",
     .text =
         "Its roles are named after it: towpath_viewer, towpath_operator, towpath_approver, towpath_admin, "
         "towpath_executor.",
     .example = "towpath_"},
    {.name = "poll",
     .type = OPTION_DURATION,
     .otherwise = "2s",
     .min = 50 * US_PER_MS,
     .max = US_PER_MIN,
     .text = "How often to look for changes where they cannot be heard.",
     .example = "2s"},
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
    {.name = NULL},
};

const struct store_driver store_postgres = {
    .base = {.port = PORT_STORE,
             .name = "postgres",
             .summary = "a PostgreSQL schema that a team shares, with roles and four eyes",
             .options = options,
             .priv_size = sizeof(struct pgstore),
             .open = store_open,
             .close = store_close,
             .check = postgres_check},
    .snapshot = postgres_snapshot,
    .plan_put = postgres_plan_put,
    .plan_get = postgres_plan_get,
    .rollout_create = postgres_rollout_create,
    .rollout_scheduled = postgres_rollout_scheduled,
    .rollout_get = postgres_rollout_get,
    .lease_claim = postgres_lease_claim,
    .lease_renew = postgres_lease_renew,
    .lease_release = postgres_lease_release,
    .step_intent = postgres_step_intent,
    .step_result = postgres_step_result,
    .rollout_write = postgres_rollout_write,
    .deploy_note = postgres_deploy_note,
    .decide = postgres_decide,
    .smoke_put = postgres_smoke_put,
    .history = postgres_history,
    .past = postgres_past,
    .audit_after = postgres_audit_after,
    .audit_verify = postgres_audit_verify,
    .observe_put = observe_put,
    .observe_get = observe_get,
    .watch = pg_watch,
    .mark_demo = mark_demo,
    .times = store_times,
    .prepare = postgres_prepare,
    .status = postgres_status,
    .dump = postgres_dump,
    .load = postgres_load,
    .retire = postgres_retire,
    .executor_beat = postgres_executor_beat,
    .presence_put = postgres_presence_put,
};
