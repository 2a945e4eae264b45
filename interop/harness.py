"""What an interop suite gets: a folder, clients that are ended for certain, cases that pass or fail one by one.

    @suite("transmission -> compeer", limit=120)
    def _(t):
        seeder = t.start("transmission", host=2)
        with t.case("one file"):
            ...

A suite runs in a process of its own (run.py starts it), so that a time limit can end it and everything below it.
"""
import contextlib
import ctypes
import filecmp
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bench"))
sys.dont_write_bytecode = True

import compeer_driver    # noqa: E402  adds itself to drivers.CLIENTS and drivers.CREATE
import drivers           # noqa: E402

SUITES = {}
ENDING = 10     # seconds that what was told to end may take for it on a busy computer


def suite(name, limit=120, prove=False):
    """Registers a suite: its name, the seconds that it may take, and whether only `cargo xtask prove` runs it."""
    def register(function):
        if name in SUITES:
            raise ValueError(f"two suites are called {name}")
        SUITES[name] = {"run": function, "limit": limit, "prove": prove}
        return function
    return register


class Failed(AssertionError):
    """Something is not as it must be; the message says what."""


class OutOfTime(BaseException):
    """The suite's time is over; not an Exception, so that no case swallows it."""


def require(condition, message):
    if not condition:
        raise Failed(message)


def wait(what, condition, seconds=60):
    """Waits until something is so; -> what it is."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        require(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.05)
    return found


def still(look, seconds=3, timeout=60):
    """-> what `look` returns once it has returned the same for some seconds: what was under way has come by then."""
    seen, since, end = look(), time.monotonic(), time.monotonic() + timeout
    while time.monotonic() - since < seconds:
        require(time.monotonic() < end, f"it goes on changing for {timeout} s: {seen}")
        time.sleep(0.2)
        if (now := look()) != seen:
            seen, since = now, time.monotonic()
    return seen


class Trial:
    """One run of one suite."""

    def __init__(self, name, report):
        self.name, self.report = name, report
        self.folder = Path(tempfile.mkdtemp(prefix="compeer-interop-"))
        self.clients = []
        self.host = 1
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def case(self, name):
        """A case of its own: what goes wrong in it is noted, and the suite goes on."""
        began = time.monotonic()
        try:
            yield
            error = None
        except Exception as wrong:
            error = f"{type(wrong).__name__}: {wrong}" if isinstance(wrong, (Failed, drivers.Timeout)) else traceback.format_exc()
        self.report(case=name, seconds=round(time.monotonic() - began, 1), error=error)

    def side_by_side(self, *parts):
        """Runs functions at once, each in a thread, to their ends: for cases that wait for timers and know nothing of one another."""
        def run(part):
            try:
                part()
            except Exception:
                self.report(case="the suite itself", seconds=0, error=traceback.format_exc())

        # daemons, so that they hold up nothing when the suite's time is over
        threads = [threading.Thread(target=run, args=(part,), daemon=True) for part in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def note(self, **what):
        """A measurement, for the report of `cargo xtask prove`."""
        self.report(note=what)

    def client(self, name, on=None, **options):
        """A client that listens on a loopback address of its own, or on a host of network.py; not started."""
        if on:
            with on.inside():
                c = drivers.CLIENTS[name](self.sub("homes", on.name), on.ip, **options)
            c.inside = on.inside
        else:
            with self.lock:
                self.host += 1
                ip = f"127.0.0.{self.host}"
            c = drivers.CLIENTS[name](self.folder / "homes", ip, **options)
        self.clients.append(c)
        return c

    def start(self, name, **options):
        return self.client(name, **options).start()

    def sub(self, *names):
        """A folder of the trial, made when it is not there."""
        path = self.folder.joinpath(*names)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def compeer(self, *arguments, home=None, on=None, timeout=60, ok=True, **popen):
        """Runs the `compeer` command to its end, on a host of network.py or here; -> CompletedProcess with text."""
        env = dict(self.environment(home), **popen.pop("env", {}))
        try:
            with on.inside() if on else contextlib.nullcontext():
                done = subprocess.run([compeer_driver.BINARY, *map(str, arguments)], env=env, stdin=popen.pop("stdin", subprocess.DEVNULL),
                                      capture_output=True, text=True, timeout=timeout, cwd=popen.pop("cwd", self.folder), **popen)
        except subprocess.TimeoutExpired as late:
            said = (late.stderr or b"").decode(errors="replace").strip()
            raise Failed(f"compeer {' '.join(map(str, arguments))} did not end within {timeout} s: {said[-400:]}") from None
        if ok and done.returncode:
            raise Failed(f"compeer {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
        return done

    def environment(self, home=None):
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        home = home or self.sub("home")
        return dict(env, COMPEER_HOME=str(home), HOME=str(home), RUST_BACKTRACE="1", NO_COLOR="1", **compeer_driver.QUIET)

    def close(self):
        for c in self.clients:
            with contextlib.suppress(Exception):
                c.stop()

    def logs(self, lines=12):
        """The ends of the clients' logs."""
        for log in sorted(self.folder.glob("homes/**/log.txt")):
            text = log.read_text(errors="replace").splitlines()[-lines:]
            if text:
                yield f"--- {log.parent.name}\n" + "\n".join(text)


