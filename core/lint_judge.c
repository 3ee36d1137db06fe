/* Acts to findings. */
#include "core/lint_private.h"

#include "core/limits.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

enum { SMALL_BYTES = 10 * 1024 * 1024, MESSAGE_LEN = 512, NAME_BYTES_MAX = 63 };
static const int64_t big_bytes = INT64_C(1024) * 1024 * 1024;

/* One transaction as far as it has gone, or one statement outside of any. */
struct transaction {
	bool open;                    /* by the tool or by BEGIN */
	int n_locked;                 /* tables under a strong lock */
	char locked[MESSAGE_LEN / 2]; /* the first of them with access exclusive */
	char first[MESSAGE_LEN / 2];  /* the first with any strong lock */
	int locked_by;                /* statement */
	bool said_short, said_long, said_many, not_valid, ddl;
};

struct judge {
	struct lint_report *r;
	const struct lint_context *ctx;
	struct lint_known *known;
	struct lint_policy policy;
	struct lint_marks marks;
	const struct act *x; /* under judgement */
	struct claim claim;
	bool wraps, begun; /* the tool's transaction, one of the file's own */
	int begun_line, begun_statement;
	bool lock_timeout, statement_timeout, said_lock_timeout, said_statement_timeout, said_nesting;
	unsigned phases; /* bit per enum act_phase */
	struct transaction tx;
	int policies; /* CREATE POLICY seen */
};

static enum lock_mode strongest(const struct claim *c) { return MAX(c->lock, c->other); }

/* --- words ----------------------------------------------------------------------------------------------- */

static void table_name(const struct act *x, char *dst, size_t cap)
{
	snprintf(dst, cap, "%s%s%s", x->schema, x->schema[0] != '\0' ? "." : "", x->table);
}

static void object_name(const struct act *x, char *dst, size_t cap)
{
	const char *dot = x->schema[0] != '\0' ? "." : "";

	if (x->table[0] == '\0')
		snprintf(dst, cap, "%s",
		         x->column[0] != '\0' ? x->column
		         : x->text[0] != '\0' ? x->text
		                              : "?");
	else
		snprintf(dst, cap, "%s%s%s%s%s", x->schema, dot, x->table, x->column[0] != '\0' ? "." : "",
		         x->column);
}

static const char *no_tx(const struct judge *j) { return lint_tool_no_tx(j->r->tool); }

/* Replaces the words in braces of a rule's form. */
static void expand(const struct judge *j, const char *form, char *dst, size_t cap)
{
	const struct act *x = j->x;
	char table[MESSAGE_LEN / 2], object[MESSAGE_LEN / 2];
	const struct {
		const char *word, *value;
	} words[] = {{"{object}", object},
	             {"{table}", table},
	             {"{column}", x->column[0] != '\0' ? x->column : "the column"},
	             {"{to}", x->to[0] != '\0' ? x->to : "the other"},
	             {"{type}", x->type[0] != '\0' ? x->type : "another"},
	             {"{text}", x->text},
	             {"{loss}", x->flags & ACT_HAS_ROWS ? " with its data" : ""},
	             {"{lock}", lock_mode_name(strongest(&j->claim))},
	             {"{no_tx}", no_tx(j)}};
	size_t n = 0;

	table_name(x, table, sizeof(table));
	object_name(x, object, sizeof(object));
	for (const char *p = form; *p != '\0' && n + 1 < cap;) {
		const char *value = NULL;

		for (size_t i = 0; *p == '{' && i < ARRAY_LEN(words) && value == NULL; i++)
			if (strncmp(p, words[i].word, strlen(words[i].word)) == 0) {
				value = strcmp(words[i].word, "{table}") == 0 && table[0] == '\0'
				            ? object
				            : words[i].value;
				p += strlen(words[i].word);
			}
		if (value == NULL)
			dst[n++] = *p++;
		else
			n = (size_t)MIN((int)cap - 1, (int)n + snprintf(dst + n, cap - n, "%s", value));
	}
	dst[n] = '\0';
}

static const char *keep(struct judge *j, const char *raw)
{
	char clean[MESSAGE_LEN];
	const char *c;

	text_cleanz(clean, sizeof(clean), raw);
	c = clean[0] == '\0' ? "" : arena_strdup(j->r->a, clean);
	return c != NULL ? c : "";
}

