/*
 * Formatted SQL: lines that start with two dashes and one of Liquibase's words, as its own regular expressions take
 * them. Where a word is written in a way that Liquibase refuses, the changelog has a problem and the line is SQL.
 */
#include "backends/migrate/liquibase_code.h"
#include "core/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SQL_MAX = 8 * 1024 * 1024 };

struct reader {
	struct lq_load *l;
	const struct lq_file *f;
	const char *p, *end;
	int line_no;
	char *line; /* the current one, NUL-terminated; room for the longest */
	struct lq_changeset c;
	bool open, has_content;
	struct str sql;
	char *logical; /* of the first line, NULL: none */
};

static bool next_line(struct reader *r)
{
	const char *start = r->p;
	size_t n;

	if (r->p >= r->end)
		return false;
	while (r->p < r->end && *r->p != '\n' && *r->p != '\r')
		r->p++;
	n = (size_t)(r->p - start);
	memcpy(r->line, start, n);
	r->line[n] = '\0';
	if (r->p < r->end && *r->p == '\r' && r->p + 1 < r->end && r->p[1] == '\n')
		r->p++;
	if (r->p < r->end)
		r->p++;
	r->line_no++;
	return true;
}

static const char *skip_space(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

static bool word_at(const char *s, const char *word) { return strncasecmp(s, word, strlen(word)) == 0; }

/* Behind "--" and blanks when word follows there; NULL: it does not. indented: blanks may stand before. */
static const char *directive(const char *line, const char *word, bool indented)
{
	const char *s = indented ? skip_space(line) : line;

	if (s[0] != '-' || s[1] != '-')
		return NULL;
	s = skip_space(s + 2);
	return word_at(s, word) ? s + strlen(word) : NULL;
}

/* The same with one dash only: what Liquibase takes for a mistake. */
static bool one_dash(const char *line, const char *word, bool indented)
{
	const char *s = indented ? skip_space(line) : line;

	return s[0] == '-' && s[1] != '-' && word_at(skip_space(s + 1), word);
}

/* --- attributes: key:value, the last one wins ---------------------------------------------------------------- */

enum attr_kind { ATTR_WORD, ATTR_TEXT, ATTR_QUOTED, ATTR_DBMS };

static size_t attr_length(const char *s, enum attr_kind kind)
{
	const char *quote;
	size_t n = 0;

	switch (kind) {
	case ATTR_WORD:
		while (isalnum((unsigned char)s[n]) || s[n] == '_')
			n++;
		return n;
	case ATTR_QUOTED:
		quote = s[0] == '"' ? strchr(s + 1, '"') : NULL;
		if (quote != NULL)
			return (size_t)(quote - s) + 1;
		return strcspn(s, " \t\r\n\f\v");
	case ATTR_DBMS:
		if (s[0] == '\0' || s[0] == ',')
			return 0;
		for (n = 1; isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '!' || s[n] == ','; n++)
			;
		return n > 1 ? n : 0;
	case ATTR_TEXT: break;
	}
	return strcspn(s, " \t\r\n\f\v");
}

static bool is_quoted(const char *s, size_t n) { return n >= 2 && s[0] == '"' && s[n - 1] == '"'; }

/* The value of the last "key:" of the line, without its quotes; NULL: none. */
static const char *attr(struct reader *r, const char *line, const char *key, enum attr_kind kind)
{
	const size_t n = strlen(key);

	for (const char *s = line + strlen(line); s >= line; s--) {
		size_t len;

		if (!word_at(s, key) || s[n] != ':')
			continue;
		len = attr_length(s + n + 1, kind);
		if (len == 0 && kind != ATTR_QUOTED && kind != ATTR_TEXT)
			continue;
		s += n + 1;
		if (kind == ATTR_QUOTED && is_quoted(s, len)) {
			s++;
			len -= 2;
		}
		return lq_expand(r->l, arena_strndup(r->l->a, s, len), r->f, &r->c.unresolved);
	}
	return NULL;
}

static bool attr_true(struct reader *r, const char *line, const char *key, bool otherwise)
{
	const char *value = attr(r, line, key, ATTR_WORD);

	return value != NULL ? strcasecmp(value, "true") == 0 : otherwise;
}

/* --- changesets ---------------------------------------------------------------------------------------------- */

static void complain(struct reader *r, const char *expected)
{
	lq_problem(r->l, "%s line %d: expected %s", r->f->path, r->line_no, expected);
}

/* "quoted" or all up to a colon, then the colon; fills the part without quotes. */
static const char *take_author(const char *s, struct arena *a, const char **ret)
{
	const char *quote = *s == '"' ? strchr(s + 1, '"') : NULL;
	const char *colon = strchr(s, ':');

	if (quote != NULL && quote > s + 1 && quote[1] == ':') {
		*ret = arena_strndup(a, s + 1, (size_t)(quote - s - 1));
		return quote + 2;
	}
	if (colon == NULL || colon == s)
		return NULL;
	*ret = arena_strndup(a, s, (size_t)(colon - s));
	return colon + 1;
}

static const char *take_id(const char *s, struct arena *a, const char **ret)
{
	const char *quote = *s == '"' ? strchr(s + 1, '"') : NULL;
	size_t n = strcspn(s, " \t\r\n\f\v");

	if (quote != NULL && quote > s + 1) {
		*ret = arena_strndup(a, s + 1, (size_t)(quote - s - 1));
		return quote + 1;
	}
	if (n == 0)
		return NULL;
	*ret = arena_strndup(a, s, n);
	return s + n;
}

/* Text of the changeset as Liquibase sums it: parameters filled in, trimmed. */
static void finish_sql(struct reader *r)
{
	const char *text = str_text(&r->sql), *sql;
	size_t n = r->sql.len;
	char part[LQ_SUM_LEN], joined[LQ_SUM_LEN + 1];

	while (n > 0 && (unsigned char)*text <= ' ') {
		text++;
		n--;
	}
	while (n > 0 && (unsigned char)text[n - 1] <= ' ')
		n--;
	sql = lq_expand(r->l, arena_strndup(r->l->a, text, n), r->f, &r->c.unresolved);
	if (sql == NULL)
		return;
	lint_sql(&r->c.lint, sql, strlen(sql));
	if (r->sql.failed) {
		r->c.unsummed = "its SQL is too long to be summed here";
	} else if (memchr(text, '\0', n) != NULL) {
		r->c.unsummed = "its SQL has NUL bytes";
	} else if (lq_sum_sql(sql, strlen(sql), part)) {
		snprintf(joined, sizeof(joined), "%s:", part);
		(void)lq_sum_text(joined, r->c.sum);
	}
}

static void close_changeset(struct reader *r, bool last)
{
	if (!r->open)
		return;
	if (!r->has_content && !last)
		lq_problem(r->l, "%s: changeset %s:%s has no SQL", r->f->path, r->c.author, r->c.id);
	finish_sql(r);
	if (r->c.no_transaction)
		lint_add(&r->c.lint, 0, false, false,
		         "runs outside of a transaction: a failure leaves it half done");
	lq_add(r->l, &r->c);
	r->open = false;
}

static void open_changeset(struct reader *r, const char *rest)
{
	struct arena *a = r->l->a;
	const char *author = NULL, *id = NULL, *s = skip_space(rest), *own, *context;

	close_changeset(r, false);
	str_clear(&r->sql);
	r->has_content = false;
	r->c = (struct lq_changeset){.path = r->f->path, .preconditions = "", .on_fail = "HALT"};
	s = take_author(s, a, &author);
	if (s != NULL && isspace((unsigned char)*s)) {
		complain(r, "--changeset AUTHOR:ID without blanks between");
		s = skip_space(s);
	}
	if (s == NULL || take_id(s, a, &id) == NULL) {
		complain(r, "--changeset AUTHOR:ID");
		return;
	}
	r->c.author = lq_expand(r->l, author, r->f, &r->c.unresolved);
	r->c.id = lq_expand(r->l, id, r->f, &r->c.unresolved);
	own = attr(r, r->line, "logicalFilePath", ATTR_TEXT);
	if (own == NULL || own[0] == '\0')
		own = r->logical != NULL ? r->logical : r->f->physical;
	r->c.file = lq_normal_path(a, own);
	context = attr(r, r->line, "contextFilter", ATTR_QUOTED);
	if (context == NULL || context[0] == '\0')
		context = attr(r, r->line, "context", ATTR_QUOTED);
	r->c.context = context;
	r->c.labels = attr(r, r->line, "labels", ATTR_QUOTED);
	r->c.dbms = attr(r, r->line, "dbms", ATTR_DBMS);
	r->c.ignored = attr_true(r, r->line, "ignore", false);
	r->c.run_on_change = attr_true(r, r->line, "runOnChange", false);
	r->c.run_always = attr_true(r, r->line, "runAlways", false);
	r->c.no_transaction = !attr_true(r, r->line, "runInTransaction", true);
	r->c.fail_ignored = !attr_true(r, r->line, "failOnError", true);
	r->open = r->c.author != NULL && r->c.id != NULL && r->c.file != NULL;
}

/* --- lines --------------------------------------------------------------------------------------------------- */

/* --property name:x value:y [dbms:z]; "a:b" must stand there twice. */
static bool take_property(struct reader *r)
{
	const char *rest = directive(r->line, "property", true);
	const char *first, *second;
	struct lq_param p = {.name = NULL};

	if (rest == NULL || !isspace((unsigned char)*rest))
		return false;
	first = strchr(rest, ':');
	second = first != NULL ? strchr(first + 1, ':') : NULL;
	if (second == NULL) {
		complain(r, "--property name:NAME value:VALUE");
		return true;
	}
	/* Blanks may follow the colon here, and only here. */
	for (int k = 0; k < 2; k++) {
		const char *key = k == 0 ? "name:" : "value:", *found = NULL;

		for (const char *s = rest; *s != '\0'; s++)
			if (word_at(s, key) && *skip_space(s + strlen(key)) != '\0')
				found = skip_space(s + strlen(key));
		if (found != NULL)
			found = lq_expand(r->l, arena_strndup(r->l->a, found, strcspn(found, " \t\r\n\f\v")),
			                  r->f, &r->c.unresolved);
		if (k == 0)
			p.name = found;
		else
			p.value = found;
	}
	p.context = attr(r, r->line, "contextFilter", ATTR_QUOTED);
	if (p.context == NULL)
		p.context = attr(r, r->line, "context", ATTR_QUOTED);
	p.labels = attr(r, r->line, "labels", ATTR_QUOTED);
	p.dbms = attr(r, r->line, "dbms", ATTR_DBMS);
	if (!attr_true(r, r->line, "global", true))
		p.only_in = r->f->physical;
	lq_param_add(r->l, &p);
	return true;
}

/* --ignoreLines:3, --ignoreLines:start ... --ignoreLines:end */
static bool take_ignored(struct reader *r)
{
	const char *rest = directive(r->line, "ignoreLines:", false);
	char *end;
	long n;

	if (rest == NULL || *rest == '\0')
		return false;
	if (strcasecmp(rest, "start") == 0) {
		while (next_line(r)) {
			rest = directive(r->line, "ignoreLines:", false);
			if (rest != NULL && strcasecmp(rest, "end") == 0)
				break;
		}
		return true;
	}
	n = strtol(rest, &end, 10);
	if (*end != '\0') {
		complain(r, "--ignoreLines:COUNT or --ignoreLines:start");
		return true;
	}
	while (n-- > 0 && next_line(r))
		;
	return true;
}

/* The comment of a rollback in several lines: what goes back is not what runs. */
static bool take_rollback_block(struct reader *r)
{
	const char *s = skip_space(r->line);

	if (s[0] != '/' || s[1] != '*')
		return false;
	s = skip_space(s + 2);
	if (!word_at(s, "liquibase"))
		return false;
	s = skip_space(s + 9);
	if (!word_at(s, "rollback") || *skip_space(s + 8) != '\0')
		return false;
	while (next_line(r)) {
		size_t n = strlen(r->line);

		while (n > 0 && isspace((unsigned char)r->line[n - 1]))
			n--;
		if (n >= 2 && r->line[n - 1] == '/' && r->line[n - 2] == '*')
			return true;
	}
	lq_problem(r->l, "%s: a rollback comment is not closed", r->f->path);
	return true;
}

static void note_precondition(struct reader *r, const char *name)
{
	r->c.preconditions =
	    r->c.preconditions[0] != '\0' ? arena_printf(r->l->a, "%s, %s", r->c.preconditions, name) : name;
	if (r->c.preconditions == NULL)
		r->c.preconditions = "";
}

/* A word of Liquibase's inside of a changeset; false: the line is SQL. */
static bool take_word(struct reader *r)
{
	const char *rest;

	/* "--comment x", "--comment: x": one blank must follow. */
	rest = directive(r->line, "comment", false);
	if (rest != NULL && (*rest == ' ' || (rest[0] == ':' && rest[1] == ' ')))
		return true;
	if (rest != NULL && word_at(rest, "s") && (rest[1] == ' ' || (rest[1] == ':' && rest[2] == ' '))) {
		complain(r, "--comment TEXT");
		return true;
	}
	rest = directive(r->line, "validCheckSum", false);
	if (rest != NULL && (*rest == ' ' || (rest[0] == ':' && rest[1] == ' '))) {
		struct lq_list *l = &r->c.valid_sums;

		rest += *rest == ':' ? 2 : 1;
		if (l->n < LQ_LIST_MAX)
			l->items[l->n++] = arena_strdup(r->l->a, rest);
		return true;
	}
	rest = directive(r->line, "rollback", true);
	if (rest != NULL && *rest == ' ')
		return true;
	if (take_rollback_block(r))
		return true;
	rest = directive(r->line, "preconditions", true);
	if (rest != NULL) {
		const char *on_fail = attr(r, r->line, "onFail", ATTR_WORD);

		if (on_fail != NULL)
			r->c.on_fail = on_fail;
		return true;
	}
	rest = directive(r->line, "precondition-", true);
	if (rest != NULL) {
		size_t n = strspn(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");

		if (n == 0)
			return false;
		if (rest[n] != ' ')
			complain(r, "--precondition-NAME with its parameters");
		note_precondition(r, arena_strndup(r->l->a, rest, n));
		return true;
	}
	return false;
}

static void take_line(struct reader *r)
{
	const char *rest;

	if (take_property(r) || take_ignored(r))
		return;
	rest = directive(r->line, "liquibase", true);
	if (rest != NULL && word_at(skip_space(rest), "formatted")) {
		const char *own = attr(r, r->line, "logicalFilePath", ATTR_TEXT);

		r->logical = own != NULL ? arena_strdup(r->l->a, own) : NULL;
	}
	rest = directive(r->line, "changeset", true);
	if (rest != NULL && isspace((unsigned char)*rest) && strchr(rest, ':') != NULL) {
		open_changeset(r, rest);
		return;
	}
	if (rest != NULL || one_dash(r->line, "changeset ", false)) {
		complain(r, "--changeset AUTHOR:ID");
		return;
	}
	if (!r->open) {
		rest = directive(r->line, "comment", false);
		if (rest != NULL && (*rest == ' ' || (rest[0] == ':' && rest[1] == ' ')))
			complain(r, "no comment outside of a changeset");
		return;
	}
	if (take_word(r))
		return;
	if (one_dash(r->line, "rollback ", true) || one_dash(r->line, "preconditions ", true) ||
	    one_dash(r->line, "precondition", true) || one_dash(r->line, "validCheckSum", false)) {
		complain(r, "two dashes before one of Liquibase's words");
		return;
	}
	if (*skip_space(r->line) != '\0')
		r->has_content = true;
	str_add(&r->sql, r->line);
	str_addc(&r->sql, '\n');
}

bool lq_is_formatted(const char *bytes, size_t n)
{
	const char *end = bytes + n;

	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		bytes += 3;
	while (bytes < end && isspace((unsigned char)*bytes))
		bytes++;
	if (end - bytes < 2 || bytes[0] != '-' || bytes[1] != '-')
		return false;
	for (bytes += 2; bytes < end && (*bytes == ' ' || *bytes == '\t'); bytes++)
		;
	if (end - bytes < 18 || strncasecmp(bytes, "liquibase", 9) != 0)
		return false;
	for (bytes += 9; bytes < end && (*bytes == ' ' || *bytes == '\t'); bytes++)
		;
	return end - bytes >= 9 && strncasecmp(bytes, "formatted", 9) == 0;
}

static size_t longest_line(const char *bytes, size_t n)
{
	size_t longest = 0, from = 0;

	for (size_t i = 0; i <= n; i++)
		if (i == n || bytes[i] == '\n' || bytes[i] == '\r') {
			longest = MAX(longest, i - from);
			from = i + 1;
		}
	return longest;
}

void lq_read_formatted(struct lq_load *l, const struct lq_file *f, const char *bytes, size_t n)
{
	struct reader r = {.l = l, .f = f, .p = bytes, .end = bytes + n};

	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		r.p += 3;
	r.line = arena_alloc(l->a, longest_line(bytes, n) + 1);
	if (r.line == NULL)
		return;
	str_init(&r.sql, SQL_MAX);
	while (next_line(&r))
		take_line(&r);
	close_changeset(&r, true);
	str_release(&r.sql);
}
