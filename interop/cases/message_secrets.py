"""Who must not read what is said does not: a member who was expelled, a node that was revoked, a mailbox, a member who came later, and whoever
listens to every packet. Each is given what it really had stored, and its own program to read it with."""
import shutil
import socket

import people
from cases.discovery import Wire
from cases.messages import MAILBOX, Talk, has_mailbox, kill, soon, tea, uses
from harness import require, suite
from network import Host, Lan

MARK = b"a datagram that anybody reads"


def everything(person):
    """All bytes of all files in somebody's home."""
    return b"".join(path.read_bytes() for path in sorted(person.home.rglob("*")) if path.is_file())


def holds(person, *texts):
    """Which of these texts are anywhere in somebody's home, in UTF-8 or UTF-16."""
    stored = everything(person)
    return [text for text in texts if text.encode() in stored or text.encode("utf-16-le") in stored]


def remember(t, person):
    """Ends a node, and keeps its home as it is now; -> where."""
    person.stop()
    copy = t.sub("before") / person.name
    shutil.copytree(person.home, copy, symlinks=True, ignore=lambda folder, names: [n for n in names if n.endswith(".sock")])
    return copy


def turn_back(person, copy):
    """Starts a node from its home as it was: as if it had never heard what came after."""
    person.stop()
    shutil.rmtree(person.home)
    shutil.copytree(copy, person.home, symlinks=True)
    person.start(keep_home=True)


def turned_away(person, name):
    """Waits until somebody does not answer a node any more."""
    def is_refused():
        try:
            person.run("ping", name, timeout=90)
        except RuntimeError:
            return True
        return False

    soon(f"{name} turns {person.name} away", is_refused)


