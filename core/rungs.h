/*
 * The ladder: each migration in each environment, as one table in the tool's order.
 */
#ifndef CORE_RUNGS_H
#define CORE_RUNGS_H

#include "core/limits.h"
#include "core/types.h"

enum rung_word {
#define RUNG(symbol, word, brief, glyph, state, meaning) RUNG_##symbol,
#include "core/rungs.def"
#undef RUNG
	RUNG_WORD_COUNT
};

struct rung_desc {
	const char *word, *brief, *glyph; /* glyph "": that of the state */
	enum state state;
	const char *meaning;
};
const struct rung_desc *rung_desc(enum rung_word w);
/* The plain character for text without a screen: '+', '.', 'X' ... */
char rung_char(enum rung_word w);

/* What an item is. */
enum rung_word rung_of(const struct migration *m);

struct rung {
	const struct migration *any; /* of the environment that tells most of it: name, path, kind */
	int at[ENVIRONMENTS_MAX];    /* index in the environment's set, -1: not known there */
	bool external;               /* everywhere */
};

struct rungs {
	struct rung *items; /* the tool's order; those of other code last */
	int n_items, n_external;
};

/*
 * The union of the sets, entries may be NULL. The table points into them: they must live longer. What only one set has
 * stands behind its neighbour in that set. NULL without memory.
 */
struct rungs *rungs_new(struct migration_set *const *sets, int n_sets);
void rungs_free(struct rungs *r);

/* How much a word wants to be looked at; 0: not at all. */
int rung_weight(enum rung_word w);

/* NULL: not known there. */
const struct migration *rung_in(const struct rung *r, struct migration_set *const *sets, int env);

#endif
