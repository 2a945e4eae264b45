"""Talking with people, with a real node each: what is said arrives once, in one order, whoever is away meanwhile, and reaches nobody else."""
import json
import mailbox
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

import compeer_driver
import drivers
import people
from harness import Failed, require, suite
from terminal import Terminal

PATIENCE = 90   # seconds that something which has to happen may take on a busy computer
AT_ONCE = 20    # seconds, on a busy computer, for what does not wait until something is asked for again: that is after a minute, or more


def soon(what, holds, timeout=PATIENCE, step=0.05):
    """Waits until something is so; -> the seconds that it took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > timeout:
            raise drivers.Timeout(f"not so after {timeout} s: {what}")
        time.sleep(step)
    return time.monotonic() - began


def refused(what, *arguments):
    """What the API says to something that it must not do."""
    try:
        what(*arguments)
    except RuntimeError as said:
        return str(said)
    raise Failed(f"{arguments} was not refused")


class Talk:
    """A conversation as one person sees it. `name`: what they call it."""

    def __init__(self, person, name):
        self.person, self.path = person, "chats/" + urllib.parse.quote(name, safe="")

    def call(self, method, path="", body=None):
        return self.person.call(method, self.path + path, body)

    def say(self, text, **more):
        """-> the message's id"""
        return self.call("POST", "/messages", {"text": text, **more})["id"]

    def do(self, **what):
        return self.call("POST", "/messages", what)

    def messages(self):
        return self.call("GET", "/messages?limit=1000")["messages"]

    def texts(self):
        return [m["text"] for m in self.messages() if m["kind"] == "text" and not m.get("deleted")]

    def message(self, text):
        """The first message of these words; None while there is none."""
        return next((m for m in self.messages() if m["text"] == text), None)

    def stage(self, id):
        return self.call("GET", f"/messages/{id}")["stage"]

    def hears(self, *texts):
        """Waits until all of these were said; -> the seconds."""
        return soon(f"{self.person.name} has {texts} of {self.path}", lambda: set(texts) <= set(self.texts()))

    def info(self):
        return self.call("GET")


def output(person, arguments, typed=""):
    """What a command prints in somebody's home when something is typed."""
    env = dict(os.environ, COMPEER_HOME=str(person.home), NO_COLOR="1", **compeer_driver.QUIET)
    with person.inside():
        done = subprocess.run([compeer_driver.BINARY, *map(str, arguments)], env=env, input=typed, capture_output=True, text=True, timeout=60)
    require(done.returncode == 0, f"{person.name}: compeer {arguments}: {done.stderr}")
    return done.stdout


def shown(person, *arguments):
    return output(person, arguments)


def plain(person, *arguments, typed=""):
    return output(person, arguments, typed).splitlines()


def piped(person, *arguments, typed=""):
    """The documents, a line each."""
    return plain(person, *arguments, "--json", typed=typed)


def start(t, *names, **options):
    return [t.start("person", called=name, **options) for name in names]


def kill(person):
    """As a power failure would."""
    person.proc.kill()
    person.proc.wait()


