"""The web page in a real browser (Debian's Chromium, led by playwright-core): one suite a story of `interop/page`, so that what fails has a name.

The pictures of all stories go to $COMPEER_SHOTS, or with the suite's folder."""
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import threading
import urllib.parse
import wave

import drivers
from cases.private import blob, start
from harness import HERE, descendants, end, require, suite, wait
from special import Crowd, zeros_torrent
from torrents import make

MIB = 1 << 20
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


def node(t, name, settings="", **options):
    """A node with a home of its own, whose settings are these."""
    client = t.client("compeer", **options)
    client.prepare = lambda: (client.home / "config.toml").write_text(f'download_folder = "{t.sub("downloads", name)}"\n{settings}')
    client.called = name
    return client.start()


def somebody(t, name, **options):
    """A node that belongs to somebody of that name."""
    client = node(t, name.lower(), **options)
    client.call("POST", "identity", {"name": name, "node_name": f"{name}'s computer"})
    return client


def tell(t, story, *clients, **more):
    """Runs a story in the browser, which gets `more`; each of its cases is one here."""
    shots = os.environ.get("COMPEER_SHOTS") or str(t.sub("shots"))
    os.makedirs(shots, exist_ok=True)
    nodes = [{"name": getattr(c, "called", c.name), "api": c.api, "token": (c.home / "token").read_text().strip(), "ip": c.ip, "port": c.port} for c in clients]
    given = json.dumps({"modules": str(drivers.NPM), "chromium": CHROMIUM, "shots": shots, "folder": str(t.sub("source")), "nodes": nodes, **more})
    home = t.sub("browser")     # Chromium writes where HOME says
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    env.update(HOME=str(home), XDG_CONFIG_HOME=str(home), XDG_CACHE_HOME=str(home), TMPDIR=str(home))
    before = set(descendants(os.getpid()))
    with subprocess.Popen(["node", str(HERE / "page" / f"{story}.mjs"), given], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as teller:
        cases = 0
        for line in teller.stdout:
            cases += 1
            t.report(**json.loads(line))
    # the browser is closed by then; what it had beside itself takes some moments more to end
    end(set(descendants(os.getpid())) - before)
    require(teller.returncode == 0 and cases, f"the browser ended with {teller.returncode} after {cases} cases")


def told(name, limit):
    """Registers a story that is told on a screen, and on a phone, which is dark; it gets how."""
    def register(function):
        for where, how in (("", {}), (", on a phone", {"size": "phone", "scheme": "dark"})):
            suite(f"the page: {name}{where}", limit=limit)(lambda t, how=how: function(t, how))
        return function
    return register


def files(folder, **sizes):
    """Files of so many bytes each, the same with each run."""
    for name, size in sizes.items():
        (folder / f"{name}.bin").write_bytes(random.Random(name).randbytes(size))


def sound(path, seconds):
    """A tone as an uncompressed sound file: what a browser can play wherever it is begun."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(44_100)
        second = b"".join(struct.pack("<hh", *(int(8000 * ((i * pitch // 44_100) % 2 * 2 - 1)) for pitch in (440, 554))) for i in range(44_100))
        for _ in range(seconds):
            out.writeframes(second)


def seeded(t, content, upload=None):
    """A node that has this, and its torrent."""
    seed = node(t, "seed")
    torrent = make("libtorrent", content, t.folder / f"{content.name}.torrent", 256 << 10)
    seed.add([torrent.path], content.parent)
    wait("the seed", lambda: seed.call("GET", f"torrents/{torrent.id}")["state"] == "seeding")
    if upload:
        seed.call("PATCH", "budget", {"upload_bytes_per_s": upload})
    return seed


@told("the first visit", limit=300)
def _(t, how):
    tell(t, "wizard", node(t, "ada"), somebody(t, "Grace"), **how)


@told("share a folder and fetch it", limit=300)
def _(t, how):
    files(t.sub("source", "holiday"), lake=12 * MIB, mountain=3 * MIB)
    tell(t, "share", somebody(t, "Ada"), somebody(t, "Grace"), **how)


def holiday(t):
    """-> a node that has a torrent of two files; its file lies where stories find it."""
    files(t.sub("source", "holiday"), lake=3 * MIB, mountain=MIB)
    seed = seeded(t, t.folder / "source" / "holiday")
    shutil.copy(t.folder / "holiday.torrent", t.sub("source"))
    return seed


@suite("the page: add, and look inside first", limit=300)
def _(t):
    tell(t, "adding", node(t, "ada"), holiday(t))


@suite("the page: categories, labels and goals", limit=300)
def _(t):
    ours, seed = node(t, "ada"), holiday(t)
    for name in ("winter", "spring"):
        files(t.sub("source"), **{name: MIB})
        ours.add([make("libtorrent", t.folder / "source" / f"{name}.bin", t.folder / f"{name}.torrent", 64 << 10).path], t.sub("got"))
    tell(t, "sorting", ours, seed)


@told("people", limit=360)
def _(t, how):
    anna, boris = start(t, "anna", "boris")
    for name in ("Photos/lake.jpg", "Photos/hut.jpg", "Open data/numbers.csv", "notes.txt"):
        (t.sub("source") / name).parent.mkdir(parents=True, exist_ok=True)
        blob(t, 300_000, name, seed=len(name))
    source = t.sub("source")
    tell(t, "people", anna, boris, folder=str(source / "Photos"), open=str(source / "Open data"), drop=str(source / "notes.txt"), **how)


@suite("the page: nothing is lost by a reload", limit=300)
def _(t):
    files(t.sub("source", "holiday"), **{f"day {n}": 1000 + n for n in range(80)})
    ada, grace = somebody(t, "Ada"), somebody(t, "Grace")
    ada.add([make("libtorrent", t.folder / "source" / "holiday", t.folder / "holiday.torrent", 16 << 10).path], t.folder / "source")
    grace.call("POST", "contacts", {"link": ada.call("POST", "invites", {"standing": False, "valid_s": 3600})["link"], "name": None})
    group = ada.call("POST", "groups", {"name": "hikers", "kind": "by_invitation"})["id"]
    wait("the contact", lambda: ada.call("GET", "contacts"))
    tell(t, "reload", ada, person=ada.call("GET", "contacts")[0]["person"], group=group)


@suite("the page: strangers and the blocked", limit=240)
def _(t):
    tell(t, "strangers", *start(t, "anna", "zoe"))


@told("play what is still fetched", limit=300)
def _(t, how):
    song = t.sub("source") / "A long song.wav"
    sound(song, 180)
    tell(t, "play", node(t, "ada"), seeded(t, song), **how)


@told("limits, a schedule, a blocked peer", limit=300)
def _(t, how):
    files(t.sub("source"), large=60 * MIB)
    tell(t, "controls", somebody(t, "Ada"), seeded(t, t.folder / "source" / "large.bin"), **how)


@suite("the page: each tab on a screen and on a phone, light and dark", limit=400)
def _(t):
    files(t.sub("source", "holiday"), lake=3 * MIB, mountain=MIB)
    ada, grace = somebody(t, "Ada", without="lsd,mapping,relays"), somebody(t, "Grace", without="lsd,mapping,relays")
    link = ada.call("POST", "invites", {"standing": False, "valid_s": 3600})["link"]
    grace.call("POST", "contacts", {"link": link, "name": None})
    torrent = make("libtorrent", t.folder / "source" / "holiday", t.folder / "holiday.torrent", 64 << 10)
    grace.add([torrent.path], t.folder / "source")
    wait("the seed", lambda: grace.call("GET", f"torrents/{torrent.id}")["state"] == "seeding")
    for name, category, *labels in (("Field recordings", "Sounds", "birds", "forest"), ("City maps", "", "paper"), ("Lectures, autumn", "Films", "university")):
        files(t.sub("source", name), part=MIB, other=300_000)
        ada.add([make("libtorrent", t.folder / "source" / name, t.folder / f"{name}.torrent", 64 << 10).path], t.folder / "source")
        one = next(one for one in ada.call("GET", "torrents") if one["name"] == name)
        ada.call("PATCH", f"torrents/{one['id']}", {"labels": {"add": labels}, "category": category})
    ada.call("PATCH", "budget", {"download_bytes_per_s": 20_000, "upload_bytes_per_s": 2_000_000, "disk_bytes": 50 * 10**9})
    ada.call("PUT", "schedule", [{"days": "mon-fri", "from": "08:00", "to": "18:00", "upload_bytes_per_s": 200_000}, {"days": "sat,sun", "from": "23:00", "to": "06:00", "pause": True}])
    ada.call("PATCH", "gate", {"block": {"add": ["192.0.2.0/24"]}})
    ada.add([torrent.path], t.sub("got"))
    ada.add_peer(grace.ip, grace.port)
    tell(t, "looks", ada, grace)


@suite("the page: a node that goes away", limit=240)
def _(t):
    ours = node(t, "ada")
    for name in ("winter", "spring"):
        files(t.sub("source"), **{name: MIB})
        ours.add([make("libtorrent", t.folder / "source" / f"{name}.bin", t.folder / f"{name}.torrent", 64 << 10).path], t.sub("got"))
    over = threading.Event()
    # a process that halts is like a line that broke: nothing is said, nothing is closed
    wishes = (("halt", lambda: ours.proc.send_signal(signal.SIGSTOP)), ("go on", lambda: ours.proc.send_signal(signal.SIGCONT)),
              ("stop", ours.stop), ("start", lambda: ours.start(keep_home=True)))

    def obey():
        # the story asks by files that it writes
        for wish, act in wishes:
            while not (t.folder / "source" / wish).exists():
                if over.wait(0.1):
                    return
            act()

    obeying = threading.Thread(target=obey, daemon=True)
    obeying.start()
    try:
        tell(t, "lost", ours)
    finally:
        over.set()
        obeying.join(20)


@suite("the page: a transfer closely", limit=300)
def _(t):
    files(t.sub("source", "holiday"), lake=30 * MIB, mountain=2 * MIB)
    # slow enough that all of the story is told before it is there
    seed = seeded(t, t.folder / "source" / "holiday", upload=500_000)
    tell(t, "closely", node(t, "ada", without="mapping,relays,lsd,dht"), seed)


@suite("the page: five hundred peers", limit=300)
def _(t):
    ours, length, piece = node(t, "ada"), 2 << 30, MIB
    torrent = t.folder / "crowd.torrent"
    info_hash = zeros_torrent(torrent, length, piece)
    ours.many_peers()
    # slow, so that it goes on until the story ends
    ours.call("PATCH", "budget", {"download_bytes_per_s": 8_000_000})
    ours.add([torrent], t.sub("got"))
    crowd = Crowd(500, info_hash, length // piece, ours).start()
    try:
        wait("all of them", lambda: ours.call("GET", f"torrents/{info_hash.hex()}")["peers"] == 500, 120)
        tell(t, "crowd", ours)
    finally:
        crowd.stop()


LONG = "An unreasonably long name of recordings, 1994-2026 [FLAC 24-96] (complete, with scans and a booklet)"
UNBROKEN = "Wolfeschlegelsteinhausenbergerdorff_ohne_Leerzeichen_und_Umbruch"
WORDS = "Did you see the lake? " * 30


def said_to(chat):
    return f"chats/{urllib.parse.quote(chat, safe='')}/messages"


def much(t, ours, friend):
    """Transfers in all states, of long names, most with labels."""
    for n in range(12):
        folder = t.sub("source", f"{LONG} {n}" if n else LONG)
        files(folder, **{UNBROKEN: 100_000 + n, "b": 1000})
        torrent = make("libtorrent", folder, t.folder / f"{n}.torrent", 16 << 10)
        ours.add([torrent.path], t.folder / "source" if n % 2 else t.sub("got"))
        labels = {"labels": {"add": [UNBROKEN[:30], "summer", "to keep"][:n % 4]}, "category": UNBROKEN if n % 3 == 0 else ""}
        ours.call("PATCH", f"torrents/{torrent.id}", labels)
    # where its folder should be is a file
    (t.sub("blocked") / "plain").write_bytes(b"")
    folder = t.sub("source", "it cannot be written")
    files(folder, a=1000)
    torrent = make("libtorrent", folder, t.folder / "failed.torrent", 16 << 10)
    friend.add([torrent.path], t.folder / "source")
    ours.add([torrent.path], t.folder / "blocked" / "plain" / "below")
    ours.call("POST", f"torrents/{torrent.id}/peers", {"address": f"{friend.ip}:{friend.port}"})
    ours.call("POST", "torrents", {"link": f"magnet:?xt=urn:btih:{'ab' * 20}&dn={UNBROKEN}"})
    ours.call("POST", "torrents", {"link": f"magnet:?xt=urn:btih:{'cd' * 20}"})
    wait("one that failed", lambda: any(one["state"] == "failed" for one in ours.call("GET", "torrents")))


@suite("the page: much in it, and long names", limit=400)
def _(t):
    ada = somebody(t, "Ada")
    friend, stranger = node(t, "friend"), node(t, "stranger")
    for one, name in ((friend, UNBROKEN), (stranger, UNBROKEN[::-1])):
        one.call("POST", "identity", {"name": name[:64], "node_name": name[:64]})
    link = ada.call("POST", "invites", {"standing": True, "valid_s": 3600})["link"]
    friend.call("POST", "contacts", {"link": link, "name": None})
    wait("the contact", lambda: ada.call("GET", "contacts"))
    person = ada.call("GET", "contacts")[0]["person"]
    much(t, ada, friend)
    group = ada.call("POST", "groups", {"name": UNBROKEN[:40], "kind": "by_invitation"})["id"]
    friend.call("POST", "groups/join", {"link": ada.call("POST", f"groups/{group}/invitations", {"uses": 0})["link"]})
    me = ada.call("GET", "identity")
    with_ada, with_group = said_to(f"person:{me['person']}"), said_to(f"group:{group}/main")
    for text in ("short", WORDS, UNBROKEN * 3, "https://example.org/" + "a/" * 90, me["link"], link):
        friend.call("POST", with_ada, {"text": text})
        friend.call("POST", with_group, {"text": text})
    chat = stranger.call("POST", "chats", {"link": me["link"]})
    stranger.call("POST", said_to(chat["id"]), {"text": WORDS[:200]})
    files(t.sub("source", "given"), **{UNBROKEN: 200_000})
    friend.call("POST", "shares", {"path": str(t.sub("source", "given")), "to": [me["person"]], "note": WORDS[:400]})
    ada.call("PUT", "libraries", {"name": UNBROKEN, "folder": str(t.sub("source", "given")), "to": [person], "groups": []})
    ada.call("PUT", "inbox/rules", {"group": group, "folder": str(t.sub("got", UNBROKEN, UNBROKEN)), "max_bytes": 10**9})
    ada.call("PATCH", "gate", {"block": {"add": ["192.0.2.0/24", "2001:db8::/32"]}})
    wait("what the stranger wrote", lambda: len(ada.call("GET", "chats")) == 3)
    wait("what is offered", lambda: ada.call("GET", "inbox"))
    tell(t, "crowded", ada, person=person, group=group, stranger=stranger.call("GET", "identity")["person"])


@suite("the page: five thousand transfers", limit=360)
def _(t):
    ours = node(t, "ada")
    torrents = []
    for n in range(5000):
        path = t.sub("torrents") / f"{n}.torrent"
        name = f"torrent {n}".encode()
        info = b"d6:lengthi%de4:name%d:%s12:piece lengthi16384e6:pieces20:%se" % (1 + n, len(name), name, random.Random(n).randbytes(20))
        path.write_bytes(b"d4:info%se" % info)
        torrents.append(path)
    ours.add(torrents, t.sub("got"))
    wait("all of them", lambda: len(ours.call("GET", "torrents")) == 5000, 120)
    tell(t, "many", ours)
