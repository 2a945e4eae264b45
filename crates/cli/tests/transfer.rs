//! Sharing and getting, as a person does it: two terminals, one home or two, Ctrl-C and going on.
#![cfg(unix)]

mod common;

use std::time::{Duration, Instant};

use common::{Place, Running, assert_same, finish, json, ok, stderr, stdout};

const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

fn share(place: &Place, path: &str, more: &[&str]) -> (Running, String) {
    let mut words = vec!["share", path];
    words.extend(LISTEN);
    words.extend(more);
    let mut running = place.start(&words);
    let link = running.line();
    assert!(link.starts_with("magnet:?"), "{link}");
    (running, link)
}

#[test]
fn a_folder_goes_from_one_home_to_another() {
    for option in ["--no-tracker", "--hybrid", "--v2"] {
        let place = Place::new();
        let photos = place.photos("source");
        let (sharing, link) = share(&place, "source/photos", &[option]);
        assert!(link.contains("x.pe=127.0.0.1"), "{link}");
        let got = ok(place.run_in("bob", &["get", &link, "--output", "got", "--listen", "127.0.0.2:0"]));
        assert_eq!(stdout(&got).trim(), place.join("got/photos").to_str().unwrap());
        assert_same(&photos, &place.join("got/photos"));
        let (code, text) = sharing.interrupt();
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("Sharing photos") && text.contains(" get 'magnet:?"), "{text}");
    }
}

#[test]
fn a_second_terminal_with_the_same_home_simply_works() {
    let place = Place::new();
    let photos = place.photos("source");
    let (sharing, link) = share(&place, "source/photos", &[]);

    let got = ok(place.run(&["get", &link, "--output", "got"]));
    assert_same(&photos, &place.join("got/photos"));
    assert!(stderr(&got).contains("Copied photos"), "{}", stderr(&got));

    // Once more: it is there, and right.
    let again = json(place.run(&["get", &link, "--output", "got", "--json"]));
    assert_eq!(again["path"], place.join("got/photos").to_str().unwrap());

    // To where it is shared from: nothing to copy.
    let here = ok(place.run(&["get", &link, "--output", "source"]));
    assert!(stderr(&here).contains("here already"), "{}", stderr(&here));

    // Something else has the name: it is left alone.
    std::fs::create_dir(place.join("other")).unwrap();
    std::fs::write(place.join("other/photos"), b"mine").unwrap();
    let refused = place.run(&["get", &link, "--output", "other"]);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    assert_eq!(std::fs::read(place.join("other/photos")).unwrap(), b"mine");

    // A second share hands over to the first.
    place.file("film.bin", 100_000, 9);
    let mut second = place.start(&["share", "film.bin"]);
    assert!(second.line().starts_with("magnet:?"));
    let listed = json(place.run(&["list", "--json"]));
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(second.interrupt().0, Some(0));
    assert_eq!(sharing.interrupt().0, Some(0));
}

#[test]
fn who_followed_a_node_goes_on_when_it_ends() {
    let place = Place::new();
    place.photos("source");
    place.file("film.bin", 100_000, 9);
    let (first, _) = share(&place, "source/photos", &[]);
    let (second, link) = share(&place, "film.bin", &[]);
    assert_eq!(first.interrupt().0, Some(0));
    // The second has become the node; the link still names the first one's port, so another copy needs the home.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let got = place.run(&["get", &link, "--output", "got"]);
        if got.status.success() {
            break;
        }
        assert!(Instant::now() < deadline, "{}", stderr(&got));
    }
    assert_same(&place.join("film.bin"), &place.join("got/film.bin"));
    let (code, text) = second.interrupt();
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn a_get_of_more_files_than_the_last_one_fetches_the_rest() {
    let place = Place::new();
    let photos = place.photos("source");
    let (_sharing, link) = share(&place, "source/photos", &[]);
    ok(place.run(&["torrent", "create", "source/photos"]));
    let peer = link.split("x.pe=").nth(1).unwrap();
    let get = ["get", "photos.torrent", "--peer", peer, "--output", "got", "--listen", "127.0.0.2:0"];
    let missing = |number: &str| {
        ok(place.run_in("bob", &[&get[..], &["--files", number]].concat()));
        std::fs::read_dir(place.join("got/photos")).unwrap().count()
    };
    let first = missing("0");
    assert!(missing("1") >= first);
    ok(place.run_in("bob", &get));
    assert_same(&photos, &place.join("got/photos"));
}

