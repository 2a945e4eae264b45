"""What a node costs that has nothing to do but to be one of a DHT. Ten minutes: `cargo xtask prove` only."""
import time

from cases.dht import Network
from harness import require, suite, wait

CROWD = 60
MINUTES = 10
BUCKET = 8      # BEP 5
DAY = 24 * 60 * 60
MOST_CPU_PERCENT = 1
MOST_MEGABYTES_A_DAY = 50


def carried(host):
    """Bytes that went over the host's network card, both ways, with all headers."""
    line = next(line for line in host.run("cat", "/proc/net/dev").splitlines() if "eth0:" in line)
    numbers = line.split(":")[1].split()
    return int(numbers[0]) + int(numbers[8])


@suite("a node with nothing to do, for ten minutes", limit=MINUTES * 60 + 120, prove=True)
def _(t):
    net = Network(t, crowd=CROWD)
    # the nearest buckets hold eight each, so that not all of the crowd finds a place
    wait("a table of some nodes", lambda: len(net.ids()) >= 3 * BUCKET)
    host, began = net.hosts[0], time.monotonic()
    cpu, payload = net.ours.cpu(), carried(host)
    with t.case(f"it uses under {MOST_CPU_PERCENT} % of a core and under {MOST_MEGABYTES_A_DAY} MB a day"):
        time.sleep(MINUTES * 60)
        seconds = time.monotonic() - began
        percent = 100 * (net.ours.cpu() - cpu) / seconds
        megabytes = (carried(host) - payload) / 1e6 * DAY / seconds
        known = len(net.ids())
        t.note(nodes_known=known, minutes=round(seconds / 60, 1), cpu_percent_of_a_core=round(percent, 3), megabytes_a_day=round(megabytes, 2), memory_mb=round(net.ours.usage()["rss_mb"], 1))
        require(known >= BUCKET, f"it knows {known} nodes only: that is no DHT")
        require(percent < MOST_CPU_PERCENT, f"{percent:.2f} % of a core")
        require(megabytes < MOST_MEGABYTES_A_DAY, f"{megabytes:.0f} MB a day")
