"""Tools that speak qBittorrent's Web API drive a node, unmodified; what they add completes from a foreign seeder."""
import http.cookiejar
import json
import pathlib
import time
import urllib.error
import urllib.parse
import urllib.request

import payloads
from cases.transmission_rpc import MIB, SLOW, Tracker, album, seeded, token
from harness import require, require_same, suite, wait
from torrents import make


def refused(call, error):
    """-> what it says; the call has to fail so."""
    try:
        call()
    except error as said:
        return str(said)
    raise AssertionError("it said that it was done")


@suite("qbittorrent-api of PyPI", limit=300)
def _(t):
    import qbittorrentapi

    seeder, ours = t.start("libtorrent"), t.start("compeer")
    login = dict(host=f"http://127.0.0.1:{ours.api}", username="anybody")
    with Tracker(seeder) as tracker:
        songs = album(t, "an album", [MIB, 2 * MIB, 70_000])
        first = seeded(t, seeder, songs, tracker.url)
        single = payloads.mid_piece(t.sub("source"))
        second = seeded(t, seeder, single, tracker.url)
        here = t.sub("here")

        with t.case("a wrong password opens nothing, the right one a version that it knows"):
            refused(lambda: qbittorrentapi.Client(**login, password="wrong").auth_log_in(), qbittorrentapi.LoginFailed)
            client = qbittorrentapi.Client(**login, password=token(ours), RAISE_ERROR_FOR_UNSUPPORTED_QBITTORRENT_VERSIONS=True)
            client.auth_log_in()
            require(client.is_logged_in and client.app.version.startswith("v5.1"), client.app.version)
            require(client.app.web_api_version.startswith("2.11"), client.app.web_api_version)
        with t.case("preferences are read and set"):
            client.app.preferences = {"save_path": str(here), "max_ratio_enabled": True, "max_ratio": 4, "up_limit": 50_000}
            now = client.app.preferences
            require((now.save_path, now.max_ratio, now.up_limit) == (str(here), 4, 50_000), f"{now}")
            require(client.app.default_save_path == str(here) and client.transfer.upload_limit == 50_000, "not set")
            client.transfer.upload_limit = 0
            require(client.transfer.info.up_rate_limit == 0, "not set")
            said = refused(lambda: client.app_set_preferences({"dht": not now.dht}), qbittorrentapi.Conflict409Error)
            require("[network]" in said, said)
        with t.case("a torrent file is added with all that can be said of it"):
            seeder.limit(SLOW)
            client.torrents_create_category("music", save_path=str(here / "music"))
            said = client.torrents_add(torrent_files=str(first.path), category="music", tags=["new", "to hear"], ratio_limit=2.5,
                                       inactive_seeding_time_limit=90, is_sequential_download=True, content_layout="Original")
            require(said == "Ok.", said)
            it = client.torrents_info(torrent_hashes=first.id)[0]
            require((it.name, it.category, it.tags) == ("an album", "music", "new, to hear"), f"{it}")
            require(it.save_path == str(here / "music") and it.content_path == str(here / "music" / "an album"), f"{it}")
            require((it.ratio_limit, it.inactive_seeding_time_limit, it.seeding_time_limit, it.seq_dl) == (2.5, 90, -2, True), f"{it}")
            require(client.torrents_add(torrent_files=str(first.path)) == "Fails.", "it was added twice")
        with t.case("peers, trackers, files and pieces are shown while it is fetched"):
            def programs():
                return {at: peer.client for at, peer in client.sync_torrent_peers(torrent_hash=first.id).peers.items()}

            wait("a peer is connected, and says what it is", lambda: any("libtorrent" in program for program in programs().values()))
            require(list(programs()) == [f"{seeder.ip}:{seeder.port}"], f"{programs()}")
            wait("the tracker answered", lambda: client.torrents_trackers(first.id)[-1].status == 2)
            stats = client.torrents_trackers(first.id)[-1]
            require((stats.url, stats.num_seeds, stats.num_leeches) == (tracker.url, 3, 4), f"{stats}")
            files = client.torrents_files(first.id)
            require([(file.name, file.size) for file in files][2] == ("an album/2 song.ogg", 70_000), f"{files}")
            require(set(client.torrents_piece_states(first.id)) <= {0, 1, 2}, "pieces")
            wait("it is told what it does", lambda: client.torrents_info()[0].state in ("downloading", "stalledDL"))
        with t.case("files and limits are changed, and hold"):
            client.torrents_file_priority(first.id, file_ids=[2], priority=0)
            client.torrents_file_priority(first.id, file_ids=[1], priority=6)
            priorities = [file["priority"] for file in ours.call("GET", f"torrents/{first.id}/files")]
            require(priorities == ["normal", "high", "skip"], f"{priorities}")
            client.torrents_set_download_limit(limit=300_000, torrent_hashes=first.id)
            require(client.torrents_download_limit(torrent_hashes=first.id)[first.id] == 300_000, "not set")
            require(ours.call("GET", f"torrents/{first.id}/limits")["download_bytes_per_s"] == 300_000, "not set")
            client.torrents_set_download_limit(limit=-1, torrent_hashes=first.id)
            client.torrents_file_priority(first.id, file_ids=[2], priority=1)
        with t.case("what changed is told, and nothing else"):
            main = client.sync_maindata(rid=0)
            require(main.full_update and main.torrents[first.id].name == "an album" and main.categories.music.name == "music", f"{main}")
            client.torrents_set_share_limits(ratio_limit=-1, seeding_time_limit=-2, inactive_seeding_time_limit=-1, torrent_hashes=first.id)
            delta = client.sync_maindata(rid=main.rid)
            require("full_update" not in delta and delta.torrents[first.id].ratio_limit == -1, f"{delta}")
            require("name" not in delta.torrents[first.id] and "categories" not in delta, f"{delta}")
        seeder.limit(0)
        with t.case("it completes from the seeder, to the byte"):
            wait("it is complete", lambda: client.torrents_info(status_filter="completed"))
            ours.wait_done(first.id, 60)
            require_same(songs, here / "music" / songs.name)
            it = client.torrents_properties(first.id)
            require(it.pieces_have == it.pieces_num and it.total_downloaded >= 3 * MIB and it.completion_date > 0, f"{it}")
        with t.case("a magnet is added, and completes by the tracker that it names"):
            link = f"{second.magnet()}&tr={urllib.parse.quote(tracker.url, safe='')}"
            require(client.torrents_add(urls=link, is_stopped=True) == "Ok.", "not added")
            require(client.torrents_info(torrent_hashes=second.id)[0].state == "stoppedDL", "it is not stopped")
            client.torrents_start(torrent_hashes=second.id)
            ours.wait_done(second.id, 60)
            require_same(single, here / single.name)
            require(client.torrents_export(second.id).startswith(b"d"), "no torrent file")
        with t.case("stop, recheck, start, announce"):
            client.torrents_stop(torrent_hashes=second.id)
            wait("it stopped", lambda: client.torrents_info(torrent_hashes=second.id)[0].state == "stoppedUP")
            client.torrents_start(torrent_hashes=second.id)
            client.torrents_recheck(torrent_hashes=second.id)
            wait("it seeds", lambda: client.torrents_info(torrent_hashes=second.id)[0].state in ("stalledUP", "uploading"))
            client.torrents_reannounce(torrent_hashes="all")
            client.torrents_add_trackers(second.id, urls=f"{tracker.url}?second")
            require(len(client.torrents_trackers(second.id)) == 5, "not added")
        with t.case("categories and tags"):
            client.torrents_set_category(category="music", torrent_hashes=second.id)
            require(len(client.torrents_info(category="music")) == 2, "not there")
            client.torrents_remove_tags(tags="new", torrent_hashes=first.id)
            client.torrents_add_tags(tags="heard", torrent_hashes="all")
            require(sorted(client.torrents_tags()) == ["heard", "new", "to hear"], f"{client.torrents_tags()}")
            listed = lambda query: [it["id"] for it in ours.call("GET", f"torrents?{query}")]
            require((listed("label=to%20hear"), sorted(listed("category=music"))) == ([first.id], sorted([first.id, second.id])), f"{listed('')}")
            ours.call("PUT", "categories", {"name": "films/old", "folder": str(here)})
            ours.call("PATCH", f"torrents/{second.id}", {"labels": {"add": ["seen"]}, "category": "films/old"})
            (it,) = client.torrents_info(tag="seen")
            require((it.hash, it.category, client.torrents_categories()["films/old"]["savePath"]) == (second.id, "films/old", str(here)), f"{it}")
            ours.call("DELETE", "labels/seen")
            ours.call("DELETE", "categories/films%2Fold")
            require("seen" not in client.torrents_tags() and client.torrents_info(torrent_hashes=second.id)[0].category == "", "still there")
            client.torrents_remove_categories(categories="music")
            require({it.category for it in client.torrents_info()} == {""}, "still there")
            require(ours.list() != [], "nothing is here")
        with t.case("the content is moved"):
            there = t.sub("there")
            client.torrents_set_location(location=str(there), torrent_hashes=first.id)
            wait("it is there", lambda: client.torrents_info(torrent_hashes=first.id)[0].save_path == str(there))
            require_same(songs, there / songs.name)
        with t.case("what there is not is refused in words"):
            for call in (lambda: client.torrents_top_priority(first.id), lambda: client.torrents_rename(first.id, "x"),
                         lambda: client.torrents_remove_trackers(second.id, urls=tracker.url)):
                require(len(refused(call, qbittorrentapi.Conflict409Error)) > 30, "no words")
        with t.case("a torrent goes, and its data stays or goes with it"):
            client.torrents_delete(delete_files=False, torrent_hashes=second.id)
            require((here / single.name).exists(), "its data went")
            client.torrents_delete(delete_files=True, torrent_hashes=first.id)
            wait("it is gone", lambda: client.torrents_info() == [] and not (there / songs.name).exists())
            client.auth_log_out()
            require(not client.is_logged_in, "still logged in")


