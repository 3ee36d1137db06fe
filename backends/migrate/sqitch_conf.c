/* sqitch.conf: git's configuration form, and what a target takes from it. */
#include "backends/migrate/sqitch_code.h"
#include "core/str.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

enum { CONF_MAX = 4096, VALUE_MAX = 8192, KEY_MAX = 512 };

void sqitch_list_add(struct arena *a, struct sqitch_list *list, const char *item)
{
	if (list->n == list->cap) {
		list->cap = MAX(4, list->cap * 2);
		list->items =
		    arena_grow(a, list->items, (size_t)list->n, (size_t)list->cap, sizeof(*list->items));
	}
	if (list->items != NULL)
		list->items[list->n++] = item;
}

/* --- reading ------------------------------------------------------------------------------------------------ */

struct reading {
	struct sqitch_conf *c;
	const char *p, *end;
	int line;
	char section[KEY_MAX / 2];
};

static int bad(struct reading *r, const char *what, struct error *e)
{
	error_set(e, ERR_INVALID, "sqitch.conf: %s", what);
	error_at(e, "sqitch.conf", r->line, 0);
	error_hint(e, "mend the file, or set `target` to what is meant");
	return ERR_INVALID;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f'; }

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_';
}

static char lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c); }

static void skip_line(struct reading *r)
{
	while (r->p < r->end && *r->p != '\n')
		r->p++;
}

/* [core], [engine "pg"], [core "variables"]: the name in quotes keeps its case. */
static int read_section(struct reading *r, struct error *e)
{
	size_t n = 0;

	for (r->p++; r->p < r->end && is_word(*r->p) && n + 2 < sizeof(r->section); r->p++)
		r->section[n++] = lower(*r->p);
	while (r->p < r->end && is_blank(*r->p))
		r->p++;
	if (r->p < r->end && *r->p == '"') {
		r->section[n++] = '.';
		for (r->p++; r->p < r->end && *r->p != '"' && *r->p != '\n'; r->p++) {
			if (*r->p == '\\' && r->p + 1 < r->end)
				r->p++;
			if (n + 2 >= sizeof(r->section))
				return bad(r, "a section's name is too long", e);
			r->section[n++] = *r->p;
		}
		if (r->p >= r->end || *r->p != '"')
			return bad(r, "a section's name does not end", e);
		r->p++;
	}
	while (r->p < r->end && is_blank(*r->p))
		r->p++;
	if (r->p >= r->end || *r->p != ']' || n == 0)
		return bad(r, "a section that cannot be read", e);
	r->p++;
	r->section[n] = '\0';
	return 0;
}

/* Behind '=': quotes, escapes, a backslash at the end of the line joins the next. */
static int read_value(struct reading *r, struct str *value, struct error *e)
{
	bool quoted = false;
	size_t keep = 0; /* blanks behind it are not the value's */

	while (r->p < r->end && is_blank(*r->p))
		r->p++;
	for (; r->p < r->end && *r->p != '\n'; r->p++) {
		char c = *r->p;

		if (!quoted && (c == '#' || c == ';')) {
			skip_line(r);
			break;
		}
		if (c == '"') {
			quoted = !quoted;
			keep = value->len;
			continue;
		}
		if (c == '\\') {
			if (++r->p >= r->end)
				break;
			if (*r->p == '\r' && r->p + 1 < r->end && r->p[1] == '\n')
				r->p++;
			c = *r->p;
			if (c == '\n') {
				r->line++;
				continue;
			}
			c = (char)(c == 'n' ? '\n' : c == 't' ? '\t' : c == 'b' ? '\b' : c);
			str_addc(value, c);
			keep = value->len;
			continue;
		}
		str_addc(value, c);
		if (quoted || !is_blank(c))
			keep = value->len;
	}
	if (quoted)
		return bad(r, "a quote does not end", e);
	if (value->failed)
		return bad(r, "a value is too long", e);
	if (value->data != NULL) {
		value->len = keep;
		value->data[keep] = '\0';
	}
	return 0;
}

static int read_setting(struct reading *r, struct error *e)
{
	struct sqitch_conf *c = r->c;
	char key[KEY_MAX];
	struct str value;
	size_t n;
	int rc = 0;

	n = (size_t)snprintf(key, sizeof(key), "%s.", r->section);
	while (r->p < r->end && is_word(*r->p) && n + 1 < sizeof(key))
		key[n++] = lower(*r->p++);
	key[n] = '\0';
	if (r->section[0] == '\0' || key[n - 1] == '.')
		return bad(r, "a line that cannot be read", e);
	while (r->p < r->end && is_blank(*r->p))
		r->p++;
	str_init(&value, VALUE_MAX);
	if (r->p < r->end && *r->p == '=') {
		r->p++;
		rc = read_value(r, &value, e);
	} else if (r->p < r->end && *r->p != '\n' && *r->p != '#' && *r->p != ';') {
		rc = bad(r, "a line that cannot be read", e);
	} else {
		str_add(&value, "true");
		skip_line(r);
	}
	if (rc == 0 && c->n == c->cap) {
		c->cap = MAX(32, c->cap * 2);
		c->items = arena_grow(c->a, c->items, (size_t)c->n, (size_t)c->cap, sizeof(*c->items));
	}
	if (rc == 0 && c->items != NULL && c->n < CONF_MAX)
		c->items[c->n++] =
		    (struct sqitch_setting){arena_strdup(c->a, key), arena_strdup(c->a, str_text(&value))};
	str_release(&value);
	return rc;
}

