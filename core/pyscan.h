/*
 * A tokenizer for Python source, so that plain declarations can be read without running code: comments, all
 * string forms, brackets, joined lines and logical lines.
 */
#ifndef CORE_PYSCAN_H
#define CORE_PYSCAN_H

#include "core/base.h"

enum py_kind { PY_NAME, PY_STRING, PY_NUMBER, PY_OP, PY_NEWLINE, PY_END };

struct py_token {
	enum py_kind kind;
	bool first; /* first of its logical line */
	int indent; /* column of the logical line's first token; a tab counts to the next 8 */
	int depth;  /* of brackets, before an opening and after a closing one */
	size_t n;
	const char *s; /* points into the source; PY_OP has one byte */
};

/*
 * Reads all tokens of a source into a list that the caller frees; the last is PY_END. Returns how many, or -1 when
 * a string or bracket does not end, when there are more than PY_TOKENS_MAX, or memory is short.
 */
int py_scan(const char *src, size_t n, struct py_token **ret);

bool py_is(const struct py_token *t, const char *name); /* a PY_NAME of this text */
bool py_op(const struct py_token *t, char op);          /* a PY_OP of this character */

/* The value of a plain string literal; false for bytes, f-strings, rare escapes and what is too long. */
bool py_string(const struct py_token *t, char *dst, size_t cap);

/* The index behind the value that starts at i: the next comma, closing bracket or newline at its depth. */
int py_value_end(const struct py_token *t, int i);

#endif
