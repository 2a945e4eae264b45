"""What is simulated rather than run: networks of thousands of nodes in virtual time. With the release build: `cargo xtask prove` only."""
import os
import subprocess

from harness import require, suite


def simulate(s, *words):
    """Runs the simulator and notes each line that it prints as a measurement; it fails where a promise is broken."""
    program = os.environ.get("COMPEER_SIM") or os.path.join(os.path.dirname(os.environ["COMPEER"]), "sim")
    run = subprocess.run([program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    for line in run.stdout.splitlines():
        s.note(**dict(pair.split(": ", 1) for pair in line.split(", ")))
    require(run.returncode == 0, f"`sim {' '.join(words)}` ended with {run.returncode}\n{run.stdout}{run.stderr}")


@suite("a DHT of 10,000 nodes", limit=3600, prove=True)
def many_nodes(s):
    with s.case("look-ups succeed with a fifth of the nodes leaving in an hour, and their cost grows with the logarithm of the size"):
        simulate(s, "dht", "curve")


@suite("a DHT with liars", limit=3600, prove=True)
def liars(s):
    with s.case("a twentieth of hostile nodes hides less than one look-up of a hundred"):
        simulate(s, "dht", "hostile")


@suite("a DHT node with nothing to do", limit=1800, prove=True)
def idle(s):
    with s.case("it sends and receives less than 50 MB a day"):
        simulate(s, "dht", "idle")


@suite("groups of fifty people", limit=7200, prove=True)
def rosters(s):
    with s.case("members who act apart, sleep for days, expel one another and betray agree in the end who belongs"):
        simulate(s, "roster")


@suite("twenty people who talk", limit=7200, prove=True)
def conversations(s):
    with s.case("every message is once on every node that it is owed to and on no other, whatever sleeps, crashes or is lost"):
        simulate(s, "chat", "--small", "--seeds", "0..600")
        simulate(s, "chat", "--seeds", "0..200")
    with s.case("so it is with envelopes sealed as the program seals them"):
        simulate(s, "chat", "--olm", "--small", "--seeds", "0..40")


@suite("a million letters that were changed on the way", limit=3600, prove=True)
def changed_letters(s):
    with s.case("none opens to anything but what was sealed, none crashes, and what is refused leaves nothing behind"):
        simulate(s, "envelopes", "--count", "1000000")


@suite("uTP on links of 1 Mbit/s to 1 Gbit/s", limit=3600, prove=True)
def links(s):
    with s.case("it uses nine tenths of a clean link, and TCP beside it keeps nine tenths of what it has alone"):
        simulate(s, "--links")
    with s.case("random streams over links that lose, delay and repeat packets arrive whole and do not stall"):
        simulate(s, "--streams", "--runs", "5000")


@suite("a topic of 200 nodes", limit=3600, prove=True)
def topic(s):
    with s.case("every message reaches all that are awake, with at most three copies for each, while nodes come, go and get stuck"):
        simulate(s, "gossip", "--runs", "100")
