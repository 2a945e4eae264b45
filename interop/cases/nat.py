"""Home routers between the nodes: ports that a router maps for us, and what is not possible without."""
import contextlib
import random
import re
import time
from urllib.parse import unquote

import drivers
from commands import Running
from harness import Failed, require, require_same, suite, wait
from network import Host, Lan
from router import Router
from torrents import make

PIECE = 32 * 1024
SIZE = 400_000
PORT = 6881
ALICE = 100_000    # bytes per second


def payload(t, name, size):
    path = t.sub("source") / name
    path.write_bytes(random.Random(name).randbytes(size))
    return path


def film(t, name, tracker=None, size=SIZE):
    path = payload(t, name, size)
    return path, make("libtorrent", path, t.folder / f"{name}.torrent", PIECE, tracker=tracker)


def mapped(router, host, count=2):
    """The mappings to a host, once it has so many."""
    def ours():
        found = [m for m in router.mappings() if m[2] == host.ip]
        return found if len(found) >= count else None
    return wait(f"{host.name}'s port is mapped: {router.mappings()}", ours)


@contextlib.contextmanager
def running(client):
    """A client for as long as the block lasts."""
    client.start()
    try:
        yield client
    finally:
        client.stop()


def fetch(leecher, link, path, got):
    """Starts a download, waits for its end and compares."""
    leecher.add_magnet(link, got)
    leecher.wait_complete(60)
    require_same(path, got / path.name)


class Home:
    """Alice and Bob behind one router, and a public host outside. Nothing of it is shared with another home."""

    def __init__(self, t, name):
        self.t = t
        internet, home = Lan("internet"), Lan("home")
        self.router = Router(f"router-{name}", internet, "11.0.0.10/24", home, "192.168.1.1/24")
        self.alice, self.bob = self.router.host(f"alice-{name}", 2), self.router.host(f"bob-{name}", 3)
        self.public = Host(f"public-{name}").plug(internet, "11.0.0.2/24")

    @contextlib.contextmanager
    def seed(self, torrent):
        """Alice, with a mapping of her own; what is asked for within the block is asked while she runs."""
        seeder = self.t.client("compeer", on=self.alice, port=PORT, without="dht,lsd")
        with running(seeder):
            seeder.add([torrent.path], self.t.sub("source"))
            seeder.wait_done(torrent.id, 60)
            yield seeder

    def leecher(self):
        return running(self.t.client("libtorrent", on=self.public))


@suite("ports mapped by miniupnpd", limit=180)
def _(t):
    path, torrent = film(t, "film.bin")

    def refused():
        home = Home(t, "refused")
        with t.case("a router that maps nothing is told as such, and lets nobody in"), home.seed(torrent) as seeder:
            wait("the router is asked", lambda: "maps no port" in seeder.call("GET", "network")["mapping"]["message"])
            with home.leecher() as leecher:
                leecher.add_magnet(torrent.magnet("11.0.0.10", PORT), t.sub("nothing"))
                time.sleep(3)
                require(not leecher.torrents()[torrent.id]["bytes"], "the router let somebody in")

    def by(protocol, **options):
        home = Home(t, protocol)
        router, alice = home.router, home.alice
        with t.case(f"by {protocol}: mapped, used by a foreign client, removed"), router.mapping(t, **options):
            with home.seed(torrent) as seeder, home.leecher() as leecher:
                # Asked for at once: it waits for the router's first answer.
                link = seeder.call("GET", f"torrents/{torrent.id}")["magnet"]
                require(mapped(router, alice) == [(p, PORT, alice.ip, PORT) for p in ("tcp", "udp")], f"{router.mappings()}")
                said = wait("the node knows", lambda: (i := seeder.call("GET", "network"))["external"] and i)
                require("11.0.0.10" in said["external"] and protocol in said["mapping"]["message"], f"{said}")
                require(f"x.pe=11.0.0.10:{PORT}" in unquote(link), f"the link does not name the router's address: {link}")
                fetch(leecher, link, path, t.sub("got", protocol))
            require(not router.mappings(), f"left behind: {router.mappings()}")

    def beside_another():
        home = Home(t, "beside")
        router, alice, bob = home.router, home.alice, home.bob
        with t.case("beside another node with the same port: TCP and UDP on one other port, which the tracker is told"), router.mapping(t):
            tracker = t.client("compeer", on=home.public, options=("--offer", "tracker"))
            path, torrent = film(t, "other.bin", f"http://{home.public.ip}:6969/announce")
            first = t.client("libtorrent", on=bob, port=PORT, settings={"enable_upnp": True, "enable_natpmp": True})
            with running(tracker), running(first):
                mapped(router, bob)
                with home.seed(torrent), home.leecher() as leecher:
                    (_, outside, *_), (_, udp, *_) = mapped(router, alice)
                    require(outside == udp != PORT, f"{router.mappings()}")
                    leecher.add([torrent.path], t.sub("got", "other"))
                    leecher.wait_complete(60)
                    require_same(path, t.sub("got", "other") / path.name)
                wait("only the other's mappings are left", lambda: {m[2] for m in router.mappings()} == {bob.ip})

    t.side_by_side(beside_another, lambda: by("UPnP", pcp=False), lambda: by("PCP", upnp=False), refused)


