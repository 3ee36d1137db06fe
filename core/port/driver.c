#include "core/port/driver.h"

#include <string.h>

const char *port_name(enum port p)
{
	static const char *const names[PORT_COUNT] = {
	    [PORT_DEPLOY] = "deploy", [PORT_MIGRATE] = "migrate", [PORT_REGISTRY] = "registry",
	    [PORT_FORGE] = "forge",   [PORT_METRICS] = "metrics", [PORT_LOGS] = "logs",
	    [PORT_VARS] = "vars",     [PORT_STORE] = "store",
	};
	return (unsigned)p < PORT_COUNT ? names[p] : "?";
}

const struct driver *driver_find(driver_list list, enum port port, const char *name)
{
	for (; *list != NULL; list++)
		if ((*list)->port == port && strcmp((*list)->name, name) == 0)
			return *list;
	return NULL;
}