@suite("messages between two", limit=300)
def _(t):
    alice, bob = start(t, "alice", "bob")
    people.befriend(alice, bob)
    a, b = Talk(alice, "bob"), Talk(bob, "alice")

    with t.case("what one says the other reads, in both directions"):
        first = a.say("hello")
        took = b.hears("hello")
        b.say("hello yourself")
        a.hears("hello yourself")
        soon("Alice knows that it is there", lambda: a.stage(first) in ("delivered", "read"))
        t.note(first_message_s=round(took, 2))
        began = time.monotonic()
        a.say("quick")
        b.hears("quick")
        t.note(next_message_s=round(time.monotonic() - began, 2))
        require(a.texts() == b.texts() == ["hello", "hello yourself", "quick"], f"{a.texts()}, {b.texts()}")

    with t.case("an answer, a reaction, other words, and what is taken back are seen alike by both"):
        question = a.say("tea or coffee?")
        b.hears("tea or coffee?")
        b.say("tea", answers=question)
        b.do(reaction={"to": question, "reaction": "👍"})
        a.hears("tea")
        soon("the reaction", lambda: a.message("tea or coffee?")["reactions"])
        require(a.message("tea")["answers"] == {"id": question, "from": "alice", "text": "tea or coffee?"}, f"{a.message('tea')}")
        require(a.message("tea or coffee?")["reactions"] == [{"reaction": "👍", "by": ["bob"], "mine": False}], "the reaction")
        b.do(reaction={"to": question, "reaction": "👍", "take_away": True})
        soon("the reaction is taken away", lambda: not a.message("tea or coffee?")["reactions"])
        a.do(edit={"of": question, "text": "black tea or coffee?"})
        b.hears("black tea or coffee?")
        require(b.message("black tea or coffee?")["edited"] and "tea or coffee?" not in b.texts(), f"{b.texts()}")
        require("no such message of yours" in refused(b.call, "POST", "/messages", {"edit": {"of": question, "text": "x"}}), "others' words are changed")
        secret = a.say("not meant for you")
        b.hears("not meant for you")
        a.do(deletion=secret)
        soon("it is taken back", lambda: "not meant for you" not in b.texts())
        require(b.call("GET", f"/messages/{secret}")["deleted"], "it is not said that something was taken back")
        require([m["id"] for m in a.messages()] == [m["id"] for m in b.messages()], "they do not see the same order")

    with t.case("what was said is found by its words, and what was taken back is not"):
        found = bob.call("GET", "messages?words=black%20cof")
        require([hit["id"] for hit in found] == [question], f"{found}")
        require(any(piece["found"] and piece["text"] == "black" for piece in found[0]["snippet"]), f"{found}")
        require(bob.run("chat", "--search", "meant") == [], "what was taken back is found")
        database = b"".join(path.read_bytes() for path in bob.home.glob("compeer.db*"))
        require(b"not meant for you" not in database, "what was taken back is in the database")

    with t.case("how far a message is, what is unread and what was read is told"):
        b.call("POST", "/read", {"messages": []})
        id = a.say("read me")
        soon("one is unread", lambda: b.info()["unread"] == 1)
        soon("Alice knows that it is there", lambda: a.stage(id) == "delivered")
        unread = bob.run("inbox")["chats"]
        require([(chat["name"], chat["unread"]) for chat in unread] == [("alice", 1)], f"{unread}")
        b.call("POST", "/read", {"messages": [id]})
        soon("Alice knows", lambda: a.stage(id) == "read")
        require(b.info()["unread"] == 0 and bob.run("inbox")["chats"] == [], f"{b.info()}")

    with t.case("somebody writes, and is seen to"):
        ear = people.Ear(alice)
        b.call("POST", "/typing", {"typing": True})
        soon("Alice sees it", lambda: any(e["typing"] and e["name"] == "bob" for e in ear.of("typing")))
        b.call("POST", "/typing", {"typing": False})
        soon("and that it is over", lambda: not ear.of("typing")[-1]["typing"])
        b.say("done")
        soon("the events tell what is said", lambda: any(e["text"] == "done" for e in ear.of("message")))
        soon("and that something is unread", lambda: any(e["unread"] for e in ear.of("chat")))

    with t.case("who does not let others know is not seen to write or read"):
        settings = bob.home / "config.toml"
        settings.write_text(settings.read_text() + "\n[chat]\nreceipts = false\ntyping = false\n")
        soon("it holds", lambda: not bob.call("GET", "chat")["receipts"])
        before = len(ear.of("typing"))
        b.call("POST", "/typing", {"typing": True})
        id = a.say("secretly read")
        b.hears("secretly read")
        b.call("POST", "/read", {"messages": []})
        # whatever would be told of it has come when the answer to it has
        b.say("an answer")
        a.hears("an answer")
        require(a.stage(id) == "delivered", f"it is {a.stage(id)}")
        require(len(ear.of("typing")) == before, "it is told who writes")

    with t.case("the commands do the same"):
        sent = alice.run("chat", "bob", "by command")
        require(sent["stage"] in ("delivered", "read"), f"{sent}")
        require([d["name"] for d in sent["delivery"]] == ["bob"], f"{sent}")
        lines = piped(bob, "chat", "alice", typed="first line\n\n/quit is no order here\n")
        require([json.loads(line)["text"] for line in lines] == ["by command"], f"{lines}")
        a.hears("first line", "/quit is no order here")
        text = shown(bob, "chat")
        require("alice" in text and "/quit is no order here" in text, text)

    with t.case("a conversation that is muted stands in no inbox, and is told as others are"):
        b.call("POST", "/read", {"messages": []})
        require(bob.run("chat", "alice", "--mute")["muted"], "it is not muted")
        a.say("softly")
        b.hears("softly")
        require(b.info()["unread"] == 1 and bob.run("inbox")["chats"] == [], f"{b.info()}, {bob.run('inbox')}")
        require(not bob.run("chat", "alice", "--unmute")["muted"], "it is muted still")
        require([chat["unread"] for chat in bob.run("inbox")["chats"]] == [1], f"{bob.run('inbox')}")

    with t.case("a terminal shows nothing of another's that moves it"):
        a.say("evil\x1b[2J\x07\u202egpj.exe")
        b.hears("evil\x1b[2J\x07\u202egpj.exe")
        for arguments in (("chat",), ("inbox",), ("chat", "--search", "evil")):
            text = shown(bob, *arguments)
            require("evil" in text and not set(text) & {"\x1b", "\x07", "\u202e"}, f"{arguments}: {text!r}")
        text = "\n".join(plain(bob, "chat", "alice"))
        require("evil" in text and not set(text) & {"\x1b", "\x07", "\u202e"}, f"{text!r}")

    with t.case("a conversation fills a terminal, and leaves it as it was"):
        terminal = Terminal(alice, "chat", "bob")
        terminal.shows(r"black tea or coffee\?", "> ")
        terminal.type("typed in a terminol\x7f\x7fal\r")
        b.hears("typed in a terminal")
        b.say("seen at once")
        terminal.shows("seen at once", "✓")
        number = str(a.message("seen at once")["order"])[-4:]
        terminal.shows(rf"{number} \d\d:\d\d ")
        terminal.type(f"/react {number} ❤\r")
        soon("the reaction", lambda: b.message("seen at once")["reactions"])
        terminal.type("/nonsense\r")
        terminal.shows("there is no /nonsense")
        terminal.type("\x15/quit\r")
        require(terminal.ends() == (0, True), "it does not end well")
        soon("what was shown is read", lambda: a.info()["unread"] == 0)
        terminal = Terminal(alice, "chat", "bob")
        terminal.shows("seen at once")
        terminal.proc.send_signal(signal.SIGTERM)
        require(terminal.ends()[1], "the terminal is not as it was after a signal")

    with t.case("it is exported for other programs"):
        lines = [json.loads(line) for line in shown(bob, "chat", "--export", "json", "alice").splitlines()]
        require(lines[0]["type"] == "compeer-chat" and lines[1]["type"] == "conversation", f"{lines[:2]}")
        require([m["text"] for m in lines[2:] if m.get("text") and not m.get("deleted")] == b.texts(), "the texts")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(shown(bob, "chat", "--export", "mbox", "alice"))
            file.flush()
            mails = mailbox.mbox(file.name)
            words = [mail.get_payload(decode=True).decode().strip() for mail in mails]
        require("black tea or coffee?" in words and len(words) == len(b.texts()), f"{words}")

    with t.case("messages disappear when they are to, on both sides"):
        a.do(timer={"seconds": 10})
        soon("Bob knows", lambda: b.info()["timer_s"] == 10)
        b.say("soon gone")
        a.hears("soon gone")
        require(a.message("soon gone")["until_ms"] is not None, f"{a.message('soon gone')}")
        soon("it is gone", lambda: "soon gone" not in a.texts() + b.texts())
        a.do(timer={})
        soon("Bob knows", lambda: b.info()["timer_s"] is None)
        require("black tea or coffee?" in b.texts(), "what was said before is gone as well")

    with t.case("what is wrong is said"):
        for what, words in (
            ({"text": ""}, "nothing in the message"),
            ({"text": "x" * (16 * 1024 + 1)}, "at most 16384"),
            ({"text": "x", "reaction": {"to": question, "reaction": "y"}}, "exactly one"),
            ({"text": "x", "answers": "0011223344556677-1"}, "no such message"),
            ({"text": "x", "answers": "nonsense"}, "no id of a message"),
        ):
            said = refused(a.call, "POST", "/messages", what)
            require(words in said, f"{what}: {said}")
        require("no contact" in refused(Talk(alice, "nobody").say, "x"), "nobody is spoken to")

    with t.case("a restart forgets nothing, and what was said meanwhile comes then"):
        before = [(m["id"], m["text"]) for m in b.messages()]
        bob.stop()
        late = [a.say(f"while you were away {n}") for n in range(20)]
        require(a.stage(late[0]) == "waiting", f"it is {a.stage(late[0])}")
        waiting = alice.call("GET", "chat")["waiting"]
        require([(w["name"], w["messages"] >= 20) for w in waiting] == [("bob", True)], f"{waiting}")
        alice.stop()
        alice.start(keep_home=True)
        bob.start(keep_home=True)
        took = b.hears(*(f"while you were away {n}" for n in range(20)))
        t.note(after_both_came_back_s=round(took, 2))
        require([(m["id"], m["text"]) for m in b.messages()][:len(before)] == before, "what was said before is another")
        require(b.texts()[-20:] == [f"while you were away {n}" for n in range(20)], f"{b.texts()}")


