"""A file is read over HTTP while it is fetched: curl and Python's client ask for ranges, libtorrent has the content."""
import http.client
import json
import subprocess
import urllib.parse

import payloads
from cases.controls import blob, shared
from harness import require, suite, wait
from torrents import make

MIB = 1 << 20
SIZE = 24 * MIB + 12_345
SLOW = MIB // 2     # bytes a second from the seed: what is read at the end cannot be here by chance


def curl(t, *arguments):
    """-> the status, the headers by name, the body."""
    head, body = t.folder / "head", t.folder / "body"
    out = subprocess.run(["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "--dump-header", head, "--output", body, *arguments], capture_output=True, text=True, timeout=90)
    require(out.returncode == 0, f"curl {arguments}: {out.returncode} {out.stderr}")
    first, *lines = head.read_text().strip().splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, body.read_bytes() if body.exists() else b""


def part(t, url, range, *more):
    (t.folder / "body").unlink(missing_ok=True)
    return curl(t, "--range", range, *more, url)


@suite("streaming", limit=240)
def _(t):
    seed, ours = t.start("libtorrent"), t.start("compeer")
    film = shared(t, seed, "A film & more.mkv", SIZE)
    content = (t.folder / "source" / "A film & more.mkv").read_bytes()
    seed.limit(SLOW)
    ours.add([film.path], t.sub("got"))
    out = t.compeer("stream", film.path, "--peer", f"{seed.ip}:{seed.port}", "--json", home=ours.home)
    link = json.loads(out.stdout)
    url = link["url"]
    token = f"Authorization: Bearer {(ours.home / 'token').read_text().strip()}"
    resource = f"http://127.0.0.1:{ours.api}/api/v1/torrents/{film.id}/files/0/content"
    short = f"http://127.0.0.1:{ours.api}/stream/{film.id}/0"

    def had():
        return ours.call("GET", f"torrents/{film.id}")["done_bytes"]

    with t.case("the link names the file, its size and its type"):
        require(link["size_bytes"] == SIZE and link["name"] == "A film & more.mkv" and link["content_type"] == "video/x-matroska", f"{link}")
        require(url.endswith("/A%20film%20%26%20more%2Emkv"), url)
    with t.case("what is asked for at the end comes first, and is right"):
        status, headers, body = part(t, url, f"{SIZE - 1000}-")
        require(status == 206 and headers["content-range"] == f"bytes {SIZE - 1000}-{SIZE - 1}/{SIZE}", f"{status} {headers}")
        require(body == content[-1000:], "other bytes")
        require(had() < SIZE // 2, "it waited for the rest")
    for name, address, first in (("its resource", resource, 10 * MIB), ("the short address", short, 20 * MIB)):
        with t.case(f"a range in the middle, with the token instead of the link, at {name}"):
            status, headers, body = part(t, address, f"{first}-{first + 99_999}", "--header", token)
            require(status == 206 and body == content[first:first + 100_000], f"{status} {len(body)}")
            require(headers["content-range"] == f"bytes {first}-{first + 99_999}/{SIZE}", f"{headers}")
            require(headers["content-type"] == "video/x-matroska" and headers["accept-ranges"] == "bytes", f"{headers}")
            require(had() < SIZE, "all of it is here: this proves nothing")
    with t.case("HEAD tells the length and sends nothing"):
        for address, *more in ((url,), (short, "--header", token)):
            status, headers, body = curl(t, "--head", *more, address)
            require(status == 200 and headers["content-length"] == str(SIZE), f"{status} {headers}")
    with t.case("a range behind the end is refused"):
        for address, *more in ((url,), (short, "--header", token)):
            status, headers, _ = part(t, address, f"{SIZE}-", *more)
            require(status == 416 and headers["content-range"] == f"bytes */{SIZE}", f"{status} {headers}")
    with t.case("without token, with a wrong link, and of another torrent nothing is told"):
        for wrong, expected in ((resource, 401), (short, 401), (short.replace(film.id, "0" * 40), 401), (url.replace("/stream/", "/stream/0"), 404),
                                (resource.replace(film.id, "0" * 40), 401)):
            status, _, body = part(t, wrong, "0-99")
            require(status == expected and body != content[:100], f"{wrong}: {status}")
        status, _, _ = part(t, resource.replace("/0/content", "/1/content"), "0-99", "--header", token)
        require(status == 404, f"a file that is not there: {status}")
        for name in ("1", "x", "..%2f0", "%2e%2e%2f%2e%2e%2fetc%2fpasswd"):
            status, _, body = part(t, f"{short[:-1]}{name}", "0-99", "--path-as-is", "--header", token)
            require(status == 404 and b"root:" not in body, f"{name}: {status}")
        status, _, _ = part(t, short, "0-99", "--header", token, "--header", "Host: rebound.example")
        require(status == 403, f"a foreign name, at the short address: {status}")
        status, _, _ = part(t, url, "0-99", "--header", "Host: rebound.example")
        require(status == 403, f"a foreign name: {status}")
    seed.limit(4 * SLOW)
    with t.case("two readers at once, one of whom goes, and the other has its bytes"):
        parts = urllib.parse.urlsplit(url)
        stays, goes = (http.client.HTTPConnection(parts.netloc, timeout=60) for _ in range(2))
        goes.request("GET", parts.path, headers={"Range": f"bytes={4 * MIB}-"})
        stays.request("GET", parts.path, headers={"Range": "bytes=0-"})
        require(goes.getresponse().read(10_000) == content[4 * MIB:4 * MIB + 10_000], "other bytes")
        goes.close()
        require(stays.getresponse().read() == content, "other bytes")
        stays.close()
    with t.case("it is the whole torrent then, and read like any file"):
        wait("all of it", lambda: had() == SIZE)
        status, _, body = curl(t, url)
        require(status == 200 and body == content, f"{status} {len(body)}")
    with t.case("a player is run with the link"):
        out = t.compeer("stream", film.id, "--player", "echo", home=ours.home)
        require(out.stdout.strip() == url, out.stdout)
    with t.case("what is not here and will not come is said at once"):
        lonely = make("libtorrent", blob(t, "lonely.mp3", MIB), t.folder / "lonely.torrent", payloads.PIECE)
        ours.add([lonely.path], t.sub("got"))
        url = json.loads(t.compeer("stream", lonely.id, "--json", home=ours.home).stdout)["url"]
        ours.call("POST", f"torrents/{lonely.id}/pause")
        wait("the pause", lambda: ours.call("GET", f"torrents/{lonely.id}")["state"] == "paused")
        status, headers, body = part(t, url, "0-99")
        require(status == 409 and b"paused" in body and headers["content-type"] == "application/problem+json", f"{status} {body}")
