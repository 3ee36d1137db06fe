#include "engine/witness.h"

#include "core/text.h"
#include "io/file.h"
#include "io/gitnote.h"
#include "io/sshsig.h"
#include "io/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char source[] = "witness";
enum { STORE_S = 60, WITNESS_BYTES_MAX = 256 * 1024 * 1024, LINE_MAX_BYTES = SIGNATURE_MAX * 2 };

struct witness_place witness_place(const struct app *a)
{
	const struct audit_conf *c = &app_setup(a)->audit;

	return (struct witness_place){c->file, c->git};
}

void witness_free(struct witness *w)
{
	if (w == NULL)
		return;
	str_release(&w->text);
	free(w->marks);
	free(w);
}

/* --- reading -------------------------------------------------------------------------------------- */

struct read_job {
	struct app *app;
	char file[PATH_LEN], git[PATH_LEN];
	struct witness *w;
	struct outcome o;
	witness_read_fn *done;
	void *ctx;
};

static const char *next_line(const char **at, size_t *ret_n)
{
	const char *line = *at;

	*ret_n = strcspn(line, "\n");
	*at = line + *ret_n + (line[*ret_n] == '\n');
	return line;
}

static bool marks_make(struct witness *w)
{
	const char *at = str_text(&w->text);
	int cap = 0;

	while (*at != '\0') {
		struct checkpoint c;
		size_t n;
		const char *line = next_line(&at, &n);

		if (n == 0)
			continue;
		if (checkpoint_parse(line, n, &c, NULL) != 0) {
			w->n_strange++;
			continue;
		}
		if (w->n_marks == cap) {
			void *more = realloc(w->marks, (size_t)MAX(64, cap * 2) * sizeof(*w->marks));

			if (more == NULL)
				return false;
			w->marks = more;
			cap = MAX(64, cap * 2);
		}
		w->marks[w->n_marks++] = c.mark;
	}
	w->n_marks = audit_marks_sort(w->marks, w->n_marks);
	if (w->n_marks > WITNESS_MARKS_MAX) {
		memmove(w->marks, w->marks + w->n_marks - WITNESS_MARKS_MAX,
		        WITNESS_MARKS_MAX * sizeof(*w->marks));
		w->n_marks = WITNESS_MARKS_MAX;
	}
	return true;
}

static void read_run(void *arg)
{
	struct read_job *j = arg;
	struct witness *w = j->w;
	struct str notes;
	struct error e;
	int rc = 0;

	str_init(&notes, WITNESS_BYTES_MAX);
	if (j->file[0] != '\0' && file_exists(j->file))
		rc = file_read(j->file, WITNESS_BYTES_MAX, &w->text, &e);
	if (rc == 0 && w->text.len > 0 && w->text.data[w->text.len - 1] != '\n')
		str_addc(&w->text, '\n');
	if (rc == 0 && j->git[0] != '\0')
		rc = gitnote_read(j->git, WITNESS_REF, &notes, &e);
	str_addn(&w->text, notes.data != NULL ? notes.data : "", notes.len);
	str_release(&notes);
	if (rc == 0 && (w->text.failed || !marks_make(w)))
		rc = error_set(&e, ERR_NOMEM, "the witness is too long");
	if (rc != 0) {
		char text[TEXT_LEN];

		error_format(&e, text, sizeof(text));
		j->o = outcome_make(OUTCOME_ERRORED, source, "%s", text);
	}
}

static void read_done(void *arg)
{
	struct read_job *j = arg;

	if (j->o.kind != OUTCOME_OK) {
		witness_free(j->w);
		j->w = NULL;
	}
	j->done(j->ctx, &j->o, j->w);
	free(j);
}

void witness_read(struct app *a, const struct witness_place *place, witness_read_fn *done, void *ctx)
{
	struct read_job *j = calloc(1, sizeof(*j));
	struct outcome o = outcome_make(OUTCOME_ERRORED, source, "out of memory");

	if (j != NULL)
		j->w = calloc(1, sizeof(*j->w));
	if (j == NULL || j->w == NULL) {
		free(j);
		done(ctx, &o, NULL);
		return;
	}
	str_init(&j->w->text, WITNESS_BYTES_MAX);
	j->app = a;
	j->done = done;
	j->ctx = ctx;
	str_copy(j->file, sizeof(j->file), place->file != NULL ? place->file : "");
	str_copy(j->git, sizeof(j->git), place->git != NULL ? place->git : "");
	work_run(app_loop(a), read_run, read_done, j);
}

