/*
 * The state between two lines is what stays open: its low four bits say what (enum open), the others how deep a
 * comment nests or which quote it was.
 */
#include "core/highlight.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum open {
	OPEN_NOTHING,
	OPEN_COMMENT,
	OPEN_QUOTE, /* of one character, that may go over several lines: its index in quotes */
	OPEN_TRIPLE,
	OPEN_BITS = 4
};

enum feature {
	IGNORES_CASE = 1,   /* of keywords */
	NESTS_COMMENTS = 2, /* in each other */
	DOLLAR_QUOTES = 4,  /* $$ and $tag$ */
	TRIPLE_QUOTES = 8,
	DOUBLED_QUOTES = 16, /* '' inside of '' instead of a backslash */
	TAGS = 32,           /* <name: a keyword */
	KEYS = 64,           /* name: a keyword */
	WORDS_HAVE_DASH = 128,
};

struct language {
	const char *name;
	const char *const *ends;     /* of paths, NULL-terminated */
	const char *const *keywords; /* sorted, NULL-terminated */
	const char *comment;         /* to the line's end, NULL none */
	const char *open, *close;    /* of a comment over several lines, NULL none */
	const char *quotes;          /* one character each */
	const char *long_quotes;     /* those of quotes that go over several lines */
	const char
	    *quotes_behind; /* where quotes are only such behind one of these (and blanks), NULL: anywhere */
	unsigned features;
};

/* clang-format off */
static const char *const sql_words[] = {
    "add", "all", "alter", "always", "and", "any", "array", "as", "asc", "before", "begin", "between",
    "bigint", "bigserial", "boolean", "by", "bytea", "cascade", "case", "cast", "char", "character",
    "check", "cluster", "coalesce", "collate", "column", "comment", "commit", "concurrently", "constraint",
    "copy", "create", "cross", "current_date", "current_timestamp", "database", "date", "deallocate",
    "declare", "default", "deferrable", "deferred", "delete", "desc", "detach", "disable", "distinct", "do",
    "domain", "double", "drop", "each", "else", "elsif", "enable", "end", "enum", "except", "exclude",
    "execute", "exists", "explain", "extension", "false", "fetch", "first", "for", "foreign", "from",
    "full", "function", "generated", "grant", "group", "having", "identity", "if", "ilike", "immediate",
    "immutable", "in", "include", "index", "inherits", "initially", "inner", "insert", "int", "integer",
    "intersect", "interval", "into", "is", "isolation", "join", "json", "jsonb", "key", "language", "last",
    "lateral", "left", "level", "like", "limit", "local", "lock", "loop", "match", "materialized", "move",
    "natural", "not", "nothing", "null", "nulls", "numeric", "of", "offset", "on", "only", "or", "order",
    "outer", "over", "owner", "partition", "perform", "plpgsql", "policy", "precision", "primary",
    "procedure", "publication", "raise", "real", "recursive", "references", "refresh", "reindex", "rename",
    "replace", "reset", "restart", "restrict", "return", "returning", "returns", "revoke", "right", "role",
    "rollback", "row", "rows", "rule", "savepoint", "schema", "security", "select", "sequence", "serial",
    "session", "set", "share", "smallint", "some", "stable", "start", "statement", "statistics", "storage",
    "stored", "table", "tablespace", "temp", "temporary", "text", "then", "time", "timestamp",
    "timestamptz", "to", "transaction", "trigger", "true", "truncate", "type", "union", "unique",
    "unlogged", "update", "using", "uuid", "vacuum", "valid", "validate", "values", "varchar", "view",
    "volatile", "when", "where", "while", "window", "with", "without", "work", "zone", NULL};
static const char *const python_words[] = {
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "self", "try", "while", "with", "yield",
    NULL};
static const char *const js_words[] = {
    "as", "async", "await", "break", "case", "catch", "class", "const", "continue", "default", "delete",
    "do", "else", "export", "extends", "false", "finally", "for", "from", "function", "if", "import", "in",
    "instanceof", "let", "new", "null", "of", "return", "static", "super", "switch", "this", "throw",
    "true", "try", "typeof", "undefined", "var", "void", "while", "yield", NULL};
