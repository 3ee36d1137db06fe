"""Inspecting 2,000 migrations in 5 environments, beside the tools' own status commands.

A server of its own on loopback; CPU seconds are user and system of the whole child (the server's are not in either).
Ours reads a commit and a database; the tools read a checkout and the same database. Peers take part where they are
installed: Django's is with the tests' packages, Prisma's where npx finds it in $BENCH_PRISMA.
"""
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time

TMP, BUILD = os.environ["BENCH_TMP"], os.environ["BENCH_BUILD"]
MIGRATIONS, ENVIRONMENTS, PORT = 2000, 5, 15932
TOWPATH = os.path.join(BUILD, "towpath")


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cpu_of(argv, **kwargs):
    before, began = children_cpu(), time.monotonic()
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100, check=False, **kwargs)
    return children_cpu() - before, time.monotonic() - began, done


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def as_postgres(argv):
    return ["runuser", "-u", "postgres", "--"] + argv if os.getuid() == 0 else argv


class Server:
    def __init__(self):
        versions = sorted(os.listdir("/usr/lib/postgresql"))
        self.bin = os.path.join("/usr/lib/postgresql", versions[-1], "bin")
        self.dir = os.path.join("/var/tmp", "towpath-bench-pg-%d" % os.getpid())
        os.makedirs(self.dir)
        if os.getuid() == 0:
            shutil.chown(self.dir, "postgres")
        data = os.path.join(self.dir, "data")
        subprocess.run(as_postgres([os.path.join(self.bin, "initdb"), "-U", "bench", "-A", "trust", "-N", "-D", data]),
                       stdout=subprocess.DEVNULL, check=True)
        self.data = data
        self.ctl("start", "-w", "-l", os.path.join(self.dir, "log"), "-o",
                 "-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories=%s -c fsync=off" % (PORT, self.dir))

    def ctl(self, *words):
        subprocess.run(as_postgres([os.path.join(self.bin, "pg_ctl"), "-D", self.data] + list(words)),
                       stdout=subprocess.DEVNULL, check=True)

    def url(self, name):
        return "postgresql://bench@127.0.0.1:%d/%s" % (PORT, name)

    def sql(self, name, text):
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", self.url(name)], input=text.encode(), check=True,
                       stdout=subprocess.DEVNULL)

    def end(self):
        self.ctl("stop", "-m", "immediate")
        shutil.rmtree(self.dir, ignore_errors=True)


def commit(folder):
    def git(*words):
        subprocess.run(["git", "-C", folder, "-c", "user.name=bench", "-c", "user.email=bench@example.org"] + list(words),
                       stdout=subprocess.DEVNULL, check=True)
    git("init", "-q", ".")
    git("add", "-A")
    git("commit", "-q", "-m", "all")
    # As a clone has them: in one pack.
    git("repack", "-q", "-a", "-d")
    git("prune-packed", "-q")


def make_prisma(server):
    folder, rows = os.path.join(TMP, "prisma"), []
    write(os.path.join(folder, "prisma/migrations/migration_lock.toml"), 'provider = "postgresql"\n')
    write(os.path.join(folder, "prisma/schema.prisma"), 'datasource db {\n provider = "postgresql"\n'
          ' url = env("DATABASE_URL")\n}\n')
    for i in range(MIGRATIONS):
        name = "2026%010d_step" % i
        text = "CREATE TABLE t%d (id bigint PRIMARY KEY, name text NOT NULL);\nALTER TABLE t%d ADD COLUMN note text;\n" % (i, i)
        write(os.path.join(folder, "prisma/migrations", name, "migration.sql"), text)
        rows.append("('%032x', '%s', now(), '%s', NULL, NULL, now(), 1)" % (i, hashlib.sha256(text.encode()).hexdigest(), name))
    commit(folder)
    table = ("CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz,"
             " migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL"
             " DEFAULT now(), applied_steps_count int NOT NULL DEFAULT 0);\nINSERT INTO _prisma_migrations VALUES\n")
    for env in range(ENVIRONMENTS):
        server.sql("postgres", "CREATE DATABASE prisma%d" % env)
        server.sql("prisma%d" % env, table + ",\n".join(rows[:MIGRATIONS - 10 * env]) + ";\n")
    return folder


