"""A DHT of foreign nodes and ours, on addresses of 10/8: each finds peers and items through the others (BEP 5, 44). One of IPv6 (BEP 32)."""
import contextlib
import hashlib
import ipaddress
import json
import socket
import subprocess
import time

import drivers
from harness import HERE, require, suite, wait
from network import Host, Lan, hosts

# Transmission looks for peers in a DHT of which it knows eight nodes at least (tr-dht.c); each of ours has an address of its own
CROWD = 10
PORT = 6881
LIBTORRENT = {
    "enable_dht": True, "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False, "dht_ignore_dark_internet": False,
    "dht_prefer_verified_node_ids": False, "use_dht_as_fallback": False, "dht_bootstrap_nodes": "",
    # an address that sends five packets a second is not heard for five minutes, and all of the crowd is one computer
    "dht_block_ratelimit": 10_000, "dht_upload_rate_limit": 1_000_000,
}
TEXT = "a text that others keep"
KEY, OTHER_KEY = "32" * 20, "cd" * 20


class Npm(drivers.NodeClient):
    """Nodes of npm's bittorrent-dht in one process."""
    name = "bittorrent-dht"

    def __init__(self, *args, places=(), **kw):
        super().__init__(*args, **kw)
        self.places = places or [f"{self.ip}:{self.port}"]

    def command(self):
        return ["node", str(HERE / "npm_dht.mjs"), drivers.NPM, *self.places]


class Transmission(drivers.Transmission):
    """With its DHT, which enters at the nodes of `bootstrap`."""
    name = "transmission-dht"

    def __init__(self, *args, bootstrap=(), **kw):
        super().__init__(*args, **kw)
        self.bootstrap = bootstrap
        self.settings = {"dht-enabled": True, "pex-enabled": False} | self.settings

    def prepare(self):
        super().prepare()
        # as if it had been there before: of nodes that it saved it asks one every two seconds, of others one in fifteen (tr-dht.c)
        places = [place.split(":") for place in self.bootstrap]
        nodes = b"".join(ipaddress.ip_address(ip).packed + int(port).to_bytes(2, "big") for ip, port in places)
        id = hashlib.sha1(self.ip.encode()).digest()
        (self.home / "dht.dat").write_bytes(b"d2:id20:%b5:nodes%d:%be" % (id, len(nodes), nodes))


drivers.CLIENTS[Npm.name] = Npm
drivers.CLIENTS[Transmission.name] = Transmission


class Network:
    """Ours, two of libtorrent, and a crowd of npm's, all in one Ethernet; ours and the crowd's first know one another at the start."""

    def __init__(self, t, crowd=CROWD):
        self.t = t
        self.lan = Lan()
        self.crowd_host = Host("crowd").plug(self.lan, *(f"10.77.0.{100 + i}/24" for i in range(crowd)))
        self.hosts = hosts(4, self.lan)
        self.crowd = t.start("bittorrent-dht", on=self.crowd_host, places=[f"10.77.0.{100 + i}:{PORT}" for i in range(crowd)])
        self.entry = self.crowd.places[0]
        self.ours = t.start("compeer", on=self.hosts[0], without="lsd,mapping", bootstrap=self.entry, transport="both")
        self.place = f"{self.ours.ip}:{self.ours.port}"
        self.libtorrents = [t.start("libtorrent", on=host, settings=dict(LIBTORRENT, dht_bootstrap_nodes=self.place)) for host in self.hosts[1:3]]

    def transmission(self, number):
        """A Transmission, which enters by ours and the crowd."""
        host = Host(f"transmission{number}").plug(self.lan, f"10.77.0.{50 + number}/24")
        return self.t.start(Transmission.name, on=host, bootstrap=[self.place, *self.crowd.places])

    def ids(self):
        """-> {address: id} of the nodes that ours knows"""
        return {node["address"]: node["id"] for node in self.ours.call("GET", "dht/nodes")}

    def own_id(self):
        return self.ours.call("GET", "dht")["v4"]["id"]

    def wait_known(self, places, timeout=60):
        """Until our table has all of them."""
        end = time.monotonic() + timeout
        while set(places) - set(self.ids()):
            require(time.monotonic() < end, f"our table lacks {sorted(set(places) - set(self.ids()))} after {timeout} s")
            time.sleep(0.2)

    def find(self, hash, *more, home="asks"):
        """What a second node of ours, that enters by the first, finds."""
        return self.t.compeer("dht", "peers", hash, "--listen", f"{self.hosts[3].ip}:0", "--without", "lsd,mapping", "--bootstrap", self.place, *more,
                              on=self.hosts[3], home=self.t.sub(home)).stdout.split()


