"""Groups of people, with a real node each: who belongs, who is told, who can read, and how copies come together that changed apart."""
import contextlib
import json
import random
import sqlite3
import time

import people
from cases.messages import soon
from harness import Failed, require, require_same, suite


def refused(person, *arguments):
    """What `compeer` says to a command that it must not carry out."""
    try:
        person.run(*arguments)
    except RuntimeError as said:
        return str(said)
    raise Failed(f"{person.name}: compeer {' '.join(arguments)} was not refused")


def kill(person):
    """As a power failure would."""
    person.proc.kill()
    person.proc.wait()


def changes(person):
    """The changes of all groups that a node has stored."""
    with contextlib.closing(sqlite3.connect(f"file:{person.home / 'compeer.db'}?mode=ro", uri=True)) as database:
        return [id for (id,) in database.execute("SELECT id FROM groups_changes")]


class Member:
    """What one person sees of one group."""

    def __init__(self, person, group):
        self.person, self.group = person, group

    def info(self):
        return next((g for g in self.person.call("GET", "groups") if g["id"] == self.group), None)

    def detail(self):
        return self.person.call("GET", f"groups/{self.group}")

    def name(self):
        info = self.info()
        return info and info.get("name")

    def members(self):
        return {m.get("name") for m in self.detail()["people"]}

    def admins(self):
        return {m.get("name") for m in self.detail()["people"] if m["role"] == "admin"}

    def standing(self):
        info = self.info()
        return info and info["standing"]


