#!/usr/bin/env python3
"""Side-by-side measurements of BitTorrent clients on loopback.

    bench.py floor
    bench.py create  [--clients a,b] [--payload big|folder] [--kib 1024]
    bench.py pair    --pairs libtorrent:transmission,rqbit:rqbit   (seeder:leecher)
    bench.py swarm   --clients libtorrent,rqbit [--leechers 5]
    bench.py recheck --clients ...
    bench.py private --clients sendme,compeer    (one person to another over QUIC, hashing included)
    bench.py idle    --clients ... [--torrents 1000]
    bench.py stream  --clients compeer,webtorrent --peers 1,20   (the first byte of a range of what is not here)
    bench.py sparse  --clients compeer --gib 1,100 --mib 2048    (so much of a torrent of zeros: memory)
    bench.py crowd   --clients compeer --peers 5,500 --mib 256   (what a block costs with so many simulated peers)
    bench.py table   results/*.jsonl

Common: --reps 5  --root DIR (put it on tmpfs or on disk)  --transport tcp|utp  --kind v1|v2|hybrid
"floor" among the clients or pairs measures in its turn what the machine can do at most, by the program of bench/floor.
Runs are interleaved: every client once, then every client again.  Each run
appends one JSON line to --out; the table gives medians, and in parentheses ratios
to the first client of the list.  All traffic is on 127.0.0.0/8 and every wait has a limit.
"""
import argparse
import filecmp
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import compeer_driver    # adds itself to CLIENTS and CREATE
import drivers
import people
import special
from drivers import CLIENTS, CREATE, HERE, VENV_PYTHON, connect
from tracker import Tracker

if os.environ.get("BENCH_DRIVER"):      # a driver that lives elsewhere adds itself to drivers.CLIENTS and drivers.CREATE
    import runpy
    runpy.run_path(os.environ["BENCH_DRIVER"])

# built beside compeer by `cargo xtask bench`
FLOOR = os.environ.get("FLOOR") or str(Path(compeer_driver.BINARY).with_name("floor"))


