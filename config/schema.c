/* JSON Schema (draft 2020-12) of towpath.yaml, from the tables that read it. */
#include <stdio.h>
#include <string.h>

#include "config/field.h"

static struct jv *schema_of(struct arena *a, const struct table *t, driver_list drivers);

static struct jv *typed(struct arena *a, const char *type)
{
	struct jv *v = jv_obj(a);

	jv_set_str(a, v, "type", type);
	return v;
}

/* Text that YAML may also write as a number or boolean. */
static struct jv *text_type(struct arena *a)
{
	struct jv *v = jv_obj(a), *types = jv_arr(a);

	jv_push(a, types, jv_str(a, "string"));
	jv_push(a, types, jv_str(a, "number"));
	jv_push(a, types, jv_str(a, "boolean"));
	jv_set(a, v, "type", types);
	return v;
}

static struct jv *pattern(struct arena *a, const char *re)
{
	struct jv *v = typed(a, "string");

	jv_set_str(a, v, "pattern", re);
	return v;
}

static struct jv *bool_type(struct arena *a)
{
	struct jv *v = jv_obj(a), *words = jv_arr(a);
	static const char *const names[] = {"on", "off", "yes", "no"};

	jv_push(a, words, jv_bool(a, true));
	jv_push(a, words, jv_bool(a, false));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		jv_push(a, words, jv_str(a, names[i]));
	jv_set(a, v, "enum", words);
	return v;
}

static struct jv *duration_type(struct arena *a, bool off)
{
	struct jv *v = jv_obj(a), *any = jv_arr(a), *zero = jv_obj(a), *list = jv_arr(a);

	if (!off)
		return pattern(a, "^([0-9]+(\\.[0-9]+)?(ms|us|s|m|h|d|w))+$");
	jv_push(a, any, pattern(a, "^([0-9]+(\\.[0-9]+)?(ms|us|s|m|h|d|w))+$"));
	jv_push(a, list, jv_int(a, 0));
	jv_push(a, list, jv_str(a, "0"));
	jv_push(a, list, jv_str(a, "off"));
	jv_push(a, list, jv_bool(a, false));
	jv_set(a, zero, "enum", list);
	jv_push(a, any, zero);
	jv_set(a, v, "anyOf", any);
	return v;
}

static struct jv *choice_type(struct arena *a, const char *const *choices)
{
	struct jv *v = jv_obj(a), *words = jv_arr(a);

	for (; *choices != NULL; choices++)
		jv_push(a, words, jv_str(a, *choices));
	jv_set(a, v, "enum", words);
	return v;
}

static struct jv *list_type(struct arena *a, struct jv *items, int64_t min, int64_t max)
{
	struct jv *v = typed(a, "array");

	jv_set(a, v, "items", items);
	if (min > 0)
		jv_set_int(a, v, "minItems", min);
	if (max > 0)
		jv_set_int(a, v, "maxItems", max);
	return v;
}

static struct jv *number_type(struct arena *a, const char *type, int64_t min, int64_t max)
{
	struct jv *v = typed(a, type);

	if (min != 0 || max != 0) {
		jv_set_int(a, v, "minimum", min);
		jv_set_int(a, v, "maximum", max);
	}
	return v;
}

static struct jv *secret_type(struct arena *a)
{
	struct jv *v = typed(a, "object"), *props = jv_obj(a);

	jv_set(a, props, "env", typed(a, "string"));
	jv_set(a, props, "file", typed(a, "string"));
	jv_set(a, props, "command", list_type(a, text_type(a), 1, 0));
	jv_set(a, v, "properties", props);
	jv_set_bool(a, v, "additionalProperties", false);
	jv_set_int(a, v, "minProperties", 1);
	jv_set_int(a, v, "maxProperties", 1);
	return v;
}

static struct jv *map_type(struct arena *a)
{
	struct jv *v = typed(a, "object");

	jv_set(a, v, "additionalProperties", text_type(a));
	return v;
}

static struct jv *option_schema(struct arena *a, const struct option_desc *o)
{
	switch (o->type) {
	case OPTION_STRING: return text_type(a);
	case OPTION_PATH: return typed(a, "string");
	case OPTION_URL: return pattern(a, "^(https?://|\\{url\\}|\\{base\\})");
	case OPTION_INT: return number_type(a, "integer", o->min, o->max);
	case OPTION_BOOL: return bool_type(a);
	case OPTION_DURATION: return duration_type(a, o->min == 0);
	case OPTION_ARGV: return list_type(a, text_type(a), 1, 0);
	case OPTION_LIST: return list_type(a, text_type(a), 0, 0);
	case OPTION_MAP: return map_type(a);
	case OPTION_SECRET: return secret_type(a);
	case OPTION_CHOICE: return choice_type(a, o->choices);
	}
	return jv_obj(a);
}

/* One driver with its options; partial: laid over another mapping, so that nothing is required. */
static struct jv *driver_schema(struct arena *a, const struct driver *d, bool partial)
{
	struct jv *v = typed(a, "object"), *props = jv_obj(a), *required = jv_arr(a), *name = jv_obj(a);

