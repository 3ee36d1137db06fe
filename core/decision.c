#include "core/decision.h"

#include "core/sha256.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

enum {
	PEOPLE = STORE_OPERATOR | STORE_APPROVER | STORE_ADMIN,
	ACTS = STORE_OPERATOR | STORE_ADMIN,
};

/*
 * Stopping harm is open to more people, and asks for less, than going on. Tiers: 1 a key, 2 two keys (in a grave
 * environment its name), 3 its name, 4 its name and a reason.
 */
#define RULE(kind, name_, family_, topic_, roles_, target_, tier_, ...)                                      \
	[kind] = {.name = (name_),                                                                           \
	          .family = (family_),                                                                       \
	          .topic = (topic_),                                                                         \
	          .roles = (roles_),                                                                         \
	          .target = (target_),                                                                       \
	          .tier = (tier_),                                                                           \
	          __VA_ARGS__}
static const struct decision_rule rules[DECISION_KIND_COUNT] = {
    RULE(DECISION_APPROVE, "approve", FAMILY_VERDICT, "", STORE_APPROVER, TARGET_PLAN, TIER_T3,
         .expires = true, .text = "The plan with this digest may run; who asked for it never counts."),
    RULE(DECISION_REJECT, "reject", FAMILY_VERDICT, "", PEOPLE, TARGET_PLAN, TIER_T1, .needs_reason = true,
         .text = "This plan must not run, however many have approved it."),
    RULE(DECISION_WITHDRAW, "withdraw", FAMILY_VERDICT, "", STORE_APPROVER, TARGET_PLAN, TIER_T1,
         .text = "My approval is void: before anything was changed its rollout ends, afterwards it holds."),
    RULE(DECISION_HOLD, "hold", FAMILY_STEER, "", PEOPLE, TARGET_ROLLOUT, TIER_T1,
         .text = "Nothing new begins after the present step."),
    RULE(DECISION_CONTINUE, "continue", FAMILY_STEER, "", ACTS, TARGET_ROLLOUT, TIER_T2,
         .text =
             "A held or paused rollout goes on; what failed is tried again, what is unknown is asked first."),
    RULE(DECISION_ABORT, "abort", FAMILY_STEER, "", PEOPLE, TARGET_ROLLOUT, TIER_T1,
         .text = "It ends after the present step; what was done stays."),
    RULE(DECISION_RETRY, "retry", FAMILY_STEER, "", ACTS, TARGET_ROLLOUT, TIER_T2,
         .text = "The step that failed, or whose effect is unknown, is tried again from its first attempt."),
    RULE(DECISION_SKIP, "skip", FAMILY_STEER, "", ACTS, TARGET_ROLLOUT, TIER_T2, .needs_reason = true,
         .text = "A step that is not required is left out."),
    RULE(DECISION_FULL, "full", FAMILY_STEER, "", ACTS, TARGET_ROLLOUT, TIER_T2,
         .text = "All steps that are not required are left out and the rollout goes to its end."),
    RULE(DECISION_TAKE_OVER, "take-over", FAMILY_STEER, "", ACTS | STORE_EXECUTOR, TARGET_ROLLOUT, TIER_T3,
         .text = "A rollout that nobody drives any more goes on with a process of its own."),
    RULE(DECISION_FREEZE, "freeze", FAMILY_PLACE, "freeze", PEOPLE, TARGET_ENVIRONMENT, TIER_T1,
         .needs_reason = true, .expires = true, .text = "No promotion into it until it is lifted or ends."),
    RULE(DECISION_UNFREEZE, "unfreeze", FAMILY_PLACE, "freeze", ACTS, TARGET_ENVIRONMENT, TIER_T2,
         .text = "The freeze by hand ends."),
    RULE(DECISION_LOCK, "lock", FAMILY_PLACE, "lock", ACTS, TARGET_ENVIRONMENT, TIER_T1, .needs_reason = true,
         .expires = true,
         .text = "Only its owner may start rollouts there, rollbacks aside; with warn-only others are told."),
    RULE(DECISION_UNLOCK, "unlock", FAMILY_PLACE, "lock", ACTS, TARGET_ENVIRONMENT, TIER_T2,
         .text = "The lock ends; a reason is needed for somebody else's."),
    RULE(DECISION_PIN, "pin", FAMILY_PLACE, "pin", ACTS, TARGET_DEPLOYMENT, TIER_T1, .needs_reason = true,
         .expires = true, .text = "Only this release may be put there until it is unpinned or ends."),
    RULE(DECISION_UNPIN, "unpin", FAMILY_PLACE, "pin", ACTS, TARGET_DEPLOYMENT, TIER_T2,
         .text = "Any release may be put there again."),
    RULE(DECISION_MARK_BAD, "mark-bad", FAMILY_PLACE, "bad", ACTS | STORE_EXECUTOR, TARGET_RELEASE, TIER_T1,
         .needs_reason = true, .text = "This release is never chosen again, in one environment or in all."),
    RULE(DECISION_UNMARK, "unmark", FAMILY_PLACE, "bad", ACTS, TARGET_RELEASE, TIER_T2, .needs_reason = true,
         .text = "The release may be chosen again."),
    RULE(DECISION_NOTE, "note", FAMILY_REMARK, "", PEOPLE | STORE_EXECUTOR, TARGET_DEPLOYMENT, TIER_T1,
         .needs_reason = true, .text = "A remark for everybody who looks at the deployment."),
    RULE(DECISION_STOP, "stop", FAMILY_PLACE, "stop", PEOPLE, TARGET_EVERYWHERE, TIER_T1,
         .needs_reason = true, .expires = true,
         .text = "No rollout begins anywhere, those under way hold after their present step."),
    RULE(DECISION_RESUME, "resume", FAMILY_PLACE, "stop", STORE_ADMIN, TARGET_EVERYWHERE, TIER_T3,
         .text = "Rollouts may begin again; those that were held stay held until somebody continues them."),
    RULE(DECISION_BREAK_GLASS, "break-glass", FAMILY_PLACE, "glass", ACTS, TARGET_ENVIRONMENT, TIER_T4,
         .needs_reason = true, .expires = true,
         .text =
             "Freeze, soak, smoke, migration-lint, backup, lock and approval give way once a second person "
             "agrees, and for a short "
             "time only."),
    RULE(DECISION_SECOND, "second", FAMILY_PLACE, "second", PEOPLE, TARGET_ENVIRONMENT, TIER_T3,
         .text = "The second person agrees to a break-glass."),
    RULE(DECISION_SEAL, "seal", FAMILY_PLACE, "glass", PEOPLE, TARGET_ENVIRONMENT, TIER_T1,
         .text = "The break-glass ends."),
    RULE(DECISION_SCHEDULE, "schedule", FAMILY_PLACE, "schedule", ACTS, TARGET_DEPLOYMENT, TIER_T2,
         .expires = true,
         .text =
             "A promotion begins at that time if its plan is then still the same and its gates are open."),
    RULE(DECISION_UNSCHEDULE, "unschedule", FAMILY_PLACE, "schedule", PEOPLE | STORE_EXECUTOR,
         TARGET_DEPLOYMENT, TIER_T1,
         .text = "It does not begin: somebody took it back, or it could not begin at its time."),
};
#undef RULE

