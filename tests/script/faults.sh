#!/bin/sh
# docs/faults.md names tests that exist, all of the 28 faults, and docs/figures.md says how the crash harness ended.
set -u
cd "$(dirname "$0")/../.." || exit 2
n=0

verdict() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

missing=$(grep -oE '`[a-z0-9]+/[a-z_0-9]+: [a-z_0-9]+`' docs/faults.md | tr -d '\`' | sort -u | while IFS=': ' read -r file name; do
	grep -qE "(^static void |[(])($name|test_$name)\\(|cmocka_unit_test[a-z_]*\\($name|TEST\\($name" "tests/$file.c" 2>/dev/null ||
		echo "tests/$file.c has no test $name"
done)
verdict "every named test exists" "$missing"

rows=$(i=1; while [ $i -le 28 ]; do
	grep -qE "^\| $i \| .*(\`[a-z0-9]*/[a-z_0-9]*: | - \| [^|]{20,})" docs/faults.md ||
		echo "fault $i has no row with a test, or with the reason why there is none"
	i=$((i + 1))
done)
verdict "every fault has a test" "$rows"

line=$(grep -qE '^crash: [0-9]{4,} tried, [0-9]{4,} survived, 0 lost, 0 doubled$' docs/figures.md ||
	echo "docs/figures.md has no line of make crash")
verdict "the figures of make crash stand in the docs" "$line"
echo "1..$n"
