#!/usr/bin/env python3
"""What a run of all.py measured against the goals, in Markdown: standings.py FILE...

Medians. "× floor" is a ratio to what the machine can do at most, measured by bench/floor in the same interleaved run:
a leecher's floor is hashing + receiving and discarding + writing, a seeder's is sendfile + reading.
"""
import json
import statistics
import sys

HASHES = {"v1": ["sha1"], "v2": ["sha256"], "hybrid": ["sha1", "sha256"]}
# of the floor's: CPU seconds
LEECHER, SEEDER = 1.2, 1.5
# of the cores' hash rate, and of libtorrent's CPU over uTP
HASHING, UTP = 0.9, 0.5
# anonymous MB while downloading; KiB an idle torrent; seconds until 1,000 are ready again; a block with a crowd to one with few
MEMORY, TORRENT_KIB, RESTART, CROWD = 32, 10, 0.4, 1.3


class Run:
    def __init__(self, files):
        rows = [json.loads(line) for file in files for line in open(file)]
        self.rows = [row for row in rows if "error" not in row]
        self.failed = [row for row in rows if "error" in row]

    def of(self, scenario, **key):
        """-> {who: rows} of the runs that have these values."""
        found = {}
        for row in self.rows:
            if row["scenario"] == scenario and all(row.get(name) == value for name, value in key.items()):
                who = f"{row['seeder']} → {row['leecher']}" if scenario == "pair" else row["client"]
                found.setdefault(who, []).append(row)
        return found

    def floor(self, *steps):
        """The median seconds a GiB of some steps, summed up; None where the floor was not measured."""
        rows = self.of("floor").get("floor")
        return rows and sum(median(rows, step) for step in steps)


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def times(value, floor):
    return f"{value:.2f} ({value / floor:.2f} ×)" if floor else f"{value:.2f}"


def table(title, head, lines):
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |\n" + "| --- " * len(head) + "|")
    for line in lines:
        print("| " + " | ".join(line) + " |")


def floors(run):
    rows = run.of("floor").get("floor")
    if not rows:
        return
    names = [name.removesuffix("_cpu") for name in rows[0] if name.endswith("_cpu")]
    table(f"The floor: each step alone, CPU seconds a GiB (medians of {len(rows)})", ["step", "CPU s", "least", "most"],
          [[name.replace("_", " ")] + [f"{f([row[name + '_cpu'] for row in rows]):.2f}" for f in (statistics.median, min, max)] for name in names])
    for name in ("sha1", "sha256"):
        print(f"{'' if name == 'sha256' else chr(10)}{name} on {rows[0]['cores']} cores at once: {1024 / median(rows, name + '_all_cores_wall'):.0f} MiB/s.")


def pairs(run, goals):
    seen = {(row["payload"], row["kind"], row["transport"]) for row in run.rows if row["scenario"] == "pair"}
    for payload, kind, transport in sorted(seen, key=lambda k: (k[2], k[0], ["v1", "v2", "hybrid"].index(k[1]))):
        found = run.of("pair", payload=payload, kind=kind, transport=transport)
        leecher = run.floor(*(hash + "_cpu" for hash in HASHES[kind]), "receive_cpu", "write_cpu")
        seeder = run.floor("sendfile_cpu", "read_cpu")
        what = f"{'one file' if payload == 'big' else '2,000 files of 64 KiB'}, {kind}, {'uTP' if transport == 'utp' else 'TCP'}"
        lines = []
        for who, rows in found.items():
            lines.append([who, f"{median(rows, 'wall'):.2f}", f"{median(rows, 'mb_s'):.0f}", times(median(rows, "leech_cpu_per_gib"), leecher),
                          times(median(rows, "seed_cpu_per_gib"), seeder), f"{median(rows, 'leech_anon'):.0f}", f"{median(rows, 'seed_anon'):.0f}", str(len(rows))])
        table(f"One to one, {what}", ["seeder → leecher", "wall s", "MB/s", "leecher CPU s/GiB (× floor)", "seeder CPU s/GiB (× floor)", "leecher's anonymous MB", "seeder's", "runs"], lines)
        ours = found.get("compeer → compeer")
        foreign = {who: rows for who, rows in found.items() if "compeer" not in who}
        if not ours or not foreign:
            continue
        if transport == "utp":
            theirs = foreign.get("libtorrent → libtorrent")
            for side, key in (("leecher", "leech_cpu_per_gib"), ("seeder", "seed_cpu_per_gib")):
                if theirs:
                    ratio = median(ours, key) / median(theirs, key)
                    goals.append([f"{what}: {side}'s CPU s", f"≤ {UTP} × libtorrent's", f"{ratio:.2f} × ({median(ours, key):.2f} to {median(theirs, key):.2f})", ratio <= UTP])
        else:
            for side, key, floor, goal in (("leecher", "leech_cpu_per_gib", leecher, LEECHER), ("seeder", "seed_cpu_per_gib", seeder, SEEDER)):
                if floor:
                    ratio = median(ours, key) / floor
                    best = min((median(rows, key), who) for who, rows in foreign.items())
                    goals.append([f"{what}: {side}'s CPU s a GiB", f"≤ {goal} × floor", f"{ratio:.2f} × ({median(ours, key):.2f} s); {median(ours, key) / best[0]:.2f} of the best foreign ({best[1]})", ratio <= goal])
        memory(goals, what, ours, "leech_anon")
        shortest(goals, f"{what}: wall", found, "wall")


