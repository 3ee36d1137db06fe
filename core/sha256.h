/* SHA-256 through libcrypto: incremental for streams, one call for buffers. */
#ifndef CORE_SHA256_H
#define CORE_SHA256_H

#include "core/base.h"

struct sha256;

struct sha256 *sha256_new(void); /* NULL: no memory */
void sha256_add(struct sha256 *h, const void *bytes, size_t n);
/* Writes 64 lower-case hex digits and a NUL, and frees h. */
void sha256_hex(struct sha256 *h, char hex[65]);
/* The same stream so far, to end or go on by itself; NULL: no memory. */
struct sha256 *sha256_copy(const struct sha256 *h);
void sha256_free(struct sha256 *h); /* accepts NULL */

void sha256_of(const void *bytes, size_t n, char hex[65]);

/* SHA-1, for what other programs name by it; never to trust bytes. Lower hex; "" where libcrypto failed. */
void sha1_of(const void *bytes, size_t n, char hex[41]);

#endif
