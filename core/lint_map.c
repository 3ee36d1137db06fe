/* What the maps of all frameworks share. */
#include "core/lint_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WHAT_LEN = 200 };

/* The statement that was begun has no act yet. */
static bool is_fresh(const struct act_list *l)
{
	return l->statement > 0 && (l->n == 0 || l->items[l->n - 1].statement != l->statement);
}

void source_statement(struct lint_source *src, int line)
{
	if (!is_fresh(src->out))
		src->out->statement++;
	src->out->line = line;
	src->out->start = 0;
}

const char *source_copy(struct lint_source *src, const char *s)
{
	const char *c = arena_strdup(src->a, s);

	return c != NULL ? c : "";
}

const char *source_printf(struct lint_source *src, const char *fmt, ...)
{
	char text[WHAT_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return source_copy(src, text);
}

void source_opaque(struct lint_source *src, int line, const char *what)
{
	source_statement(src, line);
	act_add(src->out, ACT_OPAQUE)->text = source_copy(src, what);
}

void source_opaque_call(struct lint_source *src, const struct code *c)
{
	source_opaque(
	    src, c->line,
	    source_printf(src, "what %.80s%s%.80s does", c->path, c->path[0] != '\0' ? "." : "", c->text));
}

/* Functions that only mark a text as SQL. */
static bool is_wrapper(const struct code *c)
{
	static const char *const names[] = {"text", "dedent", "literal",  "raw",
	                                    "sql",  "SQL",    "cleandoc", "literal_column"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (code_named(c, names[i]))
			return true;
	return false;
}

void source_text(struct lint_source *src, const struct sql_text *text)
{
	/* The reader begins its own statements. */
	if (is_fresh(src->out))
		src->out->statement--;
	sql_read(src->out, text, src->parser);
}

void source_sql(struct lint_source *src, const struct code *c)
{
	while (is_wrapper(c))
		c = code_at(c, 0);
	if (c != NULL && c->kind == CODE_TEXT) {
		source_text(src, &c->sql);
	} else if (c != NULL && c->kind == CODE_LIST) {
		/* Django's list may hold pairs: SQL and its parameters. */
		for (const struct code *x = c->first; x != NULL; x = x->next)
			source_sql(src, x->kind == CODE_LIST ? code_at(x, 0) : x);
	} else {
		source_opaque(src, c != NULL ? c->line : src->out->line, "SQL that is computed");
	}
}

const char *map_type(struct lint_source *src, const struct type_name *table, const char *name)
{
	char canon[SQL_TYPE_LEN];

	for (; table->name != NULL; table++)
		if (strcmp(table->name, name) == 0)
			return table->sql;
	sql_type_canon(canon, sizeof(canon), name);
	return source_copy(src, canon);
}

const char *map_sized(struct lint_source *src, const char *type, const struct code *a, const struct code *b)
{
	if (a == NULL || a->kind != CODE_NUMBER)
		return type;
	if (b == NULL || b->kind != CODE_NUMBER)
		return source_printf(src, "%s(%.20s)", type, a->text);
	return source_printf(src, "%s(%.20s,%.20s)", type, a->text, b->text);
}

unsigned map_default(const struct code *v)
{
	enum tri by_row;

	if (v == NULL || code_is(v, "null") || code_is(v, "None") || code_is(v, "nil") ||
	    code_is(v, "undefined"))
		return 0;
	switch (v->kind) {
	case CODE_TEXT:
	case CODE_NUMBER:
	case CODE_WORD:
	case CODE_LIST:
	case CODE_DICT: return ACT_DEFAULT;
	case CODE_FUNC:
		return v->text[0] != '\0' ? sql_default_flags(v->text, strlen(v->text))
		                          : ACT_DEFAULT | ACT_UNSURE;
	case CODE_OTHER: return ACT_DEFAULT | ACT_UNSURE;
	case CODE_CALL: break;
	}
	if (code_at(v, 0) != NULL && code_at(v, 0)->kind == CODE_TEXT &&
	    (is_wrapper(v) || code_named(v, "func") || code_named(v, "fn")))
		return sql_default_flags(code_at(v, 0)->text, strlen(code_at(v, 0)->text));
	if (code_named(v, "uuid"))
		return ACT_DEFAULT | ACT_VOLATILE;
	by_row = sql_function_is_volatile(v->text);
	return ACT_DEFAULT | (by_row == YES ? ACT_VOLATILE : by_row == MAYBE ? ACT_UNSURE : 0u);
}

void map_column(struct lint_source *src, enum act_kind kind, const char *table, const struct map_column *c)
{
	struct act *x = act_on(src->out, kind, table, c->name != NULL ? c->name : "?");

	x->type = c->type != NULL ? c->type : "";
	x->to = c->to != NULL ? c->to : "";
	x->flags |= c->flags | sql_type_flags(x->type);
	if (kind == ACT_NEW_COLUMN && (c->flags & ACT_IS_REFERENCE))
		act_on(src->out, ACT_NEW_REFERENCE, table, NULL)->to = c->to != NULL ? c->to : "";
}

const char *map_names(struct lint_source *src, const struct code *c)
{
	char names[WHAT_LEN] = "";
	size_t n = 0;

	if (c == NULL || c->kind != CODE_LIST)
		return code_text(c, "");
	for (const struct code *x = c->first; x != NULL && n < sizeof(names); x = x->next) {
		const int k =
		    snprintf(names + n, sizeof(names) - n, "%s%s", n > 0 ? ", " : "", code_text(x, "?"));

		n += k > 0 ? (size_t)k : 0;
	}
	return source_copy(src, names);
}

void map_index(struct lint_source *src, const char *table, const char *columns, const char *name,
               unsigned flags)
{
	struct act *x = act_on(src->out, ACT_CREATE_INDEX, table, columns);

	x->text = name;
	x->flags |= flags | (flags & ACT_CONCURRENT ? ACT_NO_TRANSACTION : 0u);
}
