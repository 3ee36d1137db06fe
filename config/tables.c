/* The file's own mappings: one row per key. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "config/field.h"
#include "core/lint.h"
#include "core/text.h"
#include "io/file.h"

static int set_short(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct env_conf *env = base;
	const char *s = "";
	int rc = read_text(ld, f->name, y, &s);

	if (rc != 0)
		return rc;
	if (strlen(s) >= SHORT_LEN || !text_is_slug(s)) {
		load_fail(ld, y, "short %.60s is no valid token", s);
		error_hint(ld->e, "1 to %d small letters, digits or '-': people type it to confirm",
		           SHORT_LEN - 1);
		return ERR_INVALID;
	}
	str_copy(env->short_name, sizeof(env->short_name), s);
	return 0;
}

/* Groups are read before the environments, so that every name of one can be looked up at once. */
static int need_group(struct loader *ld, const struct yaml *y, const char *name)
{
	const char *names[GROUPS_MAX + 1];
	int i = 0;

	for (; i < ld->s->n_groups; i++) {
		if (strcmp(ld->s->groups[i].name, name) == 0)
			return 0;
		names[i] = ld->s->groups[i].name;
	}
	names[i] = NULL;
	load_unknown(ld, y, "the group", name, names);
	if (i == 0)
		error_hint(ld->e, "the file names no groups: add groups: {%.60s: [anna, ben]}", name);
	return ERR_INVALID;
}

static int set_approval_groups(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct policy *p = base;
	const char *const *list = NULL;
	int rc = read_list(ld, f->name, y, 0, &list);

	if (rc == 0 && y->n > APPROVE_GROUPS_MAX) {
		load_fail(ld, y, "%s names %d groups", f->name, y->n);
		error_hint(ld->e, "at most %d; make one group of several", APPROVE_GROUPS_MAX);
		return ERR_INVALID;
	}
	for (int i = 0; rc == 0 && list[i] != NULL; i++) {
		rc = need_group(ld, y->items[i], list[i]);
		if (rc == 0)
			str_copy(p->approve_groups[p->n_approve_groups++], NAME_LEN, list[i]);
	}
	return rc;
}

static int set_approval_required(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct policy *p = base;
	const char *s = "";
	int rc = read_text(ld, f->name, y, &s);

	if (rc == 0)
		rc = need_group(ld, y, s);
	if (rc == 0)
		str_copy(p->approve_required, sizeof(p->approve_required), s);
	return rc;
}

/* A mapping of names to lists of texts: for groups and for people, which look the same. */
static int read_names(struct loader *ld, const struct field *f, const struct yaml *y, int max,
                      struct group_conf **ret, int *ret_n)
{
	struct group_conf *items;

	if (y->type != YAML_MAP || y->n > max) {
		load_fail(ld, y, "%s must be a mapping of at most %d names to lists", f->name, max);
		error_hint(ld->e, "such as %s: %s", f->name, f->example);
		return ERR_INVALID;
	}
	items = arena_alloc(ld->a, ((size_t)y->n + 1) * sizeof(*items));
	if (items == NULL)
		return error_set(ld->e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < y->n; i++) {
		int rc = read_list(ld, y->keys[i], y->items[i], 1, &items[i].people);

		if (rc != 0)
			return rc;
		if (strlen(y->keys[i]) >= NAME_LEN || y->items[i]->n > PEOPLE_MAX) {
			load_fail(ld, y->key_at[i], "%s.%.60s is too long", f->name, y->keys[i]);
			error_hint(ld->e, "names of at most %d bytes, lists of at most %d", NAME_LEN - 1,
			           PEOPLE_MAX);
			return ERR_INVALID;
		}
		items[i].name = y->keys[i];
	}
	*ret = items;
	*ret_n = y->n;
	return 0;
}

static int set_groups(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct setup *s = base;

	return read_names(ld, f, y, GROUPS_MAX, &s->groups, &s->n_groups);
}

static int set_people(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct setup *s = base;
	struct group_conf *items = NULL;
	int n = 0, rc = read_names(ld, f, y, PEOPLE_MAX, &items, &n);

	if (rc != 0)
		return rc;
	s->people = arena_alloc(ld->a, ((size_t)n + 1) * sizeof(*s->people));
	if (s->people == NULL)
		return error_set(ld->e, ERR_NOMEM, "out of memory");
	for (int i = 0; i < n; i++)
		s->people[i] = (struct person_conf){items[i].name, items[i].people};
	s->n_people = n;
	return 0;
}

