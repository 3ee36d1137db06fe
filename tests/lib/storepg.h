/* A store in a real PostgreSQL server for tests: made by the driver's own prepare, with people who have roles. */
#ifndef TESTS_LIB_STOREPG_H
#define TESTS_LIB_STOREPG_H

#include "core/port/store.h"
#include "tests/lib/pgserver.h"

struct loop;
struct opened; /* of tests/lib/porttest.h */

#define STOREPG_PASSWORD "pass word/2" /* of every user but the superuser */

/* The address of a user as a secret that options can name: sets an environment variable and returns its name. */
const char *storepg_secret(const struct pgserver *s, int port, const char *user, const char *database);

/* A login user with the store's roles ("operator executor"); twice is once. */
void storepg_user(struct pgserver *s, const char *user, const char *roles);

/* A store as towpath store init makes it, in a database of its own; valid while the server lives. Fails the test. */
const char *storepg_make(struct pgserver *s);

/* Opens the driver as a user, through a port (0: the server's); more is JSON members, beginning with a comma. */
void storepg_open(struct opened *o, struct loop *l, struct pgserver *s, int port, const char *user,
                  const char *database, const char *more);

/* The same by an address. */
void storepg_open_url(struct opened *o, struct loop *l, const char *url, const char *more);

#endif
