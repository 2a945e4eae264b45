"""The files by which a desktop and a service manager know Compeer, as the programs that read them see them."""
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import compeer_driver
import drivers
from cases.controls import shared
from desktop import Desktop
from harness import require, suite, wait

MIB = 1 << 20
PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


def run(*command, ok=True, **popen):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, **popen)
    require(not ok or done.returncode == 0, f"{command}: {done.returncode} {done.stdout} {done.stderr}")
    return done


@suite("a desktop's files", limit=240)
def _(t):
    # xdg-mime itself takes no spaces in these
    data, config, home = t.sub("data"), t.sub("config"), t.sub("a home of %u $x")
    env = dict(t.environment(home), XDG_DATA_HOME=str(data), XDG_CONFIG_HOME=str(config), XDG_DATA_DIRS="/usr/share")
    choice, entry = config / "mimeapps.list", data / "applications/compeer.desktop"
    choice.write_text("[Default Applications]\ntext/html=browser.desktop;\n")
    magnet = lambda: run("xdg-mime", "query", "default", "x-scheme-handler/magnet", env=env).stdout.strip()    # noqa: E731
    # another program of this computer may be there for it already
    others = magnet()
    with t.case("what is installed is valid, and what a link and a file open"):
        done = t.compeer("--home", home, "desktop", "install", env=env)
        require(str(entry) in done.stdout, done.stdout)
        said = run("desktop-file-validate", entry).stdout
        require(not said.strip(), said)
        run("rsvg-convert", data / "icons/hicolor/scalable/apps/compeer.svg", "-o", t.folder / "icon.png")
        require(magnet() == "compeer.desktop", magnet())
        require("compeer.desktop" in (data / "applications/mimeinfo.cache").read_text(), "the desktop does not know it")
    with Desktop() as desktop, t.case("a click adds the link, and starts a node where none runs"):
        seed = t.start("libtorrent")
        film = shared(t, seed, "film.mkv", MIB)
        line = clicked(entry, film.magnet(seed.ip, seed.port))
        require(line[0] == os.path.realpath(compeer_driver.BINARY) and line[1:3] == ["--home", str(home)], f"{line}")
        with contextlib.ExitStack() as end:
            env.update(DBUS_SESSION_BUS_ADDRESS=desktop.address)
            run(*line, env=env, cwd=t.folder)
            end.callback(stop, home)
            wait("it is said", lambda: any("is being fetched" in body for *_, body in desktop.notices))
            wait("it is fetched", lambda: '"complete": true' in t.compeer("list", "--json", env=env).stdout)
            require((home / "film.mkv").exists(), "it went to where the click was")
            torrent = t.sub("a folder") / "film & more.torrent"
            torrent.write_bytes(film.path.read_bytes())
            done = run(*clicked(entry, "file://" + quote(str(torrent))), env=env, cwd=t.folder)
            require("is here already" in done.stdout, done.stdout)
            wait("it is said", lambda: any("is here already" in body for *_, body in desktop.notices))
            wrong = run(*clicked(entry, "magnet:?xt=nothing"), env=env, cwd=t.folder, ok=False)
            require(wrong.returncode == 1 and wrong.stderr.startswith("error: "), f"{wrong}")
            wait("it is said", lambda: any("cannot open" in heading for _, _, heading, _ in desktop.notices))
    with t.case("what was installed can be removed, and nothing else is"):
        t.compeer("desktop", "remove", env=env)
        require(not entry.exists() and not list((data / "icons").rglob("*.svg")), "something is left")
        require(magnet() == others, f"{magnet()} instead of {others}")
        require(choice.read_text().strip() == "[Default Applications]\ntext/html=browser.desktop;", choice.read_text())
    with t.case("who wants to keep what opens links now does"):
        t.compeer("desktop", "install", "--keep-default", env=env)
        require("compeer" not in choice.read_text(), choice.read_text())
        t.compeer("desktop", "remove", env=env)


def clicked(entry, argument):
    """The command line of an entry with its argument, taken apart as the specification says (GLib's parser is the one of GNOME)."""
    line = next(line for line in entry.read_text().splitlines() if line.startswith("Exec="))[5:]
    # first the escapes of a value, then those of the command line
    line = line.replace("\\\\", "\\")
    words, word, quoted, at = [], None, False, 0
    while at < len(line):
        c = line[at]
        if quoted and c == "\\":
            at += 1
            word += line[at]
        elif c == '"':
            quoted, word = not quoted, word or ""
        elif c == " " and not quoted:
            words, word = words + [word], None
        else:
            word = (word or "") + c
        at += 1
    words.append(word)
    return [argument if word == "%u" else word.replace("%%", "%") for word in words]


