/*
 * A growing byte string with a named maximum. Failure is sticky: an append that
 * would pass the maximum appends nothing and sets failed; check once at the end.
 */
#ifndef CORE_STR_H
#define CORE_STR_H

#include "core/base.h"

struct str {
	char *data; /* NUL-terminated once anything was added; NULL before */
	size_t len, cap, max;
	bool failed;
};

void str_init(struct str *s, size_t max);
void str_release(struct str *s); /* accepts a zeroed string */
void str_clear(struct str *s);   /* keeps the memory, forgets bytes and failure */
void str_add(struct str *s, const char *text);
void str_addn(struct str *s, const void *bytes, size_t n);
void str_addf(struct str *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void str_addc(struct str *s, char c);

/* The text, never NULL. Valid until the next change. */
const char *str_text(const struct str *s);

/* Gives the heap bytes to the caller (free() them) and empties s; NULL once failed. */
char *str_take(struct str *s);

/* Copies src into a fixed buffer, always NUL-terminated; false if it was cut. */
bool str_copy(char *dst, size_t cap, const char *src);

/* "512 B", "1.4 GiB"; "?" for a negative count. */
void str_size(char *dst, size_t cap, int64_t bytes);

#endif
