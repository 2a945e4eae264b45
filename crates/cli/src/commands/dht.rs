//! `compeer dht`: the table, look-ups, and items.

mod item;
mod search;
mod table;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use metainfo::{InfoHashV1, InfoHashV2};
use reqwest::Method;
use rpc::{DhtInfo, DhtNodeRequest, DhtPong};

use super::Context;
use crate::args::{Dht, DhtCommand, DhtNode, NodeOptions};
use crate::attach::{Attached, attach_or_start};
use crate::client::{Client, Result as ClientResult};
use crate::interrupt::Interrupt;
use crate::link;
use crate::live::Live;
use crate::out::{self, clean};
use crate::{INTERRUPTED, show};

/// How often what is shown during a look-up is brought up to date.
const TICK: Duration = Duration::from_millis(250);

/// A node to ask, and what a command needs beside it.
struct Session<'a> {
    attached: Attached,
    live: Live,
    interrupt: Interrupt,
    context: &'a Context,
}

/// Runs the command.
pub async fn run(dht: Dht, context: &Context) -> Result<u8> {
    match dht.command {
        None => with(&dht.node, context, table::summary).await,
        Some(DhtCommand::Nodes(command)) => match command.key {
            None => with(&command.node, context, table::nodes).await,
            Some(key) => with(&command.node, context, async |session| search::nearest(session, &key).await).await,
        },
        Some(DhtCommand::Peers(command)) => {
            let names = swarm(&command.torrent).await?;
            let announce = command.announce;
            with(&command.node, context, async |session| search::peers(session, &names, announce).await).await
        }
        Some(DhtCommand::Scrape(command)) => {
            let names = swarm(&command.torrent).await?;
            with(&command.node, context, async |session| search::scrape(session, &names).await).await
        }
        Some(DhtCommand::Get(command)) => {
            item::check_name(&command.name, command.salt.is_some() || command.newer_than.is_some())?;
            with(&command.node, context, async |session| item::get(session, &command).await).await
        }
        Some(DhtCommand::Put(command)) => {
            let value = item::value(&command)?;
            with(&command.node, context, async |session| item::put(session, &command, value).await).await
        }
        Some(DhtCommand::Ping(command)) => {
            with(&command.node, context, async |session| ping(session, &command).await).await
        }
        Some(DhtCommand::Add(command)) => {
            with(&command.node, context, async |session| add(session, &command).await).await
        }
    }
}

/// Finds or starts a node, lets `work` use it, and ends it if it was started. `None`: Ctrl-C.
async fn with(
    options: &NodeOptions,
    context: &Context,
    work: impl AsyncFnOnce(&mut Session<'_>) -> Result<Option<u8>>,
) -> Result<u8> {
    let interrupt = Interrupt::listen()?;
    // A node that ends in a moment is no use in other nodes' tables.
    let brief = NodeOptions { brief: true, ..options.clone() };
    let attached = attach_or_start(context.home.as_deref(), &brief).await?;
    let mut session = Session { attached, live: Live::new(context.json), interrupt, context };
    if let Some(option) = options.only_for_own_node().filter(|_| !session.attached.is_own()) {
        session.live.note(format!("The node of this home runs already: {option} changes nothing."));
    }
    session.live.wait_before_plain();
    let result = work(&mut session).await;
    session.live.clear();
    session.attached.finish().await;
    Ok(result?.unwrap_or(INTERRUPTED))
}

impl Session<'_> {
    fn client(&self) -> &Client {
        &self.attached.client
    }

    /// Waits for a look-up, and shows meanwhile whom it can ask. `None`: Ctrl-C.
    async fn wait<T>(&mut self, verb: &str, work: impl Future<Output = ClientResult<T>>) -> Result<Option<T>> {
        let begun = Instant::now();
        let client = self.client().clone();
        let mut first = None;
        let mut tick = tokio::time::interval(TICK);
        tokio::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => {
                    self.live.clear();
                    return Ok(Some(result?));
                }
                () = self.interrupt.wait() => return Ok(None),
                _ = tick.tick() => {}
            }
            let Ok(info) = client.get::<DhtInfo>("/dht").await else { continue };
            let asked = queries(&info);
            let first = *first.get_or_insert(asked);
            let line = self.live.parts("", &progress(verb, &info, asked.saturating_sub(first), begun.elapsed()));
            self.live.draw(std::slice::from_ref(&line), || line.clone());
        }
    }
}

