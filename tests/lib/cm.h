/* cmocka with the headers that it wants before itself, and a seeded generator for property tests. */
#ifndef TESTS_LIB_CM_H
#define TESTS_LIB_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* xorshift64*: the same numbers on every machine. The seed is TEST_SEED, or a fixed one. */
struct prng {
	uint64_t state;
};

static inline struct prng prng_seeded(void)
{
	const char *seed = getenv("TEST_SEED");
	struct prng p = {seed != NULL ? strtoull(seed, NULL, 10) | 1u : UINT64_C(0x9e3779b97f4a7c15)};

	return p;
}

static inline uint64_t prng_next(struct prng *p)
{
	p->state ^= p->state >> 12;
	p->state ^= p->state << 25;
	p->state ^= p->state >> 27;
	return p->state * UINT64_C(2685821657736338717);
}

/* 0 .. n-1 */
static inline size_t prng_below(struct prng *p, size_t n) { return (size_t)(prng_next(p) >> 33) % n; }

#endif
