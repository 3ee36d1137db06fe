/* The one door for foreign bytes: what comes out is clean, whatever goes in. */
#include "core/text.h"
#include "tests/lib/cm.h"

static const char *clean(const char *s, size_t n)
{
	static char buf[4096];

	text_clean(buf, sizeof(buf), s, n);
	return buf;
}

#define CLEAN(lit) clean(lit, sizeof(lit) - 1)

static void control_sequences_are_shown(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"\x1b[31mred\x1b[0m", "<ESC>[31mred<ESC>[0m"},
	    {"\x1b]0;title\x07", "<ESC>]0;title<BEL>"},
	    {"\x1b]52;c;aGk=\x1b\\", "<ESC>]52;c;aGk=<ESC>\\"},
	    {"\x1b]8;;http://evil/\x1b\\x\x1b]8;;\x1b\\", "<ESC>]8;;http://evil/<ESC>\\x<ESC>]8;;<ESC>\\"},
	    {"\x1bPq#0;2;0;0;0\x1b\\", "<ESC>Pq#0;2;0;0;0<ESC>\\"},
	    {"\x1b[2J\x1b[H", "<ESC>[2J<ESC>[H"},
	    {"\x1b"
	     "c",
	     "<ESC>c"},
	    {"a\rb", "a<CR>b"},
	    {"a\nb", "a<LF>b"},
	    {"a\bb\x7f", "a<BS>b<DEL>"},
	    {"\x0e\x0f\x18\x1a", "<SO><SI><CAN><SUB>"},
	    {"\xc2\x9b"
	     "31m",
	     "<U+009B>31m"}, /* C1 CSI in UTF-8 */
	    {"\xc2\x9d"
	     "0;t\xc2\x9c",
	     "<U+009D>0;t<U+009C>"},
	    {"\xc2\x85", "<U+0085>"},
	    {"\x9b"
	     "31m",
	     "<0x9b>31m"}, /* C1 CSI as a bare byte */
	    {"\xfe\xff", "<0xfe><0xff>"},
	    {"\xc0\xaf", "<0xc0><0xaf>"},           /* overlong / */
	    {"\xe0\x80\x9b", "<0xe0><0x80><0x9b>"}, /* overlong C1 */
	    {"\xed\xa0\x80", "<0xed><0xa0><0x80>"}, /* surrogate */
	    {"\xf4\x90\x80\x80", "<0xf4><0x90><0x80><0x80>"},
	    {"\xf8\x88\x80\x80\x80", "<0xf8><0x88><0x80><0x80><0x80>"},
	    {"\xe2\x82", "<0xe2><0x82>"}, /* cut */
	    {"\xe2\x82 ", "<0xe2><0x82> "},
	    {"\xe2\x80\xae"
	     "txt.exe",
	     "<U+202E>txt.exe"},
	    {"\xe2\x81\xa6x\xe2\x81\xa9", "<U+2066>x<U+2069>"},
	    {"a\xe2\x80\x8b"
	     "b\xe2\x80\x8d"
	     "c\xef\xbb\xbf",
	     "a<U+200B>b<U+200D>c<U+FEFF>"},
	    {"\xe2\x80\xa8\xe2\x80\xa9", "<U+2028><U+2029>"},
	    {"\xf3\xa0\x81\x81", "<U+E0041>"}, /* tag A */
	    {"a\xef\xb8\x8f", "a<U+FE0F>"},
	    {"\xee\x82\xa0", "<U+E0A0>"}, /* private use */
	    {"\xe3\x85\xa4", "<U+3164>"}, /* filler */
	    {"\xc2\xad", "<U+00AD>"},     /* soft hyphen */
	    {"\xef\xbf\xbf", "<U+FFFF>"},
	    {"\xcc\x81"
	     "a",
	     "<U+0301>a"}, /* mark without a base */
	    {"gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80",
	     "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80"},
	    {"e\xcc\x81", "e\xcc\x81"},
	    {"", ""},
	};

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].in);

		assert_string_equal(clean(cases[i].in, n), cases[i].out);
		assert_int_equal(text_is_clean(cases[i].in, n), strcmp(cases[i].in, cases[i].out) == 0);
	}
	assert_string_equal(CLEAN("a\0b"), "a<NUL>b");
}

