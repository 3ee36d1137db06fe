/* TOML for settings.h: one pass over the bytes, depth bounded. */
#include "backends/migrate/settings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 512, VALUE_MAX = 64 * 1024, DEPTH_MAX = 16, TABLES_MAX = 256 };

struct toml {
	struct settings *s;
	const char *from, *p, *end;
	int line;
	struct error *e;
	char table[KEY_MAX]; /* "environments.default", with a dot behind unless empty */
	struct {
		char name[64];
		int n;
	} arrays[TABLES_MAX]; /* of [[name]], to number them */
	int n_arrays;
};

static int read_value(struct toml *t, const char *key, struct str *ret, int depth) MUST_CHECK;

static int fail(struct toml *t, const char *what)
{
	error_set(t->e, ERR_INVALID, "%s", what);
	error_at(t->e, t->from, t->line, 0);
	return ERR_INVALID;
}

static bool at(const struct toml *t, const char *text)
{
	const size_t n = strlen(text);

	return (size_t)(t->end - t->p) >= n && memcmp(t->p, text, n) == 0;
}

static char peek(const struct toml *t) { return t->p < t->end ? *t->p : '\0'; }

static void skip_blank(struct toml *t)
{
	while (t->p < t->end && (*t->p == ' ' || *t->p == '\t'))
		t->p++;
}

static void skip_comment(struct toml *t)
{
	if (peek(t) == '#')
		while (t->p < t->end && *t->p != '\n')
			t->p++;
}

/* Blanks, comments and line ends. */
static void skip_space(struct toml *t)
{
	for (;;) {
		skip_blank(t);
		skip_comment(t);
		if (peek(t) == '\n')
			t->line++;
		else if (peek(t) != '\r')
			return;
		t->p++;
	}
}

static void add_utf8(struct str *dst, unsigned long cp)
{
	if (cp < 0x80) {
		str_addc(dst, (char)cp);
	} else if (cp < 0x800) {
		str_addc(dst, (char)(0xc0 | (cp >> 6)));
		str_addc(dst, (char)(0x80 | (cp & 0x3f)));
	} else if (cp < 0x10000) {
		str_addc(dst, (char)(0xe0 | (cp >> 12)));
		str_addc(dst, (char)(0x80 | ((cp >> 6) & 0x3f)));
		str_addc(dst, (char)(0x80 | (cp & 0x3f)));
	} else {
		str_addc(dst, (char)(0xf0 | ((cp >> 18) & 7)));
		str_addc(dst, (char)(0x80 | ((cp >> 12) & 0x3f)));
		str_addc(dst, (char)(0x80 | ((cp >> 6) & 0x3f)));
		str_addc(dst, (char)(0x80 | (cp & 0x3f)));
	}
}

/* Behind the backslash. */
static int read_escape(struct toml *t, struct str *ret, bool many_lines)
{
	static const char from[] = "btnfre\"\\", to[] = "\b\t\n\f\r\x1b\"\\";
	const char c = peek(t), *found = c != '\0' ? strchr(from, c) : NULL;
	unsigned long cp = 0;

	if (many_lines && (c == '\n' || c == '\r' || c == ' ' || c == '\t')) {
		while (t->p < t->end && isspace((unsigned char)*t->p)) {
			t->line += *t->p == '\n';
			t->p++;
		}
		return 0;
	}
	t->p += t->p < t->end;
	if (found != NULL) {
		str_addc(ret, to[found - from]);
		return 0;
	}
	if (c != 'u' && c != 'U')
		return fail(t, "an escape that TOML does not know");
	for (int i = 0; i < (c == 'u' ? 4 : 8); i++, t->p++) {
		const char x = peek(t);

		if (!isxdigit((unsigned char)x))
			return fail(t, "an escape without its digits");
		cp = cp * 16 + (unsigned long)(x <= '9' ? x - '0' : (x | 0x20) - 'a' + 10);
	}
	if (cp == 0 || cp > 0x10ffff)
		return fail(t, "an escape of no character");
	add_utf8(ret, cp);
	return 0;
}

static int read_string(struct toml *t, struct str *ret)
{
	const char quote = *t->p;
	const char three[] = {quote, quote, quote, '\0'};
	const bool many_lines = at(t, three);

	t->p += many_lines ? 3 : 1;
	if (many_lines && at(t, "\r\n"))
		t->p++;
	if (many_lines && peek(t) == '\n') {
		t->line++;
		t->p++;
	}
	while (t->p < t->end) {
		if (many_lines ? at(t, three) : *t->p == quote) {
			t->p += many_lines ? 3 : 1;
			/* Up to two quotes may stand right before the closing three. */
			while (many_lines && peek(t) == quote) {
				str_addc(ret, quote);
				t->p++;
			}
			return 0;
		}
		if (*t->p == '\n' && !many_lines)
			return fail(t, "a string without its closing quote");
		t->line += *t->p == '\n';
		if (quote == '"' && *t->p == '\\') {
			t->p++;
			if (read_escape(t, ret, many_lines) != 0)
				return ERR_INVALID;
			continue;
		}
		if (*t->p == '\0')
			return fail(t, "a NUL byte");
		str_addc(ret, *t->p++);
	}
	return fail(t, "a string without its closing quote");
}

