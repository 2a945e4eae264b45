"""Compeer with an identity: a node of a person, who has contacts.

    alice, bob = (t.start("person", called=n) for n in ("alice", "bob"))
    befriend(alice, bob)
    id = alice.share(path, to=["bob"])
    bob.take_up(id, folder)
"""
import json
import os
import subprocess
import threading
import time

import compeer_driver
import drivers

# iroh's own transfer tool: `cargo install sendme --root` the folder of the foreign programs
SENDME = os.environ.get("SENDME") or str(drivers.PEERS / "bin/sendme")


class Person(compeer_driver.Compeer):
    """`called` is what others see, and what contacts call the person. `joins`: whose node it becomes; `called` is the node's name then.
    `restores`: (recovery phrase, from where). `listen`: where nodes are awaited, by default at a port of its address; `config`: more of
    the settings."""

    def __init__(self, *args, called, joins=None, restores=None, without="dht,lsd,mapping,relays", listen="", config="", **kw):
        super().__init__(*args, without=without, **kw)
        self.name, self.joins, self.restores, self.listen, self.config = called, joins, restores, listen, config

    def run(self, *arguments, timeout=60, typed=""):
        """Runs `compeer` in this home, with something typed; -> the document that it prints."""
        env = dict(os.environ, COMPEER_HOME=str(self.home), HOME=str(self.home), NO_COLOR="1", **compeer_driver.QUIET)
        with self.inside():
            done = subprocess.run([compeer_driver.BINARY, *map(str, arguments), "--json"], env=env, input=typed, capture_output=True, text=True, timeout=timeout)
        if done.returncode:
            raise RuntimeError(f"{self.name}: compeer {' '.join(map(str, arguments))}: {done.stderr.strip()[-300:]}")
        return json.loads(done.stdout or "null")

    def prepare(self):
        if (self.home / "keys").exists():
            return
        # a port that stays: hints are all by which others find this node here
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "config.toml").write_text(f'[overlay]\nlisten = ["{self.listen or self.awaited()}"]\n{self.config}')
        if self.joins:
            code = self.joins.call("POST", "nodes/code", {})["link"]
            self.run("node", "--listen", f"{self.ip}:0", "join", code, "--name", self.name)
        elif self.restores:
            phrase, source = self.restores
            self.run("id", "restore", "--no-passphrase", "--node-name", self.name, "--from", source, "--listen", f"{self.ip}:0", typed=phrase)
        else:
            self.run("init", "--name", self.name, "--node-name", self.name, "--yes", "--no-passphrase")

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

    def raw(self, path):
        """The bytes of a document of the API that is no JSON."""
        request = drivers.urllib.request.Request(f"http://127.0.0.1:{self.api}/api/v1/{path}", headers={"Authorization": f"Bearer {(self.home / 'token').read_text().strip()}"})
        with self.inside(), drivers.urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def inbox(self):
        return {entry["torrent"]: entry for entry in self.call("GET", "inbox")}

    def hears_of(self, id, timeout=60):
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


class Ear:
    """Listens to a node's server-sent events."""

    def __init__(self, person, timeout=60):
        token = (person.home / "token").read_text().strip()
        request = drivers.urllib.request.Request(f"http://127.0.0.1:{person.api}/api/v1/events", headers={"Authorization": f"Bearer {token}"})
        self.answer = drivers.urllib.request.urlopen(request, timeout=60)
        self.heard = []
        threading.Thread(target=self.listen, daemon=True).start()
        end = time.monotonic() + timeout
        while not self.heard:
            if time.monotonic() > end:
                raise drivers.Timeout(f"{person.name} tells of nothing")
            time.sleep(0.05)

    def listen(self):
        try:
            for line in self.answer:
                if line.startswith(b"data:"):
                    self.heard.append(json.loads(line[5:]))
        except (OSError, ValueError):
            pass

    def of(self, kind):
        """The data of the events of a kind."""
        return [e["data"] for e in self.heard if e["event"] == kind]


def befriend(one, other, timeout=90):
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
