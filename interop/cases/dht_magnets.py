"""A magnet that names no tracker and no peer: the DHT brings the two together, whoever they are."""
import time

import payloads
from cases.dht import Network
from commands import Running
from harness import require, require_same, suite, wait
from torrents import make

DHT_ALONE = ("--without", "lsd,mapping,pex")


def share(t, net, text, host, home):
    """Our `share` of a text on a host; -> the command, and the bare link when it is there."""
    notes = t.sub("source", home) / "notes.txt"
    notes.write_text(text * 3000)
    return notes, Running(t, "share", notes, "--listen", f"{host.ip}:0", *DHT_ALONE, "--bootstrap", net.place, home=t.sub(home), on=host)


def bare(link):
    link = link.split("&x.pe=")[0]
    require("x.pe" not in link and "&tr=" not in link, f"the magnet is not bare: {link}")
    return link


@suite("dht, bare magnets with libtorrent", limit=180)
def _(t):
    net = Network(t)
    alice, bob = net.libtorrents
    net.wait_known(f"{c.ip}:{c.port}" for c in net.libtorrents)
    film = payloads.mid_piece(t.sub("source"))
    torrent = make("libtorrent", film, t.folder / "film.torrent", payloads.PIECE)
    with t.case("libtorrent -> compeer"):
        alice.add([torrent.path], film.parent, seed=True)
        # Not announced yet, she could find ours first, and nobody would have been found by the DHT.
        wait("she is announced", lambda: alice.ask(cmd="dht_reannounce") and net.find(torrent.id), 60)
        net.ours.add_magnet(torrent.magnet(), t.sub("got", "ours"))
        net.ours.wait_done(torrent.id, 60)
        require_same(film, t.folder / "got/ours" / film.name)
    with t.case("the table of sources names the DHT"):
        sources = {s["source"]: s for s in net.ours.call("GET", f"torrents/{torrent.id}")["sources"]}
        require(sources["dht"]["given"] >= 1 and sources["dht"]["enabled"], f"{sources['dht']}")
        shown = t.compeer("info", torrent.id, home=net.ours.home, on=net.hosts[0]).stdout
        require(any(line.startswith("DHT ") for line in shown.splitlines()), shown)
    notes, sharing = share(t, net, "what alice wrote\n", net.hosts[3], "carol")
    with sharing:
        link = bare(sharing.link())
        with t.case("compeer share -> compeer get"):
            t.compeer("get", link, "--output", t.sub("got", "cli"), "--listen", f"{net.crowd_host.ip}:0", *DHT_ALONE, "--bootstrap", net.place,
                      home=t.sub("dave"), on=net.crowd_host)
            require_same(notes, t.folder / "got/cli" / notes.name)
        with t.case("compeer -> libtorrent"):
            bob.add_magnet(link, t.sub("got", "libtorrent"))
            wait("libtorrent", lambda: bob.ask(cmd="dht_reannounce") and bob.status()["done"] == 1, 40)
            require_same(notes, t.folder / "got/libtorrent" / notes.name)
    with t.case("nothing wanted to leave the Ethernet"):
        require(sum(host.leaks() for host in net.hosts) == 0, f"{[(host.name, host.leaks()) for host in net.hosts]}")


@suite("dht, bare magnets with transmission", limit=300)
def _(t):
    net = Network(t)
    seeder, leecher = (net.transmission(i) for i in range(2))
    film = payloads.mid_piece(t.sub("source"))
    torrent = make("libtorrent", film, t.folder / "film.torrent", payloads.PIECE)
    seeder.add([torrent.path], film.parent, seed=True)
    net.ours.add_magnet(torrent.magnet(), t.sub("got", "ours"))
    notes, sharing = share(t, net, "what bob wrote\n", net.hosts[3], "bob")
    with sharing:
        link = bare(sharing.link())
        leecher.add_magnet(link, t.sub("got", "transmission"))
        with t.case("transmission's nodes are in our table"):
            net.wait_known([f"{c.ip}:{c.port}" for c in (seeder, leecher)], 60)
        with t.case("transmission -> compeer"):
            net.ours.wait_done(torrent.id, 60)
            require_same(film, t.folder / "got/ours" / film.name)
        with t.case("compeer -> transmission"):
            end = time.monotonic() + 75
            while leecher.status()["done"] != 1:
                require(time.monotonic() < end, f"not done: {leecher.torrents()}")
                time.sleep(0.5)
            require_same(notes, t.folder / "got/transmission" / notes.name)
