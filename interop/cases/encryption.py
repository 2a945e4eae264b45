"""Stream encryption: every policy of ours with every one of the foreign clients, whoever dials (Evidence 1).

Ours are `prefer`, `require` and `off`. libtorrent has a policy (disabled, enabled, forced) and, for what follows its encrypted handshake, a
level (plaintext, rc4, both). Transmission has 0 (accepts encryption), 1 (prefers it) and 2 (requires it).
"""
import random
import time

import libtorrent as lt

import network
from drivers import Timeout, free_port
from harness import require, require_same, suite
from torrents import Torrent
from tracker import Tracker

OURS = ("prefer", "require", "off")
POLICIES = {"forced": 0, "enabled": 1, "disabled": 2}       # libtorrent's settings_pack::enc_policy
LEVELS = {"plaintext": 1, "rc4": 2, "both": 3}              # settings_pack::enc_level
THEIRS = [("disabled", "both"), *((policy, level) for policy in ("enabled", "forced") for level in LEVELS)]
PIECE = 16 * 1024
SMALL = 5 * PIECE
GRACE = 2.5     # seconds after which those who must not meet have tried for long enough


def make(t, name, size=SMALL, piece=PIECE, tracker=None):
    """-> (file, Torrent): random bytes of their own. With a tracker, `tracked` is a torrent file that names it; the other does not."""
    path = t.sub("source") / f"{name}.bin"
    rng = random.Random(name)
    with open(path, "wb") as file:
        for _ in range(0, size, 1 << 20):
            file.write(rng.randbytes(min(size, 1 << 20)))
    storage = lt.file_storage()
    lt.add_files(storage, str(path))
    torrent = lt.create_torrent(storage, piece, lt.create_torrent.v1_only)
    lt.set_piece_hashes(torrent, str(path.parent))
    out = t.folder / f"{name}.torrent"
    out.write_bytes(lt.bencode(torrent.generate()))
    made = Torrent(out)
    if tracker:
        torrent.add_tracker(tracker)
        made.tracked = t.folder / f"{name}-tracked.torrent"
        made.tracked.write_bytes(lt.bencode(torrent.generate()))
    return path, made


def start_ours(t, policy, transport="tcp", **options):
    return t.start("compeer", transport=transport, without="dht,lsd,mapping,pex", options=("--encryption", policy), **options)


def start_libtorrent(t, policy, level, transport="tcp"):
    number = POLICIES[policy]
    settings = {"in_enc_policy": number, "out_enc_policy": number, "allowed_enc_level": LEVELS[level], "prefer_rc4": False}
    return t.start("libtorrent", transport=transport, settings=settings)


def hidden(node, id):
    """How much the connections of a torrent hide, as our end sees it: `none`, `handshake`, `rc4`."""
    return sorted({peer["encryption"].replace("all", "rc4") for peer in node.call("GET", f"torrents/{id}/peers")})


def expected(ours, policy, level):
    """What a pair comes to, whoever dials: an encrypted handshake if both know of it, and one in the clear where both bear that."""
    methods = {"prefer": {"plaintext", "rc4"}, "require": {"rc4"}, "off": set()}[ours]
    if policy != "disabled":
        methods &= {"plaintext", "rc4"} if level == "both" else {level}
        if methods:
            return "handshake" if "plaintext" in methods else "rc4"
    return "none" if ours != "require" and policy != "forced" else None


