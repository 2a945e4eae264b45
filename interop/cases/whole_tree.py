"""A real tree: this system's /usr/share, tens of thousands of files, links and odd names (Evidence 1)."""
import os
import shutil
import subprocess
import time
from pathlib import Path

from commands import Running
from drivers import free_port
from harness import require, suite

TREE = Path("/usr/share")


def copy_bounded(target, most_bytes):
    """Copies the tree folder by folder until so many bytes are there, links as links."""
    count = total = 0
    for folder in sorted(p for p in TREE.iterdir() if p.is_dir() and not p.is_symlink()):
        shutil.copytree(folder, target / folder.name, symlinks=True, ignore_dangling_symlinks=True)
        for path in (target / folder.name).rglob("*"):
            if path.is_file() and not path.is_symlink():
                count, total = count + 1, total + path.stat().st_size
        if total > most_bytes:
            break
    return count, total


def exchange(t, most_bytes, timeout):
    tree = t.sub("source", "share")
    count, total = copy_bounded(tree, most_bytes)
    links = sum(1 for p in tree.rglob("*") if p.is_symlink())
    t.note(files=count, mebibytes=total >> 20, links=links)
    began = time.monotonic()
    with Running(t, "share", tree, "--local", "--listen", f"127.0.0.1:{free_port()}", home=t.sub("alice")) as sharing:
        with t.case("every file arrives"):
            link = sharing.link(timeout)
            t.note(shared_after=f"{time.monotonic() - began:.1f} s")
            began = time.monotonic()
            t.compeer("get", link, "--output", t.sub("got"), "--listen", "127.0.0.2:0", home=t.sub("bob"), timeout=timeout)
            t.note(fetched_after=f"{time.monotonic() - began:.1f} s")
            # what cannot travel is taken out of the original, after it was seen to be named
            named = sharing.errors()
            require(not links or "link" in named, f"links are not mentioned: {named[-300:]}")
            for folder, names, files in os.walk(tree, topdown=False):
                for name in [*names, *files]:
                    path = Path(folder, name)
                    copy = t.folder / "got/share" / path.relative_to(tree)
                    if (path.is_symlink() and not copy.exists()) or (path.is_dir() and not path.is_symlink() and not any(path.iterdir())):
                        path.unlink() if path.is_symlink() else path.rmdir()
            done = subprocess.run(["diff", "-r", str(tree), str(t.folder / "got/share")], capture_output=True, text=True, check=False)
            require(done.returncode == 0, done.stdout[:600] + done.stderr[:300])


@suite("a part of /usr/share", limit=300)
def _(t):
    exchange(t, 20 << 20, 120)


@suite("all of /usr/share", limit=900, prove=True)
def _(t):
    exchange(t, 1 << 40, 600)
