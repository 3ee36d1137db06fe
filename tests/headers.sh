#!/bin/sh
# Each header compiles alone, in C11 with the project's warnings, and has its include guard. TAP.
set -u
cd "$(dirname "$0")/.." || exit 2
cc=${CC:-cc}
# shellcheck disable=SC2046
flags=$(pkg-config --cflags-only-I libuv libcurl jansson libpq libgit2 libpcre2-8 ncursesw sqlite3 libfyaml 2>/dev/null)
warn="-Wall -Wextra -Wpedantic -Wstrict-prototypes -Wundef -Wno-sign-conversion -Werror"
bad=0
n=0
out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT

ok() {
	n=$((n + 1))
	echo "ok $n - $1"
}

not_ok() {
	n=$((n + 1))
	bad=1
	echo "not ok $n - $1"
	head -n 20 "$out" | sed 's/^/# /'
}

for h in $(find core io engine config themes backends tui demo cli tests/lib -name '*.h' 2>/dev/null | LC_ALL=C sort); do
	# shellcheck disable=SC2086
	if ! printf '#include "%s"\n#include "%s"\nint unit;\n' "$h" "$h" |
		$cc -std=c11 -D_XOPEN_SOURCE=700 -DTOWPATH_VERSION='"0"' -I. $flags $warn -fsyntax-only -x c - >"$out" 2>&1; then
		not_ok "$h compiles alone"
	elif ! grep -q '^#ifndef [A-Z0-9_]*_H$' "$h"; then
		echo "no include guard" >"$out"
		not_ok "$h has a guard"
	else
		ok "$h"
	fi
done
echo "1..$n"
exit $bad
