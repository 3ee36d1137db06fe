#include "tests/lib/ocibuild.h"

#include "core/jv.h"
#include "core/sha256.h"
#include "tests/lib/porttest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum { BLOCK = 512, MAX = 64 * 1024 * 1024 };

void ocibuild_init(struct ocibuild *b, const char *dir)
{
	memset(b, 0, sizeof(*b));
	str_copy(b->dir, sizeof(b->dir), dir);
	str_init(&b->tar, MAX);
	str_init(&b->layers, MAX);
	str_init(&b->diff_ids, MAX);
	str_init(&b->index, MAX);
	file_put(dir, "oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}");
}

void ocibuild_release(struct ocibuild *b)
{
	str_release(&b->tar);
	str_release(&b->layers);
	str_release(&b->diff_ids);
	str_release(&b->index);
}

void ocibuild_entry(struct ocibuild *b, char type, const char *path, const char *target, const void *bytes,
                    size_t n, int mode)
{
	static const char zeros[BLOCK];
	unsigned char h[BLOCK] = {0};
	unsigned sum = 0;
	char field[32];

	assert_true(strlen(path) <= 100 && (target == NULL || strlen(target) <= 100));
	memcpy(h, path, strlen(path));
	snprintf(field, sizeof(field), "%07o", (unsigned)mode);
	memcpy(h + 100, field, 8);
	memcpy(h + 108, "0000000", 8);
	memcpy(h + 116, "0000000", 8);
	snprintf(field, sizeof(field), "%011zo", n);
	memcpy(h + 124, field, 12);
	memcpy(h + 136, "00000000000", 12);
	h[156] = (unsigned char)type;
	if (target != NULL)
		memcpy(h + 157, target, strlen(target));
	memcpy(h + 257, "ustar\00000", 8);
	memset(h + 148, ' ', 8);
	for (int i = 0; i < BLOCK; i++)
		sum += h[i];
	snprintf(field, sizeof(field), "%06o", sum);
	memcpy(h + 148, field, 7);
	str_addn(&b->tar, h, BLOCK);
	if (bytes != NULL) {
		str_addn(&b->tar, bytes, n);
		str_addn(&b->tar, zeros, (BLOCK - n % BLOCK) % BLOCK);
	}
}

void ocibuild_file(struct ocibuild *b, const char *path, const char *text, int mode)
{
	ocibuild_entry(b, '0', path, NULL, text, strlen(text), mode);
}

void ocibuild_tar_end(struct ocibuild *b)
{
	static const char zeros[2 * BLOCK];

	str_addn(&b->tar, zeros, sizeof(zeros));
}

void ocibuild_blob_path(const struct ocibuild *b, const char *digest, char dst[PATH_LEN])
{
	assert_true(snprintf(dst, PATH_LEN, "%s/blobs/sha256/%s", b->dir, digest + 7) < PATH_LEN);
}

void ocibuild_blob(struct ocibuild *b, const void *bytes, size_t n, char ret_digest[DIGEST_LEN])
{
	char hex[65], path[128];

	sha256_of(bytes, n, hex);
	snprintf(ret_digest, DIGEST_LEN, "sha256:%s", hex);
	snprintf(path, sizeof(path), "blobs/sha256/%s", hex);
	file_put_n(b->dir, path, bytes, n, 0644);
}

void ocibuild_layer(struct ocibuild *b, bool gzip)
{
	char hex[65];
	size_t n = b->tar.len;
	unsigned char *packed = NULL;

	sha256_of(str_text(&b->tar), b->tar.len, hex);
	str_addf(&b->diff_ids, "%s\"sha256:%s\"", b->diff_ids.len > 0 ? "," : "", hex);
	if (gzip) {
		z_stream z = {0};

		packed = malloc(b->tar.len + 4096);
		assert_non_null(packed);
		assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
		z.next_in = (unsigned char *)b->tar.data;
		z.avail_in = (unsigned)b->tar.len;
		z.next_out = packed;
		z.avail_out = (unsigned)b->tar.len + 4096;
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		n = z.total_out;
		deflateEnd(&z);
	}
	ocibuild_blob(b, gzip ? (void *)packed : b->tar.data, n, b->last_layer);
	str_addf(
	    &b->layers,
	    "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar%s\",\"digest\":\"%s\",\"size\":%zu}",
	    b->layers.len > 0 ? "," : "", gzip ? "+gzip" : "", b->last_layer, n);
	free(packed);
	str_clear(&b->tar);
}

void ocibuild_index_add(struct ocibuild *b, const char *digest, size_t size, const char *media_type,
                        const char *ref)
{
	struct arena a;
	struct str quoted, all;

	arena_init(&a, MAX);
	str_init(&quoted, MAX);
	str_init(&all, MAX);
	jv_print(jv_str(&a, ref), JV_COMPACT, &quoted);
	str_addf(&b->index,
	         "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu,"
	         "\"annotations\":{\"org.opencontainers.image.ref.name\":%s}}",
	         b->index.len > 0 ? "," : "", media_type, digest, size, str_text(&quoted));
	str_addf(&all, "{\"schemaVersion\":2,\"manifests\":[%s]}", str_text(&b->index));
	file_put(b->dir, "index.json", str_text(&all));
	str_release(&quoted);
	str_release(&all);
	arena_release(&a);
}

void ocibuild_image(struct ocibuild *b, const char *ref_name, const char *version, const char *revision,
                    const char *created, char ret_digest[DIGEST_LEN])
{
	struct arena a;
	struct str config, manifest;
	struct jv *labels;
	char digest[DIGEST_LEN];

	arena_init(&a, MAX);
	str_init(&config, MAX);
	str_init(&manifest, MAX);
	labels = jv_obj(&a);
	jv_set_str(&a, labels, "org.opencontainers.image.version", version);
	jv_set_str(&a, labels, "org.opencontainers.image.revision", revision);
	jv_set_str(&a, labels, "org.opencontainers.image.created", created);
	str_add(&config, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Labels\":");
	jv_print(labels, JV_COMPACT, &config);
	str_addf(&config, "},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}", str_text(&b->diff_ids));
	ocibuild_blob(b, config.data, config.len, digest);
	str_addf(
	    &manifest,
	    "{\"schemaVersion\":2,\"mediaType\":\"application/"
	    "vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":"
	    "\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[%s]}",
	    digest, config.len, str_text(&b->layers));
	ocibuild_blob(b, manifest.data, manifest.len, ret_digest);
	ocibuild_index_add(b, ret_digest, manifest.len, "application/vnd.oci.image.manifest.v1+json",
	                   ref_name);
	str_release(&config);
	str_release(&manifest);
	arena_release(&a);
	str_clear(&b->layers);
	str_clear(&b->diff_ids);
}
