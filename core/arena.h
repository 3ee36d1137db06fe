/*
 * Arena: many small allocations with one lifetime (a parsed reply, a plan, a frame).
 *
 * Failure is sticky: after the limit or the allocator refused once, every call
 * returns NULL and arena_failed() stays true, so a builder checks once, at its
 * end, before the result is used.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "core/base.h"

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t used_bytes, max_bytes;
	bool failed;
};

/* Prepares an empty arena that will hold at most max_bytes. */
void arena_init(struct arena *a, size_t max_bytes);

/* Frees everything; the arena is empty and usable again. Accepts a zeroed arena. */
void arena_release(struct arena *a);

/* Zeroed memory for n bytes, aligned for any type; NULL once failed. */
void *arena_alloc(struct arena *a, size_t n);

/* Copies; NULL once failed. arena_strndup stops at a NUL before n. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A copy of old (n_old elements) with room for n_new; the old one stays until release. */
void *arena_grow(struct arena *a, const void *old, size_t n_old, size_t n_new, size_t elem);

/* A sum over all that it holds: has anybody written into it since? */
uint64_t arena_sum(const struct arena *a);

static inline bool arena_failed(const struct arena *a) { return a->failed; }

#endif
