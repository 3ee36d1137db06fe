/* towpath.yaml: what a good file becomes, and for each mistake its line, column and what would be right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends/drivers.h"
#include "config/config.h"
#include "config/near.h"
#include "core/baked.h"
#include "tests/lib/config_drivers.h"

static const char good[] =
    "name: acme\n"
    "store: {driver: sqlite, path: state/store.db}\n"
    "environments:\n"
    "  - {name: dev, tier: 1, gates: {smoke: off}}\n"
    "  - name: staging\n"
    "  - name: production\n"
    "    production: true\n"
    "    gates: {soak: 30s, approvals: 1, approval_valid: 4h}\n"
    "    freezes:\n"
    "      - {reason: weekend, window: \"Fri-Sun 16:00-24:00\", zone: Europe/Berlin}\n"
    "smoke:\n"
    "  basics:\n"
    "    steps:\n"
    "      - {name: version, url: \"{url}/v\", capture: {name: rev, path: .revision}}\n"
    "      - {name: page, url: \"{url}/${rev}\", status: 200-204, after: [version]}\n"
    "      - {name: own, command: [\"true\"], tap: true, json: null}\n"
    "services:\n"
    "  - name: web\n"
    "    smoke: basics\n"
    "    forge: {driver: git, path: repo}\n"
    "    deploy: {driver: host, root: \"hosts/{env}/{service}\", restart: [run, \"{env}\", \"{instance}\"]}\n"
    "    logs: {driver: file, path: \"/log/{instance}.log\"}\n"
    "    metrics: [{driver: probe, url: \"{url}/health\"}]\n"
    "    environments:\n"
    "      dev: {instances: [{name: web-1, url: \"http://127.0.0.1:1\"}]}\n"
    "      staging: false\n"
    "      production:\n"
    "        instances: [{name: web-1}, {name: web-2}]\n"
    "        deploy: {keep: 9, token: {file: \"secrets/{env}\"}}\n"
    "        logs: false\n"
    "        metrics: [{driver: text, url: \"{url}/m\"}, {driver: probe, url: \"{url}/h\"}]\n";

static int parse(const char *text, size_t n, struct setup **ret, struct error *e)
{
	memset(e, 0, sizeof(*e));
	return config_parse("f.yaml", "/base", text, n, config_test_drivers, ret, e);
}

static struct setup *parse_good(const char *text)
{
	struct setup *s = NULL;
	struct error e;

	if (parse(text, strlen(text), &s, &e) != 0)
		fail_msg("%d:%d: %s (%s)", e.line, e.col, e.text, e.hint);
	return s;
}

/* good with json: null of the third step removed: it is there only to be cut by tests of that key. */
static char *good_text(void)
{
	char *t = strdup(good), *cut = strstr(t, ", json: null");

	memmove(cut, cut + strlen(", json: null"), strlen(cut + strlen(", json: null")) + 1);
	return t;
}

