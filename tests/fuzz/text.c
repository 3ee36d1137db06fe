/* The text door: whatever goes in, what comes out is clean, bounded and stays as it is. */
#include "core/text.h"
#include "tests/fuzz/fuzz.h"

static void clip_holds(const char *clean, int cells)
{
	char clip[256];
	int used = text_clip(clip, sizeof(clip), clean, cells);

	HOLDS(used <= (cells > 0 ? cells : 0));
	HOLDS(text_width(clip) == used);
	HOLDS(text_is_clean(clip, strlen(clip)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data + (size > 0);
	size_t n = size > 0 ? size - 1 : 0, cap = size > 0 ? (size_t)data[0] + 1 : 1, len;
	char *small = malloc(cap), *again;
	struct str s;

	HOLDS(small != NULL);
	len = text_clean(small, cap, in, n);
	HOLDS(len < cap && strlen(small) == len);
	HOLDS(text_is_clean(small, len));
	HOLDS(text_width(small) >= 0 && (size_t)text_width(small) <= len);
	clip_holds(small, (int)(cap / 2));
	free(small);

	str_init(&s, 16 * n + 16);
	text_clean_str(&s, in, n);
	HOLDS(!s.failed);
	HOLDS(text_is_clean(str_text(&s), s.len));
	HOLDS(!text_is_clean(in, n) || (s.len == n && memcmp(str_text(&s), in, n) == 0));
	again = malloc(s.len + 1);
	HOLDS(again != NULL);
	HOLDS(text_clean(again, s.len + 1, str_text(&s), s.len) == s.len);
	HOLDS(memcmp(again, str_text(&s), s.len) == 0);
	clip_holds(again, (int)(n % 100));
	free(again);
	str_clear(&s);
	text_clean_lines(&s, in, n);
	for (const char *p = str_text(&s); *p != '\0'; p++)
		HOLDS((unsigned char)*p >= 0x20 || *p == '\n');
	str_release(&s);
	return 0;
}
