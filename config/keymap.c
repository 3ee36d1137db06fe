#include "config/keymap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/near.h"
#include "config/yaml.h"
#include "core/baked.h"
#include "io/file.h"

enum { KEYMAP_ARENA_MAX = 4 * 1024 * 1024, WORDS_MAX = 8 };

const char *const keymap_contexts[] = {
    "global",  "board",  "detail", "logs",     "metrics", "rollouts", "rollout", "approvals", "migrations",
    "migration", "commit", "history", "doctor", "plan",   "rollback", "errors",  "picker",   "help",    NULL};
const char *const keymap_groups[] = {"move", "open", "find", "read", "act", "plan", NULL};

static const char *const key_names[] = {
    "Up",    "Down", "Left",  "Right",     "Home",   "End",    "PgUp", "PgDn", "Tab", "S-Tab",
    "Enter", "Esc",  "Space", "Backspace", "Delete", "Insert", "F1",   "F2",   "F3",  "F4",
    "F5",    "F6",   "F7",    "F8",        "F9",     "F10",    "F11",  "F12",  NULL};

struct reader {
	struct arena *a;
	const char *name;
	const char *const *actions;
	struct error *e;
	struct keymap *km;
	bool user; /* laid over a default */
};

static bool in_list(const char *const *list, const char *s)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, s) == 0)
			return true;
	return false;
}

