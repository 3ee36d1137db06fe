#include "io/pg_private.h"

#include "core/text.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of one query, copied out of libpq row by row so that their size can be bounded. */
struct rows {
	char **cells; /* n_rows * n_cols, NULL for SQL NULL */
	size_t n, cap;
};

void *pg_need(void *p)
{
	if (p == NULL) {
		fputs("towpath: no memory for a database session\n", stderr);
		abort();
	}
	return p;
}

/* --- rows ----------------------------------------------------------------------------------------------- */
void pg_rows_free(struct pg_rows *r)
{
	struct rows *rows = r->priv;

	if (rows == NULL)
		return;
	for (size_t i = 0; i < rows->n; i++)
		free(rows->cells[i]);
	free(rows->cells);
	free(rows);
	r->priv = NULL;
}

void pg_rows_reset(struct pg_rows *r)
{
	pg_rows_free(r);
	r->n_rows = r->n_cols = 0;
}

static const char *rows_cell(const struct pg_rows *r, int row, int col)
{
	const struct rows *rows = r->priv;

	if (rows == NULL || row < 0 || row >= r->n_rows || col < 0 || col >= r->n_cols)
		return NULL;
	return rows->cells[(size_t)row * (size_t)r->n_cols + (size_t)col];
}

void pg_rows_init(struct pg_rows *r) { *r = (struct pg_rows){.cell = rows_cell}; }

void pg_rows_move(struct pg_rows *dst, struct pg_rows *src)
{
	*dst = *src;
	src->priv = NULL;
	src->n_rows = src->n_cols = 0;
}

bool pg_rows_add(struct pg_rows *r, const PGresult *res, size_t *bytes)
{
	struct rows *rows = r->priv;
	int cols = PQnfields(res);

	if (rows == NULL)
		rows = r->priv = pg_need(calloc(1, sizeof(*rows)));
	r->n_cols = cols;
	for (int row = 0; row < PQntuples(res); row++) {
		if (r->n_rows >= PG_ROWS_MAX)
			return false;
		for (int col = 0; col < cols; col++) {
			size_t n = (size_t)PQgetlength(res, row, col);
			char *copy = NULL;

			*bytes += n + sizeof(char *);
			if (*bytes > PG_BYTES_MAX)
				return false;
			if (rows->n == rows->cap) {
				rows->cap = rows->cap == 0 ? 64 : rows->cap * 2;
				rows->cells = pg_need(realloc(rows->cells, rows->cap * sizeof(*rows->cells)));
			}
			if (!PQgetisnull(res, row, col)) {
				copy = pg_need(malloc(n + 1));
				memcpy(copy, PQgetvalue(res, row, col), n);
				copy[n] = '\0';
			}
			rows->cells[rows->n++] = copy;
		}
		r->n_rows++;
	}
	return true;
}

void pg_rows_fail(struct pg_rows *r, const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);

	pg_rows_reset(r);
	r->failed = true;
	snprintf(r->sqlstate, sizeof(r->sqlstate), "%s", state != NULL ? state : "");
	text_cleanz(r->hint, sizeof(r->hint), hint != NULL ? hint : "");
	if (primary != NULL)
		text_cleanz(r->text, sizeof(r->text), primary);
	else
		pg_message(r->text, sizeof(r->text), PQresultErrorMessage(res));
}

/* --- cancelling ----------------------------------------------------------------------------------------- */
static atomic_int cancels;

static void *cancel_main(void *arg)
{
	char text[256];

	PQcancel(arg, text, sizeof(text));
	PQfreeCancel(arg);
	atomic_fetch_sub(&cancels, 1);
	return NULL;
}

/*
 * PQcancel() connects and waits without a limit, so a stopped server would hold a pool thread for ever: it runs
 * on a detached thread, and only a few at a time. Where none is left, statement_timeout ends the query.
 */
void pg_server_cancel(struct pg_conn *conn)
{
	PGcancel *cancel;
	pthread_t thread;
	pthread_attr_t attr;

	if (conn == NULL || PQtransactionStatus(conn) != PQTRANS_ACTIVE)
		return;
	if (atomic_fetch_add(&cancels, 1) >= PG_CANCELS_MAX) {
		atomic_fetch_sub(&cancels, 1);
		return;
	}
	cancel = PQgetCancel(conn);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (cancel == NULL || pthread_create(&thread, &attr, cancel_main, cancel) != 0) {
		PQfreeCancel(cancel);
		atomic_fetch_sub(&cancels, 1);
	}
	pthread_attr_destroy(&attr);
}

/* --- words ---------------------------------------------------------------------------------------------- */
static const struct {
	const char *part, *hint;
} hints[] = {
    {"Connection refused", "is PostgreSQL running there, and is the port right?"},
    {"password authentication failed", "check user and password in the secret"},
    {"no password supplied", "the secret's address has no password"},
    {"no pg_hba.conf entry", "the server's pg_hba.conf does not let this user in from here"},
    {"does not exist", "check the names of database and user"},
    {"too many clients", "the server has no free connection: close others or raise max_connections"},
    {"starting up", "the server is starting: try again"},
    {"shutting down", "the server is shutting down"},
    {"SSL", "check sslmode in the address"},
    {"timeout expired", "is the host up, and does a firewall let this through?"},
};

void pg_hint(struct outcome *o)
{
	for (size_t i = 0; i < ARRAY_LEN(hints); i++)
		if (strstr(o->text, hints[i].part) != NULL) {
			snprintf(o->hint, sizeof(o->hint), "%s", hints[i].hint);
			return;
		}
}

void pg_message(char *dst, size_t cap, const char *src)
{
	const char *p = strstr(src, " failed: ");

	if (strncmp(src, "connection to server", 20) == 0 && p != NULL)
		src = p + 9;
	while (*src == ' ' || *src == '\t')
		src++;
	text_clean(dst, cap, src, strcspn(src, "\n"));
}

struct outcome pg_broken(enum outcome_kind kind, const char *place, const char *what, const PGconn *conn)
{
	char text[TEXT_LEN / 2];
	struct outcome o;

	pg_message(text, sizeof(text), PQerrorMessage(conn));
	o = outcome_make(kind, place, "%s: %s%s%s", place, what, text[0] != '\0' ? ": " : "", text);
	pg_hint(&o);
	return o;
}
