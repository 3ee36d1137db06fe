/* Recurrence rules and cron: any text ends in a rule or an error, and a rule's moments rise and never loop. */
#include "core/recur.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recurrence r;
	struct cron c;
	struct error e = {0};
	char text[512];
	int64_t t = 1700000000, last = t - 1;
	int rc;

	if (size == 0 || size >= sizeof(text))
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	rc = data[0] % 2 == 0 ? recurrence_parse(text, t, &r, &e) : cron_parse(text, &c, &e);
	HOLDS(rc == 0 || e.text[0] != '\0');
	for (int i = 0; rc == 0 && i < 8; i++) {
		t = data[0] % 2 == 0 ? recurrence_next(&r, last + 1) : cron_next(&c, last + 1);
		HOLDS(t > last);
		if (t == RECUR_NEVER)
			break;
		last = t;
	}
	return 0;
}
