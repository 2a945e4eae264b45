"""Sharing with people: who it is for gets it, nobody else does by any carrier, whatever they know."""
import os
import random
import socket
import time

import people
from harness import require, require_same, still, suite

MIB = 1 << 20
QUIET = 4       # seconds in which a stranger would have got something: dials and handshakes of all clients take less than one


def blob(t, size, name="blob.bin", seed=7):
    path = t.sub("source") / name
    path.write_bytes(random.Random(seed).randbytes(size))
    return path


def start(t, *names, **options):
    return [t.start("person", called=name, transport="both", **options) for name in names]


def handshake(ip, port, hash, timeout=3):
    """What a peer says to a handshake for this info-hash over TCP."""
    with socket.create_connection((ip, port), timeout) as s:
        s.sendall(b"\x13BitTorrent protocol" + bytes(8) + hash + b"-XX0000-" + os.urandom(12))
        s.settimeout(timeout)
        said = b""
        try:
            while part := s.recv(4096):
                said += part
        except (TimeoutError, ConnectionResetError):
            pass
        return said


@suite("private sharing", limit=300)
def _(t):
    alice, bob, carol, mallory = start(t, "alice", "bob", "carol", "mallory")
    for other in (bob, carol, mallory):
        people.befriend(alice, other)
    content = blob(t, 8 * MIB)
    id = alice.share(content, to=["bob", "carol"])

    with t.case("who it is for is told, and gets it over QUIC"):
        entry = bob.hears_of(id)
        require((entry["from"], entry["name"], entry["bytes"]) == ("alice", content.name, content.stat().st_size), f"{entry}")
        alice.limit(2 * MIB)
        bob.accept(id, t.sub("bob"))
        carriers = set()
        while not bob.torrents().get(id, {}).get("done"):
            carriers |= {p["carrier"] for p in bob.call("GET", f"torrents/{id}/peers")}
            time.sleep(0.05)
        alice.limit(0)
        require(carriers == {"quic"}, f"{carriers}")
        require_same(content, t.sub("bob") / content.name)

    detail = alice.call("GET", f"torrents/{id}")
    hash = bytes.fromhex(detail["info_hash_v2"])
    magnet = f"magnet:?xt=urn:btmh:1220{hash.hex()}&x.pe={alice.ip}:{alice.port}"

    with t.case("its handshake is answered as one for a torrent that does not exist"):
        answers = {name: handshake(alice.ip, alice.port, name_hash) for name, name_hash in (("known", hash[:20]), ("made up", os.urandom(20)))}
        require(answers == {"known": b"", "made up": b""}, f"{answers}")

    def libtorrent(transport, **settings):
        stranger = t.start("libtorrent", transport=transport, settings=settings)
        stranger.add_magnet(magnet, t.sub("stranger", stranger.ip))
        stranger.add_peer(alice.ip, alice.port, id)
        return stranger

    with t.case("libtorrent, which knows hash and address, gets nothing by TCP, by uTP or encrypted"):
        encrypted = {"out_enc_policy": 0, "in_enc_policy": 0, "allowed_enc_level": 2, "prefer_rc4": True}
        strangers = [libtorrent("tcp"), libtorrent("utp"), libtorrent("tcp", **encrypted)]
        time.sleep(QUIET)
        for stranger in strangers:
            require(stranger.status()["bytes"] == 0, f"{stranger.transport}: {stranger.torrents()}")
        require(all(p["carrier"] == "quic" for p in alice.call("GET", f"torrents/{id}/peers")), "somebody else is connected")

    with t.case("a contact that it is not for gets nothing"):
        mallory.add_magnet(magnet, t.sub("mallory"))
        time.sleep(QUIET)
        require(id not in mallory.inbox(), "mallory was told")
        require(mallory.torrents()[id]["bytes"] == 0, "mallory has some of it")

    with t.case("recipients help one another when the sharer has left"):
        carol.hears_of(id)
        alice.stop()
        carol.accept(id, t.sub("carol"))
        carol.wait_done(id, 60)
        require_same(content, t.sub("carol") / content.name)

    with t.case("what a chosen contact or group shares is taken up by itself, into the folder chosen for it, if it is not too large"):
        alice.start(keep_home=True)
        bob.run("inbox", "rules", "add", "--from", "alice", t.sub("from-alice"), "--max-size", "2M")
        small, large = blob(t, MIB, "small.bin", seed=9), blob(t, 4 * MIB, "large.bin", seed=10)
        ids = [alice.share(path, to=["bob", "carol"]) for path in (small, large)]
        bob.wait_done(ids[0], 60)
        require_same(small, t.sub("from-alice") / small.name)
        bob.hears_of(ids[1])
        carol.hears_of(ids[0])
        require(ids[1] not in bob.torrents() and ids[0] not in carol.torrents(), "something was taken up unasked")
        said = bob.run("inbox", "rules", "add", "--from", "alice", t.sub("from-alice"))
        require((said["taken_up"], said["failed"]) == (1, 0), f"it is not said that the large one is taken up: {said}")
        bob.wait_done(ids[1], 60)
        bob.run("inbox", "rules", "remove", "--from", "alice")
        alice.run("group", "create", "choir")
        carol.run("group", "join", alice.run("group", "invite", "choir")["link"])
        carol.run("inbox", "rules", "add", "--group", "choir", t.sub("from-choir"))
        (rule,) = carol.call("GET", "inbox/rules")
        (group,) = carol.call("GET", "groups")
        require((rule["group"], rule["group_id"], rule["from"], rule["person"]) == ("choir", group["id"], None, None), f"{rule}")
        third = blob(t, MIB, "third.bin", seed=11)
        carol.wait_done(alice.share(third, groups=["choir"]), 60)
        require_same(third, t.sub("from-choir") / third.name)
        (entry,) = [it for it in carol.call("GET", "inbox") if it["name"] == third.name]
        require((entry["group"], entry["group_id"]) == ("choir", group["id"]), f"{entry}")
        (share,) = [it for it in alice.call("GET", "shares") if it["name"] == third.name]
        require((share["groups"], share["group_ids"], share["to_ids"]) == (["choir"], [group["id"]], []), f"{share}")
        alice.stop()

    with t.case("a restart of both goes on with what was begun"):
        alice.start(keep_home=True)
        second = blob(t, 16 * MIB, "second.bin", seed=8)
        other = alice.share(second, to=["bob"])
        bob.hears_of(other)
        alice.limit(4 * MIB)
        bob.accept(other, t.sub("bob"))
        while bob.torrents()[other]["bytes"] < 2 * MIB:
            time.sleep(0.05)
        bob.stop()
        alice.stop()
        alice.start(keep_home=True)
        bob.start(keep_home=True)
        bob.wait_done(other, 60)
        require_same(second, t.sub("bob") / second.name)


