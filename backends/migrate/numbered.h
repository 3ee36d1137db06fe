/*
 * What tools with numbered files share (golang-migrate, goose, dbmate, Rails, Atlas): which folder of the project is
 * theirs, versions in names and their order, settings in .env files, the lint of a file.
 */
#ifndef BACKENDS_MIGRATE_NUMBERED_H
#define BACKENDS_MIGRATE_NUMBERED_H

#include "backends/migrate/common.h"

/* How a tool's files are known, and where it keeps them when nothing says so. */
struct numbered_form {
	const char *title;
	bool (*is_file)(const struct tree_file *f); /* bytes may be NULL */
	const char *const *usual; /* folders, the likeliest first, NULL-terminated; "" is the root */
};

/* The option row by which a folder is chosen by hand. */
#define NUMBERED_MIGRATIONS_OPTION                                                                           \
	{                                                                                                    \
		.name = "migrations", .type = OPTION_STRING,                                                 \
		.text = "Folder of the migrations below `path`; else it is found by the project's settings " \
		        "and files.",                                                                        \
		.example = "db/migrations"                                                                   \
	}

/*
 * The folder that has the migrations, without slashes at its ends; "" is the root. said is what the project's own
 * settings name (NULL: nothing); option `migrations` outweighs it. ERR_NOT_FOUND: none, ERR_CONFLICT: several that
 * nothing tells apart; both with a hint.
 */
int numbered_folder(const struct migrate_job *j, const struct numbered_form *form, const char *said,
                    char folder[PATH_LEN], struct error *e) MUST_CHECK;

/* path without "./", double and ending slashes; false when it leaves the project or does not fit. */
bool numbered_clean_path(const char *path, char dst[PATH_LEN]);

/* Is path a file right in folder? With deep also in folders below it. */
bool numbered_is_in(const char *path, const char *folder, bool deep);

/* Does the tree have this folder ("" always)? */
bool numbered_has_folder(const struct tree *t, const char *folder);

/* The first tree file that is of the form; where gets its folder, "." for the root. For a tool's detect(). */
const struct tree_file *numbered_detect(const struct tree *t, const struct numbered_form *form,
                                        char where[PATH_LEN]);

/* The leading digits of a name as a number: how many there are, 0 when none or more than max. */
size_t numbered_version(const char *name, uint64_t max, uint64_t *ret);

/* Order of decimal numbers as text, whatever their length; what is no number goes by its bytes. */
int numbered_cmp(const char *a, const char *b);

/*
 * The value of key in the project's .env file (path "" for the root), in the job's arena. NULL: none, or one that
 * only a shell can tell.
 */
const char *numbered_env(struct migrate_job *j, const char *key);

/* Splits "schema.table" (quotes may be around each) and says so to the job; without a point only the table. */
void numbered_table_said(struct migrate_job *j, const char *name);

/* Lints a file's way forward into f. */
void numbered_lint(struct migrate_job *j, struct ladder_file *f, const struct tree_file *file,
                   enum lint_tool tool);

/* A flag of the configured command ("--allow-missing" given as "allow-missing"), with one or two dashes. */
bool numbered_command_has(const struct migrate_job *j, const char *flag);

/*
 * Names of the set's migrations for which wanted is true, joined by ", "; cut with "and N more" where they do not
 * fit. Returns how many there are.
 */
int numbered_names(const struct migration_set *set, bool (*wanted)(const struct migration *m), char *dst,
                   size_t cap);

#endif