def tree(path):
    """-> {relative path: file} of everything under a folder, or of the file itself."""
    if path.is_file():
        return {path.name: path}
    return {str(p.relative_to(path)): p for p in path.rglob("*") if p.is_file() or p.is_symlink()}


def require_same(expected, got):
    """The two files or folders have the same files with the same bytes."""
    require(got.exists(), f"{got} is not there")
    want, have = tree(expected), tree(got)
    missing, extra = sorted(set(want) - set(have)), sorted(set(have) - set(want))
    require(not missing, f"{len(missing)} files are missing, such as {missing[:3]}")
    require(not extra, f"{len(extra)} files too many, such as {extra[:3]}")
    for name, path in want.items():
        require(filecmp.cmp(path, have[name], shallow=False), f"{name} differs")


# -- ending what was started

def descendants(pid):
    """The processes below one, children first; from /proc, so Linux only."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError):
                parents[int(entry)] = int(open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()[1])
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        children = [child for child, p in parents.items() if p == parent]
        found += children
        todo += children
    return found


def running(pids):
    """-> [(pid, what it runs)] of those that have not ended: who ended and was waited for by nobody does not run."""
    told = []
    for pid in pids:
        with contextlib.suppress(OSError):
            name, _, rest = open(f"/proc/{pid}/stat").read().partition("(")[2].rpartition(")")
            if rest.split()[0] != "Z":
                told.append((pid, name))
    return told


def end(pids):
    """Kills these processes and waits for those that are ours."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def adopt_orphans():
    """Whoever loses its parent below us becomes our child, so that `descendants` finds it (prctl PR_SET_CHILD_SUBREAPER)."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def run_suite(name, keep):
    """Runs one suite in this process; one JSON line a case on stdout. -> exit code"""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)       # whatever else prints goes to stderr

    lock = threading.Lock()

    def report(**line):
        with lock:
            out.write(json.dumps(line) + "\n")
            out.flush()

    def over(*_):
        raise OutOfTime

    adopt_orphans()
    signal.signal(signal.SIGTERM, over)
    t = Trial(name, report)
    try:
        SUITES[name]["run"](t)
    except OutOfTime:
        report(case="in time", seconds=0, error=f"not done after {SUITES[name]['limit']} s")
    except BaseException:
        report(case="the suite itself", seconds=0, error=traceback.format_exc())
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        t.close()
        # what was told to end needs some computing for that
        over = time.monotonic() + ENDING
        while running(below := descendants(os.getpid())) and time.monotonic() < over:
            time.sleep(0.1)
        left = running(below)
        end(below)
        if left:
            report(case="everything ended", seconds=0, error=f"left over: {left}")
        for text in t.logs():
            print(text, file=sys.stderr)
        if keep:
            print(f"kept: {t.folder}", file=sys.stderr)
        else:
            shutil.rmtree(t.folder, ignore_errors=True)
    return 0
