#include "backends/migrate/common.h"
#include "backends/answer.h"
#include "config/secret_option.h"
#include "core/sha256.h"
#include "core/text.h"
#include "io/pg.h"
#include "io/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_MAX = 4096, QUERIES_MAX = 5 };

/* Places of the queries of one reading. */
enum { Q_FIND, Q_LOCK, Q_WORK, Q_OTHER, Q_ROWS };

/* One inspection (or check), from start to op_done(). */
struct migrate_run {
	struct migrate_job job;
	struct migrate_priv *priv;
	struct loop *loop;
	struct op *op;
	char revision[REVISION_LEN * 2];
	struct str url, given_url; /* for libpq, and as configured; secret, wiped at the end */
	char url_schema[NAME_LEN]; /* from the URL's ?schema= */
	char schema[NAME_LEN], table[NAME_LEN], sql[1024];
	int n_tables;
	bool again; /* the table was found where it was not thought to be */
	bool only_check;
	struct pg_call *call;
	struct error error;
	struct migration_set *set;
};

const char *migrate_cell(const struct migrate_rows *r, int row, int col)
{
	const char *cell = r->cells[row * r->n_cols + col];

	return cell != NULL ? cell : "";
}

int64_t migrate_cell_num(const struct migrate_rows *r, int row, int col)
{
	return strtoll(migrate_cell(r, row, col), NULL, 10);
}

void migrate_checksum(struct ladder_file *f, const char *bytes, size_t n)
{
	char hex[65];

	sha256_of(bytes, n, hex);
	str_copy(f->checksum, sizeof(f->checksum), hex);
}

static void wipe(struct str *s)
{
	volatile char *p = s->data;

	for (size_t i = 0; i < s->len; i++)
		p[i] = '\0';
	str_release(s);
}

static void run_free(struct migrate_run *r)
{
	wipe(&r->url);
	wipe(&r->given_url);
	arena_release(&r->job.arena);
	migration_set_free(r->set);
	free(r);
}

static struct migrate_run *run_new(struct migrate_priv *p, struct op *op)
{
	struct migrate_run *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	arena_init(&r->job.arena, ARENA_DEFAULT_MAX * 2);
	str_init(&r->url, URL_MAX);
	str_init(&r->given_url, URL_MAX);
	r->job.tool = p->tool;
	r->job.options = p->ctx.options;
	r->job.run = r;
	r->priv = p;
	r->loop = p->ctx.loop;
	r->op = op;
	return r;
}

static void finish(struct migrate_run *r, struct outcome o)
{
	struct migration_set *set = o.kind == OUTCOME_OK ? r->set : NULL;

	if (set != NULL)
		r->set = NULL;
	op_on_cancel(r->op, NULL, NULL);
	op_done(r->op, o, set, migration_set_free);
	run_free(r);
}

/* Nobody could find out: never FAILED, since the migrations themselves were not judged. */
static void finish_error(struct migrate_run *r)
{
	finish(r, answer_error(OUTCOME_ERRORED, r->priv->tool->name, &r->error));
}

/* --- the database's URL ------------------------------------------------------------------------------- */

/* Parameters that libpq does not know make it refuse the whole URL; the JavaScript tools add some. */
static bool is_libpq_param(const char *s, size_t n)
{
	static const char *const known[] = {"sslmode",
	                                    "sslcert",
	                                    "sslkey",
	                                    "sslrootcert",
	                                    "sslcrl",
	                                    "sslsni",
	                                    "host",
	                                    "hostaddr",
	                                    "port",
	                                    "dbname",
	                                    "user",
	                                    "password",
	                                    "connect_timeout",
	                                    "application_name",
	                                    "options",
	                                    "target_session_attrs",
	                                    "passfile",
	                                    "channel_binding",
	                                    "client_encoding",
	                                    "keepalives",
	                                    "requirepeer"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i]) == n && memcmp(known[i], s, n) == 0)
			return true;
	return false;
}

