#include "core/port/migrate.h"

#include <stdlib.h>
#include <string.h>

/* The environment may hold secrets: wipe before the memory goes back. */
static void wipe(char *s)
{
	volatile char *p = s;

	while (*p != '\0')
		*p++ = '\0';
}

void migrate_command_free(void *p)
{
	struct migrate_command *c = p;

	if (c == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(c->env) && c->env[i] != NULL; i++)
		wipe(c->env[i]);
	arena_release(&c->arena);
	free(c);
}

const char *migrate_action_name(enum migrate_action a)
{
	static const char *const names[MIGRATE_ACTION_COUNT] = {
	    [MIGRATE_UP] = "up", [MIGRATE_DOWN] = "down", [MIGRATE_REPAIR] = "repair", [MIGRATE_RESTORE] = "restore"};

	return (unsigned)a < MIGRATE_ACTION_COUNT ? names[a] : "?";
}
