"""What the binary weighs, and how soon it is there (Evidence 7). With the release build: `cargo xtask prove` only."""
import os
import statistics
import time

import compeer_driver
from harness import require, suite

START_MS = 10       # of the issue


@suite("the binary", limit=60, prove=True)
def _(t):
    took = []
    for _ in range(30):
        began = time.monotonic()
        t.compeer("--version")
        took.append((time.monotonic() - began) * 1000)
    median = statistics.median(took)
    t.note(version_ms=f"{median:.1f}", binary_mib=f"{os.path.getsize(compeer_driver.BINARY) / 2**20:.1f}")
    with t.case(f"`compeer --version` takes at most {START_MS} ms"):
        require(median <= START_MS, f"{median:.1f} ms")
