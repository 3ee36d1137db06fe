#define _GNU_SOURCE /* flock() */
#include "backends/deploy/place.h"

#include "core/jv.h"
#include "core/text.h"
#include "core/time.h"
#include "io/fault.h"
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANIFEST_BYTES_MAX = 16 * 1024, NAME_HEX = 16, COPY_CHUNK = 64 * 1024 };

static int fail(struct error *e, const char *path, const char *what)
{
	int err = errno;

	error_set(e, ERR_IO, "%s: %s", what, strerror(err));
	error_at(e, path, 0, 0);
	if (err == ENOSPC)
		error_hint(e, "the disk is full: df -h");
	return ERR_IO;
}

static int path_make(char dst[PATH_LEN], const char *root, const char *a, const char *b, struct error *e)
{
	int n = snprintf(dst, PATH_LEN, "%s/%s%s%s", root, a, b[0] != '\0' ? "/" : "", b);

	return n < PATH_LEN ? ERR_OK : error_set(e, ERR_NOMEM, "the path of the host's root is too long");
}

int place_folder(const char *digest, char dst[32], struct error *e)
{
	if (strncmp(digest, "sha256:", 7) != 0 || strlen(digest) != 71 ||
	    strspn(digest + 7, "0123456789abcdef") != 64)
		return error_set(e, ERR_INVALID, "the release has no image digest");
	memcpy(dst, digest + 7, NAME_HEX);
	dst[NAME_HEX] = '\0';
	return ERR_OK;
}

/* --- release.json ------------------------------------------------------------------------------ */

static void time_field(const struct jv *v, const char *key, int64_t *ret)
{
	const char *s = jv_get_text(v, key, "");

	if (time_parse_iso(s, strlen(s), ret) != ERR_OK)
		*ret = 0;
}

static int manifest_read(const char *root, const char *name, struct place_release *ret, struct error *e)
{
	char path[PATH_LEN], folder[32];
	struct arena a;
	struct str bytes;
	struct jv *v = NULL;
	int rc = snprintf(path, sizeof(path), "%s/releases/%s/" PLACE_MANIFEST, root, name) < PATH_LEN
	             ? ERR_OK
	             : error_set(e, ERR_NOMEM, "the path of the host's root is too long");

	memset(ret, 0, sizeof(*ret));
	arena_init(&a, 1024 * 1024);
	str_init(&bytes, MANIFEST_BYTES_MAX);
	if (rc == ERR_OK)
		rc = file_read(path, MANIFEST_BYTES_MAX, &bytes, e);
	if (rc == ERR_OK)
		rc = jv_parse(&a, str_text(&bytes), bytes.len, &v, e);
	if (rc == ERR_OK) {
		text_cleanz(ret->release.digest, sizeof(ret->release.digest), jv_get_text(v, "digest", ""));
		text_cleanz(ret->release.revision, sizeof(ret->release.revision),
		            jv_get_text(v, "revision", ""));
		text_cleanz(ret->release.tag, sizeof(ret->release.tag), jv_get_text(v, "tag", ""));
		text_cleanz(ret->files, sizeof(ret->files), jv_get_text(v, "files", ""));
		time_field(v, "built", &ret->release.built_us);
		time_field(v, "staged_at", &ret->staged_us);
		str_copy(ret->name, sizeof(ret->name), name);
		/* The folder is keyed by the digest: a manifest that was swapped or edited shows. */
		if (place_folder(ret->release.digest, folder, e) != ERR_OK || strcmp(folder, name) != 0 ||
		    ret->files[0] == '\0')
			rc = error_set(e, ERR_CORRUPT,
			               PLACE_MANIFEST " of releases/%s does not belong to that folder", name);
	}
	str_release(&bytes);
	arena_release(&a);
	return rc;
}

