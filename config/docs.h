/*
 * The manual's tables, in mdoc, from the program's own: keys of towpath.yaml and driver options, bindings, commands,
 * roles. man/generate puts them into the pages.
 */
#ifndef CONFIG_DOCS_H
#define CONFIG_DOCS_H

#include "config/keymap.h"
#include "core/command.h"
#include "core/port/driver.h"

/* Each appends to out. */
void docs_yaml(driver_list drivers, struct str *out);
void docs_keys(const struct keymap *km, struct str *out);
void docs_commands(command_list list, struct str *out);
void docs_rules(struct str *out);
void docs_locks(struct str *out);
/* Rows of roles: {name, meaning, carrier} by the caller, since themes/ is not seen from here. Ends with name NULL. */
struct docs_role {
	const char *name, *meaning, *carrier;
};
void docs_theme(const struct docs_role *roles, struct str *out);
/* Every kind of decision: who may, what it is about, what it asks for. */
void docs_decisions(struct str *out);
/* What each state of a rollout answers to what people decide. */
void docs_cells(struct str *out);

/* Pieces: text that mdoc takes as text, an argument of a macro, sentences on lines of their own. */
void docs_text(struct str *out, const char *s);
void docs_arg(struct str *out, const char *s);
void docs_line(struct str *out, const char *s);

#endif
