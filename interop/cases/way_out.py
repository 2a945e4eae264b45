"""By which way everything leaves: an interface, an address, or a SOCKS5 proxy (microsocks), and nothing past it."""
import contextlib
import random
import select
import socket
import subprocess
import threading
import time

import drivers
import payloads
from harness import require, require_same, suite, wait
from network import Host, Lan
from torrents import make
from tracker import Tracker

SIZE = 2 << 20
OUTGOING = 4                    # linux/if_packet.h
TRANSPORTS = {6: "TCP", 17: "UDP"}
PROXY_PORT = 1080


class Sniffer:
    """Notes whom a host sends TCP and UDP to by one of its network cards. What the kernel says of itself (ARP, MLD) is not looked at."""

    def __init__(self, host, card):
        with host.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.socket.bind((card, 3))
        self.seen, self.sources, self.over = {}, set(), False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over:
            if not select.select([self.socket], [], [], 0.2)[0]:
                continue
            packet, about = self.socket.recvfrom(2048)
            if about[2] != OUTGOING or len(packet) < 24:
                continue
            protocol = None
            if packet[0] >> 4 == 4:
                protocol, to, header = packet[9], socket.inet_ntop(socket.AF_INET, packet[16:20]), (packet[0] & 15) * 4
                source = socket.inet_ntop(socket.AF_INET, packet[12:16])
            elif packet[0] >> 4 == 6 and len(packet) >= 44:
                protocol, to, header = packet[6], socket.inet_ntop(socket.AF_INET6, packet[24:40]), 40
                source = socket.inet_ntop(socket.AF_INET6, packet[8:24])
            if protocol in TRANSPORTS:
                port = int.from_bytes(packet[header + 2:header + 4], "big")
                key = (TRANSPORTS[protocol], to, port)
                self.seen[key] = self.seen.get(key, 0) + 1
                self.sources.add(source)

    def stop(self):
        self.over = True
        self.thread.join()
        self.socket.close()
        return self.seen


@contextlib.contextmanager
def sniffing(host, card):
    sniffer = Sniffer(host, card)
    try:
        yield sniffer
    finally:
        sniffer.stop()


def with_settings(t, host, settings, **options):
    """A node of ours with everything on."""
    node = t.client("compeer", on=host, without="", transport="both", **options)
    node.home.mkdir(parents=True, exist_ok=True)
    (node.home / "config.toml").write_text(settings)
    return node.start(keep_home=True)


class Names:
    """A name server: every name is one address (RFC 1035, section 4)."""

    def __init__(self, host, ip):
        self.asked, self.ip, self.over = [], ip, False
        with host.inside():
            self.socket = socket.socket(type=socket.SOCK_DGRAM)
            self.socket.bind((host.ip, 53))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while not self.over:
            if not select.select([self.socket], [], [], 0.2)[0]:
                continue
            question, who = self.socket.recvfrom(512)
            end = question.index(0, 12) + 5
            self.asked.append(question[13:end - 5])
            is_a = question[end - 4:end - 2] == b"\0\1"
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(self.ip)
            self.socket.sendto(question[:2] + b"\x81\x80\0\1\0" + bytes([is_a]) + b"\0\0\0\0" + question[12:end] + (answer if is_a else b""), who)

    def stop(self):
        self.over = True


def offer(client, *roles):
    """Switches roles on; -> how each is offered then."""
    return {role: client.call("PATCH", f"offers/{role}", {"off": False}) for role in roles}


def reaches(host, to, port):
    """Whether a TCP connection comes about within some seconds."""
    with host.inside(), socket.socket() as probe:
        probe.settimeout(3)
        try:
            probe.connect((to, port))
            return True
        except OSError:
            return False


def listening(host):
    """The ports at which somebody listens by TCP, with the addresses."""
    words = [line.split()[3] for line in host.run("ss", "-Hltn").splitlines()]
    return {tuple(word.rsplit(":", 1)) for word in words}


RELAY, TRACKER = 3340, 6969


