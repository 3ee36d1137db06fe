/*
 * Names of PostgreSQL's types in one spelling, and what changing one into another costs.
 *
 * The canonical form is the short name that people write: integer, bigint, varchar(20), numeric(10,2), timestamptz,
 * text[]; types of one's own keep their names in lower case without a schema.
 */
#ifndef CORE_SQLTYPE_H
#define CORE_SQLTYPE_H

#include "core/base.h"

enum { SQL_TYPE_LEN = 128 };

/*
 * Writes the canonical form of a type's name: words in any spelling, perhaps with "(..)" and "[]" behind
 * ("character varying (20)", "INT8", "pg_catalog.int4", "timestamp(3) with time zone"). Cut at cap.
 */
void sql_type_canon(char *dst, size_t cap, const char *name);

enum tri { NO, MAYBE, YES };

struct type_change {
	enum tri rewrite; /* of the whole table, under an access exclusive lock */
	enum tri scan;    /* reads the whole table */
	enum tri narrows; /* values or code of today may not fit any more */
};

/* From and to in canonical form; from "" is not known. using_given: an expression converts. */
struct type_change sql_type_change(const char *from, const char *to, bool using_given);

#endif