/* --- findings -------------------------------------------------------------------------------------------- */

static const struct lint_size *size_of(const struct judge *j)
{
	char table[MESSAGE_LEN / 2];

	table_name(j->x, table, sizeof(table));
	for (int i = 0; j->ctx->sizes != NULL && j->x->table[0] != '\0' && i < j->ctx->sizes->n; i++) {
		const struct lint_size *s = &j->ctx->sizes->items[i];
		const char *dot = strrchr(s->table, '.');

		if (strcmp(s->table, table) == 0 || strcmp(s->table, j->x->table) == 0 ||
		    (j->x->schema[0] == '\0' && dot != NULL && strcmp(dot + 1, j->x->table) == 0))
			return s;
	}
	return NULL;
}

/* Rules whose harm grows with the table. */
static bool is_scaled(const struct judge *j, const struct lint_rule_desc *d)
{
	if (strcmp(d->id, "T4") == 0 || strcmp(d->slug, "update-all") == 0 ||
	    strcmp(d->slug, "backfill-with-ddl") == 0 || strcmp(d->slug, "long-work-after-lock") == 0)
		return true;
	return d->id[0] == 'L' && (j->claim.scan != NO || j->claim.rewrite != NO);
}

static enum lint_severity scale(const struct judge *j, const struct lint_rule_desc *d, enum lint_severity s,
                                char *more, size_t cap)
{
	const struct lint_size *size = is_scaled(j, d) ? size_of(j) : NULL;
	double v;
	int unit = 0;

	more[0] = '\0';
	if (size == NULL)
		return s;
	for (v = (double)size->bytes; v >= 1024 && unit < 4; unit++)
		v /= 1024;
	snprintf(more, cap, " (%.*f %s, %lld rows)", v < 10 && unit > 0 ? 1 : 0, v,
	         (const char *const[]){"B", "KiB", "MiB", "GiB", "TiB"}[unit], (long long)size->rows);
	if (size->bytes < SMALL_BYTES)
		return MIN(s, SEVERITY_INFO);
	return size->bytes >= big_bytes && s == SEVERITY_WARNING ? SEVERITY_ERROR : s;
}

static struct lint_finding *finding_new(struct lint_report *r)
{
	if (r->n_findings == r->cap_findings) {
		const int cap = MAX(16, r->cap_findings * 2);
		struct lint_finding *more;

		if (r->n_findings >= LINT_FINDINGS_MAX)
			return NULL;
		more = arena_grow(r->a, r->findings, (size_t)r->n_findings, (size_t)cap, sizeof(*more));
		if (more == NULL)
			return NULL;
		r->findings = more;
		r->cap_findings = cap;
	}
	return &r->findings[r->n_findings++];
}

/* What the rule says, for the summary: without why. */
static void summarize(struct judge *j, enum lint_rule rule)
{
	char message[MESSAGE_LEN];
	const struct lint_rule_desc *d = lint_rule_desc(rule);

	if (d->id[0] != 'B' && rule != RULE_OPAQUE)
		return;
	expand(j, d->message, message, sizeof(message));
	lint_add(&j->r->summary, 0, false, false, "%s", message);
}

static void find(struct judge *j, enum lint_rule rule)
{
	const struct lint_rule_desc *d = lint_rule_desc(rule);
	const struct act *x = j->x;
	char message[MESSAGE_LEN], raw[MESSAGE_LEN * 2], more[64];
	enum lint_severity s = (enum lint_severity)j->policy.severity[rule];
	struct lint_finding *f;

	summarize(j, rule);
	if (s == SEVERITY_OFF)
		return;
	s = scale(j, d, s, more, sizeof(more));
	if ((x->flags & ACT_ASSURED) || marks_cover(&j->marks, rule, x->line, x->start)) {
		j->r->n_ignored++;
		return;
	}
	f = finding_new(j->r);
	if (f == NULL)
		return;
	*f = (struct lint_finding){.rule = rule,
	                           .severity = s,
	                           .line = x->line,
	                           .statement = x->statement,
	                           .lock = strongest(&j->claim),
	                           .rewrite = j->claim.rewrite,
	                           .scan = j->claim.scan,
	                           .breaks_old_code = d->id[0] == 'B' && rule != RULE_UPDATE_ALL &&
	                                              rule != RULE_DELETE_SOME};
	table_name(x, raw, sizeof(raw));
	f->table = keep(j, raw);
	f->column = keep(j, x->column);
	expand(j, d->message, message, sizeof(message));
	snprintf(raw, sizeof(raw), "%s%s: %s", message, more, d->why);
	f->message = keep(j, raw);
	expand(j, d->safer, message, sizeof(message));
	f->safer = keep(j, message);
}

