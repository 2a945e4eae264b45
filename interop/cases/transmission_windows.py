"""Programs with windows that were made for Transmission drive a node, unmodified: what they show is ours, and what is pressed in them happens here."""
import json
import re
import sys
import urllib.parse
from pathlib import Path

from cases.transmission_rpc import MIB, SLOW, Tracker, album, seeded, token
from harness import require, require_same, suite
from tmux import Tmux
from windows import Screen, waited


def link(torrent, tracker):
    return f"{torrent.magnet()}&tr={urllib.parse.quote(tracker.url, safe='')}"


def state(ours, torrent):
    return ours.call("GET", f"torrents/{torrent.id}")["state"]


def priorities(ours, torrent):
    return [file["priority"] for file in ours.call("GET", f"torrents/{torrent.id}/files")]


def names(ours):
    return sorted(it["name"] for it in ours.list())


class Gtk:
    """Debian's transmission-remote-gtk. It tells a screen reader no names in its list, so they are read from the page about the row that is chosen."""
    TITLE = "Transmission Remote"

    def __init__(self, screen, ours):
        self.screen, self.home = screen, screen.t.sub("gtk")
        profile = {"profile-name": "Compeer", "hostname": "127.0.0.1", "port": ours.api, "username": "anybody", "password": token(ours), "auto-connect": True, "update-interval": 1}
        settings = screen.t.sub("gtk", ".config", "transmission-remote-gtk") / "config.json"
        settings.write_text(json.dumps({"profiles": [profile], "profile-id": 0}))
        self.windows = screen.start("transmission-remote-gtk", home=self.home, name="transmission-remote-gtk")
        self.windows.find("radio menu item", "Classic Style").press()
        everything = list(self.windows.below())
        self.tables = [it for it in everything if it.role() in ("table", "tree table")]
        self.parts = {(it.role(), it.name()): (it, before) for before, it in zip(everything, everything[1:])}

    def hand(self, what):
        """Calls the program with a torrent, as a desktop does: the one that runs takes it; -> its question."""
        self.screen.launch("transmission-remote-gtk", what, home=self.home)
        return self.windows.opens("dialog", "Add Torrent")

    def table(self, number):
        """-> the states, the torrents, the trackers, the files or the peers."""
        return self.tables[number]

    def about(self, what):
        """What the page about the chosen torrent says."""
        return self.parts["label", f"{what}:"][1].name()

    def listed(self):
        """-> {name: what it does} of all rows."""
        torrents, found = self.table(1), {}
        for row in range(torrents.rows()):
            torrents.choose(row)
            found[self.about("Name")] = torrents.cell(row, 3).name()
        return found

    def choose(self, name):
        def look():
            torrents = self.table(1)
            for row in range(torrents.rows()):
                torrents.choose(row)
                if self.about("Name") == name:
                    return True
        waited(f"{name} in the list", look)

    def press(self, item):
        self.parts["menu item", item][0].press()


