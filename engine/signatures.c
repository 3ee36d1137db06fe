#include "engine/signatures.h"

#include "core/text.h"
#include "io/file.h"
#include "io/proc.h"
#include "io/sshsig.h"
#include "io/work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGENT_US (10 * US_PER_S)
#define SIGNED_VALID_US US_PER_DAY /* where the policy does not say how long */
enum { BYTES_MAX = 4 * 1024 * 1024, SIGNERS_MAX = 1024 * 1024 };
static const char source[] = "signing";

/* --- signing -------------------------------------------------------------------------------------- */

struct sign_run {
	struct app *app;
	struct decision d;
	struct str bytes;
	char key[PATH_LEN], dir[PATH_LEN - 16];
	struct outcome o;
	sign_done_fn *done;
	void *ctx;
};

/* The key's file, when it has served. */
struct rest {
	char key[PATH_LEN], dir[PATH_LEN - 16];
};

static void forget_run(void *arg)
{
	const struct rest *r = arg;

	unlink(r->key);
	rmdir(r->dir);
}

static void forget(struct sign_run *s)
{
	struct rest *r = s->dir[0] != '\0' ? malloc(sizeof(*r)) : NULL;

	if (r == NULL)
		return;
	str_copy(r->key, sizeof(r->key), s->key);
	str_copy(r->dir, sizeof(r->dir), s->dir);
	work_run(app_loop(s->app), forget_run, free, r);
}

static void sign_end(struct sign_run *s, const struct outcome *o, const char *armor)
{
	char *copy = armor != NULL ? strdup(armor) : NULL;
	struct outcome no = outcome_make(OUTCOME_ERRORED, source, "out of memory");

	forget(s);
	s->done(s->ctx, armor != NULL && copy == NULL ? &no : o, &s->d, copy);
	str_release(&s->bytes);
	free(s);
}

static void sign_fail(void *ctx)
{
	struct sign_run *s = ctx;

	sign_end(s, &s->o, NULL);
}

static void on_signed(void *ctx, const struct outcome *o, const char *armor)
{
	struct sign_run *s = ctx;

	if (o->kind == OUTCOME_OK)
		app_message(s->app, MESSAGE_INFO, "signed");
	sign_end(s, o, armor);
}

static void sign_now(struct sign_run *s)
{
	app_message(s->app, MESSAGE_INFO,
	            "signing with %.200s: touch your key if it blinks (at most a minute)",
	            s->dir[0] != '\0' ? "a key of the agent" : s->key);
	sshsig_sign(app_loop(s->app), s->key, APPROVAL_NAMESPACE, s->bytes.data, s->bytes.len, on_signed, s);
}

/* The agent's first key that the allowed signers know: its line, without the comment. */
static bool pick_key(const char *listed, size_t n, const char *signers, char *dst, size_t cap)
{
	const char *end = listed + n;

	for (const char *p = listed; p < end;) {
		size_t len = strcspn(p, "\r\n"), type = strcspn(p, " \r\n"), blob;

		if (p[type] == ' ') {
			blob = strcspn(p + type + 1, " \r\n");
			if (blob > 20 && type + 1 + blob < cap) {
				snprintf(dst, cap, "%.*s", (int)blob, p + type + 1);
				if (strstr(signers, dst) != NULL) {
					snprintf(dst, cap, "%.*s", (int)(type + 1 + blob), p);
					return true;
				}
			}
		}
		p += len;
		p += strspn(p, "\r\n");
	}
	return false;
}

/* Which key of the agent signs: chosen on a worker, as the allowed signers may be on a disk that is away. */
struct choice {
	struct op *op;
	struct str listed; /* keys of the agent */
	char signers[PATH_LEN], key[PATH_LEN], dir[PATH_LEN - 16];
	struct outcome o;
};

static void choice_free(void *result)
{
	struct choice *c = result;

	/* Nobody took it: it came too late. */
	if (c->dir[0] != '\0') {
		unlink(c->key);
		rmdir(c->dir);
	}
	str_release(&c->listed);
	free(c);
}

/* A file of the key's line in a folder of its own, below the user's state folder. False with e. */
static bool key_file(struct choice *c, const char *line, struct error *e)
{
	char state[PATH_LEN];

	if (file_state_dir(state, sizeof(state), e) != 0)
		return false;
	snprintf(c->dir, sizeof(c->dir), "%.*s/sign-XXXXXX", (int)sizeof(c->dir) - 16, state);
	if (mkdtemp(c->dir) == NULL) {
		error_set(e, ERR_IO, "no folder can be made below %.300s: %s", state, strerror(errno));
		c->dir[0] = '\0';
		return false;
	}
	snprintf(c->key, sizeof(c->key), "%s/key.pub", c->dir);
	return file_write(c->key, line, strlen(line), 0600, e) == 0;
}

