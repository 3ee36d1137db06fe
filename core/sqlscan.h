/*
 * A tokenizer for PostgreSQL's SQL: comments (nested), all string forms, quoted identifiers, dollar quotes,
 * psql lines and COPY data. It splits statements; it does not parse them, and it accepts any bytes.
 */
#ifndef CORE_SQLSCAN_H
#define CORE_SQLSCAN_H

#include "core/base.h"

enum sql_kind {
	SQL_WORD,   /* unquoted identifier or keyword */
	SQL_QUOTED, /* "identifier", with its quotes */
	SQL_STRING, /* any string form, with its quotes */
	SQL_NUMBER,
	SQL_PUNCT, /* one character */
	SQL_META,  /* a line of psql, \... */
};

struct sql_token {
	enum sql_kind kind;
	int depth; /* of parentheses, before '(' and after ')' */
	int line;  /* for the caller to fill */
	size_t n;
	const char *s; /* points into the scanned text */
};

struct sql_scan {
	const char *p, *end;
	bool unclosed; /* a string, comment or quote did not end */
	bool at_line_start;
};

void sql_scan_init(struct sql_scan *s, const char *text, size_t n);

/*
 * Reads the next statement's tokens, without the closing ';', into t (cap of them). Returns how many it has, also
 * those beyond cap that were not stored, or -1 at the end. Empty statements are skipped.
 */
int sql_statement(struct sql_scan *s, struct sql_token *t, int cap);

/* True when token t is the keyword (given in upper case), in any case of letters. */
bool sql_is(const struct sql_token *t, const char *keyword);

/* Writes an identifier as PostgreSQL would compare it: unquoted in lower case, quoted without its quotes. */
void sql_name(const struct sql_token *t, char *dst, size_t cap);

#endif
