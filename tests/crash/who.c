/* Who is here, told to those who act by command lines. */
#include "engine/commands.h"
#include "tests/lib/cm.h"
#include "tests/lib/small.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_US (30 * US_PER_S)

struct said {
	bool done;
	struct str text;
};

static void on_line(void *ctx, const char *text) { str_addf(&((struct said *)ctx)->text, "%s\n", text); }

static void on_done(void *ctx, const struct command *c, enum exit_code code, const char *text,
                    const struct jv *v)
{
	UNUSED(c);
	UNUSED(code);
	UNUSED(v);
	on_line(ctx, text ? text : "");
	((struct said *)ctx)->done = true;
}

/* Words that a command must say. */
static void command_says(struct small *w, const char *command, const char *const *words)
{
	struct said said = {.done = false};
	struct command_sink sink = {.ctx = &said, .line = on_line, .done = on_done};
	str_init(&said.text, 1024 * 1024);
	command_start_text(w->app, commands, command, &sink);
	if (!said.done)
		assert_true(loop_until(app_loop(w->app), &said.done, loop_mono_us() + WAIT_US));
	for (int i = 0; words[i]; i++)
		if (!strstr(str_text(&said.text), words[i]))
			fail_msg("%s does not say: %s\n%s", command, words[i], str_text(&said.text));
	str_release(&said.text);
}

static void others_at(struct small *w, const char *actor, enum presence_doing doing)
{
	struct presence_row p = {
	    .view = PRESENCE_PLAN, .doing = doing, .service = "web", .env = "dev", .act = "promote"};
	struct small_asked a;
	str_copy(p.actor, sizeof p.actor, actor);
	str_copy(p.session, sizeof p.session, actor);
	str_copy(p.host, sizeof p.host, "bastion1");
	STORE_OF(app_store(w->app))->presence_put(app_store(w->app)->priv, &p, US_PER_MIN, small_ask(w, &a));
	small_get(w, &a);
}

/* Who takes over, promotes or hands over by a command line is told as well. */
static void by_command_lines(void **state)
{
	struct small w;
	struct rollout *r;
	UNUSED(state);
	small_make(&w, "pause", "");
	small_plan(&w, 2, "r1");
	others_at(&w, "bo", PRESENCE_TYPES);
	r = small_rollout(&w);
	others_at(&w, r->requester, PRESENCE_LOOKS);
	free(r);
	command_says(
	    &w, "who",
	    (const char *const[]){"is about to promote web > dev (typing the token)", "bastion1", NULL});
	command_says(&w, "plan web --to dev",
	             (const char *const[]){"! bo is about to promote web > dev (typing the token)", NULL});
	command_says(&w, "handover",
	             (const char *const[]){"Who is around", "bo on bastion1 is about to promote", NULL});
	command_says(&w, "take-over r1", (const char *const[]){"! bo is about to promote", NULL});
	small_end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(by_command_lines)};
	int rc = small_begin(argc, argv);

	if (rc >= 0)
		return rc;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
