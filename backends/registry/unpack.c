#include "backends/registry/unpack.h"

#include "core/str.h"
#include "core/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

struct unpack {
	int root;
	int file;            /* being written, -1: none */
	char path[PATH_LEN]; /* of file, for messages */
	struct tar_sink whiteouts, content;
};

static int fail(struct error *e, const char *path, const char *what)
{
	char clean[TEXT_LEN / 2];
	int err = errno;

	text_cleanz(clean, sizeof(clean), path);
	if (err == ELOOP || err == ENOTDIR)
		return error_set(e, ERR_INVALID,
		                 "layer refused: %s: a path that goes through a link or a file", clean);
	return error_set(e, ERR_IO, "%s %s: %s", what, clean, strerror(err));
}

/*
 * Opens the folder that holds the last name of path, making missing ones where asked; *ret_name points at that
 * name. Each component is opened by itself without following links. -1 with errno.
 */
static int parent_open(int root, const char *path, bool make, const char **ret_name)
{
	int dir = dup(root);
	const char *part = path;

	if (dir < 0)
		return -1;
	fcntl(dir, F_SETFD, FD_CLOEXEC);
	for (const char *slash; (slash = strchr(part, '/')) != NULL; part = slash + 1) {
		char name[PATH_LEN];
		int next;

		memcpy(name, part, (size_t)(slash - part));
		name[slash - part] = '\0';
		if (make && mkdirat(dir, name, 0755) != 0 && errno != EEXIST) {
			close(dir);
			return -1;
		}
		next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(dir);
		if (next < 0)
			return -1;
		dir = next;
	}
	*ret_name = part;
	return dir;
}

static int tree_remove(int dir, const char *name, int depth);

/* Empties the folder behind the descriptor, which it closes. */
static int folder_empty(int fd, int depth)
{
	DIR *d = fdopendir(fd);
	int rc = 0;

	if (d == NULL) {
		close(fd);
		return -1;
	}
	for (struct dirent *ent; rc == 0 && (ent = readdir(d)) != NULL;)
		if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
			rc = tree_remove(dirfd(d), ent->d_name, depth + 1);
	closedir(d);
	return rc;
}

/* Removes name below dir with all below it; what is not there is removed. */
static int tree_remove(int dir, const char *name, int depth)
{
	struct stat st;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISDIR(st.st_mode))
		return unlinkat(dir, name, 0);
	if (depth > 2 * TREE_DEPTH_MAX) {
		errno = ELOOP;
		return -1;
	}
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || folder_empty(fd, depth) != 0)
		return -1;
	return unlinkat(dir, name, AT_REMOVEDIR);
}

/* A whiteout removes what lower layers left; its own layer's content comes in the second reading. */
static int whiteout_entry(void *ctx, const struct tar_entry *entry, struct error *e)
{
	struct unpack *u = ctx;
	const char *name = strrchr(entry->path, '/');
	int dir, rc;

	name = name != NULL ? name + 1 : entry->path;
	if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) != 0)
		return ERR_OK;
	dir = parent_open(u->root, entry->path, false, &name);
	if (dir < 0)
		return errno == ENOENT ? ERR_OK : fail(e, entry->path, "cannot remove");
	if (strcmp(name, OPAQUE) == 0) {
		rc = folder_empty(dir, 0);
	} else {
		const char *hidden = name + strlen(WHITEOUT);

		if (hidden[0] == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0) {
			close(dir);
			return error_set(e, ERR_INVALID, "layer refused: a whiteout of nothing");
		}
		rc = tree_remove(dir, hidden, 0);
		close(dir);
	}
	return rc == 0 ? ERR_OK : fail(e, entry->path, "cannot remove");
}

static int whiteout_bytes(void *ctx, const void *bytes, size_t n, struct error *e)
{
	UNUSED(ctx);
	UNUSED(bytes);
	UNUSED(n);
	UNUSED(e);
	return ERR_OK;
}

static int whiteout_end(void *ctx, struct error *e)
{
	UNUSED(ctx);
	UNUSED(e);
	return ERR_OK;
}

static int link_make(struct unpack *u, int dir, const char *name, const struct tar_entry *entry)
{
	const char *last;
	int from, rc = -1;
	struct stat st;

	if (entry->kind == TAR_SYMLINK)
		return symlinkat(entry->target, dir, name);
	from = parent_open(u->root, entry->target, false, &last);
	if (from < 0)
		return -1;
	if (fstatat(from, last, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISREG(st.st_mode))
			rc = linkat(from, last, dir, name, 0);
		else
			errno = ELOOP;
	}
	close(from);
	return rc;
}

static int content_entry(void *ctx, const struct tar_entry *entry, struct error *e)
{
	struct unpack *u = ctx;
	const char *name = strrchr(entry->path, '/');
	int dir, rc = 0;

	name = name != NULL ? name + 1 : entry->path;
	u->file = -1;
	if (strncmp(name, WHITEOUT, strlen(WHITEOUT)) == 0)
		return ERR_OK;
	dir = parent_open(u->root, entry->path, true, &name);
	if (dir < 0)
		return fail(e, entry->path, "cannot make the folder of");
	if (entry->kind == TAR_DIR) {
		struct stat st;

		/* A folder keeps what it has; anything else with its name goes. */
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
			rc = unlinkat(dir, name, 0);
		if (rc == 0 && mkdirat(dir, name, 0755) != 0 && errno != EEXIST)
			rc = -1;
	} else {
		/* Also so that a write never lands in a file that another name shares. */
		rc = tree_remove(dir, name, 0);
		if (rc == 0 && entry->kind == TAR_FILE) {
			u->file = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			                 entry->executable ? 0755 : 0644);
			rc = u->file >= 0 ? 0 : -1;
			str_copy(u->path, sizeof(u->path), entry->path);
		} else if (rc == 0) {
			rc = link_make(u, dir, name, entry);
		}
	}
	if (rc != 0)
		rc = fail(e, entry->path, "cannot unpack");
	close(dir);
	return rc;
}

static int content_bytes(void *ctx, const void *bytes, size_t n, struct error *e)
{
	struct unpack *u = ctx;
	const char *p = bytes;

	if (u->file < 0)
		return ERR_OK;
	while (n > 0) {
		ssize_t w = write(u->file, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return fail(e, u->path, "cannot write");
		p += w;
		n -= (size_t)w;
	}
	return ERR_OK;
}

static int content_end(void *ctx, struct error *e)
{
	struct unpack *u = ctx;
	int file = u->file;

	u->file = -1;
	if (file >= 0 && close(file) != 0)
		return fail(e, u->path, "cannot write");
	return ERR_OK;
}

struct unpack *unpack_new(const char *dir, struct error *e)
{
	struct unpack *u = calloc(1, sizeof(*u));

	if (u == NULL) {
		error_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	u->file = -1;
	u->root = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (u->root < 0) {
		fail(e, dir, "cannot open");
		free(u);
		return NULL;
	}
	u->whiteouts = (struct tar_sink){u, whiteout_entry, whiteout_bytes, whiteout_end};
	u->content = (struct tar_sink){u, content_entry, content_bytes, content_end};
	return u;
}

void unpack_free(struct unpack *u)
{
	if (u == NULL)
		return;
	if (u->file >= 0)
		close(u->file);
	close(u->root);
	free(u);
}

const struct tar_sink *unpack_whiteouts(struct unpack *u) { return &u->whiteouts; }

const struct tar_sink *unpack_content(struct unpack *u) { return &u->content; }
