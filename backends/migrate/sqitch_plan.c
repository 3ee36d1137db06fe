/*
 * sqitch.plan: pragmas, changes, tags, dependencies, and the chain of ids. An id is the SHA-1 of the change's own
 * text with its parent's id in it: so whoever edits a line of the plan gives new ids to it and to all behind it.
 */
#include "backends/migrate/sqitch_code.h"
#include "core/limits.h"
#include "core/sha256.h"
#include "core/str.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

enum { INFO_MAX = 64 * 1024, DEPENDS_MAX = 256 };

/* Sqitch's [:punct:] has no underscore. */
static const char punct[] = "-!\"#$%&'()*+,./:;<=>?@[\\]^`{|}~";

struct parse {
	struct sqitch_plan *plan;
	struct arena *a;
	struct error *e;
	const char *file;
	int line;
	int first_since_tag; /* the first change behind the last tag */
	int last_of_tag;     /* how many changes stand before it */
};

/* A piece of the file. */
struct span {
	const char *s;
	size_t n;
};

static int refuse(struct parse *p, const char *fmt, const char *what, const char *other)
{
	char a[NAME_LEN], b[NAME_LEN], text[TEXT_LEN];

	text_cleanz(a, sizeof(a), what != NULL ? what : "");
	text_cleanz(b, sizeof(b), other != NULL ? other : "");
	/* fmt is one of the literals below, with at most two %s. */
	for (size_t i = 0, k = 0, n = 0; k + 1 < sizeof(text); i++) {
		if (fmt[i] == '%' && fmt[i + 1] == 's') {
			k += (size_t)snprintf(text + k, sizeof(text) - k, "%s", n++ == 0 ? a : b);
			i++;
			continue;
		}
		text[k++] = fmt[i];
		text[k] = '\0';
		if (fmt[i] == '\0')
			break;
	}
	error_set(p->e, ERR_INVALID, "sqitch refuses the plan: %.300s", text);
	error_at(p->e, p->file, p->line, 0);
	error_hint(p->e, "mend that line; `sqitch plan` says whether it can be read");
	return ERR_INVALID;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static void skip_blank(struct span *x)
{
	while (x->n > 0 && is_blank(*x->s)) {
		x->s++;
		x->n--;
	}
}

static void cut_right(struct span *x)
{
	while (x->n > 0 && is_blank(x->s[x->n - 1]))
		x->n--;
}

static bool is_punct(char c) { return c != '\0' && strchr(punct, c) != NULL; }

/* A name's form: no punctuation at its ends, none of ":@#\", no "~2" or "/3" at its end. */
static bool is_name(struct span x)
{
	size_t digits = 0;

	if (x.n == 0 || is_punct(x.s[0]) || is_punct(x.s[x.n - 1]))
		return false;
	for (size_t i = 0; i < x.n; i++)
		if (is_blank(x.s[i]) || strchr(":@#\\", x.s[i]) != NULL)
			return false;
	while (digits < x.n && x.s[x.n - 1 - digits] >= '0' && x.s[x.n - 1 - digits] <= '9')
		digits++;
	return digits == 0 || digits == x.n || strchr("~/=%^", x.s[x.n - 1 - digits]) == NULL;
}

static bool is_hash(struct span x)
{
	for (size_t i = 0; i < 40; i++)
		if (i >= x.n || strchr("0123456789abcdef", x.s[i]) == NULL)
			return false;
	return true;
}

static char *text_of(struct arena *a, struct span x) { return arena_strndup(a, x.s, x.n); }

/* --- ids ------------------------------------------------------------------------------------------------------ */

static void add_depends(struct str *s, const struct sqitch_change *c, bool conflicts)
{
	bool first = true;

	for (int i = 0; i < c->n_depends; i++) {
		const struct sqitch_depend *d = &c->depends[i];

		if (d->conflicts != conflicts)
			continue;
		if (first)
			str_add(s, conflicts ? "\nconflicts" : "\nrequires");
		first = false;
		str_addf(s, "\n  %c %s", conflicts ? '-' : '+', d->text);
	}
}

static bool make_id(struct parse *p, struct sqitch_change *c, const char *parent)
{
	struct str info, all;
	bool fine;

	str_init(&info, INFO_MAX);
	str_init(&all, INFO_MAX + 64);
	str_addf(&info, "project %s", p->plan->project);
	if (p->plan->uri != NULL)
		str_addf(&info, "\nuri %s", p->plan->uri);
	str_addf(&info, "\nchange %s", c->name);
	if (parent != NULL)
		str_addf(&info, "\nparent %s", parent);
	str_addf(&info, "\nplanner %s\ndate %s", c->planner, c->date);
	add_depends(&info, c, false);
	add_depends(&info, c, true);
	if (c->note[0] != '\0')
		str_addf(&info, "\n\n%s", c->note);
	str_addf(&all, "change %zu", info.len);
	str_addc(&all, '\0');
	str_addn(&all, str_text(&info), info.len);
	fine = !info.failed && !all.failed;
	if (fine)
		sha1_of(all.data, all.len, c->id);
	str_release(&info);
	str_release(&all);
	return fine;
}

/* --- pragmas --------------------------------------------------------------------------------------------------- */

/*
 * The canonical form of a URI as Perl's URI module gives it: scheme and host in lower case, no default port, "/" for
 * the empty path of http.
 */
static const char *canonical_uri(struct arena *a, const char *uri)
{
	char *c = arena_strdup(a, uri), *host, *end, *colon;
	size_t scheme;
	bool http, https;

	if (c == NULL)
		return NULL;
	scheme = strcspn(c, ":/?#");
	if (c[scheme] != ':')
		return c;
	for (size_t i = 0; i < scheme; i++)
		c[i] = (char)(c[i] >= 'A' && c[i] <= 'Z' ? c[i] + 'a' - 'A' : c[i]);
	http = scheme == 4 && memcmp(c, "http", 4) == 0;
	https = scheme == 5 && memcmp(c, "https", 5) == 0;
	if (strncmp(c + scheme, "://", 3) != 0)
		return c;
	host = c + scheme + 3;
	end = host + strcspn(host, "/?#");
	for (char *at = host; at < end; at++)
		if (*at == '@')
			host = at + 1;
	for (char *at = host; at < end; at++)
		*at = (char)(*at >= 'A' && *at <= 'Z' ? *at + 'a' - 'A' : *at);
	colon = memchr(host, ':', (size_t)(end - host));
	if (colon != NULL &&
	    (colon + 1 == end || (http && end - colon == 3 && memcmp(colon, ":80", 3) == 0) ||
	     (https && end - colon == 4 && memcmp(colon, ":443", 4) == 0)))
		return arena_printf(a, "%.*s%s%s", (int)(colon - c), c, *end == '/' ? "" : "/", end);
	if ((http || https) && *end != '/')
		return arena_printf(a, "%.*s/%s", (int)(end - c), c, end);
	return c;
}

/* "%project=shop" without its note. */
static int read_pragma(struct parse *p, struct span x)
{
	struct span name, value = {NULL, 0};
	const char *eq;

	skip_blank(&x);
	if (x.n == 0 || *x.s != '%')
		return refuse(p, "invalid pragma; a blank line must come between pragmas and changes", NULL,
		              NULL);
	x.s++;
	x.n--;
	skip_blank(&x);
	eq = memchr(x.s, '=', x.n);
	name = (struct span){x.s, eq != NULL ? (size_t)(eq - x.s) : x.n};
	cut_right(&name);
	if (eq != NULL) {
		value = (struct span){eq + 1, x.n - (size_t)(eq + 1 - x.s)};
		skip_blank(&value);
	}
	if (name.n == 0 || is_punct(name.s[0]) || (eq != NULL && value.n == 0))
		return refuse(p, "invalid pragma; a blank line must come between pragmas and changes", NULL,
		              NULL);
	if (name.n == 7 && memcmp(name.s, "project", 7) == 0) {
		if (!is_name(value))
			return refuse(p, "invalid project name \"%s\"", text_of(p->a, value), NULL);
		p->plan->project = text_of(p->a, value);
	} else if (name.n == 3 && memcmp(name.s, "uri", 3) == 0 && value.n > 0) {
		p->plan->uri = canonical_uri(p->a, text_of(p->a, value));
	}
	return 0;
}

/* --- dependencies ------------------------------------------------------------------------------------------------ */

static struct sqitch_depend *depend_new(struct parse *p, struct sqitch_change *c, struct span x)
{
	struct sqitch_depend *d = &c->depends[c->n_depends];
	struct span change = x, tag = {NULL, 0};
	const char *at, *own;
	char *key;

	*d = (struct sqitch_depend){.at = -1, .conflicts = x.n > 0 && *x.s == '!'};
	x.s += d->conflicts;
	x.n -= d->conflicts;
	at = memchr(x.s, ':', x.n);
	if (at != NULL) {
		struct span project = {x.s, (size_t)(at - x.s)};

		if (!is_name(project))
			return NULL;
		d->project = text_of(p->a, project);
		x = (struct span){at + 1, x.n - project.n - 1};
	}
	change = x;
	at = memchr(x.s, '@', x.n);
	if (at != NULL) {
		change.n = (size_t)(at - x.s);
		tag = (struct span){at + 1, x.n - change.n - 1};
	}
	if (at == NULL && x.n == 40 && is_hash(x)) {
		d->id = text_of(p->a, x);
	} else {
		if ((change.n > 0 && !is_name(change)) || (at != NULL && !is_name(tag)) ||
		    (at == NULL && change.n == 0))
			return NULL;
		d->change = change.n > 0 ? text_of(p->a, change) : NULL;
		d->tag = at != NULL ? text_of(p->a, tag) : NULL;
	}
	key = d->id != NULL ? text_of(p->a, x)
	                    : arena_printf(p->a, "%s%s%s", d->change != NULL ? d->change : "",
	                                   d->tag != NULL ? "@" : "", d->tag != NULL ? d->tag : "");
	own = p->plan->project;
	d->external = d->project != NULL && strcmp(d->project, own) != 0;
	d->text = d->external ? arena_printf(p->a, "%s:%s", d->project, key) : key;
	return d->text != NULL ? d : NULL;
}

static int read_depends(struct parse *p, struct sqitch_change *c, struct span x)
{
	c->depends = arena_alloc(p->a, DEPENDS_MAX * sizeof(*c->depends));
	/* Sqitch splits at blanks, so one in front makes a dependency without a name: it dies of that. */
	if (x.n > 0 && is_blank(*x.s))
		return refuse(p, "a blank behind the \"[\" of the dependencies", NULL, NULL);
	while (x.n > 0 && c->depends != NULL) {
		struct span one;

		skip_blank(&x);
		one = (struct span){x.s, 0};
		while (one.n < x.n && !is_blank(x.s[one.n]))
			one.n++;
		x.s += one.n;
		x.n -= one.n;
		if (one.n == 0)
			break;
		if (c->n_depends >= DEPENDS_MAX)
			return refuse(p, "too many dependencies", NULL, NULL);
		if (depend_new(p, c, one) == NULL)
			return refuse(p, "\"%s\" is not a valid dependency specification", text_of(p->a, one),
			              NULL);
		for (int i = 0; i < c->n_depends; i++)
			if (c->depends[i].conflicts == c->depends[c->n_depends].conflicts &&
			    strcmp(c->depends[i].text, c->depends[c->n_depends].text) == 0 &&
			    (c->depends[i].project == NULL) == (c->depends[c->n_depends].project == NULL))
				return refuse(p, "duplicate dependency \"%s\"", text_of(p->a, one), NULL);
		c->n_depends++;
	}
	return c->depends != NULL ? 0 : error_set(p->e, ERR_NOMEM, "out of memory");
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

/* "2026-11-20T23:12:04Z" */
static bool is_time(struct span x)
{
	static const char form[] = "0000-00-00T00:00:00Z";

	if (x.n < sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == '0' ? x.s[i] < '0' || x.s[i] > '9' : x.s[i] != form[i])
			return false;
	return true;
}

/* What stands behind the first '#', without the blanks before it; trims and unescapes it. */
static const char *take_note(struct parse *p, struct span *x)
{
	const char *hash = memchr(x->s, '#', x->n);
	struct span note;
	char *text;
	size_t k = 0;

	if (hash == NULL) {
		cut_right(x);
		return "";
	}
	note = (struct span){hash + 1, x->n - (size_t)(hash + 1 - x->s)};
	x->n = (size_t)(hash - x->s);
	cut_right(x);
	while (note.n > 0 && strchr(" \t\r\v\f", *note.s) != NULL) {
		note.s++;
		note.n--;
	}
	while (note.n > 0 && strchr(" \t\r\v\f", note.s[note.n - 1]) != NULL)
		note.n--;
	text = text_of(p->a, note);
	for (size_t i = 0; text != NULL && text[i] != '\0'; i++) {
		if (text[i] == '\\' && (text[i + 1] == 'n' || text[i + 1] == 'r' || text[i + 1] == '\\')) {
			i++;
			text[k++] = (char)(text[i] == 'n' ? '\n' : text[i] == 'r' ? '\r' : '\\');
		} else {
			text[k++] = text[i];
		}
	}
	if (text != NULL)
		text[k] = '\0';
	return text;
}

/* "Ana Example <ana@example.com>" to the end of the line; NULL: it is none. */
static const char *planner_of(struct parse *p, struct span x)
{
	const char *open = memchr(x.s, '<', x.n);
	struct span name, email;

	if (open == NULL || x.s[x.n - 1] != '>')
		return NULL;
	name = (struct span){x.s, (size_t)(open - x.s)};
	email = (struct span){open + 1, x.n - name.n - 2};
	if (name.n < 2 || !is_blank(name.s[name.n - 1]) || email.n == 0 ||
	    memchr(email.s, '>', email.n) != NULL)
		return NULL;
	name.n--;
	return arena_printf(p->a, "%.*s <%.*s>", (int)name.n, name.s, (int)email.n, email.s);
}

/* Timestamp and planner at the line's end. */
static int read_origin(struct parse *p, struct span x, const char **date, const char **planner)
{
	const bool time = is_time(x);

	if (time) {
		*date = arena_strndup(p->a, x.s, 20);
		x.s += 20;
		x.n -= 20;
		skip_blank(&x);
	}
	*planner = x.n > 0 ? planner_of(p, x) : NULL;
	if (!time)
		return refuse(p,
		              *planner != NULL ? "missing timestamp"
		                               : "missing timestamp and planner name and email",
		              NULL, NULL);
	if (*planner == NULL)
		return refuse(p, "missing planner name and email", NULL, NULL);
	return 0;
}

static int read_tag(struct parse *p, const char *name)
{
	struct sqitch_plan *plan = p->plan;

	if (strchr(name, '/') != NULL)
		return refuse(p, "tag \"%s\" contains illegal character /", name, NULL);
	if (plan->n == 0)
		return refuse(p, "tag \"%s\" declared without a preceding change", name, NULL);
	for (int i = 0; i < plan->n; i++)
		for (int k = 0; k < plan->changes[i].tags.n; k++)
			if (strcmp(plan->changes[i].tags.items[k], name) == 0)
				return refuse(p, "tag \"%s\" duplicates an earlier declaration", name, NULL);
	sqitch_list_add(p->a, &plan->changes[plan->n - 1].tags, name);
	p->first_since_tag = plan->n;
	p->last_of_tag = plan->n;
	return 0;
}

/* The name comes again: the older change's scripts now have the name of a tag between the two. */
static void mark_reworked(struct parse *p, int older)
{
	struct sqitch_plan *plan = p->plan;

	for (int i = p->last_of_tag - 1; i >= older; i--)
		for (int k = 0; k < plan->changes[i].tags.n; k++)
			sqitch_list_add(p->a, &plan->changes[older].rework_tags,
			                plan->changes[i].tags.items[k]);
}

static struct sqitch_change *change_new(struct parse *p)
{
	struct sqitch_plan *plan = p->plan;

	if (plan->n == plan->cap) {
		plan->cap = MAX(32, plan->cap * 2);
		plan->changes = arena_grow(p->a, plan->changes, (size_t)plan->n, (size_t)plan->cap,
		                           sizeof(*plan->changes));
	}
	return plan->changes != NULL ? &plan->changes[plan->n] : NULL;
}

static int read_change(struct parse *p, const char *name, struct span depends, const char *note,
                       struct span origin)
{
	struct sqitch_plan *plan = p->plan;
	struct sqitch_change *c;
	int rc, older = -1;

	if (plan->n >= MIGRATIONS_MAX)
		return error_set(p->e, ERR_NOMEM, "more than %d migrations", MIGRATIONS_MAX);
	for (int i = 0; i < plan->n; i++)
		if (strcmp(plan->changes[i].name, name) == 0)
			older = i;
	if (older >= p->first_since_tag)
		return refuse(p, "change \"%s\" duplicates an earlier declaration since the last tag", name,
		              NULL);
	c = change_new(p);
	if (c == NULL)
		return error_set(p->e, ERR_NOMEM, "out of memory");
	*c = (struct sqitch_change){.name = name, .line = p->line, .note = note};
	rc = read_origin(p, origin, &c->date, &c->planner);
	if (rc == 0 && depends.s != NULL)
		rc = read_depends(p, c, depends);
	if (rc != 0)
		return rc;
	if (arena_failed(p->a) || !make_id(p, c, plan->n > 0 ? plan->changes[plan->n - 1].id : NULL))
		return error_set(p->e, ERR_NOMEM, "out of memory");
	plan->n++;
	if (older >= 0)
		mark_reworked(p, older);
	return 0;
}

/* "name [dependencies] time planner", or "@tag time planner"; without its note. */
static int read_entry(struct parse *p, struct span x)
{
	struct span name, depends = {NULL, 0};
	const char *note = take_note(p, &x), *text, *date, *planner;
	bool tag;
	int rc;

	skip_blank(&x);
	tag = x.n > 0 && *x.s == '@';
	if (x.n > 0 && (tag || *x.s == '+' || *x.s == '-')) {
		x.s++;
		x.n--;
		if (!tag)
			skip_blank(&x);
	}
	name = (struct span){x.s, 0};
	while (name.n < x.n && !is_blank(x.s[name.n]))
		name.n++;
	if (!is_name(name))
		return refuse(
		    p,
		    "invalid name; names must not begin with punctuation, contain \"@\", \":\", \"#\", "
		    "\"\\\", or blanks, or end in punctuation or digits following punctuation",
		    NULL, NULL);
	x.s += name.n;
	x.n -= name.n;
	skip_blank(&x);
	if (x.n > 0 && *x.s == '[') {
		const char *end = memchr(x.s, ']', x.n);

		if (end == NULL || end == x.s + 1)
			return refuse(p, "missing timestamp and planner name and email", NULL, NULL);
		depends = (struct span){x.s + 1, (size_t)(end - x.s) - 1};
		x = (struct span){end + 1, x.n - depends.n - 2};
		skip_blank(&x);
	}
	text = text_of(p->a, name);
	if (text == NULL || note == NULL)
		return error_set(p->e, ERR_NOMEM, "out of memory");
	if (strcmp(text, "ROOT") == 0 || strcmp(text, "HEAD") == 0)
		return refuse(p, "\"%s\" is a reserved name", text, NULL);
	if (is_hash(name))
		return refuse(p, "\"%s\" is invalid because it could be confused with a SHA1 ID", text, NULL);
	if (!tag)
		return read_change(p, text, depends, note, x);
	if (depends.s != NULL)
		return refuse(p, "tags may not specify dependencies", NULL, NULL);
	rc = read_origin(p, x, &date, &planner);
	return rc != 0 ? rc : read_tag(p, text);
}

/* --- what the dependencies mean ---------------------------------------------------------------------------- */

static int tagged_at(const struct sqitch_plan *p, const char *tag)
{
	for (int i = 0; i < p->n; i++)
		for (int k = 0; k < p->changes[i].tags.n; k++)
			if (strcmp(p->changes[i].tags.items[k], tag) == 0)
				return i;
	return -1;
}

/* The change of this plan that a dependency names: the first of a name, or the last of it before a tag. */
static int depend_at(const struct sqitch_plan *p, const struct sqitch_depend *d)
{
	int tag = d->tag != NULL ? tagged_at(p, d->tag) : p->n - 1, found = -1;

	if (d->id != NULL)
		return sqitch_plan_find(p, d->id);
	if (d->tag != NULL && strcmp(d->tag, "HEAD") == 0)
		tag = p->n - 1;
	else if (d->tag != NULL && strcmp(d->tag, "ROOT") == 0)
		tag = 0;
	if (d->change == NULL)
		return tag;
	for (int i = 0; i <= tag; i++)
		if (strcmp(p->changes[i].name, d->change) == 0 && (d->tag != NULL || found < 0))
			found = i;
	return found;
}

static int check_depends(struct parse *p)
{
	struct sqitch_plan *plan = p->plan;

	for (int i = 0; i < plan->n; i++)
		for (int k = 0; k < plan->changes[i].n_depends; k++) {
			struct sqitch_depend *d = &plan->changes[i].depends[k];

			p->line = plan->changes[i].line;
			if (d->external)
				continue;
			d->at = depend_at(plan, d);
			if (d->id != NULL)
				d->external = d->at < 0;
			if (d->conflicts || d->id != NULL)
				continue;
			if (d->at == i && d->tag == NULL)
				return refuse(p, "change \"%s\" cannot require itself", plan->changes[i].name,
				              NULL);
			if (d->at < 0)
				return refuse(p, "unknown change \"%s\" required by change \"%s\"", d->text,
				              plan->changes[i].name);
			if (d->at >= i)
				return refuse(p, "change \"%s\" planned before required change \"%s\"",
				              plan->changes[i].name, d->text);
		}
	return 0;
}

int sqitch_plan_find(const struct sqitch_plan *p, const char *id)
{
	for (int i = 0; i < p->n; i++)
		if (strcmp(p->changes[i].id, id) == 0)
			return i;
	return -1;
}

/* Blank, or a comment alone? */
static bool is_idle(struct span x)
{
	skip_blank(&x);
	return x.n == 0 || (*x.s == '#' && x.n > 1);
}

int sqitch_plan_read(struct sqitch_plan *plan, struct arena *a, const char *bytes, size_t n, struct error *e)
{
	struct parse p = {.plan = plan, .a = a, .e = e, .file = "sqitch.plan"};
	bool header = true;
	size_t from = n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	int rc = 0;

	*plan = (struct sqitch_plan){0};
	while (rc == 0 && from < n) {
		const char *end = memchr(bytes + from, '\n', n - from);
		struct span x = {bytes + from, end != NULL ? (size_t)(end - bytes) - from : n - from};

		from += x.n + 1;
		p.line++;
		if (end != NULL && x.n > 0 && x.s[x.n - 1] == '\r')
			x.n--;
		if (header && is_idle(x)) {
			struct span rest = x;

			skip_blank(&rest);
			/* A blank line ends the pragmas, a comment does not. */
			header = rest.n > 0;
		} else if (header) {
			take_note(&p, &x);
			rc = read_pragma(&p, x);
		} else if (!is_idle(x)) {
			if (plan->project == NULL)
				break;
			rc = read_entry(&p, x);
		}
	}
	if (rc == 0 && plan->project == NULL)
		rc = refuse(&p, "missing %project pragma", NULL, NULL);
	if (rc == 0)
		rc = check_depends(&p);
	if (rc == 0 && arena_failed(a))
		rc = error_set(e, ERR_NOMEM, "out of memory");
	return rc;
}