static void fills_the_setup(void **state)
{
	char *text = good_text();
	struct setup *s = parse_good(text);
	const struct deployment_conf *d;

	(void)state;
	assert_string_equal(s->name, "acme");
	assert_string_equal(s->dir, "/base");
	assert_int_equal(strlen(s->digest), 71);
	assert_string_equal(s->store.driver, "sqlite");
	assert_string_equal(jv_get_text(s->store.options, "path", ""), "/base/state/store.db");
	assert_int_equal(s->poll_us, 2 * US_PER_S);
	assert_string_equal(s->theme, "auto");
	assert_string_equal(s->glyphs, "auto");
	assert_int_equal(s->n_envs, 3);
	assert_string_equal(s->envs[2].short_name, "product");
	assert_int_equal(s->envs[0].tier, TIER_T1);
	assert_int_equal(s->envs[1].tier, TIER_T2);
	assert_int_equal(s->envs[2].tier, TIER_T3);
	assert_false(s->envs[0].policy.gate_on[GATE_SMOKE]);
	assert_true(s->envs[0].policy.gate_on[GATE_IMAGE]);
	assert_false(s->envs[0].policy.gate_on[GATE_SOAK]);
	assert_true(s->envs[2].policy.gate_on[GATE_SOAK]);
	assert_int_equal(s->envs[2].policy.soak_us, 30 * US_PER_S);
	assert_true(s->envs[2].policy.gate_on[GATE_APPROVAL]);
	assert_int_equal(s->envs[2].policy.approvals, 1);
	assert_int_equal(s->envs[2].policy.on_failure, ON_FAILURE_PAUSE);
	assert_true(s->envs[2].policy.rollback_exempt);
	assert_int_equal(s->envs[2].n_freezes, 1);
	assert_non_null(s->envs[2].freezes[0].zone);
	assert_int_equal(s->n_suites, 1);
	assert_int_equal(s->suites[0].n_steps, 3);
	assert_int_equal(s->suites[0].steps[1].status_min, 200);
	assert_int_equal(s->suites[0].steps[1].status_max, 204);
	assert_int_equal(s->suites[0].steps[0].status_max, 299);
	assert_string_equal(s->suites[0].steps[1].after[0], "version");
	assert_true(s->suites[0].steps[2].tap);
	assert_string_equal(s->services[0].smoke, "basics");
	assert_string_equal(s->services[0].forge.driver, "git");
	assert_float_equal(s->services[0].thresholds.p99_ms_fail, 2000, 0.001);

	d = setup_deployment(s, 0, 0);
	assert_true(d->present);
	assert_string_equal(d->instances[0].url, "http://127.0.0.1:1");
	assert_string_equal(jv_get_text(d->deploy.options, "root", ""), "/base/hosts/dev/web");
	assert_string_equal(jv_text(jv_at(jv_get(d->deploy.options, "restart"), 1), ""), "dev");
	assert_string_equal(jv_text(jv_at(jv_get(d->deploy.options, "restart"), 2), ""), "{instance}");
	assert_int_equal(jv_get_num(d->deploy.options, "keep", 0), 5);
	assert_int_equal(jv_get_num(d->deploy.options, "drain", 0), 5 * US_PER_S);
	assert_string_equal(jv_get_text(d->deploy.options, "mode", ""), "rolling");
	assert_int_equal(jv_len(jv_get(d->deploy.options, "hosts")), 2);
	assert_string_equal(jv_get_text(d->logs.options, "path", ""), "/log/{instance}.log");
	assert_int_equal(d->n_metrics, 1);
	assert_false(setup_deployment(s, 0, 1)->present);

	d = setup_deployment(s, 0, 2);
	assert_int_equal(d->n_instances, 2);
	assert_string_equal(d->instances[0].url, "");
	assert_int_equal(jv_get_num(d->deploy.options, "keep", 0), 9);
	assert_string_equal(jv_get_text(d->deploy.options, "root", ""), "/base/hosts/production/web");
	assert_string_equal(jv_get_text(jv_get(d->deploy.options, "token"), "file", ""),
	                    "/base/secrets/production");
	assert_null(d->logs.driver);
	assert_int_equal(d->n_metrics, 2);
	setup_free(s);
	free(text);
}

/* An environment's own driver shares no option with the service's. */
static void another_driver_starts_afresh(void **state)
{
	struct setup *s =
	    parse_good("name: a\nstore: {driver: sqlite, path: s}\nenvironments: [{name: dev}]\n"
	               "services:\n  - name: web\n    deploy: {driver: host, root: x}\n"
	               "    environments: {dev: {deploy: {driver: \"null\"}}}\n");

	(void)state;
	assert_string_equal(setup_deployment(s, 0, 0)->deploy.driver, "null");
	assert_int_equal(jv_len(setup_deployment(s, 0, 0)->deploy.options), 0);
	setup_free(s);
}

