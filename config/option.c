/* Driver options: templates, types, defaults, all by the driver's own table. */
#include <stdio.h>
#include <string.h>

#include "config/field.h"
#include "core/text.h"
#include "io/file.h"

enum { OPTIONS_MAX = 64 };

/* Placeholders that drivers fill themselves. */
static const char *const driver_words[] = {"instance", "url",      "name",    "release_dir", "app", "rest",
                                           "version",  "previous", "address", "migrations",  NULL};

/* The bytes of the file at a place, NULL where there is none. */
static const char *bytes_at(const struct loader *ld, int line, int col)
{
	const char *p = ld->bytes, *end = p + ld->n;

	for (; p < end && line > 1; p++)
		line -= *p == '\n';
	for (; p < end && *p != '\n' && col > 1; p++)
		col -= ((unsigned char)p[0] & 0xc0) != 0x80 &&
		       !(p + 1 < end && ((unsigned char)p[1] & 0xc0) == 0x80);
	return p < end ? p : NULL;
}

/* The place of an offset in a value, where the value stands on one line as it is; else the value's own place. */
static struct yaml place_in(const struct loader *ld, const struct yaml *y, size_t offset, size_t n)
{
	struct yaml at = *y;
	const char *p;

	at.col = y->col + (y->quoted ? 1 : 0) + (int)offset;
	p = bytes_at(ld, at.line, at.col);
	if (p == NULL || (size_t)(ld->bytes + ld->n - p) < n || strncmp(p, y->text + offset, n) != 0)
		at.col = y->col;
	return at;
}

static const char *word_value(const struct loader *ld, const char *word)
{
	if (strcmp(word, "env") == 0)
		return ld->env;
	if (strcmp(word, "service") == 0)
		return ld->service;
	return NULL;
}

static int unknown_word(struct loader *ld, const struct yaml *y, size_t offset, const char *word,
                        const char *const *keep)
{
	const char *names[ARRAY_LEN(driver_words) + 3];
	struct yaml at = place_in(ld, y, offset, strlen(word) + 2);
	char text[NAME_LEN + 4];
	int n = 0;

	if (ld->service != NULL)
		names[n++] = "service";
	if (ld->env != NULL)
		names[n++] = "env";
	for (int i = 0; keep[i] != NULL; i++)
		names[n++] = keep[i];
	names[n] = NULL;
	if (strcmp(word, "env") != 0 && strcmp(word, "service") != 0)
		return load_unknown(ld, &at, "the placeholder", word, names);
	snprintf(text, sizeof(text), "{%s}", word);
	load_fail(ld, &at, "%s has no meaning here", text);
	error_hint(ld->e, "only what belongs to a deployment may use it");
	return ERR_INVALID;
}

int template_expand(struct loader *ld, const struct yaml *y, const char *text, const char *const *keep,
                    const char **ret)
{
	struct str out;
	const char *p = text;
	int rc = 0;

	if (strchr(text, '{') == NULL) {
		*ret = text;
		return 0;
	}
	str_init(&out, CONFIG_BYTES_MAX);
	while (*p != '\0' && rc == 0) {
		size_t n = *p == '{' ? strspn(p + 1, "abcdefghijklmnopqrstuvwxyz_") : 0;
		const char *v;
		char word[NAME_LEN];

		if (n == 0 || p[n + 1] != '}' || n >= sizeof(word) || (p > text && p[-1] == '$')) {
			str_addc(&out, *p++);
			continue;
		}
		snprintf(word, sizeof(word), "%.*s", (int)n, p + 1);
		v = word_value(ld, word);
		if (strcmp(word, "env") == 0)
			ld->uses_env = true;
		if (v != NULL) {
			str_add(&out, v);
		} else {
			int k = 0;

			while (keep[k] != NULL && strcmp(keep[k], word) != 0)
				k++;
			if (keep[k] == NULL)
				rc = unknown_word(ld, y, (size_t)(p - text), word, keep);
			str_addn(&out, p, n + 2);
		}
		p += n + 2;
	}
	if (rc == 0) {
		*ret = arena_strdup(ld->a, str_text(&out));
		if (*ret == NULL || out.failed)
			rc = error_set(ld->e, ERR_NOMEM, "out of memory");
	}
	str_release(&out);
	return rc;
}

