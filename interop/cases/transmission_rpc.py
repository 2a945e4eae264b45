"""Tools that speak Transmission's RPC drive a node, unmodified; what they add completes from a foreign seeder."""
import http.server
import json
import re
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import payloads
from harness import require, require_same, suite, wait
from torrents import make

MIB = 1 << 20
SLOW = 64 * 1024        # bytes a second from the seeder: there is time to look while it is fetched


class Tracker(http.server.ThreadingHTTPServer):
    """A tracker that knows one peer, the seeder."""
    daemon_threads = True

    def __init__(self, seeder):
        self.peer = socket.inet_aton(seeder.ip) + struct.pack(">H", seeder.port)
        super().__init__(("127.0.0.1", 0), Announce)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/announce"

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Announce(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"d8:completei3e10:incompletei4e8:intervali60e5:peers6:" + self.server.peer + b"e"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def album(t, name, sizes):
    """A folder of files, made of seeded bytes."""
    folder = t.sub("source", name)
    for number, size in enumerate(sizes):
        (folder / f"{number} song.ogg").write_bytes(payloads.random.Random(f"{name}{number}").randbytes(size))
    return folder


def seeded(t, seeder, content, tracker):
    torrent = make("libtorrent", content, t.folder / f"{content.name}.torrent", payloads.PIECE, tracker=tracker)
    seeder.add([torrent.path], content.parent, seed=True)
    seeder.wait_done(torrent.id, 60)
    return torrent


def token(client):
    return (client.home / "token").read_text().strip()


class Remote:
    """Debian's transmission-remote."""

    def __init__(self, client):
        self.client = client

    def run(self, *arguments, password=None):
        command = ["transmission-remote", f"127.0.0.1:{self.client.api}", "--auth", f"anybody:{password or token(self.client)}"]
        return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)

    def __call__(self, *arguments):
        """-> what it prints; it has to succeed."""
        done = self.run(*arguments)
        require(done.returncode == 0, f"transmission-remote {arguments}: {done.returncode} {done.stdout} {done.stderr}")
        return done.stdout

    def field(self, number, name, switch="-i"):
        found = re.search(rf"^ *{re.escape(name)}: *(.*)$", self("-t", number, switch), re.M)
        return found and found.group(1).strip()


def done(remote, number):
    return remote.field(number, "Percent Done") == "100%"


