#include "tui/term.h"

#include <stdlib.h>
#include <string.h>

/* A frame of the largest canvas in all colours stays far below it. */
enum { TERM_BYTES_MAX = 16 * 1024 * 1024 };

void term_free(struct terminal *t)
{
	if (!t)
		return;
	char *bytes = t->bytes;
	t->ops->free(t);
	free(bytes);
}

void term_draw(struct terminal *t, const struct canvas *c) { t->ops->draw(t, c); }

void term_resize(struct terminal *t, int rows, int cols)
{
	t->ops->resize(t, CLAMP(rows, 1, CANVAS_ROWS_MAX), CLAMP(cols, 1, CANVAS_COLS_MAX));
}

void term_redraw(struct terminal *t) { t->ops->redraw(t); }

void term_theme(struct terminal *t, const struct theme *theme) { t->ops->theme(t, theme); }

void term_leave(struct terminal *t) { t->ops->leave(t); }

enum depth term_depth(const struct terminal *t) { return t->depth; }

const char *term_bytes(const struct terminal *t, size_t *ret_n)
{
	*ret_n = t->n_bytes;
	return t->bytes;
}

void term_taken(struct terminal *t, size_t n)
{
	n = MIN(n, t->n_bytes);
	memmove(t->bytes, t->bytes + n, t->n_bytes - n);
	t->n_bytes -= n;
}

void term_push(struct terminal *t, const char *bytes, size_t n)
{
	if (t->n_bytes + n > TERM_BYTES_MAX)
		return;
	if (t->n_bytes + n > t->cap_bytes) {
		size_t cap = MAX(t->cap_bytes * 2, t->n_bytes + n + 4096);
		char *grown = realloc(t->bytes, cap);
		if (!grown)
			return;
		t->bytes = grown;
		t->cap_bytes = cap;
	}
	memcpy(t->bytes + t->n_bytes, bytes, n);
	t->n_bytes += n;
}