#[test]
fn a_stopped_get_goes_on_where_it_was() {
    let place = Place::new();
    let film = place.file("source/film.bin", 6_000_000, 5);
    let (_sharing, link) = share(&place, "source/film.bin", &["--up-limit", "2M"]);
    let get = ["get", &link, "--output", "got", "--listen", "127.0.0.2:0"];
    let mut words = get.to_vec();
    words.extend(["--json"]);
    let getting = place.start_in("bob", &words);
    let part = place.join("got/film.bin.part");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !part.metadata().is_ok_and(|found| found.len() > 1_000_000) {
        assert!(Instant::now() < deadline, "nothing arrives");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (code, text) = getting.interrupt();
    assert_eq!(code, Some(130), "{text}");
    assert!(part.exists() && !place.join("got/film.bin").exists());
    let done = json(place.run_in("bob", &words));
    assert_same(&film, &place.join("got/film.bin"));
    let downloaded = done["downloaded_bytes"].as_u64().unwrap();
    // All of both runs: what arrived before Ctrl-C is not fetched again, but for a few pieces that were half there.
    assert!(downloaded < 6_000_000 + 1_000_000, "{downloaded} bytes for 6,000,000");
}

#[test]
fn a_killed_node_leaves_a_home_that_works() {
    let place = Place::new();
    let photos = place.photos("source");
    let (mut sharing, _) = share(&place, "source/photos", &[]);
    sharing.kill();
    let (_sharing, link) = share(&place, "source/photos", &[]);
    ok(place.run_in("bob", &["get", &link, "--output", "got", "--listen", "127.0.0.2:0"]));
    assert_same(&photos, &place.join("got/photos"));
}

#[test]
fn ctrl_c_ends_hashing_at_once() {
    let place = Place::new();
    // Sparse: nothing to write, much to hash.
    std::fs::File::create(place.join("huge")).unwrap().set_len(40 << 30).unwrap();
    let mut command = place.command(&["share", "huge"]);
    command.args(LISTEN);
    let sharing = place.start(&["share", "huge", "--listen", "127.0.0.1:0"]);
    std::thread::sleep(Duration::from_millis(700));
    let begun = Instant::now();
    let (code, text) = sharing.interrupt();
    assert_eq!(code, Some(130), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
}

#[test]
fn what_was_changed_since_is_noticed() {
    let place = Place::new();
    let photos = place.photos("source");
    let (_sharing, link) = share(&place, "source/photos", &[]);
    std::fs::write(photos.join("note.txt"), b"other").unwrap();
    let got = place.run(&["get", &link, "--output", "got", "--wait", "2s"]);
    assert_eq!(got.status.code(), Some(1), "{}", stderr(&got));
    assert!(!place.join("got/photos/note.txt").exists(), "a wrong file was left behind");
}

#[test]
fn a_daemon_serves_all_commands() {
    let place = Place::new();
    place.photos("source");
    ok(place.run(&["torrent", "create", "source/photos"]));
    let mut up = place.start(&["up", "--listen", "127.0.0.1:0"]);
    assert!(up.line().starts_with("http://127.0.0.1:"));
    let added = json(place.run(&["add", "photos.torrent", "--output", "source", "--json"]));
    let id = added["torrent"]["id"].as_str().unwrap().to_owned();
    let deadline = Instant::now() + Duration::from_secs(20);
    while json(place.run(&["list", "--json"]))[0]["complete"] != true {
        assert!(Instant::now() < deadline, "the check does not end");
    }
    let short = &id[..6];
    for words in [
        vec!["list"],
        vec!["info"],
        vec!["info", "photos"],
        vec!["files", short],
        vec!["files", short, "--low", "0", "--high", "1-2"],
        vec!["peers", short],
        vec!["limit", "--up", "1M"],
        vec!["limit", short, "--down", "500K", "--up", "none"],
        vec!["pause", short],
        vec!["resume", short],
        vec!["recheck", short],
    ] {
        ok(place.run(&words));
        let mut with_json = place.command(&words);
        with_json.arg("--json");
        json(finish(with_json));
    }
    assert_eq!(json(place.run(&["limit", "--json"]))["upload_bytes_per_s"], 1 << 20);
    assert_eq!(place.run(&["up"]).status.code(), Some(1), "one node a home");
    assert_eq!(place.run(&["info", "nothing"]).status.code(), Some(1));
    ok(place.run(&["remove", short]));
    assert!(place.join("source/photos/sea.raw").exists());
    assert_eq!(json(place.run(&["list", "--json"])), serde_json::json!([]));
    assert_eq!(up.interrupt().0, Some(0));
}

#[test]
fn only_the_chosen_files_are_fetched() {
    let place = Place::new();
    let photos = place.photos("source");
    ok(place.run(&["torrent", "create", "source/photos", "--piece-length", "16K"]));
    let shown = json(place.run(&["torrent", "show", "photos.torrent", "--json"]));
    let files = shown["files"].as_array().unwrap();
    let sea = files.iter().find(|file| file["path"] == "photos/sea.raw").unwrap()["index"].to_string();
    let (_sharing, link) = share(&place, "source/photos", &["--piece-length", "16K"]);
    let peer = link.split("x.pe=").nth(1).unwrap().split('&').next().unwrap().replace("%3A", ":");
    let words =
        ["get", "photos.torrent", "--peer", &peer, "--files", &sea, "--output", "got", "--listen", "127.0.0.2:0"];
    ok(place.run_in("bob", &words));
    assert_same(&photos.join("sea.raw"), &place.join("got/photos/sea.raw"));
    assert!(!place.join("got/photos/2024").exists(), "an unwanted file was written");
}

#[test]
fn seeding_ends_at_its_goal() {
    let place = Place::new();
    place.photos("source");
    let (mut sharing, _) = share(&place, "source/photos", &["--seed-time", "2s"]);
    assert_eq!(sharing.wait().code(), Some(0));
}
