"""A terminal that shows what a person would see: tmux, without a person.

    with Tmux(t, home=node.home) as screen:
        screen.type("compeer top", "Enter")
        screen.sees("Transfers")
"""
import os
import re
import subprocess
import time

import compeer_driver
import drivers
from harness import descendants, end

PATIENCE = 60       # seconds that something which has to be seen may take on a busy computer


class Tmux:
    """A shell in a terminal of a size. `compeer` in it is the program of the tests."""

    def __init__(self, t, home, width=110, height=24, **env):
        self.socket = t.folder / f"tmux-{time.monotonic_ns()}"
        programs = t.sub("programs")
        link = programs / "compeer"
        if not link.exists():
            link.symlink_to(os.path.realpath(compeer_driver.BINARY))
        self.env = dict(t.environment(home), PATH=f"{programs}:{os.environ['PATH']}", LC_ALL="C.UTF-8", ENV="")
        for name, value in env.items():
            self.env.pop(name, None)
            if value is not None:
                self.env[name] = value
        self.run("new-session", "-d", "-x", width, "-y", height, "-c", t.folder, "sh")
        self.sees(r"^[$#] *$")

    def run(self, *arguments):
        command = ["tmux", "-u", "-f", "/dev/null", "-S", self.socket, *arguments]
        done = subprocess.run([str(word) for word in command], env=self.env, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"tmux {arguments[0]}: {done.stderr}")
        return done.stdout

    def type(self, *keys):
        """Presses keys, by tmux's names, or types a text."""
        for key in keys:
            self.run("send-keys", key)

    def resize(self, width, height):
        self.run("resize-window", "-x", width, "-y", height)

    def text(self, colours=False):
        return self.run("capture-pane", "-p", *(["-e"] if colours else []))

    def lines(self):
        return [line.rstrip() for line in self.text().rstrip("\n").split("\n")]

    def sees(self, pattern, timeout=PATIENCE):
        """Waits until a line has this regular expression; -> the line."""
        end = time.monotonic() + timeout
        while True:
            lines = self.lines()
            for line in lines:
                if re.search(pattern, line):
                    return line
            if time.monotonic() > end:
                raise drivers.Timeout(f"no {pattern!r} on the screen within {timeout} s:\n" + "\n".join(lines))
            time.sleep(0.05)

    def misses(self, pattern, timeout=PATIENCE):
        """Waits until no line has this regular expression."""
        end = time.monotonic() + timeout
        while any(re.search(pattern, line) for line in self.lines()):
            if time.monotonic() > end:
                raise drivers.Timeout(f"{pattern!r} is on the screen after {timeout} s:\n{self.text()}")
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        server = int(self.run("display-message", "-p", "#{pid}"))
        # it is no child of ours, but we are the one whom orphans are given to
        end([server, *descendants(server)])
