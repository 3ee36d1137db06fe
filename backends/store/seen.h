/*
 * Observations: the last known value of every source, in a disposable SQLite file of this host, so that they never
 * delay a lease and a console has a board to show before its store answers. For one worker thread.
 */
#ifndef BACKENDS_STORE_SEEN_H
#define BACKENDS_STORE_SEEN_H

#include "core/port/store.h"

struct sqlite3;

struct seen {
	char path[PATH_LEN + 16];
	struct sqlite3 *db; /* opened at first use */
};

struct outcome seen_put(struct seen *s, const char *key, int64_t at_us, const char *json);
/* [struct observation_list]; empty where the file cannot be had. */
struct outcome seen_get(struct seen *s, void **ret);
void seen_close(struct seen *s);
/* NULL where it cannot be had. */
struct sqlite3 *seen_open(struct seen *s);

/*
 * Who is here (seen_presence.c). *ret_turn: what seen_turn() says from now on, where others want to hear of it, else 0.
 * get fills presence of the snapshot, which it leaves empty where the file cannot be had.
 */
struct outcome seen_presence_put(struct seen *s, const struct presence_row *p, int64_t now_us, int64_t ttl_us,
                                 int64_t *ret_turn);
void seen_presence_get(struct seen *s, int64_t now_us, struct store_snapshot *snap);
int64_t seen_turn(struct seen *s);

#endif
