/* A plain folder read as if it were the tree of a commit: for projects that are not in git. */
#include "backends/migrate/tree.h"
#include "core/text.h"
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct folder_reading {
	struct tree *t;
	struct arena *a;
	const char *root;
	enum tree_want (*want)(const char *path, bool is_dir);
	struct error *e;
};

/* One name of a folder. */
struct entry {
	char *name;
	bool is_dir;
};

static int cannot(struct error *e, enum err code, const char *what, const char *path)
{
	char clean[PATH_LEN];

	text_cleanz(clean, sizeof(clean), path);
	return error_set(e, code, "%s %.300s: %s", what, clean, strerror(errno));
}

/* Git's order: by bytes, a folder as if its name ended with a slash. */
static int by_git_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	const size_t n = strlen(x->name), m = strlen(y->name), k = MIN(n, m);
	const int order = memcmp(x->name, y->name, k);
	const unsigned char c = n > k ? (unsigned char)x->name[k] : x->is_dir ? '/' : '\0';
	const unsigned char d = m > k ? (unsigned char)y->name[k] : y->is_dir ? '/' : '\0';

	return order != 0 ? order : (int)c - (int)d;
}

/* "dir/name"; false when it does not fit. */
static bool join(char *dst, size_t cap, const char *dir, const char *name)
{
	const int n = snprintf(dst, cap, "%s%s%s", dir, dir[0] != '\0' && name[0] != '\0' ? "/" : "", name);

	return n >= 0 && (size_t)n < cap;
}

/* Names below path with their kind; links and what is neither file nor folder are left out. */
static int list(struct folder_reading *r, const char *path, struct entry **ret, int *ret_n)
{
	struct entry *entries = NULL;
	char full[PATH_LEN * 2], below[PATH_LEN * 2];
	int n = 0, cap = 0, rc = 0;
	const struct dirent *d;
	DIR *dir;

	if (!join(full, sizeof(full), r->root, path))
		return error_set(r->e, ERR_INVALID, "a path below the folder is too long");
	dir = opendir(full);
	if (dir == NULL)
		return cannot(r->e, errno == ENOENT ? ERR_NOT_FOUND : ERR_INVALID, "cannot read folder",
		              full);
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		struct stat st;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
		    strcmp(d->d_name, ".git") == 0 || !join(below, sizeof(below), full, d->d_name) ||
		    lstat(below, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
			continue;
		if (n >= TREE_FILES_MAX) {
			rc =
			    error_set(r->e, ERR_NOMEM, "more than %d files below the folder", TREE_FILES_MAX);
		} else if (n == cap) {
			cap = MAX(64, cap * 2);
			entries = arena_grow(r->a, entries, (size_t)n, (size_t)cap, sizeof(*entries));
			rc = entries != NULL ? 0 : error_set(r->e, ERR_NOMEM, "out of memory");
		}
		if (rc == 0)
			entries[n++] = (struct entry){arena_strdup(r->a, d->d_name), S_ISDIR(st.st_mode)};
	}
	closedir(dir);
	if (rc == 0 && arena_failed(r->a))
		rc = error_set(r->e, ERR_NOMEM, "out of memory");
	if (rc == 0 && n > 0)
		qsort(entries, (size_t)n, sizeof(*entries), by_git_order);
	*ret = entries;
	*ret_n = n;
	return rc;
}

int tree_folder_bytes(struct tree *t, struct arena *a, struct tree_file *f, struct error *e)
{
	char full[PATH_LEN * 2];
	struct str text;
	int rc = ERR_INVALID;

	str_init(&text, TREE_FILE_MAX);
	if (join(full, sizeof(full), t->folder, f->path))
		rc = file_read(full, TREE_FILE_MAX, &text, e);
	t->bytes += text.len;
	if (rc == 0 && t->bytes > TREE_BYTES_MAX)
		rc = error_set(e, ERR_NOMEM, "migration files are larger than %d MiB",
		               TREE_BYTES_MAX / (1024 * 1024));
	if (rc == 0) {
		char *bytes = arena_alloc(a, text.len + 1);

		if (bytes != NULL && text.len > 0)
			memcpy(bytes, text.data, text.len);
		f->bytes = bytes;
		f->n = text.len;
		rc = bytes != NULL ? 0 : error_set(e, ERR_NOMEM, "out of memory");
	}
	str_release(&text);
	return rc;
}

static int walk(struct folder_reading *r, const char *prefix, int depth)
{
	struct entry *entries = NULL;
	int n = 0, rc;

	if (depth > TREE_DEPTH_MAX)
		return 0;
	rc = list(r, prefix, &entries, &n);
	for (int i = 0; rc == 0 && i < n; i++) {
		const bool is_dir = entries[i].is_dir;
		struct tree_file *f;
		char path[PATH_LEN];
		enum tree_want want;

		if (!join(path, sizeof(path), prefix, entries[i].name))
			continue;
		want = r->want(path, is_dir);
		if (want == TREE_SKIP)
			continue;
		rc = tree_add(r->t, r->a, path, is_dir, &f, r->e);
		if (rc == 0 && !is_dir && want == TREE_READ)
			rc = tree_folder_bytes(r->t, r->a, f, r->e);
		if (rc == 0 && is_dir)
			rc = walk(r, path, depth + 1);
	}
	return rc;
}

int tree_read_folder(struct tree *t, struct arena *a, const char *folder,
                     enum tree_want (*want)(const char *path, bool is_dir), struct error *e)
{
	struct folder_reading r = {.t = t, .a = a, .root = folder, .want = want, .e = e};

	*t = (struct tree){.folder = arena_strdup(a, folder)};
	return t->folder != NULL ? walk(&r, "", 0) : error_set(e, ERR_NOMEM, "out of memory");
}
