"""What is sent in the interop tests: made of seeded random bytes, the same every time."""
import random
import unicodedata

PIECE = 64 * 1024       # piece length of the tests: small, so that little data has many pieces


def one_file(root):
    path = root / "one file.bin"
    path.write_bytes(random.Random(1).randbytes(3 * 1024 * 1024))
    return path


def mid_piece(root):
    """Ends in the middle of a piece, and there in the middle of a block."""
    path = root / "mid-piece.bin"
    path.write_bytes(random.Random(2).randbytes(7 * PIECE + 16 * 1024 + 4711))
    return path


def small_files(root):
    """2,000 files of some hundred bytes: each piece has many of them."""
    rng = random.Random(3)
    folder = root / "small files"
    for i in range(2000):
        d = folder / f"{i // 100:02d}"
        d.mkdir(parents=True, exist_ok=True)
        (d / f"{i:04d}.txt").write_bytes(rng.randbytes(rng.randrange(1, 1500)))
    return folder


def empty_things(root):
    """Empty files first, last and between, and folders that hold nothing (no torrent can carry those)."""
    folder = root / "empty things"
    for name in ("a folder", "z folder/inner"):
        (folder / name).mkdir(parents=True)
    for name in ("0 empty", "deep/er/empty", "zz empty"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "middle.bin").write_bytes(random.Random(4).randbytes(2 * PIECE + 99))
    (folder / "tiny").write_bytes(b"x")
    return folder


def unicode_names(root):
    """Names of many scripts, composed and decomposed, and characters that are special to shells only."""
    rng = random.Random(5)
    folder = root / "Grüße 名前"
    names = ["Ärger.txt", unicodedata.normalize("NFD", "é decomposed"), "日本語/ファイル.bin", "עברית", "emoji 🦀.txt",
             "spaces  and 'quotes' & $dollar; (x) [y] {z}", "Кириллица/текст", "dots...in.name", "-dash", "%41 percent", "#hash"]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(rng.randbytes(rng.randrange(100, 30000)))
    return folder


def by_magnet(root):
    """Fetched with nothing but a magnet and the seeder's address: several blocks of metadata are not needed for that."""
    folder = root / "by magnet"
    folder.mkdir()
    (folder / "a.bin").write_bytes(random.Random(6).randbytes(300_000))
    (folder / "b.bin").write_bytes(random.Random(7).randbytes(123_456))
    return folder


def around_a_folder(root):
    """Names that lie before `deep/` where whole paths are compared (v1), and behind it where components are (v2)."""
    folder = root / "around a folder"
    (folder / "deep").mkdir(parents=True)
    for name in ("deep-", "deep.txt", "deep/er", "deep0"):
        (folder / name).write_bytes(name.encode())
    return folder


ALL = {"one file": one_file, "2,000 small files": small_files, "empty files and folders": empty_things, "unicode names": unicode_names,
       "ends in mid-piece": mid_piece, "magnet with only the peer's address": by_magnet}
