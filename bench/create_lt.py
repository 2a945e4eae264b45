"""libtorrent's own hashing: create_lt.py v1|v2|hybrid SRC OUT KIB [TRACKER]

For v1 the files are named in the order of their paths' bytes, as mktorrent has them: left alone, libtorrent takes a
folder's own order, another one each time.
Prints the id (v1 info-hash, or the first 20 bytes of the v2 one), then both info-hashes in full."""
import os
import sys
import warnings

warnings.simplefilter("ignore")    # 2.1 deprecates calls that 2.0 still needs
import libtorrent as lt
kind, src, out, kib = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3], int(sys.argv[4])
fs = lt.file_storage()
if kind == "v1" and os.path.isdir(src):
    top = os.path.dirname(os.fsencode(src))
    files = [os.path.join(folder, name) for folder, _, names in os.walk(os.fsencode(src)) for name in names]
    for path in sorted(files):
        fs.add_file(os.fsdecode(os.path.relpath(path, top)), os.path.getsize(path))
else:
    lt.add_files(fs, src)
flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}[kind]
t = lt.create_torrent(fs, piece_size=kib * 1024, flags=flags)
if len(sys.argv) > 5:
    t.add_tracker(sys.argv[5])
lt.set_piece_hashes(t, os.path.dirname(src))
open(out, "wb").write(lt.bencode(t.generate()))
hashes = lt.torrent_info(out).info_hashes()
print(str(hashes.v1 if hashes.has_v1() else hashes.v2)[:40], hashes.v1 if hashes.has_v1() else "-", hashes.v2 if hashes.has_v2() else "-")
