/* Where the first changelog and the tables are: liquibase.properties, Spring's and Quarkus' application files. */
#include "backends/migrate/liquibase_config.h"
#include "backends/migrate/common.h"
#include "backends/migrate/yaml_tree.h"
#include "core/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { KEY_MAX = 256 };

static bool is_application(const char *base)
{
	return strcmp(base, "application.properties") == 0 || strcmp(base, "application.yml") == 0 ||
	       strcmp(base, "application.yaml") == 0;
}

bool lq_is_config(const char *path)
{
	const char *base = migrate_base(path);

	return strcmp(base, "liquibase.properties") == 0 || is_application(base);
}

static bool is_test(const char *path)
{
	return strstr(path, "src/test/") != NULL || strncmp(path, "test/", 5) == 0;
}

static int depth_of(const char *path)
{
	int n = 0;

	for (; *path != '\0'; path++)
		n += *path == '/';
	return n;
}

static int read_file(struct settings *s, struct arena *a, const struct tree_file *f, struct error *e)
{
	const struct jv *docs = NULL;
	int rc;

	if (migrate_ends_with(f->path, ".properties")) {
		settings_properties(s, f->path, f->bytes, f->n);
		return 0;
	}
	rc = yaml_tree(a, f->path, f->bytes, f->n, false, &docs, e);
	if (rc != 0) {
		error_hint(e,
		           "correct it, or set `changelog`, `table` and `schema` and leave it out of `path`");
		return rc;
	}
	for (size_t i = 0; i < jv_len(docs); i++) {
		struct settings own;

		settings_init(&own, a);
		settings_tree(&own, "", "", jv_at(docs, i));
		if (settings_get(&own, "spring.config.activate.on-profile") == NULL &&
		    settings_get(&own, "spring.profiles") == NULL)
			settings_tree(s, f->path, "", jv_at(docs, i));
	}
	return 0;
}

int lq_config_read(struct settings *s, struct arena *a, const struct tree *t, struct error *e)
{
	int deepest = 0, rc = 0;

	settings_init(s, a);
	for (int i = 0; i < t->n_files; i++)
		deepest = MAX(deepest, depth_of(t->files[i].path));
	/* Near the root wins; liquibase.properties over an application's file. */
	for (int depth = deepest; depth >= 0; depth--)
		for (int own = 0; own < 2; own++)
			for (int i = 0; rc == 0 && i < t->n_files; i++) {
				const struct tree_file *f = &t->files[i];

				if (f->bytes != NULL && depth_of(f->path) == depth && lq_is_config(f->path) &&
				    !is_test(f->path) && is_application(migrate_base(f->path)) == (own == 0))
					rc = read_file(s, a, f, e);
			}
	return rc;
}

/* Liquibase's own file first: bare, as of the command line, or with "liquibase." before. */
static const struct setting *find(const struct settings *s, const char *const *names)
{
	static const char *const prefixes[] = {"", "liquibase.", "liquibase.command.",
	                                       "liquibase.command.update."};

	for (int i = 0; names[i] != NULL; i++) {
		if (strchr(names[i], '.') != NULL) {
			const struct setting *x = settings_find(s, names[i]);

			if (x != NULL)
				return x;
			continue;
		}
		for (size_t k = 0; k < ARRAY_LEN(prefixes); k++) {
			const struct setting *x;
			char key[KEY_MAX];

			snprintf(key, sizeof(key), "%s%s", prefixes[k], names[i]);
			x = settings_find(s, key);
			if (x != NULL &&
			    (k > 0 || strcmp(migrate_base(x->from), "liquibase.properties") == 0))
				return x;
		}
	}
	return NULL;
}