class Punching:
    """Alice has a file and Bob wants it; their routers map nothing. Both reach Rita, who wants it too but passes on next to nothing.

    Alice is slow as well, so that Rita is no seed before Bob has met Alice: seeds do not stay together.
    """

    def __init__(self, t, alice, rita, bob, symmetric=False, size=1_500_000):
        internet = Lan("internet")
        one = Router("router-one", internet, "11.0.0.10/24", Lan("home-one"), "192.168.1.1/24", symmetric)
        two = Router("router-two", internet, "11.0.0.20/24", Lan("home-two"), "192.168.2.1/24", symmetric)
        kind = "symmetric" if symmetric else "usual"
        self.path, self.torrent = film(t, f"{kind}.bin", size=size)
        self.got, passed_on = t.sub("got", kind), t.sub("passed-on", kind)
        self.alice, self.bob = self.client(t, alice, one.host("alice", 2)), self.client(t, bob, two.host("bob", 2))
        self.rita = self.client(t, rita, Host("rita").plug(internet, "11.0.0.2/24"))
        for client in (self.alice, self.rita, self.bob):
            client.start()
        self.alice.add([self.torrent.path], t.sub("source"))
        self.alice.wait_done(self.torrent.id, 60)
        self.rita.add([self.torrent.path], passed_on)
        self.bob.add([self.torrent.path], self.got)
        for client in (self.alice, self.bob):
            client.add_peer(self.rita.ip, PORT)

    def client(self, t, kind, host):
        up = {"rita": 1_000, "alice": ALICE}.get(host.name, 0)
        if kind == "compeer":
            # a relay of libtorrent finds us by the address that our packets come from: it is the one that is told others over uTP alone
            options = ("--prefer", "utp", *(("--up-limit", up) if up else ()))
            return t.client(kind, on=host, port=PORT, transport="both", without="dht,lsd,mapping", options=options)
        # it waits a quarter of a minute for an address that does not answer before it asks for help
        settings = {"peer_connect_timeout": 3, "upload_rate_limit": up}
        return t.client(kind, on=host, port=PORT, transport="both", settings=settings)

    def succeed(self, timeout):
        self.bob.wait_done(self.torrent.id, timeout)
        require_same(self.path, self.got / self.path.name)


@suite("libtorrent behind two routers", limit=200, prove=True)
def _(t):
    with t.case("libtorrent punches a hole: so the routers are as they must be"):
        Punching(t, *["libtorrent"] * 3).succeed(120)
    with t.case("through routers that give each destination another port nobody comes"):
        try:
            Punching(t, *["libtorrent"] * 3, symmetric=True).succeed(40)
        except drivers.Timeout:
            return
        raise Failed("somebody came through: these routers prove nothing")


