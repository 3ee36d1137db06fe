#include "core/exposition_scan.h"
#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum family_type {
	TYPE_UNKNOWN,
	TYPE_GAUGE,
	TYPE_COUNTER,
	TYPE_HISTOGRAM,
	TYPE_GAUGEHISTOGRAM,
	TYPE_SUMMARY,
	TYPE_INFO,
	TYPE_STATESET,
	TYPE_UNTYPED
};

/* A metric family of OpenMetrics while its block lasts. */
struct family {
	const char *name;
	enum family_type type;
	bool has_type, has_help, has_unit, has_samples;
};

/* One parse. */
struct parse {
	struct exposition *x;
	enum exposition_format format;
	struct family now;
	const char **taken; /* sample names of families that ended, open hash by name */
	size_t n_taken, cap_taken;
	int first; /* of the family's samples */
	int cap;
	bool ended;
};

static const char *const type_names[] = {
    [TYPE_UNKNOWN] = "unknown",
    [TYPE_GAUGE] = "gauge",
    [TYPE_COUNTER] = "counter",
    [TYPE_HISTOGRAM] = "histogram",
    [TYPE_GAUGEHISTOGRAM] = "gaugehistogram",
    [TYPE_SUMMARY] = "summary",
    [TYPE_INFO] = "info",
    [TYPE_STATESET] = "stateset",
    [TYPE_UNTYPED] = "untyped",
};

/* What sample names of a type end in, beside the plain name where plain is set. */
static const struct {
	bool plain;
	const char *suffixes[5];
} forms[] = {
    [TYPE_UNKNOWN] = {true, {NULL}},
    [TYPE_GAUGE] = {true, {NULL}},
    [TYPE_COUNTER] = {false, {"_total", "_created", NULL}},
    [TYPE_HISTOGRAM] = {false, {"_bucket", "_count", "_sum", "_created", NULL}},
    [TYPE_GAUGEHISTOGRAM] = {false, {"_bucket", "_gcount", "_gsum", NULL}},
    [TYPE_SUMMARY] = {true, {"_count", "_sum", "_created", NULL}},
    [TYPE_INFO] = {false, {"_info", NULL}},
    [TYPE_STATESET] = {true, {NULL}},
    [TYPE_UNTYPED] = {true, {NULL}},
};

const char *exposition_label(const struct exposition_sample *s, const char *name)
{
	for (int i = 0; i < s->n_labels; i++)
		if (strcmp(s->labels[i].name, name) == 0)
			return s->labels[i].value;
	return NULL;
}

enum exposition_format exposition_format_of(const char *content_type)
{
	static const char open[] = "application/openmetrics-text";

	return strncasecmp(content_type, open, strlen(open)) == 0 ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
}

void exposition_release(struct exposition *x)
{
	arena_release(&x->arena);
	x->samples = NULL;
	x->n_samples = 0;
}

/* --- families (OpenMetrics) ---------------------------------------------------------------------------------- */

/* The part of a sample's name behind its family's; NULL: it is of another family. */
static const char *suffix_of(const struct family *f, const char *sample)
{
	const size_t n = strlen(f->name);

	if (strncmp(sample, f->name, n) != 0)
		return NULL;
	sample += n;
	if (*sample == '\0')
		return sample;
	for (int i = 0; forms[f->type].suffixes[i] != NULL; i++)
		if (strcmp(sample, forms[f->type].suffixes[i]) == 0)
			return sample;
	return NULL;
}

static size_t hash_of(const char *s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	return (size_t)h;
}

/* False when the name was there already; true too without memory (the arena's failure is seen at the end). */
static bool take_name(struct parse *p, const char *name)
{
	size_t at;

	if (p->n_taken * 2 >= p->cap_taken) {
		const size_t old = p->cap_taken, cap = MAX(old * 2, (size_t)256);
		const char **names = arena_alloc(&p->x->arena, cap * sizeof(*names));

		if (names == NULL)
			return true;
		for (size_t i = 0; i < old; i++) {
			if (p->taken[i] == NULL)
				continue;
			for (at = hash_of(p->taken[i]) % cap; names[at] != NULL; at = (at + 1) % cap)
				;
			names[at] = p->taken[i];
		}
		p->taken = names;
		p->cap_taken = cap;
	}
	for (at = hash_of(name) % p->cap_taken; p->taken[at] != NULL; at = (at + 1) % p->cap_taken)
		if (strcmp(p->taken[at], name) == 0)
			return false;
	p->taken[at] = name;
	p->n_taken++;
	return true;
}

static bool is_histogram(enum family_type t) { return t == TYPE_HISTOGRAM || t == TYPE_GAUGEHISTOGRAM; }

