#include "core/dbhealth.h"

#include "core/text.h"
#include "core/time.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From where on a person should think first. */
#define OLD_XACT_US (30 * US_PER_S)
#define IDLE_XACT_US (5 * US_PER_S)
#define WAIT_US (1 * US_PER_S)
#define LAG_US (10 * US_PER_S)
#define LAG_BYTES (256LL * 1024 * 1024)
#define XID_AGE 1500000000LL
#define ARCHIVE_AGE_US (30 * 60 * US_PER_S)
enum { CONNECTIONS_PCT = 90 };

void database_health_free(void *p)
{
	struct database_health *h = p;

	if (h == NULL)
		return;
	arena_release(&h->arena);
	free(h);
}

const struct db_table *database_table(const struct database_health *h, const char *name)
{
	const char *dot = strchr(name, '.');
	const char *table = dot != NULL ? dot + 1 : name;

	for (int i = 0; i < h->n_tables; i++) {
		const struct db_table *t = &h->tables[i];

		if (strcmp(t->name, table) == 0 &&
		    (dot == NULL || (strlen(t->schema) == (size_t)(dot - name) &&
		                     memcmp(t->schema, name, (size_t)(dot - name)) == 0)))
			return t;
	}
	return NULL;
}

struct notes {
	struct db_note *items;
	int n, cap;
};

static void PRINTF_LIKE(3, 4) say(struct notes *n, enum state s, const char *fmt, ...)
{
	char raw[TEXT_LEN];
	va_list ap;

	if (n->n >= n->cap)
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	n->items[n->n].state = s;
	text_cleanz(n->items[n->n].text, sizeof(n->items[n->n].text), raw);
	n->n++;
}

/* "deploy at 10.0.0.7, pid 12" */
static const char *who(const struct db_session *s, char *dst, size_t cap)
{
	const char *name = s->app[0] != '\0' ? s->app : s->user;

	if (s->pid == 0)
		snprintf(dst, cap, "prepared transaction %.60s of %.40s", s->doing, s->user);
	else
		snprintf(dst, cap, "%.60s%s%.40s, pid %d", name[0] != '\0' ? name : "a session",
		         s->client[0] != '\0' ? " at " : "", s->client, s->pid);
	return dst;
}

static void note_sessions(const struct database_health *h, struct notes *n)
{
	char name[TEXT_LEN / 2], span[24];

	for (int i = 0; i < h->n_sessions; i++) {
		const struct db_session *s = &h->sessions[i];

		time_span(span, sizeof(span), s->xact_us);
		if (s->pid == 0)
			say(n, STATE_DEGRADED,
			    "%s is %s old: a schema change of its tables waits until it is committed or "
			    "rolled back",
			    who(s, name, sizeof(name)), span);
		else if (s->idle_us >= IDLE_XACT_US)
			say(n, STATE_DEGRADED,
			    "%s is idle in a transaction of %s: a schema change behind it stops everybody "
			    "else (%.80s)",
			    who(s, name, sizeof(name)), span, s->doing);
		else if (s->xact_us >= OLD_XACT_US)
			say(n, STATE_DEGRADED,
			    "%s has a transaction of %s: locks and index builds wait for it (%.80s)",
			    who(s, name, sizeof(name)), span, s->doing);
	}
}

static void note_waits(const struct database_health *h, struct notes *n)
{
	char span[24];

	for (int i = 0; i < h->n_waits; i++) {
		const struct db_wait *w = &h->waits[i];

		if (w->waiting_us < WAIT_US)
			continue;
		time_span(span, sizeof(span), w->waiting_us);
		say(n, STATE_FAILED, "pid %d waits %s for pid %d%s%.60s%s%.60s: %.80s", w->pid, span,
		    w->blocker, w->wants[0] != '\0' ? ", wants " : "", w->wants,
		    w->relation[0] != '\0' ? " on " : "", w->relation, w->doing);
	}
}

static void note_replicas(const struct database_health *h, struct notes *n)
{
	char bytes[24], span[24];

	for (int i = 0; i < h->n_replicas; i++) {
		const struct db_replica *r = &h->replicas[i];

		str_size(bytes, sizeof(bytes), r->lag_bytes);
		time_span(span, sizeof(span), MAX(r->lag_us, 0));
		if (r->slot_inactive)
			say(n, STATE_DEGRADED, "replication slot %.60s has no reader and keeps %s of WAL",
			    r->name, bytes);
		else if (r->lag_bytes >= LAG_BYTES || r->lag_us >= LAG_US)
			say(n, STATE_DEGRADED,
			    "replica %.60s is %s and %s behind: a rewrite or backfill adds to it", r->name,
			    bytes, span);
	}
}

