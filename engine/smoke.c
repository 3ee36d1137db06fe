/* Runs a smoke suite: HTTP and command steps, as many at once as their order allows. */
#include "engine/smoke.h"

#include "core/match.h"
#include "core/text.h"
#include "io/http.h"
#include "io/proc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

enum { AT_ONCE_MAX = 8, BODY_MAX = 1024 * 1024, VALUE_MAX = 4096, ARGS_MAX = 64, CAPTURE_LEN = 512 };
#define ASK_US (REMOTE_TIMEOUT_MS * US_PER_MS)

struct slot {
	struct smoke_run *run;
	int i;
	enum { SLOT_WAITS, SLOT_RUNS, SLOT_DONE } is;
	struct http_call *call;
	struct proc *proc;
	int64_t started_us;
	char capture[CAPTURE_LEN];
	bool captured;
};

struct smoke_run {
	struct app *app;
	int service, env;
	const struct smoke_suite_conf *suite;
	const char *base; /* URL of the first instance */
	struct slot slots[SMOKE_STEPS_MAX];
	int n_running, n_done;
	struct smoke_result *result;
	struct op *look; /* the observation under way */
	bool started, cancelled, in_schedule;
	smoke_step_fn *on_step;
	smoke_done_fn *done;
	void *ctx;
};

static void schedule(struct smoke_run *r);

/* --- templates -------------------------------------------------------------------------------- */

static const struct slot *capture_of(const struct smoke_run *r, const char *name, size_t n)
{
	for (int i = 0; i < r->suite->n_steps; i++) {
		const char *has = r->suite->steps[i].capture_name;

		if (has != NULL && strlen(has) == n && strncmp(has, name, n) == 0)
			return &r->slots[i];
	}
	return NULL;
}

static void add_value(struct str *s, const char *value, bool in_url)
{
	for (const char *p = value; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (!in_url || isalnum(c) || strchr("-._~", c) != NULL)
			str_addc(s, *p);
		else
			str_addf(s, "%%%02X", c);
	}
}

/* {url} {base} {env} {service} {instance} and ${name}; what is not known stays as it is. */
static void expand(const struct smoke_run *r, const char *text, bool in_url, struct str *out)
{
	const struct setup *s = app_setup(r->app);
	const struct deployment_conf *dep = setup_deployment(s, r->service, r->env);
	const struct {
		const char *word, *value;
	} words[] = {
	    {"{url}", r->base},
	    {"{base}", r->base},
	    {"{env}", s->envs[r->env].name},
	    {"{service}", s->services[r->service].name},
	    {"{instance}", dep->n_instances > 0 ? dep->instances[0].name : ""},
	};

	while (*text != '\0') {
		size_t hit = 0;

		if (text[0] == '$' && text[1] == '{') {
			const char *end = strchr(text, '}');
			const struct slot *slot =
			    end != NULL ? capture_of(r, text + 2, (size_t)(end - text - 2)) : NULL;

			if (slot != NULL && slot->captured) {
				add_value(out, slot->capture, in_url);
				text = end + 1;
				continue;
			}
		}
		for (size_t i = 0; i < ARRAY_LEN(words) && hit == 0; i++)
			if (strncmp(text, words[i].word, strlen(words[i].word)) == 0) {
				str_add(out, words[i].value);
				hit = strlen(words[i].word);
			}
		if (hit == 0) {
			str_addc(out, *text);
			hit = 1;
		}
		text += hit;
	}
}

static bool uses(const char *text, const char *name)
{
	char ref[NAME_LEN + 4];

	if (text == NULL || name == NULL)
		return false;
	snprintf(ref, sizeof(ref), "${%.63s}", name);
	return strstr(text, ref) != NULL;
}

static bool list_uses(const char *const *list, const char *name)
{
	for (; list != NULL && *list != NULL; list++)
		if (uses(*list, name))
			return true;
	return false;
}

/* True when step i must wait for step k: it says so, or it uses what k captures. */
static bool comes_after(const struct smoke_run *r, int i, int k)
{
	const struct smoke_step_conf *c = &r->suite->steps[i], *other = &r->suite->steps[k];

	for (const char *const *a = c->after; a != NULL && *a != NULL; a++)
		if (strcmp(*a, other->name) == 0)
			return true;
	return i != k && other->capture_name != NULL &&
	       (uses(c->url, other->capture_name) || uses(c->body, other->capture_name) ||
	        list_uses(c->headers, other->capture_name) || list_uses(c->argv, other->capture_name));
}