/* Copies the URL without parameters that libpq does not know; notes ?schema=. */
static void clean_url(struct migrate_run *r)
{
	const char *url = str_text(&r->given_url), *q = strchr(url, '?'), *p;
	char sep = '?';

	if (q == NULL || strstr(url, "://") == NULL) {
		str_add(&r->url, url);
		return;
	}
	str_addn(&r->url, url, (size_t)(q - url));
	for (p = q + 1; *p != '\0';) {
		size_t n = strcspn(p, "&"), name = strcspn(p, "=&");

		if (name == 6 && memcmp(p, "schema", 6) == 0 && n > 7 && n - 7 < sizeof(r->url_schema)) {
			memcpy(r->url_schema, p + 7, n - 7);
			r->url_schema[n - 7] = '\0';
		}
		if (is_libpq_param(p, name)) {
			str_addc(&r->url, sep);
			str_addn(&r->url, p, n);
			sep = '&';
		}
		p += n + (p[n] == '&');
	}
}

/* On the worker. */
static int read_url(struct migrate_run *r)
{
	const struct driver_ctx *ctx = &r->priv->ctx;
	int rc = secret_option(ctx->options, "database", ctx->setup->dir, &r->given_url, &r->error);

	if (rc != 0)
		return rc;
	while (r->given_url.len > 0 && strchr(" \r\n\t", r->given_url.data[r->given_url.len - 1]) != NULL)
		r->given_url.data[--r->given_url.len] = '\0';
	if (r->given_url.len == 0) {
		error_set(&r->error, ERR_INVALID, "the database URL is empty");
		error_hint(&r->error,
		           "put postgresql://user:password@host/database where `database` points to");
		return ERR_INVALID;
	}
	clean_url(r);
	return r->url.failed ? error_set(&r->error, ERR_INVALID, "the database URL is too long") : 0;
}

/* --- the reading in the database -------------------------------------------------------------------------- */

/* By name, else by shape; the connection's own schema first. $1 name, $2 columns, $3 how many, $4 schema or "". */
static const char find_sql[] =
    "SELECT n.nspname, c.relname, n.nspname = current_schema(), c.relname = $1::text FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r','p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
    " AND ($4::text = '' OR n.nspname = $4::text) AND (c.relname = $1::text OR ("
    "(SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " AND a.attname = ANY (string_to_array($2::text, ','))) = cardinality(string_to_array($2::text, ','))"
    " AND ($3::int = 0 OR (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0"
    " AND NOT a.attisdropped) = $3::int)))"
    " ORDER BY 4 DESC, 3 DESC, n.nspname = 'public' DESC, 1, 2 LIMIT 20";

/* Who holds the tool's advisory lock. $1 key. */
static const char lock_sql[] =
    "SELECT l.pid, l.granted, coalesce(a.usename, ''), coalesce(a.application_name, ''),"
    " coalesce(host(a.client_addr), 'local') FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND $1::bigint <> 0"
    " AND (l.classid::bigint << 32) | l.objid::bigint = $1::bigint"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " ORDER BY l.granted DESC, a.backend_start LIMIT 20";

/* Sessions that change the schema, or write the tool's table ($1), now. */
static const char work_sql[] =
    "SELECT DISTINCT l.pid, true, coalesce(a.usename, ''), coalesce(a.application_name, ''),"
    " coalesce(host(a.client_addr), 'local') FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid() AND a.backend_type = 'client "
    "backend'"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND n.nspname NOT LIKE 'pg\\_%'"
    " AND (l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
    " OR (l.mode = 'RowExclusiveLock' AND c.relname = $1::text)) ORDER BY 1 LIMIT 20";

/* Is there anything beside the tool's table? $1 schema or "" for the connection's own. */
static const char other_sql[] =
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r','p','v') AND n.nspname = coalesce(nullif($1::text, ''), current_schema())"
    " AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')";

