/* Files: whole reads, atomic writes, modes. These block: call them from workers, at start, or on small local files. */
#ifndef IO_FILE_H
#define IO_FILE_H

#include "core/err.h"
#include "core/str.h"

/* Reads a regular file of at most max bytes into out (NUL-terminated, cleared first). */
int file_read(const char *path, size_t max, struct str *out, struct error *e) MUST_CHECK;
/* Writes path.tmp-PID, fsync, rename, fsync of the folder. */
int file_write(const char *path, const void *bytes, size_t n, int mode, struct error *e) MUST_CHECK;
/* mkdir -p with a mode for the new ones. */
int file_mkdirs(const char *path, int mode, struct error *e) MUST_CHECK;
/* rm -r below a folder that must be inside root; never follows links. */
int file_remove_tree(const char *root, const char *path, struct error *e) MUST_CHECK;
bool file_exists(const char *path);
/* The absolute path of path against dir; always NUL-terminated; ERR_NOMEM if too long. */
int file_join(char *dst, size_t cap, const char *dir, const char *path) MUST_CHECK;
/* Refuses a file that group or others may read (secret) or write (otherwise), or that another user owns. */
int file_check_mode(const char *path, bool secret, struct error *e) MUST_CHECK;
/* Makes link point to target, atomically. */
int file_symlink(const char *target, const char *link, struct error *e) MUST_CHECK;
/*
 * SHA-256 over the sorted list of "path\0mode-x\0size\0sha256\n" of all regular files below dir (links by their
 * target): the identity of unpacked bytes. skip names one top-level entry that does not count (may be NULL).
 */
int file_tree_digest(const char *dir, const char *skip, char ret[80], struct error *e) MUST_CHECK;

/* Folder for state (store, logs): $TOWPATH_STATE, $XDG_STATE_HOME/towpath, ~/.local/state/towpath. Made with 0700. */
int file_state_dir(char *dst, size_t cap, struct error *e) MUST_CHECK;

#endif