/* A mistake in the good file: a piece of it is replaced, and the error must be at mark (in the new piece). */
struct mistake {
	const char *was, *is;
	const char *mark; /* the place is where this text starts, after the start of the change */
	const char *says, *hint;
};
static const struct mistake mistakes[] = {
    {"name: acme", "nam: acme", "nam", "the key nam is not known", "did you mean name?"},
    {"name: acme\n", "", "store", "towpath.yaml has no name", "add name"},
    {"name: acme", "name: [acme]", "[acme]", "name must be a text", ""},
    {"name: acme", "name: {acme}", "{acme}", "name must be a text", "quotes"},
    {"driver: sqlite", "driver: sqlit", "sqlit,", "the driver sqlit is not known", "did you mean sqlite?"},
    {"driver: sqlite, path: state/store.db", "path: state/store.db", "{path", "store has no driver",
     "add driver: sqlite"},
    {", path: state/store.db", "", "{driver", "the driver sqlite needs path", "state/store.db"},
    {"path: state/store.db", "path: \"s/{env}\"", "{env}", "{env} has no meaning here", "deployment"},
    {"path: state/store.db", "path: ~/x", "~/x", "not a path", "folder of this file"},
    {"path: state/store.db", "path: ''", "''", "path is empty", "a path"},
    {"path: state/store.db", "path: x, pth: y", "pth", "the option pth is not known", "did you mean path?"},
    {"store: {", "poll: 0s\nstore: {", "0s", "poll is 0s", "from 0.1s"},
    {"store: {", "poll: 5\nstore: {", "5", "poll must be a duration", "500ms"},
    {"store: {", "ui: {theme: dark, glyphs: acsii}\nstore: {", "acsii", "glyphs acsii is not known", "ascii"},
    {"store: {", "ui: dark\nstore: {", "dark", "ui must be a mapping", ""},
    {"name: dev", "name: Dev", "Dev", "name Dev is no valid name", "small letters"},
    {"name: dev", "name: staging", "name: staging\n", NULL, NULL},
    {"tier: 1", "tier: 4", "4", "tier is 4", "from 1 to 3"},
    {"tier: 1", "tier: one", "one", "tier must be a whole number", "from 1 to 3"},
    {"tier: 1", "tier: \"1\"", "\"1\"", "tier must be a whole number", ""},
    {"production: true", "production: true\n    tier: 1", "1", "a production environment has tier 3",
     "tier: 3"},
    {"production: true", "production: maybe", "maybe", "production must be true or false", "on, off"},
    {"production: true", "production: \"true\"", "\"true\"", "production must be true or false",
     "without quotes"},
    {"production: true", "short: toolongs", "toolongs", "short toolongs is no valid token", "1 to 7"},
    {"production: true", "short: dev", "dev", "short token dev of production is also that of dev",
     "another token"},
    {"production: true", "on_failure: rolback", "rolback", "on_failure rolback is not known",
     "did you mean rollback?"},
    {"production: true", "verify: x", "x", "verify must be a duration", ""},
    {"approvals: 1", "approvals: 11", "11", "approvals is 11", "from 0 to 10"},
    {"approvals: 1", "approvals: -1", "-1", "approvals is -1", "from 0 to 10"},
    {"approvals: 1", "aprovals: 1", "aprovals", "the key aprovals", "did you mean approvals?"},
    {"soak: 30s", "soak: yes", "yes", "soak must be a duration", ""},
    {"reason: weekend, ", "", "{window", "freeze has no reason", "add reason: weekend"},
    {"Fri-Sun 16:00-24:00", "Fri-Son 16:00", "\"Fri-Son", "window Fri-Son 16:00", ""},
    {"zone: Europe/Berlin", "zone: Europe/Berlim", "Europe/Berlim", "zone Europe/Berlim is not known",
     "IANA"},
    {"zone: Europe/Berlin", "zone: ../../../etc/passwd", "../", "is not known", "IANA"},
    {"zone: Europe/Berlin", "zone: /etc/passwd", "/etc", "is not known", "IANA"},
    {"name: acme", "name: acme\nlint: {L99: error}", "error}", "no rule is called L99", "drop-column"},
    {"name: acme", "name: acme\nlint: {L1: loud}", "loud", "loud is no severity", "off, info"},
    {"name: acme", "name: acme\nlint: [L1]", "[L1", "lint must be a mapping", "such as"},
    {"zone: Europe/Berlin", "zone: Europe", "Europe", "is not known", "IANA"},
    {"  basics:", "  Basics:", "Basics", "name Basics is no valid name", "small letters"},
    {"{name: version, url: \"{url}/v\"", "{name: version", "{name: version", "neither url nor command",
     "one of them"},
    {"command: [\"true\"]", "command: [\"true\"], url: \"{url}/\"", "{name: own", "both url and command",
     "one of them"},
    {"tap: true", "status: 200", "200", "status has no meaning beside command", "url instead"},
    {"status: 200-204", "tap: true", "true", "tap has no meaning beside url", ""},
    {"status: 200-204", "status: 99", "99", "status must be an HTTP status", "200-299"},
    {"status: 200-204", "status: 299-200", "299", "status must be an HTTP status", "200-299"},
    {"status: 200-204", "method: GETT", "GETT", "method GETT is not known", "did you mean GET?"},
    {"status: 200-204", "headers: {\"a b\": c}", "\"a b\"", "header name a b is not valid", ""},
    {"status: 200-204", "headers: x", "x", "headers must be a mapping", "Accept"},
    {"status: 200-204", "latency: 0s", "0s", "latency is 0s", "from "},
    {"status: 200-204", "timeout: 2d", "2d", "timeout is 2d", "to 1h"},
    {"status: 200-204", "json: {equals: 1}", "{equals", "json has no path", ".status"},
    {"status: 200-204", "json: {path: status}", "status}", "path status is not valid", ".items[0].name"},
    {"status: 200-204", "json: {path: .a, is: 1}", "is:", "the key is is not known", "equals"},
    {"name: rev, path: .revision", "path: .revision", "{path", "capture has no name", "${rev}"},
    {"name: rev", "name: Rev", "Rev", "name Rev is no valid variable", ""},
    {"${rev}", "${rve}", "\"{url}/${rve}", "${rve} is captured by no step before", "capture"},
    {"after: [version]", "after: []", NULL, "${rev} is captured by no step before", "after"},
    {"after: [version]", "after: [versoin]", "versoin", "the step versoin is not known",
     "did you mean version?"},
    {"after: [version]", "after: [page]", "[page]", "step page comes after itself", "circle"},
    {"path: .revision}}", "path: .revision}, after: [page]}", "[page]", "step version comes after itself",
     "circle"},
    {"name: page", "name: version", "version", "step version is here twice", "line 14"},
    {"url: \"{url}/v\"", "url: \"ftp://x\"", "\"ftp", "must start with http:// or https://", "{url}/health"},
    {"url: \"{url}/v\"", "url: \"http://u:p@h/\"", "\"http", "carries a user name or password", "reference"},
    {"url: \"{url}/v\"", "url: \"http://\"", "\"http", "has no host", ""},
    {"url: \"{url}/v\"", "url: \"http://a b\"", "\"http", "no valid URL", ""},
    {"smoke: basics", "smoke: basic", "basic\n", "the smoke suite basic is not known",
     "did you mean basics?"},
    {"smoke: basics", "owners: x", "owners", "the key owners", "did you mean owner?"},
    {"smoke: basics", "thresholds: {errors_warn: 9}", "9", "errors_warn is above errors_fail", "comes first"},
    {"smoke: basics", "thresholds: {p99_fail: 1ms}", "1ms", "p99_warn is above p99_fail", ""},
    {"smoke: basics", "thresholds: {errors_warn: 101}", "101", "errors_warn must be a number",
     "from 0 to 100"},
    {"driver: git", "driver: gti", "gti", "the driver gti", "did you mean git?"},
    {"driver: git, path: repo", "driver: git, path: \"{env}/repo\"", "{env}", "{env} has no meaning here",
     ""},
    {"hosts/{env}", "hosts/{envi}", "{envi}", "the placeholder envi is not known", "did you mean env?"},
    {"\"{instance}\"]", "\"{digest}\"]", "{digest}", "the placeholder digest is not known", "instance"},
    {"root: \"hosts/{env}/{service}\", ", "", "{driver: host", "the driver host needs root", "add root"},
    {"restart: [run, \"{env}\", \"{instance}\"]", "restart: run", "run", "restart must be a list",
     "[first, second]"},
    {"restart: [run, \"{env}\", \"{instance}\"]", "restart: []", "[]", "restart is empty", "at least 1"},
    {"restart: [run, \"{env}\", \"{instance}\"]", "restart: ['']", "''", "restart names no program",
     "arguments"},
    {"restart: [run, \"{env}\", \"{instance}\"]", "mode: roling", "roling", "mode roling is not known",
     "did you mean rolling?"},
    {"restart: [run, \"{env}\", \"{instance}\"]", "keep: 0", "0", "keep is 0", "from 1 to 100"},
    {"restart: [run, \"{env}\", \"{instance}\"]", "drain: 2h", "2h", "drain is 2h", "to 1h"},
    {"restart: [run, \"{env}\", \"{instance}\"]", "force: 1", "1", "force must be true or false", ""},
    {"restart: [run, \"{env}\", \"{instance}\"]", "labels: [a]", "[a]", "labels must be a mapping", ""},
    {"restart: [run, \"{env}\", \"{instance}\"]", "labels: {a: [b]}", "[b]", "a must be a text", ""},
    {"restart: [run, \"{env}\", \"{instance}\"]", "version_url: x", "x",
     "must start with http:// or https://", ""},
    {"restart: [run, \"{env}\", \"{instance}\"]", "token: hunter2", "hunter2",
     "token must be a reference, never the secret", "{env: NAME}"},
    {"restart: [run, \"{env}\", \"{instance}\"]", "token: {value: hunter2}", "value",
     "the secret source value", "env, file, command"},
    {"restart: [run, \"{env}\", \"{instance}\"]", "token: {env: A, file: b}", "{env: A",
     "token must be a reference", ""},
    {"restart: [run, \"{env}\", \"{instance}\"]", "token: {env: \"a-b\"}", "\"a-b\"",
     "no name of an environment variable", "DATABASE_URL"},
    {"restart: [run, \"{env}\", \"{instance}\"]", "token: {command: pass}", "pass", "command must be a list",
     ""},
    {"metrics: [{driver: probe", "metrics: [{driver: prob", "prob,", "the driver prob ",
     "did you mean probe?"},
    {"metrics: [{driver: probe, url: \"{url}/health\"}]", "metrics: {driver: probe, url: \"{url}/h\"}",
     "{driver", "metrics must be a list", "[{driver: probe"},
    {"deploy: {driver: host, root: \"hosts/{env}/{service}\"", "migrate: {driver: django, path: \"x\"", NULL,
     NULL, NULL},
    {"      staging: false", "      stagin: false", "stagin", "the environment stagin is not known",
     "did you mean staging?"},
    {"      staging: false", "      staging: true", "true", "environment of a service must be a mapping", ""},
    {"      staging: false", "      staging: {instances: [{name: a}, {name: a}]}", "a}]",
     "instance a is here twice", "line 26"},
    {"      staging: false", "      staging: {instances: [{url: x}]}", "{url", "instance has no name",
     "web-1"},
    {"      staging: false", "      staging: {instances: [{name: a, url: \"file:///x\"}]}", "\"file",
     "url must start with http", ""},
    {"      staging: false", "      staging: {deploy: false}", "{deploy",
     "service web has no deploy in staging", "staging: false"},
    {"      staging: false", "      staging: {deploy: {kep: 1}}", "kep", "the option kep",
     "did you mean keep?"},
    {"      staging: false", "      staging: {deploy: host}", "host",
     "deploy must be a mapping with a driver", "false for none"},
    {"      staging: false", "      staging: {migrate: {path: x}}", "{path", "migrate has no driver",
     "add driver: django"},
    {"services:\n", "sets: {shop: {services: [web, wab]}}\nservices:\n", "wab",
     "a service that is not there: wab", "under services"},
    {"services:\n", "sets: {shop: {services: [web, web]}}\nservices:\n", "web]", "names web twice",
     "one place"},
    {"services:\n", "sets: {shop: {services: []}}\nservices:\n", "[]", "services", ""},
    {"services:\n", "sets: {Shop: {services: [web]}}\nservices:\n", "Shop", "", ""},
    {"services:\n", "sets: {shop: {text: x}}\nservices:\n", "{text", "has no services", "add services"},
    {"logs: false\n", "logs: &a {}\n", "&a", "anchors are not allowed", ""},
};

