/* Backups of a database, as whoever makes them leaves them: when, how large, by what name they are put back. */
#ifndef CORE_BACKUP_H
#define CORE_BACKUP_H

#include "core/dbhealth.h"
#include "core/err.h"

struct backup {
	char name[MIGRATION_LEN]; /* clean; what restore_command knows it by */
	int64_t at_us;
	int64_t bytes; /* -1 unknown */
};

/* At most BACKUPS_MAX, the newest first. */
struct backup_list {
	struct backup *items;
	int n_items;
};
struct backup_list *backup_list_new(void);
void backup_list_free(void *list);

/* Keeps the newest where there are more; the name is cleaned. */
void backup_add(struct backup_list *l, const char *name, size_t n_name, int64_t at_us, int64_t bytes);

/*
 * Adds a backup a line of text: an instant with its zone, its size in bytes or "-", its name. Empty lines are left out.
 * ERR_INVALID with the line's number otherwise; what stood before it is added.
 */
int backup_parse(struct backup_list *l, const char *text, size_t n, struct error *e) MUST_CHECK;

/* By name; NULL: none is called so. */
const struct backup *backup_named(const struct backup_list *l, const char *name);

/* The newest that holds anything; NULL: there is none. */
const struct backup *backup_newest(const struct backup_list *l);

/* What a person should know of them before the schema changes. */
void backup_note(const struct backup_list *l, int64_t now_us, struct db_note *ret);

#endif
