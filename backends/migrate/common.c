#include "backends/migrate/common.h"
#include "backends/answer.h"
#include "backends/migrate/reading.h"
#include "core/sha256.h"
#include "core/text.h"
#include "io/pg.h"
#include "io/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_MAX = 4096, SQL_MAX = 2048, KEYS_TEXT = 128 };

/* Places of the queries of one reading; from Q_ROWS on one for each table of the tool. */
enum { Q_CONTEXT, Q_FIND, Q_SESSIONS, Q_OTHER, Q_ROWS, QUERIES_MAX = Q_ROWS + MIGRATE_TABLES_MAX };

/* Columns of find_sql and sessions_sql. */
enum { F_SCHEMA, F_TABLE, F_OWN, F_NAMED, F_FITS };
enum {
	S_PID,
	S_TYPE,
	S_GRANTED,
	S_KEY,
	S_MODE,
	S_RELATION,
	S_USER,
	S_APP,
	S_CLIENT,
	S_SINCE,
	S_DOING,
};

/* One inspection (or check), from start to op_done(). */
struct migrate_run {
	struct migrate_job job;
	struct migrate_reading *reading; /* of the project; the job borrows from it */
	struct migrate_priv *priv;
	struct loop *loop;
	struct op *op;
	char revision[REVISION_LEN * 2];
	struct str url;            /* for libpq; secret, wiped at the end */
	char url_schema[NAME_LEN]; /* from the URL's ?schema= */
	char schema[NAME_LEN], table[NAME_LEN], database[NAME_LEN];
	char sql[MIGRATE_TABLES_MAX][SQL_MAX];
	int looks; /* how often the database was asked; what is found decides the next questions */
	bool only_check;
	struct migrate_rows sessions;
	struct pg_call *call;
	struct error error;
	struct migration_set *set;
	struct migration_place *place; /* of a detection */
};

enum { LOOKS_MAX = 3 };

const char *migrate_cell(const struct migrate_rows *r, int row, int col)
{
	const char *cell = r->cells[row * r->n_cols + col];

	return cell != NULL ? cell : "";
}

int64_t migrate_cell_num(const struct migrate_rows *r, int row, int col)
{
	return strtoll(migrate_cell(r, row, col), NULL, 10);
}

bool migrate_cell_null(const struct migrate_rows *r, int row, int col)
{
	return r->cells[row * r->n_cols + col] == NULL;
}

bool migrate_cell_true(const struct migrate_rows *r, int row, int col)
{
	return strcmp(migrate_cell(r, row, col), "t") == 0;
}

const char *migrate_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

bool migrate_ends_with(const char *s, const char *end)
{
	const size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

bool migrate_is_noise(const char *path)
{
	static const char *const names[] = {"node_modules", "__pycache__",   "vendor", "venv",
	                                    "dist-info",    "site-packages", "target", "bower_components"};
	const char *base = migrate_base(path);

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(base, names[i]) == 0)
			return true;
	return base[0] == '.';
}

void migrate_checksum(struct ladder_file *f, const char *bytes, size_t n)
{
	char hex[65];

	sha256_of(bytes, n, hex);
	str_copy(f->checksum, sizeof(f->checksum), hex);
}

struct ladder_file *migrate_files(struct migrate_job *j, const struct ladder_file *files, int n)
{
	struct ladder_file *copy = arena_alloc(&j->arena, (size_t)MAX(n, 1) * sizeof(*copy));

	if (copy != NULL && n > 0)
		memcpy(copy, files, (size_t)n * sizeof(*copy));
	return copy;
}

void migrate_facts(struct migrate_job *j, struct migration_set *set, const struct jv *facts)
{
	struct str text;

	str_init(&text, JSON_BYTES_MAX);
	jv_print(facts, JV_COMPACT, &text);
	if (!arena_failed(&j->arena) && !text.failed)
		set->facts = strdup(str_text(&text));
	str_release(&text);
}

static void run_free(struct migrate_run *r)
{
	migrate_wipe(&r->url);
	migrate_reading_put(r->reading);
	arena_release(&r->job.arena);
	migration_set_free(r->set);
	free(r->place);
	free(r);
}

static struct migrate_run *run_new(struct migrate_priv *p, struct op *op)
{
	struct migrate_run *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	arena_init(&r->job.arena, ARENA_DEFAULT_MAX * 2);
	str_init(&r->url, URL_MAX);
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
	void *result = NULL;
	void (*free_result)(void *) = NULL;

