#include "config/yaml.h"

#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

/* Keys of one mapping: bounds the search for duplicates. */
enum { KEYS_MAX = 2048 };

struct frame {
	struct yaml *node;
	int cap;
	const char *key; /* waits for its value */
	struct yaml *key_at;
	uint32_t *hashes;
};

struct builder {
	struct arena *a;
	const char *name;
	struct error *e;
	struct frame stack[CONFIG_DEPTH_MAX];
	int depth;
	struct yaml *root;
	int n_docs;
};

int yaml_error(const struct yaml *y, const char *name, struct error *e, const char *fmt, ...)
{
	char text[TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_set(e, ERR_INVALID, "%s", text);
	error_at(e, name, y->line, y->col);
	return ERR_INVALID;
}

const struct yaml *yaml_get(const struct yaml *map, const char *key)
{
	if (map == NULL || map->type != YAML_MAP)
		return NULL;
	for (int i = 0; i < map->n; i++)
		if (strcmp(map->keys[i], key) == 0)
			return map->items[i];
	return NULL;
}

static int fail_at(struct builder *b, int line, int col, const char *hint, const char *text)
{
	error_set(b->e, ERR_INVALID, "%s", text);
	error_at(b->e, b->name, line, col);
	if (hint != NULL)
		error_hint(b->e, "%s", hint);
	return ERR_INVALID;
}

/* Bytes that no file of ours may have: bad UTF-8 and control characters other than tab and line ends. */
static int check_bytes(struct builder *b, const char *bytes, size_t n)
{
	int line = 1, col = 1;

	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)bytes[i];
		uint32_t cp;
		int len;

		if (c == '\n') {
			line++;
			col = 1;
			i++;
			continue;
		}
		if (c < 0x80) {
			if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
				return fail_at(b, line, col, "remove it", "a control character");
			i++;
			col++;
			continue;
		}
		len = text_decode(bytes + i, n - i, &cp);
		if (len <= 0)
			return fail_at(b, line, col, "save the file as UTF-8", "a byte that is not UTF-8");
		if (cp >= 0x80 && cp < 0xa0)
			return fail_at(b, line, col, "remove it", "a control character");
		i += (size_t)len;
		col++;
	}
	return 0;
}

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

/* Room for one more element in the frame's arrays. */
static bool frame_grow(struct builder *b, struct frame *f)
{
	struct yaml *y = f->node;
	int cap = f->cap == 0 ? 8 : f->cap * 2;

	if (y->n < f->cap)
		return true;
	y->items = arena_grow(b->a, (const void *)y->items, (size_t)y->n, (size_t)cap, sizeof(*y->items));
	if (y->type == YAML_MAP) {
		y->keys =
		    arena_grow(b->a, (const void *)y->keys, (size_t)y->n, (size_t)cap, sizeof(*y->keys));
		y->key_at =
		    arena_grow(b->a, (const void *)y->key_at, (size_t)y->n, (size_t)cap, sizeof(*y->key_at));
		f->hashes = arena_grow(b->a, f->hashes, (size_t)y->n, (size_t)cap, sizeof(*f->hashes));
	}
	f->cap = cap;
	return !arena_failed(b->a);
}

static int add_key(struct builder *b, struct frame *f, struct yaml *y)
{
	uint32_t h;

	if (y->type != YAML_SCALAR)
		return fail_at(b, y->line, y->col, "a key is one word", "a key must be plain text");
	if (!y->quoted && strcmp(y->text, "<<") == 0)
		return fail_at(b, y->line, y->col, "write the keys out", "merge keys are not allowed");
	if (f->node->n >= KEYS_MAX)
		return fail_at(b, y->line, y->col, NULL, "more keys than a mapping may have");
	h = hash(y->text);
	for (int i = 0; i < f->node->n; i++) {
		if (f->hashes[i] != h || strcmp(f->node->keys[i], y->text) != 0)
			continue;
		error_set(b->e, ERR_INVALID, "the key %.60s is here twice", y->text);
		error_at(b->e, b->name, y->line, y->col);
		error_hint(b->e, "the first one is in line %d", f->node->key_at[i]->line);
		return ERR_INVALID;
	}
	f->key = y->text;
	f->key_at = y;
	return 0;
}

