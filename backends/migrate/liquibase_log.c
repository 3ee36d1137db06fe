/* Changelogs: the first one, what it includes, and the changesets of all in the order in which Liquibase runs them. */
#define _GNU_SOURCE /* strcasestr */
#include "backends/migrate/common.h"
#include "backends/migrate/liquibase_code.h"
#include "backends/migrate/liquibase_config.h"
#include "core/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TEXT_MAX = 8 * 1024 * 1024, FILES_MAX = 8192, EXPAND_DEPTH = 16, NAME_MAX_LEN = 256 };

static int read_changelog(struct lq_load *l, const char *physical) MUST_CHECK;

void lq_problem(struct lq_load *l, const char *fmt, ...)
{
	struct lq_list *p = &l->log->problems;
	char raw[TEXT_LEN], clean[TEXT_LEN];
	va_list ap;

	if (p->n == LQ_LIST_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text_cleanz(clean, sizeof(clean), raw);
	p->items[p->n] = arena_strdup(l->a, clean);
	p->n += p->items[p->n] != NULL;
}

/* --- parameters ---------------------------------------------------------------------------------------------- */

void lq_param_add(struct lq_load *l, const struct lq_param *p)
{
	if (p->name == NULL || p->value == NULL || l->n_params > FILES_MAX)
		return;
	if (l->n_params == l->room_params) {
		const int room = l->room_params == 0 ? 32 : l->room_params * 2;
		struct lq_param *params =
		    arena_grow(l->a, l->params, (size_t)l->n_params, (size_t)room, sizeof(*params));

		if (params == NULL)
			return;
		l->params = params;
		l->room_params = room;
	}
	l->params[l->n_params++] = *p;
}

static bool applies(const struct lq_load *l, const struct lq_param *p)
{
	struct lq_list labels;

	lq_split(&labels, l->a, p->labels);
	return lq_matches(l->a, p->context, &l->log->run.contexts) &&
	       (labels.n == 0 || lq_matches(l->a, l->log->run.labels, &labels)) &&
	       lq_is_postgres(l->a, p->dbms);
}

/* The first global one of a name, else the last of the changelog's own. */
static const char *param_value(const struct lq_load *l, const char *name, const struct lq_file *f)
{
	for (int i = 0; i < l->n_params; i++)
		if (l->params[i].only_in == NULL && strcasecmp(l->params[i].name, name) == 0 &&
		    applies(l, &l->params[i]))
			return l->params[i].value;
	for (int i = l->n_params - 1; i >= 0; i--)
		if (l->params[i].only_in != NULL && strcmp(l->params[i].only_in, f->physical) == 0 &&
		    strcasecmp(l->params[i].name, name) == 0 && applies(l, &l->params[i]))
			return l->params[i].value;
	return NULL;
}

struct expansion {
	struct lq_load *l;
	const struct lq_file *f;
	const char **unresolved;
	struct str out;
	int depth;
};

/* ${name}, where name may hold further ones; what has no value stays as it is. Returns behind it. */
static const char *expand_one(struct expansion *x, const char *p, const char *end)
{
	const char *close = p + 2, *value;
	char name[NAME_MAX_LEN], *trimmed = name;
	size_t n;

	while (close < end && *close != '}')
		close++;
	if (close == end || (size_t)(close - p - 2) >= sizeof(name)) {
		str_addn(&x->out, p, 2);
		return p + 2;
	}
	n = (size_t)(close - p - 2);
	memcpy(name, p + 2, n);
	name[n] = '\0';
	while (isspace((unsigned char)*trimmed))
		trimmed++;
	for (n = strlen(trimmed); n > 0 && isspace((unsigned char)trimmed[n - 1]); n--)
		trimmed[n - 1] = '\0';
	value = param_value(x->l, trimmed, x->f);
	if (value == NULL) {
		if (*x->unresolved == NULL)
			*x->unresolved = arena_strdup(x->l->a, trimmed);
		str_addn(&x->out, p, (size_t)(close + 1 - p));
		return close + 1;
	}
	if (x->depth < EXPAND_DEPTH && strstr(value, "${") != NULL) {
		const char *inner_end = value + strlen(value);

		x->depth++;
		while (value < inner_end)
			if (value[0] == '$' && value[1] == '{')
				value = expand_one(x, value, inner_end);
			else
				str_addc(&x->out, *value++);
		x->depth--;
	} else {
		str_add(&x->out, value);
	}
	return close + 1;
}

const char *lq_expand(struct lq_load *l, const char *text, const struct lq_file *f, const char **unresolved)
{
	const char *p = text, *end, *ret;
	struct expansion x = {.l = l, .f = f, .unresolved = unresolved};

	if (text == NULL || strstr(text, "${") == NULL)
		return text;
	end = text + strlen(text);
	str_init(&x.out, TEXT_MAX);
	while (p < end)
		if (p[0] == '$' && p[1] == '{')
			p = expand_one(&x, p, end);
		else
			str_addc(&x.out, *p++);
	ret = x.out.failed ? text : arena_strdup(l->a, str_text(&x.out));
	str_release(&x.out);
	return ret;
}

static void add_plain(struct lq_load *l, const char *name, const char *value)
{
	const struct lq_param p = {.name = name, .value = value};

	lq_param_add(l, &p);
}

/* What Liquibase knows of a PostgreSQL database before it reads. */
static void add_known_params(struct lq_load *l, const struct settings *s)
{
	const char *schema = lq_config_get(s, LQ_DEFAULT_SCHEMA, NULL);

	for (int i = 0; i < s->n; i++) {
		const char *name = lq_config_parameter(&s->items[i]);

		if (name != NULL)
			add_plain(l, name, settings_value(s, s->items[i].value));
	}
	add_plain(l, "database.typeName", "postgresql");
	add_plain(l, "database.databaseProductName", "PostgreSQL");
	add_plain(l, "database.lineComment", "--");
	add_plain(l, "database.defaultSchemaName", schema != NULL ? schema : "public");
	add_plain(l, "database.liquibaseSchemaName",
	          l->log->schema != NULL ? l->log->schema
	          : schema != NULL       ? schema
	                                 : "public");
	add_plain(l, "database.databaseChangeLogTableName",
	          l->log->table != NULL ? l->log->table : "databasechangelog");
}

/* Names and values of a changelog's nodes with their parameters filled in. */
static void expand_node(struct lq_load *l, struct lq_node *node, const struct lq_file *f,
                        const char **unresolved, int depth)
{
	if (depth > EXPAND_DEPTH * 4)
		return;
	if (node->value != NULL)
		node->value = lq_expand(l, node->value, f, unresolved);
	for (struct lq_node *c = node->first; c != NULL; c = c->next)
		expand_node(l, c, f, unresolved, depth + 1);
}

static const struct tree_file *find_file(const struct lq_load *l, const char *path);

static void property(struct lq_load *l, const struct lq_node *node, const struct lq_file *f)
{
	const char *file = lq_text(node, "file", NULL);
	struct lq_param p = {.name = lq_text(node, "name", NULL),
	                     .value = lq_child(node, "value") != NULL ? lq_text(node, "value", "") : NULL,
	                     .context = lq_text(node, "contextFilter", lq_text(node, "context", NULL)),
	                     .labels = lq_text(node, "labels", NULL),
	                     .dbms = lq_text(node, "dbms", NULL),
	                     .only_in = lq_true(node, "global", true) ? NULL : f->physical};
	const struct tree_file *t;
	struct settings s;

	if (file == NULL) {
		lq_param_add(l, &p);
		return;
	}
	if (lq_true(node, "relativeToChangelogFile", false))
		file = arena_printf(l->a, "%.*s%s", (int)(migrate_base(f->physical) - f->physical),
		                    f->physical, file);
	t = file != NULL ? find_file(l, lq_normal_path(l->a, file)) : NULL;
	if (t == NULL || t->bytes == NULL) {
		if (lq_true(node, "errorIfMissing", true))
			lq_problem(l, "%s: the properties %s are not in this revision", f->path,
			           file != NULL ? file : "");
		return;
	}
	settings_init(&s, l->a);
	settings_properties(&s, t->path, t->bytes, t->n);
	for (int i = 0; i < s.n; i++) {
		p.name = s.items[i].key;
		p.value = s.items[i].value;
		lq_param_add(l, &p);
	}
}

/* --- changesets ---------------------------------------------------------------------------------------------- */

/* runOrder: "first" ones stand before all others, "last" ones behind. */
struct lq_changeset *lq_add(struct lq_load *l, const struct lq_changeset *c)
{
	struct lq_log *log = l->log;
	int at = log->n;

	if (log->n == MIGRATIONS_MAX)
		return NULL;
	if (log->n == log->room) {
		const int room = log->room == 0 ? 64 : log->room * 2;
		struct lq_changeset *items =
		    arena_grow(l->a, log->items, (size_t)log->n, (size_t)room, sizeof(*items));

		if (items == NULL)
			return NULL;
		log->items = items;
		log->room = room;
	}
	if (c->first)
		for (at = 0; at < log->n && log->items[at].first; at++)
			;
	else if (!c->last)
		while (at > 0 && log->items[at - 1].last)
			at--;
	memmove(&log->items[at + 1], &log->items[at], (size_t)(log->n - at) * sizeof(*log->items));
	log->items[at] = *c;
	log->items[at].inherited_contexts = l->contexts;
	log->items[at].inherited_labels = l->labels;
	log->items[at].ignored |= l->ignored;
	log->n++;
	return &log->items[at];
}

/* What a change of a type does; sums of these are not computed. */
static void lint_change(struct lint *lint, const struct lq_node *change)
{
	static const struct {
		const char *name;
		unsigned bits;
		bool loses, destructive;
	} known[] = {
	    {"createTable", LINT_EXPAND, false, false},
	    {"addColumn", LINT_EXPAND, false, false},
	    {"createIndex", LINT_EXPAND, false, false},
	    {"createSequence", LINT_EXPAND, false, false},
	    {"createView", LINT_EXPAND, false, false},
	    {"createProcedure", LINT_EXPAND, false, false},
	    {"createFunction", LINT_EXPAND, false, false},
	    {"createTrigger", LINT_EXPAND, false, false},
	    {"addDefaultValue", LINT_EXPAND, false, false},
	    {"addAutoIncrement", LINT_EXPAND, false, false},
	    {"addPrimaryKey", LINT_EXPAND, false, false},
	    {"dropNotNullConstraint", LINT_EXPAND, false, false},
	    {"dropUniqueConstraint", LINT_EXPAND, false, false},
	    {"dropForeignKeyConstraint", LINT_EXPAND, false, false},
	    {"dropAllForeignKeyConstraints", LINT_EXPAND, false, false},
	    {"dropCheckConstraint", LINT_EXPAND, false, false},
	    {"dropIndex", LINT_EXPAND, false, false},
	    {"setTableRemarks", LINT_EXPAND, false, false},
	    {"setColumnRemarks", LINT_EXPAND, false, false},
	    {"setViewRemarks", LINT_EXPAND, false, false},
	    {"alterSequence", LINT_EXPAND, false, false},
	    {"tagDatabase", LINT_EXPAND, false, false},
	    {"output", LINT_EXPAND, false, false},
	    {"empty", LINT_EXPAND, false, false},
	    {"insert", LINT_DATA, false, false},
	    {"update", LINT_DATA, false, false},
	    {"loadData", LINT_DATA, false, false},
	    {"loadUpdateData", LINT_DATA, false, false},
	    {"delete", LINT_DATA, true, false},
	    {"dropColumn", LINT_CONTRACT, true, true},
	    {"dropTable", LINT_CONTRACT, true, true},
	    {"dropView", LINT_CONTRACT, false, true},
	    {"dropSequence", LINT_CONTRACT, false, true},
	    {"dropProcedure", LINT_CONTRACT, false, true},
	    {"dropFunction", LINT_CONTRACT, false, true},
	    {"dropPrimaryKey", LINT_CONTRACT, false, true},
	    {"dropDefaultValue", LINT_CONTRACT, false, true},
	    {"renameColumn", LINT_CONTRACT, false, true},
	    {"renameTable", LINT_CONTRACT, false, true},
	    {"renameView", LINT_CONTRACT, false, true},
	    {"renameSequence", LINT_CONTRACT, false, true},
	    {"modifyDataType", LINT_CONTRACT, false, true},
	    {"mergeColumns", LINT_CONTRACT, false, true},
	    {"addNotNullConstraint", LINT_CONTRACT, false, true},
	    {"addUniqueConstraint", LINT_CONTRACT, false, true},
	    {"addForeignKeyConstraint", LINT_CONTRACT, false, true},
	    {"addLookupTable", LINT_CONTRACT, false, true},
	};
	const char *table = lq_text(change, "tableName", lq_text(change, "baseTableName", ""));

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i].name, change->name) != 0)
			continue;
		if (known[i].bits == LINT_CONTRACT || known[i].loses)
			lint_add(lint, known[i].bits, known[i].loses, known[i].destructive, "%.40s %.80s",
			         change->name, table);
		else
			lint->seen |= known[i].bits;
		return;
	}
	lint_add(lint, LINT_OPAQUE, false, false, "%.60s: what it does cannot be told", change->name);
}

