/* The locks and leftovers of a set of migrations in words: who holds what, what a killed tool left, the remedy. */
#ifndef CORE_MIGRATION_LOCK_H
#define CORE_MIGRATION_LOCK_H

#include "core/types.h"

/* The tool's own lock, held in a table by nobody who is connected; NULL: there is none. */
const struct migration_lock *migration_lock_stuck(const struct migration_set *set);

/* The tool's own lock, held by somebody who lives and is not called except (NULL: whoever); NULL: there is none. */
const struct migration_lock *migration_lock_live(const struct migration_set *set, const char *except);

/*
 * "advisory lock 72707369 is held for 12m by psql (user ana at 10.0.0.4, pid 4711), doing: SELECT 1", or
 * "databasechangeloglock is held since 2026-11-26 10:41:07 by build-7 (10.0.0.5), nobody is connected". A time in a
 * table is shown as it stands there: its zone is not known.
 */
void migration_lock_says(const struct migration_lock *l, int64_t now_us, char *dst, size_t cap);

/*
 * What keeps the tool from going on after one of its runs was killed or failed: its stuck lock, a migration that it
 * recorded as failed. False: nothing of the kind. dst gets one sentence.
 */
bool migration_left_says(const struct migration_set *set, int64_t now_us, char *dst, size_t cap);

/*
 * The command that plans the tool's own remedy for what migration_left_says() tells, or for a lock in a table whose
 * holder may live: "towpath migrations repair orders staging". False: the tool has none for it, and dst is "".
 */
bool migration_remedy(const struct migration_set *set, const char *service, const char *env, char *dst,
                      size_t cap);

#endif
