/* Port metrics: samples of a deployment. */
#ifndef CORE_PORT_METRICS_H
#define CORE_PORT_METRICS_H

#include "core/port/driver.h"

/*
 * sample -> struct sample_set: one reading of all instances. Counters come as rates per second (the driver keeps
 * the last reading; a reset is not a negative rate). Names that the screens know: "up" (share of healthy
 * instances 0..1), "health_ms" (p50), "health_p99_ms", "rps", "errors_pct", "p50_ms", "p99_ms", "cpu_pct",
 * "rss_mib". An instance that does not answer lowers "up" and sets state and text; the op is OK.
 */
struct metrics_driver {
	struct driver base;
	void (*sample)(void *priv, struct op *op);
};

#endif