@suite("groups of people", limit=240)
def _(t):
    alice, bob, carol, dora = everybody = [t.start("person", called=name) for name in ("alice", "bob", "carol", "dora")]
    group = alice.run("group", "create", "Tea", "--private")["id"]
    a, b, c, d = (Member(person, group) for person in everybody)
    ear = people.Ear(bob)

    with t.case("one comes in by a link, one by an invitation in her name, and nobody by a link that was used"):
        link = alice.run("group", "invite", "Tea")["link"]
        require("Tea" not in link, f"the link of a private group says what it is called: {link}")
        bob.run("group", "join", link)
        said = refused(carol, "group", "join", link)
        require("did not let you in" in said, said)
        require(c.info() is None, "somebody who was refused has the group")
        own = carol.run("id", "show")["person"]
        link = alice.run("group", "invite", "Tea", own)["link"]
        require("did not let you in" in refused(dora, "group", "join", link), "an invitation lets somebody else in")
        carol.run("group", "join", link)
        soon("all know all", lambda: all(m.members() == {"alice", "bob", "carol"} for m in (a, b, c)))
        soon("all can read", lambda: all(m.name() == "Tea" for m in (a, b, c)))

    with t.case("a change by one is seen by all, and only an admin makes it"):
        require("only an admin" in refused(bob, "group", "rename", "Tea", "Milk"), "a member renames")
        alice.run("group", "role", "Tea", "bob", "admin")
        took = soon("Bob is an admin everywhere", lambda: all("bob" in m.admins() for m in (a, b, c)))
        bob.run("group", "rename", "Tea", "Coffee")
        took = max(took, soon("all call it otherwise", lambda: all(m.name() == "Coffee" for m in (a, b, c))))
        t.note(seen_by_all_after_s=round(took, 2))

    with t.case("the events of the API tell it"):
        soon("an event with the new name", lambda: any(g.get("name") == "Coffee" for g in ear.of("group")))
        require(any(g["role"] == "admin" for g in ear.of("group")), f"{ear.of('group')}")

    with t.case("who was away catches up from a member that is not the author"):
        carol.stop()
        alice.run("group", "rename", "Coffee", "Cocoa")
        link = alice.run("group", "invite", "Cocoa", "--standing")["link"]
        dora.run("group", "join", link)
        soon("Bob knows", lambda: b.members() == {"alice", "bob", "carol", "dora"} and b.name() == "Cocoa")
        t.side_by_side(alice.stop, dora.stop)
        carol.start(keep_home=True)
        soon("Carol knows, from Bob", lambda: c.members() == {"alice", "bob", "carol", "dora"} and c.name() == "Cocoa")

    with t.case("two admins who acted apart come together"):
        bob.run("group", "rename", "Cocoa", "Chai")
        bob.run("group", "role", "Chai", "carol", "admin")
        soon("Carol knows, and Alice does not", lambda: c.admins() == {"alice", "bob", "carol"})
        t.side_by_side(bob.stop, carol.stop)
        alice.start(keep_home=True)
        alice.run("group", "rename", "Cocoa", "Mate")
        alice.run("group", "role", "Mate", "dora", "admin")
        alice.run("group", "role", "Mate", "bob", "member")
        for person in (bob, carol, dora):
            person.start(keep_home=True)
        seen = lambda: {json.dumps([m.name(), sorted(m.members()), sorted(m.admins())]) for m in (a, b, c, d)}      # noqa: E731
        soon("all see the same", lambda: len(seen()) == 1)
        name, members, admins = json.loads(seen().pop())
        # what Bob did as an admin, apart from Alice's taking that away from him, does not count
        require((name, members, admins) == ("Mate", ["alice", "bob", "carol", "dora"], ["alice", "dora"]), f"{name}, {members}, {admins}")

    with t.case("who is expelled is told, awake or asleep, and reads nothing that follows"):
        before = c.name()
        dora.stop()
        alice.run("group", "remove", before, "carol")
        soon("Carol is told", lambda: c.standing() == "expelled")
        alice.run("group", "remove", before, "dora")
        alice.run("group", "rename", before, "Secret")
        soon("Bob reads it", lambda: b.name() == "Secret" and b.members() == {"alice", "bob"})
        dora.start(keep_home=True)
        soon("Dora is told when she comes", lambda: d.standing() == "expelled")
        content = t.sub("source") / "minutes.txt"
        content.write_text("what was said after they had gone\n")
        id = alice.share(content, groups=["Secret"])
        bob.hears_of(id)
        for member in (c, d):
            require(member.name() == before, f"{member.person.name} reads {member.name()}")
            require(id not in member.person.inbox(), f"{member.person.name} is told of a share")
        require("dora" in c.members(), f"Carol learns who went after her: {c.members()}")
        text = [str(p.call("GET", "groups")) + str(p.call("GET", "inbox")) for p in (carol, dora)]
        require(not any("Secret" in x or "minutes" in x for x in text), f"{text}")

    with t.case("a farewell that nobody hears is said when a member is there again"):
        kill(alice)
        said = bob.run("group", "leave", "Secret")
        require(said["id"] == group and b.info() is None, f"Bob is still there: {b.info()}")
        kill(bob)
        alice.start(keep_home=True)
        require(a.members() == {"alice", "bob"}, f"{a.members()}")
        bob.start(keep_home=True)
        soon("Alice hears of it", lambda: a.members() == {"alice"})
        soon("Bob forgot it", lambda: not bob.call("GET", "groups"))


@suite("groups without who began them", limit=240)
def _(t):
    alice, bob, carol, dora = [t.start("person", called=name) for name in ("alice", "bob", "carol", "dora")]
    group = alice.run("group", "create", "Tea")["id"]
    b, c, d = (Member(person, group) for person in (bob, carol, dora))

    with t.case("a link is good while whoever made it is away: any member lets in"):
        bob.run("group", "join", alice.run("group", "invite", "Tea")["link"])
        soon("they are met", lambda: b.info()["connected"] and b.name() == "Tea")
        alice.run("group", "role", "Tea", "bob", "admin")
        # a member that this node met, and knows the way to
        soon("the link names Bob too", lambda: alice.run("group", "invite", "Tea", "--standing")["link"].count("node=") == 2)
        link = alice.run("group", "invite", "Tea", "--standing")["link"]
        soon("Bob has the invitation", lambda: len(b.detail()["invitations"]) == len(alice.call("GET", f"groups/{group}")["invitations"]))
        kill(alice)
        carol.run("group", "join", link)
        soon("Carol is in", lambda: c.members() == {"alice", "bob", "carol"})

    with t.case("the group goes on without her: an admin invites, expels and renames"):
        dora.run("group", "join", bob.run("group", "invite", "Tea")["link"])
        bob.run("group", "rename", "Tea", "Coffee")
        bob.run("group", "remove", "Coffee", "alice")
        soon("all see it", lambda: all(m.name() == "Coffee" and m.members() == {"bob", "carol", "dora"} for m in (b, c, d)))

    with t.case("a node that is revoked is refused by members who are no contacts"):
        phone = t.start("person", called="phone", joins=bob)
        soon("the phone is in", lambda: Member(phone, group).standing() == "member")
        node = phone.call("GET", "identity")["node"]
        soon("Carol meets it", lambda: any(x["node"] == node for x in carol.run("connections")))
        require(not carol.run("contact", "list"), "Carol has contacts")
        bob.run("node", "revoke", "phone")
        took = soon("Carol and Dora have no connection to it", lambda: not any(x["node"] == node for m in (carol, dora) for x in m.run("connections")))
        t.note(revoked_everywhere_after_s=round(took, 2))
        time.sleep(3)
        require(not any(x["node"] == node for m in (carol, dora) for x in m.run("connections")), "it is back")


