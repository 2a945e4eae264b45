"""The user's own IRC clients at their nodes: irssi at one, WeeChat at the other, and a plain socket for what good clients do not do."""
import datetime
import re
import socket
import threading
import time
import urllib.parse

import drivers
import people
from harness import require, suite, wait
from irc_clients import PATIENCE, Irssi, Plain, WeeChat, sasl

ROOM = "#Tea-Cake"      # the group is called "Tea & Cake"


def settings(port, on=True):
    return f'[chat.irc]\non = {str(on).lower()}\nlisten = "127.0.0.1:{port}"\n'


def token(person):
    return (person.home / "token").read_text().strip()


def say(person, chat, **what):
    """Says something by the API; -> the message's id"""
    return person.call("POST", f"chats/{urllib.parse.quote(chat, safe='')}/messages", what)["id"]


def village(t):
    """Alice and Bob, contacts, with a group of hers, and a port for IRC each."""
    ports = [drivers.free_port() for _ in range(2)]
    alice, bob = (t.start("person", called=name, config=settings(port)) for name, port in zip(("alice", "bob"), ports))
    people.befriend(alice, bob)
    group = alice.run("group", "create", "Tea & Cake")["id"]
    bob.run("group", "join", alice.run("group", "invite", "Tea & Cake")["link"])
    names = lambda person: {m.get("name") for m in person.call("GET", f"groups/{group}")["people"]}      # noqa: E731
    wait("both know both", lambda: names(alice) == names(bob) == {"alice", "bob"})
    return alice, bob, group, ports