@suite("transmission-remote", limit=300)
def _(t):
    seeder, ours = t.start("libtorrent"), t.start("compeer")
    remote = Remote(ours)
    with Tracker(seeder) as tracker:
        songs = album(t, "an album", [2 * MIB, 90_000, MIB])
        first = seeded(t, seeder, songs, tracker.url)
        single = payloads.mid_piece(t.sub("source"))
        second = seeded(t, seeder, single, tracker.url)
        here = t.sub("here")

        with t.case("a wrong password opens nothing"):
            refused = remote.run("-l", password="wrong")
            require("401" in refused.stdout + refused.stderr, f"{refused}")
        with t.case("the session is told"):
            said = remote("-si")
            for words in ("Daemon version: 4.1", "RPC version: 19", "Download directory: /", "Peer exchange allowed: Yes"):
                require(words in said, f"{words}: {said}")
        seeder.limit(SLOW)
        with t.case("a torrent file is added, with a folder and two of its files"):
            said = remote("-a", first.path, "-w", here, "-G", "1")
            require('responded: "success"' in said, said)
            require(remote.field(1, "Hash") == first.id, remote("-t", "1", "-i"))
            require(remote.field(1, "Location") == str(here), remote("-t", "1", "-i"))
        with t.case("the list, peers and trackers are shown while it is fetched"):
            peer = lambda: next((line for line in remote("-t", "1", "-ip").splitlines() if seeder.ip in line), "")    # noqa: E731
            wait("a peer sends", lambda: "libtorrent" in peer() and "100.0" in peer())
            listed = remote("-l")
            require(re.search(r"^ +1 .*an album$", listed, re.M), listed)
            words = (f"127.0.0.1:{tracker.server_port}", "Got a list of 1 peers", "3 seeders and 4 leechers")

            def answered():
                said = remote("-t", "1", "-it")
                return all(word in said for word in words)

            wait("the tracker answered", answered)
        with t.case("files are chosen by their numbers"):
            said = remote("-t", "1", "-if")
            require(re.search(r"^ +1: .* No .*an album/1 song\.ogg$", said, re.M), said)
            remote("-t", "1", "-g", "1", "-ph", "2")
            said = remote("-t", "1", "-if")
            require(re.search(r"^ +1: .* Normal +Yes .*", said, re.M) and re.search(r"^ +2: .* High +Yes .*", said, re.M), said)
            priorities = [file["priority"] for file in ours.call("GET", f"torrents/{first.id}/files")]
            require(priorities == ["normal", "normal", "high"], f"{priorities}")
        with t.case("limits of a torrent and of everything are set, and hold"):
            remote("-t", "1", "-d", "300", "-u", "40", "-pr", "9")
            limits = ours.call("GET", f"torrents/{first.id}/limits")
            require(limits == {"download_bytes_per_s": 300_000, "upload_bytes_per_s": 40_000, "connections": 9}, f"{limits}")
            require(remote.field(1, "Download Limit") == "300 kB/s" and remote.field(1, "Peer limit") == "9", remote("-t", "1", "-i"))
            remote("-t", "1", "-D", "-U")
            remote("-d", "700")
            require(ours.call("GET", "limits")["download_bytes_per_s"] == 700_000, "not set")
            require("Enabled limit: 700 kB/s" in remote("-si"), remote("-si"))
            remote("-D")
            require(ours.call("GET", "limits")["download_bytes_per_s"] is None, "still there")
        seeder.limit(0)
        with t.case("it completes from the seeder, to the byte"):
            wait("it is complete", lambda: done(remote, 1))
            ours.wait_done(first.id, 60)
            require_same(songs, here / songs.name)
        with t.case("a magnet is added, and completes by the tracker that it names"):
            link = f"{second.magnet()}&tr={urllib.parse.quote(tracker.url, safe='')}"
            remote("-a", link, "-w", here)
            ours.wait_done(second.id, 60)
            wait("it is complete", lambda: done(remote, 2))
            require_same(single, here / single.name)
        with t.case("labels"):
            remote("-t", "1", "-L", "music, to hear")
            require(remote.field(1, "Labels") == "music, to hear", remote("-t", "1", "-i"))
        with t.case("pieces are shown as they are"):
            pieces = "".join(re.findall("[01]", remote("-t", "2", "-ic")))
            require(pieces == "1" * second.info.num_pieces(), pieces)
        with t.case("stop and start"):
            remote("-t", "2", "-S")
            wait("it stopped", lambda: remote.field(2, "State") == "Stopped")
            require(ours.call("GET", f"torrents/{second.id}")["state"] == "paused", "not paused")
            remote("-t", "2", "-s")
            wait("it seeds again", lambda: ours.call("GET", f"torrents/{second.id}")["state"] == "seeding")
        with t.case("verify finds what was damaged"):
            path = here / songs.name / "2 song.ogg"
            with open(path, "r+b") as file:
                file.seek(500_000)
                file.write(b"damaged")
            seeder.limit(1)
            remote("-t", "1", "-v")
            wait("a piece is missing", lambda: not done(remote, 1))
            seeder.limit(0)
            wait("it is fetched again", lambda: done(remote, 1))
            ours.wait_done(first.id, 60)
            require_same(songs, here / songs.name)
        with t.case("the content is moved"):
            there = t.sub("there")
            remote("-t", "1", "--move", there)
            wait("it is there", lambda: remote.field(1, "Location") == str(there))
            require_same(songs, there / songs.name)
            require(not (here / songs.name).exists(), "it is here, too")
        with t.case("a torrent goes, and its data stays or goes with it"):
            remote("-t", "2", "-r")
            require((here / single.name).exists(), "its data went")
            remote("-t", "1", "-rad")
            wait("its data goes", lambda: not (there / songs.name).exists())
            require(ours.list() == [] and "Sum:" in remote("-l"), f"{ours.list()}")
        with t.case("what there is not is said"):
            # the DHT is off in these tests
            for option, words in (("--port-test", "no foreign service"), ("--blocklist-update", "compeer block --list"), ("--dht", "[network]"), ("--exit", "Ctrl-C")):
                said = remote.run(option)
                require(said.returncode != 0 and words in said.stdout + said.stderr, f"{option}: {said}")


