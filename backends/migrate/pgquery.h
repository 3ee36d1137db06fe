/*
 * PostgreSQL's own grammar for the lint, by libpg_query, where the build found it.
 *
 * It reads statements that change tables and rows; of the others the first keywords say all, and the tokens of
 * core/sqlread.c read them as well as what this grammar (PostgreSQL 15) does not know.
 */
#ifndef BACKENDS_MIGRATE_PGQUERY_H
#define BACKENDS_MIGRATE_PGQUERY_H

#include "core/sqlread.h"

#ifdef HAVE_PG_QUERY
/*
 * Safe in any thread. The library answers errors as values (its longjmp stays inside), frees all it allocated for a
 * statement before it returns, and its outputs are bounded by SQL_PARSE_MAX.
 */
extern const struct sql_parser pgquery_parser;
#define PGQUERY_PARSER (&pgquery_parser)
#else
#define PGQUERY_PARSER NULL
#endif

#endif