	if (o.kind == OUTCOME_OK && r->set != NULL) {
		result = r->set;
		free_result = migration_set_free;
		r->set = NULL;
	} else if (o.kind == OUTCOME_OK && r->place != NULL) {
		result = r->place;
		free_result = free;
		r->place = NULL;
	}
	op_on_cancel(r->op, NULL, NULL);
	op_done(r->op, o, result, free_result);
	run_free(r);
}

/* Nobody could find out: never FAILED, since the migrations themselves were not judged. */
static void finish_error(struct migrate_run *r)
{
	finish(r, answer_error(OUTCOME_ERRORED, r->priv->tool->name, &r->error));
}

/* --- the reading in the database -------------------------------------------------------------------------- */

static const char context_sql[] = "SELECT current_database()";

/*
 * By name, else by shape; the connection's own schema first. $1 name, $2 columns, $3 how many, $4 schema or "", $5
 * whether the shape alone is enough ("shape"), the name alone ("name"), or the name means nothing ("common"), $6 the
 * schema that counts as the tool's own, "" the connection's.
 */
static const char find_sql[] =
    "SELECT * FROM (SELECT n.nspname, c.relname, n.nspname = coalesce(nullif($6::text, ''), current_schema())"
    " AS own, c.relname = $1::text AS named,"
    " (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " AND a.attname = ANY (string_to_array($2::text, ','))) = cardinality(string_to_array($2::text, ','))"
    " AND ($3::int = 0 OR (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0"
    " AND NOT a.attisdropped) = $3::int) AS fits"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r','p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
    " AND ($4::text = '' OR n.nspname = $4::text)) t WHERE CASE $5::text WHEN 'shape' THEN named OR fits"
    " WHEN 'common' THEN fits ELSE named END"
    " ORDER BY named AND fits DESC, fits DESC, own DESC, nspname = 'public' DESC, 1, 2 LIMIT 20";

/*
 * Sessions that hold or want one of the tool's advisory locks ($1), change the schema, or write the tool's table
 * ($2). This role may see less of other users' statements than they run.
 */
