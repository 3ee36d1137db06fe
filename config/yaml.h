/*
 * YAML, the strict part of it, through libfyaml: no aliases, anchors, tags, merge keys or duplicate keys; depth and
 * size bounded; every node knows its line and column. Config, keymap and themes are read by this.
 */
#ifndef CONFIG_YAML_H
#define CONFIG_YAML_H

#include "core/arena.h"
#include "core/err.h"

enum yaml_type { YAML_NULL, YAML_SCALAR, YAML_SEQ, YAML_MAP };

struct yaml {
	enum yaml_type type;
	bool quoted;                /* a scalar in quotes: never a number or boolean */
	int line, col;              /* 1-based */
	const char *text;           /* scalar */
	const char **keys;          /* map */
	const struct yaml **key_at; /* places of the keys */
	const struct yaml **items;  /* values of a map, elements of a sequence */
	int n;
};

/* Parses one document; name stands in errors. The tree lives in a. */
int yaml_parse(struct arena *a, const char *name, const char *bytes, size_t n, const struct yaml **ret,
               struct error *e) MUST_CHECK;
const struct yaml *yaml_get(const struct yaml *map, const char *key); /* NULL where absent */
/* Sets e with the place of y. Returns ERR_INVALID. */
int yaml_error(const struct yaml *y, const char *name, struct error *e, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

#endif