static int manifest_write(const char *dir, const struct place_release *p, struct error *e)
{
	char path[PATH_LEN], at[40];
	struct arena a;
	struct jv *v;
	struct str text;
	int rc;

	if (snprintf(path, sizeof(path), "%s/" PLACE_MANIFEST, dir) >= PATH_LEN)
		return error_set(e, ERR_NOMEM, "the path of the host's root is too long");
	arena_init(&a, 1024 * 1024);
	str_init(&text, MANIFEST_BYTES_MAX);
	v = jv_obj(&a);
	jv_set_str(&a, v, "digest", p->release.digest);
	jv_set_str(&a, v, "revision", p->release.revision);
	jv_set_str(&a, v, "tag", p->release.tag);
	if (p->release.built_us != 0) {
		time_iso(at, sizeof(at), p->release.built_us, false);
		jv_set_str(&a, v, "built", at);
	}
	jv_set_str(&a, v, "files", p->files);
	time_iso(at, sizeof(at), p->staged_us, true);
	jv_set_str(&a, v, "staged_at", at);
	jv_print(v, JV_PRETTY, &text);
	str_addc(&text, '\n');
	if (arena_failed(&a) || text.failed)
		rc = error_set(e, ERR_NOMEM, "out of memory");
	else
		rc = file_write(path, text.data, text.len, 0644, e);
	str_release(&text);
	arena_release(&a);
	return rc;
}

/* --- looking ----------------------------------------------------------------------------------- */

static void mix(uint64_t *h, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		*h = (*h ^ p[i]) * UINT64_C(0x100000001b3);
}

/*
 * What a tree looks like without reading its files: any write moves a change time, which nobody can set back.
 * Entries are added up, for the order of a folder is not fixed. Takes fd.
 */
static int tree_look(int fd, uint64_t seen[2], int depth)
{
	DIR *d = fdopendir(fd);
	int rc = 0;

	if (d == NULL) {
		close(fd);
		return -1;
	}
	for (struct dirent *ent; rc == 0 && (ent = readdir(d)) != NULL;) {
		uint64_t h = UINT64_C(0xcbf29ce484222325);
		struct stat st;

		if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(d), ent->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
			rc = -1;
			break;
		}
		mix(&h, ent->d_name, strlen(ent->d_name));
		mix(&h, &depth, sizeof(depth));
		mix(&h, &st.st_ino, sizeof(st.st_ino));
		mix(&h, &st.st_mode, sizeof(st.st_mode));
		mix(&h, &st.st_size, sizeof(st.st_size));
		mix(&h, &st.st_ctim, sizeof(st.st_ctim));
		mix(&h, &st.st_mtim, sizeof(st.st_mtim));
		seen[0] += h;
		seen[1] ^= h * UINT64_C(0x9e3779b97f4a7c15);
		if (S_ISDIR(st.st_mode)) {
			int sub = depth > TREE_DEPTH_MAX
			              ? -1
			              : openat(dirfd(d), ent->d_name,
			                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			rc = sub < 0 ? -1 : tree_look(sub, seen, depth + 1);
		}
	}
	closedir(d);
	return rc;
}

static int tree_digest(const char *dir, struct place_cache *cache, struct error *e)
{
	uint64_t seen[2] = {0, 0};
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0 || tree_look(fd, seen, 0) != 0)
		return fail(e, dir, "cannot look at the release's files");
	if (cache->tree[0] != '\0' && strcmp(cache->dir, dir) == 0 && seen[0] == cache->seen[0] &&
	    seen[1] == cache->seen[1])
		return ERR_OK;
	cache->tree[0] = '\0';
	rc = file_tree_digest(dir, PLACE_MANIFEST, cache->tree, e);
	if (rc != ERR_OK) {
		cache->tree[0] = '\0';
		return rc;
	}
	str_copy(cache->dir, sizeof(cache->dir), dir);
	memcpy(cache->seen, seen, sizeof(seen));
	return ERR_OK;
}

static int known_read(const char *root, struct place *p, struct error *e)
{
	char dir[PATH_LEN];
	DIR *d;
	int rc = path_make(dir, root, "releases", "", e);

	if (rc != ERR_OK)
		return rc;
	d = opendir(dir);
	if (d == NULL)
		return errno == ENOENT ? ERR_OK : fail(e, dir, "cannot read the releases");
	for (struct dirent *ent; p->n_known < HOST_RELEASES_MAX && (ent = readdir(d)) != NULL;)
		if (strlen(ent->d_name) == NAME_HEX && strspn(ent->d_name, "0123456789abcdef") == NAME_HEX &&
		    manifest_read(root, ent->d_name, &p->known[p->n_known], NULL) == ERR_OK)
			p->n_known++;
	closedir(d);
	return ERR_OK;
}

/* The name below releases/ that a link points at; "" where it is no link of ours. */
static int link_read(const char *root, const char *link, char target[PATH_LEN], int64_t *ret_us,
                     struct error *e)
{
	char path[PATH_LEN];
	struct stat st;
	ssize_t n;
	int rc = path_make(path, root, link, "", e);