static const char *const ts_words[] = {
    "abstract", "any", "as", "async", "await", "boolean", "break", "case", "catch", "class", "const",
    "continue", "declare", "default", "delete", "do", "else", "enum", "export", "extends", "false",
    "finally", "for", "from", "function", "if", "implements", "import", "in", "instanceof", "interface",
    "let", "namespace", "new", "null", "number", "of", "private", "protected", "public", "readonly",
    "return", "static", "string", "super", "switch", "this", "throw", "true", "try", "type", "typeof",
    "undefined", "unknown", "var", "void", "while", "yield", NULL};
static const char *const ruby_words[] = {
    "BEGIN", "END", "alias", "and", "begin", "break", "case", "class", "def", "do", "else", "elsif", "end",
    "ensure", "false", "for", "if", "in", "module", "next", "nil", "not", "or", "raise", "redo", "require",
    "rescue", "retry", "return", "self", "super", "then", "true", "undef", "unless", "until", "when",
    "while", "yield", NULL};
static const char *const data_words[] = {"false", "no", "null", "off", "on", "true", "yes", NULL};
static const char *const no_words[] = {NULL};

static const char *const sql_ends[] = {".sql", ".psql", ".pgsql", ".ddl", ".dml", NULL};
static const char *const python_ends[] = {".py", NULL};
static const char *const js_ends[] = {".js", ".cjs", ".mjs", ".jsx", NULL};
static const char *const ts_ends[] = {".ts", ".cts", ".mts", ".tsx", NULL};
static const char *const ruby_ends[] = {".rb", NULL};
static const char *const xml_ends[] = {".xml", NULL};
static const char *const yaml_ends[] = {".yaml", ".yml", NULL};
static const char *const json_ends[] = {".json", NULL};

static const struct language languages[] = {
    {"sql", sql_ends, sql_words, "--", "/*", "*/", "'\"", "'\"", NULL,
     IGNORES_CASE | NESTS_COMMENTS | DOLLAR_QUOTES | DOUBLED_QUOTES},
    {"python", python_ends, python_words, "#", NULL, NULL, "'\"", "", NULL, TRIPLE_QUOTES},
    {"javascript", js_ends, js_words, "//", "/*", "*/", "'\"`", "`", NULL, 0},
    {"typescript", ts_ends, ts_words, "//", "/*", "*/", "'\"`", "`", NULL, 0},
    {"ruby", ruby_ends, ruby_words, "#", NULL, NULL, "'\"", "'\"", NULL, 0},
    {"xml", xml_ends, no_words, NULL, "<!--", "-->", "'\"", "'\"", "=", TAGS | WORDS_HAVE_DASH},
    {"yaml", yaml_ends, data_words, "#", NULL, NULL, "'\"", "'\"", ":-[{,", KEYS | WORDS_HAVE_DASH},
    {"json", json_ends, data_words, NULL, NULL, NULL, "\"", "", NULL, 0},
};
/* clang-format on */

const char *language_name(const struct language *l) { return l != NULL ? l->name : "text"; }

const struct language *language_of(const char *path)
{
	const size_t n = strlen(path);

	for (size_t i = 0; i < ARRAY_LEN(languages); i++)
		for (const char *const *end = languages[i].ends; *end != NULL; end++)
			if (n > strlen(*end) && strcasecmp(path + n - strlen(*end), *end) == 0)
				return &languages[i];
	return NULL;
}

struct scan {
	const struct language *l;
	const char *s;
	size_t n, at;
	uint32_t state;
	struct highlight_part *parts;
	int cap, n_parts;
};

static void part(struct scan *c, size_t from, enum highlight is)
{
	if (c->at <= from || c->n_parts >= c->cap)
		return;
	c->parts[c->n_parts++] = (struct highlight_part){(uint32_t)from, (uint32_t)(c->at - from), is};
}

static bool is_word(const struct language *l, char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80 ||
	       (c == '-' && (l->features & WORDS_HAVE_DASH) != 0);
}

static bool starts(const struct scan *c, size_t at, const char *with)
{
	const size_t n = with != NULL ? strlen(with) : 0;

	return n > 0 && c->n - at >= n && memcmp(c->s + at, with, n) == 0;
}

