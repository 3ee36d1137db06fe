/* Which tool and language a file is of, and the reader for it. */
#include "core/lint_private.h"
#include "core/lint_read.h"

#include "core/limits.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

enum language { LANG_SQL, LANG_PYTHON, LANG_JS, LANG_RUBY, LANG_CHANGELOG, LANG_OTHER };

/* --- texts ----------------------------------------------------------------------------------------------- */

static const char *find_text(const char *s, size_t n, const char *word)
{
	const size_t k = strlen(word);

	for (const char *p = s; n >= k && p <= s + n - k; p++) {
		p = memchr(p, word[0], (size_t)(s + n - k - p) + 1);
		if (p == NULL)
			return NULL;
		if (memcmp(p, word, k) == 0)
			return p;
	}
	return NULL;
}

static bool has(const struct lint_source *src, const char *word)
{
	return find_text(src->s, src->n, word) != NULL;
}

static bool ends(const char *s, const char *end)
{
	const size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* True when the path has this folder above the file. */
static bool has_folder(const char *path, const char *folder)
{
	const size_t n = strlen(folder);

	for (const char *p = path; (p = strstr(p, folder)) != NULL; p++)
		if ((p == path || p[-1] == '/') && p[n] == '/')
			return true;
	return false;
}

static size_t digits(const char *s) { return strspn(s, "0123456789"); }

/* --- language -------------------------------------------------------------------------------------------- */

static enum language language_by_content(const struct lint_source *src)
{
	if (has(src, "databaseChangeLog") && !has(src, "--liquibase formatted sql"))
		return LANG_CHANGELOG;
	if (has(src, "migrations.Migration") || has(src, "from alembic import"))
		return LANG_PYTHON;
	if (has(src, "ActiveRecord::Migration"))
		return LANG_RUBY;
	if (has(src, "exports.up") || has(src, "module.exports") || has(src, "queryRunner") ||
	    has(src, "queryInterface") || has(src, "export async function up") || has(src, "export const up"))
		return LANG_JS;
	return LANG_SQL;
}

/* Where neither name nor content tells, the tool does. */
static enum language language_by_tool(const struct lint_source *src)
{
	switch ((int)src->tool) {
	case LINT_TOOL_DJANGO:
	case LINT_TOOL_ALEMBIC: return LANG_PYTHON;
	case LINT_TOOL_RAILS: return LANG_RUBY;
	case LINT_TOOL_KNEX:
	case LINT_TOOL_SEQUELIZE:
	case LINT_TOOL_TYPEORM: return LANG_JS;
	default: return language_by_content(src);
	}
}

static enum language language_of(const struct lint_source *src)
{
	static const struct {
		const char *end;
		enum language language;
	} ends_of[] = {{".sql", LANG_SQL},        {".py", LANG_PYTHON},      {".js", LANG_JS},
	               {".ts", LANG_JS},          {".cjs", LANG_JS},         {".mjs", LANG_JS},
	               {".cts", LANG_JS},         {".mts", LANG_JS},         {".rb", LANG_RUBY},
	               {".xml", LANG_CHANGELOG},  {".yaml", LANG_CHANGELOG}, {".yml", LANG_CHANGELOG},
	               {".json", LANG_CHANGELOG}, {".java", LANG_OTHER},     {".kt", LANG_OTHER},
	               {".go", LANG_OTHER},       {".groovy", LANG_OTHER},   {".coffee", LANG_OTHER},
	               {".php", LANG_OTHER}};

	for (size_t i = 0; i < ARRAY_LEN(ends_of); i++)
		if (ends(src->path, ends_of[i].end))
			return ends_of[i].language;
	return language_by_tool(src);
}

/* --- tool ------------------------------------------------------------------------------------------------ */

static bool is_flyway_name(const char *base)
{
	const char *at = base + 1;

	if (base[0] == 'R')
		return strncmp(base, "R__", 3) == 0;
	if (strchr("VUB", base[0]) == NULL || base[0] == '\0' || digits(at) == 0)
		return false;
	at += strspn(at, "0123456789._");
	return at - base >= 4 && at[-1] == '_' && at[-2] == '_';
}

/* The folder's name begins with 14 digits: Prisma. */
static bool is_prisma_path(const char *path)
{
	const char *base = base_name(path), *from = base - 1;

	if (strcmp(base, "migration.sql") != 0 || from <= path)
		return false;
	while (from > path && from[-1] != '/')
		from--;
	return digits(from) == 14 && from[14] == '_';
}

static enum lint_tool sql_tool(const struct lint_source *src)
{
	static const struct {
		const char *sign;
		enum lint_tool tool;
	} signs[] = {{"-- +goose", LINT_TOOL_GOOSE},
	             {"-- migrate:up", LINT_TOOL_DBMATE},
	             {"--liquibase formatted sql", LINT_TOOL_LIQUIBASE},
	             {"-- liquibase formatted sql", LINT_TOOL_LIQUIBASE},
	             {"--> statement-breakpoint", LINT_TOOL_DRIZZLE},
	             {"-- atlas:txmode", LINT_TOOL_ATLAS},
	             {"-- Up Migration", LINT_TOOL_NODE_PG_MIGRATE},
	             {"-- Down Migration", LINT_TOOL_NODE_PG_MIGRATE}};
	const char *base = base_name(src->path);

	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (has(src, signs[i].sign))
			return signs[i].tool;
	if (ends(base, ".up.sql") || ends(base, ".down.sql"))
		return LINT_TOOL_GOLANG_MIGRATE;
	if (is_prisma_path(src->path))
		return LINT_TOOL_PRISMA;
	if (is_flyway_name(base))
		return LINT_TOOL_FLYWAY;
	if (has_folder(src->path, "drizzle") && digits(base) == 4 && base[4] == '_')
		return LINT_TOOL_DRIZZLE;
	if (has(src, "-- Deploy ") || has(src, "-- Revert ") || has(src, "-- Verify "))
		return LINT_TOOL_SQITCH;
	return LINT_TOOL_SQL;
}

static enum lint_tool js_tool(const struct lint_source *src)
{
	if (has(src, "queryRunner"))
		return LINT_TOOL_TYPEORM;
	if (has(src, "queryInterface"))
		return LINT_TOOL_SEQUELIZE;
	if (has(src, "pgm"))
		return LINT_TOOL_NODE_PG_MIGRATE;
	return has(src, "knex") ? LINT_TOOL_KNEX : LINT_TOOL_SQL;
}

static enum lint_tool tool_of(const struct lint_source *src, enum language language)
{
	switch (language) {
	case LANG_SQL: return sql_tool(src);
	case LANG_PYTHON:
		return has(src, "alembic")                                      ? LINT_TOOL_ALEMBIC
		       : has(src, "django") || has(src, "migrations.Migration") ? LINT_TOOL_DJANGO
		                                                                : LINT_TOOL_SQL;
	case LANG_JS: return js_tool(src);
	case LANG_RUBY: return LINT_TOOL_RAILS;
	case LANG_CHANGELOG: return LINT_TOOL_LIQUIBASE;
	case LANG_OTHER: return LINT_TOOL_SQL;
	}
	return LINT_TOOL_SQL;
}

/* Files that take back or check what another made. */
static bool is_way_back(const struct lint_source *src)
{
	const char *base = base_name(src->path);

	switch ((int)src->tool) {
	case LINT_TOOL_GOLANG_MIGRATE: return ends(base, ".down.sql");
	case LINT_TOOL_FLYWAY: return base[0] == 'U' && is_flyway_name(base);
	case LINT_TOOL_SQITCH: return has_folder(src->path, "revert") || has_folder(src->path, "verify");
	case LINT_TOOL_PRISMA: return strcmp(base, "down.sql") == 0;
	default: return false;
	}
}

/* --- readers --------------------------------------------------------------------------------------------- */

static void read_source(struct lint_source *src, enum language language)
{
	if (language == LANG_SQL)
		lint_read_sql(src);
	else if (language == LANG_PYTHON && src->tool == LINT_TOOL_DJANGO)
		lint_read_django(src);
	else if (language == LANG_PYTHON && src->tool == LINT_TOOL_ALEMBIC)
		lint_read_alembic(src);
	else if (language == LANG_JS && src->tool != LINT_TOOL_SQL)
		lint_read_js(src);
	else if (language == LANG_RUBY)
		lint_read_rails(src);
	else if (language == LANG_CHANGELOG)
		lint_read_liquibase(src);
	else
		source_opaque(src, 1, "a program");
}

void lint_file(struct arena *a, const char *path, const char *bytes, size_t n, const struct lint_context *ctx,
               struct lint_report *ret)
{
	struct lint_source src = {.a = a,
	                          .path = path,
	                          .s = bytes,
	                          .n = n,
	                          .tool = ctx->tool,
	                          .transaction = ctx->transaction,
	                          .parser = ctx->parser,
	                          .out = &ret->acts};
	const enum language language = language_of(&src);
	struct lint_context own = *ctx;

	*ret = (struct lint_report){.a = a};
	act_list_init(&ret->acts, a);
	if (src.tool == LINT_TOOL_AUTO)
		src.tool = tool_of(&src, language);
	ret->tool = src.tool;
	ret->recognized = language == LANG_SQL || (language != LANG_OTHER && src.tool != LINT_TOOL_SQL);
	ret->way_back = is_way_back(&src);
	if (ret->way_back)
		return;
	read_source(&src, language);
	ret->way_back = src.way_back;
	own.transaction = src.transaction;
	lint_judge(ret, &own, bytes, n);
}