/* What a changeset's own changes come to, one after the other. */
struct changes {
	struct lq_load *l;
	const struct lq_file *f;
	struct lq_changeset *c;
	struct str sums, expanded;
	bool differs;
};

static void add_sum(struct changes *x, const char *sql, const char *expanded)
{
	char sum[LQ_SUM_LEN];

	if (!lq_sum_sql(sql, strlen(sql), sum)) {
		x->c->unsummed = "no MD5 on this machine";
		return;
	}
	str_addf(&x->sums, "%s:", sum);
	if (!lq_sum_sql(expanded, strlen(expanded), sum))
		return;
	str_addf(&x->expanded, "%s:", sum);
	x->differs |= strcmp(sql, expanded) != 0;
}

static const char *beside(struct lq_load *l, const char *physical, const char *file)
{
	return lq_normal_path(
	    l->a, arena_printf(l->a, "%.*s%s", (int)(migrate_base(physical) - physical), physical, file));
}

static void add_sql_file(struct changes *x, const struct lq_node *change)
{
	const char *path = lq_text(change, "path", NULL), *none = NULL, *text;
	const struct tree_file *t;

	if (path == NULL) {
		lq_problem(x->l, "%s: a sqlFile without path", x->f->path);
		return;
	}
	path = lq_true(change, "relativeToChangelogFile", false) ? beside(x->l, x->f->physical, path)
	                                                         : lq_normal_path(x->l->a, path);
	t = find_file(x->l, path);
	if (t == NULL) {
		lq_problem(x->l, "%s: the sqlFile %s is not in this revision", x->f->path, path);
		x->c->unsummed = "its SQL file is not in this revision";
		return;
	}
	if (t->bytes == NULL || memchr(t->bytes, '\0', t->n) != NULL) {
		x->c->unsummed = "its SQL file was not read: of no known kind";
		lint_add(&x->c->lint, LINT_OPAQUE, false, false, "SQL in %.150s", path);
		return;
	}
	text = t->bytes;
	if (t->n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	add_sum(x, text, lq_expand(x->l, text, x->f, &none));
	lint_sql(&x->c->lint, text, strlen(text));
}

static void add_change(struct changes *x, const struct lq_node *change)
{
	const bool sql = strcmp(change->name, "sql") == 0, file = strcmp(change->name, "sqlFile") == 0;

	if (!sql && !file) {
		x->c->unsummed = "Liquibase's checksum of changes other than SQL is not computed here";
		lint_change(&x->c->lint, change);
		return;
	}
	if (!lq_is_postgres(x->l->a, lq_text(change, "dbms", NULL)))
		return;
	if (file) {
		add_sql_file(x, change);
	} else {
		const char *text = lq_text(change, "sql", change->value != NULL ? change->value : "");

		add_sum(x, text, text);
		lint_sql(&x->c->lint, text, strlen(text));
	}
}

/* Attributes and other words of a changeset that are no changes. */
static bool is_no_change(const struct lq_node *node)
{
	static const char *const words[] = {"id",
	                                    "author",
	                                    "runAlways",
	                                    "alwaysRun",
	                                    "runOnChange",
	                                    "runWith",
	                                    "runWithSpoolFile",
	                                    "context",
	                                    "contextFilter",
	                                    "labels",
	                                    "dbms",
	                                    "runInTransaction",
	                                    "created",
	                                    "runOrder",
	                                    "ignore",
	                                    "comment",
	                                    "objectQuotingStrategy",
	                                    "logicalFilePath",
	                                    "failOnError",
	                                    "onValidationFail",
	                                    "rollback",
	                                    "validCheckSum",
	                                    "validCheckSums",
	                                    "preConditions",
	                                    ""};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(node->name, words[i]) == 0)
			return true;
	/* Unknown words with nothing in them are taken as attributes. */
	return false;
}

