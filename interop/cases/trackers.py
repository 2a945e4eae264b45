"""Our tracker under foreign clients, and we ourselves at foreign trackers; over HTTP and UDP."""
import contextlib
import json
import queue
import random
import socket
import subprocess
import threading
import time

import drivers
from harness import HERE, Failed, require, require_same, suite
from network import hosts
from torrents import make

PORT = 6969
SIZE = 300_000
PIECE = 32 * 1024


class Program:
    """A foreign program on a host, ended at the end; what it prints is read as JSON lines."""

    def __init__(self, t, host, *command, cwd=None):
        self.log = open(t.sub("logs") / f"{host.name}-{time.monotonic_ns()}.txt", "w+")
        with host.inside():
            self.proc = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                         text=True, cwd=cwd or t.folder)
        self.said = []
        self.lines = queue.SimpleQueue()
        threading.Thread(target=lambda: [self.lines.put(line) for line in iter(self.proc.stdout.readline, "")], daemon=True).start()

    def tell(self, line):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()

    def wait(self, what, timeout=60):
        """The next line that has this key; -> its value."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with contextlib.suppress(queue.Empty):
                line = json.loads(self.lines.get(timeout=0.2))
                self.said.append(line)
                require("error" not in line or what == "error", f"{line}")
                if what in line:
                    return line[what]
        raise Failed(f"no {what} within {timeout} s; it said {self.said[-5:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proc.kill()
        self.proc.wait()
        self.log.close()


def npm(t, host, *arguments):
    return Program(t, host, "node", HERE / "npm_tracker.mjs", drivers.NPM, *arguments)


def url(scheme, ip):
    return f"{scheme}://{f'[{ip}]' if ':' in ip else ip}:{PORT}/announce"


def film(t, name, tracker):
    """A file and a torrent of it that names the tracker and nothing else."""
    path = t.sub("source") / name
    path.write_bytes(random.Random(name).randbytes(SIZE))
    return path, make("libtorrent", path, t.folder / f"{name}.torrent", PIECE, tracker=tracker)


def requests(node):
    """What our tracker was asked: {(protocol, family): numbers}."""
    stats = node.call("GET", "services/tracker")
    return {(r["protocol"], r["family"]): r for r in stats["requests"]}


@suite("foreign clients at our tracker", limit=240)
def _(t):
    ours, one, two, three, four = hosts(5)
    node = t.client("compeer", on=ours, options=["--offer", "tracker"]).start()
    clients = [t.start("transmission", on=two, settings={"pex-enabled": False}), t.start("aria2", on=three, settings={"enable-dht": "true", "dht-listen-port": 6881}),
               t.start("compeer", on=four, without="dht,lsd,mapping,pex")]
    seed = t.start("libtorrent", on=one)
    films = {scheme: film(t, f"{scheme}.bin", url(scheme, ours.ip)) for scheme in ("http", "udp")}
    for path, torrent in films.values():
        seed.add([torrent.path], path.parent, seed=True)
        seed.wait_done(torrent.id, 60)
    with t.case("libtorrent announces over both"):
        end = time.monotonic() + 60
        while node.call("GET", "services/tracker")["seeds"] < 2:
            require(time.monotonic() < end, f"{node.call('GET', 'services/tracker')}")
            time.sleep(0.1)
    for c in clients:
        for _, torrent in films.values():
            c.add([torrent.path], t.sub("got", c.name))
    for c in clients:
        for scheme, (path, torrent) in films.items():
            with t.case(f"{c.name} finds the seed over {scheme}"):
                c.wait_done(torrent.id, 60)
                require_same(path, t.folder / "got" / c.name / path.name)
    with t.case("two libtorrents find each other over UDP and IPv6"):
        path, torrent = film(t, "udp6.bin", url("udp", ours.ips[1]))
        pair = [t.client("libtorrent", on=host) for host in (two, three)]
        for c, host in zip(pair, (two, three)):
            c.settings = {"listen_interfaces": f"[{host.ips[1]}]:{c.port}", "outgoing_interfaces": ""}
            c.start()
        pair[0].add([torrent.path], path.parent, seed=True)
        pair[0].wait_done(torrent.id, 60)
        pair[1].add([torrent.path], t.sub("got", "six"))
        pair[1].wait_done(torrent.id, 60)
        require_same(path, t.folder / "got" / "six" / path.name)
        require(node.call("GET", "services/tracker")["ipv6_peers"] == 2, f"{node.call('GET', 'services/tracker')}")
    with t.case("everybody is counted"):
        stats = node.call("GET", "services/tracker")
        require(stats["swarms"] == 3 and stats["seeds"] + stats["leechers"] == 10, f"{stats}")
        asked = requests(node)
        require(all(asked[scheme, "ipv4"]["announces"] >= 4 for scheme in ("http", "udp")), f"{asked}")
        require(not any(r["malformed"] or r["refused"] for r in asked.values()), f"{asked}")


@suite("npm bittorrent-tracker's client at our tracker", limit=180)
def _(t):
    ours, one, two = hosts(3)
    node = t.client("compeer", on=ours, options=["--offer", "tracker"]).start()
    for i, (scheme, family) in enumerate((scheme, family) for scheme in ("http", "udp") for family in (4, 6)
                                         if scheme == "http" or family == 4):      # it does not read the brackets of an IPv6 address in udp://
        ip = ours.ips[0 if family == 4 else 1]
        with t.case(f"announce, complete, scrape and stop over {scheme}, IPv{family}"), contextlib.ExitStack() as stack:
            id = f"{i:02x}" * 20
            with npm(t, one, "client", url(scheme, ip), id, 5001, "seed") as alice:
                alice.wait("update")
                bob = stack.enter_context(npm(t, two, "client", url(scheme, ip), id, 5002, "leech"))
                require(bob.wait("update") == {"complete": 1, "incomplete": 1}, f"{bob.said}")
                peer = bob.wait("peer")
                require(one.ips[0 if family == 4 else 1] in peer and peer.endswith(":5001"), peer)
                bob.tell("complete")
                end = time.monotonic() + 60
                while True:
                    alice.tell("scrape")
                    numbers = alice.wait("scrape")
                    if numbers["complete"] == 2 and numbers["downloaded"] == 1 and numbers["infoHash"] == id:
                        break
                    require(time.monotonic() < end, f"{numbers}")
                    time.sleep(0.1)
                for c in (alice, bob):
                    c.tell("stop")
                end = time.monotonic() + 60
                while node.call("GET", "services/tracker")["swarms"]:
                    require(time.monotonic() < end, f"{node.call('GET', 'services/tracker')}")
                    time.sleep(0.1)
    with t.case("each protocol and family is counted"):
        asked = requests(node)
        require(all(r["announces"] >= 3 and r["scrapes"] >= 1 for key, r in asked.items() if key != ("udp", "ipv6")), f"{asked}")


def opentracker(t, host, torrents):
    """Debian's build serves listed torrents only. It shuts itself up in its folder before it reads the list."""
    folder = t.sub("opentracker")
    (folder / "list").write_text("".join(f"{torrent.id}\n" for torrent in torrents))
    program = Program(t, host, "opentracker", "-i", host.ip, "-p", PORT, "-P", PORT, "-u", "nobody", "-w", "list", "-d", folder, cwd=folder)
    end = time.monotonic() + 60
    # it listens before it answers, and resets what comes in between
    while not answers(host):
        require(time.monotonic() < end, "opentracker does not answer after 60 s")
        time.sleep(0.1)
    return program


