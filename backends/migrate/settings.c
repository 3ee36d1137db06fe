#include "backends/migrate/settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 512, VALUE_MAX = 64 * 1024, DEPTH_MAX = 32, REFERENCES_MAX = 64 };

void settings_init(struct settings *s, struct arena *a) { *s = (struct settings){.a = a}; }

void settings_add(struct settings *s, const char *from, const char *key, const char *value)
{
	struct setting *x;

	if (s->n == SETTINGS_MAX) {
		s->truncated = true;
		return;
	}
	if (s->n == s->room) {
		const int room = s->room == 0 ? 32 : s->room * 2;
		struct setting *items =
		    arena_grow(s->a, s->items, (size_t)s->n, (size_t)room, sizeof(*items));

		if (items == NULL)
			return;
		s->items = items;
		s->room = room;
	}
	x = &s->items[s->n];
	x->from = from;
	x->key = arena_strdup(s->a, key);
	x->value = arena_strdup(s->a, value);
	if (x->key != NULL && x->value != NULL)
		s->n++;
}

bool settings_key_is(const char *a, const char *b)
{
	for (;;) {
		while (*a == '-' || *a == '_')
			a++;
		while (*b == '-' || *b == '_')
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (*a == '\0')
			return true;
		a++;
		b++;
	}
}

const struct setting *settings_find(const struct settings *s, const char *key)
{
	for (int i = s->n - 1; i >= 0; i--)
		if (settings_key_is(s->items[i].key, key))
			return &s->items[i];
	return NULL;
}

const char *settings_get(const struct settings *s, const char *key)
{
	const struct setting *x = settings_find(s, key);

	return x != NULL ? x->value : NULL;
}

/* --- .properties --------------------------------------------------------------------------------------------- */

struct lines {
	const char *p, *end;
	bool escapes;
	struct str text; /* the logical line: escapes still in it */
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

/* The next natural line; false at the end. */
static bool line_next(struct lines *l, const char **ret, size_t *ret_n)
{
	const char *start = l->p;

	if (l->p >= l->end)
		return false;
	while (l->p < l->end && *l->p != '\n' && *l->p != '\r')
		l->p++;
	*ret = start;
	*ret_n = (size_t)(l->p - start);
	if (l->p < l->end && *l->p == '\r' && l->p + 1 < l->end && l->p[1] == '\n')
		l->p++;
	if (l->p < l->end)
		l->p++;
	return true;
}

/* Does the line end in an odd number of backslashes? */
static bool goes_on(const char *line, size_t n)
{
	size_t k = 0;

	while (k < n && line[n - 1 - k] == '\\')
		k++;
	return k % 2 == 1;
}

/* The next logical line that is neither empty nor a comment. */
static bool logical_next(struct lines *l)
{
	const char *line;
	size_t n;

	str_clear(&l->text);
	while (line_next(l, &line, &n)) {
		while (n > 0 && is_blank(*line)) {
			line++;
			n--;
		}
		if (n == 0 || *line == '#' || *line == '!')
			continue;
		while (l->escapes && goes_on(line, n)) {
			str_addn(&l->text, line, n - 1);
			if (!line_next(l, &line, &n))
				return true;
			while (n > 0 && is_blank(*line)) {
				line++;
				n--;
			}
		}
		str_addn(&l->text, line, n);
		return true;
	}
	return false;
}

static void add_utf8(struct str *dst, unsigned cp)
{
	if (cp < 0x80) {
		str_addc(dst, (char)cp);
	} else if (cp < 0x800) {
		str_addc(dst, (char)(0xc0 | (cp >> 6)));
		str_addc(dst, (char)(0x80 | (cp & 0x3f)));
	} else {
		str_addc(dst, (char)(0xe0 | (cp >> 12)));
		str_addc(dst, (char)(0x80 | ((cp >> 6) & 0x3f)));
		str_addc(dst, (char)(0x80 | (cp & 0x3f)));
	}
}

static bool take_hex4(const char *p, const char *end, unsigned *ret)
{
	*ret = 0;
	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		const char c = p[i];

		if (!isxdigit((unsigned char)c))
			return false;
		*ret = *ret * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return true;
}

static void add_unescaped(struct str *dst, const char *p, const char *end, bool escapes)
{
	for (; p < end; p++) {
		unsigned cp;

		if (*p != '\\' || !escapes || p + 1 == end) {
			str_addc(dst, *p);
			continue;
		}
		p++;
		switch (*p) {
		case 't': str_addc(dst, '\t'); break;
		case 'n': str_addc(dst, '\n'); break;
		case 'r': str_addc(dst, '\r'); break;
		case 'f': str_addc(dst, '\f'); break;
		case 'u':
			if (take_hex4(p + 1, end, &cp) && cp != 0) {
				add_utf8(dst, cp);
				p += 4;
			}
			break;
		default: str_addc(dst, *p); break;
		}
	}
}

/* "key = value", "key: value", "key value". */
static void split_line(struct settings *s, const char *from, const struct str *line, bool escapes,
                       struct str *key, struct str *value)
{
	const char *text = str_text(line), *end = text + line->len, *p = text, *key_end;

