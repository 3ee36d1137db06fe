/*
 * One look at what a database is busy with, for every tool alike: one read-only session with short time-outs, whose
 * queries take no lock above AccessShare. Parts that this role may not see are left out, and health says so.
 */
#include "backends/answer.h"
#include "backends/migrate/common.h"
#include "core/text.h"
#include "io/pg.h"
#include "io/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_MAX = 4096 };

struct health_run {
	struct migrate_priv *priv;
	struct op *op;
	struct str url;
	struct error error;
	struct pg_call *call;
	struct database_health *health;
	bool with_catalog;
};

/* A row of a query becomes an element of the list that it fills. */
struct row {
	const struct pg_rows *rows;
	int i;
	struct arena *a;
};

static const char *cell(const struct row *r, int col)
{
	const char *s = r->rows->cell(r->rows, r->i, col);

	return s != NULL ? s : "";
}

static int64_t num(const struct row *r, int col) { return strtoll(cell(r, col), NULL, 10); }
static bool yes(const struct row *r, int col) { return strcmp(cell(r, col), "t") == 0; }

static int64_t num_or(const struct row *r, int col, int64_t otherwise)
{
	return r->rows->cell(r->rows, r->i, col) != NULL ? num(r, col) : otherwise;
}

/* Clean and in the arena, never NULL. */
static const char *text(const struct row *r, int col)
{
	char clean[TEXT_LEN];
	const char *copy;

	text_cleanz(clean, sizeof(clean), cell(r, col));
	copy = arena_strdup(r->a, clean);
	return copy != NULL ? copy : "";
}

/* --- one function per query; the SQL stands beside it in the table below ------------------------------------ */

static void take_server(struct database_health *h, const struct row *r)
{
	h->at_us = num(r, 0);
	h->version = (int)num(r, 1);
	h->standby = yes(r, 2);
	h->bytes = num_or(r, 3, -1);
	h->xid_age = num(r, 4);
	h->connections = (int)num(r, 5);
	h->connections_max = (int)num(r, 6);
	h->lock_timeout_ms = num(r, 7);
	h->statement_timeout_ms = num(r, 8);
	h->archives = !yes(r, 9);
	h->sees_all = yes(r, 10);
}

static void take_archiver(struct database_health *h, const struct row *r)
{
	h->archived_us = num(r, 0);
	h->archive_fails = yes(r, 1);
}

static void take_session(struct database_health *h, const struct row *r)
{
	h->sessions[h->n_sessions++] = (struct db_session){.pid = (int)num(r, 0),
	                                                   .user = text(r, 1),
	                                                   .app = text(r, 2),
	                                                   .client = text(r, 3),
	                                                   .state = text(r, 4),
	                                                   .xact_us = num(r, 5),
	                                                   .idle_us = num(r, 6),
	                                                   .here = yes(r, 7),
	                                                   .doing = text(r, 8)};
}

static void take_wait(struct database_health *h, const struct row *r)
{
	h->waits[h->n_waits++] = (struct db_wait){.pid = (int)num(r, 0),
	                                          .blocker = (int)num(r, 1),
	                                          .n_blockers = (int)num(r, 2),
	                                          .waiting_us = num(r, 3),
	                                          .wants = text(r, 4),
	                                          .relation = text(r, 5),
	                                          .doing = text(r, 6),
	                                          .app = text(r, 7),
	                                          .n_behind = (int)num(r, 8),
	                                          .blocker_app = text(r, 9),
	                                          .blocker_state = text(r, 10),
	                                          .blocker_doing = text(r, 11)};
}

static void take_table(struct database_health *h, const struct row *r)
{
	h->tables[h->n_tables++] = (struct db_table){.schema = text(r, 0),
	                                             .name = text(r, 1),
	                                             .rows = num(r, 2),
	                                             .bytes = num(r, 3),
	                                             .vacuum_wraparound = yes(r, 4)};
}

static void take_replica(struct database_health *h, const struct row *r)
{
	h->replicas[h->n_replicas++] = (struct db_replica){.name = text(r, 0),
	                                                   .state = text(r, 1),
	                                                   .lag_bytes = num_or(r, 2, -1),
	                                                   .lag_us = num_or(r, 3, -1),
	                                                   .slot_inactive = yes(r, 4)};
}

