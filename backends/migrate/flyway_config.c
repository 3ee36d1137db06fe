/* Flyway's configuration from flyway.conf, flyway.toml and Spring's (Quarkus', Micronaut's) application files. */
#include "backends/migrate/common.h"
#include "backends/migrate/flyway_code.h"
#include "backends/migrate/yaml_tree.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { KEY_MAX = 256, CONF_MAX = 1024 * 1024 };

/* Where a key "table" may stand; the first that has it wins. */
static const char *const prefixes[] = {"flyway.", "spring.flyway.", "quarkus.flyway.",
                                       "flyway.datasources.default."};

static bool is_application(const char *base)
{
	return strcmp(base, "application.properties") == 0 || strcmp(base, "application.yml") == 0 ||
	       strcmp(base, "application.yaml") == 0;
}

bool flyway_is_config(const char *path)
{
	const char *base = migrate_base(path);

	return strcmp(base, "flyway.conf") == 0 || strcmp(base, "flyway.toml") == 0 || is_application(base);
}

static bool is_test(const char *path)
{
	return strstr(path, "src/test/") != NULL || strncmp(path, "test/", 5) == 0 ||
	       strstr(path, "/test/") != NULL;
}

static void list_add(struct flyway_list *l, const char *s)
{
	if (l->n < FLYWAY_LIST_MAX && s != NULL)
		l->items[l->n++] = s;
}

/* The parts of "a, b,c". */
static void list_split(struct flyway_list *l, struct arena *a, const char *text)
{
	l->n = 0;
	while (*text != '\0') {
		size_t n;

		text += strspn(text, " \t\r\n,");
		n = strcspn(text, ",");
		while (n > 0 && isspace((unsigned char)text[n - 1]))
			n--;
		if (n > 0)
			list_add(l, arena_strndup(a, text, n));
		text += strcspn(text, ",");
	}
}

/* --- reading the files --------------------------------------------------------------------------------------- */

/*
 * flyway.conf: .properties in which a backslash stands for itself but at the end of a line that goes on. Flyway takes
 * a line as going on when the next one is neither empty nor a setting of its own.
 */
static void read_conf(struct settings *s, struct arena *a, const struct tree_file *f)
{
	const char *p = f->bytes, *end = f->bytes + f->n;
	struct str text;

	UNUSED(a);
	str_init(&text, CONF_MAX);
	while (p < end) {
		const char *eol = memchr(p, '\n', (size_t)(end - p)), *next, *last;

		if (eol == NULL)
			eol = end;
		last = eol;
		while (last > p && isspace((unsigned char)last[-1]))
			last--;
		next = eol < end ? eol + 1 : end;
		for (; p < last; p++) {
			const bool ends =
			    p + 1 == last && *p == '\\' && next < end && *next != '\n' && *next != '\r';
			const char *line = next + strspn(next, " \t");

			str_addc(&text, *p);
			if (*p == '\\' && !(ends && strncmp(line, "flyway.", 7) != 0))
				str_addc(&text, '\\');
		}
		str_addc(&text, '\n');
		p = next;
	}
	if (!text.failed)
		settings_properties(s, f->path, str_text(&text), text.len);
	str_release(&text);
}

/* Documents that hold for a profile only are not for everybody. */
static bool has_profile(struct arena *a, const struct jv *doc)
{
	struct settings s;

	settings_init(&s, a);
	settings_tree(&s, "", "", doc);
	return settings_get(&s, "spring.config.activate.on-profile") != NULL ||
	       settings_get(&s, "spring.profiles") != NULL;
}

static int read_yaml(struct settings *s, struct arena *a, const struct tree_file *f, struct error *e)
{
	const struct jv *docs = NULL;
	int rc = yaml_tree(a, f->path, f->bytes, f->n, false, &docs, e);

	for (size_t i = 0; rc == 0 && i < jv_len(docs); i++)
		if (!has_profile(a, jv_at(docs, i)))
			settings_tree(s, f->path, "", jv_at(docs, i));
	return rc;
}

/* A template's or another tool's file of that name is no reason to stop where Flyway has its own. */
static int read_file(struct flyway_config *c, struct arena *a, const struct tree_file *f, struct error *e)
{
	const char *base = migrate_base(f->path);
	int rc = 0;

	if (strcmp(base, "flyway.conf") == 0)
		read_conf(&c->all, a, f);
	else if (strcmp(base, "flyway.toml") == 0)
		rc = settings_toml(&c->all, f->path, f->bytes, f->n, e);
	else if (migrate_ends_with(base, ".properties"))
		settings_properties(&c->all, f->path, f->bytes, f->n);
	else
		rc = read_yaml(&c->all, a, f, e);
	if (rc == ERR_INVALID)
		error_hint(e,
		           "correct it, or set `locations`, `table` and `schema` and leave it out of `path`");
	return rc;
}

