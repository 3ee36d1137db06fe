/* Checkpoints by a running rollout: every so many rows, every so often, and at its end. */
#include "engine/run_private.h"
#include "engine/witness.h"

static void on_written(void *ctx, const struct outcome *o, const struct checkpoint *c)
{
	struct run *x = ctx;

	x->witnessing = false;
	if (o->kind != OUTCOME_OK)
		run_say(x, "the audit was not witnessed: %s%s%s", o->text, o->hint[0] != '\0' ? "; " : "",
		        o->hint);
	else if (c != NULL)
		run_say(x, "the audit is witnessed to row %lld", (long long)c->mark.seq);
}

/* A witness that fails stops no rollout: rows that are not witnessed yet are still in the chain, and it is said. */
static void write_one(void *ctx)
{
	struct run *x = ctx;
	struct witness_place place = witness_place(x->app);

	if (x->witnessing || (place.file == NULL && place.git == NULL))
		return;
	x->witnessing = true;
	x->rows = 0;
	witness_write(x->app, &place, &x->witnessed, on_written, x);
}

void run_witness_begin(struct run *x)
{
	int64_t every = app_setup(x->app)->audit.every_us;

	if (every > 0)
		x->witness = loop_timer(x->loop, every, every, write_one, x);
}

void run_witness_row(struct run *x)
{
	int every = app_setup(x->app)->audit.every_rows;

	if (every > 0 && ++x->rows >= every)
		write_one(x);
}

/* Each part of what is under way has a limit of its own, so this ends. */
static void wait_written(struct run *x)
{
	for (bool never = false; x->witnessing;)
		loop_until(x->loop, &never, loop_mono_us() + 10 * US_PER_MS);
}

void run_witness_end(struct run *x)
{
	timer_stop(x->witness);
	x->witness = NULL;
	wait_written(x);
	write_one(x);
	wait_written(x);
}
