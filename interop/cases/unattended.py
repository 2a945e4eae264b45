"""A watch folder that other programs write to; a command, and a notice on the desktop, when what came by it is complete."""
import os
import shutil
import time

from cases.controls import shared
from cases.transmission_rpc import Remote
from desktop import Desktop
from harness import require, require_same, suite, wait

MIB = 1 << 20

# what Transmission gives its scripts (docs/Scripts.md there), and our own; the arguments, to see that no shell read them
SCRIPT = """#!/bin/sh
exec > "$OUT/$TR_TORRENT_HASH.new"
for name in TR_APP_VERSION TR_TIME_LOCALTIME TR_TORRENT_BYTES_DOWNLOADED TR_TORRENT_DIR TR_TORRENT_HASH TR_TORRENT_LABELS \\
    TR_TORRENT_NAME TR_TORRENT_PRIORITY TR_TORRENT_TRACKERS COMPEER_TORRENT_PATH COMPEER_TORRENT_BYTES; do
    eval "echo \\"$name=\\$$name\\""
done
echo "argument=$1"
mv "$OUT/$TR_TORRENT_HASH.new" "$OUT/$TR_TORRENT_HASH"
"""


def said(path):
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def settings(folder, into, command, **more):
    words = ", ".join(f'"{word}"' for word in command)
    more = "".join(f"{name} = {value}\n" for name, value in more.items())
    return f'[watch]\nfolder = "{folder}"\ninto = "{into}"\n[done]\ncommand = [{words}]\n{more}'


def change(t, ours, config, text):
    """Writes the settings, and waits until they hold: they are taken all at once."""
    mark = str(t.sub("marks", str(time.monotonic_ns())))
    config.write_text(f'download_folder = "{mark}"\n{text}')
    wait("the settings hold", lambda: ours.call("GET", "settings")["download_folder"] == mark)


@suite("a watch folder, a command and a notice", limit=300)
def _(t):
    watched, got, out = t.sub("watched"), t.sub("got"), t.sub("out")
    script = t.folder / "when done.sh"
    script.write_text(SCRIPT.replace("$OUT", str(out)))
    script.chmod(0o755)
    # what goes wrong is told in the log alone
    os.environ["COMPEER_LOG"] = "warn"
    with Desktop() as desktop:
        seed, ours = t.start("libtorrent"), t.start("compeer")
        config = ours.home / "config.toml"
        # while it runs
        change(t, ours, config, settings(watched, got, [script, "$(touch x); *"]))
        film = taken_up(t, seed, ours, watched, got)
        told(t, desktop, ours, film, got, out)
        bad(t, ours, watched)
        again(t, seed, ours, watched, got, out, desktop)
        failing(t, seed, ours, watched, got, config)


