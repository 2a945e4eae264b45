"""What README.md promises a new user: share in one terminal, get in another; with a daemon, and without."""
import http.server
import json
import os
import threading
import time

import payloads
from commands import Running
from drivers import free_port
from harness import require, require_same, suite
from torrents import make


def share(t, path, *options, home):
    return Running(t, "share", path, "--local", "--listen", f"127.0.0.1:{free_port()}", *options, home=home)


@suite("share and get, two homes", limit=300)
def _(t):
    source = t.sub("source")
    folder, film = payloads.small_files(source), payloads.one_file(source)
    alice, bob = t.sub("alice"), t.sub("bob")
    with t.case("a folder arrives byte for byte, and get ends with 0"):
        with share(t, folder, home=alice) as sharing:
            done = t.compeer("get", sharing.link(), "--output", t.sub("got"), "--listen", "127.0.0.2:0", home=bob)
            require_same(folder, t.folder / "got" / folder.name)
            require(str(t.folder / "got" / folder.name) in done.stdout + done.stderr, "get does not say where it put the files")
            code = sharing.interrupt()
            require(code in (0, 130), f"share ended with {code} on Ctrl-C")
    with t.case("the link and nothing else is on stdout"):
        with share(t, film, home=alice) as sharing:
            link = sharing.link()
            require([line for line in sharing.lines if line.strip()] == [link + "\n"], f"stdout has {sharing.lines}")
    with t.case("a .torrent file will do as well"):
        torrent = make("compeer", film, t.folder / "film.torrent", payloads.PIECE)
        with share(t, film, "--piece-length", "64K", home=alice) as sharing:
            link = sharing.link()
            peer = link.split("x.pe=")[1].split("&")[0].replace("%3A", ":")
            t.compeer("get", torrent.path, "--peer", peer, "--output", t.sub("by file"), "--listen", "127.0.0.2:0", home=t.sub("carol"))
            require_same(film, t.folder / "by file" / film.name)
    with t.case("so will the URL of one"):
        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Quiet(*a, directory=t.folder))
        threading.Thread(target=web.serve_forever, daemon=True).start()
        with share(t, film, "--piece-length", "64K", home=alice) as sharing:
            peer = sharing.link().split("x.pe=")[1].split("&")[0].replace("%3A", ":")
            url = f"http://127.0.0.1:{web.server_port}/film.torrent"
            t.compeer("get", url, "--peer", peer, "--output", t.sub("by url"), "--listen", "127.0.0.2:0", home=t.sub("dave"))
            require_same(film, t.folder / "by url" / film.name)
        web.shutdown()
    with t.case("a foreign client takes the printed link"):
        with share(t, folder, home=alice) as sharing:
            stranger = t.start("libtorrent")
            stranger.add_magnet(sharing.link(), t.sub("stranger"))
            stranger.wait_complete(60)
            require_same(folder, t.folder / "stranger" / folder.name)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@suite("share and get, one home", limit=240)
def _(t):
    folder, home = payloads.unicode_names(t.sub("source")), t.sub("home")
    with t.case("get finds the sharing process and copies"):
        with share(t, folder, home=home) as sharing:
            t.compeer("get", sharing.link(), "--output", t.sub("got"), home=home)
            require_same(folder, t.folder / "got" / folder.name)
            require(sharing.proc.poll() is None, "the share ended with the get")
    with t.case("and once more after a new start"):
        with share(t, folder, home=home) as sharing:
            t.compeer("get", sharing.link(), "--output", t.sub("again"), home=home)
            require_same(folder, t.folder / "again" / folder.name)


@suite("get goes on after Ctrl-C", limit=240)
def _(t):
    film = payloads.one_file(t.sub("source"))
    torrent = make("libtorrent", film, t.folder / "film.torrent", payloads.PIECE)
    seeder, home, got = t.start("libtorrent"), t.sub("home"), t.sub("got")
    seeder.add([torrent.path], film.parent, seed=True)
    # at the seeder, so that nothing waits in sockets that would count as sent
    seeder.limit(600_000)
    words = ["get", torrent.magnet(seeder.ip, seeder.port), "--output", got, "--listen", "127.0.0.9:0"]
    with t.case("it stops cleanly, with a code that is not 0"):
        with Running(t, *words, home=home) as getting:
            end = time.monotonic() + 60
            while seeder.torrents()[torrent.id]["sent"] < 1_000_000:
                require(time.monotonic() < end and getting.proc.poll() is None, f"no megabyte after 60 s: {getting.errors()[-300:]}")
                time.sleep(0.1)
            code = getting.interrupt()
            require(code not in (0, None) and code > 0, f"it ended with {code}")
            require("panicked" not in getting.errors(), getting.errors()[-600:])
    with t.case("the next run goes on where it was"):
        seeder.limit(0)
        t.compeer(*words, home=home)
        require_same(film, got / film.name)
        again = seeder.torrents()[torrent.id]["sent"] - film.stat().st_size
        require(again <= 6 * payloads.PIECE, f"{again} bytes were fetched again")


