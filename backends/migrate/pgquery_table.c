/* CREATE TABLE, ALTER TABLE, indexes and their removal out of libpg_query's tree. */
#include "backends/migrate/pgquery_private.h"

#include <string.h>

/* --- columns and constraints ----------------------------------------------------------------------------- */

static const struct {
	const char *type;
	unsigned flag;
} column_constraints[] = {
    {"CONSTR_NOTNULL", ACT_NOT_NULL},     {"CONSTR_CHECK", ACT_CHECKED},
    {"CONSTR_UNIQUE", ACT_IS_UNIQUE},     {"CONSTR_PRIMARY", ACT_IS_PRIMARY},
    {"CONSTR_IDENTITY", ACT_GENERATED},   {"CONSTR_GENERATED", ACT_GENERATED},
    {"CONSTR_FOREIGN", ACT_IS_REFERENCE},
};

static struct act *read_column(struct act_list *out, enum act_kind kind, const struct jv *rel,
                               const struct jv *column)
{
	const struct jv *constraints = jv_get(column, "constraints");
	struct act *x = tree_act(out, kind, rel, jv_get_text(column, "colname", ""));

	x->type = tree_type(out, jv_get(column, "typeName"));
	x->flags |= sql_type_flags(x->type);
	for (size_t i = 0; i < jv_len(constraints); i++) {
		const struct jv *c = tree_as(jv_at(constraints, i), "Constraint");

		if (tree_is(c, "contype", "CONSTR_DEFAULT"))
			x->flags |= tree_default(jv_get(c, "raw_expr"));
		if (tree_is(c, "contype", "CONSTR_FOREIGN"))
			tree_set_to(out, x, jv_get(c, "pktable"));
		for (size_t k = 0; k < ARRAY_LEN(column_constraints); k++)
			if (tree_is(c, "contype", column_constraints[k].type))
				x->flags |= column_constraints[k].flag;
	}
	return x;
}

static const struct {
	const char *type, *columns;
	enum act_kind kind;
} table_constraints[] = {
    {"CONSTR_CHECK", "", ACT_ADD_CHECK},
    {"CONSTR_UNIQUE", "keys", ACT_ADD_UNIQUE},
    {"CONSTR_PRIMARY", "keys", ACT_ADD_PRIMARY_KEY},
    {"CONSTR_FOREIGN", "fk_attrs", ACT_ADD_FOREIGN_KEY},
    {"CONSTR_EXCLUSION", "", ACT_ADD_EXCLUDE},
};

static struct act *read_constraint(struct act_list *out, const struct jv *rel, const struct jv *c)
{
	const char *proven = tree_null_proof(jv_get(c, "raw_expr"));
	struct act *x;

	for (size_t i = 0; i < ARRAY_LEN(table_constraints); i++) {
		if (!tree_is(c, "contype", table_constraints[i].type))
			continue;
		x = tree_act(out, table_constraints[i].kind, rel, NULL);
		x->column = tree_names(out, jv_get(c, table_constraints[i].columns));
		x->text = tree_copy(out, jv_get_text(c, "conname", ""));
		if (x->kind == ACT_ADD_CHECK && proven[0] != '\0') {
			x->column = tree_copy(out, proven);
			x->flags |= ACT_PROVES_NULL;
		}
		if (x->kind == ACT_ADD_FOREIGN_KEY)
			tree_set_to(out, x, jv_get(c, "pktable"));
		if (jv_get_true(c, "skip_validation", false))
			x->flags |= ACT_NOT_VALID;
		if (jv_get_text(c, "indexname", "")[0] != '\0')
			x->flags |= ACT_USING_INDEX;
		return x;
	}
	return NULL;
}

/* --- CREATE TABLE ---------------------------------------------------------------------------------------- */

static void new_column(struct act_list *out, const struct jv *rel, const struct jv *column, unsigned flags)
{
	struct act *x = read_column(out, ACT_NEW_COLUMN, rel, column);
	const char *to = x->to;
	const bool refers = x->flags & ACT_IS_REFERENCE;

	x->flags |= flags;
	if (!refers)
		return;
	x = tree_act(out, ACT_NEW_REFERENCE, rel, NULL);
	x->to = to;
	x->flags |= flags;
}