static void add_valid_sums(struct changes *x, const struct lq_node *node)
{
	struct lq_list *l = &x->c->valid_sums;

	if (node->first == NULL && node->value != NULL && l->n < LQ_LIST_MAX)
		l->items[l->n++] = node->value;
	for (const struct lq_node *c = node->first; c != NULL; c = c->next)
		if (c->value != NULL && l->n < LQ_LIST_MAX)
			l->items[l->n++] = c->value;
}

static bool is_condition_word(const char *name)
{
	static const char *const words[] = {
	    "onFail", "onError", "onFailMessage", "onErrorMessage", "onUpdateSQL", "onSqlOutput", ""};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(words[i], name) == 0)
			return true;
	return false;
}

/* "tableExists orders, not columnExists": what preconditions ask for, in short. */
static void name_conditions(struct arena *a, const struct lq_node *node, const char *before,
                            const char **text, int depth)
{
	for (const struct lq_node *c = node->first; c != NULL && depth < EXPAND_DEPTH; c = c->next) {
		const char *what = lq_text(c, "tableName", lq_text(c, "viewName", lq_text(c, "type", "")));

		if (is_condition_word(c->name))
			continue;
		if (strcasecmp(c->name, "and") == 0 || strcasecmp(c->name, "or") == 0)
			name_conditions(a, c, before, text, depth + 1);
		else if (strcasecmp(c->name, "not") == 0)
			name_conditions(a, c, "not ", text, depth + 1);
		else
			*text = arena_printf(a, "%s%s%s%s%s%s", *text, (*text)[0] != '\0' ? ", " : "", before,
			                     c->name, what[0] != '\0' ? " " : "", what);
		if (*text == NULL)
			*text = "";
	}
}