	target[0] = '\0';
	if (rc != ERR_OK)
		return rc;
	n = readlink(path, target, PATH_LEN - 1);
	if (n < 0 && errno == ENOENT) {
		target[0] = '\0';
		return ERR_OK;
	}
	if (n < 0) {
		target[0] = '\0';
		return fail(e, path, errno == EINVAL ? "not a link" : "cannot read the link");
	}
	target[n] = '\0';
	if (ret_us != NULL && lstat(path, &st) == 0)
		*ret_us = st.st_mtim.tv_sec * US_PER_S + st.st_mtim.tv_nsec / 1000;
	return ERR_OK;
}

static void say(struct place *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say(struct place *p, const char *fmt, ...)
{
	char raw[PATH_LEN + TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text_cleanz(p->text, sizeof(p->text), raw);
}

static int current_read(const char *root, struct place *p, struct place_cache *cache, struct error *e)
{
	char dir[PATH_LEN];
	const char *name = p->link;
	struct error why = {0};
	int rc = link_read(root, "current", p->link, &p->since_us, e);

	if (rc != ERR_OK || p->link[0] == '\0')
		return rc;
	if (strncmp(name, "releases/", 9) != 0 || strchr(name + 9, '/') != NULL || name[9] == '.' ||
	    name[9] == '\0') {
		say(p, "current points at %s, which is no release", p->link);
		return ERR_OK;
	}
	name += 9;
	for (int i = 0; i < p->n_known; i++)
		if (strcmp(p->known[i].name, name) == 0)
			p->current = i;
	if (p->current < 0) {
		struct place_release unused;

		if (strlen(name) < sizeof(unused.name) &&
		    manifest_read(root, name, &unused, &why) != ERR_OK && why.code != ERR_NOT_FOUND)
			say(p, "current: %s", why.text);
		else
			say(p, "current points at %s, which is not there", p->link);
		return ERR_OK;
	}
	rc = path_make(dir, root, "releases", name, e);
	if (rc == ERR_OK && tree_digest(dir, cache, &why) != ERR_OK)
		say(p, "the files of current cannot be read: %s", why.text);
	else if (rc == ERR_OK && strcmp(cache->tree, p->known[p->current].files) != 0)
		say(p, "the files of %s (%s) were changed after they were put there",
		    p->known[p->current].release.tag, p->link);
	return rc;
}

int place_read(const char *root, struct place *ret, struct place_cache *cache, struct error *e)
{
	struct stat st;
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->current = -1;
	if (stat(root, &st) != 0)
		return errno == ENOENT ? ERR_OK : fail(e, root, "cannot look at the host's root");
	if (!S_ISDIR(st.st_mode)) {
		error_set(e, ERR_IO, "the host's root is not a folder");
		error_at(e, root, 0, 0);
		return ERR_IO;
	}
	rc = known_read(root, ret, e);
	return rc == ERR_OK ? current_read(root, ret, cache, e) : rc;
}

const struct place_release *place_find(const struct place *p, const char *digest)
{
	for (int i = 0; i < p->n_known; i++)
		if (strcmp(p->known[i].release.digest, digest) == 0)
			return &p->known[i];
	return NULL;
}

/* --- staging ----------------------------------------------------------------------------------- */

static int file_copy(int from_dir, int to_dir, const char *name, mode_t mode, char *buf)
{
	int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int to = from < 0 ? -1
	                  : openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	                           (mode & 0111) != 0 ? 0755 : 0644);
	ssize_t n = to < 0 ? -1 : 1;

	while (n > 0) {
		char *p = buf;

		n = read(from, buf, COPY_CHUNK);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		for (ssize_t left = n; left > 0;) {
			ssize_t w = write(to, p, (size_t)left);

			if (w < 0 && errno == EINTR)
				continue;
			if (w < 0) {
				n = -1;
				break;
			}
			p += w;
			left -= w;
		}
	}
	if (n == 0 && fsync(to) != 0)
		n = -1;
	if (from >= 0)
		close(from);
	if (to >= 0 && close(to) != 0)
		n = -1;
	return n == 0 ? 0 : -1;
}

/* Copies a tree of files, folders and links; takes both descriptors. */
static int tree_copy(int from, int to, char *buf, int depth)
{
	DIR *d = fdopendir(from);
	int rc = 0;

	if (d == NULL)
		close(from);
	if (depth > TREE_DEPTH_MAX) {
		errno = ELOOP;
		rc = -1;
	}
	for (struct dirent *ent; d != NULL && rc == 0 && (ent = readdir(d)) != NULL;) {
		const char *name = ent->d_name;
		char target[PATH_LEN];
		struct stat st;
		ssize_t n;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
			rc = -1;
		} else if (S_ISDIR(st.st_mode)) {
			int sub_from =
			    openat(dirfd(d), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			int sub_to = mkdirat(to, name, 0755) != 0
			                 ? -1
			                 : openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (sub_from >= 0 && sub_to >= 0) {
				rc = tree_copy(sub_from, sub_to, buf, depth + 1);
			} else {
				if (sub_from >= 0)
					close(sub_from);
				if (sub_to >= 0)
					close(sub_to);
				rc = -1;
			}
		} else if (S_ISLNK(st.st_mode)) {
			n = readlinkat(dirfd(d), name, target, sizeof(target) - 1);
			if (n >= 0)
				target[n] = '\0';
			rc = n < 0 ? -1 : symlinkat(target, to, name);
		} else if (S_ISREG(st.st_mode)) {
			rc = file_copy(dirfd(d), to, name, st.st_mode, buf);
		} else {
			errno = EINVAL;
			rc = -1;
		}
	}
	if (d != NULL)
		closedir(d);
	else
		rc = -1;
	if (rc == 0 && fsync(to) != 0)
		rc = -1;
	close(to);
	return rc;
}

/* True when the folder holds that release and its bytes are those that were put there. */
static bool staged_already(const char *root, const char *name, const char *dir, const struct release *release)
{
	struct place_release p;
	char tree[80];

	return manifest_read(root, name, &p, NULL) == ERR_OK &&
	       strcmp(p.release.digest, release->digest) == 0 &&
	       file_tree_digest(dir, PLACE_MANIFEST, tree, NULL) == ERR_OK && strcmp(tree, p.files) == 0;
}

static int folder_copy(const char *image_dir, const char *tmp, struct error *e)
{
	char *buf = malloc(COPY_CHUNK);
	int from, to;

	if (buf == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	if (mkdir(tmp, 0755) != 0) {
		free(buf);
		return fail(e, tmp, "cannot make the release folder");
	}
	from = open(image_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0 || to < 0 || tree_copy(from, to, buf, 0) != 0) {
		free(buf);
		return fail(e, from < 0 ? image_dir : tmp, "cannot copy the image's files");
	}
	free(buf);
	return ERR_OK;
}

static int release_make(const char *root, const char *name, const char *dir, const struct release *release,
                        const char *image_dir, int64_t now_us, struct error *e)
{
	struct place_release p = {.release = *release, .staged_us = now_us};
	char tmp[PATH_LEN], tmp_name[64], tree[80];
	int rc;

	if (image_dir == NULL || image_dir[0] == '\0') {
		error_set(e, ERR_NOT_FOUND, "release %s is not on the host and no image was fetched",
		          release->tag[0] != '\0' ? release->tag : name);
		error_hint(e, "give the service a registry that has the image");
		return ERR_NOT_FOUND;
	}
	if (snprintf(tmp, sizeof(tmp), "%s/" PLACE_MANIFEST, image_dir) < PATH_LEN && file_exists(tmp)) {
		error_set(e, ERR_INVALID,
		          "the image has a " PLACE_MANIFEST
		          " at its top, which is where the host keeps its own");
		error_hint(e, "move that file into a folder of the image");
		return ERR_INVALID;
	}
	snprintf(tmp_name, sizeof(tmp_name), ".%s.tmp", name);
	if ((rc = path_make(tmp, root, "releases", tmp_name, e)) != ERR_OK ||
	    (file_exists(tmp) && (rc = file_remove_tree(root, tmp, e)) != ERR_OK) ||
	    (rc = file_tree_digest(image_dir, PLACE_MANIFEST, tree, e)) != ERR_OK ||
	    (rc = folder_copy(image_dir, tmp, e)) != ERR_OK ||
	    (rc = file_tree_digest(tmp, PLACE_MANIFEST, p.files, e)) != ERR_OK)
		return rc;
	if (strcmp(tree, p.files) != 0)
		return error_set(e, ERR_CORRUPT, "the copy of the image's files differs from them");
	if ((rc = manifest_write(tmp, &p, e)) != ERR_OK ||
	    (file_exists(dir) && (rc = file_remove_tree(root, dir, e)) != ERR_OK))
		return rc;
	if (fault_point("stage-before-rename"))
		return error_set(e, ERR_IO, "failpoint");
	return rename(tmp, dir) == 0 ? ERR_OK : fail(e, dir, "cannot put the release in place");
}

static int by_staged(const void *a, const void *b)
{
	const struct place_release *x = a, *y = b;

	if (x->staged_us != y->staged_us)
		return x->staged_us > y->staged_us ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* What cannot be removed stays for the next time: the release is in place already. */
static void prune(const char *root, const char *keep_a, const char *keep_b, int keep)
{
	struct place *p = malloc(sizeof(*p));
	char dir[PATH_LEN];
	int left = keep;

	if (p == NULL)
		return;
	p->n_known = 0;
	if (known_read(root, p, NULL) == ERR_OK) {
		qsort(p->known, (size_t)p->n_known, sizeof(p->known[0]), by_staged);
		for (int i = 0; i < p->n_known; i++) {
			const char *name = p->known[i].name;

			left--;
			if (left >= 0 || strcmp(name, keep_a) == 0 || strcmp(name, keep_b) == 0)
				continue;
			if (path_make(dir, root, "releases", name, NULL) != ERR_OK ||
			    file_remove_tree(root, dir, NULL) != ERR_OK)
				break;
		}
	}
	free(p);
}

static int link_swap(const char *root, const char *name, char previous[PATH_LEN], struct error *e)
{
	char target[PATH_LEN], link[PATH_LEN], now[PATH_LEN];
	int rc = link_read(root, "current", now, NULL, e);

	if (rc != ERR_OK)
		return rc;
	snprintf(target, sizeof(target), "releases/%s", name);
	if (strcmp(now, target) == 0)
		return link_read(root, "previous", previous, NULL, e);
	str_copy(previous, PATH_LEN, now);
	if (now[0] != '\0' && ((rc = path_make(link, root, "previous", "", e)) != ERR_OK ||
	                       (rc = file_symlink(now, link, e)) != ERR_OK))
		return rc;
	if (fault_point("stage-before-link"))
		return error_set(e, ERR_IO, "failpoint");
	if ((rc = path_make(link, root, "current", "", e)) != ERR_OK)
		return rc;
	return file_symlink(target, link, e);
}

static int stage_locked(const char *root, const struct release *release, const char *image_dir, int keep,
                        int64_t now_us, struct error *e)
{
	char name[32], dir[PATH_LEN], previous[PATH_LEN] = "";
	struct place_release there;
	int rc;

	if ((rc = place_folder(release->digest, name, e)) != ERR_OK ||
	    (rc = path_make(dir, root, "releases", name, e)) != ERR_OK)
		return rc;
	if (manifest_read(root, name, &there, NULL) == ERR_OK &&
	    strcmp(there.release.digest, release->digest) != 0)
		return error_set(e, ERR_CONFLICT, "releases/%s belongs to another image", name);
	if (!staged_already(root, name, dir, release) &&
	    (rc = release_make(root, name, dir, release, image_dir, now_us, e)) != ERR_OK)
		return rc;
	rc = link_swap(root, name, previous, e);
	if (rc == ERR_OK)
		prune(root, name, strncmp(previous, "releases/", 9) == 0 ? previous + 9 : "", keep);
	return rc;
}

int place_stage(const char *root, const struct release *release, const char *image_dir, int keep,
                int64_t now_us, struct error *e)
{
	char path[PATH_LEN];
	int lock, rc;

	if ((rc = path_make(path, root, "releases", "", e)) != ERR_OK ||
	    (rc = file_mkdirs(path, 0755, e)) != ERR_OK ||
	    (rc = path_make(path, root, ".lock", "", e)) != ERR_OK)
		return rc;
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (lock < 0)
		return fail(e, path, "cannot lock the place");
	if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
		close(lock);
		error_set(e, ERR_TIMEOUT, "somebody else puts a release there right now");
		error_at(e, root, 0, 0);
		return ERR_TIMEOUT;
	}
	rc = stage_locked(root, release, image_dir, keep, now_us, e);
	close(lock);
	return rc;
}
