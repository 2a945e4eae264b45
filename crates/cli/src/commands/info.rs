//! `compeer info`.

use anyhow::Result;
use base::units::format_bytes;
use rpc::{ChatState, NetworkInfo, NetworkPart, OverlayInfo, SessionInfo, SourceInfo, TorrentDetail};
use serde_json::json;

use super::connections::bare;
use super::{Context, which};
use crate::args::Info;
use crate::attach::attach;
use crate::out::{self, Table, clean};
use crate::show;

/// Shows one torrent, or the node.
pub async fn run(command: Info, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let Some(meant) = command.torrent else {
        let network: NetworkInfo = attached.client.get("/network").await?;
        // A node of nobody talks to nobody.
        let chat: Option<ChatState> = attached.client.get("/chat").await.ok();
        if context.json {
            let mut node = serde_json::to_value(&attached.info)?;
            node["network"] = json!(network);
            node["chat"] = json!(chat);
            out::json(&node)?;
        } else {
            show_node(&attached.info, &network, attached.client.host())?;
            chat.as_ref().map_or(Ok(()), show_chat)?;
        }
        return Ok(0);
    };
    let id = which::find(&attached.client, &meant).await?.id;
    let detail = attached.client.torrent(&id, command.local).await?;
    if context.json {
        out::json(&detail)?;
    } else {
        show_torrent(&detail)?;
    }
    Ok(0)
}

fn field(name: &str, value: impl AsRef<str>) -> Result<()> {
    let value = value.as_ref();
    if value.is_empty() { Ok(()) } else { out::line(format!("{name:<13} {}", clean(value))) }
}

fn show_node(info: &SessionInfo, network: &NetworkInfo, host: &str) -> Result<()> {
    let mode = match info.mode {
        rpc::NodeMode::Daemon => "compeer up",
        rpc::NodeMode::Embedded => "inside share or get",
    };
    field("version", &info.version)?;
    field("running", format!("{mode}, process {}, for {}", info.process_id, show::seconds(info.uptime_s)))?;
    if let Some(rests) = show::rests(info) {
        field("rests", rests)?;
    }
    if let Some(mistake) = &info.mistake {
        field("settings", show::mistake(mistake))?;
    }
    field("home", &info.home)?;
    field("downloads to", &info.download_folder)?;
    field("listens on", network.listen.join(", "))?;
    field("reached at", reached(network))?;
    field("carriers", network.carriers.iter().map(|name| show::carrier(name)).collect::<Vec<_>>().join(", then "))?;
    field("obfuscation", encryption(&network.encryption))?;
    field("DHT", part(&network.dht))?;
    field("PEX", part(&network.pex))?;
    field("local network", part(&network.lsd))?;
    field("port mapping", part(&network.mapping))?;
    field("hole punching", part(&network.holepunch))?;
    if let Some(overlay) = &network.overlay {
        field("node id", &overlay.node)?;
        if overlay.revoked {
            field("revoked", node::REVOKED)?;
        }
        field("nodes at", overlay.listen.join(", "))?;
        field(
            "in the DHT",
            if overlay.published { "whoever knows the node id finds these addresses" } else { "not told" },
        )?;
        show_relays(overlay)?;
    }
    for service in &info.services {
        field(&service.name, service.urls.join(", "))?;
    }
    field("tools", show::tools(host, &info.home))?;
    field("torrents", info.torrents.to_string())?;
    field("peers", info.peers.to_string())?;
    field("receives", show::rate(info.download_bytes_per_s))?;
    field("sends", show::rate(info.upload_bytes_per_s))
}

