#!/bin/sh
# The audit as people use it: checkpoints in a file and in git, signed; a store that was rewound or written anew.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
here=$(pwd)
bin=${TOWPATH_BIN:-./towpath}
export HOME="$dir" TOWPATH_STATE="$dir/state" GIT_CONFIG_GLOBAL=/dev/null
unset TOWPATH_CONFIG XDG_CONFIG_HOME XDG_STATE_HOME
n=0

want() {
	code=$1
	pattern=$2
	shift 2
	n=$((n + 1))
	(cd "$dir" && "$@") > "$dir/out" 2>&1 < /dev/null
	rc=$?
	if [ $rc -eq "$code" ] && grep -q -- "$pattern" "$dir/out"; then
		echo "ok $n - $(basename "$1") $(echo "$*" | cut -d' ' -f2-) -> $code"
	else
		echo "not ok $n - $* gave $rc, wanted $code and /$pattern/"
		sed 's/^/# /' "$dir/out"
	fi
}
case $bin in /*) ;; *) bin=$here/$bin ;; esac
verifier=$here/tests/verify_audit.py

cat > "$dir/t.yaml" <<'Y'
name: acme
store: {driver: sqlite, path: state/store.db}
audit: {file: witness.jsonl, git: repo, key: key, signers: signers}
environments:
  - {name: dev, short: dev, tier: 1}
  - {name: prod, short: prd, tier: 3, production: true}
services:
  - name: web
    deploy: {driver: host, root: "hosts/{env}/web", restart: ["true"]}
    environments:
      dev: {instances: [{name: a, url: "http://127.0.0.1:1"}]}
      prod: {instances: [{name: a, url: "http://127.0.0.1:1"}]}
Y
chmod 600 "$dir/t.yaml"
ssh-keygen -q -t ed25519 -N '' -C audit -f "$dir/key"
echo "bastion namespaces=\"towpath-checkpoint@v1\" $(cat "$dir/key.pub")" > "$dir/signers"
git init -q "$dir/repo"
git -C "$dir/repo" -c user.name=a -c user.email=a@b commit -q --allow-empty -m first
t() {
	code=$1 pattern=$2
	shift 2
	want "$code" "$pattern" "$bin" -c t.yaml "$@"
}
note() {
	(cd "$dir" && "$bin" -c t.yaml note web "$1" "$2" > /dev/null 2>&1) || echo "# note failed"
}

t 0 'the audit is empty' audit checkpoint
t 0 'the audit is whole: 0 rows' audit verify
for i in 1 2 3 4 5; do note prod "note $i"; done
note dev '=1+2'
t 0 'nothing outside of the store has seen it' audit verify --witness none
t 0 'checkpoint of row 6, sha256:.*, signed, is in .*witness.jsonl and refs/notes/towpath-audit' audit checkpoint
t 0 'no new rows' audit checkpoint
t 0 'witnessed to row 6 at .*, signed by bastion; 0 rows since then are not' audit verify
t 0 'witnessed to row 6' audit verify --witness git
want 0 '"seq":6' git -C "$dir/repo" notes --ref towpath-audit show HEAD
want 0 'whole: 6 rows' python3 "$verifier" --sqlite state/store.db --witness witness.jsonl

# Export: the whole chain verifies, a filter filters, CSV is no formula.
want 0 '^6$' sh -c "'$bin' -c t.yaml audit export > all.jsonl && wc -l < all.jsonl"
want 0 'whole: 6 rows' python3 "$verifier" --jsonl all.jsonl --witness witness.jsonl
want 0 '^1$' sh -c "'$bin' -c t.yaml audit export --env dev | wc -l"
want 0 '^0$' sh -c "'$bin' -c t.yaml audit export --until 1h | wc -l"
want 0 '^7$' sh -c "'$bin' -c t.yaml audit export --format csv | wc -l"
want 0 "\"'=1+2" "$bin" -c t.yaml audit export --format csv --env dev
want 2 'takes a time gone by' "$bin" -c t.yaml audit export --since tomorrow

# An older copy is put back, also after work went on there.
cp -r "$dir/state" "$dir/older"
note prod 'note 7'
note prod 'note 8'
t 0 'checkpoint of row 8' audit checkpoint
rm -rf "$dir/state"
cp -r "$dir/older" "$dir/state"
t 1 'row 7 and later are missing: the witness saw 8 rows at .*an older copy was put back' audit verify
t 1 'the checkpoint of row 8: signed by bastion' audit verify
want 1 'rewound: row 7' python3 "$verifier" --sqlite state/store.db --witness witness.jsonl
t 0 'the audit is whole' audit verify --witness none
t 1 'is not the one that the last checkpoint saw' audit checkpoint
for i in 7 8 9; do note prod "other $i"; done
t 1 'row 7 and later were written anew: row 8 is not the one' audit verify
t 1 'written anew' audit verify --witness git
want 1 'rewritten: row 7' python3 "$verifier" --sqlite state/store.db --witness witness.jsonl
t 1 'is not the one that the last checkpoint saw' audit checkpoint

# A checkpoint that somebody made up has no good signature.
sed -i '$s/"signature":"[^"]*"/"signature":"x"/' "$dir/witness.jsonl"
t 1 'the signature is not good\|not among the allowed' audit verify --witness witness.jsonl
t 2 'there is no file' audit verify --witness nowhere

# A changed row.
python3 - "$dir/state/store.db" <<'P'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript("DROP TRIGGER audit_is_append_only_1; UPDATE audit SET actor = 'eve' WHERE seq = 3")
P
t 1 'row 3 was changed after it was written (keep a copy' audit verify
want 1 'changed: row 3' python3 "$verifier" --sqlite state/store.db
want 1 '"fault": "changed"' "$bin" -c t.yaml audit verify --json
# What else is read from the store's history.
want 0 'as of .*, not now' "$bin" -c t.yaml board --at 1h
want 2 'takes a time gone by' "$bin" -c t.yaml board --at 2100-01-01
want 0 '"at_us"' "$bin" -c t.yaml board --at 2026-01-01 --json
want 0 'deployment frequency .*0.00 a day' "$bin" -c t.yaml dora --since 7d
want 0 '"failure_pct": null' "$bin" -c t.yaml dora --env prod --json
note prod 'a *bold* <b>word</b>'
want 0 'a .\*bold.\* .<b.>word' "$bin" -c t.yaml handover --format markdown
want 0 'prod/web: a \*bold\* <b>word</b>' "$bin" -c t.yaml handover --since 1h
want 0 '"notes"' "$bin" -c t.yaml handover --json
echo "1..$n"
