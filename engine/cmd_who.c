/* who: consoles that are open, and what their people look at. */
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

/* Sorted by person, then by what was said last; indices into the snapshot. */
static int in_order(const struct store_snapshot *s, int *ret)
{
	int n = 0;

	for (int i = 0; i < s->n_presence && n < PRESENCE_MAX; i++) {
		const struct presence_row *p = &s->presence[i];
		int at = n++;

		for (; at > 0; at--) {
			const struct presence_row *q = &s->presence[ret[at - 1]];
			int order = strcmp(p->actor, q->actor);

			if (order > 0 || (order == 0 && p->since_us >= q->since_us))
				break;
			ret[at] = ret[at - 1];
		}
		ret[at] = i;
	}
	return n;
}

static void exec(struct app *a, struct command_run *run)
{
	static const char *const heads[] = {"WHO", "HOST", "DOES", "SINCE", "SEEN", NULL};
	const struct model *m = app_model(a);
	struct arena *arena = command_arena(run);
	struct jv *list = jv_arr(arena);
	int order[PRESENCE_MAX], n;
	struct table t;

	if (m->store == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "the store cannot be read: %s",
		             m->store_source.last->text);
		return;
	}
	n = in_order(m->store, order);
	table_init(&t, run, heads);
	for (int i = 0; i < n; i++) {
		const struct presence_row *p = &m->store->presence[order[i]];
		char what[TEXT_LEN], since[16], seen[16];
		struct jv *v = presence_to_jv(arena, p);

		presence_what(p, what, sizeof(what));
		time_age(since, sizeof(since), MAX(0, m->store->now_us - p->since_us));
		time_age(seen, sizeof(seen), MAX(0, m->store->now_us - p->seen_us));
		jv_set_bool(arena, v, "own", strcmp(p->actor, m->actor) == 0);
		jv_push(arena, list, v);
		table_row(&t, (const char *[]){p->actor, p->host, what, since, seen});
	}
	jv_set(arena, command_value(run), "here", list);
	if (n == 0) {
		command_done(run, EXIT_DONE,
		             "no console is known to be open; if some are, towpath store status tells why");
		return;
	}
	table_print(&t);
	command_done(run, EXIT_DONE, NULL);
}

const struct command command_who = {
    .name = "who",
    .summary = "consoles that are open, what their people look at and are about to do",
    .exec = exec,
    .json =
        "here[]: actor, host, session, view (board, plan, rollback, rollout), doing (looks, asked, types), "
        "service, env, plan, rollout, act, since_us, seen_us, until_us, own",
    .details =
        "Each console says it of itself and is gone some time after it last did: about 45 seconds, two and a "
        "half minutes on the board. With presence: off below ui: in the config a console says nothing.",
    .example = "towpath who",
};
