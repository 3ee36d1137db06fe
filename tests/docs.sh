#!/bin/sh
# The manual matches the program's tables, and mandoc finds no fault in it. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 2
program=${TOWPATH_BIN:-./towpath}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
rc=0
say() {
	if [ "$1" -eq 0 ]; then
		echo "ok - $2"
	else
		echo "not ok - $2"
		rc=1
	fi
}
sh man/generate "$program" "$tmp"
say $? "the pages can be made"
for page in man/*.in; do
	name=$(basename "$page" .in)
	diff -u "man/$name" "$tmp/$name" > "$tmp/diff" 2>&1
	result=$?
	[ $result -eq 0 ] || sed -n '1,20p' "$tmp/diff"
	say $result "$name is what the tables say (else: make docs)"
	if command -v mandoc > /dev/null 2>&1; then
		mandoc -T lint -W error "$tmp/$name"
		say $? "$name has no fault"
	else
		echo "ok - $name lint # SKIP no mandoc"
	fi
done
exit $rc
