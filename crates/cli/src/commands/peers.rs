//! `compeer peers`.

use anyhow::Result;
use base::units::format_bytes;
use reqwest::Method;

use super::{Context, which};
use crate::args::Peers;
use crate::attach::attach;
use crate::out::{self, Table, clean};
use crate::show;

/// Shows a torrent's peers, after connecting to those that are named.
pub async fn run(command: Peers, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let id = which::find(&attached.client, &command.torrent).await?.id;
    for address in &command.add {
        let request = rpc::AddPeerRequest { address: address.clone() };
        attached.client.tell(Method::POST, &format!("/torrents/{id}/peers"), Some(&request)).await?;
    }
    let peers = attached.client.peers(&id).await?;
    if context.json {
        out::json(&peers)?;
        return Ok(0);
    }
    if peers.is_empty() {
        let wait = if command.add.is_empty() { "" } else { " yet; what was named is being tried" };
        eprintln!("No peer is connected{wait}.");
        return Ok(0);
    }
    let head = ["ADDRESS", "CLIENT", "HAS", "DOWN", "UP", "RECEIVED", "SENT", "OVER", "HIDDEN", "FROM"];
    let mut table = Table::new(&head, &[2, 3, 4, 5, 6], 1);
    for peer in &peers {
        table.row(vec![
            peer.node
                .as_deref()
                .map_or_else(|| clean(&peer.address), |node| node.chars().take(show::SHORT_ID).collect()),
            clean(&peer.client),
            show::percent(peer.progress),
            show::rate_or_blank(peer.download_bytes_per_s),
            show::rate_or_blank(peer.upload_bytes_per_s),
            format_bytes(peer.downloaded_bytes),
            format_bytes(peer.uploaded_bytes),
            show::carrier(&peer.carrier),
            show::hidden(&peer.encryption).to_owned(),
            show::source(&peer.source),
        ]);
    }
    table.print()?;
    Ok(0)
}
