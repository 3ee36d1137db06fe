#include "core/changelog.h"

#include "core/limits.h"

#include <string.h>

/* A line of YAML; the dash of a list item is taken off as it is read. */
struct line {
	const char *s, *end;
	int indent, number;
};

struct reader {
	struct arena *a;
	const char *p, *end;
	int line_no, depth;
	struct line *lines; /* of YAML */
	int n_lines, at;
};

static struct code *flow(struct reader *r);

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static const char *copy(struct reader *r, const char *from, const char *to)
{
	const char *c = to > from ? arena_strndup(r->a, from, (size_t)(to - from)) : "";

	return c != NULL ? c : "";
}

static struct code *text_node(struct reader *r, const char *from, const char *to, int line)
{
	struct code_piece p = {.a = r->a};

	for (; from < to; from++) {
		code_piece_add(&p, *from, line);
		line += *from == '\n';
	}
	return code_piece_end(&p, line);
}

/* --- XML ------------------------------------------------------------------------------------------------- */

static void step(struct reader *r, const char *to)
{
	for (; r->p < to; r->p++)
		r->line_no += *r->p == '\n';
}

static const char *find(const struct reader *r, const char *word)
{
	const size_t n = strlen(word);

	for (const char *p = r->p; (size_t)(r->end - p) >= n; p++)
		if (memcmp(p, word, n) == 0)
			return p;
	return NULL;
}

static bool starts(const struct reader *r, const char *word)
{
	const size_t n = strlen(word);

	return (size_t)(r->end - r->p) >= n && memcmp(r->p, word, n) == 0;
}

/* The five entities of XML and numbers; 0 for another. Moves p behind the semicolon. */
static char entity(const char **p, const char *end)
{
	static const struct {
		const char *name;
		char c;
	} names[] = {{"&lt;", '<'},    {"&gt;", '>'},   {"&amp;", '&'}, {"&quot;", '"'},
	             {"&apos;", '\''}, {"&#10;", '\n'}, {"&#xA;", '\n'}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const size_t n = strlen(names[i].name);

		if ((size_t)(end - *p) >= n && memcmp(*p, names[i].name, n) == 0) {
			*p += n;
			return names[i].c;
		}
	}
	return '\0';
}

static void add_xml_text(struct code_piece *piece, const char *from, const char *to, int line)
{
	while (from < to && !piece->failed) {
		char c = *from;

		if (c == '&') {
			c = entity(&from, to);
			piece->failed |= c == '\0';
			code_piece_add(piece, c, line);
			continue;
		}
		code_piece_add(piece, c, line);
		line += c == '\n';
		from++;
	}
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '-' || c == '.' || c == ':' || (unsigned char)c >= 0x80;
}

/* A name without its namespace. */
static const char *xml_name(struct reader *r)
{
	const char *from = r->p;

	while (r->p < r->end && is_name(*r->p)) {
		if (*r->p == ':')
			from = r->p + 1;
		r->p++;
	}
	return copy(r, from, r->p);
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end && is_blank(*r->p)) {
		r->line_no += *r->p == '\n';
		r->p++;
	}
}

static bool attribute(struct reader *r, struct code *into)
{
	const int line = r->line_no;
	const char *name = xml_name(r), *end;
	struct code_piece p = {.a = r->a};
	struct code *v;
	char quote;

	skip_space(r);
	if (name[0] == '\0' || r->p >= r->end || *r->p != '=')
		return false;
	r->p++;
	skip_space(r);
	quote = r->p < r->end ? *r->p : '\0';
	end = quote == '"' || quote == '\'' ? memchr(r->p + 1, quote, (size_t)(r->end - r->p - 1)) : NULL;
	if (end == NULL)
		return false;
	add_xml_text(&p, r->p + 1, end, r->line_no);
	step(r, end + 1);
	v = code_piece_end(&p, line);
	if (v != NULL)
		v->key = name;
	code_add(into, v);
	return true;
}

static struct code *element(struct reader *r);

/* What stands between the tags: text to own, elements into c. */
static bool content(struct reader *r, struct code *c, struct code_piece *own)
{
	while (r->p < r->end) {
		if (starts(r, "</")) {
			const char *close = find(r, ">");

			if (close == NULL)
				return false;
			step(r, close + 1);
			return true;
		}
		if (starts(r, "<!--")) {
			const char *close = find(r, "-->");

			if (close == NULL)
				return false;
			step(r, close + 3);
		} else if (starts(r, "<![CDATA[")) {
			const char *close = find(r, "]]>");

			if (close == NULL)
				return false;
			step(r, r->p + 9);
			for (; r->p < close; r->p++) {
				code_piece_add(own, *r->p, r->line_no);
				r->line_no += *r->p == '\n';
			}
			r->p = close + 3;
		} else if (*r->p == '<') {
			struct code *child = element(r);

			if (child == NULL)
				return false;
			code_add(c, child);
		} else {
			const char *next = memchr(r->p, '<', (size_t)(r->end - r->p));

			if (next == NULL)
				return false;
			add_xml_text(own, r->p, next, r->line_no);
			step(r, next);
		}
	}
	return false;
}