static int option_text(struct loader *ld, const struct option_desc *d, const struct yaml *y, const char **ret)
{
	int rc = read_text(ld, d->name, y, ret);

	return rc != 0 ? rc : template_expand(ld, y, *ret, driver_words, ret);
}

static int option_path(struct loader *ld, const struct option_desc *d, const struct yaml *y, struct jv **ret)
{
	char path[PATH_LEN];
	const char *s = "";
	int rc = option_text(ld, d, y, &s);

	if (rc != 0)
		return rc;
	if (s[0] == '\0' || s[0] == '~') {
		load_fail(ld, y, "%s is %s", d->name, s[0] == '~' ? "not a path that can be used" : "empty");
		error_hint(ld->e, "a path from the folder of this file, or one that starts with /");
		return ERR_INVALID;
	}
	if (file_join(path, sizeof(path), ld->dir, s) != 0) {
		load_fail(ld, y, "%s is too long", d->name);
		error_hint(ld->e, "at most %d bytes with its folder", PATH_LEN - 1);
		return ERR_INVALID;
	}
	*ret = jv_str(ld->a, path);
	return 0;
}

static int option_texts(struct loader *ld, const struct option_desc *d, const struct yaml *y, struct jv **ret)
{
	const char *const *list = NULL;
	int rc = read_list(ld, d->name, y, d->type == OPTION_ARGV ? 1 : 0, &list);

	*ret = jv_arr(ld->a);
	for (int i = 0; rc == 0 && list[i] != NULL; i++) {
		const char *s = "";

		rc = template_expand(ld, y->items[i], list[i], driver_words, &s);
		if (rc == 0 && d->type == OPTION_ARGV && i == 0 && s[0] == '\0') {
			load_fail(ld, y->items[i], "%s names no program", d->name);
			error_hint(ld->e, "a program and its arguments, such as [systemctl, restart, web]");
			rc = ERR_INVALID;
		}
		jv_push(ld->a, *ret, jv_str(ld->a, s));
	}
	return rc;
}

static int option_map(struct loader *ld, const struct option_desc *d, const struct yaml *y, struct jv **ret)
{
	int rc = 0;

	if (y->type != YAML_MAP) {
		load_fail(ld, y, "%s must be a mapping", d->name);
		error_hint(ld->e, "such as %s: {NAME: value}", d->name);
		return ERR_INVALID;
	}
	*ret = jv_obj(ld->a);
	for (int i = 0; rc == 0 && i < y->n; i++) {
		const char *s = "";

		rc = read_text(ld, y->keys[i], y->items[i], &s);
		if (rc == 0)
			rc = template_expand(ld, y->items[i], s, driver_words, &s);
		jv_set_str(ld->a, *ret, y->keys[i], s);
	}
	return rc;
}