static const char sessions_sql[] =
    "SELECT l.pid, l.locktype, l.granted, CASE WHEN l.locktype = 'advisory' THEN"
    " ((l.classid::bigint << 32) | l.objid::bigint)::text END, l.mode, c.relname,"
    " coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(host(a.client_addr), 'local'),"
    " (extract(epoch FROM coalesce(a.xact_start, a.backend_start)) * 1000000)::bigint,"
    " left(CASE WHEN a.state LIKE 'idle%' THEN a.state || ', last: ' ELSE '' END || coalesce(a.query, ''), "
    "300)"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid) LEFT JOIN (pg_class c JOIN pg_namespace n"
    " ON n.oid = c.relnamespace) ON l.locktype = 'relation' AND c.oid = l.relation"
    " WHERE l.pid <> pg_backend_pid() AND a.backend_type = 'client backend'"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND ((l.locktype = 'advisory' AND l.objsubid = 1"
    " AND ((l.classid::bigint << 32) | l.objid::bigint) = ANY ($1::bigint[]))"
    " OR (l.locktype = 'relation' AND n.nspname NOT LIKE 'pg\\_%' AND c.relkind IN ('r','p','m','i')"
    " AND (l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
    " OR (l.mode = 'RowExclusiveLock' AND c.relname = ANY ($2::text[])))))"
    " ORDER BY l.locktype, l.granted DESC, a.backend_start, l.pid LIMIT 64";

/*
 * Is there anything beside the tool's table; and plain tables, as Prisma counts them (no views, no partitioned parents,
 * not PostGIS's own)? $1 schema or "" for the connection's own.
 */
static const char other_sql[] =
    "SELECT count(*) FILTER (WHERE NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid"
    " AND d.deptype = 'e')), count(*) FILTER (WHERE c.relkind = 'r' AND c.relname !~*"
    " '^(spatial_ref_sys|geometry_columns|geography_columns|raster_columns|raster_overviews)$')"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','v')"
    " AND n.nspname = coalesce(nullif($1::text, ''), current_schema())";

static void judge_work(void *job);
static void judge_done(void *job);
static void read_database(struct migrate_run *r);

/* Where the table is looked for: as configured, as the project says, or as the URL says; "" anywhere. */
static const char *wanted_schema(const struct migrate_run *r)
{
	const char *schema = jv_get_text(r->priv->ctx.options, "schema", "");

	if (schema[0] != '\0')
		return schema;
	return r->job.schema_said != NULL ? r->job.schema_said : r->url_schema;
}

static const char *wanted_table(const struct migrate_run *r)
{
	const char *table = jv_get_text(r->priv->ctx.options, "table", "");

	if (table[0] != '\0')
		return table;
	return r->job.table_said != NULL ? r->job.table_said : r->priv->tool->tables[0].name;
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

/* The i-th table's name, the first one being known. */
static void table_name(const struct migrate_run *r, int i, char dst[NAME_LEN * 2])
{
	const char *name = r->priv->tool->tables[i].name;

	if (i == 0)
		str_copy(dst, (size_t)NAME_LEN * 2, r->table);
	else if (r->job.tables_said[i] != NULL)
		str_copy(dst, (size_t)NAME_LEN * 2, r->job.tables_said[i]);
	else if (name[0] == '+')
		snprintf(dst, (size_t)NAME_LEN * 2, "%s%s", r->table[0] != '\0' ? r->table : wanted_table(r),
		         name + 1);
	else
		str_copy(dst, (size_t)NAME_LEN * 2, name);
}

/* "FROM %s" of a table's query filled with its quoted name. */
static int make_select(struct migrate_run *r, int i)
{
	const char *form = r->priv->tool->tables[i].select, *at = strstr(form, "%s");
	char name[NAME_LEN * 2];
	struct str s;

	table_name(r, i, name);
	str_init(&s, sizeof(r->sql[i]) - 1);
	str_addn(&s, form, (size_t)(at - form));
	if (r->schema[0] != '\0' || wanted_schema(r)[0] != '\0') {
		quote_name(&s, r->schema[0] != '\0' ? r->schema : wanted_schema(r));
		str_addc(&s, '.');
	}
	quote_name(&s, name);
	str_add(&s, at + 2);
	if (s.failed) {
		str_release(&s);
		return error_set(&r->error, ERR_INVALID, "the name of the migration table is too long");
	}
	memcpy(r->sql[i], s.data, s.len + 1);
	str_release(&s);
	return 0;
}

static bool found_true(const struct pg_rows *found, int row, int col)
{
	return strcmp(found->cell(found, row, col), "t") == 0;
}

/* A table of the tool's name that another program made, or several of which none is the connection's own. */
static int locate_problem(struct migrate_run *r, const struct pg_rows *found)
{
	const char *title = r->priv->tool->title;
	char a[NAME_LEN], b[NAME_LEN];

	text_cleanz(a, sizeof(a), found->cell(found, 0, F_SCHEMA));
	if (!found_true(found, 0, F_FITS)) {
		text_cleanz(b, sizeof(b), found->cell(found, 0, F_TABLE));
		error_set(&r->error, ERR_CONFLICT, "table %s.%s has not the columns of %s's (%s)", a, b,
		          title, r->priv->tool->tables[0].shape);
		error_hint(&r->error,
		           "another tool's table? set `table` and `schema`, or the driver that made it");
		return ERR_CONFLICT;
	}
	if (found->n_rows > 1 && found_true(found, 1, F_FITS) && !found_true(found, 0, F_OWN) &&
	    strcmp(found->cell(found, 0, F_NAMED), found->cell(found, 1, F_NAMED)) == 0) {
		text_cleanz(b, sizeof(b), found->cell(found, 1, F_SCHEMA));
		error_set(&r->error, ERR_CONFLICT, "more than one table of %s: in schema %s and in %s", title,
		          a, b);
		error_hint(&r->error, "set `schema`");
		return ERR_CONFLICT;
	}
	return 0;
}

/* What the queries say about where we are: 0 as thought, 1 elsewhere (ask again), or an error. */
static int locate(struct migrate_run *r, const struct pg_rows *context, const struct pg_rows *found)
{
	const char *database = context->cell(context, 0, 0), *schema = "", *table = "";
	int rc = found->n_rows > 0 ? locate_problem(r, found) : 0;
	bool moved;

	if (rc != 0)
		return rc;
	if (found->n_rows > 0) {
		schema = found->cell(found, 0, F_SCHEMA);
		table = found->cell(found, 0, F_TABLE);
	}
	moved = strcmp(schema, r->schema) != 0 || strcmp(table, r->table) != 0 ||
	        strcmp(database, r->database) != 0;
	if (!str_copy(r->schema, sizeof(r->schema), schema) || !str_copy(r->table, sizeof(r->table), table) ||
	    !str_copy(r->database, sizeof(r->database), database))
		return error_set(&r->error, ERR_INVALID, "the name of the migration table is too long");
	return moved ? 1 : 0;
}

static int copy_rows(struct migrate_run *r, const struct pg_rows *from, struct migrate_rows *to)
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
	*to = (struct migrate_rows){true, cells, from->n_rows, from->n_cols};
	return 0;
}

/* Why a table that is there could not be read. */
static const char *hint_for(const char *sqlstate)
{
	if (strcmp(sqlstate, "42501") == 0)
		return "grant this role SELECT on it, or pg_read_all_data";
	if (strcmp(sqlstate, "55P03") == 0)
		return "another session holds it under ACCESS EXCLUSIVE, perhaps a migration that runs: look "
		       "for it in pg_locks, and ask again when it is gone";
	return "was the table made by a version of the tool that is not known here?";
}

/* The answers of the last look into the job. A table that is not there is no error; one that may not be read is. */
static int take_answers(struct migrate_run *r, const struct pg_reply *reply)
{
	struct migrate_job *j = &r->job;
	int rc = copy_rows(r, &reply->results[Q_SESSIONS], &r->sessions);

	j->database = r->database;
	j->schema = r->schema;
	j->table = r->table;
	j->schema_objects = strtoll(reply->results[Q_OTHER].cell(&reply->results[Q_OTHER], 0, 0), NULL, 10);
	j->schema_in_use = strcmp(reply->results[Q_OTHER].cell(&reply->results[Q_OTHER], 0, 0), "0") != 0;
	j->schema_has_tables = strcmp(reply->results[Q_OTHER].cell(&reply->results[Q_OTHER], 0, 1), "0") != 0;
	for (int i = 0; rc == 0 && i < r->priv->tool->n_tables; i++) {
		const struct pg_rows *rows = &reply->results[Q_ROWS + i];

		if (!rows->failed) {
			rc = copy_rows(r, rows, &j->tables[i]);
		} else if (i > 0 && strcmp(rows->sqlstate, "42703") == 0) {
			/* Another program's table that happens to have this name. */
			continue;
		} else if (strcmp(rows->sqlstate, "42P01") != 0 && strcmp(rows->sqlstate, "3F000") != 0) {
			char name[NAME_LEN * 2], clean[NAME_LEN * 2];

			table_name(r, i, name);
			text_cleanz(clean, sizeof(clean), name);
			rc = error_set(&r->error, ERR_INVALID, "cannot read table %s: %.200s", clean,
			               rows->text);
			error_hint(&r->error, "%s", hint_for(rows->sqlstate));
		}
	}
	if (r->table[0] == '\0')
		j->tables[0] = (struct migrate_rows){.exists = false};
	j->rows = j->tables[0];
	j->has_table = j->rows.exists;
	return rc;
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
	if (reply->outcome.kind != OUTCOME_OK) {
		database_failed(r, reply);
		return;
	}
	if (r->only_check) {
		finish(r, outcome_ok());
		return;
	}
	rc = locate(r, &reply->results[Q_CONTEXT], &reply->results[Q_FIND]);
	if (rc == 1 && r->looks < LOOKS_MAX) {
		read_database(r);
		return;
	}
	if (rc == 1)
		rc = error_set(&r->error, ERR_CONFLICT, "the migration table moves while it is read");
	if (rc == 0)
		rc = take_answers(r, reply);
	if (rc != 0) {
		finish_error(r);
		return;
	}
	str_copy(r->priv->schema, sizeof(r->priv->schema), r->schema);
	str_copy(r->priv->table, sizeof(r->priv->table), r->table);
	str_copy(r->priv->database, sizeof(r->priv->database), r->database);
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

/* "{1,2}" of the tool's lock keys, which may depend on the names of database and table. */
static void keys_text(struct migrate_run *r, char dst[KEYS_TEXT])
{
	int64_t keys[MIGRATE_KEYS_MAX];
	int n = 0;
	size_t k = 1;

	r->job.database = r->database;
	r->job.schema = r->schema;
	r->job.table = r->table;
	if (r->priv->tool->lock_keys != NULL && r->database[0] != '\0')
		n = r->priv->tool->lock_keys(&r->job, keys);
	dst[0] = '{';
	for (int i = 0; i < n; i++)
		k += (size_t)snprintf(dst + k, KEYS_TEXT - k, "%s%lld", i > 0 ? "," : "", (long long)keys[i]);
	snprintf(dst + k, KEYS_TEXT - k, "}");
}

/* {"a","b"} of the names of the tool's tables. */
static int names_text(struct migrate_run *r, struct str *dst)
{
	str_init(dst, SQL_MAX);
	str_addc(dst, '{');
	for (int i = 0; i < r->priv->tool->n_tables; i++) {
		char name[NAME_LEN * 2];

		table_name(r, i, name);
		if (i > 0)
			str_addc(dst, ',');
		str_addc(dst, '"');
		for (const char *c = i == 0 && name[0] == '\0' ? wanted_table(r) : name; *c != '\0'; c++) {
			if (*c == '"' || *c == '\\')
				str_addc(dst, '\\');
			str_addc(dst, *c);
		}
		str_addc(dst, '"');
	}
	str_addc(dst, '}');
	return dst->failed ? error_set(&r->error, ERR_INVALID, "the name of the migration table is too long")
	                   : 0;
}

static void read_database(struct migrate_run *r)
{
	const struct migrate_tool *tool = r->priv->tool;
	const struct migrate_table *first = &tool->tables[0];
	char keys[KEYS_TEXT], columns[16];
	struct str names;
	const char *find_params[] = {wanted_table(r),
	                             first->shape,
	                             columns,
	                             wanted_schema(r),
	                             first->common_name                                 ? "common"
	                             : first->only_by_name || r->job.table_said != NULL ? "name"
	                                                                                : "shape",
	                             tool->own_schema != NULL ? tool->own_schema : "",
	                             NULL};
	const char *session_params[] = {keys, NULL, NULL};
	const char *other_params[] = {r->schema[0] != '\0' ? r->schema : wanted_schema(r), NULL};
	struct pg_query q[QUERIES_MAX] = {
	    [Q_CONTEXT] = {.sql = context_sql},
	    [Q_FIND] = {.sql = find_sql, .params = find_params},
	    [Q_SESSIONS] = {.sql = sessions_sql, .params = session_params},
	    [Q_OTHER] = {.sql = other_sql, .params = other_params},
	};
	int rc = names_text(r, &names);

	r->looks++;
	snprintf(columns, sizeof(columns), "%d", first->shape_columns);
	keys_text(r, keys);
	session_params[1] = str_text(&names);
	for (int i = 0; rc == 0 && i < tool->n_tables; i++) {
		/* Before the first table is found its query would only fail. */
		if (i == 0 && r->table[0] == '\0')
			str_copy(r->sql[0], sizeof(r->sql[0]), "SELECT 1 WHERE false");
		else
			rc = make_select(r, i);
		q[Q_ROWS + i] = (struct pg_query){.sql = r->sql[i], .may_fail = true};
	}
	if (rc == 0) {
		r->call = pg_run(r->loop, str_text(&r->url), true, q, Q_ROWS + tool->n_tables,
		                 op_remaining_us(r->op), on_rows, r);
		if (r->call == NULL)
			rc = error_set(&r->error, ERR_NOMEM, "out of memory");
	}
	str_release(&names);
	if (rc != 0)
		finish_error(r);
}

/* --- who is at work -------------------------------------------------------------------------------------- */

static bool is_first_of_session(const struct migrate_rows *s, int i)
{
	for (int k = 0; k < i; k++)
		if (strcmp(migrate_cell(s, k, S_PID), migrate_cell(s, i, S_PID)) == 0)
			return false;
	return true;
}

static void clean_cell(const struct migrate_rows *s, int i, int col, char *dst, size_t cap)
{
	text_cleanz(dst, cap, migrate_cell(s, i, col));
}

/* Is it a table in which the tool keeps its lock? */
static bool is_lock_table(const struct migrate_run *r, const char *relation)
{
	char name[NAME_LEN * 2];

	for (int i = 1; i < r->priv->tool->n_tables; i++) {
		table_name(r, i, name);
		if (r->priv->tool->tables[i].is_lock && strcmp(name, relation) == 0)
			return true;
	}
	return false;
}

/* One line for each session: its advisory lock before its locks on tables, since those come sorted so. */
static void add_session(struct migrate_run *r, const struct migrate_rows *s, int i, const char *title)
{
	struct migration_set *set = r->set;
	struct migration_lock *l = migration_set_lock(set);
	char mode[NAME_LEN], relation[NAME_LEN], who[TEXT_LEN / 2];
	bool advisory;

	if (l == NULL)
		return;
	l->session = true;
	l->pid = (int)migrate_cell_num(s, i, S_PID);
	l->granted = migrate_cell_true(s, i, S_GRANTED);
	advisory = strcmp(migrate_cell(s, i, S_TYPE), "advisory") == 0;
	l->of_tool = advisory || is_lock_table(r, migrate_cell(s, i, S_RELATION));
	l->since_us = migrate_cell_num(s, i, S_SINCE);
	clean_cell(s, i, S_USER, l->user, sizeof(l->user));
	clean_cell(s, i, S_APP, l->app, sizeof(l->app));
	clean_cell(s, i, S_CLIENT, l->client, sizeof(l->client));
	clean_cell(s, i, S_DOING, l->doing, sizeof(l->doing));
	clean_cell(s, i, S_MODE, mode, sizeof(mode));
	clean_cell(s, i, S_RELATION, relation, sizeof(relation));
	if (advisory)
		snprintf(l->what, sizeof(l->what), "advisory lock %s", migrate_cell(s, i, S_KEY));
	else
		snprintf(l->what, sizeof(l->what), "%.24s on %.32s", mode, relation);
	if (!l->granted || (set->lock_text[0] != '\0' && !l->of_tool))
		return;
	snprintf(who, sizeof(who), "%.60s%s%s%.60s at %.60s, pid %d%s", l->app, l->app[0] != '\0' ? " (" : "",
	         l->user[0] != '\0' ? "user " : "", l->user, l->client, l->pid, l->app[0] != '\0' ? ")" : "");
	snprintf(set->lock_text, sizeof(set->lock_text),
	         l->of_tool ? "%s holds %s's lock" : "%s changes the schema now", who, title);
}

static void add_sessions(struct migrate_run *r)
{
	for (int i = 0; i < r->sessions.n_rows; i++)
		if (is_first_of_session(&r->sessions, i))
			add_session(r, &r->sessions, i, r->priv->tool->title);
}

static bool anybody_works(const struct migrate_rows *s)
{
	for (int i = 0; i < s->n_rows; i++)
		if (migrate_cell_true(s, i, S_GRANTED))
			return true;
	return false;
}

/* --- the order of one inspection --------------------------------------------------------------------------- */

static void judge_work(void *job)
{
	struct migrate_run *r = job;

	r->job.works = anybody_works(&r->sessions);
#ifdef TOWPATH_CHECKS
	const uint64_t sum = migrate_reading_sum(r->reading);
#endif
	r->set = r->priv->tool->judge(&r->job);
#ifdef TOWPATH_CHECKS
	/* Other workers judge by the same reading at this moment. */
	if (migrate_reading_sum(r->reading) != sum)
		abort();
#endif
	if (r->set == NULL || arena_failed(&r->job.arena)) {
		error_set(&r->error, ERR_NOMEM, "more migrations than fit (%d), or out of memory",
		          MIGRATIONS_MAX);
		return;
	}
	r->set->no_checksums = r->priv->tool->no_checksums;
	r->set->missing_applied = r->priv->tool->missing_applied;
	r->set->unit_is_transaction = r->priv->tool->unit_is_transaction;
	r->set->repairs =
	    r->priv->tool->repair != NULL || jv_len(jv_get(r->priv->ctx.options, "repair_command")) > 0;
	str_copy(r->set->when_locked, sizeof(r->set->when_locked),
	         r->priv->tool->when_locked != NULL ? r->priv->tool->when_locked : "");
	add_sessions(r);
}

static void judge_done(void *job)
{
	struct migrate_run *r = job;

	if (r->error.code != ERR_OK)
		finish_error(r);
	else
		finish(r, outcome_ok());
}

int migrate_tree(const struct jv *options, const char *revision, const char *path,
                 enum tree_want (*want)(const char *path, bool is_dir), struct tree *t, struct arena *a,
                 struct error *e)
{
	const char *folder = jv_get_text(options, "folder", "");
	char below[PATH_LEN * 2];

	if (folder[0] == '\0')
		return tree_read(t, a, jv_get_text(options, "repo", ""), revision, path, want, e);
	snprintf(below, sizeof(below), "%s/%s", folder, path);
	return tree_read_folder(t, a, strcmp(path, ".") == 0 ? folder : below, want, e);
}

static int read_project(struct migrate_run *r)
{
	const struct migrate_job *made;
	int rc =
	    migrate_reading_get(r->priv->tool, r->priv->ctx.options, r->revision, &r->reading, &r->error);

	if (rc != 0)
		return rc;
	made = migrate_reading_job(r->reading);
	r->job.tree = made->tree;
	r->job.code = made->code;
	r->job.schema_said = made->schema_said;
	r->job.table_said = made->table_said;
	memcpy(r->job.tables_said, made->tables_said, sizeof(r->job.tables_said));
	return 0;
}

static void tree_work(void *job)
{
	struct migrate_run *r = job;
	const struct jv *options = r->priv->ctx.options;
	const struct migrate_tool *tool = r->priv->tool;
	int rc;

	if (op_cancelled(r->op))
		return;
	if (r->only_check)
		rc = tree_check(jv_get_text(options, "repo", ""), &r->error);
	else
		rc = read_project(r);
	if (rc == 0)
		rc = migrate_url(r->priv, &r->url, r->url_schema, &r->error);
	if (rc == 0 && !r->only_check && tool->url_param != NULL)
		rc = migrate_url_each(r->priv, tool->url_param, &r->job, &r->error);
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
		str_copy(r->database, sizeof(r->database), r->priv->database);
		read_database(r);
	}
}

int migrate_open(struct migrate_priv *p, const struct migrate_tool *tool, const struct driver_ctx *ctx)
{
	p->tool = tool;
	p->ctx = *ctx;
	return 0;
}

static struct migrate_run *start(struct migrate_priv *p, const char *revision, struct op *op)
{
	struct migrate_run *r = run_new(p, op);

	if (r == NULL) {
		answer_nomem(op, p->tool->name);
		return NULL;
	}
	if (!str_copy(r->revision, sizeof(r->revision), revision)) {
		error_set(&r->error, ERR_INVALID, "the revision is too long");
		finish_error(r);
		return NULL;
	}
	op_on_cancel(op, on_cancel, r);
	return r;
}

void migrate_inspect(struct migrate_priv *p, const char *revision, struct op *op)
{
	struct migrate_run *r = start(p, revision, op);

	if (r != NULL)
		work_run(p->ctx.loop, tree_work, tree_done, r);
}

void migrate_check(struct migrate_priv *p, struct op *op)
{
	struct migrate_run *r = start(p, "", op);

	if (r == NULL)
		return;
	r->only_check = true;
	work_run(p->ctx.loop, tree_work, tree_done, r);
}

/* --- detection --------------------------------------------------------------------------------------------- */

/* Every path, and the bytes of what is small enough to say which tool it is. */
static enum tree_want detect_want(const char *path, bool is_dir)
{
	static const char *const ends[] = {".toml", ".ini",    ".conf", ".properties", ".plan", ".sum",
	                                   ".json", "Gemfile", ".cfg",  ".sql",        ".py",   "manage.py"};

	if (is_dir)
		return migrate_is_noise(path) ? TREE_SKIP : TREE_LIST;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (migrate_ends_with(path, ends[i]))
			return TREE_READ;
	return TREE_LIST;
}

static void detect_work(void *job)
{
	struct migrate_run *r = job;
	int rc = ERR_OK;

	if (op_cancelled(r->op))
		return;
	r->place = calloc(1, sizeof(*r->place));
	if (r->place == NULL)
		rc = error_set(&r->error, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = migrate_tree(r->priv->ctx.options, r->revision, ".", detect_want, &r->job.tree,
		                  &r->job.arena, &r->error);
	if (rc == 0)
		r->place->found = r->priv->tool->detect(&r->job.tree, r->place->path);
	r->error.code = (enum err)rc;
}

static void detect_done(void *job)
{
	struct migrate_run *r = job;

	if (op_cancelled(r->op))
		finish(r, outcome_make(OUTCOME_CANCELLED, r->priv->tool->name, "cancelled"));
	else if (r->error.code != ERR_OK)
		finish_error(r);
	else
		finish(r, outcome_ok());
}

void migrate_detect(struct migrate_priv *p, const char *revision, struct op *op)
{
	struct migrate_run *r = start(p, revision, op);

	if (r != NULL)
		work_run(p->ctx.loop, detect_work, detect_done, r);
}