MAILBOX = '[offer.mailbox]\non = true\n'


def uses(*names):
    return f"[chat]\nmailboxes = {json.dumps(list(names))}\n"


def has_mailbox(person):
    """Waits until a person's mailboxes are found, and keep something for them."""
    soon(f"{person.name} has a mailbox", lambda: person.call("GET", "chat")["mailboxes"])


def with_a_mailbox(t):
    """-> Alice, Bob, and Carol, who keeps for Bob what Alice, whom she does not know, writes to him."""
    alice = t.start("person", called="alice")
    bob = t.start("person", called="bob", config=uses("carol"))
    carol = t.start("person", called="carol", config=MAILBOX)
    people.befriend(carol, bob)
    people.befriend(alice, bob)
    has_mailbox(bob)
    return alice, bob, carol


def by_a_mailbox(t, at_once):
    alice, bob, carol = with_a_mailbox(t)
    a, b = Talk(alice, "bob"), Talk(bob, "alice")
    box = lambda: carol.call("GET", "services/mailbox")     # noqa: E731
    soon("Carol keeps a box", lambda: box()["boxes"] == 1)

    with t.case("who is away has it in a mailbox of somebody whom the sender does not know"):
        a.say("we meet")
        b.hears("we meet")
        kill(bob)
        ids = [a.say(f"kept {n}") for n in range(10)]
        took = soon("it is in the mailbox", lambda: all(a.stage(id) == "in_mailbox" for id in ids))
        t.note(in_the_mailbox_after_s=round(took, 1))
        require(box()["envelopes"] > 0, f"{box()}")
        kept = b"".join(path.read_bytes() for path in carol.home.glob("compeer.db*"))
        require(b"kept 1" not in kept and b"alice" not in kept, "the mailbox reads what it keeps")

    with t.case("who comes back has it at once, though the sender is away"):
        kill(alice)
        began = time.monotonic()
        bob.start(keep_home=True)
        b.hears(*(f"kept {n}" for n in range(10)))
        took = time.monotonic() - began
        t.note(there_after_s=round(took, 1))
        require(took < at_once, f"it took {took:.1f} s")
        require(b.texts() == ["we meet"] + [f"kept {n}" for n in range(10)], f"{b.texts()}")
        soon("the mailbox is empty", lambda: box()["envelopes"] == 0)

    with t.case("what is left there while somebody waits for it comes at once"):
        dora = t.start("person", called="dora")
        people.befriend(dora, bob)
        d, of_dora = Talk(dora, "bob"), Talk(bob, "dora")
        d.say("hello")
        of_dora.hears("hello")

    with t.case("the sender hears that it arrived when both are there again"):
        alice.start(keep_home=True)
        soon("Alice knows", lambda: all(m["stage"] == "delivered" for m in a.messages()))
        require(a.texts() == b.texts(), f"{a.texts()}, {b.texts()}")

    with t.case("two who are never there at the same time talk, each by the mailbox of a third"):
        people.befriend(carol, alice)
        settings = alice.home / "config.toml"
        settings.write_text(settings.read_text() + uses("carol"))
        has_mailbox(alice)
        soon("Carol keeps two boxes", lambda: box()["boxes"] == 2)
        bob.stop()
        for n in range(3):
            id = a.say(f"question {n}")
            soon("it is in the mailbox", lambda: a.stage(id) == "in_mailbox")
            alice.stop()
            bob.start(keep_home=True)
            took = b.hears(f"question {n}")
            require(took < at_once, f"Bob has it after {took:.1f} s")
            id = b.say(f"answer {n}")
            soon("it is in the mailbox", lambda: b.stage(id) == "in_mailbox")
            bob.stop()
            alice.start(keep_home=True)
            took = a.hears(f"answer {n}")
            require(took < at_once, f"Alice has it after {took:.1f} s")
        bob.start(keep_home=True)
        soon("both see the same", lambda: a.texts() == b.texts())
        require(len(a.texts()) == 17, f"{a.texts()}")

    with t.case("a mailbox that is switched off keeps nothing, and its owner says so"):
        require(any(o["service"] == "mailbox" and o["runs"] for o in carol.run("offer")), "it does not run")
        carol.run("offer", "mailbox", "--off")
        require("no mailbox" in refused(carol.call, "GET", "services/mailbox"), "it runs still")

    with t.case("who was told that there is none uses it soon after it is switched on"):
        bob.stop()
        bob.start(keep_home=True)
        soon("Bob has none", lambda: not bob.call("GET", "chat")["mailboxes"])
        carol.run("offer", "mailbox", "--on")
        has_mailbox(bob)