static void place_of(const char *text, size_t offset, int *line, int *col)
{
	*line = *col = 1;
	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			(*line)++;
			*col = 1;
		} else {
			(*col)++;
		}
	}
}

static void mistakes_have_places(void **state)
{
	char *base = good_text();
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		const struct mistake *m = &mistakes[i];
		char text[8192];
		const char *at = strstr(base, m->was), *mark;
		size_t before = at != NULL ? (size_t)(at - base) : 0;
		struct setup *s = NULL;
		struct error e;
		int line = 0, col = 0, rc;

		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)before, base, m->is, at + strlen(m->was));
		rc = parse(text, strlen(text), &s, &e);
		if (rc == 0) {
			fprintf(stderr, "case %zu (%s) is accepted\n", i, m->is);
			setup_free(s);
			wrong++;
			continue;
		}
		mark = m->mark != NULL ? strstr(text + (before > 20 ? before - 20 : 0), m->mark) : NULL;
		if (mark != NULL)
			place_of(text, (size_t)(mark - text), &line, &col);
		if (rc != ERR_INVALID || e.line < 1 || e.col < 1 || e.hint[0] == '\0' ||
		    (mark == NULL && m->mark != NULL) ||
		    (m->says != NULL && mark != NULL && (e.line != line || e.col != col)) ||
		    (m->says != NULL &&
		     (strstr(e.text, m->says) == NULL || strstr(e.hint, m->hint) == NULL))) {
			fprintf(stderr, "case %zu (%s): %d at %d:%d, wanted %d:%d: %s (%s)\n", i, m->is, rc,
			        e.line, e.col, line, col, e.text, e.hint);
			wrong++;
		}
		assert_string_equal(e.where, "f.yaml");
	}
	free(base);
	assert_int_equal(wrong, 0);
}

