"""Ten of our nodes and two foreign ones; the seed is killed when the others have one copy between them (Evidence 2)."""
import os
import random
import signal
import time

from drivers import free_port
from harness import require, require_same, suite
from torrents import make
from tracker import Tracker

SIZE = 6 * 1024 * 1024
PIECE = 32 * 1024
SEED_BYTES_PER_S = 1_500_000
OTHERS_BYTES_PER_S = 400_000    # slow enough that most still lack something when the seed dies


@suite("a swarm that loses its seed", limit=300)
def _(t):
    source = t.sub("source")
    film = source / "film.bin"
    film.write_bytes(random.Random(11).randbytes(SIZE))
    tracker = Tracker(free_port())
    torrent = make("libtorrent", film, t.folder / "film.torrent", PIECE, tracker=tracker.url)
    seed = t.client("compeer")
    others = [t.client("compeer") for _ in range(9)] + [t.client("libtorrent"), t.client("qbittorrent")]
    observer = others[9]
    for c in [seed, *others]:
        tracker.addresses[c.port] = c.ip
        c.start()
    seed.add([torrent.path], source, seed=True)
    seed.wait_done(torrent.id, 60)
    seed.call("PUT", "limits", {"upload_bytes_per_s": SEED_BYTES_PER_S})
    for i, c in enumerate(others):
        if c.name == "compeer":
            c.call("PUT", "limits", {"upload_bytes_per_s": OTHERS_BYTES_PER_S})
        c.add([torrent.path], t.sub("got", str(i)))
    observer.limit(OTHERS_BYTES_PER_S)
    with t.case("the others have one copy between them"):
        end = time.monotonic() + 90
        while not observer.ask(cmd="union", without=seed.ip)["complete"]:
            require(time.monotonic() < end, f"not after 90 s: {[c.status()['bytes'] for c in others]}")
            time.sleep(0.05)
        sent = seed.list()[0]["uploaded_bytes"]
        os.kill(seed.proc.pid, signal.SIGKILL)
        early = sum(c.status()["done"] for c in others)
        require(early < len(others) // 2, f"{early} of {len(others)} were complete already: the seed died too late to prove anything")
    t.note(copies_sent_by_the_seed=round(sent / SIZE, 2), complete_when_it_died=early)
    for i, c in enumerate(others):
        with t.case(f"{c.name} {i} finishes without the seed"):
            c.wait_done(torrent.id, 60)
            require_same(film, t.folder / "got" / str(i) / film.name)
    tracker.close()