static void walk_changes(struct changes *x, const struct lq_node *node)
{
	for (const struct lq_node *c = node->first; c != NULL; c = c->next) {
		if (strcmp(c->name, "changes") == 0) {
			walk_changes(x, c);
		} else if (strcmp(c->name, "modifySql") == 0) {
			x->c->unsummed = "it has modifySql, whose checksum is not computed here";
		} else if (strcmp(c->name, "validCheckSum") == 0 || strcmp(c->name, "validCheckSums") == 0) {
			add_valid_sums(x, c);
		} else if (strcmp(c->name, "preConditions") == 0) {
			x->c->on_fail = lq_text(c, "onFail", "HALT");
			name_conditions(x->l->a, c, "", &x->c->preconditions, 0);
		} else if (!is_no_change(c)) {
			add_change(x, c);
		}
	}
}

static void add_changeset(struct lq_load *l, const struct lq_node *node, const struct lq_file *f,
                          const char *unresolved)
{
	const char *order = lq_text(node, "runOrder", ""), *own = lq_text(node, "logicalFilePath", NULL);
	struct lq_changeset c = {.path = f->path,
	                         .id = lq_text(node, "id", ""),
	                         .author = lq_text(node, "author", ""),
	                         .context = lq_text(node, "contextFilter", lq_text(node, "context", NULL)),
	                         .labels = lq_text(node, "labels", NULL),
	                         .dbms = lq_text(node, "dbms", NULL),
	                         .run_on_change = lq_true(node, "runOnChange", false),
	                         .run_always = lq_true(node, "runAlways", lq_true(node, "alwaysRun", false)),
	                         .ignored = lq_true(node, "ignore", false),
	                         .no_transaction = !lq_true(node, "runInTransaction", true),
	                         .fail_ignored = !lq_true(node, "failOnError", true),
	                         .first = strcmp(order, "first") == 0,
	                         .last = strcmp(order, "last") == 0,
	                         .preconditions = "",
	                         .on_fail = "HALT",
	                         .unresolved = unresolved};
	struct changes x = {.l = l, .f = f, .c = &c};

	if (own == NULL)
		own = f->logical != NULL ? f->logical : f->physical;
	c.file = lq_normal_path(l->a, own);
	if (c.id[0] == '\0')
		lq_problem(l, "%s: a changeSet without id", f->path);
	str_init(&x.sums, TEXT_MAX);
	str_init(&x.expanded, TEXT_MAX);
	walk_changes(&x, node);
	if (c.unsummed == NULL) {
		if (!lq_sum_text(str_text(&x.sums), c.sum))
			c.unsummed = "no MD5 on this machine";
		if (x.differs)
			(void)lq_sum_text(str_text(&x.expanded), c.expanded_sum);
	}
	str_release(&x.sums);
	str_release(&x.expanded);
	if (c.no_transaction)
		lint_add(&c.lint, 0, false, false,
		         "runs outside of a transaction: a failure leaves it half done");
	lq_add(l, &c);
}

