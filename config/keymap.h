/*
 * The keymap: one table of bindings feeds dispatcher, footer, help, palette and manual.
 *
 * The program carries a default (config/keymap.yaml); the user's keys.yaml is laid over it. A file is a map of
 * contexts, each a list of {keys, action, note, group, footer}. Keys are words with spaces between: "j Down".
 * A word is one character, two characters ("gg": one after the other), or a name: Up Down Left Right Home End
 * PgUp PgDn Tab S-Tab Enter Esc Space Backspace Delete Insert F1-F12 C-a (Ctrl and a letter).
 */
#ifndef CONFIG_KEYMAP_H
#define CONFIG_KEYMAP_H

#include "core/arena.h"
#include "core/err.h"

enum { KEYMAP_BINDINGS_MAX = 512, KEYS_LEN = 64 };

struct binding {
	const char *context; /* one of keymap_contexts */
	const char *keys;    /* words with one space between, as in "j Down" */
	const char *action;  /* one of the names that the caller passed */
	const char *note;    /* one line for footer and help */
	const char *group;   /* one of keymap_groups */
	int line;            /* in its file */
	bool footer;         /* shown in the footer of its context */
};

/* Rows in the order of the file: contexts together, the user's own last within a context. */
struct keymap {
	struct arena arena;
	struct binding *items;
	int n;
};

/* "global" first: it holds wherever a context does not bind the key itself. End with NULL. */
extern const char *const keymap_contexts[];
/* move, open, find, read, act, plan: the headings of the help. "act": opens a plan or picker, upper-case keys only. */
extern const char *const keymap_groups[];

/*
 * Parses a default map; actions ends with NULL (NULL list: any action). On success ret owns an arena; free it by
 * keymap_free(). e has file, line, column and what would be right.
 */
int keymap_parse(struct keymap *ret, const char *name, const char *bytes, size_t n,
                 const char *const *actions, struct error *e) MUST_CHECK;

/*
 * Lays a user's file over km: a key named there leaves the default's row of that context; "action: none" unbinds.
 * Esc, q, C-c and x cannot be changed, nor may an act action move to anything but an upper-case letter.
 * km is untouched on failure.
 */
int keymap_merge(struct keymap *km, const char *name, const char *bytes, size_t n, const char *const *actions,
                 struct error *e) MUST_CHECK;

/*
 * The program's own map with the user's file ($XDG_CONFIG_HOME or ~/.config, towpath/keys.yaml) over it, where one
 * is. When the user's file is wrong: its error, and ret is the default map all the same (code is returned).
 */
int keymap_load(struct keymap *ret, const char *const *actions, struct error *e) MUST_CHECK;
void keymap_free(struct keymap *km);

/*
 * The binding of one key word in a context, else in "global", else NULL. *ret_prefix (may be NULL): the word is the
 * start of a longer one there (the g of gg).
 */
const struct binding *keymap_find(const struct keymap *km, const char *context, const char *word,
                                  bool *ret_prefix);

/* The next word of a binding's keys into dst; returns the rest, NULL at the end. */
const char *keys_next(const char *keys, char *dst, size_t cap);

#endif
