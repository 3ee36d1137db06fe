/*
 * The logs port: laws for every driver, then files that are rotated, truncated, deleted, replaced and flooded while
 * they are followed. Nothing sleeps: states are waited for with a deadline.
 */
#include "backends/drivers.h"
#include "core/port/logs.h"
#include "core/str.h"
#include "core/text.h"
#include "tests/lib/porttest.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { BYTES_MAX = 64 * 1024 * 1024, LONG_LINE = 10 * 1024 * 1024 };

/* What a follower heard. */
struct heard {
	struct str bytes[2]; /* per source */
	struct str gaps;
	struct outcome state;
	int n_states, n_calls;
	size_t largest; /* piece */
	char name[2][NAME_LEN];
	struct opened *stop; /* unfollow from inside bytes() */
};

struct world {
	struct loop *loop;
	char dir[PATH_LEN], path[PATH_LEN];
	struct opened o;
	struct heard h;
};

static void on_bytes(void *ctx, uint16_t source, const char *name, const char *bytes, size_t n)
{
	struct heard *h = ctx;

	assert_true(source < 2);
	assert_true(n > 0);
	str_addn(&h->bytes[source], bytes, n);
	assert_false(h->bytes[source].failed);
	str_copy(h->name[source], NAME_LEN, name);
	h->largest = MAX(h->largest, n);
	h->n_calls++;
	if (h->stop != NULL)
		logs_file.unfollow(h->stop->priv);
}

static void on_gap(void *ctx, uint16_t source, const char *name, const char *text)
{
	struct heard *h = ctx;

	UNUSED(source);
	UNUSED(name);
	assert_true(text_is_clean(text, strlen(text)));
	str_addf(&h->gaps, "%s\n", text);
	h->n_calls++;
}

static void on_state(void *ctx, const struct outcome *o)
{
	struct heard *h = ctx;

	assert_true(text_is_clean(o->text, strlen(o->text)));
	h->state = *o;
	h->n_states++;
	h->n_calls++;
}

static int world_make(void **state)
{
	static const char *const instances[] = {"web-1", "", "web-2", "", NULL};
	struct world *w = calloc(1, sizeof(*w));
	char options[PATH_LEN * 2];

	assert_non_null(w);
	w->loop = loop_new(NULL);
	folder_make(w->dir);
	snprintf(w->path, sizeof(w->path), "%.900s/web-1.log", w->dir);
	snprintf(options, sizeof(options), "{\"path\": \"%s/{instance}.log\"}", w->dir);
	driver_open(&w->o, w->loop, &logs_file.base, options, instances);
	for (int i = 0; i < 2; i++)
		str_init(&w->h.bytes[i], BYTES_MAX);
	str_init(&w->h.gaps, BYTES_MAX);
	file_put(w->dir, "web-2.log", "");
	*state = w;
	return 0;
}

static int world_end(void **state)
{
	struct world *w = *state;

	driver_close(&w->o);
	folder_remove(w->dir);
	loop_free(w->loop);
	for (int i = 0; i < 2; i++)
		str_release(&w->h.bytes[i]);
	str_release(&w->h.gaps);
	free(w);
	return 0;
}

static void follow(struct world *w, size_t tail)
{
	const struct logs_sink sink = {&w->h, on_bytes, on_gap, on_state};
	struct error e = {0};

	if (logs_file.follow(w->o.priv, &sink, tail, &e) != 0)
		fail_msg("follow: %s", e.text);
	/* Nothing is told from inside. */
	assert_int_equal(w->h.n_calls, 0);
}

