/* Faults around a rollout that lives: its store goes, moves or is full, the clock is stepped, the way back fails. */
#define _GNU_SOURCE /* prlimit */
#include "tests/lib/cm.h"
#include "tests/lib/small.h"
#include "tests/lib/storepg.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char lease[] = ", lease_ttl: 2s, lease_safe: 1s, lease_renew: 100ms";

/* --- a clock that can be stepped ------------------------------------------------------------------ */

/* Seconds that the wall clock is off, in the file that TEST_CLOCK names; NULL: it is right. */
static volatile const int64_t *clock_shift(void)
{
	static volatile const int64_t *shift;
	static bool looked;
	const char *path = getenv("TEST_CLOCK");
	int fd;

	if (looked)
		return shift;
	looked = true;
	fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		void *p = mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);

		shift = p != MAP_FAILED ? p : NULL;
		close(fd);
	}
	return shift;
}

/* Instead of the C library's, for this program and all of its libraries. */
int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);

	if (rc == 0 && id == CLOCK_REALTIME && clock_shift() != NULL)
		t->tv_sec += (time_t)*clock_shift();
	return rc;
}

static void step_clock(const struct small *w, int64_t s)
{
	char path[PATH_LEN + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/clock", w->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &s, sizeof(s), 0), (ssize_t)sizeof(s));
	close(fd);
}

static int others_try(struct small *w, bool stepped)
{
	char path[PATH_LEN + 16];
	int rc;

	snprintf(path, sizeof(path), "%s/clock", w->dir);
	if (stepped)
		setenv("TEST_CLOCK", path, 1);
	rc = small_run(w);
	unsetenv("TEST_CLOCK");
	return rc;
}

static void steps_of_the_clock(struct small *w)
{
	static const int64_t steps[] = {3600, -3600, 86400 * 400, -60};
	char path[PATH_LEN + 16];
	pid_t pid;

	small_put(w, "wait", "");
	step_clock(w, 0);
	snprintf(path, sizeof(path), "%s/clock", w->dir);
	setenv("TEST_CLOCK", path, 1);
	pid = small_start(w, NULL);
	unsetenv("TEST_CLOCK");
	small_wait_line(w, "effects", "migrate");
	/* Whoever's clock is wrong, the holder's or the asker's: it holds as long as it renews. */
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		step_clock(w, steps[i]);
		assert_int_equal(others_try(w, false), EXIT_CONFLICT);
		poll(NULL, 0, 300);
		assert_int_equal(others_try(w, true), EXIT_CONFLICT);
	}
	small_drop(w, "wait");
	assert_int_equal(small_wait_end(pid, 0), 0);
	small_done_once(w, "stepped");
	small_end(w);
}

/* --- stores ------------------------------------------------------------------------------------------ */

static const char *use_server(struct pgserver *s)
{
	const char *database = storepg_make(s);

	storepg_user(s, "olga", "operator approver admin executor");
	assert_int_equal(setenv("FAULTS_STORE", getenv(storepg_secret(s, 0, "olga", database)), 1), 0);
	small_use_store("driver: postgres, url: {env: FAULTS_STORE}, poll: 100ms");
	return database;
}

static void clock_stepped(void **state)
{
	struct small w;

	UNUSED(state);
	small_use_store(NULL);
	small_make(&w, "pause", lease);
	small_plan(&w, 2, "r0001");
	steps_of_the_clock(&w);
	use_server(pgserver_shared());
	small_make(&w, "pause", lease);
	small_plan(&w, 2, "r0001");
	steps_of_the_clock(&w);
}

static void wait_words(const struct small *w, const char *words)
{
	int64_t until = loop_mono_us() + 30 * US_PER_S;

	while (!small_says(w, "run.log", words)) {
		assert_true(loop_mono_us() < until);
		poll(NULL, 0, 10);
	}
}

/* The server crashes while the migration runs: that ends, nothing else begins; back again, the rollout goes on. */
static void store_gone_mid_run(void **state)
{
	struct pgserver *s = pgserver_shared();
	struct small w;
	pid_t pid;

	UNUSED(state);
	use_server(s);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	pgserver_stop(s, true);
	small_drop(&w, "wait");
	wait_words(&w, "not written yet");
	assert_int_equal(small_count(&w, "effects", "apply"), 0);
	assert_true(pgserver_again(s));
	assert_int_equal(small_wait_end(pid, 0), 0);
	small_done_once(&w, "server back");
	small_end(&w);
}