/* --- files --------------------------------------------------------------------------------------------------- */

/* The file on the search path; the first root that has it wins. */
static const struct tree_file *find_file(const struct lq_load *l, const char *path)
{
	for (int i = 0; i < l->roots.n; i++) {
		const char *full = arena_printf(l->a, "%s%s", l->roots.items[i], path);
		const struct tree_file *t =
		    full != NULL ? tree_file_at(l->t, lq_normal_path(l->a, full)) : NULL;

		if (t != NULL)
			return t;
	}
	return NULL;
}

static void list_push(struct lq_list *l, const char *text)
{
	if (text != NULL && text[0] != '\0' && l->n < LQ_LIST_MAX)
		l->items[l->n++] = text;
}

/* Reads an included changelog with the words of its include around it. */
static int include(struct lq_load *l, const struct lq_node *node, const char *path)
{
	const struct lq_list contexts = l->contexts, labels = l->labels;
	const bool ignored = l->ignored;
	int rc;

	list_push(&l->contexts, lq_text(node, "contextFilter", lq_text(node, "context", NULL)));
	list_push(&l->labels, lq_text(node, "labels", NULL));
	l->ignored |= lq_true(node, "ignore", false);
	rc = read_changelog(l, path);
	l->contexts = contexts;
	l->labels = labels;
	l->ignored = ignored;
	return rc;
}

