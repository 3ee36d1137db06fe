/* Migrations of a TypeORM source file: the classes that it exports. */
#ifndef BACKENDS_MIGRATE_TYPEORM_CODE_H
#define BACKENDS_MIGRATE_TYPEORM_CODE_H

#include "core/arena.h"

struct typeorm_class {
	const char *name;  /* of its name property, else its own; clean */
	int64_t timestamp; /* 0: its name does not end with one, for which TypeORM refuses */
	bool overrides;    /* it says itself whether it wants a transaction */
	bool computed;     /* its name property is no literal: name is the class's */
	bool is_function;  /* an exported function, which TypeORM takes for a migration too */
	struct typeorm_class *next;
};

/* The exported classes in their order; NULL: none. *ret_failed: the file cannot be tokenized. In the arena. */
struct typeorm_class *typeorm_classes(struct arena *a, const char *bytes, size_t n, bool *ret_failed);

/* What TypeORM reads of a name's last 13 characters; 0: no number. */
int64_t typeorm_timestamp(const char *name);

#endif
