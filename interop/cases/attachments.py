"""Files that go with messages: chosen by those who get them, fetched from one another, shared for as long as the message is there."""
import os
import random
import re
import time
import urllib.parse

import people
from cases.messages import kill, refused
from harness import require, require_same, suite, wait
from terminal import Terminal

MIB = 1 << 20
PATIENCE = 60   # seconds that something which has to happen may take on a busy computer
QUIET = 3       # seconds in which something that must not happen would have
UPLOADED = 1.3  # of the size, by the one who sent it, for four who fetch at the same time and have quicker lines


def blob(t, size, name):
    path = t.sub("source") / name
    rng = random.Random(name)
    with path.open("wb") as file:
        for _ in range(0, size, 16 * MIB):
            file.write(rng.randbytes(min(size, 16 * MIB)))
    return path


class Talk:
    """A conversation as one person sees it. `name`: what they call it."""

    def __init__(self, person, name):
        self.person, self.name, self.path = person, name, "chats/" + urllib.parse.quote(name, safe="")

    def call(self, method, path="", body=None):
        return self.person.call(method, self.path + path, body)

    def files(self):
        """The messages with files, by the names of these."""
        page = self.call("GET", "/messages?limit=1000")["messages"]
        return {m["attachment"]["name"]: m for m in page if m["kind"] == "attachment" and not m["deleted"]}

    def sees(self, name):
        return wait(f"{self.person.name} sees {name}", lambda: self.files().get(name))

    def job(self, path, caption=""):
        return self.call("POST", "/attachments", {"path": str(path), "caption": caption})

    def send(self, path, caption="", timeout=240):
        """-> the torrent's id"""
        job = self.job(path, caption)
        end = time.monotonic() + timeout
        while job["state"] == "running" and time.monotonic() < end:
            time.sleep(0.02)
            job = self.person.call("GET", f"jobs/{job['id']}")
        require(job["state"] == "done" and job["message"], f"{self.person.name} could not send {path}: {job}")
        return job["torrent"]

    def fetch(self, name, folder):
        return self.call("POST", f"/messages/{self.sees(name)['id']}/fetch", {"folder": str(folder)})


def uploaded(person, id):
    return next(entry["uploaded_bytes"] for entry in person.list() if entry["id"] == id)


def befriended(t, *names):
    first, *others = [t.start("person", called=name, transport="both") for name in names]
    for other in others:
        people.befriend(first, other)
    return first, *others


@suite("attachments between two", limit=320)
def _(t):
    alice, bob = befriended(t, "alice", "bob")
    a, b = Talk(alice, "bob"), Talk(bob, "alice")
    photo = blob(t, 4 * MIB, "photo.jpg")

    with t.case("a file is seen by name and size, once, and nothing is fetched unasked"):
        id = a.send(photo, "the lake")
        message = b.sees(photo.name)
        require((message["text"], message["attachment"]["bytes"], message["attachment"]["torrent"]) == ("the lake", 4 * MIB, id), f"{message}")
        time.sleep(QUIET)
        require(bob.inbox() == {} and bob.run("inbox")["shares"] == [], "it stands in the inbox as well")
        require([chat["unread"] for chat in bob.run("inbox")["chats"]] == [1], "the message is not in the inbox")
        require(bob.list() == [], "it is fetched")
        database = sum(path.stat().st_size for path in alice.home.glob("compeer.db*"))
        require(database < 3 * MIB, f"the file was copied into the database: {database} bytes")

    with t.case("it is fetched when it is asked for, by the command"):
        said = bob.run("chat", "alice", "--get", str(message["order"])[-4:], "--output", t.sub("bob"))
        require(said["torrent"] == id, f"{said}")
        bob.wait_done(id, PATIENCE)
        require_same(photo, t.sub("bob") / photo.name)
        require(bob.inbox() == {}, "it came into the inbox")

    with t.case("a terminal shows how far a file is, and then where, and takes ~ for the user's folder"):
        film, slow = blob(t, 6 * MIB, "film.mkv"), MIB
        alice.limit(slow)
        a.send(film)
        films = bob.home / "films"
        films.mkdir()
        terminal = Terminal(bob, "chat", "alice")
        terminal.shows(r"film\.mkv, 6\.0 MiB — /get \d+")
        number = re.search(r"film\.mkv, 6\.0 MiB — /get (\d+)", terminal.seen)[1]
        terminal.type(f"/get {number} ~/films\r")
        terminal.shows(r"fetching: \d+ %, .* of 6\.0 MiB", rf"in {re.escape(str(films))}/film\.mkv")
        alice.limit(0)
        require_same(film, films / film.name)
        (bob.home / "a note.txt").write_text("from home")
        terminal.type("/send ~/a note.txt\r")
        a.sees("a note.txt")
        terminal.type("/quit\r")
        require(terminal.ends() == (0, True), "it does not end well")

    with t.case("what is sent while the recipient is away is fetched afterwards, though the sender was killed meanwhile"):
        bob.stop()
        song = blob(t, 3 * MIB, "song.ogg")
        other = alice.run("chat", "bob", "--send", song)["torrent"]
        kill(alice)
        alice.start(keep_home=True)
        bob.start(keep_home=True)
        b.fetch(song.name, t.sub("bob"))
        bob.wait_done(other, PATIENCE)
        require_same(song, t.sub("bob") / song.name)

    with t.case("what a rule names is taken up by itself"):
        bob.run("inbox", "rules", "add", "--from", "alice", t.sub("ruled"), "--max-size", "2M")
        small = blob(t, MIB, "small.bin")
        bob.wait_done(wait("it is begun", lambda: a.send(small)), PATIENCE)
        require_same(small, t.sub("ruled") / small.name)
        large = a.send(blob(t, 3 * MIB, "large.bin"))
        b.sees("large.bin")
        time.sleep(QUIET)
        require(large not in bob.torrents(), "what is too large for the rule is fetched")

    with t.case("a message that is taken back takes its file along, and the user's own stays"):
        message = a.sees("large.bin")["id"]
        was = b.sees("large.bin")["id"]
        a.call("POST", "/messages", {"deletion": message})
        wait("it is shared no longer", lambda: large not in alice.torrents())
        wait("it is among the shares no longer", lambda: all(share["torrent"] != large for share in alice.call("GET", "shares")))
        wait("Bob knows", lambda: "large.bin" not in b.files())
        require("taken back" in refused(b.call, "POST", f"/messages/{was}/fetch", {}), "it can be fetched")
        require((t.sub("source") / "large.bin").stat().st_size == 3 * MIB, "the user's file is gone")

    with t.case("hashing that is stopped leaves nothing behind"):
        huge = t.sub("source") / "huge.bin"
        with huge.open("wb") as file:
            file.truncate(64 << 30)
        before = (set(alice.torrents()), len(a.files()))
        job = a.job(huge)
        wait("it is being hashed", lambda: alice.call("GET", f"jobs/{job['id']}")["done_bytes"])
        alice.call("DELETE", f"jobs/{job['id']}")
        ended = wait("it ends", lambda: (now := alice.call("GET", f"jobs/{job['id']}"))["state"] != "running" and now)
        require(ended["state"] == "cancelled", f"{ended}")
        require((set(alice.torrents()), len(a.files())) == before, "something is left")
        require(all(share["name"] != huge.name for share in alice.call("GET", "shares")), "it is shared")
        os.unlink(huge)


