#define _GNU_SOURCE /* mkdtemp */
#include "io/sshsig.h"

#include "core/str.h"
#include "core/text.h"
#include "core/time.h"
#include "io/file.h"
#include "io/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char source[] = "ssh-keygen";

enum { KEYGEN_S = 15, SIGN_S = 60, WORDS_MAX = 20 }; /* a key may wait for a touch */

struct sshsig {
	struct loop *loop;
	sshsig_done_fn *done;
	void *ctx;
	char dir[64], text[96], sig[96]; /* private files; dir "" where it could not be made */
	char key[PATH_LEN], signers[PATH_LEN], revoked[PATH_LEN];
	char name_space[NAME_LEN], who[NAME_LEN], when[64];
	struct outcome early;
};

static void finish(struct sshsig *s, const struct outcome *o, const char *text)
{
	s->done(s->ctx, o, o->kind == OUTCOME_OK ? text : NULL);
	if (s->dir[0] != '\0') {
		unlink(s->text);
		unlink(s->sig);
		rmdir(s->dir);
	}
	free(s);
}

static void finish_early(void *ctx)
{
	struct sshsig *s = ctx;

	finish(s, &s->early, NULL);
}

/* The last line that the tool said, cleaned, is the reason. */
static struct outcome said(const struct proc_result *r, const char *what)
{
	struct outcome o = r->outcome;
	char line[TEXT_LEN / 2] = "";
	const char *at = r->out, *end = r->out + r->n_out;

	while (end > at && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	for (const char *p = end; p > at; p--)
		if (p[-1] == '\n') {
			at = p;
			break;
		}
	text_clean(line, sizeof(line), at, (size_t)(end - at));
	if (o.kind != OUTCOME_FAILED)
		return o;
	o = outcome_make(OUTCOME_FAILED, source, "%s: %s", what, line[0] != '\0' ? line : "no reason given");
	return o;
}

static void on_signed(void *ctx, const struct proc_result *r);

static void keygen(struct sshsig *s, const char *const *words, const char *input, proc_done_fn *done)
{
	const char *argv[WORDS_MAX + 2] = {"ssh-keygen"}, *env[2] = {NULL, NULL};
	char agent[PATH_LEN];
	const char *socket = getenv("SSH_AUTH_SOCK");
	struct proc_spec spec = {.argv = argv,
	                         .env = env,
	                         .input_path = input,
	                         .timeout_us = (done == on_signed ? SIGN_S : KEYGEN_S) * US_PER_S};

	for (int i = 0; i < WORDS_MAX && words[i] != NULL; i++)
		argv[i + 1] = words[i];
	if (socket != NULL &&
	    (size_t)snprintf(agent, sizeof(agent), "SSH_AUTH_SOCK=%s", socket) < sizeof(agent))
		env[0] = agent;
	proc_start(s->loop, &spec, done, s);
}

/* A folder that only we can read, with the bytes in it. */
static struct sshsig *sshsig_new(struct loop *l, const void *bytes, size_t n, sshsig_done_fn *done, void *ctx)
{
	struct sshsig *s = calloc(1, sizeof(*s));
	const char *tmp = getenv("TMPDIR");
	struct error e;

