/* The registry port: laws for every driver, then what oci-layout sees when its folder changes behind its back. */
#include "backends/drivers.h"
#include "core/port/registry.h"
#include "core/text.h"
#include "io/file.h"
#include "tests/lib/ocibuild.h"
#include "tests/lib/porttest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	struct loop *loop;
	char dir[PATH_LEN], dest[PATH_LEN], outside[PATH_LEN];
	struct ocibuild b;
	struct opened o;
	char v1[DIGEST_LEN], v2[DIGEST_LEN];
};

static const struct registry_driver *driver_of(struct world *w)
{
	return (const struct registry_driver *)w->o.driver;
}

static int world_make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char options[PATH_LEN * 2], base[PATH_LEN];

	assert_non_null(w);
	w->loop = loop_new(NULL);
	folder_make(base);
	snprintf(w->dir, sizeof(w->dir), "%.900s/registry", base);
	snprintf(w->dest, sizeof(w->dest), "%.900s/unpacked/web", base);
	snprintf(w->outside, sizeof(w->outside), "%.900s", base);
	ocibuild_init(&w->b, w->dir);
	ocibuild_file(&w->b, "app/server", "#!/bin/sh\necho one\n", 0755);
	ocibuild_file(&w->b, "app/readme.txt", "first\n", 0644);
	ocibuild_tar_end(&w->b);
	ocibuild_layer(&w->b, true);
	ocibuild_image(&w->b, "v1", "1.0.0", "aaaa1111", "2026-01-01T00:00:00Z", w->v1);
	ocibuild_file(&w->b, "app/server", "#!/bin/sh\necho two\n", 0755);
	ocibuild_file(&w->b, "app/old.txt", "goes\n", 0644);
	ocibuild_file(&w->b, "cache/a", "a\n", 0644);
	ocibuild_entry(&w->b, '2', "app/link", "readme.txt", NULL, 0, 0777);
	ocibuild_tar_end(&w->b);
	ocibuild_layer(&w->b, false);
	ocibuild_file(&w->b, "app/.wh.old.txt", "", 0644);
	ocibuild_file(&w->b, "cache/b", "b\n", 0644);
	ocibuild_file(&w->b, "cache/.wh..wh..opq", "", 0644);
	ocibuild_tar_end(&w->b);
	ocibuild_layer(&w->b, true);
	ocibuild_image(&w->b, "v2", "2.0.0", "bbbb2222", "2026-02-01T00:00:00Z", w->v2);
	snprintf(options, sizeof(options), "{\"path\": \"%s\"}", w->dir);
	driver_open(&w->o, w->loop, &registry_oci_layout.base, options, NULL);
	*state = w;
	return 0;
}

static int world_end(void **state)
{
	struct world *w = *state;

	driver_close(&w->o);
	ocibuild_release(&w->b);
	folder_remove(w->outside);
	loop_free(w->loop);
	free(w);
	return 0;
}

static struct outcome verify(struct world *w, const char *digest, struct image *ret)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, w->loop, 20 * US_PER_S);

	driver_of(w)->verify(w->o.priv, digest, op);
	answer_wait(&a);
	if (a.result != NULL && ret != NULL)
		*ret = *(struct image *)a.result;
	assert_int_equal(a.result != NULL, a.outcome.kind == OUTCOME_OK);
	free(a.result);
	return a.outcome;
}

static struct outcome fetch(struct world *w, const char *digest)
{
	struct answer a = {0};
	struct op *op = answer_op(&a, w->loop, 20 * US_PER_S);

	driver_of(w)->fetch(w->o.priv, digest, w->dest, op);
	answer_wait(&a);
	return a.outcome;
}

static struct release_list *list(struct world *w, struct outcome *o)
{
	struct answer a = {.keep = true};
	struct op *op = answer_op(&a, w->loop, 20 * US_PER_S);

	driver_of(w)->list(w->o.priv, op);
	answer_wait(&a);
	*o = a.outcome;
	return a.result;
}

/* --- laws ---------------------------------------------------------------------------------------- */

static struct world *law; /* what the plain functions below ask about */