@suite("a daemon and its clients", limit=300)
def _(t):
    source, got = t.sub("source"), t.sub("got")
    folder = payloads.by_magnet(source)
    node, home = t.start("compeer"), None
    home = node.home
    with t.case("share hands the work to it"):
        with Running(t, "share", folder, "--local", home=home) as sharing:
            link = sharing.link()
            require(len(node.torrents()) == 1, f"the node has {len(node.torrents())} torrents")
            t.compeer("get", link, "--output", got, "--listen", "127.0.0.8:0", home=t.sub("bob"))
            require_same(folder, got / folder.name)
    with t.case("add, list, info, files, peers, limit, pause, resume, recheck"):
        torrent = make("libtorrent", folder, t.folder / "x.torrent", payloads.PIECE)
        other = t.start("compeer")
        t.compeer("add", torrent.path, "--output", source, home=other.home)
        other.wait_done(torrent.id, 60)
        listed = json.loads(t.compeer("list", "--json", home=other.home).stdout)
        require(any(entry["id"] == torrent.id for entry in (listed if isinstance(listed, list) else listed["torrents"])), f"list --json says {listed}")
        for words in (["list"], ["info"], ["info", torrent.id], ["files", torrent.id], ["peers", torrent.id], ["limit", torrent.id, "--up", "1M"],
                      ["limit"], ["pause", torrent.id], ["resume", torrent.id], ["recheck", torrent.id]):
            t.compeer(*words, home=other.home)
            json.loads(t.compeer(*words, "--json", home=other.home).stdout or "null")
        other.wait_done(torrent.id, 60)
    with t.case("remove leaves the files, remove --with-data does not"):
        t.compeer("remove", torrent.id, home=other.home)
        require((folder / "a.bin").exists(), "remove deleted the files")
        node.add([torrent.path], source, seed=True)
        node.wait_done(torrent.id, 60)
        copy = t.sub("copy")
        t.compeer("add", torrent.path, "--output", copy, "--peer", f"{node.ip}:{node.port}", home=other.home)
        other.wait_done(torrent.id, 60)
        t.compeer("remove", torrent.id, "--with-data", home=other.home)
        end = time.monotonic() + 60
        while (copy / folder.name).exists() and time.monotonic() < end:
            time.sleep(0.1)
        require(not (copy / folder.name).exists(), "the files are still there")
    with t.case("a second node in the same home is refused"):
        done = t.compeer("up", home=home, ok=False, timeout=60)
        require(done.returncode not in (0, None) and "panicked" not in done.stderr, f"ended with {done.returncode}: {done.stderr[-300:]}")
    with t.case("only its user can read the token"):
        require(os.stat(home / "token").st_mode & 0o077 == 0, "others can read the token")


@suite("torrent create, show, verify, edit", limit=180)
def _(t):
    folder = payloads.unicode_names(t.sub("source"))
    out = t.folder / "x.torrent"
    with t.case("what is created verifies, and what is damaged does not"):
        t.compeer("torrent", "create", folder, "--output", out, "--hybrid", "--tracker", "http://127.0.0.1:1/announce")
        t.compeer("torrent", "verify", out, folder)
        victim = next(path for path in folder.rglob("*") if path.is_file())
        data = bytearray(victim.read_bytes())
        data[len(data) // 2] ^= 1
        victim.write_bytes(data)
        done = t.compeer("torrent", "verify", out, folder, ok=False)
        require(done.returncode == 1 and victim.name in done.stdout + done.stderr, f"{done.returncode}: {done.stdout}{done.stderr}"[-400:])
    with t.case("edit changes trackers and leaves the info-hash"):
        before = json.loads(t.compeer("torrent", "show", out, "--json").stdout)
        t.compeer("torrent", "edit", out, "--tracker", "http://127.0.0.1:2/announce", "--comment", "new")
        after = json.loads(t.compeer("torrent", "show", out, "--json").stdout)
        require(before["info_hash_v1"] == after["info_hash_v1"] and after["comment"] == "new", f"{after}"[:300])