static void take_progress(struct database_health *h, const struct row *r)
{
	h->progress[h->n_progress++] = (struct db_progress){.pid = (int)num(r, 0),
	                                                    .what = text(r, 1),
	                                                    .phase = text(r, 2),
	                                                    .relation = text(r, 3),
	                                                    .done = num(r, 4),
	                                                    .total = num(r, 5),
	                                                    .app = text(r, 6)};
}

static void take_object(struct database_health *h, const struct row *r)
{
	h->objects[h->n_objects++] =
	    (struct db_object){.kind = text(r, 0), .name = text(r, 1), .form = text(r, 2)};
}

static void take_leftover(struct database_health *h, const struct row *r)
{
	h->leftovers[h->n_leftovers++] = (struct db_leftover){
	    .is_index = yes(r, 0), .table = text(r, 1), .name = text(r, 2), .bytes = num(r, 3)};
}

#define OURS "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
#define AGE_US(t) "coalesce((extract(epoch FROM clock_timestamp() - " t ") * 1000000)::bigint, 0)"

static const struct {
	const char *sql;
	void (*take)(struct database_health *h, const struct row *r);
	bool must;    /* without it there is no answer at all */
	bool catalog; /* only where the catalog is asked for */
} queries[] = {
    {"SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, "
     "current_setting('server_version_num'),"
     " pg_is_in_recovery(), pg_database_size(current_database()),"
     " (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()),"
     " (SELECT sum(numbackends) FROM pg_stat_database), current_setting('max_connections'),"
     /* As a session of this role has them: ours are set for this look alone. */
     " coalesce((SELECT reset_val FROM pg_settings WHERE name = 'lock_timeout'), '0'),"
     " coalesce((SELECT reset_val FROM pg_settings WHERE name = 'statement_timeout'), '0'),"
     " current_setting('archive_mode') = 'off', pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')",
     take_server, true, false},
    {"SELECT (extract(epoch FROM last_archived_time) * 1000000)::bigint,"
     " last_failed_time > coalesce(last_archived_time, '-infinity') FROM pg_stat_archiver",
     take_archiver, false, false},
    {"SELECT * FROM (SELECT pid, coalesce(usename, ''), application_name, coalesce(host(client_addr), "
     "'local'),"
     " coalesce(state, ''), " AGE_US("xact_start") " AS age, CASE WHEN state LIKE 'idle in transaction%' "
                                                   "THEN " AGE_US(
                                                       "state_change") " ELSE 0 END, datname = "
                                                                       "current_database(), "
                                                                       "left(coalesce(query, ''), 120)"
                                                                       " FROM pg_stat_activity WHERE "
                                                                       "backend_type = 'client backend' AND "
                                                                       "xact_start IS NOT NULL"
                                                                       " AND pid <> pg_backend_pid()"
                                                                       " UNION ALL SELECT 0, owner::text, "
                                                                       "'', '', 'prepared', " AGE_US(
                                                                           "prepared") ", 0, database = "
                                                                                       "current_database(), "
                                                                                       "gid FROM "
                                                                                       "pg_prepared_xacts) s "
                                                                                       "ORDER BY age DESC "
                                                                                       "LIMIT 50",
     take_session, false, false},
    {"WITH w AS MATERIALIZED (SELECT a.*, pg_blocking_pids(a.pid) AS pids FROM pg_stat_activity a"
     " WHERE a.datname = current_database() AND a.wait_event_type = 'Lock')"
     " SELECT w.pid, w.pids[1], cardinality(w.pids), " AGE_US(
         "w.query_start") ", coalesce(l.mode, ''),"
                          " coalesce(c.relname, ''), left(coalesce(w.query, ''), 120), "
                          "coalesce(w.application_name, ''),"
                          " (SELECT count(*) FROM w x WHERE w.pid = ANY (x.pids)), "
                          "coalesce(b.application_name, ''),"
                          " coalesce(b.state, ''), left(coalesce(b.query, ''), 120) FROM w"
                          " LEFT JOIN LATERAL (SELECT mode, relation FROM pg_locks WHERE pid = w.pid AND NOT "
                          "granted LIMIT 1) l ON true"
                          " LEFT JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_stat_activity b ON b.pid "
                          "= w.pids[1]"
                          " WHERE cardinality(w.pids) > 0 ORDER BY w.query_start LIMIT 50",
     take_wait, false, false},
    {"SELECT n.nspname, c.relname, c.reltuples::bigint, pg_total_relation_size(c.oid), EXISTS (SELECT 1 FROM"
     " pg_stat_progress_vacuum v JOIN pg_stat_activity a USING (pid) WHERE v.relid = c.oid"
     " AND a.query LIKE '%to prevent wraparound%') FROM pg_class c JOIN pg_namespace n ON n.oid = "
     "c.relnamespace"
     " WHERE c.relkind IN ('r','p','m') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
     " ORDER BY c.relpages DESC, 1, 2 LIMIT 1000",
     take_table, false, false},
    {"SELECT coalesce(nullif(application_name, ''), host(client_addr), 'standby'), state,"
     " pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::bigint,"
     " (extract(epoch FROM replay_lag) * 1000000)::bigint, false FROM pg_stat_replication"
     " UNION ALL SELECT slot_name::text, coalesce(wal_status, ''),"
     " pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint, NULL, true"
     " FROM pg_replication_slots WHERE NOT active ORDER BY 1 LIMIT 50",
     take_replica, false, false},
    {"SELECT p.*, coalesce(a.application_name, '') FROM (SELECT p.pid, p.command, p.phase, "
     "coalesce(c.relname, ''),"
     " CASE WHEN p.lockers_total > 0 AND p.blocks_total = 0 THEN p.lockers_done ELSE p.blocks_done END,"
     " CASE WHEN p.lockers_total > 0 AND p.blocks_total = 0 THEN p.lockers_total ELSE p.blocks_total END"
     " FROM pg_stat_progress_create_index p LEFT JOIN pg_class c ON c.oid = p.relid"
     " UNION ALL SELECT p.pid, p.command, p.phase, coalesce(c.relname, ''), p.heap_blks_scanned, "
     "p.heap_blks_total"
     " FROM pg_stat_progress_cluster p LEFT JOIN pg_class c ON c.oid = p.relid"
     " UNION ALL SELECT p.pid, 'VACUUM', p.phase, coalesce(c.relname, ''), p.heap_blks_scanned, "
     "p.heap_blks_total"
     " FROM pg_stat_progress_vacuum p LEFT JOIN pg_class c ON c.oid = p.relid"
     " UNION ALL SELECT p.pid, p.command || ' ' || p.type, 'copying', coalesce(c.relname, ''), "
     "p.bytes_processed,"
     " p.bytes_total FROM pg_stat_progress_copy p LEFT JOIN pg_class c ON c.oid = p.relid) p"
     " LEFT JOIN pg_stat_activity a USING (pid) ORDER BY 1 LIMIT 50",
     take_progress, false, false},
    {"SELECT true, i.indrelid::regclass::text, i.indexrelid::regclass::text, pg_relation_size(i.indexrelid)"
     " FROM pg_index i WHERE NOT i.indisvalid"
     /* One that is being built is no leftover. */
     " AND NOT EXISTS (SELECT 1 FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)"
     " UNION ALL SELECT false, conrelid::regclass::text, conname, 0 FROM pg_constraint WHERE NOT convalidated"
     " AND conrelid <> 0 ORDER BY 1 DESC, 2, 3 LIMIT 50",
     take_leftover, false, false},
    {"SELECT * FROM (SELECT 'column' AS kind, n.nspname || '.' || c.relname || '.' || a.attname AS name,"
     " format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END"
     " || CASE WHEN a.atthasdef THEN ' with default' ELSE '' END AS form FROM pg_attribute a"
     " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
     " WHERE c.relkind IN ('r','p','v','m') AND a.attnum > 0 AND NOT a.attisdropped AND " OURS
     " UNION ALL SELECT 'index', n.nspname || '.' || c.relname, CASE WHEN i.indisvalid THEN 'valid' ELSE "
     "'invalid' END"
     " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
     "WHERE " OURS " UNION ALL SELECT 'constraint', n.nspname || '.' || c.relname || '.' || k.conname,"
     " CASE WHEN k.convalidated THEN 'validated' ELSE 'not validated' END FROM pg_constraint k"
     " JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE " OURS
     ") o ORDER BY kind COLLATE \"C\", name COLLATE \"C\" LIMIT 20000",
     take_object, false, true},
};

