/* Secrets by reference: sources, modes, links, limits; the value never in an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/towpath-secret-XXXXXX");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int drop_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static const char *put(const char *name, const char *bytes, size_t n, mode_t mode)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fwrite(bytes, 1, n, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static int read_ref(enum secret_source source, const char *name, const char *const *argv, struct str *s,
                    struct error *e)
{
	struct secret_ref ref = {.source = source, .name = name, .argv = argv};

	memset(e, 0, sizeof(*e));
	str_init(s, 1024);
	return secret_read(&ref, dir, s, e);
}

static void from_environment(void **state)
{
	struct str s;
	struct error e;

	(void)state;
	setenv("TOWPATH_TEST_SECRET", "hunter2\n", 1);
	assert_int_equal(read_ref(SECRET_ENV, "TOWPATH_TEST_SECRET", NULL, &s, &e), 0);
	assert_string_equal(str_text(&s), "hunter2");
	str_release(&s);
	setenv("TOWPATH_TEST_SECRET", "", 1);
	assert_int_equal(read_ref(SECRET_ENV, "TOWPATH_TEST_SECRET", NULL, &s, &e), ERR_NOT_FOUND);
	unsetenv("TOWPATH_TEST_SECRET");
	assert_int_equal(read_ref(SECRET_ENV, "TOWPATH_TEST_SECRET", NULL, &s, &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, "TOWPATH_TEST_SECRET"));
	assert_true(e.hint[0] != '\0');
}

static void from_file(void **state)
{
	struct str s;
	struct error e;
	const char *path = put("token", "hunter2\r\n", 9, 0600);

	(void)state;
	assert_int_equal(read_ref(SECRET_FILE, path, NULL, &s, &e), 0);
	assert_string_equal(str_text(&s), "hunter2");
	str_release(&s);
	assert_int_equal(read_ref(SECRET_FILE, "token", NULL, &s, &e), 0);
	str_release(&s);
	unlink(path);
	assert_int_equal(read_ref(SECRET_FILE, path, NULL, &s, &e), ERR_NOT_FOUND);
	assert_string_equal(e.where, path);
}

static void file_modes(void **state)
{
	static const mode_t bad[] = {0640, 0604, 0660, 0666, 0610, 0601, 0644};
	struct str s;
	struct error e;
	const char *path = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		path = put("mode", "hunter2", 7, bad[i]);
		assert_int_equal(read_ref(SECRET_FILE, path, NULL, &s, &e), ERR_DENIED);
		assert_non_null(strstr(e.hint, "chmod 600"));
		assert_null(strstr(e.text, "hunter2"));
		assert_int_equal(s.len, 0);
	}
	path = put("mode", "hunter2", 7, 0400);
	assert_int_equal(read_ref(SECRET_FILE, path, NULL, &s, &e), 0);
	str_release(&s);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_int_equal(read_ref(SECRET_FILE, path, NULL, &s, &e), ERR_DENIED);
	}
	unlink(path);
}

static void file_kinds(void **state)
{
	char link[128], fifo[128], target[128];
	struct str s;
	struct error e;

	(void)state;
	snprintf(target, sizeof(target), "%s", put("real", "hunter2", 7, 0600));
	snprintf(link, sizeof(link), "%s/link", dir);
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	assert_int_equal(symlink(target, link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(read_ref(SECRET_FILE, link, NULL, &s, &e), ERR_IO);
	assert_non_null(strstr(e.text, "symbolic link"));
	assert_int_equal(read_ref(SECRET_FILE, fifo, NULL, &s, &e), ERR_INVALID);
	assert_int_equal(read_ref(SECRET_FILE, dir, NULL, &s, &e), ERR_INVALID);
	unlink(link);
	unlink(fifo);
	unlink(target);
}

static void file_contents(void **state)
{
	char *big = malloc(70000);
	struct str s;
	struct error e;
	const char *path;

	(void)state;
	assert_non_null(big);
	memset(big, 'x', 70000);
	path = put("big", big, 70000, 0600);
	assert_int_equal(read_ref(SECRET_FILE, path, NULL, &s, &e), ERR_INVALID);
	path = put("big", "a\0b", 3, 0600);
	assert_int_equal(read_ref(SECRET_FILE, path, NULL, &s, &e), ERR_INVALID);
	path = put("big", "\n", 1, 0600);
	assert_int_equal(read_ref(SECRET_FILE, path, NULL, &s, &e), ERR_NOT_FOUND);
	unlink(path);
	free(big);
}

static void from_command(void **state)
{
	static const char *const echo[] = {"printf", "%s\n", "hunter2; $(id) `id`", NULL};
	static const char *const fails[] = {"false", NULL}, *const absent[] = {"/nowhere/program", NULL};
	static const char *const quiet[] = {"true", NULL};
	struct str s;
	struct error e;

	(void)state;
	assert_int_equal(read_ref(SECRET_COMMAND, NULL, echo, &s, &e), 0);
	/* No shell has seen it. */
	assert_string_equal(str_text(&s), "hunter2; $(id) `id`");
	str_release(&s);
	assert_int_equal(read_ref(SECRET_COMMAND, NULL, fails, &s, &e), ERR_IO);
	assert_non_null(strstr(e.text, "ended with 1"));
	assert_int_equal(read_ref(SECRET_COMMAND, NULL, absent, &s, &e), ERR_IO);
	assert_int_equal(read_ref(SECRET_COMMAND, NULL, quiet, &s, &e), ERR_NOT_FOUND);
}

static void command_in_the_files_folder(void **state)
{
	static const char *const argv[] = {"./give", NULL};
	const char *path = put("give", "#!/bin/sh\necho own\n", 19, 0700);
	struct str s;
	struct error e;

	(void)state;
	assert_int_equal(read_ref(SECRET_COMMAND, NULL, argv, &s, &e), 0);
	assert_string_equal(str_text(&s), "own");
	str_release(&s);
	unlink(path);
}

/* A command that waits for ever is killed, with what it started. */
static void command_is_bounded(void **state)
{
	static const char *const argv[] = {"sleep", "60", NULL};
	struct timespec a, b;
	struct str s;
	struct error e;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(read_ref(SECRET_COMMAND, NULL, argv, &s, &e), ERR_TIMEOUT);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_in_range(b.tv_sec - a.tv_sec, 4, 20);
}

static void by_option(void **state)
{
	struct arena a;
	struct jv *options, *ref, *argv;
	struct str s;
	struct error e;

	(void)state;
	arena_init(&a, 100000);
	str_init(&s, 1024);
	options = jv_obj(&a);
	ref = jv_obj(&a);
	argv = jv_arr(&a);
	jv_push(&a, argv, jv_str(&a, "echo"));
	jv_push(&a, argv, jv_str(&a, "word"));
	jv_set(&a, ref, "command", argv);
	jv_set(&a, options, "token", ref);
	assert_int_equal(secret_option(options, "token", dir, &s, &e), 0);
	assert_string_equal(str_text(&s), "word");
	assert_int_equal(secret_option(options, "other", dir, &s, &e), ERR_NOT_FOUND);
	assert_int_equal(secret_option(NULL, "other", dir, &s, &e), ERR_NOT_FOUND);
	str_release(&s);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(from_environment),
	                                   cmocka_unit_test(from_file),
	                                   cmocka_unit_test(file_modes),
	                                   cmocka_unit_test(file_kinds),
	                                   cmocka_unit_test(file_contents),
	                                   cmocka_unit_test(from_command),
	                                   cmocka_unit_test(command_in_the_files_folder),
	                                   cmocka_unit_test(command_is_bounded),
	                                   cmocka_unit_test(by_option)};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
