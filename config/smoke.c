/* Smoke suites: their rows, and what must fit together in them. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/field.h"
#include "core/text.h"

static const char *const method_words[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", NULL};

static bool parse_status(const char *s, int *ret_min, int *ret_max)
{
	char *end;
	long lo = strtol(s, &end, 10), hi = lo;

	if (end == s)
		return false;
	if (*end == '-') {
		const char *rest = end + 1;

		hi = strtol(rest, &end, 10);
		if (end == rest)
			return false;
	}
	if (*end != '\0' || lo < 100 || hi > 599 || lo > hi)
		return false;
	*ret_min = (int)lo;
	*ret_max = (int)hi;
	return true;
}

static int set_status(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct smoke_step_conf *step = base;

	UNUSED(f);
	if (y->type == YAML_SCALAR && parse_status(y->text, &step->status_min, &step->status_max))
		return 0;
	load_fail(ld, y, "status must be an HTTP status");
	error_hint(ld->e, "such as 200, or a range such as 200-299");
	return ERR_INVALID;
}

static int set_headers(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct smoke_step_conf *step = base;
	const char **list;

	if (y->type != YAML_MAP) {
		load_fail(ld, y, "headers must be a mapping");
		error_hint(ld->e, "such as headers: {Accept: application/json}");
		return ERR_INVALID;
	}
	list = arena_alloc(ld->a, ((size_t)y->n + 1) * sizeof(*list));
	if (list == NULL)
		return error_set(ld->e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < y->n; i++) {
		const char *v = "";
		int rc = read_text(ld, f->name, y->items[i], &v);

		if (rc != 0)
			return rc;
		if (y->keys[i][0] == '\0' || strpbrk(y->keys[i], ": \t\n()<>@,;\\\"/[]?={}") != NULL) {
			load_fail(ld, y->key_at[i], "header name %.60s is not valid", y->keys[i]);
			error_hint(ld->e, "letters, digits and '-'");
			return ERR_INVALID;
		}
		if (strchr(v, '\n') != NULL) {
			load_fail(ld, y->items[i], "header %.60s has a line break", y->keys[i]);
			error_hint(ld->e, "write its value on one line");
			return ERR_INVALID;
		}
		list[i] = arena_printf(ld->a, "%s: %s", y->keys[i], v);
	}
	step->headers = list;
	return 0;
}

/* ".a.b[0]": names and indices; "." alone is the whole value. */
static bool path_ok(const char *p)
{
	if (strcmp(p, ".") == 0)
		return true;
	if (*p != '.' && *p != '[')
		return false;
	while (*p != '\0') {
		size_t n;

		if (*p == '[') {
			n = strspn(p + 1, "0123456789");
			if (n == 0 || n > 6 || p[n + 1] != ']')
				return false;
			p += n + 2;
			continue;
		}
		if (*p != '.')
			return false;
		n = strcspn(p + 1, ".[");
		if (n == 0)
			return false;
		p += n + 1;
	}
	return true;
}

static int read_path(struct loader *ld, const struct yaml *map, const char *where, const char **ret)
{
	const struct yaml *y = yaml_get(map, "path");
	int rc;

	if (y == NULL) {
		load_fail(ld, map, "%s has no path", where);
		error_hint(ld->e, "add path: .status");
		return ERR_INVALID;
	}
	rc = read_text(ld, "path", y, ret);
	if (rc == 0 && (!path_ok(*ret) || strlen(*ret) >= KEY_LEN)) {
		load_fail(ld, y, "path %.60s is not valid", *ret);
		error_hint(ld->e, "dots and indices, such as .status or .items[0].name");
		rc = ERR_INVALID;
	}
	return rc;
}

/* A small mapping with two known keys. */
static int check_pair(struct loader *ld, const struct field *f, const struct yaml *y,
                      const char *const *names)
{
	if (y->type != YAML_MAP) {
		load_fail(ld, y, "%s must be a mapping", f->name);
		error_hint(ld->e, "such as %s: %s", f->name, f->example);
		return ERR_INVALID;
	}
	for (int i = 0; i < y->n; i++)
		if (strcmp(y->keys[i], names[0]) != 0 && strcmp(y->keys[i], names[1]) != 0)
			return load_unknown(ld, y->key_at[i], "the key", y->keys[i], names);
	return 0;
}

