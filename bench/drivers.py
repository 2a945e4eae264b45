"""One small class per BitTorrent client, all with the same face: the bench and the interop tests drive them.

    c = Libtorrent(root, "127.0.0.2")              # transport="utp" to force uTP; a free port
    c.start()
    c.add([torrent], save_dir, seed=True)          # seed: the data is already there
    c.add_magnet(link, save_dir)
    c.add_peer("127.0.0.3", 23002)                 # only if c.can_add_peer
    c.wait_complete(timeout)                       # or c.wait_done(id, timeout) for one torrent
    c.usage()                                      # cpu seconds, peak rss, peak anonymous rss
    c.stop()

A torrent's id is its v1 info-hash, or the first 20 bytes of the v2 one, in hexadecimal.
To drive a new client, add one subclass of Client (see Rqbit for a daemon with an HTTP API, NodeClient for a child that
talks JSON lines) and list it in CLIENTS. Every driver listens on loopback only and switches DHT, LSD and port mapping off.
"""
import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
# where setup.sh put what is not a Debian package
PEERS = Path(os.environ.get("BENCH_PEERS", Path.home() / ".cache/compeer-bench")).resolve()
VENV_PYTHON = str(PEERS / "venv/bin/python")
NPM = PEERS / "npm/node_modules"      # what interop/npm pins
TICK = os.sysconf("SC_CLK_TCK")


def http(url, data=None, headers=None, timeout=30):
    req = urllib.request.Request(url, data=data, headers=headers or {})
    with urllib.request.urlopen(req, timeout=timeout) as r:
        return r.read()


_taken = set()


