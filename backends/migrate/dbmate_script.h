/* What dbmate itself would say of a migration before it runs it. */
#ifndef BACKENDS_MIGRATE_DBMATE_SCRIPT_H
#define BACKENDS_MIGRATE_DBMATE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

/* The reason for which dbmate's parser refuses the file; NULL: it takes it. */
const char *dbmate_script_trouble(const char *bytes, size_t n);

/* Does a line of the file open a way forward ("-- migrate:up")? */
bool dbmate_script_has_up(const char *bytes, size_t n);

#endif