static int set_role(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	const char *const **dst = (const char *const **)(void *)((char *)base + f->at);
	int rc = read_list(ld, f->name, y, 0, dst);

	for (int i = 0; rc == 0 && (*dst)[i] != NULL; i++)
		if ((*dst)[i][0] == '@')
			rc = need_group(ld, y->items[i], (*dst)[i] + 1);
	return rc;
}

static int set_signing_path(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	const char **dst = (const char **)(void *)((char *)base + f->at);
	char path[PATH_LEN];
	const char *s = "";
	int rc = read_text(ld, f->name, y, &s);

	if (rc != 0)
		return rc;
	if (s[0] == '\0' || s[0] == '~' || file_join(path, sizeof(path), ld->dir, s) != 0) {
		load_fail(ld, y, "%s is no path that can be used", f->name);
		error_hint(ld->e, "a path from the folder of this file, or one that starts with /");
		return ERR_INVALID;
	}
	*dst = arena_strdup(ld->a, path);
	return *dst != NULL ? 0 : error_set(ld->e, ERR_NOMEM, "out of memory");
}

int set_lint(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct lint_conf *c = (struct lint_conf *)(void *)((char *)base + f->at);
	struct lint_policy scratch;
	struct error why = {.code = ERR_OK};

	if (y->type != YAML_MAP) {
		load_fail(ld, y, "%s must be a mapping of rules to severities", f->name);
		error_hint(ld->e, "such as lint: {L1: error, drop-column: warning, S: off}");
		return ERR_INVALID;
	}
	lint_policy_init(&scratch);
	c->items = arena_alloc(ld->a, (size_t)MAX(y->n, 1) * sizeof(*c->items));
	for (int i = 0; c->items != NULL && i < y->n; i++) {
		const char *severity = "";
		int rc = read_text(ld, y->keys[i], y->items[i], &severity);

		if (rc != 0)
			return rc;
		/* "false" is how YAML 1.1 reads "off". */
		severity = strcmp(severity, "false") == 0 ? "off" : severity;
		if (lint_policy_set(&scratch, y->keys[i], severity, &why) != 0) {
			load_fail(ld, y->items[i], "%s: %.200s", f->name, why.text);
			error_hint(ld->e, "%s", why.hint);
			return ERR_INVALID;
		}
		c->items[c->n++] =
		    (struct lint_override){arena_strdup(ld->a, y->keys[i]), arena_strdup(ld->a, severity)};
	}
	return 0;
}

static int check_gates(struct loader *ld, const struct yaml *y, void *base)
{
	struct policy *p = base;

	p->gate_on[GATE_SOAK] = p->soak_us > 0;
	p->gate_on[GATE_LINT] = p->lint_block > SEVERITY_OFF;
	p->gate_on[GATE_BACKUP] = p->backup_max_age_us > 0;
	p->gate_on[GATE_APPROVAL] = p->approvals > 0;
	if (p->approvals == 0 && (p->n_approve_groups > 0 || p->approve_required[0] != '\0')) {
		const char *key = p->n_approve_groups > 0 ? "approval_groups" : "approval_required";

		load_fail(ld, yaml_get(y, key), "%s says who approves, and no approval is asked for", key);
		error_hint(ld->e, "say how many: approvals: 1");
		return ERR_INVALID;
	}
	if (p->signing != SIGNING_OFF && ld->s->allowed_signers == NULL) {
		load_fail(ld, yaml_get(y, "approval_signed"),
		          "approval_signed needs to know whose keys count");
		error_hint(ld->e, "add signing: {allowed_signers: PATH}, in the format of ssh-keygen(1)");
		return ERR_INVALID;
	}
	return 0;
}

static int check_thresholds(struct loader *ld, const struct yaml *y, void *base)
{
	const struct thresholds *t = base;
	const char *key = t->error_pct_warn > t->error_pct_fail ? "errors"
	                  : t->p99_ms_warn > t->p99_ms_fail     ? "p99"
	                                                        : NULL;
	char name[32];
	const struct yaml *at;

	if (key == NULL)
		return 0;
	snprintf(name, sizeof(name), "%s_warn", key);
	at = yaml_get(y, name);
	if (at == NULL) {
		snprintf(name, sizeof(name), "%s_fail", key);
		at = yaml_get(y, name);
	}
	load_fail(ld, at != NULL ? at : y, "%s_warn is above %s_fail", key, key);
	error_hint(ld->e, "a warning comes first: make %s_warn smaller than %s_fail", key, key);
	return ERR_INVALID;
}

