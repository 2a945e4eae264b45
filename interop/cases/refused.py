"""Who is not meant gets nothing, over any carrier, whatever it knows: a stranger, a revoked node, an expelled member, one who is
blocked. Asked by libtorrent over TCP and uTP, by a stranger's compeer, and of each service of the overlay by iroh's own endpoint
with the keys and certificates that the refused ones still hold."""
import json
import time

import people
from cases.discovery import Wire
from cases.private import QUIET, blob, start
from harness import Failed, require, still, suite
from iroh_caller import HELLO, call, framed, key_of, list_of, questions, z32
from network import hosts

MIB = 1 << 20
SLOW = MIB // 4         # bytes a second: what is shared takes a minute
GONE = 20       # seconds in which a running transfer has to end, on a busy computer
REFUSED, WELCOME, REVOKED = 2, 1, 12     # messages of the service `people`: crates/people/src/proto/exchange/message.rs


class Known:
    """All that one can know of a node and what it shares."""

    def __init__(self, sharer, id, group=None):
        self.me = sharer.call("GET", "identity")
        self.node, self.hints = self.me["node"], self.me["hints"]
        self.hash = bytes.fromhex(sharer.call("GET", f"torrents/{id}")["info_hash_v2"])
        self.group = group

    def asked_by(self, home=None, person=None):
        """What each service gives to somebody with the key and the certificate of a node, or with new ones."""
        if home is None:
            return call(self.node, self.hints, questions(self.hash))
        key, own = key_of(home), json.loads((home / "me.json").read_text())
        certificate = bytes.fromhex(own["list"])
        return call(self.node, self.hints, questions(self.hash, certificate, self.group, own["node"], self.node), key)


def remember(person):
    """Keeps beside a home who it is, with its list of nodes as it is now, for when its node is down."""
    me = person.call("GET", "identity")
    (person.home / "me.json").write_text(json.dumps(me | {"list": list_of(person.home, me["person"]).hex()}))


def kind(said):
    """Which message of the service `people` came back; None: none."""
    return said[5] if said and len(said) > 5 else None


def require_nothing(said, who):
    require(said["wire"] in (None, HELLO), f"{who} hears of the torrent: {said['wire']}")
    require(said["library"] in (None, HELLO, HELLO + framed(b"d7:entriesle4:morei0ee")) or b"7:refused" in said["library"], f"{who} sees a library: {said['library']}")
    require(said["notice"] in (None, HELLO, HELLO + framed(b"\0")), f"{who} may tell of things: {said['notice']}")
    require(kind(said["people"]) in (None, REFUSED), f"{who} is welcome: {said['people']}")
    # whoever was expelled is heard, to be told that, and shown no list of nodes
    require(said["group"] in (None, HELLO, HELLO + framed(b"\3" + bytes(4))), f"{who} hears of the group: {said['group']}")


def require_no_stream(said, who):
    require(not any(said.values()), f"{who} has streams: {said}")


def require_only_the_list(said, who, person, node):
    """A revoked node is shown the list of its person by which it is revoked, and nothing else."""
    answer = said["people"] or b""
    require_no_stream(said | {"people": None}, who)
    require(kind(answer) == REVOKED and answer == HELLO + framed(answer[5:]), f"{who} hears {answer}")
    shown = answer[6 + 4:]
    require(shown[:32] == z32(person) and z32(node) in shown, f"{who} is shown another list: {shown}")


def fails(person, *words):
    """What it says to a command that it does not carry out."""
    try:
        person.run(*words)
    except RuntimeError as error:
        return str(error)
    raise Failed(f"{person.name} succeeds with compeer {' '.join(map(str, words))}")


def begin(taker, sharer, id, folder):
    """Lets somebody take up a share, slowly, until some of it is there."""
    sharer.limit(SLOW)
    taker.hears_of(id)
    taker.accept(id, folder)
    end = time.monotonic() + 60
    while not taker.torrents().get(id, {}).get("bytes"):
        require(time.monotonic() < end, f"{taker.name} gets nothing although it may")
        time.sleep(0.05)


def require_cut_off(taker, sharer, id, node, services=None):
    """`services`: those whose connections have to end; all if none is named."""
    end = time.monotonic() + GONE
    connected = lambda: [c for c in sharer.call("GET", "usage")["connections"] if c.get("node") == node and (not services or c["service"] in services)]
    while connected() or sharer.call("GET", f"torrents/{id}/peers"):
        require(time.monotonic() < end, f"{taker.name} is connected still: {connected()}")
        time.sleep(0.1)
    # what had come is looked at before it counts
    before = still(lambda: taker.torrents()[id]["bytes"], 1)
    sharer.limit(0)
    time.sleep(QUIET)
    require(taker.torrents()[id]["bytes"] == before, f"{taker.name} got more: {before} -> {taker.torrents()[id]}")
    require(not taker.torrents()[id]["done"], f"{taker.name} has it all")


