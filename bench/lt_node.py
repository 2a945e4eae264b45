"""One libtorrent session driven by JSON lines on stdin, answers on stdout.

usage: lt_node.py IP PORT tcp|utp|both default|fast SETTINGS
SETTINGS is a JSON document of libtorrent's own settings that replace those below, where everything that could speak to
others unasked (DHT, LSD, UPnP, NAT-PMP) is off.
"""
import hashlib
import json
import sys
import time
import warnings

warnings.simplefilter("ignore")    # 2.1 deprecates calls that 2.0 still needs
import libtorrent as lt

ip, port, transport = sys.argv[1], int(sys.argv[2]), sys.argv[3]
profile = sys.argv[4] if len(sys.argv) > 4 else "default"
tcp, utp = transport != "utp", transport != "tcp"
settings = {}
if profile == "fast":
    settings.update(lt.high_performance_seed())
settings.update({
    "listen_interfaces": f"{ip}:{port}",
    "outgoing_interfaces": ip,
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "enable_outgoing_tcp": tcp, "enable_incoming_tcp": tcp,
    "enable_outgoing_utp": utp, "enable_incoming_utp": utp,
    "mixed_mode_algorithm": 0, "min_reconnect_time": 1,
    "in_enc_policy": 1, "out_enc_policy": 2,
    "allow_multiple_connections_per_ip": True,
    "download_rate_limit": 0, "upload_rate_limit": 0,
    "unchoke_slots_limit": -1, "connections_limit": 500,
    "active_downloads": -1, "active_seeds": -1, "active_limit": 100000, "active_checking": 2,
    "auto_manage_startup": 1,
    "rate_limit_ip_overhead": False,
    "alert_mask": int(lt.alert.category_t.storage_notification | lt.alert.category_t.dht_notification
                      | lt.alert.category_t.dht_operation_notification),
})
settings.update(json.loads(sys.argv[5] if len(sys.argv) > 5 else "{}"))
# names differ between versions: drop what this build does not know
known = set(lt.default_settings())
session = lt.session({k: v for k, v in settings.items() if k in known})
handles = []
flushed = set()     # handles whose blocks are known to have reached their files