/* Only a foreign key touches anything but the new table; a primary key is told of its column. */
static void new_constraint(struct act_list *out, const struct jv *rel, const struct jv *c, unsigned flags)
{
	struct act *x = read_constraint(out, rel, c);

	if (x == NULL || out->full)
		return;
	if (x->kind == ACT_ADD_FOREIGN_KEY) {
		x->kind = ACT_NEW_REFERENCE;
		x->flags |= flags;
		return;
	}
	if (x->kind == ACT_ADD_PRIMARY_KEY && jv_len(jv_get(c, "keys")) == 1)
		for (int i = out->n - 2; i >= 0 && out->items[i].kind != ACT_CREATE_TABLE; i--)
			if (out->items[i].kind == ACT_NEW_COLUMN &&
			    strcmp(out->items[i].column, x->column) == 0)
				out->items[i].flags |= ACT_IS_PRIMARY;
	out->n--;
}

static unsigned flags_of_new(const struct jv *rel, bool if_not_exists)
{
	return (tree_is(rel, "relpersistence", "t") ? ACT_TEMPORARY : 0u) | (if_not_exists ? ACT_IF : 0u);
}

bool tree_create_table(struct act_list *out, const struct jv *stmt)
{
	const struct jv *rel = jv_get(stmt, "relation"), *elements = jv_get(stmt, "tableElts");
	const unsigned flags = flags_of_new(rel, jv_get_true(stmt, "if_not_exists", false));
	struct act *x;

	if (jv_get(stmt, "partbound") != NULL) {
		x = tree_act(out, ACT_CREATE_PARTITION, rel, NULL);
		tree_set_to(out, x, tree_as(jv_at(jv_get(stmt, "inhRelations"), 0), "RangeVar"));
		x->flags |= flags;
		return true;
	}
	tree_act(out, ACT_CREATE_TABLE, rel, NULL)->flags |= flags;
	for (size_t i = 0; i < jv_len(elements); i++) {
		const struct jv *node = jv_at(elements, i);

		if (tree_as(node, "ColumnDef") != NULL)
			new_column(out, rel, tree_as(node, "ColumnDef"), flags & ACT_TEMPORARY);
		else if (tree_as(node, "Constraint") != NULL)
			new_constraint(out, rel, tree_as(node, "Constraint"), flags & ACT_TEMPORARY);
	}
	return true;
}

bool tree_create_as(struct act_list *out, const struct jv *stmt)
{
	const struct jv *rel = jv_get(jv_get(stmt, "into"), "rel");

	tree_act(out, ACT_CREATE_TABLE_AS, rel, NULL)->flags |=
	    flags_of_new(rel, jv_get_true(stmt, "if_not_exists", false));
	return true;
}

bool tree_create_index(struct act_list *out, const struct jv *stmt)
{
	struct act *x = tree_act(out, ACT_CREATE_INDEX, jv_get(stmt, "relation"), NULL);

	x->column = tree_names(out, jv_get(stmt, "indexParams"));
	x->text = tree_copy(out, jv_get_text(stmt, "idxname", ""));
	x->flags |= (jv_get_true(stmt, "unique", false) ? ACT_IS_UNIQUE : 0u) |
	            (jv_get_true(stmt, "if_not_exists", false) ? ACT_IF : 0u) |
	            (jv_get_true(stmt, "concurrent", false) ? ACT_CONCURRENT | ACT_NO_TRANSACTION : 0u);
	return true;
}

/* --- ALTER TABLE ----------------------------------------------------------------------------------------- */

static bool is_cast_of(const struct jv *expr, const char *column)
{
	const struct jv *fields =
	    jv_get(tree_as(jv_get(tree_as(expr, "TypeCast"), "arg"), "ColumnRef"), "fields");

	return jv_len(fields) == 1 && strcmp(tree_last(fields, 0), column) == 0;
}

static void alter_type(struct act_list *out, const struct jv *rel, const char *name, const struct jv *def)
{
	struct act *x = tree_act(out, ACT_ALTER_TYPE, rel, name);
	const struct jv *using = jv_get(def, "raw_default");

	x->type = tree_type(out, jv_get(def, "typeName"));
	/* USING column::type is what happens without it. */
	if (using != NULL &&
	    !(is_cast_of(using, name) &&
	      strcmp(tree_type(out, jv_get(tree_as(using, "TypeCast"), "typeName")), x->type) == 0))
		x->flags |= ACT_USING;
}