static bool is_keyword(const struct language *l, const char *s, size_t n)
{
	char word[32];

	if (n >= sizeof(word))
		return false;
	for (size_t i = 0; i < n; i++)
		word[i] = (char)((l->features & IGNORES_CASE) != 0 ? tolower((unsigned char)s[i]) : s[i]);
	word[n] = '\0';
	/* A hundred short words: a binary search would not be seen. */
	for (const char *const *k = l->keywords; *k != NULL; k++)
		if (word[0] == (*k)[0] && strcmp(*k, word) == 0)
			return true;
	return false;
}

/* --- what stays open -------------------------------------------------------------------------------------------- */

/* To the end of a comment, or of the line. The state has its depth. */
static void comment(struct scan *c)
{
	const bool nests = (c->l->features & NESTS_COMMENTS) != 0;
	uint32_t depth = c->state >> OPEN_BITS;

	while (c->at < c->n && depth > 0) {
		if (starts(c, c->at, c->l->close)) {
			depth--;
			c->at += strlen(c->l->close);
		} else if (nests && starts(c, c->at, c->l->open)) {
			depth += depth < 1000;
			c->at += strlen(c->l->open);
		} else {
			c->at++;
		}
	}
	c->state = depth > 0 ? depth << OPEN_BITS | OPEN_COMMENT : OPEN_NOTHING;
}

/* The length of "$tag$" at a place, 0: there is none. */
static size_t dollar_tag(const struct scan *c, size_t at)
{
	size_t i = at + 1;

	if (c->s[at] != '$' || (at > 0 && is_word(c->l, c->s[at - 1])))
		return 0;
	while (i < c->n && is_word(c->l, c->s[i]))
		i++;
	return i < c->n && c->s[i] == '$' && !isdigit((unsigned char)c->s[at + 1]) ? i + 1 - at : 0;
}

/*
 * $tag$ text $tag$ on one line is a string. What goes over several lines is the body of a function or a DO: code, of
 * which only the tags are marked.
 */
static bool dollar(struct scan *c)
{
	const size_t from = c->at, n = dollar_tag(c, from);

	if (n == 0)
		return false;
	c->at += n;
	for (size_t i = c->at; c->n - i >= n; i++)
		if (memcmp(c->s + i, c->s + from, n) == 0) {
			c->at = i + n;
			break;
		}
	part(c, from, HIGHLIGHT_STRING);
	return true;
}

/* To the closing quote; where the string may not go over several lines, the line's end closes it. */
static void quoted(struct scan *c, uint32_t quote, bool is_long, bool doubled)
{
	const char q = c->l->quotes[quote];

	for (; c->at < c->n; c->at++) {
		if (!doubled && c->s[c->at] == '\\') {
			c->at += c->at + 1 < c->n;
		} else if (c->s[c->at] == q && doubled && c->at + 1 < c->n && c->s[c->at + 1] == q) {
			c->at++;
		} else if (c->s[c->at] == q) {
			c->at++;
			c->state = OPEN_NOTHING;
			return;
		}
	}
	c->state = is_long ? quote << OPEN_BITS | OPEN_QUOTE : OPEN_NOTHING;
}

static void triple(struct scan *c, uint32_t quote)
{
	const char q = c->l->quotes[quote];

	for (; c->at < c->n; c->at++) {
		if (c->s[c->at] == '\\') {
			c->at += c->at + 1 < c->n;
		} else if (c->s[c->at] == q && c->n - c->at >= 3 && c->s[c->at + 1] == q &&
		           c->s[c->at + 2] == q) {
			c->at += 3;
			c->state = OPEN_NOTHING;
			return;
		}
	}
	c->state = quote << OPEN_BITS | OPEN_TRIPLE;
}

/* What the line before left open. */
static void go_on(struct scan *c)
{
	const uint32_t value = c->state >> OPEN_BITS;

	switch ((int)(c->state & ((1u << OPEN_BITS) - 1))) {
	case OPEN_COMMENT:
		comment(c);
		part(c, 0, HIGHLIGHT_COMMENT);
		break;
	case OPEN_QUOTE:
		if (value < strlen(c->l->quotes))
			quoted(c, value, true, (c->l->features & DOUBLED_QUOTES) != 0);
		part(c, 0, HIGHLIGHT_STRING);
		break;
	case OPEN_TRIPLE:
		if (value < strlen(c->l->quotes))
			triple(c, value);
		part(c, 0, HIGHLIGHT_STRING);
		break;
	default: c->state = OPEN_NOTHING; break;
	}
}

