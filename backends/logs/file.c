/*
 * Log files, one per instance, followed through rotation, truncation, deletion and creation anew.
 *
 * inotify on the folder is a hint that something may be new; a slow timer looks in any case. Whether a file was
 * replaced is told by its inode: the open one is read to its end before the new one is. Reads are cut into slices
 * with a budget per turn of the loop, so that keys never wait behind a flood.
 */
#include "backends/answer.h"
#include "backends/drivers.h"
#include "core/port/logs.h"
#include "core/text.h"
#include "io/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SLICE_BYTES = 64 * 1024,
	TURN_BYTES = 256 * 1024, /* per turn of the loop, over all files */
	LOOK_US = 1000 * 1000,   /* the slow timer */
	MISSING_LOOKS = 2,       /* so often gone until it is said: a rotation has a gap of its own */
};
static const int64_t turn_us = 2 * US_PER_MS;

struct logs;

/* One instance's file. */
struct tail {
	struct logs *owner;
	uint16_t source;
	char name[NAME_LEN];
	char path[PATH_LEN], dir[PATH_LEN];
	const char *base;    /* in path */
	int fd;              /* -1: not open */
	struct stat open_as; /* identity of fd */
	struct stat dir_as;  /* of the folder that is watched */
	struct watch *watch, *link_watch;
	int64_t offset;
	bool skip_line; /* began inside a line */
	bool seen;      /* was open once: what comes next is read from its start */
	bool more;      /* has or may have unread bytes */
	int n_missing;
	char why[TEXT_LEN]; /* cannot be read now, "" it can */
	char hint[TEXT_LEN];
};

struct logs {
	struct driver_ctx ctx;
	const char *path;
	struct tail *tails; /* while following */
	int n, next;        /* whose turn it is */
	struct logs_sink sink;
	size_t tail_bytes;
	struct timer *look, *pump;
	bool following, paused;
	char said[TEXT_LEN]; /* the last state that the sink heard, "" ok */
	char *slice;
};

static const struct option_desc options[] = {
    {.name = "path",
     .type = OPTION_PATH,
     .required = true,
     .text = "The log file, with {instance}.",
     .example = "\"hosts/{env}/web/log/{instance}.log\""},
    {.name = NULL},
};

static int logs_open(void *priv, const struct driver_ctx *ctx, struct error *e)
{
	struct logs *g = priv;

	g->ctx = *ctx;
	g->path = jv_get_text(ctx->options, "path", "");
	if (g->path[0] == '\0')
		return error_set(e, ERR_INVALID, "option path is empty");
	return 0;
}

