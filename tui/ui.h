/*
 * State of the screen: what is shown, where the cursor stands, what is being typed. Read by views, written by
 * ui_apply() alone. Cursors and marks hold names and ids of things, never positions: when a list sorts itself anew
 * the cursor stays with its thing.
 *
 * The screen does nothing to the world. What a key asks for comes out as effects, which tui.c performs; tests look
 * at them instead.
 */
#ifndef TUI_UI_H
#define TUI_UI_H

#include "config/keymap.h"
#include "core/command.h"
#include "core/filter.h"
#include "core/model.h"
#include "tui/decode.h"
#include "tui/glyph.h"

enum screen {
	SCREEN_BOARD,
	SCREEN_LOGS,
	SCREEN_METRICS,
	SCREEN_ROLLOUTS,
	SCREEN_APPROVALS,
	SCREEN_MIGRATIONS,
	SCREEN_HISTORY,
	SCREEN_DOCTOR, /* 1 .. 8 */
	SCREEN_PLAN,
	SCREEN_ROLLBACK,
	SCREEN_ROLLOUT,
	SCREEN_INFO,
	SCREEN_ERRORS,
	SCREEN_OUTPUT,
	SCREEN_HELP,
	SCREEN_MIGRATION,
	SCREEN_COMMIT,
	SCREEN_COUNT
};

enum {
	TOKEN_LEN = 2 * NAME_LEN + 2,
	UI_ROWS_MAX = 8192, /* rows of a list that can be reached */
	UI_MARKS_MAX = 256,
	UI_SEEN_MAX = 32, /* screens to go back to */
	UI_TYPED_MAX = 512,
	UI_EFFECTS_MAX = 16,
	UI_NEAR_MAX = 16,       /* others on the same screen whose coming is told */
	UI_OUTPUT_MAX = 2000,   /* lines of a command that are kept */
	UI_HITS_MAX = 2000000,  /* log lines that a filter finds */
	UI_SCAN_LINES = 4000,   /* log lines looked at per turn */
	ARM_US = 600000,        /* a question takes no key before */
	SECOND_KEY_US = 500000, /* the second key of x y */
	BURST_US = 30000,
	BURST_KEYS = 8,
	PLAN_AGAIN_US = 4000000,  /* a plan on screen that waits for something is computed again */
	LADDER_BUSY_US = 1000000, /* the ladder on screen while something runs or holds a lock */
	LADDER_AGAIN_US = 10000000,
	QUIET_US = 300000, /* after focus or resize */
};

struct row {
	char id[MIGRATION_LEN];
	int a, b; /* what a view finds its thing by; hold until the model changes */
};

/* A row of a text that a view laid out for a width: what it is of is the view's to know. */
struct text_row {
	int kind, index;
	uint32_t at, n;
};

struct text_rows {
	struct text_row *items;
	int n, cap;
	uint64_t serial; /* of what they were made of */
	int found;       /* the row that a search stands on, -1 none */
	int n_found;     /* rows that the filter finds */
};

/* Cursor, filter and marks of one screen's list. */
struct list {
	char cursor[MIGRATION_LEN];
	int at, top; /* where the cursor's row was found, first row shown */
	char filter_text[FILTER_MAX];
	struct filter *filter;
	struct error filter_error; /* code 0: the text above is in force */
	int n_all;                 /* rows before the filter */
	int sort;
};

/* Lines of the log in view that pass the filter, by sequence number; without a filter all do and it is empty. */
struct log_view {
	char service[NAME_LEN], env[NAME_LEN];
	uint64_t lo, hi; /* scanned: [lo, hi) */
	uint64_t *older; /* found going back from the start: descending */
	size_t n_older, cap_older;
	uint64_t *newer; /* found going forward: ascending */
	size_t n_newer, cap_newer;
	uint64_t cursor;   /* sequence number of the line under the cursor */
	size_t skip_newer; /* of newer, those that left the ring */
	bool following, wrap, scan_left;
	uint64_t marks[UI_MARKS_MAX];
	int n_marks;
};

enum ask_kind { ASK_NONE, ASK_EXECUTE, ASK_DECIDE, ASK_COMMAND, ASK_RESUME, ASK_UNLOCK, ASK_QUIT };

/* How much a question wants before it acts. */
enum friction { FRICTION_KEY, FRICTION_TWO_KEYS, FRICTION_TOKEN };