/* a."b c".d into dst, joined by dots; stops before '=', ']' or the like. */
static int read_key(struct toml *t, char dst[KEY_MAX])
{
	struct str key;
	int rc = 0;

	str_init(&key, KEY_MAX - 1);
	for (;;) {
		const size_t before = key.len;

		skip_blank(t);
		if (peek(t) == '"' || peek(t) == '\'')
			rc = read_string(t, &key);
		else
			while (isalnum((unsigned char)peek(t)) || peek(t) == '_' || peek(t) == '-')
				str_addc(&key, *t->p++);
		if (rc == 0 && key.len == before && t->p < t->end && t->p[-1] != '"' && t->p[-1] != '\'')
			rc = fail(t, "a key is missing");
		skip_blank(t);
		if (rc != 0 || peek(t) != '.')
			break;
		str_addc(&key, '.');
		t->p++;
	}
	if (rc == 0 && (key.failed || strlen(str_text(&key)) != key.len))
		rc = fail(t, "a key is too long");
	if (rc == 0)
		str_copy(dst, KEY_MAX, str_text(&key));
	str_release(&key);
	return rc;
}

static int read_array(struct toml *t, const char *key, struct str *ret, int depth)
{
	struct str value;
	int rc = 0;

	t->p++;
	str_init(&value, VALUE_MAX);
	for (int i = 0; rc == 0; i++) {
		char name[KEY_MAX + 16];

		skip_space(t);
		if (peek(t) == ']')
			break;
		str_clear(&value);
		snprintf(name, sizeof(name), "%s[%d]", key, i);
		rc = read_value(t, name, &value, depth + 1);
		if (rc != 0)
			break;
		if (ret->len > 0)
			str_addc(ret, ',');
		str_add(ret, str_text(&value));
		skip_space(t);
		if (peek(t) == ',')
			t->p++;
		else if (peek(t) != ']')
			rc = fail(t, "an array without its closing bracket");
	}
	t->p += rc == 0;
	str_release(&value);
	return rc;
}

/* key = value with the keys below prefix. */
static int read_pair(struct toml *t, const char *prefix, int depth)
{
	char key[KEY_MAX], full[KEY_MAX * 2 + 2];
	struct str value;
	int rc = read_key(t, key);

	if (rc != 0)
		return rc;
	if (peek(t) != '=')
		return fail(t, "expected = after a key");
	t->p++;
	skip_blank(t);
	snprintf(full, sizeof(full), "%s%s", prefix, key);
	str_init(&value, VALUE_MAX);
	rc = read_value(t, full, &value, depth);
	if (rc == 0 && value.failed)
		rc = fail(t, "a value is too long");
	str_release(&value);
	return rc;
}

static int read_inline(struct toml *t, const char *key, int depth)
{
	char prefix[KEY_MAX * 2];
	int rc = 0;

	t->p++;
	snprintf(prefix, sizeof(prefix), "%.600s.", key);
	for (;;) {
		skip_space(t);
		if (peek(t) == '}')
			break;
		rc = read_pair(t, prefix, depth + 1);
		if (rc != 0)
			return rc;
		skip_space(t);
		if (peek(t) == ',')
			t->p++;
		else if (peek(t) != '}')
			return fail(t, "a table without its closing brace");
	}
	t->p++;
	return 0;
}

/* Adds the setting, and its text to ret for an array around it. */
static int read_value(struct toml *t, const char *key, struct str *ret, int depth)
{
	int rc = 0;

	if (depth > DEPTH_MAX)
		return fail(t, "nested too deep");
	switch (peek(t)) {
	case '"':
	case '\'': rc = read_string(t, ret); break;
	case '[': rc = read_array(t, key, ret, depth); break;
	case '{': return read_inline(t, key, depth);
	default:
		while (t->p < t->end && strchr(" \t\r\n#,]}", *t->p) == NULL)
			str_addc(ret, *t->p++);
		if (ret->len == 0)
			return fail(t, "a value is missing");
		break;
	}
	if (rc == 0 && !ret->failed)
		settings_add(t->s, t->from, key, str_text(ret));
	return rc;
}

static int read_table(struct toml *t)
{
	const bool many = at(t, "[[");
	char name[KEY_MAX];
	int rc, k = 0;

	t->p += many ? 2 : 1;
	rc = read_key(t, name);
	if (rc != 0)
		return rc;
	if (!at(t, many ? "]]" : "]"))
		return fail(t, "a table's name without its closing bracket");
	t->p += many ? 2 : 1;
	if (!many) {
		snprintf(t->table, sizeof(t->table), "%.*s.", KEY_MAX - 2, name);
		return 0;
	}
	while (k < t->n_arrays && strncmp(t->arrays[k].name, name, sizeof(t->arrays[k].name) - 1) != 0)
		k++;
	if (k == TABLES_MAX)
		return fail(t, "too many tables");
	if (k == t->n_arrays) {
		str_copy(t->arrays[k].name, sizeof(t->arrays[k].name), name);
		t->n_arrays++;
	}
	snprintf(t->table, sizeof(t->table), "%.*s[%d].", KEY_MAX - 32, name, t->arrays[k].n++);
	return 0;
}

int settings_toml(struct settings *s, const char *from, const char *bytes, size_t n, struct error *e)
{
	struct toml t = {.s = s, .from = from, .p = bytes, .end = bytes + n, .line = 1, .e = e};

	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		t.p += 3;
	for (;;) {
		int rc;

		skip_space(&t);
		if (t.p >= t.end)
			return 0;
		rc = peek(&t) == '[' ? read_table(&t) : read_pair(&t, t.table, 0);
		if (rc != 0)
			return rc;
		skip_blank(&t);
		skip_comment(&t);
		if (t.p < t.end && *t.p != '\n' && *t.p != '\r')
			return fail(&t, "more behind a value");
	}
}