/* --- second tables --------------------------------------------------------------------------------------- */

/* What a statement does to a second table, also when its own is new. */
static void judge_second_table(struct judge *j)
{
	const struct act *x = j->x;
	const bool makes = x->kind == ACT_NEW_REFERENCE ||
	                   (x->kind == ACT_ADD_FOREIGN_KEY && (x->flags & ACT_NEW)) ||
	                   (x->kind == ACT_ADD_COLUMN && (x->flags & ACT_IS_REFERENCE));

	if ((x->flags & ACT_TO_NEW) == 0 && makes)
		find(j, RULE_CREATE_WITH_FK);
	if ((x->flags & ACT_TO_NEW) == 0 && x->kind == ACT_CREATE_PARTITION)
		find(j, RULE_PARTITION_OF);
	if (x->kind == ACT_DROP_TABLE && (x->flags & ACT_NEW) == 0 &&
	    ((x->flags & ACT_CASCADE) || known_has_reference(j->known, x)))
		find(j, RULE_DROP_WITH_FK);
}

/* --- transactions ---------------------------------------------------------------------------------------- */

static bool in_transaction(const struct judge *j)
{
	return j->begun || (j->wraps && (j->x->flags & ACT_OUTSIDE) == 0);
}

static bool is_work(const struct judge *j)
{
	const enum act_phase p = act_phase(j->x);

	return j->claim.rewrite == YES || j->claim.scan == YES || p == PHASE_DATA || j->x->kind == ACT_CODE;
}

static bool is_silent(const struct act *x)
{
	return x->kind == ACT_QUIET || x->kind == ACT_SET || x->kind == ACT_ASSIGN ||
	       x->kind == ACT_NEW_COLUMN || x->kind == ACT_BEGIN || x->kind == ACT_COMMIT ||
	       x->kind == ACT_ROLLBACK || x->kind == ACT_COMMENT;
}

/* Behind an access exclusive lock every further statement makes it longer. */
static void judge_after_lock(struct judge *j)
{
	struct transaction *t = &j->tx;
	struct act said = *j->x;
	char name[MESSAGE_LEN / 2];

	if (t->locked[0] == '\0' || t->locked_by == j->x->statement || is_silent(j->x))
		return;
	table_name(j->x, name, sizeof(name));
	if (j->x->kind == ACT_VALIDATE && t->not_valid) {
		find(j, RULE_VALIDATE_SAME);
		return;
	}
	if (act_phase(j->x) == PHASE_DATA && strcmp(name, t->locked) == 0) {
		find(j, RULE_BACKFILL_SAME);
		return;
	}
	if (is_work(j) ? t->said_long : t->said_short || t->said_long)
		return;
	*(is_work(j) ? &t->said_long : &t->said_short) = true;
	/* The message is about the table that is locked. */
	said.schema = said.column = "";
	said.table = t->locked;
	j->x = &said;
	find(j, t->said_long ? RULE_AFTER_LOCK : RULE_AFTER_LOCK_SHORT);
}

static void note_locks(struct judge *j)
{
	struct transaction *t = &j->tx;
	const struct act *x = j->x;
	char name[MESSAGE_LEN / 2];

	t->not_valid |= (x->flags & ACT_NOT_VALID) != 0;
	if (j->claim.lock < LOCK_SHARE || x->table[0] == '\0')
		return;
	table_name(x, name, sizeof(name));
	if (t->first[0] == '\0') {
		memcpy(t->first, name, sizeof(t->first));
	} else if (strcmp(t->first, name) != 0 && !t->said_many) {
		struct act said = *x;

		t->said_many = true;
		said.to = t->first;
		said.column = "";
		j->x = &said;
		find(j, RULE_MANY_LOCKS);
		j->x = x;
	}
	if (j->claim.lock == LOCK_ACCESS_EXCLUSIVE && t->locked[0] == '\0') {
		memcpy(t->locked, name, sizeof(t->locked));
		t->locked_by = x->statement;
	}
}

