"""A conversation in a terminal, as a person sees it: what is pasted, taken back, asked, narrow, and a node that goes and comes."""
import contextlib
import os
import pathlib

import people
from cases.messages import MAILBOX, Talk, has_mailbox, kill, refused, shown, soon, start, uses
from harness import require, suite
from tmux import Tmux


def look(screen, name):
    """Keeps what is seen, where somebody wants to look at it."""
    if folder := os.environ.get("COMPEER_LOOKS"):
        size = screen.run("display-message", "-p", "#{pane_width}x#{pane_height}").strip()
        pathlib.Path(folder, f"{name}-{size}.txt").write_text(screen.text())


def paste(screen, text):
    screen.run("set-buffer", text)
    screen.run("paste-buffer", "-p")


def opened(screen, *arguments):
    screen.type("compeer chat " + " ".join(arguments), "Enter")
    screen.sees("^>")


@suite("messages in a terminal", limit=360)
def _(t):
    alice, bob = start(t, "alice", "bob")
    people.befriend(alice, bob)
    a, b = Talk(alice, "bob"), Talk(bob, "alice")
    with contextlib.ExitStack() as screens:
        hers = screens.enter_context(Tmux(t, alice.home, width=80, height=24))
        his = screens.enter_context(Tmux(t, bob.home, width=50, height=15))
        typing(t, a, b, hers, his)
        taken_back(t, a, b, hers, his)
        numbers(t, a, b, his)
        away(t, alice, a, b, hers)
        by_command(t, bob, a, b, hers)
    asked(t, bob)


def typing(t, a, b, hers, his):
    with t.case("whoever opens an empty conversation is told what may be typed, and sees all of it in a narrow terminal"):
        opened(hers, "bob")
        hers.sees("/help")
        look(hers, "empty")
        opened(his, "alice")
        his.type("/help", "Enter")
        for order in ("/reply N words", "/edit", "/delete N", "/get N", "/send PATH", "/timer", "/older", "/accept, /refuse", "/quit"):
            his.sees(order)
        look(his, "help")
        his.type("Enter")
        his.misses("/delete N")
        hers.type("/help", "Enter")
        hers.sees("/quit")
        look(hers, "help")
    with t.case("lines that are pasted are one message, whatever they begin with, and are sent when the user says so"):
        paste(hers, "line one\n/quit\nline three\n")
        hers.sees("> line one⏎/quit⏎line three")
        look(hers, "pasted")
        require(a.texts() == [], "it was sent before the user said so")
        hers.type("Enter")
        b.hears("line one\n/quit\nline three")
        paste(hers, "/quit\nis no order")
        hers.type("Enter")
        b.hears("/quit\nis no order")
        # more than a terminal keeps of a line
        long = "x" * 5000 + "\n" + "\n".join(f"\tline {n} — ä" for n in range(500))
        paste(hers, long)
        hers.sees("line 499 — ä$")
        hers.type("Enter")
        b.hears(long)
        require(len(a.texts()) == 3, f"{a.texts()}")
    with t.case("what was not done stays in the line"):
        for wrong in ("/nonsense", "/delete 77"):
            hers.type(wrong, "Enter")
            hers.sees(f"^> {wrong}")
            hers.type("C-u")
    with t.case("a message of spaces is none"):
        require("nothing" in refused(a.say, "  \n "), "it was said")


def taken_back(t, a, b, hers, his):
    with t.case("what is taken back or changed is quoted no more in views that are open"):
        secret = a.say("SECRETWORD")
        b.say("what?", answers=secret)
        for screen in (hers, his):
            screen.sees("│ .*SECRETWORD")
        a.do(edit={"of": secret, "text": "OTHERWORD"})
        for screen in (hers, his):
            screen.sees("│ .*OTHERWORD")
            screen.misses("SECRETWORD")
        a.do(deletion=secret)
        for screen in (hers, his):
            screen.misses("OTHERWORD")
            screen.sees("│ .*not here any more")
    with t.case("a mark and how a file is fetched are seen in a narrow terminal, too"):
        file = t.sub("files") / "a name that is rather long for it.jpg"
        file.write_bytes(b"x" * 3000)
        a.call("POST", "/attachments", {"path": str(file), "caption": ""})
        his.sees(r"— /get \d+$")
        b.say("x" * 29 + " and so on and so forth ab")
        his.sees("✓")
        look(his, "narrow")
        require("…" not in his.text(), his.text())