/* --- ends ------------------------------------------------------------------------------------- */

static void run_free(struct smoke_run *r)
{
	smoke_result_free(r->result);
	free(r);
}

static void verdict(struct smoke_result *s)
{
	bool errored = false;

	s->state = SMOKE_PASSED;
	for (int i = 0; i < s->n_steps; i++) {
		if (s->steps[i].state == SMOKE_FAILED)
			s->state = SMOKE_FAILED;
		errored = errored || s->steps[i].state == SMOKE_ERRORED;
	}
	if (s->state == SMOKE_PASSED && errored)
		s->state = SMOKE_ERRORED;
}

static void deliver(struct smoke_run *r)
{
	struct smoke_result *result = r->result;
	struct outcome o = outcome_ok();

	r->result = NULL;
	r->done(r->ctx, result, &o);
	run_free(r);
}

/* The release must be the same before and after: else the result says nothing about either. */
static void on_look_after(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct smoke_run *r = ctx;
	const struct deployed *d = result;

	UNUSED(op);
	r->look = NULL;
	if (o->kind != OUTCOME_OK || d == NULL || strcmp(d->release.digest, r->result->release.digest) != 0)
		r->result->release.digest[0] = '\0';
	deliver(r);
}

static void all_done(struct smoke_run *r)
{
	const struct opened *deploy = app_deploy(r->app, r->service, r->env);

	r->result->ended_us = loop_wall_us();
	verdict(r->result);
	if (deploy == NULL) {
		deliver(r);
		return;
	}
	r->look = op_new(app_loop(r->app), ASK_US, on_look_after, r);
	DEPLOY_OF(deploy)->observe(deploy->priv, r->look);
}

static void step_end(struct slot *s, enum smoke_state state, const char *text)
{
	struct smoke_run *r = s->run;
	struct smoke_step_result *out = &r->result->steps[s->i];

	if (s->is == SLOT_RUNS)
		r->n_running--;
	out->took_us = s->is == SLOT_RUNS ? loop_mono_us() - s->started_us : 0;
	s->is = SLOT_DONE;
	s->call = NULL;
	s->proc = NULL;
	out->state = state;
	text_cleanz(out->text, sizeof(out->text), text);
	r->n_done++;
	if (r->on_step != NULL)
		r->on_step(r->ctx, out, r->n_done, r->suite->n_steps);
	schedule(r);
}

/* --- http ------------------------------------------------------------------------------------- */

/* A key of a JSON path; NULL when the path is malformed. */
static const char *path_part(const char *p, char *key, size_t cap, long *index)
{
	size_t n;

	*index = -1;
	if (*p == '[' && p[1] == '"') {
		const char *end = strstr(p + 2, "\"]");

		n = end != NULL ? (size_t)(end - p - 2) : cap;
		if (n >= cap)
			return NULL;
		memcpy(key, p + 2, n);
		key[n] = '\0';
		return end + 2;
	}
	if (*p == '[') {
		char *end;

		if (!isdigit((unsigned char)p[1]))
			return NULL;
		*index = strtol(p + 1, &end, 10);
		return *end == ']' ? end + 1 : NULL;
	}
	if (*p != '.')
		return NULL;
	p++;
	n = strcspn(p, ".[");
	if (n == 0 || n >= cap)
		return NULL;
	memcpy(key, p, n);
	key[n] = '\0';
	return p + n;
}

static const struct jv *walk(const struct jv *v, const char *path)
{
	char key[KEY_LEN];
	long index;

	if (strcmp(path, ".") == 0)
		return v;
	while (v != NULL && *path != '\0') {
		path = path_part(path, key, sizeof(key), &index);
		if (path == NULL)
			return NULL;
		if (index >= 0)
			v = jv_type(v) == JV_ARR ? jv_at(v, (size_t)index) : NULL;
		else
			v = jv_type(v) == JV_OBJ ? jv_get(v, key) : NULL;
	}
	return v;
}