int sqitch_conf_read(struct sqitch_conf *c, struct arena *a, const char *bytes, size_t n, struct error *e)
{
	struct reading r = {.c = c, .p = bytes, .end = bytes + n, .line = 1};
	int rc = 0;

	*c = (struct sqitch_conf){.a = a};
	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		r.p += 3;
	while (rc == 0 && r.p < r.end) {
		if (*r.p == '\n') {
			r.line++;
			r.p++;
		} else if (is_blank(*r.p)) {
			r.p++;
		} else if (*r.p == '#' || *r.p == ';') {
			skip_line(&r);
		} else {
			rc = *r.p == '[' ? read_section(&r, e) : read_setting(&r, e);
		}
	}
	return rc;
}

const char *sqitch_conf_get(const struct sqitch_conf *c, const char *key)
{
	const char *found = NULL;

	for (int i = 0; i < c->n; i++)
		if (strcmp(c->items[i].key, key) == 0)
			found = c->items[i].value;
	return found;
}

/* --- targets -------------------------------------------------------------------------------------------------- */

/* "db:pg://host/x" and "db:postgres:" are of engine pg. */
static const char *engine_of_uri(struct arena *a, const char *uri)
{
	static const char *const names[] = {"pg",   "postgres",  "postgresql",
	                                    "pgxc", "cockroach", "cockroachdb"};
	const char *name = strncmp(uri, "db:", 3) == 0 ? uri + 3 : uri;
	const size_t n = strcspn(name, ":");

	for (size_t i = 0; i < 4; i++)
		if (strlen(names[i]) == n && memcmp(name, names[i], n) == 0)
			return "pg";
	for (size_t i = 4; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == n && memcmp(name, names[i], n) == 0)
			return "cockroach";
	return arena_strndup(a, name, n);
}

static const char *fetch(const struct sqitch_conf *c, const struct sqitch_target *t, const char *key)
{
	char full[KEY_MAX];
	const char *value = NULL;

	if (t->name[0] != '\0' && strchr(t->name, ':') == NULL) {
		snprintf(full, sizeof(full), "target.%.200s.%s", t->name, key);
		value = sqitch_conf_get(c, full);
	}
	if (value == NULL || value[0] == '\0') {
		snprintf(full, sizeof(full), "engine.%.60s.%s", t->engine, key);
		value = sqitch_conf_get(c, full);
	}
	if (value == NULL || value[0] == '\0') {
		snprintf(full, sizeof(full), "core.%s", key);
		value = sqitch_conf_get(c, full);
	}
	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Parts of a path without "." and "/" at the end; below a folder. */
static const char *path_of(struct arena *a, const char *folder, const char *rel)
{
	char path[PATH_LEN];
	size_t n = 0;
	const char *const parts[] = {folder, rel};

	for (size_t k = 0; k < ARRAY_LEN(parts); k++)
		for (const char *s = parts[k]; *s != '\0'; s += s[0] == '/') {
			const size_t part = strcspn(s, "/");

			if (part > 0 && !(part == 1 && s[0] == '.') && n + part + 2 < sizeof(path)) {
				if (n > 0)
					path[n++] = '/';
				memcpy(path + n, s, part);
				n += part;
			}
			s += part;
		}
	return arena_strndup(a, path, n);
}

static const char *dir_of(const struct sqitch_conf *c, const struct sqitch_target *t, const char *key,
                          const char *parent, const char *name)
{
	const char *value = fetch(c, t, key);

	return value != NULL ? path_of(c->a, "", value) : path_of(c->a, parent, name);
}

int sqitch_target_find(const struct sqitch_conf *c, const char *wanted, struct sqitch_target *ret,
                       struct error *e)
{
	struct sqitch_target t = {.name = "", .engine = "pg"};
	const char *engine = sqitch_conf_get(c, "core.engine"), *uri = NULL, *top, *reworked;
	char key[KEY_MAX];

	if (wanted == NULL)
		wanted = sqitch_conf_get(c, "core.target");
	if (wanted == NULL && engine != NULL) {
		t.engine = arena_strndup(c->a, engine, strcspn(engine, " \t"));
		if (t.engine == NULL)
			return error_set(e, ERR_NOMEM, "out of memory");
		snprintf(key, sizeof(key), "engine.%.60s.target", t.engine);
		wanted = sqitch_conf_get(c, key);
	}
	if (wanted != NULL && strchr(wanted, ':') == NULL) {
		snprintf(key, sizeof(key), "target.%.200s.uri", wanted);
		uri = sqitch_conf_get(c, key);
		if (uri == NULL) {
			char clean[NAME_LEN];

			text_cleanz(clean, sizeof(clean), wanted);
			error_set(e, ERR_NOT_FOUND, "sqitch.conf has no target %s", clean);
			error_hint(e, "set `target` to one that it has");
			return ERR_NOT_FOUND;
		}
	} else if (wanted != NULL) {
		uri = wanted;
	}
	if (wanted != NULL)
		t.name = wanted;
	if (uri != NULL)
		t.engine = engine_of_uri(c->a, uri);
	top = fetch(c, &t, "top_dir");
	t.deploy_dir = dir_of(c, &t, "deploy_dir", top != NULL ? top : "", "deploy");
	t.plan_file = dir_of(c, &t, "plan_file", top != NULL ? top : "", "sqitch.plan");
	reworked = fetch(c, &t, "reworked_dir");
	t.reworked_dir = dir_of(c, &t, "reworked_deploy_dir",
	                        reworked != NULL ? reworked
	                        : top != NULL    ? top
	                                         : "",
	                        "deploy");
	t.extension = fetch(c, &t, "extension");
	if (t.extension == NULL)
		t.extension = "sql";
	t.registry = fetch(c, &t, "registry");
	if (arena_failed(c->a))
		return error_set(e, ERR_NOMEM, "out of memory");
	*ret = t;
	return 0;
}
