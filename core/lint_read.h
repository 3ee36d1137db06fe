/* Readers of the lint: a file of one tool and language to acts. */
#ifndef CORE_LINT_READ_H
#define CORE_LINT_READ_H

#include "core/code.h"
#include "core/lint.h"

/* A file under the lint, and what its reader finds out beside the acts. */
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

/* Begins a new statement at a line. */
void source_statement(struct lint_source *src, int line);
/* "cannot judge WHAT" as a statement of its own. */
void source_opaque(struct lint_source *src, int line, const char *what);
/* The same with a name from the file: what("name"). */
void source_opaque_call(struct lint_source *src, const struct code *c);
/* SQL inside a program or changelog. */
void source_text(struct lint_source *src, const struct sql_text *text);
/* A text, or a list of texts, as SQL with the right lines. */
void source_sql(struct lint_source *src, const struct code *c);
const char *source_copy(struct lint_source *src, const char *s);
const char *source_printf(struct lint_source *src, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- what the maps of frameworks share (core/lint_map.c) ------------------------------------------------- */

struct type_name {
	const char *name, *sql; /* of the framework, of PostgreSQL */
};

/* A column as a framework declares it. */
struct map_column {
	const char *name, *type, *to;
	unsigned flags;
};

/* Canonical type of a framework's name; where it is not in the table, its own name. Ends with name NULL. */
const char *map_type(struct lint_source *src, const struct type_name *table, const char *name);
/* "type(a)" or "type(a,b)" of numbers, NULL not given. */
const char *map_sized(struct lint_source *src, const char *type, const struct code *a, const struct code *b);
/* Flags of a default as source has it: a literal, a function of the database, computed. NULL: none. */
unsigned map_default(const struct code *v);
/* Adds ADD_COLUMN, or NEW_COLUMN and NEW_REFERENCE, or ALTER_TYPE. */
void map_column(struct lint_source *src, enum act_kind kind, const char *table, const struct map_column *c);
/* Names of a text or list of texts, joined by ", ". */
const char *map_names(struct lint_source *src, const struct code *c);
/* An index by its columns; flags as ACT_IS_UNIQUE, ACT_CONCURRENT (brings ACT_NO_TRANSACTION). name may be "". */
void map_index(struct lint_source *src, const char *table, const char *columns, const char *name,
               unsigned flags);

void lint_read_sql(struct lint_source *src);
void lint_read_django(struct lint_source *src);
void lint_read_alembic(struct lint_source *src);
void lint_read_js(struct lint_source *src);
void lint_read_rails(struct lint_source *src);
void lint_read_liquibase(struct lint_source *src);

#endif