static void judge_work(void *job);
static void judge_done(void *job);
static void read_database(struct migrate_run *r);

static const char *option_schema(const struct migrate_run *r)
{
	const char *schema = jv_get_text(r->priv->ctx.options, "schema", "");

	return schema[0] != '\0' ? schema : r->url_schema;
}

static void quote_name(struct str *dst, const char *name)
{
	str_addc(dst, '"');
	for (; *name != '\0'; name++) {
		if (*name == '"')
			str_addc(dst, '"');
		str_addc(dst, *name);
	}
	str_addc(dst, '"');
}

/* "FROM %s" of the tool's query filled with the quoted table. */
static int make_select(struct migrate_run *r)
{
	const char *form = r->priv->tool->select, *at = strstr(form, "%s");
	struct str s;

	str_init(&s, sizeof(r->sql) - 1);
	str_addn(&s, form, (size_t)(at - form));
	quote_name(&s, r->schema);
	str_addc(&s, '.');
	quote_name(&s, r->table);
	str_add(&s, at + 2);
	if (s.failed) {
		str_release(&s);
		return error_set(&r->error, ERR_INVALID, "the name of the migration table is too long");
	}
	memcpy(r->sql, s.data, s.len + 1);
	str_release(&s);
	return 0;
}

/* What the first query says about where the table is: 0 as thought, 1 elsewhere, or an error. */
static int locate(struct migrate_run *r, const struct pg_rows *found)
{
	const char *schema, *table;

	if (found->n_rows == 0) {
		bool moved = r->table[0] != '\0';

		r->table[0] = r->schema[0] = '\0';
		return moved ? 1 : 0;
	}
	schema = found->cell(found, 0, 0);
	table = found->cell(found, 0, 1);
	/* Several tables and none of them the connection's own: nobody can say which one the tool uses. */
	if (found->n_rows > 1 && strcmp(found->cell(found, 0, 2), "t") != 0 &&
	    strcmp(found->cell(found, 0, 3), found->cell(found, 1, 3)) == 0) {
		char a[NAME_LEN], b[NAME_LEN];

		text_cleanz(a, sizeof(a), schema);
		text_cleanz(b, sizeof(b), found->cell(found, 1, 0));
		error_set(&r->error, ERR_CONFLICT, "more than one table of %s: in schema %s and in %s",
		          r->priv->tool->title, a, b);
		error_hint(&r->error, "set `schema`");
		return ERR_CONFLICT;
	}
	if (strcmp(schema, r->schema) == 0 && strcmp(table, r->table) == 0)
		return 0;
	if (!str_copy(r->schema, sizeof(r->schema), schema) || !str_copy(r->table, sizeof(r->table), table))
		return error_set(&r->error, ERR_INVALID, "the name of the migration table is too long");
	return 1;
}

static int copy_rows(struct migrate_run *r, const struct pg_rows *from)
{
	struct arena *a = &r->job.arena;
	const char **cells;

	if (from->n_rows > MIGRATIONS_MAX * 4)
		return error_set(&r->error, ERR_NOMEM, "the migration table has more than %d rows",
		                 MIGRATIONS_MAX * 4);
	cells = arena_alloc(a, (size_t)MAX(1, from->n_rows * from->n_cols) * sizeof(*cells));
	for (int i = 0; cells != NULL && i < from->n_rows * from->n_cols; i++) {
		const char *cell = from->cell(from, i / from->n_cols, i % from->n_cols);

		cells[i] = cell != NULL ? arena_strdup(a, cell) : NULL;
	}
	if (arena_failed(a))
		return error_set(&r->error, ERR_NOMEM, "out of memory");
	r->job.rows = (struct migrate_rows){cells, from->n_rows, from->n_cols};
	r->job.has_table = true;
	return 0;
}