static bool is_variable_name(const char *s)
{
	return s[0] != '\0' && strlen(s) < KEY_LEN && strchr("0123456789", s[0]) == NULL &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

static int option_secret(struct loader *ld, const struct option_desc *d, const struct yaml *y,
                         struct jv **ret)
{
	static const char *const names[] = {"env", "file", "command", NULL};
	struct option_desc inner = {.name = "file", .type = OPTION_PATH};
	struct jv *v = NULL;
	const char *s = "";
	int rc;

	if (y->type != YAML_MAP || y->n != 1) {
		load_fail(ld, y, "%s must be a reference, never the secret itself", d->name);
		error_hint(ld->e, "one of {env: NAME}, {file: PATH}, {command: [program, argument]}");
		return ERR_INVALID;
	}
	if (strcmp(y->keys[0], "env") == 0) {
		inner.name = "env";
		rc = option_text(ld, &inner, y->items[0], &s);
		if (rc == 0 && !is_variable_name(s)) {
			load_fail(ld, y->items[0], "%.60s is no name of an environment variable", s);
			error_hint(ld->e, "letters, digits and '_', such as DATABASE_URL");
			rc = ERR_INVALID;
		}
		v = jv_str(ld->a, s);
	} else if (strcmp(y->keys[0], "file") == 0) {
		rc = option_path(ld, &inner, y->items[0], &v);
	} else if (strcmp(y->keys[0], "command") == 0) {
		inner = (struct option_desc){.name = "command", .type = OPTION_ARGV};
		rc = option_texts(ld, &inner, y->items[0], &v);
	} else {
		return load_unknown(ld, y->key_at[0], "the secret source", y->keys[0], names);
	}
	*ret = jv_obj(ld->a);
	if (rc == 0)
		jv_set(ld->a, *ret, y->keys[0], v);
	return rc;
}

static int option_scalar(struct loader *ld, const struct option_desc *d, const struct yaml *y,
                         struct jv **ret)
{
	const char *s = "";
	int64_t v = 0;
	bool b = false;
	int rc = 0;

	switch (d->type) {
	case OPTION_INT:
		rc = read_int(ld, d->name, y, d->min, d->max, &v);
		*ret = jv_int(ld->a, v);
		return rc;
	case OPTION_DURATION:
		rc = read_duration(ld, d->name, y, d->min, d->max, &v);
		*ret = jv_int(ld->a, v);
		return rc;
	case OPTION_BOOL:
		rc = read_bool(ld, d->name, y, &b);
		*ret = jv_bool(ld->a, b);
		return rc;
	case OPTION_STRING:
	case OPTION_URL:
	case OPTION_CHOICE:
	case OPTION_PATH:
	case OPTION_ARGV:
	case OPTION_LIST:
	case OPTION_MAP:
	case OPTION_SECRET: rc = option_text(ld, d, y, &s); break;
	}
	if (rc == 0 && d->type == OPTION_URL)
		rc = check_url(ld, d->name, y, s, true);
	for (int i = 0; rc == 0 && d->type == OPTION_CHOICE; i++) {
		if (d->choices[i] == NULL)
			return load_unknown(ld, y, d->name, s, d->choices);
		if (strcmp(d->choices[i], s) == 0)
			break;
	}
	*ret = jv_str(ld->a, s);
	return rc;
}

static int option_read(struct loader *ld, const struct option_desc *d, const struct yaml *y, struct jv **ret)
{
	switch (d->type) {
	case OPTION_PATH: return option_path(ld, d, y, ret);
	case OPTION_ARGV:
	case OPTION_LIST: return option_texts(ld, d, y, ret);
	case OPTION_MAP: return option_map(ld, d, y, ret);
	case OPTION_SECRET: return option_secret(ld, d, y, ret);
	case OPTION_STRING:
	case OPTION_URL:
	case OPTION_INT:
	case OPTION_BOOL:
	case OPTION_DURATION:
	case OPTION_CHOICE: return option_scalar(ld, d, y, ret);
	}
	return ERR_INVALID;
}

/* The default of a row as the node that it would be in the file. */
static int default_node(struct loader *ld, const struct option_desc *d, const struct yaml *place,
                        const struct yaml **ret)
{
	bool scalar = d->type != OPTION_ARGV && d->type != OPTION_LIST && d->type != OPTION_MAP &&
	              d->type != OPTION_SECRET;
	struct yaml *y;

	if (!scalar)
		return yaml_parse(ld->a, d->name, d->otherwise, strlen(d->otherwise), ret, ld->e);
	y = arena_alloc(ld->a, sizeof(*y));
	if (y == NULL)
		return error_set(ld->e, ERR_NOMEM, "out of memory");
	*y = (struct yaml){.type = YAML_SCALAR, .line = place->line, .col = place->col, .text = d->otherwise};
	*ret = y;
	return 0;
}

static int driver_name(struct loader *ld, enum port port, const struct yaml *y, const struct driver **ret)
{
	const struct yaml *at = yaml_get(y, "driver");
	const char *names[OPTIONS_MAX], *s = "";
	int n = 0, rc;

	for (int i = 0; ld->drivers != NULL && ld->drivers[i] != NULL && n < OPTIONS_MAX - 1; i++)
		if (ld->drivers[i]->port == port)
			names[n++] = ld->drivers[i]->name;
	names[n] = NULL;
	if (at == NULL) {
		load_fail(ld, y, "%s has no driver", port_name(port));
		error_hint(ld->e, "add driver: %s", n > 0 ? names[0] : "NAME");
		return ERR_INVALID;
	}
	rc = read_text(ld, "driver", at, &s);
	if (rc != 0)
		return rc;
	*ret = ld->drivers != NULL ? driver_find(ld->drivers, port, s) : NULL;
	return *ret != NULL ? 0 : load_unknown(ld, at, "the driver", s, names);
}

static int check_option_keys(struct loader *ld, const struct driver *d, const struct yaml *y)
{
	const char *names[OPTIONS_MAX];
	int n = 0;

	for (const struct option_desc *o = d->options; o != NULL && o->name != NULL && n < OPTIONS_MAX - 1;
	     o++)
		names[n++] = o->name;
	names[n] = NULL;
	for (int i = 0; i < y->n; i++) {
		int k = 0;

		while (k < n && strcmp(names[k], y->keys[i]) != 0)
			k++;
		if (k < n || strcmp(y->keys[i], "driver") == 0)
			continue;
		load_unknown(ld, y->key_at[i], "the option", y->keys[i], names);
		if (n == 0)
			error_hint(ld->e, "the driver %s has no options", d->name);
		return ERR_INVALID;
	}
	return 0;
}

static int check_is_map(struct loader *ld, enum port port, const struct yaml *y)
{
	if (y == NULL || y->type == YAML_MAP)
		return 0;
	load_fail(ld, y, "%s must be a mapping with a driver", port_name(port));
	error_hint(ld->e, "such as {driver: NAME, ...}%s", port == PORT_STORE ? "" : ", or false for none");
	return ERR_INVALID;
}

int driver_read(struct loader *ld, enum port port, const struct yaml *base, const struct yaml *over,
                struct driver_conf *ret)
{
	const struct driver *d = NULL;
	const struct yaml *place = over != NULL ? over : base;
	struct jv *options = jv_obj(ld->a);
	int rc = check_is_map(ld, port, base);

	if (rc == 0)
		rc = check_is_map(ld, port, over);
	/* Another driver than the service's own shares no option with it. */
	if (rc == 0 && base != NULL && over != NULL && yaml_get(over, "driver") != NULL) {
		const struct yaml *a = yaml_get(base, "driver"), *b = yaml_get(over, "driver");

		if (a == NULL || a->type != YAML_SCALAR || b->type != YAML_SCALAR ||
		    strcmp(a->text, b->text) != 0)
			base = NULL;
	}
	if (rc == 0)
		rc = driver_name(ld, port, base != NULL ? base : over, &d);
	if (rc == 0 && base != NULL)
		rc = check_option_keys(ld, d, base);
	if (rc == 0 && over != NULL)
		rc = check_option_keys(ld, d, over);
	for (const struct option_desc *o = d != NULL ? d->options : NULL;
	     rc == 0 && o != NULL && o->name != NULL; o++) {
		const struct yaml *y = yaml_get(over, o->name);
		struct jv *v = NULL;

		if (y == NULL)
			y = yaml_get(base, o->name);
		if (y == NULL && o->required) {
			load_fail(ld, place, "%s: the driver %s needs %s", port_name(port), d->name, o->name);
			error_hint(ld->e, "add %s: %s", o->name, o->example != NULL ? o->example : "...");
			return ERR_INVALID;
		}
		if (y == NULL && o->otherwise != NULL)
			rc = default_node(ld, o, place, &y);
		if (rc != 0 || y == NULL)
			continue;
		rc = option_read(ld, o, y, &v);
		if (rc == 0)
			jv_set(ld->a, options, o->name, v);
	}
	if (rc == 0)
		*ret = (struct driver_conf){.driver = d->name, .options = options, .line = place->line};
	return rc;
}
