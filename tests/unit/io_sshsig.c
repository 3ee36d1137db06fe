/* Signatures by real keys: good ones, and every way in which one is not good. */
#include "io/sshsig.h"

#include "core/str.h"
#include "core/time.h"
#include "tests/lib/cm.h"
#include "tests/lib/porttest.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char space[] = "towpath-test@v1";
static const char text[] = "what was signed\n";

struct world {
	struct loop *loop;
	char dir[PATH_LEN], key[PATH_LEN + 8], signers[PATH_LEN + 8];
	bool done;
	struct outcome o;
	char said[SIGNATURE_MAX];
};

static void keygen(const char *path)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execlp("ssh-keygen", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", path,
		       (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void allow(struct world *w, const char *name, const char *options)
{
	char line[2048];

	snprintf(line, sizeof(line), "anna%s %s", options, file_text(w->dir, "key.pub"));
	file_put(w->dir, name, line);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct error e;

	w->loop = loop_new(&e);
	folder_make(w->dir);
	snprintf(w->key, sizeof(w->key), "%s/key", w->dir);
	snprintf(w->signers, sizeof(w->signers), "%s/allowed", w->dir);
	keygen(w->key);
	allow(w, "allowed", " namespaces=\"towpath-test@v1\"");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	loop_free(w->loop);
	folder_remove(w->dir);
	free(w);
	return 0;
}

static void on_done(void *ctx, const struct outcome *o, const char *said)
{
	struct world *w = ctx;

	w->o = *o;
	str_copy(w->said, sizeof(w->said), said != NULL ? said : "");
	w->done = true;
}

static void wait_done(struct world *w)
{
	assert_true(loop_until(w->loop, &w->done, loop_mono_us() + 30 * US_PER_S));
	w->done = false;
}

static const char *sign(struct world *w, const char *key)
{
	static char armor[SIGNATURE_MAX];

	sshsig_sign(w->loop, key, space, text, strlen(text), on_done, w);
	assert_false(w->done);
	wait_done(w);
	str_copy(armor, sizeof(armor), w->said);
	return armor;
}

static enum outcome_kind check(struct world *w, struct sshsig_check c, const char *bytes)
{
	if (c.signers == NULL)
		c.signers = w->signers;
	if (c.name_space == NULL)
		c.name_space = space;
	sshsig_verify(w->loop, &c, bytes, strlen(bytes), on_done, w);
	assert_false(w->done);
	wait_done(w);
	return w->o.kind;
}

static void a_good_one_names_its_signer(void **state)
{
	struct world *w = *state;
	const char *armor = sign(w, w->key);

	assert_int_equal(w->o.kind, OUTCOME_OK);
	assert_non_null(strstr(armor, "-----BEGIN SSH SIGNATURE-----"));
	assert_int_equal(check(w, (struct sshsig_check){.signature = armor}, text), OUTCOME_OK);
	assert_string_equal(w->said, "anna");
	assert_int_equal(check(w, (struct sshsig_check){.signature = armor, .who = "anna"}, text),
	                 OUTCOME_OK);
}

static void what_is_not_good_is_refused(void **state)
{
	struct world *w = *state;
	const char *armor = sign(w, w->key);
	char other[PATH_LEN + 8], path[PATH_LEN + 16];

	assert_int_equal(check(w, (struct sshsig_check){.signature = armor}, "what was signed.\n"),
	                 OUTCOME_FAILED);
	assert_int_equal(check(w, (struct sshsig_check){.signature = armor, .name_space = "file"}, text),
	                 OUTCOME_FAILED);
	assert_int_equal(check(w, (struct sshsig_check){.signature = armor, .who = "ben"}, text),
	                 OUTCOME_FAILED);
	assert_int_equal(check(w, (struct sshsig_check){.signature = armor, .who = "-Y"}, text),
	                 OUTCOME_FAILED);
	assert_int_equal(check(w, (struct sshsig_check){.signature = "garbage"}, text), OUTCOME_FAILED);
	/* A key that nobody allowed. */
	snprintf(other, sizeof(other), "%s/other", w->dir);
	keygen(other);
	armor = sign(w, other);
	assert_int_equal(w->o.kind, OUTCOME_OK);
	assert_int_equal(check(w, (struct sshsig_check){.signature = armor}, text), OUTCOME_FAILED);
	assert_true(w->o.text[0] != '\0');
	/* Revoked. */
	armor = sign(w, w->key);
	snprintf(path, sizeof(path), "%s/key.pub", w->dir);
	assert_int_equal(check(w, (struct sshsig_check){.signature = armor, .revoked = path}, text),
	                 OUTCOME_FAILED);
}

static void validity_is_that_of_the_time_of_signing(void **state)
{
	struct world *w = *state;
	const char *armor = sign(w, w->key);
	char path[PATH_LEN + 16];
	int64_t y2020 = 1580000000 * US_PER_S;

	allow(w, "old", " valid-before=\"20210101\"");
	snprintf(path, sizeof(path), "%s/old", w->dir);
	assert_int_equal(
	    check(w, (struct sshsig_check){.signature = armor, .signers = path, .who = "anna"}, text),
	    OUTCOME_FAILED);
	assert_int_equal(
	    check(w,
	          (struct sshsig_check){.signature = armor, .signers = path, .who = "anna", .at_us = y2020},
	          text),
	    OUTCOME_OK);
}

static void a_key_that_is_not_there_is_said(void **state)
{
	struct world *w = *state;

	assert_string_equal(sign(w, "/nonexistent/key"), "");
	assert_int_equal(w->o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(w->o.hint, "/nonexistent/key"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_good_one_names_its_signer, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_not_good_is_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(validity_is_that_of_the_time_of_signing, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_key_that_is_not_there_is_said, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
