/* Configuration files in JavaScript, of any bytes: read within bounds, and no text that is not clean comes out. */
#include "backends/migrate/jsconf.h"
#include "backends/migrate/jsglob.h"
#include "backends/migrate/jstool.h"
#include "backends/migrate/typeorm_code.h"
#include "core/text.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct migrate_job job = {0};
	struct tree_file *f;
	struct error e;
	struct jsconf *c;
	const struct jv *v, *x;
	const char *text = "otherwise";
	char *bytes;
	bool failed;

	arena_init(&job.arena, ARENA_DEFAULT_MAX);
	bytes = arena_alloc(&job.arena, size + 1);
	c = jsconf_new(&job);
	if (bytes == NULL || c == NULL || tree_add(&job.tree, &job.arena, "d/a.js", false, &f, &e) != 0)
		return 0;
	if (size > 0)
		memcpy(bytes, data, size);
	f->bytes = bytes;
	f->n = size;
	v = jsconf_file(c, "d/a.js");
	if (jsconf_get(v, "migrations", &x) != JS_ABSENT)
		jsconf_text(c, x, "directory", "migrations.directory", &text);
	jsconf_argument(c, "d/a.js", "DataSource", 0);
	text = jsconf_path(c, "d", text);
	HOLDS(text == NULL || strncmp(text, "../", 3) != 0);
	for (size_t i = 0; i < jv_len(jsconf_notes(c)); i++) {
		text = jv_text(jv_at(jsconf_notes(c), i), "");
		HOLDS(text_is_clean(text, strlen(text)));
	}
	for (const struct typeorm_class *t = typeorm_classes(&job.arena, bytes, size, &failed); t != NULL;
	     t = t->next)
		HOLDS(text_is_clean(t->name, strlen(t->name)) && t->timestamp >= 0);
	jstool_mentions(f, "down");
	jsglob_match(bytes, "a/b/c.js", false);
	HOLDS(!arena_failed(&job.arena));
	arena_release(&job.arena);
	return 0;
}
