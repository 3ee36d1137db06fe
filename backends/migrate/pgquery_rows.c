/* Statements that read or change rows out of libpg_query's tree. */
#include "backends/migrate/pgquery_private.h"

#include <string.h>

/* --- what stands inside ---------------------------------------------------------------------------------- */

static bool read_any(struct act_list *out, const struct jv *node)
{
	if (tree_as(node, "InsertStmt") != NULL)
		return tree_insert(out, tree_as(node, "InsertStmt"));
	if (tree_as(node, "UpdateStmt") != NULL)
		return tree_update(out, tree_as(node, "UpdateStmt"));
	if (tree_as(node, "DeleteStmt") != NULL)
		return tree_delete(out, tree_as(node, "DeleteStmt"));
	return false;
}

/* Statements of WITH that change rows; returns whether there was any. */
static bool changes_inside(struct act_list *out, const struct jv *stmt)
{
	const struct jv *ctes = jv_get(jv_get(stmt, "withClause"), "ctes");
	bool any = false;

	for (size_t i = 0; i < jv_len(ctes); i++)
		any |= read_any(out, jv_get(tree_as(jv_at(ctes, i), "CommonTableExpr"), "ctequery"));
	return any;
}

static void find_loud(const char *kind, const struct jv *body, void *user)
{
	const char **loud = user, *name = tree_last(jv_get(body, "funcname"), 0);

	if (strcmp(kind, "FuncCall") == 0 && *loud == NULL && !sql_function_is_quiet(name))
		*loud = name;
}

/* --- SELECT ---------------------------------------------------------------------------------------------- */

static const char *literal(const struct jv *node)
{
	return jv_get_text(jv_get(tree_as(node, "A_Const"), "sval"), "sval", NULL);
}

/* SELECT set_config('lock_timeout', '2s', ...) is SET by another name. */
static bool set_config(struct act_list *out, const struct jv *targets)
{
	for (size_t i = 0; i < jv_len(targets); i++) {
		const struct jv *call =
		    tree_as(jv_get(tree_as(jv_at(targets, i), "ResTarget"), "val"), "FuncCall");
		const struct jv *words = jv_get(call, "args");
		const char *name = literal(jv_at(words, 0)), *value = literal(jv_at(words, 1));
		struct act *x;

		if (strcmp(tree_last(jv_get(call, "funcname"), 0), "set_config") != 0 || name == NULL ||
		    value == NULL)
			continue;
		x = act_add(out, ACT_SET);
		x->text = tree_copy(out, name);
		x->to = tree_copy(out, value);
		return true;
	}
	return false;
}

/* The first table that it reads; of a UNION that of the first part that reads one. */
static const struct jv *first_table(const struct jv *stmt)
{
	const struct jv *node = jv_at(jv_get(stmt, "fromClause"), 0), *left = jv_get(stmt, "larg");

	if (left != NULL) {
		node = first_table(left);
		return node != NULL ? node : first_table(jv_get(stmt, "rarg"));
	}
	while (tree_as(node, "JoinExpr") != NULL)
		node = jv_get(tree_as(node, "JoinExpr"), "larg");
	return tree_as(node, "RangeVar");
}

bool tree_select(struct act_list *out, const struct jv *stmt)
{
	const struct jv *into = jv_get(jv_get(stmt, "intoClause"), "rel");
	const char *loud = NULL;

	if (jv_len(jv_get(stmt, "valuesLists")) > 0)
		return false;
	if (into != NULL) {
		tree_act(out, ACT_CREATE_TABLE_AS, into, NULL)->flags |=
		    tree_is(into, "relpersistence", "t") ? ACT_TEMPORARY : 0u;
		changes_inside(out, stmt);
		return true;
	}
	if (changes_inside(out, stmt) || set_config(out, jv_get(stmt, "targetList")))
		return true;
	tree_each(stmt, find_loud, &loud);
	if (loud != NULL) {
		const char *text = arena_printf(out->a, "\"select %.40s\"", loud);

		act_add(out, ACT_OPAQUE)->text = text != NULL ? text : "";
		return true;
	}
	tree_act(out, ACT_SELECT, first_table(stmt), NULL);
	return true;
}

/* --- changes --------------------------------------------------------------------------------------------- */

bool tree_insert(struct act_list *out, const struct jv *stmt)
{
	changes_inside(out, stmt);
	tree_act(out, ACT_INSERT, jv_get(stmt, "relation"), NULL);
	return true;
}

struct assignment {
	struct act_list *out;
	const struct jv *rel;
	const char *column;
};

static void add_source(const char *kind, const struct jv *body, void *user)
{
	const struct assignment *as = user;
	const char *name = tree_last(jv_get(body, "fields"), 0);

	if (strcmp(kind, "ColumnRef") == 0 && name[0] != '\0')
		tree_act(as->out, ACT_ASSIGN, as->rel, as->column)->to = tree_copy(as->out, name);
}

/* (a, b) = (x, y): the value of the one that is meant. */
static const struct jv *value_of(const struct jv *target)
{
	const struct jv *val = jv_get(target, "val"), *many = tree_as(val, "MultiAssignRef"),
	                *row = tree_as(jv_get(many, "source"), "RowExpr");

	if (row == NULL)
		return val;
	return jv_at(jv_get(row, "args"), (size_t)(jv_get_num(many, "colno", 1) - 1));
}

bool tree_update(struct act_list *out, const struct jv *stmt)
{
	const struct jv *rel = jv_get(stmt, "relation"), *targets = jv_get(stmt, "targetList");
	struct act *x;

	changes_inside(out, stmt);
	x = tree_act(out, ACT_UPDATE, rel, NULL);
	if (jv_get(stmt, "whereClause") == NULL)
		x->flags |= ACT_ALL_ROWS;
	for (size_t i = 0; i < jv_len(targets); i++) {
		const struct jv *target = tree_as(jv_at(targets, i), "ResTarget");
		struct assignment as = {out, rel, jv_get_text(target, "name", "")};

		tree_each(value_of(target), add_source, &as);
	}
	return true;
}

bool tree_delete(struct act_list *out, const struct jv *stmt)
{
	struct act *x;

	changes_inside(out, stmt);
	x = tree_act(out, ACT_DELETE, jv_get(stmt, "relation"), NULL);
	if (jv_get(stmt, "whereClause") == NULL)
		x->flags |= ACT_ALL_ROWS;
	return true;
}

bool tree_merge(struct act_list *out, const struct jv *stmt)
{
	changes_inside(out, stmt);
	tree_act(out, ACT_MERGE, jv_get(stmt, "relation"), NULL);
	return true;
}

bool tree_truncate(struct act_list *out, const struct jv *stmt)
{
	const struct jv *rels = jv_get(stmt, "relations");
	const unsigned flags = tree_is(stmt, "behavior", "DROP_CASCADE") ? ACT_CASCADE : 0u;

	for (size_t i = 0; i < jv_len(rels); i++)
		tree_act(out, ACT_TRUNCATE, tree_as(jv_at(rels, i), "RangeVar"), NULL)->flags |= flags;
	return jv_len(rels) > 0;
}
