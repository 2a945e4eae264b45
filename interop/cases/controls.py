"""The gate and the budget: foreign peers are blocked and stay away; limits hold over all torrents and carriers together."""
import json
import random
import signal
import subprocess
import time
from pathlib import Path

import payloads
from compeer_driver import BINARY
from harness import require, suite
from torrents import make

MIB = 1 << 20
GONE = 2        # seconds within which a change has to hold
SETTLE = 5      # seconds after which a limit has to hold
RATE = 1_000_000


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


def wait(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        require(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.05)


def gate(client, **change):
    return client.call("PATCH", "gate", change)


@suite("a blocked peer", limit=120)
def _(t):
    def blocked(transport, incoming):
        way = "dials us" if incoming else "is dialled"
        with t.case(f"over {transport}, who {way}: gone within two seconds, and does not return"):
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
            wait("it is gone", lambda: not peers(ours, torrent.id), GONE)
            had = ours.status()["bytes"]
            for _ in range(6):
                meet()
                theirs.add_peer(ours.ip, ours.port, torrent.id)
                time.sleep(0.5)
                require(not peers(ours, torrent.id), "it came back")
            require(ours.status()["bytes"] == had, "something was fetched from it")
            require(not ours.call("GET", "usage")["connections"], "a connection is still counted")
            gate(ours, block={"remove": addresses})
            # libtorrent waits longer and longer before it dials again, so it is told of us anew
            wait("they meet again", lambda: meet() or peers(ours, torrent.id), 30)

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
            wait("they meet", lambda: meet() or peers(ours, torrent.id), 30)
            gate(ours, **change)
            wait(f"it is gone: {change}", lambda: not peers(ours, torrent.id), GONE)
            gate(ours, **back)


@suite("controls of the command line", limit=60)
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
            wait("the edited file holds", lambda: say("allow")["who"] == "listed", 3)
            require(t.compeer("block", "alice", home=home, ok=False).returncode == 1, "nonsense is taken")
            up.interrupt()


POLICY = 'upload = "200K"\nforbid = ["relay"]\nhours = [{ days = "all", from = "00:00", to = "24:00" }]\n'


@suite("an administrator's policy", limit=60)
def _(t):
    # in a namespace of its own: other suites must not see the file
    script = ('mount -t tmpfs -o mode=755 tmpfs /etc/compeer && printf %s "$POLICY" > /etc/compeer/policy.toml && chmod "$MODE" /etc/compeer/policy.toml '
              '&& exec "$0" up --listen 127.0.0.9:0')
    folder = Path("/etc/compeer")
    there = folder.exists()
    folder.mkdir(exist_ok=True)

    def up(mode, home):
        env = dict(t.environment(home), POLICY=POLICY, MODE=mode)
        return subprocess.Popen(["unshare", "--mount", "sh", "-c", script, BINARY], env=env, cwd=t.folder, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    try:
        with t.case("its limits stand above the settings, and cannot be overridden"):
            home = t.sub("alice")
            node = up("644", home)
            try:
                wait("the node runs", lambda: t.compeer("list", home=home, ok=False).returncode == 0)
                say = lambda *words: json.loads(t.compeer(*words, "--json", home=home).stdout)
                budget = say("budget", "--up", "5M")
                require(budget["set"]["upload_bytes_per_s"] == 5 * MIB and budget["now"]["upload_bytes_per_s"] == 200 * 1024, f"{budget}")
                require(say("offer", "relay", "--on")[0]["forbidden"], "the service is not forbidden")
                require(not say("allow")["resting"], "it rests within its hours")
            finally:
                node.send_signal(signal.SIGINT)
                node.communicate(timeout=20)
        with t.case("one that others could write is refused aloud"):
            node = up("666", t.sub("bob"))
            _, said = node.communicate(timeout=20)
            require(node.returncode == 1 and "others than root can write" in said, said)
    finally:
        if not there:
            folder.rmdir()


def received(clients):
    return sum(client.status()["bytes"] for client in clients)


@suite("a budget over torrents and carriers", limit=300, prove=True)
def _(t):
    ours = t.start("compeer", transport="both")
    getters = [t.start("libtorrent", transport="tcp"), t.start("libtorrent", transport="utp"), t.start("transmission")]
    torrents = [shared(t, ours, f"budget-{i}.bin", 96 * MIB) for i in range(3)]
    ours.call("PATCH", "budget", {"upload_bytes_per_s": RATE})
    for getter, torrent in zip(getters, torrents):
        getter.add([torrent.path], t.sub("got", getter.ip))
        ours.add_peer(getter.ip, getter.port, torrent.id)

    def measure(name, rate, seconds):
        with t.case(name):
            began, before = time.monotonic(), received(getters)
            time.sleep(seconds)
            passed, got = time.monotonic() - began, received(getters) - before
            t.note(case=name, megabytes_per_s=round(got / passed / 1e6, 3))
            require(0.95 * rate <= got / passed <= 1.02 * rate, f"{got / passed:.0f} bytes/s instead of {rate}")

    time.sleep(SETTLE)
    measure("1 MB/s over three torrents, TCP and uTP", RATE, 30)
    ours.call("PATCH", "budget", {"upload_bytes_per_s": 2 * RATE})
    time.sleep(GONE)
    measure("2 MB/s two seconds after the change", 2 * RATE, 30)
    ours.call("PATCH", "budget", {"services": {"files": {"upload_bytes_per_s": RATE // 2}}})
    time.sleep(GONE)
    measure("half a MB/s for the service", RATE // 2, 30)
    with t.case("who shows who uses what"):
        usage = ours.call("GET", "usage")
        rates = {}
        for it in usage["connections"]:
            rates[it["carrier"]] = rates.get(it["carrier"], 0) + it["upload_bytes_per_s"]
        t.note(rates=rates)
        require({"tcp", "utp"} <= set(rates), f"not both carriers: {rates}")
        require(0.4 * RATE <= sum(rates.values()) <= 0.6 * RATE, f"other rates than measured: {rates}")
