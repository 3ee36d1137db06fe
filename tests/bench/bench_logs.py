"""Log ingest and filter speed over a generated log, beside peers where they are installed.

CPU seconds are user and system of the whole child; the best of three runs counts. Peers read the file from the
page cache as we do. lnav's figures contain its indexing (it offers no filter without it), less's its paging.
"""
import os
import pty
import resource
import select
import shutil
import subprocess
import sys
import time

TMP, BUILD, LINES = os.environ["BENCH_TMP"], os.environ["BENCH_BUILD"], int(os.environ["BENCH_LINES"])
OURS = os.path.join(BUILD, "tests/bench/logs")
LOG = os.path.join(TMP, "log.json")
PEER_LIMIT_S = 12
# name, our filter, the same for PCRE tools (options, pattern)
FILTERS = [
    ("rare word", "Timeout", [], "Timeout"),
    ("rare word, any case", "timeout", ["-i"], "timeout"),
    ("hard pattern", '/"took_ms":[89][0-9]*,.*"user":"U?u?[0-9]*77"/', [], '"took_ms":[89][0-9]*,.*"user":"U?u?[0-9]*77"'),
    ("many hits", "/Timeout|\"level\":\"(error|warn)\"/", [], "Timeout|\"level\":\"(error|warn)\""),
    ("field", "level>=error", None, None),
]


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def best(argv, repeats=3):
    """Least CPU seconds of some runs and the last output, or None where one failed or took too long."""
    least, out = None, b""
    for _ in range(repeats):
        before = children_cpu()
        try:
            done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PEER_LIMIT_S)
        except subprocess.TimeoutExpired:
            return None, b""
        if done.returncode not in (0, 1):
            return None, b""
        cpu, out = children_cpu() - before, done.stdout
        least = cpu if least is None else min(least, cpu)
        if cpu > 1.5:
            break
    return least, out


def on_terminal(argv, keys):
    """CPU seconds of a viewer that is sent keys, each after it fell silent, and then ended."""
    before = children_cpu()
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execvp(argv[0], argv)
    end, last = time.monotonic() + PEER_LIMIT_S, time.monotonic()
    todo = list(keys)
    while time.monotonic() < end:
        ready, _, _ = select.select([fd], [], [], 0.1)
        if ready:
            try:
                if not os.read(fd, 65536):
                    break
            except OSError:
                break
            last = time.monotonic()
        elif time.monotonic() - last > 0.5 and cpu_is_still(pid):
            if not todo:
                break
            os.write(fd, todo.pop(0).encode())
            last = time.monotonic()
    late = time.monotonic() >= end
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        pass
    os.waitpid(pid, 0)
    os.close(fd)
    return None if late else children_cpu() - before


def cpu_is_still(pid):
    def ticks():
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rsplit(b")", 1)[1].split()[11:13]
    try:
        first = ticks()
        time.sleep(0.1)
        return ticks() == first
    except OSError:
        return True


def row(label, seconds, ours, note=""):
    if seconds is None:
        print(f"  {label:<28} not measured: over {PEER_LIMIT_S} s or failed")
        return
    ratio = f"{seconds / ours:7.1f} x ours" if ours and label != "towpath" else ""
    print(f"  {label:<28} {seconds:8.3f} CPU s {ratio:>16}  {note}")


def lnav_filter(pattern):
    argv = ["lnav", "-n", "-N", "-c", f":filter-in {pattern}", LOG]
    cpu, out = best(argv, 1)
    if cpu is None:
        cpu, out = best(argv[:2] + argv[3:], 1)
    return cpu


def ingest():
    print(f"ingest of {LINES} lines, level and time of each read")
    ours = None
    for sources in (1, 20):
        samples = [subprocess.run([OURS, "ingest", LOG, str(sources)], stdout=subprocess.PIPE, check=True).stdout.split()
                   for _ in range(3)]
        total, kept, cpu, wall, rss = min(samples, key=lambda s: float(s[2]))
        cpu, wall, total = float(cpu), float(wall), int(total)
        per_million = cpu * 1e6 / total
        ours = ours or per_million
        print(f"  towpath, {sources:2} source(s)        {per_million:8.3f} CPU s per million lines, "
              f"{total / max(wall, 1e-9) / 1e6:.2f} M lines/s, {int(kept)} kept, {int(rss) // 1024} MiB")
    scale = 1e6 / LINES
    if shutil.which("grep"):
        cpu, _ = best(["grep", "-c", "-P", "zzzzzz", LOG])
        row("grep -P, per million", cpu and cpu * scale, ours, "only searches")
    if shutil.which("lnav"):
        cpu = lnav_filter("zzzzzz")
        row("lnav, per million", cpu and cpu * scale, ours, "indexes, filters all away")


def filters():
    for name, ours_text, options, pattern in FILTERS:
        print(f"filter over {LINES} lines: {name}: {ours_text}")
        runs = [subprocess.run([OURS, "filter", LOG, ours_text], stdout=subprocess.PIPE, check=True).stdout.split()
                for _ in range(3)]
        hits, cpu = int(runs[0][0]), min(float(r[1]) for r in runs)
        row("towpath", cpu, cpu, f"{hits} hits")
        if pattern is None:
            continue
        for tool, argv in (("grep -P", ["grep", "-c", "-P"]), ("rg -P", ["rg", "-c", "-P", "-j1"]), ("pcre2grep", ["pcre2grep", "-c"])):
            if shutil.which(argv[0]):
                seconds, out = best(argv + options + [pattern, LOG])
                row(tool, seconds, cpu, "" if out.strip() == str(hits).encode() else f"{out.strip().decode()} hits: not ours")
        if name == "hard pattern":
            if shutil.which("lnav"):
                row("lnav", lnav_filter(pattern), cpu, "with indexing")
            if shutil.which("less"):
                row("less &", on_terminal(["less", LOG], ["&" + pattern + "\r", "G"]), cpu, "with paging")


def main():
    built = subprocess.run(["make", "-s", OURS], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if built.returncode != 0:
        sys.exit(f"cannot build {OURS}:\n{built.stderr.decode()}")
    subprocess.run([OURS, "generate", str(LINES), LOG], check=True)
    ingest()
    filters()


main()
