"""Compeer itself, as one of the clients: `compeer up` and its API of crates/rpc.

$COMPEER names the program (`cargo xtask` sets it); the release build of this checkout otherwise.
"""
import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import urllib.error
from pathlib import Path

import drivers

BINARY = os.environ.get("COMPEER") or str(Path(__file__).resolve().parent.parent / "target/release/compeer")

# what a node does not do here unless a case asks for it: leave, or speak to whom it was not told of
QUIET = {"COMPEER_WITHOUT": "dht,lsd,mapping,relays", "COMPEER_BOOTSTRAP": "none"}

# so many torrents and more are added by a few connections at once, each kept open, as a program would
MANY, AT_ONCE = 20, 4


class Compeer(drivers.Client):
    """`transport` is the only carrier. `without`: the parts of the network that are off; `bootstrap`: where the DHT is entered;
    `options`: more for `compeer up`."""
    name = "compeer"
    transports = ("tcp", "utp", "both")

    def __init__(self, *args, without="dht,lsd,mapping,relays", bootstrap="none", options=(), **kw):
        super().__init__(*args, **kw)
        self.off = [part for part in without.split(",") if part]
        self.bootstrap, self.options = bootstrap, options

    def command(self):
        off = self.off + {"tcp": ["utp"], "utp": ["tcp"], "both": []}[self.transport]
        return [BINARY, "up", "--home", str(self.home), "--listen", f"{self.ip}:{self.port}", "--api", f"127.0.0.1:{self.api}",
                "--bootstrap", self.bootstrap, *(["--without", ",".join(off)] if off else []), *map(str, self.options)]

    def call(self, method, path, body=None, timeout=60):
        """One request to the API; -> the document of the answer."""
        request = drivers.urllib.request.Request(
            f"http://127.0.0.1:{self.api}/api/v1/{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {(self.home / 'token').read_text().strip()}", "Content-Type": "application/json"})
        try:
            with self.inside(), drivers.urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"compeer: {method} {path}: {error.code} {error.read()[:300].decode(errors='replace')}") from None

    def ready(self):
        self.call("GET", "session")

    def add(self, torrents, save, seed=False):
        # what is already in the folder is hashed and used: there is no need to say that it is
        if len(torrents) > MANY:
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                return list(pool.map(self.add_many, (torrents[n::AT_ONCE] for n in range(AT_ONCE)), [save] * AT_ONCE))
        for t in torrents:
            self.call("POST", "torrents", self.order(t, save))

    def order(self, torrent, save):
        return {"torrent_base64": base64.b64encode(Path(torrent).read_bytes()).decode(), "folder": str(save)}

    def add_many(self, torrents, save):
        """Adds them by one connection that is kept."""
        headers = {"Authorization": f"Bearer {(self.home / 'token').read_text().strip()}", "Content-Type": "application/json"}
        with self.inside(), contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.api, timeout=60)) as connection:
            for t in torrents:
                connection.request("POST", "/api/v1/torrents", json.dumps(self.order(t, save)), headers)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status not in (200, 201):
                    raise RuntimeError(f"compeer: {answer.status} {body[:300].decode(errors='replace')}")

    def add_magnet(self, link, save):
        self.call("POST", "torrents", {"link": link, "folder": str(save)})

    def add_peer(self, ip, port, id=None):
        for key in [id] if id else list(self.torrents()):
            self.call("POST", f"torrents/{key}/peers", {"address": f"{ip}:{port}"})

    def torrents(self):
        return {t["id"]: {"done": t["complete"] and t["state"] == "seeding", "bytes": t["done_bytes"], "error": t["error"]} for t in self.list()}

    def stream_url(self, id):
        return self.call("POST", f"torrents/{id}/files/0/link")["url"]

    def many_peers(self):
        self.call("PATCH", "budget", {"connections": 2000, "connections_per_torrent": 1000, "connections_per_address": 1000})

    def list(self):
        return self.call("GET", "torrents")


drivers.CLIENTS["compeer"] = Compeer
for kind, option in (("", ()), ("-v2", ("--v2",)), ("-hybrid", ("--hybrid",))):
    drivers.CREATE["compeer" + kind] = [BINARY, "torrent", "create", "{src}", "--output", "{out}", "--force", "--piece-length", "{bytes}", *option]