static void judge_transaction(struct judge *j)
{
	const struct act *x = j->x;
	struct act said = *x;

	if (!in_transaction(j)) {
		j->tx = (struct transaction){0};
		return;
	}
	if (x->flags & ACT_NO_TRANSACTION) {
		said.text = act_kind_name(x->kind);
		if (x->flags & ACT_CONCURRENT) {
			const char *text = arena_printf(j->r->a, "%s concurrently", said.text);

			said.text = text != NULL ? text : said.text;
		}
		j->x = &said;
		find(j, RULE_IN_TRANSACTION);
		j->x = x;
	}
	if (x->kind == ACT_ADD_VALUE)
		find(j, RULE_VALUE_SAME);
	judge_after_lock(j);
	j->x = x;
	note_locks(j);
}

static void judge_begin(struct judge *j)
{
	const bool own = j->x->kind == ACT_BEGIN;
	const enum lint_wraps w = lint_tool_wraps(j->r->tool);

	if (j->wraps && (w == WRAPS_ALWAYS || w == WRAPS_SORTED || j->ctx->transaction == TX_YES) &&
	    !j->said_nesting) {
		j->said_nesting = true;
		find(j, RULE_NESTING);
	}
	j->begun = own;
	if (own) {
		j->begun_line = j->x->line;
		j->begun_statement = j->x->statement;
	}
	j->tx = (struct transaction){0};
}

/* --- class T and S --------------------------------------------------------------------------------------- */

static void judge_set(struct judge *j)
{
	const bool is_set = j->x->to[0] != '\0' && strcmp(j->x->to, "0") != 0 &&
	                    strcmp(j->x->to, "default") != 0 && strcmp(j->x->to, "DEFAULT") != 0;

	if (strcmp(j->x->text, "lock_timeout") == 0)
		j->lock_timeout = is_set;
	else if (strcmp(j->x->text, "statement_timeout") == 0)
		j->statement_timeout = is_set;
}

/* Locks of things that are no tables, such as a view that everybody reads. */
static bool locks_object(const struct act *x)
{
	return (x->kind == ACT_DROP_OBJECT || x->kind == ACT_RENAME_OBJECT) && (x->flags & ACT_NEW) == 0;
}

static void judge_timeouts(struct judge *j)
{
	const bool strong = strongest(&j->claim) >= LOCK_SHARE || locks_object(j->x);

	if (strong && !j->lock_timeout && !j->said_lock_timeout) {
		j->said_lock_timeout = true;
		find(j, RULE_LOCK_TIMEOUT);
	}
	if ((strong || j->claim.scan == YES) && (act_is_ddl(j->x) || strong) && !j->statement_timeout &&
	    !j->said_statement_timeout) {
		j->said_statement_timeout = true;
		find(j, RULE_STATEMENT_TIMEOUT);
	}
}