@suite("messages by a mailbox", limit=360)
def _(t):
    by_a_mailbox(t, AT_ONCE)


@suite("messages by a mailbox are there within 5 s", limit=360, prove=True)
def _(t):
    by_a_mailbox(t, 5)


def tea(t, *others, admin):
    """A group Tea that the others come into; -> its id."""
    group = admin.run("group", "create", "Tea")["id"]
    for person in others:
        person.run("group", "join", admin.run("group", "invite", "Tea")["link"])
    names = {admin.name, *(person.name for person in others)}
    members = lambda person: {m.get("name") for m in person.call("GET", f"groups/{group}")["people"]}     # noqa: E731
    soon("all know all", lambda: all(members(person) == names for person in (admin, *others)))
    return group


@suite("messages in rooms", limit=360)
def _(t):
    alice, bob, carol = everybody = start(t, "alice", "bob", "carol")
    group = tea(t, bob, carol, admin=alice)
    a, b, c = rooms = [Talk(person, "Tea") for person in everybody]

    with t.case("all members read what one says, also those who are nobody's contacts"):
        require(not bob.run("contact", "list"), "Bob has contacts")
        for room, text in zip(rooms, ("from Alice", "from Bob", "from Carol")):
            room.say(text)
        for room in rooms:
            room.hears("from Alice", "from Bob", "from Carol")
        require(a.texts() == b.texts() == c.texts(), f"{a.texts()}, {b.texts()}, {c.texts()}")
        require({m["from"] for m in c.messages()} == {"alice", "bob", "carol"}, f"{c.messages()}")
        id = next(m["id"] for m in b.messages() if m["mine"])
        soon("Bob knows that all have it", lambda: b.stage(id) == "delivered")
        require({d["name"] for d in b.call("GET", f"/messages/{id}")["delivery"]} == {"alice", "carol"}, "for whom it is")

    with t.case("it goes on without who began it"):
        alice.stop()
        b.say("Alice is away")
        c.hears("Alice is away")
        c.say("so she is")
        b.hears("so she is")
        alice.start(keep_home=True)
        took = a.hears("Alice is away", "so she is")
        t.note(caught_up_after_s=round(took, 1))
        require(a.texts() == b.texts() == c.texts(), f"{a.texts()}, {b.texts()}, {c.texts()}")

    with t.case("a room is opened by one, listed by all, and has its own messages"):
        opened = bob.run("room", "open", "Tea/Black")
        require(opened["name"] == "black", f"{opened}")
        require("already" in refused(bob.run, "room", "open", "Tea/black"), "it is opened twice")
        names = lambda person: [room["name"] for room in person.run("room", "list", "Tea")]     # noqa: E731
        soon("all list it", lambda: all(names(person) == ["main", "black"] for person in everybody))
        carol.run("room", "Tea/black", "with milk?")
        Talk(alice, "Tea/black").hears("with milk?")
        require("with milk?" not in a.texts(), "it is in the other room too")
        require("with milk?" in shown(alice, "chat"), shown(alice, "chat"))

    with t.case("a fellow member who is no contact asks before they talk"):
        sent = bob.run("chat", "carol", "may I?")
        request = Talk(carol, "bob")
        request.hears("may I?")
        soon("it is a request", lambda: request.info()["request"])
        require([chat["name"] for chat in carol.run("inbox")["chats"] if chat["request"]] == ["bob"], "the inbox does not tell")
        mine = Talk(bob, "carol")
        for n in range(5):
            mine.say(f"more {n}")
        # what she takes of somebody whom she did not accept ends there
        c.say("a mark")
        b.hears("a mark")
        require(len(request.texts()) <= 3, f"{request.texts()}")
        request.call("POST", "/accept")
        mine.say("thank you")
        request.hears("thank you")
        request.say("welcome")
        mine.hears("welcome")
        require(not request.info()["request"] and sent["id"], f"{request.info()}")

    with t.case("who is expelled gets nothing more, and says nothing more"):
        alice.run("group", "remove", "Tea", "carol")
        soon("Carol is told", lambda: next(g for g in carol.call("GET", "groups") if g["id"] == group)["standing"] == "expelled")
        soon("Bob knows", lambda: len(bob.call("GET", f"groups/{group}")["people"]) == 2)
        b.say("now that she is gone")
        a.hears("now that she is gone")
        was = Talk(carol, f"group:{group}")
        require("no member" in refused(was.say, "am I?"), "she says something")
        # her own conversation with Bob goes on, behind which anything else would have come
        Talk(bob, "carol").say("you are out")
        Talk(carol, "bob").hears("you are out")
        require("now that she is gone" not in was.texts() and "so she is" in was.texts(), f"{was.texts()}")
        database = b"".join(path.read_bytes() for path in carol.home.glob("compeer.db*"))
        require(b"now that she is gone" not in database, "she has it")