def meet(t, theirs, we_dial, transport="tcp"):
    """Every one of ours with every one of `theirs`, a torrent a pair. Who is dialled has the data."""
    ours = {policy: start_ours(t, policy, transport) for policy in OURS}
    foreign = {pair: start_libtorrent(t, *pair, transport) for pair in theirs}
    pairs = {(policy, *pair): make(t, f"{policy}-{'-'.join(pair)}") for policy in OURS for pair in theirs}
    for (policy, *pair), (path, torrent) in pairs.items():
        ends = ours[policy], foreign[tuple(pair)]
        dialler, dialled = ends if we_dial else ends[::-1]
        dialled.add([torrent.path], path.parent, seed=True)
        dialler.add([torrent.path], t.sub("got", dialler.name))
    # slow enough to be looked at
    for node in ours.values():
        node.call("PUT", "limits", {"upload_bytes_per_s": 20_000 * len(theirs)})
    for node in foreign.values():
        node.limit(20_000)
    for (policy, *pair), (_, torrent) in pairs.items():
        ends = ours[policy], foreign[tuple(pair)]
        dialler, dialled = ends if we_dial else ends[::-1]
        if not we_dial:
            dialled.wait_done(torrent.id, 60)       # it is checked by then
        dialler.add_peer(dialled.ip, dialled.port, torrent.id)
    began = time.monotonic()
    seen = {pair: set() for pair in pairs}
    wanted = {pair for pair in pairs if expected(*pair)}
    while time.monotonic() - began < GRACE or not all(seen[pair] for pair in wanted):
        for pair, (_, torrent) in pairs.items():
            seen[pair].update(hidden(ours[pair[0]], torrent.id))
        if time.monotonic() - began > 60:
            break
        time.sleep(0.05)
    for node in ours.values():
        node.call("PUT", "limits", {})
    for node in foreign.values():
        node.limit(0)
    for (policy, *pair), (path, torrent) in pairs.items():
        want = expected(policy, *pair)
        with t.case(f"{policy} with {' '.join(pair)}: {want or 'no connection'}"):
            require(seen[policy, *pair] == ({want} if want else set()), f"it was {seen[policy, *pair] or 'no connection'}")
            dialler = ours[policy] if we_dial else foreign[tuple(pair)]
            if want:
                dialler.wait_done(torrent.id, 60)
                require_same(path, t.folder / "got" / dialler.name / path.name)
            else:
                require(dialler.torrents()[torrent.id]["bytes"] == 0, "it has something all the same")


@suite("encryption, we dial libtorrent", limit=240)
def _(t):
    meet(t, THEIRS, we_dial=True)


@suite("encryption, libtorrent dials us", limit=240)
def _(t):
    meet(t, THEIRS, we_dial=False)


FEW = [("disabled", "both"), ("enabled", "both"), ("forced", "rc4")]


@suite("encryption over uTP, we dial libtorrent", limit=240)
def _(t):
    meet(t, FEW, we_dial=True, transport="utp")


@suite("encryption over uTP, libtorrent dials us", limit=240)
def _(t):
    meet(t, FEW, we_dial=False, transport="utp")


# -- Transmission, which never dials a loopback address

def we_dial(ours, theirs):
    if ours == "off":
        return "none" if theirs < 2 else None
    # at 0 it chooses plaintext if it may, and then takes the first payload for plaintext too, which is always encrypted: we dial again
    return "none" if ours == "prefer" and theirs == 0 else "rc4"


def it_dials(ours, theirs):
    if theirs == 0:
        return None if ours == "require" else "none"
    if ours == "off":
        return "none" if theirs == 1 else None
    # it offers nothing else, also at 1
    return "rc4"


