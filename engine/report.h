/* What several commands print: tables, plans, rollouts. */
#ifndef ENGINE_REPORT_H
#define ENGINE_REPORT_H

#include "engine/commands.h"

enum { TABLE_COLUMNS_MAX = 24 };

/* A table of clean cells that is printed aligned; rows live in the command's arena. */
struct table {
	struct command_run *run;
	int n_columns;
	const char *(*rows)[TABLE_COLUMNS_MAX];
	int n_rows, cap_rows;
};

/* heads ends with NULL. */
void table_init(struct table *t, struct command_run *run, const char *const *heads);
/* One cell per column; NULL is empty. */
void table_row(struct table *t, const char *const *cells);
/* Prints with command_line(). */
void table_print(const struct table *t);

/* The plan as people read it, and into the command's value. */
void report_plan(struct command_run *run, const struct plan *p);

/* A line for each of the others whose console is at a place, at most OTHERS_MAX, the nearest to acting first. */
enum { OTHERS_MAX = 5 };
void report_others(struct command_run *run, const struct presence_place *at);

/* Follows a rollout to its end, printing every step once, and ends the command with its code. */
void report_follow(struct command_run *run, const char *rollout_id);

/* A finished or running rollout, printed whole. */
void report_rollout(struct command_run *run, const struct rollout *r, int64_t now_us);

/* Prints text in lines of at most 80 columns, those after the first indented; a newline in it begins a new one. */
void report_text(struct command_run *run, const char *first, const char *indent, const char *text);

/* Exit code of an outcome that is no rollout. */
enum exit_code exit_of(enum outcome_kind k);
/* Exit code of an ended rollout: rolled back by policy counts as no. */
enum exit_code exit_of_rollout(const struct rollout *r);

/* A rollout by its id or a unique beginning of at least four characters; NULL where none or several match. */
const struct rollout *rollout_by_prefix(const struct store_snapshot *s, const char *prefix);

/* Ends the command with an outcome's text and hint. */
void report_outcome(struct command_run *run, const struct outcome *o);

/*
 * An option that names a time gone by: an instant with its zone, a day (its first moment, UTC), or a span back from
 * now. *ret_us stays as it is where the option was not given. False: the command was ended with what is wrong.
 */
bool args_past(struct command_run *run, const char *name, int64_t *ret_us);

/* '+', '!' ... of a state for plain text. */
char state_glyph(enum state s);

#endif
