#include "backends/registry/oci.h"

#include "backends/registry/unpack.h"
#include "core/sha256.h"
#include "core/text.h"
#include "core/time.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 64 * 1024, SHORT_HEX = 12 };

#define LABEL(name) "org.opencontainers.image." name

bool oci_is_digest(const char *s)
{
	if (s == NULL || strncmp(s, "sha256:", 7) != 0)
		return false;
	s += 7;
	return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static int blob_path(const char *dir, const char *digest, char path[PATH_LEN], struct error *e)
{
	if (!oci_is_digest(digest))
		return error_set(e, ERR_INVALID, "%.80s is not a sha256 digest",
		                 digest != NULL ? digest : "nothing");
	if (snprintf(path, PATH_LEN, "%s/blobs/sha256/%s", dir, digest + 7) >= PATH_LEN)
		return error_set(e, ERR_NOMEM, "the path of the registry is too long");
	return ERR_OK;
}

static int corrupt(struct error *e, const char *digest, const char *what)
{
	error_set(e, ERR_CORRUPT, "blob %s: %s", digest, what);
	error_hint(e, "push the image again: its bytes in the registry were changed");
	return ERR_CORRUPT;
}

/* Opens a blob and compares its size (size < 0: any). Links are not followed. */
static int blob_open(const char *dir, const char *digest, int64_t size, int *ret_fd, struct error *e)
{
	char path[PATH_LEN];
	struct stat st;
	int fd, rc = blob_path(dir, digest, path, e);

	if (rc != ERR_OK)
		return rc;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT) {
		error_set(e, ERR_NOT_FOUND, "blob %s is not in the registry", digest);
		error_hint(e, "push the image, or choose a release that is there");
		return ERR_NOT_FOUND;
	}
	if (fd < 0)
		return error_set(e, ERR_IO, "blob %s cannot be read: %s", digest, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return corrupt(e, digest, "not a plain file");
	}
	if (size >= 0 && st.st_size != size) {
		close(fd);
		error_set(e, ERR_CORRUPT, "blob %s has %lld bytes, its manifest says %lld", digest,
		          (long long)st.st_size, (long long)size);
		error_hint(e, "push the image again: its bytes in the registry were changed");
		return ERR_CORRUPT;
	}
	*ret_fd = fd;
	return ERR_OK;
}