@suite("IRC clients", limit=420)
def _(t):
    alice, bob, group, ports = village(t)
    with Irssi(t, "alice", ports[0], token(alice)) as irssi, WeeChat(t, "bob", ports[1], token(bob)) as weechat:
        with t.case("irssi comes in by PASS, WeeChat by SASL, and both are in the group's room"):
            irssi.sees(ROOM, r"alice \[person@\w+\] has joined #Tea-Cake")
            irssi.sees(ROOM, r"Topic for #Tea-Cake: Tea & Cake")
            weechat.sees("server", "SASL authentication successful")
            weechat.sees(ROOM, r"bob .*has joined #Tea-Cake")

        with t.case("what one says in the room the other reads at once"):
            irssi.run(f"/msg {ROOM} hello from irssi")
            weechat.sees(ROOM, r"\t@alice\thello from irssi$")
            weechat.say(ROOM, "grüße from WeeChat 🙂")
            irssi.sees(ROOM, r"<.bob> grüße from WeeChat 🙂$")

        with t.case("who is there is seen: by /names, and when somebody comes"):
            def names():
                irssi.run(f"/names {ROOM}")
                time.sleep(0.5)
                return irssi.count(ROOM, r"\[@alice\] +\[\+bob\]")

            wait("Bob is there", names)
            weechat.sees(ROOM, r"2 nicks \(1 op, 1 voice")
            irssi.run("/whois bob")
            own = bob.run("id", "show")["person"]
            wait("/whois says who it is", lambda: own in irssi.raw())

        with t.case("they talk in private"):
            irssi.run("/msg bob psst")
            weechat.sees("alice", r"\talice\tpsst$")
            weechat.say("alice", "psst yourself")
            irssi.sees("bob", r"<bob> psst yourself$")

        with t.case("what is written elsewhere is read in IRC, line by line, and ends no line early"):
            say(bob, "Tea & Cake", text="first line\n\nthird line\r\nQUIT :\u0001VERSION\u0001 \u001b[31m" + " and more words" * 60 + " end")
            irssi.sees(ROOM, r"<.bob> first line$")
            irssi.sees(ROOM, r"<.bob> third line$")
            irssi.sees(ROOM, r"<.bob> QUIT :VERSION \[31m and more")
            irssi.sees(ROOM, r"<.bob> (.*and more words )?end$")
            # what Bob says elsewhere, his own client shows as his
            weechat.sees(ROOM, r"bob\tfirst line$")
            require("VERSION" not in "".join(m["text"] for m in alice.call("GET", "chats/bob/messages")["messages"]), "a client answered by itself")

        with t.case("edits, reactions and deletions are told"):
            id = say(bob, "Tea & Cake", text="a cup of tee")
            irssi.sees(ROOM, r"<.bob> a cup of tee$")
            say(bob, "Tea & Cake", edit={"of": id, "text": "a cup of tea"})
            irssi.sees(ROOM, r"<.bob> \* edited: a cup of tea$")
            say(alice, "Tea & Cake", reaction={"to": id, "reaction": "👍"})
            weechat.sees(ROOM, r"reacted 👍 to .a cup of tea")
            say(bob, "Tea & Cake", deletion=id)
            irssi.sees(ROOM, r"bob:#Tea-Cake- took back a message of \d{4}-")

        with t.case("a room that is opened is there; who leaves it hears nothing of it, and who joins reads what was said"):
            alice.call("POST", f"groups/{group}/rooms", {"name": "cups"})
            weechat.sees(f"{ROOM}/cups", r"has joined #Tea-Cake/cups")
            irssi.sees(f"{ROOM}/cups", r"has joined #Tea-Cake/cups")
            irssi.run(f"/part {ROOM}/cups")
            wait("irssi left", lambda: "PART #Tea-Cake/cups" in irssi.raw())
            weechat.say(f"{ROOM}/cups", "is anybody here?")
            weechat.sees(f"{ROOM}/cups", r"is anybody here\?$")
            say(bob, "Tea & Cake", text="over there")
            irssi.sees(ROOM, r"over there$")
            require(not irssi.count(f"{ROOM}/cups", "is anybody here"), "a room that was left is heard")
            irssi.run(f"/join {ROOM}/cups")
            irssi.sees(f"{ROOM}/cups", r"<.bob> (\[\d{4}-\d\d-\d\d \d\d:\d\d\] )?is anybody here\?$")

        with t.case("what was said before is read again, with its times"):
            first = weechat.sees(ROOM, r"hello from irssi$")
            weechat.run(f"/quote CHATHISTORY LATEST {ROOM} * 50")
            wait("it is shown again", lambda: weechat.count(ROOM, r"hello from irssi$") >= 2)
            same = [line for line in weechat.log(ROOM).splitlines() if line.endswith("hello from irssi")]
            require(len(set(same)) == 1, f"it was said at other times: {same}, {first}")
            irssi.run(f"/quote CHATHISTORY LATEST {ROOM} * 50")
            line = r"@time=(\S+) :bob!person@\w+ PRIVMSG #Tea-Cake :\[.*\] grüße from WeeChat"
            wait("irssi got it", lambda: re.search(line, irssi.raw()))
            when = re.search(line, irssi.raw())[1]
            age = time.time() - datetime.datetime.fromisoformat(when).timestamp()
            require(0 <= age < 300, f"it was said {age} s ago")
            before = irssi.raw().count("hello from irssi")
            # A second later: both may have spoken in the same one.
            later = (datetime.datetime.fromisoformat(when) + datetime.timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            irssi.run(f"/quote CHATHISTORY BEFORE {ROOM} timestamp={later} 5")
            wait("what was said before that comes", lambda: irssi.raw().count("hello from irssi") > before)

        with t.case("who goes is seen to go, and reads what was said meanwhile when they are back"):
            bob.stop()
            irssi.sees(ROOM, r"ServerMode/#Tea-Cake \[-v bob\]", timeout=90)
            irssi.run(f"/msg {ROOM} while you were away")
            bob.start(keep_home=True)
            irssi.sees(ROOM, r"ServerMode/#Tea-Cake \[\+v bob\]")
            weechat.run("/reconnect node")
            weechat.sees(ROOM, r"while you were away$")


@suite("IRC at the door", limit=240)
def _(t):
    alice, bob, group, (port, other) = village(t)

    with t.case("who does not show the token gets no further"):
        for password in ("wrong", token(alice)[:-1], token(bob)):
            with Plain(port) as client:
                said = client.ask(f"PASS {password}", "NICK x", "USER x 0 * :x", until="^ERROR")
                require(any(" 464 " in line for line in said) and client.is_over(), f"{said}")
                require(not any("Tea" in line for line in client.lines), f"{client.lines}")
        with Plain(port) as client:
            client.send("CAP REQ sasl", "NICK x", "USER x 0 * :x")
            for _ in range(2):
                client.ask("AUTHENTICATE PLAIN", f"AUTHENTICATE {sasl('wrong')}", until=" 904 ")
            client.ask("AUTHENTICATE PLAIN", f"AUTHENTICATE {sasl('wrong')}", until="^ERROR .*wrong passwords")
            require(client.is_over(), "it goes on after three wrong passwords")
        with Plain(port) as client:
            require(" 451 " in client.ask("JOIN #Tea-Cake", until="451")[-1], "a room can be joined without a password")

    with t.case("SASL PLAIN lets in who shows it"):
        with Plain(port) as client:
            client.send("CAP LS 302", "NICK x", "USER x 0 * :x")
            require("sasl=PLAIN" in client.until(" CAP . LS ")[-1], "SASL is not offered")
            client.ask("CAP REQ sasl", until="ACK")
            client.ask("AUTHENTICATE PLAIN", until=r"^AUTHENTICATE \+")
            client.ask(f"AUTHENTICATE {sasl(token(alice))}", until=" 903 ")
            client.ask("CAP END", until=" 001 alice ")

    with t.case("lines that are too long, no text, or unknown are answered, and the client goes on"):
        with Plain(port) as client:
            client.come_in(token(alice))
            client.ask("PRIVMSG bob :" + "x" * 600, until=" 417 ")
            client.ask("x" * 20_000, until=" 417 ")
            client.ask("@" + "a" * 5_000 + " PING x", until=" 417 ")
            client.ask(b"PRIVMSG bob :\xff\xfe", until="FAIL PRIVMSG INVALID_UTF8")
            client.ask("FOO", until=" 421 alice FOO ")
            client.ask("JOIN #nowhere", until=" 403 alice #nowhere ")
            client.ask("PRIVMSG nobody :x", until=" 401 alice nobody ")
            client.ask("NICK other", until=" 484 ")
            client.socket.sendall(b"\r\n\n\0\0PI")
            client.ask("NG still here", until="PONG irc.compeer still")
            require(not bob.call("GET", "chats/alice/messages")["messages"], "something of it arrived")

    with t.case("a client that can do more reads the history as one batch, and hears what it says with its id"):
        with Plain(port) as client, Plain(other) as bobs:
            client.come_in(token(alice), "message-tags", "server-time", "batch", "echo-message", "labeled-response", "draft/chathistory", "draft/read-marker")
            bobs.come_in(token(bob), "message-tags", "draft/chathistory")
            echo = client.ask(f"@label=1 PRIVMSG {ROOM} :one", until="^@label=1;")[-1]
            id = re.search(r"msgid=([0-9a-f]{16}-\d+)", echo)[1]
            require(f"msgid={id} " in bobs.until(r"PRIVMSG #Tea-Cake :one$")[-1], "the id is another one at Bob's")
            bobs.send(f"@+reply={id};+draft/react=🫖 TAGMSG {ROOM}", f"@+reply={id} PRIVMSG {ROOM} :two", f"@+typing=active TAGMSG {ROOM}")
            require(f"+reply={id}" in client.until(r"\+draft/react=🫖 :bob!")[-1], "a reaction to nothing")
            require(f"+reply={id}" in client.until(r"PRIVMSG #Tea-Cake :two$")[-1], "an answer to nothing")
            client.until(r"^@\+typing=active :bob!")
            batch = client.ask(f"@label=2 CHATHISTORY BETWEEN {ROOM} msgid={id} timestamp=2100-01-01T00:00:00.000Z 10", until="BATCH -")
            require(re.match(r"@label=2 :irc.compeer BATCH \+\w+ chathistory #Tea-Cake", batch[-3]) and batch[-2].endswith(" :two"), f"{batch}")
            when = re.search(r"time=([^; ]+)", batch[-2])[1]
            client.ask(f"MARKREAD {ROOM} timestamp={when}", until=f"MARKREAD #Tea-Cake timestamp={when}")
            unread = next(chat["unread"] for chat in alice.call("GET", "chats") if chat.get("group"))
            require(unread == 0, f"{unread} are not read")

    with t.case("who floods has to wait, and holds nobody up"):
        with Plain(port) as client, Plain(port) as calm:
            client.come_in(token(alice))
            calm.come_in(token(alice))
            ended = []

            def flood():
                client.until(" 319$")
                ended.append(time.monotonic())

            reading = threading.Thread(target=flood, daemon=True)
            reading.start()
            began = time.monotonic()
            client.send(*(f"PING {n}" for n in range(320)))
            calm.ask("PING calm", until="PONG irc.compeer calm")
            require(not ended, "another client waited as well")
            reading.join(PATIENCE)
            require(ended, "the flood is not answered")
            took = ended[0] - began
            require(took > 2, f"320 lines took {took:.1f} s")

    with t.case("sixteen clients come in, the seventeenth when one has gone"):
        clients = [Plain(port) for _ in range(16)]
        for client in clients:
            client.ask("PING x", until=r"PONG|451")
        with Plain(port) as late:
            require("16 clients" in late.until("^ERROR")[-1] and late.is_over(), f"{late.lines}")
        clients.pop().close()

        def lets_in():
            with Plain(port) as again:
                again.send("PING x")
                return again.read() == ":irc.compeer PONG irc.compeer x"

        wait("there is room again", lets_in)
        for client in clients:
            client.close()

    with t.case("it is switched off and on while the node runs, moves, and says why it cannot listen"):
        config = alice.home / "config.toml"
        before = config.read_text()
        state = lambda: alice.call("GET", "chat").get("irc")     # noqa: E731
        wait("the API says where", lambda: state() and state()["address"] == f"127.0.0.1:{port}")
        with Plain(port) as client:
            client.come_in(token(alice))
            config.write_text(before.replace("on = true", "on = false"))
            client.until("^ERROR .*switched off")
            require(client.is_over(), "a client is served although it is off")
        wait("it is off", lambda: state() is None)

        def closed():
            try:
                Plain(port).close()
            except ConnectionRefusedError:
                return True
            return False

        wait("the port is closed", closed)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            config.write_text(before.replace(f":{port}\"", f":{taken.getsockname()[1]}\""))
            wait("the API says why not", lambda: state() and "in use" in (state()["failure"] or ""))
        # the port is free now
        wait("it listens", lambda: state() and state()["address"] and not state().get("failure"))
        with Plain(int(state()["address"].rpartition(":")[2])) as client:
            client.come_in(token(alice))
        config.write_text(before)

    with t.case("an address that others reach is refused with one clear word"):
        home = t.sub("open house")
        (home / "config.toml").write_text(settings(6667).replace("127.0.0.1", "0.0.0.0"))
        done = t.compeer("up", "--home", home, home=home, ok=False)
        said = done.stderr.strip()
        require(done.returncode and "chat.irc.listen has to be an address of loopback" in said and len(said.splitlines()) == 1, said)
