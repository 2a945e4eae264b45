//! `compeer list`.

use anyhow::Result;
use base::units::format_bytes;

use super::Context;
use crate::attach::attach;
use crate::out::{self, Table, clean};
use crate::show;

/// Lists the torrents.
pub async fn run(context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let torrents = attached.client.list().await?;
    if context.json {
        out::json(&torrents)?;
        return Ok(0);
    }
    if let Some(rests) = show::rests(&attached.info) {
        eprintln!("Everything rests: {rests}.");
    }
    if let Some(mistake) = &attached.info.mistake {
        eprintln!("warning: {}", show::mistake(mistake));
    }
    if torrents.is_empty() {
        eprintln!("No torrents yet: `compeer add LINK` or `compeer share PATH` brings the first.");
        return Ok(0);
    }
    let head = ["ID", "NAME", "SIZE", "DONE", "STATE", "DOWN", "UP", "PEERS", "RATIO"];
    let mut table = Table::new(&head, &[2, 3, 5, 6, 7, 8], 1);
    for torrent in &torrents {
        table.row(vec![
            torrent.id.chars().take(show::SHORT_ID).collect(),
            clean(&torrent.name),
            if torrent.total_bytes == 0 { "?".to_owned() } else { format_bytes(torrent.total_bytes) },
            show::percent(show::done(torrent)),
            show::state(torrent).to_owned(),
            show::rate_or_blank(torrent.download_bytes_per_s),
            show::rate_or_blank(torrent.upload_bytes_per_s),
            torrent.peers.to_string(),
            format!("{:.2}", torrent.ratio),
        ]);
    }
    table.print()?;
    for torrent in torrents.iter().filter(|torrent| torrent.error.is_some()) {
        let error = torrent.error.as_deref().unwrap_or_default();
        eprintln!("{}: {}", clean(&torrent.name), clean(error));
    }
    Ok(0)
}
