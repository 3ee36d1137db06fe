/*
 * Signed approvals with real keys, ssh-keygen and ssh-agent: what is not the approver's own signature of this very plan
 * is refused by the rollout's process, each with its reason.
 */
#include "engine/planner.h"
#include "engine/signatures.h"
#include "io/sshsig.h"
#include "tests/lib/cm.h"
#include "tests/lib/small.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct small_lines lines = {
    .env = "",
    .gates = ", approvals: 1, approval_signed: required",
    .top = "signing: {allowed_signers: signers, revoked: revoked}\n",
    .service = "",
};

struct world {
	struct small w;
	struct plan *plan;
	int n_rollouts;
};

static void command(const char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("%s failed", argv[0]);
}

static const char *in(const struct world *x, const char *name, char dst[PATH_LEN + 64])
{
	snprintf(dst, PATH_LEN + 64, "%s/%s", x->w.dir, name);
	return dst;
}

static void make_key(struct world *x, const char *name)
{
	char path[PATH_LEN + 64];

	command((const char *[]){"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f",
	                         in(x, name, path), NULL});
}

static void read_file(const struct world *x, const char *name, char *dst, size_t cap)
{
	char path[PATH_LEN + 64];
	FILE *f = fopen(in(x, name, path), "re");
	size_t n;

	assert_non_null(f);
	n = fread(dst, 1, cap - 1, f);
	dst[n] = '\0';
	fclose(f);
}

/* The signers as usual, with options for olga. */
static void signers(struct world *x, const char *options)
{
	char olga[1024], ben[1024], text[4096];

	read_file(x, "olga.pub", olga, sizeof(olga));
	read_file(x, "ben.pub", ben, sizeof(ben));
	snprintf(text, sizeof(text), "olga namespaces=\"approve@towpath\"%s %sben %s", options, olga, ben);
	small_put(&x->w, "signers", text);
	small_put(&x->w, "revoked", "");
}

static struct plan *planned(struct world *x, enum plan_kind kind)
{
	struct plan_want want = {.kind = kind};
	struct small_planned p = {.done = false};
	struct release to;

	small_release(&to, 2);
	want.release = to.digest;
	planner_start(x->w.app, &want, small_on_plan, &p);
	assert_true(loop_until(app_loop(x->w.app), &p.done, loop_mono_us() + 20 * US_PER_S));
	if (p.plan == NULL)
		fail_msg("no plan: %s", p.o.text);
	return p.plan;
}

static int make(void **state)
{
	struct world *x = calloc(1, sizeof(*x));
	const struct opened *s;
	struct small_asked a;

	small_make_with(&x->w, "pause", "", &lines);
	make_key(x, "olga");
	make_key(x, "ben");
	make_key(x, "mallory");
	signers(x, "");
	x->plan = planned(x, PLAN_PROMOTE);
	s = app_store(x->w.app);
	STORE_OF(s)->plan_put(s->priv, x->plan, app_model(x->w.app)->actor, small_ask(&x->w, &a));
	small_get(&x->w, &a);
	assert_int_equal(a.o.kind, OUTCOME_OK);
	*state = x;
	return 0;
}

static int drop(void **state)
{
	struct world *x = *state;

	plan_free(x->plan);
	small_end(&x->w);
	free(x);
	return 0;
}

/* --- an approval, with what is wrong about it ------------------------------------------------------ */

struct made {
	bool done;
	struct outcome o;
	char armor[SIGNATURE_MAX];
};

static void on_made(void *ctx, const struct outcome *o, const char *text)
{
	struct made *m = ctx;

	m->o = *o;
	str_copy(m->armor, sizeof(m->armor), text != NULL ? text : "");
	m->done = true;
}

static void sign(struct world *x, const struct plan *p, struct decision *d, const char *key,
                 const char *space)
{
	static struct made m;
	char path[PATH_LEN + 64];
	struct str bytes;

	m = (struct made){.done = false};
	str_init(&bytes, 1 << 20);
	assert_true(approval_bytes(p, d, &bytes));
	sshsig_sign(app_loop(x->w.app), in(x, key, path), space, bytes.data, bytes.len, on_made, &m);
	assert_true(loop_until(app_loop(x->w.app), &m.done, loop_mono_us() + 60 * US_PER_S));
	str_release(&bytes);
	assert_int_equal(m.o.kind, OUTCOME_OK);
	d->signature = m.armor;
}

