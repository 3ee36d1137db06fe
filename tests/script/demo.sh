#!/bin/sh
# The demo world: built as root and as another user, twice at once, cleaned up after a killed keeper; every fault
# changes what the services say; instances report the digest of the bytes of their layer. Prints TAP.
set -u
bin=${TOWPATH_BIN:-./towpath}
n=0
bad=0
base=$(mktemp -d "${TMPDIR:-/tmp}/towpath-demo-test-XXXXXX") || exit 2
chmod 755 "$base"
first=$base/first
second=$base/second

cleanup() {
	for d in "$first" "$second" "$base/theirs"; do
		[ -d "$d" ] && "$bin" demo --dir "$d" remove > /dev/null 2>&1
	done
	rm -rf "$base"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

ok() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		bad=$((bad + 1))
	fi
}

# until_true SECONDS COMMAND...: waits for a state, not for a time
until_true() {
	end=$(($(date +%s) + $1))
	shift
	while ! "$@"; do
		[ "$(date +%s)" -ge $end ] && return 1
		python3 -c 'import select; select.select([], [], [], 0.1)'
	done
}

# url DIR SERVICE ENV N: base URL of an instance
url() {
	python3 - "$@" << 'PY'
import json, sys
d, s, e, n = sys.argv[1:]
print("http://127.0.0.1:%d" % json.load(open(d + "/world.json"))["ports"][s][e][int(n) - 1])
PY
}

get() {
	python3 - "$1" << 'PY'
import sys, urllib.request, urllib.error
op = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    r = op.open(sys.argv[1], timeout=5)
except urllib.error.HTTPError as e:
    r = e
except OSError:
    sys.exit(1)
print(r.status)
print(r.read().decode())
PY
}

says() { get "$1" 2> /dev/null | grep -q -- "$2"; }
not() { ! "$@"; }

# gone PATH: no process has PATH in its arguments. PATH is not among grep's own, which would find itself.
gone() { ! printf '%s\n' "$1" | grep -lsaF -f - /proc/[0-9]*/cmdline > /dev/null; }

# --- build and start
"$bin" demo --dir "$first" start > "$base/log" 2>&1
ok $? "the world builds and starts"
[ "$("$bin" demo --dir "$first" path)" = "$first/towpath.yaml" ] && [ -f "$first/towpath.yaml" ]
ok $? "path names its configuration"
"$bin" demo --dir "$first" status > /dev/null
ok $? "status says that it runs"
[ "$(git -C "$first/repo" log --oneline 2> /dev/null | wc -l)" -ge 30 ]
ok $? "the repository has thirty commits or more"

# --- bytes: the layer, unpacked here, has the digest that the instance reports
python3 - "$first" "$(url "$first" web prod 1)" << 'PY'
import hashlib, io, json, sys, tarfile, urllib.request
d, url = sys.argv[1:]
op = urllib.request.build_opener(urllib.request.ProxyHandler({}))
v = json.load(op.open(url + "/version", timeout=5))
blobs = d + "/registry/web/blobs/sha256/"
def blob(digest):
    b = open(blobs + digest[7:], "rb").read()
    assert hashlib.sha256(b).hexdigest() == digest[7:], digest
    return b
m = json.loads(blob(v["digest"]))
t = tarfile.open(fileobj=io.BytesIO(blob(m["layers"][0]["digest"])))
lines = []
for e in t:
    if e.isfile():
        b = t.extractfile(e).read()
        root = d + "/hosts/prod/web/current/" + e.name
        assert open(root, "rb").read() == b, e.name
        lines.append(e.name)
assert lines
c = json.loads(blob(m["config"]["digest"]))
assert c["config"]["Labels"]["org.opencontainers.image.revision"] == v["revision"]
PY
ok $? "an instance runs the bytes of the layer whose digest it reports"

u=$(url "$first" web dev 1)
printf 'x' >> "$first/hosts/dev/web/current/app/index.html"
"$bin" demo --dir "$first" restart dev web web-1 > /dev/null
get "$u/version" | grep -q "\"digest\":\"$(sed -n 's/.*"digest": "\(.*\)",/\1/p' "$first/hosts/dev/web/current/release.json")\""
[ $? -ne 0 ]
ok $? "changed bytes do not claim the image after a restart"

# --- faults
u=$(url "$first" orders prod 1)
says "$u/health" '"status":"ok"'
ok $? "health is ok before the faults"
"$bin" demo --dir "$first" fault errors orders prod > /dev/null
until_true 30 sh -c "grep -q '\"status\":500' '$first/hosts/prod/orders/log/orders-1.log'"
ok $? "errors: the log has them"
get "$u/metrics" | grep 'code="500"' | grep -qv ' 0$'
ok $? "errors: the metrics count them"
"$bin" demo --dir "$first" fault slow web prod > /dev/null
w=$(url "$first" web prod 3)
until_true 30 sh -c "grep -q '200 slow' '$first/hosts/prod/web/log/web-3.log'"
ok $? "slow: one instance is slow and says so"
grep -q '200 slow' "$first/hosts/prod/web/log/web-1.log"
[ $? -ne 0 ]
ok $? "slow: the others are not"
"$bin" demo --dir "$first" fault log-flood web staging > /dev/null
until_true 30 sh -c "[ \$(wc -l < '$first/hosts/staging/web/log/web-1.log') -gt 1000 ]"
ok $? "log-flood: a thousand lines in no time"
"$bin" demo --dir "$first" fault clear > /dev/null
ok $? "faults are cleared"
"$bin" demo --dir "$first" fault kill-instance web prod > /dev/null
ok $? "kill-instance is done"
not says "$w/health" '"status"'
ok $? "kill-instance: it does not answer"
"$bin" demo --dir "$first" restart prod web web-3 > /dev/null && says "$w/health" '"status":"ok"'
ok $? "a restart brings it back"
"$bin" demo --dir "$first" fault bad-build web dev | grep -q 'is in the registry'
ok $? "bad-build: a release is in the registry"
python3 - "$first" << 'PY'
import json, sys
i = json.load(open(sys.argv[1] + "/registry/web/index.json"))
assert i["manifests"][-1]["annotations"]["org.opencontainers.image.ref.name"] == "1.7.0"
PY
ok $? "bad-build: its version is the next one"

