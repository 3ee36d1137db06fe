/*
 * What a Python module plainly says at its top level, read without running it: assignments of literals, also through
 * names that were assigned before. What is computed has no value here.
 */
#ifndef BACKENDS_MIGRATE_PYREAD_H
#define BACKENDS_MIGRATE_PYREAD_H

#include "core/jv.h"
#include "core/pyscan.h"

struct pyread {
	struct arena *a;
	struct py_token *t; /* the last is PY_END */
	int n;
};

/* Scans a source; false when it is no Python or without memory. Release with pyread_release(). */
bool pyread_open(struct pyread *r, struct arena *a, const char *src, size_t n);
void pyread_release(struct pyread *r);

/*
 * The value of the expression at token i, in the arena: strings, None, True, False, whole numbers, lists (tuples and
 * sets too), dicts with string keys, sums of strings and of lists, and names of top-level values. NULL: computed.
 * *ret_end, which may be NULL, is the index behind it.
 */
struct jv *pyread_value(const struct pyread *r, int i, int *ret_end);

/* How a top-level name gets its value. */
enum pyread_kind {
	PYREAD_NONE,  /* never assigned */
	PYREAD_PLAIN, /* value is a literal */
	PYREAD_COMPUTED,
};

/* The last top-level assignment to name. Assignments inside if, try, for or with make it computed. */
enum pyread_kind pyread_get(const struct pyread *r, const char *name, struct jv **ret_value);

/* The first line of the module's docstring, "" where there is none. In the arena; NULL without memory. */
const char *pyread_docstring(const struct pyread *r);

/* Is the token at i the start of a statement? */
bool pyread_starts(const struct pyread *r, int i);

/*
 * The value of keyword argument name in the call whose '(' is at token open; -1: not given. Looks at this call's own
 * arguments only.
 */
int pyread_argument(const struct pyread *r, int open, const char *name);

#endif
