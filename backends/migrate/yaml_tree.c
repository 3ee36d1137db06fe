#include "backends/migrate/yaml_tree.h"
#include "core/text.h"

#include <ctype.h>
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 48, ANCHORS_MAX = 1024, NODES_MAX = 500000, MERGED_MAX = 4096 };

struct frame {
	struct jv *node;
	const char *key;  /* waits for its value */
	bool merge;       /* that key is << */
	bool key_is_node; /* the next node is a complex key: dropped */
};

struct builder {
	struct arena *a;
	const char *name;
	struct error *e;
	bool numbers;
	struct jv *docs;
	struct frame stack[DEPTH_MAX];
	int depth, n_nodes;
	struct {
		const char *name;
		const struct jv *node;
	} anchors[ANCHORS_MAX];
	int n_anchors;
};

static int fail_at(struct builder *b, const struct fy_mark *m, const char *text)
{
	error_set(b->e, ERR_INVALID, "%s", text);
	error_at(b->e, b->name, m != NULL ? m->line + 1 : 0, m != NULL ? m->column + 1 : 0);
	return ERR_INVALID;
}

/* --- scalars as YAML 1.1 reads them -------------------------------------------------------------------------- */

static bool only(const char *s, const char *set) { return *s != '\0' && s[strspn(s, set)] == '\0'; }

/* 12, +1_000, 017, 0x1f, 0b11: its decimal form. */
static const char *as_int(struct arena *a, const char *s)
{
	const bool minus = *s == '-';
	char digits[64];
	size_t k = 0;
	int base = 10;
	unsigned long long v;
	char *end;

	if (*s == '-' || *s == '+')
		s++;
	if (!isdigit((unsigned char)*s) || strlen(s) > 40)
		return NULL;
	if (s[0] == '0' && s[1] != '\0') {
		base = s[1] == 'x' ? 16 : s[1] == 'b' ? 2 : 8;
		s += base == 8 ? 1 : 2;
	}
	if (!only(s, base == 16  ? "0123456789abcdefABCDEF_"
	             : base == 8 ? "01234567_"
	             : base == 2 ? "01_"
	                         : "0123456789_"))
		return NULL;
	for (; *s != '\0'; s++)
		if (*s != '_')
			digits[k++] = *s;
	digits[k] = '\0';
	if (k == 0)
		return NULL;
	/* Longer ones stay digits: only their underlines go. */
	if (base == 10)
		return arena_printf(a, "%s%s", minus ? "-" : "", digits);
	v = strtoull(digits, &end, base);
	return *end == '\0' ? arena_printf(a, "%s%llu", minus && v != 0 ? "-" : "", v) : NULL;
}

/* 1.10, -.5, 3.: as Java prints a double of up to 15 digits between 0.001 and 10 million; others stay. */
static const char *as_real(struct arena *a, const char *s)
{
	const char *dot = strchr(s, '.');
	char text[64], *end;
	double v;

	if (dot == NULL || strlen(s) > 16 || !only(*s == '-' || *s == '+' ? s + 1 : s, "0123456789.") ||
	    strchr(dot + 1, '.') != NULL ||
	    !(isdigit((unsigned char)dot[1]) || (dot > s && isdigit((unsigned char)dot[-1]))))
		return NULL;
	v = strtod(s, &end);
	if (*end != '\0' || (v != 0 && (v < 0 ? -v : v) < 0.001) || (v < 0 ? -v : v) >= 1e7)
		return NULL;
	snprintf(text, sizeof(text), "%.15g", v);
	if (strchr(text, 'e') != NULL)
		return NULL;
	return arena_printf(a, strchr(text, '.') != NULL ? "%s" : "%s.0", text);
}

static const char *as_bool(const char *s)
{
	static const char *const words[][2] = {{"yes", "true"},    {"no", "false"}, {"true", "true"},
	                                       {"false", "false"}, {"on", "true"},  {"off", "false"}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const char *w = words[i][0];
		size_t n = strlen(w), same = 0;

		while (same < n && tolower((unsigned char)s[same]) == w[same])
			same++;
		/* yes, Yes, YES, but not yEs. */
		if (same == n && s[n] == '\0' &&
		    (strcmp(s + 1, w + 1) == 0 ||
		     (isupper((unsigned char)s[0]) && isupper((unsigned char)s[1]))))
			return words[i][1];
	}
	return NULL;
}

static const char *spelled(struct builder *b, const char *s)
{
	const char *x = as_int(b->a, s);

	if (x == NULL)
		x = as_real(b->a, s);
	if (x == NULL)
		x = as_bool(s);
	return x != NULL ? x : s;
}

/* --- nodes --------------------------------------------------------------------------------------------------- */