static int check_env(struct loader *ld, const struct yaml *y, void *base)
{
	const struct env_conf *env = base;
	const struct yaml *tier = yaml_get(y, "tier");

	if (!env->production || tier == NULL || env->tier >= TIER_T3)
		return 0;
	load_fail(ld, tier, "a production environment has tier 3");
	error_hint(ld->e, "remove tier, or write tier: 3");
	return ERR_INVALID;
}

static int set_tier(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct env_conf *env = base;
	int64_t v = 0;
	int rc = read_int(ld, f->name, y, f->min, f->max, &v);

	if (rc == 0)
		env->tier = (enum tier)v;
	return rc;
}

/* In the order of enum lint_severity. */
static const char *const severity_words[] = {"off", "info", "warning", "error", NULL};
static const char *const failure_words[] = {"abort", "pause", "rollback", NULL};
static const char *const signing_words[] = {"off", "optional", "required", NULL};
static const char *const executor_words[] = {"solo", "service", NULL};
static const char *const glyph_words[] = {"auto", "ascii", "line", "rich", NULL};

static const struct field instance_fields[] = {
    {.name = "name",
     .type = FIELD_SLUG,
     .required = true,
     .at = offsetof(struct instance_conf, name),
     .text = "Name of the instance, unique in its deployment.",
     .example = "web-1"},
    {.name = "url",
     .type = FIELD_URL,
     .at = offsetof(struct instance_conf, url),
     .text = "Its base address; drivers and smoke tests know it as {url}.",
     .example = "\"http://127.0.0.1:8080\""},
    {.name = NULL},
};
const struct table table_instance = {.name = "instance",
                                     .text = "One process or host of a deployment.",
                                     .size = sizeof(struct instance_conf),
                                     .fields = instance_fields};

