/*
 * Who is here: what each console says of itself, and what that means for somebody who looks at a place. Soft state:
 * nothing is ever refused because of it, and a row that is not said again ends by itself.
 */
#ifndef CORE_PRESENCE_H
#define CORE_PRESENCE_H

#include "core/jv.h"
#include "core/setup.h"
#include "core/types.h"

enum presence_view {
	PRESENCE_BOARD,
	PRESENCE_PLAN,
	PRESENCE_ROLLBACK,
	PRESENCE_ROLLOUT,
	PRESENCE_VIEW_COUNT
};

/* Ordered by how near to acting it is. */
enum presence_doing {
	PRESENCE_LOOKS,
	PRESENCE_ASKED, /* the question whether to act is open */
	PRESENCE_TYPES, /* and wants a token, which is being typed */
	PRESENCE_DOING_COUNT
};

struct presence_row {
	char actor[NAME_LEN], host[NAME_LEN];
	char session[NAME_LEN * 2]; /* "pid@host start": one console, never used again */
	enum presence_view view;
	enum presence_doing doing;
	char service[NAME_LEN], env[NAME_LEN]; /* "" on the board */
	char plan[DIGEST_LEN], rollout[ID_LEN];
	char act[NAME_LEN]; /* "promote": what it is about to do, "" when it only looks */
	int64_t since_us, seen_us,
	    until_us; /* store's clock: of this view and doing, last said, ends by itself */
};

const char *presence_view_name(enum presence_view v);
const char *presence_doing_name(enum presence_doing d);

struct jv *presence_to_jv(struct arena *a, const struct presence_row *p);
/* Foreign texts are made clean. A view or doing of a later version is the board and looking. */
void presence_from_jv(const struct jv *v, struct presence_row *ret);

/* True when both say the same but for their times. */
bool presence_same(const struct presence_row *a, const struct presence_row *b);

/* What somebody looks at, and who is looking: their own row is left out by its session. */
struct presence_place {
	const char *session, *actor;
	const char *service, *env;
	const char *plan, *rollout; /* "" none */
	const struct setup *setup;  /* knows which services a set has; NULL: sets are places of their own */
	int64_t now_us;             /* store's clock */
};

struct presence_seen {
	const struct presence_row *row;
	bool same; /* at the very same plan or rollout, not only at the same place */
};

/*
 * Others at that place (at a set that it is of, or at one of the set's services, as well): the nearest to acting first,
 * then others before one's own consoles, then those at the same thing, then who came first. Returns how many there
 * are, of which at most cap are filled.
 */
int presence_around(const struct presence_row *rows, int n, const struct presence_place *at,
                    struct presence_seen *ret, int cap);

/* "ben", and "you on bastion1" where it is the asker's own other console. */
const char *presence_who(const struct presence_row *p, const char *actor, char *dst, size_t cap);
/* "ben looks at this plan, 2m", "ben is about to promote this (typing the token)". */
void presence_text(const struct presence_seen *seen, const struct presence_place *at, char *dst, size_t cap);
/* What it does in words that need no place of one's own: "looks at a plan for web > prod". */
void presence_what(const struct presence_row *p, char *dst, size_t cap);
/* The row of a person that was said last, NULL: no console of theirs is open. */
const struct presence_row *presence_of(const struct presence_row *rows, int n, const char *actor,
                                       int64_t now_us);
/* "ann seen 12s ago on bastion1", or that no console of theirs is open. */
void presence_last_text(const struct presence_row *rows, int n, const char *actor, int64_t now_us, char *dst,
                        size_t cap);

#endif
