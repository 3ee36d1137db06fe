/*
 * The comparison that every migration tool shares: files of a revision against rows of a database.
 *
 * A tool's driver brings files in the tool's order and at most one row per name (it knows how several rows of one
 * name are read); what comes out is the union as a struct migration_set.
 */
#ifndef CORE_LADDER_H
#define CORE_LADDER_H

#include "core/lint.h"

struct ladder_file {
	const char *name;          /* as the tool prints it; clean */
	const char *path;          /* of the file, NULL: none */
	int line;                  /* where it begins, where several share a file; 0: the whole file */
	char checksum[DIGEST_LEN]; /* SHA-256 of the bytes, hex */
	bool row_matches;          /* the row's own checksum fits this file, or the tool keeps none */
	const char *trouble;       /* why the file cannot be read, NULL: it can */
	/* While it is pending: why the tool will never run it, or what decides whether it runs. NULL: neither. */
	const char *skipped, *conditional;
	bool rerun;    /* applied, and the next run applies it again */
	bool unsummed; /* the row's checksum is of a kind that is not computed here */
	struct lint lint;
};

enum ladder_row_state {
	LADDER_DONE,
	LADDER_FAILED,
	LADDER_OPEN,   /* begun, no end recorded: runs or failed */
	LADDER_UNDONE, /* recorded as rolled back: as if never run */
};

struct ladder_row {
	const char *name;
	enum ladder_row_state state;
	int64_t at_us;    /* when it was applied or begun, 0 unknown */
	int64_t took_us;  /* 0 unknown */
	int order;        /* place in the order of execution, 0: as listed */
	const char *text; /* of the failure, may be NULL */
	bool external;    /* of code outside the tree, or a known leftover: no alarm */
};

struct ladder {
	const char *tool, *revision;
	const struct ladder_file *files;
	int n_files;
	const struct ladder_row *rows;
	int n_rows;
	bool by_name; /* rows without a file are merged by name; else they stand behind */
	int (*order)(const char *a, const char *b); /* of names then, NULL: their bytes */
	bool works;   /* the tool's lock is held, or somebody changes the schema now */
};

/* The union with counters set; NULL without memory. More than MIGRATIONS_MAX items: NULL too. */
struct migration_set *ladder_compare(const struct ladder *in);

/*
 * For tools that keep no checksum: what is applied and has other bytes in target than in deployed (the set of the
 * revision that runs there) was modified after it was applied. Either may be NULL. Returns how many were marked.
 */
int ladder_mark_modified(struct migration_set *target, const struct migration_set *deployed);

#endif