	if (s == NULL)
		return NULL;
	s->loop = l;
	s->done = done;
	s->ctx = ctx;
	if (tmp == NULL || tmp[0] != '/' || strlen(tmp) > 32)
		tmp = "/tmp";
	snprintf(s->dir, sizeof(s->dir), "%s/towpath-sig-XXXXXX", tmp);
	if (mkdtemp(s->dir) == NULL) {
		s->dir[0] = '\0';
		s->early = outcome_make(OUTCOME_ERRORED, source, "cannot make a folder below %s", tmp);
		return s;
	}
	snprintf(s->text, sizeof(s->text), "%s/text", s->dir);
	snprintf(s->sig, sizeof(s->sig), "%s/text.sig", s->dir);
	if (file_write(s->text, bytes, n, 0600, &e) != 0)
		s->early = outcome_make(OUTCOME_ERRORED, source, "%s", e.text);
	return s;
}

/* --- signing -------------------------------------------------------------------------------------- */

static void on_signed(void *ctx, const struct proc_result *r)
{
	struct sshsig *s = ctx;
	struct outcome o = said(r, "not signed");
	struct str armor;
	struct error e;

	if (o.kind != OUTCOME_OK) {
		if (o.kind == OUTCOME_FAILED)
			snprintf(o.hint, sizeof(o.hint),
			         "is %.200s readable and without a passphrase, or in the agent (ssh-add -l)?",
			         s->key);
		finish(s, &o, NULL);
		return;
	}
	str_init(&armor, SIGNATURE_MAX);
	if (file_read(s->sig, SIGNATURE_MAX, &armor, &e) != 0)
		o = outcome_make(OUTCOME_ERRORED, source, "%s", e.text);
	finish(s, &o, str_text(&armor));
	str_release(&armor);
}

void sshsig_sign(struct loop *l, const char *key_path, const char *name_space, const void *bytes, size_t n,
                 sshsig_done_fn *done, void *ctx)
{
	struct outcome o = outcome_make(OUTCOME_ERRORED, source, "out of memory");
	struct sshsig *s = sshsig_new(l, bytes, n, done, ctx);

	if (s == NULL) {
		done(ctx, &o, NULL);
		return;
	}
	str_copy(s->key, sizeof(s->key), key_path);
	str_copy(s->name_space, sizeof(s->name_space), name_space);
	if (s->early.kind != OUTCOME_OK) {
		loop_defer(l, finish_early, s);
		return;
	}
	keygen(s, (const char *[]){"-q", "-Y", "sign", "-n", s->name_space, "-f", s->key, s->text, NULL},
	       NULL, on_signed);
}

/* --- checking ------------------------------------------------------------------------------------- */

static void on_verified(void *ctx, const struct proc_result *r)
{
	struct sshsig *s = ctx;
	struct outcome o = said(r, "the signature is not good");

	finish(s, &o, s->who);
}

static void verify(struct sshsig *s)
{
	const char *words[WORDS_MAX] = {"-Y",   "verify", "-f",          s->signers, "-I",
	                                s->who, "-n",     s->name_space, "-s",       s->sig};
	int n = 10;

	if (s->when[0] != '\0') {
		words[n++] = "-O";
		words[n++] = s->when;
	}
	if (s->revoked[0] != '\0') {
		words[n++] = "-r";
		words[n++] = s->revoked;
	}
	words[n] = NULL;
	keygen(s, words, s->text, on_verified);
}

static void on_found(void *ctx, const struct proc_result *r)
{
	struct sshsig *s = ctx;
	struct outcome o = said(r, "the key of the signature is not among the allowed signers");

	if (o.kind != OUTCOME_OK) {
		finish(s, &o, NULL);
		return;
	}
	/* One line each; the first that matches. */
	text_clean(s->who, sizeof(s->who), r->out, strcspn(r->out, "\r\n"));
	verify(s);
}

void sshsig_verify(struct loop *l, const struct sshsig_check *c, const void *bytes, size_t n,
                   sshsig_done_fn *done, void *ctx)
{
	struct outcome o = outcome_make(OUTCOME_ERRORED, source, "out of memory");
	struct sshsig *s = sshsig_new(l, bytes, n, done, ctx);
	struct error e;

	if (s == NULL) {
		done(ctx, &o, NULL);
		return;
	}
	str_copy(s->signers, sizeof(s->signers), c->signers);
	str_copy(s->revoked, sizeof(s->revoked), c->revoked != NULL ? c->revoked : "");
	str_copy(s->name_space, sizeof(s->name_space), c->name_space);
	str_copy(s->who, sizeof(s->who), c->who != NULL ? c->who : "");
	if (c->at_us > 0) {
		time_t at = (time_t)(c->at_us / US_PER_S);
		struct tm tm;

		gmtime_r(&at, &tm);
		strftime(s->when, sizeof(s->when), "verify-time=%Y%m%d%H%M%SZ", &tm);
	}
	if (s->early.kind == OUTCOME_OK &&
	    file_write(s->sig, c->signature, strlen(c->signature), 0600, &e) != 0)
		s->early = outcome_make(OUTCOME_ERRORED, source, "%s", e.text);
	/* A word that begins with a dash would be an option. */
	if (s->early.kind == OUTCOME_OK && s->who[0] == '-')
		s->early = outcome_make(OUTCOME_FAILED, source, "%s is no name of a signer", s->who);
	if (s->early.kind != OUTCOME_OK) {
		loop_defer(l, finish_early, s);
		return;
	}
	if (s->who[0] != '\0')
		verify(s);
	else
		keygen(s, (const char *[]){"-Y", "find-principals", "-s", s->sig, "-f", s->signers, NULL},
		       NULL, on_found);
}
