#!/usr/bin/env python3
"""The same audit of a million rows in a PostgreSQL server of its own, verified by towpath and by the second verifier."""
import glob
import os
import pwd
import socket
import subprocess
import sys

sys.path.insert(0, "tests/bench")
from auditrows import COLUMNS, ROWS, chain, config_write, run  # noqa: E402

tmp = os.environ["BENCH_TMP"]
program = os.path.abspath(os.environ["BENCH_BUILD"] + "/towpath")
config = os.path.join(tmp, "t.yaml")
found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) + sorted(glob.glob("/usr/pgsql-*/bin/initdb"))
if not found:
    print("no PostgreSQL server is installed")
    sys.exit(0)
programs = os.path.dirname(found[-1])
data = os.path.join(tmp, "data")
# A server does not run as root.
who = {}
if os.geteuid() == 0:
    name = next(n for n in ("postgres", "nobody") if n in (p.pw_name for p in pwd.getpwall()))
    who = {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
    os.mkdir(data)
    os.chown(data, pwd.getpwnam(name).pw_uid, pwd.getpwnam(name).pw_gid)
    for folder in (tmp, os.path.dirname(tmp)):
        os.chmod(folder, 0o711)


def server_program(word, *argv):
    subprocess.run([os.path.join(programs, word), *argv], check=True, stdout=subprocess.DEVNULL, cwd="/", **who)


with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
server_program("initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-sync")
server_program("pg_ctl", "-D", data, "-w", "-l", os.path.join(data, "log"), "-o",
               f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off "
               "-c max_wal_size=4GB", "start")
try:
    url = f"postgresql://bench@127.0.0.1:{port}/postgres"
    os.environ["BENCH_URL"] = url + "?sslmode=disable"
    os.environ["TOWPATH_STATE"] = os.path.join(tmp, "towpath")
    config_write(config, "driver: postgres, url: {env: BENCH_URL}")
    subprocess.run((program, "-c", config, "store", "init"), check=True, stdout=subprocess.DEVNULL)
    psql = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", url]
    # The owner itself may not change the audit: a superuser of the server can.
    copy = subprocess.Popen([*psql, "-c", f"COPY towpath.audit ({', '.join(COLUMNS)}) FROM STDIN"],
                            stdin=subprocess.PIPE, text=True)
    for row in chain():
        copy.stdin.write("\t".join(map(str, row)) + "\n")
    copy.stdin.close()
    if copy.wait() != 0:
        sys.exit("the rows could not be written")
    subprocess.run([*psql, "-c", "VACUUM ANALYZE towpath.audit"], check=True)
    subprocess.run([*psql, "-c", f"UPDATE towpath.head SET seq = {ROWS}, hash = '{row[-1]}'"], check=True)
    print(f"{ROWS} rows")
    codes = [run("towpath audit verify", program, "-c", config, "audit", "verify")]
    with open(os.path.join(tmp, "export.jsonl"), "w", encoding="utf-8") as out:
        codes.append(run("towpath audit export", program, "-c", config, "audit", "export", out=out))
    codes.append(run("tests/verify_audit.py of the export", sys.executable, "tests/verify_audit.py", "--jsonl", out.name,
                     "--head", f"{ROWS}:{row[-1]}"))
finally:
    server_program("pg_ctl", "-D", data, "-m", "immediate", "stop")
sys.exit(any(codes))