static struct code *element(struct reader *r)
{
	struct code *c = code_new(r->a, CODE_DICT, r->line_no);
	struct code_piece own = {.a = r->a};
	const struct code *text;
	bool ok;

	if (c == NULL || r->depth >= CODE_DEPTH_MAX)
		return NULL;
	r->p++;
	c->key = xml_name(r);
	for (skip_space(r); r->p < r->end && *r->p != '>' && *r->p != '/'; skip_space(r))
		if (!attribute(r, c))
			return NULL;
	if (starts(r, "/>")) {
		r->p += 2;
		return c;
	}
	if (r->p >= r->end || *r->p != '>')
		return NULL;
	r->p++;
	r->depth++;
	ok = content(r, c, &own);
	r->depth--;
	if (!ok)
		return NULL;
	text = code_piece_end(&own, c->line);
	if (text != NULL && text->kind == CODE_TEXT) {
		c->text = text->text;
		c->sql = text->sql;
	}
	return c;
}

static struct code *read_xml(struct reader *r)
{
	struct code *root = code_new(r->a, CODE_DICT, 1), *top;

	for (skip_space(r); starts(r, "<?") || starts(r, "<!"); skip_space(r)) {
		const char *close = starts(r, "<!--") ? find(r, "-->") : find(r, ">");

		if (close == NULL)
			return NULL;
		step(r, close + (starts(r, "<!--") ? 3 : 1));
	}
	top = r->p < r->end && *r->p == '<' ? element(r) : NULL;
	code_add(root, top);
	return top != NULL ? root : NULL;
}

/* --- flow: JSON, and what YAML writes in brackets -------------------------------------------------------- */

static void skip_flow_space(struct reader *r)
{
	for (;;) {
		skip_space(r);
		if (r->p < r->end && *r->p == '#')
			while (r->p < r->end && *r->p != '\n')
				r->p++;
		else
			return;
	}
}

static struct code *quoted(struct reader *r)
{
	static const char from[] = "nrtbf/\\\"", to[] = "\n\r\t\b\f/\\\"";
	const char quote = *r->p++;
	const int line = r->line_no;
	struct code_piece p = {.a = r->a};

	while (r->p < r->end && *r->p != quote) {
		char c = *r->p++;
		const char *at;

		if (quote == '"' && c == '\\' && r->p < r->end) {
			at = *r->p != '\0' ? strchr(from, *r->p) : NULL;
			p.failed |= at == NULL;
			c = at != NULL ? to[at - from] : ' ';
			r->p++;
			code_piece_add(&p, c, r->line_no);
			continue;
		}
		code_piece_add(&p, c, r->line_no);
		r->line_no += c == '\n';
		if (quote == '\'' && r->p < r->end && r->p[0] == '\'' && r->end - r->p >= 2 &&
		    r->p[1] == '\'') {
			code_piece_add(&p, '\'', r->line_no);
			r->p += 2;
		}
	}
	if (r->p >= r->end)
		return NULL;
	r->p++;
	return code_piece_end(&p, line);
}

static struct code *plain(struct reader *r)
{
	const char *from = r->p, *to;
	const int line = r->line_no;

	while (r->p < r->end && strchr(",]}\n", *r->p) == NULL &&
	       !(*r->p == ':' && r->end - r->p >= 2 && is_blank(r->p[1])))
		r->p++;
	for (to = r->p; to > from && is_blank(to[-1]); to--)
		;
	return r->p > from ? text_node(r, from, to, line) : NULL;
}

static struct code *flow_items(struct reader *r, char close)
{
	struct code *c = code_new(r->a, close == '}' ? CODE_DICT : CODE_LIST, r->line_no);