def _noted(port):
    """Whether no other process has noted this port before."""
    folder = os.environ.get("INTEROP_PORTS")
    if folder:
        try:
            os.close(os.open(Path(folder) / str(port), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
    return True


def free_port(ip="127.0.0.1"):
    """A port that nobody listens on at this address now, by TCP or UDP; another one each time.

    Whoever runs beside us and has the same folder in $INTEROP_PORTS is given others: a port is listened on some moments after this.
    """
    for _ in range(200):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind((ip, 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind((ip, port))
            except OSError:
                continue
            # noted while it is ours, so that nobody else is given it
            if port not in _taken and _noted(port):
                _taken.add(port)
                return port
    raise RuntimeError(f"no free port at {ip}")


class Timeout(Exception):
    pass


class Client:
    name = "?"
    can_add_peer = True       # can be told the address of a loopback peer
    uses_tracker = False      # finds loopback peers through a tracker
    needs_announce = False    # refuses a torrent that names no tracker
    transports = ("tcp",)
    poll = 0.05               # seconds between status questions
    inside = contextlib.nullcontext    # enters the network namespace that it runs in; here unless it is set

    def __init__(self, root, ip, port=0, transport="tcp", settings=None):
        if transport not in self.transports:
            raise ValueError(f"{self.name} cannot force {transport}")
        self.root, self.ip, self.port, self.transport = Path(root), ip, port or free_port(ip), transport
        self.settings = settings or {}     # settings of the client, in its own words, that replace the driver's
        self.api = free_port()
        self.home = self.root / f"{self.name}-{self.port}"
        self.proc = None
        self.peak_anon = 0
        self._watch = None

    def many_peers(self):
        """Lets it have hundreds of connections, where it does not by itself."""

    # -- to be written by each driver
    def command(self):
        raise NotImplementedError

    def prepare(self):
        pass

    def ready(self):
        """Raises or returns False while the client does not answer yet."""
        return True

    def add(self, torrents, save, seed=False):
        raise NotImplementedError

    def add_magnet(self, link, save):
        raise NotImplementedError(f"{self.name} has no magnets here")

    def add_peer(self, ip, port, id=None):
        """Tells one torrent, or all, of a peer."""
        raise NotImplementedError

    def torrents(self):
        """-> {id: dict(done, bytes)}: what it has, whether it is complete, the payload bytes had."""
        raise NotImplementedError

    # -- common
    def http(self, url, data=None, headers=None, timeout=30):
        with self.inside():
            return http(url, data, headers, timeout)

    stdin = subprocess.DEVNULL
    stdout = None

    def start(self, keep_home=False, timeout=150):
        if not keep_home:
            shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True, exist_ok=True)
        self.prepare()
        self.log = open(self.home / "log.txt", "ab")
        env = dict(os.environ, HOME=str(self.home))
        for k in list(env):
            if k.lower().endswith("_proxy"):
                del env[k]
        with self.inside():
            self.proc = subprocess.Popen(self.command(), stdin=self.stdin, stdout=self.stdout or self.log,
                                         stderr=self.log, env=env, cwd=self.home, start_new_session=True)
        self.peak_anon = 0
        self._watch = threading.Thread(target=self._sample, args=(self.proc,), daemon=True)
        self._watch.start()
        end = time.monotonic() + timeout
        while True:
            try:
                if self.ready() is not False:
                    return self
            except (OSError, urllib.error.URLError, ValueError):
                pass
            if self.proc.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.proc.returncode}; see {self.home}/log.txt")
            if time.monotonic() > end:
                raise Timeout(f"{self.name} did not come up")
            time.sleep(0.02)

    def _sample(self, proc):
        while proc.poll() is None:
            try:
                for line in open(f"/proc/{proc.pid}/status"):
                    if line.startswith("RssAnon"):
                        self.peak_anon = max(self.peak_anon, int(line.split()[1]))
            except OSError:
                return
            time.sleep(0.1)

    def cpu(self):
        f = open(f"/proc/{self.proc.pid}/stat").read().rsplit(")", 1)[1].split()
        return sum(map(int, f[11:15])) / TICK

    def usage(self):
        s = {l.split(":")[0]: l.split()[1] for l in open(f"/proc/{self.proc.pid}/status") if l.startswith(("VmHWM", "VmRSS", "RssAnon"))}
        return {"cpu": self.cpu(), "peak_rss_mb": int(s["VmHWM"]) / 1024, "rss_mb": int(s["VmRSS"]) / 1024,
                "anon_mb": int(s["RssAnon"]) / 1024, "peak_anon_mb": max(self.peak_anon, int(s["RssAnon"])) / 1024}

    def status(self):
        """-> dict(done, total, bytes): torrents complete, torrents, payload bytes had."""
        ts = self.torrents().values()
        return {"done": sum(1 for t in ts if t["done"]), "total": len(ts), "bytes": sum(t["bytes"] for t in ts)}

    def wait_done(self, id, timeout):
        """Waits until one torrent is complete."""
        end = time.monotonic() + timeout
        while True:
            t = self.torrents().get(id)
            if t and t["done"]:
                return
            if self.proc.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.proc.returncode}")
            if time.monotonic() > end:
                raise Timeout(f"{self.name}: {t or 'no such torrent'} after {timeout} s")
            time.sleep(max(self.poll, 0.1))

    def wait_complete(self, timeout, total=1):
        """-> (seconds to the first payload byte seen, seconds to complete)."""
        t0, first = time.monotonic(), None
        while True:
            s = self.status()
            now = time.monotonic() - t0
            if first is None and s["bytes"] > 0:
                first = now
            if s["done"] >= total:
                return first if first is not None else now, now
            if now > timeout:
                raise Timeout(f"{self.name}: {s} after {timeout} s")
            if self.proc.poll() is not None:
                raise RuntimeError(f"{self.name} died")
            time.sleep(self.poll)

    def stop(self):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(30)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        if self.proc:
            self.log.close()


class NodeClient(Client):
    """A child process that takes JSON lines and answers each with one."""
    stdin = subprocess.PIPE
    stdout = subprocess.PIPE

    def ready(self):
        self._lock = threading.Lock()
        line = self.proc.stdout.readline()
        if not line:
            raise ValueError
        return True

    def ask(self, **kw):
        with self._lock:
            self.proc.stdin.write((json.dumps(kw) + "\n").encode())
            self.proc.stdin.flush()
            answer = json.loads(self.proc.stdout.readline() or '{"error": "it ended"}')
        if answer.get("error"):
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer

    def add(self, torrents, save, seed=False):
        self.ask(cmd="add", torrents=[str(t) for t in torrents], save=str(save), seed=seed)

    def add_magnet(self, link, save):
        self.ask(cmd="add", magnet=link, save=str(save))

    def add_peer(self, ip, port, id=None):
        self.ask(cmd="peer", ip=ip, port=port, id=id)

    def torrents(self):
        return {t["id"]: t for t in self.ask(cmd="torrents")["torrents"]}


class Libtorrent(NodeClient):
    name = "libtorrent"            # PyPI wheel
    python = VENV_PYTHON
    profile = "default"
    transports = ("tcp", "utp", "both")

    def limit(self, up_bytes_per_s):
        """Limits what each torrent sends; 0: no limit."""
        self.ask(cmd="limit", up=up_bytes_per_s)

    def command(self):
        return [self.python, str(HERE / "lt_node.py"), self.ip, str(self.port), self.transport, self.profile, json.dumps(self.settings)]


class LibtorrentFast(Libtorrent):
    name = "libtorrent-fast"       # its own high_performance_seed settings
    profile = "fast"


class LibtorrentDebian(Libtorrent):
    name = "libtorrent-2.0.8"
    python = "/usr/bin/python3"


class Webtorrent(NodeClient):
    name = "webtorrent"

    def command(self):
        return ["node", str(HERE / "wt_node.mjs"), self.ip, str(self.port), self.transport, str(PEERS / "webtorrent")]

    def stream_url(self, id):
        return self.ask(cmd="stream", id=id)["url"]


class Transmission(Client):
    """Debian's daemon as it comes: it refuses to *dial* loopback addresses, so
    the other side must connect to it."""
    name = "transmission"
    binary = "/usr/bin/transmission-daemon"
    can_add_peer = False
    uses_tracker = False
    transports = ("tcp", "utp", "both")
    poll = 0.1
    cache_mb = 4

    def prepare(self):
        self.session = ""
        settings = {
            "rpc-enabled": True, "rpc-port": self.api, "rpc-bind-address": "127.0.0.1",
            "rpc-authentication-required": False, "rpc-whitelist-enabled": False, "rpc-host-whitelist-enabled": False,
            "peer-port": self.port, "bind-address-ipv4": self.ip, "bind-address-ipv6": "::1",
            "dht-enabled": False, "lpd-enabled": False, "pex-enabled": True, "port-forwarding-enabled": False,
            "utp-enabled": self.transport != "tcp", "encryption": 0, "preallocation": 1, "cache-size-mb": self.cache_mb,
            "peer-limit-global": 500, "peer-limit-per-torrent": 200, "upload-slots-per-torrent": 100,
            "speed-limit-down-enabled": False, "speed-limit-up-enabled": False, "alt-speed-enabled": False,
            "ratio-limit-enabled": False, "idle-seeding-limit-enabled": False,
            "download-queue-enabled": False, "seed-queue-enabled": False, "queue-stalled-enabled": False,
            "start-added-torrents": True, "incomplete-dir-enabled": False, "rename-partial-files": False,
            "scrape-paused-torrents-enabled": False, "blocklist-enabled": False, "message-level": 1, "umask": 18,
        }
        (self.home / "settings.json").write_text(json.dumps(settings | self.settings))

    def command(self):
        return [self.binary, "-f", "-g", str(self.home)]

    def rpc(self, method, **arguments):
        body = json.dumps({"method": method, "arguments": arguments}).encode()
        for _ in range(3):
            try:
                r = json.loads(self.http(f"http://127.0.0.1:{self.api}/transmission/rpc", body, {"X-Transmission-Session-Id": self.session}))
                if r["result"] != "success":
                    raise RuntimeError(r["result"])
                return r["arguments"]
            except urllib.error.HTTPError as e:
                if e.code != 409:
                    raise
                self.session = e.headers["X-Transmission-Session-Id"]
        raise RuntimeError("transmission rpc session")

    def ready(self):
        self.rpc("session-get")

    def add(self, torrents, save, seed=False):
        for t in torrents:
            self.rpc("torrent-add", metainfo=base64.b64encode(Path(t).read_bytes()).decode(), **{"download-dir": str(save), "peer-limit": 200})

    def add_magnet(self, link, save):
        self.rpc("torrent-add", filename=link, **{"download-dir": str(save), "peer-limit": 200})

    def torrents(self):
        fields = ["hashString", "status", "haveValid", "haveUnchecked", "errorString"]
        # 4 downloads, 6 seeds (tr_torrent_activity); before that no connection finds the torrent
        return {t["hashString"]: {"done": t["status"] == 6, "runs": t["status"] in (4, 6), "bytes": t["haveValid"] + t["haveUnchecked"], "error": t["errorString"]}
                for t in self.rpc("torrent-get", fields=fields)["torrents"]}


class Rqbit(Client):
    name = "rqbit"
    binary = str(PEERS / "rqbit/bin/rqbit")
    transports = ("tcp", "utp")
    extra = ()

    def command(self):
        c = [self.binary, "-v", "warn", "--http-api-listen-addr", f"127.0.0.1:{self.api}", "--listen-ip", self.ip,
             "--listen-port", str(self.port), "--disable-dht", "--disable-lsd", "--disable-upnp-port-forward", "--ipv4-only",
             "--concurrent-init-limit", "2", *self.extra]
        if self.transport == "utp":
            c += ["--disable-tcp-listen", "--disable-tcp-connect", "--experimental-enable-utp-listen"]
        return c + ["server", "start", "--persistence-location", str(self.home / "session"), str(self.home)]

    def url(self, path):
        return f"http://127.0.0.1:{self.api}{path}"

    def ready(self):
        self.http(self.url("/stats"))

    def add(self, torrents, save, seed=False):
        for t in torrents:
            # rqbit's output_folder is the torrent's own folder, not its parent
            r = json.loads(self.http(self.url(f"/torrents?overwrite=true&output_folder={self.folder(t, save)}"), Path(t).read_bytes(),
                                {"Content-Type": "application/x-bittorrent"}, timeout=120))
            self.last = r["id"]

    @staticmethod
    def folder(torrent, save):
        data = Path(torrent).read_bytes()
        if b"5:filesl" not in data:
            return str(save)
        tail = data[data.rindex(b"4:name") + 6:]
        n, rest = tail.split(b":", 1)
        return f"{save}/{rest[:int(n)].decode()}"

    def add_peer(self, ip, port, id=None):
        end = time.monotonic() + 30
        while True:
            try:
                self.http(self.url(f"/torrents/{self.last}/add_peers"), f"{ip}:{port}".encode())
                return
            except urllib.error.HTTPError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)    # not live yet: it still checks the files

    def stream_url(self, id):
        return self.url(f"/torrents/{self.last}/stream/0")

    def torrents(self):
        ts = json.loads(self.http(self.url("/torrents?with_stats=true")))["torrents"]
        st = {t["info_hash"]: t.get("stats") or json.loads(self.http(self.url(f"/torrents/{t['id']}/stats/v1"))) for t in ts}
        return {id: {"done": s["finished"], "bytes": s["progress_bytes"]} for id, s in st.items()}