def numbers(t, a, b, his):
    with t.case("a number is the same after messages disappeared, and for the command"):
        a.do(timer={"seconds": 10})
        gone = a.say("gone soon")
        b.hears("gone soon")
        a.do(timer={"seconds": 0})
        file = t.sub("files") / "b.jpg"
        file.write_bytes(b"x" * 4000)
        a.call("POST", "/attachments", {"path": str(file), "caption": ""})
        number = his.sees(r"b\.jpg.* — /get \d+$").split()[-1]
        soon("it disappeared", lambda: gone not in [m["id"] for m in b.messages()])
        his.misses("gone soon")
        his.type("/quit", "Enter")
        his.sees("[$#] *$")
        opened(his, "alice")
        require(his.sees(r"b\.jpg.* — /get \d+$").split()[-1] == number, his.text())
        said = b.person.run("chat", "alice", "--get", number, "--output", t.sub("got"))
        require(said["name"] == "b.jpg", f"{said}")
        require("there are" in refused(b.person.run, "chat", "alice", "--get", "999"), "it is not said which there are")


def away(t, alice, a, b, hers):
    with t.case("a node that is killed and started again is waited for, with what was typed"):
        hers.type("half a wo")
        hers.sees("^> half a wo")
        kill(alice)
        hers.sees("the node is away")
        hers.type("rd", "Enter")
        hers.sees("not now")
        hers.sees("^> half a word")
        look(hers, "away")
        alice.start(keep_home=True)
        hers.misses("the node is away")
        b.say("welcome back")
        hers.sees("welcome back")
        hers.type("Enter")
        b.hears("half a word")
        hers.type("/quit", "Enter")
        hers.sees("[$#] *$")


def by_command(t, bob, a, b, hers):
    with t.case("a command says that it sends, and what has to stay on while nobody has it"):
        bob.stop()
        hers.type('compeer chat bob "while you are away"', "Enter")
        hers.sees("Sending …")
        hers.sees("Waiting for bob")
        hers.sees("tay on, with its node")
        look(hers, "waiting")
    with t.case("Ctrl-C ends the command, and not what was said"):
        hers.type('clear; compeer chat bob "and one more"', "Enter")
        hers.sees("Sending …")
        hers.type("C-c")
        hers.sees("goes on in the background")
        bob.start(keep_home=True)
        b.hears("while you are away", "and one more")


def asked(t, bob):
    dora, = start(t, "dora")
    people.befriend(dora, bob)
    hers = dora.run("id", "show")["person"]
    with t.case("contacts and rooms are not refused"):
        require("block them" in refused(bob.run, "chat", "dora", "--refuse"), "it is not said what to do")
        require("no other computer" in refused(bob.run, "chat", "--ask-history"), "somebody is asked")
    bob.run("contact", "remove", "dora")
    Talk(dora, "bob").say("do you know me?")
    soon("Bob is asked", lambda: [c for c in bob.run("inbox")["chats"] if c["request"]])
    with t.case("a request shows what may be said to it, and is answered by no accident"), Tmux(t, bob.home, width=50, height=15) as screen:
        opened(screen, hers)
        screen.sees("asks to write to you")
        screen.type("who are you", "Enter")
        screen.sees("say first whether")
        look(screen, "request")
        require(Talk(bob, hers).info()["request"], "it was accepted")
        screen.type("C-u", "/refuse", "Enter")
        screen.sees("is left alone")
    with t.case("what was refused is unread no more"):
        require(all(chat["name"] != "dora" for chat in bob.run("inbox")["chats"]), f"{bob.run('inbox')}")


@suite("messages by a command", limit=240)
def _(t):
    alice, bob = t.start("person", called="alice"), t.start("person", called="bob", config=uses("carol"))
    carol = t.start("person", called="carol", config=MAILBOX)
    people.befriend(carol, bob)
    people.befriend(alice, bob)
    has_mailbox(bob)
    soon("Carol keeps a box", lambda: carol.call("GET", "services/mailbox")["boxes"] == 1)
    Talk(alice, "bob").say("we meet")
    Talk(bob, "alice").hears("we meet")
    with t.case("a command waits until a mailbox has what it said"):
        kill(bob)
        sent = alice.run("chat", "bob", "while you are away")
        require(sent["stage"] == "in_mailbox", f"{sent}")
    with t.case("a search shows all that there is, and the list what is muted"):
        for n in range(60):
            alice.call("POST", "chats/bob/messages", {"text": f"needle {n}"})
        lines = shown(alice, "chat", "bob", "--search", "needle").splitlines()
        require(len(lines) == 60 and "needle 59" in lines[0], f"{lines}")
        alice.run("chat", "bob", "--mute")
        require("bob (muted)" in shown(alice, "chat"), shown(alice, "chat"))