	r->p++;
	for (skip_flow_space(r); r->p < r->end && *r->p != close; skip_flow_space(r)) {
		const char *key = NULL;
		struct code *v;

		if (close == '}') {
			v = *r->p == '"' || *r->p == '\'' ? quoted(r) : plain(r);
			skip_flow_space(r);
			if (v == NULL || r->p >= r->end || *r->p != ':')
				return NULL;
			key = code_text(v, "");
			r->p++;
			skip_flow_space(r);
		}
		v = flow(r);
		if (v == NULL)
			return NULL;
		v->key = key;
		code_add(c, v);
		skip_flow_space(r);
		if (r->p < r->end && *r->p == ',')
			r->p++;
		else if (r->p >= r->end || *r->p != close)
			return NULL;
	}
	if (r->p >= r->end)
		return NULL;
	r->p++;
	return c;
}

static struct code *flow(struct reader *r)
{
	struct code *c;

	skip_flow_space(r);
	if (r->p >= r->end || ++r->depth > CODE_DEPTH_MAX)
		return NULL;
	if (*r->p == '{' || *r->p == '[')
		c = flow_items(r, *r->p == '{' ? '}' : ']');
	else
		c = *r->p == '"' || *r->p == '\'' ? quoted(r) : plain(r);
	r->depth--;
	return c;
}

/* --- YAML by lines --------------------------------------------------------------------------------------- */

static bool split_lines(struct reader *r)
{
	int n = 0, number = 1;

	for (const char *p = r->p; p < r->end; p++)
		n += *p == '\n';
	r->lines = arena_alloc(r->a, ((size_t)n + 1) * sizeof(*r->lines));
	for (const char *p = r->p; r->lines != NULL && p < r->end; number++) {
		const char *eol = memchr(p, '\n', (size_t)(r->end - p)), *s = p, *to;

		eol = eol != NULL ? eol : r->end;
		while (s < eol && *s == ' ')
			s++;
		for (to = eol; to > s && is_blank(to[-1]); to--)
			;
		r->lines[r->n_lines++] = (struct line){s, to, (int)(s - p), number};
		p = eol < r->end ? eol + 1 : r->end;
	}
	return r->lines != NULL;
}

static bool is_skipped(const struct line *l)
{
	return l->s == l->end || *l->s == '#' || (l->end - l->s >= 3 && memcmp(l->s, "---", 3) == 0) ||
	       (l->end - l->s >= 3 && memcmp(l->s, "...", 3) == 0);
}

/* The next line that says something; NULL at the end. */
static struct line *peek(struct reader *r)
{
	while (r->at < r->n_lines && is_skipped(&r->lines[r->at]))
		r->at++;
	return r->at < r->n_lines ? &r->lines[r->at] : NULL;
}

static bool is_item(const struct line *l) { return *l->s == '-' && (l->s + 1 == l->end || l->s[1] == ' '); }

/* The colon that ends a key, NULL none. */
static const char *key_end(const struct line *l)
{
	const char *p = l->s;

	if (*p == '"' || *p == '\'') {
		p = memchr(p + 1, *p, (size_t)(l->end - p - 1));
		if (p == NULL)
			return NULL;
		p++;
	}
	for (; p < l->end; p++)
		if (*p == ':' && (p + 1 == l->end || p[1] == ' '))
			return p;
	return NULL;
}

/* "|" or ">": the deeper lines behind, as they are. */
static struct code *block_text(struct reader *r, int indent, int line)
{
	struct code_piece p = {.a = r->a};
	int own = -1;

	for (; r->at < r->n_lines; r->at++) {
		const struct line *l = &r->lines[r->at];
		const bool empty = l->s == l->end;

		if (!empty && l->indent <= indent)
			break;
		if (own < 0 && !empty)
			own = l->indent;
		for (int k = own; k >= 0 && k < l->indent && !empty; k++)
			code_piece_add(&p, ' ', l->number);
		for (const char *s = l->s; s < l->end; s++)
			code_piece_add(&p, *s, l->number);
		code_piece_add(&p, '\n', l->number);
	}
	return code_piece_end(&p, line);
}

static struct code *node(struct reader *r, int indent);

/* The value behind a key or dash that stands at s in line l (r->at is that line). */
static struct code *value(struct reader *r, const struct line *l, const char *s, int indent)
{
	struct reader in = *r;
	struct code *c;
	const int line = l->number;