@suite("refused: a stranger", limit=180)
def _(t):
    alice, bob, mallory = start(t, "alice", "bob", "mallory")
    people.befriend(alice, bob)
    content = blob(t, 2 * MIB)
    id = alice.share(content, to=["bob"])
    alice.run("library", "add", t.sub("music"), "--to", "bob")
    bob.hears_of(id)
    bob.accept(id, t.sub("bob"))
    bob.wait_done(id, 60)
    known = Known(alice, id)
    torrent = t.folder / "private.torrent"
    torrent.write_bytes(bob.raw(f"torrents/{id}/metainfo"))
    remember(bob)
    bob.stop()

    with t.case("iroh's endpoint with the key of whom it is for is answered by each service"):
        said = known.asked_by(bob.home)
        require(said["wire"][:21] == HELLO + b"\x13BitTorrent protocol", f"{said['wire']}")
        require(b"5:music" in said["library"] and kind(said["people"]) == WELCOME and said["notice"] == HELLO + framed(b"\1"), f"{said}")

    def strangers():
        with t.case("iroh's endpoint with another key gets nothing of any service"):
            require_nothing(known.asked_by(), "a stranger")

    def libtorrent():
        with t.case("libtorrent with the torrent file and the address gets nothing by TCP, by uTP or encrypted"):
            encrypted = {"out_enc_policy": 0, "in_enc_policy": 0, "allowed_enc_level": 2, "prefer_rc4": True}
            asking = [t.start("libtorrent", transport=transport, settings=settings) for transport, settings in (("tcp", {}), ("utp", {}), ("tcp", encrypted))]
            for client in asking:
                client.add([torrent], t.sub("stranger", client.ip))
                client.add_peer(alice.ip, alice.port, id)
            time.sleep(QUIET)
            for client in asking:
                require(client.status()["bytes"] == 0, f"{client.transport}: {client.torrents()}")

    def compeer():
        with t.case("a stranger's compeer with the torrent file, the person, the node and its hints gets nothing"):
            hints = "".join(f"&at={hint}" for hint in known.hints)
            link = f"compeer:contact?person={known.me['person']}&node={known.node}{hints}&secret=AAAAAAAAAAAAAAAAAAAAAA"
            require("no longer good" in fails(mallory, "contact", "add", link), "another refusal was expected")
            fails(mallory, "browse", "alice")
            mallory.add([torrent], t.sub("mallory"))
            mallory.add_peer(alice.ip, alice.port, id)
            time.sleep(QUIET)
            require(mallory.torrents()[id]["bytes"] == 0 and not mallory.inbox(), f"{mallory.torrents()} {mallory.inbox()}")
            require([c["name"] for c in alice.run("contact", "list")] == ["bob"], "a stranger is a contact")

    t.side_by_side(strangers, libtorrent, compeer)
    with t.case("nobody was let in meanwhile"):
        require(not alice.call("GET", f"torrents/{id}/peers"), "somebody is connected")


@suite("refused: a revoked node", limit=180)
def _(t):
    alice, bob = start(t, "alice", "bob")
    people.befriend(alice, bob)
    phone = t.start("person", called="phone", transport="both", joins=bob)
    id = alice.share(blob(t, 16 * MIB), to=["bob"])
    alice.run("library", "add", t.sub("music"), "--to", "bob")
    known, own = Known(alice, id), Known(alice, id)
    own.me = bob.call("GET", "identity")
    own.node, own.hints = own.me["node"], own.me["hints"]
    begin(phone, alice, id, t.sub("phone"))
    remember(phone)
    node = phone.call("GET", "identity")["node"]

    with t.case("its transfer from a contact ends when the person revokes it elsewhere"):
        bob.run("node", "revoke", "phone")
        require_cut_off(phone, alice, id, node)
        require([n["name"] for n in alice.run("contact", "show", "bob")["nodes"]] == ["bob"], "alice still counts it")

    with t.case("its own compeer is refused, and says so"):
        fails(phone, "browse", "alice")
        fails(phone, "node", "meet", f"{known.node}@{known.hints[0]}")
        require([n for n in bob.run("node", "list") if n["id"] == node][0]["revoked"], "bob does not show it")
        end = time.monotonic() + 60
        while not phone.call("GET", "identity")["revoked"]:
            require(time.monotonic() < end, "it does not come to know why")
            time.sleep(0.1)
        require("was revoked" in fails(phone, "contact", "invite"), "it does not say why")

    phone.stop()
    with t.case("its key, its old certificate and the hints open no stream, but to be told that it is revoked"):
        person = bob.call("GET", "identity")["person"]
        require_only_the_list(known.asked_by(phone.home), "a revoked node", person, node)
        require_only_the_list(own.asked_by(phone.home), "a revoked node of one's own", person, node)

    with t.case("its person's other node gets what was shared"):
        alice.limit(0)
        bob.hears_of(id)
        bob.accept(id, t.sub("bob"))
        bob.wait_done(id, 60)


