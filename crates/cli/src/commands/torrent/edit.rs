//! `compeer torrent edit`.

use anyhow::{Result, bail};
use serde_json::json;

use crate::args::{TorrentEdit, tiers};
use crate::commands::Context;
use crate::out;

/// Changes what lies around the info dictionary: the torrent stays the same, and keeps its info-hash.
pub fn run(command: TorrentEdit, context: &Context) -> Result<u8> {
    let mut file = super::read(&command.torrent)?;
    let before = file.clone();
    if command.no_trackers {
        file.trackers.clear();
    } else if !command.tracker.is_empty() {
        file.trackers = tiers(&command.tracker);
    }
    if command.no_web_seeds {
        file.web_seeds.clear();
    } else if !command.web_seed.is_empty() {
        file.web_seeds = command.web_seed;
    }
    if let Some(comment) = command.comment {
        file.comment = Some(comment).filter(|comment| !comment.is_empty());
    }
    if file == before && command.output.is_none() {
        bail!("nothing to change: give --tracker, --web-seed or --comment (see: compeer torrent edit --help)");
    }
    let target = command.output.unwrap_or(command.torrent);
    super::write(&target, &file.to_bytes())?;
    if context.json {
        out::json(&json!({
            "torrent": target,
            "trackers": file.trackers,
            "web_seeds": file.web_seeds,
            "comment": file.comment,
        }))?;
    } else {
        out::line(target.display().to_string())?;
    }
    Ok(0)
}
