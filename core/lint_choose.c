/* Which rule an act falls under. */
#include "core/lint_private.h"

#include <string.h>

/* --- class B --------------------------------------------------------------------------------------------- */

static enum lint_rule drop_rule(const struct act *x)
{
	static const struct {
		const char *text;
		enum lint_rule rule;
	} kinds[] = {{"schema", RULE_DROP_SCHEMA},
	             {"view", RULE_DROP_VIEW},
	             {"materialized view", RULE_DROP_VIEW},
	             {"type", RULE_DROP_TYPE},
	             {"domain", RULE_DROP_TYPE},
	             {"function", RULE_DROP_FUNCTION},
	             {"procedure", RULE_DROP_FUNCTION},
	             {"routine", RULE_DROP_FUNCTION},
	             {"aggregate", RULE_DROP_FUNCTION}};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(x->text, kinds[i].text) == 0)
			return kinds[i].rule;
	return RULE_DROP_OBJECT;
}

static enum lint_rule type_rule(const struct act *x)
{
	static const enum lint_rule by_narrowing[] = {
	    [NO] = LINT_RULE_COUNT, [MAYBE] = RULE_CHANGE_TYPE_UNSURE, [YES] = RULE_CHANGE_TYPE};

	return by_narrowing[sql_type_change(x->to, x->type, (x->flags & ACT_USING) != 0).narrows];
}

enum lint_rule rule_of_break(const struct act *x, bool has_policy)
{
	const bool contract = act_phase(x) == PHASE_CONTRACT;

	switch ((int)x->kind) {
	case ACT_DROP_COLUMN: return RULE_DROP_COLUMN;
	case ACT_DROP_TABLE: return RULE_DROP_TABLE;
	case ACT_DROP_OBJECT: return drop_rule(x);
	case ACT_DROP_DATABASE: return RULE_DROP_DATABASE;
	case ACT_RENAME_COLUMN: return RULE_RENAME_COLUMN;
	case ACT_RENAME_TABLE: return RULE_RENAME_TABLE;
	case ACT_RENAME_VALUE: return RULE_RENAME_VALUE;
	case ACT_RENAME_OBJECT:
		return strcmp(x->text, "schema") == 0 ? RULE_RENAME_SCHEMA : RULE_RENAME_OBJECT;
	case ACT_SET_SCHEMA: return RULE_SET_SCHEMA;
	case ACT_ADD_COLUMN:
		if (!contract)
			return LINT_RULE_COUNT;
		return x->flags & ACT_LOSES_DEFAULT ? RULE_LOST_DEFAULT : RULE_REQUIRED_COLUMN;
	case ACT_SET_NOT_NULL: return RULE_B_SET_NOT_NULL;
	case ACT_ADD_CHECK: return contract ? RULE_B_ADD_CHECK : LINT_RULE_COUNT;
	case ACT_ADD_UNIQUE:
	case ACT_ADD_PRIMARY_KEY:
	case ACT_CREATE_INDEX: return contract ? RULE_B_ADD_UNIQUE : LINT_RULE_COUNT;
	case ACT_ADD_FOREIGN_KEY: return contract ? RULE_B_ADD_FOREIGN_KEY : LINT_RULE_COUNT;
	case ACT_ADD_EXCLUDE: return RULE_B_ADD_EXCLUDE;
	case ACT_ADD_DOMAIN_CONSTRAINT: return contract ? RULE_B_ADD_DOMAIN : LINT_RULE_COUNT;
	case ACT_ALTER_TYPE: return type_rule(x);
	case ACT_ALTER_FIELD: return RULE_CHANGE_FIELD;
	case ACT_DROP_DEFAULT: return RULE_DROP_DEFAULT;
	case ACT_DROP_NOT_NULL: return RULE_DROP_NOT_NULL;
	case ACT_TRUNCATE: return RULE_TRUNCATE;
	case ACT_DELETE: return x->flags & ACT_ALL_ROWS ? RULE_DELETE_ALL : RULE_DELETE_SOME;
	case ACT_UPDATE: return x->flags & ACT_ALL_ROWS ? RULE_UPDATE_ALL : LINT_RULE_COUNT;
	case ACT_REVOKE: return RULE_REVOKE;
	case ACT_DROP_POLICY: return RULE_DROP_POLICY;
	case ACT_ENABLE_RLS: return has_policy ? LINT_RULE_COUNT : RULE_ENABLE_RLS;
	case ACT_DETACH: return RULE_DETACH_ROWS;
	default: return LINT_RULE_COUNT;
	}
}

