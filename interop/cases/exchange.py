"""Every kind of content between Compeer and each foreign client, both ways, byte for byte (Evidence 1)."""
import time

import harness
import payloads
from cases import SUBJECT
from drivers import Timeout
from harness import require_same, suite
from torrents import make

# client: the kinds of torrents that it takes, and its own maker of torrents (drivers.CREATE)
FOREIGN = {
    "transmission": (("v1",), "transmission-create"),
    "aria2": (("v1",), "mktorrent"),
    "libtorrent": (("v1", "v2", "hybrid"), "libtorrent"),
    "qbittorrent": (("v1", "hybrid"), "libtorrent"),
}
DIALS_HINTS = {"compeer", "libtorrent", "qbittorrent"}     # their magnets know x.pe
MAGNET = "magnet with only the peer's address"
# Transmission's first byte comes after some 11 s; a busy machine has a quarter of its speed
LIMIT = 120


def exchange(t, seeds, fetches, kind, maker):
    """Makes every payload a torrent, gives all to a seeder, and compares what the leecher makes of each."""
    source, files, got = t.sub("source"), t.sub("torrents"), t.sub("got")
    seeder, leecher = t.start(seeds), t.start(fetches)
    sent = {}
    for name, payload in payloads.ALL.items():
        try:
            content = payload(source)
            if "transmission" in (fetches, maker.split("-")[0]):
                # its maker leaves empty files out, and its daemon does not make them
                drop_empty(content)
            torrent = make(maker, content, files / f"{content.name}.torrent", payloads.PIECE, kind)
            seeder.add([torrent.path], source, seed=True)
            sent[name] = (content, torrent)
        except Exception:
            with t.case(name):
                raise
    for name, (content, torrent) in sent.items():
        try:
            seeder.wait_done(torrent.id, LIMIT)
            if name == MAGNET:
                leecher.add_magnet(torrent.magnet(*((seeder.ip, seeder.port) if fetches in DIALS_HINTS else ())), got)
            else:
                leecher.add([torrent.path], got)
            meet(leecher, seeder, name, torrent)
        except Exception:
            with t.case(name):
                raise
            sent[name] = None
    for name, (content, torrent) in ((n, pair) for n, pair in sent.items() if pair):
        with t.case(name):
            wait(leecher, seeder, name, torrent)
            require_same(content, got / content.name)


def drop_empty(content):
    for path in harness.tree(content).values():
        if path.stat().st_size == 0:
            path.unlink()


def meet(leecher, seeder, name, torrent):
    """Makes one of the two dial the other; -> who does."""
    if name == MAGNET and leecher.name in DIALS_HINTS:
        return leecher      # by the link alone
    dialer, other = (leecher, seeder) if leecher.can_add_peer else (seeder, leecher)
    dialer.add_peer(other.ip, other.port, torrent.id)
    return dialer


def wait(leecher, seeder, name, torrent):
    """Waits for one torrent. A foreign client that forgot the peer is reminded of it; Compeer has to try again by itself."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            return leecher.wait_done(torrent.id, 12)
        except Timeout:
            if time.monotonic() > end:
                raise
        dialer = leecher if leecher.can_add_peer else seeder
        if dialer.name != "compeer":
            meet(leecher, seeder, name, torrent)


def register(seeds, fetches, kind, maker):
    @suite(f"{seeds} -> {fetches}, {kind}", limit=300)
    def _(t):
        exchange(t, seeds, fetches, kind, maker)


for client, (kinds, maker) in FOREIGN.items():
    for kind in kinds:
        register(client, SUBJECT, kind, maker)
        if client != SUBJECT:
            register(SUBJECT, client, kind, SUBJECT)
for kind in ("v1", "v2", "hybrid"):
    if SUBJECT == "compeer":
        register(SUBJECT, SUBJECT, kind, SUBJECT)
