#include "core/filter.h"

#include <string.h>

enum {
	PATTERN_CHARS = 64,
	CANDIDATE_CHARS = 256,
	SCORE_MATCH = 16,
	SCORE_START = 10, /* begins a word */
	SCORE_NEXT = 12,  /* follows the match before it */
	SCORE_BEGIN = 8,  /* begins the candidate */
	NEVER = -1000000,
};

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (unsigned char)c >= 0x80;
}

static int place_bonus(const char *c, size_t i)
{
	if (i == 0)
		return SCORE_START + SCORE_BEGIN;
	if (!is_alnum(c[i - 1]) || (c[i] >= 'A' && c[i] <= 'Z' && c[i - 1] >= 'a' && c[i - 1] <= 'z'))
		return SCORE_START;
	return 0;
}

/*
 * Best alignment by rows: ending[i] is the best score of the pattern so far with its last character
 * at candidate[i]. Gaps cost nothing but the bonus they miss; longer candidates lose a little.
 */
int fuzzy_score(const char *pattern, const char *candidate)
{
	size_t n_p = strnlen(pattern, PATTERN_CHARS + 1), n_c = strnlen(candidate, CANDIDATE_CHARS);
	int ending[CANDIDATE_CHARS], best = NEVER;

	if (n_p == 0)
		return 0;
	if (n_p > PATTERN_CHARS || n_p > n_c)
		return -1;
	for (size_t p = 0; p < n_p; p++) {
		int before = p == 0 ? 0 : NEVER, diagonal = NEVER;

		best = NEVER;
		for (size_t i = 0; i < n_c; i++) {
			int above = p > 0 ? ending[i] : NEVER, score = NEVER;

			if (lower(pattern[p]) == lower(candidate[i])) {
				score = before + SCORE_MATCH + place_bonus(candidate, i);
				if (diagonal > NEVER / 2 && diagonal + SCORE_MATCH + SCORE_NEXT > score)
					score = diagonal + SCORE_MATCH + SCORE_NEXT;
			}
			ending[i] = score;
			best = score > best ? score : best;
			before = above > before ? above : before;
			diagonal = above;
		}
	}
	if (best < NEVER / 2)
		return -1;
	best -= (int)n_c / 4;
	return best > 0 ? best : 0;
}
