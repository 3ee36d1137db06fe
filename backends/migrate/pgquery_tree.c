/* Nodes of libpg_query's tree: names, types, expressions. */
#include "backends/migrate/pgquery_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LIST_LEN = 256 };

const struct jv *tree_as(const struct jv *node, const char *kind) { return jv_get(node, kind); }

bool tree_is(const struct jv *body, const char *key, const char *word)
{
	return strcmp(jv_get_text(body, key, ""), word) == 0;
}

/* Kinds begin with a capital, members do not; the depth of the tree is bounded by JSON_DEPTH_MAX. */
void tree_each(const struct jv *v, void (*f)(const char *kind, const struct jv *body, void *user), void *user)
{
	for (size_t i = 0; i < jv_len(v); i++) {
		const char *key = jv_type(v) == JV_OBJ ? jv_key(v, i) : "";

		if (key[0] >= 'A' && key[0] <= 'Z')
			f(key, jv_at(v, i), user);
		tree_each(jv_at(v, i), f, user);
	}
}

const char *tree_copy(struct act_list *out, const char *s)
{
	const char *copy = s[0] == '\0' ? "" : arena_strdup(out->a, s);

	return copy != NULL ? copy : "";
}

const char *tree_string(const struct jv *node) { return jv_get_text(tree_as(node, "String"), "sval", ""); }

const char *tree_last(const struct jv *names, size_t i)
{
	return i < jv_len(names) ? tree_string(jv_at(names, jv_len(names) - 1 - i)) : "";
}

const char *tree_names(struct act_list *out, const struct jv *list)
{
	char dst[LIST_LEN] = "";
	size_t n = 0;

	for (size_t i = 0; i < jv_len(list); i++) {
		const struct jv *elem = tree_as(jv_at(list, i), "IndexElem");
		const char *name = elem != NULL ? jv_get_text(elem, "name", "") : tree_string(jv_at(list, i));

		if (name[0] != '\0' && n + strlen(name) + 3 < sizeof(dst))
			n += (size_t)snprintf(dst + n, sizeof(dst) - n, "%s%s", n > 0 ? ", " : "", name);
	}
	return tree_copy(out, dst);
}

struct act *tree_act(struct act_list *out, enum act_kind kind, const struct jv *rel, const char *column)
{
	struct act *x = act_add(out, kind);

	x->schema = tree_copy(out, jv_get_text(rel, "schemaname", ""));
	x->table = tree_copy(out, jv_get_text(rel, "relname", ""));
	if (column != NULL)
		x->column = tree_copy(out, column);
	return x;
}

struct act *tree_act_named(struct act_list *out, enum act_kind kind, const struct jv *names)
{
	struct act *x = act_add(out, kind);

	x->schema = tree_copy(out, tree_last(names, 1));
	x->table = tree_copy(out, tree_last(names, 0));
	return x;
}

void tree_set_to(struct act_list *out, struct act *x, const struct jv *rel)
{
	const char *schema = jv_get_text(rel, "schemaname", ""), *name = jv_get_text(rel, "relname", "");
	const char *to =
	    schema[0] != '\0' ? arena_printf(out->a, "%s.%s", schema, name) : tree_copy(out, name);

	x->to = to != NULL ? to : "";
}

/* --- types ---------------------------------------------------------------------------------------------- */

static bool is_simple(const char *name)
{
	for (const char *p = name; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_'))
			return false;
	return true;
}

/* One argument of a type: 10 of numeric(10,2), point of geometry(point,4326). */
static void add_modifier(struct str *s, const struct jv *node)
{
	const struct jv *number = jv_get(tree_as(node, "A_Const"), "ival");

	if (number != NULL)
		str_addf(s, "%" PRId64, jv_get_num(number, "ival", 0));
	else if (tree_as(node, "ColumnRef") != NULL)
		str_add(s, tree_last(jv_get(tree_as(node, "ColumnRef"), "fields"), 0));
	else
		str_add(s, jv_get_text(jv_get(tree_as(node, "A_Const"), "sval"), "sval", ""));
}

const char *tree_type(struct act_list *out, const struct jv *type)
{
	const struct jv *modifiers = jv_get(type, "typmods");
	const char *name = tree_last(jv_get(type, "names"), 0);
	char canon[SQL_TYPE_LEN];
	struct str s;

	str_init(&s, SQL_TYPE_LEN);
	str_addf(&s, is_simple(name) ? "%s" : "\"%s\"", name);
	/* The numbers of an interval are a mask of its fields. */
	for (size_t i = 0; strcmp(name, "interval") != 0 && i < jv_len(modifiers); i++) {
		str_add(&s, i == 0 ? "(" : ",");
		add_modifier(&s, jv_at(modifiers, i));
		str_add(&s, i + 1 == jv_len(modifiers) ? ")" : "");
	}
	if (jv_len(jv_get(type, "arrayBounds")) > 0)
		str_add(&s, "[]");
	sql_type_canon(canon, sizeof(canon), str_text(&s));
	str_release(&s);
	return tree_copy(out, canon);
}

/* --- expressions ---------------------------------------------------------------------------------------- */

static void look_at_call(const char *kind, const struct jv *body, void *user)
{
	unsigned *flags = user;
	enum tri v;

	if (strcmp(kind, "FuncCall") != 0)
		return;
	v = sql_function_is_volatile(tree_last(jv_get(body, "funcname"), 0));
	*flags |= v == YES ? ACT_VOLATILE : v == MAYBE ? ACT_UNSURE : 0u;
}

unsigned tree_default(const struct jv *expr)
{
	unsigned flags = ACT_DEFAULT;
	const struct jv *inner = expr;

	/* NULL::text is NULL. */
	while (tree_as(inner, "TypeCast") != NULL)
		inner = jv_get(tree_as(inner, "TypeCast"), "arg");
	if (expr == NULL || jv_get_true(tree_as(inner, "A_Const"), "isnull", false))
		return 0;
	tree_each(expr, look_at_call, &flags);
	return flags;
}

const char *tree_null_proof(const struct jv *expr)
{
	const struct jv *test = tree_as(expr, "NullTest"),
	                *fields = jv_get(tree_as(jv_get(test, "arg"), "ColumnRef"), "fields");

	return tree_is(test, "nulltesttype", "IS_NOT_NULL") && jv_len(fields) == 1 ? tree_last(fields, 0)
	                                                                           : "";
}
