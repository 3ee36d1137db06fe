/* The lines of an exposition, one by one; used by core/exposition.c alone. */
#ifndef CORE_EXPOSITION_SCAN_H
#define CORE_EXPOSITION_SCAN_H

#include "core/exposition.h"

struct exposition_exemplar {
	bool present;
	bool has_time;
	double v, time_s;
};

/* What is wrong with a piece of a line; NULL: nothing. The texts are constants. */
const char *exposition_scan_sample(const char *line, size_t n, enum exposition_format format, struct arena *a,
                                   struct exposition_sample *ret, struct exposition_exemplar *exemplar);

/* Reads a number as the format allows it, from the whole of n bytes. */
bool exposition_number(const char *s, size_t n, enum exposition_format format, double *ret);

/* The length of a metric name at s, 0: none. */
size_t exposition_name(const char *s, size_t n);

#endif