static int include_one(struct lq_load *l, const struct lq_node *node, const struct lq_file *f)
{
	const char *file = lq_text(node, "file", NULL), *path;

	if (file == NULL) {
		lq_problem(l, "%s: an include without file", f->path);
		return 0;
	}
	path = lq_true(node, "relativeToChangelogFile", false) ? beside(l, f->physical, file)
	                                                       : lq_normal_path(l->a, file);
	if (find_file(l, path) == NULL) {
		if (lq_true(node, "errorIfMissing", true))
			lq_problem(l, "%s includes %s, which is not in this revision", f->path, path);
		return 0;
	}
	return include(l, node, path);
}

static bool is_changelog_name(const char *path)
{
	static const char *const ends[] = {".xml", ".yaml", ".yml", ".json", ".sql"};
	const size_t n = strlen(path);

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (n > strlen(ends[i]) && strcasecmp(path + n - strlen(ends[i]), ends[i]) == 0)
			return true;
	return false;
}

static int by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* How many folders path is below dir. */
static int levels(const char *path)
{
	int n = 1;

	for (; *path != '\0'; path++)
		n += *path == '/';
	return n;
}

static int include_all(struct lq_load *l, const struct lq_node *node, const struct lq_file *f)
{
	const char *dir = lq_text(node, "path", ""), *end = lq_text(node, "endsWithFilter", "");
	const long low = strtol(lq_text(node, "minDepth", "0"), NULL, 10);
	const long high = strtol(lq_text(node, "maxDepth", "1000000"), NULL, 10);
	const char **found = arena_alloc(l->a, (size_t)MAX(l->t->n_files, 1) * sizeof(*found));
	int n = 0, rc = 0;

	if (found == NULL)
		return error_set(l->e, ERR_NOMEM, "out of memory");
	if (lq_child(node, "filter") != NULL || lq_child(node, "resourceFilter") != NULL ||
	    lq_child(node, "resourceComparator") != NULL)
		lq_problem(
		    l,
		    "%s: includeAll of %s asks a Java class which files and in what order: the order here is "
		    "by path",
		    f->path, dir);
	dir = lq_true(node, "relativeToChangelogFile", false) ? beside(l, f->physical, dir)
	                                                      : lq_normal_path(l->a, dir);
	for (int r = 0; r < l->roots.n && n == 0; r++) {
		const char *full = lq_normal_path(l->a, arena_printf(l->a, "%s%s/", l->roots.items[r], dir));
		const size_t k = strlen(full), root = strlen(lq_normal_path(l->a, l->roots.items[r]));

		for (int i = 0; i < l->t->n_files; i++) {
			const char *path = l->t->files[i].path;

			if (l->t->files[i].is_dir || strncmp(path, full, k) != 0 ||
			    (k > 0 && path[k] != '/') || !is_changelog_name(path) ||
			    !migrate_ends_with(path, end) || levels(path + k + (k > 0)) < low ||
			    levels(path + k + (k > 0)) > high)
				continue;
			found[n++] = path + root + (root > 0);
		}
	}
	if (n == 0 && lq_true(node, "errorIfMissingOrEmpty", true))
		lq_problem(l, "%s: includeAll finds nothing in %s", f->path, dir);
	qsort(found, (size_t)n, sizeof(*found), by_text);
	for (int i = 0; rc == 0 && i < n; i++)
		rc = include(l, node, found[i]);
	return rc;
}

/* Preconditions of a changelog: only <dbms> can be told without asking. */
static void changelog_conditions(struct lq_load *l, const struct lq_node *node)
{
	name_conditions(l->a, node, "", &l->log->preconditions, 0);
	for (const struct lq_node *c = node->first; c != NULL; c = c->next)
		if (strcmp(c->name, "dbms") == 0 && lq_text(c, "type", NULL) != NULL &&
		    !lq_is_postgres(l->a, lq_text(c, "type", NULL)) &&
		    strcasecmp(lq_text(node, "onFail", "HALT"), "HALT") == 0)
			l->log->preconditions_fail = true;
}

static int walk(struct lq_load *l, struct lq_node *root, const struct lq_file *f, bool expand)
{
	int rc = 0;

	for (struct lq_node *c = root->first; rc == 0 && c != NULL; c = c->next) {
		const char *unresolved = NULL;

		if (expand)
			expand_node(l, c, f, &unresolved, 0);
		if (strcmp(c->name, "changeSet") == 0)
			add_changeset(l, c, f, unresolved);
		else if (strcmp(c->name, "include") == 0)
			rc = include_one(l, c, f);
		else if (strcmp(c->name, "includeAll") == 0)
			rc = include_all(l, c, f);
		else if (strcmp(c->name, "property") == 0)
			property(l, c, f);
		else if (strcmp(c->name, "preConditions") == 0)
			changelog_conditions(l, c);
		else if (strcmp(c->name, "modifyChangeSets") == 0)
			rc = walk(l, c, f, false);
	}
	return rc;
}

