/* Reading values and mappings by their descriptor rows. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/field.h"
#include "config/near.h"
#include "core/text.h"

int load_fail(struct loader *ld, const struct yaml *y, const char *fmt, ...)
{
	char text[TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return yaml_error(y, ld->name, ld->e, "%s", text);
}

int load_unknown(struct loader *ld, const struct yaml *y, const char *what, const char *word,
                 const char *const *names)
{
	const char *near = near_name(word, names);
	char list[TEXT_LEN - 20] = "";
	size_t n = 0;

	load_fail(ld, y, "%s %.60s is not known", what, word);
	if (near != NULL) {
		error_hint(ld->e, "did you mean %s?", near);
		return ERR_INVALID;
	}
	for (int i = 0; names[i] != NULL; i++) {
		int k = snprintf(list + n, sizeof(list) - n, "%s%s", i > 0 ? ", " : "", names[i]);

		if (k < 0 || (size_t)k >= sizeof(list) - n) {
			list[n] = '\0';
			break;
		}
		n += (size_t)k;
	}
	if (n > 0)
		error_hint(ld->e, "one of: %s", list);
	else
		error_hint(ld->e, "there is none yet");
	return ERR_INVALID;
}

static const char *type_word(const struct yaml *y)
{
	switch (y->type) {
	case YAML_NULL: return "nothing";
	case YAML_SCALAR: return "one value";
	case YAML_SEQ: return "a list";
	case YAML_MAP: return "a mapping";
	}
	return "?";
}

int read_text(struct loader *ld, const char *what, const struct yaml *y, const char **ret)
{
	if (y->type != YAML_SCALAR) {
		load_fail(ld, y, "%s must be a text, here is %s", what, type_word(y));
		error_hint(ld->e, "%s",
		           y->type == YAML_MAP ? "put a text that starts with { in quotes"
		                               : "write one value, in quotes if it has special characters");
		return ERR_INVALID;
	}
	*ret = y->text;
	return 0;
}

int read_bool(struct loader *ld, const char *what, const struct yaml *y, bool *ret)
{
	static const char *const yes[] = {"true", "on", "yes"}, *const no[] = {"false", "off", "no"};

	for (size_t i = 0; y->type == YAML_SCALAR && !y->quoted && i < ARRAY_LEN(yes); i++) {
		bool is = strcmp(y->text, yes[i]) == 0;

		if (is || strcmp(y->text, no[i]) == 0) {
			*ret = is;
			return 0;
		}
	}
	load_fail(ld, y, "%s must be true or false", what);
	error_hint(ld->e, "write true or false (on, off, yes, no work too), without quotes");
	return ERR_INVALID;
}

int read_int(struct loader *ld, const char *what, const struct yaml *y, int64_t min, int64_t max,
             int64_t *ret)
{
	char *end = NULL;
	long long v = 0;

	errno = 0;
	if (y->type == YAML_SCALAR && !y->quoted)
		v = strtoll(y->text, &end, 10);
	if (end == NULL || end == y->text || *end != '\0' || errno != 0) {
		load_fail(ld, y, "%s must be a whole number", what);
		if (min != 0 || max != 0)
			error_hint(ld->e, "from %lld to %lld", (long long)min, (long long)max);
		else
			error_hint(ld->e, "digits only, without quotes");
		return ERR_INVALID;
	}
	if ((min != 0 || max != 0) && (v < min || v > max)) {
		load_fail(ld, y, "%s is %lld", what, v);
		error_hint(ld->e, "from %lld to %lld", (long long)min, (long long)max);
		return ERR_INVALID;
	}
	*ret = v;
	return 0;
}

int read_duration(struct loader *ld, const char *what, const struct yaml *y, int64_t min, int64_t max,
                  int64_t *ret)
{
	char lo[32], hi[32];
	int64_t v = 0;

	if (y->type == YAML_SCALAR && min == 0 &&
	    (strcmp(y->text, "off") == 0 || strcmp(y->text, "0") == 0)) {
		*ret = 0;
		return 0;
	}
	if (y->type != YAML_SCALAR || time_parse_duration(y->text, &v) != 0) {
		load_fail(ld, y, "%s must be a duration", what);
		error_hint(ld->e, "a number with a unit, such as 500ms, 30s, 5m, 2h, 1d or 1h30m");
		return ERR_INVALID;
	}
	if ((min != 0 || max != 0) && (v < min || v > max)) {
		time_span(lo, sizeof(lo), min);
		time_span(hi, sizeof(hi), max);
		load_fail(ld, y, "%s is %.40s", what, y->text);
		error_hint(ld->e, "from %s to %s", lo, hi);
		return ERR_INVALID;
	}
	*ret = v;
	return 0;
}

int read_list(struct loader *ld, const char *what, const struct yaml *y, int min, const char *const **ret)
{
	const char **list;

	if (y->type != YAML_SEQ) {
		load_fail(ld, y, "%s must be a list, here is %s", what, type_word(y));
		error_hint(ld->e, "write it as [first, second]");
		return ERR_INVALID;
	}
	if (y->n < min) {
		load_fail(ld, y, "%s is empty", what);
		error_hint(ld->e, "at least %d", min);
		return ERR_INVALID;
	}
	list = arena_alloc(ld->a, ((size_t)y->n + 1) * sizeof(*list));
	if (list == NULL)
		return error_set(ld->e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < y->n; i++) {
		int rc = read_text(ld, what, y->items[i], &list[i]);

		if (rc != 0)
			return rc;
	}
	*ret = list;
	return 0;
}

/* Host and port of an http URL: no user, no blanks. Templates may stand for the start. */
int check_url(struct loader *ld, const char *what, const struct yaml *y, const char *url, bool templates)
{
	const char *p = NULL;
	size_t host;

	if (strncmp(url, "http://", 7) == 0)
		p = url + 7;
	else if (strncmp(url, "https://", 8) == 0)
		p = url + 8;
	else if (templates && (strncmp(url, "{url}", 5) == 0 || strncmp(url, "{base}", 6) == 0))
		return 0;
	if (p == NULL) {
		load_fail(ld, y, "%s must start with http:// or https://", what);
		error_hint(ld->e, "such as http://127.0.0.1:8080%s", templates ? ", or {url}/health" : "");
		return ERR_INVALID;
	}
	host = strcspn(p, "/?#");
	if (host == 0) {
		load_fail(ld, y, "%s has no host", what);
		error_hint(ld->e, "such as http://127.0.0.1:8080");
		return ERR_INVALID;
	}
	if (memchr(p, '@', host) != NULL) {
		load_fail(ld, y, "%s carries a user name or password", what);
		error_hint(ld->e, "give secrets by reference: {env: NAME}, {file: PATH} or {command: [..]}");
		return ERR_INVALID;
	}
	if (strpbrk(url, " \t\n\\\"<>") != NULL || strlen(url) >= URL_LEN) {
		load_fail(ld, y, "%s is no valid URL", what);
		error_hint(ld->e, "no blanks or quotes, at most %d bytes", URL_LEN - 1);
		return ERR_INVALID;
	}
	return 0;
}

