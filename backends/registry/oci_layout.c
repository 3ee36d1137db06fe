/* Registry driver oci-layout: images in an OCI image layout on this machine's disk. */
#include "backends/answer.h"
#include "backends/drivers.h"
#include "backends/registry/oci.h"

#include "core/text.h"
#include "core/types.h"
#include "io/fault.h"
#include "io/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE "oci-layout"

struct priv {
	struct loop *loop;
	char dir[PATH_LEN];
};

struct job {
	struct answer_job base;
	char dir[PATH_LEN];
	char digest[DIGEST_LEN];
	char dest[PATH_LEN];
};

static int layout_open(void *p, const struct driver_ctx *ctx, struct error *e)
{
	struct priv *priv = p;

	priv->loop = ctx->loop;
	if (!str_copy(priv->dir, sizeof(priv->dir), jv_get_text(ctx->options, "path", "")))
		return error_set(e, ERR_INVALID, "registry path is too long");
	return ERR_OK;
}

static void start(struct priv *priv, void (*run)(void *), const char *digest, const char *dest, struct op *op)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL) {
		answer_nomem(op, SOURCE);
		return;
	}
	job->base = (struct answer_job){.op = op, .run = run, .free_job = free};
	str_copy(job->dir, sizeof(job->dir), priv->dir);
	/* One that is too long is no digest; an empty one is refused by name. */
	if (digest != NULL && !str_copy(job->digest, sizeof(job->digest), digest))
		job->digest[0] = '\0';
	if (dest != NULL && !str_copy(job->dest, sizeof(job->dest), dest)) {
		free(job);
		op_done(op,
		        answer_make(OUTCOME_ERRORED, SOURCE,
		                    "the folder to unpack into has a name that is too long"),
		        NULL, NULL);
		return;
	}
	answer_run(priv->loop, &job->base);
}

/* --- check ------------------------------------------------------------------------------------- */

static void check_run(void *arg)
{
	struct job *job = arg;
	struct error e;

	job->base.outcome =
	    oci_check(job->dir, &e) == ERR_OK ? outcome_ok() : answer_error(OUTCOME_ERRORED, SOURCE, &e);
}

static void layout_check(void *p, struct op *op) { start(p, check_run, NULL, NULL, op); }

/* --- list -------------------------------------------------------------------------------------- */

struct listing {
	struct job *job;
	struct release *items;   /* RELEASES_MAX */
	struct oci_image *image; /* scratch: it is large */
	int n, n_all, n_bad;
	char first_bad[TEXT_LEN];
};

static bool list_one(void *ctx, const char *digest, const char *ref_name)
{
	struct listing *list = ctx;
	struct error e;

	if (op_cancelled(list->job->base.op))
		return false;
	list->n_all++;
	if (oci_image_read(list->job->dir, digest, ref_name, list->image, &e) == ERR_OK) {
		list->items[list->n++] = list->image->image.release;
	} else if (list->n_bad++ == 0) {
		struct outcome o = answer_error(OUTCOME_FAILED, SOURCE, &e);

		str_copy(list->first_bad, sizeof(list->first_bad), o.text);
	}
	return list->n < RELEASES_MAX;
}

/* Newest first; the digest makes the order total. */
static int release_newer(const void *a, const void *b)
{
	const struct release *x = a, *y = b;

	if (x->built_us != y->built_us)
		return x->built_us > y->built_us ? -1 : 1;
	return strcmp(x->digest, y->digest);
}

