#!/usr/bin/env python3
"""Runs the interop suites and says at the end how many cases passed. `cargo xtask test` calls it in a namespace without a route.

    run.py [--only WORD]... [--jobs N] [--keep] [--list] [--stand-in CLIENT] [--prove FILE --commit ID]

--stand-in CLIENT puts a foreign client in Compeer's place, to see whether a failure is the harness's own.
"""
import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time

import harness

GRACE = 20      # seconds from the polite end of a suite to the impolite one


def run_one(name, a, results, lock):
    """Runs one suite as a process, prints its cases, ends it when its time is over."""
    limit = harness.SUITES[name]["limit"]
    command = [sys.executable, "-B", __file__, "--suite", name, *(["--keep"] if a.keep else []), *(["--stand-in", a.stand_in] if a.stand_in else [])]
    cases, began = [], time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)

        def stop():
            child.terminate()
            try:
                child.wait(GRACE)
            except subprocess.TimeoutExpired:
                harness.end(harness.descendants(child.pid))
                child.kill()

        timer = threading.Timer(limit, stop)
        timer.start()
        for line in child.stdout:
            cases.append(json.loads(line))
        code = child.wait()
        timer.cancel()
        log.seek(0)
        text = log.read()
    if code:
        cases.append({"case": "the suite itself", "seconds": 0, "error": f"its process ended with {code}\n{text[-2000:]}"})
    with lock:
        results[name] = cases
        for c in cases:
            if "case" in c:
                print(f"{'FAILED' if c['error'] else 'ok':>6}  {name}: {c['case']} ({c['seconds']} s)")
                if c["error"]:
                    print("        " + c["error"].strip().replace("\n", "\n        "))
            else:
                print(f"  note  {name}: " + ", ".join(f"{k} {v}" for k, v in c["note"].items()))
        if any(c.get("error") for c in cases) and text.strip():
            print("        " + text.strip()[-6000:].replace("\n", "\n        "))
        print(f"        {name}: {time.monotonic() - began:.0f} s", flush=True)


def outside():
    """How often something wanted to go where no route leads (IP's OutNoRoutes)."""
    names, values = [line.split()[1:] for line in open("/proc/net/snmp") if line.startswith("Ip:")]
    return int(values[names.index("OutNoRoutes")])


def sections(path):
    """-> {suite: the lines below its heading} of a report that is there already"""
    found, lines = {}, None
    for line in open(path).read().splitlines() if os.path.exists(path) else ():
        if line.startswith("## "):
            lines = found.setdefault(line[3:], [])
        elif lines is not None and line:
            lines.append(line)
    return found


def write_report(path, commit, only, results):
    """docs/proof.md: of each suite what was measured the last time, when, of which commit, by which command."""
    written = sections(path)
    command = "cargo xtask prove" + "".join(f' --only "{word}"' for word in only)
    machine = f"{os.cpu_count()} cores, {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 30} GiB of memory"
    for name, cases in results.items():
        written[name] = [f"{time.strftime('%Y-%m-%d')}, commit {commit}, `{command}`; {machine}:"]
        for c in cases:
            if "note" in c:
                written[name].append("- " + ", ".join(f"{k}: {v}" for k, v in c["note"].items()))
            else:
                written[name].append(f"- {'FAILED' if c['error'] else 'passed'}: {c['case']} ({c['seconds']} s)")
    lines = ["# What was measured", "", "Written by `cargo xtask prove`; do not edit. Each part is of the last run of that suite.", ""]
    for name, suite in harness.SUITES.items():
        if suite["prove"]:
            about, *rest = written.get(name) or ["not run yet"]
            lines += [f"## {name}", "", about, "", *rest, *([""] if rest else [])]
    with open(path, "w") as f:
        f.write("\n".join(lines))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", action="append", default=[], help="only suites whose name has this word")
    p.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 1, help="suites at a time: most of them wait for timers")
    p.add_argument("--keep", action="store_true", help="keep the folders of the suites")
    p.add_argument("--list", action="store_true")
    p.add_argument("--stand-in", metavar="CLIENT", default="")
    p.add_argument("--prove", metavar="FILE", default="", help="the long suites, and write a report")
    p.add_argument("--commit", default="")
    p.add_argument("--suite", help=argparse.SUPPRESS)
    a = p.parse_args()
    import cases
    cases.load(a.stand_in)
    if a.suite:
        return harness.run_suite(a.suite, a.keep)
    names = [n for n, s in harness.SUITES.items() if s["prove"] == bool(a.prove) and (not a.only or any(word in n for word in a.only))]
    if a.list:
        print("\n".join(names))
        return 0
    if not names:
        print(f"no suite has {' or '.join(a.only)} in its name; see --list")
        return 1
    harness.adopt_orphans()
    results, lock, todo = {}, threading.Lock(), queue.SimpleQueue()
    # the long ones first, so that the end is not one suite alone
    for name in sorted(names, key=lambda n: -harness.SUITES[n]["limit"]):
        todo.put(name)

    def work():
        while True:
            try:
                name = todo.get_nowait()
            except queue.Empty:
                return
            run_one(name, a, results, lock)
            if a.prove:
                # after each, so that a run that is broken off is not for nothing
                write_report(a.prove, a.commit, a.only, results)

    # measurements get the machine for themselves
    workers = [threading.Thread(target=work) for _ in range(1 if a.prove else a.jobs)]
    began, leaks = time.monotonic(), outside()
    with tempfile.TemporaryDirectory(prefix="compeer-interop-ports-") as ports:
        os.environ["INTEROP_PORTS"] = ports
        for w in workers:
            w.start()
        for w in workers:
            w.join()
    if a.prove:
        print(f"written: {a.prove}")
    verdicts = [bool(c["error"]) for cs in results.values() for c in cs if "case" in c]
    print(f"\n{len(results)} suites in {time.monotonic() - began:.0f} s; {outside() - leaks} times something wanted to leave this machine and could not")
    print(f"{verdicts.count(False)} passed, {verdicts.count(True)} failed")
    return 1 if any(verdicts) or not verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
