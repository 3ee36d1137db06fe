#include "io/work.h"

#include <stdio.h>
#include <stdlib.h>

struct work {
	uv_work_t uv;
	struct works *all;
	void (*run)(void *job);
	void (*done)(void *job);
	void *job;
};

/* Jobs under way on a loop, and its workers: the loop must not go before they end. */
struct works {
	int n;
};

static bool works_quiet(const void *part) { return ((const struct works *)part)->n == 0; }

static const struct loop_part_ops part_ops = {.quiet = works_quiet, .free = free};

static void oom(void)
{
	fputs("towpath: no memory for a job\n", stderr);
	abort();
}

static struct works *works_of(struct loop *l)
{
	struct works *all = loop_part(l, LOOP_WORK);

	if (all == NULL) {
		all = calloc(1, sizeof(*all));
		if (all == NULL)
			oom();
		loop_set_part(l, LOOP_WORK, all, &part_ops);
	}
	return all;
}

static void on_work(uv_work_t *req)
{
	struct work *w = req->data;

	w->run(w->job);
}

static void on_worked(uv_work_t *req, int status)
{
	struct work *w = req->data;

	UNUSED(status);
	w->all->n--;
	if (w->done != NULL)
		w->done(w->job);
	free(w);
}

void work_run(struct loop *l, void (*run)(void *job), void (*done)(void *job), void *job)
{
	struct work *w = calloc(1, sizeof(*w));

	if (w == NULL) {
		oom();
		return;
	}
	w->all = works_of(l);
	w->run = run;
	w->done = done;
	w->job = job;
	w->uv.data = w;
	w->all->n++;
	if (uv_queue_work(loop_uv(l), &w->uv, on_work, on_worked) != 0)
		oom();
}

/* --- a thread of its own -------------------------------------------------------------------------------- */
struct task {
	struct task *next;
	void (*run)(void *job);
	void (*done)(void *job);
	void *job;
};

struct task_list {
	struct task *first, **end;
};

struct worker {
	uv_thread_t thread;
	uv_mutex_t lock;
	uv_cond_t more;
	uv_async_t ready;
	struct task_list todo, finished;
	bool end;
};

static void list_init(struct task_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void list_add(struct task_list *list, struct task *t)
{
	t->next = NULL;
	*list->end = t;
	list->end = &t->next;
}

static void worker_main(void *arg)
{
	struct worker *w = arg;

	uv_mutex_lock(&w->lock);
	for (;;) {
		struct task *t;

		while (w->todo.first == NULL && !w->end)
			uv_cond_wait(&w->more, &w->lock);
		t = w->todo.first;
		if (t == NULL)
			break;
		w->todo.first = t->next;
		if (t->next == NULL)
			w->todo.end = &w->todo.first;
		uv_mutex_unlock(&w->lock);
		t->run(t->job);
		uv_mutex_lock(&w->lock);
		list_add(&w->finished, t);
		uv_async_send(&w->ready);
	}
	uv_mutex_unlock(&w->lock);
}

static void deliver(struct worker *w)
{
	struct task *t;

	uv_mutex_lock(&w->lock);
	t = w->finished.first;
	list_init(&w->finished);
	uv_mutex_unlock(&w->lock);
	while (t != NULL) {
		struct task *next = t->next;

		if (t->done != NULL)
			t->done(t->job);
		free(t);
		t = next;
	}
}

static void on_ready(uv_async_t *h) { deliver(h->data); }

static void worker_closed(uv_handle_t *h)
{
	struct worker *w = h->data;

	uv_cond_destroy(&w->more);
	uv_mutex_destroy(&w->lock);
	free(w);
}

struct worker *worker_new(struct loop *l, struct error *e)
{
	struct worker *w = calloc(1, sizeof(*w));
	int rc;

	if (w == NULL) {
		error_set(e, ERR_NOMEM, "no memory for a worker");
		return NULL;
	}
	list_init(&w->todo);
	list_init(&w->finished);
	if (uv_mutex_init(&w->lock) != 0)
		oom();
	if (uv_cond_init(&w->more) != 0)
		oom();
	rc = uv_async_init(loop_uv(l), &w->ready, on_ready);
	w->ready.data = w;
	if (rc == 0) {
		rc = uv_thread_create(&w->thread, worker_main, w);
		if (rc == 0)
			return w;
		uv_close((uv_handle_t *)&w->ready, worker_closed);
	} else {
		uv_cond_destroy(&w->more);
		uv_mutex_destroy(&w->lock);
		free(w);
	}
	error_set(e, ERR_IO, "cannot start a worker: %s", uv_strerror(rc));
	return NULL;
}

void worker_run(struct worker *w, void (*run)(void *job), void (*done)(void *job), void *job)
{
	struct task *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		oom();
		return;
	}
	t->run = run;
	t->done = done;
	t->job = job;
	uv_mutex_lock(&w->lock);
	list_add(&w->todo, t);
	uv_cond_signal(&w->more);
	uv_mutex_unlock(&w->lock);
}

void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	uv_mutex_lock(&w->lock);
	w->end = true;
	uv_cond_signal(&w->more);
	uv_mutex_unlock(&w->lock);
	uv_thread_join(&w->thread);
	deliver(w);
	uv_close((uv_handle_t *)&w->ready, worker_closed);
}
