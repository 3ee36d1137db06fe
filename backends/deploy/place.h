/*
 * The folder of a service on a host, as the host driver keeps it. Blocks: for workers.
 *
 *   ROOT/releases/<first 16 hex digits of the image digest>/   the unpacked image
 *   ROOT/releases/<...>/release.json                           what it is (see struct place_release)
 *   ROOT/current  -> releases/<...>                            what instances start from
 *   ROOT/previous -> releases/<...>                            what current was before
 */
#ifndef BACKENDS_DEPLOY_PLACE_H
#define BACKENDS_DEPLOY_PLACE_H

#include "core/err.h"
#include "core/types.h"

#define PLACE_MANIFEST "release.json"

struct place_release {
	char name[32]; /* of its folder */
	struct release release;
	char files[DIGEST_LEN]; /* tree digest of the unpacked bytes when they were put there */
	int64_t staged_us;
};

/* A tree digest and what the tree looked like then (names, inodes, sizes, change times). */
struct place_cache {
	char dir[PATH_LEN];
	uint64_t seen[2];
	char tree[80];
};

struct place {
	struct place_release known[HOST_RELEASES_MAX];
	int n_known;
	int current;         /* index, -1: none */
	char link[PATH_LEN]; /* where current points, "" without a link */
	int64_t since_us;    /* when the link was made */
	char text[TEXT_LEN]; /* what is wrong, clean; "" if nothing */
};

/*
 * Reads the place; the bytes of current are hashed again unless the cache (in and out) shows that nothing about them
 * changed. A place that does not exist yet has nothing. ERR_IO when it cannot be read.
 */
int place_read(const char *root, struct place *ret, struct place_cache *cache, struct error *e) MUST_CHECK;

/* The release with that image digest; NULL where there is none. */
const struct place_release *place_find(const struct place *p, const char *digest);

/* Writes the folder name of an image digest (at least 32 bytes). */
int place_folder(const char *digest, char dst[32], struct error *e) MUST_CHECK;

/*
 * Makes ROOT/releases/<...> from the folder image_dir (may be NULL when it is already there), points current at it
 * and removes all but the keep newest releases, never current and previous. Twice is once.
 */
int place_stage(const char *root, const struct release *release, const char *image_dir, int keep,
                int64_t now_us, struct error *e) MUST_CHECK;

#endif
