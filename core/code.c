#include "core/code.h"
#include "core/limits.h"

#include <string.h>

bool line_index_init(struct arena *a, const char *src, size_t n, struct line_index *ret)
{
	size_t *starts, k = 1;

	for (size_t i = 0; i < n; i++)
		k += src[i] == '\n';
	starts = arena_alloc(a, k * sizeof(*starts));
	if (starts == NULL)
		return false;
	starts[0] = 0;
	k = 1;
	for (size_t i = 0; i < n; i++)
		if (src[i] == '\n')
			starts[k++] = i + 1;
	*ret = (struct line_index){src, starts, (int)k};
	return true;
}

int line_index_of(const struct line_index *x, const char *p)
{
	const size_t at = (size_t)(p - x->src);
	int lo = 0, hi = x->n;

	while (hi - lo > 1) {
		const int mid = lo + (hi - lo) / 2;

		if (x->starts[mid] <= at)
			lo = mid;
		else
			hi = mid;
	}
	return lo + 1;
}

/* --- tree ------------------------------------------------------------------------------------------------ */

struct code *code_new(struct arena *a, enum code_kind kind, int line)
{
	struct code *c = arena_alloc(a, sizeof(*c));

	if (c != NULL)
		*c = (struct code){.kind = kind, .line = line, .text = "", .path = ""};
	return c;
}

void code_add(struct code *parent, struct code *child)
{
	if (parent == NULL || child == NULL)
		return;
	if (parent->last != NULL)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
}

const struct code *code_at(const struct code *c, int i)
{
	for (const struct code *x = c != NULL ? c->first : NULL; x != NULL; x = x->next)
		if (x->key == NULL && i-- == 0)
			return x;
	return NULL;
}

const struct code *code_get(const struct code *c, const char *key)
{
	for (const struct code *x = c != NULL ? c->first : NULL; x != NULL; x = x->next)
		if (x->key != NULL && strcmp(x->key, key) == 0)
			return x;
	return NULL;
}

int code_count(const struct code *c)
{
	int n = 0;

	for (const struct code *x = c != NULL ? c->first : NULL; x != NULL; x = x->next)
		n += x->key == NULL;
	return n;
}

const char *code_text(const struct code *c, const char *otherwise)
{
	return c != NULL && (c->kind == CODE_TEXT || c->kind == CODE_WORD || c->kind == CODE_NUMBER)
	           ? c->text
	           : otherwise;
}

bool code_is(const struct code *c, const char *word)
{
	return c != NULL && (c->kind == CODE_WORD || c->kind == CODE_CALL) && strcmp(c->text, word) == 0;
}

bool code_named(const struct code *c, const char *name)
{
	return c != NULL && c->kind == CODE_CALL && strcmp(c->text, name) == 0;
}

bool code_get_is(const struct code *c, const char *key, const char *word)
{
	return code_is(code_get(c, key), word);
}

bool code_has(const struct code *c, const char *key) { return code_get(c, key) != NULL; }

const char *code_last(const char *dotted)
{
	const char *dot = strrchr(dotted, '.');

	return dot != NULL ? dot + 1 : dotted;
}

/* --- texts ----------------------------------------------------------------------------------------------- */

/* Makes room for one more of elem bytes; NULL without memory. */
static void *room(struct code_piece *p, void *old, size_t n, size_t cap, size_t elem)
{
	void *more = cap * elem <= CODE_TEXT_MAX ? arena_grow(p->a, old, n, cap, elem) : NULL;

	p->failed |= more == NULL;
	return more;
}

static void add_mark(struct code_piece *p, int line)
{
	if (p->n_marks > 0 && p->marks[p->n_marks - 1].line == line)
		return;
	if (p->n_marks == p->cap_marks) {
		const int cap = MAX(4, p->cap_marks * 2);

		p->marks = room(p, p->marks, (size_t)p->n_marks, (size_t)cap, sizeof(*p->marks));
		p->cap_marks = p->marks != NULL ? cap : 0;
	}
	if (!p->failed)
		p->marks[p->n_marks++] = (struct line_mark){p->n, line};
}

void code_piece_add(struct code_piece *p, char c, int line)
{
	if (p->failed)
		return;
	if (p->n + 1 >= p->cap) {
		const size_t cap = MAX((size_t)32, p->cap * 2);

		p->s = room(p, p->s, p->n, cap, 1);
		p->cap = p->s != NULL ? cap : 0;
	}
	add_mark(p, line);
	if (!p->failed)
		p->s[p->n++] = c;
}

struct code *code_piece_end(struct code_piece *p, int line)
{
	struct code *c = code_new(p->a, p->failed ? CODE_OTHER : CODE_TEXT, line);

	if (c == NULL || p->failed)
		return c;
	if (p->s != NULL)
		p->s[p->n] = '\0';
	c->text = p->s != NULL ? p->s : "";
	c->sql = (struct sql_text){c->text, p->n, line, p->marks, p->n_marks};
	return c;
}
