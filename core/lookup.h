/*
 * Numbers found by a pair of strings: what turns comparing everything with everything into one look each.
 *
 * Strings are not copied: they live as long as the lookup. All memory is the arena's.
 */
#ifndef CORE_LOOKUP_H
#define CORE_LOOKUP_H

#include "core/arena.h"

struct lookup_entry;

struct lookup {
	struct arena *a;
	struct lookup_entry *slots; /* open addressing; a power of two, at most half full */
	int n, room;
};

/* Room for about expected entries; it grows. Without memory the arena has failed and nothing is found. */
void lookup_init(struct lookup *x, struct arena *a, int expected);

/* Keeps value (>= 0) for (first, second), unless there is one already. */
void lookup_add(struct lookup *x, const char *first, const char *second, int value);

/* The value kept first for the pair, -1: none. */
int lookup_find(const struct lookup *x, const char *first, const char *second);

#endif
