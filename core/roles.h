/* Who may do what where: the lists of the config over the kinds of decisions. Pure. */
#ifndef CORE_ROLES_H
#define CORE_ROLES_H

#include "core/decision.h"

/*
 * Bits of enum store_role that an environment's config gives a person. Without lists there: all of them, the store's
 * own roles decide. With lists: a viewer is nothing else, and who stands in none is a viewer.
 */
unsigned roles_of(const struct setup *s, int env, const char *person);

/*
 * Whether a decision counts for the config. One about everything, or about a release everywhere, is judged in all
 * environments: what stops needs one of them, what lets go needs every one. What executors may decide is the
 * store's business alone. env -1: that of the decision.
 */
bool roles_allow(const struct setup *s, int env, const struct decision *d);

/* Why not, and who may: "ben may not approve in prod: that is for approvers (@leads, carla)". Returns dst. */
const char *roles_refusal(const struct setup *s, int env, const char *person, unsigned needed,
                          const char *verb, char *dst, size_t cap);

/* Takes out what does not count, in place, with their signatures; returns how many stay. */
int roles_filter(const struct setup *s, struct decision *items, int n);

#endif