def taken_up(t, seed, ours, watched, got):
    """-> the torrent"""
    film = shared(t, seed, "a film & <b>more; $(x).mkv", 3 * MIB)
    with t.case("a torrent file that appears bit by bit is taken up when it is whole, and moved to added/"):
        whole = film.path.read_bytes()
        with open(watched / "film.torrent", "wb") as file:
            for at in range(0, len(whole), len(whole) // 4 + 1):
                file.write(whole[at:at + len(whole) // 4 + 1])
                file.flush()
                time.sleep(1.2)
                require(not list(watched.glob("bad/*")), "half a file was read")
        wait("it is there", lambda: film.id in ours.torrents())
        wait("it is out of the way", lambda: (watched / "added/film.torrent").exists() and not (watched / "film.torrent").exists())
        require((watched / "added/film.torrent").read_bytes() == whole, "it was changed")
        Remote(ours)("-t", "1", "-L", "films, to see")
        ours.add_peer(seed.ip, seed.port, film.id)
        ours.wait_done(film.id, 60)
        require_same(t.folder / "source" / film.info.name(), got / film.info.name())
    return film


def told(t, desktop, ours, film, got, out):
    name = film.info.name()
    with t.case("the command has the words of the settings, and of the download what Transmission would say"):
        wait("it ran", (out / film.id).exists)
        values = said(out / film.id)
        require(values["TR_TORRENT_NAME"] == name and values["TR_TORRENT_DIR"] == str(got) and values["TR_TORRENT_HASH"] == film.id, f"{values}")
        require(int(values["TR_TORRENT_BYTES_DOWNLOADED"]) >= 3 * MIB and values["COMPEER_TORRENT_BYTES"] == str(3 * MIB), f"{values}")
        require(values["COMPEER_TORRENT_PATH"] == str(got / name) and values["argument"] == "$(touch x); *", f"{values}")
        require(values["TR_TORRENT_LABELS"] == "films,to see", f"{values}")
        time.strptime(values["TR_TIME_LOCALTIME"], "%a %b %d %H:%M:%S %Y")
    with t.case("the desktop shows a notice, and no name is markup"):
        wait("it is shown", lambda: desktop.notices)
        program, icon, heading, body = desktop.notices[0]
        require((program, icon, heading) == ("Compeer", "compeer", name), f"{desktop.notices}")
        require("3.0 MiB" in body and str(got) in body, body)
    with t.case("of each download it is told once, also after a restart, and never of a share of our own"):
        own = t.sub("own") / "own.txt"
        own.write_text("own")
        ours.call("POST", "shares", {"path": str(own)})
        ours.call("POST", f"torrents/{film.id}/recheck")
        (out / film.id).unlink()
        wait("it is checked", lambda: ours.torrents()[film.id]["done"])
        ours.stop()
        ours.start(keep_home=True)
        wait("it is here again", lambda: film.id in ours.torrents() and ours.torrents()[film.id]["done"])
        time.sleep(4)
        require(not list(out.iterdir()) and len(desktop.notices) == 1, f"{list(out.iterdir())} {desktop.notices}")


def bad(t, ours, watched):
    with t.case("what is no torrent and no link goes to bad/, with the reason"):
        (watched / "x.torrent").write_bytes(b"no torrent at all")
        (watched / "y.magnet").write_text("https://example.org/\n")
        (watched / "z.txt").write_text("not meant")
        wait("both are out of the way", lambda: {p.name for p in watched.glob("bad/*.txt")} == {"x.torrent.txt", "y.magnet.txt"})
        reason = (watched / "bad/y.magnet.txt").read_text()
        require("no magnet link" in reason, reason)
        require("torrent" in (watched / "bad/x.torrent.txt").read_text(), (watched / "bad/x.torrent.txt").read_text())
        require(len(ours.list()) == 2 and (watched / "z.txt").exists(), f"{ours.list()}")


def again(t, seed, ours, watched, got, out, desktop):
    with t.case("a link in a file, twice, is one torrent, and three at once are one notice"):
        several = [shared(t, seed, f"part {n}.bin", MIB // 4) for n in range(3)]
        before = len(desktop.notices)
        # none is complete before all have begun
        seed.limit(10_000)
        for n, torrent in enumerate(several):
            for copy in "ab":
                (watched / f"{n}{copy}.magnet").write_text(torrent.magnet(seed.ip, seed.port) + "\r\n")
        wait("all of them have begun", lambda: {torrent.id for torrent in several} <= {it["id"] for it in ours.list() if it["state"] == "downloading"})
        seed.limit(0)
        for torrent in several:
            ours.wait_done(torrent.id, 60)
            wait("its command ran", (out / torrent.id).exists)
            require_same(t.folder / "source" / torrent.info.name(), got / torrent.info.name())
        wait("the folder is empty", lambda: not list(watched.glob("*.magnet")))
        wait("each is where what was taken up goes", lambda: len(list(watched.glob("added/*.magnet"))) == 6)

        def many():
            return sum(int(heading.split()[0]) if "downloads are complete" in heading else 1 for _, _, heading, _ in desktop.notices[before:])

        wait("the desktop says so", lambda: many() >= 3)
        time.sleep(3)
        require(many() == 3 and len(desktop.notices) - before < 3, f"{desktop.notices[before:]}")


def failing(t, seed, ours, watched, got, config):
    with t.case("a command that fails or never ends is told in the log, and the next one runs"):
        change(t, ours, config, settings(watched, got, ["/bin/sh", "-c", "echo no room left >&2; exit 7"], notify="false"))
        torrents = [shared(t, seed, f"late {n}.bin", MIB // 4) for n in range(2)]
        for n, torrent in enumerate(torrents):
            if n:
                wait("the first one is told", lambda: "no room left" in (ours.home / "log.txt").read_text())
                change(t, ours, config, settings(watched, got, ["/bin/sleep", "1000"], limit_s=1, notify="false"))
            shutil.copy(torrent.path, watched)
            wait("it is there", lambda: torrent.id in ours.torrents())
            ours.add_peer(seed.ip, seed.port, torrent.id)
            ours.wait_done(torrent.id, 60)
        log = ours.home / "log.txt"
        wait("the log says why", lambda: "no room left" in log.read_text() and "did not end within 1 s" in log.read_text())