@suite("a hole punched through two routers", limit=240)
def _(t):
    with t.case("compeer, compeer, by compeer"):
        Punching(t, *["compeer"] * 3).succeed(90)


for who in (("compeer", "libtorrent", "libtorrent"), ("libtorrent", "compeer", "libtorrent"), ("libtorrent", "libtorrent", "compeer"),
            ("compeer", "libtorrent", "compeer"), ("compeer", "compeer", "libtorrent"), ("libtorrent", "compeer", "compeer")):
    @suite("a hole punched with a foreign client: {} to {} by {}".format(who[0], who[2], who[1]), limit=200, prove=True)
    def _(t, who=who):
        with t.case("punched"):
            Punching(t, *who).succeed(150)


class Magnet:
    """Alice shares a file and Bob gets it by the bare magnet. Both are behind routers; a third in public has the DHT, which is all they know."""

    def __init__(self, t, name, without="lsd,mapping"):
        self.t, self.without, self.name = t, without, name
        internet = Lan("internet")
        self.one = Router(f"router-one-{name}", internet, "11.0.0.10/24", Lan("home-one"), "192.168.1.1/24")
        self.two = Router(f"router-two-{name}", internet, "11.0.0.20/24", Lan("home-two"), "192.168.2.1/24")
        self.alice, self.bob = self.one.host(f"alice-{name}", 2), self.two.host(f"bob-{name}", 2)
        self.public = Host(f"public-{name}").plug(internet, "11.0.0.2/24")
        self.path = payload(t, f"{name}.bin", 2_000_000)

    @contextlib.contextmanager
    def running(self, passes_on=False):
        """The third and Alice. `passes_on`: the third wants the file too, so that it knows both, but is slow."""
        slow = ("--down-limit", "20K", "--up-limit", "1K") if passes_on else ()
        third = self.t.client("compeer", on=self.public, port=PORT, transport="both", without="lsd,mapping", options=slow)
        with running(third):
            with Running(self.t, "share", self.path, "--listen", f"{self.alice.ip}:{PORT}", home=self.t.sub("alice", self.name), on=self.alice, env=self.env()) as share:
                # nothing but the name
                self.link = re.match(r"magnet:\?xt=urn:btih:[0-9a-f]{40}", share.link())[0]
                if passes_on:
                    third.add_magnet(self.link, self.t.sub("passed-on", self.name))
                yield share

    def env(self):
        return {"COMPEER_WITHOUT": self.without, "COMPEER_BOOTSTRAP": f"{self.public.ip}:{PORT}"}

    def get(self, timeout=60):
        got = self.t.sub("got", self.name)
        self.t.compeer("get", self.link, "--output", got, "--listen", f"{self.bob.ip}:{PORT}", home=self.t.sub("bob", self.name), on=self.bob, env=self.env(), timeout=timeout)
        require_same(self.path, got / self.path.name)


@suite("a bare magnet through two routers", limit=300)
def _(t):
    def by_mapping():
        with t.case("with the port mapped, which is no longer when it is over"):
            magnet = Magnet(t, "mapped", without="lsd,holepunch")
            with magnet.one.mapping(t):
                with magnet.running() as share:
                    mapped(magnet.one, magnet.alice)
                    magnet.get()
                    share.interrupt()
                require(not magnet.one.mappings(), f"left behind: {magnet.one.mappings()}")

    def by_a_hole():
        with t.case("through a hole that the third helped to punch"):
            magnet = Magnet(t, "punched")
            with magnet.running(passes_on=True):
                magnet.get()

    def by_nothing():
        with t.case("with neither, nothing comes"):
            magnet = Magnet(t, "nothing", without="lsd,mapping,holepunch,utp")
            with magnet.running():
                try:
                    magnet.get(15)
                except Failed as failed:
                    require("did not end" in str(failed), str(failed))
                    return
            raise Failed("it came: the routers prove nothing")

    t.side_by_side(by_mapping, by_a_hole, by_nothing)