static void choose_run(void *arg)
{
	struct choice *c = arg;
	struct str text;
	struct error e = {0};
	char line[8192];

	str_init(&text, SIGNERS_MAX + 1);
	if (file_read(c->signers, SIGNERS_MAX, &text, &e) != 0)
		c->o = outcome_make(OUTCOME_UNSUPPORTED, source, "the allowed signers cannot be read: %.250s",
		                    e.text);
	else if (!pick_key(str_text(&c->listed), c->listed.len, str_text(&text), line, sizeof(line)))
		c->o = outcome_make(OUTCOME_UNSUPPORTED, source, "no key of the agent is an allowed signer");
	else if (!key_file(c, line, &e))
		c->o = outcome_make(OUTCOME_UNSUPPORTED, source, "%.300s", e.text);
	str_release(&text);
}

static void choose_done(void *arg)
{
	struct choice *c = arg;

	op_done(c->op, c->o, c, choice_free);
}

static void no_key(struct sign_run *s, const struct outcome *o)
{
	s->o = *o;
	snprintf(s->o.hint, sizeof(s->o.hint),
	         "ssh-add your key, or name one: towpath approve PLAN --key PATH; allowed signers: %.200s",
	         app_setup(s->app)->allowed_signers);
	sign_end(s, &s->o, NULL);
}

static void on_chosen(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct sign_run *s = ctx;
	struct choice *c = result;

	UNUSED(op);
	if (c != NULL) {
		str_copy(s->key, sizeof(s->key), c->key);
		str_copy(s->dir, sizeof(s->dir), c->dir);
		c->dir[0] = '\0'; /* ours to take away from here on */
	}
	if (o->kind == OUTCOME_OK)
		sign_now(s);
	else
		no_key(s, o);
}

static void on_agent(void *ctx, const struct proc_result *r)
{
	struct sign_run *s = ctx;
	struct outcome no = outcome_make(OUTCOME_UNSUPPORTED, source, "no agent with keys answers");
	struct choice *c = r->outcome.kind == OUTCOME_OK ? calloc(1, sizeof(*c)) : NULL;

	if (c == NULL) {
		no_key(s, &no);
		return;
	}
	str_init(&c->listed, BYTES_MAX);
	str_addn(&c->listed, r->out, r->n_out);
	str_copy(c->signers, sizeof(c->signers), app_setup(s->app)->allowed_signers);
	c->op = op_new(app_loop(s->app), AGENT_US, on_chosen, s);
	work_run(app_loop(s->app), choose_run, choose_done, c);
}

static void ask_agent(struct sign_run *s)
{
	const char *socket = getenv("SSH_AUTH_SOCK"), *env[2] = {NULL, NULL};
	const char *const argv[] = {"ssh-add", "-L", NULL};
	char agent[PATH_LEN];
	struct proc_spec spec = {.argv = argv, .env = env, .timeout_us = AGENT_US};

	if (socket != NULL &&
	    (size_t)snprintf(agent, sizeof(agent), "SSH_AUTH_SOCK=%s", socket) < sizeof(agent))
		env[0] = agent;
	proc_start(app_loop(s->app), &spec, on_agent, s);
}

static int64_t ends_us(const struct app *a, const struct plan *p, const struct decision *d)
{
	int64_t valid = p->policy.approval_valid_us > 0 ? p->policy.approval_valid_us : SIGNED_VALID_US;

	UNUSED(a);
	return d->until_us > 0 ? d->until_us : loop_wall_us() + valid;
}

void approval_sign(struct app *a, const struct plan *p, const struct decision *d, const char *key,
                   sign_done_fn *done, void *ctx)
{
	struct sign_run *s = calloc(1, sizeof(*s));
	struct outcome no = outcome_make(OUTCOME_ERRORED, source, "out of memory");
	const char *named = key != NULL ? key : getenv("TOWPATH_SIGNING_KEY");
	uint64_t chance = 0;

	if (s == NULL) {
		done(ctx, &no, d, NULL);
		return;
	}
	*s = (struct sign_run){.app = a, .d = *d, .done = done, .ctx = ctx};
	if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		abort();
	str_copy(s->d.actor, sizeof(s->d.actor), app_model(a)->actor);
	approval_nonce(loop_wall_us(), chance, s->d.nonce);
	s->d.until_us = ends_us(a, p, d);
	str_init(&s->bytes, BYTES_MAX);
	if (app_setup(a)->allowed_signers == NULL)
		s->o = outcome_make(OUTCOME_UNSUPPORTED, source, "the config names no allowed signers");
	else if (!approval_bytes(p, &s->d, &s->bytes))
		s->o = no;
	else if (named != NULL && named[0] != '\0' && !str_copy(s->key, sizeof(s->key), named))
		s->o = outcome_make(OUTCOME_FAILED, source, "the path of the key is too long");
	if (s->o.kind != OUTCOME_OK)
		loop_defer(app_loop(a), sign_fail, s);
	else if (s->key[0] != '\0')
		sign_now(s);
	else
		ask_agent(s);
}

