/* JSON: what parses prints, and what is printed parses to the same bytes; limits hold. */
#include "core/jv.h"
#include "tests/fuzz/fuzz.h"

static void round_trip(const struct jv *v, enum jv_print how)
{
	struct arena a;
	struct str first, second;
	struct jv *back = NULL;

	arena_init(&a, 64 * 1024 * 1024);
	str_init(&first, 64 * 1024 * 1024);
	str_init(&second, 64 * 1024 * 1024);
	jv_print(v, how, &first);
	HOLDS(!first.failed);
	for (size_t i = 0; i < first.len; i++)
		HOLDS((unsigned char)first.data[i] >= 0x20 || (how == JV_PRETTY && first.data[i] == '\n'));
	HOLDS(jv_parse(&a, first.data, first.len, &back, NULL) == 0);
	jv_print(back, how, &second);
	HOLDS(second.len == first.len && memcmp(first.data, second.data, first.len) == 0);
	str_release(&first);
	str_release(&second);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a, tiny;
	struct error e = {0};
	struct jv *v = NULL, *copy;
	int rc;

	arena_init(&a, 64 * 1024 * 1024);
	rc = jv_parse(&a, (const char *)data, size, &v, &e);
	HOLDS((rc == 0) == (v != NULL));
	if (rc != 0) {
		HOLDS((int)e.code == rc && e.text[0] != '\0');
		for (const char *p = e.text; *p != '\0'; p++)
			HOLDS((unsigned char)*p >= 0x20);
	} else {
		round_trip(v, JV_COMPACT);
		round_trip(v, JV_PRETTY);
		round_trip(v, JV_CANONICAL);
		copy = jv_copy(&a, v);
		HOLDS(copy != NULL && jv_type(copy) == jv_type(v) && jv_len(copy) == jv_len(v));
	}
	arena_release(&a);

	v = NULL;
	arena_init(&tiny, size % 2048);
	rc = jv_parse(&tiny, (const char *)data, size, &v, NULL);
	HOLDS((rc == 0) == (v != NULL) && (rc != 0 || !arena_failed(&tiny)));
	arena_release(&tiny);
	return 0;
}
