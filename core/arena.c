#include "core/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks grow with what is held, so that a large reading needs few of them. */
enum { BLOCK_BYTES = 16 * 1024, BLOCK_BYTES_MAX = 256 * 1024 };

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	max_align_t data[];
};

void arena_init(struct arena *a, size_t max_bytes) { *a = (struct arena){.max_bytes = max_bytes}; }

void arena_release(struct arena *a)
{
	struct arena_block *b = a->head;

	while (b != NULL) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
	arena_init(a, a->max_bytes);
}

static struct arena_block *block_new(struct arena *a, size_t n)
{
	size_t cap = MAX(n, MIN(MAX(a->used_bytes / 4, (size_t)BLOCK_BYTES), (size_t)BLOCK_BYTES_MAX));
	struct arena_block *b;

	if (cap > a->max_bytes - a->used_bytes)
		cap = n;
	if (cap > a->max_bytes - a->used_bytes)
		return NULL;
	b = calloc(1, sizeof(*b) + cap);
	if (b == NULL)
		return NULL;
	b->cap = cap;
	b->next = a->head;
	a->head = b;
	a->used_bytes += cap;
	return b;
}

uint64_t arena_sum(const struct arena *a)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (const struct arena_block *b = a->head; b != NULL; b = b->next)
		for (size_t i = 0; i < b->used; i++)
			h = (h ^ ((const unsigned char *)b->data)[i]) * UINT64_C(1099511628211);
	return h;
}

void *arena_alloc(struct arena *a, size_t n)
{
	const size_t align = sizeof(max_align_t);
	struct arena_block *b = a->head;
	void *p;

	if (a->failed || n > a->max_bytes) {
		a->failed = true;
		return NULL;
	}
	n = MAX((n + align - 1) / align * align, align);
	if (b == NULL || b->cap - b->used < n)
		b = block_new(a, n);
	if (b == NULL) {
		a->failed = true;
		return NULL;
	}
	p = (char *)b->data + b->used;
	b->used += n;
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = arena_alloc(a, len + 1);

	if (p != NULL)
		memcpy(p, s, len);
	return p;
}

char *arena_strdup(struct arena *a, const char *s) { return arena_strndup(a, s, strlen(s)); }

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (p == NULL) {
		a->failed = true;
		return NULL;
	}
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void *arena_grow(struct arena *a, const void *old, size_t n_old, size_t n_new, size_t elem)
{
	void *p;

	if (elem != 0 && n_new > a->max_bytes / elem) {
		a->failed = true;
		return NULL;
	}
	p = arena_alloc(a, n_new * elem);
	if (p != NULL && n_old > 0)
		memcpy(p, old, MIN(n_old, n_new) * elem);
	return p;
}
