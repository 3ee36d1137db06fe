/* The bytes that a signed approval signs: the plan's intent, who, until when, and a nonce. */
#include "core/approval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Between signing and storing, and between the two clocks. */
#define SIGNED_LATE_US (10 * US_PER_MIN)

bool approval_bytes(const struct plan *p, const struct decision *d, struct str *out)
{
	struct arena a;
	struct jv *o;
	bool ok;

	arena_init(&a, ARENA_DEFAULT_MAX);
	o = jv_obj(&a);
	jv_set_str(&a, o, "what", "towpath approval 1");
	jv_set_str(&a, o, "plan", p->digest);
	jv_set(&a, o, "intent", plan_intent(&a, p));
	jv_set_str(&a, o, "approver", d->actor);
	jv_set_int(&a, o, "not_after_us", d->until_us);
	jv_set_str(&a, o, "nonce", d->nonce);
	jv_print(o, JV_CANONICAL, out);
	ok = !arena_failed(&a) && !out->failed && p->digest[0] != '\0';
	arena_release(&a);
	return ok;
}

void approval_nonce(int64_t now_us, uint64_t random, char dst[NONCE_LEN])
{
	snprintf(dst, NONCE_LEN, "%016llx%016llx", (unsigned long long)now_us, (unsigned long long)random);
}

const char *approval_stale(const struct decision *d, char *dst, size_t cap)
{
	char head[17], *end = NULL, made[32], stored[32];
	int64_t at;

	if (strlen(d->nonce) != 32 || strspn(d->nonce, "0123456789abcdef") != 32)
		return "its nonce is not one of ours";
	str_copy(head, sizeof(head), d->nonce);
	at = (int64_t)strtoull(head, &end, 16);
	if (at > d->at_us - SIGNED_LATE_US && at < d->at_us + SIGNED_LATE_US)
		return NULL;
	time_iso(made, sizeof(made), at, false);
	time_iso(stored, sizeof(stored), d->at_us, false);
	snprintf(dst, cap, "signed at %s but given at %s: given again, or a clock is wrong", made, stored);
	return dst;
}
