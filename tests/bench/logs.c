/*
 * Log figures without a screen, linked with the program's own library.
 *
 *   logs generate LINES FILE     JSON lines of about 200 bytes, the same on every machine
 *   logs ingest FILE SOURCES     through the ring, level and time read: lines, lines kept, CPU s, wall s
 *   logs filter FILE FILTER      every line through a filter: hits, CPU s, wall s
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "core/filter.h"
#include "core/logbuf.h"
#include "core/time.h"

enum { PIECE = 64 * 1024 };

struct clocks {
	double cpu_s, wall_s;
};

static struct clocks clocks_now(void)
{
	struct timespec cpu, wall;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	clock_gettime(CLOCK_MONOTONIC, &wall);
	return (struct clocks){(double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9,
	                       (double)wall.tv_sec + (double)wall.tv_nsec / 1e9};
}

static int generate(long lines, const char *path)
{
	static const char *const levels[] = {"info", "info",  "info", "info",  "info",
	                                     "info", "debug", "warn", "error", "info"};
	static const char *const paths[] = {"/api/orders", "/api/customers", "/health", "/api/basket",
	                                    "/static/app.js"};
	uint64_t x = UINT64_C(88172645463325252);
	FILE *f = fopen(path, "w");
	char stamp[40];

	if (f == NULL) {
		perror(path);
		return 2;
	}
	for (long i = 0; i < lines; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		time_iso(stamp, sizeof(stamp), INT64_C(1793069251000000) + i * 1000, true);
		fprintf(f,
		        "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":\"request "
		        "served\",\"method\":\"GET\",\"path\":\"%s\","
		        "\"status\":%d,\"took_ms\":%d,\"trace\":\"%016llx\",\"user\":\"u%d\"%s}\n",
		        stamp, levels[x % 10], paths[x / 10 % 5], x % 997 == 0 ? 503 : 200,
		        (int)(x / 100 % 900), (unsigned long long)x, (int)(x / 7 % 100000),
		        x % 10007 == 0 ? ",\"cause\":\"upstream Timeout\"" : "");
	}
	return fclose(f) == 0 ? 0 : 2;
}

static char *file_read(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "rb");
	char *buf;
	long n;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) < 0) {
		perror(path);
		exit(2);
	}
	rewind(f);
	buf = malloc((size_t)n + 1);
	if (buf == NULL || fread(buf, 1, (size_t)n, f) != (size_t)n) {
		perror(path);
		exit(2);
	}
	fclose(f);
	buf[n] = '\0';
	*ret_n = (size_t)n;
	return buf;
}

/* Pieces go to the sources in turn, so that each has an unfinished line at any time. */
static int ingest(const char *path, int sources)
{
	struct logbuf *b = logbuf_new(LOG_RING_MAX);
	struct clocks from = clocks_now(), to;
	FILE *f = fopen(path, "rb");
	static char piece[PIECE];
	struct rusage usage;
	size_t n;

	if (f == NULL || b == NULL) {
		perror(path);
		return 2;
	}
	for (int turn = 0; (n = fread(piece, 1, sizeof(piece), f)) > 0; turn++)
		logbuf_append(b, (uint16_t)(turn % sources), piece, n, 1);
	fclose(f);
	to = clocks_now();
	getrusage(RUSAGE_SELF, &usage);
	printf("%llu %llu %.3f %.3f %ld\n", (unsigned long long)logbuf_lines_total(b),
	       (unsigned long long)(logbuf_end(b) - logbuf_first(b)), to.cpu_s - from.cpu_s,
	       to.wall_s - from.wall_s, usage.ru_maxrss);
	logbuf_free(b);
	return 0;
}

struct span {
	const char *s;
	size_t n;
};

static const char *span_text(const void *row, size_t *ret_n)
{
	const struct span *span = row;

	*ret_n = span->n;
	return span->s;
}

static const char *span_field(const void *row, const char *key, char *buf, size_t cap)
{
	const struct span *span = row;
	struct log_line l = {.bytes = span->s, .n = span->n};

	return log_line_field(&l, key, buf, cap) ? buf : NULL;
}

static int filter(const char *path, const char *text)
{
	struct filter *f = NULL;
	struct error e = {0};
	struct clocks from, to;
	size_t n;
	char *bytes = file_read(path, &n), *end = bytes + n;
	long hits = 0;

	from = clocks_now();
	if (filter_parse(text, &f, &e) != 0) {
		fprintf(stderr, "%s\n", e.text);
		return 2;
	}
	for (char *p = bytes; p < end;) {
		char *nl = memchr(p, '\n', (size_t)(end - p));
		struct span span = {.s = p, .n = (size_t)((nl != NULL ? nl : end) - p)};
		struct filter_row row = {.row = &span, .text = span_text, .field = span_field};

		hits += filter_passes(f, &row);
		p = nl != NULL ? nl + 1 : end;
	}
	to = clocks_now();
	printf("%ld %.3f %.3f\n", hits, to.cpu_s - from.cpu_s, to.wall_s - from.wall_s);
	filter_free(f);
	free(bytes);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "generate") == 0)
		return generate(strtol(argv[2], NULL, 10), argv[3]);
	if (argc == 4 && strcmp(argv[1], "ingest") == 0)
		return ingest(argv[2], MAX((int)strtol(argv[3], NULL, 10), 1));
	if (argc == 4 && strcmp(argv[1], "filter") == 0)
		return filter(argv[2], argv[3]);
	fprintf(stderr, "logs generate LINES FILE | ingest FILE SOURCES | filter FILE FILTER\n");
	return 2;
}