static ssize_t read_some(int fd, void *buf, size_t n)
{
	ssize_t got;

	do
		got = read(fd, buf, n);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Reads a small blob whole and compares its digest. */
static int blob_read(const char *dir, const char *digest, int64_t size, struct str *out, struct error *e)
{
	char hex[65], buf[4096];
	ssize_t n;
	int fd, rc = blob_open(dir, digest, size, &fd, e);

	if (rc != ERR_OK)
		return rc;
	while ((n = read_some(fd, buf, sizeof(buf))) > 0)
		str_addn(out, buf, (size_t)n);
	if (n < 0)
		rc = error_set(e, ERR_IO, "blob %s cannot be read: %s", digest, strerror(errno));
	close(fd);
	if (rc != ERR_OK)
		return rc;
	if (out->failed)
		return corrupt(e, digest, "too large for a manifest or config");
	sha256_of(str_text(out), out->len, hex);
	if (strcmp(hex, digest + 7) != 0)
		return corrupt(e, digest, "its bytes have another digest");
	return ERR_OK;
}

static int blob_json(const char *dir, const char *digest, int64_t size, struct arena *a, struct jv **ret,
                     int64_t *ret_size, struct error *e)
{
	struct error why;
	struct str bytes;
	int rc;

	str_init(&bytes, MANIFEST_MAX);
	rc = blob_read(dir, digest, size, &bytes, e);
	if (rc == ERR_OK && jv_parse(a, str_text(&bytes), bytes.len, ret, &why) != ERR_OK)
		rc = error_set(e, ERR_INVALID, "blob %s is not JSON: %s", digest, why.text);
	else if (rc == ERR_OK && jv_type(*ret) != JV_OBJ)
		rc = error_set(e, ERR_INVALID, "blob %s is not a JSON object", digest);
	if (rc == ERR_OK)
		*ret_size = (int64_t)bytes.len;
	str_release(&bytes);
	return rc;
}

int oci_check(const char *dir, struct error *e)
{
	char path[PATH_LEN];
	struct arena a;
	struct str bytes;
	struct jv *v = NULL;
	const char *version;
	int rc;

	if (file_join(path, sizeof(path), dir, "oci-layout") != ERR_OK)
		return error_set(e, ERR_NOMEM, "the path of the registry is too long");
	arena_init(&a, MANIFEST_MAX);
	str_init(&bytes, 4096);
	rc = file_read(path, 4096, &bytes, e);
	if (rc == ERR_NOT_FOUND)
		error_hint(
		    e, "registry path must be an OCI image layout: a folder with oci-layout and index.json");
	if (rc == ERR_OK)
		rc = jv_parse(&a, str_text(&bytes), bytes.len, &v, e);
	if (rc == ERR_OK) {
		version = jv_get_text(v, "imageLayoutVersion", "");
		if (strncmp(version, "1.", 2) != 0)
			rc = error_set(e, ERR_INVALID, "image layout version \"%.20s\" is not 1.x", version);
	}
	str_release(&bytes);
	arena_release(&a);
	return rc;
}

static bool media_is(const struct jv *v, const char *oci, const char *docker)
{
	const char *type = jv_get_text(v, "mediaType", "");

	return strcmp(type, oci) == 0 || strcmp(type, docker) == 0;
}

/* An index among images is handed on too: reading it says what it is. */
static bool is_index(const struct jv *v)
{
	return media_is(v, "application/vnd.oci.image.index.v1+json",
	                "application/vnd.docker.distribution.manifest.list.v2+json");
}

static int index_refused(struct error *e, const char *digest)
{
	error_set(e, ERR_UNSUPPORTED, "%s is an index of several images, not an image", digest);
	error_hint(e, "name the image of one platform by its own digest");
	return ERR_UNSUPPORTED;
}

static int layer_read(const struct jv *v, int i, const struct jv *diff_ids, struct oci_layer *layer,
                      struct error *e)
{
	const char *digest = jv_get_text(v, "digest", ""), *type = jv_get_text(v, "mediaType", "");
	const char *diff_id = jv_text(jv_at(diff_ids, (size_t)i), "");

	if (!oci_is_digest(digest) || !oci_is_digest(diff_id))
		return error_set(e, ERR_INVALID, "layer %d has no sha256 digest in manifest and config", i);
	layer->size_bytes = jv_get_num(v, "size", -1);
	if (layer->size_bytes < 0 || layer->size_bytes > BLOB_MAX)
		return error_set(e, ERR_INVALID, "layer %s: its size is missing or over %lld MiB", digest,
		                 BLOB_MAX >> 20);
	if (media_is(v, "application/vnd.oci.image.layer.v1.tar+gzip",
	             "application/vnd.docker.image.rootfs.diff.tar.gzip")) {
		layer->gzip = true;
	} else if (!media_is(v, "application/vnd.oci.image.layer.v1.tar",
	                     "application/vnd.docker.image.rootfs.diff.tar")) {
		char clean[NAME_LEN * 2];

		text_cleanz(clean, sizeof(clean), type);
		error_set(e, ERR_UNSUPPORTED, "layer %s: %s is not read here", digest, clean);
		error_hint(e, "build the image with tar or tar+gzip layers");
		return ERR_UNSUPPORTED;
	}
	str_copy(layer->digest, sizeof(layer->digest), digest);
	str_copy(layer->diff_id, sizeof(layer->diff_id), diff_id);
	return ERR_OK;
}

/* A fact that may stand in the config's labels or the manifest's annotations. */
static const char *fact(const struct jv *config, const struct jv *manifest, const char *label)
{
	const struct jv *labels = jv_get(jv_get(config, "config"), "Labels");
	const char *s = jv_get_text(labels, label, "");

	return s[0] != '\0' ? s : jv_get_text(jv_get(manifest, "annotations"), label, "");
}

static void release_fill(struct image *image, const char *digest, const char *ref_name,
                         const struct jv *config, const struct jv *manifest)
{
	struct release *r = &image->release;
	const char *version = fact(config, manifest, LABEL("version"));
	const char *created = fact(config, manifest, LABEL("created"));
	const char *by = fact(config, manifest, LABEL("vendor"));

	if (created[0] == '\0')
		created = jv_get_text(config, "created", "");
	if (by[0] == '\0')
		by = jv_get_text(config, "author", "");
	str_copy(r->digest, sizeof(r->digest), digest);
	text_cleanz(r->revision, sizeof(r->revision), fact(config, manifest, LABEL("revision")));
	text_cleanz(r->tag, sizeof(r->tag), version[0] != '\0' ? version : ref_name != NULL ? ref_name : "");
	text_cleanz(image->created_by, sizeof(image->created_by), by);
	if (time_parse_iso(created, strlen(created), &r->built_us) != ERR_OK)
		r->built_us = 0;
}

int oci_image_read(const char *dir, const char *digest, const char *ref_name, struct oci_image *ret,
                   struct error *e)
{
	struct arena a;
	struct jv *manifest = NULL, *config = NULL;
	const struct jv *desc, *layers, *diff_ids;
	int64_t n_manifest = 0, n_config = 0;
	int rc;

	arena_init(&a, ARENA_DEFAULT_MAX);
	memset(ret, 0, sizeof(*ret));
	if ((rc = blob_json(dir, digest, -1, &a, &manifest, &n_manifest, e)) != ERR_OK)
		goto out;
	if (is_index(manifest) || jv_type(jv_get(manifest, "manifests")) == JV_ARR) {
		rc = index_refused(e, digest);
		goto out;
	}
	desc = jv_get(manifest, "config");
	layers = jv_get(manifest, "layers");
	if (jv_get_num(manifest, "schemaVersion", 0) != 2 || jv_type(desc) != JV_OBJ ||
	    jv_type(layers) != JV_ARR || jv_get_num(desc, "size", -1) < 0) {
		rc = error_set(e, ERR_INVALID, "manifest %s: not schemaVersion 2 with config and layers",
		               digest);
		goto out;
	}
	if (jv_len(layers) == 0 || jv_len(layers) > LAYERS_MAX) {
		rc = error_set(e, ERR_INVALID, "manifest %s has %zu layers, 1 to %d are read", digest,
		               jv_len(layers), LAYERS_MAX);
		goto out;
	}
	rc = blob_json(dir, jv_get_text(desc, "digest", ""), jv_get_num(desc, "size", -1), &a, &config,
	               &n_config, e);
	if (rc != ERR_OK)
		goto out;
	diff_ids = jv_get(jv_get(config, "rootfs"), "diff_ids");
	if (jv_len(diff_ids) != jv_len(layers)) {
		rc = error_set(e, ERR_INVALID, "image %s: its config names %zu layers, its manifest %zu",
		               digest, jv_len(diff_ids), jv_len(layers));
		goto out;
	}
	ret->image.size_bytes = n_manifest + n_config;
	for (ret->n_layers = 0; rc == ERR_OK && ret->n_layers < (int)jv_len(layers); ret->n_layers++) {
		struct oci_layer *layer = &ret->layers[ret->n_layers];

		rc = layer_read(jv_at(layers, (size_t)ret->n_layers), ret->n_layers, diff_ids, layer, e);
		ret->image.size_bytes += layer->size_bytes;
	}
	if (rc == ERR_OK)
		release_fill(&ret->image, digest, ref_name, config, manifest);
out:
	arena_release(&a);
	return rc;
}

int oci_index_walk(const char *dir, bool (*fn)(void *ctx, const char *digest, const char *ref_name),
                   void *ctx, struct error *e)
{
	char path[PATH_LEN];
	struct arena a;
	struct str bytes;
	struct jv *v = NULL;
	const struct jv *list;
	int rc = oci_check(dir, e);

	if (rc != ERR_OK)
		return rc;
	if (file_join(path, sizeof(path), dir, "index.json") != ERR_OK)
		return error_set(e, ERR_NOMEM, "the path of the registry is too long");
	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&bytes, MANIFEST_MAX);
	rc = file_read(path, MANIFEST_MAX, &bytes, e);
	if (rc == ERR_OK) {
		rc = jv_parse(&a, str_text(&bytes), bytes.len, &v, e);
		error_at(rc == ERR_OK ? NULL : e, path, e != NULL ? e->line : 0, e != NULL ? e->col : 0);
	}
	list = jv_get(v, "manifests");
	if (rc == ERR_OK && (jv_get_num(v, "schemaVersion", 0) != 2 || jv_type(list) != JV_ARR)) {
		rc = error_set(e, ERR_INVALID,
		               "not an index: schemaVersion 2 and a list of manifests are missing");
		error_at(e, path, 0, 0);
	}
	for (size_t i = 0; rc == ERR_OK && i < jv_len(list); i++) {
		const struct jv *desc = jv_at(list, i);
		const char *digest = jv_get_text(desc, "digest", "");

		if (!fn(ctx, digest, jv_get_text(jv_get(desc, "annotations"), LABEL("ref.name"), "")))
			break;
	}
	str_release(&bytes);
	arena_release(&a);
	return rc;
}