/* --- from start to op_done() ---------------------------------------------------------------------------------- */

static void end(struct health_run *r, struct outcome o)
{
	struct database_health *h = o.kind == OUTCOME_OK ? r->health : NULL;

	if (h != NULL)
		r->health = NULL;
	op_on_cancel(r->op, NULL, NULL);
	op_done(r->op, o, h, database_health_free);
	database_health_free(r->health);
	migrate_wipe(&r->url);
	free(r);
}

static bool room(struct database_health *h, bool with_catalog)
{
	struct arena *a = &h->arena;

	h->sessions = arena_alloc(a, DB_ROWS_MAX * sizeof(*h->sessions));
	h->waits = arena_alloc(a, DB_ROWS_MAX * sizeof(*h->waits));
	h->tables = arena_alloc(a, DB_TABLES_MAX * sizeof(*h->tables));
	h->replicas = arena_alloc(a, DB_ROWS_MAX * sizeof(*h->replicas));
	h->progress = arena_alloc(a, DB_ROWS_MAX * sizeof(*h->progress));
	h->leftovers = arena_alloc(a, DB_ROWS_MAX * sizeof(*h->leftovers));
	if (with_catalog)
		h->objects = arena_alloc(a, DB_OBJECTS_MAX * sizeof(*h->objects));
	return !arena_failed(a);
}