def say(**answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def params_of(m, torrent=None):
    """The parameters of a new torrent: from its file, or from the magnet of the message."""
    p = lt.parse_magnet_uri(m["magnet"]) if torrent is None else lt.add_torrent_params()
    if torrent is not None:
        p.ti = lt.torrent_info(torrent)
    p.save_path = m["save"]
    flags = p.flags & ~lt.torrent_flags.auto_managed & ~lt.torrent_flags.paused
    p.flags = flags | lt.torrent_flags.seed_mode if m.get("seed") else flags
    return p


def name_of(handle):
    """The v1 info-hash, or the first 20 bytes of the v2 one."""
    hashes = handle.info_hashes()
    return str(hashes.v1 if hashes.has_v1() else hashes.v2)[:40]


def wait_for(wanted, seconds):
    """The next alert that is wanted, or None when the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        session.wait_for_alert(100)
        found = None
        for a in session.pop_alerts():
            if isinstance(a, lt.cache_flushed_alert):
                flushed.add(a.handle)
            found = found or (a if wanted(a) else None)
        if found:
            return found
    return None


def sha1_hash(text):
    return lt.sha1_hash(bytes.fromhex(text))


def expanded(seed):
    """libtorrent's form of a secret Ed25519 key: what RFC 8032, 5.1.5 makes of the 32 secret bytes."""
    key = bytearray(hashlib.sha512(bytes.fromhex(seed)).digest())
    key[0] &= 248
    key[31] = key[31] & 63 | 64
    return bytes(key)


def dht_put(m):
    """Puts a text, or bytes in hexadecimal digits; -> (hash of an immutable item or None, on how many nodes)"""
    text = bytes.fromhex(m["hex"]) if "hex" in m else m["text"].encode()
    if "seed" not in m:
        target = session.dht_put_immutable_item(m["text"])
        alert = wait_for(lambda a: isinstance(a, lt.dht_put_alert) and a.target == target, 30)
        return str(target), alert.num_success if alert else 0
    session.dht_put_mutable_item(expanded(m["seed"]), bytes.fromhex(m["key"]), text, m.get("salt", "").encode())
    alert = wait_for(lambda a: isinstance(a, lt.dht_put_alert) and bytes(a.public_key) == bytes.fromhex(m["key"]), 30)
    return None, alert.num_success if alert else 0


def dht_get(m):
    """-> (text or None, sequence number)"""
    if "key" not in m:
        session.dht_get_immutable_item(sha1_hash(m["hash"]))
        alert = wait_for(lambda a: isinstance(a, lt.dht_immutable_item_alert) and str(a.target) == m["hash"], 30)
        return text_of(alert), None
    key = bytes.fromhex(m["key"])
    session.dht_get_mutable_item(key, m.get("salt", "").encode())
    # one for each newer version that it meets, an authoritative one at the end
    alert = wait_for(lambda a: isinstance(a, lt.dht_mutable_item_alert) and bytes(a.key) == key and a.authoritative, 30)
    return text_of(alert, m.get("hex")), alert.seq if alert else None


def text_of(alert, hex=False):
    """The value, in hexadecimal digits if those are wanted, of an item, if there is one. Versions of the bindings differ in how they wrap it."""
    item = alert and alert.item
    if isinstance(item, dict):
        item = item.get("value")
    if isinstance(item, bytes):
        return item.hex() if hex else item.decode()
    return item or None


def flush(handle):
    """2.1 calls a torrent complete while blocks are still in its write cache: done means here that they have reached
    the files too."""
    if handle in flushed:
        return
    handle.flush_cache()
    wait_for(lambda _: handle in flushed, 60)


def torrents():
    many = len(handles) > 20
    for handle in handles:
        s = handle.status()
        if s.is_seeding and not many:
            flush(handle)
        yield {"id": name_of(handle), "done": s.is_seeding and (many or handle in flushed), "bytes": s.total_done,
               "sent": s.total_payload_upload, "error": s.errc.message() if s.errc.value() else ""}


def union(without):
    """Whether this session and its peers, one address left out, have every piece between them."""
    have = list(handles[0].status().pieces)
    for peer in handles[0].get_peer_info():
        if peer.ip[0] != without:
            have = [a or b for a, b in zip(have, peer.pieces)]
    return bool(have) and all(have)


say(ready=True, version=lt.__version__)
for line in sys.stdin:
    m = json.loads(line)
    cmd = m["cmd"]
    try:
        if cmd == "add":
            handles += [session.add_torrent(params_of(m, t)) for t in m.get("torrents", [None])]
            say(ok=True)
        elif cmd == "peer":
            for h in handles:
                if not m.get("id") or m["id"] == name_of(h):
                    h.connect_peer((m["ip"], m["port"]))
            say(ok=True)
        elif cmd == "torrents":
            say(torrents=list(torrents()))
        elif cmd == "limit":
            for h in handles:
                h.set_upload_limit(m["up"])
                h.set_download_limit(m.get("down", 0))
            say(ok=True)
        elif cmd == "dht_add":
            session.add_dht_node((m["ip"], m["port"]))
            say(ok=True)
        elif cmd == "dht_announce":
            session.dht_announce(sha1_hash(m["hash"]), m["port"], 0)
            say(ok=True)
        elif cmd == "dht_reannounce":
            for h in handles:
                h.force_dht_announce()
            say(ok=True)
        elif cmd == "dht_peers":
            session.dht_get_peers(sha1_hash(m["hash"]))
            alert = wait_for(lambda a: isinstance(a, lt.dht_get_peers_reply_alert) and str(a.info_hash) == m["hash"] and a.num_peers, 10)
            say(peers=[f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip, port in alert.peers()] if alert else [])
        elif cmd == "dht_put":
            name, nodes = dht_put(m)
            say(hash=name, nodes=nodes)
        elif cmd == "dht_get":
            text, seq = dht_get(m)
            say(text=text, seq=seq)
        elif cmd == "dht_nodes":
            session.post_session_stats()
            alert = wait_for(lambda a: isinstance(a, lt.session_stats_alert), 10)
            say(nodes=alert.values["dht.dht_nodes"] if alert else 0)
        elif cmd == "union":
            say(complete=union(m["without"]))
        elif cmd == "quit":
            break
    except RuntimeError as error:
        say(error=str(error))
session.pause()