def make_payload(root, kind, size_mib=1024, files=2000, file_kib=64, seed=1):
    """Random bytes, the same every time: root/big.bin or root/folder/NNN/NNNN.bin."""
    rng = random.Random(seed)
    root.mkdir(parents=True, exist_ok=True)
    if kind == "big":
        path = root / "big.bin"
        if not path.exists() or path.stat().st_size != size_mib << 20:
            with open(path, "wb") as f:
                for _ in range(size_mib // 4):
                    f.write(rng.randbytes(4 << 20))
        return path
    path = root / "folder"
    if not path.exists() or sum(1 for _ in path.rglob("*.bin")) != files:
        shutil.rmtree(path, ignore_errors=True)
        for i in range(files):
            d = path / f"{i // 100:03d}"
            d.mkdir(parents=True, exist_ok=True)
            (d / f"{i:05d}.bin").write_bytes(rng.randbytes(file_kib * 1024 + rng.randrange(-8000, 8000)))
    return path


def size_of(path):
    return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def make_torrent(payload, out, kib, tracker="", kind="v1"):
    subprocess.run([VENV_PYTHON, str(HERE / "create_lt.py"), kind, str(payload), str(out), str(kib), *([tracker] if tracker else [])], check=True, timeout=300)
    return out


def same(a, b):
    if a.is_file():
        return b.is_file() and filecmp.cmp(a, b, shallow=False)
    return all(filecmp.cmp(p, b / p.relative_to(a), shallow=False) for p in a.rglob("*") if p.is_file())


def watch_memory(peaks):
    """Keeps the peak of the resident memory of processes, in MiB by pid, until the first of them ends."""
    try:
        while True:
            for pid in peaks:
                peaks[pid] = next(int(line.split()[1]) / 1024 for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM"))
            time.sleep(0.1)
    except (OSError, StopIteration):
        pass        # it is gone


class Bench(special.Special):
    def __init__(self, a):
        self.a = a
        self.root = Path(a.root).resolve()
        self.src = self.root / "src"
        self.tracker = Tracker(drivers.free_port())
        self.live = []
        Path(a.out).parent.mkdir(parents=True, exist_ok=True)

    def client(self, name, host=2):
        c = CLIENTS[name](self.root / "homes", f"127.0.0.{host}", transport=self.a.transport)
        self.tracker.addresses[c.port] = c.ip
        self.live.append(c)
        return c

    def stop_all(self):
        for c in self.live:
            c.stop()
            shutil.rmtree(c.home, ignore_errors=True)
        self.live = []
        self.tracker.clear()

    def record(self, **kw):
        kw = {k: round(v, 3) if isinstance(v, float) else v for k, v in kw.items()}
        kw.update(load1=round(os.getloadavg()[0], 1), at=time.strftime("%H:%M:%S"), where=self.a.where or str(self.root))
        with open(self.a.out, "a") as f:
            f.write(json.dumps(kw) + "\n")
        print(" ".join(f"{k}={v}" for k, v in kw.items() if k not in ("where", "at")), flush=True)

    def attempt(self, what, fn, **key):
        shutil.rmtree(self.root / "dl", ignore_errors=True)    # what a cut-off run left
        try:
            fn()
        except Exception as e:            # a peer that fails is a result, not the end
            self.record(scenario=what, **key, error=f"{type(e).__name__}: {e}"[:300])
        finally:
            self.stop_all()
            shutil.rmtree(self.root / "dl", ignore_errors=True)

    def wait_announced(self):
        end = time.monotonic() + 30
        while not self.tracker.swarms and time.monotonic() < end:
            time.sleep(0.05)

    def payload(self):
        p = make_payload(self.src, self.a.payload, self.a.mib)
        return p, size_of(p) / 1e6

    def torrent_for(self, payload, with_tracker):
        t = self.src / f"{payload.name}.{self.a.kind}.{self.a.kib}{'.tr' if with_tracker else ''}.torrent"
        return make_torrent(payload, t, self.a.kib, self.tracker.url if with_tracker else "", self.a.kind)

    # what the machine can do at most
    def floor(self):
        for _ in range(self.a.reps):
            self.attempt("floor", self.floor_once, client="floor")

    def floor_once(self):
        self.root.mkdir(parents=True, exist_ok=True)
        out = subprocess.run([FLOOR, str(self.root), str(self.a.mib)], check=True, timeout=self.a.limit, capture_output=True, text=True).stdout
        self.record(scenario="floor", client="floor", **json.loads(out))

    # a. hashing
    def create(self):
        payload, mb = self.payload()
        for _ in range(self.a.reps):
            for name in self.a.clients:
                if name == "floor":
                    self.attempt("floor", self.floor_once, client="floor")
                    continue
                self.attempt("create", lambda: self.create_once(name, payload, mb), client=name)

    def create_once(self, name, payload, mb):
        out = self.root / "dl" / "x.torrent"
        out.parent.mkdir(parents=True, exist_ok=True)
        if name == "rqbit":
            c = CLIENTS["rqbit"](self.root / "homes", "127.0.0.2")
            c.extra = ("--http-api-allow-create",)
            self.live.append(c)
            c.start()
            cpu0, t0 = c.cpu(), time.monotonic()
            drivers.http(c.url(f"/torrents/create?output=torrent&piece_length={self.a.kib * 1024}"), str(payload).encode(), timeout=300)
            wall, cpu = time.monotonic() - t0, c.cpu() - cpu0
            rss = c.usage()["peak_rss_mb"]
        else:
            v = {"src": payload, "out": out, "kib": self.a.kib, "bytes": self.a.kib * 1024, "exp": (self.a.kib * 1024).bit_length() - 1}
            cmd = [x.format(**v) for x in CREATE[name]]
            t0 = time.monotonic()
            p = subprocess.Popen(cmd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            err = p.stderr.read()
            _, st, ru = os.wait4(p.pid, 0)
            p.returncode = st
            wall, cpu, rss = time.monotonic() - t0, ru.ru_utime + ru.ru_stime, ru.ru_maxrss / 1024
            if st or not out.exists():
                raise RuntimeError(err[-200:])
        self.record(scenario="create", client=name, payload=self.a.payload, kib=self.a.kib, wall=wall, cpu=cpu, mb_s=mb / wall, peak_rss_mb=rss)

    # b, f. one seeder, one leecher
    def pair(self):
        payload, mb = self.payload()
        plain, tracked = self.torrent_for(payload, False), self.torrent_for(payload, True)
        for rep in range(self.a.reps):
            for pair in self.a.pairs:
                if pair == "floor":
                    self.attempt("floor", self.floor_once, client="floor")
                    continue
                s, l = pair.split(":")
                self.attempt("pair", lambda: self.pair_once(s, l, payload, mb, plain, tracked, rep), seeder=s, leecher=l, payload=self.a.payload, kind=self.a.kind, kib=self.a.kib, transport=self.a.transport)

    def pair_once(self, s, l, payload, mb, plain, tracked, rep):
        seeder, leecher = self.client(s, 2), self.client(l, 3)
        via_tracker = not (seeder.can_add_peer or leecher.can_add_peer)
        pick = lambda c: tracked if via_tracker or c.needs_announce else plain
        dl = self.root / "dl"
        dl.mkdir(parents=True, exist_ok=True)
        seeder.start()
        seeder.add([pick(seeder)], payload.parent, seed=True)
        seeder.wait_complete(self.a.limit)
        if via_tracker:
            self.wait_announced()
        leecher.start()
        time.sleep(0.3)
        cs, cl = seeder.cpu(), leecher.cpu()
        t0 = time.monotonic()
        leecher.add([pick(leecher)], dl)
        how = "tracker" if via_tracker else connect(leecher, seeder)
        first, _ = leecher.wait_complete(self.a.limit)
        wall = time.monotonic() - t0
        us, ul = seeder.usage(), leecher.usage()
        ok = same(payload, dl / payload.name) if rep == 0 else None
        self.record(scenario="pair", seeder=s, leecher=l, payload=self.a.payload, kind=self.a.kind, kib=self.a.kib, transport=self.a.transport, how=how, wall=wall, first=first,
                    mb_s=mb / wall, net_mb_s=mb / max(wall - first, 1e-3), seed_cpu=us["cpu"] - cs, leech_cpu=ul["cpu"] - cl,
                    seed_cpu_per_gib=(us["cpu"] - cs) / mb * 1073.74, leech_cpu_per_gib=(ul["cpu"] - cl) / mb * 1073.74, seed_rss=us["peak_rss_mb"], leech_rss=ul["peak_rss_mb"],
                    seed_anon=us["peak_anon_mb"], leech_anon=ul["peak_anon_mb"], **({"data_ok": ok} if ok is not None else {}))

    # c. one seeder, several leechers
    def swarm(self):
        payload, mb = self.payload()
        plain, tracked = self.torrent_for(payload, False), self.torrent_for(payload, True)
        for _ in range(self.a.reps):
            for name in self.a.clients:
                self.attempt("swarm", lambda: self.swarm_once(name, payload, mb, plain, tracked), client=name)

    def swarm_once(self, name, payload, mb, plain, tracked):
        n = self.a.leechers
        seeder = self.client(name, 2)
        via_tracker = not seeder.can_add_peer
        torrent = tracked if via_tracker or seeder.needs_announce else plain
        seeder.start()
        seeder.add([torrent], payload.parent, seed=True)
        seeder.wait_complete(self.a.limit)
        ls = [self.client(name, 3 + i) for i in range(n)]
        for l in ls:
            l.start()
        if via_tracker:
            self.wait_announced()
        cs, cl = seeder.cpu(), [l.cpu() for l in ls]
        t0 = time.monotonic()
        for i, l in enumerate(ls):
            d = self.root / "dl" / str(i)
            d.mkdir(parents=True, exist_ok=True)
            l.add([torrent], d)
        if not via_tracker:
            for i, l in enumerate(ls):
                for other in [seeder, *ls[:i]]:
                    l.add_peer(other.ip, other.port)
        done = [0.0] * n
        while not all(done):
            for i, l in enumerate(ls):
                if not done[i] and l.status()["done"]:
                    done[i] = time.monotonic() - t0
            if time.monotonic() - t0 > self.a.limit:
                raise drivers.Timeout(f"{sum(map(bool, done))}/{n} complete")
            time.sleep(0.1)
        us = seeder.usage()
        ul = [l.usage() for l in ls]
        self.record(scenario="swarm", client=name, payload=self.a.payload, kib=self.a.kib, transport=self.a.transport, leechers=n, wall=max(done), first_done=min(done),
                    mb_s=n * mb / max(done), seed_cpu=us["cpu"] - cs, leech_cpu=sum(u["cpu"] for u in ul) - sum(cl), leech_rss=max(u["peak_rss_mb"] for u in ul), leech_anon=max(u["peak_anon_mb"] for u in ul))

    # d. check data that is already there
    def recheck(self):
        payload, mb = self.payload()
        plain, tracked = self.torrent_for(payload, False), self.torrent_for(payload, True)
        for _ in range(self.a.reps):
            for name in self.a.clients:
                if name == "floor":
                    self.attempt("floor", self.floor_once, client="floor")
                    continue
                self.attempt("recheck", lambda: self.recheck_once(name, payload, mb, tracked if CLIENTS[name].needs_announce else plain), client=name)

    def recheck_once(self, name, payload, mb, torrent):
        c = self.client(name)
        c.start()
        cpu0, t0 = c.cpu(), time.monotonic()
        c.add([torrent], payload.parent)
        c.wait_complete(self.a.limit)
        wall = time.monotonic() - t0
        u = c.usage()
        self.record(scenario="recheck", client=name, payload=self.a.payload, kind=self.a.kind, kib=self.a.kib, wall=wall, cpu=u["cpu"] - cpu0, mb_s=mb / wall, peak_rss_mb=u["peak_rss_mb"], peak_anon_mb=u["peak_anon_mb"])

    # g. from one person to another: all CPU seconds of both ends, from the path to the verified copy
    def private(self):
        payload, mb = self.payload()
        for rep in range(self.a.reps):
            for name in self.a.clients:
                once = {"sendme": self.private_sendme, "compeer": self.private_compeer}[name]
                self.attempt("private", lambda: once(payload, mb, rep), client=name)

    def private_sendme(self, payload, mb, rep):
        dl = self.root / "dl"
        dl.mkdir(parents=True, exist_ok=True)
        quiet = ["--relay", "disabled", "--magic-ipv4-addr", "127.0.0.1:0", "--no-progress"]
        t0 = time.monotonic()
        send = subprocess.Popen([people.SENDME, "send", *quiet, "--ticket-type", "addresses", str(payload)], cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            ticket = next(line.split()[-1] for line in send.stdout if line.startswith("sendme receive"))
            receive = subprocess.Popen([people.SENDME, "receive", *quiet, ticket], cwd=dl, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            # not by ru_maxrss, which begins with what this process has
            peaks = dict.fromkeys((send.pid, receive.pid), 0)
            threading.Thread(target=watch_memory, args=(peaks,), daemon=True).start()
            error = receive.stderr.read()
            _, status, there = os.wait4(receive.pid, 0)
            receive.returncode = status
            wall = time.monotonic() - t0
            if status:
                raise RuntimeError(error[-200:])
        finally:
            send.send_signal(2)
            _, send.returncode, here = os.wait4(send.pid, 0)
        sender, receiver = ((used.ru_utime + used.ru_stime, peak) for used, peak in zip((here, there), peaks.values()))
        self.private_record("sendme", sender, receiver, wall, mb, same(payload, dl / payload.name) if rep == 0 else None)

    def private_compeer(self, payload, mb, rep):
        alice, bob = (people.Person(self.root / "homes", f"127.0.0.{host}", called=name) for host, name in ((2, "alice"), (3, "bob")))
        self.live += [alice, bob]
        alice.start()
        bob.start()
        people.befriend(alice, bob)
        dl = self.root / "dl"
        dl.mkdir(parents=True, exist_ok=True)
        before, t0 = (alice.cpu(), bob.cpu()), time.monotonic()
        id = alice.share(payload, to=["bob"])
        bob.hears_of(id)
        bob.accept(id, dl)
        bob.wait_done(id, self.a.limit)
        wall = time.monotonic() - t0
        sender, receiver = ((used["cpu"] - cpu, used["peak_rss_mb"]) for used, cpu in zip((alice.usage(), bob.usage()), before))
        self.private_record("compeer", sender, receiver, wall, mb, same(payload, dl / payload.name) if rep == 0 else None)

    def private_record(self, name, sender, receiver, wall, mb, ok):
        per_gib, ((send_cpu, send_rss), (receive_cpu, receive_rss)) = 1073.74 / mb, (sender, receiver)
        self.record(scenario="private", client=name, payload=self.a.payload, wall=wall, mb_s=mb / wall, cpu_per_gib=(send_cpu + receive_cpu) * per_gib,
                    send_cpu_per_gib=send_cpu * per_gib, receive_cpu_per_gib=receive_cpu * per_gib, send_rss=send_rss, receive_rss=receive_rss,
                    **({"data_ok": ok} if ok is not None else {}))

    # e. many torrents at rest
    def idle(self):
        n, src = self.a.torrents, self.src / "many"
        ts = [src / f"{i:05d}.bin.torrent" for i in range(n)]
        if not ts[-1].exists():
            src.mkdir(parents=True, exist_ok=True)
            rng = random.Random(2)
            for i, t in enumerate(ts):
                (src / f"{i:05d}.bin").write_bytes(rng.randbytes(65536))
            subprocess.run([VENV_PYTHON, "-c", MANY, str(src), str(n)], check=True, timeout=300)
        for _ in range(self.a.reps):
            for name in self.a.clients:
                self.attempt("idle", lambda: self.idle_once(name, ts, src), client=name)

    def idle_once(self, name, ts, src):
        c = self.client(name)
        t0 = time.monotonic()
        c.start()
        start0 = time.monotonic() - t0
        empty = c.usage()
        t0 = time.monotonic()
        c.add(ts, src)
        added = time.monotonic() - t0
        c.poll = 0.5
        c.wait_complete(self.a.limit, total=len(ts))
        ready = time.monotonic() - t0
        cpu_add = c.cpu() - empty["cpu"]
        time.sleep(5)
        cpu0, t0 = c.cpu(), time.monotonic()
        time.sleep(self.a.idle_seconds)
        u = c.usage()
        idle_cpu = (u["cpu"] - cpu0) / (time.monotonic() - t0)
        restart = None
        if not isinstance(c, drivers.NodeClient) and name != "aria2":   # has a state of its own on disk
            c.stop()
            t0 = time.monotonic()
            c.start(keep_home=True, timeout=self.a.limit)
            c.wait_complete(self.a.limit, total=len(ts))
            restart, used = time.monotonic() - t0, c.usage()
            again = {"restart_cpu": used["cpu"], "restart_anon_mb": used["anon_mb"], "restart_rss_mb": used["rss_mb"]}
        self.record(scenario="idle", client=name, torrents=len(ts), start_empty=start0, empty_rss_mb=empty["rss_mb"], add=added, ready=ready, cpu_add=cpu_add,
                    idle_rss_mb=u["rss_mb"], idle_anon_mb=u["anon_mb"], kib_a_torrent=(u["anon_mb"] - empty["anon_mb"]) * 1024 / len(ts),
                    idle_cpu_percent=idle_cpu * 100, **({"restart": restart, **again} if restart else {}))


MANY = """
import sys, warnings; warnings.simplefilter("ignore"); import libtorrent as lt
src, n = sys.argv[1], int(sys.argv[2])
for i in range(n):
    f = "%s/%05d.bin" % (src, i)
    fs = lt.file_storage(); lt.add_files(fs, f)
    t = lt.create_torrent(fs, piece_size=16384, flags=lt.create_torrent.v1_only)
    lt.set_piece_hashes(t, src)
    open(f + ".torrent", "wb").write(lt.bencode(t.generate()))
"""

SHOW = {"floor": [f"{step}_cpu" for step in ("sha1", "sha256", "receive", "write", "read", "sendfile", "pread_and_send")] + ["sha1_all_cores_wall", "sha256_all_cores_wall"],
        "create": ["wall", "mb_s", "cpu", "peak_rss_mb"], "pair": ["wall", "first", "mb_s", "leech_cpu_per_gib", "seed_cpu_per_gib", "leech_rss", "leech_anon", "seed_anon"],
        "swarm": ["wall", "first_done", "mb_s", "seed_cpu", "leech_cpu", "leech_rss", "leech_anon"], "recheck": ["wall", "mb_s", "cpu", "peak_rss_mb", "peak_anon_mb"],
        "private": ["wall", "mb_s", "cpu_per_gib", "send_cpu_per_gib", "receive_cpu_per_gib", "send_rss", "receive_rss"],
        "stream": ["wall", "first_range", "mib_read", "cpu"], "sparse": ["wall", "cpu_per_gib", "empty_anon_mb", "anon_mb", "peak_anon_mb"],
        "crowd": ["wall", "us_a_block", "wasted_percent", "peak_anon_mb"],
        "idle": ["start_empty", "empty_rss_mb", "add", "ready", "cpu_add", "idle_rss_mb", "idle_anon_mb", "kib_a_torrent", "idle_cpu_percent", "restart", "restart_cpu", "restart_anon_mb"]}


def table(files):
    groups, bad = {}, {}
    for f in files:
        for line in open(f):
            r = json.loads(line)
            who = f"{r['seeder']} -> {r['leecher']}" if r["scenario"] == "pair" else r["client"]
            size = f"{r['peers']} peers" if "peers" in r else f"{r['gib']} GiB" if "gib" in r else ""
            key = (r["scenario"], r.get("payload", ""), r.get("kind", ""), r.get("kib", ""), r.get("transport", ""), size)
            if "error" in r:
                bad.setdefault(key, {}).setdefault(who, []).append(r["error"])
            else:
                groups.setdefault(key, {}).setdefault(who, []).append(r)
    for key, clients in groups.items():
        cols = SHOW[key[0]]
        print("\n### " + " ".join(str(k) for k in key if k != ""))
        print("| client | n | " + " | ".join(cols) + " | wall range |")
        print("|---" * (len(cols) + 3) + "|")
        first = None
        for who, rs in clients.items():
            med = {c: statistics.median([r[c] for r in rs if c in r]) for c in cols if any(c in r for r in rs)}
            first = first or med
            walls = [r.get("wall", r.get("ready", r.get("write_wall"))) for r in rs]

            def cell(c):
                if c not in med:
                    return "-"
                ratio = f" ({med[c] / first[c]:.2f})" if first is not med and first.get(c) else ""
                return f"{med[c]:.2f}{ratio}"
            print(f"| {who} | {len(rs)} | " + " | ".join(map(cell, cols)) + f" | {min(walls):.2f}-{max(walls):.2f} |")
    for key, clients in bad.items():
        for who, es in clients.items():
            print(f"failed: {key} {who} x{len(es)}: {es[0]}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("scenario", choices=[*SHOW, "table"])
    p.add_argument("files", nargs="*")
    p.add_argument("--clients", type=lambda s: s.split(","), default=["libtorrent", "transmission", "rqbit"])
    p.add_argument("--pairs", type=lambda s: s.split(","), default=["libtorrent:libtorrent"])
    p.add_argument("--payload", choices=["big", "folder"], default="big")
    p.add_argument("--peers", type=lambda s: [int(n) for n in s.split(",")], default=[1, 20], help="of stream and crowd")
    p.add_argument("--gib", type=lambda s: [int(n) for n in s.split(",")], default=[1, 100], help="of sparse")
    p.add_argument("--mib", type=int, default=1024)
    p.add_argument("--kib", type=int, default=1024, help="piece length")
    p.add_argument("--kind", choices=["v1", "v2", "hybrid"], default="v1", help="of the torrents")
    p.add_argument("--transport", choices=["tcp", "utp"], default="tcp")
    p.add_argument("--reps", type=int, default=5)
    p.add_argument("--leechers", type=int, default=5)
    p.add_argument("--torrents", type=int, default=1000)
    p.add_argument("--idle-seconds", type=float, default=20)
    p.add_argument("--limit", type=float, default=90, help="most seconds for one wait")
    p.add_argument("--root", default=os.environ.get("BENCH_ROOT", "/dev/shm/compeer-bench"))
    p.add_argument("--where", default="")
    p.add_argument("--out", default=str(drivers.PEERS / "results/all.jsonl"))
    a = p.parse_args()
    if a.scenario == "table":
        return table(a.files or [a.out])
    b = Bench(a)
    try:
        getattr(b, a.scenario)()
    finally:
        b.stop_all()
        b.tracker.close()
    table([a.out])


if __name__ == "__main__":
    sys.exit(main())
