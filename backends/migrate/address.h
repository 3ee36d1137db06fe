/*
 * A database URL in its parts, and as the drivers below the tools want it: JDBC takes user and password apart, Go's
 * and JavaScript's drivers take a session's settings as parameters, a word of argv must not carry the password.
 */
#ifndef BACKENDS_MIGRATE_ADDRESS_H
#define BACKENDS_MIGRATE_ADDRESS_H

#include "core/arena.h"
#include "core/err.h"

enum { ADDRESS_PARAMS_MAX = 32 };

/* Everything is decoded but hosts, and lives in the arena it was read into. */
struct migrate_address {
	const char *scheme;          /* without "jdbc:" and "db:": "postgresql+psycopg2" */
	const char *user, *password; /* NULL: not said */
	const char *hosts;           /* "db1:5432,db2:5432" as it stands, "" not said */
	const char *port;            /* of a parameter, where it is not in hosts: of a socket's folder; "" */
	const char *database;        /* "" not said */
	struct {
		const char *name, *value;
	} params[ADDRESS_PARAMS_MAX];
	int n_params;
};

/* What the tool's sessions get. */
struct migrate_session {
	const char *application;
	long long lock_timeout_ms; /* 0: none */
};

/* ERR_INVALID with a hint, which never quotes the URL, when it is none or does not fit. */
int migrate_address_read(const char *url, struct migrate_address *ret, struct arena *a,
                         struct error *e) MUST_CHECK;

/*
 * As libpq, node-postgres, pgx, lib/pq and Prisma read it. scheme NULL: its own. Without password: nothing secret is
 * in it. s NULL: no settings of a session.
 */
const char *migrate_address_url(const struct migrate_address *d, const char *scheme, bool password,
                                const struct migrate_session *s, struct arena *a);

/*
 * "jdbc:postgresql://..." without user and password. ERR_INVALID for a server that JDBC cannot reach (a socket's
 * folder).
 */
int migrate_address_jdbc(const struct migrate_address *d, const struct migrate_session *s, const char **ret,
                         struct arena *a, struct error *e) MUST_CHECK;
/* The same with user and password as parameters, for a program that takes one URL and nothing else. */
int migrate_address_jdbc_whole(const struct migrate_address *d, const struct migrate_session *s,
                               const char **ret, struct arena *a, struct error *e) MUST_CHECK;

#endif