static struct decision approval(const struct world *x)
{
	static uint64_t chance;
	struct decision d = {.kind = DECISION_APPROVE, .until_us = loop_wall_us() + US_PER_H};

	str_copy(d.actor, sizeof(d.actor), "olga");
	str_copy(d.plan, sizeof(d.plan), x->plan->digest);
	str_copy(d.env, sizeof(d.env), "dev");
	str_copy(d.service, sizeof(d.service), "web");
	approval_nonce(loop_wall_us(), ++chance, d.nonce);
	return d;
}

static enum outcome_kind give(struct world *x, const struct decision *d)
{
	const struct opened *s = app_store(x->w.app);
	struct small_asked a;

	STORE_OF(s)->decide(s->priv, d, small_ask(&x->w, &a));
	free(small_get(&x->w, &a));
	return a.o.kind;
}

/* A rollout that a client made without asking; it must end before any effect and say why. */
static void refused(struct world *x, const char *why)
{
	const struct opened *s = app_store(x->w.app);
	struct rollout *r = calloc(1, sizeof(*r));
	struct small_asked a;
	bool said;

	snprintf(x->w.id, sizeof(x->w.id), "r%04d", ++x->n_rollouts);
	rollout_init(r, x->w.id, x->plan, app_model(x->w.app)->actor, loop_wall_us());
	STORE_OF(s)->rollout_create(s->priv, r, app_model(x->w.app)->actor, small_ask(&x->w, &a));
	small_get(&x->w, &a);
	assert_int_equal(a.o.kind, OUTCOME_OK);
	free(r);
	assert_int_equal(small_run(&x->w), EXIT_NO);
	r = small_rollout(&x->w);
	said = strstr(r->text, why) != NULL;
	for (int i = 0; i < r->n_steps; i++)
		said = said || strstr(r->runs[i].text, why) != NULL;
	if (!said)
		fail_msg("\"%s\" does not say %s", r->text, why);
	free(r);
	assert_int_equal(small_count(&x->w, "effects", "migrate") + small_count(&x->w, "effects", "apply"),
	                 0);
}

static void forged(void **state)
{
	struct world *x = *state;
	struct decision d = approval(x);
	struct plan *other = planned(x, PLAN_ROLLBACK);

	sign(x, x->plan, &d, "mallory", APPROVAL_NAMESPACE);
	assert_int_equal(give(x, &d), OUTCOME_OK);
	refused(x, "olga's signature: the signature is not good");
	/* Somebody else's key, who is a signer too. */
	d = approval(x);
	sign(x, x->plan, &d, "ben", APPROVAL_NAMESPACE);
	assert_int_equal(give(x, &d), OUTCOME_OK);
	refused(x, "olga's signature: the signature is not good");
	/* Another plan's. */
	d = approval(x);
	assert_string_not_equal(other->digest, x->plan->digest);
	sign(x, other, &d, "olga", APPROVAL_NAMESPACE);
	assert_int_equal(give(x, &d), OUTCOME_OK);
	refused(x, "olga's signature: the signature is not good");
	/* Another purpose. */
	d = approval(x);
	sign(x, x->plan, &d, "olga", "git");
	assert_int_equal(give(x, &d), OUTCOME_OK);
	refused(x, "olga's signature: the signature is not good");
	plan_free(other);
}