# --- databases
if grep -q '"databases": *true' "$first/world.json"; then
	db=$(url "$first" billing staging 1)
	says "$db/health" '"database":"ok"'
	ok $? "billing has its database"
	before=$(ls "$first/registry/billing/blobs/sha256" | wc -l)
	"$bin" demo --dir "$first" fault failing-migration billing staging > /dev/null
	[ "$(ls "$first/registry/billing/blobs/sha256" | wc -l)" -gt "$before" ]
	ok $? "failing-migration: a release is in the registry"
	work=$base/work
	mkdir -p "$work"
	git -C "$first/repo" archive billing-v0.12.0 services/billing | tar -x -C "$work"
	DATABASE_URL=$(cat "$first/secrets/dev-billing.url")
	export DATABASE_URL
	"$bin" __prisma deploy --migrations "$work/services/billing/prisma/migrations" > "$base/log" 2>&1
	[ $? -eq 1 ] && grep -q P3018 "$base/log"
	ok $? "failing-migration: it fails half way"
	"$bin" __prisma deploy --migrations "$work/services/billing/prisma/migrations" > "$base/log" 2>&1
	[ $? -eq 1 ] && grep -q P3009 "$base/log"
	ok $? "failing-migration: nothing more runs after it"
	"$bin" demo --dir "$first" fault clear > /dev/null
	rm -r "$work"/services/billing/prisma/migrations/*_customer_once
	"$bin" __prisma deploy --migrations "$work/services/billing/prisma/migrations" > "$base/log" 2>&1
	ok $? "fault clear resolves it"
	unset DATABASE_URL
	# A destructive migration breaks the release that still uses the column.
	old=$(url "$first" orders prod 1)
	if grep -q '"django": *true' "$first/world.json"; then
		git -C "$first/repo" archive orders-v2.6.0 services/orders | tar -x -C "$work"
		py=$(sed -n 's/.*"python": "\(.*\)",*/\1/p' "$first/world.json")
		(cd "$work/services/orders" && DATABASE_URL=$(cat "$first/secrets/prod-orders.url") "$py" manage.py migrate --noinput) \
			> "$base/log" 2>&1
		ok $? "Django runs the migrations of a release"
		until_true 20 says "$old/health" 'legacy_ref'
		ok $? "a dropped column breaks the old release, which says which"
	fi
fi

# --- a second world beside it, then a killed keeper
"$bin" demo --dir "$second" start > "$base/log" 2>&1
ok $? "a second world runs beside the first"
keeper=$("$bin" demo --dir "$second" status --json | sed -n 's/.*"pid":\([0-9]*\).*/\1/p')
kill -9 "$keeper"
until_true 15 gone "$second/hosts"
ok $? "kill -9 of the keeper takes every service with it"
"$bin" demo --dir "$second" status > /dev/null
[ $? -eq 1 ]
ok $? "status says that it does not run"
"$bin" demo --dir "$second" start > "$base/log" 2>&1
ok $? "the next start cleans up and runs"
says "$(url "$second" orders dev 1)/health" '"status":"ok"'
ok $? "and its services are well"
# A rollout that waits for somebody: without its world it would wait for ever.
"$bin" demo --dir "$second" fault bad-build web staging > "$base/log" 2>&1
sed -i 's/on_failure: rollback/on_failure: pause/' "$second/towpath.yaml"
"$bin" -c "$second/towpath.yaml" promote web --to staging --release 1.7.0 >> "$base/log" 2>&1
waits() {
	"$bin" -c "$second/towpath.yaml" rollouts | grep -q paused
}
until_true 30 waits
ok $? "a rollout of it waits for a decision"
"$bin" demo --dir "$second" remove && [ ! -e "$second" ]
ok $? "remove leaves no files"
until_true 15 gone "$second"
ok $? "remove leaves no processes"
says "$(url "$first" web prod 1)/health" '"status":"ok"'
ok $? "the first world did not notice"

# --- as another user
if [ "$(id -u)" -eq 0 ] && command -v runuser > /dev/null 2>&1; then
	mkdir "$base/theirs" && chown nobody "$base/theirs"
	cp "$bin" "$base/towpath" && chmod 755 "$base/towpath"
	runuser -u nobody -- env -i PATH="$PATH" HOME="$base/theirs" "$base/towpath" demo start > "$base/log" 2>&1
	ok $? "a user without a shell or a home of its own can run it"
	runuser -u nobody -- env -i PATH="$PATH" HOME="$base/theirs" "$base/towpath" demo remove
	ok $? "and remove it"
	[ ! -e "$base/theirs/.local/state/towpath/demo" ]
	ok $? "without leaving files"
else
	echo "ok $((n = n + 1)) - as another user # SKIP not root here"
fi

"$bin" demo --dir "$first" stop
ok $? "stop"
until_true 15 gone "$first/hosts"
ok $? "stop leaves no processes"
echo "1..$n"
[ $bad -eq 0 ]
