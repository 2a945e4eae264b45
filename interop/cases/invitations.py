"""Invitations: QR codes, on the terminal and as SVG, read by zbarimg; what is read makes contacts, once or as often as is meant. And the
code of twelve words that adds a computer, typed where nothing else is known: the other is found on the local network, or by the DHT."""
import json
import re
import subprocess
import time

from cases.private import start
from cases.refused import fails
from commands import Running
from harness import require, suite
from network import hosts

MODULE = 4      # pixels


def read(picture):
    """What zbarimg sees."""
    done = subprocess.run(["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", str(picture)], capture_output=True, text=True, timeout=60)
    require(done.returncode == 0, f"zbarimg sees nothing in {picture}: {done.stderr[-300:]}")
    return done.stdout.strip()


def photograph(lines, path):
    """Half blocks of a terminal, dark on light, as a picture (PGM)."""
    rows = []
    for line in lines:
        cells = re.sub("\x1b\\[[0-9;]*m", "", line)
        for half in (0, 1):
            dark = [cell in ("█", "▀▄"[half]) for cell in cells]
            rows += [b"".join((b"\0" if it else b"\xff") * MODULE for it in dark)] * MODULE
    path.write_bytes(b"P5 %d %d 255\n" % (len(rows[0]), len(rows)) + b"".join(rows))
    return path


@suite("invitations as QR codes", limit=180)
def _(t):
    alice, bob, carol, dave = start(t, "alice", "bob", "carol", "dave")
    svg = t.folder / "invitation.svg"
    once = alice.run("contact", "invite", "--svg", svg)["link"]

    with t.case("the SVG is read by zbarimg, and what it reads makes a contact"):
        png = t.folder / "invitation.png"
        subprocess.run(["rsvg-convert", "--zoom", "4", "--output", png, svg], check=True, timeout=60)
        require(read(png) == once, f"{read(png)}\n{once}")
        require(bob.run("contact", "add", read(png))["state"] == "contact", "bob is no contact")

    with t.case("a link for one is good for one"):
        require("no longer good" in fails(carol, "contact", "add", once), "another refusal was expected")
        require([c["name"] for c in alice.run("contact", "list")] == ["bob"], "carol came in")

    with t.case("the code on the terminal is read by zbarimg, and a standing link is good for several"):
        shown = t.compeer("contact", "invite", "--standing", "--qr", home=alice.home).stdout.splitlines()
        standing = shown[0]
        seen = read(photograph(shown[1:], t.folder / "terminal.pgm"))
        require(seen == standing, f"{seen}\n{standing}")
        for other in (carol, dave):
            require(other.run("contact", "add", seen)["state"] == "contact", f"{other.name} is no contact")
        invite = [i for i in alice.run("contact", "invites") if i["standing"]][0]
        require(invite["uses"] == 2, f"{invite}")
        alice.run("contact", "uninvite", invite["id"])


@suite("a computer added by a code of words", limit=240)
def _(t):
    def add(way, without, places, bootstrap="none", listen=False):
        """A person with two computers and nothing but the commands: `node add` here, `node join` there."""
        with t.case(f"the other computer is found {way}"):
            options = {"COMPEER_WITHOUT": without, "COMPEER_BOOTSTRAP": bootstrap}
            laptop, phone = t.sub("laptop", way), t.sub("phone", way)
            # the DHT is told of addresses of a local network only where the user chose them
            words = [("node", *(("--listen", f"{place.ip}:0") if listen else ())) for place in places]
            t.compeer("init", "--yes", "--no-passphrase", "--node-name", "laptop", home=laptop)
            with Running(t, *words[0], "add", home=laptop, on=places[0], env=options) as adding:
                end = time.monotonic() + 60
                while not adding.lines:
                    require(time.monotonic() < end, f"no code: {adding.errors()}")
                    time.sleep(0.05)
                code = adding.lines[0].split()
                require(len(code) == 12, f"{code}")
                wrong = t.compeer("node", "join", *code[:11], home=t.sub("thief", way), on=places[1], env=options, ok=False)
                require(wrong.returncode == 1 and "12 words" in wrong.stderr, wrong.stderr)
                typed = [word[:4].upper() for word in code]
                joined = t.compeer(*words[1], "join", "--name", "phone", *typed, "--json", home=phone, on=places[1], env=options, timeout=90)
                require(json.loads(joined.stdout)["node_name"] == "phone", joined.stdout)
                require(adding.wait(60) == 0 and "phone is your node now" in "".join(adding.lines), f"{adding.lines}")

    one, two, entry, four, five = hosts(5)
    for host in (one, two):
        # without a way outside a computer has none for multicast either
        host.run("ip", "route", "add", "224.0.0.0/4", "dev", "eth0")
    router = t.start("compeer", on=entry, without="lsd,pex,mapping,holepunch")
    t.side_by_side(lambda: add("on the local network", "dht,mapping,relays", (one, two)),
                   lambda: add("by the DHT", "lsd,mapping,relays", (four, five), f"{router.ip}:{router.port}", True))
