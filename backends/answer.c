#include "backends/answer.h"

#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>

enum { RAW_MAX = 4 * TEXT_LEN };

struct outcome answer_make(enum outcome_kind kind, const char *source, const char *fmt, ...)
{
	struct outcome o = {.kind = kind};
	char raw[RAW_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text_cleanz(o.source, sizeof(o.source), source);
	text_cleanz(o.text, sizeof(o.text), raw);
	return o;
}

void answer_hint(struct outcome *o, const char *fmt, ...)
{
	char raw[RAW_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text_cleanz(o->hint, sizeof(o->hint), raw);
}

struct outcome answer_error(enum outcome_kind kind, const char *source, const struct error *e)
{
	struct error place = *e;
	struct outcome o;
	char raw[RAW_MAX];

	place.hint[0] = '\0';
	error_format(&place, raw, sizeof(raw));
	o = answer_make(kind, source, "%s", raw);
	if (e->hint[0] != '\0')
		answer_hint(&o, "%s", e->hint);
	return o;
}

enum outcome_kind answer_kind(enum err code)
{
	switch (code) {
	case ERR_OK: return OUTCOME_OK;
	case ERR_INVALID:
	case ERR_NOT_FOUND:
	case ERR_EXISTS:
	case ERR_CONFLICT:
	case ERR_DENIED:
	case ERR_CORRUPT: return OUTCOME_FAILED;
	case ERR_UNSUPPORTED: return OUTCOME_UNSUPPORTED;
	case ERR_CANCELLED: return OUTCOME_CANCELLED;
	case ERR_NOMEM:
	case ERR_IO:
	case ERR_TIMEOUT: break;
	}
	return OUTCOME_ERRORED;
}

static void job_done(void *arg)
{
	struct answer_job *job = arg;

	op_done(job->op, job->outcome, job->result, job->free_result);
	job->free_job(job);
}

void answer_run(struct loop *l, struct answer_job *job) { work_run(l, job->run, job_done, job); }

void answer_nomem(struct op *op, const char *source)
{
	op_done(op, outcome_make(OUTCOME_ERRORED, source, "out of memory"), NULL, NULL);
}
