/* Port vars: configuration of a deployment by key. Values stay inside the driver. */
#ifndef CORE_PORT_VARS_H
#define CORE_PORT_VARS_H

#include "core/port/driver.h"

/* One key; value only where the driver's show list has it, hash is HMAC-SHA-256 with a per-process key. */
struct var_fact {
	char key[KEY_LEN];
	bool empty;
	char hash[65];
	char shown[TEXT_LEN / 4];
};
struct var_facts {
	struct var_fact *items; /* sorted by key */
	int n_items;
	char source[PATH_LEN];
};
struct var_facts *var_facts_new(int n_items);
void var_facts_free(void *facts);

/* read -> struct var_facts. FAILED when the place does not exist, ERRORED when it cannot be read. */
struct vars_driver {
	struct driver base;
	void (*read)(void *priv, struct op *op);
};

/*
 * Compares target with reference (the previous environment, may be NULL) and with the keys that a template names
 * as required (may be NULL: lines KEY=..., comments ignored). Pure.
 */
struct var_set *vars_compare(const struct var_facts *reference, const struct var_facts *target,
                             const char *template_text, size_t n);

#endif