static void tampered(void **state)
{
	struct world *x = *state;
	struct decision d = approval(x);

	/* Its end, put off. */
	sign(x, x->plan, &d, "olga", APPROVAL_NAMESPACE);
	d.until_us += US_PER_DAY;
	assert_int_equal(give(x, &d), OUTCOME_OK);
	refused(x, "olga's signature: the signature is not good");
	/* Its nonce. */
	d = approval(x);
	sign(x, x->plan, &d, "olga", APPROVAL_NAMESPACE);
	d.nonce[31] ^= 1;
	assert_int_equal(give(x, &d), OUTCOME_OK);
	refused(x, "olga's signature: the signature is not good");
	/* In the name of another. */
	d = approval(x);
	sign(x, x->plan, &d, "olga", APPROVAL_NAMESPACE);
	str_copy(d.actor, sizeof(d.actor), "ben");
	assert_int_equal(give(x, &d), OUTCOME_OK);
	refused(x, "ben's signature: the signature is not good");
	/* No signature at all, and what is none. */
	d = approval(x);
	d.nonce[0] = '\0';
	assert_int_equal(give(x, &d), OUTCOME_OK);
	refused(x, "olga did not sign");
	d = approval(x);
	d.signature =
	    (char *)(uintptr_t) "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n";
	assert_int_equal(give(x, &d), OUTCOME_OK);
	refused(x, "olga's signature: the signature is not good");
}

static void replayed(void **state)
{
	struct world *x = *state;
	struct decision d = approval(x), take = {.kind = DECISION_WITHDRAW};
	struct plan *p;

	sign(x, x->plan, &d, "olga", APPROVAL_NAMESPACE);
	assert_int_equal(give(x, &d), OUTCOME_OK);
	str_copy(take.actor, sizeof(take.actor), "olga");
	str_copy(take.plan, sizeof(take.plan), x->plan->digest);
	assert_int_equal(give(x, &take), OUTCOME_OK);
	/* Given again: the store knows the nonce. */
	assert_int_equal(give(x, &d), OUTCOME_FAILED);
	p = planned(x, PLAN_PROMOTE);
	assert_int_equal(p->gates[GATE_APPROVAL].verdict, GATE_WAITS);
	plan_free(p);
	/* A signature from long ago, which this store has never seen. */
	d = approval(x);
	approval_nonce(loop_wall_us() - US_PER_H, 7, d.nonce);
	sign(x, x->plan, &d, "olga", APPROVAL_NAMESPACE);
	assert_int_equal(give(x, &d), OUTCOME_OK);
	refused(x, "given again, or a clock is wrong");
}

static void keys_have_their_time(void **state)
{
	struct world *x = *state;
	struct decision d = approval(x);
	char krl[PATH_LEN + 64], pub[PATH_LEN + 64], key[1024];

	sign(x, x->plan, &d, "olga", APPROVAL_NAMESPACE);
	assert_int_equal(give(x, &d), OUTCOME_OK);
	signers(x, ",valid-before=\"20240101\"");
	refused(x, "olga's signature: the signature is not good");
	signers(x, ",valid-after=\"20900101\"");
	refused(x, "olga's signature: the signature is not good");
	signers(x, "");
	read_file(x, "olga.pub", key, sizeof(key));
	small_put(&x->w, "revoked", key);
	refused(x, "olga's signature: the signature is not good");
	unlink(in(x, "revoked", krl));
	command((const char *[]){"ssh-keygen", "-q", "-k", "-f", krl, in(x, "olga.pub", pub), NULL});
	refused(x, "olga's signature: the signature is not good");
	/* A list that cannot be read is no list without names. */
	unlink(krl);
	refused(x, "olga's signature");
	/* And its own end. */
	signers(x, "");
	d = approval(x);
	d.until_us = loop_wall_us() - US_PER_S;
	sign(x, x->plan, &d, "olga", APPROVAL_NAMESPACE);
	assert_int_equal(give(x, &d), OUTCOME_OK);
	refused(x, "olga's has lapsed");
}

/* A good one runs to its end; a key revoked under way holds it. */
static void good(void **state)
{
	struct world *x = *state;
	struct decision d = approval(x);
	char key[1024];
	struct rollout *r;
	pid_t pid;

	sign(x, x->plan, &d, "olga", APPROVAL_NAMESPACE);
	assert_int_equal(give(x, &d), OUTCOME_OK);
	small_plan(&x->w, 2, "r0001");
	small_put(&x->w, "wait", "");
	pid = small_start(&x->w, NULL);
	small_wait_line(&x->w, "effects", "migrate");
	read_file(x, "olga.pub", key, sizeof(key));
	small_put(&x->w, "revoked", key);
	small_drop(&x->w, "wait");
	small_wait_state(&x->w, ROLLOUT_PAUSED);
	r = small_rollout(&x->w);
	if (strstr(r->text, "olga's signature") == NULL)
		fail_msg("%s", r->text);
	free(r);
	small_put(&x->w, "revoked", "");
	small_decide(&x->w, DECISION_CONTINUE);
	assert_int_equal(WEXITSTATUS(small_wait_end(pid, 0)), EXIT_DONE);
	small_done_once(&x->w, "signed");
}