	jv_set_str(a, name, "const", d->name);
	jv_set(a, props, "driver", name);
	jv_set_str(a, v, "description", d->summary);
	if (!partial)
		jv_push(a, required, jv_str(a, "driver"));
	for (const struct option_desc *o = d->options; o != NULL && o->name != NULL; o++) {
		struct jv *s = option_schema(a, o);

		jv_set_str(a, s, "description", o->text);
		jv_set(a, props, o->name, s);
		/* A required option may also come from the environment's own mapping. */
		if (o->required && !partial && d->port == PORT_STORE)
			jv_push(a, required, jv_str(a, o->name));
	}
	jv_set(a, v, "properties", props);
	jv_set(a, v, "required", required);
	jv_set_bool(a, v, "additionalProperties", false);
	return v;
}

static struct jv *port_schema(struct arena *a, enum port port, driver_list drivers, bool partial,
                              bool may_be_none)
{
	struct jv *v = jv_obj(a), *any = jv_arr(a), *none = jv_obj(a);

	for (; drivers != NULL && *drivers != NULL; drivers++)
		if ((*drivers)->port == port)
			jv_push(a, any, driver_schema(a, *drivers, partial));
	if (may_be_none) {
		jv_set(a, none, "const", jv_bool(a, false));
		jv_push(a, any, none);
	}
	if (jv_len(any) == 0)
		return jv_obj(a);
	jv_set(a, v, "anyOf", any);
	return v;
}

static struct jv *parsed(struct arena *a, const char *text)
{
	struct jv *v = NULL;
	struct error e;

	return jv_parse(a, text, strlen(text), &v, &e) == 0 ? v : jv_obj(a);
}

/* What an environment of a service may be: a mapping, nothing, or false. */
static struct jv *places_schema(struct arena *a, driver_list drivers)
{
	struct jv *v = typed(a, "object"), *each = jv_obj(a), *any = jv_arr(a), *none = jv_obj(a);

	jv_set(a, none, "const", jv_bool(a, false));
	jv_push(a, any, schema_of(a, &table_place, drivers));
	jv_push(a, any, typed(a, "null"));
	jv_push(a, any, none);
	jv_set(a, each, "anyOf", any);
	jv_set(a, v, "additionalProperties", each);
	return v;
}

static struct jv *field_schema(struct arena *a, const struct table *t, const struct field *f,
                               driver_list drivers)
{
	bool place = t == &table_place, top = t == &table_top;
	struct jv *v;

	switch (f->type) {
	case FIELD_TEXT: return text_type(a);
	case FIELD_SLUG: return pattern(a, "^[a-z0-9][a-z0-9._-]*$");
	case FIELD_URL: return pattern(a, "^https?://");
	case FIELD_BOOL: return bool_type(a);
	case FIELD_INT: return number_type(a, "integer", f->min, f->max);
	case FIELD_NUM:
		return f->unit_ms ? duration_type(a, false) : number_type(a, "number", f->min, f->max);
	case FIELD_DURATION: return duration_type(a, f->min == 0);
	case FIELD_CHOICE: return choice_type(a, f->choices);
	case FIELD_ARGV: return list_type(a, text_type(a), 1, 0);
	case FIELD_LIST: return list_type(a, text_type(a), 0, 0);
	case FIELD_MAP: return schema_of(a, f->sub, drivers);
	case FIELD_SEQ: return list_type(a, schema_of(a, f->sub, drivers), f->min, f->max);
	case FIELD_DICT:
		v = typed(a, "object");
		jv_set(a, v, "additionalProperties", schema_of(a, f->sub, drivers));
		return v;
	case FIELD_DRIVER: return port_schema(a, f->port, drivers, place, !top);
	case FIELD_DRIVERS:
		v = jv_obj(a);
		{
			struct jv *any = jv_arr(a), *none = jv_obj(a);

			jv_set(a, none, "const", jv_bool(a, false));
			jv_push(a, any, list_type(a, port_schema(a, f->port, drivers, false, false), 0, 16));
			jv_push(a, any, none);
			jv_set(a, v, "anyOf", any);
		}
		return v;
	case FIELD_OTHER: return f->schema != NULL ? parsed(a, f->schema) : places_schema(a, drivers);
	}
	return jv_obj(a);
}

static struct jv *schema_of(struct arena *a, const struct table *t, driver_list drivers)
{
	struct jv *v = typed(a, "object"), *props = jv_obj(a), *required = jv_arr(a);

	jv_set_str(a, v, "description", t->text);
	for (const struct field *f = t->fields; f->name != NULL; f++) {
		struct jv *s = field_schema(a, t, f, drivers);

		jv_set_str(a, s, "description", f->text);
		if (f->otherwise != NULL && f->otherwise[0] != '\0')
			jv_set_str(a, s, "x-default", f->otherwise);
		jv_set(a, props, f->name, s);
		if (f->required)
			jv_push(a, required, jv_str(a, f->name));
	}
	jv_set(a, v, "properties", props);
	if (jv_len(required) > 0)
		jv_set(a, v, "required", required);
	jv_set_bool(a, v, "additionalProperties", false);
	return v;
}

struct jv *config_schema(struct arena *a, driver_list drivers)
{
	struct jv *v = jv_obj(a), *body = schema_of(a, &table_top, drivers);

	jv_set_str(a, v, "$schema", "https://json-schema.org/draft/2020-12/schema");
	jv_set_str(a, v, "title", "towpath.yaml");
	for (size_t i = 0; i < jv_len(body); i++)
		jv_set(a, v, jv_key(body, i), (struct jv *)(uintptr_t)jv_at(body, i));
	return v;
}