/* path with {instance}; false when it does not fit. */
static bool expand(const char *form, const char *instance, char dst[PATH_LEN])
{
	const size_t n = strlen("{instance}");
	struct str s;
	bool ok;

	str_init(&s, PATH_LEN - 1);
	while (*form != '\0')
		if (strncmp(form, "{instance}", n) == 0) {
			str_add(&s, instance);
			form += n;
		} else {
			str_addc(&s, *form++);
		}
	ok = !s.failed && str_copy(dst, PATH_LEN, str_text(&s));
	str_release(&s);
	return ok;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* --- what cannot be read ------------------------------------------------------------------------------------ */

static void set_why(struct tail *t, int err)
{
	char clean[PATH_LEN];

	text_cleanz(clean, sizeof(clean), t->path);
	snprintf(t->why, sizeof(t->why), "%.250s: %s", clean,
	         err == 0 ? "not a regular file" : strerror(err));
	if (err == EACCES || err == EPERM)
		snprintf(t->hint, sizeof(t->hint), "let this user read the file and enter its folder");
	else if (err == ENOENT || err == ENOTDIR)
		snprintf(t->hint, sizeof(t->hint), "does the instance run and log there? else set `path`");
	else if (err == 0)
		snprintf(t->hint, sizeof(t->hint), "`path` must name a regular file");
	else
		t->hint[0] = '\0';
}

/* Opens path if it is a regular file. Never waits: a FIFO without a writer must not hold the loop. */
static int open_regular(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	close(fd);
	errno = 0;
	return -1;
}

/* Tells the sink when the state of the whole changed. */
static void tell_state(struct logs *g)
{
	const struct tail *bad = NULL;
	struct outcome o = outcome_ok();

	for (int i = 0; i < g->n && bad == NULL; i++)
		if (g->tails[i].why[0] != '\0')
			bad = &g->tails[i];
	if (strcmp(g->said, bad != NULL ? bad->why : "") == 0)
		return;
	str_copy(g->said, sizeof(g->said), bad != NULL ? bad->why : "");
	str_copy(o.source, sizeof(o.source), "file");
	if (bad != NULL) {
		o.kind = OUTCOME_ERRORED;
		str_copy(o.text, sizeof(o.text), bad->why);
		str_copy(o.hint, sizeof(o.hint), bad->hint);
	}
	if (g->sink.state != NULL)
		g->sink.state(g->sink.ctx, &o);
}

/* --- one file ------------------------------------------------------------------------------------------------ */

static void unwatch(struct tail *t)
{
	watch_stop(t->watch);
	watch_stop(t->link_watch);
	t->watch = t->link_watch = NULL;
}

static void gap(struct tail *t, const char *text)
{
	if (t->owner->sink.gap != NULL)
		t->owner->sink.gap(t->owner->sink.ctx, t->source, t->name, text);
}

/* The first opening starts near the end, at a line; each later one is of a new file and starts at its beginning. */
static void tail_open(struct tail *t)
{
	const size_t tail = t->owner->tail_bytes;
	char before;

	t->fd = open_regular(t->path, &t->open_as);
	if (t->fd < 0) {
		const int err = errno;

		if (err != ENOENT || !t->seen || t->n_missing >= MISSING_LOOKS)
			set_why(t, err);
		/* What appears later is new from its first byte on. */
		t->seen |= err == ENOENT;
		return;
	}
	t->why[0] = '\0';
	t->n_missing = 0;
	t->offset = 0;
	t->skip_line = false;
	t->more = true;
	if (!t->seen && (uint64_t)t->open_as.st_size > tail) {
		t->offset = t->open_as.st_size - (int64_t)tail;
		t->skip_line = pread(t->fd, &before, 1, t->offset - 1) == 1 && before != '\n';
	}
	t->seen = true;
}

static void tail_close(struct tail *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

/* Something new under the path? Called when the open file was read to its end. */
static void tail_compare(struct tail *t)
{
	struct stat now;

	if (stat(t->path, &now) != 0) {
		if (t->n_missing >= MISSING_LOOKS)
			set_why(t, errno);
		return;
	}
	t->n_missing = 0;
	if (!same_file(&now, &t->open_as)) {
		tail_close(t);
		tail_open(t);
		if (t->link_watch != NULL)
			unwatch(t); /* the next look finds the new target */
		if (t->fd >= 0)
			gap(t, "rotated: another file now");
		return;
	}
	t->why[0] = '\0';
	if (now.st_size < t->offset) {
		t->offset = 0;
		t->skip_line = false;
		t->more = true;
		gap(t, "truncated: starts again");
	}
}

/* Hands over a piece; at the very start what belongs to a line that began earlier is left out. */
static void tail_give(struct tail *t, const char *bytes, size_t n)
{
	if (t->skip_line) {
		const char *end = memchr(bytes, '\n', n);

		t->skip_line = false;
		if (end != NULL) {
			n -= (size_t)(end + 1 - bytes);
			bytes = end + 1;
		}
	}
	if (n > 0)
		t->owner->sink.bytes(t->owner->sink.ctx, t->source, t->name, bytes, n);
}

/* Reads one slice; returns its bytes. Afterwards the driver may have been stopped by the sink. */
static size_t tail_step(struct tail *t)
{
	struct logs *g = t->owner;
	ssize_t n;

	if (t->fd < 0)
		tail_open(t);
	if (t->fd < 0) {
		t->more = false;
		return 0;
	}
	n = pread(t->fd, g->slice, SLICE_BYTES, (off_t)t->offset);
	if (n > 0) {
		t->offset += n;
		tail_give(t, g->slice, (size_t)n);
		return (size_t)n;
	}
	t->more = false;
	if (n < 0 && errno != EINTR && errno != EAGAIN) {
		set_why(t, errno);
		tail_close(t);
		return 0;
	}
	tail_compare(t);
	return 0;
}

/* --- when to look --------------------------------------------------------------------------------------------- */

static void pump_later(struct logs *g);

static void on_pump(void *ctx)
{
	struct logs *g = ctx;
	const int64_t until = loop_mono_us() + turn_us;
	size_t bytes = 0;
	int idle = 0;

	g->pump = NULL;
	while (g->following && !g->paused && idle < g->n && bytes < TURN_BYTES) {
		struct tail *t = &g->tails[g->next];

		g->next = (g->next + 1) % g->n;
		if (!t->more) {
			idle++;
			continue;
		}
		idle = 0;
		bytes += tail_step(t);
		if (loop_mono_us() > until)
			break;
	}
	if (!g->following)
		return;
	tell_state(g);
	if (!g->following || g->paused)
		return;
	for (int i = 0; i < g->n; i++)
		if (g->tails[i].more) {
			pump_later(g);
			return;
		}
}

/*
 * By a timer, so that keys and other events have their turn in between. Not one of zero: libuv runs that within the
 * same pass over its timers, before it polls.
 */
static void pump_later(struct logs *g)
{
	if (g->pump == NULL && !g->paused)
		g->pump = loop_timer(g->ctx.loop, US_PER_MS, 0, on_pump, g);
}

static void on_hint(void *ctx, const char *name)
{
	struct tail *t = ctx;

	/* Of a link's own target the name differs; without a name anything may have changed. */
	if (name != NULL && t->link_watch == NULL && strcmp(name, t->base) != 0)
		return;
	t->more = true;
	pump_later(t->owner);
}

/* Watches the folder, and that of a link's target; anew when the folder is another one now. */
static void watch_folder(struct tail *t)
{
	struct stat now, link;
	char *real, *slash;

	if (stat(t->dir, &now) != 0) {
		unwatch(t);
		return;
	}
	if (t->watch != NULL && same_file(&now, &t->dir_as))
		return;
	unwatch(t);
	t->dir_as = now;
	t->watch = loop_watch_path(t->owner->ctx.loop, t->dir, on_hint, t);
	if (lstat(t->path, &link) != 0 || !S_ISLNK(link.st_mode))
		return;
	real = realpath(t->path, NULL);
	slash = real != NULL ? strrchr(real, '/') : NULL;
	if (slash != NULL) {
		slash[slash == real ? 1 : 0] = '\0';
		t->link_watch = loop_watch_path(t->owner->ctx.loop, real, on_hint, t);
	}
	free(real);
}

static void on_look(void *ctx)
{
	struct logs *g = ctx;

	for (int i = 0; i < g->n; i++) {
		struct tail *t = &g->tails[i];
		struct stat now;

		watch_folder(t);
		if (stat(t->path, &now) != 0 && errno == ENOENT && t->n_missing <= MISSING_LOOKS)
			t->n_missing++;
		t->more = true;
	}
	pump_later(g);
}

/* --- the port ------------------------------------------------------------------------------------------------ */

static void logs_unfollow(void *priv)
{
	struct logs *g = priv;

	if (!g->following)
		return;
	g->following = false;
	timer_stop(g->look);
	timer_stop(g->pump);
	g->look = g->pump = NULL;
	for (int i = 0; i < g->n; i++) {
		unwatch(&g->tails[i]);
		tail_close(&g->tails[i]);
	}
	free(g->tails);
	free(g->slice);
	g->tails = NULL;
	g->slice = NULL;
	g->n = 0;
}

static int tail_init(struct logs *g, int i, const char *instance, struct error *e)
{
	struct tail *t = &g->tails[i];
	char *slash;

	t->owner = g;
	t->source = (uint16_t)i;
	t->fd = -1;
	t->more = true;
	text_cleanz(t->name, sizeof(t->name), instance);
	if (!expand(g->path, instance, t->path))
		return error_set(e, ERR_INVALID, "the path of the log of %s is too long", t->name);
	memcpy(t->dir, t->path, sizeof(t->dir));
	slash = strrchr(t->dir, '/');
	t->base = slash != NULL ? t->path + (slash - t->dir) + 1 : t->path;
	if (slash == NULL)
		str_copy(t->dir, sizeof(t->dir), ".");
	else
		slash[slash == t->dir ? 1 : 0] = '\0';
	return 0;
}

static int logs_follow(void *priv, const struct logs_sink *sink, size_t tail_bytes, struct error *e)
{
	struct logs *g = priv;
	const struct deployment_conf *d = setup_deployment(g->ctx.setup, g->ctx.service, g->ctx.env);
	/* A path without {instance} is one file for all. */
	const int n = strstr(g->path, "{instance}") != NULL ? MIN(d->n_instances, INSTANCES_MAX) : 1;

	if (g->following)
		return error_set(e, ERR_CONFLICT, "these logs are followed already");
	if (n == 0)
		return error_set(e, ERR_NOT_FOUND, "no instances are configured here");
	g->tails = calloc((size_t)n, sizeof(*g->tails));
	g->slice = malloc(SLICE_BYTES);
	g->n = 0;
	g->following = true;
	for (int i = 0; g->tails != NULL && i < n; i++) {
		g->n = i + 1;
		if (tail_init(g, i, d->n_instances > i ? d->instances[i].name : "all", e) != 0) {
			logs_unfollow(g);
			return ERR_INVALID;
		}
	}
	g->sink = *sink;
	g->tail_bytes = tail_bytes;
	g->next = 0;
	g->paused = false;
	g->said[0] = '\0';
	g->look = g->tails != NULL && g->slice != NULL ? loop_timer(g->ctx.loop, LOOK_US, LOOK_US, on_look, g)
	                                               : NULL;
	if (g->look == NULL) {
		logs_unfollow(g);
		return error_set(e, ERR_NOMEM, "out of memory");
	}
	for (int i = 0; i < g->n; i++)
		watch_folder(&g->tails[i]);
	pump_later(g);
	return 0;
}

static void logs_pause(void *priv, bool paused)
{
	struct logs *g = priv;

	g->paused = paused;
	if (!g->following || paused)
		return;
	for (int i = 0; i < g->n; i++)
		g->tails[i].more = true;
	pump_later(g);
}

static void logs_close(void *priv) { logs_unfollow(priv); }

static void logs_check(void *priv, struct op *op)
{
	struct logs *g = priv;
	const struct deployment_conf *d = setup_deployment(g->ctx.setup, g->ctx.service, g->ctx.env);
	struct tail t = {0};
	struct outcome o;

	for (int i = 0; i < MIN(d->n_instances, INSTANCES_MAX); i++) {
		struct stat st;
		int fd;

		if (!expand(g->path, d->instances[i].name, t.path)) {
			op_done(op, answer_make(OUTCOME_FAILED, "file", "the path is too long"), NULL, NULL);
			return;
		}
		fd = open_regular(t.path, &st);
		if (fd < 0) {
			set_why(&t, errno);
			o = answer_make(OUTCOME_ERRORED, "file", "%s", t.why);
			answer_hint(&o, "%s", t.hint);
			op_done(op, o, NULL, NULL);
			return;
		}
		close(fd);
	}
	op_done(op, outcome_ok(), NULL, NULL);
}

const struct logs_driver logs_file = {
    .base = {.port = PORT_LOGS,
             .name = "file",
             .summary = "log files of instances on this machine",
             .options = options,
             .priv_size = sizeof(struct logs),
             .open = logs_open,
             .close = logs_close,
             .check = logs_check},
    .follow = logs_follow,
    .unfollow = logs_unfollow,
    .pause = logs_pause,
};
