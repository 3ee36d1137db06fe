#include "core/commit.h"

#include "core/text.h"

#include <string.h>

enum { KIND_MAX = 16, MESSAGE_MAX = 64 * 1024 };

static enum commit_kind kind_of(const char *word, size_t n)
{
	static const struct {
		const char *word;
		enum commit_kind kind;
	} words[] = {
	    {"feat", COMMIT_FEAT},         {"feature", COMMIT_FEAT},  {"fix", COMMIT_FIX},
	    {"bugfix", COMMIT_FIX},        {"hotfix", COMMIT_FIX},    {"perf", COMMIT_PERF},
	    {"refactor", COMMIT_REFACTOR}, {"docs", COMMIT_DOCS},     {"doc", COMMIT_DOCS},
	    {"test", COMMIT_TEST},         {"tests", COMMIT_TEST},    {"build", COMMIT_BUILD},
	    {"ci", COMMIT_BUILD},          {"deps", COMMIT_BUILD},    {"chore", COMMIT_CHORE},
	    {"style", COMMIT_CHORE},       {"revert", COMMIT_REVERT},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		bool same = strlen(words[i].word) == n;

		/* Kinds are case-insensitive by the convention; ASCII only. */
		for (size_t k = 0; same && k < n; k++)
			same = (word[k] | 0x20) == words[i].word[k];
		if (same)
			return words[i].kind;
	}
	return COMMIT_OTHER;
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* Takes "kind(scope)!: " off the line; returns where the subject starts, 0 for a line of another form. */
static size_t prefix_take(const char *s, size_t n, struct commit *ret)
{
	size_t at = 0, n_kind, scope_at = 0, n_scope = 0;
	bool breaking = false;

	while (at < n && at < KIND_MAX && is_letter(s[at]))
		at++;
	n_kind = at;
	if (n_kind == 0)
		return 0;
	if (at < n && s[at] == '(') {
		const char *close = memchr(s + at, ')', n - at);

		if (close == NULL)
			return 0;
		scope_at = at + 1;
		n_scope = (size_t)(close - s) - scope_at;
		at = (size_t)(close - s) + 1;
	}
	if (at < n && s[at] == '!') {
		breaking = true;
		at++;
	}
	if (at + 1 >= n || s[at] != ':' || s[at + 1] != ' ')
		return 0;
	ret->kind = kind_of(s, n_kind);
	/* "Note: something" is a sentence, not a kind. */
	if (ret->kind == COMMIT_OTHER)
		return 0;
	ret->breaking = breaking;
	text_clean(ret->scope, sizeof(ret->scope), s + scope_at, n_scope);
	for (at += 2; at < n && s[at] == ' '; at++)
		;
	return at;
}

static bool starts(const char *s, size_t n, const char *with)
{
	size_t k = strlen(with);

	return n >= k && memcmp(s, with, k) == 0;
}

void commit_parse(const char *message, size_t n, struct commit *ret)
{
	const char *end;
	size_t n_line, at;

	ret->kind = COMMIT_OTHER;
	ret->breaking = false;
	ret->scope[0] = '\0';
	n = MIN(n, MESSAGE_MAX);
	while (n > 0 && (*message == '\n' || *message == '\r' || *message == ' ')) {
		message++;
		n--;
	}
	end = memchr(message, '\n', n);
	n_line = end != NULL ? (size_t)(end - message) : n;
	if (n_line > 0 && message[n_line - 1] == '\r')
		n_line--;
	at = prefix_take(message, n_line, ret);
	if (at == 0 && starts(message, n_line, "Revert "))
		ret->kind = COMMIT_REVERT;
	text_clean(ret->subject, sizeof(ret->subject), message + at, n_line - at);
	/* Footers: a line of their own that starts with the token. */
	for (const char *line = end; line != NULL;) {
		size_t left = n - (size_t)(line + 1 - message);

		line++;
		if (starts(line, left, "BREAKING CHANGE: ") || starts(line, left, "BREAKING-CHANGE: "))
			ret->breaking = true;
		line = memchr(line, '\n', left);
	}
}
