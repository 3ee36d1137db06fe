#include "core/exposition_scan.h"
#include "core/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NUMBER_LEN = 128, EXEMPLAR_CHARS = 128 };

/* A place in a line. */
struct cur {
	const char *p, *end;
	enum exposition_format format;
	struct arena *a;
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

size_t exposition_name(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (is_alpha(s[i]) || s[i] == ':' || (i > 0 && is_digit(s[i]))))
		i++;
	return i;
}

static size_t label_name(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (is_alpha(s[i]) || (i > 0 && is_digit(s[i]))))
		i++;
	return i;
}

static bool word_is(const char *s, size_t n, const char *word)
{
	return n == strlen(word) && strncasecmp(s, word, n) == 0;
}

/* [+-] digits [. digits] [e [+-] digits], at least one digit of the mantissa. */
static bool is_decimal(const char *s, size_t n)
{
	size_t i = 0, digits = 0;

	if (i < n && (s[i] == '+' || s[i] == '-'))
		i++;
	for (; i < n && is_digit(s[i]); i++)
		digits++;
	if (i < n && s[i] == '.')
		for (i++; i < n && is_digit(s[i]); i++)
			digits++;
	if (digits == 0)
		return false;
	if (i < n && (s[i] == 'e' || s[i] == 'E')) {
		i++;
		if (i < n && (s[i] == '+' || s[i] == '-'))
			i++;
		if (i >= n)
			return false;
		while (i < n && is_digit(s[i]))
			i++;
	}
	return i == n;
}

bool exposition_number(const char *s, size_t n, enum exposition_format format, double *ret)
{
	const size_t sign = n > 0 && (s[0] == '+' || s[0] == '-') ? 1 : 0;
	char copy[NUMBER_LEN];

	UNUSED(format);
	if (n == 0 || n >= sizeof(copy))
		return false;
	if (word_is(s, n, "nan")) {
		*ret = (double)NAN;
		return true;
	}
	if (word_is(s + sign, n - sign, "inf") || word_is(s + sign, n - sign, "infinity")) {
		*ret = s[0] == '-' ? -(double)INFINITY : (double)INFINITY;
		return true;
	}
	if (!is_decimal(s, n))
		return false;
	memcpy(copy, s, n);
	copy[n] = '\0';
	*ret = strtod(copy, NULL);
	return true;
}

static void skip_space(struct cur *c)
{
	if (c->format == EXPOSITION_TEXT)
		while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
			c->p++;
}

