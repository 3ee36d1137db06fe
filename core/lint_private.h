/* Shared by the files of the lint. */
#ifndef CORE_LINT_PRIVATE_H
#define CORE_LINT_PRIVATE_H

#include "core/lint.h"

/* --- what is known of the schema ------------------------------------------------------------------------- */

/* Sets ACT_NEW, ACT_TO_NEW, ACT_PROVES_NULL, the old type and the table of an index on x from what is known. */
void known_tell(struct lint_known *k, struct act *x);

/* Takes x into account. */
void known_learn(struct lint_known *k, const struct act *x);

/* The table has a foreign key, or another has one to it. */
bool known_has_reference(const struct lint_known *k, const struct act *x);

/* --- marks ----------------------------------------------------------------------------------------------- */

/* Marks in comments that take findings away, and where each holds. */
struct lint_mark {
	int from, to; /* lines */
	unsigned char rules[(LINT_RULE_COUNT + 7) / 8];
};
struct lint_marks {
	struct lint_mark *items;
	int n, cap;
};
void marks_read(struct arena *a, const char *text, size_t n, struct lint_marks *ret);
bool marks_cover(const struct lint_marks *m, enum lint_rule rule, int line, int statement_line);

/* --- rules ----------------------------------------------------------------------------------------------- */

/* The rule of class B or L for an act on something that is there; LINT_RULE_COUNT: none. */
enum lint_rule rule_of_break(const struct act *x, bool has_policy);
enum lint_rule rule_of_block(const struct act *x, const struct claim *c);

/* --- tools ----------------------------------------------------------------------------------------------- */

enum lint_wraps { WRAPS_NEVER, WRAPS_SCRIPT, WRAPS_ALWAYS, WRAPS_SORTED };
enum lint_wraps lint_tool_wraps(enum lint_tool t);

#endif
