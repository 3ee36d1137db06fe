/* Themes and keymaps from any bytes: the first byte chooses which. */
#include "themes/theme.h"
#include "config/keymap.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = {0};
	struct theme t;
	struct keymap km;
	struct str out;

	if (size == 0)
		return 0;
	if (data[0] != 'k') {
		if (theme_parse("f", (const char *)data, size, &t, &e) == 0) {
			str_init(&out, 100000);
			theme_check(&t, &out);
			str_release(&out);
		} else {
			HOLDS(e.text[0] != '\0');
		}
		return 0;
	}
	if (keymap_parse(&km, "f", (const char *)data + 1, size - 1, NULL, &e) == 0) {
		if (keymap_merge(&km, "f", (const char *)data + 1, size - 1, NULL, &e) != 0)
			HOLDS(e.text[0] != '\0');
		keymap_find(&km, "board", "g", NULL);
		keymap_free(&km);
	} else {
		HOLDS(e.text[0] != '\0');
	}
	return 0;
}
