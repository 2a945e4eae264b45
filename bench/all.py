#!/usr/bin/env python3
"""`cargo xtask bench`: the measurements, tables of ratios to libtorrent (or to the first client named), and the standing
against the goals (standings.py).

    all.py [--full] [--clients compeer,libtorrent,...] [--only create,create-folder,pair,pair-folder,pair-v2,pair-hybrid,
           pair-utp,swarm,recheck,private,idle,stream,sparse,crowd,...] [--out FILE]

Without --full: 256 MiB, three times, 300 torrents (some minutes). With it: 1 GiB, five times, 1,000 torrents (half
an hour on a quiet machine).
"""
import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import bench
import drivers
import people
import standings

MIXED = ["libtorrent:libtorrent", "libtorrent:compeer", "compeer:libtorrent", "compeer:compeer"]
# who takes part where, besides Compeer; libtorrent first: the ratios are to it. "floor": what the machine can do at most
OTHERS = {
    "create": ["libtorrent", "mktorrent", "transmission-create", "rqbit", "floor"],
    "create-folder": ["libtorrent", "mktorrent", "transmission-create", "rqbit"],
    "recheck": ["libtorrent", "transmission", "aria2", "rqbit", "floor"],
    "recheck-folder": ["libtorrent", "transmission", "aria2", "rqbit"],
    "pair": [*MIXED, "aria2:aria2", "aria2:compeer", "compeer:aria2", "rqbit:rqbit", "rqbit:compeer", "compeer:rqbit", "floor"],
    "pair-folder": [*MIXED, "rqbit:rqbit"],
    "pair-v2": [*MIXED, "floor"],
    "pair-hybrid": [*MIXED, "floor"],
    "pair-utp": [*MIXED, "rqbit:rqbit"],
    "swarm": ["libtorrent", "aria2", "rqbit"],
    "private": ["sendme"],
    "idle": ["libtorrent", "rqbit"],
    "stream": ["webtorrent", "rqbit"],
    "sparse": ["libtorrent"],
    "crowd": [],        # ours alone: a ratio to itself with fewer peers
}
# MiB of --full where it is not a GiB: the slow ones
FULL_MIB = {"pair-v2": 512, "pair-hybrid": 512, "pair-utp": 256, "swarm": 256, "crowd": 512}


def missing(name):
    """What a client or a pair cannot run without, if it is not there."""
    rqbit = drivers.CLIENTS["rqbit"].binary
    return rqbit if "rqbit" in name and not os.path.exists(rqbit) else bench.FLOOR if name == "floor" and not os.path.exists(bench.FLOOR) else None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--full", action="store_true")
    p.add_argument("--clients", type=lambda s: s.split(","), default=[])
    p.add_argument("--only", type=lambda s: s.split(","), default=list(OTHERS))
    p.add_argument("--reps", type=int, default=0)
    p.add_argument("--out", default="")
    a = p.parse_args()
    out = Path(a.out or drivers.PEERS / f"results/{time.strftime('%Y-%m-%d-%H%M%S')}.jsonl")
    print(f"load before: {os.getloadavg()[0]:.1f} (a busy machine measures itself)")
    left_out, began = set(), time.monotonic()
    for work in a.only:
        if work == "private" and not os.path.exists(people.SENDME):
            print(f"private: left out, {people.SENDME} is missing (cargo install sendme --root {drivers.PEERS}; it takes a while)")
            continue
        scenario, _, variant = work.partition("-")
        who = a.clients or OTHERS[work]
        left_out |= {missing(w) for w in who}
        who = [w for w in who if not missing(w)]
        chosen = ["--mib", str(FULL_MIB.get(work, 1024) if a.full else 256), "--reps", str(a.reps or (5 if a.full else 3)), "--out", str(out)]
        if scenario == "pair":
            chosen += ["--pairs", ",".join(w if ":" in w or w == "floor" else f"{w}:{w}" for w in who)]
        else:
            chosen += ["--clients", ",".join(who if "compeer" in who else [*who, "compeer"])]
        if variant == "utp":
            chosen += ["--transport", "utp"]
        elif variant == "folder":
            chosen += ["--payload", "folder"]
        elif variant:
            chosen += ["--kind", variant]
        if scenario == "crowd":
            chosen += ["--peers", "5,500"]
        if scenario == "idle":
            chosen += ["--torrents", "1000" if a.full else "300"]
        subprocess.run([sys.executable, "-B", str(drivers.HERE / "bench.py"), scenario, *chosen], check=False, stdout=subprocess.DEVNULL)
        print(f"{work}: done after {time.monotonic() - began:.0f} s", flush=True)
    for path in left_out - {None}:
        print(f"left out, {path} is missing")
    print(f"load after: {os.getloadavg()[0]:.1f}")
    bench.table([out])
    standings.show([out])
    print(f"\nraw numbers: {out}")
    return 0 if out.exists() and '"error"' not in out.read_text() else 1


if __name__ == "__main__":
    sys.exit(main())
