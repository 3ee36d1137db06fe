/* audit export: the record as lines, for other programs and other people. */
#include "engine/report.h"

#include "core/sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_US (60 * US_PER_S)
enum { KEY_BYTES = 40 };

/* Which place a rollout or a plan belongs to: rows name it once, later ones the rollout or plan alone. */
struct place_of {
	char key[KEY_BYTES], place[NAME_LEN * 2 + 2];
};

struct export
{
	struct command_run *run;
	int64_t since_us, until_us, after;
	const char *env, *service, *actor, *verb;
	bool csv;
	int64_t n_rows;
	struct place_of *places; /* open addressing, cap is a power of two */
	size_t n_places, cap;
};

static struct place_of *slot_of(struct place_of *places, size_t cap, const char *key)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (const char *p = key; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
	for (size_t i = (size_t)h & (cap - 1);; i = (i + 1) & (cap - 1))
		if (places[i].key[0] == '\0' || strcmp(places[i].key, key) == 0)
			return &places[i];
}

static bool places_grow(struct export *x)
{
	size_t cap = MAX(x->cap * 2, (size_t)256);
	struct place_of *bigger;

	if (x->n_places * 2 < x->cap)
		return true;
	bigger = calloc(cap, sizeof(*bigger));
	if (bigger == NULL)
		return false;
	for (size_t i = 0; i < x->cap; i++)
		if (x->places[i].key[0] != '\0')
			*slot_of(bigger, cap, x->places[i].key) = x->places[i];
	free(x->places);
	x->places = bigger;
	x->cap = cap;
	return true;
}

static void remember(struct export *x, const char *key, size_t n, const char *place)
{
	char name[KEY_BYTES];
	struct place_of *p;

	snprintf(name, sizeof(name), "%.*s", (int)MIN(n, sizeof(name) - 1), key);
	if (name[0] == '\0' || !places_grow(x))
		return;
	p = slot_of(x->places, x->cap, name);
	if (p->key[0] == '\0')
		x->n_places++;
	str_copy(p->key, sizeof(p->key), name);
	str_copy(p->place, sizeof(p->place), place);
}

/* "rollout r1 of plan sha256:..", "promote 1 to 2, plan sha256:..": texts that the stores write. */
static void learn(struct export *x, const struct audit_row *r)
{
	static const char rollout[] = "rollout ", plan[] = "plan ";
	const char *p;

	if (strchr(r->target, '/') == NULL)
		return;
	if (strncmp(r->text, rollout, sizeof(rollout) - 1) == 0) {
		p = r->text + sizeof(rollout) - 1;
		remember(x, p, strcspn(p, " "), r->target);
	}
	p = strstr(r->text, plan);
	if (p != NULL && strncmp(p + sizeof(plan) - 1, "sha256:", 7) == 0)
		remember(x, p + sizeof(plan) - 1, 19, r->target);
}

static const char *place_name(struct export *x, const struct audit_row *r)
{
	char key[KEY_BYTES];
	const struct place_of *p;

	if (strchr(r->target, '/') != NULL || x->cap == 0)
		return r->target;
	snprintf(key, sizeof(key), "%.*s", strncmp(r->target, "sha256:", 7) == 0 ? 19 : KEY_BYTES - 1,
	         r->target);
	p = slot_of(x->places, x->cap, key);
	return p->key[0] != '\0' ? p->place : r->target;
}

static bool wanted(struct export *x, const struct audit_row *r)
{
	const char *place = place_name(x, r), *slash = strchr(place, '/');
	size_t n = slash != NULL ? (size_t)(slash - place) : 0;

	if (r->at_us < x->since_us || r->at_us > x->until_us)
		return false;
	if (x->actor != NULL && strcmp(x->actor, r->actor) != 0)
		return false;
	if (x->verb != NULL && strcmp(x->verb, r->verb) != 0)
		return false;
	/* A freeze of an environment has no service: it concerns all of them. */
	if (x->env != NULL && strcmp(slash != NULL ? slash + 1 : place, x->env) != 0)
		return false;
	if (x->service != NULL && slash == NULL)
		return x->env != NULL;
	return x->service == NULL || (n == strlen(x->service) && strncmp(place, x->service, n) == 0);
}

