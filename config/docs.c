#include "config/docs.h"

#include <string.h>

#include "config/field.h"

/* Text that mdoc takes as text: no control line, no escape, no macro in it. */
void docs_text(struct str *out, const char *s)
{
	if (*s == '.' || *s == '\'')
		str_add(out, "\\&");
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			str_add(out, "\\e");
		else if (*s == '-')
			str_add(out, "\\-");
		else if (*s == '\n')
			str_addc(out, ' ');
		else
			str_addc(out, *s);
	}
}

/* An argument of a macro: quoted, and never itself a macro's name. */
void docs_arg(struct str *out, const char *s)
{
	str_add(out, "\"\\&");
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			str_add(out, "\\e");
		else if (*s == '"')
			str_add(out, "\\(dq");
		else if (*s == '-')
			str_add(out, "\\-");
		else if (*s == '\'')
			str_add(out, "\\(aq");
		else if (*s == '`')
			str_add(out, "\\(ga");
		else if (*s == '^')
			str_add(out, "\\(ha");
		else if (*s == '~')
			str_add(out, "\\(ti");
		else
			str_addc(out, *s);
	}
	str_addc(out, '"');
}

/* One sentence on each line, as mdoc wants it. */
void docs_line(struct str *out, const char *s)
{
	while (*s != '\0') {
		const char *end = strstr(s, ". "), *paragraph = strchr(s, '\n');
		size_t n = end != NULL ? (size_t)(end - s) + 1 : strlen(s);
		char part[1024];

		if (paragraph != NULL)
			n = MIN(n, (size_t)(paragraph - s));

		n = MIN(n, sizeof(part) - 1);
		memcpy(part, s, n);
		part[n] = '\0';
		docs_text(out, part);
		str_addc(out, '\n');
		s += n;
		if (s == paragraph)
			str_add(out, ".Pp\n");
		s += strspn(s, " \n");
	}
}

static const char *field_kind(const struct field *f)
{
	switch (f->type) {
	case FIELD_TEXT: return "text";
	case FIELD_SLUG: return "name";
	case FIELD_URL: return "URL";
	case FIELD_BOOL: return "true or false";
	case FIELD_INT: return "whole number";
	case FIELD_NUM: return f->unit_ms ? "duration" : "number";
	case FIELD_DURATION: return f->min == 0 ? "duration or off" : "duration";
	case FIELD_CHOICE: return "one of";
	case FIELD_ARGV: return "program and arguments";
	case FIELD_LIST: return "list of texts";
	case FIELD_MAP: return "mapping";
	case FIELD_SEQ: return "list of mappings";
	case FIELD_DICT: return "mapping by name";
	case FIELD_DRIVER: return "driver";
	case FIELD_DRIVERS: return "list of drivers";
	case FIELD_OTHER: return f->kind;
	}
	return "?";
}

static const char *option_kind(enum option_type t)
{
	switch (t) {
	case OPTION_STRING: return "text";
	case OPTION_PATH: return "path";
	case OPTION_URL: return "URL";
	case OPTION_INT: return "whole number";
	case OPTION_BOOL: return "true or false";
	case OPTION_DURATION: return "duration";
	case OPTION_ARGV: return "program and arguments";
	case OPTION_LIST: return "list of texts";
	case OPTION_MAP: return "mapping of texts";
	case OPTION_SECRET: return "secret by reference";
	case OPTION_CHOICE: return "one of";
	}
	return "?";
}

static void add_item(struct str *out, const char *name, const char *kind, const char *const *choices,
                     bool required, const char *text, const char *otherwise, const char *example)
{
	str_add(out, ".It Cm ");
	docs_arg(out, name);
	str_addf(out, " No ");
	docs_arg(out, kind);
	for (int i = 0; choices != NULL && choices[i] != NULL; i++) {
		str_addf(out, "%s", i == 0 ? " Cm " : " , Cm ");
		docs_arg(out, choices[i]);
	}
	if (required)
		str_add(out, " Pq required");
	str_addc(out, '\n');
	docs_line(out, text != NULL ? text : "");
	if (otherwise != NULL && otherwise[0] != '\0') {
		str_add(out, "The default is\n.Li ");
		docs_arg(out, otherwise);
		str_add(out, " .\n");
	}
	if (example != NULL) {
		str_add(out, "Example:\n.Li ");
		docs_arg(out, example);
		str_addc(out, '\n');
	}
}

static void add_driver(struct str *out, const struct driver *d)
{
	str_add(out, ".Ss ");
	docs_arg(out, port_name(d->port));
	str_add(out, " ");
	docs_arg(out, d->name);
	str_addc(out, '\n');
	str_add(out, "It ");
	docs_text(out, d->summary != NULL ? d->summary : "has no options");
	str_add(out, ".\n");
	if (d->options == NULL || d->options[0].name == NULL)
		return;
	str_add(out, ".Bl -tag -width Ds\n");
	for (const struct option_desc *o = d->options; o->name != NULL; o++)
		add_item(out, o->name, option_kind(o->type), o->choices, o->required, o->text, o->otherwise,
		         o->example);
	str_add(out, ".El\n");
}

