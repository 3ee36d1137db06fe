#!/usr/bin/env python3
"""An audit of a million rows in SQLite: verified by towpath and by the second verifier, and witnessed, exported."""
import os
import sqlite3
import subprocess
import sys

sys.path.insert(0, "tests/bench")
from auditrows import ROWS, chain, config_write, run  # noqa: E402

tmp = os.environ["BENCH_TMP"]
program = os.path.abspath(os.environ["BENCH_BUILD"] + "/towpath")
config = os.path.join(tmp, "t.yaml")
store = os.path.join(tmp, "state", "store.db")
witness = os.path.join(tmp, "witness.jsonl")
config_write(config, "driver: sqlite, path: state/store.db")


def towpath(*words):
    return (program, "-c", config) + words


subprocess.run(towpath("store", "init"), check=True, stdout=subprocess.DEVNULL)
db = sqlite3.connect(store)
db.execute("PRAGMA synchronous=OFF")
rows = []
for row in chain():
    rows.append(row)
    if len(rows) == 50000 or row[0] == ROWS:
        db.executemany("INSERT INTO audit VALUES(?,?,?,?,?,?,?,?,?,?)", rows)
        rows = []
db.execute("INSERT OR REPLACE INTO meta VALUES('audit_head', ?)", (f"{ROWS} {row[-1]}",))
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
