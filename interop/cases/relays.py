"""The relay role: two endpoints of iroh's own package, which can reach nothing else of one another, meet by our node."""
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import people
from cases.private_nat import blob, own_relay, ping, send
from cases.way_out import sniffing
from harness import Failed, require, still, suite, wait
from network import Host, Lan

PROGRAM = Path(__file__).resolve().parent.parent / "iroh_node.py"
PORT = 3340
RELAY = f"http://11.0.1.1:{PORT}"
GONE = 2        # seconds within which a change has to hold
PROMPT = 15     # the same on a busy computer
Z_BASE_32 = "ybndrfg8ejkmcpqxot1uwisza345h769"


def node_id(key):
    """A key as Compeer writes it."""
    bits = int.from_bytes(key, "big") << 4
    return "".join(Z_BASE_32[bits >> shift & 31] for shift in range(255, -1, -5))


class Iroh:
    """One endpoint, in a process of its own."""

    def __init__(self, t, name, on, seed):
        self.log = open(t.sub("logs") / f"iroh-{name}.txt", "w+")
        with on.inside():
            self.process = subprocess.Popen([sys.executable, PROGRAM, json.dumps({"relay": RELAY, "seed": seed})], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.key = bytes.fromhex(self.read(60)["id"])
        self.id = node_id(self.key)

    def read(self, timeout=70):
        watchdog = threading.Timer(timeout, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        self.log.seek(0)
        require(line, f"iroh's endpoint said nothing: {self.log.read()[-600:]}")
        return json.loads(line)

    def begin(self, do, **more):
        self.process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self.process.stdin.flush()

    def ask(self, do, **more):
        self.begin(do, **more)
        answer = self.read()
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()


def for_iroh(t, at_once):
    # two Ethernets that no router joins: all that both reach is the relay
    left, right = Lan("left"), Lan("right")
    public = Host("public").plug(left, "11.0.1.1/24").plug(right, "11.0.2.1/24")
    ada, bob = Host("ada").plug(left, "11.0.1.2/24"), Host("bob").plug(right, "11.0.2.2/24")
    bob.run("ip", "route", "add", "11.0.1.1/32", "via", "11.0.2.1")
    compeer = t.start("person", called="carol", on=public, options=("--offer", "relay"))

    def relay():
        return compeer.call("GET", "services/relay")

    with Iroh(t, "ada", ada, 1) as one, Iroh(t, "bob", bob, 2) as two:
        with t.case("both are taken in, and send each other a megabyte that the relay counts"):
            for node in (one, two):
                node.ask("online")
            two.begin("echo")
            answer = one.ask("ask", node=two.key.hex(), bytes=1_000_000)
            require(two.read() == {"bytes": 1_000_000} and answer["same"], f"{answer}")
            require(answer["ways"] and all(way["relay"] for way in answer["ways"]), f"{answer}")
            wait("all of it is counted", lambda: (stats := relay())["clients"] >= 2 and min(stats["received_bytes"], stats["sent_bytes"]) > 2_000_000)
        with t.case("what it carried is in the report of who uses what"):
            def carried():
                usage = compeer.call("GET", "usage")["totals"]
                return next((u for u in usage if u["service"] == "relay" and u["downloaded_bytes"] > 2_000_000), None)
            wait("it is counted", carried)
        with t.case("offered to one node alone, the other is sent away at once"):
            compeer.run("offer", "relay", "--to", f"node:{one.id}")
            wait("bob is gone", lambda: relay()["clients"] == 1 + own(compeer), at_once)
            require(relay()["revoked"] >= 1, f"{relay()}")
        with t.case("switched off while it runs, and on again"):
            compeer.run("offer", "relay", "--off")
            wait("it is off", lambda: (shown := offered(compeer))["off"] and shown["runs"] is False and not shown["urls"])
            wait("nobody listens any more", lambda: not listens(public))
            require(f":{PORT}" not in compeer.run("contact", "invite")["link"], "a link names it")
            compeer.run("offer", "relay", "--on", "--to", "everyone")
            wait("it runs", lambda: (shown := offered(compeer))["runs"] is True and shown["urls"] and shown["message"] is None)
            for node in (one, two):
                node.ask("online")
            wait("both are back", lambda: relay()["clients"] >= 2)


@suite("a relay for iroh", limit=180)
def _(t):
    for_iroh(t, PROMPT)


@suite("a relay for iroh sends away within two seconds", limit=180, prove=True)
def _(t):
    for_iroh(t, GONE)


def own(compeer):
    """Whether the node is a client of its own relay by now."""
    return int(bool(((compeer.call("GET", "network")["overlay"] or {}).get("relay") or {}).get("connected")))


def offered(compeer):
    return next(offer for offer in compeer.call("GET", "offers") if offer["service"] == "relay")


def listens(host):
    return f":{PORT} " in host.run("ss", "-ltn")


def to_relay(host):
    """The TCP connections that a host has to the relay: the addresses that they leave from."""
    lines = host.run("ss", "-Htn", "state", "established", "state", "syn-sent", "dport", "=", f":{PORT}").splitlines()
    return [line.split()[3].rsplit(":", 1)[0] for line in lines]


def to_port(sniffer):
    """What went to the relay. Its node dials from another port, and hears that it is refused."""
    return {key: count for key, count in list(sniffer.seen.items()) if key[2] == PORT}


def is_refused(t, at_once):
    # as above; and Dave, whom the system would let leave from another address than the one of his settings
    left, right = Lan("left"), Lan("right")
    public = Host("public").plug(left, "11.0.1.1/24").plug(right, "11.0.2.1/24")
    ada, bob, dave = Host("ada").plug(left, "11.0.1.2/24"), Host("bob").plug(right, "11.0.2.2/24"), Host("dave").plug(left, "11.0.1.4/24", "11.0.1.5/24")
    bob.run("ip", "route", "add", "11.0.1.1/32", "via", "11.0.2.1")
    dave.run("ip", "route", "replace", "11.0.1.0/24", "dev", "eth0", "src", dave.ips[1])
    carol = t.start("person", called="carol", on=public, listen="0.0.0.0:4001", options=("--offer", "relay"), config='[offer.relay]\npublic = ["11.0.1.1:3340"]\n')
    alice, bob_, dave_ = (t.start("person", called=name, on=host, listen=f"{at}:4001", config=config) for name, host, at, config in (
        ("alice", ada, "0.0.0.0", ""), ("bob", bob, "0.0.0.0", ""), ("dave", dave, dave.ip, f'[network]\naddress = "{dave.ip}"\n')))
    for person in (alice, bob_, dave_):
        people.befriend(carol, person)
    for person in (alice, bob_, dave_):
        wait(f"{person.name} has a relay", lambda: own_relay(person))
    with t.case("who has nothing else in common meets by the relay, and a share arrives as it was"):
        people.befriend(alice, bob_)
        _, seen = send(t, alice, bob_, blob(t, "relayed.bin", 4 << 20))
        require(seen and all(way.get("relayed") for way in seen), f"{seen}")
    with t.case("it is spoken to from the address that everything leaves from"), sniffing(dave, "eth0") as sniffer:
        wait("there is a connection", lambda: to_relay(dave))
        require(set(to_relay(dave)) <= {dave.ip}, f"{to_relay(dave)}")
        wait("something is said", lambda: ("TCP", "11.0.1.1", PORT) in sniffer.seen)
        require(sniffer.sources == {dave.ip}, f"{sniffer.sources}: {sniffer.seen}")
    with t.case("in a pause nothing is left of it, and after it all is back"), sniffing(ada, "eth0") as sniffer:
        wait("alice is connected", lambda: to_relay(ada))
        alice.run("pause", "--everything")
        wait("the connection is gone", lambda: not to_relay(ada), at_once)
        # what asks for our own address (QUIC, over UDP) is hung up
        wait("no more is asked", lambda: ("UDP", "11.0.1.1", PORT) in sniffer.seen)
        before = still(lambda: to_port(sniffer), 1)
        time.sleep(4)
        require(to_port(sniffer) == before, f"something was said: {before} {sniffer.seen}")
        alice.run("resume", "--everything")
        wait("alice is back", lambda: to_relay(ada) and own_relay(alice))
        wait("bob reaches her", lambda: ping(bob_, "alice"))
    for words, rule in (("the address", "11.0.1.1"), ("whoever runs it", "carol")):
        with t.case(f"{words} is blocked while it is connected: gone at once"), sniffing(ada, "eth0") as sniffer:
            wait("alice is connected", lambda: to_relay(ada))
            alice.run("block", rule)
            wait("the connection is gone", lambda: not to_relay(ada), at_once)
            before = still(lambda: to_port(sniffer), 1)
            time.sleep(1.5)
            require(to_port(sniffer) == before and not to_relay(ada), f"something was said: {before} {sniffer.seen}")
            alice.run("block", "--remove", rule)
            wait("alice is back", lambda: to_relay(ada) and own_relay(alice))


@suite("a relay that is refused", limit=240)
def _(t):
    is_refused(t, PROMPT)


@suite("a relay that is refused is left within two seconds", limit=240, prove=True)
def _(t):
    is_refused(t, GONE)