/* A question on top of the screen. It acts only when its friction is complete and nothing that it showed changed. */
struct ask {
	enum ask_kind kind;
	enum friction friction;
	char title[TEXT_LEN];
	char lines[6][TEXT_LEN];
	int n_lines;
	char command[TEXT_LEN * 2]; /* the same as a command line, to copy */
	char token[TOKEN_LEN];
	char typed[TOKEN_LEN];
	bool wants_reason; /* T4: the reason comes first */
	int64_t armed_us;  /* monotonic: keys before it are eaten */
	bool first_key;    /* x was pressed, y is awaited */
	int64_t first_us;
	/* what it is bound to */
	char plan[DIGEST_LEN];
	int service, env;
	uint32_t generation;
	enum state seen_state;
	char seen_digest[DIGEST_LEN];
	struct decision decision;
	bool can_reject;
	char rollout[ID_LEN];
};

enum type_kind { TYPE_NONE, TYPE_FILTER, TYPE_PALETTE, TYPE_REASON, TYPE_HELP, TYPE_TIME };

enum reason_for { REASON_EXECUTE, REASON_REJECT, REASON_FREEZE, REASON_NOTE, REASON_RAISE };

/* A line that is being typed. */
struct typing {
	enum type_kind kind;
	char text[UI_TYPED_MAX];
	char before[UI_TYPED_MAX]; /* the filter to go back to */
	enum reason_for why;
	int at; /* row of the palette */
};

/* One row of the palette. */
struct palette_row {
	const struct binding *binding;
	const struct command *command;
	int score;
	char off[96]; /* why it cannot be used now; "" if it can */
};
enum { PALETTE_MAX = 256 };

enum effect_want {
	DO_NOTHING,
	DO_PLAN,
	DO_RECHECK,
	DO_CANDIDATES,
	DO_LADDER,
	DO_SOURCE,
	DO_DOCTOR,
	DO_HISTORY,
	DO_PAST,
	DO_REFRESH,
	DO_FOLLOW,
	DO_EXECUTE,
	DO_REQUEST,
	DO_DECIDE,
	DO_RAISE, /* stores the note of a raise; UI_RAISED tells when the store has it */
	DO_RESUME,
	DO_COMMAND,
	DO_CANCEL_COMMAND,
	DO_COPY,
	DO_DUMP,
	DO_REDRAW,
	DO_SUSPEND,
	DO_MOUSE,
	DO_QUIT
};

struct ui_effect {
	enum effect_want want;
	int service, env;
	int64_t at_us; /* DO_PAST */
	int choice; /* DO_LADDER: the environment whose release's files are compared, -1 the newest release's */
	enum plan_kind plan_kind;
	char release[MIGRATION_LEN]; /* or the argument of a plan of the database */
	char reads[DIGEST_LEN]; /* the release whose files such a plan reads, "" the default */
	char digest[DIGEST_LEN]; /* of the plan that the person saw and confirmed */
	char token[TOKEN_LEN];   /* what was typed; "" where none was asked */
	char reason[TEXT_LEN];
	char text[URL_LEN * 4]; /* command line, text to copy */
	struct decision decision;
	char rollout[ID_LEN];
};

struct ui {
	int rows, cols;
	const struct glyphs *glyphs;
	const struct keymap *keymap;
	command_list commands;
	int64_t mono_us;          /* of the newest input or tick */
	bool local_time, touched; /* touched: a key was pressed, the cursor is the person's */
	const struct zone *zone;

	enum screen screen, last_screen;
	enum screen seen[UI_SEEN_MAX];
	int n_seen, at_seen;
	int pane; /* of the board: 0 list, 1 logs, 2 metrics */
	bool split, mouse;
	bool plain_columns; /* of the board: environments only */
	bool opens_live;    /* at the start: the person's own live rollout is shown, if there is one */

	char service[NAME_LEN], env[NAME_LEN]; /* the selected deployment, on every screen */
	struct list lists[SCREEN_COUNT];
	struct row *rows_now; /* of the screen's list, after its filter */
	int n_rows;
	int page;    /* rows of the list that are on screen */
	int scroll;  /* of screens that are one long text */
	int n_lines; /* of that text, told by the view's measure */
	struct log_view log;
	char marks[UI_MARKS_MAX][MIGRATION_LEN];
	int n_marks;
	char bookmark_service[NAME_LEN], bookmark_env[NAME_LEN];
	int64_t window_us; /* of the graphs */
	int64_t past_us;   /* the board shows this moment; 0: now */
	/* monotonic: the last key, and until when raised_env may be acted on (0: it may not) */
	int64_t last_key_us, raised_until_us;
	char raised_env[NAME_LEN];
	char
	    raising_env[NAME_LEN]; /* to be raised for raising_us once the store has the reason; 0: none is */
	int64_t raising_us;
	bool idle; /* nobody has touched the console for so long that acting keys are locked */

	uint64_t near_at; /* a hash of what the screen is about; 0: of nothing that others could be at */
	struct {
		uint64_t session; /* a hash of it */
		int nearness;
	} near[UI_NEAR_MAX]; /* others as they were when it was last looked at */
	int n_near;

