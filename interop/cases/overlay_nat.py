"""The overlay across home routers: two nodes behind two of them, and a third that offers a relay as the only public one."""
import contextlib

from cases.overlay import Node
from harness import require, suite, wait
from network import Host, Lan
from router import Router

RELAY_PORT = 3340


class Homes:
    """Alice and Bob, each behind a router of their own, and a public host that offers a relay and is the DHT's entry."""

    def __init__(self, t, symmetric=False):
        self.t = t
        self.internet = Lan("internet")
        self.public = Host("public").plug(self.internet, "11.0.0.2/24")
        self.routers = [Router(f"router{i}", self.internet, f"11.0.0.{i}0/24", Lan(f"home{i}"), f"192.168.{i}.1/24", symmetric) for i in (1, 2)]
        self.alice, self.bob = (router.host(name, 2) for router, name in zip(self.routers, ("alice", "bob")))

    def relay(self, number=0):
        """The public node."""
        return Node(self.t, f"relay{number}", self.public, seed=50 + number, bind=["11.0.0.2:0"], dht="11.0.0.2:6881", offer_relay=f"11.0.0.2:{RELAY_PORT + number}")

    def node(self, name, relay, **settings):
        host, seed = (self.alice, 1) if name == "alice" else (self.bob, 2)
        return Node(self.t, name, host, seed=seed, dht=f"{host.ip}:0", known=["11.0.0.2:6881"], publish=True, relays=[relay.relay], **settings)


def pinged(node, other, **words):
    """The pongs, once the other is found."""
    def ask():
        answer = node.ask("ping", node=other.id, **words)
        return answer if isinstance(answer, list) else None
    return wait(f"{node.name} reaches {other.name}", ask)


def block_udp(router):
    """Nothing but TCP passes any more, in neither direction."""
    router.run("nft", "insert", "rule", "inet", "home", "forward", "meta", "l4proto", "udp", "drop")
    # connections that stand are remembered, and accepted before the rule's place in other chains
    router.run("sh", "-c", "conntrack -F 2>/dev/null || true")


@suite("overlay, two routers", limit=300)
def _(t):
    homes = Homes(t)
    with contextlib.ExitStack() as stack:
        relay = stack.enter_context(homes.relay())
        alice, bob = (stack.enter_context(homes.node(name, relay)) for name in ("alice", "bob"))
        with t.case("each finds the relay and knows where the outside sees it"):
            for node, router in ((alice, homes.routers[0]), (bob, homes.routers[1])):
                wait(f"{node.name} has a relay", lambda: relay.relay in node.hints())
                wait(f"{node.name} knows its address outside", lambda: any(hint.startswith(f"{router.ip}:") for hint in node.hints()))
        with t.case("Bob finds Alice by her key in the DHT, and reaches her directly through both routers"):
            wait("the record", lambda: alice.id and any(source == "dht" for source, _ in bob.found(alice.id)))
            def direct():
                way = pinged(bob, alice, times=4, pause_ms=250)[-1]["way"]
                return way if way and way.get("direct", "").startswith(f"{homes.routers[0].ip}:") else None
            way = wait("the way gets direct", direct)
            connection = next(c for c in bob.ask("connections") if c["node"] == alice.id)
            require(connection["way"] == way and connection["rtt_ms"] is not None and connection["received"] > 0, f"{connection}")
        with t.case("when the relay is gone the direct connection goes on"):
            relay.process.kill()
            pongs = bob.ask("ping", node=alice.id, times=40, pause_ms=250)
            require(isinstance(pongs, list) and len(pongs) == 40 and pongs[-1]["way"].get("direct"), f"{pongs}")


@suite("overlay, UDP blocked", limit=240)
def _(t):
    homes = Homes(t)
    block_udp(homes.routers[1])
    with homes.relay() as relay, homes.node("alice", relay) as alice, homes.node("bob", relay) as bob:
        with t.case("the relay carries what cannot go directly"):
            wait("Alice has a relay", lambda: relay.relay in alice.hints())
            pongs = pinged(bob, alice, hints=[relay.relay], times=10)
            require(all(pong["way"] == {"relay": relay.relay} for pong in pongs), f"{pongs}")
        with t.case("in the other direction, too"):
            wait("Bob has a relay", lambda: relay.relay in bob.hints())
            pongs = pinged(alice, bob, hints=[relay.relay], times=3)
            require(pongs[-1]["way"] == {"relay": relay.relay}, f"{pongs}")


@suite("overlay, routers that no hole passes", limit=240)
def _(t):
    homes = Homes(t, symmetric=True)
    with homes.relay() as relay, homes.node("alice", relay) as alice, homes.node("bob", relay) as bob:
        with t.case("two routers with another port for each destination leave the relay, and it is shown"):
            wait("Alice has a relay", lambda: relay.relay in alice.hints())
            pongs = pinged(bob, alice, times=20, pause_ms=250)
            require(pongs[-1]["way"] == {"relay": relay.relay}, f"{pongs}")