def film(t, name):
    path = t.sub("source") / name
    path.write_bytes(random.Random(name).randbytes(SIZE))
    return path


@suite("a SOCKS5 proxy", limit=180)
def _(t):
    lan = Lan()
    alice, middle, bob = (Host(name).plug(lan, f"10.78.0.{i}/24") for i, name in enumerate(("alice", "middle", "bob"), 1))
    alice.run("ip", "route", "add", "default", "via", "10.78.0.254")
    with middle.inside():
        proxy = subprocess.Popen(["microsocks", "-i", middle.ip, "-p", str(PROXY_PORT), "-u", "me", "-P", "secret"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with bob.inside():
        tracker = Tracker(drivers.free_port(), bob.ip)
    try:
        content = film(t, "proxied.bin")
        torrent = make("libtorrent", content, t.folder / "proxied.torrent", payloads.PIECE, tracker=tracker.url)
        seeder = t.start("libtorrent", on=bob)
        tracker.addresses[seeder.port] = bob.ip
        seeder.add([torrent.path], content.parent, seed=True)
        seeder.wait_done(torrent.id, 60)
        with t.case("peers, the tracker and their names go through it, and nothing leaves past it"), sniffing(alice, "eth0") as sniffer:
            ours = with_settings(t, alice, f'[network]\nproxy = "socks5://me:secret@{middle.ip}:{PROXY_PORT}"\n', bootstrap=f"{bob.ip}:{seeder.port}")
            ours.add([torrent.path], t.sub("got"))
            for url in ("udp://10.78.0.3:9/announce", "http://nowhere.example/announce"):
                ours.call("POST", "torrents", {"link": torrent.magnet() + f"&tr={url}&ws=http://elsewhere.example/x&x.pe={bob.ip}:{seeder.port}"})
            # by the tracker alone it would find him, too; this is sooner
            ours.add_peer(bob.ip, seeder.port, torrent.id)
            ours.wait_done(torrent.id, 60)
            require_same(content, t.folder / "got" / content.name)
            wait("the tracker is asked", lambda: tracker.announces > 0)
            time.sleep(3)
            said = lambda: {it["url"]: it["message"] for it in ours.call("GET", f"torrents/{torrent.id}/trackers")}      # noqa: E731
            wait("it is said why one is not asked", lambda: "proxy" in (said().get("udp://10.78.0.3:9/announce") or ""))
            past = {key: count for key, count in sniffer.seen.items() if key != ("TCP", middle.ip, PROXY_PORT)}
            require(not past, f"past the proxy: {past}")
            require(sniffer.seen, "nothing was seen at all")
        with t.case("behind it no role can be taken, and it is said why"):
            for role, offered in offer(ours, "relay", "tracker").items():
                require(offered["runs"] is False and "behind a proxy" in (offered["message"] or ""), f"{role}: {offered}")
            require(not {str(RELAY), str(TRACKER)} & {port for _, port in listening(alice)}, f"{listening(alice)}")
        with t.case("a name is not resolved here for a peer"):
            try:
                ours.add_peer("localhost", 6881, torrent.id)
                require(False, "it was taken")
            except RuntimeError as error:
                require("behind a proxy" in str(error), str(error))
    finally:
        proxy.kill()
        proxy.wait()


@suite("an interface of one's own", limit=180)
def _(t):
    inner, outer = Lan("inner"), Lan("outer")
    alice = Host("alice").plug(inner, "10.79.0.1/24").plug(outer, "10.80.0.1/24")
    bob, carol = Host("bob").plug(inner, "10.79.0.2/24"), Host("carol").plug(outer, "10.80.0.2/24")
    # the system's own choice would be the other way
    alice.run("ip", "route", "add", "default", "via", carol.ip)
    content = film(t, "bound.bin")
    with bob.inside():
        tracker = Tracker(drivers.free_port(bob.ip), bob.ip)
    torrent = make("libtorrent", content, t.folder / "bound.torrent", payloads.PIECE, tracker=tracker.url.replace(bob.ip, "tracker.example"))
    names = [Names(bob, bob.ip), Names(carol, bob.ip)]
    seeders = [t.start("libtorrent", on=host) for host in (bob, carol)]
    for seeder in seeders:
        seeder.add([torrent.path], content.parent, seed=True)
        seeder.wait_done(torrent.id, 60)

    def runs(settings, folder, checks):
        """A node under such settings fetches the torrent, with all that it could ask past them; then the checks, each a case."""
        with sniffing(alice, "eth0") as within, sniffing(alice, "eth1") as other:
            hosts = f"{bob.ip}:{seeders[0].port},{carol.ip}:{seeders[1].port}"
            ours = with_settings(t, alice, settings, bootstrap=hosts)
            ours.add([torrent.path], t.sub("got", folder))
            link = torrent.magnet() + f"&tr=udp://{carol.ip}:9/announce&tr=http://{carol.ip}:9/announce&ws=http://{carol.ip}:9/x"
            link += "&tr=udp://elsewhere.example:9/announce&tr=http://elsewhere.example:9/announce&ws=http://elsewhere.example:9/x"
            ours.call("POST", "torrents", {"link": link})
            for seeder in seeders:
                ours.add_peer(seeder.ip, seeder.port, torrent.id)
            ours.wait_done(torrent.id, 60)
            time.sleep(3)
            for name, check in checks.items():
                with t.case(name):
                    check(ours, within, other)
            ours.stop()

    def not_by_the_other(ours, _, other):
        require(not other.seen, f"by the other interface: {other.seen}")

    def asks_names(ours, _, other):
        wait("a name is asked for", lambda: any(b"elsewhere" in name for name in list(names[0].asked)))
        wait("the tracker with a name is asked", lambda: tracker.announces > 0)
        require(not names[1].asked, f"{[it.asked for it in names]}")

    def has_roles(ours, within, other):
        not_by_the_other(ours, within, other)
        for role, port in (("relay", RELAY), ("tracker", TRACKER)):
            offered = offer(ours, role)[role]
            require(offered["runs"] and offered["urls"] and all(f"{alice.ip}:{port}" in url for url in offered["urls"]), f"{offered}")
            require(reaches(bob, alice.ip, port), f"{role}: not reached by the interface")
            require(not reaches(carol, alice.ips[1], port), f"{role}: reached by the other interface")

    def by_address(ours, within, other):
        strange = (within.sources | other.sources) - {alice.ip}
        require(not strange, f"from other addresses: {strange}, {within.seen} {other.seen}")
        offer(ours, "relay", "tracker")
        places = lambda: {(ip, int(port)) for ip, port in listening(alice) if int(port) in (RELAY, TRACKER)}      # noqa: E731
        wait("both listen", lambda: len(places()) >= 2)
        require(places() == {(alice.ip, RELAY), (alice.ip, TRACKER)}, f"{places()}")

    servers = f'dns = ["{bob.ip}", "{carol.ip}"]\n'
    runs(f'[network]\ninterface = "eth0"\n{servers}', "interface", {
        "bound to an interface, nothing leaves by the other one": not_by_the_other,
        "names are asked for by the interface": asks_names,
        "roles are reached by the interface alone": has_roles,
    })
    runs(f'[network]\naddress = "{alice.ip}"\n{servers}', "address", {
        "with an address everything leaves from it, and roles are there alone": by_address,
    })
    with t.case("another address to listen at is refused"):
        for settings, listen in (("", "127.0.0.9:0"), (f'listen = ["{alice.ips[1]}:0"]\n', None), ("", f"{alice.ips[1]}:0")):
            home = t.sub("contradiction")
            (home / "config.toml").write_text(f'{settings}[network]\naddress = "{alice.ip}"\n')
            done = t.compeer("up", *(("--listen", listen) if listen else ()), on=alice, home=home, ok=False)
            require(done.returncode == 1 and f"is not the address {alice.ip}" in done.stderr, f"{done.returncode} {done.stderr}")
    for it in names:
        it.stop()
    tracker.close()