/* "deploy (user app at 10.0.0.7, pid 2607)" of the first row of a lock or work query. */
static void name_session(const struct pg_rows *rows, char *dst, size_t cap)
{
	const char *app = rows->cell(rows, 0, 3), *user = rows->cell(rows, 0, 2);
	char raw[TEXT_LEN];

	snprintf(raw, sizeof(raw), "%.100s%s%s%.80s at %.60s, pid %.12s%s", app != NULL ? app : "",
	         app != NULL && app[0] != '\0' ? " (" : "", user != NULL && user[0] != '\0' ? "user " : "",
	         user != NULL ? user : "", rows->cell(rows, 0, 4), rows->cell(rows, 0, 0),
	         app != NULL && app[0] != '\0' ? ")" : "");
	text_cleanz(dst, cap, raw);
}

static void read_locks(struct migrate_run *r, const struct pg_rows *lock, const struct pg_rows *work)
{
	char who[TEXT_LEN / 2];

	if (lock->n_rows > 0 && strcmp(lock->cell(lock, 0, 1), "t") == 0) {
		name_session(lock, who, sizeof(who));
		r->job.works = true;
		snprintf(r->job.lock_text, sizeof(r->job.lock_text), "%s holds %s's lock", who,
		         r->priv->tool->title);
	} else if (work->n_rows > 0) {
		name_session(work, who, sizeof(who));
		r->job.works = true;
		snprintf(r->job.lock_text, sizeof(r->job.lock_text), "%s changes the schema now", who);
	}
}

static void database_failed(struct migrate_run *r, const struct pg_reply *reply)
{
	struct outcome o = reply->outcome;

	str_copy(o.source, sizeof(o.source), r->priv->tool->name);
	if (o.kind != OUTCOME_CANCELLED)
		o.kind = OUTCOME_ERRORED;
	if (strcmp(reply->sqlstate, "42501") == 0)
		answer_hint(&o, "grant this role SELECT on the migration table");
	else if (o.hint[0] == '\0')
		answer_hint(&o, "is the database up, and does `database` point to it?");
	finish(r, o);
}

static void on_rows(void *ctx, const struct pg_reply *reply)
{
	struct migrate_run *r = ctx;
	int rc;

	r->call = NULL;
	/* The table went away since the last look: look again, once. */
	if (reply->outcome.kind != OUTCOME_OK && strcmp(reply->sqlstate, "42P01") == 0 && !r->again) {
		r->again = true;
		r->schema[0] = r->table[0] = '\0';
		read_database(r);
		return;
	}
	if (reply->outcome.kind != OUTCOME_OK) {
		database_failed(r, reply);
		return;
	}
	if (r->only_check) {
		finish(r, outcome_ok());
		return;
	}
	rc = locate(r, &reply->results[Q_FIND]);
	if (rc < 0) {
		finish_error(r);
		return;
	}
	if (rc == 1 && r->again && r->table[0] == '\0')
		rc = 0;
	if (rc == 1) {
		r->again = true;
		read_database(r);
		return;
	}
	str_copy(r->priv->schema, sizeof(r->priv->schema), r->schema);
	str_copy(r->priv->table, sizeof(r->priv->table), r->table);
	read_locks(r, &reply->results[Q_LOCK], &reply->results[Q_WORK]);
	r->job.schema_in_use = strcmp(reply->results[Q_OTHER].cell(&reply->results[Q_OTHER], 0, 0), "0") != 0;
	if (reply->n_results > Q_ROWS && copy_rows(r, &reply->results[Q_ROWS]) != 0) {
		finish_error(r);
		return;
	}
	work_run(r->loop, judge_work, judge_done, r);
}

static void on_cancel(void *data)
{
	struct migrate_run *r = data;

	/* A worker that runs notices by op_cancelled() and ends by itself. */
	if (r->call == NULL)
		return;
	pg_cancel(r->call);
	r->call = NULL;
	finish(r, outcome_make(OUTCOME_CANCELLED, r->priv->tool->name, "cancelled"));
}

