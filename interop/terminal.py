"""A command in a terminal of its own, as a person sees it.

    terminal = Terminal(alice, "chat", "bob")
    terminal.shows("hello")
    terminal.type("hello yourself\\r")
"""
import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time

import compeer_driver
import drivers

PATIENCE = 60   # seconds that something which has to happen may take on a busy computer
ROWS, COLUMNS = 24, 100


class Terminal:
    def __init__(self, person, *arguments):
        env = dict(os.environ, COMPEER_HOME=str(person.home), HOME=str(person.home), TERM="xterm", LANG="C.UTF-8", **compeer_driver.QUIET)
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.before = termios.tcgetattr(theirs)
        with person.inside():
            self.proc = subprocess.Popen([compeer_driver.BINARY, *map(str, arguments)], env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        self.theirs, self.bytes = theirs, b""
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        with contextlib.suppress(OSError):
            while part := os.read(self.ours, 65536):
                self.bytes += part

    @property
    def seen(self):
        """All that was ever shown, without colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.bytes.decode(errors="replace"))

    def type(self, text):
        os.write(self.ours, text.encode())

    def shows(self, *patterns):
        """Waits until each of these regular expressions was shown."""
        end = time.monotonic() + PATIENCE
        while not all(re.search(pattern, self.seen) for pattern in patterns):
            if time.monotonic() > end:
                raise drivers.Timeout(f"the terminal does not show {patterns}: {self.seen[-1500:]!r}")
            time.sleep(0.05)

    def ends(self):
        """Waits for the end; -> the exit code, and whether the terminal is as it was."""
        code = self.proc.wait(PATIENCE)
        return code, termios.tcgetattr(self.theirs) == self.before
