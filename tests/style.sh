#!/bin/sh
# Small rules that a reader trips over: blanks at line ends, long lines, words of unfinished work, files that git
# does not know. TAP. Banned calls and layers are in tests/layers.sh.
set -u
cd "$(dirname "$0")/.." || exit 2
bad=0
n=0

check() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "$2" | head -n 40 | sed 's/^/# /'
		bad=1
	fi
}

if git rev-parse --git-dir >/dev/null 2>&1; then
	files() { git ls-files -- "$@"; }
	unknown=$(git status --porcelain --untracked-files=all -- '*.c' '*.h' '*.sh' '*.yaml' '*.theme' '*.sql' |
		sed -n 's/^?? //p')
	check "git knows all sources" "$unknown"
else
	files() { for p in "$@"; do find . -path ./build -prune -o -name "$p" -print; done; }
fi

# Recorded bytes of other programs are kept as they are.
ours() {
	files "$@" | grep -vE '(^|/)(fixtures|golden|recorded|corpus|world)/'
}

found=$(ours '*.c' '*.h' '*.sh' Makefile '*.md' '*.yaml' '*.theme' '*.sql' tests/run .ci/run .ci/deps |
	tr '\n' '\0' | xargs -0 grep -nE '[[:blank:]]+$' 2>/dev/null)
check "no blanks at the end of a line" "$found"

# A tab is eight columns.
# shellcheck disable=SC2016
found=$(ours '*.c' '*.h' | tr '\n' '\0' | xargs -0 -n 1 sh -c '
	expand "$1" | awk -v f="$1" "length(\$0) > 120 { print f \":\" FNR \": \" length(\$0) \" columns\" }"' sh)
check "no line is longer than 120 columns" "$found"

found=$(ours '*.c' '*.h' '*.sh' Makefile '*.md' | grep -v '^tests/style\.sh$' | tr '\n' '\0' |
	xargs -0 grep -nE '(^|[^A-Za-z])(TODO|FIXME|XXX|HACK)([^A-Za-z]|$)' 2>/dev/null)
check "nothing is marked as unfinished" "$found"

found=$(ours '*.c' '*.h' | tr '\n' '\0' | xargs -0 grep -nE '(^|[^:"])//' 2>/dev/null | grep -vE '"[^"]*//|/\*.*//|^[^:]*:[0-9]*:[[:space:]]*\*')
check "comments are /* ... */" "$found"

found=$(ours '*.c' '*.h' | tr '\n' '\0' | xargs -0 grep -lP '\r' 2>/dev/null)
check "no carriage returns" "$found"

echo "1..$n"
exit $bad