static void on_rows(void *ctx, const struct pg_reply *reply)
{
	struct health_run *r = ctx;
	struct outcome o = reply->outcome;

	r->call = NULL;
	str_copy(o.source, sizeof(o.source), r->priv->tool->name);
	if (o.kind != OUTCOME_OK) {
		o.kind = o.kind == OUTCOME_CANCELLED ? o.kind : OUTCOME_ERRORED;
		end(r, o);
		return;
	}
	for (size_t q = 0; q < ARRAY_LEN(queries); q++) {
		struct row row = {.rows = &reply->results[q], .a = &r->health->arena};
		const int max = queries[q].take == take_table    ? DB_TABLES_MAX
		                : queries[q].take == take_object ? DB_OBJECTS_MAX
		                                                 : DB_ROWS_MAX;

		if (q >= (size_t)reply->n_results || row.rows->failed)
			continue;
		for (; row.i < row.rows->n_rows && row.i < max; row.i++)
			queries[q].take(r->health, &row);
		/* A list that may have been cut says nothing about what is missing. */
		if (queries[q].take == take_object)
			r->health->has_catalog = row.rows->n_rows < DB_OBJECTS_MAX;
	}
	if (arena_failed(&r->health->arena))
		o = outcome_make(OUTCOME_ERRORED, r->priv->tool->name, "out of memory");
	end(r, o);
}

static void on_cancel(void *data)
{
	struct health_run *r = data;

	if (r->call == NULL)
		return; /* the worker ends soon and sees op_cancelled() */
	pg_cancel(r->call);
	end(r, outcome_make(OUTCOME_CANCELLED, r->priv->tool->name, "cancelled"));
}

static void url_work(void *job)
{
	struct health_run *r = job;

	r->error.code = (enum err)migrate_url(r->priv, &r->url, NULL, &r->error);
}

static void url_done(void *job)
{
	struct health_run *r = job;
	struct pg_query q[ARRAY_LEN(queries)];
	int n = 0;

	if (op_cancelled(r->op)) {
		end(r, outcome_make(OUTCOME_CANCELLED, r->priv->tool->name, "cancelled"));
		return;
	}
	if (r->error.code != ERR_OK) {
		end(r, answer_error(OUTCOME_ERRORED, r->priv->tool->name, &r->error));
		return;
	}
	/* The catalog's stands last. */
	for (size_t i = 0; i < ARRAY_LEN(queries); i++)
		if (!queries[i].catalog || r->with_catalog)
			q[n++] = (struct pg_query){.sql = queries[i].sql, .may_fail = !queries[i].must};
	r->call =
	    pg_run(r->priv->ctx.loop, str_text(&r->url), true, q, n, op_remaining_us(r->op), on_rows, r);
	if (r->call == NULL)
		end(r, outcome_make(OUTCOME_ERRORED, r->priv->tool->name, "out of memory"));
}

void migrate_health(struct migrate_priv *p, bool with_catalog, struct op *op)
{
	struct health_run *r = calloc(1, sizeof(*r));
	struct database_health *h = calloc(1, sizeof(*h));

	if (h != NULL)
		arena_init(&h->arena, ARENA_DEFAULT_MAX);
	if (r == NULL || h == NULL || !room(h, with_catalog)) {
		database_health_free(h);
		free(r);
		answer_nomem(op, p->tool->name);
		return;
	}
	r->priv = p;
	r->op = op;
	r->health = h;
	r->with_catalog = with_catalog;
	str_init(&r->url, URL_MAX);
	op_on_cancel(op, on_cancel, r);
	work_run(p->ctx.loop, url_work, url_done, r);
}
