"""The gate and the settings: who is blocked is gone and stays away, by every carrier; the commands, the file and the administrator."""
import json
import random
import signal
import subprocess
import time
from pathlib import Path

import drivers
import payloads
import people
from compeer_driver import BINARY
from cases.way_out import sniffing
from harness import require, still, suite, wait
from network import Host, Lan
from torrents import make
from tracker import Tracker

MIB = 1 << 20
GONE = 2        # seconds within which a change has to hold
PROMPT = 15     # the same on a busy computer


def blob(t, name, size):
    path = t.sub("source") / name
    path.write_bytes(random.Random(name).randbytes(size))
    return path


def shared(t, seeder, name, size):
    """A torrent that one client has."""
    content = blob(t, name, size)
    torrent = make("libtorrent", content, t.folder / f"{name}.torrent", payloads.PIECE)
    seeder.add([torrent.path], content.parent, seed=True)
    seeder.wait_done(torrent.id, 60)
    return torrent


def peers(client, id):
    return [peer for peer in client.call("GET", f"torrents/{id}/peers")]


def gate(client, **change):
    return client.call("PATCH", "gate", change)


def blocked_peer(t, at_once):
    def blocked(transport, incoming):
        way = "dials us" if incoming else "is dialled"
        with t.case(f"over {transport}, who {way}: gone at once, and does not return"):
            ours, theirs = t.start("compeer", transport=transport), t.start("libtorrent", transport=transport)
            torrent = shared(t, theirs, f"{transport}-{incoming}.bin", 8 * MIB)
            theirs.limit(MIB // 8)
            ours.add([torrent.path], t.sub("got", ours.ip))
            meet = (lambda: theirs.add_peer(ours.ip, ours.port, torrent.id)) if incoming else (lambda: ours.add_peer(theirs.ip, theirs.port, torrent.id))
            meet()
            wait("they meet", lambda: peers(ours, torrent.id))
            # by TCP libtorrent leaves from where the system likes
            addresses = [theirs.ip, "127.0.0.1"]
            gate(ours, block={"add": addresses})
            wait("it is gone", lambda: not peers(ours, torrent.id), at_once)
            had = still(lambda: ours.status()["bytes"], 1)
            for _ in range(6):
                meet()
                theirs.add_peer(ours.ip, ours.port, torrent.id)
                time.sleep(0.5)
                require(not peers(ours, torrent.id), "it came back")
            require(ours.status()["bytes"] == had, "something was fetched from it")
            require(not ours.call("GET", "usage")["connections"], "a connection is still counted")
            gate(ours, block={"remove": addresses})
            # libtorrent waits longer and longer before it dials again, so it is told of us anew
            wait("they meet again", lambda: meet() or peers(ours, torrent.id))

    t.side_by_side(lambda: blocked("tcp", False), lambda: blocked("tcp", True), lambda: blocked("utp", False), lambda: blocked("utp", True))

    with t.case("a list file, a mode and the pause"):
        ours, theirs = t.start("compeer"), t.start("libtorrent")
        torrent = shared(t, theirs, "modes.bin", 8 * MIB)
        theirs.limit(MIB // 8)
        ours.add([torrent.path], t.sub("got", ours.ip))
        meet = lambda: ours.add_peer(theirs.ip, theirs.port, torrent.id)
        listed = t.folder / "list.p2p"
        listed.write_text(f"# a list\nevil:{theirs.ip}-{theirs.ip}\n" + "".join(f"other:10.{i >> 8}.{i & 255}.0-10.{i >> 8}.{i & 255}.9\n" for i in range(60_000)))
        for change, back in (({"lists": {"add": [str(listed)]}}, {"lists": {"remove": [str(listed)]}}),
                             ({"who": "contacts"}, {"who": "everyone"}),
                             ({"paused": True}, {"paused": False})):
            wait("they meet", lambda: meet() or peers(ours, torrent.id))
            gate(ours, **change)
            wait(f"it is gone: {change}", lambda: not peers(ours, torrent.id), at_once)
            gate(ours, **back)


@suite("a blocked peer", limit=240)
def _(t):
    blocked_peer(t, PROMPT)


@suite("a blocked peer is gone within two seconds", limit=240, prove=True)
def _(t):
    blocked_peer(t, GONE)


def blocked_contact(t, at_once):
    alice, bob = (t.start("person", called=name, transport="both") for name in ("alice", "bob"))
    people.befriend(alice, bob)
    id = alice.share(blob(t, "private.bin", 64 * MIB), to=["bob"])
    bob.hears_of(id)
    alice.limit(MIB)
    bob.accept(id, t.sub("bob"))
    known = alice.run("contact", "list")[0]
    rules = [("the person", alice, f"person:{known['person']}"), ("the node", alice, f"node:{known['nodes'][0]['id']}"),
             ("the address of who came", alice, bob.ip), ("the address of who was dialled", bob, alice.ip)]
    for name, who, rule in rules:
        with t.case(f"{name} is blocked: gone at once, and does not return over QUIC"):
            wait("they meet", lambda: peers(alice, id) and peers(bob, id))
            who.run("block", rule)
            wait("it is gone", lambda: not peers(alice, id) and not peers(bob, id), at_once)
            had = still(lambda: bob.call("GET", f"torrents/{id}")["downloaded_bytes"], 1)
            for _ in range(6):
                # whoever is resumed dials anew
                for one in (alice, bob):
                    one.call("POST", f"torrents/{id}/pause")
                    one.call("POST", f"torrents/{id}/resume")
                time.sleep(0.5)
                require(not peers(alice, id) and not peers(bob, id), "it came back")
            require(bob.call("GET", f"torrents/{id}")["downloaded_bytes"] == had, "something was fetched")
            require(not [c for c in who.call("GET", "usage")["connections"]], "a connection is still counted")
            who.run("block", "--remove", rule)


@suite("a blocked contact", limit=240)
def _(t):
    blocked_contact(t, PROMPT)


@suite("a blocked contact is gone within two seconds", limit=240, prove=True)
def _(t):
    blocked_contact(t, GONE)


@suite("a limit of connections with a person", limit=180)
def _(t):
    alice, bob = (t.start("person", called=name, transport="both") for name in ("alice", "bob"))
    people.befriend(alice, bob)
    shares = [alice.share(blob(t, f"private-{i}.bin", 64 * MIB), to=["bob"]) for i in range(3)]
    alice.limit(MIB)
    for id in shares:
        bob.hears_of(id)
        bob.accept(id, t.sub("bob"))
    id = alice.run("contact", "list")[0]["person"]
    theirs = lambda: [it for it in alice.call("GET", "usage")["connections"] if it["person"] == id]
    with t.case("the surplus is closed, and does not come back"):
        wait("each share has a connection", lambda: all(peers(alice, share) for share in shares), 60)
        budget = alice.run("budget", "--person", "bob", "--connections", "2")
        require(budget["now"]["persons"][id]["connections"] == 2 and budget["names"][id] == "bob", f"{budget}")
        wait("two are left", lambda: len(theirs()) <= 2)
        for _ in range(6):
            for share in shares:
                bob.call("POST", f"torrents/{share}/pause")
                bob.call("POST", f"torrents/{share}/resume")
            time.sleep(0.3)
            require(len(theirs()) <= 2, f"more than two: {theirs()}")
    with t.case("who shows whose they are"):
        names = {it["name"] for it in alice.run("who")["connections"]} | {it["name"] for it in alice.run("who")["totals"]}
        require("bob" in names, f"{names}")
        table = t.compeer("who", home=alice.home).stdout
        require(any(line.startswith("bob ") for line in table.splitlines()), table)
    with t.case("without it they meet again"):
        require(id not in alice.run("budget", "--person", "bob", "--connections", "0")["now"]["persons"], "an empty limit is shown")
        wait("each share has a connection", lambda: all(peers(alice, share) for share in shares), 60)


@suite("a ceiling for what is fetched", limit=240)
def _(t):
    seeder, ours = t.start("libtorrent"), t.start("compeer")
    first, second = (shared(t, seeder, f"ceiling-{i}.bin", 8 * MIB) for i in range(2))
    say = lambda *words: json.loads(t.compeer(*words, "--json", home=ours.home).stdout)
    error = lambda torrent: next(it["error"] for it in ours.list() if it["id"] == torrent.id)
    folder = t.sub("got")

    def fetch(torrent):
        ours.add([torrent.path], folder)
        ours.add_peer(seeder.ip, seeder.port, torrent.id)

    with t.case("where it is reached a download waits, and says why"):
        require(say("budget", "--disk", "12M")["now"]["disk_bytes"] == 12 * MIB, "budget --disk")
        fetch(first)
        ours.wait_done(first.id, 60)
        fetch(second)
        wait("it says why", lambda: "given to it" in (error(second) or ""), 60)
        budget = say("budget")
        require(8 * MIB <= budget["disk_used_bytes"] <= 12 * MIB, f"{budget}")
        taken = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
        # a file with holes has some blocks of the file system's own
        require(taken <= 12 * MIB + (1 << 16), f"{taken} bytes are taken")
        require("12.0 MiB" in t.compeer("budget", home=ours.home).stdout, "it is not shown")
    with t.case("it goes on when more is given, and nothing is lost"):
        say("budget", "--disk", "20M")
        ours.add_peer(seeder.ip, seeder.port, second.id)
        wait("it goes on", lambda: ours.add_peer(seeder.ip, seeder.port, second.id) or next(it["complete"] for it in ours.list() if it["id"] == second.id), 90)
        for i in range(2):
            name = f"ceiling-{i}.bin"
            require((folder / name).read_bytes() == (t.sub("source") / name).read_bytes(), f"{name} differs")
        require(say("budget")["disk_used_bytes"] >= 16 * MIB, f"{say('budget')}")
    with t.case("what is removed no longer counts"):
        ours.call("DELETE", f"torrents/{first.id}?with_data=true")
        wait("it is gone", lambda: say("budget")["disk_used_bytes"] < 9 * MIB)


@suite("a limit of one torrent by the command line", limit=180)
def _(t):
    ours = t.start("compeer")
    getters = [t.start("libtorrent") for _ in range(3)]
    torrent = make("libtorrent", blob(t, "limited.bin", 64 * MIB), t.folder / "limited.torrent", payloads.PIECE)
    ours.add([torrent.path], t.sub("source"), seed=True)
    ours.wait_done(torrent.id, 60)
    say = lambda *words: json.loads(t.compeer("limit", torrent.id, *words, "--json", home=ours.home).stdout)
    say("--up", "256K")
    for getter in getters:
        getter.add([torrent.path], t.sub("got", getter.ip))
        getter.add_peer(ours.ip, ours.port, torrent.id)
    with t.case("the surplus of its connections is closed, and does not come back"):
        wait("all meet us", lambda: [getter.add_peer(ours.ip, ours.port, torrent.id) for getter in getters] and len(peers(ours, torrent.id)) == 3, 60)
        require(say("--connections", "1")["connections"] == 1, "limit --connections")
        wait("one is left", lambda: len(peers(ours, torrent.id)) == 1)
        for _ in range(6):
            for getter in getters:
                getter.add_peer(ours.ip, ours.port, torrent.id)
            time.sleep(0.3)
            require(len(peers(ours, torrent.id)) <= 1, f"{peers(ours, torrent.id)}")
        require("peers 1 at most" in t.compeer("limit", torrent.id, home=ours.home).stdout, "it is not shown")
    with t.case("0 takes it away"):
        require(say("--connections", "0")["connections"] is None, "it stays")
        wait("all meet us again", lambda: [getter.add_peer(ours.ip, ours.port, torrent.id) for getter in getters] and len(peers(ours, torrent.id)) == 3, 60)


@suite("only certain people are met", limit=180)
def _(t):
    tracker = Tracker(drivers.free_port())
    ours = t.start("person", called="alice", transport="both")

    def add(name):
        torrent = make("libtorrent", blob(t, name, MIB), t.folder / f"{name}.torrent", payloads.PIECE, tracker=tracker.url)
        ours.add([torrent.path], t.sub("got"))
        return torrent

    def words(torrent):
        return {source["source"]: source["message"] for source in ours.call("GET", f"torrents/{torrent.id}")["sources"]}

    listed = lambda: sum(map(len, tracker.swarms.values()))
    first = add("first.bin")
    wait("a tracker is asked", lambda: listed() == 1)
    with t.case("trackers are taken leave of, and asked no more"):
        ours.run("allow", "--only", "contacts")
        wait("the tracker forgets us", lambda: not listed(), PROMPT)
        asked = still(lambda: tracker.announces, 1)
        second = add("second.bin")
        time.sleep(2)
        require(tracker.announces == asked, "it was asked")
        wait("it is said why", lambda: all("only certain people" in (words(it)["tracker"] or "") for it in (first, second)))
    with t.case("with everybody, they are asked again"):
        ours.run("allow", "--only", "everyone")
        wait("both torrents are told of", lambda: listed() == 2)
    tracker.close()


@suite("public torrents switched off", limit=180)
def _(t):
    tracker = Tracker(drivers.free_port())
    ours = t.start("compeer", transport="both")
    listed = lambda: sum(map(len, tracker.swarms.values()))
    torrent = make("libtorrent", blob(t, "off.bin", MIB), t.folder / "off.torrent", payloads.PIECE, tracker=tracker.url)
    ours.add([torrent.path], t.sub("got"))
    wait("a tracker is asked", lambda: listed() == 1)
    with t.case("trackers are taken leave of, and asked no more"):
        ours.call("PATCH", "offers/files", {"off": True})
        wait("the tracker forgets us", lambda: not listed(), PROMPT)
        asked = still(lambda: tracker.announces, 1)
        time.sleep(2)
        require(tracker.announces == asked, "it was asked")
        words = lambda: {source["source"]: source["message"] for source in ours.call("GET", f"torrents/{torrent.id}")["sources"]}
        wait("it is said why", lambda: "switched off" in (words()["tracker"] or ""))
    with t.case("switched on they are asked again"):
        ours.call("PATCH", "offers/files", {"off": False})
        wait("the torrent is told of", lambda: listed() == 1)
    tracker.close()


@suite("a pause on the local network", limit=180)
def _(t):
    host = Host("alice").plug(Lan(), "10.77.0.1/24")
    host.run("ip", "route", "add", "default", "via", "10.77.0.254")
    ours = t.start("person", called="alice", on=host, without="dht,mapping,relays", listen="0.0.0.0:7777")
    MDNS = 5353     # RFC 6762, 3

    def told(sniffer):
        return sum(count for (_, _, port), count in list(sniffer.seen.items()) if port == MDNS)

    with t.case("nothing is said there until it ends"), sniffing(host, "eth0") as sniffer:
        wait("the node tells of itself", lambda: told(sniffer) > 1)
        gate(ours, paused=True)
        before = still(lambda: dict(sniffer.seen), GONE)
        time.sleep(6)
        require(sniffer.seen == before, f"before {before}, after {sniffer.seen}")
        gate(ours, paused=False)
        silent = told(sniffer)
        wait("it tells again", lambda: told(sniffer) > silent)


@suite("controls of the command line", limit=180)
def _(t):
    home = t.sub("alice")
    config = home / "config.toml"
    config.write_text("# mine\n[budget]\nupload = \"1M\" # slow\n")
    with t.case("each command shows and changes the same settings"):
        from commands import Running
        with Running(t, "up", "--listen", "127.0.0.9:0", home=home) as up:
            say = lambda *words: json.loads(t.compeer(*words, "--json", home=home).stdout)
            wait("the node runs", lambda: t.compeer("list", home=home, ok=False).returncode == 0)
            require(say("budget", "--up", "300K")["now"]["upload_bytes_per_s"] == 300 * 1024, "budget")
            require(say("limit")["upload_bytes_per_s"] == 300 * 1024, "limit shows another value")
            resources = say("budget", "--memory", "8M", "--threads", "1")["now"]
            require((resources["memory_bytes"], resources["threads"]) == (8 * MIB, 1), f"{resources}")
            require(t.compeer("budget", "--memory", "1K", home=home, ok=False).returncode == 1, "too little memory is taken")
            require(say("block", "192.0.2.0/24")["block"] == ["192.0.2.0/24"], "block")
            require(say("allow", "192.0.2.0/24")["block"] == [], "allow does not take from the other list")
            require(say("allow", "--only", "contacts")["who"] == "contacts", "allow --only")
            require(say("offer", "files", "--to", "contacts")[0]["to"] == ["contacts"], "offer")
            require(say("schedule", "add", "--from", "00:00", "--to", "24:00", "--up", "100K")[0]["active"], "schedule")
            require(say("budget")["now"]["upload_bytes_per_s"] == 100 * 1024, "the schedule does not hold")
            require(say("schedule", "remove", "1") == [], "schedule remove")
            require(say("pause", "--everything")["resting"] and not say("resume", "--everything")["resting"], "pause")
            require(say("who") == {"connections": [], "totals": []} and say("who", "--report") == [], "who")
            text = config.read_text()
            require("# mine\n[budget]\n" in text and "# slow" in text, f"remarks are lost: {text}")
            config.write_text(text.replace("who = \"contacts\"", "who = \"listed\""))
            wait("the edited file holds", lambda: say("allow")["who"] == "listed")
            for words in (("offer", "filez", "--off"), ("budget", "--service", "filez", "--up", "1K")):
                refused = t.compeer(*words, home=home, ok=False)
                require(refused.returncode == 1 and "there are files, wire" in refused.stderr, f"{words}: {refused.stderr}")
            refused = t.compeer("allow", "--only", "groups", home=home, ok=False)
            require(refused.returncode == 1 and "add --group GROUP" in refused.stderr, refused.stderr)
            say("block", "192.0.2.9")
            require("met in any case" in t.compeer("allow", "192.0.2.9", home=home).stderr, "it is not said what allow does")
            say("pause", "--everything")
            require("you paused it" in t.compeer("info", home=home).stdout, "info says nothing of the pause")
            require("you paused it" in t.compeer("list", home=home).stderr, "list says nothing of the pause")
            say("resume", "--everything")
            window = say("schedule", "add", "--from", "00:00", "--to", "24:00", "--up", "none", "--connections", "7")[0]
            require(window["upload_bytes_per_s"] == 0 and window["connections"] == 7, f"{window}")
            now = say("budget")["now"]
            require(now["upload_bytes_per_s"] is None and now["connections"] == 7, f"{now}")
            require(say("schedule", "remove", "1") == [], "schedule remove")
            require(t.compeer("block", "alice", home=home, ok=False).returncode == 1, "nonsense is taken")
            for words in (("block", "--remove", "192.0.2.77"), ("allow", "--remove", "192.0.2.77"), ("block", "--remove-list", "/x.p2p")):
                require(t.compeer(*words, home=home, ok=False).returncode == 1, f"{words}: what is not there is taken away")
            for words, said in ((("--from", "08:00", "--to", "08:00"), "begins and ends at 08:00"), (("--from", "25:00", "--to", "08:00"), 'from: "25:00"')):
                refused = t.compeer("schedule", "add", *words, "--pause", home=home, ok=False)
                require(refused.returncode == 1 and said in refused.stderr, f"{words}: {refused.stderr}")
            # a mistake is told by whatever reads or changes the settings, with its line, until it is corrected
            text = config.read_text()
            config.write_text("[meat]\n" + text)
            told = lambda *words: f"{config}: line 1: unknown field `meat`" in t.compeer(*words, home=home, ok=False).stderr
            wait("the mistake is told", lambda: told("allow"))
            for words in (("budget",), ("who",), ("schedule",), ("offer",), ("block", "--json"), ("limit",), ("list",)):
                require(told(*words), f"{words} says nothing of the mistake")
            require("unknown field `meat`" in t.compeer("info", home=home).stdout, "info says nothing of the mistake")
            refused = t.compeer("budget", "--up", "2M", home=home, ok=False)
            require(refused.returncode == 1 and "correct that first: line 1" in refused.stderr, refused.stderr)
            wait("the terminal of `up` tells it", lambda: "unknown field `meat`" in up.errors())
            config.write_text(text)
            wait("it is good again", lambda: not told("budget") and "all that is written holds" in up.errors())
            up.interrupt()
    with t.case("the report is read when no node runs"):
        require(json.loads(t.compeer("who", "--report", "--json", home=home).stdout) == [], "who --report")


POLICY = 'upload = "200K"\nforbid = ["relay"]\nhours = [{ days = "all", from = "00:00", to = "24:00" }]\n'


@suite("an administrator's policy", limit=180)
def _(t):
    # in a namespace of its own: other suites must not see the file
    script = ('mount -t tmpfs -o mode=755 tmpfs /etc/compeer && printf %s "$POLICY" > /etc/compeer/policy.toml && chmod "$MODE" /etc/compeer/policy.toml '
              '&& exec "$0" up --listen 127.0.0.9:0 $OFFER')
    folder = Path("/etc/compeer")
    there = folder.exists()
    folder.mkdir(exist_ok=True)

    def up(mode, home, policy=POLICY, **more):
        env = dict(t.environment(home), POLICY=policy, MODE=mode, **more)
        return subprocess.Popen(["unshare", "--mount", "sh", "-c", script, BINARY], env=env, cwd=t.folder, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def runs(node, home):
        def answers():
            require(node.poll() is None, f"the node ended: {node.stderr.read() if node.poll() is not None else ''}")
            return t.compeer("list", home=home, ok=False).returncode == 0
        wait("the node runs", answers)

    try:
        with t.case("its limits stand above the settings, and cannot be overridden"):
            home = t.sub("alice")
            node = up("644", home)
            try:
                runs(node, home)
                say = lambda *words: json.loads(t.compeer(*words, "--json", home=home).stdout)
                budget = say("budget", "--up", "5M")
                require(budget["set"]["upload_bytes_per_s"] == 5 * MIB and budget["now"]["upload_bytes_per_s"] == 200 * 1024, f"{budget}")
                require("The administrator's policy holds" in t.compeer("budget", "--up", "5M", home=home).stderr, "it is not said that another limit holds")
                require(not t.compeer("budget", "--up", "100K", home=home).stderr, "it is said though it does not matter")
                refused = t.compeer("offer", "relay", "--on", home=home, ok=False)
                require(refused.returncode == 1 and "policy (/etc/compeer/policy.toml) forbids the service relay" in refused.stderr, f"{refused}")
                require(say("offer", "relay")[0]["forbidden"], "the service is not forbidden")
                require("relay" not in (home / "config.toml").read_text(), "it is in the settings")
                require(not say("allow")["resting"], "it rests within its hours")
            finally:
                node.send_signal(signal.SIGINT)
                node.communicate(timeout=60)
        with t.case("a node that is to offer what is forbidden does not start, and says why"):
            node = up("644", t.sub("frank"), POLICY, OFFER="--offer relay")
            _, said = node.communicate(timeout=60)
            require(node.returncode == 1 and "forbids the service relay" in said, f"{node.returncode} {said}")
        with t.case("outside of its hours everything rests, whatever zone whoever starts the program says"):
            clock = lambda form: subprocess.run(["env", "-u", "TZ", "date", form], capture_output=True, text=True).stdout.strip()
            hour, zone = int(clock("+%H")), clock("+%z")
            east = int(zone[0] + zone[1:3])
            # closed now, and open by the clock of a zone three hours further east
            policy = f'hours = [{{ days = "all", from = "{(hour + 2) % 24:02}:00", to = "{(hour + 5) % 24:02}:00" }}]\n'
            home = t.sub("carol")
            for policy, tz in ((policy, f"XXX{-(east + 3):+}"), ('zone = "UTC"\n' + policy, f"XXX{-(east + 3):+}")):
                if "zone" in policy and east:
                    continue
                node = up("644", home, policy, TZ=tz)
                try:
                    runs(node, home)
                    gate_ = json.loads(t.compeer("allow", "--json", home=home).stdout)
                    require(gate_["resting"] and not gate_["paused"], f"it does not rest: {gate_}")
                    require("administrator's hours" in t.compeer("info", home=home).stdout, "it is not said why")
                    policy_file = Path(f"/proc/{node.pid}/root/etc/compeer/policy.toml")
                    policy_file.write_text("")
                    wait("it goes on when the file allows it", lambda: not json.loads(t.compeer("allow", "--json", home=home).stdout)["resting"])
                finally:
                    node.send_signal(signal.SIGINT)
                    node.communicate(timeout=60)
        with t.case("a role that runs ends when it becomes forbidden, and caps hold"):
            home = t.sub("dave")
            (home / "config.toml").write_text('[offer.tracker]\non = true\nlisten = ["127.0.0.9:0"]\n')
            node = up("644", home)
            try:
                runs(node, home)
                say = lambda *words: json.loads(t.compeer(*words, "--json", home=home).stdout)
                wait("the tracker runs", lambda: say("offer", "tracker")[0]["runs"])
                policy_file = Path(f"/proc/{node.pid}/root/etc/compeer/policy.toml")
                policy_file.write_text('forbid = ["tracker"]\nmemory = "8M"\nthreads = 1\nkeep_free = "5G"\nconnections_per_torrent = 3\n')
                wait("the tracker ends", lambda: say("offer", "tracker")[0]["forbidden"] and not say("offer", "tracker")[0]["runs"])
                now = say("budget", "--memory", "64M", "--per-torrent", "99")["now"]
                caps = [now[key] for key in ("memory_bytes", "threads", "keep_free_bytes", "connections_per_torrent")]
                require(caps == [8 * MIB, 1, 5 << 30, 3], f"{caps}")
            finally:
                node.send_signal(signal.SIGINT)
                node.communicate(timeout=60)
        with t.case("the report that it wants is written at once and at the end, for root's eyes"):
            home, reports = t.sub("erin"), t.sub("reports")
            reports.chmod(0o1733)
            node = up("644", home, f'report = "{reports}"\n')
            try:
                runs(node, home)
                wait("the report is there", lambda: list(reports.glob("*.json")))
                (report,) = reports.iterdir()
                require(report.stat().st_mode & 0o777 == 0o600 and report.name.startswith("0-"), f"{report}")
                before = json.loads(report.read_text())
            finally:
                node.send_signal(signal.SIGINT)
                node.communicate(timeout=60)
            after = json.loads(report.read_text())
            require(after["home"] == str(home) and after["written"] != before["written"] and after["days"] == [], f"{before} {after}")
        with t.case("one that others could write is refused aloud"):
            node = up("666", t.sub("bob"))
            _, said = node.communicate(timeout=60)
            require(node.returncode == 1 and "others than root can write" in said, said)
    finally:
        if not there:
            folder.rmdir()
