/*
 * What a migration does, one act at a time: the common word of every reader.
 *
 * The SQL tokenizer, libpg_query and the maps of Django, Alembic, Rails, Knex and the others all say the same thing
 * in acts; locks (core/claim.h), rules (core/lint.h) and phases are decided on acts alone. An ALTER TABLE with three
 * actions is three acts of one statement.
 */
#ifndef CORE_ACT_H
#define CORE_ACT_H

#include "core/arena.h"

enum act_kind {
#define ACT(symbol, name, phase) ACT_##symbol,
#include "core/act.def"
#undef ACT
	ACT_KIND_COUNT
};
const char *act_kind_name(enum act_kind k);

/* Where a migration stands between the release before and the one after. */
enum act_phase { PHASE_NONE, PHASE_EXPAND, PHASE_DATA, PHASE_VERIFY, PHASE_CONTRACT, PHASE_OPAQUE };

enum act_flag {
	ACT_IF = 1 << 0,         /* IF EXISTS or IF NOT EXISTS: may be run again */
	ACT_CONCURRENT = 1 << 1, /* CONCURRENTLY */
	ACT_CASCADE = 1 << 2,
	ACT_NOT_NULL = 1 << 3,    /* of a column */
	ACT_DEFAULT = 1 << 4,     /* a column has a default, whatever it is */
	ACT_VOLATILE = 1 << 5,    /* that must be computed row by row */
	ACT_UNSURE = 1 << 6,      /* the default calls a function that is not known, the type is not known */
	ACT_SERIAL = 1 << 7,      /* serial, bigserial, smallserial */
	ACT_GENERATED = 1 << 8,   /* identity or a stored expression */
	ACT_CHECKED = 1 << 9,     /* the column has a CHECK of its own */
	ACT_IS_UNIQUE = 1 << 10,  /* column or index */
	ACT_IS_PRIMARY = 1 << 11, /* column */
	ACT_IS_REFERENCE = 1 << 12,   /* column with REFERENCES, to is the other table */
	ACT_NOT_VALID = 1 << 13,      /* a constraint that is not checked now */
	ACT_USING_INDEX = 1 << 14,    /* a constraint on an index that is there */
	ACT_ALL_ROWS = 1 << 15,       /* UPDATE or DELETE without WHERE */
	ACT_USING = 1 << 16,          /* ALTER TYPE with an expression */
	ACT_PROVES_NULL = 1 << 17,    /* a CHECK that says "column IS NOT NULL" and no more */
	ACT_TEMPORARY = 1 << 18,      /* of this session only */
	ACT_LOSES_DEFAULT = 1 << 19,  /* the framework drops the default right after adding the column */
	ACT_POSITIONED = 1 << 20,     /* ADD VALUE with BEFORE or AFTER */
	ACT_OUTSIDE = 1 << 21,        /* the tool runs it outside its transaction */
	ACT_HAS_ROWS = 1 << 22,       /* loses rows: DROP SCHEMA ... CASCADE, DELETE inside WITH */
	ACT_NO_TRANSACTION = 1 << 23, /* PostgreSQL refuses it inside a transaction */
	ACT_ASSURED = 1 << 24,        /* its author marked it as looked at (safety_assured) */
	ACT_NEW = 1 << 25,            /* on a table that the same run created: nobody else uses it */
	ACT_TO_NEW = 1 << 26          /* so is the second table */
};

struct act {
	enum act_kind kind;
	unsigned flags; /* enum act_flag */
	int statement;  /* number in the file, from 1 */
	int line;       /* from 1; of the action where a statement has several in several lines */
	int start;      /* line of the statement */
	/* Names as PostgreSQL compares them, foreign bytes, "" where there is none. */
	const char *schema, *table, *column;
	const char
	    *to; /* new name, referenced table, parent of a partition, column an UPDATE reads, old type */
	const char *type; /* canonical (core/sqltype.h) */
	const char *text; /* kind of object, verb that cannot be judged, value of a setting */
};

/* A growing list in an arena. Over ACTS_MAX acts, or without memory, it is full and keeps no more. */
struct act_list {
	struct arena *a;
	struct act *items;
	int n, cap;
	bool full;
	struct act spare; /* what a full list hands out */
	/* What new acts get. */
	int statement, line, start; /* start 0: line */
	unsigned flags;
};

void act_list_init(struct act_list *l, struct arena *a);

/* Appends an act with empty names and the list's own statement, line and flags. Never NULL. */
struct act *act_add(struct act_list *l, enum act_kind kind);

/* The same with table ("schema.table" is split), and column where it is not NULL. Copied. */
struct act *act_on(struct act_list *l, enum act_kind kind, const char *table, const char *column);

/* Sets schema and table of x from a name as a framework writes it: "table" or "schema.table". */
void act_name_table(struct act_list *l, struct act *x, const char *name);

enum act_phase act_phase(const struct act *x);

/* Rows or columns are gone afterwards. */
bool act_loses_data(const struct act *x);

/* The release before may not run on the schema after it. */
bool act_breaks_schema(const struct act *x);

/* True for kinds that change the schema, so that another session can feel it. */
bool act_is_ddl(const struct act *x);

#endif
