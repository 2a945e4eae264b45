"""Making torrents with any of the makers, and reading their info-hashes with libtorrent."""
import subprocess

import warnings
from urllib.parse import quote

import drivers
from harness import Failed

warnings.simplefilter("ignore")
import libtorrent as lt    # noqa: E402


class Torrent:
    """A torrent file, as libtorrent reads it."""

    def __init__(self, path):
        self.path = path
        self.info = lt.torrent_info(str(path))
        hashes = self.info.info_hashes()
        self.v1 = str(hashes.v1) if hashes.has_v1() else None
        self.v2 = str(hashes.v2) if hashes.has_v2() else None
        self.id = self.v1 or self.v2[:40]

    def magnet(self, ip=None, port=None):
        """A link with nothing but the info-hash, and one peer."""
        topics = [f"xt=urn:btih:{self.v1}"] if self.v1 else []
        topics += [f"xt=urn:btmh:1220{self.v2}"] if self.v2 else []
        return "magnet:?" + "&".join(topics + ([f"x.pe={quote(f'{ip}:{port}', safe=':')}"] if ip else []))


def make(maker, source, out, piece, kind="v1", tracker=None):
    """-> Torrent. The maker is a name of drivers.CREATE, with the kind behind it where it has several."""
    name = maker if kind == "v1" else f"{maker}-{kind}"
    values = {"src": source, "out": out, "kib": piece // 1024, "bytes": piece, "exp": piece.bit_length() - 1}
    command = [part.format(**values) for part in drivers.CREATE[name]]
    if tracker:
        command.append(tracker)     # libtorrent's maker takes one
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    if done.returncode or not out.exists():
        raise Failed(f"{name} made no torrent of {source.name}: {(done.stderr or done.stdout).strip()[-400:]}")
    return Torrent(out)


