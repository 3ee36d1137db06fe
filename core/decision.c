#include "core/decision.h"

#include "core/sha256.h"

#include <stdio.h>
#include <string.h>

static const char *const names[DECISION_KIND_COUNT] = {
    [DECISION_APPROVE] = "approve",   [DECISION_REJECT] = "reject",     [DECISION_HOLD] = "hold",
    [DECISION_CONTINUE] = "continue", [DECISION_ABORT] = "abort",       [DECISION_TAKE_OVER] = "take-over",
    [DECISION_FREEZE] = "freeze",     [DECISION_UNFREEZE] = "unfreeze", [DECISION_NOTE] = "note",
    [DECISION_MARK_BAD] = "mark-bad",
};

const char *decision_kind_name(enum decision_kind k)
{
	return (unsigned)k < DECISION_KIND_COUNT ? names[k] : "?";
}

bool decision_kind_parse(const char *s, enum decision_kind *ret)
{
	for (int i = 0; i < DECISION_KIND_COUNT; i++)
		if (strcmp(names[i], s) == 0) {
			*ret = (enum decision_kind)i;
			return true;
		}
	return false;
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