bool witness_find(const struct witness *w, const struct audit_mark *m, struct checkpoint *ret)
{
	const char *at = str_text(&w->text);
	bool found = false;

	while (*at != '\0') {
		struct checkpoint c;
		size_t n;
		const char *line = next_line(&at, &n);

		if (checkpoint_parse(line, n, &c, NULL) != 0 || c.mark.seq != m->seq ||
		    strcmp(c.mark.hash, m->hash) != 0)
			continue;
		/* Of several a signed one says more. */
		if (!found || ret->signature[0] == '\0')
			*ret = c;
		found = true;
	}
	return found;
}

/* --- writing -------------------------------------------------------------------------------------- */

struct write_job {
	struct app *app;
	char file[PATH_LEN], git[PATH_LEN], who[NAME_LEN * 2];
	struct audit_mark *last;
	struct audit_follower f;
	struct checkpoint c;
	struct str line;
	struct outcome o;
	bool checks_first; /* the first row of the next page is the last mark's own */
	witness_write_fn *done;
	void *ctx;
};

static void write_end(struct write_job *j, const struct outcome *o, const struct checkpoint *c)
{
	j->done(j->ctx, o, c);
	str_release(&j->line);
	free(j);
}

static void append_run(void *arg)
{
	struct write_job *j = arg;
	struct error e;
	char text[TEXT_LEN];
	int rc = 0, fd;

	str_addc(&j->line, '\n');
	if (j->file[0] != '\0') {
		fd = open(j->file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0644);
		/* One write: lines of several processes never mix. */
		if (fd < 0 || write(fd, j->line.data, j->line.len) != (ssize_t)j->line.len ||
		    fsync(fd) != 0) {
			rc = error_set(&e, ERR_IO, "cannot append to it: %s", strerror(errno));
			error_at(&e, j->file, 0, 0);
		}
		if (fd >= 0)
			close(fd);
	}
	if (rc == 0 && j->git[0] != '\0') {
		j->line.data[--j->line.len] = '\0';
		rc = gitnote_append(j->git, WITNESS_REF, j->line.data, j->who, &e);
	}
	if (rc != 0) {
		error_format(&e, text, sizeof(text));
		j->o = outcome_make(OUTCOME_ERRORED, source, "no checkpoint was written: %.300s", text);
	}
}

static void append_done(void *arg)
{
	struct write_job *j = arg;

	if (j->o.kind == OUTCOME_OK)
		*j->last = j->c.mark;
	write_end(j, &j->o, j->o.kind == OUTCOME_OK ? &j->c : NULL);
}

static void append(struct write_job *j)
{
	str_init(&j->line, LINE_MAX_BYTES);
	checkpoint_line(&j->c, &j->line);
	if (j->line.failed) {
		j->o = outcome_make(OUTCOME_ERRORED, source, "the checkpoint is too long");
		write_end(j, &j->o, NULL);
		return;
	}
	work_run(app_loop(j->app), append_run, append_done, j);
}

static void on_signed(void *ctx, const struct outcome *o, const char *armor)
{
	struct write_job *j = ctx;

	if (o->kind != OUTCOME_OK || !str_copy(j->c.signature, sizeof(j->c.signature), armor)) {
		write_end(j, o, NULL);
		return;
	}
	append(j);
}

static void on_head(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct write_job *j = ctx;
	const struct store_status *t = result;
	const char *key = app_setup(j->app)->audit.key;
	struct str bytes;

	UNUSED(op);
	if (o->kind != OUTCOME_OK || t == NULL) {
		write_end(j, o, NULL);
		return;
	}
	/* The head may be further by now; but it is never behind what was just followed. */
	if (t->head_seq < j->f.v.n_rows) {
		j->o =
		    outcome_make(OUTCOME_FAILED, source, "row %lld of the audit is past the store's own head",
		                 (long long)j->f.v.n_rows);
		write_end(j, &j->o, NULL);
		return;
	}
	j->c.mark.seq = j->f.v.n_rows;
	j->c.mark.at_us = t->now_us;
	str_copy(j->c.mark.hash, sizeof(j->c.mark.hash), j->f.v.head);
	str_copy(j->c.actor, sizeof(j->c.actor), t->actor[0] != '\0' ? t->actor : app_model(j->app)->actor);
	str_copy(j->c.host, sizeof(j->c.host), app_model(j->app)->host);
	snprintf(j->who, sizeof(j->who), "%s", j->c.actor);
	if (key == NULL) {
		append(j);
		return;
	}
	str_init(&bytes, LINE_MAX_BYTES);
	checkpoint_bytes(&j->c, &bytes);
	sshsig_sign(app_loop(j->app), key, CHECKPOINT_NAMESPACE, str_text(&bytes), bytes.len, on_signed, j);
	str_release(&bytes);
}