def near(id, number):
    """A key to which no other node is as near as the one with this id."""
    return id[:36] + f"{int(id[36:], 16) ^ number:04x}"


@contextlib.contextmanager
def peer(host, ip, port):
    """Listens where a peer was announced; -> a function that waits for who dials, and says its address."""
    with host.inside():
        listener = socket.create_server((ip, port))

    def dialled(hash, timeout):
        listener.settimeout(timeout)
        try:
            connection, (dialler, _) = listener.accept()
        except TimeoutError:
            return "nobody"
        with connection:
            connection.settimeout(60)
            handshake = b""
            while len(handshake) < 48 and (more := connection.recv(48 - len(handshake))):
                handshake += more
        require(handshake[28:] == bytes.fromhex(hash), f"{dialler} came for another torrent: {handshake}")
        return dialler

    with listener:
        yield dialled


@suite("dht, peers", limit=240)
def _(t):
    net = Network(t)
    alice, bob = net.libtorrents
    carol = net.transmission(0)
    places = {"libtorrent": f"{bob.ip}:{bob.port}", "npm": net.crowd.places[3], "Transmission": f"{carol.ip}:{carol.port}"}
    with t.case("ours learns of every node"):
        net.wait_known([*net.crowd.places, *places.values(), f"{alice.ip}:{alice.port}"])
    own = net.own_id()
    with peer(net.crowd_host, "10.77.0.105", 1005) as dialled:
        # Transmission begins a search within 20 seconds (tr_torrentStart)
        wanted = near(own, 1)
        net.crowd.ask(cmd="announce", node=5, hash=wanted, port=1005)
        carol.add_magnet(f"magnet:?xt=urn:btih:{wanted}", t.sub("got", "transmission"))
        with t.case("libtorrent finds through ours whom npm announced, and npm whom libtorrent announced"):
            ours = near(own, 2)
            before = net.ours.call("GET", "dht")["v4"]["stored_peers"]
            net.crowd.ask(cmd="announce", node=1, hash=ours, port=1001)
            wait("ours, which is nearest to this key, is told of the peer", lambda: net.ours.call("GET", "dht")["v4"]["stored_peers"] > before)
            wait("libtorrent", lambda: "10.77.0.101:1001" in alice.ask(cmd="dht_peers", hash=ours)["peers"])
            alice.ask(cmd="dht_announce", hash=ours, port=1002)
            wait("npm", lambda: f"{alice.ip}:1002" in net.crowd.ask(cmd="peers", node=2, hash=ours)["peers"])
            wait("the other libtorrent", lambda: f"{alice.ip}:1002" in bob.ask(cmd="dht_peers", hash=ours)["peers"])
        with t.case("Transmission finds through ours whom npm announced"):
            who = dialled(wanted, 90)
            require(who == carol.ip, f"{who} dialled")
    with t.case("npm and ours find whom Transmission announced"):
        wait("npm", lambda: f"{carol.ip}:{carol.port}" in net.crowd.ask(cmd="peers", node=2, hash=wanted)["peers"])
        wait("ours", lambda: f"{carol.ip}:{carol.port}" in net.find(wanted))
    # nodes that come and go: Transmission waits three quarters of a minute for those that are gone
    for i, (name, place) in enumerate(places.items()):
        with t.case(f"ours finds through {name} whom others announced, and others whom ours announced"):
            net.wait_known([place])
            theirs = near(net.ids()[place], 3 + i)
            net.crowd.ask(cmd="announce", node=4, hash=theirs, port=1003)
            wait("ours", lambda: "10.77.0.104:1003" in net.find(theirs))
            net.find(theirs, "--announce", 1004)
            wait("npm", lambda: f"{net.hosts[3].ip}:1004" in net.crowd.ask(cmd="peers", node=5, hash=theirs)["peers"])
            wait("libtorrent", lambda: f"{net.hosts[3].ip}:1004" in alice.ask(cmd="dht_peers", hash=theirs)["peers"])
    with t.case("nothing wanted to leave the Ethernet"):
        require(sum(host.leaks() for host in net.hosts) == 0, f"{[(host.name, host.leaks()) for host in net.hosts]}")


