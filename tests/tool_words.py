#!/usr/bin/env python3
"""What each migration tool itself called pending, against the recorded reading of the same state.

Reads tests/fixtures/migrations/TOOL/STATE: expected.txt has the tool's own words, command by command, state.json the
reading that port/migrate_states holds the program to. Prints TAP, one test a tool. A state in which the tool lists
nothing (it refused, or has no such command) is not compared; how many were is said.
"""
import glob
import json
import os
import re
import sys

# Where the tool's list is not what it would run, with why.
KNOWN = {
    ("django", "depends_external_unapplied"): "it lists other apps' migrations too; they are external here",
    ("rails", "duplicate_version"): "its status lists a version twice, its run refuses both",
    ("sequelize", "json_storage"): "the list is in a file on the host that ran it: said to be unknown",
    ("atlas", "out_of_order"): "its status leaves out the one that it refuses for",
    ("atlas", "duplicate"): "it names a version that two files have, twice",
    ("atlas", "partial"): "half of it ran: it calls that pending, here it is failed",
    ("atlas", "partial_edited"): "half of it ran: it calls that pending, here it is failed",
}

# Of a file's name only what the reading names.
NAME = {"rails": r"^\d+", "dbmate": r"^\d+", "goose": r"^\d+"}


CHANGES = r"^\$ (?:knex migrate:(?:latest|up|down)|prisma migrate (?:deploy|resolve)|python3 manage.py migrate(?! --plan)|" \
          r"flyway (?:migrate|repair)|liquibase update(?!-)|rails db:migrate(?!:)|dbmate (?:up|migrate)|goose .* (?:up|down)|" \
          r"sqitch (?:deploy|revert)|sequelize-cli db:migrate(?!:)|typeorm migration:run|node-pg-migrate up(?! --dry-run)|" \
          r"atlas migrate apply(?!.*--dry-run))[^\n]*\n(?:(?!^\$ ).*\n)*?exit=0"


def block(text, command):
    """
    The output of the last command that begins so; None where it was not asked, or something was changed after it: the
    rows on record are those of the end.
    """
    found = list(re.finditer(r"^\$ " + command + r"[^\n]*\n(.*?)(?:^exit=(\d+)|\Z)", text, re.M | re.S))
    if not found or re.search(CHANGES, text[found[-1].end():], re.M):
        return None
    return found[-1].group(1)


def lines(body, pattern):
    return None if body is None else re.findall(pattern, body, re.M)


def prisma(text):
    body = block(text, "prisma migrate status")
    if body is None or "failed" in body or "P30" in body or "rror" in body:
        return None
    if "Database schema is up to date" in body:
        return []
    m = re.search(r"have not yet been applied:\n((?:\S+\n)+)", body)
    return m.group(1).split() if m else None


def django(text):
    body = block(text, r"python3 manage.py showmigrations --plan")
    return None if body is None or "Error" in body else lines(body, r"^\[ \]\s+(\S+)")


def flyway(text):
    m = re.search(r"^pending=\[(.*)\]$", text, re.M)
    return [n for n in m.group(1).split(", ") if n] if m else None


def liquibase(text):
    body = block(text, r"liquibase status --verbose")
    if body is None or ("have not been applied" not in body and "has not been applied" not in body and
                        "is up to date" not in body):
        return None
    return lines(body, r"^ {5}(\S.*::.*::\S+)\s*$")


def knex(text):
    body = block(text, r"knex migrate:list")
    if body is None or "Completed Migration" not in body:
        return None
    if "No Pending Migration" in body:
        return []
    m = re.search(r"Found \d+ Pending Migration file/files\.\n((?:\S+[^\n]*\n)+)", body)
    return m.group(1).split("\n")[:-1] if m else None


def rails(text):
    body = block(text, r"rails db:migrate:status")
    return None if body is None or "Migration ID" not in body else lines(body, r"^\s*down\s+(\d+)")


def dbmate(text):
    body = block(text, r"dbmate status(?=\n)")
    return None if body is None or "Pending:" not in body else lines(body, r"^\[ \] (\S+)")


def goose(text):
    body = block(text, r"goose .* status")
    return None if body is None or "Applied At" not in body else lines(body, r"^\s*(?:\S+ \S+ )?Pending\s+-- (\S+)")


def sqitch(text):
    body = block(text, r"sqitch status")
    if body is None or "fatal" in body or ("Undeployed" not in body and "Nothing to deploy" not in body):
        return None
    m = re.search(r"^Undeployed changes?:\n((?: {2}\*[^\n]*\n?)*)", body, re.M)
    return re.findall(r"^ {2}\* (\S+)", m.group(1), re.M) if m else []


def sequelize(text):
    body = block(text, r"sequelize-cli db:migrate:status")
    return None if body is None or "ERROR" in body else lines(body, r"^down (\S+)")


def typeorm(text):
    body = block(text, r"typeorm migration:show")
    return None if body is None or "rror" in body else lines(body, r"^\[ \] (?:\d+ )?(\S+)")


def node_pg_migrate(text):
    body = block(text, r"node-pg-migrate up --dry-run")
    if body is None or "rror" in body:
        return None
    return [] if "No migrations to run" in body else lines(body, r"^> - (\S+)")


def atlas(text):
    body = block(text, r"atlas migrate status")
    return None if body is None or "status " not in body else lines(body, r"^pending (\S+)")


TOOLS = {"prisma": prisma, "django": django, "flyway": flyway, "liquibase": liquibase, "knex": knex, "rails": rails,
         "dbmate": dbmate, "goose": goose, "sqitch": sqitch, "sequelize": sequelize, "typeorm": typeorm,
         "node-pg-migrate": node_pg_migrate, "atlas": atlas}


def check(root, tool, words):
    wrong, compared, states = [], 0, 0
    for path in sorted(glob.glob(os.path.join(root, tool, "*", "expected.txt"))):
        state = os.path.basename(os.path.dirname(path))
        states += 1
        with open(path, encoding="utf-8", errors="replace") as f:
            said = words(f.read())
        if said is None or (tool, state) in KNOWN:
            continue
        with open(os.path.join(os.path.dirname(path), "state.json"), encoding="utf-8") as f:
            d = json.load(f)
        read = [str(n) for n in d["pending"] + (d.get("rerun") or [])]
        if tool in NAME:
            read, said = ([re.search(NAME[tool], n).group() for n in names] for names in (read, said))
        compared += 1
        if sorted(read) != sorted(said):
            wrong.append(f"{tool}/{state}: the tool {sorted(said)}, the reading {sorted(read)}")
    return wrong, compared, states


def main():
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "migrations")
    bad = 0
    for tool, words in TOOLS.items():
        wrong, compared, states = check(root, tool, words)
        good = not wrong and compared > 0
        bad += not good
        print(f"{'ok' if good else 'not ok'} - {tool}: {compared} of {states} states by the tool's own list")
        for line in wrong:
            print("# " + line)
    print(f"1..{len(TOOLS)}")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