	while (p < end && *p != '=' && *p != ':' && !is_blank(*p))
		p += *p == '\\' && escapes && p + 1 < end ? 2 : 1;
	key_end = p;
	while (p < end && is_blank(*p))
		p++;
	if (p < end && (*p == '=' || *p == ':'))
		p++;
	while (p < end && is_blank(*p))
		p++;
	str_clear(key);
	str_clear(value);
	add_unescaped(key, text, key_end, escapes);
	add_unescaped(value, p, end, escapes);
	if (!key->failed && !value->failed && memchr(str_text(value), '\0', value->len) == NULL)
		settings_add(s, from, str_text(key), str_text(value));
}

static void read_lines(struct settings *s, const char *from, const char *bytes, size_t n, bool escapes)
{
	struct lines l = {.p = bytes, .end = bytes + n, .escapes = escapes};
	struct str key, value;

	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		l.p += 3;
	str_init(&l.text, VALUE_MAX);
	str_init(&key, KEY_MAX);
	str_init(&value, VALUE_MAX);
	while (logical_next(&l))
		if (!l.text.failed)
			split_line(s, from, &l.text, escapes, &key, &value);
	str_release(&l.text);
	str_release(&key);
	str_release(&value);
}

void settings_properties(struct settings *s, const char *from, const char *bytes, size_t n)
{
	read_lines(s, from, bytes, n, true);
}

void settings_plain(struct settings *s, const char *from, const char *bytes, size_t n)
{
	read_lines(s, from, bytes, n, false);
}

/* --- trees --------------------------------------------------------------------------------------------------- */

static const char *scalar_text(struct settings *s, const struct jv *v)
{
	switch (jv_type(v)) {
	case JV_STR: return jv_text(v, "");
	case JV_BOOL: return jv_true(v, false) ? "true" : "false";
	case JV_INT: return arena_printf(s->a, "%lld", (long long)jv_num(v, 0));
	case JV_REAL: return arena_printf(s->a, "%.17g", jv_dbl(v, 0));
	case JV_NULL:
	case JV_ARR:
	case JV_OBJ: break;
	}
	return "";
}

static void add_tree(struct settings *s, const char *from, const char *prefix, const struct jv *v, int depth)
{
	struct str joined;

	if (depth > DEPTH_MAX || s->n == SETTINGS_MAX || prefix == NULL)
		return;
	/* Each leaf counts, an empty one too: shared nodes of YAML cannot multiply for nothing. */
	if (jv_type(v) == JV_OBJ && jv_len(v) > 0) {
		for (size_t i = 0; i < jv_len(v); i++)
			add_tree(s, from,
			         prefix[0] == '\0' ? jv_key(v, i)
			                           : arena_printf(s->a, "%s.%s", prefix, jv_key(v, i)),
			         jv_at(v, i), depth + 1);
		return;
	}
	if (jv_type(v) != JV_ARR) {
		settings_add(s, from, prefix, scalar_text(s, v));
		return;
	}
	str_init(&joined, VALUE_MAX);
	for (size_t i = 0; i < jv_len(v); i++) {
		const struct jv *x = jv_at(v, i);

		add_tree(s, from, arena_printf(s->a, "%s[%zu]", prefix, i), x, depth + 1);
		if (jv_type(x) == JV_OBJ || jv_type(x) == JV_ARR)
			continue;
		if (joined.len > 0)
			str_addc(&joined, ',');
		str_add(&joined, scalar_text(s, x));
	}
	if (!joined.failed)
		settings_add(s, from, prefix, str_text(&joined));
	str_release(&joined);
}

void settings_tree(struct settings *s, const char *from, const char *prefix, const struct jv *tree)
{
	add_tree(s, from, prefix, tree, 0);
}

/* --- references ---------------------------------------------------------------------------------------------- */

/* The brace that closes the one before p; NULL: none. */
static const char *closing(const char *p)
{
	for (int depth = 1; *p != '\0'; p++) {
		if (p[0] == '$' && p[1] == '{')
			depth++;
		else if (*p == '}' && --depth == 0)
			return p;
	}
	return NULL;
}

static bool expand(const struct settings *s, const char *text, const char *end, struct str *out, int *budget)
{
	while (text < end) {
		const char *close, *colon, *known;
		char name[KEY_MAX];

		if (text[0] != '$' || text + 1 >= end || text[1] != '{') {
			str_addc(out, *text++);
			continue;
		}
		close = closing(text + 2);
		if (close == NULL || close >= end || --*budget < 0)
			return false;
		colon = memchr(text + 2, ':', (size_t)(close - text - 2));
		/* Another setting of the project may give it. */
		if ((size_t)((colon != NULL ? colon : close) - text - 2) >= sizeof(name))
			return false;
		memcpy(name, text + 2, (size_t)((colon != NULL ? colon : close) - text - 2));
		name[(colon != NULL ? colon : close) - text - 2] = '\0';
		known = settings_get(s, name);
		if (known != NULL) {
			if (!expand(s, known, known + strlen(known), out, budget))
				return false;
		} else if (colon == NULL) {
			return false;
		} else {
			colon += colon[1] == '-' ? 2 : 1;
			if (!expand(s, colon, close, out, budget))
				return false;
		}
		text = close + 1;
	}
	return true;
}

const char *settings_value(const struct settings *s, const char *value)
{
	struct str out;
	const char *ret = NULL;
	int budget = REFERENCES_MAX;

	if (value == NULL || strstr(value, "${") == NULL)
		return value;
	str_init(&out, VALUE_MAX);
	if (expand(s, value, value + strlen(value), &out, &budget) && !out.failed)
		ret = arena_strdup(s->a, str_text(&out));
	str_release(&out);
	return ret;
}