def memory(goals, what, rows, key):
    most = max(row[key] for row in rows)
    goals.append([f"{what}: leecher's anonymous memory, peak", f"≤ {MEMORY} MB", f"{most:.0f} MB", most <= MEMORY])


def shortest(goals, what, found, key):
    """Ours is to be the least; with a foreign client at the other end, less than that client with itself."""
    ours = next((rows for who, rows in found.items() if who in ("compeer", "compeer → compeer")), None)
    best = min(((median(rows, key), who) for who, rows in found.items() if "compeer" not in who and who != "floor"), default=None)
    if not ours or not best:
        return
    goals.append([what, "the least", f"{median(ours, key):.2f} s; the best foreign {best[0]:.2f} ({best[1]})", median(ours, key) < best[0]])
    for who, rows in found.items():
        ends = set(who.split(" → ")) - {"compeer"}
        if "compeer" in who and len(ends) == 1:
            other = ends.pop()
            theirs = found.get(f"{other} → {other}")
            if theirs:
                goals.append([f"{what}, {who}", f"less than {other} with itself", f"{median(rows, key):.2f} to {median(theirs, key):.2f} s", median(rows, key) < median(theirs, key)])


def others(run, goals):
    found = run.of("swarm")
    if found:
        table("Swarm: one seed, five leechers at once", ["client", "last finish, s", "CPU s of all leechers", "CPU s of the seed", "a leecher's anonymous MB", "runs"],
              [[who, *(f"{median(rows, key):.2f}" for key in ("wall", "leech_cpu", "seed_cpu", "leech_anon")), str(len(rows))] for who, rows in found.items()])
        shortest(goals, "one seed, five leechers: last finish", found, "wall")
    for scenario in ("create", "recheck"):
        for payload, what in (("big", "one file"), ("folder", "2,000 files of 64 KiB")):
            found = run.of(scenario, payload=payload)
            if not found:
                continue
            lines = []
            for who, rows in found.items():
                gib = median(rows, "mb_s") * median(rows, "wall") * 1e6 / 2**30
                # a GiB at the cores' rate, and what reading it into a buffer and hashing it cost
                hashed, read = run.floor("sha1_all_cores_wall"), run.floor("sha1_cpu", "read_cpu")
                rate = f"{hashed * gib / median(rows, 'wall'):.2f}" if hashed else "-"
                lines.append([who, f"{median(rows, 'wall'):.2f}", times(median(rows, "cpu"), read and read * gib), rate, f"{median(rows, 'peak_rss_mb'):.0f}", str(len(rows))])
                if who == "compeer" and hashed:
                    goals.append([f"{scenario}, {what}", f"≥ {HASHING} × the cores' hash rate", f"{rate} ×; CPU {median(rows, 'cpu') / read / gib:.2f} × (hash + read)", float(rate) >= HASHING])
            table(f"{scenario.capitalize()}, {what}", ["client", "wall s", "CPU s (× hash + read)", "of the cores' SHA-1 rate", "peak resident MB", "runs"], lines)
            shortest(goals, f"{scenario}, {what}: wall", found, "wall")


def special(run, goals):
    """What bench.py's other scenarios say: their tables are its own."""
    for count in sorted({row["peers"] for row in run.rows if row["scenario"] == "stream"}):
        shortest(goals, f"first byte of a range, {count} seed{'s' if count > 1 else ''}", run.of("stream", peers=count), "wall")
    for gib in sorted({row["gib"] for row in run.rows if row["scenario"] == "sparse"}):
        if ours := run.of("sparse", gib=gib).get("compeer"):
            memory(goals, f"fetching of {gib} GiB of zeros", ours, "peak_anon_mb")
    counts = sorted({row["peers"] for row in run.rows if row["scenario"] == "crowd"})
    few, many = (run.of("crowd", peers=count).get("compeer") for count in (counts[:1] or [0]) + (counts[1:] or [0])[-1:])
    if few and many:
        ratio = median(many, "us_a_block") / median(few, "us_a_block")
        goals.append([f"a block with {counts[-1]} peers", f"≤ {CROWD} × with {counts[0]}", f"{ratio:.2f} × ({median(many, 'us_a_block'):.1f} µs)", ratio <= CROWD])
    if ours := run.of("idle").get("compeer"):
        count = ours[0]["torrents"]
        size, again, limit = median(ours, "kib_a_torrent"), median(ours, "restart"), RESTART * count / 1000
        goals.append([f"{count} idle torrents: restart until all are ready", f"< {limit:.2g} s", f"{again:.2f} s", again < limit])
        goals.append([f"{count} idle torrents: anonymous memory", f"≤ {TORRENT_KIB} KiB a torrent", f"{size:.1f} KiB", size <= TORRENT_KIB])
        goals.append([f"{count} idle torrents: resident memory", "≤ 16 MB", f"{median(ours, 'idle_rss_mb'):.0f} MB", median(ours, "idle_rss_mb") <= 16])


def show(files):
    run, goals = Run(files), []
    floors(run)
    pairs(run, goals)
    others(run, goals)
    special(run, goals)
    if goals:
        table("Against the goals", ["work", "goal", "measured", "reached"], [[*line[:3], "yes" if line[3] else "no"] for line in goals])
    for row in run.failed:
        print(f"\nfailed: {row}")


if __name__ == "__main__":
    show(sys.argv[1:])
