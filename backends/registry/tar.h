/*
 * Tar archives as a stream: ustar and pax (and GNU's long names), strict.
 *
 * Bytes are pushed in any pieces; entries come out through a sink. Everything that could hurt is refused here,
 * before a sink sees it: absolute paths, "..", empty or over-long components, control characters, links whose target
 * leaves the archive's root, devices and fifos, sparse files, sizes beyond limits, too many entries, bad checksums,
 * and bytes behind the end. What is refused is an error of the whole archive: there is no skipping.
 */
#ifndef BACKENDS_REGISTRY_TAR_H
#define BACKENDS_REGISTRY_TAR_H

#include "core/err.h"

enum tar_kind { TAR_FILE, TAR_DIR, TAR_SYMLINK, TAR_HARDLINK };

struct tar_entry {
	enum tar_kind kind;
	char path[PATH_LEN];   /* relative, normalised: "a/b", never "" */
	char target[PATH_LEN]; /* of links; of a hard link normalised like path */
	int64_t size_bytes;    /* files only */
	bool executable;
};

/* Each returns 0, or an error code with e set, which ends the archive. */
struct tar_sink {
	void *ctx;
	int (*entry)(void *ctx, const struct tar_entry *entry, struct error *e);
	int (*bytes)(void *ctx, const void *bytes, size_t n, struct error *e); /* of the last file entry */
	int (*entry_end)(void *ctx, struct error *e);                          /* after a file's last byte */
};

/* What an archive may use of a budget that several archives (the layers of an image) share. */
struct tar_budget {
	int64_t entries, bytes;
};

struct tar;

/* NULL when out of memory. sink and budget must outlive the reader. */
struct tar *tar_new(const struct tar_sink *sink, struct tar_budget *budget);
int tar_push(struct tar *t, const void *bytes, size_t n, struct error *e) MUST_CHECK;
/* Checks that the archive ended where it said. */
int tar_end(struct tar *t, struct error *e) MUST_CHECK;
void tar_free(struct tar *t);

/*
 * Normalises a path of an archive: drops "." and doubled slashes. Refuses what would leave or not be a plain name.
 * "" results from "." and "./" alone. Pure.
 */
int tar_path(const char *raw, size_t n, char dst[PATH_LEN], struct error *e) MUST_CHECK;

/*
 * True for a symbolic link target that stays inside whatever it is resolved from: relative, ".." only at the front
 * and not more of them than path has folders.
 */
bool tar_target_stays(const char *path, const char *target);

#endif
