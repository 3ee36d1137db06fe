/* Bytes to keys: every terminal's way to say a key, pastes, late replies, broken and hostile bytes. */
#include "tests/lib/cm.h"
#include "tui/decode.h"

#include <stdio.h>

struct seen {
	char text[8192];
	int n;
};

static void on_key(void *ctx, const struct input *in)
{
	struct seen *s = ctx;
	char name[32];
	s->n++;
	input_name(in, name, sizeof name);
	if (in->kind == INPUT_PASTED)
		(void)snprintf(name, sizeof name, "P%x", (unsigned)in->cp);
	else if (in->kind == INPUT_PASTE_BEGIN)
		(void)snprintf(name, sizeof name, "<paste");
	else if (in->kind == INPUT_PASTE_END)
		(void)snprintf(name, sizeof name, "paste>");
	else if (in->kind == INPUT_REPLY)
		(void)snprintf(name, sizeof name, "reply-%c", (char)in->cp);
	else if (in->kind == INPUT_CHAR && in->cp >= 0x7f)
		(void)snprintf(name, sizeof name, "U+%04X", (unsigned)in->cp);
	else if (in->modified)
		(void)snprintf(name, sizeof name, "modified");
	else if (in->kind == INPUT_FOCUS_IN || in->kind == INPUT_FOCUS_OUT)
		(void)snprintf(name, sizeof name, in->kind == INPUT_FOCUS_IN ? "focus-in" : "focus-out");
	else if (in->kind == INPUT_CLICK || in->kind == INPUT_WHEEL_UP)
		(void)snprintf(name, sizeof name, "mouse-%d-%d", in->row, in->col);
	size_t len = strlen(s->text);
	(void)snprintf(s->text + len, sizeof s->text - len, "%s%s", len ? " " : "", name);
}

static const char *keys_of(const char *bytes, size_t n, size_t piece, bool silence)
{
	static struct seen seen;
	struct decode d = {0};
	memset(&seen, 0, sizeof seen);
	for (size_t i = 0; i < n; i += piece)
		decode_feed(&d, bytes + i, i + piece > n ? n - i : piece, on_key, &seen);
	if (silence && decode_pending(&d))
		decode_timeout(&d, on_key, &seen);
	return seen.text;
}

/* In one piece, and byte by byte: the same. */
static void expect(const char *bytes, const char *keys)
{
	assert_string_equal(keys_of(bytes, strlen(bytes), 4096, true), keys);
	assert_string_equal(keys_of(bytes, strlen(bytes), 1, true), keys);
}

static void test_plain(void **state)
{
	UNUSED(state);
	expect("jG /x", "j G Space / x");
	expect("\r\n\t\177\010", "Enter Enter Tab Backspace Backspace");
	expect("\001\004\025\032", "C-a C-d C-u C-z");
	expect("\303\244\342\202\254\360\237\230\200", "U+00E4 U+20AC U+1F600");
}

static void test_sequences(void **state)
{
	UNUSED(state);
	expect("\033[A\033[B\033[C\033[D", "Up Down Right Left");
	expect("\033OA\033OB\033OC\033OD\033OH\033OF", "Up Down Right Left Home End");
	expect("\033[H\033[F\033[1~\033[4~\033[7~\033[8~", "Home End Home End Home End");
	expect("\033[5~\033[6~\033[2~\033[3~\033[Z", "PgUp PgDn Insert Delete S-Tab");
	expect("\033OP\033[11~\033[[A\033[15~\033[24~", "F1 F1 F1 F5 F12");
	expect("\033[I\033[O", "focus-in focus-out");
	expect("\033[<0;5;7M\033[<64;1;1M", "mouse-6-4 mouse-0-0");
	/* With a modifier it is another key, which nothing is bound to. */
	expect("\033[1;5A\033[3;2~\033[7^", "modified modified modified");
}

static void test_escape(void **state)
{
	UNUSED(state);
	expect("\033", "Esc");
	expect("\033\033", "Esc Esc");
	/* On a slow link a key right behind Esc comes in the same read. */
	expect("\033j", "Esc j");
	expect("\033O", "Esc O");
	expect("\033[", "Esc [");
	expect("\033P", "Esc P");
	expect("\033]", "Esc ]");
	/* Without silence ESC is held back: the rest of an arrow may still come. */
	assert_string_equal(keys_of("\033", 1, 1, false), "");
	/* A sequence that was cut off says nothing, and no letter of it becomes a key. */
	expect("\033[1;", "");
	expect("\033[12", "");
}

static void test_replies(void **state)
{
	UNUSED(state);
	expect("\033[?62;1;2c", "reply-c");
	expect("\033[12;40R", "reply-R");
	expect("\033[?2026;2$y", "reply-y");
	expect("\033]11;rgb:1e1e/1e1e/1e1e\033\\", "reply-]");
	expect("\033]11;rgb:1e1e/1e1e/1e1e\007x", "reply-] x");
	expect("\033P1$r0m\033\\P", "reply-P P");
	/* One without an end is bounded, and silence ends it without a key. */
	expect("\033]11;rgb:1e1e", "");
}

static void test_paste(void **state)
{
	UNUSED(state);
	expect("\033[200~x\r\033[201~j", "<paste P78 Pd paste> j");
	/* Sequences inside are no keys, not even ESC. */
	expect("\033[200~\033[A\033OA\033x\033[201~", "<paste P4f P41 P78 paste>");
	expect("\033[201~", "");
	/* An end that never comes: silence closes it. */
	expect("\033[200~ab", "<paste P61 P62 paste>");
	static char flood[PASTE_MAX + 100];
	memset(flood, 'x', sizeof flood);
	memcpy(flood, "\033[200~", 6);
	struct decode d = {0};
	static struct seen seen;
	memset(&seen, 0, sizeof seen);
	decode_feed(&d, flood, sizeof flood, on_key, &seen);
	assert_int_equal(seen.n, 1 + PASTE_MAX);
}

static void test_invalid(void **state)
{
	UNUSED(state);
	expect("\377j", "U+FFFD j");
	expect("\303j", "U+FFFD j");
	expect("\300\257", "U+FFFD U+FFFD"); /* overlong */
	expect("\355\240\200", "U+FFFD");    /* surrogate */
	expect("\302\233", "U+FFFD");        /* C1 as UTF-8 */
	expect("\303", "U+FFFD");
	expect("\303\033[A", "U+FFFD Up");
}

/* Any bytes in any pieces: the same keys, and nothing is left behind. */
static void test_pieces(void **state)
{
	UNUSED(state);
	struct prng p = prng_seeded();
	static const char alphabet[] = "\033\033\033[]OP~;?0123456789ABHMRcx\\\007\r\303\244\377";
	for (int round = 0; round < 20000; round++) {
		char bytes[40], whole[8192];
		size_t n = prng_below(&p, sizeof bytes);
		for (size_t i = 0; i < n; i++)
			bytes[i] = alphabet[prng_below(&p, sizeof alphabet - 1)];
		(void)snprintf(whole, sizeof whole, "%s", keys_of(bytes, n, 4096, true));
		assert_string_equal(keys_of(bytes, n, 1 + prng_below(&p, 5), true), whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_plain),  cmocka_unit_test(test_sequences),
	                                   cmocka_unit_test(test_escape), cmocka_unit_test(test_replies),
	                                   cmocka_unit_test(test_paste),  cmocka_unit_test(test_invalid),
	                                   cmocka_unit_test(test_pieces)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
