"""People behind home routers: two of them, and a third as the only public node, which offers a relay and is where the DHT is entered."""
import random
import re
import time

import people
from harness import require, require_same, suite, wait
from network import Host, Lan
from router import Router

MIB, GIB = 1 << 20, 1 << 30
PORT, NODES, RELAY = 6881, 4001, 3340
# what the relay lets through here: as much as there is
RATES = '\n[offer.relay]\nclient_rate = "1000M"\nrate = "2000M"\n'


class Homes:
    """Alice and Bob, each behind a router, and Carol in public. Carol is a contact of both; they do not know each other."""

    def __init__(self, t):
        self.t, internet = t, Lan("internet")
        self.public = Host("public").plug(internet, "11.0.0.2/24")
        self.routers = [Router(f"router{i}", internet, f"11.0.0.{i}0/24", Lan(f"home{i}"), f"192.168.{i}.1/24") for i in (1, 2)]
        self.carol = self.start("carol", self.public, options=("--offer", "relay"), config=RATES)
        self.alice, self.bob = (self.start(name, router.host(name, 2)) for name, router in zip(("alice", "bob"), self.routers))

    def start(self, name, on, config="", options=()):
        person = self.t.client("person", called=name, on=on, port=PORT, transport="both", without="lsd,mapping,relays", bootstrap=f"{self.public.ip}:{PORT}",
                               listen=f"0.0.0.0:{NODES}", config=config, options=options)
        return person.start()

    def block_udp(self, router):
        """Nothing but TCP passes a router any more."""
        router.run("nft", "insert", "rule", "inet", "home", "forward", "meta", "l4proto", "udp", "drop")


def without_hints(link):
    return re.sub(r"[?&]at=[^&]*", "", link)


def ping(person, who, times=1):
    """-> the ways of the answers; nothing while nobody answers."""
    try:
        return [answer["way"] for answer in person.call("POST", "nodes/ping", {"who": who, "times": times})["answers"]]
    except RuntimeError as error:
        require("409" in str(error), str(error))
        return None


def ways(person, service="wire"):
    return [c["way"] for c in person.call("GET", "connections") if c["service"] == service]


def send(t, sender, receiver, path, during=None, timeout=120):
    """Shares and takes up; -> (seconds from taking up until it was verified, the ways that were seen)."""
    id = sender.share(path, to=[receiver.name])
    # the sharer tries again after a while, where a way just broke
    receiver.hears_of(id, 150)
    began, seen = time.monotonic(), []
    receiver.accept(id, t.sub("got", receiver.name))
    while not receiver.torrents().get(id, {}).get("done"):
        seen += [way for way in ways(receiver) if way and way not in seen]
        if during:
            during(receiver.torrents().get(id, {}).get("bytes", 0))
        require(time.monotonic() - began < timeout, f"{path.name} did not arrive within {timeout} s: {receiver.torrents()}")
        time.sleep(0.1)
    seconds = time.monotonic() - began
    require_same(path, t.sub("got", receiver.name) / path.name)
    return seconds, seen


def blob(t, name, size):
    path = t.sub("source") / name
    random_bytes = random.Random(name)
    with open(path, "wb") as f:
        for _ in range(0, size, MIB):
            f.write(random_bytes.randbytes(min(MIB, size)))
    return path


def own_relay(person):
    """What a node says of its relay; nothing while it is not connected."""
    overlay = person.call("GET", "network")["overlay"]
    return overlay if (overlay["relay"] or {}).get("connected") else None


