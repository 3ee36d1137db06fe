/* The input decoder: any bytes in any pieces give the same keys, and silence ends whatever was begun. */
#include "tui/decode.h"
#include "tests/fuzz/fuzz.h"

struct seen {
	size_t n;
	uint64_t hash;
};

static void on_key(void *ctx, const struct input *in)
{
	struct seen *s = ctx;
	char name[16];
	HOLDS(in->kind > INPUT_NONE && in->kind < INPUT_KIND_COUNT);
	HOLDS(in->cp <= 0x10ffff);
	HOLDS(in->row >= 0 && in->col >= 0);
	input_name(in, name, sizeof name);
	HOLDS(strlen(name) < sizeof name);
	s->n++;
	s->hash = (s->hash ^ ((uint64_t)in->kind << 32) ^ in->cp) * UINT64_C(1099511628211);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decode whole = {0}, pieces = {0};
	struct seen a = {0}, b = {0};
	size_t piece = size > 0 ? (size_t)data[0] % 7 + 1 : 1;

	decode_feed(&whole, (const char *)data, size, on_key, &a);
	for (size_t i = 0; i < size; i += piece)
		decode_feed(&pieces, (const char *)data + i, i + piece > size ? size - i : piece, on_key, &b);
	HOLDS(a.n == b.n && a.hash == b.hash);
	HOLDS(a.n <= size + 1);
	if (decode_pending(&whole))
		decode_timeout(&whole, on_key, &a);
	HOLDS(!decode_pending(&whole));
	return 0;
}
