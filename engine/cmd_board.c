/* board: what ran where at a moment, from the store's history. */
#include "core/past.h"
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

#define READ_US (60 * US_PER_S)

struct board {
	struct command_run *run;
	int64_t at_us;
	const struct store_past *past; /* of the answer, while it lasts */
};

static struct jv *place_value(struct board *b, int service, int env)
{
	struct arena *a = command_arena(b->run);
	const struct setup *s = app_setup(command_app(b->run));
	const char *sn = s->services[service].name, *en = s->envs[env].name;
	const struct deploy_row *d = past_deploy(b->past, sn, en, b->at_us);
	const struct past_rollout *live = past_live(b->past, sn, en, b->at_us),
	                          *head = past_migrated(b->past, sn, en, b->at_us);
	struct jv *v = jv_obj(a), *m = jv_obj(a);

	jv_set_str(a, v, "env", en);
	jv_set_bool(a, v, "known", d != NULL);
	jv_set_str(a, v, "tag", d != NULL ? d->release.tag : "");
	jv_set_str(a, v, "digest", d != NULL ? d->release.digest : "");
	jv_set_str(a, v, "revision", d != NULL ? d->release.revision : "");
	jv_set_int(a, v, "since_us", d != NULL ? d->since_us : 0);
	jv_set_int(a, v, "until_us", d != NULL ? d->until_us : 0);
	jv_set_bool(a, v, "good", d != NULL && d->good);
	jv_set_str(a, v, "by", d != NULL ? d->by : "");
	jv_set_str(a, v, "brought_by", d != NULL ? d->rollout : "");
	jv_set(a, v, "rollout", live != NULL ? jv_str(a, live->id) : jv_null(a));
	jv_set_str(a, m, "head", head != NULL ? head->head : "");
	jv_set_int(a, m, "at_us", head != NULL ? head->migrated_us : 0);
	jv_set_str(a, m, "by", head != NULL ? head->requester : "");
	jv_set_str(a, m, "rollout", head != NULL ? head->id : "");
	jv_set(a, v, "migrations", m);
	return v;
}

static const char *cell(struct board *b, int service, int env)
{
	struct arena *a = command_arena(b->run);
	const struct setup *s = app_setup(command_app(b->run));
	const char *sn = s->services[service].name, *en = s->envs[env].name;
	const struct deploy_row *d = past_deploy(b->past, sn, en, b->at_us);
	const struct past_rollout *live = past_live(b->past, sn, en, b->at_us);
	char age[16];

	if (!setup_deployment(s, service, env)->present)
		return "-";
	if (live != NULL)
		return arena_printf(a, "%% %s > %s", d != NULL ? d->release.tag : "-", live->to.tag);
	if (d == NULL)
		return "?";
	time_age(age, sizeof(age), b->at_us - d->since_us);
	return arena_printf(a, "%c %s %s", d->good ? '+' : '.',
	                    d->release.tag[0] != '\0' ? d->release.tag : d->release.digest, age);
}

/* Who brought what ran, and where the database stood. */
static void notes(struct board *b)
{
	const struct setup *s = app_setup(command_app(b->run));
	char when[40];

	for (int i = 0; i < s->n_services; i++)
		for (int k = 0; k < s->n_envs; k++) {
			const char *sn = s->services[i].name, *en = s->envs[k].name;
			const struct deploy_row *d = past_deploy(b->past, sn, en, b->at_us);
			const struct past_rollout *head = past_migrated(b->past, sn, en, b->at_us);

			if (d == NULL)
				continue;
			time_iso(when, sizeof(when), d->since_us, false);
			command_line(b->run, "  %s/%s  %s since %s, %s%s%s%s%s", sn, en, d->release.tag, when,
			             d->by[0] != '\0' ? "by " : "found", d->by,
			             d->rollout[0] != '\0' ? ", rollout " : "", d->rollout,
			             d->until_us > 0 ? "" : ", still");
			if (head != NULL)
				command_line(b->run, "    migrated to %s by rollout %s of %s", head->head,
				             head->id, head->requester);
		}
}

static void on_past(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct board *b = ctx;
	struct command_run *run = b->run;
	struct arena *a = command_arena(run);
	const struct setup *s = app_setup(command_app(run));
	const char *heads[TABLE_COLUMNS_MAX + 1] = {"SERVICE"};
	int n = MIN(s->n_envs, TABLE_COLUMNS_MAX - 2);
	struct jv *services = jv_arr(a);
	char when[40];
	struct table t;

	UNUSED(op);
	if (o->kind != OUTCOME_OK || result == NULL) {
		report_outcome(run, o);
		return;
	}
	b->past = result;
	time_iso(when, sizeof(when), b->at_us, false);
	for (int k = 0; k < n; k++)
		heads[k + 1] = s->envs[k].name;
	table_init(&t, run, heads);
	for (int i = 0; i < s->n_services; i++) {
		const char *cells[TABLE_COLUMNS_MAX] = {s->services[i].name};
		struct jv *v = jv_obj(a), *places = jv_arr(a);

		for (int k = 0; k < s->n_envs; k++)
			jv_push(a, places, place_value(b, i, k));
		for (int k = 0; k < n; k++)
			cells[k + 1] = cell(b, i, k);
		jv_set_str(a, v, "service", s->services[i].name);
		jv_set(a, v, "deployments", places);
		jv_push(a, services, v);
		table_row(&t, cells);
	}
	command_line(run, "as of %s%s", when, args_text(run, "at") != NULL ? ", not now" : "");
	table_print(&t);
	notes(b);
	jv_set_int(a, command_value(run), "at_us", b->at_us);
	jv_set(a, command_value(run), "services", services);
	command_done(run, EXIT_DONE, NULL);
}

static void exec(struct app *a, struct command_run *run)
{
	struct board *b = command_state(run, sizeof(*b));
	const struct opened *store = app_store(a);

	if (b == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	*b = (struct board){.run = run, .at_us = loop_wall_us()};
	if (!args_past(run, "at", &b->at_us))
		return;
	STORE_OF(store)->past(store->priv, &(struct past_ask){.since_us = b->at_us, .until_us = b->at_us},
	                      op_new(app_loop(a), READ_US, on_past, b));
}

static const struct arg_desc args[] = {
    {.name = "at",
     .type = ARG_WORD,
     .option = true,
     .text = "the moment: an instant with its zone, a day, or 3h for three hours ago; without it now"},
    {.name = NULL},
};

const struct command command_board = {
    .name = "board",
    .summary = "the board at any past moment",
    .args = args,
    .exec = exec,
    .flags = COMMAND_NO_STORE,
    .json = "at_us, services[].service, .deployments[]: env, known, tag, digest, revision, since_us, "
            "until_us, good, by, "
            "brought_by, rollout, migrations (head, at_us, by, rollout)",
    .details =
        "Which release ran in which environment, since when, who brought it, which rollout was under way, "
        "and to "
        "which migration rollouts had brought the database; + was verified, . was only seen, % a rollout was "
        "under way, ? nothing is known. It comes from the store alone: what was never observed or rolled out "
        "by "
        "towpath is not in it.",
    .example = "towpath board --at 2026-10-27T02:47:00Z",
};