static void list_run(void *arg)
{
	struct job *job = arg;
	struct listing list = {.job = job};
	struct release_list *ret = NULL;
	struct error e;

	list.items = calloc(RELEASES_MAX, sizeof(*list.items));
	list.image = malloc(sizeof(*list.image));
	if (list.items == NULL || list.image == NULL) {
		job->base.outcome = answer_make(OUTCOME_ERRORED, SOURCE, "out of memory");
	} else if (oci_index_walk(job->dir, list_one, &list, &e) != ERR_OK) {
		job->base.outcome = answer_error(OUTCOME_ERRORED, SOURCE, &e);
	} else if ((ret = release_list_new(list.n)) == NULL) {
		job->base.outcome = answer_make(OUTCOME_ERRORED, SOURCE, "out of memory");
	} else {
		qsort(list.items, (size_t)list.n, sizeof(*list.items), release_newer);
		memcpy(ret->items, list.items, (size_t)list.n * sizeof(*list.items));
		job->base.outcome = outcome_ok();
		/* One broken image must not hide the others, and must not be hidden by them. */
		if (list.n_bad > 0)
			job->base.outcome =
			    answer_make(OUTCOME_OK, SOURCE, "%d of %d images cannot be used: %s", list.n_bad,
			                list.n_all, list.first_bad);
		job->base.result = ret;
		job->base.free_result = release_list_free;
	}
	free(list.items);
	free(list.image);
}

static void layout_list(void *p, struct op *op) { start(p, list_run, NULL, NULL, op); }

/* --- verify ------------------------------------------------------------------------------------ */

/* Finds the tag under which index.json knows a digest. */
struct tag_search {
	const char *digest;
	char ref_name[TAG_LEN];
};

static bool tag_match(void *ctx, const char *digest, const char *ref_name)
{
	struct tag_search *s = ctx;

	if (strcmp(digest, s->digest) != 0)
		return true;
	text_cleanz(s->ref_name, sizeof(s->ref_name), ref_name);
	return false;
}

/* Reads everything that makes up the image and compares digests and sizes. */
static int image_verify(struct job *job, struct oci_image *image, struct error *e)
{
	struct tag_search search = {.digest = job->digest};
	int rc = oci_check(job->dir, e);

	if (rc != ERR_OK)
		return error_set(e, ERR_IO, "no image layout at %s: %s", job->dir, e->text);
	/* An index that cannot be read costs the tag's name only: the digest names the bytes. */
	if (oci_index_walk(job->dir, tag_match, &search, NULL) != ERR_OK)
		search.ref_name[0] = '\0';
	rc = oci_image_read(job->dir, job->digest, search.ref_name, image, e);
	for (int i = 0; rc == ERR_OK && i < image->n_layers; i++)
		rc = oci_layer_check(job->dir, &image->layers[i], job->base.op, e);
	return rc;
}

static void verify_run(void *arg)
{
	struct job *job = arg;
	struct oci_image *image = malloc(sizeof(*image));
	struct image *ret = malloc(sizeof(*ret));
	struct error e;
	int rc;

	if (image == NULL || ret == NULL) {
		job->base.outcome = answer_make(OUTCOME_ERRORED, SOURCE, "out of memory");
		free(ret);
	} else if ((rc = image_verify(job, image, &e)) != ERR_OK) {
		job->base.outcome = answer_error(answer_kind(rc), SOURCE, &e);
		free(ret);
	} else {
		*ret = image->image;
		job->base.outcome = outcome_ok();
		job->base.result = ret;
		job->base.free_result = free;
	}
	free(image);
}

static void layout_verify(void *p, const char *digest, struct op *op)
{
	start(p, verify_run, digest, NULL, op);
}

/* --- fetch ------------------------------------------------------------------------------------- */

/*
 * Beside the folder DEST lies DEST.image with "image digest\ntree digest\n": what it was unpacked from, and what its
 * bytes were then. A folder without it, or with other bytes, is made anew.
 */
static bool dest_is_whole(const struct job *job)
{
	char path[PATH_LEN], want[DIGEST_LEN * 2 + 2], tree[80];
	struct str have;
	bool whole = false;

	if (snprintf(path, sizeof(path), "%s.image", job->dest) >= (int)sizeof(path))
		return false;
	str_init(&have, sizeof(want));
	if (file_read(path, sizeof(want), &have, NULL) == ERR_OK &&
	    file_tree_digest(job->dest, NULL, tree, NULL) == ERR_OK) {
		snprintf(want, sizeof(want), "%s\n%s\n", job->digest, tree);
		whole = strcmp(want, str_text(&have)) == 0;
	}
	str_release(&have);
	return whole;
}