static bool is_repeatable(const struct act *x)
{
	static const unsigned char once[ACT_KIND_COUNT] = {
	    [ACT_CREATE_TABLE] = 1,     [ACT_CREATE_TABLE_AS] = 1,
	    [ACT_CREATE_PARTITION] = 1, [ACT_DROP_TABLE] = 1,
	    [ACT_RENAME_TABLE] = 1,     [ACT_SET_SCHEMA] = 1,
	    [ACT_ADD_COLUMN] = 1,       [ACT_DROP_COLUMN] = 1,
	    [ACT_RENAME_COLUMN] = 1,    [ACT_ADD_CHECK] = 1,
	    [ACT_ADD_FOREIGN_KEY] = 1,  [ACT_ADD_UNIQUE] = 1,
	    [ACT_ADD_PRIMARY_KEY] = 1,  [ACT_ADD_EXCLUDE] = 1,
	    [ACT_DROP_CONSTRAINT] = 1,  [ACT_RENAME_CONSTRAINT] = 1,
	    [ACT_ATTACH] = 1,           [ACT_DETACH] = 1,
	    [ACT_CREATE_INDEX] = 1,     [ACT_DROP_INDEX] = 1,
	    [ACT_CREATE_OBJECT] = 1,    [ACT_DROP_OBJECT] = 1,
	    [ACT_RENAME_OBJECT] = 1,    [ACT_RENAME_VALUE] = 1,
	    [ACT_ADD_VALUE] = 1,        [ACT_ADD_DOMAIN_CONSTRAINT] = 1,
	    [ACT_CREATE_TRIGGER] = 1,   [ACT_CREATE_POLICY] = 1,
	    [ACT_DROP_POLICY] = 1};

	return !once[x->kind] || (x->flags & (ACT_IF | ACT_TEMPORARY)) != 0;
}

static bool is_key_column(const struct act *x)
{
	const size_t n = strlen(x->column);

	return (x->flags & (ACT_IS_PRIMARY | ACT_IS_REFERENCE | ACT_GENERATED | ACT_SERIAL)) != 0 ||
	       strcmp(x->column, "id") == 0 || (n > 3 && strcmp(x->column + n - 3, "_id") == 0);
}

static void judge_style(struct judge *j)
{
	const struct act *x = j->x;
	const bool column =
	    x->kind == ACT_NEW_COLUMN || x->kind == ACT_ADD_COLUMN || x->kind == ACT_ALTER_TYPE;
	const char *const names[] = {x->table, x->column, x->to};

	if (column && (strcmp(x->type, "json") == 0 || strcmp(x->type, "json[]") == 0))
		find(j, RULE_JSON_TYPE);
	if (column && (strcmp(x->type, "char") == 0 || strncmp(x->type, "char(", 5) == 0))
		find(j, RULE_CHAR_TYPE);
	if (column && is_key_column(x) &&
	    (strcmp(x->type, "integer") == 0 || strcmp(x->type, "smallint") == 0 ||
	     strcmp(x->type, "serial") == 0 || strcmp(x->type, "smallserial") == 0))
		find(j, RULE_INT_KEY);
	if (column && (strcmp(x->type, "timestamp") == 0 || strncmp(x->type, "timestamp(", 10) == 0))
		find(j, RULE_TIMESTAMP_TYPE);
	if (column && (x->flags & ACT_SERIAL))
		find(j, RULE_SERIAL_TYPE);
	if (x->kind == ACT_ADD_VALUE && (x->flags & ACT_POSITIONED) == 0)
		find(j, RULE_VALUE_POSITION);
	for (size_t i = 0; act_is_ddl(x) && i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) > NAME_BYTES_MAX && strchr(names[i], ',') == NULL) {
			struct act said = *x;

			said.text = names[i];
			j->x = &said;
			find(j, RULE_LONG_NAME);
			j->x = x;
			break;
		}
}

static void judge_running(struct judge *j)
{
	const struct act *x = j->x;
	const bool many = (x->kind == ACT_UPDATE || x->kind == ACT_DELETE);
	const struct lint_size *size = many ? size_of(j) : NULL;

	judge_timeouts(j);
	if (many && (x->flags & (ACT_NEW | ACT_TEMPORARY)) == 0 &&
	    ((x->flags & ACT_ALL_ROWS) || (size != NULL && size->bytes >= SMALL_BYTES)))
		find(j, RULE_NOT_BATCHED);
	if (!in_transaction(j) && !is_repeatable(x))
		find(j, RULE_NOT_AGAIN);
	if (x->kind == ACT_SECURITY)
		find(j, RULE_SECURITY);
}

/* --- one act --------------------------------------------------------------------------------------------- */

