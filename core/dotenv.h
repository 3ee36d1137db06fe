/*
 * Environment files (.env): KEY=value lines.
 *
 *   export KEY=value        "export" is allowed and ignored
 *   KEY=plain # comment     a comment starts at a '#' behind a blank; blanks around the value go
 *   KEY='as it is'          nothing is special inside, may span lines
 *   KEY="with \n \" \\ \$"  escapes n r t \ " $ and a line end; other backslashes stay; may span lines
 *   KEY=                    empty
 *
 * CRLF counts as LF. Values are bytes; nothing is expanded. Pure.
 */
#ifndef CORE_DOTENV_H
#define CORE_DOTENV_H

#include "core/err.h"
#include "core/str.h"

struct dotenv {
	const char *bytes;
	size_t n, at;
	int line; /* of what comes next, 1-based */
};

struct dotenv_entry {
	char key[KEY_LEN]; /* [A-Za-z_][A-Za-z0-9_.-]* */
	int line;          /* where it starts */
	struct str value;  /* str_init() it before the first call; may hold a secret */
};

void dotenv_init(struct dotenv *d, const char *bytes, size_t n);

/*
 * Reads the next entry: 1, 0 at the end, or ERR_INVALID with e->line. An error never quotes the file: values are
 * secrets. After an error the next call goes on with the line behind it.
 */
int dotenv_next(struct dotenv *d, struct dotenv_entry *entry, struct error *e) MUST_CHECK;

#endif