def stop(home):
    """Ends the node of a home, which nobody here started."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = open(f"/proc/{pid}/cmdline").read().split("\0")
            if "up" in words and str(home) in words:
                os.kill(int(pid), signal.SIGTERM)
                end = time.monotonic() + 60
                while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(int(pid), os.WNOHANG)
                    time.sleep(0.05)


@suite("a service manager", limit=240)
def _(t):
    with t.case("systemd finds nothing wrong in the units"):
        for kind in ("user", "system"):
            units = t.sub("units", kind)
            for unit in (PACKAGING / "systemd" / kind).iterdir():
                text = unit.read_text()
                require(unit.suffix == ".socket" or "/usr/bin/compeer up" in text, text)
                (units / unit.name).write_text(text.replace("/usr/bin/compeer", os.path.realpath(compeer_driver.BINARY)))
            paths = sorted(units.iterdir())
            require(len(paths) == 2, f"{paths}")
            done = run("systemd-analyze", f"--{kind}", "verify", "--man=no", *paths, env=dict(os.environ, SYSTEMD_LOG_LEVEL="warning", XDG_RUNTIME_DIR=str(t.sub("run"))))
            ours = [line for line in done.stderr.splitlines() if "compeer" in line]
            require(not ours, "\n".join(ours))
    with t.case("systemd calls the hardening of the system's unit good"):
        unit = t.folder / "units/system/compeer.service"
        text = run("systemd-analyze", "security", "--offline=yes", "--no-pager", unit).stdout
        overall = next(line for line in text.splitlines() if "Overall exposure" in line)
        level = float(overall.split(":")[1].split()[0])
        require(level < 2.0, overall)
    activated(t)


def activated(t):
    port, notify = drivers.free_port(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(t.folder / "notify"))
    notify.settimeout(60)
    home = t.sub("activated")
    env = dict(t.environment(home), NOTIFY_SOCKET=str(t.folder / "notify"))
    forwarded = [f"--setenv={name}={env[name]}" for name in ("COMPEER_HOME", "HOME", "NOTIFY_SOCKET", *compeer_driver.QUIET)]
    with t.case("a connection to the socket starts the node, which serves there and says that it is ready"):
        activator = subprocess.Popen(["systemd-socket-activate", f"--listen=127.0.0.1:{port}", *forwarded, compeer_driver.BINARY, "up", "--listen", "127.0.0.1:0"],
                                     env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            wait("the socket is there", lambda: reachable(port))
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/health")
            require(connection.getresponse().read() == b"ok\n", "it is not well")
            said = notify.recv(4096).decode()
            require(said.startswith("READY=1\n") and f"127.0.0.1:{port}" in said, said)
            require((home / "api").read_text().strip() == f"http://127.0.0.1:{port}", (home / "api").read_text())
            require("process_id" in t.compeer("info", "--json", home=home).stdout, "the commands do not find it")
            activator.send_signal(signal.SIGTERM)
            require(notify.recv(4096) == b"STOPPING=1", "it does not say that it stops")
            require(activator.wait(60) == 0, f"{activator.returncode}")
        finally:
            activator.kill()
            activator.wait()
            notify.close()
    with t.case("a socket that others can reach is refused"):
        done = subprocess.Popen(["systemd-socket-activate", f"--listen=0.0.0.0:{port}", *forwarded, compeer_driver.BINARY, "up", "--listen", "127.0.0.1:0"],
                                env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            wait("it has ended", lambda: reachable(port) is not None and done.poll() is not None)
            said = done.stderr.read()
            require(done.returncode == 1 and "loopback" in said, said)
        finally:
            done.kill()
            done.wait()


def reachable(port):
    """Connects once; -> whether that went."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False


@suite("shell completions and the manual", limit=180)
def _(t):
    with t.case("a page for every command, that man can read"):
        folder = t.sub("man1")
        t.compeer("man", folder)
        pages = {path.name for path in folder.iterdir()}
        require({"compeer.1", "compeer-share.1", "compeer-top.1", "compeer-contact-add.1"} <= pages, f"{sorted(pages)[:20]}")
        for page in sorted(folder.iterdir()):
            require(page.read_text().count(".TH ") == 1, page.name)
