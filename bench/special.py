"""Scenarios of the bench beside whole transfers: reading while it is fetched, torrents larger than the disk, crowds of peers."""
import asyncio
import hashlib
import http.client
import random
import statistics
import struct
import threading
import time
import urllib.parse

import drivers

BLOCK = 16384
MIB = 1 << 20
STREAM_RATE = 8 * MIB       # bytes a second of all seeds together: what is read must not be here by chance


def bencode(it):
    if isinstance(it, int):
        return b"i%de" % it
    if isinstance(it, bytes):
        return b"%d:%s" % (len(it), it)
    return b"d" + b"".join(bencode(k) + bencode(it[k]) for k in sorted(it)) + b"e"


def zeros_torrent(path, length, piece):
    """A torrent of nothing but zeros, made without reading them; -> its info-hash."""
    full, rest = divmod(length, piece)
    hashes = hashlib.sha1(bytes(piece)).digest() * full + (hashlib.sha1(bytes(rest)).digest() if rest else b"")
    info = bencode({b"name": path.stem.encode(), b"length": length, b"piece length": piece, b"pieces": hashes})
    path.write_bytes(b"d4:info" + info + b"e")
    return hashlib.sha1(info).digest()


class Crowd:
    """Simulated peers, each with an address of its own (127.1.x.y), that dial one client and serve zeros: a seed, and others
    with a random half of the pieces each. One thread for all; what it costs is not measured."""

    def __init__(self, count, info_hash, pieces, client):
        self.count, self.info_hash, self.pieces, self.client = count, info_hash, pieces, client
        self.loop = asyncio.new_event_loop()
        self.connected, self.served = 0, 0
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.all = asyncio.gather(*(self.peer(n) for n in range(self.count)), return_exceptions=True)
        try:
            self.loop.run_until_complete(self.all)
        except asyncio.CancelledError:
            pass

    def stop(self):
        self.loop.call_soon_threadsafe(self.all.cancel)
        self.thread.join(10)

    async def peer(self, n):
        reader, writer = await asyncio.open_connection(self.client.ip, self.client.port, local_addr=(f"127.1.{n // 250}.{n % 250 + 1}", 0))
        writer.write(b"\x13BitTorrent protocol" + bytes(8) + self.info_hash + b"-XX0001-" + b"%012d" % n)
        await reader.readexactly(68)
        bits = bytearray(b"\xff" * (self.pieces // 8)) if n == 0 else bytearray(random.Random(n).randbytes(self.pieces // 8))
        writer.write(struct.pack(">IB", 1 + len(bits), 5) + bits + struct.pack(">IB", 1, 1))
        self.connected += 1
        nothing = bytes(BLOCK)
        while True:
            (length,) = struct.unpack(">I", await reader.readexactly(4))
            message = await reader.readexactly(length)
            if length == 13 and message[0] == 6:
                piece, begin, size = struct.unpack(">III", message[1:])
                writer.write(struct.pack(">IBII", 9 + size, 7, piece, begin))
                writer.write(nothing[:size])
                self.served += 1
                await writer.drain()


class Special:
    """Mixed into bench.Bench."""

    # h. the first byte of a range of a file that is not here
    def stream(self):
        payload, mb = self.payload()
        torrent = self.torrent_for(payload, False)
        for count in self.a.peers:
            for rep in range(self.a.reps):
                for name in self.a.clients:
                    self.attempt("stream", lambda: self.stream_once(name, count, payload, torrent, rep), client=name, peers=count)

    def stream_once(self, name, count, payload, torrent, rep):
        seeds = [self.client("libtorrent", 100 + n) for n in range(count)]
        for seed in seeds:
            seed.start()
            seed.add([torrent], payload.parent, seed=True)
            seed.limit(STREAM_RATE // count)
        c = self.client(name, 3)
        c.start()
        dl = self.root / "dl"
        dl.mkdir(parents=True, exist_ok=True)
        c.add([torrent], dl)
        id = next(iter(c.torrents()))
        for seed in seeds:
            c.add_peer(seed.ip, seed.port)
        time.sleep(2)       # until it is connected to all of them and busy with what it likes
        size = payload.stat().st_size
        waits, cpu0 = [], c.cpu()
        for part in (0.9, 0.6, 0.75):
            at = int(size * part)
            url = urllib.parse.urlsplit(c.stream_url(id))
            connection = http.client.HTTPConnection(url.netloc, timeout=self.a.limit)
            t0 = time.monotonic()
            connection.request("GET", url.path + (f"?{url.query}" if url.query else ""), headers={"Range": f"bytes={at}-{at + MIB - 1}"})
            answer = connection.getresponse()
            first = answer.read(1)
            waits.append(time.monotonic() - t0)
            got = first + answer.read()
            whole = time.monotonic() - t0
            connection.close()
            with open(payload, "rb") as f:
                f.seek(at)
                if got != f.read(MIB):
                    raise RuntimeError("other bytes")
        had = next(iter(c.torrents().values()))["bytes"]
        self.record(scenario="stream", client=name, peers=count, wall=statistics.median(waits), first_range=waits[0], mib_read=whole, cpu=c.cpu() - cpu0, had_mb=had / 1e6)

    # i. torrents of zeros, far larger than what is fetched of them: what a client's memory grows with
    def sparse(self):
        for rep in range(self.a.reps):
            for gib in self.a.gib:
                for name in self.a.clients:
                    self.attempt("sparse", lambda: self.sparse_once(name, gib), client=name, gib=gib)

    def sparse_once(self, name, gib):
        source = self.src / "sparse"
        source.mkdir(parents=True, exist_ok=True)
        payload, torrent = source / f"zeros-{gib}", source / f"zeros-{gib}.torrent"
        with open(payload, "wb") as f:
            f.truncate(gib << 30)
        zeros_torrent(torrent, gib << 30, 1 * MIB if gib < 16 else 4 * MIB)
        seeder, leecher = self.client("libtorrent", 2), self.client(name, 3)
        seeder.start()
        seeder.add([torrent], source, seed=True)
        leecher.start()
        empty = leecher.usage()
        dl = self.root / "dl"
        dl.mkdir(parents=True, exist_ok=True)
        leecher.add([torrent], dl)
        leecher.add_peer(seeder.ip, seeder.port)
        wanted, t0, cpu0 = self.a.mib * MIB, time.monotonic(), leecher.cpu()
        while True:
            had = max((t["bytes"] for t in leecher.torrents().values()), default=0)
            if had >= wanted:
                break
            if time.monotonic() - t0 > self.a.limit:
                raise drivers.Timeout(f"{had / 1e6:.0f} MB")
            time.sleep(0.2)
        wall, used = time.monotonic() - t0, leecher.usage()
        self.record(scenario="sparse", client=name, gib=gib, wall=wall, mb_s=had / 1e6 / wall, cpu_per_gib=(used["cpu"] - cpu0) / had * (1 << 30),
                    empty_anon_mb=empty["anon_mb"], anon_mb=used["anon_mb"], peak_anon_mb=used["peak_anon_mb"], peak_rss_mb=used["peak_rss_mb"])

    # j. what one block costs, by the number of peers
    def crowd(self):
        for rep in range(self.a.reps):
            for count in self.a.peers:
                for name in self.a.clients:
                    self.attempt("crowd", lambda: self.crowd_once(name, count), client=name, peers=count)

    def crowd_once(self, name, count):
        dl, length = self.root / "dl", self.a.mib * MIB
        dl.mkdir(parents=True, exist_ok=True)
        torrent = self.root / "dl" / "crowd.torrent"
        info_hash = zeros_torrent(torrent, length, MIB // 4)
        c = self.client(name, 3)
        c.start()
        c.many_peers()
        c.add([torrent], dl)
        cpu0, t0 = c.cpu(), time.monotonic()
        crowd = Crowd(count, info_hash, length // (MIB // 4), c).start()
        try:
            c.wait_complete(self.a.limit)
        finally:
            crowd.stop()
        wall, cpu, blocks = time.monotonic() - t0, c.cpu() - cpu0, length // BLOCK
        self.record(scenario="crowd", client=name, peers=count, connected=crowd.connected, wall=wall, cpu=cpu, us_a_block=cpu / blocks * 1e6,
                    wasted_percent=100 * (crowd.served - blocks) / blocks, peak_anon_mb=c.usage()["peak_anon_mb"])