@suite("transmission-remote-gtk", limit=400)
def _(t):
    seeder, ours = t.start("libtorrent"), t.start("compeer")
    with Tracker(seeder) as tracker, Screen(t) as screen:
        songs, talk, spare = (seeded(t, seeder, album(t, *it), tracker.url) for it in (("songs", [MIB, 90_000, MIB]), ("a talk", [40 * MIB]), ("spare", [MIB, 50_000])))
        seeder.limit(SLOW)
        here = t.sub("here")
        ours.add([talk.path], here)
        with t.case("it connects, and shows what is here and what it does"):
            gtk = Gtk(screen, ours)
            waited("the transfer is listed", lambda: gtk.listed() == {"a talk": "Downloading"})
            for what, told in (("Hash", talk.id), ("Location", str(here))):
                waited(f"{what}: {told}", lambda: gtk.about(what) == told)
            waited("what its tracker said is shown", lambda: gtk.table(2).cell(0, 6).name() == "Success")
            said = lambda: [it.name() for it in gtk.windows.all("label")]
            waited("it is connected", lambda: any(it.startswith("Connected: Compeer :: 4.1") for it in said()))
        with t.case("a torrent file is added, with a folder, paused"):
            question = gtk.hand(songs.path)
            shown = lambda: [name for name in (it.name() for it in question.all("table cell")) if name.endswith(".ogg")]
            waited("its files are shown", lambda: shown() == [f"{n} song.ogg" for n in range(3)])
            question.find("text").write(str(here))
            question.find("check box", "Start paused").press()
            question.find("push button", "Open").press()
            waited("it is here", lambda: names(ours) == ["a talk", "songs"])
            waited("it is looked at", lambda: state(ours, songs) != "checking")
            it = ours.call("GET", f"torrents/{songs.id}")
            require((it["state"], it["folder"]) == ("paused", str(here)), f"{it}")
            waited("it is listed", lambda: gtk.listed() == {"a talk": "Downloading", "songs": "Paused"})
        with t.case("its files are shown, and it is resumed and paused"):
            gtk.choose("songs")
            gtk.windows.find("page tab list").call("Selection", "SelectChild", "i", 2)
            waited("the files are listed", lambda: gtk.table(3).rows() == 4)
            gtk.press("Resume")
            waited("it is fetched", lambda: state(ours, songs) != "paused")
            waited("it is shown", lambda: gtk.listed().get("songs") in ("Downloading", "Seeding"))
            gtk.choose("songs")
            gtk.press("Pause")
            waited("it is paused", lambda: state(ours, songs) == "paused")
        with t.case("limits of a torrent and of everything are set"):
            gtk.choose("a talk")
            gtk.press("Properties")
            limits = gtk.windows.opens("dialog", "a talk")
            limits.find("check box", "Limit download speed (KiB/s)").press()
            limits.before("check box", "Limit download speed (KiB/s)").turn(300)
            limits.before("label", "Peer limit:").turn(17)
            limits.find("push button", "OK").press()
            wanted = {"download_bytes_per_s": 300_000, "upload_bytes_per_s": None, "connections": 17}
            waited("they are set", lambda: ours.call("GET", f"torrents/{talk.id}/limits") == wanted)
            gtk.press("Remote Preferences")
            limits = gtk.windows.opens("dialog", "Remote Preferences")
            limits.find("check box", "Up Limit (KiB/s)").press()
            limits.before("check box", "Up Limit (KiB/s)").turn(700)
            limits.find("push button", "OK").press()
            waited("they are set", lambda: ours.call("GET", "limits")["upload_bytes_per_s"] == 700_000)
        seeder.limit(0)
        with t.case("a magnet is added, and completes"):
            question = gtk.hand(link(spare, tracker))
            question.find("text").write(str(here))
            question.find("push button", "Open").press()
            waited("it is here", lambda: "spare" in names(ours))
            ours.wait_done(spare.id, 60)
            require_same(t.folder / "source" / "spare", here / "spare")
            waited("it is shown", lambda: gtk.listed().get("spare") == "Seeding")
        with t.case("a torrent goes, and its data stays or goes with it"):
            # a row that is chosen while it goes would end this program
            for name, key, answer, stays, left in (("spare", "Delete", "Remove", True, 2), ("songs", "shift+Delete", "Delete", False, 1)):
                gtk.choose(name)
                screen.key(gtk.TITLE, key)
                gtk.windows.opens("alert").find("push button", answer).press()
                waited("it is gone", lambda: name not in names(ours))
                waited(f"its data stays: {stays}", lambda: (here / name).exists() == stays)
                waited("it is not shown", lambda: gtk.table(1).rows() == left)
            waited("the other stays", lambda: list(gtk.listed()) == ["a talk"])


class Qt:
    """Debian's transmission-qt, Transmission's own, in its remote mode."""
    TITLE, ABOUT = "Transmission - 127.0.0.1", "Torrent Properties"

    def __init__(self, screen, ours):
        self.screen, self.home = screen, screen.t.sub("qt")
        settings = {"remote-session-enabled": True, "remote-session-host": "127.0.0.1", "remote-session-port": ours.api, "remote-session-requres-authentication": True,
                    "remote-session-username": "anybody", "remote-session-password": token(ours), "user-has-given-informed-consent": True, "show-options-window": False, "prompt-before-exit": False}
        (self.home / "settings.json").write_text(json.dumps(settings))
        self.windows = screen.start("transmission-qt", "--config-dir", self.home, home=self.home, name="transmission")
        everything = list(self.windows.below())
        self.list = next(it for it in everything if it.role() == "list")
        self.items = {it.name(): it for it in everything if it.role() == "menu item"}

    def hand(self, what):
        """Calls the program with a torrent, as a desktop does: the one that runs takes it."""
        self.screen.launch("transmission-qt", "--config-dir", self.home, what, home=self.home)

    def listed(self):
        return [it.name() for it in self.list.children()]

    def choose(self, name):
        waited(f"{name} in the list", lambda: name in self.listed())
        self.list.choose(self.listed().index(name))

    def press(self, item):
        """Presses what is in a menu, as soon as it can be."""
        waited(f"{item} can be pressed", self.items[item].can_be_pressed)
        self.items[item].press()

    def page(self, name):
        """Opens a page about the chosen torrent; -> the window of all pages."""
        about = self.windows.opened("dialog", self.ABOUT)
        if not about:
            self.press("Properties")
            about = self.windows.opens("dialog", self.ABOUT)
        about.find("page tab", name).press()
        return about