static void law_check(void *priv, struct op *op) { registry_oci_layout.base.check(priv, op); }
static void law_list(void *priv, struct op *op) { registry_oci_layout.list(priv, op); }
static void law_verify(void *priv, struct op *op) { registry_oci_layout.verify(priv, law->v1, op); }
static void law_verify_none(void *priv, struct op *op)
{
	registry_oci_layout.verify(priv, "no digest \033[31m", op);
}
static void law_fetch(void *priv, struct op *op) { registry_oci_layout.fetch(priv, law->v2, law->dest, op); }
static void null_list(void *priv, struct op *op) { registry_null.list(priv, op); }
static void null_verify(void *priv, struct op *op) { registry_null.verify(priv, "sha256:0", op); }
static void null_fetch(void *priv, struct op *op) { registry_null.fetch(priv, "sha256:0", "/nowhere", op); }

static void keeps_the_laws(void **state)
{
	static const struct slot_call calls[] = {
	    {"oci-layout check", law_check},   {"oci-layout list", law_list},
	    {"oci-layout verify", law_verify}, {"oci-layout verify of nothing", law_verify_none},
	    {"oci-layout fetch", law_fetch},
	};
	static const struct slot_call nulls[] = {
	    {"null list", null_list}, {"null verify", null_verify}, {"null fetch", null_fetch}};
	struct opened o;

	law = *state;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		slot_laws(law->loop, law->o.priv, &calls[i], false);
	driver_open(&o, law->loop, &registry_null.base, "{}", NULL);
	for (size_t i = 0; i < ARRAY_LEN(nulls); i++)
		slot_laws(law->loop, o.priv, &nulls[i], true);
	driver_close(&o);
}

/* --- what is listed ------------------------------------------------------------------------------ */

static void lists_newest_first(void **state)
{
	struct world *w = *state;
	struct outcome o;
	struct release_list *l = list(w, &o);

	assert_int_equal(o.kind, OUTCOME_OK);
	assert_int_equal(l->n_items, 2);
	assert_string_equal(l->items[0].tag, "2.0.0");
	assert_string_equal(l->items[0].revision, "bbbb2222");
	assert_string_equal(l->items[0].digest, w->v2);
	assert_string_equal(l->items[1].tag, "1.0.0");
	assert_true(l->items[0].built_us > l->items[1].built_us && l->items[1].built_us > 0);
	release_list_free(l);
}

static void hostile_labels_come_out_clean(void **state)
{
	struct world *w = *state;
	char digest[DIGEST_LEN];
	struct outcome o;
	struct release_list *l;

	ocibuild_file(&w->b, "x", "x", 0644);
	ocibuild_tar_end(&w->b);
	ocibuild_layer(&w->b, true);
	ocibuild_image(&w->b, "v\033]0;evil\007", "3.0\033[2J\r\n", "cccc\xe2\x80\xae",
	               "2026-03-01T00:00:00Z", digest);
	l = list(w, &o);
	assert_int_equal(o.kind, OUTCOME_OK);
	assert_int_equal(l->n_items, 3);
	for (int i = 0; i < l->n_items; i++) {
		assert_true(text_is_clean(l->items[i].tag, strlen(l->items[i].tag)));
		assert_true(text_is_clean(l->items[i].revision, strlen(l->items[i].revision)));
	}
	assert_non_null(strstr(l->items[0].tag, "<ESC>"));
	release_list_free(l);
}

static void one_broken_image_does_not_hide_the_others(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN];
	struct outcome o;
	struct release_list *l;

	ocibuild_blob_path(&w->b, w->v1, path);
	file_flip(path, 3);
	l = list(w, &o);
	assert_int_equal(o.kind, OUTCOME_OK);
	assert_int_equal(l->n_items, 1);
	assert_string_equal(l->items[0].digest, w->v2);
	assert_non_null(strstr(o.text, "1 of 2"));
	assert_non_null(strstr(o.text, w->v1));
	release_list_free(l);
}

