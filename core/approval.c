#include "core/approval.h"

#include "core/roles.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_verdict(const struct decision *d, const char *plan)
{
	return decision_rule(d->kind)->family == FAMILY_VERDICT && strcmp(d->plan, plan) == 0;
}

/* The last word of each person is the one that counts. */
static bool is_last_word(const struct approval_facts *f, int at)
{
	for (int i = at + 1; i < f->n_decisions; i++)
		if (is_verdict(&f->decisions[i], f->plan) &&
		    strcmp(f->decisions[i].actor, f->decisions[at].actor) == 0)
			return false;
	return true;
}

/* "anna+tag@example.org" and "123+anna@users.example.org" are anna. */
static bool mail_is(const char *mail, const char *person)
{
	const char *at = strchr(mail, '@'), *plus = strchr(mail, '+');
	size_t n = strlen(person);

	if (at == NULL || n == 0)
		return false;
	if (strncasecmp(mail, person, n) == 0 && (mail[n] == '@' || mail[n] == '+'))
		return true;
	return plus != NULL && plus < at && (size_t)(at - plus - 1) == n &&
	       strncasecmp(plus + 1, person, n) == 0;
}

static bool is_called(const struct setup *s, const char *person, const struct commit_person *p)
{
	if (strcasecmp(p->name, person) == 0 || strcasecmp(p->mail, person) == 0 || mail_is(p->mail, person))
		return true;
	for (int i = 0; i < s->n_people; i++) {
		if (strcmp(s->people[i].name, person) != 0)
			continue;
		for (const char *const *g = s->people[i].git; g != NULL && *g != NULL; g++)
			if (strcasecmp(*g, p->name) == 0 || strcasecmp(*g, p->mail) == 0)
				return true;
	}
	return false;
}

bool person_wrote(const struct setup *s, const char *person, const struct commit_log *log)
{
	for (int i = 0; i < log->n_people; i++)
		if (is_called(s, person, &log->people[i]))
			return true;
	return false;
}