#define GATE(kind) offsetof(struct policy, gate_on[kind])
static const struct field gates_fields[] = {
    {.name = "image",
     .type = FIELD_BOOL,
     .otherwise = "on",
     .at = GATE(GATE_IMAGE),
     .text = "The image is in the registry and its bytes match their digests."},
    {.name = "migrations",
     .type = FIELD_BOOL,
     .otherwise = "on",
     .at = GATE(GATE_MIGRATIONS),
     .text = "Migrations can be read and nothing blocks them."},
    {.name = "migration_lint",
     .type = FIELD_CHOICE,
     .as_index = true,
     .choices = severity_words,
     .otherwise = "error",
     .at = offsetof(struct policy, lint_block),
     .text =
         "The least severity of a finding of the migration lint that keeps a plan from running; see lint and "
         "towpath-lint(7).",
     .example = "warning"},
    {.name = "backup",
     .type = FIELD_DURATION,
     .otherwise = "off",
     .at = offsetof(struct policy, backup_max_age_us),
     .max = 365 * US_PER_DAY,
     .text =
         "How old the newest backup of the database may be when migrations run or are taken back, or off. "
         "Where backups are is said with the migrations: backups or backups_command.",
     .example = "26h"},
    {.name = "config",
     .type = FIELD_BOOL,
     .otherwise = "on",
     .at = GATE(GATE_CONFIG),
     .text = "Required configuration keys are present."},
    {.name = "smoke",
     .type = FIELD_BOOL,
     .otherwise = "on",
     .at = GATE(GATE_SMOKE),
     .text = "The smoke suite was green on the previous environment for this very release."},
    {.name = "soak",
     .type = FIELD_DURATION,
     .otherwise = "off",
     .at = offsetof(struct policy, soak_us),
     .max = 60 * US_PER_DAY,
     .text = "How long the release must have run on the previous environment, or off.",
     .example = "1h"},
    {.name = "freeze",
     .type = FIELD_BOOL,
     .otherwise = "on",
     .at = GATE(GATE_FREEZE),
     .text = "No freeze holds."},
    {.name = "approvals",
     .type = FIELD_INT,
     .otherwise = "0",
     .at = offsetof(struct policy, approvals),
     .min = 0,
     .max = 10,
     .text = "How many people other than the requester must approve the plan.",
     .example = "1"},
    {.name = "smoke_max_age",
     .type = FIELD_DURATION,
     .otherwise = "0",
     .at = offsetof(struct policy, smoke_max_age_us),
     .max = 365 * US_PER_DAY,
     .text = "Oldest smoke result that counts; 0 is any age.",
     .example = "1h"},
    {.name = "approval_valid",
     .type = FIELD_DURATION,
     .otherwise = "0",
     .at = offsetof(struct policy, approval_valid_us),
     .max = 365 * US_PER_DAY,
     .text = "How long an approval counts, in a rollout under way too; 0 is until the plan changes.",
     .example = "4h"},
    {.name = "approval_groups",
     .type = FIELD_OTHER,
     .set = set_approval_groups,
     .kind = "list of groups",
     .schema = "{\"type\":\"array\",\"maxItems\":4,\"items\":{\"type\":\"string\"}}",
     .text = "Only people of these groups may approve. Without it everybody who may approve there.",
     .example = "[leads, release]"},
    {.name = "approval_required",
     .type = FIELD_OTHER,
     .set = set_approval_required,
     .kind = "group",
     .schema = "{\"type\":\"string\"}",
     .text = "At least one of those who approve must be of this group.",
     .example = "leads"},
    {.name = "approval_not_own",
     .type = FIELD_BOOL,
     .otherwise = "off",
     .at = offsetof(struct policy, approve_not_own),
     .text =
         "Authors and committers of a commit between what runs and the release do not count. The names of "
         "git are matched with people; where the commits cannot be read the gate stays shut."},
    {.name = "approval_once",
     .type = FIELD_BOOL,
     .otherwise = "off",
     .at = offsetof(struct policy, approve_once),
     .text = "An approval serves one rollout. Without it a rollout that is started again counts it as long "
             "as the "
             "plan has the very same digest."},
    {.name = "approval_signed",
     .type = FIELD_CHOICE,
     .as_index = true,
     .choices = signing_words,
     .otherwise = "off",
     .at = offsetof(struct policy, signing),
     .text =
         "Whether approvals are signed with the approver's SSH key, see signing. With optional a signature "
         "that is there must be right; with required no approval counts without."},
    {.name = NULL},
};
const struct table table_gates = {.name = "gates",
                                  .text = "Conditions that must hold before a plan may run.",
                                  .size = sizeof(struct policy),
                                  .fields = gates_fields,
                                  .check = check_gates};

#define ROLE(list) offsetof(struct env_conf, roles[list])
#define ROLE_SCHEMA "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
static const struct field roles_fields[] = {
    {.name = "viewer",
     .type = FIELD_OTHER,
     .set = set_role,
     .at = ROLE(ROLES_VIEWER),
     .kind = "list of people and @groups",
     .schema = ROLE_SCHEMA,
     .text = "May only look, whatever other list has them too.",
     .example = "[\"@guests\"]"},
    {.name = "operator",
     .type = FIELD_OTHER,
     .set = set_role,
     .at = ROLE(ROLES_OPERATOR),
     .kind = "list of people and @groups",
     .schema = ROLE_SCHEMA,
     .text = "May plan, start and steer rollouts, freeze, lock, pin and mark releases.",
     .example = "[\"@oncall\", carla]"},
    {.name = "approver",
     .type = FIELD_OTHER,
     .set = set_role,
     .at = ROLE(ROLES_APPROVER),
     .kind = "list of people and @groups",
     .schema = ROLE_SCHEMA,
     .text = "May approve, reject and withdraw.",
     .example = "[\"@leads\"]"},
    {.name = "admin",
     .type = FIELD_OTHER,
     .set = set_role,
     .at = ROLE(ROLES_ADMIN),
     .kind = "list of people and @groups",
     .schema = ROLE_SCHEMA,
     .text = "May do what operators may, and let everything go on after a global stop.",
     .example = "[anna]"},
    {.name = NULL},
};
const struct table table_roles = {
    .name = "roles",
    .text =
        "Who may do what in the environment. Without it the store's roles alone decide; with it both must "
        "allow, and who is in no list may only look. The rollout's process judges it with its own config, "
        "whatever a console says.",
    .size = sizeof(struct env_conf),
    .fields = roles_fields};