static int PRINTF_LIKE(4, 5)
    fail(struct reader *r, const struct yaml *y, const char *hint, const char *fmt, ...)
{
	char text[TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	yaml_error(y, r->name, r->e, "%s", text);
	if (hint != NULL)
		error_hint(r->e, "%s", hint);
	return ERR_INVALID;
}

static int unknown(struct reader *r, const struct yaml *y, const char *what, const char *word,
                   const char *const *names)
{
	const char *near = near_name(word, names);

	yaml_error(y, r->name, r->e, "%s %.60s is not known", what, word);
	if (near != NULL)
		error_hint(r->e, "did you mean %s?", near);
	else
		error_hint(r->e, "towpath-keys(5) lists them all");
	return ERR_INVALID;
}

const char *keys_next(const char *keys, char *dst, size_t cap)
{
	size_t n;

	if (keys == NULL)
		return NULL;
	keys += strspn(keys, " ");
	n = strcspn(keys, " ");
	if (n == 0)
		return NULL;
	snprintf(dst, cap, "%.*s", (int)MIN(n, cap - 1), keys);
	return keys + n;
}

static bool is_char(char c) { return c > 0x20 && c < 0x7f; }

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

/* NULL if the word can be bound, else why not. */
static const char *key_refusal(const char *w)
{
	size_t n = strlen(w);

	if (n == 1)
		return is_char(w[0]) ? NULL : "is no key";
	if (in_list(key_names, w))
		return NULL;
	if (n == 3 && w[0] == 'C' && w[1] == '-') {
		if (strchr("sqz\\", w[2]) != NULL)
			return "belongs to the terminal (flow control, suspend, quit)";
		if (strchr("hijm[", w[2]) != NULL)
			return "is the same byte as another key (Backspace, Tab, Enter, Esc)";
		if (w[2] == 'a')
			return "belongs to terminal multiplexers";
		return is_lower(w[2]) ? NULL : "is no key";
	}
	if (n == 3 && (w[0] == 'A' || w[0] == 'M') && w[1] == '-')
		return "cannot be told from Esc and a key";
	return n == 2 && is_char(w[0]) && is_char(w[1]) ? NULL : "is no key";
}

static bool is_protected(const char *w)
{
	return strcmp(w, "Esc") == 0 || strcmp(w, "q") == 0 || strcmp(w, "C-c") == 0 || strcmp(w, "x") == 0;
}

/* Rules that hold for one key of one row. */
static int check_key(struct reader *r, const struct yaml *y, const struct binding *b, const char *w)
{
	const char *why = key_refusal(w);
	bool execute = strcmp(b->action, "execute") == 0;

	if (why != NULL)
		return fail(r, y, "one character, two in a row, or a name such as Up, PgDn, F1, C-d", "%s %s",
		            w, why);
	if (r->user && is_protected(w))
		return fail(r, y, "Esc, q, C-c and x mean the same everywhere: take another key",
		            "%s cannot be changed", w);
	if ((strcmp(w, "x") == 0) != execute)
		return fail(r, y, "x executes inside a plan, and no other key does",
		            execute ? "%s cannot execute" : "%s cannot be bound to another action", w);
	if (execute && strcmp(b->context, "plan") != 0 && strcmp(b->context, "rollback") != 0)
		return fail(r, y, "only a plan can be executed", "execute has no meaning in %s", b->context);
	if (strcmp(b->group, "act") == 0 && !(strlen(w) == 1 && is_upper(w[0])))
		return fail(r, y, "a key that opens a plan is an upper-case letter", "%s cannot open a plan",
		            w);
	return 0;
}

/* The rows of the context that are already there: no key twice, and no key that starts another. */
static int check_double(struct reader *r, const struct yaml *y, const struct binding *rows, int n,
                        const char *context, const char *w)
{
	char other[KEYS_LEN];
	char hint[80];

	for (int i = 0; i < n; i++) {
		const char *p = rows[i].keys;

		if (strcmp(rows[i].context, context) != 0 || strcmp(rows[i].action, "none") == 0)
			continue;
		while ((p = keys_next(p, other, sizeof(other))) != NULL) {
			bool same = strcmp(other, w) == 0;
			bool starts = !in_list(key_names, other) && !in_list(key_names, w) &&
			              strlen(w) <= 2 && strlen(other) <= 2 && strlen(w) != strlen(other) &&
			              other[0] == w[0];

			if (!same && !starts)
				continue;
			snprintf(hint, sizeof(hint), "the other one is in line %d: %.30s", rows[i].line,
			         rows[i].action);
			return fail(r, y, hint,
			            same ? "%s is bound twice in %s"
			                 : "%s starts or is started by another key in %s",
			            w, context);
		}
	}
	return 0;
}

static int read_word(struct reader *r, const struct yaml *row, const char *key, bool required,
                     const char **ret)
{
	const struct yaml *y = yaml_get(row, key);

	if (y == NULL) {
		*ret = "";
		return required
		           ? fail(r, row,
		                  "a row is {keys: \"j Down\", action: move down, note: ..., group: move}",
		                  "the binding has no %s", key)
		           : 0;
	}
	if (y->type != YAML_SCALAR)
		return fail(r, y, "put it in quotes", "%s must be one text", key);
	*ret = y->text;
	return 0;
}

/* The default's row of the same action gives the user's row what it does not say. */
static void inherit(const struct keymap *km, struct binding *b)
{
	for (int i = 0; i < km->n; i++) {
		const struct binding *d = &km->items[i];

		if (strcmp(d->action, b->action) != 0)
			continue;
		if (b->note[0] == '\0')
			b->note = d->note;
		/* Whatever the user's row says: an action that opens a plan stays one. */
		if (b->group[0] == '\0' || strcmp(d->group, "act") == 0)
			b->group = d->group;
	}
	if (b->group[0] == '\0')
		b->group = "read";
}

static int read_row(struct reader *r, const char *context, const struct yaml *row, struct binding *b)
{
	static const char *const fields[] = {"keys", "action", "note", "group", "footer", NULL};
	const struct yaml *footer = yaml_get(row, "footer");
	int rc;

	if (row->type != YAML_MAP)
		return fail(r, row, "a row is {keys: \"j Down\", action: move down, note: ..., group: move}",
		            "a binding must be a mapping");
	for (int i = 0; i < row->n; i++)
		if (!in_list(fields, row->keys[i]))
			return unknown(r, row->key_at[i], "the key", row->keys[i], fields);
	*b = (struct binding){.context = context, .line = row->line};
	rc = read_word(r, row, "keys", true, &b->keys);
	if (rc == 0)
		rc = read_word(r, row, "action", true, &b->action);
	if (rc == 0)
		rc = read_word(r, row, "note", false, &b->note);
	if (rc == 0)
		rc = read_word(r, row, "group", false, &b->group);
	if (rc != 0)
		return rc;
	if (footer != NULL) {
		b->footer = footer->type == YAML_SCALAR && strcmp(footer->text, "true") == 0;
		if (!b->footer && (footer->type != YAML_SCALAR || strcmp(footer->text, "false") != 0))
			return fail(r, footer, "write true or false", "footer must be true or false");
	}
	if (r->user && strcmp(b->action, "none") == 0)
		b->group = "read";
	else if (r->actions != NULL && !in_list(r->actions, b->action))
		return unknown(r, yaml_get(row, "action"), "the action", b->action, r->actions);
	if (r->user)
		inherit(r->km, b);
	if (!in_list(keymap_groups, b->group))
		return b->group[0] != '\0'
		           ? unknown(r, yaml_get(row, "group"), "the group", b->group, keymap_groups)
		           : fail(r, row, "add group: move, open, find, read, act or plan",
		                  "the binding has no group");
	return 0;
}

static int check_row(struct reader *r, const struct yaml *row, const struct binding *b,
                     const struct binding *rows, int n)
{
	const struct yaml *at = yaml_get(row, "keys");
	const char *p = b->keys;
	char w[KEYS_LEN], keys[KEYS_LEN] = "";
	size_t len = 0;
	int words = 0, rc = 0;

	while (rc == 0 && (p = keys_next(p, w, sizeof(w))) != NULL) {
		struct binding self = *b;

		rc = check_key(r, at, b, w);
		if (rc == 0)
			rc = check_double(r, at, rows, n, b->context, w);
		self.keys = keys;
		if (rc == 0 && words > 0)
			rc = check_double(r, at, &self, 1, b->context, w);
		if (rc == 0 && (++words > WORDS_MAX || len + strlen(w) + 2 > sizeof(keys)))
			rc = fail(r, at, "write two rows", "too many keys in one row");
		if (rc == 0)
			len +=
			    (size_t)snprintf(keys + len, sizeof(keys) - len, "%s%s", len > 0 ? " " : "", w);
	}
	if (rc == 0 && words == 0)
		rc = fail(r, at, "such as \"j Down\"", "the binding names no key");
	return rc;
}

/* All rows of a file, in its order, into ret (room for KEYMAP_BINDINGS_MAX). */
static int read_rows(struct reader *r, const struct yaml *root, struct binding *ret, int *ret_n)
{
	int n = 0, rc = 0;

	if (root->type == YAML_NULL) {
		*ret_n = 0;
		return 0;
	}
	if (root->type != YAML_MAP)
		return fail(r, root, "such as: global: [{keys: F5, action: refresh}]",
		            "the file must be a mapping of contexts");
	for (int i = 0; i < root->n; i++) {
		const struct yaml *list = root->items[i];

		if (!in_list(keymap_contexts, root->keys[i]))
			return unknown(r, root->key_at[i], "the context", root->keys[i], keymap_contexts);
		if (list->type != YAML_SEQ)
			return fail(r, list, "start each row with '- '", "%s must be a list of bindings",
			            root->keys[i]);
		for (int k = 0; rc == 0 && k < list->n; k++) {
			if (n == KEYMAP_BINDINGS_MAX)
				return fail(r, list->items[k], NULL, "more bindings than there may be");
			rc = read_row(r, root->keys[i], list->items[k], &ret[n]);
			if (rc == 0)
				rc = check_row(r, list->items[k], &ret[n], ret, n);
			n++;
		}
		if (rc != 0)
			return rc;
	}
	*ret_n = n;
	return 0;
}

/* Copies rows with their texts into the keymap's arena. Keys come out with one space between words. */
static int store_rows(struct keymap *km, const struct binding *rows, int n, struct error *e)
{
	km->items = arena_alloc(&km->arena, (size_t)n * sizeof(*km->items) + 1);
	for (int i = 0; km->items != NULL && i < n; i++) {
		struct binding *b = &km->items[i];
		char keys[KEYS_LEN * 2] = "", w[KEYS_LEN];
		const char *p = rows[i].keys;
		size_t len = 0;

		while ((p = keys_next(p, w, sizeof(w))) != NULL && len < sizeof(keys) - KEYS_LEN)
			len +=
			    (size_t)snprintf(keys + len, sizeof(keys) - len, "%s%s", len > 0 ? " " : "", w);
		*b = rows[i];
		b->context = arena_strdup(&km->arena, rows[i].context);
		b->keys = arena_strdup(&km->arena, keys);
		b->action = arena_strdup(&km->arena, rows[i].action);
		b->note = arena_strdup(&km->arena, rows[i].note);
		b->group = arena_strdup(&km->arena, rows[i].group);
	}
	km->n = n;
	if (!arena_failed(&km->arena))
		return 0;
	keymap_free(km);
	return error_set(e, ERR_NOMEM, "out of memory");
}

static int read_file(struct reader *r, const char *bytes, size_t n, struct binding *rows, int *ret_n)
{
	const struct yaml *root = NULL;
	int rc = yaml_parse(r->a, r->name, bytes, n, &root, r->e);

	return rc != 0 ? rc : read_rows(r, root, rows, ret_n);
}

int keymap_parse(struct keymap *ret, const char *name, const char *bytes, size_t n,
                 const char *const *actions, struct error *e)
{
	struct error ignored;
	struct arena a;
	struct keymap km = {.n = 0};
	struct reader r = {
	    .a = &a, .name = name, .actions = actions, .e = e != NULL ? e : &ignored, .km = &km};
	struct binding *rows;
	int n_rows = 0, rc;

	arena_init(&a, KEYMAP_ARENA_MAX);
	arena_init(&km.arena, KEYMAP_ARENA_MAX);
	rows = arena_alloc(&a, KEYMAP_BINDINGS_MAX * sizeof(*rows));
	rc = rows == NULL ? error_set(e, ERR_NOMEM, "out of memory") : read_file(&r, bytes, n, rows, &n_rows);
	if (rc == 0)
		rc = store_rows(&km, rows, n_rows, r.e);
	if (rc == 0)
		*ret = km;
	arena_release(&a);
	return rc;
}

/* A default row without the keys that the user gave to something else in the same context. */
static const char *keys_left(struct arena *a, const struct binding *d, const struct binding *rows, int n)
{
	char keys[KEYS_LEN * 2] = "", w[KEYS_LEN], other[KEYS_LEN];
	const char *p = d->keys;
	size_t len = 0;

	while ((p = keys_next(p, w, sizeof(w))) != NULL) {
		bool taken = false;

		for (int i = 0; i < n && !taken; i++) {
			const char *q = rows[i].keys;

			if (strcmp(rows[i].context, d->context) != 0)
				continue;
			while (!taken && (q = keys_next(q, other, sizeof(other))) != NULL)
				taken = strcmp(w, other) == 0;
		}
		if (!taken && len < sizeof(keys) - KEYS_LEN)
			len +=
			    (size_t)snprintf(keys + len, sizeof(keys) - len, "%s%s", len > 0 ? " " : "", w);
	}
	return arena_strdup(a, keys);
}

/* Default rows that keep a key, then the user's, context by context; each checked against those before. */
static int merge_rows(struct reader *r, const struct binding *mine, int n_mine, struct binding *out,
                      int *ret_n)
{
	int n = 0;

	for (int c = 0; keymap_contexts[c] != NULL; c++) {
		for (int i = 0; i < r->km->n; i++) {
			struct binding b = r->km->items[i];

			if (strcmp(b.context, keymap_contexts[c]) != 0)
				continue;
			b.keys = keys_left(r->a, &b, mine, n_mine);
			if (b.keys == NULL)
				return error_set(r->e, ERR_NOMEM, "out of memory");
			if (b.keys[0] != '\0' && n < KEYMAP_BINDINGS_MAX)
				out[n++] = b;
		}
		for (int i = 0; i < n_mine; i++) {
			struct yaml place = {.line = mine[i].line, .col = 1};
			const char *p = mine[i].keys;
			char w[KEYS_LEN];

			if (strcmp(mine[i].context, keymap_contexts[c]) != 0 ||
			    strcmp(mine[i].action, "none") == 0)
				continue;
			while ((p = keys_next(p, w, sizeof(w))) != NULL) {
				int rc = check_double(r, &place, out, n, mine[i].context, w);

				if (rc != 0)
					return rc;
			}
			if (n < KEYMAP_BINDINGS_MAX)
				out[n++] = mine[i];
		}
	}
	*ret_n = n;
	return 0;
}

int keymap_merge(struct keymap *km, const char *name, const char *bytes, size_t n, const char *const *actions,
                 struct error *e)
{
	struct error ignored;
	struct arena a;
	struct keymap made = {.n = 0};
	struct reader r = {
	    .a = &a, .name = name, .actions = actions, .e = e != NULL ? e : &ignored, .km = km, .user = true};
	struct binding *mine, *all;
	int n_mine = 0, n_all = 0, rc;

	arena_init(&a, KEYMAP_ARENA_MAX);
	arena_init(&made.arena, KEYMAP_ARENA_MAX);
	mine = arena_alloc(&a, KEYMAP_BINDINGS_MAX * sizeof(*mine));
	all = arena_alloc(&a, KEYMAP_BINDINGS_MAX * sizeof(*all));
	rc = mine == NULL || all == NULL ? error_set(e, ERR_NOMEM, "out of memory")
	                                 : read_file(&r, bytes, n, mine, &n_mine);
	if (rc == 0)
		rc = merge_rows(&r, mine, n_mine, all, &n_all);
	if (rc == 0)
		rc = store_rows(&made, all, n_all, r.e);
	arena_release(&a);
	if (rc != 0)
		return rc;
	arena_release(&km->arena);
	*km = made;
	return 0;
}

int keymap_load(struct keymap *ret, const char *const *actions, struct error *e)
{
	const struct baked *own = baked_find("config/keymap.yaml");
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char path[PATH_LEN] = "";
	struct str bytes;
	int rc;

	if (own == NULL)
		return error_set(e, ERR_NOT_FOUND, "the program carries no keymap");
	rc = keymap_parse(ret, own->path, (const char *)own->bytes, own->n, actions, e);
	if (rc != 0)
		return rc;
	if (xdg != NULL && xdg[0] == '/')
		snprintf(path, sizeof(path), "%.900s/towpath/keys.yaml", xdg);
	else if (home != NULL && home[0] == '/')
		snprintf(path, sizeof(path), "%.900s/.config/towpath/keys.yaml", home);
	if (path[0] == '\0' || !file_exists(path))
		return 0;
	str_init(&bytes, CONFIG_BYTES_MAX + 1);
	rc = file_read(path, CONFIG_BYTES_MAX, &bytes, e);
	if (rc == 0)
		rc = keymap_merge(ret, path, str_text(&bytes), bytes.len, actions, e);
	str_release(&bytes);
	return rc;
}

void keymap_free(struct keymap *km)
{
	arena_release(&km->arena);
	km->items = NULL;
	km->n = 0;
}

static const struct binding *find_in(const struct keymap *km, const char *context, const char *word,
                                     bool *prefix)
{
	char w[KEYS_LEN];

	for (int i = 0; i < km->n; i++) {
		const char *p = km->items[i].keys;

		if (strcmp(km->items[i].context, context) != 0)
			continue;
		while ((p = keys_next(p, w, sizeof(w))) != NULL) {
			if (strcmp(w, word) == 0)
				return &km->items[i];
			if (strlen(word) == 1 && strlen(w) == 2 && w[0] == word[0])
				*prefix = true;
		}
	}
	return NULL;
}

const struct binding *keymap_find(const struct keymap *km, const char *context, const char *word,
                                  bool *ret_prefix)
{
	const struct binding *b;
	bool prefix = false;

	b = find_in(km, context, word, &prefix);
	if (b == NULL && !prefix && strcmp(context, "global") != 0)
		b = find_in(km, "global", word, &prefix);
	if (ret_prefix != NULL)
		*ret_prefix = prefix;
	return b;
}
