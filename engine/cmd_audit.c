/* audit verify and audit checkpoint: whether the record is whole, and a witness of it outside of the store. */
#include "engine/report.h"
#include "engine/witness.h"

#include "io/file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VERIFY_US (10 * US_PER_MIN)

/* The word of an option: "git", "none" or a file; without it what the config says. False: the command was ended. */
static bool place_of(struct command_run *run, const char *word, struct witness_place *ret)
{
	struct arena *a = command_arena(run);
	char here[PATH_LEN], path[PATH_LEN];

	*ret = witness_place(command_app(run));
	if (word == NULL)
		return true;
	if (strcmp(word, "git") == 0) {
		ret->file = NULL;
		if (ret->git != NULL)
			return true;
		command_done(run, EXIT_USAGE, "the config names no repository (audit: {git: FOLDER})");
		return false;
	}
	*ret = (struct witness_place){NULL, NULL};
	if (strcmp(word, "none") == 0)
		return true;
	if (getcwd(here, sizeof(here)) == NULL || file_join(path, sizeof(path), here, word) != 0) {
		command_done(run, EXIT_USAGE, "%.60s is no path", word);
		return false;
	}
	ret->file = arena_strdup(a, path);
	return true;
}

/* --- verify --------------------------------------------------------------------------------------- */

struct verify {
	struct command_run *run;
	struct witness *w;
	struct audit_verdict v;
	struct checkpoint c;
};

static void put(struct arena *a, struct jv *o, const struct verify *x)
{
	const struct audit_verdict *v = &x->v;

	jv_set_int(a, o, "rows", v->n_rows);
	jv_set_bool(a, o, "whole", v->fault == AUDIT_WHOLE);
	jv_set_str(a, o, "fault", audit_fault_name(v->fault));
	jv_set_int(a, o, "bad_seq", v->bad_seq);
	jv_set_str(a, o, "text", v->text);
	jv_set_str(a, o, "head", v->head);
	jv_set_int(a, o, "witnessed_seq", v->witnessed_seq);
	jv_set_int(a, o, "witnessed_us", v->witnessed_us);
	jv_set_int(a, o, "checkpoints", x->w != NULL ? x->w->n_marks : 0);
}

/* signer: "signed by ..", or why the signature of the witness says nothing; "" where there is none to look at. */
static void verify_end(struct verify *x, const char *signer, bool good)
{
	struct command_run *run = x->run;
	const struct audit_verdict *v = &x->v;
	char when[40];

	put(command_arena(run), command_value(run), x);
	jv_set_str(command_arena(run), command_value(run), "signature", signer);
	jv_set_bool(command_arena(run), command_value(run), "signed", good);
	if (x->w != NULL && x->w->n_strange > 0)
		command_line(run, "! the witness has %d lines that are no checkpoints", x->w->n_strange);
	if (v->mark_seq > 0)
		command_line(run, "%c the checkpoint of row %lld: %s", good ? '+' : '!',
		             (long long)v->mark_seq, signer);
	if (v->witnessed_seq > 0) {
		bool its = v->mark_seq == 0 && signer[0] != '\0';

		time_iso(when, sizeof(when), v->witnessed_us, false);
		command_line(run, "%c witnessed to row %lld at %s%s%s; %lld rows since then are not",
		             good || !its ? '+' : '!', (long long)v->witnessed_seq, when, its ? ", " : "",
		             its ? signer : "", (long long)(v->n_rows - v->witnessed_seq));
	} else if (v->mark_seq == 0) {
		command_line(
		    run, "! nothing outside of the store has seen it: towpath audit checkpoint, or audit: in "
		         "the config");
	}
	if (v->fault == AUDIT_WHOLE)
		command_done(run, EXIT_DONE, "the audit is whole: %lld rows, head %.19s",
		             (long long)v->n_rows, v->head);
	else
		command_done(run, EXIT_NO, "the audit was changed: %s (%s)", v->text,
		             audit_fault_advice(v->fault));
	witness_free(x->w);
}

static void on_signer(void *ctx, const struct outcome *o, const char *who)
{
	struct verify *x = ctx;
	char text[TEXT_LEN + 16];

	if (o->kind == OUTCOME_OK)
		snprintf(text, sizeof(text), "signed by %s", who);
	else
		str_copy(text, sizeof(text), o->text);
	verify_end(x, text, o->kind == OUTCOME_OK);
}

static void on_verified(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct verify *x = ctx;
	const struct audit_mark *m = NULL;
	int64_t seq;

	UNUSED(op);
	if (o->kind != OUTCOME_OK || result == NULL) {
		witness_free(x->w);
		report_outcome(x->run, o);
		return;
	}
	x->v = *(const struct audit_verdict *)result;
	/* The one that everything hangs on: that does not agree, or the newest that does. */
	seq = x->v.mark_seq > 0 ? x->v.mark_seq : x->v.witnessed_seq;
	for (int i = 0; x->w != NULL && seq > 0 && i < x->w->n_marks; i++)
		if (x->w->marks[i].seq == seq &&
		    (x->v.mark_seq == 0 || m == NULL || x->v.fault == AUDIT_REWOUND))
			m = &x->w->marks[i];
	if (m == NULL || !witness_find(x->w, m, &x->c)) {
		verify_end(x, "", false);
		return;
	}
	witness_signer(command_app(x->run), &x->c, on_signer, x);
}

