/* approve, reject and withdraw: decisions about a plan digest. */
#include "engine/report.h"
#include "engine/request.h"

#include <string.h>

struct approve {
	struct command_run *run;
	enum decision_kind kind;
	char plan[DIGEST_LEN], requester[NAME_LEN];
	int needed;
};

static void on_decided(void *ctx, const struct outcome *o, const char *id)
{
	struct approve *p = ctx;
	struct arena *a = command_arena(p->run);

	UNUSED(id);
	if (o->kind != OUTCOME_OK) {
		report_outcome(p->run, o);
		return;
	}
	jv_set_str(a, command_value(p->run), "plan", p->plan);
	jv_set_str(a, command_value(p->run), "decision", decision_kind_name(p->kind));
	command_done(p->run, EXIT_DONE, "plan %.19s: %s is recorded%s%.250s", p->plan,
	             decision_kind_name(p->kind), o->text[0] != '\0' ? "; " : "", o->text);
}

/* The stored plan that a prefix of its digest names; NULL where none or several do. */
static const struct plan_row *plan_by_prefix(const struct store_snapshot *s, const char *prefix, int *ret_n)
{
	const struct plan_row *found = NULL;
	size_t n;

	if (strncmp(prefix, "sha256:", 7) == 0)
		prefix += 7;
	n = strlen(prefix);
	*ret_n = 0;
	for (int i = 0; n >= 6 && i < s->n_plans; i++)
		if (strncmp(s->plans[i].digest + strlen("sha256:"), prefix, n) == 0) {
			found = &s->plans[i];
			++*ret_n;
		}
	return *ret_n == 1 ? found : NULL;
}

/* True when this person's word on the plan stands. */
static bool spoke(const struct model *m, const char *digest)
{
	bool stands = false;

	for (int i = 0; i < m->store->n_decisions; i++) {
		const struct decision *d = &m->store->decisions[i];

		if (decision_rule(d->kind)->family == FAMILY_VERDICT && strcmp(d->plan, digest) == 0 &&
		    strcmp(d->actor, m->actor) == 0)
			stands = d->kind != DECISION_WITHDRAW;
	}
	return stands;
}

static void decide(struct app *a, struct command_run *run, enum decision_kind kind)
{
	const struct model *m = app_model(a);
	const char *id = args_text(run, "plan"), *reason = args_text(run, "reason");
	struct decision d = {.kind = kind};
	const struct plan_row *row;
	struct approve *p = command_state(run, sizeof(*p));
	int n = 0;

	row = plan_by_prefix(m->store, id, &n);
	if (p == NULL || row == NULL) {
		if (n > 1)
			command_done(run, EXIT_NO, "%s names %d plans: give more digits", id, n);
		else
			command_done(run, EXIT_NO,
			             "no stored plan is called %s (give at least six digits of its digest)",
			             id);
		return;
	}
	if (strcmp(row->requester, m->actor) == 0 && kind == DECISION_APPROVE) {
		command_done(run, EXIT_NO, "%s asked for this plan: the requester's approval never counts",
		             m->actor);
		return;
	}
	if (kind == DECISION_WITHDRAW && !spoke(m, row->digest)) {
		command_done(run, EXIT_NO, "%s has not approved or rejected this plan", m->actor);
		return;
	}
	*p = (struct approve){.run = run, .kind = kind};
	str_copy(p->plan, sizeof(p->plan), row->digest);
	str_copy(d.plan, sizeof(d.plan), row->digest);
	str_copy(d.service, sizeof(d.service), row->service);
	str_copy(d.env, sizeof(d.env), row->env);
	if (reason != NULL)
		str_copy(d.reason, sizeof(d.reason), reason);
	if (kind == DECISION_APPROVE) {
		if (args_num(run, "for", 0) > 0)
			d.until_us = loop_wall_us() + args_num(run, "for", 0);
		request_approve(a, &d, args_text(run, "key"), on_decided, p);
		return;
	}
	request_decide(a, &d, on_decided, p);
}

static void exec_approve(struct app *a, struct command_run *run) { decide(a, run, DECISION_APPROVE); }
static void exec_reject(struct app *a, struct command_run *run) { decide(a, run, DECISION_REJECT); }
static void exec_withdraw(struct app *a, struct command_run *run) { decide(a, run, DECISION_WITHDRAW); }

static const struct arg_desc approve_args[] = {
    {.name = "plan",
     .type = ARG_PLAN,
     .required = true,
     .text = "its digest, or the first six or more digits of it"},
    {.name = "reason", .type = ARG_WORD, .option = true, .text = "a remark for the audit"},
    {.name = NULL},
};
static const struct arg_desc approve_signed_args[] = {
    {.name = "plan",
     .type = ARG_PLAN,
     .required = true,
     .text = "its digest, or the first six or more digits of it"},
    {.name = "reason", .type = ARG_WORD, .option = true, .text = "a remark for the audit"},
    {.name = "key",
     .type = ARG_WORD,
     .option = true,
     .text = "SSH key to sign with: a private key's file, or a public key's whose private half is in the "
             "agent. Without "
             "it TOWPATH_SIGNING_KEY, else the agent's first key that allowed_signers has"},
    {.name = "for",
     .type = ARG_DURATION,
     .option = true,
     .text =
         "how long the approval counts; without it as long as approval_valid, signed ones for a day at most"},
    {.name = NULL},
};
static const struct arg_desc reject_args[] = {
    {.name = "plan",
     .type = ARG_PLAN,
     .required = true,
     .text = "its digest, or the first six or more digits of it"},
    {.name = "reason", .type = ARG_WORD, .option = true, .required = true, .text = "why"},
    {.name = NULL},
};

const struct command command_approve = {
    .name = "approve",
    .summary = "approve a plan by its digest",
    .args = approve_signed_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T3,
    .opens = OPENS_STORED_PLAN,
    .exec = exec_approve,
    .details =
        "An approval is bound to the digest: when the plan changes, it is void. Who asked for the "
        "plan never counts. Where the environment has approval_signed it is signed by ssh-keygen over the "
        "plan itself, and the rollout's process checks the signature when it runs.",
    .json = "plan, decision",
    .example = "towpath approve 3fa9c1d20b77",
};
const struct command command_reject = {
    .name = "reject",
    .summary = "reject a plan by its digest",
    .args = reject_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T1,
    .exec = exec_reject,
    .details = "One rejection closes the plan's approval gate, however many have approved.",
    .json = "plan, decision",
    .example = "towpath reject 3fa9c1d20b77 --reason \"wait for the index\"",
};
const struct command command_withdraw = {
    .name = "withdraw",
    .summary = "take your approval or rejection of a plan back",
    .args = approve_args,
    .flags = COMMAND_MUTATES,
    .tier = TIER_T1,
    .exec = exec_withdraw,
    .details = "Where too few approvals are left, its rollout ends if nothing was changed yet, and holds if "
               "something was; it goes on only once enough approve again.",
    .json = "plan, decision",
    .example = "towpath withdraw 3fa9c1d20b77 --reason \"I looked at the wrong migration\"",
};