def story(t, size, timeout, kill=False):
    """`kill`: the relay ends amid the first share, and comes back for the second."""
    homes = Homes(t)
    carol, alice, bob = homes.carol, homes.alice, homes.bob
    with t.case("who has a contact that offers a relay uses it, and says whose it is"):
        for person in (alice, bob):
            people.befriend(carol, person)
        for person in (alice, bob):
            overlay = wait(f"{person.name} has a relay", lambda: own_relay(person))
            require([r["offered_by"] for r in overlay["relays"]] == ["carol"] and not overlay["public_relays"], f"{overlay}")
    with t.case("Bob finds Alice by nothing but her key, in the DHT"):
        require(not bob.run("contact", "list")[1:], "Bob knows Alice")
        key = alice.run("id", "show")["node"]
        wait("Alice answers Bob", lambda: ping(bob, key))
    with t.case("they become contacts by a link that says nothing of where Alice is"):
        link = without_hints(alice.run("contact", "invite")["link"])
        require("11.0.0" not in link and "192.168" not in link, link)
        bob.run("contact", "add", link, "--name", "alice")
        wait("both know", lambda: all(any(c["name"] == b.name and c["state"] == "contact" for c in a.run("contact", "list")) for a, b in ((alice, bob), (bob, alice))))
    with t.case("the hole is punched: the way gets direct, and is shown"):
        def direct():
            last = (ping(bob, "alice", 4) or [None])[-1]
            return last if last and last.get("direct", "").startswith(homes.routers[0].ip) else None
        last = wait("a direct way", direct)

        def shown():
            connections = [c for c in bob.run("connections") if c["person_name"] == "alice" and c["service"] == "ping"]
            return any(c["way"] == last and c["rtt_ms"] is not None and c["received_bytes"] for c in connections)
        wait("the way is shown", shown)
    with t.case(f"a private share of {size // MIB} MiB arrives directly" + (", also when the relay is gone" if kill else "")):
        gone = []

        def during(had):
            if had and kill and not gone:
                carol.proc.kill()
                gone.append(had)
            if gone and had > size // 4:
                alice.limit(0)
        path = blob(t, "direct.bin", size)
        alice.limit(size // 4 if kill else 0)
        seconds, seen = send(t, alice, bob, path, during, timeout)
        require(bool(gone) == kill and seen and "direct" in seen[-1], f"{gone} {seen}")
        t.note(direct_mib=size // MIB, seconds=round(seconds, 1))
    return homes


def relayed(t, homes, size, timeout):
    """Bob's router lets no UDP pass: what Alice shares comes by the relay."""
    before = homes.carol.call("GET", "services/relay")["received_bytes"]
    path = blob(t, "relayed.bin", size)
    seconds, seen = send(t, homes.alice, homes.bob, path, timeout=timeout)
    passed = homes.carol.call("GET", "services/relay")["received_bytes"] - before
    require(passed > size and any("relayed" in way for way in seen), f"{passed} bytes, {seen}")
    t.note(relayed_mib=size // MIB, relayed_seconds=round(seconds, 1))


@suite("private sharing with UDP blocked", limit=180)
def _(t):
    homes = Homes(t)
    homes.block_udp(homes.routers[1])
    with t.case("who can send no UDP is met by the relay of a contact"):
        people.befriend(homes.carol, homes.alice)
        people.befriend(homes.carol, homes.bob)
        for person in (homes.alice, homes.bob):
            wait(f"{person.name} has the relay", lambda: own_relay(person))
        people.befriend(homes.alice, homes.bob)
        answers = wait("Alice answers Bob", lambda: ping(homes.bob, "alice", 4))
        require(all("relayed" in way for way in answers), f"there is another way: {answers}")
    with t.case("and what is shared comes by it"):
        relayed(t, homes, 8 * MIB, 120)


@suite("private sharing through two routers", limit=300)
def _(t):
    story(t, 8 * MIB, 120)


@suite("a private share of a gigabyte through two routers", limit=900, prove=True)
def _(t):
    homes = story(t, GIB, 360, kill=True)
    with t.case("with UDP blocked the relay carries as much"):
        homes.block_udp(homes.routers[1])
        homes.carol.stop()
        homes.carol.start(keep_home=True)
        for person in (homes.alice, homes.bob):
            wait(f"{person.name} has the relay", lambda: own_relay(person), 90)
        for one, other in ((homes.bob, homes.alice), (homes.alice, homes.bob)):
            wait(f"{other.name} is reached", lambda: ping(one, other.name), 90)
        relayed(t, homes, GIB, 360)


@suite("a relay for a group", limit=180)
def _(t):
    homes = Homes(t)
    carol, alice, bob = homes.carol, homes.alice, homes.bob
    for router in homes.routers:
        homes.block_udp(router)
    carol.run("group", "create", "choir")
    with t.case("who comes into a group uses the relay that a member offers it, and says whose it is"):
        for person in (alice, bob):
            # at first by the address in the link, which TCP alone does not reach: so the relay in it
            person.run("group", "join", carol.run("group", "invite", "choir")["link"])
        carol.run("offer", "relay", "--to", "choir")
        for person in (alice, bob):
            overlay = wait(f"{person.name} has a relay", lambda: own_relay(person))
            require([r["offered_by"] for r in overlay["relays"]] == ["carol"] and not overlay["public_relays"], f"{overlay}")
            require(not person.run("contact", "list"), f"{person.name} has contacts")
    with t.case("two members who are no contacts meet by it, and what one shares with the group arrives"):
        path = blob(t, "hymn.bin", 4 * MIB)
        id = alice.share(path, groups=["choir"])
        bob.hears_of(id, 60)
        bob.accept(id, t.sub("got", "bob"))
        seen = []

        def done():
            seen.extend(way for way in ways(bob) if way and way not in seen)
            return bob.torrents().get(id, {}).get("done")
        wait("it is here", done, 120)
        require_same(path, t.sub("got", "bob") / path.name)
        require(seen and all("relayed" in way for way in seen), f"{seen}")
    with t.case("who is no member any more is not carried"):
        carol.run("group", "remove", "choir", "bob")
        wait("Bob's relay is gone", lambda: not (bob.call("GET", "network")["overlay"]["relay"] or {}).get("connected"))
