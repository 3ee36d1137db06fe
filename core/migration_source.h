/*
 * One migration as text: what it says at a revision, who brought and changed it, what was applied, what the lint
 * finds. All texts are clean.
 */
#ifndef CORE_MIGRATION_SOURCE_H
#define CORE_MIGRATION_SOURCE_H

#include "core/arena.h"
#include "core/highlight.h"
#include "core/lint.h"

/* How it is known what was applied. */
enum applied_by {
	APPLIED_NOT,      /* it was not applied there, or nothing tells what was */
	APPLIED_SAME,     /* nothing says that it was another text */
	APPLIED_CHECKED,  /* the checksum in the database is that of this commit's text */
	APPLIED_DEPLOYED, /* as in the revision that runs there */
	APPLIED_IN_TIME,  /* as in the newest commit before it was applied there */
	APPLIED_ADDED,    /* as it was first committed */
	APPLIED_BY_COUNT
};
/* "the revision that runs there has it" */
const char *applied_by_text(enum applied_by by);

struct source_line {
	uint32_t at, n; /* in text */
	uint32_t state; /* of the highlighter at its beginning */
};

/* A line of a unified diff: ' ' in both, '+' only now, '-' only as applied, '@' where lines were left out. */
struct diff_line {
	char origin;
	int old_line, new_line; /* from 1; 0 where there is none */
	const char *text;
};

struct commit_file {
	char status; /* A M D R C T */
	const char *path;
	int added, removed; /* lines; -1 not counted */
};

/* A commit with all that it says. */
struct commit_detail {
	struct commit commit;
	const char *email;
	const char *body;    /* several lines, "" none */
	const char *release; /* the first with it, "" none */
	struct commit_file *files;
	int n_files, n_more;
};

struct migration_source {
	struct arena arena;
	const char *name;
	const char *path;     /* from the repository's root; "" not found */
	const char *revision; /* of the text */
	const char *trouble;  /* why there is no text, or what is odd about it; "" */
	const struct language *language;
	const char *text; /* lines joined by '\n' */
	struct source_line *lines;
	int n_lines;
	int line;  /* where this migration begins in the file, from 1 */
	bool cut;  /* only the first SOURCE_TEXT_MAX bytes */
	bool crlf; /* its lines end so */
	/* NULL: not known. changed is added where it was never edited. */
	const struct commit_detail *added, *changed, *removed;
	int n_edits;         /* commits that changed it after it came */
	const char *release; /* whole name of the first release with it; "" none yet or not known */
	bool shallow;        /* the clone does not reach the beginning */
	enum applied_by applied_by;
	const char *applied_revision; /* "" */
	const char *const *versions;  /* commits with other texts of it, newest first */
	int n_versions;
	struct diff_line *diff; /* from what was applied to the text */
	int n_diff, n_diff_added, n_diff_removed;
	struct lint_finding *findings; /* by line */
	int n_findings;
	int n_ignored; /* findings that a mark in the file takes away */
	bool way_back; /* a down, undo or revert file: not judged */
	const char *sizes_text; /* why it was judged without the sizes of live tables; "" it was with them */
};

struct migration_source *migration_source_new(void); /* NULL without memory */
void migration_source_free(void *source);

/* Takes n raw bytes as text: cleans, splits, reads through once for the highlighter. */
void migration_source_text(struct migration_source *s, const char *bytes, size_t n);

#endif