@suite("groups of a person with two nodes", limit=200)
def _(t):
    alice, bob = [t.start("person", called=name) for name in ("alice", "bob")]
    group = alice.run("group", "create", "Tea", "--private")["id"]
    bob.run("group", "join", alice.run("group", "invite", "Tea")["link"])
    phone = t.start("person", called="phone", joins=bob)
    p, others = Member(phone, group), [Member(person, group) for person in (alice, bob)]

    with t.case("the second node, added by a code, is in the group too and reads what it is called"):
        soon("the phone reads it", lambda: p.name() == "Tea")
        alice.run("group", "rename", "Tea", "Coffee")
        soon("and what changes", lambda: p.name() == "Coffee")
        require("on another of your computers" in refused(phone, "group", "leave", "Coffee"), "it left without the person's key")

    with t.case("what is shared with the group arrives at both"):
        content = t.sub("source") / "leaves.bin"
        content.write_bytes(random.Random(4).randbytes(1 << 20))
        id = alice.share(content, groups=["Coffee"])
        for node in (bob, phone):
            entry = node.hears_of(id)
            require((entry["from"], entry["group"]) == ("alice", "Coffee"), f"{node.name}: {entry}")
            node.accept(id, t.sub(node.name))
        for node in (bob, phone):
            node.wait_done(id, 60)
            require_same(content, t.sub(node.name) / content.name)

    with t.case("it shares with the group itself, and reads all after a restart while the first one is off"):
        bob.stop()
        phone.stop()
        phone.start(keep_home=True)
        require(p.name() == "Coffee", f"{p.info()}")
        mine = t.sub("source") / "mine.bin"
        mine.write_bytes(random.Random(5).randbytes(1 << 16))
        id = phone.share(mine, groups=["Coffee"])
        entry = alice.hears_of(id)
        require((entry["from"], entry["group"]) == ("bob", "Coffee"), f"{entry}")
        bob.start(keep_home=True)

    with t.case("when it is revoked the key changes, and it gets no other"):
        epochs = len(changes(bob))
        bob.run("node", "revoke", "phone")
        soon("Bob's change reaches Alice", lambda: len(changes(alice)) > epochs)
        alice.run("group", "rename", "Coffee", "Milk")
        soon("the others read on", lambda: all(m.name() == "Milk" for m in others))
        require(p.name() == "Coffee", f"the revoked node reads on: {p.info()}")

    with t.case("it comes to know that it was revoked, says so, and is quiet"):
        soon("the phone knows", lambda: phone.call("GET", "identity")["revoked"])
        require(phone.run("info")["network"]["overlay"]["revoked"], "info does not say so")
        require("was revoked" in refused(phone, "contact", "invite"), "it goes on as if nothing had happened")
        soon("it is connected to nobody", lambda: not phone.run("connections"))
        took = any(node["this"] and node["revoked"] for node in phone.run("node", "list"))
        require(took, f"{phone.run('node', 'list')}")
