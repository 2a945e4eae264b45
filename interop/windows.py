"""A screen that nobody looks at, and what a screen reader is told of the windows on it: foreign programs with windows are
driven by the names of what they show, never by places on the screen.

    with Screen(t) as screen:
        window = screen.start("transmission-qt", home=t.sub("qt"), name="transmission")
        window.find("menu item", "Pause").press()

The screen is Xvfb's, which keeps its picture in the folder of the suite (`screen/Xvfb_screen0`, an X window dump). The names come
by the Assistive Technology Service Provider Interface (AT-SPI 2), which is D-Bus.
"""
import contextlib
import os
import subprocess
import time

import drivers
from desktop import Desktop
from harness import descendants, end
from jeepney import DBusAddress, MessageType, Properties, new_method_call
from jeepney.io.blocking import open_dbus_connection

PATIENCE = 60       # seconds that something which has to be seen may take on a busy computer
ANSWER = 20         # seconds that a program may take for one question
SIZE = "1000x700x24"
SENSITIVE = 24      # the number of a state (atspi-constants.h, ATSPI_STATE_SENSITIVE)
ATSPI = "org.a11y.atspi."


class Gone(Exception):
    """What was asked is no longer on the screen, or has no such side."""


class Screen(Desktop):
    """A desktop with a screen. What is started on it ends with it."""

    def __init__(self, t):
        self.t, self.programs = t, []

    def __enter__(self):
        # a server that begins anew when its last window is closed would forget where the bus of the readers is
        self.server = subprocess.Popen(["Xvfb", "-displayfd", "1", "-screen", "0", SIZE, "-fbdir", self.t.sub("screen"), "-nolisten", "tcp", "-noreset"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        number = self.server.stdout.readline().strip()
        if not number:
            raise RuntimeError("Xvfb did not start")
        run = self.t.sub("run")
        run.chmod(0o700)
        # for the bus, and for what it starts; a suite has its process for itself
        os.environ.update(DISPLAY=f":{number}", XDG_RUNTIME_DIR=str(run), GSETTINGS_BACKEND="memory", GIO_USE_VFS="local", GTK_USE_PORTAL="0",
                          QT_QPA_PLATFORM="xcb", LC_ALL="C.UTF-8")
        super().__enter__()
        with open_dbus_connection(self.address) as bus:
            asked = new_method_call(DBusAddress("/org/a11y/bus", "org.a11y.Bus", "org.a11y.Bus"), "GetAddress")
            self.readers = open_dbus_connection(bus.send_and_get_reply(asked, timeout=ANSWER).body[0])
            # Qt tells nothing unless somebody says that there is a reader
            status = Properties(DBusAddress("/org/a11y/bus", "org.a11y.Bus", "org.a11y.Status"))
            for name in ("IsEnabled", "ScreenReaderEnabled"):
                bus.send_and_get_reply(status.set(name, "b", True), timeout=ANSWER)
        self.top = Seen(self.readers, "org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root")
        # asked once, it is there for all that start
        self.top.children()
        return self

    def launch(self, *command, home):
        """Starts a program with a window of its own."""
        env = dict(self.t.environment(home), XDG_CONFIG_HOME=str(home / ".config"))
        log = open(self.t.sub("homes", os.path.basename(command[0])) / "log.txt", "a")
        program = subprocess.Popen([str(word) for word in command], env=env, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.programs.append(program)
        return program

    def start(self, *command, home, name):
        """Starts a program; -> its windows, when there are some. `name`: what it calls itself."""
        program = self.launch(*command, home=home)

        def windows():
            if program.poll() is not None:
                raise RuntimeError(f"{command[0]} ended with {program.returncode}")
            return next((it for it in self.top.children() if it.name() == name and it.children()), None)

        return waited(f"a window of {name}", windows)

    def key(self, title, *keys):
        """Presses keys in the window with this title, as a keyboard does; there is no window manager that gives it the focus."""
        search = ["xdotool", "search", "--onlyvisible", "--name", title]
        found = waited(f"a window called {title}", lambda: subprocess.run(search, capture_output=True, text=True, timeout=ANSWER).stdout.split())
        subprocess.run(["xdotool", "windowfocus", "--sync", found[0], "key", *keys], check=True, timeout=ANSWER)

    def __exit__(self, *_):
        for program in self.programs:
            program.terminate()
        for program in self.programs:
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(5)
        # the bus started the service of the screen readers, which has a bus of its own
        services = descendants(self.bus.pid)
        self.readers.close()
        super().__exit__()
        end([it.pid for it in self.programs if it.poll() is None] + services)
        self.server.terminate()
        self.server.wait()


def waited(what, look, seconds=PATIENCE):
    """-> the first that is something of what `look` returns; what goes while one looks is looked for again."""
    over = time.monotonic() + seconds
    while True:
        with contextlib.suppress(Gone):
            found = look()
            if found:
                return found
        if time.monotonic() > over:
            raise drivers.Timeout(f"not within {seconds} s: {what}")
        time.sleep(0.1)


class Seen:
    """Something on the screen, as a screen reader knows it."""

    def __init__(self, bus, program, path):
        self.bus, self.program, self.path = bus, program, path

    def ask(self, message):
        try:
            answer = self.bus.send_and_get_reply(message, timeout=ANSWER)
        except TimeoutError:
            raise Gone(f"{self.program} did not answer within {ANSWER} s") from None
        if answer.header.message_type == MessageType.error:
            raise Gone(f"{self.path}: {answer.body}")
        return answer.body[0] if answer.body else None

    def at(self, side):
        return DBusAddress(self.path, self.program, ATSPI + side)

    def call(self, side, method, signature=None, *values):
        return self.ask(new_method_call(self.at(side), method, signature, values))

    def children(self):
        return [Seen(self.bus, *it) for it in self.call("Accessible", "GetChildren")]

    def name(self):
        return self.ask(Properties(self.at("Accessible")).get("Name"))[1]

    def role(self):
        return self.call("Accessible", "GetRoleName")

    def text(self):
        return self.call("Text", "GetText", "ii", 0, -1) if ATSPI + "Text" in self.call("Accessible", "GetInterfaces") else self.name()

    def below(self):
        """Everything that is below, in its order; what goes meanwhile is left out."""
        with contextlib.suppress(Gone):
            for child in self.children():
                yield child
                yield from child.below()

    def such(self, role, name=None):
        try:
            return self.role() == role and name in (None, self.name())
        except Gone:
            return False

    def all(self, role, name=None):
        return [it for it in self.below() if it.such(role, name)]

    def opened(self, role, name=None):
        """-> the window of a program with this role and name; None: it is not open."""
        return next((it for it in self.children() if it.such(role, name)), None)

    def opens(self, role, name=None):
        """-> the same, when it is there."""
        return waited(f"a {role} {name or ''}", lambda: self.opened(role, name))

    def find(self, role, name=None, number=0, seconds=PATIENCE):
        """-> the one with this role and name, when it is there; `number`: which, where there are some."""
        return waited(f"a {role} {name or ''}", lambda: next(iter(self.all(role, name)[number:]), None), seconds)

    def before(self, role, name):
        """-> what comes before the label or the box with this name, when it is there: here GTK puts what is labelled."""
        def look():
            everything = list(self.below())
            at = next((n for n, it in enumerate(everything) if it.such(role, name)), None)
            return everything[at - 1] if at else None

        return waited(f"what is before a {role} {name}", look)

    def can_be_pressed(self):
        return bool(self.call("Accessible", "GetState")[0] >> SENSITIVE & 1)

    def press(self):
        """Does what a click would do. A box that waits for an answer would keep this waiting: see Screen.key."""
        self.call("Action", "DoAction", "i", 0)

    def write(self, text):
        self.call("EditableText", "SetTextContents", "s", text)

    def turn(self, number):
        """Sets a number."""
        self.ask(Properties(self.at("Value")).set("CurrentValue", "d", float(number)))

    def rows(self):
        return self.ask(Properties(self.at("Table")).get("NRows"))[1]

    def cell(self, row, column):
        return Seen(self.bus, *self.call("Table", "GetAccessibleAt", "ii", row, column))

    def choose(self, row):
        """Chooses one row, and no other."""
        for other in self.call("Table", "GetSelectedRows"):
            self.call("Table", "RemoveRowSelection", "i", other)
        self.call("Table", "AddRowSelection", "i", row)

    def focus(self):
        self.call("Component", "GrabFocus")