/* --- by the program itself ------------------------------------------------------------------------- */

struct checked {
	bool done;
	struct signature_verdict *list;
	int n;
};

static void on_checked(void *ctx, struct signature_verdict *list, int n)
{
	struct checked *c = ctx;

	c->list = list;
	c->n = n;
	c->done = true;
}

static pid_t agent_start(struct world *x, char socket[PATH_LEN + 64])
{
	char key[PATH_LEN + 64];
	struct stat st;
	pid_t pid;
	int64_t until = loop_mono_us() + 20 * US_PER_S;

	in(x, "agent", socket);
	pid = fork();
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execlp("ssh-agent", "ssh-agent", "-D", "-a", socket, (char *)NULL);
		_exit(127);
	}
	while (stat(socket, &st) != 0) {
		if (loop_mono_us() > until)
			fail_msg("no agent");
		usleep(5000);
	}
	setenv("SSH_AUTH_SOCK", socket, 1);
	command((const char *[]){"ssh-add", "-q", in(x, "mallory", key), NULL});
	command((const char *[]){"ssh-add", "-q", in(x, "olga", key), NULL});
	unlink(key);
	return pid;
}

static void by_the_agent(void **state)
{
	struct world *x = *state;
	struct decision d = {.kind = DECISION_APPROVE};
	struct small_said said = {.done = false};
	struct checked c = {.done = false};
	struct store_snapshot *snap;
	char socket[PATH_LEN + 64], key[1024], text[2048];
	pid_t agent;

	/* The store's actor here is who runs this: the key is theirs. */
	read_file(x, "olga.pub", key, sizeof(key));
	snprintf(text, sizeof(text), "%s namespaces=\"approve@towpath\" %s", app_model(x->w.app)->actor, key);
	small_put(&x->w, "signers", text);
	str_copy(d.plan, sizeof(d.plan), x->plan->digest);
	str_copy(d.env, sizeof(d.env), "dev");
	/* No agent, no key: nothing is recorded, and what to do is said. */
	unsetenv("SSH_AUTH_SOCK");
	request_decide(x->w.app, &d, small_on_said, &said);
	small_hear(&x->w, &said);
	assert_int_equal(said.o.kind, OUTCOME_FAILED);
	assert_non_null(strstr(said.o.text, "wants a signature"));
	assert_non_null(strstr(said.o.hint, "ssh-add"));
	agent = agent_start(x, socket);
	said = (struct small_said){.done = false};
	request_decide(x->w.app, &d, small_on_said, &said);
	small_hear(&x->w, &said);
	if (said.o.kind != OUTCOME_OK)
		fail_msg("%s (%s)", said.o.text, said.o.hint);
	snap = small_snapshot(&x->w);
	assert_true(approvals_are_signed(x->plan, snap->decisions, snap->n_decisions));
	approvals_check(x->w.app, x->plan, snap->decisions, snap->n_decisions, on_checked, &c);
	assert_true(loop_until(app_loop(x->w.app), &c.done, loop_mono_us() + 20 * US_PER_S));
	assert_int_equal(c.n, 1);
	if (c.list[0].state != SIGNATURE_GOOD)
		fail_msg("%s", c.list[0].text);
	free(c.list);
	store_snapshot_free(snap);
	kill(agent, SIGTERM);
	waitpid(agent, NULL, 0);
	unsetenv("SSH_AUTH_SOCK");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {TEST(forged),   TEST(tampered),
	                                   TEST(replayed), TEST(keys_have_their_time),
	                                   TEST(good),     TEST(by_the_agent)};
	int rc = small_begin(argc, argv);

	if (rc >= 0)
		return rc;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