@suite("transmission-rpc of PyPI", limit=240)
def _(t):
    import transmission_rpc

    seeder, ours = t.start("libtorrent"), t.start("compeer")
    with Tracker(seeder) as tracker:
        songs = album(t, "another album", [MIB, 2 * MIB, 70_000])
        torrent = seeded(t, seeder, songs, tracker.url)
        client = transmission_rpc.Client(host="127.0.0.1", port=ours.api, username="anybody", password=token(ours))
        here = t.sub("here")

        with t.case("a wrong password is told as such"):
            try:
                transmission_rpc.Client(host="127.0.0.1", port=ours.api, username="anybody", password="wrong")
                require(False, "it was let in")
            except transmission_rpc.TransmissionAuthError:
                pass
        with t.case("the session is read and set"):
            session = client.get_session()
            require(session.rpc_version == 19 and session.version.startswith("4."), f"{session.version}")
            client.set_session(download_dir=str(here), speed_limit_up=30, speed_limit_up_enabled=True, seed_ratio_limit=4, seed_ratio_limited=True)
            session = client.get_session()
            require((session.download_dir, session.speed_limit_up, session.speed_limit_up_enabled) == (str(here), 30, True), "not set")
            require((session.seed_ratio_limit, session.seed_ratio_limited) == (4, True), "not set")
            client.set_session(speed_limit_up_enabled=False, idle_seeding_limit=45, idle_seeding_limit_enabled=True)
            require(client.get_session().idle_seeding_limit == 45, "not set")
            client.set_session(idle_seeding_limit_enabled=False)
            require(client.free_space(str(here)) > 0, "no room")
        with t.case("a torrent is added with all that can be said of it"):
            seeder.limit(SLOW)
            added = client.add_torrent(torrent.path, labels=["music"], files_unwanted=[2], priority_high=[0], peer_limit=17)
            require(added.hash_string == torrent.id, f"{added}")
            it = client.get_torrent(added.id)
            require(it.labels == ["music"] and it.peer_limit == 17 and it.download_dir == str(here), f"{it.fields}")
            files = it.get_files()
            require([(file.selected, file.priority) for file in files] == [(True, 1), (True, 0), (False, 0)], f"{files}")
            require(files[0].name == "another album/0 song.ogg" and files[0].size == MIB, f"{files}")
            again = client.add_torrent(torrent.path.read_bytes())
            require(again.id == added.id, "it was added twice")
        with t.case("peers and trackers are objects that it understands"):
            wait("a peer is connected", lambda: client.get_torrent(added.id).peers)
            wait("the tracker answered", lambda: client.get_torrent(added.id).tracker_stats[0].last_announce_succeeded)
            it = client.get_torrent(added.id)
            require(it.peers[0]["address"] == seeder.ip and it.peers_connected == 1 and it.status.downloading, f"{it.peers}")
            stats = it.tracker_stats[0]
            require(stats.seeder_count == 3 and stats.announce == tracker.url, f"{stats.fields}")
            require(it.trackers[0].announce == tracker.url, f"{it.trackers}")
        with t.case("it is changed"):
            client.change_torrent(added.id, files_wanted=[2], download_limit=300, download_limited=True, seed_ratio_mode=1, seed_ratio_limit=2.5, seed_idle_mode=1, seed_idle_limit=90,
                                  labels=["music", "new"], tracker_add=[f"{tracker.url}?second"])
            it = client.get_torrent(torrent.id)
            require(it.download_limit == 300 and it.download_limited and it.seed_ratio_limit == 2.5, f"{it.fields}")
            require((it.seed_idle_mode, it.seed_idle_limit) == (1, 90), f"{it.fields}")
            require(all(file.selected for file in it.get_files()) and it.labels == ["music", "new"], f"{it.fields}")
            require(len(it.trackers) == 2, f"{it.trackers}")
            client.change_torrent(added.id, download_limited=False)
        with t.case("labels and goals are the node's own, whoever sets them"):
            ours_of = lambda: ours.call("GET", f"torrents/{torrent.id}")
            require(ours_of()["labels"] == ["music", "new"] and ours_of()["goal"] == {"ratio": 2.5, "time_s": None, "idle_s": 5400}, f"{ours_of()}")
            ours.call("PATCH", f"torrents/{torrent.id}", {"labels": {"add": ["to hear"], "remove": ["new"]}})
            ours.call("PUT", f"torrents/{torrent.id}/goal", {"ratio": 1.25})
            it = client.get_torrent(added.id)
            require(it.labels == ["music", "to hear"] and (it.seed_ratio_mode, it.seed_ratio_limit, it.seed_idle_mode) == (1, 1.25, 0), f"{it.fields}")
        seeder.limit(0)
        with t.case("it completes from the seeder, to the byte"):
            wait("it is complete", lambda: client.get_torrent(added.id).percent_done == 1)
            ours.wait_done(torrent.id, 60)
            require_same(songs, here / songs.name)
        with t.case("moved, stopped, verified, started"):
            there = t.sub("there")
            client.move_torrent_data(added.id, there)
            wait("it is there", lambda: client.get_torrent(added.id).download_dir == str(there))
            client.stop_torrent(added.id)
            wait("it stopped", lambda: client.get_torrent(added.id).status.stopped)
            client.start_torrent(added.id)
            client.verify_torrent(added.id)
            wait("it seeds", lambda: client.get_torrent(added.id).status.seeding and client.get_torrent(added.id).percent_done == 1)
            client.reannounce_torrent(added.id)
        with t.case("what changed lately"):
            changed, removed = client.get_recently_active_torrents()
            require([it.id for it in changed] == [added.id] and removed == [], f"{changed} {removed}")
            stats = client.session_stats()
            require(stats.torrent_count == 1 and stats.current_stats.downloaded_bytes >= 3 * MIB, f"{stats.fields}")
        with t.case("what there is not is refused in words"):
            for call in (lambda: client.queue_bottom(added.id), lambda: client.rename_torrent_path(added.id, "another album", "x"),
                         lambda: client.change_torrent(added.id, bandwidth_priority=1)):
                try:
                    call()
                    require(False, "it said that it was done")
                except transmission_rpc.TransmissionError as error:
                    require(len(str(error)) > 30, f"{error}")
        with t.case("it goes with its data"):
            client.remove_torrent(added.id, delete_data=True)
            wait("it is gone", lambda: client.get_torrents() == [] and not (there / songs.name).exists())
            require(client.get_recently_active_torrents()[1] == [added.id], "not told")


