/*
 * Prometheus text format 0.0.4 and OpenMetrics 1.0, parsed strictly and within bounds.
 *
 * Text 0.0.4 is checked line by line. OpenMetrics is checked as a whole too: "# EOF", families in one block, types,
 * values that a type allows, histograms that add up, exemplars.
 */
#ifndef CORE_EXPOSITION_H
#define CORE_EXPOSITION_H

#include "core/arena.h"
#include "core/err.h"

struct exposition_label {
	const char *name, *value; /* unescaped, raw bytes */
};

struct exposition_sample {
	const char *name;
	const struct exposition_label *labels;
	int n_labels;
	double v;
	bool has_time;
	double time_s;
};

struct exposition {
	struct arena arena;
	struct exposition_sample *samples;
	int n_samples;
};

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

/*
 * Parses n bytes. ERR_INVALID with the line and what is wrong, or ERR_NOMEM past a limit; ret is empty then.
 * Release it with exposition_release() in any case.
 */
int exposition_parse(struct exposition *ret, const char *bytes, size_t n, enum exposition_format format,
                     struct error *e) MUST_CHECK;
void exposition_release(struct exposition *x);

/* The format that a Content-Type names (foreign bytes); text 0.0.4 for all but OpenMetrics. */
enum exposition_format exposition_format_of(const char *content_type);

/* The value of a label, NULL where the sample has none. */
const char *exposition_label(const struct exposition_sample *s, const char *name);

#endif
