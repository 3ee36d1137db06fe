/*
 * A first lint: what a migration does to rows and to code that still runs.
 *
 * It classifies statement by statement and says "cannot be told" rather than
 * guess. Kinds: expand (additive, or no effect on old code), data (changes rows
 * only, maybe beside additions), contract (removes, renames or tightens what old
 * code may use), mixed (contract and expand or data in one migration), opaque.
 */
#ifndef CORE_LINT_H
#define CORE_LINT_H

#include "core/types.h"

/* What a migration was seen to do; bits of struct lint. */
enum lint_bit { LINT_EXPAND = 1, LINT_DATA = 2, LINT_CONTRACT = 4, LINT_OPAQUE = 8 };

struct lint {
	unsigned seen;    /* enum lint_bit */
	bool loses_data;  /* rows or columns are gone afterwards */
	bool destructive; /* the previous release may not run on the schema after it */
	int n_findings;
	char text[TEXT_LEN]; /* one sentence per finding, clean, joined by "; " */
};

enum migration_kind lint_kind(const struct lint *l);

/* Adds a finding. loses and destructive are or-ed; the text is formatted, cleaned and appended while there is room. */
void lint_add(struct lint *l, unsigned bits, bool loses, bool destructive, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

/* Adds what SQL text does. l must be zeroed before the first call. */
void lint_sql(struct lint *l, const char *sql, size_t n);

#endif
