#include "core/claim.h"

#include <string.h>

enum claim_id {
#define CLAIM(symbol, form, lock, other, rewrite, scan) CLAIM_##symbol,
#include "core/claim.def"
#undef CLAIM
	CLAIM_COUNT
};

static const struct claim claims[CLAIM_COUNT + 1] = {
#define CLAIM(symbol, form, lock, other, rewrite, scan)                                                      \
	[CLAIM_##symbol] = {form, LOCK_##lock, LOCK_##other, rewrite, scan},
#include "core/claim.def"
#undef CLAIM
    [CLAIM_COUNT] = {NULL, LOCK_NONE, LOCK_NONE, NO, NO},
};

static const struct {
	const char *name, *sql, *blocks;
} modes[LOCK_MODE_COUNT] = {
    [LOCK_NONE] = {"", "", ""},
    [LOCK_ACCESS_SHARE] = {"AccessShareLock", "ACCESS SHARE", ""},
    [LOCK_ROW_SHARE] = {"RowShareLock", "ROW SHARE", ""},
    [LOCK_ROW_EXCLUSIVE] = {"RowExclusiveLock", "ROW EXCLUSIVE", ""},
    [LOCK_SHARE_UPDATE_EXCLUSIVE] = {"ShareUpdateExclusiveLock", "SHARE UPDATE EXCLUSIVE", "DDL and vacuum"},
    [LOCK_SHARE] = {"ShareLock", "SHARE", "writes"},
    [LOCK_SHARE_ROW_EXCLUSIVE] = {"ShareRowExclusiveLock", "SHARE ROW EXCLUSIVE", "writes"},
    [LOCK_EXCLUSIVE] = {"ExclusiveLock", "EXCLUSIVE", "writes"},
    [LOCK_ACCESS_EXCLUSIVE] = {"AccessExclusiveLock", "ACCESS EXCLUSIVE", "reads and writes"},
};

const char *lock_mode_name(enum lock_mode m) { return (unsigned)m < LOCK_MODE_COUNT ? modes[m].name : ""; }
const char *lock_mode_blocks(enum lock_mode m)
{
	return (unsigned)m < LOCK_MODE_COUNT ? modes[m].blocks : "";
}

enum lock_mode lock_mode_of(const char *name)
{
	for (int i = 1; i < LOCK_MODE_COUNT; i++)
		if (strcmp(modes[i].sql, name) == 0)
			return (enum lock_mode)i;
	return LOCK_NONE;
}

const struct claim *claims_all(void) { return claims; }

static enum claim_id add_column(const struct act *x)
{
	const unsigned f = x->flags;

	if (f & (ACT_VOLATILE | ACT_SERIAL | ACT_GENERATED))
		return CLAIM_ADD_COLUMN_REWRITE;
	if (f & ACT_UNSURE)
		return CLAIM_ADD_COLUMN_UNSURE;
	if (f & ACT_IS_REFERENCE)
		return f & (ACT_DEFAULT | ACT_CHECKED | ACT_IS_UNIQUE) ? CLAIM_ADD_COLUMN_REFERENCES_SCAN
		                                                       : CLAIM_ADD_COLUMN_REFERENCES;
	return f & (ACT_CHECKED | ACT_IS_UNIQUE | ACT_IS_PRIMARY) ? CLAIM_ADD_COLUMN_SCAN : CLAIM_ADD_COLUMN;
}

static enum claim_id alter_type(const struct act *x)
{
	static const enum claim_id by_rewrite[] = {
	    [NO] = CLAIM_TYPE_SAFE, [MAYBE] = CLAIM_TYPE_UNSURE, [YES] = CLAIM_TYPE_REWRITE};

	return by_rewrite[sql_type_change(x->to, x->type, (x->flags & ACT_USING) != 0).rewrite];
}

static enum claim_id by_flag(const struct act *x, enum act_flag flag, enum claim_id with,
                             enum claim_id without)
{
	return x->flags & (unsigned)flag ? with : without;
}

/* Of what is no table only these take tables along. */
static enum claim_id drop_object(const struct act *x)
{
	const bool all = (strcmp(x->text, "schema") == 0 && (x->flags & ACT_CASCADE)) ||
	                 strcmp(x->text, "all that is owned by a role") == 0;

	return all || strcmp(x->text, "materialized view") == 0 ? CLAIM_DROP_TABLE : CLAIM_NONE;
}

/* Kinds that have one claim whatever their flags. */
static enum claim_id plain(enum act_kind k)
{
	static const unsigned char by_kind[ACT_KIND_COUNT] = {
	    [ACT_CREATE_TABLE_AS] = CLAIM_CREATE_TABLE_AS,
	    [ACT_CREATE_PARTITION] = CLAIM_PARTITION_OF,
	    [ACT_NEW_REFERENCE] = CLAIM_CREATE_TABLE_REFERENCES,
	    [ACT_DROP_TABLE] = CLAIM_DROP_TABLE,
	    [ACT_RENAME_TABLE] = CLAIM_ALTER_SHORT,
	    [ACT_SET_SCHEMA] = CLAIM_ALTER_SHORT,
	    [ACT_DROP_COLUMN] = CLAIM_ALTER_SHORT,
	    [ACT_RENAME_COLUMN] = CLAIM_ALTER_SHORT,
	    [ACT_ALTER_FIELD] = CLAIM_TYPE_UNSURE,
	    [ACT_DROP_NOT_NULL] = CLAIM_ALTER_SHORT,
	    [ACT_SET_DEFAULT] = CLAIM_ALTER_SHORT,
	    [ACT_DROP_DEFAULT] = CLAIM_ALTER_SHORT,
	    [ACT_ADD_IDENTITY] = CLAIM_ALTER_SHORT,
	    [ACT_DROP_EXPRESSION] = CLAIM_ALTER_SHORT,
	    [ACT_SET_STORAGE] = CLAIM_ALTER_SHORT,
	    [ACT_SET_STATISTICS] = CLAIM_PARAMETER,
	    [ACT_ADD_EXCLUDE] = CLAIM_ADD_INDEXED,
	    [ACT_VALIDATE] = CLAIM_VALIDATE,
	    [ACT_DROP_CONSTRAINT] = CLAIM_DROP_CONSTRAINT,
	    [ACT_RENAME_CONSTRAINT] = CLAIM_ALTER_SHORT,
	    [ACT_ALTER_CONSTRAINT] = CLAIM_ALTER_CONSTRAINT,
	    [ACT_SET_PARAMETER] = CLAIM_PARAMETER,
	    [ACT_SET_LOGGED] = CLAIM_SET_LOGGED,
	    [ACT_SET_TABLESPACE] = CLAIM_SET_TABLESPACE,
	    [ACT_OWNER] = CLAIM_ALTER_SHORT,
	    [ACT_REPLICA_IDENTITY] = CLAIM_ALTER_SHORT,
	    [ACT_CLUSTER_ON] = CLAIM_PARAMETER,
	    [ACT_INHERIT] = CLAIM_INHERIT,
	    [ACT_ENABLE_RLS] = CLAIM_ALTER_SHORT,
	    [ACT_DISABLE_RLS] = CLAIM_ALTER_SHORT,
	    [ACT_TRIGGER_STATE] = CLAIM_TRIGGER,
	    [ACT_ATTACH] = CLAIM_ATTACH,
	    [ACT_CREATE_TRIGGER] = CLAIM_TRIGGER,
	    [ACT_DROP_TRIGGER] = CLAIM_DROP_TRIGGER,
	    [ACT_CREATE_RULE] = CLAIM_DROP_TRIGGER,
	    [ACT_CREATE_POLICY] = CLAIM_DROP_TRIGGER,
	    [ACT_DROP_POLICY] = CLAIM_DROP_TRIGGER,
	    [ACT_INSERT] = CLAIM_WRITE,
	    [ACT_MERGE] = CLAIM_WRITE,
	    [ACT_COPY_FROM] = CLAIM_WRITE,
	    [ACT_COPY_TO] = CLAIM_READ,
	    [ACT_SELECT] = CLAIM_READ,
	    [ACT_TRUNCATE] = CLAIM_TRUNCATE,
	    [ACT_CLUSTER] = CLAIM_CLUSTER,
	    [ACT_VACUUM_FULL] = CLAIM_CLUSTER,
	    [ACT_VACUUM] = CLAIM_VACUUM,
	    [ACT_ANALYZE] = CLAIM_PARAMETER,
	    [ACT_COMMENT] = CLAIM_PARAMETER,
	    [ACT_CREATE_STATISTICS] = CLAIM_PARAMETER,
	    [ACT_LOCK] = CLAIM_LOCK,
	};

	return (enum claim_id)by_kind[k];
}

static enum claim_id id_of(const struct act *x)
{
	switch ((int)x->kind) {
	case ACT_ADD_COLUMN: return add_column(x);
	case ACT_ALTER_TYPE: return alter_type(x);
	case ACT_SET_NOT_NULL:
		return by_flag(x, ACT_PROVES_NULL, CLAIM_SET_NOT_NULL_PROVEN, CLAIM_SET_NOT_NULL);
	case ACT_ADD_CHECK: return by_flag(x, ACT_NOT_VALID, CLAIM_ADD_CHECK_NOT_VALID, CLAIM_ADD_CHECK);
	case ACT_ADD_FOREIGN_KEY:
		return by_flag(x, ACT_NOT_VALID, CLAIM_ADD_FOREIGN_KEY_NOT_VALID, CLAIM_ADD_FOREIGN_KEY);
	case ACT_ADD_UNIQUE: return by_flag(x, ACT_USING_INDEX, CLAIM_USING_INDEX, CLAIM_ADD_INDEXED);
	case ACT_ADD_PRIMARY_KEY:
		return by_flag(x, ACT_USING_INDEX, CLAIM_USING_INDEX_NULLABLE, CLAIM_ADD_INDEXED);
	case ACT_DETACH: return by_flag(x, ACT_CONCURRENT, CLAIM_DETACH_CONCURRENTLY, CLAIM_DETACH);
	case ACT_CREATE_INDEX:
		return by_flag(x, ACT_CONCURRENT, CLAIM_CREATE_INDEX_CONCURRENTLY, CLAIM_CREATE_INDEX);
	case ACT_DROP_INDEX:
		return by_flag(x, ACT_CONCURRENT, CLAIM_DROP_INDEX_CONCURRENTLY, CLAIM_DROP_INDEX);
	case ACT_REINDEX: return by_flag(x, ACT_CONCURRENT, CLAIM_REINDEX_CONCURRENTLY, CLAIM_REINDEX);
	case ACT_REFRESH: return by_flag(x, ACT_CONCURRENT, CLAIM_REFRESH_CONCURRENTLY, CLAIM_REFRESH);
	case ACT_ADD_DOMAIN_CONSTRAINT: return by_flag(x, ACT_NOT_VALID, CLAIM_NONE, CLAIM_DOMAIN);
	case ACT_DROP_OBJECT: return drop_object(x);
	case ACT_CREATE_OBJECT:
	case ACT_REPLACE_OBJECT: return strcmp(x->text, "view") == 0 ? CLAIM_READ : CLAIM_NONE;
	case ACT_UPDATE:
	case ACT_DELETE: return by_flag(x, ACT_ALL_ROWS, CLAIM_WRITE_ALL, CLAIM_WRITE);
	case ACT_COMMENT: return x->table[0] != '\0' ? CLAIM_PARAMETER : CLAIM_NONE;
	default: return plain(x->kind);
	}
}

struct claim claim_of(const struct act *x)
{
	struct claim c = claims[id_of(x)];

	if (x->kind == ACT_LOCK && lock_mode_of(x->text) != LOCK_NONE)
		c.lock = lock_mode_of(x->text);
	if (x->flags & ACT_TEMPORARY)
		return claims[CLAIM_NONE];
	if (x->flags & ACT_NEW) {
		const bool both = x->kind == ACT_ADD_FOREIGN_KEY || x->kind == ACT_ADD_COLUMN ||
		                  x->kind == ACT_NEW_REFERENCE;

		c.lock = LOCK_NONE;
		c.other = both ? c.other : LOCK_NONE;
		c.rewrite = c.scan = NO;
	}
	if (x->flags & ACT_TO_NEW) {
		c.other = LOCK_NONE;
		if (x->kind == ACT_ATTACH)
			c.scan = NO;
	}
	return c;
}
