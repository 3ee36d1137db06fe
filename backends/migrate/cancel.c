/* Cancels one session's statement, or ends the session: never by default, and only in the configured database. */
#include "backends/answer.h"
#include "backends/migrate/common.h"
#include "io/pg.h"
#include "io/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_MAX = 4096 };

struct cancel_run {
	struct migrate_priv *priv;
	struct op *op;
	bool terminate;
	char pid[16];
	struct str url;
	struct error error;
	struct pg_call *call;
};

/* Only a session of this database and only a client's: a number alone could have become somebody else's. */
#define OF_CLIENT                                                                                            \
	" FROM pg_stat_activity WHERE pid = $1::int AND datname = current_database()"                        \
	" AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
static const char cancel_sql[] = "SELECT pg_cancel_backend(pid)" OF_CLIENT;
static const char terminate_sql[] = "SELECT pg_terminate_backend(pid)" OF_CLIENT;

static void end(struct cancel_run *r, struct outcome o)
{
	op_on_cancel(r->op, NULL, NULL);
	op_done(r->op, o, NULL, NULL);
	migrate_wipe(&r->url);
	free(r);
}

static void on_rows(void *ctx, const struct pg_reply *reply)
{
	struct cancel_run *r = ctx;
	const struct pg_rows *rows = reply->results;
	const char *source = r->priv->tool->name;

	r->call = NULL;
	if (reply->outcome.kind != OUTCOME_OK) {
		struct outcome o = reply->outcome;

		if (strcmp(reply->sqlstate, "42501") == 0)
			answer_hint(&o,
			            "grant this role pg_signal_backend, or connect as that session's user");
		end(r, o);
	} else if (rows->n_rows == 0) {
		end(r, outcome_make(OUTCOME_FAILED, source, "no session %s in this database: it has ended",
		                    r->pid));
	} else {
		end(r,
		    strcmp(rows->cell(rows, 0, 0), "t") == 0
		        ? outcome_make(OUTCOME_OK, source,
		                       r->terminate ? "session %s was ended"
		                                    : "the statement of session %s was cancelled",
		                       r->pid)
		        : outcome_make(OUTCOME_FAILED, source, "session %s could not be signalled", r->pid));
	}
}

static void on_cancel(void *data)
{
	struct cancel_run *r = data;

	if (r->call == NULL)
		return; /* the worker ends soon and sees op_cancelled() */
	pg_cancel(r->call);
	end(r, outcome_make(OUTCOME_CANCELLED, r->priv->tool->name, "cancelled"));
}

static void url_work(void *job)
{
	struct cancel_run *r = job;

	r->error.code = (enum err)migrate_url(r->priv, &r->url, NULL, &r->error);
}

static void url_done(void *job)
{
	struct cancel_run *r = job;
	const char *params[] = {r->pid, NULL};
	const struct pg_query q = {.sql = r->terminate ? terminate_sql : cancel_sql, .params = params};

	if (op_cancelled(r->op)) {
		end(r, outcome_make(OUTCOME_CANCELLED, r->priv->tool->name, "cancelled"));
		return;
	}
	if (r->error.code != ERR_OK) {
		end(r, answer_error(OUTCOME_ERRORED, r->priv->tool->name, &r->error));
		return;
	}
	r->call =
	    pg_run(r->priv->ctx.loop, str_text(&r->url), false, &q, 1, op_remaining_us(r->op), on_rows, r);
	if (r->call == NULL)
		end(r, outcome_make(OUTCOME_ERRORED, r->priv->tool->name, "out of memory"));
}

void migrate_cancel(struct migrate_priv *p, int pid, bool terminate, struct op *op)
{
	struct cancel_run *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		answer_nomem(op, p->tool->name);
		return;
	}
	r->priv = p;
	r->op = op;
	r->terminate = terminate;
	snprintf(r->pid, sizeof(r->pid), "%d", pid);
	str_init(&r->url, URL_MAX);
	op_on_cancel(op, on_cancel, r);
	work_run(p->ctx.loop, url_work, url_done, r);
}
