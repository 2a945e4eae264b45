"""Feeds that PyPI's feedgenerator writes and Python's web server serves, of torrents that libtorrent seeds."""
import http.server
import os
import threading
import time

import feedgenerator
from cases.controls import shared
from harness import require, require_same, still, suite, wait

MIB = 1 << 20


class Served(http.server.SimpleHTTPRequestHandler):
    """Python's file server, which answers 304 to who has the newest version."""
    answered = []

    def log_message(self, *_):
        pass

    def send_response(self, code, *more):
        Served.answered.append((self.path, int(code)))
        super().send_response(code, *more)


def write(path, entries, kind=feedgenerator.Rss201rev2Feed):
    """A feed of (title, link, what goes along)."""
    feed = kind(title="All that is new", link="http://127.0.0.1/", description="of today", feed_url="http://127.0.0.1/feed")
    for title, link, enclosure in entries:
        enclosures = [feedgenerator.Enclosure(enclosure, "1000", "application/x-bittorrent")] if enclosure else []
        feed.add_item(title=title, link=link, description=f"<b>{title}</b>", unique_id=f"urn:{title}", enclosures=enclosures)
    new = path.with_suffix(".new")
    with open(new, "w", encoding="utf-8") as file:
        feed.write(file, "utf-8")
    # the web server goes by whole seconds
    stamp = max(time.time(), path.stat().st_mtime + 1 if path.exists() else 0)
    os.utime(new, (stamp, stamp))
    os.replace(new, path)


@suite("feeds", limit=300)
def _(t):
    www, got = t.sub("www"), t.sub("got")
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Served(*a, directory=www))
    threading.Thread(target=web.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{web.server_port}"
    # what goes wrong is told in the log alone
    os.environ["COMPEER_LOG"] = "warn"
    seed, ours = t.start("libtorrent"), t.client("compeer")
    ours.prepare = lambda: (ours.home / "config.toml").write_text(
        f'download_folder = "{t.sub("all")}"\n'
        f'[[feeds]]\nurl = "{at}/rss.xml"\nmatch = "show*1080p"\nnot = "cam"\nfolder = "{got}"\nlabels = ["new"]\n'
        f'[[feeds]]\nurl = "{at}/atom.xml"\n[[feeds]]\nurl = "{at}/broken.xml"\n')
    shows = [shared(t, seed, f"Some.Show.S01E0{n}.1080p.mkv", MIB) for n in range(3)]
    song = shared(t, seed, "a song & <more>.flac", MIB)
    for torrent in shows:
        (www / torrent.path.name).write_bytes(torrent.path.read_bytes())
    entry = [(show.info.name(), f"{at}/about.html", f"{at}/{show.path.name}") for show in shows]
    unwanted = ("Some.Show.S01E09.1080p.CAM", f"{at}/about.html", f"{at}/cam.torrent")
    write(www / "rss.xml", [unwanted, entry[0], ("Another film", f"{at}/film.torrent", None)])
    write(www / "atom.xml", [("a song & <more>", song.magnet(seed.ip, seed.port), None)], feedgenerator.Atom1Feed)
    (www / "broken.xml").write_text("<rss><channel><item></rss>")
    ours.start()
    with t.case("an entry of RSS whose title is wanted is fetched and downloaded, with its folder and label, and no other"):
        wait("it is there", lambda: shows[0].id in ours.torrents())
        ours.add_peer(seed.ip, seed.port, shows[0].id)
        ours.wait_done(shows[0].id, 60)
        require_same(t.folder / "source" / shows[0].info.name(), got / shows[0].info.name())
        torrent = next(torrent for torrent in ours.list() if torrent["id"] == shows[0].id)
        require(torrent["labels"] == ["new"], f"{torrent}")
        paths = {path for path, _ in Served.answered}
        require(not paths & {"/cam.torrent", "/film.torrent", "/about.html"}, f"{paths}")
    with t.case("a magnet link in Atom is downloaded"):
        ours.wait_done(song.id, 60)
        require_same(t.folder / "source" / song.info.name(), t.folder / "all" / song.info.name())
    with t.case("a feed that is none is told once, in the log and by compeer feeds, and the others go on"):
        wait("it is told", lambda: "XML is wrong" in (ours.call("GET", "feeds")[2]["error"] or ""))
        feeds = ours.call("GET", "feeds")
        require([feed["added"] for feed in feeds] == [1, 1, 0] and not feeds[0]["error"] and not feeds[1]["error"], f"{feeds}")
        ours.call("POST", "feeds/poll")
        lines = still(lambda: [line for line in (ours.home / "log.txt").read_text().splitlines() if "feed" in line], 1)
        require(len(lines) == 1 and "XML is wrong" in lines[0], f"{lines}")
        said = t.compeer("feeds", home=ours.home).stdout
        require("XML is wrong" in said and f"{at}/atom.xml" in said and "show*1080p; not cam" in said, said)
        require(("/rss.xml", 304) in Served.answered, f"{Served.answered}")
    with t.case("what comes into a feed is fetched when it is asked now"):
        write(www / "rss.xml", [entry[1], entry[0]])
        said = t.compeer("feeds", "--now", "--json", home=ours.home).stdout
        require('"added": 2' in said and shows[1].id in ours.torrents(), said)
    with t.case("after a restart nothing is added again, also what was removed, and what is new comes"):
        ours.call("DELETE", f"torrents/{shows[1].id}")
        ours.stop()
        write(www / "rss.xml", [entry[2], entry[1], entry[0]])
        ours.start(keep_home=True)
        wait("the new one is there", lambda: shows[2].id in ours.torrents())
        ours.call("POST", "feeds/poll")
        require(set(ours.torrents()) == {shows[0].id, shows[2].id, song.id}, f"{ours.list()}")
        require([feed["added"] for feed in ours.call("GET", "feeds")] == [3, 1, 0], f"{ours.call('GET', 'feeds')}")
        fetched = [path for path, code in Served.answered if path.endswith(f"{shows[1].path.name}")]
        require(len(fetched) == 1, f"{fetched}")
    with t.case("a torrent file that is not there yet is tried again"):
        missing = shared(t, seed, "Some.Show.S02E00.1080p.mkv", MIB)
        write(www / "rss.xml", [(missing.info.name(), f"{at}/about.html", f"{at}/{missing.path.name}")])
        feeds = ours.call("POST", "feeds/poll")
        require("404" in feeds[0]["error"] and missing.id not in ours.torrents(), f"{feeds}")
        (www / missing.path.name).write_bytes(missing.path.read_bytes())
        feeds = ours.call("POST", "feeds/poll")
        require(feeds[0]["error"] is None and missing.id in ours.torrents(), f"{feeds}")
    web.shutdown()
