#!/usr/bin/env python3
"""Verifies the chain of an audit without towpath: a second reading of the rules, by the standard library alone.

    verify_audit.py --sqlite FILE          the embedded store, read only
    verify_audit.py --jsonl FILE|-         what towpath audit export prints
        --head SEQ:HASH                    where the store says that it stands (towpath store status)
    either with --witness FILE             checkpoints, a line of JSON each; may be given several times
        --json                             the verdict as JSON

Rules. A row has seq, at_us, actor, host, verb, target, result, text, prev, hash. Rows are numbered from 1 without a
gap. prev is the hash of the row before, "" for the first. hash is "sha256:" and the SHA-256 in hex of the row without
hash as JSON with sorted keys, no spaces, UTF-8. The head is the number and hash of the last row. A checkpoint's hash is
that of the row with its number. Signatures are ssh-keygen's business (-Y verify -n towpath-checkpoint@v1).

Ends with 0 where all is whole, 1 where it is not, 2 where it cannot be read.
"""
import argparse
import hashlib
import json
import sqlite3
import sys
from urllib.parse import quote

TEXTS = ("actor", "host", "verb", "target", "result", "text", "prev")


def hash_of(row):
    body = {k: row[k] for k in TEXTS}
    body["seq"], body["at_us"] = row["seq"], row["at_us"]
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def rows_of_sqlite(path):
    db = sqlite3.connect("file:" + quote(path) + "?mode=ro", uri=True)
    db.text_factory = lambda b: b.decode("utf-8", "replace")
    db.row_factory = sqlite3.Row
    db.execute("BEGIN")
    found = db.execute("SELECT value FROM meta WHERE key = 'audit_head'").fetchone()
    seq, _, digest = (found[0] if found else "0 ").partition(" ")
    yield int(seq), digest
    yield from db.execute("SELECT seq, at_us, actor, host, verb, target, result, text, prev, hash FROM audit ORDER BY seq")


def rows_of_jsonl(path, head):
    yield head
    with sys.stdin if path == "-" else open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def marks_of(paths):
    marks = set()
    for path in paths:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                try:
                    c = json.loads(line)
                    if c["v"] == 1 and c["seq"] > 0:
                        marks.add((c["seq"], c["hash"]))
                except (ValueError, KeyError, TypeError):
                    continue
    return sorted(marks)


def verify(rows, marks):
    """The verdict: {rows, fault, bad_seq, head, witnessed_seq}."""
    seen, last, witnessed, at = 0, "", 0, 0
    rows = iter(rows)
    head = next(rows)

    def bad(fault, seq):
        return {"rows": seen, "fault": fault, "bad_seq": max(seq, 1), "head": last, "witnessed_seq": witnessed}

    for row in rows:
        if row["seq"] != seen + 1:
            return bad("missing", seen + 1)
        if row["prev"] != last:
            return bad("moved", row["seq"])
        if row["hash"] != hash_of(row):
            return bad("changed", row["seq"])
        while at < len(marks) and marks[at][0] <= row["seq"]:
            if marks[at][0] == row["seq"] and marks[at][1] != row["hash"]:
                return bad("rewritten", witnessed + 1)
            if marks[at][0] == row["seq"]:
                witnessed = row["seq"]
            at += 1
        seen, last = row["seq"], row["hash"]
    if head is not None and head[0] < seen:
        return bad("added", head[0] + 1)
    if head is not None and head != (seen, last):
        return bad("cut", seen + 1)
    if marks and marks[-1][0] > seen:
        return bad("rewound", seen + 1)
    return {"rows": seen, "fault": "whole", "bad_seq": 0, "head": last, "witnessed_seq": witnessed}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sqlite")
    p.add_argument("--jsonl")
    p.add_argument("--head")
    p.add_argument("--witness", action="append", default=[])
    p.add_argument("--json", action="store_true")
    p.add_argument("--batch", help="many small chains: a line each {rows, head: [seq, hash], marks: [[seq, hash]..]}")
    a = p.parse_args()
    if a.batch:
        with open(a.batch, encoding="utf-8") as lines:
            for c in map(json.loads, lines):
                v = verify([tuple(c["head"])] + c["rows"], sorted(map(tuple, c["marks"])))
                print(v["fault"], v["bad_seq"], v["rows"], v["witnessed_seq"])
        return 0
    if (a.sqlite is None) == (a.jsonl is None):
        p.error("one of --sqlite and --jsonl")
    head = None
    if a.head:
        seq, _, digest = a.head.partition(":")
        head = (int(seq), digest)
    try:
        rows = rows_of_sqlite(a.sqlite) if a.sqlite else rows_of_jsonl(a.jsonl, head)
        v = verify(rows, marks_of(a.witness))
    except (OSError, ValueError, KeyError, sqlite3.Error) as e:
        print(f"verify_audit: {e}", file=sys.stderr)
        return 2
    if a.json:
        print(json.dumps(v))
    elif v["fault"] == "whole":
        print(f"whole: {v['rows']} rows, head {v['head']}, witnessed to {v['witnessed_seq']}")
    else:
        print(f"{v['fault']}: row {v['bad_seq']}")
    return 0 if v["fault"] == "whole" else 1


if __name__ == "__main__":
    sys.exit(main())