static void alter_partition(struct act_list *out, const struct jv *rel, const struct jv *cmd, bool attach)
{
	struct act *x = tree_act(out, attach ? ACT_ATTACH : ACT_DETACH, rel, NULL);

	tree_set_to(out, x, jv_get(cmd, "name"));
	if (!attach && jv_get_true(cmd, "concurrent", false))
		x->flags |= ACT_CONCURRENT | ACT_NO_TRANSACTION;
}

/* Actions of which the name of the column, or of the constraint, is all. */
static const struct {
	const char *subtype;
	enum act_kind kind;
	bool column;
} plain[] = {
    {"AT_SetNotNull", ACT_SET_NOT_NULL, true},
    {"AT_DropNotNull", ACT_DROP_NOT_NULL, true},
    {"AT_SetStatistics", ACT_SET_STATISTICS, true},
    {"AT_SetOptions", ACT_SET_STATISTICS, true},
    {"AT_ResetOptions", ACT_SET_STATISTICS, true},
    {"AT_SetStorage", ACT_SET_STORAGE, true},
    {"AT_SetCompression", ACT_SET_STORAGE, true},
    {"AT_AddIdentity", ACT_ADD_IDENTITY, true},
    {"AT_SetIdentity", ACT_ADD_IDENTITY, true},
    {"AT_DropIdentity", ACT_DROP_EXPRESSION, true},
    {"AT_DropExpression", ACT_DROP_EXPRESSION, true},
    {"AT_AlterConstraint", ACT_ALTER_CONSTRAINT, false},
    {"AT_SetRelOptions", ACT_SET_PARAMETER, false},
    {"AT_ResetRelOptions", ACT_SET_PARAMETER, false},
    {"AT_SetTableSpace", ACT_SET_TABLESPACE, false},
    {"AT_SetLogged", ACT_SET_LOGGED, false},
    {"AT_SetUnLogged", ACT_SET_LOGGED, false},
    {"AT_SetAccessMethod", ACT_CLUSTER, false},
    {"AT_ChangeOwner", ACT_OWNER, false},
    {"AT_ClusterOn", ACT_CLUSTER_ON, false},
    {"AT_DropCluster", ACT_CLUSTER_ON, false},
    {"AT_ReplicaIdentity", ACT_REPLICA_IDENTITY, false},
    {"AT_AddInherit", ACT_INHERIT, false},
    {"AT_DropInherit", ACT_INHERIT, false},
    {"AT_EnableRowSecurity", ACT_ENABLE_RLS, false},
    {"AT_ForceRowSecurity", ACT_ENABLE_RLS, false},
    {"AT_DisableRowSecurity", ACT_DISABLE_RLS, false},
    {"AT_NoForceRowSecurity", ACT_DISABLE_RLS, false},
    {"AT_EnableTrig", ACT_TRIGGER_STATE, false},
    {"AT_EnableAlwaysTrig", ACT_TRIGGER_STATE, false},
    {"AT_EnableReplicaTrig", ACT_TRIGGER_STATE, false},
    {"AT_DisableTrig", ACT_TRIGGER_STATE, false},
    {"AT_EnableTrigAll", ACT_TRIGGER_STATE, false},
    {"AT_DisableTrigAll", ACT_TRIGGER_STATE, false},
    {"AT_EnableTrigUser", ACT_TRIGGER_STATE, false},
    {"AT_DisableTrigUser", ACT_TRIGGER_STATE, false},
    {"AT_EnableRule", ACT_TRIGGER_STATE, false},
    {"AT_DisableRule", ACT_TRIGGER_STATE, false},
};

static bool plain_action(struct act_list *out, const struct jv *rel, const char *subtype, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (strcmp(subtype, plain[i].subtype) == 0) {
			tree_act(out, plain[i].kind, rel, plain[i].column ? name : NULL);
			return true;
		}
	return false;
}

static void drop_action(struct act_list *out, const struct jv *rel, const struct jv *cmd, bool column)
{
	const char *name = jv_get_text(cmd, "name", "");
	struct act *x =
	    tree_act(out, column ? ACT_DROP_COLUMN : ACT_DROP_CONSTRAINT, rel, column ? name : NULL);

	if (!column)
		x->text = tree_copy(out, name);
	x->flags |= (jv_get_true(cmd, "missing_ok", false) ? ACT_IF : 0u) |
	            (tree_is(cmd, "behavior", "DROP_CASCADE") ? ACT_CASCADE : 0u);
}

