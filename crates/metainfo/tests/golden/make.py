"""Makes the torrents in this folder with libtorrent and mktorrent: run it with a Python that has `libtorrent`.

Hybrids and v2 come from libtorrent 2.0.8: 2.1.1 sorts the v1 list of a hybrid by whole paths and then refuses the result
where that differs from the order of the file tree, as it does here (a-b/q, a.txt, a/z.txt).
"""

import os
import subprocess
import sys
import tempfile

import libtorrent as lt

FILES = [("a/z.txt", 3), ("a/empty", 0), ("a-b/q", 2), ("a.txt", 70000), ("B/k", 16384), ("run.sh", 40000),
         ("ünï.txt", 20000)]
C = lt.create_torrent
HERE = os.path.dirname(os.path.abspath(__file__))


def content(path, length):
    return bytes((i * 7 + i // 251 + len(path.encode())) % 251 for i in range(length))


def torrent(root, files, piece, flags, out, **outer):
    fs = lt.file_storage()
    for path, length in files:
        fs.add_file(path, length, lt.file_flags_t.flag_executable if path.endswith("run.sh") else 0)
    try:
        ct = C(fs, piece, flags)  # 2.1
    except Exception:
        ct = C(fs, piece, flags=flags)  # 2.0
    if outer:
        ct.set_priv(True)
        ct.set_comment("A comment")
        ct.set_creator("A program")
        ct.add_tracker("http://one.example/announce", 0)
        ct.add_tracker("udp://two.example:6969", 1)
        ct.add_url_seed("http://seed.example/a/")
        ct.add_url_seed("http://seed.example/b/")
    lt.set_piece_hashes(ct, root)
    made = ct.generate()
    made.pop(b"creation date", None)
    if outer:
        made[b"creation date"] = 1700000000
    with open(os.path.join(HERE, out), "wb") as f:
        f.write(lt.bencode(made))


with tempfile.TemporaryDirectory() as root:
    for path, length in FILES:
        whole = os.path.join(root, "album", path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "wb") as f:
            f.write(content(path, length))
    with open(os.path.join(root, "run.sh"), "wb") as f:
        f.write(content("run.sh", 40000))
    by_path = [("album/" + path, length) for path, length in sorted(FILES, key=lambda f: f[0].encode())]
    if lt.__version__.startswith("2.1"):
        torrent(root, by_path, 32768, C.v1_only, "libtorrent-v1.torrent")
        subprocess.run(["mktorrent", "-d", "-l", "15", "-o", os.path.join(HERE, "mktorrent.torrent"),
                        os.path.join(root, "album")], check=True, stdout=subprocess.DEVNULL)
    else:
        torrent(root, by_path, 16384, 0, "libtorrent-hybrid.torrent")
        torrent(root, by_path, 32768, C.v2_only, "libtorrent-v2.torrent")
        torrent(root, [("run.sh", 40000)], 16384, 0, "libtorrent-single-hybrid.torrent", outer=True)
        torrent(root, [("run.sh", 40000)], 65536, C.v2_only, "libtorrent-single-v2.torrent")
