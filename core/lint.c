#include "core/lint_private.h"

#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct lint_rule_desc rules[LINT_RULE_COUNT] = {
#define RULE(symbol, id, slug, severity, message, why, safer, sq, sm, dj, at, eu)                            \
	[RULE_##symbol] = {id, slug, SEVERITY_##severity, message, why, safer, sq, sm, dj, at, eu},
#include "core/rules.def"
#undef RULE
};

static const struct {
	const char *name, *no_tx;
	enum lint_wraps wraps;
} tools[LINT_TOOL_COUNT] = {
#define TOOL(symbol, name, wraps, no_tx) [LINT_TOOL_##symbol] = {name, no_tx, WRAPS_##wraps},
#include "core/lint_tools.def"
#undef TOOL
};

static const char *const severities[] = {"off", "info", "warning", "error"};

const struct lint_rule_desc *lint_rule_desc(enum lint_rule r)
{
	return &rules[(unsigned)r < LINT_RULE_COUNT ? r : 0];
}

const char *lint_severity_name(enum lint_severity s)
{
	return severities[(unsigned)s < ARRAY_LEN(severities) ? s : 0];
}

const char *lint_tool_name(enum lint_tool t) { return (unsigned)t < LINT_TOOL_COUNT ? tools[t].name : "?"; }

const char *lint_tool_no_tx(enum lint_tool t) { return (unsigned)t < LINT_TOOL_COUNT ? tools[t].no_tx : ""; }

enum lint_wraps lint_tool_wraps(enum lint_tool t)
{
	return (unsigned)t < LINT_TOOL_COUNT ? tools[t].wraps : WRAPS_NEVER;
}

enum lint_tool lint_tool_of(const char *name)
{
	for (int i = 0; i < LINT_TOOL_COUNT; i++)
		if (strcmp(tools[i].name, name) == 0)
			return (enum lint_tool)i;
	return LINT_TOOL_COUNT;
}

void lint_policy_init(struct lint_policy *p)
{
	for (int i = 0; i < LINT_RULE_COUNT; i++)
		p->severity[i] = (unsigned char)rules[i].severity;
}

static bool names_rule(const struct lint_rule_desc *d, const char *name)
{
	return strcmp(d->id, name) == 0 || strcmp(d->slug, name) == 0 ||
	       (name[0] == d->id[0] && name[1] == '\0');
}

int lint_policy_set(struct lint_policy *p, const char *rule, const char *severity, struct error *e)
{
	int level = -1, n = 0;

	for (int i = 0; i < (int)ARRAY_LEN(severities); i++)
		if (strcmp(severities[i], severity) == 0)
			level = i;
	if (level < 0) {
		error_set(e, ERR_INVALID, "%.40s is no severity", severity);
		error_hint(e, "off, info, warning or error");
		return ERR_INVALID;
	}
	for (int i = 0; i < LINT_RULE_COUNT; i++)
		if (names_rule(&rules[i], rule)) {
			p->severity[i] = (unsigned char)level;
			n++;
		}
	if (n == 0) {
		error_set(e, ERR_INVALID, "no rule is called %.60s", rule);
		error_hint(e, "an id such as L1, a name such as drop-column, or a class: B, L, T, M or S");
		return ERR_INVALID;
	}
	return 0;
}

/* --- summary --------------------------------------------------------------------------------------------- */

enum migration_kind lint_kind(const struct lint *l)
{
	if (l->seen & LINT_CONTRACT)
		return l->seen & (LINT_EXPAND | LINT_DATA) ? MIGRATION_MIXED : MIGRATION_CONTRACT;
	if (l->seen & LINT_OPAQUE)
		return MIGRATION_OPAQUE;
	if (l->seen & LINT_DATA)
		return MIGRATION_DATA;
	return l->seen & LINT_VERIFY ? MIGRATION_VERIFY : MIGRATION_EXPAND;
}

