//! `compeer torrent show`.

use anyhow::{Result, bail};
use base::units::format_bytes;
use metainfo::{Magnet, TorrentFile};
use serde_json::json;

use crate::args::TorrentShow;
use crate::commands::Context;
use crate::link::{self, Source};
use crate::out::{self, Table, clean};
use crate::show;

/// Shows what a torrent file or a magnet says.
pub fn run(command: &TorrentShow, context: &Context) -> Result<u8> {
    match link::read_local(&command.link)? {
        Source::Magnet(magnet, _) if context.json => out::json(&magnet_json(&magnet))?,
        Source::Magnet(magnet, _) => show_magnet(&magnet)?,
        Source::Updates(_) => bail!("the link leads to the newest of several torrents: `compeer get` looks it up"),
        Source::File(file, _) if context.json => out::json(&file_json(&file))?,
        Source::File(file, _) => show_file(&file)?,
    }
    Ok(0)
}

fn field(name: &str, value: impl AsRef<str>) -> Result<()> {
    let value = value.as_ref();
    if value.is_empty() { Ok(()) } else { out::line(format!("{name:<11} {}", clean(value))) }
}

fn show_magnet(magnet: &Magnet) -> Result<()> {
    field("name", magnet.name.as_deref().unwrap_or_default())?;
    field("v1 hash", magnet.hashes.v1().map(|hash| hash.to_string()).unwrap_or_default())?;
    field("v2 hash", magnet.hashes.v2().map(|hash| hash.to_string()).unwrap_or_default())?;
    for url in &magnet.trackers {
        field("tracker", url)?;
    }
    for url in &magnet.web_seeds {
        field("web seed", url)?;
    }
    for peer in &magnet.peers {
        field("peer", peer.to_string())?;
    }
    Ok(())
}

fn magnet_json(magnet: &Magnet) -> serde_json::Value {
    json!({
        "kind": "magnet",
        "name": magnet.name,
        "info_hash_v1": magnet.hashes.v1().map(|hash| hash.to_string()),
        "info_hash_v2": magnet.hashes.v2().map(|hash| hash.to_string()),
        "trackers": magnet.trackers,
        "web_seeds": magnet.web_seeds,
        "peers": magnet.peers.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn show_file(file: &TorrentFile) -> Result<()> {
    let (info, layout) = (&file.info, file.info.layout());
    let kind = match (info.has_v1(), info.has_v2()) {
        (true, true) => "hybrid",
        (false, true) => "v2",
        _ => "v1",
    };
    field("name", info.name())?;
    field("kind", kind)?;
    field("v1 hash", info.hashes().v1().map(|hash| hash.to_string()).unwrap_or_default())?;
    field("v2 hash", info.hashes().v2().map(|hash| hash.to_string()).unwrap_or_default())?;
    let files = show::count(layout.files().len(), "file", "files");
    field("size", format!("{} in {files}", format_bytes(layout.total_length())))?;
    let pieces = show::count(layout.piece_count() as usize, "piece", "pieces");
    field("pieces", format!("{pieces} of {}", format_bytes(layout.piece_length().into())))?;
    field("private", if info.is_private() { "yes: only trackers introduce peers" } else { "" })?;
    field("source", info.source().unwrap_or_default())?;
    field("comment", file.comment.as_deref().unwrap_or_default())?;
    field("made by", file.created_by.as_deref().unwrap_or_default())?;
    field("made at", file.creation_date.map(date).unwrap_or_default())?;
    for (tier, urls) in file.trackers.iter().enumerate() {
        field(&format!("tracker {tier}"), urls.join(", "))?;
    }
    for url in &file.web_seeds {
        field("web seed", url)?;
    }
    field("link", file.magnet().to_string())?;
    out::line("")?;
    let mut table = Table::new(&["NO", "PATH", "SIZE"], &[0, 2], 1);
    for (index, found) in layout.files().iter().enumerate() {
        table.row(vec![index.to_string(), clean(&found.path.join("/")), format_bytes(found.length)]);
    }
    table.print()
}

fn file_json(file: &TorrentFile) -> serde_json::Value {
    let (info, layout) = (&file.info, file.info.layout());
    let files = layout.files().iter().enumerate().map(|(index, found)| {
        json!({
            "index": index,
            "path": found.path.join("/"),
            "size_bytes": found.length,
            "executable": found.executable,
        })
    });
    json!({
        "kind": "torrent",
        "name": info.name(),
        "info_hash_v1": info.hashes().v1().map(|hash| hash.to_string()),
        "info_hash_v2": info.hashes().v2().map(|hash| hash.to_string()),
        "total_bytes": layout.total_length(),
        "file_count": layout.files().len(),
        "piece_length_bytes": layout.piece_length(),
        "piece_count": layout.piece_count(),
        "private": info.is_private(),
        "source": info.source(),
        "comment": file.comment,
        "created_by": file.created_by,
        "created_at_s": file.creation_date,
        "trackers": file.trackers,
        "web_seeds": file.web_seeds,
        "magnet": file.magnet().to_string(),
        "files": files.collect::<Vec<_>>(),
    })
}

/// Shows seconds since 1970 as a date, by the proleptic Gregorian calendar (days from civil, Howard Hinnant).
fn date(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_know_leap_years() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_735_689_599), "2024-12-31 23:59 UTC");
    }
}
