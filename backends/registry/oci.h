/*
 * An OCI image layout on disk, read with distrust: oci-layout, index.json, blobs/sha256. Every byte that is used was
 * hashed first. Blocks: for workers. Errors: ERR_NOT_FOUND and ERR_CORRUPT name the blob; ERR_IO could not be read.
 */
#ifndef BACKENDS_REGISTRY_OCI_H
#define BACKENDS_REGISTRY_OCI_H

#include "core/port/registry.h"

struct oci_layer {
	char digest[DIGEST_LEN];
	char diff_id[DIGEST_LEN]; /* of the uncompressed bytes */
	int64_t size_bytes;
	bool gzip;
};

/* Manifest and config of one image, both verified; the layers are named, not yet read. */
struct oci_image {
	struct image image; /* size_bytes counts manifest, config and layers */
	struct oci_layer layers[LAYERS_MAX];
	int n_layers;
};

/* "sha256:" and 64 lower-case hex digits. */
bool oci_is_digest(const char *s);

/* Checks the oci-layout file: the cheapest true question. */
int oci_check(const char *dir, struct error *e) MUST_CHECK;

/* Reads manifest and config of the image; fills all but the tag, which falls back to ref_name (may be NULL). */
int oci_image_read(const char *dir, const char *digest, const char *ref_name, struct oci_image *ret,
                   struct error *e) MUST_CHECK;

/* Hashes one layer and compares size and digest; stops early with ERR_CANCELLED once op is cancelled. */
int oci_layer_check(const char *dir, const struct oci_layer *layer, const struct op *op,
                    struct error *e) MUST_CHECK;

/* Calls fn for each entry of index.json, in its order and unchecked; ref_name may be "". fn returns false to stop. */
int oci_index_walk(const char *dir, bool (*fn)(void *ctx, const char *digest, const char *ref_name),
                   void *ctx, struct error *e) MUST_CHECK;

/*
 * Unpacks all layers into the existing empty folder dest, hashing again on the way: on ERR_CORRUPT nothing of dest
 * may be used.
 */
int oci_unpack(const char *dir, const struct oci_image *image, const char *dest, const struct op *op,
               struct error *e) MUST_CHECK;

#endif
