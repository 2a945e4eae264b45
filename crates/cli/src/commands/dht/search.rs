//! Look-ups: peers, the size of a swarm, the nodes near a key.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Result, bail};
use metainfo::InfoHashV1;
use rpc::{DhtNodeInfo, DhtPeersEvent, DhtScrape};
use serde_json::json;

use super::{Session, table};
use crate::out::{self, clean};
use crate::show;

/// Looks for peers and prints them as they come.
pub async fn peers(session: &mut Session<'_>, names: &[InfoHashV1], announce: Option<u16>) -> Result<Option<u8>> {
    let begun = Instant::now();
    let json = session.context.json;
    // A BTreeSet: a torrent with two names is announced under both, mostly by the same peers.
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut failed = None;
    let announce = announce.map(|port| format!("?announce_port={port}")).unwrap_or_default();
    for name in names {
        let client = session.client().clone();
        let path = format!("/dht/peers/{name}{announce}");
        let Some(mut events) = session.wait("Asking the DHT", client.stream(&path)).await? else { return Ok(None) };
        loop {
            let Some(event) = session.wait("Asking the DHT", events.read()).await? else { return Ok(None) };
            match event {
                DhtPeersEvent::Begun { .. } => {}
                DhtPeersEvent::Peers { addresses } => {
                    for address in addresses {
                        if !json && !found.contains(&address) {
                            out::line(clean(&address))?;
                        }
                        found.insert(address);
                    }
                }
                DhtPeersEvent::Done { failure, .. } => {
                    failed = failed.or(failure);
                    break;
                }
            }
        }
    }
    if let Some(failure) = failed.filter(|_| found.is_empty()) {
        bail!("the look-up came to nothing: {}", clean(&failure));
    }
    let took = begun.elapsed();
    if json {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let elapsed_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        out::json(&json!({ "info_hashes": names, "peers": found, "elapsed_ms": elapsed_ms }))?;
    } else if found.is_empty() {
        session.live.note(format!("The DHT knows no peer of it ({}).", show::took(took)));
    } else {
        session.live.note(format!("{} in {}.", show::count(found.len(), "peer", "peers"), show::took(took)));
    }
    Ok(Some(0))
}

/// Estimates the size of a swarm.
pub async fn scrape(session: &mut Session<'_>, names: &[InfoHashV1]) -> Result<Option<u8>> {
    let mut sum = DhtScrape::default();
    for name in names {
        let client = session.client().clone();
        let path = format!("/dht/swarms/{name}");
        let Some(scrape) = session.wait("Asking the DHT", client.get::<DhtScrape>(&path)).await? else {
            return Ok(None);
        };
        // The peers of a torrent with two names are mostly announced under both.
        sum.seeds = sum.seeds.max(scrape.seeds);
        sum.leechers = sum.leechers.max(scrape.leechers);
        sum.nodes += scrape.nodes;
    }
    if session.context.json {
        out::json(&sum)?;
    } else {
        let (seeds, nodes) = (sum.seeds as usize, sum.nodes as usize);
        let seeds = show::count(seeds, "complete peer", "complete peers");
        let nodes = show::count(nodes, "node says", "nodes say");
        out::line(format!("about {seeds} and {} others, {nodes}", show::grouped(sum.leechers.into())))?;
    }
    Ok(Some(0))
}

/// Looks for the nodes that are nearest to a key.
pub async fn nearest(session: &mut Session<'_>, key: &str) -> Result<Option<u8>> {
    let Ok(key) = key.parse::<InfoHashV1>() else { bail!("{key:?} is no key: a key has 40 hexadecimal digits") };
    let client = session.client().clone();
    let path = format!("/dht/nodes/{key}");
    let Some(nodes) = session.wait("Asking the DHT", client.get::<Vec<DhtNodeInfo>>(&path)).await? else {
        return Ok(None);
    };
    table::show_nodes(session, &nodes, "No node was found.")?;
    Ok(Some(0))
}