static void add_phase(struct judge *j)
{
	static const unsigned bits[] = {[PHASE_NONE] = 0,
	                                [PHASE_EXPAND] = LINT_EXPAND,
	                                [PHASE_DATA] = LINT_DATA,
	                                [PHASE_VERIFY] = LINT_VERIFY,
	                                [PHASE_CONTRACT] = LINT_CONTRACT,
	                                [PHASE_OPAQUE] = LINT_OPAQUE};
	const struct act *x = j->x;
	char name[MESSAGE_LEN / 2];

	lint_add(&j->r->summary, bits[act_phase(x)], act_loses_data(x), act_breaks_schema(x), "%s", "");
	table_name(x, name, sizeof(name));
	if (x->kind == ACT_UPDATE && (x->flags & (ACT_ALL_ROWS | ACT_NEW)) == 0)
		lint_add(&j->r->summary, 0, false, false, "updates rows of %s", name);
	else if (x->kind == ACT_MERGE && (x->flags & ACT_NEW) == 0)
		lint_add(&j->r->summary, 0, false, false, "merges rows and may delete some");
	else if (x->kind == ACT_CODE)
		lint_add(&j->r->summary, 0, false, false, "%s", x->text);
}

/* Kinds of phase opaque that have no text of their own yet. */
static void judge_opaque(struct judge *j)
{
	const struct act *x = j->x;
	struct act said = *x;
	const char *text;

	if (act_phase(x) != PHASE_OPAQUE || x->kind == ACT_ALTER_TYPE || x->kind == ACT_ALTER_FIELD)
		return;
	if (x->kind != ACT_OPAQUE) {
		text = x->table[0] != '\0'
		           ? arena_printf(j->r->a, "\"%s\" on %s", act_kind_name(x->kind), x->table)
		           : arena_printf(j->r->a, "\"%s\"", act_kind_name(x->kind));
		said.text = text != NULL ? text : "";
		if (x->kind == ACT_REPLACE_OBJECT || x->kind == ACT_SECURITY)
			said.text = x->kind == ACT_SECURITY ? x->text : "what replaces a function";
	} else if (x->table[0] != '\0') {
		char object[MESSAGE_LEN / 2];

		object_name(x, object, sizeof(object));
		text = arena_printf(j->r->a, "%s %s", x->text, object);
		said.text = text != NULL ? text : "";
	}
	j->x = &said;
	find(j, RULE_OPAQUE);
	j->x = x;
}

static void judge_act(struct judge *j, struct act *x)
{
	enum lint_rule rule;

	known_tell(j->known, x);
	j->x = x;
	j->claim = claim_of(x);
	/* A changeset ends: so does its transaction. */
	if (x->kind == ACT_UNIT) {
		j->tx = (struct transaction){0};
		j->begun = false;
		return;
	}
	if (x->kind == ACT_BEGIN || x->kind == ACT_COMMIT || x->kind == ACT_ROLLBACK) {
		judge_begin(j);
		return;
	}
	j->policies += x->kind == ACT_CREATE_POLICY;
	if (x->kind == ACT_SET)
		judge_set(j);
	add_phase(j);
	j->phases |= 1u << act_phase(x);
	rule = x->flags & (ACT_NEW | ACT_TEMPORARY) ? LINT_RULE_COUNT : rule_of_break(x, j->policies > 0);
	if (rule != LINT_RULE_COUNT && !(x->kind == ACT_SET_NOT_NULL && (x->flags & ACT_PROVES_NULL)))
		find(j, rule);
	rule = x->flags & (ACT_NEW | ACT_TEMPORARY) ? LINT_RULE_COUNT : rule_of_block(x, &j->claim);
	if (rule != LINT_RULE_COUNT)
		find(j, rule);
	judge_second_table(j);
	judge_transaction(j);
	judge_running(j);
	judge_opaque(j);
	judge_style(j);
	known_learn(j->known, x);
}

/* --- the file -------------------------------------------------------------------------------------------- */

static void list_statements(struct lint_report *r)
{
	const struct act *acts = r->acts.items;
	struct lint_statement *s;

	r->statements = arena_alloc(r->a, (size_t)MAX(r->acts.n, 1) * sizeof(*r->statements));
	for (int i = 0; r->statements != NULL && i < r->acts.n; i++) {
		s = &r->statements[MAX(r->n_statements - 1, 0)];
		if (acts[i].kind != ACT_UNIT && (r->n_statements == 0 || s->number != acts[i].statement))
			r->statements[r->n_statements++] = (struct lint_statement){
			    .number = acts[i].statement, .line = acts[i].start, .kind = acts[i].kind};
	}
}

