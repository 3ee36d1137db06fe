/* The lock, rewrite and scan of every act on PostgreSQL 15: one table, measured. */
#ifndef CORE_CLAIM_H
#define CORE_CLAIM_H

#include "core/act.h"
#include "core/sqltype.h"

/* Table locks, weakest first. */
enum lock_mode {
	LOCK_NONE,
	LOCK_ACCESS_SHARE,
	LOCK_ROW_SHARE,
	LOCK_ROW_EXCLUSIVE,
	LOCK_SHARE_UPDATE_EXCLUSIVE,
	LOCK_SHARE,
	LOCK_SHARE_ROW_EXCLUSIVE,
	LOCK_EXCLUSIVE,
	LOCK_ACCESS_EXCLUSIVE,
	LOCK_MODE_COUNT
};
const char *lock_mode_name(enum lock_mode m); /* as pg_locks has it: "AccessExclusiveLock"; "" for none */
enum lock_mode
lock_mode_of(const char *name); /* "ACCESS EXCLUSIVE" as LOCK TABLE has it; LOCK_NONE: no such mode */
const char *lock_mode_blocks(enum lock_mode m); /* "reads and writes", "writes", "DDL and vacuum", "" */

struct claim {
	const char *form;           /* the statements that it holds for */
	enum lock_mode lock, other; /* on the table named, on a second table */
	enum tri rewrite, scan;
};

/* The claim for an act; for one on a new table (ACT_NEW) only what it does to a second table is left. */
struct claim claim_of(const struct act *x);

/* All rows, for the manual and tests; NULL form ends. */
const struct claim *claims_all(void);

#endif
