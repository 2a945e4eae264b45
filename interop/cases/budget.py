"""The budget: one limit over torrents and carriers together, measured at the other ends."""
import time

from cases.controls import GONE, MIB, blob, shared
import people
from cases.relays import Iroh
from harness import require, suite, wait
from network import Host, Lan

SETTLE = 5      # seconds after which a limit has to hold
RATE = 1_000_000
SIZE = 96 * MIB


def start(t):
    """We, and at the other ends libtorrent by TCP, libtorrent by uTP, and a contact over QUIC."""
    alice, bob = (t.start("person", called=name, transport="both") for name in ("alice", "bob"))
    people.befriend(alice, bob)
    return alice, bob, t.start("libtorrent", transport="tcp"), t.start("libtorrent", transport="utp")


def carried(client, id, key):
    """Payload bytes of one torrent, as the API of `client` has them."""
    return client.call("GET", f"torrents/{id}")[key]


def measure(t, name, rate, payload, seconds=30):
    """`payload`: what the other ends have exchanged so far, by carrier."""
    with t.case(name):
        began, before = time.monotonic(), payload()
        time.sleep(seconds)
        after = payload()
        passed = time.monotonic() - began
        rates = {carrier: (after[carrier] - before[carrier]) / passed for carrier in after}
        sum_ = sum(rates.values())
        t.note(case=name, megabytes_per_s=round(sum_ / 1e6, 3), of_them=", ".join(f"{carrier} {each / 1e6:.2f}" for carrier, each in rates.items()))
        require(0.95 * rate <= sum_ <= 1.02 * rate, f"{sum_:.0f} bytes/s instead of {rate}: {rates}")