/* The labels but le and quantile, and but the metric's own in a stateset, are the same? */
static bool same_group(const struct family *f, const struct exposition_sample *a,
                       const struct exposition_sample *b)
{
	int n[2] = {0, 0};
	const struct exposition_sample *both[2] = {a, b};

	for (int k = 0; k < 2; k++)
		for (int i = 0; i < both[k]->n_labels; i++) {
			const struct exposition_label *l = &both[k]->labels[i];
			const char *other;

			if ((is_histogram(f->type) && strcmp(l->name, "le") == 0) ||
			    (f->type == TYPE_SUMMARY && strcmp(l->name, "quantile") == 0) ||
			    (f->type == TYPE_STATESET && strcmp(l->name, f->name) == 0))
				continue;
			n[k]++;
			other = exposition_label(both[1 - k], l->name);
			if (other == NULL || strcmp(other, l->value) != 0)
				return false;
		}
	return n[0] == n[1];
}

static const char *check_value(const struct family *f, const char *suffix, const struct exposition_sample *s)
{
	const bool counts = strcmp(suffix, "_total") == 0 || strcmp(suffix, "_bucket") == 0 ||
	                    strcmp(suffix, "_count") == 0 || strcmp(suffix, "_gcount") == 0 ||
	                    strcmp(suffix, "_sum") == 0;
	const char *label;
	double v;

	if (counts && (isnan(s->v) || s->v < 0))
		return "a count or sum is negative or no number";
	if (strcmp(suffix, "_gsum") == 0 && isnan(s->v))
		return "a sum is no number";
	if (strcmp(suffix, "_bucket") == 0) {
		label = exposition_label(s, "le");
		if (label == NULL || !exposition_number(label, strlen(label), EXPOSITION_OPENMETRICS, &v) ||
		    isnan(v) || (isinf(v) && strcmp(label, "+Inf") != 0))
			return "a bucket has no valid le";
	}
	if (f->type == TYPE_SUMMARY && suffix[0] == '\0') {
		label = exposition_label(s, "quantile");
		if (label == NULL || !exposition_number(label, strlen(label), EXPOSITION_OPENMETRICS, &v) ||
		    !(v >= 0 && v <= 1))
			return "a quantile is not between 0 and 1";
		if (s->v < 0)
			return "a quantile's value is negative";
	}
	if (f->type == TYPE_INFO && !(s->v >= 1 && s->v <= 1))
		return "an info is not 1";
	if (f->type == TYPE_STATESET) {
		if (exposition_label(s, f->name) == NULL)
			return "a stateset has no label of its own name";
		if (!(s->v >= 0 && s->v <= 0) && !(s->v >= 1 && s->v <= 1))
			return "a stateset is neither 0 nor 1";
	}
	return NULL;
}

static bool exemplar_allowed(const struct family *f, const char *suffix)
{
	return (f->type == TYPE_COUNTER && strcmp(suffix, "_total") == 0) ||
	       (is_histogram(f->type) && strcmp(suffix, "_bucket") == 0);
}

/* What one histogram (one set of labels) was seen to have. */
struct histogram {
	bool bucket, sum, count, inf, negative;
	double last_le, last_v, total, sum_v;
};

static const char *histogram_end(const struct family *f, const struct histogram *h)
{
	const bool gauge = f->type == TYPE_GAUGEHISTOGRAM;

	if (!h->bucket && !h->sum && !h->count)
		return NULL;
	if (!h->inf)
		return "a histogram has no +Inf bucket";
	if (h->sum != h->count)
		return "a histogram has only one of sum and count";
	if (h->count && (h->total < h->last_v || h->total > h->last_v))
		return "a histogram's count is not that of its +Inf bucket";
	if (!gauge && h->negative && h->sum)
		return "a histogram with negative buckets has a sum";
	if (gauge && !h->negative && h->sum && h->sum_v < 0)
		return "a histogram without negative buckets has a negative sum";
	return NULL;
}

static const char *histogram_add(struct histogram *h, const char *suffix, const struct exposition_sample *s)
{
	const char *label;
	double le = 0;

	if (strcmp(suffix, "_sum") == 0 || strcmp(suffix, "_gsum") == 0) {
		h->sum = true;
		h->sum_v = s->v;
	} else if (strcmp(suffix, "_count") == 0 || strcmp(suffix, "_gcount") == 0) {
		h->count = true;
		h->total = s->v;
	} else if (strcmp(suffix, "_bucket") == 0) {
		label = exposition_label(s, "le");
		if (label == NULL || !exposition_number(label, strlen(label), EXPOSITION_OPENMETRICS, &le))
			return "a bucket has no valid le";
		if (h->bucket && !(le > h->last_le))
			return "the buckets of a histogram are not in order";
		if (h->bucket && s->v < h->last_v)
			return "the buckets of a histogram do not grow";
		h->negative |= le < 0;
		h->inf |= isinf(le) && le > 0;
		h->bucket = true;
		h->last_le = le;
		h->last_v = s->v;
	}
	return NULL;
}