static void print(struct export *x, const struct audit_row *r)
{
	struct str line;
	struct arena a;

	x->n_rows++;
	if (command_wants_json(x->run)) {
		arena_init(&a, ARENA_DEFAULT_MAX);
		command_stream(x->run, audit_to_jv(&a, r));
		arena_release(&a);
		return;
	}
	str_init(&line, 64 * 1024);
	if (x->csv)
		audit_csv_line(r, &line);
	else
		audit_json_line(r, &line);
	command_raw(x->run, str_text(&line));
	str_release(&line);
}

static void ask(struct export *x);

static void on_page(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct export *x = ctx;
	const struct audit_page *page = result;
	bool over;

	UNUSED(op);
	if (o->kind != OUTCOME_OK || page == NULL || command_cancelled(x->run)) {
		free(x->places);
		if (o->kind == OUTCOME_OK)
			command_done(x->run, EXIT_CANCELLED, "cancelled");
		else
			report_outcome(x->run, o);
		return;
	}
	for (int i = 0; i < page->n_rows; i++) {
		learn(x, &page->rows[i]);
		if (wanted(x, &page->rows[i]))
			print(x, &page->rows[i]);
		x->after = page->rows[i].seq;
	}
	over = page->n_rows < AUDIT_PAGE_MAX;
	if (!over) {
		ask(x);
		return;
	}
	free(x->places);
	jv_set_int(command_arena(x->run), command_value(x->run), "rows", x->n_rows);
	command_done(x->run, EXIT_DONE, NULL);
}

static void ask(struct export *x)
{
	const struct opened *s = app_store(command_app(x->run));

	STORE_OF(s)->audit_after(s->priv, x->after, AUDIT_PAGE_MAX,
	                         op_new(app_loop(command_app(x->run)), PAGE_US, on_page, x));
}

static void exec(struct app *a, struct command_run *run)
{
	struct export *x = command_state(run, sizeof(*x));
	const char *format = args_text(run, "format");
	int env = args_text(run, "env") != NULL ? setup_env(app_setup(a), args_text(run, "env")) : -1;
	struct str head;

	if (x == NULL) {
		command_done(run, EXIT_NOT_FOUND_OUT, "out of memory");
		return;
	}
	*x = (struct export){.run = run,
	                     .until_us = INT64_MAX,
	                     .env = env >= 0 ? app_setup(a)->envs[env].name : NULL,
	                     .service = args_text(run, "service"),
	                     .actor = args_text(run, "actor"),
	                     .verb = args_text(run, "verb"),
	                     .csv = format != NULL && strcmp(format, "csv") == 0};
	if (!args_past(run, "since", &x->since_us) || !args_past(run, "until", &x->until_us))
		return;
	if (x->csv) {
		str_init(&head, 256);
		audit_csv_head(&head);
		command_raw(run, str_text(&head));
		str_release(&head);
	}
	ask(x);
}

static const char *const formats[] = {"jsonl", "csv", NULL};
static const struct arg_desc args[] = {
    {.name = "format",
     .type = ARG_WORD,
     .option = true,
     .choices = formats,
     .text = "jsonl, a row a line with its hashes (the default), or csv for spreadsheets"},
    {.name = "since",
     .type = ARG_WORD,
     .option = true,
     .text = "rows from then on: an instant, a day, or 24h"},
    {.name = "until", .type = ARG_WORD, .option = true, .text = "rows up to then"},
    {.name = "env",
     .type = ARG_ENV,
     .option = true,
     .text = "rows about this environment, its rollouts and plans"},
    {.name = "service", .type = ARG_SERVICE, .option = true, .text = "rows about this service"},
    {.name = "actor", .type = ARG_WORD, .option = true, .text = "rows of this person"},
    {.name = "verb", .type = ARG_WORD, .option = true, .text = "rows of this kind, such as approve"},
    {.name = NULL},
};

const struct command command_audit_export = {
    .name = "audit export",
    .summary = "the audit as JSON lines or CSV, oldest first",
    .args = args,
    .exec = exec,
    .flags = COMMAND_STREAMS | COMMAND_NO_STORE | COMMAND_CLI_ONLY,
    .json = "a line per row: seq, at_us, actor, host, verb, target, result, text, prev, hash; then rows",
    .details =
        "Without a filter the lines of jsonl are the whole chain and can be verified without towpath: the "
        "hash of a row "
        "is the SHA-256 of its fields but at and hash, as JSON with sorted keys and without spaces (tests/"
        "verify_audit.py in the source does it). Lines are plain ASCII. In csv a text that a spreadsheet "
        "would take for "
        "a formula has ' before it.",
    .example = "towpath audit export --format csv --since 30d --env prod",
};