/// Shows who keeps messages for this node, and for whom some wait here.
fn show_chat(chat: &ChatState) -> Result<()> {
    for mailbox in &chat.mailboxes {
        let whose = mailbox.name.as_ref().map(|name| format!(", of {name}")).unwrap_or_default();
        field("mailbox", format!("{}{whose}, keeps messages for this node", mailbox.node))?;
    }
    for named in &chat.without_mailbox {
        let why = "nobody who is known here is called so, or they offer no mailbox (mailboxes in config.toml)";
        field("no mailbox", format!("{named}: {why}"))?;
    }
    for waiting in &chat.waiting {
        let messages = show::count(waiting.messages as usize, "message", "messages");
        field("waiting", format!("{messages} for {}", waiting.name))?;
    }
    if let Some(irc) = &chat.irc {
        let at = irc.address.as_deref().unwrap_or("not listening");
        let why = irc.failure.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        field("IRC", format!("{at}{why}, {}", show::count(irc.clients as usize, "client", "clients")))?;
    }
    field("messages", chat.failure.as_deref().unwrap_or_default())
}

/// Shows the relays that may be used, and which of them others reach this node by.
fn show_relays(overlay: &OverlayInfo) -> Result<()> {
    let own = |relay: &str| {
        let own = overlay.relay.as_ref().filter(|own| own.relay == relay)?;
        let words = own.message.as_ref().map(|words| format!(", not connected: {words}"));
        Some(if own.connected { ", connected".to_owned() } else { words.unwrap_or_else(|| ", connecting".to_owned()) })
    };
    for relay in &overlay.relays {
        let whose = relay.offered_by.as_ref().map(|name| format!(", offered by {name}")).unwrap_or_default();
        field("relay", format!("{}{whose}{}", bare(&relay.relay), own(&relay.relay).unwrap_or_default()))?;
    }
    match &overlay.relay {
        Some(other) if overlay.relays.iter().all(|relay| relay.relay != other.relay) => {
            field("relay", format!("{}{}", bare(&other.relay), own(&other.relay).unwrap_or_default()))
        }
        None if overlay.relays.is_empty() && overlay.public_relays => field("relay", "a public one, none answers yet"),
        None if overlay.relays.is_empty() => field("relay", "none is known, public ones are off"),
        _ => Ok(()),
    }
}

fn show_torrent(detail: &TorrentDetail) -> Result<()> {
    let torrent = &detail.summary;
    field("name", &torrent.name)?;
    field("id", &torrent.id)?;
    field("v2 hash", torrent.info_hash_v2.as_deref().unwrap_or_default())?;
    field("state", format!("{}, {}", show::state(torrent), show::percent(show::done(torrent))))?;
    field("error", torrent.error.as_deref().unwrap_or_default())?;
    if torrent.total_bytes > 0 {
        let files = show::count(detail.file_count as usize, "file", "files");
        let pieces = format!("{} of {} pieces", detail.pieces_have, detail.piece_count);
        let length = format_bytes(detail.piece_length_bytes.into());
        field("size", format!("{} in {files}; {pieces} of {length}", format_bytes(torrent.total_bytes)))?;
    }
    field("path", torrent.path.as_deref().unwrap_or(&torrent.folder))?;
    let left = torrent.left_s.map(|left| format!(", {} left", show::seconds(left))).unwrap_or_default();
    let received = format_bytes(torrent.downloaded_bytes);
    field("received", format!("{received}, {}{left}", show::rate(torrent.download_bytes_per_s)))?;
    let sent = format!("{}, ratio {:.2}", format_bytes(torrent.uploaded_bytes), torrent.ratio);
    field("sent", format!("{sent}, {}", show::rate(torrent.upload_bytes_per_s)))?;
    field("peers", format!("{}, {} of them complete", torrent.peers, torrent.seeds))?;
    field("limits", limits(detail))?;
    field("seeding ends", show::goal(&detail.more.goal))?;
    field("labels", torrent.labels.join(", "))?;
    field("category", torrent.category.as_deref().unwrap_or_default())?;
    let private = match (torrent.confined, torrent.private) {
        (true, _) => "yes: only the people that it is shared with may have it",
        (_, true) => "yes: only trackers introduce peers",
        _ => "",
    };
    field("private", private)?;
    field("comment", detail.comment.as_deref().unwrap_or_default())?;
    field("made by", detail.created_by.as_deref().unwrap_or_default())?;
    for tracker in &detail.trackers {
        source("tracker", &tracker.url, tracker.failed, tracker.answered, tracker.message.as_deref())?;
    }
    for seed in &detail.web_seeds {
        source("web seed", &seed.url, seed.failed, seed.answered, seed.message.as_deref())?;
    }
    field("link", &detail.magnet)?;
    out::line("")?;
    show_sources(&detail.sources)
}

