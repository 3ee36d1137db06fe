/*
 * Liquibase's own reading of a project: changelogs in four formats, their includes and parameters, the changesets
 * that come of it in their order, and the checksums of those that are SQL. Pure but for the tree that it is given.
 */
#ifndef BACKENDS_MIGRATE_LIQUIBASE_CODE_H
#define BACKENDS_MIGRATE_LIQUIBASE_CODE_H

#include "backends/migrate/settings.h"
#include "backends/migrate/tree.h"
#include "core/lint.h"

enum { LQ_LIST_MAX = 32, LQ_SUM_LEN = 36 };

/* --- nodes: XML, YAML and JSON become the same --------------------------------------------------------------- */

/* Attributes of XML are children, as Liquibase has them. */
struct lq_node {
	const char *name;
	const char *value; /* trimmed text, NULL none */
	struct lq_node *first, *last, *next;
};

/* ERR_INVALID with line and column; name stands in the error. */
int lq_read_xml(struct arena *a, const char *name, const char *bytes, size_t n, struct lq_node **ret,
                struct error *e) MUST_CHECK;
/* YAML, and JSON, which Liquibase reads as YAML. */
int lq_read_yaml(struct arena *a, const char *name, const char *bytes, size_t n, struct lq_node **ret,
                 struct error *e) MUST_CHECK;

const struct lq_node *lq_child(const struct lq_node *node, const char *name); /* NULL: none */
/* The value of a child, otherwise where there is none. */
const char *lq_text(const struct lq_node *node, const char *name, const char *otherwise);
bool lq_true(const struct lq_node *node, const char *name, bool otherwise);

/* --- expressions --------------------------------------------------------------------------------------------- */

struct lq_list {
	const char *items[LQ_LIST_MAX];
	int n;
};
void lq_split(struct lq_list *l, struct arena *a, const char *text); /* at commas, trimmed */

/* Does an expression ("prod and !test", "a, b") hold for these words? Without words all hold but @required ones. */
bool lq_matches(struct arena *a, const char *expression, const struct lq_list *words);

/* Is PostgreSQL meant by "postgresql,h2", "!oracle", "all"? NULL and "" mean all. */
bool lq_is_postgres(struct arena *a, const char *dbms);

/* --- checksums ----------------------------------------------------------------------------------------------- */

/* "9:" and the MD5 of the bytes without blanks, tabs and line ends, as version 9 sums SQL. False: no MD5 here. */
bool lq_sum_sql(const char *sql, size_t n, char ret[LQ_SUM_LEN]);
/* The same of all bytes. */
bool lq_sum_text(const char *text, char ret[LQ_SUM_LEN]);

/* --- changelogs ---------------------------------------------------------------------------------------------- */

struct lq_changeset {
	const char *file, *id, *author; /* file: logical or physical path, normalised */
	const char *path;               /* of the file that it stands in */
	const char *context, *labels, *dbms;
	struct lq_list inherited_contexts, inherited_labels; /* of the includes around it */
	bool run_on_change, run_always, ignored, no_transaction, fail_ignored, first, last;
	const char *preconditions; /* what they ask for, "" none */
	const char *on_fail;       /* "HALT", "MARK_RAN", "CONTINUE", "WARN" */
	struct lq_list valid_sums;
	char sum[LQ_SUM_LEN]; /* "" when it is not computed */
	char
	    expanded_sum[LQ_SUM_LEN]; /* as before 4.26: sqlFile with its parameters filled in; "" the same */
	const char *unsummed;         /* why not, NULL: it is computed */
	const char *unresolved;       /* a parameter that the project does not give, NULL: none */
	struct lint lint;
};

/* What a run is told: words that the changelogs ask for. */
struct lq_run {
	struct lq_list contexts; /* given to the run */
	bool contexts_known;     /* even if none are given */
	const char *labels;      /* the label filter, NULL: none known */
};

struct lq_log {
	struct lq_changeset *items;
	int n, room;
	struct lq_list problems;   /* for which Liquibase stops before it does anything */
	const char *preconditions; /* of the changelogs themselves, "" none */
	bool preconditions_fail;   /* one of them cannot hold on PostgreSQL */
	const char *root;          /* path of the first changelog */
	bool assumed_root;
	const char *table, *lock_table, *schema; /* NULL: the default */
	struct lq_run run;
};

bool lq_is_config(const char *path);

/* Reads configuration and changelogs. ERR_NOT_FOUND, ERR_INVALID and ERR_CONFLICT with a hint. */
int lq_read(struct lq_log *log, struct arena *a, const struct tree *t, const struct jv *options,
            struct error *e) MUST_CHECK;

/* --- between the files of the reader ------------------------------------------------------------------------- */

struct lq_param {
	const char *name, *value, *context, *labels, *dbms;
	const char *only_in; /* logical path of the changelog, NULL: everywhere */
};

struct lq_load {
	struct arena *a;
	const struct tree *t;
	struct lq_log *log;
	struct error *e;
	struct lq_list roots; /* folders on the search path, with a slash behind, "" for the project */
	struct lq_param *params;
	int n_params, room_params;
	const char *open[LQ_LIST_MAX]; /* changelogs that include this one */
	int depth;
	struct lq_list contexts, labels; /* of the includes around */
	bool ignored;
	int n_files;
};

/* A changelog that is being read. */
struct lq_file {
	const char *physical, *logical; /* logical NULL: none */
	const char *path;               /* in the tree */
};

void lq_problem(struct lq_load *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
void lq_param_add(struct lq_load *l, const struct lq_param *p);
/* text with ${x} filled in; *unresolved (kept when set) is the first that has no value. */
const char *lq_expand(struct lq_load *l, const char *text, const struct lq_file *f, const char **unresolved);
/* The path as Liquibase compares it: no "classpath:", no drive, no leading slash, dots resolved. */
const char *lq_normal_path(struct arena *a, const char *path);
struct lq_changeset *lq_add(struct lq_load *l, const struct lq_changeset *c);
void lq_read_formatted(struct lq_load *l, const struct lq_file *f, const char *bytes, size_t n);
bool lq_is_formatted(const char *bytes, size_t n);

#endif