bool smoke_json_path(const char *json, size_t n, const char *path, struct str *ret)
{
	struct arena a;
	struct jv *root;
	const struct jv *v = NULL;

	arena_init(&a, ARENA_DEFAULT_MAX);
	if (jv_parse(&a, json, n, &root, NULL) == 0)
		v = walk(root, path);
	if (v != NULL)
		jv_print(v, JV_CANONICAL, ret);
	arena_release(&a);
	return v != NULL && !ret->failed;
}

/* A string of JSON without its quotes, anything else as its text. */
static bool capture(struct slot *s, const char *json, size_t n, const char *path)
{
	struct arena a;
	struct jv *root;
	const struct jv *v = NULL;
	struct str text;

	arena_init(&a, ARENA_DEFAULT_MAX);
	str_init(&text, VALUE_MAX);
	if (jv_parse(&a, json, n, &root, NULL) == 0)
		v = walk(root, path);
	if (v != NULL && jv_type(v) == JV_STR)
		str_add(&text, jv_text(v, ""));
	else if (v != NULL)
		jv_print(v, JV_CANONICAL, &text);
	s->captured = v != NULL && !text.failed;
	if (s->captured)
		text_cleanz(s->capture, sizeof(s->capture), str_text(&text));
	str_release(&text);
	arena_release(&a);
	return s->captured;
}

static enum smoke_state check_json(const struct smoke_step_conf *c, const struct http_reply *reply, char *why,
                                   size_t cap)
{
	struct str found;
	bool there;
	enum smoke_state state = SMOKE_PASSED;

	str_init(&found, BODY_MAX);
	there = smoke_json_path(reply->body, reply->n_body, c->json_path, &found);
	if (!there) {
		snprintf(why, cap, "the reply has no %s", c->json_path);
		state = SMOKE_FAILED;
	} else if (c->json_equals != NULL && strcmp(str_text(&found), c->json_equals) != 0) {
		snprintf(why, cap, "%s is %.120s, not %.120s", c->json_path, str_text(&found),
		         c->json_equals);
		state = SMOKE_FAILED;
	}
	str_release(&found);
	return state;
}

static enum smoke_state check_regex(const struct smoke_step_conf *c, const struct http_reply *reply,
                                    char *why, size_t cap)
{
	enum smoke_state state = SMOKE_PASSED;
	struct match *m;
	struct error e;

	if (match_new(c->regex, false, &m, &e) != 0) {
		snprintf(why, cap, "the pattern is wrong: %.200s", e.text);
		return SMOKE_ERRORED;
	}
	switch (match_find(m, reply->body, reply->n_body, NULL, NULL)) {
	case MATCH_YES: break;
	case MATCH_NO:
		snprintf(why, cap, "the reply does not match /%.200s/", c->regex);
		state = SMOKE_FAILED;
		break;
	case MATCH_COSTLY:
		snprintf(why, cap, "the pattern /%.200s/ costs too much", c->regex);
		state = SMOKE_ERRORED;
		break;
	}
	match_free(m);
	return state;
}

static enum smoke_state judge(struct slot *s, const struct http_reply *reply, char *why, size_t cap)
{
	const struct smoke_step_conf *c = &s->run->suite->steps[s->i];
	long min = c->status_min > 0 ? c->status_min : 200, max = c->status_max > 0   ? c->status_max
	                                                          : c->status_min > 0 ? min
	                                                                              : 299;
	enum smoke_state state = SMOKE_PASSED;
	char took[16], limit[16];

	if (reply->outcome.kind != OUTCOME_OK) {
		snprintf(why, cap, "no reply: %.300s", reply->outcome.text);
		return SMOKE_FAILED;
	}
	if (reply->status < min || reply->status > max) {
		if (min == max)
			snprintf(why, cap, "status %ld, not %ld", reply->status, min);
		else
			snprintf(why, cap, "status %ld, not %ld to %ld", reply->status, min, max);
		return SMOKE_FAILED;
	}
	if (c->json_path != NULL)
		state = check_json(c, reply, why, cap);
	if (state == SMOKE_PASSED && c->regex != NULL)
		state = check_regex(c, reply, why, cap);
	if (state == SMOKE_PASSED && c->capture_name != NULL && c->capture_path != NULL &&
	    !capture(s, reply->body, reply->n_body, c->capture_path)) {
		snprintf(why, cap, "the reply has no %s to keep", c->capture_path);
		state = SMOKE_FAILED;
	}
	if (state == SMOKE_PASSED && c->latency_us > 0 && reply->times.total_us > c->latency_us) {
		time_span(took, sizeof(took), reply->times.total_us);
		time_span(limit, sizeof(limit), c->latency_us);
		snprintf(why, cap, "took %s, the limit is %s", took, limit);
		state = SMOKE_FAILED;
	}
	if (state == SMOKE_PASSED)
		snprintf(why, cap, "%ld in %lld ms", reply->status,
		         (long long)(reply->times.total_us / US_PER_MS));
	return state;
}