const char *lq_config_get(const struct settings *s, enum lq_key key, const char **ret_folder)
{
	static const char *const names[LQ_KEY_COUNT][6] = {
	    [LQ_CHANGELOG] = {"changelogFile", "spring.liquibase.change-log", "quarkus.liquibase.change-log"},
	    [LQ_TABLE] = {"databaseChangelogTableName", "spring.liquibase.database-change-log-table",
	                  "quarkus.liquibase.database-change-log-table-name"},
	    [LQ_LOCK_TABLE] = {"databaseChangelogLockTableName",
	                       "spring.liquibase.database-change-log-lock-table",
	                       "quarkus.liquibase.database-change-log-lock-table-name"},
	    [LQ_SCHEMA] = {"liquibaseSchemaName", "spring.liquibase.liquibase-schema",
	                   "quarkus.liquibase.liquibase-schema-name"},
	    [LQ_DEFAULT_SCHEMA] = {"defaultSchemaName", "spring.liquibase.default-schema",
	                           "quarkus.liquibase.default-schema-name"},
	    [LQ_CONTEXTS] = {"contextFilter", "contexts", "spring.liquibase.contexts",
	                     "quarkus.liquibase.contexts"},
	    [LQ_LABELS] = {"labelFilter", "labels", "spring.liquibase.label-filter",
	                   "spring.liquibase.labels", "quarkus.liquibase.labels"},
	    [LQ_SEARCH_PATH] = {"searchPath", "classpath"},
	};
	const struct setting *x = find(s, names[key]);
	const char *value = x != NULL ? settings_value(s, x->value) : NULL;

	if (ret_folder != NULL)
		*ret_folder =
		    x != NULL ? arena_strndup(s->a, x->from, (size_t)(migrate_base(x->from) - x->from)) : "";
	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* --contexts=a,b, --contexts a,b of the configured program; NULL: not there. */
static const char *argument(struct arena *a, const struct jv *argv, const char *const *names)
{
	for (size_t i = 0; i < jv_len(argv); i++) {
		const char *word = jv_text(jv_at(argv, i), "");

		for (int k = 0; names[k] != NULL; k++) {
			const size_t n = strlen(names[k]);

			if (strncasecmp(word, names[k], n) != 0)
				continue;
			if (word[n] == '=')
				return arena_strdup(a, word + n + 1);
			if (word[n] == '\0' && i + 1 < jv_len(argv))
				return jv_text(jv_at(argv, i + 1), "");
		}
	}
	return NULL;
}

void lq_config_run(struct lq_run *run, struct arena *a, const struct settings *s, const struct jv *options)
{
	static const char *const context_words[] = {"--contexts", "--context-filter", "--contextFilter",
	                                            NULL};
	static const char *const label_words[] = {"--labels", "--label-filter", "--labelFilter", NULL};
	const struct jv *argv = jv_get(options, "command");
	const char *contexts = jv_get_text(options, "contexts", ""),
	           *labels = jv_get_text(options, "labels", "");

	if (contexts[0] == '\0')
		contexts = argument(a, argv, context_words);
	if (contexts == NULL)
		contexts = lq_config_get(s, LQ_CONTEXTS, NULL);
	if (labels[0] == '\0')
		labels = argument(a, argv, label_words);
	if (labels == NULL)
		labels = lq_config_get(s, LQ_LABELS, NULL);
	run->contexts_known = contexts != NULL;
	lq_split(&run->contexts, a, contexts);
	run->labels = labels;
}

/* PostgreSQL keeps a name in mixed case as it is; Liquibase leaves others to be folded. */
const char *lq_config_name(struct arena *a, const char *name)
{
	bool upper = false, lower = false;
	char *copy;

	if (name == NULL)
		return NULL;
	for (const char *c = name; *c != '\0'; c++) {
		upper |= isupper((unsigned char)*c);
		lower |= islower((unsigned char)*c);
	}
	copy = arena_strdup(a, name);
	for (char *c = copy; c != NULL && *c != '\0' && !(upper && lower); c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

/* "parameter.x", "liquibase.parameter.x", "spring.liquibase.parameters.x" */
const char *lq_config_parameter(const struct setting *x)
{
	static const char *const prefixes[] = {
	    "parameter.", "liquibase.parameter.", "spring.liquibase.parameters.",
	    "quarkus.liquibase.change-log-parameters.", "changelog.parameter."};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (strncmp(x->key, prefixes[i], strlen(prefixes[i])) == 0)
			return x->key + strlen(prefixes[i]);
	return NULL;
}
