/* A plan over several services: its members in order, what they share, and what it says of them. */
#include "core/plan.h"

#include <stdio.h>
#include <string.h>

const char *plan_set_name(const char *title) { return strncmp(title, "set:", 4) == 0 ? title + 4 : title; }

const struct plan *plan_member(const struct plan *set, const char *service)
{
	for (int i = 0; i < set->n_members; i++)
		if (strcmp(set->members[i]->service, service) == 0)
			return set->members[i];
	return NULL;
}

/* "api 2.0, web 1.3": the labels of the members' releases; the digest does not cover labels. */
static void labels(const struct plan *p, bool to, char dst[TAG_LEN])
{
	size_t used = 0;

	dst[0] = '\0';
	for (int i = 0; i < p->n_members && used < TAG_LEN; i++) {
		const struct release *r = to ? &p->members[i]->to : &p->members[i]->from;
		int w =
		    snprintf(dst + used, TAG_LEN - used, "%s%s %s", i > 0 ? ", " : "", p->members[i]->service,
		             r->tag[0] != '\0'      ? r->tag
		             : r->digest[0] != '\0' ? "?"
		                                    : "nothing");

		used += w > 0 ? (size_t)w : 0;
	}
}

/* Everybody who wrote a commit of any member: NULL where one member's are not known, for then nobody's are. */
static bool merge_commits(struct plan *p)
{
	int n = 0;

	for (int i = 0; i < p->n_members; i++) {
		const struct plan *m = p->members[i];

		if (m->commits == NULL) {
			snprintf(p->commits_text, sizeof(p->commits_text), "%s: %.300s", m->service,
			         m->commits_text);
			return true;
		}
		n += m->commits->n_items;
	}
	p->commits = commit_log_new(MIN(n, COMMITS_MAX));
	if (p->commits == NULL)
		return false;
	n = 0;
	for (int i = 0; i < p->n_members; i++) {
		const struct commit_log *log = p->members[i]->commits;
		/* Without people nobody can say who wrote these. */
		const bool unknown = log->n_people == 0 && log->n_items > 0;

		p->commits->people_cut = p->commits->people_cut || log->people_cut || unknown;
		p->commits->backwards = p->commits->backwards || log->backwards;
		p->commits->n_more += log->n_more;
		for (int k = 0; k < log->n_people; k++)
			if (!commit_log_person(p->commits, log->people[k].name, log->people[k].mail))
				return false;
		for (int k = 0; k < log->n_items; k++) {
			struct commit *c;

			if (n >= COMMITS_MAX) {
				p->commits->n_more++;
				continue;
			}
			c = &p->commits->items[n++];
			*c = log->items[k];
			/* One list for all: whose commit it is comes first. */
			if (c->scope[0] == '\0')
				str_copy(c->scope, sizeof(c->scope), p->members[i]->service);
		}
	}
	return true;
}

/* First of all: what could not be put back once it is done. */
static void back_risks(struct plan *p)
{
	char can[TEXT_LEN / 2] = "";
	size_t used = 0;

	for (int i = 0; i < p->n_members; i++) {
		const struct plan *m = p->members[i];

		if (m->kind != PLAN_PROMOTE || m->back_text[0] == '\0' || m->back == SCHEMA_SAME ||
		    m->back == SCHEMA_ADDITIVE) {
			int w = snprintf(can + used, sizeof(can) - used, "%s%s", used > 0 ? ", " : "",
			                 m->service);

			used = MIN(used + (size_t)MAX(w, 0), sizeof(can) - 1);
		}
	}
	for (int i = 0; i < p->n_members; i++) {
		const struct plan *m = p->members[i];

		if (m->kind != PLAN_PROMOTE || m->back_text[0] == '\0' || m->back == SCHEMA_SAME ||
		    m->back == SCHEMA_ADDITIVE)
			continue;
		plan_add_risk(p, true, "%s%s%s %s%s: %.200s", can,
		              can[0] == '\0'             ? ""
		              : strchr(can, ',') != NULL ? " can go back, "
		                                         : " can go back, ",
		              m->service, m->back == SCHEMA_BREAKS ? "cannot" : "may not be able to",
		              can[0] == '\0' ? " go back" : "", m->back_text);
	}
	for (int i = 0; i < p->n_members; i++)
		if (p->members[i]->kind == PLAN_PROMOTE && p->members[i]->from.digest[0] == '\0')
			plan_add_risk(p, true, "%s runs nowhere here yet: there is nothing to put back",
			              p->members[i]->service);
}