#define POLICY(member) offsetof(struct env_conf, policy.member)
static const struct field env_fields[] = {
    {.name = "name",
     .type = FIELD_SLUG,
     .required = true,
     .at = offsetof(struct env_conf, name),
     .text = "Name of the environment.",
     .example = "prod"},
    {.name = "short",
     .type = FIELD_OTHER,
     .set = set_short,
     .kind = "name",
     .schema = "{\"type\":\"string\",\"maxLength\":7}",
     .text = "Token of at most 7 characters that people type to confirm; the first 7 of the name by default.",
     .example = "prod"},
    {.name = "production",
     .type = FIELD_BOOL,
     .otherwise = "false",
     .at = offsetof(struct env_conf, production),
     .text = "Marks it on every screen and asks for the full confirmation."},
    {.name = "tier",
     .type = FIELD_OTHER,
     .set = set_tier,
     .kind = "1, 2 or 3",
     .min = 1,
     .max = 3,
     .schema = "{\"type\":\"integer\",\"minimum\":1,\"maximum\":3}",
     .text = "Friction of a promotion: 1 a key, 2 two keys, 3 a typed name. By default 3 in production, 1 "
             "for the "
             "first environment, else 2."},
    {.name = "gates",
     .type = FIELD_MAP,
     .sub = &table_gates,
     .at = offsetof(struct env_conf, policy),
     .text = "What must hold before a promotion into it."},
    {.name = "lint",
     .type = FIELD_OTHER,
     .set = set_lint,
     .at = offsetof(struct env_conf, lint),
     .kind = "mapping of rules to severities",
     .schema = LINT_SCHEMA,
     .text = "Severities of the migration lint that differ here: off, info, warning or error by rule, name "
             "or class; "
             "they count before those of the service and of the file.",
     .example = "{L1: error, T3: off}"},
    {.name = "on_failure",
     .type = FIELD_CHOICE,
     .as_index = true,
     .choices = failure_words,
     .otherwise = "pause",
     .at = POLICY(on_failure),
     .text = "What a rollout does when a step fails."},
    {.name = "verify",
     .type = FIELD_DURATION,
     .otherwise = "20s",
     .at = POLICY(verify_us),
     .min = 0,
     .max = US_PER_DAY,
     .text = "How long health is given to become and stay green after a deploy."},
    {.name = "rollback_exempt",
     .type = FIELD_BOOL,
     .otherwise = "true",
     .at = POLICY(rollback_exempt),
     .text = "Rollbacks skip freeze, soak, smoke and approvals, and are audited."},
    {.name = "strict_locks",
     .type = FIELD_BOOL,
     .otherwise = "off",
     .at = POLICY(lock_strict),
     .text = "A lock of somebody else stops rollbacks too. Without it a lock lets them through, and the plan "
             "says so."},
    {.name = "glass_max",
     .type = FIELD_DURATION,
     .otherwise = "1h",
     .at = POLICY(glass_max_us),
     .max = US_PER_DAY,
     .text =
         "The longest that broken glass may last; off means that it cannot be broken there. A longer wish is "
         "refused, and a rollout counts none past it.",
     .example = "30m"},
    {.name = "read_only",
     .type = FIELD_BOOL,
     .otherwise = "off",
     .at = offsetof(struct env_conf, read_only),
     .text = "The console acts there only while somebody has raised it for a while, with a reason that the "
             "audit keeps. Hold, abort, freeze and reject always work, and so does the command line."},
    {.name = "roles", .type = FIELD_MAP, .sub = &table_roles, .text = "Who may do what in it."},
    {.name = "freezes",
     .type = FIELD_SEQ,
     .sub = &table_freeze,
     .at = offsetof(struct env_conf, freezes),
     .n_at = offsetof(struct env_conf, n_freezes),
     .max = WINDOWS_MAX,
     .text = "Times without promotions. They win over allows."},
    {.name = "allows",
     .type = FIELD_SEQ,
     .sub = &table_freeze,
     .at = offsetof(struct env_conf, allows),
     .n_at = offsetof(struct env_conf, n_allows),
     .max = WINDOWS_MAX,
     .text = "The only times with promotions, where there are some.",
     .example = "[{reason: office hours, window: \"Mon-Thu 09:00-16:00\", zone: Europe/Berlin}]"},
    {.name = NULL},
};
const struct table table_env = {.name = "environment",
                                .text = "A place in the promotion path.",
                                .size = sizeof(struct env_conf),
                                .fields = env_fields,
                                .check = check_env};

