/* The file's own mappings: one row per key. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "config/field.h"
#include "core/text.h"
#include "io/file.h"

enum { ZONE_BYTES_MAX = 256 * 1024 };

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

static int set_window(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct freeze_window *fr = base;
	struct error why = {.code = ERR_OK};
	const char *s = "";
	int rc = read_text(ld, f->name, y, &s);

	if (rc != 0)
		return rc;
	if (window_parse(s, &fr->window, &why) != 0) {
		load_fail(ld, y, "window %.60s: %.200s", s, why.text);
		error_hint(ld->e, "%s", why.hint[0] != '\0' ? why.hint : "such as \"Fri-Sun 16:00-24:00\"");
		return ERR_INVALID;
	}
	return 0;
}

static bool zone_name_ok(const char *s)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";

	return s[0] != '\0' && s[0] != '/' && strlen(s) < NAME_LEN && strspn(s, allowed) == strlen(s) &&
	       strstr(s, "//") == NULL;
}

static int set_zone(struct loader *ld, const struct field *f, const struct yaml *y, void *base)
{
	struct freeze_window *fr = base;
	struct error why = {.code = ERR_OK};
	char path[PATH_LEN];
	struct str bytes;
	int rc = read_text(ld, f->name, y, &fr->zone_name);

	if (rc != 0 || strcmp(fr->zone_name, "UTC") == 0)
		return rc;
	str_init(&bytes, ZONE_BYTES_MAX);
	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%.80s", fr->zone_name);
	if (zone_name_ok(fr->zone_name) && file_read(path, ZONE_BYTES_MAX, &bytes, &why) == 0)
		fr->zone = zone_parse(fr->zone_name, bytes.data, bytes.len, &why);
	str_release(&bytes);
	if (fr->zone != NULL)
		return 0;
	load_fail(ld, y, "zone %.60s is not known on this machine", fr->zone_name);
	error_hint(ld->e, file_exists("/usr/share/zoneinfo/Europe/Berlin")
	                      ? "an IANA name such as Europe/Berlin, or UTC"
	                      : "install the package tzdata, or use UTC");
	return ERR_INVALID;
}

static int check_freeze(struct loader *ld, const struct yaml *y, void *base)
{
	const struct freeze_window *fr = base;

	if (fr->window.days != 0)
		return 0;
	load_fail(ld, yaml_get(y, "window"), "window names no day");
	error_hint(ld->e, "such as \"Fri-Sun 16:00-24:00\"");
	return ERR_INVALID;
}

static int check_gates(struct loader *ld, const struct yaml *y, void *base)
{
	struct policy *p = base;

	UNUSED(ld);
	UNUSED(y);
	p->gate_on[GATE_SOAK] = p->soak_us > 0;
	p->gate_on[GATE_APPROVAL] = p->approvals > 0;
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

static const char *const failure_words[] = {"abort", "pause", "rollback", NULL};
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

static const struct field freeze_fields[] = {
    {.name = "reason",
     .type = FIELD_TEXT,
     .required = true,
     .at = offsetof(struct freeze_window, reason),
     .max = 200,
     .text = "Why; shown to whoever is held by it.",
     .example = "weekend"},
    {.name = "window",
     .type = FIELD_OTHER,
     .required = true,
     .set = set_window,
     .kind = "window",
     .schema = "{\"type\":\"string\"}",
     .text = "Days and times of day, local to the zone; to before from runs over midnight.",
     .example = "\"Fri-Sun 16:00-24:00\""},
    {.name = "zone",
     .type = FIELD_OTHER,
     .set = set_zone,
     .kind = "zone",
     .otherwise = "UTC",
     .schema = "{\"type\":\"string\"}",
     .text = "IANA name of the time zone.",
     .example = "Europe/Berlin"},
    {.name = NULL},
};
const struct table table_freeze = {.name = "freeze",
                                   .text = "A weekly time in which nothing may be promoted.",
                                   .size = sizeof(struct freeze_window),
                                   .fields = freeze_fields,
                                   .check = check_freeze};

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
     .text = "How long an approval counts; 0 is until the plan changes.",
     .example = "4h"},
    {.name = NULL},
};
const struct table table_gates = {.name = "gates",
                                  .text = "Conditions that must hold before a plan may run.",
                                  .size = sizeof(struct policy),
                                  .fields = gates_fields,
                                  .check = check_gates};

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
    {.name = "freezes",
     .type = FIELD_SEQ,
     .sub = &table_freeze,
     .at = offsetof(struct env_conf, freezes),
     .n_at = offsetof(struct env_conf, n_freezes),
     .max = 64,
     .text = "Weekly times without promotions."},
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
    {.name = NULL},
};
const struct table table_ui = {.name = "ui", .text = "How the console looks.", .fields = ui_fields};

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
    {.name = "poll",
     .type = FIELD_DURATION,
     .otherwise = "2s",
     .at = offsetof(struct setup, poll_us),
     .min = 100 * US_PER_MS,
     .max = US_PER_H,
     .text = "How often deployments and health are observed."},
    {.name = "ui", .type = FIELD_MAP, .sub = &table_ui, .text = "How the console looks."},
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
    {.name = NULL},
};
const struct table table_top = {.name = "towpath.yaml", .text = "The file as a whole.", .fields = top_fields};

const struct table *const tables[] = {&table_top,        &table_ui,    &table_env,      &table_gates,
                                      &table_freeze,     &table_suite, &table_step,     &table_service,
                                      &table_thresholds, &table_place, &table_instance, NULL};
