/* Any bytes as a layer: nothing that comes out may leave the image or pass a limit. */
#include "backends/registry/tar.h"
#include "tests/fuzz/fuzz.h"

static int64_t left;

static int on_entry(void *ctx, const struct tar_entry *entry, struct error *e)
{
	char again[PATH_LEN];

	UNUSED(ctx);
	HOLDS(entry->path[0] != '\0' && entry->path[0] != '/');
	HOLDS(tar_path(entry->path, strlen(entry->path), again, e) == ERR_OK &&
	      strcmp(again, entry->path) == 0);
	HOLDS(entry->kind != TAR_SYMLINK || tar_target_stays(entry->path, entry->target));
	HOLDS(entry->kind != TAR_HARDLINK || (entry->target[0] != '/' && entry->target[0] != '\0'));
	HOLDS(entry->size_bytes >= 0 && (entry->kind == TAR_FILE || entry->size_bytes == 0));
	left = entry->size_bytes;
	return ERR_OK;
}

static int on_bytes(void *ctx, const void *bytes, size_t n, struct error *e)
{
	UNUSED(ctx);
	UNUSED(bytes);
	UNUSED(e);
	left -= (int64_t)n;
	HOLDS(left >= 0);
	return ERR_OK;
}

static int on_end(void *ctx, struct error *e)
{
	UNUSED(ctx);
	UNUSED(e);
	HOLDS(left == 0);
	return ERR_OK;
}

/* The first byte says in which pieces the rest is pushed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct tar_sink sink = {NULL, on_entry, on_bytes, on_end};
	struct tar_budget budget = {1000, 1 << 20};
	struct tar *t = tar_new(&sink, &budget);
	struct error e;
	size_t piece = size > 0 ? (size_t)data[0] * 3 + 1 : 1;
	int rc = ERR_OK;

	if (t == NULL)
		return 0;
	for (size_t at = 1; rc == ERR_OK && at < size; at += piece)
		rc = tar_push(t, data + at, MIN(piece, size - at), &e);
	if (rc == ERR_OK)
		rc = tar_end(t, &e);
	HOLDS(rc == ERR_OK || e.text[0] != '\0');
	tar_free(t);
	return 0;
}
