"""Peers that nobody named, with libtorrent both ways: by peer exchange (BEP 11) and in the local network (BEP 14);
and nothing of all that for a private torrent (BEP 27). On addresses of 10/8: libtorrent takes those of a loopback from nobody."""
import contextlib
import json
import random
import select
import socket
import threading
import time

from cases.dht import LIBTORRENT as DHT
from harness import require, require_same, suite, wait
from network import hosts
from torrents import Torrent, make

PIECE = 32 * 1024
SIZE = 2_000_000
SLOW = 12_000       # bytes a second: who has it from one such peer alone has it in more than two minutes
OTHERS_OFF = "mapping,holepunch"


def film(t, name="film.bin", private=False):
    path = t.sub("source") / name
    path.write_bytes(random.Random(name).randbytes(SIZE))
    out = t.folder / f"{name}.torrent"
    if not private:
        return path, make("libtorrent", path, out, PIECE)
    t.compeer("torrent", "create", path, "--private", "--output", out, "--piece-length", PIECE)
    return path, Torrent(out)


def source(client, torrent, name):
    """What one source gave, as our node says."""
    return next(s for s in client.call("GET", f"torrents/{torrent.id}")["sources"] if s["source"] == name)


@suite("pex with libtorrent", limit=300)
def _(t):
    path, torrent = film(t)

    def meet(middle, others):
        with t.case(f"two of {others} meet through {middle}"):
            rita, alice, bob = hosts(3)
            ours = {"without": f"dht,lsd,{OTHERS_OFF}"}
            rita = t.start(middle, on=rita, **(ours if middle == "compeer" else {}))
            alice, bob = (t.start(others, on=host, **(ours if others == "compeer" else {})) for host in (alice, bob))
            alice.add([torrent.path], t.sub("source"), seed=True)
            alice.wait_done(torrent.id, 60)
            # who brings the others together wants the content too, and passes on next to nothing of it
            rita.add([torrent.path], t.sub("passed-on", middle))
            if middle == "compeer":
                rita.call("PUT", "limits", {"download_bytes_per_s": SLOW, "upload_bytes_per_s": 1000})
            else:
                rita.ask(cmd="limit", up=1000, down=SLOW)
            alice.add_peer(rita.ip, rita.port, torrent.id)
            wait("alice and the one in the middle", lambda: rita.status()["bytes"] > 0)
            bob.add([torrent.path], t.sub("got", middle))
            bob.add_peer(rita.ip, rita.port, torrent.id)
            bob.wait_done(torrent.id, 120)
            require_same(path, t.sub("got", middle) / path.name)
            if others == "compeer":
                wait("one heard of the other", lambda: any(source(client, torrent, "pex")["given"] for client in (alice, bob)))

    t.side_by_side(lambda: meet("libtorrent", "compeer"), lambda: meet("compeer", "libtorrent"))


@suite("lsd with libtorrent", limit=180)
def _(t):
    path, torrent = film(t)

    def hear(seeds, fetches):
        with t.case(f"{seeds} -> {fetches}, each by the other's announce alone"):
            options = {"compeer": {"without": f"dht,pex,{OTHERS_OFF}"}, "libtorrent": {"settings": {"enable_lsd": True}}}
            one, two = hosts(2)
            seeder = t.start(seeds, on=one, **options[seeds])
            seeder.add([torrent.path], t.sub("source"), seed=True)
            seeder.wait_done(torrent.id, 60)
            leecher = t.start(fetches, on=two, **options[fetches])
            leecher.add([torrent.path], t.sub("got", seeds))
            leecher.wait_done(torrent.id, 60)
            require_same(path, t.sub("got", seeds) / path.name)
            # whoever was there first hears the other one
            client, name = (seeder, "lsd") if seeds == "compeer" else (leecher, "incoming")
            wait(f"one came by {name}", lambda: source(client, torrent, name)["given"] == 1)

    t.side_by_side(lambda: hear("libtorrent", "compeer"), lambda: hear("compeer", "libtorrent"))


class Wire:
    """All that goes over a host's Ethernet, as long as the block lasts."""

    def __init__(self, host):
        with host.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))    # ETH_P_ALL
        self.frames, self.over = [], False

    def __enter__(self):
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        self.socket.close()

    def listen(self):
        while not self.over:
            if select.select([self.socket], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):
                    self.frames.append(self.socket.recv(65536))

    def says(self, *words):
        """How many frames have all of these bytes in them."""
        return sum(all(word in frame for word in words) for frame in self.frames)


@suite("a private torrent keeps to itself", limit=240)
def _(t):
    public_is_heard = threading.Event()

    def listen(private):
        path, torrent = film(t, f"private-{private}.bin", private)
        entry, one, two = hosts(3)
        # an Ethernet frame names the receiver, then the sender
        mac = bytes.fromhex(json.loads(one.run("ip", "-j", "link", "show", "eth0"))[0]["address"].replace(":", ""))
        name = bytes.fromhex(torrent.id).lower()

        def said():
            ours = [frame.lower() for frame in list(wire.frames) if frame[6:12] == mac]
            words = {"dht": (b"1:q", name), "lsd": (b"bt-search", torrent.id.lower().encode()), "pex": (b"6:ut_pex",), "handshake": (b"bittorrent protocol",)}
            return {what: sum(all(word in frame for word in all_of) for frame in ours) for what, all_of in words.items()}

        with Wire(one) as wire:
            router = t.start("compeer", on=entry, without=f"lsd,pex,{OTHERS_OFF}")
            place = f"{router.ip}:{router.port}"
            ours = t.start("compeer", on=one, without="mapping", bootstrap=place, options=("--encryption", "off"))
            theirs = t.start("libtorrent", on=two, settings=dict(DHT, dht_bootstrap_nodes=place, enable_lsd=True, out_enc_policy=2))
            theirs.add([torrent.path], t.sub("source"), seed=True)
            theirs.wait_done(torrent.id, 60)
            ours.add([torrent.path], t.sub("got", str(private)))
            ours.add_peer(theirs.ip, theirs.port, torrent.id)
            ours.wait_done(torrent.id, 60)
            require_same(path, t.sub("got", str(private)) / path.name)
            if private:
                # as long as a public one takes to be heard here, and some more
                public_is_heard.wait(90)
                time.sleep(8)
                with t.case("ours neither asks nor announces, and offers no peer exchange"):
                    heard = said()
                    require(heard.pop("handshake"), "not even the handshake was heard")
                    require(not any(heard.values()), f"{heard}")
                    sources = {s["source"]: s["enabled"] for s in ours.call("GET", f"torrents/{torrent.id}")["sources"]}
                    require(not any(sources[s] for s in ("dht", "pex", "lsd")), f"{sources}")
            else:
                with t.case("of a public one all of it is heard"):
                    wait("all of it is heard", lambda: all(said().values()))
                public_is_heard.set()

    t.side_by_side(lambda: listen(False), lambda: listen(True))
