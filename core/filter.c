#include "core/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

#include "core/arena.h"
#include "core/logbuf.h"
#include "core/match.h"
#include "core/text.h"
#include "core/time.h"

enum { FILTER_BYTES = 512 * 1024, FIELD_CAP = 4096 };

enum node_kind { NODE_AND, NODE_OR, NODE_NOT, NODE_TEXT, NODE_FIELD, NODE_TIME };
enum op { OP_HAS, OP_EQ, OP_NE, OP_GT, OP_GE, OP_LT, OP_LE };
/* How the instant of since, until and age is written. */
enum when { WHEN_AT, WHEN_AGO, WHEN_CLOCK };

struct node {
	enum node_kind kind;
	struct node *left, *right;
	struct node *owner; /* the node before it in the filter's list of those with a matcher */
	enum op op;
	const char *key, *value;
	bool ignore_case, is_regex;
	struct match *m;      /* of a text, a key: or a regular expression */
	enum log_level level; /* of the value, where the key is one of a level */
	double number;        /* of the value, NAN where it is none */
	bool has_unit;
	enum when when;
	int64_t time_us; /* instant, duration or time of day */
};

struct filter {
	struct arena arena;
	struct node *root, *owners;
	char literal[FILTER_MAX + 1];
	bool literal_ignore_case;
};

struct parser {
	struct filter *f;
	const char *text, *p;
	int depth, open; /* brackets and !; brackets alone */
	struct error *e;
	int rc;
};

static struct node *fail(struct parser *ps, const char *at, const char *what, const char *hint)
{
	if (ps->rc == 0) {
		ps->rc = error_set(ps->e, ERR_INVALID, "filter: %s", what);
		error_at(ps->e, "", 1, (int)(at - ps->text) + 1);
		if (hint != NULL)
			error_hint(ps->e, "%s", hint);
	}
	return NULL;
}

static struct node *node_new(struct parser *ps, enum node_kind kind)
{
	struct node *n = arena_alloc(&ps->f->arena, sizeof(*n));

