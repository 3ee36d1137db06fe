"""A chain of audit rows as towpath would have written them, for the benchmarks of verifying it."""
import os
import resource
import subprocess
import sys
import time

sys.path.insert(0, "tests")
from verify_audit import hash_of  # noqa: E402

ROWS = int(os.environ.get("BENCH_AUDIT_ROWS", "1000000"))
COLUMNS = ("seq", "at_us", "actor", "host", "verb", "target", "result", "text", "prev", "hash")


def chain(n=ROWS):
    """Rows as tuples in the order of COLUMNS."""
    prev = ""
    for seq in range(1, n + 1):
        row = {"seq": seq, "at_us": 1700000000000000 + seq * 1000, "actor": "anna", "host": "bastion-1",
               "verb": ("intent", "result", "approve", "lease")[seq % 4], "target": f"r{seq // 20:08d}",
               "result": "ok" if seq % 4 == 1 else "", "prev": prev,
               "text": f"deploy web-{seq % 9}, attempt 1: instance runs 2.9.4 sha256:{seq:016x}"}
        prev = row["hash"] = hash_of(row)
        yield tuple(row[k] for k in COLUMNS)


def run(what, *argv, out=subprocess.PIPE):
    """Runs it and prints its time, CPU time and last word. The exit code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    t = time.monotonic()
    r = subprocess.run(argv, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    t = time.monotonic() - t
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = ((r.stdout or "") + r.stderr).strip().splitlines()
    print(f"{what:34} {t:7.2f} s, {cpu:7.2f} s CPU, exit {r.returncode}: {said[-1][:70] if said else ''}", flush=True)
    return r.returncode


def config_write(path, store):
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"""name: bench
store: {{{store}}}
audit: {{file: witness.jsonl}}
environments: [{{name: prod, short: prd, tier: 3, production: true}}]
services:
  - name: web
    deploy: {{driver: host, root: hosts/web, restart: ["true"]}}
    environments: {{prod: {{instances: [{{name: a, url: "http://127.0.0.1:1"}}]}}}}
""")
    os.chmod(path, 0o600)
