"""Shares that change (BEP 46): ours read by npm's bittorrent-dht, its items followed by ours, and ours by ours."""
import contextlib
import json
import random
import shutil

import drivers
from cases.trackers import Program
from commands import Running
from harness import HERE, Failed, require, require_same, suite, wait
from network import hosts
from torrents import make

PORT = 20000
LARGE = 3_000_000       # of a file that stays as it is


def dht_node(t, host, *bootstrap):
    node = Program(t, host, "node", HERE / "npm_updates.mjs", drivers.NPM, PORT, *bootstrap)
    node.wait("ready")
    return node


def get(node, key, salt=None):
    """One look-up by npm's node; -> the item or None."""
    node.tell(json.dumps({"get": {"key": key, "salt": salt}}))
    found = node.wait("get")
    return found if "seq" in found else None


def home(t, name):
    """A home that looks for new versions every second."""
    folder = t.sub("home", name)
    (folder / "config.toml").write_text("[updates]\ninterval_s = 1\n")
    return folder


def is_same(expected, got):
    """Whether the two have the same files with the same bytes by now."""
    try:
        require_same(expected, got)
    except (Failed, OSError):
        return False
    return True


def links(running):
    """The two links that `share --updates` prints."""
    first = running.link()
    second = wait("the new version's link", lambda: [line.strip() for line in list(running.lines) if line.startswith("magnet:?xs=")])
    return first.split("btih:")[1][:40], second[0]


