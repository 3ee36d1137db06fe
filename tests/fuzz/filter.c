/* The filter grammar: the first line is a filter, the rest the row. A passing row has the literal. */
#include "core/filter.h"
#include "tests/fuzz/fuzz.h"

struct row {
	const char *text;
	size_t n;
};

static const char *row_text(const void *row, size_t *ret_n)
{
	const struct row *r = row;

	*ret_n = r->n;
	return r->text;
}

static const char *row_field(const void *row, const char *key, char *buf, size_t cap)
{
	const struct row *r = row;
	size_t n = MIN(r->n, cap - 1);

	if (strcmp(key, "level") == 0)
		return "warn";
	if (key[0] == 'x')
		return NULL;
	memcpy(buf, r->text, n);
	buf[n] = '\0';
	return buf;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

static bool contains(const struct row *r, const char *needle, bool ignore_case)
{
	size_t n = strlen(needle);

	for (size_t i = 0; i + n <= r->n; i++) {
		size_t k = 0;

		while (k < n && (r->text[i + k] == needle[k] ||
		                 (ignore_case && lower(r->text[i + k]) == lower(needle[k]))))
			k++;
		if (k == n)
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data, *nl = size > 0 ? memchr(in, '\n', size) : NULL;
	size_t n = nl != NULL ? (size_t)(nl - in) : size;
	struct row r = {.text = nl != NULL ? nl + 1 : "", .n = nl != NULL ? size - n - 1 : 0};
	struct filter_row fr = {.row = &r,
	                        .now_us = US_PER_DAY * 20000,
	                        .time_us = US_PER_DAY * 20000 - US_PER_H,
	                        .text = row_text,
	                        .field = row_field};
	struct filter *f = NULL;
	struct error e = {0};
	char *text = malloc(n + 1);
	bool ignore = false;
	int rc;

	HOLDS(text != NULL);
	if (n > 0)
		memcpy(text, in, n);
	text[n] = '\0';
	r.n = MIN(r.n, (size_t)512);
	rc = filter_parse(text, &f, &e);
	if (rc != 0) {
		HOLDS(f == NULL && (int)e.code == rc && e.text[0] != '\0');
		HOLDS(e.col >= 0 && (size_t)e.col <= strlen(text) + 2);
	} else if (filter_passes(f, &fr)) {
		const char *literal = filter_literal(f, &ignore);

		HOLDS(literal[0] == '\0' || contains(&r, literal, ignore));
	}
	HOLDS(fuzzy_score(text, "checkout-prod-eu") >= -1);
	filter_free(f);
	free(text);
	return 0;
}