@suite("attachments of people who are no contacts", limit=240)
def _(t):
    alice, bob, carol = befriended(t, "alice", "bob", "carol")
    alice.run("group", "create", "Tea")
    for person in (bob, carol):
        person.run("group", "join", alice.run("group", "invite", "Tea")["link"])
    def knows(person, name):
        groups = [person.call("GET", f"groups/{group['id']}") for group in person.call("GET", "groups")]
        return any(fellow.get("name") == name for group in groups for fellow in group["people"])

    wait("Bob and Carol know one another by name", lambda: knows(bob, "carol") and knows(carol, "bob"))

    with t.case("nothing is fetched before the user accepts who wrote it"):
        b, c = Talk(bob, "carol"), Talk(carol, "bob")
        carol.run("inbox", "rules", "add", "--group", "Tea", t.sub("carol"))
        id = b.send(blob(t, MIB, "unasked.bin"))
        message = c.sees("unasked.bin")["id"]
        require(c.call("GET")["request"], "it is no request")
        require("no contact" in refused(c.call, "POST", f"/messages/{message}/fetch", {}), "it was fetched")
        time.sleep(QUIET)
        require(id not in carol.torrents(), "it was fetched")
        carol.run("chat", "bob", "--accept")
        c.fetch("unasked.bin", t.sub("carol"))
        carol.wait_done(id, PATIENCE)


def many(t, size, up_bytes_per_s, timeout):
    everybody = alice, *others = befriended(t, "alice", "bob", "carol", "dora", "erin")
    group = alice.run("group", "create", "Tea")["id"]
    for person in others:
        person.run("group", "join", alice.run("group", "invite", "Tea")["link"])
    for person in everybody:
        wait(f"{person.name} knows all members", lambda: len(person.call("GET", f"groups/{group}")["people"]) == 5)
    film = blob(t, size, "film.bin")
    with t.case("all members see it, and nothing is in their inboxes"):
        id = Talk(alice, "Tea").send(film)
        for person in others:
            Talk(person, "Tea").sees(film.name)
            require(person.inbox() == {}, f"{person.name}: {person.inbox()}")

    with t.case("all four fetch it, one of them killed on the way, and help one another"):
        # what the one who sent it can upload is what is scarce: else it could serve everybody alone
        alice.limit(up_bytes_per_s)
        began = time.monotonic()
        for person in others:
            Talk(person, "Tea").fetch(film.name, t.sub(person.name))
        bob = others[0]
        wait("Bob has a part", lambda: bob.torrents().get(id, {}).get("bytes", 0) > size // 4, timeout)
        had = bob.torrents()[id]["bytes"]
        require(had < size, "Bob has all of it before he is killed")
        kill(bob)
        bob.start(keep_home=True)
        wait("Bob goes on with what he had", lambda: bob.torrents().get(id, {}).get("bytes", 0) >= had * 3 // 4, timeout)
        for person in others:
            person.wait_done(id, timeout)
            require_same(film, t.sub(person.name) / film.name)
        seconds = time.monotonic() - began

    with t.case("the one who sent it uploads little more than once"):
        share = uploaded(alice, id) / size
        t.note(size_mib=size // MIB, seconds=round(seconds, 1), uploaded_by_sender=f"{share:.2f} of the size")
        require(share <= UPLOADED, f"{share:.2f} of the size")


@suite("attachments in a group", limit=360)
def _(t):
    # a busy computer passes on more than that, so that it stays what is scarce
    many(t, 64 * MIB, 3 * MIB // 2, 150)


@suite("attachments of a gibibyte", limit=900, prove=True)
def _(t):
    many(t, 1024 * MIB, 16 * MIB, 600)
