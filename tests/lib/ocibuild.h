/* Builds OCI image layouts for tests: good ones, and ones with whatever mistake a test wants. */
#ifndef TESTS_LIB_OCIBUILD_H
#define TESTS_LIB_OCIBUILD_H

#include "core/limits.h"
#include "core/str.h"

struct ocibuild {
	char dir[PATH_LEN];
	struct str tar;              /* layer being built */
	struct str layers, diff_ids; /* JSON lists of the image being built */
	struct str index;            /* JSON list of descriptors */
	char last_layer[DIGEST_LEN];
};

void ocibuild_init(struct ocibuild *b, const char *dir);
void ocibuild_release(struct ocibuild *b);

/* One entry of the layer: type as in tar ('0' file, '2' symlink, '5' folder, '1' hard link, '3' device). */
void ocibuild_entry(struct ocibuild *b, char type, const char *path, const char *target, const void *bytes,
                    size_t n, int mode);
void ocibuild_file(struct ocibuild *b, const char *path, const char *text, int mode);
/* The end of an archive. */
void ocibuild_tar_end(struct ocibuild *b);
/* Ends the layer and stores it; gzip as named. */
void ocibuild_layer(struct ocibuild *b, bool gzip);
/* Ends the image, tags it and writes index.json; labels may hold anything (they are escaped). */
void ocibuild_image(struct ocibuild *b, const char *ref_name, const char *version, const char *revision,
                    const char *created, char ret_digest[DIGEST_LEN]);
/* Stores any bytes as a blob. */
void ocibuild_blob(struct ocibuild *b, const void *bytes, size_t n, char ret_digest[DIGEST_LEN]);
/* Adds a descriptor for a blob that was stored by hand. */
void ocibuild_index_add(struct ocibuild *b, const char *digest, size_t size, const char *media_type,
                        const char *ref);
/* Where a blob lies. */
void ocibuild_blob_path(const struct ocibuild *b, const char *digest, char dst[PATH_LEN]);

#endif
