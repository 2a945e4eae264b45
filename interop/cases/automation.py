"""Programs that look after torrents by themselves drive a node, unmodified, each by client code of its own for qBittorrent or Transmission:
autoremove-torrents removes what has done its part, autotorrent2 adds what is on the disk already, as programs for cross-seeding do."""
import json
import re
import subprocess
import sys
from pathlib import Path

from cases.transmission_rpc import MIB, Tracker, album, seeded, token
from harness import require, require_same, suite, wait

SLOW = 4 << 10      # bytes a second of each torrent
PROGRAMS = Path(sys.executable).parent      # of the packages of PyPI


def run(t, program, *arguments, ok=True):
    """-> what it said"""
    done = subprocess.run([PROGRAMS / program, *map(str, arguments)], env=t.environment(), cwd=t.sub("home"), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    require(done.returncode == 0 or not ok, f"{program} {arguments}: {done.returncode} {said}")
    return said


def names(ours):
    return sorted(it["name"] for it in ours.list())


def told(said):
    """-> the names that autoremove-torrents tells as to be deleted."""
    return sorted(re.findall(r"strategy INFO: (.+)\n\tProgress:", said))


def rules(ours, client, strategy, password=None):
    """A task of autoremove-torrents. JSON is YAML as well."""
    return {"it": {"client": client, "host": f"http://127.0.0.1:{ours.api}", "username": "anybody", "password": password or token(ours),
                   "strategies": {"one": strategy}, "delete_data": client == "qbittorrent"}}


@suite("autoremove-torrents", limit=180)
def _(t):
    seeder, ours = t.start("libtorrent"), t.start("compeer")
    here, settings = t.sub("here"), t.folder / "config.json"
    with Tracker(seeder) as tracker:
        torrents = {name: seeded(t, seeder, album(t, name, [MIB, 50_000]), tracker.url) for name in ("seen", "to see", "old", "dear")}
        # some minutes each: none of them is here while one looks
        seeder.limit(SLOW)
        fetched = {name: torrents[name] for name in ("seen", "to see")}

        def clean(client, strategy, *options, password=None):
            settings.write_text(json.dumps(rules(ours, client, strategy, password)))
            return run(t, "autoremove-torrents", f"--conf={settings}", f"--log={t.sub('home')}", *options)

        ours.add([torrents["old"].path, torrents["dear"].path], t.folder / "source")
        ours.add([it.path for it in fetched.values()], here)
        for name in ("old", "dear"):
            ours.wait_done(torrents[name].id, 60)
        for name, category, label in (("old", "films", "kept"), ("dear", "music", "kept"), ("seen", "series", "done"), ("to see", "series", "new")):
            ours.call("PATCH", f"torrents/{torrents[name].id}", {"category": category, "labels": {"add": [label]}})

        for client, version in (("qbittorrent", "qBittorrent v5"), ("transmission", "Transmission 4.1")):
            with t.case(f"as {client}: a wrong password opens nothing"):
                said = clean(client, {"remove": "ratio < 9"}, password="wrong")
                require("fails" in said and version not in said and len(names(ours)) == 4, said)
            with t.case(f"as {client}: it tells who would go by state, and nobody does"):
                said = clean(client, {"status": ["Uploading"], "remove": "ratio < 9"}, "--view")
                require(version in said and "4 torrent(s)" in said, said)
                require(told(said) == ["dear", "old"] and names(ours) == ["dear", "old", "seen", "to see"], said)
        seeder.limit(0)
        with t.case("the others are fetched as well"):
            for torrent in fetched.values():
                ours.wait_done(torrent.id, 60)
        with t.case("as qbittorrent: the torrents of a category go, with their data"):
            said = clean("qbittorrent", {"categories": ["films"], "remove": "ratio < 9"})
            wait("it is gone", lambda: names(ours) == ["dear", "seen", "to see"])
            wait("its data is gone", lambda: not (t.folder / "source" / "old").exists())
            require(told(said) == ["old"] and "The torrent old and its data have been removed." in said, said)
        with t.case("as transmission: the torrents with a label go, without their data"):
            said = clean("transmission", {"categories": ["done"], "remove": "ratio < 9"})
            wait("it is gone", lambda: names(ours) == ["dear", "to see"])
            require(told(said) == ["seen"] and "The torrent seen has been removed." in said, said)
            require_same(t.folder / "source" / "seen", here / "seen")


@suite("autotorrent2", limit=180)
def _(t):
    seeder, ours = t.start("libtorrent"), t.start("compeer")
    settings = t.folder / "config.toml"
    doors = {"qbittorrent": f"http://127.0.0.1:{ours.api}/", "transmission": f"http://127.0.0.1:{ours.api}/transmission/rpc"}
    lines = ["[autotorrent]", f'database_path = "{t.folder}/autotorrent.db"', 'link_type = "hard"', f'paths = ["{t.folder}/source"]',
             f'store_path = "{t.folder}/store/{{client}}/{{torrent_name}}"', "[clients]"]
    for name, url in doors.items():
        lines += [f"[clients.{name}]", f'client_type = "{name}"', f'url = "{url}"', 'username = "anybody"', f'password = "{token(ours)}"']
    settings.write_text("\n".join(lines) + "\n")
    at2 = lambda *arguments: run(t, "at2", "--config", settings, *arguments)
    with Tracker(seeder) as tracker:
        # it finds files by their sizes
        torrents = {door: seeded(t, seeder, album(t, f"for {door}", [MIB + more, 50_000 + more]), tracker.url) for door, more in (("qbittorrent", 0), ("transmission", 1000))}
        with t.case("it logs in at both doors, and reads what is on the disk"):
            said = at2("test-connection")
            require([line.split() for line in said.splitlines()] == [["OK", "qbittorrent"], ["OK", "transmission"]], said)
            require("Done scanning" in at2("scan"), "not scanned")
        seeder.stop()
        for door, torrent in torrents.items():
            with t.case(f"as {door}: what is on the disk is added, complete, from links in a folder of its own"):
                said = at2("add", door, torrent.path)
                require("[Added]" in said, said)
                ours.wait_done(torrent.id, 60)
                it = ours.call("GET", f"torrents/{torrent.id}")
                require(it["folder"].startswith(f"{t.folder}/store/{door}/") and it["downloaded_bytes"] == 0, f"{it}")
                require_same(t.folder / "source" / f"for {door}", Path(it["path"]))
            with t.case(f"as {door}: it is not added twice"):
                said = at2("add", door, torrent.path)
                require("is already seeded" in said and len(ours.list()) == 1 + list(torrents).index(door), said)
        with t.case("it learns from both doors what is seeded"):
            at2("scan-clients")
            for torrent in torrents.values():
                said = at2("ls", ours.call("GET", f"torrents/{torrent.id}")["folder"])
                require("[100%]" in said, said)
