/*
 * The console: opens the app and the terminal, shows the model, turns keys into requests. It never owns a rollout:
 * whatever happens to it, rollouts go on.
 */
#ifndef TUI_TUI_H
#define TUI_TUI_H

#include "engine/commands.h"

struct tui_options {
	const char *theme;  /* NULL: of the configuration */
	const char *glyphs; /* "auto", "ascii", "line", "rich"; NULL: of the configuration */
	const char *colors; /* "auto", "truecolor", "256", "16", "8", "mono"; NULL: auto */
	const char *screen; /* name of the first screen; NULL: board, or the one live rollout of the person */
	command_list commands; /* of the palette; NULL: the engine's */
};

/*
 * Runs until the person quits or the terminal goes away. base says how to open the app; its on_change is replaced.
 * Returns an exit code; what was wrong is on stderr.
 */
int tui_run(const struct app_options *base, const struct tui_options *o);

#endif
