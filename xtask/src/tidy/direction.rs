//! Which crate may depend on which, ours and foreign ones: read from the Cargo.toml files.

use super::Finding;

/// Our crates, and those of ours that each may name under `[dependencies]`. `None`: all of them.
///
/// Direction: base ← metainfo ← torrent-proto ← torrent → {disk, net, db}; overlay → net; node → all; cli → {node, rpc, metainfo}.
const OURS: &[(&str, Option<&[&str]>)] = &[
    ("base", Some(&[])),
    ("metainfo", Some(&["base"])),
    ("torrent-proto", Some(&["base", "metainfo"])),
    ("dht", Some(&["base", "metainfo"])),
    ("utp", Some(&["base"])),
    ("gossip", Some(&["base"])),
    // The orders and answers of the disk are torrent-proto's outputs and inputs.
    ("disk", Some(&["base", "metainfo", "torrent-proto"])),
    ("db", Some(&["base"])),
    ("net", Some(&["base", "metainfo", "torrent-proto", "dht", "utp"])),
    ("torrent", Some(&["base", "metainfo", "torrent-proto", "disk", "net", "db"])),
    ("overlay", Some(&["base", "gossip", "net"])),
    ("tracker", Some(&["base", "metainfo", "torrent-proto", "net"])),
    ("people", Some(&["base", "db"])),
    ("rpc", Some(&["base"])),
    ("sharing", Some(&["base", "metainfo", "db"])),
    // `people` for the node's key and its way to write what is signed.
    ("chat", Some(&["base", "db", "people"])),
    ("node", None),
    // `base` for units, `disk` for hashing offline (`torrent create`, `torrent verify`).
    ("cli", Some(&["base", "metainfo", "disk", "node", "rpc"])),
    ("sim", None),
    ("xtask", Some(&[])),
    // What the machine can do without any of ours.
    ("floor", Some(&[])),
    ("instructions", Some(&["base", "metainfo", "torrent-proto"])),
    ("fuzz", None),
];

/// Heavy or fenced foreign crates, and the only crates of ours that may name them.
const FENCED: &[(&str, &[&str])] = &[
    ("axum", &["node"]),
    // For limits on connections and the heads of requests, which axum does not have, and for the proxy to relays.
    ("hyper", &["node", "overlay", "tracker"]),
    ("rusqlite", &["chat", "db", "people", "sharing", "torrent"]),
    ("reqwest", &["net", "torrent", "cli"]),
    ("iroh", &["overlay"]),
    ("iroh-dns", &["overlay"]),
    ("iroh-gossip", &["gossip"]),
    ("iroh-mdns-address-lookup", &["overlay"]),
    ("iroh-relay", &["overlay"]),
    ("noq", &["overlay"]),
    ("revm", &["evm"]),
    ("wasmtime", &["compute"]),
    ("anyhow", &["cli"]),
];

/// Foreign crates that a pure crate may not name.
const IMPURE: &[&str] =
    &["tokio", "mio", "socket2", "reqwest", "rusqlite", "getrandom", "rustix", "tempfile", "tracing-subscriber"];

/// Crates that are pure as a whole.
const PURE: &[&str] = &["base", "dht", "gossip", "metainfo", "torrent-proto", "utp"];

/// Checks one Cargo.toml.
pub fn check(path: &str, text: &str, findings: &mut Vec<Finding>) {
    // The fuzz targets are a workspace of their own, which may use anything.
    let Some(name) = package(text).filter(|_| !path.starts_with("fuzz/")) else { return };
    let Some((_, allowed)) = OURS.iter().find(|(ours, _)| *ours == name) else {
        let message = format!("the crate `{name}` is new: say in xtask/src/tidy/direction.rs what it may depend on");
        findings.push(Finding::new(path, 0, message));
        return;
    };
    for (line, section, dependency) in dependencies(text) {
        let mut refuse = |message: String| findings.push(Finding::new(path, line, message));
        let ours = OURS.iter().any(|(ours, _)| *ours == dependency);
        let build = section != "dev-dependencies";
        if build && ours && allowed.is_some_and(|allowed| !allowed.contains(&dependency)) {
            refuse(format!(
                "`{name}` may not depend on `{dependency}`: the direction of the crates is in xtask/src/tidy/direction.rs; \
                 declare a trait in `{name}` and let `node` supply it, or move the code"
            ));
        }
        if build
            && let Some((_, fence)) =
                FENCED.iter().find(|(fenced, _)| *fenced == dependency && !fence_has(fenced, name))
        {
            refuse(format!("`{dependency}` is fenced in {}: ask that crate for what `{name}` needs", fence.join(", ")));
        }
        if build && PURE.contains(&name) && IMPURE.contains(&dependency) {
            refuse(format!("`{name}` is pure, `{dependency}` touches the world: make it an input or an output"));
        }
    }
}