static void read_database(struct migrate_run *r)
{
	const struct migrate_tool *tool = r->priv->tool;
	char key[32], columns[16];
	const char *find_params[] = {tool->table, tool->shape, columns, option_schema(r), NULL};
	const char *lock_params[] = {key, NULL};
	const char *work_params[] = {r->table[0] != '\0' ? r->table : tool->table, NULL};
	const char *other_params[] = {r->schema[0] != '\0' ? r->schema : option_schema(r), NULL};
	struct pg_query q[QUERIES_MAX] = {
	    [Q_FIND] = {.sql = find_sql, .params = find_params},
	    [Q_LOCK] = {.sql = lock_sql, .params = lock_params},
	    [Q_WORK] = {.sql = work_sql, .params = work_params},
	    [Q_OTHER] = {.sql = other_sql, .params = other_params},
	};
	int n = Q_ROWS;

	snprintf(key, sizeof(key), "%lld", (long long)tool->lock_key);
	snprintf(columns, sizeof(columns), "%d", tool->shape_columns);
	if (r->table[0] != '\0') {
		if (make_select(r) != 0) {
			finish_error(r);
			return;
		}
		q[n++] = (struct pg_query){.sql = r->sql};
	}
	r->call = pg_run(r->loop, str_text(&r->url), true, q, n, op_remaining_us(r->op), on_rows, r);
	if (r->call == NULL) {
		error_set(&r->error, ERR_NOMEM, "out of memory");
		finish_error(r);
	}
}

/* --- the order of one inspection --------------------------------------------------------------------------- */

static void judge_work(void *job)
{
	struct migrate_run *r = job;

	r->set = r->priv->tool->judge(&r->job);
	if (r->set == NULL || arena_failed(&r->job.arena)) {
		error_set(&r->error, ERR_NOMEM, "more migrations than fit (%d), or out of memory",
		          MIGRATIONS_MAX);
		return;
	}
	str_copy(r->set->lock_text, sizeof(r->set->lock_text), r->job.lock_text);
}

static void judge_done(void *job)
{
	struct migrate_run *r = job;

	if (r->error.code != ERR_OK)
		finish_error(r);
	else
		finish(r, outcome_ok());
}

static void tree_work(void *job)
{
	struct migrate_run *r = job;
	const struct jv *options = r->priv->ctx.options;
	const struct migrate_tool *tool = r->priv->tool;
	const char *repo = jv_get_text(options, "repo", "");
	int rc;

	if (op_cancelled(r->op))
		return;
	if (r->only_check)
		rc = tree_check(repo, &r->error);
	else
		rc = tree_read(&r->job.tree, &r->job.arena, repo, r->revision,
		               jv_get_text(options, "path", tool->path), tool->want, &r->error);
	if (rc == 0 && !r->only_check)
		rc = tool->read(&r->job, &r->error);
	if (rc == 0 && arena_failed(&r->job.arena))
		rc = error_set(&r->error, ERR_NOMEM, "the migrations are larger than fits into memory");
	if (rc == 0)
		rc = read_url(r);
	r->error.code = (enum err)rc;
}

static void tree_done(void *job)
{
	struct migrate_run *r = job;
	static const struct pg_query ping = {.sql = "SELECT 1"};

	if (op_cancelled(r->op)) {
		finish(r, outcome_make(OUTCOME_CANCELLED, r->priv->tool->name, "cancelled"));
	} else if (r->error.code != ERR_OK) {
		finish_error(r);
	} else if (r->only_check) {
		r->call =
		    pg_run(r->loop, str_text(&r->url), true, &ping, 1, op_remaining_us(r->op), on_rows, r);
		if (r->call == NULL) {
			error_set(&r->error, ERR_NOMEM, "out of memory");
			finish_error(r);
		}
	} else {
		str_copy(r->schema, sizeof(r->schema), r->priv->schema);
		str_copy(r->table, sizeof(r->table), r->priv->table);
		read_database(r);
	}
}

