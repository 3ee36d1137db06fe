/*
 * One try of the crash harness: a world, a rollout, a fault that a seed chose, and the truth afterwards from what the
 * scripts of the world noted outside the store. Each runs in a process of its own and asserts; a fault of its own
 * kind ends it with a code of its own.
 */
#ifndef TESTS_LIB_TRIAL_H
#define TESTS_LIB_TRIAL_H

#include "core/base.h"

enum trial_store { TRIAL_SQLITE, TRIAL_POSTGRES, TRIAL_STORES };

/* How the process of a try ended; anything else is a failed assertion, told on stderr. */
enum { TRIAL_SURVIVED = 0, TRIAL_LOST = 20, TRIAL_DOUBLED = 21 };

struct trial_kind {
	const char *fault; /* "kill run.after_intent": what stands in the report */
	const char *point; /* the failpoint, NULL: none */
	int passes;        /* how often a rollout passes it, at least */
	void (*run)(const struct trial_kind *k, uint64_t seed, enum trial_store store);
	bool postgres_only;
};

extern const struct trial_kind trial_kinds[];
extern const int trial_n_kinds;

/* The kind of a seed: of as many seeds in a row as there are kinds, each one. */
const struct trial_kind *trial_kind_of(uint64_t seed, enum trial_store *ret_store);

/* Makes the PostgreSQL server that tries use, in the process that forks them. */
void trial_server(void);

/* Does not return. */
_Noreturn void trial_run(uint64_t seed);

#endif