/* Puts a finished or opened node where it belongs. */
static int add_node(struct builder *b, struct yaml *y)
{
	struct frame *f;

	if (b->depth == 0) {
		b->root = y;
		return 0;
	}
	f = &b->stack[b->depth - 1];
	if (f->node->type == YAML_MAP && f->key == NULL)
		return add_key(b, f, y);
	if (!frame_grow(b, f))
		return 0;
	f->node->items[f->node->n] = y;
	if (f->node->type == YAML_MAP) {
		f->node->keys[f->node->n] = f->key;
		f->node->key_at[f->node->n] = f->key_at;
		f->hashes[f->node->n] = hash(f->key);
		f->key = NULL;
	}
	f->node->n++;
	return 0;
}

static struct yaml *node_new(struct builder *b, enum yaml_type type, struct fy_event *ev)
{
	const struct fy_mark *m = fy_event_start_mark(ev);
	struct yaml *y = arena_alloc(b->a, sizeof(*y));

	if (y == NULL)
		return NULL;
	y->type = type;
	y->line = m != NULL ? m->line + 1 : 1;
	y->col = m != NULL ? m->column + 1 : 1;
	return y;
}

/* Refuses anchors and tags, whose events carry them as tokens. */
static int check_props(struct builder *b, struct fy_token *anchor, struct fy_token *tag)
{
	struct fy_token *t = anchor != NULL ? anchor : tag;
	const struct fy_mark *m = t != NULL ? fy_token_start_mark(t) : NULL;
	/* The token of an anchor starts behind its '&'. */
	int col = m != NULL ? m->column + (anchor != NULL ? 0 : 1) : 1;

	if (t == NULL)
		return 0;
	return fail_at(b, m != NULL ? m->line + 1 : 1, MAX(col, 1), "write the value out where it is needed",
	               anchor != NULL ? "anchors are not allowed" : "tags are not allowed");
}

static bool is_null(const char *s) { return *s == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0; }

/* Nothing that would need cleaning on a screen may stand in a value, by escape or otherwise. */
static bool is_printable(const char *s, size_t n)
{
	for (size_t i = 0, from = 0; i <= n; i++) {
		if (i < n && s[i] != '\n' && s[i] != '\t')
			continue;
		if (!text_is_clean(s + from, i - from))
			return false;
		from = i + 1;
	}
	return true;
}

static int on_scalar(struct builder *b, struct fy_event *ev)
{
	struct yaml *y = node_new(b, YAML_SCALAR, ev);
	struct fy_token *t = ev->scalar.value;
	size_t n = 0;
	const char *s = t != NULL ? fy_token_get_text(t, &n) : "";
	int rc = check_props(b, ev->scalar.anchor, ev->scalar.tag);

	if (rc != 0 || y == NULL)
		return rc;
	if (s == NULL)
		n = 0;
	y->quoted = t != NULL && fy_token_scalar_style(t) != FYSS_PLAIN;
	/* The token of a quoted scalar starts behind its quote. */
	if (y->quoted && y->col > 1 &&
	    (fy_token_scalar_style(t) == FYSS_SINGLE_QUOTED ||
	     fy_token_scalar_style(t) == FYSS_DOUBLE_QUOTED))
		y->col--;
	if (n > 0 && (memchr(s, '\0', n) != NULL || !is_printable(s, n)))
		return fail_at(b, y->line, y->col, "write printable characters",
		               "a value with a control or invisible character");
	y->text = arena_strndup(b->a, n > 0 ? s : "", n);
	if (y->text == NULL)
		return 0;
	if (!y->quoted && is_null(y->text) &&
	    !(b->depth > 0 && b->stack[b->depth - 1].node->type == YAML_MAP &&
	      b->stack[b->depth - 1].key == NULL))
		y->type = YAML_NULL;
	return add_node(b, y);
}

static int on_start(struct builder *b, struct fy_event *ev, enum yaml_type type)
{
	struct yaml *y = node_new(b, type, ev);
	bool map = type == YAML_MAP;
	int rc = check_props(b, map ? ev->mapping_start.anchor : ev->sequence_start.anchor,
	                     map ? ev->mapping_start.tag : ev->sequence_start.tag);

	if (rc != 0 || y == NULL)
		return rc;
	if (b->depth == CONFIG_DEPTH_MAX)
		return fail_at(b, y->line, y->col, "at most 32 levels", "nested too deep");
	rc = add_node(b, y);
	if (rc == 0)
		b->stack[b->depth++] = (struct frame){.node = y};
	return rc;
}