@suite("messages that nobody else reads", limit=420)
def _(t):
    lan = Lan()
    names = ("alice", "bob", "carol", "phone", "dora")
    hosts = {name: Host(name).plug(lan, f"10.77.0.{i}/24") for i, name in enumerate(names, 1)}
    with Wire(lan) as wire:
        alice, bob, carol = (t.start("person", called=name, on=hosts[name], config=config) for name, config in
                             (("alice", ""), ("bob", uses("carol")), ("carol", MAILBOX)))
        people.befriend(carol, bob)
        people.befriend(alice, bob)
        group = tea(t, bob, carol, admin=alice)
        phone = t.start("person", called="phone", joins=bob, on=hosts["phone"])
        a, b, c, p = (Talk(person, "Tea") for person in (alice, bob, carol, phone))
        has_mailbox(bob)
        soon("the phone knows the group", lambda: any(it.get("name") == "Tea" for it in phone.call("GET", "groups")))
        soon("Alice knows the phone", lambda: len(alice.run("contact", "list")[0]["nodes"]) == 2)
        a.say("said while all belonged to it")
        for room in (b, c, p):
            room.hears("said while all belonged to it")
        require(holds(carol, "said while all belonged to it") and holds(phone, "said while all belonged to it"), "what is read is not found in a home: nothing below proves anything")

        # what they have from the time before, for whom it would be well to go back
        before = {person: remember(t, person) for person in (carol, phone)}
        carol.start(keep_home=True)
        alice.run("group", "remove", "Tea", "carol")
        standing = lambda: next(g for g in carol.call("GET", "groups") if g["id"] == group)["standing"]     # noqa: E731
        soon("Carol is told", lambda: standing() == "expelled")
        bob.run("node", "revoke", "phone")
        soon("Alice knows", lambda: len(alice.run("contact", "list")[0]["nodes"]) == 1)
        soon("Bob knows that Carol is out", lambda: len(bob.call("GET", f"groups/{group}")["people"]) == 2)
        has_mailbox(bob)
        later = [f"said in the room afterwards {n}" for n in range(5)]
        private = "for Bob alone"

        with t.case("a mailbox whose owner was expelled holds every envelope, and reads none"):
            soon("Carol keeps a box", lambda: carol.call("GET", "services/mailbox")["boxes"] == 1)
            kill(bob)
            ids = [a.say(text) for text in later]
            of_bob = Talk(alice, "bob")
            ids.append(of_bob.say(private))
            in_mailbox = lambda talk, id: talk.stage(id) == "in_mailbox"     # noqa: E731
            soon("all is in the mailbox", lambda: all(in_mailbox(a, id) for id in ids[:-1]) and in_mailbox(of_bob, ids[-1]))
            require(carol.call("GET", "services/mailbox")["envelopes"] > 0, "nothing is there")
            require(not holds(carol, *later, private), f"{holds(carol, *later, private)} lie open in the mailbox")
            carol.stop()
            carol.start(keep_home=True)
            was = Talk(carol, f"group:{group}")
            require(was.texts() == ["said while all belonged to it"], f"Carol's program shows {was.texts()}")
            bob.start(keep_home=True)
            b.hears(*later)
            Talk(bob, "alice").hears(private)

        with t.case("who was expelled and goes back to the time before reads nothing of what is said then"):
            turn_back(carol, before[carol])
            a.say("said to a ghost")
            b.hears("said to a ghost")
            soon("Carol is told again", lambda: standing() == "expelled")
            # what was meant for her would have come with this
            Talk(bob, "carol").say("a word between us")
            soon("Carol hears Bob", lambda: "a word between us" in Talk(carol, "bob").texts(), 150)
            was = Talk(carol, f"group:{group}")
            require(was.texts() == ["said while all belonged to it"], f"{was.texts()}")
            require(not holds(carol, *later, private, "said to a ghost"), "she has it")

        with t.case("a node that was revoked reads nothing of what is said then, though it believes to be Bob's"):
            phone.start(keep_home=True)
            a.say("said without the phone")
            Talk(alice, "bob").say("to Bob without the phone")
            b.hears("said without the phone")
            Talk(bob, "alice").hears("to Bob without the phone")
            turned_away(phone, "alice")
            require(set(p.texts()) == {"said while all belonged to it"}, f"{p.texts()}")
            after = (*later, private, "said to a ghost", "said without the phone", "to Bob without the phone")
            require(not holds(phone, *after), f"it has {holds(phone, *after)}")
            turn_back(phone, before[phone])
            a.say("once more without the phone")
            b.hears("once more without the phone")
            turned_away(phone, "alice")
            require(not holds(phone, *after, "once more without the phone"), "it has what was said later")

        with t.case("who comes later reads nothing of what was said before"):
            dora = t.start("person", called="dora", on=hosts["dora"])
            dora.run("group", "join", alice.run("group", "invite", "Tea")["link"])
            d = Talk(dora, "Tea")
            soon("all know Dora", lambda: all(len(person.call("GET", f"groups/{group}")["people"]) == 3 for person in (alice, bob, dora)))
            a.say("welcome, Dora")
            d.hears("welcome, Dora")
            d.say("hello all")
            b.hears("hello all")
            require(d.texts() == ["welcome, Dora", "hello all"], f"{d.texts()}")
            require(not holds(dora, "said while all belonged to it", *later, "said to a ghost"), "she has what was said before")

        with t.case("who has every packet reads nothing"):
            with hosts["bob"].inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(MARK, (alice.ip, 9))
            soon("the wire is heard", lambda: wire.says(MARK))
            said = ("said while all belonged to it", *later, private, "said to a ghost", "a word between us", "said without the phone", "welcome, Dora", "hello all")
            heard = [text for text in said if wire.says(text.encode())]
            t.note(frames=len(wire.frames), bytes=sum(map(len, wire.frames)))
            require(not heard, f"{heard} went over the wire as they are")

        with t.case("no log has a word of what was said"):
            for person in (alice, bob, carol, phone, dora):
                log = (person.home / "log.txt").read_text(errors="replace")
                require(not any(text in log for text in said), f"{person.name}'s has")