static void append(const struct world *w, const char *name, const char *text)
{
	char path[PATH_LEN * 2];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	f = fopen(path, "a");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static void at(const struct world *w, const char *name, char dst[PATH_LEN])
{
	snprintf(dst, PATH_LEN, "%.900s/%s", w->dir, name);
}

static void move(const struct world *w, const char *from, const char *to)
{
	char a[PATH_LEN], b[PATH_LEN];

	at(w, from, a);
	at(w, to, b);
	assert_int_equal(rename(a, b), 0);
}

/* Turns the loop until cond or 20 s. */
#define WAIT_FOR(w, cond)                                                                                    \
	do {                                                                                                 \
		const int64_t until_ = loop_mono_us() + 20 * US_PER_S;                                       \
		bool never_ = false;                                                                         \
		while (!(cond) && loop_mono_us() < until_)                                                   \
			loop_until((w)->loop, &never_, loop_mono_us() + 5 * US_PER_MS);                      \
		if (!(cond))                                                                                 \
			fail_msg("not within 20 s: %s; heard %zu bytes \"%.200s\" gaps \"%.200s\" state %s", \
			         #cond, (w)->h.bytes[0].len, str_text(&(w)->h.bytes[0]),                     \
			         str_text(&(w)->h.gaps), (w)->h.state.text);                                 \
	} while (0)

#define HEARD(w) str_text(&(w)->h.bytes[0])

static void starts_near_the_end(void **state)
{
	struct world *w = *state;

	file_put(w->dir, "web-1.log", "first line\nsecond line\nthird\n");
	follow(w, 12);
	WAIT_FOR(w, strcmp(HEARD(w), "third\n") == 0);
	append(w, "web-1.log", "fourth\n");
	append(w, "web-2.log", "other\n");
	WAIT_FOR(w, strcmp(HEARD(w), "third\nfourth\n") == 0);
	WAIT_FOR(w, strcmp(str_text(&w->h.bytes[1]), "other\n") == 0);
	assert_string_equal(w->h.name[0], "web-1");
	assert_string_equal(w->h.name[1], "web-2");
	assert_string_equal(str_text(&w->h.gaps), "");
	assert_int_equal(w->h.n_states, 0);
}

/* Bytes come raw: half lines, ESC, no line end. */
static void gives_raw_bytes(void **state)
{
	struct world *w = *state;

	file_put(w->dir, "web-1.log", "");
	follow(w, 1000);
	append(w, "web-1.log", "half");
	WAIT_FOR(w, strcmp(HEARD(w), "half") == 0);
	append(w, "web-1.log", " \x1b[2J\xff line\r\n");
	WAIT_FOR(w, strcmp(HEARD(w), "half \x1b[2J\xff line\r\n") == 0);
}

static void follows_rotation(void **state)
{
	struct world *w = *state;

	file_put(w->dir, "web-1.log", "one\n");
	follow(w, 1000);
	WAIT_FOR(w, strcmp(HEARD(w), "one\n") == 0);
	/* Bytes that come just before the rename, and after it by the old name's writer, are not lost. */
	append(w, "web-1.log", "two\n");
	move(w, "web-1.log", "web-1.log.1");
	append(w, "web-1.log.1", "three\n");
	append(w, "web-1.log", "four\n");
	WAIT_FOR(w, strcmp(HEARD(w), "one\ntwo\nthree\nfour\n") == 0);
	assert_non_null(strstr(str_text(&w->h.gaps), "rotated"));
	/* Again and again. */
	for (int i = 0; i < 5; i++) {
		char line[32];

		move(w, "web-1.log", "web-1.log.1");
		snprintf(line, sizeof(line), "round %d\n", i);
		append(w, "web-1.log", line);
		WAIT_FOR(w, strstr(HEARD(w), line) != NULL);
	}
	assert_int_equal(w->h.n_states, 0);
}

static void follows_truncation(void **state)
{
	struct world *w = *state;

	file_put(w->dir, "web-1.log", "a long line before\n");
	follow(w, 1000);
	WAIT_FOR(w, strstr(HEARD(w), "before") != NULL);
	assert_int_equal(truncate(w->path, 0), 0);
	WAIT_FOR(w, strstr(str_text(&w->h.gaps), "truncated") != NULL);
	append(w, "web-1.log", "after\n");
	WAIT_FOR(w, strstr(HEARD(w), "before\nafter\n") != NULL);
}

static void follows_deletion(void **state)
{
	struct world *w = *state;

	file_put(w->dir, "web-1.log", "one\n");
	follow(w, 1000);
	WAIT_FOR(w, strcmp(HEARD(w), "one\n") == 0);
	assert_int_equal(unlink(w->path), 0);
	WAIT_FOR(w, w->h.state.kind == OUTCOME_ERRORED);
	assert_non_null(strstr(w->h.state.text, "web-1.log"));
	assert_true(w->h.state.hint[0] != '\0');
	append(w, "web-1.log", "two\n");
	WAIT_FOR(w, strcmp(HEARD(w), "one\ntwo\n") == 0);
	WAIT_FOR(w, w->h.state.kind == OUTCOME_OK);
}

/* Not there yet, with its whole folder; then all of it is read, however much. */
static void waits_for_creation(void **state)
{
	struct world *w = *state;
	char dir[PATH_LEN];

	driver_close(&w->o);
	at(w, "later", dir);
	{
		static const char *const instances[] = {"web-1", "", NULL};
		char options[PATH_LEN * 2];

		snprintf(options, sizeof(options), "{\"path\": \"%s/{instance}.log\"}", dir);
		driver_open(&w->o, w->loop, &logs_file.base, options, instances);
	}
	follow(w, 4);
	WAIT_FOR(w, w->h.state.kind == OUTCOME_ERRORED);
	file_put(w->dir, "later/web-1.log", "from the first byte\n");
	WAIT_FOR(w, strcmp(HEARD(w), "from the first byte\n") == 0);
	WAIT_FOR(w, w->h.state.kind == OUTCOME_OK);
	/* The folder is replaced as a whole. */
	move(w, "later", "gone");
	file_put(w->dir, "later/web-1.log", "new folder\n");
	WAIT_FOR(w, strstr(HEARD(w), "new folder\n") != NULL);
	append(w, "later/web-1.log", "and on\n");
	WAIT_FOR(w, strstr(HEARD(w), "and on\n") != NULL);
}

static void refuses_what_is_no_file(void **state)
{
	struct world *w = *state;

	assert_int_equal(mkfifo(w->path, 0600), 0);
	follow(w, 1000);
	WAIT_FOR(w, w->h.state.kind == OUTCOME_ERRORED);
	assert_non_null(strstr(w->h.state.text, "not a regular file"));
	assert_int_equal(unlink(w->path), 0);
	assert_int_equal(mkdir(w->path, 0700), 0);
	append(w, "web-2.log", "still read\n");
	WAIT_FOR(w, strcmp(str_text(&w->h.bytes[1]), "still read\n") == 0);
	assert_int_equal(rmdir(w->path), 0);
	append(w, "web-1.log", "a file now\n");
	WAIT_FOR(w, strcmp(HEARD(w), "a file now\n") == 0);
	WAIT_FOR(w, w->h.state.kind == OUTCOME_OK);
}

static void says_what_it_may_not_read(void **state)
{
	struct world *w = *state;
	const bool root = geteuid() == 0;

	/* Root may read everything: be somebody else meanwhile. */
	file_put_n(w->dir, "web-1.log", "x\n", 2, 0000);
	assert_int_equal(root ? seteuid(65534) : 0, 0);
	follow(w, 1000);
	WAIT_FOR(w, w->h.state.kind == OUTCOME_ERRORED);
	assert_non_null(strstr(w->h.state.hint, "let this user read"));
	assert_int_equal(root ? seteuid(0) : 0, 0);
	assert_int_equal(chmod(w->path, 0600), 0);
	WAIT_FOR(w, strcmp(HEARD(w), "x\n") == 0);
	WAIT_FOR(w, w->h.state.kind == OUTCOME_OK);
}

static void follows_links(void **state)
{
	struct world *w = *state;
	char link[PATH_LEN];

	file_put(w->dir, "real/a.log", "a\n");
	file_put(w->dir, "real/b.log", "b\n");
	assert_int_equal(symlink("real/a.log", w->path), 0);
	follow(w, 1000);
	WAIT_FOR(w, strcmp(HEARD(w), "a\n") == 0);
	append(w, "real/a.log", "a2\n");
	WAIT_FOR(w, strcmp(HEARD(w), "a\na2\n") == 0);
	at(w, "new", link);
	assert_int_equal(symlink("real/b.log", link), 0);
	move(w, "new", "web-1.log");
	WAIT_FOR(w, strcmp(HEARD(w), "a\na2\nb\n") == 0);
	append(w, "real/b.log", "b2\n");
	WAIT_FOR(w, strcmp(HEARD(w), "a\na2\nb\nb2\n") == 0);
}

/* Turns of the loop; static, for the tail hook lives as long as the loop. */
static int turns;

static void on_turn(void *ctx)
{
	UNUSED(ctx);
	turns++;
}

/* 10 MB without a line end: in bounded pieces, all of it, and the loop turns in between. */
static void floods_in_slices(void **state)
{
	struct world *w = *state;
	char *big = malloc(LONG_LINE);

	assert_non_null(big);
	memset(big, 'x', LONG_LINE);
	file_put(w->dir, "web-1.log", "");
	follow(w, BYTES_MAX);
	loop_on_tail(w->loop, on_turn, NULL);
	turns = 0;
	file_put_n(w->dir, "web-1.log", big, LONG_LINE, 0600);
	WAIT_FOR(w, w->h.bytes[0].len == LONG_LINE);
	assert_memory_equal(w->h.bytes[0].data, big, LONG_LINE);
	assert_true(w->h.largest <= 64 * 1024);
	/* At least one turn for each quarter of a megabyte. */
	assert_true(turns >= LONG_LINE / (256 * 1024));
	free(big);
}

/* A storm of events beside the file costs nothing but hints. */
static void outlasts_a_storm(void **state)
{
	struct world *w = *state;
	char path[PATH_LEN];

	file_put(w->dir, "web-1.log", "");
	follow(w, BYTES_MAX);
	for (int i = 0; i < 20000; i++) {
		at(w, i % 2 == 0 ? "storm" : "web-1.log.tmp", path);
		if (i % 4 < 2)
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		else
			unlink(path);
	}
	for (int i = 0; i < 500; i++)
		append(w, "web-1.log", "line\n");
	WAIT_FOR(w, w->h.bytes[0].len == 500 * 5);
	assert_string_equal(str_text(&w->h.gaps), "");
}

static void pauses(void **state)
{
	struct world *w = *state;
	bool never = false;

	file_put(w->dir, "web-1.log", "one\n");
	follow(w, 1000);
	WAIT_FOR(w, strcmp(HEARD(w), "one\n") == 0);
	logs_file.pause(w->o.priv, true);
	append(w, "web-1.log", "two\n");
	loop_until(w->loop, &never, loop_mono_us() + 700 * US_PER_MS);
	assert_string_equal(HEARD(w), "one\n");
	logs_file.pause(w->o.priv, false);
	WAIT_FOR(w, strcmp(HEARD(w), "one\ntwo\n") == 0);
}

/* After unfollow the sink is silent, also when it was called from inside; follow works again. */
static void stops(void **state)
{
	struct world *w = *state;
	bool never = false;
	struct error e = {0};
	const struct logs_sink sink = {&w->h, on_bytes, on_gap, on_state};
	int n;

	file_put(w->dir, "web-1.log", "one\n");
	follow(w, 1000);
	assert_int_equal(logs_file.follow(w->o.priv, &sink, 10, &e), ERR_CONFLICT);
	w->h.stop = &w->o;
	WAIT_FOR(w, w->h.n_calls > 0);
	n = w->h.n_calls;
	append(w, "web-1.log", "two\n");
	append(w, "web-2.log", "two\n");
	loop_until(w->loop, &never, loop_mono_us() + 700 * US_PER_MS);
	assert_int_equal(w->h.n_calls, n);
	logs_file.unfollow(w->o.priv);
	w->h.stop = NULL;
	w->h.n_calls = 0;
	str_clear(&w->h.bytes[0]);
	follow(w, 4);
	WAIT_FOR(w, strcmp(HEARD(w), "two\n") == 0);
}

static void laws(void **state)
{
	struct world *w = *state;
	struct slot_call check = {"file check", logs_file.base.check},
	                 null_check = {"null check", logs_null.base.check};
	const struct logs_sink sink = {&w->h, on_bytes, on_gap, on_state};
	struct answer a = {0};
	struct opened o;
	struct error e = {0};
	bool never = false;

	file_put(w->dir, "web-1.log", "one\n");
	slot_laws(w->loop, w->o.priv, &check, false);
	assert_int_equal(unlink(w->path), 0);
	logs_file.base.check(w->o.priv, answer_op(&a, w->loop, US_PER_S));
	answer_wait(&a);
	assert_int_equal(a.outcome.kind, OUTCOME_ERRORED);
	assert_true(a.outcome.hint[0] != '\0');

	driver_open(&o, w->loop, &logs_null.base, "{}", NULL);
	slot_laws(w->loop, o.priv, &null_check, false);
	if (logs_null.follow(o.priv, &sink, 10, &e) == 0) {
		loop_until(w->loop, &never, loop_mono_us() + 50 * US_PER_MS);
		logs_null.unfollow(o.priv);
		assert_string_equal(HEARD(w), "");
	}
	driver_close(&o);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_WORLD(laws),
	    IN_WORLD(starts_near_the_end),
	    IN_WORLD(gives_raw_bytes),
	    IN_WORLD(follows_rotation),
	    IN_WORLD(follows_truncation),
	    IN_WORLD(follows_deletion),
	    IN_WORLD(waits_for_creation),
	    IN_WORLD(refuses_what_is_no_file),
	    IN_WORLD(says_what_it_may_not_read),
	    IN_WORLD(follows_links),
	    IN_WORLD(floods_in_slices),
	    IN_WORLD(outlasts_a_storm),
	    IN_WORLD(pauses),
	    IN_WORLD(stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