def transmissions(t, dials, size, pairs, tracker=None, on=(None, None)):
    """Transmission seeds and fetches, a torrent each way and pair. It learns of us from the tracker; without one we dial."""
    ours = {policy: start_ours(t, policy, on=on[0]) for policy in sorted({policy for policy, _ in pairs})}
    foreign = {number: t.start("transmission", on=on[1], settings={"encryption": number}) for number in sorted({n for _, n in pairs})}
    jobs = []
    for policy, number in pairs:
        for we_seed in (False, True):
            name = f"{policy}-{number}-{'to' if we_seed else 'from'}"
            path, torrent = make(t, name, size, max(PIECE, size // 64), tracker and tracker.url)
            node, other = ours[policy], foreign[number]
            its = torrent.tracked if tracker else torrent.path
            if tracker:
                tracker.swarms[bytes.fromhex(torrent.id)] = {node.port: node.ip}
            # who serves, with its file, before who fetches
            ends = [(node, torrent.path), (other, its)]
            jobs.append((name, policy, number, path, torrent, node, other, ends if we_seed else ends[::-1]))
    for name, _, _, path, torrent, node, other, ((seeder, file), (leecher, leechers)) in jobs:
        if seeder is other and tracker:
            # it dials when it is started: then we must be ready
            leecher.add([leechers], t.sub("got", leecher.home.name))
        seeder.add([file], path.parent, seed=True)
    seen = {}

    def look():
        for name, _, _, _, torrent, node, *_ in jobs:
            if name in seen:
                seen[name].update(hidden(node, torrent.id))

    # slow enough to be looked at
    for node in ours.values():
        node.call("PUT", "limits", {"upload_bytes_per_s": 10_000, "download_bytes_per_s": 10_000})
    for name, *_, torrent, node, other, ((seeder, _), (leecher, leechers)) in jobs:
        seeder.wait_done(torrent.id, 60)
        if seeder is node or not tracker:
            leecher.add([leechers], t.sub("got", leecher.home.name))
        if not tracker:
            # one that does not run the torrent yet hangs up, and then we dial again in the clear
            until_runs(other, torrent.id)
            node.add_peer(other.ip, other.port, torrent.id)
        seen[name] = set()
        look()
    began = time.monotonic()
    todo = {name for name, policy, number, *_ in jobs if dials(policy, number)}
    while not all(seen[name] for name in todo) and time.monotonic() - began < 120:
        look()
        time.sleep(0.05)
    for node in ours.values():
        node.call("PUT", "limits", {})
    while todo and time.monotonic() - began < 120:
        look()
        todo -= {name for name, _, _, _, torrent, *_, (_, (leecher, _)) in jobs if leecher.torrents()[torrent.id]["done"]}
        time.sleep(0.05)
    for name, policy, number, path, torrent, _, _, (_, (leecher, _)) in jobs:
        want = dials(policy, number)
        with t.case(f"{name}: {want or 'no connection'}"):
            require(seen[name] == ({want} if want else set()), f"it was {seen[name] or 'no connection'}")
            if want:
                if name in todo:
                    raise Timeout(f"{leecher.name}: {leecher.torrents()[torrent.id]}")
                require_same(path, t.folder / "got" / leecher.home.name / path.name)
            else:
                require(leecher.torrents()[torrent.id]["bytes"] == 0, "it has something all the same")


def until_runs(transmission, id, timeout=60):
    end = time.monotonic() + timeout
    while not transmission.torrents().get(id, {}).get("runs"):
        if time.monotonic() > end:
            raise Timeout(f"{transmission.name} does not run {id}")
        time.sleep(0.02)


ALL = [(policy, number) for policy in OURS for number in (0, 1, 2)]


@suite("encryption, we dial transmission", limit=300)
def _(t):
    transmissions(t, we_dial, SMALL, ALL)


@suite("encryption, transmission dials us", limit=300)
def _(t):
    here, there = network.hosts(2)
    with here.inside():
        tracker = Tracker(free_port(here.ip), here.ip)
    transmissions(t, it_dials, SMALL, ALL, tracker, on=(here, there))
    tracker.close()


@suite("16 MiB of RC4 with transmission", limit=300)
def _(t):
    transmissions(t, we_dial, 16 << 20, [("require", 2)])


# -- a gigabyte

def gigabyte(t, seeds, fetches, policy, level):
    """1 GiB between the two over RC4, or in the clear for comparison."""
    path, torrent = make(t, "gigabyte", 1 << 30, 1 << 20)
    clients = {}
    for name in (seeds, fetches):
        clients[name] = start_ours(t, policy) if name == "compeer" else start_libtorrent(t, level, "rc4")
    seeder, leecher = clients[seeds], clients[fetches]
    node = clients["compeer"]
    seeder.add([torrent.path], path.parent, seed=True)
    seeder.wait_done(torrent.id, 120)
    leecher.add([torrent.path], t.sub("got"))
    before = {name: client.cpu() for name, client in clients.items()}
    began = time.monotonic()
    leecher.add_peer(seeder.ip, seeder.port, torrent.id)
    seen = set()
    while not leecher.torrents()[torrent.id]["done"]:
        seen.update(hidden(node, torrent.id))
        require(time.monotonic() - began < 400, f"{leecher.torrents()} after 400 s")
        time.sleep(0.2)
    seconds = time.monotonic() - began
    t.note(seconds=f"{seconds:.1f}", **{f"cpu_s_of_{name}": f"{client.cpu() - before[name]:.2f}" for name, client in clients.items()})
    with t.case("over RC4" if policy == "require" else "in the clear"):
        require(seen == ({"rc4"} if policy == "require" else {"none"}), f"it was {seen}")
    with t.case("the same bytes"):
        require_same(path, t.folder / "got" / path.name)


def register(seeds, fetches):
    @suite(f"1 GiB of RC4, {seeds} -> {fetches}", limit=600, prove=True)
    def _(t):
        gigabyte(t, seeds, fetches, "require", "forced")

    @suite(f"1 GiB in the clear, {seeds} -> {fetches}", limit=600, prove=True)
    def _(t):
        gigabyte(t, seeds, fetches, "off", "disabled")


register("compeer", "libtorrent")
register("libtorrent", "compeer")