static void every_single_byte_and_plane(void **state)
{
	char buf[64];

	UNUSED(state);
	for (int c = 0; c < 256; c++) {
		char in = (char)c;

		text_clean(buf, sizeof(buf), &in, 1);
		assert_true(text_is_clean(buf, strlen(buf)));
		assert_true(buf[0] != '\0');
	}
	/* Every code point alone behind a base: clean afterwards, bounded, never wider than its escape. */
	for (uint32_t cp = 0x80; cp < 0x110000; cp += cp < 0x3000 ? 1 : 7) {
		char in[6] = "x";
		size_t n = 1;

		if (cp < 0x800) {
			in[n++] = (char)(0xc0 | cp >> 6);
		} else if (cp < 0x10000) {
			in[n++] = (char)(0xe0 | cp >> 12);
			in[n++] = (char)(0x80 | (cp >> 6 & 0x3f));
		} else {
			in[n++] = (char)(0xf0 | cp >> 18);
			in[n++] = (char)(0x80 | (cp >> 12 & 0x3f));
			in[n++] = (char)(0x80 | (cp >> 6 & 0x3f));
		}
		in[n++] = (char)(0x80 | (cp & 0x3f));
		text_clean(buf, sizeof(buf), in, n);
		assert_true(text_is_clean(buf, strlen(buf)));
		assert_in_range(text_width(buf), 1, 48);
	}
}

static void tabs_reach_the_next_stop(void **state)
{
	UNUSED(state);
	assert_string_equal(CLEAN("\tx"), "        x");
	assert_string_equal(CLEAN("abc\tx"), "abc     x");
	assert_string_equal(CLEAN("12345678\tx"), "12345678        x");
	assert_string_equal(CLEAN("\xe6\x97\xa5\tx"), "\xe6\x97\xa5      x");
}

static void marks_are_capped(void **state)
{
	char in[1 + 2 * 100], out[256];

	UNUSED(state);
	in[0] = 'z';
	for (int i = 0; i < 100; i++)
		memcpy(in + 1 + 2 * i, "\xcc\x81", 2);
	assert_int_equal(text_clean(out, sizeof(out), in, sizeof(in)), 1 + 2 * COMBINING_MAX);
	assert_int_equal(text_width(out), 1);
	assert_false(text_is_clean(in, sizeof(in)));
	assert_true(text_is_clean(out, strlen(out)));
}

static void output_is_cut_at_a_character(void **state)
{
	const char *in = "ab\x1b\xe6\x97\xa5\xff"
	                 "cd";
	char out[64];

	UNUSED(state);
	for (size_t cap = 1; cap < sizeof(out); cap++) {
		memset(out, 'Z', sizeof(out));
		assert_true(text_cleanz(out, cap, in) < cap);
		assert_true(text_is_clean(out, strlen(out)));
		assert_int_equal(strncmp(out, "ab<ESC>\xe6\x97\xa5<0xff>cd", strlen(out)), 0);
		if (cap < sizeof(out))
			assert_true(out[cap] == 'Z');
	}
	text_cleanz(out, 5, in);
	assert_string_equal(out, "ab");
	assert_int_equal(text_clean(out, 0, "x", 1), 0);
}

static void lines_are_cleaned_apart(void **state)
{
	struct str s;

	UNUSED(state);
	str_init(&s, 1000);
	text_clean_lines(&s, "a\r\n\x1b[m\n\xcc\x81\nb\r", 12);
	assert_string_equal(str_text(&s), "a\n<ESC>[m\n<U+0301>\nb<CR>");
	str_clear(&s);
	text_clean_str(&s, "a\nb\t", 4);
	assert_string_equal(str_text(&s), "a<LF>b  ");
	str_release(&s);
	str_init(&s, 3);
	text_clean_str(&s, "a\x1b", 2);
	assert_true(s.failed);
	str_release(&s);
}

static void widths(void **state)
{
	size_t n;
	int cells;

	UNUSED(state);
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("\xe6\x97\xa5\xe6\x9c\xac"), 4);
	assert_int_equal(text_width("\xf0\x9f\x98\x80"), 2);
	assert_int_equal(text_width("e\xcc\x81x"), 2);
	assert_null(text_next("", &n, &cells));
	text_next("e\xcc\x81x", &n, &cells);
	assert_int_equal(n, 3);
	assert_int_equal(cells, 1);
	text_next("\xe6\x97\xa5", &n, &cells);
	assert_int_equal(n, 3);
	assert_int_equal(cells, 2);
	/* Bytes that did not come through the door still end. */
	assert_true(text_width("\xff\xfe\x1b") >= 0);
}

static void clipping(void **state)
{
	static const struct {
		const char *in;
		int cells;
		const char *out;
		int used;
	} cases[] = {
	    {"abcdef", 6, "abcdef", 6},
	    {"abcdef", 5, "abcd~", 5},
	    {"abcdef", 1, "~", 1},
	    {"abcdef", 0, "", 0},
	    {"abcdef", -3, "", 0},
	    {"", 5, "", 0},
	    {"ab", 100, "ab", 2},
	    {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 6, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 6},
	    {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5, "\xe6\x97\xa5\xe6\x9c\xac~", 5},
	    {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, "\xe6\x97\xa5~", 3},
	    {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 1, "~", 1},
	    {"e\xcc\x81"
	     "e\xcc\x81",
	     2,
	     "e\xcc\x81"
	     "e\xcc\x81",
	     2},
	    {"e\xcc\x81"
	     "e\xcc\x81",
	     1, "~", 1},
	};
	char out[64];

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(text_clip(out, sizeof(out), cases[i].in, cases[i].cells), cases[i].used);
		assert_string_equal(out, cases[i].out);
	}
	assert_int_equal(text_clip(out, 4, "abcdef", 6), 3);
	assert_string_equal(out, "ab~");
	assert_int_equal(text_clip(out, 1, "abcdef", 6), 0);
	assert_string_equal(out, "");
}