def answers(host):
    """Whether an HTTP tracker there says anything."""
    with contextlib.suppress(OSError), host.inside(), socket.create_connection((host.ip, PORT), 10) as s:
        s.sendall(b"GET /stats HTTP/1.0\r\n\r\n")
        return bool(s.recv(1))
    return False


@suite("ours at foreign trackers", limit=180)
def _(t):
    theirs, npms, one, two = hosts(4)
    quiet = "dht,lsd,mapping,pex"
    seed, leecher = (t.start("compeer", on=host, without=quiet) for host in (one, two))
    films = {(name, scheme): film(t, f"{name}-{scheme}.bin", url(scheme, host.ip))
             for name, host in (("opentracker", theirs), ("npm", npms)) for scheme in ("http", "udp")}
    with opentracker(t, theirs, [torrent for _, torrent in films.values()]), npm(t, npms, "server", npms.ip, PORT) as server:
        server.wait("ready")
        for path, torrent in films.values():
            seed.add([torrent.path], path.parent, seed=True)
        for _, torrent in films.values():
            seed.wait_done(torrent.id, 60)
        for (name, scheme), (path, torrent) in films.items():
            with t.case(f"we announce to {name} over {scheme}"):
                end = time.monotonic() + 60
                while True:
                    tracker, = seed.call("GET", f"torrents/{torrent.id}/trackers")
                    require(time.monotonic() < end and not tracker["failed"], f"{tracker}")
                    if tracker["answered"]:
                        break
                    time.sleep(0.1)
        for path, torrent in films.values():
            leecher.add([torrent.path], t.sub("got"))
        for (name, scheme), (path, torrent) in films.items():
            with t.case(f"and find each other through {name} over {scheme}"):
                leecher.wait_done(torrent.id, 60)
                require_same(path, t.folder / "got" / path.name)