const struct decision_rule *decision_rule(enum decision_kind k)
{
	return (unsigned)k < DECISION_KIND_COUNT ? &rules[k] : NULL;
}

const char *decision_kind_name(enum decision_kind k)
{
	const struct decision_rule *rule = decision_rule(k);

	return rule != NULL ? rule->name : "?";
}

bool decision_kind_parse(const char *s, enum decision_kind *ret)
{
	for (int i = 0; i < DECISION_KIND_COUNT; i++)
		if (strcmp(rules[i].name, s) == 0) {
			*ret = (enum decision_kind)i;
			return true;
		}
	return false;
}

const char *store_role_name(int bit)
{
	static const char *const names[STORE_ROLE_COUNT] = {"viewer", "operator", "approver", "admin",
	                                                    "executor"};

	return (unsigned)bit < STORE_ROLE_COUNT ? names[bit] : "?";
}

const char *decision_family_name(enum decision_family f)
{
	static const char *const names[DECISION_FAMILY_COUNT] = {"verdict", "steer", "place", "remark"};

	return (unsigned)f < DECISION_FAMILY_COUNT ? names[f] : "?";
}

const char *decision_target_name(enum decision_target t)
{
	static const char *const names[DECISION_TARGET_COUNT] = {"plan",        "rollout", "deployment",
	                                                         "environment", "release", "everywhere"};

	return (unsigned)t < DECISION_TARGET_COUNT ? names[t] : "?";
}

