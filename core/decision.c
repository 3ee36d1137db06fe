#include "core/decision.h"

#include "core/sha256.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

enum {
	PEOPLE = STORE_OPERATOR | STORE_APPROVER | STORE_ADMIN,
	ACTS = STORE_OPERATOR | STORE_ADMIN,
};

/* Stopping harm is open to more people than going on. */
static const struct decision_rule rules[DECISION_KIND_COUNT] = {
    [DECISION_APPROVE] = {"approve", FAMILY_VERDICT, "", STORE_APPROVER},
    [DECISION_REJECT] = {"reject", FAMILY_VERDICT, "", PEOPLE},
    [DECISION_HOLD] = {"hold", FAMILY_STEER, "", PEOPLE},
    [DECISION_CONTINUE] = {"continue", FAMILY_STEER, "", ACTS},
    [DECISION_ABORT] = {"abort", FAMILY_STEER, "", PEOPLE},
    [DECISION_TAKE_OVER] = {"take-over", FAMILY_STEER, "", ACTS | STORE_EXECUTOR},
    [DECISION_FREEZE] = {"freeze", FAMILY_PLACE, "freeze", PEOPLE},
    [DECISION_UNFREEZE] = {"unfreeze", FAMILY_PLACE, "freeze", ACTS},
    [DECISION_NOTE] = {"note", FAMILY_REMARK, "", PEOPLE | STORE_EXECUTOR},
    [DECISION_MARK_BAD] = {"mark-bad", FAMILY_REMARK, "", ACTS | STORE_EXECUTOR},
};

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
	return o;
}

#define CLEAN(dst, obj, key) text_cleanz(dst, sizeof(dst), jv_get_text(obj, key, ""))

int decision_from_jv(const struct jv *v, struct decision *ret, struct error *e)
{
	struct decision d = {.seq = jv_get_num(v, "seq", 0)};
	const char *kind = jv_get_text(v, "kind", "");

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

void audit_hash(const struct audit_row *row, char ret_hash[DIGEST_LEN])
{
	struct arena a;
	struct str s;
	char hex[65];

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

struct jv *audit_to_jv(struct arena *a, const struct audit_row *row)
{
	struct jv *o = row_to_jv(a, row);

	jv_set_str(a, o, "hash", row->hash);
	return o;
}
