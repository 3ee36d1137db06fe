/* What goose itself would say of a SQL migration before it runs a statement of it. */
#ifndef BACKENDS_MIGRATE_GOOSE_SCRIPT_H
#define BACKENDS_MIGRATE_GOOSE_SCRIPT_H

#include <stddef.h>

/* The reason for which goose's parser refuses the way forward; NULL: it takes it. line gets where, from 1. */
const char *goose_script_trouble(const char *bytes, size_t n, int *line);

#endif