static void on_reply(void *ctx, const struct http_reply *reply)
{
	struct slot *s = ctx;
	char why[TEXT_LEN] = "";
	enum smoke_state state = judge(s, reply, why, sizeof(why));

	step_end(s, state, why);
}

static void http_step(struct slot *s, const struct smoke_step_conf *c)
{
	struct smoke_run *r = s->run;
	const char *headers[ARGS_MAX + 1] = {NULL};
	struct str url, body, lines[ARGS_MAX];
	struct http_req req = {
	    .method = c->method, .timeout_us = c->timeout_us, .max_body = BODY_MAX, .headers = headers};
	bool failed;
	int n = 0;

	str_init(&url, URL_LEN * 4);
	str_init(&body, BODY_MAX);
	expand(r, c->url, true, &url);
	if (c->body != NULL)
		expand(r, c->body, false, &body);
	for (; c->headers != NULL && c->headers[n] != NULL && n < ARGS_MAX; n++) {
		str_init(&lines[n], VALUE_MAX);
		expand(r, c->headers[n], false, &lines[n]);
		headers[n] = str_text(&lines[n]);
	}
	failed = url.failed || body.failed;
	for (int i = 0; i < n; i++)
		failed = failed || lines[i].failed;
	if (!failed) {
		req.url = str_text(&url);
		if (c->body != NULL) {
			req.body = str_text(&body);
			req.n_body = body.len;
		}
		s->call = http_start(http_of(app_loop(r->app)), &req, on_reply, s);
	}
	str_release(&url);
	str_release(&body);
	for (int i = 0; i < n; i++)
		str_release(&lines[i]);
	if (failed)
		step_end(s, SMOKE_ERRORED, "the request is too long");
}

/* --- commands --------------------------------------------------------------------------------- */

struct tap {
	int n_ok, n_bad, n_seen, planned; /* planned -1: no plan line yet */
	bool bailed, skip_all;
	char first_bad[TEXT_LEN / 2];
};

static bool has_directive(const char *line, size_t n, const char *word)
{
	for (size_t i = 0; i + 1 < n; i++) {
		size_t k = i + 1, w = strlen(word);

		if (line[i] != '#')
			continue;
		while (k < n && line[k] == ' ')
			k++;
		if (n - k >= w && strncasecmp(line + k, word, w) == 0)
			return true;
	}
	return false;
}

static void tap_line(struct tap *t, const char *line, size_t n)
{
	bool bad = n >= 6 && strncmp(line, "not ok", 6) == 0;

	if (n >= 9 && strncmp(line, "Bail out!", 9) == 0) {
		t->bailed = true;
	} else if (n >= 4 && strncmp(line, "1..", 3) == 0 && isdigit((unsigned char)line[3])) {
		t->planned = (int)CLAMP(strtol(line + 3, NULL, 10), 0, 1000000);
		t->skip_all = t->planned == 0;
	} else if (bad || (n >= 2 && strncmp(line, "ok", 2) == 0 && (n == 2 || line[2] == ' '))) {
		t->n_seen++;
		if (bad && !has_directive(line, n, "todo") && !has_directive(line, n, "skip")) {
			if (t->n_bad++ == 0)
				text_clean(t->first_bad, sizeof(t->first_bad), line, n);
		} else {
			t->n_ok++;
		}
	}
}

enum smoke_state smoke_tap(const char *text, size_t n, char *why, size_t cap)
{
	struct tap t = {.planned = -1};