static const struct field thresholds_fields[] = {
    {.name = "errors_warn",
     .type = FIELD_NUM,
     .otherwise = "1",
     .at = offsetof(struct thresholds, error_pct_warn),
     .max = 100,
     .text = "Per cent of failed requests that degrades."},
    {.name = "errors_fail",
     .type = FIELD_NUM,
     .otherwise = "5",
     .at = offsetof(struct thresholds, error_pct_fail),
     .max = 100,
     .text = "Per cent of failed requests that fails."},
    {.name = "p99_warn",
     .type = FIELD_NUM,
     .unit_ms = true,
     .otherwise = "500ms",
     .at = offsetof(struct thresholds, p99_ms_warn),
     .min = 1,
     .max = US_PER_H,
     .text = "99th percentile of latency that degrades."},
    {.name = "p99_fail",
     .type = FIELD_NUM,
     .unit_ms = true,
     .otherwise = "2s",
     .at = offsetof(struct thresholds, p99_ms_fail),
     .min = 1,
     .max = US_PER_H,
     .text = "99th percentile of latency that fails."},
    {.name = "stale",
     .type = FIELD_DURATION,
     .otherwise = "30s",
     .at = offsetof(struct thresholds, stale_us),
     .min = US_PER_S,
     .max = US_PER_DAY,
     .text = "Older values count as unknown."},
    {.name = NULL},
};
const struct table table_thresholds = {.name = "thresholds",
                                       .text = "When numbers turn a deployment yellow or red.",
                                       .size = sizeof(struct thresholds),
                                       .fields = thresholds_fields,
                                       .check = check_thresholds};

static const struct field ui_fields[] = {
    {.name = "theme",
     .type = FIELD_TEXT,
     .otherwise = "auto",
     .at = offsetof(struct setup, theme),
     .max = 1000,
     .text = "auto (dark or light as the terminal's background), dark, light, mono, classic, or the path of "
             "a theme "
             "file.",
     .example = "light"},
    {.name = "glyphs",
     .type = FIELD_CHOICE,
     .choices = glyph_words,
     .otherwise = "auto",
     .at = offsetof(struct setup, glyphs),
     .text = "Characters for borders, states and graphs."},
    {.name = "idle_lock",
     .type = FIELD_DURATION,
     .otherwise = "10m",
     .at = offsetof(struct setup, idle_lock_us),
     .max = US_PER_DAY,
     .text = "Without a key for so long the console wants a word typed before it acts again; off: never."},
    {.name = "presence",
     .type = FIELD_BOOL,
     .otherwise = "on",
     .at = offsetof(struct setup, presence),
     .text = "Others who use the store see what this console looks at, and that it is about to act."},
    {.name = NULL},
};
const struct table table_ui = {.name = "ui", .text = "How the console looks.", .fields = ui_fields};

/* Relative to the file's folder, like the paths of drivers. */
static int set_path(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	const char *s = "", **at = (const char **)(void *)((char *)base + f->at);
	char path[PATH_LEN];
	int rc = read_text(ld, f->name, y, &s);

	if (rc != 0)
		return rc;
	if (s[0] == '\0' || file_join(path, sizeof(path), ld->dir, s) != 0) {
		load_fail(ld, y, "%s is no path", f->name);
		error_hint(ld->e, "at most %d bytes, absolute or relative to this file", PATH_LEN - 1);
		return ERR_INVALID;
	}
	*at = arena_strdup(ld->a, path);
	return *at != NULL ? 0 : error_set(ld->e, ERR_NOMEM, "out of memory");
}

#define AUDIT(member) offsetof(struct setup, audit.member)
#define AUDIT_PATH(name_, text_, example_)                                                                   \
	{                                                                                                    \
		.name = #name_, .type = FIELD_OTHER, .set = set_path, .kind = "path",                        \
		.schema = "{\"type\":\"string\"}", .at = AUDIT(name_), .text = (text_),                      \
		.example = (example_)                                                                        \
	}