/* --- checking ------------------------------------------------------------------------------------- */

struct checking {
	struct app *app;
	struct str bytes[APPROVALS_SEEN_MAX];
	char *armor[APPROVALS_SEEN_MAX];
	char actor[APPROVALS_SEEN_MAX][NAME_LEN];
	struct signature_verdict *list;
	int n, at;
	char signers[PATH_LEN], revoked[PATH_LEN];
	checked_done_fn *done;
	void *ctx;
};

static bool is_signed(const struct plan *p, const struct decision *d)
{
	return d->kind == DECISION_APPROVE && d->nonce[0] != '\0' && strcmp(d->plan, p->digest) == 0;
}

bool approvals_are_signed(const struct plan *p, const struct decision *d, int n)
{
	if (p->policy.signing == SIGNING_OFF || p->policy.approvals <= 0)
		return false;
	for (int i = 0; i < n; i++)
		if (is_signed(p, &d[i]))
			return true;
	return false;
}

static void check_end(struct checking *c)
{
	c->done(c->ctx, c->list, c->n);
	for (int i = 0; i < c->n; i++) {
		str_release(&c->bytes[i]);
		free(c->armor[i]);
	}
	free(c);
}

static void check_next(void *ctx);

static void on_checked(void *ctx, const struct outcome *o, const char *who)
{
	struct checking *c = ctx;
	struct signature_verdict *v = &c->list[c->at++];

	UNUSED(who);
	v->state = o->kind == OUTCOME_OK       ? SIGNATURE_GOOD
	           : o->kind == OUTCOME_FAILED ? SIGNATURE_BAD
	                                       : SIGNATURE_UNKNOWN;
	if (o->kind != OUTCOME_OK)
		snprintf(v->text, sizeof(v->text), "%.190s", o->text);
	check_next(c);
}

static void check_next(void *ctx)
{
	struct checking *c = ctx;
	struct sshsig_check check = {.signers = c->signers,
	                             .revoked = c->revoked[0] != '\0' ? c->revoked : NULL,
	                             .name_space = APPROVAL_NAMESPACE};

	while (c->at < c->n && c->list[c->at].state != SIGNATURE_UNKNOWN)
		c->at++;
	if (c->at == c->n) {
		check_end(c);
		return;
	}
	check.who = c->actor[c->at];
	check.signature = c->armor[c->at];
	sshsig_verify(app_loop(c->app), &check, c->bytes[c->at].data, c->bytes[c->at].len, on_checked, c);
}

/* What can be said without asking ssh-keygen. */
static void check_add(struct checking *c, const struct plan *p, const struct decision *d)
{
	struct signature_verdict *v = &c->list[c->n];
	char text[TEXT_LEN / 2];
	const char *stale = approval_stale(d, text, sizeof(text));
	int i = c->n++;

	v->seq = d->seq;
	v->state = SIGNATURE_UNKNOWN;
	str_init(&c->bytes[i], BYTES_MAX);
	str_copy(c->actor[i], sizeof(c->actor[i]), d->actor);
	c->armor[i] = d->signature != NULL ? strdup(d->signature) : NULL;
	if (stale != NULL || c->armor[i] == NULL || !approval_bytes(p, d, &c->bytes[i])) {
		v->state = SIGNATURE_BAD;
		snprintf(v->text, sizeof(v->text), "%s", stale != NULL ? stale : "it has none");
	}
	/* The same nonce twice is one signature given twice. */
	for (int k = 0; k < i; k++)
		if (strcmp(c->armor[k] != NULL ? c->armor[k] : "", c->armor[i] != NULL ? c->armor[i] : "-") ==
		    0) {
			v->state = SIGNATURE_BAD;
			snprintf(v->text, sizeof(v->text), "given before, by %s", c->actor[k]);
		}
}

static void check_none(void *ctx)
{
	struct checking *c = ctx;

	free(c->list);
	c->list = NULL;
	check_end(c);
}

void approvals_check(struct app *a, const struct plan *p, const struct decision *d, int n,
                     checked_done_fn *done, void *ctx)
{
	const struct setup *s = app_setup(a);
	struct checking *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		done(ctx, NULL, 0);
		return;
	}
	c->app = a;
	c->done = done;
	c->ctx = ctx;
	c->list = calloc(APPROVALS_SEEN_MAX, sizeof(*c->list));
	str_copy(c->signers, sizeof(c->signers), s->allowed_signers != NULL ? s->allowed_signers : "");
	str_copy(c->revoked, sizeof(c->revoked), s->revoked_keys != NULL ? s->revoked_keys : "");
	for (int i = 0; c->list != NULL && c->signers[0] != '\0' && i < n && c->n < APPROVALS_SEEN_MAX; i++)
		if (is_signed(p, &d[i]))
			check_add(c, p, &d[i]);
	loop_defer(app_loop(a), c->n > 0 ? check_next : check_none, c);
}