/// Says how a look-up goes: what it does, whom it can ask, how long it takes already.
fn progress(verb: &str, info: &DhtInfo, asked: u64, elapsed: Duration) -> [String; 4] {
    let nodes = match (good(info), info.ready) {
        (_, false) => "looking for a first node".to_owned(),
        (nodes, true) => format!("{} known", show::count(nodes as usize, "node", "nodes")),
    };
    let asked = if asked == 0 { String::new() } else { format!("{} queries", show::grouped(asked)) };
    [verb.to_owned(), nodes, asked, show::seconds(elapsed.as_secs())]
}

/// Counts the nodes that answered lately.
fn good(info: &DhtInfo) -> u32 {
    info.v4.iter().chain(&info.v6).map(|family| family.good).sum()
}

fn queries(info: &DhtInfo) -> u64 {
    info.v4.iter().chain(&info.v6).map(|family| family.traffic.queries_out).sum()
}

/// Returns the names by which a torrent is known in the DHT.
async fn swarm(text: &str) -> Result<Vec<InfoHashV1>> {
    if let Ok(hash) = text.parse::<InfoHashV1>() {
        return Ok(vec![hash]);
    }
    if let Ok(hash) = text.parse::<InfoHashV2>() {
        return Ok(vec![hash.truncated()]);
    }
    let hexadecimal = text.len() >= 32 && text.chars().all(|c| c.is_ascii_hexdigit());
    if hexadecimal {
        bail!("{text}: an info-hash has 40 hexadecimal digits, or 64 in a v2 torrent; this has {}", text.len());
    }
    let source = link::read(text).await.context("give an info-hash, a magnet link or a .torrent file")?;
    Ok(match source {
        link::Source::Magnet(magnet, _) => magnet.hashes.wire().collect(),
        link::Source::Updates(link) => {
            let key = data_encoding::HEXLOWER.encode(&link.key);
            bail!("this link names no swarm, but a key: `compeer dht get {key}` shows what it signs")
        }
        link::Source::File(file, _) => file.hashes().wire().collect(),
    })
}

async fn ping(session: &mut Session<'_>, command: &DhtNode) -> Result<Option<u8>> {
    let client = session.client().clone();
    let request = DhtNodeRequest { address: command.address.clone() };
    let call = client.call::<DhtPong>(Method::POST, "/dht/ping", &request);
    let Some(pong) = session.wait(&format!("Asking {}", command.address), call).await? else { return Ok(None) };
    if session.context.json {
        out::json(&pong)?;
        return Ok(Some(0));
    }
    let program = if pong.version.is_empty() { String::new() } else { format!(", {}", clean(&pong.version)) };
    let suits = if pong.secure { "" } else { ", an id that does not suit its address" };
    out::line(format!("{}  {} in {} ms{program}{suits}", pong.id, pong.address, pong.rtt_ms))?;
    Ok(Some(0))
}

async fn add(session: &mut Session<'_>, command: &DhtNode) -> Result<Option<u8>> {
    let client = session.client().clone();
    let request = DhtNodeRequest { address: command.address.clone() };
    if session.attached.is_own() {
        // This node ends with the command: what stays is the table that it saves, if the other one answers.
        let call = client.call::<DhtPong>(Method::POST, "/dht/ping", &request);
        let Some(_) = session.wait(&format!("Asking {}", command.address), call).await? else { return Ok(None) };
    }
    client.tell(Method::POST, "/dht/nodes", Some(&request)).await?;
    if session.context.json {
        out::json(&serde_json::json!({ "address": command.address }))?;
    } else {
        session.live.note(format!("{} will be asked; `compeer dht nodes` shows who answers.", command.address));
    }
    Ok(Some(0))
}
