"""Compeer with an identity: a node of a person, who has contacts.

    alice, bob = (t.start("person", called=n) for n in ("alice", "bob"))
    befriend(alice, bob)
    id = alice.share(path, to=["bob"])
    bob.take_up(id, folder)
"""
import json
import os
import subprocess
import time

import compeer_driver
import drivers

# iroh's own transfer tool: `cargo install sendme --root` the folder of the foreign programs
SENDME = os.environ.get("SENDME") or str(drivers.PEERS / "bin/sendme")


class Person(compeer_driver.Compeer):
    """`called` is what others see, and what contacts call the person. `listen`: where nodes are awaited, by default at a port of its address;
    `config`: more of the settings."""

    def __init__(self, *args, called, without="dht,lsd,mapping,relays", listen="", config="", **kw):
        super().__init__(*args, without=without, **kw)
        self.name, self.listen, self.config = called, listen, config

    def run(self, *arguments, timeout=60):
        """Runs `compeer` in this home; -> the document that it prints."""
        env = dict(os.environ, COMPEER_HOME=str(self.home), HOME=str(self.home), NO_COLOR="1", **compeer_driver.QUIET)
        with self.inside():
            done = subprocess.run([compeer_driver.BINARY, *map(str, arguments), "--json"], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        if done.returncode:
            raise RuntimeError(f"{self.name}: compeer {' '.join(map(str, arguments))}: {done.stderr.strip()[-300:]}")
        return json.loads(done.stdout or "null")

    def prepare(self):
        if not (self.home / "keys").exists():
            self.run("init", "--name", self.name, "--yes", "--no-passphrase")
            # a port that stays: hints are all by which others find this node here
            with open(self.home / "config.toml", "a") as f:
                f.write(f'\n[overlay]\nlisten = ["{self.listen or self.awaited()}"]\n{self.config}')

    def awaited(self):
        with self.inside():
            return f"{self.ip}:{drivers.free_port(self.ip)}"

    def share(self, path, to=(), groups=(), timeout=120, **more):
        """Hashes and shares; -> the torrent's id."""
        job = self.call("POST", "shares", {"path": str(path), "to": list(to), "groups": list(groups), **more})
        end = time.monotonic() + timeout
        while job["state"] == "running" and time.monotonic() < end:
            time.sleep(0.02)
            job = self.call("GET", f"jobs/{job['id']}")
        if job["state"] != "done":
            raise RuntimeError(f"{self.name} could not share {path}: {job}")
        return job["torrent"]

    def inbox(self):
        return {entry["torrent"]: entry for entry in self.call("GET", "inbox")}

    def hears_of(self, id, timeout=30):
        """Waits until a share is in the inbox."""
        end = time.monotonic() + timeout
        while id not in self.inbox():
            if time.monotonic() > end:
                raise drivers.Timeout(f"{self.name} hears nothing of {id}")
            time.sleep(0.05)
        return self.inbox()[id]

    def accept(self, id, folder):
        return self.call("POST", f"inbox/{id}/accept", {"folder": str(folder)})

    def limit(self, up_bytes_per_s):
        """0: no limit."""
        self.call("PUT", "limits", {"upload_bytes_per_s": up_bytes_per_s or None})


def befriend(one, other, timeout=30):
    """Makes two people each other's contacts, by an invitation of the first."""
    link = one.run("contact", "invite")["link"]
    other.run("contact", "add", link, "--name", one.name)
    end = time.monotonic() + timeout
    while True:
        known = [any(c["name"] == b.name and c.get("nodes") for c in a.run("contact", "list")) for a, b in ((one, other), (other, one))]
        if all(known):
            return
        if time.monotonic() > end:
            raise drivers.Timeout(f"{one.name} and {other.name} do not become contacts: {known}")
        time.sleep(0.2)


drivers.CLIENTS["person"] = Person
