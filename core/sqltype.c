#include "core/sqltype.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- names ------------------------------------------------------------------------------------------- */

static const struct {
	const char *spelling, *canon;
} spellings[] = {
    {"int", "integer"},
    {"int4", "integer"},
    {"int8", "bigint"},
    {"int2", "smallint"},
    {"serial4", "serial"},
    {"serial8", "bigserial"},
    {"serial2", "smallserial"},
    {"character varying", "varchar"},
    {"char varying", "varchar"},
    {"national character varying", "varchar"},
    {"national char varying", "varchar"},
    {"nchar varying", "varchar"},
    {"character", "char"},
    {"national character", "char"},
    {"national char", "char"},
    {"nchar", "char"},
    {"bpchar", "char"},
    {"decimal", "numeric"},
    {"dec", "numeric"},
    {"bool", "boolean"},
    {"float8", "double precision"},
    {"float", "double precision"},
    {"float4", "real"},
    {"timestamp with time zone", "timestamptz"},
    {"timestamp without time zone", "timestamp"},
    {"time with time zone", "timetz"},
    {"time without time zone", "time"},
    {"bit varying", "varbit"},
};

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Words in lower case, one space between them, to word; "(..)" to args; "[]" counted. */
static int take_apart(const char *name, char word[SQL_TYPE_LEN], char args[SQL_TYPE_LEN])
{
	size_t n = 0, k = 0;
	int dims = 0;
	bool in_args = false, in_quote = false;

	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '"') {
			in_quote = !in_quote;
		} else if (*p == '(' && !in_quote) {
			in_args = true;
		} else if (*p == ')' && !in_quote) {
			in_args = false;
		} else if (*p == '[' && !in_quote) {
			dims++;
			while (p[1] != '\0' && *p != ']')
				p++;
		} else if (in_args) {
			if (!is_blank(*p) && k + 1 < SQL_TYPE_LEN)
				args[k++] = lower(*p);
		} else if (is_blank(*p) && !in_quote) {
			if (n > 0 && word[n - 1] != ' ' && n + 1 < SQL_TYPE_LEN)
				word[n++] = ' ';
		} else if (n + 1 < SQL_TYPE_LEN) {
			word[n++] = in_quote ? *p : lower(*p);
		}
	}
	while (n > 0 && word[n - 1] == ' ')
		n--;
	word[n] = args[k] = '\0';
	if (n > 6 && strcmp(word + n - 6, " array") == 0) {
		word[n - 6] = '\0';
		dims++;
	}
	return dims;
}

void sql_type_canon(char *dst, size_t cap, const char *name)
{
	char word[SQL_TYPE_LEN], args[SQL_TYPE_LEN];
	const int dims = take_apart(name, word, args);
	const char *dot = strrchr(word, '.'), *base = dot != NULL ? dot + 1 : word;

	for (size_t i = 0; i < ARRAY_LEN(spellings); i++)
		if (strcmp(base, spellings[i].spelling) == 0) {
			base = spellings[i].canon;
			break;
		}
	snprintf(dst, cap, "%s%s%s%s%s", base, args[0] != '\0' ? "(" : "", args, args[0] != '\0' ? ")" : "",
	         dims > 0 ? "[]" : "");
}

/* --- changes ----------------------------------------------------------------------------------------- */

struct parts {
	char base[SQL_TYPE_LEN];
	long a, b; /* -1: not given */
	bool array;
};

static struct parts parts_of(const char *canon)
{
	struct parts p = {.a = -1, .b = -1};
	const char *open = strchr(canon, '(');
	size_t n = open != NULL ? (size_t)(open - canon) : strcspn(canon, "[");
	char *end;

	snprintf(p.base, sizeof(p.base), "%.*s", (int)MIN(n, sizeof(p.base) - 1), canon);
	p.array = strchr(canon, '[') != NULL;
	if (open == NULL)
		return p;
	p.a = strtol(open + 1, &end, 10);
	if (end == open + 1)
		p.a = -1;
	if (*end == ',')
		p.b = strtol(end + 1, NULL, 10);
	return p;
}

static bool is(const struct parts *p, const char *base) { return strcmp(p->base, base) == 0; }

static bool is_text(const struct parts *p) { return is(p, "text") || is(p, "varchar"); }

/* Place in the order of integers, 0: none. */
static int int_rank(const struct parts *p)
{
	static const char *const order[] = {"", "smallint", "integer", "bigint"};

	for (int i = 1; i < (int)ARRAY_LEN(order); i++)
		if (is(p, order[i]))
			return i;
	return 0;
}

