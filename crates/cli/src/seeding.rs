//! Seeding in the foreground: who downloads, and how fast, until Ctrl-C or a goal.

use anyhow::{Result, bail};
use base::units::format_bytes;
use rpc::{PeerInfo, TorrentState, TorrentSummary};

use crate::client::{Client, ClientError};
use crate::follow::Follow;
use crate::interrupt::Interrupt;
use crate::live::Live;
use crate::out::clean;
use crate::show;

/// How many peers are shown by name. Arbitrary.
const MAX_SHOWN: usize = 8;

/// How seeding ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By Ctrl-C.
    Interrupted,
    /// By a goal, or because somebody paused it.
    Paused,
    /// Because the torrent is not there any more.
    Removed,
}

/// Shows what is sent until it ends.
pub async fn follow(client: &Client, id: &str, live: &mut Live, interrupt: &mut Interrupt) -> Result<End> {
    let mut follow = Follow::begin(client).await?;
    let mut known: Vec<String> = Vec::new();
    live.wait_before_plain();
    loop {
        let Some(torrent) = follow.torrent(id).cloned() else {
            live.clear();
            return Ok(End::Removed);
        };
        match torrent.state {
            TorrentState::Paused => return Ok(End::Paused),
            TorrentState::Failed => {
                live.clear();
                bail!("{}", torrent.error.unwrap_or_else(|| "seeding failed".to_owned()));
            }
            _ => {}
        }
        let peers = tokio::select! {
            peers = client.peers(id) => peers,
            () = interrupt.wait() => return Ok(End::Interrupted),
        };
        let mut peers = match peers {
            Ok(peers) => peers,
            Err(error) if error.is_kind("not-found") => continue,
            Err(error) => return Err(error.into()),
        };
        peers.sort_by_key(|peer| std::cmp::Reverse(peer.upload_bytes_per_s));
        if !live.is_terminal() {
            announce(live, &mut known, &peers);
        }
        live.draw(&lines(live, &torrent, &peers), || plain(&torrent));
        tokio::select! {
            changed = follow.next() => changed?,
            () = interrupt.wait() => return Ok(End::Interrupted),
        }
    }
}

/// Without a terminal: says who came and who went.
fn announce(live: &mut Live, known: &mut Vec<String>, peers: &[PeerInfo]) {
    for peer in peers.iter().filter(|peer| !known.contains(&peer.address)) {
        live.note(format!("{} connected{}", peer.address, named(&clean(&peer.client))));
    }
    for address in known.iter().filter(|address| !peers.iter().any(|peer| peer.address == **address)) {
        live.note(format!("{address} disconnected"));
    }
    *known = peers.iter().map(|peer| peer.address.clone()).collect();
}

fn named(client: &str) -> String {
    if client.is_empty() { String::new() } else { format!(" ({client})") }
}

fn lines(live: &Live, torrent: &TorrentSummary, peers: &[PeerInfo]) -> Vec<String> {
    let sent = match torrent.uploaded_bytes {
        0 => String::new(),
        bytes => format!("{} sent, ratio {:.2}", format_bytes(bytes), torrent.ratio),
    };
    let up = format!("{} {}", live.arrow(true), show::rate(torrent.upload_bytes_per_s));
    let head = match peers.len() {
        0 => vec!["Seeding, nobody is connected".to_owned(), sent],
        n => vec![format!("Seeding to {}", show::count(n, "peer", "peers")), up, sent],
    };
    let mut lines = vec![live.parts("", &head)];
    for peer in peers.iter().take(MAX_SHOWN) {
        // A peer need not tell a seed what it has; what it got from here it has.
        let got = peer.uploaded_bytes as f64 / torrent.total_bytes.max(1) as f64;
        let row = [
            format!("{:<22}", peer.address),
            format!("{:>5}", show::percent(peer.progress.max(got))),
            format!("{} {:>11}", live.arrow(true), show::rate(peer.upload_bytes_per_s)),
            clean(&peer.client),
        ];
        lines.push(console::style(live.parts("  ", &row)).dim().for_stderr().to_string());
    }
    if peers.len() > MAX_SHOWN {
        lines.push(console::style(format!("  and {} more", peers.len() - MAX_SHOWN)).dim().for_stderr().to_string());
    }
    lines
}

fn plain(torrent: &TorrentSummary) -> String {
    format!(
        "seeding to {}, {}, {} sent",
        show::count(torrent.peers as usize, "peer", "peers"),
        show::rate(torrent.upload_bytes_per_s),
        format_bytes(torrent.uploaded_bytes)
    )
}

/// Ends what this command began: a torrent that nobody asked a daemon to keep is paused, so that the next node of this
/// home does not seed it unasked.
pub async fn pause(client: &Client, id: &str) {
    match client.act(id, "pause").await {
        // Gone with its node, or removed: then it is not seeded either.
        Ok(()) | Err(ClientError::Gone(_)) => {}
        Err(error) => tracing::debug!(%error, "cannot pause"),
    }
}
