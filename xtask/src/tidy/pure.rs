//! State machines stay free of sockets, files, clocks, tasks and chance: that is what makes them simulable.

use super::Finding;
use super::source::{Source, has_word};

/// Crates that are pure as a whole. A folder `proto` is pure wherever it lies.
const PURE: &[&str] = &["base", "dht", "gossip", "metainfo", "torrent-proto", "utp"];

/// Modules that are pure beside those.
const PURE_MODULES: &[&str] = &["crates/chat/src/irc.rs", "crates/chat/src/irc/"];

/// Words that a pure file may not have, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("tokio", "tasks and channels belong into the driver; a state machine has `handle` and `poll_output`"),
    ("std::fs", "files belong into the crate disk; make it an output"),
    ("std::net", "write `core::net` for addresses; sockets belong into the crate net"),
    ("std::thread", "threads belong into the driver"),
    ("std::env", "hand the value in"),
    ("Instant::now", "time is handed in as `base::Now`"),
    ("SystemTime", "time is handed in as `base::Now`"),
    ("HashMap", "its order differs from run to run; take a BTreeMap or a sorted Vec"),
    ("HashSet", "its order differs from run to run; take a BTreeSet or a sorted Vec"),
    ("TcpStream", "sockets belong into the crate net"),
    ("TcpListener", "sockets belong into the crate net"),
    ("UdpSocket", "sockets belong into the crate net"),
    ("getrandom", "chance is handed in as a seeded `fastrand::Rng`"),
    ("Rng::new()", "chance is handed in as a seeded `fastrand::Rng`"),
];

/// Parts of `std` that may not stand in the braces of a `use std::{…}` either.
const REFUSED_PARTS: &[&str] = &["fs", "net", "thread", "env", "collections::HashMap", "collections::HashSet"];

/// Whether the file must be pure.
pub fn is_pure(path: &str) -> bool {
    let mut parts = path.split('/');
    let named = parts.next() == Some("crates") && parts.next().is_some_and(|name| PURE.contains(&name));
    let listed = PURE_MODULES.iter().any(|module| path.starts_with(module));
    listed || (named && path.contains("/src/")) || path.contains("/src/proto/") || path.ends_with("/src/proto.rs")
}

/// Refuses what touches the world.
pub fn check(source: &Source<'_>, findings: &mut Vec<Finding>) {
    if !is_pure(source.path) {
        return;
    }
    let mut import = String::new();
    for (number, line) in source.code() {
        for (word, instead) in REFUSED.iter().filter(|(word, _)| has_word(&line.code, word)) {
            findings.push(Finding::new(source.path, number, format!("`{word}` in a pure file: {instead}")));
        }
        if free_chance(&line.code) {
            let message =
                "a global function of `fastrand` in a pure file: chance is handed in as a seeded `fastrand::Rng`";
            findings.push(Finding::new(source.path, number, message));
        }
        if !import.is_empty() || line.code.contains("use std::{") {
            import.push_str(line.code.trim());
            if import.contains(';') {
                check_import(source.path, number, &import, findings);
                import.clear();
            }
        }
    }
}

/// `fastrand::u32(..)` draws from a generator that nobody seeded; `fastrand::Rng` is the type to hand in.
fn free_chance(code: &str) -> bool {
    code.match_indices("fastrand::").any(|(at, word)| {
        let name: String = code[at + word.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        name.starts_with(|c: char| c.is_lowercase())
    })
}

fn check_import(path: &str, number: usize, import: &str, findings: &mut Vec<Finding>) {
    let inside = import.split_once('{').map_or("", |(_, inside)| inside);
    // Only the names directly below `std` count: `fmt::{self, Write}` is no file.
    let mut depth = 0;
    for part in inside.split_inclusive(['{', '}', ',']) {
        let name = part.trim_end_matches(['{', '}', ',']).trim().trim_end_matches("::");
        let first = name.split("::").next().unwrap_or("");
        if depth == 0 && REFUSED_PARTS.iter().any(|refused| *refused == first || *refused == name) {
            findings.push(Finding::new(
                path,
                number,
                format!("`std::{name}` in a pure file: make it an input or an output"),
            ));
        }
        depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(&Source::new(path, text), &mut findings);
        findings.into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn each_touch_of_the_world_is_refused() {
        for bad in [
            "use tokio::sync::mpsc;",
            "let data = std::fs::read(path);",
            "use std::net::TcpStream;",
            "use std::net::SocketAddr;",
            "let now = Instant::now();",
            "let now = std::time::SystemTime::now();",
            "use std::collections::HashMap;",
            "use std::collections::HashSet;",
            "let n = fastrand::u32(..);",
            "let rng = fastrand::Rng::new();",
            "use std::{fmt, fs};",
            "use std::{\n    collections::BTreeMap,\n    net::{Ipv4Addr, TcpStream},\n};",
            "use std::{thread, fmt};",
            "let home = std::env::var(\"HOME\");",
        ] {
            assert!(!messages("crates/torrent-proto/src/picker.rs", bad).is_empty(), "not caught: {bad}");
            assert!(!messages("crates/chat/src/proto/room.rs", bad).is_empty(), "not caught in proto/: {bad}");
            assert!(!messages("crates/chat/src/irc/session.rs", bad).is_empty(), "not caught in irc/: {bad}");
        }
    }

    #[test]
    fn what_is_pure_passes() {
        for good in [
            "use core::net::{IpAddr, SocketAddr};",
            "use std::{collections::BTreeMap, fmt::{self, Write}};",
            "fn handle(&mut self, now: Now, rng: &mut fastrand::Rng) {}",
            "// tokio is not used here",
            "/// See `std::fs`.\nlet text = \"HashMap\";",
            "#[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n    let golden = std::fs::read(path);\n}",
        ] {
            assert_eq!(messages("crates/metainfo/src/magnet.rs", good), [""; 0], "wrongly caught: {good}");
        }
        assert_eq!(messages("crates/disk/src/pool.rs", "use std::fs;"), [""; 0]);
    }

    #[test]
    fn the_message_says_what_to_do() {
        let messages = messages("crates/base/src/time.rs", "\nlet now = Instant::now();");
        assert_eq!(
            messages,
            ["crates/base/src/time.rs:2: `Instant::now` in a pure file: time is handed in as `base::Now`"]
        );
    }
}