const char *decision_lacks(const struct decision *d)
{
	const struct decision_rule *rule = decision_rule(d->kind);

	if (rule == NULL)
		return "this version does not know that decision";
	switch (rule->target) {
	case TARGET_PLAN:
		if (d->plan[0] == '\0')
			return "it names no plan";
		break;
	case TARGET_ROLLOUT:
		if (d->rollout[0] == '\0')
			return "it names no rollout";
		break;
	case TARGET_DEPLOYMENT:
		if (d->service[0] == '\0' || d->env[0] == '\0')
			return "it names no service or no environment";
		break;
	case TARGET_ENVIRONMENT:
		if (d->env[0] == '\0')
			return "it names no environment";
		break;
	case TARGET_RELEASE:
		if (d->service[0] == '\0' || d->release[0] == '\0')
			return "it names no service or no release";
		break;
	case TARGET_EVERYWHERE:
	case DECISION_TARGET_COUNT: break;
	}
	if (rule->needs_reason && d->reason[0] == '\0')
		return "it needs a reason";
	if ((d->signature != NULL) != (d->nonce[0] != '\0'))
		return "a signature and its nonce belong together";
	return NULL;
}

bool decision_goes_on(enum decision_kind k)
{
	return k == DECISION_CONTINUE || k == DECISION_RETRY || k == DECISION_SKIP || k == DECISION_FULL;
}

void decision_remark(const struct decision *d, char *dst, size_t cap)
{
	char until[32] = "", hex[65] = "", step[24] = "", about[32] = "";

	if (d->until_us != 0)
		time_iso(until, sizeof(until), d->until_us, false);
	if (d->step > 0)
		snprintf(step, sizeof(step), ", step %d", d->step);
	if (d->about_seq > 0)
		snprintf(about, sizeof(about), ", about #%lld", (long long)d->about_seq);
	if (d->signature != NULL)
		sha256_of(d->signature, strlen(d->signature), hex);
	snprintf(dst, cap, "%s%s%s%s%s%s%.16s", until[0] != '\0' ? ", until " : "", until, step, about,
	         d->warn_only ? ", warns only" : "", hex[0] != '\0' ? ", signed " : "", hex);
}

struct jv *decision_rules_to_jv(struct arena *a)
{
	struct jv *list = jv_arr(a);

	for (int i = 0; i < DECISION_KIND_COUNT; i++) {
		struct jv *o = jv_obj(a), *roles = jv_arr(a);

		jv_set_str(a, o, "kind", rules[i].name);
		jv_set_str(a, o, "family", decision_family_name(rules[i].family));
		jv_set_str(a, o, "topic", rules[i].topic);
		for (int k = 0; k < STORE_ROLE_COUNT; k++)
			if ((rules[i].roles & 1u << k) != 0)
				jv_push(a, roles, jv_str(a, store_role_name(k)));
		jv_set(a, o, "roles", roles);
		jv_push(a, list, o);
	}
	return list;
}

struct jv *decision_to_jv(struct arena *a, const struct decision *d)
{
	struct jv *o = jv_obj(a);

	jv_set_int(a, o, "seq", d->seq);
	jv_set_str(a, o, "kind", decision_kind_name(d->kind));
	jv_set_str(a, o, "actor", d->actor);
	jv_set_str(a, o, "host", d->host);
	jv_set_int(a, o, "at_us", d->at_us);
	jv_set_str(a, o, "plan", d->plan);
	jv_set_str(a, o, "rollout", d->rollout);
	jv_set_str(a, o, "service", d->service);
	jv_set_str(a, o, "env", d->env);
	jv_set_str(a, o, "reason", d->reason);
	jv_set_str(a, o, "release", d->release);
	jv_set_int(a, o, "until_us", d->until_us);
	jv_set_int(a, o, "step", d->step);
	jv_set_bool(a, o, "warn_only", d->warn_only);
	jv_set_int(a, o, "about_seq", d->about_seq);
	jv_set_str(a, o, "nonce", d->nonce);
	if (d->signature != NULL)
		jv_set_str(a, o, "signature", d->signature);
	return o;
}

#define CLEAN(dst, obj, key) text_cleanz(dst, sizeof(dst), jv_get_text(obj, key, ""))