/* Do two samples stand for the same series? */
static bool same_series(const struct exposition_sample *a, const struct exposition_sample *b)
{
	if (strcmp(a->name, b->name) != 0 || a->n_labels != b->n_labels)
		return false;
	for (int i = 0; i < a->n_labels; i++) {
		const char *other = exposition_label(b, a->labels[i].name);

		if (other == NULL || strcmp(other, a->labels[i].value) != 0)
			return false;
	}
	return true;
}

/* The samples of a block: groups stand together, times do not go back, histograms add up. */
static const char *check_block(struct parse *p)
{
	const struct family *f = &p->now;
	const int n = p->x->n_samples - p->first;
	const struct exposition_sample *s = n > 0 ? p->x->samples + p->first : NULL;
	const bool has_parts = is_histogram(f->type) || f->type == TYPE_SUMMARY;
	struct histogram h = {0};

	for (int i = 0; i < n; i++) {
		const char *wrong, *suffix = suffix_of(f, s[i].name);
		const bool new_group = i > 0 && !same_group(f, &s[i - 1], &s[i]);

		if (i > 0 && same_series(&s[i - 1], &s[i])) {
			if (s[i].has_time != s[i - 1].has_time)
				return "a series has samples with and without a time";
			if (s[i].has_time && s[i].time_s < s[i - 1].time_s && f->type != TYPE_INFO)
				return "the times of a series go back";
		}
		if (new_group && is_histogram(f->type)) {
			wrong = histogram_end(f, &h);
			if (wrong != NULL)
				return wrong;
			h = (struct histogram){0};
		}
		/* A group that comes back later was split; far back matters only where groups have parts. */
		for (int k = i - 2; new_group && has_parts && k >= 0 && k > i - 64; k--)
			if (same_group(f, &s[k], &s[i]))
				return "the samples of one metric do not stand together";
		if (is_histogram(f->type)) {
			wrong = histogram_add(&h, suffix != NULL ? suffix : "", &s[i]);
			if (wrong != NULL)
				return wrong;
		}
	}
	return is_histogram(f->type) ? histogram_end(f, &h) : NULL;
}

static const char *family_end(struct parse *p)
{
	const struct family f = p->now;
	const char *wrong;

	if (f.name == NULL)
		return NULL;
	wrong = check_block(p);
	p->now = (struct family){0};
	p->first = p->x->n_samples;
	if (wrong != NULL)
		return wrong;
	/* Every name that its samples might have is taken now. */
	if (!take_name(p, f.name))
		return "a metric's name clashes with another's";
	for (int i = 0; forms[f.type].suffixes[i] != NULL; i++)
		if (!take_name(p, arena_printf(&p->x->arena, "%s%s", f.name, forms[f.type].suffixes[i])))
			return "a metric's name clashes with another's";
	return NULL;
}

static const char *family_begin(struct parse *p, const char *name, size_t n)
{
	const char *wrong = family_end(p);

	p->now.name = arena_strndup(&p->x->arena, name, n);
	if (p->now.name == NULL)
		return "it does not fit";
	return wrong;
}

/* --- lines --------------------------------------------------------------------------------------------------- */

static const char *parse_type(struct family *f, const char *text, size_t n)
{
	if (f->has_type)
		return "TYPE stands twice";
	f->has_type = true;
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
		if (i != TYPE_UNTYPED && strlen(type_names[i]) == n && memcmp(type_names[i], text, n) == 0) {
			f->type = (enum family_type)i;
			return NULL;
		}
	return "TYPE names no known type";
}

static const char *parse_unit(struct family *f, const char *text, size_t n)
{
	const size_t len = strlen(f->name);

	if (f->has_unit)
		return "UNIT stands twice";
	f->has_unit = true;
	if (n == 0)
		return NULL;
	if (exposition_name(text, n) != n)
		return "UNIT is not valid";
	if (len < n + 1 || memcmp(f->name + len - n, text, n) != 0 || f->name[len - n - 1] != '_')
		return "a metric's name does not end in its UNIT";
	return NULL;
}