/* --- layers ------------------------------------------------------------------------------------ */

/* One reading of a layer: compressed bytes are hashed, plain bytes are hashed and go to a sink. */
struct reading {
	const struct oci_layer *layer;
	const struct op *op;
	struct sha256 *packed, *plain;
	struct tar *tar; /* NULL: only hash the packed bytes */
	z_stream z;
	bool z_ready, z_member_ended;
	unsigned char *in, *out;
	int64_t n_plain;
};

static int plain_push(struct reading *r, const void *bytes, size_t n, struct error *e)
{
	r->n_plain += (int64_t)n;
	if (r->n_plain > UNPACKED_MAX)
		return error_set(e, ERR_INVALID, "layer %s unpacks to more than %lld MiB", r->layer->digest,
		                 UNPACKED_MAX >> 20);
	sha256_add(r->plain, bytes, n);
	return tar_push(r->tar, bytes, n, e);
}

static int gzip_push(struct reading *r, size_t n, struct error *e)
{
	int rc = ERR_OK;

	r->z.next_in = r->in;
	r->z.avail_in = (uInt)n;
	while (rc == ERR_OK && r->z.avail_in > 0) {
		int z;

		/* Several members one after the other are one stream. */
		if (r->z_member_ended && inflateReset(&r->z) != Z_OK)
			return error_set(e, ERR_NOMEM, "out of memory");
		r->z_member_ended = false;
		do {
			r->z.next_out = r->out;
			r->z.avail_out = CHUNK;
			z = inflate(&r->z, Z_NO_FLUSH);
			if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
				return corrupt(e, r->layer->digest, "its gzip stream is broken");
			rc = plain_push(r, r->out, CHUNK - r->z.avail_out, e);
		} while (rc == ERR_OK && z == Z_OK && r->z.avail_out == 0);
		r->z_member_ended = z == Z_STREAM_END;
	}
	return rc;
}