/* Nobody changes a node once it is closed: aliases share it. */
static struct jv *shared(const struct jv *v) { return (struct jv *)(uintptr_t)v; }

/* What << brings: members that the mapping does not have itself. */
static void merge(struct builder *b, struct jv *into, const struct jv *from, int *budget)
{
	if (jv_type(from) == JV_ARR)
		for (size_t i = 0; i < jv_len(from); i++)
			if (jv_type(jv_at(from, i)) == JV_OBJ)
				merge(b, into, jv_at(from, i), budget);
	if (jv_type(from) != JV_OBJ)
		return;
	for (size_t i = 0; i < jv_len(from) && --*budget > 0; i++)
		if (jv_get(into, jv_key(from, i)) == NULL)
			jv_set(b->a, into, jv_key(from, i), shared(jv_at(from, i)));
}

/* Puts a finished or opened node where it belongs. text: of a scalar, which may be a key. */
static int add_node(struct builder *b, struct jv *v, const char *text)
{
	struct frame *f;
	int budget = MERGED_MAX;

	if (++b->n_nodes > NODES_MAX) {
		error_set(b->e, ERR_NOMEM, "more than %d values in one YAML file", NODES_MAX);
		error_at(b->e, b->name, 0, 0);
		return ERR_NOMEM;
	}
	if (b->depth == 0) {
		jv_push(b->a, b->docs, v);
		return 0;
	}
	f = &b->stack[b->depth - 1];
	if (jv_type(f->node) == JV_ARR) {
		jv_push(b->a, f->node, v);
	} else if (f->key == NULL) {
		f->key = text != NULL ? text : "";
		f->merge = text != NULL && strcmp(text, "<<") == 0;
	} else {
		if (f->merge)
			merge(b, f->node, v, &budget);
		else
			jv_set(b->a, f->node, f->key, v);
		f->key = NULL;
	}
	return 0;
}

static void note_anchor(struct builder *b, struct fy_token *anchor, const struct jv *node)
{
	size_t n = 0;
	const char *s = anchor != NULL ? fy_token_get_text(anchor, &n) : NULL;

	if (s == NULL || b->n_anchors == ANCHORS_MAX)
		return;
	b->anchors[b->n_anchors].name = arena_strndup(b->a, s, n);
	b->anchors[b->n_anchors].node = node;
	b->n_anchors += b->anchors[b->n_anchors].name != NULL;
}

static int on_scalar(struct builder *b, struct fy_event *ev)
{
	struct fy_token *t = ev->scalar.value;
	const bool plain = t == NULL || fy_token_scalar_style(t) == FYSS_PLAIN;
	const bool is_key = b->depth > 0 && jv_type(b->stack[b->depth - 1].node) == JV_OBJ &&
	                    b->stack[b->depth - 1].key == NULL;
	size_t n = 0;
	const char *s = t != NULL ? fy_token_get_text(t, &n) : "", *text;
	struct jv *v;

	text = arena_strndup(b->a, s != NULL ? s : "", s != NULL ? n : 0);
	if (text == NULL)
		return 0;
	if (plain && !is_key &&
	    (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
	     strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0)) {
		v = jv_null(b->a);
	} else {
		if (plain && !is_key && b->numbers && ev->scalar.tag == NULL)
			text = spelled(b, text);
		v = jv_str(b->a, text);
	}
	if (v == NULL)
		return 0;
	note_anchor(b, ev->scalar.anchor, v);
	return add_node(b, v, text);
}

static int on_start(struct builder *b, struct fy_event *ev, bool map)
{
	struct jv *v = map ? jv_obj(b->a) : jv_arr(b->a);
	int rc;

	if (v == NULL)
		return 0;
	if (b->depth == DEPTH_MAX)
		return fail_at(b, fy_event_start_mark(ev), "nested too deep");
	rc = add_node(b, v, NULL);
	note_anchor(b, map ? ev->mapping_start.anchor : ev->sequence_start.anchor, v);
	if (rc == 0)
		b->stack[b->depth++] = (struct frame){.node = v};
	return rc;
}

static bool is_open(const struct builder *b, const struct jv *node)
{
	for (int i = 0; i < b->depth; i++)
		if (b->stack[i].node == node)
			return true;
	return false;
}

static int on_alias(struct builder *b, struct fy_event *ev)
{
	size_t n = 0;
	const char *s = ev->alias.anchor != NULL ? fy_token_get_text(ev->alias.anchor, &n) : NULL;

	for (int i = b->n_anchors - 1; s != NULL && i >= 0; i--) {
		const struct jv *node = b->anchors[i].node;

		if (strlen(b->anchors[i].name) != n || memcmp(b->anchors[i].name, s, n) != 0)
			continue;
		if (is_open(b, node))
			return fail_at(b, fy_event_start_mark(ev), "an alias to what it is part of");
		return add_node(b, shared(node), jv_type(node) == JV_STR ? jv_text(node, "") : NULL);
	}
	return fail_at(b, fy_event_start_mark(ev), "an alias without its anchor");
}

