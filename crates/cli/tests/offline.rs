//! Commands that need no node: `torrent`, `completions`, `man`, and the program's own words.

mod common;

use common::{Place, finish, json, ok, stderr, stdout};

#[test]
fn what_is_created_is_shown_and_verified() {
    let place = Place::new();
    let photos = place.photos("source");
    for (kind, option) in [("v1", None), ("hybrid", Some("--hybrid")), ("v2", Some("--v2"))] {
        let name = format!("{kind}.torrent");
        let mut words = vec!["torrent", "create", "source/photos", "--output", &name, "--piece-length", "64K"];
        words.extend(option);
        let created = json(finish({
            let mut command = place.command(&words);
            command.arg("--json");
            command
        }));
        assert_eq!((&created["file_count"], &created["total_bytes"]), (&4.into(), &1_000_006.into()));
        let shown = json(place.run(&["torrent", "show", &name, "--json"]));
        assert_eq!(shown["info_hash_v1"], created["info_hash_v1"]);
        assert_eq!(shown["info_hash_v1"].is_null(), kind == "v2");
        assert_eq!(shown["info_hash_v2"].is_null(), kind == "v1");
        for path in ["source", "source/photos"] {
            let verified = ok(place.run(&["torrent", "verify", &name, path]));
            assert!(stdout(&verified).contains("complete and right"), "{}", stdout(&verified));
        }
    }
    let sea = photos.join("sea.raw");
    let mut bytes = std::fs::read(&sea).unwrap();
    bytes[650_000] ^= 1;
    std::fs::write(&sea, bytes).unwrap();
    for kind in ["v1", "hybrid", "v2"] {
        let verified = place.run(&["torrent", "verify", &format!("{kind}.torrent"), "source"]);
        assert_eq!(verified.status.code(), Some(1));
        assert!(stdout(&verified).contains("sea.raw"), "{}", stdout(&verified));
    }
}

#[test]
fn verifying_notices_what_no_piece_covers() {
    let place = Place::new();
    let photos = place.photos(".");
    ok(place.run(&["torrent", "create", "photos"]));
    std::fs::remove_file(photos.join("empty")).unwrap();
    let verified = place.run(&["torrent", "verify", "photos.torrent"]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(stdout(&verified).contains("photos/empty"), "{}", stdout(&verified));
}

#[cfg(unix)]
#[test]
fn verifying_says_what_it_may_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let sea = place.photos(".").join("sea.raw");
    ok(place.run(&["torrent", "create", "photos"]));
    std::fs::set_permissions(&sea, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&sea).is_ok() {
        // Nothing is hidden from the superuser.
        return;
    }
    let verified = place.run(&["torrent", "verify", "photos.torrent"]);
    assert_eq!(verified.status.code(), Some(1));
    let text = stderr(&verified);
    assert!(text.contains("sea.raw") && text.to_lowercase().contains("permission denied"), "{text}");
}

#[test]
fn the_same_input_gives_the_same_file() {
    let place = Place::new();
    place.photos(".");
    let create = |name: &str| {
        ok(place.run(&["torrent", "create", "photos", "-o", name]));
        std::fs::read(place.join(name)).unwrap()
    };
    assert_eq!(create("a.torrent"), create("b.torrent"));
    assert!(json(place.run(&["torrent", "show", "a.torrent", "--json"]))["created_at_s"].is_null());
    ok(place.run(&["torrent", "create", "photos", "--date", "-o", "dated.torrent"]));
    assert!(json(place.run(&["torrent", "show", "dated.torrent", "--json"]))["created_at_s"].is_u64());
    let again = place.run(&["torrent", "create", "photos", "-o", "a.torrent"]);
    assert!(stderr(&again).contains("--force"), "{}", stderr(&again));
    ok(place.run(&["torrent", "create", "photos", "-o", "a.torrent", "--force"]));
}

#[test]
fn editing_leaves_the_info_hash() {
    let place = Place::new();
    place.photos(".");
    ok(place.run(&["torrent", "create", "photos", "--tracker", "http://a.example/announce"]));
    let before = json(place.run(&["torrent", "show", "photos.torrent", "--json"]));
    assert_eq!(before["trackers"], serde_json::json!([["http://a.example/announce"]]));
    let new = ["http://b.example/announce,udp://c.example:1/announce", "http://d.example/announce"];
    let words = ["torrent", "edit", "photos.torrent", "--tracker", new[0], "--tracker", new[1], "--comment", "hi"];
    ok(place.run(&words));
    let after = json(place.run(&["torrent", "show", "photos.torrent", "--json"]));
    assert_eq!(before["info_hash_v1"], after["info_hash_v1"]);
    assert_eq!(after["comment"], "hi");
    assert_eq!(after["trackers"].as_array().unwrap().len(), 2);
    ok(place.run(&["torrent", "edit", "photos.torrent", "--no-trackers", "--comment", ""]));
    let bare = json(place.run(&["torrent", "show", "photos.torrent", "--json"]));
    assert_eq!((bare["trackers"].clone(), bare["comment"].clone()), (serde_json::json!([]), serde_json::Value::Null));
}

#[cfg(unix)]
#[test]
fn what_cannot_travel_is_named() {
    let place = Place::new();
    let photos = place.photos(".");
    std::os::unix::fs::symlink("nowhere", photos.join("dangling")).unwrap();
    let created = ok(place.run(&["torrent", "create", "photos"]));
    assert!(stderr(&created).contains("dangling (a symbolic link)"), "{}", stderr(&created));
}

#[test]
fn a_magnet_is_shown() {
    let place = Place::new();
    let link = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a%1b%5B2Jb&tr=http%3A%2F%2Fa.example%2Fx&x.pe=192.0.2.7:6881";
    let text = stdout(&ok(place.run(&["torrent", "show", link])));
    assert!(text.contains("192.0.2.7:6881") && text.contains("http://a.example/x"), "{text}");
    assert!(!text.contains('\x1b'), "a link must not reach the terminal raw: {text:?}");
}

#[test]
fn the_program_describes_itself() {
    let place = Place::new();
    assert_eq!(stdout(&ok(place.run(&["--version"]))), concat!("compeer ", env!("CARGO_PKG_VERSION"), "\n"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(stdout(&ok(place.run(&["completions", shell]))).contains("recheck"), "{shell}");
    }
    let man = stdout(&ok(place.run(&["man"])));
    for word in [".TH", "seed\\-ratio", "with\\-data", "130"] {
        assert!(man.contains(word), "{word} is not in the manual");
    }
}
