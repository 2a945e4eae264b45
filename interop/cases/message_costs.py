"""What talking costs on this computer, with the release build: `cargo xtask prove` only."""
import concurrent.futures
import statistics
import time

import people
from cases.messages import Talk, soon, start
from harness import require, suite

MESSAGES = 200
HISTORY = 100_000
AT_ONCE = 16        # whoever writes waits for a commit, which they share
WORDS = ("tea", "coffee", "cake", "kettle", "spoon", "sugar", "lemon", "saucer", "biscuit", "garden")
MINUTES = 5
MOST_MS = 50
MOST_SEARCH_MS = 100


@suite("what messages cost", limit=3600, prove=True)
def _(t):
    alice, bob = start(t, "alice", "bob")
    people.befriend(alice, bob)
    a, b = Talk(alice, "bob"), Talk(bob, "alice")
    a.say("hello")
    b.hears("hello")

    with t.case("a message between two nodes that are there is shown at once"):
        ear, hers, times, delivered = people.Ear(bob), people.Ear(alice), [], []
        for n in range(MESSAGES):
            began = time.monotonic()
            id = a.say(f"number {n}")
            soon("it is told", lambda: any(e["text"] == f"number {n}" for e in ear.of("message")[-5:]), step=0.0005)
            times.append(1000 * (time.monotonic() - began))
            there = lambda e: e["id"] == id and e["delivery"]["stage"] == "delivered"     # noqa: E731
            soon("Alice knows", lambda: any(there(e) for e in hers.of("delivery")[-5:]), step=0.0005)
            delivered.append(1000 * (time.monotonic() - began))
        cuts = statistics.quantiles(times, n=20)
        t.note(messages=MESSAGES, shown_after_ms_median=round(statistics.median(times), 1), of_twenty_nineteen_within_ms=round(cuts[-1], 1), asked_for_ms=MOST_MS)
        t.note(delivered_after_ms_median=round(statistics.median(delivered), 1), of_twenty_nineteen_delivered_within_ms=round(statistics.quantiles(delivered, n=20)[-1], 1))

    with t.case("a conversation in which nobody speaks costs nothing"):
        carried = lambda: sum(it["downloaded_bytes"] + it["uploaded_bytes"] for it in alice.call("GET", "usage")["totals"] if it["service"] == "chat")     # noqa: E731
        cpu, before, began = alice.cpu() + bob.cpu(), carried(), time.monotonic()
        time.sleep(60 * MINUTES)
        seconds = time.monotonic() - began
        percent = 100 * (alice.cpu() + bob.cpu() - cpu) / seconds
        t.note(minutes=MINUTES, cpu_percent_of_a_core_of_both=round(percent, 3), bytes_of_chat=carried() - before)
        require(carried() - before < 2_000, "it talks though nobody speaks")

    with t.case(f"{HISTORY:,} messages open and are searched within {MOST_SEARCH_MS} ms"):
        notes = Talk(alice, "me")
        began = time.monotonic()
        text = lambda n: f"{n} {WORDS[n % 10]} {WORDS[n // 10 % 10]} {WORDS[n // 100 % 10]}{' needle' if n == HISTORY // 2 else ''}"     # noqa: E731
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda n: notes.say(text(n)), range(HISTORY)))
        t.note(messages=HISTORY, written_in_s=round(time.monotonic() - began))

        def took(what, holds):
            times = []
            for _ in range(9):
                began = time.monotonic()
                require(holds(), what)
                times.append(1000 * (time.monotonic() - began))
            median = statistics.median(times)
            t.note(**{what.replace(" ", "_") + "_ms": round(median, 1)})
            require(median < MOST_SEARCH_MS, f"{what} takes {median:.0f} ms")

        took("the last page", lambda: len(notes.call("GET", "/messages?limit=100")["messages"]) == 100)
        took("the list of conversations", lambda: len(alice.call("GET", "chats")) == 2)
        took("a rare word", lambda: len(alice.call("GET", "messages?words=needle")) == 1)
        took("a frequent word", lambda: alice.call("GET", "messages?words=kettle"))
        took("three frequent words", lambda: alice.call("GET", "messages?words=tea%20cake%20spoon"))
