"""How messages get where they are meant to: by two mailboxes of which one is lost, by one that is full, by one that is offered to a group; and
from somebody who is nobody's contact."""
import people
from cases.messages import MAILBOX, Talk, has_mailbox, kill, refused, shown, soon, start, tea, uses
from harness import require, suite

KIB = 1 << 10


def box(person):
    return person.call("GET", "services/mailbox")


@suite("messages by two mailboxes", limit=360)
def _(t):
    alice = t.start("person", called="alice")
    bob = t.start("person", called="bob", config=uses("carol", "dora"))
    carol, dora = (t.start("person", called=name, config=MAILBOX) for name in ("carol", "dora"))
    for other in (alice, carol, dora):
        people.befriend(other, bob)
    a, b = Talk(alice, "bob"), Talk(bob, "alice")
    soon("Bob has two mailboxes", lambda: {m["name"] for m in bob.call("GET", "chat")["mailboxes"]} == {"carol", "dora"})
    soon("both keep a box", lambda: box(carol)["boxes"] == box(dora)["boxes"] == 1)
    a.say("we meet")
    b.hears("we meet")

    with t.case("each letter is in both, and when one is lost it comes by the other"):
        kill(bob)
        ids = [a.say(f"kept twice {n}") for n in range(5)]
        soon("it is in a mailbox", lambda: all(a.stage(id) == "in_mailbox" for id in ids))
        soon("it is in both", lambda: all(box(other)["envelopes"] for other in (carol, dora)))
        envelopes = [box(other)["envelopes"] for other in (carol, dora)]
        kill(alice)
        kill(carol)
        bob.start(keep_home=True)
        took = b.hears(*(f"kept twice {n}" for n in range(5)))
        t.note(envelopes_in_each=envelopes, there_after_s=round(took, 1))
        soon("Dora's is empty", lambda: box(dora)["envelopes"] == 0)

    with t.case("what lies in the one that comes back opens once, and is deleted there too"):
        carol.start(keep_home=True)
        soon("Carol's is empty", lambda: box(carol)["envelopes"] == 0)
        require(b.texts() == ["we meet"] + [f"kept twice {n}" for n in range(5)], f"{b.texts()}")
        alice.start(keep_home=True)
        soon("Alice knows", lambda: all(a.stage(id) == "delivered" for id in ids))