static void a_corrupt_index_is_an_error_not_an_empty_list(void **state)
{
	static const char *const bad[] = {"",
	                                  "{",
	                                  "[]",
	                                  "{\"schemaVersion\":2}",
	                                  "{\"schemaVersion\":1,\"manifests\":[]}",
	                                  "{\"schemaVersion\":2,\"manifests\":[],\"manifests\":[]}",
	                                  "\xff"};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct outcome o;

		file_put(w->dir, "index.json", bad[i]);
		assert_null(list(w, &o));
		assert_int_equal(o.kind, OUTCOME_ERRORED);
		assert_non_null(strstr(o.text, "index.json"));
	}
	/* The bytes are named by digest: they can still be verified. */
	assert_int_equal(verify(w, w->v1, NULL).kind, OUTCOME_OK);
}

static void a_missing_layout_is_an_error(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN];
	struct outcome o;

	snprintf(path, sizeof(path), "%.900s/oci-layout", w->dir);
	assert_int_equal(unlink(path), 0);
	assert_null(list(w, &o));
	assert_int_equal(o.kind, OUTCOME_ERRORED);
	o = verify(w, w->v1, NULL);
	assert_int_equal(o.kind, OUTCOME_ERRORED);
}

/* --- verify -------------------------------------------------------------------------------------- */

static void verifies_every_byte(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN];
	struct image image;
	struct outcome o = verify(w, w->v2, &image);
	struct stat st;

	assert_int_equal(o.kind, OUTCOME_OK);
	assert_string_equal(image.release.tag, "2.0.0");
	assert_string_equal(image.release.digest, w->v2);
	assert_true(image.size_bytes > 4096);
	/* Each byte of the layer, at a few places of it. */
	ocibuild_blob_path(&w->b, w->b.last_layer, path);
	assert_int_equal(stat(path, &st), 0);
	for (long at = 0; at < st.st_size; at += st.st_size / 5 + 1) {
		file_flip(path, at);
		o = verify(w, w->v2, NULL);
		assert_int_equal(o.kind, OUTCOME_FAILED);
		assert_non_null(strstr(o.text, w->b.last_layer));
		file_flip(path, at);
	}
	assert_int_equal(verify(w, w->v2, NULL).kind, OUTCOME_OK);
}

static void a_missing_or_cut_layer_fails_by_name(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN];
	struct outcome o;

	ocibuild_blob_path(&w->b, w->b.last_layer, path);
	assert_int_equal(truncate(path, 100), 0);
	o = verify(w, w->v2, NULL);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, "100 bytes"));
	assert_int_equal(unlink(path), 0);
	o = verify(w, w->v2, NULL);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, w->b.last_layer));
	assert_true(o.hint[0] != '\0');
	/* A link to the right bytes is still not the blob. */
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_not_equal(verify(w, w->v2, NULL).kind, OUTCOME_OK);
}

static void an_unknown_digest_fails(void **state)
{
	struct world *w = *state;

	assert_int_equal(
	    verify(w, "sha256:0000000000000000000000000000000000000000000000000000000000000000", NULL).kind,
	    OUTCOME_FAILED);
	assert_int_equal(verify(w, "", NULL).kind, OUTCOME_FAILED);
	assert_int_equal(verify(w, "sha256:../../../../etc/passwd", NULL).kind, OUTCOME_FAILED);
	assert_int_equal(verify(w, "sha512:00", NULL).kind, OUTCOME_FAILED);
}

static void an_index_of_images_is_refused_clearly(void **state)
{
	static const char index[] =
	    "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
	    "\"manifests\":[]}";
	struct world *w = *state;
	char digest[DIGEST_LEN];
	struct outcome o;
	struct release_list *l;

	ocibuild_blob(&w->b, index, strlen(index), digest);
	ocibuild_index_add(&w->b, digest, strlen(index), "application/vnd.oci.image.index.v1+json", "multi");
	o = verify(w, digest, NULL);
	assert_int_equal(o.kind, OUTCOME_UNSUPPORTED);
	assert_non_null(strstr(o.text, "index"));
	l = list(w, &o);
	assert_int_equal(l->n_items, 2);
	assert_non_null(strstr(o.text, "1 of 3"));
	release_list_free(l);
}

static void malformed_manifests_are_refused(void **state)
{
	static const char *const bad[] = {
	    "{}",
	    "[]",
	    "not json",
	    "{\"schemaVersion\":2}",
	    "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:00\",\"size\":1},\"layers\":[]}",
	    "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:00\",\"size\":1},\"layers\":[{}]}",
	    "{\"schemaVersion\":2,\"config\":7,\"layers\":{}}",
	    "{\"schemaVersion\":1,\"name\":\"x\",\"fsLayers\":[]}",
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char digest[DIGEST_LEN];

		ocibuild_blob(&w->b, bad[i], strlen(bad[i]), digest);
		assert_int_equal(verify(w, digest, NULL).kind, OUTCOME_FAILED);
	}
}

