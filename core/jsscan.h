/*
 * A tokenizer for JavaScript and TypeScript source, so that plain declarations can be read without running code:
 * comments, strings, templates, regular expressions and brackets.
 */
#ifndef CORE_JSSCAN_H
#define CORE_JSSCAN_H

#include "core/base.h"

enum js_kind { JS_NAME, JS_STRING, JS_TEMPLATE, JS_NUMBER, JS_REGEX, JS_OP, JS_END };

struct js_token {
	enum js_kind kind;
	bool first; /* first of its line */
	int line;   /* from 1 */
	int depth;  /* of brackets, before an opening and after a closing one */
	size_t n;
	const char *s; /* points into the source; a template is one token, whatever is in it */
};

/*
 * Reads all tokens of a source into a list that the caller frees; the last is JS_END. Returns how many, or -1 when
 * a string, template, comment or bracket does not end, when there are more than JS_TOKENS_MAX, or memory is short.
 */
int js_scan(const char *src, size_t n, struct js_token **ret);

bool js_is(const struct js_token *t, const char *name); /* a JS_NAME of this text */
bool js_op(const struct js_token *t,
           const char *op); /* a JS_OP of this text: "=>", "...", "?." are one each */

/* The value of a string, or of a template without a ${}; false for any other token and for what is too long. */
bool js_string(const struct js_token *t, char *dst, size_t cap);

/* Where the } is that ends a template's ${ whose expression starts at p; NULL: nowhere before end. */
const char *js_hole_end(const char *p, const char *end);

/* The index of the bracket that closes the one at i. */
int js_close(const struct js_token *t, int i);

/* The index behind the expression that starts at i: the next comma, semicolon or closing bracket at its depth. */
int js_value_end(const struct js_token *t, int i);

#endif