/* Both are character strings of any length: only the limit matters. */
static struct type_change text_change(const struct parts *from, const struct parts *to)
{
	const long old = is(from, "text") ? -1 : from->a, new = is(to, "text") ? -1 : to->a;

	if (new < 0 || (old >= 0 && new >= old))
		return (struct type_change){NO, NO, NO};
	return (struct type_change){YES, YES, YES};
}

static struct type_change numeric_change(const struct parts *from, const struct parts *to)
{
	const long old_scale = MAX(from->b, 0), new_scale = MAX(to->b, 0);

	if (to->a < 0)
		return (struct type_change){NO, NO, NO};
	if (from->a < 0)
		return (struct type_change){YES, YES, YES};
	if (new_scale == old_scale && to->a >= from->a)
		return (struct type_change){NO, NO, NO};
	return (struct type_change){
	    YES, YES, to->a - new_scale < from->a - old_scale || new_scale < old_scale ? YES : NO};
}

/* Precision of seconds, lengths of bit strings: more is free. */
static struct type_change limit_change(const struct parts *from, const struct parts *to, bool fixed)
{
	if (from->a == to->a)
		return (struct type_change){NO, NO, NO};
	if (!fixed && (to->a < 0 || (from->a >= 0 && to->a >= from->a)))
		return (struct type_change){NO, NO, NO};
	return (struct type_change){YES, YES, to->a >= 0 && (from->a < 0 || to->a < from->a) ? YES : NO};
}

static bool is_limited(const struct parts *p)
{
	static const char *const limited[] = {"timestamp", "timestamptz", "time",
	                                      "timetz",    "interval",    "varbit"};

	for (size_t i = 0; i < ARRAY_LEN(limited); i++)
		if (is(p, limited[i]))
			return true;
	return false;
}

/* The old type is not known: what all likely ones have in common. */
static struct type_change from_unknown(const struct parts *to, bool using_given)
{
	static const char *const depends[] = {
	    "text",     "varchar", "numeric", "timestamptz", "timestamp", "timetz", "time", "varbit",
	    "interval", "cidr",    "inet",    "regclass",    "oid",       "char",   "xml",  "tsvector"};

	if (using_given)
		return (struct type_change){YES, YES, MAYBE};
	for (size_t i = 0; i < ARRAY_LEN(depends); i++)
		if (is(to, depends[i]))
			return (struct type_change){MAYBE, MAYBE, MAYBE};
	return (struct type_change){YES, YES, MAYBE};
}

struct type_change sql_type_change(const char *from_name, const char *to_name, bool using_given)
{
	const struct parts from = parts_of(from_name), to = parts_of(to_name);

	if (from_name[0] == '\0')
		return from_unknown(&to, using_given);
	if (strcmp(from_name, to_name) == 0 && !using_given)
		return (struct type_change){NO, NO, NO};
	if (from.array != to.array)
		return (struct type_change){YES, YES, YES};
	if (!using_given && is_text(&from) && is_text(&to))
		return text_change(&from, &to);
	if (!using_given && is(&from, "numeric") && is(&to, "numeric"))
		return numeric_change(&from, &to);
	if (!using_given && strcmp(from.base, to.base) == 0 &&
	    (is_limited(&from) || is(&from, "char") || is(&from, "bit")))
		return limit_change(&from, &to, !is_limited(&from));
	/* Free where the session's zone is UTC, else each value is computed anew. */
	if (!using_given && ((is(&from, "timestamp") && is(&to, "timestamptz")) ||
	                     (is(&from, "timestamptz") && is(&to, "timestamp"))))
		return (struct type_change){MAYBE, MAYBE, MAYBE};
	if (int_rank(&from) > 0 && int_rank(&to) > 0)
		return (struct type_change){YES, YES, int_rank(&to) < int_rank(&from) ? YES : NO};
	if (int_rank(&from) > 0 && is(&to, "numeric") && to.a < 0)
		return (struct type_change){YES, YES, NO};
	if ((is(&from, "real") && is(&to, "double precision")) || (is(&from, "json") && is(&to, "jsonb")))
		return (struct type_change){YES, YES, NO};
	/* Every value has a text; whether old code reads one is not known. */
	return (struct type_change){YES, YES, is_text(&to) && to.a < 0 ? MAYBE : YES};
}
