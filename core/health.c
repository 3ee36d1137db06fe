/* Health of a deployment: the worst of what instances, metrics sources and thresholds say. */
#include "core/model.h"

#include <stdio.h>

struct verdict {
	enum state state;
	char *text;
	size_t cap;
};

/* Order of harm: a worse state replaces a milder one together with its reason. */
static int harm(enum state s)
{
	switch (s) {
	case STATE_FAILED: return 4;
	case STATE_DEGRADED: return 3;
	case STATE_DRIFT: return 2;
	case STATE_OK: return 1;
	case STATE_NOT_STARTED:
	case STATE_PROGRESS:
	case STATE_UNKNOWN:
	case STATE_HELD:
	case STATE_SKIPPED:
	case STATE_FROZEN:
	case STATE_COUNT: break;
	}
	return 0;
}

static void worsen(struct verdict *v, enum state s, const char *text)
{
	if (harm(s) <= harm(v->state))
		return;
	v->state = s;
	snprintf(v->text, v->cap, "%s", text);
}

static bool is_down(const struct instance *in)
{
	return in->state == STATE_FAILED || in->state == STATE_UNKNOWN || in->state == STATE_NOT_STARTED;
}

static bool none_runs(const struct deployed *d)
{
	for (int i = 0; i < d->n_instances; i++)
		if (d->instances[i].state != STATE_NOT_STARTED)
			return false;
	return true;
}

static void instances_eval(struct verdict *v, const struct deployed *d)
{
	int bad = 0, drift = 0;
	const struct instance *first = NULL;
	char text[TEXT_LEN * 2];

	for (int i = 0; i < d->n_instances; i++) {
		const struct instance *in = &d->instances[i];

		if (in->state == STATE_DRIFT)
			drift++;
		if (is_down(in))
			bad++;
		if (first == NULL && in->state != STATE_OK)
			first = in;
	}
	if (bad > 0) {
		for (int i = 0; i < d->n_instances && first->state == STATE_DRIFT; i++)
			if (is_down(&d->instances[i]))
				first = &d->instances[i];
		snprintf(text, sizeof(text), "%d of %d instances down: %s %s", bad, d->n_instances,
		         first->name, first->text);
		worsen(v, bad == d->n_instances ? STATE_FAILED : STATE_DEGRADED, text);
	} else if (drift > 0 || d->drift) {
		if (first != NULL)
			snprintf(text, sizeof(text), "drift: %s %s", first->name, first->text);
		else
			snprintf(text, sizeof(text), "drift: %s", d->text);
		worsen(v, STATE_DRIFT, text);
	}
}

static void limit_eval(struct verdict *v, const struct model *m, const struct deployment *dep,
                       const char *name, const char *label, const char *unit, double warn, double fail)
{
	const struct series *s = deployment_series(dep, name);
	const struct point *p = s != NULL ? series_last(s) : NULL;
	const struct source *src = &dep->sources[PORT_METRICS];
	char text[TEXT_LEN];

	if (p == NULL || (src->stale_after_us > 0 && m->now_us - p->t_us > src->stale_after_us))
		return;
	if (fail > 0 && p->v >= fail) {
		snprintf(text, sizeof(text), "%s %.1f%s, limit %.1f%s", label, p->v, unit, fail, unit);
		worsen(v, STATE_FAILED, text);
	} else if (warn > 0 && p->v >= warn) {
		snprintf(text, sizeof(text), "%s %.1f%s, warns at %.1f%s", label, p->v, unit, warn, unit);
		worsen(v, STATE_DEGRADED, text);
	}
}

enum state health_eval(const struct model *m, int service, int env, char *text, size_t cap)
{
	const struct deployment *dep = model_deployment(m, service, env);
	const struct thresholds *t = &m->setup->services[service].thresholds;
	const struct deployed *d = dep->deployed;
	struct verdict v = {STATE_UNKNOWN, text, cap};

	if (d == NULL) {
		snprintf(text, cap, "not seen yet");
		return STATE_UNKNOWN;
	}
	if (d->release.digest[0] == '\0' && none_runs(d)) {
		snprintf(text, cap, "%s", d->text[0] != '\0' ? d->text : "nothing is deployed here");
		return STATE_NOT_STARTED;
	}
	v.state = STATE_OK;
	snprintf(text, cap, "healthy");
	instances_eval(&v, d);
	for (int i = 0; i < dep->n_facts; i++)
		worsen(&v, dep->facts[i].state, dep->facts[i].text);
	limit_eval(&v, m, dep, "errors_pct", "errors", "%", t->error_pct_warn, t->error_pct_fail);
	limit_eval(&v, m, dep, "p99_ms", "p99", "ms", t->p99_ms_warn, t->p99_ms_fail);
	return v.state;
}
