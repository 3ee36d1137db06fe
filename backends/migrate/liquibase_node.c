/* XML through expat, YAML and JSON through yaml_tree.h: changelogs as one kind of tree. */
#include "backends/migrate/liquibase_code.h"
#include "backends/migrate/yaml_tree.h"
#include "core/text.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 64, NODES_MAX = 200000, TEXT_MAX = 8 * 1024 * 1024 };

const struct lq_node *lq_child(const struct lq_node *node, const char *name)
{
	for (const struct lq_node *c = node != NULL ? node->first : NULL; c != NULL; c = c->next)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

const char *lq_text(const struct lq_node *node, const char *name, const char *otherwise)
{
	const struct lq_node *c = lq_child(node, name);

	return c != NULL && c->value != NULL && c->value[0] != '\0' ? c->value : otherwise;
}

bool lq_true(const struct lq_node *node, const char *name, bool otherwise)
{
	const char *value = lq_text(node, name, NULL);

	return value != NULL ? strcasecmp(value, "true") == 0 : otherwise;
}

static struct lq_node *add_child(struct arena *a, struct lq_node *to, const char *name)
{
	struct lq_node *c = arena_alloc(a, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->name = name;
	if (to != NULL && to->last != NULL)
		to->last->next = c;
	else if (to != NULL)
		to->first = c;
	if (to != NULL)
		to->last = c;
	return c;
}

/* As Java's trim(): control characters go too. */
static const char *trimmed(struct arena *a, const char *s, size_t n)
{
	while (n > 0 && (unsigned char)s[0] <= ' ') {
		s++;
		n--;
	}
	while (n > 0 && (unsigned char)s[n - 1] <= ' ')
		n--;
	return arena_strndup(a, s, n);
}

/* --- XML ----------------------------------------------------------------------------------------------------- */

struct xml {
	struct arena *a;
	XML_Parser parser;
	struct lq_node *root;
	struct lq_node *open[DEPTH_MAX];
	struct str text[DEPTH_MAX];
	int depth, n_nodes;
	const char *trouble;
};

static void stop(struct xml *x, const char *why)
{
	if (x->trouble == NULL)
		x->trouble = why;
	XML_StopParser(x->parser, XML_FALSE);
}

/* Behind the last colon: the name without its namespace's prefix. */
static const char *local(struct arena *a, const char *name)
{
	const char *colon = strrchr(name, ':');

	return arena_strdup(a, colon != NULL ? colon + 1 : name);
}

static void on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
	struct xml *x = data;
	struct lq_node *node;

	if (x->depth == DEPTH_MAX || ++x->n_nodes > NODES_MAX) {
		stop(x, "nested too deep, or too many elements");
		return;
	}
	node = add_child(x->a, x->depth > 0 ? x->open[x->depth - 1] : NULL, local(x->a, name));
	for (int i = 0; node != NULL && attributes[i] != NULL; i += 2) {
		struct lq_node *c;

		if (strncmp(attributes[i], "xmlns", 5) == 0)
			continue;
		x->n_nodes++;
		c = add_child(x->a, node, local(x->a, attributes[i]));
		if (c != NULL)
			c->value = arena_strdup(x->a, attributes[i + 1]);
	}
	if (node == NULL || arena_failed(x->a)) {
		stop(x, "larger than fits into memory");
		return;
	}
	if (x->depth == 0)
		x->root = node;
	str_init(&x->text[x->depth], TEXT_MAX);
	x->open[x->depth++] = node;
}

static void on_end(void *data, const XML_Char *name)
{
	struct xml *x = data;
	struct str *text;
	const char *value;

	UNUSED(name);
	text = &x->text[--x->depth];
	value = trimmed(x->a, str_text(text), text->len);
	if (value != NULL && value[0] != '\0')
		x->open[x->depth]->value = value;
	if (text->failed)
		stop(x, "a text is too long");
	str_release(text);
}

static void on_text(void *data, const XML_Char *s, int n)
{
	struct xml *x = data;

	if (x->depth > 0)
		str_addn(&x->text[x->depth - 1], s, (size_t)n);
}

/* A changelog has no entities of its own: nothing to blow up, nothing to read from elsewhere. */
static void on_entity(void *data, const XML_Char *name, int is_parameter, const XML_Char *value, int n,
                      const XML_Char *base, const XML_Char *system, const XML_Char *public,
                      const XML_Char *notation)
{
	UNUSED(name);
	UNUSED(is_parameter);
	UNUSED(value);
	UNUSED(n);
	UNUSED(base);
	UNUSED(system);
	UNUSED(public);
	UNUSED(notation);
	stop(data, "entities of its own");
}

int lq_read_xml(struct arena *a, const char *name, const char *bytes, size_t n, struct lq_node **ret,
                struct error *e)
{
	struct xml *x = calloc(1, sizeof(*x));
	enum XML_Status status;
	int rc = 0;

	if (x != NULL)
		x->parser = XML_ParserCreate(NULL);
	if (x == NULL || x->parser == NULL || n > TEXT_MAX) {
		free(x);
		return error_set(e, ERR_NOMEM, "a changelog is larger than fits into memory");
	}
	x->a = a;
	XML_SetUserData(x->parser, x);
	XML_SetElementHandler(x->parser, on_start, on_end);
	XML_SetCharacterDataHandler(x->parser, on_text);
	XML_SetEntityDeclHandler(x->parser, on_entity);
	status = XML_Parse(x->parser, bytes, (int)n, XML_TRUE);
	if (status != XML_STATUS_OK || x->trouble != NULL || x->root == NULL) {
		rc =
		    error_set(e, ERR_INVALID, "no changelog that can be read: %s",
		              x->trouble != NULL ? x->trouble : XML_ErrorString(XML_GetErrorCode(x->parser)));
		error_at(e, name, (int)XML_GetCurrentLineNumber(x->parser),
		         (int)XML_GetCurrentColumnNumber(x->parser) + 1);
	}
	while (x->depth > 0)
		str_release(&x->text[--x->depth]);
	if (rc == 0)
		*ret = x->root;
	XML_ParserFree(x->parser);
	free(x);
	return rc;
}

/* --- YAML ---------------------------------------------------------------------------------------------------- */

struct yaml_walk {
	struct arena *a;
	int n_nodes;
	bool failed;
};

/* What Liquibase's ParsedNode.setValue() makes of maps, lists and scalars. */
static void set_value(struct yaml_walk *w, struct lq_node *to, const struct jv *v, int depth)
{
	if (depth > DEPTH_MAX || ++w->n_nodes > NODES_MAX)
		w->failed = true;
	if (w->failed)
		return;
	switch (jv_type(v)) {
	case JV_OBJ:
		for (size_t i = 0; i < jv_len(v); i++) {
			struct lq_node *c = add_child(w->a, to, jv_key(v, i));

			if (c != NULL)
				set_value(w, c, jv_at(v, i), depth + 1);
		}
		break;
	case JV_ARR:
		for (size_t i = 0; i < jv_len(v); i++) {
			const struct jv *x = jv_at(v, i);

			if (jv_type(x) == JV_OBJ || jv_type(x) == JV_ARR) {
				set_value(w, to, x, depth + 1);
			} else if (jv_type(x) != JV_NULL) {
				struct lq_node *c = add_child(w->a, to, "");

				if (c != NULL)
					c->value = jv_text(x, "");
				if (to->value == NULL)
					to->value = jv_text(x, "");
			}
		}
		break;
	case JV_STR: to->value = jv_text(v, ""); break;
	case JV_NULL:
	case JV_BOOL:
	case JV_INT:
	case JV_REAL: break;
	}
}

int lq_read_yaml(struct arena *a, const char *name, const char *bytes, size_t n, struct lq_node **ret,
                 struct error *e)
{
	struct yaml_walk w = {.a = a};
	const struct jv *docs = NULL;
	struct lq_node *root;
	int rc = yaml_tree(a, name, bytes, n, true, &docs, e);

	if (rc != 0)
		return rc;
	root = add_child(a, NULL, "databaseChangeLog");
	if (root == NULL)
		return error_set(e, ERR_NOMEM, "out of memory");
	if (jv_get(jv_at(docs, 0), "databaseChangeLog") == NULL) {
		error_set(e, ERR_INVALID, "there is no databaseChangeLog in it");
		error_at(e, name, 0, 0);
		return ERR_INVALID;
	}
	set_value(&w, root, jv_get(jv_at(docs, 0), "databaseChangeLog"), 0);
	if (w.failed || arena_failed(a))
		return error_set(e, ERR_NOMEM, "a changelog is larger than fits into memory");
	*ret = root;
	return 0;
}
