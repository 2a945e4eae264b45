"""The recovery phrase: foreign programs (PyPI `mnemonic`, `bip-utils`) read it and derive the same keys, and theirs is taken here. A
person comes back by it on an empty machine: with contacts and groups from another node, or with all nodes lost from a contact."""
import contextlib
import json
import random
import sqlite3

import people
from cases.private import blob, start
from harness import require, require_same, suite, wait
from iroh_caller import ALPHABET, z32

MIB = 1 << 20
PERSON_PATH = "m/1668246896'/0'/0'"     # crates/people/src/proto/phrase.rs


def z_base_32(key):
    bits = "".join(f"{byte:08b}" for byte in key) + "0" * (-8 * len(key) % 5)
    return "".join(ALPHABET[int(bits[i:i + 5], 2)] for i in range(0, len(bits), 5))


def derived(phrase):
    """-> (person, account) as others derive them."""
    import bip_utils
    import mnemonic
    words = mnemonic.Mnemonic("english")
    require(words.check(phrase), "PyPI mnemonic does not take the phrase")
    seed = words.to_seed(phrase, "")
    require(seed == bip_utils.Bip39SeedGenerator(phrase).Generate(), "the foreign programs do not agree")
    person = bip_utils.Bip32Slip10Ed25519.FromSeed(seed).DerivePath(PERSON_PATH).PublicKey().RawCompressed().ToBytes()[1:]
    account = bip_utils.Bip44.FromSeed(seed, bip_utils.Bip44Coins.ETHEREUM).DeriveDefaultPath().PublicKey().ToAddress()
    return z_base_32(person), account


@suite("restore: the phrase and foreign programs", limit=180)
def _(t):
    import mnemonic

    def show(name):
        return json.loads(t.compeer("id", "show", "--json", home=t.sub(name)).stdout)

    def restore(name, phrase, ok=True, **more):
        typed = t.folder / f"{name}.txt"
        typed.write_text(phrase)
        with open(typed) as stdin:
            return t.compeer("id", "restore", "--no-passphrase", home=t.sub(name), stdin=stdin, ok=ok, **more)

    def phrase_of(name):
        return json.loads(t.compeer("id", "export", "--json", home=t.sub(name)).stdout)["phrase"]

    with t.case("others derive our person and our account from our phrase"):
        t.compeer("init", "--yes", "--no-passphrase", home=t.sub("ours"))
        ours = show("ours")
        require(derived(phrase_of("ours")) == (ours["person"], ours["account"]), f"{ours}")

    with t.case("theirs is taken here, and gives the same"):
        rng = random.Random(4)
        for number in range(3):
            phrase = mnemonic.Mnemonic("english").to_mnemonic(rng.randbytes(32))
            restore(f"theirs-{number}", phrase)
            theirs = show(f"theirs-{number}")
            require(derived(phrase) == (theirs["person"], theirs["account"]), f"{phrase}: {theirs}")

    with t.case("a word too few, a wrong word and a swapped one are told, and nothing is made"):
        words = phrase_of("ours").split()
        # one of 256 that are swapped belongs together all the same
        swaps = ([*words[:at], words[at + 1], words[at], *words[at + 2:]] for at in range(23))
        swapped = next(swap for swap in swaps if not mnemonic.Mnemonic("english").check(" ".join(swap)))
        for wrong, said in ((words[:23], "24 words"), ([*words[:4], "compeer", *words[5:]], "word 5"), (swapped, "belong together")):
            failed = restore("wrong", " ".join(wrong), ok=False)
            require(failed.returncode == 1 and said in failed.stderr, f"{wrong}: {failed}")
        require(t.compeer("id", "show", home=t.sub("wrong"), ok=False).returncode == 1, "an identity was made")


def kept(keeper, owner):
    """How many bytes of the owner's book a node keeps: it is sealed, and grows with each contact."""
    person = z32(owner.run("id", "show")["person"])
    with contextlib.closing(sqlite3.connect(f"file:{keeper.home / 'compeer.db'}?mode=ro", uri=True)) as database:
        return sum(size for size, in database.execute("SELECT length(sealed) FROM people_kept WHERE person = ?", (person,)))


def grown(t, *more):
    """Alice, her friends bob and carol, and a group of all three; -> (alice, bob, carol, phrase)"""
    alice, bob, carol = start(t, "alice", "bob", "carol", *more)[:3]
    people.befriend(alice, bob)
    wait("bob keeps the book of alice", lambda: kept(bob, alice) > 0)
    alone = kept(bob, alice)
    people.befriend(alice, carol)
    alice.run("group", "create", "choir", "--private")
    link = alice.run("group", "invite", "choir", "--standing")["link"]
    for member in (bob, carol):
        member.run("group", "join", link)
    for friend in (bob, carol):
        wait(f"{friend.name} keeps a book that names carol", lambda: kept(friend, alice) > alone + 100)
    return alice, bob, carol, alice.run("id", "export")["phrase"]


def is_back(new, old, friends, groups=("choir",)):
    me = new.run("id", "show")
    require((me["person"], me["account"], me["name"]) == (old["person"], old["account"], old["name"]), f"{me} instead of {old}")
    # a connection to the node that restored, and ended at once, is given up after half a minute
    wait("the contacts are back", lambda: {c["name"] for c in new.run("contact", "list") if c["state"] == "contact"} >= set(friends))
    wait("the groups are back", lambda: {g.get("name") for g in new.run("group", "list")} >= set(groups))


def use(t, new, bob, groups):
    """What came back is good for something: a share reaches the others, and theirs comes here."""
    path = blob(t, MIB, f"{new.home.name}.bin", 11)
    id = new.share(path, to=[bob.name], groups=groups)
    bob.hears_of(id)
    bob.accept(id, t.sub("bob"))
    bob.wait_done(id, 60)
    require_same(path, t.sub("bob") / path.name)


@suite("restore: another node is there", limit=240)
def _(t):
    alice, bob, carol, phrase = grown(t)
    old = alice.run("id", "show")
    with t.case("person, account, contacts and groups come from it"):
        new = t.start("person", called="alice", transport="both", restores=(phrase, f"{old['node']}@{old['hints'][0]}"))
        is_back(new, old, ["bob", "carol"])
        wait("the old one knows", lambda: {n["name"] for n in alice.run("node", "list")} == {"alice", "alice 2"})
    with t.case("the old one is lost and revoked, and the new one goes on"):
        alice.stop()
        new.run("node", "revoke", "alice")
        wait("bob follows", lambda: [n["name"] for n in bob.run("contact", "show", "alice")["nodes"]] == ["alice 2"])
        use(t, new, bob, ["choir"])


@suite("restore: every node is lost", limit=180)
def _(t):
    alice, bob, carol, phrase = grown(t)
    old = alice.run("id", "show")
    alice.stop()
    with t.case("person and account come from the phrase, contact and group from a contact"):
        link = bob.run("contact", "invite")["link"]
        new = t.start("person", called="alice", transport="both", restores=(phrase, link))
        is_back(new, old, ["bob", "carol"])
    with t.case("contacts know the new node, and what came back is of use"):
        wait("bob knows it", lambda: len(bob.run("contact", "show", "alice")["nodes"]) == 2)
        new.run("node", "revoke", "alice")
        wait("bob follows", lambda: [n["name"] for n in bob.run("contact", "show", "alice")["nodes"]] == ["alice 2"])
        use(t, new, bob, ["choir"])
        wait("carol follows, too", lambda: [n["name"] for n in carol.run("contact", "show", "alice")["nodes"]] == ["alice 2"])