static bool table_action(struct act_list *out, const struct jv *rel, const struct jv *cmd)
{
	const char *subtype = jv_get_text(cmd, "subtype", ""), *name = jv_get_text(cmd, "name", "");
	const struct jv *def = jv_get(cmd, "def");

	if (strcmp(subtype, "AT_AddColumn") == 0)
		read_column(out, ACT_ADD_COLUMN, rel, tree_as(def, "ColumnDef"))->flags |=
		    jv_get_true(cmd, "missing_ok", false) ? ACT_IF : 0u;
	else if (strcmp(subtype, "AT_DropColumn") == 0)
		drop_action(out, rel, cmd, true);
	else if (strcmp(subtype, "AT_DropConstraint") == 0)
		drop_action(out, rel, cmd, false);
	else if (strcmp(subtype, "AT_ColumnDefault") == 0)
		tree_act(out, tree_default(def) == 0 ? ACT_DROP_DEFAULT : ACT_SET_DEFAULT, rel, name);
	else if (strcmp(subtype, "AT_AlterColumnType") == 0)
		alter_type(out, rel, name, tree_as(def, "ColumnDef"));
	else if (strcmp(subtype, "AT_AddConstraint") == 0)
		return read_constraint(out, rel, tree_as(def, "Constraint")) != NULL;
	else if (strcmp(subtype, "AT_ValidateConstraint") == 0)
		tree_act(out, ACT_VALIDATE, rel, NULL)->text = tree_copy(out, name);
	else if (strcmp(subtype, "AT_AttachPartition") == 0)
		alter_partition(out, rel, tree_as(def, "PartitionCmd"), true);
	else if (strcmp(subtype, "AT_DetachPartition") == 0 ||
	         strcmp(subtype, "AT_DetachPartitionFinalize") == 0)
		alter_partition(out, rel, tree_as(def, "PartitionCmd"), false);
	else
		return plain_action(out, rel, subtype, name);
	return true;
}

static bool is_table(const struct jv *stmt, const char *key)
{
	return tree_is(stmt, key, "OBJECT_TABLE") || tree_is(stmt, key, "OBJECT_FOREIGN_TABLE");
}

bool tree_alter_table(struct act_list *out, const struct jv *stmt)
{
	const struct jv *rel = jv_get(stmt, "relation"), *cmds = jv_get(stmt, "cmds");

	for (size_t i = 0; i < jv_len(cmds); i++)
		if (!is_table(stmt, "objtype") ||
		    !table_action(out, rel, tree_as(jv_at(cmds, i), "AlterTableCmd")))
			return false;
	return jv_len(cmds) > 0;
}

bool tree_rename(struct act_list *out, const struct jv *stmt)
{
	const struct jv *rel = jv_get(stmt, "relation");
	const char *to = jv_get_text(stmt, "newname", "");

	if (tree_is(stmt, "renameType", "OBJECT_TABCONSTRAINT"))
		tree_act(out, ACT_RENAME_CONSTRAINT, rel, NULL);
	else if (tree_is(stmt, "renameType", "OBJECT_COLUMN") && is_table(stmt, "relationType"))
		tree_act(out, ACT_RENAME_COLUMN, rel, jv_get_text(stmt, "subname", ""))->to =
		    tree_copy(out, to);
	else if (is_table(stmt, "renameType"))
		tree_act(out, ACT_RENAME_TABLE, rel, NULL)->to = tree_copy(out, to);
	else
		return false;
	return true;
}

bool tree_set_schema(struct act_list *out, const struct jv *stmt)
{
	if (!is_table(stmt, "objectType"))
		return false;
	tree_act(out, ACT_SET_SCHEMA, jv_get(stmt, "relation"), NULL)->to =
	    tree_copy(out, jv_get_text(stmt, "newschema", ""));
	return true;
}

/* --- DROP ------------------------------------------------------------------------------------------------ */

