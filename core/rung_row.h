/* One row of the ladder as filters, tables and JSON see it: the same for the screen and the command line. */
#ifndef CORE_RUNG_ROW_H
#define CORE_RUNG_ROW_H

#include "core/filter.h"
#include "core/jv.h"
#include "core/model.h"

/* Who brought a migration: NULL where nothing is known. */
const struct migration_origin *rung_origin(const struct model *m, const struct rung *r);
const struct commit *rung_added(const struct model *m, const struct rung *r);
/* "2.9.4", "unreleased", "" not known. */
const char *rung_release(const struct model *m, const struct rung *r);

/* What bare words of a filter look at: name, author, release, subject. */
const char *rung_text(const struct model *m, const struct rung *r, char *dst, size_t cap);

/*
 * name, state, kind, env, author (by), release, path, is; and the name of an environment, which is the state there.
 * With env (>= 0) state and is speak of that environment alone. NULL: no such field.
 */
const char *rung_field(const struct model *m, const struct rung *r, int env, const char *key, char *dst,
                       size_t cap);

/* The environment that a filter speaks of, -1: of all. */
int rung_filter_env(const struct model *m, const struct filter *f);

/* How many of each word there are in an environment. */
void rung_counts(const struct model *m, int env, int ret[RUNG_WORD_COUNT]);

/* A commit, NULL: null. */
struct jv *commit_value(struct arena *a, const struct commit *c);

#endif