@suite("metrics and health", limit=180)
def _(t):
    from prometheus_client.parser import text_string_to_metric_families

    seeder, ours = t.start("libtorrent"), t.start("compeer")
    content = payloads.mid_piece(t.sub("source"))
    torrent = make("libtorrent", content, t.folder / "one.torrent", payloads.PIECE)
    seeder.add([torrent.path], content.parent, seed=True)
    ours.add([torrent.path], t.sub("here"))
    seeder.wait_done(torrent.id, 60)
    seeder.add_peer(ours.ip, ours.port, torrent.id)
    ours.wait_done(torrent.id, 60)

    def fetch(path, password=None):
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        base = f"http://127.0.0.1:{ours.api}"
        if password:
            passwords.add_password(None, base, "prometheus", password)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(passwords))
        with opener.open(base + path, timeout=60) as answer:
            return answer.headers, answer.read().decode()

    with t.case("health needs no password, numbers do"):
        require(fetch("/health")[1] == "ok\n", "not well")
        try:
            fetch("/metrics")
            require(False, "it was let in")
        except urllib.error.HTTPError as error:
            require(error.code == 401, f"{error}")
    with t.case("Prometheus' own parser reads them, and they are right"):
        headers, text = fetch("/metrics", token(ours))
        require(headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8", f"{headers}")
        families = {family.name: family for family in text_string_to_metric_families(text)}

        def value(name, **labels):
            family = families[name.removesuffix("_total")]
            return next(sample.value for sample in family.samples if sample.name == name and sample.labels == labels)

        require(value("compeer_torrents", state="seeding") == 1 and value("compeer_torrents", state="paused") == 0, text)
        require(value("compeer_received_bytes_total", service="files") >= content.stat().st_size, text)
        require(value("compeer_budget_limit", resource="connections") == 500, text)
        require(value("process_resident_memory_bytes") > MIB and value("process_cpu_seconds_total") > 0, text)
        began = value("process_start_time_seconds")
        require(abs(time.time() - began) < 300, f"{began}")
        require(all(family.documentation for family in families.values()), text)
    with t.case("the document of the API has them"):
        document = json.loads(fetch("/api/v1/openapi.json")[1])
        require({"/metrics", "/health", "/transmission/rpc"} <= set(document["paths"]), f"{sorted(document['paths'])}")
