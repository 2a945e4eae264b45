"""Talking with people, with a real node each: what is said arrives once, in one order, whoever is away meanwhile, and reaches nobody else."""
import contextlib
import json
import mailbox
import os
import random
import subprocess
import tempfile
import threading
import time
import urllib.parse

import compeer_driver
import drivers
import people
from harness import Failed, require, suite

PATIENCE = 60   # seconds that something which has to happen may take on a busy computer


def soon(what, holds, timeout=PATIENCE):
    """Waits until something is so; -> the seconds that it took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > timeout:
            raise drivers.Timeout(f"not so after {timeout} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - began


def refused(what, *arguments):
    """What the API says to something that it must not do."""
    try:
        what(*arguments)
    except RuntimeError as said:
        return str(said)
    raise Failed(f"{arguments} was not refused")


class Talk:
    """A conversation as one person sees it. `name`: what they call it."""

    def __init__(self, person, name):
        self.person, self.path = person, "chats/" + urllib.parse.quote(name, safe="")

    def call(self, method, path="", body=None):
        return self.person.call(method, self.path + path, body)

    def say(self, text, **more):
        """-> the message's id"""
        return self.call("POST", "/messages", {"text": text, **more})["id"]

    def do(self, **what):
        return self.call("POST", "/messages", what)

    def messages(self):
        return self.call("GET", "/messages?limit=1000")["messages"]

    def texts(self):
        return [m["text"] for m in self.messages() if m["kind"] == "text" and not m.get("deleted")]

    def message(self, text):
        """The first message of these words; None while there is none."""
        return next((m for m in self.messages() if m["text"] == text), None)

    def stage(self, id):
        return self.call("GET", f"/messages/{id}")["stage"]

    def hears(self, *texts):
        """Waits until all of these were said; -> the seconds."""
        return soon(f"{self.person.name} has {texts} of {self.path}", lambda: set(texts) <= set(self.texts()))

    def info(self):
        return self.call("GET")


def start(t, *names, **options):
    return [t.start("person", called=name, **options) for name in names]


def kill(person):
    """As a power failure would."""
    person.proc.kill()
    person.proc.wait()


@suite("messages between two", limit=180)
def _(t):
    alice, bob = start(t, "alice", "bob")
    people.befriend(alice, bob)
    a, b = Talk(alice, "bob"), Talk(bob, "alice")

    with t.case("what one says the other reads, in both directions"):
        first = a.say("hello")
        took = b.hears("hello")
        b.say("hello yourself")
        a.hears("hello yourself")
        soon("Alice knows that it is there", lambda: a.stage(first) in ("delivered", "read"))
        t.note(first_message_s=round(took, 2))
        began = time.monotonic()
        a.say("quick")
        b.hears("quick")
        t.note(next_message_s=round(time.monotonic() - began, 2))
        require(a.texts() == b.texts() == ["hello", "hello yourself", "quick"], f"{a.texts()}, {b.texts()}")
