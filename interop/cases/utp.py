"""uTP (BEP 29): with foreign clients both ways, and who uses which carrier where there is a choice."""
import random
import time

import drivers
import payloads
from harness import require, require_same, suite
from torrents import make

MIB = 1 << 20
LIMIT = 120      # seconds for one torrent: Transmission's first byte comes after some 11 s


def blob(t, size, name="blob.bin"):
    path = t.sub("source") / name
    rng = random.Random(29)
    with open(path, "wb") as f:
        for left in range(size, 0, -4 * MIB):
            f.write(rng.randbytes(min(left, 4 * MIB)))
    return path


def transfer(t, seeder, leecher, content, piece=payloads.PIECE, limit=LIMIT, dialer=None):
    """One torrent from one client to the other; -> the seconds, and the CPU seconds of both."""
    torrent = make("libtorrent", content, t.folder / f"{content.name}.torrent", piece)
    got = t.sub("got", str(leecher.port))
    seeder.add([torrent.path], content.parent, seed=True)
    seeder.wait_done(torrent.id, limit)
    before, began = (seeder.cpu(), leecher.cpu()), time.monotonic()
    leecher.add([torrent.path], got)
    dialer = dialer or (leecher if leecher.can_add_peer else seeder)
    other = seeder if dialer is leecher else leecher
    dialer.add_peer(other.ip, other.port, torrent.id)
    leecher.wait_done(torrent.id, limit)
    seconds = time.monotonic() - began
    require_same(content, got / content.name)
    return seconds, (seeder.cpu() - before[0], leecher.cpu() - before[1])


def both_ways(t, client, size, **options):
    content = blob(t, size)

    def one_way(seeds, fetches):
        with t.case(f"{seeds} -> {fetches}"):
            carriers = {"compeer": {"transport": "utp"}, client: options}
            transfer(t, t.start(seeds, **carriers[seeds]), t.start(fetches, **carriers[fetches]), content)

    t.side_by_side(lambda: one_way(client, "compeer"), lambda: one_way("compeer", client))


@suite("uTP with libtorrent", limit=240)
def _(t):
    both_ways(t, "libtorrent", 16 * MIB, transport="utp")
    content = blob(t, MIB, "six.bin")
    for seeds, fetches in (("libtorrent", "compeer"), ("compeer", "libtorrent")):
        with t.case(f"{seeds} -> {fetches} over IPv6"):
            ours = on_ipv6(t, "compeer")
            theirs = on_ipv6(t, "libtorrent", settings={"outgoing_interfaces": "::1"})
            seeder, leecher = (ours, theirs) if seeds == "compeer" else (theirs, ours)
            transfer(t, seeder, leecher, content, dialer=ours)


def on_ipv6(t, name, **options):
    port = drivers.free_port()
    c = drivers.CLIENTS[name](t.folder / "homes", "[::1]", port=port, transport="utp", **options)
    t.clients.append(c)
    return c.start()


# it has no switch for TCP; Compeer's is off
@suite("uTP with transmission", limit=300)
def _(t):
    both_ways(t, "transmission", 16 * MIB, transport="utp")


@suite("uTP between ours", limit=180)
def _(t):
    with t.case("compeer -> compeer"):
        transfer(t, t.start("compeer", transport="utp"), t.start("compeer", transport="utp"), blob(t, 16 * MIB))


@suite("choice of carrier", limit=240)
def _(t):
    content = blob(t, MIB // 2)

    def meet(name, theirs, ours, options=()):
        """A slow seed of libtorrent's and a leecher of ours that knows its address; -> both, and the torrent"""
        seeder = t.start("libtorrent", transport=theirs)
        leecher = t.start("compeer", transport=ours, options=options)
        torrent = make("libtorrent", content, t.folder / f"{name}.torrent", payloads.PIECE)
        seeder.add([torrent.path], content.parent, seed=True)
        seeder.wait_done(torrent.id, 60)
        seeder.limit(MIB // 16)     # slow enough to be looked at
        leecher.add([torrent.path], t.sub("got", leecher.ip))
        leecher.add_peer(seeder.ip, seeder.port, torrent.id)
        return seeder, leecher, torrent

    def choose(name, ours, options, theirs, expected):
        with t.case(name):
            seeder, leecher, torrent = meet(name, theirs, ours, options)
            require(carrier(leecher, torrent.id) == expected, f"it is not {expected}")
            seeder.limit(0)
            leecher.wait_done(torrent.id, 60)

    def miss():
        with t.case("two that have no carrier in common do not meet"):
            _, leecher, _ = meet("miss", "tcp", "utp")
            time.sleep(2)
            require(leecher.status()["bytes"] == 0, "it fetched something")

    t.side_by_side(
        miss,
        lambda: choose("TCP is preferred by itself", "both", (), "both", "tcp"),
        lambda: choose("uTP is preferred where the user says so", "both", ("--prefer", "utp"), "both", "utp"),
        lambda: choose("uTP serves where the other end has no TCP", "both", ("--prefer", "tcp"), "utp", "utp"),
        lambda: choose("TCP serves where the other end has no uTP", "both", ("--prefer", "utp"), "tcp", "tcp"),
        lambda: choose("without TCP all goes by uTP", "utp", (), "both", "utp"),
        lambda: choose("without uTP all goes by TCP", "tcp", (), "both", "tcp"),
    )


def carrier(client, id):
    """What carries the first connection of a torrent."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for peer in client.call("GET", f"torrents/{id}/peers"):
            return peer["carrier"]
        time.sleep(0.05)
    return "no peer"


@suite("1 GiB by uTP", limit=600, prove=True)
def _(t):
    content = blob(t, 1024 * MIB, "big.bin")
    for seeds, fetches in (("libtorrent", "libtorrent"), ("libtorrent", "compeer"), ("compeer", "libtorrent"), ("compeer", "compeer")):
        with t.case(f"{seeds} -> {fetches}"):
            seeder, leecher = t.start(seeds, transport="utp"), t.start(fetches, transport="utp")
            seconds, cpu = transfer(t, seeder, leecher, content, MIB, limit=180)
            t.note(pair=f"{seeds} -> {fetches}", seconds=round(seconds, 1), seeder_cpu_s=round(cpu[0], 1), leecher_cpu_s=round(cpu[1], 1))
            seeder.stop()
            leecher.stop()
            (t.folder / "got" / str(leecher.port) / content.name).unlink()