fn fence_has(dependency: &str, name: &str) -> bool {
    FENCED.iter().any(|(fenced, crates)| *fenced == dependency && crates.contains(&name))
}

/// The name of the package, `None` for the workspace's own manifest.
fn package(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("[package]")?;
    let line = after.lines().map(str::trim).find(|line| line.starts_with("name"))?;
    line.split('"').nth(1)
}

/// Every dependency: line, last word of its section, name.
fn dependencies(text: &str) -> Vec<(usize, &str, &str)> {
    let mut section = "";
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            // `[dependencies.name]` and `[target.'cfg(unix)'.dependencies]` count as well.
            let kinds = ["dev-dependencies", "build-dependencies", "dependencies"];
            section = kinds.into_iter().find(|kind| header.split('.').any(|part| part == *kind)).unwrap_or("");
            if let Some((_, name)) = header.rsplit_once("dependencies.") {
                found.push((index + 1, section, name));
                section = "";
            }
        } else if !section.is_empty()
            && let Some((key, _)) = line.split_once('=')
        {
            found.push((index + 1, section, key.split('.').next().unwrap_or(key).trim()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(name: &str, dependencies: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n\n[dependencies]\n{dependencies}\n");
        let mut findings = Vec::new();
        check("Cargo.toml", &text, &mut findings);
        findings.into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn the_wrong_way_is_refused() {
        assert!(
            messages("base", "metainfo.workspace = true")[0]
                .contains("Cargo.toml:5: `base` may not depend on `metainfo`")
        );
        assert!(!messages("metainfo", "disk = { path = \"../disk\" }").is_empty());
        assert!(!messages("disk", "torrent.workspace = true").is_empty());
        assert!(!messages("cli", "torrent.workspace = true").is_empty());
        assert!(!messages("disk", "[dependencies.torrent]\nworkspace = true").is_empty());
        assert!(!messages("disk", "[target.'cfg(unix)'.dependencies]\ntorrent.workspace = true").is_empty());
        assert!(!messages("disk", "[build-dependencies]\ntorrent.workspace = true").is_empty());
    }

    #[test]
    fn fences_hold() {
        assert!(messages("cli", "axum.workspace = true")[0].contains("fenced in node"));
        assert!(!messages("disk", "rusqlite = { version = \"0.40\" }").is_empty());
        assert!(!messages("torrent-proto", "reqwest.workspace = true").is_empty());
        assert!(!messages("metainfo", "tokio.workspace = true").is_empty());
        assert!(!messages("torrent", "anyhow = \"1\"").is_empty());
    }

    #[test]
    fn a_new_crate_must_be_placed() {
        assert!(messages("garden", "")[0].contains("what it may depend on"));
    }

    #[test]
    fn the_right_way_passes() {
        assert_eq!(
            messages("torrent", "disk.workspace = true\nrusqlite.workspace = true # store\ntokio = \"1\""),
            [""; 0]
        );
        assert_eq!(messages("node", "axum.workspace = true\ntorrent.workspace = true"), [""; 0]);
        assert_eq!(messages("disk", "[dev-dependencies]\nsim.workspace = true"), [""; 0]);
        assert_eq!(messages("base", "# metainfo is above\n[lints]\nworkspace = true"), [""; 0]);
    }
}
