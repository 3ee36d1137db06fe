/* The name that somebody probably meant. */
#ifndef CONFIG_NEAR_H
#define CONFIG_NEAR_H

#include "core/base.h"

/* Edit distance (insert, delete, change, swap of neighbours), at most 64 bytes of each; past that 99. */
int near_distance(const char *a, const char *b);

/* The nearest of names (ends with NULL) if it is near enough to be meant, else NULL. */
const char *near_name(const char *word, const char *const *names);

#endif
