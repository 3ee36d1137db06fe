/* SQL lint and the Python reader of Django's migrations, on any bytes: texts stay clean, nothing crashes or hangs. */
#include "backends/migrate/django_code.h"
#include "core/text.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lint l = {0};
	struct arena a;
	struct django_file f = {.key = {"app", "0001"}};

	lint_sql(&l, (const char *)data, size);
	HOLDS(text_is_clean(l.text, strlen(l.text)));
	arena_init(&a, ARENA_DEFAULT_MAX);
	django_read_migration(&a, (const char *)data, size, "", &f);
	HOLDS(text_is_clean(f.lint.text, strlen(f.lint.text)));
	HOLDS(django_read_label(&a, (const char *)data, size, "x") != NULL || arena_failed(&a));
	django_read_user_app(&a, (const char *)data, size);
	arena_release(&a);
	return 0;
}