@suite("private sharing, revoked and blocked", limit=180)
def _(t):
    alice, bob = start(t, "alice", "bob")
    people.befriend(alice, bob)
    content = blob(t, 16 * MIB)
    id = alice.share(content, to=["bob"])
    bob.hears_of(id)
    alice.limit(MIB)
    bob.accept(id, t.sub("bob"))
    while not bob.torrents()[id]["bytes"]:
        time.sleep(0.05)
    with t.case("who is blocked while fetching is cut off, and gets nothing more"):
        alice.run("contact", "block", "bob")
        end = time.monotonic() + 15
        while alice.call("GET", f"torrents/{id}/peers"):
            require(time.monotonic() < end, "bob is connected still")
            time.sleep(0.1)
        # what had come is looked at before it counts
        before = still(lambda: bob.torrents()[id]["bytes"], 1)
        time.sleep(QUIET)
        require(bob.torrents()[id]["bytes"] == before, "bob got more")
    with t.case("who is blocked is told of nothing"):
        refused = False
        try:
            alice.share(blob(t, MIB, "next.bin"), to=["bob"])
        except RuntimeError:
            refused = True
        require(refused, "something was shared with somebody who is blocked")


@suite("libraries", limit=180)
def _(t):
    alice, bob, carol = start(t, "alice", "bob", "carol")
    people.befriend(alice, bob)
    people.befriend(alice, carol)
    folder = t.sub("music")
    payloads_in = {"live/song.bin": 3 * MIB, "studio.bin": MIB}
    for i, (name, size) in enumerate(payloads_in.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(i).randbytes(size))
    (t.sub("secret") / "secret.txt").write_text("secret")
    os.symlink(t.sub("secret"), folder / "link")
    alice.run("library", "add", folder, "--to", "bob")
    with t.case("it is said for whom it is, by names and by ids, and both are understood"):
        ids = {it["name"]: it["person"] for it in alice.call("GET", "contacts")}
        (library,) = alice.call("GET", "libraries")
        require((library["to"], library["to_ids"], library["group_ids"]) == (["bob"], [ids["bob"]], []), f"{library}")
        again = alice.call("PUT", "libraries", {"name": "music", "folder": str(folder), "to": library["to_ids"]})
        require(again == library, f"{again} instead of {library}")
    with t.case("it is browsed by whom it is for"):
        require([e["name"] for e in bob.run("browse", "alice")] == ["music"], "the library is not there")
        found = [(e["name"], e["folder"]) for e in bob.run("browse", "alice", "music")]
        require(found == [("live", True), ("studio.bin", False)], f"{found}")
    with t.case("a file of it, and all of it, is taken"):
        bob.run("browse", "alice", "music/live/song.bin", "--get", "-o", t.sub("bob"))
        require_same(folder / "live/song.bin", t.sub("bob") / "song.bin")
        bob.run("browse", "alice", "music", "--get", "-o", t.sub("bob"))
        require_same(folder / "live", t.sub("bob") / "music" / "live")
        require(not (t.sub("bob") / "music" / "link").exists(), "a link was followed")
    with t.case("what leads out of it, and who it is not for, gets nothing"):
        for path in ("music/link/secret.txt", "music/../secret/secret.txt", "music/none"):
            try:
                bob.run("browse", "alice", path, "--get")
            except RuntimeError:
                continue
            require(False, f"{path} was given")
        require(carol.run("browse", "alice") == [], "carol sees the library")