static int parent_of(const char *path, char parent[PATH_LEN], struct error *e)
{
	char *slash;

	str_copy(parent, PATH_LEN, path);
	slash = strrchr(parent, '/');
	if (path[0] != '/' || slash == parent || slash[1] == '\0')
		return error_set(e, ERR_INVALID, "%s is not a folder to unpack into", path);
	*slash = '\0';
	return ERR_OK;
}

static int dest_swap(const struct job *job, const char *parent, const char *tmp, struct error *e)
{
	char marker[PATH_LEN + 16], text[DIGEST_LEN * 2 + 2], tree[80];
	int rc = file_tree_digest(tmp, NULL, tree, e);

	if (rc != ERR_OK)
		return rc;
	snprintf(marker, sizeof(marker), "%s.image", job->dest);
	if (file_exists(job->dest) && (rc = file_remove_tree(parent, job->dest, e)) != ERR_OK)
		return rc;
	if (fault_point("fetch-before-rename"))
		return error_set(e, ERR_IO, "failpoint");
	if (rename(tmp, job->dest) != 0) {
		int err = errno;

		/* Somebody else unpacked the same image at the same time: theirs is as good. */
		if ((err == ENOTEMPTY || err == EEXIST) && dest_is_whole(job))
			return file_remove_tree(parent, tmp, e);
		return error_set(e, ERR_IO, "cannot put %s in place: %s", job->dest, strerror(err));
	}
	snprintf(text, sizeof(text), "%s\n%s\n", job->digest, tree);
	return file_write(marker, text, strlen(text), 0644, e);
}

static int image_fetch(struct job *job, struct oci_image *image, struct error *e)
{
	char parent[PATH_LEN], tmp[PATH_LEN];
	int rc = parent_of(job->dest, parent, e);

	if (rc == ERR_OK)
		rc = image_verify(job, image, e);
	if (rc != ERR_OK || dest_is_whole(job))
		return rc;
	if (snprintf(tmp, sizeof(tmp), "%s.tmp-%ld", job->dest, (long)getpid()) >= (int)sizeof(tmp))
		return error_set(e, ERR_INVALID, "the name of the folder to unpack into is too long");
	rc = file_mkdirs(parent, 0755, e);
	if (rc == ERR_OK && file_exists(tmp))
		rc = file_remove_tree(parent, tmp, e);
	if (rc != ERR_OK)
		return rc;
	if (mkdir(tmp, 0755) != 0)
		return error_set(e, ERR_IO, "cannot make %s: %s", tmp, strerror(errno));
	rc = oci_unpack(job->dir, image, tmp, job->base.op, e);
	if (rc == ERR_OK)
		rc = dest_swap(job, parent, tmp, e);
	/* What is left half made is not the answer; that it could not be removed neither. */
	if (rc != ERR_OK && file_exists(tmp) && file_remove_tree(parent, tmp, NULL) != ERR_OK)
		error_hint(e, "remove %s", tmp);
	return rc;
}

static void fetch_run(void *arg)
{
	struct job *job = arg;
	struct oci_image *image = malloc(sizeof(*image));
	struct error e;
	int rc;

	if (image == NULL) {
		job->base.outcome = answer_make(OUTCOME_ERRORED, SOURCE, "out of memory");
		return;
	}
	rc = image_fetch(job, image, &e);
	job->base.outcome = rc == ERR_OK ? outcome_ok() : answer_error(answer_kind(rc), SOURCE, &e);
	free(image);
}

static void layout_fetch(void *p, const char *digest, const char *dest, struct op *op)
{
	start(p, fetch_run, digest, dest, op);
}

static const struct option_desc options[] = {
    {.name = "path",
     .type = OPTION_PATH,
     .required = true,
     .text = "Folder of the OCI image layout (oci-layout, index.json, blobs/).",
     .example = "registry/web"},
    {.name = NULL},
};

const struct registry_driver registry_oci_layout = {
    .base =
        {
            .port = PORT_REGISTRY,
            .name = "oci-layout",
            .summary = "images in an OCI image layout on disk, every byte verified",
            .options = options,
            .priv_size = sizeof(struct priv),
            .open = layout_open,
            .check = layout_check,
        },
    .list = layout_list,
    .verify = layout_verify,
    .fetch = layout_fetch,
};