void docs_yaml(driver_list drivers, struct str *out)
{
	str_add(out, ".Sh KEYS\n");
	for (int i = 0; tables[i] != NULL; i++) {
		str_add(out, ".Ss ");
		docs_arg(out, tables[i]->name);
		str_addc(out, '\n');
		docs_line(out, tables[i]->text);
		str_add(out, ".Bl -tag -width Ds\n");
		for (const struct field *f = tables[i]->fields; f->name != NULL; f++)
			add_item(out, f->name, field_kind(f), f->choices, f->required, f->text, f->otherwise,
			         f->example);
		str_add(out, ".El\n");
	}
	str_add(out, ".Sh DRIVERS\nOptions stand beside\n.Cm driver\nin the same mapping.\n");
	for (int port = 0; port < PORT_COUNT; port++)
		for (driver_list d = drivers; d != NULL && *d != NULL; d++)
			if ((*d)->port == (enum port)port)
				add_driver(out, *d);
}

void docs_keys(const struct keymap *km, struct str *out)
{
	const char *context = "";

	for (int i = 0; i < km->n; i++) {
		const struct binding *b = &km->items[i];

		if (strcmp(context, b->context) != 0) {
			if (context[0] != '\0')
				str_add(out, ".El\n");
			context = b->context;
			str_add(out, ".Ss ");
			docs_arg(out, strcmp(context, "global") == 0 ? "everywhere" : context);
			str_add(out, "\n.Bl -tag -width \"PgDn Space\"\n");
		}
		str_add(out, ".It Ic ");
		docs_arg(out, b->keys);
		str_addc(out, '\n');
		docs_text(out, b->note);
		str_add(out, "\n.Pq Cm ");
		docs_arg(out, b->action);
		str_addc(out, '\n');
	}
	if (context[0] != '\0')
		str_add(out, ".El\n");
}

static const char *arg_kind(enum arg_type t)
{
	switch (t) {
	case ARG_SERVICE: return "service";
	case ARG_ENV: return "environment";
	case ARG_RELEASE: return "release";
	case ARG_ROLLOUT: return "rollout";
	case ARG_PLAN: return "plan";
	case ARG_SUITE: return "suite";
	case ARG_SET: return "set";
	case ARG_REVISION: return "revision";
	case ARG_MIGRATION: return "migration";
	case ARG_WORD: return "word";
	case ARG_REST: return "word ...";
	case ARG_FILES: return "file ...";
	case ARG_DURATION: return "duration";
	case ARG_INT: return "number";
	case ARG_FLAG: return "";
	case ARG_FILTER: return "filter";
	case ARG_CONFIRM: return "environment/service";
	}
	return "word";
}

static void add_synopsis(struct str *out, const struct command *c)
{
	str_add(out, ".It Ic ");
	docs_arg(out, c->name);
	for (const struct arg_desc *a = c->args; a != NULL && a->name != NULL; a++) {
		if (!a->required)
			str_add(out, " Oo");
		if (a->option) {
			str_add(out, " Fl Fl ");
			docs_arg(out, a->name);
			if (a->type != ARG_FLAG) {
				str_add(out, " Ar ");
				docs_arg(out, arg_kind(a->type));
			}
		} else {
			str_add(out, " Ar ");
			docs_arg(out, a->name);
		}
		if (!a->required)
			str_add(out, " Oc");
	}
	str_addc(out, '\n');
}

static void add_args(struct str *out, const struct command *c)
{
	bool any = false;

	for (const struct arg_desc *a = c->args; a != NULL && a->name != NULL; a++) {
		if (!any)
			str_add(out, ".Bl -tag -width Ds\n");
		any = true;
		str_add(out, a->option ? ".It Fl Fl " : ".It Ar ");
		docs_arg(out, a->name);
		if (a->letter != 0) {
			char letter[2] = {a->letter, '\0'};

			str_add(out, " , Fl ");
			docs_arg(out, letter);
		}
		if (a->option && a->type != ARG_FLAG) {
			str_add(out, " Ar ");
			docs_arg(out, arg_kind(a->type));
		}
		str_addc(out, '\n');
		docs_line(out, a->text != NULL ? a->text : "");
		for (int i = 0; a->choices != NULL && a->choices[i] != NULL; i++) {
			str_add(out, i == 0 ? "One of\n.Cm " : ".Cm ");
			docs_arg(out, a->choices[i]);
			str_add(out, a->choices[i + 1] != NULL ? " ,\n" : " .\n");
		}
	}
	if (any)
		str_add(out, ".El\n");
}

void docs_commands(command_list list, struct str *out)
{
	str_add(out, ".Bl -tag -width Ds\n");
	for (; *list != NULL; list++) {
		const struct command *c = *list;

		if (c->flags & COMMAND_HIDDEN)
			continue;
		add_synopsis(out, c);
		docs_text(out, c->summary);
		str_add(out, ".\n");
		if (c->details != NULL)
			docs_line(out, c->details);
		add_args(out, c);
		if (c->json != NULL) {
			str_add(out, ".Pp\nWith\n.Fl Fl json :\n");
			docs_line(out, c->json);
		}
		if (c->example != NULL) {
			str_add(out, ".Pp\n.Dl ");
			docs_text(out, c->example);
			str_addc(out, '\n');
		}
	}
	str_add(out, ".El\n");
}

void docs_theme(const struct docs_role *roles, struct str *out)
{
	str_add(out, ".Bl -tag -width \"unknown\"\n");
	for (; roles->name != NULL; roles++) {
		str_add(out, ".It Cm ");
		docs_arg(out, roles->name);
		str_addc(out, '\n');
		docs_text(out, roles->meaning);
		if (roles->carrier[0] != '\0') {
			str_add(out, "; without colour:\n");
			docs_text(out, roles->carrier);
		}
		str_add(out, ".\n");
	}
	str_add(out, ".El\n");
}
