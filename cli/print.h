/* How the command line prints a command: plain text or JSON, from the same report. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "engine/commands.h"

struct printer {
	bool json;
	bool ended;
	enum exit_code code;
	struct loop *loop; /* stopped at the end; NULL without an app */
};

/* A sink that writes to stdout, messages of failures to stderr. */
struct command_sink printer_sink(struct printer *p);

/* What ended a command before it could begin, with place and hint: as printer_sink() tells the end of one. */
void printer_failed(struct printer *p, const struct error *e);

/* "towpath: ..." on stderr, with place and hint. */
void print_failure(const struct error *e);

#endif
