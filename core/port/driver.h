/* What all drivers share: identity, options, opening. */
#ifndef CORE_PORT_DRIVER_H
#define CORE_PORT_DRIVER_H

#include "core/option.h"
#include "core/port/op.h"
#include "core/setup.h"

struct loop;

enum port {
	PORT_DEPLOY,
	PORT_MIGRATE,
	PORT_REGISTRY,
	PORT_FORGE,
	PORT_METRICS,
	PORT_LOGS,
	PORT_VARS,
	PORT_STORE,
	PORT_COUNT
};
const char *port_name(enum port p);

/* Given to open(); everything in it outlives the instance. */
struct driver_ctx {
	struct loop *loop;
	const struct setup *setup;
	int service, env;         /* -1 where the port is not of a deployment */
	const struct jv *options; /* checked against the driver's table; read with jv_get_* */
};

/*
 * First member of every port's driver struct. open fills priv (priv_size bytes,
 * zeroed) and does no I/O that can block: a wrong folder or host shows at the
 * first operation. close frees what open made; running ops have ended by then.
 */
struct driver {
	enum port port;
	const char *name;
	const char *summary; /* one line for the manual and doctor */
	const struct option_desc *options;
	size_t priv_size;
	int (*open)(void *priv, const struct driver_ctx *ctx, struct error *e);
	void (*close)(void *priv); /* may be NULL */
	/* Cheapest true question to the backend ("can you be reached?"); doctor and check use it. */
	void (*check)(void *priv, struct op *op);
};

/* The list of all drivers, ends with NULL; handed from cli/main.c to whoever needs it. */
typedef const struct driver *const *driver_list;

const struct driver *driver_find(driver_list list, enum port port, const char *name);

#endif
