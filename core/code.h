/*
 * Calls as they stand in a program's source, in one form for Python, JavaScript and Ruby: what migrations of
 * frameworks are made of. Nothing runs; what is computed is CODE_OTHER.
 */
#ifndef CORE_CODE_H
#define CORE_CODE_H

#include "core/arena.h"
#include "core/sqlread.h"

enum code_kind {
	CODE_TEXT, /* a string literal, or several joined */
	CODE_NUMBER,
	CODE_WORD, /* a name with its dots: true, null, sa.Text, Sequelize.TEXT; a Ruby symbol is a text */
	CODE_CALL,
	CODE_LIST,
	CODE_DICT,
	CODE_FUNC, /* a function or a block: the calls in it */
	CODE_OTHER /* computed */
};

struct code {
	enum code_kind kind;
	int line;
	const char *key; /* of a keyword argument or an entry, NULL: by position */
	const char
	    *text; /* value of a text, number or word; name of a call without its receiver; "" otherwise */
	const char *path; /* receiver of a call by names: "op", "queryInterface.sequelize"; "" none */
	struct code *on;  /* the call whose result it is called on, NULL: none */
	struct code *first, *last; /* arguments, entries, calls of a body */
	struct code *next;         /* sibling */
	struct code *block;        /* the function that a call was given, NULL none */
	/* Of a text: its value with the lines that it comes from. */
	struct sql_text sql;
};

/* Lines of places in a source. */
struct line_index {
	const char *src;
	const size_t *starts;
	int n;
};
bool line_index_init(struct arena *a, const char *src, size_t n,
                     struct line_index *ret); /* false without memory */
int line_index_of(const struct line_index *x, const char *p);

struct code *code_new(struct arena *a, enum code_kind kind, int line); /* NULL without memory */
void code_add(struct code *parent, struct code *child);                /* either may be NULL */

/* The i-th argument by position or element, NULL where there is none. */
const struct code *code_at(const struct code *c, int i);
/* Argument or entry of this name; NULL where there is none. */
const struct code *code_get(const struct code *c, const char *key);
int code_count(const struct code *c); /* arguments by position, elements */

/* Text of a text or word, otherwise. NULL c gives otherwise. */
const char *code_text(const struct code *c, const char *otherwise);
bool code_is(const struct code *c, const char *word); /* a word, or the call of it: true, NULL gives false */
bool code_named(const struct code *c, const char *name); /* a call of this name */
bool code_get_is(const struct code *c, const char *key, const char *word);
bool code_has(const struct code *c, const char *key);
/* The last part of a dotted name. */
const char *code_last(const char *dotted);

/* A text that is put together from pieces of a source. */
struct code_piece {
	struct arena *a;
	char *s;
	size_t n, cap;
	struct line_mark *marks;
	int n_marks, cap_marks;
	bool failed;
};
void code_piece_add(struct code_piece *p, char c, int line);
/* A text node of it; CODE_OTHER where it failed. */
struct code *code_piece_end(struct code_piece *p, int line);

/*
 * Readers; NULL where there is no such thing, or the source cannot be read.
 *
 * Python: the calls of a function of the module; the value that a class gives an attribute.
 */
struct code *code_python_function(struct arena *a, const char *src, size_t n, const char *name);
struct code *code_python_attribute(struct arena *a, const char *src, size_t n, const char *class,
                                   const char *name);
/* JavaScript and TypeScript: the body of up (export, property, method, assignment). */
struct code *code_js_function(struct arena *a, const char *src, size_t n, const char *name);
/* Ruby: the calls of a method; of the classes themselves, outside of methods. */
struct code *code_ruby_method(struct arena *a, const char *src, size_t n, const char *name);
struct code *code_ruby_class(struct arena *a, const char *src, size_t n);

#endif