	while (s < l->end && *s == ' ')
		s++;
	if (s == l->end || *s == '#') {
		r->at++;
		c = node(r, indent);
		return c != NULL ? c : code_new(r->a, CODE_OTHER, line);
	}
	if (*s == '|' || *s == '>') {
		r->at++;
		return block_text(r, indent, line);
	}
	if (*s == '&' || *s == '*' || *s == '!') {
		r->at++;
		return code_new(r->a, CODE_OTHER, line);
	}
	in.p = s;
	in.line_no = line;
	if (*s == '{' || *s == '[' || *s == '"' || *s == '\'') {
		/* May go over several lines. */
		c = flow(&in);
		if (c == NULL)
			return NULL;
		while (r->at < r->n_lines && r->lines[r->at].s < in.p)
			r->at++;
		return c;
	}
	for (const char *h = s; h + 1 < l->end; h++)
		if (h[0] == ' ' && h[1] == '#') {
			c = text_node(r, s, h, line);
			r->at++;
			return c;
		}
	r->at++;
	return text_node(r, s, l->end, line);
}

static struct code *list(struct reader *r, int indent)
{
	struct code *c = code_new(r->a, CODE_LIST, r->lines[r->at].number);
	struct line *l;

	while ((l = peek(r)) != NULL && l->indent == indent && is_item(l)) {
		const char *s = l->s + 1;
		struct code *v;

		while (s < l->end && *s == ' ')
			s++;
		/* "- key: value" is a dict whose first key stands here. */
		if (s < l->end && strchr("\"'{[|>&*!", *s) == NULL &&
		    key_end(&(struct line){s, l->end, 0, 0}) != NULL) {
			l->indent += (int)(s - l->s);
			l->s = s;
			v = node(r, l->indent - 1);
		} else {
			v = value(r, l, s, indent);
		}
		if (v == NULL)
			return NULL;
		code_add(c, v);
	}
	return c;
}

static struct code *dict(struct reader *r, int indent)
{
	struct code *c = code_new(r->a, CODE_DICT, r->lines[r->at].number);
	struct line *l;

	while ((l = peek(r)) != NULL && l->indent == indent && !is_item(l)) {
		const char *colon = key_end(l), *from = l->s, *to = colon;
		const int number = l->number;
		struct code *v;

		if (colon == NULL)
			return NULL;
		if (*from == '"' || *from == '\'') {
			from++;
			to--;
		}
		v = value(r, l, colon + 1, indent);
		if (v == NULL)
			return NULL;
		v->key = copy(r, from, to);
		if (v->kind != CODE_TEXT)
			v->line = number;
		code_add(c, v);
	}
	return c;
}

/* What stands deeper than indent; a list may stand as deep as its key. */
static struct code *node(struct reader *r, int indent)
{
	struct line *l = peek(r);
	struct code *c = NULL;

	if (l == NULL || (l->indent <= indent && !(l->indent == indent && is_item(l))))
		return NULL;
	if (++r->depth > CODE_DEPTH_MAX)
		return NULL;
	if (is_item(l))
		c = list(r, l->indent);
	else if (key_end(l) != NULL)
		c = dict(r, l->indent);
	else
		c = value(r, l, l->s, indent);
	r->depth--;
	return c;
}

/* --- one shape ------------------------------------------------------------------------------------------- */

static bool is_group(const char *key)
{
	return key != NULL && (strcmp(key, "databaseChangeLog") == 0 || strcmp(key, "changes") == 0 ||
	                       strcmp(key, "columns") == 0);
}

/* Takes these lists of dicts apart, so that what they hold stands in the parent. */
static void flatten(struct code *c, int depth)
{
	struct code *next, *all = c->first;

	c->first = c->last = NULL;
	for (struct code *x = all; x != NULL && depth < CODE_DEPTH_MAX; x = next) {
		next = x->next;
		x->next = NULL;
		flatten(x, depth + 1);
		if (x->kind == CODE_LIST && is_group(x->key)) {
			for (struct code *item = x->first, *after; item != NULL; item = after) {
				after = item->next;
				for (struct code *e = item->first, *e_next; e != NULL; e = e_next) {
					e_next = e->next;
					e->next = NULL;
					code_add(c, e);
				}
			}
		} else {
			code_add(c, x);
		}
	}
}

struct code *changelog_read(struct arena *a, const char *src, size_t n)
{
	struct reader r = {.a = a, .p = src, .end = src + n, .line_no = 1};
	struct code *root = NULL;

	if (n >= 3 && memcmp(src, "\xef\xbb\xbf", 3) == 0)
		r.p += 3;
	skip_space(&r);
	if (r.p < r.end && *r.p == '<') {
		root = read_xml(&r);
	} else if (r.p < r.end && *r.p == '{') {
		root = flow(&r);
	} else {
		r.p = src;
		root = split_lines(&r) ? node(&r, -1) : NULL;
	}
	if (root == NULL || root->kind != CODE_DICT || arena_failed(a))
		return NULL;
	flatten(root, 0);
	return root;
}