static const struct field audit_fields[] = {
    AUDIT_PATH(file,
               "Where checkpoints are written, a line each: a place that who may write the store may not.",
               "/var/log/towpath/witness.jsonl"),
    AUDIT_PATH(git, "Folder of a git repository that gets checkpoints as notes, refs/notes/towpath-audit.",
               "/srv/git/shop.git"),
    AUDIT_PATH(
        key,
        "Key that signs checkpoints, through ssh-keygen: a private key without a passphrase, or a public one "
        "whose "
        "private half is in the agent. Without it they are not signed.",
        "/etc/towpath/audit_key"),
    AUDIT_PATH(signers,
               "Allowed signers file (ssh-keygen(1)) that signatures of checkpoints are checked against.",
               "/etc/towpath/audit_signers"),
    {.name = "every_rows",
     .type = FIELD_INT,
     .otherwise = "256",
     .at = AUDIT(every_rows),
     .min = 0,
     .max = 1000000,
     .text = "A running rollout writes a checkpoint after so many rows; 0 is not by rows."},
    {.name = "every",
     .type = FIELD_DURATION,
     .otherwise = "1m",
     .at = AUDIT(every_us),
     .min = 0,
     .max = US_PER_DAY,
     .text = "And at least this often, where there are new rows; off is at its end only."},
    {.name = NULL},
};
const struct table table_audit = {
    .name = "audit",
    .text = "How the audit is witnessed outside of the store. Without file and git it "
            "is not.",
    .fields = audit_fields};

/* Short tokens and tiers that were not given; names that are there twice. */
static int check_environments(struct loader *ld, const struct yaml *y)
{
	struct setup *s = ld->s;

	for (int i = 0; i < s->n_envs; i++) {
		struct env_conf *env = &s->envs[i];
		const struct yaml *node = y->items[i];
		const struct yaml *at = yaml_get(node, "short");

		if (at == NULL)
			snprintf(env->short_name, sizeof(env->short_name), "%.7s", env->name);
		if (yaml_get(node, "tier") == NULL)
			env->tier = env->production ? TIER_T3 : i == 0 ? TIER_T1 : TIER_T2;
		for (int k = 0; k < i; k++) {
			const struct env_conf *o = &s->envs[k];

			if (strcmp(o->name, env->name) == 0 || strcmp(o->short_name, env->name) == 0) {
				load_fail(ld, yaml_get(node, "name"), "environment %.60s is here twice",
				          env->name);
				error_hint(ld->e,
				           "names and short tokens are unique; the other is in line %d",
				           y->items[k]->line);
				return ERR_INVALID;
			}
			if (strcmp(o->short_name, env->short_name) == 0 ||
			    strcmp(o->name, env->short_name) == 0) {
				load_fail(ld, at != NULL ? at : yaml_get(node, "name"),
				          "short token %s of %.60s is also that of %.60s", env->short_name,
				          env->name, o->name);
				error_hint(ld->e, "add short: with another token of at most %d characters",
				           SHORT_LEN - 1);
				return ERR_INVALID;
			}
		}
	}
	return 0;
}

static int set_environments(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	int rc = read_many(ld, f, y, base);

	return rc != 0 ? rc : check_environments(ld, y);
}

static const struct field signing_fields[] = {
    {.name = "allowed_signers",
     .type = FIELD_OTHER,
     .set = set_signing_path,
     .kind = "path",
     .schema = "{\"type\":\"string\"}",
     .at = offsetof(struct setup, allowed_signers),
     .text = "File of principals and their keys as in ALLOWED SIGNERS of ssh-keygen(1), with valid-after, "
             "valid-before "
             "and namespaces=\"approve@towpath\" where wanted. The principal is the approver's name in the "
             "store.",
     .example = "allowed_signers"},
    {.name = "revoked",
     .type = FIELD_OTHER,
     .set = set_signing_path,
     .kind = "path",
     .schema = "{\"type\":\"string\"}",
     .at = offsetof(struct setup, revoked_keys),
     .text = "Keys that count no longer: a KRL, or public keys one a line.",
     .example = "revoked_keys"},
    {.name = NULL},
};
const struct table table_signing = {.name = "signing",
                                    .text =
                                        "Whose signatures count for approvals, see approval_signed of gates.",
                                    .fields = signing_fields};

static int set_store(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	UNUSED(f);
	UNUSED(base);
	ld->store = y;
	return 0;
}

