#include "cli/print.h"

#include <stdio.h>
#include <string.h>

void print_failure(const struct error *e)
{
	char text[PATH_LEN + 3 * TEXT_LEN];

	error_format(e, text, sizeof(text));
	fprintf(stderr, "towpath: %s\n", text);
}

static void on_line(void *ctx, const char *text)
{
	UNUSED(ctx);
	puts(text);
	fflush(stdout);
}

static void print_value(const struct jv *v, enum jv_print how)
{
	struct str s;

	str_init(&s, ARENA_DEFAULT_MAX);
	jv_print(v, how, &s);
	if (!s.failed)
		puts(str_text(&s));
	str_release(&s);
	fflush(stdout);
}

static void on_stream(void *ctx, const struct jv *v)
{
	UNUSED(ctx);
	print_value(v, JV_COMPACT);
}

static void on_done(void *ctx, const struct command *c, enum exit_code code, const char *text,
                    const struct jv *value)
{
	struct printer *p = ctx;

	p->ended = true;
	p->code = code;
	if (p->json) {
		struct arena a;
		struct jv *top;

		arena_init(&a, ARENA_DEFAULT_MAX);
		top = value != NULL ? jv_copy(&a, value) : jv_obj(&a);
		jv_set_int(&a, top, "exit", (int)code);
		jv_set_str(&a, top, "message", text);
		/* A command that streamed lines ends with one line more, so that every line is one value. */
		print_value(top, c != NULL && (c->flags & COMMAND_STREAMS) != 0 ? JV_COMPACT : JV_PRETTY);
		arena_release(&a);
	} else if (text[0] != '\0') {
		fprintf(code == EXIT_DONE ? stdout : stderr, "%s%s\n",
		        code == EXIT_DONE ? "" : "towpath: ", text);
	}
	fflush(stdout);
	if (p->loop != NULL)
		loop_stop(p->loop);
}

struct command_sink printer_sink(struct printer *p)
{
	return (struct command_sink){
	    .ctx = p, .wants_json = p->json, .line = on_line, .stream = on_stream, .done = on_done};
}

void printer_failed(struct printer *p, const struct error *e)
{
	char text[PATH_LEN + 3 * TEXT_LEN];

	error_format(e, text, sizeof(text));
	on_done(p, NULL, EXIT_USAGE, text, NULL);
}
