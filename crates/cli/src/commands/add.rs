//! `compeer add`.

use anyhow::Result;

use super::{Context, get};
use crate::args::Add;
use crate::attach::attach;
use crate::out::{self, clean};
use crate::{link, show};

/// Hands something to the running node.
pub async fn run(command: Add, context: &Context) -> Result<u8> {
    let source = link::read(&command.link).await?;
    let attached = attach(context.home.as_deref()).await?;
    let folder = command.output.as_deref().map(get::output_folder).transpose()?;
    let goal = command.goals.goal();
    let mut request = rpc::AddRequest {
        folder: folder.map(|folder| folder.display().to_string()),
        paused: command.paused,
        sequential: command.sequential,
        no_tracker: command.peers.no_tracker,
        peers: command.peers.peer,
        seed_ratio: goal.ratio,
        seed_time_s: goal.time_s,
        seed_idle_s: goal.idle_s,
        labels: command.sort.label,
        category: command.sort.category,
        files: command.files.as_ref().map(|files| get::file_numbers(files, &source)).transpose()?,
        ..rpc::AddRequest::default()
    };
    source.fill(&mut request);
    let added = attached.client.add(&request).await?;
    if context.json {
        out::json(&added)?;
        return Ok(0);
    }
    let short: String = added.torrent.id.chars().take(show::SHORT_ID).collect();
    let verb = if added.existed { "Here already" } else { "Added" };
    out::line(format!("{verb}: {} ({short}), in {}", clean(&added.torrent.name), clean(&added.torrent.folder)))?;
    Ok(0)
}
