"""Bad input and bad luck: one clear sentence, a code that is not 0, no panic, nothing hangs (Evidence 6)."""
import http.server
import os
import random
import socket
import subprocess
import threading
import time

import payloads
from drivers import free_port
from harness import require, suite
from torrents import make


def refused(t, *words, says=(), timeout=60, home=None):
    """The command fails with one sentence that has all these words."""
    done = t.compeer(*words, ok=False, timeout=timeout, home=home)
    text = done.stderr.strip()
    require("panicked" not in text, text[-600:])
    require(done.returncode in (1, 2), f"it ended with {done.returncode}: {text[-300:]}")
    last = text.splitlines()[-1] if text else ""
    require(text, "it says nothing")
    require(len(text.splitlines()) <= 4, f"{len(text.splitlines())} lines instead of one sentence: {text[:600]}")
    for word in says:
        require(word.lower() in text.lower(), f"`{word}` is not in: {last}")


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = self.path == "/page"
        self.send_response(200 if good else 404)
        self.end_headers()
        self.wfile.write(b"<html>no torrent</html>")

    def log_message(self, *_):
        pass


@suite("bad input", limit=360)
def _(t):
    source, got = t.sub("source"), t.sub("got")
    film = payloads.one_file(source)
    torrent = make("libtorrent", film, t.folder / "film.torrent", payloads.PIECE)
    data = torrent.path.read_bytes()

    def file(name, content):
        (t.folder / name).write_bytes(content)
        return t.folder / name

    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{web.server_port}"
    (t.folder / "a file").write_text("x")
    get = ["get", "--listen", "127.0.0.1:0", "--output", got]
    table = {
        "no such .torrent file": ([*get, t.folder / "none.torrent"], ["none.torrent"]),
        "random bytes": ([*get, file("random.torrent", random.Random(1).randbytes(5000))], ["random.torrent"]),
        "an empty file": ([*get, file("empty.torrent", b"")], ["empty.torrent"]),
        "a .torrent that was cut off": ([*get, file("cut.torrent", data[:len(data) // 2])], ["cut.torrent"]),
        "bytes behind its end": ([*get, file("tail.torrent", data + b"x")], ["tail.torrent"]),
        "lists inside lists without an end": (["torrent", "show", file("deep.torrent", b"l" * 100_000)], ["deep.torrent"]),
        "a magnet with a bad info-hash": ([*get, "magnet:?xt=urn:btih:zzz"], ["magnet"]),
        "a magnet without one": ([*get, "magnet:?dn=film"], ["magnet"]),
        "something that is no link": ([*get, "what is this"], ["what is this"]),
        "a web server that is not there": ([*get, f"http://127.0.0.1:{free_port()}/x.torrent"], ["127.0.0.1"]),
        "a web page instead of a torrent": ([*get, f"{url}/page"], ["/page"]),
        "404": ([*get, f"{url}/none"], ["404"]),
        "sharing what is not there": (["share", t.folder / "nothing", "--listen", "127.0.0.1:0"], ["nothing"]),
        "sharing an empty folder": (["share", t.sub("an empty folder"), "--listen", "127.0.0.1:0"], ["an empty folder"]),
        "creating a torrent where no folder is": (["torrent", "create", film, "--output", t.folder / "no/such/x.torrent"], ["no/such"]),
        "an output that is a file": (["get", "--listen", "127.0.0.1:0", "--output", t.folder / "a file", torrent.path], ["a file"]),
        "no peers": ([*get, torrent.magnet(), "--no-tracker", "--wait", "2s"], ["peer"]),
        "a peer that is not there": ([*get, torrent.path, "--peer", f"127.0.0.1:{free_port()}", "--wait", "2s"], ["peer"]),
        "list without a node": (["list"], ["compeer up"]),
    }
    for number, (name, (words, says)) in enumerate(table.items()):
        with t.case(name):
            refused(t, *words, says=says, home=t.sub("homes", str(number)))
    with t.case("an option that does not exist"):
        done = t.compeer("get", "--nonsense", torrent.path, ok=False)
        require(done.returncode == 2 and "--nonsense" in done.stderr, f"{done.returncode}: {done.stderr[-300:]}")
    with t.case("a tracker that does not answer"):
        tracked = make("libtorrent", film, t.folder / "tracked.torrent", payloads.PIECE, tracker=f"http://127.0.0.1:{free_port()}/announce")
        refused(t, *get, tracked.path, "--wait", "3s", says=["peer"], home=t.sub("homes", "tracker"))
    with t.case("a port that is taken"):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            taken = s.getsockname()[1]
            refused(t, "up", "--listen", f"127.0.0.1:{taken}", says=[str(taken)], home=t.sub("homes", "taken"))
    with t.case("a setting that does not exist"):
        home = t.sub("homes", "settings")
        (home / "config.toml").write_text("no_such_setting = 1\n")
        refused(t, "up", "--listen", "127.0.0.1:0", says=["config.toml", "no_such_setting"], home=home)
    with t.case("a home that cannot be made"):
        refused(t, "up", "--listen", "127.0.0.1:0", says=["a file"], home=t.folder / "a file" / "home")
    web.shutdown()


@suite("a full disk", limit=180)
def _(t):
    film = payloads.one_file(t.sub("source"))
    torrent = make("libtorrent", film, t.folder / "film.torrent", payloads.PIECE)
    small = t.sub("small disk")
    # in the mount namespace that xtask made: it is gone with us
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=True)
    try:
        seeder, node = t.start("libtorrent"), t.start("compeer")
        seeder.add([torrent.path], film.parent, seed=True)
        node.add([torrent.path], small)
        node.add_peer(seeder.ip, seeder.port)

        def entry():
            return next(e for e in node.list() if e["id"] == torrent.id)

        with t.case("the torrent stops and says why"):
            end = time.monotonic() + 60
            while not entry()["error"]:
                require(time.monotonic() < end, f"no error after 60 s: {entry()['state']}")
                time.sleep(0.1)
            require("space" in entry()["error"].lower() or "full" in entry()["error"].lower(), entry()["error"])
        with t.case("and goes on when there is room"):
            subprocess.run(["mount", "-o", "remount,size=16m", str(small)], check=True)
            if entry()["state"] == "paused":
                node.call("POST", f"torrents/{torrent.id}/resume")
            node.wait_done(torrent.id, 60)
            require((small / film.name).read_bytes() == film.read_bytes(), "the bytes differ")
    finally:
        t.close()
        subprocess.run(["umount", str(small)], check=False)


@suite("what cannot travel", limit=180)
def _(t):
    folder = t.sub("source", "mixed")
    (folder / "plain.txt").write_text("plain")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "a pipe")
    (folder / "nothing in here").mkdir()
    from commands import Running
    with Running(t, "share", folder, "--local", "--listen", f"127.0.0.1:{free_port()}", home=t.sub("alice")) as sharing:
        with t.case("it is named"):
            sharing.link()
            for name in ("dangling", "a pipe"):
                require(name in sharing.errors(), f"`{name}` is not in: {sharing.errors()[-400:]}")
        with t.case("the rest arrives, the executable bit with it"):
            t.compeer("get", sharing.link(), "--output", t.sub("got"), "--listen", "127.0.0.2:0", home=t.sub("bob"))
            require((t.folder / "got/mixed/plain.txt").read_text() == "plain", "plain.txt differs")
            require(os.access(t.folder / "got/mixed/run.sh", os.X_OK), "run.sh is no longer executable")