static struct jv *scalar_to_jv(struct arena *a, const char *s)
{
	char *end = NULL;
	long long v;
	double d;

	if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
		return jv_bool(a, s[0] == 't');
	if (strspn(s, "+-.0123456789eE") != strlen(s) || strpbrk(s, "0123456789") == NULL)
		return jv_str(a, s);
	errno = 0;
	v = strtoll(s, &end, 10);
	if (*end == '\0' && errno == 0)
		return jv_int(a, v);
	d = strtod(s, &end);
	return *end == '\0' && isfinite(d) ? jv_real(a, d) : jv_str(a, s);
}

struct jv *yaml_to_jv(struct arena *a, const struct yaml *y)
{
	struct jv *v;

	switch (y->type) {
	case YAML_NULL: return jv_null(a);
	case YAML_SCALAR: return y->quoted ? jv_str(a, y->text) : scalar_to_jv(a, y->text);
	case YAML_SEQ:
		v = jv_arr(a);
		for (int i = 0; i < y->n; i++)
			jv_push(a, v, yaml_to_jv(a, y->items[i]));
		return v;
	case YAML_MAP:
		v = jv_obj(a);
		for (int i = 0; i < y->n; i++)
			jv_set(a, v, y->keys[i], yaml_to_jv(a, y->items[i]));
		return v;
	}
	return NULL;
}

