/*
 * Regular expressions by PCRE2, with every limit set: pattern length, match
 * steps, heap and depth. A costly pattern answers MATCH_COSTLY, never hangs.
 * Subjects are any bytes: where they are not UTF-8 nothing matches across the
 * invalid ones. A matcher holds its own scratch memory: one thread at a time.
 */
#ifndef CORE_MATCH_H
#define CORE_MATCH_H

#include "core/err.h"

enum match_verdict { MATCH_NO = 0, MATCH_YES = 1, MATCH_COSTLY = 2 };

struct match;

/* Compiles (JIT where there is one). ignore_case as named. e->col is the place of a mistake in the pattern. */
int match_new(const char *pattern, bool ignore_case, struct match **ret, struct error *e) MUST_CHECK;
/* The same for a text that means itself: no character in it is special. */
int match_new_literal(const char *literal, bool ignore_case, struct match **ret, struct error *e) MUST_CHECK;
void match_free(struct match *m); /* accepts NULL */

/* Searches; the span of the first hit is written where asked for (may be NULL). */
enum match_verdict match_find(struct match *m, const char *s, size_t n, size_t *ret_from, size_t *ret_to);

/* The text of a capture group of the last successful match_find() on s, into dst; false if unset. */
bool match_group(const struct match *m, const char *s, int group, char *dst, size_t cap);

#endif