static int set_json(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	static const char *const names[] = {"path", "equals", NULL};
	struct smoke_step_conf *step = base;
	const struct yaml *v = yaml_get(y, "equals");
	struct str text;
	int rc = check_pair(ld, f, y, names);

	if (rc == 0)
		rc = read_path(ld, y, f->name, &step->json_path);
	if (rc != 0 || v == NULL)
		return rc;
	str_init(&text, CONFIG_BYTES_MAX);
	jv_print(yaml_to_jv(ld->a, v), JV_CANONICAL, &text);
	step->json_equals = arena_strdup(ld->a, str_text(&text));
	str_release(&text);
	return 0;
}

static bool is_variable(const char *s)
{
	return *s != '\0' && strlen(s) < NAME_LEN &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

static int set_capture(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	static const char *const names[] = {"name", "path", NULL};
	struct smoke_step_conf *step = base;
	const struct yaml *v = yaml_get(y, "name");
	int rc = check_pair(ld, f, y, names);

	if (rc == 0)
		rc = read_path(ld, y, f->name, &step->capture_path);
	if (rc != 0)
		return rc;
	if (v == NULL) {
		load_fail(ld, y, "capture has no name");
		error_hint(ld->e, "add name: rev; later steps know it as ${rev}");
		return ERR_INVALID;
	}
	rc = read_text(ld, "name", v, &step->capture_name);
	if (rc == 0 && !is_variable(step->capture_name)) {
		load_fail(ld, v, "name %.60s is no valid variable", step->capture_name);
		error_hint(ld->e, "small letters, digits and '_'");
		rc = ERR_INVALID;
	}
	return rc;
}

#define STEP(member) offsetof(struct smoke_step_conf, member)
static const struct field step_fields[] = {
    {.name = "name",
     .type = FIELD_SLUG,
     .required = true,
     .at = STEP(name),
     .text = "Name, unique in its suite.",
     .example = "health"},
    {.name = "url",
     .type = FIELD_TEXT,
     .at = STEP(url),
     .max = URL_LEN - 1,
     .text = "Address to ask; {url} is the first instance's, ${name} a captured value.",
     .example = "\"{url}/health\""},
    {.name = "command",
     .type = FIELD_ARGV,
     .at = STEP(argv),
     .text = "Instead of url: a program and its arguments, never a shell; exit 0 passes.",
     .example = "[./self-test, --quick]"},
    {.name = "method",
     .type = FIELD_CHOICE,
     .choices = method_words,
     .otherwise = "GET",
     .at = STEP(method),
     .text = "Method of the request."},
    {.name = "headers",
     .type = FIELD_OTHER,
     .set = set_headers,
     .kind = "mapping of texts",
     .schema =
         "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\"]}}",
     .text = "Headers of the request.",
     .example = "{Accept: application/json}"},
    {.name = "body",
     .type = FIELD_TEXT,
     .at = STEP(body),
     .text = "Body of the request.",
     .example = "'{\"id\": 1}'"},
    {.name = "status",
     .type = FIELD_OTHER,
     .set = set_status,
     .kind = "status or range",
     .otherwise = "200-299",
     .schema = "{\"type\":[\"integer\",\"string\"]}",
     .text = "Status that passes.",
     .example = "200"},
    {.name = "json",
     .type = FIELD_OTHER,
     .set = set_json,
     .kind = "{path, equals}",
     .schema = "{\"type\":\"object\",\"required\":[\"path\"],\"additionalProperties\":false,"
               "\"properties\":{\"path\":{\"type\":\"string\"},\"equals\":true}}",
     .text = "A place in the JSON reply that must exist, and be equal where equals is given.",
     .example = "{path: .status, equals: ok}"},
    {.name = "regex",
     .type = FIELD_TEXT,
     .at = STEP(regex),
     .max = PATTERN_MAX - 1,
     .text = "A regular expression (PCRE2) that the body must match.",
     .example = "\"version [0-9]+\""},
    {.name = "latency",
     .type = FIELD_DURATION,
     .at = STEP(latency_us),
     .min = US_PER_MS,
     .max = US_PER_H,
     .text = "The answer must come within this time.",
     .example = "500ms"},
    {.name = "capture",
     .type = FIELD_OTHER,
     .set = set_capture,
     .kind = "{name, path}",
     .schema = "{\"type\":\"object\",\"required\":[\"name\",\"path\"],\"additionalProperties\":false,"
               "\"properties\":{\"name\":{\"type\":\"string\"},\"path\":{\"type\":\"string\"}}}",
     .text = "Keeps a place of the JSON reply for steps that come after this one.",
     .example = "{name: rev, path: .revision}"},
    {.name = "tap",
     .type = FIELD_BOOL,
     .otherwise = "false",
     .at = STEP(tap),
     .text = "The command prints TAP, which decides together with the exit code."},
    {.name = "timeout",
     .type = FIELD_DURATION,
     .otherwise = "10s",
     .at = STEP(timeout_us),
     .min = 10 * US_PER_MS,
     .max = US_PER_H,
     .text = "The step errors when it takes longer."},
    {.name = "after",
     .type = FIELD_LIST,
     .at = STEP(after),
     .text = "Names of steps that must have passed before; others run at the same time.",
     .example = "[health]"},
    {.name = NULL},
};
const struct table table_step = {.name = "step",
                                 .text = "One question of a smoke suite: a request or a command.",
                                 .size = sizeof(struct smoke_step_conf),
                                 .fields = step_fields,
                                 .check = step_check};

static const struct field suite_fields[] = {
    {.name = "steps",
     .type = FIELD_SEQ,
     .required = true,
     .sub = &table_step,
     .at = offsetof(struct smoke_suite_conf, steps),
     .n_at = offsetof(struct smoke_suite_conf, n_steps),
     .min = 1,
     .max = SMOKE_STEPS_MAX,
     .text = "The steps.",
     .example = "[{name: health, url: \"{url}/health\"}]"},
    {.name = NULL},
};
const struct table table_suite = {.name = "smoke suite",
                                  .text = "Questions that tell whether a release works.",
                                  .size = sizeof(struct smoke_suite_conf),
                                  .fields = suite_fields,
                                  .check = suite_check};

int step_check(struct loader *ld, const struct yaml *y, void *base)
{
	static const char *const http_only[] = {"method", "headers", "body",    "status",
	                                        "json",   "regex",   "latency", "capture"};
	const struct smoke_step_conf *step = base;
	const struct yaml *v;

	if ((step->url != NULL) == (step->argv != NULL)) {
		load_fail(ld, y, "step %.60s has %s", step->name,
		          step->url != NULL ? "both url and command" : "neither url nor command");
		error_hint(ld->e, "give one of them");
		return ERR_INVALID;
	}
	for (size_t i = 0; step->argv != NULL && i < ARRAY_LEN(http_only); i++) {
		v = yaml_get(y, http_only[i]);
		if (v == NULL)
			continue;
		load_fail(ld, v, "%s has no meaning beside command", http_only[i]);
		error_hint(ld->e, "remove it, or use url instead of command");
		return ERR_INVALID;
	}
	v = yaml_get(y, "tap");
	if (step->argv == NULL && v != NULL && step->tap) {
		load_fail(ld, v, "tap has no meaning beside url");
		error_hint(ld->e, "remove it, or use command instead of url");
		return ERR_INVALID;
	}
	return step->url != NULL ? check_url(ld, "url", yaml_get(y, "url"), step->url, true) : 0;
}

static int step_index(const struct smoke_suite_conf *s, const char *name)
{
	for (int i = 0; i < s->n_steps; i++)
		if (strcmp(s->steps[i].name, name) == 0)
			return i;
	return -1;
}

/* Marks all that step i comes after, itself included; false when it comes after itself. */
static bool walk(const struct smoke_suite_conf *s, int i, int goal, bool *seen)
{
	const char *const *after = s->steps[i].after;

	for (int k = 0; after != NULL && after[k] != NULL; k++) {
		int j = step_index(s, after[k]);

		if (j == goal)
			return false;
		if (j < 0 || seen[j])
			continue;
		seen[j] = true;
		if (!walk(s, j, goal, seen))
			return false;
	}
	return true;
}

/* Every ${name} in text must be captured by a step before this one. */
static int check_captures(struct loader *ld, const struct yaml *at, const struct smoke_suite_conf *s,
                          const bool *before, const char *text)
{
	for (const char *p = text; p != NULL && (p = strstr(p, "${")) != NULL; p += 2) {
		size_t n = strcspn(p + 2, "}");
		char name[NAME_LEN];
		bool found = false;

		if (p[2 + n] == '\0' || n == 0 || n >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)n, p + 2);
		if (!is_variable(name))
			continue;
		for (int i = 0; i < s->n_steps && !found; i++)
			found = before[i] && s->steps[i].capture_name != NULL &&
			        strcmp(s->steps[i].capture_name, name) == 0;
		if (found)
			continue;
		load_fail(ld, at, "${%s} is captured by no step before this one", name);
		error_hint(
		    ld->e,
		    "name the step that captures it in after:, and capture: {name: %s, path: ...} there",
		    name);
		return ERR_INVALID;
	}
	return 0;
}

