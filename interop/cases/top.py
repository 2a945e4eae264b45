"""`compeer top` in a real terminal: what is seen while libtorrent sends something, what keys do, and how the terminal is left."""
import os
import re
import signal
import time

from cases.controls import shared
from harness import require, suite, wait
from tmux import Tmux

MIB = 1 << 20
SIZE = 40 * MIB
SLOW = MIB // 4 # bytes a second from the seed: it is on its way during the whole suite


def percent(screen):
    return int(re.search(r"(\d+) %", screen.sees(r"film\.mkv .* \d+ %")).group(1))


def top(screen):
    screen.type("clear; stty -a > before; compeer top; echo ended $?", "Enter")
    screen.sees("1 Transfers")


def state(ours, id):
    return next((t["state"] for t in ours.list() if t["id"] == id), None)


@suite("the view in the terminal", limit=320)
def _(t):
    with t.case("without a node it is said how to start one"), Tmux(t, t.sub("nobody")) as screen:
        screen.type("compeer top", "Enter")
        screen.sees("no node is running")
        require("compeer up" in screen.text(), screen.text())
    with t.case("where there is no terminal, and with --json, other commands are named"):
        for arguments in ((), ("--json",)):
            done = t.compeer("top", *arguments, ok=False)
            require(done.returncode == 1 and "compeer list" in done.stderr and not done.stdout, f"{done}")

    seed, ours = t.start("libtorrent"), t.start("compeer")
    film = shared(t, seed, "film.mkv", SIZE)
    seed.limit(SLOW)
    ours.add([film.path], t.sub("got"))
    ours.add_peer(seed.ip, seed.port, film.id)
    with Tmux(t, ours.home) as screen:
        transfers(t, screen, seed, ours, film)
        others(t, screen, seed)
        healing(t, screen, ours, film)
        ending(t, screen, ours, film)
    looks(t, ours)


def transfers(t, screen, seed, ours, film):
    with t.case("a transfer with its progress, rate, time left and peers, as they change"):
        top(screen)
        screen.sees(r"film\.mkv .*\d+ % downloading +[\d.]+ [KM]iB/s +.*\d+s +1 +0\.00 +40\.0 MiB")
        before = percent(screen)
        wait("it grows", lambda: percent(screen) > before)
        wait("the head has the rate", lambda: re.search(r"↓[\d.]+ [KM]iB/s", screen.lines()[0]))
    with t.case("the details name the peer and its program"):
        screen.type("Enter")
        screen.sees(rf"{re.escape(seed.ip)}:\d+ +libtorrent.* 100 % .*iB/s")
        screen.sees(r"content +[\d.]+ of 40\.0 MiB · received")
        screen.type("Escape")
        screen.sees("RATIO")
    with t.case("p pauses and resumes"):
        screen.type("p")
        screen.sees("paused film")
        wait("it is paused", lambda: state(ours, film.id) == "paused")
        screen.sees(r"film\.mkv .*paused")
        screen.type("p")
        wait("it goes on", lambda: state(ours, film.id) == "downloading")
        ours.add_peer(seed.ip, seed.port, film.id)
    with t.case("everything rests after a yes only"):
        screen.type("P", "n")
        time.sleep(2)
        require(not ours.call("GET", "gate")["paused"], "it was paused without a yes")
        screen.type("P", "y")
        screen.sees("everything is paused")
        wait("it is paused", lambda: ours.call("GET", "gate")["paused"])
        wait("the head says so", lambda: "paused" in screen.lines()[0])
        screen.type("P", "y")
        wait("it goes on", lambda: not ours.call("GET", "gate")["paused"])
        ours.add_peer(seed.ip, seed.port, film.id)
    with t.case("a terminal that becomes small still shows it, and a large one again all of it"):
        screen.resize(40, 6)
        screen.misses("RATIO")
        screen.sees(r"^film\.mkv .* \d+ %")
        screen.sees(r"^q quit")
        screen.resize(9, 2)
        time.sleep(1)
        screen.resize(110, 24)
        screen.sees("RATIO")


def others(t, screen, seed):
    with t.case("the people and the budget, with a curve of the rates"):
        screen.type("Tab")
        screen.sees(rf"{re.escape(seed.ip)}:\d+ +files .*TCP out")
        screen.type("Tab")
        screen.sees("connections +1 of 500")
        screen.sees(r"↓[\d.]+ [KM]iB/s · most")
        wait("a curve", lambda: any(bar in screen.text() for bar in "▁▂▃▄▅▆▇█"))
        screen.type("1")
        screen.sees("RATIO")


def healing(t, screen, ours, film):
    with t.case("a node that dies is said to be gone, and one that comes back is shown"):
        ours.proc.kill()
        ours.proc.wait()
        screen.sees("gone for [1-9]")
        wait("the head says so, and what was there last stays", lambda: "no node" in screen.lines()[0] and "film.mkv" in screen.text())
        ours.start(keep_home=True)
        screen.misses("gone for")
        screen.sees(r"film\.mkv .*(downloading|checking|metadata)")


def ending(t, screen, ours, film):
    with t.case("nothing is removed before a yes, and its files stay"):
        screen.type("x", "n")
        time.sleep(2)
        require(state(ours, film.id), "it was removed without a yes")
        screen.type("x", "y")
        screen.sees("removed film")
        screen.sees("No torrents yet")
        wait("it is gone", lambda: not ours.list())
        require(list(t.sub("got").iterdir()), "the files are gone")
    with t.case("Ctrl-C, q and SIGTERM leave the terminal as it was"):
        for end in ("C-c", "q", signal.SIGTERM):
            if end != "C-c":
                top(screen)
            if end == signal.SIGTERM:
                seen = lambda: [pid for pid in os.listdir("/proc") if pid.isdigit() and shown(pid)]      # noqa: E731
                wait("it is the only one", lambda: len(seen()) == 1)
                pids = seen()
                os.kill(int(pids[0]), end)
            else:
                screen.type(end)
            screen.sees(r"^ended 0$")
            require("Transfers" not in screen.text(), screen.text())
            screen.type('clear; stty -a | cmp - before && echo the sa""me', "Enter")
            screen.sees("the same$")


def shown(pid):
    """Whether this process is a `compeer top`."""
    try:
        words = open(f"/proc/{pid}/cmdline").read().split("\0")
    except OSError:
        return False
    return words[1:2] == ["top"] and words[0].endswith("compeer")


def looks(t, ours):
    coloured = re.compile(r"\x1b\[[\d;]*3[0-7]")
    with t.case("colours where they are wanted"):
        for value, wanted in (("1", False), (None, True)):
            with Tmux(t, ours.home, NO_COLOR=value) as screen:
                top(screen)
                screen.sees("quit")
                require(bool(coloured.search(screen.text(colours=True))) == wanted, f"NO_COLOR={value}: {screen.text(colours=True)!r}")
                screen.type("q")
                screen.sees("ended 0")
    with t.case("ASCII where the locale has no more"), Tmux(t, ours.home, LC_ALL="en_US.ISO-8859-1") as screen:
        top(screen)
        screen.type("3")
        screen.sees("connections")
        require(screen.text().isascii(), screen.text())
        screen.type("q")
        screen.sees("ended 0")
