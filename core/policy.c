/* The policy of a plan as canonical bytes and back. */
#include "core/plan.h"

#include "core/lint.h"
#include "core/text.h"

#include <string.h>

static const char *const failure_names[] = {
    [ON_FAILURE_ABORT] = "abort", [ON_FAILURE_PAUSE] = "pause", [ON_FAILURE_ROLLBACK] = "rollback"};

const char *on_failure_name(enum on_failure f)
{
	return (unsigned)f < ARRAY_LEN(failure_names) ? failure_names[f] : "?";
}

#define CLEAN(dst, obj, key) text_cleanz(dst, sizeof(dst), jv_get_text(obj, key, ""))

/* Gates that older versions did not have: where they are off nothing is said of them. */
static bool is_newer(int kind) { return kind == GATE_LINT || kind == GATE_BACKUP; }

/* What older versions did not know is written only where it says something: their plans keep their digest. */
static void policy_more_to_jv(struct arena *a, const struct policy *p, struct jv *o)
{
	struct jv *groups = jv_arr(a);

	for (int i = 0; i < p->n_approve_groups; i++)
		jv_push(a, groups, jv_str(a, p->approve_groups[i]));
	if (p->n_approve_groups > 0)
		jv_set(a, o, "approve_groups", groups);
	if (p->approve_required[0] != '\0')
		jv_set_str(a, o, "approve_required", p->approve_required);
	if (p->approve_not_own)
		jv_set_bool(a, o, "approve_not_own", true);
	if (p->approve_once)
		jv_set_bool(a, o, "approve_once", true);
	if (p->signing != SIGNING_OFF)
		jv_set_str(a, o, "signing", signing_name(p->signing));
	if (p->gate_on[GATE_LINT])
		jv_set_int(a, o, "lint_block", p->lint_block);
	if (p->gate_on[GATE_BACKUP])
		jv_set_int(a, o, "backup_max_age_us", p->backup_max_age_us);
	if (p->lock_strict)
		jv_set_bool(a, o, "lock_strict", true);
	if (p->glass_max_us != GLASS_MAX_US)
		jv_set_int(a, o, "glass_max_us", p->glass_max_us);
}

static void policy_more_from_jv(const struct jv *v, struct policy *ret)
{
	const struct jv *groups = jv_get(v, "approve_groups");
	const char *signing = jv_get_text(v, "signing", "off");

	for (size_t i = 0; i < MIN(jv_len(groups), (size_t)APPROVE_GROUPS_MAX); i++)
		text_cleanz(ret->approve_groups[ret->n_approve_groups++], NAME_LEN,
		            jv_text(jv_at(groups, i), ""));
	CLEAN(ret->approve_required, v, "approve_required");
	ret->approve_not_own = jv_get_true(v, "approve_not_own", false);
	ret->approve_once = jv_get_true(v, "approve_once", false);
	/* A word that is not known is the strictest: it must not become a hole. */
	ret->signing = strcmp(signing, "off") == 0        ? SIGNING_OFF
	               : strcmp(signing, "optional") == 0 ? SIGNING_OPTIONAL
	                                                  : SIGNING_REQUIRED;
	ret->lint_block = (int)CLAMP(jv_get_num(v, "lint_block", 0), SEVERITY_OFF, SEVERITY_ERROR);
	ret->backup_max_age_us = jv_get_num(v, "backup_max_age_us", 0);
	ret->lock_strict = jv_get_true(v, "lock_strict", false);
	ret->glass_max_us = jv_get_num(v, "glass_max_us", GLASS_MAX_US);
}

struct jv *policy_to_jv(struct arena *a, const struct policy *p)
{
	struct jv *o = jv_obj(a), *gates = jv_obj(a);

	for (int i = 0; i < GATE_CHOICES; i++)
		if (p->gate_on[i] || !is_newer(i))
			jv_set_bool(a, gates, gate_kind_name((enum gate_kind)i), p->gate_on[i]);
	jv_set(a, o, "gates", gates);
	jv_set_int(a, o, "soak_us", p->soak_us);
	jv_set_int(a, o, "smoke_max_age_us", p->smoke_max_age_us);
	jv_set_int(a, o, "approvals", p->approvals);
	jv_set_int(a, o, "approval_valid_us", p->approval_valid_us);
	jv_set_str(a, o, "on_failure", on_failure_name(p->on_failure));
	jv_set_int(a, o, "verify_us", p->verify_us);
	jv_set_bool(a, o, "rollback_exempt", p->rollback_exempt);
	policy_more_to_jv(a, p, o);
	return o;
}

void policy_from_jv(const struct jv *v, struct policy *ret)
{
	const struct jv *gates = jv_get(v, "gates");
	const char *word = jv_get_text(v, "on_failure", "");
	int f = (int)ARRAY_LEN(failure_names) - 1;

	while (f >= 0 && strcmp(failure_names[f], word) != 0)
		f--;
	*ret = (struct policy){
	    .soak_us = jv_get_num(v, "soak_us", 0),
	    .smoke_max_age_us = jv_get_num(v, "smoke_max_age_us", 0),
	    .approvals = (int)CLAMP(jv_get_num(v, "approvals", 0), 0, 1000),
	    .approval_valid_us = jv_get_num(v, "approval_valid_us", 0),
	    .on_failure = f < 0 ? ON_FAILURE_PAUSE : (enum on_failure)f,
	    .verify_us = jv_get_num(v, "verify_us", 0),
	    .rollback_exempt = jv_get_true(v, "rollback_exempt", false),
	};
	for (int i = 0; i < GATE_CHOICES; i++)
		ret->gate_on[i] = jv_get_true(gates, gate_kind_name((enum gate_kind)i), !is_newer(i));
	policy_more_from_jv(v, ret);
}
