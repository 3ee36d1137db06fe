#include "cli/docs.h"

#include <string.h>

#include "core/baked.h"
#include "themes/theme.h"

/* The program's own keys, whatever the user's file says. */
static int print_keys(struct str *out)
{
	const struct baked *own = baked_find("config/keymap.yaml");
	struct keymap km;
	struct error e;
	int rc;

	if (own == NULL)
		return ERR_NOT_FOUND;
	rc = keymap_parse(&km, own->path, (const char *)own->bytes, own->n, NULL, &e);
	if (rc != 0)
		return rc;
	docs_keys(&km, out);
	keymap_free(&km);
	return 0;
}

static int print_theme(struct str *out)
{
	struct docs_role rows[ROLE_COUNT + 1] = {{NULL, NULL, NULL}};

	for (int i = 0; i < ROLE_COUNT; i++)
		rows[i] = (struct docs_role){role_name((enum role)i), role_meaning((enum role)i),
		                             role_carrier((enum role)i)};
	docs_theme(rows, out);
	return 0;
}

int docs_print(const char *kind, driver_list drivers, command_list list, struct str *out)
{
	if (strcmp(kind, "keys") == 0)
		return print_keys(out);
	if (strcmp(kind, "theme") == 0)
		return print_theme(out);
	if (strcmp(kind, "yaml") == 0)
		docs_yaml(drivers, out);
	else if (strcmp(kind, "commands") == 0)
		docs_commands(list, out);
	else if (strcmp(kind, "rules") == 0)
		docs_rules(out);
	else if (strcmp(kind, "locks") == 0)
		docs_locks(out);
	else if (strcmp(kind, "decisions") == 0)
		docs_decisions(out);
	else if (strcmp(kind, "cells") == 0)
		docs_cells(out);
	else
		return ERR_INVALID;
	return 0;
}
