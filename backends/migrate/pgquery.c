#include "backends/migrate/pgquery.h"

#ifdef HAVE_PG_QUERY

#include "backends/migrate/pgquery_private.h"
#include "core/limits.h"

#include <pg_query.h>
#include <string.h>

static const struct {
	const char *kind;
	bool (*read)(struct act_list *out, const struct jv *stmt);
} readers[] = {
    {"AlterTableStmt", tree_alter_table},
    {"CreateStmt", tree_create_table},
    {"CreateTableAsStmt", tree_create_as},
    {"IndexStmt", tree_create_index},
    {"RenameStmt", tree_rename},
    {"AlterObjectSchemaStmt", tree_set_schema},
    {"DropStmt", tree_drop},
    {"AlterEnumStmt", tree_alter_enum},
    {"SelectStmt", tree_select},
    {"InsertStmt", tree_insert},
    {"UpdateStmt", tree_update},
    {"DeleteStmt", tree_delete},
    {"MergeStmt", tree_merge},
    {"TruncateStmt", tree_truncate},
};

static bool read_tree(struct act_list *out, const struct jv *tree)
{
	const struct jv *stmts = jv_get(tree, "stmts"), *stmt = jv_get(jv_at(stmts, 0), "stmt");
	const char *kind = jv_len(stmt) == 1 ? jv_key(stmt, 0) : "";

	/* Where it sees another number of statements than the tokens did, the pieces are not what they seem. */
	if (jv_len(stmts) != 1)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		if (strcmp(kind, readers[i].kind) == 0)
			return readers[i].read(out, jv_at(stmt, 0));
	return false;
}

/* The grammar cuts names to what PostgreSQL keeps; a rule is about just these. */
static bool may_cut_a_name(const char *s, size_t n)
{
	enum { KEPT = 63 };
	size_t word = 0, quoted = 0;
	bool in_quotes = false;

	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)s[i];

		if (c == '"') {
			in_quotes = !in_quotes;
			quoted = 0;
		}
		quoted += in_quotes;
		word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		               c >= 0x80 || c == '_' || c == '$'
		           ? word + 1
		           : 0;
		if (word > KEPT || quoted > KEPT + 1)
			return true;
	}
	return false;
}

static bool read_statement(struct act_list *out, const char *s, size_t n)
{
	const int before = out->n;
	PgQueryParseResult got;
	struct jv *tree = NULL;
	struct error e = {0};
	struct arena a;
	bool known = false;
	char *text;

	if (n > SQL_PARSE_MAX || memchr(s, '\0', n) != NULL || may_cut_a_name(s, n))
		return false;
	arena_init(&a, ARENA_DEFAULT_MAX);
	text = arena_strndup(&a, s, n);
	if (text != NULL) {
		got = pg_query_parse(text);
		if (got.error == NULL && got.parse_tree != NULL &&
		    jv_parse(&a, got.parse_tree, strlen(got.parse_tree), &tree, &e) == 0)
			known = read_tree(out, tree);
		pg_query_free_parse_result(got);
	}
	if (!known || arena_failed(&a)) {
		out->n = before;
		known = false;
	}
	arena_release(&a);
	return known;
}

const struct sql_parser pgquery_parser = {.name = "libpg_query " PG_MAJORVERSION, .read = read_statement};

#endif
