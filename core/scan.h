/*
 * A cheap reader of the top level of JSON and logfmt log lines: no tree, no
 * allocation, spans into the line. It is lenient, for logs are: what it cannot
 * read ends the walk and sets broken.
 */
#ifndef CORE_SCAN_H
#define CORE_SCAN_H

#include "core/base.h"

enum scan_form { SCAN_PLAIN, SCAN_JSON, SCAN_LOGFMT };

struct scan {
	const char *p, *end;
	enum scan_form form;
	bool broken;
};

struct scan_field {
	const char *key, *value; /* spans without quotes */
	size_t n_key, n_value;
	bool is_string; /* was quoted: may hold escapes */
};

/* Starts at a line; form tells what it looks like. A plain line has no fields. */
void scan_init(struct scan *s, const char *line, size_t n);

/* The next field; false at the end or where the line is broken. */
bool scan_next(struct scan *s, struct scan_field *ret);

bool scan_key_is(const struct scan_field *f, const char *key);

/*
 * The value with its escapes resolved; raw foreign bytes, NUL-terminated. Never longer than the
 * span. Returns the bytes written, cut at cap.
 */
size_t scan_value(const struct scan_field *f, char *dst, size_t cap);

#endif