static const struct yaml *after_node(const struct yaml *step, int k)
{
	const struct yaml *after = yaml_get(step, "after");

	return after != NULL && k < after->n ? after->items[k] : step;
}

static int check_step_order(struct loader *ld, const struct yaml *node, const struct smoke_suite_conf *s,
                            int i)
{
	static const char *const texts[] = {"url", "body"};
	const struct smoke_step_conf *step = &s->steps[i];
	const char *names[SMOKE_STEPS_MAX + 1];
	bool seen[SMOKE_STEPS_MAX] = {false};
	int rc = 0;

	for (int k = 0; k < s->n_steps; k++)
		names[k] = s->steps[k].name;
	names[s->n_steps] = NULL;
	for (int k = 0; step->after != NULL && step->after[k] != NULL; k++)
		if (step_index(s, step->after[k]) < 0)
			return load_unknown(ld, after_node(node, k), "the step", step->after[k], names);
	if (!walk(s, i, i, seen)) {
		load_fail(ld, yaml_get(node, "after"), "step %.60s comes after itself", step->name);
		error_hint(ld->e, "break the circle of after:");
		return ERR_INVALID;
	}
	for (size_t k = 0; rc == 0 && k < ARRAY_LEN(texts); k++) {
		const struct yaml *v = yaml_get(node, texts[k]);

		if (v != NULL && v->type == YAML_SCALAR)
			rc = check_captures(ld, v, s, seen, v->text);
	}
	for (int k = 0; rc == 0 && step->headers != NULL && step->headers[k] != NULL; k++)
		rc = check_captures(ld, yaml_get(node, "headers")->items[k], s, seen, step->headers[k]);
	for (int k = 0; rc == 0 && step->argv != NULL && step->argv[k] != NULL; k++)
		rc = check_captures(ld, yaml_get(node, "command")->items[k], s, seen, step->argv[k]);
	return rc;
}

int suite_check(struct loader *ld, const struct yaml *y, void *base)
{
	const struct smoke_suite_conf *s = base;
	const struct yaml *steps = yaml_get(y, "steps");
	int rc = 0;

	for (int i = 0; i < s->n_steps; i++) {
		int first = step_index(s, s->steps[i].name);

		if (first == i)
			continue;
		load_fail(ld, yaml_get(steps->items[i], "name"), "step %.60s is here twice",
		          s->steps[i].name);
		error_hint(ld->e, "the first one is in line %d", steps->items[first]->line);
		return ERR_INVALID;
	}
	for (int i = 0; rc == 0 && i < s->n_steps; i++)
		rc = check_step_order(ld, steps->items[i], s, i);
	return rc;
}