class Series:
    """What programs that fetch series send, request by request, with nothing but an HTTP client."""

    def __init__(self, ours, password):
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)
        self.base = f"http://127.0.0.1:{ours.api}/api/v2/"
        self.login = self("auth/login", username="anybody", password=password)

    def __call__(self, path, **form):
        data = urllib.parse.urlencode(form).encode() if form else None
        with self.opener.open(urllib.request.Request(self.base + path, data), timeout=60) as answer:
            return answer.read().decode()

    def upload(self, path, content, **form):
        parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() for name, value in form.items()]
        parts.append(b'--x\r\nContent-Disposition: form-data; name="torrents"; filename="a.torrent"\r\nContent-Type: application/x-bittorrent\r\n\r\n')
        request = urllib.request.Request(self.base + path, b"".join(parts) + content + b"\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"})
        with self.opener.open(request, timeout=60) as answer:
            return answer.read().decode()


@suite("programs that fetch series", limit=180)
def _(t):
    seeder, ours = t.start("libtorrent"), t.start("compeer")
    content = payloads.mid_piece(t.sub("source"))
    torrent = make("libtorrent", content, t.folder / "one.torrent", payloads.PIECE)
    seeder.add([torrent.path], content.parent, seed=True)
    seeder.wait_done(torrent.id, 60)

    with t.case("they see that they have to log in, and do"):
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            opener.open(f"http://127.0.0.1:{ours.api}/api/v2/app/webapiVersion", timeout=60)
            require(False, "it was let in")
        except urllib.error.HTTPError as error:
            require(error.code == 403, f"{error}")
        require(Series(ours, "wrong").login == "Fails.", "it was let in")
        series = Series(ours, token(ours))
        require(series.login == "Ok.", series.login)
        require([int(part) for part in series("app/webapiVersion").split(".")] >= [2, 11, 0], "too old for them")
    with t.case("their test of the settings passes"):
        preferences = json.loads(series("app/preferences"))
        require(preferences["max_ratio_act"] == 0 and preferences["queueing_enabled"] is False, f"{preferences}")
        require(preferences["save_path"].startswith("/"), f"{preferences}")
        series("torrents/createCategory", category="tv")
        require("tv" in json.loads(series("torrents/categories")), "no category")
    with t.case("what they grab is fetched, in their category, and they find it"):
        said = series.upload("torrents/add", torrent.path.read_bytes(), category="tv", stopped="False", ratioLimit="1.5", seedingTimeLimit="2880")
        require(said == "Ok.", said)
        require(json.loads(series(f"torrents/properties?hash={torrent.id}"))["save_path"] == preferences["save_path"], "elsewhere")
        series("torrents/addTags", hashes=torrent.id, tags="a,b")
        series("torrents/setForceStart", hashes=torrent.id, value="true")
        try:
            series("torrents/topPrio", hashes=torrent.id)
            require(False, "there is no queue")
        except urllib.error.HTTPError as error:
            require(error.code == 409, f"{error}")
        seeder.add_peer(ours.ip, ours.port, torrent.id)

        def mine():
            return json.loads(series("torrents/info?category=tv"))[0]

        wait("it is complete", lambda: mine()["progress"] == 1 and mine()["state"] in ("uploading", "stalledUP"))
        it = mine()
        require((it["ratio_limit"], it["seeding_time_limit"], it["category"]) == (1.5, 2880, "tv"), f"{it}")
        require(it["content_path"] == f"{it['save_path']}/{content.name}" and abs(it["last_activity"] - time.time()) < 300, f"{it}")
        require_same(content, pathlib.Path(it["content_path"]))
    with t.case("what they imported goes into another category, and is deleted with its data in the end"):
        series("torrents/createCategory", category="tv-imported")
        series("torrents/setCategory", hashes=torrent.id, category="tv-imported")
        require(json.loads(series("torrents/info?category=tv")) == [], "still in the first")
        series("torrents/delete", hashes=torrent.id, deleteFiles="true")
        require(json.loads(series("torrents/info")) == [] and ours.list() == [], "still there")