	/* Lines that begin with a blank belong to subtests and diagnostics. */
	for (size_t at = 0; at < n;) {
		const char *end = memchr(text + at, '\n', n - at);
		size_t len = end != NULL ? (size_t)(end - text) - at : n - at;
		size_t next = at + len + 1;

		while (len > 0 && text[at + len - 1] == '\r')
			len--;
		tap_line(&t, text + at, len);
		at = next;
	}
	if (t.bailed)
		snprintf(why, cap, "the test bailed out");
	else if (t.n_bad > 0)
		snprintf(why, cap, "%d of %d: %.200s", t.n_bad, t.n_seen, t.first_bad);
	else if (t.planned < 0)
		snprintf(why, cap, "no TAP plan was printed");
	else if (t.skip_all) {
		snprintf(why, cap, "the test skipped itself");
		return SMOKE_SKIPPED;
	} else if (t.n_seen != t.planned)
		snprintf(why, cap, "%d of %d planned tests ran", t.n_seen, t.planned);
	else {
		snprintf(why, cap, "%d/%d ok", t.n_ok, t.planned);
		return SMOKE_PASSED;
	}
	return SMOKE_FAILED;
}

static void on_exit_code(void *ctx, const struct proc_result *p)
{
	struct slot *s = ctx;
	const struct smoke_step_conf *c = &s->run->suite->steps[s->i];
	char why[TEXT_LEN] = "";
	enum smoke_state state;

	if (p->outcome.kind == OUTCOME_ERRORED) {
		step_end(s, SMOKE_ERRORED, p->outcome.text);
		return;
	}
	if (c->tap) {
		state = smoke_tap(p->out, p->n_out, why, sizeof(why));
		if (state != SMOKE_FAILED && p->outcome.kind != OUTCOME_OK) {
			state = SMOKE_FAILED;
			snprintf(why, sizeof(why), "%s", p->outcome.text);
		}
	} else {
		const char *end = p->out + p->n_out, *line = end;

		/* The last line that it wrote says most. */
		while (end > p->out && isspace((unsigned char)end[-1]))
			end--;
		for (line = end; line > p->out && line[-1] != '\n'; line--)
			;
		state = p->outcome.kind == OUTCOME_OK ? SMOKE_PASSED : SMOKE_FAILED;
		if (state == SMOKE_PASSED)
			snprintf(why, sizeof(why), "exit 0");
		else
			snprintf(why, sizeof(why), "%.150s%s%.*s", p->outcome.text, end > line ? ": " : "",
			         (int)MIN(end - line, 200), line);
	}
	step_end(s, state, why);
}

static void command_step(struct slot *s, const struct smoke_step_conf *c)
{
	struct str words[ARGS_MAX];
	const char *argv[ARGS_MAX + 1] = {NULL};
	struct proc_spec spec = {.argv = argv,
	                         .timeout_us = c->timeout_us > 0 ? c->timeout_us : US_PER_MIN,
	                         .cwd = app_setup(s->run->app)->dir};
	bool failed = false;
	int n = 0;

	for (; c->argv[n] != NULL && n < ARGS_MAX; n++) {
		str_init(&words[n], VALUE_MAX);
		expand(s->run, c->argv[n], false, &words[n]);
		argv[n] = str_text(&words[n]);
		failed = failed || words[n].failed;
	}
	if (!failed)
		s->proc = proc_start(app_loop(s->run->app), &spec, on_exit_code, s);
	for (int i = 0; i < n; i++)
		str_release(&words[i]);
	if (failed)
		step_end(s, SMOKE_ERRORED, "the command is too long");
}

/* --- scheduling ------------------------------------------------------------------------------- */

/* 1: may start, 0: waits, -1: never, for one before it did not pass. */
static int readiness(const struct smoke_run *r, int i)
{
	int ready = 1;

	for (int k = 0; k < r->suite->n_steps; k++) {
		if (!comes_after(r, i, k))
			continue;
		if (r->slots[k].is != SLOT_DONE)
			ready = 0;
		else if (r->result->steps[k].state != SMOKE_PASSED)
			return -1;
	}
	return ready;
}

static bool start_some(struct smoke_run *r)
{
	bool any = false;

	for (int i = 0; i < r->suite->n_steps && r->n_running < AT_ONCE_MAX; i++) {
		struct slot *s = &r->slots[i];
		int ready = s->is == SLOT_WAITS ? readiness(r, i) : 0;

		if (ready == 0)
			continue;
		any = true;
		if (ready < 0) {
			step_end(s, SMOKE_SKIPPED, "a step before it did not pass");
			continue;
		}
		s->is = SLOT_RUNS;
		s->started_us = loop_mono_us();
		r->n_running++;
		if (r->suite->steps[i].argv != NULL)
			command_step(s, &r->suite->steps[i]);
		else
			http_step(s, &r->suite->steps[i]);
	}
	return any;
}

