"""A program on a pseudo-terminal that is seen by libvterm, with times; and what /proc says of a process tree."""
import ctypes
import ctypes.util
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

now = time.monotonic


class _Rect(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("start_row", "end_row", "start_col", "end_col")]


def _load():
    for name in ("libvterm.so.0", ctypes.util.find_library("vterm")):
        try:
            lib = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if lib is None:
            continue
        p, n = ctypes.c_void_p, ctypes.c_size_t
        for fn, result, arguments in (
                ("vterm_new", p, (ctypes.c_int, ctypes.c_int)), ("vterm_free", None, (p,)),
                ("vterm_set_utf8", None, (p, ctypes.c_int)), ("vterm_obtain_screen", p, (p,)),
                ("vterm_screen_reset", None, (p, ctypes.c_int)), ("vterm_screen_enable_altscreen", None, (p, ctypes.c_int)),
                ("vterm_input_write", n, (p, ctypes.c_char_p, n)), ("vterm_output_read", n, (p, ctypes.c_char_p, n)),
                ("vterm_screen_get_text", n, (p, ctypes.c_char_p, n, _Rect))):
            getattr(lib, fn).restype, getattr(lib, fn).argtypes = result, arguments
        return lib
    return None


LIB = _load()


class Screen:
    def __init__(self, rows, cols):
        self.rows, self.cols = rows, cols
        self.vt = LIB.vterm_new(rows, cols)
        LIB.vterm_set_utf8(self.vt, 1)
        self.screen = LIB.vterm_obtain_screen(self.vt)
        LIB.vterm_screen_enable_altscreen(self.screen, 1)
        LIB.vterm_screen_reset(self.screen, 1)
        self.answer = ctypes.create_string_buffer(4096)

    def feed(self, data):
        LIB.vterm_input_write(self.vt, data, len(data))
        return self.answer.raw[:LIB.vterm_output_read(self.vt, self.answer, 4096)]

    def text(self, top=0, end=None, left=0, right=None):
        """Cells of a rectangle as bytes; unwritten ones may be left out."""
        end, right = self.rows if end is None else end, self.cols if right is None else right
        size = (end - top) * (right - left) * 8 + 64
        buffer = ctypes.create_string_buffer(size)
        used = LIB.vterm_screen_get_text(self.screen, buffer, size, _Rect(top, end, left, right))
        return buffer.raw[:min(used, size)]

    def rows_text(self):
        return [self.text(i, i + 1).decode("utf-8", "replace").rstrip("\0 \n") for i in range(self.rows)]

    def close(self):
        LIB.vterm_free(self.vt)


class Session:
    """Starts argv in a terminal of its own; end() ends what it started."""

    def __init__(self, argv, rows, cols, env=None):
        self.screen = Screen(rows, cols)
        self.total, self.first, self.last, self.eof = 0, None, None, False
        self.start = now()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
            os.environ.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})})
            try:
                os.execvp(argv[0], argv)
            finally:
                os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def pump(self, seconds):
        """Waits for output at most that long; the number of bytes that came."""
        if self.eof or not select.select([self.fd], [], [], max(0.0, seconds))[0]:
            return 0
        try:
            data = os.read(self.fd, 262144)
        except OSError:
            data = b""
        self.last = now()
        if not data:
            self.eof = True
            return 0
        self.first = self.first or self.last
        self.total += len(data)
        answer = self.screen.feed(data)
        if answer:
            os.write(self.fd, answer)
        return len(data)

    def drain(self, seconds):
        end = now() + seconds
        while not self.eof and now() < end:
            self.pump(end - now())

    def quiet(self, silence, limit):
        """Until nothing came for a while, or the limit."""
        end, since = now() + limit, now()
        while not self.eof and now() < end and now() - since < silence:
            if self.pump(silence - (now() - since)):
                since = now()

    def until(self, fn, limit):
        """The time of the output after which fn() held, else None."""
        end = now() + limit
        while not self.eof and now() < end:
            if self.pump(end - now()) and fn():
                return self.last
        return None

    def send(self, keys):
        os.write(self.fd, keys)

    def end(self):
        for pid in tree(self.pid)[::-1]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        os.waitpid(self.pid, 0)
        os.close(self.fd)
        self.screen.close()


def tree(pid):
    """The process and what it started."""
    found = [pid]
    for p in found:
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/children", encoding="ascii") as f:
                    found += [int(word) for word in f.read().split()]
        except OSError:
            pass
    return found


def cpu_seconds(pid):
    total = 0
    for p in tree(pid):
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/schedstat", encoding="ascii") as f:
                    total += int(f.read().split()[0])
        except OSError:
            pass
    return total / 1e9


def wakeups(pid):
    total = 0
    for p in tree(pid):
        try:
            for task in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{task}/status", encoding="ascii") as f:
                    total += sum(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt_switches"))
        except OSError:
            pass
    return total


def memory_mib(pid):
    """Resident memory of the tree's largest process, and of the whole tree with shared pages counted by their share."""
    rss = share = 0
    for p in tree(pid):
        try:
            with open(f"/proc/{p}/smaps_rollup", encoding="ascii") as f:
                kib = {line.split()[0]: int(line.split()[1]) for line in f if line.startswith(("Rss:", "Pss:"))}
                rss, share = max(rss, kib.get("Rss:", 0)), share + kib.get("Pss:", 0)
        except OSError:
            pass
    return rss / 1024, share / 1024