def make_django(server):
    folder, rows = os.path.join(TMP, "django"), []
    write(os.path.join(folder, "manage.py"), "import os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'site_conf'\n"
          "from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n")
    write(os.path.join(folder, "site_conf.py"), "import os\nSECRET_KEY = 'x'\nINSTALLED_APPS = ['shop']\nDATABASES = {'default': {"
          "'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['NAME'], 'USER': 'bench', 'HOST': '127.0.0.1',"
          " 'PORT': %d}}\n" % PORT)
    write(os.path.join(folder, "shop/__init__.py"), "")
    write(os.path.join(folder, "shop/migrations/__init__.py"), "")
    for i in range(MIGRATIONS):
        before = "[('shop', '%04d_step')]" % (i - 1) if i else "[]"
        write(os.path.join(folder, "shop/migrations/%04d_step.py" % i),
              "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    dependencies = %s\n"
              "    operations = [migrations.CreateModel('T%d', [('id', models.BigAutoField(primary_key=True))])]\n" % (before, i))
        rows.append("('shop', '%04d_step', now())" % i)
    commit(folder)
    for env in range(ENVIRONMENTS):
        server.sql("postgres", "CREATE DATABASE django%d" % env)
        server.sql("django%d" % env, "CREATE TABLE django_migrations (id bigserial PRIMARY KEY, app varchar(255) NOT NULL, name"
                   " varchar(255) NOT NULL, applied timestamptz NOT NULL);\nINSERT INTO django_migrations (app, name, applied)"
                   " VALUES\n" + ",\n".join(rows[:MIGRATIONS - 10 * env]) + ";\n")
    return folder


def ours(server, tool, folder):
    cpu = wall = 0.0
    for env in range(ENVIRONMENTS):
        argv = [TOWPATH, "migrations", "inspect", "--tool", tool, "--project", folder + "@HEAD", "--database",
                server.url("%s%d" % (tool, env)), "--json"]
        c, w, done = cpu_of(argv)
        if done.returncode != 0 or b'"tool": "%s"' % tool.encode() not in done.stdout:
            sys.exit("inspect failed: %s" % done.stdout[-300:].decode())
        cpu, wall = cpu + c, wall + w
    return cpu, wall


def ours_at_once(server, tool, folder):
    """The same five environments side by side, as the ladder shows them: one program, one reading of the files."""
    at = os.path.join(TMP, "console-" + tool)
    revision = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], stdout=subprocess.PIPE, check=True).stdout.decode().strip()
    write(os.path.join(at, "runs.json"), '{"revision": "%s", "version": "1.0.0"}\n' % revision)
    for env in range(ENVIRONMENTS):
        write(os.path.join(at, "e%d.url" % env), server.url("%s%d" % (tool, env)) + "\n")
        os.chmod(os.path.join(at, "e%d.url" % env), 0o600)
    write(os.path.join(at, "towpath.yaml"), "name: bench\nenvironments: [%s]\nservices:\n  - name: shop\n"
          "    forge: {driver: git, path: %s, tags: 'v*'}\n    registry: {driver: 'null'}\n"
          "    deploy: {driver: command, observe: [/bin/cat, %s/runs.json], deploy: [/bin/true]}\n"
          "    migrate: {driver: %s, repo: %s, database: {file: '{env}.url'}}\n"
          % (", ".join("{name: e%d}" % e for e in range(ENVIRONMENTS)), folder, at, tool, folder))
    c, w, done = cpu_of([TOWPATH, "-c", os.path.join(at, "towpath.yaml"), "migrations", "shop", "--at", "e0", "--json"],
                        env=dict(os.environ, XDG_STATE_HOME=at))
    shown = json.loads(done.stdout)
    if done.returncode != 0 or [len(e["migrations"]) for e in shown["environments"].values()] != [MIGRATIONS] * ENVIRONMENTS:
        sys.exit("migrations failed: %s" % done.stdout[-300:].decode())
    return c, w


def main():
    server = Server()
    try:
        prisma, django = make_prisma(server), make_django(server)
        print("%d migrations, %d environments: CPU and wall seconds for all of them" % (MIGRATIONS, ENVIRONMENTS))
        for tool, folder in (("prisma", prisma), ("django", django)):
            print("  towpath migrations, %-7s side by side          %6.2f CPU  %6.2f wall"
                  % ((tool,) + ours_at_once(server, tool, folder)))
            print("  towpath migrations inspect, %-7s five programs %6.2f CPU  %6.2f wall"
                  % ((tool,) + ours(server, tool, folder)))
        python = "/usr/bin/python3"
        if subprocess.run([python, "-c", "import django, psycopg2"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            c, w, done = cpu_of([python, "manage.py", "showmigrations", "--plan"], cwd=django,
                                env=dict(os.environ, NAME="django1"))
            print("  django showmigrations --plan, one environment: %6.2f CPU  %6.2f wall (exit %d)" % (c, w, done.returncode))
        npx = os.environ.get("BENCH_PRISMA")
        if npx:
            c, w, done = cpu_of([npx, "migrate", "status"], cwd=prisma,
                                env=dict(os.environ, DATABASE_URL=server.url("prisma1")))
            print("  prisma migrate status, one environment: %6.2f CPU  %6.2f wall (exit %d)" % (c, w, done.returncode))
    finally:
        server.end()


main()
