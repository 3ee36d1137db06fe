#!/bin/sh
# The command line as scripts use it: exit codes, where messages go, errors with a place, --json that parses.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bin=${TOWPATH_BIN:-./towpath}
export HOME="$dir" TOWPATH_STATE="$dir/state"
unset TOWPATH_CONFIG XDG_CONFIG_HOME XDG_STATE_HOME
n=0

# want CODE PATTERN COMMAND...: the exit code, and a line of its output (both streams) that matches
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

cat > "$dir/good.yaml" <<'Y'
name: acme
store: {driver: sqlite, path: state/store.db}
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
sed 's/tier: 1/tyre: 1/' "$dir/good.yaml" > "$dir/typo.yaml"
printf 'name: acme\nname: again\n' > "$dir/twice.yaml"
printf 'a: &x 1\nb: *x\n' > "$dir/alias.yaml"
chmod 600 "$dir"/*.yaml
cp "$dir/good.yaml" "$dir/open.yaml"
chmod 666 "$dir/open.yaml"

want 0 '^towpath 0' "$bin" version
want 0 '^towpath 0' "$bin" --version
want 0 'promote a release' "$bin" help
want 0 'usage: towpath promote SERVICE --to' "$bin" help promote
want 0 'usage: towpath promote SERVICE --to' "$bin" promote web --help
want 0 'usage: towpath executor' "$bin" executor -h
want 0 'usage: towpath migrations show' "$bin" migrations show --help
want 2 'no command is called nope' "$bin" nope
want 2 'store is no command, these are: store init' "$bin" store
want 2 'audit is no command, these are: audit verify' "$bin" help audit
want 2 'status has no option --quack' "$bin" status --quack
want 2 'plan needs service' "$bin" plan
want 2 '"exit": 2' "$bin" --json status
want 2 'nothing to follow yet' "$bin" -c good.yaml promote web --to prod --at 1h --follow
want 2 'more than nothing' "$bin" -c good.yaml freeze prod --reason "x y z" --for 0s
want 2 'unknown option' "$bin" --nope
want 2 'towpath.yaml' "$bin" status
want 2 'typo.yaml:4:' "$bin" -c typo.yaml status
want 2 'tier' "$bin" -c typo.yaml status
want 2 'twice.yaml:2:1' "$bin" -c twice.yaml status
want 2 'alias.yaml:' "$bin" -c alias.yaml status
want 2 'open.yaml' "$bin" -c open.yaml status
want 2 'missing.yaml' "$bin" -c missing.yaml status
want 0 'SERVICE  *dev  *prod' "$bin" -c good.yaml status
want 0 'SERVICE  *dev  *prod' "$bin" -c good.yaml
want 0 'no rollout yet' "$bin" -c good.yaml rollouts
want 2 'no service is called wob' "$bin" -c good.yaml plan wob --to prod
want 2 'no environment is called moon' "$bin" -c good.yaml plan web --to moon
want 2 'promote needs --to' "$bin" -c good.yaml promote web
want 1 'no rollout is called zzzz' "$bin" -c good.yaml hold zzzz
want 1 'no stored plan' "$bin" -c good.yaml approve 0123456789ab
want 0 'frozen' "$bin" -c good.yaml freeze dev --reason "a test of the command line"
want 0 'no longer frozen' "$bin" -c good.yaml unfreeze dev
want 2 'repeat the command with --confirm prd' "$bin" -c good.yaml unfreeze prod
want 1 'no freeze by hand holds' "$bin" -c good.yaml unfreeze prod --confirm prd
want 0 'noted' "$bin" -c good.yaml note web dev "from the test"
want 2 'lock needs --reason' "$bin" -c good.yaml lock prod
want 0 'prod: locked.* until 20' "$bin" -c good.yaml lock prod --for 2h --reason "load test"
want 2 'repeat the command with --confirm prd' "$bin" -c good.yaml unlock prod
want 1 'the lock is on all of prod' "$bin" -c good.yaml unlock prod web
want 0 'prod: no longer locked' "$bin" -c good.yaml unlock prod --confirm prd
want 1 'no lock stands for prod' "$bin" -c good.yaml unlock prod --confirm prd
want 0 'others are asked to wait' "$bin" -c good.yaml lock dev web --warn --reason "watching"
digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
want 1 'no release of web is called 2.9' "$bin" -c good.yaml pin web prod --release 2.9 --reason "audit"
want 0 'prod/web: pinned to' "$bin" -c good.yaml pin web prod --release $digest --reason "audit"
want 0 'no longer pinned' "$bin" -c good.yaml unpin web prod --confirm prd
want 1 'is not pinned' "$bin" -c good.yaml unpin web prod --confirm prd
want 1 '^0$' sh -c "'$bin' -c good.yaml handover | grep -c '^  pin '"
long=$(printf '%0400d' 1)
want 2 'a note has at most' "$bin" -c good.yaml note web dev "$long"
want 2 'reason has at most' "$bin" -c good.yaml lock dev --reason "$long"
want 0 'marked bad everywhere' "$bin" -c good.yaml mark-bad web $digest --reason "leaks"
want 1 'but everywhere' "$bin" -c good.yaml unmark web $digest --env prod --reason "no" --confirm prd
want 2 'repeat the command with --confirm all' "$bin" -c good.yaml unmark web $digest --reason "it was the database"
want 0 'may be chosen again everywhere' "$bin" -c good.yaml unmark web $digest --reason "it was the database" --confirm all
want 1 'nothing is stopped' "$bin" -c good.yaml resume --confirm all
want 0 'stopped: no rollout begins' "$bin" -c good.yaml stop --reason "provider down"
want 2 'resume changes everything: repeat the command with --confirm all' "$bin" -c good.yaml resume
want 0 'may begin again' "$bin" -c good.yaml resume --confirm all
want 2 'at least 10 characters' "$bin" -c good.yaml break-glass open prod --reason "fire" --confirm prd
want 2 '--confirm prd' "$bin" -c good.yaml break-glass open prod --reason "the shop is down"
want 0 'somebody else agrees with: towpath break-glass confirm prod' "$bin" -c good.yaml break-glass open prod --reason "the shop is down" --confirm prd
want 1 'somebody else must agree' "$bin" -c good.yaml break-glass confirm prod --confirm prd
want 0 'all gates hold again' "$bin" -c good.yaml break-glass close prod
want 1 'nobody asks to break' "$bin" -c good.yaml break-glass confirm prod --confirm prd
want 2 'takes a time to come' "$bin" -c good.yaml why web prod --at yesterday
want 2 'takes a time to come' "$bin" -c good.yaml why web prod --at 2001-01-01T00:00:00Z
want 1 'no rollout is called zzzz' "$bin" -c good.yaml skip zzzz 3 --reason "red"
want 1 'no rollout is called zzzz' "$bin" -c good.yaml retry zzzz
want 1 'no rollout is called zzzz' "$bin" -c good.yaml full zzzz
want 1 'no stored plan' "$bin" -c good.yaml withdraw 0123456789ab
want 0 'break-glass' "$bin" -c good.yaml history
want 0 'freeze' "$bin" -c good.yaml history
want 0 'the audit is whole' "$bin" -c good.yaml audit verify
want 2 'bash, zsh or fish\|no shell' "$bin" completion tcsh
want 0 'json-schema.org' "$bin" schema
want 2 'web has no logs configured' "$bin" -c good.yaml logs web dev
want 2 'filter, column' "$bin" -c good.yaml history --filter '(a'

for c in status rollouts history 'audit verify' version 'plan web --to dev'; do
	n=$((n + 1))
	# shellcheck disable=SC2086
	if (cd "$dir" && "$bin" -c good.yaml --json $c) 2> /dev/null | python3 -c 'import json,sys; v=json.load(sys.stdin); sys.exit(not isinstance(v["exit"], int))'; then
		echo "ok $n - --json $c is one JSON value with its exit code"
	else
		echo "not ok $n - --json $c"
	fi
done
n=$((n + 1))
mode=$(stat -c %a "$dir/state/store.db" 2> /dev/null)
if [ "$mode" = 600 ]; then echo "ok $n - the store is private"; else echo "not ok $n - the store has mode $mode"; fi
echo "1..$n"