static void empty_files(void **state)
{
	static const char *const texts[] = {"",
	                                    "# nothing\n",
	                                    "[]\n",
	                                    "x\n",
	                                    "name: a\nenvironments: []\nservices: []\n",
	                                    "name: a\nenvironments: [{name: d}]\nservices: []\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct setup *s = NULL;
		struct error e;

		assert_int_equal(parse(texts[i], strlen(texts[i]), &s, &e), ERR_INVALID);
		assert_true(e.line >= 1 && e.col >= 1 && e.hint[0] != '\0');
	}
}

/* A small file with lines of the top and of its one environment. */
static int parse_policy(const char *top, const char *env, struct setup **ret, struct error *e)
{
	char text[2048];

	snprintf(text, sizeof(text),
	         "name: a\nstore: {driver: sqlite, path: s}\n%senvironments:\n  - name: prod\n%sservices: "
	         "[{name: web, deploy: {driver: host, root: r}}]\n",
	         top, env);
	return parse(text, strlen(text), ret, e);
}

static void policies(void **state)
{
	static const struct {
		const char *top, *env, *says;
		int line;
	} bad[] = {
	    {"", "    gates: {approval_groups: [leads]}\n", "the group", 5},
	    {"groups: {leads: [anna]}\n", "    gates: {approval_required: leades}\n", "the group", 6},
	    {"groups: {leads: [anna]}\n", "    gates: {approval_required: leads}\n", "no approval is asked for", 6},
	    {"groups: {leads: []}\n", "", "empty", 3},
	    {"groups: [anna]\n", "", "must be a mapping", 3},
	    {"", "    roles: {operator: [\"@ops\"]}\n", "the group", 5},
	    {"", "    roles: {boss: [anna]}\n", "the key", 5},
	    {"", "    gates: {approval_signed: required}\n", "whose keys count", 5},
	    {"", "    gates: {approval_signed: maybe}\n", "approval_signed", 5},
	    {"", "    glass_max: 2d\n", "glass_max", 5},
	    {"groups: {a: [x], b: [x], c: [x], d: [x], e: [x]}\n",
	     "    gates: {approval_groups: [a, b, c, d, e]}\n", "names 5 groups", 6},
	    {"", "    freezes: [{reason: x}]\n", "not when", 5},
	    {"", "    freezes: [{reason: x, cron: \"0 9 * * *\"}]\n", "how long", 5},
	    {"", "    freezes: [{reason: x, cron: \"0 9 * *\", lasts: 1h}]\n", "five fields", 5},
	    {"", "    allows: [{reason: x, rrule: \"FREQ=HOURLY\", lasts: 1h}]\n", "FREQ is", 5},
	    {"", "    allows: [{reason: x, window: \"daily 09:00-17:00\", lasts: 1h}]\n", "lasts belongs", 5},
	    {"", "    allows: [{reason: x, cron: \"0 9 * * *\", window: \"daily 09:00-17:00\"}]\n", "exclude",
	     5},
	    {"signing: {allowed_signers: \"~/x\"}\n", "", "no path", 3},
	};
	struct setup *s = NULL;
	struct error e;

	UNUSED(state);
	if (parse_policy("groups: {leads: [anna, ben]}\npeople: {anna: [Anna Lind]}\nsigning: "
	                 "{allowed_signers: keys}\n",
	                 "    gates: {approvals: 2, approval_groups: [leads], approval_required: leads, "
	                 "approval_not_own: on, approval_once: on, approval_signed: optional}\n"
	                 "    roles: {operator: [\"@leads\", zed], approver: []}\n"
	                 "    freezes: [{reason: d, rrule: \"FREQ=MONTHLY;BYDAY=-1FR\", from: "
	                 "2026-01-05T16:00, lasts: 8h, "
	                 "except: [2026-12-25T16:00], zone: Europe/Berlin}]\n    strict_locks: on\n    "
	                 "glass_max: off\n",
	                 &s, &e) != 0)
		fail_msg("%d:%d %s (%s)", e.line, e.col, e.text, e.hint);
	assert_string_equal(s->allowed_signers, "/base/keys");
	assert_null(s->revoked_keys);
	assert_true(setup_in_group(s, "leads", "ben"));
	assert_false(setup_in_group(s, "leads", "zed"));
	assert_string_equal(s->people[0].git[0], "Anna Lind");
	assert_string_equal(s->envs[0].policy.approve_groups[0], "leads");
	assert_string_equal(s->envs[0].policy.approve_required, "leads");
	assert_true(s->envs[0].policy.approve_not_own && s->envs[0].policy.approve_once &&
	            s->envs[0].policy.lock_strict);
	assert_int_equal(s->envs[0].policy.signing, SIGNING_OPTIONAL);
	assert_int_equal(s->envs[0].policy.glass_max_us, 0);
	assert_string_equal(s->envs[0].roles[ROLES_OPERATOR][1], "zed");
	assert_null(s->envs[0].roles[ROLES_APPROVER][0]);
	assert_null(s->envs[0].roles[ROLES_ADMIN]);
	setup_free(s);
	assert_int_equal(parse_policy("", "", &s, &e), 0);
	assert_int_equal(s->envs[0].policy.glass_max_us, GLASS_MAX_US);
	setup_free(s);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(parse_policy(bad[i].top, bad[i].env, &s, &e), ERR_INVALID);
		if (strstr(e.text, bad[i].says) == NULL || e.line != bad[i].line || e.hint[0] == '\0')
			fail_msg("%zu: %d:%d %s (%s)", i, e.line, e.col, e.text, e.hint);
	}
}

