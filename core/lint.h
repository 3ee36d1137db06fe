/*
 * The lint: what a migration does to running code, to locks and to data, as findings.
 *
 * Readers turn a file into acts (core/act.h), the judge turns acts into findings by the rules of core/rules.def and
 * the measured locks of core/claim.def. What cannot be read is said to be so; nothing is guessed.
 */
#ifndef CORE_LINT_H
#define CORE_LINT_H

#include "core/claim.h"
#include "core/err.h"
#include "core/sqlread.h"
#include "core/types.h"

enum lint_severity { SEVERITY_OFF, SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR };
const char *lint_severity_name(enum lint_severity s);

enum lint_rule {
#define RULE(symbol, id, slug, severity, message, why, safer, sq, sm, dj, at, eu) RULE_##symbol,
#include "core/rules.def"
#undef RULE
	LINT_RULE_COUNT
};

struct lint_rule_desc {
	const char *id, *slug; /* "B1", "drop-column"; several rows may share an id */
	enum lint_severity severity;
	const char *message, *why, *safer;
	/* The same in other linters, "" none. */
	const char *squawk, *strong_migrations, *django_linter, *atlas, *eugene;
};
const struct lint_rule_desc *lint_rule_desc(enum lint_rule r);

/* Severity of each rule after the configuration. */
struct lint_policy {
	unsigned char severity[LINT_RULE_COUNT]; /* enum lint_severity */
};
void lint_policy_init(struct lint_policy *p);
/* rule is an id ("L1"), a slug or a class letter ("S"); severity "off", "info", "warning" or "error". */
int lint_policy_set(struct lint_policy *p, const char *rule, const char *severity,
                    struct error *e) MUST_CHECK;

enum lint_tool {
#define TOOL(symbol, name, wraps, no_tx) LINT_TOOL_##symbol,
#include "core/lint_tools.def"
#undef TOOL
	LINT_TOOL_COUNT
};
const char *lint_tool_name(enum lint_tool t);  /* "prisma"; "sql" for plain files */
enum lint_tool lint_tool_of(const char *name); /* LINT_TOOL_COUNT: no such tool */
const char *lint_tool_no_tx(enum lint_tool t); /* how it runs a migration outside a transaction */

struct lint_finding {
	enum lint_rule rule;
	enum lint_severity severity;
	int line, statement; /* from 1 */
	enum lock_mode lock; /* the strongest that the statement takes on a table that is there */
	enum tri rewrite, scan;
	bool breaks_old_code;
	/* Clean text, "" where there is none. */
	const char *table, *column, *message, *safer;
};

/* What one statement does, also where no rule has anything to say. */
struct lint_statement {
	int number, line;
	enum act_kind kind; /* of its first act */
	enum lock_mode lock;
	enum tri rewrite, scan;
	bool in_transaction;
};

/* What a migration was seen to do; bits of struct lint. */
enum lint_bit { LINT_EXPAND = 1, LINT_DATA = 2, LINT_CONTRACT = 4, LINT_OPAQUE = 8, LINT_VERIFY = 16 };

/* The summary that ladder, verdict and plan use. Marks and severities do not change it. */
struct lint {
	unsigned seen;    /* enum lint_bit */
	bool loses_data;  /* rows or columns are gone afterwards */
	bool destructive; /* the previous release may not run on the schema after it */
	char text
	    [TEXT_LEN]; /* one sentence per thing that breaks or cannot be judged, clean, joined by "; " */
	const struct lint_finding
	    *findings; /* in the arena that lint_file() was given; NULL where only text was asked */
	int n_findings;
};

enum migration_kind lint_kind(const struct lint *l);

/* Adds to the summary. loses and destructive are or-ed; the text is cleaned and appended while there is room. */
void lint_add(struct lint *l, unsigned bits, bool loses, bool destructive, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

/* Sizes of live tables, where a database was asked. */
struct lint_size {
	const char *table; /* "schema.table" or "table" */
	int64_t rows, bytes;
};
struct lint_sizes {
	const struct lint_size *items;
	int n;
};

/* What earlier migrations made: columns, checks, indexes; and which tables are of this very run. */
struct lint_known;
struct lint_known *lint_known_new(struct arena *a); /* NULL without memory */
void lint_known_next_run(struct lint_known *k);     /* tables of before are there already */

enum lint_transaction { TX_BY_TOOL, TX_YES, TX_NO };

struct lint_context {
	enum lint_tool tool; /* LINT_TOOL_AUTO: by path and content */
	enum lint_transaction transaction;
	bool lock_timeout, statement_timeout; /* the session that runs it has them */
	const struct sql_parser *parser;      /* may be NULL */
	const struct lint_policy *policy;     /* NULL: as in core/rules.def */
	const struct lint_sizes *sizes;       /* may be NULL */
	struct lint_known *known;             /* may be NULL: each file by itself */
};

struct lint_report {
	struct arena *a;
	enum lint_tool tool;
	bool way_back;   /* a down, undo, revert or verify file: not judged */
	bool recognized; /* false: no migration of a tool or language that is known */
	struct lint_finding *findings;
	int n_findings, cap_findings;
	struct lint_statement *statements;
	int n_statements;
	int n_ignored; /* findings that a mark in the file takes away */
	struct act_list acts;
	struct lint summary;
};

/*
 * Judges one file. path is used to tell the tool and the language, and for Django's app; it is not opened. The report
 * lives in a, and so does all it points to. Never fails: what cannot be read is in the report as such.
 */
void lint_file(struct arena *a, const char *path, const char *bytes, size_t n, const struct lint_context *ctx,
               struct lint_report *ret);

/* Judges acts that were read elsewhere; text is the file's, for the marks in it. */
void lint_judge(struct lint_report *r, const struct lint_context *ctx, const char *text, size_t n);

/* Adds what SQL text does to a summary, without findings. l must be zeroed before the first call. */
void lint_sql(struct lint *l, const char *sql, size_t n);

/* Names that a migration takes away from running code. */
struct lint_name {
	const char *table, *column; /* column "" for a whole table, view, type or function */
	const char *kind;           /* "column", "table", "view" ... */
	bool renamed;
};
/* Fills names of the acts, at most cap; returns how many there are. */
int lint_dropped_names(const struct act_list *acts, struct lint_name *names, int cap);

/* A column that was replaced by another over several migrations. */
struct lint_pair {
	const char *table, *old_column, *new_column;
	int expand, backfill, contract; /* indices of the migrations */
};
/* Migrations in their order. Fills pairs, at most cap; returns how many there are. */
int lint_pairs(const struct act_list *const *migrations, int n, struct lint_pair *pairs, int cap);

#endif
