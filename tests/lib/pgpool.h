/*
 * A real PgBouncer of this test's own, in transaction mode, before a server of tests/lib/pgserver.h: two connections
 * for each user and database, so that those who use it share them. Gone with the test program.
 */
#ifndef TESTS_LIB_PGPOOL_H
#define TESTS_LIB_PGPOOL_H

#include "tests/lib/pgserver.h"

struct pgpool;

/*
 * users is {name, password} pairs ending with NULL. forced, a name of them, may be NULL: the database "forced" is then
 * that database for everybody as this one user. NULL with the reason in why.
 */
struct pgpool *pgpool_start(const struct pgserver *s, const char *const *users, const char *forced,
                            const char *database, char *why, size_t cap);
int pgpool_port(const struct pgpool *p);
void pgpool_free(struct pgpool *p);

#endif
