"""The overlay: nodes that dial each other by key. Its records in the DHT are read and written by libtorrent, and by glibc's DNS parser."""
import contextlib
import ctypes
import json
import os
import subprocess
import threading
import time
from pathlib import Path

import compeer_driver
from cases.dht import LIBTORRENT
from harness import Failed, require, still, suite, wait
from network import Host, Lan, hosts

PROGRAM = os.environ.get("COMPEER_OVERLAY") or str(Path(compeer_driver.BINARY).parent / "examples" / "overlay")
DHT_PORT = 6881
IROH = "_iroh"


class Node:
    """A node of the overlay without the rest of Compeer (crates/overlay/examples/overlay.rs), for as long as the block lasts."""

    def __init__(self, t, name, on, **settings):
        self.name = name
        self.log = open(t.sub("logs") / f"overlay-{name}.txt", "w+")
        with on.inside():
            self.process = subprocess.Popen([PROGRAM, json.dumps(settings)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        status = self.read(60)
        self.id, self.relay = status["node"], status["relay"]

    def read(self, timeout):
        watchdog = threading.Timer(timeout, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            self.log.flush()
            raise Failed(f"{self.name} does not answer: {Path(self.log.name).read_text()[-400:]}")
        return json.loads(line)

    def ask(self, do, timeout=60, **words):
        self.process.stdin.write(json.dumps({"do": do, **words}) + "\n")
        self.process.stdin.flush()
        return self.read(timeout)

    def hints(self):
        return self.ask("status")["hints"]

    def found(self, node):
        """What it finds of another, without dialling: [(who told it, hint)]"""
        return [tuple(entry) for entry in self.ask("resolve", node=node)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Message(ctypes.Structure):
    """ns_msg of <arpa/nameser.h>"""
    _fields_ = [("msg", ctypes.c_void_p), ("eom", ctypes.c_void_p), ("id", ctypes.c_uint16), ("flags", ctypes.c_uint16), ("counts", ctypes.c_uint16 * 4),
                ("sections", ctypes.c_void_p * 4), ("sect", ctypes.c_int), ("rrnum", ctypes.c_int), ("ptr", ctypes.c_void_p)]


class Record(ctypes.Structure):
    """ns_rr of <arpa/nameser.h>"""
    _fields_ = [("name", ctypes.c_char * 1025), ("type", ctypes.c_uint16), ("rr_class", ctypes.c_uint16), ("ttl", ctypes.c_uint32),
                ("rdlength", ctypes.c_uint16), ("rdata", ctypes.POINTER(ctypes.c_uint8))]


def texts(packet):
    """The TXT records of a DNS packet, as glibc's resolver reads them: {name: [text]}"""
    resolver = ctypes.CDLL("libresolv.so.2")
    message, found = Message(), {}
    require(resolver.ns_initparse(packet, len(packet), ctypes.byref(message)) == 0, "glibc does not take it for a DNS packet")
    for i in range(message.counts[1]):
        record = Record()
        require(resolver.ns_parserr(ctypes.byref(message), 1, i, ctypes.byref(record)) == 0, f"glibc cannot read answer {i}")
        require((record.type, record.rr_class) == (16, 1), f"type {record.type}, class {record.rr_class}")
        data = bytes(record.rdata[:record.rdlength])
        require(data[0] == len(data) - 1, "more than one string in a record")
        found.setdefault(record.name.decode(), []).append(data[1:].decode())
    return found


def packet(name, values):
    """A DNS packet with a TXT record for each value, written by hand (RFC 1035, 4.1)."""
    encoded = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    answers = b"".join(encoded + b"\0\x10\0\1\0\0\0\x1e" + (len(v) + 1).to_bytes(2) + bytes([len(v)]) + v.encode() for v in values)
    return b"\0\0\x84\0\0\0" + len(values).to_bytes(2) + b"\0\0\0\0" + answers


@suite("the choice to be found in the DHT, while the node runs", limit=180)
def _(t):
    one, two = hosts(2)
    libtorrent = t.start("libtorrent", on=one, settings=LIBTORRENT)
    place = f"{libtorrent.ip}:{libtorrent.port}"
    alice = t.start("person", called="alice", on=two, without="lsd,mapping,relays", bootstrap=place, config="publish = false\n")
    overlay = lambda: alice.call("GET", "network")["overlay"]
    key = bytes(z_base_32(overlay()["node"])).hex()
    there = lambda: libtorrent.ask(cmd="dht_get", key=key, hex=True)["text"]
    with t.case("who did not choose it is not there"):
        wait("the DHT is entered", lambda: alice.call("GET", "dht")["ready"])
        require(not overlay()["published"] and not there(), f"{overlay()}")
    with t.case("the edited file makes it be there"):
        config = alice.home / "config.toml"
        config.write_text(config.read_text().replace("publish = false", "publish = true"))
        wait("the setting holds", lambda: overlay()["published"])
        wait("the record is there", there)


@suite("overlay, records in the DHT", limit=180)
def _(t):
    one, two, three = hosts(3)
    libtorrent = t.start("libtorrent", on=one, settings=LIBTORRENT)
    known = [f"{libtorrent.ip}:{libtorrent.port}"]
    with contextlib.ExitStack() as stack:
        alice = stack.enter_context(Node(t, "alice", two, seed=7, bind=[f"{two.ip}:0"], dht=f"{two.ip}:0", known=known, publish=True))
        bob = stack.enter_context(Node(t, "bob", three, seed=9, bind=[f"{three.ip}:0"], dht=f"{three.ip}:0", known=known))
        with t.case("libtorrent gets our record by the node's id, and glibc's DNS parser reads it"):
            key = bytes(z_base_32(alice.id)).hex()
            wait("the record is there", lambda: libtorrent.ask(cmd="dht_get", key=key, hex=True)["text"])
            got = libtorrent.ask(cmd="dht_get", key=key, hex=True)
            records = texts(bytes.fromhex(got["text"]))
            require(records == {f"{IROH}.{alice.id}": [f"addr={hint}" for hint in alice.hints()]}, f"{records} of {alice.hints()}")
            require(abs(got["seq"] / 1e6 - time.time()) < 300, f"the number of the version is no time in microseconds: {got['seq']}")
        # when it begins iroh asks the kernel for a route, without a packet, to learn our own address: twice, some time apart
        before = still(lambda: [host.leaks() for host in (two, three)])
        with t.case("another node of ours finds it there, and dials it by key alone"):
            wait("Bob finds it", lambda: bob.found(alice.id) == [("dht", hint) for hint in alice.hints()])
            pongs = bob.ask("ping", node=alice.id)
            require(pongs[0]["way"] == {"direct": alice.hints()[0]}, f"{pongs}")
        with t.case("who does not publish is not found"):
            found = alice.found(bob.id)
            require(found == [], f"{found}")
        with t.case("a record that libtorrent put is what we find"):
            seed = bytes([9] * 32).hex()
            value = packet(f"{IROH}.{bob.id}", [f"addr={bob.hints()[0]}", "relay=https://relay.example/"])
            put = libtorrent.ask(cmd="dht_put", seed=seed, key=bytes(z_base_32(bob.id)).hex(), hex=value.hex())
            require(put["nodes"] > 0, f"{put}")
            wait("Alice finds it", lambda: alice.found(bob.id) == [("dht", bob.hints()[0]), ("dht", "https://relay.example/")])
            require(alice.ask("ping", node=bob.id)[0]["way"] == {"direct": bob.hints()[0]}, "dialled elsewhere")
        with t.case("what is no record of the node is not taken for one"):
            libtorrent.ask(cmd="dht_put", seed=seed, key=bytes(z_base_32(bob.id)).hex(), hex=packet(f"{IROH}.{alice.id}", ["addr=10.77.0.1:1"]).hex())
            found = alice.found(bob.id)
            require(found == [], f"{found}")
        with t.case("nothing wanted to leave the Ethernet"):
            after = [host.leaks() for host in (two, three)]
            require(after == before, f"{before} became {after}")


def z_base_32(text):
    """The 32 bytes of an id."""
    bits = "".join(f"{'ybndrfg8ejkmcpqxot1uwisza345h769'.index(c):05b}" for c in text)
    return [int(bits[i:i + 8], 2) for i in range(0, 256, 8)]


@suite("overlay, on the local network", limit=180)
def _(t):
    lan = Lan()
    two = [Host(name).plug(lan, f"192.168.7.{i}/24") for i, name in enumerate(("alice", "bob"), 1)]
    for host in two:
        # without a way outside a computer has none for multicast either
        host.run("ip", "route", "add", "224.0.0.0/4", "dev", "eth0")
    with Node(t, "alice", two[0], seed=1, mdns=True) as alice, Node(t, "bob", two[1], seed=2, mdns=True) as bob:
        with t.case("a node is found by its key by mDNS, and dialled"):
            pongs = []
            wait("Bob finds Alice", lambda: isinstance(answer := bob.ask("ping", node=alice.id), list) and not pongs.extend(answer))
            require(pongs[0]["way"]["direct"].startswith("192.168.7.1:"), f"{pongs}")
            found = bob.found(alice.id)
            require({source for source, _ in found} == {"mdns"}, f"{found}")