int decision_from_jv(const struct jv *v, struct decision *ret, struct error *e)
{
	struct decision d = {.seq = jv_get_num(v, "seq", 0)};
	const char *kind = jv_get_text(v, "kind", ""), *signature;

	if (!decision_kind_parse(kind, &d.kind))
		return error_set(e, ERR_UNSUPPORTED, "this version does not know the decision %.40s", kind);
	CLEAN(d.actor, v, "actor");
	CLEAN(d.host, v, "host");
	d.at_us = jv_get_num(v, "at_us", 0);
	CLEAN(d.plan, v, "plan");
	CLEAN(d.rollout, v, "rollout");
	CLEAN(d.service, v, "service");
	CLEAN(d.env, v, "env");
	CLEAN(d.reason, v, "reason");
	CLEAN(d.release, v, "release");
	d.until_us = jv_get_num(v, "until_us", 0);
	d.step = (int)CLAMP(jv_get_num(v, "step", 0), 0, STEPS_MAX);
	d.warn_only = jv_get_true(v, "warn_only", false);
	d.about_seq = jv_get_num(v, "about_seq", 0);
	CLEAN(d.nonce, v, "nonce");
	/* An armor is many lines: it goes to ssh-keygen alone, never to a screen. */
	signature = jv_get_text(v, "signature", NULL);
	if (signature != NULL &&
	    (strlen(signature) > SIGNATURE_MAX || (d.signature = strdup(signature)) == NULL))
		return error_set(e, ERR_NOMEM, "the signature of a decision is too long");
	*ret = d;
	return 0;
}

static struct jv *row_to_jv(struct arena *a, const struct audit_row *row)
{
	struct jv *o = jv_obj(a);

	jv_set_int(a, o, "seq", row->seq);
	jv_set_int(a, o, "at_us", row->at_us);
	jv_set_str(a, o, "actor", row->actor);
	jv_set_str(a, o, "host", row->host);
	jv_set_str(a, o, "verb", row->verb);
	jv_set_str(a, o, "target", row->target);
	jv_set_str(a, o, "result", row->result);
	jv_set_str(a, o, "text", row->text);
	jv_set_str(a, o, "prev", row->prev);
	return o;
}

/* Room for every text of a row with all its bytes escaped. */
enum { ROW_BYTES = 4096 };

/* A member of the canonical text; NULL where a byte asks for more than a backslash before it. */
static char *plain_member(char *at, const char *key, const char *s)
{
	size_t n = strlen(key);

	memcpy(at, ",\"", 2);
	memcpy(at + 2, key, n);
	memcpy(at + 2 + n, "\":\"", 3);
	at += n + 5;
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
			return NULL;
		if (*s == '"' || *s == '\\')
			*at++ = '\\';
		*at++ = *s;
	}
	*at++ = '"';
	return at;
}

/*
 * The canonical text of a row of plain ASCII, as jv_print() would write it, without building a tree first: a chain of a
 * million rows is hashed in seconds. Returns its length, 0 for a row that must go the long way.
 */
static size_t plain_text(const struct audit_row *r, char dst[ROW_BYTES])
{
	const struct {
		const char *key, *text;
	} before[] = {{"host", r->host}, {"prev", r->prev}, {"result", r->result}},
	  after[] = {{"target", r->target}, {"text", r->text}, {"verb", r->verb}};
	char *at = plain_member(dst, "actor", r->actor);

	dst[0] = '{';
	if (at != NULL)
		at += snprintf(at, 40, ",\"at_us\":%lld", (long long)r->at_us);
	for (size_t i = 0; i < ARRAY_LEN(before) && at != NULL; i++)
		at = plain_member(at, before[i].key, before[i].text);
	if (at != NULL)
		at += snprintf(at, 40, ",\"seq\":%lld", (long long)r->seq);
	for (size_t i = 0; i < ARRAY_LEN(after) && at != NULL; i++)
		at = plain_member(at, after[i].key, after[i].text);
	if (at == NULL)
		return 0;
	*at++ = '}';
	return (size_t)(at - dst);
}

void audit_hash(const struct audit_row *row, char ret_hash[DIGEST_LEN])
{
	char plain[ROW_BYTES];
	size_t n = plain_text(row, plain);
	struct arena a;
	struct str s;
	char hex[65];

	if (n > 0) {
		sha256_of(plain, n, hex);
		snprintf(ret_hash, DIGEST_LEN, "%s%s", hex[0] != '\0' ? "sha256:" : "", hex);
		return;
	}
	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&s, 64 * 1024);
	jv_print(row_to_jv(&a, row), JV_CANONICAL, &s);
	ret_hash[0] = '\0';
	if (!arena_failed(&a) && !s.failed) {
		sha256_of(s.data, s.len, hex);
		snprintf(ret_hash, DIGEST_LEN, "sha256:%s", hex);
	}
	str_release(&s);
	arena_release(&a);
}

const char *audit_said(const struct audit_row *r)
{
	return strncmp(r->text, ", ", 2) == 0 ? r->text + 2 : r->text;
}

struct jv *audit_to_jv(struct arena *a, const struct audit_row *row)
{
	struct jv *o = row_to_jv(a, row);

	jv_set_str(a, o, "hash", row->hash);
	return o;
}