/* All properties of a YAML or JSON changelog count before anything of it is filled in. */
static int walk_yaml(struct lq_load *l, struct lq_node *root, const struct lq_file *f)
{
	for (struct lq_node *c = root->first; c != NULL; c = c->next)
		if (strcmp(c->name, "property") == 0)
			property(l, c, f);
	return walk(l, root, f, true);
}

/* A .sql file without Liquibase's first line is one changeset of that name. */
static void read_raw(struct lq_load *l, const struct lq_file *f, const struct tree_file *t)
{
	struct lq_changeset c = {.file = lq_normal_path(l->a, f->physical),
	                         .path = f->path,
	                         .id = "raw",
	                         .author = "includeAll",
	                         .preconditions = "",
	                         .on_fail = "HALT"};
	const char *text = t->bytes, *end = t->bytes + t->n;
	char sum[LQ_SUM_LEN], joined[LQ_SUM_LEN + 1];

	if (t->n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end && (unsigned char)*text <= ' ')
		text++;
	while (end > text && (unsigned char)end[-1] <= ' ')
		end--;
	if (text == end)
		lq_problem(l, "%s is empty", f->path);
	if (lq_sum_sql(text, (size_t)(end - text), sum)) {
		snprintf(joined, sizeof(joined), "%s:", sum);
		(void)lq_sum_text(joined, c.sum);
	}
	lint_sql(&c.lint, text, (size_t)(end - text));
	lq_add(l, &c);
}

static int read_bytes(struct lq_load *l, struct lq_file *f, const struct tree_file *t)
{
	struct lq_node *root = NULL;
	const char *name = migrate_base(t->path), *context;
	int rc;

	if (migrate_ends_with(name, ".sql") || migrate_ends_with(name, ".SQL")) {
		if (lq_is_formatted(t->bytes, t->n))
			lq_read_formatted(l, f, t->bytes, t->n);
		else
			read_raw(l, f, t);
		return 0;
	}
	rc = migrate_ends_with(name, ".xml") ? lq_read_xml(l->a, t->path, t->bytes, t->n, &root, l->e)
	                                     : lq_read_yaml(l->a, t->path, t->bytes, t->n, &root, l->e);
	if (rc != 0) {
		error_hint(l->e, "correct it: Liquibase cannot read it either");
		return rc;
	}
	f->logical = lq_text(root, "logicalFilePath", NULL);
	context = lq_text(root, "contextFilter", lq_text(root, "context", NULL));
	list_push(&l->contexts, context);
	return migrate_ends_with(name, ".xml") ? walk(l, root, f, true) : walk_yaml(l, root, f);
}

static int read_changelog(struct lq_load *l, const char *physical)
{
	const struct tree_file *t = find_file(l, physical);
	const struct lq_list contexts = l->contexts;
	struct lq_file f = {.physical = physical};
	int rc;

	if (t == NULL || t->bytes == NULL)
		return 0;
	f.path = t->path;
	for (int i = 0; i < l->depth; i++)
		if (strcmp(l->open[i], t->path) == 0) {
			lq_problem(l, "%s includes itself", t->path);
			return 0;
		}
	if (l->depth == LQ_LIST_MAX || ++l->n_files > FILES_MAX)
		return error_set(l->e, ERR_INVALID,
		                 "changelogs include each other more than %d deep or %d times", LQ_LIST_MAX,
		                 FILES_MAX);
	l->open[l->depth++] = t->path;
	rc = read_bytes(l, &f, t);
	l->depth--;
	l->contexts = contexts;
	if (rc == 0 && l->log->n == MIGRATIONS_MAX)
		rc = error_set(l->e, ERR_NOMEM, "more than %d changesets", MIGRATIONS_MAX);
	return rc;
}

/* --- the first changelog ------------------------------------------------------------------------------------- */

static void add_roots(struct lq_load *l, const struct settings *s, const char *folder)
{
	struct lq_list paths;

	list_push(&l->roots, folder);
	lq_split(&paths, l->a, lq_config_get(s, LQ_SEARCH_PATH, NULL));
	for (int i = 0; i < paths.n; i++)
		if (!migrate_ends_with(paths.items[i], ".jar"))
			list_push(&l->roots, arena_printf(l->a, "%s%s/", folder, paths.items[i]));
	if (l->roots.n < LQ_LIST_MAX)
		l->roots.items[l->roots.n++] = "";
	for (int i = 0; i < l->t->n_files; i++) {
		const char *path = l->t->files[i].path;

		if (l->t->files[i].is_dir && (migrate_ends_with(path, "/src/main/resources") ||
		                              strcmp(path, "src/main/resources") == 0))
			list_push(&l->roots, arena_printf(l->a, "%s/", path));
	}
}

