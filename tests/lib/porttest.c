#include "tests/lib/porttest.h"

#include "core/text.h"
#include "io/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_US (30 * US_PER_S)

static void on_done(void *ctx, struct op *op, const struct outcome *outcome, void *result)
{
	struct answer *a = ctx;

	assert_false(a->inside);
	a->times++;
	a->done = true;
	a->outcome = *outcome;
	a->had_result = result != NULL;
	a->result = a->keep && result != NULL ? op_take(op) : NULL;
	assert_true(text_is_clean(outcome->text, strlen(outcome->text)));
	assert_true(text_is_clean(outcome->hint, strlen(outcome->hint)));
	assert_true(text_is_clean(outcome->source, strlen(outcome->source)));
}

struct op *answer_op(struct answer *a, struct loop *l, int64_t timeout_us)
{
	bool keep = a->keep;

	memset(a, 0, sizeof(*a));
	a->keep = keep;
	a->loop = l;
	a->inside = true;
	return op_new(l, timeout_us, on_done, a);
}

void answer_wait(struct answer *a)
{
	a->inside = false;
	if (!loop_until(a->loop, &a->done, loop_mono_us() + WAIT_US))
		fail_msg("no answer after 30 s");
	assert_int_equal(a->times, 1);
}

static void nothing(void *ctx) { *(bool *)ctx = true; }

static void turn(struct loop *l)
{
	bool turned = false;

	loop_defer(l, nothing, &turned);
	assert_true(loop_until(l, &turned, loop_mono_us() + WAIT_US));
}

void ops_settle(struct loop *l)
{
	int64_t end = loop_mono_us() + WAIT_US;

	while (op_count(l) > 0 && loop_mono_us() < end) {
		bool never = false;

		loop_until(l, &never, loop_mono_us() + US_PER_MS);
	}
	assert_int_equal(op_count(l), 0);
	turn(l);
}

void slot_laws(struct loop *l, void *priv, const struct slot_call *call, bool unsupported)
{
	struct answer a = {0}, b = {0}, c = {0}, d = {0}, e = {0};
	struct op *op;

	print_message("# %s\n", call->name);
	op = answer_op(&a, l, 20 * US_PER_S);
	call->start(priv, op);
	answer_wait(&a);
	if (unsupported)
		assert_int_equal(a.outcome.kind, OUTCOME_UNSUPPORTED);
	else
		assert_int_not_equal(a.outcome.kind, OUTCOME_UNSUPPORTED);
	if (a.outcome.kind != OUTCOME_OK)
		assert_true(a.outcome.text[0] != '\0');

	op = answer_op(&b, l, 20 * US_PER_S);
	call->start(priv, op);
	op_cancel(op);
	answer_wait(&b);
	assert_int_equal(b.outcome.kind, OUTCOME_CANCELLED);
	assert_false(b.had_result);

	op = answer_op(&c, l, 20 * US_PER_S);
	call->start(priv, op);
	c.inside = false;
	turn(l);
	if (!c.done)
		op_cancel(op);
	answer_wait(&c);

	op = answer_op(&d, l, 1);
	call->start(priv, op);
	answer_wait(&d);

	op = answer_op(&e, l, 20 * US_PER_S);
	call->start(priv, op);
	e.inside = false;
	op_abandon(op);
	ops_settle(l);
	assert_int_equal(e.times, 0);
	assert_int_equal(a.times, 1);
	assert_int_equal(b.times, 1);
	assert_int_equal(c.times, 1);
	assert_int_equal(d.times, 1);
}

void driver_open(struct opened *o, struct loop *l, const struct driver *driver, const char *options,
                 const char *const *instances)
{
	struct jv *v = NULL;
	struct error e = {0};
	struct setup *s = &o->setup;
	int n = 0;

	memset(o, 0, sizeof(*o));
	o->loop = l;
	o->driver = driver;
	arena_init(&o->arena, ARENA_DEFAULT_MAX);
	if (jv_parse(&o->arena, options, strlen(options), &v, &e) != ERR_OK)
		fail_msg("options: %s", e.text);
	s->name = "test";
	s->dir = "/";
	s->path = "/towpath.yaml";
	s->n_envs = s->n_services = 1;
	s->envs = arena_alloc(&o->arena, sizeof(*s->envs));
	s->services = arena_alloc(&o->arena, sizeof(*s->services));
	s->deployments = arena_alloc(&o->arena, sizeof(*s->deployments));
	s->envs[0].name = "dev";
	s->services[0].name = "web";
	s->deployments[0].present = true;
	while (instances != NULL && instances[2 * n] != NULL)
		n++;
	s->deployments[0].instances = arena_alloc(&o->arena, (size_t)(n + 1) * sizeof(struct instance_conf));
	s->deployments[0].n_instances = n;
	for (int i = 0; i < n; i++)
		s->deployments[0].instances[i] = (struct instance_conf){
		    arena_strdup(&o->arena, instances[2 * i]), arena_strdup(&o->arena, instances[2 * i + 1])};
	o->ctx = (struct driver_ctx){.loop = l, .setup = s, .options = v};
	o->priv = calloc(1, driver->priv_size + 1);
	assert_non_null(o->priv);
	if (driver->open(o->priv, &o->ctx, &e) != ERR_OK)
		fail_msg("open: %s", e.text);
}

void driver_close(struct opened *o)
{
	ops_settle(o->loop);
	if (o->driver->close != NULL)
		o->driver->close(o->priv);
	free(o->priv);
	arena_release(&o->arena);
	/* A test that fails between closing and opening again leaves nothing to close twice. */
	memset(o, 0, sizeof(*o));
}

void folder_make(char dst[PATH_LEN])
{
	snprintf(dst, PATH_LEN, "/tmp/towpath-test-XXXXXX");
	assert_non_null(mkdtemp(dst));
}

void folder_remove(const char *dir)
{
	struct error e;

	if (file_remove_tree("/tmp", dir, &e) != ERR_OK)
		fail_msg("%s: %s", dir, e.text);
}

static void path_of(char dst[PATH_LEN], const char *dir, const char *path)
{
	assert_true(snprintf(dst, PATH_LEN, "%s/%s", dir, path) < PATH_LEN);
}

void file_put_n(const char *dir, const char *path, const void *bytes, size_t n, int mode)
{
	char full[PATH_LEN], folder[PATH_LEN];
	struct error e;

	path_of(full, dir, path);
	memcpy(folder, full, sizeof(folder));
	*strrchr(folder, '/') = '\0';
	assert_int_equal(file_mkdirs(folder, 0755, &e), ERR_OK);
	if (file_write(full, bytes, n, mode, &e) != ERR_OK)
		fail_msg("%s: %s", full, e.text);
}

void file_put(const char *dir, const char *path, const char *text)
{
	file_put_n(dir, path, text, strlen(text), 0644);
}

const char *file_text(const char *dir, const char *path)
{
	static char text[64 * 1024];
	char full[PATH_LEN];
	FILE *f;
	size_t n;

	path_of(full, dir, path);
	f = fopen(full, "rb");
	if (f == NULL)
		fail_msg("%s cannot be read", full);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

void file_flip(const char *path, long offset)
{
	FILE *f = fopen(path, "r+b");
	int c;

	assert_non_null(f);
	fseek(f, offset, SEEK_SET);
	c = fgetc(f);
	fseek(f, offset, SEEK_SET);
	fputc(c ^ 0x20, f);
	assert_int_equal(fclose(f), 0);
}
