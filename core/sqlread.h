/*
 * SQL text to acts, by tokens: works on every input, knows PostgreSQL's statements by their keywords, and says
 * "opaque" for what it does not know.
 *
 * A real parser may be given beside it (backends/migrate/pgquery.h): where its grammar knows a statement its word
 * counts, else that of the tokens.
 */
#ifndef CORE_SQLREAD_H
#define CORE_SQLREAD_H

#include "core/act.h"
#include "core/sqlscan.h"
#include "core/sqltype.h"

/* Where a text came from: byte at of it stands in this line of the file, and so on to the next mark. */
struct line_mark {
	size_t at;
	int line;
};

struct sql_text {
	const char *s;
	size_t n;
	int line;                      /* of the first byte; later ones count newlines */
	const struct line_mark *marks; /* where text was put together from pieces; else NULL */
	int n_marks;
};

/*
 * Reads one statement (s, n: without its ';') into out, with out's statement, line and flags. False when its grammar
 * does not know it; out is then as before.
 */
struct sql_parser {
	const char *name;
	bool (*read)(struct act_list *out, const char *s, size_t n);
};

/* Adds the acts of all statements; out->statement goes on counting. parser may be NULL. */
void sql_read(struct act_list *out, const struct sql_text *text, const struct sql_parser *parser);

/* One statement's tokens (without ';'), as sql_statement() gives them; text ends behind the last token. */
void sql_read_tokens(struct act_list *out, const struct sql_token *t, int n);

/* How dear a default's function is: NO not computed by row, YES by row, MAYBE not known. Name in lower case. */
enum tri sql_function_is_volatile(const char *name);

/* ACT_DEFAULT, ACT_VOLATILE, ACT_UNSURE for the expression of a default; 0 for NULL. */
unsigned sql_default_flags(const char *s, size_t n);
/* ACT_SERIAL for the serial types. */
unsigned sql_type_flags(const char *canonical);

/* Functions that SELECT may call in a migration without changing rows or rules. */
bool sql_function_is_quiet(const char *name);

#endif
