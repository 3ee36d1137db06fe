/*
 * Images: an OCI layout per service, one layer per image, made from the service's tree at its tag. The bytes depend
 * on the tree and the commit's time alone.
 */
#include "core/arena.h"
#include "core/jv.h"
#include "core/sha256.h"
#include "demo/world.h"
#include "io/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar"
#define CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"

enum { LAYER_MAX = 8 * 1024 * 1024, TAR_BLOCK = 512, BUILD_TAKES_S = 240, RELEASE_NAME_LEN = 16 };

/* --- tar ------------------------------------------------------------------------------------------------------ */

struct tar {
	struct str out;
	int64_t time_s;
	char last_dir[PATH_LEN / 4]; /* the folder whose entries are there already */
	struct error *e;
};

static int tar_header(struct tar *t, const char *path, size_t n, int mode, char type)
{
	char h[TAR_BLOCK] = {0};
	unsigned sum = 0;

	if (strlen(path) >= 100)
		return error_set(t->e, ERR_NOMEM, "%s: the path is too long for the layer", path);
	memcpy(h, path, strlen(path));
	snprintf(h + 100, 8, "%07o", (unsigned)mode);
	snprintf(h + 108, 8, "%07o", 0U);
	snprintf(h + 116, 8, "%07o", 0U);
	snprintf(h + 124, 12, "%011llo", (unsigned long long)n);
	snprintf(h + 136, 12, "%011llo", (unsigned long long)t->time_s);
	memset(h + 148, ' ', 8);
	h[156] = type;
	memcpy(h + 257,
	       "ustar\0"
	       "00",
	       8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	str_addn(&t->out, h, sizeof(h));
	return ERR_OK;
}

/* Entries for the folders above path that were not written yet; paths come sorted. */
static int tar_folders(struct tar *t, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		char dir[PATH_LEN / 4];
		size_t n = (size_t)(slash - path) + 1;
		int rc;

		if (n >= sizeof(dir))
			return error_set(t->e, ERR_NOMEM, "path too long");
		memcpy(dir, path, n);
		dir[n] = '\0';
		if (!strncmp(t->last_dir, dir, n))
			continue;
		rc = tar_header(t, dir, 0, 0755, '5');
		if (rc != ERR_OK)
			return rc;
		str_copy(t->last_dir, sizeof(t->last_dir), dir);
	}
	return ERR_OK;
}

static int tar_file(void *ctx, const struct git_file *f)
{
	static const char zeros[TAR_BLOCK];
	struct tar *t = ctx;
	int rc = tar_folders(t, f->path);

	if (rc == ERR_OK)
		rc = tar_header(t, f->path, f->n, f->executable ? 0755 : 0644, '0');
	if (rc != ERR_OK)
		return rc;
	str_addn(&t->out, f->bytes, f->n);
	if (f->n % TAR_BLOCK)
		str_addn(&t->out, zeros, TAR_BLOCK - f->n % TAR_BLOCK);
	return t->out.failed ? error_set(t->e, ERR_NOMEM, "the layer is too large") : ERR_OK;
}

/* --- layout --------------------------------------------------------------------------------------------------- */

static void digest_of(const struct str *s, char digest[DIGEST_LEN])
{
	memcpy(digest, "sha256:", 7);
	sha256_of(str_text(s), s->len, digest + 7);
}

/* The layout itself is written once; blobs are small and a world that is lost is built again: no fsync. */
static int put_bytes(const char *path, const void *bytes, size_t n, int mode, struct error *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	const char *p = bytes;

	if (fd < 0)
		return error_set(e, ERR_IO, "cannot write %s", path);
	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k <= 0) {
			close(fd);
			return error_set(e, ERR_IO, "cannot write %s", path);
		}
		p += k;
		n -= (size_t)k;
	}
	return close(fd) == 0 ? ERR_OK : error_set(e, ERR_IO, "cannot write %s", path);
}

static int put_blob(const struct world *w, int service, const struct str *s, char digest[DIGEST_LEN],
                    struct error *e)
{
	char path[PATH_LEN];

	digest_of(s, digest);
	if (!world_path(w, path, sizeof(path), "registry/%s/blobs/sha256/%s", demo_services[service],
	                digest + 7))
		return error_set(e, ERR_NOMEM, "path too long");
	return put_bytes(path, str_text(s), s->len, 0644, e);
}