static void schedule(struct smoke_run *r)
{
	if (r->in_schedule)
		return;
	r->in_schedule = true;
	while (start_some(r))
		;
	/* Nothing runs and nothing can start: the rest waits for itself. */
	for (int i = 0; i < r->suite->n_steps && r->n_running == 0; i++)
		if (r->slots[i].is == SLOT_WAITS)
			step_end(&r->slots[i], SMOKE_ERRORED, "it waits for itself: see after");
	r->in_schedule = false;
	if (r->n_done == r->suite->n_steps && r->look == NULL)
		all_done(r);
}

static void begin(struct smoke_run *r)
{
	r->started = true;
	r->result->started_us = loop_wall_us();
	schedule(r);
}

static void on_look_before(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct smoke_run *r = ctx;
	const struct deployed *d = result;

	UNUSED(op);
	r->look = NULL;
	if (o->kind != OUTCOME_OK || d == NULL) {
		r->done(r->ctx, NULL, o);
		run_free(r);
		return;
	}
	r->result->release = d->release;
	if (d->drift)
		r->result->release.digest[0] = '\0';
	begin(r);
}

static void begin_later(void *ctx)
{
	struct smoke_run *r = ctx;

	if (r->cancelled)
		run_free(r);
	else
		begin(r);
}

struct smoke_run *smoke_start(struct app *a, int service, int env, const struct smoke_suite_conf *suite,
                              smoke_step_fn *on_step, smoke_done_fn *done, void *ctx)
{
	const struct setup *s = app_setup(a);
	const struct deployment_conf *dep = setup_deployment(s, service, env);
	const struct opened *deploy = app_deploy(a, service, env);
	struct smoke_run *r = calloc(1, sizeof(*r));
	struct outcome o = outcome_make(OUTCOME_ERRORED, "smoke", "out of memory");
	unsigned char id[6] = {0};

	if (r == NULL || (r->result = smoke_result_new(suite->n_steps)) == NULL) {
		free(r);
		done(ctx, NULL, &o);
		return NULL;
	}
	r->app = a;
	r->service = service;
	r->env = env;
	r->suite = suite;
	r->base = dep->n_instances > 0 && dep->instances[0].url != NULL ? dep->instances[0].url : "";
	r->on_step = on_step;
	r->done = done;
	r->ctx = ctx;
	if (getrandom(id, sizeof(id), 0) < 0)
		memset(id, 0, sizeof(id));
	for (size_t i = 0; i < sizeof(id); i++)
		snprintf(r->result->id + 2 * i, 3, "%02x", id[i]);
	str_copy(r->result->suite, sizeof(r->result->suite), suite->name);
	str_copy(r->result->service, sizeof(r->result->service), s->services[service].name);
	str_copy(r->result->env, sizeof(r->result->env), s->envs[env].name);
	str_copy(r->result->actor, sizeof(r->result->actor), app_model(a)->actor);
	for (int i = 0; i < suite->n_steps; i++) {
		r->slots[i].run = r;
		r->slots[i].i = i;
		str_copy(r->result->steps[i].name, sizeof(r->result->steps[i].name), suite->steps[i].name);
	}
	if (deploy == NULL) {
		loop_defer(app_loop(a), begin_later, r);
		return r;
	}
	r->look = op_new(app_loop(a), ASK_US, on_look_before, r);
	DEPLOY_OF(deploy)->observe(deploy->priv, r->look);
	return r;
}

void smoke_cancel(struct smoke_run *r)
{
	if (r == NULL)
		return;
	for (int i = 0; i < r->suite->n_steps; i++) {
		if (r->slots[i].call != NULL)
			http_cancel(r->slots[i].call);
		if (r->slots[i].proc != NULL) {
			proc_kill(r->slots[i].proc, 15);
			proc_forget(r->slots[i].proc);
		}
	}
	if (r->look != NULL) {
		op_abandon(r->look);
		run_free(r);
	} else if (!r->started) {
		r->cancelled = true;
	} else {
		run_free(r);
	}
}