static bool take(struct cur *c, char want)
{
	if (c->p >= c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

/* From behind the opening quote to behind the closing one. */
static char *take_quoted(struct cur *c, const char **wrong)
{
	const char *close = c->p;
	char *value;
	size_t k = 0;

	/* Its length first: a long line of many labels must not cost its length for each. */
	while (close < c->end && *close != '"')
		close += *close == '\\' && close + 1 < c->end ? 2 : 1;
	value = arena_alloc(c->a, (size_t)(close - c->p) + 1);
	*wrong = value == NULL ? "it does not fit" : NULL;
	while (value != NULL && c->p < c->end && c->p <= close) {
		char b = *c->p++;

		if (b == '"') {
			value[k] = '\0';
			return value;
		}
		if (b == '\\' && c->p < c->end) {
			char next = *c->p;

			if (next == 'n' || next == '"' || next == '\\') {
				b = next == 'n' ? '\n' : next;
				c->p++;
			}
		}
		value[k++] = b;
	}
	if (*wrong == NULL)
		*wrong = "a label value has no closing quote";
	return NULL;
}

/* One label into l, or the quoted metric name into *name. */
static const char *take_label(struct cur *c, struct exposition_label *l, const char **name)
{
	const char *wrong;

	if (take(c, '"')) {
		l->name = take_quoted(c, &wrong);
		if (wrong != NULL)
			return wrong;
		skip_space(c);
		if (name != NULL && *name == NULL && (c->p >= c->end || *c->p != '=')) {
			*name = l->name;
			l->name = NULL;
			return NULL;
		}
	} else {
		size_t n = label_name(c->p, (size_t)(c->end - c->p));

		if (n == 0)
			return "a label name is not valid";
		l->name = arena_strndup(c->a, c->p, n);
		c->p += n;
		skip_space(c);
	}
	if (!take(c, '='))
		return "a label has no '='";
	skip_space(c);
	if (!take(c, '"'))
		return "a label value is not quoted";
	l->value = take_quoted(c, &wrong);
	return wrong;
}

/* From behind '{' to behind '}'. */
static const char *take_labels(struct cur *c, struct exposition_sample *s, const char **name)
{
	struct exposition_label found[EXPOSITION_LABELS_MAX];
	struct exposition_label *labels;
	int n = 0;

	for (;;) {
		const char *wrong;

		skip_space(c);
		if (take(c, '}'))
			break;
		if (n >= EXPOSITION_LABELS_MAX)
			return "a sample has too many labels";
		found[n] = (struct exposition_label){0};
		wrong = take_label(c, &found[n], name);
		if (wrong != NULL)
			return wrong;
		for (int i = 0; found[n].name != NULL && i < n; i++)
			if (strcmp(found[i].name, found[n].name) == 0)
				return "a label stands twice";
		n += found[n].name != NULL;
		skip_space(c);
		if (take(c, '}'))
			break;
		if (!take(c, ','))
			return "labels are not separated by a comma";
		if (c->format == EXPOSITION_OPENMETRICS && c->p < c->end && *c->p == '}')
			return "a comma stands before '}'";
	}
	labels = arena_alloc(c->a, (size_t)MAX(n, 1) * sizeof(*labels));
	if (labels == NULL)
		return "it does not fit";
	memcpy(labels, found, (size_t)n * sizeof(*labels));
	s->labels = labels;
	s->n_labels = n;
	return NULL;
}

/* Up to the next space or the end. */
static bool take_number(struct cur *c, double *ret)
{
	const char *from = c->p;

	while (c->p < c->end && *c->p != ' ' && *c->p != '\t')
		c->p++;
	return exposition_number(from, (size_t)(c->p - from), c->format, ret);
}

/* One space (OpenMetrics) or some blanks (text). */
static bool take_gap(struct cur *c)
{
	const char *from = c->p;

	if (c->format == EXPOSITION_OPENMETRICS)
		return take(c, ' ');
	skip_space(c);
	return c->p > from;
}

static const char *take_exemplar(struct cur *c, struct exposition_exemplar *x)
{
	struct exposition_sample s = {0};
	const char *wrong;
	size_t chars = 0;

	if (!take_gap(c) || !take(c, '{'))
		return "an exemplar has no labels";
	wrong = take_labels(c, &s, NULL);
	if (wrong != NULL)
		return wrong;
	for (int i = 0; i < s.n_labels; i++)
		for (int k = 0; k < 2; k++)
			for (const char *p = k == 0 ? s.labels[i].name : s.labels[i].value; *p != '\0'; p++)
				chars += ((unsigned char)*p & 0xC0) != 0x80;
	if (chars > EXEMPLAR_CHARS)
		return "the labels of an exemplar are too long";
	if (!take_gap(c) || !take_number(c, &x->v))
		return "an exemplar has no value";
	x->present = true;
	if (c->p >= c->end)
		return NULL;
	x->has_time = true;
	if (!take_gap(c) || !take_number(c, &x->time_s) || !isfinite(x->time_s) || c->p < c->end)
		return "an exemplar's time is not valid";
	return NULL;
}

/* "value [time] [# exemplar]" */
static const char *take_values(struct cur *c, struct exposition_sample *s, struct exposition_exemplar *x)
{
	const bool open = c->format == EXPOSITION_OPENMETRICS;

	if (!take_number(c, &s->v))
		return "the value is not a number";
	if (!open)
		skip_space(c);
	if (c->p >= c->end)
		return NULL;
	if (open && !take(c, ' '))
		return "something stands behind the value";
	if (!open || c->p >= c->end || *c->p != '#') {
		s->has_time = true;
		if (!take_number(c, &s->time_s) || !isfinite(s->time_s))
			return "the time is not a number";
		if (!open) {
			s->time_s /= 1000;
			skip_space(c);
		}
		if (c->p >= c->end)
			return NULL;
		if (!open || !take(c, ' '))
			return "something stands behind the time";
	}
	if (!take(c, '#'))
		return "something stands behind the value";
	return take_exemplar(c, x);
}

const char *exposition_scan_sample(const char *line, size_t n, enum exposition_format format, struct arena *a,
                                   struct exposition_sample *ret, struct exposition_exemplar *exemplar)
{
	struct cur c = {line, line + n, format, a};
	const size_t name = exposition_name(line, n);
	const char *quoted = NULL, *wrong;
	bool braces;

	*ret = (struct exposition_sample){0};
	*exemplar = (struct exposition_exemplar){0};
	if (name > 0)
		ret->name = arena_strndup(a, line, name);
	c.p += name;
	skip_space(&c);
	braces = take(&c, '{');
	if (braces) {
		wrong = take_labels(&c, ret, name == 0 ? &quoted : NULL);
		if (wrong != NULL)
			return wrong;
		if (name == 0)
			ret->name = quoted;
	}
	if (ret->name == NULL || ret->name[0] == '\0')
		return "a metric name is not valid";
	if (format == EXPOSITION_OPENMETRICS) {
		if (!take(&c, ' '))
			return "no space before the value";
	} else {
		/* The name ended at a blank or brace, or something is stuck to it. */
		if (!braces && c.p == line + name)
			return "a metric name is not valid";
		skip_space(&c);
	}
	return take_values(&c, ret, exemplar);
}
