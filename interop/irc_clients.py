"""IRC clients that we did not write, driven headless: irssi in a pseudo-terminal, WeeChat by its pipe, and a plain socket.

    with Irssi(t, "alice", port, token) as irssi:
        irssi.sees("#Tea", "<@bob> hello")
        irssi.run("/msg #Tea hello yourself")

Each keeps a log for every room and person; `sees` waits for a line in one.
"""
import base64
import contextlib
import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import drivers

PATIENCE = 60       # seconds that something which has to happen may take on a busy computer


class Program:
    """A client with logs. A subclass says how it is started and told what to do."""
    name = "?"

    def __init__(self, t, who):
        self.home = t.sub("irc", f"{self.name}-{who}")
        self.proc = None

    def start(self, *command, **popen):
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        env.update(HOME=str(self.home), TERM="xterm", LC_ALL="C.UTF-8", TZ="UTC")
        self.proc = subprocess.Popen(command, env=env, cwd=self.home, **popen)

    def run(self, line):
        """Types a line."""
        raise NotImplementedError

    def log(self, buffer):
        """All that was shown of a room, a person, or the server."""
        raise NotImplementedError

    def sees(self, buffer, pattern, timeout=PATIENCE):
        """Waits until a line of a buffer has this regular expression; -> the line."""
        end = time.monotonic() + timeout
        while True:
            text = self.log(buffer)
            for line in text.splitlines():
                if re.search(pattern, line):
                    return line
            if time.monotonic() > end:
                raise drivers.Timeout(f"{self.name} shows no {pattern!r} in {buffer} within {timeout} s:\n{text[-1500:]}")
            time.sleep(0.05)

    def count(self, buffer, pattern):
        return sum(bool(re.search(pattern, line)) for line in self.log(buffer).splitlines())

    def close(self):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Irssi(Program):
    """irssi; it shows the password by PASS."""
    name = "irssi"

    def __init__(self, t, who, port, token):
        super().__init__(t, who)
        (self.home / "config").write_text(f"""
            settings = {{
              core = {{ real_name = "{who}"; user_name = "{who}"; nick = "{who}-at-irssi"; timestamp_format = "%H:%M:%S"; }};
              "fe-common/core" = {{ autolog = "yes"; autolog_path = "{self.home}/logs/$0.log"; autolog_level = "ALL"; }};
            }};""")
        self.terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.start("irssi", f"--home={self.home}", "-c", "127.0.0.1", "-p", str(port), "-w", token,
                   stdin=inner, stdout=inner, stderr=inner, start_new_session=True)
        os.close(inner)
        self.screen = b""
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        with contextlib.suppress(OSError):      # it ended
            while data := os.read(self.terminal, 65536):
                self.screen = (self.screen + data)[-65536:]

    def run(self, line):
        os.write(self.terminal, line.encode() + b"\r")

    def log(self, buffer):
        # a `/` would be a folder
        path = self.home / "logs" / f"{buffer.lower().replace('/', '_')}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def raw(self):
        """All lines of the connection, those before it was asked for included; `>>` came, `<<` was sent."""
        path = self.home / "raw.log"
        if not path.exists():
            self.run(f"/rawlog open {path}")
        end = time.monotonic() + PATIENCE
        while not path.exists():
            if time.monotonic() > end:
                raise drivers.Timeout("irssi writes no raw log")
            time.sleep(0.05)
        return path.read_text(errors="replace")

    def close(self):
        super().close()
        with contextlib.suppress(OSError):
            os.close(self.terminal)


class WeeChat(Program):
    """WeeChat without a screen; it shows the password by SASL."""
    name = "weechat"

    def __init__(self, t, who, port, token):
        super().__init__(t, who)
        self.pipe = self.home / "fifo"
        settings = ("logger.file.flush_delay 0", "logger.file.path ${weechat_data_dir}/logs", 'logger.file.time_format "%Y-%m-%d %H:%M:%S"',
                    "fifo.file.path ${weechat_data_dir}/fifo", "irc.look.server_buffer independent")
        server = f"/server add node 127.0.0.1/{port} -nicks={who}-at-weechat -sasl_mechanism=plain -sasl_username={who} -sasl_password={token}"
        commands = [*(f"/set {setting}" for setting in settings), server, "/set irc.server.node.ssl off", "/connect node"]
        self.output = open(self.home / "output.txt", "w")
        self.start("weechat-headless", "-d", str(self.home), *(part for command in commands for part in ("-r", command)),
                   stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output)

    def tell(self, buffer, line):
        end = time.monotonic() + PATIENCE
        while not self.pipe.exists():
            if time.monotonic() > end:
                raise drivers.Timeout("WeeChat opens no pipe")
            time.sleep(0.05)
        with open(self.pipe, "w") as pipe:
            pipe.write(f"{buffer} *{line}\n")

    def run(self, line):
        self.tell("irc.server.node", line)

    def say(self, buffer, text):
        """Writes into a room's or a person's window."""
        self.tell(f"irc.node.{buffer}", text)

    def log(self, buffer):
        name = "irc.server.node" if buffer == "server" else f"irc.node.{buffer.lower().replace('/', '_')}"
        path = self.home / "logs" / f"{name}.weechatlog"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self):
        super().close()
        self.output.close()


class Plain:
    """A socket and lines: for what good clients do not do."""

    def __init__(self, port, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.rest, self.lines = b"", []

    def send(self, *lines):
        for line in lines:
            self.socket.sendall((line if isinstance(line, bytes) else line.encode()) + b"\r\n")

    def read(self, timeout=PATIENCE):
        """One line without its end; None when the other end is done."""
        end = time.monotonic() + timeout
        while b"\n" not in self.rest:
            self.socket.settimeout(max(end - time.monotonic(), 0.01))
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            except TimeoutError:
                raise drivers.Timeout(f"no line within {timeout} s; before: {self.lines[-5:]}") from None
            if not data:
                return None
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        self.lines.append(line.rstrip(b"\r").decode())
        return self.lines[-1]

    def until(self, pattern, timeout=PATIENCE):
        """Reads up to a line with this regular expression; -> all lines that were read."""
        lines, end = [], time.monotonic() + timeout
        while not lines or not re.search(pattern, lines[-1]):
            line = self.read(max(end - time.monotonic(), 0.01))
            if line is None:
                raise drivers.Timeout(f"the connection ended without {pattern!r}: {lines[-5:]}")
            lines.append(line)
        return lines

    def ask(self, *lines, until):
        self.send(*lines)
        return self.until(until)

    def is_over(self, timeout=PATIENCE):
        """Whether the other end closes."""
        while self.read(timeout) is not None:
            pass
        return True

    def come_in(self, token, *caps):
        """-> what was said until the greeting was over"""
        if caps:
            self.send("CAP LS 302", f"CAP REQ :{' '.join(caps)}")
        self.send(f"PASS {token}", "NICK plain", "USER plain 0 * :Plain", *(["CAP END"] if caps else []))
        return self.until(r" 376 ")

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def sasl(password, name="somebody"):
    """What SASL PLAIN shows (RFC 4616)."""
    return base64.b64encode(f"\0{name}\0{password}".encode()).decode()
