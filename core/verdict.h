/*
 * Migration verdicts: can the schema be rolled back under a release?
 */
#ifndef CORE_VERDICT_H
#define CORE_VERDICT_H

#include "core/types.h"

enum schema_verdict {
	SCHEMA_SAME,     /* the release knows exactly what is applied */
	SCHEMA_ADDITIVE, /* newer migrations only add: the release still runs */
	SCHEMA_BREAKS,   /* a newer migration removed or renamed what it may use */
	SCHEMA_BEHIND,   /* the release has pending migrations: it needs a newer schema */
	SCHEMA_UNKNOWN,
};
const char *schema_verdict_name(enum schema_verdict v);

/*
 * Can the release of older run on the database as it is? older: its revision
 * against the database now. now: the deployed revision against the same
 * database, where the kinds of the newer migrations are known from. Either may
 * be NULL: unknown. The sentence for the screen goes to text.
 */
enum schema_verdict verdict_for(const struct migration_set *older, const struct migration_set *now,
                                char *text, size_t cap);

#endif
