/*
 * Migrations looked at before they run: what each statement would do, and whether code that runs now still names what
 * they take away.
 */
#ifndef CORE_MIGRATION_PREVIEW_H
#define CORE_MIGRATION_PREVIEW_H

#include "core/arena.h"
#include "core/lint.h"

/* One file, or the part of it from line on that is one migration. */
struct preview_item {
	const char *path;
	int line;  /* 0: the whole file */
	bool read; /* the revision has the file and the lint knows its language */
	const struct lint_finding *findings;
	int n_findings;
	int n_statements; /* 0 unknown */
	bool outside;     /* one of several statements stands by itself, outside a transaction */
};

/* A name that a migration takes away, in the code of a release that runs. A hint, no proof. */
struct preview_use {
	int item;
	const char *name;     /* "customers.name" */
	const char *revision; /* of the code */
	const char *file;
	int line;
};

struct migration_preview {
	struct arena arena; /* all texts are clean and live here */
	struct preview_item *items;
	struct preview_use *uses;
	int n_items, n_uses, n_more_uses;
	int n_names;                /* that are taken away */
	bool searched;              /* all of the running code was looked through */
	char search_text[TEXT_LEN]; /* why not */
};
void migration_preview_free(void *preview);

#endif