/* Does it have the word that each changelog has? */
static bool is_changelog(const struct tree_file *f)
{
	return f->bytes != NULL && is_changelog_name(f->path) &&
	       (lq_is_formatted(f->bytes, f->n) || strstr(f->bytes, "databaseChangeLog") != NULL);
}

/* Names that people give to the first one, the most telling before. */
static int telling(const char *base)
{
	static const char *const words[] = {"changelog-master",
	                                    "changelog.master",
	                                    "master",
	                                    "changelog-root",
	                                    "root",
	                                    "changelog-main",
	                                    "main",
	                                    "changelog"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasestr(base, words[i]) != NULL)
			return (int)i;
	return (int)ARRAY_LEN(words);
}

/* Nobody says which changelog is the first: the most tellingly named one that stands highest. */
static const char *guess_root(const struct lq_load *l)
{
	const struct tree_file *best = NULL;
	int best_rank = 0;

	for (int i = 0; i < l->t->n_files; i++) {
		const struct tree_file *f = &l->t->files[i];
		int rank;

		if (!is_changelog(f) || strstr(f->path, "src/test/") != NULL)
			continue;
		rank = telling(migrate_base(f->path)) * 64 + levels(f->path);
		if (best == NULL || rank < best_rank) {
			best = f;
			best_rank = rank;
		}
	}
	return best != NULL ? best->path : NULL;
}

static int find_root(struct lq_load *l, const struct settings *s, const struct jv *options)
{
	const char *said = jv_get_text(options, "changelog", ""), *folder = "", *path;

	if (said[0] == '\0')
		said = lq_config_get(s, LQ_CHANGELOG, &folder);
	add_roots(l, s, folder);
	if (said != NULL) {
		path = lq_normal_path(l->a, said);
		if (find_file(l, path) == NULL) {
			char clean[TEXT_LEN / 2];

			text_cleanz(clean, sizeof(clean), path);
			error_set(l->e, ERR_NOT_FOUND, "the changelog %s is not in this revision", clean);
			error_hint(
			    l->e,
			    "set `changelog` to its path below `path`, or correct liquibase.properties");
			return ERR_NOT_FOUND;
		}
		l->log->root = path;
		return 0;
	}
	path = guess_root(l);
	if (path == NULL) {
		error_set(l->e, ERR_NOT_FOUND, "no Liquibase changelog below the folder of `path`");
		error_hint(l->e, "set `path` to the project's folder, or `changelog` to its first changelog");
		return ERR_NOT_FOUND;
	}
	/* What is on the class path is known without src/main/resources. */
	for (int i = 0; i < l->roots.n; i++) {
		const size_t n = strlen(l->roots.items[i]);

		if (n > 0 && strncmp(path, l->roots.items[i], n) == 0)
			path += n;
	}
	l->log->root = path;
	l->log->assumed_root = true;
	return 0;
}

int lq_read(struct lq_log *log, struct arena *a, const struct tree *t, const struct jv *options,
            struct error *e)
{
	struct lq_load *l = arena_alloc(a, sizeof(*l));
	struct settings s;
	int rc;

	*log = (struct lq_log){.preconditions = ""};
	if (l == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	*l = (struct lq_load){.a = a, .t = t, .log = log, .e = e};
	rc = lq_config_read(&s, a, t, e);
	if (rc != 0)
		return rc;
	log->table = lq_config_name(a, lq_config_get(&s, LQ_TABLE, NULL));
	log->lock_table = lq_config_name(a, lq_config_get(&s, LQ_LOCK_TABLE, NULL));
	log->schema = lq_config_name(a, lq_config_get(&s, LQ_SCHEMA, NULL));
	if (log->schema == NULL)
		log->schema = lq_config_name(a, lq_config_get(&s, LQ_DEFAULT_SCHEMA, NULL));
	lq_config_run(&log->run, a, &s, options);
	rc = find_root(l, &s, options);
	if (rc != 0)
		return rc;
	settings_tree(&s, "", "parameter", jv_get(options, "parameters"));
	add_known_params(l, &s);
	rc = read_changelog(l, log->root);
	return rc == 0 && arena_failed(a) ? error_set(e, ERR_NOMEM, "out of memory") : rc;
}