/* Every byte region of the full example deleted, doubled, garbled: a place, or a setup, never a crash. */
static void mutations_never_crash(void **state)
{
	const struct baked *full = baked_find("config/examples/full.yaml");
	static const char junk[] = "\t{}[]:,&*!|>'\"%@`#\n -\x01\xff";
	char *text;
	unsigned seed = 1;
	int loaded = 0, refused = 0;
	struct setup *whole = NULL;
	struct error why;

	(void)state;
	assert_non_null(full);
	text = malloc(full->n * 2 + 100);
	assert_non_null(text);
	if (config_parse("full", "/base", (const char *)full->bytes, full->n, drivers, &whole, &why) != 0)
		fail_msg("%d:%d %s (%s)", why.line, why.col, why.text, why.hint);
	setup_free(whole);
	for (size_t at = 0; at < full->n; at += 3) {
		for (int kind = 0; kind < 3; kind++) {
			size_t len = 1 + (seed >> 16) % 24, n;
			struct setup *s = NULL;
			struct error e;

			seed = seed * 1103515245 + 12345;
			len = MIN(len, full->n - at);
			memcpy(text, full->bytes, full->n);
			n = full->n;
			if (kind == 0) {
				memmove(text + at, text + at + len, n - at - len);
				n -= len;
			} else if (kind == 1) {
				memmove(text + at + len, text + at, n - at);
				n += len;
			} else {
				for (size_t i = 0; i < len; i++)
					text[at + i] = junk[(seed >> (i % 20)) % (sizeof(junk) - 1)];
			}
			memset(&e, 0, sizeof(e));
			if (config_parse("full", "/base", text, n, drivers, &s, &e) == 0) {
				loaded++;
				setup_free(s);
				continue;
			}
			refused++;
			if (e.line < 1 || e.col < 1 || e.text[0] == '\0')
				fail_msg("no place at %zu kind %d: %d:%d %s", at, kind, e.line, e.col,
				         e.text);
		}
	}
	free(text);
	assert_true(refused > 100);
	assert_true(loaded + refused > 1000);
}

