/* Words against a command's descriptor: the same for a shell's argv, a line of the palette and a script. */
#include "core/command.h"

#include "core/str.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 8192 };

int command_split(struct arena *a, const char *text, const char **words, int cap, struct error *e)
{
	int n = 0;
	const char *p = text;

	for (;;) {
		struct str w;
		char quote = 0;

		while (*p == ' ' || *p == '\t')
			p++;
		if (*p == '\0')
			return n;
		if (n == cap) {
			error_set(e, ERR_NOMEM, "more than %d words", cap);
			return -1;
		}
		str_init(&w, LINE_BYTES);
		for (; *p != '\0' && (quote != 0 || (*p != ' ' && *p != '\t')); p++) {
			if (quote == 0 && (*p == '"' || *p == '\''))
				quote = *p;
			else if (*p == quote)
				quote = 0;
			else if (*p == '\\' && quote != '\'' && p[1] != '\0')
				str_addc(&w, *++p);
			else
				str_addc(&w, *p);
		}
		words[n++] = arena_strdup(a, str_text(&w));
		str_release(&w);
		if (quote != 0) {
			error_set(e, ERR_INVALID, "a %c is not closed", quote);
			return -1;
		}
	}
}

static const struct arg_desc *find_option(const struct command *c, const char *word, size_t n, int *ret_index)
{
	int i = 0;

	for (const struct arg_desc *d = c->args; d != NULL && d->name != NULL; d++, i++) {
		if (!d->option)
			continue;
		if ((strlen(d->name) == n - 2 && n > 2 && word[1] == '-' &&
		     strncmp(d->name, word + 2, n - 2) == 0) ||
		    (n == 2 && d->letter != 0 && word[1] == d->letter)) {
			*ret_index = i;
			return d;
		}
	}
	return NULL;
}

static int check_value(const struct setup *s, const struct arg_desc *d, const char *v, struct error *e)
{
	int64_t n;
	char *end;

	if (d->choices != NULL) {
		for (const char *const *c = d->choices; *c != NULL; c++)
			if (strcmp(*c, v) == 0)
				return 0;
		return error_set(e, ERR_INVALID, "%s is no %s", v, d->name);
	}
	if (d->type == ARG_SERVICE && s != NULL && setup_service(s, v) < 0) {
		error_set(e, ERR_NOT_FOUND, "no service is called %s", v);
		error_hint(e, "services: %s%s%s%s", s->n_services > 0 ? s->services[0].name : "none",
		           s->n_services > 1 ? ", " : "", s->n_services > 1 ? s->services[1].name : "",
		           s->n_services > 2 ? ", ..." : "");
		return ERR_NOT_FOUND;
	}
	if (d->type == ARG_ENV && s != NULL && setup_env(s, v) < 0) {
		error_set(e, ERR_NOT_FOUND, "no environment is called %s", v);
		error_hint(e, "environments: %s to %s", s->envs[0].name, s->envs[s->n_envs - 1].name);
		return ERR_NOT_FOUND;
	}
	if (d->type == ARG_DURATION && time_parse_duration(v, &n) != 0)
		return error_set(e, ERR_INVALID, "--%s takes a duration such as 30m, not %s", d->name, v);
	/* What lasts no time would be kept as what lasts until somebody takes it back. */
	if (d->type == ARG_DURATION && strcmp(d->name, "for") == 0 && n == 0)
		return error_set(e, ERR_INVALID, "--for takes a duration that is more than nothing, not %s",
		                 v);
	/* It is kept for good: nobody's words are cut short without a word. */
	if (d->option && strcmp(d->name, "reason") == 0 && strlen(v) >= TEXT_LEN)
		return error_set(e, ERR_INVALID, "--reason has at most %d bytes", TEXT_LEN - 1);
	if (d->type == ARG_INT) {
		n = strtoll(v, &end, 10);
		if (end == v || *end != '\0' || n < 0 || n > INT32_MAX)
			return error_set(e, ERR_INVALID, "%s%s takes a whole number from 0 to %d, not %s",
			                 d->option ? "--" : "", d->name, INT32_MAX, v);
	}
	return 0;
}

static int next_position(const struct command *c, int from)
{
	int i = 0;

	for (const struct arg_desc *d = c->args; d != NULL && d->name != NULL; d++, i++)
		if (i >= from && !d->option)
			return i;
	return -1;
}

static bool takes_rest(const struct arg_desc *d) { return d->type == ARG_REST || d->type == ARG_FILES; }

/* The words that one position took; NULL without memory. */
static const char *join(struct arena *a, const char *const *words, int n, char between)
{
	size_t len = 0, at = 0;
	char *text;

	for (int i = 0; i < n; i++)
		len += strlen(words[i]) + 1;
	text = arena_alloc(a, len + 1);
	for (int i = 0; text != NULL && i < n; i++) {
		const size_t k = strlen(words[i]);

		if (i > 0)
			text[at++] = between;
		memcpy(text + at, words[i], k);
		at += k;
	}
	return text;
}

int command_parse(const struct command *c, const struct setup *s, struct arena *a, int argc,
                  const char *const *argv, const char **values, struct error *e)
{
	const char **rest = arena_alloc(a, ((size_t)MAX(argc, 0) + 1) * sizeof(*rest));
	int position = next_position(c, 0), rc = 0, n_rest = 0;
	bool only_words = false;

	if (rest == NULL)
		return error_set(e, ERR_NOMEM, "the command is too long");
	for (int i = 0; i < argc && rc == 0; i++) {
		const char *w = argv[i], *eq = strchr(w, '=');
		int index = -1;

		if (!only_words && strcmp(w, "--") == 0) {
			only_words = true;
			continue;
		}
		if (!only_words && w[0] == '-' && w[1] != '\0') {
			size_t n = eq != NULL ? (size_t)(eq - w) : strlen(w);
			const struct arg_desc *d = find_option(c, w, n, &index);

			if (d == NULL)
				return error_set(e, ERR_INVALID, "%s has no option %.*s", c->name, (int)n, w);
			if (d->type == ARG_FLAG && eq != NULL)
				return error_set(e, ERR_INVALID, "--%s takes no value", d->name);
			if (d->type == ARG_FLAG) {
				values[index] = "yes";
				continue;
			}
			if (eq == NULL && i + 1 >= argc)
				return error_set(e, ERR_INVALID, "--%s needs a value", d->name);
			values[index] = eq != NULL ? eq + 1 : argv[++i];
			rc = check_value(s, d, values[index], e);
			continue;
		}
		if (position < 0)
			return error_set(e, ERR_INVALID, "%s takes no further word: %s", c->name, w);
		if (c->args[position].type == ARG_FILES && strchr(w, '\n') != NULL)
			return error_set(e, ERR_INVALID, "a file's name has a line break");
		values[position] = w;
		rc = check_value(s, &c->args[position], w, e);
		if (takes_rest(&c->args[position]))
			rest[n_rest++] = w;
		else
			position = next_position(c, position + 1);
	}
	if (n_rest > 1)
		values[position] = join(a, rest, n_rest, c->args[position].type == ARG_FILES ? '\n' : ' ');
	for (int i = 0; rc == 0 && c->args != NULL && c->args[i].name != NULL; i++)
		if (c->args[i].required && (values[i] == NULL || values[i][0] == '\0'))
			rc = error_set(e, ERR_INVALID, "%s needs %s%s%s", c->name,
			               c->args[i].option ? "--" : "", c->args[i].name,
			               values[i] != NULL ? ", not an empty word" : "");
	return rc;
}