static void member_risks(struct plan *p)
{
	for (int i = 0; i < p->n_members; i++)
		for (int k = 0; k < p->members[i]->n_risks; k++)
			plan_add_risk(p, p->members[i]->risks[k].grave, "%s: %.330s", p->members[i]->service,
			              p->members[i]->risks[k].text);
}

int plan_set_make(struct plan *p, const char *title, const char *env, struct plan *const *members, int n,
                  struct error *e)
{
	static const struct deployment_conf none;
	bool known = true;

	p->kind = PLAN_SET;
	str_copy(p->service, sizeof(p->service), title);
	str_copy(p->env, sizeof(p->env), env);
	p->members = arena_alloc(&p->arena, SET_MAX * sizeof(*p->members));
	for (int i = 0; i < n; i++) {
		if (p->members != NULL && p->n_members < SET_MAX)
			p->members[p->n_members++] = members[i];
		else
			plan_free(members[i]);
	}
	if (p->members == NULL || n > SET_MAX)
		return error_set(e, ERR_NOMEM, "the set is too big");
	if (n == 0)
		return error_set(e, ERR_INVALID, "a set needs members");
	p->policy = members[0]->policy;
	/* All or nothing, but what goes back is never put forward again by itself: it waits for a person. */
	p->policy.on_failure = members[0]->kind == PLAN_ROLLBACK ? ON_FAILURE_PAUSE : ON_FAILURE_ROLLBACK;
	str_copy(p->source_env, sizeof(p->source_env), members[0]->source_env);
	for (int i = 0; i < n; i++) {
		p->tier = MAX(p->tier, members[i]->tier);
		known = known && members[i]->expect_us > 0;
		p->expect_us += members[i]->expect_us;
		if (members[i]->glass[0] != '\0' && p->glass[0] == '\0')
			str_copy(p->glass, sizeof(p->glass), members[i]->glass);
	}
	if (!known)
		p->expect_us = 0;
	labels(p, false, p->from.tag);
	labels(p, true, p->to.tag);
	back_risks(p);
	member_risks(p);
	plan_make_steps(p, &none, false, NULL);
	if (p->steps == NULL || !merge_commits(p))
		return error_set(e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == STEP_MEMBER)
			p->steps[i].expect_us = plan_member(p, p->steps[i].target)->expect_us;
	return plan_seal(p, e);
}

/* --- one after the other ------------------------------------------------------------------------ */

static bool migrates(const struct plan *p, const struct migration *m)
{
	for (int i = 0; i < p->n_migrations; i++)
		if (strcmp(p->migrations[i].name, m->name) == 0 &&
		    strcmp(p->migrations[i].checksum, m->checksum) == 0)
			return true;
	return false;
}

static void drop_details(struct plan *p, int migration)
{
	int kept = 0;

	for (int i = 0; i < p->n_details; i++) {
		if (p->details[i].migration == migration)
			continue;
		p->details[kept] = p->details[i];
		if (p->details[kept].migration > migration)
			p->details[kept].migration--;
		kept++;
	}
	p->n_details = kept;
}

static void drop_step(struct plan *p, enum step_kind kind)
{
	for (int i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == kind) {
			p->expect_us = MAX(p->expect_us - p->steps[i].expect_us, 0);
			memmove(&p->steps[i], &p->steps[i + 1],
			        (size_t)(p->n_steps - i - 1) * sizeof(*p->steps));
			p->n_steps--;
			return;
		}
}

int plan_after(struct plan *p, const struct plan *earlier, struct error *e)
{
	int dropped = 0;

	/* Two services with one database: the checksum and the tool say that it is the same migration. */
	if (p->kind != PLAN_PROMOTE || strcmp(p->migrate_tool, earlier->migrate_tool) != 0)
		return 0;
	for (int i = 0; i < p->n_migrations;) {
		if (p->migrations[i].checksum[0] == '\0' || !migrates(earlier, &p->migrations[i])) {
			i++;
			continue;
		}
		memmove(&p->migrations[i], &p->migrations[i + 1],
		        (size_t)(p->n_migrations - i - 1) * sizeof(*p->migrations));
		p->n_migrations--;
		drop_details(p, i);
		dropped++;
	}
	if (dropped == 0)
		return 0;
	if (p->n_migrations == 0)
		drop_step(p, STEP_MIGRATE);
	plan_add_risk(p, false, "%d of its migrations %s run by %s before", dropped,
	              dropped == 1 ? "is" : "are", earlier->service);
	return plan_seal(p, e);
}
