#include "core/sha256.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 {
	EVP_MD_CTX *ctx;
	bool failed;
};

struct sha256 *sha256_new(void)
{
	struct sha256 *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->ctx = EVP_MD_CTX_new();
	if (h->ctx == NULL || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1) {
		sha256_free(h);
		return NULL;
	}
	return h;
}

void sha256_add(struct sha256 *h, const void *bytes, size_t n)
{
	if (n > 0 && EVP_DigestUpdate(h->ctx, bytes, n) != 1)
		h->failed = true;
}

/* An empty text where libcrypto failed: it equals no digest, so every comparison fails closed. */
static void hex_write(bool ok, const unsigned char *md, unsigned n, unsigned wanted, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	hex[0] = '\0';
	if (!ok || n != wanted)
		return;
	for (unsigned i = 0; i < n; i++) {
		hex[2 * i] = digits[md[i] >> 4];
		hex[2 * i + 1] = digits[md[i] & 15];
	}
	hex[2 * (size_t)n] = '\0';
}

void sha256_hex(struct sha256 *h, char hex[65])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	bool ok = EVP_DigestFinal_ex(h->ctx, md, &n) == 1 && !h->failed;

	hex_write(ok, md, n, 32, hex);
	sha256_free(h);
}

struct sha256 *sha256_copy(const struct sha256 *h)
{
	struct sha256 *copy = sha256_new();

	if (copy != NULL) {
		copy->failed = h->failed;
		if (EVP_MD_CTX_copy_ex(copy->ctx, h->ctx) != 1)
			copy->failed = true;
	}
	return copy;
}

void sha256_free(struct sha256 *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void sha256_of(const void *bytes, size_t n, char hex[65])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	bool ok = EVP_Digest(n > 0 ? bytes : "", n, md, &len, EVP_sha256(), NULL) == 1;

	hex_write(ok, md, len, 32, hex);
}

void sha1_of(const void *bytes, size_t n, char hex[41])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned got = 0;
	const bool ok = EVP_Digest(bytes, n, md, &got, EVP_sha1(), NULL) == 1;

	hex_write(ok, md, got, 20, hex);
}
