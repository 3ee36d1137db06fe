/*
 * What a tool made of one revision's files, shared: the environments of a service mostly run a few revisions, a
 * revision never changes, and reading two thousand files is most of the work of an inspection.
 *
 * The last readings stay until others push them out. A plain folder may change: it is read anew each time.
 */
#ifndef BACKENDS_MIGRATE_READING_H
#define BACKENDS_MIGRATE_READING_H

#include "backends/migrate/common.h"

struct migrate_reading;

/*
 * Reads the project that options name at revision, or takes the reading that is there; waits where another worker
 * makes it just now. Blocks: for workers. The caller gives it back with migrate_reading_put(), also NULL.
 * Errors as of tree_read() and the tool's read().
 */
int migrate_reading_get(const struct migrate_tool *tool, const struct jv *options, const char *revision,
                        struct migrate_reading **ret, struct error *e) MUST_CHECK;
void migrate_reading_put(struct migrate_reading *r);

/* Tree, code and what the project says of its tables. Nobody changes them: several workers look at once. */
const struct migrate_job *migrate_reading_job(const struct migrate_reading *r);

/* A sum over all bytes of the reading, for the check that no judge changes it. */
uint64_t migrate_reading_sum(const struct migrate_reading *r);

#endif
