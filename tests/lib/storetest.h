/*
 * What the tests of stores share: a store of one kind in a world of its own, and its operations awaited. A store that
 * knows its users gets a connection for each name that is asked for.
 */
#ifndef TESTS_LIB_STORETEST_H
#define TESTS_LIB_STORETEST_H

#include "core/port/store.h"
#include "tests/lib/porttest.h"

enum { STORE_ACTORS_MAX = 4 };

struct store_world;

/* How a kind of store comes into being. */
struct store_kind {
	const char *name;
	const struct store_driver *driver;
	void (*make)(struct store_world *w); /* an empty store, not opened */
	/* Opens it as somebody; more is JSON members, beginning with a comma. */
	void (*open)(struct store_world *w, struct opened *o, const char *actor, const char *more);
	/* So many notes of eve, behind the store's back. */
	void (*crowd)(struct store_world *w, int n);
	bool has_users;
};
extern const struct store_kind store_kind_sqlite, store_kind_postgres;

struct store_world {
	const struct store_kind *kind;
	struct loop *loop;
	char dir[PATH_LEN], path[PATH_LEN]; /* of sqlite */
	const char *database;               /* of postgres */
	char more[512];                     /* further options */
	struct opened o;                    /* as anna */
	struct {
		char name[NAME_LEN];
		struct opened o;
	} others[STORE_ACTORS_MAX];
	int n_others;
	struct rollout *r; /* "r1" of plan, not stored */
	struct plan *plan; /* web to prod, not stored */
};

/* The kind that store_setup() makes. */
extern const struct store_kind *store_kind;

/* For cmocka: a world with an opened store. */
int store_setup(void **state);
int store_teardown(void **state);

/* Closes all connections (before a fork), opens them again with these options ("\"lease_ttl\": 1"; "" none). */
void store_close(struct store_world *w);
void store_open(struct store_world *w, const char *more);

/* A connection of somebody, who may do all. */
struct opened *store_as(struct store_world *w, const char *actor);

const struct store_driver *S(const struct store_world *w);
struct op *begin(struct store_world *w, struct answer *a);

/* A sealed plan of web; the caller frees it. */
struct plan *store_plan(const char *env, const char *to);
void plan_stored(struct store_world *w, const struct plan *p);
/* Stores r, by anna, with a plan of its place; the answer's text may be wanted. */
enum outcome_kind create(struct store_world *w, struct rollout *r, char *text);
enum outcome_kind create_only(struct store_world *w, const struct rollout *r,
                              char *text); /* its plan is there */
/* A lease of web/prod for r1; NULL: refused. The caller frees it. */
struct lease *claim(struct store_world *w, const char *holder, int64_t pid, int64_t started, bool force);
enum outcome_kind lease_do(struct store_world *w, int64_t epoch, bool release);
enum outcome_kind write_at(struct store_world *w, int64_t epoch); /* w->r as it is */
struct store_snapshot *snapshot(struct store_world *w);
/* About r1 and web/prod. */
struct outcome decide(struct store_world *w, enum decision_kind kind, const char *actor, const char *reason);
struct outcome decide_it(struct store_world *w, const struct decision *d);               /* by its actor */
struct outcome speak(struct store_world *w, enum decision_kind kind, const char *actor); /* about w->plan */
struct audit_verdict verify(struct store_world *w);

#endif
