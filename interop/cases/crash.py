"""A downloading node is killed without warning, again and again (Evidence 4)."""
import os
import random
import signal
import time

from drivers import Timeout
from harness import require, require_same, suite
from torrents import make

SIZE = 24 * 1024 * 1024
PIECE = 64 * 1024
BYTES_PER_S = 4_000_000
UP_AGAIN_S = 2.0        # of the issue: up again without a full recheck
TOLERATED = max(SIZE * 2 // 100, 4 * PIECE)     # fetched again per kill


def kills(t, count, up_again_s):
    rng = random.Random(count)
    film = t.sub("source") / "film.bin"
    film.write_bytes(random.Random(12).randbytes(SIZE))
    torrent = make("libtorrent", film, t.folder / "film.torrent", PIECE)
    seeder, node = t.start("libtorrent"), t.start("compeer")
    seeder.add([torrent.path], film.parent, seed=True)
    # limited at the seeder, so that nothing waits in sockets that would count as sent
    seeder.limit(BYTES_PER_S)
    node.add([torrent.path], t.sub("got"))
    node.add_peer(seeder.ip, seeder.port)
    slowest, killed = 0.0, 0
    for _ in range(count):
        time.sleep(rng.uniform(0.05, SIZE / BYTES_PER_S / count * 1.2))
        before = node.torrents()[torrent.id]
        if before["done"]:
            break
        os.kill(node.proc.pid, signal.SIGKILL)
        node.proc.wait()
        killed += 1
        began = time.monotonic()
        node.start(keep_home=True)
        seconds = wait_checked(node, torrent.id, before["bytes"], began)
        slowest = max(slowest, seconds)
        node.add_peer(seeder.ip, seeder.port)
    with t.case(f"killed {killed} times, it finishes with the right bytes"):
        require(killed >= count // 2, f"only {killed} kills: the download was too quick")
        node.wait_done(torrent.id, 90)
        require_same(film, t.folder / "got" / film.name)
    again = seeder.torrents()[torrent.id]["sent"] - SIZE
    t.note(kills=killed, fetched_again_per_kill=f"{max(again, 0) / max(killed, 1) / SIZE:.2%}", slowest_start=f"{slowest:.2f} s")
    with t.case("little is fetched again"):
        require(again <= killed * TOLERATED, f"{again} bytes after {killed} kills, at most {killed * TOLERATED}")
    with t.case("it is up again at once"):
        require(slowest <= up_again_s, f"the slowest start took {slowest:.2f} s")


def wait_checked(node, id, had, began):
    """Waits until the torrent knows again what it has; -> seconds since the start."""
    while True:
        entry = next((e for e in node.list() if e["id"] == id), None)
        if entry and entry["state"] not in ("checking", "metadata") and entry["done_bytes"] >= had - TOLERATED:
            return time.monotonic() - began
        if time.monotonic() - began > 60:
            raise Timeout(f"60 s after the new start it says {entry and (entry['state'], entry['done_bytes'])}, had {had}")
        time.sleep(0.02)


@suite("killed while it downloads, 4 times", limit=300)
def _(t):
    # a debug build on a busy machine: what is tested here is that nothing is lost, `prove` looks at the time
    kills(t, 4, 10 * UP_AGAIN_S)


@suite("killed while it downloads, 20 times", limit=400, prove=True)
def _(t):
    kills(t, 20, UP_AGAIN_S)
