/*
 * What the parts of a source text are, for the eye: keywords, strings, comments, numbers. One scanner reads every
 * language by its row of a table; it is no parser, and what it does not know stays plain.
 */
#ifndef CORE_HIGHLIGHT_H
#define CORE_HIGHLIGHT_H

#include "core/base.h"

enum highlight {
	HIGHLIGHT_PLAIN,
	HIGHLIGHT_KEYWORD,
	HIGHLIGHT_STRING,
	HIGHLIGHT_COMMENT,
	HIGHLIGHT_NUMBER,
	HIGHLIGHT_COUNT
};

struct language;

/* By the ending of the path: sql, python, javascript, typescript, ruby, xml, yaml, json. NULL: another one. */
const struct language *language_of(const char *path);
const char *language_name(const struct language *l); /* "text" for NULL */

/* A part of a line: n bytes from at on. What is between parts is plain. */
struct highlight_part {
	uint32_t at, n;
	enum highlight is;
};

/*
 * Reads one line (without its end) that begins in state; 0 is the state at a text's beginning. Fills at most cap parts
 * in their order and their number, and returns the state in which the next line begins: inside of a comment or a
 * string or not. l may be NULL, parts too (cap 0).
 */
uint32_t highlight_line(const struct language *l, uint32_t state, const char *line, size_t n,
                        struct highlight_part *parts, int cap, int *ret_n);

#endif