/* Bytes that make trouble more often than chance does. */
static size_t random_bytes(struct prng *p, char *buf, size_t cap)
{
	static const char *const pieces[] = {
	    "\x1b[",
	    "\xc2\x9b",
	    "\xe2\x80\xae",
	    "\xcc\x81",
	    "\xcc\x81\xcc\x82\xcc\x83",
	    "\t",
	    "\r",
	    "\n",
	    "\xe6\x97\xa5",
	    "\xf0\x9f\x98\x80",
	    "\xff",
	    "\xe2\x82",
	    "abc",
	    " ",
	    "\xf3\xa0\x81\x81",
	    "\xe2\x80\x8d",
	    "\xd8\xa7",
	};
	size_t n = 0, want = prng_below(p, cap);

	while (n < want) {
		const char *piece = pieces[prng_below(p, ARRAY_LEN(pieces))];
		size_t len = strlen(piece);

		if (prng_below(p, 3) == 0 || n + len > want)
			buf[n++] = (char)prng_next(p);
		else
			memcpy(buf + n, piece, len), n += len;
	}
	return n;
}

static void properties_hold_for_random_bytes(void **state)
{
	struct prng p = prng_seeded();
	char in[300], once[2600], twice[2600], clip[600];
	struct str s;

	UNUSED(state);
	str_init(&s, 10000);
	for (int i = 0; i < 30000; i++) {
		size_t n = random_bytes(&p, in, sizeof(in)), cap = 1 + prng_below(&p, sizeof(once));
		size_t out = text_clean(once, cap, in, n);
		int width, cells = (int)prng_below(&p, 100), used;

		assert_true(out < cap);
		assert_int_equal(strlen(once), out);
		assert_true(text_is_clean(once, out));
		assert_int_equal(text_clean(twice, sizeof(twice), once, out), out);
		assert_memory_equal(once, twice, out + 1);
		assert_true(!text_is_clean(in, n) || out < n || memcmp(in, once, n) == 0);
		width = text_width(once);
		assert_true(width >= 0 && (size_t)width <= out);
		used = text_clip(clip, sizeof(clip), once, cells);
		assert_true(used <= cells);
		assert_int_equal(text_width(clip), used);
		assert_true(text_is_clean(clip, strlen(clip)));
		if (width <= cells && out < sizeof(clip))
			assert_string_equal(clip, once);
		str_clear(&s);
		text_clean_str(&s, in, n);
		text_clean(once, sizeof(once), in, n);
		assert_string_equal(str_text(&s), once);
	}
	str_release(&s);
}

static void a_flood_is_linear(void **state)
{
	size_t n = 10 * 1024 * 1024;
	char *in = malloc(n), *out = malloc(n + 1);

	UNUSED(state);
	for (size_t i = 0; i < n; i++)
		in[i] = "\xcc\x81"[i % 2];
	/* The first mark is shown and gives a base to the next ones. */
	assert_int_equal(text_clean(out, n + 1, in, n), 8 + 2 * COMBINING_MAX);
	memset(in, '\x1b', n);
	assert_true(text_clean(out, n + 1, in, n) <= n);
	free(in);
	free(out);
}

static void slugs(void **state)
{
	UNUSED(state);
	assert_true(text_is_slug("web"));
	assert_true(text_is_slug("0.a_b-c"));
	assert_false(text_is_slug(""));
	assert_false(text_is_slug("-web"));
	assert_false(text_is_slug(".web"));
	assert_false(text_is_slug("_web"));
	assert_false(text_is_slug("Web"));
	assert_false(text_is_slug("we b"));
	assert_false(text_is_slug("../x"));
	assert_false(text_is_slug("w\xc3\xa9"
	                          "b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(control_sequences_are_shown),
	    cmocka_unit_test(every_single_byte_and_plane),
	    cmocka_unit_test(tabs_reach_the_next_stop),
	    cmocka_unit_test(marks_are_capped),
	    cmocka_unit_test(output_is_cut_at_a_character),
	    cmocka_unit_test(lines_are_cleaned_apart),
	    cmocka_unit_test(widths),
	    cmocka_unit_test(clipping),
	    cmocka_unit_test(properties_hold_for_random_bytes),
	    cmocka_unit_test(a_flood_is_linear),
	    cmocka_unit_test(slugs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
