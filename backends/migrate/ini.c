#include "backends/migrate/ini.h"
#include "core/str.h"

#include <string.h>

enum { VALUE_MAX = 16384, NESTING_MAX = 8 };

/* Between two lines: the entry whose value may go on. */
struct reading {
	struct ini *x;
	const char *section;
	struct str value;
	char key[256];
	size_t indent;
	bool open;
};

static void finish(struct reading *r)
{
	struct ini *x = r->x;
	size_t n = r->value.len;

	if (!r->open)
		return;
	r->open = false;
	while (n > 0 && strchr(" \t\r\n", r->value.data[n - 1]) != NULL)
		n--;
	if (x->n == x->room && x->n < INI_MAX) {
		x->room = MAX(64, x->room * 2);
		x->items = arena_grow(x->a, x->items, (size_t)x->n, (size_t)x->room, sizeof(*x->items));
	}
	if (x->items == NULL || x->n >= MIN(x->room, INI_MAX))
		return;
	x->items[x->n++] = (struct ini_entry){r->section, arena_strdup(x->a, r->key),
	                                      arena_strndup(x->a, str_text(&r->value), n)};
}

static void trim(const char **s, size_t *n)
{
	while (*n > 0 && strchr(" \t\r", **s) != NULL) {
		(*s)++;
		(*n)--;
	}
	while (*n > 0 && strchr(" \t\r", (*s)[*n - 1]) != NULL)
		(*n)--;
}

static void begin(struct reading *r, const char *s, size_t n)
{
	size_t k = 0;
	const char *value;
	size_t n_value;

	while (k < n && s[k] != '=' && s[k] != ':')
		k++;
	if (k == n)
		return;
	value = s + k + 1;
	n_value = n - k - 1;
	trim(&s, &k);
	trim(&value, &n_value);
	if (k == 0 || k >= sizeof(r->key))
		return;
	for (size_t i = 0; i < k; i++)
		r->key[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 'a' - 'A' : s[i]);
	r->key[k] = '\0';
	str_clear(&r->value);
	str_addn(&r->value, value, n_value);
	r->open = true;
}

static void read_line(struct reading *r, const char *s, size_t n)
{
	const size_t indent = strspn(s, " \t");

	trim(&s, &n);
	if (n > 0 && (*s == '#' || *s == ';'))
		return;
	if (n == 0) {
		if (r->open)
			str_addc(&r->value, '\n');
		return;
	}
	if (r->open && indent > r->indent) {
		str_addc(&r->value, '\n');
		str_addn(&r->value, s, n);
		return;
	}
	finish(r);
	r->indent = indent;
	if (*s == '[') {
		const char *end = memchr(s, ']', n);

		if (end != NULL)
			r->section = arena_strndup(r->x->a, s + 1, (size_t)(end - s) - 1);
		return;
	}
	if (r->section != NULL)
		begin(r, s, n);
}

void ini_read(struct ini *x, struct arena *a, const char *bytes, size_t n)
{
	struct reading r = {.x = x};
	size_t from = 0;

	*x = (struct ini){.a = a};
	str_init(&r.value, VALUE_MAX);
	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		from = 3;
	while (from < n) {
		const char *end = memchr(bytes + from, '\n', n - from);
		const size_t k = end != NULL ? (size_t)(end - bytes) - from : n - from;

		read_line(&r, bytes + from, k);
		from += k + 1;
	}
	finish(&r);
	str_release(&r.value);
}

bool ini_has_section(const struct ini *x, const char *section)
{
	for (int i = 0; i < x->n; i++)
		if (strcmp(x->items[i].section, section) == 0)
			return true;
	return false;
}

/* The last one wins; a section's own before the default. */
static const char *raw(const struct ini *x, const char *section, const char *key)
{
	const char *found = NULL;

	for (int pass = 0; pass < 2 && found == NULL; pass++)
		for (int i = 0; i < x->n; i++)
			if (strcmp(x->items[i].section, pass == 0 ? section : "DEFAULT") == 0 &&
			    strcmp(x->items[i].key, key) == 0)
				found = x->items[i].value;
	return found;
}

struct expansion {
	const struct ini *x;
	const char *section, *here;
	struct str out;
};

static bool expand(struct expansion *e, const char *value, int depth)
{
	if (depth > NESTING_MAX)
		return false;
	while (*value != '\0' && !e->out.failed) {
		const size_t plain = strcspn(value, "%");
		const char *end;
		char name[256];

		str_addn(&e->out, value, plain);
		value += plain;
		if (*value == '\0')
			break;
		if (value[1] == '%') {
			str_addc(&e->out, '%');
			value += 2;
			continue;
		}
		end = value[1] == '(' ? strstr(value, ")s") : NULL;
		if (end == NULL || (size_t)(end - value - 2) >= sizeof(name))
			return false;
		memcpy(name, value + 2, (size_t)(end - value - 2));
		name[end - value - 2] = '\0';
		for (char *c = name; *c != '\0'; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
		value = end + 2;
		if (strcmp(name, "here") == 0) {
			str_add(&e->out, e->here);
		} else {
			const char *of = raw(e->x, e->section, name);

			if (of == NULL || !expand(e, of, depth + 1))
				return false;
		}
	}
	return !e->out.failed;
}

const char *ini_get(const struct ini *x, const char *section, const char *key, const char *here)
{
	struct expansion e = {.x = x, .section = section, .here = here};
	const char *value = raw(x, section, key), *found = NULL;

	if (value == NULL)
		return NULL;
	str_init(&e.out, VALUE_MAX);
	if (expand(&e, value, 0))
		found = arena_strndup(x->a, str_text(&e.out), e.out.len);
	str_release(&e.out);
	return found;
}
