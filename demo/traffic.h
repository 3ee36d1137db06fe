/* Requests to the demo's services, so that metrics and logs live. */
#ifndef DEMO_TRAFFIC_H
#define DEMO_TRAFFIC_H

#include "demo/world.h"

struct traffic;

struct traffic *traffic_new(const struct world *w);
void traffic_free(struct traffic *t);
/* Sends what is due and waits at most timeout_ms for something to happen. The keeper's one wait. */
void traffic_turn(struct traffic *t, int timeout_ms);

#endif