class Aria2(Client):
    name = "aria2"
    can_add_peer = False
    uses_tracker = True
    poll = 0.1

    def command(self):
        return ["aria2c", "--no-conf", "--enable-rpc", f"--rpc-listen-port={self.api}", "--rpc-listen-all=false",
                f"--listen-port={self.port}", f"--interface={self.ip}", f"--dir={self.home}", "--enable-dht=false", "--enable-dht6=false",
                "--bt-enable-lpd=false", "--enable-peer-exchange=true", "--seed-ratio=0", "--file-allocation=none",
                "--bt-max-peers=0", "--max-concurrent-downloads=2000", "--max-overall-download-limit=0", "--max-overall-upload-limit=0",
                "--bt-request-peer-speed-limit=1024M", "--disk-cache=64M", "--disable-ipv6=true", "--quiet=true", "--summary-interval=0",
                "--rpc-max-request-size=64M", "--bt-tracker-interval=2", "--allow-overwrite=true", "--auto-save-interval=0", "--bt-max-open-files=4000",
                *(f"--{name}={value}" for name, value in self.settings.items())]

    def rpc(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        return json.loads(self.http(f"http://127.0.0.1:{self.api}/jsonrpc", body))["result"]

    def ready(self):
        self.rpc("aria2.getVersion")

    def add(self, torrents, save, seed=False):
        for t in torrents:
            o = {"dir": str(save)}
            if seed:
                o["bt-seed-unverified"] = "true"
            else:
                o["check-integrity"] = "true"
            self.rpc("aria2.addTorrent", base64.b64encode(Path(t).read_bytes()).decode(), [], o)

    def add_magnet(self, link, save):
        self.rpc("aria2.addUri", [link], {"dir": str(save), "bt-save-metadata": "false"})

    def torrents(self):
        keys = ["infoHash", "completedLength", "totalLength", "bittorrent", "errorMessage"]
        ts = self.rpc("aria2.tellActive", keys) + self.rpc("aria2.tellStopped", 0, 2000, keys)
        # a magnet's metadata is a download of its own, without `info`
        return {t["infoHash"]: {"done": t["completedLength"] == t["totalLength"] != "0", "bytes": int(t["completedLength"]), "error": t.get("errorMessage", "")}
                for t in ts if "info" in t.get("bittorrent", {})}


class Rtorrent(Client):
    """Loads nothing, and says nothing, when a torrent has no announce URL."""
    name = "rtorrent"
    needs_announce = True
    can_add_peer = False
    uses_tracker = True
    poll = 0.1

    def prepare(self):
        self.sock = self.home / "rpc.sock"
        (self.home / "session").mkdir(exist_ok=True)
        (self.home / "rc").write_text("\n".join([
            f"network.scgi.open_local = {self.sock}", f"session.path.set = {self.home}/session", f"network.bind_address.set = {self.ip}",
            f"network.local_address.set = {self.ip}",
            f"network.port_range.set = {self.port}-{self.port}", "network.port_random.set = no", "network.port_open.set = yes",
            "dht.mode.set = disable", "protocol.pex.set = yes", "trackers.use_udp.set = no", "protocol.encryption.set = none",
            "throttle.global_up.max_rate.set_kb = 0", "throttle.global_down.max_rate.set_kb = 0", "throttle.max_uploads.set = 100",
            "throttle.max_uploads.global.set = 500", "network.xmlrpc.size_limit.set = 8M", "network.max_open_files.set = 4000",
            "pieces.hash.on_completion.set = no", "pieces.memory.max.set = 8G", "system.daemon.set = true", "network.send_buffer.size.set = 4M", "network.receive_buffer.size.set = 4M", ""]))

    def command(self):
        return ["rtorrent", "-n", "-o", f"import={self.home}/rc"]

    def rpc(self, method, *params):
        import xmlrpc.client
        body = xmlrpc.client.dumps(params, method).encode()
        head = f"CONTENT_LENGTH\0{len(body)}\0SCGI\x001\0".encode()
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(30)
        s.connect(str(self.sock))
        s.sendall(str(len(head)).encode() + b":" + head + b"," + body)
        data = b"".join(iter(lambda: s.recv(65536), b""))
        s.close()
        return xmlrpc.client.loads(data.split(b"\r\n\r\n", 1)[1])[0][0]

    def ready(self):
        self.rpc("system.pid")

    def add(self, torrents, save, seed=False):
        for t in torrents:
            self.rpc("load.start", "", str(t), f"d.directory.set={save}")

    def torrents(self):
        ts = self.rpc("d.multicall2", "", "main", "d.complete=", "d.bytes_done=", "d.hashing=", "d.hash=")
        return {t[3].lower(): {"done": bool(t[0] and not t[2]), "bytes": t[1]} for t in ts}


class Qbittorrent(Client):
    name = "qbittorrent"
    poll = 0.1

    def prepare(self):
        folder = self.home / "qBittorrent/config"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "qBittorrent.conf").write_text("\n".join([
            "[LegalNotice]", "Accepted=true", "[Preferences]", "WebUI\\Address=127.0.0.1", f"WebUI\\Port={self.api}",
            "WebUI\\LocalHostAuth=false", "WebUI\\CSRFProtection=false", "WebUI\\HostHeaderValidation=false", "WebUI\\UseUPnP=false",
            "[Network]", "PortForwardingEnabled=false", "[BitTorrent]", f"Session\\Port={self.port}",
            f"Session\\InterfaceAddress={self.ip}", "Session\\DHTEnabled=false", "Session\\LSDEnabled=false",
            "Session\\Encryption=2", "Session\\QueueingSystemEnabled=false", "Session\\Preallocation=false",
            "Session\\BTProtocol=TCP", "Session\\MultiConnectionsPerIp=true", f"Session\\DefaultSavePath={self.home}", ""]))

    def command(self):
        return ["qbittorrent-nox", f"--profile={self.home}"]

    def call(self, path, **fields):
        """Posts a form with one part a field; a value may be bytes (a file)."""
        border = "compeer-form-border"
        body = b""
        for key, value in fields.items():
            file = '; filename="x.torrent"' if isinstance(value, bytes) else ""
            value = value if isinstance(value, bytes) else str(value).encode()
            body += f'--{border}\r\nContent-Disposition: form-data; name="{key}"{file}\r\n\r\n'.encode() + value + b"\r\n"
        answer = self.http(f"http://127.0.0.1:{self.api}/api/v2/{path}", body + f"--{border}--\r\n".encode(),
                      {"Content-Type": f"multipart/form-data; boundary={border}"})
        if answer == b"Fails.":
            raise RuntimeError(f"qbittorrent refused {path}")
        return answer

    def ready(self):
        self.http(f"http://127.0.0.1:{self.api}/api/v2/app/version")

    def add(self, torrents, save, seed=False):
        for t in torrents:
            self.call("torrents/add", torrents=Path(t).read_bytes(), savepath=save, skip_checking=str(seed).lower(), contentLayout="Original", autoTMM="false")

    def add_magnet(self, link, save):
        self.call("torrents/add", urls=link, savepath=save, contentLayout="Original", autoTMM="false")

    def info(self):
        """-> {our id: its entry}; its own id of a hybrid is the v2 hash."""
        return {(t["infohash_v1"] or t["infohash_v2"])[:40]: t for t in json.loads(self.http(f"http://127.0.0.1:{self.api}/api/v2/torrents/info"))}

    def add_peer(self, ip, port, id=None):
        end = time.monotonic() + 30
        while True:
            hashes = [t["hash"] for key, t in self.info().items() if id in (None, key)]
            try:
                self.call("torrents/addPeers", hashes="|".join(hashes), peers=f"{ip}:{port}")
                return
            except urllib.error.HTTPError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)     # it does not have the torrent yet

    def torrents(self):
        return {id: {"done": t["amount_left"] == 0 and t["state"] in ("uploading", "stalledUP", "forcedUP"), "bytes": t["completed"], "error": t["state"]}
                for id, t in self.info().items()}


