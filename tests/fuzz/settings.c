/* Readers of foreign configuration: any bytes end in settings or an error, within bounds. */
#include "backends/migrate/settings.h"
#include "backends/migrate/yaml_tree.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct settings *s)
{
	HOLDS(s->n <= SETTINGS_MAX);
	for (int i = 0; i < s->n; i++) {
		HOLDS(s->items[i].key != NULL && s->items[i].value != NULL);
		(void)settings_value(s, s->items[i].value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data + 1;
	const struct jv *docs = NULL;
	struct settings s;
	struct error e = {0};
	struct arena a;
	int rc = 0;

	if (size == 0)
		return 0;
	arena_init(&a, 32 * 1024 * 1024);
	settings_init(&s, &a);
	switch (data[0] % 4) {
	case 0: settings_properties(&s, "x", bytes, size - 1); break;
	case 1: settings_plain(&s, "x", bytes, size - 1); break;
	case 2: rc = settings_toml(&s, "x", bytes, size - 1, &e); break;
	default:
		rc = yaml_tree(&a, "x", bytes, size - 1, true, &docs, &e);
		for (size_t i = 0; rc == 0 && i < jv_len(docs); i++)
			settings_tree(&s, "x", "", jv_at(docs, i));
		break;
	}
	HOLDS(rc == 0 || ((int)e.code == rc && e.text[0] != '\0'));
	check(&s);
	arena_release(&a);
	return 0;
}
