//! Bad input: one clear sentence, a code that is not 0, nothing that panics or hangs.

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;

use common::{Place, ok, stderr};

/// Serves one answer to every request.
fn web(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

#[test]
fn each_mistake_gets_one_clear_sentence() {
    let place = Place::new();
    place.photos(".");
    ok(place.run(&["torrent", "create", "photos"]));
    let torrent = std::fs::read(place.join("photos.torrent")).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(place.join(name), bytes).unwrap();
    write("empty.torrent", b"");
    write("noise.torrent", &[0x9d; 4000]);
    write("cut.torrent", &torrent[..torrent.len() / 2]);
    write("tail.torrent", &[&torrent[..], b"x"].concat());
    write("deep.torrent", &[b'l'; 100_000]);
    write("a file", b"x");
    std::fs::create_dir(place.join("hollow")).unwrap();
    let page = web("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>");
    let none = web("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/x.torrent", listener.local_addr().unwrap())
    };
    let hash = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567";
    let seeded = |name: &str, seed: &str| {
        ok(place.run(&["torrent", "create", "photos", "-o", name, "--web-seed", seed, "--source", name]));
    };
    seeded("no-ranges.torrent", &page);
    seeded("missing.torrent", &none);
    seeded("dead.torrent", &closed);
    let unusable = format!("{hash}&tr=ftp%3A%2F%2Fx%2F");
    let cases: &[(&[&str], &[&str])] = &[
        (&["get", "none.torrent"], &["none.torrent", "no such file"]),
        (&["get", "what is this"], &["what is this", "magnet:"]),
        (&["get", "empty.torrent"], &["empty.torrent"]),
        (&["get", "noise.torrent"], &["noise.torrent"]),
        (&["get", "cut.torrent"], &["cut.torrent"]),
        (&["get", "tail.torrent"], &["tail.torrent"]),
        (&["get", "deep.torrent"], &["deep.torrent"]),
        (&["get", "photos"], &["photos", "folder"]),
        (&["get", "magnet:?xt=urn:btih:zzz"], &["magnet"]),
        (&["get", "magnet:?dn=film"], &["magnet"]),
        (&["get", &closed], &["127.0.0.1", "cannot fetch"]),
        (&["get", &page], &["no torrent file"]),
        (&["get", &none], &["404"]),
        (&["get", "photos.torrent", "--output", "a file"], &["a file", "--output"]),
        (&["get", "photos.torrent", "--output", "a file/below"], &["a file", "--output"]),
        (&["get", "photos.torrent", "--files", "99"], &["99"]),
        (&["get", "photos.torrent", "--files", "x"], &["0,2,5-9"]),
        (&["get", "photos.torrent", "--peer", "nonsense"], &["HOST:PORT"]),
        (&["get", "photos.torrent", "--down-limit", "fast"], &["fast"]),
        (&["get", "photos.torrent", "--nonsense"], &["--nonsense"]),
        (&["get", hash, "--output", "got", "--wait", "1s"], &["peer"]),
        (&["get", &unusable, "--output", "got", "--wait", "1s"], &["tracker ftp://x/", "only http://"]),
        (&["get", "missing.torrent", "-o", "got", "--wait", "2s"], &["web seed http://127.0.0.1", "failed", "404"]),
        (&["get", "no-ranges.torrent", "-o", "got2", "--wait", "2s"], &["web seed", "parts of files"]),
        (&["get", "dead.torrent", "-o", "got3", "--wait", "2s"], &["web seed", "failed"]),
        (&["share", "nothing"], &["nothing", "no such file"]),
        (&["share", "hollow"], &["hollow"]),
        (&["share", "photos", "--piece-length", "100K"], &["power of two"]),
        (&["share", "photos", "--tracker", "foo"], &["--tracker", "foo", "udp://"]),
        (&["torrent", "create", "photos", "--tracker", "http://t.example/,ftp://x/"], &["--tracker", "ftp://x/"]),
        (&["torrent", "create", "photos", "--web-seed", "ftp://x/"], &["--web-seed", "ftp://x/", "https://"]),
        (&["torrent", "edit", "photos.torrent", "--tracker", "udp://x"], &["--tracker", "udp://x", "port"]),
        (&["torrent", "edit", "photos.torrent", "--web-seed", "w"], &["--web-seed"]),
        (&["torrent", "create", "nothing"], &["nothing"]),
        (&["torrent", "create", "hollow"], &["hollow"]),
        (&["torrent", "create", "photos", "-o", "no/such/x.torrent"], &["no/such/x.torrent"]),
        (&["torrent", "verify", "photos.torrent", "hollow"], &["hollow", "photos"]),
        (&["torrent", "edit", "photos.torrent"], &["nothing to change"]),
        (&["torrent", "edit", hash, "--comment", "x"], &["magnet"]),
        (&["list"], &["compeer up"]),
        (&["pause", "x"], &["compeer up"]),
        (&["up", "--api", "192.0.2.1:80"], &["192.0.2.1:80", "loopback"]),
    ];
    for (words, says) in cases {
        let output = place.run(words);
        let text = stderr(&output);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{words:?} ended with {:?}: {text}", output.status.code());
        assert!(!text.contains("panicked"), "{words:?}: {text}");
        assert!(text.trim().lines().count() <= 4, "{words:?}: more than a sentence: {text}");
        for word in *says {
            assert!(text.contains(word), "{words:?}: {word:?} is not in: {text}");
        }
    }
}

#[test]
fn a_home_that_does_not_work_is_named() {
    let place = Place::new();
    std::fs::write(place.join("a file"), b"x").unwrap();
    std::fs::create_dir(place.join("wrong")).unwrap();
    std::fs::write(place.join("wrong/config.toml"), b"[limits]\nupload = \"fast\"\n").unwrap();
    let output = place.run(&["up", "--home", "a file/home"]);
    assert!(stderr(&output).contains("a file"), "{}", stderr(&output));
    let output = place.run(&["up", "--home", "wrong"]);
    assert!(stderr(&output).contains("config.toml: line 2"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for option in ["--listen", "--api"] {
        let output = place.run(&["up", option, &address]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(&address), "{}", stderr(&output));
    }
}
