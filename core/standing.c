#include "core/standing.h"

#include <string.h>

/* The newest decision of two kinds about exactly this place; NULL when the lifting one or none came last. */
static const struct decision *last_of(struct decisions all, enum decision_kind sets, enum decision_kind lifts,
                                      const char *service, const char *env, const char *release)
{
	const struct decision *found = NULL;

	for (int i = 0; i < all.n; i++) {
		const struct decision *d = &all.items[i];

		if ((d->kind != sets && d->kind != lifts) || strcmp(d->env, env) != 0 ||
		    strcmp(d->service, service) != 0 || (release != NULL && strcmp(d->release, release) != 0))
			continue;
		found = d->kind == sets ? d : NULL;
	}
	return found;
}

static const struct decision *unless_over(const struct decision *d, int64_t now_us)
{
	return d != NULL && (d->until_us == 0 || d->until_us > now_us) ? d : NULL;
}

/* The service's own first: who made it knows more. */
static const struct decision *standing(struct decisions all, enum decision_kind sets,
                                       enum decision_kind lifts, const char *service, const char *env,
                                       int64_t now_us)
{
	const struct decision *own = unless_over(last_of(all, sets, lifts, service, env, NULL), now_us);

	return own != NULL || service[0] == '\0'
	           ? own
	           : unless_over(last_of(all, sets, lifts, "", env, NULL), now_us);
}

const struct decision *freeze_standing(struct decisions all, const char *service, const char *env,
                                       int64_t now_us)
{
	return standing(all, DECISION_FREEZE, DECISION_UNFREEZE, service, env, now_us);
}

const struct decision *lock_standing(struct decisions all, const char *service, const char *env,
                                     int64_t now_us)
{
	return standing(all, DECISION_LOCK, DECISION_UNLOCK, service, env, now_us);
}

const struct decision *lock_against(struct decisions all, const char *service, const char *env,
                                    const char *person, int64_t now_us)
{
	const char *const places[] = {service, ""};
	const struct decision *warns = NULL;

	for (size_t i = service[0] == '\0' ? 1 : 0; i < ARRAY_LEN(places); i++) {
		const struct decision *d =
		    unless_over(last_of(all, DECISION_LOCK, DECISION_UNLOCK, places[i], env, NULL), now_us);

		if (d == NULL || strcmp(d->actor, person) == 0)
			continue;
		if (!d->warn_only)
			return d;
		warns = warns != NULL ? warns : d;
	}
	return warns;
}

const struct decision *pin_standing(struct decisions all, const char *service, const char *env,
                                    int64_t now_us)
{
	return unless_over(last_of(all, DECISION_PIN, DECISION_UNPIN, service, env, NULL), now_us);
}

const struct decision *bad_standing(struct decisions all, const char *service, const char *env,
                                    const char *release)
{
	const struct decision *d;

	if (release[0] == '\0')
		return NULL;
	d = last_of(all, DECISION_MARK_BAD, DECISION_UNMARK, service, env, release);
	return d != NULL || env[0] == '\0'
	           ? d
	           : last_of(all, DECISION_MARK_BAD, DECISION_UNMARK, service, "", release);
}

const struct decision *stop_standing(struct decisions all, int64_t now_us)
{
	return unless_over(last_of(all, DECISION_STOP, DECISION_RESUME, "", "", NULL), now_us);
}

/* Somebody else who agreed to this very one. */
static const struct decision *second_of(struct decisions all, const struct decision *glass)
{
	for (int i = 0; i < all.n; i++) {
		const struct decision *d = &all.items[i];

		if (d->kind == DECISION_SECOND && d->about_seq == glass->seq && d->seq > glass->seq &&
		    strcmp(d->actor, glass->actor) != 0)
			return d;
	}
	return NULL;
}

int64_t glass_until_us(const struct decision *glass, int64_t max_us)
{
	/* Without an end it would be a policy of its own. */
	return glass->until_us == 0 ? 0 : MIN(glass->until_us, glass->at_us + max_us);
}

const struct decision *glass_standing(struct decisions all, const char *service, const char *env,
                                      int64_t max_us, int64_t now_us, const struct decision **ret_second)
{
	const char *const places[] = {service, ""};

	*ret_second = NULL;
	for (size_t i = service[0] == '\0' ? 1 : 0; i < ARRAY_LEN(places); i++) {
		const struct decision *d =
		    last_of(all, DECISION_BREAK_GLASS, DECISION_SEAL, places[i], env, NULL);

		if (d == NULL || glass_until_us(d, max_us) <= now_us)
			continue;
		*ret_second = second_of(all, d);
		return d;
	}
	return NULL;
}

static const struct decision *schedule_word(struct decisions all, const char *service, const char *env)
{
	const struct decision *last = NULL;

	for (int i = 0; i < all.n; i++)
		if ((all.items[i].kind == DECISION_SCHEDULE || all.items[i].kind == DECISION_UNSCHEDULE) &&
		    strcmp(all.items[i].service, service) == 0 && strcmp(all.items[i].env, env) == 0)
			last = &all.items[i];
	return last;
}

const struct decision *schedule_last(struct decisions all, const char *service, const char *env)
{
	const struct decision *last = schedule_word(all, service, env);

	return last != NULL && last->kind == DECISION_SCHEDULE ? last : NULL;
}

const struct decision *schedule_failed(struct decisions all, const char *service, const char *env)
{
	const struct decision *last = schedule_word(all, service, env);

	return last != NULL && last->kind == DECISION_UNSCHEDULE &&
	               strncmp(last->reason, SCHEDULE_COULD_NOT, strlen(SCHEDULE_COULD_NOT)) == 0
	           ? last
	           : NULL;
}

const struct decision *schedule_standing(struct decisions all, const char *service, const char *env,
                                         int64_t now_us)
{
	const struct decision *last = schedule_last(all, service, env);

	return last != NULL && now_us <= last->until_us + SCHEDULE_LATE_US ? last : NULL;
}
