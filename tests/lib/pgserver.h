/*
 * A real PostgreSQL server of this test's own: a cluster in a fresh folder, a free port on 127.0.0.1, ended and
 * removed with the test program. As root it runs as the user postgres, because PostgreSQL refuses root.
 */
#ifndef TESTS_LIB_PGSERVER_H
#define TESTS_LIB_PGSERVER_H

#include "core/base.h"

#define PGSERVER_USER "towpath"
#define PGSERVER_PASSWORD "tow path/1" /* a space and a slash: addresses must escape them */

struct pgserver;

/* NULL with the reason in why. Several per program are fine (at most 4). */
struct pgserver *pgserver_start(char *why, size_t cap);
/* One that standbys can follow, and a standby that follows it; pgserver_promote() makes it take writes. */
struct pgserver *pgserver_primary(char *why, size_t cap);
struct pgserver *pgserver_standby(struct pgserver *primary, char *why, size_t cap);
bool pgserver_promote(struct pgserver *s);
/* One server for the whole program, started at first use, ended at exit. Fails the test when there is none. */
struct pgserver *pgserver_shared(void);
/* Ends it and removes its data. Accepts NULL. */
void pgserver_free(struct pgserver *s);

int pgserver_port(const struct pgserver *s);
/* "postgresql://..." of the superuser for a database (NULL: postgres); valid until the next call. */
const char *pgserver_url(struct pgserver *s, const char *database);
/* The same for another user and password. */
void pgserver_url_of(const struct pgserver *s, const char *user, const char *password, const char *database,
                     char *dst, size_t cap);

/* Runs statements as superuser; false (with the server's words on stderr) if one fails. */
bool pgserver_sql(struct pgserver *s, const char *database, const char *sql);
/* The first cell of a query's result, "" if none; valid until the next call. */
const char *pgserver_ask(struct pgserver *s, const char *database, const char *sql);
/* A new, empty database with a name of its own; valid while the server lives. */
const char *pgserver_database(struct pgserver *s);
/* The same, with all that another database holds; nobody may be connected to that one. */
const char *pgserver_copy(struct pgserver *s, const char *database);

/* Fast stop (SIGINT: sessions are ended) or crash (SIGQUIT); waits for the end. */
void pgserver_stop(struct pgserver *s, bool crash);
/* The same data and port again, after pgserver_stop(). */
bool pgserver_again(struct pgserver *s);
/* SIGSTOP or SIGCONT to the server and all its sessions. */
void pgserver_freeze(struct pgserver *s, bool frozen);

#endif