static void note(char *dst, size_t cap, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void note(char *dst, size_t cap, const char *fmt, ...)
{
	size_t n = strlen(dst);
	va_list ap;

	if (n > 0 && n + 3 < cap) {
		memcpy(dst + n, "; ", 3);
		n += 2;
	}
	va_start(ap, fmt);
	if (n < cap)
		vsnprintf(dst + n, cap - n, fmt, ap);
	va_end(ap);
}

#define REFUSE(t, ...) note((t)->refused, sizeof((t)->refused), __VA_ARGS__)

static bool in_groups(const struct setup *s, const struct policy *p, const char *person)
{
	for (int i = 0; i < p->n_approve_groups; i++)
		if (setup_in_group(s, p->approve_groups[i], person))
			return true;
	return p->n_approve_groups == 0;
}

static bool signed_well(const struct approval_facts *f, const struct decision *d, struct approval_tally *t)
{
	const struct signature_verdict *v = NULL;

	if (f->policy->signing == SIGNING_OFF)
		return true;
	if (d->nonce[0] == '\0') {
		if (f->policy->signing == SIGNING_REQUIRED)
			REFUSE(t, "%s did not sign", d->actor);
		return f->policy->signing == SIGNING_OPTIONAL;
	}
	if (!f->judges_signatures)
		return true;
	for (int i = 0; i < f->n_signatures && v == NULL; i++)
		if (f->signatures[i].seq == d->seq)
			v = &f->signatures[i];
	if (v != NULL && v->state == SIGNATURE_GOOD)
		return true;
	if (v != NULL && v->state == SIGNATURE_BAD) {
		REFUSE(t, "%s's signature: %s", d->actor, v->text);
		return false;
	}
	t->unknown = true;
	note(t->unknown_text, sizeof(t->unknown_text), "%s's signature could not be checked%s%s", d->actor,
	     v != NULL ? ": " : "", v != NULL ? v->text : "");
	return false;
}

/* The commits are of somebody: NULL commits say that nobody knows whose. */
static bool is_foreign(const struct approval_facts *f, const struct decision *d, struct approval_tally *t)
{
	if (!f->policy->approve_not_own || f->setup == NULL)
		return true;
	if (f->commits != NULL && person_wrote(f->setup, d->actor, f->commits)) {
		REFUSE(t, "%s wrote a commit of it", d->actor);
		return false;
	}
	if (f->judges_commits && (!f->commits_known || f->commits == NULL || f->commits->people_cut)) {
		t->unknown = true;
		if (t->unknown_text[0] == '\0')
			note(t->unknown_text, sizeof(t->unknown_text), "who wrote its commits is not known%s",
			     f->commits != NULL && f->commits->people_cut ? ": there are too many" : "");
		return false;
	}
	return true;
}

/* When it ends by itself, INT64_MAX never. */
static int64_t ends_us(const struct approval_facts *f, const struct decision *d)
{
	int64_t end = INT64_MAX;

	if (f->policy->approval_valid_us > 0)
		end = d->at_us + f->policy->approval_valid_us;
	return d->until_us > 0 ? MIN(end, d->until_us) : end;
}

static bool counts(const struct approval_facts *f, const struct decision *d, struct approval_tally *t)
{
	char age[16];

	if (strcmp(d->actor, f->requester) == 0) {
		REFUSE(t, "%s asked for it", d->actor);
		return false;
	}
	if (f->setup != NULL && (roles_of(f->setup, f->env, d->actor) & decision_rule(d->kind)->roles) == 0) {
		REFUSE(t, "%s is no approver here", d->actor);
		return false;
	}
	if (f->setup != NULL && !in_groups(f->setup, f->policy, d->actor)) {
		REFUSE(t, "%s is not in %s%s", d->actor, f->policy->approve_groups[0],
		       f->policy->n_approve_groups > 1 ? " or the other groups" : "");
		return false;
	}
	if (f->now_us > ends_us(f, d)) {
		time_age(age, sizeof(age), f->now_us - ends_us(f, d));
		REFUSE(t, "%s's has lapsed %s ago", d->actor, age);
		return false;
	}
	if (f->policy->approve_once && f->spent_us > 0 && d->at_us <= f->spent_us) {
		REFUSE(t, "%s's served an earlier rollout", d->actor);
		return false;
	}
	return is_foreign(f, d, t) && signed_well(f, d, t);
}

/* The moment from which fewer than needed are left: the (n - needed + 1)th end in order of time. */
static int64_t lapse_us(int64_t *ends, int n, int needed)
{
	if (needed <= 0 || n < needed)
		return 0;
	for (int i = 1; i < n; i++)
		for (int k = i; k > 0 && ends[k - 1] > ends[k]; k--) {
			int64_t x = ends[k];

			ends[k] = ends[k - 1];
			ends[k - 1] = x;
		}
	return ends[n - needed] == INT64_MAX ? 0 : ends[n - needed];
}

void approvals_tally(const struct approval_facts *f, struct approval_tally *ret)
{
	const char *required = f->policy->approve_required;
	int64_t ends[APPROVALS_SEEN_MAX], required_until = 0;
	size_t used = 0;

	*ret = (struct approval_tally){.lacks_required = required[0] != '\0' && f->setup != NULL};
	for (int i = 0; f->plan[0] != '\0' && i < f->n_decisions; i++) {
		const struct decision *d = &f->decisions[i];

		if (!is_verdict(d, f->plan) || d->kind == DECISION_WITHDRAW || !is_last_word(f, i))
			continue;
		if (d->kind == DECISION_REJECT) {
			/* Whoever may not say no here does not. */
			if (f->setup != NULL && !roles_allow(f->setup, f->env, d))
				continue;
			ret->rejected = true;
			ret->rejection = d;
			continue;
		}
		if (ret->count == APPROVALS_SEEN_MAX || !counts(f, d, ret))
			continue;
		ends[ret->count++] = ends_us(f, d);
		if (ret->lacks_required || required_until > 0)
			if (f->setup != NULL && setup_in_group(f->setup, required, d->actor)) {
				ret->lacks_required = false;
				required_until = MAX(required_until, ends_us(f, d));
			}
		if (used < sizeof(ret->names)) {
			int w = snprintf(ret->names + used, sizeof(ret->names) - used, "%s%s",
			                 used > 0 ? ", " : "", d->actor);

			used += w > 0 ? (size_t)w : 0;
		}
	}
	ret->until_us = lapse_us(ends, ret->count, f->policy->approvals);
	if (required_until > 0 && required_until != INT64_MAX)
		ret->until_us = ret->until_us > 0 ? MIN(ret->until_us, required_until) : required_until;
}

bool approvals_suffice(const struct approval_tally *t, const struct policy *p)
{
	return !t->rejected && t->count >= p->approvals && (!t->lacks_required || p->approvals <= 0);
}