/* --- class L --------------------------------------------------------------------------------------------- */

static enum lint_rule column_rule(const struct act *x, const struct claim *c)
{
	if (x->flags & ACT_SERIAL)
		return RULE_REWRITE_SERIAL;
	if (x->flags & ACT_GENERATED)
		return RULE_REWRITE_GENERATED;
	if (c->rewrite == YES)
		return RULE_REWRITE_DEFAULT;
	if (c->rewrite == MAYBE)
		return RULE_REWRITE_DEFAULT_UNSURE;
	if (c->scan != YES)
		return LINT_RULE_COUNT;
	if (x->flags & (ACT_IS_UNIQUE | ACT_IS_PRIMARY))
		return x->flags & ACT_IS_PRIMARY ? RULE_L_ADD_PRIMARY : RULE_L_ADD_UNIQUE;
	return x->flags & ACT_CHECKED ? RULE_L_ADD_CHECK : RULE_L_ADD_FOREIGN_KEY;
}

static enum lint_rule type_rewrite_rule(const struct claim *c)
{
	return c->rewrite == YES     ? RULE_REWRITE_TYPE
	       : c->rewrite == MAYBE ? RULE_REWRITE_TYPE_UNSURE
	                             : LINT_RULE_COUNT;
}

static enum lint_rule unless(const struct act *x, unsigned flags, enum lint_rule rule)
{
	return x->flags & flags ? LINT_RULE_COUNT : rule;
}

enum lint_rule rule_of_block(const struct act *x, const struct claim *c)
{
	switch ((int)x->kind) {
	case ACT_CREATE_INDEX: return unless(x, ACT_CONCURRENT, RULE_CREATE_INDEX);
	case ACT_DROP_INDEX: return unless(x, ACT_CONCURRENT, RULE_DROP_INDEX);
	case ACT_REINDEX: return unless(x, ACT_CONCURRENT, RULE_REINDEX);
	case ACT_ADD_FOREIGN_KEY: return unless(x, ACT_NOT_VALID, RULE_L_ADD_FOREIGN_KEY);
	case ACT_ADD_CHECK: return unless(x, ACT_NOT_VALID, RULE_L_ADD_CHECK);
	case ACT_ADD_UNIQUE: return unless(x, ACT_USING_INDEX, RULE_L_ADD_UNIQUE);
	case ACT_ADD_PRIMARY_KEY: return unless(x, ACT_USING_INDEX, RULE_L_ADD_PRIMARY);
	case ACT_ADD_EXCLUDE: return RULE_L_ADD_EXCLUDE;
	case ACT_SET_NOT_NULL: return unless(x, ACT_PROVES_NULL, RULE_L_SET_NOT_NULL);
	case ACT_ALTER_TYPE: return type_rewrite_rule(c);
	case ACT_ADD_COLUMN: return column_rule(x, c);
	case ACT_SET_LOGGED:
	case ACT_SET_TABLESPACE:
	case ACT_CLUSTER:
	case ACT_VACUUM_FULL: return RULE_REWRITE_STORAGE;
	case ACT_REFRESH: return unless(x, ACT_CONCURRENT, RULE_REFRESH);
	case ACT_DETACH: return unless(x, ACT_CONCURRENT, RULE_DETACH);
	case ACT_ATTACH: return unless(x, ACT_TO_NEW, RULE_ATTACH_SCAN);
	default: return LINT_RULE_COUNT;
	}
}