@suite("dht, IPv6", limit=180)
def _(t):
    lan = Lan()
    six = [Host(f"six{i}").plug(lan, f"fd77::{i}/64") for i in range(1, 5)]

    def start(name, host, **options):
        c = t.client(name, on=host, port=PORT, transport="both", **options)
        c.ip = f"[{host.ip}]"
        return c.start()

    def libtorrent(host, entry):
        c = start("libtorrent", host, settings=dict(LIBTORRENT, outgoing_interfaces=""))
        c.ask(cmd="dht_add", ip=entry.ip, port=PORT)
        wait("libtorrent knows the entry", lambda: c.ask(cmd="dht_nodes")["nodes"] > 0)
        return c

    def find(hash, entry, *more):
        """What a node of ours that enters by this host finds; it ends with that and keeps nothing."""
        return t.compeer("dht", "peers", hash, "--listen", f"[{six[3].ip}]:0", "--without", "lsd,mapping", "--bootstrap", f"[{entry.ip}]:{PORT}",
                         *more, on=six[3], home=t.sub("asks")).stdout.split()

    # whoever has announced is gone before another asks, so that one node alone can tell of it
    ours = start("compeer", six[0], without="lsd,mapping")
    with t.case("what libtorrent announced, another libtorrent and another of ours find through ours"):
        alice = libtorrent(six[1], six[0])
        alice.ask(cmd="dht_announce", hash=KEY, port=1001)
        wait("ours is told", lambda: ours.call("GET", "dht")["v6"]["stored_peers"] == 1)
        alice.stop()
        bob = libtorrent(six[2], six[0])
        wait("libtorrent", lambda: bob.ask(cmd="dht_peers", hash=KEY)["peers"] == [f"{alice.ip}:1001"])
        wait("ours", lambda: find(KEY, six[0]) == [f"{alice.ip}:1001"])
        require(ours.call("GET", "dht")["v4"]["good"] == 0, "there is a node over IPv4")
    ours.stop()
    with t.case("what ours announced, libtorrent and another of ours find through libtorrent"):
        find(OTHER_KEY, six[2], "--announce", 1002)
        wait("ours", lambda: find(OTHER_KEY, six[2]) == [f"[{six[3].ip}]:1002"])
        alice = libtorrent(six[1], six[2])
        wait("libtorrent", lambda: alice.ask(cmd="dht_peers", hash=OTHER_KEY)["peers"] == [f"[{six[3].ip}]:1002"])


@suite("dht, items", limit=180)
def _(t):
    net = Network(t)
    alice, bob = net.libtorrents
    net.wait_known([*net.crowd.places, *(f"{c.ip}:{c.port}" for c in net.libtorrents)])
    home = t.sub("ours")

    def compeer(*words, **options):
        return t.compeer("dht", *words, home=net.ours.home, on=net.hosts[0], **options)

    def got(*words):
        """What one look-up of ours gets; nothing where all that it asked were too slow."""
        return compeer("get", *words, ok=False).stdout

    def by_npm(node, hash):
        return net.crowd.ask(cmd="get", node=node, hash=hash).get("text")

    with t.case("an immutable item of ours is got by libtorrent and npm"):
        hash = compeer("put", TEXT).stdout.strip()
        wait("libtorrent", lambda: alice.ask(cmd="dht_get", hash=hash)["text"] == TEXT)
        wait("npm", lambda: by_npm(6, hash) == TEXT)
    with t.case("one of libtorrent and one of npm are got by ours"):
        theirs = alice.ask(cmd="dht_put", text=TEXT + " of libtorrent")["hash"]
        wait("libtorrent's", lambda: got(theirs) == TEXT + " of libtorrent")
        theirs = net.crowd.ask(cmd="put", node=7, text=TEXT + " of npm")["hash"]
        wait("npm's", lambda: got(theirs) == TEXT + " of npm")
    key_file = home / "key"
    with t.case("a mutable item of ours, with its second version, is got by libtorrent and npm"):
        key = compeer("put", "first", "--key", key_file).stdout.strip()
        wait("libtorrent", lambda: alice.ask(cmd="dht_get", key=key)["text"] == "first")
        compeer("put", "second", "--key", key_file)
        wait("libtorrent", lambda: bob.ask(cmd="dht_get", key=key) == {"text": "second", "seq": 2})
        wait("npm", lambda: by_npm(8, target(key)) == "second")
    with t.case("mutable items of libtorrent and npm, with salt, are got by ours"):
        seed = key_file.read_text().strip()
        alice.ask(cmd="dht_put", seed=seed, key=key, salt="lt", text="salted by libtorrent")
        wait("libtorrent's", lambda: got(key, "--salt", "lt") == "salted by libtorrent")
        net.crowd.ask(cmd="put", node=9, seed=seed, salt="npm", seq=7, text="salted by npm")
        wait("npm's", lambda: got(key, "--salt", "npm"))
        done = compeer("get", key, "--salt", "npm")
        require(done.stdout == "salted by npm" and "number 7" in done.stderr, f"npm's: {done.stdout!r} {done.stderr!r}")
    with t.case("a newer version of npm's takes the place of ours, and ours that of npm's"):
        net.crowd.ask(cmd="put", node=1, seed=seed, seq=3, text="third")
        wait("ours sees the newer one", lambda: got(key) == "third")
        compeer("put", "fourth", "--key", key_file)
        wait("npm sees the newer one", lambda: by_npm(2, target(key)) == "fourth")
    with t.case("compare and swap refuses over another version"):
        done = compeer("put", "never", "--key", key_file, "--seq", 9, "--cas", 1, ok=False)
        require(done.returncode == 1 and "changed meanwhile" in done.stderr, f"{done.returncode} {done.stderr}")
        wait("it is as it was", lambda: got(key) == "fourth")
    with t.case("what is not there is said to be so"):
        done = compeer("get", "00" * 20, ok=False)
        require(done.returncode == 1 and "no node of the DHT has this item" in done.stderr, done.stderr)