/* --- fetch --------------------------------------------------------------------------------------- */

static void fetch_applies_layers_and_whiteouts(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN];
	struct stat st;

	assert_int_equal(fetch(w, w->v2).kind, OUTCOME_OK);
	assert_string_equal(file_text(w->dest, "app/server"), "#!/bin/sh\necho two\n");
	assert_string_equal(file_text(w->dest, "cache/b"), "b\n");
	snprintf(path, sizeof(path), "%.900s/app/server", w->dest);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0100, 0100);
	snprintf(path, sizeof(path), "%.900s/app/old.txt", w->dest);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%.900s/cache/a", w->dest);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%.900s/cache/.wh..wh..opq", w->dest);
	assert_int_equal(access(path, F_OK), -1);
}

static void fetch_is_keyed_and_repairs(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN];
	struct stat a, b;

	assert_int_equal(fetch(w, w->v1).kind, OUTCOME_OK);
	assert_int_equal(stat(w->dest, &a), 0);
	assert_int_equal(fetch(w, w->v1).kind, OUTCOME_OK);
	assert_int_equal(stat(w->dest, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	/* Somebody edits an unpacked file: the folder is made anew. */
	file_put(w->dest, "app/readme.txt", "edited\n");
	assert_int_equal(fetch(w, w->v1).kind, OUTCOME_OK);
	assert_string_equal(file_text(w->dest, "app/readme.txt"), "first\n");
	/* Another image into the same folder replaces it whole. */
	assert_int_equal(fetch(w, w->v2).kind, OUTCOME_OK);
	snprintf(path, sizeof(path), "%.900s/app/readme.txt", w->dest);
	assert_int_equal(access(path, F_OK), -1);
}

static void corrupt_bytes_never_appear(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN], parent[PATH_LEN];
	struct outcome o;

	ocibuild_blob_path(&w->b, w->b.last_layer, path);
	file_flip(path, 40);
	o = fetch(w, w->v2);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, w->b.last_layer));
	assert_int_equal(access(w->dest, F_OK), -1);
	/* An older whole folder stays as it was. */
	assert_int_equal(fetch(w, w->v1).kind, OUTCOME_OK);
	assert_int_equal(fetch(w, w->v2).kind, OUTCOME_FAILED);
	assert_string_equal(file_text(w->dest, "app/server"), "#!/bin/sh\necho one\n");
	snprintf(parent, sizeof(parent), "%.900s/unpacked", w->outside);
	assert_int_equal(access(parent, F_OK), 0);
}

/* Makes an image of one layer that holds what the test put there, and fetches it. */
static struct outcome fetch_layer(struct world *w)
{
	char digest[DIGEST_LEN];

	ocibuild_layer(&w->b, false);
	ocibuild_image(&w->b, "odd", "9", "ffff", "2026-03-01T00:00:00Z", digest);
	return fetch(w, digest);
}

