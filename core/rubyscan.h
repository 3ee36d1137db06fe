/*
 * A tokenizer for Ruby source: comments, strings in their forms, symbols, heredocs, word lists, regular expressions and
 * lines, so that calls can be read without running code.
 */
#ifndef CORE_RUBYSCAN_H
#define CORE_RUBYSCAN_H

#include "core/base.h"

enum rb_kind {
	RB_NAME,   /* also with ? or ! at its end, @x, $x */
	RB_SYMBOL, /* :name, :"name" */
	RB_LABEL,  /* name: or "name": */
	RB_STRING,
	RB_HEREDOC,
	RB_WORDS, /* %w[..], %i[..] */
	RB_NUMBER,
	RB_REGEX,
	RB_OP, /* one byte, but "=>", "->", "&.", "::" and ".." have two */
	RB_NEWLINE,
	RB_END
};

struct rb_token {
	enum rb_kind kind;
	bool first;    /* of its line */
	bool spaced;   /* blank before it */
	bool computed; /* a string with #{..} */
	bool raw;      /* a string without escapes */
	int depth;     /* of brackets, before an opening and after a closing one */
	size_t n;
	const char *s; /* points into the source */
	const char *body,
	    *body_end; /* what is inside the quotes, the heredoc's lines, the name of symbol and label */
};

/*
 * Reads all tokens into a list that the caller frees; the last is RB_END. Returns how many, or -1 when something does
 * not end, when there are more than CODE_TOKENS_MAX, or memory is short.
 */
int rb_scan(const char *src, size_t n, struct rb_token **ret);

bool rb_is(const struct rb_token *t, const char *name); /* an RB_NAME of this text */
bool rb_op(const struct rb_token *t, const char *op);

#endif