def target(key, salt=b""):
    return hashlib.sha1(bytes.fromhex(key) + salt).hexdigest()


@suite("dht, the table", limit=180)
def _(t):
    net = Network(t)
    net.wait_known(net.crowd.places)
    with t.case("a node that was asked says who it is"):
        done = t.compeer("dht", "ping", net.crowd.places[2], home=net.ours.home, on=net.hosts[0])
        require(net.ids()[net.crowd.places[2]] in done.stdout, done.stdout)
        done = t.compeer("dht", "ping", "10.77.0.99:1", home=net.ours.home, on=net.hosts[0], ok=False)
        require(done.returncode == 1 and "does not answer" in done.stderr, done.stderr)
    with t.case("the table is shown, and its nodes"):
        done = t.compeer("dht", home=net.ours.home, on=net.hosts[0])
        require("DHT over IPv4" in done.stdout and net.own_id() in done.stdout, done.stdout)
        done = t.compeer("dht", "nodes", home=net.ours.home, on=net.hosts[0])
        require(all(place in done.stdout for place in net.crowd.places), done.stdout)
    with t.case("who follows the network hears of a node of libtorrent's that comes, by an event"):
        token = (net.ours.home / "token").read_text().strip()
        with net.hosts[0].inside():
            curl = subprocess.Popen(["curl", "--silent", "--no-buffer", "--noproxy", "*", "--max-time", "40", "--header", f"Authorization: Bearer {token}",
                                     f"http://127.0.0.1:{net.ours.api}/api/v1/network/events"], stdout=subprocess.PIPE, text=True)
        try:
            told = (json.loads(line[5:]) for line in curl.stdout if line.startswith("data:"))
            table = next(event["data"] for event in told if event["event"] == "dht_nodes")
            require(set(net.crowd.places) <= {node["address"] for node in table}, table)
            newcomer = t.start("libtorrent", on=net.hosts[3], settings=dict(LIBTORRENT, dht_bootstrap_nodes=net.place))
            changes = (event["data"]["changed"] for event in told if event["event"] == "dht_node_changes")
            come = next((node for changed in changes for node in changed if node["address"] == f"{newcomer.ip}:{newcomer.port}"), None)
            require(come and come["id"] == net.ids()[come["address"]], f"nobody told of it: {come}")
        finally:
            curl.kill()
            curl.wait()
        newcomer.stop()
    with t.case("the table of the last run is enough to come back"):
        id = net.own_id()
        net.ours.stop()
        net.ours.bootstrap = "none"
        net.ours.start(keep_home=True)
        wait("a node of the last run answers", lambda: net.ours.call("GET", "dht")["ready"])
        require(net.own_id() == id, "the id is another one")
    with t.case("with the DHT off nothing answers, and a look-up says so"):
        done = t.compeer("dht", "peers", "00" * 20, "--without", "dht", home=t.sub("off"), on=net.hosts[3], ok=False)
        require(done.returncode == 1 and "switched off" in done.stderr, done.stderr)