@suite("shares that change", limit=240)
def _(t):
    theirs, one, two, three = hosts(4)
    entry = f"{theirs.ip}:{PORT}"
    network = ["--without", "lsd,mapping", "--bootstrap", entry]
    source = t.sub("source", "diary")
    (source / "large.bin").write_bytes(random.Random(1).randbytes(LARGE))
    (source / "today.txt").write_text("Monday")
    with dht_node(t, theirs) as npm, contextlib.ExitStack() as stack:
        publisher = home(t, "publisher")
        with Running(t, "share", source, "--updates", *network, home=publisher, on=one) as share:
            first, link = links(share)
            key = link.split("btpk:")[1][:64]
            with t.case("npm finds the first version of ours"):
                item = wait("npm finds it", lambda: get(npm, key))
                require(item == {"seq": 1, "ih": first}, f"{item}, not {first}")
            with t.case("get follows the link to it, and ends"):
                t.compeer("get", link, "--output", t.sub("once"), *network, home=home(t, "once"), on=two)
                require_same(source, t.folder / "once" / "diary")
            follower = stack.enter_context(Running(t, "get", link, "--seed", "--output", t.sub("followed"), *network, home=home(t, "follower"), on=two))
            daemon = t.client("compeer", on=three, without="lsd,mapping", bootstrap=entry)
            daemon.prepare = lambda: (daemon.home / "config.toml").write_text("[updates]\ninterval_s = 1\n")
            daemon.start()
            with t.case("a running node follows it for another command"):
                t.compeer("get", link, "--output", t.sub("kept"), home=daemon.home, on=three)
                require_same(source, t.folder / "kept" / "diary")
                wait("it is here", lambda: is_same(source, t.folder / "followed" / "diary"))
                daemon.call("PATCH", f"torrents/{first}", {"labels": {"add": ["mine"]}, "category": "diaries"})
            share.interrupt()
        (source / "today.txt").write_text("Tuesday, and more of it")
        (source / "new.txt").write_text("news")
        with Running(t, "share", source, "--updates", *network, home=publisher, on=one) as share:
            second, again = links(share)
            with t.case("npm finds the second version under the same key"):
                require(second != first and again.split("&")[0] == link.split("&")[0], f"{second} {again}")
                item = wait("npm finds the second", lambda: (found := get(npm, key)) and found["seq"] == 2 and found)
                require(item["ih"] == second, f"{item}, not {second}")
            for name in ("kept", "followed"):
                with t.case(f"who follows it has it too ({name})"):
                    wait("the new file is here", lambda: (t.folder / name / "diary" / "new.txt").exists())
                    wait("all of it is here", lambda: is_same(source, t.folder / name / "diary"))
                    require_same(source, t.folder / name / "diary")
            with t.case("it is sorted as the version before"):
                wait("the second has taken the place of the first", lambda: [(it["id"], it["labels"], it["category"]) for it in daemon.list()] == [(second, ["mine"], "diaries")])
                require(daemon.call("GET", "labels") == [{"name": "mine", "torrents": 1}], "the version before is remembered")
            with t.case("what had not changed was not fetched again"):
                torrents = {t["id"]: t for t in daemon.list()}
                require(list(torrents) == [second], f"{list(torrents)}")
                require(torrents[second]["downloaded_bytes"] < LARGE // 2, f"{torrents[second]['downloaded_bytes']} bytes")
            with t.case("Ctrl-C ends the one that seeds"):
                require(follower.interrupt() == 0, follower.errors())
            share.interrupt()


@suite("changing shares of others", limit=180)
def _(t):
    theirs, one, two, three = hosts(4)
    entry = f"{theirs.ip}:{PORT}"
    seed = t.start("libtorrent", on=one)
    versions = []
    for number in (1, 2, 3):
        path = t.sub("source", str(number)) / "news.bin"
        path.write_bytes(random.Random(number).randbytes(200_000))
        torrent = make("libtorrent", path, t.folder / f"{number}.torrent", 32 * 1024)
        seed.add([torrent.path], path.parent, seed=True)
        versions.append((path, torrent))
    daemon = t.client("compeer", on=two, without="lsd,mapping", bootstrap=entry)
    daemon.prepare = lambda: (daemon.home / "config.toml").write_text("[updates]\ninterval_s = 1\n")
    daemon.start()
    with dht_node(t, theirs), dht_node(t, three, entry) as npm:
        wait("the DHT is entered", lambda: daemon.call("GET", "dht")["ready"])

        def put(number):
            npm.tell(json.dumps({"put": {"seed": "07" * 32, "seq": number, "ih": versions[number - 1][1].id, "salt": "news"}}))
            done = npm.wait("put")
            require(done["nodes"] > 0, f"{done}")
            return done["key"]

        with t.case("an item that npm put leads to libtorrent's torrent"):
            key = put(1)
            link = f"magnet:?xs=urn:btpk:{key}&s={b'news'.hex()}&x.pe={seed.ip}:{seed.port}"
            t.compeer("get", link, "--output", t.sub("got"), home=daemon.home, on=two)
            require_same(versions[0][0], t.folder / "got" / "news.bin")
        with t.case("and the next one to the next"):
            put(2)
            wait("the new version is complete", lambda: versions[1][1].id in daemon.torrents() and daemon.torrents()[versions[1][1].id]["done"])
            wait("the file is the new one", lambda: (t.folder / "got" / "news.bin").exists()
                       and (t.folder / "got" / "news.bin").read_bytes() == versions[1][0].read_bytes())
            wait("the first is gone", lambda: list(daemon.torrents()) == [versions[1][1].id])
            hidden = [p.name for p in (t.folder / "got").iterdir() if p.name.startswith(".")]
            require(not hidden, f"{hidden} is left")
        with t.case("one that is here for its own sake stays where it is"):
            path, torrent = versions[2]
            shutil.copy(path, t.sub("own"))
            daemon.add([torrent.path], t.folder / "own", seed=True)
            wait("it is complete", lambda: daemon.torrents()[torrent.id]["done"])
            put(3)
            wait("it is said to be here", lambda: "is here already" in json.dumps(daemon.call("GET", "updates")))
            require_same(path, t.folder / "own" / "news.bin")
            require_same(versions[1][0], t.folder / "got" / "news.bin")
