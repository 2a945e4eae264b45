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
from harness import require, require_same, suite
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
        self.seen, self.over = {}, False
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
            elif packet[0] >> 4 == 6 and len(packet) >= 44:
                protocol, to, header = packet[6], socket.inet_ntop(socket.AF_INET6, packet[24:40]), 40
            if protocol in TRANSPORTS:
                port = int.from_bytes(packet[header + 2:header + 4], "big")
                key = (TRANSPORTS[protocol], to, port)
                self.seen[key] = self.seen.get(key, 0) + 1

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


def film(t, name):
    path = t.sub("source") / name
    path.write_bytes(random.Random(name).randbytes(SIZE))
    return path


@suite("a SOCKS5 proxy", limit=90)
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
        seeder.wait_done(torrent.id, 30)
        with t.case("peers, the tracker and their names go through it, and nothing leaves past it"), sniffing(alice, "eth0") as sniffer:
            ours = with_settings(t, alice, f'[network]\nproxy = "socks5://me:secret@{middle.ip}:{PROXY_PORT}"\n', bootstrap=f"{bob.ip}:{seeder.port}")
            ours.add([torrent.path], t.sub("got"))
            for url in ("udp://10.78.0.3:9/announce", "http://nowhere.example/announce"):
                ours.call("POST", "torrents", {"link": torrent.magnet() + f"&tr={url}&ws=http://elsewhere.example/x&x.pe={bob.ip}:{seeder.port}"})
            # by the tracker alone it would find him, too; this is sooner
            ours.add_peer(bob.ip, seeder.port, torrent.id)
            ours.wait_done(torrent.id, 30)
            require_same(content, t.folder / "got" / content.name)
            require(tracker.announces > 0, "the tracker was not asked")
            time.sleep(3)
            said = {it["url"]: it["message"] for it in ours.call("GET", f"torrents/{torrent.id}/trackers")}
            require("proxy" in (said.get("udp://10.78.0.3:9/announce") or ""), f"it is not said why: {said}")
            past = {key: count for key, count in sniffer.seen.items() if key != ("TCP", middle.ip, PROXY_PORT)}
            require(not past, f"past the proxy: {past}")
            require(sniffer.seen, "nothing was seen at all")
        with t.case("a name is not resolved here for a peer"):
            try:
                ours.add_peer("localhost", 6881, torrent.id)
                require(False, "it was taken")
            except RuntimeError as error:
                require("behind a proxy" in str(error), str(error))
    finally:
        proxy.kill()
        proxy.wait()


@suite("an interface of one's own", limit=90)
def _(t):
    inner, outer = Lan("inner"), Lan("outer")
    alice = Host("alice").plug(inner, "10.79.0.1/24").plug(outer, "10.80.0.1/24")
    bob, carol = Host("bob").plug(inner, "10.79.0.2/24"), Host("carol").plug(outer, "10.80.0.2/24")
    # the system's own choice would be the other way
    alice.run("ip", "route", "add", "default", "via", carol.ip)
    content = film(t, "bound.bin")
    torrent = make("libtorrent", content, t.folder / "bound.torrent", payloads.PIECE)
    seeders = [t.start("libtorrent", on=host) for host in (bob, carol)]
    for seeder in seeders:
        seeder.add([torrent.path], content.parent, seed=True)
        seeder.wait_done(torrent.id, 30)

    def stays(name, settings, listen):
        with t.case(name), sniffing(alice, "eth1") as sniffer:
            hosts = f"{bob.ip}:{seeders[0].port},{carol.ip}:{seeders[1].port}"
            ours = with_settings(t, alice, settings, bootstrap=hosts)
            ours.add([torrent.path], t.sub("got", listen))
            link = torrent.magnet() + f"&tr=udp://{carol.ip}:9/announce&tr=http://{carol.ip}:9/announce&ws=http://{carol.ip}:9/x"
            ours.call("POST", "torrents", {"link": link})
            for seeder in seeders:
                ours.add_peer(seeder.ip, seeder.port, torrent.id)
            ours.wait_done(torrent.id, 30)
            time.sleep(3)
            require(not sniffer.seen, f"by the other interface: {sniffer.seen}")
            ours.stop()

    stays("bound to an interface, nothing leaves by the other one", '[network]\ninterface = "eth0"\n', "interface")
