//! `compeer connections` and `compeer ping`: with which nodes this one is connected by their keys, and by which way.

use anyhow::Result;
use base::units::format_bytes;
use reqwest::Method;
use rpc::{NodeConnection, NodePing, NodePong, Way};

use super::Context;
use crate::args::Ping;
use crate::attach::attach;
use crate::out::{self, Table, clean};
use crate::show;

/// Shows the connections with other nodes.
pub async fn list(context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let connections: Vec<NodeConnection> = attached.client.get("/connections").await?;
    if context.json {
        out::json(&connections)?;
        return Ok(0);
    }
    if connections.is_empty() {
        eprintln!("No node is connected now: they are when there is something to say. `compeer ping WHO` tries one.");
        return Ok(0);
    }
    let head = ["WHO", "SERVICE", "WAY", "LATENCY", "RECEIVED", "SENT", "FOR"];
    let mut table = Table::new(&head, &[3, 4, 5, 6], 0);
    for it in &connections {
        table.row(vec![
            who(it.person_name.as_deref(), it.node_name.as_deref(), &it.node),
            clean(&it.service),
            way(it.way.as_ref()),
            it.rtt_ms.map_or_else(|| "-".to_owned(), ms),
            format_bytes(it.received_bytes),
            format_bytes(it.sent_bytes),
            show::seconds(it.age_s),
        ]);
    }
    table.print()?;
    Ok(0)
}

/// Asks a node whether it is there.
pub async fn ping(command: Ping, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let request = NodePing { who: command.who, hints: command.at, times: Some(command.count) };
    let pong: NodePong = attached.client.call(Method::POST, "/nodes/ping", &request).await?;
    if context.json {
        out::json(&pong)?;
        return Ok(0);
    }
    let who = who(pong.person_name.as_deref(), pong.node_name.as_deref(), &pong.node);
    for answer in &pong.answers {
        out::line(format!("{who}: {}, {}", ms(answer.took_ms), way(answer.way.as_ref())))?;
    }
    Ok(0)
}

/// Names a node: its person's name and its own, or the beginning of its id.
fn who(person: Option<&str>, node_name: Option<&str>, node: &str) -> String {
    let short = || format!("node {}", node.chars().take(show::SHORT_ID).collect::<String>());
    match (person, node_name) {
        (Some(person), Some(name)) => clean(&format!("{person} ({name})")),
        (Some(person), None) => clean(person),
        (None, _) => short(),
    }
}

fn way(way: Option<&Way>) -> String {
    match way {
        Some(Way::Direct(address)) => clean(&format!("direct, {address}")),
        Some(Way::Relayed(relay)) => clean(&format!("relayed, {}", bare(relay))),
        None => "changing".to_owned(),
    }
}

/// Leaves the key of a relay out.
pub fn bare(relay: &str) -> &str {
    relay.split('#').next().unwrap_or_default()
}

fn ms(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}