static void examples_load(void **state)
{
	int n = 0;

	(void)state;
	for (const struct baked *b = baked_files; b->path != NULL; b++) {
		struct setup *s = NULL;
		struct error e = {0};

		if (strncmp(b->path, "config/examples/", 16) != 0)
			continue;
		if (config_parse(b->path, "/base", (const char *)b->bytes, b->n, drivers, &s, &e) != 0)
			fail_msg("%s:%d:%d: %s (%s)", b->path, e.line, e.col, e.text, e.hint);
		assert_true(s->n_services > 0);
		setup_free(s);
		n++;
	}
	assert_true(n >= 3);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void files_that_others_may_write_are_refused(void **state)
{
	char dir[] = "/tmp/towpath-load-XXXXXX", path[80];
	char *text = good_text();
	struct setup *s = NULL;
	struct error e = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/towpath.yaml", dir);
	write_file(path, text, 0644);
	assert_int_equal(config_load(path, config_test_drivers, &s, &e), 0);
	assert_string_equal(s->dir, dir);
	assert_string_equal(s->path, path);
	setup_free(s);
	write_file(path, text, 0664);
	assert_int_equal(config_load(path, config_test_drivers, &s, &e), ERR_DENIED);
	assert_non_null(strstr(e.hint, "chmod"));
	write_file(path, text, 0646);
	assert_int_equal(config_load(path, config_test_drivers, &s, &e), ERR_DENIED);
	if (geteuid() == 0) {
		write_file(path, text, 0644);
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_int_equal(config_load(path, config_test_drivers, &s, &e), ERR_DENIED);
		assert_non_null(strstr(e.text, "another user"));
	}
	unlink(path);
	assert_int_equal(config_load(path, config_test_drivers, &s, &e), ERR_NOT_FOUND);
	rmdir(dir);
	free(text);
}

static void finds_the_file(void **state)
{
	char dir[] = "/tmp/towpath-find-XXXXXX", path[120], found[PATH_LEN], here[PATH_LEN];
	struct error e = {0};

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	unsetenv("TOWPATH_CONFIG");
	setenv("XDG_CONFIG_HOME", dir, 1);
	assert_int_equal(config_find(NULL, found, sizeof(found), &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, "$TOWPATH_CONFIG"));
	assert_non_null(strstr(e.text, dir));
	snprintf(path, sizeof(path), "%s/towpath", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/towpath/towpath.yaml", dir);
	write_file(path, "x", 0600);
	assert_int_equal(config_find(NULL, found, sizeof(found), &e), 0);
	assert_string_equal(found, path);
	write_file("towpath.yaml", "x", 0600);
	assert_int_equal(config_find(NULL, found, sizeof(found), &e), 0);
	assert_string_equal(found, "towpath.yaml");
	setenv("TOWPATH_CONFIG", path, 1);
	assert_int_equal(config_find(NULL, found, sizeof(found), &e), 0);
	assert_string_equal(found, path);
	setenv("TOWPATH_CONFIG", "/nowhere", 1);
	assert_int_equal(config_find(NULL, found, sizeof(found), &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.hint, "$TOWPATH_CONFIG"));
	assert_int_equal(config_find("towpath.yaml", found, sizeof(found), &e), 0);
	assert_int_equal(config_find("absent.yaml", found, sizeof(found), &e), ERR_NOT_FOUND);
	unsetenv("TOWPATH_CONFIG");
	unlink("towpath.yaml");
	unlink(path);
	snprintf(path, sizeof(path), "%s/towpath", dir);
	rmdir(path);
	assert_int_equal(chdir(here), 0);
	rmdir(dir);
}

static void nearest_names(void **state)
{
	static const char *const names[] = {"deploy", "logs", "migrate", NULL};

	(void)state;
	assert_int_equal(near_distance("abc", "abc"), 0);
	assert_int_equal(near_distance("abc", "acb"), 1);
	assert_int_equal(near_distance("abc", "xabc"), 1);
	assert_int_equal(near_distance("", "abc"), 3);
	assert_string_equal(near_name("depoly", names), "deploy");
	assert_string_equal(near_name("log", names), "logs");
	assert_null(near_name("xyzzy", names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(fills_the_setup),
	                                   cmocka_unit_test(another_driver_starts_afresh),
	                                   cmocka_unit_test(mistakes_have_places),
	                                   cmocka_unit_test(empty_files),
	                                   cmocka_unit_test(policies),
	                                   cmocka_unit_test(mutations_never_crash),
	                                   cmocka_unit_test(examples_load),
	                                   cmocka_unit_test(files_that_others_may_write_are_refused),
	                                   cmocka_unit_test(finds_the_file),
	                                   cmocka_unit_test(nearest_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
