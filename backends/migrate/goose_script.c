/*
 * goose reads a script line by line: annotations switch the part, a statement ends at a line whose last word before a
 * comment ends in ';', or at StatementEnd.
 */
#include "backends/migrate/goose_script.h"
#include "core/base.h"

#include <string.h>
#include <strings.h>

enum part { START, UP, UP_BEGIN, UP_END, DOWN, DOWN_BEGIN, DOWN_END };

enum annotation { NONE, A_UP, A_DOWN, A_BEGIN, A_END, A_OTHER, A_BAD };

struct script {
	enum part part;
	bool open; /* a statement of the way forward has begun */
	const char *trouble;
};

struct line {
	const char *s;
	size_t n;
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

static struct line trim(struct line l)
{
	while (l.n > 0 && is_blank(l.s[0])) {
		l.s++;
		l.n--;
	}
	while (l.n > 0 && is_blank(l.s[l.n - 1]))
		l.n--;
	return l;
}

static bool starts(struct line l, const char *with)
{
	return l.n >= strlen(with) && memcmp(l.s, with, strlen(with)) == 0;
}

static const char *find(struct line l, const char *word)
{
	const size_t k = strlen(word);

	for (size_t i = 0; i + k <= l.n; i++)
		if (memcmp(l.s + i, word, k) == 0)
			return l.s + i;
	return NULL;
}

/* The words of an annotation without "--" and "+goose". */
static enum annotation annotation_of(struct line l)
{
	static const struct {
		const char *words;
		enum annotation what;
	} known[] = {{"Up", A_UP},
	             {"Down", A_DOWN},
	             {"StatementBegin", A_BEGIN},
	             {"StatementEnd", A_END},
	             {"NO TRANSACTION", A_OTHER},
	             {"ENVSUB ON", A_OTHER},
	             {"ENVSUB OFF", A_OTHER}};
	const char *at = find(l, "+goose");
	struct line rest;

	if (!starts(trim(l), "--") || at == NULL)
		return NONE;
	rest = trim((struct line){at + 6, (size_t)(l.s + l.n - at) - 6});
	if (l.s[0] == ' ' || l.s[0] == '\t')
		return A_BAD;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (rest.n == strlen(known[i].words) && strncasecmp(rest.s, known[i].words, rest.n) == 0)
			return known[i].what;
	return A_BAD;
}

static bool ends_statement(struct line l)
{
	bool ended = false;

	for (size_t i = 0; i < l.n;) {
		size_t k = i;

		while (k < l.n && !is_blank(l.s[k]))
			k++;
		if (k > i && k - i >= 2 && l.s[i] == '-' && l.s[i + 1] == '-')
			break;
		if (k > i)
			ended = l.s[k - 1] == ';';
		i = k + 1;
	}
	return ended;
}

static void on_annotation(struct script *s, enum annotation a)
{
	const bool up = s->part == UP || s->part == UP_END, down = s->part == DOWN || s->part == DOWN_END;

	switch (a) {
	case A_UP:
		if (s->part != START)
			s->trouble = "duplicate '-- +goose Up' annotations";
		s->part = UP;
		break;
	case A_DOWN:
		if (!up)
			s->trouble = "must start with '-- +goose Up' annotation";
		else if (s->open)
			s->trouble = "unexpected unfinished SQL query: missing semicolon?";
		s->part = DOWN;
		break;
	case A_BEGIN:
		if (!up && !down)
			s->trouble = "'-- +goose StatementBegin' must be defined after '-- +goose Up' or "
			             "'-- +goose Down'";
		s->part = up ? UP_BEGIN : DOWN_BEGIN;
		break;
	case A_END:
		if (s->part != UP_BEGIN && s->part != DOWN_BEGIN)
			s->trouble =
			    "'-- +goose StatementEnd' must be defined after '-- +goose StatementBegin'";
		s->part = s->part == UP_BEGIN ? UP : DOWN;
		s->open = false;
		break;
	case A_BAD: s->trouble = "an annotation that goose does not know"; break;
	case NONE:
	case A_OTHER: break;
	}
}

static void on_line(struct script *s, struct line l)
{
	const struct line words = trim(l);
	const enum annotation a = annotation_of(l);

	if (a != NONE) {
		on_annotation(s, a);
		return;
	}
	if (!s->open && (words.n == 0 ? l.n == 0 || s->part == START : starts(words, "--")))
		return;
	if (s->part == START)
		s->trouble = "must start with '-- +goose Up' annotation";
	else if (s->part == UP || s->part == UP_BEGIN)
		s->open = words.n > 0 || s->open;
	if (s->part == UP && ends_statement(l))
		s->open = false;
}

const char *goose_script_trouble(const char *bytes, size_t n, int *line)
{
	struct script s = {.part = START};

	*line = 0;
	for (size_t i = 0; i < n && s.trouble == NULL;) {
		const char *end = memchr(bytes + i, '\n', n - i);
		const size_t len = end != NULL ? (size_t)(end - bytes) - i : n - i;
		struct line l = {bytes + i, len};

		if (l.n > 0 && l.s[l.n - 1] == '\r')
			l.n--;
		++*line;
		on_line(&s, l);
		i += len + 1;
	}
	if (s.trouble != NULL)
		return s.trouble;
	if (s.part == START)
		return "must start with '-- +goose Up' annotation";
	if (s.part == UP_BEGIN || s.part == DOWN_BEGIN)
		return "missing '-- +goose StatementEnd' annotation";
	return s.open ? "unexpected unfinished SQL query: missing semicolon?" : NULL;
}