	char prefix[4]; /* first key of a pair */
	struct ask ask;
	struct typing typing;
	struct palette_row palette[PALETTE_MAX];
	int n_palette;
	int64_t plan_open_us;         /* when the plan on screen came up, monotonic */
	bool plan_waits;              /* asked for, not there yet */
	char plan_digest[DIGEST_LEN]; /* of the plan that is shown */
	int plan_member;              /* of a set's plan: whose own plan is shown, from 1; 0 the whole */
	bool plan_own;                /* asked for by a key here: it may be computed again */
	int64_t plan_again_us;        /* when it was last asked for, monotonic */
	char plan_why[TEXT_LEN];      /* why there is none */
	char plan_for_service[NAME_LEN], plan_for_env[NAME_LEN];
	char plan_release[MIGRATION_LEN]; /* chosen by the person, "" the default; or a plan's argument */
	char plan_reads[DIGEST_LEN];      /* of a plan of the database: whose files it reads */
	enum plan_kind plan_for_kind;
	bool commits_open;
	bool externals_open;            /* of the ladder: migrations of other code one by one */
	char ladder_env[NAME_LEN];      /* whose release's files are compared, "" the newest release's */
	char ladder_service[NAME_LEN];  /* of the ladder that was asked for last */
	char ladder_at[NAME_LEN];       /* the service in whose ladder the cursor was placed */
	int64_t ladder_asked_us;        /* monotonic, 0 never */
	char migration[MIGRATION_LEN];  /* the one that is open as text */
	char migration_env[NAME_LEN];   /* where what was applied is looked at */
	bool migration_waits;           /* asked for, not there yet */
	bool migration_diff;            /* instead of the text */
	int migration_commit;           /* which of its commits is shown: 0 added, 1 changed, 2 removed */
	bool no_wrap;                   /* of texts: long lines are cut instead of broken */
	struct text_rows text;          /* of the screen, where it is such a text */
	int chain_rows;        /* of the history in the model whose hashes were checked */
	int64_t chain_bad_seq; /* 0: they hold */
	char rollout[ID_LEN];  /* the one on the live screen */
	char **output;         /* of the last command */
	int n_output;
	char output_title[TEXT_LEN];
	bool output_runs;

	char notice[TEXT_LEN];
	enum message_kind notice_kind;
	int64_t notice_us;
	bool in_paste, in_burst;
	int64_t quiet_until_us, interrupt_us;
	int64_t key_us[BURST_KEYS]; /* when the newest characters came */
	int at_key;

	struct ui_effect effects[UI_EFFECTS_MAX];
	int n_effects;
	bool quits;
};

enum ui_event_kind {
	UI_INPUT,
	UI_RESIZE,
	UI_TICK,
	UI_MODEL,
	UI_PLAN_FAILED,
	UI_OUTPUT,
	UI_OUTPUT_END,
	UI_DONE,
	UI_RAISED
};

struct ui_event {
	enum ui_event_kind kind;
	int64_t mono_us;
	const struct input *input;
	int rows, cols;
	unsigned topics;
	const char *text; /* UI_OUTPUT, UI_DONE, UI_RAISED that was not: a clean line */
	enum message_kind message_kind;
	const char *rollout; /* UI_DONE of an execution: the rollout to watch */
};

/* What others see of this console (ui_presence.c); false: nobody sits here. */
bool ui_presence(const struct ui *u, const struct model *m, struct presence_row *ret);
/* What the screen is about, as something that others may be at; false: nothing of that kind, or no store was read. */
bool ui_presence_place(const struct ui *u, const struct model *m, struct presence_place *ret);

/* "rw", "ro", "locked", "prod up 14m": what keys may do, for the header. */
void ui_raise_text(const struct ui *u, const struct model *m, char *dst, size_t cap);

/* The index of the selected deployment in the model's setup; false when there is none. */
bool ui_selected(const struct ui *u, const struct model *m, int *ret_service, int *ret_env);
static inline const struct list *ui_list(const struct ui *u) { return &u->lists[u->screen]; }
/* The number of log lines in view and the sequence number of the i-th (0 the oldest). */
size_t ui_log_count(const struct ui *u, const struct logbuf *b);
uint64_t ui_log_at(const struct ui *u, const struct logbuf *b, size_t i);
/* The index of the first line in view at or past seq. */
size_t ui_log_index(const struct ui *u, const struct logbuf *b, uint64_t seq);
bool ui_marked(const struct ui *u, const char *id);
bool ui_log_marked(const struct ui *u, uint64_t seq);
/* The keymap context of the screen that keys go to. */
const char *ui_context(const struct ui *u);

#endif
