#!/bin/sh
# The JSON Schema is one, takes every example, and refuses what the loader refuses. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 2
program=${TOWPATH_BIN:-./towpath}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
if ! python3 -c 'import jsonschema, yaml' 2> /dev/null; then
	echo "ok - schema # SKIP no python3-jsonschema or python3-yaml"
	exit 0
fi
"$program" schema > "$tmp/schema.json" || {
	echo "not ok - towpath schema"
	exit 1
}
python3 - "$tmp/schema.json" config/examples/*.yaml << 'PY'
import copy, json, sys
import jsonschema, yaml

schema = json.load(open(sys.argv[1]))
rc = 0

def say(good, what):
    global rc
    print(("ok" if good else "not ok") + " - " + what)
    rc |= not good

try:
    jsonschema.Draft202012Validator.check_schema(schema)
    say(True, "the schema is a schema")
except jsonschema.SchemaError as e:
    print("#", str(e).splitlines()[0])
    say(False, "the schema is a schema")
check = jsonschema.Draft202012Validator(schema)
for path in sys.argv[2:]:
    errors = [e.message[:200] + " at " + "/".join(map(str, e.path)) for e in check.iter_errors(yaml.safe_load(open(path)))]
    for e in errors[:5]:
        print("#", e)
    say(not errors, path)

base = yaml.safe_load(open("config/examples/full.yaml"))
def bad(what, change):
    doc = copy.deepcopy(base)
    change(doc)
    say(not check.is_valid(doc), "refuses " + what)

bad("an unknown key", lambda d: d.update(nam="x"))
bad("no name", lambda d: d.pop("name"))
bad("an unknown driver", lambda d: d["store"].update(driver="sqlit"))
bad("an unknown option", lambda d: d["services"][0]["deploy"].update(rot="x"))
bad("a plain secret", lambda d: d["services"][0]["migrate"].update(database="postgres://"))
bad("a tier of 4", lambda d: d["environments"][0].update(tier=4))
bad("a URL of another kind", lambda d: d["services"][0]["environments"]["dev"]["instances"][0].update(url="ftp://x"))
bad("a step without a name", lambda d: d["smoke"]["web-basics"]["steps"][0].pop("name"))
sys.exit(rc)
PY
