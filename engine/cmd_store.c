/* store init, migrate, status: the store made, brought up to date, and how it stands. */
#include "engine/report.h"

#include <stdio.h>
#include <string.h>

#define PREPARE_US (90 * US_PER_S)

/* --- init and migrate ----------------------------------------------------------------------------- */

static void on_prepared(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct command_run *run = ctx;
	const struct store_prepared *p = result;
	struct arena *a = command_arena(run);
	struct jv *next = jv_arr(a);

	UNUSED(op);
	if (o->kind != OUTCOME_OK || p == NULL) {
		report_outcome(run, o);
		return;
	}
	jv_set_str(a, command_value(run), "place", p->place);
	jv_set_int(a, command_value(run), "schema_before", p->from);
	jv_set_int(a, command_value(run), "schema", p->to);
	for (int i = 0; i < p->n_next; i++)
		jv_push(a, next, jv_str(a, p->next[i]));
	jv_set(a, command_value(run), "grants", next);
	/* Who made it wants to give it to somebody. */
	if (p->from == 0 && p->n_next > 0) {
		command_line(run, "give people their roles, as an admin of the database:");
		for (int i = 0; i < p->n_next; i++)
			command_line(run, "    %s", p->next[i]);
	}
	if (p->from == p->to)
		command_done(run, EXIT_DONE, "%s: schema %d is there, nothing to do", p->place, p->to);
	else if (p->from == 0)
		command_done(run, EXIT_DONE, "%s: made, schema %d", p->place, p->to);
	else
		command_done(run, EXIT_DONE, "%s: brought from schema %d to %d", p->place, p->from, p->to);
}

static void prepare(struct app *a, struct command_run *run, bool create)
{
	const struct opened *store = app_store(a);

	STORE_OF(store)->prepare(store->priv, create, op_new(app_loop(a), PREPARE_US, on_prepared, run));
}

static void exec_init(struct app *a, struct command_run *run) { prepare(a, run, true); }
static void exec_migrate(struct app *a, struct command_run *run) { prepare(a, run, false); }

/* --- status ---------------------------------------------------------------------------------------- */

static void roles_line(unsigned roles, char *dst, size_t cap)
{
	size_t at = 0;

	dst[0] = '\0';
	for (int bit = 0; bit < STORE_ROLE_COUNT && at < cap; bit++)
		if ((roles & 1u << bit) != 0) {
			int n =
			    snprintf(dst + at, cap - at, "%s%s", at > 0 ? ", " : "", store_role_name(bit));

			at += n > 0 ? (size_t)n : 0;
		}
	if (at == 0)
		str_copy(dst, cap, "none");
}

static void status_json(struct command_run *run, const struct store_status *t,
                        const struct lease_times *times, const char *driver)
{
	struct arena *a = command_arena(run);
	struct jv *v = command_value(run), *roles = jv_arr(a), *warnings = jv_arr(a);

	jv_set_str(a, v, "driver", driver);
	jv_set_str(a, v, "server", t->server);
	jv_set_str(a, v, "place", t->place);
	jv_set_int(a, v, "schema", t->schema);
	jv_set_int(a, v, "schema_known", t->schema_known);
	jv_set_int(a, v, "latency_us", t->latency_us);
	jv_set_str(a, v, "actor", t->actor);
	for (int bit = 0; bit < STORE_ROLE_COUNT; bit++)
		if ((t->roles & 1u << bit) != 0)
			jv_push(a, roles, jv_str(a, store_role_name(bit)));
	jv_set(a, v, "roles", roles);
	jv_set_str(a, v, "follows", t->follows);
	jv_set_int(a, v, "lease_ttl_us", times->ttl_us);
	jv_set_int(a, v, "lease_renew_us", times->renew_us);
	jv_set_int(a, v, "lease_safe_us", times->safe_us);
	jv_set_int(a, v, "audit_rows", t->head_seq);
	jv_set_str(a, v, "audit_head", t->head);
	jv_set_int(a, v, "audit_at_us", t->head_us);
	jv_set_int(a, v, "now_us", t->now_us);
	for (int i = 0; i < t->n_warnings; i++)
		jv_push(a, warnings, jv_str(a, t->warnings[i]));
	jv_set(a, v, "warnings", warnings);
}

