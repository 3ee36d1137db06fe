/* Port forge: the history of the code. Never a checkout, never runs project code. */
#ifndef CORE_PORT_FORGE_H
#define CORE_PORT_FORGE_H

#include "core/port/driver.h"

struct forge_file {
	size_t n;
	char bytes[]; /* n bytes and a NUL */
};

/*
 *   log      -> struct commit_log: commits reachable from to and not from from, newest first, under the
 *               service's paths where the driver has such an option. from "" means the last COMMITS_MAX.
 *   tags     -> struct release_list of version tags (tag, revision, time; digest empty).
 *   resolve  -> struct release for a revision, tag or short id; FAILED when there is none or it is ambiguous.
 *   read     -> struct forge_file (free()): one file at a revision; FAILED when absent, at most JSON_BYTES_MAX.
 */
struct forge_driver {
	struct driver base;
	void (*log)(void *priv, const char *from, const char *to, struct op *op);
	void (*tags)(void *priv, struct op *op);
	void (*resolve)(void *priv, const char *revision, struct op *op);
	void (*read)(void *priv, const char *revision, const char *path, struct op *op);
};

#endif