static int depth_of(const char *path)
{
	int n = 0;

	for (; *path != '\0'; path++)
		n += *path == '/';
	return n;
}

/* Deep ones first, so that those near the root win; of one folder .properties after YAML, TOML after .conf. */
static int read_files(struct flyway_config *c, struct arena *a, const struct tree *t, struct error *e)
{
	static const char *const ends[] = {".yaml", ".yml", ".properties", ".conf", ".toml"};
	int deepest = 0, rc = 0;

	for (int i = 0; i < t->n_files; i++)
		deepest = MAX(deepest, depth_of(t->files[i].path));
	for (int depth = deepest; depth >= 0; depth--)
		for (size_t k = 0; k < ARRAY_LEN(ends); k++)
			for (int i = 0; rc == 0 && i < t->n_files; i++) {
				const struct tree_file *f = &t->files[i];

				if (f->bytes != NULL && depth_of(f->path) == depth &&
				    flyway_is_config(f->path) && migrate_ends_with(f->path, ends[k]) &&
				    !is_test(f->path))
					rc = read_file(c, a, f, e);
			}
	return rc;
}

/* --- the settings -------------------------------------------------------------------------------------------- */

static const struct setting *find(const struct flyway_config *c, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		char key[KEY_MAX];
		const struct setting *x;

		snprintf(key, sizeof(key), "%s%s", prefixes[i], name);
		x = settings_find(&c->all, key);
		if (x != NULL)
			return x;
	}
	return NULL;
}

/* The value of a key, NULL: not said; one that only the running program knows is noted as assumed. */
static const char *get(struct flyway_config *c, const char *name)
{
	const struct setting *x = find(c, name);
	const char *value = x != NULL ? settings_value(&c->all, x->value) : NULL;

	if (x != NULL && value == NULL)
		list_add(&c->assumed, name);
	return value;
}

static const char *get_text(struct flyway_config *c, const char *name, const char *otherwise)
{
	const char *value = get(c, name);

	return value != NULL && value[0] != '\0' ? value : otherwise;
}

static bool get_true(struct flyway_config *c, const char *name, bool otherwise)
{
	const char *value = get(c, name);

	return value != NULL && value[0] != '\0' ? strcasecmp(value, "true") == 0 : otherwise;
}

/* A list as one value, or as key[0], key[1]. */
static bool get_list(struct flyway_config *c, struct arena *a, const char *name, struct flyway_list *ret)
{
	const char *value = get(c, name);
	char key[KEY_MAX];

	if (value != NULL && value[0] != '\0') {
		list_split(ret, a, value);
		return true;
	}
	snprintf(key, sizeof(key), "%s[0]", name);
	if (find(c, key) == NULL)
		return false;
	ret->n = 0;
	for (int i = 0; i < FLYWAY_LIST_MAX; i++) {
		snprintf(key, sizeof(key), "%s[%d]", name, i);
		if (find(c, key) == NULL)
			break;
		list_add(ret, get(c, key));
	}
	return true;
}

/* flyway.toml keeps the schemas with the environment. */
static const char *environment_schema(struct flyway_config *c, struct arena *a)
{
	struct flyway_list schemas = {.n = 0};
	char key[KEY_MAX];
	const char *value;

	snprintf(key, sizeof(key), "environments.%s.schemas", get_text(c, "environment", "default"));
	value = settings_value(&c->all, settings_get(&c->all, key));
	if (value != NULL)
		list_split(&schemas, a, value);
	return schemas.n > 0 ? schemas.items[0] : NULL;
}

static void read_schema(struct flyway_config *c, struct arena *a)
{
	struct flyway_list schemas = {.n = 0};

	c->schema = get_text(c, "defaultSchema", NULL);
	if (c->schema == NULL && get_list(c, a, "schemas", &schemas) && schemas.n > 0)
		c->schema = schemas.items[0];
	if (c->schema == NULL)
		c->schema = environment_schema(c, a);
}

/* Before version 9 each state had a switch of its own. */
static void read_patterns(struct flyway_config *c, struct arena *a)
{
	if (get_list(c, a, "ignoreMigrationPatterns", &c->ignore_patterns))
		return;
	if (get_true(c, "ignoreFutureMigrations", true))
		list_add(&c->ignore_patterns, "*:future");
	if (get_true(c, "ignoreMissingMigrations", false))
		list_add(&c->ignore_patterns, "*:missing");
	if (get_true(c, "ignoreIgnoredMigrations", false))
		list_add(&c->ignore_patterns, "*:ignored");
}