static const struct field top_fields[] = {
    {.name = "name",
     .type = FIELD_TEXT,
     .required = true,
     .at = offsetof(struct setup, name),
     .max = NAME_LEN - 1,
     .text = "Name of the organisation; stands in the first line of every screen.",
     .example = "acme"},
    {.name = "store",
     .type = FIELD_DRIVER,
     .port = PORT_STORE,
     .set = set_store,
     .text = "Where plans, rollouts, decisions and the audit are kept."},
    {.name = "executor",
     .type = FIELD_CHOICE,
     .as_index = true,
     .choices = executor_words,
     .otherwise = "solo",
     .at = offsetof(struct setup, executor),
     .text = "Who drives rollouts. With solo whoever starts one starts its process on the same host. With "
             "service it "
             "waits in the store for towpath executor, and one whose place is busy is queued."},
    {.name = "poll",
     .type = FIELD_DURATION,
     .otherwise = "2s",
     .at = offsetof(struct setup, poll_us),
     .min = 100 * US_PER_MS,
     .max = US_PER_H,
     .text = "How often deployments and health are observed."},
    {.name = "ui", .type = FIELD_MAP, .sub = &table_ui, .text = "How the console looks."},
    {.name = "groups",
     .type = FIELD_OTHER,
     .set = set_groups,
     .kind = "mapping of names to lists of people",
     .schema = "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"array\",\"items\":{\"type\":"
               "\"string\"}}}",
     .text = "Named lists of people, by their names in the store; for roles and approvals.",
     .example = "{leads: [anna, ben]}"},
    {.name = "people",
     .type = FIELD_OTHER,
     .set = set_people,
     .kind = "mapping of names to lists",
     .schema = "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"array\",\"items\":{\"type\":"
               "\"string\"}}}",
     .text = "What people are called in git: names and addresses, where they differ from the store's. A "
             "name, or an "
             "address that begins with it, is known without.",
     .example = "{anna: [\"Anna Lind\", al@example.org]}"},
    {.name = "signing",
     .type = FIELD_MAP,
     .sub = &table_signing,
     .text = "Whose signatures count for approvals."},
    {.name = "lint",
     .type = FIELD_OTHER,
     .set = set_lint,
     .at = offsetof(struct setup, lint),
     .kind = "mapping of rules to severities",
     .schema = LINT_SCHEMA,
     .text = "Severities of the migration lint that differ from the rules' own: off, info, warning or error "
             "by rule "
             "(L1), name (drop-column) or class (S).",
     .example = "{L1: error, T3: off}"},
    {.name = "audit",
     .type = FIELD_MAP,
     .sub = &table_audit,
     .text = "How the audit is witnessed outside of the store."},
    {.name = "environments",
     .type = FIELD_SEQ,
     .required = true,
     .sub = &table_env,
     .set = set_environments,
     .at = offsetof(struct setup, envs),
     .n_at = offsetof(struct setup, n_envs),
     .min = 1,
     .max = ENVIRONMENTS_MAX,
     .text = "All environments; their order is the promotion path.",
     .example = "[{name: dev}, {name: prod, production: true}]"},
    {.name = "smoke",
     .type = FIELD_DICT,
     .sub = &table_suite,
     .at = offsetof(struct setup, suites),
     .n_at = offsetof(struct setup, n_suites),
     .key_at = offsetof(struct smoke_suite_conf, name),
     .max = SMOKE_SUITES_MAX,
     .text = "Smoke suites by name."},
    {.name = "services",
     .type = FIELD_SEQ,
     .required = true,
     .sub = &table_service,
     .set = set_services,
     .text = "All services.",
     .example = "[{name: web, deploy: {driver: host, root: ...}}]",
     .min = 1,
     .max = SERVICES_MAX},
    {.name = "sets",
     .type = FIELD_DICT,
     .sub = &table_set,
     .at = offsetof(struct setup, sets),
     .n_at = offsetof(struct setup, n_sets),
     .key_at = offsetof(struct set_conf, name),
     .max = SETS_MAX,
     .text = "Release sets by name: services that are promoted as one plan, and go back as one.",
     .example = "{shop: {services: [api, web]}}"},
    {.name = NULL},
};
const struct table table_top = {.name = "towpath.yaml", .text = "The file as a whole.", .fields = top_fields};

const struct table *const tables[] = {
    &table_top,     &table_ui,         &table_audit,  &table_signing,  &table_env,
    &table_roles,   &table_gates,      &table_freeze, &table_suite,    &table_step,
    &table_service, &table_thresholds, &table_place,  &table_instance, &table_set, NULL};