static void follow_on(struct write_job *j);

/* The row of the last checkpoint must still be the one that was seen. */
static bool still_there(struct write_job *j, const struct audit_page *page)
{
	if (page->n_rows > 0 && page->rows[0].seq == j->last->seq &&
	    strcmp(page->rows[0].hash, j->last->hash) == 0)
		return true;
	j->o = outcome_make(OUTCOME_FAILED, source,
	                    "row %lld of the audit is not the one that the last checkpoint saw",
	                    (long long)j->last->seq);
	snprintf(j->o.hint, sizeof(j->o.hint), "see: towpath audit verify");
	return false;
}

static void on_page(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct write_job *j = ctx;
	const struct audit_page *page = result;
	int first = j->checks_first ? 1 : 0;
	const struct store_driver *s = STORE_OF(app_store(j->app));

	UNUSED(op);
	if (o->kind != OUTCOME_OK || page == NULL) {
		write_end(j, o, NULL);
		return;
	}
	if (j->checks_first && !still_there(j, page)) {
		write_end(j, &j->o, NULL);
		return;
	}
	j->checks_first = false;
	for (int i = first; i < page->n_rows; i++)
		if (!audit_follow(&j->f, &page->rows[i])) {
			j->o = outcome_make(OUTCOME_FAILED, source, "no checkpoint: %.300s", j->f.v.text);
			snprintf(j->o.hint, sizeof(j->o.hint), "see: towpath audit verify");
			write_end(j, &j->o, NULL);
			return;
		}
	if (page->n_rows == AUDIT_PAGE_MAX) {
		follow_on(j);
	} else if (j->f.v.n_rows == j->last->seq) {
		j->o = outcome_ok();
		write_end(j, &j->o, NULL);
	} else {
		s->status(app_store(j->app)->priv, op_new(app_loop(j->app), STORE_S * US_PER_S, on_head, j));
	}
}

static void follow_on(struct write_job *j)
{
	const struct opened *s = app_store(j->app);
	int64_t after = j->f.v.n_rows - (j->checks_first ? 1 : 0);

	STORE_OF(s)->audit_after(s->priv, after, AUDIT_PAGE_MAX,
	                         op_new(app_loop(j->app), STORE_S * US_PER_S, on_page, j));
}

static void follow_from_last(struct write_job *j)
{
	j->f.v.n_rows = j->last->seq;
	str_copy(j->f.v.head, sizeof(j->f.v.head), j->last->hash);
	j->checks_first = j->last->seq > 0;
	follow_on(j);
}

static void on_seen(void *ctx, const struct outcome *o, struct witness *w)
{
	struct write_job *j = ctx;

	if (w == NULL) {
		write_end(j, o, NULL);
		return;
	}
	if (w->n_marks > 0)
		*j->last = w->marks[w->n_marks - 1];
	witness_free(w);
	follow_from_last(j);
}

void witness_write(struct app *a, const struct witness_place *place, struct audit_mark *last,
                   witness_write_fn *done, void *ctx)
{
	struct write_job *j = calloc(1, sizeof(*j));
	struct outcome o = outcome_make(OUTCOME_ERRORED, source, "out of memory");

	if (j == NULL) {
		done(ctx, &o, NULL);
		return;
	}
	j->app = a;
	j->last = last;
	j->done = done;
	j->ctx = ctx;
	str_copy(j->file, sizeof(j->file), place->file != NULL ? place->file : "");
	str_copy(j->git, sizeof(j->git), place->git != NULL ? place->git : "");
	if (last->seq > 0)
		follow_from_last(j);
	else
		witness_read(a, place, on_seen, j);
}

/* --- signatures ----------------------------------------------------------------------------------- */

void witness_signer(struct app *a, const struct checkpoint *c,
                    void (*done)(void *ctx, const struct outcome *o, const char *who), void *ctx)
{
	struct sshsig_check check = {.signers = app_setup(a)->audit.signers,
	                             .name_space = CHECKPOINT_NAMESPACE,
	                             .signature = c->signature,
	                             .at_us = c->mark.at_us};
	struct outcome o;
	struct str bytes;

	if (check.signers == NULL || c->signature[0] == '\0') {
		o = outcome_make(OUTCOME_FAILED, source, "%s",
		                 check.signers == NULL ? "no signers are configured" : "it is not signed");
		done(ctx, &o, NULL);
		return;
	}
	str_init(&bytes, LINE_MAX_BYTES);
	checkpoint_bytes(c, &bytes);
	sshsig_verify(app_loop(a), &check, str_text(&bytes), bytes.len, done, ctx);
	str_release(&bytes);
}
