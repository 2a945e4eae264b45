"""The `compeer` command as a person starts it: in the foreground, its link read from stdout, ended by Ctrl-C."""
import contextlib
import signal
import subprocess
import threading
import time

import compeer_driver
from harness import Failed


class Running:
    """A command that goes on until it is told to stop."""

    def __init__(self, t, *arguments, home, on=None, env=()):
        self.words = f"compeer {arguments[0]}"
        self.log = open(t.sub("logs") / f"{time.monotonic_ns()}-{arguments[0]}.txt", "w+")
        with on.inside() if on else contextlib.nullcontext():
            self.proc = subprocess.Popen([compeer_driver.BINARY, *map(str, arguments)], env=dict(t.environment(home), **dict(env)), cwd=t.folder,
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.lines = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(iter(self.proc.stdout.readline, "")), daemon=True)
        self.reader.start()

    def errors(self):
        self.log.flush()
        with open(self.log.name) as log:
            return log.read()

    def link(self, timeout=60):
        """The magnet that it prints alone on a line of stdout."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for line in list(self.lines):
                if line.startswith("magnet:?"):
                    return line.strip()
            if self.proc.poll() is not None:
                raise Failed(f"{self.words} ended with {self.proc.returncode}: {self.errors()[-400:]}")
            time.sleep(0.05)
        raise Failed(f"{self.words} printed no link within {timeout} s; stdout: {self.lines[-5:]}, stderr: {self.errors()[-400:]}")

    def wait(self, timeout=60):
        try:
            return self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.words} did not end within {timeout} s: {self.errors()[-400:]}") from None

    def interrupt(self, timeout=30):
        """Ctrl-C; -> exit code."""
        self.proc.send_signal(signal.SIGINT)
        return self.wait(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        self.log.close()
