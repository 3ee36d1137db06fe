#include "core/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void str_init(struct str *s, size_t max) { *s = (struct str){.max = max}; }

void str_release(struct str *s)
{
	free(s->data);
	str_init(s, s->max);
}

void str_clear(struct str *s)
{
	s->len = 0;
	s->failed = false;
	if (s->data != NULL)
		s->data[0] = '\0';
}

static bool reserve(struct str *s, size_t more)
{
	size_t want, cap;
	char *p;

	if (s->failed || more > s->max - s->len) {
		s->failed = true;
		return false;
	}
	want = s->len + more + 1;
	if (want <= s->cap)
		return true;
	cap = MAX(MAX(want, s->cap * 2), (size_t)64);
	p = realloc(s->data, cap);
	if (p == NULL) {
		s->failed = true;
		return false;
	}
	s->data = p;
	s->cap = cap;
	return true;
}

void str_addn(struct str *s, const void *bytes, size_t n)
{
	if (!reserve(s, n))
		return;
	if (n > 0)
		memcpy(s->data + s->len, bytes, n);
	s->len += n;
	s->data[s->len] = '\0';
}

void str_add(struct str *s, const char *text) { str_addn(s, text, strlen(text)); }

void str_addc(struct str *s, char c) { str_addn(s, &c, 1); }

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(s, (size_t)n)) {
		s->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(s->data + s->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	s->len += (size_t)n;
}

const char *str_text(const struct str *s) { return s->data != NULL ? s->data : ""; }

char *str_take(struct str *s)
{
	char *p = s->failed ? NULL : s->data;

	if (p == NULL && !s->failed)
		p = calloc(1, 1);
	else if (s->failed)
		free(s->data);
	str_init(s, s->max);
	return p;
}

bool str_copy(char *dst, size_t cap, const char *src)
{
	size_t n = strnlen(src, cap);

	if (n == cap) {
		memcpy(dst, src, cap - 1);
		dst[cap - 1] = '\0';
		return false;
	}
	memcpy(dst, src, n + 1);
	return true;
}

void str_size(char *dst, size_t cap, int64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double v = (double)bytes;
	size_t k = 0;

	if (bytes < 0) {
		snprintf(dst, cap, "?");
		return;
	}
	while (v >= 1024 && k + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		k++;
	}
	snprintf(dst, cap, k > 0 && v < 10 ? "%.1f %s" : "%.0f %s", v, units[k]);
}