/// Shows where others reach this node, as far as that is known.
fn reached(network: &NetworkInfo) -> String {
    let port = network.external_port.map(|port| format!("port {port}"));
    let port = port.unwrap_or_else(|| "nowhere: nothing is listened on".to_owned());
    if network.external.is_empty() { port } else { format!("{}, {port}", network.external.join(", ")) }
}

fn encryption(policy: &str) -> &'static str {
    match policy {
        "require" => "required of every peer",
        "off" => "off",
        _ => "preferred",
    }
}

fn part(part: &NetworkPart) -> String {
    match (part.enabled, part.message.is_empty()) {
        (false, _) => "off".to_owned(),
        (true, true) => "on".to_owned(),
        (true, false) => part.message.clone(),
    }
}

/// Shows the ways in which a torrent finds peers.
fn show_sources(sources: &[SourceInfo]) -> Result<()> {
    let mut table = Table::new(&["PEERS BY", "GAVE", "CONNECTED", "LAST WORDS", "WHEN", "NEXT"], &[1, 2], 3);
    // What an earlier run or a web seed would have named is of interest only if it did.
    let always = |source: &SourceInfo| source.enabled && !matches!(source.source.as_str(), "resume" | "web_seed");
    for source in sources.iter().filter(|source| always(source) || source.given > 0) {
        let ago = |seconds| format!("{} ago", show::seconds(seconds));
        let next = |seconds| if seconds == 0 { "now".to_owned() } else { format!("in {}", show::seconds(seconds)) };
        table.row(vec![
            show::source(&source.source),
            show::grouped(source.given.into()),
            show::grouped(source.connected.into()),
            if source.message.is_empty() { "-".to_owned() } else { clean(&source.message) },
            source.last_s.map_or_else(|| "-".to_owned(), ago),
            source.next_s.map_or_else(|| "-".to_owned(), next),
        ]);
    }
    table.print()?;
    let off = |source: &&SourceInfo| !source.enabled && source.given == 0;
    // Trackers and web seeds that no torrent names are nothing that could be switched on.
    let named = |source: &&SourceInfo| matches!(source.source.as_str(), "dht" | "pex" | "lsd");
    let off: Vec<String> =
        sources.iter().filter(off).filter(named).map(|source| show::source(&source.source)).collect();
    if off.is_empty() { Ok(()) } else { out::line(format!("not used: {}", off.join(", "))) }
}

/// Shows a tracker or web seed and its last words.
fn source(kind: &str, url: &str, failed: bool, answered: bool, words: Option<&str>) -> Result<()> {
    let words = words.map(|words| format!(": {words}")).unwrap_or_default();
    let state = match (failed, answered) {
        (true, _) => "failed",
        (false, true) => "works",
        (false, false) => "not asked yet",
    };
    field(kind, format!("{url} {state}{words}"))
}

fn limits(detail: &TorrentDetail) -> String {
    let limits = detail.more.limits;
    if limits == rpc::Limits::default() {
        return String::new();
    }
    let peers = limits.connections.map_or_else(String::new, |count| format!(", {count} connections"));
    let (down, up) = (show::limit(limits.download_bytes_per_s), show::limit(limits.upload_bytes_per_s));
    format!("down {down}, up {up}{peers}")
}
