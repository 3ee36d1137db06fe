/*
 * Every allocation of every builder fails once: the builder says so, leaves its output alone, leaks
 * nothing, and works again afterwards. This program's own malloc counts; sanitizers bring theirs, and
 * there each builder only runs once.
 */
#include <stdio.h>

#include "core/filter.h"
#include "core/jv.h"
#include "core/logbuf.h"
#include "core/match.h"
#include "core/series.h"
#include "core/sha256.h"
#include "core/str.h"
#include "core/time.h"
#include "tests/lib/cm.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_MALLOC 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#undef OWN_MALLOC
#define OWN_MALLOC 0
#endif
#ifndef OWN_MALLOC
#define OWN_MALLOC 1
#endif

static long fail_at = -1; /* the allocation that fails, -1: none */
static long made, live;

#if OWN_MALLOC
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static bool refused(void) { return fail_at >= 0 && made++ == fail_at; }

void *malloc(size_t n)
{
	void *p = refused() ? NULL : __libc_malloc(n);

	live += p != NULL;
	return p;
}

void *calloc(size_t n, size_t size)
{
	void *p = refused() ? NULL : __libc_calloc(n, size);

	live += p != NULL;
	return p;
}

void *realloc(void *old, size_t n)
{
	void *p = refused() ? NULL : __libc_realloc(old, n);

	live += p != NULL && old == NULL;
	return p;
}

void free(void *p)
{
	live -= p != NULL;
	__libc_free(p);
}
#endif

/* One builder: true when it succeeded, and then it must have done all. */
typedef bool builder(void);

static bool build_str(void)
{
	struct str s;
	bool ok;

	str_init(&s, 100000);
	for (int i = 0; i < 50; i++)
		str_addf(&s, "%d %0*d\n", i, i * 10, i);
	ok = !s.failed;
	str_release(&s);
	return ok;
}

static bool build_arena(void)
{
	struct arena a;
	bool ok;

	arena_init(&a, 1000000);
	for (size_t i = 0; i < 100; i++)
		arena_alloc(&a, i * 100);
	ok = !arena_failed(&a);
	arena_release(&a);
	return ok;
}

static bool build_jv(void)
{
	static const char text[] =
	    "{\"b\":[1,2.5,\"text\",null,true],\"a\":{\"x\":{\"y\":[[]]}},\"c\":18446744073709551615}";
	struct arena a;
	struct jv *v = NULL;
	struct str s;
	bool ok;

	arena_init(&a, 1000000);
	str_init(&s, 100000);
	ok = jv_parse(&a, text, sizeof(text) - 1, &v, NULL) == 0;
	if (ok != (v != NULL))
		abort();
	if (ok)
		jv_print(v, JV_CANONICAL, &s);
	ok = ok && !s.failed;
	str_release(&s);
	arena_release(&a);
	return ok;
}

static bool build_filter(void)
{
	struct filter *f = NULL;
	bool ok = filter_parse("level>=warn !x (\"two words\" | /re(g)+ex/) key:/v/ age<10m", &f, NULL) == 0;

	if (ok != (f != NULL))
		abort();
	filter_free(f);
	return ok;
}

static bool build_match(void)
{
	struct match *m = NULL;
	bool ok = match_new("(a|b)+c\\d{2,3}", true, &m, NULL) == 0;

	if (ok != (m != NULL))
		abort();
	/* Where only the JIT found no memory the interpreter answers. */
	ok = ok && match_find(m, "xxabC123", 8, NULL, NULL) == MATCH_YES;
	match_free(m);
	return ok;
}

static bool build_zone(void)
{
	static char bytes[65536];
	static size_t n;
	struct zone *z;

	if (n == 0) {
		FILE *f = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");

		if (f == NULL)
			return true;
		n = fread(bytes, 1, sizeof(bytes), f);
		fclose(f);
	}
	z = zone_parse("Europe/Berlin", bytes, n, NULL);
	zone_free(z);
	return z != NULL;
}

static bool build_series(void)
{
	struct series s;
	bool ok;

	series_init(&s, "x", "");
	ok = series_push(&s, 1, 1) && series_last(&s) != NULL;
	series_release(&s);
	return ok;
}

static bool build_sha256(void)
{
	struct sha256 *h = sha256_new();
	char hex[65];

	if (h == NULL)
		return false;
	sha256_add(h, "abc", 3);
	sha256_hex(h, hex);
	return hex[0] != '\0';
}

/* The ring never fails as a whole: it loses lines, and says how many. */
static bool build_logbuf(void)
{
	struct logbuf *b = logbuf_new(0);
	static char line[3000];
	struct log_line l;
	uint64_t kept;

	if (b == NULL)
		return false;
	memset(line, 'x', sizeof(line));
	for (int i = 0; i < 60; i++) {
		line[sizeof(line) - 1] = i % 3 == 0 ? 'x' : '\n';
		logbuf_append(b, (uint16_t)(i % 2), line, sizeof(line), 1);
	}
	kept = 0;
	for (uint64_t seq = logbuf_first(b); seq < logbuf_end(b); seq++, kept++)
		if (!logbuf_get(b, seq, &l) || l.n == 0)
			abort();
	if (logbuf_lines_total(b) != logbuf_dropped(b) + kept)
		abort();
	logbuf_free(b);
	return true;
}

/* Runs a builder with its first allocation failing, then its second, until none fails any more. */
static void fails_everywhere(builder *build, long least, bool keeps)
{
	long n = 0, before;

	assert_true(build());
	if (!OWN_MALLOC)
		return;
	for (bool through = false; !through; n++) {
		bool ok;

		assert_true(n < 5000);
		before = live;
		made = 0;
		fail_at = n;
		ok = build();
		through = made <= n;
		fail_at = -1;
		assert_true(keeps || live == before);
		assert_true(ok || !through);
	}
	assert_true(n > least);
	assert_true(build());
}

#define NOMEM(name, least, keeps)                                                                            \
	static void name##_survives(void **state)                                                            \
	{                                                                                                    \
		UNUSED(state);                                                                               \
		fails_everywhere(build_##name, least, keeps);                                                \
	}

NOMEM(str, 3, false)
NOMEM(arena, 10, false)
NOMEM(jv, 20, false)
NOMEM(filter, 15, false)
NOMEM(match, 4, false)
NOMEM(zone, 3, false)
NOMEM(series, 1, false)
/* libcrypto keeps its error state until the program ends. */
NOMEM(sha256, 2, true)
NOMEM(logbuf, 3, false)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(str_survives),    cmocka_unit_test(arena_survives),
	    cmocka_unit_test(jv_survives),     cmocka_unit_test(filter_survives),
	    cmocka_unit_test(match_survives),  cmocka_unit_test(zone_survives),
	    cmocka_unit_test(series_survives), cmocka_unit_test(sha256_survives),
	    cmocka_unit_test(logbuf_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