@suite("messages by a mailbox that is full", limit=360)
def _(t):
    alice = t.start("person", called="alice")
    bob = t.start("person", called="bob", config=uses("carol"))
    carol = t.start("person", called="carol", config=MAILBOX + 'size = "8M"\nsize_each = "1M"\n')
    people.befriend(alice, bob)
    people.befriend(carol, bob)
    a, b = Talk(alice, "bob"), Talk(bob, "alice")
    has_mailbox(bob)
    soon("Carol keeps a box", lambda: box(carol)["boxes"] == 1)
    a.say("we meet")
    b.hears("we meet")

    with t.case("it keeps no more than one person may have, and the sender keeps the rest and says so"):
        kill(bob)
        texts = [f"{n:03} " + "x" * (15 * KIB) for n in range(120)]
        ids = [a.say(text) for text in texts]
        soon("some of it is in the mailbox", lambda: a.stage(ids[0]) == "in_mailbox")
        # of what a person may have here one sender may fill a half in a day
        soon("half of it is full", lambda: box(carol)["bytes"] > (512 - 64) * KIB)
        stages = [a.stage(id) for id in ids]
        t.note(in_the_mailbox=stages.count("in_mailbox"), waiting=stages.count("waiting"), kept_kib=box(carol)["bytes"] // KIB)
        require(box(carol)["bytes"] <= 512 * KIB, f"{box(carol)}")
        require(stages[0] == "in_mailbox" and stages[-1] == "waiting", f"{stages}")

    with t.case("all of it arrives when Bob is there, in order and once"):
        bob.start(keep_home=True)
        soon("Bob has all", lambda: len(b.texts()) >= 1 + len(texts))
        require(b.texts() == ["we meet", *texts], "it came otherwise")
        soon("the mailbox is empty", lambda: box(carol)["envelopes"] == 0)


@suite("messages by a mailbox for a group", limit=360)
def _(t):
    alice, bob = start(t, "alice", "bob")
    carol = t.start("person", called="carol")
    group = tea(t, bob, carol, admin=alice)

    with t.case("who offers it to a group keeps letters for its members, who are no contacts"):
        carol.run("offer", "mailbox", "--on", "--to", f"group:{group}")
        settings = bob.home / "config.toml"
        settings.write_text(settings.read_text() + uses("carol"))
        has_mailbox(bob)
        soon("Carol keeps a box", lambda: box(carol)["boxes"] == 1)
        a, b = Talk(alice, "Tea"), Talk(bob, "Tea")
        a.say("all are here")
        b.hears("all are here")
        kill(bob)
        id = a.say("while Bob is away")
        soon("it is with Carol, and Bob's is in the mailbox", lambda: [d["stage"] for d in a.call("GET", f"/messages/{id}")["delivery"] if d["name"] == "bob"] == ["in_mailbox"])
        kill(alice)
        bob.start(keep_home=True)
        b.hears("while Bob is away")

    with t.case("who does not belong to the group gets no box"):
        eve = t.start("person", called="eve", config=uses("carol"))
        people.befriend(carol, eve)
        soon("Carol knows Eve", lambda: any(c["name"] == "eve" for c in carol.run("contact", "list")))
        # it is found out for Eve whether there is one for her by the time that Bob's is in use again
        soon("Bob has it again", lambda: bob.call("GET", "chat")["mailboxes"])
        require(box(carol)["boxes"] == 1, f"{box(carol)}")


@suite("messages of strangers", limit=360)
def _(t):
    alice, bob = start(t, "alice", "bob")
    people.befriend(alice, bob)
    her = alice.run("id", "show")["person"]
    bob.run("contact", "remove", "alice")
    require(not bob.run("contact", "list") and alice.run("contact", "list"), "they are what they should not be to one another")
    a, b = Talk(alice, "bob"), Talk(bob, her)

    with t.case("the first words of somebody who is no contact are a request"):
        a.say("<b>hello</b> http://127.0.0.1:9/ do you know me still?")
        soon("Bob is asked", lambda: [c for c in bob.run("inbox")["chats"] if c["request"]])
        require(b.info()["request"] and b.info()["unread"] == 1, f"{b.info()}")
        require("<b>hello</b> http://127.0.0.1:9/" in shown(bob, "chat", her), "it is not shown as it was written")

    with t.case("requests are few and short"):
        for n in range(5):
            a.say(f"please {n}")
        long = "a long story " * 400
        a.say(long)
        # whatever Bob takes of it he has taken when Alice hears of the last
        last = a.say("the last word")
        soon("Alice hears that it got there", lambda: a.stage(last) == "delivered")
        require(len(b.texts()) == 3 and b.texts()[1:] == ["please 0", "please 1"], f"{b.texts()}")

    with t.case("nothing of a file is fetched, nor is it known to Alice that Bob read"):
        job = a.call("POST", "/attachments", {"path": str(alice.home / "config.toml"), "caption": ""})
        soon("it is sent", lambda: alice.call("GET", f"jobs/{job['id']}")["state"] == "done")
        b.call("POST", "/read", {"messages": []})
        after = a.say("after that")
        soon("Alice hears that it got there", lambda: a.stage(after) == "delivered")
        require(bob.list() == [], "something is fetched")
        require("read" not in [m["stage"] for m in a.messages()], "Alice is told that Bob read it")

    with t.case("when Bob accepts, they talk"):
        bob.run("chat", her, "--accept")
        a.say("thank you")
        b.hears("thank you")
        a.say(long)
        b.hears(long)
        b.say("now I know you")
        a.hears("now I know you")
        require(not b.info()["request"], f"{b.info()}")

    with t.case("who blocks a stranger hears no more"):
        bob.run("contact", "block", her)
        id = a.say("are you there?")
        refused(alice.run, "ping", "bob")
        require("are you there?" not in b.texts() and a.stage(id) == "waiting", f"{b.texts()}")


@suite("messages of somebody whom nobody knows", limit=360)
def _(t):
    alice, bob = start(t, "alice", "bob")
    me = alice.run("id", "show")["person"]
    shown_by_bob = bob.run("id", "show")
    link, him = shown_by_bob["link"], shown_by_bob["person"]

    with t.case("an id alone leads to nobody, and the refusal says what does"):
        require("link" in refused(alice.run, "chat", him, "hello"), "it does not say what to do")

    with t.case("a link that names somebody else does not tell whose node it is"):
        require("no computer of theirs" in refused(alice.run, "chat", link.replace(him, shown_by_bob["node"]), "hello"), "it tells")

    with t.case("what is written to a link arrives as a request"):
        alice.run("chat", link, "hello, you do not know me")
        soon("Bob is asked", lambda: [c for c in bob.run("inbox")["chats"] if c["request"]])
        b = Talk(bob, me)
        require(b.texts() == ["hello, you do not know me"] and b.info()["request"], f"{b.texts()} {b.info()}")
        require(not alice.run("contact", "list") and not bob.run("contact", "list"), "they are contacts")

    with t.case("when Bob accepts, they talk, and also after both began anew"):
        a = Talk(alice, him)
        bob.run("chat", me, "--accept")
        b.say("now I do")
        a.hears("now I do")
        for person in (alice, bob):
            person.stop()
        for person in (alice, bob):
            person.start(keep_home=True)
        a.say("again")
        b.hears("again")
        b.say("indeed")
        a.hears("indeed")

    with t.case("who was blocked is not led to, and not heard"):
        bob.run("contact", "block", me)
        bob.run("contact", "list")
        require("blocked" in refused(bob.run, "chat", alice.run("id", "show")["link"], "hello"), "Bob writes to somebody whom he blocked")
        id = a.say("are you there?")
        refused(alice.run, "ping", him)
        require("are you there?" not in b.texts() and a.stage(id) == "waiting", f"{b.texts()}")
