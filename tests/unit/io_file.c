#include "io/file.h"

#include "core/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[64];
static char paths[8][256];

/* A path below the test's folder; slot keeps it. */
static const char *at(int slot, const char *name)
{
	snprintf(paths[slot], sizeof(paths[slot]), "%s/%s", top, name);
	return paths[slot];
}

static int setup(void **state)
{
	UNUSED(state);
	snprintf(top, sizeof(top), "/tmp/towpath-file-XXXXXX");
	return mkdtemp(top) == NULL;
}

static int teardown(void **state)
{
	struct error e;

	UNUSED(state);
	return file_remove_tree("/tmp", top, &e);
}

static void put(const char *path, const char *text, int mode)
{
	struct error e;

	assert_int_equal(file_write(path, text, strlen(text), mode, &e), 0);
}

static int entries(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

static void test_write_and_read(void **state)
{
	struct str s;
	struct stat st;
	struct error e;

	UNUSED(state);
	str_init(&s, 1024);
	put(at(0, "a"), "first", 0600);
	put(at(0, "a"), "second", 0640);
	assert_int_equal(file_read(at(0, "a"), 100, &s, &e), 0);
	assert_string_equal(str_text(&s), "second");
	assert_int_equal(s.len, 6);
	assert_int_equal(stat(at(0, "a"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(entries(top), 1); /* nothing temporary is left */
	put(at(0, "empty"), "", 0600);
	assert_int_equal(file_read(at(0, "empty"), 100, &s, &e), 0);
	assert_string_equal(str_text(&s), "");
	str_release(&s);
}

static void test_read_refuses(void **state)
{
	struct str s;
	struct error e;

	UNUSED(state);
	str_init(&s, 1024);
	assert_int_equal(file_read(at(0, "none"), 100, &s, &e), ERR_NOT_FOUND);
	assert_string_equal(e.where, at(0, "none"));
	assert_int_equal(file_read(top, 100, &s, &e), ERR_INVALID);
	put(at(1, "big"), "12345678901", 0600);
	assert_int_equal(file_read(at(1, "big"), 10, &s, &e), ERR_NOMEM);
	assert_int_equal(file_read(at(1, "big"), 11, &s, &e), 0);
	assert_int_equal(mkfifo(at(2, "pipe"), 0600), 0);
	assert_int_equal(file_read(at(2, "pipe"), 10, &s, &e), ERR_INVALID); /* and does not hang */
	str_release(&s);
}

static void test_write_refuses(void **state)
{
	struct error e;

	UNUSED(state);
	assert_int_equal(file_write(at(0, "no/such/file"), "x", 1, 0600, &e), ERR_NOT_FOUND);
	assert_int_equal(mkdir(at(1, "dir"), 0700), 0);
	assert_int_not_equal(file_write(at(1, "dir"), "x", 1, 0600, &e), 0);
	assert_int_equal(entries(top), 1);
}

static void test_mkdirs(void **state)
{
	struct stat st;
	struct error e;

	UNUSED(state);
	assert_int_equal(file_mkdirs(at(0, "x/y/z"), 0700, &e), 0);
	assert_int_equal(file_mkdirs(at(0, "x/y/z"), 0700, &e), 0);
	assert_int_equal(stat(at(0, "x/y"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	put(at(1, "x/file"), "", 0600);
	assert_int_equal(file_mkdirs(at(1, "x/file"), 0700, &e), ERR_EXISTS);
	assert_int_not_equal(file_mkdirs(at(1, "x/file/below"), 0700, &e), 0);
}

static void test_remove_tree_stays_inside(void **state)
{
	struct error e;

	UNUSED(state);
	assert_int_equal(file_mkdirs(at(0, "root/a/b"), 0700, &e), 0);
	put(at(1, "outside"), "keep", 0600);
	put(at(2, "root/a/b/c"), "x", 0600);
	assert_int_equal(symlink(at(1, "outside"), at(3, "root/a/link")), 0);
	assert_int_equal(symlink(top, at(3, "root/up")), 0);
	assert_int_equal(file_remove_tree(at(4, "root"), at(1, "outside"), &e), ERR_DENIED);
	assert_int_equal(file_remove_tree(at(4, "root"), at(5, "root/../outside"), &e), ERR_DENIED);
	assert_int_equal(file_remove_tree(at(4, "root"), at(5, "root/up/outside"), &e), ERR_DENIED);
	assert_int_equal(file_remove_tree(at(4, "root"), at(5, "root/a/.."), &e), ERR_INVALID);
	assert_int_equal(mkdir(at(5, "root-2"), 0700), 0);
	assert_int_equal(file_mkdirs(at(6, "root-2/sub"), 0700, &e), 0);
	assert_int_equal(file_remove_tree(at(4, "root"), at(6, "root-2/sub"), &e), ERR_DENIED);
	assert_int_equal(file_remove_tree(at(4, "root"), at(0, "root/a"), &e), 0);
	assert_false(file_exists(at(0, "root/a")));
	assert_true(file_exists(at(1, "outside")));
	assert_int_equal(file_remove_tree(at(4, "root"), at(0, "root/a"), &e), 0);
	assert_int_equal(file_remove_tree(at(4, "root"), at(0, "root/up"), &e), 0); /* the link alone */
	assert_true(file_exists(at(1, "outside")));
}

static void test_join(void **state)
{
	char buf[PATH_LEN], small[8];

	UNUSED(state);
	assert_int_equal(file_join(buf, sizeof(buf), "/a/b", "c/d"), 0);
	assert_string_equal(buf, "/a/b/c/d");
	assert_int_equal(file_join(buf, sizeof(buf), "/a/b", "/x"), 0);
	assert_string_equal(buf, "/x");
	assert_int_equal(file_join(buf, sizeof(buf), "/", "x"), 0);
	assert_string_equal(buf, "/x");
	assert_int_equal(file_join(buf, sizeof(buf), "sub", "x"), 0);
	assert_int_equal(buf[0], '/');
	assert_non_null(strstr(buf, "/sub/x"));
	assert_int_equal(file_join(small, sizeof(small), "/a/b", "c/d/e"), ERR_NOMEM);
	assert_string_equal(small, "");
}

static void test_modes(void **state)
{
	struct error e;

	UNUSED(state);
	put(at(0, "f"), "x", 0600);
	assert_int_equal(file_check_mode(at(0, "f"), true, &e), 0);
	assert_int_equal(chmod(at(0, "f"), 0644), 0);
	assert_int_equal(file_check_mode(at(0, "f"), false, &e), 0);
	assert_int_equal(file_check_mode(at(0, "f"), true, &e), ERR_DENIED);
	assert_non_null(strstr(e.hint, "chmod 600"));
	assert_int_equal(chmod(at(0, "f"), 0664), 0);
	assert_int_equal(file_check_mode(at(0, "f"), false, &e), ERR_DENIED);
	assert_non_null(strstr(e.hint, "chmod go-w"));
	assert_int_equal(file_check_mode(at(1, "none"), false, &e), ERR_NOT_FOUND);
	if (geteuid() == 0) {
		assert_int_equal(chmod(at(0, "f"), 0600), 0);
		assert_int_equal(chown(at(0, "f"), 12345, 12345), 0);
		assert_int_equal(file_check_mode(at(0, "f"), true, &e), ERR_DENIED);
	}
}

static void test_symlink_is_replaced(void **state)
{
	char target[64];
	struct error e;
	ssize_t n;

	UNUSED(state);
	assert_int_equal(file_symlink("one", at(0, "link"), &e), 0);
	assert_int_equal(file_symlink("two", at(0, "link"), &e), 0);
	n = readlink(at(0, "link"), target, sizeof(target) - 1);
	assert_int_equal(n, 3);
	target[n] = '\0';
	assert_string_equal(target, "two");
	assert_int_equal(entries(top), 1);
}

static void test_tree_digest(void **state)
{
	char a[80], b[80], hex[65], sum[65], want[80];
	struct sha256 *h = sha256_new();
	struct error e;

	UNUSED(state);
	assert_int_equal(file_mkdirs(at(0, "t/sub"), 0700, &e), 0);
	put(at(1, "t/sub/x"), "hello", 0755);
	put(at(2, "t/b"), "", 0644);
	assert_int_equal(symlink("b", at(3, "t/l")), 0);
	assert_int_equal(file_tree_digest(at(0, "t"), NULL, a, &e), 0);
	/* By the documented form. */
	sha256_of("", 0, sum);
	sha256_add(h,
	           "b\0-\0"
	           "0\0",
	           6);
	sha256_add(h, sum, 64);
	sha256_add(h, "\n", 1);
	sha256_of("b", 1, sum);
	sha256_add(h,
	           "l\0l\0"
	           "1\0",
	           6);
	sha256_add(h, sum, 64);
	sha256_add(h, "\n", 1);
	sha256_of("hello", 5, sum);
	sha256_add(h,
	           "sub/x\0x\0"
	           "5\0",
	           10);
	sha256_add(h, sum, 64);
	sha256_add(h, "\n", 1);
	sha256_hex(h, hex);
	snprintf(want, sizeof(want), "sha256:%s", hex);
	assert_string_equal(a, want);
	/* An entry to skip at the top, and only there. */
	put(at(4, "t/skip"), "z", 0644);
	assert_int_equal(file_tree_digest(at(0, "t"), "skip", b, &e), 0);
	assert_string_equal(a, b);
	put(at(4, "t/sub/skip"), "z", 0644);
	assert_int_equal(file_tree_digest(at(0, "t"), "skip", b, &e), 0);
	assert_string_not_equal(a, b);
	assert_int_equal(file_tree_digest(at(5, "none"), NULL, b, &e), ERR_NOT_FOUND);
}

static void test_tree_digest_sees_each_change(void **state)
{
	char a[80], b[80];
	struct error e;

	UNUSED(state);
	assert_int_equal(file_mkdirs(at(0, "t"), 0700, &e), 0);
	put(at(1, "t/x"), "1", 0644);
	assert_int_equal(file_tree_digest(at(0, "t"), NULL, a, &e), 0);
	put(at(1, "t/x"), "2", 0644);
	assert_int_equal(file_tree_digest(at(0, "t"), NULL, b, &e), 0);
	assert_string_not_equal(a, b);
	put(at(1, "t/x"), "1", 0755);
	assert_int_equal(file_tree_digest(at(0, "t"), NULL, b, &e), 0);
	assert_string_not_equal(a, b);
	put(at(1, "t/x"), "1", 0644);
	assert_int_equal(rename(at(1, "t/x"), at(2, "t/y")), 0);
	assert_int_equal(file_tree_digest(at(0, "t"), NULL, b, &e), 0);
	assert_string_not_equal(a, b);
}

static void test_state_dir(void **state)
{
	char dir[PATH_LEN], want[512];
	struct stat st;
	struct error e;

	UNUSED(state);
	setenv("TOWPATH_STATE", at(0, "s"), 1);
	assert_int_equal(file_state_dir(dir, sizeof(dir), &e), 0);
	assert_string_equal(dir, at(0, "s"));
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	unsetenv("TOWPATH_STATE");
	setenv("XDG_STATE_HOME", at(1, "xdg"), 1);
	assert_int_equal(file_state_dir(dir, sizeof(dir), &e), 0);
	snprintf(want, sizeof(want), "%s/towpath", at(1, "xdg"));
	assert_string_equal(dir, want);
	unsetenv("XDG_STATE_HOME");
	setenv("HOME", at(2, "home"), 1);
	assert_int_equal(file_state_dir(dir, sizeof(dir), &e), 0);
	snprintf(want, sizeof(want), "%s/.local/state/towpath", at(2, "home"));
	assert_string_equal(dir, want);
	unsetenv("HOME");
	assert_int_equal(file_state_dir(dir, sizeof(dir), &e), ERR_NOT_FOUND);
	assert_true(e.hint[0] != '\0');
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_write_and_read),
	    CASE(test_read_refuses),
	    CASE(test_write_refuses),
	    CASE(test_mkdirs),
	    CASE(test_remove_tree_stays_inside),
	    CASE(test_join),
	    CASE(test_modes),
	    CASE(test_symlink_is_replaced),
	    CASE(test_tree_digest),
	    CASE(test_tree_digest_sees_each_change),
	    CASE(test_state_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
