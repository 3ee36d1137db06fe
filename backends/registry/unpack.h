/*
 * Unpacks archives of an image into a folder, below a descriptor: no step follows a link, so that no entry can be
 * written outside, whatever earlier entries made. Blocks: for workers.
 */
#ifndef BACKENDS_REGISTRY_UNPACK_H
#define BACKENDS_REGISTRY_UNPACK_H

#include "backends/registry/tar.h"

struct unpack;

/* Into the existing, empty folder dir. NULL with e set. */
struct unpack *unpack_new(const char *dir, struct error *e);
void unpack_free(struct unpack *u);

/*
 * Readers of the next layer. A layer is read twice: first for its whiteouts, which remove what lower layers left,
 * then for its content.
 */
const struct tar_sink *unpack_whiteouts(struct unpack *u);
const struct tar_sink *unpack_content(struct unpack *u);

#endif
