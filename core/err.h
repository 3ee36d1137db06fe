/*
 * Errors: a code for the caller, a text for the person, set once at the source.
 *
 * Library code never prints; it fills a struct error and returns its code, and
 * the code travels upward unchanged. Outputs are untouched on failure.
 */
#ifndef CORE_ERR_H
#define CORE_ERR_H

#include "core/base.h"
#include "core/limits.h"

enum err {
	ERR_OK = 0,
	ERR_NOMEM = -1,   /* out of memory, or a named limit was reached */
	ERR_INVALID = -2, /* the input is wrong: says what and where */
	ERR_NOT_FOUND = -3,
	ERR_EXISTS = -4,
	ERR_CONFLICT = -5, /* somebody else holds it or changed it */
	ERR_IO = -6,       /* the operating system or a peer refused */
	ERR_TIMEOUT = -7,
	ERR_DENIED = -8,  /* not allowed */
	ERR_CORRUPT = -9, /* bytes do not match their digest or format */
	ERR_UNSUPPORTED = -10,
	ERR_CANCELLED = -11,
};

/* What went wrong, where, and what to do next. */
struct error {
	enum err code;
	int line, col;        /* 1-based; 0 where the source is no text file */
	char where[PATH_LEN]; /* file, host or table; may be empty */
	char text[TEXT_LEN];  /* one sentence, no full stop, no newline */
	char hint[TEXT_LEN];  /* what would be right; may be empty */
};

/* Fills e (may be NULL) with code and a formatted text; clears where and hint. Returns code. */
int error_set(struct error *e, enum err code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Adds the place to an error that was just set; line and col may be 0. */
void error_at(struct error *e, const char *where, int line, int col);

/* Adds the next step. */
void error_hint(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Writes "where:line:col: text (hint)" into dst, always NUL-terminated. */
void error_format(const struct error *e, char *dst, size_t cap);

/* The stable word of a code, such as "not-found". */
const char *err_name(enum err code);

#endif
