/* Readers of the lint: a file of one tool and language to acts. */
#ifndef CORE_LINT_READ_H
#define CORE_LINT_READ_H

#include "core/lint.h"

/* A file under the lint, and what its readers find out beside the acts. */
struct lint_source {
	struct arena *a;
	const char *path; /* for names in it */
	const char *s;
	size_t n;
	enum lint_tool tool;
	enum lint_transaction transaction;
	bool way_back;
	const struct sql_parser *parser;
	struct act_list *out;
};

/* A part of a program's text that is SQL: its value, put together from pieces with their lines. */
struct lint_embedded {
	char *s;
	size_t n, cap;
	struct line_mark *marks;
	int n_marks, cap_marks;
	bool failed; /* computed, or too long: nobody can tell */
};
void embedded_init(struct lint_embedded *e);
/* Appends one byte that stands in this line of the file. Marks are made where the line is not the expected one. */
void embedded_add(struct lint_source *src, struct lint_embedded *e, char c, int line);
/* Reads it as SQL; "cannot judge" where failed. */
void embedded_read(struct lint_source *src, const struct lint_embedded *e, int line);

/* "cannot judge WHAT" in a line. */
void source_opaque(struct lint_source *src, int line, const char *what);

/* Begins a new statement at a line. */
void source_statement(struct lint_source *src, int line);

void lint_read_sql(struct lint_source *src);

#endif