static int reading_push(struct reading *r, size_t n, struct error *e)
{
	sha256_add(r->packed, r->in, n);
	if (r->tar == NULL)
		return ERR_OK;
	return r->layer->gzip ? gzip_push(r, n, e) : plain_push(r, r->in, n, e);
}

static int reading_end(struct reading *r, struct error *e)
{
	char hex[65];

	sha256_hex(r->packed, hex);
	r->packed = NULL;
	if (strcmp(hex, r->layer->digest + 7) != 0)
		return corrupt(e, r->layer->digest, "its bytes have another digest");
	if (r->tar == NULL)
		return ERR_OK;
	if (r->layer->gzip && !r->z_member_ended)
		return corrupt(e, r->layer->digest, "its gzip stream ends too early");
	sha256_hex(r->plain, hex);
	r->plain = NULL;
	if (strcmp(hex, r->layer->diff_id + 7) != 0)
		return corrupt(e, r->layer->digest,
		               "its content is not the one that the image's config names");
	return tar_end(r->tar, e);
}

static void reading_release(struct reading *r)
{
	sha256_free(r->packed);
	sha256_free(r->plain);
	if (r->z_ready)
		inflateEnd(&r->z);
	free(r->in);
	free(r->out);
}

/* Reads a layer once; tar may be NULL. */
static int layer_stream(const char *dir, const struct oci_layer *layer, struct tar *tar, const struct op *op,
                        struct error *e)
{
	struct reading r = {.layer = layer, .op = op, .tar = tar};
	int fd, rc = blob_open(dir, layer->digest, layer->size_bytes, &fd, e);
	ssize_t n = 0;