@suite("refused: an expelled member", limit=180)
def _(t):
    alice, carol, dave = start(t, "alice", "carol", "dave")
    group = alice.run("group", "create", "choir", "--private")["id"]
    link = alice.run("group", "invite", "choir", "--standing")["link"]
    for member in (carol, dave):
        member.run("group", "join", link)
    id = alice.share(blob(t, 16 * MIB), groups=["choir"])
    alice.run("library", "add", t.sub("scores"), "--group", "choir")
    known = Known(alice, id, group)
    begin(carol, alice, id, t.sub("carol"))
    remember(carol)
    node = carol.call("GET", "identity")["node"]

    with t.case("her transfer ends when she is expelled"):
        alice.run("group", "remove", "choir", "carol")
        require_cut_off(carol, alice, id, node, ["wire"])

    with t.case("her compeer gets nothing more, and nobody tells her of what is shared from now on"):
        other = alice.share(blob(t, MIB, "next.bin"), groups=["choir"])
        dave.hears_of(other)
        require(other not in carol.inbox(), "carol was told")

    carol.stop()
    with t.case("her key, her certificate and the group's id are answered with nothing by a member"):
        require_nothing(known.asked_by(carol.home), "an expelled member")

    with t.case("a member gets it all"):
        dave.hears_of(id)
        dave.accept(id, t.sub("dave"))
        dave.wait_done(id, 60)


@suite("refused: one who is blocked", limit=180)
def _(t):
    alice, bob = start(t, "alice", "bob")
    people.befriend(alice, bob)
    id = alice.share(blob(t, 16 * MIB), to=["bob"])
    known = Known(alice, id)
    begin(bob, alice, id, t.sub("bob"))
    remember(bob)
    node, entry = bob.call("GET", "identity")["node"], f"person:{bob.call('GET', 'identity')['person']}"

    with t.case("`compeer block NAME` ends a transfer, and is the same as `compeer contact block NAME`"):
        said = alice.run("block", "bob")
        require(said["block"] == [entry] and said["names"][entry] == "bob", f"{said}")
        require_cut_off(bob, alice, id, node)
        require(alice.run("contact", "show", "bob")["state"] == "blocked", "the contact is not blocked")
        fails(bob, "browse", "alice")

    with t.case("who is admitted again goes on where it was"):
        alice.run("contact", "unblock", "bob")
        require(alice.run("block")["block"] == [], "the list of blocks does not follow")
        bob.wait_done(id, 60)
        alice.run("contact", "block", "bob")
        require(alice.run("allow", "bob")["block"] == [] and alice.run("contact", "show", "bob")["state"] == "contact", "allow does not unblock")

    bob.stop()
    alice.run("block", "bob")
    with t.case("the key and the certificate of who is blocked open no stream"):
        require_no_stream(known.asked_by(bob.home), "one who is blocked")


@suite("refused: nothing is announced", limit=180)
def _(t):
    entry, one, two = hosts(3)
    with Wire(one) as wire:
        router = t.start("compeer", on=entry, without="lsd,pex,mapping,holepunch")
        options = {"without": "mapping,relays", "bootstrap": f"{router.ip}:{router.port}", "transport": "both"}
        alice, bob = (t.start("person", on=host, called=name, **options) for host, name in ((one, "alice"), (two, "bob")))
        people.befriend(alice, bob)
        id = alice.share(blob(t, MIB), to=["bob"])
        public = t.folder / "public.torrent"
        t.compeer("torrent", "create", blob(t, MIB, "public.bin", 9), "--output", public)
        alice.add([public], t.sub("source"))
        bob.hears_of(id)
        bob.accept(id, t.sub("bob"))
        bob.wait_done(id, 60)
        detail = alice.call("GET", f"torrents/{id}")
        [other] = [torrent for torrent in alice.torrents() if torrent != id]
        private, known = bytes.fromhex(detail["info_hash_v2"])[:20], bytes.fromhex(other)
        # the loopback is heard as well, which the API is on; an Ethernet frame names the receiver, then the sender
        mac = bytes.fromhex(json.loads(one.run("ip", "-j", "link", "show", "eth0"))[0]["address"].replace(":", ""))

        def heard(hash):
            """How often a torrent was named in the DHT, and on the local network."""
            texts = (hash.hex().encode(), hash.hex().upper().encode())
            ours = [frame for frame in list(wire.frames) if frame[6:12] == mac]
            return sum(hash in frame for frame in ours), sum(any(text in frame for text in texts) for frame in ours)

        end = time.monotonic() + 60
        while not all(heard(known)) and time.monotonic() < end:
            time.sleep(0.5)
        time.sleep(8)
    with t.case("the DHT and the local network hear of what is public, and not of what is shared with people"):
        require(all(heard(known)), f"not even that was heard: {heard(known)}")
        require(heard(private) == (0, 0), f"{heard(private)}")
        enabled = [s["source"] for s in detail["sources"] if s["enabled"]]
        require(not set(enabled) & {"dht", "pex", "lsd", "tracker"}, f"{enabled}")