/* --- by descriptor row --------------------------------------------------------------------------- */

static int set_text(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	const char **dst = (const char **)(void *)((char *)base + f->at);
	int rc = read_text(ld, f->name, y, dst);

	if (rc != 0)
		return rc;
	if (f->type == FIELD_SLUG && (!text_is_slug(*dst) || strlen(*dst) >= NAME_LEN)) {
		load_fail(ld, y, "%s %.60s is no valid name", f->name, *dst);
		error_hint(
		    ld->e,
		    "small letters, digits, '.', '_' and '-', starting with a letter or digit, at most %d",
		    NAME_LEN - 1);
		return ERR_INVALID;
	}
	if (f->type == FIELD_URL)
		return check_url(ld, f->name, y, *dst, false);
	if (f->max > 0 && (int64_t)strlen(*dst) > f->max) {
		load_fail(ld, y, "%s is too long", f->name);
		error_hint(ld->e, "at most %lld bytes", (long long)f->max);
		return ERR_INVALID;
	}
	return 0;
}

static int set_num(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	double *dst = (double *)(void *)((char *)base + f->at);
	int64_t us;
	char *end = NULL;
	double v = 0;

	if (f->unit_ms) {
		int rc = read_duration(ld, f->name, y, f->min, f->max, &us);

		if (rc == 0)
			*dst = (double)us / 1000.0;
		return rc;
	}
	if (y->type == YAML_SCALAR && !y->quoted && strspn(y->text, "-.0123456789") == strlen(y->text))
		v = strtod(y->text, &end);
	if (end == NULL || end == y->text || *end != '\0' || v < (double)f->min || v > (double)f->max) {
		load_fail(ld, y, "%s must be a number", f->name);
		error_hint(ld->e, "from %lld to %lld", (long long)f->min, (long long)f->max);
		return ERR_INVALID;
	}
	*dst = v;
	return 0;
}

static int set_choice(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	const char *s = "";
	int rc = read_text(ld, f->name, y, &s);

	for (int i = 0; rc == 0 && f->choices[i] != NULL; i++) {
		if (strcmp(f->choices[i], s) != 0)
			continue;
		if (f->as_index)
			*(int *)(void *)((char *)base + f->at) = i;
		else
			*(const char **)(void *)((char *)base + f->at) = s;
		return 0;
	}
	return rc != 0 ? rc : load_unknown(ld, y, f->name, s, f->choices);
}

