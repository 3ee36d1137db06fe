#!/bin/sh
# towpath migrations lint as scripts use it: no config, exit codes, the JSON's keys, 80 columns, folders, input. TAP.
set -u
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
case ${TOWPATH_BIN:-./towpath} in
/*) bin=${TOWPATH_BIN:-} ;;
*) bin=$(pwd)/${TOWPATH_BIN:-./towpath} ;;
esac
export HOME="$dir" TOWPATH_STATE="$dir/state"
unset TOWPATH_CONFIG XDG_CONFIG_HOME XDG_STATE_HOME
cd "$dir" || exit 2
n=0

ok() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' out 2> /dev/null
	fi
}

# want CODE PATTERN ARGS...: exit code, and a line of the output (both streams) that matches
want() {
	code=$1
	pattern=$2
	shift 2
	"$bin" migrations lint "$@" > out 2>&1 < /dev/null
	rc=$?
	[ $rc -eq "$code" ] && grep -q -e "$pattern" out
	ok $? "lint $* -> $code"
}

mkdir -p db/sub db/.git db/node_modules
printf 'ALTER TABLE customers\n  DROP COLUMN name,\n  DROP COLUMN old;\n' > db/1.sql
printf 'SET lock_timeout = %s1s%s;\nSET statement_timeout = %s1min%s;\nCREATE TABLE IF NOT EXISTS t (a int);\n' "'" "'" "'" "'" > clean.sql
printf 'CREATE INDEX i ON t (a);\n' > db/sub/2.sql
printf 'console.log(1);\n' > db/tool.js
printf 'DROP TABLE hidden;\n' > db/.git/3.sql
printf 'DROP TABLE hidden;\n' > db/node_modules/4.sql
printf 'ALTER TABLE a DROP COLUMN b;\n' > 'a name.sql'
printf 'ALTER TABLE a DROP COLUMN b;\n' > ./-odd.sql

want 0 '0 errors, 0 warnings, 0 to know in 1 file' clean.sql
want 1 '^db/1.sql:2: error B1 drop-column$' db/1.sql
want 1 '^db/1.sql:3: error B1 drop-column$' db/1.sql
want 1 'in 2 files' db
want 0 '^db/sub/2.sql:1: warning L1' db/sub/2.sql
want 1 'warning L1' --fail-on warning db/sub/2.sql
want 1 'a name.sql:1: error B1' 'a name.sql'
want 1 '-odd.sql:1: error B1' -- -odd.sql
want 4 'gone.sql: not read' gone.sql
want 4 '1 of 2 could not be read' gone.sql clean.sql
rm -rf empty && mkdir empty
want 4 'no migration was found' empty
want 2 'which files' --fail-on error
want 2 'is no tool' --tool make db/1.sql
want 2 'has no option' --nope db/1.sql
want 0 '^L1   warning' --rules
want 0 'cannot judge a program' db/tool.js
if [ "$(awk '{ if (length($0) > 80) n++ } END { print n + 0 }' out)" -eq 0 ]; then ok 0 "80 columns"; else ok 1 "80 columns"; fi

printf 'BEGIN;\nDROP TABLE t;\nCOMMIT;\n' | "$bin" migrations lint - > out 2>&1
[ $? -eq 1 ] && grep -q '^-:2: error B2' out
ok $? "the input is a file too"
printf 'CREATE INDEX CONCURRENTLY i ON t (a);\n' | "$bin" migrations lint --tool goose - > out 2>&1
[ $? -eq 1 ] && grep -q 'error L3' out
ok $? "the tool may be said"

"$bin" migrations lint --json db clean.sql > out 2>&1
[ $? -eq 1 ]
ok $? "--json ends with the same code"
python3 - out > checked 2>&1 << 'END'
import json, sys
v = json.load(open(sys.argv[1]))
keys = ["file", "line", "rule", "severity", "lock", "rewrite", "scan", "breaks_old_code", "message", "safer"]
assert v["findings"], "no findings"
for f in v["findings"]:
    assert list(f)[:10] == keys, list(f)
    assert f["severity"] in ("error", "warning", "info") and f["line"] >= 1
one = [f for f in v["findings"] if f["rule"] == "B1"]
assert [f["line"] for f in one] == [2, 3] and one[0]["file"] == "db/1.sql"
assert one[0]["lock"] == "AccessExclusiveLock" and one[0]["breaks_old_code"] is True
assert one[0]["rewrite"] is False and one[0]["scan"] is False
index = [f for f in v["findings"] if f["rule"] == "L1"][0]
assert index["lock"] == "ShareLock" and index["scan"] is True and index["breaks_old_code"] is False
assert v["counts"]["files"] == 3 and v["counts"]["errors"] == 2 and v["exit"] == 1
assert [f["kind"] for f in v["files"]] == ["contract", "expand", "expand"]
assert any(s["does"] == "create table" and s["lock"] is None for s in v["statements"])
END
ok $? "--json has the keys of the contract first"
[ -s checked ] && sed 's/^/# /' checked
echo "1..$n"
