/*
 * database.yml is YAML behind ERB: what a tag computes is unknown here, but for ENV.fetch with a default. The Ruby
 * files are searched for assignments of plain strings; comments do not count.
 */
#include "backends/migrate/rails_config.h"
#include "backends/migrate/numbered.h"
#include "backends/migrate/yaml_tree.h"
#include "core/str.h"
#include "core/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool rails_config_wants(const char *path)
{
	static const char *const names[] = {"config/database.yml",   "config/database.yaml",  "db/config.yml",
	                                    "config/application.rb", "config/environment.rb", "Rakefile"};
	static const char *const folders[] = {"config/environments/", "config/initializers/"};
	const size_t n = strlen(path);

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(path, names[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (strncmp(path, folders[i], strlen(folders[i])) == 0 && n > 3 &&
		    strcmp(path + n - 3, ".rb") == 0)
			return true;
	return false;
}

static void assume(struct rails_config *c, const char *what)
{
	for (int i = 0; i < c->n_assumed; i++)
		if (strcmp(c->assumed[i], what) == 0)
			return;
	if (c->n_assumed < RAILS_PATHS_MAX)
		c->assumed[c->n_assumed++] = what;
}

/* --- Ruby ------------------------------------------------------------------------------------------------------ */

/* A copy with comments as blanks. */
static char *without_comments(struct arena *a, const char *bytes, size_t n)
{
	char *s = arena_strndup(a, bytes, n);
	char quote = '\0';
	bool line_start = true;

	for (char *p = s; p != NULL && *p != '\0'; p++) {
		if (quote == '\0' && line_start && strncmp(p, "=begin", 6) == 0) {
			char *end = strstr(p, "\n=end");

			for (; *p != '\0' && p != end; p++)
				*p = *p == '\n' ? '\n' : ' ';
			if (*p == '\0')
				break;
			memset(p + 1, ' ', 4);
		}
		line_start = *p == '\n';
		if (quote != '\0') {
			if (*p == '\\' && p[1] != '\0')
				p++;
			else if (*p == quote)
				quote = '\0';
		} else if (*p == '"' || *p == '\'') {
			quote = *p;
		} else if (*p == '#') {
			for (; *p != '\0' && *p != '\n'; p++)
				*p = ' ';
			if (*p == '\0')
				break;
			line_start = true;
		}
	}
	return s;
}

static const char *skip_blanks(const char *p) { return p + strspn(p, " \t"); }

/* The string at p ('x' or "x"); *end behind it. NULL: none, or one that is computed. */
static const char *literal(struct arena *a, const char *p, const char **end)
{
	size_t n;

	if (*p != '"' && *p != '\'')
		return NULL;
	n = strcspn(p + 1, *p == '"' ? "\"\\\n" : "'\\\n");
	if (p[1 + n] != *p)
		return NULL;
	*end = p + n + 2;
	for (size_t i = 0; *p == '"' && i + 1 < n; i++)
		if (p[1 + i] == '#' && p[2 + i] == '{')
			return NULL;
	return arena_strndup(a, p + 1, n);
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static bool stands_behind(const char *text, const char *at, const char *what)
{
	const size_t n = strlen(what);

	return (size_t)(at - text) >= n && memcmp(at - n, what, n) == 0;
}

/* The last value given to name: by any receiver, or only by ActiveRecord's where base_only. */
static void take_assignment(struct rails_config *c, struct arena *a, const char *text, const char *name,
                            bool base_only, const char **ret)
{
	for (const char *p = strstr(text, name); p != NULL; p = strstr(p + 1, name)) {
		const char *at = skip_blanks(p + strlen(name)), *value, *end;

		if ((p > text && is_word(p[-1])) || at[0] != '=' || at[1] == '=')
			continue;
		if (base_only && !stands_behind(text, p, "active_record.") &&
		    !stands_behind(text, p, "ActiveRecord::Base."))
			continue;
		value = literal(a, skip_blanks(at + 1), &end);
		if (value != NULL)
			*ret = value;
		else
			assume(c, name);
	}
}

static void add_path(struct rails_config *c, const char *path)
{
	if (path != NULL && c->n_paths < RAILS_PATHS_MAX)
		c->paths[c->n_paths++] = path;
}

/* Strings behind '=' or '<<', alone or in brackets. */
static void take_paths(struct rails_config *c, struct arena *a, const char *text, const char *name)
{
	for (const char *p = strstr(text, name); p != NULL; p = strstr(p + 1, name)) {
		const char *at = skip_blanks(p + strlen(name)), *end;
		const bool sets = at[0] == '=' && at[1] != '=', adds = at[0] == '<' && at[1] == '<';
		bool any = false, list;

		if (!sets && !adds)
			continue;
		at = skip_blanks(at + (sets ? 1 : 2));
		list = *at == '[';
		at += list;
		if (sets)
			c->n_paths = 0;
		for (;;) {
			const char *value;

			at += strspn(at, list ? " \t\n," : " \t");
			value = literal(a, at, &end);
			if (value == NULL)
				break;
			add_path(c, value);
			any = true;
			at = end;
			if (!list)
				break;
		}
		if (!any)
			assume(c, "migrations_paths");
	}
}

/* config.load_defaults 7.2 */
static void take_defaults(struct rails_config *c, const char *text)
{
	const char *p = strstr(text, "load_defaults");
	uint64_t major = 0, minor = 0;
	size_t n;

	if (p == NULL)
		return;
	p += strlen("load_defaults");
	p += strspn(p, " \t(\"'");
	n = numbered_version(p, UINT32_MAX, &major);
	if (p[n] == '.')
		(void)numbered_version(p + n + 1, UINT32_MAX, &minor);
	c->checks_timestamps = major > 7 || (major == 7 && minor >= 2);
}

struct names {
	const char *table, *metadata, *prefix, *suffix;
};

static void read_ruby(struct rails_config *c, struct arena *a, const struct tree_file *f, struct names *n)
{
	const char *text = without_comments(a, f->bytes, f->n), *p;

	if (text == NULL)
		return;
	take_assignment(c, a, text, "schema_migrations_table_name", false, &n->table);
	take_assignment(c, a, text, "internal_metadata_table_name", false, &n->metadata);
	take_assignment(c, a, text, "table_name_prefix", true, &n->prefix);
	take_assignment(c, a, text, "table_name_suffix", true, &n->suffix);
	take_paths(c, a, text, "paths[\"db/migrate\"]");
	take_paths(c, a, text, "paths['db/migrate']");
	take_paths(c, a, text, "Migrator.migrations_paths");
	take_paths(c, a, text, "DatabaseTasks.migrations_paths");
	take_defaults(c, text);
	p = strstr(text, "validate_migration_timestamps");
	if (p != NULL) {
		p = skip_blanks(p + strlen("validate_migration_timestamps"));
		if (*p == '=')
			c->checks_timestamps = strncmp(skip_blanks(p + 1), "true", 4) == 0;
	}
}

/* --- database.yml ------------------------------------------------------------------------------------------------ */

/* The default in ENV.fetch("X", "y") or ENV.fetch("X") { "y" }; NULL: only the program knows. */
static const char *tag_default(struct arena *a, const char *tag)
{
	const char *p = strstr(tag, "ENV.fetch"), *end;

	if (p == NULL)
		return NULL;
	p = skip_blanks(p + strlen("ENV.fetch"));
	p += *p == '(';
	if (literal(a, skip_blanks(p), &end) == NULL)
		return NULL;
	p = end + strspn(end, " \t),{");
	if (isdigit((unsigned char)*p))
		return arena_strndup(a, p, strspn(p, "0123456789"));
	return literal(a, p, &end);
}

/* The text with its ERB tags replaced by their defaults, or by nothing. */
static void without_tags(struct arena *a, const char *bytes, size_t n, struct str *out)
{
	const char *p = bytes, *stop = bytes + n;

	while (p < stop) {
		const char *from = strstr(p, "<%"), *to = from != NULL ? strstr(from, "%>") : NULL;
		const char *value = NULL;

		if (to == NULL)
			break;
		str_addn(out, p, (size_t)(from - p));
		if (from[2] == '=')
			value = tag_default(a, arena_strndup(a, from, (size_t)(to - from)));
		if (value != NULL && strcspn(value, "\n\"'#:{}[],&*") == strlen(value))
			str_add(out, value);
		p = to + 2;
	}
	str_addn(out, p, (size_t)(stop - p));
}

static void add_db_path(struct rails_db *db, const struct jv *v)
{
	if (jv_type(v) == JV_STR && db->n_paths < RAILS_PATHS_MAX)
		db->paths[db->n_paths++] = jv_text(v, "");
}

static void read_db(struct rails_config *c, const char *name, const struct jv *v)
{
	const struct jv *paths = jv_get(v, "migrations_paths");
	struct rails_db *db = &c->dbs[c->n_dbs];

	if (c->n_dbs == RAILS_DBS_MAX || strcmp(jv_get_text(v, "replica", ""), "true") == 0 ||
	    strcmp(jv_get_text(v, "database_tasks", ""), "false") == 0)
		return;
	*db = (struct rails_db){.name = name,
	                        .database = jv_get_text(v, "database", NULL),
	                        .search_path = jv_get_text(v, "schema_search_path", NULL)};
	add_db_path(db, paths);
	for (size_t i = 0; jv_type(paths) == JV_ARR && i < jv_len(paths); i++)
		add_db_path(db, jv_at(paths, i));
	c->n_dbs++;
}

/* The section of the environment: one database, or one below each name. */
static void read_section(struct rails_config *c, const struct jv *section)
{
	bool several = jv_len(section) > 0;

	for (size_t i = 0; i < jv_len(section); i++)
		several &= jv_type(jv_at(section, i)) == JV_OBJ;
	if (!several && jv_type(section) == JV_OBJ)
		read_db(c, "primary", section);
	for (size_t i = 0; several && i < jv_len(section); i++)
		read_db(c, jv_key(section, i), jv_at(section, i));
}

static void read_yaml(struct rails_config *c, struct arena *a, const struct tree_file *f, const char *env)
{
	const struct jv *docs = NULL, *section = NULL;
	struct error e = {0};
	struct str text;
	char clean[TEXT_LEN];

	str_init(&text, CONFIG_BYTES_MAX);
	without_tags(a, f->bytes, f->n, &text);
	if (text.failed) {
		c->trouble = "config/database.yml is too large";
	} else if (yaml_tree(a, f->path, str_text(&text), text.len, false, &docs, &e) != 0) {
		text_cleanz(clean, sizeof(clean), e.text);
		/* What ERB would have written may be what is missing. */
		if (strstr(f->bytes, "<%") != NULL)
			assume(c, "database.yml");
		else
			c->trouble = arena_strdup(a, clean);
	} else {
		section = jv_get(jv_at(docs, 0), env);
		if (section == NULL && c->n_dbs == 0)
			assume(c, "the environment's section of database.yml");
		read_section(c, section);
	}
	str_release(&text);
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static const char *full_name(struct arena *a, const struct names *n, const char *said, const char *otherwise)
{
	if (said == NULL && n->prefix == NULL && n->suffix == NULL)
		return NULL;
	return arena_printf(a, "%s%s%s", n->prefix != NULL ? n->prefix : "", said != NULL ? said : otherwise,
	                    n->suffix != NULL ? n->suffix : "");
}

/* A file of another environment does not count. */
static bool is_of_other_env(const char *path, const char *env)
{
	const char *folder = "config/environments/";
	const size_t n = strlen(folder), k = strlen(env);

	return strncmp(path, folder, n) == 0 &&
	       (strncmp(path + n, env, k) != 0 || strcmp(path + n + k, ".rb") != 0);
}

void rails_config_read(struct rails_config *c, struct arena *a, const struct tree *t, const char *env)
{
	struct names names = {0};

	/* In the order of loading: application, environments, initializers; so byte order will do. */
	for (int i = 0; i < t->n_files; i++) {
		const struct tree_file *f = &t->files[i];
		const size_t n = strlen(f->path);

		if (f->is_dir || f->bytes == NULL || !rails_config_wants(f->path) ||
		    is_of_other_env(f->path, env))
			continue;
		if (strcmp(f->path + n - 3, "yml") == 0 || strcmp(f->path + n - 4, "yaml") == 0)
			read_yaml(c, a, f, env);
		else
			read_ruby(c, a, f, &names);
	}
	c->table = full_name(a, &names, names.table, "schema_migrations");
	c->metadata = full_name(a, &names, names.metadata, "ar_internal_metadata");
}
