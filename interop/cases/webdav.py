"""The finished files as a folder that other programs open: Debian's cadaver and curl read it by WebDAV, and change nothing."""
import contextlib
import http.client
import re
import subprocess
import time
import urllib.parse
import xml.etree.ElementTree

import payloads
from cases.doors import ESCAPES, SECRET, Door, looked_at
from cases.transmission_rpc import album, seeded, token, Tracker
from drivers import free_port
from harness import require, require_same, suite, wait

MIB = 1 << 20
SLOW = 64 * 1024       # bytes a second from the seeder: what is fetched is not whole while it is looked at
PASSWORD = "correct horse battery staple"
WORDS = "<?xml version='1.0'?><D:propfind xmlns:D='DAV:'><D:allprop/></D:propfind>"


class Cadaver:
    """Debian's cadaver, as a person types at it: each call is a session of its own."""

    def __init__(self, t, client):
        self.home, self.url = t.sub("cadaver"), f"http://127.0.0.1:{client.api}/dav/"
        (self.home / ".netrc").write_text(f"machine 127.0.0.1 login anybody password {token(client)}\n")

    def __call__(self, *lines):
        """-> what it prints."""
        done = subprocess.run(["cadaver", self.url], input="\n".join([*lines, "quit", ""]), env={"HOME": str(self.home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
                              cwd=self.home, capture_output=True, text=True, timeout=60)
        require(done.returncode == 0, f"cadaver {lines}: {done.returncode} {done.stdout} {done.stderr}")
        return done.stdout

    def names(self, folder=""):
        """The names in a folder, those of folders with a slash."""
        said = self(*([f'cd "{folder}"'] if folder else []), "ls")
        lines = re.findall(r"^(Coll:|     ) +(.+?) +(\d+) +\w{3} +\d+ +[\d:]+$", said, re.M)
        return {name + ("/" if kind == "Coll:" else ""): int(size) for kind, name, size in lines}


def curl(url, *arguments):
    """-> the status, the headers by name, the body."""
    out = subprocess.run(["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "--include", "--path-as-is", *arguments, url], capture_output=True, timeout=90)
    require(out.returncode == 0, f"curl {url} {arguments}: {out.returncode} {out.stderr}")
    head, _, body = out.stdout.partition(b"\r\n\r\n")
    first, *lines = head.decode().splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, body


def told(url, *arguments, depth="1"):
    """What PROPFIND tells: {address: {property: text}}."""
    status, headers, body = curl(url, "--request", "PROPFIND", "--header", f"Depth: {depth}", "--data", WORDS, *arguments)
    require(status == 207 and headers["content-type"].startswith("application/xml"), f"{status} {headers} {body[:300]}")
    found = {}
    for response in xml.etree.ElementTree.fromstring(body):
        properties = response.find("{DAV:}propstat/{DAV:}prop")
        found[response.findtext("{DAV:}href")] = {it.tag.removeprefix("{DAV:}"): it.text if not len(it) else it[0].tag for it in properties}
    return found


@suite("WebDAV: finished files", limit=240)
def _(t):
    seeder, ours = t.start("libtorrent"), t.start("compeer")
    dav, root = Cadaver(t, ours), f"http://127.0.0.1:{ours.api}/dav/"
    us = ("--user", f"anybody:{token(ours)}")
    with Tracker(seeder) as tracker:
        songs, film = album(t, "an album & more", [300_000, 3 * MIB]), payloads.mid_piece(t.sub("source"))
        first, second = seeded(t, seeder, songs, tracker.url), seeded(t, seeder, film, tracker.url)
        here = t.sub("here")
        with t.case("before anything is here the folder is empty"):
            require(dav.names() == {} and list(told(root, *us)) == ["/dav/"], f"{dav.names()}")
        ours.add([second.path], here)
        wait("the film", lambda: ours.call("GET", f"torrents/{second.id}")["complete"], 60)
        with t.case("what is not whole is not shown, whole files beside it are"):
            seeder.limit(SLOW)
            t.compeer("add", first.path, "--output", here, "--files", "0", home=ours.home)
            wait("the first song", lambda: f"{songs.name}/" in dav.names(), 60)
            ours.call("PATCH", f"torrents/{first.id}/files", [{"index": 1, "priority": "normal"}])
            wait("the second begins", lambda: 0 < ours.call("GET", f"torrents/{first.id}/files")[1]["done_bytes"] < 3 * MIB)
            require(dav.names(songs.name) == {"0 song.ogg": 300_000}, f"{dav.names(songs.name)}")
            partial = root + urllib.parse.quote(f"{songs.name}/1 song.ogg")
            require(curl(partial, *us)[0] == 404, "a part of it is read")
            require(ours.call("GET", f"torrents/{first.id}/files")[1]["done_bytes"] < 3 * MIB, "all of it is here: this proves nothing")
        seeder.limit(0)
        wait("the album", lambda: ours.call("GET", f"torrents/{first.id}")["complete"], 60)

    with t.case("cadaver lists folders and files"):
        require(set(dav.names()) == {f"{songs.name}/", f"{film.name}/"}, dav("ls"))
        require(dav.names(songs.name) == {"0 song.ogg": 300_000, "1 song.ogg": 3 * MIB}, dav(f'cd "{songs.name}"', "ls"))
        require(dav.names(film.name) == {film.name: film.stat().st_size}, dav(f"cd {film.name}", "ls"))
    with t.case("what cadaver gets is what was shared, to the byte"):
        got = t.sub("got")
        dav(*(f'get "{songs.name}/{song.name}" "{got / song.name}"' for song in songs.iterdir()))
        require_same(songs, got)
    song, content = root + urllib.parse.quote(f"{songs.name}/1 song.ogg"), (songs / "1 song.ogg").read_bytes()
    with t.case("a range, and what PROPFIND told of it before"):
        properties = told(song, *us, depth="0")[urllib.parse.urlsplit(song).path]
        status, headers, body = curl(song, *us, "--range", "1000000-1099999")
        require(status == 206 and body == content[1_000_000:1_100_000] and headers["content-range"] == f"bytes 1000000-1099999/{3 * MIB}", f"{status} {headers}")
        for name, header in (("getetag", "etag"), ("getcontenttype", "content-type"), ("getlastmodified", "last-modified")):
            require(properties[name] == headers[header], f"{name}: {properties} {headers}")
        require(properties["getcontentlength"] == str(3 * MIB) and properties["resourcetype"] is None, f"{properties}")
        require(told(root, *us)["/dav/"]["resourcetype"] == "{DAV:}collection", "the folder is none")
        require(curl(song, *us, "--header", f"If-None-Match: {properties['getetag']}")[0] == 304, "it is sent again")
    with t.case("cadaver can write nothing"):
        before = {path: path.stat().st_mtime_ns for path in here.rglob("*")}
        mine = t.folder / "mine.txt"
        mine.write_text("mine")
        for line in (f'put {mine} mine.txt', f'put {mine} "{songs.name}/0 song.ogg"', "mkcol folder", f'delete "{songs.name}/0 song.ogg"', f'rmcol "{songs.name}"',
                     f'move "{songs.name}/0 song.ogg" moved.ogg', f'copy "{songs.name}/0 song.ogg" copied.ogg', f'lock "{songs.name}/0 song.ogg"'):
            said = dav(line)
            require("405" in said or "cannot" in said.lower() or "fail" in said.lower(), f"{line}: {said}")
            require("succeeded" not in said, f"{line}: {said}")
        for method in ("PUT", "DELETE", "MKCOL", "MOVE", "COPY", "LOCK", "PROPPATCH"):
            status, headers, _ = curl(song, *us, "--request", method, "--header", f"Destination: {root}x", "--data", "x")
            require(status == 405 and "PROPFIND" in headers["allow"], f"{method}: {status} {headers}")
        require({path: path.stat().st_mtime_ns for path in here.rglob("*")} == before, "something is another on the disk")
        require(set(dav.names()) == {f"{songs.name}/", f"{film.name}/"}, dav("ls"))
    with t.case("everything at once is refused, as the standard has it"):
        for depth in ("infinity", ""):
            status, _, body = curl(root, *us, "--request", "PROPFIND", "--header", f"Depth: {depth}")
            require(status == 403 and b"propfind-finite-depth" in body, f"{status} {body}")
    with t.case("no path leads out"):
        door = Door(ours)
        for escape in (*ESCAPES, "../token", "..%2ftoken", f"{here}/x"):
            for folder in ("/dav/", f"/dav/{urllib.parse.quote(songs.name)}/", f"/dav/{urllib.parse.quote(songs.name)}/0%20song.ogg/"):
                for method in ("GET", "PROPFIND"):
                    with contextlib.suppress(http.client.InvalidURL):
                        status, _, body = door.ask(method, folder + escape, {"Depth": "0", "Content-Type": "application/xml"}, b"" if method == "GET" else WORDS.encode())
                        require(not SECRET.search(body) and door.token.encode() not in body, f"{method} {folder}{escape}: {body[:200]}")
                        # a dot alone is what HTTP's clients take out of a path before they send it
                        require(status in (400, 404), f"{method} {folder}{escape}: {status}")
    with t.case("a paused torrent is read on, also by a node that began after that"):
        ours.call("POST", f"torrents/{first.id}/pause")
        for began in ("before", "after"):
            if began == "after":
                ours.stop()
                ours.start(keep_home=True)
                dav, root = Cadaver(t, ours), f"http://127.0.0.1:{ours.api}/dav/"
                song = root + urllib.parse.quote(f"{songs.name}/1 song.ogg")
            wait("the pause", lambda: ours.call("GET", f"torrents/{first.id}")["state"] == "paused")
            require(dav.names(songs.name) == {"0 song.ogg": 300_000, "1 song.ogg": 3 * MIB}, f"{began}: {dav('ls')}")
            require(curl(song, *us)[2] == content, f"{began}: other bytes")
            require(curl(song, *us, "--range", "3000000-")[2] == content[3_000_000:], f"{began}: other bytes in a range")
    with t.case("a file that was changed while nobody looked is not passed on as what it was"):
        (here / songs.name / "1 song.ogg").write_bytes(b"other notes")
        status, _, body = curl(song, *us, "--range", "0-99")
        require(status == 500 and b"another length" in body, f"{status} {body}")
    with t.case("a wrong password opens nothing"):
        for wrong in ((), ("--user", "anybody:wrong"), ("--user", f"{token(ours)}:"), ("--header", "Authorization: Basic ?")):
            status, headers, body = curl(song, *wrong)
            require(status == 401 and headers["www-authenticate"].startswith("Basic ") and content[:100] not in body, f"{wrong}: {status} {headers}")
        status = curl(song, *us, "--header", "Origin: http://evil.example")[0]
        require(status == 403, f"a page from elsewhere: {status}")
    with t.case("a removed torrent is gone from it"):
        ours.call("DELETE", f"torrents/{first.id}")
        wait("it is gone", lambda: set(dav.names()) == {f"{film.name}/"} and curl(song, *us)[0] == 404)


@suite("WebDAV: other computers", limit=180)
def _(t):
    node = t.client("compeer")
    at = f"127.0.0.1:{free_port()}"
    node.home.mkdir(parents=True)
    (node.home / "config.toml").write_text(f'[api.remote]\nlisten = "{at}"\n')
    secret = t.folder / "secret"
    secret.write_text(PASSWORD + "\n")
    with secret.open() as stdin:
        t.compeer("password", home=node.home, stdin=stdin)
    node.start(keep_home=True)
    film = payloads.mid_piece(t.sub("source"))
    job = node.call("POST", "shares", {"path": str(film)})["id"]
    wait("the share", lambda: node.call("GET", f"jobs/{job}")["state"] == "done")
    far, near = f"https://{at}/dav/", f"http://127.0.0.1:{node.api}/dav/"
    with t.case("by TLS the password opens it, again and again"):
        wait("it is shown", lambda: f"/dav/{film.name}/" in told(far, "--insecure", "--user", f"anybody:{PASSWORD}"))
        for _ in range(20):
            require(f"/dav/{film.name}/" in told(far, "--insecure", "--user", f"anybody:{PASSWORD}"), "it is not shown")
        status, _, body = curl(f"{far}{film.name}/{film.name}", "--insecure", "--user", f"anybody:{PASSWORD}")
        require(status == 200 and body == film.read_bytes(), f"{status}")
        require(f"/dav/{film.name}/" in told(near, "--user", f"anybody:{PASSWORD}"), "on this computer it is not good")
    with t.case("the token does not, from there"):
        for wrong in (("--user", f"anybody:{token(node)}"), ("--header", f"Authorization: Bearer {token(node)}")):
            require(curl(far, "--insecure", *wrong)[0] == 401, f"{wrong} is good from elsewhere")
    with t.case("a wrong password a hundred times: looked at a few times only, and the token is good all the while"):
        seen, began = {}, time.monotonic()
        for number in range(100):
            status = curl(far, "--insecure", "--user", f"anybody:correct horse battery {number}")[0]
            seen[status] = seen.get(status, 0) + 1
        require(set(seen) == {401, 429} and seen[401] <= looked_at(began), f"{seen}")
        require(told(near, "--user", f"anybody:{token(node)}"), "the token is refused")
