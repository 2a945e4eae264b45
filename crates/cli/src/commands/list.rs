//! `compeer list`.

use anyhow::Result;
use base::units::format_bytes;
use rpc::TorrentSummary;

use super::Context;
use crate::args::List;
use crate::attach::attach;
use crate::client::part;
use crate::out::{self, Table, clean};
use crate::show;

/// Lists the torrents.
pub async fn run(command: List, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let torrents: Vec<TorrentSummary> = attached.client.get(&path(&command)).await?;
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
    if torrents.is_empty() && (command.label.is_some() || command.category.is_some()) {
        eprintln!("No torrent is sorted so: `compeer label` lists the labels and categories that there are.");
        return Ok(0);
    }
    if torrents.is_empty() {
        eprintln!("No torrents yet: `compeer add LINK` or `compeer share PATH` brings the first.");
        return Ok(0);
    }
    let mut head = vec!["ID", "NAME", "SIZE", "DONE", "STATE", "DOWN", "UP", "PEERS", "RATIO"];
    let labelled = torrents.iter().any(|torrent| !torrent.labels.is_empty());
    head.extend(labelled.then_some("LABELS"));
    let mut table = Table::new(&head, &[2, 3, 5, 6, 7, 8], 1);
    for torrent in &torrents {
        let mut row = vec![
            torrent.id.chars().take(show::SHORT_ID).collect(),
            clean(&torrent.name),
            if torrent.total_bytes == 0 { "?".to_owned() } else { format_bytes(torrent.total_bytes) },
            show::percent(show::done(torrent)),
            show::state(torrent).to_owned(),
            show::rate_or_blank(torrent.download_bytes_per_s),
            show::rate_or_blank(torrent.upload_bytes_per_s),
            torrent.peers.to_string(),
            format!("{:.2}", torrent.ratio),
        ];
        row.extend(labelled.then(|| show::labels(&torrent.labels)));
        table.row(row);
    }
    table.print()?;
    for torrent in torrents.iter().filter(|torrent| torrent.error.is_some()) {
        let error = torrent.error.as_deref().unwrap_or_default();
        eprintln!("{}: {}", clean(&torrent.name), clean(error));
    }
    Ok(0)
}

fn path(command: &List) -> String {
    let only = [("label", &command.label), ("category", &command.category)];
    let only = only.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", part(value.as_deref()?))));
    format!("/torrents?{}", only.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_written_so_that_any_label_arrives() {
        let list = |label: Option<&str>, category: Option<&str>| {
            path(&List { label: label.map(str::to_owned), category: category.map(str::to_owned) })
        };
        assert_eq!(list(None, None), "/torrents?");
        assert_eq!(list(Some("to see&x=ä"), None), "/torrents?label=to%20see%26x%3D%C3%A4");
        assert_eq!(list(Some(""), Some("films/old")), "/torrents?label=&category=films%2Fold");
    }
}