static void expect_refused(struct world *w, const char *why)
{
	struct outcome o;

	ocibuild_tar_end(&w->b);
	o = fetch_layer(w);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	if (strstr(o.text, why) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", why, o.text);
	assert_int_equal(access(w->dest, F_OK), -1);
}

static void entries_that_would_leave_are_refused(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN];

	ocibuild_file(&w->b, "../evil", "x", 0644);
	expect_refused(w, "..");
	ocibuild_file(&w->b, "a/../../evil", "x", 0644);
	expect_refused(w, "..");
	ocibuild_file(&w->b, "/etc/evil", "x", 0644);
	expect_refused(w, "absolute");
	ocibuild_entry(&w->b, '2', "a", "/etc", NULL, 0, 0777);
	expect_refused(w, "leaves");
	ocibuild_entry(&w->b, '2', "a", "../..", NULL, 0, 0777);
	expect_refused(w, "leaves");
	/* Lexically inside, truly outside: "up" is the root, "up/.." is above it. */
	ocibuild_entry(&w->b, '2', "d/e/up", "../..", NULL, 0, 0777);
	ocibuild_entry(&w->b, '2', "z", "d/e/up/..", NULL, 0, 0777);
	expect_refused(w, "leaves");
	ocibuild_entry(&w->b, '1', "a", "../../etc/passwd", NULL, 0, 0644);
	expect_refused(w, "..");
	ocibuild_entry(&w->b, '1', "a", "/etc/passwd", NULL, 0, 0644);
	expect_refused(w, "absolute");
	/* Through a link of the same archive. */
	ocibuild_entry(&w->b, '5', "real", NULL, NULL, 0, 0755);
	ocibuild_entry(&w->b, '2', "via", "real", NULL, 0, 0777);
	ocibuild_file(&w->b, "via/evil", "x", 0644);
	expect_refused(w, "through a link");
	ocibuild_entry(&w->b, '2', "s", "real", NULL, 0, 0777);
	ocibuild_entry(&w->b, '1', "h", "s", NULL, 0, 0644);
	expect_refused(w, "link");
	snprintf(path, sizeof(path), "%.900s/evil", w->outside);
	assert_int_equal(access(path, F_OK), -1);
}

static void odd_archives_are_refused(void **state)
{
	struct world *w = *state;
	struct outcome o;

	ocibuild_entry(&w->b, '3', "dev", NULL, NULL, 0, 0644);
	expect_refused(w, "device");
	ocibuild_entry(&w->b, '6', "pipe", NULL, NULL, 0, 0644);
	expect_refused(w, "fifo");
	ocibuild_entry(&w->b, 'Z', "odd", NULL, NULL, 0, 0644);
	expect_refused(w, "unknown type");
	ocibuild_file(&w->b, "a\033[31m", "x", 0644);
	expect_refused(w, "control character");
	/* A header that promises far more than there may be. */
	ocibuild_entry(&w->b, '0', "bomb", NULL, NULL, 077777777777, 0644);
	expect_refused(w, "MiB");
	/* Cut in the middle of a file. */
	ocibuild_entry(&w->b, '0', "half", NULL, NULL, 2000, 0644);
	o = fetch_layer(w);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(o.text, "middle"));
	/* Not a tar at all. */
	for (int i = 0; i < 1000; i++)
		str_add(&w->b.tar, "lorem ipsum ");
	o = fetch_layer(w);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_int_equal(access(w->dest, F_OK), -1);
	/* Something behind the end. */
	ocibuild_tar_end(&w->b);
	ocibuild_file(&w->b, "late", "x", 0644);
	expect_refused(w, "behind the end");
}

static void a_wrong_diff_id_is_refused(void **state)
{
	struct world *w = *state;
	char digest[DIGEST_LEN];
	struct outcome o;

	ocibuild_file(&w->b, "x", "x", 0644);
	ocibuild_tar_end(&w->b);
	ocibuild_layer(&w->b, true);
	str_clear(&w->b.diff_ids);
	str_add(&w->b.diff_ids,
	        "\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"");
	ocibuild_image(&w->b, "liar", "9", "ffff", "2026-03-01T00:00:00Z", digest);
	o = fetch(w, digest);
	assert_int_equal(o.kind, OUTCOME_FAILED);
	assert_int_equal(access(w->dest, F_OK), -1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)
	const struct CMUnitTest tests[] = {
	    T(keeps_the_laws),
	    T(lists_newest_first),
	    T(hostile_labels_come_out_clean),
	    T(one_broken_image_does_not_hide_the_others),
	    T(a_corrupt_index_is_an_error_not_an_empty_list),
	    T(a_missing_layout_is_an_error),
	    T(verifies_every_byte),
	    T(a_missing_or_cut_layer_fails_by_name),
	    T(an_unknown_digest_fails),
	    T(an_index_of_images_is_refused_clearly),
	    T(malformed_manifests_are_refused),
	    T(fetch_applies_layers_and_whiteouts),
	    T(fetch_is_keyed_and_repairs),
	    T(corrupt_bytes_never_appear),
	    T(entries_that_would_leave_are_refused),
	    T(odd_archives_are_refused),
	    T(a_wrong_diff_id_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
