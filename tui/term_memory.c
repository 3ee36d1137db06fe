/* A terminal for tests: its bytes are the text of each frame that differs from the last. */
#include "core/str.h"
#include "tui/term.h"

#include <stdlib.h>
#include <string.h>

struct term_memory {
	struct terminal term;
	struct str last;
};

enum { MEMORY_TEXT_MAX = 16 * 1024 * 1024 };

static void memory_draw(struct terminal *t, const struct canvas *c)
{
	struct term_memory *m = (struct term_memory *)t;
	struct str now;
	str_init(&now, MEMORY_TEXT_MAX);
	canvas_text(c, &now);
	if (strcmp(str_text(&now), str_text(&m->last)) != 0)
		term_push(t, str_text(&now), now.len);
	str_release(&m->last);
	m->last = now;
}

static void memory_resize(struct terminal *t, int rows, int cols)
{
	UNUSED(rows);
	UNUSED(cols);
	str_clear(&((struct term_memory *)t)->last);
}

static void memory_redraw(struct terminal *t) { str_clear(&((struct term_memory *)t)->last); }

static void memory_theme(struct terminal *t, const struct theme *theme)
{
	UNUSED(t);
	UNUSED(theme);
}

static void memory_free(struct terminal *t)
{
	str_release(&((struct term_memory *)t)->last);
	free(t);
}

static const struct term_ops memory_ops = {memory_draw,  memory_resize, memory_redraw,
                                           memory_theme, memory_redraw, memory_free};

struct terminal *term_memory_new(int rows, int cols)
{
	UNUSED(rows);
	UNUSED(cols);
	struct term_memory *m = calloc(1, sizeof *m);
	if (!m)
		return NULL;
	m->term.ops = &memory_ops;
	m->term.depth = DEPTH_MONO;
	str_init(&m->last, MEMORY_TEXT_MAX);
	return &m->term;
}