def limits(t, ours, direction, payload, arrived=None):
    """Changes a limit twice, and measures each time. What is under way when the limit for what is taken falls still arrives, so that
    for a while the other ends send less than is taken: then `arrived`, what came in here, is looked at, too."""
    time.sleep(SETTLE)
    measure(t, "1 MB/s over TCP, uTP and QUIC together", RATE, payload)
    ours.call("PATCH", "budget", {direction: 2 * RATE})
    time.sleep(GONE)
    measure(t, "2 MB/s two seconds after the change", 2 * RATE, payload)
    ours.call("PATCH", "budget", {direction: RATE // 2})
    time.sleep(GONE)
    measure(t, "half a MB/s two seconds after the change", RATE // 2, arrived or payload)
    if arrived:
        measure(t, "half a MB/s, at the other ends", RATE // 2, payload)
    with t.case("who shows who uses what"):
        usage, key = ours.call("GET", "usage"), direction
        rates = {}
        for it in usage["connections"]:
            rates[it["carrier"]] = rates.get(it["carrier"], 0) + it[key]
        t.note(rates=rates)
        require({"tcp", "utp", "quic"} <= set(rates), f"not all carriers: {rates}")
        require(0.4 * RATE <= sum(rates.values()) <= 0.6 * RATE, f"other rates than measured: {rates}")
        persons = {it["person"] for it in usage["connections"] if it["carrier"] == "quic"}
        require(len(persons) == 1 and None not in persons, f"the person is not told: {persons}")


@suite("a budget over TCP, uTP and QUIC: what is given", limit=300, prove=True)
def _(t):
    ours, bob, *foreign = start(t)
    ours.call("PATCH", "budget", {"upload_bytes_per_s": RATE})
    torrents = [shared(t, ours, f"budget-{i}.bin", SIZE) for i in range(2)]
    for getter, torrent in zip(foreign, torrents):
        getter.add([torrent.path], t.sub("got", getter.ip))
        ours.add_peer(getter.ip, getter.port, torrent.id)
    private = ours.share(blob(t, "private.bin", SIZE), to=["bob"])
    bob.hears_of(private)
    bob.accept(private, t.sub("bob"))

    def payload():
        tcp, utp = (getter.status()["bytes"] for getter in foreign)
        return {"tcp": tcp, "utp": utp, "quic": carried(bob, private, "downloaded_bytes")}

    limits(t, ours, "upload_bytes_per_s", payload)
    with t.case("a limit of a service and one of a person hold beside it"):
        ours.call("PATCH", "budget", {"upload_bytes_per_s": 4 * RATE, "services": {"files": {"upload_bytes_per_s": RATE // 2}}})
        ours.run("budget", "--person", ours.run("contact", "list")[0]["person"], "--up", "300K")
        time.sleep(GONE)
        began, before = time.monotonic(), payload()
        time.sleep(10)
        passed, after = time.monotonic() - began, payload()
        files, person = after["tcp"] + after["utp"] - before["tcp"] - before["utp"], after["quic"] - before["quic"]
        t.note(files_megabytes_per_s=round(files / passed / 1e6, 3), bob_megabytes_per_s=round(person / passed / 1e6, 3))
        require(0.9 * RATE / 2 <= files / passed <= 1.05 * RATE / 2, f"files: {files / passed:.0f} bytes/s")
        require(0.9 * 300 * 1024 <= person / passed <= 1.05 * 300 * 1024, f"bob: {person / passed:.0f} bytes/s")


@suite("a budget over TCP, uTP and QUIC: what is taken", limit=300, prove=True)
def _(t):
    ours, bob, *foreign = start(t)
    ours.call("PATCH", "budget", {"download_bytes_per_s": RATE})
    torrents = [shared(t, seeder, f"budget-{i}.bin", SIZE) for i, seeder in enumerate(foreign)]
    for seeder, torrent in zip(foreign, torrents):
        ours.add([torrent.path], t.sub("got"))
        ours.add_peer(seeder.ip, seeder.port, torrent.id)
    private = bob.share(blob(t, "private.bin", SIZE), to=["alice"])
    ours.hears_of(private)
    ours.accept(private, t.sub("alice"))

    def payload():
        tcp, utp = (next(iter(seeder.torrents().values()))["sent"] for seeder in foreign)
        return {"tcp": tcp, "utp": utp, "quic": carried(bob, private, "uploaded_bytes")}

    def arrived():
        return {name: carried(ours, id, "downloaded_bytes") for name, id in zip(("tcp", "utp", "quic"), [*(torrent.id for torrent in torrents), private])}

    limits(t, ours, "download_bytes_per_s", payload, arrived)


@suite("a budget over torrents and the relay", limit=300, prove=True)
def _(t):
    # two Ethernets that no router joins: iroh's endpoints meet by our relay alone
    left, right = Lan("left"), Lan("right")
    public = Host("public").plug(left, "11.0.1.1/24").plug(right, "11.0.2.1/24")
    ada, bob = Host("ada").plug(left, "11.0.1.2/24"), Host("bob").plug(right, "11.0.2.2/24")
    bob.run("ip", "route", "add", "11.0.1.1/32", "via", "11.0.2.1")
    ours = t.start("person", called="carol", on=public, options=("--offer", "relay"))
    getter = t.start("libtorrent", on=ada)
    torrent = shared(t, ours, "beside.bin", SIZE)
    ours.call("PATCH", "budget", {"upload_bytes_per_s": RATE})

    def payload():
        return {"relay": ours.call("GET", "services/relay")["sent_bytes"], "tcp": getter.status()["bytes"]}

    with Iroh(t, "ada", ada, 1) as one, Iroh(t, "bob", bob, 2) as two:
        for node in (one, two):
            node.ask("online")
        two.begin("echo")
        one.begin("ask", node=two.key.hex(), bytes=SIZE)
        wait("the relay carries", lambda: payload()["relay"] > MIB, 60)
        time.sleep(SETTLE)
        before = payload()["relay"]
        time.sleep(10)
        with t.case("alone the relay keeps the limit, too"):
            rate = (payload()["relay"] - before) / 10
            t.note(relay_alone_megabytes_per_s=round(rate / 1e6, 3))
            require(rate <= 1.02 * RATE, f"{rate}")
        getter.add([torrent.path], t.sub("got"))
        ours.add_peer(getter.ip, getter.port, torrent.id)
        wait("the torrent runs", lambda: payload()["tcp"] > 0)
        time.sleep(SETTLE)
        measure(t, "1 MB/s over a torrent and the relay together", RATE, payload)