static void config_text(struct str *out, int service, const struct oci_image *image)
{
	char created[32];

	tool_rfc3339(image->built_s, created);
	str_addf(
	    out,
	    "{\"created\":\"%s\",\"author\":\"demo builder\",\"architecture\":\"amd64\",\"os\":\"linux\","
	    "\"config\":{\"WorkingDir\":\"/\",\"Labels\":{"
	    "\"org.opencontainers.image.title\":\"%s\",\"org.opencontainers.image.version\":\"%s\","
	    "\"org.opencontainers.image.revision\":\"%s\",\"org.opencontainers.image.created\":\"%s\"}},"
	    "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]},"
	    "\"history\":[{\"created\":\"%s\",\"created_by\":\"demo builder\"}]}",
	    created, demo_services[service], image->version, image->revision, created, image->layer, created);
}

static int put_index(const struct world *w, int service, const struct oci_image *image, size_t n_manifest,
                     struct error *e)
{
	char path[PATH_LEN], created[32];
	struct jv *index = NULL, *d, *notes;
	struct arena a;
	struct str text;
	int rc = ERR_OK;

	if (!world_path(w, path, sizeof(path), "registry/%s/index.json", demo_services[service]))
		return error_set(e, ERR_NOMEM, "path too long");
	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&text, JSON_BYTES_MAX);
	tool_slurp(path, &text);
	if (text.len)
		rc = jv_parse(&a, text.data, text.len, &index, e);
	if (rc == ERR_OK && !index) {
		index = jv_obj(&a);
		jv_set_int(&a, index, "schemaVersion", 2);
		jv_set_str(&a, index, "mediaType", INDEX_TYPE);
		jv_set(&a, index, "manifests", jv_arr(&a));
	}
	if (rc == ERR_OK) {
		tool_rfc3339(image->built_s, created);
		d = jv_obj(&a);
		notes = jv_obj(&a);
		jv_set_str(&a, d, "mediaType", MANIFEST_TYPE);
		jv_set_str(&a, d, "digest", image->digest);
		jv_set_int(&a, d, "size", (int64_t)n_manifest);
		jv_set_str(&a, notes, "org.opencontainers.image.ref.name", image->version);
		jv_set_str(&a, notes, "org.opencontainers.image.created", created);
		jv_set(&a, d, "annotations", notes);
		jv_push(&a, (struct jv *)(uintptr_t)jv_get(index, "manifests"), d);
		str_clear(&text);
		jv_print(index, JV_PRETTY, &text);
		rc = arena_failed(&a) || text.failed ? error_set(e, ERR_NOMEM, "the index is too large")
		                                     : file_write(path, str_text(&text), text.len, 0644, e);
	}
	str_release(&text);
	arena_release(&a);
	return rc;
}

static int layout_make(const struct world *w, int service, struct error *e)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
	char path[PATH_LEN];
	int rc;

	if (!world_path(w, path, sizeof(path), "registry/%s/blobs/sha256", demo_services[service]))
		return error_set(e, ERR_NOMEM, "path too long");
	rc = file_mkdirs(path, 0755, e);
	if (rc < 0 || !world_path(w, path, sizeof(path), "registry/%s/oci-layout", demo_services[service]))
		return rc;
	return file_exists(path) ? ERR_OK : put_bytes(path, layout, sizeof(layout) - 1, 0644, e);
}