static void read_encoding(struct flyway_config *c)
{
	static const char *const utf8[] = {"utf-8", "utf8", "us-ascii", "ascii"};
	static const char *const latin1[] = {"iso-8859-1", "iso8859-1", "latin1", "latin-1", "iso_8859-1"};

	c->encoding_name = get_text(c, "encoding", "UTF-8");
	c->encoding = FLYWAY_UNKNOWN_ENCODING;
	for (size_t i = 0; i < ARRAY_LEN(utf8); i++)
		if (strcasecmp(c->encoding_name, utf8[i]) == 0)
			c->encoding = FLYWAY_UTF8;
	for (size_t i = 0; i < ARRAY_LEN(latin1); i++)
		if (strcasecmp(c->encoding_name, latin1[i]) == 0)
			c->encoding = FLYWAY_LATIN1;
}

/* The folder of the file that says the locations: filesystem: may be relative to it. */
static void read_locations(struct flyway_config *c, struct arena *a)
{
	const struct setting *x = find(c, "locations");

	c->folder = "";
	if (x == NULL)
		x = find(c, "locations[0]");
	if (x != NULL)
		c->folder = arena_strndup(a, x->from, (size_t)(migrate_base(x->from) - x->from));
	c->locations_said = get_list(c, a, "locations", &c->locations);
	if (!c->locations_said)
		list_add(&c->locations, "classpath:db/migration");
}

static void read_options(struct flyway_config *c, const struct jv *options)
{
	const struct jv *locations = jv_get(options, "locations");
	const char *target = jv_get_text(options, "target", "");

	if (jv_len(locations) > 0) {
		c->locations.n = 0;
		c->locations_said = true;
		c->folder = "";
	}
	for (size_t i = 0; i < jv_len(locations); i++)
		list_add(&c->locations, jv_text(jv_at(locations, i), ""));
	if (target[0] != '\0')
		c->target = target;
	c->out_of_order = jv_get_true(options, "out_of_order", c->out_of_order);
	settings_tree(&c->all, "", "flyway.placeholders", jv_get(options, "placeholders"));
}

int flyway_read_config(struct flyway_config *c, struct arena *a, const struct tree *t,
                       const struct jv *options, struct error *e)
{
	int rc;

	*c = (struct flyway_config){.schema = NULL};
	settings_init(&c->all, a);
	rc = read_files(c, a, t, e);
	if (rc != 0)
		return rc;
	read_locations(c, a);
	read_schema(c, a);
	read_patterns(c, a);
	read_encoding(c);
	c->prefix = get_text(c, "sqlMigrationPrefix", "V");
	c->repeatable_prefix = get_text(c, "repeatableSqlMigrationPrefix", "R");
	c->undo_prefix = get_text(c, "undoSqlMigrationPrefix", "U");
	c->baseline_prefix = get_text(c, "baselineMigrationPrefix", "B");
	c->separator = get_text(c, "sqlMigrationSeparator", "__");
	if (!get_list(c, a, "sqlMigrationSuffixes", &c->suffixes))
		list_add(&c->suffixes, ".sql");
	c->table = get_text(c, "table", NULL);
	c->target = get_text(c, "target", NULL);
	c->placeholder_prefix = get_text(c, "placeholderPrefix", "${");
	c->placeholder_suffix = get_text(c, "placeholderSuffix", "}");
	c->placeholder_separator = get_text(c, "placeholderSeparator", ":");
	c->placeholder_replacement = get_true(c, "placeholderReplacement", true);
	c->out_of_order = get_true(c, "outOfOrder", false);
	c->validate = get_true(c, "validateOnMigrate", true);
	c->validate_naming = get_true(c, "validateMigrationNaming", false);
	c->baseline_on_migrate = get_true(c, "baselineOnMigrate", false);
	read_options(c, options);
	return arena_failed(a) ? error_set(e, ERR_NOMEM, "out of memory") : 0;
}

/* Placeholders' names keep their underlines; only case does not matter. */
const char *flyway_placeholder(const struct flyway_config *c, const char *name)
{
	for (int i = c->all.n - 1; i >= 0; i--)
		for (size_t k = 0; k < ARRAY_LEN(prefixes); k++) {
			const char *key = c->all.items[i].key;
			const size_t n = strlen(prefixes[k]);

			if (strncasecmp(key, prefixes[k], n) == 0 &&
			    strncasecmp(key + n, "placeholders.", 13) == 0 &&
			    strcasecmp(key + n + 13, name) == 0)
				return settings_value(&c->all, c->all.items[i].value);
		}
	return NULL;
}
