/* Port logs: a live stream of lines. */
#ifndef CORE_PORT_LOGS_H
#define CORE_PORT_LOGS_H

#include "core/port/driver.h"

/* Called on the loop, any number of times between follow and unfollow. */
struct logs_sink {
	void *ctx;
	/* Raw bytes of one source, in any pieces. source is an index below INSTANCES_MAX, name its label (clean). */
	void (*bytes)(void *ctx, uint16_t source, const char *name, const char *bytes, size_t n);
	/* The stream has a hole or changed: rotated, truncated, reconnected. text is clean. */
	void (*gap)(void *ctx, uint16_t source, const char *name, const char *text);
	/* Cannot be read now (OUTCOME_OK again once it can). */
	void (*state)(void *ctx, const struct outcome *o);
};

/*
 *   follow    starts with at most tail_bytes of what exists, then goes on for ever. One follower per instance.
 *   unfollow  stops; after it returns the sink is not called again.
 *   pause     tells the driver that nobody can take more now (the ring's reader is behind); it may stop reading.
 */
struct logs_driver {
	struct driver base;
	int (*follow)(void *priv, const struct logs_sink *sink, size_t tail_bytes, struct error *e);
	void (*unfollow)(void *priv);
	void (*pause)(void *priv, bool paused); /* may be NULL */
};

#endif