static void on_status(void *ctx, struct op *op, const struct outcome *o, void *result)
{
	struct command_run *run = ctx;
	struct app *app = command_app(run);
	const struct opened *store = app_store(app);
	const struct lease_times *times = STORE_OF(store)->times(store->priv);
	const struct store_status *t = result;
	char roles[TEXT_LEN / 2], ttl[32], renew[32], safe[32], age[32], latency[32];
	int64_t skew;

	UNUSED(op);
	if (o->kind != OUTCOME_OK || t == NULL) {
		report_outcome(run, o);
		return;
	}
	status_json(run, t, times, store->driver->name);
	roles_line(t->roles, roles, sizeof(roles));
	time_span(ttl, sizeof(ttl), times->ttl_us);
	time_span(renew, sizeof(renew), times->renew_us);
	time_span(safe, sizeof(safe), times->safe_us);
	snprintf(latency, sizeof(latency), "%lld.%lld ms", (long long)(t->latency_us / US_PER_MS),
	         (long long)(t->latency_us % US_PER_MS / 100));
	command_line(run, "driver   %s, %s", store->driver->name, t->server);
	command_line(run, "place    %s", t->place);
	command_line(run, "schema   %d of %d%s", t->schema, t->schema_known,
	             t->schema < t->schema_known ? ", read only: towpath store migrate" : "");
	command_line(run, "latency  %s", latency);
	command_line(run, "you      %s: %s", t->actor[0] != '\0' ? t->actor : app_model(app)->actor, roles);
	command_line(run, "leases   live %s, renewed every %s, nothing new after %s", ttl, renew, safe);
	command_line(run, "follows  %s", t->follows);
	if (t->head_seq > 0) {
		time_age(age, sizeof(age), t->now_us - t->head_us);
		command_line(run, "audit    %lld rows, the last %s ago, head %.19s", (long long)t->head_seq,
		             age, t->head);
	} else {
		command_line(run, "audit    empty");
	}
	for (int i = 0; i < t->n_warnings; i++)
		command_line(run, "! %s", t->warnings[i]);
	skew = t->now_us - loop_wall_us();
	if (skew > 2 * US_PER_S || skew < -2 * US_PER_S) {
		time_span(age, sizeof(age), skew > 0 ? skew : -skew);
		command_line(run,
		             "! this host's clock is %s %s the store's: ages are wrong here, leases are not",
		             age, skew > 0 ? "behind" : "ahead of");
	}
	command_done(run, EXIT_DONE, NULL);
}

static void exec_status(struct app *a, struct command_run *run)
{
	const struct opened *store = app_store(a);

	STORE_OF(store)->status(store->priv,
	                        op_new(app_loop(a), REMOTE_TIMEOUT_MS * US_PER_MS, on_status, run));
}

const struct command command_store_init = {
    .name = "store init",
    .summary = "make the store that the config names",
    .flags = COMMAND_NO_STORE | COMMAND_CLI_ONLY,
    .exec = exec_init,
    .json = "place, schema_before, schema, grants[]",
    .details = "For PostgreSQL: makes roles, schema, tables and functions in one transaction, as the user of "
               "admin_url, "
               "who must be allowed to make roles and schemas; then prints the grants that give people their "
               "roles. A "
               "SQLite file is made at its first use anyway. Twice is once.",
    .example = "towpath -c towpath.yaml store init",
};

const struct command command_store_migrate = {
    .name = "store migrate",
    .summary = "bring the store to the schema of this version",
    .flags = COMMAND_NO_STORE | COMMAND_CLI_ONLY,
    .exec = exec_migrate,
    .json = "place, schema_before, schema, grants[]",
    .details = "All of it or nothing, in one transaction, as the user of admin_url. From then on programs of "
               "the schema "
               "before are refused every write; this version reads stores two schemas back, so update "
               "programs first, "
               "then the store. Decisions that are new in this version become known to the store.",
    .example = "towpath store migrate",
};

const struct command command_store_status = {
    .name = "store status",
    .summary = "how the store stands and what you may do there",
    .flags = COMMAND_NO_STORE,
    .exec = exec_status,
    .json = "driver, server, place, schema, schema_known, latency_us, actor, roles[], follows, lease_ttl_us, "
            "lease_renew_us, lease_safe_us, audit_rows, audit_head, audit_at_us, now_us, warnings[]",
    .details = "Asks the store itself; says what is missing and what to do about it.",
    .example = "towpath store status",
};