static int on_event(struct builder *b, struct fy_event *ev)
{
	const struct fy_mark *m;

	switch (ev->type) {
	case FYET_SCALAR: return on_scalar(b, ev);
	case FYET_MAPPING_START: return on_start(b, ev, YAML_MAP);
	case FYET_SEQUENCE_START: return on_start(b, ev, YAML_SEQ);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		if (b->depth > 0)
			b->depth--;
		return 0;
	case FYET_ALIAS:
		m = fy_event_start_mark(ev);
		return fail_at(b, m != NULL ? m->line + 1 : 1, m != NULL ? MAX(m->column, 1) : 1,
		               "write the value out where it is needed", "aliases are not allowed");
	case FYET_DOCUMENT_START:
		m = fy_event_start_mark(ev);
		if (b->n_docs++ > 0)
			return fail_at(b, m != NULL ? m->line + 1 : 1, m != NULL ? m->column + 1 : 1,
			               "one document in a file", "a second document");
		return 0;
	case FYET_NONE:
	case FYET_STREAM_START:
	case FYET_STREAM_END:
	case FYET_DOCUMENT_END: return 0;
	}
	return 0;
}

/* The parser's own first complaint. */
static int syntax_error(struct builder *b, struct fy_diag *diag, int last_line)
{
	void *prev = NULL;
	const struct fy_diag_error *d = fy_diag_errors_iterate(diag, &prev);
	char text[TEXT_LEN];

	if (d == NULL || d->msg == NULL || d->line < 0)
		return fail_at(b, last_line, 1, "check indentation and quotes near here", "no valid YAML");
	text_cleanz(text, sizeof(text), d->msg);
	return fail_at(b, MAX(d->line, 1), MAX(d->column, 1), "check indentation, quotes and brackets here",
	               text);
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
	int line = 1, rc = 0;

	while (rc == 0 && (ev = fy_parser_parse(p)) != NULL) {
		const struct fy_mark *m = fy_event_start_mark(ev);
		bool end = ev->type == FYET_STREAM_END;

		if (m != NULL)
			line = m->line + 1;
		rc = on_event(b, ev);
		fy_parser_event_free(p, ev);
		if (rc == 0 && arena_failed(b->a)) {
			error_set(b->e, ERR_NOMEM, "the file needs more memory than it may");
			error_at(b->e, b->name, line, 1);
			rc = ERR_NOMEM;
		}
		if (end)
			return rc;
	}
	return rc != 0 ? rc : syntax_error(b, diag, line);
}

int yaml_parse(struct arena *a, const char *name, const char *bytes, size_t n, const struct yaml **ret,
               struct error *e)
{
	struct builder b = {.a = a, .name = name, .e = e};
	struct fy_diag_cfg dcfg = {.output_fn = diag_quiet, .level = FYET_ERROR, .module_mask = ~0u};
	struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DISABLE_MMAP_OPT |
	                                    FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE};
	struct fy_parser *p;
	int rc;

	if (n > CONFIG_BYTES_MAX)
		return fail_at(&b, 1, 1, "at most 1 MiB", "the file is too large");
	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		n -= 3;
	}
	rc = check_bytes(&b, bytes, n);
	if (rc != 0)
		return rc;
	cfg.diag = fy_diag_create(&dcfg);
	if (cfg.diag == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	fy_diag_set_collect_errors(cfg.diag, true);
	p = fy_parser_create(&cfg);
	if (p == NULL || fy_parser_set_string(p, bytes, n) != 0)
		rc = error_set(e, ERR_NOMEM, "out of memory");
	else
		rc = run_parser(&b, p, cfg.diag);
	fy_parser_destroy(p);
	fy_diag_destroy(cfg.diag);
	if (rc == 0 && b.root == NULL) {
		b.root = arena_alloc(a, sizeof(*b.root));
		if (b.root == NULL)
			return error_set(e, ERR_NOMEM, "out of memory");
		*b.root = (struct yaml){.type = YAML_NULL, .line = 1, .col = 1};
	}
	if (rc == 0)
		*ret = b.root;
	return rc;
}