@suite("messages and who is blocked", limit=240)
def _(t):
    alice, bob = start(t, "alice", "bob")
    people.befriend(alice, bob)
    a, b = Talk(alice, "bob"), Talk(bob, "alice")
    a.say("hello")
    b.hears("hello")

    with t.case("who is blocked reaches nobody, and is not spoken to"):
        alice.run("contact", "block", "bob")
        of_bob = Talk(alice, a.info()["id"])
        id = b.say("are you angry?")
        require("blocked" in refused(of_bob.say, "yes"), "somebody who is blocked is spoken to")
        soon("Bob does not reach her", lambda: not any(x["service"] == "chat" for x in bob.run("connections")))
        # what knocks is turned away, whatever it is about
        refused(bob.run, "ping", "alice")
        require("are you angry?" not in of_bob.texts(), f"{of_bob.texts()}")
        require(b.stage(id) == "waiting", f"it is {b.stage(id)}")

    with t.case("it comes when he is not blocked any more"):
        alice.run("contact", "unblock", "bob")
        Talk(alice, "bob").hears("are you angry?")


@suite("messages of a person with two nodes", limit=360)
def _(t):
    alice, bob = start(t, "alice", "bob")
    people.befriend(alice, bob)
    a, b = Talk(alice, "bob"), Talk(bob, "alice")
    for n in range(5):
        a.say(f"before {n}")
        b.hears(f"before {n}")
    phone = t.start("person", called="phone", joins=bob)
    p = Talk(phone, "alice")
    soon("Alice knows the phone", lambda: len(alice.run("contact", "list")[0]["nodes"]) == 2)

    with t.case("both nodes get what is said, and what one says the other has"):
        a.say("to both")
        b.hears("to both")
        p.hears("to both")
        p.say("from the phone")
        a.hears("from the phone")
        b.hears("from the phone")
        require(b.message("from the phone")["mine"] and a.message("from the phone")["from"] == "bob", f"{b.message('from the phone')}")

    with t.case("what is read on one is read on the other"):
        p.call("POST", "/read", {"messages": []})
        soon("nothing is unread", lambda: b.info()["unread"] == p.info()["unread"] == 0 or b.call("POST", "/read", {"messages": []}))

    with t.case("a node that was away has from the other what came meanwhile, though the sender is gone"):
        kill(phone)
        for n in range(10):
            a.say(f"meanwhile {n}")
        b.hears(*(f"meanwhile {n}" for n in range(10)))
        b.say("I know")
        a.hears("I know")
        kill(alice)
        phone.start(keep_home=True)
        took = p.hears(*(f"meanwhile {n}" for n in range(10)), "I know")
        t.note(caught_up_after_s=round(took, 1))
        alice.start(keep_home=True)

    with t.case("a node that is added later has all that was said when it asks for it"):
        b.call("POST", "/read", {"messages": []})
        tablet = t.start("person", called="tablet", joins=bob)
        of_tablet = Talk(tablet, "alice")
        b.say("there is a tablet")
        tablet.run("chat", "--ask-history")
        took = of_tablet.hears("before 0", "there is a tablet")
        t.note(history_after_s=round(took, 1))
        soon("it has all", lambda: of_tablet.texts() == b.texts())

    with t.case("a node that was revoked gets nothing more"):
        bob.run("node", "revoke", "phone")
        soon("Alice knows", lambda: len(alice.run("contact", "list")[0]["nodes"]) == 2)
        a.say("after the revocation")
        b.hears("after the revocation")
        b.say("indeed")
        a.hears("indeed")
        require("after the revocation" not in p.texts(), "the phone has it")


