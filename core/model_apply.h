/* The only writer of the model. Included by engine/app.c and tests, by nobody else. */
#ifndef CORE_MODEL_APPLY_H
#define CORE_MODEL_APPLY_H

#include "core/model.h"

/* A source that nobody has asked yet; for the model's own files. */
void source_init(struct source *s);

/* Applies an event, taking over what it owns where it keeps it. Returns the topics that changed. */
unsigned model_apply(struct model *m, struct event *e);

/* Connects a deployment's log ring, which the engine owns and fills. */
void model_set_logs(struct model *m, int service, int env, struct logbuf *logs);
void model_set_log_source(struct model *m, int service, int env, int source, const char *name);

/* Who to be once the store turns out to be a demo's. */
void model_set_demo_actor(struct model *m, const char *name);
void model_set_session(struct model *m, const char *session);
void model_set_read_only(struct model *m, bool read_only, const char *why);

#endif
