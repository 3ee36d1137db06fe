/* What this console says of itself to others, and when; and when what others said is read again. */
#ifndef ENGINE_PRESENCE_H
#define ENGINE_PRESENCE_H

#include "engine/app.h"

/*
 * What the person looks at now: view, doing, place, plan, rollout and act of it; NULL: nobody sits there. Cheap to call
 * at every turn: it is written when it changed, at most once a second, and again before others would forget it.
 */
void presence_say(struct app *a, const struct presence_row *now);

/* Says that this console has gone, and waits for it for a moment at most. Nothing is said after it. */
void presence_end(struct app *a);

#endif