	if (n == NULL && ps->rc == 0)
		ps->rc = error_set(ps->e, ERR_NOMEM, "filter: no memory");
	if (n != NULL)
		n->kind = kind;
	return n;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void skip_space(struct parser *ps)
{
	while (is_space(*ps->p))
		ps->p++;
}

static bool ends_word(const struct parser *ps, char c)
{
	return c == '\0' || is_space(c) || c == '|' || (c == ')' && ps->open > 0);
}

/* Smart case: true without an upper-case letter. Behind a backslash of a pattern letters are classes. */
static bool case_ignored(const char *s, bool is_regex)
{
	size_t left = strlen(s);

	while (left > 0) {
		uint32_t cp = 0;
		int n = text_decode(s, left, &cp);

		if (is_regex && *s == '\\' && left > 1)
			n = 2;
		else if (n > 0 && utf8proc_category((utf8proc_int32_t)cp) == UTF8PROC_CATEGORY_LU)
			return false;
		n = MAX(n, 1);
		s += n;
		left -= (size_t)n;
	}
	return true;
}

/* Reads up to the closing character; a backslash before it keeps it. NULL where it never comes. */
static char *delimited_read(struct parser *ps, char close, bool keep_other_backslashes)
{
	const char *start = ++ps->p;
	char *out = arena_alloc(&ps->f->arena, strlen(start) + 1);
	size_t n = 0;

	if (out == NULL) {
		ps->rc = error_set(ps->e, ERR_NOMEM, "filter: no memory");
		return NULL;
	}
	for (; *ps->p != close; ps->p++) {
		if (*ps->p == '\0') {
			fail(ps, start - 1,
			     close == '/' ? "the regular expression is not closed"
			                  : "the quote is not closed",
			     close == '/' ? "end it with /, or put a path into quotes" : "end it with \"");
			return NULL;
		}
		if (*ps->p == '\\' && ps->p[1] != '\0') {
			if (keep_other_backslashes && ps->p[1] != close)
				out[n++] = '\\';
			else if (!keep_other_backslashes && ps->p[1] != close && ps->p[1] != '\\')
				out[n++] = '\\';
			ps->p++;
		}
		out[n++] = *ps->p;
	}
	out[n] = '\0';
	ps->p++;
	return out;
}

static bool value_compile(struct parser *ps, struct node *n, const char *at)
{
	struct error e = {0};
	int rc;

	if (n->is_regex)
		rc = match_new(n->value, n->ignore_case, &n->m, &e);
	else
		rc = match_new_literal(n->value, n->ignore_case, &n->m, &e);
	if (rc == 0) {
		n->owner = ps->f->owners;
		ps->f->owners = n;
		return true;
	}
	if (ps->rc == 0) {
		ps->rc = error_set(ps->e, rc, "filter: %s", e.text);
		error_at(ps->e, "", 1, (int)(at - ps->text) + (n->is_regex ? MAX(e.col, 1) + 1 : 1));
	}
	return false;
}

/* A word, a "text" or a /pattern/ at p into n->value. */
static bool value_read(struct parser *ps, struct node *n)
{
	const char *start = ps->p;

	if (*start == '"') {
		n->value = delimited_read(ps, '"', false);
	} else if (*start == '/') {
		n->is_regex = true;
		n->value = delimited_read(ps, '/', true);
	} else {
		while (!ends_word(ps, *ps->p))
			ps->p++;
		n->value = arena_strndup(&ps->f->arena, start, (size_t)(ps->p - start));
	}
	if (n->value == NULL) {
		if (ps->rc == 0)
			ps->rc = error_set(ps->e, ERR_NOMEM, "filter: no memory");
		return false;
	}
	n->ignore_case = case_ignored(n->value, n->is_regex);
	if (n->is_regex && *ps->p == 'i' && ends_word(ps, ps->p[1])) {
		n->ignore_case = true;
		ps->p++;
	}
	return true;
}

/* --- key op value ---------------------------------------------------------------------------- */

/* The length of a key before an operator at s, or 0; the operator goes to *ret. */
static size_t key_read(const char *s, enum op *ret, size_t *ret_op_n)
{
	static const struct {
		const char *text;
		enum op op;
	} ops[] = {
	    {"!=", OP_NE}, {">=", OP_GE}, {"<=", OP_LE}, {":", OP_HAS},
	    {"=", OP_EQ},  {">", OP_GT},  {"<", OP_LT},
	};
	size_t n = 0;

	while ((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') || s[n] == '_' || s[n] == '@' ||
	       (n > 0 && ((s[n] >= '0' && s[n] <= '9') || s[n] == '.' || s[n] == '-')))
		n++;
	if (n == 0 || n >= KEY_LEN || s[n - 1] == '-' || s[n - 1] == '.')
		return 0;
	/* An address such as http://host is a word. */
	if (strncmp(s + n, "://", 3) == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (strncmp(s + n, ops[i].text, strlen(ops[i].text)) == 0) {
			*ret = ops[i].op;
			*ret_op_n = strlen(ops[i].text);
			return n;
		}
	return 0;
}

/* A number with an optional unit of time or per cent; durations in seconds. NAN for other texts. */
static double number_read(const char *s, bool *ret_unit)
{
	static const struct {
		const char *name;
		double factor;
	} units[] = {
	    {"", 1},  {"%", 1},  {"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3},
	    {"s", 1}, {"m", 60}, {"h", 3600},  {"d", 86400},
	};
	char *end;
	double v;

	*ret_unit = false;
	if (!((*s >= '0' && *s <= '9') || *s == '-' || *s == '+' || *s == '.') || s[strspn(s, "+-")] == 'x')
		return NAN;
	v = strtod(s, &end);
	if (end == s || !isfinite(v))
		return NAN;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(end, units[i].name) == 0) {
			*ret_unit = i > 1;
			return v * units[i].factor;
		}
	return NAN;
}

static bool key_is_level(const char *key)
{
	return strcmp(key, "level") == 0 || strcmp(key, "lvl") == 0 || strcmp(key, "severity") == 0;
}

/* "02:40" or "02:40:31" as microseconds of the day. */
static bool clock_read(const char *s, int64_t *ret)
{
	char whole[32] = "1970-01-01T";
	size_t n = strlen(s);

	if (n != 5 && n != 8)
		return false;
	memcpy(whole + 11, s, n + 1);
	return time_scan(whole, 11 + n, ret, NULL) == 11 + n;
}

static struct node *time_node(struct parser *ps, struct node *n, const char *at)
{
	bool is_age = strcmp(n->key, "age") == 0;

	n->kind = NODE_TIME;
	if (time_parse_duration(n->value, &n->time_us) == 0) {
		n->when = WHEN_AGO;
	} else if (!is_age && clock_read(n->value, &n->time_us)) {
		n->when = WHEN_CLOCK;
	} else if (!is_age && n->value[0] != '\0' &&
	           time_scan(n->value, strlen(n->value), &n->time_us, NULL) == strlen(n->value)) {
		n->when = WHEN_AT;
	} else {
		return fail(ps, at, is_age ? "age takes a duration" : "since and until take a time",
		            is_age ? "such as age<10m or age>=1h30m"
		                   : "such as since:10m since:02:40 until:2026-10-27T03:00Z");
	}
	if (is_age) {
		/* Younger is later: age<10m is time>now-10m. */
		static const enum op turned[] = {OP_GE, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE};

		n->op = turned[n->op];
	} else if (n->op != OP_HAS && n->op != OP_EQ) {
		return fail(ps, at, "since and until are written with a colon", "such as since:02:40");
	} else {
		n->op = strcmp(n->key, "since") == 0 ? OP_GE : OP_LE;
	}
	return n;
}

static struct node *field_parse(struct parser *ps, size_t n_key, enum op op, size_t n_op)
{
	struct node *n = node_new(ps, NODE_FIELD);
	const char *at = ps->p + n_key + n_op;
	bool ordered = op == OP_GT || op == OP_GE || op == OP_LT || op == OP_LE;

	if (n == NULL)
		return NULL;
	n->key = arena_strndup(&ps->f->arena, ps->p, n_key);
	n->op = op;
	ps->p = at;
	if (n->key == NULL || !value_read(ps, n))
		return ps->rc != 0 ? NULL : fail(ps, at, "no memory", NULL);
	if (n->is_regex && op != OP_HAS)
		return fail(ps, at, "a regular expression goes behind a colon", "such as path:/^\\/api/");
	if (strcmp(n->key, "age") == 0 || strcmp(n->key, "since") == 0 || strcmp(n->key, "until") == 0)
		return n->is_regex ? fail(ps, at, "a time is no regular expression", NULL)
		                   : time_node(ps, n, at);
	if (ordered && n->value[0] == '\0')
		return fail(ps, at, "the value is missing", "such as level>=warn");
	n->number = number_read(n->value, &n->has_unit);
	if (key_is_level(n->key) && !n->is_regex) {
		n->level = log_level_parse(n->value, strlen(n->value));
		if (ordered && n->level == LOG_NONE)
			return fail(ps, at, "not a level", "one of trace, debug, info, warn, error, fatal");
	}
	if (op == OP_HAS && n->value[0] != '\0' && n->level == LOG_NONE && !value_compile(ps, n, at))
		return NULL;
	return n;
}

/* --- terms ----------------------------------------------------------------------------------- */

static struct node *either_parse(struct parser *ps);

static struct node *not_parse(struct parser *ps);

/* A term that is no bracket and no negation. */
static struct node *leaf_parse(struct parser *ps)
{
	const char *at = ps->p;
	struct node *n;
	size_t n_key, n_op;
	enum op op;

	if (*at == ')')
		return fail(ps, at, "no bracket is open here", "put it into quotes to search for it");
	n_key = key_read(at, &op, &n_op);
	if (n_key > 0)
		return field_parse(ps, n_key, op, n_op);
	n = node_new(ps, NODE_TEXT);
	if (n == NULL || !value_read(ps, n))
		return NULL;
	if (n->value[0] == '\0')
		return fail(ps, at, n->is_regex ? "the regular expression is empty" : "the text is empty",
		            NULL);
	return value_compile(ps, n, at) ? n : NULL;
}

static struct node *bracket_parse(struct parser *ps)
{
	const char *at = ps->p++;
	struct node *n;

	ps->open++;
	n = either_parse(ps);
	ps->open--;
	if (n == NULL)
		return NULL;
	if (*ps->p != ')')
		return fail(ps, at, "the bracket is not closed", "end it with )");
	ps->p++;
	return n;
}

static struct node *term_parse(struct parser *ps)
{
	struct node *n;

	if (*ps->p != '(' && *ps->p != '!')
		return leaf_parse(ps);
	if (ps->depth >= FILTER_DEPTH_MAX)
		return fail(ps, ps->p, "nested too deeply", NULL);
	ps->depth++;
	n = *ps->p == '(' ? bracket_parse(ps) : not_parse(ps);
	ps->depth--;
	return n;
}

static struct node *not_parse(struct parser *ps)
{
	const char *at = ps->p++;
	struct node *n = node_new(ps, NODE_NOT);

	if (ends_word(ps, *ps->p))
		return fail(ps, at, "nothing behind !", "such as !healthz");
	if (n == NULL)
		return NULL;
	n->left = term_parse(ps);
	return n->left != NULL ? n : NULL;
}

static bool all_ends(const struct parser *ps)
{
	return *ps->p == '\0' || *ps->p == '|' || (*ps->p == ')' && ps->open > 0);
}

static struct node *all_parse(struct parser *ps)
{
	struct node *all = NULL;

	skip_space(ps);
	if (all_ends(ps))
		return fail(ps, ps->p, *ps->p == '|' ? "nothing before |" : "nothing here",
		            "such as (timeout | refused)");
	do {
		struct node *n = term_parse(ps), *both;

		if (n == NULL)
			return NULL;
		if (all != NULL) {
			both = node_new(ps, NODE_AND);
			if (both == NULL)
				return NULL;
			both->left = all;
			both->right = n;
			n = both;
		}
		all = n;
		skip_space(ps);
	} while (!all_ends(ps));
	return all;
}

static struct node *either_parse(struct parser *ps)
{
	struct node *either = all_parse(ps);

	while (either != NULL && *ps->p == '|') {
		struct node *n = node_new(ps, NODE_OR);

		ps->p++;
		if (n == NULL)
			return NULL;
		n->left = either;
		n->right = all_parse(ps);
		either = n->right != NULL ? n : NULL;
	}
	return either;
}

/* --- the literal that every passing text contains -------------------------------------------- */

struct run {
	char best[FILTER_MAX + 1], now[FILTER_MAX + 1];
	size_t n_best, n_now;
};

static void run_end(struct run *r)
{
	if (r->n_now > r->n_best) {
		memcpy(r->best, r->now, r->n_now);
		r->n_best = r->n_now;
	}
	r->n_now = 0;
}

/*
 * The longest run of plain characters that a pattern requires. Whatever is not understood ends a
 * run; alternatives and options such as (?i) give up.
 */
static void pattern_literal(const char *p, bool ignore_case, struct run *r)
{
	int depth = 0;

	if (strchr(p, '|') != NULL || strstr(p, "(?") != NULL || strstr(p, "(*") != NULL ||
	    strstr(p, "\\Q") != NULL || strstr(p, "\\E") != NULL)
		return;
	for (; *p != '\0'; p++) {
		char c = *p;
		bool plain = (unsigned char)c < 0x80 && strchr("^$.[]()*+?{}\\", c) == NULL;

		if (c == '[') {
			/* A class: its closing bracket may be its first member. */
			p += p[1] == '^' ? 2 : 1;
			if (*p == ']')
				p++;
			while (*p != '\0' && *p != ']')
				p += *p == '\\' && p[1] != '\0' ? 2
				     : *p == '[' && p[1] == ':' && strchr(p, ']') != NULL
				         ? strchr(p, ']') + 1 - p
				         : 1;
			run_end(r);
			if (*p == '\0')
				return;
			continue;
		}
		if (c == '\\' && p[1] != '\0') {
			c = *++p;
			/* \x41, \p{L}, \g{1}: what follows belongs to it and is not understood here. */
			if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
				run_end(r);
				if (strchr("bBdDsSwWntrAzZ", c) == NULL)
					return;
				continue;
			}
			plain = (unsigned char)c < 0x80;
		}
		depth += c == '(' && !plain ? 1 : c == ')' && !plain ? -1 : 0;
		/* Beyond ASCII k equals the Kelvin sign and s the long s. */
		if (ignore_case && strchr("kKsS", c) != NULL)
			plain = false;
		if (!plain || depth > 0) {
			run_end(r);
			/* {2,3} and what a quantifier makes optional. */
			if (c == '{')
				while (p[1] != '\0' && *p != '}')
					p++;
			continue;
		}
		if (p[1] == '?' || p[1] == '*' || p[1] == '{') {
			run_end(r);
			continue;
		}
		r->now[r->n_now++] = c;
		if (p[1] == '+')
			run_end(r);
	}
	run_end(r);
}

static void literal_find(struct filter *f, const struct node *n)
{
	struct run r = {.n_best = 0};

	if (n->kind == NODE_AND) {
		literal_find(f, n->left);
		literal_find(f, n->right);
		return;
	}
	if (n->kind != NODE_TEXT)
		return;
	if (n->is_regex) {
		pattern_literal(n->value, n->ignore_case, &r);
	} else {
		/* Ignoring case is promised for ASCII only. */
		for (const char *p = n->value; *p != '\0'; p++) {
			if (n->ignore_case && (unsigned char)*p >= 0x80)
				return;
			r.best[r.n_best++] = *p;
		}
	}
	if (r.n_best > strlen(f->literal)) {
		memcpy(f->literal, r.best, r.n_best);
		f->literal[r.n_best] = '\0';
		f->literal_ignore_case = n->ignore_case;
	}
}

int filter_parse(const char *text, struct filter **ret, struct error *e)
{
	struct parser ps = {.text = text, .p = text, .e = e};

	if (strnlen(text, FILTER_MAX + 1) > FILTER_MAX)
		return error_set(e, ERR_INVALID, "filter: longer than %d bytes", FILTER_MAX);
	skip_space(&ps);
	if (*ps.p == '\0') {
		*ret = NULL;
		return 0;
	}
	ps.f = calloc(1, sizeof(*ps.f));
	if (ps.f == NULL)
		return error_set(e, ERR_NOMEM, "filter: no memory");
	arena_init(&ps.f->arena, FILTER_BYTES);
	ps.f->root = either_parse(&ps);
	if (ps.rc == 0 && ps.f->root == NULL)
		ps.rc = error_set(e, ERR_NOMEM, "filter: no memory");
	if (ps.rc != 0) {
		filter_free(ps.f);
		return ps.rc;
	}
	literal_find(ps.f, ps.f->root);
	*ret = ps.f;
	return 0;
}

void filter_free(struct filter *f)
{
	if (f == NULL)
		return;
	for (struct node *n = f->owners; n != NULL; n = n->owner)
		match_free(n->m);
	arena_release(&f->arena);
	free(f);
}

const char *filter_literal(const struct filter *f, bool *ret_ignore_case)
{
	if (ret_ignore_case != NULL)
		*ret_ignore_case = f != NULL && f->literal_ignore_case;
	return f != NULL ? f->literal : "";
}

static const char *wants(const struct node *n, const char *key)
{
	const char *found;

	if (n->kind == NODE_AND) {
		found = wants(n->left, key);
		return found != NULL ? found : wants(n->right, key);
	}
	return n->kind == NODE_FIELD && (n->op == OP_HAS || n->op == OP_EQ) && !n->is_regex &&
	               n->value[0] != '\0' && strcmp(n->key, key) == 0
	           ? n->value
	           : NULL;
}

const char *filter_wants(const struct filter *f, const char *key)
{
	return f != NULL ? wants(f->root, key) : NULL;
}

/* --- asking a row ---------------------------------------------------------------------------- */

static enum match_verdict verdict(bool yes) { return yes ? MATCH_YES : MATCH_NO; }

static bool order_holds(enum op op, int order)
{
	switch (op) {
	case OP_HAS:
	case OP_EQ: return order == 0;
	case OP_NE: return order != 0;
	case OP_GT: return order > 0;
	case OP_GE: return order >= 0;
	case OP_LT: return order < 0;
	case OP_LE: return order <= 0;
	}
	return false;
}

static int number_order(const struct node *n, const char *text, bool *ret_known)
{
	bool has_unit;
	double v = number_read(text, &has_unit), want = n->number;

	*ret_known = !isnan(v) && !isnan(want);
	if (!*ret_known)
		return 0;
	/* latency>500ms on a field that only says 523: compare the figures as they stand. */
	if (has_unit != n->has_unit) {
		v = strtod(text, NULL);
		want = strtod(n->value, NULL);
	}
	return (v > want) - (v < want);
}

static enum match_verdict field_verdict(const struct node *n, const struct filter_row *row)
{
	char buf[FIELD_CAP];
	const char *text = row->field != NULL ? row->field(row->row, n->key, buf, sizeof(buf)) : NULL;
	bool known;
	int order;

	if (text == NULL)
		return verdict((n->op == OP_NE && n->value[0] != '\0') ||
		               (n->op == OP_EQ && n->value[0] == '\0'));
	if (n->level != LOG_NONE) {
		enum log_level l = log_level_parse(text, strlen(text));

		if (l == LOG_NONE)
			return verdict(n->op == OP_NE);
		return verdict(order_holds(n->op, (int)l - (int)n->level));
	}
	if (n->op == OP_HAS)
		return n->m != NULL ? match_find(n->m, text, strlen(text), NULL, NULL)
		                    : verdict(text[0] != '\0');
	if (n->op == OP_EQ || n->op == OP_NE) {
		order = n->ignore_case ? strcasecmp(text, n->value) : strcmp(text, n->value);
		return verdict(order_holds(n->op, order));
	}
	order = number_order(n, text, &known);
	if (!known)
		order = n->ignore_case ? strcasecmp(text, n->value) : strcmp(text, n->value);
	return verdict(order_holds(n->op, order));
}

static enum match_verdict time_verdict(const struct node *n, const struct filter_row *row)
{
	int64_t at = n->time_us;

	if (row->time_us == 0)
		return MATCH_NO;
	if (n->when == WHEN_AGO) {
		at = row->now_us - at;
	} else if (n->when == WHEN_CLOCK) {
		/* The last time that the clock said so. */
		at += row->now_us - (row->now_us % US_PER_DAY + US_PER_DAY) % US_PER_DAY;
		if (at > row->now_us)
			at -= US_PER_DAY;
	}
	return verdict(order_holds(n->op, (row->time_us > at) - (row->time_us < at)));
}

/* MATCH_COSTLY travels upward like "not known": neither it nor its negation passes. */
static enum match_verdict node_verdict(const struct node *n, const struct filter_row *row)
{
	enum match_verdict l, r;
	const char *text;
	size_t len = 0;

	switch (n->kind) {
	case NODE_AND:
		l = node_verdict(n->left, row);
		if (l == MATCH_NO)
			return MATCH_NO;
		r = node_verdict(n->right, row);
		return r == MATCH_YES ? l : r;
	case NODE_OR:
		l = node_verdict(n->left, row);
		if (l == MATCH_YES)
			return MATCH_YES;
		r = node_verdict(n->right, row);
		return r == MATCH_NO ? l : r;
	case NODE_NOT: l = node_verdict(n->left, row); return l == MATCH_COSTLY ? l : verdict(l == MATCH_NO);
	case NODE_TEXT:
		text = row->text != NULL ? row->text(row->row, &len) : NULL;
		return text != NULL ? match_find(n->m, text, len, NULL, NULL) : MATCH_NO;
	case NODE_FIELD: return field_verdict(n, row);
	case NODE_TIME: return time_verdict(n, row);
	}
	return MATCH_NO;
}

bool filter_passes(const struct filter *f, const struct filter_row *row)
{
	return f == NULL || node_verdict(f->root, row) == MATCH_YES;
}