void lint_add(struct lint *l, unsigned bits, bool loses, bool destructive, const char *fmt, ...)
{
	char raw[TEXT_LEN], clean[TEXT_LEN];
	size_t have = strlen(l->text);
	va_list ap;

	l->seen |= bits;
	l->loses_data |= loses;
	l->destructive |= destructive;
	if (fmt[0] == '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text_cleanz(clean, sizeof(clean), raw);
	if (clean[0] == '\0' || have + strlen(clean) + 3 >= sizeof(l->text))
		return;
	if (have > 0)
		have += (size_t)snprintf(l->text + have, sizeof(l->text) - have, "; ");
	str_copy(l->text + have, sizeof(l->text) - have, clean);
}

void lint_sql(struct lint *l, const char *sql, size_t n)
{
	static const struct lint_context plain = {.tool = LINT_TOOL_SQL};
	struct lint_report r;
	struct arena a;

	arena_init(&a, ARENA_DEFAULT_MAX);
	lint_file(&a, "", sql, n, &plain, &r);
	lint_add(l, r.summary.seen, r.summary.loses_data, r.summary.destructive, "%s", r.summary.text);
	arena_release(&a);
}

/* --- names that go away ---------------------------------------------------------------------------------- */

static bool name_of(const struct act *x, struct lint_name *n)
{
	*n = (struct lint_name){x->table, "", "table", false};
	switch ((int)x->kind) {
	case ACT_RENAME_COLUMN:
		n->renamed = true;
		n->column = x->column;
		n->kind = "column";
		return true;
	case ACT_DROP_COLUMN:
		n->column = x->column;
		n->kind = "column";
		return true;
	case ACT_RENAME_TABLE:
	case ACT_SET_SCHEMA: n->renamed = true; return true;
	case ACT_DROP_TABLE: return true;
	case ACT_RENAME_OBJECT:
	case ACT_DROP_OBJECT:
		n->renamed = x->kind == ACT_RENAME_OBJECT;
		n->kind = x->text;
		return x->table[0] != '\0';
	default: return false;
	}
}

int lint_dropped_names(const struct act_list *acts, struct lint_name *names, int cap)
{
	int n = 0;

	for (int i = 0; i < acts->n; i++) {
		struct lint_name one;

		if ((acts->items[i].flags & (ACT_NEW | ACT_TEMPORARY)) != 0 ||
		    !name_of(&acts->items[i], &one))
			continue;
		if (n < cap)
			names[n] = one;
		n++;
	}
	return n;
}

/* --- expand and contract --------------------------------------------------------------------------------- */

/* The migration before end that does kind to table.column (or to any column from it), -1: none. */
static int find_act(const struct act_list *const *m, int end, enum act_kind kind, const char *table,
                    const char *column)
{
	for (int i = end; i >= 0; i--)
		for (int k = 0; k < m[i]->n; k++) {
			const struct act *x = &m[i]->items[k];

			if (x->kind == kind && strcmp(x->table, table) == 0 && strcmp(x->column, column) == 0)
				return i;
		}
	return -1;
}

/* The newest column of the table that was filled from this one and added before. */
static bool find_pair(const struct act_list *const *m, int contract, const struct act *drop,
                      struct lint_pair *ret)
{
	for (int i = contract; i >= 0; i--)
		for (int k = m[i]->n - 1; k >= 0; k--) {
			const struct act *x = &m[i]->items[k];
			int expand;

			if (x->kind != ACT_ASSIGN || strcmp(x->table, drop->table) != 0 ||
			    strcmp(x->to, drop->column) != 0 || strcmp(x->column, drop->column) == 0)
				continue;
			expand = find_act(m, i, ACT_ADD_COLUMN, x->table, x->column);
			if (expand < 0)
				continue;
			*ret = (struct lint_pair){drop->table, drop->column, x->column, expand, i, contract};
			return true;
		}
	return false;
}

int lint_pairs(const struct act_list *const *migrations, int n, struct lint_pair *pairs, int cap)
{
	int found = 0;

	for (int i = 0; i < n; i++)
		for (int k = 0; k < migrations[i]->n; k++) {
			const struct act *x = &migrations[i]->items[k];
			struct lint_pair one;

			if (x->kind != ACT_DROP_COLUMN || !find_pair(migrations, i, x, &one))
				continue;
			if (found < cap)
				pairs[found] = one;
			found++;
		}
	return found;
}
