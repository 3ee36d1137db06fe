#include "io/fault.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAULTS_MAX = 16 };

enum fault_kind { FAULT_KILL, FAULT_STOP, FAULT_ERROR };

struct fault {
	char name[64];
	long at; /* 0: each time */
	enum fault_kind kind;
	atomic_long hits;
};

static struct fault faults[FAULTS_MAX];
static int n_faults;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool kind_parse(const char *s, enum fault_kind *ret)
{
	static const char *const words[] = {
	    [FAULT_KILL] = "kill", [FAULT_STOP] = "stop", [FAULT_ERROR] = "error"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(s, words[i]) == 0) {
			*ret = (enum fault_kind)i;
			return true;
		}
	return false;
}

/* "name=kind" or "name@N=kind". Quiet faults would make crash tests lie, so nonsense ends the program. */
static void fault_parse(const char *item, size_t n)
{
	char buf[64], *eq, *at;
	struct fault *f = &faults[n_faults];

	if (n_faults >= FAULTS_MAX || n >= sizeof(buf)) {
		fputs("towpath: TOWPATH_FAULT is too long\n", stderr);
		exit(2);
	}
	memcpy(buf, item, n);
	buf[n] = '\0';
	eq = strchr(buf, '=');
	if (eq == NULL || !kind_parse(eq + 1, &f->kind)) {
		fprintf(stderr, "towpath: TOWPATH_FAULT: '%s' is not name=kill|stop|error\n", buf);
		exit(2);
	}
	*eq = '\0';
	at = strchr(buf, '@');
	if (at != NULL) {
		char *end;

		*at = '\0';
		f->at = strtol(at + 1, &end, 10);
		if (*end != '\0' || f->at < 1) {
			fprintf(stderr, "towpath: TOWPATH_FAULT: '%s' is no count\n", at + 1);
			exit(2);
		}
	}
	memcpy(f->name, buf, sizeof(f->name));
	n_faults++;
}

static void faults_read(void)
{
	const char *s = getenv("TOWPATH_FAULT");

	while (s != NULL && *s != '\0') {
		size_t n = strcspn(s, ",");

		if (n > 0)
			fault_parse(s, n);
		s += n;
		if (*s == ',')
			s++;
	}
}

bool fault_point(const char *name)
{
	pthread_once(&once, faults_read);
	for (int i = 0; i < n_faults; i++) {
		struct fault *f = &faults[i];

		if (strcmp(f->name, name) != 0)
			continue;
		if (f->at != 0 && atomic_fetch_add(&f->hits, 1) + 1 != f->at)
			continue;
		if (f->kind == FAULT_ERROR)
			return true;
		raise(f->kind == FAULT_KILL ? SIGKILL : SIGSTOP);
	}
	return false;
}
