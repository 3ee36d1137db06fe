#!/usr/bin/env python3
"""An audit of a million rows: verified by towpath and by the second verifier in the same run, and witnessed, exported."""
import os
import resource
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, "tests")
from verify_audit import hash_of  # noqa: E402

ROWS = int(os.environ.get("BENCH_AUDIT_ROWS", "1000000"))
tmp = os.environ["BENCH_TMP"]
program = os.path.abspath(os.environ["BENCH_BUILD"] + "/towpath")
config = os.path.join(tmp, "t.yaml")
store = os.path.join(tmp, "state", "store.db")
witness = os.path.join(tmp, "witness.jsonl")

with open(config, "w", encoding="utf-8") as f:
    f.write("""name: bench
store: {driver: sqlite, path: state/store.db}
audit: {file: witness.jsonl}
environments: [{name: prod, short: prd, tier: 3, production: true}]
services:
  - name: web
    deploy: {driver: host, root: hosts/web, restart: ["true"]}
    environments: {prod: {instances: [{name: a, url: "http://127.0.0.1:1"}]}}
""")
os.chmod(config, 0o600)


def run(what, *argv, out=subprocess.PIPE):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    t = time.monotonic()
    r = subprocess.run(argv, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    t = time.monotonic() - t
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = ((r.stdout or "") + r.stderr).strip().splitlines()
    print(f"{what:34} {t:7.2f} s, {cpu:7.2f} s CPU, exit {r.returncode}: {said[-1][:70] if said else ''}", flush=True)
    return r.returncode


def towpath(*words):
    return (program, "-c", config) + words


subprocess.run(towpath("store", "init"), check=True, stdout=subprocess.DEVNULL)
db = sqlite3.connect(store)
db.execute("PRAGMA synchronous=OFF")
prev, rows = "", []
for seq in range(1, ROWS + 1):
    row = {"seq": seq, "at_us": 1700000000000000 + seq * 1000, "actor": "anna", "host": "bastion-1",
           "verb": ("intent", "result", "approve", "lease")[seq % 4], "target": f"r{seq // 20:08d}",
           "result": "ok" if seq % 4 == 1 else "", "prev": prev,
           "text": f"deploy web-{seq % 9}, attempt 1: instance runs 2.9.4 sha256:{seq:016x}"}
    prev = row["hash"] = hash_of(row)
    rows.append(tuple(row[k] for k in ("seq", "at_us", "actor", "host", "verb", "target", "result", "text", "prev", "hash")))
    if len(rows) == 50000 or seq == ROWS:
        db.executemany("INSERT INTO audit VALUES(?,?,?,?,?,?,?,?,?,?)", rows)
        rows = []
db.execute("INSERT OR REPLACE INTO meta VALUES('audit_head', ?)", (f"{ROWS} {prev}",))
db.commit()
db.close()
print(f"{ROWS} rows, {os.path.getsize(store) >> 20} MiB")
codes = [
    run("towpath audit checkpoint", *towpath("audit", "checkpoint")),
    run("towpath audit verify", *towpath("audit", "verify")),
    run("tests/verify_audit.py", sys.executable, "tests/verify_audit.py", "--sqlite", store, "--witness", witness),
]
with open(os.path.join(tmp, "export.jsonl"), "w", encoding="utf-8") as out:
    codes.append(run("towpath audit export", *towpath("audit", "export"), out=out))
codes.append(run("tests/verify_audit.py of the export", sys.executable, "tests/verify_audit.py", "--jsonl", out.name))
sys.exit(any(codes))