@suite("messages and kill -9", limit=360)
def _(t):
    alice, bob, carol = everybody = start(t, "alice", "bob", "carol")
    tea(t, bob, carol, admin=alice)
    rooms = [Talk(person, "Tea") for person in everybody]
    seed = random.randrange(1 << 32)
    said, over = [], threading.Event()

    def write(room):
        """Says one thing after another, and notes what the node took."""
        number = 0
        while not over.is_set():
            number += 1
            text = f"{room.person.name} {number}"
            try:
                room.say(text)
                said.append(text)
            except (RuntimeError, OSError):
                # killed: whether it took this one, nobody knows
                pass
            time.sleep(0.02)

    with t.case("nothing that was said is lost or doubled, and all see one order, whoever is killed when"):
        for room in rooms:
            room.say("begin")
        for room in rooms:
            soon("all are there", lambda: room.texts().count("begin") == 3)
        writers = [threading.Thread(target=write, args=(room,)) for room in rooms]
        for writer in writers:
            writer.start()
        dice = random.Random(seed)
        for _ in range(9):
            time.sleep(dice.uniform(0.1, 1.5))
            person = dice.choice(everybody)
            kill(person)
            time.sleep(dice.uniform(0, 0.5))
            person.start(keep_home=True)
        over.set()
        for writer in writers:
            writer.join()

        def texts(room):
            """All, page by page."""
            found, before = [], ""
            while True:
                page = room.call("GET", f"/messages?limit=1000{before}")
                found = page["messages"] + found
                if not page["more_before"]:
                    return [m["text"] for m in found if m["kind"] == "text"]
                before = "&before=" + found[0]["id"]

        all_have = lambda: all(set(said) <= set(texts(room)) for room in rooms)     # noqa: E731
        try:
            took = soon("all have all", all_have, 100)
            soon("all see the same", lambda: texts(rooms[0]) == texts(rooms[1]) == texts(rooms[2]))
        except drivers.Timeout:
            lacking = {room.person.name: sorted(set(said) - set(texts(room)))[:5] for room in rooms}
            raise Failed(f"seed {seed}: lacking {lacking}") from None
        for room in rooms:
            doubled = [text for text in texts(room) if text != "begin" and texts(room).count(text) > 1][:5] if len(set(texts(room))) + 2 != len(texts(room)) else []
            require(not doubled, f"seed {seed}: {room.person.name} has {doubled} more than once")
        t.note(said=len(said), kills=9, all_have_all_after_s=round(took, 1))