static void on_seen(void *ctx, const struct outcome *o, struct witness *w)
{
	struct verify *x = ctx;
	const struct opened *store = app_store(command_app(x->run));

	if (w == NULL) {
		report_outcome(x->run, o);
		return;
	}
	x->w = w;
	STORE_OF(store)->audit_verify(store->priv, w->marks, w->n_marks,
	                              op_new(app_loop(command_app(x->run)), VERIFY_US, on_verified, x));
}

static void exec_verify(struct app *a, struct command_run *run)
{
	struct verify *x = command_state(run, sizeof(*x));
	const char *word = args_text(run, "witness");
	struct witness_place place;

	if (x == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	x->run = run;
	if (!place_of(run, word, &place))
		return;
	if (word != NULL && place.file != NULL && !file_exists(place.file)) {
		command_done(run, EXIT_USAGE, "there is no file %s", place.file);
		return;
	}
	witness_read(a, &place, on_seen, x);
}

static const struct arg_desc verify_args[] = {
    {.name = "witness",
     .type = ARG_WORD,
     .option = true,
     .text = "checkpoints of this file, of git, or none; without it those of the config's audit"},
    {.name = NULL},
};

const struct command command_audit_verify = {
    .name = "audit verify",
    .summary = "check the audit chain from its first row to its head, and against what witnesses saw",
    .args = verify_args,
    .exec = exec_verify,
    .flags = COMMAND_NO_STORE,
    .json = "rows, whole, fault, bad_seq, text, head, witnessed_seq, witnessed_us, checkpoints, signature, "
            "signed",
    .details = "Every row is hashed anew and must follow the row before it up to the store's own head. That "
               "finds a row that "
               "was changed, removed, put in or moved, and an end that was cut off. Whoever can write the "
               "whole store can "
               "write its whole chain anew, or put an older copy of it back: that only a witness finds, so "
               "the rows are "
               "compared with the checkpoints that were kept outside of the store, and the signature of the "
               "checkpoint that "
               "matters is checked. Rows after the newest checkpoint are said to be not witnessed yet.\n\n"
               "Ends with 1 and names the first bad row, what is wrong with it (changed, missing, moved, "
               "added, cut, rewound, "
               "rewritten) and what to do.",
    .example = "towpath audit verify --witness /mnt/other-host/witness.jsonl",
};

/* --- checkpoint ----------------------------------------------------------------------------------- */

struct take {
	struct command_run *run;
	struct audit_mark last;
	struct witness_place place;
};

static void on_written(void *ctx, const struct outcome *o, const struct checkpoint *c)
{
	struct take *t = ctx;
	struct command_run *run = t->run;
	struct arena *a = command_arena(run);
	struct str line;

	if (o->kind != OUTCOME_OK) {
		report_outcome(run, o);
		return;
	}
	jv_set_int(a, command_value(run), "seq", c != NULL ? c->mark.seq : t->last.seq);
	jv_set_str(a, command_value(run), "hash", c != NULL ? c->mark.hash : t->last.hash);
	jv_set_bool(a, command_value(run), "new", c != NULL);
	jv_set_bool(a, command_value(run), "signed", c != NULL && c->signature[0] != '\0');
	if (c == NULL) {
		command_done(run, EXIT_DONE, "%s",
		             t->last.seq > 0 ? "no new rows since the last checkpoint"
		                             : "the audit is empty");
		return;
	}
	str_init(&line, 2 * SIGNATURE_MAX);
	checkpoint_line(c, &line);
	jv_set_str(a, command_value(run), "line", str_text(&line));
	if (t->place.file == NULL && t->place.git == NULL) {
		/* To be piped to wherever nobody can change it. */
		command_raw(run, str_text(&line));
		command_done(run, EXIT_DONE, NULL);
	} else {
		command_done(run, EXIT_DONE, "checkpoint of row %lld, %.19s, %s, is in %s%s%s",
		             (long long)c->mark.seq, c->mark.hash,
		             c->signature[0] != '\0' ? "signed" : "not signed",
		             t->place.file != NULL ? t->place.file : "",
		             t->place.file != NULL && t->place.git != NULL ? " and " : "",
		             t->place.git != NULL ? WITNESS_REF : "");
	}
	str_release(&line);
}

static void exec_checkpoint(struct app *a, struct command_run *run)
{
	struct take *t = command_state(run, sizeof(*t));

	if (t == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	t->run = run;
	if (place_of(run, args_text(run, "to"), &t->place))
		witness_write(a, &t->place, &t->last, on_written, t);
}

static const struct arg_desc checkpoint_args[] = {
    {.name = "to",
     .type = ARG_WORD,
     .option = true,
     .text =
         "append it to this file, to git, or none (it is printed); without it as the config's audit says"},
    {.name = NULL},
};

const struct command command_audit_checkpoint = {
    .name = "audit checkpoint",
    .summary = "write down outside of the store where its audit stands",
    .args = checkpoint_args,
    .exec = exec_checkpoint,
    .flags = COMMAND_NO_STORE,
    .json = "seq, hash, new, signed, line",
    .details = "A checkpoint is the number, hash and time of the newest row, signed with the config's key "
               "(namespace "
               "towpath-checkpoint@v1, ssh-keygen(1)) or unsigned without one. The rows since the last "
               "checkpoint are checked "
               "first; where they do not follow it, none is written. It goes as a line of JSON to the "
               "config's file and as a "
               "note to its repository (refs/notes/towpath-audit: push that ref), where nobody who can write "
               "the store should "
               "be able to write. Without both it is printed, to be piped anywhere. Rollouts write "
               "checkpoints by themselves, "
               "every so many rows and minutes.",
    .example = "towpath audit checkpoint",
};