/* Allocates and reads the elements of a list, or the values of a mapping by name. */
int read_many(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	bool dict = f->type == FIELD_DICT;
	char *items;

	if (y->type != (dict ? YAML_MAP : YAML_SEQ)) {
		load_fail(ld, y, "%s must be %s, here is %s", f->name, dict ? "a mapping" : "a list",
		          type_word(y));
		error_hint(ld->e, "%s", dict ? "write name: {...} for each" : "start each element with '- '");
		return ERR_INVALID;
	}
	if (y->n < f->min || (f->max > 0 && y->n > f->max)) {
		load_fail(ld, y, "%s has %d elements", f->name, y->n);
		error_hint(ld->e, "from %lld to %lld", (long long)f->min, (long long)f->max);
		return ERR_INVALID;
	}
	items = arena_alloc(ld->a, (size_t)y->n * f->sub->size + 1);
	if (items == NULL)
		return error_set(ld->e, ERR_NOMEM, "out of memory");
	*(void **)(void *)((char *)base + f->at) = items;
	*(int *)(void *)((char *)base + f->n_at) = y->n;
	for (int i = 0; i < y->n; i++) {
		char *item = items + (size_t)i * f->sub->size;
		int rc;

		if (dict) {
			struct field key = {.name = "name", .type = FIELD_SLUG, .at = f->key_at};

			rc = set_text(ld, &key, y->key_at[i], item);
			if (rc != 0)
				return rc;
		}
		rc = table_read(ld, f->sub, y->items[i], item);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int field_read(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	char *dst = (char *)base + f->at;
	int64_t v = 0;
	int rc;

	if (f->set != NULL)
		return f->set(ld, f, y, base);
	switch (f->type) {
	case FIELD_TEXT:
	case FIELD_SLUG:
	case FIELD_URL: return set_text(ld, f, y, base);
	case FIELD_BOOL: return read_bool(ld, f->name, y, (bool *)(void *)dst);
	case FIELD_INT:
		rc = read_int(ld, f->name, y, f->min, f->max, &v);
		if (rc == 0)
			*(int *)(void *)dst = (int)v;
		return rc;
	case FIELD_NUM: return set_num(ld, f, y, base);
	case FIELD_DURATION: return read_duration(ld, f->name, y, f->min, f->max, (int64_t *)(void *)dst);
	case FIELD_CHOICE: return set_choice(ld, f, y, base);
	case FIELD_ARGV: return read_list(ld, f->name, y, 1, (const char *const **)(void *)dst);
	case FIELD_LIST: return read_list(ld, f->name, y, 0, (const char *const **)(void *)dst);
	case FIELD_MAP: return table_read(ld, f->sub, y, dst);
	case FIELD_SEQ:
	case FIELD_DICT: return read_many(ld, f, y, base);
	case FIELD_DRIVER:
	case FIELD_DRIVERS:
	case FIELD_OTHER: *(const struct yaml **)(void *)dst = y; return 0;
	}
	return 0;
}

static int check_keys(struct loader *ld, const struct table *t, const struct yaml *y)
{
	const char *names[64];
	int n = 0;

	for (const struct field *f = t->fields; f->name != NULL && n < 63; f++)
		names[n++] = f->name;
	names[n] = NULL;
	for (int i = 0; i < y->n; i++) {
		int k = 0;

		while (k < n && strcmp(names[k], y->keys[i]) != 0)
			k++;
		if (k == n)
			return load_unknown(ld, y->key_at[i], "the key", y->keys[i], names);
	}
	return 0;
}

/* A mapping that says nothing takes all defaults. */
static int default_read(struct loader *ld, const struct field *f, const struct yaml *place, void *base)
{
	static const struct yaml empty = {.type = YAML_MAP};
	struct yaml *y;

	if (f->type == FIELD_MAP) {
		y = arena_alloc(ld->a, sizeof(*y));
		if (y == NULL)
			return error_set(ld->e, ERR_NOMEM, "out of memory");
		*y = empty;
		y->line = place->line;
		y->col = place->col;
		return field_read(ld, f, y, base);
	}
	if (f->otherwise == NULL)
		return 0;
	y = arena_alloc(ld->a, sizeof(*y));
	if (y == NULL)
		return error_set(ld->e, ERR_NOMEM, "out of memory");
	*y = (struct yaml){.type = YAML_SCALAR, .line = place->line, .col = place->col, .text = f->otherwise};
	return field_read(ld, f, y, base);
}

int table_read(struct loader *ld, const struct table *t, const struct yaml *y, void *base)
{
	static const struct yaml nothing = {.type = YAML_MAP};
	struct yaml empty = nothing;
	int rc;

	if (y->type == YAML_NULL) {
		empty.line = y->line;
		empty.col = y->col;
		y = &empty;
	}
	if (y->type != YAML_MAP) {
		load_fail(ld, y, "%s must be a mapping, here is %s", t->name, type_word(y));
		error_hint(ld->e, "write key: value pairs; the first is %s", t->fields[0].name);
		return ERR_INVALID;
	}
	rc = check_keys(ld, t, y);
	for (const struct field *f = t->fields; rc == 0 && f->name != NULL; f++) {
		const struct yaml *v = yaml_get(y, f->name);

		if (v == NULL && f->required) {
			load_fail(ld, y, "%s has no %s", t->name, f->name);
			error_hint(ld->e, "add %s: %s", f->name, f->example != NULL ? f->example : "...");
			return ERR_INVALID;
		}
		rc = v != NULL ? field_read(ld, f, v, base) : default_read(ld, f, y, base);
	}
	if (rc == 0 && t->check != NULL)
		rc = t->check(ld, y, base);
	return rc;
}