static const struct {
	const char *type, *text;
	enum act_kind kind;
	bool rows; /* CASCADE takes columns or tables along */
} drops[] = {
    {"OBJECT_TABLE", "table", ACT_DROP_TABLE, false},
    {"OBJECT_FOREIGN_TABLE", "table", ACT_DROP_TABLE, false},
    {"OBJECT_VIEW", "view", ACT_DROP_OBJECT, false},
    {"OBJECT_MATVIEW", "materialized view", ACT_DROP_OBJECT, false},
    {"OBJECT_SEQUENCE", "sequence", ACT_DROP_OBJECT, false},
    {"OBJECT_TYPE", "type", ACT_DROP_OBJECT, true},
    {"OBJECT_DOMAIN", "domain", ACT_DROP_OBJECT, true},
    {"OBJECT_SCHEMA", "schema", ACT_DROP_OBJECT, true},
    {"OBJECT_EXTENSION", "extension", ACT_DROP_OBJECT, true},
    {"OBJECT_FUNCTION", "function", ACT_DROP_OBJECT, false},
    {"OBJECT_PROCEDURE", "procedure", ACT_DROP_OBJECT, false},
    {"OBJECT_ROUTINE", "routine", ACT_DROP_OBJECT, false},
    {"OBJECT_AGGREGATE", "aggregate", ACT_DROP_OBJECT, false},
    {"OBJECT_INDEX", "", ACT_DROP_INDEX, false},
    {"OBJECT_TRIGGER", "trigger", ACT_DROP_TRIGGER, false},
    {"OBJECT_RULE", "rule", ACT_DROP_TRIGGER, false},
    {"OBJECT_POLICY", "policy", ACT_DROP_POLICY, false},
};

/* The names of a dropped thing, whatever it is wrapped in. */
static const struct jv *names_of(const struct jv *node)
{
	const struct jv *v = jv_get(tree_as(node, "List"), "items");

	v = v != NULL ? v : jv_get(tree_as(node, "TypeName"), "names");
	return v != NULL ? v : jv_get(tree_as(node, "ObjectWithArgs"), "objname");
}

/* A trigger's or policy's own name stands behind those of its table. */
static void drop_on_table(struct act_list *out, enum act_kind kind, const struct jv *names, const char *text)
{
	struct act *x = act_add(out, kind);

	x->schema = tree_copy(out, tree_last(names, 2));
	x->table = tree_copy(out, tree_last(names, 1));
	x->text = text;
}

static void drop_one(struct act_list *out, size_t row, const struct jv *node, unsigned flags)
{
	const struct jv *names = names_of(node);
	struct act *x;

	if (drops[row].kind == ACT_DROP_TRIGGER || drops[row].kind == ACT_DROP_POLICY) {
		drop_on_table(out, drops[row].kind, names, drops[row].text);
		return;
	}
	if (drops[row].kind == ACT_DROP_INDEX) {
		x = act_add(out, ACT_DROP_INDEX);
		x->text = tree_copy(out, tree_last(names, 0));
	} else {
		x = tree_act_named(out, drops[row].kind, names);
		if (names == NULL)
			x->table = tree_copy(out, tree_string(node));
		x->text = drops[row].text;
	}
	x->flags |= flags;
}

bool tree_drop(struct act_list *out, const struct jv *stmt)
{
	const struct jv *objects = jv_get(stmt, "objects");
	const bool cascade = tree_is(stmt, "behavior", "DROP_CASCADE");
	size_t row = 0;
	unsigned flags;

	while (row < ARRAY_LEN(drops) && !tree_is(stmt, "removeType", drops[row].type))
		row++;
	if (row == ARRAY_LEN(drops))
		return false;
	flags = (jv_get_true(stmt, "missing_ok", false) ? ACT_IF : 0u) |
	        (jv_get_true(stmt, "concurrent", false) ? ACT_CONCURRENT | ACT_NO_TRANSACTION : 0u);
	if (cascade && drops[row].kind != ACT_DROP_INDEX)
		flags |= ACT_CASCADE | (drops[row].rows ? ACT_HAS_ROWS : 0u);
	for (size_t i = 0; i < jv_len(objects); i++)
		drop_one(out, row, jv_at(objects, i), flags);
	return jv_len(objects) > 0;
}

bool tree_alter_enum(struct act_list *out, const struct jv *stmt)
{
	const bool renames = jv_get_text(stmt, "oldVal", "")[0] != '\0';
	struct act *x = act_add(out, renames ? ACT_RENAME_VALUE : ACT_ADD_VALUE);

	x->text = tree_copy(out, tree_last(jv_get(stmt, "typeName"), 0));
	if (renames)
		return true;
	x->to = tree_copy(out, jv_get_text(stmt, "newVal", ""));
	x->flags |= (jv_get_true(stmt, "skipIfNewValExists", false) ? ACT_IF : 0u) |
	            (jv_get_text(stmt, "newValNeighbor", "")[0] != '\0' ? ACT_POSITIONED : 0u);
	return true;
}
