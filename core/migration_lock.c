#include "core/migration_lock.h"
#include "core/time.h"

#include <stdio.h>
#include <string.h>

const struct migration_lock *migration_lock_stuck(const struct migration_set *set)
{
	for (int i = 0; i < set->n_locks; i++)
		if (set->locks[i].of_tool && set->locks[i].granted && set->locks[i].stuck)
			return &set->locks[i];
	return NULL;
}

const struct migration_lock *migration_lock_live(const struct migration_set *set, const char *except)
{
	for (int i = 0; i < set->n_locks; i++) {
		const struct migration_lock *l = &set->locks[i];

		if (l->of_tool && l->granted && !l->stuck &&
		    (except == NULL || !l->session || strcmp(l->app, except) != 0))
			return l;
	}
	return NULL;
}

/* "psql (user ana at 10.0.0.4, pid 4711)"; what is not known is left out. */
static void says_who(const struct migration_lock *l, char *dst, size_t cap)
{
	if (!l->session)
		snprintf(dst, cap, "%.100s", l->client);
	else
		snprintf(dst, cap, "%.60s%s%s%.60s at %.60s, pid %d%s", l->app, l->app[0] != '\0' ? " (" : "",
		         l->user[0] != '\0' ? "user " : "", l->user, l->client, l->pid,
		         l->app[0] != '\0' ? ")" : "");
}

static void says_since(const struct migration_lock *l, int64_t now_us, char dst[40])
{
	dst[0] = '\0';
	if (l->since_us <= 0)
		return;
	if (l->session) {
		time_span(dst, 40, MAX(now_us - l->since_us, 0));
		return;
	}
	time_iso(dst, 40, l->since_us, false);
	dst[strcspn(dst, "Z")] = '\0';
	dst[MIN(strcspn(dst, "T"), strlen(dst))] = dst[0] != '\0' ? ' ' : '\0';
}

void migration_lock_says(const struct migration_lock *l, int64_t now_us, char *dst, size_t cap)
{
	char who[TEXT_LEN / 2 + 64], since[40];

	says_who(l, who, sizeof(who));
	says_since(l, now_us, since);
	snprintf(dst, cap, "%.64s is held%s%s%s%.200s%s%s%.160s", l->what,
	         since[0] == '\0' ? ""
	         : l->session     ? " for "
	                          : " since ",
	         since, who[0] != '\0' ? " by " : "", who,
	         !l->stuck        ? ""
	         : who[0] != '\0' ? ", nobody is connected"
	                          : ", nobody is at work",
	         l->doing[0] == '\0' ? ""
	         : l->session        ? ", doing: "
	                             : ": ",
	         l->doing);
}

static const struct migration *first_failed(const struct migration_set *set)
{
	for (int i = 0; i < set->n_items; i++)
		if (set->items[i].state == MIGRATION_FAILED && !set->items[i].external)
			return &set->items[i];
	return NULL;
}

bool migration_left_says(const struct migration_set *set, int64_t now_us, char *dst, size_t cap)
{
	const struct migration_lock *stuck = migration_lock_stuck(set);
	const struct migration *failed = first_failed(set);

	if (stuck != NULL)
		migration_lock_says(stuck, now_us, dst, cap);
	else if (failed != NULL)
		/* How to mend it by hand stands behind the first semicolon of a block. */
		snprintf(dst, cap, "%.150s is recorded as failed: %.*s", failed->name,
		         (int)MIN(strcspn(set->blocked ? set->block_text : failed->text, ";"), 150U),
		         set->blocked ? set->block_text : failed->text);
	else
		return false;
	return true;
}

bool migration_remedy(const struct migration_set *set, const char *service, const char *env, char *dst,
                      size_t cap)
{
	const struct migration_lock *stuck = migration_lock_stuck(set),
	                            *live = migration_lock_live(set, NULL);
	const bool mends = stuck != NULL  ? stuck->repairable
	                   : live != NULL ? live->repairable && !live->session
	                                  : first_failed(set) != NULL;

	dst[0] = '\0';
	if (!set->repairs || !mends)
		return false;
	snprintf(dst, cap, "towpath migrations repair %.60s %.60s", service, env);
	return true;
}
