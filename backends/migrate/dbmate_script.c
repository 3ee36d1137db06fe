/*
 * dbmate's blocks: each begins with a line "-- migrate:up", has one "-- migrate:down" behind it, and nothing but
 * comments stands before the first. Several pairs in one file are several blocks of one version.
 */
#include "backends/migrate/dbmate_script.h"

#include <string.h>

enum line_kind { LINE_EMPTY, LINE_COMMENT, LINE_UP, LINE_DOWN, LINE_TEXT };

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

/* "--", blanks, the word; then the line's end, or a blank and something. */
static bool is_directive(const char *s, size_t n, const char *word)
{
	const size_t k = strlen(word);
	size_t i = 2;

	if (n < 2 || s[0] != '-' || s[1] != '-')
		return false;
	while (i < n && is_space(s[i]))
		i++;
	if (n - i < k || memcmp(s + i, word, k) != 0)
		return false;
	return i + k == n || is_space(s[i + k]);
}

static enum line_kind kind_of(const char *s, size_t n)
{
	size_t i = 0;

	if (is_directive(s, n, "migrate:up"))
		return LINE_UP;
	if (is_directive(s, n, "migrate:down"))
		return LINE_DOWN;
	while (i < n && is_space(s[i]))
		i++;
	if (i == n)
		return LINE_EMPTY;
	return n - i >= 2 && s[i] == '-' && s[i + 1] == '-' ? LINE_COMMENT : LINE_TEXT;
}

struct blocks {
	int n_up, n_down_here; /* downs of the open block */
	bool text_before;
	const char *trouble;
};

static void on_line(struct blocks *b, enum line_kind kind)
{
	switch (kind) {
	case LINE_UP:
		if (b->n_up > 0 && b->n_down_here == 0 && b->trouble == NULL)
			b->trouble = "dbmate requires each migration to define a down block with "
			             "'-- migrate:down'";
		b->n_up++;
		b->n_down_here = 0;
		break;
	case LINE_DOWN:
		if (b->n_up > 0 && ++b->n_down_here > 1)
			b->trouble = "dbmate requires every '-- migrate:down' to be preceded by a "
			             "'-- migrate:up'";
		break;
	case LINE_TEXT: b->text_before |= b->n_up == 0; break;
	case LINE_EMPTY:
	case LINE_COMMENT: break;
	}
}

static void read_lines(const char *bytes, size_t n, struct blocks *b)
{
	for (size_t i = 0; i < n;) {
		const char *end = memchr(bytes + i, '\n', n - i);
		const size_t len = end != NULL ? (size_t)(end - bytes) - i : n - i;

		on_line(b, kind_of(bytes + i, len));
		i += len + 1;
	}
}

const char *dbmate_script_trouble(const char *bytes, size_t n)
{
	struct blocks b = {0};

	read_lines(bytes, n, &b);
	if (b.n_up == 0)
		return "dbmate requires each migration to define an up block with '-- migrate:up'";
	if (b.text_before)
		return "dbmate does not support statements preceding the '-- migrate:up' block";
	if (b.trouble != NULL)
		return b.trouble;
	return b.n_down_here > 0 ? NULL
	                         : "dbmate requires each migration to define a down block with "
	                           "'-- migrate:down'";
}

bool dbmate_script_has_up(const char *bytes, size_t n)
{
	struct blocks b = {0};

	read_lines(bytes, n, &b);
	return b.n_up > 0;
}