CLIENTS = {c.name: c for c in (Libtorrent, LibtorrentFast, LibtorrentDebian, Transmission, Rqbit, Aria2, Qbittorrent, Rtorrent, Webtorrent)}


def connect(leecher, seeder):
    """Makes the two meet; says how. Leecher first, else the seeder dials, else both ask the tracker."""
    if leecher.can_add_peer:
        leecher.add_peer(seeder.ip, seeder.port)
        return "leecher api"
    if seeder.can_add_peer:
        seeder.add_peer(leecher.ip, leecher.port)
        return "seeder api"
    return "tracker"


# -- making .torrent files: command lines by maker; {src} {out} {kib} {exp} are filled in
CREATE = {
    "libtorrent": [VENV_PYTHON, str(HERE / "create_lt.py"), "v1", "{src}", "{out}", "{kib}"],
    "libtorrent-v2": [VENV_PYTHON, str(HERE / "create_lt.py"), "v2", "{src}", "{out}", "{kib}"],
    "libtorrent-hybrid": [VENV_PYTHON, str(HERE / "create_lt.py"), "hybrid", "{src}", "{out}", "{kib}"],
    "libtorrent-2.0.8": ["/usr/bin/python3", str(HERE / "create_lt.py"), "v1", "{src}", "{out}", "{kib}"],
    "transmission-create": ["transmission-create", "-o", "{out}", "-s", "{kib}", "{src}"],
    "mktorrent": ["mktorrent", "-l", "{exp}", "-a", "http://127.0.0.1:1/announce", "-o", "{out}", "{src}"],
    "mktorrent-1thread": ["mktorrent", "-t", "1", "-l", "{exp}", "-a", "http://127.0.0.1:1/announce", "-o", "{out}", "{src}"],
    "create-torrent": ["node", str(PEERS / "webtorrent/node_modules/create-torrent/bin/cmd.js"), "--pieceLength", "{bytes}", "-o", "{out}", "{src}"],
    "rqbit": [str(PEERS / "rqbit/bin/rqbit"), "share", "{src}"],
}
