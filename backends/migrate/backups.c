/* Where the backups of a database lie, or what a program says of them. */
#include "backends/answer.h"
#include "backends/migrate/common.h"
#include "io/proc.h"
#include "io/work.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WORDS_MAX = 64 };

/* --- a pattern: by a worker ------------------------------------------------------------------------------- */

struct look {
	struct answer_job job;
	char pattern[PATH_LEN];
};

static int on_glob_error(const char *path, int why)
{
	UNUSED(path);
	UNUSED(why);
	return 1; /* a folder that cannot be read may hold the newest one */
}

static void add_file(struct backup_list *l, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return; /* it was removed meanwhile */
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		backup_add(l, migrate_base(path), strlen(migrate_base(path)),
		           (int64_t)st.st_mtim.tv_sec * US_PER_S + st.st_mtim.tv_nsec / 1000,
		           S_ISREG(st.st_mode) ? (int64_t)st.st_size : -1);
}

static void look_run(void *arg)
{
	struct look *k = arg;
	struct backup_list *l = backup_list_new();
	glob_t found;
	int rc;

	if (l == NULL) {
		k->job.outcome = outcome_make(OUTCOME_ERRORED, "backups", "out of memory");
		return;
	}
	rc = glob(k->pattern, GLOB_NOSORT, on_glob_error, &found);
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		add_file(l, found.gl_pathv[i]);
	globfree(&found);
	if (rc != 0 && rc != GLOB_NOMATCH) {
		backup_list_free(l);
		k->job.outcome = answer_make(OUTCOME_ERRORED, "backups", "%s of %.200s",
		                             rc == GLOB_NOSPACE ? "out of memory with the files"
		                                                : "not allowed to read a folder",
		                             k->pattern);
		return;
	}
	k->job.outcome = outcome_ok();
	k->job.result = l;
	k->job.free_result = backup_list_free;
}

static void ask_files(struct migrate_priv *p, const char *pattern, struct op *op)
{
	struct look *k = calloc(1, sizeof(*k));

	if (k == NULL) {
		answer_nomem(op, "backups");
		return;
	}
	k->job = (struct answer_job){.op = op, .run = look_run, .free_job = free};
	str_copy(k->pattern, sizeof(k->pattern), pattern);
	answer_run(p->ctx.loop, &k->job);
}

/* --- a program ---------------------------------------------------------------------------------------------- */

struct listing {
	struct op *op;
	struct proc *proc;
};

static void on_listed(void *ctx, const struct proc_result *r)
{
	struct listing *x = ctx;
	struct backup_list *l = NULL;
	struct outcome o = r->outcome;
	struct error e;

	if (o.kind == OUTCOME_FAILED || o.kind == OUTCOME_UNKNOWN)
		o.kind = OUTCOME_ERRORED; /* that it says no is no list of none */
	if (o.kind == OUTCOME_OK && r->cut)
		o = outcome_make(OUTCOME_ERRORED, "backups", "the list of backups is too long");
	else if (o.kind == OUTCOME_OK && (l = backup_list_new()) == NULL)
		o = outcome_make(OUTCOME_ERRORED, "backups", "out of memory");
	else if (o.kind == OUTCOME_OK && backup_parse(l, r->out, r->n_out, &e) != 0)
		o = answer_error(OUTCOME_ERRORED, "backups", &e);
	if (o.kind != OUTCOME_OK) {
		backup_list_free(l);
		l = NULL;
	}
	op_on_cancel(x->op, NULL, NULL);
	op_done(x->op, o, l, backup_list_free);
	free(x);
}

static void on_cancel(void *data)
{
	/* Its end follows. */
	proc_kill(((struct listing *)data)->proc, SIGTERM);
}

static void ask_program(struct migrate_priv *p, const struct jv *words, struct op *op)
{
	const char *argv[WORDS_MAX + 1] = {NULL};
	struct listing *x = calloc(1, sizeof(*x));
	struct proc_spec spec = {.argv = argv,
	                         .cwd = p->ctx.setup->dir,
	                         .timeout_us = op_remaining_us(op) - op_remaining_us(op) / 8};

	if (x == NULL) {
		answer_nomem(op, "backups");
		return;
	}
	if (jv_len(words) > WORDS_MAX) {
		op_done(op,
		        outcome_make(OUTCOME_ERRORED, "backups", "backups_command has more than %d words",
		                     WORDS_MAX),
		        NULL, NULL);
		free(x);
		return;
	}
	for (size_t i = 0; i < jv_len(words); i++)
		argv[i] = jv_text(jv_at(words, i), "");
	x->op = op;
	op_on_cancel(op, on_cancel, x);
	x->proc = proc_start(p->ctx.loop, &spec, on_listed, x);
}

void migrate_backups(struct migrate_priv *p, struct op *op)
{
	const struct jv *words = jv_get(p->ctx.options, "backups_command");
	const char *pattern = jv_get_text(p->ctx.options, "backups", "");
	struct outcome o;

	if (jv_len(words) > 0) {
		ask_program(p, words, op);
	} else if (pattern[0] != '\0') {
		ask_files(p, pattern, op);
	} else {
		o = outcome_make(OUTCOME_UNSUPPORTED, "backups", "no backups are configured");
		answer_hint(&o, "say where they lie: backups or backups_command of its migrations");
		op_done(op, o, NULL, NULL);
	}
}
