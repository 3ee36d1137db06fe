/* Port registry: images by digest. */
#ifndef CORE_PORT_REGISTRY_H
#define CORE_PORT_REGISTRY_H

#include "core/port/driver.h"

/* What an image says of itself, after its bytes were verified against their digests. */
struct image {
	struct release release;
	int64_t size_bytes;
	char created_by[NAME_LEN];
};

/*
 *   list     -> struct release_list, newest first: every tagged image with digest, revision
 *               (label org.opencontainers.image.revision), version and creation time.
 *   verify   -> struct image (free()). Reads manifest, config and every layer and compares digests and sizes:
 *               FAILED when absent or a byte differs (text names the blob), ERRORED when it could not be read.
 *   fetch    unpacks the verified layers into the folder dest, which appears whole or not at all. Keyed by
 *               digest. Entries that would leave the folder are refused.
 */
struct registry_driver {
	struct driver base;
	void (*list)(void *priv, struct op *op);
	void (*verify)(void *priv, const char *digest, struct op *op);
	void (*fetch)(void *priv, const char *digest, const char *dest, struct op *op);
};

#endif
