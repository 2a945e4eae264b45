//! `compeer dht` with two nodes on this computer: one that stays, one that each command starts for itself.
#![cfg(unix)]

mod common;

use std::process::Output;

use common::{Place, Running, json, ok, stderr, stdout};

const QUIET: [&str; 2] = ["--without", "lsd,mapping"];

/// Two nodes that stay, Alice's and Carol's, who know one another.
struct Pair {
    place: Place,
    alice: Running,
    /// Where others enter the DHT by Alice's.
    address: String,
    _carol: Running,
}

impl Pair {
    fn start() -> Pair {
        let place = Place::new();
        let mut alice = place.start(&[&["up", "--listen", "127.0.0.1:0"], &QUIET[..]].concat());
        assert!(alice.line().starts_with("http://"));
        let info = json(place.run(&["info", "--json"]));
        let address = info["listen"][0].as_str().unwrap().to_owned();
        let enter = ["up", "--listen", "127.0.0.3:0", "--bootstrap", &address];
        let mut carol = place.start_in("carol", &[&enter, &QUIET[..]].concat());
        assert!(carol.line().starts_with("http://"));
        Pair { place, alice, address, _carol: carol }
    }

    /// Runs a command by Alice's node.
    fn alice(&self, words: &[&str]) -> Output {
        self.place.run(&[&["dht"], words].concat())
    }

    /// Runs a command in Bob's home, whose own node enters the DHT at Alice's.
    fn bob(&self, words: &[&str]) -> Output {
        let more = ["--listen", "127.0.0.2:0", "--bootstrap", &self.address];
        self.place.run_in("bob", &[&["dht"], words, &more, &QUIET].concat())
    }
}

#[test]
fn nodes_find_one_another_and_what_the_others_keep() {
    let pair = Pair::start();
    let pong = json(pair.bob(&["ping", &pair.address, "--json"]));
    let table = json(pair.alice(&["--json"]));
    assert_eq!(pong["id"], table["v4"]["id"]);

    let hash = stdout(&ok(pair.bob(&["put", "a text"]))).trim().to_owned();
    assert_eq!(stdout(&ok(pair.alice(&["get", &hash]))).trim(), "a text");
    let item = json(pair.alice(&["get", &hash, "--json"]));
    assert_eq!((item["text"].as_str(), item["target"].as_str()), (Some("a text"), Some(hash.as_str())));

    let swarm = "00112233445566778899aabbccddeeff00112233";
    ok(pair.bob(&["peers", swarm, "--announce", "4711"]));
    let found = json(pair.alice(&["peers", swarm, "--json"]));
    let peers = found["peers"].as_array().unwrap();
    assert!(peers.iter().any(|peer| peer.as_str().unwrap().ends_with(":4711")), "{found}");

    // Bob's nodes were there for a moment only: nobody keeps them in a table.
    let nodes = json(pair.alice(&["nodes", "--json"]));
    assert_eq!(nodes.as_array().unwrap().len(), 1, "{nodes}");
    assert_eq!(pair.alice.interrupt().0, Some(0));
}

#[test]
fn a_mutable_item_has_versions_and_its_key_stays_in_a_file() {
    let pair = Pair::start();
    let key = stdout(&ok(pair.bob(&["put", "one", "--key", "key"]))).trim().to_owned();
    assert_eq!(stdout(&ok(pair.bob(&["put", "two", "--key", "key"]))).trim(), key);
    let got = ok(pair.alice(&["get", &key]));
    assert!(stdout(&got).trim() == "two" && stderr(&got).contains("Sequence number 2"), "{}", stderr(&got));

    std::fs::write(pair.place.join("small"), "of a file").unwrap();
    ok(pair.bob(&["put", "--file", "small", "--key", "key", "--salt", "photos"]));
    assert_eq!(stdout(&ok(pair.alice(&["get", &key, "--salt", "photos"]))).trim(), "of a file");

    let late = pair.bob(&["put", "three", "--key", "key", "--seq", "3", "--cas", "1"]);
    assert!(late.status.code() == Some(1) && stderr(&late).contains("changed meanwhile"), "{}", stderr(&late));
    let newer = pair.alice(&["get", &key, "--newer-than", "2"]);
    assert!(newer.status.code() == Some(1) && stderr(&newer).contains("has this item"), "{}", stderr(&newer));
}

#[test]
fn what_cannot_work_is_said_before_anything_starts() {
    let place = Place::new();
    place.file("large", 1001, 1);
    for (words, said) in [
        (&["dht", "get", "xyz"][..], "40 hexadecimal digits"),
        (&["dht", "put", "--file", "large"], "at most 1000 bytes"),
        (&["dht", "put", "text", "--bencoded"], "strict bencode"),
        (&["dht", "peers", "0011"], "no such file"),
        (&["dht", "peers", &"0".repeat(39)], "this has 39"),
        (&["dht", "get", &"0".repeat(40), "--salt", "x"], "the key of an owner"),
        (&["dht"], "switched off"),
    ] {
        let output = place.run(words);
        assert!(output.status.code() == Some(1), "{words:?}: {:?}", output.status);
        assert!(stderr(&output).contains(said), "{words:?}: {}", stderr(&output));
    }
    assert_eq!(place.run(&["dht", "put", "x", "--seq", "1"]).status.code(), Some(2));
}