/* The server is lost for good and its standby promoted: the rollout goes on there. */
static void failover_mid_run(void **state)
{
	char why[2048] = "", url[512], sql[160], tail[128], *at;
	struct pgserver *first = pgserver_primary(why, sizeof(why)), *second;
	const char *database;
	struct small w;
	int64_t until;
	pid_t pid;

	UNUSED(state);
	if (first == NULL)
		fail_msg("%s", why);
	database = use_server(first);
	second = pgserver_standby(first, why, sizeof(why));
	if (second == NULL)
		fail_msg("%s", why);
	pgserver_url_of(first, "olga", STOREPG_PASSWORD, database, url, sizeof(url));
	at = strchr(strchr(url, '@'), ':');
	str_copy(tail, sizeof(tail), strchr(at, '/'));
	snprintf(at, sizeof(url) - (size_t)(at - url), ":%d,127.0.0.1:%d%s", pgserver_port(first),
	         pgserver_port(second), tail);
	setenv("FAULTS_STORE", url, 1);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_put(&w, "wait", "");
	pid = small_start(&w, NULL);
	small_wait_line(&w, "effects", "migrate");
	snprintf(sql, sizeof(sql), "SELECT pg_last_wal_replay_lsn() >= '%s'::pg_lsn",
	         pgserver_ask(first, NULL, "SELECT pg_current_wal_lsn()"));
	until = loop_mono_us() + 30 * US_PER_S;
	while (strcmp(pgserver_ask(second, NULL, sql), "t") != 0)
		assert_true(loop_mono_us() < until);
	pgserver_stop(first, true);
	assert_true(pgserver_promote(second));
	small_drop(&w, "wait");
	assert_int_equal(small_wait_end(pid, 0), 0);
	small_done_once(&w, "failed over");
	small_end(&w);
	pgserver_free(second);
	pgserver_free(first);
}

static void limit_files(pid_t pid, rlim_t bytes)
{
	struct rlimit l;

	assert_int_equal(prlimit(pid, RLIMIT_FSIZE, NULL, &l), 0);
	l.rlim_cur = bytes;
	assert_int_equal(prlimit(pid, RLIMIT_FSIZE, &l, NULL), 0);
}

/* No room for the journal any more: no effect without its intent; with room again it goes on where it was. */
static void disk_full_mid_run(void **state)
{
	struct small w;
	pid_t pid;

	UNUSED(state);
	small_use_store(NULL);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r0001");
	small_put(&w, "wait", "");
	signal(SIGXFSZ, SIG_IGN);
	pid = small_start(&w, NULL);
	signal(SIGXFSZ, SIG_DFL);
	small_wait_line(&w, "effects", "migrate");
	limit_files(pid, 16 * 1024);
	small_drop(&w, "wait");
	wait_words(&w, "not written yet");
	assert_int_equal(small_count(&w, "effects", "apply"), 0);
	limit_files(pid, RLIM_INFINITY);
	assert_int_equal(small_wait_end(pid, 0), 0);
	small_done_once(&w, "room again");
	small_end(&w);
}

/* The earlier release does not come back: it ends and says so, and nobody tries for ever. */
static void way_back_fails(void **state)
{
	struct release one, two;
	struct rollout *r;
	struct small w;
	char line[160];

	UNUSED(state);
	small_use_store(NULL);
	small_release(&one, 1);
	small_release(&two, 2);
	small_make(&w, "rollback", "");
	small_put(&w, "bad", two.digest);
	small_put(&w, "stuck", one.digest);
	small_plan(&w, 2, "r0001");
	assert_int_equal(small_run(&w), EXIT_NO);
	r = small_rollout(&w);
	assert_int_equal(r->state, ROLLOUT_ENDED);
	assert_false(r->rolled_back);
	assert_non_null(strstr(r->text, "could not be put back"));
	free(r);
	assert_int_equal(small_run(&w), EXIT_NO);
	snprintf(line, sizeof(line), "apply web-1 %s", one.digest);
	assert_int_equal(small_count(&w, "effects", line), 1);
	small_end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clock_stepped),     cmocka_unit_test(store_gone_mid_run),
	    cmocka_unit_test(failover_mid_run),  cmocka_unit_test(disk_full_mid_run),
	    cmocka_unit_test(way_back_fails),
	};
	int rc = small_begin(argc, argv);

	if (rc >= 0)
		return rc;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
