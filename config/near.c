#include "config/near.h"

#include <string.h>

enum { NEAR_MAX = 64 };

int near_distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	int row[3][NEAR_MAX + 1];

	if (na > NEAR_MAX || nb > NEAR_MAX)
		return 99;
	for (size_t k = 0; k <= nb; k++)
		row[0][k] = (int)k;
	for (size_t i = 1; i <= na; i++) {
		int *now = row[i % 3], *up = row[(i + 2) % 3], *upper = row[(i + 1) % 3];

		now[0] = (int)i;
		for (size_t k = 1; k <= nb; k++) {
			int d = up[k - 1] + (a[i - 1] != b[k - 1]);

			d = MIN(d, MIN(up[k], now[k - 1]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				d = MIN(d, upper[k - 2] + 1);
			now[k] = d;
		}
	}
	return row[na % 3][nb];
}

const char *near_name(const char *word, const char *const *names)
{
	const char *best = NULL;
	int best_d = 99;

	for (; *names != NULL; names++) {
		int d = near_distance(word, *names);

		if (d < best_d) {
			best_d = d;
			best = *names;
		}
	}
	return best_d <= 1 + (int)strlen(word) / 4 ? best : NULL;
}