int migrate_open(struct migrate_priv *p, const struct migrate_tool *tool, const struct driver_ctx *ctx)
{
	p->tool = tool;
	p->ctx = *ctx;
	return 0;
}

static void start(struct migrate_priv *p, const char *revision, bool only_check, struct op *op)
{
	struct migrate_run *r = run_new(p, op);

	if (r == NULL) {
		answer_nomem(op, p->tool->name);
		return;
	}
	r->only_check = only_check;
	if (!str_copy(r->revision, sizeof(r->revision), revision)) {
		error_set(&r->error, ERR_INVALID, "the revision is too long");
		finish_error(r);
		return;
	}
	op_on_cancel(op, on_cancel, r);
	work_run(p->ctx.loop, tree_work, tree_done, r);
}

void migrate_inspect(struct migrate_priv *p, const char *revision, struct op *op)
{
	start(p, revision, false, op);
}

void migrate_check(struct migrate_priv *p, struct op *op) { start(p, "", true, op); }

/* --- the command ------------------------------------------------------------------------------------------- */

struct command_job {
	struct migrate_run *run;
	char dir[PATH_LEN];
	struct migrate_command *command;
};

static void fill_argv(struct migrate_command *c, const struct jv *configured, const char *const *otherwise)
{
	const size_t room = ARRAY_LEN(c->argv) - 1;

	if (jv_len(configured) == 0) {
		for (size_t i = 0; i < room && otherwise[i] != NULL; i++)
			c->argv[i] = arena_strdup(&c->arena, otherwise[i]);
		return;
	}
	for (size_t i = 0; i < room && i < jv_len(configured); i++)
		c->argv[i] = arena_strdup(&c->arena, jv_text(jv_at(configured, i), ""));
}

static void command_work(void *arg)
{
	struct command_job *j = arg;
	struct migrate_run *r = j->run;
	const struct jv *options = r->priv->ctx.options;
	struct migrate_command *c;

	if (read_url(r) != 0)
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		error_set(&r->error, ERR_NOMEM, "out of memory");
		return;
	}
	arena_init(&c->arena, CONFIG_BYTES_MAX);
	fill_argv(c, jv_get(options, "command"), r->priv->tool->command);
	c->env[0] = arena_printf(&c->arena, "%s=%s", jv_get_text(options, "env", "DATABASE_URL"),
	                         str_text(&r->given_url));
	/* The folder it runs in was verified by digest: it must not grow __pycache__. */
	c->env[1] = arena_strdup(&c->arena, "PYTHONDONTWRITEBYTECODE=1");
	if (j->dir[0] != '\0')
		c->cwd = arena_strdup(&c->arena, j->dir);
	if (arena_failed(&c->arena)) {
		error_set(&r->error, ERR_NOMEM, "the command does not fit");
		migrate_command_free(c);
		return;
	}
	j->command = c;
}

static void command_done(void *arg)
{
	struct command_job *j = arg;
	struct migrate_run *r = j->run;
	struct outcome o = outcome_ok();

	if (r->error.code != ERR_OK)
		o = answer_error(OUTCOME_ERRORED, r->priv->tool->name, &r->error);
	op_done(r->op, o, j->command, migrate_command_free);
	run_free(r);
	free(j);
}

void migrate_command(struct migrate_priv *p, const char *release_dir, struct op *op)
{
	struct command_job *j = calloc(1, sizeof(*j));
	struct migrate_run *r = run_new(p, op);

	if (j == NULL || r == NULL) {
		free(j);
		if (r != NULL)
			run_free(r);
		answer_nomem(op, p->tool->name);
		return;
	}
	j->run = r;
	if (release_dir != NULL && !str_copy(j->dir, sizeof(j->dir), release_dir)) {
		error_set(&r->error, ERR_INVALID, "the release's path is too long");
		command_done(j);
		return;
	}
	work_run(p->ctx.loop, command_work, command_done, j);
}