static void fill_statement(struct judge *j, int *at)
{
	struct lint_report *r = j->r;
	struct lint_statement *s;

	while (*at < r->n_statements && r->statements[*at].number != j->x->statement)
		++*at;
	if (*at >= r->n_statements)
		return;
	s = &r->statements[*at];
	s->lock = MAX(s->lock, strongest(&j->claim));
	s->rewrite = MAX(s->rewrite, j->claim.rewrite);
	s->scan = MAX(s->scan, j->claim.scan);
	s->in_transaction = in_transaction(j);
}

/* Flyway leaves its transaction out when every statement asks for it, and refuses a mixture. */
static bool wraps(const struct lint_report *r, const struct lint_context *ctx)
{
	int n_outside = 0;

	if (ctx->transaction != TX_BY_TOOL)
		return ctx->transaction == TX_YES;
	for (int i = 0; i < r->acts.n; i++)
		n_outside += (r->acts.items[i].flags & ACT_NO_TRANSACTION) != 0;
	switch (lint_tool_wraps(r->tool)) {
	case WRAPS_NEVER: return false;
	case WRAPS_SCRIPT: return r->n_statements > 1;
	case WRAPS_ALWAYS: return true;
	case WRAPS_SORTED: return n_outside < r->n_statements;
	}
	return false;
}

static bool is_mixed(unsigned phases)
{
	return (phases & (1u << PHASE_CONTRACT)) != 0 &&
	       (phases & (1u << PHASE_EXPAND | 1u << PHASE_DATA)) != 0;
}

static void judge_whole(struct judge *j)
{
	struct act whole = {.statement = 1,
	                    .line = 1,
	                    .schema = "",
	                    .table = "",
	                    .column = "",
	                    .to = "",
	                    .type = "",
	                    .text = ""};

	j->claim = (struct claim){"", LOCK_NONE, LOCK_NONE, NO, NO};
	j->x = &whole;
	if (j->begun) {
		whole.line = whole.start = j->begun_line;
		whole.statement = j->begun_statement;
		find(j, RULE_UNCOMMITTED);
	}
	if (j->r->n_statements > 0) {
		whole.line = whole.start = j->r->statements[0].line;
		whole.statement = j->r->statements[0].number;
	}
	if (is_mixed(j->phases))
		find(j, RULE_MIXED);
	if (j->r->acts.full) {
		whole.text = "a migration of this size";
		lint_add(&j->r->summary, LINT_OPAQUE, false, false, "%s", "");
		find(j, RULE_OPAQUE);
	}
}

/* By line; those of one line stay as they were found. */
static void sort_findings(struct lint_report *r)
{
	for (int i = 1; i < r->n_findings; i++) {
		const struct lint_finding f = r->findings[i];
		int k = i;

		for (; k > 0 && r->findings[k - 1].line > f.line; k--)
			r->findings[k] = r->findings[k - 1];
		r->findings[k] = f;
	}
}

void lint_judge(struct lint_report *r, const struct lint_context *ctx, const char *text, size_t n)
{
	struct judge j = {.r = r,
	                  .ctx = ctx,
	                  .known = ctx->known != NULL ? ctx->known : lint_known_new(r->a),
	                  .lock_timeout = ctx->lock_timeout,
	                  .statement_timeout = ctx->statement_timeout};
	int at = 0;

	if (ctx->policy != NULL)
		j.policy = *ctx->policy;
	else
		lint_policy_init(&j.policy);
	marks_read(r->a, text, n, &j.marks);
	list_statements(r);
	j.wraps = wraps(r, ctx);
	if (j.known == NULL || (r->statements == NULL && r->acts.n > 0)) {
		lint_add(&r->summary, LINT_OPAQUE, false, false, "out of memory");
		return;
	}
	for (int i = 0; i < r->acts.n; i++) {
		judge_act(&j, &r->acts.items[i]);
		j.x = &r->acts.items[i];
		fill_statement(&j, &at);
	}
	judge_whole(&j);
	sort_findings(r);
	r->summary.findings = r->findings;
	r->summary.n_findings = r->n_findings;
}