static int on_event(struct builder *b, struct fy_event *ev)
{
	switch (ev->type) {
	case FYET_SCALAR: return on_scalar(b, ev);
	case FYET_MAPPING_START: return on_start(b, ev, true);
	case FYET_SEQUENCE_START: return on_start(b, ev, false);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END: b->depth -= b->depth > 0; return 0;
	case FYET_ALIAS: return on_alias(b, ev);
	case FYET_DOCUMENT_START: b->n_anchors = 0; return 0;
	case FYET_NONE:
	case FYET_STREAM_START:
	case FYET_STREAM_END:
	case FYET_DOCUMENT_END: return 0;
	}
	return 0;
}

/* The parser's own first complaint. */
static int syntax_error(struct builder *b, struct fy_diag *diag)
{
	void *prev = NULL;
	const struct fy_diag_error *d = fy_diag_errors_iterate(diag, &prev);
	char text[TEXT_LEN];

	text_cleanz(text, sizeof(text), d != NULL && d->msg != NULL ? d->msg : "no valid YAML");
	error_set(b->e, ERR_INVALID, "%.200s", text);
	error_at(b->e, b->name, d != NULL ? MAX(d->line, 0) : 0, d != NULL ? MAX(d->column, 0) : 0);
	return ERR_INVALID;
}

/* The scanner of libfyaml 0.7 never comes back from a directive (%) that ends in a byte that is not UTF-8. */
static int check_utf8(struct builder *b, const char *bytes, size_t n)
{
	int line = 1;
	size_t start = 0;

	for (size_t i = 0; i < n;) {
		uint32_t cp;
		const int len = text_decode(bytes + i, n - i, &cp);

		if (len <= 0) {
			error_set(b->e, ERR_INVALID, "a byte that is not UTF-8");
			error_at(b->e, b->name, line, (int)(i - start) + 1);
			return ERR_INVALID;
		}
		if (bytes[i] == '\n') {
			line++;
			start = i + 1;
		}
		i += (size_t)len;
	}
	return 0;
}

static void diag_quiet(struct fy_diag *diag, void *user, const char *buf, size_t len)
{
	UNUSED(diag);
	UNUSED(user);
	UNUSED(buf);
	UNUSED(len);
}

static int run_parser(struct builder *b, struct fy_parser *p, struct fy_diag *diag)
{
	struct fy_event *ev;
	int rc = 0;
	bool ended = false;

	while (rc == 0 && !ended && (ev = fy_parser_parse(p)) != NULL) {
		ended = ev->type == FYET_STREAM_END;
		rc = on_event(b, ev);
		fy_parser_event_free(p, ev);
		if (arena_failed(b->a))
			rc = error_set(b->e, ERR_NOMEM, "a YAML file is larger than fits into memory");
	}
	return rc == 0 && !ended ? syntax_error(b, diag) : rc;
}

int yaml_tree(struct arena *a, const char *name, const char *bytes, size_t n, bool numbers,
              const struct jv **ret, struct error *e)
{
	struct fy_diag_cfg diag_cfg = {.output_fn = diag_quiet, .level = FYET_ERROR, .module_mask = ~0u};
	struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DISABLE_MMAP_OPT |
	                                    FYPCF_DEFAULT_VERSION_AUTO | FYPCF_JSON_NONE};
	struct builder *b = calloc(1, sizeof(*b));
	struct fy_parser *p = NULL;
	int rc;

	if (b != NULL)
		cfg.diag = fy_diag_create(&diag_cfg);
	if (cfg.diag == NULL) {
		free(b);
		return error_set(e, ERR_NOMEM, "out of memory");
	}
	*b = (struct builder){.a = a, .name = name, .e = e, .numbers = numbers, .docs = jv_arr(a)};
	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		n -= 3;
	}
	fy_diag_set_collect_errors(cfg.diag, true);
	rc = check_utf8(b, bytes, n);
	if (rc == 0) {
		p = fy_parser_create(&cfg);
		if (p != NULL && fy_parser_set_string(p, bytes, n) == 0)
			rc = run_parser(b, p, cfg.diag);
		else
			rc = error_set(e, ERR_NOMEM, "out of memory");
	}
	if (rc == 0)
		*ret = b->docs;
	fy_parser_destroy(p);
	fy_diag_destroy(cfg.diag);
	free(b);
	return rc;
}
