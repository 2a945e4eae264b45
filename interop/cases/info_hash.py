"""Torrents that Compeer creates have the info-hashes that libtorrent and mktorrent compute for the same input (Evidence 1)."""
import payloads
from cases import SUBJECT
from harness import require, suite
from torrents import make


@suite("info-hashes of created torrents", limit=240)
def _(t):
    source, out = t.sub("source"), t.sub("torrents")
    content = {name: make_payload(source) for name, make_payload in payloads.ALL.items()}
    # libtorrent's own hybrid of these is one that it cannot read: it sorts both halves by the whole path
    around = payloads.around_a_folder(source)
    for maker, kinds in (("libtorrent", ("v1", "v2", "hybrid")), ("mktorrent", ("v1",))):
        for kind in kinds:
            for piece in (payloads.PIECE, 256 * 1024):
                with t.case(f"{kind} as {maker}, pieces of {piece // 1024} KiB"):
                    compare(content | ({} if kind == "hybrid" else {"names around a folder": around}), out, maker, kind, piece)
    if SUBJECT == "compeer":
        with t.case("twice the same bytes for the same input"):
            name, path = next(iter(content.items()))
            first, second = (out / f"{i}.torrent" for i in (1, 2))
            for target in (first, second):
                t.compeer("torrent", "create", path, "--output", target)
            require(first.read_bytes() == second.read_bytes(), "the two files differ")


def compare(content, out, maker, kind, piece):
    differ = []
    for name, path in content.items():
        theirs = make(maker, path, out / f"{maker}-{kind}-{piece}-{path.name}.torrent", piece, kind)
        ours = make(SUBJECT, path, out / f"ours-{kind}-{piece}-{path.name}.torrent", piece, kind)
        if (ours.v1, ours.v2) != (theirs.v1, theirs.v2):
            differ.append(name)
    require(not differ, "other info-hashes for: " + "; ".join(differ))