@suite("transmission-qt", limit=400)
def _(t):
    seeder, ours = t.start("libtorrent"), t.start("compeer")
    with Tracker(seeder) as tracker, Screen(t) as screen:
        songs, talk, spare = (seeded(t, seeder, album(t, *it), tracker.url) for it in (("songs", [MIB, 90_000, MIB]), ("a talk", [40 * MIB]), ("spare", [MIB, 50_000])))
        seeder.limit(SLOW)
        ours.add([talk.path], t.sub("here"))
        home = ours.home
        with t.case("it connects, and shows what is here and all about it"):
            qt = Qt(screen, ours)
            waited("the transfer is listed", lambda: qt.listed() == ["a talk"])
            qt.choose("a talk")
            said = lambda: [it.name() for it in qt.page("Information").all("label")]
            waited("it is told", lambda: {talk.id, str(t.sub("here")), "Downloading", "Public torrent", "41.94 MB (640 pieces @ 64.00 KiB)"} <= set(said()))
            waited("its peer is shown", lambda: [it for it in qt.page("Peers").all("tree item") if it.name() == seeder.ip])
            waited("its tracker is shown", lambda: [it for it in qt.page("Tracker").all("list item") if it.name() == tracker.url])
        with t.case("a limit is set in the window about it"):
            about = qt.page("Options")
            about.find("check box", "Limit upload speed:").focus()
            screen.key(qt.ABOUT, "space")
            kilobytes = about.find("spin box", number=1)
            waited("it can be written into", kilobytes.can_be_pressed)
            kilobytes.focus()
            screen.key(qt.ABOUT, "ctrl+a", "5", "5", "Tab")
            limits = lambda: ours.call("GET", f"torrents/{talk.id}/limits")["upload_bytes_per_s"]
            waited("it is set", lambda: limits() == 55_000)
            about.find("push button", "Close").press()
        with t.case("a torrent file is added, and its files chosen"):
            qt.hand(songs.path)
            waited("it is here", lambda: names(ours) == ["a talk", "songs"])
            qt.choose("songs")
            about = qt.page("Files")
            files = about.find("tree", number=1)
            waited("its files are shown", lambda: files.all("tree item", "2 song.ogg"))
            about.find("page tab list").focus()
            screen.key(qt.ABOUT, "Tab")
            files.choose(2)
            screen.key(qt.ABOUT, "space")
            waited("it is set", lambda: priorities(ours, songs) == ["normal", "skip", "normal"])
            about.find("push button", "Close").press()
        with t.case("it is paused and started"):
            qt.choose("songs")
            for item, paused in (("Pause", True), ("Start", False)):
                qt.press(item)
                waited(f"{item} is done", lambda: (state(ours, songs) == "paused") == paused)
        seeder.limit(0)
        with t.case("a magnet is added, and completes"):
            qt.hand(link(spare, tracker))
            waited("it is here", lambda: "spare" in names(ours))
            ours.wait_done(spare.id, 60)
            require_same(t.folder / "source" / "spare", home / "spare")
            waited("all are listed", lambda: qt.listed() == ["a talk", "songs", "spare"])
        with t.case("a torrent goes, and its data stays or goes with it"):
            for name, key, stays in (("spare", "Delete", True), ("songs", "shift+Delete", False)):
                qt.choose(name)
                waited("it can be removed", qt.items["Remove"].can_be_pressed)
                screen.key(qt.TITLE, key)
                qt.windows.opens("alert message").find("push button", "OK").press()
                waited("it is gone", lambda: name not in names(ours))
                waited(f"its data stays: {stays}", lambda: (home / name).exists() == stays)
                waited("it is not shown", lambda: name not in qt.listed())


@suite("tremcf", limit=300)
def _(t):
    seeder, ours = t.start("libtorrent"), t.start("compeer")
    program = Path(sys.executable).parent / "tremcf"
    with Tracker(seeder) as tracker:
        songs, talk = (seeded(t, seeder, album(t, *it), tracker.url) for it in (("songs", [MIB, 90_000]), ("talk", [40 * MIB])))
        seeder.limit(SLOW)
        ours.add([talk.path], t.sub("here"))
        with Tmux(t, home=t.sub("tremcf"), width=120, height=30) as screen:
            with t.case("it lists what is here, and what is added meanwhile"):
                screen.type(f"{program} --connect anybody:{token(ours)}@127.0.0.1:{ours.api}", "Enter")
                screen.sees(r"^talk ")
                screen.sees(r"downloading .* 1 peer ")
                ours.add([songs.path], t.sub("here"))
                screen.sees(r"^songs ")
            with t.case("all about one is shown"):
                screen.type("End", "Enter")
                screen.sees(f"Hash: {talk.id}")
                screen.type("t")
                screen.sees(rf"{re.escape(tracker.url)}")
            with t.case("a file's priority is raised"):
                screen.type("f")
                screen.sees(r"normal .*0 song\.ogg")
                screen.type("Down", "l")
                screen.sees(r"high .*0 song\.ogg")
                waited("it is set", lambda: priorities(ours, talk) == ["high"])
                screen.type("q")
                screen.sees("Torrents:2")
            with t.case("one is paused and started"):
                screen.type("p")
                waited("it is paused", lambda: state(ours, talk) == "paused")
                screen.sees("paused")
                screen.type("p")
                waited("it is started", lambda: state(ours, talk) == "downloading")
            with t.case("one is removed"):
                screen.type("r")
                screen.sees("Remove")
                screen.type("y")
                waited("it is gone", lambda: names(ours) == ["songs"])
                screen.misses("^talk ")