@suite("messages by a mailbox and kill -9", limit=400)
def _(t):
    alice, bob, carol = with_a_mailbox(t)
    a, b = Talk(alice, "bob"), Talk(bob, "alice")
    a.say("begin")
    b.hears("begin")
    seed = random.randrange(1 << 32)
    dice, said = random.Random(seed), ["begin"]

    def kill_sometime(person, within):
        time.sleep(dice.uniform(0, within))
        kill(person)
        time.sleep(dice.uniform(0, 0.5))
        person.start(keep_home=True)

    def write(name):
        for n in range(10):
            text = f"{name} {n}"
            try:
                a.say(text)
                said.append(text)
            except (RuntimeError, OSError):
                # killed: whether it took this one, nobody knows
                pass
            time.sleep(0.1)

    rounds = (("while she writes", alice, None), ("while the mailbox is left something", carol, None),
              ("while he fetches", None, bob), ("while the mailbox is fetched from", None, carol))
    for what, writing, fetching in rounds:
        with t.case(f"nothing is lost or doubled between two who are never there at once: killed {what}"):
            bob.stop()
            writer = threading.Thread(target=write, args=(what,))
            writer.start()
            if writing:
                kill_sometime(writing, 1.2)
            writer.join()
            # as long as a mailbox that did not answer is left alone, and some more
            soon("all of it is in the mailbox", lambda: all(m["stage"] in ("in_mailbox", "delivered") for m in a.messages()), 150)
            kill(alice)
            bob.start(keep_home=True)
            if fetching:
                kill_sometime(fetching, 0.6)
            try:
                took = soon("Bob has all", lambda: set(said) <= set(b.texts()), 100)
            except drivers.Timeout:
                raise Failed(f"seed {seed}: Bob lacks {sorted(set(said) - set(b.texts()))}") from None
            require(len(b.texts()) == len(set(b.texts())), f"seed {seed}: doubled: {b.texts()}")
            t.note(seed=seed, said=len(said), there_after_s=round(took, 1))
            alice.start(keep_home=True)
            soon("Alice knows", lambda: all(m["stage"] == "delivered" for m in a.messages()), 100)
            require(a.texts() == b.texts(), f"seed {seed}: {a.texts()}, {b.texts()}")