	if (rc != ERR_OK)
		return rc;
	r.packed = sha256_new();
	r.plain = sha256_new();
	r.in = malloc(CHUNK);
	r.out = malloc(CHUNK);
	r.z_ready = inflateInit2(&r.z, 15 + 16) == Z_OK;
	if (r.packed == NULL || r.plain == NULL || r.in == NULL || r.out == NULL || !r.z_ready)
		rc = error_set(e, ERR_NOMEM, "out of memory");
	while (rc == ERR_OK && (n = read_some(fd, r.in, CHUNK)) > 0) {
		if (op != NULL && op_cancelled(op))
			rc = error_set(e, ERR_CANCELLED, "cancelled");
		else
			rc = reading_push(&r, (size_t)n, e);
	}
	if (rc == ERR_OK && n < 0)
		rc = error_set(e, ERR_IO, "blob %s cannot be read: %s", layer->digest, strerror(errno));
	if (rc == ERR_OK)
		rc = reading_end(&r, e);
	reading_release(&r);
	close(fd);
	return rc;
}

int oci_layer_check(const char *dir, const struct oci_layer *layer, const struct op *op, struct error *e)
{
	return layer_stream(dir, layer, NULL, op, e);
}

static int layer_unpack(const char *dir, const struct oci_layer *layer, const struct tar_sink *sink,
                        struct tar_budget *budget, const struct op *op, struct error *e)
{
	struct tar *tar = tar_new(sink, budget);
	int rc;

	if (tar == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	rc = layer_stream(dir, layer, tar, op, e);
	tar_free(tar);
	return rc;
}

int oci_unpack(const char *dir, const struct oci_image *image, const char *dest, const struct op *op,
               struct error *e)
{
	struct tar_budget content = {TAR_ENTRIES_MAX, UNPACKED_MAX};
	struct unpack *u = unpack_new(dest, e);
	int rc = ERR_OK;

	if (u == NULL)
		return e != NULL ? (int)e->code : ERR_IO;
	for (int i = 0; rc == ERR_OK && i < image->n_layers; i++) {
		struct tar_budget whiteouts = {TAR_ENTRIES_MAX, UNPACKED_MAX};

		/* Below the first layer is nothing to remove. */
		if (i > 0)
			rc = layer_unpack(dir, &image->layers[i], unpack_whiteouts(u), &whiteouts, op, e);
		if (rc == ERR_OK)
			rc = layer_unpack(dir, &image->layers[i], unpack_content(u), &content, op, e);
	}
	unpack_free(u);
	return rc;
}