/* "# TYPE name text" and the like, of OpenMetrics. */
static const char *parse_metadata(struct parse *p, const char *line, size_t n)
{
	static const char *const words[] = {"HELP ", "TYPE ", "UNIT "};
	const char *text, *wrong = NULL;
	size_t name, word;

	for (word = 0; word < ARRAY_LEN(words); word++)
		if (n > 7 && memcmp(line + 2, words[word], 5) == 0)
			break;
	if (word == ARRAY_LEN(words))
		return "a line with # is neither HELP, TYPE, UNIT nor EOF";
	line += 7;
	n -= 7;
	name = exposition_name(line, n);
	if (name == 0 || name >= n || line[name] != ' ')
		return "a metadata line is not complete";
	text = line + name + 1;
	n -= name + 1;
	if (p->now.name == NULL || strlen(p->now.name) != name || memcmp(p->now.name, line, name) != 0)
		wrong = family_begin(p, line, name);
	else if (p->now.has_samples)
		wrong = "metadata stands behind samples of its metric";
	if (wrong != NULL)
		return wrong;
	if (word == 0) {
		wrong = p->now.has_help ? "HELP stands twice" : NULL;
		p->now.has_help = true;
	} else {
		wrong = word == 1 ? parse_type(&p->now, text, n) : parse_unit(&p->now, text, n);
	}
	if (wrong == NULL && p->now.has_unit && (p->now.type == TYPE_INFO || p->now.type == TYPE_STATESET) &&
	    word == 2 && n > 0)
		wrong = "this type has no UNIT";
	return wrong;
}

static const char *add_sample(struct parse *p, const struct exposition_sample *s)
{
	struct exposition *x = p->x;

	if (x->n_samples >= EXPOSITION_SAMPLES_MAX)
		return "it has too many samples";
	if (x->n_samples == p->cap) {
		p->cap = MAX(256, p->cap * 2);
		x->samples = arena_grow(&x->arena, x->samples, (size_t)x->n_samples, (size_t)p->cap,
		                        sizeof(*x->samples));
	}
	if (x->samples == NULL)
		return "it does not fit";
	x->samples[x->n_samples++] = *s;
	return NULL;
}

static const char *parse_sample(struct parse *p, const char *line, size_t n)
{
	struct exposition_exemplar exemplar;
	struct exposition_sample s;
	const char *wrong = exposition_scan_sample(line, n, p->format, &p->x->arena, &s, &exemplar), *suffix;

	if (wrong != NULL || p->format == EXPOSITION_TEXT)
		return wrong != NULL ? wrong : add_sample(p, &s);
	suffix = p->now.name != NULL ? suffix_of(&p->now, s.name) : NULL;
	if (suffix == NULL) {
		wrong = family_begin(p, s.name, strlen(s.name));
		suffix = "";
	} else if (suffix[0] == '\0' && !forms[p->now.type].plain) {
		wrong = "a sample has not the suffix of its type";
	}
	p->now.has_samples = true;
	if (wrong == NULL)
		wrong = check_value(&p->now, suffix, &s);
	if (wrong == NULL && exemplar.present && !exemplar_allowed(&p->now, suffix))
		wrong = "an exemplar stands where none is allowed";
	return wrong != NULL ? wrong : add_sample(p, &s);
}

static const char *parse_open_line(struct parse *p, const char *line, size_t n)
{
	if (p->ended)
		return "something stands behind # EOF";
	if (n == 0)
		return "a line is empty";
	if (line[0] != '#')
		return parse_sample(p, line, n);
	if (n == 5 && memcmp(line, "# EOF", 5) == 0) {
		p->ended = true;
		return family_end(p);
	}
	if (n < 2 || line[1] != ' ')
		return "a line with # is neither HELP, TYPE, UNIT nor EOF";
	return parse_metadata(p, line, n);
}

static const char *parse_text_line(struct parse *p, const char *line, size_t n)
{
	while (n > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		n--;
	}
	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (n == 0 || line[0] == '#')
		return NULL;
	return parse_sample(p, line, n);
}

int exposition_parse(struct exposition *ret, const char *bytes, size_t n, enum exposition_format format,
                     struct error *e)
{
	struct parse p = {.x = ret, .format = format};
	const char *wrong = NULL;
	int line = 0;

	*ret = (struct exposition){0};
	arena_init(&ret->arena, ARENA_DEFAULT_MAX);
	if (n > EXPOSITION_BYTES_MAX)
		return error_set(e, ERR_NOMEM, "it has more than %d MiB",
		                 EXPOSITION_BYTES_MAX / (1024 * 1024));
	while (n > 0 && wrong == NULL) {
		const char *end = memchr(bytes, '\n', n);
		const size_t len = end != NULL ? (size_t)(end - bytes) : n;

		line++;
		wrong = format == EXPOSITION_OPENMETRICS ? parse_open_line(&p, bytes, len)
		                                         : parse_text_line(&p, bytes, len);
		bytes += len + (end != NULL);
		n -= len + (end != NULL);
	}
	if (wrong == NULL && format == EXPOSITION_OPENMETRICS && !p.ended)
		wrong = "it does not end with # EOF";
	if (wrong == NULL && arena_failed(&ret->arena))
		wrong = "it does not fit";
	if (wrong == NULL)
		return 0;
	exposition_release(ret);
	error_set(e, ERR_INVALID, "%s", wrong);
	error_at(e, "metrics", line, 1);
	return ERR_INVALID;
}
