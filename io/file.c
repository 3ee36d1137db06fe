#include "io/file.h"

#include "core/sha256.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_CHUNK = 64 * 1024 };

static int error_of(struct error *e, const char *path, const char *what)
{
	int err = errno;
	enum err code = ERR_IO;

	if (err == ENOENT || err == ENOTDIR)
		code = ERR_NOT_FOUND;
	else if (err == EACCES || err == EPERM || err == EROFS || err == ELOOP)
		code = ERR_DENIED;
	else if (err == EEXIST)
		code = ERR_EXISTS;
	error_set(e, code, "%s: %s", what, strerror(err));
	error_at(e, path, 0, 0);
	if (err == EACCES || err == EPERM)
		error_hint(e, "see who owns it: ls -ld");
	else if (err == ENOSPC)
		error_hint(e, "the disk is full: df -h");
	else if (err == ELOOP)
		error_hint(e, "it is a symbolic link, which is not followed here");
	return code;
}

static int too_long(struct error *e, const char *path)
{
	error_set(e, ERR_NOMEM, "the path is longer than %d bytes", PATH_LEN - 1);
	error_at(e, path, 0, 0);
	return ERR_NOMEM;
}

/* All bytes of fd into out; more than max is ERR_NOMEM. */
static int read_all(int fd, const char *path, size_t max, struct str *out, struct error *e)
{
	char *chunk = malloc(READ_CHUNK);
	int rc = 0;

	if (chunk == NULL)
		return error_set(e, ERR_NOMEM, "no memory to read a file");
	for (;;) {
		ssize_t n = read(fd, chunk, READ_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = error_of(e, path, "cannot read");
		if (n <= 0)
			break;
		if (out->len + (size_t)n > max) {
			rc = error_set(e, ERR_NOMEM, "larger than %zu bytes", max);
			error_at(e, path, 0, 0);
			break;
		}
		str_addn(out, chunk, (size_t)n);
		if (out->failed) {
			rc = error_set(e, ERR_NOMEM, "no memory for %zu bytes", out->len + (size_t)n);
			error_at(e, path, 0, 0);
			break;
		}
	}
	free(chunk);
	return rc;
}

int file_read(const char *path, size_t max, struct str *out, struct error *e)
{
	struct stat st;
	int fd, rc;

	/* O_NONBLOCK: a named pipe must not hang us before it is refused. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return error_of(e, path, "cannot open");
	if (fstat(fd, &st) != 0) {
		rc = error_of(e, path, "cannot look at");
	} else if (!S_ISREG(st.st_mode)) {
		rc = error_set(e, ERR_INVALID, "is no regular file");
		error_at(e, path, 0, 0);
	} else {
		str_clear(out);
		rc = read_all(fd, path, max, out, e);
		if (rc != 0)
			str_clear(out);
		else if (out->data == NULL)
			str_addn(out, "", 0);
	}
	close(fd);
	return rc;
}

static int folder_of(char *dst, size_t cap, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - path);

	if (n >= cap)
		return ERR_NOMEM;
	if (slash == NULL) {
		memcpy(dst, ".", 2);
	} else if (n == 0) {
		memcpy(dst, "/", 2);
	} else {
		memcpy(dst, path, n);
		dst[n] = '\0';
	}
	return 0;
}

/* A rename is only kept over a power loss once its folder is on disk too. */
static int folder_sync(const char *path, struct error *e)
{
	char dir[PATH_LEN];
	int fd, rc = 0;

	if (folder_of(dir, sizeof(dir), path) != 0)
		return too_long(e, path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_of(e, dir, "cannot open the folder");
	if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
		rc = error_of(e, dir, "cannot sync the folder");
	close(fd);
	return rc;
}

static int write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

int file_write(const char *path, const void *bytes, size_t n, int mode, struct error *e)
{
	char tmp[PATH_LEN];
	int fd, rc = 0;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.tmp-%ld", path, (long)getpid()) >= sizeof(tmp))
		return too_long(e, path);
	unlink(tmp); /* left by a process of the same number that was killed */
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
	if (fd < 0)
		return error_of(e, tmp, "cannot create");
	if (fchmod(fd, (mode_t)mode) != 0 || write_all(fd, bytes, n) != 0 || fsync(fd) != 0)
		rc = error_of(e, tmp, "cannot write");
	if (close(fd) != 0 && rc == 0)
		rc = error_of(e, tmp, "cannot write");
	if (rc == 0 && rename(tmp, path) != 0)
		rc = error_of(e, path, "cannot replace");
	if (rc != 0) {
		unlink(tmp);
		return rc;
	}
	return folder_sync(path, e);
}

int file_mkdirs(const char *path, int mode, struct error *e)
{
	char buf[PATH_LEN];
	struct stat st;

	if (!str_copy(buf, sizeof(buf), path))
		return too_long(e, path);
	for (char *p = buf + 1; buf[0] != '\0'; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(buf, (mode_t)mode) != 0 && errno != EEXIST)
			return error_of(e, buf, "cannot make the folder");
		*p = c;
		if (c == '\0')
			break;
	}
	if (stat(path, &st) != 0)
		return error_of(e, path, "cannot make the folder");
	if (!S_ISDIR(st.st_mode)) {
		error_set(e, ERR_EXISTS, "is no folder");
		error_at(e, path, 0, 0);
		return ERR_EXISTS;
	}
	return 0;
}

/* Removes name below the folder fd, whatever it is. Links are removed, not followed. */
static int remove_at(int fd, const char *name, const char *path, int depth, struct error *e)
{
	struct dirent *d;
	DIR *dir;
	int sub, rc = 0;

	if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return error_of(e, path, "cannot remove");
	if (depth > TREE_DEPTH_MAX)
		return error_set(e, ERR_NOMEM, "folders are nested deeper than %d", TREE_DEPTH_MAX);
	sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return error_of(e, path, "cannot open the folder");
	dir = fdopendir(sub);
	if (dir == NULL) {
		close(sub);
		return error_of(e, path, "cannot open the folder");
	}
	while (rc == 0 && (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			rc = remove_at(dirfd(dir), d->d_name, path, depth + 1, e);
	closedir(dir);
	if (rc == 0 && unlinkat(fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		rc = error_of(e, path, "cannot remove the folder");
	return rc;
}

int file_remove_tree(const char *root, const char *path, struct error *e)
{
	char real_root[PATH_LEN], real_dir[PATH_LEN], dir[PATH_LEN], *r;
	const char *name = strrchr(path, '/');
	size_t n;
	int fd, rc;

	name = name == NULL ? path : name + 1;
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		error_set(e, ERR_INVALID, "names no entry that could be removed");
		error_at(e, path, 0, 0);
		return ERR_INVALID;
	}
	if (folder_of(dir, sizeof(dir), path) != 0)
		return too_long(e, path);
	/* The true folders are compared, so neither ".." nor a link leads out of root. */
	for (int i = 0; i < 2; i++) {
		r = realpath(i == 0 ? root : dir, NULL);
		if (r == NULL)
			return i == 1 && errno == ENOENT ? 0
			                                 : error_of(e, i == 0 ? root : dir, "cannot resolve");
		if (!str_copy(i == 0 ? real_root : real_dir, PATH_LEN, r)) {
			free(r);
			return too_long(e, path);
		}
		free(r);
	}
	n = strlen(real_root);
	if (strncmp(real_dir, real_root, n) != 0 || (n > 1 && real_dir[n] != '\0' && real_dir[n] != '/')) {
		error_set(e, ERR_DENIED, "lies outside of %s", real_root);
		error_at(e, path, 0, 0);
		return ERR_DENIED;
	}
	fd = open(real_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_of(e, dir, "cannot open the folder");
	rc = remove_at(fd, name, path, 0, e);
	close(fd);
	return rc;
}

bool file_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

int file_join(char *dst, size_t cap, const char *dir, const char *path)
{
	char here[PATH_LEN] = "";
	int n;

	if (path[0] != '/' && dir[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		here[0] = '\0';
	if (path[0] == '/')
		n = snprintf(dst, cap, "%s", path);
	else if (dir[0] == '\0' || strcmp(dir, ".") == 0)
		n = snprintf(dst, cap, "%s/%s", here, path);
	else
		n = snprintf(dst, cap, "%s%s%s/%s", here, here[0] != '\0' ? "/" : "",
		             strcmp(dir, "/") == 0 ? "" : dir, path);
	if (n < 0 || (size_t)n >= cap) {
		if (cap > 0)
			dst[0] = '\0';
		return ERR_NOMEM;
	}
	return 0;
}

int file_check_mode(const char *path, bool secret, struct error *e)
{
	struct stat st;
	mode_t bad = secret ? S_IRWXG | S_IRWXO : S_IWGRP | S_IWOTH;

	if (stat(path, &st) != 0)
		return error_of(e, path, "cannot look at");
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		error_set(e, ERR_DENIED, "belongs to another user (uid %lu)", (unsigned long)st.st_uid);
		error_at(e, path, 0, 0);
		error_hint(e, "it must be yours or root's");
		return ERR_DENIED;
	}
	if ((st.st_mode & bad) != 0) {
		error_set(e, ERR_DENIED, "others may %s it (mode %04o)", secret ? "read" : "write",
		          (unsigned)(st.st_mode & 07777));
		error_at(e, path, 0, 0);
		error_hint(e, "chmod %s %.300s", secret ? "600" : "go-w", path);
		return ERR_DENIED;
	}
	return 0;
}

int file_symlink(const char *target, const char *link, struct error *e)
{
	char tmp[PATH_LEN];

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.tmp-%ld", link, (long)getpid()) >= sizeof(tmp))
		return too_long(e, link);
	unlink(tmp);
	if (symlink(target, tmp) != 0)
		return error_of(e, tmp, "cannot make the link");
	if (rename(tmp, link) != 0) {
		int rc = error_of(e, link, "cannot replace the link");

		unlink(tmp);
		return rc;
	}
	return folder_sync(link, e);
}

/* --- digest of a tree ----------------------------------------------------------------------------------- */
struct tree {
	char **lines;
	size_t n, cap;
	struct error *e;
};

static int tree_add(struct tree *t, const char *line)
{
	if (t->n == t->cap) {
		size_t cap = t->cap == 0 ? 64 : t->cap * 2;
		char **more = realloc(t->lines, cap * sizeof(*more));

		if (more == NULL)
			return error_set(t->e, ERR_NOMEM, "no memory for %zu files", cap);
		t->lines = more;
		t->cap = cap;
	}
	t->lines[t->n] = strdup(line);
	if (t->lines[t->n] == NULL)
		return error_set(t->e, ERR_NOMEM, "no memory for a file name");
	t->n++;
	return 0;
}

static int file_sha(int fd, const char *path, char hex[65], struct error *e)
{
	struct sha256 *h = sha256_new();
	char *chunk = malloc(READ_CHUNK);
	ssize_t n = 0;
	int rc = 0;

	if (h == NULL || chunk == NULL)
		rc = error_set(e, ERR_NOMEM, "no memory for a digest");
	while (rc == 0 && (n = read(fd, chunk, READ_CHUNK)) != 0) {
		if (n > 0)
			sha256_add(h, chunk, (size_t)n);
		else if (errno != EINTR)
			rc = error_of(e, path, "cannot read");
	}
	free(chunk);
	if (rc == 0)
		sha256_hex(h, hex);
	else
		sha256_free(h);
	return rc;
}

/* One line per file. The path comes first, and a NUL cannot be in a string: it is put back when hashing (\1). */
static int tree_entry(struct tree *t, int fd, const char *name, const char *rel, const struct stat *st)
{
	char hex[65], target[PATH_LEN], line[PATH_LEN + 160];
	int64_t size = st->st_size;
	int rc;

	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(fd, name, target, sizeof(target));

		if (n < 0)
			return error_of(t->e, rel, "cannot read the link");
		sha256_of(target, (size_t)n, hex);
		size = n;
	} else {
		int file = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

		if (file < 0)
			return error_of(t->e, rel, "cannot open");
		rc = file_sha(file, rel, hex, t->e);
		close(file);
		if (rc != 0)
			return rc;
	}
	snprintf(line, sizeof(line), "%s%c%c%c%lld%c%s\n", rel, 1,
	         S_ISLNK(st->st_mode)           ? 'l'
	         : (st->st_mode & S_IXUSR) != 0 ? 'x'
	                                        : '-',
	         1, (long long)size, 1, hex);
	return tree_add(t, line);
}

static int tree_walk(struct tree *t, int fd, const char *rel, const char *skip, int depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *d;
	int rc = 0;

	if (dir == NULL) {
		close(fd);
		return error_of(t->e, rel, "cannot open the folder");
	}
	if (depth > TREE_DEPTH_MAX)
		rc = error_set(t->e, ERR_NOMEM, "folders are nested deeper than %d", TREE_DEPTH_MAX);
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		char path[PATH_LEN];
		struct stat st;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (skip != NULL && strcmp(d->d_name, skip) == 0)
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s%s%s", rel, rel[0] != '\0' ? "/" : "",
		                     d->d_name) >= sizeof(path)) {
			rc = too_long(t->e, rel);
		} else if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
			rc = error_of(t->e, path, "cannot look at");
		} else if (S_ISDIR(st.st_mode)) {
			int sub =
			    openat(dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			rc = sub < 0 ? error_of(t->e, path, "cannot open the folder")
			             : tree_walk(t, sub, path, NULL, depth + 1);
		} else if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) {
			rc = tree_entry(t, dirfd(dir), d->d_name, path, &st);
		}
	}
	closedir(dir);
	return rc;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int file_tree_digest(const char *dir, const char *skip, char ret[80], struct error *e)
{
	struct tree t = {.e = e};
	struct sha256 *h;
	int fd, rc;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_of(e, dir, "cannot open the folder");
	rc = tree_walk(&t, fd, "", skip, 0);
	h = rc == 0 ? sha256_new() : NULL;
	if (rc == 0 && h == NULL)
		rc = error_set(e, ERR_NOMEM, "no memory for a digest");
	if (rc == 0) {
		qsort(t.lines, t.n, sizeof(*t.lines), by_bytes);
		for (size_t i = 0; i < t.n; i++) {
			char *p = t.lines[i];
			size_t n = strlen(p), marks = 0;

			/* The last three \1 are ours; one in a file name stays. */
			for (size_t k = n; k > 0 && marks < 3; k--)
				if (p[k - 1] == 1) {
					p[k - 1] = '\0';
					marks++;
				}
			sha256_add(h, p, n);
		}
		memcpy(ret, "sha256:", 7);
		sha256_hex(h, ret + 7);
	}
	for (size_t i = 0; i < t.n; i++)
		free(t.lines[i]);
	free(t.lines);
	return rc;
}

int file_state_dir(char *dst, size_t cap, struct error *e)
{
	static const struct {
		const char *var, *below;
	} places[] = {
	    {"TOWPATH_STATE", ""}, {"XDG_STATE_HOME", "/towpath"}, {"HOME", "/.local/state/towpath"}};
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const char *v = getenv(places[i].var);
		char dir[PATH_LEN];

		if (v == NULL || v[0] != '/')
			continue;
		if ((size_t)snprintf(dir, sizeof(dir), "%s%s", v, places[i].below) >= sizeof(dir) ||
		    strlen(dir) >= cap)
			return too_long(e, v);
		rc = file_mkdirs(dir, 0700, e);
		if (rc != 0)
			return rc;
		memcpy(dst, dir, strlen(dir) + 1);
		return 0;
	}
	error_set(e, ERR_NOT_FOUND, "no folder for state: HOME is not set");
	error_hint(e, "set TOWPATH_STATE to a folder of yours");
	return ERR_NOT_FOUND;
}