static void note_server(const struct database_health *h, struct notes *n)
{
	char span[24];

	if (h->standby)
		say(n, STATE_FAILED, "this server is a standby: nothing can be migrated here");
	for (int i = 0; i < h->n_tables; i++)
		if (h->tables[i].vacuum_wraparound)
			say(n, STATE_FAILED,
			    "a vacuum to prevent wraparound works on %.60s.%.60s: it does not make way for a "
			    "lock",
			    h->tables[i].schema, h->tables[i].name);
	if (h->xid_age >= XID_AGE)
		say(n, STATE_DEGRADED, "transaction ids are %lld old: a wraparound vacuum is due",
		    (long long)h->xid_age);
	if (h->connections_max > 0 && h->connections * 100 >= h->connections_max * CONNECTIONS_PCT)
		say(n, STATE_DEGRADED, "%d of %d connections are taken", h->connections, h->connections_max);
	if (h->archives && h->archive_fails)
		say(n, STATE_FAILED, "archiving of WAL fails: a restore to this moment is not possible");
	else if (h->archives && h->archived_us > 0 && h->at_us - h->archived_us >= ARCHIVE_AGE_US) {
		time_span(span, sizeof(span), h->at_us - h->archived_us);
		say(n, STATE_DEGRADED, "the newest archived WAL is %s old", span);
	}
	if (!h->sees_all)
		say(n, STATE_DEGRADED,
		    "this role does not see other users' statements: grant it pg_read_all_stats");
}

static void note_leftovers(const struct database_health *h, struct notes *n)
{
	for (int i = 0; i < h->n_leftovers; i++) {
		const struct db_leftover *l = &h->leftovers[i];

		say(n, STATE_DEGRADED, "%s %.80s of %.80s is left from an earlier run",
		    l->is_index ? "invalid index" : "constraint that was never validated,", l->name,
		    l->table);
	}
}

/* The grave ones first, else as they came. */
static void worst_first(struct db_note *notes, int n)
{
	int n_grave = 0;

	for (int i = 0; i < n; i++) {
		const struct db_note grave = notes[i];

		if (grave.state != STATE_FAILED)
			continue;
		memmove(&notes[n_grave + 1], &notes[n_grave], (size_t)(i - n_grave) * sizeof(*notes));
		notes[n_grave++] = grave;
	}
}

int database_notes(const struct database_health *h, struct db_note *ret, int cap)
{
	struct notes n = {ret, 0, cap};
	char bytes[24];

	note_waits(h, &n);
	note_server(h, &n);
	note_sessions(h, &n);
	note_replicas(h, &n);
	note_leftovers(h, &n);
	worst_first(ret, n.n);
	str_size(bytes, sizeof(bytes), h->bytes);
	if (n.n == 0)
		say(&n, STATE_OK, "PostgreSQL %d.%d, %s, %d of %d connections, nobody in the way%s",
		    h->version / 10000, h->version % 10000, bytes, h->connections, h->connections_max,
		    h->n_replicas > 0 ? ", replicas follow" : "");
	if (!h->archives)
		say(&n, n.items[0].state == STATE_OK ? STATE_OK : STATE_DEGRADED,
		    "the server archives no WAL: only a whole backup can be put back");
	return n.n;
}

static int object_cmp(const struct db_object *a, const struct db_object *b)
{
	const int order = strcmp(a->kind, b->kind);

	return order != 0 ? order : strcmp(a->name, b->name);
}

int database_changes(const struct database_health *before, const struct database_health *after,
                     struct db_note *ret, int cap)
{
	struct notes n = {ret, 0, cap};
	int i = 0, k = 0, found = 0;

	if (!before->has_catalog || !after->has_catalog)
		return 0;
	while (i < before->n_objects || k < after->n_objects) {
		const struct db_object *a = i < before->n_objects ? &before->objects[i] : NULL;
		const struct db_object *b = k < after->n_objects ? &after->objects[k] : NULL;
		const int order = a == NULL ? 1 : b == NULL ? -1 : object_cmp(a, b);

		found += order != 0 || strcmp(a->form, b->form) != 0;
		if (order < 0)
			say(&n, STATE_DEGRADED, "%s %.200s is gone", a->kind, a->name);
		else if (order > 0)
			say(&n, STATE_DEGRADED, "%s %.200s was added", b->kind, b->name);
		else if (strcmp(a->form, b->form) != 0)
			say(&n, STATE_DEGRADED, "%s %.150s changed: %.80s, now %.80s", a->kind, a->name,
			    a->form, b->form);
		i += order <= 0;
		k += order >= 0;
	}
	return found;
}

const struct db_wait *database_waiting(const struct database_health *h, const char *app)
{
	for (int i = 0; i < h->n_waits; i++)
		if (strcmp(h->waits[i].app, app) == 0)
			return &h->waits[i];
	return NULL;
}
