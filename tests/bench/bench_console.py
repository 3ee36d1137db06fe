"""The console with a large world: start to paint, key to paint, log ingest, idle, memory, beside peers of the same run.

The world is made by tests/bench/world.c: services and environments below, all on plain files and one loopback server.
Every wait is bounded, every process that is started here is ended here. BENCH_SERVICES and BENCH_RUNS change sizes.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import terminal
from terminal import Session, cpu_seconds, memory_mib, now, wakeups

TMP, BUILD = os.environ["BENCH_TMP"], os.environ["BENCH_BUILD"]
SERVICES, ENVIRONMENTS = int(os.environ.get("BENCH_SERVICES", "200")), 5
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
WORLD = os.path.join(BUILD, "tests/bench/world")
TOWPATH = os.path.abspath("towpath")
SIZES = ((24, 80), (60, 200))
FLOODS = (50000, 100000)
KEYS, KEY_LIMIT_S, LIFE_S = 120, 2.0, 110
IDLE_S = 10
PEER_IDLE_S = 4
started = []


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


def say(label, text, goal=""):
    print(f"  {label:<34} {text:<66} {('goal ' + goal) if goal else ''}", flush=True)


def background(argv):
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    started.append(p)
    return p


def make_world(poll):
    """The path of a config; the second call keeps the release folders and only writes another config."""
    portfile = os.path.join(TMP, "port")
    if not os.path.exists(portfile):
        background([WORLD, "serve", portfile, str(LIFE_S)])
        end = now() + 5
        while not os.path.exists(portfile) and now() < end:
            time.sleep(0.01)
    with open(portfile, encoding="ascii") as f:
        port = f.read().strip()
    subprocess.run([WORLD, "make", os.path.join(TMP, "world"), str(SERVICES), str(ENVIRONMENTS), port, poll],
                   check=True, timeout=60)
    return os.path.join(TMP, "world/towpath.yaml")


def log_of(service, env="e0"):
    return os.path.join(TMP, f"world/hosts/{env}/svc-{service:03d}/log/a.log")


def seed_logs():
    """A small log for the first services; a larger one for the viewers. One that nobody has started stays empty."""
    for service in range(3):
        subprocess.run([WORLD, "grow", "1000", "1", log_of(service)], check=True, stdout=subprocess.DEVNULL, timeout=10)
    subprocess.run([WORLD, "grow", "50000", "1", os.path.join(TMP, "viewer.log")], check=True,
                   stdout=subprocess.DEVNULL, timeout=10)


# --- start to paint ----------------------------------------------------------------------------------------------
TAG = re.compile(rb"1\.\d+\.\d+")


def start_once(argv, rows, cols, painted):
    """Milliseconds to the first bytes, to the last byte of the first full screen, CPU ms and bytes until then."""
    s = Session(argv, rows, cols)
    try:
        if s.until(painted(s), 5) is None:
            return None
        whole = s.last
        while s.pump(0.03) and now() - s.start < 5:
            whole = s.last
        return ((s.first - s.start) * 1e3, (whole - s.start) * 1e3, cpu_seconds(s.pid) * 1e3, s.total)
    finally:
        s.end()


def board_painted(rows):
    # The board's rows hold the releases that the store remembers, down to the last one of the list.
    return lambda s: lambda: len(TAG.findall(s.screen.text(3, 5))) >= 2


def any_painted(s):
    return lambda: s.total > 400


def start(config):
    print(f"start to first full screen, {SERVICES} services x {ENVIRONMENTS} environments from the embedded store "
          f"(median of {RUNS})")
    viewer = os.path.join(TMP, "viewer.log")
    peers = [("less", ["less", viewer]), ("htop", ["htop"]), ("btop", ["btop"]), ("lnav", ["lnav", "-q", viewer])]
    peers = [p for p in peers if shutil.which(p[0])]
    for rows, cols in SIZES:
        got = {}
        for turn in range(RUNS + 1):
            for name, argv, painted in [("towpath", [TOWPATH, "-c", config], board_painted(rows))] + \
                    [(n, a, any_painted) for n, a in peers]:
                r = start_once(argv, rows, cols, painted)
                if r and turn:
                    got.setdefault(name, []).append(r)
        ours = quantile([r[1] for r in got.get("towpath", [])], .5)
        for name, runs in got.items():
            first, whole, cpu, size = (quantile([r[i] for r in runs], .5) for i in range(4))
            least = min(r[1] for r in runs)
            ratio = "" if name == "towpath" else f", {whole / ours:.1f} x ours"
            say(f"{name} {cols}x{rows}", f"{whole:6.1f} ms (least {least:.1f}), CPU {cpu:.1f} ms, {size} bytes{ratio}",
                "<= 20 ms" if name == "towpath" else "")


# --- key to paint ------------------------------------------------------------------------------------------------
def keys_once(s, keys, part):
    """Milliseconds from each key to its effect in a part of the screen; how many keys had none."""
    took, lost = [], 0
    rng = random.Random(7)
    for i in range(KEYS):
        s.drain(0.012 + rng.random() * 0.018)
        before = s.screen.text(*part)
        sent = now()
        s.send(keys[i % len(keys)])
        at = s.until(lambda b=before: s.screen.text(*part) != b, KEY_LIMIT_S)
        if at is None:
            lost += 1
        else:
            took.append((at - sent) * 1e3)
    return took, lost


def key_row(label, took, lost, extra="", goal=""):
    say(label, f"p50 {quantile(took, .5):6.2f} ms, p99 {quantile(took, .99):6.2f} ms, {lost} lost{extra}", goal)
    return quantile(took, .99)


def flood(rate, seconds, files):
    return background([WORLD, "grow", str(rate), str(seconds)] + files)


def keys(config):
    print(f"key to paint, {KEYS} keys up and down the board; peers: a line up and down at the top of the file that grows")
    viewer = os.path.join(TMP, "viewer.log")
    s = Session([TOWPATH, "-c", config], 24, 80)
    s.quiet(0.5, 6)
    b0 = s.total
    took, lost = keys_once(s, [b"j", b"k"], (3, 9, 0, 10))
    key_row("towpath idle", took, lost, f", {(s.total - b0) // KEYS} bytes a key", "p50 <= 1.5 ms")
    files = [log_of(0), log_of(1)]
    ours = {}
    for rate in FLOODS:
        writer = flood(rate, 5, files)
        s.drain(0.5)
        c0, t0, b0 = cpu_seconds(s.pid), now(), s.total
        took, lost = keys_once(s, [b"j", b"k"], (3, 9, 0, 10))
        spent, lasted = cpu_seconds(s.pid) - c0, now() - t0
        lines = int(writer.communicate(timeout=20)[0] or 0) / 5
        ours[rate] = key_row(f"towpath, {lines:,.0f} lines/s", took, lost,
                             f", CPU {spent / lasted / lines * 1e6:.2f} s a million lines", "p99 <= 8 ms")
        s.quiet(0.3, 3)
    s.end()
    for name, argv, part in (("lnav", ["lnav", "-q"], (2, 20)), ("less", ["less", "-S"], (0, 22))):
        if not shutil.which(name):
            continue
        path = shutil.copy(viewer, os.path.join(TMP, name + ".log"))
        s = Session(argv + [path], 24, 80)
        s.quiet(0.5, 6)
        s.send(b"g")
        s.quiet(0.3, 3)
        took, lost = keys_once(s, [b"j", b"k"], part + (0, 78))
        key_row(f"{name} idle", took, lost)
        writer = flood(FLOODS[0], 5, [path])
        s.drain(0.5)
        took, lost = keys_once(s, [b"j", b"k"], part + (0, 78))
        writer.communicate(timeout=20)
        p99 = key_row(f"{name}, {FLOODS[0]:,} lines/s", took, lost)
        say("", f"p99 {p99 / ours[FLOODS[0]]:.1f} x ours")
        s.end()
        os.unlink(path)


# --- log ingest --------------------------------------------------------------------------------------------------
def ingest(config):
    """A flood into the log on screen: is its last line shown soon after it was written?"""
    print("log ingest of the console, the log in view")
    viewer = os.path.join(TMP, "viewer.log")
    programs = [("towpath", [TOWPATH, "-c", config, "--screen", "logs"], log_of(0), b"")]
    programs += [("lnav", ["lnav", "-q", viewer], viewer, b"G")] if shutil.which("lnav") else []
    programs += [("tail -f", ["tail", "-f", viewer], viewer, b"")] if shutil.which("tail") else []
    for name, argv, path, keys_first in programs:
        s = Session(argv, 24, 80)
        s.quiet(0.5, 6)
        if keys_first:
            s.send(keys_first)
            s.quiet(0.3, 3)
        c0, b0, t0 = cpu_seconds(s.pid), s.total, now()
        writer = flood(FLOODS[1], 3, [path])
        while writer.poll() is None and now() - t0 < 10:
            s.pump(0.05)
        lines, ended = int(writer.communicate(timeout=5)[0] or 0), now()
        last = f"request {lines - 1} ".encode()
        at = ended if last in s.screen.text() else s.until(lambda: last in s.screen.text(), 8)
        late = "never" if at is None else f"{max(0.0, at - ended) * 1e3:.0f} ms"
        cpu, lasted = cpu_seconds(s.pid) - c0, now() - t0
        say(f"{name}, {lines / 3:,.0f} lines/s", f"last line shown {late} after it was written, CPU {cpu / lines * 1e6:.2f} s a "
            f"million, {(s.total - b0) / lasted / 1024:.0f} KiB/s", "<= 1.5 CPU s" if name == "towpath" else "")
        s.end()


# --- idle and memory ---------------------------------------------------------------------------------------------
def rest(label, argv, settle, goal=False, seconds=IDLE_S, rows=24, cols=80):
    s = Session(argv, rows, cols)
    s.quiet(1.2, settle)
    s.drain(max(0.0, settle - (now() - s.start)))
    c0, w0, b0, t0 = cpu_seconds(s.pid), wakeups(s.pid), s.total, now()
    sizes = []
    while now() - t0 < seconds:
        n = s.pump(seconds - (now() - t0))
        if n:
            sizes.append(n)
    lasted = now() - t0
    rss, share = memory_mib(s.pid)
    say(label, f"{s.total - b0} bytes in {len(sizes)} writes, CPU {(cpu_seconds(s.pid) - c0) / lasted * 100:.2f} %, "
        f"{(wakeups(s.pid) - w0) / lasted:.1f} wake-ups/s", "0 bytes, <= 0.2 %, <= 2 /s" if goal else "")
    say("", f"{rss:.1f} MiB resident, {share:.1f} MiB the whole tree by its share", "<= 25 MiB" if goal else "")
    s.end()
    return sizes


def idle(config):
    print(f"at rest for {IDLE_S} s, 80x24 (towpath: the console and its guard)")
    rest("towpath, nothing due", [TOWPATH, "-c", config], 5, True)
    sizes = rest("towpath, all deployments observed", [TOWPATH, "-c", make_world("2s")], 10)
    if sizes:
        say("", f"median frame {quantile(sizes, .5):.0f} bytes", "<= 2 KiB")
    for name, argv in (("lnav", ["lnav", "-q", os.path.join(TMP, "viewer.log")]), ("htop", ["htop"]), ("btop", ["btop"])):
        if shutil.which(name):
            rest(name, argv, 2, seconds=PEER_IDLE_S)


def main():
    if terminal.LIB is None:
        sys.exit("libvterm is missing: make deps-test installs it")
    built = subprocess.run(["make", "-s", WORLD], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if built.returncode != 0:
        sys.exit(f"cannot build {WORLD}:\n{built.stderr.decode()}")
    parts = {"start": start, "keys": keys, "ingest": ingest, "idle": idle}
    wanted = os.environ.get("BENCH_PARTS", " ".join(parts)).split()
    try:
        config = make_world("1h")
        seed_logs()
        # The first run fills the store with what there is.
        subprocess.run([TOWPATH, "-c", config, "status", "--json"], stdout=subprocess.DEVNULL, timeout=60, check=True)
        for name, part in parts.items():
            if name in wanted:
                part(config)
    finally:
        for p in started:
            if p.poll() is None:
                p.kill()
                p.wait()


main()
