#!/usr/bin/env python3
"""`cargo xtask bench`: the measurements, one table of ratios to libtorrent (or to the first client named).

    all.py [--full] [--clients compeer,libtorrent,...] [--only create,pair,pair-utp,swarm,recheck,idle] [--out FILE]

Without --full: 256 MiB, three times, 300 torrents (some minutes). With it: 1 GiB, five times, 1,000 torrents.
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

# who takes part where, besides Compeer; libtorrent first: the ratios are to it
OTHERS = {
    "create": ["libtorrent", "mktorrent", "transmission-create"],
    "pair": ["libtorrent:libtorrent", "libtorrent:compeer", "compeer:libtorrent", "compeer:compeer", "libtorrent:aria2", "aria2:aria2"],
    "pair-utp": ["libtorrent:libtorrent", "libtorrent:compeer", "compeer:libtorrent", "compeer:compeer"],
    "swarm": ["libtorrent", "aria2"],
    "recheck": ["libtorrent", "transmission", "aria2"],
    "private": ["sendme"],
    "idle": ["libtorrent"],
}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--full", action="store_true")
    p.add_argument("--clients", type=lambda s: s.split(","), default=[])
    p.add_argument("--only", type=lambda s: s.split(","), default=list(OTHERS))
    p.add_argument("--reps", type=int, default=0)
    p.add_argument("--out", default="")
    a = p.parse_args()
    out = Path(a.out or drivers.PEERS / f"results/{time.strftime('%Y-%m-%d-%H%M%S')}.jsonl")
    size = ["--mib", "1024" if a.full else "256", "--reps", str(a.reps or (5 if a.full else 3)), "--out", str(out)]
    print(f"load before: {os.getloadavg()[0]:.1f} (a busy machine measures itself)")
    for scenario in a.only:
        if scenario == "private" and not os.path.exists(people.SENDME):
            print(f"private: left out, {people.SENDME} is missing (cargo install sendme --root {drivers.PEERS}; it takes a while)")
            continue
        who = a.clients or OTHERS[scenario]
        scenario, _, transport = scenario.partition("-")
        if scenario == "pair":
            pairs = [w if ":" in w else f"{w}:{w}" for w in who]
            chosen = ["--pairs", ",".join(pairs), "--transport", transport or "tcp"]
        else:
            chosen = ["--clients", ",".join(who if "compeer" in who else [*who, "compeer"])]
        extra = ["--torrents", "1000" if a.full else "300"] if scenario == "idle" else []
        extra += ["--mib", "256"] if scenario == "swarm" and a.full else []
        subprocess.run([sys.executable, "-B", str(drivers.HERE / "bench.py"), scenario, *chosen, *size, *extra], check=False, stdout=subprocess.DEVNULL)
    print(f"load after: {os.getloadavg()[0]:.1f}")
    bench.table([out])
    print(f"\nraw numbers: {out}")
    return 0 if out.exists() and '"error"' not in out.read_text() else 1


if __name__ == "__main__":
    sys.exit(main())