/* --- what begins here ------------------------------------------------------------------------------------------- */

/* An apostrophe in a text is no quote. */
static bool is_quote(const struct scan *c, const char *q)
{
	size_t at = c->at;

	if (q == NULL || *q == '\0')
		return false;
	if (c->l->quotes_behind == NULL)
		return true;
	while (at > 0 && c->s[at - 1] == ' ')
		at--;
	return at == 0 || strchr(c->l->quotes_behind, c->s[at - 1]) != NULL;
}

/* E'it\'s' */
static bool has_escapes(const struct scan *c)
{
	return (c->l->features & DOUBLED_QUOTES) == 0 ||
	       (c->at > 0 && (c->s[c->at - 1] == 'E' || c->s[c->at - 1] == 'e') &&
	        (c->at < 2 || !is_word(c->l, c->s[c->at - 2])));
}

static bool string(struct scan *c)
{
	const size_t from = c->at;
	const char *q = strchr(c->l->quotes, c->s[c->at]);
	const bool escapes = has_escapes(c);
	uint32_t quote;

	if (!is_quote(c, q))
		return false;
	quote = (uint32_t)(q - c->l->quotes);
	if ((c->l->features & TRIPLE_QUOTES) != 0 && c->n - from >= 3 && c->s[from + 1] == *q &&
	    c->s[from + 2] == *q) {
		c->at += 3;
		triple(c, quote);
	} else {
		c->at++;
		quoted(c, quote, strchr(c->l->long_quotes, *q) != NULL, !escapes);
	}
	part(c, from, HIGHLIGHT_STRING);
	return true;
}

static bool comment_begins(struct scan *c)
{
	const size_t from = c->at;

	/* "a#b" has no comment where a blank must stand before it. */
	const bool apart = (c->l->features & KEYS) == 0 || c->at == 0 || c->s[c->at - 1] == ' ';

	if (apart && starts(c, c->at, c->l->comment)) {
		c->at = c->n;
	} else if (starts(c, c->at, c->l->open)) {
		c->at += strlen(c->l->open);
		c->state = 1u << OPEN_BITS | OPEN_COMMENT;
		comment(c);
	} else {
		return false;
	}
	part(c, from, HIGHLIGHT_COMMENT);
	return true;
}

static bool number(struct scan *c)
{
	const size_t from = c->at;

	if (!isdigit((unsigned char)c->s[c->at]))
		return false;
	while (c->at < c->n &&
	       (isalnum((unsigned char)c->s[c->at]) || c->s[c->at] == '_' ||
	        (c->s[c->at] == '.' && c->at + 1 < c->n && isdigit((unsigned char)c->s[c->at + 1]))))
		c->at++;
	part(c, from, HIGHLIGHT_NUMBER);
	return true;
}

static void word(struct scan *c)
{
	const size_t from = c->at;

	while (c->at < c->n && is_word(c->l, c->s[c->at]))
		c->at++;
	if ((c->l->features & KEYS) != 0 && c->at < c->n && c->s[c->at] == ':')
		part(c, from, HIGHLIGHT_KEYWORD);
	else if ((c->l->features & TAGS) != 0 && from > 0 &&
	         (c->s[from - 1] == '<' || (from > 1 && c->s[from - 1] == '/' && c->s[from - 2] == '<')))
		part(c, from, HIGHLIGHT_KEYWORD);
	else if (is_keyword(c->l, c->s + from, c->at - from))
		part(c, from, HIGHLIGHT_KEYWORD);
}

uint32_t highlight_line(const struct language *l, uint32_t state, const char *line, size_t n,
                        struct highlight_part *parts, int cap, int *ret_n)
{
	struct scan c = {.l = l, .s = line, .n = n, .state = state, .parts = parts, .cap = cap};

	if (l != NULL)
		go_on(&c);
	while (l != NULL && c.at < c.n) {
		if (comment_begins(&c) || string(&c) || number(&c) ||
		    ((l->features & DOLLAR_QUOTES) != 0 && dollar(&c)))
			continue;
		if (is_word(l, c.s[c.at]))
			word(&c);
		else
			c.at++;
	}
	if (ret_n != NULL)
		*ret_n = c.n_parts;
	return c.state;
}