/* Writes layer, config and manifest; the index is the caller's. */
static int put_image(const struct world *w, int service, struct tar *t, struct oci_image *image,
                     size_t *ret_n, struct error *e)
{
	char config[DIGEST_LEN];
	struct str text;
	size_t n_config;
	int rc = put_blob(w, service, &t->out, image->layer, e);

	str_init(&text, JSON_BYTES_MAX);
	config_text(&text, service, image);
	n_config = text.len;
	if (rc >= 0)
		rc = put_blob(w, service, &text, config, e);
	str_clear(&text);
	str_addf(
	    &text,
	    "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":{\"mediaType\":\"%s\",\"digest\":\"%s\","
	    "\"size\":%zu},\"layers\":[{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}]}",
	    MANIFEST_TYPE, CONFIG_TYPE, config, n_config, LAYER_TYPE, image->layer, t->out.len);
	*ret_n = text.len;
	if (rc >= 0)
		rc = put_blob(w, service, &text, image->digest, e);
	str_release(&text);
	return rc;
}

int oci_add(const struct world *w, int service, const char *version, struct oci_image *ret, struct error *e)
{
	static const char end[2 * TAR_BLOCK];
	struct tar t = {.e = e};
	struct git_release_info info;
	struct oci_image image;
	size_t n_manifest = 0;
	int rc = layout_make(w, service, e);

	memset(&image, 0, sizeof(image));
	str_init(&t.out, LAYER_MAX);
	t.time_s = w->base_s;
	if (rc >= 0) {
		/* The first pass is for the commit's time alone: each header carries it. */
		rc = git_files(w, service, version, &info, tar_file, &t, e);
		t.time_s = info.time_s;
		str_clear(&t.out);
		t.last_dir[0] = '\0';
	}
	if (rc >= 0)
		rc = git_files(w, service, version, &info, tar_file, &t, e);
	if (rc >= 0) {
		str_addn(&t.out, end, sizeof(end));
		str_copy(image.revision, sizeof(image.revision), info.revision);
		str_copy(image.version, sizeof(image.version), version);
		image.built_s = info.time_s + BUILD_TAKES_S;
		rc = put_image(w, service, &t, &image, &n_manifest, e);
	}
	if (rc >= 0)
		rc = put_index(w, service, &image, n_manifest, e);
	str_release(&t.out);
	if (rc >= 0 && ret)
		*ret = image;
	return rc < 0 ? rc : ERR_OK;
}

/* --- placing a release as the deploy driver does ---------------------------------------------------------------- */

struct place {
	char dir[PATH_LEN];
	struct error *e;
};

static int place_file(void *ctx, const struct git_file *f)
{
	struct place *p = ctx;
	char path[PATH_LEN], *slash;
	int rc;

	if (snprintf(path, sizeof(path), "%s/%s", p->dir, f->path) >= (int)sizeof(path))
		return error_set(p->e, ERR_NOMEM, "path too long");
	slash = strrchr(path, '/');
	*slash = '\0';
	rc = file_mkdirs(path, 0755, p->e);
	*slash = '/';
	return rc < 0 ? rc : put_bytes(path, f->bytes, f->n, f->executable ? 0755 : 0644, p->e);
}

static int place_note(const struct oci_image *image, const char *dir, int64_t since_s, struct error *e)
{
	char files[DIGEST_LEN], path[PATH_LEN + 16], built[32], since[32];
	struct str text;
	int rc = file_tree_digest(dir, "release.json", files, e);

	if (rc < 0)
		return rc;
	str_init(&text, 8192);
	tool_rfc3339(image->built_s, built);
	tool_rfc3339(since_s, since);
	str_addf(
	    &text,
	    "{\n  \"digest\": \"%s\",\n  \"revision\": \"%s\",\n  \"tag\": \"%s\",\n  \"built\": \"%s\",\n"
	    "  \"files\": \"%s\",\n  \"staged_at\": \"%s\"\n}\n",
	    image->digest, image->revision, image->version, built, files, since);
	snprintf(path, sizeof(path), "%s/release.json", dir);
	rc = put_bytes(path, str_text(&text), text.len, 0644, e);
	str_release(&text);
	return rc;
}

int oci_place(const struct world *w, int service, int env, const struct oci_image *image, int64_t since_s,
              struct error *e)
{
	char link[PATH_LEN], target[64];
	struct timespec times[2] = {{.tv_sec = (time_t)since_s}, {.tv_sec = (time_t)since_s}};
	struct git_release_info info;
	struct place p = {.e = e};
	int rc;

	snprintf(target, sizeof(target), "releases/%.*s", RELEASE_NAME_LEN, image->digest + 7);
	if (!world_path(w, p.dir, sizeof(p.dir), "hosts/%s/%s/%s", demo_envs[env], demo_services[service],
	                target) ||
	    !world_path(w, link, sizeof(link), "hosts/%s/%s/current", demo_envs[env], demo_services[service]))
		return error_set(e, ERR_NOMEM, "path too long");
	rc = git_files(w, service, image->version, &info, place_file, &p, e);
	if (rc >= 0)
		rc = place_note(image, p.dir, since_s, e);
	if (rc >= 0)
		rc = file_symlink(target, link, e);
	if (rc >= 0)
		utimensat(AT_FDCWD, link, times, AT_SYMLINK_NOFOLLOW);
	return rc < 0 ? rc : ERR_OK;
}
